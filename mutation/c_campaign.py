"""Judging mutants of a function that a patch brings: the rest of the patch stays, the function's text is the mutant's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from proofs.bindings.kvm_2012 import SIZES
from proofs.generations import Generation, october_2012
from vgicheck.c.ir import Unsupported
from vgicheck.c.source import Chunk, Unit, assemble
from vgicheck.engine.verdict import Obligation, Verdict
from vgicheck.engine.workers import run_all
from vgicheck.review.fragments import Piece, all_pieces
from vgicheck.review.patch import read_patch

from .c_mutants import mutants
from .mutant import Fate, Mutant, Outcome, Verdicts, compared

SIZE = SIZES[0]
"""VGIC_NR_IRQS of every mutant: the patch's own."""
TIMEOUT = 10.0
"""Seconds for one question; a mutant for which a proof no longer comes in time counts as noticed."""
LIMIT = 120.0
"""Seconds for all obligations of one mutant."""


@dataclass(frozen=True, slots=True)
class Example:
    """The pieces of a patch that a translation unit is made of, and the generation against which it is judged."""

    pieces: tuple[Piece, ...]
    generation: Generation

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions of the patch that are bound, in its order."""
        return tuple(p.name for p in self.pieces if p.kind == "function" and p.name in self.generation.functions)

    def piece(self, function: str) -> Piece:
        """Return a function of the patch. Raises `KeyError` where the patch has none of this name."""
        for piece in self.pieces:
            if piece.kind == "function" and piece.name == function:
                return piece
        raise KeyError(function)

    def closure(self, function: str) -> tuple[str, ...]:
        """Return a function and those of the patch that it calls, and they call, as far as they are not bound themselves."""
        brought = {p.name: p for p in self.pieces if p.kind == "function"}
        found = [function]
        for name in found:
            found += [c for c in brought[name].called_names if c in brought and c not in (*found, *self.functions)]
        return tuple(dict.fromkeys(found))

    def unit(self, function: str, text: str) -> Unit:
        """Return the translation unit in which a function has another text. Raises `Unsupported`."""
        chunks = [
            Chunk(p.kind, p.name, text if (p.kind, p.name) == ("function", function) else p.text, p.file, p.first_line)
            for p in self.pieces
            if p.kind in ("define", "declaration", "function")
        ]
        g = self.generation
        return assemble(g.stubs, chunks, g.entries, {g.size_macro: str(SIZE)})


def example(patch: Path) -> Example:
    """Read an example."""
    return Example(all_pieces(read_patch(patch.read_bytes(), patch.name)), october_2012(TIMEOUT))


def judged(subject: Example, function: str, edited: str, text: str) -> list[Obligation] | str:
    """Judge a function where `edited`, itself or one that it calls, has another text; or say why it is not understood."""
    try:
        unit = subject.unit(edited, text)
    except Unsupported as cause:
        return cause.construct
    for name in (edited, function):
        if name in unit.unsupported:
            return unit.unsupported[name].construct
    return subject.generation.judge(unit, function, SIZE, False)


def verdicts(subject: Example, function: str, edited: str, text: str) -> Verdicts | str:
    """Return the verdict of each obligation of a function as `judged` sees it, or why it is not understood."""
    found = judged(subject, function, edited, text)
    if isinstance(found, str):
        return found
    if all(o.verdict is Verdict.UNSUPPORTED for o in found):
        return found[0].reason
    return {o.property: str(o.verdict) for o in found}


def outcome(subject: Example, function: str, mutant: Mutant, baseline: Verdicts) -> Outcome:
    """Judge a mutant of a function of an example, or of one that it calls."""
    return compared(mutant, baseline, verdicts(subject, function, mutant.function, mutant.source))


def expected(subject: Example, function: str) -> Verdicts:
    """Return the verdicts on a function as it is. Raises `ValueError` where it is not understood."""
    found = verdicts(subject, function, function, subject.piece(function).text)
    if isinstance(found, str):
        raise ValueError(f"{function}(): {found}")
    return found


def campaign(subject: Example, function: str, chosen: Sequence[Mutant], jobs: int) -> list[Outcome]:
    """Judge mutants of one function, each in a process of its own; one that runs out of time is noticed by that."""
    baseline = expected(subject, function)
    tasks = [partial(outcome, subject, function, m, baseline) for m in chosen]
    return run_all(tasks, jobs, LIMIT, lambda n, reason: Outcome(chosen[n], Fate.KILLED, ("in bounded time",), reason))


def all_mutants(subject: Example, function: str) -> list[Mutant]:
    """List the mutants of a function of an example and of those that it calls; lines are those of the patched file."""
    pieces = [subject.piece(name) for name in subject.closure(function)]
    return [replace(m, line=m.line + p.first_line - 1) for p in pieces for m in mutants(p.name, p.text)]
