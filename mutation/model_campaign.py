"""Judging mutants of the model's transitions, and of their properties, under every property that is claimed of them.

A mutant of a property must besides refute what the property refutes, sentence by sentence: mutants of the model, which
it gave away, and results with one wrong value.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

import z3

from model.generation import GENERATIONS, Switches
from model.hardware import TRANSITIONS
from proofs.model import Step, Transition, claims, prove, taken
from proofs.obligations import SWITCHES
from properties.property import At, Part, Property
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Verdict
from vgicheck.engine.workers import run_all

from .exchange import exchanged, functions_of, text_of
from .mutant import Fate, MeaninglessError, Mutant, Outcome, Verdicts, fate_of, sample
from .python_mutants import mutants, used
from .suite import NAME, by_tests
from .wrong_values import says_no_less, unnoticed

PORTFOLIO = Portfolio(10.0)
"""Seconds for one question."""
LIMIT = 300.0
"""Seconds for all obligations of one mutant."""
REFERENCE = "reference"
WRONG = "a wrong value"
"""What a mutant of a property that says nothing of one is noticed by, in front of the value's place."""
FAULTS_EACH = 3
"""Mutants of the model by which each sentence of a mutated property is tried."""
FAULTS_MOST = 24
"""Mutants of the model by which a mutated property is tried."""
MEANINGLESS = (SyntaxError, TypeError, NameError, AttributeError, ValueError, LookupError, z3.Z3Exception)
"""How a mutated transition ends that is no transition: it leaves out a name, or mixes types or widths."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A module, by its name with dots, and the transitions that it has a part in, by theirs.

    `functions` are those that the transitions use, for a module that has no transition itself.
    """

    module: str
    transitions: tuple[str, ...]
    functions: tuple[str, ...] = ()

    @property
    def mutated(self) -> tuple[str, ...]:
        """The functions whose mutants are judged, with those that they use."""
        defined = functions_of(text_of(self.module))
        own = tuple(name for name in self.transitions if name in defined)
        return self.functions or own or defined


_INIT = ("kvm_vgic_vcpu_init", "kvm_vgic_hyp_init", "init_hyp_mode", "kvm_vgic_init")
_HANDLER = ("vgic_maintenance_handler",)
_SET_ADDR = ("kvm_vgic_set_addr",)
_MMIO = ("vgic_handle_mmio",)
_GICV = ("gicv_status", "gicv_access")
HANDLER = Subject("model.handler", _HANDLER)
INIT = Subject("model.init", _INIT)
SET_ADDR = Subject("model.set_addr", _SET_ADDR)
MMIO = Subject("model.mmio", _MMIO)
GICD = Subject("model.gicd", _MMIO, ("accessing", "lane", "bit_at", "byte_of"))
ICFGR = Subject("model.gicd_icfgr", _MMIO, ("irq_cfg", "icfgr_byte"))
LOAD = Subject("model.gicd_load", _MMIO, ("loaded", "target_byte", "priority_key"))
CODEC = Subject("model.lr", ("lr_codec",))
VMCR = Subject("model.vmcr", ("vmcr_codec",))
GICH = Subject("model.gich", ("gich_status", "guest_access", *_GICV))
GICV = Subject("model.gicv", _GICV)
FAMILIES: tuple[tuple[tuple[Subject, ...], tuple[Subject, ...]], ...] = (
    (
        (CODEC, VMCR, GICH, GICV),
        (
            Subject("properties.hardware", ("lr_codec", "gich_status", "guest_access")),
            Subject("properties.vmcr", ("vmcr_codec",)),
            Subject("properties.cpu_interface", _GICV),
        ),
    ),
    ((SET_ADDR,), (Subject("properties.set_addr", _SET_ADDR),)),
    ((HANDLER,), (Subject("properties.handler", _HANDLER),)),
    ((INIT,), (Subject("properties.init", _INIT), Subject("properties.init_errors", _INIT))),
    (
        (MMIO, GICD, ICFGR, LOAD),
        (
            Subject("properties.mmio", _MMIO),
            Subject("properties.mmio_fields", _MMIO),
            Subject("properties.gicd", _MMIO),
        ),
    ),
)
"""Modules of the model, but for the machine's, and the modules of the properties that are claimed of them."""
MODEL = tuple(subject for model, _ in FAMILIES for subject in model)
PROPERTIES = tuple(subject for _, properties in FAMILIES for subject in properties)
Claim = tuple[Transition, Property]
Faults = Mapping[tuple[str, str], Sequence[tuple[str, Mutant]]]
"""For a sentence of a property, with its id, the mutants of the model that it refutes, each with its module."""


