"""Judging mutants of the whole machine: of its steps, of its initial state, and of the properties claimed of them.

A mutant is judged as `vgicheck prove` judges: the induction is asked again wherever a question is another than before,
from the sentences that keep each other, and so is which properties a state of a small instance of a generation breaks.
What the reference does not notice the tests of the model may.  A mutant of a property must besides notice the faults
that the property notices: those planted for it, by a run or by the induction, and mutants of the machine, each at the
step at which the property gave it away.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from types import FrameType
from typing import Any

import z3

from model.generation import GENERATIONS, REFERENCE, Switches
from model.machine import Machine
from proofs.instances import INSTANCE, QUICK, Size, system
from proofs.machine import OLD, POSSIBLE, Goal, Induction, indices
from proofs.runs import CLAIMS, search
from proofs.weaken import ALL, Believed, fixpoint
from proofs.whole import IDS, INDUCTION, MET, goals
from properties.machine import Invariant, StepProperty
from vgicheck.engine.solve import ask
from vgicheck.engine.values import fresh
from vgicheck.engine.verdict import Verdict
from vgicheck.engine.workers import run_all

from .exchange import exchanged, faulty, functions_of, text_of
from .machine_faults import NARROW, PLANTED
from .model_campaign import MEANINGLESS
from .mutant import Fate, MeaninglessError, Mutant, Outcome, fate_of, sample
from .python_mutants import mutants
from .suite import by_tests

TIMEOUT = 10.0
"""Seconds for one question."""
LIMIT = 300.0
"""Seconds for all questions of one mutant."""
MODEL = ("model.vm", "model.machine", "model.queueing", "model.injection", "model.runloop", "model.interrupt",
         "model.initial")  # fmt: skip
"""The modules that only the machine has."""
PROPERTIES = "properties.machine"
MODULES = (*MODEL, PROPERTIES)
RUN_OF = ("2012-09", "v3.9")
"""Generations of which small instances are run: between them they make every choice that a generation makes.

