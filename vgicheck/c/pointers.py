"""Where lvalues are, and what can be done with pointers: following, moving and comparing them.

The functions are the evaluator's: it is their first argument, and they make its claims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import z3

from ..engine.guards import FALSE, TRUE
from .domain import Address, Null, Opaque, is_null
from .ir import (
    Array,
    Binary,
    CType,
    Deref,
    Element,
    Global,
    Int,
    Limit,
    Loc,
    Local,
    LValue,
    Member,
    Pointer,
    StructRef,
    Unsupported,
    Void,
)
from .memory import INDEX

if TYPE_CHECKING:
    from .summary import Evaluator, State

UNSIGNED = Int(32, False)
LEAST = -(1 << 31)
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


def addresses(e: Evaluator, state: State, lvalue: LValue, followed: bool = True) -> list[tuple[int, Any]]:
    """List where an lvalue may be, with the guard of each place.

    One that is not `followed`, only pointed to, may be at no place at all, some bytes from the null pointer.
    """
    match lvalue:
        case Local(name):
            return [(TRUE, e.address_of(name))]
        case Global(name):
            return [(TRUE, Address(name))]
        case Member(base, _, name):
            return [(g, _within(a, name)) for g, a in addresses(e, state, base, followed)]
        case Element(base, index, loc):
            place = addresses(e, state, base, followed)
            at = e.index(state, e.settled(e.value(state, index), state, loc), index.type, loc)
            return [
                (e.guards.and_(g, h), _within(a, i))
                for g, a in place
                for h, i in e.domain.options(at, e.guards.and_(state.path, g))
            ]
        case Deref(pointer, loc):
            value = e.settled(e.value(state, pointer), state, loc)
            if state.path == FALSE:
                return []
            target = pointer.type
            assert isinstance(target, Pointer)
            return _pointees(e, state, value, target.target, loc, followed)
    raise Unsupported(f"lvalue {type(lvalue).__name__}")


def _pointees(e: Evaluator, state: State, value: Any, target: CType, loc: Loc, followed: bool) -> list[tuple[int, Any]]:
    options = e.domain.options(value, state.path)
    null = e.guards.any(g for g, v in options if is_null(v))
    if null != FALSE and followed:
        e.require(state, "no-undefined", e.guards.not_(null), loc, "dereference of a pointer that is not null")
    places = []
    for guard, v in options:
        if is_null(v):
            if not followed:
                places.append((guard, Opaque("NULL + 0") if isinstance(v, Null) else v))
            continue
        if isinstance(v, Opaque) and v.lost:
            raise Limit(f"dereference of {v.label}", loc)
        if not isinstance(v, Address):
            what = v.label if isinstance(v, Opaque) else "something that is no pointer"
            raise Unsupported(f"dereference of {what}, of which nothing is known", loc)
        _claim_alive(e, state, guard, v, loc)
        places.append((guard, seen_as(e, v, target, loc)))
    return places


def _claim_alive(e: Evaluator, state: State, guard: int, address: Address, loc: Loc) -> None:
    frame, separator, local = address.object.partition(":")
    if separator and not e.is_alive(address.object):
        text = f"{local} is not used after {frame}() returned"
        e.require(state, "no-undefined", e.guards.not_(guard), loc, text)
    elif separator:
        gone = e.guards.and_(guard, state.memory.expired(address.object))
        if gone != FALSE:
            text = f"{local} is not used after the block that declares it"
            e.require(state, "no-undefined", e.guards.not_(gone), loc, text)


def seen_as(e: Evaluator, address: Address, target: CType, loc: Loc) -> Address:
    """Return the address of the part that a pointer of another type points to: an object's first member."""
    kind = e.layout.place(address).type
    while not _compatible(kind, target):
        if isinstance(kind, StructRef) and e.program.structs[kind.tag].fields:
            first = e.program.structs[kind.tag].fields[0]
            address, kind = Address(address.object, (*address.path, first.name)), first.type
        elif isinstance(kind, Array):
            address, kind = Address(address.object, (*address.path, 0)), kind.element
        elif (
            isinstance(kind, Int)
            and isinstance(target, Int)
            and not (kind.is_bool or target.is_bool)
            and address.path
            and not isinstance(address.path[-1], str)
        ):
            return address
        else:
            raise Unsupported(f"{address} accessed through a pointer to another type", loc)
    return address


