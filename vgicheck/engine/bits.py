"""A finite system as one Boolean machine: its terms bit by bit, its transitions a choice that the inputs make.

Each cell is the number of its value in a few latches, with the bits of the initial one turned round, so that all start
as 0.  The inputs name a transition; it is made if its guard holds, else nothing happens.  What must not be is one
condition of the system, or that the system is not closed: see `vgicheck.engine.explore.Escaped`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import z3

from .aig import FALSE, TRUE, Graph, no
from .system import Cell, NotUnderstood, Plain, System, as_term, postorder

Word = tuple[int, ...]
"""Literals, the lowest bit first; a truth value has one."""


class Machine:
    """A system as a graph, with the next value of each latch and the one literal that must never hold.

    Raises `NotUnderstood` for an operator that is not listed here, and for more than one initial state or condition.
    """

    def __init__(self, system: System) -> None:
        if len(system.initial) != 1 or len(system.bad) != 1:
            raise NotUnderstood("a Boolean machine has one initial state and one condition that must not be")
        self.system = system
        self._start = system.initial[0]
        self._first: dict[str, int] = {}
        latches = 0
        for cell in system.cells:
            self._first[cell.name] = latches
            latches += _size(cell)
        self.graph = Graph(inputs=max(1, (len(system.transitions) - 1).bit_length()), latches=latches)
        self._words = {cell.name: self._value(cell) for cell in system.cells}
        self._terms: dict[int, Word] = {}
        self._kept: list[Any] = []
        self.taken = [
            self.graph.both(self._chosen(n), self._condition(t.guard)) for n, t in enumerate(system.transitions)
        ]
        (bad,) = system.bad.values()
        wrong = [no(self._condition(term)) for term in system.requires.values()]
        self.following: list[int] = []
        for cell in system.cells:
            self.following += self._next(cell, wrong)
        for taken, t in zip(self.taken, system.transitions, strict=True):
            wrong.append(no(self._condition(t.decidable)))
            wrong += [self.graph.both(taken, no(self._condition(term))) for term in t.defined.values()]
        self.bad = self.graph.any_of([self._condition(bad), *wrong])

    @property
    def aiger(self) -> bytes:
        """The machine in AIGER's binary form."""
        return self.graph.aiger(self.following, self.bad)

    def labels(self, inputs: Sequence[Sequence[bool]]) -> Iterator[str]:
        """Yield the transitions that are made in turn, where the inputs are these, until what must not be."""
        latches = [False] * self.graph.latches
        for given in inputs:
            values = self.graph.run(given, latches)
            if _of(values, self.bad):
                return
            yield from (
                t.label for t, taken in zip(self.system.transitions, self.taken, strict=True) if _of(values, taken)
            )
            latches = [_of(values, a) for a in self.following]

    def bit(self, latch: int) -> Any:
        """Return as a term over the system's cells where a latch is 1."""
        cell = next(c for c in reversed(self.system.cells) if self._first[c.name] <= latch and _size(c))
        place, start = latch - self._first[cell.name], cell.values.index(self._start[cell.name])
        codes = (n for n in range(len(cell.values)) if (n ^ start) >> place & 1)
        return z3.Or(*(cell.term == as_term(cell.values[n], cell.width) for n in codes))

    def _chosen(self, n: int) -> int:
        """Return where the inputs name a transition."""
        graph = self.graph
        return graph.all_of([graph.input(b) ^ (1 - (n >> b & 1)) for b in range(graph.inputs)])

    def _code(self, cell: Cell) -> Word:
        """Return the number of a cell's value, from its latches."""
        start = cell.values.index(self._start[cell.name])
        return tuple(self.graph.latch(self._first[cell.name] + b) ^ (start >> b & 1) for b in range(_size(cell)))

    def _value(self, cell: Cell) -> Word:
        """Return the value of a cell."""
        code, graph = self._code(cell), self.graph
        held = [graph.all_of([bit ^ (1 - (n >> b & 1)) for b, bit in enumerate(code)]) for n in range(len(cell.values))]
        return tuple(
            graph.any_of([h for h, v in zip(held, cell.values, strict=True) if v >> b & 1])
            for b in range(max(1, cell.width))
        )

    def _next(self, cell: Cell, wrong: list[int]) -> Word:
        """Return the next values of a cell's latches; `wrong` is told where it would take a value that it cannot."""
        graph, code = self.graph, self._code(cell)
        start = cell.values.index(self._start[cell.name])
        for taken, t in zip(self.taken, self.system.transitions, strict=True):
            if cell.name in t.updates:
                value = self.word(as_term(t.updates[cell.name], cell.width))
                hits = [_equal(graph, value, _constant(v, max(1, cell.width))) for v in cell.values]
                if len(cell.values) < 1 << max(1, cell.width):
                    wrong.append(graph.both(taken, no(graph.any_of(hits))))
                new = [graph.any_of([h for n, h in enumerate(hits) if n >> b & 1]) for b in range(len(code))]
                code = tuple(graph.choice(taken, a, b) for a, b in zip(new, code, strict=True))
        return tuple(bit ^ (start >> b & 1) for b, bit in enumerate(code))

    def _condition(self, term: Any) -> int:
        return self.word(as_term(term, 0))[0]

    def word(self, term: Any) -> Word:
        """Return the bits of a term."""
        for part in postorder(term, self._terms):
            self._kept.append(part)
            self._terms[part.get_id()] = self._leaf_or_operation(part)
        return self._terms[term.get_id()]

    def _leaf_or_operation(self, term: Any) -> Word:
        if z3.is_true(term) or z3.is_false(term):
            return (TRUE if z3.is_true(term) else FALSE,)
        if z3.is_bv_value(term):
            return _constant(term.as_long(), term.size())
        if z3.is_const(term):
            name = term.decl().name()
            cell = next((c for c in self.system.cells if c.name == name), None)
            if cell is None or not cell.term.eq(term):
                raise NotUnderstood(f"{term} is no cell of the system")
            return self._words[name]
        return _operation(self.graph, term, [self._terms[p.get_id()] for p in term.children()])


