"""The distributor's registers, field by field: lanes, banks, set and clear, and that no field is another's."""

from __future__ import annotations

from collections.abc import Sequence

from model.mmio import MmioState
from model.vm import Vm
from vgicheck.engine.values import and_, any_of, bit, field_of, iff, lt, not_, or_

from .gicd import (
    CPENDSGIR,
    GICD_CTLR,
    ICENABLER,
    ICFGR,
    ICPENDR,
    IPRIORITYR,
    ISENABLER,
    ISPENDR,
    ITARGETSR,
    SPENDSGIR,
    Row,
    all_kept,
    bit_at,
    but,
    cfg_kept,
    enabled_kept,
    in_sgir,
    in_use,
    in_word,
    is_load,
    is_mine,
    is_private,
    is_proper,
    is_sgi,
    is_store,
    key_of,
    priority_kept,
    priority_stored,
    reaches,
    sgi_number,
    source_kept,
    source_key,
    state_kept,
    target_kept,
)
from .property import At, Part

# Lanes -------------------------------------------------------------------------------------------


def lanes(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    """Return the parts of mmio-lanes."""
    store, load = is_store(old), is_load(old)
    beside = {
        "priority": (and_(in_word(old, at, IPRIORITYR), not_(reaches(IPRIORITYR, old, at))), priority_kept),
        "target": (and_(in_word(old, at, ITARGETSR), not_(reaches(ITARGETSR, old, at))), target_kept),
        "configuration": (and_(in_word(old, at, ICFGR), not_(reaches(ICFGR, old, at)), not_(is_private(at))), cfg_kept),
        "enable bit": (and_(in_word(old, at, ISENABLER, ICENABLER), _outside(old, at)), enabled_kept),
        "pending bit": (and_(in_word(old, at, ISPENDR, ICPENDR), _outside(old, at)), state_kept),
    }
    read = IPRIORITYR.byte_in(new.data, old, at.intid)
    here = and_(is_mine(old, at), reaches(IPRIORITYR, old, at))
    shared = and_(here, not_(is_private(at)))
    return [
        *(
            Part(f"a store leaves a {what} in a byte that it does not address", and_(store, in_use(at), premise), kept)
            for what, (premise, keeps) in beside.items()
            for kept in (keeps(old, new, at),)
        ),
        Part(
            "a store that is not aligned, or not of 1, 2 or 4 bytes, changes nothing",
            and_(old.access.is_write, not_(is_proper(old)), in_use(at)),
            and_(all_kept(old, new, at), not_(new.updates)),
        ),
        Part(
            "a byte that is addressed takes its lane of what is stored",
            and_(store, shared),
            priority_stored(old, new, at),
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
        Part("each byte is read in its lane", and_(load, shared), read == old.vm.irq_priority[key_of(at)]),
        Part(
            "a load that is not aligned, or not of 1, 2 or 4 bytes, reads zero",
            and_(not_(old.access.is_write), not_(is_proper(old))),
            new.data == 0,
        ),
    ]


def _outside(s: MmioState, at: At) -> bool:
    return not_(any_of((ISENABLER, ICENABLER, ISPENDR, ICPENDR), lambda row: row.covered(s, at.intid)))


# Banks -------------------------------------------------------------------------------------------


def banked(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    """Return the parts of mmio-banked."""
    others = and_(is_store(old), is_private(at), not_(at.vcpu == old.vcpu))
    own = and_(is_private(at), at.vcpu == old.vcpu, lt(at.intid, old.nr_irqs))
    sends = in_sgir(old)
    enabled, state = old.vm.irq_enabled[key_of(at)], old.vm.irq_state[key_of(at)]
    priority = old.vm.irq_priority[key_of(at)]
    return [
        Part("no other vCPU's priorities change", others, priority_kept(old, new, at)),
        Part("no other vCPU's enable bits change", others, enabled_kept(old, new, at)),
        Part("no other vCPU's configuration changes", others, cfg_kept(old, new, at)),
        Part("no other vCPU's pending bits change, but by GICD_SGIR", but(others, sends), state_kept(old, new, at)),
        Part("no other vCPU's SGIs change, but by GICD_SGIR", but(others, sends), source_kept(old, new, at)),
        Part(
            "a store reaches the vCPU's own priority",
            and_(is_store(old), own, reaches(IPRIORITYR, old, at)),
            priority_stored(old, new, at),
        ),
        Part(
            "a store reaches the vCPU's own enable bit",
            and_(is_store(old), own, ISENABLER.flag_in(old.access.data, old, at.intid), reaches(ISENABLER, old, at)),
            new.vm.irq_enabled[key_of(at)],
        ),
        Part(
            "a load reads the vCPU's own priority",
            and_(is_load(old), own, reaches(IPRIORITYR, old, at)),
            IPRIORITYR.byte_in(new.data, old, at.intid) == priority,
        ),
        Part(
            "a load reads the vCPU's own enable bit",
            and_(is_load(old), own, reaches(ISENABLER, old, at)),
            iff(ISENABLER.flag_in(new.data, old, at.intid), enabled),
        ),
        Part(
            "a load reads the vCPU's own SGIs",
            and_(is_load(old), own, is_sgi(at), reaches(ISPENDR, old, at)),
            iff(ISPENDR.flag_in(new.data, old, at.intid), state),
        ),
    ]


# Set and clear -----------------------------------------------------------------------------------


def set_clear(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    """Return the parts of mmio-set-clear."""
    store, load = and_(is_store(old), is_mine(old, at)), and_(is_load(old), is_mine(old, at))
    not_sgi = not_(is_sgi(at))
    before, after = old.vm, new.vm
    level_high = and_(not_(before.irq_cfg[key_of(at)]), before.irq_line[key_of(at)])
    pending = or_(before.irq_state[key_of(at)], and_(not_sgi, level_high))
    parts = []
    for sets, clears, kept, value, shown in (
        (ISENABLER, ICENABLER, enabled_kept, after.irq_enabled, before.irq_enabled[key_of(at)]),
        (ISPENDR, ICPENDR, state_kept, after.irq_state, pending),
    ):
        what = "enable" if sets is ISENABLER else "pending"
        reached = or_(reaches(sets, old, at), reaches(clears, old, at))
        one = or_(*(_stores(row, old, at) for row in (sets, clears)))
        parts += [
            Part(f"a one sets a {what} bit", and_(store, not_sgi, _stores(sets, old, at)), value[key_of(at)]),
            Part(f"a one clears a {what} bit", and_(store, not_sgi, _stores(clears, old, at)), not_(value[key_of(at)])),
            Part(f"a zero leaves a {what} bit", and_(store, reached, not_(one)), kept(old, new, at)),
            *(
                Part(
                    f"the {way} register reads the {what} bit",
                    and_(load, reaches(row, old, at)),
                    iff(row.flag_in(new.data, old, at.intid), shown),
                )
                for way, row in (("set", sets), ("clear", clears))
            ),
        ]
    return [*parts, *_sources(old, new, at)]


def _stores(row: Row, s: MmioState, at: At) -> bool:
    return and_(reaches(row, s, at), row.flag_in(s.access.data, s, at.intid))


def _sources(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    """GICD_CPENDSGIR and GICD_SPENDSGIR: a byte for each SGI, a bit for each sender."""
    mine, exists = and_(is_sgi(at), at.vcpu == old.vcpu), lt(at.source, old.nr_cpus)
    store, load = and_(is_store(old), mine, exists), and_(is_load(old), mine, exists)
    number = sgi_number(at)
    reached = {row: row.covered(old, number) for row in (SPENDSGIR, CPENDSGIR)}
    one = {row: bit_at(row.byte_in(old.access.data, old, number), at.source) for row in reached}
    after = new.vm.sgi_sources[source_key(at)]

    def left(vm: Vm) -> bool:
        """The SGI is pending exactly if a sender is left."""
        senders = any_of(range(8), lambda source: vm.sgi_sources[at.vcpu, number, source])
        return iff(vm.irq_state[key_of(at)], senders)

    return [
        Part("a one in GICD_SPENDSGIR adds a sender", and_(store, reached[SPENDSGIR], one[SPENDSGIR]), after),
        Part("a one in GICD_CPENDSGIR drops a sender", and_(store, reached[CPENDSGIR], one[CPENDSGIR]), not_(after)),
        Part(
            "a zero there leaves a sender",
            and_(store, or_(*(and_(reached[row], not_(one[row])) for row in reached))),
            source_kept(old, new, at),
        ),
        *(
            Part(
                f"GICD_{name} reads the senders",
                and_(load, reached[row]),
                iff(bit_at(row.byte_in(new.data, old, number), at.source), old.vm.sgi_sources[source_key(at)]),
            )
            for name, row in (("SPENDSGIR", SPENDSGIR), ("CPENDSGIR", CPENDSGIR))
        ),
        Part(
            "a sender that does not exist reads as zero",
            and_(is_load(old), mine, not_(exists), or_(*reached.values())),
            not_(or_(*(and_(reached[row], bit_at(row.byte_in(new.data, old, number), at.source)) for row in reached))),
        ),
        Part(
            "an SGI is pending exactly as long as a sender is left",
            and_(old.access.is_write, is_sgi(at), left(old.vm)),
            left(new.vm),
        ),
    ]


# One byte, one interrupt -------------------------------------------------------------------------


def one_irq(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    """Return the parts of mmio-one-byte-one-irq."""
    store, load = and_(is_store(old), in_use(at)), is_load(old)
    spi = and_(is_mine(old, at), not_(is_private(at)))
    sends = in_sgir(old)
    sources = or_(*(row.in_word(old, sgi_number(at)) for row in (CPENDSGIR, SPENDSGIR)))
    pends = or_(in_word(old, at, ISPENDR, ICPENDR), and_(is_sgi(at), or_(sends, sources)))
    elsewhere = {
        "configuration": (in_word(old, at, ICFGR), cfg_kept),
        "priority": (in_word(old, at, IPRIORITYR), priority_kept),
        "target": (and_(in_word(old, at, ITARGETSR), not_(is_private(at))), target_kept),
        "enable bit": (in_word(old, at, ISENABLER, ICENABLER), enabled_kept),
        "pending bit": (pends, state_kept),
        "sender": (or_(sends, sources), source_kept),
    }
    exists = lt(at.vcpu, old.nr_cpus)
    target_bit = bit_at(ITARGETSR.byte_in(new.data, old, at.intid), at.vcpu)
    shared = and_(not_(is_private(at)), lt(at.intid, old.nr_irqs), reaches(ITARGETSR, old, at))
    return [
        *(
            Part(f"a store elsewhere leaves a {what}", and_(store, not_(premise)), keeps(old, new, at))
            for what, (premise, keeps) in elsewhere.items()
            if what not in ("priority", "configuration")
        ),
        *(
            Part(
                f"a store elsewhere leaves a shared interrupt's {what}",
                and_(store, not_(premise), not_(is_private(at))),
                keeps(old, new, at),
            )
            for what, (premise, keeps) in elsewhere.items()
            if what in ("priority", "configuration")
        ),
        Part(
            "the upper bit of its two is a shared interrupt's configuration",
            and_(is_store(old), spi, reaches(ICFGR, old, at)),
            iff(new.vm.irq_cfg[key_of(at)], ICFGR.flag_in(old.access.data, old, at.intid, 1)),
        ),
        Part(
            "its byte is a shared interrupt's priority",
            and_(is_store(old), spi, reaches(IPRIORITYR, old, at)),
            priority_stored(old, new, at),
        ),
        Part(
            "the configuration reads back in that bit",
            and_(load, is_mine(old, at), reaches(ICFGR, old, at)),
            iff(ICFGR.flag_in(new.data, old, at.intid, 1), old.vm.irq_cfg[key_of(at)]),
        ),
        Part(
            "the bits of a target byte are the vCPUs",
            and_(load, shared, exists),
            iff(target_bit, old.vm.irq_spi_target[key_of(at)]),
        ),
        Part("and of no vCPU that does not exist", and_(load, shared, not_(exists)), not_(target_bit)),
    ]