The branches of 2012 are tested by hand besides.
"""
JUDGED: dict[str, Switches] = {
    "reference": REFERENCE,
    "an interface left on": replace(REFERENCE, exit_turns_off=False),
}
"""What the induction judges: the reference, and the reference with its maintenance interrupt back, which keeps almost
every sentence.
"""
RUN = tuple(size for size in QUICK if "edge" in size.name or len(size.irqs) > 1 or size.cpus > 1 or size.stores)
"""Instances of which none is a part of another."""
FAULTS_EACH = 3
"""Faults by which each sentence of a mutated property is tried."""
FAULTS_MOST = 24
"""Faults by which a mutated property is tried."""

Judgement = tuple[str, Verdict, Verdict]
"""The name of a question, the verdict on the machine as it is, and the one on the mutant."""


def all_mutants(module: str) -> list[Mutant]:
    """List the mutants of every function of a module."""
    text = text_of(module)
    return mutants(text, functions_of(text))


# The machine as it is ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of an induction: for each goal its terms and its verdict, and what functions of `MODULES` are run.

    The terms stay alive here, so that their numbers stay theirs.
    """

    terms: tuple[Sequence[Any], ...]
    verdicts: tuple[Verdict, ...]
    functions: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Small:
    """A small instance of a generation: the terms that it consists of, where it starts, and what it breaks."""

    terms: tuple[Any, ...]
    initial: Any
    broken: frozenset[str]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is asked of the machine as it is, and answered.

    believed  the sentences that keep each other, by generation
    stages    by generation and stage of the induction
    small     by generation and name of the instance
    uses      the functions of `PROPERTIES` of which each claim is made, by its number in `CLAIMS`
    """

    believed: Mapping[str, Believed]
    stages: Mapping[tuple[str, str], Stage]
    small: Mapping[tuple[str, str], Small]
    uses: tuple[frozenset[str], ...]


def baseline(names: Sequence[str] = tuple(JUDGED)) -> Baseline:
    """Judge the machine as it is, of those choices of `JUDGED` that are named."""
    believed = {g: ALL if g == "reference" else fixpoint(JUDGED[g], TIMEOUT) for g in names}
    stages = {(g, stage): _stage(g, believed[g], stage) for g in names for stage in INDUCTION}
    small = {(g, size.name): _small(g, size) for g in RUN_OF for size in RUN}
    return Baseline(believed, stages, small, tuple(_used_by(claim) for claim in CLAIMS))


def built(generation: str, believed: Believed, stage: str) -> list[tuple[Goal, Sequence[Any]]]:
    """Return the goals of a stage, with what is asserted; all is built before anything is asked."""
    return [(goal, goal.assertions) for goal in goals(Induction(JUDGED[generation], believed), stage)]


def verdict(goal: Goal, terms: Sequence[Any]) -> Verdict:
    """Answer one question of the induction; a goal that a step does not keep counts as refuted here."""
    if goal.claim is POSSIBLE:
        return MET.get(ask(terms, TIMEOUT).result, Verdict.UNKNOWN)
    if not terms:
        return Verdict.PROVED
    return {"unsat": Verdict.PROVED, "sat": Verdict.REFUTED}.get(ask(terms, TIMEOUT).result, Verdict.UNKNOWN)


def _stage(generation: str, believed: Believed, stage: str) -> Stage:
    with called() as seen:
        listed = built(generation, believed, stage)
    verdicts = tuple(verdict(goal, terms) for goal, terms in listed)
    return Stage(tuple(terms for _, terms in listed), verdicts, frozenset(f for f in seen if f[0] in MODULES))


def _small(generation: str, size: Size) -> Small:
    terms, initial = _consists(generation, size)
    return Small(terms, initial, _broken(generation, size))


def _consists(generation: str, size: Size) -> tuple[tuple[Any, ...], Any]:
    whole, _ = system(size, GENERATIONS[generation], IDS)
    steps = [t for step in whole.transitions for t in (step.label, step.guard, *step.updates, *step.updates.values())]
    return (*steps, *whole.bad.values()), whole.initial


def _broken(generation: str, size: Size) -> frozenset[str]:
    return frozenset(search(size, GENERATIONS[generation], IDS).broken)


def _used_by(claim: Invariant | StepProperty) -> frozenset[str]:
    made = indices()
    state, at = fresh(Machine, OLD), made.arbitrary(claim.kinds)
    states = (state,) if isinstance(claim, Invariant) else (state, fresh(Machine, "new"))
    with called() as seen:
        claim.formula(*states, made.domain(OLD), REFERENCE, *at)
    return frozenset(name for module, name in seen if module == PROPERTIES)


@contextmanager
def called() -> Iterator[set[tuple[str, str]]]:
    """Note the functions that are called: the module of each, and its name at the outermost level."""
    seen: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.add((str(frame.f_globals.get("__name__")), frame.f_code.co_qualname.partition(".")[0]))

    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(None)


def numbers(terms: Sequence[Any]) -> list[object]:
    """Return the number of each term, by which it is known while it lives; what is no term stands for itself."""
    return [t.get_id() if isinstance(t, z3.ExprRef) else (t,) for t in terms]


# Faults ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """A mutant of the machine, and a sentence of the claim of a number that gives it away at a stage."""

    module: str
    mutant: Mutant
    stage: str
    claim: int
    sentence: str

    def noticed(self) -> Verdict:
        """Judge the sentence with the fault in place, of the reference."""
        with exchanged(self.module, self.mutant.source):
            for goal in goals(Induction(REFERENCE, ALL), self.stage):
                parts = [p for p in goal.parts if p.sentence == self.sentence]
                if goal.claim is CLAIMS[self.claim] and parts:
                    return verdict(goal, goal.asked(parts))
        return Verdict.PROVED


def faults_of(module: str, mutant: Mutant, stage: str) -> list[Fault]:
    """List the sentences that give a mutant of the machine away at a stage, of the reference."""
    found = []
    with exchanged(module, mutant.source):
        for goal, terms in built("reference", ALL, stage):
            if goal.claim is POSSIBLE or verdict(goal, terms) is not Verdict.REFUTED:
                continue
            number = next(n for n, claim in enumerate(CLAIMS) if claim is goal.claim)
            for part in goal.parts:
                if verdict(goal, goal.asked([part])) is Verdict.REFUTED:
                    found.append(Fault(module, mutant, stage, number, part.sentence))
    return found


def narrow() -> list[Fault]:
    """List what gives away the faults that show only where a sentence leaves nothing out."""
    found = []
    for module, old, new, stage in NARROW:
        mutant = Mutant("planted", 0, f"{old} -> {new}", faulty(text_of(module), old, new))
        found += faults_of(module, mutant, stage)
    return found


def trials(known: Baseline, faults: Sequence[Fault], function: str) -> list[Fault]:
    """Choose the faults by which a mutant of a function of `PROPERTIES` is tried: some for each sentence."""
    per_sentence: dict[tuple[int, str], list[Fault]] = {}
    for fault in faults:
        if function in known.uses[fault.claim]:
            per_sentence.setdefault((fault.claim, fault.sentence), []).append(fault)
    rounds = zip_longest(*(sample(some, FAULTS_EACH) for some in per_sentence.values()))
    return [fault for chosen in rounds for fault in chosen if fault is not None][:FAULTS_MOST]


# Mutants -----------------------------------------------------------------------------------------


def judged(known: Baseline, module: str, mutant: Mutant, faults: Sequence[Fault] = ()) -> Iterator[Judgement]:
    """Judge what differs from the machine as it is. Raises `MeaninglessError`."""
    try:
        with exchanged(module, mutant.source):
            if module == PROPERTIES:
                yield from _planted(known, mutant.function)
                for fault in trials(known, faults, mutant.function):
                    name = f"{fault.sentence} at {fault.stage}, under {fault.mutant.key}"
                    yield name, Verdict.REFUTED, fault.noticed()
            for n, generation in enumerate(known.believed):
                for (of, stage), then in known.stages.items():
                    if of == generation and (module, mutant.function) in then.functions:
                        yield from _induced(generation, known.believed[generation], stage, then)
                if n == 0:
                    yield from ((name, Verdict.PROVED, now) for name, now in by_tests(module))
            for (generation, name), before in known.small.items():
                yield from _run(generation, INSTANCE[name], before)
    except MEANINGLESS as cause:
        raise MeaninglessError(f"{type(cause).__name__}: {cause}") from None


def _planted(known: Baseline, function: str) -> Iterator[Judgement]:
    """Run the faults that are planted for the claims of which a function is a part, and the choices without them."""
    used = {claim.id for claim, uses in zip(CLAIMS, known.uses, strict=True) if function in uses}
    for name, fault in PLANTED:
        if name in used and fault.switches is not REFERENCE:
            broken = search(fault.size, fault.switches, [name]).broken
            yield f"{name} in {fault.size.name}", Verdict.PROVED, Verdict.REFUTED if broken else Verdict.PROVED
        if name in used:
            now = Verdict.REFUTED if fault.breaks(name) else Verdict.PROVED
            yield f"{name} in {fault.size.name}, under the fault at {fault.stage}", Verdict.REFUTED, now


def _induced(generation: str, believed: Believed, stage: str, then: Stage) -> Iterator[Judgement]:
    for n, (goal, terms) in enumerate(built(generation, believed, stage)):
        if numbers(terms) != numbers(then.terms[n]):
            yield f"{goal.claim.id} of {generation} at {stage}", then.verdicts[n], verdict(goal, terms)


def _run(generation: str, size: Size, before: Small) -> Iterator[Judgement]:
    """Judge an instance; one that cannot be set up, or leaves its bounds, is closed no more, and that is noticed."""
    try:
        terms, initial = _consists(generation, size)
        if numbers(terms) == numbers(before.terms) and initial == before.initial:
            return
        now = _broken(generation, size)
    except ValueError:
        yield f"a closed instance of {generation}: {size.name}", Verdict.PROVED, Verdict.REFUTED
        return
    for name in sorted(before.broken | now):
        was, is_ = (Verdict.REFUTED if name in some else Verdict.PROVED for some in (before.broken, now))
        yield f"{name} of {generation} in {size.name}", was, is_


def outcome(known: Baseline, module: str, mutant: Mutant, faults: Sequence[Fault] = ()) -> Outcome:
    """Judge a mutant, up to the first question whose answer is another than before."""
    then: dict[str, Verdict] = {}

    def answers() -> Iterator[tuple[str, Verdict]]:
        for name, before, now in judged(known, module, mutant, faults):
            then[name] = before
            yield name, now

    return fate_of(mutant, then, answers())


def noticed(known: Baseline, module: str, mutant: Mutant) -> tuple[Outcome, list[Fault]]:
    """Judge a mutant of the machine, and list what gives it away at the first stage of the reference that does."""
    found = outcome(known, module, mutant)
    name, _, stage = found.killer.partition(" of reference at ")
    return found, faults_of(module, mutant, stage) if stage and name != POSSIBLE.id else []


def campaign(known: Baseline, module: str, chosen: Sequence[Mutant], jobs: int) -> tuple[list[Outcome], list[Fault]]:
    """Judge mutants of a module of the machine, each in a process of its own; return also the faults that they are."""

    def lost(n: int, reason: str) -> tuple[Outcome, list[Fault]]:
        return Outcome(chosen[n], Fate.UNDECIDED, why=reason), []

    found = run_all([partial(noticed, known, module, m) for m in chosen], jobs, LIMIT, lost)
    return [o for o, _ in found], [fault for _, faults in found for fault in faults]


def properties_campaign(known: Baseline, faults: Sequence[Fault], chosen: Sequence[Mutant], jobs: int) -> list[Outcome]:
    """Judge mutants of the machine's properties, each in a process of its own."""
    tasks = [partial(outcome, known, PROPERTIES, m, faults) for m in chosen]
    return run_all(tasks, jobs, LIMIT, lambda n, reason: Outcome(chosen[n], Fate.UNDECIDED, why=reason))
