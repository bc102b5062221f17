"""The run loop, by hand: loading, the world switch, the guest, kicks, blocking and the sync."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.distributor import LR_EMPTY
from model.generation import REFERENCE, V3_9
from model.handler import HCR_OFF
from model.lr import EMPTY, LRState
from model.machine import Exit, Phase
from proofs.instances import Size, retarget
from proofs.runs import failing

from .scenario import Scenario

ONE = Size("a level interrupt, one vCPU", 1, 1, 1, ((34, 0),))
THREE_LRS = Size("three level interrupts, three list registers", 1, 1, 3, ((34, 0), (35, 0), (36, 0)))
PAIR = Size("two level interrupts, two vCPUs", 2, 2, 1, ((34, 0), (35, 0)), (), (retarget(35, 1),), True)
MOVING = Size("a level interrupt, a vCPU that moves", 1, 2, 1, ((34, 0),))
SHARED_CPU = Size("a level interrupt, two vCPUs on one CPU", 2, 1, 1, ((34, 0),))
RETARGETED = Size("a level interrupt that moves, two vCPUs", 2, 2, 1, ((34, 0),), (), (retarget(34, 1),), True)


def in_guest(size: Size = ONE, *intids: int) -> Scenario:
    """Return a machine whose vCPU 0 is in the guest with these interrupts pending, from list register 0 on."""
    run = Scenario(size)
    for intid in intids:
        run.make("inject", 0, intid, True)
    run.enter(0, *((i, 0) for i in sorted(intids)))
    return run


# The scheduler -----------------------------------------------------------------------------------


def test_one_vcpu_on_a_cpu():
    """A CPU on which a vCPU is loaded takes no other one, until that one is put."""
    run = Scenario(SHARED_CPU)
    assert not run.can("vcpu_load", 1, 0)
    run.make("vcpu_put", 0)
    s = run.make("vcpu_load", 1, 0)
    assert (s.cpu.busy[0], s.cpu.running[0], s.cpu.live[0]) == (True, 1, False)
    assert (s.thread.loaded[0], s.thread.loaded[1]) == (False, True)


def test_no_other_vcpu_is_loaded():
    """A vCPU that does not exist is not loaded."""
    run = Scenario(MOVING)
    assert not run.can("vcpu_load", 1, 1)


@pytest.mark.parametrize("phase", ["flush", "guest", "sync"])
def test_not_put(phase: str):
    """A thread is put neither in the guest nor with the distributor's lock."""
    run = Scenario(ONE)
    if phase == "flush":
        run.make("flush_begin", 0)
    else:
        run.enter(0)
        if phase == "sync":
            run.make("leave", 0, Exit.IRQ)
            assert run.can("vcpu_put", 0)
            run.make("sync_begin", 0)
    assert not run.can("vcpu_put", 0)


def test_migration():
    """A vCPU that moves has its list registers restored on the new CPU; the old one keeps them, turned off."""
    run = in_guest(MOVING, 34)
    run.make("acknowledge", 0, 0)
    run.leave(0)
    run.make("vcpu_put", 0)
    run.make("vcpu_load", 0, 1)
    s = run.enter(0)
    assert s.cpu.lr[1, 0].virtual_id == 34 and s.cpu.lr[1, 0].state == LRState.ACTIVE
    assert s.cpu.hcr[1].en and s.cpu.live[1]
    assert s.cpu.lr[0, 0] == s.cpu.lr[1, 0]
    assert s.cpu.hcr[0] == HCR_OFF and not s.cpu.live[0]


def test_interface_left_on():
    """Without the switch the interface of the CPU on which the guest was left stays on."""
    run = Scenario(MOVING, replace(REFERENCE, exit_turns_off=False))
    run.make("inject", 0, 34, True)
    run.enter(0, (34, 0))
    s = run.leave(0)
    assert s.cpu.hcr[0].en


# The world switch --------------------------------------------------------------------------------


def test_entry_restores():
    """An entry writes the shadow to the registers of the CPU and turns the interface on."""
    s = in_guest(THREE_LRS, 35, 34).state
    assert [s.cpu.lr[0, l] for l in range(3)] == [s.shadow.lr[0, l] for l in range(3)]
    assert s.cpu.lr[0, 2] == EMPTY
    assert s.cpu.hcr[0] == s.shadow.hcr[0] and s.cpu.hcr[0].en


