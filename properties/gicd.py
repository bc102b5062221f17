"""The architecture's register map of a GICv2 distributor, as the properties of its registers use it.

Registers of one kind are one long row of fields (IHI 0048B table 4-1): the field of an interrupt is `bits * INTID` bits
behind the base, and an access is a window of `8 * length` bits on that row.  The model decodes offsets instead.

A key (vCPU, INTID) in use is one of a private interrupt with any vCPU, or of a shared one with vCPU 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.mmio import MmioState
from vgicheck.engine.values import and_, any_of, bit, field_of, iff, ite, lt, not_, or_, widened

from .property import At

NR_PRIVATE = 32
NR_SGIS = 16
PAGE = 0x1000
GICD_CTLR, GICD_TYPER, GICD_IIDR, GICD_SGIR = 0x000, 0x004, 0x008, 0xF00


@dataclass(frozen=True, slots=True)
class Row:
    """A row of fields: so many bits for each interrupt, or for each SGI."""

    base: int
    bits: int

    def position(self, s: MmioState, number: int) -> int:
        """Return how many bits behind the start of the access the field lies; a field in front of it is far behind."""
        behind = widened(number, 16) * self.bits + 8 * self.base - 8 * widened(s.access.offset, 16)
        return field_of(behind, 15, 0)

    def covered(self, s: MmioState, number: int) -> bool:
        """The access reaches the field."""
        return lt(self.position(s, number), 8 * widened(s.access.length, 16))

    def in_word(self, s: MmioState, number: int) -> bool:
        """The access begins in the aligned word in which the field lies."""
        field = widened(number, 16) * self.bits + 8 * self.base
        return field_of(field, 15, 5) == widened(field_of(s.access.offset, 11, 2), 11)

    def flag_in(self, word: int, s: MmioState, number: int, upper: int = 0) -> bool:
        """Return a bit of the field as it lies in the data of the access."""
        position = self.position(s, number)
        places = range(0, 32, self.bits)
        return any_of(places, lambda p: and_(position == p, bit(word, p + upper)))

    def byte_in(self, word: int, s: MmioState, number: int) -> int:
        """Return a field of eight bits as it lies in the data of the access."""
        position = self.position(s, number)
        byte = field_of(word, 7, 0)
        for p in (8, 16, 24):
            byte = ite(position == p, field_of(word, p + 7, p), byte)
        return byte


ISENABLER, ICENABLER, ISPENDR, ICPENDR = (Row(base, 1) for base in (0x100, 0x180, 0x200, 0x280))
IPRIORITYR, ITARGETSR, ICFGR = Row(0x400, 8), Row(0x800, 8), Row(0xC00, 2)
CPENDSGIR, SPENDSGIR = Row(0xF10, 8), Row(0xF20, 8)


def is_proper(s: MmioState) -> bool:
    """One, two or four bytes, aligned."""
    offset, length = s.access.offset, s.access.length
    return or_(length == 1, and_(length == 2, not_(bit(offset, 0))), and_(length == 4, field_of(offset, 1, 0) == 0))


def is_store(s: MmioState) -> bool:
    """A store of one, two or four aligned bytes."""
    return and_(s.access.is_write, is_proper(s))


def is_load(s: MmioState) -> bool:
    """A load of one, two or four aligned bytes."""
    return and_(not_(s.access.is_write), is_proper(s))


def is_private(at: At) -> bool:
    """The interrupt is banked: INTIDs 0..31."""
    return lt(at.intid, NR_PRIVATE)


def is_sgi(at: At) -> bool:
    """The interrupt is software-generated: INTIDs 0..15."""
    return lt(at.intid, NR_SGIS)


def sgi_number(at: At) -> int:
    """Return the SGI's number, 4 bits, for the keys of `Vm.sgi_sources`."""
    return field_of(at.intid, 3, 0)


def key_of(at: At) -> tuple[int, int]:
    """Return the arbitrary key of a map by (vCPU, INTID)."""
    return at.vcpu, at.intid


