"""Every state of a finite system, breadth first and exact: counts, shortest runs to what must not be, dead ends.

Each process owns the states in one range of hashes (`vgicheck.engine.stateset`): it keeps and expands them, and hands
the successors that belong to another one over.  Only states are kept, level by level; a run is found backwards by
expanding the levels again.  All choices are of the smallest, so the answer does not depend on the number of processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import NoReturn

import numpy as np

from .crew import Member, together
from .layout import Columns
from .stateset import StateSet, gather, joined, scatter, unique
from .stepper import CHUNK, Stepper, Tally, Words, smallest
from .system import Plain, System

ROUND = 1 << 20
"""Successors that are sorted at once, at least."""
STATE_BYTES = 64
"""Memory that one state takes for each of its columns, at the worst moment, when the table grows."""
BASE_BYTES = 384 << 20
"""Memory that does not depend on the number of states."""
ALL_FOUND = "every bad condition was found"


class Escaped(ValueError):
    """A reachable state shows that the system is not closed: a value outside its cell, a condition that fails."""


@dataclass(frozen=True, slots=True)
class Step:
    """A state of a run, and the label of the transition that led to it; none for the first."""

    label: str
    state: Mapping[str, Plain]


Run = tuple[Step, ...]
"""States from an initial one on, each a step after the one before."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was seen.

    states, transitions   of whole levels: states reached, and steps from states all of whose successors were reached
    levels                the number of states that the shortest run reaches in 0, 1, ... steps
    violations            for each bad condition a shortest run to it, if one was met
    without_successor     how many states have no transition; `stuck` is a shortest run to one
    ended                 why there may be more states: which limit was hit; empty if all were seen
    """

    states: int
    transitions: int
    levels: tuple[int, ...]
    violations: Mapping[str, Run | None]
    without_successor: int
    stuck: Run | None
    ended: str

    @property
    def exhaustive(self) -> bool:
        """Whether all reachable states were seen."""
        return not self.ended

    @property
    def depth(self) -> int:
        """The steps that the shortest run to the last state takes."""
        return max(0, len(self.levels) - 1)


def explore(
    system: System,
    *,
    limit_states: int | None = None,
    memory: int = 4 << 30,
    jobs: int = 2,
    stop_when_found: bool = False,
) -> Exploration:
    """Run every state of a system.

    `limit_states` and `memory`, in bytes and of all processes together, are not exceeded: the exploration ends before
    the level with which they would be.  With `stop_when_found` it ends as soon as all of `system.bad` were met.
    Raises `Escaped` if the system is not closed, `NotUnderstood` for a term that cannot be compiled, `Lost` if a
    process is killed.
    """
    if jobs < 1:
        raise ValueError(f"an exploration needs a process, not {jobs}")
    stepper = Stepper(system)
    columns = stepper.layout.columns
    affordable = max(0, memory - BASE_BYTES) // (STATE_BYTES * columns)
    most, why = affordable, f"the limit of {memory >> 20} MiB of memory, {affordable} states, was reached"
    if limit_states is not None and limit_states <= affordable:
        most, why = limit_states, f"the limit of {limit_states} states was reached"
    initial = stepper.layout.packed(system.initial)

    def work(member: Member) -> Exploration:
        return _Worker(stepper, member, most, why).explore(initial, stop_when_found)

    box = ROUND + CHUNK * max(1, len(stepper.labels))
    return together(work, jobs, columns, box)


class _Worker:
    """One process's part. What it decides it decides from what all agreed on, and so do the others."""

    def __init__(self, stepper: Stepper, member: Member, most: int, why: str) -> None:
        self._stepper = stepper
        self._member = member
        self._most, self._why = most, why
        self._columns = stepper.layout.columns
        self._bounds = [(1 << 64) * r // member.size for r in range(member.size + 1)]
        low, high = self._bounds[member.rank : member.rank + 2]
        self._seen = StateSet(self._columns, low, high - low)
        self._inner = np.array(self._bounds[1:-1], np.uint64)
        self._levels: list[Columns] = []

    def explore(self, initial: Columns, stop_when_found: bool) -> Exploration:
        stepper, tally = self._stepper, Tally()
        found: dict[int, tuple[int, Words]] = {}
        sizes: list[int] = []
        bad, ended = range(len(stepper.bad)), ""
        new = self._seen.add(self._shares(unique(scatter(initial)))[self._member.rank])
        while total := sum(self._member.agree(len(new[0]))):
            if sum(sizes) + total > self._most:
                ended = self._why
                break
            self._levels.append(gather(new))
            found = self._inspected(len(sizes)) | found
            sizes.append(total)
            if stop_when_found and all(n in found for n in bad):
                ended = ALL_FOUND
                break
            here = Tally()
            successors = self._expanded(here, self._most - sum(sizes))
            if successors is None:
                ended = self._why
                break
            new = successors
            tally.transitions += here.transitions
            tally.without_successor += here.without_successor
            if here.stuck is not None:
                found.setdefault(len(bad), (len(sizes) - 1, here.stuck))
        totals = self._member.agree((tally.transitions, tally.without_successor))
        runs = self._runs(found)
        return Exploration(
            states=sum(sizes),
            transitions=sum(t for t, _ in totals),
            levels=tuple(sizes),
            violations={name: runs.get(n) for n, name in enumerate(stepper.bad)},
            without_successor=sum(n for _, n in totals),
            stuck=runs.get(len(bad)),
            ended=ended,
        )

    def _shares(self, states: Columns) -> list[Columns]:
        """Cut states, in order of their hashes, into those of each process."""
        cuts = [0, *np.searchsorted(states[0], self._inner).tolist(), len(states[0])]
        return [tuple(c[a:b] for c in states) for a, b in pairwise(cuts)]

    def _inspected(self, depth: int) -> dict[int, tuple[int, Words]]:
        """Return the bad conditions that the last level shows, each with its smallest state. Raises `Escaped`."""
        stepper = self._stepper
        shown = reduce(smallest, self._member.agree(stepper.inspect(self._levels[-1])))
        for n, words in shown.items():
            if n >= len(stepper.bad):
                self._escape(stepper.premises[n - len(stepper.bad)], words)
        return {n: (depth, words) for n, words in shown.items()}

    def _escape(self, what: str, words: Words) -> NoReturn:
        state = ", ".join(f"{name}={value}" for name, value in self._stepper.layout.unpack(words).items())
        raise Escaped(f"{what}; in the state {state}")

    def _expanded(self, tally: Tally, room: int) -> Columns | None:
        """Expand the last level; return this process's part of the next one, None if all have more than `room`.

        `tally.stuck` is that of all processes.  Raises `Escaped`.
        """
        stepper, member = self._stepper, self._member
        chunks = stepper.chunks(self._levels[-1])
        new: list[Columns] = []
        busy, added = True, 0
        while busy:
            batch = self._round(chunks, tally)
            shares = self._shares(unique(scatter(batch)))
            counts = [len(share[0]) for share in shares]
            for peer, share in enumerate(shares):
                if peer != member.rank:
                    member.post(peer, share)
            new.append(self._seen.add(shares[member.rank]))
            added += len(new[-1][0])
            brought = member.agree((len(batch[0]) > 0, added, counts))
            for peer, (_, _, theirs) in enumerate(brought):
                if peer != member.rank:
                    new.append(self._seen.add(member.read(peer, theirs[member.rank])))
                    added += len(new[-1][0])
            if sum(n for _, n, _ in brought) > room:
                return None
            busy = any(more for more, _, _ in brought)
        met = member.agree((tally.troubles, {} if tally.stuck is None else {0: tally.stuck}))
        troubles = reduce(smallest, (m for m, _ in met))
        if troubles:
            number, which = min(troubles)
            self._escape(stepper.troubles[number][which], troubles[number, which])
        tally.stuck = reduce(smallest, (m for _, m in met)).get(0)
        return joined(new, self._columns)

    def _round(self, chunks: Iterator[Columns], tally: Tally) -> Columns:
        """Return the successors of the next states, `ROUND` of them or all."""
        parts: list[Columns] = []
        size = 0
        for chunk in chunks:
            for _, rows, states in self._stepper.successors(chunk, tally):
                parts.append(states)
                size += len(rows)
            if size >= ROUND:
                break
        return joined(parts, self._columns)

    def _runs(self, found: Mapping[int, tuple[int, Words]]) -> dict[int, Run]:
        """Return a shortest run to each of the states found, given with their levels: the least step at each turn."""
        layout, labels = self._stepper.layout, self._stepper.labels
        paths: dict[int, list[tuple[int | None, Words]]] = {n: [(None, words)] for n, (_, words) in found.items()}
        for depth in range(max((d for d, _ in found.values()), default=0), 0, -1):
            targets = {n: paths[n][-1][1] for n, (d, _) in found.items() if d >= depth}
            mine = self._predecessors(self._levels[depth - 1], targets)
            for n, (number, *words) in reduce(smallest, self._member.agree(mine)).items():
                paths[n][-1] = number, paths[n][-1][1]
                paths[n].append((None, tuple(words)))
        return {
            n: tuple(Step("" if t is None else labels[t], layout.unpack(words)) for t, words in reversed(path))
            for n, path in paths.items()
        }

    def _predecessors(self, level: Columns, targets: Mapping[int, Words]) -> dict[int, Words]:
        """Return, for each target that a state of a level steps to, the least (transition, state) that does."""
        found: dict[int, Words] = {}
        for chunk in self._stepper.chunks(level):
            for number, rows, states in self._stepper.successors(chunk, Tally()):
                for n, words in targets.items():
                    hit = states[0] == np.uint64(words[0])
                    for column, word in zip(states[1:], words[1:], strict=True):
                        hit &= column == np.uint64(word)
                    if hit.any():
                        source = min(tuple(int(c[r]) for c in chunk) for r in rows[hit])
                        found = smallest(found, {n: (number, *source)})
        return found
