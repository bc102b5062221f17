"""Judging a mailed patch: which functions it brings, what is claimed of each, and what became of the claims.

Only functions that the patch shows whole are read.  One of which it shows a part is named and left `unsupported`; a
function that
nothing is claimed of is read where a bound function calls it, and otherwise left `unsupported` too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from proofs.generations import Generation

from ..c.ir import Unsupported
from ..c.source import Chunk, Unit, assemble
from ..engine.portfolio import Portfolio
from ..engine.tasks import Runner, Task
from ..engine.verdict import Location, Obligation, Verdict
from .fragments import Piece, all_pieces, removed_functions
from .patch import Patch, PatchError

NEEDS_TREE = "needs --tree: the patch shows only part of it"
SECONDS_A_TASK = 4
"""A function may take so many times the limit of one question."""


@dataclass(frozen=True, slots=True)
class FunctionReport:
    """A function of the patch: `change` is added, removed, different, equivalent or unsupported."""

    name: str
    change: str
    location: Location
    note: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """What a review found: `lines` holds the source lines that a run may point at, `units` what was read for each
    size.
    """

    patch: Patch
    generation: str
    functions: tuple[FunctionReport, ...]
    obligations: tuple[Obligation, ...]
    lines: Mapping[tuple[str, int], str]
    units: Mapping[int, Unit]


def review(patch: Patch, generation: Generation, runner: Runner) -> Review:
    """Judge a patch. Raises `PatchError` where it changes no function at all."""
    pieces = all_pieces(patch)
    functions = [p for p in pieces if p.kind == "function" and p.change != "context"]
    partial_ones = [p for p in pieces if p.kind == "partial" and p.change != "context"]
    removed = [p for f in patch.files for p in removed_functions(f)]
    if not functions and not partial_ones and not removed:
        raise PatchError("the patch", "changes no C function", "give one that does")
    sizes = _sizes(pieces, generation)
    units = _units(pieces, generation, sizes)
    found = _judged(units, pieces, functions, generation, runner)
    reports = [_report(p, units, generation) for p in functions]
    obligations = [o for p in functions for o in found[p.name]]
    for piece in partial_ones:
        where = Location(piece.file, piece.first_line)
        reports.append(FunctionReport(piece.name, "unsupported", where, NEEDS_TREE))
        claim = generation.partial_claims.get(piece.name) or next(iter(generation.names(piece.name)), "refines-model")
        obligations.append(Obligation(claim, piece.name, Verdict.UNSUPPORTED, reason=NEEDS_TREE, location=where))
    reports += [FunctionReport(p.name, "removed", Location(p.file, p.first_line)) for p in removed]
    lines = {
        (p.file, p.first_line + i): text
        for p in pieces
        if p.kind == "function"
        for i, text in enumerate(p.text.split("\n"))
    }
    read = {size: unit for size, unit in units.items() if isinstance(unit, Unit)}
    return Review(patch, generation.name, tuple(reports), tuple(obligations), lines, read)


def _sizes(pieces: Sequence[Piece], generation: Generation) -> tuple[int, ...]:
    """Return the sizes to judge: those of the generation, or the patch's own where it sets it."""
    own = [p for p in pieces if p.kind == "define" and p.name == generation.size_macro]
    if not own:
        return generation.sizes
    words = own[-1].text.split()
    return (int(words[-1], 0),) if words[-1].isdigit() else generation.sizes


def _units(pieces: Sequence[Piece], generation: Generation, sizes: Sequence[int]) -> dict[int, Unit | Unsupported]:
    chunks = [
        Chunk(p.kind, p.name, p.text, p.file, p.first_line)
        for p in pieces
        if p.kind in ("define", "declaration", "function")
    ]
    units: dict[int, Unit | Unsupported] = {}
    for size in sizes:
        try:
            units[size] = assemble(generation.stubs, chunks, generation.entries, {generation.size_macro: str(size)})
        except Unsupported as cause:
            units[size] = cause
    return units


