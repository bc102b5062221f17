"""Every answer that a verdict rests on, asked again of another solver from the text that is kept of the question."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import z3

from model.generation import GENERATIONS, Switches
from proofs.generations import october_2012
from proofs.model import Transition, claims, prove
from properties.property import At, Property
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.solve import second_opinion, smtlib
from vgicheck.engine.tasks import Runner
from vgicheck.engine.values import and_, fresh, lt, not_
from vgicheck.engine.verdict import Obligation, Verdict
from vgicheck.review.patch import read_patch
from vgicheck.review.review import review

ROOT = Path(__file__).resolve().parents[1]
GOOD = ROOT / "examples" / "good-vgic-init.patch"
TIMEOUT = 300.0
"""Seconds for one question; the slowest takes Bitwuzla about 2 on an idle core."""
TWO = Portfolio(TIMEOUT, two=True, keep=True)

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


def expected(obligation: Obligation) -> list[str]:
    """Return the answers on which a verdict rests: a refutation's last is `sat`, a proof has its witnesses last."""
    witnesses = sum(q.name.startswith("witness-") for q in obligation.queries)
    goals = len(obligation.queries) - witnesses
    if obligation.verdict is Verdict.REFUTED:
        assert witnesses == 0
        return ["unsat"] * (goals - 1) + ["sat"]
    assert witnesses > 0
    return ["unsat"] * goals + ["sat"] * witnesses


@bitwuzla
@pytest.mark.slow
@pytest.mark.parametrize("generation", ["2012-10"])
@pytest.mark.parametrize("name", CLAIMS)
def test_model(name: str, generation: str) -> None:
    """Two solvers agree on every question of `vgicheck prove`, and its text is the question."""
    switches = GENERATIONS[generation]
    obligation = prove(CLAIMS[name], switches, TWO)
    assert obligation.verdict in (Verdict.PROVED, Verdict.REFUTED)
    assert [q.answer for q in obligation.queries] == expected(obligation)
    for query in obligation.queries:
        if query.answer == "unsat" or obligation.verdict is Verdict.PROVED:
            assert query.solvers in (("z3", "bitwuzla"), ("bitwuzla", "z3"))
        else:
            assert second_opinion("bitwuzla", query.smtlib, TIMEOUT) == "sat"
    if obligation.verdict is Verdict.PROVED:
        text_is_the_question(obligation, *CLAIMS[name], switches)


def text_is_the_question(obligation: Obligation, transition: Transition, prop: Property, switches: Switches) -> None:
    """Compare texts with terms: a part's negation, alone or with all that is assumed, unsplit; then a premise.

    A proof keeps one for each part, in their order, and a witness for each premise that no state found before meets.
    """
    old, at = fresh(transition.state, "old"), fresh(At, "at")
    start = transition.step(old, switches) if prop.repeated else old
    parts = prop.formula(start, transition.step(start, switches), at)
    assumptions = [lt(at.intid, 1020), *(fact for fact, _ in transition.assume(old))]
    goals = {str(n): and_(part.premise, not_(part.conclusion)) for n, part in enumerate(parts)}
    premises = [read(smtlib([part.premise, *assumptions])) for part in parts]
    assert [q.name for q in obligation.queries if not q.name.startswith("witness-")] == list(goals)
    for query in obligation.queries:
        if query.name in goals:
            goal = goals[query.name]
            assert read(query.smtlib) in (read(smtlib([goal])), read(smtlib([goal, *assumptions])))
        else:
            assert read(query.smtlib) in premises


def read(text: str) -> list[int]:
    """Return the assertions of a question, each as the number that Z3 gives to a term however it is written."""
    return [assertion.get_id() for assertion in KEPT.setdefault(text, z3.parse_smt2_string(text))]


@cvc5
@pytest.mark.parametrize("generation", ["2012-10"])
@pytest.mark.parametrize("name", SAMPLE)
def test_model_third(name: str, generation: str) -> None:
    """On a sample cvc5 answers the same."""
    obligation = prove(CLAIMS[name], GENERATIONS[generation], Portfolio(TIMEOUT, keep=True))
    answers = [second_opinion("cvc5", query.smtlib, TIMEOUT) for query in obligation.queries]
    assert answers == expected(obligation) == [query.answer for query in obligation.queries]


@bitwuzla
@pytest.mark.slow
def test_review() -> None:
    """Bitwuzla confirms every proof and every refutation in the review of an example patch, for the smallest size."""
    patch = read_patch(GOOD.read_bytes(), GOOD.name)
    kernel = october_2012()
    found = review(patch, replace(kernel, sizes=kernel.sizes[:1]), Runner(Portfolio(TIMEOUT, keep=True)))
    asked = [o for o in found.obligations if o.verdict in (Verdict.PROVED, Verdict.REFUTED) and o.queries]
    assert asked
    for obligation in asked:
        answers = {query.answer for query in obligation.queries if "witness-" not in query.name}
        assert obligation.verdict is Verdict.REFUTED or answers == {"unsat"}
        for query in obligation.queries:
            assert second_opinion("bitwuzla", query.smtlib, TIMEOUT) == query.answer, obligation.id


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
