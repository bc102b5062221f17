"""Induction at arbitrary indices, on a toy: what a step keeps is proved, what it breaks and what only looks so is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest
import z3

from vgicheck.engine.domain import Unbounded
from vgicheck.engine.induction import Assumed, Context, Indices, Reader, Touched, assumed, negated
from vgicheck.engine.maps import Key, Map, MapOf
from vgicheck.engine.values import Width, and_, fresh, implies, ite, le, lt, not_, or_

OLD = "old"
Slot = Annotated[int, Width(4)]


@dataclass(frozen=True, slots=True)
class Toy:
    """Sixteen slots, each free or taken and served or not, of which `first` is looked at first."""

    first: Slot
    taken: Annotated[Map[bool], MapOf((4,), bool)]
    served: Annotated[Map[bool], MapOf((4,), bool)]
    by_pair: Annotated[Map[bool], MapOf((2, 4), bool)]


def keys_in(name: str, arguments: Key) -> Iterator[tuple[str, Key]]:
    """A map by one word names a slot, one by two an owner, a slot, and both together."""
    if len(arguments) == 1:
        yield "slot", arguments
    else:
        yield from (("owner", arguments[:1]), ("slot", arguments[1:]), ("pair", arguments))


INDICES = Indices(
    widths={"slot": (4,), "owner": (2,), "pair": (2, 4)},
    legal=lambda kind, key: kind != "owner" or lt(key[0], 3),
    keys_in=keys_in,
    pairs={("owner", "slot"): "pair"},
)
Says = Callable[..., bool]
"""An invariant: of a state, its domain and an index."""


def proved(
    step: Callable[[Toy, int, Unbounded], tuple[bool, Toy]], *invariants: Says, apart: bool = True
) -> list[bool]:
    """Say of each invariant of slots whether a step keeps it, all of them assumed before.

    Not `apart`, the domain of the state before also answers for the one after: the shortcut that must not be taken.
    """
    old, domain = fresh(Toy, OLD), INDICES.domain(OLD)
    known: list[Assumed] = []
    for says in invariants:
        known += assumed(INDICES, ("slot",), lambda key, says=says: [says(old, domain, *key)])
    l = z3.BitVec("l", 4)
    after = INDICES.domain("after" if apart else OLD)
    guard, new = step(old, l, after)
    context = Context(INDICES, f"{OLD}.", [guard], [("slot", (l,))], (domain, after), known)
    answers = []
    for says in invariants:
        at = INDICES.arbitrary(("slot",))
        goal = negated([(True, says(new, after, *at[0]))])
        solver = z3.Solver()
        solver.add(*context.question(goal, ("slot",), at) if goal is not False else [z3.BoolVal(False)])
        answers.append(solver.check() == z3.unsat)
    return answers


def take(s: Toy, l: int, domain: Unbounded) -> tuple[bool, Toy]:
    """A free slot is taken."""
    return not_(s.taken[l]), replace(s, taken=s.taken.set(l, True))


def serve(s: Toy, l: int, domain: Unbounded) -> tuple[bool, Toy]:
    """A slot that is taken is served."""
    return s.taken[l], replace(s, served=s.served.set(l, True))


def free(s: Toy, l: int, domain: Unbounded) -> tuple[bool, Toy]:
    """A slot is free, served or not."""
    return s.taken[l], replace(s, taken=s.taken.set(l, False))


def served_is_taken(s: Toy, domain: Unbounded, k: int) -> bool:
    """What is served is taken."""
    return implies(s.served[k], s.taken[k])


def one_is_taken(s: Toy, domain: Unbounded, k: int) -> bool:
    """Something is taken."""
    return domain.exists("taken", "slot", lambda key: s.taken[key])


def test_what_a_step_keeps_is_proved() -> None:
    """Taking and serving keep that what is served is taken, of every slot at once."""
    assert proved(take, served_is_taken) == [True]
    assert proved(serve, served_is_taken) == [True]


def test_what_a_step_breaks_is_not_proved() -> None:
    """A step that frees a slot without a look at what is served breaks it."""
    assert proved(free, served_is_taken) == [False]


def test_what_is_true_but_does_not_keep_itself_is_not_proved() -> None:
    """That slot 3 is never served follows from slot 3 never being taken, and is proved together with that alone."""

    def three_not_served(s: Toy, domain: Unbounded, k: int) -> bool:
        return implies(k == 3, not_(s.served[k]))

    def three_not_taken(s: Toy, domain: Unbounded, k: int) -> bool:
        return implies(k == 3, not_(s.taken[k]))

    assert proved(serve, three_not_served) == [False]
    assert proved(serve, three_not_served, three_not_taken) == [True, True]


def test_that_something_exists_is_kept_only_by_steps_that_take_none_away() -> None:
    """An invariant with a quantifier is proved of a step that adds, and not of one that takes away."""
    assert proved(take, one_is_taken) == [True]
    assert proved(free, one_is_taken) == [False]


def test_one_domain_for_the_states_before_and_after_is_refused() -> None:
    """What was said of the state before cannot be taken for said of the state after, by domains of one name or one."""
    domain = INDICES.domain(OLD)
    old = fresh(Toy, OLD)
    _, new = free(old, z3.BitVec("l", 4), domain)
    one_is_taken(old, domain, 0)
    with pytest.raises(ValueError, match="old: taken was asked before"):
        one_is_taken(new, domain, 0)


def test_domains_of_one_name_would_prove_what_is_false() -> None:
    """Named alike, the domains before and after share their answers: a false invariant is proved, names tell."""
    assert proved(free, one_is_taken, apart=False) == [True]
    assert proved(free, one_is_taken, apart=True) == [False]


def test_the_lowest_index_is_the_lowest_in_every_state() -> None:
    """A step that acts on the first slot of some kind acts on none that is before it."""

    def serve_first(s: Toy, l: int, domain: Unbounded) -> tuple[bool, Toy]:
        found, (first,) = domain.first("free", "slot", lambda key: not_(s.taken[key]))
        return and_(found, lt(l, first)), replace(s, served=s.served.set(l, True))

    def serve_some(s: Toy, l: int, domain: Unbounded) -> tuple[bool, Toy]:
        found, (first,) = domain.first("free", "slot", lambda key: not_(s.taken[key]))
        return and_(found, le(l, first)), replace(s, served=s.served.set(l, True))

    assert proved(serve_first, served_is_taken) == [True]
    assert proved(serve_some, served_is_taken) == [False]


def names(found: Sequence[Key]) -> set[str]:
    """Write indices as Z3 does."""
    return {" ".join(map(str, key)) for key in found}


def test_touched_are_the_arguments_of_the_state_alone() -> None:
    """What functions of the state are applied to is touched, as deep as they are nested, and other functions' is not."""
    s, a = fresh(Toy, OLD), z3.BitVec("a", 4)
    other = z3.Function("else.taken", z3.BitVecSort(4), z3.BoolSort())
    touched = Touched(Reader(INDICES, f"{OLD}."))
    touched.read(or_(s.taken[a], s.taken[s.first]), other(z3.BitVec("b", 4)), True)
    touched.read(s.by_pair[z3.BitVec("v", 2), 5])
    assert names(touched.of("slot")) == {"a", "old.first", "5"}
    assert names(touched.of("pair")) == {"v 5"}
    assert names(touched.of("owner")) == {"v"}


