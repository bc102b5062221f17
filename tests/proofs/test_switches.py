"""Each switch that the machine reads: what the reference breaks without its choice, or why that breaks nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.generation import REFERENCE, Switches
from proofs.instances import INSTANCE, Size
from proofs.runs import search
from proofs.whole import PROPERTY_IDS

LIMIT = 400_000
"""States of an instance, at the most: each run here is found within fewer."""

BROKEN = {
    "line_apart": (
        "an interrupt that the guest sets anew",
        {"edge-not-lost", "edge-once", "level-not-lost", "lowered-not-delivered"},
    ),
    "flush_reads_state": (
        "an interrupt that the guest sets anew",
        {"disabled-not-delivered", "edge-once", "lowered-not-delivered"},
    ),
    "queue_finds_unused": ("a level interrupt, one vCPU", {"active-iff-in-service", "level-not-lost"}),
    "sync_rearms": (
        "a level interrupt, one vCPU",
        {"kick-not-lost", "level-not-lost", "nobody-sleeps-on-pending", "oracle-sound", "overflow-sets-uie"},
    ),
    "block_queues_first": ("a level interrupt, one vCPU", {"nobody-sleeps-on-pending"}),
    "entry_rechecks": ("a level interrupt, one vCPU", {"kick-not-lost"}),
    "map_by_source": ("SGIs of two vCPUs, two list registers", {"lr-map-exact", "lr-unique"}),
    "sync_locks": (
        "a level interrupt that moves, two vCPUs",
        {"kick-not-lost", "level-not-lost", "oracle-sound", "overflow-sets-uie"},
    ),
    "sync_consumes": ("a level interrupt that moves once, two vCPUs", {"lr-unique"}),
}
"""What a small instance breaks when one switch of the reference is turned over, and nothing else."""

NO_MACHINE = "no machine takes out of list registers what the guest disables; single functions do"
UNREAD = "the flush of the reference does not read the cached copy"
UNNOTICED = {
    "marks_every_irq": "with the sync that re-arms, an edge that is not marked active is found again by its state",
    "requeue_keeps_eoi": "what asks for its EOI is marked active, and is not queued again",
    "queue_private_as_shared": "the reference looks at the state of every interrupt, and marks PPIs as SPIs already",
    "disabling_retires": NO_MACHINE,
    "flush_retires": NO_MACHINE,
    "queue_clears_cached": UNREAD,
    "lowering_clears_cached": UNREAD,
    "inject_skips_active": UNREAD,
    "inject_recomputes": UNREAD,
    "sync_processes_eisr": "the handler has seen a saved EISR before the sync looks at it",
    "oracle_set_bit": "the sync of the reference takes the lock",
    "lock_irqs_off": "the handler of the reference takes no lock",
    "irq_locks": "with interrupts off the lock can be taken in the handler, which does not need it",
    "irq_rearms": "the sync has the target look again already",
    "exit_turns_off": "the handler quiets the line of registers that are not those of the loaded vCPU",
}
"""Why turning over a switch of the reference breaks nothing: what it guards against is guarded against elsewhere."""


def without(switch: str) -> Switches:
    """Return the reference with one switch turned over."""
    return replace(REFERENCE, **{switch: not getattr(REFERENCE, switch)})


SLOW = ("map_by_source", "sync_consumes")
"""Switches without which the reference takes long to search."""


def broken(switches: Switches, size: Size) -> set[str]:
    """Return what some state or step of an instance breaks."""
    return set(search(size, switches, PROPERTY_IDS, LIMIT).broken)


@pytest.mark.parametrize("switch", [pytest.param(s, marks=[pytest.mark.slow] if s in SLOW else []) for s in BROKEN])
def test_a_switch_that_is_needed(switch: str) -> None:
    """Turned over, it breaks exactly the properties listed for it, in the instance listed for it."""
    name, properties = BROKEN[switch]
    assert broken(without(switch), INSTANCE[name]) == properties


@pytest.mark.parametrize("switch", UNNOTICED)
def test_a_switch_that_is_not_needed(switch: str) -> None:
    """Turned over, it breaks nothing that a level interrupt can show."""
    assert broken(without(switch), INSTANCE["a level interrupt, one vCPU"]) == set()


def test_a_lock_in_the_handler_needs_interrupts_off() -> None:
    """Where the handler takes the lock, as in September 2012, it is taken elsewhere with interrupts off, or it hangs."""
    size = INSTANCE["a level interrupt, one vCPU"]
    assert broken(without("irq_locks"), size) == set()
    assert "lock-irq-safe" in broken(replace(without("irq_locks"), lock_irqs_off=False, exit_turns_off=False), size)
