"""Contracts of the distributor, the queueing and the run loop: steps of a small machine."""

from __future__ import annotations

from dataclasses import replace

from model import injection, machine, queueing, runloop, vm
from model.distributor import LR_EMPTY, NR_PRIVATE_IRQS
from model.generation import REFERENCE
from model.gich import Hcr
from model.handler import HCR_OFF
from model.initial import initial
from model.lr import EMPTY, ListRegister, LRState
from model.machine import LAST_RANK, Exit, Machine, Phase, put, rank, thread
from vgicheck.engine.domain import Finite
from vgicheck.engine.maps import Map

from .contract import CREATED, ONE_OF_EACH, PPI, SGI, SPI, contract

DOMAIN = Finite(
    keys={
        "lr": ((0,), (1,)),
        "vcpu": ((0,), (1,)),
        "irq": ((SGI, 0), (SGI, 1), (PPI, 0), (SPI, 0)),
    },
    widths={"lr": (6,), "vcpu": (3,), "irq": (10, 3)},
)
STARTED = initial(2, 2, REFERENCE)
"""Two list registers and two vCPUs."""


def running(phase: Phase, **fields: object) -> Machine:
    """The machine with vCPU 0 loaded on CPU 1, its thread in a phase, and with these fields of its thread."""
    new = thread(STARTED, 0, phase=phase, loaded=True, cpu=1, **fields)
    return replace(new, cpu=put(new.cpu, 1, busy=True, running=0, live=True))


def waiting(intid: int, source: int) -> Machine:
    """The flush of vCPU 0, with everything enabled and everything pending."""
    s = running(Phase.FLUSH, cursor=rank(intid, source), overflow=False)
    yes: Map[bool] = Map.constant(True)
    return replace(s, vm=replace(s.vm, enabled=True, irq_enabled=yes, irq_state=yes, sgi_sources=yes))


# Keys --------------------------------------------------------------------------------------------


@contract("vm", "lt(intid, NR_PRIVATE_IRQS), vcpu, 0, width=3)", "lt(intid, NR_SGIS), vcpu, 0, width=3)")
def private_interrupts_are_banked(one: int, other: int, intid: int, another: int) -> None:
    """Two vCPUs see the same bit exactly if it is that of one shared interrupt, or they are the same vCPU."""
    assert 0 <= one < 8 and 0 <= other < 8 and 0 <= intid < 1020 and 0 <= another < 1020
    same = intid == another and (one == other or intid >= NR_PRIVATE_IRQS)
    assert (vm.bank_of(one, intid) == vm.bank_of(other, another)) == same


@contract("machine", "concat((intid, 10), (source, 3))", "concat((source, 3), (intid, 10))", explored=100)
def rank_is_the_order_of_the_flush(intid: int, another: int, source: int, other: int) -> None:
    """The flush goes by INTID, then by the source of an SGI."""
    assert 0 <= intid < 1020 and 0 <= another < 1020 and 0 <= source < 8 and 0 <= other < 8
    before = (intid, source) < (another, other)
    assert (machine.rank(intid, source) < machine.rank(another, other)) == before
    assert machine.rank(intid, source) < LAST_RANK


# Delivery ----------------------------------------------------------------------------------------


@contract("queueing", "waits, targets(vm, vcpu, intid), not_", "waits, not_")
def only_what_may_be_is_deliverable(
    on: bool, enabled: bool, edge: bool, line: bool, latched: bool, active: bool, sent: bool, vcpu: int, target: int
) -> None:
    """An interrupt is deliverable if the distributor and it are enabled, it waits, its target is asked, and it is not
    in a list register already.
    """
    assert 0 <= vcpu < 8 and 0 <= target < 8
    bits = {"irq_enabled": enabled, "irq_cfg": edge, "irq_line": line, "irq_state": latched, "irq_active": active}
    maps = {name: Map.constant(value) for name, value in bits.items()}
    state = replace(
        STARTED.vm, enabled=on, **maps, sgi_sources=Map.constant(sent), irq_spi_cpu=Map.constant(target, width=3)
    )
    may = on and enabled and not active
    waits = latched or (line and not edge)
    assert queueing.deliverable(state, vcpu, SPI, 0, REFERENCE) == (may and waits and vcpu == target)
    assert queueing.deliverable(state, vcpu, PPI, 0, REFERENCE) == (may and waits)
    assert queueing.deliverable(state, vcpu, SGI, 1, REFERENCE) == (may and sent)


