"""The objects of a C program: scalars addressed by field names and indices, with the layout and bounds of their types.

A *region* is all the scalars that one chain of field names reaches; its indices are the key of a map, so that
`kvm.arch.vgic.irq_active.percpu[]` is one map however many vCPUs there are.  Members of a union that are arrays of
the same width are
one region.  A union that views words also as `unsigned long a[0]`, the kernel's idiom for a bitmap, is kept bit by bit.

Objects do not alias: two pointers are equal exactly if they name the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Any, Protocol

import z3

from ..engine.guards import FALSE, TRUE
from ..engine.maps import Key, Map, label_of
from ..engine.values import bit, concat, is_symbolic, same
from .domain import NULL, UNINITIALISED, Address, Domain, FunctionPointer, Opaque, wrap
from .ir import (
    AddressOf,
    Array,
    Const,
    Convert,
    CType,
    Element,
    Expr,
    FunctionRef,
    Global,
    Int,
    LValue,
    Member,
    Pointer,
    Program,
    StringLiteral,
    Struct,
    StructRef,
    Unsupported,
)

INDEX = Int(32, True)
EXPIRED = "!expired"
"""What is added to a local's name for the region that says whether its lifetime has ended."""
MOST_CONSTANTS = 1_024
"""Scalars of a constant table that may be read at an index that is not known."""


class Inputs(Protocol):
    """What the memory holds before the function runs."""

    def word(self, region: str, key: Key, bits: int) -> Any:
        """Return the word at a key of a region."""

    def bit(self, region: str, key: Key) -> Any:
        """Return the bit at a key of a region that is a bitmap; the last coordinate is the bit's position."""

    @property
    def pointers(self) -> Pointers:
        """What pointers the memory holds."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address leads: its region and key, the type found there, and how long each indexed array is.

    `bitmap` is the number of bits of the array that the last index runs over, where the region is kept bit by bit;
    `bits` is the same whether it is kept so or not.
    """

    region: str
    key: tuple[Any, ...]
    type: CType
    bounds: tuple[int, ...]
    bitmap: int = 0
    object: str = ""
    bits: int = 0


def is_local(name: str) -> bool:
    """Say whether an object or region belongs to an activation of a function: its name is `function:local`."""
    return ":" in name


def viewed_as_bits(program: Program) -> frozenset[str]:
    """List the unions whose words are kept bit by bit."""
    return frozenset(tag for tag, struct in program.structs.items() if struct.is_union and _views_bits(struct))


def _views_bits(union: Struct) -> bool:
    return any(isinstance(f.type, Array) and f.type.length == 0 for f in union.fields)


def is_part(region: str, name: str) -> bool:
    """Say whether a region is an object, or of one, of a name."""
    return region == name or region.startswith((f"{name}.", f"{name}["))


def belongs_to(region: str, local: str) -> bool:
    """Say whether a region is a local, of one, or the mark that its lifetime has ended."""
    return is_part(region, local) or region == local + EXPIRED


