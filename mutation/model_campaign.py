"""Judging mutants of the model: the transitions of a mutated module, under every property that is claimed of them.

A mutated module is executed from its text under the name of the original, so that its imports and the types of its
states are those that the properties know; no file and no loaded module changes.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import z3

import model
from model.generation import GENERATIONS, Switches
from model.hardware import TRANSITIONS
from proofs.model import NR_IRQS, Transition, claims, prove
from proofs.obligations import SWITCHES
from properties.property import Property
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Verdict
from vgicheck.engine.workers import run_all

from .mutant import Fate, MeaninglessError, Mutant, Outcome, Verdicts, fate_of
from .python_mutants import mutants

PORTFOLIO = Portfolio(10.0)
"""Seconds for one question."""
LIMIT = 300.0
"""Seconds for all obligations of one mutant."""
MEANINGLESS = (SyntaxError, TypeError, NameError, AttributeError, ValueError, LookupError, z3.Z3Exception)
"""How a mutated transition ends that is no transition: it leaves out a name, or mixes types or widths."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A module of the model, by its name, and the transitions that come from it, by theirs.

    `through` names the modules by which the transitions use it, in the order in which they import each other; the last
    one has the transitions.  `functions` are those of a module that has no transition itself.
    """

    module: str
    transitions: tuple[str, ...]
    through: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()


HANDLER = Subject("handler", ("vgic_maintenance_handler",))
INIT = Subject("init", ("kvm_vgic_vcpu_init", "kvm_vgic_hyp_init", "init_hyp_mode", "kvm_vgic_init"))
CODEC = Subject("lr", ("lr_codec",))
VMCR = Subject("vmcr", ("vmcr_codec",))
HARDWARE = Subject("gich", ("gich_status", "guest_access"))
CPU_INTERFACE = Subject("gicv", ("gicv_status", "gicv_access"))
_MMIO = ("vgic_handle_mmio",)
MMIO = Subject("mmio", _MMIO)
GICD = Subject("gicd", _MMIO, ("gicd_icfgr", "gicd_load", "mmio"), ("accessing", "lane", "bit_at", "byte_of"))
ICFGR = Subject("gicd_icfgr", _MMIO, ("gicd_load", "mmio"), ("irq_cfg", "icfgr_byte"))
LOAD = Subject("gicd_load", _MMIO, ("mmio",), ("loaded", "target_byte", "priority_key"))
SET_ADDR = Subject("set_addr", ("kvm_vgic_set_addr",))
SUBJECTS = (HANDLER, INIT, SET_ADDR, MMIO, GICD, ICFGR, LOAD)
"""What a campaign covers; the hardware half has tests of its own."""


def source(module: str) -> str:
    """Return the text of a module of the model."""
    return (Path(model.__path__[0]) / f"{module}.py").read_text()


def variant(module: str, text: str, others: Mapping[str, ModuleType] | None = None) -> ModuleType:
    """Return a module of the model made from another text; what it defines names the original as its module.

    It imports the modules of `others` in place of those of their names.
    """

    def importing(name: str, scope: Any = None, local: Any = None, names: Any = (), level: int = 0) -> Any:
        return (others or {}).get(name) or __import__(name, scope, local, names, level)

    made = ModuleType(f"model.{module}")
    made.__package__ = "model"
    made.__dict__["__builtins__"] = {**vars(builtins), "__import__": importing}
    exec(compile(text, f"<mutant of model.{module}>", "exec"), made.__dict__)
    return made


def step_of(made: ModuleType, name: str) -> Callable[[Any, Switches], Any]:
    """Return a transition of a variant as the table of claims calls it."""
    step = getattr(made, name)
    if name == "kvm_vgic_init":
        return lambda state, switches: step(state, switches, NR_IRQS)
    if name in TRANSITIONS:
        return lambda state, switches: step(state)
    return step  # type: ignore[no-any-return]


def mutated(subject: Subject, text: str, properties: Sequence[str] = ()) -> list[tuple[Transition, Property]]:
    """List what is claimed of a subject's transitions, with the steps that another text of its module gives them."""
    made = variant(subject.module, text)
    others = {subject.module: made}
    for module in subject.through:
        made = others[module] = variant(module, source(module), others)
    return [
        (replace(transition, step=step_of(made, transition.name)), prop)
        for transition, prop in claims(properties)
        if transition.name in subject.transitions
    ]


def generations(subject: Subject) -> dict[str, Switches]:
    """Return the generations that differ in what a subject does, the first of each kind."""
    prefixes = tuple(p for name in subject.transitions for p in SWITCHES.get(name, ("",)) if name != "init_hyp_mode")
    kinds: dict[tuple[bool, ...], str] = {}
    for generation, switches in GENERATIONS.items():
        kinds.setdefault(
            tuple(getattr(switches, f.name) for f in fields(switches) if f.name.startswith(prefixes)), generation
        )
    return {generation: GENERATIONS[generation] for generation in kinds.values()}


def judged(subject: Subject, text: str) -> Iterator[tuple[str, Verdict]]:
    """Judge every property of a subject for every generation, the reference first. Raises `MeaninglessError`."""
    try:
        claimed = mutated(subject, text)
        for generation, switches in generations(subject).items():
            for claim in claimed:
                obligation = prove(claim, switches, PORTFOLIO)
                yield f"{obligation.property} of {generation}", obligation.verdict
    except MEANINGLESS as cause:
        raise MeaninglessError(f"{type(cause).__name__}: {cause}") from None


def outcome(subject: Subject, mutant: Mutant, baseline: Verdicts) -> Outcome:
    """Judge a mutant of a subject's module."""
    return fate_of(mutant, baseline, judged(subject, mutant.source))


def expected(subject: Subject) -> dict[str, Verdict]:
    """Return the verdicts on the module as it is."""
    return dict(judged(subject, source(subject.module)))


def campaign(subject: Subject, chosen: Sequence[Mutant], jobs: int) -> list[Outcome]:
    """Judge mutants of a subject, each in a process of its own."""
    baseline = expected(subject)
    tasks = [partial(outcome, subject, m, baseline) for m in chosen]
    return run_all(tasks, jobs, LIMIT, lambda n, reason: Outcome(chosen[n], Fate.UNDECIDED, why=reason))


def all_mutants(subject: Subject) -> list[Mutant]:
    """List the mutants of a subject's transitions, and of the functions of their module that they use."""
    return mutants(source(subject.module), subject.functions or subject.transitions)
