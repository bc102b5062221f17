"""The explorer beside SPIN and ABC, each from a cold start to its answer, on the machine of `bench.races`."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vgicheck.engine.pdr import installed

from . import promela
from .races import Rearm, system

ROOT = Path(__file__).resolve().parents[1]
EXHAUSTIVE = ((2, 2), (2, 3), (3, 2))
"""vCPUs and interrupts: 0.3, 7 and 46 million states."""
HUNTED = ((2, 1), (2, 2))
HASH_BITS = {(1, 1): 10, (3, 1): 20, (2, 1): 16, (2, 2): 20, (2, 3): 24, (3, 2): 27}
"""SPIN's hash table: a slot for each state and more."""
JOBS = 2
MEMORY = 4 << 30
LIMIT = 600.0
"""Seconds that ABC may take."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of wall and of processor time, and MiB at the most."""

    wall: float
    processor: float
    mebibytes: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} s wall, {self.processor:.2f} s processor, {self.mebibytes:.0f} MiB"


def explored(vcpus: int, irqs: int, rearm: Rearm, hunt: bool) -> dict[str, Any]:
    """Explore an instance in this process; return what was seen and what it took."""
    from vgicheck.engine.explore import explore

    start = time.perf_counter()
    machine = system(vcpus, irqs, rearm)
    built = time.perf_counter()
    found = explore(machine, memory=MEMORY, jobs=JOBS, stop_when_found=hunt)
    searched = time.perf_counter()
    run = found.violations["lost"]
    return {
        "states": found.states,
        "transitions": found.transitions,
        "steps": len(run) - 1 if run else 0,
        "ended": found.ended,
        "building": built - start,
        "searching": searched - built,
    }


def proved(vcpus: int, irqs: int, rearm: Rearm) -> dict[str, Any]:
    """Ask ABC of an instance in this process; return what it says, once Z3 has accepted its invariant, or its run."""
    from vgicheck.engine.pdr import decide, questions
    from vgicheck.engine.solve import ask

    machine = system(vcpus, irqs, rearm)
    found = decide(machine, LIMIT)
    said = f"NO ANSWER: {found.reason}" if found.run is None else f"a run of {len(found.run)} steps"
    if found.invariant is not None:
        answers = [ask(assertions, LIMIT).result for _, assertions in questions(machine, found.invariant)]
        said = "proved for all time" if set(answers) == {"unsat"} else f"NOT ACCEPTED: {', '.join(answers)}"
    return {"said": said}


def ours(vcpus: int, irqs: int, rearm: Rearm, *, hunt: bool = False) -> tuple[dict[str, Any], Cost]:
    """Explore an instance in a process of its own, the start of Python counted."""
    return apart("explore", vcpus, irqs, rearm.name, int(hunt))


def abc(vcpus: int, irqs: int, rearm: Rearm) -> tuple[str, Cost]:
    """Ask ABC of an instance in a process of its own, the start of Python and the check by Z3 counted."""
    found, cost = apart("prove", vcpus, irqs, rearm.name)
    return found["said"], cost


def apart(*arguments: str | int, module: str = "bench.explorer") -> tuple[dict[str, Any], Cost]:
    """Run a module of the bench in a process of its own; return what it prints as JSON, and its cost."""
    answer, cost = watched([sys.executable, "-m", module, *map(str, arguments)])
    return json.loads(answer), cost


def watched(command: Sequence[str]) -> tuple[str, Cost]:
    """Run a command; return what it prints, and its cost, with pages that its processes share counted for each."""
    before, start = _processor(), time.perf_counter()
    most: dict[str, int] = {}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            for pid in (str(process.pid), *_children(process.pid)):
                most[pid] = max(most.get(pid, 0), _high_water(pid))
            time.sleep(0.02)
        assert process.stdout is not None
        said = process.stdout.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    return said, Cost(time.perf_counter() - start, _processor() - before, sum(most.values()) / 1024)


