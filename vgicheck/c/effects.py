"""What a function does besides changing memory: what it calls outside, and when others can see what it has done.

Run in one go, a lock that is taken and released, a barrier and a kick leave nothing in memory.  So an evaluation that
compares programs writes them down in chains, which grow from the start of the run:

- `calls`: the services of the rest of the kernel, with their arguments;
- `order`: these, and locks, barriers and whatever else orders accesses, each with what memory was changed by then
  and which atomic operations led there;
- `met`: what something stands in for (`standins`), each with the state that it meets.

Over plain numbers a chain is a tuple of events.  Over terms it is a word made by an uninterpreted function of what
was there before, and of the arguments: two chains are the same word in every interpretation exactly if the same
events came in the same order.  What memory holds is told in the same way, by one word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import z3

from ..engine.guards import FALSE
from ..engine.maps import Key, Map, label_of
from ..engine.values import and_, is_symbolic, ite, not_, same
from .domain import Address, Choice, FunctionPointer, Null, Opaque, Uninitialised
from .ir import Call, Unsupported, bits_of
from .memory import INDEX, is_local, is_part

if TYPE_CHECKING:
    from .summary import Evaluator, State

CHAIN = z3.BitVecSort(64)
WORD = 64
"""Bits to which arguments and contents of cells are widened."""
_WORD = z3.BitVecSort(WORD)

RETURN = "return"
"""The last event of `order`."""
A_LOCAL = "a local"
Event = tuple[str, tuple[Any, ...], frozenset[Any]]
"""Of a plain run: what was called, with what, and what memory was then: all that had changed, or what was passed."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The functions whose calls are written down, by their names.

    calls    services of the rest of the kernel, which others notice
    order    what orders accesses: locks, barriers, the disabling of interrupts, stores to a device
    atomics  operations on memory that are one access
    """

    calls: frozenset[str] = frozenset()
    order: frozenset[str] = frozenset()
    atomics: frozenset[str] = frozenset()


NOBODY = Watched()
"""Nothing is written down."""


@dataclass(frozen=True, slots=True)
class Effects:
    """The chains, and the atomic operations so far.

    `atomics` has the guard under which each was done, by the name of the function and what it reached.
    """

    calls: Any = ()
    order: Any = ()
    met: Any = ()
    atomics: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def none(cls, plain: bool) -> Effects:
        """Return the chains of a run that has not begun."""
        return cls() if plain else cls(*[z3.BitVecVal(0, CHAIN.size())] * 3)

    @classmethod
    def unknown(cls) -> Effects:
        """Return the chains of a run of which nothing is known."""
        return cls(*(z3.Const(f"the {name} before", CHAIN) for name in ("calls", "order", "met")))


NOTHING = Effects()
"""The chains where nothing is written down."""


def observed(e: Evaluator, state: State, name: str, args: Sequence[Any], call: Call) -> Effects:
    """Return what is written down by the time that a function is called."""
    if name in e.watched.atomics:
        done = dict(state.effects.atomics)
        for guard, v in (option for a in args for option in e.domain.options(a, state.path)):
            if isinstance(v, Address) and not is_local(v.object):
                at = name, _shape(v)
                done[at] = e.guards.or_(done.get(at, FALSE), e.guards.and_(state.path, guard))
        return replace(state.effects, atomics=done)
    if name in e.watched.calls or name in e.watched.order:
        return (_plain if e.plain else _symbolic)(e, state, name, _typed(args, call))
    return state.effects


def finished(e: Evaluator, state: State) -> Effects:
    """Return what is written down when the function under judgement has returned."""
    return replace((_plain if e.plain else _symbolic)(e, state, RETURN, ()), calls=state.effects.calls)


Argument = tuple[Any, int]
"""A scalar and its width in bits; 0 of a pointer."""


def _typed(args: Sequence[Any], call: Call) -> tuple[Argument, ...]:
    return tuple((a, bits_of(x.type)) for a, x in zip(args, call.args, strict=False))


def _shape(address: Address) -> str:
    """Return where an address leads to, whatever its indices are."""
    return address.object + "".join(f".{step}" if isinstance(step, str) else "[]" for step in address.path)


def _locals(e: Evaluator, state: State, args: Sequence[Argument]) -> Iterator[tuple[str, str]]:
    """Yield the regions of the locals that arguments point to, each with what it is called in a chain."""
    for n, (value, _) in enumerate(args):
        for _, v in e.domain.options(value, state.path):
            if isinstance(v, Address) and is_local(v.object):
                for name in sorted(state.memory.regions):
                    if is_part(name, v.object):
                        yield name, f"argument {n}{name.removeprefix(v.object)}"


# Over plain numbers ---------------------------------------------------------------------------------


def _plain(e: Evaluator, state: State, name: str, args: Sequence[Argument]) -> Effects:
    now = state.effects
    said = tuple(_said(value, bits) for value, bits in args)
    passed = frozenset(
        (called, key, value)
        for region, called in _locals(e, state, args)
        for _, key, value in state.memory.known(region).written()
    )
    calls = (*now.calls, (name, said, passed)) if name in e.watched.calls else now.calls
    left = frozenset(_changed(state)) | passed | frozenset(now.atomics)
    return replace(now, calls=calls, order=(*now.order, (name, said, left)))


def _said(value: Any, bits: int) -> Any:
    """Return an argument of a plain run; of a local of the caller only that it is one."""
    if isinstance(value, Address) and is_local(value.object):
        return A_LOCAL
    return value & ((1 << bits) - 1) if isinstance(value, int) and bits else value


def _changed(state: State) -> Iterator[tuple[str, Any, Any]]:
    """Yield the cells that hold something else than at the start."""
    for name in state.memory.written:
        if not is_local(name):
            region, before = state.memory.known(name), state.memory.untouched(name)
            for key in {key for _, key, _ in region.written()}:
                if region[key] != before[key]:
                    yield name, key, region[key]


# Over terms -----------------------------------------------------------------------------------------


def _symbolic(e: Evaluator, state: State, name: str, args: Sequence[Argument]) -> Effects:
    now, words = state.effects, [word(e, value, bits) for value, bits in args]
    passed = _passed(e, state, args)
    order = _after(_done(e, now), name, [*words, passed, _left(e, state)])
    return replace(now, calls=_after(now.calls, name, [*words, passed]), order=order) if name in e.watched.calls else (
        replace(now, order=order))  # fmt: skip


def met(e: Evaluator, state: State, label: str, args: Sequence[Argument]) -> Effects:
    """Return what is written down where something stands in for what may do anything to memory, and call anything."""
    now, words = state.effects, [word(e, value, bits) for value, bits in args]
    chain = _after(now.met, label, [*words, _passed(e, state, args), _left(e, state)])
    return replace(now, calls=_after(now.calls, label, [chain]), order=_after(_done(e, now), label, [chain]), met=chain)


def contents(e: Evaluator, state: State, region: str) -> Any:
    """Return a word that is the same for two states exactly if a region holds the same in both."""
    called = A_LOCAL if is_local(region) else region
    return _after(z3.BitVecVal(0, CHAIN.size()), f"what is in {called}", [_cells(e, state, [(region, called)])])


def _passed(e: Evaluator, state: State, args: Sequence[Argument]) -> Any:
    return _cells(e, state, _locals(e, state, args))


def _left(e: Evaluator, state: State) -> Any:
    return _cells(e, state, ((n, n) for n in sorted(state.memory.written) if not is_local(n)))


def _done(e: Evaluator, now: Effects) -> Any:
    """Return the order of a run with the atomic operations so far."""
    order = now.order
    for (operation, place), guard in sorted(now.atomics.items()):
        longer = _after(order, f"{operation} {place}", [])
        order = ite(e.guards.term(guard), longer, order, width=CHAIN.size())
    return order


def _after(chain: Any, name: str, words: Sequence[Any]) -> Any:
    """Return a chain with one event more."""
    return z3.Function(f"{name}/{len(words)}", CHAIN, *([_WORD] * len(words)), CHAIN)(chain, *words)


def _cells(e: Evaluator, state: State, regions: Iterable[tuple[str, str]]) -> Any:
    """Return a word that is the same for two states exactly if the same cells of some regions hold another value, and
    the same: the exclusive or of a word for each, so that neither their order matters nor how their keys are written.

    Regions come with what they are called.
    """
    total: Any = z3.BitVecVal(0, WORD)
    for name, called in regions:
        region, bits = state.memory.known(name), bits_of(e.layout.kinds[name].type)
        keys = [tuple(z3.simplify(k) if is_symbolic(k) else k for k in key) for _, key, _ in region.written()]
        known: list[Key] = []
        for key in {label_of(key): key for key in keys}.values():
            now = content(e, region, key, bits)
            # Where something stood in, what was there before is no more what it started with.
            fresh = is_local(name) or region.ruled
            changed = True if fresh else not_(same(now, content(e, state.memory.untouched(name), key, bits)))
            once = and_(changed, *(not_(same(key, other)) for other in known if _may_meet(key, other)))
            known.append(key)
            words = [*(word(e, k, INDEX.bits) for k in key), now]
            cell = z3.Function(f"cell {called}/{len(words)}", *([_WORD] * len(words)), _WORD)(*words)
            total = total ^ ite(once, cell, z3.BitVecVal(0, WORD), width=WORD)
    return total


def _may_meet(a: Key, b: Key) -> bool:
    return any(is_symbolic(k) for k in (*a, *b))


def content(e: Evaluator, region: Map[Any], key: Key, bits: int) -> Any:
    """Return what a region holds at a key as a word, chosen by terms: as guards the choices would be too many."""

    def choose(condition: Any, a: Any, b: Any) -> Any:
        return ite(condition, word(e, a, bits), word(e, b, bits), width=WORD)

    return word(e, region.read(key, choose), bits)


def word(e: Evaluator, value: Any, bits: int) -> Any:
    """Return a scalar as a word: a number as it is, a pointer as an unknown word of its own for each place."""
    if isinstance(value, Choice):
        options = [(e.guards.term(g), word(e, v, bits)) for g, v in value.options]
        return reduce(lambda rest, o: z3.If(o[0], o[1], rest), options[1:], options[0][1])
    if isinstance(value, int):
        return z3.BitVecVal(value & ((1 << bits) - 1) if bits else value, WORD)
    if isinstance(value, z3.BoolRef):
        return z3.If(value, z3.BitVecVal(1, WORD), z3.BitVecVal(0, WORD))
    if isinstance(value, z3.ExprRef):
        return z3.ZeroExt(WORD - value.size(), value) if value.size() < WORD else value
    if isinstance(value, Address):
        if is_local(value.object):
            steps = [word(e, step, INDEX.bits) for step in value.path if not isinstance(step, str)]
            inside = _shape(value).removeprefix(value.object)
            return z3.Function(f"{A_LOCAL}{inside}", *([_WORD] * len(steps)), _WORD)(*steps)
        steps = [word(e, step, INDEX.bits) for step in value.path if not isinstance(step, str)]
        return z3.Function(f"&{_shape(value)}", *([_WORD] * len(steps)), _WORD)(*steps)
    return z3.BitVec(_label(value), WORD)


def _label(value: Any) -> str:
    match value:
        case Null():
            return "NULL"
        case Uninitialised():
            return "uninitialised"
        case Opaque(label):
            return f"pointer {label}"
        case FunctionPointer(name):
            return f"function {name}"
    raise Unsupported(f"{type(value).__name__} as an argument of a function outside")
