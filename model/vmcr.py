"""GICH_VMCR as a record: the codec of its 32 bits, and the registers of the guest that are views of it.

    31:27        26:24  23:21  20:18  17:10  9      8:5  4       3        2         1         0
    VMPriMask    0      VMBP   VMABP  0      VEOIM  0    VMCBPR  VMFIQEn  VMAckCtl  VMGrp1En  VMGrp0En

GICV_CTLR is bits 9:0, GICV_PMR the mask at bits 7:3, GICV_BPR and GICV_ABPR the binary points at bits 2:0 (IHI 0048B,
GICH_VMCR and GICV_*).  Left out: interfaces with fewer than the 5 priority bits and 32 preemption levels of GIC-400.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.values import Width, and_, bit, concat, field_of, flag, ite, lt

MIN_BP = 2
"""Least binary point of group 0, 7 less the 5 bits of preemption; a smaller one that is written becomes this one."""
MIN_ABP = 3
"""Least aliased binary point, that of group 1."""


@dataclass(frozen=True, slots=True)
class Vmcr:
    """What GICH_VMCR says, and the guest's own control registers with it.

    grp0_en, grp1_en  interrupts of the group are signalled
    ack_ctl           GICV_IAR and GICV_HPPIR also see group 1
    fiq_en            group 0 is signalled as FIQ
    cbpr              the binary point `bp` serves group 1 too
    eoi_mode          GICV_EOIR drops the priority only, GICV_DIR deactivates
    abp, bp           binary points of group 1 and group 0, see `model.gicv.group_priority`
    pri_mask          only priorities below this one are signalled
    """

    grp0_en: bool
    grp1_en: bool
    ack_ctl: bool
    fiq_en: bool
    cbpr: bool
    eoi_mode: bool
    abp: Annotated[int, Width(3)]
    bp: Annotated[int, Width(3)]
    pri_mask: Annotated[int, Width(5)]


RESET = Vmcr(False, False, False, False, False, False, abp=MIN_ABP, bp=MIN_BP, pri_mask=0)
"""After reset: nothing is signalled."""


def decode_vmcr(word: int) -> Vmcr:
    """Return what a 32-bit word of GICH_VMCR says. Reserved bits are not looked at."""
    return Vmcr(
        grp0_en=bit(word, 0),
        grp1_en=bit(word, 1),
        ack_ctl=bit(word, 2),
        fiq_en=bit(word, 3),
        cbpr=bit(word, 4),
        eoi_mode=bit(word, 9),
        abp=field_of(word, 20, 18),
        bp=field_of(word, 23, 21),
        pri_mask=field_of(word, 31, 27),
    )


def encode_vmcr(vmcr: Vmcr) -> int:
    """Return the 32-bit word of GICH_VMCR. Its reserved bits are zero."""
    return concat((vmcr.pri_mask, 5), (0, 3), (vmcr.bp, 3), (vmcr.abp, 3), (0, 8), (read_ctlr(vmcr), 10))


def legal_vmcr(word: int) -> bool:
    """Say whether a 32-bit word of GICH_VMCR has its reserved bits clear: 26:24, 17:10 and 8:5."""
    return and_(field_of(word, 26, 24) == 0, field_of(word, 17, 10) == 0, field_of(word, 8, 5) == 0)


def write_vmcr(word: int) -> Vmcr:
    """Return GICH_VMCR after the hypervisor wrote a 32-bit word: binary points are kept to what there is."""
    vmcr = decode_vmcr(word)
    return replace(vmcr, bp=at_least(MIN_BP, vmcr.bp), abp=at_least(MIN_ABP, vmcr.abp))


def read_ctlr(vmcr: Vmcr) -> int:
    """Return GICV_CTLR, bits 9:0."""
    return concat(
        (flag(vmcr.eoi_mode), 1),
        (0, 4),
        (flag(vmcr.cbpr), 1),
        (flag(vmcr.fiq_en), 1),
        (flag(vmcr.ack_ctl), 1),
        (flag(vmcr.grp1_en), 1),
        (flag(vmcr.grp0_en), 1),
    )


def write_ctlr(vmcr: Vmcr, word: int) -> Vmcr:
    """The guest writes a 32-bit word to GICV_CTLR."""
    return replace(decode_vmcr(word), abp=vmcr.abp, bp=vmcr.bp, pri_mask=vmcr.pri_mask)


def read_pmr(vmcr: Vmcr) -> int:
    """Return GICV_PMR, bits 7:0."""
    return concat((vmcr.pri_mask, 5), (0, 3))


def write_pmr(vmcr: Vmcr, word: int) -> Vmcr:
    """The guest writes a 32-bit word to GICV_PMR."""
    return replace(vmcr, pri_mask=field_of(word, 7, 3))


def write_bpr(vmcr: Vmcr, word: int) -> Vmcr:
    """The guest writes a 32-bit word to GICV_BPR, which reads as `bp`."""
    return replace(vmcr, bp=at_least(MIN_BP, field_of(word, 2, 0)))


def write_abpr(vmcr: Vmcr, word: int) -> Vmcr:
    """The guest writes a 32-bit word to GICV_ABPR, which reads as `abp`."""
    return replace(vmcr, abp=at_least(MIN_ABP, field_of(word, 2, 0)))


def at_least(least: int, point: int) -> int:
    """Return a binary point of 3 bits, or the least there is."""
    return ite(lt(point, least), least, point, width=3)


@dataclass(frozen=True, slots=True)
class VmcrInput:
    """A record and a word that have nothing to do with each other: what codec and views are tried on."""

    vmcr: Vmcr
    word: Annotated[int, Width(32)]


@dataclass(frozen=True, slots=True)
class VmcrOutput:
    """What codec and views make of a `VmcrInput`; `ctlr`, `pmr`, `bpr` and `abpr` are the record after that write."""

    encoded: Annotated[int, Width(32)]
    decoded: Vmcr
    vmcr_again: Vmcr
    legal: bool
    written: Vmcr
    read_ctlr: Annotated[int, Width(10)]
    read_pmr: Annotated[int, Width(8)]
    ctlr: Vmcr
    pmr: Vmcr
    bpr: Vmcr
    abpr: Vmcr


def vmcr_codec(old: VmcrInput) -> VmcrOutput:
    """Run the codec both ways, and each view of the register."""
    encoded = encode_vmcr(old.vmcr)
    return VmcrOutput(
        encoded=encoded,
        decoded=decode_vmcr(old.word),
        vmcr_again=decode_vmcr(encoded),
        legal=legal_vmcr(old.word),
        written=write_vmcr(old.word),
        read_ctlr=read_ctlr(old.vmcr),
        read_pmr=read_pmr(old.vmcr),
        ctlr=write_ctlr(old.vmcr, old.word),
        pmr=write_pmr(old.vmcr, old.word),
        bpr=write_bpr(old.vmcr, old.word),
        abpr=write_abpr(old.vmcr, old.word),
    )