def _processor() -> float:
    """Return the seconds of processor time that ended children took."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _children(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return []


def _high_water(process: str) -> int:
    """Return the most KiB that a process has held; 0 for one that is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def spin(vcpus: int, irqs: int, rearm: Rearm, *, breadth_first: bool) -> tuple[promela.SpinAnswer, Cost]:
    """Ask SPIN about an instance; `spin -a` and the C compiler are counted, the memory is what SPIN says."""
    before = _processor()
    with tempfile.TemporaryDirectory() as folder:
        answer = promela.ask_spin(
            promela.model(vcpus, irqs, rearm),
            Path(folder),
            breadth_first=breadth_first,
            hash_bits=HASH_BITS[vcpus, irqs],
            depth=20_000_000,
        )
    return answer, Cost(answer.building + answer.running, _processor() - before, answer.mebibytes)


def exhaustive() -> Iterator[tuple[str, str]]:
    """Yield, for each instance of the right machine, what every state costs both, and whether the counts agree."""
    for vcpus, irqs in EXHAUSTIVE:
        found, cost = ours(vcpus, irqs, Rearm.TARGET)
        rate = found["transitions"] / found["searching"] / 1e6
        name = f"{vcpus} vCPUs, {irqs} interrupts"
        yield name, f"{found['states']:,} states, {found['transitions']:,} transitions{_unfinished(found)}"
        yield "  explorer", f"{cost}; {rate:.1f} M transitions/s, terms built in {found['building']:.2f} s"
        if not promela.installed():
            yield "  SPIN", "spin or gcc not installed, skipped"
        # A depth-first search of the largest instance holds 6 GB and takes twice as long as a breadth-first one.
        orders = (True, False) if (vcpus, irqs) != EXHAUSTIVE[-1] else (True,)
        for breadth_first in orders if promela.installed() else ():
            answer, theirs = spin(vcpus, irqs, Rearm.TARGET, breadth_first=breadth_first)
            counts_of_ours = (found["states"], found["transitions"] + 1)
            agree = (answer.states, answer.transitions) == tuple(map(promela.eight_digits, counts_of_ours))
            counts = "the same counts" if agree and answer.complete else f"OTHER COUNTS: {answer.states:,} states"
            order = "breadth" if breadth_first else "depth"
            rate = answer.transitions / answer.running / 1e6
            yield f"  SPIN, {order} first", f"{theirs}; {rate:.1f} M transitions/s; {counts}; {_ratio(theirs, cost)}"
        yield from _of_abc(vcpus, irqs, Rearm.TARGET, cost)


def hunts() -> Iterator[tuple[str, str]]:
    """Yield, for the machines that lose an interrupt, what the first shortest run costs both."""
    for vcpus, irqs in HUNTED:
        for rearm in (Rearm.NOTHING, Rearm.SELF):
            found, cost = ours(vcpus, irqs, rearm, hunt=True)
            yield f"{vcpus} vCPUs, {irqs} interrupts, {rearm.name}", f"lost after {found['steps']} steps"
            yield "  explorer", f"{cost}; of that {found['building'] + found['searching']:.2f} s after imports"
            if promela.installed():
                answer, theirs = spin(vcpus, irqs, rearm, breadth_first=True)
                same = "as many steps" if answer.depth == found["steps"] else f"OTHER STEPS: {answer.depth}"
                yield "  SPIN, breadth first", f"{theirs}; {same}; {_ratio(theirs, cost)}"
            yield from _of_abc(vcpus, irqs, rearm, cost)


def _of_abc(vcpus: int, irqs: int, rearm: Rearm, cost: Cost) -> Iterator[tuple[str, str]]:
    if not installed():
        yield "  ABC", "berkeley-abc not installed, skipped"
        return
    said, theirs = abc(vcpus, irqs, rearm)
    yield "  ABC, pdr", f"{theirs}; {said}; {_ratio(theirs, cost)}"


def _unfinished(found: dict[str, Any]) -> str:
    return f", NOT ALL: {found['ended']}" if found["ended"] else ""


def _ratio(theirs: Cost, cost: Cost) -> str:
    return f"{theirs.wall / cost.wall:.1f} times the explorer's wall time"


if __name__ == "__main__":
    task, *given = sys.argv[1:]
    instance = int(given[0]), int(given[1]), Rearm[given[2]]
    print(json.dumps(proved(*instance) if task == "prove" else explored(*instance, given[3] == "1")))
