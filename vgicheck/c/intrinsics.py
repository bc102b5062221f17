"""Functions whose meaning is given here and not in C: bit operations, device registers, the checks of the stubs.

The kernel's bit operations are atomic; run in one go they are plain reads and writes.  `readl` and `writel` reach
the device
registers of the object that their address points into, a byte array of the stubs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import z3

from ..engine.guards import FALSE, TRUE
from ..engine.values import widened
from .domain import Address, Opaque, Search, is_null
from .effects import NOBODY, contents
from .ir import U32, Call, Int, Loc, StringLiteral, StructRef, Unsupported, bits_of
from .memory import INDEX, Place
from .summary import Evaluator, Intrinsic, State

WORD = 32


def bitmaps(e: Evaluator, state: State, pointer: Any, call: Call) -> list[tuple[int, Place, Any, Any]]:
    """List the bitmaps that a pointer may lead to: guard, place, first bit, and the bits from there to its end.

    The latter two are 32-bit terms where it leads to a word that is not known exactly; that there is one is claimed.
    """
    found = []
    null = e.guards.any(g for g, v in e.domain.options(pointer, state.path) if is_null(v))
    if null != FALSE:
        e.require(state, "no-undefined", e.guards.not_(null), call.loc, "a bitmap that is not null")
    for guard, address in e.domain.options(pointer, state.path):
        if is_null(address):
            continue
        if not isinstance(address, Address):
            raise Unsupported("a bit operation on a pointer of which nothing is known", call.loc)
        place = e.layout.place(address)
        if not isinstance(place.type, Int) or place.type.bits not in (WORD, 2 * WORD):
            raise Unsupported("a bit operation on something that is not made of words of 32 or 64 bits", call.loc)
        if place.type.bits < e.program.pointer_bits:
            raise Unsupported("a bit operation on words that are narrower than a long", call.loc)
        if not place.bounds:
            place = Place(place.region, (0,), place.type, (1,), object=place.object)
        known = isinstance(place.key[-1], int)
        checked = len(place.key) - 1 if known else len(place.key)
        for index, length in zip(place.key[:checked], place.bounds[:checked], strict=True):
            e.claim_below(state, guard, index, length, call.loc, address, at=address)
        width = bits_of(place.type)
        found.append((guard, place, place.key[-1] * width, (place.bounds[-1] - place.key[-1]) * width))
    return found


def _claim_bit(e: Evaluator, state: State, guard: int, number: Any, bits: Any, place: Place, loc: Loc) -> None:
    """Claim that a bit is one of those that there are."""
    if isinstance(bits, int):
        e.claim_below(state, guard, number, bits, loc, Address(place.object), f"{place.region} (bits)")
        return
    unsigned, g = Int(WORD, False), e.guards
    inside = e.domain.compare("<", e.domain.convert(number, INDEX, unsigned), bits, unsigned)
    text = f"a bit within {place.region.removesuffix('[]')}"
    e.claim_inside(state, g.or_(g.not_(guard), inside), loc, place.object, text)


def is_scalar(place: Place) -> bool:
    """Say whether a place is a single word: a bitmap of 32 bits that is no array."""
    return not place.region.endswith("[]")


def _read_bit(e: Evaluator, state: State, place: Place, position: Any, loc: Loc) -> int:
    region = state.memory.region(place)
    if place.bitmap:
        return e.guards.of(_simplified(region[(*place.key[:-1], position)]))
    width = bits_of(place.type)
    if isinstance(position, int):
        key = () if is_scalar(place) else (*place.key[:-1], position // width)
        return e.domain.bit_of(e.settled(region[key], state, loc), position % width)
    key = () if is_scalar(place) else (*place.key[:-1], z3.LShR(position, width.bit_length() - 1))
    word = e.domain.word(e.settled(region[key], state, loc), width)
    shifted = z3.LShR(z3.BitVecVal(word, width) if isinstance(word, int) else word, _within(position, width))
    return e.guards.of(z3.simplify(z3.Extract(0, 0, shifted) == 1))


def _within(position: Any, width: int) -> Any:
    """Return where in its word a bit is, as wide as the word. A word of 64 bits is two longs, the lower one first."""
    return widened(position & (width - 1), width)


def _write_bit(e: Evaluator, state: State, place: Place, position: Any, value: Any, guard: int, loc: Loc) -> None:
    if place.bitmap:
        state.memory.set_bit(place, position, value, guard)
        return
    assert isinstance(place.type, Int)
    width, plain = place.type.bits, isinstance(position, int)
    kind, ones = Int(width, False), (1 << width) - 1
    index = position // width if plain else z3.LShR(position, width.bit_length() - 1)
    bit = 1 << (position % width) if plain else z3.BitVecVal(1, width) << _within(position, width)
    key = () if is_scalar(place) else (*place.key[:-1], index)
    region = state.memory.region(place)
    # One term, not alternatives: what 64 conditional writes leave of a word must stay one chain of choices.
    old = e.domain.word(e.domain.convert(e.settled(region[key], state, loc), place.type, kind), width)
    raised = e.domain.binary("|", old, bit, kind, kind)
    cleared = e.domain.binary("&", old, ~bit & ones if plain else ~bit, kind, kind)
    new = e.domain.choose(value, raised, cleared)
    state.memory.put(place, key, e.domain.convert(new, kind, place.type), guard)


def _simplified(value: Any) -> Any:
    return z3.simplify(value) if isinstance(value, z3.ExprRef) else value


def _bit_operation(read: bool, write: bool | None, change: bool = False) -> Intrinsic:
    """Make test_bit, set_bit, clear_bit, change_bit and their test_and_ forms: (nr, bitmap)."""

    def run(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
        number = e.index(state, args[0], call.args[0].type, call.loc)
        g = e.guards
        hits = []
        for guard, place, first, bits in bitmaps(e, state, args[1], call):
            for chosen, n in e.domain.options(number, state.path):
                both = g.and_(guard, chosen)
                if g.and_(both, state.path) == FALSE:
                    continue
                _claim_bit(e, state, both, n, bits, place, call.loc)
                position = n if isinstance(first, int) and not first else n + first
                old = _read_bit(e, state, place, position, call.loc) if read or change else FALSE
                hits.append((both, old))
                new = g.term(g.not_(old)) if change else write
                if new is not None:
                    _write_bit(e, state, place, position, new, both, call.loc)
        return e.domain.truth(g.any(g.and_(guard, bit) for guard, bit in hits)) if read else 0

    return run


def _find_bit(has_start: bool, wanted: bool) -> Intrinsic:
    """Make find_first_bit(bitmap, size), find_next_bit(bitmap, size, start) and their zero-bit twins."""

    def run(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
        result = call.type if isinstance(call.type, Int) else INDEX
        size = e.domain.word(e.index(state, args[1], call.args[1].type, call.loc), WORD)
        start = _start(e, state, args[2], call) if has_start else 0
        places = bitmaps(e, state, args[0], call)
        if len(places) != 1:
            raise Unsupported("a bit search in one of several bitmaps", call.loc)
        _, place, first, bits = places[0]
        unsigned = Int(WORD, False)
        holds = e.domain.compare("<=", size, bits, unsigned)
        text = f"a search of at most the {bits} bits of {place.region}"
        e.claim_inside(state, holds, call.loc, place.object, text)
        if e.widening is not None:
            return _somewhere(e, state, place, start, size, wanted, call.loc)
        region = state.memory.region(place)
        word = 0 if place.bitmap else bits_of(place.type)
        if not isinstance(first, int) or (word > WORD and e.standins is not None):
            raise Unsupported("all answers of a bit search from an unknown word, or in words of 64 bits", call.loc)

        def searched(at: Any) -> Any:
            if isinstance(at, int) and at < 0:
                raise Unsupported("a bit search from a negative bit", call.loc)
            kind = result if result.bits == WORD else INDEX
            told = None if e.standins is None else contents(e, state, place.region)
            return Search(region, place.key[:-1], first, word, at, size, kind, wanted, is_scalar(place), told)

        options = e.domain.options(start, state.path)
        if len(options) == 1:
            return searched(options[0][1])
        return e.domain.choice([(g, e.resolved(searched(at))) for g, at in options])

    return run


def _start(e: Evaluator, state: State, value: Any, call: Call) -> Any:
    kind = call.args[2].type
    if isinstance(kind, Int) and kind.bits > WORD:
        return e.narrowed(state, value, kind, call.loc)
    return e.domain.convert(value, kind, INDEX)


def _somewhere(e: Evaluator, state: State, place: Place, start: Any, size: Any, wanted: bool, loc: Loc) -> Any:
    """Return an arbitrary bit from `start` on that is as wanted, or `size`; the path goes on only where it is that."""
    unsigned, g = Int(WORD, False), e.guards
    assert e.widening is not None
    found = e.widening.fresh("bit", WORD)
    inside = g.and_(
        e.domain.compare("<", found, size, unsigned),
        g.not_(e.domain.compare("<", found, e.domain.word(start, WORD), unsigned)),
    )
    first = place.key[-1] * bits_of(place.type)
    bit = _read_bit(e, state, place, found + first if first else found, loc)
    hit = g.and_(inside, bit if wanted else g.not_(bit))
    state.path = g.and_(state.path, g.or_(hit, e.domain.compare("==", found, size, unsigned)))
    return found


def _first_set(base: int, at_zero: int | None, highest: bool = False) -> Intrinsic:
    """Make ffs, fls (counted from 1, 0 for none) and __ffs, __fls (counted from 0, undefined for none)."""

    def run(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
        kind = call.args[0].type
        assert isinstance(kind, Int)
        none, options = TRUE, []
        order = range(kind.bits - 1, -1, -1) if highest else range(kind.bits)
        for i in order:
            hit = e.domain.bit_of(args[0], i)
            options.append((e.guards.and_(none, hit), i + base))
            none = e.guards.and_(none, e.guards.not_(hit))
        if at_zero is None:
            e.require(state, "no-undefined", e.guards.not_(none), call.loc, "a bit search in a word that is not zero")
            return e.domain.choice(options)
        return e.domain.choice([*options, (none, at_zero)])

    return run


def _device(e: Evaluator, state: State, pointer: Any, call: Call, bytes_: int) -> list[tuple[int, Place, Any]]:
    """List the device registers that an address may lead to: guard, place of the byte array, index of the word."""
    found = []
    options = e.domain.options(pointer, state.path)
    null = e.guards.any(g for g, v in options if is_null(v))
    if null != FALSE:
        e.require(state, "no-undefined", e.guards.not_(null), call.loc, "a device address that is not null")
    for guard, address in options:
        if is_null(address):
            continue
        if not isinstance(address, Address):
            label = address.label if isinstance(address, Opaque) else "no address"
            raise Unsupported(f"access to a device at {label}, of which nothing is known", call.loc)
        place = e.layout.place(address)
        if not isinstance(place.type, Int) or place.type.bits != 8 or len(place.key) != 1:
            raise Unsupported("device access to memory that is no device", call.loc)
        offset = place.key[0]
        length = place.bounds[0]
        e.claim_below(state, guard, offset, length - bytes_ + 1, call.loc, address, address.object)
        low = e.domain.binary("&", offset, bytes_ - 1, INDEX, INDEX)
        aligned = e.domain.compare("==", low, 0, INDEX)
        e.claim(state, "in-bounds", e.guards.or_(e.guards.not_(guard), aligned), call.loc, "an aligned device access")
        index = offset // bytes_ if isinstance(offset, int) else z3.simplify(z3.LShR(offset, 2))
        found.append((guard, Place(f"{place.region}", (index,), U32, (length // bytes_,)), index))
    return found


def _readl(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """`readl(address)`: the 32-bit register there."""
    options = [
        (guard, state.memory.region(place)[(index,)])
        for guard, place, index in _device(e, state, args[0], call, WORD // 8)
    ]
    return e.domain.choice(options) if options else 0


def _writel(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """`writel(value, address)`."""
    value = e.domain.convert(args[0], call.args[0].type, U32)
    for guard, place, index in _device(e, state, args[1], call, WORD // 8):
        state.memory.put(place, (index,), value, guard)
    return 0


def _claimed(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """`vgicheck_claim(property, condition, text)` of the stubs: the condition must hold here."""
    kind, text = (_text(a) for a in (call.args[0], call.args[2]))
    e.require(state, kind, e.domain.is_true(args[1]), call.loc, text)
    return 0


def _container(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """`container_of`: the struct of which something is the member at an offset."""

    def outer(pointer: Any) -> Any:
        if is_null(pointer):
            return Opaque(f"NULL + ({_label(pointer)} - {args[1]})")
        if not isinstance(pointer, Address) or not pointer.path or not isinstance(pointer.path[-1], str):
            raise Unsupported("what a struct is in of which it is not known that it is a member", call.loc)
        found = Address(pointer.object, pointer.path[:-1])
        kind = e.layout.place(found).type
        fields = e.program.structs[kind.tag].fields if isinstance(kind, StructRef) else ()
        if args[1] not in (f.offset for f in fields if f.name == pointer.path[-1]):
            raise Unsupported("the container of another member", call.loc)
        return found

    return e.domain.each(args[0], outer, state.path)


def _label(pointer: Any) -> str:
    return pointer.label if isinstance(pointer, Opaque) else "NULL"


def _any(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """`vgicheck_any()` of the stubs: any number, another one at each call."""
    if e.watched is not NOBODY:
        raise Unsupported("an answer of the kernel's, of which two programs need not get the same", call.loc)
    e.asked += 1
    return e.inputs.word("vgicheck_any()", (e.asked,), WORD)


def _unknown(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """`vgicheck_unknown()` of the stubs: a number of which nothing is kept, so that no run has it."""
    if e.plain:
        raise Unsupported("what is not kept, such as what is on a list", call.loc)
    return _any(e, state, args, call)


def _text(expr: Any) -> str:
    while not isinstance(expr, StringLiteral):
        inner = getattr(expr, "operand", None)
        if inner is None:
            raise Unsupported("a claim whose property or text is no string literal")
        expr = inner
    return expr.text


def _assumed(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """`vgicheck_assume(condition)` of the stubs: only paths on which it holds are looked at."""
    state.path = e.guards.and_(state.path, e.domain.is_true(args[0]))
    return 0


def _unreachable(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """`__builtin_unreachable()`: control does not come here."""
    e.require(state, "no-undefined", FALSE, call.loc, "a place that is not reached")
    return 0


def _expected(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """`__builtin_expect(value, hint)`: the value."""
    return args[0]


def _ignored(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """A function without effect on anything modelled: barriers, messages."""
    return 0


INTRINSICS: dict[str, Intrinsic] = {
    "test_bit": _bit_operation(read=True, write=None),
    "set_bit": _bit_operation(read=False, write=True),
    "__set_bit": _bit_operation(read=False, write=True),
    "clear_bit": _bit_operation(read=False, write=False),
    "__clear_bit": _bit_operation(read=False, write=False),
    "change_bit": _bit_operation(read=False, write=None, change=True),
    "test_and_set_bit": _bit_operation(read=True, write=True),
    "__test_and_set_bit": _bit_operation(read=True, write=True),
    "test_and_clear_bit": _bit_operation(read=True, write=False),
    "__test_and_clear_bit": _bit_operation(read=True, write=False),
    "find_first_bit": _find_bit(has_start=False, wanted=True),
    "find_next_bit": _find_bit(has_start=True, wanted=True),
    "find_first_zero_bit": _find_bit(has_start=False, wanted=False),
    "find_next_zero_bit": _find_bit(has_start=True, wanted=False),
    "ffs": _first_set(1, 0),
    "fls": _first_set(1, 0, highest=True),
    "__ffs": _first_set(0, None),
    "__fls": _first_set(0, None, highest=True),
    "readl": _readl,
    "writel": _writel,
    "vgicheck_claim": _claimed,
    "vgicheck_assume": _assumed,
    "vgicheck_message": _ignored,
    "vgicheck_any": _any,
    "vgicheck_unknown": _unknown,
    "vgicheck_container": _container,
    "__builtin_expect": _expected,
    "__builtin_unreachable": _unreachable,
}
