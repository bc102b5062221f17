"""How long a user waits: whole commands, with an empty cache, with a full one, and with answers only."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vgicheck.engine.cache import VARIABLE

ROOT = Path(__file__).resolve().parents[1]
WARM_RUNS = 5

Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds on the wall and of all processors, of them in the kernel, and what was printed."""

    wall: float
    processor: float
    system: float
    printed: bytes

    def __str__(self) -> str:
        return f"{self.wall:.2f} s wall, {self.processor:.2f} s processor ({self.system:.2f} s in the kernel)"


def took(cache: Path, *arguments: str) -> Took:
    """Run a command with a cache."""
    command = [sys.executable, "-c", "from vgicheck.cli import main; main()", *arguments]
    environment = {**os.environ, VARIABLE: str(cache), "PYTHONPATH": str(ROOT)}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    finished = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    system = after.ru_stime - before.ru_stime
    return Took(wall, after.ru_utime - before.ru_utime + system, system, finished.stdout)


def commands(patch: Path) -> Iterator[Row]:
    """Yield the times of `prove`, alone and with a second solver, and of the review of a patch."""
    for name, arguments in (
        ("prove", ("prove",)),
        ("prove --solver two", ("prove", "--solver", "two")),
        (f"review {patch.name}", ("review", str(patch))),
    ):
        yield from _one(name, arguments)


def _one(name: str, arguments: tuple[str, ...]) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        cold = took(cache, *arguments)
        yield f"{name}, empty cache", str(cold)
        warm = sorted((took(cache, *arguments) for _ in range(WARM_RUNS)), key=lambda t: t.wall)
        yield f"  full cache, median of {WARM_RUNS}", str(warm[WARM_RUNS // 2])
        shutil.rmtree(cache / "obligations")
        answers = took(cache, *arguments)
        yield "  answers only", str(answers)
        files = [path.stat().st_size for path in cache.rglob("*") if path.is_file()]
        yield "  the cache then holds", f"{len(files)} entries, {sum(files) / 1e6:.1f} MB"
        same = all(t.printed == cold.printed for t in (*warm, answers))
        yield "  all print", "the same bytes" if same else "DIFFERENT BYTES"
