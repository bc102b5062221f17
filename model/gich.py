"""The GICv2 virtual interface of one physical CPU: the GICH registers, what they derive, what the guest does to them.

Stands for GICH_HCR, GICH_MISR, GICH_EISR0/1, GICH_ELRSR0/1 and GICH_LRn, and for GICV_IAR and GICV_EOIR as far as they
change list registers.  The vCPU's interrupt state lives here only while it is loaded.

Left out:
- which list register an acknowledge takes: priority, GICV_PMR, the running priority and the groups choose it; here
  it is a parameter;
- active priorities: GICH_APR is held and never changed.  So EOICount counts as if every EOI dropped a priority, which
  is so for a guest that ends only what it acknowledged;
- EOImode 1 and GICV_DIR; the physical interrupt that an EOI with HW=1 deactivates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import Width, and_, any_of, bit, concat, field_of, flag, ite, le, lt, not_, or_

from .lr import CodecInput, ListRegister, LRState, lr_codec

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

    nr_lr                     how many list registers there are: 1 to 64, GICH_VTR.ListRegs + 1
    lr                        the list registers, by index; those from nr_lr on are never looked at
    hcr                       GICH_HCR
    enable_grp0, enable_grp1  GICV_CTLR.EnableGrp0 and EnableGrp1, which are bits 0 and 1 of GICH_VMCR
    vmcr                      the rest of GICH_VMCR, uninterpreted
    apr                       GICH_APR, uninterpreted
    """

    nr_lr: Annotated[int, Width(7)]
    lr: Annotated[Map[ListRegister], MapOf((6,), ListRegister)]
    hcr: Hcr
    enable_grp0: bool
    enable_grp1: bool
    vmcr: Annotated[int, Width(32)]
    apr: Annotated[int, Width(32)]


def implemented(gich: Gich, lr_index: int) -> bool:
    """Say whether there is a list register of this index."""
    return lt(lr_index, gich.nr_lr)


def elrsr(gich: Gich, lr_index: int) -> bool:
    """Return a bit of GICH_ELRSR: the list register is free, and no end of an interrupt is to be seen in it."""
    lr = gich.lr[lr_index]
    return and_(implemented(gich, lr_index), lr.state == LRState.INVALID, or_(lr.hw, not_(lr.eoi)))


def eisr(gich: Gich, lr_index: int) -> bool:
    """Return a bit of GICH_EISR: the guest ended the interrupt, and the hypervisor asked to hear of it."""
    lr = gich.lr[lr_index]
    return and_(implemented(gich, lr_index), lr.state == LRState.INVALID, not_(lr.hw), lr.eoi)


def misr(gich: Gich) -> Misr:
    """Derive GICH_MISR. The conditions do not depend on HCR.En, and EOI needs no enable."""
    hcr = gich.hcr
    return Misr(
        eoi=any_of(LR_INDICES, lambda n: eisr(gich, n)),
        u=and_(hcr.uie, not_(two_valid(gich))),
        lrenp=and_(hcr.lrenpie, hcr.eoicount != 0),
        np=and_(hcr.npie, not_(any_of(LR_INDICES, lambda n: has_state(gich, n, LRState.PENDING)))),
        vgrp0e=and_(hcr.vgrp0eie, gich.enable_grp0),
        vgrp0d=and_(hcr.vgrp0die, not_(gich.enable_grp0)),
        vgrp1e=and_(hcr.vgrp1eie, gich.enable_grp1),
        vgrp1d=and_(hcr.vgrp1die, not_(gich.enable_grp1)),
    )


def has_state(gich: Gich, lr_index: int, state: LRState) -> bool:
    """Say whether there is a list register of this index and it is in exactly this state."""
    return and_(implemented(gich, lr_index), gich.lr[lr_index].state == state)


def two_valid(gich: Gich) -> bool:
    """Say whether two or more list registers are valid, that is pending, active or both."""
    one, two = False, False
    for n in LR_INDICES:
        valid = and_(implemented(gich, n), gich.lr[n].state != LRState.INVALID)
        one, two = or_(one, valid), or_(two, and_(one, valid))
    return two


def maintenance_line(gich: Gich) -> bool:
    """Say whether the interface asserts the maintenance interrupt, which is level-sensitive."""
    return and_(gich.hcr.en, encode_misr(misr(gich)) != 0)


def acknowledge(gich: Gich, lr_index: int) -> Gich:
    """The guest reads GICV_IAR, and the interrupt in this list register is the one chosen: pending to active.

    Nothing happens while the interface is disabled, nor to a register that is not pending: one that is pending and
    active is not taken.
    """
    taken = and_(gich.hcr.en, has_state(gich, lr_index, LRState.PENDING))
    active = replace(gich.lr[lr_index], state=LRState.ACTIVE)
    return replace(gich, lr=gich.lr.set(lr_index, active, when=taken))


def end_of_interrupt(gich: Gich, virtual_id: int) -> Gich:
    """The guest writes GICV_EOIR, with EOImode 0: active to invalid, pending and active to pending.

    It acts on the lowest list register that holds this id in an active state; where there is none, EOICount goes up by
    one and wraps.  HCR.En makes no difference.  That two registers hold one id is UNPREDICTABLE in the architecture;
    the lowest is what QEMU takes.
    """
    ignored = le(FIRST_SPECIAL_INTID, virtual_id)
    found, lr_index = first_in_service(gich, virtual_id)
    lr = gich.lr[lr_index]
    ended = replace(lr, state=ite(lr.state == LRState.ACTIVE, LRState.INVALID, LRState.PENDING, width=2))
    counted = replace(gich.hcr, eoicount=field_of(gich.hcr.eoicount + 1, 4, 0))
    return replace(
        gich,
        lr=gich.lr.set(lr_index, ended, when=and_(not_(ignored), found)),
        hcr=ite(or_(ignored, found), gich.hcr, counted),
    )


def first_in_service(gich: Gich, virtual_id: int) -> tuple[bool, int]:
    """Return whether a list register holds this id in an active state, and the index of the lowest that does."""
    found, first = False, 0
    for n in reversed(LR_INDICES):
        active = or_(has_state(gich, n, LRState.ACTIVE), has_state(gich, n, LRState.PENDING_ACTIVE))
        here = and_(active, gich.lr[n].virtual_id == virtual_id)
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


def gich_status(gich: Gich) -> Status:
    """Read every derived register."""
    return Status(
        elrsr=Map(lambda key: elrsr(gich, key[0])),
        eisr=Map(lambda key: eisr(gich, key[0])),
        misr=misr(gich),
        maintenance_line=maintenance_line(gich),
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


TRANSITIONS: Mapping[str, tuple[type, Callable[[Any], Any]]] = {
    "lr_codec": (CodecInput, lr_codec),
    "gich_status": (Gich, gich_status),
    "guest_access": (GuestAccess, guest_access),
}
"""The hardware half as properties speak of it: the type of the state before, and what makes the state after of it."""