def in_use(at: At) -> bool:
    """The key is one under which there is an interrupt."""
    return or_(is_private(at), at.vcpu == 0)


def is_mine(s: MmioState, at: At) -> bool:
    """The interrupt exists, and the key is the one under which the accessing vCPU sees it."""
    own = ite(is_private(at), at.vcpu == s.vcpu, at.vcpu == 0)
    return and_(own, lt(at.intid, s.nr_irqs))


def source_key(at: At) -> tuple[int, int, int]:
    """Return the arbitrary key of `Vm.sgi_sources`."""
    return at.vcpu, sgi_number(at), at.source


def upper_bits(priority: int) -> int:
    """Return the five bits of a priority that a list register has."""
    return field_of(priority, 7, 3)


def reaches(row: Row, s: MmioState, at: At) -> bool:
    """The access reaches the interrupt's field."""
    return row.covered(s, at.intid)


def enabled_kept(old: MmioState, new: MmioState, at: At) -> bool:
    """The enable bit is as before."""
    return iff(new.vm.irq_enabled[key_of(at)], old.vm.irq_enabled[key_of(at)])


def state_kept(old: MmioState, new: MmioState, at: At) -> bool:
    """The latch is as before."""
    return iff(new.vm.irq_state[key_of(at)], old.vm.irq_state[key_of(at)])


def cfg_kept(old: MmioState, new: MmioState, at: At) -> bool:
    """The configuration is as before."""
    return iff(new.vm.irq_cfg[key_of(at)], old.vm.irq_cfg[key_of(at)])


def priority_kept(old: MmioState, new: MmioState, at: At) -> bool:
    """The priority is as before."""
    return new.vm.irq_priority[key_of(at)] == old.vm.irq_priority[key_of(at)]


def priority_stored(old: MmioState, new: MmioState, at: At) -> bool:
    """The priority is, in its upper bits, what the access stores in its byte."""
    stored = IPRIORITYR.byte_in(old.access.data, old, at.intid)
    return upper_bits(new.vm.irq_priority[key_of(at)]) == upper_bits(stored)


def target_kept(old: MmioState, new: MmioState, at: At) -> bool:
    """The target is as before, in both of its maps."""
    mapped = iff(new.vm.irq_spi_target[key_of(at)], old.vm.irq_spi_target[key_of(at)])
    return and_(new.vm.irq_spi_cpu[at.intid] == old.vm.irq_spi_cpu[at.intid], mapped)


def source_kept(old: MmioState, new: MmioState, at: At) -> bool:
    """The sender is pending or not as before."""
    return iff(new.vm.sgi_sources[source_key(at)], old.vm.sgi_sources[source_key(at)])


def all_kept(old: MmioState, new: MmioState, at: At) -> bool:
    """Everything that registers hold is as before."""
    kept = (enabled_kept, state_kept, cfg_kept, priority_kept, target_kept, source_kept)
    return and_(iff(new.vm.enabled, old.vm.enabled), *(same(old, new, at) for same in kept))


def irq_kept(old: MmioState, new: MmioState, at: At) -> bool:
    """Everything that registers hold of the interrupt is as before."""
    kept = (enabled_kept, state_kept, cfg_kept, priority_kept, target_kept)
    return and_(*(same(old, new, at) for same in kept))


def in_word(s: MmioState, at: At, *rows: Row) -> bool:
    """The access begins in the word of one of the interrupt's fields."""
    return any_of(rows, lambda row: row.in_word(s, at.intid))


def in_sgir(s: MmioState) -> bool:
    """The access begins in the word of GICD_SGIR."""
    return field_of(s.access.offset, 11, 2) == GICD_SGIR >> 2


def bit_at(byte: int, index: int) -> bool:
    """Return a bit of a byte."""
    return any_of(range(8), lambda n: and_(index == n, bit(byte, n)))


def but(premise: bool, exception: bool) -> bool:
    """The premise, where the exception does not hold."""
    return and_(premise, not_(exception))
