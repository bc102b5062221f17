"""Changes of a generation's switches, each toward the reference or as asked, the smallest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from itertools import combinations
from typing import cast

from model.generation import REFERENCE, Switches

MOST = 4
"""Switches in a change, at the most."""


def free(switches: Switches, read: Iterable[str], more: Sequence[str] = ()) -> list[str]:
    """List those of the switches read that the reference has otherwise, and those off of `more`, in their order."""
    wanted = set(read)
    names = (f.name for f in fields(Switches) if f.name in wanted)
    off = [n for n in more if not getattr(switches, n)]
    return [n for n in names if n in off or getattr(switches, n) != getattr(REFERENCE, n)]


def changed(switches: Switches, names: Sequence[str]) -> Switches:
    """Return the switches with some turned over."""
    return replace(switches, **{name: not getattr(switches, name) for name in names})


def by_size(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the changes of `MOST` of the switches at the most, starting with none."""
    for size in range(min(MOST, len(names)) + 1):
        yield from combinations(names, size)


def watched(switches: Switches) -> tuple[Switches, dict[str, bool]]:
    """Return the same switches, and which of them are read, with their values, as far as they are by then."""
    seen = _Watched(switches)
    return cast(Switches, seen), seen.read


class _Watched:
    """Switches that note which of them are read."""

    def __init__(self, switches: Switches):
        self._switches = switches
        self.read: dict[str, bool] = {}

    def __getattr__(self, name: str) -> bool:
        return self.read.setdefault(name, getattr(self._switches, name))