@contract("queueing", "put(shadow, key, queued, lr_map=widened(l, 8))", "put(shadow, key, queued, lr_map=0)")
def queueing_takes_an_empty_register(
    intid: int, source: int, stale: int, first: bool, second: bool, there: bool
) -> None:
    """An interrupt that is in no list register goes to the first empty one; map, lr_used and ELRSR agree with it."""
    assert intid in ONE_OF_EACH and 0 <= source < (2 if intid == SGI else 1)
    old = waiting(intid, source)
    used = replace(EMPTY, virtual_id=stale, cpuid=source, eoi=True)
    shadow = replace(old.shadow, lr=Map.constant(used), elrsr=Map.of({(0, 0): first, (0, 1): second}, False))
    old = replace(old, nr_lr=2 if there else 1, shadow=shadow)
    new, queued = queueing.vgic_queue_irq(old, 0, intid, source, DOMAIN, REFERENCE)
    assert queued == (first or (second and there))
    mapped = new.shadow.lr_map[0, intid, source]
    for n, empty in ((0, first), (1, second)):
        here = queued and n == (0 if first else 1)
        register = ListRegister(LRState.PENDING, intid, source, intid != SGI, 0, False, False, 0)
        assert new.shadow.lr[0, n] == (register if here else used)
        assert new.shadow.lr_used[0, n] == here and new.shadow.elrsr[0, n] == (empty and not here)
        assert (mapped == n) == here
    assert queued or mapped == LR_EMPTY


@contract("queueing", "else or_(old.eoi, eoi)", "else old.eoi")
def queueing_again_stays_in_place(intid: int, state: int, eoi: bool, room: bool) -> None:
    """An interrupt that is in a list register is made pending there, and takes no other."""
    assert intid in (SGI, SPI) and 0 <= state < 4
    register = replace(EMPTY, state=state, virtual_id=intid, eoi=eoi)
    old = waiting(intid, 0)
    shadow = put(put(old.shadow, (0, 1), lr=register, lr_used=True), (0, intid, 0), lr_map=1)
    old = replace(old, shadow=put(shadow, (0, 0), elrsr=room))
    new, queued = queueing.vgic_queue_irq(old, 0, intid, 0, DOMAIN, REFERENCE)
    both = LRState.PENDING_ACTIVE
    made = both if state in (LRState.ACTIVE, both) else LRState.PENDING
    assert queued and new.shadow.lr[0, 1] == replace(register, state=made, eoi=eoi or intid != SGI)
    assert new.shadow.lr[0, 0] == EMPTY and new.shadow.elrsr[0, 0] == room
    assert new.shadow.lr_map[0, intid, 0] == 1


@contract("queueing", "put(vm, key, marks, irq_active=True)", "put(vm, key, irq_active=True)")
def flush_takes_note(intid: int, other: bool, room: bool) -> None:
    """What was queued is latched no more, and marked unless it is an SGI; what did not fit stays, as an overflow."""
    assert intid in ONE_OF_EACH
    old = waiting(intid, 0)
    old = replace(old, vm=replace(old.vm, sgi_sources=Map.of({(0, SGI, 0): True, (0, SGI, 1): other}, False)))
    old = replace(old, shadow=put(old.shadow, (0, 1), elrsr=room))
    guard, new = queueing.flush_irq(old, 0, intid, 0, DOMAIN, REFERENCE)
    key = vm.bank_of(0, intid)
    sgi_left = intid == SGI and other
    assert guard and new.thread.overflow[0] == (not room) and new.thread.cursor[0] == rank(intid, 0) + 1
    assert new.vm.irq_state[key] == (not room or sgi_left)
    assert new.vm.irq_active[key] == (room and intid != SGI)
    assert new.vm.sgi_sources[0, SGI, 0] == (not (room and intid == SGI))
    assert new.vm.sgi_sources[0, SGI, 1] == other


