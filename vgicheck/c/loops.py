"""What a function's text tells of its locals and loops: which decide, which count down, which need memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .flow import Loop, successors
from .ir import (
    AddressOf,
    Assign,
    Binary,
    Branch,
    Call,
    Const,
    Convert,
    Deref,
    Element,
    Function,
    Int,
    Load,
    Local,
    Member,
    Pointer,
    Return,
    Unary,
    locals_of,
)


def control_variables(function: Function, loop: Loop) -> tuple[str, ...]:
    """Find the locals that decide whether a loop goes on: those in its exit conditions, and what they come from."""
    members = set(loop.blocks)
    found: dict[str, None] = {}
    for b in loop.blocks:
        terminator = function.blocks[b].terminator
        if isinstance(terminator, Branch) and any(s not in members for s in successors(function, b)):
            found.update(dict.fromkeys(locals_of(terminator.condition)))
    assigned: dict[str, set[str]] = {}
    for b in loop.blocks:
        for instruction in function.blocks[b].instructions:
            if isinstance(instruction, Assign | Call) and isinstance(instruction.target, Local):
                sources = (instruction.value,) if isinstance(instruction, Assign) else instruction.args
                assigned.setdefault(instruction.target.name, set()).update(n for s in sources for n in locals_of(s))
    stack = list(found)
    while stack:
        for name in sorted(assigned.get(stack.pop(), ())):
            if name not in found:
                found[name] = None
                stack.append(name)
    return tuple(n for n in found if n in assigned)


def taken_bit_by_bit(function: Function, loop: Loop, control: Sequence[str]) -> dict[str, bool]:
    """Find the words out of which a loop takes one set bit after the other; true for those taken from the top.

    They are given to a bit search, or lose their lowest bit as `word & (word - 1)`.
    """
    found: dict[str, bool] = {}
    for b in loop.blocks:
        for i in function.blocks[b].instructions:
            if isinstance(i, Call) and i.callee in ("ffs", "__ffs", "fls", "__fls"):
                found.update((n, "fls" in str(i.callee)) for a in i.args for n in locals_of(a) if n in control)
            elif isinstance(i, Assign) and isinstance(i.target, Local) and i.target.name in control:
                match i.value:
                    case Binary("&", Load(Local(x)), Binary("-", Load(Local(y)), Const(1))) if x == y == i.target.name:
                        found.setdefault(x, False)
    return found


def descends(function: Function, loop: Loop, control: Sequence[str]) -> bool:
    """Say whether a control variable counts down, which is the order in which its values are then run."""
    for b in loop.blocks:
        for i in function.blocks[b].instructions:
            if isinstance(i, Assign) and isinstance(i.target, Local) and i.target.name in control:
                value = i.value.operand if isinstance(i.value, Convert) else i.value
                if (
                    isinstance(value, Binary)
                    and i.target.name in locals_of(value.left)
                    and isinstance(value.right, Const)
                ):
                    step = value.right.value if value.op == "+" else -value.right.value
                    if value.op in "+-" and step < 0:
                        return True
    return False


def registers(function: Function) -> frozenset[str]:
    """Find the locals that are scalars and whose address nobody takes."""
    taken: set[str] = set()

    def visit(node: Any) -> None:
        match node:
            case AddressOf(lvalue):
                root = lvalue
                while isinstance(root, Member | Element):
                    root = root.base
                if isinstance(root, Local):
                    taken.add(root.name)
                visit(lvalue)
            case Load(lvalue):
                visit(lvalue)
            case Unary(_, operand) | Convert(operand):
                visit(operand)
            case Binary(_, left, right):
                visit(left)
                visit(right)
            case Deref(pointer):
                visit(pointer)
            case Member(base):
                visit(base)
            case Element(base, index):
                visit(base)
                visit(index)

    for block in function.blocks:
        for i in block.instructions:
            if isinstance(i, Assign):
                visit(i.target)
                visit(i.value)
            elif isinstance(i, Call):
                for node in (i.target, *i.args, i.callee):
                    visit(node)
        if isinstance(block.terminator, Branch):
            visit(block.terminator.condition)
        elif isinstance(block.terminator, Return):
            visit(block.terminator.value)
    return frozenset(
        name for name, kind in function.locals.items() if name not in taken and isinstance(kind, Int | Pointer)
    )
