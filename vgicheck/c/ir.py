"""The control-flow program into which C is lowered, once, for every later reading.

A function is a graph of basic blocks.  Expressions have no side effects: calls, assignments,
increments, `&&`, `||` and `?:` have become instructions, temporaries and branches by the time they stand here.
Types are those of the target, conversions are explicit, and each
instruction and expression that can go wrong carries the source line it came from.

Nothing here knows of a solver, of the VGIC or of the parser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Loc:
    """A place in the source as its reader knows it: file, line and column, the latter two from 1."""

    file: str
    line: int
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Unsupported(Exception):
    """Something in the C was not understood: the construct in a few words, and where it stands."""

    def __init__(self, construct: str, loc: Loc | None = None) -> None:
        super().__init__(f"{loc}: {construct}" if loc else construct)
        self.construct = construct
        self.loc = loc


class Limit(Unsupported):
    """What was understood, and led to a limit of the analysis: no answer, and another reading might give one."""


# Types -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Void:
    """`void`."""


@dataclass(frozen=True, slots=True)
class Int:
    """An integer or enumerated type: its width in bits and its signedness. `_Bool` is 8 bits, unsigned, `is_bool`."""

    bits: int
    signed: bool
    is_bool: bool = False


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer; `Program.pointer_bits` wide."""

    target: CType


@dataclass(frozen=True, slots=True)
class Array:
    """An array of `length` elements; 0 for `T a[0]` and `T a[]`."""

    element: CType
    length: int


@dataclass(frozen=True, slots=True)
class StructRef:
    """A struct or union by its tag; its fields are in `Program.structs`."""

    tag: str


@dataclass(frozen=True, slots=True)
class FunctionType:
    """The type of a function, which only pointers to functions have as a target."""

    result: CType
    params: tuple[CType, ...]
    variadic: bool = False


CType = Void | Int | Pointer | Array | StructRef | FunctionType

S32 = Int(32, True)
U32 = Int(32, False)
BOOL = Int(8, False, is_bool=True)


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a struct or union: its offset from the start, in bytes. An anonymous member has the name ''."""

    name: str
    type: CType
    offset: int


@dataclass(frozen=True, slots=True)
class Struct:
    """The layout of a struct or a union; `size` in bytes, 0 when the type is incomplete."""

    tag: str
    is_union: bool
    fields: tuple[Field, ...]
    size: int


def bits_of(kind: CType) -> int:
    """Return the width of an integer in bits; 0 of a pointer, whichever it is."""
    return kind.bits if isinstance(kind, Int) else 0


# Expressions and lvalues -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Const:
    """An integer constant, in the range of its type, or the null pointer when the type is a pointer and the value 0."""

    value: int
    type: CType


@dataclass(frozen=True, slots=True)
class StringLiteral:
    """A string literal, as a pointer to its first character."""

    text: str
    type: CType


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """The address of a function."""

    name: str
    type: CType


@dataclass(frozen=True, slots=True)
class Load:
    """The value that an lvalue holds."""

    lvalue: LValue
    type: CType
    loc: Loc


@dataclass(frozen=True, slots=True)
class AddressOf:
    """The address of an lvalue; `type` is a Pointer. An array decays to AddressOf(Element(array, 0))."""

    lvalue: LValue
    type: CType
    loc: Loc


@dataclass(frozen=True, slots=True)
class Unary:
    """`-`, `~` or `!`; the operand has been promoted, and `!` gives an `int` of 0 or 1."""

    op: str
    operand: Expr
    type: CType
    loc: Loc


@dataclass(frozen=True, slots=True)
class Binary:
    """`+ - * / % << >> & | ^ == != < <= > >=` over operands that have been converted to a common type.

    A shift keeps the promoted type of its left operand.  With a pointer on the left, `+` and `-` move by elements of
    its target (bytes for `void *`), the right operand being an integer of any width; `ptr - ptr` counts elements.
    Comparisons give an `int` of 0 or 1.
    """

    op: str
    left: Expr
    right: Expr
    type: CType
    loc: Loc


@dataclass(frozen=True, slots=True)
class Convert:
    """A conversion, implicit or written; to `_Bool` it means `!= 0`."""

    operand: Expr
    type: CType
    loc: Loc


Expr = Const | StringLiteral | FunctionRef | Load | AddressOf | Unary | Binary | Convert


@dataclass(frozen=True, slots=True)
class Local:
    """A parameter, local or temporary of the function at hand; the name is unique in it (`irq`, `irq.1`, `$3`)."""

    name: str


@dataclass(frozen=True, slots=True)
class Global:
    """An object with static storage, also a `static` local (`function.name`)."""

    name: str


@dataclass(frozen=True, slots=True)
class Deref:
    """What a pointer points to."""

    pointer: Expr
    loc: Loc


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct or union lvalue; members of anonymous members appear with the chain written out."""

    base: LValue
    tag: str
    name: str


