"""Induction over the steps of a machine, at arbitrary indices.

An invariant says something of every index of some kinds.  To show that a step keeps it, its negation is asked for at
indices that stand for all, after the step; of the state before, every invariant is assumed, at those indices and at
the ones that the step and the goal touch: the arguments of every map that they read.  Nothing depends on how many
indices there are, and an instance that is not assumed can only make a proof fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import z3

from .domain import Unbounded
from .maps import Key
from .values import and_, is_symbolic, not_, or_

Kinds = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence at arbitrary indices, after a step: wherever `premise` holds, `conclusion` does."""

    property: str
    sentence: str
    premise: Any
    conclusion: Any


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a claim can fail: `goal` and `context` together are unsatisfiable exactly if it cannot.

    `trivial` where the step leaves what is claimed as it was.
    """

    claim: Claim
    goal: Any
    context: Sequence[Any]
    trivial: bool = False


@dataclass(frozen=True, slots=True)
class Assumed:
    """An invariant as it is assumed: its kinds, and its parts at some indices."""

    kinds: Kinds
    parts: Callable[..., Iterable[Any]]


class Touched:
    """The indices that terms touch, by kind: the arguments of functions whose names start with a prefix.

    `keys_in(function, arguments)` says which indices of which kind the arguments are; the function is named without
    the prefix.
    """

    def __init__(self, prefix: str, keys_in: Callable[[str, Key], Iterable[tuple[str, Key]]]):
        self._prefix = prefix
        self._keys_in = keys_in
        self._seen: set[int] = set()
        self.found: dict[str, dict[tuple[int, ...], Key]] = {}

    def add(self, kind: str, key: Key) -> None:
        """Count an index as touched; of one that is chosen by a condition, each choice."""
        for choice in product(*(_choices(k) for k in key)):
            label = tuple(k.get_id() if is_symbolic(k) else ~k for k in choice)
            self.found.setdefault(kind, {}).setdefault(label, choice)

    def read(self, term: Any) -> None:
        """Collect what a term touches."""
        if not is_symbolic(term):
            return
        waiting = [term]
        while waiting:
            t = waiting.pop()
            if t.get_id() in self._seen:
                continue
            self._seen.add(t.get_id())
            children = t.children()
            waiting.extend(children)
            if children and t.decl().kind() == z3.Z3_OP_UNINTERPRETED and t.decl().name().startswith(self._prefix):
                for kind, key in self._keys_in(t.decl().name().removeprefix(self._prefix), tuple(children)):
                    self.add(kind, key)

    def of(self, kind: str) -> list[Key]:
        """List the indices of a kind that were touched."""
        return list(self.found.get(kind, {}).values())


def _choices(word: Any) -> list[Any]:
    """List what a word may be by its own conditions: an instance at each says as much as one at the word."""
    if not is_symbolic(word):
        return [word]
    word = z3.simplify(word)
    if z3.is_bv_value(word):
        return [word.as_long()]
    found: dict[int, Any] = {}
    waiting = [word]
    while waiting:
        w = waiting.pop()
        if z3.is_app_of(w, z3.Z3_OP_ITE):
            waiting += [w.arg(1), w.arg(2)]
        elif z3.is_bv_value(w):
            found[~w.as_long()] = w.as_long()
        else:
            found[w.get_id()] = w
    return list(found.values())


def context(
    base: Sequence[Any], invariants: Sequence[Assumed], touched: Touched, extra: Mapping[str, Sequence[Key]]
) -> list[Any]:
    """Return `base` and every invariant at every combination of touched indices."""
    facts = list(base)
    for invariant in invariants:
        options = [[*touched.of(kind), *extra.get(kind, ())] for kind in invariant.kinds]
        for keys in product(*options):
            facts += [f for f in invariant.parts(*keys) if f is not True]
    return facts


def asked(claim: Claim, before: Claim, ctx: Sequence[Any]) -> Question:
    """Return the question whether a claim can fail after a step; `before` is the same claim before it."""
    goal = and_(claim.premise, not_(claim.conclusion))
    if is_symbolic(goal):
        goal = z3.simplify(goal)
        if z3.is_false(goal):
            goal = False
    then = or_(not_(before.premise), before.conclusion)
    now = or_(not_(claim.premise), claim.conclusion)
    same = is_symbolic(then) and is_symbolic(now) and z3.simplify(then).eq(z3.simplify(now))
    return Question(claim, goal, ctx, trivial=goal is False or same)


__all__ = ["Assumed", "Claim", "Question", "Touched", "Unbounded", "asked", "context"]
