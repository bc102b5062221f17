"""The maintenance interrupt as it comes, by hand: where it is taken, whom it stops, and what its handler leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.generation import NOVEMBER_2012, OCTOBER_2012, REFERENCE, SEPTEMBER_2012, Switches
from model.handler import HCR_OFF
from model.lr import LRState
from model.machine import Exit, Irq
from proofs.instances import Size
from proofs.runs import failing

from .scenario import Scenario

ONE = Size("a level interrupt, one vCPU", 1, 1, 1, ((34, 0),))
TWO_LRS = Size("two level interrupts, two list registers", 1, 1, 2, ((34, 0), (35, 0)))
SHARED_CPU = Size("a level interrupt, two vCPUs on one CPU", 2, 1, 1, ((34, 0),))
LEFT_ON = replace(REFERENCE, exit_turns_off=False)
"""The reference with the interface on in the host, so that its handler has something to do."""


def ended(size: Size, switches: Switches, *intids: int) -> Scenario:
    """Return a machine that left the guest after it ended these interrupts, from list register 0 on."""
    run = Scenario(size, switches)
    for intid in intids:
        run.make("inject", 0, intid, True)
    run.enter(0, *((i, 0) for i in intids))
    for l in range(len(intids)):
        run.serve(0, l)
    assert not run.can("irq_enter", 0), "the guest is left before the host sees the interrupt"
    run.make("leave", 0, Exit.IRQ)
    return run


def test_no_interrupt_with_the_interface_off():
    """Where the world switch turns GICH_HCR off the host never sees the maintenance interrupt."""
    run = ended(ONE, REFERENCE, 34)
    assert run.state.shadow.misr[0].eoi
    assert not run.can("irq_enter", 0)


def test_no_interrupt_without_a_reason():
    """With the interface on and nothing ended the line is low."""
    run = Scenario(ONE, LEFT_ON)
    run.enter(0)
    run.make("leave", 0, Exit.IRQ)
    assert run.state.cpu.hcr[0].en and not run.can("irq_enter", 0)


def test_thread_stands_still():
    """While the handler runs the thread that it interrupted makes no step, and goes on after it."""
    run = ended(ONE, LEFT_ON, 34)
    assert run.make("irq_enter", 0).cpu.irq[0] == Irq.RUN
    assert not run.can("sync_begin", 0) and not run.can("vcpu_put", 0) and not run.can("irq_enter", 0)
    run.make("irq_lr", 0, 0)
    run.make("irq_exit", 0)
    assert run.can("sync_begin", 0)


def test_what_the_handler_leaves():
    """The handler clears the active bit and the EOI flag, in shadow and register, and reports the register empty."""
    run = ended(ONE, LEFT_ON, 34)
    assert run.state.vm.irq_active[0, 34]
    run.make("irq_enter", 0)
    s = run.make("irq_lr", 0, 0)
    assert not s.vm.irq_active[0, 34]
    assert not s.shadow.lr[0, 0].eoi and s.cpu.lr[0, 0] == s.shadow.lr[0, 0]
    assert s.shadow.elrsr[0, 0] and s.shadow.lr_used[0, 0]
    assert run.make("irq_exit", 0).cpu.irq[0] == Irq.NONE
    assert not run.can("irq_enter", 0), "the line fell"


def test_handler_in_order():
    """The handler takes the lowest list register first, each once, and does not return before the last."""
    run = ended(TWO_LRS, LEFT_ON, 34, 35)
    run.make("irq_enter", 0)
    assert not run.can("irq_lr", 0, 1) and not run.can("irq_exit", 0)
    run.make("irq_lr", 0, 0)
    assert not run.can("irq_lr", 0, 0) and not run.can("irq_exit", 0)
    run.make("irq_lr", 0, 1)
    assert run.can("irq_exit", 0)


def test_underflow_is_answered():
    """On underflow the handler turns UIE off, in shadow and register, so that the line falls."""
    run = Scenario(ONE, LEFT_ON)
    run.make("inject", 0, 34, True)
    run.flush(0, (34, 0))
    hcr = replace(run.state.shadow.hcr[0], uie=True)
    run.state = replace(run.state, shadow=replace(run.state.shadow, hcr=run.state.shadow.hcr.set(0, hcr)))
    run.make("enter", 0)
    run.make("leave", 0, Exit.IRQ)
    run.make("irq_enter", 0)
    s = run.make("irq_exit", 0)
    assert not s.shadow.hcr[0].uie and not s.cpu.hcr[0].uie and s.cpu.hcr[0].en
    assert s.shadow.lr[0, 0].state == LRState.PENDING


def test_handler_may_run_late():
    """The handler may run between a flush and the entry, with what the exit before saved."""
    run = ended(ONE, OCTOBER_2012, 34)
    run.sync(0)
    run.make("resume", 0)
    run.make("flush_begin", 0)
    run.make("flush_end", 0)
    assert run.can("irq_enter", 0)


@pytest.mark.parametrize(("irqs_off", "taken"), [(False, True), (True, False)])
def test_holder_of_the_lock(irqs_off: bool, taken: bool):
    """The holder of the distributor's lock is interrupted only where it takes the lock with interrupts on."""
    run = ended(ONE, replace(OCTOBER_2012, lock_irqs_off=irqs_off), 34)
    run.sync(0)
    run.make("resume", 0)
    run.make("flush_begin", 0)
    assert run.can("irq_enter", 0) is taken


