"""Reads C as Linux on ARM does, of 32 or of 64 bits: text in, syntax tree and errors out.

The text is parsed in memory, first in a process of its own, which can open no file, so that a text which breaks the
parser breaks nothing else.
gnu89 would let undeclared functions and mixed-up pointers pass with a warning; here they are errors, because the tree
under them cannot be trusted.  (The compiler's `-w` silences promoted warnings too, hence `-Wno-everything`.)
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from typing import Final

from . import libclang, rehearsal
from .ir import Loc, Unsupported
from .libclang import Cursor, Diagnostic, LibclangError, Library, TranslationUnit

MAX_NODES: Final = 20_000
"""Nodes of the syntax tree of one function or initialiser."""

MAX_DEPTH: Final = 150
"""Levels of the syntax tree of one function or initialiser: an operand, a conversion, parentheses, a block."""

MAX_TEXT: Final = 8_000_000
"""Characters of a text."""

TARGET: Final = "arm-linux-gnueabi"
"""32-bit ARM Linux."""

TARGET_64: Final = "aarch64-linux-gnu"
"""64-bit ARM Linux."""

_POINTER_BITS: Final[Mapping[str, int]] = {TARGET: 32, TARGET_64: 64}

_PROMOTED: Final = (
    "implicit-function-declaration",
    "implicit-int",
    "int-conversion",
    "incompatible-pointer-types",
    "incompatible-function-pointer-types",
    "unsequenced",
)
_ARGUMENTS: Final = (
    "-std=gnu89",
    "-ffreestanding",
    "-nostdinc",
    "-fsyntax-only",
    "-fno-builtin",
    "-fno-dollars-in-identifiers",
    "-ferror-limit=0",
    "-Wno-everything",
    *(f"-Werror={warning}" for warning in _PROMOTED),
)
_ERROR: Final = 3
_DIRECTORY: Final = "/vgicheck-text/"
_OPENS: Final = re.compile(rf"cannot open file '(?:{_DIRECTORY})?(.*)': .*", re.DOTALL)


class Kind(IntEnum):
    """libclang's kinds of nodes, as far as C without extensions for other languages has them."""

    STRUCT_DECL = 2
    UNION_DECL = 3
    ENUM_DECL = 5
    ENUM_CONSTANT_DECL = 7
    FUNCTION_DECL = 8
    VAR_DECL = 9
    PARM_DECL = 10
    TYPEDEF_DECL = 20
    TYPE_REF = 43
    MEMBER_REF = 47
    UNEXPOSED_EXPR = 100
    DECL_REF_EXPR = 101
    MEMBER_REF_EXPR = 102
    CALL_EXPR = 103
    INTEGER_LITERAL = 106
    STRING_LITERAL = 109
    CHARACTER_LITERAL = 110
    PAREN_EXPR = 111
    UNARY_OPERATOR = 112
    ARRAY_SUBSCRIPT_EXPR = 113
    BINARY_OPERATOR = 114
    COMPOUND_ASSIGNMENT_OPERATOR = 115
    CONDITIONAL_OPERATOR = 116
    CSTYLE_CAST_EXPR = 117
    COMPOUND_LITERAL_EXPR = 118
    INIT_LIST_EXPR = 119
    STATEMENT_EXPR = 121
    SIZEOF_EXPR = 136
    UNEXPOSED_STMT = 200
    LABEL_STMT = 201
    COMPOUND_STMT = 202
    CASE_STMT = 203
    DEFAULT_STMT = 204
    IF_STMT = 205
    SWITCH_STMT = 206
    WHILE_STMT = 207
    DO_STMT = 208
    FOR_STMT = 209
    GOTO_STMT = 210
    CONTINUE_STMT = 212
    BREAK_STMT = 213
    RETURN_STMT = 214
    NULL_STMT = 230
    DECL_STMT = 231
    STATIC_ASSERT = 602


FIRST_EXPRESSION: Final = 100
LAST_EXPRESSION: Final = 199
FIRST_ATTRIBUTE: Final = 400
LAST_ATTRIBUTE: Final = 499

