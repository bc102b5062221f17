"""From parts to a verdict."""

from __future__ import annotations

from dataclasses import dataclass

import z3

from vgicheck.engine.cache import digest_of
from vgicheck.engine.judge import Witnesses, judge
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Verdict

A, B = z3.BitVecs("a b", 32)
FIVE = Portfolio(5)


@dataclass(frozen=True, slots=True)
class Part:
    """One sentence of a property."""

    sentence: str
    premise: bool
    conclusion: bool


def hard() -> z3.BoolRef:
    """A claim that no solver settles in a moment: a product of two primes has no factors."""
    x, y = z3.BitVecs("x y", 128)
    product = z3.ZeroExt(128, x) * z3.ZeroExt(128, y)
    return z3.Not(
        z3.And(
            product == 285455174432387868501728053561370243 * 152841877276227882569623443274511711,
            z3.UGT(x, 1),
            z3.UGT(y, 1),
        )
    )


HOLDS = Part("smaller stays smaller", z3.ULT(A, 5), z3.ULT(A, 6))
FAILS = Part("nothing is seven", z3.ULT(A, 9), A != 7)


def test_what_always_holds_is_proved() -> None:
    """Parts whose conclusions follow from possible premises are proved."""
    assert judge([HOLDS, Part("plain", True, True)], [], FIVE).verdict is Verdict.PROVED


def test_what_can_fail_is_refuted_with_a_model() -> None:
    """A part that fails somewhere is refuted, by its number and sentence, with a state in which it fails."""
    finding = judge([HOLDS, FAILS], [], FIVE)
    assert (finding.verdict, finding.part, finding.reason) == (Verdict.REFUTED, 1, "nothing is seven")
    assert finding.model.eval(A).as_long() == 7


def test_assumptions_count() -> None:
    """What fails only where an assumption is broken is proved under it, and models keep to the assumptions."""
    assert judge([FAILS], [z3.ULT(A, 7)], FIVE).verdict is Verdict.PROVED
    finding = judge([FAILS], [B == A + 1, True], FIVE)
    assert finding.model.eval(B).as_long() == 8


def test_a_limit_that_is_reached_is_unknown() -> None:
    """A part without an answer in time makes the verdict unknown, unless another part is refuted."""
    finding = judge([HOLDS, Part("hard", True, hard())], [], Portfolio(0.2))
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.reason.startswith("hard: ")
    assert judge([Part("hard", True, hard()), FAILS], [], Portfolio(0.2)).verdict is Verdict.REFUTED


def test_a_premise_that_nothing_satisfies_is_vacuous() -> None:
    """A part that speaks of no state shows nothing, be its premise impossible or excluded by assumptions."""
    impossible = Part("never", z3.And(A == 1, A == 2), B == 3)
    assert judge([HOLDS, impossible], [], FIVE).verdict is Verdict.VACUOUS
    assert judge([HOLDS], [z3.UGT(A, 10)], FIVE).verdict is Verdict.VACUOUS
    assert judge([Part("no", False, False)], [], FIVE).verdict is Verdict.VACUOUS


def test_contradictory_assumptions_prove_nothing() -> None:
    """Under assumptions that contradict each other even a part that is claimed everywhere is vacuous."""
    assert judge([Part("plain", True, z3.ULE(A, B))], [A == 1, A == 2], FIVE).verdict is Verdict.VACUOUS


def test_witnesses_are_shared_and_still_right() -> None:
    """Witnesses found for one obligation serve the next, and do not make an impossible premise possible."""
    witnesses = Witnesses()
    assert judge([HOLDS], [], FIVE, witnesses=witnesses).verdict is Verdict.PROVED
    assert (
        judge([Part("never", z3.And(A == 1, A == 2), B == 3)], [], FIVE, witnesses=witnesses).verdict is Verdict.VACUOUS
    )


def test_preferences_choose_among_refutations() -> None:
    """Of the states in which a part fails, one is shown that meets the preferences that can be met, in order."""
    part = Part("small", z3.ULT(A, 1000), z3.ULT(A, 100))
    wishes = [z3.UGT(A, 5000), A == 123, A == 124, True, False]
    assert judge([part], [], FIVE, prefer=wishes).model.eval(A).as_long() == 123


def test_queries_are_what_the_verdict_rests_on() -> None:
    """A proof names its questions, each part's and the witnesses', and their texts where those are to be kept."""
    parts = [HOLDS, Part("other", HOLDS.premise, z3.ULE(A, A | 8))]
    finding = judge(parts, [], Portfolio(5, keep=True))
    assert finding.verdict is Verdict.PROVED
    assert [(q.name, q.answer) for q in finding.queries] == [("0", "unsat"), ("1", "unsat"), ("witness-0", "sat")]
    assert all("(check-sat)" in q.smtlib and digest_of(q.smtlib) == q.digest for q in finding.queries)
    assert [q.digest for q in judge(parts, [], FIVE).queries] == [q.digest for q in finding.queries]
    assert all(q.smtlib == "" for q in judge(parts, [], FIVE).queries)


def test_nothing_claimed_is_vacuous() -> None:
    """An obligation without parts is no proof."""
    assert judge([], [], FIVE).verdict is Verdict.VACUOUS


def test_a_witness_that_is_not_found_in_time_is_unknown() -> None:
    """Where no solver knows whether anything satisfies a premise, the verdict is unknown, not vacuous."""
    finding = judge([Part("hard", z3.Not(hard()), True)], [], Portfolio(0.2))
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.reason.startswith("hard: whether anything satisfies the premise: no answer within 0.2 s")
