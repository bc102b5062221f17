"""A small reference interpreter of the IR for concrete values, to hold lowered functions against compiled C.

Memory maps (object, path) to a scalar, where an object is a local of one activation or a global and a path leads
through members and indices.  A pointer is such a pair; the null pointer is 0; a function is `("function", name)`; a
struct maps paths to scalars.  Reading a member of a union other than the one last written is not modelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vgicheck.c import arithmetic
from vgicheck.c.ir import (
    AddressOf,
    Array,
    Assign,
    Binary,
    Branch,
    Call,
    Const,
    Convert,
    CType,
    Declare,
    Deref,
    Element,
    Expire,
    Expr,
    FunctionRef,
    Global,
    Goto,
    Instruction,
    Int,
    Load,
    Local,
    LValue,
    Member,
    Pointer,
    Program,
    Return,
    StringLiteral,
    StructRef,
    Unary,
    Unreachable,
)

Path = tuple[str | int, ...]
Place = tuple[str, Path]
Scalar = int | Place
Value = Scalar | Mapping[Path, Scalar]
MOST_STEPS = 100_000


class TrapError(Exception):
    """The program did something that C does not define, or ran too long."""


class Machine:
    """A program with its memory."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._memory: dict[Place, Scalar] = {}
        self._activations = 0
        self._steps = 0
        for name, ctype in program.globals.items():
            if name in program.constants:
                for path in self._scalars(ctype):
                    self._memory[name, path] = 0
                for path, value in program.constants[name].values.items():
                    self._store((name, path), self._value(value, ""))

    def call(self, name: str, arguments: Sequence[Value]) -> Value | None:
        """Runs a function; a TrapError when it goes wrong."""
        function = self._program.functions[name]
        self._activations += 1
        frame = f"{name}#{self._activations}:"
        for param, argument in zip(function.params, arguments, strict=True):
            self._store((frame + param, ()), argument)
        block = function.blocks[0]
        while True:
            for instruction in block.instructions:
                self._execute(instruction, frame, function.locals)
            self._steps += 1 + len(block.instructions)
            if self._steps > MOST_STEPS:
                raise TrapError("too many steps")
            terminator = block.terminator
            if isinstance(terminator, Goto):
                block = function.blocks[terminator.block]
            elif isinstance(terminator, Branch):
                taken = self._value(terminator.condition, frame) != 0
                block = function.blocks[terminator.then if taken else terminator.otherwise]
            elif isinstance(terminator, Return):
                return None if terminator.value is None else self._value(terminator.value, frame)
            else:
                assert isinstance(terminator, Unreachable)
                raise TrapError("the end of a function that must return a value")

    def _execute(self, instruction: Instruction, frame: str, types: dict[str, CType]) -> None:
        if isinstance(instruction, Declare | Expire):
            name = frame + instruction.local
            for place in [place for place in self._memory if place[0] == name]:
                del self._memory[place]
        elif isinstance(instruction, Assign):
            value = self._value(instruction.value, frame)
            if isinstance(value, int) and isinstance(instruction.type, Int):
                assert arithmetic.fits(value, instruction.type), "an unconverted value is stored"
            self._store(self._place(instruction.target, frame), value)
        else:
            assert isinstance(instruction, Call)
            callee = instruction.callee
            if not isinstance(callee, str):
                pointed = self._value(callee, frame)
                assert isinstance(pointed, tuple)
                callee = str(pointed[1][0])
            result = self.call(callee, [self._value(argument, frame) for argument in instruction.args])
            if instruction.target is not None:
                assert result is not None
                self._store(self._place(instruction.target, frame), result)

    def _store(self, place: Place, value: Value) -> None:
        for path, scalar in value.items() if isinstance(value, Mapping) else (((), value),):
            self._memory[place[0], place[1] + path] = scalar

    def _scalars(self, ctype: CType) -> list[Path]:
        if isinstance(ctype, Array):
            inner = self._scalars(ctype.element)
            return [(index, *path) for index in range(ctype.length) for path in inner]
        if isinstance(ctype, StructRef):
            fields = self._program.structs[ctype.tag].fields
            return [(field.name, *path) for field in fields for path in self._scalars(field.type)]
        return [()]

    def _place(self, lvalue: LValue, frame: str) -> Place:
        if isinstance(lvalue, Local):
            return frame + lvalue.name, ()
        if isinstance(lvalue, Global):
            return lvalue.name, ()
        if isinstance(lvalue, Deref):
            pointer = self._value(lvalue.pointer, frame)
            if not isinstance(pointer, tuple):
                raise TrapError("a null pointer is followed")
            return pointer
        if isinstance(lvalue, Member):
            name, path = self._place(lvalue.base, frame)
            return name, (*path, lvalue.name)
        assert isinstance(lvalue, Element)
        name, path = self._place(lvalue.base, frame)
        index = self._value(lvalue.index, frame)
        assert isinstance(index, int)
        return name, (*path, index)

    def _value(self, value: Expr, frame: str) -> Value:
        if isinstance(value, Const):
            return value.value
        if isinstance(value, FunctionRef):
            return "function", (value.name,)
        if isinstance(value, StringLiteral):
            for index, character in enumerate((*value.text.encode(), 0)):
                self._memory[f"string {value.text}", (index,)] = character
            return f"string {value.text}", (0,)
        if isinstance(value, Load):
            return self._load(value, frame)
        if isinstance(value, AddressOf):
            return self._place(value.lvalue, frame)
        if isinstance(value, Unary):
            return self._unary(value, frame)
        if isinstance(value, Convert):
            operand = self._value(value.operand, frame)
            if isinstance(value.type, Int):
                if isinstance(operand, int):
                    return arithmetic.wrapped(operand, value.type)
                assert value.type.is_bool, "a pointer as a number is not modelled"
                return 1
            return operand
        return self._binary(value, frame)

    def _load(self, value: Load, frame: str) -> Value:
        name, path = self._place(value.lvalue, frame)
        if isinstance(value.type, StructRef):
            paths = self._scalars(value.type)
            return {inner: self._memory[name, path + inner] for inner in paths if (name, path + inner) in self._memory}
        if (name, path) not in self._memory:
            raise TrapError(f"{name}{path} is read before it is written")
        return self._memory[name, path]

    def _unary(self, value: Unary, frame: str) -> Value:
        operand = self._value(value.operand, frame)
        if value.op == "!":
            return int(operand == 0)
        assert isinstance(operand, int)
        assert isinstance(value.type, Int)
        result = arithmetic.unary(value.op, operand, value.type)
        if result is None:
            raise TrapError(f"{value.op}{operand} is not defined")
        return result

    def _binary(self, value: Binary, frame: str) -> Value:
        left, right = self._value(value.left, frame), self._value(value.right, frame)
        if isinstance(value.left.type, Pointer):
            return self._on_pointers(value.op, left, right)
        assert isinstance(left, int)
        assert isinstance(right, int)
        assert isinstance(value.left.type, Int)
        result = arithmetic.binary(value.op, left, right, value.left.type)
        if result is None:
            raise TrapError(f"{left} {value.op} {right} is not defined")
        return result

    def _on_pointers(self, op: str, left: Value, right: Value) -> Value:
        if op in ("==", "!="):
            return int((left == right) == (op == "=="))
        assert isinstance(left, tuple)
        name, (*path, last) = left
        assert isinstance(last, int)
        if isinstance(right, int):
            return name, (*path, last + right if op == "+" else last - right)
        assert isinstance(right, tuple)
        assert right[0] == name
        other = right[1][-1]
        assert isinstance(other, int)
        if op == "-":
            return last - other
        return int({"<": last < other, "<=": last <= other, ">": last > other, ">=": last >= other}[op])