def _operation(graph: Graph, term: Any, parts: Sequence[Word]) -> Word:
    """Return the bits of a term from those of its parts."""
    kind = term.decl().kind()
    if kind in (z3.Z3_OP_AND, z3.Z3_OP_OR):
        join = graph.all_of if kind == z3.Z3_OP_AND else graph.any_of
        return (join([bit for (bit,) in parts]),)
    if kind == z3.Z3_OP_NOT:
        return (no(parts[0][0]),)
    if kind == z3.Z3_OP_IMPLIES:
        return (graph.any_of((no(parts[0][0]), parts[1][0])),)
    if kind == z3.Z3_OP_EQ:
        return (_equal(graph, *parts),)
    if kind == z3.Z3_OP_DISTINCT:
        pairs = [(a, b) for i, a in enumerate(parts) for b in parts[:i]]
        return (graph.all_of([no(_equal(graph, a, b)) for a, b in pairs]),)
    if kind == z3.Z3_OP_ITE:
        condition, a, b = parts
        return tuple(graph.choice(condition[0], x, y) for x, y in zip(a, b, strict=True))
    if kind in _ORDER:
        swapped, strict = _ORDER[kind]
        a, b = reversed(parts) if swapped else parts
        return (_below(graph, a, b) if strict else no(_below(graph, b, a)),)
    if kind in (z3.Z3_OP_BADD, z3.Z3_OP_BSUB):
        return _sum(graph, parts, minus=kind == z3.Z3_OP_BSUB)
    if kind in (z3.Z3_OP_BAND, z3.Z3_OP_BOR):
        join = graph.all_of if kind == z3.Z3_OP_BAND else graph.any_of
        return tuple(join(column) for column in zip(*parts, strict=True))
    if kind == z3.Z3_OP_BNOT:
        return tuple(no(a) for a in parts[0])
    if kind == z3.Z3_OP_EXTRACT:
        high, low = term.params()
        return parts[0][low : high + 1]
    if kind == z3.Z3_OP_CONCAT:
        return tuple(bit for part in reversed(parts) for bit in part)
    if kind == z3.Z3_OP_ZERO_EXT:
        return (*parts[0], *[FALSE] * (term.size() - len(parts[0])))
    raise NotUnderstood(f"the operator {term.decl().name()}")


_ORDER: dict[int, tuple[bool, bool]] = {
    z3.Z3_OP_ULT: (False, True),
    z3.Z3_OP_ULEQ: (False, False),
    z3.Z3_OP_UGT: (True, True),
    z3.Z3_OP_UGEQ: (True, False),
}
"""Comparisons of words: whether their sides change places to make it `below`, and whether equals are left out."""


def _constant(value: Plain, width: int) -> Word:
    return tuple(int(value) >> b & 1 for b in range(width))


def _equal(graph: Graph, a: Word, b: Word) -> int:
    return graph.all_of([graph.same(x, y) for x, y in zip(a, b, strict=True)])


def _below(graph: Graph, a: Word, b: Word) -> int:
    below = FALSE
    for x, y in zip(a, b, strict=True):
        below = graph.choice(graph.same(x, y), below, y)
    return below


def _sum(graph: Graph, parts: Sequence[Word], minus: bool) -> Word:
    total, *others = parts
    for part in others:
        carry, found = TRUE if minus else FALSE, []
        for x, y in zip(total, (no(a) for a in part) if minus else part, strict=True):
            half = no(graph.same(x, y))
            found.append(no(graph.same(half, carry)))
            carry = graph.any_of((graph.both(x, y), graph.both(half, carry)))
        total = tuple(found)
    return total


def _size(cell: Cell) -> int:
    """Return how many latches a cell takes."""
    return (len(cell.values) - 1).bit_length()


def _of(values: Sequence[bool], literal: int) -> bool:
    return values[literal >> 1] ^ bool(literal & 1)
