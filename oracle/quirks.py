"""Where QEMU departs from the architecture, a switch each: what the model does, bent to what QEMU does.

With every switch off a function here is the model's own.  Each switch bends one answer, so that the model's text
decides everything else.  What each departure is worth is told in notes/qemu.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from model import gicv
from model.gich import FIRST_SPECIAL_INTID, Gich, first_in_service, registers
from model.gicv import GROUP1_ONLY, SPURIOUS, Lines, Outcome, highest_pending, running_priority
from model.lr import EMPTY, ListRegister, LRState, encode
from vgicheck.engine.maps import Map

NOTHING_MASKED = 32
"""A priority mask that is above every priority, for lack of which the real one masks priority 31 always."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """What QEMU does; each that is off leaves the model as it is."""

    group_any: bool = False
    """One enabled group lets interrupts of both be acknowledged and hide others; only the lines look at the group."""
    full_prio: bool = False
    """Preemption compares the whole priority, not the group priority, with the running one."""
    early_1022: bool = False
    """GICV_IAR says 1022 also for an interrupt that the running priority holds back."""
    cpuid_by_id: bool = False
    """GICV_IAR takes bits 12:10 from the list register if the id is that of an SGI, not if HW is clear."""
    hppir_pmr: bool = False
    """GICV_HPPIR does not see what the priority mask holds back."""
    hppir_no_cpuid: bool = False
    """GICV_HPPIR names no CPUID."""
    no_alias: bool = False
    """GICV_AIAR and GICV_AHPPIR read as zero, and GICV_AEOIR is ignored."""
    abpr_min1: bool = False
    """GICV_ABPR takes 1 and 2, which GICH_VMCR does not."""
    first_match: bool = False
    """Of list registers with one id, all accesses act on the first valid one (UNPREDICTABLE in the architecture)."""
    resv_raw: bool = False
    """An id of 1020 to 1023 that is pending is named and stays pending (UNPREDICTABLE in the architecture)."""
    lr_keeps_reserved: bool = False
    """Bits 18:13 of a list register with HW clear, which are reserved, read as they were written."""


ARCHITECTURE = Quirks()
QEMU = Quirks(**{f.name: True for f in fields(Quirks)})


def visible(gich: Gich, quirks: Quirks) -> Gich:
    """Return the interface as the choice of an interrupt sees it: with both groups enabled, if one is."""
    vmcr = gich.vmcr
    either = vmcr.grp0_en or vmcr.grp1_en
    return replace(gich, vmcr=replace(vmcr, grp0_en=either, grp1_en=either)) if quirks.group_any else gich


def holder(gich: Gich, n: int, quirks: Quirks) -> int:
    """Return the list register that stands for the one chosen: the first valid one that holds the same id."""
    return next(same_id(gich, gich.lr[n].virtual_id), n) if quirks.first_match else n


def same_id(gich: Gich, virtual_id: int) -> Iterator[int]:
    """List the valid list registers that hold an id."""
    return (n for n, _, lr in registers(gich) if lr.state != LRState.INVALID and lr.virtual_id == virtual_id)


def held_back(gich: Gich, lr: ListRegister, quirks: Quirks) -> bool:
    """Say whether the running priority forbids an interrupt, which passes in the model, by its whole priority."""
    return quirks.full_prio and lr.priority << 3 >= running_priority(gich)


def lines(gich: Gich, quirks: Quirks) -> Lines:
    """The virtual lines."""
    view = visible(gich, quirks)
    asserted = gicv.lines(view)
    if asserted.virq or asserted.vfiq:
        lr = gich.lr[highest_pending(view)[1]]
        if held_back(gich, lr, quirks) or not gicv.group_enabled(gich.vmcr, lr):
            return Lines(False, False)
    return asserted


def read_iar(gich: Gich, quirks: Quirks) -> Outcome:
    """The guest reads GICV_IAR."""
    view = visible(gich, quirks)
    found, n = highest_pending(view)
    outcome = gicv.read_iar(view)
    candidate = gich.hcr.en and found and gich.lr[n].priority < gich.vmcr.pri_mask
    if candidate and quirks.resv_raw and gich.lr[n].virtual_id >= FIRST_SPECIAL_INTID:
        return nothing_taken(gich, gich.lr[n].virtual_id)
    if candidate and (stand_in := holder(gich, n, quirks)) != n:
        outcome, n = taken_instead(view, stand_in), stand_in
    lr = gich.lr[n]
    refused = lr.group1 and not gich.vmcr.ack_ctl
    if candidate and quirks.early_1022 and refused:
        return nothing_taken(gich, GROUP1_ONLY)
    if candidate and held_back(gich, lr, quirks):
        return nothing_taken(gich, SPURIOUS)
    if outcome.value not in (SPURIOUS, GROUP1_ONLY) and quirks.cpuid_by_id:
        outcome = replace(outcome, value=lr.virtual_id | (encode(lr) & 0x1C00 if lr.virtual_id < 16 else 0))
    return replace(outcome, gich=replace(outcome.gich, vmcr=gich.vmcr))


def taken_instead(view: Gich, stand_in: int) -> Outcome:
    """Acknowledge another list register than the chosen one: as if that alone were pending, and nothing masked."""
    lr = view.lr[stand_in]
    alone = Map.of({stand_in: replace(lr, state=LRState.PENDING)}, EMPTY)
    outcome = gicv.read_iar(replace(view, lr=alone, vmcr=replace(view.vmcr, pri_mask=NOTHING_MASKED)))
    took = outcome.gich.lr[stand_in].state == LRState.ACTIVE
    left = view.lr.set(stand_in, replace(lr, state=LRState.ACTIVE)) if took else view.lr
    return replace(outcome, gich=replace(view, lr=left, apr=outcome.gich.apr))


def nothing_taken(gich: Gich, value: int) -> Outcome:
    """A read that changes nothing."""
    return Outcome(gich, value, False, 0)


def read_aiar(gich: Gich, quirks: Quirks) -> Outcome:
    """The guest reads GICV_AIAR."""
    return nothing_taken(gich, 0) if quirks.no_alias else gicv.read_aiar(gich)


def write_eoir(gich: Gich, word: int, quirks: Quirks) -> Outcome:
    """The guest writes GICV_EOIR."""
    return ended_instead(gich, word, gicv.write_eoir(gich, word), quirks)


def write_aeoir(gich: Gich, word: int, quirks: Quirks) -> Outcome:
    """The guest writes GICV_AEOIR."""
    return nothing_taken(gich, 0) if quirks.no_alias else gicv.write_eoir(gich, word)


def write_dir(gich: Gich, word: int, quirks: Quirks) -> Outcome:
    """The guest writes GICV_DIR."""
    return ended_instead(gich, word, gicv.write_dir(gich, word), quirks)


def ended_instead(gich: Gich, word: int, outcome: Outcome, quirks: Quirks) -> Outcome:
    """Where the first valid list register of the id is only pending, that one is ended: it stays as it is.

    The physical interrupt behind it is deactivated, and the one in service goes on.
    """
    virtual_id = word & 0x3FF
    found, n = first_in_service(gich, virtual_id)
    stand_in = holder(gich, n, quirks)
    acted = outcome.gich.lr[n] != gich.lr[n]
    if not (found and acted and stand_in != n):
        return outcome
    lr = gich.lr[stand_in]
    forwarded = lr.hw and gicv.FIRST_PPI <= lr.physical_id < FIRST_SPECIAL_INTID
    return Outcome(replace(outcome.gich, lr=gich.lr), 0, forwarded, lr.physical_id if forwarded else 0)


def read_hppir(gich: Gich, quirks: Quirks) -> int:
    """GICV_HPPIR."""
    view = visible(gich, quirks)
    value = gicv.read_hppir(view)
    found, n = highest_pending(view) if gich.hcr.en else (False, 0)
    if not found:
        return value
    if quirks.hppir_pmr and gich.lr[n].priority >= gich.vmcr.pri_mask:
        return SPURIOUS
    if quirks.resv_raw and gich.lr[n].virtual_id >= FIRST_SPECIAL_INTID:
        return gich.lr[n].virtual_id
    if (stand_in := holder(gich, n, quirks)) != n:
        lr = gich.lr[stand_in]
        value = GROUP1_ONLY if lr.group1 and not gich.vmcr.ack_ctl else gicv.named(lr)
    return value & 0x3FF if quirks.hppir_no_cpuid else value


def read_ahppir(gich: Gich, quirks: Quirks) -> int:
    """GICV_AHPPIR."""
    return 0 if quirks.no_alias else gicv.read_ahppir(gich)