@dataclass(slots=True)
class Layout:
    """The types of the objects of a program; `kinds` has one place of each region that was touched.

    With `by_words` bitmaps are arrays of words like others; `bitmaps` are regions of words that are kept bit by bit
    whatever their types say.  `beginnings` are the objects that may be longer than their types say.
    """

    program: Program
    by_words: bool = False
    bitmaps: frozenset[str] = frozenset()
    objects: dict[str, CType] = field(default_factory=dict)
    beginnings: set[str] = field(default_factory=set)
    kinds: dict[str, Place] = field(default_factory=dict)
    _members: dict[tuple[str, str], tuple[CType, str, int, bool]] = field(default_factory=dict)
    _viewed: dict[str, dict[str, tuple[str, int, int]]] = field(default_factory=dict)
    """Of each union whose members are regions of their own: of each region the member, and the bytes that it spans."""

    def type_of(self, name: str) -> CType:
        """Return the type of an object by its name. Raises `Unsupported` where the program has none of that name."""
        kind = self.objects.get(name) or self.program.globals.get(name)
        if kind is None:
            raise Unsupported(f"{name} is not declared")
        return kind

    def member(self, tag: str, name: str) -> tuple[CType, str, int, bool]:
        """Return a member's type, its name in regions, the bytes it may span, and whether it views a bitmap."""
        key = (tag, name)
        if key not in self._members:
            self._members[key] = self._find_member(tag, name)
        return self._members[key]

    def _find_member(self, tag: str, name: str) -> tuple[CType, str, int, bool]:
        struct = self.program.structs.get(tag)
        member = next((f for f in struct.fields if f.name == name), None) if struct else None
        if struct is None or member is None:
            raise Unsupported(f"{tag}.{name} has no layout")
        if not struct.is_union:
            return member.type, f".{name}", self.size(member.type), False
        shapes = {self._scalar_shape(f.type) for f in struct.fields}
        if len(shapes) != 1 or None in shapes:
            return member.type, f".{name}!", self.size(member.type), False
        views = _views_bits(struct)
        return member.type, "", struct.size, views

    def _scalar_shape(self, kind: CType) -> tuple[int, ...] | None:
        """Return the bits of the integers that a type consists of and the lengths of all its dimensions but the first.

        Members of a union with one shape have their integers under the same keys.  `_Bool` is of no such shape: what
        another type leaves there need be no value of it.
        """
        if isinstance(kind, Int):
            return None if kind.is_bool else (kind.bits,)
        inner: tuple[int, ...] = ()
        while isinstance(kind, Array):
            inner, kind = (*inner, kind.length), kind.element
        return (kind.bits, *inner[1:], len(inner)) if isinstance(kind, Int) and not kind.is_bool else None

    def size(self, kind: CType) -> int:
        """Return the size of a type in bytes."""
        match kind:
            case Int(bits):
                return bits // 8
            case Pointer():
                return self.program.pointer_bits // 8
            case Array(element, length):
                return self.size(element) * length
            case StructRef(tag) if tag in self.program.structs:
                return self.program.structs[tag].size
        raise Unsupported(f"the size of {kind}")

    def place(self, address: Address) -> Place:
        """Find where an address leads."""
        kind = self.type_of(address.object)
        region, key, bounds = address.object, [], []
        span, views = 0, False
        apart: list[tuple[str, str, int]] = []
        for number, step in enumerate(address.path):
            if isinstance(step, str):
                if not isinstance(kind, StructRef):
                    raise Unsupported(f"member {step} of something that is no struct")
                if self.member(kind.tag, step)[1].endswith("!"):
                    apart.append((kind.tag, step, number))
                kind, name, span, views = self.member(kind.tag, step)
                region += name
                continue
            if not isinstance(kind, Array):
                raise Unsupported(f"an index into {address.object}, where there is no array")
            length = kind.length or (span // self.size(kind.element) if span else 0)
            if not length:
                raise Unsupported(f"an index into {region}, an array whose length is not known")
            kind = kind.element
            region += "[]"
            key.append(step)
            bounds.append(length)
        for tag, member, number in apart:
            self._view(tag, member, address.path[number:], region)
        views = (views and not is_local(address.object)) or region in self.bitmaps
        bits = bounds[-1] * kind.bits if views and isinstance(kind, Int) and bounds else 0
        return Place(region, tuple(key), kind, tuple(bounds), 0 if self.by_words else bits, address.object, bits)

    def _view(self, tag: str, member: str, path: Sequence[Any], region: str) -> None:
        """Note that a region is looked at through a member of a union. Raises `Unsupported` where another was there.

        `path` leads from the union to the region; of an array all is taken to be looked at.
        """
        viewed = self._viewed.setdefault(tag, {})
        if region in viewed:
            return
        kind: CType = StructRef(tag)
        start = 0
        for step in path:
            if not isinstance(step, str) or not isinstance(kind, StructRef):
                break
            found = next(f for f in self.program.structs[kind.tag].fields if f.name == step)
            start, kind = start + found.offset, found.type
        end = start + self.size(kind)
        for other, low, high in viewed.values():
            if other != member and low < end and start < high:
                raise Unsupported(f"union {tag} seen through {other} and through {member}")
        viewed[region] = member, start, end

    def offset(self, address: Address, domain: Domain) -> Any:
        """Return the bytes from the start of its object to an address, as an integer of a pointer's width."""
        kind, total, wide = self.type_of(address.object), 0, Int(self.program.pointer_bits, True)
        for step in address.path:
            if isinstance(step, str):
                assert isinstance(kind, StructRef)
                struct, name = self.program.structs[kind.tag], step
                member = next(f for f in struct.fields if f.name == name)
                moved, kind = member.offset, member.type
            else:
                assert isinstance(kind, Array)
                kind = kind.element
                moved = domain.binary("*", domain.convert(step, INDEX, wide), self.size(kind), wide, wide)
            total = domain.binary("+", total, moved, wide, wide)
        return total

    def leaves(self, kind: CType, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], CType]]:
        """Yield the path to each scalar of a type."""
        if isinstance(kind, StructRef):
            for f in self.program.structs[kind.tag].fields:
                yield from self.leaves(f.type, (*path, f.name))
        elif isinstance(kind, Array):
            if kind.length > 64:
                raise Unsupported("a copy of an array of more than 64 elements")
            for i in range(kind.length):
                yield from self.leaves(kind.element, (*path, i))
        else:
            yield path, kind


