"""What compiled C needs to repeat a plain run: the run's cells as lvalues of the C, before and after.

A region's name has lost the members of unions whose views are one (see `memory`), and a bitmap's last index counts
bits; both are found again from the types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..engine.guards import TRUE
from ..engine.maps import Key
from ..engine.values import is_symbolic
from ..engine.verdict import Replay
from .explain import Plain
from .ir import Array, CType, Int, StructRef, Unsupported
from .memory import Layout

UNDEFINED = ("in-bounds", "no-undefined")
"""The kinds of claims that the evaluator makes of the language; all others are `vgicheck_claim` of the stubs."""

DEVICE_WORD = 32
"""Width of a device register, in bits."""


@dataclass(frozen=True, slots=True)
class Target:
    """A cell as the C has it: an lvalue of `bits` bits, and of a bitmap the bit of that word."""

    lvalue: str
    bits: int
    bit: int | None = None
    is_bool: bool = False

    @property
    def expression(self) -> str:
        """The cell's value."""
        return self.lvalue if self.bit is None else f"{self.lvalue} >> {self.bit} & 1"

    @property
    def width(self) -> int:
        """The bits of the cell's value."""
        return self.bits if self.bit is None else 1


def target(layout: Layout, region: str, key: Key, bits: int | None = None) -> Target | None:
    """Find a cell in the C; None where the key is outside of an array.

    `bits` is the width at which the run used the region, where it did. A byte array that was used as words is a device.
    Raises Unsupported for a region that no expression at file scope reaches.
    """
    root = next((n for n in sorted(layout.program.globals, key=len, reverse=True) if _begins(region, n)), None)
    if root is None or not root.isidentifier():
        raise Unsupported(f"{region} is no object at file scope")
    found = next(_walk(layout, layout.type_of(root), region[len(root) :], key, _Way(root)), None)
    if found is None:
        raise Unsupported(f"{region} with {len(key)} indices is no scalar of the C")
    way, kind = found
    width = bits or (DEVICE_WORD if region == f"{root}[]" and kind.bits == 8 and not way.views else kind.bits)
    if (way.views or region in layout.bitmaps) and way.pending:
        position, lengths = way.indices[-1], (*way.lengths[:-1], way.lengths[-1] * kind.bits)
        if not _inside(way.indices, lengths):
            return None
        return Target(f"{way.text}[{position // kind.bits}]", kind.bits, position % kind.bits)
    scale = width // kind.bits
    if scale > 1 and kind.bits == 8 and way.pending:
        if not _inside(way.indices, (*way.lengths[:-1], way.lengths[-1] // scale)):
            return None
        return Target(f"*(unsigned int *)&{way.text}[{scale * way.indices[-1]}]", width)
    if width != kind.bits:
        raise Unsupported(f"{region} is used as {width} bits, and has {kind.bits}")
    if not _inside(way.indices, way.lengths):
        return None
    return Target(way.settled(), kind.bits, is_bool=kind.is_bool)


@dataclass(frozen=True, slots=True)
class _Way:
    """How far a region's name was followed. The last index is not in the text while it is `pending`."""

    text: str
    indices: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    span: int = 0
    views: bool = False
    pending: bool = False

    def settled(self) -> str:
        """The lvalue with all of its indices."""
        return f"{self.text}[{self.indices[-1]}]" if self.pending else self.text


def _begins(region: str, name: str) -> bool:
    return region.startswith(name) and region[len(name) : len(name) + 1] in ("", ".", "[", "!")


def _walk(layout: Layout, kind: CType, rest: str, key: Key, way: _Way) -> Iterator[tuple[_Way, Int]]:
    """Yield the scalars that the rest of a region's name may mean: views of one union that are one region."""
    if isinstance(kind, StructRef) and kind.tag in layout.program.structs:
        fields = layout.program.structs[kind.tag].fields
        for f in sorted(fields, key=lambda f: -f.type.length if isinstance(f.type, Array) else 0):
            # A layout of its own: one that is in use refuses a second view of a union.
            member, name, span, views = Layout(layout.program).member(kind.tag, f.name)
            if _begins(rest, name):
                text = f"{way.settled()}.{f.name}" if f.name else way.settled()
                inner = _Way(text, way.indices, way.lengths, span, views)
                yield from _walk(layout, member, rest[len(name) :], key, inner)
    elif isinstance(kind, Array) and rest.startswith("[]") and key:
        length = kind.length or (way.span // layout.size(kind.element) if way.span else 0)
        indices, lengths = (*way.indices, key[0]), (*way.lengths, length)
        inner = _Way(way.settled(), indices, lengths, way.span, way.views, pending=True)
        yield from _walk(layout, kind.element, rest[2:], key[1:], inner)
    elif isinstance(kind, Int) and not rest and not key:
        yield way, kind


def _inside(indices: tuple[int, ...], lengths: tuple[int, ...]) -> bool:
    return all(0 <= i < n for i, n in zip(indices, lengths, strict=True))


def recorded(run: Plain, entry: str, calls: int, kinds: frozenset[str]) -> Replay:
    """Return what repeats a run that calls `entry` so many times and in which a property fails.

    `kinds` are the kinds of claims that belong to the property. Where compiled C cannot be expected to end as the run
    does, the replay says why.
    """
    broken = next((c for c in run.end.claims if c.kind in kinds), None)
    others = [c for c in run.end.claims if broken is None or broken.kind not in UNDEFINED]
    undefined = next((c for c in others if c.kind in UNDEFINED), None)
    claim, kind = (f"{broken.kind}: {broken.text}", broken.kind) if broken else ("", "")
    if undefined is not None:
        return Replay(entry, calls, obstacle=f"what the run does is undefined in C: {undefined.text} does not hold")
    if broken is None and run.end.returns != TRUE:
        return Replay(entry, calls, obstacle="the run ends before the function returns")
    try:
        inputs = tuple(_inputs(run))
        outputs = () if broken else tuple(_outputs(run))
    except Unsupported as cause:
        return Replay(entry, calls, obstacle=cause.construct)
    return Replay(entry, calls, inputs, outputs, claim, kind in UNDEFINED)


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


def _outputs(run: Plain) -> Iterator[tuple[str, int, int]]:
    """Yield each cell that the run starts from or writes: its value in C, its width, and what the run leaves there."""
    cells = dict.fromkeys(_given(run))
    for region in sorted(run.end.after.written):
        if ":" not in region:
            cells |= dict.fromkeys((region, key) for _, key, _ in run.end.after.regions[region].written())
    for region, key in cells:
        cell = _target(run, region, key)
        if cell is None:
            continue
        memory = run.end.after
        left = memory.regions[region][key] if region in memory.regions else run.given.cells.get((region, key), 0)
        if not isinstance(left, int) or is_symbolic(left):
            raise Unsupported(f"what is left in {cell.lvalue} is no number")
        yield cell.expression, cell.width, int(left) & ((1 << cell.width) - 1)


def _given(run: Plain) -> dict[tuple[str, Key], int]:
    return {**run.given.touched, **run.given.cells}


def _target(run: Plain, region: str, key: Key) -> Target | None:
    """Find a cell; None where it is a pointer, or is outside of its array, or only the property knows it."""
    place = run.end.after.layout.kinds.get(region)
    if place is None:
        try:
            return target(run.end.after.layout, region, key)
        except Unsupported:
            return None
    return target(run.end.after.layout, region, key, place.type.bits) if isinstance(place.type, Int) else None