def test_handler_that_locks():
    """The handler of September 2012 takes the lock, bit 3 of the holder says so, and lets it go when it returns."""
    run = ended(ONE, SEPTEMBER_2012, 34)
    assert run.make("irq_enter", 0).cpu.irq[0] == Irq.SPIN
    assert not run.can("irq_lr", 0, 0)
    s = run.make("irq_lock", 0)
    assert (s.locked, s.holder, s.cpu.irq[0]) == (True, 8, Irq.RUN)
    assert not run.can("inject", 0, 34, False)
    run.make("irq_lr", 0, 0)
    assert not run.make("irq_exit", 0).locked


def test_deadlock_of_september_2012():
    """The handler of September 2012 that interrupts the holder of its lock waits for ever."""
    run = ended(ONE, SEPTEMBER_2012, 34)
    run.make("sync_begin", 0)
    run.make("irq_enter", 0)
    stuck = [("irq_lock", 0), ("irq_exit", 0), ("irq_lr", 0, 0), ("sync_lr", 0, 0), ("sync_end", 0), ("vcpu_put", 0)]
    assert not any(run.can(*step) for step in stuck)
    assert failing("lock-irq-safe", ONE, SEPTEMBER_2012, run.made)
    assert failing("lock-irq-safe", ONE, OCTOBER_2012, run.made) is None


def test_nobody_loaded():
    """A handler that finds no vCPU loaded changes none, and turns the interface off so that the line falls."""
    run = ended(ONE, LEFT_ON, 34)
    before = run.make("vcpu_put", 0)
    run.make("irq_enter", 0)
    assert not run.can("irq_lr", 0, 0)
    s = run.make("irq_exit", 0)
    assert s.cpu.hcr[0] == HCR_OFF and not run.can("irq_enter", 0)
    assert s.vm.irq_active[0, 34] and s.shadow.lr[0, 0] == before.shadow.lr[0, 0]


@pytest.mark.parametrize(("quiesces", "off"), [(True, True), (False, False)])
def test_registers_of_another_vcpu(quiesces: bool, off: bool):
    """With another vCPU loaded the registers are not its own: the handler turns them off, or as in 2012 goes on."""
    run = ended(SHARED_CPU, replace(LEFT_ON, handler_quiesces=quiesces), 34)
    run.sync(0, 0)
    run.make("vcpu_put", 0)
    run.make("vcpu_load", 1, 0)
    run.make("irq_enter", 0)
    s = run.make("irq_exit", 0)
    assert (s.cpu.hcr[0] == HCR_OFF) is off
    assert run.can("irq_enter", 0) is not off, "the line stays high where nobody turns it off"


@pytest.mark.parametrize("rises", [False, True])
def test_rearming_takes_two_accesses(rises: bool):
    """The handler of November 2012 acts on the line as it read it, whatever the device did since."""
    run = Scenario(ONE, NOVEMBER_2012)
    run.make("inject", 0, 34, True)
    run.make("inject", 0, 34, False)
    run.enter(0, (34, 0))
    run.serve(0, 0)
    run.make("leave", 0, Exit.IRQ)
    run.make("irq_enter", 0)
    s = run.make("irq_lr", 0, 0)
    assert s.cpu.irq[0] == Irq.REARM and not s.cpu.irq_saw[0]
    assert not run.can("irq_exit", 0) and not run.can("irq_lr", 0, 0)
    if rises:
        s = run.make("inject", 0, 34, True)
        assert s.shadow.cached[0, 34] and s.vm.pending_on_cpu[0]
    s = run.make("irq_rearm", 0)
    assert not s.shadow.cached[0, 34] and s.vm.pending_on_cpu[0] is rises
    assert run.can("irq_exit", 0)


def test_rearming_has_the_vcpu_look_again():
    """A line that the handler of November 2012 read high is queued again, though it has fallen."""
    run = ended(ONE, NOVEMBER_2012, 34)
    run.make("irq_enter", 0)
    assert run.make("irq_lr", 0, 0).cpu.irq_saw[0]
    run.make("inject", 0, 34, False)
    s = run.make("irq_rearm", 0)
    assert s.shadow.cached[0, 34] and s.vm.pending_on_cpu[0] and s.cpu.irq[0] == Irq.RUN


def test_a_lock_held_elsewhere_masks_nothing():
    """A CPU on which no vCPU is loaded takes its interrupt, though the vCPU that was there holds the lock elsewhere."""
    run = ended(Size("a vCPU that moves", 1, 2, 1, ((34, 0),)), LEFT_ON, 34)
    run.make("vcpu_put", 0)
    run.make("vcpu_load", 0, 1)
    run.make("sync_begin", 0)
    assert run.can("irq_enter", 0)


def test_registers_of_before_in_2012():
    """A vCPU that is back on a CPU has what its exit saved processed there, though the registers are not its own."""
    run = ended(ONE, OCTOBER_2012, 34)
    run.make("vcpu_put", 0)
    s = run.make("vcpu_load", 0, 0)
    assert s.cpu.busy[0] and not s.cpu.live[0]
    run.make("irq_enter", 0)
    assert run.can("irq_lr", 0, 0)
