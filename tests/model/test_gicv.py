"""The virtual CPU interface: small register files with answers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from model.gich import Gich, decode_hcr
from model.gicv import (
    GROUP1_ONLY,
    SPURIOUS,
    GicvAccess,
    Lines,
    Outcome,
    Register,
    gicv_access,
    gicv_status,
    group_priority,
    highest_pending,
    lines,
    read_ahppir,
    read_aiar,
    read_hppir,
    read_iar,
    running_priority,
    write_dir,
    write_eoir,
)
from model.lr import EMPTY, ListRegister, LRState
from model.vmcr import RESET
from vgicheck.engine.maps import Map

INVALID, PENDING, ACTIVE, BOTH = LRState
OPEN = replace(RESET, grp0_en=True, grp1_en=True, ack_ctl=True, pri_mask=31)


def interface(*lrs: ListRegister, apr: int = 0, en: bool = True, **vmcr: object) -> Gich:
    """Return an interface with these list registers, both groups enabled and nothing masked."""
    registers = Map.of(dict(enumerate(lrs)), EMPTY)
    return Gich(len(lrs), registers, decode_hcr(en), replace(OPEN, **vmcr), apr)


def lr(state: LRState, virtual_id: int = 34, priority: int = 8, **others: object) -> ListRegister:
    """Return a list register; priority 8 of 32 is 0x40 of 256."""
    return replace(EMPTY, state=state, virtual_id=virtual_id, priority=priority, **others)


def states(outcome: Outcome) -> list[int]:
    """Return the states of the list registers."""
    return [outcome.gich.lr[n].state for n in range(outcome.gich.nr_lr)]


def test_highest_priority_goes_first() -> None:
    """The pending interrupt with the lowest number goes first, of equals the one in the lowest list register."""
    gich = interface(lr(ACTIVE, 1, 0), lr(PENDING, 2, 9), lr(PENDING, 3, 4), lr(BOTH, 4, 0), lr(PENDING, 5, 4))
    assert highest_pending(gich) == (True, 2)
    assert highest_pending(interface(lr(ACTIVE), lr(BOTH))) == (False, 0)
    assert highest_pending(interface(lr(PENDING, group1=True), lr(PENDING, priority=30), grp1_en=False)) == (True, 1)


def test_iar_takes_it() -> None:
    """IAR makes it active, makes its priority active, and names it with its CPUID."""
    outcome = read_iar(interface(lr(PENDING, 40, 9), lr(PENDING, 3, 8, cpuid=5)))
    assert states(outcome) == [PENDING, ACTIVE]
    assert (outcome.value, outcome.gich.apr) == (5 << 10 | 3, 1 << 8)
    assert (running_priority(outcome.gich), outcome.deactivates) == (0x40, False)


def test_hw_interrupt_has_no_cpuid() -> None:
    """With HW bits 12:10 of the list register belong to the physical id, and IAR does not show them."""
    assert read_iar(interface(lr(PENDING, 3, hw=True, physical_id=0x1F))).value == 3


@pytest.mark.parametrize("mask", range(32))
def test_mask_is_strict(mask: int) -> None:
    """Only a priority below the mask is signalled."""
    gich = interface(lr(PENDING, priority=8), pri_mask=mask)
    assert (read_iar(gich).value == 34) is (mask > 8)
    assert lines(gich).virq is (mask > 8)
    assert read_hppir(gich) == 34


@pytest.mark.parametrize("active", range(32))
def test_preemption_is_strict(active: int) -> None:
    """Only a group priority above every active one preempts."""
    gich = interface(lr(PENDING, priority=8), apr=1 << active | 1 << 31)
    outcome = read_iar(gich)
    assert running_priority(gich) == active * 8
    assert outcome.value == (34 if active > 8 else SPURIOUS)
    assert outcome.gich.apr == gich.apr | (1 << 8 if active > 8 else 0)


# (binary point, group priority of priority 0b10111 by GICV_BPR, by GICV_ABPR)
GROUP_PRIORITIES = [
    (0, 0b10111, 0b10111),
    (1, 0b10111, 0b10111),
    (2, 0b10111, 0b10111),
    (3, 0b10110, 0b10111),
    (4, 0b10100, 0b10110),
    (5, 0b10000, 0b10100),
    (6, 0b10000, 0b10000),
    (7, 0b00000, 0b10000),
]


@pytest.mark.parametrize(("point", "by_bpr", "by_abpr"), GROUP_PRIORITIES)
def test_group_priority(point: int, by_bpr: int, by_abpr: int) -> None:
    """BPR = n keeps bits 7:n+1 of a priority, ABPR = n bits 7:n; CBPR has group 1 use BPR."""
    vmcr = replace(OPEN, bp=point, abp=point)
    group0, group1 = lr(PENDING, priority=0b10111), lr(PENDING, priority=0b10111, group1=True)
    assert (group_priority(vmcr, group0), group_priority(vmcr, group1)) == (by_bpr, by_abpr)
    assert group_priority(replace(vmcr, cbpr=True), group1) == by_bpr


def test_subpriority_does_not_preempt() -> None:
    """Within one group priority the subpriority orders what is pending, and preempts nothing."""
    first = read_iar(interface(lr(PENDING, 40, 9), lr(PENDING, 41, 8), bp=3))
    assert (first.value, first.gich.apr) == (41, 1 << 8)
    assert read_iar(first.gich).value == SPURIOUS


@pytest.mark.parametrize(
    ("group1", "ack_ctl", "iar", "aiar"),
    [(False, False, 34, SPURIOUS), (False, True, 34, SPURIOUS), (True, False, GROUP1_ONLY, 34), (True, True, 34, 34)],
)
def test_groups(group1: bool, ack_ctl: bool, iar: int, aiar: int) -> None:
    """IAR sees group 1 with AckCtl only, AIAR group 1 only; what refuses leaves the interrupt pending."""
    gich = interface(lr(PENDING, group1=group1), ack_ctl=ack_ctl)
    for outcome, value in ((read_iar(gich), iar), (read_aiar(gich), aiar)):
        assert outcome.value == value
        assert states(outcome) == [ACTIVE if value == 34 else PENDING]
    assert (read_hppir(gich), read_ahppir(gich)) == (iar, aiar)


def test_group1_held_back_is_spurious() -> None:
    """IAR says 1022 only for an interrupt that would be taken, had AckCtl been set."""
    gich = interface(lr(PENDING, group1=True), ack_ctl=False, apr=1)
    assert read_iar(gich).value == SPURIOUS and read_hppir(gich) == GROUP1_ONLY


def test_lines() -> None:
    """Group 0 is signalled as FIQ with FIQEn, all else as IRQ, and nothing while the interface is disabled."""
    group0, group1 = lr(PENDING), lr(PENDING, group1=True)
    assert lines(interface(group0)) == lines(interface(group1, fiq_en=True)) == Lines(True, False)
    assert lines(interface(group0, fiq_en=True)) == Lines(False, True)
    for off in (interface(group0, en=False), interface(group0, grp0_en=False), interface(lr(ACTIVE))):
        assert lines(off) == Lines(False, False)
        assert (read_iar(off).value, read_hppir(off), read_ahppir(off)) == (SPURIOUS,) * 3


def test_eoir_drops_and_ends() -> None:
    """With EOImode 0 EOIR drops the highest active priority and ends the interrupt, active or both."""
    gich = interface(lr(ACTIVE, 34), lr(BOTH, 35), apr=0b1100)
    first = write_eoir(gich, 34)
    assert (states(first), first.gich.apr) == ([INVALID, BOTH], 0b1000)
    second = write_eoir(first.gich, 7 << 10 | 35)
    assert (states(second), second.gich.apr, second.gich.hcr.eoicount) == ([INVALID, PENDING], 0, 0)


def test_split_end() -> None:
    """With EOImode 1 EOIR drops the priority only, and DIR ends the interrupt only."""
    gich = interface(lr(ACTIVE), apr=0b100, eoi_mode=True)
    dropped = write_eoir(gich, 34)
    assert (states(dropped), dropped.gich.apr) == ([ACTIVE], 0)
    ended = write_dir(gich, 34)
    assert (states(ended), ended.gich.apr) == ([INVALID], 0b100)
    assert states(write_dir(replace(gich, vmcr=OPEN), 34)) == [ACTIVE]


@pytest.mark.parametrize(
    ("eoi_mode", "write", "apr", "count"),
    [
        (False, write_eoir, 1, 1),
        (False, write_eoir, 0, 0),
        (True, write_eoir, 1, 0),
        (True, write_dir, 0, 1),
        (False, write_dir, 1, 0),
    ],
)
def test_eoicount(eoi_mode: bool, write: object, apr: int, count: int) -> None:
    """An end of an interrupt that is in no list register is counted by EOIR if it dropped a priority, and by DIR."""
    gich = interface(lr(PENDING), eoi_mode=eoi_mode, apr=apr)
    assert callable(write) and write(gich, 34).gich.hcr.eoicount == count


@pytest.mark.parametrize(
    ("physical_id", "forwarded"), [(0, False), (15, False), (16, True), (1019, True), (1020, False)]
)
def test_hw_forwards(physical_id: int, forwarded: bool) -> None:
    """The end of an interrupt with HW deactivates the physical one, if that is no SGI."""
    outcome = write_eoir(interface(lr(ACTIVE, hw=True, physical_id=physical_id), apr=1), 34)
    assert (outcome.deactivates, outcome.physical_id) == (forwarded, physical_id if forwarded else 0)
    assert states(outcome) == [INVALID]
    assert not write_eoir(interface(lr(ACTIVE, hw=True, physical_id=16)), 35).deactivates


@pytest.mark.parametrize("virtual_id", [1020, 1021, 1022, 1023])
def test_special_ids_are_ignored(virtual_id: int) -> None:
    """What names no interrupt drops no priority, ends nothing, and is not counted."""
    for write, eoi_mode in ((write_eoir, False), (write_dir, True)):
        outcome = write(interface(lr(ACTIVE, virtual_id), apr=3, eoi_mode=eoi_mode), virtual_id)
        assert (states(outcome), outcome.gich.apr, outcome.gich.hcr.eoicount) == ([ACTIVE], 3, 0)


@pytest.mark.parametrize(
    ("register", "function"),
    [
        (Register.IAR, read_iar),
        (Register.AIAR, read_aiar),
        (Register.EOIR, lambda gich: write_eoir(gich, 34)),
        (Register.AEOIR, lambda gich: write_eoir(gich, 34)),
        (Register.DIR, lambda gich: write_dir(gich, 34)),
        *((number, lambda gich: Outcome(gich, 0, False, 0)) for number in (5, 6, 7)),
    ],
)
def test_access_by_register(register: int, function: Callable[[Gich], Outcome]) -> None:
    """An access does what its register's own function does; numbers of no register do nothing."""
    gich = interface(lr(PENDING, 40, group1=True), lr(ACTIVE, 34), apr=1 << 9)
    outcome, expected = gicv_access(GicvAccess(gich, register, 34)), function(gich)
    assert states(outcome) == states(expected)
    assert (outcome.value, outcome.gich.apr) == (expected.value, expected.gich.apr)


def test_status() -> None:
    """What the guest can look at is what the registers' own functions say."""
    gich = interface(lr(PENDING, group1=True), apr=1 << 20, ack_ctl=False)
    status = gicv_status(gich)
    assert (status.running_priority, status.hppir, status.ahppir) == (0xA0, GROUP1_ONLY, 34)
    assert status.lines == Lines(True, False)