def computed(e: Evaluator, state: State, expr: Binary, left: Any, right: Any, kind: Pointer) -> Any:
    """Return what an operator makes of a pointer to the left: a truth value, or a pointer that is moved."""
    if expr.op in COMPARISONS:
        return _compared(e, state, expr, left, right)
    if isinstance(expr.right.type, Pointer):
        raise Unsupported("difference of two pointers")
    right_type = expr.right.type
    assert isinstance(right_type, Int)
    offset = _offset(e, state, right, right_type, expr)
    return e.domain.each(left, lambda pointer: _moved(e, state, pointer, offset, kind, expr.loc), state.path)


def _offset(e: Evaluator, state: State, moved_by: Any, kind: Int, expr: Binary) -> Any:
    """Return by how many elements a pointer is moved.

    Addresses of 32 bits wrap, as the kernel's flags define; whether one is followed is another question.  Of 64 bits
    only what fits in an index is looked at.
    """
    wide = e.program.pointer_bits > INDEX.bits
    offset = e.narrowed(state, moved_by, kind, expr.loc) if wide else e.domain.convert(moved_by, kind, INDEX)
    if expr.op == "+":
        return offset
    if wide:
        e.must_fit(state, e.guards.not_(e.domain.compare("==", offset, LEAST, INDEX)), expr.loc)
    return e.domain.unary("-", offset, INDEX)


def _moved(e: Evaluator, state: State, pointer: Any, offset: Any, kind: Pointer, loc: Loc) -> Any:
    if isinstance(offset, int) and offset == 0:
        return pointer
    if isinstance(pointer, Null | Opaque):
        label = pointer.label if isinstance(pointer, Opaque) else "NULL"
        moved = e.domain.binary("*", offset, _step(e, kind), INDEX, INDEX)
        return e.domain.each(moved, lambda o: Opaque(f"{label} + {_index(o)}"))
    if not isinstance(pointer, Address):
        raise Unsupported("arithmetic on a pointer to a function")
    if not pointer.path or isinstance(pointer.path[-1], str):
        raise Unsupported("arithmetic on a pointer that points into no array")
    place = e.layout.place(pointer)
    if _step(e, kind) != e.layout.size(place.type):
        raise Unsupported("pointer arithmetic in units that are not those of the array")
    from_, wide = pointer.path[-1], Int(e.program.pointer_bits, True)
    index = e.domain.binary("+", from_, offset, INDEX, INDEX)
    if wide != INDEX and not (isinstance(from_, int) and from_ == 0):
        a, b, sum_ = (e.domain.convert(i, INDEX, wide) for i in (from_, offset, index))
        e.must_fit(state, e.domain.compare("==", e.domain.binary("+", a, b, wide, wide), sum_, wide), loc)
    return e.domain.each(index, lambda i: Address(pointer.object, (*pointer.path[:-1], i)))


def _step(e: Evaluator, kind: Pointer) -> int:
    """Return the bytes by which adding 1 moves a pointer."""
    step = 1 if isinstance(kind.target, Void) else e.layout.size(kind.target)
    if not step:
        raise Unsupported("arithmetic on a pointer to a type that is not complete")
    return step


