"""v3.10, whose sync does the handler's work on what the exit saved, tied to the model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from model.distributor import NR_LRS
from model.handler import HandlerState
from model.init import VcpuInitState
from model.sync import in_shadow, vgic_process_maintenance
from vgicheck.c.binding import Bound, Invariant, View
from vgicheck.c.ir import Program
from vgicheck.engine.values import and_, implies, le
from vgicheck.engine.verdict import Assumption

from . import books, kvm_2012, vcpu
from .called import VCPU, VM_HAS_VGIC, arguments, pointers, pointers_without_vgic

SYNC, MAINTENANCE = "__kvm_vgic_sync_hwstate", "vgic_process_maintenance"
EXIT = "the world switch, which saves both at one exit"


def bound(program: Program, functions: Collection[str], irqs: int) -> Iterator[Bound]:
    """Yield what is bound of a file with these functions."""
    if MAINTENANCE in functions:
        yield _maintenance(program, irqs)
    if SYNC in functions:
        yield vcpu.sync(program, SYNC, irqs)
    if "vgic_queue_irq" in functions and "__kvm_vgic_flush_hwstate" in functions:
        yield vcpu.queue_irq(program, irqs)
    if "kvm_vgic_vcpu_init" in functions and "vgic_nr_lr" in program.globals:
        yield _vcpu_init(program, irqs)


def _maintenance(program: Program, irqs: int) -> Bound:
    """The handler's work; the registers of which its properties speak are those that the next entry restores."""

    def abstract(view: View) -> HandlerState:
        cpu, dist = vcpu.vgic_cpu(program, view), kvm_2012.distributor(view)
        return in_shadow(view.word(f"{VCPU}.vcpu_id"), cpu, dist, view.returned())

    return Bound(
        MAINTENANCE,
        MAINTENANCE,
        abstract,
        vgic_process_maintenance,
        vcpu.assumed(irqs),
        vcpu.preferred,
        kvm_2012.Names(),
        vcpu.BITMAPS,
        arguments=partial(arguments, program, MAINTENANCE),
        pointers=pointers,
        related=_ended,
        occurs=lambda s: and_(*books.agree(s)),
    )


def _ended(s: HandlerState) -> Sequence[tuple[Any, Assumption]]:
    idle = and_(*(implies(s.cpu.eisr[l], s.cpu.lr[l].state == 0) for l in range(NR_LRS)))
    return [(idle, Assumption("EISR reports no list register that is pending or active", EXIT))]


def _vcpu_init(program: Program, irqs: int) -> Bound:
    """The creation of a vCPU in a kernel that has read GICH_VTR once, when it came up."""
    name = "kvm_vgic_vcpu_init"

    def abstract(view: View) -> VcpuInitState:
        found = kvm_2012.created(view, view.memory.inputs.bit(VM_HAS_VGIC, ()), view.returned(signed=True))
        return replace(found, cpu=vcpu.vgic_cpu(program, view), vtr=view.word("vgic_nr_lr") - 1)

    counted = Invariant(
        "vgic_nr_lr",
        lambda key, value: and_(le(1, value), le(value, NR_LRS)),
        "vgic_nr_lr is GICH_VTR.ListRegs + 1",
        "kvm_vgic_hyp_init",
    )
    found = kvm_2012.bound(irqs)[name]
    return replace(
        found,
        entry=name,
        abstract=abstract,
        invariants=[*found.invariants, counted],
        bitmaps=vcpu.BITMAPS,
        arguments=partial(arguments, program, name),
        pointers=pointers_without_vgic,
    )