@dataclass(slots=True)
class Memory:
    """The contents of all objects. `regions` is replaced, never changed in place: copies share what they can.

    Forks share what each region is before anything is written, so that their maps have a common origin when they join.
    """

    layout: Layout
    domain: Domain
    inputs: Inputs
    on_write: Callable[[str, Key], None] = lambda region, key: None
    regions: dict[str, Map[Any]] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    _untouched: dict[str, Map[Any]] = field(default_factory=dict)

    def fork(self) -> Memory:
        """Return a copy that may go its own way."""
        return Memory(
            self.layout, self.domain, self.inputs, self.on_write, dict(self.regions), self.written, self._untouched
        )

    def region(self, place: Place) -> Map[Any]:
        """Return the map behind a place, made on first use."""
        found = self.regions.get(place.region)
        if found is None:
            self.layout.kinds[place.region] = place
            if place.region not in self._untouched:
                self._untouched[place.region] = Map(self._base(place), ite=self.domain.choose)
            found = self.regions[place.region] = self._untouched[place.region]
        return found

    def known(self, region: str) -> Map[Any]:
        """Return the map behind a region that this memory or another fork of the same has touched."""
        return self.regions[region] if region in self.regions else self._untouched[region]

    def untouched(self, region: str) -> Map[Any]:
        """Return the map behind a region as it was before anything was written."""
        return self._untouched[region]

    def _base(self, place: Place) -> Callable[[Key], Any]:
        inputs, region, kind = self.inputs, place.region, place.type
        if is_local(region):
            return lambda key: UNINITIALISED
        if place.object in self.layout.program.readonly and place.object in self.layout.program.constants:
            return self._constants(place)
        if place.bitmap:
            return lambda key: inputs.bit(region, key)
        if isinstance(kind, Pointer):
            return lambda key: inputs.pointers(inputs, self.domain, place, key)
        if not isinstance(kind, Int):
            raise Unsupported(f"{region} is read as a scalar")
        return lambda key: _signed(inputs.word(region, key, kind.bits), kind)

    def _constants(self, place: Place) -> Callable[[Key], Any]:
        """Return what reads a region of a table that is never written: what its initialiser says, 0 elsewhere."""
        initial = self.layout.program.constants[place.object].values
        known: dict[Key, Any] = {}
        for path, expr in initial.items():
            at = self.layout.place(Address(place.object, path))
            if at.region == place.region:
                known[at.key] = _constant(expr)
        zero: Any = NULL if isinstance(place.type, Pointer) else 0

        def read(key: Key) -> Any:
            if not any(is_symbolic(k) for k in key):
                return known.get(key, zero)
            if prod(place.bounds) > MOST_CONSTANTS:
                raise Unsupported(
                    f"an unknown index into {place.object}, a table of more than {MOST_CONSTANTS} scalars"
                )
            g = self.domain.guards
            options, rest = [], TRUE
            for at in product(*(range(n) for n in place.bounds)):
                hit = g.of(same(tuple(_term(k) for k in key), tuple(_term(k) for k in at)))
                options.append((g.and_(rest, hit), known.get(at, zero)))
                rest = g.and_(rest, g.not_(hit))
            return self.domain.choice([*options, (rest, zero)])

        return read

    def havoc(self, name: str, tag: str, initialised: bool = True, led: bool = False) -> None:
        """Let anything be in a region from here on, known to the inputs as `name@tag`.

        With `led` its pointers lead where those of the inputs may; else nothing is known of them.
        """
        place, inputs, region = self.layout.kinds[name], self.inputs, f"{name}@{tag}"
        kind, g = place.type, self.domain.guards

        def read(key: Key) -> Any:
            if place.bitmap:
                return inputs.bit(region, key)
            if isinstance(kind, Int):
                value = _signed(inputs.word(region, key, kind.bits), kind)
            elif led:
                value = inputs.pointers(inputs, self.domain, replace(place, region=region), key)
            else:
                return Opaque(f"{label(name, key)}, which a loop changes", lost=True)
            if initialised:
                return value
            given = g.of(inputs.bit(f"{region}?", key))
            return self.domain.choice(((given, value), (g.not_(given), UNINITIALISED)))

        self._put(name, Map(read, ite=self.domain.choose))

    def load(self, address: Address) -> Any:
        """Read the scalar at an address."""
        place = self.layout.place(address)
        region = self.region(place)
        if not place.bitmap:
            return self._as(region[place.key], place.type)
        assert isinstance(place.type, Int)
        prefix, first = place.key[:-1], place.key[-1] * place.type.bits
        bits = [region[(*prefix, first + i)] for i in range(place.type.bits)]
        if not any(is_symbolic(b) for b in bits):
            return wrap(sum(b << i for i, b in enumerate(bits)), place.type)
        return concat(*((z3.If(b, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)) if is_symbolic(b) else int(b), 1)
                        for b in reversed(bits)))  # fmt: skip

    def _as(self, value: Any, kind: CType) -> Any:
        """Return numbers in the range of a type: what a member of a union wrote may be read by one of other sign."""
        if not isinstance(kind, Int):
            return value
        if isinstance(value, int):
            return wrap(value, kind)
        if any(isinstance(v, int) and wrap(v, kind) != v for _, v in self.domain.options(value)):
            return self.domain.each(value, lambda v: _signed(v, kind))
        return value

    def store(self, address: Address, value: Any, guard: int) -> None:
        """Write the scalar at an address, where a guard holds."""
        place = self.layout.place(address)
        region = self.region(place)
        if not place.bitmap:
            self.put(place, place.key, value, guard)
            return
        when = self.domain.guards.term(guard)
        assert isinstance(place.type, Int)
        word = self.domain.word(value, place.type.bits)
        for i in range(place.type.bits):
            key = (*place.key[:-1], place.key[-1] * place.type.bits + i)
            region = region.set(key, bit(word, i), when)
            self.on_write(place.region, key)
        self._put(place.region, region)

    def put(self, place: Place, key: Key, value: Any, guard: int) -> None:
        """Write a scalar at a key of a place's region, where a guard holds."""
        region = self.region(place)
        when = self.domain.guards.term(guard)
        if when is not True and not any(is_symbolic(k) for k in key):
            when, value = True, self.domain.choose(when, value, region[key])
        self._put(place.region, region.set(key, value, when))
        self.on_write(place.region, key)

    def rule(self, place: Place, value: Callable[[Key], Any]) -> None:
        """Write all of a region at once: `value` is asked for each cell that is read."""
        self._put(place.region, self.region(place).where(lambda key: True, value))

    def set_bit(self, place: Place, position: Any, value: bool, guard: int) -> None:
        """Set or clear the bit at a position of a bitmap region, where a guard holds."""
        when = self.domain.guards.term(guard)
        key = (*place.key[:-1], position)
        self._put(place.region, self.region(place).set(key, value, when))
        self.on_write(place.region, key)

    def forget(self, local: str) -> None:
        """Drop the regions of a local whose lifetime begins or ends."""
        for name in [r for r in self.regions if belongs_to(r, local)]:
            del self.regions[name]

    def expire(self, name: str) -> None:
        """End the lifetime of a local, until its next one begins."""
        self.forget(name)
        mark = name + EXPIRED
        alive = self._untouched.setdefault(mark, Map(lambda key: False, ite=self.domain.choose))
        self._put(mark, alive.set((), True, True))

    def doubt(self, mark: str, tag: str) -> None:
        """Let it be unknown from here on whether the lifetime of a local has ended; `mark` says that of it."""
        self.regions[mark] = self._untouched[mark].set((), z3.Bool(f"{mark}@{tag}"), True)

    def expired(self, name: str) -> int:
        """Return the guard under which the lifetime of a local has ended."""
        mark = self.regions.get(name + EXPIRED)
        return FALSE if mark is None else self.domain.guards.of(mark[()])

    def _put(self, name: str, region: Map[Any]) -> None:
        self.regions[name] = region
        if name not in self.written:
            self.written = self.written | {name}


