"""Lines, stores and kicks, by hand: what devices and the guest do to the distributor of a running machine."""

from __future__ import annotations

import pytest

from model.generation import OCTOBER_2012, REFERENCE, Switches
from model.gicd import CTLR, ICENABLER, ICPENDR, ISENABLER, ISPENDR, SGIR
from model.machine import Exit, Phase
from proofs.instances import Size, retarget, send
from proofs.runs import failing

from .scenario import Scenario

LEVEL = Size("a level interrupt, one vCPU", 1, 1, 1, ((34, 0),))
EDGE = Size("an edge, one vCPU", 1, 1, 1, ((34, 0),), (34,))
TWO = Size("a level interrupt that moves, two vCPUs", 2, 2, 1, ((34, 0),), (), (), True)
SGI = Size("an SGI of two vCPUs", 2, 2, 2, ((1, 0), (1, 1)), (), (), True)
MASK = 1 << 34 - 32


def stores(store: tuple[int, int, int], size: Size = LEVEL, switches: Switches = REFERENCE) -> Scenario:
    """Return a machine whose vCPU 0 made a store."""
    run = Scenario(size, switches)
    run.enter(0)
    run.store(0, store)
    return run


# Lines -------------------------------------------------------------------------------------------


def test_line_rises():
    """A level interrupt whose line rises sets its target's oracle bit and request, kicks it, and latches nothing."""
    s = Scenario(LEVEL).make("inject", 0, 34, True)
    assert (s.vm.irq_line[0, 34], s.vm.irq_state[0, 34], s.ghost.owed[0, 34]) == (True, False, False)
    assert s.vm.pending_on_cpu[0] and s.thread.kick[0] and s.thread.request[0]


def test_line_that_changes():
    """A device sets a line to what it is not: low first, then high and low in turns."""
    run = Scenario(LEVEL)
    assert not run.can("inject", 0, 34, False)
    run.make("inject", 0, 34, True)
    assert not run.can("inject", 0, 34, True)
    run.make("inject", 0, 34, False)
    assert run.can("inject", 0, 34, True)


@pytest.mark.parametrize(("vcpu", "intid"), [(0, 15), (0, 1020), (0, 1023), (1, 34)])
def test_no_such_line(vcpu: int, intid: int):
    """SGIs, special INTIDs and vCPUs that do not exist have no line."""
    assert not Scenario(LEVEL).can("inject", vcpu, intid, True)


def test_lowered_before_the_flush():
    """A level interrupt whose line fell is not queued, though the vCPU looks."""
    run = Scenario(LEVEL)
    run.make("inject", 0, 34, True)
    run.make("inject", 0, 34, False)
    run.make("flush_begin", 0)
    assert not run.can("flush_irq", 0, 34, 0)
    assert not run.make("flush_end", 0).shadow.lr_used[0, 0]


def test_lowered_before_the_flush_in_2012():
    """The cached bit of 2012 outlives the line: what fell is queued all the same."""
    run = Scenario(LEVEL, OCTOBER_2012)
    run.make("inject", 0, 34, True)
    run.make("inject", 0, 34, False)
    run.make("flush_begin", 0)
    run.make("flush_irq", 0, 34, 0)
    assert failing("lowered-not-delivered", LEVEL, OCTOBER_2012, run.made)
    assert failing("lowered-not-delivered", LEVEL, REFERENCE, run.made) is None


def test_edge_outlives_its_line():
    """An edge is latched, and is queued once, whatever its line does then."""
    run = Scenario(EDGE)
    run.make("inject", 0, 34, True)
    s = run.make("inject", 0, 34, False)
    assert s.vm.irq_state[0, 34] and s.ghost.owed[0, 34]
    run.flush(0, (34, 0))
    run.make("turn_back", 0)
    run.sync(0)
    run.make("resume", 0)
    run.make("flush_begin", 0)
    assert not run.can("flush_irq", 0, 34, 0)


def test_disabled_line():
    """A line that rises while its interrupt is disabled kicks nobody; enabling the interrupt does."""
    run = stores((ICENABLER.base + 4, 4, MASK))
    run.enter(0)
    s = run.make("inject", 0, 34, True)
    assert not s.vm.pending_on_cpu[0] and not s.thread.kick[0]
    s = run.store(0, (ISENABLER.base + 4, 4, MASK))
    assert s.vm.pending_on_cpu[0] and s.thread.kick[0]


# Stores ------------------------------------------------------------------------------------------


def test_store_takes_a_turn_of_the_loop():
    """A store is handled after the exit for it was synced, and brings the thread to the top of the loop."""
    run = Scenario(LEVEL)
    store = (ICENABLER.base + 4, 4, MASK)
    run.enter(0)
    assert not run.can("mmio", 0, *store)
    run.make("leave", 0, Exit.MMIO)
    assert not run.can("mmio", 0, *store)
    run.sync(0)
    assert not run.can("resume", 0) and not run.can("block", 0)
    s = run.make("mmio", 0, *store)
    assert s.thread.phase[0] == Phase.HOST and not s.vm.irq_enabled[0, 34]


