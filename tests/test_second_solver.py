"""Every answer that a verdict rests on, asked again of another solver from the text that is kept of the question."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import z3

from model.generation import GENERATIONS
from proofs.generations import october_2012
from proofs.model import claims, prove
from properties.property import At
from vgicheck.engine.solve import second_opinion, smtlib
from vgicheck.engine.values import and_, fresh, lt, not_
from vgicheck.engine.verdict import Obligation, Verdict
from vgicheck.review.patch import read_patch
from vgicheck.review.review import review

ROOT = Path(__file__).resolve().parents[1]
GOOD = ROOT / "examples" / "good-vgic-init.patch"
TIMEOUT = 300.0
"""Seconds for one question; the slowest takes Bitwuzla about 10 on an idle core."""

CLAIMS = {f"{t.name}/{p.id}": (t, p) for t, p in claims()}
SAMPLE = (
    "vgic_maintenance_handler/underflow-clears-uie",
    "vgic_maintenance_handler/uie-kept-without-underflow",
    "kvm_vgic_vcpu_init/vcpu-init-clean",
    "kvm_vgic_hyp_init/hyp-init-unwinds",
    "kvm_vgic_init/vm-address-parameterised",
    "lr_codec/lr-codec",
)
"""What a third solver is asked as well."""

KEPT: dict[str, z3.AstVector] = {}
"""What was read, kept alive so that the numbers of terms stay theirs."""

bitwuzla = pytest.mark.skipif(importlib.util.find_spec("bitwuzla") is None, reason="bitwuzla is not installed")
cvc5 = pytest.mark.skipif(importlib.util.find_spec("cvc5") is None, reason="cvc5 is not installed")


def confirmed(obligation: Obligation, solver: str) -> None:
    """Compare each recorded answer with another solver's; a refutation rests on its last question, a proof on all."""
    answers = [query.answer for query in obligation.queries]
    assert answers, "a verdict without a question"
    wanted = ["unsat"] * len(answers)
    if obligation.verdict is Verdict.REFUTED:
        wanted[-1] = "sat"
    assert answers == wanted
    assert [second_opinion(solver, query.smtlib, TIMEOUT) for query in obligation.queries] == wanted


@bitwuzla
@pytest.mark.slow
@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("name", CLAIMS)
def test_model(name: str, generation: str) -> None:
    """Bitwuzla gives every question of `vgicheck prove` the answer that Z3 gave."""
    obligation = prove(CLAIMS[name], GENERATIONS[generation], TIMEOUT, True)
    assert obligation.verdict in (Verdict.PROVED, Verdict.REFUTED)
    confirmed(obligation, "bitwuzla")


@cvc5
@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("name", SAMPLE)
def test_model_third(name: str, generation: str) -> None:
    """On a sample cvc5 answers the same."""
    confirmed(prove(CLAIMS[name], GENERATIONS[generation], TIMEOUT, True), "cvc5")


@bitwuzla
@pytest.mark.slow
def test_review() -> None:
    """Bitwuzla confirms every proof and every refutation in the review of an example patch, for each size."""
    patch = read_patch(GOOD.read_bytes(), GOOD.name)
    found = review(patch, october_2012(TIMEOUT, keep_queries=True), TIMEOUT, 1, lambda what: None)
    asked = [o for o in found.obligations if o.verdict in (Verdict.PROVED, Verdict.REFUTED) and o.queries]
    assert asked
    for obligation in asked:
        answers = [query.answer for query in obligation.queries]
        assert [second_opinion("bitwuzla", q.smtlib, TIMEOUT) for q in obligation.queries] == answers, obligation.id
        assert obligation.verdict is Verdict.REFUTED or set(answers) == {"unsat"}


@pytest.mark.parametrize("name", CLAIMS)
def test_text_is_the_question(name: str) -> None:
    """The text that is kept is the whole question: a part's negation, alone or with all that is assumed, unsplit.

    A proof keeps one for each part, in their order.
    """
    transition, prop = CLAIMS[name]
    switches = GENERATIONS["reference"]
    old, at = fresh(transition.state, "old"), fresh(At, "at")
    start = transition.step(old, switches) if prop.repeated else old
    parts = prop.formula(start, transition.step(start, switches), at)
    assumptions = [lt(at.intid, 1020), *(fact for fact, _ in transition.assume(old))]
    goals = {str(n): and_(part.premise, not_(part.conclusion)) for n, part in enumerate(parts)}

    obligation = prove((transition, prop), switches, TIMEOUT, True)
    assert obligation.verdict is Verdict.PROVED
    assert [query.name for query in obligation.queries] == list(goals)
    for query in obligation.queries:
        goal = goals[query.name]
        assert read(query.smtlib) in (read(smtlib([goal])), read(smtlib([goal, *assumptions])))


def read(text: str) -> list[int]:
    """Return the assertions of a question, each as the number that Z3 gives to a term however it is written."""
    return [assertion.get_id() for assertion in KEPT.setdefault(text, z3.parse_smt2_string(text))]


@pytest.mark.parametrize("solver", ["bitwuzla", "cvc5"])
@pytest.mark.parametrize(("text", "answer"), [("(assert (= x #b1))", "sat"), ("(assert (= x (bvnot x)))", "unsat")])
def test_both_answers(solver: str, text: str, answer: str) -> None:
    """The other solvers can say both `sat` and `unsat`."""
    pytest.importorskip(solver)
    question = f"(set-logic QF_UFBV)\n(declare-const x (_ BitVec 1))\n{text}\n(check-sat)\n"
    assert second_opinion(solver, question, TIMEOUT) == answer


def test_unknown_solver() -> None:
    """A solver that is not known is refused by name."""
    with pytest.raises(ValueError, match="no solver called yices"):
        second_opinion("yices", "(check-sat)", 1.0)
