"""The machine of `bench.races` once more, as Promela: written apart from the Python text, so that counts can disagree.

One process in one loop, each step one `d_step`, so that a state of SPIN is a state of the machine.  Every cell is a
bit-field of its own, which is the smallest state vector that SPIN makes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .races import Rearm

SPIN_MEMORY = 16_000
"""MiB that SPIN's verifier may take."""


def model(vcpus: int, irqs: int, rearm: Rearm) -> str:
    """Return the text of the model."""
    lines = [*_declarations(vcpus, irqs), "active proctype machine() {", "do"]
    for guard, body in _steps(vcpus, irqs, rearm):
        lines.append(f":: d_step {{ {guard} -> {' '.join(body)} }}")
    return "\n".join([*lines, "od", "}", ""])


def _declarations(vcpus: int, irqs: int) -> Iterator[str]:
    yield "#define HOST 0\n#define GUEST 1\n#define EXIT 2\n#define SYNC 3\n#define BLOCKED 4\n#define WCHK 5"
    yield "bit over;"
    for i in range(irqs):
        yield f"bit line{i}; bit active{i}; unsigned target{i} : 2;"
    for v in range(vcpus):
        yield f"bit poc{v}; bit kick{v}; unsigned st{v} : 3; bit wfi{v};"
        yield from (f"unsigned lr{v}_{i} : 2;" for i in range(irqs))


def _steps(vcpus: int, irqs: int, rearm: Rearm) -> Iterator[tuple[str, list[str]]]:
    some_host = " || ".join(f"st{v} == HOST" for v in range(vcpus))
    for i in range(irqs):
        poke = [_on_target(i, t, f"poc{t} = 1; kick{t} = 1;") for t in range(vcpus)]
        yield f"!line{i}", [f"line{i} = 1;", f"if :: !active{i} -> {' '.join(poke)} :: else fi;"]
        yield f"line{i}", [f"line{i} = 0;"]
        for t in range(vcpus):
            yield f"target{i} != {t} && ({some_host})", [
                f"target{i} = {t};", f"if :: line{i} -> poc{t} = 1; kick{t} = 1; :: else fi;"]  # fmt: skip
    for v in range(vcpus):
        yield f"kick{v}", [
            f"kick{v} = 0; if :: st{v} == BLOCKED -> st{v} = HOST;",
            f":: st{v} == GUEST -> st{v} = EXIT; wfi{v} = 0; :: else fi;"]  # fmt: skip
        yield f"st{v} == HOST", [*_flush(v, irqs, full=False)]
        yield f"st{v} == HOST", [*_flush(v, irqs, full=True)]
        for i in range(irqs):
            yield f"st{v} == GUEST && lr{v}_{i} == 1", [f"lr{v}_{i} = 2;"]
            yield f"st{v} == GUEST && lr{v}_{i} == 2", [f"lr{v}_{i} = 3;"]
        yield f"st{v} == GUEST", [f"st{v} = EXIT; wfi{v} = 0;"]
        yield f"st{v} == GUEST", [f"st{v} = EXIT; wfi{v} = 1;"]
        yield f"st{v} == EXIT", [*_maintenance(v, vcpus, irqs, rearm), f"st{v} = SYNC;"]
        held = " || ".join(f"lr{v}_{i} == 1 || lr{v}_{i} == 2" for i in range(irqs))
        yield f"st{v} == SYNC", [
            f"if :: ({held}) -> poc{v} = 1; :: else fi;",
            f"if :: wfi{v} -> st{v} = WCHK; :: else -> st{v} = HOST; fi; wfi{v} = 0;"]  # fmt: skip
        yield f"st{v} == WCHK", [f"if :: poc{v} -> st{v} = HOST; :: else -> st{v} = BLOCKED; fi;"]
    high = " || ".join(f"line{i}" for i in range(irqs))
    asleep = " && ".join(f"st{v} == BLOCKED && !kick{v}" for v in range(vcpus))
    yield f"({high}) && {asleep}", ["assert(false);"]


