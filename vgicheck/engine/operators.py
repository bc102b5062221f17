"""What each Z3 operator does to arrays: see `vgicheck.engine.arrays` for how values are kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import z3

from .system import NotUnderstood

Operation = Callable[..., Any]


def dtype_of(width: int) -> Any:
    """Return the type of the elements that stand for words of `width` bits; 0 is a truth value."""
    if width == 0:
        return np.bool_
    for bits, kind in ((8, np.uint8), (16, np.uint16), (32, np.uint32), (64, np.uint64)):
        if width <= bits:
            return kind
    raise NotUnderstood(f"a word of {width} bits; 64 are the most")


def width_of(term: Any) -> int:
    """Return the width of a term in bits; 0 for a truth value."""
    if z3.is_bool(term):
        return 0
    if z3.is_bv(term):
        return int(term.size())
    raise NotUnderstood(f"a term of sort {term.sort()}")


def operation_of(term: Any) -> tuple[tuple[Any, ...], Operation]:
    """Return a name and the operation of a term's outermost operator; equal names mean equal operations.

    Raises `NotUnderstood` for an operator that is not listed here.
    """
    kind = term.decl().kind()
    width, inner = width_of(term), width_of(term.arg(0)) if term.num_args() else 0
    if kind == z3.Z3_OP_ITE:
        return (("ite",), blend) if width else (("ite-bool",), choose)
    if kind in _PLAIN:
        return (kind,), _PLAIN[kind]
    if kind in _SIGNED:
        top = dtype_of(inner)(1 << (inner - 1))
        compare = _SIGNED[kind]
        return (kind, inner), lambda a, b: compare(a ^ top, b ^ top)
    if kind in _ARITHMETIC:
        return (kind, width), _masked(_ARITHMETIC[kind], width)
    if kind in _SHIFTS:
        return (kind, width), _SHIFTS[kind](width)
    if kind == z3.Z3_OP_EXTRACT:
        high, low = term.params()
        return (kind, high, low, inner), _extract(high, low, inner)
    if kind in (z3.Z3_OP_ZERO_EXT, z3.Z3_OP_SIGN_EXT):
        return (kind, inner, width), _extend(inner, width, signed=kind == z3.Z3_OP_SIGN_EXT)
    if kind == z3.Z3_OP_CONCAT:
        sizes = tuple(width_of(c) for c in term.children())
        return (kind, sizes), _concat(sizes, width)
    raise NotUnderstood(f"the operator {term.decl().name()}")


def choose(condition: Any, a: Any, b: Any) -> Any:
    """Return truth values: `a` where the condition holds, `b` elsewhere."""
    return condition & a | ~condition & b


def blend(condition: Any, a: Any, b: Any) -> Any:
    """The same for words: much faster than `numpy.where` on a condition that nothing predicts."""
    kind = np.result_type(a, b)
    mask = kind.type(0) - condition.astype(kind) if kind.itemsize > 1 else np.negative(condition.view(np.uint8))
    return b ^ (a ^ b) & mask


def folded(operation: Operation) -> Operation:
    """Return an operation of two arguments as one of any number."""
    return lambda *arguments: reduce(operation, arguments)


def _distinct(*arguments: Any) -> Any:
    pairs = [a != b for i, a in enumerate(arguments) for b in arguments[:i]]
    return reduce(np.bitwise_and, pairs)


_PLAIN: dict[int, Operation] = {
    z3.Z3_OP_AND: folded(np.bitwise_and),
    z3.Z3_OP_OR: folded(np.bitwise_or),
    z3.Z3_OP_XOR: folded(np.bitwise_xor),
    z3.Z3_OP_NOT: np.logical_not,
    z3.Z3_OP_IMPLIES: lambda a, b: np.logical_not(a) | b,
    z3.Z3_OP_EQ: np.equal,
    z3.Z3_OP_DISTINCT: _distinct,
    z3.Z3_OP_BAND: folded(np.bitwise_and),
    z3.Z3_OP_BOR: folded(np.bitwise_or),
    z3.Z3_OP_BXOR: folded(np.bitwise_xor),
    z3.Z3_OP_ULT: np.less,
    z3.Z3_OP_ULEQ: np.less_equal,
    z3.Z3_OP_UGT: np.greater,
    z3.Z3_OP_UGEQ: np.greater_equal,
}
_SIGNED: dict[int, Operation] = {
    z3.Z3_OP_SLT: np.less,
    z3.Z3_OP_SLEQ: np.less_equal,
    z3.Z3_OP_SGT: np.greater,
    z3.Z3_OP_SGEQ: np.greater_equal,
}
_ARITHMETIC: dict[int, Operation] = {
    z3.Z3_OP_BADD: folded(np.add),
    z3.Z3_OP_BSUB: folded(np.subtract),
    z3.Z3_OP_BMUL: folded(np.multiply),
    z3.Z3_OP_BNOT: np.invert,
    z3.Z3_OP_BNEG: np.negative,
}


def _masked(operation: Operation, width: int) -> Operation:
    kind = dtype_of(width)
    if width == kind(0).itemsize * 8:
        return operation
    mask = kind((1 << width) - 1)
    return lambda *arguments: operation(*arguments) & mask


def _shift_left(width: int) -> Operation:
    kind = dtype_of(width)
    top, mask, zero = kind(width - 1), kind((1 << width) - 1), kind(0)
    return lambda a, n: np.where(n <= top, a << np.minimum(n, top) & mask, zero)


def _shift_right(width: int) -> Operation:
    kind = dtype_of(width)
    top, zero = kind(width - 1), kind(0)
    return lambda a, n: np.where(n <= top, a >> np.minimum(n, top), zero)


def _shift_right_signed(width: int) -> Operation:
    kind = dtype_of(width)
    top, mask = kind(width - 1), kind((1 << width) - 1)

    def shifted(a: Any, n: Any) -> Any:
        by = np.minimum(n, top)
        high = np.where(a >> top != 0, mask ^ (mask >> by), kind(0))
        return a >> by | high

    return shifted


_SHIFTS: dict[int, Callable[[int], Operation]] = {
    z3.Z3_OP_BSHL: _shift_left,
    z3.Z3_OP_BLSHR: _shift_right,
    z3.Z3_OP_BASHR: _shift_right_signed,
}


def _extract(high: int, low: int, inner: int) -> Operation:
    source, kind = dtype_of(inner), dtype_of(high - low + 1)
    shift, mask = source(low), source((1 << (high - low + 1)) - 1)
    return lambda a: (a >> shift & mask).astype(kind)


def _extend(inner: int, width: int, signed: bool) -> Operation:
    kind = dtype_of(width)
    if not signed:
        return lambda a: a.astype(kind, copy=False) if isinstance(a, np.ndarray) else kind(a)
    top = kind(1 << (inner - 1))
    mask = kind((1 << width) - 1)
    return lambda a: (a.astype(kind) ^ top) - top & mask


def _concat(sizes: tuple[int, ...], width: int) -> Operation:
    kind = dtype_of(width)

    def glued(*parts: Any) -> Any:
        whole = parts[0].astype(kind)
        for part, size in zip(parts[1:], sizes[1:], strict=True):
            whole = whole << kind(size) | part.astype(kind)
        return whole

    return glued
