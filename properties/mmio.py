"""The distributor's registers: what a load reads and a store changes, for an arbitrary access, interrupt and vCPU.

The formulas are written against the architecture's register map (IHI 0048B table 4-1): registers of one kind are one
long row of fields, so that the field of an interrupt is `bits * INTID` bits behind the base, and an access is a window
of `8 * length` bits on that row.  The model decodes offsets instead.

A key (vCPU, INTID) in use is one of a private interrupt with any vCPU, or of a shared one with vCPU 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.mmio import MmioState
from model.vm import Vm
from vgicheck.engine.values import (
    and_,
    any_of,
    bit,
    concat,
    field_of,
    iff,
    implies,
    ite,
    le,
    lt,
    not_,
    or_,
    widened,
)

from .property import At, Part, Property

NR_PRIVATE = 32
NR_SGIS = 16
PAGE = 0x1000
GICD_CTLR, GICD_TYPER, GICD_IIDR, GICD_SGIR = 0x000, 0x004, 0x008, 0xF00
RESERVED = ((0x00C, 0x100), (0x300, 0x400), (0xD00, 0xF10), (0xF30, 0x1000))
"""What reads as zero, from and up to: reserved, group, active and identification registers, and GICD_SGIR."""


@dataclass(frozen=True, slots=True)
class _Row:
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


ISENABLER, ICENABLER, ISPENDR, ICPENDR = (_Row(base, 1) for base in (0x100, 0x180, 0x200, 0x280))
IPRIORITYR, ITARGETSR, ICFGR = _Row(0x400, 8), _Row(0x800, 8), _Row(0xC00, 2)
CPENDSGIR, SPENDSGIR = _Row(0xF10, 8), _Row(0xF20, 8)


def _proper(s: MmioState) -> bool:
    """One, two or four bytes, aligned."""
    offset, length = s.access.offset, s.access.length
    return or_(length == 1, and_(length == 2, not_(bit(offset, 0))), and_(length == 4, field_of(offset, 1, 0) == 0))


def _store(s: MmioState) -> bool:
    return and_(s.access.is_write, _proper(s))


def _load(s: MmioState) -> bool:
    return and_(not_(s.access.is_write), _proper(s))


def _private(at: At) -> bool:
    return lt(at.intid, NR_PRIVATE)


def _sgi(at: At) -> bool:
    return lt(at.intid, NR_SGIS)


def _number(at: At) -> int:
    return field_of(at.intid, 3, 0)


def _key(at: At) -> tuple[int, int]:
    return at.vcpu, at.intid


def _used(at: At) -> bool:
    return or_(_private(at), at.vcpu == 0)


def _mine(s: MmioState, at: At) -> bool:
    """The interrupt exists, and the key is the one under which the accessing vCPU sees it."""
    own = ite(_private(at), at.vcpu == s.vcpu, at.vcpu == 0)
    return and_(own, lt(at.intid, s.nr_irqs))


def _source(at: At) -> tuple[int, int, int]:
    return at.vcpu, _number(at), at.source


def _upper(priority: int) -> int:
    return field_of(priority, 7, 3)


def _window(row: _Row, s: MmioState, at: At) -> bool:
    return row.covered(s, at.intid)


def _enabled_kept(old: MmioState, new: MmioState, at: At) -> bool:
    return iff(new.vm.irq_enabled[_key(at)], old.vm.irq_enabled[_key(at)])


def _state_kept(old: MmioState, new: MmioState, at: At) -> bool:
    return iff(new.vm.irq_state[_key(at)], old.vm.irq_state[_key(at)])


def _cfg_kept(old: MmioState, new: MmioState, at: At) -> bool:
    return iff(new.vm.irq_cfg[_key(at)], old.vm.irq_cfg[_key(at)])


def _priority_kept(old: MmioState, new: MmioState, at: At) -> bool:
    return new.vm.irq_priority[_key(at)] == old.vm.irq_priority[_key(at)]


def _target_kept(old: MmioState, new: MmioState, at: At) -> bool:
    mapped = iff(new.vm.irq_spi_target[_key(at)], old.vm.irq_spi_target[_key(at)])
    return and_(new.vm.irq_spi_cpu[at.intid] == old.vm.irq_spi_cpu[at.intid], mapped)


def _source_kept(old: MmioState, new: MmioState, at: At) -> bool:
    return iff(new.vm.sgi_sources[_source(at)], old.vm.sgi_sources[_source(at)])


def _all_kept(old: MmioState, new: MmioState, at: At) -> bool:
    kept = (_enabled_kept, _state_kept, _cfg_kept, _priority_kept, _target_kept, _source_kept)
    return and_(iff(new.vm.enabled, old.vm.enabled), *(same(old, new, at) for same in kept))


# Lanes -------------------------------------------------------------------------------------------


def _lanes(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    store, load = _store(old), _load(old)
    beside = {
        "priority": (and_(_in(old, at, IPRIORITYR), not_(_window(IPRIORITYR, old, at))), _priority_kept),
        "target": (and_(_in(old, at, ITARGETSR), not_(_window(ITARGETSR, old, at))), _target_kept),
        "configuration": (and_(_in(old, at, ICFGR), not_(_window(ICFGR, old, at)), not_(_private(at))), _cfg_kept),
        "enable bit": (and_(_in(old, at, ISENABLER, ICENABLER), _outside(old, at)), _enabled_kept),
        "pending bit": (and_(_in(old, at, ISPENDR, ICPENDR), _outside(old, at)), _state_kept),
    }
    lane = IPRIORITYR.byte_in(old.access.data, old, at.intid)
    read = IPRIORITYR.byte_in(new.data, old, at.intid)
    here = and_(_mine(old, at), _window(IPRIORITYR, old, at))
    shared = and_(here, not_(_private(at)))
    return [
        *(
            Part(f"a store leaves a {what} in a byte that it does not address", and_(store, _used(at), premise), kept)
            for what, (premise, keeps) in beside.items()
            for kept in (keeps(old, new, at),)
        ),
        Part(
            "a store that is not aligned, or not of 1, 2 or 4 bytes, changes nothing",
            and_(old.access.is_write, not_(_proper(old)), _used(at)),
            _all_kept(old, new, at),
        ),
        Part(
            "a byte that is addressed takes its lane of what is stored",
            and_(store, shared),
            _upper(new.vm.irq_priority[_key(at)]) == _upper(lane),
        ),
        Part(
            "a store of a byte of GICD_CTLR other than the first leaves it",
            and_(store, not_(old.access.offset == GICD_CTLR)),
            iff(new.vm.enabled, old.vm.enabled),
        ),
        Part(
            "the first is taken from its lane",
            and_(store, old.access.offset == GICD_CTLR),
            iff(new.vm.enabled, bit(old.access.data, 0)),
        ),
        Part("a load of one byte reads one", and_(load, old.access.length == 1), field_of(new.data, 31, 8) == 0),
        Part("a load of two bytes reads two", and_(load, old.access.length == 2), field_of(new.data, 31, 16) == 0),
        Part("each byte is read in its lane", and_(load, shared), read == old.vm.irq_priority[_key(at)]),
        Part(
            "a load that is not aligned, or not of 1, 2 or 4 bytes, reads zero",
            and_(not_(old.access.is_write), not_(_proper(old))),
            new.data == 0,
        ),
    ]


def _in(s: MmioState, at: At, *rows: _Row) -> bool:
    return any_of(rows, lambda row: row.in_word(s, at.intid))


def _outside(s: MmioState, at: At) -> bool:
    return not_(any_of((ISENABLER, ICENABLER, ISPENDR, ICPENDR), lambda row: row.covered(s, at.intid)))


# Banks -------------------------------------------------------------------------------------------


def _banked(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    others = and_(_store(old), _private(at), not_(at.vcpu == old.vcpu))
    own = and_(_private(at), at.vcpu == old.vcpu, lt(at.intid, old.nr_irqs))
    sends = field_of(old.access.offset, 11, 2) == GICD_SGIR >> 2
    enabled, state = old.vm.irq_enabled[_key(at)], old.vm.irq_state[_key(at)]
    priority = old.vm.irq_priority[_key(at)]
    return [
        Part("no other vCPU's priorities change", others, _priority_kept(old, new, at)),
        Part("no other vCPU's enable bits change", others, _enabled_kept(old, new, at)),
        Part("no other vCPU's configuration changes", others, _cfg_kept(old, new, at)),
        Part("no other vCPU's pending bits change, but by GICD_SGIR", _but(others, sends), _state_kept(old, new, at)),
        Part("no other vCPU's SGIs change, but by GICD_SGIR", _but(others, sends), _source_kept(old, new, at)),
        Part(
            "a store reaches the vCPU's own priority",
            and_(_store(old), own, _window(IPRIORITYR, old, at)),
            _upper(new.vm.irq_priority[_key(at)]) == _upper(IPRIORITYR.byte_in(old.access.data, old, at.intid)),
        ),
        Part(
            "a store reaches the vCPU's own enable bit",
            and_(_store(old), own, ISENABLER.flag_in(old.access.data, old, at.intid), _window(ISENABLER, old, at)),
            new.vm.irq_enabled[_key(at)],
        ),
        Part(
            "a load reads the vCPU's own priority",
            and_(_load(old), own, _window(IPRIORITYR, old, at)),
            IPRIORITYR.byte_in(new.data, old, at.intid) == priority,
        ),
        Part(
            "a load reads the vCPU's own enable bit",
            and_(_load(old), own, _window(ISENABLER, old, at)),
            iff(ISENABLER.flag_in(new.data, old, at.intid), enabled),
        ),
        Part(
            "a load reads the vCPU's own SGIs",
            and_(_load(old), own, _sgi(at), _window(ISPENDR, old, at)),
            iff(ISPENDR.flag_in(new.data, old, at.intid), state),
        ),
    ]


def _but(premise: bool, exception: bool) -> bool:
    return and_(premise, not_(exception))


# Set and clear -----------------------------------------------------------------------------------


def _set_clear(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    store, load = and_(_store(old), _mine(old, at)), and_(_load(old), _mine(old, at))
    not_sgi = not_(_sgi(at))
    before, after = old.vm, new.vm
    level_high = and_(not_(before.irq_cfg[_key(at)]), before.irq_line[_key(at)])
    pending = or_(before.irq_state[_key(at)], and_(not_sgi, level_high))
    parts = []
    for sets, clears, kept, value, shown in (
        (ISENABLER, ICENABLER, _enabled_kept, after.irq_enabled, before.irq_enabled[_key(at)]),
        (ISPENDR, ICPENDR, _state_kept, after.irq_state, pending),
    ):
        what = "enable" if sets is ISENABLER else "pending"
        reached = or_(_window(sets, old, at), _window(clears, old, at))
        one = or_(*(_stores(row, old, at) for row in (sets, clears)))
        parts += [
            Part(f"a one sets a {what} bit", and_(store, not_sgi, _stores(sets, old, at)), value[_key(at)]),
            Part(f"a one clears a {what} bit", and_(store, not_sgi, _stores(clears, old, at)), not_(value[_key(at)])),
            Part(f"a zero leaves a {what} bit", and_(store, reached, not_(one)), kept(old, new, at)),
            *(
                Part(
                    f"the {way} register reads the {what} bit",
                    and_(load, _window(row, old, at)),
                    iff(row.flag_in(new.data, old, at.intid), shown),
                )
                for way, row in (("set", sets), ("clear", clears))
            ),
        ]
    return [*parts, *_sources(old, new, at)]


def _stores(row: _Row, s: MmioState, at: At) -> bool:
    return and_(_window(row, s, at), row.flag_in(s.access.data, s, at.intid))


def _sources(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    """GICD_CPENDSGIR and GICD_SPENDSGIR: a byte for each SGI, a bit for each sender."""
    mine = and_(_sgi(at), at.vcpu == old.vcpu, lt(at.source, old.nr_cpus))
    store, load = and_(_store(old), mine), and_(_load(old), mine)
    number = _number(at)
    reached = {row: row.covered(old, number) for row in (SPENDSGIR, CPENDSGIR)}
    one = {row: _bit_at(row.byte_in(old.access.data, old, number), at.source) for row in reached}
    after = new.vm.sgi_sources[_source(at)]

    def left(vm: Vm) -> bool:
        """The SGI is pending exactly if a sender is left."""
        senders = any_of(range(8), lambda source: vm.sgi_sources[at.vcpu, number, source])
        return iff(vm.irq_state[_key(at)], senders)

    return [
        Part("a one in GICD_SPENDSGIR adds a sender", and_(store, reached[SPENDSGIR], one[SPENDSGIR]), after),
        Part("a one in GICD_CPENDSGIR drops a sender", and_(store, reached[CPENDSGIR], one[CPENDSGIR]), not_(after)),
        Part(
            "a zero there leaves a sender",
            and_(store, or_(*(and_(reached[row], not_(one[row])) for row in reached))),
            _source_kept(old, new, at),
        ),
        *(
            Part(
                f"GICD_{name} reads the senders",
                and_(load, reached[row]),
                iff(_bit_at(row.byte_in(new.data, old, number), at.source), old.vm.sgi_sources[_source(at)]),
            )
            for name, row in (("SPENDSGIR", SPENDSGIR), ("CPENDSGIR", CPENDSGIR))
        ),
        Part(
            "an SGI is pending exactly as long as a sender is left",
            and_(old.access.is_write, _sgi(at), left(old.vm)),
            left(new.vm),
        ),
    ]


def _bit_at(byte: int, index: int) -> bool:
    return any_of(range(8), lambda n: and_(index == n, bit(byte, n)))


# One byte, one interrupt -------------------------------------------------------------------------


def _one_irq(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    store, load = and_(_store(old), _used(at)), _load(old)
    spi = and_(_mine(old, at), not_(_private(at)))
    sends = field_of(old.access.offset, 11, 2) == GICD_SGIR >> 2
    sources = or_(*(row.in_word(old, _number(at)) for row in (CPENDSGIR, SPENDSGIR)))
    pends = or_(_in(old, at, ISPENDR, ICPENDR), and_(_sgi(at), or_(sends, sources)))
    elsewhere = {
        "configuration": (_in(old, at, ICFGR), _cfg_kept),
        "priority": (_in(old, at, IPRIORITYR), _priority_kept),
        "target": (and_(_in(old, at, ITARGETSR), not_(_private(at))), _target_kept),
        "enable bit": (_in(old, at, ISENABLER, ICENABLER), _enabled_kept),
        "pending bit": (pends, _state_kept),
        "sender": (or_(sends, sources), _source_kept),
    }
    exists = lt(at.vcpu, old.nr_cpus)
    target_bit = _bit_at(ITARGETSR.byte_in(new.data, old, at.intid), at.vcpu)
    shared = and_(not_(_private(at)), lt(at.intid, old.nr_irqs), _window(ITARGETSR, old, at))
    return [
        *(
            Part(f"a store elsewhere leaves a {what}", and_(store, not_(premise)), keeps(old, new, at))
            for what, (premise, keeps) in elsewhere.items()
            if what not in ("priority", "configuration")
        ),
        *(
            Part(
                f"a store elsewhere leaves a shared interrupt's {what}",
                and_(store, not_(premise), not_(_private(at))),
                keeps(old, new, at),
            )
            for what, (premise, keeps) in elsewhere.items()
            if what in ("priority", "configuration")
        ),
        Part(
            "the upper bit of its two is a shared interrupt's configuration",
            and_(_store(old), spi, _window(ICFGR, old, at)),
            iff(new.vm.irq_cfg[_key(at)], ICFGR.flag_in(old.access.data, old, at.intid, 1)),
        ),
        Part(
            "its byte is a shared interrupt's priority",
            and_(_store(old), spi, _window(IPRIORITYR, old, at)),
            _upper(new.vm.irq_priority[_key(at)]) == _upper(IPRIORITYR.byte_in(old.access.data, old, at.intid)),
        ),
        Part(
            "the configuration reads back in that bit",
            and_(load, _mine(old, at), _window(ICFGR, old, at)),
            iff(ICFGR.flag_in(new.data, old, at.intid, 1), old.vm.irq_cfg[_key(at)]),
        ),
        Part(
            "the bits of a target byte are the vCPUs",
            and_(load, shared, exists),
            iff(target_bit, old.vm.irq_spi_target[_key(at)]),
        ),
        Part("and of no vCPU that does not exist", and_(load, shared, not_(exists)), not_(target_bit)),
    ]


# Fixed bits --------------------------------------------------------------------------------------


def _fixed_bits(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    store, load = _store(old), _load(old)
    offset, length = widened(old.access.offset, 13), widened(old.access.length, 13)
    word = and_(load, length == 4)
    own, absent = _mine(old, at), le(old.nr_irqs, at.intid)
    typer = concat((0, 24), (field_of(old.nr_cpus - 1, 2, 0), 3), (field_of(field_of(old.nr_irqs, 10, 5) - 1, 4, 0), 5))
    itself = any_of(range(8), lambda n: and_(old.vcpu == n, ITARGETSR.byte_in(new.data, old, at.intid) == 1 << n))
    special = or_(
        *(and_(offset == row.base + 0x7C, field_of(new.data, 31, 28) == 0) for row in (ISENABLER, ICENABLER)),
        *(and_(offset == row.base + 0x7C, field_of(new.data, 31, 28) == 0) for row in (ISPENDR, ICPENDR)),
        *(and_(offset == row.base + 0x3FC, new.data == 0) for row in (IPRIORITYR, ITARGETSR)),
        and_(offset == ICFGR.base + 0xFC, field_of(new.data, 31, 24) == 0),
    )
    last = or_(
        *(offset == row.base + 0x7C for row in (ISENABLER, ICENABLER, ISPENDR, ICPENDR)),
        *(offset == row.base + 0x3FC for row in (IPRIORITYR, ITARGETSR)),
        offset == ICFGR.base + 0xFC,
    )
    return [
        Part("an access to the page is answered", le(offset + length, PAGE), new.handled),
        Part("one that ends outside is not", lt(PAGE, offset + length), not_(new.handled)),
        Part("SGIs stay enabled", and_(store, _sgi(at), old.vm.irq_enabled[_key(at)]), new.vm.irq_enabled[_key(at)]),
        Part("private interrupts keep their configuration", and_(store, _private(at)), _cfg_kept(old, new, at)),
        Part(
            "SGIs' bits of GICD_ISPENDR and GICD_ICPENDR ignore stores",
            and_(store, _sgi(at), _in(old, at, ISPENDR, ICPENDR)),
            _state_kept(old, new, at),
        ),
        Part(
            "the lower three bits of a priority are zero",
            and_(store, own, not_(_private(at)), _window(IPRIORITYR, old, at)),
            field_of(new.vm.irq_priority[_key(at)], 2, 0) == 0,
        ),
        Part("a store leaves interrupts that do not exist", and_(store, _used(at), absent), _irq_kept(old, new, at)),
        Part("a load changes nothing", not_(old.access.is_write), and_(_all_kept(old, new, at), not_(new.updates))),
        Part(
            "no access changes what is not in a register",
            True,
            and_(
                iff(new.vm.irq_line[_key(at)], old.vm.irq_line[_key(at)]),
                iff(new.vm.irq_active[_key(at)], old.vm.irq_active[_key(at)]),
                iff(new.vm.pending_on_cpu[at.vcpu], old.vm.pending_on_cpu[at.vcpu]),
            ),
        ),
        Part("a store reads nothing", old.access.is_write, new.data == 0),
        *(
            Part(
                f"{low:#05x} to {high - 1:#05x} read as zero",
                and_(load, le(low, offset), lt(offset, high)),
                new.data == 0,
            )
            for low, high in RESERVED
        ),
        Part("GICD_CTLR reads bit 0", and_(word, offset == GICD_CTLR), new.data == ite(old.vm.enabled, 1, 0, width=32)),
        Part(
            "GICD_TYPER reads the numbers of vCPUs and interrupts", and_(word, offset == GICD_TYPER), new.data == typer
        ),
        Part("GICD_IIDR reads 0x4b00043b", and_(word, offset == GICD_IIDR), new.data == 0x4B00043B),
        Part(
            "GICD_ITARGETSR of a private interrupt reads the accessing vCPU",
            and_(load, _private(at), own, _window(ITARGETSR, old, at)),
            itself,
        ),
        Part(
            "the lower bit of a configuration reads as zero",
            and_(load, own, _window(ICFGR, old, at)),
            not_(ICFGR.flag_in(new.data, old, at.intid)),
        ),
        Part(
            "the fields of interrupts that do not exist read as zero",
            and_(load, absent),
            and_(
                *(
                    implies(_window(row, old, at), not_(row.flag_in(new.data, old, at.intid)))
                    for row in (ISENABLER, ICENABLER, ISPENDR, ICPENDR)
                ),
                *(
                    implies(_window(row, old, at), row.byte_in(new.data, old, at.intid) == 0)
                    for row in (IPRIORITYR, ITARGETSR)
                ),
                implies(_window(ICFGR, old, at), not_(ICFGR.flag_in(new.data, old, at.intid, 1))),
            ),
        ),
        Part("INTIDs 1020 to 1023 read as zero", and_(word, last), special),
        Part(
            "and ignore stores",
            store,
            and_(
                iff(new.vm.irq_enabled[0, 1020], old.vm.irq_enabled[0, 1020]),
                iff(new.vm.irq_state[0, 1020], old.vm.irq_state[0, 1020]),
                iff(new.vm.irq_cfg[0, 1020], old.vm.irq_cfg[0, 1020]),
                new.vm.irq_priority[0, 1020] == old.vm.irq_priority[0, 1020],
                new.vm.irq_spi_cpu[1020] == old.vm.irq_spi_cpu[1020],
            ),
        ),
    ]


def _irq_kept(old: MmioState, new: MmioState, at: At) -> bool:
    kept = (_enabled_kept, _state_kept, _cfg_kept, _priority_kept, _target_kept)
    return and_(*(same(old, new, at) for same in kept))


# Targets -----------------------------------------------------------------------------------------


def _one_target(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    spi = and_(not_(_private(at)), lt(at.intid, old.nr_irqs))
    stored = and_(_store(old), spi, _window(ITARGETSR, old, at))
    byte = ITARGETSR.byte_in(old.access.data, old, at.intid)
    named = and_(lt(at.vcpu, old.nr_cpus), _bit_at(byte, at.vcpu))
    nobody = not_(any_of(range(8), lambda c: and_(lt(c, old.nr_cpus), bit(byte, c))))
    target, before = new.vm.irq_spi_cpu[at.intid], old.vm.irq_spi_cpu[at.intid]
    agreed = and_(lt(before, old.nr_cpus), iff(old.vm.irq_spi_target[_key(at)], before == at.vcpu))
    return [
        Part("a target exists", stored, lt(target, old.nr_cpus)),
        Part("it is named, and no lower one is", and_(stored, named), and_(_bit_at(byte, target), le(target, at.vcpu))),
        Part("it is vCPU 0 if none is named that exists", and_(stored, nobody), target == 0),
        Part(
            "irq_spi_target says the same as irq_spi_cpu",
            and_(old.access.is_write, spi, agreed),
            iff(new.vm.irq_spi_target[_key(at)], target == at.vcpu),
        ),
        Part(
            "a target goes on existing",
            and_(old.access.is_write, spi, lt(before, old.nr_cpus)),
            lt(target, old.nr_cpus),
        ),
    ]


# SGIs --------------------------------------------------------------------------------------------


def _sgir_filter(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    data = old.access.data
    target_filter, number = field_of(data, 25, 24), field_of(data, 3, 0)
    writes = and_(_store(old), old.access.offset == GICD_SGIR, old.access.length == 4, _sgi(at))
    partly = and_(_store(old), field_of(old.access.offset, 11, 2) == GICD_SGIR >> 2, lt(old.access.length, 4), _sgi(at))
    exists, this = lt(at.vcpu, old.nr_cpus), _number(at) == number
    oneself = at.vcpu == old.vcpu
    reached = {
        "filter 0 reaches the vCPUs in the list": and_(target_filter == 0, _bit_at(field_of(data, 23, 16), at.vcpu)),
        "filter 1 reaches all others": and_(target_filter == 1, not_(oneself)),
        "filter 2 reaches the sender itself": and_(target_filter == 2, oneself),
    }
    hit = and_(exists, this, or_(*reached.values()))
    from_here = new.vm.sgi_sources[at.vcpu, _number(at), old.vcpu]
    return [
        *(
            Part(sentence, and_(writes, exists, this, condition), and_(from_here, new.vm.irq_state[_key(at)]))
            for sentence, condition in reached.items()
        ),
        Part("no other vCPU and no other SGI is pending for it", _but(writes, hit), _state_kept(old, new, at)),
        Part(
            "no other sender is added",
            _but(writes, and_(hit, at.source == old.vcpu)),
            _source_kept(old, new, at),
        ),
        Part(
            "a store of a part of GICD_SGIR sends nothing",
            partly,
            and_(_state_kept(old, new, at), _source_kept(old, new, at)),
        ),
    ]


# What follows ------------------------------------------------------------------------------------


def _noticed(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    def deliverable(vm: Vm) -> bool:
        level_high = and_(not_(vm.irq_cfg[_key(at)]), vm.irq_line[_key(at)])
        pending = or_(vm.irq_state[_key(at)], and_(not_(_sgi(at)), level_high))
        return and_(vm.enabled, vm.irq_enabled[_key(at)], pending)

    moved = and_(not_(_private(at)), not_(new.vm.irq_spi_cpu[at.intid] == old.vm.irq_spi_cpu[at.intid]))
    newly = and_(_used(at), deliverable(new.vm), or_(moved, not_(deliverable(old.vm))))
    return [Part("what can be delivered, and could not or to another vCPU, is noticed", newly, new.updates)]


MMIO: tuple[Property, ...] = (
    Property(
        "mmio-lanes",
        "mmio",
        "an access of 1, 2 or 4 bytes reads and writes exactly the addressed bytes",
        _lanes,
        "IHI 0048B 4.1.3 register access; ARM ARM B3.12.7: an unaligned access to a device faults",
        "for a guest that uses whole words only",
        "vgic_reg_access() took its mask from the offset alone until v3.9: a byte store of a priority wrote four",
    ),
    Property(
        "mmio-banked",
        "mmio",
        "registers of private interrupts (0..31) act on the accessing vCPU's bank only",
        _banked,
        "IHI 0048B 4.1.4 register banking",
        "for a VM with one vCPU",
        "vgic_bytemap_get_reg() took four of the eight banked words for shared ones, still in v3.9",
    ),
    Property(
        "mmio-set-clear",
        "mmio",
        "set and clear registers set and clear what is written as one, ignore zeros, and read back the same state",
        _set_clear,
        "IHI 0048B 4.3.5 to 4.3.8, 4.3.16, 4.3.17",
        "never",
        "GICD_ICPENDR took away a level that the device still asserted: one bit was both line and latch",
    ),
    Property(
        "mmio-one-byte-one-irq",
        "mmio",
        "each register byte belongs to one (interrupt, bank): no aliasing, no gap",
        _one_irq,
        "IHI 0048B table 4-1",
        "never",
        "odd registers of GICD_ICFGR were the even ones again, `offset & 2` for `offset & 4`, still in v3.9",
    ),
    Property(
        "mmio-fixed-bits",
        "mmio",
        "RAZ/WI, read-only and reserved bits are so (SGIs always enabled and edge, TYPER, IIDR)",
        _fixed_bits,
        "IHI 0048B 4.3; the choices that it leaves are those of `model.mmio`",
        "where the architecture leaves a choice",
        "GICD_ISPENDR made an SGI pending that nobody had sent: never delivered, never cleared, still in v3.9",
    ),
    Property(
        "mmio-one-target",
        "mmio",
        "a shared interrupt targets one vCPU, which exists: the lowest of those named, or vCPU 0",
        _one_target,
        "IHI 0048B 4.3.12: bits of absent CPU interfaces are RAZ/WI; one target is a choice of KVM",
        "never",
        "the next injection asked kvm_get_vcpu() for a target that does not exist, and followed a null pointer",
    ),
    Property(
        "sgir-filter",
        "mmio",
        "a write of GICD_SGIR reaches exactly the vCPUs that its filter and list name",
        _sgir_filter,
        "IHI 0048B 4.3.15",
        "for the reserved filter 3, which the architecture leaves open",
        "vgic_dispatch_sgi() fell through from the list to all others, still in v3.9",
    ),
    Property(
        "mmio-write-noticed",
        "mmio",
        "a write that makes something deliverable is followed by vgic_update_state and the kicks",
        _noticed,
        "vgic_handle_mmio(): the handlers return true for that",
        "where each vCPU looks at the state itself before it sleeps",
        "none known",
    ),
)