def _on_target(i: int, t: int, body: str) -> str:
    return f"if :: target{i} == {t} -> {body} :: else fi;"


def _flush(v: int, irqs: int, full: bool) -> Iterator[str]:
    yield "over = 0;"
    for i in range(irqs):
        fits = (
            "over = 1;" if full else f"if :: lr{v}_{i} != 0 -> over = 1; :: else -> lr{v}_{i} = 1; active{i} = 1; fi;"
        )
        yield f"if :: poc{v} && target{i} == {v} && line{i} && !active{i} -> {fits} :: else fi;"
    yield f"if :: !over -> poc{v} = 0; :: else fi; over = 0; st{v} = GUEST;"


def _maintenance(v: int, vcpus: int, irqs: int, rearm: Rearm) -> Iterator[str]:
    for i in range(irqs):
        again = ""
        if rearm is Rearm.TARGET:
            poke = " ".join(_on_target(i, t, f"poc{t} = 1; kick{t} = 1;") for t in range(vcpus))
            again = f"if :: line{i} -> {poke} :: else fi;"
        elif rearm is Rearm.SELF:
            again = f"if :: line{i} -> poc{v} = 1; :: else fi;"
        yield f"if :: lr{v}_{i} == 3 -> lr{v}_{i} = 0; active{i} = 0; {again} :: else fi;"


@dataclass(frozen=True, slots=True)
class SpinAnswer:
    """What SPIN says: states and transitions to eight digits, errors, the steps to the deepest state, seconds, memory.

    `complete` says that the search was not cut short. `building` is the time of `spin -a` and gcc, `running` that of
    the verifier.
    """

    states: int
    transitions: int
    errors: int
    depth: int
    complete: bool
    building: float
    running: float
    mebibytes: float


def eight_digits(count: int) -> int:
    """Return a count as SPIN prints it."""
    return int(float(f"{count:.8g}"))


def installed() -> bool:
    """Say whether SPIN and gcc are there."""
    return shutil.which("spin") is not None and shutil.which("gcc") is not None


def ask_spin(text: str, folder: Path, *, breadth_first: bool, hash_bits: int, depth: int) -> SpinAnswer:
    """Run SPIN on a model in an empty folder, exhaustively, without partial-order reduction.

    `depth` is the most steps that a depth-first search takes.  Raises `RuntimeError` with SPIN's words where it fails.
    """
    (folder / "machine.pml").write_text(text)
    start = time.perf_counter()
    _run(["spin", "-a", "machine.pml"], folder)
    flags = ["-DSAFETY", "-DNOREDUCE", "-DNOFAIR", "-DXUSAFE", f"-DMEMLIM={SPIN_MEMORY}"]
    _run(["gcc", "-O2", "-w", *flags, *(["-DBFS"] if breadth_first else []), "-o", "pan", "pan.c"], folder)
    built = time.perf_counter()
    said = _run(["./pan", "-E", f"-w{hash_bits}", f"-m{depth}"], folder)
    done = time.perf_counter()

    def number(pattern: str) -> float:
        match = re.search(pattern, said)
        if match is None:
            raise RuntimeError(f"SPIN does not say {pattern}: {said.strip()[-300:]}")
        return float(match[1])

    return SpinAnswer(
        states=int(number(r"([0-9.e+]+) states, stored")),
        transitions=int(number(r"([0-9.e+]+) transitions \(=")),
        errors=int(number(r"errors: (\d+)")),
        depth=int(number(r"depth reached (\d+)")),
        complete="Search not completed" not in said and "max search depth too small" not in said,
        building=built - start,
        running=done - built,
        mebibytes=number(r"([0-9.]+)\s+total actual memory usage"),
    )


def _run(command: list[str], folder: Path) -> str:
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(finished.stdout + finished.stderr).strip()[-300:]}")
    return finished.stdout
