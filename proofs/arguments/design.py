"""What the VGIC of 2012 and its successors rest on without saying so: why code without the lock is thought harmless."""

from __future__ import annotations

from typing import Any

from model.generation import Switches
from model.lr import LRState
from model.machine import Irq, Machine, Phase, in_phase, locked_by, passed
from model.vm import bank_of
from vgicheck.engine.domain import Domain
from vgicheck.engine.values import and_, iff, implies, not_, or_

from ..argument import Argument
from ..premise import Premise
from .premises import HANDLER_IN_TIME

HANDLER, FLUSH, SYNC = "vgic_maintenance_handler", "__kvm_vgic_sync_to_cpu", "kvm_vgic_sync_from_cpu"
INJECT, RUN, BLOCK = "kvm_vgic_inject_irq", "kvm_arch_vcpu_ioctl_run", "kvm_vcpu_block"
ONE = "a level interrupt, one vCPU"
MOVES = "a level interrupt, a vCPU that moves"
PAIR = "a level interrupt, two vCPUs"
ROOM = "a level interrupt, two list registers"


def _own_bit(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: int, **_: Any) -> bool:
    then, now = old.vm.pending_on_cpu, new.vm.pending_on_cpu
    lost = domain.exists("lost", "vcpu", lambda k: and_(then[k], not_(now[k])))
    return not_(lost)


def _not_while_flushing(old: Machine, new: Machine, domain: Domain, switches: Switches, **by: Any) -> bool:
    then, now = old.vm.pending_on_cpu, new.vm.pending_on_cpu
    sets = domain.exists("set", "vcpu", lambda k: and_(not_(then[k]), now[k], in_phase(old, k[0], Phase.FLUSH)))
    if "cpu" in by:  # what it sets may be set already
        sets = or_(sets, and_(old.cpu.irq_saw[by["cpu"]], in_phase(old, old.cpu.running[by["cpu"]], Phase.FLUSH)))
    return not_(sets)


def _kick_is_felt(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: int, **_: Any) -> bool:
    return not_(in_phase(old, vcpu, Phase.FLUSHED))


def _sleeps_on_nothing(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: int, **_: Any) -> bool:
    return implies(in_phase(new, vcpu, Phase.BLOCKED), not_(old.vm.pending_on_cpu[vcpu]))


def _its_vcpu_loaded(old: Machine, new: Machine, domain: Domain, switches: Switches, cpu: int, **_: Any) -> bool:
    return and_(old.cpu.busy[cpu], old.cpu.live[cpu])


def _lock_is_free(old: Machine, new: Machine, domain: Domain, switches: Switches, cpu: int, **_: Any) -> bool:
    return not_(and_(old.cpu.busy[cpu], locked_by(old, old.cpu.running[cpu])))


def _line_as_handler_read(old: Machine, new: Machine, domain: Domain, switches: Switches, cpu: int, **_: Any) -> bool:
    vcpu, l = old.cpu.running[cpu], passed(old.cpu.irq_lr[cpu])
    return iff(old.vm.irq_state[bank_of(vcpu, old.shadow.lr[vcpu, l].virtual_id)], old.cpu.irq_saw[cpu])


def _line_as_sync_read(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: int, **_: Any) -> bool:
    l = passed(old.thread.cursor[vcpu])
    return iff(old.vm.irq_state[bank_of(vcpu, old.shadow.lr[vcpu, l].virtual_id)], old.thread.saw[vcpu])


def _undisturbed(old: Machine, new: Machine, domain: Domain, switches: Switches, **_: Any) -> bool:
    return not_(domain.exists("between", "cpu", lambda k: old.cpu.irq[k] == Irq.REARM))


def _nothing_stale(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: int, **_: Any) -> bool:
    shadow = old.shadow

    def stale(key: tuple[int, ...]) -> bool:
        l = key[0]
        used = and_(shadow.lr_used[vcpu, l], shadow.lr[vcpu, l].state != LRState.INVALID)
        return and_(used, or_(shadow.eisr[vcpu, l], shadow.elrsr[vcpu, l]))

    return not_(domain.exists("stale", "lr", stale))


REARM_UNDISTURBED = Premise(
    "rearm-undisturbed",
    "no line changes between the handler's look at one and what it does about it",
    ("inject",),
    _undisturbed,
)

NOTHING_STALE = Premise(
    "nothing-stale",
    "what was saved of EISR and ELRSR speaks of no list register that was queued since",
    ("turn_back",),
    _nothing_stale,
)
LINE_AS_SYNC_READ = Premise(
    "line-as-sync-read",
    "the line is as the sync read it when it acts on it",
    ("sync_rearm",),
    _line_as_sync_read,
)

