"""A handler of the table of ranges as a function of its own: what it finds of a VM, and what it leaves.

What the access does is in `model.mmio`; here it is done to registers of which the C looks up the handler itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import Width, and_, field_of, ite, not_, widened, zeroed

from .distributor import Banked, Word, narrow, wide
from .generation import Switches
from .gicd import ICENABLER, SGIR, Access, Byte, Offset
from .mmio import MmioState, vgic_handle_mmio
from .vm import Vm


@dataclass(frozen=True, slots=True)
class RegisterState:
    """A VM, and an access of one of its vCPUs to registers of the distributor.

    offset    in the distributor's page
    data      the bytes that a store brings and a load takes away, the first in bits 7:0; `beyond` are the four after
              them, which no access of 32 bits has
    enabled   GICD_CTLR
    retires   what is in list registers of this vCPU and not enabled is to be taken out of them
    updates   `vgic_update_state` is to follow
    told      what the function returns: the kicks are to follow
    """

    vcpu_id: Word
    nr_cpus: Word
    nr_irqs: Annotated[int, Width(11)]
    offset: Offset
    length: Word
    is_write: bool
    data: Word
    beyond: Word
    enabled: Word
    irq_enabled: Banked
    irq_cfg: Banked
    irq_state: Banked
    irq_priority: Annotated[Map[int], MapOf((32, 10), Byte)]
    irq_spi_cpu: Annotated[Map[int], MapOf((10,), Byte)]
    irq_spi_target: Annotated[Map[bool], MapOf((3, 10), bool)]
    sgi_sources: Annotated[Map[bool], MapOf((3, 4, 3), bool)]
    retires: bool
    updates: bool
    told: Word


def handle(s: RegisterState, switches: Switches) -> RegisterState:
    """Do an access to registers that are in the table of ranges."""
    done = _done(s, Access(s.offset, field_of(s.length, 3, 0), s.is_write, s.data), switches)
    return replace(
        _with(s, done.vm),
        data=ite(s.is_write, s.data, done.data, width=32),
        retires=and_(switches.disabling_retires, s.is_write, ICENABLER.holds(s.offset)),
        updates=done.updates,
        told=ite(done.updates, 1, 0, width=32),
    )


def vgic_dispatch_sgi(s: RegisterState, switches: Switches) -> RegisterState:
    """Send an SGI: what a store of the whole of GICD_SGIR does."""
    return _with(s, _done(s, Access(SGIR, 4, True, s.data), switches).vm)


def _done(s: RegisterState, access: Access, switches: Switches) -> MmioState:
    vcpu, nr_cpus = field_of(s.vcpu_id, 2, 0), field_of(s.nr_cpus, 3, 0)
    return vgic_handle_mmio(MmioState(_vm(s), vcpu, nr_cpus, s.nr_irqs, access, 0, False, False), switches)


def _vm(s: RegisterState) -> Vm:
    targets, nothing = s.irq_spi_cpu, zeroed(Vm)
    vm: Vm = replace(
        nothing,
        enabled=not_(s.enabled == 0),
        irq_enabled=narrow(s.irq_enabled),
        irq_cfg=narrow(s.irq_cfg),
        irq_state=narrow(s.irq_state),
        irq_priority=narrow(s.irq_priority, 8),
        irq_spi_cpu=Map(lambda key: field_of(targets[key], 2, 0), width=3),
        irq_spi_target=s.irq_spi_target,
        sgi_sources=s.sgi_sources,
    )
    return vm


def _with(s: RegisterState, vm: Vm) -> RegisterState:
    return replace(
        s,
        enabled=ite(vm.enabled, 1, 0, width=32),
        irq_enabled=wide(vm.irq_enabled),
        irq_cfg=wide(vm.irq_cfg),
        irq_state=wide(vm.irq_state),
        irq_priority=wide(vm.irq_priority, 8),
        irq_spi_cpu=Map(lambda key: widened(vm.irq_spi_cpu[key], 8), width=8),
        irq_spi_target=vm.irq_spi_target,
        sgi_sources=vm.sgi_sources,
    )
