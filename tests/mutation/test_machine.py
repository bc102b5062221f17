"""Mutants of the machine: each of its properties and lemmas has a fault that it notices, by proof and by a run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from model.generation import REFERENCE, Switches
from model.vm import pending
from mutation.exchange import exchanged, text_of
from proofs.instances import SELF, SMALL, Size
from proofs.machine import FOLLOWING, Induction
from proofs.runs import search
from proofs.weaken import ALL
from proofs.whole import IDS, goals
from vgicheck.engine.solve import ask

TIMEOUT = 60.0
SIZES = {size.name: size for size in SMALL}
LEVEL, EDGE = "a level interrupt, one vCPU", "an edge, one vCPU"
TWO, MOVES, ANEW = (
    "two level interrupts, one list register",
    "a level interrupt that moves, two vCPUs",
    "an interrupt that the guest sets anew",
)
ROOM = Size("a level interrupt, two list registers", 1, 1, 2, ((34, 0),))
SGI = Size("an SGI and a level interrupt, one list register", 1, 1, 1, ((1, 0), (34, 0)), (), (SELF,))
INTERRUPTED = replace(REFERENCE, exit_turns_off=False, irq_locks=True)
"""The reference with the maintenance interrupt as it was: in the reference no interrupt comes outside the guest."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in the text of a module of the machine: `old`, which stands there once, becomes `new`.

    stage     where the induction fails because of it
    instance  in which a run breaks the property
    instead   the claim that fails in the induction, where that is not the property itself
    """

    module: str
    old: str
    new: str
    stage: str
    instance: str | Size
    instead: str = ""
    switches: Switches = REFERENCE

    @property
    def text(self) -> str:
        original = text_of(f"model.{self.module}")
        assert original.count(self.old) == 1, self.old
        return original.replace(self.old, self.new)

    @property
    def size(self) -> Size:
        return SIZES[self.instance] if isinstance(self.instance, str) else self.instance


THREAD = "holder=concat((0, 1), (vcpu, 3)))\n\n\ndef unlock"
LEFT = "put(s.cpu, cpu, hcr=HCR_OFF) if switches.exit_turns_off else s.cpu"
ENDED = "ite(both, LRState.PENDING, LRState.INVALID, width=2)"
FREED = "put(put(new.shadow, (vcpu, l), lr_used=False), mapping, lr_map=LR_EMPTY)"
PENDING = "return or_(vm.irq_state[key], level_high)"
MASKED = "(locked_by(s, vcpu) if switches.lock_irqs_off else False)"

KILLERS: dict[str, Fault] = {
    "sizes": Fault("machine", THREAD, THREAD.replace("(0, 1)", "(1, 1)"), "flush_begin", LEVEL),
    "threads": Fault("runloop", "Phase.GUEST)), not_(locked_by(s, vcpu)))", "Phase.GUEST)))", "vcpu_put", LEVEL),
    "cpus": Fault("runloop", LEFT, "s.cpu", "leave", LEVEL),
    "guest-registers": Fault("runloop", ENDED, "LRState.PENDING", "end_of_interrupt", LEVEL),
    "unused-empty": Fault("queueing", "cpuid=source, eoi=eoi)", "cpuid=source, eoi=True)", "flush_irq", SGI),
    "elrsr-empty": Fault("queueing", "elrsr=False", "elrsr=True", "flush_irq", LEVEL),
    "saved-status": Fault("runloop", "misr=nothing", "misr=shadow.misr[vcpu]", "sync_end", LEVEL),
    "oracle-in-use": Fault("runloop", 'domain.exists("in use", "lr", in_use), pend', "False, pend", "sync_end", LEVEL),
    "oracle-or-sync": Fault("queueing", "not_(overflow), pending_on", "True, pending_on", "flush_end", TWO),
    "flush-progress": Fault("queueing", "thread(new, vcpu, not_(queued), overflow=True)", "new", "flush_irq", TWO),
    "flush-missed": Fault("queueing", "not_(queued), missed=here", "not_(queued), missed=0", "flush_irq", TWO),
    "flush-full": Fault("queueing", "not_(queued), overflow=True", "overflow=True", "flush_irq", ROOM),
    "registers-sane": Fault("initial", "and_(lt(key[0], nr_vcpus), is_sgi(key[1]))", "False", "start", SGI),
    "latched-is-owed": Fault("injection", "rises, owed=True", "False, owed=True", "inject", EDGE),
    "level-not-lost": Fault("vm", PENDING, "return vm.irq_state[key]", "always", LEVEL),
    "lr-unique": Fault("queueing", ", not_(vm.irq_active[key]))", ")", "flush_irq", MOVES, "active-iff-in-service"),
    "lr-map-exact": Fault("runloop", FREED, "put(new.shadow, (vcpu, l), lr_used=False)", "sync_lr", LEVEL),
    "active-iff-in-service": Fault("runloop", "put(new.vm, key, unseen, irq_active=False)", "new.vm", "sync_lr", LEVEL),
    "oracle-sound": Fault("injection", "wanted, pending_on_cpu=True", "False, pending_on_cpu=True", "inject", LEVEL),
    "nobody-sleeps-on-pending": Fault(
        "runloop", "awake = s.vm.pending_on_cpu[vcpu]", "awake = False", "block", LEVEL, "registers-sane"
    ),
    "kick-not-lost": Fault("injection", "or_(kick[key], oracle[key])", "kick[key]", "inject", LEVEL),
    "edge-not-lost": Fault("injection", "rises, irq_state=True", "False, irq_state=True", "inject", EDGE),
    "sgi-not-lost": Fault("queueing", "and_(when, software), sgi_sources", "software, sgi_sources", "flush_irq", SGI),
    "lock-irq-safe": Fault("interrupt", MASKED, "False", "irq_enter", LEVEL, switches=INTERRUPTED),
    "disabled-not-delivered": Fault("queueing", "vm.irq_enabled[key], waits,", "waits,", "flush_irq", ANEW),
    "target-respected": Fault("queueing", "waits, targets(vm, vcpu, intid), ", "waits, ", "flush_irq", MOVES),
    "lowered-not-delivered": Fault(
        "vm", "and_(not_(vm.irq_cfg[key]), vm.irq_line[key])", "not_(vm.irq_cfg[key])", "flush_irq", LEVEL
    ),
    "edge-once": Fault("vm", PENDING, "return or_(vm.irq_state[key], vm.irq_line[key])", "flush_irq", EDGE),
    "overflow-sets-uie": Fault("queueing", "uie=overflow)", "uie=False)", "flush_end", TWO),
}
"""For each property and lemma of the machine a fault that breaks it."""


def kept(fault: Fault, name: str) -> bool:
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


@pytest.mark.parametrize("name", KILLERS)
def test_killer(name: str):
    """With the fault the step that has it does not keep the claim any more; without it does."""
    fault = KILLERS[name]
    claim = fault.instead or name
    assert kept(fault, claim)
    with exchanged(f"model.{fault.module}", fault.text):
        assert not kept(fault, claim)


@pytest.mark.parametrize("name", KILLERS)
def test_run(name: str):
    """With the fault a run of a small instance breaks the claim, in plain Python too."""
    fault = KILLERS[name]
    with exchanged(f"model.{fault.module}", fault.text):
        broken = search(fault.size, fault.switches, [name]).broken
    assert broken[name].property == name
    assert broken[name].sentence


@pytest.mark.parametrize("size", [ROOM, SGI], ids=lambda s: str(s.name))
def test_no_run_without_a_fault(size: Size):
    """The reference breaks nothing in the instances that are only in this file."""
    assert search(size, REFERENCE, IDS).broken == {}


def test_no_run_of_the_interrupted_machine():
    """The reference with its maintenance interrupt back waits for no lock that the interrupted thread holds."""
    assert search(SIZES[LEVEL], INTERRUPTED, ["lock-irq-safe"]).broken == {}


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
