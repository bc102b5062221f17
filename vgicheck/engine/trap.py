"""States from which something that waits can never be served: liveness of a finite system, under strong fairness.

A run is strongly fair if each step that can be made again and again is made again and again.  Such a run comes to
every state that can be reached from those that it comes to again and again.  So what waits is served in each of them
exactly if, from every reachable state in which it waits, it can be served: the negation is a reachable state with no
way out, and that is looked for.  Fairness is asked of some transitions only: a device need not do anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .explore import Escaped
from .layout import Array, Columns
from .stateset import StateSet, gather, joined, scatter, unique
from .stepper import Stepper, Tally
from .system import System

WAITS, SERVED = "waits", "served"
"""The two conditions, among those which a system calls bad, that are looked at."""


@dataclass(frozen=True, slots=True)
class Trapped:
    """What was found: the labels of a shortest run to a state with no way out, None where there is none.

    states   how many there are
    waiting  in how many of them something waits: none means that nothing was shown
    ended    why not every state was looked at; then nothing is said of a way out
    """

    run: tuple[str, ...] | None
    states: int
    waiting: int
    ended: str = ""


def trap(system: System, fair: Callable[[str], bool], limit: int) -> Trapped:
    """Look for a reachable state in which something waits and cannot be served by transitions whose labels are fair.

    The system's conditions are `WAITS` and `SERVED`; where it no longer waits it need not be served.  Raises `Escaped`
    if the system is not closed.
    """
    stepper = Stepper(replace(system, bad={name: system.bad[name] for name in (WAITS, SERVED)}))
    levels = _levels(stepper, stepper.layout.packed(system.initial), limit)
    count = sum(len(level[0]) for level in levels)
    if count > limit:
        return Trapped(None, count, 0, f"the limit of {limit} states was reached")
    graph = _Graph(stepper, levels)
    waiting, served, *lost = graph.shown
    for text, where in zip(stepper.premises, lost, strict=True):
        if where.any():
            raise Escaped(text)
    out = graph.can_reach(served | ~waiting, np.array([fair(label) for label in stepper.labels]))
    caught = np.flatnonzero(~out)
    if not len(caught):
        return Trapped(None, count, int(np.count_nonzero(waiting)))
    first = int(caught[np.argmin(graph.depth[caught])])
    return Trapped(tuple(stepper.labels[t] for t in graph.way_to(first)), count, int(np.count_nonzero(waiting)))


def _levels(stepper: Stepper, initial: Columns, limit: int) -> list[Columns]:
    """Return the reachable states by the length of their shortest run, scattered; stop beyond a limit of states."""
    seen = StateSet(stepper.layout.columns)
    new = seen.add(unique(scatter(initial)))
    levels: list[Columns] = []
    while len(new[0]):
        levels.append(new)
        if len(seen) > limit:
            break
        tally, found = Tally(), []
        for chunk in stepper.chunks(gather(new)):
            found += [states for _, _, states in stepper.successors(chunk, tally)]
        if tally.troubles:
            number, which = min(tally.troubles)
            raise Escaped(stepper.troubles[number][which])
        new = seen.add(unique(scatter(joined(found, stepper.layout.columns))))
    return levels


class _Graph:
    """All reachable states, numbered in order of their hashes, and the steps between them."""

    def __init__(self, stepper: Stepper, levels: list[Columns]) -> None:
        columns = stepper.layout.columns
        whole = joined(levels, columns)
        order = np.lexsort(whole[::-1])
        self._states: Columns = tuple(c.take(order) for c in whole)
        depth = np.repeat(np.arange(len(levels)), [len(level[0]) for level in levels])
        self.depth: Array = depth.take(order)
        source, target, label = [], [], []
        shown, start = [], 0
        for chunk in stepper.chunks(gather(self._states)):
            shown.append(stepper.shown(chunk))
            for number, rows, states in stepper.successors(chunk, Tally()):
                source.append(start + rows)
                target.append(self._number(scatter(states)))
                label.append(np.full(len(rows), number))
            start += len(chunk[0])
        self.shown = tuple(np.concatenate(parts) for parts in zip(*shown, strict=True))
        none = [np.empty(0, np.int64)]
        self._source, self._target, self._label = (np.concatenate(e or none) for e in (source, target, label))

    def _number(self, states: Columns) -> Array:
        """Return the numbers of scattered states, all of which are known."""
        hashes = self._states[0]
        found = np.searchsorted(hashes, states[0])
        while True:
            wrong = np.zeros(len(found), np.bool_)
            for known, column in zip(self._states, states, strict=True):
                wrong |= known.take(found) != column
            if not wrong.any():
                return found
            found[wrong] += 1  # another state of the same hash stands before it

    def can_reach(self, goal: Array, fair: Array) -> Array:
        """Return which states can come to one of `goal` by transitions that are fair."""
        kept = np.flatnonzero(fair.take(self._label))
        source, target = self._source.take(kept), self._target.take(kept)
        found = goal.copy()
        while True:
            more = source[found.take(target) & ~found.take(source)]
            if not len(more):
                return found
            found[more] = True

    def way_to(self, state: int) -> list[int]:
        """Return the transitions of a shortest run to a state."""
        way: list[int] = []
        while self.depth[state]:
            into = np.flatnonzero((self._target == state) & (self.depth.take(self._source) == self.depth[state] - 1))
            step = into[np.argmin(self._label.take(into))]
            way.append(int(self._label[step]))
            state = int(self._source[step])
        return way[::-1]
