"""What the evaluator knows of memory, as C: cells as lvalues, addresses as expressions, objects as declarations.

A region's name has lost the members of unions whose views are one (see `memory`), and a bitmap's last index counts
bits; both are found again from the types.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.maps import Key
from .domain import Address, FunctionPointer, Null, Opaque
from .ir import Array, CType, Int, Pointer, StructRef, Unsupported
from .memory import Layout

DEVICE_WORD = 32
"""Width of a device register, in bits."""
NOWHERE = 0x100
"""Where pointers of which nothing is known lead, in C: to the first page, which is never mapped."""


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
    root, way, kind = _found(layout, region, key)
    if not isinstance(kind, Int):
        raise Unsupported(f"{region} is a pointer")
    width = bits or (DEVICE_WORD if region == f"{root}[]" and kind.bits == 8 and not way.views else kind.bits)
    if (way.views or region in layout.bitmaps) and way.pending and not layout.by_words:
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
class Index:
    """An index that is a C expression, where an address has a term."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Region:
    """All cells of a region as the C has them: `lvalue` is the word that indices lead to, of a bitmap with one `bit`.

    `lengths` are how many cells each index has, `bits` how wide a word is.
    """

    lvalue: str
    bit: str
    lengths: tuple[int, ...]
    bits: int
    is_bool: bool


def indexed(layout: Layout, region: str, indices: Sequence[str], bits: int) -> Region:
    """Find the cell of a region that C expressions are the indices of, used as words of `bits` bits, 0 for a bit.

    Raises Unsupported as `target` does.
    """
    root, way, kind = _found(layout, region, indices)
    if not isinstance(kind, Int):
        raise Unsupported(f"{region} is a pointer")
    if not bits:
        at = f"({way.indices[-1]})"
        lengths = (*way.lengths[:-1], way.lengths[-1] * kind.bits)
        word = f"{way.text}[{at} / {kind.bits}]"
        return Region(word, f"{at} % {kind.bits}", lengths, kind.bits, False)
    if bits > kind.bits == 8 and region == f"{root}[]":
        at = f"{bits // 8} * ({way.indices[-1]})"
        return Region(f"*(unsigned int *)&{way.text}[{at}]", "", (way.lengths[-1] * 8 // bits,), bits, False)
    if bits != kind.bits:
        raise Unsupported(f"{region} is used as {bits} bits, and has {kind.bits}")
    return Region(way.settled(), "", way.lengths, bits, kind.is_bool)


def pointer(layout: Layout, region: str, key: Key) -> str | None:
    """Find the lvalue of a pointer; None where the key is outside of an array. Raises Unsupported as `target` does."""
    _, way, kind = _found(layout, region, key)
    if not isinstance(kind, Pointer):
        raise Unsupported(f"{region} is no pointer")
    return way.settled() if _inside(way.indices, way.lengths) else None


def address(place: Address) -> str:
    """Return the address of a place, which need not be inside of its object, as a C expression."""
    steps = (f"[{s}]" if isinstance(s, int | Index) else f".{s}" if _is_name(s) else "" for s in place.path)
    return f"&{place.object}{''.join(steps)}"


def value(found: Any, opaque: dict[str, int]) -> str:
    """Return a value that is known exactly as a C expression; a pointer to nothing that is known leads nowhere.

    `opaque` numbers those by what they are called. Raises Unsupported for what only C can compute.
    """
    match found:
        case int():
            return f"{found & (1 << 64) - 1:#x}ULL"
        case Null():
            return "(void *)0"
        case Address():
            return f"(void *){address(found)}"
        case FunctionPointer(name):
            return f"(void *){name}"
        case Opaque(label):
            return f"(void *){NOWHERE + opaque.setdefault(label, len(opaque)):#x}"
    raise Unsupported("a value that is not known exactly")


def declaration(layout: Layout, name: str) -> str:
    """Return the declaration of an object that the C does not declare itself."""
    kind = layout.objects[name]
    if isinstance(kind, Array):
        return f"static {_spelled(layout, kind.element)} {name}[{kind.length}];"
    return f"static {_spelled(layout, kind)} {name};"


def _spelled(layout: Layout, kind: CType) -> str:
    if isinstance(kind, StructRef) and kind.tag.isidentifier():
        return f"{'union' if layout.program.structs[kind.tag].is_union else 'struct'} {kind.tag}"
    if isinstance(kind, Int):
        plain = {8: "char", 16: "short", 32: "int", 64: "long long"}[kind.bits]
        return "_Bool" if kind.is_bool else f"{'signed' if kind.signed else 'unsigned'} {plain}"
    raise Unsupported(f"an object of a type without a name, {kind}")


def _is_name(member: str) -> bool:
    """Say whether a member of a struct has a name; see `layout.is_anonymous`."""
    return bool(member) and not member.startswith(".")


def _found(layout: Layout, region: str, key: Sequence[Any]) -> tuple[str, _Way, Int | Pointer]:
    """Return the object that a cell belongs to, the way to it, and its type."""
    names = sorted({*layout.program.globals, *layout.objects}, key=len, reverse=True)
    root = next((n for n in names if _begins(region, n)), None)
    if root is None or not root.isidentifier():
        raise Unsupported(f"{region} is no object at file scope")
    found = next(_walk(layout, layout.type_of(root), region[len(root) :], key, _Way(root)), None)
    if found is None:
        raise Unsupported(f"{region} with {len(key)} indices is no scalar of the C")
    return root, *found


@dataclass(frozen=True, slots=True)
class _Way:
    """How far a region's name was followed. The last index is not in the text while it is `pending`."""

    text: str
    indices: tuple[Any, ...] = ()
    lengths: tuple[int, ...] = ()
    span: int = 0
    views: bool = False
    pending: bool = False

    def settled(self) -> str:
        """The lvalue with all of its indices."""
        return f"{self.text}[{self.indices[-1]}]" if self.pending else self.text


def _begins(region: str, name: str) -> bool:
    return region.startswith(name) and region[len(name) : len(name) + 1] in ("", ".", "[", "!")


def _walk(
    layout: Layout, kind: CType, rest: str, key: Sequence[Any], way: _Way
) -> Iterator[tuple[_Way, Int | Pointer]]:
    """Yield the scalars that the rest of a region's name may mean: views of one union that are one region."""
    if isinstance(kind, StructRef) and kind.tag in layout.program.structs:
        fields = layout.program.structs[kind.tag].fields
        for f in sorted(fields, key=lambda f: -f.type.length if isinstance(f.type, Array) else 0):
            # A layout of its own: one that is in use refuses a second view of a union.
            member, name, span, views = Layout(layout.program).member(kind.tag, f.name)
            if _begins(rest, name):
                text = f"{way.settled()}.{f.name}" if _is_name(f.name) else way.settled()
                inner = _Way(text, way.indices, way.lengths, span, views)
                yield from _walk(layout, member, rest[len(name) :], key, inner)
    elif isinstance(kind, Array) and rest.startswith("[]") and key:
        length = kind.length or (way.span // layout.size(kind.element) if way.span else 0)
        indices, lengths = (*way.indices, key[0]), (*way.lengths, length)
        inner = _Way(way.settled(), indices, lengths, way.span, way.views, pending=True)
        yield from _walk(layout, kind.element, rest[2:], key[1:], inner)
    elif isinstance(kind, Int | Pointer) and not rest and not key:
        yield way, kind


def _inside(indices: tuple[Any, ...], lengths: tuple[int, ...]) -> bool:
    return all(0 <= i < n for i, n in zip(indices, lengths, strict=True))
