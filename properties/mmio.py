"""The distributor's registers: what a load reads and a store changes, for an arbitrary access, interrupt and vCPU.

The field of an interrupt is where the architecture puts it, `properties.gicd`; here are the bits that are fixed, the
targets, SGIs, and all of the registers' properties by name.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.mmio import MmioState
from model.vm import Vm
from vgicheck.engine.values import and_, any_of, bit, concat, field_of, iff, implies, ite, le, lt, not_, or_, widened

from .gicd import (
    GICD_CTLR,
    GICD_IIDR,
    GICD_SGIR,
    GICD_TYPER,
    ICENABLER,
    ICFGR,
    ICPENDR,
    IPRIORITYR,
    ISENABLER,
    ISPENDR,
    ITARGETSR,
    PAGE,
    all_kept,
    bit_at,
    but,
    cfg_kept,
    in_sgir,
    in_use,
    in_word,
    irq_kept,
    is_load,
    is_mine,
    is_private,
    is_sgi,
    is_store,
    key_of,
    reaches,
    sgi_number,
    source_kept,
    state_kept,
)
from .mmio_fields import banked, lanes, one_irq, set_clear
from .property import At, Part, Property

RESERVED = ((0x00C, 0x100), (0x300, 0x400), (0xD00, 0xF10), (0xF30, 0x1000))
"""What reads as zero, from and up to: reserved, group, active and identification registers, and GICD_SGIR."""


# Fixed bits --------------------------------------------------------------------------------------


def _fixed_bits(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    store, load = is_store(old), is_load(old)
    offset, length = widened(old.access.offset, 13), widened(old.access.length, 13)
    word = and_(load, length == 4)
    own, absent = is_mine(old, at), le(old.nr_irqs, at.intid)
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
        Part(
            "SGIs stay enabled", and_(store, is_sgi(at), old.vm.irq_enabled[key_of(at)]), new.vm.irq_enabled[key_of(at)]
        ),
        Part("private interrupts keep their configuration", and_(store, is_private(at)), cfg_kept(old, new, at)),
        Part(
            "SGIs' bits of GICD_ISPENDR and GICD_ICPENDR ignore stores",
            and_(store, is_sgi(at), in_word(old, at, ISPENDR, ICPENDR)),
            state_kept(old, new, at),
        ),
        Part(
            "the lower three bits of a priority are zero",
            and_(store, own, not_(is_private(at)), reaches(IPRIORITYR, old, at)),
            field_of(new.vm.irq_priority[key_of(at)], 2, 0) == 0,
        ),
        Part("a store leaves interrupts that do not exist", and_(store, in_use(at), absent), irq_kept(old, new, at)),
        Part("a load changes nothing", not_(old.access.is_write), and_(all_kept(old, new, at), not_(new.updates))),
        Part(
            "no access changes what is not in a register",
            True,
            and_(
                iff(new.vm.irq_line[key_of(at)], old.vm.irq_line[key_of(at)]),
                iff(new.vm.irq_active[key_of(at)], old.vm.irq_active[key_of(at)]),
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
            and_(load, is_private(at), own, reaches(ITARGETSR, old, at)),
            itself,
        ),
        Part(
            "the lower bit of a configuration reads as zero",
            and_(load, own, reaches(ICFGR, old, at)),
            not_(ICFGR.flag_in(new.data, old, at.intid)),
        ),
        Part(
            "the fields of interrupts that do not exist read as zero",
            and_(load, absent),
            and_(
                *(
                    implies(reaches(row, old, at), not_(row.flag_in(new.data, old, at.intid)))
                    for row in (ISENABLER, ICENABLER, ISPENDR, ICPENDR)
                ),
                *(
                    implies(reaches(row, old, at), row.byte_in(new.data, old, at.intid) == 0)
                    for row in (IPRIORITYR, ITARGETSR)
                ),
                implies(reaches(ICFGR, old, at), not_(ICFGR.flag_in(new.data, old, at.intid, 1))),
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


# Targets -----------------------------------------------------------------------------------------


def _one_target(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    spi = and_(not_(is_private(at)), lt(at.intid, old.nr_irqs))
    stored = and_(is_store(old), spi, reaches(ITARGETSR, old, at))
    byte = ITARGETSR.byte_in(old.access.data, old, at.intid)
    named = and_(lt(at.vcpu, old.nr_cpus), bit_at(byte, at.vcpu))
    nobody = not_(any_of(range(8), lambda c: and_(lt(c, old.nr_cpus), bit(byte, c))))
    target, before = new.vm.irq_spi_cpu[at.intid], old.vm.irq_spi_cpu[at.intid]
    agreed = and_(lt(before, old.nr_cpus), iff(old.vm.irq_spi_target[key_of(at)], before == at.vcpu))
    return [
        Part("a target exists", stored, lt(target, old.nr_cpus)),
        Part("it is named, and no lower one is", and_(stored, named), and_(bit_at(byte, target), le(target, at.vcpu))),
        Part("it is vCPU 0 if none is named that exists", and_(stored, nobody), target == 0),
        Part(
            "irq_spi_target says the same as irq_spi_cpu",
            and_(old.access.is_write, spi, agreed),
            iff(new.vm.irq_spi_target[key_of(at)], target == at.vcpu),
        ),
        Part(
            "the bitmap of a vCPU that does not exist is left alone",
            and_(old.access.is_write, le(old.nr_cpus, at.vcpu)),
            iff(new.vm.irq_spi_target[key_of(at)], old.vm.irq_spi_target[key_of(at)]),
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
    writes = and_(is_store(old), old.access.offset == GICD_SGIR, old.access.length == 4, is_sgi(at))
    partly = and_(is_store(old), in_sgir(old), lt(old.access.length, 4), is_sgi(at))
    exists, this = lt(at.vcpu, old.nr_cpus), sgi_number(at) == number
    oneself = at.vcpu == old.vcpu
    reached = {
        "filter 0 reaches the vCPUs in the list": and_(target_filter == 0, bit_at(field_of(data, 23, 16), at.vcpu)),
        "filter 1 reaches all others": and_(target_filter == 1, not_(oneself)),
        "filter 2 reaches the sender itself": and_(target_filter == 2, oneself),
    }
    hit = and_(exists, this, or_(*reached.values()))
    from_here = new.vm.sgi_sources[at.vcpu, sgi_number(at), old.vcpu]
    return [
        *(
            Part(sentence, and_(writes, exists, this, condition), and_(from_here, new.vm.irq_state[key_of(at)]))
            for sentence, condition in reached.items()
        ),
        Part("no other vCPU and no other SGI is pending for it", but(writes, hit), state_kept(old, new, at)),
        Part(
            "no other sender is added",
            but(writes, and_(hit, at.source == old.vcpu)),
            source_kept(old, new, at),
        ),
        Part(
            "a store of a part of GICD_SGIR sends nothing",
            partly,
            and_(state_kept(old, new, at), source_kept(old, new, at)),
        ),
    ]


# What follows ------------------------------------------------------------------------------------


def _noticed(old: MmioState, new: MmioState, at: At) -> Sequence[Part]:
    def deliverable(vm: Vm) -> bool:
        level_high = and_(not_(vm.irq_cfg[key_of(at)]), vm.irq_line[key_of(at)])
        pending = or_(vm.irq_state[key_of(at)], and_(not_(is_sgi(at)), level_high))
        return and_(vm.enabled, vm.irq_enabled[key_of(at)], pending)

    moved = and_(not_(is_private(at)), not_(new.vm.irq_spi_cpu[at.intid] == old.vm.irq_spi_cpu[at.intid]))
    newly = and_(in_use(at), deliverable(new.vm), or_(moved, not_(deliverable(old.vm))))
    return [Part("what can be delivered, and could not or to another vCPU, is noticed", newly, new.updates)]


MMIO: tuple[Property, ...] = (
    Property(
        "mmio-lanes",
        "mmio",
        "an access of 1, 2 or 4 bytes reads and writes exactly the addressed bytes",
        lanes,
        "IHI 0048B 4.1.3 register access; ARM ARM B3.12.7: an unaligned access to a device faults",
        "for a guest that uses whole words only",
        "vgic_reg_access() took its mask from the offset alone until v3.9: a byte store of a priority wrote four",
    ),
    Property(
        "mmio-banked",
        "mmio",
        "registers of private interrupts (0..31) act on the accessing vCPU's bank only",
        banked,
        "IHI 0048B 4.1.4 register banking",
        "for a VM with one vCPU",
        "vgic_bytemap_get_reg() took four of the eight banked words for shared ones, still in v3.9",
    ),
    Property(
        "mmio-set-clear",
        "mmio",
        "set and clear registers set and clear what is written as one, ignore zeros, and read back the same state",
        set_clear,
        "IHI 0048B 4.3.5 to 4.3.8, 4.3.16, 4.3.17",
        "never",
        "GICD_ICPENDR took away a level that the device still asserted: one bit was both line and latch",
    ),
    Property(
        "mmio-one-byte-one-irq",
        "mmio",
        "each register byte belongs to one (interrupt, bank): no aliasing, no gap",
        one_irq,
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
