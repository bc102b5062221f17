"""GICH_VMCR: its codec, and that the guest's control registers are fields of it."""

from __future__ import annotations

from collections.abc import Sequence

from model.vmcr import Vmcr, VmcrInput, VmcrOutput, encode_vmcr
from vgicheck.engine.values import and_, bit, concat, field_of, iff, ite, le, same

from .property import At, Part, Property

VMCR_RESERVED = 0x0703_FDE0


def _vmcr_codec(old: VmcrInput, new: VmcrOutput, at: At) -> Sequence[Part]:
    word, before = old.word, new.encoded
    legal = word & VMCR_RESERVED == 0

    def replaced(fields: int) -> int:
        """Return the word of the record with these bits taken from the other word."""
        return before & ~fields & 0xFFFF_FFFF | word & fields

    def kept(least: int, high: int, low: int) -> bool:
        return le(least, field_of(word, high, low))

    return (
        Part("decoding reads each field at its bits", True, _holds(word, new.decoded)),
        Part("encoding puts each field at its bits", True, _holds(before, old.vmcr)),
        Part("encoding leaves the reserved bits zero", True, before & VMCR_RESERVED == 0),
        Part("a record comes back as it was", True, same(new.vmcr_again, old.vmcr)),
        Part("a word comes back with its reserved bits cleared", True,
             encode_vmcr(new.decoded) == word & ~VMCR_RESERVED & 0xFFFF_FFFF),
        Part("legal means that the reserved bits are clear", True, iff(new.legal, legal)),
        Part("a write of GICH_VMCR reads back", and_(legal, kept(2, 23, 21), kept(3, 20, 18)),
             encode_vmcr(new.written) == word),
        Part("but for a binary point below the least, which becomes the least", True,
             and_(new.written.bp == ite(kept(2, 23, 21), field_of(word, 23, 21), 2, width=3),
                  new.written.abp == ite(kept(3, 20, 18), field_of(word, 20, 18), 3, width=3),
                  encode_vmcr(new.written) & 0xF803_FFFF == word & 0xF800_021F)),
        Part("GICV_CTLR is bits 9:0 of GICH_VMCR", True,
             and_(new.read_ctlr == field_of(before, 9, 0), encode_vmcr(new.ctlr) == replaced(0x21F))),
        Part("GICV_PMR is bits 31:27 of GICH_VMCR, at its bits 7:3", True,
             and_(field_of(new.read_pmr, 7, 3) == field_of(before, 31, 27), field_of(new.read_pmr, 2, 0) == 0,
                  encode_vmcr(new.pmr) == concat((field_of(word, 7, 3), 5), (field_of(before, 26, 0), 27)))),
        Part("GICV_BPR is bits 23:21 of GICH_VMCR, and 2 or more", True,
             encode_vmcr(new.bpr) == concat(
                 (field_of(before, 31, 24), 8),
                 (ite(kept(2, 2, 0), field_of(word, 2, 0), 2, width=3), 3),
                 (field_of(before, 20, 0), 21))),
        Part("GICV_ABPR is bits 20:18 of GICH_VMCR, and 3 or more", True,
             encode_vmcr(new.abpr) == concat(
                 (field_of(before, 31, 21), 11),
                 (ite(kept(3, 2, 0), field_of(word, 2, 0), 3, width=3), 3),
                 (field_of(before, 17, 0), 18))),
    )  # fmt: skip


def _holds(word: int, vmcr: Vmcr) -> bool:
    flags = (vmcr.grp0_en, vmcr.grp1_en, vmcr.ack_ctl, vmcr.fiq_en, vmcr.cbpr)
    return and_(
        *(iff(value, bit(word, n)) for n, value in enumerate(flags)),
        iff(vmcr.eoi_mode, bit(word, 9)),
        field_of(word, 20, 18) == vmcr.abp,
        field_of(word, 23, 21) == vmcr.bp,
        field_of(word, 31, 27) == vmcr.pri_mask,
    )


VMCR: tuple[Property, ...] = (
    Property(
        id="vmcr-codec",
        subject="vmcr_codec",
        sentence="The codec of VMCR is exact, and GICV_CTLR, PMR, BPR and ABPR are its fields.",
        formula=_vmcr_codec,
        source="IHI 0048B, GICH_VMCR, GICV_CTLR, GICV_PMR, GICV_BPR and GICV_ABPR",
        may_be_false="on an interface with other least binary points than 2 and 3",
        caught="none known",
    ),
)