@dataclass(frozen=True, slots=True)
class Element:
    """An element of an array lvalue (never of a pointer: `p[i]` is `Deref(p + i)`)."""

    base: LValue
    index: Expr
    loc: Loc


LValue = Local | Global | Deref | Member | Element


# Instructions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Declare:
    """The lifetime of a local begins: its value is indeterminate until it is assigned."""

    local: str
    loc: Loc


@dataclass(frozen=True, slots=True)
class Expire:
    """The lifetime of a local ends: its value is lost, and no pointer to it may be followed any more."""

    local: str
    loc: Loc


@dataclass(frozen=True, slots=True)
class Assign:
    """A store of a scalar, or of a whole struct when both sides are of one struct type."""

    target: LValue
    value: Expr
    type: CType
    loc: Loc


@dataclass(frozen=True, slots=True)
class Call:
    """A call: of a function by its name, or through a pointer. `target` takes the result, if it is used."""

    target: LValue | None
    callee: str | Expr
    args: tuple[Expr, ...]
    type: CType
    loc: Loc


Instruction = Declare | Expire | Assign | Call


@dataclass(frozen=True, slots=True)
class Goto:
    """An unconditional jump."""

    block: int


@dataclass(frozen=True, slots=True)
class Branch:
    """A two-way branch on a scalar being non-zero."""

    condition: Expr
    then: int
    otherwise: int
    loc: Loc


@dataclass(frozen=True, slots=True)
class Return:
    """The function returns; a value when it is not void."""

    value: Expr | None
    loc: Loc


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Control falls off the end of a function that must return a value, which is undefined if the value is used."""

    loc: Loc


Terminator = Goto | Branch | Return | Unreachable


@dataclass(slots=True)
class Block:
    """A basic block."""

    instructions: list[Instruction] = field(default_factory=list)
    terminator: Terminator | None = None


@dataclass(slots=True)
class Function:
    """A function, lowered. Blocks are numbered by their place in `blocks`; 0 is the entry."""

    name: str
    params: tuple[str, ...]
    locals: dict[str, CType]
    result: CType
    blocks: list[Block]
    loc: Loc
    end: Loc
    readonly: frozenset[str] = frozenset()
    """The locals that are declared `const`."""


@dataclass(frozen=True, slots=True)
class Initial:
    """What a global starts with, as the source writes it: a value for each scalar reached by (field or index) steps."""

    values: Mapping[tuple[str | int, ...], Expr]


@dataclass(slots=True)
class Program:
    """A translation unit, lowered; a function that was not understood is in `unsupported` and in no other table."""

    functions: dict[str, Function] = field(default_factory=dict)
    structs: dict[str, Struct] = field(default_factory=dict)
    globals: dict[str, CType] = field(default_factory=dict)
    constants: dict[str, Initial] = field(default_factory=dict)
    declared: dict[str, FunctionType] = field(default_factory=dict)
    unsupported: dict[str, Unsupported] = field(default_factory=dict)
    readonly: set[str] = field(default_factory=set)
    """The globals that are declared `const`."""
    pointer_bits: int = 32
    """The width of pointers, and of `long`, on the target: 32, or 64."""


def stripped(value: Expr) -> Expr:
    """Return an expression without the conversions around it."""
    while isinstance(value, Convert):
        value = value.operand
    return value


def parts(node: Any) -> Iterator[Any]:
    """Yield a part of a program, or of several, and all that it consists of, in the order of the text; no places."""
    pending = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, tuple | list):
            pending.extend(reversed(part))
        elif (names := _consists_of(part.__class__)) is not None:
            yield part
            pending.extend(getattr(part, name) for name in names)


@cache
def _consists_of(kind: type) -> tuple[str, ...] | None:
    """List the fields that have the parts of a part, the last one first; None for what is no part."""
    return tuple(f.name for f in reversed(fields(kind)) if f.name not in ("loc", "end")) if is_dataclass(kind) else None


def locals_of(node: Any) -> Iterator[str]:
    """Yield the locals that a part of a program names, but for those that it declares or ends."""
    return (part.name for part in parts(node) if isinstance(part, Local))
