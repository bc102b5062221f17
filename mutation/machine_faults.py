"""Faults planted in the machine, one at least for each of its properties and lemmas, with a run that each brings."""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.generation import REFERENCE, Switches
from proofs.instances import INSTANCE, SELF, Size
from proofs.runs import search

from .exchange import exchanged, faulty, text_of

LEVEL, EDGE = "a level interrupt, one vCPU", "an edge, one vCPU"
TWO, MOVES, ANEW = (
    "two level interrupts, one list register",
    "a level interrupt that moves, two vCPUs",
    "an interrupt that the guest sets anew",
)
ROOM = Size("a level interrupt, two list registers", 1, 1, 2, ((34, 0),))
SGI = Size("an SGI and a level interrupt, one list register", 1, 1, 1, ((1, 0), (34, 0)), (), (SELF,))
SGIS = Size("an SGI, two list registers", 1, 1, 2, ((1, 0),), (), (SELF,))
INTERRUPTED = replace(REFERENCE, exit_turns_off=False, irq_locks=True)
"""The reference with the maintenance interrupt as it was: in the reference no interrupt comes outside the guest."""


@dataclass(frozen=True, slots=True)
class Planted:
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
        """The text of the module with the fault."""
        return faulty(text_of(self.module), self.old, self.new)

    def breaks(self, name: str) -> bool:
        """Say whether a run of the instance breaks a claim, in plain Python too, with the fault in place."""
        with exchanged(self.module, self.text):
            return name in search(self.size, self.switches, [name]).broken

    @property
    def size(self) -> Size:
        """The instance."""
        return INSTANCE[self.instance] if isinstance(self.instance, str) else self.instance


THREAD = "holder=concat((0, 1), (vcpu, 3)))\n\n\ndef unlock"
LEFT = "put(s.cpu, cpu, hcr=HCR_OFF) if switches.exit_turns_off else s.cpu"
ENDED, STUCK = "_guest_lr(s, vcpu, l, ended(lr))", "_guest_lr(s, vcpu, l, replace(lr, state=1))"
FREED = "put(put(new.shadow, (vcpu, l), lr_used=False), mapping, lr_map=LR_EMPTY)"
PENDING = "return or_(vm.irq_state[key], level_high)"
MASKED = "(locked_by(s, vcpu) if switches.lock_irqs_off else False)"

