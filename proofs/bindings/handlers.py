"""Handlers of the distributor's registers, tied to the model: each as the source's table of ranges has it.

`vgic_update_state`, which computes anew what waits for every vCPU, is not run, nor what takes out of the list registers
what the guest disables: that they are called, where the model says so and at the end, is what is judged.  What is not
in a table of `base`, `len` and a function is not bound.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from model.distributor import MAX_CPUS, NR_PRIVATE_IRQS, NR_SGIS
from model.gicd import (
    CTLR,
    ICACTIVER,
    ICENABLER,
    ICFGR,
    ICPENDR,
    IGROUPR,
    IPRIORITYR,
    ISACTIVER,
    ISENABLER,
    ISPENDR,
    ITARGETSR,
    PAGE_SIZE,
    SGIR,
    byte_of,
    lane,
)
from model.gicd_handler import RegisterState, handle, vgic_dispatch_sgi
from properties.property import At
from vgicheck.c.binding import GIVEN, Bound, Invariant, View
from vgicheck.c.cuts import Last, calls
from vgicheck.c.domain import Address
from vgicheck.c.ir import Int, Pointer, Program, StructRef, Unsupported
from vgicheck.c.memory import Inputs
from vgicheck.engine.values import and_, concat, field_of, iff, ite, le, lt, not_, or_, same, widened
from vgicheck.engine.verdict import Assumption

from . import kvm_2012, tables, vcpu
from .kvm_2012 import DIST
from .vgic import KVM, SELF, VCPUS, pointers, the_vcpu

MMIO = "vgicheck_mmio"
SGI = "vgic_dispatch_sgi"
UPDATE = Last("vgic_update_state", lambda inputs: Address(KVM))
RETIRE = Last("vgic_retire_disabled_irqs", the_vcpu)
DISPATCHER = "vgic_handle_mmio"
RANGE = f"{GIVEN}.range"
"""Which of its ranges a handler of several is called for."""
REGISTERS: Mapping[int, str] = {
    CTLR: "GICD_CTLR",
    **dict.fromkeys((r.base for r in (IGROUPR, ISACTIVER, ICACTIVER)), "GICD_IGROUPR"),
    ISENABLER.base: "GICD_ISENABLER",
    ICENABLER.base: "GICD_ICENABLER",
    ISPENDR.base: "GICD_ISPENDR",
    ICPENDR.base: "GICD_ICPENDR",
    IPRIORITYR.base: "GICD_IPRIORITYR",
    ITARGETSR.base: "GICD_ITARGETSR",
    ICFGR.base: "GICD_ICFGR",
    SGIR: "GICD_SGIR",
}
"""What the model calls the registers from an offset on; those that read as zero go by one name."""
_HAS = ("irq_enabled", "irq_cfg", "irq_state")
BITMAPS = frozenset({
    *(f"{DIST}.{name}.{bank}" for name in _HAS for bank in ("percpu[][]", "shared[]")),
    f"{DIST}.irq_spi_target[].shared[]",
})  # fmt: skip
ALIGNED = Assumption("an access is aligned", "the hardware, which faults others to memory that stage 2 maps as Device")
ONLINE = Assumption("the vCPU that accesses is one of those that there are", "kvm_vm_ioctl_create_vcpu")
ONE_TARGET = Assumption(
    "irq_spi_target and irq_spi_cpu say the same, of a vCPU that there is",
    "vgic_set_target_reg, and a guest that names only such vCPUs",
)
INSIDE = Assumption("the whole access is in the handler's range", DISPATCHER)

SGIS_ENABLED = Invariant(
    f"{DIST}.irq_enabled.percpu[][]",
    lambda key, value: or_(le(NR_SGIS, key[1]), value),
    "SGIs are enabled",
    "kvm_vgic_vcpu_init, and the handler of GICD_ICENABLER",
)
"""Where the C enables them after every store, and the model leaves them alone."""


@dataclass(frozen=True, slots=True)
class Range:
    """A row of the table: registers from an offset on, and how many bytes."""

    base: int
    length: int
    handler: str

    @property
    def regular(self) -> bool:
        """The low bits of an offset in the page are those of one in the range."""
        return 4 <= self.length <= PAGE_SIZE and self.base % (1 << (self.length - 1).bit_length()) == 0


def ranges(program: Program) -> list[Range]:
    """List the rows of the source's tables of the distributor's registers.

    They are constant, of `base`, `len` and a function, and have a row for some register that is not at 0.
    """
    return [r for name in program.constants for r in _ranges(program, name)]


def _ranges(program: Program, name: str) -> list[Range]:
    struct = program.structs.get(tables.element(program, name))
    fields = [f.name for f in struct.fields] if struct is not None else []
    calls = [n for n in fields if n not in ("base", "len")]
    if len(fields) != 3 or len(calls) != 1:
        return []
    found = []
    for row in tables.rows(program, name):
        match [row.get(field) for field in ("base", "len", *calls)]:
            case [int(base), int(length), str(handler)]:
                found.append(Range(base, length, handler))
    return found if any(r.base and r.base in REGISTERS for r in found) else []


def bound(program: Program, functions: Collection[str], irqs: int) -> Iterator[Bound]:
    """Yield what is bound of a file with these functions."""
    read = program.functions.keys() & {*functions}
    table: dict[str, list[Range]] = {}
    for row in ranges(program):
        table.setdefault(row.handler, []).append(row)
    for handler, rows in table.items():
        names = list(dict.fromkeys(REGISTERS.get(row.base, "") for row in rows))
        # Where a function sends SGIs, the handler hands it a word of which what was not stored was never set.
        apart = SGI in functions and names == ["GICD_SGIR"]
        if handler in read and "" not in names and not apart and all(row.regular for row in rows):
            numbers = _numbers(program, handler)
            if numbers is not None:
                yield _handler(program, handler, names, rows, irqs, *numbers)
    if SGI in read:
        body = program.functions[SGI]
        match [body.locals[p] for p in body.params]:
            case [Pointer(StructRef("kvm_vcpu")), Int(32)]:
                yield _dispatch_sgi(program, irqs)


def _numbers(program: Program, handler: str) -> tuple[int, int] | None:
    """Return how wide the offset and the result of a handler are; None where it is not called with what all are."""
    body = program.functions[handler]
    match ([body.locals[p] for p in body.params], body.result):
        case ([Pointer(StructRef("kvm_vcpu")), Pointer(StructRef("kvm_exit_mmio")), Int(offset)], Int(result)):
            return offset, result
    return None


def _handler(
    program: Program, handler: str, registers: Sequence[str], rows: Sequence[Range], irqs: int, wide: int, result: int
) -> Bound:
    """A handler, of one kind of registers: of several kinds it is judged too, and is not right for all of them."""
    length = rows[0].length
    low = (length - 1).bit_length()
    called = calls(program, handler, UPDATE.function, RETIRE.function)
    cuts = [cut for cut in (RETIRE, UPDATE) if any(cut.function in names for names in called.values())]
    apart = _updates_apart(program)
    given = f"{GIVEN}.{program.functions[handler].params[2]}"

    def arguments(inputs: Inputs) -> Sequence[Any]:
        if any(row.length != length for row in rows):
            raise Unsupported(f"{handler}() for ranges of several lengths", program.functions[handler].loc)
        return [the_vcpu(inputs), Address(MMIO), inputs.word(given, (), wide)]

    def abstract(view: View) -> RegisterState:
        inputs = view.memory.inputs
        base = rows[0].base >> low
        if len(rows) > 1:
            which = inputs.word(RANGE, (), 8)
            for n, row in enumerate(rows[1:], 1):
                base = ite(which == n, row.base >> low, base, width=12 - low)
        offset = concat((base, 12 - low), (field_of(inputs.word(given, (), wide), low - 1, 0), low))
        told = view.returned(bits=result)
        updates = not_(told == 0) if apart else _called(view, UPDATE)
        return _state(program, view, irqs, offset, told, updates)

    def related(s: RegisterState) -> Sequence[tuple[Any, Assumption]]:
        halves, words = (field_of(s.offset, n, 0) == 0 for n in (0, 1))
        aligned = or_(s.length == 1, and_(s.length == 2, halves), and_(s.length == 4, words))
        end = widened(field_of(s.offset, low - 1, 0), 32) + s.length
        targets = [(_one_target(s), ONE_TARGET)] if "GICD_ITARGETSR" in registers else []
        return [(aligned, ALIGNED), (le(end, length), INSIDE), (lt(s.vcpu_id, s.nr_cpus), ONLINE), *targets]

    def prefer(s: RegisterState, at: At) -> Sequence[Any]:
        return [s.vcpu_id == 0, s.length == 4, s.nr_cpus == 2, at.vcpu == 0, at.source == 0]

    offsets = Invariant(given, lambda key, value: lt(value, length), INSIDE.text, INSIDE.guarantor)
    sgis = [SGIS_ENABLED] if "GICD_ICENABLER" in registers else []
    choice = Invariant(RANGE, lambda key, value: lt(value, len(rows)), "", "")
    return Bound(
        handler,
        handler,
        abstract,
        handle,
        [offsets, choice, *sgis, *_assumed()],
        prefer,
        kvm_2012.Names(),
        BITMAPS | vcpu.BITMAPS,
        arguments=arguments,
        pointers=pointers,
        related=related,
        cuts=cuts,
        like=registers[0],
    )


def _one_target(s: RegisterState) -> Any:
    """Say of the interrupts in the word that is accessed that each goes to one vCPU, the same in both books."""
    facts = []
    for n in range(4):
        intid = concat((field_of(s.offset, 9, 2), 8), (n, 2))
        to = s.irq_spi_cpu[intid]
        books = [iff(s.irq_spi_target[c, intid], to == c) for c in range(MAX_CPUS)]
        facts.append(or_(lt(intid, NR_PRIVATE_IRQS), and_(lt(widened(to, 32), s.nr_cpus), *books)))
    return and_(*facts)


def _updates_apart(program: Program) -> bool:
    """Say whether it is not the handlers that compute what waits, but who calls them, where they return true."""
    return UPDATE.function in calls(program, DISPATCHER).get(DISPATCHER, ())


def _dispatch_sgi(program: Program, irqs: int) -> Bound:
    name = SGI
    _, word = program.functions[name].params

    def arguments(inputs: Inputs) -> Sequence[Any]:
        return [the_vcpu(inputs), inputs.word(f"{GIVEN}.{word}", (), 32)]

    def abstract(view: View) -> RegisterState:
        found = _state(program, view, irqs, SGIR, 0, False)
        return replace(found, data=view.memory.inputs.word(f"{GIVEN}.{word}", (), 32), length=4, is_write=True)

    def prefer(s: RegisterState, at: At) -> Sequence[Any]:
        return [s.vcpu_id == 0, s.nr_cpus == 2, at.vcpu == 0, at.source == 0]

    return Bound(
        name, name, abstract, vgic_dispatch_sgi, _assumed(), prefer, kvm_2012.Names(), BITMAPS | vcpu.BITMAPS,
        arguments=arguments, pointers=pointers,
    )  # fmt: skip


# Reading the state ------------------------------------------------------------------------------------------------


def _state(program: Program, view: View, irqs: int, offset: Any, told: Any, updates: Any) -> RegisterState:
    def targeted(cpu: Any, intid: Any) -> Any:
        return view.bit(f"{DIST}.irq_spi_target[].shared[]", cpu, widened(intid, 32) - NR_PRIVATE_IRQS)

    def spi_cpu(intid: Any) -> Any:
        return view.word(f"{DIST}.irq_spi_cpu[]", widened(intid, 32) - NR_PRIVATE_IRQS, bits=8)

    data = [view.word(f"{MMIO}.data[]", n, bits=8) for n in range(8)]
    return RegisterState(
        vcpu_id=widened(view.memory.inputs.word(SELF, (), 3), 32),
        nr_cpus=view.word(f"{KVM}.online_vcpus.counter"),
        nr_irqs=irqs,
        offset=offset,
        length=view.word(f"{MMIO}.len"),
        is_write=not_(view.word(f"{MMIO}.is_write", bits=8) == 0),
        data=concat(*((b, 8) for b in reversed(data[:4]))),
        beyond=concat(*((b, 8) for b in reversed(data[4:]))),
        enabled=view.word(f"{DIST}.enabled"),
        irq_enabled=kvm_2012.banked(view, "irq_enabled"),
        irq_cfg=kvm_2012.banked(view, "irq_cfg"),
        irq_state=kvm_2012.banked(view, "irq_state"),
        irq_priority=view.map(partial(_priority, view, _by_bits(program)), width=8),
        irq_spi_cpu=view.map(spi_cpu, width=8),
        irq_spi_target=view.map(targeted),
        sgi_sources=kvm_2012.sgi_sources(view),
        retires=_called(view, RETIRE),
        updates=updates,
        told=told,
    )


def _priority(view: View, by_bits: bool, bank: Any, intid: Any) -> Any:
    """Return the byte of an interrupt in a `struct vgic_bytemap`: of words, or, in 2012, of words kept bit by bit."""
    private, shared = f"{DIST}.irq_priority.percpu[][]", f"{DIST}.irq_priority.shared[]"
    wide = widened(intid, 32)

    def own() -> Any:
        if by_bits:
            return byte_of([view.bit(private, bank, 8 * wide + n) for n in range(8)])
        return lane(view.word(private, bank, field_of(intid, 9, 2)), field_of(intid, 1, 0))

    def of_all() -> Any:
        at = wide - NR_PRIVATE_IRQS
        if by_bits:
            return byte_of([view.bit(shared, 8 * at + n) for n in range(8)])
        return lane(view.word(shared, field_of(at, 31, 2)), field_of(intid, 1, 0))

    if isinstance(intid, int):
        return own() if intid < NR_PRIVATE_IRQS else of_all()
    return ite(lt(intid, NR_PRIVATE_IRQS), own(), of_all(), width=8)


def _by_bits(program: Program) -> bool:
    """Say whether a `struct vgic_bytemap` has unions that view words as bitmaps."""
    struct = program.structs.get("vgic_bytemap")
    return any(isinstance(f.type, StructRef) for f in (struct.fields if struct else ()))


def _called(view: View, cut: Last) -> Any:
    return not_(view.word(cut.region, bits=8) == 0)


def _assumed() -> list[Invariant]:
    def holds(region: str, limit: int, text: str, guarantor: str) -> Invariant:
        return Invariant(region, lambda key, value: lt(value, limit), text, guarantor)

    widths = "an access is of 1, 2 or 4 bytes"
    return [
        Invariant(f"{MMIO}.len", lambda key, value: or_(*(value == n for n in (1, 2, 4))), widths, "decode_hsr"),
        Invariant(
            f"{VCPUS}[].vcpu_id",
            lambda key, value: same(value, key[0]),
            "vCPUs stand in kvm->vcpus by their ids",
            "the VMM, which creates them in this order",
        ),
        holds(f"{MMIO}.is_write", 2, "", ""),
        holds(f"{DIST}.enabled", 2, "", ""),
        holds(f"{DIST}.irq_spi_cpu[]", MAX_CPUS, f"irq_spi_cpu is below {MAX_CPUS}", "vgic_set_target_reg"),
        holds(
            f"{KVM}.online_vcpus.counter",
            MAX_CPUS + 1,
            f"there are at most {MAX_CPUS} vCPUs",
            "kvm_vm_ioctl_create_vcpu",
        ),
        *(holds(cut.region, 1, "", "") for cut in (RETIRE, UPDATE)),
    ]