def test_exit_saves():
    """An exit saves list registers, EISR, ELRSR and MISR: 34 was ended, 35 is active, and nothing is in LR2."""
    run = in_guest(THREE_LRS, 34, 35)
    run.serve(0, 0)
    run.make("acknowledge", 0, 1)
    s = run.make("leave", 0, Exit.WFI)
    assert [s.shadow.eisr[0, l] for l in range(3)] == [True, False, False]
    assert [s.shadow.elrsr[0, l] for l in range(3)] == [False, False, True]
    assert s.shadow.misr[0].eoi and not s.shadow.misr[0].u
    assert [s.shadow.lr[0, l].state for l in range(3)] == [LRState.INVALID, LRState.ACTIVE, LRState.INVALID]
    assert (s.thread.phase[0], s.thread.why[0]) == (Phase.EXITED, Exit.WFI)
    assert s.cpu.hcr[0] == HCR_OFF and s.shadow.hcr[0].en


def test_exit_saves_no_register_that_is_not_there():
    """ELRSR reports no list register beyond nr_lr, empty as it may be."""
    run = in_guest(ONE)
    s = run.make("leave", 0, Exit.IRQ)
    assert s.shadow.elrsr[0, 0] and not s.shadow.elrsr[0, 1] and not s.shadow.elrsr[0, 63]


@pytest.mark.parametrize(("served", "underflow"), [(0, False), (1, False), (2, True), (3, True)])
def test_underflow(served: int, underflow: bool):
    """With UIE set MISR.U is saved as soon as fewer than two list registers are valid."""
    size = replace(THREE_LRS, irqs=tuple((34 + n, 0) for n in range(4)))
    run = in_guest(size, 34, 35, 36, 37)
    assert run.state.cpu.hcr[0].uie
    for l in range(served):
        run.serve(0, l)
    assert run.make("leave", 0, Exit.IRQ).shadow.misr[0].u is underflow


# The guest ---------------------------------------------------------------------------------------


def test_guest_serves_in_any_order():
    """The guest acknowledges what is pending, ends what is active, and nothing else."""
    run = in_guest(THREE_LRS, 34, 35)
    assert run.can("acknowledge", 0, 1) and not run.can("end_of_interrupt", 0, 1) and not run.can("acknowledge", 0, 2)
    run.make("acknowledge", 0, 1)
    assert not run.can("acknowledge", 0, 1)
    s = run.make("end_of_interrupt", 0, 1)
    assert s.cpu.lr[0, 1].state == LRState.INVALID and s.cpu.lr[0, 0].state == LRState.PENDING
    assert not run.can("end_of_interrupt", 0, 1)


@pytest.mark.parametrize(("ends", "count"), [(1, 1), (31, 31), (32, 0), (33, 1)])
def test_wrong_ends_are_counted(ends: int, count: int):
    """EOICount has five bits and wraps."""
    run = in_guest(ONE)
    for _ in range(ends):
        run.make("wrong_end", 0)
    assert run.state.cpu.hcr[0].eoicount == count
    assert run.make("leave", 0, Exit.IRQ).shadow.hcr[0].eoicount == count


def test_guest_runs_in_the_guest_alone():
    """Out of the guest nothing is acknowledged or ended."""
    run = Scenario(ONE)
    run.make("inject", 0, 34, True)
    run.flush(0, (34, 0))
    assert not run.can("acknowledge", 0, 0) and not run.can("wrong_end", 0) and not run.can("leave", 0, Exit.WFI)


# Kicks and blocking ------------------------------------------------------------------------------


def asleep() -> Scenario:
    """Return a machine whose vCPU sleeps after a WFI."""
    run = in_guest(ONE)
    run.make("leave", 0, Exit.WFI)
    run.sync(0)
    run.make("block", 0)
    return run


def test_wfi_blocks():
    """A vCPU that waits for an interrupt, and has none, sleeps, and nobody wakes it."""
    run = asleep()
    assert run.state.thread.phase[0] == Phase.BLOCKED
    assert not run.can("kick_arrives", 0) and not run.can("flush_begin", 0)


def test_kick_wakes():
    """An interrupt for a vCPU that sleeps kicks it, and the kick brings it to the top of the loop."""
    run = asleep()
    assert run.make("inject", 0, 34, True).thread.kick[0]
    s = run.make("kick_arrives", 0)
    assert (s.thread.phase[0], s.thread.kick[0]) == (Phase.HOST, False)


def test_kick_wakes_who_is_not_loaded():
    """A thread that sleeps and was put is woken all the same, and waits for a CPU."""
    run = asleep()
    run.make("vcpu_put", 0)
    run.make("inject", 0, 34, True)
    assert run.make("kick_arrives", 0).thread.phase[0] == Phase.HOST
    assert not run.can("flush_begin", 0)


def test_oracle_keeps_awake():
    """With its oracle bit set a vCPU does not sleep."""
    run = in_guest(ONE)
    run.make("leave", 0, Exit.WFI)
    run.sync(0)
    run.make("inject", 0, 34, True)
    assert run.make("block", 0).thread.phase[0] == Phase.HOST


