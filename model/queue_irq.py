"""`vgic_queue_irq` as a function of its own: what it finds of one vCPU, and what it leaves.

The turn of the flush that does the same is in `model.queueing`; here it is run on a machine of which nothing else
matters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.domain import Finite
from vgicheck.engine.maps import Map
from vgicheck.engine.values import Width, field_of, ite, zeroed

from . import queueing
from .distributor import NR_LRS, Banked, VgicCpu, Word, narrow
from .generation import Switches
from .machine import Machine

LRS = Finite({"lr": [(l,) for l in range(NR_LRS)]}, {"lr": (6,)})


@dataclass(frozen=True, slots=True)
class QueueState:
    """A vCPU, and the interrupt that is to be made pending; `source` sent it, if it is an SGI, and is 0 otherwise.

    `queued` is what the function returns: 1 where there was a list register, 0 where not, and 0 before.
    """

    vcpu_id: Word
    irq: Word
    source: Annotated[int, Width(8)]
    cpu: VgicCpu
    irq_cfg: Banked
    queued: Word


def vgic_queue_irq(s: QueueState, switches: Switches) -> QueueState:
    """Make an interrupt pending in a list register, if there is one."""
    vcpu, intid, source = field_of(s.vcpu_id, 2, 0), field_of(s.irq, 9, 0), field_of(s.source, 2, 0)
    cpu, nothing = s.cpu, zeroed(Machine)
    machine = replace(
        nothing,
        nr_lr=cpu.nr_lr,
        vm=replace(nothing.vm, irq_cfg=narrow(s.irq_cfg)),
        shadow=replace(
            nothing.shadow,
            lr=Map(lambda key: cpu.lr[key[1]]),
            elrsr=Map(lambda key: cpu.elrsr[key[1]]),
            lr_used=Map(lambda key: cpu.lr_used[key[1]]),
            lr_map=Map(lambda key: cpu.irq_lr_map[key[1]], width=8),
        ),
    )
    new, queued = queueing.vgic_queue_irq(machine, vcpu, intid, source, LRS, switches)
    left = new.shadow
    shadow = replace(
        cpu,
        lr=Map(lambda key: left.lr[vcpu, key[0]]),
        elrsr=Map(lambda key: left.elrsr[vcpu, key[0]]),
        lr_used=Map(lambda key: left.lr_used[vcpu, key[0]]),
        irq_lr_map=Map(lambda key: left.lr_map[vcpu, key[0], 0], width=8),
    )
    return replace(s, cpu=shadow, queued=ite(queued, 1, 0, width=32))
