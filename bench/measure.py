"""The measurements, each a function that returns rows of a table."""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import z3

from mutation import c_campaign, machine_campaign, model_campaign
from mutation.equivalents import EQUIVALENT
from mutation.model_campaign import WRONG
from mutation.mutant import Fate, Mutant, Outcome, sample, score
from mutation.suite import NAME
from proofs.bindings.kvm_2012 import bound
from proofs.generations import october_2012
from properties.handler import HANDLER
from properties.property import At
from vgicheck.c.judge import Judge
from vgicheck.c.source import Unit
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.values import fresh, lt
from vgicheck.engine.verdict import Verdict
from vgicheck.engine.workers import run_all
from vgicheck.review.fragments import all_pieces
from vgicheck.review.patch import read_patch

from . import direct

ROOT = Path(__file__).resolve().parents[1]
GOOD = ROOT / "examples" / "good-vgic-init.patch"
SEEDS = ROOT.parent / "shared" / "seeds"
HANDLER_FUNCTION = "vgic_maintenance_handler"
FUNCTIONAL = ("eoi-clears-active", "eoi-clears-lr-eoi", "underflow-clears-uie")
SIZES = (128, 256, 512, 1024)
LIMIT = 30.0
"""Seconds for one question."""

Row = Sequence[str]


def subject() -> Path:
    """Return the patch that is measured: the real one where it lies beside the project, else the example."""
    pages = sorted(SEEDS.glob("*.txt")) if SEEDS.is_dir() else []
    return pages[0] if pages else GOOD


def machine() -> Iterator[Row]:
    """Yield what the figures depend on."""
    yield "cores", str(os.cpu_count())
    yield "Python", platform.python_version()
    yield "Z3", z3.get_version_string()
    busy = os.getloadavg()[0]
    yield "load before", f"{busy:.1f}"


def whole_review(patch: Path, runs: int = 3) -> Iterator[Row]:
    """Yield wall time, processor time and the largest process of `vgicheck review`, medians of cold runs."""
    walls, cpus = [], []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(runs):
        start = time.perf_counter()
        command = [sys.executable, "-c", "from vgicheck.cli import main; main()", "review", "--no-cache", str(patch)]
        finished = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        walls.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        before = after
    name = "the mailed patch" if patch != GOOD else patch.name
    yield "vgicheck review", f"{name}, exit code {finished.returncode}"
    yield "  wall", f"{statistics.median(walls):.1f} s"
    yield "  processor", f"{statistics.median(cpus):.1f} s"
    yield "  largest process", f"{before.ru_maxrss / 1024:.0f} MiB"


def unit_of(patch: Path, size: int) -> tuple[c_campaign.Example, Unit]:
    """Read a patch for so many interrupts."""
    example = c_campaign.Example(all_pieces(read_patch(patch.read_bytes(), patch.name)), october_2012())
    return example, example.unit_as_it_is(size)


def handler_proof(patch: Path, runs: int = 5) -> Iterator[Row]:
    """Yield, for each size, summary and solver time of the handler's functional properties at 64 list registers.

    Each run has a process of its own, as in a review: what Z3 was asked before changes its time many times over.
    """
    for size in SIZES:
        found = run_all([partial(functional, patch, size)] * runs, 1, 10 * LIMIT, lambda n, reason: (False, 0.0, 0.0))
        verdict = "proved" if all(proved for proved, _, _ in found) else "NOT PROVED"
        solver = sorted(seconds for _, seconds, _ in found)
        summary = statistics.median(seconds for _, _, seconds in found)
        spread = f"{statistics.median(solver):.2f} s ({solver[0]:.2f} to {solver[-1]:.2f})"
        yield f"{size} interrupts", f"{verdict}, solver {spread}, summary {summary:.2f} s"


def functional(patch: Path, size: int) -> tuple[bool, float, float]:
    """Judge the handler's functional properties; return whether all are proved, solver seconds and summary seconds."""
    example, unit = unit_of(patch, size)
    at = fresh(At, "at")
    judge = Judge(
        unit.program,
        bound(size)[HANDLER_FUNCTION],
        at,
        lt(at.intid, min(size, 1020)),
        at.lr,
        example.ours,
        frozenset(FUNCTIONAL),
        Portfolio(LIMIT),
        tell=False,
    )
    start = time.process_time()
    judge.summarise()
    summary = time.process_time() - start
    found = [judge.property(p.id, p.formula) for p in HANDLER if p.id in FUNCTIONAL]
    return all(o.verdict is Verdict.PROVED for o in found), sum(o.seconds for o in found), summary


