"""Integer conversions and operators of C on known values, for the target's two's complement integers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Final

from .ir import BOOL, S32, Int

_COMPARISONS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TOTAL: Final[Mapping[str, Callable[[int, int], int]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}


def wrapped(value: int, ctype: Int) -> int:
    """The value of a type that is equal to `value` modulo 2 to its width; 0 or 1 for `_Bool`."""
    if ctype.is_bool:
        return int(value != 0)
    value &= (1 << ctype.bits) - 1
    return value - (1 << ctype.bits) if ctype.signed and value >> (ctype.bits - 1) else value


def fits(value: int, ctype: Int) -> bool:
    """Whether a type has the value."""
    return wrapped(value, ctype) == value


def promoted(ctype: Int) -> Int:
    """The integer promotions: what is narrower than `int` becomes `int`."""
    return S32 if ctype.bits < S32.bits or ctype == BOOL else ctype


def common(left: Int, right: Int) -> Int:
    """The usual arithmetic conversions of two integer types; those of one width and sign are one here."""
    left, right = promoted(left), promoted(right)
    if left.bits != right.bits:
        return left if left.bits > right.bits else right
    return left if not left.signed else right


def unary(op: str, value: int, ctype: Int) -> int | None:
    """`-`, `~` or `!` of a value of a promoted type; None when C does not define it."""
    if op == "!":
        return int(value == 0)
    result = -value if op == "-" else ~value
    if ctype.signed:
        return result if fits(result, ctype) else None
    return wrapped(result, ctype)


def binary(op: str, left: int, right: int, ctype: Int) -> int | None:
    """A binary operator on values of one type (of a shift: the left one's); None when C does not define it.

    A right shift of a negative number is arithmetic, as GNU C has it; a left shift that loses or makes a sign is not
    defined.
    """
    if op in _COMPARISONS:
        return int(_COMPARISONS[op](left, right))
    if op in ("<<", ">>"):
        if not 0 <= right < ctype.bits:
            return None
        if op == ">>":
            return left >> right
        result = left << right
        if ctype.signed:
            return result if left >= 0 and fits(result, ctype) else None
        return wrapped(result, ctype)
    if op in ("/", "%"):
        if right == 0:
            return None
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        if not fits(quotient, ctype):
            return None
        return quotient if op == "/" else left - quotient * right
    result = _TOTAL[op](left, right)
    if ctype.signed:
        return result if fits(result, ctype) else None
    return wrapped(result, ctype)
