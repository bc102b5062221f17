"""The largest set of sentences that keep each other: Houdini's fixpoint over the induction of the machine.

Sentences that a step does not keep are dropped, and what rested on them is asked again, until nothing more is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import z3

from model.generation import Switches
from model.steps import STEPS, Step
from properties.machine import Invariant
from properties.property import Part
from vgicheck.engine.solve import ask
from vgicheck.engine.values import and_, is_symbolic, not_

from .machine import INDUCTIVE, Goal, Induction

Sentence = tuple[int, str]
"""Which invariant it is of, by number, and what it says."""


@dataclass(frozen=True, slots=True)
class Believed:
    """All sentences of the inductive invariants but those that were lost."""

    lost: frozenset[Sentence] = frozenset()

    def __call__(self, invariant: Invariant, part: Part) -> bool:
        """Say whether a sentence is believed."""
        return _sentence(invariant, part) not in self.lost

    def lost_of(self, invariant: Invariant) -> list[str]:
        """List the sentences of an invariant that were lost."""
        return sorted(sentence for number, sentence in self.lost if INDUCTIVE[number] is invariant)

    @property
    def digest(self) -> str:
        """A name for what is believed."""
        return hashlib.sha256(repr(sorted(self.lost)).encode()).hexdigest()[:16]


ALL = Believed()


def _sentence(invariant: Invariant, part: Part) -> Sentence:
    return INDUCTIVE.index(invariant), part.sentence


def fixpoint(switches: Switches, timeout: float, needed: str = "") -> Believed:
    """Return what is left of all sentences when those are dropped that the start or a step does not keep.

    `timeout` is the limit of one question, in seconds; what is not answered is dropped.  Where only the invariant
    `needed` is of interest it ends as soon as that has lost a sentence.
    """
    believed = ALL
    dirty: list[Step | None] = [None, *STEPS]
    while dirty and not any(INDUCTIVE[number].id == needed for number, _ in believed.lost):
        lost = set(believed.lost)
        for step in dirty:
            induction = Induction(switches, believed)
            for goal in induction.start() if step is None else induction.step(step):
                if isinstance(goal.claim, Invariant):
                    lost |= {_sentence(goal.claim, p) for p in _lost(goal, timeout)}
        dirty = list(STEPS) if lost != believed.lost else []
        believed = Believed(frozenset(lost))
    return believed


def _lost(goal: Goal, timeout: float) -> Iterator[Part]:
    """Yield the sentences of a goal that a step does not keep."""
    left = list(goal.parts)
    while left:
        assertions = goal.asked(left)
        if not assertions:
            return
        answer = ask(assertions, timeout)
        if answer.result == "unsat":
            return
        failing = [p for p in left if answer.model is not None and _fails(p, answer.model)] or left
        yield from failing
        left = [p for p in left if p not in failing]


def _fails(part: Part, model: z3.ModelRef) -> bool:
    failure = and_(part.premise, not_(part.conclusion))
    return z3.is_true(model.eval(failure, model_completion=True)) if is_symbolic(failure) else bool(failure)