@pytest.mark.parametrize("why", [Exit.IRQ, Exit.WFI])
def test_no_store_without_its_exit(why: Exit):
    """An exit for another reason stores nothing."""
    run = Scenario(LEVEL)
    run.enter(0)
    run.make("leave", 0, why)
    run.sync(0)
    assert not run.can("mmio", 0, CTLR, 4, 0)


@pytest.mark.parametrize(("length", "possible"), [(0, False), (1, True), (2, True), (3, False), (4, True), (8, False)])
def test_lengths_of_stores(length: int, possible: bool):
    """A store has one, two or four bytes."""
    run = Scenario(LEVEL)
    run.enter(0)
    run.make("leave", 0, Exit.MMIO)
    run.sync(0)
    assert run.can("mmio", 0, CTLR, length, 0) is possible


def test_store_waits_for_the_lock():
    """While another vCPU flushes no store is handled."""
    run = Scenario(TWO)
    run.enter(0)
    run.make("leave", 0, Exit.MMIO)
    run.sync(0)
    run.make("flush_begin", 1)
    assert not run.can("mmio", 0, CTLR, 4, 0)


def test_byte_store_of_a_target():
    """A byte of GICD_ITARGETSR moves one interrupt; its line, high, has the new target look."""
    run = Scenario(TWO)
    run.enter(0)
    run.make("inject", 0, 34, True)
    s = run.store(0, retarget(34, 1))
    assert s.vm.irq_spi_cpu[34] == 1 and s.vm.irq_spi_target[1, 34] and not s.vm.irq_spi_target[0, 34]
    assert s.vm.pending_on_cpu[1] and s.thread.kick[1]


@pytest.mark.parametrize(("length", "data", "enabled"), [(1, 0, True), (2, MASK, False), (4, MASK, False)])
def test_store_reaches_its_bytes(length: int, data: int, enabled: bool):
    """A store of one, two or four bytes disables exactly what it has a one for."""
    assert stores((ICENABLER.base + 4, length, data)).state.vm.irq_enabled[0, 34] is enabled


def test_latched_by_a_store():
    """A write of GICD_ISPENDR is owed until it is queued, and GICD_ICPENDR takes it back."""
    run = stores((ISPENDR.base + 4, 4, MASK))
    assert run.state.vm.irq_state[0, 34] and run.state.ghost.owed[0, 34] and run.state.vm.pending_on_cpu[0]
    run.enter(0, (34, 0))
    assert not run.state.ghost.owed[0, 34]
    run.serve(0, 0)
    run.store(0, (ISPENDR.base + 4, 4, MASK), 0)
    run.make("flush_begin", 0)
    assert run.can("flush_irq", 0, 34, 0)


def test_latch_is_taken_back():
    """A write of GICD_ICPENDR clears the latch, and not a line that is high."""
    run = Scenario(EDGE)
    run.enter(0)
    run.make("inject", 0, 34, True)
    s = run.store(0, (ICPENDR.base + 4, 4, MASK))
    assert not s.vm.irq_state[0, 34] and not s.ghost.owed[0, 34] and s.vm.irq_line[0, 34]


@pytest.mark.parametrize("switches", [REFERENCE, OCTOBER_2012], ids=["reference", "2012-10"])
def test_disabled_distributor(switches: Switches):
    """With GICD_CTLR off the reference queues nothing; the code of October 2012 queues what it had cached."""
    run = Scenario(LEVEL, switches)
    run.enter(0)
    run.make("inject", 0, 34, True)
    run.store(0, (CTLR, 4, 0))
    run.make("flush_begin", 0)
    assert run.can("flush_irq", 0, 34, 0) is (switches is OCTOBER_2012)


def test_sgi():
    """A write of GICD_SGIR is owed to its target, from its sender, and kicks the target alone."""
    run = Scenario(SGI)
    run.enter(1)
    s = run.store(1, send(1, 0))
    assert s.vm.sgi_sources[0, 1, 1] and s.ghost.sgi_owed[0, 1, 1]
    assert not s.vm.sgi_sources[0, 1, 0] and not s.vm.sgi_sources[1, 1, 1]
    assert s.thread.kick[0] and not s.thread.kick[1]


def test_part_of_a_write_of_sgir():
    """A halfword of GICD_SGIR sends nothing."""
    run = Scenario(SGI)
    run.enter(1)
    s = run.store(1, (SGIR + 2, 2, 1))
    assert not any(s.vm.sgi_sources[v, 1, w] for v in (0, 1) for w in (0, 1))
