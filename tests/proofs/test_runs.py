"""What small instances show of each generation: the known bugs of the kernel, and nothing of the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import pytest

from model.generation import GENERATIONS, REFERENCE, V3_9, Switches
from model.machine import Exit
from proofs.instances import INSTANCE, QUICK, Size, retarget, set_up
from proofs.runs import CLAIMS, Broken, Searched, failing, possible, search
from properties.machine import LEMMAS

from ..model.scenario import Scenario

IDS = tuple(dict.fromkeys(c.id for c in CLAIMS))
LEMMA_IDS = {i.id for i in LEMMAS}
ONE = "a level interrupt, one vCPU"
PRIVATE = "a private edge, one vCPU"
SET_ANEW = "an interrupt that the guest sets anew"


@cache
def searched(generation: str, instance: str) -> Searched:
    """Return what all states of an instance show of all claims."""
    return search(INSTANCE[instance], GENERATIONS[generation], IDS)


@pytest.mark.parametrize("instance", [size.name for size in QUICK])
def test_reference(instance: str):
    """Every state of every quick instance of the reference, and every step from it, keeps all properties and lemmas."""
    found = searched("reference", instance)
    assert found.exploration.exhaustive and found.exploration.states > 100
    assert found.broken == {}


BUGS = {
    "the handler takes the lock of the thread that it interrupts, September 2012": (
        "2012-09", "lock-irq-safe", ONE, ["sync_begin", "irq_enter"]),
    "the handler runs after the flush, October 2012": (
        "2012-10", "level-not-lost", ONE, ["end_of_interrupt", "sync_end", "flush_begin", "flush_end", "irq_lr"]),
    "the vCPU sleeps on it, October 2012": (
        "2012-10", "nobody-sleeps-on-pending", ONE, ["flush_end", "irq_lr", "leave", "block"]),
    "a private edge is queued from a stale bit, November 2012": (
        "2012-11", "edge-once", PRIVATE, ["inject", "flush_irq", "acknowledge", "flush_irq"]),
    "the handler has its vCPU look again, and the flush that it interrupts forgets that, November 2012": (
        "2012-11", "level-not-lost", ONE, ["flush_begin", "flush_pass", "irq_lr", "irq_rearm", "flush_end"]),
    "a line that fell is queued, to v4.1": (
        "v3.9", "lowered-not-delivered", ONE, ["inject", "inject", "flush_irq"]),
    "the kick comes between flush and entry, to v4.13": (
        "v3.9", "kick-not-lost", ONE, ["flush_end", "inject", "kick_arrives", "enter"]),
    "nobody looks at GICD_CTLR, 2012": (
        "2012-10", "disabled-not-delivered", SET_ANEW, ["mmio", "inject", "flush_irq"]),
    "an abandoned entry is synced with the status of the last exit, v3.9": (
        "v3.9", "level-not-lost", ONE, ["flush_irq", "turn_back", "sync_begin", "sync_lr"]),
}  # fmt: skip
"""Bugs that the kernel had, and the steps that they cannot do without, in their order."""


@pytest.mark.parametrize("bug", BUGS)
def test_known_bug(bug: str):
    """A bug of an old kernel is found in its generation, by a run that has its essential steps and replays."""
    generation, name, instance, essential = BUGS[bug]
    broken = searched(generation, instance).broken[name]
    names = [step for step, _ in broken.made[broken.prologue :]]
    assert in_order(essential, names), names
    assert failing(name, broken.size, GENERATIONS[generation], broken.made) == broken.sentence


def in_order(wanted: Sequence[str], names: Sequence[str]) -> bool:
    """Say whether some names come in a list in this order; the exits of a guest by a kick count as `leave`."""
    left: Iterator[str] = iter("leave" if n == "kick_arrives" and "leave" in wanted else n for n in names)
    return all(w in left for w in wanted)


@pytest.mark.parametrize(("generation", "instance"), sorted({(g, i) for g, _, i, _ in BUGS.values()}))
def test_runs_are_shortest_and_replay(generation: str, instance: str):
    """Each run starts like the instance, breaks its property in plain Python, and no shorter part of it does."""
    size, switches = INSTANCE[instance], GENERATIONS[generation]
    found = searched(generation, instance)
    assert found.exploration.exhaustive and found.broken
    for name, broken in found.broken.items():
        assert broken.made[: broken.prologue] == tuple(set_up(size))
        assert failing(name, size, switches, broken.made) == broken.sentence
        assert failing(name, size, switches, broken.made[:-1]) is None


@pytest.mark.parametrize(("generation", "name", "instance"), [b[:3] for b in BUGS.values() if b[1] not in LEMMA_IDS])
def test_reference_survives_the_run(generation: str, name: str, instance: str):
    """The run that breaks an old generation cannot be made in the reference, or breaks nothing there."""
    broken = searched(generation, instance).broken[name]
    assert failing(name, broken.size, REFERENCE, broken.made) is None


# Runs of two vCPUs, by hand ------------------------------------------------------------------------

LEVEL = Size("a level interrupt that moves, two vCPUs", 2, 2, 1, ((34, 0),), (), (retarget(34, 1),), True)
EDGE = Size("an edge that moves, two vCPUs", 2, 2, 1, ((34, 0),), (34,), (retarget(34, 1),), True)


def ended_by_vcpu0(switches: Switches) -> Scenario:
    """Let vCPU 0 end interrupt 34, whose line is still high, after the guest moved it to vCPU 1."""
    run = Scenario(LEVEL, switches)
    run.make("inject", 0, 34, True)
    run.enter(0, (34, 0))
    run.store(0, retarget(34, 1))
    run.enter(0)
    run.serve(0, 0)
    run.make("leave", 0, Exit.IRQ)
    return run


def test_sync_without_the_lock_loses_an_interrupt():
    """A sync without the lock tells the target to look while its flush, already past the interrupt, forgets that."""
    switches = replace(REFERENCE, sync_locks=False)
    run = ended_by_vcpu0(switches)
    run.make("flush_begin", 1)
    run.make("sync_begin", 0)
    run.make("sync_lr", 0, 0)
    assert failing("level-not-lost", LEVEL, switches, run.made) is None
    run.make("flush_end", 1)
    assert failing("level-not-lost", LEVEL, switches, run.made) == "its target is about to look at it"
    assert failing("level-not-lost", LEVEL, REFERENCE, run.made) is None


def test_sync_of_v3_9_has_the_wrong_vcpu_look():
    """What v3.9 looks at again after an EOI is queued where it ended, not at the vCPU that it was moved to."""
    run = ended_by_vcpu0(V3_9)
    run.make("sync_begin", 0)
    run.make("sync_lr", 0, 0)
    run.make("sync_rearm", 0)
    run.make("sync_end", 0)
    run.make("resume", 0)
    run.make("flush_begin", 0)
    run.make("flush_irq", 0, 34, 0)
    assert failing("target-respected", LEVEL, V3_9, run.made)
    assert failing("target-respected", LEVEL, REFERENCE, run.made) is None


@pytest.mark.parametrize(("marks", "twice"), [(False, True), (True, False)])
def test_edge_that_moves(marks: bool, twice: bool):
    """An edge that moves and comes again is in the list registers of two vCPUs where edges are not marked active."""
    switches = replace(REFERENCE, marks_every_irq=marks)
    run = Scenario(EDGE, switches)
    run.enter(1)
    run.leave(1)
    run.make("inject", 0, 34, True)
    run.enter(0, (34, 0))
    run.store(0, retarget(34, 1))
    run.make("inject", 0, 34, False)
    run.make("inject", 0, 34, True)
    run.make("flush_begin", 1)
    assert run.can("flush_irq", 1, 34, 0) is twice
    if twice:
        run.make("flush_irq", 1, 34, 0)
    assert (failing("lr-unique", EDGE, switches, run.made) is not None) is twice


# What else is said of runs -------------------------------------------------------------------------


def test_possible_steps():
    """Where an instance starts the thread can flush, and a device can raise a line; nothing else happens."""
    size = INSTANCE[ONE]
    run = Scenario(size)
    assert set(possible(size, run.state, REFERENCE)) == {("flush_begin", (0,)), ("inject", (0, 34, True)),
                                                         ("vcpu_put", (0,))}  # fmt: skip


def test_run_that_cannot_be_made():
    """A run with a step that is not possible breaks nothing."""
    size = INSTANCE[ONE]
    assert failing("level-not-lost", size, REFERENCE, [*set_up(size), ("enter", (0,))]) is None


def test_limit_is_told():
    """A search that ends at its limit of states is not exhaustive, and says why."""
    found = search(INSTANCE[ONE], REFERENCE, IDS, limit=50)
    assert not found.exploration.exhaustive and "50" in found.exploration.ended
    assert found.broken == {}


def test_broken_property_of_steps_ends_in_the_step():
    """The run of a property of steps ends with the step that breaks it."""
    broken: Broken = searched("v3.9", ONE).broken["lowered-not-delivered"]
    assert broken.made[-1] == ("flush_irq", (0, 34, 0))
