"""The GICH registers of one physical CPU: the hypervisor's side of the GICv2 virtual interface.

Stands for GICH_HCR, GICH_VTR, GICH_MISR, GICH_EISR0/1, GICH_ELRSR0/1 and GICH_LRn; GICH_VMCR is `model.vmcr`, and what
the guest does through GICV, by priority, group and mask, is `model.gicv`.  Here are the two steps that the latter comes
down to, for whoever need not know how the interface chooses: `acknowledge` takes the interrupt of a list register that
is given as a parameter, and `end_of_interrupt` ends one by its id.  The vCPU's interrupt state lives here only while it
is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import Width, and_, bit, concat, field_of, flag, ite, lt, not_, or_

from .lr import ListRegister, LRState
from .vmcr import Vmcr

LR_INDICES = range(64)
"""Every list register that the architecture has room for; `Gich.nr_lr` says how many there are."""

FIRST_SPECIAL_INTID = 1020
"""INTIDs from here to 1023 name no interrupt; GICV_EOIR ignores them."""


@dataclass(frozen=True, slots=True)
class Hcr:
    """GICH_HCR: En, seven enables of maintenance conditions (bits 0 to 7, in this order), and EOICount (31:27)."""

    en: bool
    uie: bool
    lrenpie: bool
    npie: bool
    vgrp0eie: bool
    vgrp0die: bool
    vgrp1eie: bool
    vgrp1die: bool
    eoicount: Annotated[int, Width(5)]


def decode_hcr(word: int) -> Hcr:
    """Return what a 32-bit word of GICH_HCR says. Reserved bits are not looked at."""
    return Hcr(
        en=bit(word, 0),
        uie=bit(word, 1),
        lrenpie=bit(word, 2),
        npie=bit(word, 3),
        vgrp0eie=bit(word, 4),
        vgrp0die=bit(word, 5),
        vgrp1eie=bit(word, 6),
        vgrp1die=bit(word, 7),
        eoicount=field_of(word, 31, 27),
    )


def encode_hcr(hcr: Hcr) -> int:
    """Return the 32-bit word of GICH_HCR. Its reserved bits are zero."""
    return concat(
        (hcr.eoicount, 5),
        (0, 19),
        (flag(hcr.vgrp1die), 1),
        (flag(hcr.vgrp1eie), 1),
        (flag(hcr.vgrp0die), 1),
        (flag(hcr.vgrp0eie), 1),
        (flag(hcr.npie), 1),
        (flag(hcr.lrenpie), 1),
        (flag(hcr.uie), 1),
        (flag(hcr.en), 1),
    )


def legal_hcr(word: int) -> bool:
    """Say whether a 32-bit word of GICH_HCR has its reserved bits, 26:8, clear."""
    return field_of(word, 26, 8) == 0


@dataclass(frozen=True, slots=True)
class Misr:
    """GICH_MISR: the maintenance conditions that hold (bits 0 to 7, in this order)."""

    eoi: bool
    u: bool
    lrenp: bool
    np: bool
    vgrp0e: bool
    vgrp0d: bool
    vgrp1e: bool
    vgrp1d: bool


def decode_misr(word: int) -> Misr:
    """Return what a 32-bit word of GICH_MISR says. Reserved bits are not looked at."""
    return Misr(
        eoi=bit(word, 0),
        u=bit(word, 1),
        lrenp=bit(word, 2),
        np=bit(word, 3),
        vgrp0e=bit(word, 4),
        vgrp0d=bit(word, 5),
        vgrp1e=bit(word, 6),
        vgrp1d=bit(word, 7),
    )


def encode_misr(status: Misr) -> int:
    """Return the 32-bit word of GICH_MISR. Its reserved bits are zero."""
    return concat(
        (0, 24),
        (flag(status.vgrp1d), 1),
        (flag(status.vgrp1e), 1),
        (flag(status.vgrp0d), 1),
        (flag(status.vgrp0e), 1),
        (flag(status.np), 1),
        (flag(status.lrenp), 1),
        (flag(status.u), 1),
        (flag(status.eoi), 1),
    )


@dataclass(frozen=True, slots=True)
class Gich:
    """The virtual interface of one physical CPU.

    nr_lr  how many list registers there are: 1 to 64, GICH_VTR.ListRegs + 1
    lr     the list registers, by index; those from nr_lr on are never looked at
    hcr    GICH_HCR
    vmcr   GICH_VMCR
    apr    GICH_APR: bit n is set while an interrupt of group priority n is active, see `model.gicv`
    """

    nr_lr: Annotated[int, Width(7)]
    lr: Annotated[Map[ListRegister], MapOf((6,), ListRegister)]
    hcr: Hcr
    vmcr: Vmcr
    apr: Annotated[int, Width(32)]


def implemented(gich: Gich, lr_index: int) -> bool:
    """Say whether there is a list register of this index."""
    return lt(lr_index, gich.nr_lr)


def registers(gich: Gich) -> Iterator[tuple[int, bool, ListRegister]]:
    """Yield each list register as (index, condition that it is there, content).

    The first that is plainly not there ends it, as none that follows is there either; a symbolic `nr_lr` yields all 64.
    """
    for n in LR_INDICES:
        there = implemented(gich, n)
        if there is False:
            return
        yield n, there, gich.lr[n]


def any_register(gich: Gich, holds: Callable[[ListRegister], bool]) -> bool:
    """Say whether something holds of a list register that is there."""
    return or_(*(and_(there, holds(lr)) for _, there, lr in registers(gich)))


def vtr(gich: Gich) -> int:
    """Return GICH_VTR, 32 bits: PRIbits and PREbits less one at 31:29 and 28:26, 5 here as in GIC-400, and ListRegs."""
    return concat((4, 3), (4, 3), (0, 20), (field_of(gich.nr_lr - 1, 5, 0), 6))


def is_empty(lr: ListRegister) -> bool:
    """Say whether a list register is free, and no end of an interrupt is to be seen in it."""
    return and_(lr.state == LRState.INVALID, or_(lr.hw, not_(lr.eoi)))


def is_ended(lr: ListRegister) -> bool:
    """Say whether the guest ended the interrupt in a list register, and the hypervisor asked to hear of it."""
    return and_(lr.state == LRState.INVALID, not_(lr.hw), lr.eoi)


def is_pending(lr: ListRegister) -> bool:
    """Say whether a list register is exactly pending: one that is active as well is not."""
    return lr.state == LRState.PENDING


def is_valid(lr: ListRegister) -> bool:
    """Say whether a list register is pending, active or both."""
    return lr.state != LRState.INVALID


def in_service(lr: ListRegister) -> bool:
    """Say whether a list register is active, or pending and active."""
    return or_(lr.state == LRState.ACTIVE, lr.state == LRState.PENDING_ACTIVE)


def elrsr(gich: Gich, lr_index: int) -> bool:
    """Return a bit of GICH_ELRSR."""
    return and_(implemented(gich, lr_index), is_empty(gich.lr[lr_index]))


def eisr(gich: Gich, lr_index: int) -> bool:
    """Return a bit of GICH_EISR."""
    return and_(implemented(gich, lr_index), is_ended(gich.lr[lr_index]))


def misr(gich: Gich) -> Misr:
    """Derive GICH_MISR. The conditions do not depend on HCR.En, and EOI needs no enable."""
    end_seen, waits = any_register(gich, is_ended), any_register(gich, is_pending)
    return conditions(gich.hcr, gich.vmcr, end_seen, two_valid(gich), waits)


def conditions(hcr: Hcr, vmcr: Vmcr, end_seen: bool, two: bool, waits: bool) -> Misr:
    """Return GICH_MISR, given whether an end is seen, two registers are valid, and one is exactly pending."""
    return Misr(
        eoi=end_seen,
        u=and_(hcr.uie, not_(two)),
        lrenp=and_(hcr.lrenpie, hcr.eoicount != 0),
        np=and_(hcr.npie, not_(waits)),
        vgrp0e=and_(hcr.vgrp0eie, vmcr.grp0_en),
        vgrp0d=and_(hcr.vgrp0die, not_(vmcr.grp0_en)),
        vgrp1e=and_(hcr.vgrp1eie, vmcr.grp1_en),
        vgrp1d=and_(hcr.vgrp1die, not_(vmcr.grp1_en)),
    )


def two_valid(gich: Gich) -> bool:
    """Say whether two or more list registers are valid, that is pending, active or both."""
    one, two = False, False
    for _, there, lr in registers(gich):
        valid = and_(there, is_valid(lr))
        one, two = or_(one, valid), or_(two, and_(one, valid))
    return two


def maintenance_line(gich: Gich) -> bool:
    """Say whether the interface asserts the maintenance interrupt, which is level-sensitive."""
    return asserted(gich.hcr, misr(gich))


def asserted(hcr: Hcr, status: Misr) -> bool:
    """Say whether conditions assert the maintenance interrupt: any one does, of an interface that is enabled."""
    return and_(hcr.en, encode_misr(status) != 0)


def acknowledge(gich: Gich, lr_index: int) -> Gich:
    """The guest reads GICV_IAR, and the interrupt in this list register is the one chosen: pending to active.

    Nothing happens while the interface is disabled, nor to a register that is not pending: one that is pending and
    active is not taken.  Active priorities are left as they are: see `model.gicv.read_iar`.
    """
    taken = and_(gich.hcr.en, implemented(gich, lr_index), is_pending(gich.lr[lr_index]))
    return replace(gich, lr=gich.lr.set(lr_index, taken_up(gich.lr[lr_index]), when=taken))


def taken_up(lr: ListRegister) -> ListRegister:
    """Return a list register after the acknowledge of its interrupt, which is pending."""
    return replace(lr, state=LRState.ACTIVE)


def end_of_interrupt(gich: Gich, virtual_id: int) -> Gich:
    """The guest writes GICV_EOIR, with EOImode 0, while a priority is active, which is not dropped here.

    It acts on the lowest list register that holds this id in an active state; where there is none, EOICount goes up by
    one.  HCR.En makes no difference.  That two registers hold one id is UNPREDICTABLE in the architecture.
    """
    ordinary = lt(virtual_id, FIRST_SPECIAL_INTID)
    found, lr_index = first_in_service(gich, virtual_id)
    ended = deactivate(gich, lr_index, when=and_(ordinary, found))
    return replace(ended, hcr=ite(and_(ordinary, not_(found)), counted(gich.hcr), gich.hcr))


def deactivate(gich: Gich, lr_index: int, when: bool) -> Gich:
    """Where `when` holds, end the interrupt in a list register: active to invalid, pending and active to pending."""
    return replace(gich, lr=gich.lr.set(lr_index, ended(gich.lr[lr_index]), when=when))


def ended(lr: ListRegister) -> ListRegister:
    """Return a list register after the end of its interrupt, which is in service."""
    return replace(lr, state=ite(lr.state == LRState.ACTIVE, LRState.INVALID, LRState.PENDING, width=2))


def counted(hcr: Hcr) -> Hcr:
    """Return GICH_HCR with EOICount one higher, 0 after 31."""
    return replace(hcr, eoicount=field_of(hcr.eoicount + 1, 4, 0))


def first_in_service(gich: Gich, virtual_id: int) -> tuple[bool, int]:
    """Return whether a list register holds this id in an active state, and the index of the lowest that does."""
    found, first = False, 0
    for n, there, lr in reversed(list(registers(gich))):
        here = and_(there, in_service(lr), lr.virtual_id == virtual_id)
        found, first = or_(here, found), ite(here, n, first, width=6)
    return found, first


def hypervisor_write(gich: Gich, lr_index: int, lr: ListRegister) -> Gich:
    """The hypervisor writes GICH_LRn. A register that is not implemented ignores the write."""
    return replace(gich, lr=gich.lr.set(lr_index, lr, when=implemented(gich, lr_index)))


@dataclass(frozen=True, slots=True)
class Status:
    """What the hypervisor reads from the registers that are derived, and the maintenance line."""

    elrsr: Annotated[Map[bool], MapOf((6,), bool)]
    eisr: Annotated[Map[bool], MapOf((6,), bool)]
    misr: Misr
    maintenance_line: bool
    vtr: Annotated[int, Width(32)]


def gich_status(gich: Gich) -> Status:
    """Read every derived register."""
    return Status(
        elrsr=Map(lambda key: elrsr(gich, key[0])),
        eisr=Map(lambda key: eisr(gich, key[0])),
        misr=misr(gich),
        maintenance_line=maintenance_line(gich),
        vtr=vtr(gich),
    )


@dataclass(frozen=True, slots=True)
class Action:
    """An access of the guest: a read of GICV_IAR that takes the interrupt in `lr`, or a write of an id to GICV_EOIR."""

    acknowledges: bool
    lr: Annotated[int, Width(6)]
    virtual_id: Annotated[int, Width(10)]


@dataclass(frozen=True, slots=True)
class GuestAccess:
    """The interface as the guest finds it, and what the guest does."""

    gich: Gich
    action: Action


def guest_access(old: GuestAccess) -> Gich:
    """Return the interface after the guest's access."""
    action = old.action
    return ite(action.acknowledges, acknowledge(old.gich, action.lr), end_of_interrupt(old.gich, action.virtual_id))
