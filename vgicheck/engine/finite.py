"""From records and step functions to a finite system: a small instance of a model, with the keys and values it has.

An instance names, for each map of a state record, the keys that exist, and for each scalar the values that it takes.
Its `state` is a record of Z3 constants, one for each scalar and key, on which step functions run as they do on numbers.

What a map holds at other keys is not represented.  A step may write there, since nobody can read it back: where a
guard, a next value or a condition depends on such a cell, the exploration stops with `Escaped` in the first state in
which it does.  A read whose result does not matter there is no offence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar, get_type_hints

import z3

from .maps import Map, MapOf, label_of
from .system import OUTSIDE, Assignment, Cell, NotUnderstood, Plain, System, Transition, as_term, postorder
from .values import Width, and_, is_symbolic, ite, not_, or_, same

S = TypeVar("S")
Key = tuple[int, ...]
Where = tuple[str | Key, ...]
"""How a scalar is reached: fields, and the key where a map is read."""
Values = Sequence[Plain] | Mapping[Any, Sequence[Plain]]
"""The values of a scalar, or those of a map's scalar by key."""
MOST_BITS = 8
"""The widest word whose values need not be listed."""


class Instance(Generic[S]):
    """A record type with the keys of its maps and the values of its scalars, by dotted field names.

    `keys` has the keys of each map; `values` the values of scalars, and of the scalars in maps, as in `cpu.lr.state`.
    A truth value and a word of up to `MOST_BITS` bits take all their values where nothing is said.  A scalar of one
    value is plain in `state`.
    """

    def __init__(
        self, kind: type[S], keys: Mapping[str, Sequence[Any]], values: Mapping[str, Values] | None = None
    ) -> None:
        self._kind = kind
        self._keys = {path: [_tuple(k) for k in listed] for path, listed in keys.items()}
        self._values = dict(values or {})
        self._unused = {*self._keys, *self._values}
        self._cells: dict[str, Cell] = {}
        self._where: dict[str, Where] = {}
        self._outside: dict[int, Any] = {}
        self.state: S = self._built(kind, (), self._symbol)
        if self._unused:
            raise ValueError(f"{kind.__name__} has no scalar or map {min(self._unused)}")

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of a system of this instance."""
        return tuple(self._cells.values())

    def record(self, state: Assignment) -> S:
        """Return the plain record of an assignment; its maps hold what the first key has where there is no key."""
        return self._built(self._kind, (), lambda where, kind: state[_name(where)])  # type: ignore[no-any-return]

    def assignment(self, record: S) -> dict[str, Plain]:
        """Return what a plain record gives each cell."""
        return {name: _plain(name, value) for name, value in self._scalars(record)}

    def transition(self, label: str, guard: bool, after: S) -> Transition:
        """Return a transition from where it may be taken and the record after it, both made from `state`."""
        condition, decidable = self._closed(guard, 0)
        before = dict(self._scalars(self.state))
        updates, defined = {}, {}
        for name, value in self._scalars(after):
            if not _identical(value, before[name]):
                updates[name], inside = self._closed(value, self._cells[name].width)
                if not z3.is_true(inside):
                    defined[name] = inside
        return Transition(label, condition, updates, defined, decidable)

    def system(self, initial: Sequence[S], transitions: Sequence[Transition], bad: Mapping[str, bool]) -> System:
        """Return the system of transitions, the plain records that it starts from, and what `state` must never be."""
        found = {name: self._closed(condition, 0) for name, condition in bad.items()}
        requires = {f"{name} {OUTSIDE}": term for name, (_, term) in found.items()}
        return System(
            cells=self.cells,
            initial=[self.assignment(record) for record in initial],
            transitions=transitions,
            bad={name: term for name, (term, _) in found.items()},
            requires={text: term for text, term in requires.items() if not z3.is_true(term)},
        )

    def _built(self, kind: Any, where: Where, scalar: Callable[[Where, Any], Any]) -> Any:
        """Return a value of a type, with each scalar as `scalar` has it."""
        extra = next((e for e in getattr(kind, "__metadata__", ()) if isinstance(e, MapOf)), None)
        if extra is not None:
            return self._map(extra, where, scalar)
        if is_dataclass(kind) and isinstance(kind, type):
            hints = get_type_hints(kind, include_extras=True)
            return kind(*(self._built(hints[f.name], (*where, f.name), scalar) for f in fields(kind)))
        return scalar(where, kind)

    def _map(self, kind: MapOf, where: Where, scalar: Callable[[Where, Any], Any]) -> Any:
        path = _path(where)
        if any(isinstance(part, tuple) for part in where):
            raise NotUnderstood(f"{path}: a map in a map")
        keys = self._keys.get(path)
        if not keys:
            raise ValueError(f"the instance has no keys for the map {path}")
        self._unused.discard(path)
        for key in keys:
            if len(key) != len(kind.keys) or any(not 0 <= k < 1 << w for k, w in zip(key, kind.keys, strict=True)):
                raise ValueError(f"{key} is no key of the map {path}")
        cells = {key: self._built(kind.value, (*where, key), scalar) for key in keys}
        if scalar != self._symbol:
            return Map.of(cells, cells[keys[0]], width=kind.value_width)
        outside: dict[tuple[object, ...], tuple[Key, Any]] = {}

        def read(key: Key) -> Any:
            label = label_of(key)
            if label not in outside:
                outside[label] = key, self._built(kind.value, where, self._unknown)
            _, found = outside[label]
            for known in reversed(keys):
                found = ite(same(key, known), cells[known], found, width=kind.value_width)
            return found

        return Map(read, width=kind.value_width)

    def _symbol(self, where: Where, kind: Any) -> Any:
        """Make the cell of a scalar; return its constant, or the one value that it has."""
        path, name = _path(where), _name(where)
        width = _width(path, kind)
        listed = self._values.get(path)
        self._unused.discard(path)
        if isinstance(listed, Mapping):
            listed = {_tuple(k): v for k, v in listed.items()}.get(next(p for p in where if isinstance(p, tuple)))
        if listed is None:
            if width > MOST_BITS:
                raise ValueError(f"the instance lists no values for {name}, a word of {width} bits")
            listed = range(1 << width) if width else (False, True)
        plain = tuple(int(v) if width else bool(v) for v in listed)
        cell = self._cells[name] = Cell(name, plain, width)
        self._where[name] = where
        return cell.term if len(plain) > 1 else plain[0]

    def _unknown(self, where: Where, kind: Any) -> Any:
        """Make the constant that stands for a scalar outside the instance: one for each key that is read."""
        name, width = f"{_path(where)}[outside {len(self._outside)}]", _width(_path(where), kind)
        unknown = z3.BitVec(name, width) if width else z3.Bool(name)
        self._outside[unknown.get_id()] = unknown
        return unknown

    def _scalars(self, record: Any) -> Iterator[tuple[str, Any]]:
        """Yield the scalars of a record by the names of their cells."""
        for name, where in self._where.items():
            value = record
            for part in where:
                value = value[part] if isinstance(part, tuple) else getattr(value, part)
            yield name, value

    def _closed(self, value: Any, width: int) -> tuple[Any, Any]:
        """Return a value as a term over the cells alone, and the condition that it does not depend on the outside."""
        term = z3.simplify(as_term(value, width))
        known: dict[int, Any] = {}
        unknown = []
        for part in postorder(term, known):
            if part.get_id() in self._outside:
                unknown.append((part, as_term(0, 0 if z3.is_bool(part) else part.size())))
            known[part.get_id()] = self._definition(part, [known[p.get_id()] for p in part.children()])
        defined = z3.simplify(as_term(known[term.get_id()], 0))
        return (z3.substitute(term, *unknown), z3.substitute(defined, *unknown)) if unknown else (term, defined)

    def _definition(self, term: Any, known: Sequence[Any]) -> Any:
        """Return where a term does not depend on what is outside, never wrongly true; `known` says so of its parts."""
        if term.get_id() in self._outside:
            return False
        if all(k is True for k in known):
            return True
        parts, kind = term.children(), term.decl().kind()
        if kind == z3.Z3_OP_ITE:
            return and_(known[0], ite(parts[0], known[1], known[2]))
        if kind == z3.Z3_OP_AND:
            return or_(and_(*known), *(and_(k, not_(part)) for k, part in zip(known, parts, strict=True)))
        if kind == z3.Z3_OP_OR:
            return or_(and_(*known), *(and_(k, part) for k, part in zip(known, parts, strict=True)))
        return and_(*known)


def _path(where: Where) -> str:
    """Name a field by the fields that lead to it, without the keys of maps."""
    return ".".join(part for part in where if isinstance(part, str))


def _name(where: Where) -> str:
    """Name a cell as Python would write it."""
    parts = (f".{p}" if isinstance(p, str) else f"[{', '.join(map(str, p))}]" for p in where)
    return "".join(parts).removeprefix(".")


def _width(path: str, kind: Any) -> int:
    """Return the width of a scalar type in bits; 0 for a truth value."""
    if kind is bool:
        return 0
    for extra in getattr(kind, "__metadata__", ()):
        if isinstance(extra, Width):
            return extra.bits
    raise NotUnderstood(f"{path}: no cell holds {kind}")


def _tuple(key: Any) -> Key:
    return tuple(key) if isinstance(key, tuple) else (key,)


def _identical(a: Any, b: Any) -> bool:
    """Say whether two scalars are the same value or the same term."""
    if is_symbolic(a) or is_symbolic(b):
        return is_symbolic(a) and is_symbolic(b) and bool(a.eq(b))
    return bool(a == b)


def _plain(name: str, value: Any) -> Plain:
    if is_symbolic(value):
        raise ValueError(f"{name} is {value}, which is no plain value")
    return value if isinstance(value, bool) else int(value)
