"""Two plain runs from one state: what tells them apart, in the kernel's words.

They are asked first, from states near that of a new VM: a difference that is easy to meet needs no solver.  And they
are asked last: no difference is believed that two of them do not show.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from proofs.bindings import vgic

from ..c.domain import Address, Uninitialised
from ..c.ir import Loc, Unsupported, Void, bits_of
from ..c.memory import Fill, Given, Pointers, filled
from ..c.shrink import Cells, shrunk
from ..engine.guards import FALSE, Guards
from ..engine.maps import Key
from ..engine.verdict import Change, Location, Run, Value
from .running import ORDER, SAME, UNDEFINED, End, Invariants, Pair, run, written

TRIES = 320
"""Plain states from which both are run; from the second half of them with something in the list registers."""
REPAIRS = 4
"""Runs to find a state like another that satisfies what is assumed of all the cells that are read."""
LIKELY = (0, 1, 2, 4, vgic.LR_EMPTY)
WORD = 0xFFFF_FFFF
_Ran = tuple[End, End, Cells]


@dataclass(slots=True)
class Tried:
    """What came of the plain runs.

    apart     by what is asked, a state in which the two differ, and whether it is an ordinary one
    returned  whether there was a state from which both return
    """

    apart: dict[str, tuple[Cells, bool]] = field(default_factory=dict)
    returned: bool = False


@dataclass(slots=True)
class PlainRuns:
    """Both functions run over plain numbers, from states that satisfy what is assumed.

    `tries` is how many states are tried, and `seed` which.
    """

    pair: Pair
    invariants: Invariants
    tries: int = TRIES
    seed: str = ""
    names: vgic.Names = field(default_factory=vgic.Names)
    _leads: Pointers = field(init=False)
    _fill: Mapping[str, Fill] = field(init=False)

    def __post_init__(self) -> None:
        self._leads, self._fill = self.pair.leads, self.pair.fill

    def tried(self) -> Tried:
        """Run both from the state that a new VM is in and from others near it, the same ones each time.

        A state that leads to lines not run before is where the next ones start.
        """
        found, chance = Tried(), random.Random(self.pair.subject + self.seed)
        seen: set[tuple[bool, Loc]] = set()
        worth: list[tuple[Cells, Cells]] = []
        for n in range(self.tries):
            ordinary = 2 * n < self.tries
            near = self._near(*chance.choice(worth), ordinary, chance) if worth else {}
            ran = self._ran_from(near, ordinary)
            if ran is None and not worth:
                break
            if ran is None:
                continue
            cells, (old, new, touched) = ran
            ended = all(e.state.path != FALSE and not any(k in UNDEFINED for k, _, _ in e.where) for e in (old, new))
            found.returned = found.returned or ended
            for kind in (SAME, ORDER):
                if kind not in found.apart and any(self._differences(kind, old, new)):
                    found.apart[kind] = cells, ordinary or self._all_legal({**cells, **touched}, True)
            if SAME in found.apart:
                break
            lines = {(e is new, loc) for e in (old, new) for loc in e.evaluator.trace}
            if lines - seen:
                worth.append((cells, touched))
                seen |= lines
        return found

    def _near(self, cells: Cells, touched: Cells, ordinary: bool, chance: random.Random) -> Cells:
        """Return another state: some of the cells that a run read hold something else, of few regions or of many."""
        near = dict(cells)
        by_region: dict[str, list[Key]] = {}
        for region, key in sorted(touched, key=str):
            by_region.setdefault(region, []).append(key)
        regions = list(by_region)
        for region in chance.sample(regions, min(len(regions), 1 << chance.randrange(4))):
            for key in chance.sample(by_region[region], min(len(by_region[region]), 1 << chance.randrange(3))):
                value = chance.choice(
                    (0, 1, 1 << chance.randrange(32), chance.getrandbits(8), ~touched[region, key] & WORD)
                )
                if self._legal(region, key, value, ordinary):
                    near[region, key] = value
        return near

    def _legal(self, region: str, key: Key, value: int, ordinary: bool) -> bool:
        rules = [i.holds for i in self.invariants.get(region, ())]
        if ordinary and region in vgic.QUIET:
            rules.append(vgic.QUIET[region])
        return all(holds(key, value) is True for holds in rules)

    def _ran_from(self, cells: Cells, ordinary: bool) -> tuple[Cells, _Ran] | None:
        """Run both from a legal state like the one given; return it, and the runs, or None where none is found."""
        for _ in range(REPAIRS):
            ran = self._ran(cells)
            if ran is None:
                return None
            wrong = [c for c, v in {**cells, **ran[2]}.items() if not self._legal(*c, v, ordinary)]
            if not wrong:
                return cells, ran
            right = {c: next((v for v in LIKELY if self._legal(*c, v, ordinary)), None) for c in wrong}
            cells = {**cells, **{c: v for c, v in right.items() if v is not None}}
        return None

    def _ran(self, cells: Cells) -> _Ran | None:
        """Run both; return how they end and the cells that they read, or None where one is not understood."""
        given = [Given(cells, self._leads, self._fill) for _ in range(2)]
        halves = self.pair.old, self.pair.new
        try:
            old, new = (run(self.pair, h, i, Guards()) for h, i in zip(halves, given, strict=True))
        except Unsupported:
            return None
        if any(given[1].widths.get(region, width) != width for region, width in given[0].widths.items()):
            return None
        return old, new, {**given[0].touched, **given[1].touched}

    def _all_legal(self, cells: Cells, ordinary: bool) -> bool:
        return all(self._legal(*cell, value, ordinary) for cell, value in cells.items())

    def shown(self, kind: str, cells: Cells, ordinary: bool) -> tuple[Run, Cells] | None:
        """Run both from plain cells; return what tells them apart, and the cells that the runs read."""
        ran = self._ran(cells)
        if ran is None or not self._all_legal({**cells, **ran[2]}, ordinary):
            return None
        old, new, touched = ran
        changes = tuple(self._differences(kind, old, new))
        if not changes:
            return None
        inputs = tuple(
            Value(self.names.name(*cell), number(value))
            for cell, value in sorted(touched.items(), key=lambda item: self.names.name(*item[0]))
            if value and value != filled(self._fill, *cell)
        )
        first = changes[0]
        return Run(
            violated=f"{first.name}: {first.before} before, {first.after} now",
            inputs=inputs,
            changes=changes,
            fault=_first_line(old, new),
            path=tuple(dict.fromkeys(step.line for step in new.evaluator.trace)),
            returned=new.state.path != FALSE,
            replayed=("python",),
        ), touched

    def _differences(self, kind: str, old: End, new: End) -> Iterator[Change]:
        """Yield what two plain runs do not do alike, as what the old one does and what the new one."""
        if kind == SAME:
            broken = [{k: (loc, text) for k, loc, text in end.where} for end in (old, new)]
            undefined = [any(k in UNDEFINED for k in b) for b in broken]
            for rule in sorted(broken[0].keys() | broken[1].keys()):
                counts = undefined[0] != undefined[1] if rule in UNDEFINED else (rule in broken[0]) != (
                    rule in broken[1])  # fmt: skip
                if counts:
                    yield _unequal(rule, [_breaks(b.get(rule), self.names) for b in broken])
            if any(undefined):
                return
        elif any(k in UNDEFINED for end in (old, new) for k, _, _ in end.where):
            return
        if (old.state.path == FALSE) != (new.state.path == FALSE):
            if kind == SAME:
                yield _unequal("it returns", ["no" if e.state.path == FALSE else "yes" for e in (old, new)])
            return
        if kind == ORDER:
            yield from _first_event(old.effects.order, new.effects.order, self.names)
            return
        if not isinstance(self.pair.old.function.result, Void):
            results = [_plain_word(e.result, bits_of(self.pair.old.function.result)) for e in (old, new)]
            if results[0] != results[1] and not _one_place(old, new):
                yield _unequal("the result", [number(r) for r in results])
        yield from _first_event(old.effects.calls, new.effects.calls, self.names)
        for name, key in written(old, new):
            values = []
            for end in (old, new):
                region = end.state.memory.regions.get(name)
                place = old.evaluator.layout.kinds.get(name) or new.evaluator.layout.kinds[name]
                region = region if region is not None else end.state.memory.region(replace(place, region=name))
                values.append(_plain_word(region[key], bits_of(place.type)))
            if values[0] != values[1]:
                yield _unequal(self.names.name(name, key), [number(v) for v in values])

    def smallest(self, kind: str, cells: Cells, ordinary: bool) -> tuple[Cells, Run]:
        """Make cells what a run has anyway, or as few bits as can be, where the two still differ."""
        best, _ = shrunk(cells, lambda some: self.shown(kind, some, ordinary), lambda shown: shown[1])
        return best[1], best[0]


def _unequal(what: str, values: Sequence[str]) -> Change:
    old, new = values
    return Change(what, old, new, matters=True)


def _plain_word(value: Any, bits: int) -> Any:
    if isinstance(value, Uninitialised):
        return 0
    return value & ((1 << bits) - 1) if isinstance(value, int) and bits else value


def _one_place(old: End, new: End) -> bool:
    """Say whether two runs return pointers to one byte, which two layouts may call by two names."""
    places = [end.result for end in (old, new)]
    if not all(isinstance(p, Address) for p in places) or places[0].object != places[1].object:
        return False
    offsets = [end.evaluator.layout.offset(end.result, end.evaluator.domain) for end in (old, new)]
    return bool(offsets[0] == offsets[1])


def number(value: Any) -> str:
    """Write a value: small numbers as they are, others in hexadecimal."""
    if isinstance(value, int):
        return str(int(value)) if value < 256 else f"{value:#x}"
    return str(value)


def _breaks(found: tuple[Loc, str] | None, names: vgic.Names) -> str:
    return "kept" if found is None else f"broken at line {found[0].line}: {names.spoken(found[1])}"


def _first_event(old: Sequence[Any], new: Sequence[Any], names: vgic.Names) -> Iterator[Change]:
    """Yield the first event that two plain runs do not have in common."""
    for n in range(max(len(old), len(new))):
        a, b = (chain[n] if n < len(chain) else None for chain in (old, new))
        if a == b:
            continue
        if a is not None and b is not None and a[:2] == b[:2]:
            name = f"what is done by the time of {_said(a)}"
            left, right = (", ".join(sorted(_cell(c, names) for c in x - y)) or "nothing else"
                           for x, y in ((a[2], b[2]), (b[2], a[2])))  # fmt: skip
            yield Change(name, left, right, True)
        else:
            yield Change("lock, barrier or call", _said(a), _said(b), True)
        return


def _said(event: Any) -> str:
    if event is None:
        return "none"
    name, args, _ = event
    return "return" if name == "return" else f"{name}({', '.join(vgic.Names().spoken(number(a)) for a in args)})"


def _cell(cell: tuple[Any, ...], names: vgic.Names) -> str:
    if len(cell) == 2:
        return f"{cell[0]}() on {names.spoken(cell[1])}"
    return f"{names.name(cell[0], cell[1])} = {number(cell[2])}"


def _first_line(old: End, new: End) -> Location:
    """Return the first line of the new run at which the two do not take the same text any more, or its last."""
    texts = [[(step, _text(end, step)) for step in end.evaluator.trace] for end in (old, new)]
    for n, (step, text) in enumerate(texts[1]):
        if n >= len(texts[0]) or texts[0][n][1] != text:
            return Location(step.file, step.line)
    last = texts[1][-1][0] if texts[1] else new.half.function.loc
    return Location(last.file, last.line)


def _text(end: End, loc: Loc) -> str:
    return " ".join(end.half.reading.lines.get((loc.file, loc.line), "").split())
