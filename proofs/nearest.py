"""The smallest changes of switches with which properties hold, nearest to a generation that breaks them.

What a run breaks it breaks whatever those switches say that it does not read: one run rules out every candidate that
agrees on those it reads.  The smallest candidate that no known run rules out is tried on small instances, which show
new runs; what survives them is put to the induction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from model.generation import Switches
from vgicheck.engine.verdict import Nearest, Verdict

from .changes import by_size, changed, free, watched
from .instances import QUICK, SMALL, Size
from .runs import Broken, failing, search

HASTE = 250_000
"""States of an instance that a candidate is tried on: a candidate that passes is proved or not all the same."""

Proves = Callable[[Switches], bool]
"""Says whether the induction proves the property of a candidate."""


ORDER = tuple(dict.fromkeys((*QUICK, *SMALL)))
"""The instances that a candidate is tried on, the quick ones first."""


def nearest(
    broken: Broken,
    kept: Sequence[str],
    switches: Switches,
    proves: Proves,
    sizes: Sequence[Size] = ORDER,
    more: Sequence[str] = (),
) -> Nearest | None:
    """Return the smallest change with which a property holds in some instances, None where none was found.

    `broken` is a run that breaks it without a change, `kept` what a change must not break there: that the generation
    was not seen to break; `more` are switches that may be turned on though the reference has them off.
    """
    names = _Candidates(broken, kept, switches, sizes, more).smallest()
    if names is None:
        return None
    return Nearest(names, Verdict.PROVED if proves(changed(switches, names)) else Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The changes of switches that may mend a property, and what they are tried on; see `nearest`."""

    broken: Broken
    kept: Sequence[str]
    switches: Switches
    sizes: Sequence[Size]
    more: Sequence[str]

    def smallest(self) -> tuple[str, ...] | None:
        """Return the smallest change that no run rules out."""
        runs = [Seen(self.broken)]
        while True:
            read = self._read(runs)
            candidates = (n for n in by_size(read) if not _ruled_out(runs, changed(self.switches, n)))
            names = next(candidates, None)
            if names is None:
                if self._read(runs) == read:
                    return None
                continue  # a run read more when it was made with other switches
            shown = self._shown(changed(self.switches, names))
            if not shown:
                return names
            runs[:0] = [Seen(run) for run in shown]

    def _read(self, runs: Sequence[Seen]) -> list[str]:
        """List the switches that a run reads where it breaks something: no other can be in a smallest change."""
        for seen in runs:
            seen.breaks(self.switches)
        read = (name for seen in runs for read, breaks in seen.known if breaks for name in read)
        return free(self.switches, read, self.more)

    def _shown(self, candidate: Switches) -> list[Broken]:
        """Return runs of an instance that break the property, or else what is to be kept."""
        for names in ((self.broken.property,), tuple(self.kept)):
            for size in dict.fromkeys((self.broken.size, *self.sizes)):
                found = search(size, candidate, names, HASTE).broken
                if found:
                    return list(found.values())
        return []


def _ruled_out(runs: Sequence[Seen], candidate: Switches) -> bool:
    return any(seen.breaks(candidate) for seen in runs)


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
        switches, read = watched(candidate)
        breaks = failing(self.run.property, self.run.size, switches, self.run.made) is not None
        self.known.append((read, breaks))
        return breaks
