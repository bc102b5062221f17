"""Values with two readings: plain Python, or Z3 terms.

A truth value is a `bool` or a Z3 Bool; a word is an `int` or a Z3 bit-vector.  Every function here accepts either in
every seat and stays in plain Python for as long as nothing symbolic takes part, so that one text of a transition
runs on numbers and, unchanged, builds the formula that is proved.  The annotations name the plain reading.

Records are frozen dataclasses; `ite` and `same` go through their fields.  A composite value of another kind that
can choose
between itself and its like has a method `merged(condition, other)`.  A field that holds a word says how wide it
is: `Annotated[int, Width(10)]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_type_hints

import z3

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Width:
    """The number of bits of a word, for annotations; `signed` words, error codes, read as negative numbers too."""

    bits: int
    signed: bool = False


def is_symbolic(value: object) -> bool:
    """Say whether a scalar is a Z3 term rather than a plain Python value."""
    return isinstance(value, z3.ExprRef)


def not_(a: bool) -> bool:
    """Negate."""
    return z3.Not(a) if is_symbolic(a) else not a


def and_(*conjuncts: bool) -> bool:
    """Conjoin; true for no conjunct."""
    terms = []
    for c in conjuncts:
        if c is True:
            continue
        if is_symbolic(c):
            terms.append(c)
        elif not c:
            return False
    return _joined(z3.And, terms, neutral=True)


def or_(*disjuncts: bool) -> bool:
    """Disjoin; false for no disjunct."""
    terms = []
    for d in disjuncts:
        if d is False:
            continue
        if is_symbolic(d):
            terms.append(d)
        elif d:
            return True
    return _joined(z3.Or, terms, neutral=False)


def _joined(join: Callable[..., Any], terms: list[Any], neutral: bool) -> Any:
    if not terms:
        return neutral
    return terms[0] if len(terms) == 1 else join(*terms)


def implies(a: bool, b: bool) -> bool:
    """`b` wherever `a`."""
    return or_(not_(a), b)


def iff(a: bool, b: bool) -> bool:
    """Both or neither."""
    if is_symbolic(a) or is_symbolic(b):
        return _as_bool(a) == _as_bool(b)
    return bool(a) == bool(b)


def any_of(domain: Iterable[V], holds: Callable[[V], bool]) -> bool:
    """Say whether something in a finite domain satisfies `holds`."""
    return or_(*(holds(x) for x in domain))


def all_of(domain: Iterable[V], holds: Callable[[V], bool]) -> bool:
    """Say whether everything in a finite domain satisfies `holds`."""
    return and_(*(holds(x) for x in domain))


def lt(a: int, b: int) -> bool:
    """Compare words as unsigned numbers (`<` on Z3 bit-vectors is signed)."""
    return z3.ULT(*_words(a, b)) if is_symbolic(a) or is_symbolic(b) else a < b


def le(a: int, b: int) -> bool:
    """Compare words as unsigned numbers."""
    if not is_symbolic(a) and a == 0:
        return True
    return z3.ULE(*_words(a, b)) if is_symbolic(a) or is_symbolic(b) else a <= b


def bit(word: int, index: int) -> bool:
    """Return one bit of a word; `index` is a plain number."""
    return z3.Extract(index, index, word) == 1 if is_symbolic(word) else bool(word >> index & 1)


def field_of(word: int, high: int, low: int) -> int:
    """Return bits `high`..`low` of a word, as a word of `high - low + 1` bits."""
    return z3.Extract(high, low, word) if is_symbolic(word) else (word >> low) & ((1 << (high - low + 1)) - 1)


def widened(word: int, bits: int) -> int:
    """Return the same unsigned number as a word of `bits` bits, which is at least as wide."""
    term: Any = word
    return z3.ZeroExt(bits - term.size(), term) if is_symbolic(word) and term.size() < bits else word


def concat(*parts: tuple[int, int]) -> int:
    """Glue words together, most significant first; each part is (word, width in bits).

    Raises `ValueError` for a symbolic word of another width: on plain numbers the place of the others depends on it.
    """
    for word, width in parts:
        if is_symbolic(word) and word.size() != width:  # type: ignore[attr-defined]
            raise ValueError(f"a word of {word.size()} bits stands where {width} are meant")  # type: ignore[attr-defined]
    if len(parts) == 1:
        return parts[0][0]
    whole = 0
    for word, width in parts:
        if is_symbolic(word):
            return z3.Concat(*(w if is_symbolic(w) else z3.BitVecVal(w, bits) for w, bits in parts))
        whole = whole << width | word
    return whole


def flag(condition: bool) -> int:
    """Return a truth value as a word of one bit."""
    return ite(condition, 1, 0, width=1)


def ite(condition: bool, a: V, b: V, *, width: int | None = None) -> V:
    """Return `a` where `condition` holds and `b` elsewhere, for words, truth values, records, tuples and maps.

    `width` is needed only where both sides are plain numbers that differ and the condition may be symbolic.
    """
    if condition is True:
        return a
    if not is_symbolic(condition):
        return a if condition else b
    return a if a is b else _chosen(condition, a, b, width)


def _chosen(condition: Any, a: Any, b: Any, width: int | None) -> Any:
    if hasattr(a, "merged"):
        return a.merged(condition, b)
    if is_dataclass(a):
        kind: Any = type(a)
        pairs = ((getattr(a, f.name), getattr(b, f.name), _width(kind, f.name)) for f in fields(a))
        return kind(*(ite(condition, x, y, width=bits) for x, y, bits in pairs))
    if isinstance(a, tuple):
        return tuple(ite(condition, x, y, width=width) for x, y in zip(a, b, strict=True))
    return _ite_scalar(condition, a, b, width)


def _ite_scalar(condition: Any, a: Any, b: Any, width: int | None) -> Any:
    if isinstance(a, bool | z3.BoolRef):
        if not is_symbolic(a) and not is_symbolic(b):
            return a if a == b else condition if a else z3.Not(condition)
        if not is_symbolic(a):
            return z3.Or(condition, b) if a else z3.And(z3.Not(condition), b)
        return z3.If(condition, _as_bool(a), _as_bool(b))
    if not is_symbolic(a) and not is_symbolic(b):
        if a == b:
            return a
        if width is None:
            raise TypeError(f"a choice between the plain numbers {a} and {b} needs their width")
        return z3.If(condition, z3.BitVecVal(a, width), z3.BitVecVal(b, width))
    if is_symbolic(a) and is_symbolic(b) and a.eq(b):
        return a
    return z3.If(condition, *_words(a, b))


def decided(condition: bool) -> bool:
    """Return a condition as a plain truth value, where it is the same for all values of what it is made of."""
    if not is_symbolic(condition):
        return condition
    simple = z3.simplify(condition)
    return True if z3.is_true(simple) else False if z3.is_false(simple) else condition


def alike(a: object, b: object) -> bool:
    """Say whether two values are written the same: one term, or one plain value of one type."""
    if is_symbolic(a) or is_symbolic(b):
        return is_symbolic(a) and is_symbolic(b) and bool(a.eq(b))  # type: ignore[attr-defined]
    return a is b or (type(a) is type(b) and a == b)


def same(a: Any, b: Any) -> bool:
    """Say whether two values of one shape are equal, field by field. Maps have no such answer: compare at a key."""
    if is_dataclass(a):
        return and_(*(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)))
    if isinstance(a, tuple):
        return and_(*(same(x, y) for x, y in zip(a, b, strict=True)))
    if isinstance(a, bool | z3.BoolRef):
        return iff(a, b)
    if a is b:
        return True
    if is_symbolic(a) or is_symbolic(b):
        x, y = _words(a, b)
        return x == y
    return a == b


def mapped(function: Callable[[Any], Any], value: V) -> V:
    """Return a value of the same shape with each scalar replaced by what `function` makes of it."""
    made: Any
    if is_dataclass(value):
        kind: Any = type(value)
        made = kind(*(mapped(function, getattr(value, f.name)) for f in fields(value)))
    elif isinstance(value, tuple):
        made = tuple(mapped(function, x) for x in value)
    else:
        made = function(value)
    return made


def fresh(kind: Any, name: str) -> Any:
    """Return an arbitrary value of an annotated type: Z3 constants named after the path to each scalar."""
    if kind is bool:
        return z3.Bool(name)
    width = _annotated_width(kind)
    if width is not None:
        return z3.BitVec(name, width)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind, include_extras=True)
        return kind(*(fresh(hints[f.name], f"{name}.{f.name}") for f in fields(kind)))
    for extra in get_args(kind)[1:]:
        if hasattr(extra, "fresh"):
            return extra.fresh(name)
    raise TypeError(f"{name}: no arbitrary value of {kind}")


def zeroed(kind: Any) -> Any:
    """Return the value of an annotated type of which every scalar is zero or False: what memory of kzalloc holds."""
    if kind is bool:
        return False
    if _annotated_width(kind) is not None:
        return 0
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind, include_extras=True)
        return kind(*(zeroed(hints[f.name]) for f in fields(kind)))
    for extra in get_args(kind)[1:]:
        if hasattr(extra, "zeroed"):
            return extra.zeroed()
    raise TypeError(f"no zero of {kind}")


def widths(kind: type) -> dict[str, int]:
    """Return the width in bits of each word field of a record type."""
    hints = get_type_hints(kind, include_extras=True)
    found = {f.name: _annotated_width(hints[f.name]) for f in fields(kind)}
    return {name: bits for name, bits in found.items() if bits is not None}


_WIDTHS: dict[type, dict[str, int]] = {}


def _width(kind: type, name: str) -> int | None:
    if kind not in _WIDTHS:
        _WIDTHS[kind] = widths(kind)
    return _WIDTHS[kind].get(name)


def _annotated_width(kind: Any) -> int | None:
    for extra in getattr(kind, "__metadata__", ()):
        if isinstance(extra, Width):
            return extra.bits
    return None


def _as_bool(a: Any) -> Any:
    return a if is_symbolic(a) else z3.BoolVal(bool(a))


def _words(a: Any, b: Any) -> tuple[Any, Any]:
    """Give both words the width of the wider one; a plain number is as wide as it needs to be."""
    bits = max(x.size() if is_symbolic(x) else int(x).bit_length() for x in (a, b))
    x, y = (widened(w, bits) if is_symbolic(w) else z3.BitVecVal(w, bits) for w in (a, b))
    return x, y