_LEAVES: Final = frozenset(
    {
        Kind.DECL_REF_EXPR,
        Kind.INTEGER_LITERAL,
        Kind.STRING_LITERAL,
        Kind.CHARACTER_LITERAL,
        Kind.SIZEOF_EXPR,
        Kind.NULL_STMT,
        Kind.BREAK_STMT,
        Kind.CONTINUE_STMT,
    }
)


class BinaryOperator(IntEnum):
    """libclang's kinds of binary operators that C has; the compound assignments are `ASSIGN + 1` and upwards."""

    MUL = 3
    DIV = 4
    REM = 5
    ADD = 6
    SUB = 7
    SHL = 8
    SHR = 9
    LT = 11
    GT = 12
    LE = 13
    GE = 14
    EQ = 15
    NE = 16
    AND = 17
    XOR = 18
    OR = 19
    LOGICAL_AND = 20
    LOGICAL_OR = 21
    ASSIGN = 22
    MUL_ASSIGN = 23
    DIV_ASSIGN = 24
    REM_ASSIGN = 25
    ADD_ASSIGN = 26
    SUB_ASSIGN = 27
    SHL_ASSIGN = 28
    SHR_ASSIGN = 29
    AND_ASSIGN = 30
    XOR_ASSIGN = 31
    OR_ASSIGN = 32
    COMMA = 33


class UnaryOperator(IntEnum):
    """libclang's kinds of unary operators that C has."""

    POST_INC = 1
    POST_DEC = 2
    PRE_INC = 3
    PRE_DEC = 4
    ADDRESS = 5
    DEREF = 6
    PLUS = 7
    MINUS = 8
    NOT = 9
    LOGICAL_NOT = 10
    EXTENSION = 13


@dataclass(slots=True, eq=False)
class Node:
    """A node of the syntax tree with the nodes below it that are evaluated: a cast has its operand only, a declaration
    of a variable its initialiser only, `sizeof` nothing.
    """

    kind: int
    cursor: Cursor
    children: list[Node] = field(default_factory=list)

    @property
    def identity(self) -> int | None:
        """The compiler's own address of the statement or expression, to tell nodes apart."""
        return self.cursor.data[1]


@dataclass(frozen=True, slots=True)
class ForParts:
    """The four parts of a `for` statement; None where one is empty."""

    initial: Node | None
    condition: Node | None
    step: Node | None
    body: Node


