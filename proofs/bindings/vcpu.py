"""What every generation does with one vCPU's `struct vgic_cpu`: reading it, queueing into it, and the sync."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from model.distributor import LR_EMPTY, NR_LRS, NR_PRIVATE_IRQS, VgicCpu
from model.handler import HandlerState
from model.queue_irq import QueueState, vgic_queue_irq
from model.sync import SyncState, kvm_vgic_sync_from_cpu
from properties.property import At
from vgicheck.c.binding import GIVEN, Bound, Invariant, View
from vgicheck.c.ir import Program
from vgicheck.engine.maps import Map
from vgicheck.engine.values import and_, field_of, ite, lt, or_, widened

from . import books, kvm_2012
from .called import VCPU, arguments, pointers
from .promise import has

_STATE = ("irq_enabled", "irq_state", "irq_active", "irq_cfg")


def pending_in(cpu: str) -> tuple[str, str, str]:
    """Name the bitmaps of what waits in a struct vgic_cpu: of all interrupts, of its own and of shared ones."""
    return f"{cpu}.pending[]", f"{cpu}.pending_percpu[]", f"{cpu}.pending_shared[]"


BITMAPS = kvm_2012.BITMAPS | {
    *pending_in(kvm_2012.CPU),
    *(f"{kvm_2012.DIST}.{name}.{bank}" for name in _STATE for bank in ("percpu[][]", "shared[]")),
}
"""What is kept bit by bit; in 2012 the types said so of those of the distributor."""
CALLER = "the flush, from what it loops over"


def vgic_cpu(program: Program, view: View) -> VgicCpu:
    """Read the `struct vgic_cpu` of the vCPU at hand."""
    return replace(kvm_2012.vgic_cpu(view), pending=pending(program, view))


def pending(program: Program, view: View, cpu: str = kvm_2012.CPU) -> Map[bool]:
    """Read what waits for the vCPU at hand, by INTID; from v3.9 on that is kept in two bitmaps.

    With the struct vgic_cpu of any of several vCPUs it is by vCPU and INTID.
    A binding that compares nothing else of the struct reads nothing else: what is read counts as compared.
    """
    whole, private, shared = pending_in(cpu)
    apart = has(program, "vgic_cpu", "pending_percpu")
    return view.map(partial(split_bit, view, private, shared) if apart else partial(view.bit, whole))


def split_bit(view: View, private: str, shared: str, *key: int) -> bool:
    """Return the bit of an interrupt, the last of the key, in two bitmaps of a vCPU: of its own and of shared ones."""
    *owner, intid = key
    if isinstance(intid, int):
        own = intid < NR_PRIVATE_IRQS
        return view.bit(private, *owner, intid) if own else view.bit(shared, *owner, intid - NR_PRIVATE_IRQS)
    wide = widened(intid, 32)
    return ite(
        lt(intid, NR_PRIVATE_IRQS), view.bit(private, *owner, wide), view.bit(shared, *owner, wide - NR_PRIVATE_IRQS)
    )


def assumed(irqs: int) -> list[Invariant]:
    """List what is assumed of a vCPU's memory wherever its list registers are looked at."""
    handler = kvm_2012.bound(irqs)["vgic_maintenance_handler"]
    return [i for i in handler.invariants if not i.region.startswith(kvm_2012.WORLD)]


def preferred(s: HandlerState | SyncState, at: At) -> Sequence[Any]:
    """List what makes an example easy to read."""
    return [s.vcpu_id == 0, s.cpu.nr_lr == 4, at.lr == 0, at.intid == 34, at.vcpu == 0]


def queue_irq(program: Program, irqs: int) -> Bound:
    """`vgic_queue_irq`, called with an interrupt and who sent it."""
    name = "vgic_queue_irq"
    _, source, irq = program.functions[name].params if name in program.functions else ("", "", "")

    def abstract(view: View) -> QueueState:
        inputs = view.memory.inputs
        return QueueState(
            vcpu_id=view.word(f"{VCPU}.vcpu_id"),
            irq=inputs.word(f"{GIVEN}.{irq}", (), 32),
            source=inputs.word(f"{GIVEN}.{source}", (), 8),
            cpu=vgic_cpu(program, view),
            irq_cfg=kvm_2012.banked(view, "irq_cfg"),
            queued=view.returned(),
        )

    def prefer(s: QueueState, at: At) -> Sequence[Any]:
        return [s.vcpu_id == 0, s.irq == 34, s.cpu.nr_lr == 4, at.intid == 34, at.lr == 0]

    own = [
        Invariant(f"{GIVEN}.{irq}", lambda key, value: lt(value, irqs), "irq is below VGIC_NR_IRQS", CALLER),
        Invariant(f"{GIVEN}.{source}", lambda key, value: lt(value, 8), "who sent an SGI is below 8", CALLER),
        Invariant(
            f"{kvm_2012.CPU}.vgic_irq_lr_map[]",
            lambda key, value: or_(lt(value, NR_LRS), value == LR_EMPTY),
            "vgic_irq_lr_map holds list registers or LR_EMPTY",
            "vgic_queue_irq",
        ),
    ]
    return Bound(
        name,
        name,
        abstract,
        vgic_queue_irq,
        [*assumed(irqs), *own],
        prefer,
        kvm_2012.Names(),
        BITMAPS,
        arguments=partial(arguments, program, name),
        pointers=pointers,
        occurs=lambda s: and_(*_in_use(s)),
    )


def _in_use(s: QueueState) -> Iterator[Any]:
    """Yield what holds of the books before an interrupt is queued: where it is mapped, it is."""
    cpu, intid = s.cpu, field_of(s.irq, 9, 0)
    at = cpu.irq_lr_map[intid]
    l = field_of(at, 5, 0)
    yield or_(at == LR_EMPTY, and_(cpu.lr_used[l], cpu.lr[l].virtual_id == intid))
    yield from books.synced(cpu)


def sync(program: Program, name: str, irqs: int) -> Bound:
    """The sync, under the name that it has in a source."""

    def abstract(view: View) -> SyncState:
        return SyncState(view.word(f"{VCPU}.vcpu_id"), vgic_cpu(program, view), kvm_2012.distributor(view))

    return Bound(
        name,
        name,
        abstract,
        kvm_vgic_sync_from_cpu,
        assumed(irqs),
        preferred,
        kvm_2012.Names(),
        BITMAPS,
        arguments=partial(arguments, program, name),
        pointers=pointers,
        occurs=lambda s: and_(*books.saved(s.cpu)),
    )