def _compared(e: Evaluator, state: State, expr: Binary, left: Any, right: Any) -> Any:
    if expr.op not in ("==", "!="):
        raise Unsupported("ordering of pointers")
    g = e.guards
    equal = FALSE
    for gl, a in e.domain.options(left, state.path):
        for gr, b in e.domain.options(right, state.path):
            both = g.and_(gl, gr)
            try:
                same = FALSE if both == FALSE else _same_place(e, state, both, a, b, expr.loc)
            except Unsupported:
                if e.feasible(g.term(g.and_(state.path, both))):
                    raise
                same = FALSE
            equal = g.or_(equal, g.and_(both, same))
    return e.domain.truth(equal if expr.op == "==" else g.not_(equal))


def _same_place(e: Evaluator, state: State, guard: int, a: Any, b: Any, loc: Loc) -> int:
    g = e.guards
    if isinstance(a, Null) or isinstance(b, Null):
        other = b if isinstance(a, Null) else a
        return g.not_(e.domain.is_true(other))
    if isinstance(a, Address) and isinstance(b, Address):
        if a.object != b.object:
            for end in (a, b):
                text = f"{end.object} compared with another object at a place inside it"
                inside = g.or_(g.not_(guard), _inside(e, end))
                e.claim_inside(state, inside, loc, end.object, text, "no-undefined")
            return FALSE
        if not _comparable_by_steps(e, a, b):
            x, y = (e.layout.offset(p, e.domain) for p in (a, b))
            return e.domain.compare("==", x, y, Int(e.program.pointer_bits, True))
        return g.all(
            (TRUE if x == y else FALSE)
            if isinstance(x, str) or isinstance(y, str)
            else e.domain.compare("==", x, y, INDEX)
            for x, y in zip(a.path, b.path, strict=True)
        )
    if any(isinstance(p, Opaque) and p.lost for p in (a, b)):
        raise Limit("comparison with a pointer that a loop changes", loc)
    if a == b and not (isinstance(a, Opaque) and a.label.startswith('"')):
        return TRUE
    if e.widening is not None and all(isinstance(p, Opaque) and _is_only_a_name(p) for p in (a, b)):
        return g.of(z3.Bool(" is ".join(sorted((a.label, b.label))).replace("|", "")))
    raise Unsupported("comparison with a pointer of which nothing is known")


def _is_only_a_name(pointer: Opaque) -> bool:
    """Say whether nothing is known of a pointer but what it is called: it is not to a literal, nor a moved one."""
    return not pointer.label.startswith('"') and " + " not in pointer.label


def _inside(e: Evaluator, address: Address) -> int:
    """Return the guard under which an address is that of something in its object, not of what lies behind it."""
    place = e.layout.place(address)
    return e.guards.all(
        e.domain.compare("<", e.domain.convert(i, INDEX, UNSIGNED), length, UNSIGNED)
        for i, length in zip(place.key, place.bounds, strict=True)
    )


def _comparable_by_steps(e: Evaluator, a: Address, b: Address) -> bool:
    """Say whether two addresses in one object are equal exactly if their steps are, one by one.

    Not so for the end of one row of a matrix and the start of the next.
    """
    if [type(s) is str and s for s in a.path] != [type(s) is str and s for s in b.path]:
        return False
    return sum(not isinstance(s, str) for s in a.path) < 2 or _inside(e, a) == _inside(e, b) == TRUE


def _compatible(kind: CType, target: CType) -> bool:
    if isinstance(kind, Int) and isinstance(target, Int):
        return kind.bits == target.bits and kind.is_bool == target.is_bool
    if isinstance(kind, Pointer) and isinstance(target, Pointer):
        return True
    return kind == target or isinstance(target, Void)


def _within(place: Any, step: Any) -> Any:
    """Return the part of a place that a member's name or an index leads to."""
    if isinstance(place, Address):
        return Address(place.object, (*place.path, step))
    return Opaque(f"{place.label}.{step}" if isinstance(step, str) else f"{place.label}[{_index(step)}]")


def _index(step: Any) -> str:
    return str(step) if isinstance(step, int) else str(step.sexpr())
