"""Which scalar of an object each part of a braced initialiser is for.

The compiler shows the list as it is written: elided braces, designators out of order and strings for arrays are
resolved here, by the rules of C with the GNU extensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .clang import BinaryOperator, Kind, Node, UnaryOperator, Unit
from .ir import Array, Const, CType, Int, Loc, StructRef, Unsupported, Void
from .layout import Layout, scalars

MAX_SCALARS: Final = 4_096
"""Scalars of one initialised object."""

Path = tuple[str | int, ...]
_Position = list[tuple[CType, int]]

_LAST_STEP: Final = UnaryOperator.PRE_DEC
_WITH_EFFECTS: Final = frozenset({Kind.CALL_EXPR, Kind.STATEMENT_EXPR, Kind.COMPOUND_ASSIGNMENT_OPERATOR})


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an object, reached by member names and indices, its type, and the expression or constant for it."""

    path: Path
    type: CType
    value: Node | Const


class Initialiser:
    """Takes one braced initialiser, or a string for an array, apart."""

    def __init__(self, unit: Unit, layout: Layout, ctype: CType, loc: Loc) -> None:
        self._unit = unit
        self._layout = layout
        self._type = ctype
        self._loc = loc
        self._parts: dict[Path, Part] = {}
        self._inner: set[Path] = set()
        self._chosen: dict[Path, str | int] = {}

    def parts(self, node: Node) -> list[Part]:
        """What the initialiser writes, in its order; a later value for the same scalar replaces an earlier one."""
        reason = self._layout.refused_inside(self._type)
        if reason is not None:
            raise self._refuse(f"an initialiser that covers {reason}")
        self._object((), self._type, node)
        return list(self._parts.values())

    def zeros(self) -> Iterator[tuple[Path, CType]]:
        """The scalars that are zero for want of a value; of a union, those of its largest member.

        They are zero before anything is written: a smaller member of a union may then be written over them.
        """
        for count, (path, ctype) in enumerate(scalars(self._layout, self._type)):
            if count >= MAX_SCALARS:
                raise self._refuse(f"an initialised object of more than {MAX_SCALARS} scalars")
            if not any(path[:length] in self._parts for length in range(len(path) + 1)):
                yield path, ctype

    def _refuse(self, construct: str) -> Unsupported:
        return Unsupported(construct, self._loc)

    def _object(self, path: Path, ctype: CType, node: Node) -> None:
        while node.kind == Kind.PAREN_EXPR:
            node = node.children[0]
        if node.kind == Kind.INIT_LIST_EXPR:
            if path in self._inner or path in self._parts:
                raise self._refuse("an initialiser that overrides an earlier one")
            items = node.children
            if isinstance(ctype, StructRef) or (isinstance(ctype, Array) and not self._is_string(ctype, items)):
                self._braces(path, ctype, items)
            elif len(items) == 1:
                self._object(path, ctype, items[0])
            elif items:
                raise self._refuse("a list of values for one scalar")
        elif isinstance(ctype, Array):
            self._string(path, ctype, node)
        else:
            self._put(path, ctype, node)

    def _is_string(self, ctype: CType, items: list[Node]) -> bool:
        if not (isinstance(ctype, Array) and isinstance(ctype.element, Int) and ctype.element.bits == 8):
            return False
        node = items[0] if len(items) == 1 else None
        while node is not None and node.kind == Kind.PAREN_EXPR:
            node = node.children[0]
        return node is not None and node.kind == Kind.STRING_LITERAL

    def _string(self, path: Path, ctype: Array, node: Node) -> None:
        text = self._unit.library.string(node.cursor) if self._is_string(ctype, [node]) else None
        if text is None:
            raise self._refuse("an array initialised by something other than a list or a plain string")
        for index, character in enumerate(text[: ctype.length]):
            self._put((*path, index), ctype.element, Const(character, ctype.element))

    def _put(self, path: Path, ctype: CType, value: Node | Const) -> None:
        if len(self._parts) >= MAX_SCALARS:
            raise self._refuse(f"an initialiser of more than {MAX_SCALARS} values")
        outer = [path[:length] for length in range(len(path))]
        if path in self._inner or any(prefix in self._parts for prefix in outer):
            raise self._refuse("an initialiser that overrides an earlier one")
        self._parts.pop(path, None)
        self._parts[path] = Part(path, ctype, value)
        self._inner.update(outer)

    def _braces(self, path: Path, ctype: CType, items: list[Node]) -> None:
        position: _Position = [(ctype, 0)]
        for item in items:
            if item.kind == Kind.UNEXPOSED_EXPR and isinstance(self._layout.type_of(item.cursor), Void):
                targets = self._designated(ctype, item.children[:-1])
                value = item.children[-1]
                if len(targets) > 1 and self._has_effects(value):
                    raise self._refuse("a range of elements initialised by an expression with side effects")
                for position in targets:
                    self._place(path, position, value)
            else:
                self._place(path, position, item)
            while position:
                container, index = position.pop()
                if not self._is_union(container) and index + 1 < self._members_of(container):
                    position.append((container, index + 1))
                    break

    def _place(self, path: Path, position: _Position, value: Node) -> None:
        if not position:
            raise self._refuse("more values than the object has room for")
        plain = value
        while plain.kind == Kind.PAREN_EXPR:
            plain = plain.children[0]
        while True:
            container, index = position[-1]
            if index >= self._members_of(container):
                raise self._refuse("more values than the object has room for")
            inner = self._step(container, index)[1]
            whole = plain.kind == Kind.INIT_LIST_EXPR or not isinstance(inner, Array | StructRef)
            if whole or self._is_string(inner, [plain]):
                break
            if isinstance(inner, StructRef) and self._layout.type_of(value.cursor) == inner:
                break
            position.append((inner, 0))
        for container, index in position:
            step = self._step(container, index)[0]
            if self._is_union(container) and self._chosen.setdefault(path, step) != step:
                raise self._refuse("an initialiser of two members of a union")
            path = (*path, step)
        self._object(path, inner, value)

    def _designated(self, ctype: CType, designators: list[Node]) -> list[_Position]:
        positions: list[_Position] = [[]]
        inner, number = ctype, 0
        while number < len(designators):
            designator = designators[number]
            number += 1
            if designator.kind == Kind.MEMBER_REF:
                steps = self._named(inner, designator)
            elif isinstance(inner, Array):
                first = last = self._index(inner, designator)
                if number < len(designators) and designators[number].kind != Kind.MEMBER_REF:
                    if isinstance(inner.element, Array) or number + 1 < len(designators):
                        raise self._refuse("two array designators in a row")
                    last = self._index(inner, designators[number])
                    number += 1
                if last - first >= MAX_SCALARS:
                    raise self._refuse(f"an initialiser of more than {MAX_SCALARS} values")
                if last > first:
                    return [[*positions[0], (inner, index)] for index in range(first, last + 1)]
                steps = [(inner, first)]
            else:
                raise self._refuse("a designator that was not understood")
            positions[0] += steps
            inner = self._step(*steps[-1])[1]
        if not positions[0]:
            raise self._refuse("a designator that was not understood")
        return positions

    def _named(self, ctype: CType, designator: Node) -> _Position:
        referenced = self._unit.library.calls.clang_getCursorReferenced(designator.cursor)
        known = self._layout.member(referenced)
        chain = self._layout.chain(ctype.tag, *known) if known and isinstance(ctype, StructRef) else None
        if chain is None:
            raise self._refuse("a designator that was not understood")
        steps: _Position = []
        for tag, name in chain:
            names = [field.name for field in self._layout.structs[tag].fields]
            steps.append((StructRef(tag), names.index(name)))
        return steps

    def _index(self, ctype: Array, designator: Node) -> int:
        value = self._unit.library.integer(designator.cursor)
        if value is None or not 0 <= value < ctype.length:
            raise self._refuse("an array designator that was not understood")
        return value

    def _members_of(self, container: CType) -> int:
        if isinstance(container, Array):
            return container.length
        return len(self._layout.structs[container.tag].fields) if isinstance(container, StructRef) else 0

    def _is_union(self, container: CType) -> bool:
        return isinstance(container, StructRef) and self._layout.structs[container.tag].is_union

    def _step(self, container: CType, index: int) -> tuple[str | int, CType]:
        if isinstance(container, Array):
            return index, container.element
        if isinstance(container, StructRef):
            field = self._layout.structs[container.tag].fields[index]
            return field.name, field.type
        raise self._refuse("a list of values for one scalar")

    def _has_effects(self, node: Node) -> bool:
        calls, pending = self._unit.library.calls, [node]
        while pending:
            inner = pending.pop()
            assigns = calls.clang_getCursorBinaryOperatorKind(inner.cursor) == BinaryOperator.ASSIGN
            steps = UnaryOperator.POST_INC <= calls.clang_getCursorUnaryOperatorKind(inner.cursor) <= _LAST_STEP
            if assigns or steps or inner.kind in _WITH_EFFECTS:
                return True
            pending += inner.children
        return False