@contract("queueing", "put(s.vm, vcpu, not_(overflow), pending_on_cpu=False)", "put(s.vm, vcpu, pending_on_cpu=False)")
def flush_ends(overflow: bool, hcr: Hcr, oracle: bool) -> None:
    """The flush leaves UIE and the oracle bit set exactly after an overflow."""
    assert oracle or not overflow
    old = running(Phase.FLUSH, overflow=overflow, cursor=LAST_RANK)
    old = machine.lock(replace(old, vm=put(old.vm, 0, pending_on_cpu=oracle), shadow=put(old.shadow, 0, hcr=hcr)), 0)
    guard, new = queueing.flush_end(old, 0, DOMAIN, REFERENCE)
    assert guard and not new.locked and new.thread.phase[0] == Phase.FLUSHED
    assert new.shadow.hcr[0] == replace(hcr, uie=overflow)
    assert new.vm.pending_on_cpu[0] == overflow


# The run loop ------------------------------------------------------------------------------------


@contract("runloop", "ite(same(key[0], vcpu), lr[cpu, key[1]], old.lr[key])", "old.lr[key]")
def what_enter_restores_leave_saves(one: ListRegister, stale: ListRegister, uie: bool, why: int, done: bool) -> None:
    """The registers that a vCPU is entered with come back when it leaves, but for what its guest did; ELRSR and EISR
    say what they hold, and the interface is off.
    """
    assert 0 <= why <= Exit.MMIO and one.state == (LRState.ACTIVE if done else LRState.PENDING)
    old, hcr, two = running(Phase.FLUSHED), replace(CREATED, uie=uie), replace(EMPTY, virtual_id=SPI, eoi=True)
    old = replace(old, shadow=replace(old.shadow, lr=Map.of({(0, 0): one, (0, 1): two}, EMPTY), hcr=Map.constant(hcr)))
    old = replace(old, cpu=replace(old.cpu, lr=Map.constant(stale)))
    entered, s = runloop.enter(old, 0, REFERENCE)
    if done:
        ended, s = runloop.end_of_interrupt(s, 0, 0)
        assert ended
    left, new = runloop.leave(s, 0, why, DOMAIN, REFERENCE)
    after = replace(one, state=LRState.INVALID) if done else one
    assert entered and left and new.thread.phase[0] == Phase.EXITED and new.thread.why[0] == why
    assert new.shadow.lr[0, 0] == after and new.shadow.lr[0, 1] == two and new.shadow.lr[1, 0] == EMPTY
    assert new.shadow.hcr[0] == hcr and new.cpu.hcr[1] == HCR_OFF and new.cpu.lr[0, 0] == stale
    assert new.shadow.elrsr[0, 0] == (done and (one.hw or not one.eoi))
    assert new.shadow.eisr[0, 1] and new.shadow.eisr[0, 0] == (done and one.eoi and not one.hw)


@contract("runloop", 'domain.two("valid"', 'domain.exists("valid"')
def underflow_is_at_most_one_valid_register(uie: bool, one: int, two: int, eoi: bool, there: bool) -> None:
    """MISR.U is UIE with at most one valid list register, MISR.EOI is some bit of EISR."""
    assert 0 <= one < 4 and 0 <= two < 4
    lrs = {(1, 0): replace(EMPTY, state=one, eoi=eoi), (1, 1): replace(EMPTY, state=two, eoi=eoi)}
    s = running(Phase.GUEST)
    s = replace(s, nr_lr=2 if there else 1, cpu=replace(s.cpu, lr=Map.of(lrs, EMPTY)))
    s = replace(s, cpu=put(s.cpu, 1, hcr=replace(HCR_OFF, uie=uie)))
    status = runloop.live_misr(s, 1, DOMAIN)
    assert status.u == (uie and not (one and two and there))
    assert status.eoi == (eoi and (not one or (there and not two)))
    assert not runloop.maintenance_line(s, 1, DOMAIN)


