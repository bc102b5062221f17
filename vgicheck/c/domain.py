"""The values that C's scalars take while a function is evaluated.

An integer is a plain `int` in the range of its C type, or a Z3 bit-vector of its width.  A `Choice` is a set of guarded
alternatives: what a scalar is after control flow has joined.  Plain integers stay plain inside it, so that an
index, a flag or an
error code that took one of a few values is still known exactly.  The guards are decision diagrams of `engine.guards`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import z3

from ..engine.guards import FALSE, TRUE, Guards
from ..engine.maps import Map
from .ir import CType, Int, Pointer, Unsupported


@dataclass(frozen=True, slots=True)
class Address:
    """A place in an object: field names and indices from its root. An index is a plain number or a 32-bit term."""

    object: str
    path: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return self.object + "".join(f".{s}" if isinstance(s, str) else f"[{_short(s)}]" for s in self.path)


def _short(index: Any) -> str:
    """Write an index; a term that has no name in the source is left out, as it can take long to write."""
    if isinstance(index, int):
        return str(index)
    name = str(index) if index.num_args() == 0 else "!"
    return "..." if "!" in name or "#" in name else name


@dataclass(frozen=True, slots=True)
class Null:
    """The null pointer."""


@dataclass(frozen=True, slots=True)
class Uninitialised:
    """What a local holds before it is assigned."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A pointer of which nothing is known but where it came from. It can be passed on, not followed.

    `lost`: more could be known, but a loop was not followed that far.
    """

    label: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class FunctionPointer:
    """The address of a function."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """The first bit at or after `start` that is `wanted`, or `size`: what `find_next_bit` returns, not yet looked for.

    A loop over set bits runs once for each bit, under that bit, because the answer is kept in this form up to the
    loop's head.  `region` is the bitmap as it was when the search was asked for: `prefix` are the indices before the
    last, `offset` the bit at which the search counts from zero, `word` the width of the region's words, 0 where it is
    kept bit by bit.  The region may be a `single` word, which is no array.  Only a search from a plain bit can be
    looked for.  Where programs are compared, `told` is the same for two searches only if they find the same.
    """

    region: Map[Any]
    prefix: tuple[Any, ...]
    offset: int
    word: int
    start: Any
    size: Any
    type: Int
    wanted: bool = True
    single: bool = False
    told: Any = None

    def moved(self, start: int) -> Search:
        """Return the same search from another bit."""
        return replace(self, start=start)

    @property
    def first(self) -> int:
        """The bit to look at first. Raises `Unsupported` where it is not known exactly."""
        if not isinstance(self.start, int):
            raise Unsupported("a bit search from a bit that is not known exactly")
        return self.start


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Guarded alternatives; the guards exclude each other. Only a few are terms: more are folded into one."""

    options: tuple[tuple[int, Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """The value of a whole struct: that of each scalar in it, by the names and indices that lead to it."""

    leaves: Mapping[tuple[Any, ...], Any]


NULL = Null()
UNINITIALISED = Uninitialised()
MOST_OPTIONS = 260
MOST_TERMS = 4
MANY = 16
"""Numbers that a word put together of bits may be, before it becomes a term."""


class Domain:
    """Operations on values, over one table of guards."""

    def __init__(self, guards: Guards) -> None:
        self.guards = guards

    # Choices ------------------------------------------------------------------------------------

    def options(self, value: Any, under: int = TRUE) -> list[tuple[int, Any]]:
        """List the alternatives of a value that are possible under a guard."""
        if not isinstance(value, Choice):
            return [(TRUE, value)]
        return [(g, v) for g, v in value.options if self.guards.and_(g, under) != FALSE]

    def choice(self, options: Iterable[tuple[int, Any]]) -> Any:
        """Return the value that is v wherever g, for each (g, v). The guards exclude each other."""
        flat: dict[object, tuple[int, Any]] = {}
        structs: list[tuple[int, Aggregate]] = []
        for guard, value in options:
            for inner, v in value.options if isinstance(value, Choice) else ((TRUE, value),):
                both = self.guards.and_(guard, inner)
                if both == FALSE:
                    continue
                if isinstance(v, Aggregate):
                    structs.append((both, v))
                    continue
                key = _identity(v)
                flat[key] = (self.guards.or_(flat[key][0], both), v) if key in flat else (both, v)
        if structs:
            flat[Aggregate] = self.guards.any(g for g, _ in structs), self._merged(structs)
        if len(flat) == 1:
            return next(iter(flat.values()))[1]
        terms = [(g, v) for g, v in flat.values() if isinstance(v, z3.ExprRef)]
        others = [(g, v) for g, v in flat.values() if not isinstance(v, z3.ExprRef)]
        if terms and len(others) > 1 and all(isinstance(v, int) for _, v in others) and len(flat) > MOST_OPTIONS:
            others, terms = [], terms + [(g, z3.BitVecVal(v, terms[0][1].size())) for g, v in others]
        if len(terms) > MOST_TERMS:
            covered = self.guards.any(g for g, _ in terms)
            terms = [(covered, self._folded(terms, covered))]
        others += terms
        return others[0][1] if len(others) == 1 else Choice(tuple(others))

    def _merged(self, structs: Sequence[tuple[int, Aggregate]]) -> Aggregate:
        """Return one struct of which each scalar is a choice."""
        if len(structs) == 1:
            return structs[0][1]
        return Aggregate({path: self.choice((g, v.leaves[path]) for g, v in structs) for path in structs[0][1].leaves})

    def _folded(self, terms: Sequence[tuple[int, Any]], covered: int) -> Any:
        result = terms[-1][1]
        for guard, term in terms[-2::-1]:
            condition = self.guards.term(self.guards.constrain(guard, covered))
            result = z3.If(condition, term, result)
        return result

    def choose(self, condition: Any, a: Any, b: Any, width: int | None = None) -> Any:
        """Choose between two payloads of a map; bits of a bitmap are truth values and stay so."""
        if isinstance(a, bool | z3.BoolRef):
            g = self.guards
            return g.term(g.ite(g.of(condition), g.of(a), g.of(b)))
        guard = self.guards.of(condition)
        return self.choice(((guard, a), (self.guards.not_(guard), b)))

    def each(self, value: Any, function: Callable[[Any], Any], under: int = TRUE) -> Any:
        """Apply a function to every alternative."""
        if not isinstance(value, Choice):
            return function(value)
        return self.choice([(g, function(v)) for g, v in self.options(value, under)])

    def truth(self, guard: int) -> Any:
        """Return the `int` 1 where a guard holds and 0 elsewhere."""
        return self.choice(((guard, 1), (self.guards.not_(guard), 0)))

    def search_hit(self, search: Search) -> int:
        """Return the guard under which the bit at the start of a search is one that it wants."""
        position = search.offset + search.start
        if search.word:
            key = () if search.single else (*search.prefix, position // search.word)
            found = self.bit_of(search.region[key], position % search.word)
        else:
            found = self.guards.of(search.region[(*search.prefix, position)])
        return found if search.wanted else self.guards.not_(found)

    def bit_of(self, value: Any, index: int) -> int:
        """Return the guard under which one bit of an integer is set."""
        g = self.guards
        for _, v in self.options(value):
            if not isinstance(v, int | z3.ExprRef):
                raise Unsupported(f"{_kind(v)} where a number is needed")
        return g.any(
            g.and_(guard, g.of(bool(v >> index & 1) if isinstance(v, int) else
                               z3.simplify(z3.Extract(index, index, v) == 1)))
            for guard, v in self.options(value)
        )  # fmt: skip

    # Words --------------------------------------------------------------------------------------

    def word(self, value: Any, bits: int) -> Any:
        """Return an integer value as one plain number or one term."""
        if isinstance(value, int):
            return value
        if isinstance(value, z3.ExprRef):
            return value
        if isinstance(value, Choice):
            flat = [(g, self.word(v, bits)) for g, v in value.options]
            if not flat:
                return 0
            return self._folded([(g, z3.BitVecVal(v, bits) if isinstance(v, int) else v) for g, v in flat], TRUE)
        raise Unsupported(f"{_kind(value)} where a number is needed")

    def is_true(self, value: Any) -> int:
        """Return the guard under which a scalar is not zero."""
        g = self.guards
        if isinstance(value, Choice):
            return g.any(g.and_(guard, self.is_true(v)) for guard, v in value.options)
        if isinstance(value, int):
            return TRUE if value else FALSE
        if isinstance(value, Null):
            return FALSE
        if isinstance(value, Address | FunctionPointer):
            return TRUE
        if isinstance(value, Opaque):
            return TRUE if value.label.startswith('"') else g.of(z3.Bool(f"{value.label} != NULL".replace("|", "")))
        if isinstance(value, z3.ExprRef):
            return g.of(z3.Not(decided(value == 0)))
        raise Unsupported(f"{_kind(value)} used as a condition")

    def convert(self, value: Any, source: CType, target: CType) -> Any:
        """Convert between scalar types as C does on the target."""
        if isinstance(target, Pointer) or isinstance(source, Pointer):
            return self._convert_pointer(value, source, target)
        if not isinstance(source, Int) or not isinstance(target, Int):
            return value
        if target.is_bool:
            return value if source.is_bool else self.truth(self.is_true(value))
        if source == target or (source.bits == target.bits and isinstance(value, z3.ExprRef)):
            return value
        return self.each(value, lambda v: _resized(v, source, target))

    def _convert_pointer(self, value: Any, source: CType, target: CType) -> Any:
        if isinstance(target, Pointer) and isinstance(source, Pointer):
            return value
        if isinstance(target, Int) and target.is_bool:
            return self.truth(self.is_true(value))
        if isinstance(target, Pointer) and isinstance(value, int) and value == 0:
            return NULL
        if isinstance(target, Int) and isinstance(value, Null):
            return 0
        raise Unsupported("conversion between pointer and integer")

    def unary(self, op: str, value: Any, kind: Int) -> Any:
        """`-` and `~` of a promoted integer."""
        if op == "!":
            return self.truth(self.guards.not_(self.is_true(value)))
        return self.each(value, lambda v: _negated(op, v, kind))

    def binary(self, op: str, a: Any, b: Any, kind: Int, right: Int) -> Any:
        """An arithmetic operator over integers of type `kind`; the right operand of a shift has its own type.

        What was put together of many bits, each there or not, is one term, not an alternative for each set of them.
        """
        found = self._binary(op, a, b, kind, right)
        return self.word(found, kind.bits) if op == "|" and _many_numbers(found) else found

    def _binary(self, op: str, a: Any, b: Any, kind: Int, right: Int) -> Any:
        if isinstance(a, Choice) and isinstance(b, Choice):
            if len(a.options) * len(b.options) > MOST_OPTIONS:
                a = self.word(a, kind.bits)
            else:
                return self.choice(
                    [
                        (self.guards.and_(g, h), _arithmetic(op, x, y, kind, right))
                        for g, x in a.options
                        for h, y in b.options
                        if self.guards.and_(g, h) != FALSE
                    ]
                )
        if isinstance(b, Choice):
            return self.each(b, lambda y: _arithmetic(op, a, y, kind, right))
        return self.each(a, lambda x: _arithmetic(op, x, b, kind, right))

    def compare(self, op: str, a: Any, b: Any, kind: Int) -> int:
        """Return the guard under which a comparison of integers of one type holds."""
        g = self.guards
        return g.any(
            g.and_(g.and_(ga, gb), g.of(_compared(op, x, y, kind)))
            for ga, x in self.options(a)
            for gb, y in self.options(b)
            if g.and_(ga, gb) != FALSE
        )


def _many_numbers(value: Any) -> bool:
    return isinstance(value, Choice) and len(value.options) > MANY and all(isinstance(v, int) for _, v in value.options)


def is_null(pointer: Any) -> bool:
    """Say whether a pointer is null, or was made from the null pointer by adding to it: it may not be followed."""
    return isinstance(pointer, Null) or (isinstance(pointer, Opaque) and pointer.label.startswith("NULL + "))


def wrap(value: int, kind: Int) -> int:
    """Reduce a number into the range of a type."""
    value &= (1 << kind.bits) - 1
    return value - (1 << kind.bits) if kind.signed and value >> (kind.bits - 1) else value


def _resized(value: Any, source: Int, target: Int) -> Any:
    if isinstance(value, int):
        return wrap(value, target)
    if not isinstance(value, z3.ExprRef):
        return value
    if target.bits < source.bits:
        return z3.Extract(target.bits - 1, 0, value)
    extra = target.bits - source.bits
    return (z3.SignExt if source.signed else z3.ZeroExt)(extra, value) if extra else value


def _arithmetic(op: str, a: Any, b: Any, kind: Int, right: Int) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        return wrap(_plain(op, a, b), kind)
    if not (isinstance(a, int | z3.ExprRef) and isinstance(b, int | z3.ExprRef)):
        raise Unsupported(f"arithmetic on {_kind(b if isinstance(a, int | z3.ExprRef) else a)}")
    if op in ("+", "-"):
        ended = _shifted_ending(op, a, b)
        if ended is not None:
            return ended
    if op in ("<<", ">>") and isinstance(b, z3.ExprRef) and right.bits != kind.bits:
        b = _resized(b, right, kind)
    x = z3.BitVecVal(a, kind.bits) if isinstance(a, int) else a
    y = z3.BitVecVal(b, kind.bits) if isinstance(b, int) else b
    return _SYMBOLIC[(op, kind.signed)](x, y)


def _negated(op: str, value: Any, kind: Int) -> Any:
    if isinstance(value, int):
        return wrap(-value if op == "-" else ~value, kind)
    if not isinstance(value, z3.ExprRef):
        raise Unsupported(f"arithmetic on {_kind(value)}")
    if op == "~":
        return ~value
    high, low = _ending(value)
    return z3.Concat(~high, -low) if low is not None and low.as_long() else -value


def lowest_first(value: Any) -> tuple[int, Any]:
    """Return how many of a word's lowest bits are known to be 0, and the word written so that this shows."""
    bits = value.size()
    count = next((i for i in range(bits) if not _known_zero(value, i)), bits)
    return count, with_ending(value, count, 0)


def with_ending(value: Any, count: int, ending: int) -> Any:
    """Return a word with its lowest `count` bits replaced by those of a number."""
    if count == 0:
        return value
    if count == value.size():
        return z3.BitVecVal(ending, count)
    return z3.Concat(z3.simplify(z3.Extract(value.size() - 1, count, value)), z3.BitVecVal(ending, count))


def highest_first(value: Any) -> tuple[int, Any]:
    """Return how many of a word's highest bits are known to be 0, and the word written so that this shows."""
    bits = value.size()
    count = next((i for i in range(bits) if not _known_zero(value, bits - 1 - i)), bits)
    return count, with_beginning(value, count, 0)


def with_beginning(value: Any, count: int, beginning: int) -> Any:
    """Return a word with its highest `count` bits replaced by those of a number."""
    if count == 0:
        return value
    if count == value.size():
        return z3.BitVecVal(beginning, count)
    return z3.Concat(z3.BitVecVal(beginning, count), z3.simplify(z3.Extract(value.size() - 1 - count, 0, value)))


def _known_zero(value: Any, index: int) -> bool:
    bit = z3.simplify(z3.Extract(index, index, value))
    return z3.is_bv_value(bit) and bit.as_long() == 0


def _shifted_ending(op: str, value: Any, amount: Any) -> Any:
    """Add a number to a word, or subtract it, where that changes only low bits that are known; else return None."""
    high, low = _ending(value)
    if low is None or not isinstance(amount, int):
        return None
    result = low.as_long() + amount if op == "+" else low.as_long() - amount
    return z3.Concat(high, z3.BitVecVal(result, low.size())) if 0 <= result < 1 << low.size() else None


def _ending(value: Any) -> tuple[Any, Any]:
    """Split a word that ends in known bits into the rest and those; the latter are None of any other word.

    Words of this form come from loops that take one set bit after the other out of a word.
    """
    if z3.is_app(value) and value.decl().kind() == z3.Z3_OP_CONCAT and value.num_args() == 2:
        high, low = value.children()
        if z3.is_bv_value(low):
            return high, low
    return value, None


def _plain(op: str, a: int, b: int) -> int:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "&":
            return a & b
        case "|":
            return a | b
        case "^":
            return a ^ b
        case "<<":
            return a << b if 0 <= b < 64 else 0
        case ">>":
            return a >> b if 0 <= b < 64 else 0
        case "/" | "%":
            if b == 0:
                return 0
            quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            return quotient if op == "/" else a - quotient * b
    raise Unsupported(f"operator {op}")


_BOTH: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "&": lambda x, y: x & y,
    "|": lambda x, y: x | y,
    "^": lambda x, y: x ^ y,
    "<<": lambda x, y: x << y,
}
_SYMBOLIC: dict[tuple[str, bool], Callable[[Any, Any], Any]] = {
    **{(op, signed): f for op, f in _BOTH.items() for signed in (False, True)},
    (">>", True): lambda x, y: x >> y,
    (">>", False): z3.LShR,
    ("/", True): lambda x, y: x / y,
    ("/", False): z3.UDiv,
    ("%", True): z3.SRem,
    ("%", False): z3.URem,
}


def _compared(op: str, a: Any, b: Any, kind: Int) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        return {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
    if not (isinstance(a, int | z3.ExprRef) and isinstance(b, int | z3.ExprRef)):
        raise Unsupported(f"comparison of {_kind(b if isinstance(a, int | z3.ExprRef) else a)}")
    x = z3.BitVecVal(a, kind.bits) if isinstance(a, int) else a
    y = z3.BitVecVal(b, kind.bits) if isinstance(b, int) else b
    # One atom for `<` and one for `==`, negated as need be: `i < n` and `n <= i` must be seen to exclude each other.
    match op:
        case "==":
            return decided(x == y)
        case "!=":
            return z3.Not(decided(x == y))
        case "<":
            return _below(x, y, kind)
        case ">":
            return _below(y, x, kind)
        case "<=":
            return z3.Not(_below(y, x, kind))
        case _:
            return z3.Not(_below(x, y, kind))


def _below(x: Any, y: Any, kind: Int) -> Any:
    return decided(x < y if kind.signed else z3.ULT(x, y))


def decided(term: Any) -> Any:
    """Return true or false where simplification decides a truth value, else the term as it is, which stays one atom."""
    simple = z3.simplify(term)
    return simple if z3.is_true(simple) or z3.is_false(simple) else term


def _identity(value: Any) -> object:
    if isinstance(value, z3.ExprRef):
        return ("term", value.get_id())
    if isinstance(value, Address):
        return ("address", value.object, tuple(_identity(s) for s in value.path))
    if isinstance(value, Search | Choice):
        return ("object", id(value))
    return (type(value).__name__, value)


def _kind(value: Any) -> str:
    return {
        Null: "a null pointer",
        Address: "a pointer",
        Opaque: "a pointer of which nothing is known",
        FunctionPointer: "the address of a function",
        Uninitialised: "an uninitialised value",
        Search: "a bit search",
    }.get(type(value), type(value).__name__)
