"""The explorer and the second engine agree on every question that both decide, and a fault in either is noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import z3

from model.generation import GENERATIONS
from proofs import runs, second
from proofs.arguments import ARGUMENTS
from proofs.delivery import DELIVERED
from proofs.instances import AT, INSTANCE, system
from proofs.overlap import FUNCTION
from proofs.premise import Premise, Terms
from proofs.races import Scope, between_tasks, cause_tasks, judged
from proofs.runs import failing
from proofs.second import METHOD, SOLVERS, confirmed, missing, opinion
from vgicheck.engine.pdr import Decided, decide, installed
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.system import System, Transition
from vgicheck.engine.verdict import Obligation, Verdict

pytestmark = pytest.mark.skipif(not installed(), reason="berkeley-abc is not installed")
PORTFOLIO = Portfolio(60.0)
ONE = INSTANCE["a level interrupt, one vCPU"]
NAME = "level-not-lost"
OCTOBER, REFERENCE = GENERATIONS["2012-10"], GENERATIONS["reference"]
CHEAP = (("kick-before-entry", "v3.9"), ("wfi-check", "reference"))
BOTH = [
    pytest.param(*asked, marks=[] if asked in CHEAP else [pytest.mark.slow])
    for name, argument in ARGUMENTS.items()
    for asked in ((name, argument.generation), (name, "reference"))
]


@pytest.mark.parametrize(("name", "generation"), BOTH)
def test_they_agree(name: str, generation: str) -> None:
    """Premise, following and conclusion of an argument have one verdict; a run of either breaks it in plain Python."""
    argument, switches = ARGUMENTS[name], GENERATIONS[generation]
    premise, granted = argument.premise, argument.granted
    found = judged(replace(argument, delivers=False), switches, argument.sizes)
    asked = ((premise.id, Terms((premise,), granted)), (argument.conclusion, Terms((), (*granted, premise))),
             (argument.conclusion, Terms((), granted)))  # fmt: skip
    decided = 0
    for o, (condition, terms) in zip(found, asked, strict=True):
        opinions = [opinion(condition, size, switches, terms, PORTFOLIO) for size in argument.sizes]
        verdicts = {a.verdict for a in opinions}
        agreed = {Verdict.REFUTED} if o.verdict is Verdict.REFUTED else {Verdict.PROVED}
        assert verdicts == agreed, (o.property, o.verdict, opinions)
        for size, a in zip(argument.sizes, opinions, strict=True):
            assert all(q.answer == "unsat" for q in a.queries) and (a.broken is None) is bool(a.queries)
            if a.broken is not None and o.run is not None:
                assert failing(condition, size, switches, a.broken.made, terms) is not None
                assert len(a.broken.made) >= len(o.run.turns)
        decided += len(opinions)
    assert decided >= 3


def test_a_proof_names_both() -> None:
    """With a second engine what is proved says how, by whom, and on which questions; what is not judged is unknown."""
    argument = ARGUMENTS["handler-in-time"]
    of_reference = list(judged(argument, GENERATIONS["reference"], argument.sizes, second=PORTFOLIO))
    conclusion, delivered = of_reference[2:]
    assert conclusion.verdict is Verdict.PROVED and conclusion.method.endswith(METHOD)
    assert conclusion.solvers == SOLVERS and len(conclusion.queries) == 3
    assert (delivered.property, delivered.verdict) == (DELIVERED, Verdict.UNKNOWN) and "in the end" in delivered.reason


def test_a_step_that_breaks_it() -> None:
    """Asked of one step at a time, it refutes what that step breaks, and proves what another does not."""
    terms = Terms(apart=True)
    for step, verdict in (("flush_end", Verdict.REFUTED), ("flush_irq", Verdict.PROVED)):
        found = opinion(f"{NAME}{AT}{step}", ONE, OCTOBER, terms, PORTFOLIO)
        assert found.verdict is verdict
        assert found.broken is None or found.broken.made[-1][0] == step


@pytest.mark.slow
def test_other_questions() -> None:
    """Every cause of a broken conclusion, and two functions that overlap, have the same verdicts from both engines."""
    one, two = FUNCTION["vgic_maintenance_handler"], FUNCTION["vgic_queue_irq"]
    for both in (False, True):
        scope = Scope("", (ONE,), second=PORTFOLIO if both else None)
        asked = [*cause_tasks([ARGUMENTS["comment-same-vcpu"]], scope)]
        asked += between_tasks(one, two, (NAME, "lr-unique"), replace(scope, generation="reference"))
        found = [o for task in asked for o in task.run()]
        verdicts = [o.verdict for o in found]
        assert [o.property for o in found if o.verdict is Verdict.REFUTED] == [
            f"{NAME}{AT}flush_end",
            f"{NAME}{AT}irq_lr",
        ]
        assert set(verdicts) == {Verdict.PROVED, Verdict.REFUTED}
        assert all(o.solvers == (SOLVERS if both else ()) for o in found if o.verdict is Verdict.PROVED)


def test_what_is_not_asked() -> None:
    """A name of which a machine is asked nothing is refused; of a step that it does not have nothing fails."""
    strange = ("no-such-property", f"{NAME}{AT}irq_lr"), (f"{NAME}{AT}", f"{NAME}{AT}no_such_step", f"no-such{AT}mmio")
    for name, terms in [(n, Terms(apart=bool(apart))) for apart, names in enumerate(strange) for n in names]:
        with pytest.raises(ValueError, match="nothing of this name"):
            opinion(name, ONE, OCTOBER, terms, PORTFOLIO)
    never = Premise("never", "nothing is stored", ("mmio",), lambda *_, **__: False)
    assert opinion("never", ONE, OCTOBER, Terms((never,)), PORTFOLIO).verdict is Verdict.PROVED


# Planted faults ------------------------------------------------------------------------------------


def faulty(found: System, step: str, **fault: Any) -> System:
    """Return a system with a fault in one step."""

    def spoilt(t: Transition) -> Transition:
        return replace(t, **fault) if t.label.startswith(f"{step}(") else t

    assert any(t.label.startswith(f"{step}(") for t in found.transitions)
    return replace(found, transitions=[spoilt(t) for t in found.transitions])


def proof() -> Obligation:
    """Return what the explorer says of the machine, which must be a proof."""
    seen = runs.search(ONE, OCTOBER, [NAME])
    assert seen.exploration.exhaustive and not seen.broken
    return Obligation(NAME, "planted", Verdict.PROVED, "every state")


def test_a_fault_of_the_explorer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the explorer never makes the handler's step it says proved; the second engine has the run that it missed."""

    def without_handler(*given: Any) -> Any:
        found, steps = system(*given)
        return faulty(found, "irq_lr", guard=z3.BoolVal(False)), steps

    monkeypatch.setattr(runs, "system", without_handler)
    o = confirmed(proof(), NAME, [ONE], OCTOBER, Terms(), PORTFOLIO)
    assert o.verdict is Verdict.REFUTED and "explorer has missed" in o.reason
    assert o.run is not None and o.run.turns[-1].step in ("irq_lr", "flush_end")


