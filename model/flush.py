"""The flush of 2012 to v3.10 as a function of its own, run in one go: what it finds of one vCPU, and what it leaves.

Its turns are those of the machine, in `model.queueing`; here they are made for all interrupts at once, since none looks
at what another leaves.  `vgic_queue_irq` is asked once for each interrupt and source that waits, and may answer
anything: which list register it takes, and when there is none, is a matter of its own.  What the machine passes over is
here: an SGI that is pending without a sender is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.domain import Finite
from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import and_, any_of, field_of, not_, or_, widened, zeroed

from . import queueing
from .distributor import MAX_CPUS, NR_SGIS, Banked, Word, narrow, wide
from .generation import Switches
from .gich import Hcr
from .machine import Machine, put
from .vm import bank_of, is_sgi, sgi

SOURCES = Finite({"vcpu": [(c,) for c in range(MAX_CPUS)]}, {"vcpu": (3,)})
Asked = Annotated[Map[bool], MapOf((3, 10), bool)]
"""Of `vgic_queue_irq`, by source and INTID."""


@dataclass(frozen=True, slots=True)
class FlushState:
    """A vCPU that is about to enter the guest.

    pending   what the flush looks at: the cached copy of what waits for this vCPU, by INTID
    room      what `vgic_queue_irq` answers where it is asked
    asked     where it is
    retires   what the guest disabled was taken out of the list registers before
    """

    vcpu_id: Word
    hcr: Hcr
    pending: Annotated[Map[bool], MapOf((10,), bool)]
    irq_cfg: Banked
    irq_active: Banked
    irq_state: Banked
    sgi_sources: Annotated[Map[bool], MapOf((3, 4, 3), bool)]
    pending_on_cpu: Annotated[Map[bool], MapOf((3,), bool)]
    room: Asked
    asked: Asked
    retires: bool


def flush(s: FlushState, switches: Switches, nr_irqs: int) -> FlushState:
    """Put what waits into list registers, as far as there are any; what does not fit is an overflow."""
    vcpu = field_of(s.vcpu_id, 2, 0)
    machine, looks = _machine(s), s.pending_on_cpu[vcpu]

    def taken(intid: int, source: int) -> bool:
        return and_(looks, queueing.to_be_queued(machine, vcpu, intid, source, switches))

    def after(intid: int) -> Machine:
        new = machine
        for source in range(MAX_CPUS):
            when = and_(taken(intid, source), s.room[source, intid])
            new = queueing.take_note(new, vcpu, intid, source, when, SOURCES, switches)
        sent = any_of(range(MAX_CPUS), lambda source: machine.vm.sgi_sources[vcpu, sgi(intid), source])
        forgotten = and_(looks, is_sgi(intid), s.pending[intid], not_(sent))
        new = replace(new, vm=put(new.vm, bank_of(vcpu, intid), forgotten, irq_state=False))
        if switches.queue_private_as_shared:
            new = replace(new, shadow=put(new.shadow, (vcpu, intid), forgotten, cached=False))
        return new

    waiting = [(intid, source) for intid in range(nr_irqs) for source in range(MAX_CPUS if intid < NR_SGIS else 1)]
    overflow = or_(*(and_(taken(intid, source), not_(s.room[source, intid])) for intid, source in waiting))
    return replace(
        s,
        hcr=replace(s.hcr, uie=overflow),
        pending=Map(lambda key: after(key[0]).shadow.cached[vcpu, key[0]]),
        irq_active=wide(Map(lambda key: after(key[1]).vm.irq_active[key])),
        irq_state=wide(Map(lambda key: after(key[1]).vm.irq_state[key])),
        sgi_sources=Map(lambda key: after(widened(key[1], 10)).vm.sgi_sources[key]),
        pending_on_cpu=s.pending_on_cpu.set(vcpu, overflow),
        asked=Map(lambda key: taken(key[1], key[0])),
        retires=switches.flush_retires,
    )


def _machine(s: FlushState) -> Machine:
    """Return a machine of which nothing else matters."""
    nothing, pending = zeroed(Machine), s.pending

    vm = replace(
        nothing.vm,
        irq_cfg=narrow(s.irq_cfg),
        irq_active=narrow(s.irq_active),
        irq_state=narrow(s.irq_state),
        sgi_sources=s.sgi_sources,
        pending_on_cpu=s.pending_on_cpu,
    )
    shadow = replace(nothing.shadow, cached=Map(lambda key: pending[key[1]]))
    machine: Machine = replace(nothing, vm=vm, shadow=shadow)
    return machine
