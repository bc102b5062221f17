"""`vgic_update_state` and `compute_pending_for_cpu`, tied to the model.

The one asks the other of each vCPU that there is, lowest first, and is told anything: what that answers is bound by
itself, for one vCPU that stands for all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

from model.distributor import MAX_CPUS, NR_PRIVATE_IRQS
from model.inject_irq import KickState
from model.update_state import ComputeState, UpdateState, compute_pending_for_cpu, vgic_update_state
from properties.property import At
from vgicheck.c.binding import Bound, Invariant, View
from vgicheck.c.cuts import Aside
from vgicheck.c.ir import Int, Pointer, Program, StructRef
from vgicheck.engine.maps import Map
from vgicheck.engine.values import lt, not_, widened

from . import called, handlers, kvm_2012, vcpu, vgic

UPDATE, COMPUTE = handlers.UPDATE.function, "compute_pending_for_cpu"
ASKS = Aside(COMPUTE, vgic.the_vcpu, 1, (MAX_CPUS,), array=vgic.VCPUS)
ONLINE = f"{vgic.KVM}.online_vcpus.counter"
NOT_ASKED = Invariant(ASKS.region, lambda key, value: lt(value, 1), "", "")
AT_MOST = Invariant(
    ONLINE,
    lambda key, value: lt(value, MAX_CPUS + 1),
    f"there are at most {MAX_CPUS} vCPUs",
    "kvm_vm_ioctl_create_vcpu",
)


def bound(program: Program, functions: Collection[str], irqs: int) -> Iterator[Bound]:
    """Yield what is bound of a file with these functions."""
    found = {n: program.functions[n] for n in (COMPUTE, UPDATE) if n in functions and n in program.functions}
    takes = {n: [body.locals[p] for p in body.params] for n, body in found.items()}
    result = found[COMPUTE].result if COMPUTE in found else None
    if takes.get(COMPUTE) == [Pointer(StructRef("kvm_vcpu"))] and isinstance(result, Int):
        yield _compute(program, result.bits, irqs)
        if takes.get(UPDATE) == [Pointer(StructRef("kvm"))]:
            yield _update(program)


def _update(program: Program) -> Bound:
    def abstract(view: View) -> UpdateState:
        return UpdateState(
            nr_cpus=view.word(ONLINE),
            enabled=view.word(f"{vgic.DIST}.enabled"),
            waits=answers(view),
            asked=asked(view),
            pending_on_cpu=kvm_2012.pending_on_cpu(view),
        )

    return Bound(
        UPDATE,
        UPDATE,
        abstract,
        vgic_update_state,
        [vgic.ID_IS_INDEX, AT_MOST, NOT_ASKED],
        preferred,
        kvm_2012.Names(),
        vcpu.BITMAPS,
        arguments=partial(called.arguments, program, UPDATE),
        pointers=vgic.pointers,
        fixed=vgic.INDICES,
        cuts=[ASKS],
    )


def preferred(s: UpdateState | KickState, at: At) -> Sequence[Any]:
    """List what makes an example of a VM easy to read."""
    return [s.nr_cpus == 2, at.vcpu == 0]


def answers(view: View) -> Map[bool]:
    """Read what is answered of each vCPU, where it is asked."""
    inputs = view.memory.inputs
    return view.map(lambda c: inputs.bit(ASKS.answers, (widened(c, 32),)))


def asked(view: View) -> Map[bool]:
    """Read of which vCPUs it is asked."""
    return view.map(lambda c: not_(view.word(ASKS.region, c, bits=8) == 0))


def _compute(program: Program, result: int, irqs: int) -> Bound:
    own = f"{called.VCPU}.vcpu_id"

    def targeted(view: View, cpu: Any, intid: Any) -> Any:
        return view.bit(f"{vgic.DIST}.irq_spi_target[].shared[]", cpu, widened(intid, 32) - NR_PRIVATE_IRQS)

    def abstract(view: View) -> ComputeState:
        return ComputeState(
            vcpu_id=view.word(own),
            irq_enabled=kvm_2012.banked(view, "irq_enabled"),
            irq_state=kvm_2012.banked(view, "irq_state"),
            irq_spi_target=view.map(partial(targeted, view)),
            pending=vcpu.pending(program, view),
            waits=view.returned(bits=result),
        )

    def prefer(s: ComputeState, at: At) -> Sequence[Any]:
        return [s.vcpu_id == 0, at.intid == 34, at.vcpu == 0]

    return Bound(
        COMPUTE,
        COMPUTE,
        abstract,
        partial(compute_pending_for_cpu, nr_irqs=irqs),
        [i for i in vcpu.assumed(irqs) if i.region == own],
        prefer,
        kvm_2012.Names(),
        handlers.BITMAPS | vcpu.BITMAPS,
        arguments=partial(called.arguments, program, COMPUTE),
        pointers=called.pointers,
    )
