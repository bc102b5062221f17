"""The flush, by hand: what it takes up, in which order, and what it says of what did not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.distributor import LR_EMPTY
from model.generation import OCTOBER_2012
from model.gicd import ISENABLER
from model.lr import EMPTY, LRState
from model.machine import LAST_RANK, Phase, rank
from proofs.instances import SELF, Size, send
from proofs.runs import failing

from .scenario import Scenario

TWO_LRS = Size("two level interrupts and an edge, two list registers", 1, 1, 2, ((34, 0), (35, 0), (36, 0)), (36,))
ONE_LR = Size("two level interrupts, one list register", 1, 1, 1, ((34, 0), (35, 0)))
SGIS = Size("an SGI of two vCPUs", 2, 2, 2, ((1, 0), (1, 1)), (), (send(1, 0), SELF), True)


def rising(size: Size, *intids: int) -> Scenario:
    """Return a machine at the top of the loop, where the lines of these interrupts rose in this order."""
    run = Scenario(size)
    for intid in intids:
        run.make("inject", 0, intid, True)
    return run


def test_lowest_first():
    """The flush takes up the lowest INTID first, whichever line rose first, into the lowest list register."""
    run = rising(TWO_LRS, 35, 34)
    run.make("flush_begin", 0)
    assert not run.can("flush_irq", 0, 35, 0)
    run.make("flush_irq", 0, 34, 0)
    s = run.make("flush_irq", 0, 35, 0)
    assert [(s.shadow.lr[0, l].virtual_id, s.shadow.lr[0, l].state) for l in (0, 1)] == [
        (34, LRState.PENDING),
        (35, LRState.PENDING),
    ]
    assert (s.shadow.lr_map[0, 34, 0], s.shadow.lr_map[0, 35, 0]) == (0, 1)


def test_flush_ends_when_all_is_queued():
    """With something left the flush does not end; with nothing left the oracle bit is cleared and UIE is off."""
    run = rising(TWO_LRS, 34)
    run.make("flush_begin", 0)
    assert not run.can("flush_end", 0)
    run.make("flush_irq", 0, 34, 0)
    s = run.make("flush_end", 0)
    assert (s.vm.pending_on_cpu[0], s.shadow.hcr[0].uie, s.locked) == (False, False, False)
    assert s.thread.phase[0] == Phase.FLUSHED


def test_queued_twice_it_is_not():
    """What was queued in this flush is active, and not taken up again."""
    run = rising(TWO_LRS, 34)
    run.make("flush_begin", 0)
    s = run.make("flush_irq", 0, 34, 0)
    assert s.vm.irq_active[0, 34] and s.shadow.lr[0, 0].eoi
    assert not run.can("flush_irq", 0, 34, 0)


def test_overflow():
    """What does not fit is remembered, sets UIE, and leaves the oracle bit set."""
    run = rising(ONE_LR, 34, 35)
    s = run.flush(0, (34, 0), (35, 0))
    assert s.shadow.lr[0, 0].virtual_id == 34
    assert s.thread.overflow[0] and s.ghost.missed[0] == rank(35, 0)
    assert s.shadow.hcr[0].uie and s.vm.pending_on_cpu[0]
    assert not s.vm.irq_active[0, 35]


def test_first_flush_finds_no_list_register():
    """The ELRSR of a new vCPU was never saved and is zero: its first flush has room for nothing."""
    run = Scenario(SGIS)
    run.enter(0)
    run.store(0, send(1, 1))
    s = run.flush(1, (1, 0))
    assert s.thread.overflow[1] and s.shadow.hcr[1].uie and s.vm.sgi_sources[1, 1, 0]
    assert not s.shadow.lr_used[1, 0]


def test_nothing_to_look_at():
    """With the oracle bit clear the flush passes all interrupts at once."""
    run = Scenario(TWO_LRS)
    s = run.make("flush_begin", 0)
    assert s.thread.cursor[0] == LAST_RANK
    assert run.can("flush_end", 0)


def test_edge_is_used_up_and_line_is_not():
    """Queueing clears the latch of an edge; a line stays as high as it is."""
    run = rising(TWO_LRS, 34, 36)
    s = run.flush(0, (34, 0), (36, 0))
    assert not s.vm.irq_state[0, 36] and not s.ghost.owed[0, 36]
    assert s.vm.irq_line[0, 34] and s.vm.irq_active[0, 34] and s.vm.irq_active[0, 36]


def test_lock_is_held():
    """While a vCPU flushes, its number is the holder's, and no line changes."""
    run = Scenario(TWO_LRS)
    s = run.make("flush_begin", 0)
    assert (s.locked, s.holder) == (True, 0)
    assert not run.can("inject", 0, 34, True)


