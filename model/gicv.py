"""The guest's side of the GICv2 virtual interface: the GICV registers, with priorities, groups and the two lines.

Stands for GICV_IAR, AIAR, HPPIR, AHPPIR, EOIR, AEOIR, DIR and RPR; GICV_CTLR, PMR, BPR and ABPR are views of GICH_VMCR:
`model.vmcr`.  The rules are those of the physical CPU interface (IHI 0048B, 3.3 and 4.4) with the list registers in
place of the distributor: an interrupt can be signalled if it is pending in a list register, its group is enabled, its
priority is below the mask, and its group priority is below the running priority.

Where the architecture leaves a choice: of equal priorities the lowest list register goes first; GICV_AEOIR does not see
the group of what it ends; GICV_DIR with EOImode 0 is ignored, and so is a PhysicalID that is an SGI or no interrupt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Annotated

from vgicheck.engine.values import Width, and_, concat, field_of, flag, iff, ite, le, lt, not_, or_

from .gich import FIRST_SPECIAL_INTID, Gich, acknowledge, counted, deactivate, first_in_service, is_pending, registers
from .lr import ListRegister
from .vmcr import Vmcr

SPURIOUS = 1023
"""What GICV_IAR reads as when there is nothing to take."""
GROUP1_ONLY = 1022
"""What GICV_IAR reads as when what there is belongs to group 1, and AckCtl is clear."""
IDLE_PRIORITY = 0xFF
"""What GICV_RPR reads as when nothing is active."""
FIRST_PPI = 16
LEVELS = range(32)
"""The preemption levels: a bit of GICH_APR each, and the upper five bits of a priority."""

Bits32 = Annotated[int, Width(32)]
Priority = Annotated[int, Width(8)]
Rival = tuple[bool, int, int]
"""Whether a list register is a candidate, its index, its priority."""


def group_enabled(vmcr: Vmcr, lr: ListRegister) -> bool:
    """Say whether the group of an interrupt is signalled."""
    return ite(lr.group1, vmcr.grp1_en, vmcr.grp0_en)


def group_priority(vmcr: Vmcr, lr: ListRegister) -> int:
    """Return the group priority of an interrupt, 5 bits: its priority with the bits below the binary point zero.

    Of the 8 bits of a priority, of which the upper 5 are in the list register, GICV_BPR = n keeps 7:n+1 and
    GICV_ABPR = n, for group 1 without CBPR, keeps 7:n.
    """
    common = or_(not_(lr.group1), vmcr.cbpr)
    kept = lr.priority
    for dropped in range(1, 6):
        below = ite(common, le(dropped + 2, vmcr.bp), le(dropped + 3, vmcr.abp))
        kept = ite(below, lr.priority & (0x1F << dropped) & 0x1F, kept, width=5)
    return kept


def running_priority(gich: Gich) -> int:
    """Return GICV_RPR, 8 bits: the highest active priority, which is the lowest bit of GICH_APR, or the idle one."""
    running = IDLE_PRIORITY
    for level in reversed(LEVELS):
        running = ite(gich.apr & (1 << level) != 0, level << 3, running, width=8)
    return running


def highest_pending(gich: Gich) -> tuple[bool, int]:
    """Return whether an interrupt of an enabled group is pending, and the list register of the one that goes first.

    Mask and running priority have no say, nor has HCR.En.  A knock-out rather than one long queue: the solver follows
    six comparisons to an answer instead of 64.
    """
    rivals = [
        (and_(there, is_pending(lr), group_enabled(gich.vmcr, lr)), n, lr.priority) for n, there, lr in registers(gich)
    ]
    while len(rivals) > 1:
        pairs = zip(rivals[::2], rivals[1::2], strict=False)
        rivals = [winner(*pair) for pair in pairs] + rivals[len(rivals) & ~1 :]
    found, first, _ = rivals[0] if rivals else (False, 0, 0)
    return found, first


def winner(a: Rival, b: Rival) -> Rival:
    """Return which of two goes first: `a`, which has the lower list register, where priorities are equal."""
    (a_there, a_lr, a_priority), (b_there, b_lr, b_priority) = a, b
    second = and_(b_there, or_(not_(a_there), lt(b_priority, a_priority)))
    return (
        or_(a_there, b_there),
        ite(second, b_lr, a_lr, width=6),
        ite(second, b_priority, a_priority, width=5),
    )


def sufficient(gich: Gich, lr: ListRegister) -> bool:
    """Say whether the priority of an interrupt passes the mask, and its group priority what is running."""
    preempts = lt(concat((group_priority(gich.vmcr, lr), 5), (0, 3)), running_priority(gich))
    return and_(lt(lr.priority, gich.vmcr.pri_mask), preempts)


def signalled(gich: Gich) -> tuple[bool, int]:
    """Return whether the interface signals an interrupt to the guest, and the list register of that interrupt."""
    found, n = highest_pending(gich)
    return and_(gich.hcr.en, found, sufficient(gich, gich.lr[n])), n


@dataclass(frozen=True, slots=True)
class Lines:
    """The two virtual interrupt lines of the CPU."""

    virq: bool
    vfiq: bool


def lines(gich: Gich) -> Lines:
    """Say which line is asserted: FIQ for group 0 with FIQEn, IRQ for all else that is signalled."""
    asserted, n = signalled(gich)
    fiq = and_(gich.vmcr.fiq_en, not_(gich.lr[n].group1))
    return Lines(virq=and_(asserted, not_(fiq)), vfiq=and_(asserted, fiq))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an access leaves behind.

    gich                       the interface afterwards
    value                      what was read, zero for a write
    deactivates, physical_id   whether a physical interrupt is deactivated, and which
    """

    gich: Gich
    value: Bits32
    deactivates: bool
    physical_id: Annotated[int, Width(10)]


