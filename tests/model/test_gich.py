"""The virtual interface: small register files with answers worked out by hand."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from model.gich import (
    LR_INDICES,
    Gich,
    Hcr,
    Misr,
    acknowledge,
    decode_hcr,
    decode_misr,
    eisr,
    elrsr,
    encode_hcr,
    encode_misr,
    end_of_interrupt,
    gich_status,
    hypervisor_write,
    legal_hcr,
    maintenance_line,
    misr,
    vtr,
)
from model.lr import EMPTY, ListRegister, LRState, decode
from model.vmcr import RESET
from vgicheck.engine.maps import Map
from vgicheck.engine.values import fresh, implies, not_, same

INVALID, PENDING, ACTIVE, BOTH = LRState
NO_MISR = Misr(False, False, False, False, False, False, False, False)
OFF = Hcr(False, False, False, False, False, False, False, False, 0)
ON = replace(OFF, en=True)

# (State, HW, bit 19) of the word: (ELRSR, EISR)
EMPTY_AND_ENDED = {
    (0, 0, 0): (True, False),
    (0, 0, 1): (False, True),
    (0, 1, 0): (True, False),
    (0, 1, 1): (True, False),
    (1, 0, 0): (False, False),
    (1, 0, 1): (False, False),
    (1, 1, 0): (False, False),
    (1, 1, 1): (False, False),
    (2, 0, 0): (False, False),
    (2, 0, 1): (False, False),
    (2, 1, 0): (False, False),
    (2, 1, 1): (False, False),
    (3, 0, 0): (False, False),
    (3, 0, 1): (False, False),
    (3, 1, 0): (False, False),
    (3, 1, 1): (False, False),
}


def interface(*registers: ListRegister, nr_lr: int | None = None, hcr: Hcr = ON) -> Gich:
    """Return an interface with these list registers; those behind them, up to 64, are pending and must not be seen."""
    beyond = replace(EMPTY, state=PENDING, virtual_id=99)
    return Gich(
        nr_lr=len(registers) if nr_lr is None else nr_lr,
        lr=Map.of(dict(enumerate(registers)), beyond),
        hcr=hcr,
        vmcr=replace(RESET, grp0_en=True),
        apr=1,
    )


def lr(state: LRState, virtual_id: int = 34, *, eoi: bool = False, hw: bool = False) -> ListRegister:
    """Return a list register with the fields that these tests look at."""
    return replace(EMPTY, state=state, virtual_id=virtual_id, eoi=eoi, hw=hw)


def changed(old: Gich, new: Gich) -> dict[int, ListRegister]:
    """Return the list registers that differ."""
    return {n: new.lr[n] for n in LR_INDICES if new.lr[n] != old.lr[n]}


def others(gich: Gich) -> tuple[object, ...]:
    """Return everything but the list registers."""
    return tuple(getattr(gich, f.name) for f in fields(Gich) if f.name != "lr")


@pytest.mark.parametrize("bits", EMPTY_AND_ENDED)
def test_elrsr_and_eisr_table(bits: tuple[int, int, int]) -> None:
    """ELRSR and EISR are those of the table, and read as zero where there is no list register."""
    state, hw, bit19 = bits
    gich = interface(decode(state << 28 | hw << 31 | bit19 << 19))
    assert (elrsr(gich, 0), eisr(gich, 0)) == EMPTY_AND_ENDED[bits]
    absent = replace(gich, nr_lr=1, lr=Map.constant(gich.lr[0]))
    assert not any(elrsr(absent, n) or eisr(absent, n) for n in LR_INDICES if n >= 1)
    assert elrsr(replace(absent, nr_lr=64), 63) is EMPTY_AND_ENDED[bits][0]
    assert eisr(replace(absent, nr_lr=64), 63) is EMPTY_AND_ENDED[bits][1]


@pytest.mark.parametrize(
    ("position", "name"),
    list(enumerate(["en", "uie", "lrenpie", "npie", "vgrp0eie", "vgrp0die", "vgrp1eie", "vgrp1die"])),
)
def test_hcr_bits(position: int, name: str) -> None:
    """Each enable of GICH_HCR stands at its bit, alone."""
    assert decode_hcr(1 << position) == replace(OFF, **{name: True})
    assert encode_hcr(replace(OFF, **{name: True})) == 1 << position


@pytest.mark.parametrize(
    ("position", "name"), list(enumerate(["eoi", "u", "lrenp", "np", "vgrp0e", "vgrp0d", "vgrp1e", "vgrp1d"]))
)
def test_misr_bits(position: int, name: str) -> None:
    """Each condition of GICH_MISR stands at its bit, alone."""
    assert decode_misr(1 << position) == replace(NO_MISR, **{name: True})
    assert encode_misr(replace(NO_MISR, **{name: True})) == 1 << position


def test_eoicount_is_the_top_five_bits() -> None:
    """EOICount is bits 31:27 of GICH_HCR."""
    assert decode_hcr(0xA800_0000) == replace(OFF, eoicount=21)
    assert encode_hcr(replace(OFF, eoicount=21)) == 0xA800_0000


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None, database=None)
def test_hcr_and_misr_round_trip(word: int) -> None:
    """A word of HCR or MISR comes back with its reserved bits cleared; legal means that there were none."""
    assert encode_hcr(decode_hcr(word)) == word & 0xF800_00FF
    assert legal_hcr(word) is (word & 0x07FF_FF00 == 0)
    assert encode_misr(decode_misr(word)) == word & 0xFF


def test_codecs_of_hcr_and_misr_are_proved() -> None:
    """For every word and record of HCR and MISR, each way round gives back what went in, reserved bits cleared."""
    word, hcr, status = z3.BitVec("word", 32), fresh(Hcr, "hcr"), fresh(Misr, "misr")
    claims = (
        encode_hcr(decode_hcr(word)) == word & 0xF800_00FF,
        same(decode_hcr(encode_hcr(hcr)), hcr),
        legal_hcr(encode_hcr(hcr)),
        implies(legal_hcr(word), word & 0x07FF_FF00 == 0),
        encode_misr(decode_misr(word)) == word & 0xFF,
        same(decode_misr(encode_misr(status)), status),
    )
    for claim in claims:
        solver = z3.Solver()
        solver.add(not_(claim))
        assert solver.check() == z3.unsat


@pytest.mark.parametrize("state", [PENDING, ACTIVE, BOTH])
def test_underflow_counts_valid_registers(state: LRState) -> None:
    """U holds with UIE for none or one valid list register of any valid state, and not for two."""
    uie = replace(OFF, uie=True)
    ended = lr(INVALID, eoi=True)
    assert misr(interface(ended, ended, ended, hcr=uie)).u
    assert misr(interface(ended, lr(state), ended, hcr=uie)).u
    assert not misr(interface(ended, lr(state), ended, hcr=OFF)).u
    assert not misr(interface(lr(state), ended, lr(PENDING), hcr=uie)).u
    assert not misr(interface(lr(state), lr(state), lr(state), hcr=uie)).u


def test_underflow_sees_only_implemented_registers() -> None:
    """U does not count what lies behind the last list register, and counts the last."""
    uie = replace(OFF, uie=True)
    assert misr(interface(lr(PENDING), EMPTY, hcr=uie)).u
    assert not misr(interface(lr(PENDING), EMPTY, nr_lr=3, hcr=uie)).u
    every = replace(interface(hcr=uie), lr=Map.of({0: lr(ACTIVE), 63: lr(ACTIVE)}, EMPTY))
    assert misr(replace(every, nr_lr=63)).u
    assert not misr(replace(every, nr_lr=64)).u


def test_no_pending_means_exactly_pending() -> None:
    """NP holds with NPIE where every list register is invalid, active, or pending and active."""
    npie = replace(OFF, npie=True)
    assert misr(interface(lr(ACTIVE), lr(BOTH), EMPTY, hcr=npie)).np
    assert not misr(interface(lr(ACTIVE), lr(BOTH), EMPTY)).np
    assert not misr(interface(lr(ACTIVE), lr(PENDING), EMPTY, hcr=npie)).np


def test_other_maintenance_conditions() -> None:
    """EOI needs no enable; LRENP needs a count; the group bits follow GICV_CTLR."""
    assert misr(interface(lr(INVALID, eoi=True), hcr=OFF)) == replace(NO_MISR, eoi=True)
    assert misr(interface(lr(ACTIVE, eoi=True), EMPTY, hcr=OFF)) == NO_MISR
    assert misr(interface(EMPTY, hcr=replace(OFF, lrenpie=True))) == NO_MISR
    assert misr(interface(EMPTY, hcr=replace(OFF, eoicount=16))) == NO_MISR
    assert misr(interface(EMPTY, hcr=replace(OFF, lrenpie=True, eoicount=16))) == replace(NO_MISR, lrenp=True)
    groups = interface(EMPTY, hcr=replace(OFF, vgrp0eie=True, vgrp0die=True, vgrp1eie=True, vgrp1die=True))
    assert misr(groups) == replace(NO_MISR, vgrp0e=True, vgrp1d=True)
    swapped = replace(groups, vmcr=replace(RESET, grp1_en=True))
    assert misr(swapped) == replace(NO_MISR, vgrp0d=True, vgrp1e=True)


def test_maintenance_line_needs_en() -> None:
    """The line is asserted for a condition under HCR.En; MISR shows the condition without it."""
    ended = lr(INVALID, eoi=True)
    assert maintenance_line(interface(ended))
    assert not maintenance_line(interface(ended, hcr=OFF)) and misr(interface(ended, hcr=OFF)).eoi
    assert not maintenance_line(interface(EMPTY))


def test_status_reads_every_derived_register() -> None:
    """What the hypervisor reads is what the registers derive, one by one."""
    gich = interface(EMPTY, lr(INVALID, eoi=True), lr(PENDING))
    status = gich_status(gich)
    assert [status.elrsr[n] for n in range(4)] == [True, False, False, False]
    assert [status.eisr[n] for n in range(4)] == [False, True, False, False]
    assert status.misr == replace(NO_MISR, eoi=True) and status.maintenance_line


@pytest.mark.parametrize("nr_lr", [1, 4, 33, 64])
def test_vtr(nr_lr: int) -> None:
    """GICH_VTR states the number of list registers less one, and 5 bits of priority and of preemption."""
    assert vtr(interface(EMPTY, nr_lr=nr_lr)) == 0x9000_0000 | nr_lr - 1


def test_acknowledge() -> None:
    """Reading IAR makes the register that is taken active, if it exists, is exactly pending, and HCR.En is set."""
    gich = interface(lr(PENDING, 34, eoi=True), lr(PENDING, 35), lr(BOTH, 36), lr(ACTIVE, 37), EMPTY)
    assert changed(gich, acknowledge(gich, 0)) == {0: lr(ACTIVE, 34, eoi=True)}
    for untaken in (2, 3, 4, 5, 63):
        assert changed(gich, acknowledge(gich, untaken)) == {}
    assert changed(gich, acknowledge(replace(gich, hcr=OFF), 0)) == {}
    assert others(acknowledge(gich, 0)) == others(gich)


def test_end_of_interrupt() -> None:
    """Writing EOIR makes active invalid, and pending and active pending; other fields stay, and nothing is counted."""
    gich = interface(lr(PENDING, 34), lr(ACTIVE, 35, eoi=True), lr(BOTH, 36), lr(INVALID, 37, eoi=True))
    assert changed(gich, end_of_interrupt(gich, 35)) == {1: lr(INVALID, 35, eoi=True)}
    assert changed(gich, end_of_interrupt(gich, 36)) == {2: lr(PENDING, 36)}
    assert others(end_of_interrupt(gich, 35)) == others(gich)
    disabled = replace(gich, hcr=OFF)
    assert changed(disabled, end_of_interrupt(disabled, 35)) == {1: lr(INVALID, 35, eoi=True)}


@pytest.mark.parametrize("virtual_id", [34, 37, 99, 500])
def test_end_of_an_interrupt_that_is_in_no_register(virtual_id: int) -> None:
    """An id in no active list register is counted: one that is only pending, invalid, or behind the last register."""
    gich = interface(lr(PENDING, 34), lr(ACTIVE, 35), lr(INVALID, 37))
    ended = end_of_interrupt(gich, virtual_id)
    assert changed(gich, ended) == {}
    assert others(ended) == others(replace(gich, hcr=replace(ON, eoicount=1)))
    full = end_of_interrupt(replace(gich, hcr=replace(ON, eoicount=31)), virtual_id)
    assert full.hcr == ON


@pytest.mark.parametrize("virtual_id", [1020, 1021, 1022, 1023])
def test_special_ids_are_ignored(virtual_id: int) -> None:
    """EOIR ignores the ids that name no interrupt, and does not count them."""
    gich = interface(lr(ACTIVE, virtual_id))
    ended = end_of_interrupt(gich, virtual_id)
    assert changed(gich, ended) == {} and others(ended) == others(gich)
    assert changed(gich, end_of_interrupt(interface(lr(ACTIVE, 1019)), 1019))


def test_lowest_register_ends_first() -> None:
    """Of two active list registers with one id EOIR takes the lower; one that is only pending does not hide it."""
    gich = interface(lr(PENDING), lr(BOTH), lr(ACTIVE))
    assert changed(gich, end_of_interrupt(gich, 34)) == {1: lr(PENDING)}


def test_pending_and_active_level_interrupt_ends_unseen() -> None:
    """The end of an interrupt that is active sets its bit in EISR; of one that is pending and active, it does not."""
    gich = interface(lr(BOTH, 34, eoi=True), lr(ACTIVE, 35, eoi=True))
    assert not eisr(end_of_interrupt(gich, 34), 0)
    assert eisr(end_of_interrupt(gich, 35), 1)


def test_hypervisor_write() -> None:
    """A write of GICH_LRn is read back there and nowhere else, and is ignored where there is no such register."""
    gich = interface(EMPTY, EMPTY)
    assert changed(gich, hypervisor_write(gich, 1, lr(PENDING))) == {1: lr(PENDING)}
    assert changed(gich, hypervisor_write(gich, 2, EMPTY)) == {}
    assert others(hypervisor_write(gich, 1, lr(PENDING))) == others(gich)


def test_hypervisor_write_is_proved() -> None:
    """For every interface, index and value, a write changes exactly the register written, if that is implemented."""
    old, written, value = fresh(Gich, "old"), z3.BitVec("written", 6), fresh(ListRegister, "value")
    at = z3.BitVec("at", 6)
    new = hypervisor_write(old, written, value)
    hit = z3.And(at == written, z3.ULT(z3.ZeroExt(1, at), old.nr_lr))
    for claim in (implies(hit, same(new.lr[at], value)), implies(not_(hit), same(new.lr[at], old.lr[at]))):
        solver = z3.Solver()
        solver.add(not_(claim))
        assert solver.check() == z3.unsat