def claimed(subject: Subject, properties: Sequence[str] = ()) -> list[Claim]:
    """List what is claimed of a subject's transitions, of all properties or of those named."""
    return [claim for claim in claims(properties) if claim[0].name in subject.transitions]


def generations(subject: Subject) -> dict[str, Switches]:
    """Return the generations that differ in what a subject does, the first of each kind; hardware has one."""
    software = [name for name in subject.transitions if name not in TRANSITIONS]
    prefixes = tuple(p for name in software for p in SWITCHES.get(name, ("",)) if name != "init_hyp_mode")
    kinds: dict[tuple[bool, ...], str] = {}
    for generation, switches in GENERATIONS.items():
        kinds.setdefault(
            tuple(getattr(switches, f.name) for f in fields(switches) if f.name.startswith(prefixes)), generation
        )
    return {generation: GENERATIONS[generation] for generation in kinds.values()}


def judged(
    subject: Subject,
    text: str,
    properties: Sequence[str] = (),
    which: Sequence[str] = (),
    portfolio: Portfolio = PORTFOLIO,
) -> Iterator[tuple[str, Verdict]]:
    """Judge the properties of a subject whose module has another text, all or those named, the reference first.

    `which` names the generations, all that differ where it is empty.  Raises `MeaninglessError`.
    """
    try:
        with exchanged(subject.module, text):
            for generation, switches in generations(subject).items():
                once: dict[str, Step] = {}
                for transition, prop in claimed(subject, properties) if generation in (which or GENERATIONS) else ():
                    if transition.name not in once:
                        once[transition.name] = taken(transition, switches)
                    obligation = prove((transition, prop), switches, portfolio, once[transition.name])
                    yield f"{obligation.property} of {generation}", obligation.verdict
    except MEANINGLESS as cause:
        raise MeaninglessError(f"{type(cause).__name__}: {cause}") from None


def tried(subject: Subject, mutant: Mutant, faults: Faults) -> Iterator[tuple[str, Verdict]]:
    """Judge, with a mutant of a property in place, the faults that its sentences are there to refute.

    Raises `MeaninglessError`.
    """
    try:
        with exchanged(subject.module, mutant.source):
            for (name, sentence), (module, fault) in trials(subject, mutant.function, faults):
                with exchanged(module, fault.source):
                    for transition, prop in claimed(subject, [name]):
                        obligation = prove((transition, only(prop, sentence)), GENERATIONS[REFERENCE], PORTFOLIO)
                        yield f"{name}, {sentence}, under {fault.key}", obligation.verdict
    except MEANINGLESS as cause:
        raise MeaninglessError(f"{type(cause).__name__}: {cause}") from None


def trials(subject: Subject, function: str, faults: Faults) -> list[tuple[tuple[str, str], tuple[str, Mutant]]]:
    """Choose the faults by which a mutant of a function of a subject is tried: some for each sentence."""
    names = touched(subject, function)
    mine = {said: sample(some, FAULTS_EACH) for said, some in faults.items() if said[0] in names}
    rounds = zip_longest(*([(said, fault) for fault in some] for said, some in mine.items()))
    return [chosen for some in rounds for chosen in some if chosen is not None][:FAULTS_MOST]


def only(prop: Property, sentence: str) -> Property:
    """Return a property that says one of its sentences."""
    whole = prop.formula
    return replace(prop, formula=lambda old, new, at: [p for p in whole(old, new, at) if p.sentence == sentence])


def touched(subject: Subject, function: str) -> list[str]:
    """List the properties of a subject whose formulas use a function of its module."""
    tree = ast.parse(text_of(subject.module))
    defined = functions_of(text_of(subject.module))
    found = []
    for _, prop in claimed(subject):
        formula = prop.formula.__name__
        if formula not in defined or function in (f.name for f in used(tree, [formula])):
            found.append(prop.id)
    return list(dict.fromkeys(found))


def compared(
    subject: Subject, mutant: Mutant
) -> Iterator[tuple[Claim, Step, Callable[[Any, Any, At], Sequence[Part]]]]:
    """Yield each claim in which a mutant of a property has a part, the step of the reference, and the mutant's formula.

    A property of a transition's second run is left out.
    """
    once: dict[str, Step] = {}
    for transition, prop in claimed(subject, touched(subject, mutant.function)):
        if prop.repeated:
            continue
        if transition.name not in once:
            once[transition.name] = taken(transition, GENERATIONS[REFERENCE])

        def said(old: Any, new: Any, at: At, prop: Property = prop) -> Sequence[Part]:
            with exchanged(subject.module, mutant.source):
                return prop.formula(old, new, at)

        yield (transition, prop), once[transition.name], said