DESIGN: tuple[Argument, ...] = (
    Argument(
        id="sync-sets-oracle",
        words="irq_pending_on_cpu is safe to set without the lock, since the sync only sets its own vCPU's bit",
        where="arch/arm/kvm/vgic.c, __kvm_vgic_sync_from_cpu",
        between=(SYNC, INJECT),
        premise=Premise(
            "oracle-bit-by-bit",
            "the sync takes no bit of irq_pending_on_cpu away",
            ("sync_end", "sync_store"),
            _own_bit,
        ),
        conclusion="oracle-sound",
        generation="2012-10",
        instances=(PAIR,),
        granted=(HANDLER_IN_TIME,),
    ),
    Argument(
        id="flush-clears-oracle",
        words="The flush clears irq_pending_on_cpu under the lock, so that nothing set meanwhile is forgotten",
        where="arch/arm/kvm/vgic.c, __kvm_vgic_sync_to_cpu",
        between=(FLUSH, INJECT),
        premise=Premise(
            "oracle-not-set-in-flush",
            "no bit of irq_pending_on_cpu is set while the flush of its vCPU is under way",
            ("inject", "mmio", "irq_rearm", "sync_lr", "sync_rearm", "sync_end", "sync_store"),
            _not_while_flushing,
        ),
        conclusion="oracle-sound",
        generation="2012-11",
        instances=(ONE,),
        granted=(REARM_UNDISTURBED,),
    ),
    Argument(
        id="kick-before-entry",
        words="A vCPU that is kicked after its flush looks again before it runs the guest for long",
        where="arch/arm/kvm/vgic.c, vgic_kick_vcpus; arch/arm/kvm/arm.c, kvm_arch_vcpu_ioctl_run",
        between=(INJECT, RUN),
        premise=Premise(
            "kick-is-felt", "no kick arrives between the flush and the entry", ("kick_arrives",), _kick_is_felt
        ),
        conclusion="kick-not-lost",
        generation="v3.9",
        instances=(ONE,),
    ),
    Argument(
        id="wfi-check",
        words="A vCPU sleeps after a WFI only if nothing is pending, and what comes later wakes it",
        where="virt/kvm/kvm_main.c, kvm_vcpu_block",
        between=(BLOCK, INJECT),
        premise=Premise(
            "sleeps-on-nothing",
            "irq_pending_on_cpu is clear when a vCPU goes to sleep",
            ("block", "doze"),
            _sleeps_on_nothing,
        ),
        conclusion="nobody-sleeps-on-pending",
        generation="2012-10",
        instances=(ONE,),
        granted=(HANDLER_IN_TIME,),
    ),
    Argument(
        id="handler-vcpu-loaded",
        words="The maintenance interrupt comes while the vCPU is loaded whose list registers raised it",
        where="arch/arm/kvm/vgic.c, vgic_maintenance_handler, *(struct kvm_vcpu **)data",
        between=(HANDLER, RUN),
        premise=Premise(
            "its-vcpu-loaded",
            "the list registers that raise the interrupt are those of the vCPU that is loaded",
            ("irq_enter",),
            _its_vcpu_loaded,
        ),
        conclusion="active-iff-in-service",
        generation="2012-10",
        instances=(MOVES,),
    ),
    Argument(
        id="lock-in-handler",
        words="The handler takes the distributor's lock like everybody else",
        where="arch/arm/kvm/vgic.c, vgic_maintenance_handler of September 2012",
        between=(HANDLER, FLUSH),
        premise=Premise(
            "lock-is-free", "no interrupt comes to a CPU whose thread holds the lock", ("irq_enter",), _lock_is_free
        ),
        conclusion="lock-irq-safe",
        generation="2012-09",
        instances=(ONE,),
    ),
    Argument(
        id="handler-rearms",
        words="The handler looks at the line after it has cleared the active bit, so that it needs no lock",
        where="arch/arm/kvm/vgic.c, vgic_maintenance_handler of November 2012",
        between=(HANDLER, INJECT),
        premise=Premise(
            "line-as-handler-read",
            "the line is as the handler read it when it acts on it",
            ("irq_rearm",),
            _line_as_handler_read,
        ),
        conclusion="level-not-lost",
        generation="2012-11",
        instances=(ONE,),
        delivers=True,
        granted=(HANDLER_IN_TIME,),
    ),
    Argument(
        id="sync-rearms",
        words="The sync looks at the line after it has cleared the active bit, so that it needs no lock",
        where="arch/arm/kvm/vgic.c, vgic_process_maintenance of v3.9",
        between=(SYNC, INJECT),
        premise=LINE_AS_SYNC_READ,
        conclusion="level-not-lost",
        generation="v3.9",
        instances=(ONE,),
        delivers=True,
        granted=(NOTHING_STALE,),
    ),
    Argument(
        id="aborted-entry",
        words="An entry that is given up after the flush can go through the sync like any other",
        where="arch/arm/kvm/arm.c, kvm_arch_vcpu_ioctl_run",
        between=(SYNC, FLUSH),
        premise=NOTHING_STALE,
        conclusion="level-not-lost",
        generation="v3.9",
        instances=(ROOM,),
        granted=(HANDLER_IN_TIME, LINE_AS_SYNC_READ),
    ),
)
"""One for each place where the code of a generation does without the lock, or trusts where an interrupt comes."""
