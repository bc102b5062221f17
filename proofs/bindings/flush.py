"""The flush of 2012 to v3.10, tied to the model, with `vgic_queue_irq` aside: what it does is bound by itself.

It is asked once for each interrupt and source that waits, lowest first, and may answer anything.  Aside is, in November
2012, also `vgic_retire_disabled_irqs`, which comes before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

from model.distributor import MAX_CPUS
from model.flush import FlushState, flush
from model.gich import decode_hcr
from properties.property import At
from vgicheck.c.binding import Bound, Invariant, View
from vgicheck.c.cuts import Aside, calls
from vgicheck.c.domain import Address
from vgicheck.c.ir import Program
from vgicheck.engine.values import lt, not_, widened

from . import kvm_2012, vcpu
from .called import VCPU, arguments, pointers
from .kvm_2012 import CPU, DIST

NAMES = ("__kvm_vgic_sync_to_cpu", "__kvm_vgic_flush_hwstate", "kvm_vgic_flush_hwstate")
"""What the flush goes by; the last, with its lock, where there is none without."""
QUEUE = "vgic_queue_irq"
RETIRE = Aside("vgic_retire_disabled_irqs", lambda inputs: Address(VCPU))


def bound(program: Program, functions: Collection[str], irqs: int) -> Iterator[Bound]:
    """Yield what is bound of a file with these functions."""
    name = next((n for n in NAMES if n in functions), None)
    if name is not None and QUEUE in functions:
        yield _flush(program, name, irqs)


def _flush(program: Program, name: str, irqs: int) -> Bound:
    queue = Aside(QUEUE, lambda inputs: Address(VCPU), 2, (MAX_CPUS, irqs), lambda numbers: numbers[::-1])
    called = calls(program, name, QUEUE, RETIRE.function)
    retiring = any(RETIRE.function in names for names in called.values())

    def abstract(view: View) -> FlushState:
        inputs = view.memory.inputs
        return FlushState(
            vcpu_id=view.word(f"{VCPU}.vcpu_id"),
            hcr=decode_hcr(view.word(f"{CPU}.vgic_hcr")),
            pending=vcpu.pending(program, view),
            irq_cfg=kvm_2012.banked(view, "irq_cfg"),
            irq_active=kvm_2012.banked(view, "irq_active"),
            irq_state=kvm_2012.banked(view, "irq_state"),
            sgi_sources=kvm_2012.sgi_sources(view),
            pending_on_cpu=kvm_2012.pending_on_cpu(view),
            room=view.map(lambda by, intid: inputs.bit(queue.answers, (widened(by, 32), widened(intid, 32)))),
            asked=view.map(lambda by, intid: not_(view.word(queue.region, by, intid, bits=8) == 0)),
            retires=not_(view.word(RETIRE.region, bits=8) == 0),
        )

    def prefer(s: FlushState, at: At) -> Sequence[Any]:
        return [s.vcpu_id == 0, at.intid == 34, at.vcpu == 0, at.source == 0]

    return Bound(
        name,
        name,
        abstract,
        partial(flush, nr_irqs=irqs),
        _assumed(queue),
        prefer,
        kvm_2012.Names(),
        vcpu.BITMAPS,
        arguments=partial(arguments, program, name),
        pointers=pointers,
        cuts=[queue, RETIRE] if retiring else [queue],
        most_nodes=3_000_000,
    )


def _assumed(queue: Aside) -> list[Invariant]:
    none = [Invariant(cut.region, lambda key, value: lt(value, 1), "", "") for cut in (queue, RETIRE)]
    handler = vcpu.assumed(1)
    own = (f"{VCPU}.vcpu_id", f"{CPU}.vgic_hcr", f"{DIST}.lock.held")
    return [*none, *(i for i in handler if i.region in own)]
