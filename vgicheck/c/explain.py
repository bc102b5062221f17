"""Telling a plain run: what it started from, what it changed, and which line is at fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import z3

from ..engine.guards import TRUE
from ..engine.maps import Key
from ..engine.verdict import Change, Location, Run, Value
from .binding import Words
from .ir import Loc
from .memory import Given, Memory
from .summary import Evaluator, Summary

LONGEST_BODY = 40
"""Lines of a loop body that is recognised as going round."""

Failure = tuple[str, Loc | None]


@dataclass(frozen=True, slots=True)
class Plain:
    """A run over plain numbers: what it was given, the memory at its start, its end, and what it was called with.

    The claims of its end are those that the C makes itself.
    """

    given: Given
    evaluator: Evaluator
    start: Memory
    end: Summary
    arguments: Sequence[Any] = ()


def untouched(summary: Summary) -> Memory:
    """Return the memory as it was before a run."""
    return Memory(summary.after.layout, summary.domain, summary.before)


def explained(
    run: Plain,
    words: Words,
    broken: Failure,
    at: Any,
    depends: Callable[[Plain], bool],
    fails: Callable[[Any], bool],
) -> Run:
    """Return the story of a run in which a property fails.

    A change matters if the sentence that fails depends on the value; the line at fault is the last that made such a
    change,
    else the line at which the evaluator's claim failed, else the return.
    """
    sentence, loc = broken
    changed = _changes(run, words)
    matters = [cell for cell in changed if loc is None and depends(_with_unknown(run, cell))]
    ours = run.evaluator.ours
    wrote = [line for cell, line in run.evaluator.wrote.items() if cell in matters and line.file not in ours]
    source = [step for step in run.evaluator.trace if step.file not in ours]
    fault = loc or next(iter(wrote[-1:] or source[-1:]), None)
    return Run(
        violated=sentence,
        inputs=tuple(
            Value(words.name(region, key), _shown(value), words.note(region, key, value))
            for (region, key), value in sorted(run.given.cells.items(), key=lambda item: words.name(*item[0]))
            if value
        ),
        indices=_indices(at, fails) if loc is None else (),
        changes=_told(changed, matters, words),
        fault=Location(fault.file, fault.line) if fault else None,
        path=_lines(source),
        returned=run.end.returns == TRUE,
        replayed=("python",),
    )


def _indices(at: Any, fails: Callable[[Any], bool]) -> tuple[Value, ...]:
    """Return the arbitrary indices that matter: with another value of it the sentence would not fail."""
    return tuple(
        Value(f.name, str(getattr(at, f.name)))
        for f in fields(at)
        if not fails(replace(at, **{f.name: getattr(at, f.name) ^ 1}))
    )


def _told(
    changed: dict[tuple[str, Key], tuple[int, int]], matters: Sequence[tuple[str, Key]], words: Words
) -> tuple[Change, ...]:
    """Put the changes in words, with runs of neighbours that changed alike as one."""
    told: list[Change] = []
    previous: tuple[str, Key] | None = None
    first: tuple[str, Key] | None = None
    for cell in sorted(changed):
        (region, key), values = cell, changed[cell]
        neighbour = (
            previous is not None
            and first is not None
            and key != ()
            and previous == (region, (*key[:-1], key[-1] - 1))
            and changed[previous] == values
            and (previous in matters) == (cell in matters)
        )
        previous = cell
        if neighbour and first is not None:
            told[-1] = replace(told[-1], name=f"{words.name(*first)} .. {words.name(*cell)}")
            continue
        first = cell
        before, after = (_noted(words, cell, value) for value in values)
        told.append(Change(words.name(*cell), before, after, cell in matters))
    return tuple(told)


def _with_unknown(run: Plain, cell: tuple[str, Key]) -> Plain:
    """Return the run as if nobody knew what it left in one cell."""
    name, key = cell
    memory = run.end.after.fork()
    place = memory.layout.kinds[name]
    unknown = z3.Bool("unknown") if place.bitmap else z3.BitVec("unknown", memory.layout.size(place.type) * 8)
    memory.regions[name] = memory.regions[name].set(key, unknown)
    return replace(run, end=replace(run.end, after=memory))


def _changes(run: Plain, words: Words) -> dict[tuple[str, Key], tuple[int, int]]:
    """Return the cells whose value at the end is another than at the start, with both values."""
    changed = {}
    for name in sorted(run.end.after.written):
        region = run.end.after.regions.get(name)
        if region is None or not words.public(name):
            continue
        before = run.start.regions.get(name, region.base())
        for _, key, _ in region.written():
            a, b = before[key], region[key]
            if isinstance(a, int) and isinstance(b, int) and a != b:
                changed[(name, key)] = (int(a), int(b))
    return changed


def _lines(steps: list[Loc]) -> tuple[int, ...]:
    """Return the lines taken; a loop is told once, however often it went round."""
    path: list[int] = []
    for step in steps:
        if path and path[-1] == step.line:
            continue
        path.append(step.line)
        for period in range(1, min(LONGEST_BODY, len(path) // 2) + 1):
            if path[-period:] == path[-2 * period : -period]:
                del path[-period:]
                break
    return tuple(path)


def _noted(words: Words, cell: tuple[str, Key], value: int) -> str:
    note = words.note(*cell, value)
    return f"{_shown(value)} ({note})" if note else _shown(value)


def _shown(value: int) -> str:
    return str(value) if -4096 < value < 256 else f"{value & 0xFFFFFFFFFFFFFFFF:#x}"
