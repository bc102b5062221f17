"""Words seen through pointers to words of another width.

The functions are the evaluator's: it is their first argument, and they make its claims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .domain import Address
from .ir import CType, Int, Loc, bits_of
from .memory import INDEX

if TYPE_CHECKING:
    from .summary import Evaluator, State


def read(e: Evaluator, state: State, address: Address, kind: CType, guard: int, loc: Loc) -> Any:
    """Return a word that is read from words of another width: part of one, or some put together."""
    assert isinstance(kind, Int)
    inner = Int(bits_of(e.layout.place(address).type), False)
    plain = Int(kind.bits, False)
    if inner.bits > kind.bits:
        value = _unsigned(e, state, address, loc)
        return e.domain.convert(e.domain.convert(value, inner, plain), plain, kind)
    total: Any = 0
    for n, part in enumerate(_neighbours(e, state, address, kind, guard, loc)):
        wide = e.domain.convert(_unsigned(e, state, part, loc), inner, plain)
        shifted = e.domain.binary("<<", wide, n * inner.bits, plain, plain)
        total = e.domain.binary("|", total, shifted, plain, plain)
    return e.domain.convert(total, plain, kind)


def write(e: Evaluator, state: State, address: Address, value: Any, kind: CType, guard: int, loc: Loc) -> None:
    """Write a word into words of another width, where a guard holds."""
    found = e.layout.place(address).type
    assert isinstance(kind, Int) and isinstance(found, Int)
    plain, inner = Int(kind.bits, False), Int(found.bits, False)
    value = e.domain.convert(value, kind, plain)
    if inner.bits > kind.bits:
        old = _unsigned(e, state, address, loc)
        kept = e.domain.binary("&", old, ~((1 << kind.bits) - 1) & ((1 << inner.bits) - 1), inner, inner)
        new = e.domain.binary("|", kept, e.domain.convert(value, plain, inner), inner, inner)
        e.located(loc, state.memory.store, address, e.domain.convert(new, inner, found), guard)
        return
    for n, part in enumerate(_neighbours(e, state, address, kind, guard, loc)):
        shifted = e.domain.binary(">>", value, n * inner.bits, plain, plain)
        stored = e.domain.convert(e.domain.convert(shifted, plain, inner), inner, found)
        e.located(loc, state.memory.store, part, stored, guard)


def _neighbours(e: Evaluator, state: State, address: Address, kind: CType, guard: int, loc: Loc) -> list[Address]:
    """List the elements of an array that a wider integer covers, the lowest bits first.

    That the first of them is at a multiple of the integer's width is claimed: misaligned accesses are undefined.
    """
    inner, last = bits_of(e.layout.place(address).type), address.path[-1]
    count = bits_of(kind) // inner
    low = e.domain.binary("&", last, count - 1, INDEX, INDEX)
    aligned = e.domain.compare("==", low, 0, INDEX)
    claimed = e.guards.or_(e.guards.not_(guard), aligned)
    e.require(state, "no-undefined", claimed, loc, f"a word of {bits_of(kind)} bits is aligned")
    found = []
    for n in range(count):
        index = e.domain.binary("+", last, n, INDEX, INDEX)
        found.append(Address(address.object, (*address.path[:-1], index)))
        e.claim_bounds(state, guard, found[-1], loc)
    return found


def _unsigned(e: Evaluator, state: State, address: Address, loc: Loc) -> Any:
    value = e.settled(e.located(loc, state.memory.load, address), state, loc)
    found = e.layout.place(address).type
    assert isinstance(found, Int)
    return e.domain.convert(value, found, Int(found.bits, False))
