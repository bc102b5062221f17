"""What compiled C needs to repeat a plain run: how it is called, what its memory is before, and what it is after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..engine.guards import TRUE
from ..engine.maps import Key
from ..engine.values import is_symbolic
from ..engine.verdict import Replay
from . import lvalues
from .domain import Address
from .explain import Plain
from .ir import Int, Pointer, Unsupported
from .lvalues import Target
from .memory import is_local
from .summary import UNSET, Claim

UNDEFINED = ("in-bounds", "no-undefined")
"""The kinds of claims that the evaluator makes of the language; all others are `vgicheck_claim` of the stubs."""
RESULT = "vgicheck_result"
"""Where a native run leaves what the function returned."""


def recorded(
    run: Plain, entry: str, calls: int, breaks: Callable[[Claim], bool], spoken: Callable[[str], str]
) -> Replay:
    """Return what repeats a run that calls `entry` so many times and in which a property fails.

    `breaks` says of a claim of the run whether the property fails by it; where none does, it fails by what the run
    leaves behind. Where compiled C cannot be expected to end as the run does, the replay says why, with objects called
    as `spoken` calls them.
    """
    broken = next((c for c in run.end.claims if breaks(c)), None)
    others = [c for c in run.end.claims if broken is None or broken.kind not in UNDEFINED]
    undefined = next((c for c in others if c.kind in UNDEFINED), None)
    claim = f"{broken.kind}: {broken.text}" if broken else ""
    if run.evaluator.program.pointer_bits != 32:
        return Replay(entry, calls, obstacle="the source is of 64 bits, and what is compiled here of 32")
    if undefined is not None:
        obstacle = f"what the run does is undefined in C: {spoken(undefined.text)} does not hold"
        return Replay(entry, calls, obstacle=obstacle)
    if broken is None and run.end.returns != TRUE:
        return Replay(entry, calls, obstacle="the run ends before the function returns")
    opaque: dict[str, int] = {}
    try:
        return Replay(
            entry,
            calls,
            tuple(_inputs(run)),
            () if broken and broken.text != UNSET else tuple(_outputs(run, entry)),
            claim,
            broken is not None and broken.kind in UNDEFINED,
            arguments=tuple(lvalues.value(a, opaque) for a in run.arguments),
            pointers=tuple(_pointers(run, opaque)),
            objects=tuple(lvalues.declaration(run.end.after.layout, name) for name in _own(run)),
            outside=lvalues.address(broken.at) if broken and broken.at else "",
            unset=broken is not None and broken.text == UNSET,
        )
    except Unsupported as cause:
        return Replay(entry, calls, obstacle=cause.construct)


def _own(run: Plain) -> Iterator[str]:
    """Yield the objects that the arguments lead to and the C does not declare."""
    yield from (name for name in run.end.after.layout.objects if not is_local(name))


def _inputs(run: Plain) -> Iterator[tuple[str, int]]:
    """Yield each word that the run starts from, and its value; the bits of a bitmap's word are put together."""
    words: dict[str, int] = {}
    for (region, key), value in _given(run).items():
        cell = _target(run, region, key)
        if cell is None:
            continue
        if cell.is_bool and value > 1:
            raise Unsupported(f"{cell.lvalue} holds {value}, which no bool does")
        words[cell.lvalue] = words.get(cell.lvalue, 0) | (value & ((1 << cell.width) - 1)) << (cell.bit or 0)
    yield from words.items()


def _pointers(run: Plain, opaque: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Yield each pointer that the run found in memory, and where it leads."""
    for (region, key), leads in run.given.followed.items():
        lvalue = lvalues.pointer(run.end.after.layout, region, key)
        if lvalue is not None:
            yield lvalue, lvalues.value(leads, opaque)


def _outputs(run: Plain, entry: str) -> Iterator[tuple[str, int, int]]:
    """Yield what the run returns, and each cell that it starts from or writes: in C, its width, and what is left."""
    result = run.evaluator.program.functions[entry].result
    if isinstance(result, Int) and run.end.result is not None:
        yield RESULT, result.bits, _number(run.end.result, "the result") & ((1 << result.bits) - 1)
    given = _given(run)
    cells = dict.fromkeys(given)
    for region in sorted(run.end.after.written):
        if not is_local(region):
            cells |= dict.fromkeys((region, key) for _, key, _ in run.end.after.regions[region].written())
    memory = run.end.after
    for region, key in cells:
        left = memory.regions[region][key] if region in memory.regions else given[region, key]
        place = memory.layout.kinds.get(region)
        if place is not None and isinstance(place.type, Pointer):
            lvalue = lvalues.pointer(memory.layout, region, key)
            if lvalue is not None and isinstance(left, Address):
                yield f"{lvalue} == {lvalues.value(left, {})}", 1, 1
            continue
        cell = _target(run, region, key)
        if cell is not None:
            yield cell.expression, cell.width, _number(left, cell.lvalue) & ((1 << cell.width) - 1)


def _number(value: Any, what: str) -> int:
    if not isinstance(value, int) or is_symbolic(value):
        raise Unsupported(f"what is left in {what} is no number")
    return int(value)


def _given(run: Plain) -> dict[tuple[str, Key], int]:
    return {**run.given.touched, **run.given.cells}


def _target(run: Plain, region: str, key: Key) -> Target | None:
    """Find a cell; None where it is outside of its array, or only the property knows it."""
    place = run.end.after.layout.kinds.get(region)
    if place is None:
        try:
            return lvalues.target(run.end.after.layout, region, key)
        except Unsupported:
            return None
    return lvalues.target(run.end.after.layout, region, key, place.type.bits) if isinstance(place.type, Int) else None