SMALL = 64
"""Keys of at most so many values are told apart one by one."""

Pointers = Callable[["Inputs", Domain, Place, Key], Any]
"""The pointer that a place holds at a key before the function runs, for inputs and over a domain."""


def unknown_pointer(inputs: Inputs, domain: Domain, place: Place, key: Key) -> Any:
    """Say nothing of a pointer but where it stands."""
    return Opaque(label(place.region, key))


@dataclass(slots=True)
class Arbitrary:
    """Inputs of which nothing is known but the invariants that are asked of them.

    Each cell is a constant.  A symbolic key of small range becomes a choice among the cells at plain keys; any
    other is a
    cell of its own, and `relate(fact)` is told that cells of one region with equal keys hold the same.  So every
    question stays within
    the theory of bit-vectors, where solvers are at their best.

    `constrain(region, key, value)` is told of each cell when it is first touched; `cells` keeps them, for the replay.
    `fixed` are the words of which it is assumed what they are: all those of a region, as a number or of the key, and no
    constants.
    """

    constrain: Callable[[str, Key, Any], None]
    relate: Callable[[Any], None]
    pointers: Pointers = unknown_pointer
    small: int = SMALL
    fixed: Mapping[str, Fill] = field(default_factory=dict)
    cells: dict[str, dict[tuple[Any, ...], tuple[Key, Any]]] = field(default_factory=dict)
    _symbolic: dict[str, list[tuple[Key, Any]]] = field(default_factory=dict)
    _aliases: dict[str, dict[tuple[object, ...], tuple[Key, Any]]] = field(default_factory=dict)

    def word(self, region: str, key: Key, bits: int) -> Any:
        """Return the word at a key."""
        if region in self.fixed:
            found = filled(self.fixed, region, key)
            self.constrain(region, key, found)
            return found
        return self._cell(region, key, z3.BitVecSort(bits))

    def bit(self, region: str, key: Key) -> Any:
        """Return the bit at a key."""
        return self._cell(region, key, z3.BoolSort())

    def _cell(self, region: str, key: Key, sort: Any) -> Any:
        symbolic = [i for i, k in enumerate(key) if is_symbolic(k)]
        known = self.cells.setdefault(region, {})
        label = label_of(key)
        alike = known.get(label) or next(iter(known.values()), None)
        if alike is not None and alike[1].sort() != sort:
            raise Unsupported(f"{region} as words of one width, and of another")
        if label in known:
            return known[label][1]
        if len(symbolic) == 1:
            found = span(key[symbolic[0]])
            if found is not None and found[1] - found[0] < self.small:
                return self._among(region, key, symbolic[0], found, sort)
        if symbolic:
            # Two ways to write one key, as C has it and as the model has it, are to be one cell.
            plainest = tuple(z3.simplify(k) if is_symbolic(k) else k for k in key)
            if label_of(plainest) != label:
                aliases = self._aliases.setdefault(region, {})
                if label not in aliases:
                    aliases[label] = (key, self._cell(region, plainest, sort))
                return aliases[label][1]
            name = f"{region}#{len(known)}"
        else:
            name = region if not key else f"{region}({', '.join(str(k) for k in key)})"
        cell = z3.Const(name, sort)
        related = known.values() if symbolic else self._symbolic.get(region, ())
        for other, value in related:
            if any(not is_symbolic(a) and not is_symbolic(b) and a != b for a, b in zip(key, other, strict=True)):
                continue
            equal = same(tuple(_term(k) for k in key), tuple(_term(k) for k in other))
            if equal is not False:
                self.relate(z3.Implies(equal, cell == value))
        if symbolic:
            self._symbolic.setdefault(region, []).append((key, cell))
        known[label] = (key, cell)
        self.constrain(region, key, cell)
        return cell

    def _among(self, region: str, key: Key, at: int, within: tuple[int, int], sort: Any) -> Any:
        low, high = within
        result = self._cell(region, (*key[:at], high, *key[at + 1 :]), sort)
        for k in range(high - 1, low - 1, -1):
            result = z3.If(key[at] == k, self._cell(region, (*key[:at], k, *key[at + 1 :]), sort), result)
        return result


