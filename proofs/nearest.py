"""The smallest changes of switches with which properties hold, nearest to a generation that breaks them.

What a run breaks it breaks whatever those switches say that it does not read: one run rules out every candidate that
agrees on those it reads.  The smallest candidate that no known run rules out is tried on small instances, which show
new runs; what survives them is put to the induction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from typing import cast

from model.generation import REFERENCE, Switches

from .instances import QUICK, SMALL
from .runs import Broken, failing, search

OTHER = ("lr_count_", "vcpu_id_", "vmcr_", "hyp_", "init_", "addresses_", "set_addr_", "targets_")
"""Switches that start like this belong to initialisation, which the machine has behind it."""
MOST = 6
"""Switches in a change, at the most."""
HASTE = 250_000
"""States of an instance that a candidate is tried on: a candidate that passes is proved or not all the same."""

Proves = Callable[[str, Switches], bool]
"""Says whether the induction proves a property of a candidate."""


@dataclass(frozen=True, slots=True)
class Near:
    """The smallest change with which no small instance breaks a property, and whether it is proved with it."""

    names: tuple[str, ...]
    proved: bool


def free(switches: Switches) -> list[str]:
    """List the switches of the machine that differ from the reference."""
    names = (f.name for f in fields(Switches) if not f.name.startswith(OTHER))
    return [name for name in names if getattr(switches, name) != getattr(REFERENCE, name)]


def changed(switches: Switches, names: Sequence[str]) -> Switches:
    """Return the switches with some set as the reference has them."""
    return replace(switches, **{name: getattr(REFERENCE, name) for name in names})


def nearest(broken: Sequence[Broken], kept: Sequence[str], switches: Switches, proves: Proves) -> dict[str, Near]:
    """Return the smallest change with which each property holds, as far as one was found.

    `broken` are runs that break the properties without a change, `kept` what a change must not break: that the
    generation was not seen to break.
    """
    runs = [Seen(run) for run in broken]
    found: dict[str, Near] = {}
    for name in (run.property for run in broken):
        names = _smallest(name, runs, kept, switches)
        if names is not None:
            found[name] = Near(names, proves(name, changed(switches, names)))
    return found


def _smallest(name: str, runs: list[Seen], kept: Sequence[str], switches: Switches) -> tuple[str, ...] | None:
    """Return the smallest change with which no small instance breaks a property or what is to be kept."""
    while True:
        mine = [seen for seen in runs if seen.run.property in (name, *kept)]
        names = next((n for n in _by_size(_read(mine, switches)) if not _ruled_out(mine, changed(switches, n))), None)
        if names is None:
            return None
        shown = _shown(name, runs, kept, changed(switches, names))
        if not shown:
            return names
        runs[:0] = [Seen(run) for run in shown]


def _ruled_out(runs: Sequence[Seen], candidate: Switches) -> bool:
    return any(seen.breaks(candidate) for seen in runs)


def _read(runs: Sequence[Seen], switches: Switches) -> list[str]:
    """List the switches that some run reads: no other can be in a smallest change."""
    for seen in runs:
        seen.breaks(switches)
    read = {name for seen in runs for reading, breaks in seen.known if breaks for name in reading}
    return [name for name in free(switches) if name in read]


def _by_size(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for size in range(MOST + 1):
        yield from combinations(names, size)


@dataclass(slots=True)
class Seen:
    """A run, and what is known of it: whether it breaks its property, by the values of the switches that it reads."""

    run: Broken
    known: list[tuple[dict[str, bool], bool]] = field(default_factory=list)

    def breaks(self, candidate: Switches) -> bool:
        """Say whether the run can be made with other switches, and breaks its property."""
        for read, breaks in self.known:
            if all(getattr(candidate, name) is value for name, value in read.items()):
                return breaks
        watched = _Watched(candidate)
        breaks = failing(self.run.property, self.run.size, cast(Switches, watched), self.run.made) is not None
        self.known.append((watched.read, breaks))
        return breaks


class _Watched:
    """Switches that note which of them are read."""

    def __init__(self, switches: Switches):
        self._switches = switches
        self.read: dict[str, bool] = {}

    def __getattr__(self, name: str) -> bool:
        return self.read.setdefault(name, getattr(self._switches, name))


def _shown(name: str, runs: Sequence[Seen], kept: Sequence[str], candidate: Switches) -> list[Broken]:
    """Return runs of a small instance that break the property, or else what is to be kept."""
    likely = [seen.run.size for seen in runs if seen.run.property == name]
    for names in ((name,), tuple(kept)):
        for size in dict.fromkeys((*likely, *QUICK, *SMALL)):
            found = search(size, candidate, names, HASTE).broken
            if found:
                return list(found.values())
    return []
