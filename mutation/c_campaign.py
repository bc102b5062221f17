"""Judging mutants of a function that a patch brings; the rest of the patch stays as it is.

A function that another hands to a service, which runs it, is judged by the other's obligations as well as its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from proofs.bindings.kvm_2012 import SIZES, bound
from proofs.claims import claimed_of
from proofs.generations import Generation, october_2012
from proofs.obligations import REFINES
from properties.property import At
from vgicheck.c.ir import Unsupported
from vgicheck.c.judge import CODE, Judge
from vgicheck.c.source import Chunk, Unit, assemble
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.values import fresh, lt
from vgicheck.engine.verdict import Verdict
from vgicheck.engine.workers import run_all
from vgicheck.review.fragments import Piece, all_pieces
from vgicheck.review.patch import read_patch

from .c_mutants import mutants
from .mutant import Fate, MeaninglessError, Mutant, Outcome, Verdicts, fate_of

SIZE = SIZES[0]
"""VGIC_NR_IRQS of every mutant: the patch's own."""
PORTFOLIO = Portfolio(10.0)
"""Seconds for one question."""
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
        """Return a function and those of the patch that it calls, and they call, unless bound themselves."""
        brought = {p.name: p for p in self.pieces if p.kind == "function"}
        found = [function]
        for name in found:
            found += [c for c in brought[name].called_names if c in brought and c not in (*found, *self.functions)]
        return tuple(dict.fromkeys(found))

    def judges(self, function: str) -> tuple[str, ...]:
        """Return a function of the patch and the bound ones that name it: it is judged by what is claimed of these."""
        names = re.compile(rf"\b{function}\b")
        return (function, *(f for f in self.functions if f != function and names.search(self.piece(f).text)))

    @property
    def ours(self) -> frozenset[str]:
        """The files of the translation unit that are not of the patch."""
        return frozenset(s.name for s in (*self.generation.stubs, self.generation.entries))

    def unit(self, function: str, text: str, size: int = SIZE) -> Unit:
        """Return the translation unit in which a function has another text. Raises `Unsupported`."""
        chunks = [
            Chunk(p.kind, p.name, text if (p.kind, p.name) == ("function", function) else p.text, p.file, p.first_line)
            for p in self.pieces
            if p.kind in ("define", "declaration", "function")
        ]
        g = self.generation
        return assemble(g.stubs, chunks, g.entries, {g.size_macro: str(size)})

    def unit_as_it_is(self, size: int) -> Unit:
        """Return the translation unit of the patch. Raises `Unsupported`."""
        first = self.functions[0]
        return self.unit(first, self.piece(first).text, size)


def example(patch: Path) -> Example:
    """Read an example."""
    return Example(all_pieces(read_patch(patch.read_bytes(), patch.name)), october_2012())


def prepared(subject: Example, function: str, edited: str, text: str) -> Unit:
    """Return the unit in which `edited`, the function or a callee, has another text. Raises `MeaninglessError`."""
    try:
        unit = subject.unit(edited, text)
    except Unsupported as cause:
        raise MeaninglessError(cause.construct) from None
    for name in (edited, function):
        if name in unit.unsupported:
            raise MeaninglessError(unit.unsupported[name].construct)
    return unit


def judged(subject: Example, function: str, edited: str, text: str) -> Iterator[tuple[str, Verdict]]:
    """Judge a function as `prepared`, the refinement of the model last. Raises `MeaninglessError`."""
    unit = prepared(subject, function, edited, text)
    at = fresh(At, "at")
    properties = claimed_of(function)
    judge = Judge(
        unit.program,
        bound(SIZE)[function],
        at,
        lt(at.intid, SIZE),
        at.lr,
        subject.ours,
        frozenset(p.id for p in properties),
        PORTFOLIO,
        tell=False,
    )
    try:
        judge.summarise()
        for name in CODE:
            yield name, judge.code(name).verdict
        for p in properties:
            yield p.id, judge.property(p.id, p.formula, p.repeated).verdict
    except Unsupported as cause:
        raise MeaninglessError(cause.construct) from None
    if REFINES in subject.generation.names(function):
        whole = subject.generation.judge(unit, function, SIZE, False, PORTFOLIO)
        yield REFINES, next(o.verdict for o in whole if o.property == REFINES)


def answers(subject: Example, function: str, edited: str, text: str) -> Iterator[tuple[str, Verdict]]:
    """Judge a function, and those that name it, as `judged`. Raises `MeaninglessError`."""
    for judge in subject.judges(function):
        for name, verdict in judged(subject, judge, edited, text):
            yield f"{judge}/{name}", verdict


def outcome(subject: Example, function: str, mutant: Mutant, baseline: Verdicts) -> Outcome:
    """Judge a mutant of a function of an example, or of one that it calls."""
    return fate_of(mutant, baseline, answers(subject, function, mutant.function, mutant.source))


def expected(subject: Example, function: str) -> dict[str, Verdict]:
    """Return the verdicts on a function as it is. Raises `MeaninglessError` where it is not understood."""
    return dict(answers(subject, function, function, subject.piece(function).text))


def campaign(subject: Example, function: str, chosen: Sequence[Mutant], jobs: int) -> list[Outcome]:
    """Judge mutants of one function, each in a process of its own."""
    baseline = expected(subject, function)
    tasks = [partial(outcome, subject, function, m, baseline) for m in chosen]
    return run_all(tasks, jobs, LIMIT, lambda n, reason: Outcome(chosen[n], Fate.UNDECIDED, why=reason))


def all_mutants(subject: Example, function: str) -> list[Mutant]:
    """List the mutants of a function of an example and of those that it calls; lines are those of the patched file."""
    pieces = [subject.piece(name) for name in subject.closure(function)]
    return [replace(m, line=m.line + p.first_line - 1) for p in pieces for m in mutants(p.name, p.text)]
