"""From the parts of a property to a verdict: ask for a counterexample to each, and for a witness of each premise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import z3

from .solve import QUICK, Answer, ask, smtlib
from .values import and_, is_symbolic, not_
from .verdict import Query, Verdict


class PartLike(Protocol):
    """One sentence: wherever `premise` holds, `conclusion` does."""

    @property
    def sentence(self) -> str:
        """What is claimed."""

    @property
    def premise(self) -> bool:
        """Where it is claimed."""

    @property
    def conclusion(self) -> bool:
        """What must hold there."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on the parts of one obligation, with the part that failed and a model in which it fails."""

    verdict: Verdict
    seconds: float
    part: int = -1
    model: Any = None
    reason: str = ""
    queries: tuple[Query, ...] = ()
    solvers: tuple[str, ...] = ("z3",)


@dataclass(slots=True)
class Witnesses:
    """States that satisfy the assumptions, kept because a state that meets one premise often meets the next."""

    models: list[Any] = field(default_factory=list)

    def has(self, premise: Any, assumptions: Sequence[Any], timeout: float) -> bool:
        """Say whether some state satisfies the assumptions and a premise; not knowing is no."""
        if premise is False:
            return False
        if premise is True and self.models:
            return True
        if is_symbolic(premise) and any(z3.is_true(m.eval(premise, model_completion=True)) for m in self.models):
            return True
        answer = ask([premise, *assumptions], timeout)
        if answer.result == "sat":
            self.models.append(answer.model)
        return answer.result == "sat"


def judge(
    parts: Sequence[PartLike],
    assumptions: Sequence[Any],
    timeout: float,
    prefer: Sequence[Any] = (),
    keep_queries: bool = False,
    witnesses: Witnesses | None = None,
    split: Any = None,
) -> Finding:
    """Judge an obligation. Every part must hold, and every premise must be possible, or nothing was shown.

    `witnesses` may be shared by obligations that have the same assumptions; `split` is as for `solve.ask`.
    """
    seconds, queries, unknown = 0.0, [], ""
    solvers: dict[str, None] = {"z3": None}
    for number, part in enumerate(parts):
        goal = and_(part.premise, not_(part.conclusion))
        question, answer = _asked(goal, assumptions, timeout, split)
        seconds += answer.seconds
        solvers[answer.solver] = None
        if keep_queries:
            queries.append(Query(f"{number}", smtlib(question), answer.result))
        if answer.result == "sat":
            model = _readable(question, timeout, prefer) or answer.model
            return Finding(Verdict.REFUTED, seconds, number, model, part.sentence, tuple(queries))
        if answer.result == "unknown":
            unknown = f"{part.sentence}: no answer within {timeout:g} s ({answer.reason})"
    if unknown:
        return Finding(Verdict.UNKNOWN, seconds, reason=unknown, queries=tuple(queries))
    witnesses = witnesses or Witnesses()
    for part in parts:
        if not witnesses.has(part.premise, assumptions, timeout):
            reason = f"{part.sentence}: nothing satisfies the premise"
            return Finding(Verdict.VACUOUS, seconds, reason=reason, queries=tuple(queries))
    return Finding(Verdict.PROVED, seconds, queries=tuple(queries), solvers=tuple(solvers))


def _asked(goal: Any, assumptions: Sequence[Any], timeout: float, split: Any) -> tuple[list[Any], Answer]:
    """Ask about a goal, first with no assumption at all: most hold without, and say so sooner."""
    alone = ask([z3.simplify(goal)] if is_symbolic(goal) else [goal], timeout, effort=QUICK)
    if alone.result == "unsat":
        return [goal], alone
    question = [goal, *assumptions]
    answer = ask(question, timeout, split)
    return question, replace(answer, seconds=alone.seconds + answer.seconds)


def _readable(question: Sequence[Any], timeout: float, prefer: Sequence[Any]) -> Any:
    """Return a model that also meets as many preferences as can be had in order, or None if there was no time.

    It is looked for in a context of its own: what a solver answers depends on the numbering of terms, and so on all
    that was asked before.
    """
    context = z3.Context()
    solver = z3.Solver(ctx=context)
    solver.set("timeout", max(1, int(timeout * 1000)))
    solver.add(*(fact.translate(context) for fact in question if is_symbolic(fact)))
    model = None
    for wish in [True, *prefer]:
        if wish is False:
            continue
        solver.push()
        solver.add(wish.translate(context) if is_symbolic(wish) else z3.BoolVal(True, ctx=context))
        if solver.check() == z3.sat:
            model = solver.model()
        else:
            solver.pop()
    return model.translate(z3.main_ctx()) if model is not None else None
