"""From the parts of a property to a verdict: ask for a counterexample to each, and for a witness of each premise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import z3

from .portfolio import Asked, Inquiry, Portfolio
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
    """The verdict on the parts of one obligation, with the part that failed and a model in which it fails.

    `queries` are the questions on which the verdict rests.
    """

    verdict: Verdict
    seconds: float
    part: int = -1
    model: Any = None
    reason: str = ""
    queries: tuple[Query, ...] = ()

    @property
    def solvers(self) -> tuple[str, ...]:
        """Who answered the questions."""
        return tuple(dict.fromkeys(solver for query in self.queries for solver in query.solvers))

    @property
    def cached(self) -> bool:
        """Say whether every question had been answered in an earlier run."""
        return bool(self.queries) and all(query.cached for query in self.queries)


@dataclass(slots=True)
class Witnesses:
    """States that satisfy the assumptions, kept because a state that meets one premise often meets the next."""

    models: list[Any] = field(default_factory=list)

    def find(self, name: str, premise: Any, assumptions: Sequence[Any], inquiry: Inquiry) -> Asked:
        """Return the question whether some state meets the assumptions and a premise, with its answer."""
        model = next((m for m in self.models if premise is True or _meets(m, premise)), None)
        asked = inquiry.possible(name, [premise, *assumptions], model)
        if model is None and asked.model is not None:
            self.models.append(asked.model)
        return asked


def _meets(model: Any, premise: Any) -> bool:
    return is_symbolic(premise) and z3.is_true(model.eval(premise, model_completion=True))


def judge(
    parts: Sequence[PartLike],
    assumptions: Sequence[Any],
    portfolio: Portfolio,
    prefer: Sequence[Any] = (),
    witnesses: Witnesses | None = None,
    split: Any = None,
) -> Finding:
    """Judge an obligation. Every part must hold, and every premise must be possible, or nothing was shown.

    `witnesses` may be shared by obligations that have the same assumptions; `split` is as for `solve.ask`.
    """
    if not parts:
        return Finding(Verdict.VACUOUS, 0.0, reason="nothing is claimed")
    seconds, unknown = 0.0, ""
    queries: dict[Query, None] = {}
    inquiry = Inquiry(portfolio)
    for number, part in enumerate(parts):
        goal = and_(part.premise, not_(part.conclusion))
        asked = inquiry.impossible(f"{number}", goal, assumptions, split)
        seconds += asked.seconds
        queries[asked.query] = None
        if asked.result == "sat":
            model = _readable([goal, *assumptions], portfolio.timeout, prefer) or asked.model
            if model is not None:
                return Finding(Verdict.REFUTED, seconds, number, model, part.sentence, tuple(queries))
            unknown = f"{part.sentence}: it can fail, but no model within {portfolio.timeout:g} s shows how"
        elif asked.result == "unknown":
            unknown = f"{part.sentence}: {asked.reason}"
    if unknown:
        return Finding(Verdict.UNKNOWN, seconds, reason=unknown, queries=tuple(queries))
    witnesses = witnesses or Witnesses()
    premises: dict[object, PartLike] = {}
    for part in parts:
        premise: Any = part.premise
        premises.setdefault(premise.get_id() if is_symbolic(premise) else str(premise), part)
    for number, part in enumerate(premises.values()):
        asked = witnesses.find(f"witness-{number}", part.premise, assumptions, inquiry)
        seconds += asked.seconds
        queries[asked.query] = None
        if asked.result == "unsat":
            reason = f"{part.sentence}: nothing satisfies the premise"
            return Finding(Verdict.VACUOUS, seconds, reason=reason, queries=tuple(queries))
        if asked.result == "unknown":
            reason = f"{part.sentence}: whether anything satisfies the premise: {asked.reason}"
            return Finding(Verdict.UNKNOWN, seconds, reason=reason, queries=tuple(queries))
    return Finding(Verdict.PROVED, seconds, queries=tuple(queries))


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