def _judged(
    units: Mapping[int, Unit | Unsupported],
    pieces: Sequence[Piece],
    functions: Sequence[Piece],
    generation: Generation,
    runner: Runner,
) -> dict[str, list[Obligation]]:
    """Judge each function for each size in a process of its own."""
    found: dict[str, list[Obligation]] = {}
    work: list[tuple[str, int]] = []
    for piece in functions:
        refusal = _refusal(piece, units, generation, functions)
        if refusal is not None:
            found[piece.name] = refusal
        else:
            work += [(piece.name, size) for size in units]
    first = next(iter(units))
    work.sort(key=lambda item: generation.functions.index(item[0]))
    text = json.dumps([(p.kind, p.name, p.file, p.first_line, p.change, p.text) for p in pieces])
    tasks = [
        Task(
            ("review", generation.name, text, name, str(size), str(size == first)),
            tuple((p, name) for p in generation.names(name)),
            partial(_run, units[size], name, size, size == first, generation, runner.portfolio),
        )
        for name, size in work
    ]
    answers = runner.run(tasks, SECONDS_A_TASK * runner.portfolio.timeout)
    for name in dict.fromkeys(name for name, _ in work):
        by_size = {size: answers[i] for i, (n, size) in enumerate(work) if n == name}
        bounds = generation.bounds(name, list(by_size))
        found[name] = [
            merged(dict(zip(by_size, same, strict=True)), bounds) for same in zip(*by_size.values(), strict=True)
        ]
    return found


def _run(
    unit: Unit | Unsupported, name: str, size: int, tell: bool, generation: Generation, portfolio: Portfolio
) -> Iterator[Obligation]:
    assert isinstance(unit, Unit)
    for o in generation.judge(unit, name, size, tell, portfolio):
        o.replay = o.replay and replace(o.replay, size=size)
        yield o


def _refusal(
    piece: Piece, units: Mapping[int, Unit | Unsupported], generation: Generation, functions: Sequence[Piece]
) -> list[Obligation] | None:
    """Return what is said of a function that cannot be judged, or None."""
    names = generation.names(piece.name) if piece.name in generation.functions else ()
    for unit in units.values():
        cause = unit if isinstance(unit, Unsupported) else unit.unsupported.get(piece.name)
        if cause is not None:
            where = Location(cause.loc.file, cause.loc.line) if cause.loc else Location(piece.file, piece.first_line)
            return [
                Obligation(name, piece.name, Verdict.UNSUPPORTED, reason=cause.construct, location=where)
                for name in names or ("refines-model",)
            ]
    if piece.name in generation.functions:
        return None
    if any(piece.name in f.called_names for f in functions if f.name != piece.name):
        return []
    reason = "nothing is claimed of it, and no function that is judged calls it"
    return [
        Obligation(
            "refines-model",
            piece.name,
            Verdict.UNSUPPORTED,
            reason=reason,
            location=Location(piece.file, piece.first_line),
        )
    ]


def _report(piece: Piece, units: Mapping[int, Unit | Unsupported], generation: Generation) -> FunctionReport:
    where = Location(piece.file, piece.first_line)
    unread = any(isinstance(u, Unsupported) or piece.name in u.unsupported for u in units.values())
    if unread:
        return FunctionReport(piece.name, "unsupported", where)
    note = "" if piece.name in generation.functions else "read where it is called"
    return FunctionReport(piece.name, _change(piece), where, note)


def _change(piece: Piece) -> str:
    """Say what happened to a function; one whose words are the same as before is equivalent."""
    if piece.change == "added":
        return "added"
    return "equivalent" if piece.before is not None and piece.before.split() == piece.text.split() else "different"


_WORST = (Verdict.REFUTED, Verdict.UNSUPPORTED, Verdict.UNKNOWN, Verdict.VACUOUS, Verdict.PROVED)


def merged(by_size: Mapping[int, Obligation], bounds: str) -> Obligation:
    """Return one obligation for all sizes: as bad as the worst of them."""
    same = by_size.values()
    worst = min(same, key=lambda o: _WORST.index(o.verdict))
    told = next((o for o in same if o.verdict is worst.verdict and o.run is not None), worst)
    return replace(
        told,
        bounds=bounds,
        seconds=sum(o.seconds for o in same),
        solvers=tuple(dict.fromkeys(s for o in same for s in o.solvers)),
        queries=tuple(replace(q, name=f"{size}-{q.name}") for size, o in by_size.items() for q in o.queries),
        cached=all(o.cached for o in same),
    )
