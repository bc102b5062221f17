"""Operations on values read the same over plain numbers and over terms."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import z3

from vgicheck.engine import values
from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import (
    Width,
    and_,
    fresh,
    iff,
    implies,
    is_symbolic,
    ite,
    mapped,
    not_,
    or_,
    same,
    zeroed,
)

WORDS = (0, 1, 2, 5, 7, 8, 14, 15)
X, Y = z3.BitVec("x", 4), z3.BitVec("y", 4)
P, Q = z3.Bools("p q")


def number(term: Any, x: int = 0, y: int = 0, p: bool = False, q: bool = False) -> Any:
    """The plain value of a term for given values of its constants."""
    if not is_symbolic(term):
        return term
    value = z3.simplify(
        z3.substitute(term, (X, z3.BitVecVal(x, 4)), (Y, z3.BitVecVal(y, 4)), (P, z3.BoolVal(p)), (Q, z3.BoolVal(q)))
    )
    return z3.is_true(value) if z3.is_bool(value) else value.as_long()


OF_WORDS: dict[str, Callable[[Any, Any], Any]] = {
    "lt": values.lt,
    "le": values.le,
    "same": same,
    "bit": lambda a, b: values.bit(a, 2),
    "field_of": lambda a, b: values.field_of(b, 2, 1),
    "widened": lambda a, b: values.widened(a, 9),
    "concat": lambda a, b: values.concat((a, 4), (b, 4)),
    "concat of one": lambda a, b: values.concat((b, 4)),
    "ite": lambda a, b: ite(values.lt(a, b), a, b, width=4),
    "ite of numbers": lambda a, b: ite(values.lt(a, b), 3, 12, width=4),
    "flag": lambda a, b: values.flag(values.le(b, a)),
    "any_of": lambda a, b: values.any_of((1, 5, 8), lambda k: same(a, k)),
    "all_of": lambda a, b: values.all_of((1, 5), lambda k: values.le(k, a)),
}


@pytest.mark.parametrize("name", OF_WORDS)
@pytest.mark.parametrize("which", ["left", "right", "both"])
def test_word_operations_read_alike(name: str, which: str) -> None:
    """An operation with terms in either seat, or both, means what it means on numbers."""
    operation = OF_WORDS[name]
    for a, b in itertools.product(WORDS, repeat=2):
        term = operation(X if which != "right" else a, Y if which != "left" else b)
        assert number(term, a, b) == operation(a, b)


OF_TRUTHS: dict[str, Callable[[Any, Any], Any]] = {
    "not": lambda a, b: not_(a),
    "and": and_,
    "or": or_,
    "implies": implies,
    "iff": iff,
    "same": same,
    "ite": lambda a, b: ite(a, b, not_(b)),
    "ite, left plain": lambda a, b: ite(a, True, b),
    "ite, right plain": lambda a, b: ite(a, b, True),
    "ite, left false": lambda a, b: ite(a, False, b),
    "ite of truths": lambda a, b: ite(a, False, True),
    "three": lambda a, b: or_(and_(a, b, True), and_(), or_()),
}


@pytest.mark.parametrize("name", OF_TRUTHS)
@pytest.mark.parametrize("which", ["left", "right", "both"])
def test_truth_operations_read_alike(name: str, which: str) -> None:
    """A connective with terms in either seat, or both, has the truth table that it has on plain truth values."""
    operation = OF_TRUTHS[name]
    for a, b in itertools.product((False, True), repeat=2):
        term = operation(P if which != "right" else a, Q if which != "left" else b)
        assert number(term, p=a, q=b) == operation(a, b)


def test_comparisons_are_unsigned_at_every_width() -> None:
    """A plain number that is wider than the term it is compared with is not cut."""
    for a in WORDS:
        assert (number(values.lt(X, 16), a), number(values.lt(20, X), a)) == (True, False)
        assert (number(values.le(X, 31), a), number(same(X, a + 16), a)) == (True, False)


@dataclass(frozen=True, slots=True)
class Inner:
    """A record in a record."""

    flag: bool
    word: Annotated[int, Width(3)]


@dataclass(frozen=True, slots=True)
class Outer:
    """A record with a word, a record and a pair."""

    word: Annotated[int, Width(4)]
    inner: Inner
    pair: tuple[int, bool]


def record(word: Any, flag: Any) -> Outer:
    """A record of which parts may be terms."""
    return Outer(word, Inner(flag, 2), (word, flag))


def test_records_are_chosen_and_compared_field_by_field() -> None:
    """`ite` and `same` go through records and tuples, and know the widths of plain fields."""
    chosen = ite(P, record(X, True), record(9, Q))
    for x, p, q in itertools.product((3, 9), (False, True), (False, True)):
        expected = record(x, True) if p else record(9, q)
        assert mapped(lambda part: number(part, x, p=p, q=q), chosen) == expected
        assert number(same(chosen, record(9, False)), x, p=p, q=q) == (expected == record(9, False))


def test_a_choice_between_plain_numbers_needs_a_width() -> None:
    """Where no width is known a symbolic choice between two numbers is refused with both."""
    with pytest.raises(TypeError, match="3 and 4"):
        ite(P, 3, 4)


def test_arbitrary_records_have_named_constants() -> None:
    """Each scalar of an arbitrary record is a constant named after its path, as wide as its annotation says."""
    inner = fresh(Inner, "here")
    assert (str(inner.flag), str(inner.word), inner.word.size()) == ("here.flag", "here.word", 3)
    with pytest.raises(TypeError, match="here"):
        fresh(str, "here")


def test_zeroed_memory() -> None:
    """Each scalar of zeroed memory is zero or False, at every key of its maps too; what is no record of such has none."""
    assert zeroed(Inner) == Inner(False, 0)
    cells = zeroed(Annotated[Map[Inner], MapOf((3,), Inner)])
    assert cells[0] == cells[X] == Inner(False, 0)
    assert zeroed(Annotated[Map[int], MapOf((3,), Annotated[int, Width(4)])]).set(X, 9)[Y].size() == 4
    with pytest.raises(TypeError, match="zero"):
        zeroed(str)


def test_a_word_is_glued_at_its_own_width() -> None:
    """A symbolic word that is said to have another width is refused, alone and among others."""
    for parts in ([(X, 5)], [(1, 2), (X, 3)], [(X, 4), (Y, 3)]):
        with pytest.raises(ValueError, match="a word of 4 bits"):
            values.concat(*parts)
