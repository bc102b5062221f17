"""Campaigns: many random programs of one kind, each in three readings that must agree.

A program starts from what its text initialises, but for its inputs.  It is run over plain numbers, summarised once as
formulas into which the same numbers are put, and compiled at -O0 and -O2 with the kernel's flags.  What is compared is
every integer of static storage and where each pointer points.  Programs that may do something undefined are compiled
with gcc's own checks: they must trap exactly where the evaluator claims it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Any

from vgicheck.c.domain import Address, Null
from vgicheck.c.ir import Int, Pointer, Program, Unsupported
from vgicheck.c.summary import Summary

from . import csmith, kernel
from .readings import Outcome, Symbolic, Vector, compiled, interpreted, program, seen
from .sample import Sample
from .start import scalars, started, written

BATCH = 16
"""Programs in one compiled unit."""
VECTORS = 3
"""Vectors of inputs for one program."""
LEVELS = (0, 2)
CHECKS = ("shift-exponent", "integer-divide-by-zero", "signed-integer-overflow")
"""gcc's checks for what is undefined with the kernel's flags; where those define overflow, gcc does not check it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of program: how one is made, and the checks of gcc that say whether it does something undefined."""

    name: str
    make: Callable[[Random, int], Sample]
    checks: tuple[str, ...] = ()


KINDS = (Kind("csmith", csmith.guarded), Kind("raw", csmith.raw, CHECKS), Kind("kernel", kernel.sample))


@dataclass(slots=True)
class Tally:
    """What a campaign counted: programs agreed on as numbers, also as formulas, and refused by construct and reading.

    `undefined` counts the runs that did something undefined, in all readings.
    """

    programs: int = 0
    as_numbers: int = 0
    as_formulas: int = 0
    runs: int = 0
    undefined: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unsummarised: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """A program that ran over numbers: what is observed of it and, of each run, its vector, outcome and pointers."""

    sample: Sample
    observe: tuple[str, ...]
    runs: tuple[tuple[Vector, Outcome, tuple[str, ...]], ...]


def campaign(kind: Kind, count: int, seed: int, tell: Callable[[int], None] = lambda done: None) -> Tally:
    """Compare so many programs, made one after the other from a seed; `tell` hears how many are done."""
    tally = Tally()
    samples = (kind.make(Random(f"{seed} {number}"), number) for number in range(count))
    while some := list(islice(samples, BATCH)):
        evaluated = [e for sample in some if (e := _evaluate(sample, seed, tally)) is not None]
        if evaluated:
            _compile(evaluated, kind.checks, tally)
        tally.programs += len(some)
        tell(tally.programs)
    return tally


def _evaluate(sample: Sample, seed: int, tally: Tally) -> _Evaluated | None:
    """Run a program over numbers and compare its formulas with that; None where it is refused."""
    random = Random(f"{seed} {sample.number} vectors")
    vectors = [{name: _number(random, bits) for name, bits in sample.inputs.items()} for _ in range(VECTORS)]
    try:
        lowered = program(sample.unit)
        run = started(lowered, sample.entry, sample.inputs)
        observe = tuple(_observable(lowered))
        summaries = [interpreted(lowered, run, vector) for vector in vectors]
    except Unsupported as reason:
        tally.refused[_construct(reason)] += 1
        return None
    outcomes = [seen(summary, observe) for summary in summaries]
    _compare_formulas(lowered, run, sample, vectors, outcomes, observe, tally)
    pointers = [tuple(_pointers(summary, lowered)) for summary in summaries]
    return _Evaluated(sample, observe, tuple(zip(vectors, outcomes, pointers, strict=True)))


def _compare_formulas(
    lowered: Program,
    run: str,
    sample: Sample,
    vectors: Sequence[Vector],
    outcomes: Sequence[Outcome],
    observe: Sequence[str],
    tally: Tally,
) -> None:
    try:
        symbolic = Symbolic(lowered, run)
    except Unsupported as reason:
        tally.unsummarised[_construct(reason)] += 1
        return
    found = [symbolic.at(vector, observe) for vector in vectors]
    told = [
        _told("as formulas", sample, v, f, o, observe)
        for v, f, o in zip(vectors, found, outcomes, strict=True)
        if f != o
    ]
    tally.differences += told
    tally.as_formulas += not told


def _compile(evaluated: Sequence[_Evaluated], checks: Sequence[str], tally: Tally) -> None:
    shared = dict.fromkeys(line for e in evaluated for line in e.sample.shared)
    cases = "".join(f"case {n}: {e.sample.entry}(); break;\n" for n, e in enumerate(evaluated))
    texts = "".join(e.sample.text for e in evaluated)
    unit = "\n".join((*shared, f"{texts}int which;\nvoid dispatch(void) {{ switch (which) {{\n{cases}}} }}\n"))
    inputs = [*dict.fromkeys(name for e in evaluated for name in e.sample.inputs), "which"]
    pointers = list(dict.fromkeys(p for e in evaluated for _, _, points in e.runs for p in points))
    observe = [*dict.fromkeys(o for e in evaluated for o in e.observe), *pointers]
    vectors = [{**vector, "which": n} for n, e in enumerate(evaluated) for vector, _, _ in e.runs]
    wrong: set[int] = set()
    for optimise in LEVELS:
        results = iter(compiled(unit, inputs, "dispatch()", observe, vectors, optimise, checks))
        for e in evaluated:
            for (vector, outcome, points), native in zip(e.runs, results, strict=False):
                found = _as_outcome(native, observe, e.observe, points, bool(outcome.faults))
                if found != outcome:
                    tally.differences.append(
                        _told(f"compiled at -O{optimise}", e.sample, vector, found, outcome, e.observe)
                    )
                    wrong.add(e.sample.number)
    tally.as_numbers += len(evaluated) - len(wrong)
    tally.runs += len(vectors)
    tally.undefined += sum(bool(outcome.faults) for e in evaluated for _, outcome, _ in e.runs)


def _as_outcome(
    native: tuple[int, ...] | str, observe: Sequence[str], wanted: Sequence[str], points: Sequence[str], faulty: bool
) -> Any:
    """What a compiled run gave, as the outcome of a run over numbers that agrees; else what it was instead."""
    if isinstance(native, str):
        return _FAULTY if faulty and native in ("signal SIGILL", "signal SIGFPE") else native
    values = dict(zip(observe, native, strict=True))
    astray = [p for p in points if not values[p]]
    return f"not {astray}" if astray and not faulty else Outcome(tuple(values[o] for o in wanted))


class _Faulty:
    """Equal to the outcome of any run in which something is undefined."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcome) and bool(other.faults)

    __hash__ = None  # type: ignore[assignment]


