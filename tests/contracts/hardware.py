"""Contracts of the list registers, of GICH, and of the maintenance handler that works on them."""

from __future__ import annotations

from dataclasses import replace

from model import distributor, gich, gicv, handler, lr
from model.distributor import LR_EMPTY, Distributor, VgicCpu
from model.generation import REFERENCE
from model.gich import Gich, Hcr, Misr
from model.handler import HCR_OFF, HandlerState
from model.lr import EMPTY, ListRegister, LRState
from model.vmcr import RESET
from vgicheck.engine.maps import Map
from vgicheck.engine.values import zeroed

from .contract import CREATED, ONE_OF_EACH, contract

VALID = (LRState.PENDING, LRState.ACTIVE, LRState.PENDING_ACTIVE)
IN_SERVICE = (LRState.ACTIVE, LRState.PENDING_ACTIVE)


def interface(nr_lr: int, lrs: Map[ListRegister], hcr: Hcr = CREATED) -> Gich:
    """A GICH with these list registers, and group 0 enabled."""
    return Gich(nr_lr, lrs, hcr, replace(RESET, grp0_en=True), apr=0)


def handler_state(
    shadow: Map[ListRegister], registers: Map[ListRegister], active: Map[bool], **fields: object
) -> HandlerState:
    """What the handler finds on a CPU with four list registers, its vCPU loaded, live, and with no bit of EISR saved."""
    no: Map[bool] = Map.constant(False)
    cpu = VgicCpu(4, shadow, CREATED, 0, zeroed(Misr), no, no, no, Map.constant(LR_EMPTY, width=8), no)
    state = HandlerState(True, True, 0, cpu, Distributor(no, no, active, no, no), interface(4, registers), 0)
    return replace(state, **fields)


@contract("gich", "LRState.INVALID, or_(lr.hw, not_(lr.eoi)))", "LRState.INVALID)")
def empty_and_ended_are_told_apart(register: ListRegister, nr_lr: int, n: int) -> None:
    """A list register has a bit in ELRSR or in EISR, never in both; it has one exactly if it is there and invalid."""
    assert 1 <= nr_lr <= 64 and 0 <= n < 64
    old = interface(nr_lr, Map.constant(register))
    empty, ended = gich.elrsr(old, n), gich.eisr(old, n)
    assert not (empty and ended)
    assert (empty or ended) == (n < nr_lr and register.state == LRState.INVALID)


@contract("gich", "is_pending(gich.lr[lr_index]))", "in_service(gich.lr[lr_index]))")
def acknowledge_takes_what_is_pending(register: ListRegister, en: bool, nr_lr: int, n: int, m: int) -> None:
    """An acknowledge makes the register that it is asked for active, if that is exactly pending, and no other."""
    assert 1 <= nr_lr <= 64 and 0 <= n < 3 and 0 <= m < 3
    old = interface(nr_lr, Map.constant(register), replace(CREATED, en=en))
    taken = en and n < nr_lr and m == n and register.state == LRState.PENDING
    assert gich.acknowledge(old, n).lr[m] == (replace(register, state=LRState.ACTIVE) if taken else register)


@contract("gich", "found, first = or_(here, found), ite(here, n, first, width=6)", "found, first = or_(here, found), n")
def end_of_interrupt_ends_one(state: int, other: int, same_id: bool) -> None:
    """Writing an id to EOIR ends the lowest register that holds it in service, and no other; EOICount counts the rest."""
    assert state in VALID and other in VALID
    one = replace(EMPTY, state=state, virtual_id=34, eoi=True)
    two = replace(EMPTY, state=other, virtual_id=34 if same_id else 35)
    new = gich.end_of_interrupt(interface(2, Map.of({0: one, 1: two}, EMPTY)), 34)
    left = {LRState.ACTIVE: LRState.INVALID, LRState.PENDING_ACTIVE: LRState.PENDING}
    first = state in IN_SERVICE
    second = not first and same_id and other in IN_SERVICE
    assert new.lr[0] == (replace(one, state=left[LRState(state)]) if first else one)
    assert new.lr[1] == (replace(two, state=left[LRState(other)]) if second else two)
    assert new.hcr.eoicount == (0 if first or second else 1)


@contract("gich", "when=implemented(gich, lr_index))", "when=True)")
def hypervisor_writes_what_is_there(register: ListRegister, value: ListRegister, nr_lr: int, n: int, m: int) -> None:
    """A write of a list register is read back there, and is ignored where there is no such register."""
    assert 1 <= nr_lr <= 64 and 0 <= n < 3 and 0 <= m < 3
    new = gich.hypervisor_write(interface(nr_lr, Map.constant(register)), n, value)
    assert new.lr[m] == (value if m == n and n < nr_lr else register)


