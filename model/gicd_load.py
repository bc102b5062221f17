"""What the guest reads from the distributor's registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vgicheck.engine.values import and_, bit, concat, decided, field_of, flag, ite, le, lt, not_, or_

from .distributor import MAX_CPUS, NR_PRIVATE_IRQS, NR_SGIS
from .gicd import (
    CPENDSGIR,
    CTLR,
    ICENABLER,
    ICFGR,
    ICPENDR,
    IIDR,
    IPRIORITYR,
    ISENABLER,
    ISPENDR,
    ITARGETSR,
    SPENDSGIR,
    TYPER,
    Accessing,
    Byte,
    Offset,
    Registers,
    byte_of,
    lane,
)
from .gicd_icfgr import icfgr_byte
from .vm import Vm, bank_of, is_sgi, pending

IIDR_WORD = 0x4B00043B
"""GICD_IIDR: an implementer, Arm, and a product that is none of theirs."""


def loaded(vm: Vm, a: Accessing) -> int:
    """Return what a load reads, its first byte in bits 7:0; 32 bits, zero for a store."""
    offset = a.access.offset
    acts = and_(not_(a.access.is_write), a.performed)
    word: list[tuple[Byte, int]] = []
    for byte in [concat((field_of(offset, 11, 2), 10), (n, 2)) for n in (3, 2, 1, 0)]:
        there = and_(acts, a.covers(byte))
        word.append((0 if there is False else ite(there, _read_byte(vm, a, byte), 0, width=8), 8))
    half = ite(bit(offset, 1), concat((0, 16), *word[:2]), concat(*word), width=32)
    return ite(bit(offset, 0), concat((0, 8), (field_of(half, 31, 8), 24)), half, width=32)


def _chosen(options: Sequence[tuple[bool, Callable[[], Byte]]]) -> Byte:
    """Return the byte of the one condition that holds, zero where none does; what cannot hold is not looked at."""
    result = 0
    for condition, value in options:
        condition = decided(condition)
        if condition is not False:
            result = ite(condition, value(), result, width=8)
    return result


def _read_byte(vm: Vm, a: Accessing, byte: Offset) -> Byte:
    """Return a byte of the register map; what is not listed reads as zero."""

    def bits(registers: Registers, state: Callable[[tuple[int, int]], bool]) -> Byte:
        first = registers.first_of(byte)
        intids = [first + n for n in range(8)]
        return byte_of([and_(a.exists(i), state(bank_of(a.vcpu, i))) for i in intids])

    def enabled() -> Byte:
        return bits(ISENABLER, lambda key: vm.irq_enabled[key])

    def is_pending() -> Byte:
        return bits(ISPENDR, lambda key: ite(is_sgi(key[1]), vm.irq_state[key], pending(vm, key, a.switches)))

    def priority() -> Byte:
        intid = IPRIORITYR.first_of(byte)
        return ite(a.exists(intid), vm.irq_priority[priority_key(a, intid)], 0, width=8)

    def target() -> Byte:
        intid = ITARGETSR.first_of(byte)
        return ite(a.exists(intid), target_byte(vm, a, intid), 0, width=8)

    def sources() -> Byte:
        there = [(a.vcpu, field_of(byte, 3, 0), source) for source in range(MAX_CPUS)]
        return byte_of([and_(lt(key[2], a.nr_cpus), vm.sgi_sources[key]) for key in there])

    pending_sgis = or_(field_of(byte, 11, 4) == CPENDSGIR >> 4, field_of(byte, 11, 4) == SPENDSGIR >> 4)
    options: list[tuple[bool, Callable[[], Byte]]] = [
        (byte == CTLR, lambda: concat((0, 7), (flag(vm.enabled), 1))),
        (byte == TYPER, lambda: _typer(a)),
        (field_of(byte, 11, 2) == IIDR >> 2, lambda: lane(IIDR_WORD, field_of(byte, 1, 0))),
        (or_(ISENABLER.holds(byte), ICENABLER.holds(byte)), enabled),
        (or_(ISPENDR.holds(byte), ICPENDR.holds(byte)), is_pending),
        (IPRIORITYR.holds(byte), priority),
        (ITARGETSR.holds(byte), target),
        (ICFGR.holds(byte), lambda: icfgr_byte(vm, a, byte)),
        (and_(a.switches.mmio_sgi_sources, pending_sgis), sources),
    ]
    return _chosen(options)


def _typer(a: Accessing) -> Byte:
    """GICD_TYPER.CPUNumber, bits 7:5, and ITLinesNumber, bits 4:0."""
    return concat((field_of(a.nr_cpus - 1, 2, 0), 3), (field_of(field_of(a.nr_irqs, 10, 5) - 1, 4, 0), 5))


def target_byte(vm: Vm, a: Accessing, intid: int) -> Byte:
    """Return a byte of GICD_ITARGETSR; that of a private interrupt names the accessing vCPU."""
    private = lt(intid, NR_PRIVATE_IRQS)
    named = [ite(private, a.vcpu == c, vm.irq_spi_target[c, intid]) for c in range(MAX_CPUS)]
    return byte_of([and_(lt(c, a.nr_cpus), b) for c, b in enumerate(named)])


def priority_key(a: Accessing, intid: int) -> tuple[int, int]:
    """In 2012 the banked words 4..7 were taken for shared ones, 8 words before which the last bank lies."""
    ppi = and_(le(NR_SGIS, intid), lt(intid, NR_PRIVATE_IRQS))
    bank, intid = bank_of(a.vcpu, intid)
    return (bank if a.switches.mmio_priority_banked else ite(ppi, MAX_CPUS - 1, bank, width=3)), intid