def test_kick_leaves_the_guest():
    """A kick that finds the vCPU in the guest makes it leave, and its registers are saved."""
    run = in_guest(ONE)
    run.make("inject", 0, 34, True)
    s = run.make("kick_arrives", 0)
    assert (s.thread.phase[0], s.thread.why[0], s.thread.kick[0]) == (Phase.EXITED, Exit.IRQ, False)
    assert s.shadow.elrsr[0, 0]


@pytest.mark.parametrize(("rechecks", "enters"), [(True, False), (False, True)])
def test_kick_between_flush_and_entry(rechecks: bool, enters: bool):
    """A kick before the entry interrupts nobody; a request keeps the vCPU out of the guest, without it is lost."""
    switches = replace(REFERENCE, entry_rechecks=rechecks)
    run = Scenario(ONE, switches)
    run.flush(0)
    run.make("inject", 0, 34, True)
    assert run.make("kick_arrives", 0).thread.phase[0] == Phase.FLUSHED
    assert run.can("enter", 0) is enters and run.can("turn_back", 0)
    if enters:
        run.make("enter", 0)
    assert (failing("kick-not-lost", ONE, switches, run.made) is not None) is enters


# The sync ----------------------------------------------------------------------------------------


def test_sync_frees():
    """What the guest ended is neither active nor mapped nor in use after the sync, and a line that is high again waits."""
    run = in_guest(THREE_LRS, 34, 35)
    run.serve(0, 0)
    s = run.leave(0, 0)
    assert not s.vm.irq_active[0, 34] and s.vm.irq_active[0, 35]
    assert (s.shadow.lr_map[0, 34, 0], s.shadow.lr_map[0, 35, 0]) == (LR_EMPTY, 1)
    assert not s.shadow.lr_used[0, 0] and s.shadow.lr_used[0, 1]
    assert s.shadow.elrsr[0, 0] and not s.shadow.eisr[0, 0] and not s.shadow.misr[0].eoi
    assert s.vm.pending_on_cpu[0]
    assert run.flush(0, (34, 0)).shadow.lr[0, 0].state == LRState.PENDING


def test_sync_in_order():
    """The sync frees the lowest list register first and does not end with one left."""
    run = in_guest(THREE_LRS, 34, 35)
    run.serve(0, 1)
    run.serve(0, 0)
    run.make("leave", 0, Exit.IRQ)
    run.make("sync_begin", 0)
    assert not run.can("sync_lr", 0, 1) and not run.can("sync_end", 0)
    run.make("sync_lr", 0, 0)
    assert not run.can("sync_lr", 0, 0) and not run.can("sync_end", 0)
    run.make("sync_lr", 0, 1)
    assert run.can("sync_end", 0)


def test_sync_has_the_target_look():
    """An interrupt that was re-targeted while active waits, once it is ended, for its new target, which is kicked."""
    run = in_guest(RETARGETED, 34)
    run.store(0, retarget(34, 1))
    assert not run.state.vm.pending_on_cpu[1]
    run.enter(0)
    run.serve(0, 0)
    s = run.leave(0, 0)
    assert s.vm.pending_on_cpu[1] and s.thread.kick[1] and s.thread.request[1]
    assert not s.vm.pending_on_cpu[0]


@pytest.mark.parametrize(("switches", "begins"), [(REFERENCE, False), (V3_9, True)])
def test_sync_takes_the_lock(switches: object, begins: bool):
    """The sync waits while another vCPU flushes; that of v3.9 does not."""
    run = Scenario(RETARGETED, switches)  # type: ignore[arg-type]
    run.enter(0)
    run.make("leave", 0, Exit.IRQ)
    run.make("flush_begin", 1)
    assert run.can("sync_begin", 0) is begins


def abandoned(consumes: bool) -> Scenario:
    """Let an interrupt end and come again, and its entry be abandoned after the flush that queued it anew."""
    run = Scenario(ONE, replace(REFERENCE, sync_consumes=consumes))
    run.make("inject", 0, 34, True)
    run.enter(0, (34, 0))
    run.serve(0, 0)
    run.leave(0, 0)
    run.flush(0, (34, 0))
    run.make("turn_back", 0)
    return run


def test_abandoned_entry():
    """An entry that is turned back goes through the sync, which finds nothing ended and leaves the interrupt queued."""
    run = abandoned(consumes=True)
    s = run.sync(0)
    assert s.shadow.lr[0, 0].state == LRState.PENDING and s.shadow.lr_used[0, 0]
    assert s.vm.irq_active[0, 34] and s.vm.pending_on_cpu[0]


def test_abandoned_entry_with_saved_status():
    """Where the saved EISR outlives its sync an abandoned entry frees a list register whose interrupt is pending."""
    run = abandoned(consumes=False)
    s = run.sync(0, 0)
    assert s.shadow.lr[0, 0].state == LRState.PENDING and not s.shadow.lr_used[0, 0]
    assert failing("unused-empty", ONE, run.switches, run.made)


