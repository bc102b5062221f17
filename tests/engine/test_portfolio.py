"""Who is asked, what is remembered, and what a second solver can overturn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import z3

from vgicheck.engine import portfolio as module
from vgicheck.engine.cache import Cache, digest_of
from vgicheck.engine.judge import judge
from vgicheck.engine.portfolio import Inquiry, Portfolio
from vgicheck.engine.solve import smtlib
from vgicheck.engine.verdict import Verdict

from .test_judge import FAILS, HOLDS, Part, hard

A, B = z3.BitVecs("a b", 32)
GOAL = z3.And(z3.ULT(A, B), z3.ULT(B, A))


def never(*args: Any, **kwargs: Any) -> Any:
    """A solver that must not be asked."""
    raise AssertionError("asked")


def test_an_answer_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that was answered is answered from the cache by another process's portfolio, and says so."""
    inquiry = Inquiry(Portfolio(10, cache=Cache(tmp_path)))
    first = [inquiry.impossible("0", GOAL, [A == 1]), inquiry.possible("w", [A == 1, B == 2])]
    monkeypatch.setattr(module, "ask", never)
    again = Inquiry(Portfolio(10, cache=Cache(tmp_path)))
    second = [again.impossible("0", GOAL, [A == 1]), again.possible("w", [A == 1, B == 2])]
    assert [a.result for a in first] == [a.result for a in second] == ["unsat", "sat"]
    assert [a.query.digest for a in first] == [a.query.digest for a in second]
    assert [a.query.cached for a in first + second] == [False, False, True, True]


def test_a_refutation_from_the_cache_has_a_model(tmp_path: Path) -> None:
    """A remembered `sat` gives the same refutation, whose model is looked for again."""
    findings = [judge([HOLDS, FAILS], [B == 3], Portfolio(10, cache=Cache(tmp_path))) for _ in range(2)]
    assert [f.verdict for f in findings] == [Verdict.REFUTED] * 2
    assert [f.model.eval(A).as_long() for f in findings] == [7, 7]
    assert [f.cached for f in findings] == [False, True]


def test_a_false_sat_refutes_nothing(tmp_path: Path) -> None:
    """A remembered `sat` of which no model can be found makes the verdict unknown."""
    cache = Cache(tmp_path)
    finding = judge([HOLDS], [], Portfolio(10, keep=True))
    cache.keep_answer("z3", finding.queries[0].smtlib, "sat")
    finding = judge([HOLDS], [], Portfolio(10, cache=cache))
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.reason == f"{HOLDS.sentence}: it can fail, but no model within 10 s shows how"


def test_unknown_is_not_remembered(tmp_path: Path) -> None:
    """A question that a short limit left open is asked again, and leaves nothing on disk."""
    for _ in range(2):
        asked = Inquiry(Portfolio(0.05, cache=Cache(tmp_path))).impossible("0", z3.Not(hard()), [])
        assert (asked.result, asked.query.cached) == ("unknown", False)
        assert asked.reason.startswith("no answer within 0.05 s")
    assert not list(tmp_path.glob("answers/*/*"))


def test_another_question_is_another_answer(tmp_path: Path) -> None:
    """A change of a number, a name or an assumption misses the cache."""
    cache = Cache(tmp_path)
    Inquiry(Portfolio(10, cache=cache)).impossible("0", z3.And(A == 1, B == 2), [z3.ULT(B, A)])
    for goal, facts in (
        (z3.And(A == 1, B == 0), [z3.ULT(B, A)]),
        (z3.And(A == 1, z3.BitVec("c", 32) == 2), [z3.ULT(B, A)]),
        (z3.And(A == 1, B == 2), [z3.ULT(A, B)]),
    ):
        asked = Inquiry(Portfolio(10, cache=cache)).impossible("0", goal, facts)
        assert (asked.result, asked.query.cached) == ("sat", False)


