"""A finite system judged by ABC's `pdr`: an invariant that keeps itself and excludes what must not be, or a run.

Nothing that ABC says is believed.  Its invariant comes back as a term over the system's cells, with the questions whose
answers make it a proof: they are of the system's own terms, and know nothing of the Boolean machine that ABC was given.
Its run comes back as labels, to be replayed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import z3

from .aig import FALSE
from .bits import Machine
from .system import Cell, System, as_term

PROGRAM = "berkeley-abc"
"""ABC, as Debian calls it."""
GRACE = 10.0
"""Seconds beyond its limit after which ABC is ended from outside."""
STATUS = re.compile(r"Status = (-?\d+)")
INPUT = re.compile(r"^pi(\d+)@(\d+)=([01])$", re.MULTILINE)
PROVED, REFUTED = "1", "0"


def installed() -> bool:
    """Say whether ABC is there."""
    return shutil.which(PROGRAM) is not None


@dataclass(frozen=True, slots=True)
class Decided:
    """What ABC says of a system: an `invariant`, a `run` by its labels, or the `reason` why neither."""

    seconds: float
    invariant: Any = None
    run: tuple[str, ...] | None = None
    reason: str = ""


def decide(system: System, timeout: float) -> Decided:
    """Ask ABC for an invariant or a run of a system with one initial state and one condition that must not be.

    `timeout` is in seconds.  Raises `NotUnderstood` for a term that cannot be written bit by bit.
    """
    start = time.perf_counter()
    late = f"{PROGRAM} has no answer within {timeout:g} s"
    machine = Machine(system)
    if machine.bad == FALSE:
        return Decided(time.perf_counter() - start, z3.BoolVal(True))
    with tempfile.TemporaryDirectory(prefix="vgicheck-") as name:
        folder = Path(name)
        (folder / "machine.aig").write_bytes(machine.aiger)
        prove = f"pdr -n -T {ceil(timeout)} -d -I invariant.pla"
        command = [PROGRAM, "-s", "-q", f"read_aiger machine.aig; {prove}; print_status; write_cex -n run.txt"]
        try:
            finished = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=timeout + GRACE, check=False
            )
        except OSError as error:
            return Decided(0.0, reason=f"{PROGRAM} cannot be run: {error.strerror}")
        except subprocess.TimeoutExpired:
            return Decided(time.perf_counter() - start, reason=late)
        seconds = time.perf_counter() - start
        if finished.returncode:
            return Decided(seconds, reason=f"{PROGRAM} ended with status {finished.returncode}")
        status = STATUS.search(finished.stdout)
        try:
            if status is not None and status[1] == PROVED:
                return Decided(seconds, _invariant(machine, (folder / "invariant.pla").read_text()))
            if status is not None and status[1] == REFUTED:
                return Decided(seconds, run=tuple(machine.labels(_inputs(machine, (folder / "run.txt").read_text()))))
        except (OSError, ValueError) as error:
            return Decided(seconds, reason=f"{PROGRAM} left something else than was asked for: {error}")
    return Decided(seconds, reason=late)


def _invariant(machine: Machine, text: str) -> Any:
    """Read the states that the invariant excludes: one set a line, by the latches that are 0 and 1 in it."""
    names = next((line.split()[1:] for line in text.splitlines() if line.startswith(".ilb")), [])
    latches = [int(name.removeprefix("lo")) for name in names]
    known = {latch: machine.bit(latch) for latch in latches}
    clauses = []
    for line in text.splitlines():
        if line and line[0] in "01-":
            cube, _, value = line.partition(" ")
            if len(cube) != len(latches) or value != "1":
                raise ValueError(f"the line {line!r} of an invariant")
            held = zip(cube, latches, strict=True)
            clauses.append(z3.Or(*(z3.Not(known[l]) if c == "1" else known[l] for c, l in held if c != "-")))
    return z3.And(*clauses)


def _inputs(machine: Machine, text: str) -> Sequence[Sequence[bool]]:
    """Read the values of the inputs, by step."""
    given = [(int(n), int(step), value == "1") for n, step, value in INPUT.findall(text)]
    found = [[False] * machine.graph.inputs for _ in range(1 + max((step for _, step, _ in given), default=0))]
    for n, step, value in given:
        found[step][n] = value
    return found


def questions(system: System, invariant: Any) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield what must not be possible for an invariant to be a proof of a system, each with a name.

    That it fails at the start; that a step leads from where it holds to where it does not, or out of the system; that
    something holds with it that must not be, or is not defined.
    """
    before = [(cell, cell.term) for cell in system.cells]
    after = [(cell, z3.Const(f"{cell.name}'", cell.term.sort())) for cell in system.cells]
    renamed = [(term, new) for (_, term), (_, new) in zip(before, after, strict=True)]
    here, there = _listed(before), _listed(after)
    starts = [
        z3.And(*(cell.term == as_term(state[cell.name], cell.width) for cell in system.cells))
        for state in system.initial
    ]
    yield "start", [z3.Or(*starts), z3.Not(z3.And(here, invariant))]
    steps, undefined = [], []
    for t in system.transitions:
        guard = as_term(t.guard, 0)
        moves = (new == as_term(t.updates.get(cell.name, cell.term), cell.width) for cell, new in after)
        steps.append(z3.And(guard, *moves))
        undefined.append(z3.Not(as_term(t.decidable, 0)))
        undefined += [z3.And(guard, z3.Not(term)) for term in t.defined.values()]
    kept = z3.And(there, z3.substitute(invariant, *renamed))
    yield "step", [here, invariant, z3.Or(*steps), z3.Not(kept)]
    undefined += [z3.Not(as_term(term, 0)) for term in system.requires.values()]
    yield "never", [here, invariant, z3.Or(*(as_term(term, 0) for term in system.bad.values()), *undefined)]


def _listed(cells: Sequence[tuple[Cell, Any]]) -> Any:
    """Return where each cell has one of its values."""
    return z3.And(*(z3.Or(*(term == as_term(v, cell.width) for v in cell.values)) for cell, term in cells))