def sent_by_both(run: Scenario) -> Scenario:
    """Let both vCPUs of `SGIS` send SGI 1 to vCPU 0, which is at the top of its loop then."""
    run.enter(0)
    run.store(0, SELF)
    run.enter(1)
    run.store(1, send(1, 0))
    return run


def test_sources_apart():
    """An SGI of two senders takes two list registers, lowest source first, each mapped by its source."""
    run = sent_by_both(Scenario(SGIS))
    s = run.flush(0, (1, 0), (1, 1))
    assert [(s.shadow.lr[0, l].virtual_id, s.shadow.lr[0, l].cpuid) for l in (0, 1)] == [(1, 0), (1, 1)]
    assert (s.shadow.lr_map[0, 1, 0], s.shadow.lr_map[0, 1, 1]) == (0, 1)
    assert not s.shadow.lr[0, 0].eoi and not s.vm.irq_active[0, 1]


def test_sources_share_a_slot_in_2012():
    """The map of 2012 knows one list register for all senders of an SGI: the second takes the place of the first."""
    run = sent_by_both(Scenario(SGIS, OCTOBER_2012))
    s = run.flush(0, (1, 0), (1, 1))
    assert [(s.shadow.lr[0, l].virtual_id, s.shadow.lr[0, l].cpuid) for l in (0, 1)] == [(1, 0), (1, 1)]
    assert s.shadow.lr_map[0, 1, 0] == 1
    assert failing("lr-map-exact", SGIS, OCTOBER_2012, run.made)
    assert failing("lr-map-exact", SGIS, replace(OCTOBER_2012, map_by_source=True), run.made) is None


def test_sgi_again_while_active():
    """An SGI that is sent again while it is active stays in its list register, pending and active."""
    run = Scenario(SGIS)
    run.enter(1)
    run.store(1, send(1, 0))
    run.enter(0, (1, 1))
    run.make("acknowledge", 0, 0)
    run.leave(0)
    run.enter(1)
    run.store(1, send(1, 0))
    s = run.flush(0, (1, 1))
    assert s.shadow.lr[0, 0].state == LRState.PENDING_ACTIVE
    assert not s.shadow.lr_used[0, 1] and s.shadow.elrsr[0, 1]


def test_sources_left():
    """With the SGI of one source queued, that of the other is still pending; with both the SGI is not."""
    run = sent_by_both(Scenario(SGIS))
    run.make("flush_begin", 0)
    s = run.make("flush_irq", 0, 1, 0)
    assert not s.vm.sgi_sources[0, 1, 0] and s.vm.sgi_sources[0, 1, 1]
    assert not s.ghost.sgi_owed[0, 1, 0] and s.ghost.sgi_owed[0, 1, 1]
    assert s.shadow.lr_map[0, 1, 1] == LR_EMPTY
    assert s.vm.irq_state[0, 1] and not run.make("flush_irq", 0, 1, 1).vm.irq_state[0, 1]


