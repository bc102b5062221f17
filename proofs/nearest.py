"""The smallest change of switches with which a property is proved, nearest to a generation that breaks it.

Candidates are tried by size.  One is dropped where a run that broke an earlier one breaks it as well, or where a small
instance shows a new run; what survives is put to the induction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from itertools import combinations

from model.generation import REFERENCE, Switches

from .instances import QUICK, SMALL
from .runs import Broken, failing, search

OTHER = ("lr_count_", "vcpu_id_", "vmcr_", "hyp_", "init_", "addresses_", "addr_")
"""Switches that start like this belong to initialisation, which the machine has behind it."""
MOST = 4
"""Switches in a change, at the most."""
ATTEMPTS = 3
"""Candidates that are put to the induction, at the most."""
HASTE = 250_000
"""States of an instance that a candidate is tried on: a candidate that passes is proved or not all the same."""


def free(switches: Switches) -> list[str]:
    """List the switches of the machine that differ from the reference."""
    names = (f.name for f in fields(Switches) if not f.name.startswith(OTHER))
    return [name for name in names if getattr(switches, name) != getattr(REFERENCE, name)]


def changed(switches: Switches, names: tuple[str, ...]) -> Switches:
    """Return the switches with some set as the reference has them."""
    return replace(switches, **{name: getattr(REFERENCE, name) for name in names})


def nearest(
    broken: Broken, kept: Sequence[str], switches: Switches, proved: Callable[[Switches], bool]
) -> tuple[str, ...] | None:
    """Return the smallest change for which a property is proved, None where none of `MOST` was found.

    `broken` is a run that breaks it without a change, `kept` what the change must not break: that the generation was
    not seen to break.  `proved` puts a candidate to the induction.
    """
    runs, attempts = [broken], 0
    for names in _by_size(switches):
        candidate = changed(switches, names)
        if any(failing(r.property, r.size, candidate, r.made) is not None for r in runs):
            continue
        shown = _shown(broken, kept, candidate)
        if shown is not None:
            runs.insert(0, shown)
            continue
        attempts += 1
        if proved(candidate):
            return names
        if attempts == ATTEMPTS:
            return None
    return None


def _shown(broken: Broken, kept: Sequence[str], candidate: Switches) -> Broken | None:
    """Return a run of a small instance that breaks the property or what was kept, the cheap instances first."""
    for size in dict.fromkeys((broken.size, *QUICK, *SMALL)):
        found = search(size, candidate, (broken.property, *kept), HASTE).broken
        if found:
            return next(iter(found.values()))
    return None


def _by_size(switches: Switches) -> Iterator[tuple[str, ...]]:
    names = free(switches)
    for size in range(1, MOST + 1):
        yield from combinations(names, size)