def _term(key: Any) -> Any:
    return key if is_symbolic(key) else z3.BitVecVal(key, 32)


def span(term: Any) -> tuple[int, int] | None:
    """Return the range of an index made by widening a narrow one and adding a constant."""
    if isinstance(term, int):
        return term, term
    if z3.is_bv_value(term):
        return term.as_long(), term.as_long()
    kind = term.decl().kind()
    if kind == z3.Z3_OP_ZERO_EXT:
        return 0, (1 << term.arg(0).size()) - 1
    if kind == z3.Z3_OP_BADD and term.num_args() == 2:
        a, b = span(term.arg(0)), span(term.arg(1))
        if a and b and a[1] + b[1] < 1 << 31:
            return a[0] + b[0], a[1] + b[1]
    return None


Fill = int | Callable[[Key], int]


def filled(fill: Mapping[str, Fill], region: str, key: Key) -> int:
    """Return what a cell holds where nothing else is said."""
    found = fill.get(region, 0)
    return found if isinstance(found, int) else found(key)


@dataclass(slots=True)
class Given:
    """Inputs that are plain numbers: those listed, and elsewhere what `fill` has for the region, else 0.

    `fill` has a number for all keys, or a function of the key.
    `leads` says what pointers hold.  `touched` collects the cells that were read, `widths` how wide they are in each
    region, and `followed` the pointers.
    """

    cells: Mapping[tuple[str, Key], int]
    leads: Pointers = unknown_pointer
    fill: Mapping[str, Fill] = field(default_factory=dict)
    touched: dict[tuple[str, Key], int] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    followed: dict[tuple[str, Key], Any] = field(default_factory=dict)

    def word(self, region: str, key: Key, bits: int) -> int:
        """Return the number at a key."""
        found = self.cells.get((region, key))
        value = (filled(self.fill, region, key) if found is None else found) & ((1 << bits) - 1)
        self.touched.setdefault((region, key), value)
        self.widths[region] = bits
        return value

    def bit(self, region: str, key: Key) -> bool:
        """Return the bit at a key."""
        return bool(self.word(region, key, 1))

    def pointers(self, inputs: Inputs, domain: Domain, place: Place, key: Key) -> Any:
        """Return the pointer at a key of a place."""
        found = self.leads(inputs, domain, place, key)
        self.followed.setdefault((place.region, key), found)
        return found


