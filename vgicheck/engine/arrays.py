"""Z3 terms compiled to NumPy: one array operation for each distinct operation of all terms together.

A truth value becomes an array of bool, a word of n bits an array of the smallest unsigned type that has n bits, whose
other bits are zero.  An operation that is not listed here raises `NotUnderstood`; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import z3

from .layout import Array, Columns, Layout
from .operators import Operation, blend, choose, dtype_of, folded, operation_of, width_of
from .system import Cell, NotUnderstood, as_term, postorder

Encoding = tuple[int, int | None]
"""The node of a code, and the node that holds where there is none."""
FEW = 64
"""Values of a cell up to which an operation on that cell alone is tabulated."""


class Program:
    """Operations in an order in which each finds its arguments done; a node is the index of one.

    Equal operations on equal arguments are one node.  `table[n]` holds the values of a node that depends on one cell
    only, by that cell's codes.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.operations: list[Operation | None] = []
        self.arguments: list[tuple[int, ...]] = []
        self.constants: dict[int, Any] = {}
        self._known: dict[Any, int] = {}
        self._terms: dict[int, int] = {}
        self._kept: list[Any] = []
        self._cells = {cell.name: index for index, cell in enumerate(layout.cells)}
        self._tables: dict[int, tuple[int, Array]] = {}

    def constant(self, value: int, width: int) -> int:
        """Return the node of a plain value."""
        key = ("constant", value, width)
        if key not in self._known:
            node = self._added(key, None, ())
            self.constants[node] = dtype_of(width)(value)
        return self._known[key]

    def code(self, index: int) -> int:
        """Return the node of a cell's code."""
        key = ("code", index)
        if key not in self._known:
            place, count = self.layout.places[index], len(self.layout.cells[index].values)
            if place.bits == 0:
                return self.constant(0, 8)
            byte = self._byte(place.column, place.shift // 8, 1 if place.bits <= 8 else 2)
            shift, mask = place.shift % 8, (1 << place.bits) - 1
            kind = dtype_of(place.bits)
            node = self._added(key, lambda b: b >> kind(shift) & kind(mask), (byte,))
            self._tables[node] = (index, np.arange(count, dtype=kind))
        return self._known[key]

    def _byte(self, column: int, byte: int, size: int) -> int:
        key = ("byte", column, byte, size)
        if key in self._known:
            return self._known[key]
        kind = np.dtype(f"<u{size}")
        return self._added(
            key, lambda columns: np.ascontiguousarray(columns[column].view(kind)[byte // size :: 8 // size]), (-1,)
        )

    def value(self, index: int) -> int:
        """Return the node of a cell's value."""
        cell, code = self.layout.cells[index], self.code(index)
        kind = dtype_of(cell.width)
        if len(cell.values) == 1:
            return self.constant(cell.values[0], cell.width)
        if cell.width == 0 and cell.values == (False, True):
            return self._node(("value", index), lambda c: c.view(np.bool_), (code,))
        if cell.width and cell.values == tuple(range(len(cell.values))):
            return self._node(("value", index), lambda c: c.astype(kind, copy=False), (code,))
        table = np.array(cell.values, kind)
        return self._node(("value", index), table.take, (code,))

    def encoded(self, term: Any, index: int) -> Encoding:
        """Return the node of a term's code as the next value of a cell, and one that holds where it has none.

        The second is None where every value that the term can have is one of the cell's; the code is then of use
        everywhere, else where the second does not hold.
        """
        cell = self.layout.cells[index]
        term = z3.simplify(as_term(term, cell.width))
        width = max(1, self.layout.places[index].bits)
        done: dict[int, Encoding] = {}
        for part in postorder(term, done, lambda t: t.children()[1:] if _is_choice(t) else []):
            done[part.get_id()] = self._encoding(part, index, 8 if width <= 8 else 16, done)
        return done[term.get_id()]

    def _encoding(self, term: Any, index: int, width: int, done: dict[int, Encoding]) -> Encoding:
        """Return the encoding of a term; `done` has those of the terms that it may choose from."""
        cell, codes = self.layout.cells[index], self.layout.codes[index]
        plain = _plain(term)
        if plain is not None:
            if plain in codes:
                return self.constant(codes[plain], width), None
            return self.constant(0, width), self.constant(1, 0)
        source = self._cells.get(term.decl().name()) if z3.is_const(term) else None
        if source is not None and self.layout.cells[source].values == cell.values:
            return self.code(source), None
        if _is_choice(term):
            condition = self.node(term.arg(0))
            (a, a_wrong), (b, b_wrong) = (done[term.arg(i).get_id()] for i in (1, 2))
            code = self._node(("ite",), blend, (condition, a, b))
            if a_wrong is None and b_wrong is None:
                return code, None
            false = self.constant(0, 0)
            wrong = (condition, false if a_wrong is None else a_wrong, false if b_wrong is None else b_wrong)
            return code, self._node(("ite-bool",), choose, wrong)
        return self._looked_up(self.node(term), cell, codes, width)

    def _looked_up(self, node: int, cell: Cell, codes: dict[Any, int], width: int) -> Encoding:
        if cell.width == 0 and cell.values == (False, True):
            return self._node(("flag",), lambda b: b.view(np.uint8), (node,)), None
        order = sorted(cell.values)
        known = np.array(order, dtype_of(cell.width))
        ranks = np.array([codes[v] for v in order], dtype_of(width))

        def place(x: Any) -> Any:
            return np.minimum(np.searchsorted(known, x), len(order) - 1)

        code = self._node(("rank", cell), lambda x: ranks.take(place(x)), (node,))
        return code, self._node(("wrong", cell), lambda x: known.take(place(x)) != x, (node,))

    def byte_of(self, parts: Sequence[tuple[int, int]]) -> int:
        """Return the node of a byte that is put together from (code, shift) parts."""
        shifted = [self._node(("<<", s), lambda c, s=s: c << c.dtype.type(s), (c,)) if s else c for c, s in parts]
        return shifted[0] if len(shifted) == 1 else self._node(("|",), folded(np.bitwise_or), tuple(shifted))

    def no(self, node: int) -> int:
        """Return the node of a negation."""
        return self._node(("not",), np.logical_not, (node,))

    def condition(self, term: Any) -> int:
        """Return the node of a term, or plain value, that is a truth value."""
        return self.node(z3.simplify(as_term(term, 0)))

    def node(self, term: Any) -> int:
        """Return the node of a term."""
        for part in postorder(term, self._terms):
            self._kept.append(part)
            self._terms[part.get_id()] = self._leaf_or_operation(part)
        return self._terms[term.get_id()]

    def _leaf_or_operation(self, term: Any) -> int:
        width, plain = width_of(term), _plain(term)
        if plain is not None:
            return self.constant(plain, width)
        if z3.is_const(term):
            index = self._cells.get(term.decl().name())
            if index is None or not self.layout.cells[index].term.eq(term):
                raise NotUnderstood(f"{term} is no cell of the system")
            return self.value(index)
        name, operation = operation_of(term)
        return self._node(name, operation, tuple(self._terms[c.get_id()] for c in term.children()))

    def _node(self, name: tuple[Any, ...], operation: Operation, arguments: tuple[int, ...]) -> int:
        key = (*name, arguments)
        if key in self._known:
            return self._known[key]
        if name[0] in ("ite", "ite-bool") and arguments[0] in self.constants:
            return arguments[1] if self.constants[arguments[0]] else arguments[2]
        if all(a in self.constants for a in arguments):
            result = operation(*(np.array([self.constants[a]]) for a in arguments))
            return self.constant(int(result[0]), _bits(result))
        tabulated = self._tabulated(operation, arguments)
        if tabulated is None:
            return self._added(key, operation, arguments)
        index, table = tabulated
        node = self._simplest(key, operation, arguments, index, table)
        self._known[key] = node
        return node

    def _simplest(self, key: Any, operation: Operation, arguments: tuple[int, ...], index: int, table: Array) -> int:
        """Return the node of an operation on one cell: a constant, a comparison with one code, or itself."""
        width = _bits(table)
        if len(table) == 1 or np.all(table == table[0]):
            return self.constant(int(table[0]), width)
        code = self.code(index)
        if width == 0 and len(table) > 2:
            for held, name, compare in ((True, "is", np.equal), (False, "is-not", np.not_equal)):
                places = np.flatnonzero(table == held)
                if len(places) == 1:
                    c = self._code_constant(index, int(places[0]))
                    node = self._known.get((name, (code, c)))
                    if node is None:
                        node = self._added((name, (code, c)), compare, (code, c))
                        self._tables[node] = (index, table)
                    return node
        same = ("table", index, table.dtype.str, table.tobytes())
        if same not in self._known:
            self._known[same] = self._added(key, operation, arguments)
            self._tables[self._known[same]] = (index, table)
        return self._known[same]

    def _code_constant(self, index: int, code: int) -> int:
        """Return the node of a plain code, in the type of the cell's codes."""
        return self.constant(code, 8 if self.layout.places[index].bits <= 8 else 16)

    def _tabulated(self, operation: Operation, arguments: tuple[int, ...]) -> tuple[int, Array] | None:
        """Return the cell that alone decides an operation, and the results by its codes, where it has few values."""
        support = {self._tables[a][0] for a in arguments if a in self._tables}
        if len(support) != 1 or any(a not in self._tables and a not in self.constants for a in arguments):
            return None
        (index,) = support
        count = len(self.layout.cells[index].values)
        if count > FEW:
            return None
        table = operation(*(self._tables[a][1] if a in self._tables else self.constants[a] for a in arguments))
        return index, np.broadcast_to(table, (count,))

    def _added(self, key: Any, operation: Operation | None, arguments: tuple[int, ...]) -> int:
        self.operations.append(operation)
        self.arguments.append(arguments)
        self._known[key] = len(self.operations) - 1
        return self._known[key]

    def cone(self, roots: Iterable[int]) -> tuple[int, ...]:
        """List what must be done for some nodes, in order; constants are left out."""
        found: set[int] = set()
        waiting = [n for n in roots if n >= 0]
        while waiting:
            node = waiting.pop()
            if node not in found and self.operations[node] is not None:
                found.add(node)
                waiting.extend(a for a in self.arguments[node] if a >= 0)
        return tuple(sorted(found))


class Frame:
    """The values of a program's nodes for some packed states; each is computed when it is first asked for."""

    def __init__(self, program: Program, columns: Columns) -> None:
        self._program = program
        self._columns = columns
        self._values: list[Any] = [None] * len(program.operations)
        for node, value in program.constants.items():
            self._values[node] = value

    def run(self, nodes: Sequence[int]) -> None:
        """Compute nodes, listed as `Program.cone` lists them."""
        values, operations, arguments = self._values, self._program.operations, self._program.arguments
        for node in nodes:
            if values[node] is None:
                operation, taken = operations[node], arguments[node]
                assert operation is not None
                values[node] = operation(*[values[a] if a >= 0 else self._columns for a in taken])

    def __getitem__(self, node: int) -> Any:
        return self._values[node]

    def drop(self, nodes: Iterable[int]) -> None:
        """Forget nodes that nobody asks for any more."""
        for node in nodes:
            self._values[node] = None


def _plain(term: Any) -> int | None:
    if z3.is_bv_value(term):
        return int(term.as_long())
    if z3.is_true(term):
        return 1
    return 0 if z3.is_false(term) else None


def _is_choice(term: Any) -> bool:
    return bool(term.decl().kind() == z3.Z3_OP_ITE) and not z3.is_bool(term)


def _bits(values: Array) -> int:
    return 0 if values.dtype == np.bool_ else values.dtype.itemsize * 8
