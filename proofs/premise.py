"""What an argument about a race takes for granted: a condition on steps of the machine, by the step's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from model.generation import Switches
from model.machine import Machine
from model.steps import Step
from vgicheck.engine.domain import Domain


@dataclass(frozen=True, slots=True)
class Premise:
    """A condition on every step of some names.

    `holds(old, new, domain, switches, **arguments)` speaks of the machine before and after a step, and of what the
    step was asked with, by the names of its parameters.  A premise is looked at in two ways: a run may show that it
    fails, and it may be believed, so that steps for which it fails are not made.
    """

    id: str
    sentence: str
    steps: tuple[str, ...]
    holds: Callable[..., bool]

    def of(
        self, step: Step, arguments: Sequence[Any], old: Machine, new: Machine, domain: Domain, switches: Switches
    ) -> bool:
        """Say whether it holds of a step; of a step of another name it does."""
        if step.name not in self.steps:
            return True
        return self.holds(old, new, domain, switches, **dict(zip(step.arguments, arguments, strict=True)))


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms the states of a machine are run.

    asked      premises that a run may show to fail, like a property
    believed   premises that are taken for granted: no step is made for which one fails
    witnessed  whether it is also asked of each claim whether anything meets it
    apart      whether a property is asked for once for each step that may break it, and no run goes on behind that
    """

    asked: tuple[Premise, ...] = ()
    believed: tuple[Premise, ...] = ()
    witnessed: bool = False
    apart: bool = False


NO_TERMS = Terms()
