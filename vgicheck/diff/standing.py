"""What two programs have in common that is worth not looking into: functions and loops of the same text, and loops of
which a turn does the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..c.flow import Loop, shape
from ..c.ir import Block, Function, Program, Unsupported, parts
from ..c.outline import Outlined, Turn, outlined, turns
from ..c.standins import StandIns, Twins
from ..engine.cache import digest_of
from .program import Forms
from .running import Half, Pair
from .turns import Turns

_Labelled = dict[int, tuple[str, Outlined]]
"""By their heads the loops of a function, in the order in which they stand there, each with what its text is called."""


def standing(pair: Pair, turned: bool = True) -> tuple[StandIns, StandIns]:
    """Return what need not be run where two functions are compared.

    These are the loops, and the functions that get to a loop, of which the other program has one of the same text, with
    all that it gets to.  If `turned`, of loops of other texts each is held against the one in its place in the other
    program, and something stands in for both where a turn of them does the same.
    """
    found = _Standing.of(pair, turned)
    here = [found.reached(side) for side in (0, 1)]
    labels = [found.called(side, here[side]) for side in (0, 1)]
    both = {*labels[0].values()} & {*labels[1].values()}
    for stand, called in zip(found.stand, labels, strict=True):
        stand.functions.update({name: label for name, label in called.items() if label in both})
    found.match(*here)
    return found.stand


@dataclass(slots=True)
class _Standing:
    """What stands in in either program; of pairs the old comes first."""

    pair: Pair
    forms: tuple[Forms, Forms]
    stand: tuple[StandIns, StandIns]
    turned: bool

    @classmethod
    def of(cls, pair: Pair, turned: bool) -> _Standing:
        forms = Forms(pair.old.reading.program, pair.renamed), Forms(pair.new.reading.program)
        twins: dict[str, Twins] = {}
        return cls(pair, forms, (StandIns({}, {}, twins), StandIns({}, {}, twins)), turned)

    def reached(self, side: int) -> list[Function]:
        """List the functions that are run, but for those that are not known."""
        forms, root = self.forms[side], (self.pair.old, self.pair.new)[side].name
        return [forms.program.functions[f] for f in sorted(forms.reaches(root)) if f in forms.program.functions]

    def called(self, side: int, functions: Iterable[Function]) -> dict[str, str]:
        """Return what the texts of those functions are called that get to a loop."""
        forms, root = self.forms[side], (self.pair.old, self.pair.new)[side].name
        loops = {f.name for f in functions if _loops(f)}
        return {
            f.name: f"{forms.renamed.get(f.name, f.name)}() {digest_of(repr(forms.whole(f.name)))[:16]}"
            for f in functions
            if f.name != root and loops & forms.reaches(f.name)
        }

    def match(self, old: Iterable[Function], new: Iterable[Function]) -> None:
        """Let something stand in for the loops of some functions."""
        found = [{f.name: self._labelled(n, f) for f in functions} for n, functions in enumerate((old, new))]
        labels = [{label for loops in of.values() for label, _ in loops.values()} for of in found]
        both, left = labels[0] & labels[1], []
        for stand, of in zip(self.stand, found, strict=True):
            at = {(name, head): known for name, loops in of.items() for head, known in loops.items()}
            stand.loops.update({place: known for place, known in at.items() if known[0] in both})
            left.append({
                name: {head: loop for head, (label, loop) in loops.items() if label not in both}
                for name, loops in of.items()
            })  # fmt: skip
        for name, loops in left[0].items():
            other = self.pair.renamed.get(name, name)
            others = left[1].get(other, {})
            if self.turned and len(loops) == len(others):
                for (a, one), (b, two) in zip(loops.items(), others.items(), strict=True):
                    self._twins((name, a), one, (other, b), two)

    def _labelled(self, side: int, function: Function) -> _Labelled:
        forms, labelled = self.forms[side], {}
        for head, loop in _loops(function).items():
            whole = outlined(function, loop)
            if whole is not None:
                calls = sorted(repr(forms.whole(c)) for c in forms.used(whole.function))
                digest = digest_of(repr((forms.text(whole.function), calls)))
                labelled[head] = f"loop {digest[:16]}", whole
        return labelled

    def _twins(self, at: tuple[str, int], old: Outlined, there: tuple[str, int], new: Outlined) -> None:
        """Let something stand in for two loops once a turn of them is seen to do the same."""
        found = turns(old, new)
        if found is None:
            return
        label = f"{old.function.name} or {new.function.name}"
        halves = [_half(half, turn) for half, turn in zip((self.pair.old, self.pair.new), found, strict=True)]
        names = {**self.pair.renamed, halves[0].name: halves[1].name}
        pair = Pair(halves[0], halves[1], self.pair.portfolio, names)
        self.stand[0].loops[at] = label, found[0].loop
        self.stand[1].loops[there] = label, found[1].loop
        self.stand[0].twins[label] = Turns(pair, self.stand)
        replace(self, pair=pair).match([found[0].function], [found[1].function])


def _half(half: Half, turn: Turn) -> Half:
    """Return a turn of a loop as a function of a program."""
    program = half.reading.program
    functions = {**program.functions, turn.function.name: turn.function}
    known = replace(program, functions=functions, globals={**program.globals, **turn.carried})
    return replace(half, reading=replace(half.reading, program=known), name=turn.function.name)


def runs_no_loop(program: Program, root: str, stand: StandIns | None = None) -> bool:
    """Say whether a function runs no loop, in whatever it gets to, but those for which something stands in for sure."""
    forms, seen, pending = Forms(program), {root}, [root]
    while pending:
        name = pending.pop()
        function = program.functions.get(name)
        if function is None:
            continue
        loops = _loops(function)
        inner = {b for head, loop in loops.items() if stand and stand.is_certain(name, head) for b in loop.blocks}
        if not inner.issuperset(loops):
            return False
        left = replace(function, blocks=[Block() if n in inner else b for n, b in enumerate(function.blocks)])
        called = forms.used(left) - (stand.functions.keys() if stand else frozenset())
        pending.extend(called - seen)
        seen |= called
    return True


def _loops(function: Function) -> Mapping[int, Loop]:
    """Return the loops of a function by their heads, in the order in which they were written."""
    try:
        found = shape(function).loops
    except Unsupported:
        return {}
    return {head: found[head] for head in sorted(found, key=lambda head: (_line(function, found[head]), head))}


def _line(function: Function, loop: Loop) -> int:
    """Return the first line of a loop."""
    return min((i.loc.line for b in loop.blocks for i in parts(function.blocks[b]) if hasattr(i, "loc")), default=0)
