"""Runs that break a property: found in small instances, replayed in plain Python from the machine's initial state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from model.generation import Switches
from model.machine import Machine
from properties.machine import INVARIANTS, LEMMAS, STEP_PROPERTIES, Invariant, StepProperty
from vgicheck.engine.cone import cone
from vgicheck.engine.explore import Exploration, explore

from .instances import STEP, Made, Size, parts_of, run, set_up, system
from .premise import Premise

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
    """What every state of an instance showed: a shortest run for each property that fails, and how much was seen."""

    size: Size
    exploration: Exploration
    broken: dict[str, Broken] = field(default_factory=dict)


def search(
    size: Size,
    switches: Switches,
    wanted: Sequence[str],
    limit: int = LIMIT,
    premises: Sequence[Premise] = (),
    believed: Sequence[Premise] = (),
) -> Searched:
    """Run every state of an instance, `limit` at the most, until all of `wanted` and of the premises have failed.

    No step is made for which one of `believed` fails.  Raises `ValueError` if a run that was found does not replay,
    which is a fault in this program.
    """
    instance, steps = system(size, switches, wanted, premises, believed)
    seen = explore(cone(instance), limit_states=limit, jobs=1, stop_when_found=True)
    found = {}
    for name, shown in seen.violations.items():
        if shown is not None:
            made = (*set_up(size), *(steps[s.label] for s in shown[1:]))
            found[name] = _replayed(name, size, switches, made, premises, believed)
    return Searched(size, seen, found)


def _replayed(
    name: str,
    size: Size,
    switches: Switches,
    made: tuple[Made, ...],
    premises: Sequence[Premise],
    believed: Sequence[Premise],
) -> Broken:
    """Return the run that breaks a property; one of steps is broken by one step more."""
    sentence = failing(name, size, switches, made, premises, believed)
    if sentence is None:
        *_, last = run(size, switches, made)
        for step in possible(size, last, switches):
            sentence = failing(name, size, switches, (*made, step), premises, believed)
            if sentence is not None:
                made = (*made, step)
                break
    if sentence is None:
        raise ValueError(f"{name}: the run that was found in {size.name!r} does not break it in plain Python")
    return Broken(name, sentence, size, made, len(set_up(size)))


def possible(size: Size, state: Machine, switches: Switches) -> Iterator[Made]:
    """Yield the steps that can be made in a plain state."""
    for step in size.steps:
        for arguments in size.arguments(step):
            guard, _ = STEP[step.name].run(state, arguments, size.domain, switches)
            if guard is True:
                yield step.name, arguments


def failing(
    name: str,
    size: Size,
    switches: Switches,
    made: Sequence[Made],
    premises: Sequence[Premise] = (),
    believed: Sequence[Premise] = (),
) -> str | None:
    """Return the sentence of a property, or of a premise, that fails at the end of a run.

    None if none does, if the run cannot be made, or if one of `believed` fails on its way.
    """
    try:
        states = list(run(size, switches, made))
    except ValueError:
        return None
    taken = zip(made, states, states[1:], strict=False)
    if not all(_holds(premise, *turn, size, switches) for turn in taken for premise in believed):
        return None
    old, new = states[-2:]
    for premise in premises:
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
