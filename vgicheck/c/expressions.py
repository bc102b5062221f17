"""Expressions of C as side-effect-free expressions of the IR and the instructions that have to run before them.

C leaves the order of most operands open; here they are worked out from left to right.  Where a later operand calls,
assigns or branches, the value of an earlier one is put into a temporary first, so that it is what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from . import arithmetic
from .clang import FIRST_EXPRESSION, LAST_EXPRESSION, BinaryOperator, Kind, Node, UnaryOperator, Unit
from .graph import Graph, Mark
from .ir import (
    BOOL,
    S32,
    AddressOf,
    Array,
    Assign,
    Binary,
    Branch,
    Call,
    Const,
    Convert,
    CType,
    Deref,
    Element,
    Expr,
    FunctionRef,
    FunctionType,
    Global,
    Goto,
    Int,
    Load,
    Loc,
    Local,
    LValue,
    Member,
    Pointer,
    Program,
    StringLiteral,
    StructRef,
    Unary,
    Unsupported,
    Void,
    stripped,
)
from .layout import Layout, adjusted
from .libclang import Cursor

_OPERATORS: Final[Mapping[int, str]] = {
    BinaryOperator.MUL: "*",
    BinaryOperator.DIV: "/",
    BinaryOperator.REM: "%",
    BinaryOperator.ADD: "+",
    BinaryOperator.SUB: "-",
    BinaryOperator.SHL: "<<",
    BinaryOperator.SHR: ">>",
    BinaryOperator.LT: "<",
    BinaryOperator.GT: ">",
    BinaryOperator.LE: "<=",
    BinaryOperator.GE: ">=",
    BinaryOperator.EQ: "==",
    BinaryOperator.NE: "!=",
    BinaryOperator.AND: "&",
    BinaryOperator.XOR: "^",
    BinaryOperator.OR: "|",
}
_COMPOUND: Final[Mapping[int, str]] = {
    BinaryOperator.MUL_ASSIGN: "*",
    BinaryOperator.DIV_ASSIGN: "/",
    BinaryOperator.REM_ASSIGN: "%",
    BinaryOperator.ADD_ASSIGN: "+",
    BinaryOperator.SUB_ASSIGN: "-",
    BinaryOperator.SHL_ASSIGN: "<<",
    BinaryOperator.SHR_ASSIGN: ">>",
    BinaryOperator.AND_ASSIGN: "&",
    BinaryOperator.XOR_ASSIGN: "^",
    BinaryOperator.OR_ASSIGN: "|",
}
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
_SHIFTS: Final = frozenset({"<<", ">>"})
_UNARY: Final[Mapping[int, str]] = {UnaryOperator.MINUS: "-", UnaryOperator.NOT: "~", UnaryOperator.LOGICAL_NOT: "!"}
_INCREMENTS: Final[Mapping[int, str]] = {
    UnaryOperator.PRE_INC: "+",
    UnaryOperator.POST_INC: "+",
    UnaryOperator.PRE_DEC: "-",
    UnaryOperator.POST_DEC: "-",
}
_POSTFIX: Final = frozenset({UnaryOperator.POST_INC, UnaryOperator.POST_DEC})
_VARIABLES: Final = frozenset({Kind.VAR_DECL, Kind.PARM_DECL})
_LOGICAL: Final = frozenset({BinaryOperator.LOGICAL_AND, BinaryOperator.LOGICAL_OR})
_OFFSETOF_PARTS: Final = frozenset({Kind.TYPE_REF, Kind.MEMBER_REF})

_EXPECT: Final = "__builtin_expect"
_CONSTANT_P: Final = "__builtin_constant_p"

_WHAT: Final[Mapping[int, str]] = {
    107: "floating point",
    Kind.COMPOUND_LITERAL_EXPR: "a compound literal",
    Kind.INIT_LIST_EXPR: "a braced list where an expression belongs",
    120: "the address of a label",
    122: "_Generic",
}


@dataclass(slots=True)
class Context:
    """What the functions of one unit share while they are lowered."""

    unit: Unit
    layout: Layout
    program: Program
    refused_globals: dict[str, Unsupported] = field(default_factory=dict)
    statics: dict[int | None, str] = field(default_factory=dict)


class Expressions:
    """Lowers the expressions of one function; what holds statements is added by a subclass."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.graph = Graph()
        self.locals: dict[str, CType] = {}
        self._calls = context.unit.library.calls
        self._variables: dict[int | None, str] = {}
        self._temporaries = 0
        self._bound: dict[int | None, Expr] = {}
        self._values: Mapping[int, Callable[[Node], Expr]] = {
            Kind.UNEXPOSED_EXPR: self._implicit,
            Kind.PAREN_EXPR: self._parenthesised,
            Kind.DECL_REF_EXPR: self._reference,
            Kind.MEMBER_REF_EXPR: self._loaded,
            Kind.ARRAY_SUBSCRIPT_EXPR: self._loaded,
            Kind.CALL_EXPR: self._called,
            Kind.INTEGER_LITERAL: self._constant,
            Kind.CHARACTER_LITERAL: self._constant,
            Kind.SIZEOF_EXPR: self._constant,
            Kind.STRING_LITERAL: self._string,
            Kind.UNARY_OPERATOR: self._unary,
            Kind.BINARY_OPERATOR: self._binary,
            Kind.COMPOUND_ASSIGNMENT_OPERATOR: self._compound,
            Kind.CONDITIONAL_OPERATOR: self._conditional,
            Kind.CSTYLE_CAST_EXPR: self._cast,
            Kind.STATEMENT_EXPR: self._statement_value,
        }

    # What every part needs ---------------------------------------------------------------------

    def loc(self, node: Node) -> Loc:
        """Where a node stands for the reader."""
        return self.context.unit.loc(node.cursor)

    def refuse(self, construct: str, node: Node) -> Unsupported:
        """The error for a construct that is not understood."""
        return Unsupported(construct, self.loc(node))

    def operands(self, node: Node, *counts: int) -> list[Node]:
        """The nodes below one, whose number must be one of `counts`."""
        if len(node.children) not in counts:
            raise self.refuse("a construct that libclang does not show in full", node)
        return node.children

    def type_of(self, node: Node) -> CType:
        """The type of an expression as the compiler has it."""
        return self.context.layout.type_of(node.cursor)

    def value_type(self, node: Node) -> CType:
        """The type of the value of an expression.

        The compiler gives a parameter declared as an array, and what is computed from it, the type that was written.
        """
        return adjusted(self.type_of(node))

    def declare(self, declaration: Cursor, ctype: CType) -> str:
        """Makes a variable of the function known, under a name that is unique in it."""
        spelling = name = self.context.unit.library.spelling(declaration)
        number = 0
        while name in self.locals:
            number += 1
            name = f"{spelling}.{number}"
        self.locals[name] = ctype
        self._variables[declaration.data[0]] = name
        return name

    def temporary(self, ctype: CType) -> Local:
        """A new local that the source does not have."""
        self._temporaries += 1
        name = f"${self._temporaries}"
        self.locals[name] = ctype
        return Local(name)

    def hold(self, value: Expr, loc: Loc) -> Expr:
        """The value as it is now, whatever is assigned later."""
        if _is_stable(value):
            return value
        local = self.temporary(value.type)
        self.graph.emit(Assign(local, value, value.type, loc))
        return Load(local, value.type, loc)

    def _hold_at(self, mark: Mark, value: Expr, loc: Loc) -> Expr:
        if mark == self.graph.mark() or _is_stable(value):
            return value
        local = self.temporary(value.type)
        self.graph.insert(mark, Assign(local, value, value.type, loc))
        return Load(local, value.type, loc)

    def _hold_lvalue_at(self, mark: Mark, lvalue: LValue, loc: Loc) -> LValue:
        if mark == self.graph.mark():
            return lvalue
        if isinstance(lvalue, Deref):
            return Deref(self._hold_at(mark, lvalue.pointer, loc), lvalue.loc)
        if isinstance(lvalue, Member):
            return Member(self._hold_lvalue_at(mark, lvalue.base, loc), lvalue.tag, lvalue.name)
        if isinstance(lvalue, Element):
            index = self._hold_at(mark, lvalue.index, loc)
            return Element(self._hold_lvalue_at(mark, lvalue.base, loc), index, lvalue.loc)
        return lvalue

    # Values ------------------------------------------------------------------------------------

    def value(self, node: Node) -> Expr:
        """The value of an expression; an array gives the address of its first element."""
        if node.identity in self._bound:
            return self._bound[node.identity]
        lower = self._values.get(node.kind)
        if lower is None:
            raise self.refuse(_WHAT.get(node.kind, "an expression of an unknown kind"), node)
        return lower(node)

    def typed(self, node: Node, ctype: CType) -> Expr:
        """The value of an expression that the compiler has already converted to a type."""
        value = self.value(node)
        if value.type != ctype:
            raise self.refuse("a conversion that the compiler does not show", node)
        return value

    def values(self, nodes: list[Node]) -> list[Expr]:
        """The values of operands, each as it is when the ones to its left have been worked out."""
        found, marks = list[Expr](), list[Mark]()
        for node in nodes:
            found.append(self.value(node))
            marks.append(self.graph.mark())
        for number in reversed(range(len(nodes) - 1)):
            if marks[number] != marks[-1]:
                found[number] = self._hold_at(marks[number], found[number], self.loc(nodes[number]))
        return found

    def _parenthesised(self, node: Node) -> Expr:
        return self.value(self.operands(node, 1)[0])

    def _implicit(self, node: Node) -> Expr:
        children = node.children
        if len(children) == 1 and _is_expression(children[0]):
            operand, target = self.value(children[0]), self.value_type(node)
            return self._implicitly(operand, target, node)
        if all(child.kind in _OFFSETOF_PARTS for child in children) or _is_offsetof(node):
            return self._constant(node)
        if len(children) == 4 and children[0].identity == children[1].identity:
            return self._elvis(node)
        raise self.refuse("an expression that libclang does not show in full", node)

    def _implicitly(self, operand: Expr, target: CType, node: Node) -> Expr:
        source = operand.type
        null = isinstance(operand, Const) and operand.value == 0 and isinstance(target, Pointer)
        pointers = isinstance(source, Pointer) and (isinstance(target, Pointer) or target == BOOL)
        numbers = isinstance(source, Int) and isinstance(target, Int)
        if not (source == target or null or pointers or numbers):
            raise self.refuse("an implicit conversion that is not between numbers or pointers", node)
        return self.converted(operand, target, node)

    def converted(self, operand: Expr, target: CType, node: Node) -> Expr:
        """A value converted to another scalar type; a known value is converted at once."""
        if operand.type == target:
            return operand
        if isinstance(operand, Const):
            if isinstance(target, Int):
                return Const(arithmetic.wrapped(operand.value, target), target)
            if operand.value == 0:
                return Const(0, target)
        if isinstance(target, Int) and not target.is_bool and isinstance(operand.type, Pointer):
            offset = self._offset_from_null(operand)
            if offset is not None:
                return Const(arithmetic.wrapped(offset, target), target)
        return Convert(operand, target, self.loc(node))

    def _offset_from_null(self, address: Expr) -> int | None:
        """The number that the old way of writing `offsetof`, `&((T *)0)->member`, stands for."""
        while isinstance(address, Convert) and isinstance(address.type, Pointer):
            address = address.operand
        if not isinstance(address, AddressOf):
            return None
        lvalue, offset = address.lvalue, 0
        while isinstance(lvalue, Member):
            offset += self.context.layout.offset(lvalue.tag, lvalue.name)
            lvalue = lvalue.base
        null = isinstance(lvalue, Deref) and isinstance(lvalue.pointer, Const)
        return offset if null else None

    def _constant(self, node: Node) -> Expr:
        ctype, value = self.type_of(node), self.context.unit.library.integer(node.cursor)
        if value is None or not isinstance(ctype, Int):
            raise self.refuse("an expression that libclang does not show and that has no constant value", node)
        return Const(arithmetic.wrapped(value, ctype), ctype)

    def _string(self, node: Node) -> Expr:
        text, ctype = self.context.unit.library.string(node.cursor), self.type_of(node)
        if text is None or not isinstance(ctype, Array) or ctype.length != len(text) + 1:
            raise self.refuse("a string of wide characters", node)
        return StringLiteral(text.decode("utf-8", "replace"), Pointer(ctype.element))

    def _reference(self, node: Node) -> Expr:
        declaration: Cursor = self._calls.clang_getCursorReferenced(node.cursor)
        if declaration.kind == Kind.ENUM_CONSTANT_DECL:
            ctype = self.type_of(node)
            if not isinstance(ctype, Int):
                raise self.refuse("an enumeration constant of an unknown type", node)
            return Const(arithmetic.wrapped(self._calls.clang_getEnumConstantDeclValue(declaration), ctype), ctype)
        if declaration.kind == Kind.FUNCTION_DECL:
            name = self.context.unit.library.spelling(declaration)
            return FunctionRef(name, self.value_type(node))
        return self._loaded(node)

    def _loaded(self, node: Node) -> Expr:
        lvalue, ctype = self.lvalue(node)
        return self._read(lvalue, ctype, node)

    def _read(self, lvalue: LValue, ctype: CType, node: Node) -> Expr:
        loc = self.loc(node)
        if isinstance(ctype, Array):
            return AddressOf(Element(lvalue, Const(0, S32), loc), Pointer(ctype.element), loc)
        if isinstance(ctype, Void | FunctionType):
            raise self.refuse("the value of a void expression", node)
        reason = self.context.layout.refused_inside(ctype)
        if reason is not None:
            raise Unsupported(f"a copy of {reason}", loc)
        return Load(lvalue, ctype, loc)

    # Objects -----------------------------------------------------------------------------------

    def lvalue(self, node: Node) -> tuple[LValue, CType]:
        """The object that an expression designates, and its type."""
        node = self._bare(node)
        if node.kind == Kind.DECL_REF_EXPR:
            lvalue, ctype = self._variable(node)
        elif node.kind == Kind.MEMBER_REF_EXPR:
            lvalue, ctype = self._member(node)
        elif node.kind == Kind.ARRAY_SUBSCRIPT_EXPR:
            lvalue, ctype = self._subscript(node)
        elif node.kind == Kind.UNARY_OPERATOR and self._unary_kind(node) == UnaryOperator.DEREF:
            lvalue, ctype = self._target(self.value(self.operands(node, 1)[0]), node)
        else:
            value = self.value(node)
            if not isinstance(value, Load):
                raise self.refuse("something that is no object", node)
            return value.lvalue, value.type
        written = self.type_of(node)
        open_array = isinstance(written, Array) and isinstance(ctype, Array) and written.element == ctype.element
        if not open_array and ctype not in (written, adjusted(written)):
            raise self.refuse("an object whose type is not the one declared", node)
        return lvalue, ctype

    def _bare(self, node: Node) -> Node:
        while node.kind == Kind.PAREN_EXPR or (
            node.kind == Kind.UNARY_OPERATOR and self._unary_kind(node) == UnaryOperator.EXTENSION
        ):
            node = self.operands(node, 1)[0]
        return node

    def _is_object(self, node: Node) -> bool:
        node = self._bare(node)
        if node.kind == Kind.DECL_REF_EXPR:
            return self._calls.clang_getCursorReferenced(node.cursor).kind in _VARIABLES
        if node.kind == Kind.UNARY_OPERATOR:
            return self._unary_kind(node) == UnaryOperator.DEREF
        return node.kind in (Kind.MEMBER_REF_EXPR, Kind.ARRAY_SUBSCRIPT_EXPR)

    def _variable(self, node: Node) -> tuple[LValue, CType]:
        declaration: Cursor = self._calls.clang_getCursorReferenced(node.cursor)
        local = self._variables.get(declaration.data[0])
        if local is not None:
            return Local(local), self.locals[local]
        program = self.context.program
        name = self.context.statics.get(declaration.data[0])
        if name is None:
            name = self.context.unit.library.spelling(declaration)
        if name in self.context.refused_globals:
            reason = self.context.refused_globals[name]
            raise self.refuse(f"`{name}`, which has {reason.construct}", node)
        if declaration.kind != Kind.VAR_DECL or name not in program.globals:
            raise self.refuse("a name that is no variable", node)
        return Global(name), program.globals[name]

    def _member(self, node: Node) -> tuple[LValue, CType]:
        layout = self.context.layout
        (base,) = self.operands(node, 1)
        lvalue, ctype = self.lvalue(base) if self._is_object(base) else self._struct_value(base)
        if isinstance(ctype, Pointer):
            lvalue, ctype = self._target(self._read(lvalue, ctype, base), base)
        known = layout.member(self._calls.clang_getCursorReferenced(node.cursor))
        if known is None or not isinstance(ctype, StructRef):
            raise self.refuse("a member of an unknown struct", node)
        chain = layout.chain(ctype.tag, *known)
        if chain is None:
            raise self.refuse("a member of another struct", node)
        loc = self.loc(node)
        for tag, name in chain:
            ctype = layout.field(tag, name, loc).type
            lvalue = Member(lvalue, tag, name)
        return lvalue, ctype

    def _struct_value(self, node: Node) -> tuple[LValue, CType]:
        value = self.value(node)
        if isinstance(value.type, Pointer):
            return self._target(value, node)
        if isinstance(value, Load):
            return value.lvalue, value.type
        raise self.refuse("a member of something that is no struct", node)

    def _subscript(self, node: Node) -> tuple[LValue, CType]:
        first, second = self.operands(node, 2)
        array = self._decayed(first)
        if array is not None:
            lvalue, ctype = self.lvalue(array)
            if isinstance(ctype, Array):
                mark = self.graph.mark()
                index = self.value(second)
                if isinstance(index.type, Int):
                    lvalue = self._hold_lvalue_at(mark, lvalue, self.loc(first))
                    return Element(lvalue, index, self.loc(node)), ctype.element
        pointer, index = self.values([first, second])
        if isinstance(index.type, Pointer):
            pointer, index = index, pointer
        return self._target(self.operated("+", pointer, index, node), node)

    def _decayed(self, node: Node) -> Node | None:
        """The array whose address an operand is, when it is written as that array."""
        node = self._bare(node)
        if node.kind != Kind.UNEXPOSED_EXPR or len(node.children) != 1 or not self._is_object(node.children[0]):
            return None
        array = self._bare(node.children[0])
        if not isinstance(self.type_of(array), Array):
            return None
        declared_as_pointer = (
            array.kind == Kind.DECL_REF_EXPR
            and self._calls.clang_getCursorReferenced(array.cursor).kind == Kind.PARM_DECL
        )
        return None if declared_as_pointer else array

    def _target(self, pointer: Expr, node: Node) -> tuple[LValue, CType]:
        """What a pointer points to."""
        if not isinstance(pointer.type, Pointer) or isinstance(pointer.type.target, Void | FunctionType):
            raise self.refuse("what something other than a pointer to an object points to", node)
        if isinstance(pointer, AddressOf):
            return pointer.lvalue, pointer.type.target
        return Deref(pointer, self.loc(node)), pointer.type.target

    def address(self, lvalue: LValue, ctype: CType, node: Node) -> Expr:
        """The address of an object."""
        if isinstance(lvalue, Deref) and lvalue.pointer.type == Pointer(ctype):
            return lvalue.pointer
        return AddressOf(lvalue, Pointer(ctype), self.loc(node))

    # Operators ---------------------------------------------------------------------------------

    def _unary_kind(self, node: Node) -> int:
        return int(self._calls.clang_getCursorUnaryOperatorKind(node.cursor))

    def _binary_kind(self, node: Node) -> int:
        return int(self._calls.clang_getCursorBinaryOperatorKind(node.cursor))

    def _unary(self, node: Node) -> Expr:
        kind, (operand,) = self._unary_kind(node), self.operands(node, 1)
        if kind in _INCREMENTS:
            return self._increment(node, wanted=True)
        if kind == UnaryOperator.ADDRESS:
            if isinstance(self.type_of(operand), FunctionType):
                return self.value(operand)
            lvalue, ctype = self.lvalue(operand)
            return self.address(lvalue, ctype, node)
        if kind == UnaryOperator.DEREF:
            if isinstance(self.type_of(node), FunctionType):
                return self.value(operand)
            return self._loaded(node)
        if kind in (UnaryOperator.EXTENSION, UnaryOperator.PLUS):
            return self.value(operand)
        if kind not in _UNARY:
            raise self.refuse("an unknown unary operator", node)
        op, value, ctype = _UNARY[kind], self.value(operand), self.type_of(node)
        if op != "!" and (value.type != ctype or not isinstance(ctype, Int)):
            raise self.refuse("a unary operator on something that is no promoted number", node)
        if isinstance(value, Const):
            known = arithmetic.unary(op, value.value, ctype if isinstance(ctype, Int) else S32)
            if known is not None:
                return Const(known, ctype)
        return Unary(op, value, ctype, self.loc(node))

    def _binary(self, node: Node) -> Expr:
        kind, (first, second) = self._binary_kind(node), self.operands(node, 2)
        if kind == BinaryOperator.ASSIGN:
            return self._assign(node, wanted=True)
        if kind == BinaryOperator.COMMA:
            self.effect(first)
            return self.value(second)
        if kind in _LOGICAL:
            return self._truth(node)
        if kind not in _OPERATORS:
            raise self.refuse("an unknown binary operator", node)
        left, right = self.values([first, second])
        result = self.operated(_OPERATORS[kind], left, right, node)
        if result.type != self.value_type(node):
            raise self.refuse("an operator whose result has another type than the compiler's", node)
        return result

    def operated(self, op: str, left: Expr, right: Expr, node: Node) -> Expr:
        """A binary operator on operands that have been converted; on known values, its value where C defines it."""
        if isinstance(left.type, Pointer) or isinstance(right.type, Pointer):
            return self._on_pointers(op, left, right, node)
        ctype, other = left.type, right.type
        if not isinstance(ctype, Int) or not isinstance(other, Int) or (ctype != other and op not in _SHIFTS):
            raise self.refuse("an operator on operands of different types", node)
        result = S32 if op in _COMPARISONS else ctype
        if isinstance(left, Const) and isinstance(right, Const):
            known = arithmetic.binary(op, left.value, right.value, ctype)
            if known is not None:
                return Const(known, result)
        return Binary(op, left, right, result, self.loc(node))

    def _on_pointers(self, op: str, left: Expr, right: Expr, node: Node) -> Expr:
        loc = self.loc(node)
        if op == "+" and isinstance(left.type, Int):
            left, right = right, left
        if op in ("+", "-") and isinstance(right.type, Int):
            if isinstance(right, Const) and right.value == 0:
                return left
            return Binary(op, left, right, left.type, loc)
        if left.type == right.type and (op in _COMPARISONS or op == "-"):
            if isinstance(left, Const) and isinstance(right, Const) and op in _COMPARISONS:
                return Const(int(op in ("==", "<=", ">=")), S32)
            return Binary(op, left, right, S32, loc)
        raise self.refuse("an operator on pointers of different types", node)

    def _truth(self, node: Node) -> Expr:
        """`&&` and `||` as a number."""
        loc, result = self.loc(node), self.temporary(S32)
        yes, no, after = self.graph.new_block(), self.graph.new_block(), self.graph.new_block()
        self.condition(node, yes, no)
        self.graph.start(yes)
        self.graph.emit(Assign(result, Const(1, S32), S32, loc))
        self.graph.end(Goto(after))
        self.graph.start(no)
        self.graph.emit(Assign(result, Const(0, S32), S32, loc))
        self.graph.start(after)
        return Load(result, S32, loc)

    def _conditional(self, node: Node) -> Expr:
        """`c ? a : b` of which the value is used."""
        question, first, second = self.operands(node, 3)
        ctype = self.value_type(node)
        if not self._is_logical(question):
            value = self.value(question)
            if isinstance(value, Const):
                return self.typed(first if value.value else second, ctype)
            yes, no, after = self.graph.new_block(), self.graph.new_block(), self.graph.new_block()
            self.branch(value, yes, no, question)
        else:
            yes, no, after = self.graph.new_block(), self.graph.new_block(), self.graph.new_block()
            self.condition(question, yes, no)
        result = self.temporary(ctype)
        for block, chosen in ((yes, first), (no, second)):
            self.graph.start(block)
            self.graph.emit(Assign(result, self.typed(chosen, ctype), ctype, self.loc(chosen)))
            self.graph.end(Goto(after))
        self.graph.start(after)
        return Load(result, ctype, self.loc(node))

    def _elvis(self, node: Node) -> Expr:
        """`a ?: b`: the tree has `a`, the condition on it, the value of `a` as converted, and `b`."""
        common, _, first, second = node.children
        ctype, loc = self.value_type(node), self.loc(node)
        value = self.hold(self.value(common), loc)
        yes, no, after = self.graph.new_block(), self.graph.new_block(), self.graph.new_block()
        self.branch(value, yes, no, node)
        result = self.temporary(ctype)
        self.graph.start(yes)
        shadowed = dict(self._bound)
        self._bound[common.identity] = value
        self.graph.emit(Assign(result, self.typed(first, ctype), ctype, loc))
        self._bound = shadowed
        self.graph.end(Goto(after))
        self.graph.start(no)
        self.graph.emit(Assign(result, self.typed(second, ctype), ctype, loc))
        self.graph.start(after)
        return Load(result, ctype, loc)

    def _is_logical(self, node: Node) -> bool:
        node = self._bare(node)
        return node.kind == Kind.BINARY_OPERATOR and self._binary_kind(node) in _LOGICAL

    def _cast(self, node: Node) -> Expr:
        operand, target = self.value(self.operands(node, 1)[0]), self.type_of(node)
        scalars = isinstance(operand.type, Int | Pointer) and isinstance(target, Int | Pointer)
        if not scalars and operand.type != target:
            raise self.refuse("a cast that is not between numbers or pointers", node)
        if isinstance(operand, AddressOf) and operand.type == target:
            # It may take a `const` away, which the IR's types do not have: what is written there is written by pointer.
            return Convert(operand, target, self.loc(node))
        return self.converted(operand, target, node)

    # Assignments -------------------------------------------------------------------------------

    def store(self, target: LValue, ctype: CType, node: Node) -> None:
        """Assigns the value of an expression to a variable of a type."""
        bare = self._bare(node)
        if isinstance(target, Local | Global) and bare.kind == Kind.CALL_EXPR and self._builtin(bare) is None:
            self._call(bare, target, ctype)
        else:
            self.graph.emit(Assign(target, self.typed(node, ctype), ctype, self.loc(node)))

    def _assign(self, node: Node, *, wanted: bool) -> Expr:
        left, right = self.operands(node, 2)
        lvalue, ctype = self.lvalue(left)
        if not wanted and isinstance(lvalue, Local | Global):
            self.store(lvalue, ctype, right)
            return Const(0, S32)
        mark = self.graph.mark()
        value = self.typed(right, ctype)
        lvalue = self._hold_lvalue_at(mark, lvalue, self.loc(left))
        if wanted:
            value = self.hold(value, self.loc(node))
        self.graph.emit(Assign(lvalue, value, ctype, self.loc(node)))
        return value

    def _compound(self, node: Node) -> Expr:
        return self._compound_assign(node, wanted=True)

    def _compound_assign(self, node: Node, *, wanted: bool) -> Expr:
        kind = self._binary_kind(node)
        if kind not in _COMPOUND:
            raise self.refuse("an unknown compound assignment", node)
        left, right = self.operands(node, 2)
        lvalue, ctype = self.lvalue(left)
        mark = self.graph.mark()
        operand = self.value(right)
        lvalue = self._hold_lvalue_at(mark, lvalue, self.loc(left))
        return self._update(lvalue, ctype, _COMPOUND[kind], operand, node, wanted=wanted)

    def _update(self, lvalue: LValue, ctype: CType, op: str, operand: Expr, node: Node, *, wanted: bool) -> Expr:
        """`lvalue = lvalue op operand`, computed in the type that C computes it in."""
        old = self._read(lvalue, ctype, node)
        if isinstance(ctype, Int) and isinstance(operand.type, Int):
            inner = arithmetic.promoted(ctype) if op in _SHIFTS else arithmetic.common(ctype, operand.type)
            old = self.converted(old, inner, node)
        elif not isinstance(ctype, Pointer):
            raise self.refuse("a compound assignment to something other than a number or pointer", node)
        value = self.converted(self.operated(op, old, operand, node), ctype, node)
        if wanted:
            value = self.hold(value, self.loc(node))
        self.graph.emit(Assign(lvalue, value, ctype, self.loc(node)))
        return value

    def _increment(self, node: Node, *, wanted: bool) -> Expr:
        kind = self._unary_kind(node)
        lvalue, ctype = self.lvalue(self.operands(node, 1)[0])
        postfix = wanted and kind in _POSTFIX
        old = self.hold(self._read(lvalue, ctype, node), self.loc(node)) if postfix else None
        one = Const(1, S32) if isinstance(ctype, Pointer) else self._one(ctype, node)
        new = self._update(lvalue, ctype, _INCREMENTS[kind], one, node, wanted=wanted and not postfix)
        return new if old is None else old

    def _one(self, ctype: CType, node: Node) -> Expr:
        if not isinstance(ctype, Int):
            raise self.refuse("an increment of something other than a number or pointer", node)
        return Const(1, arithmetic.promoted(ctype))

    # Calls -------------------------------------------------------------------------------------

    def _called(self, node: Node) -> Expr:
        builtin = self._builtin(node)
        if builtin == _CONSTANT_P:
            return Const(0, S32)
        if builtin == _EXPECT:
            return self.value(self._expected(node))
        ctype = self.type_of(node)
        if isinstance(ctype, Void):
            raise self.refuse("the value of a void function", node)
        result = self.temporary(ctype)
        self._call(node, result, ctype)
        return Load(result, ctype, self.loc(node))

    def _function(self, node: Node) -> str | None:
        """The name of the function that a call names; None when it goes through a pointer."""
        if not node.children:
            raise self.refuse("a call that libclang does not show in full", node)
        callee = node.children[0]
        while callee.kind in (Kind.UNEXPOSED_EXPR, Kind.PAREN_EXPR) and len(callee.children) == 1:
            callee = callee.children[0]
        if callee.kind != Kind.DECL_REF_EXPR:
            return None
        declaration: Cursor = self._calls.clang_getCursorReferenced(callee.cursor)
        return self.context.unit.library.spelling(declaration) if declaration.kind == Kind.FUNCTION_DECL else None

    def _builtin(self, node: Node) -> str | None:
        name = self._function(node)
        return name if name in (_EXPECT, _CONSTANT_P) else None

    def _expected(self, node: Node) -> Node:
        if len(node.children) != 3 or not isinstance(self.value(node.children[2]), Const):
            raise self.refuse("__builtin_expect with an expectation that is not constant", node)
        return node.children[1]

    def _call(self, node: Node, target: LValue | None, result: CType) -> None:
        callee, arguments = node.children[0], node.children[1:]
        signature = self.value_type(callee)
        name = self._function(node)
        function = signature.target if isinstance(signature, Pointer) else None
        if not isinstance(function, FunctionType):
            raise self.refuse("a call of something that is no function", node)
        if name is not None:
            called: str | Expr = name
            values = self.values(arguments)
        else:
            pointer, *values = self.values(node.children)
            called = pointer.name if isinstance(pointer, FunctionRef) else pointer
        if target is not None and function.result != result:
            raise self.refuse("a call whose result has another type than the compiler's", node)
        is_builtin = name is not None and name.startswith("__builtin_")
        exact = len(values) == len(function.params) or is_builtin
        if not exact and not (function.variadic and len(values) > len(function.params)):
            raise self.refuse("a call with arguments that the declaration does not have", node)
        for value, ctype, argument in zip(values, function.params, arguments, strict=False):
            if value.type != ctype:
                raise self.refuse("an argument of another type than the parameter", argument)
        self.graph.emit(Call(target, called, tuple(values), function.result, self.loc(node)))

    # Conditions and effects --------------------------------------------------------------------

    def branch(self, value: Expr, then: int, otherwise: int, node: Node) -> None:
        """Leaves the block for one of two, by a value."""
        if isinstance(value, Const):
            self.graph.end(Goto(then if value.value else otherwise))
        elif isinstance(value.type, Int | Pointer):
            self.graph.end(Branch(value, then, otherwise, self.loc(node)))
        else:
            raise self.refuse("a condition that is no number or pointer", node)

    def condition(self, node: Node, then: int, otherwise: int) -> None:
        """Leaves the block for one of two, by whether an expression is non-zero."""
        while True:
            node = self._bare(node)
            kind = self._binary_kind(node) if node.kind == Kind.BINARY_OPERATOR else 0
            if kind in _LOGICAL:
                first, node = self.operands(node, 2)
                middle = self.graph.new_block()
                if kind == BinaryOperator.LOGICAL_AND:
                    self.condition(first, middle, otherwise)
                else:
                    self.condition(first, then, middle)
                self.graph.start(middle)
            elif kind == BinaryOperator.COMMA:
                first, node = self.operands(node, 2)
                self.effect(first)
            elif node.kind == Kind.UNARY_OPERATOR and self._unary_kind(node) == UnaryOperator.LOGICAL_NOT:
                then, otherwise = otherwise, then
                (node,) = self.operands(node, 1)
            elif node.kind == Kind.CALL_EXPR and self._builtin(node) == _EXPECT:
                node = self._expected(node)
            elif self._keeps_truth(node):
                node = node.children[0]
            else:
                self.branch(self.value(node), then, otherwise, node)
                return

    def _keeps_truth(self, node: Node) -> bool:
        """Whether an implicit conversion is non-zero exactly when its operand is."""
        if node.kind != Kind.UNEXPOSED_EXPR or len(node.children) != 1 or self._is_object(node.children[0]):
            return False
        if not _is_expression(node.children[0]) or node.identity in self._bound:
            return False
        source, target = self.type_of(node.children[0]), self.type_of(node)
        return isinstance(source, Int) and isinstance(target, Int) and (target.is_bool or target.bits >= source.bits)

    def effect(self, node: Node) -> None:
        """Works out an expression of which the value is not used."""
        node = self._bare(node)
        while node.kind in (Kind.CSTYLE_CAST_EXPR, Kind.UNEXPOSED_EXPR) and len(node.children) == 1:
            if not isinstance(self.type_of(node), Void):
                break
            node = self._bare(node.children[0])
        kind = self._binary_kind(node) if node.kind == Kind.BINARY_OPERATOR else 0
        if kind == BinaryOperator.ASSIGN:
            self._assign(node, wanted=False)
        elif kind == BinaryOperator.COMMA:
            for operand in self.operands(node, 2):
                self.effect(operand)
        elif kind in _LOGICAL:
            after = self.graph.new_block()
            self.condition(node, after, after)
            self.graph.start(after)
        elif node.kind == Kind.COMPOUND_ASSIGNMENT_OPERATOR:
            self._compound_assign(node, wanted=False)
        elif node.kind == Kind.UNARY_OPERATOR and self._unary_kind(node) in _INCREMENTS:
            self._increment(node, wanted=False)
        elif node.kind == Kind.CALL_EXPR and self._builtin(node) is None:
            self._call(node, None, Void())
        elif node.kind == Kind.CONDITIONAL_OPERATOR:
            self._choose(node)
        elif node.kind == Kind.STATEMENT_EXPR:
            self.statement_expression(node, wanted=False)
        else:
            value = self.value(node)
            if not _is_harmless(value):
                self.graph.emit(Assign(self.temporary(value.type), value, value.type, self.loc(node)))

    def _choose(self, node: Node) -> None:
        question, first, second = self.operands(node, 3)
        yes, no, after = self.graph.new_block(), self.graph.new_block(), self.graph.new_block()
        self.condition(question, yes, no)
        for block, chosen in ((yes, first), (no, second)):
            self.graph.start(block)
            self.effect(chosen)
            self.graph.end(Goto(after))
        self.graph.start(after)

    def _statement_value(self, node: Node) -> Expr:
        value = self.statement_expression(node, wanted=True)
        if value is None:
            raise self.refuse("the value of a statement expression that ends in a statement", node)
        return value

    def statement_expression(self, node: Node, *, wanted: bool) -> Expr | None:
        """Lowers `({ ... })`; the value of its last expression when wanted and there is one."""
        raise NotImplementedError


