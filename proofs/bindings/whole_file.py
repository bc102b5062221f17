"""Functions of a whole vgic.c, tied to the model: which function of a generation is what, and how it is called.

A field that the C does not have as it is read here makes the function `unsupported`; nothing is looked for under
another name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

from model.distributor import LR_EMPTY, NR_LRS, VgicCpu, bank
from model.gich import Gich, is_empty, is_ended, is_valid, misr
from model.handler import HandlerState
from model.init import VcpuInitState
from model.lr import EMPTY
from model.queue_irq import QueueState, vgic_queue_irq
from model.sync import SyncState, kvm_vgic_sync_from_cpu
from properties.property import At
from vgicheck.c.binding import GIVEN, Bound, Invariant, View
from vgicheck.c.domain import NULL, Address, Domain, Opaque
from vgicheck.c.ir import (
    Assign,
    Binary,
    Const,
    Convert,
    Int,
    Load,
    Member,
    Pointer,
    Program,
    StructRef,
    Unsupported,
    Void,
)
from vgicheck.c.memory import Inputs, Place
from vgicheck.engine.maps import Key
from vgicheck.engine.values import and_, field_of, iff, implies, is_symbolic, lt, not_, or_, same
from vgicheck.engine.verdict import Assumption

from . import kvm_2012
from .vgic import KVM, RUNNING, nr_irqs

CALLER = "__kvm_vgic_sync_to_cpu, from what it loops over"
VCPU = "vgicheck_vcpu"
LOADED, LIVE, VM_HAS_VGIC = (f"{GIVEN}.{name}" for name in ("vcpu_loaded", "registers_are_its", "vm_has_vgic"))
COUNT = f"{kvm_2012.CPU}.irq_active_count.counter"
COUNTED = Assumption("irq_active_count, which the model leaves out, decides nothing", "the file, which never reads it")
REGISTERS_OF = "vgic_live_vcpu"
"""The variable that says whose state the registers of a CPU hold, where a source keeps one."""
BOUNDS = {
    "vgic_maintenance_handler": "nr_lr 1..64, vCPUs 1..8, INTID {irqs}",
    "__kvm_vgic_sync_from_cpu": "nr_lr 1..64, vCPUs 1..8, INTID {irqs}",
    "vgic_queue_irq": "nr_lr 1..64, vCPUs 1..8, INTID {irqs}",
    "kvm_vgic_vcpu_init": "GICH_VTR any, vCPUs 1..8, INTID {irqs}",
}


def bound(program: Program, functions: Collection[str]) -> dict[str, Bound]:
    """Return what is bound of a source with these functions, by function."""
    irqs = nr_irqs(program)
    found = {}
    if irqs and "vgic_maintenance_handler" in functions and "vgic_process_maintenance" not in functions:
        found["vgic_maintenance_handler"] = _handler(program, irqs)
    if irqs and "kvm_vgic_vcpu_init" in functions and "vgic_nr_lr" not in program.globals:
        found["kvm_vgic_vcpu_init"] = _vcpu_init(program, irqs)
    if irqs and "vgic_queue_irq" in functions and "__kvm_vgic_sync_to_cpu" in functions:
        found["vgic_queue_irq"] = _queue_irq(program, irqs)
    if irqs and "__kvm_vgic_sync_from_cpu" in functions:
        found["__kvm_vgic_sync_from_cpu"] = _sync(program, irqs)
    return found


def bounds(program: Program, function: str) -> str:
    """Say for which states a function is judged."""
    return BOUNDS[function].format(irqs=f"0..{nr_irqs(program) - 1}")


# How a function is called -----------------------------------------------------------------------------------


def _arguments(program: Program, function: str, inputs: Inputs) -> Sequence[Any]:
    """Return what a function is called with: the VM, the vCPU at hand, an interrupt's cookie, and any numbers.

    Raises `Unsupported` for a parameter of any other type.
    """
    found: list[Any] = []
    body = program.functions[function]
    for name in body.params:
        kind = body.locals[name]
        if isinstance(kind, Int):
            found.append(inputs.word(f"{GIVEN}.{name}", (), kind.bits))
            continue
        target = kind.target if isinstance(kind, Pointer) else None
        known = {StructRef("kvm"): Address(KVM), StructRef("kvm_vcpu"): Address(VCPU), Void(): Address(RUNNING)}
        if target not in known:
            raise Unsupported(f"the parameter {name} of {function}(), which the binding does not know", body.loc)
        found.append(known[target])
    return found


def _pointers(inputs: Inputs, domain: Domain, place: Place, key: Key) -> Any:
    """Return what a pointer in memory leads to, where there is one vCPU at hand; to another none does."""
    target = place.type.target if isinstance(place.type, Pointer) else Void()
    if place.region == RUNNING:
        loaded = domain.guards.of(inputs.bit(LOADED, ()))
        return domain.choice([(loaded, Address(VCPU)), (domain.guards.not_(loaded), NULL)])
    if place.region == REGISTERS_OF:
        live = domain.guards.of(inputs.bit(LIVE, ()))
        return domain.choice([(live, Address(VCPU)), (domain.guards.not_(live), NULL)])
    if target == StructRef("kvm"):
        return Address(KVM)
    if isinstance(target, Void) and place.region.endswith("vctrl_base"):
        return Address("vgicheck_gich", (0,))
    return Opaque(place.region)


# The maintenance handler --------------------------------------------------------------------------------------


def _handler(program: Program, irqs: int) -> Bound:
    """The handler of 2012, which does everything itself."""
    name = "vgic_maintenance_handler"
    return replace(
        kvm_2012.bound(irqs)[name],
        entry=name,
        abstract=_handler_state,
        ignored={COUNT: COUNTED} if _only_counted(program) else {},
        arguments=partial(_arguments, program, name),
        pointers=_pointers,
        occurs=lambda s: and_(*_books_agree(s)),
    )


def _vcpu_init(program: Program, irqs: int) -> Bound:
    """The creation of a vCPU that reads the number of list registers itself."""
    name = "kvm_vgic_vcpu_init"

    def abstract(view: View) -> VcpuInitState:
        return kvm_2012.created(view, view.memory.inputs.bit(VM_HAS_VGIC, ()), view.returned(signed=True))

    def pointers(inputs: Inputs, domain: Domain, place: Place, key: Key) -> Any:
        found = _pointers(inputs, domain, place, key)
        if place.region != f"{kvm_2012.DIST}.vctrl_base":
            return found
        there = domain.guards.of(inputs.bit(VM_HAS_VGIC, ()))
        return domain.choice([(there, found), (domain.guards.not_(there), NULL)])

    return replace(
        kvm_2012.bound(irqs)[name],
        entry=name,
        abstract=abstract,
        arguments=partial(_arguments, program, name),
        pointers=pointers,
    )


# Queueing -----------------------------------------------------------------------------------------------------


def _queue_irq(program: Program, irqs: int) -> Bound:
    """How 2012 finds a list register: in the saved ELRSR."""
    name = "vgic_queue_irq"
    cpu, dist = kvm_2012.CPU, kvm_2012.DIST

    def abstract(view: View) -> QueueState:
        inputs = view.memory.inputs
        _, source, irq = program.functions[name].params
        return QueueState(
            vcpu_id=view.word(f"{VCPU}.vcpu_id"),
            irq=inputs.word(f"{GIVEN}.{irq}", (), 32),
            source=inputs.word(f"{GIVEN}.{source}", (), 8),
            cpu=kvm_2012.vgic_cpu(view),
            irq_cfg=kvm_2012.banked(view, "irq_cfg"),
            queued=view.returned(),
        )

    def prefer(s: QueueState, at: At) -> Sequence[Any]:
        return [s.vcpu_id == 0, s.irq == 34, s.cpu.nr_lr == 4, at.intid == 34, at.lr == 0]

    parameters = program.functions[name].params if name in program.functions else ("", "", "")
    own = [
        Invariant(f"{GIVEN}.{parameters[-1]}", lambda key, value: lt(value, irqs), "irq is below VGIC_NR_IRQS", CALLER),
        Invariant(f"{GIVEN}.{parameters[-2]}", lambda key, value: lt(value, 8), "who sent an SGI is below 8", CALLER),
        Invariant(
            f"{dist}.irq_cfg.percpu[][]",
            lambda key, value: value if is_symbolic(value) else bool(value),
            "private interrupts are edge-triggered",
            "kvm_vgic_vcpu_init, and a guest that leaves GICD_ICFGR1 alone",
        ),
        Invariant(
            f"{cpu}.vgic_irq_lr_map[]",
            lambda key, value: or_(lt(value, NR_LRS), value == LR_EMPTY),
            "vgic_irq_lr_map holds list registers or LR_EMPTY",
            "vgic_queue_irq",
        ),
    ]
    handler = kvm_2012.bound(irqs)["vgic_maintenance_handler"]
    return Bound(
        name,
        name,
        abstract,
        vgic_queue_irq,
        [*(i for i in handler.invariants if not i.region.startswith(kvm_2012.WORLD)), *own],
        prefer,
        kvm_2012.Names(),
        kvm_2012.BITMAPS,
        ignored={COUNT: COUNTED} if _only_counted(program) else {},
        arguments=partial(_arguments, program, name),
        pointers=_pointers,
        related=_mapped,
        occurs=lambda s: and_(*_in_use(s)),
    )


def _sync(program: Program, irqs: int) -> Bound:
    """The sync of 2012, which leaves EISR to the handler."""
    name = "__kvm_vgic_sync_from_cpu"

    def abstract(view: View) -> SyncState:
        oracle = kvm_2012.distributor(view).pending_on_cpu
        return SyncState(view.word(f"{VCPU}.vcpu_id"), kvm_2012.vgic_cpu(view), oracle)

    def prefer(s: SyncState, at: At) -> Sequence[Any]:
        return [s.vcpu_id == 0, s.cpu.nr_lr == 4, at.lr == 0, at.intid == 34, at.vcpu == 0]

    handler = kvm_2012.bound(irqs)["vgic_maintenance_handler"]
    return Bound(
        name,
        name,
        abstract,
        kvm_vgic_sync_from_cpu,
        [i for i in handler.invariants if not i.region.startswith(kvm_2012.WORLD)],
        prefer,
        kvm_2012.Names(),
        kvm_2012.BITMAPS,
        arguments=partial(_arguments, program, name),
        pointers=_pointers,
        occurs=lambda s: and_(*_saved(s.cpu)),
    )


def _mapped(s: QueueState) -> Sequence[tuple[Any, Assumption]]:
    at = s.cpu.irq_lr_map[field_of(s.irq, 9, 0)]
    l = field_of(at, 5, 0)
    fact = and_(lt(l, s.cpu.nr_lr), s.cpu.lr_used[l], not_(s.cpu.elrsr[l]))
    guarantor = "__kvm_vgic_sync_from_cpu, which unmaps those that are"
    return [(or_(at == LR_EMPTY, fact), Assumption("a mapped list register is not reported empty", guarantor))]


def _in_use(s: QueueState) -> Iterator[Any]:
    """Yield what holds of the books after a sync: what is in use is mapped, and the rest is empty."""
    cpu, intid = s.cpu, field_of(s.irq, 9, 0)
    at = cpu.irq_lr_map[intid]
    yield or_(at == LR_EMPTY, cpu.lr[field_of(at, 5, 0)].virtual_id == intid)
    for l in range(NR_LRS):
        lr, there = cpu.lr[l], lt(l, cpu.nr_lr)
        yield iff(cpu.elrsr[l], and_(there, not_(cpu.lr_used[l])))
        yield implies(cpu.lr_used[l], and_(there, is_valid(lr), cpu.irq_lr_map[lr.virtual_id] == l))
        yield or_(cpu.lr_used[l], same(lr, EMPTY))


def _only_counted(program: Program) -> bool:
    """Say whether the source does nothing with irq_active_count but count."""
    return not any(
        _mentions(node, "irq_active_count")
        for f in program.functions.values()
        for block in f.blocks
        for node in (*block.instructions, block.terminator)
        if not _counts(node)
    )


def _counts(node: Any) -> bool:
    """Say whether an instruction is an `atomic_inc` or an `atomic_dec` whose result nobody uses."""
    value = node.value if isinstance(node, Assign) else None
    while isinstance(value, Convert):
        value = value.operand
    return (
        isinstance(value, Binary)
        and isinstance(value.left, Load)
        and value.left.lvalue == node.target
        and isinstance(value.right, Const)
    )


def _mentions(node: Any, member: str) -> bool:
    """Say whether a member of a struct is named in a part of a program."""
    if isinstance(node, Member) and node.name == member:
        return True
    parts = (
        node
        if isinstance(node, tuple)
        else tuple(getattr(node, f.name) for f in fields(node))
        if is_dataclass(node)
        else ()
    )
    return any(_mentions(part, member) for part in parts)


def _handler_state(view: View) -> HandlerState:
    inputs = view.memory.inputs
    return kvm_2012.handled(view, inputs.bit(LOADED, ()), inputs.bit(LIVE, ()), view.returned())


def _books_agree(s: HandlerState) -> Iterator[Any]:
    """Yield what holds of the vCPU's books after an exit: what was saved is what the list registers then said."""
    cpu = s.cpu
    saved = Gich(cpu.nr_lr, cpu.lr, cpu.hcr, s.hw.vmcr, s.hw.apr)
    yield same(cpu.misr, misr(saved))
    yield from _saved(cpu)
    for l in range(NR_LRS):
        lr = cpu.lr[l]
        yield implies(and_(cpu.lr_used[l], lr.eoi), s.dist.irq_active[bank(s.vcpu_id, lr.virtual_id)])
        yield implies(s.live, same(s.hw.lr[l], lr))
    yield implies(s.live, and_(s.loaded, same(s.hw.hcr, cpu.hcr)))


def _saved(cpu: VgicCpu) -> Iterator[Any]:
    """Yield what holds of EISR and ELRSR as an exit saved them, and of what is kept of the list registers."""
    for l in range(NR_LRS):
        lr, there = cpu.lr[l], lt(l, cpu.nr_lr)
        yield implies(not_(there), same(lr, EMPTY))
        yield iff(cpu.eisr[l], and_(there, is_ended(lr)))
        yield iff(cpu.elrsr[l], and_(there, is_empty(lr)))
        yield implies(and_(there, or_(is_valid(lr), is_ended(lr))), cpu.lr_used[l])
        yield implies(cpu.lr_used[l], and_(there, cpu.irq_lr_map[lr.virtual_id] == l))
