"""`vgic_update_irq_state` as a function of its own: what it finds of a VM, and what it leaves.

The step of the machine that does the same is in `model.injection`; here it is run on a machine of which nothing else
matters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.domain import Finite
from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import Width, field_of, ite, zeroed

from . import injection
from .distributor import Banked, Word, narrow, wide
from .generation import Switches
from .machine import Machine

NOTHING = Finite({}, {})
"""Of no interrupt is it asked whether there is one, but where injection computes everything anew."""


@dataclass(frozen=True, slots=True)
class InjectState:
    """A VM, and the interrupt whose line a device sets; a private one is that of vCPU `cpuid`.

    `pending` is what the flush looks at, by vCPU.  `told` is what the function returns: 1 where there is reason to kick
    a vCPU, else 0, and 0 before.
    """

    cpuid: Word
    irq: Word
    level: bool
    irq_enabled: Banked
    irq_cfg: Banked
    irq_active: Banked
    irq_state: Banked
    irq_spi_cpu: Annotated[Map[int], MapOf((10,), Annotated[int, Width(3)])]
    pending: Annotated[Map[bool], MapOf((3, 10), bool)]
    pending_on_cpu: Annotated[Map[bool], MapOf((3,), bool)]
    told: Word


def vgic_update_irq_state(s: InjectState, switches: Switches) -> InjectState:
    """Set a line; where that matters to a vCPU, have it look."""
    nothing = zeroed(Machine)
    vm = replace(
        nothing.vm,
        irq_enabled=narrow(s.irq_enabled),
        irq_cfg=narrow(s.irq_cfg),
        irq_active=narrow(s.irq_active),
        irq_state=narrow(s.irq_state),
        irq_spi_cpu=s.irq_spi_cpu,
        pending_on_cpu=s.pending_on_cpu,
    )
    machine = replace(nothing, vm=vm, shadow=replace(nothing.shadow, cached=s.pending))
    vcpu, intid = field_of(s.cpuid, 2, 0), field_of(s.irq, 9, 0)
    new, told = injection.vgic_update_irq_state(machine, vcpu, intid, s.level, NOTHING, switches)
    return replace(
        s,
        irq_state=wide(new.vm.irq_state),
        pending=new.shadow.cached,
        pending_on_cpu=new.vm.pending_on_cpu,
        told=ite(told, 1, 0, width=32),
    )
