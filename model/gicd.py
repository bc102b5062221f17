"""The register map of a GICv2 distributor, and an access to it: which bytes it reaches, and what it puts there.

A register holds a field of 1, 2 or 8 bits for each of several interrupts (IHI 0048B 4.3); those of private interrupts
(INTIDs 0..31) are banked, a copy for each vCPU.  An access of 1, 2 or 4 bytes touches up to 32 interrupts at once, so
everything here is asked about one interrupt, or about one byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from vgicheck.engine.values import (
    Width,
    and_,
    any_of,
    bit,
    concat,
    field_of,
    flag,
    ite,
    le,
    lt,
    not_,
    or_,
    same,
    widened,
)

from .distributor import NR_SGIS, Word
from .generation import Switches
from .gich import FIRST_SPECIAL_INTID
from .vm import bank_of

Offset = Annotated[int, Width(12)]
Byte = Annotated[int, Width(8)]
Key = tuple[int, ...]
PAGE_SIZE = 0x1000


@dataclass(frozen=True, slots=True)
class Registers:
    """Registers with a field for each interrupt: `bits` wide, 1, 2 or 8, one after the other from `base` on."""

    base: int
    bits: int

    def byte_of(self, intid: int) -> Offset:
        """Return the offset of the byte that holds the interrupt's field."""
        return widened(field_of(intid, 9, 3 - self._log2()), 12) + self.base

    def first_of(self, byte: Offset) -> int:
        """Return the lowest interrupt with a field in this byte."""
        low = 3 - self._log2()
        return concat((field_of(byte, 9 - low, 0), 10 - low), (0, low)) if low else field_of(byte, 9, 0)

    def holds(self, byte: Offset) -> bool:
        """Say whether the byte is one of these registers'; there is room for 1024 interrupts."""
        low = 7 + self._log2()
        return field_of(byte, 11, low) == self.base >> low

    def span(self, nr_irqs: int) -> int:
        """Return the size in bytes for this number of interrupts."""
        return field_of(nr_irqs, 10, 3 - self._log2())

    def _log2(self) -> int:
        return self.bits.bit_length() - 1


CTLR, TYPER, IIDR = 0x000, 0x004, 0x008
IGROUPR = Registers(0x080, 1)
ISENABLER, ICENABLER = Registers(0x100, 1), Registers(0x180, 1)
ISPENDR, ICPENDR = Registers(0x200, 1), Registers(0x280, 1)
ISACTIVER, ICACTIVER = Registers(0x300, 1), Registers(0x380, 1)
IPRIORITYR, ITARGETSR = Registers(0x400, 8), Registers(0x800, 8)
ICFGR = Registers(0xC00, 2)
SGIR, CPENDSGIR, SPENDSGIR = 0xF00, 0xF10, 0xF20
PER_IRQ = (IGROUPR, ISENABLER, ICENABLER, ISPENDR, ICPENDR, ISACTIVER, ICACTIVER, IPRIORITYR, ITARGETSR, ICFGR)
"""The registers in the table of ranges of 2012, beside the three in front and GICD_SGIR."""


@dataclass(frozen=True, slots=True)
class Access:
    """A load or store of the guest: the offset in the distributor's page, and so many bytes from there.

    `data` is what a store brings, its first byte in bits 7:0.
    """

    offset: Offset
    length: Annotated[int, Width(4)]
    is_write: bool
    data: Word


