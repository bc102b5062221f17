"""The distributor as the whole machine has it: `struct vgic_dist` of a VM, and the input lines of its devices.

A banked map has a bit for each interrupt and each vCPU; the bits of shared interrupts are those of bank 0.  The
handler and initialisation see less of it: `model.distributor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import Width, and_, field_of, ite, lt, not_, or_

from .distributor import NR_PRIVATE_IRQS, NR_SGIS
from .generation import Switches

Intid = Annotated[int, Width(10)]
Vcpu = Annotated[int, Width(3)]
PerIrq = Annotated[Map[bool], MapOf((3, 10), bool)]
"""A bit for each interrupt: key (bank, INTID), see `bank_of`."""


@dataclass(frozen=True, slots=True)
class Vm:
    """What all vCPUs of a VM share.

    enabled          GICD_CTLR bit 0
    irq_enabled      as the guest wrote GICD_ISENABLER and GICD_ICENABLER
    irq_cfg          set for an edge-triggered interrupt, as the guest wrote GICD_ICFGR
    irq_line         the input line as the device last set it; the code of 2012 does not keep it
    irq_state        a latched edge, SGI or write of GICD_ISPENDR; without the switch `line_apart` the line of a
                     level-triggered interrupt as well
    irq_active       the interrupt sits in a list register and its EOI is still to be seen (`irq_queued` from v3.18 on)
    irq_priority     a byte of GICD_IPRIORITYR, stored and not used
    irq_spi_cpu      the vCPU that a shared interrupt goes to: key INTID
    irq_spi_target   the same as a bitmap for each vCPU: key (vCPU, INTID)
    sgi_sources      who sent an SGI that is pending: key (target, SGI, source)
    pending_on_cpu   `irq_pending_on_cpu`, the oracle: the flush of this vCPU has something to look at
    """

    enabled: bool
    irq_enabled: PerIrq
    irq_cfg: PerIrq
    irq_line: PerIrq
    irq_state: PerIrq
    irq_active: PerIrq
    irq_priority: Annotated[Map[int], MapOf((3, 10), Annotated[int, Width(8)])]
    irq_spi_cpu: Annotated[Map[int], MapOf((10,), Vcpu)]
    irq_spi_target: Annotated[Map[bool], MapOf((3, 10), bool)]
    sgi_sources: Annotated[Map[bool], MapOf((3, 4, 3), bool)]
    pending_on_cpu: Annotated[Map[bool], MapOf((3,), bool)]


def bank_of(vcpu: int, intid: int) -> tuple[int, int]:
    """Return the key of an interrupt in a map of `PerIrq`, as this vCPU sees it."""
    return ite(lt(intid, NR_PRIVATE_IRQS), vcpu, 0, width=3), intid


def is_sgi(intid: int) -> bool:
    """INTIDs 0..15."""
    return lt(intid, NR_SGIS)


def sgi(intid: int) -> int:
    """Return the number of an SGI as the keys of `Vm.sgi_sources` want it, 4 bits wide."""
    return field_of(intid, 3, 0)


def pending(vm: Vm, key: tuple[int, int], switches: Switches) -> bool:
    """Say whether an interrupt that is no SGI is pending: latched, or level-triggered with its line high."""
    level_high = and_(not_(vm.irq_cfg[key]), vm.irq_line[key])
    return or_(vm.irq_state[key], level_high) if switches.line_apart else vm.irq_state[key]


def targets(vm: Vm, vcpu: int, intid: int) -> bool:
    """Say whether an interrupt goes to a vCPU: a private one to every vCPU, each in its own bank."""
    return or_(lt(intid, NR_PRIVATE_IRQS), vm.irq_spi_cpu[intid] == vcpu)
