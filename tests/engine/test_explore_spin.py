"""SPIN and the explorer agree on the race model, which is written down for each of them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.promela import ask_spin, installed, model
from bench.races import Rearm, system
from vgicheck.engine.explore import explore

pytestmark = pytest.mark.skipif(not installed(), reason="spin or gcc is not installed")


def test_counts_are_those_of_spin(tmp_path: Path) -> None:
    """States, transitions and depth of the whole search are SPIN's, which counts the start as a transition."""
    ours = explore(system(2, 1, Rearm.TARGET), jobs=1)
    theirs = ask_spin(model(2, 1, Rearm.TARGET), tmp_path, breadth_first=True, hash_bits=20, depth=1000)
    assert theirs.complete and theirs.errors == 0
    assert (ours.states, ours.transitions + 1, ours.depth) == (theirs.states, theirs.transitions, theirs.depth)


def test_a_shortest_run_is_as_long_as_that_of_spin(tmp_path: Path) -> None:
    """SPIN's breadth-first search finds the error of a wrong machine after as many steps."""
    ours = explore(system(2, 1, Rearm.SELF), jobs=1, stop_when_found=True).violations["lost"]
    theirs = ask_spin(model(2, 1, Rearm.SELF), tmp_path, breadth_first=True, hash_bits=20, depth=1000)
    assert ours is not None and theirs.errors == 1
    assert len(ours) - 1 == theirs.depth
