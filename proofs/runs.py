"""Runs that break a property: found in small instances, replayed in plain Python from the machine's initial state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from model.generation import Switches
from model.machine import Machine
from properties.machine import INVARIANTS, LEMMAS, STEP_PROPERTIES, Invariant, StepProperty
from vgicheck.engine.cone import cone
from vgicheck.engine.explore import Exploration, explore

from .instances import AT, MET, STEP, Made, Size, parts_of, run, set_up, system
from .premise import NO_TERMS, Premise, Terms

CLAIMS: tuple[Invariant | StepProperty, ...] = (*LEMMAS, *INVARIANTS, *STEP_PROPERTIES)
LIMIT = 4_000_000
"""States of one instance, at the most; one that has more is not exhausted, and that is said."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A run after which a property fails: `made` from the initial state on, of which `prologue` steps set it up."""

    property: str
    sentence: str
    size: Size
    made: tuple[Made, ...]
    prologue: int


@dataclass(frozen=True, slots=True)
class Searched:
    """What every state of an instance showed: a shortest run for each property that fails, and how much was seen.

    Where it was asked, `met` has the claims that something meets, and a run stands under the name of a property and
    that of the step that breaks it.
    """

    size: Size
    exploration: Exploration
    broken: dict[str, Broken] = field(default_factory=dict)
    met: frozenset[str] = frozenset()


def search(
    size: Size, switches: Switches, wanted: Sequence[str], limit: int = LIMIT, terms: Terms = NO_TERMS
) -> Searched:
    """Run every state of an instance, `limit` at the most, until all of `wanted` and what `terms` ask have been met.

    Raises `ValueError` if a run that was found does not replay, which is a fault in this program.
    """
    instance, steps = system(size, switches, wanted, terms)
    seen = explore(cone(instance), limit_states=limit, jobs=1, stop_when_found=True)
    found, met = {}, set()
    for name, shown in seen.violations.items():
        if shown is not None and name.endswith(MET):
            met.add(name.removesuffix(MET))
        elif shown is not None:
            made = (*set_up(size), *(steps[s.label] for s in shown[1:]))
            found[name] = replayed(name, size, switches, made, terms)
    return Searched(size, seen, found, frozenset(met))


def replayed(name: str, size: Size, switches: Switches, made: tuple[Made, ...], terms: Terms) -> Broken:
    """Return the run that breaks a property; one of steps is broken by one step more.

    Raises `ValueError` if it does not break it in plain Python.
    """
    claim, _, by = name.partition(AT)
    sentence = None if by else failing(claim, size, switches, made, terms)
    if sentence is None:
        *_, last = run(size, switches, made)
        for step in (step for step in possible(size, last, switches) if by in ("", step[0])):
            sentence = failing(claim, size, switches, (*made, step), terms)
            if sentence is not None:
                made = (*made, step)
                break
    if sentence is None:
        raise ValueError(f"{name}: the run that was found in {size.name!r} does not break it in plain Python")
    return Broken(claim, sentence, size, made, len(set_up(size)))


def possible(size: Size, state: Machine, switches: Switches) -> Iterator[Made]:
    """Yield the steps that can be made in a plain state."""
    for step in size.steps:
        for arguments in size.arguments(step):
            guard, _ = STEP[step.name].run(state, arguments, size.domain, switches)
            if guard is True:
                yield step.name, arguments


def failing(name: str, size: Size, switches: Switches, made: Sequence[Made], terms: Terms = NO_TERMS) -> str | None:
    """Return the sentence of a property, or of a premise that is asked, that fails at the end of a run.

    None if none does, if the run cannot be made, or if what is believed fails on its way.
    """
    try:
        states = list(run(size, switches, made))
    except ValueError:
        return None
    taken = zip(made, states, states[1:], strict=False)
    if not all(_holds(premise, *turn, size, switches) for turn in taken for premise in terms.believed):
        return None
    old, new = states[-2:]
    for premise in terms.asked:
        if premise.id == name and not _holds(premise, made[-1], old, new, size, switches):
            return premise.sentence
    for claim in CLAIMS:
        if claim.id == name:
            for part in parts_of(claim, old, new, size, switches):
                if part.premise is True and part.conclusion is False:
                    return part.sentence
    return None


def _holds(premise: Premise, made: Made, old: Machine, new: Machine, size: Size, switches: Switches) -> bool:
    name, arguments = made
    return premise.of(STEP[name], arguments, old, new, size.domain, switches)
