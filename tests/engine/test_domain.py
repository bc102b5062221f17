"""Quantifiers over indices: exact over a few, and over all of them never more certain than they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import pytest
import z3

from vgicheck.engine.domain import Finite, Unbounded
from vgicheck.engine.maps import Key

KEYS: list[Key] = [(0,), (2,), (3,), (6,)]
PAIRS: list[Key] = [(0, 5), (1, 0), (1, 7)]
FINITE = Finite({"slot": KEYS, "pair": PAIRS}, {"slot": (3,), "pair": (1, 3)})
EVERY: list[Key] = [(k,) for k in range(4)]
GIVEN = z3.BitVec("given", 2)
BIT = z3.Function("bit", z3.BitVecSort(2), z3.BoolSort())


def slot(number: int) -> object:
    """An index of an unbounded domain."""
    return z3.BitVecVal(number, 2)


def bit(key: Key) -> bool:
    """What the questions are about: an arbitrary function of the index."""
    (k,) = key
    return BIT(k if z3.is_expr(k) else slot(k))  # type: ignore[no-any-return]


def unbounded(name: str = "now") -> Unbounded:
    """There are four slots, of which the last is not legal."""
    return Unbounded({"slot": (2,), "pair": (1, 2)}, lambda kind, key: key[0] != 3, name)


def holding(assertions: list[object], *more: object) -> bool:
    """Say whether assertions can hold together."""
    solver = z3.Solver()
    solver.add(*assertions, *more)
    return solver.check() == z3.sat


@pytest.mark.parametrize("kind", ["slot", "pair"])
def test_a_finite_domain_answers_as_its_list_does(kind: str) -> None:
    """For each set of indices exists, first and two are what counting says, the first in the order of the list."""
    keys = list(FINITE.keys[kind])
    for chosen in product((False, True), repeat=len(keys)):
        members = [k for k, c in zip(keys, chosen, strict=True) if c]
        holds = members.__contains__
        assert FINITE.exists("s", kind, holds) is bool(members)
        assert FINITE.two("s", kind, holds) is (len(members) >= 2)
        assert FINITE.first("s", kind, holds) == (bool(members), members[0] if members else keys[0])


def test_a_finite_domain_answers_terms_as_it_answers_numbers() -> None:
    """Over Z3 terms the answers have, for each set of indices, the value that they have over numbers."""
    names = {k: z3.Bool(f"in{k}") for k in KEYS}
    some, two = FINITE.exists("s", "slot", names.__getitem__), FINITE.two("s", "slot", names.__getitem__)
    found, (first,) = FINITE.first("s", "slot", names.__getitem__)
    for chosen in product((False, True), repeat=len(KEYS)):
        values = dict(zip(KEYS, chosen, strict=True))
        says = [(names[k], z3.BoolVal(v)) for k, v in values.items()]
        there, (lowest,) = FINITE.first("s", "slot", values.__getitem__)
        assert z3.is_true(z3.simplify(z3.substitute(some == any(chosen), *says)))
        assert z3.is_true(z3.simplify(z3.substitute(two == (sum(chosen) >= 2), *says)))
        assert z3.is_true(z3.simplify(z3.substitute(found == there, *says)))
        assert z3.simplify(z3.substitute(first, *says)).as_long() == lowest  # type: ignore[union-attr]


def asked(domain: Unbounded) -> dict[str, object]:
    """Ask each question once."""
    found, witness = domain.first("lowest", "slot", bit)
    return {
        "exists": domain.exists("some", "slot", bit),
        "first": found,
        "witness": witness[0],
        "two": domain.two("both", "slot", bit),
    }


def worlds() -> Iterator[tuple[list[object], list[int]]]:
    """Yield what may be so of the four slots, and which legal ones satisfy the question then."""
    for members in product((False, True), repeat=4):
        yield [BIT(slot(k)) == z3.BoolVal(m) for k, m in enumerate(members)], [k for k in range(3) if members[k]]


@pytest.mark.parametrize("touched", [[], [(0,)], [(1,), (3,)], EVERY], ids=["none", "one", "some", "all"])
def test_whatever_is_so_of_a_few_indices_an_unbounded_domain_allows(touched: list[Key]) -> None:
    """For every set of indices the true answers agree with all facts, whichever indices were touched."""
    domain = unbounded()
    answers = asked(domain)
    facts = domain.facts(lambda kind: touched)
    for world, legal in worlds():
        truth = [
            answers["exists"] == z3.BoolVal(bool(legal)),
            answers["first"] == z3.BoolVal(bool(legal)),
            answers["two"] == z3.BoolVal(len(legal) >= 2),
            *([answers["witness"] == slot(legal[0])] if legal else []),
        ]
        assert holding([*facts, *world], *truth), legal


def test_with_every_index_touched_an_unbounded_domain_allows_nothing_else() -> None:
    """With the facts of all indices a wrong answer contradicts them, so that proofs can rest on a right one."""
    domain = unbounded()
    answers = asked(domain)
    facts = domain.facts(lambda kind: EVERY)
    for world, legal in worlds():
        assert not holding([*facts, *world], answers["exists"] != z3.BoolVal(bool(legal)))
        assert not holding([*facts, *world], answers["two"] != z3.BoolVal(len(legal) >= 2))
        if legal:
            assert not holding([*facts, *world], answers["witness"] != slot(legal[0]))


def test_an_index_that_nobody_touched_decides_nothing() -> None:
    """That something holds at an index does not make the answer true before the index is touched."""
    domain = unbounded()
    some = domain.exists("some", "slot", bit)
    there = BIT(slot(2))
    assert holding(domain.facts(lambda kind: []), there, z3.Not(some))
    assert not holding(domain.facts(lambda kind: [(2,)]), there, z3.Not(some))


def test_a_true_answer_has_a_legal_witness() -> None:
    """Where nothing legal satisfies a question its answer cannot be true."""
    domain = unbounded()
    some = domain.exists("some", "slot", bit)
    nothing = [z3.Not(BIT(slot(k))) for k in range(3)]
    assert not holding(domain.facts(lambda kind: []), *nothing, some)


def test_questions_with_other_given_indices_have_answers_of_their_own() -> None:
    """One site asked of two vCPUs may be true of the one and false of the other, and equal where they are equal."""
    domain = unbounded()
    other = z3.BitVec("other", 2)
    below: Callable[[object], Callable[[Key], bool]] = lambda limit: lambda key: z3.ULT(key[0], limit)  # noqa: E731
    one = domain.exists("below", "slot", below(GIVEN), given=(GIVEN,))
    two = domain.exists("below", "slot", below(other), given=(other,))
    facts = domain.facts(lambda kind: [(0,)])
    assert holding(facts, one, z3.Not(two))
    assert not holding(facts, one, z3.Not(two), other == GIVEN)


def test_the_answers_of_two_states_are_apart() -> None:
    """One question of two states, each with a domain of its own, may have the answer no after the answer yes."""
    before, after = unbounded("before"), unbounded("after")
    then = before.exists("some", "slot", bit)
    now = after.exists("some", "slot", lambda key: False)
    facts = [*before.facts(lambda kind: [(2,)]), *after.facts(lambda kind: [(2,)])]
    assert holding(facts, BIT(slot(2)), then)
    assert not holding(facts, now)


def test_a_question_is_not_asked_of_a_second_state() -> None:
    """A site that means something else the second time is refused, instead of being given the first answer."""
    domain = unbounded()
    domain.exists("some", "slot", bit)
    assert domain.exists("some", "slot", bit) is domain.exists("some", "slot", bit)
    with pytest.raises(ValueError, match="now: some was asked before"):
        domain.exists("some", "slot", lambda key: z3.Not(bit(key)))
    with pytest.raises(ValueError, match="now: some was asked before"):
        domain.exists("some", "pair", bit)
