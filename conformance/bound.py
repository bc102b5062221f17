"""Bound functions of a whole file on random states: compiled C, the evaluator over plain numbers, and the model.

A state is drawn cell by cell, as a run first looks at it, so that what is drawn is what decides; each cell satisfies
what the binding assumes of it.  All runs of a function are compiled once, with every cell of any of them as an input:
what one run did not look at is drawn as well, and must not matter in C either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import z3

from model.distributor import MAX_CPUS, NR_LRS, NR_PRIVATE_IRQS
from model.generation import Switches
from proofs.bindings.vgic import nr_irqs
from properties.property import At
from vgicheck.c import lvalues
from vgicheck.c.binding import Bound, Invariant, View
from vgicheck.c.explain import untouched
from vgicheck.c.intrinsics import INTRINSICS
from vgicheck.c.ir import Int, Pointer
from vgicheck.c.judge import differences
from vgicheck.c.lvalues import Target
from vgicheck.c.memory import Given, Layout, is_local
from vgicheck.c.native import NativeProgram, NativeResult, compile_unit
from vgicheck.c.replay import RESULT, UNDEFINED
from vgicheck.c.summary import Evaluator, Summary
from vgicheck.check.reading import Reading
from vgicheck.engine.guards import TRUE
from vgicheck.engine.maps import Key

from .draws import POOL, allowed

Cell = tuple[str, Key]
DENSITIES = (None, 5, 1, 0)
"""How rare the set bits of a region are: one in so many powers of two, or none; each state has its own for each region.
What is least comes first, as shrinking wants it.
"""
TO, GIVEN, PLACES = "vgicheck_to", "vgicheck_given", "vgicheck_places"
"""Where a native run finds which of the places each pointer leads to, and its arguments."""


@dataclass(slots=True)
class Pools:
    """Random values of which what is assumed holds, found once for all states."""

    random: Random
    invariants: Mapping[str, Sequence[Invariant]]
    _known: dict[tuple[str, int], list[int]] = field(default_factory=dict)

    def draw(self, cell: Cell, bits: int, rarity: int | None) -> int:
        """Return a value of so many bits for a cell."""
        region, key = cell
        assumed = self.invariants.get(region, ())
        value = 0 if rarity is None else (1 << bits) - 1
        for _ in range(rarity or 0):
            value &= self.random.getrandbits(bits)
        if all(i.holds(key, value) is True for i in assumed):
            return value
        if bits == 1:
            return value ^ 1
        x = z3.BitVec("x", bits)
        fact = z3.And(*(i.holds(key, x) for i in assumed)).sexpr()
        if (fact, bits) not in self._known:
            seed = self.random.getrandbits(32)
            self._known[fact, bits] = sorted(allowed(Random(seed), assumed, key, x, POOL))
        return self.random.choice(self._known[fact, bits])


@dataclass(slots=True)
class Drawn(Given):
    """Inputs that are drawn when they are first looked at."""

    pools: Pools | None = None
    _rarities: dict[str, int | None] = field(default_factory=dict)

    def word(self, region: str, key: Key, bits: int) -> int:
        """Return the number at a key."""
        assert isinstance(self.cells, dict) and self.pools is not None
        if (region, key) not in self.cells:
            if region not in self._rarities:
                self._rarities[region] = self.pools.random.choice(DENSITIES)
            self.cells[region, key] = self.pools.draw((region, key), bits, self._rarities[region])
        return Given.word(self, region, key, bits)


@dataclass(frozen=True, slots=True)
class Ran:
    """A run of the evaluator from a drawn state."""

    given: Drawn
    arguments: Sequence[Any]
    layout: Layout
    end: Summary
    modelled: bool
    """Whether it was held against the model: what the binding assumes of several cells holds as well."""
    broken: tuple[str, ...]
    """What the model says otherwise."""

    @property
    def trap(self) -> str | None:
        """The check of the C that fails, if one does."""
        return next((f"{c.kind}: {c.text}" for c in self.end.claims), None)


def by_region(invariants: Sequence[Invariant]) -> dict[str, list[Invariant]]:
    """Return what is assumed of the cells of each region."""
    found: dict[str, list[Invariant]] = {}
    for i in invariants:
        found.setdefault(i.region, []).append(i)
    return found


def runs(reading: Reading, bound: Bound, switches: Switches, random: Random, count: int) -> Iterator[Ran]:
    """Yield so many runs from random states; those that do what C leaves undefined are left out."""
    pools = Pools(random, by_region(bound.invariants))
    while count:
        given = Drawn({}, bound.pointers, pools=pools)
        e = Evaluator(reading.program, given, INTRINSICS, bool, ours=reading.others, bitmaps=bound.bitmaps)
        arguments = bound.arguments(given)
        end = e.summarise(bound.entry, None, partial(bound.arguments, given))
        if any(c.kind in UNDEFINED for c in end.claims):
            continue
        modelled, broken = _held(bound, switches, end, random, nr_irqs(reading.program))
        count -= 1
        yield Ran(given, arguments, e.layout, end, modelled, tuple(broken))


def _held(bound: Bound, switches: Switches, end: Summary, random: Random, irqs: int) -> tuple[bool, Sequence[str]]:
    """Hold a run against the model, at some indices."""
    before = View(untouched(end)).state(bound.abstract)
    if end.claims or end.returns != TRUE or not all(fact is True for fact, _ in bound.related(before)):
        return False, ()
    assert bound.transition is not None
    wanted, found = bound.transition(before, switches), View(end.after, end.result).state(bound.abstract)
    intids = [random.randrange(NR_PRIVATE_IRQS), *(random.randrange(NR_PRIVATE_IRQS, irqs) for _ in range(3))]
    at = [At(random.randrange(NR_LRS), i, random.randrange(MAX_CPUS), 0, 0, random.randrange(MAX_CPUS)) for i in intids]
    return True, [text for a in at for text, holds in differences(wanted, found, a) if holds is not True]


# Compiled C --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Harness:
    """A function with all cells of some runs.

    `declared` goes behind the source.  `expected` has of each run its vector and what it leaves, `widths` how many bits
    of each output count.
    """

    declared: list[str]
    inputs: list[str]
    call: str
    outputs: list[str]
    expected: list[tuple[list[int], NativeResult]]
    widths: list[int]

    def differences(self, compiled: Sequence[NativeResult]) -> list[str]:
        """Tell where compiled C does not do what the evaluator says."""
        found = []
        for n, (native, (_, wanted)) in enumerate(zip(compiled, self.expected, strict=True)):
            if native.trap != wanted.trap:
                found.append(f"run {n}: {native.trap}, the evaluator {wanted.trap}")
            for what, bits, a, b in zip(self.outputs, self.widths, native.values, wanted.values, strict=False):
                if a & ((1 << bits) - 1) != b:
                    found.append(f"run {n}: {what} is {a & ((1 << bits) - 1):#x}, the evaluator {b:#x}")
        return found

    @property
    def vectors(self) -> list[list[int]]:
        """What a native run of each of the runs is given."""
        return [vector for vector, _ in self.expected]

    def compiled(self, reading: Reading, source: str = "", optimise: int = 2) -> AbstractContextManager[NativeProgram]:
        """Compile it behind a source, by default the one that was read."""
        text = "\n".join([source or reading.text, *self.declared])
        defines = {**reading.defines, "VGICHECK_NATIVE": "1"}
        return compile_unit(text, self.inputs, self.call, self.outputs, optimise=optimise, defines=defines)


def harness(reading: Reading, bound: Bound, ran: Sequence[Ran]) -> Harness:
    """Put a function, and all that some runs of it met, into one text."""
    layout = _layout(ran)
    cells = _cells(layout, ran)
    pointers = {at: lvalue for r in ran for at in r.given.followed if (lvalue := lvalues.pointer(layout, *at))}
    opaque: dict[str, int] = {}
    places = {"(void *)0": 0}

    def place(found: Any) -> int:
        return places.setdefault(lvalues.value(found, opaque), len(places))

    vectors = []
    for r in ran:
        words: dict[str, int] = {}
        for cell, at in cells.items():
            words[at.lvalue] = words.get(at.lvalue, 0) | _drawn(r, cell, at) << (at.bit or 0)
        leads = [place(r.given.followed[at]) if at in r.given.followed else 0 for at in pointers]
        vectors.append([*words.values(), *leads, *(a if isinstance(a, int) else place(a) for a in r.arguments)])
    lvalues_of_words = list(dict.fromkeys(at.lvalue for at in cells.values()))
    numbers = [isinstance(a, int) for a in ran[0].arguments]
    arguments = [f"{GIVEN}[{n}]" if plain else f"{PLACES}[{GIVEN}[{n}]]" for n, plain in enumerate(numbers)]
    result = reading.program.functions[bound.entry].result
    outputs, widths = [at.expression for at in cells.values()], [at.width for at in cells.values()]
    call = f"{bound.entry}({', '.join(arguments)})"
    if isinstance(result, Int):
        call, outputs, widths = f"{RESULT} = {call}", [*outputs, RESULT], [*widths, result.bits]
    sets = [f"{lvalue} = {PLACES}[{TO}[{n}]]" for n, lvalue in enumerate(pointers.values())]
    own = [lvalues.declaration(layout, name) for name in layout.objects if not is_local(name)]
    return Harness(
        [
            *own,
            f"static unsigned long {TO}[{len(pointers) + 1}];",
            f"static unsigned long long {GIVEN}[{len(numbers) + 1}];",
            f"static void *const {PLACES}[] = {{ {', '.join(places)} }};",
        ],
        [
            *lvalues_of_words,
            *(f"{TO}[{n}]" for n in range(len(pointers))),
            *(f"{GIVEN}[{n}]" for n in range(len(numbers))),
        ],
        ", ".join([*sets, call]),
        outputs,
        [(v, _left(r, cells, result)) for v, r in zip(vectors, ran, strict=True)],
        widths,
    )


def _layout(ran: Sequence[Ran]) -> Layout:
    """Return the layout of the first run, with all that any of them touched."""
    layout = ran[0].layout
    for r in ran:
        layout.kinds.update(r.layout.kinds)
    return layout


def _cells(layout: Layout, ran: Sequence[Ran]) -> dict[Cell, Target]:
    """Find the cells that any run looked at or wrote in the C."""
    found: dict[Cell, None] = {}
    for r in ran:
        found |= dict.fromkeys(r.given.touched)
        for region in sorted(r.end.after.written):
            if not is_local(region) and not isinstance(layout.kinds[region].type, Pointer):
                found |= dict.fromkeys((region, key) for _, key, _ in r.end.after.regions[region].written())
    cells = {}
    for region, key in found:
        place = layout.kinds.get(region)
        if place is not None and (at := lvalues.target(layout, region, key, _bits(place.type))) is not None:
            cells[region, key] = at
    return cells


def _bits(kind: Any) -> int:
    assert isinstance(kind, Int)
    return kind.bits


def _drawn(r: Ran, cell: Cell, at: Target) -> int:
    value = r.given.word(*cell, at.width)
    return value & 1 if at.is_bool else value


def _left(r: Ran, cells: Mapping[Cell, Target], result: Any) -> NativeResult:
    if r.trap is not None:
        return NativeResult(trap=r.trap)
    values = []
    for (region, key), at in cells.items():
        memory = r.end.after
        left = memory.regions[region][key] if region in memory.regions else r.given.word(region, key, at.width)
        values.append(int(left) & ((1 << at.width) - 1))
    if isinstance(result, Int):
        values.append(int(r.end.result) & ((1 << result.bits) - 1))
    return NativeResult(tuple(values))


def compare(
    reading: Reading,
    bound: Bound,
    switches: Switches,
    random: Random,
    count: int,
    source: str = "",
    optimise: int = 2,
) -> tuple[list[Ran], list[str]]:
    """Run a function on so many random states; return the runs, and what disagrees.

    With a `source` that text is compiled, not the one that was read.
    """
    ran = list(runs(reading, bound, switches, random, count))
    made = harness(reading, bound, ran)
    found = [f"run {n}: the model: {text}" for n, r in enumerate(ran) for text in r.broken]
    with made.compiled(reading, source, optimise) as program:
        return ran, [*found, *made.differences(program.run_many(made.vectors))]