def _is_expression(node: Node) -> bool:
    return FIRST_EXPRESSION <= node.kind <= LAST_EXPRESSION


def _is_offsetof(node: Node) -> bool:
    return any(child.kind == Kind.MEMBER_REF for child in node.children)


def _is_stable(value: Expr) -> bool:
    """Whether no assignment can change what a value is: it has constants and temporaries only."""
    if isinstance(value, Const | StringLiteral | FunctionRef):
        return True
    if isinstance(value, Load):
        return isinstance(value.lvalue, Local) and value.lvalue.name.startswith("$")
    if isinstance(value, Unary | Convert):
        return _is_stable(value.operand)
    if isinstance(value, Binary):
        return _is_stable(value.left) and _is_stable(value.right)
    lvalue = value.lvalue
    while isinstance(lvalue, Member | Element):
        if isinstance(lvalue, Element) and not _is_stable(lvalue.index):
            return False
        lvalue = lvalue.base
    return isinstance(lvalue, Local | Global)


def _is_harmless(value: Expr) -> bool:
    """Whether nothing can go wrong in working a value out: it reads named variables at most."""
    value = stripped(value)
    if isinstance(value, Load):
        lvalue = value.lvalue
        while isinstance(lvalue, Member):
            lvalue = lvalue.base
        return isinstance(lvalue, Local | Global)
    return isinstance(value, Const | StringLiteral | FunctionRef)