def read_iar(gich: Gich) -> Outcome:
    """The guest reads GICV_IAR: it takes what is signalled, unless that is of group 1 and AckCtl is clear."""
    return acknowledge_signalled(gich, aliased=False)


def read_aiar(gich: Gich) -> Outcome:
    """The guest reads GICV_AIAR: it takes what is signalled, if that is of group 1."""
    return acknowledge_signalled(gich, aliased=True)


def acknowledge_signalled(gich: Gich, aliased: bool) -> Outcome:
    """Take what is signalled, if the register that is read sees its group, and make its group priority active."""
    asserted, n = signalled(gich)
    lr = gich.lr[n]
    refused = and_(not_(aliased), lr.group1, not_(gich.vmcr.ack_ctl))
    takes = and_(asserted, not_(refused), or_(not_(aliased), lr.group1))
    nothing = ite(and_(asserted, refused), GROUP1_ONLY, SPURIOUS, width=32)
    level = group_priority(gich.vmcr, lr)
    bits = (flag(or_(gich.apr & (1 << b) != 0, level == b)) for b in reversed(LEVELS))
    active = replace(acknowledge(gich, n), apr=concat(*((b, 1) for b in bits)))
    return Outcome(ite(takes, active, gich), ite(takes, named(lr), nothing, width=32), False, 0)


def named(lr: ListRegister) -> int:
    """Return the word that names an interrupt in GICV_IAR: its id, and with HW clear the vCPU that sent it."""
    return concat((0, 19), (ite(lr.hw, 0, lr.cpuid, width=3), 3), (lr.virtual_id, 10))


def read_hppir(gich: Gich) -> int:
    """Return GICV_HPPIR, 32 bits: the highest pending interrupt, as GICV_IAR would name it; nothing changes."""
    found, n = highest_pending(gich)
    refused = and_(gich.lr[n].group1, not_(gich.vmcr.ack_ctl))
    shown = ite(refused, GROUP1_ONLY, named(gich.lr[n]), width=32)
    return ite(and_(gich.hcr.en, found), shown, SPURIOUS, width=32)


def read_ahppir(gich: Gich) -> int:
    """Return GICV_AHPPIR, 32 bits: the highest pending interrupt, if that is of group 1; nothing changes."""
    found, n = highest_pending(gich)
    seen = and_(gich.hcr.en, found, gich.lr[n].group1)
    return ite(seen, named(gich.lr[n]), SPURIOUS, width=32)


def write_eoir(gich: Gich, word: int) -> Outcome:
    """The guest writes GICV_EOIR or GICV_AEOIR: the running priority drops; with EOImode 0 the interrupt ends too."""
    return end(gich, word, drops=True)


def write_dir(gich: Gich, word: int) -> Outcome:
    """The guest writes GICV_DIR: with EOImode 1 the interrupt ends, and the running priority stays."""
    return end(gich, word, drops=False)


def end(gich: Gich, word: int, drops: bool) -> Outcome:
    """Drop the running priority or not, and deactivate what a word names, and the physical interrupt behind it.

    Bits 9:0 of the word name the interrupt; the CPUID is not looked at.  An EOI that found no priority to drop is not
    counted in EOICount.
    """
    virtual_id = field_of(word, 9, 0)
    ordinary = lt(virtual_id, FIRST_SPECIAL_INTID)
    when = and_(ordinary, iff(gich.vmcr.eoi_mode, not_(drops)))
    found, n = first_in_service(gich, virtual_id)
    lr = gich.lr[n]
    deactivates = and_(when, found, lr.hw, le(FIRST_PPI, lr.physical_id), lt(lr.physical_id, FIRST_SPECIAL_INTID))
    ended = deactivate(gich, n, when=and_(when, found))
    counts = and_(when, not_(found), or_(not_(drops), gich.apr != 0))
    apr = ite(and_(drops, ordinary), gich.apr & (gich.apr - 1), gich.apr)
    return Outcome(
        gich=replace(ended, hcr=ite(counts, counted(gich.hcr), gich.hcr), apr=apr),
        value=0,
        deactivates=deactivates,
        physical_id=ite(deactivates, lr.physical_id, 0, width=10),
    )


class Register(IntEnum):
    """The registers of GICV whose access changes the state of interrupts."""

    IAR = 0
    AIAR = 1
    EOIR = 2
    AEOIR = 3
    DIR = 4


@dataclass(frozen=True, slots=True)
class GicvAccess:
    """The interface as the guest finds it, the register that it reads or writes, and the word that it writes."""

    gich: Gich
    register: Annotated[int, Width(3)]
    word: Bits32


def gicv_access(old: GicvAccess) -> Outcome:
    """Return what the guest's access leaves behind; a register that is none of `Register` changes nothing."""
    gich, register = old.gich, old.register
    read = acknowledge_signalled(gich, aliased=register == Register.AIAR)
    ended = end(gich, old.word, drops=register != Register.DIR)
    nothing = Outcome(gich, 0, False, 0)
    return ite(le(register, Register.AIAR), read, ite(le(register, Register.DIR), ended, nothing))


@dataclass(frozen=True, slots=True)
class CpuStatus:
    """What the guest can see without changing anything."""

    running_priority: Priority
    hppir: Bits32
    ahppir: Bits32
    lines: Lines


def gicv_status(gich: Gich) -> CpuStatus:
    """Read every register of GICV that is derived, and the lines."""
    return CpuStatus(running_priority(gich), read_hppir(gich), read_ahppir(gich), lines(gich))
