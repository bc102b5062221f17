"""Induction over the steps of a machine, at arbitrary indices.

An invariant says something of every index of some kinds.  To show that a step keeps it, its negation is asked for at
indices that stand for all, after the step; of the state before, every invariant is assumed, at those indices and at
the ones that the step and the goal touch: the arguments of every map that they read.  Nothing depends on how many
indices there are, and an instance that is not assumed can only make a proof fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import z3

from .domain import Unbounded
from .maps import Key, label_of
from .values import and_, is_symbolic, not_, or_

Kinds = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Indices:
    """What a machine is indexed by.

    widths    the width in bits of each coordinate of a kind
    legal     whether an index of a kind is one that there is
    keys_in   which indices a function of the state is applied to: (name of the function, arguments) -> (kind, index)
    pairs     two kinds of which only those combinations matter that are read together, as a kind of its own
    """

    widths: Mapping[str, tuple[int, ...]]
    legal: Callable[[str, Key], bool]
    keys_in: Callable[[str, Key], Iterable[tuple[str, Key]]]
    pairs: Mapping[Kinds, str]

    def arbitrary(self, kinds: Kinds, name: str = "at") -> tuple[Key, ...]:
        """Return indices that stand for all: the second of a kind is another constant than the first."""
        made: list[Key] = []
        for n, kind in enumerate(kinds):
            number = kinds[:n].count(kind)
            widths = enumerate(self.widths[kind])
            made.append(tuple(z3.BitVec(f"{name}.{kind}{number}.{j}", width) for j, width in widths))
        return tuple(made)

    def domain(self, name: str) -> Unbounded:
        """Return a domain of all indices, for the state of this name."""
        return Unbounded(self.widths, self.legal, name)


@dataclass(slots=True)
class Reader:
    """Which indices terms touch: what the functions of the state, named `prefix`..., are applied to.

    Each term is looked through once.
    """

    indices: Indices
    prefix: str
    _known: dict[int, tuple[Any, tuple[tuple[str, Key], ...]]] = field(default_factory=dict)
    """What was read, by the number of a term, which is kept: one that dies gives its number to another."""
    _words: dict[int, tuple[Any, list[Any]]] = field(default_factory=dict)

    def touches(self, term: Any) -> tuple[tuple[str, Key], ...]:
        """Return the indices that a term touches, with their kinds; of one that is chosen, each choice."""
        if not is_symbolic(term):
            return ()
        if term.get_id() not in self._known:
            found = {(kind, label_of(key)): (kind, key) for kind, key in self._applied(term)}
            self._known[term.get_id()] = term, tuple(found.values())
        return self._known[term.get_id()][1]

    def choices(self, key: Key) -> Iterable[Key]:
        """Return what an index may be by its own conditions."""
        return product(*(self._choices(word) for word in key))

    def _applied(self, term: Any) -> Iterable[tuple[str, Key]]:
        waiting, seen = [term], set()
        while waiting:
            part = waiting.pop()
            if part.get_id() in seen:
                continue
            seen.add(part.get_id())
            children = part.children()
            waiting.extend(children)
            if children and part.decl().kind() == z3.Z3_OP_UNINTERPRETED:
                name = part.decl().name()
                if name.startswith(self.prefix):
                    for kind, key in self.indices.keys_in(name.removeprefix(self.prefix), tuple(children)):
                        yield from ((kind, choice) for choice in self.choices(key))

    def _choices(self, word: Any) -> list[Any]:
        if not is_symbolic(word):
            return [word]
        if word.get_id() not in self._words:
            self._words[word.get_id()] = word, _choices(word)
        return self._words[word.get_id()][1]


@dataclass(slots=True)
class Touched:
    """The indices that some terms touch, by kind."""

    reader: Reader
    _found: dict[str, dict[tuple[object, ...], Key]] = field(default_factory=dict)

    def add(self, kind: str, key: Key) -> None:
        """Count an index as touched; of one that is chosen by a condition, each choice."""
        for choice in self.reader.choices(key):
            self._found.setdefault(kind, {}).setdefault(label_of(choice), choice)

    def add_all(self, kinds: Kinds, keys: Sequence[Key]) -> None:
        """Count indices of several kinds as touched, neighbours also as pairs."""
        for kind, key in zip(kinds, keys, strict=True):
            self.add(kind, key)
        for n in range(len(kinds) - 1):
            pair = self.reader.indices.pairs.get(kinds[n : n + 2])
            if pair is not None:
                self.add(pair, keys[n] + keys[n + 1])

    def read(self, *terms: Any) -> None:
        """Collect what terms touch."""
        for term in terms:
            for kind, key in self.reader.touches(term):
                self._found.setdefault(kind, {}).setdefault(label_of(key), key)

    def of(self, kind: str) -> list[Key]:
        """List the indices of a kind that were touched."""
        return list(self._found.get(kind, {}).values())

    def combinations(self, kinds: Kinds) -> Iterable[tuple[Key, ...]]:
        """List the combinations of touched indices of several kinds."""
        options: list[list[tuple[Key, ...]]] = []
        rest = kinds
        while rest:
            pair = self.reader.indices.pairs.get(rest[:2])
            if pair is not None:
                first = len(self.reader.indices.widths[rest[0]])
                options.append([(k[:first], k[first:]) for k in self.of(pair)])
                rest = rest[2:]
            else:
                options.append([(k,) for k in self.of(rest[0])])
                rest = rest[1:]
        for chosen in product(*options):
            yield tuple(key for keys in chosen for key in keys)


def _choices(word: Any) -> list[Any]:
    """List what a word may be by its own conditions: an instance at each says as much as one at the word."""
    found: dict[object, Any] = {}
    waiting = [z3.simplify(word)]
    while waiting:
        w = waiting.pop()
        if z3.is_app_of(w, z3.Z3_OP_ITE):
            waiting += [w.arg(1), w.arg(2)]
        else:
            found[w.get_id()] = w
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Assumed:
    """An invariant of the state before, at placeholders; an instance is a substitution."""

    kinds: Kinds
    term: Any
    placeholders: tuple[Any, ...]

    def at(self, keys: Iterable[Key]) -> Any:
        """Return what it says of some indices."""
        words = [word for key in keys for word in key]
        pairs = [
            (p, w if is_symbolic(w) else z3.BitVecVal(w, p.size()))
            for p, w in zip(self.placeholders, words, strict=True)
        ]
        return z3.substitute(self.term, *pairs) if pairs else self.term


def assumed(indices: Indices, kinds: Kinds, says: Callable[..., Iterable[Any]]) -> list[Assumed]:
    """Return the sentences of an invariant, `says(*keys)`, as they are assumed."""
    keys = indices.arbitrary(kinds)
    placeholders = tuple(word for key in keys for word in key)
    found = (z3.simplify(term) for term in says(*keys) if is_symbolic(term))
    return [Assumed(kinds, term, placeholders) for term in found if not z3.is_true(term)]


@dataclass(slots=True)
class Context:
    """What may be assumed when something is asked of a step: facts about the step, and invariants of the state before.

    `domains` are those that the step, the goals and the invariants were built with; `prefix` names the state before.
    """

    indices: Indices
    prefix: str
    base: Sequence[Any]
    given: Sequence[tuple[str, Key]]
    domains: Sequence[Unbounded]
    invariants: Sequence[Assumed]
    _instances: dict[tuple[object, ...], tuple[Any, tuple[Key, ...]]] = field(default_factory=dict)
    _reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        self._reader = Reader(self.indices, self.prefix)

    def question(self, goal: Any, kinds: Kinds, at: Sequence[Key]) -> list[Any]:
        """Return the assertions that hold together exactly where the goal is met."""
        touched = Touched(self._reader)
        touched.read(goal, *self.base)
        touched.add_all(kinds, at)
        for kind, key in self.given:
            touched.add(kind, key)
        touched.read(*self._tied(touched))
        facts = [goal, *self.base, *self._tied(touched)]
        facts += [self.indices.legal(kind, key) for kind, key in [*zip(kinds, at, strict=True), *self.given]]
        for number, invariant in enumerate(self.invariants):
            facts += [self._instance(number, invariant, keys) for keys in touched.combinations(invariant.kinds)]
        return [f for f in facts if f is not True]

    def _tied(self, touched: Touched) -> list[Any]:
        return [fact for domain in self.domains for fact in domain.facts(touched.of)]

    def _instance(self, number: int, invariant: Assumed, keys: tuple[Key, ...]) -> Any:
        label = (number, *(part for key in keys for part in label_of(key)))
        if label not in self._instances:
            # The keys are kept: a term that dies gives its number, which the label is made of, to another.
            self._instances[label] = invariant.at(keys), keys
        return self._instances[label][0]


def negated(parts: Iterable[tuple[Any, Any]]) -> Any:
    """Return that one of several sentences, as (premise, conclusion), fails; simplified, False if none can."""
    goal = or_(*(and_(premise, not_(conclusion)) for premise, conclusion in parts))
    if is_symbolic(goal):
        goal = z3.simplify(goal)
        return False if z3.is_false(goal) else goal
    return goal