KILLERS: dict[str, Planted] = {
    "sizes": Planted("model.machine", THREAD, THREAD.replace("(0, 1)", "(1, 1)"), "flush_begin", LEVEL),
    "threads": Planted(
        "model.runloop", "Phase.GUEST)), not_(locked_by(s, vcpu)))", "Phase.GUEST)))", "vcpu_put", LEVEL
    ),
    "cpus": Planted("model.runloop", LEFT, "s.cpu", "leave", LEVEL),
    "guest-registers": Planted("model.runloop", ENDED, STUCK, "end_of_interrupt", LEVEL),
    "unused-empty": Planted("model.queueing", "cpuid=source, eoi=eoi)", "cpuid=source, eoi=True)", "flush_irq", SGI),
    "elrsr-empty": Planted("model.queueing", "elrsr=False", "elrsr=True", "flush_irq", LEVEL),
    "saved-status": Planted("model.runloop", "misr=zeroed(Misr)", "misr=s.shadow.misr[vcpu]", "sync_end", LEVEL),
    "oracle-in-use": Planted(
        "model.runloop", 'looks = domain.exists("in use", "lr", in_use)', "looks = False", "sync_end", LEVEL
    ),
    "oracle-or-sync": Planted("model.queueing", "not_(overflow), pending_on", "True, pending_on", "flush_end", TWO),
    "flush-progress": Planted(
        "model.queueing", "thread(new, vcpu, not_(queued), overflow=True)", "new", "flush_irq", TWO
    ),
    "flush-missed": Planted("model.queueing", "not_(queued), missed=here", "not_(queued), missed=0", "flush_irq", TWO),
    "flush-full": Planted("model.queueing", "not_(queued), overflow=True", "overflow=True", "flush_irq", ROOM),
    "registers-sane": Planted("model.initial", "each(vcpu.irq_enabled)", "machine.vm.irq_enabled", "start", SGI),
    "latched-is-owed": Planted("model.injection", "rises, owed=True", "False, owed=True", "inject", EDGE),
    "level-not-lost": Planted("model.vm", PENDING, "return vm.irq_state[key]", "always", LEVEL),
    "lr-unique": Planted(
        "model.queueing", ", not_(vm.irq_active[key]))", ")", "flush_irq", MOVES, "active-iff-in-service"
    ),
    "lr-map-exact": Planted("model.runloop", FREED, "put(new.shadow, (vcpu, l), lr_used=False)", "sync_lr", LEVEL),
    "active-iff-in-service": Planted(
        "model.runloop", "put(new.vm, key, unseen, irq_active=False)", "new.vm", "sync_lr", LEVEL
    ),
    "oracle-sound": Planted(
        "model.injection", "wanted, pending_on_cpu=True", "False, pending_on_cpu=True", "inject", LEVEL
    ),
    "nobody-sleeps-on-pending": Planted(
        "model.runloop", "awake = s.vm.pending_on_cpu[vcpu]", "awake = False", "block", LEVEL, "registers-sane"
    ),
    "kick-not-lost": Planted("model.injection", "or_(kick[key], oracle[key])", "kick[key]", "inject", LEVEL),
    "edge-not-lost": Planted("model.injection", "rises, irq_state=True", "False, irq_state=True", "inject", EDGE),
    "sgi-not-lost": Planted(
        "model.queueing", "and_(when, software), sgi_sources", "software, sgi_sources", "flush_irq", SGI
    ),
    "lock-irq-safe": Planted("model.interrupt", MASKED, "False", "irq_enter", LEVEL, switches=INTERRUPTED),
    "disabled-not-delivered": Planted("model.queueing", "vm.irq_enabled[key], waits,", "waits,", "flush_irq", ANEW),
    "target-respected": Planted("model.queueing", "waits, targets(vm, vcpu, intid), ", "waits, ", "flush_irq", MOVES),
    "lowered-not-delivered": Planted(
        "model.vm", "and_(not_(vm.irq_cfg[key]), vm.irq_line[key])", "not_(vm.irq_cfg[key])", "flush_irq", LEVEL
    ),
    "edge-once": Planted("model.vm", PENDING, "return or_(vm.irq_state[key], vm.irq_line[key])", "flush_irq", EDGE),
    "overflow-sets-uie": Planted("model.queueing", "uie=overflow)", "uie=False)", "flush_end", TWO),
    "ack-eoi-cycle": Planted(
        "model.queueing", "ite(active, LRState.PENDING_ACTIVE,", "ite(active, LRState.PENDING,", "flush_irq", SGIS
    ),
    "run-loop-order": Planted("model.runloop", "why[vcpu] == Exit.WFI", "why[vcpu] != Exit.WFI", "block", LEVEL),
    "kick-stays": Planted("model.injection", "or_(kick[key], oracle[key])", "oracle[key]", "inject", LEVEL),
    "world-switch-exact": Planted("model.runloop", "hcr=s.shadow.hcr[vcpu], live=True", "live=True", "enter", TWO),
    "registers-owned": Planted(
        "model.runloop",
        "_in_guest(s, vcpu), lt(l, s.nr_lr), in_service",
        "lt(l, s.nr_lr), in_service",
        "end_of_interrupt",
        LEVEL,
    ),
    "oracle-tight": Planted(
        "model.runloop", "deliverable(s.vm, target, intid, 0, switches))", "s.vm.enabled)", "sync_lr", LEVEL
    ),
}
"""For each property and lemma of the machine a fault that breaks it."""
AGAIN = "and_(not_(s.shadow.lr_map[key] == LR_EMPTY), old.cpuid == source)"
MORE: tuple[tuple[str, Planted], ...] = (
    ("lr-unique", Planted("model.queueing", "mapped, empty,", "empty, empty,", "flush_irq", SGIS, "lr-map-exact")),
    ("lr-unique", Planted("model.queueing", AGAIN, "False", "flush_irq", SGIS, "lr-map-exact")),
    ("run-loop-order", Planted("model.runloop", "EXITED, why=Exit.IRQ)", "EXITED)", "turn_back", LEVEL)),
    (
        "kick-stays",
        Planted("model.queueing", "overflow=False, request=False)", "overflow=False)", "flush_begin", LEVEL),
    ),
    ("active-iff-in-service", Planted("model.queueing", "marks, owned=True", "owned=True", "flush_irq", SGI)),
)
"""Faults that break a property in another way, with its id."""
PLANTED = (*KILLERS.items(), *MORE)
LOOKS = "wanted, pending_on_cpu=True"
NARROW: tuple[tuple[str, str, str, str], ...] = (
    ("model.initial", "nr_lr=nr_lr,", "nr_lr=nr_lr + 1,", "start"),
    ("model.initial", "nr_lr=nr_lr,", "nr_lr=nr_lr - 1,", "start"),
    ("model.initial", "nr_vcpus=nr_vcpus)", "nr_vcpus=nr_vcpus + 1)", "start"),
    ("model.initial", "nr_vcpus=nr_vcpus)", "nr_vcpus=nr_vcpus - 1)", "start"),
    ("model.injection", LOOKS, "and_(wanted, not_(in_phase(s, target, Phase.EXITED))), pending_on_cpu=True", "inject"),
    ("model.injection", LOOKS, "and_(wanted, or_(not_(in_phase(s, target, Phase.GUEST)), "
     "s.shadow.elrsr[target, 0])), pending_on_cpu=True", "inject"),
    ("model.queueing", "cpuid=source, eoi=eoi)", "cpuid=1, eoi=eoi)", "flush_irq"),
    ("model.queueing", "virtual_id=intid, cpuid", "virtual_id=1021, cpuid", "flush_irq"),
    ("model.queueing", "marks, owned=True, owner=vcpu", "marks, owner=vcpu", "flush_irq"),
)  # fmt: skip
"""Faults that show only where a sentence leaves nothing out: module, text, other text, and the stage at which."""