@dataclass(frozen=True, slots=True)
class Unit:
    """A parsed text.

    `errors` has the message and the line in the text of everything the compiler calls an error; line 0 is another file.
    With errors the tree lacks parts without a trace, so nothing near them may be believed.
    """

    errors: tuple[tuple[str, int], ...]
    path: str
    origin: Callable[[int], Loc]
    pointer_bits: int
    _parsed: Callable[[], TranslationUnit]

    @property
    def tree(self) -> TranslationUnit:
        """The tree; where there are errors it is not made before somebody asks for it."""
        return self._parsed()

    @property
    def cursor(self) -> Cursor:
        """The root: its children are the declarations of the text."""
        return self.tree.cursor

    @property
    def library(self) -> Library:
        """The library that answers questions about the cursors."""
        return self.tree.library

    def loc(self, cursor: Cursor) -> Loc:
        """Where a node stands for the reader: what a macro expands to stands where the macro is used."""
        return self._loc(self.library.place(cursor))

    def end(self, cursor: Cursor) -> Loc:
        """Where the last character of a node stands, likewise."""
        place = self.library.extent(cursor)[1]
        return self._loc(place._replace(column=max(place.column - 1, 1)))

    def lines(self, cursor: Cursor) -> range:
        """The lines of the text from the first to the last of a node; empty for a node of another file."""
        start, end = self.library.extent(cursor)
        return range(start.line, end.line + 1) if start.file == self.path == end.file else range(0)

    def _loc(self, place: libclang.Place) -> Loc:
        if place.file != self.path:
            return Loc(place.file, place.line, place.column)
        known = self.origin(place.line)
        return Loc(known.file, known.line, place.column)

    def nodes(self, root: Cursor) -> Node:
        """The tree below a statement or expression; Unsupported when it has more than MAX_NODES or MAX_DEPTH levels."""
        top = Node(root.kind, root)
        pending, count = [(top, 1)], 0
        while pending:
            node, depth = pending.pop()
            count += 1
            if depth > MAX_DEPTH:
                raise Unsupported(f"code nested more than {MAX_DEPTH} levels deep", self.loc(node.cursor))
            if count > MAX_NODES:
                raise Unsupported(f"more than {MAX_NODES} operators and operands", self.loc(root))
            node.children = [Node(child.kind, child) for child in self._evaluated(node.cursor)]
            pending += ((child, depth + 1) for child in node.children)
        return top

    def _evaluated(self, cursor: Cursor) -> Sequence[Cursor]:
        kind = cursor.kind
        if kind in _LEAVES:
            return ()
        if kind == Kind.VAR_DECL:
            initial = self.library.calls.clang_Cursor_getVarDeclInitializer(cursor)
            return (initial,) if FIRST_EXPRESSION <= initial.kind <= LAST_EXPRESSION else ()
        below = self.library.children(cursor)
        if kind == Kind.CSTYLE_CAST_EXPR:
            return below[-1:]
        if kind == Kind.DECL_STMT:
            return below
        if Kind.STRUCT_DECL <= kind <= Kind.TYPEDEF_DECL or kind == Kind.STATIC_ASSERT:
            return ()
        return below

    def for_parts(self, node: Node) -> ForParts:
        """Which child of a `for` statement is which part; Unsupported when that cannot be told.

        libclang leaves empty parts out, and a `for` written by a macro has no semicolons to look for.  The compiler's
        own node has a slot for each of initialisation, declared condition (never used in C), condition, step and body:
        they are read and must hold exactly the children, in order.
        """
        children, address = node.children, node.identity
        if address is not None and children:
            slots = (ctypes.c_void_p * 5).from_address(address + ctypes.sizeof(ctypes.c_void_p))
            initial, declared, condition, step, body = slots
            filled = [slot for slot in (initial, condition, step, body) if slot is not None]
            if declared is None and body is not None and filled == [child.identity for child in children]:
                found = {child.identity: child for child in children}
                part = [found[slot] if slot is not None else None for slot in (initial, condition, step)]
                return ForParts(part[0], part[1], part[2], found[body])
        raise Unsupported("a `for` whose parts cannot be told apart", self.loc(node.cursor))

    def declarations(self) -> Iterator[Cursor]:
        """The declarations of the text and of the files that it includes, in order."""
        yield from self.library.children(self.cursor)


def parse(
    text: str,
    *,
    name: str,
    origin: Callable[[int], Loc],
    defines: Mapping[str, str] | None = None,
    target: str = TARGET,
) -> Unit:
    """Parses a text as C of the GNU 1989 dialect, without any header.

    `origin` says where the reader knows a line of the text from.  What does not compile is in the result's `errors`.
    To open a file, by whatever directive, is an error: a trial can open none.  Raises Unsupported when there is no tree
    at all: the text is too long, or breaks the parser; or libclang is not the release that is needed.
    """
    if len(text) > MAX_TEXT:
        raise Unsupported(f"a text of more than {MAX_TEXT} characters", origin(1))
    path = _DIRECTORY + name
    arguments = [f"--target={target}", *_ARGUMENTS, *(f"-D{macro}={value}" for macro, value in (defines or {}).items())]

    @cache
    def parsed() -> TranslationUnit:
        try:
            return libclang.load().parse(path, text, arguments)
        except LibclangError as error:
            raise Unsupported(str(error), origin(1)) from error

    try:
        libclang.load()
        errors = _errors(rehearsal.rehearse(path, text, arguments), path)
    except LibclangError as error:
        raise Unsupported(str(error), origin(1)) from error
    if not errors:
        errors = _errors(parsed().diagnostics(), path)
    return Unit(tuple(errors), path, origin, _POINTER_BITS[target], parsed)


def _errors(messages: Sequence[Diagnostic], path: str) -> list[tuple[str, int]]:
    return [
        (
            _OPENS.sub(r"\1 is not opened: a text is read by itself", m.message),
            m.place.line if m.place.file == path else 0,
        )
        for m in messages
        if m.severity >= _ERROR
    ]
