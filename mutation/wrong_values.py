"""The family of faults by which a mutant of a property is tried when all else has failed: one wrong value.

A fault of the family is the model's transition, but for one state, from which one scalar of the result is another: a
field of a record, or of one cell of a map.  The family is that of every transition and every property, and knows
neither.  A mutant of a property is given away by such a fault that a sentence notices and the same sentence of the
mutant does not, wherever it looks.  A solver finds the fault; that the sentence notices it is then seen on plain
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, get_type_hints

import z3

from model.generation import REFERENCE
from model.gich import FIRST_SPECIAL_INTID
from proofs.model import Step, Transition, plain
from properties.property import At, Part
from vgicheck.engine.maps import MapOf
from vgicheck.engine.solve import ask
from vgicheck.engine.values import and_, fresh, implies, is_symbolic, ite, lt, not_

TIMEOUT = 10.0
"""Seconds for one question."""
TRIES = 8
"""Faults that are looked at for one sentence; the mutant notices each at indices at which it missed the last."""

Formula = Callable[[Any, Any, At], Sequence[Part]]
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a result has a scalar: a field, by its path, or with `keys`, widths of a key, one in the cells of a map."""

    path: Path
    kind: Any
    keys: tuple[int, ...] = ()
    inner: Path = ()

    def __str__(self) -> str:
        return ".".join((*self.path, *self.inner))

    @property
    def key(self) -> tuple[Any, ...]:
        """An arbitrary key."""
        return tuple(z3.BitVec(f"key{n} of {self}", width) for n, width in enumerate(self.keys))

    @property
    def value(self) -> Any:
        """An arbitrary value."""
        return fresh(self.kind, f"wrong {self}")

    def wrong(self, result: Any, key: tuple[Any, ...], value: Any, when: Any = True) -> Any:
        """Return the result with the value in this place, where `when` holds."""
        there = _at(result, self.path)
        if self.keys:
            other = there.set(key, _put(there[key], self.inner, value), when)
        else:
            other = ite(when, value, there)
        return _put(result, self.path, other)


def places(kind: type, path: Path = ()) -> Iterator[Place]:
    """Yield every place of a type of records."""
    hints = get_type_hints(kind, include_extras=True)
    for f in fields(kind):
        hint, here = hints[f.name], (*path, f.name)
        cells = next((e for e in getattr(hint, "__metadata__", ()) if isinstance(e, MapOf)), None)
        if is_dataclass(hint) and isinstance(hint, type):
            yield from places(hint, here)
        elif cells is None:
            yield Place(here, hint)
        elif is_dataclass(cells.value):
            yield from (Place(here, p.kind, cells.keys, p.path) for p in places(cells.value))
        else:
            yield Place(here, cells.value, cells.keys)


def _at(record: Any, path: Path) -> Any:
    for name in path:
        record = getattr(record, name)
    return record


def _put(record: Any, path: Path, value: Any) -> Any:
    return replace(record, **{path[0]: _put(_at(record, path[:1]), path[1:], value)}) if path else value


def holds(said: Sequence[Part], sentence: str) -> Any:
    """Say whether what is said under a sentence holds; what is not said does."""
    return and_(*(implies(p.premise, p.conclusion) for p in said if p.sentence == sentence))


def changed(said: Sequence[Part], other: Sequence[Part]) -> list[str]:
    """List the sentences of which another formula makes something else."""
    names = dict.fromkeys(p.sentence for p in said)
    return [name for name in names if not _alike(holds(said, name), holds(other, name))]


def _alike(a: Any, b: Any) -> bool:
    return bool(a.eq(b)) if is_symbolic(a) and is_symbolic(b) else a is b


def says_no_less(step: Step, formula: Formula, other: Formula) -> bool:
    """Say whether another formula implies a formula sentence by sentence, of whatever a step may result in."""
    at, new = fresh(At, "at"), fresh(type(step.new), "new")
    said, mutant = formula(step.old, new, at), other(step.old, new, at)
    if {p.sentence for p in said} != {p.sentence for p in mutant}:
        return False
    facts = _facts(step, at)
    goals = ([not_(holds(said, name)), holds(mutant, name), *facts] for name in changed(said, mutant))
    return all(ask(goal, TIMEOUT).result == "unsat" for goal in goals)


def _facts(step: Step, at: At) -> list[Any]:
    return [lt(at.intid, FIRST_SPECIAL_INTID), *(fact for fact, _ in step.facts)]


def unnoticed(transition: Transition, step: Step, formula: Formula, other: Formula) -> str:
    """Return the place and the sentence of a wrong value of which another formula says nothing, else nothing."""
    at, everywhere, which = fresh(At, "at"), fresh(At, "every"), z3.BitVec("which", 8)
    listed, new = list(places(type(step.new))), step.new
    for n, place in enumerate(listed):
        new = place.wrong(new, place.key, place.value, which == n)
    said, mutant, missed = (f(step.old, new, a) for f, a in ((formula, at), (other, at), (other, everywhere)))
    for name in changed(said, mutant):
        facts = [lt(which, len(listed)), *_facts(step, at), not_(holds(said, name)), holds(mutant, name)]
        for _ in range(TRIES):
            model = ask(facts, TIMEOUT).model
            if model is None:
                break
            place = listed[plain(which, model)]
            seen = [_under(not_(holds(missed, name)), model), lt(everywhere.intid, FIRST_SPECIAL_INTID)]
            noticed = ask(seen, TIMEOUT)
            if (
                noticed.result == "unsat"
                and holds(_replayed(transition, step, place, model, formula, at), name) is False
            ):
                return f"{place}: {name}"
            if noticed.model is None:
                break
            facts.append(holds(other(step.old, new, plain(everywhere, noticed.model)), name))
    return ""


def _replayed(transition: Transition, step: Step, place: Place, model: Any, formula: Formula, at: At) -> Sequence[Part]:
    """Return what a formula says of the plain numbers of a model, the wrong value in its place."""
    old, key, value = plain(step.old, model), tuple(plain(k, model) for k in place.key), _number(place, model)
    if not all(fact is True for fact, _ in transition.assume(old)):
        return ()
    return formula(old, place.wrong(transition.step(old, REFERENCE), key, value), plain(at, model))


def _number(place: Place, model: Any) -> Any:
    found = plain(place.value, model)
    signed = any(getattr(extra, "signed", False) for extra in getattr(place.kind, "__metadata__", ()))
    return found - (1 << 32) if signed and found >> 31 else found


def _under(term: Any, model: Any) -> Any:
    """Return a term in which what a model has an interpretation of is that."""
    if not is_symbolic(term):
        return term
    constants = [(d(), model[d]) for d in model.decls() if d.arity() == 0]
    functions = [(d, _body(d, model[d])) for d in model.decls() if d.arity() > 0]
    return z3.simplify(z3.substitute_funs(z3.substitute(term, *constants), *functions))


def _body(function: Any, interpretation: Any) -> Any:
    arguments = [z3.Var(n, function.domain(n)) for n in range(function.arity())]
    body = interpretation.else_value()
    for n in range(interpretation.num_entries()):
        entry = interpretation.entry(n)
        hit = z3.And(*(a == entry.arg_value(i) for i, a in enumerate(arguments)))
        body = z3.If(hit, entry.value(), body)
    return body
