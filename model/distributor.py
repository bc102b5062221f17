"""The software half's state: what `struct vgic_dist` keeps for a VM and `struct vgic_cpu` for a vCPU.

Only what the maintenance handler and initialisation touch is here yet: no queueing, no distributor registers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import Width, and_, field_of, ite, lt, widened

from .gich import Hcr, Misr
from .lr import ListRegister

NR_LRS = 64
"""Most list registers that a GICH can have."""
LR_EMPTY = 0xFF
"""What vgic_irq_lr_map holds for an interrupt that is in no list register."""
NR_PRIVATE_IRQS = 32
NR_SGIS = 16
MAX_CPUS = 8
"""Most vCPUs: the CPU interfaces of a GICv2."""

Word = Annotated[int, Width(32)]
Banked = Annotated[Map[bool], MapOf((32, 10), bool)]
"""A bit for each interrupt, one bank a vCPU for the private ones: key (bank, INTID)."""


def narrow(banked: Map[Any], width: int | None = None) -> Map[Any]:
    """Return a banked map as the machine has it, which knows a vCPU by 3 bits and not by 32; `width` is a cell's."""
    return Map(lambda key: banked[widened(key[0], 32), key[1]], width=width)


def wide(banked: Map[Any], width: int | None = None) -> Map[Any]:
    """Return a banked map of the machine's with vCPUs of 32 bits: the other way."""
    return Map(lambda key: banked[field_of(key[0], 2, 0), key[1]], width=width)


@dataclass(frozen=True, slots=True)
class Distributor:
    """`struct vgic_dist`: per-interrupt state of a VM, and `irq_pending_on_cpu` by vCPU."""

    irq_enabled: Banked
    irq_cfg: Banked
    irq_active: Banked
    irq_state: Banked
    pending_on_cpu: Annotated[Map[bool], MapOf((3,), bool)]


@dataclass(frozen=True, slots=True)
class VgicCpu:
    """`struct vgic_cpu`: the shadow of a vCPU's registers.

    `misr`, `eisr` and `elrsr` are as the last exit saved them: copies, not the registers.  `pending` is what the
    flush of 2012 looks at, by INTID.
    """

    nr_lr: Annotated[int, Width(7)]
    lr: Annotated[Map[ListRegister], MapOf((6,), ListRegister)]
    hcr: Hcr
    vmcr: Word
    misr: Misr
    eisr: Annotated[Map[bool], MapOf((6,), bool)]
    elrsr: Annotated[Map[bool], MapOf((6,), bool)]
    lr_used: Annotated[Map[bool], MapOf((6,), bool)]
    irq_lr_map: Annotated[Map[int], MapOf((10,), Annotated[int, Width(8)])]
    pending: Annotated[Map[bool], MapOf((10,), bool)]


def bank(vcpu_id: int, intid: int) -> tuple[int, int]:
    """Return the key of an interrupt in a banked map: shared interrupts all live in bank 0."""
    return ite(lt(intid, NR_PRIVATE_IRQS), vcpu_id, 0, width=32), intid


def retire(cpu: VgicCpu) -> VgicCpu:
    """Forget the mappings of list registers that the saved ELRSR reports empty: the start of
    `__kvm_vgic_sync_from_cpu`.
    """
    lr_used, irq_lr_map = cpu.lr_used, cpu.irq_lr_map
    for l in range(NR_LRS):
        gone = and_(lt(l, cpu.nr_lr), cpu.elrsr[l], cpu.lr_used[l])
        lr_used = lr_used.set(l, False, when=gone)
        irq_lr_map = irq_lr_map.set(cpu.lr[l].virtual_id, LR_EMPTY, when=gone)
    return replace(cpu, lr_used=lr_used, irq_lr_map=irq_lr_map)