@pytest.mark.parametrize("vcpu", range(8))
def test_each_of_eight_vcpus(vcpu: int):
    """The private interrupt of a vCPU is enabled by that vCPU and queued to it, and the other seven see nothing."""
    run = Scenario(Size("a private interrupt of eight vCPUs", 8, 8, 1, ((27, 0),), pinned=True))
    if vcpu:
        run.enter(vcpu)
        run.store(vcpu, (ISENABLER.base, 4, 1 << 27))
    run.make("inject", vcpu, 27, True)
    s = run.flush(vcpu, (27, 0))
    held = [s.shadow.lr_used[v, 0] and s.shadow.lr[v, 0].virtual_id == 27 for v in range(8)]
    assert held == [v == vcpu for v in range(8)]
    assert [s.vm.irq_active[v, 27] for v in range(8)] == held
    assert not any(s.thread.kick[v] for v in range(8) if v != vcpu)


def test_what_the_flush_has_passed():
    """The flush does not look again at what it passed, and passes nothing that is to be queued."""
    run = Scenario(ONE_LR)
    run.make("inject", 0, 34, True)
    run.make("flush_begin", 0)
    assert not run.can("flush_pass", 0, 34, 0)
    run.make("flush_irq", 0, 34, 0)
    assert not run.can("flush_pass", 0, 34, 0), "it is behind"
    run = Scenario(ONE_LR)
    run.make("inject", 0, 35, True)
    run.make("flush_begin", 0)
    run.make("flush_pass", 0, 34, 0)
    assert not run.can("flush_pass", 0, 35, 0) and run.can("flush_irq", 0, 35, 0), "that is left"
    run = Scenario(ONE_LR)
    run.make("flush_begin", 0)
    assert not run.can("flush_pass", 0, 34, 0), "with the oracle bit clear there is nothing to look at"


# Choices of 2012 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("intid", "edge", "marked"), [
    (16, False, False), (31, False, False), (31, True, False), (32, False, True), (32, True, False), (34, False, True),
])  # fmt: skip
def test_only_shared_lines_are_marked_in_2012(intid: int, edge: bool, marked: bool):
    """In 2012 a shared level interrupt is marked active and keeps its state; of all others the latch is used up."""
    run = Scenario(Size("one interrupt", 1, 1, 1, ((intid, 0),)), OCTOBER_2012)
    run.enter(0)
    run.leave(0)
    vm, key = run.state.vm, (0, intid)
    vm = replace(vm, irq_cfg=vm.irq_cfg.set(key, edge), irq_enabled=vm.irq_enabled.set(key, True))
    run.state = replace(run.state, vm=replace(vm, irq_line=vm.irq_line.set(key, False)))
    run.make("inject", 0, intid, True)
    s = run.flush(0, (intid, 0))
    assert s.shadow.lr_used[0, 0] and s.shadow.lr[0, 0].eoi is not edge
    assert (s.vm.irq_active[key], s.vm.irq_state[key], s.ghost.owned[key]) == (marked, marked, marked)


@pytest.mark.parametrize("eoi", [False, True])
@pytest.mark.parametrize(("state", "then"), [
    (LRState.INVALID, LRState.PENDING), (LRState.PENDING, LRState.PENDING),
    (LRState.ACTIVE, LRState.PENDING_ACTIVE), (LRState.PENDING_ACTIVE, LRState.PENDING_ACTIVE),
])  # fmt: skip
def test_used_again(state: LRState, then: LRState, eoi: bool):
    """What is queued into the list register where it is becomes pending there, stays active, and its EOI to be seen."""
    run = Scenario(Size("an edge", 1, 1, 1, ((34, 0),), (34,)), OCTOBER_2012)
    run.enter(0)
    run.leave(0)
    run.make("inject", 0, 34, True)
    shadow = run.state.shadow
    lr = replace(EMPTY, state=state, virtual_id=34, eoi=eoi)
    used = replace(shadow, lr=shadow.lr.set((0, 0), lr), lr_map=shadow.lr_map.set((0, 34, 0), 0))
    run.state = replace(run.state, shadow=used)
    s = run.flush(0, (34, 0))
    assert s.shadow.lr[0, 0] == replace(lr, state=then)
