"""The hardware half, the hypervisor's side: what the list registers, and the status registers must be.

The formulas are written against the bits of the registers' words and against explicit counts, not in the words of the
model, so that a slip in the model is not repeated here.  Bit numbers are those of the architecture's register tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from model.gich import LR_INDICES, Gich, GuestAccess, Status, encode_hcr, encode_misr
from model.lr import CodecInput, CodecOutput, ListRegister, LRState, encode
from model.vmcr import encode_vmcr
from vgicheck.engine.values import (
    all_of,
    and_,
    any_of,
    bit,
    field_of,
    flag,
    iff,
    implies,
    ite,
    le,
    lt,
    not_,
    or_,
    same,
    widened,
)

from .property import At, Part, Property


def _lr_codec(old: CodecInput, new: CodecOutput, at: At) -> Sequence[Part]:
    word = old.word
    reserved = ite(bit(word, 31), 0x0070_0000, 0x0077_E000, width=32)
    legal = word & reserved == 0
    canonical = _nothing_without_meaning(old.lr)
    return (
        Part("decoding reads each field at its bits", True, _holds_fields(word, new.decoded)),
        Part("a field without meaning decodes to zero", True, _nothing_without_meaning(new.decoded)),
        Part("encoding puts each field at its bits", True, _holds_fields(new.encoded, old.lr)),
        Part("encoding leaves the reserved bits zero", True, _reserved_bits_clear(new.encoded)),
        Part("a word comes back with its reserved bits cleared", True, new.word_again == word & ~reserved),
        Part("a legal word comes back as it was", legal, new.word_again == word),
        Part("a canonical record comes back as it was", canonical, same(new.lr_again, old.lr)),
        Part("legal means that the reserved bits are clear", True, iff(new.legal, legal)),
        Part("canonical means that fields without meaning are zero", True, iff(new.canonical, canonical)),
    )


def _holds_fields(word: int, lr: ListRegister) -> bool:
    """Say whether each field that means something stands at its bits of the word."""
    return and_(
        iff(lr.hw, bit(word, 31)),
        iff(lr.group1, bit(word, 30)),
        field_of(word, 29, 28) == lr.state,
        field_of(word, 27, 23) == lr.priority,
        field_of(word, 9, 0) == lr.virtual_id,
        implies(bit(word, 31), field_of(word, 19, 10) == lr.physical_id),
        implies(not_(bit(word, 31)), and_(iff(bit(word, 19), lr.eoi), field_of(word, 12, 10) == lr.cpuid)),
    )


def _nothing_without_meaning(lr: ListRegister) -> bool:
    return or_(and_(lr.hw, lr.cpuid == 0, not_(lr.eoi)), and_(not_(lr.hw), lr.physical_id == 0))


def _reserved_bits_clear(word: int) -> bool:
    return and_(word & 0x0070_0000 == 0, implies(not_(bit(word, 31)), word & 0x0007_E000 == 0))


def _elrsr_eisr_exact(old: Gich, new: Status, at: At) -> Sequence[Part]:
    word = encode(old.lr[at.lr])
    exists = and_(sized(old), lt(at.lr, old.nr_lr))
    elrsr, eisr = new.elrsr[at.lr], new.eisr[at.lr]
    invalid = word & 0x3000_0000 == 0
    return (
        Part(
            "ELRSR is set exactly for a State of zero with HW set or EOI clear",
            exists,
            iff(elrsr, and_(invalid, or_(bit(word, 31), not_(bit(word, 19))))),
        ),
        Part(
            "EISR is set exactly for State and HW zero with EOI set",
            exists,
            iff(eisr, word & 0xB008_0000 == 0x0008_0000),
        ),
        Part("a list register is never in both", sized(old), not_(and_(elrsr, eisr))),
        Part("an invalid list register is in one, a valid one in neither", exists, iff(or_(elrsr, eisr), invalid)),
        Part(
            "a list register that is not there is in neither",
            and_(sized(old), le(old.nr_lr, at.lr)),
            and_(not_(elrsr), not_(eisr)),
        ),
    )


def _misr_exact(old: Gich, new: Status, at: At) -> Sequence[Part]:
    there = sized(old)
    hcr, misr, vmcr = encode_hcr(old.hcr), encode_misr(new.misr), encode_vmcr(old.vmcr)
    ended, valid, pending = _ended(old), _valid(old), _pending(old)
    return (
        Part("EOI is set if this list register is in EISR", and_(there, ended(at.lr)), bit(misr, 0)),
        Part("EOI is set only if a list register is in EISR", and_(there, bit(misr, 0)), lt(0, _count(ended))),
        Part("U is set, where UIE is, exactly if at most one is valid", and_(there, bit(hcr, 1)),
             iff(bit(misr, 1), le(_count(valid), 1))),
        Part("under U no two list registers are valid, this one and another", and_(there, bit(misr, 1), valid(at.lr)),
             all_of(LR_INDICES, lambda n: or_(n == at.lr, not_(valid(n))))),
        Part("U is clear without UIE", and_(there, not_(bit(hcr, 1))), not_(bit(misr, 1))),
        Part("LRENP is LRENPIE with EOICount other than zero", there,
             iff(bit(misr, 2), and_(bit(hcr, 2), lt(0, field_of(hcr, 31, 27))))),
        Part("NP is clear if this list register is exactly pending", and_(there, pending(at.lr)), not_(bit(misr, 3))),
        Part("NP is set, where NPIE is, exactly if none is", and_(there, bit(hcr, 3)),
             iff(bit(misr, 3), _count(pending) == 0)),
        Part("NP is clear without NPIE", and_(there, not_(bit(hcr, 3))), not_(bit(misr, 3))),
        Part("VGrp0E is its enable with group 0 enabled", there, iff(bit(misr, 4), and_(bit(hcr, 4), bit(vmcr, 0)))),
        Part("VGrp0D is its enable with group 0 disabled", there,
             iff(bit(misr, 5), and_(bit(hcr, 5), not_(bit(vmcr, 0))))),
        Part("VGrp1E is its enable with group 1 enabled", there, iff(bit(misr, 6), and_(bit(hcr, 6), bit(vmcr, 1)))),
        Part("VGrp1D is its enable with group 1 disabled", there,
             iff(bit(misr, 7), and_(bit(hcr, 7), not_(bit(vmcr, 1))))),
        Part("the other bits of MISR are zero", there, misr & 0xFFFF_FF00 == 0),
        Part("the maintenance line is asserted exactly under HCR.En with a bit of MISR set", there,
             iff(new.maintenance_line, and_(bit(hcr, 0), any_of(range(8), lambda n: bit(misr, n))))),
    )  # fmt: skip


def _vtr_exact(old: Gich, new: Status, at: At) -> Sequence[Part]:
    vtr = new.vtr
    return (
        Part("ListRegs, bits 5:0, is the number of list registers less one", sized(old),
             widened(field_of(vtr, 5, 0), 7) + 1 == old.nr_lr),
        Part("PRIbits and PREbits, 31:29 and 28:26, are 5 less one, and the other bits are zero", True,
             field_of(vtr, 31, 6) == 0x90000000 >> 6),
    )  # fmt: skip


def _ended(gich: Gich) -> Callable[[int], bool]:
    return lambda n: and_(lt(n, gich.nr_lr), encode(gich.lr[n]) & 0xB008_0000 == 0x0008_0000)


def _valid(gich: Gich) -> Callable[[int], bool]:
    return lambda n: and_(lt(n, gich.nr_lr), encode(gich.lr[n]) & 0x3000_0000 != 0)


def _pending(gich: Gich) -> Callable[[int], bool]:
    return lambda n: and_(lt(n, gich.nr_lr), encode(gich.lr[n]) & 0x3000_0000 == 0x1000_0000)


def _count(holds: Callable[[int], bool]) -> int:
    """Count the list registers of which something holds, as a word of 7 bits: 64 does not overflow."""
    return sum(widened(flag(holds(n)), 7) for n in LR_INDICES)


def _chosen_lr_cycle(old: GuestAccess, new: Gich, at: At) -> Sequence[Part]:
    gich, action = old.gich, old.action
    before, after = gich.lr[at.lr], new.lr[at.lr]
    acknowledges = and_(sized(gich), action.acknowledges)
    ends = and_(sized(gich), not_(action.acknowledges))
    ordinary = lt(action.virtual_id, 1020)
    taken = and_(gich.hcr.en, at.lr == action.lr, lt(at.lr, gich.nr_lr), before.state == LRState.PENDING)
    serves = in_service(gich, action.virtual_id)
    first = and_(serves(at.lr), not_(any_of(LR_INDICES, lambda n: and_(lt(n, at.lr), serves(n)))))
    nobody = _count(serves) == 0
    step = (before.state, after.state)
    return (
        Part("IAR turns the pending interrupt that it takes active", and_(acknowledges, taken),
             after.state == LRState.ACTIVE),
        Part("IAR leaves every other list register alone", and_(acknowledges, not_(taken)), same(after, before)),
        Part("EOIR makes the active interrupt invalid", and_(ends, ordinary, first, before.state == LRState.ACTIVE),
             after.state == LRState.INVALID),
        Part("EOIR makes the pending and active interrupt pending",
             and_(ends, ordinary, first, before.state == LRState.PENDING_ACTIVE), after.state == LRState.PENDING),
        Part("EOIR leaves every other list register alone", and_(ends, not_(and_(ordinary, first))),
             same(after, before)),
        Part("a state goes from pending to active by IAR, and by EOIR from active to invalid or from both to pending",
             and_(sized(gich), before.state != after.state),
             or_(and_(action.acknowledges, step_is(step, LRState.PENDING, LRState.ACTIVE)),
                 and_(not_(action.acknowledges), or_(step_is(step, LRState.ACTIVE, LRState.INVALID),
                                                     step_is(step, LRState.PENDING_ACTIVE, LRState.PENDING))))),
        Part("nothing but the state of a list register changes", sized(gich),
             encode(after) & 0xCFFF_FFFF == encode(before) & 0xCFFF_FFFF),
        Part("EOICount goes up by one, 31 to 0, where EOIR finds no active list register", and_(ends, ordinary, nobody),
             new.hcr.eoicount == ite(gich.hcr.eoicount == 31, 0, gich.hcr.eoicount + 1, width=5)),
        Part("EOICount is kept where EOIR finds one, or names no interrupt, and by IAR",
             or_(acknowledges, and_(ends, or_(not_(ordinary), not_(nobody)))),
             new.hcr.eoicount == gich.hcr.eoicount),
        Part("no other register changes", sized(gich),
             and_(encode_hcr(new.hcr) & 0x07FF_FFFF == encode_hcr(gich.hcr) & 0x07FF_FFFF,
                  new.nr_lr == gich.nr_lr, same(new.vmcr, gich.vmcr), new.apr == gich.apr)),
    )  # fmt: skip


def in_service(gich: Gich, virtual_id: int) -> Callable[[int], bool]:
    """Return the test for a list register that holds this id and has the active bit of its state set."""
    return lambda n: and_(lt(n, gich.nr_lr), gich.lr[n].virtual_id == virtual_id, bit(gich.lr[n].state, 1))


def step_is(step: tuple[int, int], before: LRState, after: LRState) -> bool:
    """Say whether a state before and after are these two."""
    return and_(step[0] == before, step[1] == after)


def sized(gich: Gich) -> bool:
    """Say whether the number of list registers is one that GICH_VTR can state."""
    return and_(le(1, gich.nr_lr), le(gich.nr_lr, 64))


HARDWARE: tuple[Property, ...] = (
    Property(
        id="lr-codec",
        subject="lr_codec",
        sentence="Encode and decode are inverse on legal words, and reserved bits read as zero.",
        formula=_lr_codec,
        source="IHI 0048B, GICH_LR",
        may_be_false="on an interface that keeps reserved bits as they were written",
        caught="none known",
    ),
    Property(
        id="elrsr-eisr-exact",
        subject="gich_status",
        sentence="ELRSR and EISR are what state, EOI and HW of the list registers say, and never both set for one.",
        formula=_elrsr_eisr_exact,
        source="IHI 0048B, GICH_ELRSR0 and GICH_EISR0",
        may_be_false="never",
        caught="none by itself: it is the fact that v3.9 missed when it took ELRSR to report an EOIed LR as empty",
    ),
    Property(
        id="misr-exact",
        subject="gich_status",
        sentence="Each bit of MISR is what HCR, the list registers, EOICount and the group enables say.",
        formula=_misr_exact,
        source="IHI 0048B, GICH_MISR and GICH_HCR",
        may_be_false="never",
        caught="none known",
    ),
    Property(
        id="vtr-exact",
        subject="gich_status",
        sentence="VTR states the number of list registers, five priority bits and five preemption bits.",
        formula=_vtr_exact,
        source="IHI 0048B, GICH_VTR",
        may_be_false="on an interface with fewer priorities than GIC-400",
        caught="none by itself: it is the field that kvm_vgic_vcpu_init of October 2012 read too narrowly",
    ),
    Property(
        id="chosen-lr-cycle",
        subject="guest_access",
        sentence=(
            "Acknowledging a given list register and ending a given id move a list register through pending, active and"
            " invalid, or from pending and active to pending, and no other way."
        ),
        formula=_chosen_lr_cycle,
        source="IHI 0048B, GICV_IAR and GICV_EOIR",
        may_be_false=(
            "where two list registers hold one id, which is UNPREDICTABLE; under EOImode 1; and for EOICount, when the"
            " guest ends an interrupt while no priority is active"
        ),
        caught="none by itself: see ack-eoi-cycle, which speaks of the whole CPU interface",
    ),
)
