"""GICH_VMCR: words written out by hand, and the guest's views of the register."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from model.vmcr import (
    RESET,
    Vmcr,
    decode_vmcr,
    encode_vmcr,
    legal_vmcr,
    read_ctlr,
    read_pmr,
    write_abpr,
    write_bpr,
    write_ctlr,
    write_pmr,
    write_vmcr,
)

FLAGS = {0: "grp0_en", 1: "grp1_en", 2: "ack_ctl", 3: "fiq_en", 4: "cbpr", 9: "eoi_mode"}
ZERO = Vmcr(False, False, False, False, False, False, 0, 0, 0)
FULL = decode_vmcr(0xFFFF_FFFF)


def test_reset() -> None:
    """After reset the least binary points are set and all else is zero: 0x004c0000."""
    assert encode_vmcr(RESET) == 0x004C_0000 and decode_vmcr(0x004C_0000) == RESET


@pytest.mark.parametrize("position", range(32))
def test_bits(position: int) -> None:
    """Each bit belongs to the field of the register's table, or is reserved and decodes as zero."""
    decoded = decode_vmcr(1 << position)
    changed = {f.name for f in fields(Vmcr) if getattr(decoded, f.name) != getattr(ZERO, f.name)}
    if position in FLAGS:
        assert changed == {FLAGS[position]}
    elif position >= 27:
        assert decoded == replace(ZERO, pri_mask=1 << position - 27)
    elif 18 <= position <= 23:
        assert changed == {"abp" if position < 21 else "bp"}
    else:
        assert decoded == ZERO
    assert legal_vmcr(1 << position) is (decoded != ZERO)
    assert encode_vmcr(decoded) == (1 << position if legal_vmcr(1 << position) else 0)


def test_binary_points_have_a_least_value() -> None:
    """A binary point below 2, the aliased one below 3, becomes that when the hypervisor or the guest writes it."""
    assert write_vmcr(0) == replace(ZERO, bp=2, abp=3)
    assert write_vmcr(0x00FC_0000) == replace(ZERO, bp=7, abp=7)
    assert [write_bpr(ZERO, n).bp for n in range(8)] == [2, 2, 2, 3, 4, 5, 6, 7]
    assert [write_abpr(ZERO, n).abp for n in range(8)] == [3, 3, 3, 3, 4, 5, 6, 7]


def test_views_of_the_guest() -> None:
    """GICV_CTLR, PMR, BPR and ABPR read and write their own field of the register and no other."""
    assert (read_ctlr(FULL), read_pmr(FULL)) == (0x21F, 0xF8)
    assert write_ctlr(FULL, 0) == replace(ZERO, abp=7, bp=7, pri_mask=31)
    assert write_ctlr(ZERO, 0xFFFF_FFFF) == replace(FULL, abp=0, bp=0, pri_mask=0)
    assert write_pmr(FULL, 0x1F8 & 0x80) == replace(FULL, pri_mask=16)
    assert write_bpr(FULL, 0xC) == replace(FULL, bp=4)
    assert write_abpr(FULL, 0xC) == replace(FULL, abp=4)