# What takes two accesses --------------------------------------------------------------------------


def test_a_word_written_back_forgets():
    """A sync that writes irq_pending_on_cpu back whole forgets what was set since it read it; set_bit does not."""
    for whole in (True, False):
        run = Scenario(PAIR, replace(REFERENCE, oracle_set_bit=not whole, sync_locks=False))
        run.enter(1)
        run.leave(1)
        run.enter(0)
        run.store(0, retarget(35, 1))
        run.make("inject", 0, 35, True)
        run.enter(1, (35, 0))
        run.make("leave", 1, Exit.IRQ)
        run.make("sync_begin", 1)
        if whole:
            s = run.make("sync_end", 1)
            assert not s.vm.pending_on_cpu[1] and s.thread.phase[1] == Phase.SYNC and not run.can("sync_end", 1)
            run.make("inject", 0, 34, True)
            run.make("sync_store", 1)
        else:
            run.make("inject", 0, 34, True)
            run.make("sync_end", 1)
        assert run.state.vm.pending_on_cpu[0] is not whole
        assert run.state.vm.pending_on_cpu[1] and run.state.thread.phase[1] == Phase.SYNCED


@pytest.mark.parametrize("first", [True, False])
def test_who_looks_before_it_queues_misses_the_kick(first: bool):
    """A kick between look and sleep wakes nobody where the thread was not on its wait queue yet."""
    run = Scenario(ONE, replace(REFERENCE, block_queues_first=first))
    run.enter(0)
    run.make("leave", 0, Exit.WFI)
    run.sync(0)
    run.make("block", 0)
    assert run.can("doze", 0) is not first and not run.can("block", 0)
    run.make("inject", 0, 34, True)
    run.make("kick_arrives", 0)
    if not first:
        run.make("doze", 0)
    assert run.state.thread.phase[0] == (Phase.HOST if first else Phase.BLOCKED)


def test_sync_of_v3_9_acts_on_the_line_that_it_read():
    """What v3.9 looks at again it read before: a line that rises in between has its pending bit cleared."""
    run = Scenario(ONE, V3_9)
    run.make("inject", 0, 34, True)
    run.make("inject", 0, 34, False)
    run.enter(0, (34, 0))
    run.serve(0, 0)
    run.make("leave", 0, Exit.IRQ)
    run.make("sync_begin", 0)
    run.make("sync_lr", 0, 0)
    assert not run.can("sync_end", 0)
    run.make("inject", 0, 34, True)
    s = run.make("sync_rearm", 0)
    assert s.vm.irq_state[0, 34] and not s.shadow.cached[0, 34] and run.can("sync_end", 0)


# What only some generations do ---------------------------------------------------------------------


@pytest.mark.parametrize(("eisr", "high"), [(False, True), (True, False), (True, True)])
def test_a_sync_that_rearms_its_own_vcpu(eisr: bool, high: bool):
    """Of v3.9 on: the end that the handler did not see is looked at by the vCPU that ended it, if the line is high."""
    switches = replace(V3_9, irq_rearms=True)
    run = Scenario(ONE, switches)
    run.enter(0)
    run.make("leave", 0, Exit.IRQ)
    s = run.state
    shadow = replace(
        s.shadow,
        lr=s.shadow.lr.set((0, 0), replace(EMPTY, virtual_id=34, eoi=eisr)),
        eisr=s.shadow.eisr.set((0, 0), eisr),
        elrsr=s.shadow.elrsr.set((0, 0), not eisr),
        lr_used=s.shadow.lr_used.set((0, 0), True),
        cached=s.shadow.cached.set((0, 34), not high),
    )
    vm = replace(s.vm, irq_state=s.vm.irq_state.set((0, 34), high), irq_active=s.vm.irq_active.set((0, 34), True))
    run.state = replace(s, shadow=shadow, vm=vm)
    run.make("sync_begin", 0)
    s = run.make("sync_lr", 0, 0)
    if eisr:
        s = run.make("sync_rearm", 0)
    assert s.shadow.cached[0, 34] is (high if eisr else not high) and run.can("sync_end", 0)
    assert s.vm.pending_on_cpu[0] is (eisr and high) and s.vm.irq_active[0, 34] is not eisr


def test_no_such_list_register():
    """The guest acknowledges and ends nothing in a list register that is not there, whatever it would hold."""
    run = in_guest(ONE, 34)
    s = run.state
    for state in LRState:
        lr = s.cpu.lr.set((0, 1), replace(EMPTY, state=state, virtual_id=35))
        run.state = replace(s, cpu=replace(s.cpu, lr=lr))
        assert not run.can("acknowledge", 0, 1) and not run.can("end_of_interrupt", 0, 1)
