"""The nearest change of switches that mends a property."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.generation import OCTOBER_2012, REFERENCE, Switches
from proofs.changes import MOST, by_size, changed, free, watched
from proofs.instances import INSTANCE
from proofs.nearest import Seen, nearest
from proofs.runs import search
from vgicheck.engine.verdict import Nearest, Verdict

LEVEL = INSTANCE["a level interrupt, one vCPU"]
WITHOUT = replace(REFERENCE, entry_rechecks=False, marks_every_irq=False)
KICK = search(LEVEL, WITHOUT, ["kick-not-lost"]).broken["kick-not-lost"]


def test_free_switches() -> None:
    """Those of the switches read are free that the reference has otherwise, in the order of the record."""
    assert free(OCTOBER_2012, ["sync_rearms", "line_apart", "irq_locks"]) == ["line_apart", "sync_rearms"]
    assert free(REFERENCE, ["line_apart"]) == []
    assert changed(WITHOUT, free(WITHOUT, ["entry_rechecks", "marks_every_irq"])) == REFERENCE


def test_smallest_first() -> None:
    """Changes come by size, from none to the most that are tried."""
    assert list(by_size(["a", "b"])) == [(), ("a",), ("b",), ("a", "b")]
    assert max(len(names) for names in by_size("abcdefgh")) == MOST


def test_what_is_read() -> None:
    """A computation's switches are those that it looked at."""
    for switches, expected in (
        (REFERENCE, {"line_apart": True}),
        (OCTOBER_2012, {"line_apart": False, "sync_rearms": False}),
    ):
        seen, read = watched(switches)
        assert (seen.line_apart or seen.sync_rearms) is (switches is REFERENCE)
        assert read == expected


def test_a_run_is_made_once_for_what_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run rules out a candidate that differs where it does not read, without being made again."""
    seen = Seen(KICK)
    assert seen.breaks(WITHOUT)
    monkeypatch.setattr("proofs.nearest.failing", None)
    assert seen.breaks(replace(WITHOUT, hyp_puts_node=False))


def test_a_run_that_another_switch_mends() -> None:
    """The same run, with the switch that mends it, breaks nothing."""
    assert not Seen(KICK).breaks(replace(WITHOUT, entry_rechecks=True))


@pytest.mark.slow
def test_the_one_switch_that_matters() -> None:
    """Of two switches that are off the one is named that mends the property, as proved as the induction says."""
    asked: list[Switches] = []

    def proves(candidate: Switches) -> bool:
        asked.append(candidate)
        return False

    assert nearest(KICK, (), WITHOUT, proves) == Nearest(("entry_rechecks",), Verdict.UNKNOWN)
    assert asked == [replace(WITHOUT, entry_rechecks=True)]
