"""The accessors of registers of v4.7 on: what a table of struct vgic_register_region says of how they are called.

vgic_get_mmio_region looks for the region of an access, and refuses one that is not aligned, has a width that the region
does not allow, or is to an interrupt that there is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vgicheck.c.binding import GIVEN, Invariant
from vgicheck.c.ir import U32, Function, Int, Pointer, Program, StructRef
from vgicheck.c.memory import Inputs
from vgicheck.engine.maps import Key
from vgicheck.engine.values import and_, field_of, le, lt, or_, widened

from .tables import element, rows

REGION = "vgic_register_region"
FRAME_BITS = 12
"""A frame of registers is 4 KB, and stands at a multiple of that."""
CHECKS = "vgic_get_mmio_region, which finds no register for any other access"
_FIRST = [Pointer(StructRef("kvm_vcpu")), Int(64, False), U32]
"""What an accessor is called with: the vCPU, an address, a length, and perhaps a value."""
_WIDTHS = {1: 1, 2: 4, 4: 8}
"""The bytes of an access, by VGIC_ACCESS_8bit and so on."""


@dataclass(frozen=True, slots=True)
class Register:
    """The bytes of a frame that an accessor is for, from the first on, and how many an access to them has."""

    first: int
    length: int
    widths: tuple[int, ...]


def registers(program: Program, function: str, irqs: int) -> list[Register]:
    """List the registers that a function is an accessor of; `irqs` is how many interrupts there are.

    None of one that is called in another way, or of which a register lies outside of the frame: of those nothing is
    assumed.
    """
    called = program.functions.get(function)
    if called is None or [called.locals[p] for p in called.params[:3]] != _FIRST:
        return []
    found = [r for accessors, r in _table(program, irqs) if function in accessors]
    return found if all(r.first + r.length <= 1 << FRAME_BITS for r in found) else []


def _table(program: Program, irqs: int) -> Iterator[tuple[set[str], Register]]:
    for name in program.constants:
        for row in rows(program, name) if element(program, name) == REGION else ():
            numbers = {member: value for member, value in row.items() if isinstance(value, int)}
            flags, each = numbers.get("access_flags", 0), numbers.get("bits_per_irq", 0)
            length = irqs * each // 8 if each else numbers.get("len", 0)
            widths = tuple(bytes_ for flag, bytes_ in _WIDTHS.items() if flags & flag)
            accessors = {value for value in row.values() if isinstance(value, str)}
            yield accessors, Register(numbers.get("reg_offset", 0), length, widths)


def arguments(function: Function, found: Sequence[Register], online: str) -> Iterator[Invariant]:
    """Yield what is assumed of the address and of the length that an accessor of registers is called with.

    `online` is the region of the number of vCPUs, of which one makes the access.
    """
    if not found:
        return
    address, length = function.params[1:3]

    def of_one(key: Key, value: Any) -> Any:
        at = field_of(value, FRAME_BITS - 1, 0)
        return or_(*(and_(le(r.first, at), lt(at, r.first + r.length)) for r in found))

    def of_a_width(key: Key, value: Any) -> Any:
        return or_(*(value == bytes_ for bytes_ in sorted({w for r in found for w in r.widths})))

    text = "an access is aligned, to a register that the accessor is for, and to an interrupt that there is"
    yield Invariant(f"{GIVEN}.{address}", of_one, text, CHECKS)
    yield Invariant(f"{GIVEN}.{length}", of_a_width, text, CHECKS)
    yield Invariant(online, lambda key, value: le(1, value), "there is a vCPU", "kvm_vm_ioctl_create_vcpu")


def address(inputs: Inputs, function: Function) -> Any:
    """Return an address that the length of the access divides: that which is given, without its last bits."""
    name, length = function.params[1:3]
    kind = function.locals[name]
    assert isinstance(kind, Int)
    given = inputs.word(f"{GIVEN}.{name}", (), kind.bits)
    return given & -widened(inputs.word(f"{GIVEN}.{length}", (), 32), kind.bits)
