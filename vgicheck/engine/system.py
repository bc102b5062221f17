"""Finite transition systems as Z3 terms: cells with few values each, and guarded transitions over them.

A state gives each cell one of its values.  A transition may be taken where its guard holds, and gives some cells their
next values; the others keep theirs.  `vgicheck.engine.explore` runs every state of such a system.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import z3

Plain = int | bool
OUTSIDE = "depends on what is outside the instance"
"""What is the matter with a value that is not defined."""
Assignment = Mapping[str, Plain]
"""The value of each cell, by its name."""


class NotUnderstood(Exception):
    """A term, or a shape of state, that the explorer does not know: one line that says which."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A state variable: its name, the plain values that it may take, and its width in bits; 0 is a truth value."""

    name: str
    values: tuple[Plain, ...]
    width: int = 0

    def __post_init__(self) -> None:
        if not self.values or len(set(self.values)) != len(self.values):
            raise ValueError(f"cell {self.name}: its values must be some, and each named once")
        for value in self.values:
            if isinstance(value, bool) != (self.width == 0) or not 0 <= value < 1 << max(1, self.width):
                kind = f"a word of {self.width} bits" if self.width else "a truth value"
                raise ValueError(f"cell {self.name}: {value!r} is not {kind}")

    @property
    def term(self) -> Any:
        """The Z3 constant that stands for it."""
        return z3.BitVec(self.name, self.width) if self.width else z3.Bool(self.name)


@dataclass(frozen=True, slots=True)
class Transition:
    """A step: where it may be taken, and the next values of the cells that it changes, all over the old values.

    `defined` has conditions on cells whose next value does not always mean something: where it does.  They must hold
    wherever the step can be taken, and `decidable` in every state, for the guard itself to mean something.  An
    exploration that meets a state where one fails is given up with `Escaped`.
    """

    label: str
    guard: Any
    updates: Mapping[str, Any]
    defined: Mapping[str, Any] = field(default_factory=dict)
    decidable: Any = True


@dataclass(frozen=True, slots=True)
class System:
    """Cells, the states that runs start from, transitions, and what must never hold, by name.

    `requires` are conditions that must hold in every reachable state for `bad` to mean something.
    Raises `ValueError` where these do not fit together: one line that says what and where.
    """

    cells: Sequence[Cell]
    initial: Sequence[Assignment]
    transitions: Sequence[Transition]
    bad: Mapping[str, Any] = field(default_factory=dict)
    requires: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cells, labels = [c.name for c in self.cells], [t.label for t in self.transitions]
        for what, names in (("cell", cells), ("transition", labels)):
            twice = next((n for n in names if names.count(n) > 1), None)
            if twice is not None:
                raise ValueError(f"{what} {twice} is there twice")
        if not self.cells or not self.initial:
            raise ValueError("a system needs a cell and an initial state")
        known = {c.name: c for c in self.cells}
        for state in self.initial:
            self.check(state)
        for t in self.transitions:
            for name, term in t.updates.items():
                if name not in known:
                    raise ValueError(f"transition {t.label}: there is no cell {name}")
                _check_sort(f"transition {t.label}, cell {name}", term, known[name].width)
            for name in t.defined:
                if name not in t.updates:
                    raise ValueError(f"transition {t.label}: it says where cell {name} is defined, and not as what")
        for where, term in self._conditions():
            _check_sort(where, term, 0)

    def check(self, state: Assignment) -> None:
        """Raise `ValueError` unless an assignment gives every cell one of its values."""
        for cell in self.cells:
            if cell.name not in state:
                raise ValueError(f"an initial state says nothing of cell {cell.name}")
            value = state[cell.name]
            if value not in cell.values or isinstance(value, bool) != (cell.width == 0):
                raise ValueError(f"an initial state gives cell {cell.name} the value {value!r}, which it cannot take")
        extra = set(state) - {c.name for c in self.cells}
        if extra:
            raise ValueError(f"an initial state speaks of {min(extra)}, which is no cell")

    def _conditions(self) -> Iterator[tuple[str, Any]]:
        for t in self.transitions:
            yield f"guard of {t.label}", t.guard
            yield f"decidable of {t.label}", t.decidable
            yield from ((f"transition {t.label}, where cell {n} is defined", term) for n, term in t.defined.items())
        yield from ((f"bad {name}", term) for name, term in self.bad.items())
        yield from self.requires.items()


def as_term(value: Any, width: int) -> Any:
    """Return a plain value as a Z3 term, a word of `width` bits or with 0 a truth value; a term stays itself."""
    if isinstance(value, z3.ExprRef):
        return value
    return z3.BitVecVal(value, width) if width else z3.BoolVal(bool(value))


def _check_sort(where: str, value: Any, width: int) -> None:
    expected = z3.BitVecSort(width) if width else z3.BoolSort()
    if isinstance(value, z3.ExprRef):
        if value.sort() != expected:
            raise ValueError(f"{where}: {value.sort()} where {expected} is needed")
    elif isinstance(value, bool) != (width == 0) or not isinstance(value, int) or value < 0 or value >> max(width, 1):
        raise ValueError(f"{where}: {value!r} where {expected} is needed")


def postorder(
    term: Any, done: Container[int], parts: Callable[[Any], Sequence[Any]] = lambda t: t.children()
) -> Iterator[Any]:
    """Yield a term and its parts, each after its own parts; `done` must have the id of what was yielded at once."""
    waiting = [term]
    while waiting:
        missing = [p for p in parts(waiting[-1]) if p.get_id() not in done]
        if missing:
            waiting.extend(missing)
            continue
        part = waiting.pop()
        if part.get_id() not in done:
            yield part
