"""`vgic_update_state` and `compute_pending_for_cpu` as functions of their own: what each finds, and what it leaves.

The step of the machine that does both is in `model.injection`.  Here the one asks of each vCPU that there is whether
anything waits, and the other answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import and_, any_of, field_of, ite, lt, not_, widened, zeroed

from . import injection
from .distributor import Banked, Word, narrow
from .generation import Switches
from .vm import Vm

PerVcpu = Annotated[Map[bool], MapOf((3,), bool)]


@dataclass(frozen=True, slots=True)
class UpdateState:
    """A VM of so many vCPUs.

    enabled         GICD_CTLR
    waits           what `compute_pending_for_cpu` answers of a vCPU
    asked           that it is asked
    pending_on_cpu  the vCPU is to look
    """

    nr_cpus: Word
    enabled: Word
    waits: PerVcpu
    asked: PerVcpu
    pending_on_cpu: PerVcpu


def vgic_update_state(s: UpdateState, switches: Switches) -> UpdateState:
    """Ask of every vCPU that there is whether anything waits for it; of which it does is to look."""
    vm: Vm = replace(zeroed(Vm), enabled=not_(s.enabled == 0), pending_on_cpu=s.pending_on_cpu)
    asked, waits = questions(vm, s.nr_cpus), s.waits
    new = injection.told_to_look(vm, lambda w: and_(asked(w), waits[w]))
    return replace(s, asked=Map(lambda key: asked(key[0])), pending_on_cpu=new.pending_on_cpu)


def questions(vm: Vm, nr_cpus: Word) -> Callable[[int], bool]:
    """Say of which vCPUs an update asks: of those that there are, and of none while the distributor is disabled."""
    return lambda vcpu: and_(vm.enabled, lt(widened(vcpu, 32), nr_cpus))


@dataclass(frozen=True, slots=True)
class ComputeState:
    """A vCPU, and what there is for it.

    pending  what the flush looks at, by INTID
    waits    what the function returns: 1 where that is anything, else 0, and 0 before
    """

    vcpu_id: Word
    irq_enabled: Banked
    irq_state: Banked
    irq_spi_target: Annotated[Map[bool], MapOf((3, 10), bool)]
    pending: Annotated[Map[bool], MapOf((10,), bool)]
    waits: Word


def compute_pending_for_cpu(s: ComputeState, switches: Switches, nr_irqs: int) -> ComputeState:
    """Compute what waits for a vCPU, and say whether anything does."""
    vcpu = field_of(s.vcpu_id, 2, 0)
    vm: Vm = replace(
        zeroed(Vm),
        irq_enabled=narrow(s.irq_enabled),
        irq_state=narrow(s.irq_state),
        irq_spi_target=s.irq_spi_target,
    )
    pending = Map(lambda key: injection.computed(vm, vcpu, key[0], switches))
    return replace(s, pending=pending, waits=ite(any_of(range(nr_irqs), lambda i: pending[i]), 1, 0, width=32))
