"""The whole files of September and November 2012, whose handler does everything itself, tied to the model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from model.distributor import LR_EMPTY
from model.handler import HandlerState
from model.init import VcpuInitState
from model.queue_irq import QueueState
from vgicheck.c.binding import Bound, Invariant, View
from vgicheck.c.ir import Assign, Binary, Const, Load, Member, Program, parts, stripped
from vgicheck.engine.values import and_, field_of, is_symbolic, lt, not_, or_
from vgicheck.engine.verdict import Assumption

from . import books, kvm_2012, vcpu
from .called import LIVE, LOADED, VM_HAS_VGIC, arguments, pointers, pointers_without_vgic

COUNT = f"{kvm_2012.CPU}.irq_active_count.counter"
COUNTED = Assumption("irq_active_count, which the model leaves out, decides nothing", "the file, which never reads it")

PRIVATE_EDGES = Invariant(
    f"{kvm_2012.DIST}.irq_cfg.percpu[][]",
    lambda key, value: value if is_symbolic(value) else bool(value),
    "private interrupts are edge-triggered",
    "kvm_vgic_vcpu_init, and a guest that leaves GICD_ICFGR1 alone",
)
"""What 2012 needs, since it reads the configuration of every private interrupt in the bank of vCPU 0."""


def bound(program: Program, functions: Collection[str], irqs: int) -> Iterator[Bound]:
    """Yield what is bound of a file with these functions."""
    ignored = {COUNT: COUNTED} if _only_counted(program) else {}
    if "vgic_maintenance_handler" in functions and "vgic_process_maintenance" not in functions:
        yield replace(_handler(program, irqs), ignored=ignored)
    if "kvm_vgic_vcpu_init" in functions and "vgic_nr_lr" not in program.globals:
        yield _vcpu_init(program, irqs)
    if "vgic_queue_irq" in functions and "__kvm_vgic_sync_to_cpu" in functions:
        yield replace(_queue_irq(program, irqs), ignored=ignored)
    if "__kvm_vgic_sync_from_cpu" in functions:
        yield vcpu.sync(program, "__kvm_vgic_sync_from_cpu", irqs)


def _handler(program: Program, irqs: int) -> Bound:
    name = "vgic_maintenance_handler"

    def abstract(view: View) -> HandlerState:
        inputs = view.memory.inputs
        return kvm_2012.handled(view, inputs.bit(LOADED, ()), inputs.bit(LIVE, ()), view.returned())

    return replace(
        kvm_2012.bound(irqs)[name],
        entry=name,
        abstract=abstract,
        arguments=partial(arguments, program, name),
        pointers=pointers,
        occurs=lambda s: and_(*books.agree(s)),
    )


def _vcpu_init(program: Program, irqs: int) -> Bound:
    """The creation of a vCPU that reads the number of list registers itself."""
    name = "kvm_vgic_vcpu_init"

    def abstract(view: View) -> VcpuInitState:
        return kvm_2012.created(view, view.memory.inputs.bit(VM_HAS_VGIC, ()), view.returned(signed=True))

    return replace(
        kvm_2012.bound(irqs)[name],
        entry=name,
        abstract=abstract,
        arguments=partial(arguments, program, name),
        pointers=pointers_without_vgic,
    )


def _queue_irq(program: Program, irqs: int) -> Bound:
    """How 2012 finds a list register: in the saved ELRSR."""
    found = vcpu.queue_irq(program, irqs)
    return replace(found, invariants=[*found.invariants, PRIVATE_EDGES], related=_mapped)


def _mapped(s: QueueState) -> Sequence[tuple[Any, Assumption]]:
    at = s.cpu.irq_lr_map[field_of(s.irq, 9, 0)]
    l = field_of(at, 5, 0)
    fact = and_(lt(l, s.cpu.nr_lr), s.cpu.lr_used[l], not_(s.cpu.elrsr[l]))
    guarantor = "__kvm_vgic_sync_from_cpu, which unmaps those that are"
    return [(or_(at == LR_EMPTY, fact), Assumption("a mapped list register is not reported empty", guarantor))]


# A count that nobody reads -------------------------------------------------------------------------------------


def _only_counted(program: Program) -> bool:
    """Say whether the source does nothing with irq_active_count but count."""
    return not any(
        isinstance(part, Member) and part.name == "irq_active_count"
        for f in program.functions.values()
        for block in f.blocks
        for node in (*block.instructions, block.terminator)
        if not _counts(node)
        for part in parts(node)
    )


def _counts(node: Any) -> bool:
    """Say whether an instruction is an `atomic_inc` or an `atomic_dec` whose result nobody uses."""
    value = stripped(node.value) if isinstance(node, Assign) else None
    return (
        isinstance(value, Binary)
        and isinstance(value.left, Load)
        and value.left.lvalue == node.target
        and isinstance(value.right, Const)
    )
