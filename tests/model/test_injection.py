"""Lines, stores and kicks, by hand: what devices and the guest do to the distributor of a running machine."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from model.generation import OCTOBER_2012, REFERENCE, SEPTEMBER_2012, Switches
from model.gicd import CTLR, ICENABLER, ICPENDR, ISENABLER, ISPENDR, SGIR
from model.machine import Exit, Phase
from model.vm import bank_of
from proofs.instances import STEP, Size, retarget, send
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


# Lines and stores of 2012 --------------------------------------------------------------------------

MOVED = Size("an edge and two lines, two vCPUs", 2, 2, 1, ((27, 0), (32, 0), (34, 0)), (), (), True)
STATES = list(product((False, True), repeat=7))
"""Whether it is an edge, the new level, and whether it is latched, enabled, active, cached and looked at before."""


def set_anew(run: Scenario, intid: int, **bits: bool) -> Scenario:
    """Write bits of an interrupt's bank, and the target of a shared one, vCPU 1, into a machine."""
    vm = run.state.vm
    key = bank_of(1, intid)
    vm = replace(vm, **{name: getattr(vm, name).set(key, value) for name, value in bits.items()}, enabled=True)
    target = vm.irq_spi_target.set((0, 32), False).set((0, intid), False).set((1, intid), True)
    run.state = replace(run.state, vm=replace(vm, irq_spi_cpu=vm.irq_spi_cpu.set(intid, 1), irq_spi_target=target))
    return run


@pytest.mark.parametrize("intid", [27, 34])
@pytest.mark.parametrize(("skips", "clears"), [(False, False), (False, True), (True, False), (True, True)])
def test_vgic_update_irq_state_of_2012(intid: int, skips: bool, clears: bool):
    """A line acts where it changes, an edge where it rises and is not latched; what is disabled is not cached.

    November passes a level interrupt that is active, and a line that falls may leave its cached bit.
    """
    switches = replace(OCTOBER_2012, inject_skips_active=skips, lowering_clears_cached=clears)
    run = Scenario(MOVED, switches, setting_up=False)
    first = run.state
    for edge, level, latched, enabled, active, cached, looks in STATES:
        run.state = first
        s = set_anew(run, intid, irq_cfg=edge, irq_line=not level, irq_state=latched, irq_enabled=enabled,
                     irq_active=active).state  # fmt: skip
        then = replace(
            s,
            shadow=replace(s.shadow, cached=s.shadow.cached.set((1, intid), cached)),
            vm=replace(s.vm, pending_on_cpu=s.vm.pending_on_cpu.set(1, looks)),
        )
        _, s = STEP["inject"].run(then, (1, intid, level), MOVED.domain, switches)
        changes = level and not latched if edge else level != latched
        passed = skips and active and not edge
        told = changes and enabled and not passed and level
        falls = clears and changes and not level
        assert s.vm.irq_line[bank_of(1, intid)] is level
        assert s.vm.irq_state[bank_of(1, intid)] is (level if changes else latched)
        assert s.shadow.cached[1, intid] is (told or (cached and not falls))
        assert s.vm.pending_on_cpu[1] is (told or looks) and not s.vm.pending_on_cpu[0]
        assert not s.shadow.cached[0, intid] and s.thread.kick[1] is s.vm.pending_on_cpu[1]


@pytest.mark.parametrize(("intid", "targets"), [(31, {1}), (32, {1}), (34, {1})])
@pytest.mark.parametrize("enabled", [False, True])
@pytest.mark.parametrize("base", [SEPTEMBER_2012, replace(REFERENCE, flush_reads_state=False)])
def test_vgic_update_state_of_2012(base: Switches, intid: int, targets: set[int], enabled: bool):
    """What is computed anew for every vCPU is what is pending, enabled and targeted at it, a private one in its bank."""
    size = replace(MOVED, irqs=((intid, 0),))
    run = set_anew(Scenario(size, base, setting_up=False), intid, irq_cfg=False, irq_line=False, irq_enabled=enabled)
    s = run.make("inject", 1, intid, True)
    found = {v for v in (0, 1) if s.shadow.cached[v, intid]}
    assert found == {v for v in (0, 1) if s.vm.pending_on_cpu[v]} == (targets if enabled else set())


def test_a_disabled_distributor_has_vcpu_0_look_in_2012():
    """With GICD_CTLR off nothing is computed: the cached bits stay as they are, and vCPU 0 gets its oracle bit."""
    run = set_anew(Scenario(MOVED, SEPTEMBER_2012, setting_up=False), 34, irq_enabled=True)
    s = run.state
    cached = s.shadow.cached.set((0, 34), True)
    run.state = replace(s, vm=replace(s.vm, enabled=False), shadow=replace(s.shadow, cached=cached))
    s = run.make("inject", 1, 34, True)
    assert [s.vm.pending_on_cpu[v] for v in (0, 1)] == [True, False]
    assert [s.shadow.cached[v, 34] for v in (0, 1)] == [True, False]


@pytest.mark.parametrize(("intid", "possible"), [(15, False), (16, True), (31, True), (32, True), (1019, True)])
def test_every_line_can_move(intid: int, possible: bool):
    """A device can move the line of each interrupt but an SGI."""
    assert Scenario(LEVEL).can("inject", 0, intid, True) is possible


def test_a_kick_under_way_stays():
    """A kick and a request stay, whatever other lines do meanwhile: a kick alone makes no request."""
    run = Scenario(LEVEL)
    s = run.state
    run.state = replace(s, thread=replace(s.thread, kick=s.thread.kick.set(0, True)))
    s = run.make("inject", 0, 35, True)
    assert s.thread.kick[0] and not s.thread.request[0] and not s.thread.overflow[0]
