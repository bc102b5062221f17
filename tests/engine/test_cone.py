"""The cone of influence: what is dropped decides nothing, and the runs are those of the whole."""

from __future__ import annotations

import pytest
import z3

from vgicheck.engine.cone import cone
from vgicheck.engine.explore import explore
from vgicheck.engine.system import Cell, System, Transition

X, Y, SEEN, COUNT = z3.BitVec("x", 3), z3.BitVec("y", 3), z3.Bool("seen"), z3.BitVec("count", 3)
CELLS = [Cell("x", tuple(range(8)), 3), Cell("y", tuple(range(8)), 3), Cell("seen", (False, True)),
         Cell("count", tuple(range(8)), 3)]  # fmt: skip
START = [{"x": 0, "y": 0, "seen": False, "count": 0}]


def ticking(**more: object) -> System:
    """Return a system in which x follows y, and y counts; nothing reads `seen` and `count`."""
    steps = [
        Transition("tick", z3.ULT(Y, 4), {"y": Y + 1, "count": COUNT + 3, "seen": z3.Not(SEEN)}, **more),
        Transition("copy", True, {"x": Y}),
        Transition("wobble", True, {"count": COUNT + 1}),
    ]
    return System(CELLS, START, steps, {"five": X == 5, "three": X == 3})


def test_what_nothing_reads_is_dropped() -> None:
    """A cell that no guard and no bad condition depends on is gone, and with it the states that differ in it."""
    whole, small = ticking(), cone(ticking())
    assert [c.name for c in small.cells] == ["x", "y"]
    assert [list(t.updates) for t in small.transitions] == [["y"], ["x"], []]
    seen, seen_small = explore(whole, jobs=1), explore(small, jobs=1)
    assert seen_small.states < seen.states and seen_small.exhaustive
    for name in ("five", "three"):
        long, short = seen.violations[name], seen_small.violations[name]
        assert (long is None) is (short is None)
        assert long is None or [s.label for s in long] == [s.label for s in short]


def test_what_is_read_through_others_is_kept() -> None:
    """A cell is kept that only the next value of a kept one reads, and one that only decides a guard."""
    assert {"x", "y"} <= {c.name for c in cone(ticking()).cells}
    guarded = ticking(decidable=COUNT != 7)
    assert {c.name for c in cone(guarded).cells} == {"x", "y", "count"}


def test_where_a_value_is_defined_counts() -> None:
    """What says where a kept cell is defined is kept; what says so of a dropped one is not."""
    assert {c.name for c in cone(ticking(defined={"y": SEEN})).cells} == {"x", "y", "seen"}
    assert {c.name for c in cone(ticking(defined={"count": SEEN})).cells} == {"x", "y"}


def test_something_is_left() -> None:
    """A system that nothing is asked of keeps one cell."""
    idle = System(CELLS, START, [Transition("wobble", True, {"count": COUNT + 1})])
    assert len(cone(idle).cells) == 1
    assert explore(cone(idle), jobs=1).states == 1


def test_what_is_defined_must_be_given() -> None:
    """A transition that says where a cell is defined must give it a value."""
    with pytest.raises(ValueError, match="says where cell x is defined"):
        System(CELLS, START, [Transition("t", True, {}, {"x": SEEN})])