def test_an_index_that_is_chosen_counts_as_each_choice() -> None:
    """Of an index under conditions, however nested, each alternative is touched, and none twice."""
    a, b, p = z3.BitVec("a", 4), z3.BitVec("b", 4), z3.Bool("p")
    touched = Touched(Reader(INDICES, f"{OLD}."))
    touched.add("slot", (ite(p, a, ite(z3.Bool("q"), b, 7, width=4), width=4),))
    touched.add("slot", (a,))
    assert names(touched.of("slot")) == {"a", "b", "7"}
    assert len(touched.of("slot")) == 3


def test_kinds_that_go_together_are_combined_as_they_were_met() -> None:
    """Two kinds of a pair give the pairs that were touched, not each with each; other kinds do."""
    touched = Touched(Reader(INDICES, f"{OLD}."))
    touched.add_all(("owner", "slot"), ((0,), (1,)))
    touched.add_all(("owner", "slot"), ((2,), (3,)))
    assert set(touched.combinations(("owner", "slot"))) == {((0,), (1,)), ((2,), (3,))}
    assert set(touched.combinations(("slot", "owner"))) == {((l,), (v,)) for l in (1, 3) for v in (0, 2)}
    assert set(touched.combinations(("owner", "slot", "slot"))) == {
        (*pair, (l,)) for pair in (((0,), (1,)), ((2,), (3,))) for l in (1, 3)
    }
    assert list(touched.combinations(())) == [()]


def test_arbitrary_indices_of_one_kind_are_constants_of_their_own() -> None:
    """The second index of a kind may differ from the first."""
    one, owner, two = INDICES.arbitrary(("slot", "owner", "slot"))
    assert not one[0].eq(two[0])  # type: ignore[attr-defined]
    assert owner[0].size() == 2  # type: ignore[attr-defined]


def test_an_assumed_sentence_is_one_of_the_index_that_is_put_in() -> None:
    """What is assumed at an index speaks of that index, plain or not, and of no placeholder; what is true is dropped."""
    s = fresh(Toy, OLD)
    (sentence,) = assumed(INDICES, ("slot",), lambda key: [s.taken[key], True, z3.BoolVal(True)])
    a = z3.BitVec("a", 4)
    assert sentence.at([(a,)]).eq(s.taken[a])  # type: ignore[attr-defined]
    assert sentence.at([(6,)]).eq(s.taken[6])  # type: ignore[attr-defined]


def test_a_goal_is_false_exactly_where_no_sentence_can_fail() -> None:
    """Sentences that hold by their form leave nothing to ask; one that may fail is asked for."""
    p: Any = z3.Bool("p")
    assert negated([(True, True), (p, p)]) is False
    assert z3.is_true(z3.simplify(negated([(True, True), (p, False)]) == p))


def test_illegal_indices_are_not_asked_about() -> None:
    """A sentence that only an index fails that there is not is no goal that can be met."""
    context = Context(INDICES, f"{OLD}.", (), (), (), ())
    at = INDICES.arbitrary(("owner",))
    solver = z3.Solver()
    solver.add(*context.question(at[0][0] == 3, ("owner",), at))
    assert solver.check() == z3.unsat
    solver = z3.Solver()
    solver.add(*context.question(at[0][0] == 2, ("owner",), at))
    assert solver.check() == z3.sat