def _signed(value: Any, kind: Int) -> Any:
    return wrap(value, kind) if isinstance(value, int) else value


def label(region: str, key: Key) -> str:
    """Return what a cell is called."""
    for k in key:
        region = region.replace("[]", f"[{k.sexpr() if is_symbolic(k) else k}]", 1)  # type: ignore[attr-defined]
    return region


def _constant(expr: Expr) -> Any:
    """Return the value of a constant initialiser."""
    match expr:
        case Const(value, kind):
            return NULL if isinstance(kind, Pointer) and value == 0 else value
        case FunctionRef(name):
            return FunctionPointer(name)
        case StringLiteral(text):
            return Opaque(f'"{text}"')
        case AddressOf(lvalue, _, _):
            return Address(*_static(lvalue))
        case Convert(operand, Pointer(), _) if isinstance(operand.type, Pointer):
            return _constant(operand)
    raise Unsupported("a constant that is computed from an address")


def _static(lvalue: LValue) -> tuple[str, tuple[Any, ...]]:
    match lvalue:
        case Global(name):
            return name, ()
        case Member(base, _, name):
            root, path = _static(base)
            return root, (*path, name)
        case Element(base, Const(index), _):
            root, path = _static(base)
            return root, (*path, index)
    raise Unsupported("a constant that is no address of an object at file scope")