def missed(subject: Subject, mutant: Mutant) -> Iterator[tuple[str, Verdict]]:
    """Yield the wrong value of which a mutant of a property says nothing, where there is one."""
    for (transition, prop), step, said in compared(subject, mutant):
        place = unnoticed(transition, step, prop.formula, said)
        if place:
            yield f"{WRONG}: {prop.id}, {place}", Verdict.PROVED
            return


def no_weaker(subject: Subject, mutant: Mutant) -> bool:
    """Say whether a mutant of a property was proved to say no less, of any result whatever."""
    pairs = list(compared(subject, mutant))
    whole = len(pairs) == len(claimed(subject, touched(subject, mutant.function)))
    return whole and all(says_no_less(step, prop.formula, said) for (_, prop), step, said in pairs)


def outcome(subject: Subject, mutant: Mutant, baseline: Verdicts, faults: Faults = MappingProxyType({})) -> Outcome:
    """Judge a mutant of a subject's module, up to the first verdict that is another.

    The reference is judged first, then come the tests, for a property wrong values, and then the other generations.
    Of properties those are judged that use what is mutated.
    """
    then = {**baseline, NAME: Verdict.PROVED}
    names = touched(subject, mutant.function) if subject in PROPERTIES else ()

    def answers() -> Iterator[tuple[str, Verdict]]:
        for name, verdict in tried(subject, mutant, faults) if faults else ():
            then[name] = Verdict.REFUTED
            yield name, verdict
        yield from judged(subject, mutant.source, names, [REFERENCE])
        with exchanged(subject.module, mutant.source):
            for name, verdict in by_tests(subject.module):
                then[name] = Verdict.PROVED
                yield name, verdict
        for name, verdict in missed(subject, mutant) if subject in PROPERTIES else ():
            then[name] = Verdict.REFUTED
            yield name, verdict
        others = [g for g in generations(subject) if g != REFERENCE]
        yield from judged(subject, mutant.source, names, others) if others else ()

    found = fate_of(mutant, then, answers())
    if found.fate is Fate.SURVIVED and subject in PROPERTIES and no_weaker(subject, mutant):
        return replace(found, fate=Fate.NO_WEAKER)
    return found


def expected(subject: Subject) -> dict[str, Verdict]:
    """Return the verdicts on the module as it is."""
    return dict(judged(subject, text_of(subject.module)))


def campaign(
    subject: Subject, chosen: Sequence[Mutant], jobs: int, faults: Faults = MappingProxyType({})
) -> list[Outcome]:
    """Judge mutants of a subject, each in a process of its own."""
    baseline = expected(subject)
    tasks = [partial(outcome, subject, m, baseline, faults) for m in chosen]
    return run_all(tasks, jobs, LIMIT, lambda n, reason: Outcome(chosen[n], Fate.UNDECIDED, why=reason))


def refuted(subject: Subject, mutant: Mutant) -> list[tuple[str, str]]:
    """List the sentences that refute a mutant of the model, of the reference, each with its property's id."""
    found = []
    try:
        with exchanged(subject.module, mutant.source):
            for transition, prop in claimed(subject):
                obligation = prove((transition, prop), GENERATIONS[REFERENCE], PORTFOLIO)
                if obligation.verdict is Verdict.REFUTED:
                    found.append((prop.id, obligation.reason))
    except MEANINGLESS:
        return []
    return found


def faults_of(chosen: Mapping[Subject, Sequence[Mutant]], jobs: int) -> dict[tuple[str, str], list[tuple[str, Mutant]]]:
    """Return, for each sentence of a property, those of some mutants of the model that it refutes."""
    pairs = [(subject, mutant) for subject, some in chosen.items() for mutant in some]
    found: dict[tuple[str, str], list[tuple[str, Mutant]]] = {}
    answers = run_all([partial(refuted, s, m) for s, m in pairs], jobs, LIMIT, lambda n, reason: [])
    for (subject, mutant), sentences in zip(pairs, answers, strict=True):
        for said in sentences:
            found.setdefault(said, []).append((subject.module, mutant))
    return found


def all_mutants(subject: Subject) -> list[Mutant]:
    """List the mutants of a subject's transitions, and of the functions of their module that they use."""
    return mutants(text_of(subject.module), subject.mutated)
