"""How the cost of a race grows with vCPUs, interrupts and list registers: the explorer, SPIN and ABC, as a picture.

Two machines: the small one of `bench.races`, which SPIN has as well, and the model's own, the reference, of which it is
asked whether a level interrupt is lost.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.generation import REFERENCE
from proofs.premise import NO_TERMS
from proofs.races import sized
from proofs.runs import search
from proofs.second import opinion
from vgicheck.engine.pdr import installed
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Verdict

from . import explorer, promela
from .measure import Row
from .races import Rearm

PROPERTY = "level-not-lost"
STATES = 20_000_000
"""Of the model's machine, at the most."""
LIMIT = 200.0
"""Seconds that ABC may take for one of the model's machines."""
PICTURE = Path("build") / "races.svg"
EXPLORER, SPIN, ABC = "explorer", "SPIN", "ABC"
COLOURS = {EXPLORER: "C0", SPIN: "C1", ABC: "C2"}

Numbers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """Machines of which one number grows: what it counts, what stays, and the numbers of each machine."""

    counts: str
    stays: str
    numbers: tuple[Numbers, ...]
    grows: int
    """Which of a machine's numbers it is."""


SMALL = (
    Curve("vCPUs", "1 interrupt", ((1, 1), (2, 1), (3, 1)), 0),
    Curve("interrupts", "2 vCPUs", ((2, 1), (2, 2), (2, 3)), 1),
)
"""Of the small machine: vCPUs and interrupts."""
WHOLE = (
    Curve("vCPUs", "1 interrupt, 1 list register", ((1, 1, 1), (2, 1, 1)), 0),
    Curve("interrupts", "1 vCPU, 1 list register", ((1, 1, 1), (1, 2, 1), (1, 3, 1), (1, 4, 1)), 1),
    Curve("list registers", "1 vCPU, 1 interrupt", ((1, 1, 1), (1, 1, 2), (1, 1, 3), (1, 1, 4)), 2),
)
"""Of the model's machine: vCPUs, interrupts and list registers."""


def whole(task: str, numbers: Numbers) -> dict[str, Any]:
    """Judge a machine of the model's in this process, by one engine; return what it says, and how many states."""
    vcpus, irqs, lrs = numbers
    size = sized(vcpus, vcpus, irqs, lrs)
    if task == ABC:
        second = opinion(PROPERTY, size, REFERENCE, NO_TERMS, Portfolio(LIMIT))
        return {"done": second.verdict is Verdict.PROVED, "said": second.reason or "proved for all time"}
    seen = search(size, REFERENCE, (PROPERTY,), STATES).exploration
    return {"done": seen.exhaustive, "said": seen.ended or f"{seen.states:,} states, {seen.transitions:,} transitions"}


Point = tuple[int, float]
"""The number that grows, and seconds of processor time."""


def growth() -> Iterator[Row]:
    """Yield what each machine costs each engine, and draw the curves; what has no answer is no point of them."""
    panels: list[tuple[str, Curve, dict[str, list[Point]]]] = []
    for title, curves, measured in (("the small machine", SMALL, _small), ("the model's machine", WHOLE, _whole)):
        for curve in curves:
            points: dict[str, list[Point]] = {}
            for numbers in curve.numbers:
                n = numbers[curve.grows]
                for engine, done, said, cost in measured(numbers):
                    yield f"{title}: {curve.counts} {n}, {curve.stays}", f"{engine}: {cost}; {said}"
                    if done:
                        points.setdefault(engine, []).append((n, cost.processor))
            panels.append((title, curve, points))
    _drawn(panels)
    yield "picture", str(PICTURE)


Measured = tuple[str, bool, str, explorer.Cost]
"""An engine, whether it was done, what it says, and its cost."""


def _small(numbers: Numbers) -> Iterator[Measured]:
    vcpus, irqs = numbers
    found, cost = explorer.ours(vcpus, irqs, Rearm.TARGET)
    yield EXPLORER, not found["ended"], f"{found['states']:,} states, {found['transitions']:,} transitions", cost
    if promela.installed():
        answer, cost = explorer.spin(vcpus, irqs, Rearm.TARGET, breadth_first=True)
        yield SPIN, answer.complete, f"{answer.states:,} states, {answer.transitions:,} transitions", cost
    if installed():
        said, cost = explorer.abc(vcpus, irqs, Rearm.TARGET)
        yield ABC, "proved" in said, said, cost


def _whole(numbers: Numbers) -> Iterator[Measured]:
    for engine in (EXPLORER, ABC) if installed() else (EXPLORER,):
        found, cost = explorer.apart(engine, *numbers, module="bench.growth")
        yield engine, found["done"], found["said"], cost


def _drawn(panels: Sequence[tuple[str, Curve, dict[str, list[Point]]]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 3.5), layout="constrained")
    for axes, (title, curve, points) in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
        for engine, found in points.items():
            axes.plot(*zip(*found, strict=True), marker="o", label=engine, color=COLOURS[engine])
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel(f"{curve.counts}; {curve.stays}")
        axes.set_xticks([numbers[curve.grows] for numbers in curve.numbers])
        axes.set_yscale("log")
        axes.legend()
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("seconds of processor time")
    figure.suptitle("from a cold start to: no interrupt is lost")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    print(json.dumps(whole(sys.argv[1], tuple(map(int, sys.argv[2:])))))