_FAULTY = _Faulty()


def _told(where: str, sample: Sample, vector: Vector, found: Any, expected: Outcome, observe: Sequence[str]) -> str:
    if isinstance(found, Outcome) and not found.faults and not expected.faults:
        pairs = zip(observe, found.values, expected.values, strict=True)
        found = ", ".join(f"{o} is {x:#x}, not {y:#x}" for o, x, y in pairs if x != y)
    elif isinstance(found, Outcome):
        found = f"faults {sorted(found.faults)}, not {sorted(expected.faults)}"
    return f"{where}, with {dict(vector)}: {found}\n{sample.unit}"


def _number(random: Random, bits: int) -> int:
    edges = (0, 1, (1 << bits - 1) - 1, 1 << bits - 1, (1 << bits) - 1, random.getrandbits(4), bits)
    return random.choice((random.choice(edges), random.getrandbits(bits))) & (1 << bits) - 1


def _construct(reason: Unsupported) -> str:
    """A reason without the names of one program."""
    return re.sub(r"\b([A-Za-z]+)_?\d+(_\d+)?\b", r"\1", reason.construct)


def _observable(lowered: Program) -> Iterator[str]:
    """Name the integers of static storage that have a name at file scope."""
    for name in lowered.constants:
        for path, kind in scalars(lowered, name):
            if isinstance(kind, Int) and "." not in name:
                yield written(name, path)


def _pointers(summary: Summary, lowered: Program) -> Iterator[str]:
    """Say in C of each pointer of static storage where it points after a run over numbers, as far as C can say it."""
    if summary.claims:
        return
    after = summary.after.fork()
    for name in lowered.constants:
        for path, kind in scalars(lowered, name):
            if not isinstance(kind, Pointer):
                continue
            value = after.load(Address(name, path))
            if isinstance(value, Null):
                yield f"{written(name, path)} == 0"
            elif isinstance(value, Address) and ":" not in value.object:
                yield f"(void *){written(name, path)} == (void *)&{written(value.object, value.path)}"