@pytest.mark.parametrize(
    ("fault", "switches", "reason"),
    [
        ({"guard": z3.BoolVal(False)}, OCTOBER, "Z3 does not accept its invariant"),
        ({"updates": {}}, OCTOBER, "Z3 does not accept its invariant"),
        ({"guard": z3.BoolVal(True)}, REFERENCE, "does not replay"),
    ],
)
def test_a_fault_of_the_second_engine(
    monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], switches: Any, reason: str
) -> None:
    """Where ABC is given another machine than the model, what it says is not believed, and nothing is proved."""
    step = "irq_lr" if switches is OCTOBER else "flush_end"
    monkeypatch.setattr(second, "decide", lambda asked, limit: decide(faulty(asked, step, **fault), limit))
    o = confirmed(Obligation(NAME, "planted", Verdict.PROVED, "every state"), NAME, [ONE], switches, Terms(), PORTFOLIO)
    assert o.verdict is Verdict.UNKNOWN and reason in o.reason and ONE.name in o.reason


def test_other_verdicts_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refuted, or vacuous, is not asked of the second engine."""
    monkeypatch.setattr(second, "decide", lambda *_: pytest.fail("it was asked"))
    for verdict in (Verdict.VACUOUS, Verdict.REFUTED):
        o = Obligation(NAME, "planted", verdict)
        assert confirmed(o, NAME, [ONE], OCTOBER, Terms(), PORTFOLIO) is o


def test_a_limit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ABC has no answer nothing is proved, and the machine and the reason are named."""
    monkeypatch.setattr(second, "decide", lambda asked, limit: Decided(limit, reason="no answer within 1 s"))
    o = Obligation(NAME, "planted", Verdict.PROVED, "every state")
    found = confirmed(o, NAME, [ONE], REFERENCE, Terms(), Portfolio(1.0))
    assert found.verdict is Verdict.UNKNOWN
    assert found.reason == f"{ONE.name}: the explorer says proved, and no answer within 1 s"


def test_a_limit_of_the_explorer() -> None:
    """Where the explorer came to its limit a proof of the second engine's is told, and is none; a run of it is one."""
    cut = Obligation(NAME, "planted", Verdict.UNKNOWN, reason="a limit")
    found = confirmed(cut, NAME, [ONE], OCTOBER, Terms(), PORTFOLIO)
    assert found.verdict is Verdict.REFUTED and found.reason.endswith("the explorer did not come to it")
    o = confirmed(cut, NAME, [ONE], REFERENCE, Terms(), PORTFOLIO)
    assert (o.verdict, o.reason) == (Verdict.UNKNOWN, "a limit; an inductive invariant proves it, alone")


def test_an_unknown_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither engine has an answer the first reason stays."""
    monkeypatch.setattr(second, "decide", lambda asked, limit: Decided(limit, reason="no answer within 1 s"))
    cut = Obligation(NAME, "planted", Verdict.UNKNOWN, reason="a limit")
    assert confirmed(cut, NAME, [ONE], REFERENCE, Terms(), PORTFOLIO) is cut


def test_nothing_is_missing() -> None:
    """Where ABC is installed nothing keeps the second engine from being asked."""
    assert missing() == ""