@contract("runloop", "ite(awake, Phase.HOST, Phase.BLOCKED, width=3)", "Phase.BLOCKED")
def nobody_sleeps_on_the_oracle(oracle: bool, why: int, phase: int, other: bool) -> None:
    """A WFI blocks the thread exactly if its own oracle bit is clear, and only where its exit is handled."""
    assert 0 <= why <= Exit.MMIO and 0 <= phase < 8
    old = thread(running(Phase.HOST, why=why), 0, phase=phase)
    old = replace(old, vm=put(put(old.vm, 0, pending_on_cpu=oracle), 1, pending_on_cpu=other))
    guard, new = runloop.block(old, 0, REFERENCE)
    assert guard == (phase == Phase.SYNCED and why == Exit.WFI)
    assert new.thread.phase[0] == (Phase.HOST if oracle else Phase.BLOCKED)


@contract("runloop", "put(new.vm, key, unseen, irq_active=False)", "put(new.vm, key, irq_active=False)")
def sync_frees_what_is_done(intid: int, eoi: bool, empty: bool, ended: bool, used: bool) -> None:
    """The sync forgets a list register that is empty or ended; an end that the handler did not see clears the mark."""
    assert intid in (SGI, SPI)
    old = running(Phase.SYNC)
    register = replace(EMPTY, virtual_id=intid, eoi=eoi)
    shadow = put(old.shadow, (0, 1), lr=register, lr_used=used, elrsr=empty, eisr=ended)
    old = replace(old, shadow=put(shadow, (0, intid, 0), lr_map=1))
    old = replace(old, vm=replace(old.vm, irq_active=Map.constant(True)))
    guard, new = runloop.sync_lr(old, 0, 1, DOMAIN, REFERENCE)
    assert guard == (used and (empty or ended))
    assert not new.shadow.lr_used[0, 1] and new.shadow.lr_map[0, intid, 0] == LR_EMPTY
    assert new.shadow.elrsr[0, 1] and new.shadow.lr[0, 1] == replace(register, eoi=False)
    assert new.vm.irq_active[vm.bank_of(0, intid)] == (not (ended and eoi))
    assert new.vm.irq_active[vm.bank_of(0, PPI)]


# Devices -----------------------------------------------------------------------------------------


@contract("injection", "put(new.vm, key, rises, irq_state=True)", "put(new.vm, key, irq_state=True)")
def injecting_latches_edges(intid: int, level: bool, line: bool, edge: bool, on: bool) -> None:
    """A line that changes is kept; a rising edge is latched; a target that can take it has its oracle bit and a kick."""
    assert intid in (PPI, SPI)
    bits = {"irq_line": line, "irq_cfg": edge, "irq_enabled": on}
    old = replace(STARTED, vm=replace(STARTED.vm, enabled=True, **{n: Map.constant(b) for n, b in bits.items()}))
    guard, new = injection.inject(old, 1, intid, level, DOMAIN, REFERENCE)
    key = vm.bank_of(1, intid)
    assert guard == (level != line)
    assert new.vm.irq_line[key] == level and new.vm.irq_state[key] == (edge and level)
    assert new.ghost.owed[key] == (edge and level)
    target = 0 if intid == SPI else 1
    if guard:
        assert new.vm.pending_on_cpu[target] == (on and level) and new.thread.kick[target] == (on and level)
        assert not new.vm.pending_on_cpu[1 - target] and not new.thread.kick[1 - target]
