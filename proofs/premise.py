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
