"""GICD_ICFGRn: two bits for each interrupt, of which the upper says that it is edge-triggered and the lower is zero.

`handle_mmio_cfg_reg` keeps one bit of the two, 16 interrupts in half a word; its versions of 2012 take the wrong half
for odd registers, and forget a mask where they widen and narrow the bits.
"""

from __future__ import annotations

from collections.abc import Sequence

from vgicheck.engine.maps import Map
from vgicheck.engine.values import and_, any_of, bit, concat, field_of, flag, ite, le, lt, or_

from .distributor import NR_PRIVATE_IRQS
from .gicd import ICFGR, Accessing, Byte, Key, Offset, bit_at, lane
from .vm import Vm, bank_of


def irq_cfg(vm: Vm, a: Accessing) -> Map[bool]:
    """Return `Vm.irq_cfg` after a store. In 2012 a store to GICD_ICFGR0 made all private interrupts edge-triggered."""

    def hit(key: Key) -> bool:
        inside, byte = _cfg_place(a, key[1])
        reached = a.covers(byte) if a.switches.mmio_cfg_one_bit else a.same_word(byte)
        writable = le(NR_PRIVATE_IRQS, key[1]) if a.switches.mmio_cfg_private_fixed else True
        return and_(a.performed, a.owns(key), writable, inside, reached)

    def value(key: Key) -> bool:
        _, byte = _cfg_place(a, key[1])
        if a.switches.mmio_cfg_one_bit:
            return bit_at(a.stored(byte), concat((field_of(key[1], 1, 0), 2), (1, 1)))
        return _compressed(vm, a, field_of(key[1], 3, 0))

    def forced(key: Key) -> bool:
        first = le(a.access.offset, ICFGR.base + 3)
        return and_(a.performed, ICFGR.holds(a.access.offset), first, lt(key[1], NR_PRIVATE_IRQS), a.owns(key))

    cfg = vm.irq_cfg.where(hit, value)
    return cfg if a.switches.mmio_cfg_private_fixed else cfg.where(forced, lambda _: True)


def _cfg_place(a: Accessing, intid: int) -> tuple[bool, Offset]:
    """Return whether the interrupt has a field where the access begins, and the byte of that field.

    In 2012 bit 1 of the offset chose the half of a bank's 32 interrupts that bit 2 stands for.
    """
    offset = a.access.offset
    if a.switches.mmio_cfg_both_halves:
        return True, ICFGR.byte_of(intid)
    inside = and_(
        ICFGR.holds(offset),
        field_of(offset, 7, 3) == field_of(intid, 9, 5),
        field_of(offset, 1, 1) == field_of(intid, 4, 4),
    )
    return inside, concat((field_of(offset, 11, 2), 10), (field_of(intid, 3, 2), 2))


def _cfg_half(vm: Vm, a: Accessing, byte: Offset) -> list[bool]:
    """Return the 16 interrupts' configuration that belongs to the word of a byte."""
    half = field_of(byte, 2, 2) if a.switches.mmio_cfg_both_halves else field_of(a.access.offset, 1, 1)
    intids = [concat((field_of(byte, 7, 3), 5), (half, 1), (n, 4)) for n in range(16)]
    return [and_(a.exists(i), vm.irq_cfg[bank_of(a.vcpu, i)]) for i in intids]


def _expanded(a: Accessing, half: Sequence[bool]) -> list[bool]:
    """Return the 32 bits of a register, `vgic_cfg_expand`; that of 2012 forgets to mask before it shifts."""
    if a.switches.mmio_cfg_one_bit:
        return [half[n // 2] if n % 2 else False for n in range(32)]
    return [or_(*(half[j] for j in range(n // 2, min(16, n)))) for n in range(32)]


def _compressed(vm: Vm, a: Accessing, index: int) -> bool:
    """Return what a store leaves of interrupt 0..15 of a register, `vgic_cfg_compress` as of 2012, which smears too."""
    base = concat((field_of(a.access.offset, 11, 2), 10), (0, 2))
    old = _expanded(a, _cfg_half(vm, a, base))
    word = [ite(a.covers(base + n // 8), bit(a.stored(base + n // 8), n % 8), old[n]) for n in range(32)]
    return any_of(range(16), lambda i: and_(index == i, or_(*word[i + 1 : 2 * i + 2])))


def icfgr_byte(vm: Vm, a: Accessing, byte: Offset) -> Byte:
    """Return a byte of these registers."""
    word = _expanded(a, _cfg_half(vm, a, byte))
    return lane(concat(*((flag(b), 1) for b in reversed(word))), field_of(byte, 1, 0))
