"""The transitions of a finite system compiled: from packed states to their packed successors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .arrays import Frame, Program
from .layout import Array, Columns, Layout
from .system import OUTSIDE, System, Transition

CHUNK = 1 << 15
"""States that are worked on together: few enough for the second-level cache."""

Words = tuple[int, ...]


@dataclass(slots=True)
class Tally:
    """What was counted and met while states were expanded.

    `troubles` has, for each (transition, number of its trouble), the smallest state that showed it; `stuck` is the
    smallest state without a successor.
    """

    transitions: int = 0
    without_successor: int = 0
    stuck: Words | None = None
    troubles: dict[tuple[int, int], Words] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Step:
    guard: int
    guard_cone: tuple[int, ...]
    update_cone: tuple[int, ...]
    kept: tuple[int, ...]
    fixed: tuple[int, ...]
    moving: tuple[tuple[tuple[int, int], ...], ...]
    undecided: int | None
    troubles: tuple[int, ...]


class Stepper:
    """A system compiled. `troubles[t][n]` says in one line what the n-th trouble of transition t means."""

    def __init__(self, system: System) -> None:
        self.layout = Layout(system.cells)
        self.labels = tuple(t.label for t in system.transitions)
        self.bad = tuple(system.bad)
        self.premises = tuple(system.requires)
        self.troubles: list[tuple[str, ...]] = []
        self._program = Program(self.layout)
        conditions = [*system.bad.values(), *system.requires.values()]
        self._conditions = [self._program.condition(term) for term in conditions]
        self._conditions_cone = self._program.cone(self._conditions)
        self._steps = [self._step(t) for t in system.transitions]
        self._last: list[list[int]] = [[] for _ in self._steps]
        uses = {n: t for t, step in enumerate(self._steps) for n in (*step.guard_cone, *step.update_cone)}
        for node, t in uses.items():
            self._last[t].append(node)

    def _step(self, transition: Transition) -> _Step:
        program, layout = self._program, self.layout
        index = {cell.name: i for i, cell in enumerate(layout.cells)}
        clear, fixed = [0] * layout.columns, [0] * layout.columns
        bytes_: dict[tuple[int, int], list[tuple[int, int]]] = {}
        troubles: list[tuple[str, int]] = []
        for name, term in transition.updates.items():
            place = layout.places[index[name]]
            code, wrong = program.encoded(term, index[name])
            clear[place.column] |= place.mask
            if code in program.constants:
                fixed[place.column] |= int(program.constants[code]) << place.shift
            elif place.bits:
                start = place.shift if place.bits > 8 else place.shift // 8 * 8
                bytes_.setdefault((place.column, start), []).append((code, place.shift - start))
            if wrong is not None:
                text = f"transition {transition.label} gives cell {name} a value that it cannot take"
                troubles.append((text, wrong))
        for name, defined in transition.defined.items():
            node = program.no(program.condition(defined))
            troubles.append((f"transition {transition.label}: cell {name} {OUTSIDE}", node))
        troubles = [(text, node) for text, node in troubles if not _never(program, node)]
        decidable = program.no(program.condition(transition.decidable))
        undecided = None if _never(program, decidable) else decidable
        self.troubles.append((*(text for text, _ in troubles), f"guard of {transition.label}: it cannot be decided"))
        moving: list[list[tuple[int, int]]] = [[] for _ in range(layout.columns)]
        for (column, start), parts in bytes_.items():
            moving[column].append((program.byte_of(parts), start))
        guard = program.condition(transition.guard)
        nodes = [node for parts in moving for node, _ in parts] + [node for _, node in troubles]
        return _Step(
            guard=guard,
            guard_cone=program.cone([guard] if undecided is None else [guard, undecided]),
            update_cone=program.cone(nodes),
            kept=tuple((1 << 64) - 1 ^ mask for mask in clear),
            fixed=tuple(fixed),
            moving=tuple(tuple(parts) for parts in moving),
            undecided=undecided,
            troubles=tuple(node for _, node in troubles),
        )

    def chunks(self, states: Columns) -> Iterator[Columns]:
        """Yield states in pieces of the size that is worked on together."""
        for start in range(0, len(states[0]), CHUNK):
            yield tuple(c[start : start + CHUNK] for c in states)

    def shown(self, chunk: Columns) -> list[Array]:
        """Return, for each condition of `bad` and then each premise, which states show it, or that it fails."""
        frame = Frame(self._program, chunk)
        frame.run(self._conditions_cone)
        found = [np.broadcast_to(frame[node], len(chunk[0])) for node in self._conditions]
        return [where if number < len(self.bad) else ~where for number, where in enumerate(found)]

    def inspect(self, states: Columns) -> dict[int, Words]:
        """Return the smallest state that shows each condition: those of `bad` first, then premises that fail."""
        found: dict[int, Words] = {}
        for chunk in self.chunks(states):
            for number, shown in enumerate(self.shown(chunk)):
                if shown.any():
                    _least(found, number, chunk, shown)
        return found

    def successors(self, chunk: Columns, tally: Tally) -> Iterator[tuple[int, Array, Columns]]:
        """Yield, for each transition that some state can take, its number, these states' places and what follows."""
        frame = Frame(self._program, chunk)
        size = len(chunk[0])
        moves = np.zeros(size, np.bool_)
        for number, step in enumerate(self._steps):
            frame.run(step.guard_cone)
            guard = np.broadcast_to(frame[step.guard], size)
            if step.undecided is not None:
                self._trouble(tally, (number, len(step.troubles)), chunk, np.broadcast_to(frame[step.undecided], size))
            rows = np.flatnonzero(guard)
            if len(rows):
                moves |= guard
                tally.transitions += len(rows)
                frame.run(step.update_cone)
                for n, node in enumerate(step.troubles):
                    self._trouble(tally, (number, n), chunk, guard & frame[node])
                yield number, rows, _stepped(step, frame, chunk, rows)
            frame.drop(self._last[number])
        stuck = ~moves
        count = int(np.count_nonzero(stuck))
        if count:
            tally.without_successor += count
            first = {} if tally.stuck is None else {0: tally.stuck}
            _least(first, 0, chunk, stuck)
            tally.stuck = first[0]

    @staticmethod
    def _trouble(tally: Tally, key: tuple[int, int], chunk: Columns, shown: Array) -> None:
        if shown.any():
            _least(tally.troubles, key, chunk, shown)


def _stepped(step: _Step, frame: Frame, chunk: Columns, rows: Array) -> Columns:
    after = []
    for column, kept, fixed, moving in zip(chunk, step.kept, step.fixed, step.moving, strict=True):
        words = column.take(rows)
        if kept != (1 << 64) - 1:
            words &= np.uint64(kept)
        if fixed:
            words |= np.uint64(fixed)
        for node, shift in moving:
            part = frame[node].take(rows).astype(np.uint64)
            words |= part << np.uint64(shift) if shift else part
        after.append(words)
    return tuple(after)


def _never(program: Program, node: int) -> bool:
    return node in program.constants and not program.constants[node]


def _least(found: dict[Any, Words], key: Any, states: Columns, shown: Array) -> None:
    """Keep the smallest of the states shown, if it is smaller than what is there."""
    rows = np.flatnonzero(shown)
    least = []
    for column in states:
        values = column.take(rows)
        least.append(int(values.min()))
        rows = rows[values == least[-1]]
    words = tuple(least)
    found[key] = min(words, found.get(key, words))


def smallest(found: Mapping[Any, Words], other: Mapping[Any, Words]) -> dict[Any, Words]:
    """Join what two looked for."""
    return {**found, **{k: min(w, found.get(k, w)) for k, w in other.items()}}
