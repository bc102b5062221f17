"""How the time of the machine's proof depends on how many interrupts and list registers there may be, as a picture."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from model.generation import REFERENCE
from model.steps import STEPS
from proofs.machine import POSSIBLE, Induction
from vgicheck.engine.solve import ask
from vgicheck.engine.workers import run_all

from .measure import LIMIT, Row

INTIDS = (32, 64, 128, 256, 512, 1020)
LRS = (1, 2, 4, 8, 16, 32, 64)
RUNS = 3
PICTURE = Path("build") / "curves.svg"


def proof(intids: int, lrs: int) -> tuple[bool, float]:
    """Prove every invariant of every step for so many interrupts and list registers, in one process.

    Return whether all are kept, and the solver's seconds.
    """
    induction = Induction(REFERENCE, intids=intids, lrs=lrs)
    kept, seconds = True, 0.0
    for step in STEPS:
        for goal in induction.step(step):
            if goal.claim is not POSSIBLE and (assertions := goal.assertions):
                answer = ask(assertions, LIMIT)
                kept, seconds = kept and answer.result == "unsat", seconds + answer.seconds
    return kept, seconds


def measured(sizes: Sequence[tuple[int, int]]) -> list[list[float]]:
    """Return the solver's seconds of each size, of several runs in turn. Raises `RuntimeError` where it is no proof."""
    tasks = [partial(proof, *size) for _ in range(RUNS) for size in sizes]
    found = run_all(tasks, 1, 100 * LIMIT, lambda n, reason: (False, 0.0))
    if not all(kept for kept, _ in found):
        raise RuntimeError("the reference is not proved for every size")
    return [[seconds for _, seconds in found[n :: len(sizes)]] for n in range(len(sizes))]


def curves() -> Iterator[Row]:
    """Yield the time of every size, and draw both curves."""
    by_intids = measured([(n, 64) for n in INTIDS])
    by_lrs = measured([(1020, n) for n in LRS])
    for what, sizes, found in (("interrupts", INTIDS, by_intids), ("list registers", LRS, by_lrs)):
        for n, seconds in zip(sizes, found, strict=True):
            yield f"{n} {what}", f"solver {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
    _drawn(by_intids, by_lrs)
    yield "picture", str(PICTURE)


def _drawn(by_intids: Sequence[Sequence[float]], by_lrs: Sequence[Sequence[float]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, sizes, found, what in (
        (left, INTIDS, by_intids, "interrupts, at 64 list registers"),
        (right, LRS, by_lrs, "list registers, at 1,020 interrupts"),
    ):
        axes.plot(sizes, [statistics.median(f) for f in found], marker="o")
        axes.fill_between(sizes, [min(f) for f in found], [max(f) for f in found], alpha=0.2)
        axes.set_xlabel(what)
        axes.set_ylim(bottom=0)
    left.set_ylabel("seconds in the solver")
    figure.suptitle("every invariant of every step of the machine, proved")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE)