@pytest.mark.parametrize("keep", [False, True])
def test_the_text_is_that_of_the_question(tmp_path: Path, keep: bool) -> None:
    """A question that needs no assumption is known by its goal's text, another by the whole; it is kept on request."""
    inquiry = Inquiry(Portfolio(10, cache=Cache(tmp_path), keep=keep))
    needs = z3.And(A == 1, B == 2)
    for goal, facts, asserted in ((GOAL, [A == 1], [GOAL]), (needs, [z3.ULT(B, A)], [needs, z3.ULT(B, A)])):
        query = inquiry.impossible("0", goal, facts).query
        text = Cache(tmp_path).text("z3", query.digest)
        assert text is not None and digest_of(text) == query.digest
        assert query.smtlib == (text if keep else "")
        assert [a.eq(b) for a, b in zip(z3.parse_smt2_string(text), asserted, strict=True)] == [True] * len(asserted)


def test_the_text_does_not_depend_on_what_else_there_is() -> None:
    """The same questions in the same order have the same texts, whatever terms were made before."""
    facts = [z3.ULT(A + B, 7), z3.Or(A + B == 3, z3.ULT(B, A))]

    def texts() -> list[str]:
        inquiry = Inquiry(Portfolio(10, keep=True))
        return [inquiry.impossible("0", goal, facts).query.smtlib for goal in (GOAL, A + B == 9, z3.ULT(B, A))]

    before = texts()
    others = [(A + B) * n for n in range(100)] + [z3.ULT(B, A), z3.ULT(A + B, 7)]
    assert texts() == before
    assert others


def test_two_solvers_agree() -> None:
    """With `two` a proof names two solvers of different families for every question."""
    pytest.importorskip("bitwuzla")
    finding = judge([HOLDS, Part("plain", True, True)], [z3.ULT(A, 9)], Portfolio(10, two=True))
    assert finding.verdict is Verdict.PROVED
    assert finding.solvers == ("z3", "bitwuzla")
    assert all(q.solvers == ("z3", "bitwuzla") for q in finding.queries)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"bitwuzla": "sat"}, "z3 says unsat and bitwuzla says sat"),
        (
            {"bitwuzla": "unknown", "cvc5": "unknown"},
            "z3 says unsat and bitwuzla has no answer within 10 s, cvc5 has no answer within 10 s",
        ),
        ({"bitwuzla": "could not be asked: no", "cvc5": "sat"},
         "z3 says unsat and bitwuzla could not be asked: no, cvc5 says sat"),
    ],
)  # fmt: skip
def test_what_is_not_confirmed_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str], reason: str
) -> None:
    """A solver that disagrees, or none that confirms, makes a proof unknown, in one line with their names."""
    monkeypatch.setattr(module, "second_opinion", lambda solver, text, timeout: answers[solver])
    monkeypatch.setattr(module, "version", lambda solver: "1")
    finding = judge([HOLDS], [], Portfolio(10, two=True, cache=Cache(tmp_path)))
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.reason == f"{HOLDS.sentence}: {reason}"


def test_a_third_solver_confirms_where_the_second_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the second solver has no answer, one of a third family may confirm."""
    answers = {"bitwuzla": "unknown", "cvc5": "unsat"}
    monkeypatch.setattr(module, "second_opinion", lambda solver, text, timeout: answers[solver])
    monkeypatch.setattr(module, "version", lambda solver: "1")
    assert Inquiry(Portfolio(10, two=True)).impossible("0", GOAL, []).query.solvers == ("z3", "cvc5")


def test_a_solver_that_is_not_installed_confirms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a second solver a question has no answer."""
    monkeypatch.setattr(module, "version", lambda solver: "")
    asked = Inquiry(Portfolio(10, two=True)).impossible("0", GOAL, [])
    assert asked.result == "unknown"
    assert asked.reason == "z3 says unsat and bitwuzla is not installed, cvc5 is not installed"


def test_a_contradiction_in_the_cache_is_seen(tmp_path: Path) -> None:
    """Where the cache has two solvers that contradict each other, `two` says so instead of believing one."""
    cache = Cache(tmp_path)
    Inquiry(Portfolio(10, cache=cache)).impossible("0", GOAL, [])
    cache.keep_answer("bitwuzla", smtlib([GOAL]), "sat")
    assert (
        Inquiry(Portfolio(10, two=True, cache=cache)).impossible("0", GOAL, []).reason
        == "z3 says unsat and bitwuzla says sat"
    )
