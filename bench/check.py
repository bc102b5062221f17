"""What `vgicheck check` costs of our own example, by the functions that are called from outside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from proofs.bindings import vgic
from vgicheck.check import rules
from vgicheck.check.check import reading_of, wanted_of
from vgicheck.check.entries import entries
from vgicheck.check.tree import find
from vgicheck.engine.portfolio import Portfolio

EXAMPLE = Path(__file__).parents[1] / "examples/vgic"


def by_function(place: Path = EXAMPLE) -> Iterator[tuple[str, str]]:
    """Yield the seconds of reading a source, and of judging each function with all that it gets to."""
    source = find(str(place))
    start = time.perf_counter()
    reading = reading_of(source, source.paths[0])
    known = entries(reading)
    yield "read, whole", f"{time.perf_counter() - start:.2f} s, {len(reading.places)} functions"
    for root in known.roots:
        promised = tuple(wanted_of(reading, known, (), root))
        job = rules.Job(reading, vgic.Context(root, root in known.handlers), promised, Portfolio(30))
        start = time.perf_counter()
        found = list(rules.judge(job))
        took = time.perf_counter() - start
        yield f"{root}()", f"{took:.2f} s, {len(found)} obligations, solver {sum(o.seconds for o in found):.2f} s"