@contract("gicv", "lt(b_priority, a_priority)", "le(b_priority, a_priority)")
def lowest_number_goes_first(one: int, two: int, three: int, pending: bool, grp1: bool) -> None:
    """The highest pending interrupt has the least priority of an enabled group, and of equals the lowest register."""
    assert 0 <= one < 32 and 0 <= two < 32 and 0 <= three < 32
    waits = replace(EMPTY, state=LRState.PENDING)
    lrs = {
        0: replace(waits, priority=one, group1=grp1),
        1: replace(waits, priority=two, state=LRState.PENDING if pending else LRState.ACTIVE),
        2: replace(waits, priority=three),
    }
    rivals = [n for n, there in ((0, not grp1), (1, pending), (2, True)) if there]
    found, first = gicv.highest_pending(interface(3, Map.of(lrs, EMPTY)))
    assert found and first in rivals
    assert all((lrs[first].priority, first) <= (lrs[n].priority, n) for n in rivals)


@contract("lr", "virtual_id=field_of(word, 9, 0)", "virtual_id=field_of(word, 8, 0)", explored=40)
def record_comes_back_from_its_word(register: ListRegister) -> None:
    """A canonical record that is encoded and decoded is as it was."""
    assert 0 <= register.state < 4 and 0 <= register.virtual_id < 1024 and 0 <= register.cpuid < 8
    assert 0 <= register.priority < 32 and 0 <= register.physical_id < 1024 and lr.canonical(register)
    assert lr.decode(lr.encode(register)) == register


@contract("lr", "group1=bit(word, 30)", "group1=bit(word, 31)", explored=40)
def word_comes_back_from_its_record(word: int) -> None:
    """A legal word that is decoded and encoded is as it was."""
    assert 0 <= word < 1 << 32 and lr.legal_word(word)
    assert lr.encode(lr.decode(word)) == word


@contract("handler", "s.dist.irq_active.set(key, False, when)", "s.dist.irq_active.set(key, False)")
def handler_processes_one_register(register: ListRegister, stale: ListRegister, flagged: bool) -> None:
    """For a flagged list register the handler clears the EOI flag and the active bit, and writes it; others stay."""
    assert register.virtual_id in ONE_OF_EACH
    old = handler_state(Map.constant(register), Map.constant(stale), Map.constant(True), vcpu_id=1)
    new = handler.process_lr(old, 2, flagged, REFERENCE)
    assert new.cpu.lr[2] == (replace(register, eoi=False) if flagged else register)
    assert new.hw.lr[2] == (new.cpu.lr[2] if flagged else stale)
    assert new.cpu.elrsr[2] == (flagged and register.state == LRState.INVALID)
    assert new.cpu.lr[3] == register and new.hw.lr[3] == stale and not new.cpu.elrsr[3]
    mine = distributor.bank(1, register.virtual_id)
    others = [(bank, intid) for bank in (0, 1) for intid in ONE_OF_EACH if (bank, intid) != mine]
    assert new.dist.irq_active[mine] == (not flagged) and all(new.dist.irq_active[key] for key in others)


@contract("handler", "and_(acts(s, switches), s.cpu.misr.u)", "acts(s, switches)")
def handler_finishes(status: Misr, shadow: Hcr, register: Hcr, loaded: bool, live: bool) -> None:
    """On underflow the handler clears UIE in shadow and register; where the registers are nobody's it turns them off."""
    assert loaded or not live
    lrs = Map.constant(EMPTY)
    old = handler_state(lrs, lrs, Map.constant(False), loaded=loaded, live=live)
    old = replace(old, cpu=replace(old.cpu, misr=status, hcr=shadow), hw=replace(old.hw, hcr=register))
    new = handler.finish(old, REFERENCE)
    clears = live and status.u
    assert new.cpu.hcr == (replace(shadow, uie=False) if clears else shadow)
    assert new.hw.hcr == (HCR_OFF if not live else new.cpu.hcr if clears else register)


@contract("handler", "s.cpu.misr.eoi, s.cpu.eisr[l], ", "s.cpu.eisr[l], ")
def handler_wants_every_sign(loaded: bool, live: bool, eoi: bool, ended: bool, nr_lr: int, n: int) -> None:
    """A list register is processed only for a loaded vCPU, with MISR.EOI and its bit of EISR saved, and if it is there."""
    assert 1 <= nr_lr <= 64 and 0 <= n < 64
    lrs = Map.constant(EMPTY)
    old = handler_state(lrs, lrs, Map.constant(True), loaded=loaded, live=live)
    saved = replace(old.cpu, nr_lr=nr_lr, misr=replace(zeroed(Misr), eoi=eoi), eisr=Map.constant(ended))
    flagged = handler.flagged(replace(old, cpu=saved), n, REFERENCE)
    assert flagged == (loaded and live and eoi and ended and n < nr_lr)
