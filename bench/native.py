"""How many calls of bound functions of our own example are compared with compiled C in a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from conformance.bound import harness, runs
from conformance.drive import driven
from model.generation import REFERENCE
from proofs.bindings import whole_file
from vgicheck.check.check import reading_of
from vgicheck.check.tree import find

EXAMPLE = Path(__file__).parents[1] / "examples/vgic"
SEED = 1
STATES = 20
"""Runs of the evaluator, of which vectors are made."""
FUNCTIONS = ("vgic_maintenance_handler", "kvm_vgic_vcpu_init")
"""Those that are the reference's."""
VECTORS = 20_000
TURNS = 500_000


def rates(place: Path = EXAMPLE) -> Iterator[tuple[str, str]]:
    """Yield for each function calls a second: of the evaluator, of vectors sent from Python, and driven in C.

    Raises ValueError where the driver finds a difference.
    """
    source = find(str(place))
    reading = reading_of(source, source.paths[0])
    for bound in (whole_file.bound(reading.program, reading.places)[name] for name in FUNCTIONS):
        random = Random(SEED)
        start = time.perf_counter()
        ran = list(runs(reading, bound, REFERENCE, random, STATES))
        yield f"{bound.function}(), the evaluator and the model", _told(STATES, time.perf_counter() - start)
        made = harness(reading, bound, ran)
        with made.compiled(reading) as program:
            start = time.perf_counter()
            results = program.run_many(made.vectors * (VECTORS // STATES))
            yield "  vectors sent from Python", _told(len(results), time.perf_counter() - start)
        for compares, what in ((True, "  driven, compared"), (False, "  driven, calls alone")):
            with driven(reading, bound, REFERENCE, random, compares=compares) as program:
                start = time.perf_counter()
                result = program.run([SEED, TURNS])
                if result.trap is not None:
                    raise ValueError(result.trap)
                yield what, _told(result.values[0], time.perf_counter() - start)


def _told(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f} a second"
