"""The cone of influence: what of a finite system decides where its transitions may be taken and what must not hold.

A cell that neither a guard nor a bad condition reads, nor the next value of a cell that one of them reads, makes no
difference to what is found, only to how many states there are.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import Any

import z3

from .system import System, postorder


def cone(system: System) -> System:
    """Return the same system without the cells that decide nothing; its runs are those of the whole, by their labels.

    At least one cell is kept.
    """
    known = {cell.name: cell for cell in system.cells}
    read = _Reads()
    roots = [term for t in system.transitions for term in (t.guard, t.decidable)]
    roots += [*system.bad.values(), *system.requires.values()]
    waiting = [name for term in roots for name in read.of(term)]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in known and name not in needed:
            needed.add(name)
            terms = (term for t in system.transitions for term in (t.updates.get(name), t.defined.get(name)))
            waiting += (n for term in terms for n in read.of(term))
    cells = [cell for cell in system.cells if cell.name in needed] or list(system.cells[:1])
    kept = {cell.name for cell in cells}
    return replace(
        system,
        cells=cells,
        initial=[_of(kept, state) for state in system.initial],
        transitions=[
            replace(t, updates=_of(kept, t.updates), defined=_of(kept, t.defined)) for t in system.transitions
        ],
    )


def _of(kept: Container[str], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in kept}


class _Reads:
    """The names of the constants in terms, each part looked at once."""

    def __init__(self) -> None:
        self._known: dict[int, frozenset[str]] = {}
        self._kept: list[Any] = []
        """The terms, which must not die: what they are known by would go to others."""

    def of(self, term: Any) -> Iterable[str]:
        """Return the names of the constants in a term; a plain value has none."""
        if not isinstance(term, z3.ExprRef):
            return frozenset()
        self._kept.append(term)
        for part in postorder(term, self._known):
            children = part.children()
            if children:
                found = frozenset().union(*(self._known[c.get_id()] for c in children))
            else:
                found = frozenset([part.decl().name()]) if part.decl().kind() == z3.Z3_OP_UNINTERPRETED else frozenset()
            self._known[part.get_id()] = found
        return self._known[term.get_id()]