def direct_proof() -> Iterator[Row]:
    """Yield what solvers make of the direct encodings under the same limit; each is asked in a process of its own."""
    solvers = [s for s in ("z3", "bitwuzla") if importlib.util.find_spec(s) is not None]
    asked = [(encoding, solver) for encoding in direct.ENCODINGS for solver in solvers]
    tasks = [partial(direct.asked, encoding, solver, LIMIT) for encoding, solver in asked]
    answers = run_all(tasks, 1, 4 * LIMIT, lambda n, reason: (reason, 4 * LIMIT))
    for (encoding, solver), (answer, seconds) in zip(asked, answers, strict=True):
        yield f"{encoding}, {solver}", f"{answer} after {seconds:.1f} s"


def summaries(patch: Path) -> Iterator[Row]:
    """Yield the time that the evaluator takes for each bound function, at the most interrupts."""
    size = SIZES[-1]
    example, unit = unit_of(patch, size)
    for function in example.functions:
        at = fresh(At, "at")
        judge = Judge(
            unit.program,
            bound(size)[function],
            at,
            True,
            at.lr,
            example.ours,
            frozenset(),
            Portfolio(LIMIT),
            tell=False,
        )
        start = time.process_time()
        judge.summarise()
        yield function, f"{time.process_time() - start:.2f} s"


def mutation(jobs: int, most: int) -> Iterator[Row]:
    """Yield the score of every campaign, `most` mutants of each chosen evenly. This takes long."""
    yield from _machine(jobs, most)
    yield from _transitions(jobs, most)
    yield from _patches(jobs, most)


def _patches(jobs: int, most: int) -> Iterator[Row]:
    """Yield the scores of the C of the patches."""
    patches = dict.fromkeys([GOOD, subject()])
    for patch in patches:
        example = c_campaign.example(patch)
        for function in example.functions:
            listed = c_campaign.all_mutants(example, function)
            outcomes = c_campaign.campaign(example, function, sample(listed, most), jobs)
            yield from _scored(f"{function}, {'example' if patch == GOOD else 'mailed patch'}", outcomes, len(listed))


def _transitions(jobs: int, most: int) -> Iterator[Row]:
    """Yield the scores of the model's transitions, and of their properties, which are tried by the former."""
    for model, properties in model_campaign.FAMILIES:
        killed: dict[model_campaign.Subject, list[Mutant]] = {}
        for subject_ in model:
            listed = model_campaign.all_mutants(subject_)
            outcomes = model_campaign.campaign(subject_, sample(listed, most), jobs)
            killed[subject_] = [o.mutant for o in outcomes if o.fate is Fate.KILLED]
            yield from _scored(subject_.module, outcomes, len(listed))
        faults = model_campaign.faults_of(killed, jobs)
        for subject_ in properties:
            listed = model_campaign.all_mutants(subject_)
            outcomes = model_campaign.campaign(subject_, sample(listed, most), jobs, faults)
            yield from _scored(subject_.module, outcomes, len(listed))


def _machine(jobs: int, most: int) -> Iterator[Row]:
    """Yield the scores of the machine's modules, and of its properties, which are tried by the mutants of those."""
    known = machine_campaign.baseline()
    faults = machine_campaign.narrow()
    for module in machine_campaign.MODEL:
        listed = machine_campaign.all_mutants(module)
        outcomes, found = machine_campaign.campaign(known, module, sample(listed, most), jobs)
        faults += found
        yield from _scored(module, outcomes, len(listed))
    listed = machine_campaign.all_mutants(machine_campaign.PROPERTIES)
    outcomes = machine_campaign.properties_campaign(known, faults, sample(listed, most), jobs)
    yield from _scored(machine_campaign.PROPERTIES, outcomes, len(listed))


def _scored(name: str, outcomes: Sequence[Outcome], of: int) -> Iterator[Row]:
    result = score(outcomes, EQUIVALENT)
    by_tests, by_values = (
        sum(o.fate is Fate.KILLED and o.killer.startswith(name) for o in outcomes) for name in (NAME, WRONG)
    )
    share = f"{result.killed}/{result.counted} = {100 * result.ratio:.1f} %"
    share += f", {by_tests} by a test alone, {by_values} by a wrong value"
    judged = f"{len(outcomes)} of {of} mutants"
    yield name, f"{share}; {judged}, {result.equivalent} equivalent, {result.invalid} without meaning"
    for o in result.survivors:
        yield f"  survives, line {o.mutant.line}", f"{o.mutant.key} {o.why}".rstrip()
