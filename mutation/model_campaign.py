"""Judging mutants of the model: the transitions of a mutated module, under every property that is claimed of them.

A mutated module is executed from its text under the name of the original, so that its imports and the types of its
states are those that the properties know; no file and no loaded module changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import z3

import model
from model.generation import GENERATIONS, Switches
from proofs.model import NR_IRQS, Transition, claims, prove
from properties.property import Property
from vgicheck.engine.workers import run_all

from .mutant import Fate, Mutant, Outcome, Verdicts, compared
from .python_mutants import mutants

TIMEOUT = 10.0
"""Seconds for one question; a mutant for which a proof no longer comes in time counts as noticed."""
LIMIT = 300.0
"""Seconds for all obligations of one mutant."""
MEANINGLESS = (TypeError, NameError, AttributeError, ValueError, KeyError, z3.Z3Exception)
"""How a mutated transition ends that is no transition: it leaves out a name, or mixes types or widths."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A module of the model, by its name, and the transitions that come from it, by theirs."""

    module: str
    transitions: tuple[str, ...]


HANDLER = Subject("handler", ("vgic_maintenance_handler",))
INIT = Subject("init", ("kvm_vgic_vcpu_init", "kvm_vgic_hyp_init", "init_hyp_mode", "kvm_vgic_init"))
SUBJECTS = (HANDLER, INIT)


def source(module: str) -> str:
    """Return the text of a module of the model."""
    return (Path(model.__path__[0]) / f"{module}.py").read_text()


def variant(module: str, text: str) -> ModuleType:
    """Return a module of the model made from another text; what it defines names the original as its module."""
    made = ModuleType(f"model.{module}")
    made.__package__ = "model"
    exec(compile(text, f"<mutant of model.{module}>", "exec"), made.__dict__)
    return made


def step_of(made: ModuleType, name: str) -> Callable[[Any, Switches], Any]:
    """Return a transition of a variant as the table of claims calls it."""
    step = getattr(made, name)
    if name == "kvm_vgic_init":
        return lambda state, switches: step(state, switches, NR_IRQS)
    return step  # type: ignore[no-any-return]


def mutated(subject: Subject, text: str, properties: Sequence[str] = ()) -> list[tuple[Transition, Property]]:
    """List what is claimed of a subject's transitions, with the steps that another text of its module gives them."""
    made = variant(subject.module, text)
    return [
        (replace(transition, step=step_of(made, transition.name)), prop)
        for transition, prop in claims(properties)
        if transition.name in subject.transitions
    ]


def verdicts(subject: Subject, text: str, generation: str) -> Verdicts | str:
    """Judge every property of a subject for one generation, or say why the text has no meaning."""
    try:
        judged = [prove(claim, GENERATIONS[generation], TIMEOUT, False) for claim in mutated(subject, text)]
    except MEANINGLESS as cause:
        return f"{type(cause).__name__}: {cause}"
    return {f"{o.property} of {generation}": str(o.verdict) for o in judged}


def outcome(subject: Subject, mutant: Mutant, baseline: Mapping[str, Verdicts]) -> Outcome:
    """Judge a mutant for the first generation of a baseline, and for the next where that one notices nothing."""
    result = Outcome(mutant, Fate.INVALID, why="no generation was asked for")
    for generation, expected in baseline.items():
        result = compared(mutant, expected, verdicts(subject, mutant.source, generation))
        if result.fate is not Fate.SURVIVED:
            break
    return result


def expected(subject: Subject) -> dict[str, Verdicts]:
    """Return the verdicts on the unmutated module, for each generation. Raises `ValueError` where it cannot be judged."""
    found = {}
    for generation in GENERATIONS:
        judged = verdicts(subject, source(subject.module), generation)
        if isinstance(judged, str):
            raise ValueError(f"model.{subject.module}: {judged}")
        found[generation] = judged
    return found


def campaign(subject: Subject, chosen: Sequence[Mutant], jobs: int) -> list[Outcome]:
    """Judge mutants of a subject, each in a process of its own."""
    baseline = expected(subject)
    tasks = [partial(outcome, subject, m, baseline) for m in chosen]
    return run_all(tasks, jobs, LIMIT, lambda n, reason: Outcome(chosen[n], Fate.INVALID, why=reason))


def all_mutants(subject: Subject) -> list[Mutant]:
    """List the mutants of a subject's transitions, and of the functions of their module that they use."""
    return mutants(source(subject.module), subject.transitions)
