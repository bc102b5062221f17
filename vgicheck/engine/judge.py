"""From the parts of a property to a verdict: ask for a counterexample to each, and for a witness of each premise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import z3

from .solve import ask, smtlib
from .values import and_, not_
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


@dataclass(slots=True)
class Assumptions:
    """What is assumed of constants, each kept with the terms it speaks of, so that a question carries only what concerns it.

    Leaving an assumption out can only lose a proof, never invent one.
    """

    facts: list[tuple[Any, frozenset[int]]] = field(default_factory=list)
    _leaves: dict[int, tuple[Any, frozenset[int]]] = field(default_factory=dict)

    def emptied(self) -> Assumptions:
        """Return no assumptions, with what is known of the terms of these."""
        return Assumptions(_leaves=self._leaves)

    def add(self, fact: Any) -> None:
        """Assume a fact."""
        if fact is not True:
            self.facts.append((fact, self.leaves(fact)))

    def about(self, goal: Any) -> list[Any]:
        """Return the facts that share a constant with a goal."""
        wanted = self.leaves(goal)
        return [fact for fact, leaves in self.facts if leaves <= wanted]

    def leaves(self, term: Any) -> frozenset[int]:
        """Return the uninterpreted constants and applications in a term, by their ids."""
        if not isinstance(term, z3.ExprRef):
            return frozenset()
        stack = [term]
        while stack:
            node = stack[-1]
            key = node.get_id()
            if key in self._leaves:
                stack.pop()
                continue
            children = node.children()
            missing = [c for c in children if c.get_id() not in self._leaves]
            if missing:
                stack.extend(missing)
                continue
            found = frozenset().union(*(self._leaves[c.get_id()][1] for c in children))
            if z3.is_app(node) and node.decl().kind() == z3.Z3_OP_UNINTERPRETED:
                found |= {key}
            self._leaves[key] = (node, found)
            stack.pop()
        return self._leaves[term.get_id()][1]


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on the parts of one obligation, with the part that failed and a model in which it fails."""

    verdict: Verdict
    seconds: float
    part: int = -1
    model: Any = None
    reason: str = ""
    queries: tuple[Query, ...] = ()


def judge(
    parts: Sequence[PartLike],
    assumptions: Assumptions,
    timeout: float,
    prefer: Sequence[Any] = (),
    keep_queries: bool = False,
) -> Finding:
    """Judge an obligation. Every part must hold, and every premise must be possible, or nothing was shown."""
    seconds, queries, unknown = 0.0, [], ""
    for number, part in enumerate(parts):
        goal = and_(part.premise, not_(part.conclusion))
        question = [goal, *assumptions.about(goal)]
        answer = ask(question, timeout)
        seconds += answer.seconds
        if answer.result == "sat":
            result, model = _readable(goal, assumptions, timeout, prefer)
            if result == "sat":
                return Finding(Verdict.REFUTED, seconds, number, model, part.sentence, tuple(queries))
            if result == "unsat":
                question = [goal, *(fact for fact, _ in assumptions.facts)]
                answer = replace(answer, result=result)
            else:
                unknown = f"{part.sentence}: no answer under every assumption within {timeout:g} s"
        elif answer.result == "unknown":
            unknown = f"{part.sentence}: no answer within {timeout:g} s ({answer.reason})"
        if keep_queries and isinstance(goal, z3.ExprRef):
            queries.append(Query(f"{number}", smtlib(question), answer.result))
    if unknown:
        return Finding(Verdict.UNKNOWN, seconds, reason=unknown, queries=tuple(queries))
    vacuous = _without_witness(parts, assumptions, timeout)
    if vacuous is not None:
        return Finding(Verdict.VACUOUS, seconds, reason=f"{vacuous}: nothing satisfies the premise", queries=tuple(queries))
    return Finding(Verdict.PROVED, seconds, queries=tuple(queries))


def _readable(goal: Any, assumptions: Assumptions, timeout: float, prefer: Sequence[Any]) -> tuple[str, Any]:
    """Ask again under every assumption; return a model that also meets as many preferences as can be had in order."""
    solver = z3.Solver()
    solver.set("timeout", max(1, int(timeout * 1000)))
    solver.add(*(fact for fact, _ in assumptions.facts))
    if isinstance(goal, z3.ExprRef):
        solver.add(goal)
    first = solver.check()
    if first != z3.sat:
        return str(first), None
    model = solver.model()
    for wish in prefer:
        if not isinstance(wish, z3.ExprRef):
            continue
        solver.push()
        solver.add(wish)
        if solver.check() == z3.sat:
            model = solver.model()
        else:
            solver.pop()
    return "sat", model


def _without_witness(parts: Sequence[PartLike], assumptions: Assumptions, timeout: float) -> str | None:
    """Return the sentence of a part whose premise nothing satisfies, or of which that is not known."""
    seen: dict[Any, bool] = {}
    for part in parts:
        premise = part.premise
        if premise is True:
            continue
        key = premise.get_id() if isinstance(premise, z3.ExprRef) else premise
        if key not in seen:
            facts = [fact for fact, _ in assumptions.facts]
            seen[key] = ask([premise, *facts], timeout).result == "sat"
        if not seen[key]:
            return part.sentence
    return None


