"""`vgic_update_irq_state`, `kvm_vgic_inject_irq` and `vgic_kick_vcpus` as functions of their own: what each finds of a
VM, and what it leaves.

The steps of the machine that do the same are in `model.injection`; here they are run on a machine of which nothing else
matters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.domain import Finite
from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import Width, and_, field_of, ite, lt, not_, widened, zeroed

from . import injection
from .distributor import Banked, Word, narrow, wide
from .generation import Switches
from .machine import Machine
from .update_state import PerVcpu, questions

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


@dataclass(frozen=True, slots=True)
class InjectionState:
    """What `kvm_vgic_inject_irq` finds: a VM and an interrupt, as `vgic_update_irq_state` does.

    nr_cpus  of the VM, of which only these are kicked
    enabled  GICD_CTLR
    waits    what `compute_pending_for_cpu` answers of a vCPU, and `asked` that it is asked, where injection computes
             anew what waits
    kicked   `kvm_vcpu_kick`, by vCPU
    result   0
    """

    vm: InjectState
    nr_cpus: Word
    enabled: Word
    waits: PerVcpu
    asked: PerVcpu
    kicked: PerVcpu
    result: Annotated[int, Width(32, signed=True)]


def kvm_vgic_inject_irq(s: InjectionState, switches: Switches) -> InjectionState:
    """Set a line; where that matters to a vCPU, kick all that have something to look at."""
    if switches.inject_recomputes:
        return _recomputed(s, switches)
    new, told = _updated(s.vm, switches)
    return replace(s, vm=_with(s.vm, new), kicked=_kicked(new, told, s.nr_cpus, switches), result=0)


def _recomputed(s: InjectionState, switches: Switches) -> InjectionState:
    """Injection of September 2012: where the line changes, `vgic_update_state`, whoever the interrupt goes to."""
    new, changes = injection.latched(_machine(s.vm), *_of(s.vm), s.vm.level)
    vm, waits = replace(new.vm, enabled=not_(s.enabled == 0)), s.waits
    asked = questions(vm, s.nr_cpus)
    updated = injection.told_to_look(vm, lambda w: and_(asked(w), waits[w]))
    new = replace(new, vm=ite(changes, updated, vm))
    return replace(
        s,
        vm=_with(s.vm, new),
        asked=Map(lambda key: and_(changes, asked(key[0]))),
        kicked=_kicked(new, changes, s.nr_cpus, switches),
        result=0,
    )


@dataclass(frozen=True, slots=True)
class KickState:
    """A VM whose vCPUs are looked at, and which of them are kicked."""

    nr_cpus: Word
    pending_on_cpu: PerVcpu
    kicked: PerVcpu


def vgic_kick_vcpus(s: KickState, switches: Switches) -> KickState:
    """Kick every vCPU that there is and that has something to look at."""
    nothing = zeroed(Machine)
    machine = replace(nothing, vm=replace(nothing.vm, pending_on_cpu=s.pending_on_cpu))
    return replace(s, kicked=_kicked(machine, True, s.nr_cpus, switches))


def _kicked(s: Machine, told: bool, nr_cpus: int, switches: Switches) -> Map[bool]:
    kick = injection.kick_vcpus(s, switches).thread.kick
    return Map(lambda key: and_(told, lt(widened(key[0], 32), nr_cpus), kick[key]))


def vgic_update_irq_state(s: InjectState, switches: Switches) -> InjectState:
    """Set a line; where that matters to a vCPU, have it look."""
    new, told = _updated(s, switches)
    return replace(_with(s, new), told=ite(told, 1, 0, width=32))


def _updated(s: InjectState, switches: Switches) -> tuple[Machine, bool]:
    return injection.vgic_update_irq_state(_machine(s), *_of(s), s.level, NOTHING, switches)


def _of(s: InjectState) -> tuple[int, int]:
    """Return the vCPU and the INTID as the machine has them."""
    return field_of(s.cpuid, 2, 0), field_of(s.irq, 9, 0)


def _machine(s: InjectState) -> Machine:
    """Return a machine of which nothing else matters."""
    nothing: Machine = zeroed(Machine)
    vm = replace(
        nothing.vm,
        irq_enabled=narrow(s.irq_enabled),
        irq_cfg=narrow(s.irq_cfg),
        irq_active=narrow(s.irq_active),
        irq_state=narrow(s.irq_state),
        irq_spi_cpu=s.irq_spi_cpu,
        pending_on_cpu=s.pending_on_cpu,
    )
    return replace(nothing, vm=vm, shadow=replace(nothing.shadow, cached=s.pending))


def _with(s: InjectState, new: Machine) -> InjectState:
    return replace(s, irq_state=wide(new.vm.irq_state), pending=new.shadow.cached, pending_on_cpu=new.vm.pending_on_cpu)
