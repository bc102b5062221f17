"""That level interrupts are delivered in the end: where they are, where not, and what is asked of whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.generation import OCTOBER_2012, REFERENCE
from model.machine import Exit
from proofs.delivery import delivery, fair
from proofs.instances import INSTANCE, Size

ONE = INSTANCE["a level interrupt, one vCPU"]
TWO = INSTANCE["two level interrupts, one list register"]


@pytest.mark.parametrize("size", [ONE, TWO], ids=lambda s: s.name)
def test_reference_delivers(size: Size) -> None:
    """In the reference there is a way out of every state in which an interrupt waits, also with too few registers."""
    found = delivery(size, REFERENCE, 100_000)
    assert found.made is None and not found.trapped.ended and found.trapped.waiting > 100


def test_what_is_lost_is_not_delivered() -> None:
    """The interrupt that October 2012 loses waits for ever, as plain Python sees in every state behind the run."""
    found = delivery(ONE, OCTOBER_2012, 100_000)
    assert found.made is not None and found.replayed
    names = [name for name, _ in found.made]
    assert names.index("end_of_interrupt") < names.index("irq_lr")


def test_a_kick_that_is_lost_only_delays() -> None:
    """Without the second look before the entry the interrupt is late, and comes with the next exit."""
    found = delivery(ONE, replace(REFERENCE, entry_rechecks=False), 100_000)
    assert found.made is None and found.trapped.waiting


def test_a_deadlock_delivers_nothing() -> None:
    """Where the handler waits for the lock of the thread that it interrupted nothing is delivered any more."""
    stuck = replace(REFERENCE, irq_locks=True, lock_irqs_off=False, exit_turns_off=False)
    found = delivery(ONE, stuck, 100_000)
    assert found.made is not None and found.replayed and "irq_enter" in [name for name, _ in found.made]


def test_who_is_fair() -> None:
    """Devices may rest, and the guest may store nothing; what else can be made again and again is made."""
    assert not fair(("inject", (0, 34, False)), 34) and not fair(("inject", (0, 35, True)), 34)
    assert fair(("inject", (0, 35, False)), 34)
    assert not fair(("leave", (0, Exit.MMIO)), 34) and fair(("leave", (0, Exit.WFI)), 34)
    assert fair(("acknowledge", (0, 0)), 34)


def test_a_limit_says_nothing() -> None:
    """Where not every state was looked at there is no answer."""
    found = delivery(ONE, OCTOBER_2012, 50)
    assert found.made is None and "50" in found.trapped.ended
