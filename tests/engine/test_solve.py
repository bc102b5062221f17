"""Questions to solvers: answers, limits, and the same question in text."""

from __future__ import annotations

import time

import pytest
import z3

from vgicheck.engine.solve import FAMILIES, Feasibility, ask, second_opinion, smtlib

A, B = z3.BitVecs("a b", 32)
P = z3.Bool("p")
SMALL = z3.BitVec("small", 3)


def hard(bits: int = 128) -> list[z3.BoolRef]:
    """The factors of a product of two primes, which no solver finds in a moment."""
    x, y = z3.BitVecs("x y", bits)
    wide = z3.ZeroExt(bits, x) * z3.ZeroExt(bits, y)
    return [
        wide == 285455174432387868501728053561370243 * 152841877276227882569623443274511711,
        z3.UGT(x, 1),
        z3.UGT(y, 1),
    ]


@pytest.mark.parametrize("split", [None, SMALL])
def test_answers_are_right(split: z3.BitVecRef | None) -> None:
    """A question with a solution is `sat` with a model of it, one without is `unsat`, in one piece and in several."""
    sat = ask([z3.UGT(A, z3.ZeroExt(29, SMALL)), A == 6, True], 10, split)
    assert sat.result == "sat"
    assert sat.model.eval(A).as_long() == 6
    assert sat.model.eval(SMALL, model_completion=True).as_long() < 6
    assert ask([z3.ULT(A, z3.ZeroExt(29, SMALL)), A == 7], 10, split).result == "unsat"
    assert ask([P, False], 10, split).result == "unsat"
    assert ask([True, True], 10).result == "sat"


def test_a_limit_that_is_reached_is_unknown() -> None:
    """A question that is too hard for its time limit is `unknown`, with a reason and in about that time."""
    start = time.monotonic()
    answer = ask(hard(), 0.2)
    assert (answer.result, answer.model) == ("unknown", None)
    assert answer.reason
    assert time.monotonic() - start < 10


def test_a_split_question_keeps_to_its_limit() -> None:
    """The limit is that of all the pieces together."""
    start = time.monotonic()
    facts = [z3.And(z3.ULT(SMALL, 8), hard()[0]), *hard()[1:]]
    assert ask(facts, 0.3, SMALL).result in ("unknown", "unsat")
    assert time.monotonic() - start < 10


def test_feasibility_grows_with_assumptions() -> None:
    """A condition is feasible unless the assumptions made so far exclude it; not knowing counts as feasible."""
    feasible = Feasibility(50_000)
    assert feasible(A == 70)
    feasible.assume(z3.ULE(A, 64))
    feasible.assume(True)
    assert not feasible(A == 71)
    assert feasible(A == 64)
    assert (feasible(True), feasible(False)) == (True, False)
    assert feasible(z3.And(*hard()))


QUESTIONS = {
    "sat": ([z3.ULT(A, B), A > 0, P, True], "sat"),
    "unsat": ([z3.ULT(A, B), z3.ULT(B, A)], "unsat"),
    "false": ([P, False], "unsat"),
    "functions": ([z3.Function("f", z3.BitVecSort(8), z3.BitVecSort(4))(z3.Extract(7, 0, A)) == 3, A == B], "sat"),
    "functions, unsat": (
        [
            z3.Function("f", z3.BitVecSort(32), z3.BoolSort())(A),
            z3.Not(z3.Function("f", z3.BitVecSort(32), z3.BoolSort())(B)),
            A == B,
        ],
        "unsat",
    ),
    "odd names": ([z3.BitVec("s.rest[](3, 1)", 8) == 4, z3.Bool('table#2 "x != NULL')], "sat"),
    "division": ([z3.UDiv(A, B) > z3.URem(A, B), A / B == 3, z3.SRem(A, B) == 1, z3.LShR(A, B) == A >> B], None),
}


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("solver", FAMILIES)
def test_the_text_is_the_same_question(name: str, solver: str) -> None:
    """Solvers of other families answer the text of a question as Z3 answers the question."""
    pytest.importorskip(solver)
    question, expected = QUESTIONS[name]
    ours = ask(question, 20).result
    assert expected in (None, ours)
    assert second_opinion(solver, smtlib(question), 20) == ours


@pytest.mark.parametrize("solver", FAMILIES)
def test_a_second_opinion_keeps_to_its_limit(solver: str) -> None:
    """A second solver that has no answer in its time says `unknown`."""
    pytest.importorskip(solver)
    start = time.monotonic()
    assert second_opinion(solver, smtlib(hard()), 0.2) == "unknown"
    assert time.monotonic() - start < 10


def test_a_solver_that_is_not_known_is_refused() -> None:
    """An unknown solver's name is refused with the names that are known."""
    with pytest.raises(ValueError, match="z3, bitwuzla, cvc5"):
        second_opinion("yices", "", 1)