@dataclass(frozen=True, slots=True)
class Accessing:
    """An access, who makes it, and to how large a distributor.

    handled    it is done with here; else it goes to the VMM
    performed  it may do something
    """

    access: Access
    vcpu: int
    nr_cpus: int
    nr_irqs: int
    switches: Switches
    handled: bool
    performed: bool

    def covers(self, byte: Offset) -> bool:
        """The access reaches this byte."""
        if self.switches.mmio_lanes:
            return lt(field_of(byte - self.access.offset, 11, 0), self.access.length)
        return and_(self.same_word(byte), le(self.access.offset, byte))

    def same_word(self, byte: Offset) -> bool:
        """The access begins in the word that holds this byte."""
        return field_of(byte, 11, 2) == field_of(self.access.offset, 11, 2)

    def stored(self, byte: Offset) -> Byte:
        """Return what a store puts into a byte that it covers."""
        return lane(self.access.data, field_of(byte - self.access.offset, 1, 0))

    def owns(self, key: Key) -> bool:
        """The state under this key of a `PerIrq` map is that of an interrupt of the VM, as this vCPU sees it."""
        bank, intid = key
        return and_(self.exists(intid), same((bank, intid), bank_of(self.vcpu, intid)))

    def exists(self, intid: int) -> bool:
        """The interrupt is one of the VM's."""
        special = le(FIRST_SPECIAL_INTID, intid) if self.switches.mmio_no_special_ids else False
        return and_(lt(intid, self.nr_irqs), not_(special))

    def stores_one(self, registers: Registers, key: Key) -> bool:
        """A store puts a one into the interrupt's bit in registers of one bit each."""
        byte = registers.byte_of(key[1])
        one = bit_at(self.stored(byte), field_of(key[1], 2, 0))
        return and_(self.performed, self.owns(key), self.covers(byte), one)

    def stores_source(self, base: int, key: Key) -> bool:
        """A store puts a one into a sender's bit in GICD_CPENDSGIR or GICD_SPENDSGIR."""
        target, number, source = key
        byte = widened(number, 12) + base
        one = bit_at(self.stored(byte), source)
        acts = and_(self.switches.mmio_sgi_sources, self.performed, self.covers(byte))
        return and_(acts, target == self.vcpu, lt(source, self.nr_cpus), one)


def accessing(access: Access, vcpu: int, nr_cpus: int, nr_irqs: int, switches: Switches) -> Accessing:
    """Look an access up: in the distributor's page, or, in 2012, in a table of ranges.

    Only an aligned access of 1, 2 or 4 bytes does something; in 2012 nobody looked at that.
    """
    if switches.mmio_whole_page:
        handled = within(access, 0, PAGE_SIZE)
    else:
        handled = any_of(ranges(nr_irqs, switches), lambda row: within(access, *row))
    aligned = or_(
        access.length == 1,
        and_(access.length == 2, field_of(access.offset, 0, 0) == 0),
        and_(access.length == 4, field_of(access.offset, 1, 0) == 0),
    )
    performed = and_(handled, or_(not_(switches.mmio_lanes), aligned))
    return Accessing(access, vcpu, nr_cpus, nr_irqs, switches, handled, performed)


def ranges(nr_irqs: int, switches: Switches) -> list[tuple[Offset, int]]:
    """List the ranges of registers: the offset of the first byte, and how many bytes there are."""
    per_irq = [(registers.base, registers.span(nr_irqs)) for registers in PER_IRQ]
    sources = [(CPENDSGIR, 2 * NR_SGIS)] if switches.mmio_sgi_sources else []
    return [(CTLR, 12), *per_irq, (SGIR, 4), *sources]


def within(access: Access, base: int, size: int) -> bool:
    """Say whether all of an access is in a range."""
    end = widened(access.offset, 13) + widened(access.length, 13)
    return and_(le(base, access.offset), le(end, base + widened(size, 13)))


def lane(word: int, index: int) -> Byte:
    """Return byte 0..3 of a word."""
    upper = ite(bit(index, 0), field_of(word, 31, 24), field_of(word, 23, 16), width=8)
    lower = ite(bit(index, 0), field_of(word, 15, 8), field_of(word, 7, 0), width=8)
    return ite(bit(index, 1), upper, lower, width=8)


def bit_at(byte: Byte, index: int) -> bool:
    """Return bit 0..7 of a byte."""
    return any_of(range(8), lambda n: and_(index == n, bit(byte, n)))


def byte_of(bits: Sequence[bool]) -> Byte:
    """Return eight truth values as a byte, the first in bit 0."""
    return concat(*((flag(b), 1) for b in reversed(bits)))
