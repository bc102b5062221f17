"""What a function does besides changing memory: what it calls outside, and when others can see what it has done.

Run in one go, a lock that is taken and released, a barrier and a kick leave nothing in memory.  So an evaluation that
compares programs writes them down in two chains, which grow from the start of the run:

- `calls`: the services of the rest of the kernel, with their arguments;
- `order`: these, and locks, barriers and whatever else orders accesses, each with what memory was changed by then
  and which atomic operations led there.

Over plain numbers a chain is a tuple of events.  Over terms it is a word made by an uninterpreted function of what
was there before, and of the arguments: two chains are the same word in every interpretation exactly if the same
events came in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import z3

from ..engine.guards import FALSE
from ..engine.maps import Key, Map
from ..engine.values import is_symbolic, ite, not_, same
from .domain import Address, Choice, FunctionPointer, Null, Opaque, Uninitialised
from .ir import Call, Int, Unsupported
from .memory import INDEX, is_local

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
    """Both chains, and the atomic operations since the last event.

    `atomics` has the guard under which each was done, by the name of the function and what it reached.
    """

    calls: Any = ()
    order: Any = ()
    atomics: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def none(cls, plain: bool) -> Effects:
        """Return the chains of a run that has not begun."""
        return cls() if plain else cls(z3.BitVecVal(0, CHAIN.size()), z3.BitVecVal(0, CHAIN.size()))


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
    return tuple((a, x.type.bits if isinstance(x.type, Int) else 0) for a, x in zip(args, call.args, strict=False))


def _shape(address: Address) -> str:
    """Return where an address leads to, whatever its indices are."""
    return address.object + "".join(f".{step}" if isinstance(step, str) else "[]" for step in address.path)


def _locals(e: Evaluator, state: State, args: Sequence[Argument]) -> Iterator[tuple[str, str]]:
    """Yield the regions of the locals that arguments point to, each with what it is called in a chain."""
    for n, (value, _) in enumerate(args):
        for _, v in e.domain.options(value, state.path):
            if isinstance(v, Address) and is_local(v.object):
                for name in sorted(state.memory.regions):
                    if name == v.object or name.startswith((f"{v.object}.", f"{v.object}[")):
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
    return Effects(calls, (*now.order, (name, said, left)))


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
    now = state.effects
    said = (True, name, [word(e, value, bits) for value, bits in args])
    passed = [cell for region, called in _locals(e, state, args) for cell in _cells(e, state, region, called)]
    shared = [n for n in sorted(state.memory.written) if not is_local(n)]
    left = [cell for region in shared for cell in _cells(e, state, region, region)]
    left += [(e.guards.term(g), f"{operation} {place}", []) for (operation, place), g in sorted(now.atomics.items())]
    calls = reduce(_after, [*passed, said], now.calls) if name in e.watched.calls else now.calls
    return Effects(calls, reduce(_after, [*passed, *left, said], now.order))


_Said = tuple[Any, str, Sequence[Any]]
"""What is added to a chain: under which condition, what, and with which words."""


def _cells(e: Evaluator, state: State, name: str, called: str) -> Iterator[_Said]:
    """Yield each cell of a region that was changed, with its key and its value, in the same order on every run."""
    region, kind = state.memory.known(name), e.layout.kinds[name].type
    bits = kind.bits if isinstance(kind, Int) else 0
    keys = {
        tuple((1, k.hash()) if is_symbolic(k) else (0, k) for k in key): key  # type: ignore[attr-defined]
        for _, key, _ in region.written()
    }
    for _, key in sorted(keys.items()):
        now = content(e, region, key, bits)
        then = True if is_local(name) else content(e, state.memory.untouched(name), key, bits)
        changed = True if then is True else not_(same(now, then))
        yield changed, f"cell {called}", [*(word(e, k, INDEX.bits) for k in key), now]


def _after(chain: Any, said: _Said) -> Any:
    condition, name, words = said
    longer = z3.Function(f"{name}/{len(words)}", CHAIN, *([_WORD] * len(words)), CHAIN)(chain, *words)
    return ite(condition, longer, chain, width=CHAIN.size())


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
            return z3.BitVec(A_LOCAL, WORD)
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
