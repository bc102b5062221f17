"""Making the state small from which a plain run shows something."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ..engine.maps import Key

Cells = dict[tuple[str, Key], int]
"""Plain cells of memory, by their region and key; what is not listed is as in a new VM."""
T = TypeVar("T")
MOST_RUNS = 80
"""Runs to make a state small."""


def shrunk(
    cells: Cells, run: Callable[[Cells], T | None], touched: Callable[[T], Mapping[tuple[str, Key], int]]
) -> tuple[T, Cells]:
    """Make cells what a run has anyway, or a single bit, where it shows the same; return that run and its cells.

    `run(cells)` is what a run from some cells shows, None where it does not, and `touched` the cells that it read.
    From `cells` as they are given it must show it.
    """
    best = run(cells)
    assert best is not None
    small = {c: v for c, v in cells.items() if c in touched(best)}
    trial = run(small)
    best, small = (trial, small) if trial is not None else (best, dict(cells))
    runs = 0
    for cell in sorted(small, key=str):
        for value in (None, 0, 1, *(1 << b for b in range(small[cell].bit_length()) if small[cell] >> b & 1)):
            runs += 1
            if runs > MOST_RUNS or value == small[cell]:
                break
            other = {c: v for c, v in small.items() if c != cell} | ({} if value is None else {cell: value})
            trial = run(other)
            if trial is not None:
                best, small = trial, other
                break
    return best, small
