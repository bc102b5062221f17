"""Mutants of the machine: each of its properties and lemmas has a fault that it notices, by proof and by a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.generation import REFERENCE
from model.vm import pending
from mutation.exchange import exchanged, faulty, text_of
from mutation.machine_campaign import faults_of
from mutation.machine_faults import INTERRUPTED, KILLERS, LEVEL, NARROW, PLANTED, ROOM, SGI, SGIS, Planted
from mutation.mutant import Mutant
from proofs.instances import INSTANCE, Size
from proofs.machine import FOLLOWING, Induction
from proofs.runs import search
from proofs.weaken import ALL
from proofs.whole import IDS, goals
from vgicheck.engine.solve import ask
from vgicheck.engine.verdict import Verdict

TIMEOUT = 60.0


def kept(fault: Planted, name: str) -> bool:
    """Say whether the induction shows a claim at the stage of a fault."""
    listed = goals(Induction(fault.switches, ALL), fault.stage)
    asked = [assertions for goal in listed if goal.claim.id == name and (assertions := goal.assertions)]
    answers = {ask(assertions, TIMEOUT).result for assertions in asked}
    assert answers <= {"sat", "unsat"}
    return "sat" not in answers


def test_every_claim_has_a_killer():
    """Each property and lemma has a fault, and only what follows from the others fails by their failing."""
    assert KILLERS.keys() == set(IDS)
    assert {name for name, fault in KILLERS.items() if fault.instead} <= {i.id for i in FOLLOWING}


@pytest.mark.parametrize(("name", "fault"), PLANTED, ids=lambda x: x if isinstance(x, str) else x.stage)
def test_killer(name: str, fault: Planted):
    """With the fault the step that has it does not keep the claim any more; without it does."""
    claim = fault.instead or name
    assert kept(fault, claim)
    with exchanged(fault.module, fault.text):
        assert not kept(fault, claim)


@pytest.mark.parametrize(("name", "fault"), PLANTED, ids=lambda x: x if isinstance(x, str) else x.stage)
def test_run(name: str, fault: Planted):
    """With the fault a run of a small instance breaks the claim, in plain Python too."""
    assert fault.breaks(name)


@pytest.mark.parametrize("size", [ROOM, SGI, SGIS], ids=lambda s: str(s.name))
def test_no_run_without_a_fault(size: Size):
    """The reference breaks nothing in the instances that are only in this file."""
    assert search(size, REFERENCE, IDS).broken == {}


def test_no_run_of_the_interrupted_machine():
    """The reference with its maintenance interrupt back waits for no lock that the interrupted thread holds."""
    assert search(INSTANCE[LEVEL], INTERRUPTED, ["lock-irq-safe"]).broken == {}


def test_exchange_is_undone():
    """After the exchange of a function, or one that fails, everything is as it was."""
    fault = KILLERS["edge-once"]
    code = pending.__code__
    with exchanged("model.vm", fault.text):
        assert pending.__code__ is not code
    assert pending.__code__ is code
    with pytest.raises(ZeroDivisionError), exchanged("model.vm", fault.text + "\n1 / 0\n"):
        pass
    assert pending.__code__ is code


@pytest.mark.parametrize("fault", NARROW, ids=lambda f: f"{f[0]} {f[2][:30]}")
def test_narrow_fault(fault: tuple[str, str, str, str]):
    """A sentence notices each fault that shows only where a sentence leaves nothing out, and not what is sound."""
    module, old, new, stage = fault
    text = text_of(module)
    found = faults_of(module, Mutant("planted", 0, f"{old} -> {new}", faulty(text, old, new)), stage)
    assert found and all(f.noticed() is Verdict.REFUTED for f in found[:1])
    assert all(replace(f, mutant=replace(f.mutant, source=text)).noticed() is Verdict.PROVED for f in found[:1])
