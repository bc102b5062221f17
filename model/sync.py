"""The sync of 2012 to v3.10 as a function of its own, run in one go on what it finds of one vCPU.

From v3.9 on it begins with the handler's work, `vgic_process_maintenance`.  What the reference's sync does beside,
looking for the target of what it frees and forgetting the saved registers, is in `model.runloop` only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vgicheck.engine.values import and_, any_of, bit, field_of, ite, lt, not_, or_, zeroed

from .distributor import NR_LRS, Distributor, VgicCpu, Word, bank, retire
from .generation import Switches
from .gich import Gich
from .handler import HandlerState, clear_active, clear_eoi, clear_uie, flagged
from .lr import LRState
from .vmcr import Vmcr


@dataclass(frozen=True, slots=True)
class SyncState:
    """A vCPU that came out of the guest, and its distributor."""

    vcpu_id: Word
    cpu: VgicCpu
    dist: Distributor


def kvm_vgic_sync_from_cpu(s: SyncState, switches: Switches) -> SyncState:
    """Forget what was in list registers that are empty now; one that is not has the next flush look again."""
    high = False
    if switches.sync_processes_eisr:
        done = vgic_process_maintenance(in_shadow(s.vcpu_id, s.cpu, s.dist), switches)
        s, high = replace(s, cpu=done.cpu, dist=done.dist), not_(done.result == 0)
    left = any_of(range(NR_LRS), lambda l: and_(lt(l, s.cpu.nr_lr), not_(s.cpu.elrsr[l])))
    oracle = s.dist.pending_on_cpu.set(field_of(s.vcpu_id, 2, 0), True, or_(high, left))
    return replace(s, cpu=retire(s.cpu), dist=replace(s.dist, pending_on_cpu=oracle))


def in_shadow(vcpu_id: int, cpu: VgicCpu, dist: Distributor, result: int = 0) -> HandlerState:
    """Return a vCPU as the handler would find it, did it run on the next entry: the registers are the shadow."""
    registers = Gich(cpu.nr_lr, cpu.lr, cpu.hcr, zeroed(Vmcr), 0)
    return HandlerState(True, True, vcpu_id, cpu, dist, registers, result)


def vgic_process_maintenance(s: HandlerState, switches: Switches) -> HandlerState:
    """Do in the shadow what the handler of 2012 did in the registers, and free each EOIed list register.

    The result is 1 where the line of an interrupt that was ended is still high, with `irq_rearms`; else 0.
    """
    high = False
    for l in range(NR_LRS):
        when = flagged(s, l, switches)
        s = _free(clear_eoi(clear_active(s, l, when), l, when), l, when)
        if switches.irq_rearms:
            intid = s.cpu.lr[l].virtual_id
            line = s.dist.irq_state[bank(s.vcpu_id, intid)]
            s = replace(s, cpu=replace(s.cpu, pending=s.cpu.pending.set(intid, line, when)))
            high = or_(high, and_(when, line))
    s = clear_uie(s, s.cpu.misr.u)
    return in_shadow(s.vcpu_id, s.cpu, s.dist, ite(high, 1, 0, width=32))


def _free(s: HandlerState, l: int, when: bool) -> HandlerState:
    """List register `l` is reported empty to what follows, and is not active."""
    lr = s.cpu.lr[l]
    state = ite(bit(lr.state, 0), LRState.PENDING, LRState.INVALID, width=2)
    freed = s.cpu.lr.set(l, ite(when, replace(lr, state=state), lr))
    return replace(s, cpu=replace(s.cpu, lr=freed, elrsr=s.cpu.elrsr.set(l, True, when)))
