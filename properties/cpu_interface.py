"""The hardware half, the guest's side: what GICV takes, ends and says.

Written against the bits of the registers' words, as in `properties.hardware`.  `at.lr` is one arbitrary list register;
where a sentence needs another, arbitrary too, that is `_other(at)`.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.gich import LR_INDICES, Gich, acknowledge, encode_hcr, end_of_interrupt
from model.gicv import CpuStatus, GicvAccess, Outcome, Register, highest_pending
from model.lr import LRState, encode
from model.vmcr import encode_vmcr
from vgicheck.engine.values import (
    all_of,
    and_,
    any_of,
    bit,
    concat,
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
)

from .hardware import in_service, sized, step_is
from .property import At, Part, Property

LEVELS = range(32)


class _Interface:
    """The interface before an access, in words: what is pending where, and what may be taken.

    `found` and `first` are the model's own answer to which interrupt goes first; `priority-order` says that it is
    right, and whatever else depends on the order speaks of that one.
    """

    def __init__(self, gich: Gich):
        self.gich, self.vmcr = gich, encode_vmcr(gich.vmcr)
        self.found, self.first = highest_pending(gich)

    def lr(self, n: int) -> int:
        return encode(self.gich.lr[n])

    def group1(self, n: int) -> bool:
        return bit(self.lr(n), 30)

    def priority(self, n: int) -> int:
        return field_of(self.lr(n), 27, 23)

    def candidate(self, n: int) -> bool:
        """A list register that is there and exactly pending, with its group enabled."""
        pending = field_of(self.lr(n), 29, 28) == 1
        return and_(lt(n, self.gich.nr_lr), pending, ite(self.group1(n), bit(self.vmcr, 1), bit(self.vmcr, 0)))

    def ahead(self, n: int, other: int) -> bool:
        """One goes before another by priority, and by index where that is equal."""
        mine, theirs = self.priority(n), self.priority(other)
        return or_(lt(mine, theirs), and_(mine == theirs, lt(n, other)))

    def level(self, n: int) -> int:
        """The group priority: bit i of the 8 is kept above BPR, and from ABPR on for group 1 without CBPR."""
        common = or_(not_(self.group1(n)), bit(self.vmcr, 4))
        bp, abp = field_of(self.vmcr, 23, 21), field_of(self.vmcr, 20, 18)
        kept = [ite(common, lt(bp, i), le(abp, i)) for i in range(3, 8)]
        return concat(*((flag(and_(kept[b], bit(self.priority(n), b))), 1) for b in reversed(range(5))))

    def below_mask(self, n: int) -> bool:
        return lt(self.priority(n), field_of(self.vmcr, 31, 27))

    def preempts(self, n: int) -> bool:
        """No priority as high as the group priority is active."""
        level = self.level(n)
        return all_of(LEVELS, lambda b: or_(not_(bit(self.gich.apr, b)), lt(level, b)))

    def passes(self, n: int) -> bool:
        return and_(bit(encode_hcr(self.gich.hcr), 0), self.below_mask(n), self.preempts(n))


def _other(at: At) -> int:
    return field_of(at.row, 5, 0)


class _Read(_Interface):
    """A read of GICV_IAR or GICV_AIAR, and what it did to a list register."""

    def __init__(self, old: GicvAccess, new: Outcome):
        super().__init__(old.gich)
        self.old, self.new = old, new
        self.iar = and_(sized(old.gich), old.register == Register.IAR)
        self.aiar = and_(sized(old.gich), old.register == Register.AIAR)
        self.reads = or_(self.iar, self.aiar)

    def changed(self, n: int) -> bool:
        """The state, which is all that an access changes of a list register: `ack-eoi-cycle`."""
        return self.new.gich.lr[n].state != self.gich.lr[n].state

    def seen(self, n: int) -> bool:
        """The register that is read sees the group: group 1 needs AckCtl in IAR, group 0 is not seen in AIAR."""
        return ite(self.group1(n), or_(self.aiar, bit(self.vmcr, 2)), self.iar)


def _priority_order(old: GicvAccess, new: Outcome, at: At) -> Sequence[Part]:
    read, n = _Read(old, new), at.lr
    takes = and_(read.reads, read.changed(n))
    return (
        Part("the one that goes first is pending, in an enabled group", read.found, read.candidate(read.first)),
        Part("no other one goes before it", read.candidate(n), and_(read.found, not_(read.ahead(n, read.first)))),
        Part("what is taken is the one that goes first", takes, and_(read.found, n == read.first)),
        Part("and its group is one that the register sees", takes, read.seen(n)),
        Part("and its priority is below the mask", takes, read.below_mask(n)),
        Part("and no active priority is as high as its group priority", takes, read.preempts(n)),
        Part("it is taken if mask, running priority and group allow",
             and_(read.reads, read.found, read.passes(read.first), read.seen(read.first)),
             new.gich.lr[read.first].state == LRState.ACTIVE),
        Part("nothing is taken while the interface is disabled",
             and_(read.reads, not_(bit(encode_hcr(old.gich.hcr), 0))), not_(read.changed(n))),
    )  # fmt: skip


def _iar_value(old: GicvAccess, new: Outcome, at: At) -> Sequence[Part]:
    read, n = _Read(old, new), _Interface(old.gich).first
    takes, word = and_(read.reads, read.changed(n)), read.lr(n)
    stuck, passes = and_(read.reads, not_(read.changed(n))), and_(read.found, read.passes(n))
    hidden = and_(read.iar, passes, read.group1(n), not_(bit(read.vmcr, 2)))
    return (
        Part("what is taken is named, with its CPUID where HW is clear", takes,
             and_(field_of(new.value, 9, 0) == field_of(word, 9, 0),
                  field_of(new.value, 12, 10) == ite(bit(word, 31), 0, field_of(word, 12, 10), width=3),
                  field_of(new.value, 31, 13) == 0)),
        Part("IAR says 1022 where group 1 goes first and passes, and AckCtl is clear", hidden, new.value == 1022),
        Part("a read that takes nothing says 1023 otherwise", and_(stuck, not_(hidden)), new.value == 1023),
        Part("a write says nothing", lt(Register.AIAR, old.register), new.value == 0),
    )  # fmt: skip


def _active_priorities(old: GicvAccess, new: Outcome, at: At) -> Sequence[Part]:
    read, n = _Read(old, new), at.lr
    before, after = old.gich.apr, new.gich.apr
    eoir = and_(sized(old.gich), or_(old.register == Register.EOIR, old.register == Register.AEOIR))
    ordinary = lt(field_of(old.word, 9, 0), 1020)
    level = read.level(n)
    lower = [any_of(range(b), lambda c: bit(before, c)) for b in LEVELS]
    return (
        Part("what is taken makes its group priority active, and no other", and_(read.reads, read.changed(n)),
             all_of(LEVELS, lambda b: iff(bit(after, b), or_(bit(before, b), level == b)))),
        Part("a read that takes nothing leaves the active priorities",
             and_(read.reads, not_(read.changed(read.first))), after == before),
        Part("EOIR and AEOIR drop the highest active priority, and no other", and_(eoir, ordinary),
             all_of(LEVELS, lambda b: iff(bit(after, b), and_(bit(before, b), lower[b])))),
        Part("they drop none for an id that names no interrupt", and_(eoir, not_(ordinary)), after == before),
        Part("DIR drops none", old.register == Register.DIR, after == before),
    )  # fmt: skip


def _ack_eoi_cycle(old: GicvAccess, new: Outcome, at: At) -> Sequence[Part]:
    gich, n, k = old.gich, at.lr, _other(at)
    before, after = gich.lr[n], new.gich.lr[n]
    word, intid = encode(before), field_of(old.word, 9, 0)
    there, ordinary, split = sized(gich), lt(intid, 1020), bit(encode_vmcr(gich.vmcr), 9)
    reads = and_(there, le(old.register, Register.AIAR))
    eoir = and_(there, or_(old.register == Register.EOIR, old.register == Register.AEOIR))
    dir_ = and_(there, old.register == Register.DIR)
    ends = and_(ordinary, or_(and_(eoir, not_(split)), and_(dir_, split)))
    serves = in_service(gich, intid)
    first = and_(serves(n), not_(any_of(LR_INDICES, lambda m: and_(lt(m, n), serves(m)))))
    nobody = not_(any_of(LR_INDICES, serves))
    counted = and_(nobody, or_(dir_, gich.apr != 0))
    pid = field_of(word, 19, 10)
    physical = and_(bit(word, 31), le(16, pid), lt(pid, 1020))
    step = (before.state, after.state)
    return (
        Part("IAR and AIAR only ever turn pending into active", and_(reads, before.state != after.state),
             step_is(step, LRState.PENDING, LRState.ACTIVE)),
        Part("an end makes the active interrupt invalid", and_(ends, first, before.state == LRState.ACTIVE),
             after.state == LRState.INVALID),
        Part("an end makes the pending and active interrupt pending",
             and_(ends, first, before.state == LRState.PENDING_ACTIVE), after.state == LRState.PENDING),
        Part("an end leaves every other list register alone", and_(ends, not_(first)), same(after, before)),
        Part("EOIR with EOImode 1, DIR without, and what names no interrupt leave list registers alone",
             and_(or_(eoir, dir_), not_(ends)), same(after, before)),
        Part("nothing but the state of a list register changes", there,
             encode(after) & 0xCFFF_FFFF == word & 0xCFFF_FFFF),
        Part("no two list registers change", and_(there, n != k, not_(same(after, before))),
             same(new.gich.lr[k], gich.lr[k])),
        Part("EOICount goes up by one, 31 to 0, where EOIR dropped a priority, or DIR, and nobody was in service",
             and_(ends, counted), new.gich.hcr.eoicount == field_of(gich.hcr.eoicount + 1, 4, 0)),
        Part("EOICount is kept otherwise", and_(there, not_(and_(ends, counted))),
             new.gich.hcr.eoicount == gich.hcr.eoicount),
        Part("the end of an interrupt with HW deactivates the physical one that it names, unless that is an SGI",
             and_(ends, first, physical), and_(new.deactivates, new.physical_id == pid)),
        Part("no other end does", or_(and_(ends, or_(nobody, and_(first, not_(physical)))), and_(there, not_(ends))),
             not_(new.deactivates)),
        Part("no other register changes", there,
             and_(encode_hcr(new.gich.hcr) & 0x07FF_FFFF == encode_hcr(gich.hcr) & 0x07FF_FFFF,
                  new.gich.nr_lr == gich.nr_lr, same(new.gich.vmcr, gich.vmcr))),
    )  # fmt: skip


def _guest_access_abstracts(old: GicvAccess, new: Outcome, at: At) -> Sequence[Part]:
    read, n, k = _Read(old, new), at.lr, _other(at)
    eoir = and_(or_(old.register == Register.EOIR, old.register == Register.AEOIR), not_(bit(read.vmcr, 9)))
    intid = field_of(old.word, 9, 0)

    def equal(abstract: Gich) -> bool:
        return and_(same(new.gich.lr[k], abstract.lr[k]), same(new.gich.hcr, abstract.hcr))

    return (
        Part("IAR and AIAR do what acknowledge does at the list register that they take",
             and_(read.reads, read.changed(n)), equal(acknowledge(old.gich, n))),
        Part("EOIR with EOImode 0 does what end_of_interrupt does, while a priority is active",
             and_(sized(old.gich), eoir, old.gich.apr != 0), equal(end_of_interrupt(old.gich, intid))),
    )  # fmt: skip


def _signal_exact(old: Gich, new: CpuStatus, at: At) -> Sequence[Part]:
    interface = _Interface(old)
    n, en = interface.first, bit(encode_hcr(old.hcr), 0)
    there, passes = and_(sized(old), interface.found), interface.passes(interface.first)
    group1, word = interface.group1(n), interface.lr(n)
    fiq = and_(not_(group1), bit(interface.vmcr, 3))
    named = concat((0, 19), (ite(bit(word, 31), 0, field_of(word, 12, 10), width=3), 3), (field_of(word, 9, 0), 10))
    return (
        Part("a line is asserted exactly if the one that goes first passes, IRQ or FIQ by its group", there,
             and_(iff(new.lines.vfiq, and_(passes, fiq)), iff(new.lines.virq, and_(passes, not_(fiq))))),
        Part("none is where nothing is pending in an enabled group, and HPPIR and AHPPIR say 1023",
             and_(sized(old), not_(interface.found)),
             and_(not_(new.lines.virq), not_(new.lines.vfiq), new.hppir == 1023, new.ahppir == 1023)),
        Part("HPPIR names the one that goes first, or 1022 for group 1 without AckCtl", and_(there, en),
             new.hppir == ite(and_(group1, not_(bit(interface.vmcr, 2))), 1022, named, width=32)),
        Part("AHPPIR names it if it is of group 1", and_(there, en),
             new.ahppir == ite(group1, named, 1023, width=32)),
        Part("a disabled interface says 1023", and_(sized(old), not_(en)),
             and_(new.hppir == 1023, new.ahppir == 1023)),
    )  # fmt: skip


def _running_priority(old: Gich, new: CpuStatus, at: At) -> Sequence[Part]:
    apr, rpr = old.apr, new.running_priority
    is_level = [and_(bit(apr, b), apr & ((1 << b) - 1) == 0) for b in LEVELS]
    return (
        Part("RPR is 0xFF where no priority is active", apr == 0, rpr == 0xFF),
        Part("RPR is the lowest bit of APR, in bits 7:3", apr != 0,
             all_of(LEVELS, lambda b: implies(is_level[b], rpr == b << 3))),
    )  # fmt: skip


CPU_INTERFACE: tuple[Property, ...] = (
    Property(
        id="priority-order",
        subject="gicv_access",
        sentence="The acknowledged interrupt is the highest-priority one that mask, running priority and groups allow.",
        formula=_priority_order,
        source="IHI 0048B, 3.3 interrupt prioritization, GICV_IAR and GICV_AIAR",
        may_be_false="the order of equal priorities is the implementation's own; here the lowest list register wins",
        caught="QEMU's GIC acknowledges an interrupt of a group that is disabled, see notes/qemu.md",
    ),
    Property(
        id="iar-value",
        subject="gicv_access",
        sentence="GICV_IAR and AIAR name what they take, and say 1022 or 1023 where they take nothing; writes say 0.",
        formula=_iar_value,
        source="IHI 0048B, GICV_IAR and GICV_AIAR",
        may_be_false="for a list register whose id is one of 1020 to 1023, which is UNPREDICTABLE",
        caught="QEMU's GIC gives a CPUID with HW set, see notes/qemu.md",
    ),
    Property(
        id="active-priorities",
        subject="gicv_access",
        sentence="An acknowledge makes one group priority active, an EOI drops the highest, and nothing else does.",
        formula=_active_priorities,
        source="IHI 0048B, GICH_APR, GICV_EOIR and GICV_DIR",
        may_be_false="never",
        caught="none known",
    ),
    Property(
        id="ack-eoi-cycle",
        subject="gicv_access",
        sentence=(
            "Acknowledge and end move a list register through pending, active and invalid, or from pending and active"
            " to pending, and no other way, by EOIR or DIR as EOImode says."
        ),
        formula=_ack_eoi_cycle,
        source="IHI 0048B, GICV_IAR, GICV_EOIR, GICV_DIR, GICH_LR.HW and GICH_HCR.EOICount",
        may_be_false="where two list registers hold one id, or DIR is written with EOImode 0: UNPREDICTABLE",
        caught=(
            "none by itself: it is the fact that v4.15 missed when it made level interrupts pending and active,"
            " whose end sets no EISR bit"
        ),
    ),
    Property(
        id="guest-access-abstracts",
        subject="gicv_access",
        sentence="GICV_IAR is `acknowledge` at the list register that it chooses, GICV_EOIR is `end_of_interrupt`.",
        formula=_guest_access_abstracts,
        source="the model: proofs over the whole machine leave the choice of a list register open",
        may_be_false="with EOImode 1, and for EOICount while no priority is active",
        caught="none known",
    ),
    Property(
        id="signal-exact",
        subject="gicv_status",
        sentence="The virtual lines and HPPIR are what the list registers, mask, running priority and groups say.",
        formula=_signal_exact,
        source="IHI 0048B, 3.3, GICV_CTLR.FIQEn, GICV_HPPIR and GICV_AHPPIR",
        may_be_false="HPPIR where an interface applies the mask to it, as QEMU does",
        caught="QEMU's GIC hides an interrupt behind one of a disabled group, see notes/qemu.md",
    ),
    Property(
        id="running-priority",
        subject="gicv_status",
        sentence="RPR is the highest priority that APR has active, and 0xFF where there is none.",
        formula=_running_priority,
        source="IHI 0048B, GICV_RPR and GICH_APR",
        may_be_false="never",
        caught="none known",
    ),
)
