"""What the VGIC's books say together: facts of several cells, which an invariant of one cell cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model.distributor import NR_LRS, VgicCpu, bank
from model.gich import Gich, is_empty, is_ended, is_valid, misr
from model.handler import HandlerState
from model.lr import EMPTY
from vgicheck.engine.values import and_, iff, implies, lt, not_, or_, same


def agree(s: HandlerState) -> Iterator[Any]:
    """Yield what holds of the vCPU's books after an exit: what was saved is what the list registers then said."""
    cpu = s.cpu
    registers = Gich(cpu.nr_lr, cpu.lr, cpu.hcr, s.hw.vmcr, s.hw.apr)
    yield same(cpu.misr, misr(registers))
    yield from saved(cpu)
    for l in range(NR_LRS):
        lr = cpu.lr[l]
        yield implies(and_(cpu.lr_used[l], lr.eoi), s.dist.irq_active[bank(s.vcpu_id, lr.virtual_id)])
        yield implies(s.live, same(s.hw.lr[l], lr))
    yield implies(s.live, and_(s.loaded, same(s.hw.hcr, cpu.hcr)))


def saved(cpu: VgicCpu) -> Iterator[Any]:
    """Yield what holds of EISR and ELRSR as an exit saved them, and of what is kept of the list registers."""
    for l in range(NR_LRS):
        lr, there = cpu.lr[l], lt(l, cpu.nr_lr)
        yield implies(not_(there), same(lr, EMPTY))
        yield iff(cpu.eisr[l], and_(there, is_ended(lr)))
        yield iff(cpu.elrsr[l], and_(there, is_empty(lr)))
        yield implies(and_(there, or_(is_valid(lr), is_ended(lr))), cpu.lr_used[l])
        yield implies(cpu.lr_used[l], and_(there, cpu.irq_lr_map[lr.virtual_id] == l))


def synced(cpu: VgicCpu) -> Iterator[Any]:
    """Yield what holds after a sync: what is in use is mapped and not reported empty, and the rest is empty."""
    for l in range(NR_LRS):
        lr, there = cpu.lr[l], lt(l, cpu.nr_lr)
        yield iff(cpu.elrsr[l], and_(there, not_(cpu.lr_used[l])))
        yield implies(cpu.lr_used[l], and_(there, is_valid(lr), cpu.irq_lr_map[lr.virtual_id] == l))
        yield or_(cpu.lr_used[l], same(lr, EMPTY))
