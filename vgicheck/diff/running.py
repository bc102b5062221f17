"""Running one function in two programs: the pair, and how a run of either ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import z3

from proofs.bindings import vgic

from ..c.binding import Invariant
from ..c.domain import Search
from ..c.effects import Effects, finished
from ..c.intrinsics import INTRINSICS
from ..c.ir import CType, Function, Loc, bits_of
from ..c.memory import INDEX, Fill, Inputs, Pointers, is_local, viewed_as_bits
from ..c.standins import StandIns
from ..c.summary import MOST_STEPS, Evaluator, State
from ..check.reading import Reading
from ..engine.guards import FALSE, Guards
from ..engine.maps import Key
from ..engine.portfolio import Portfolio
from ..engine.values import is_symbolic
from ..engine.verdict import Assumption
from .program import holders

SAME = "equivalent"
ORDER = "same-order"
UNDEFINED = ("in-bounds", "no-undefined", "bug-on-unreachable")
"""The rules past which a run means nothing: it is not compared."""
Invariants = Mapping[str, list[Invariant]]
"""What is assumed of the cells of each region."""


@dataclass(frozen=True, slots=True)
class Half:
    """A function of one of the two programs."""

    reading: Reading
    name: str
    in_interrupt: bool

    @property
    def function(self) -> Function:
        """The function, lowered."""
        return self.reading.program.functions[self.name]


@dataclass(frozen=True, slots=True)
class Pair:
    """A function in the old and the new program, to be compared."""

    old: Half
    new: Half
    portfolio: Portfolio
    renamed: Mapping[str, str] = field(default_factory=dict)
    """The new names of the functions of the old program that have others."""

    @property
    def by_words(self) -> bool:
        """Whether bitmaps are looked at by words: where not both programs declare the same ones."""
        old, new = (
            {name for tag in viewed_as_bits(program) for name in holders(program, tag)}
            for program in (half.reading.program for half in (self.old, self.new))
        )
        return old != new

    @property
    def leads(self) -> Pointers:
        """What pointers in memory lead to, in both."""
        return vgic.leads(self.old.reading.program, self.new.reading.program)

    @property
    def fill(self) -> Mapping[str, Fill]:
        """What plain runs start from where nothing else is needed."""
        return {**vgic.fill(self.old.reading.program), **vgic.fill(self.new.reading.program)}

    @property
    def kinds(self) -> tuple[list[CType], list[CType]]:
        """The types of the parameters, of the old function and of the new one."""
        old, new = ([half.function.locals[p] for p in half.function.params] for half in (self.old, self.new))
        return old, new

    @property
    def parameters(self) -> tuple[tuple[str, CType], ...]:
        """What both are called with: the old parameters, each of the narrower type where one became wider."""
        kinds = [min(k, key=bits_of) for k in zip(*self.kinds, strict=True)]
        return tuple(zip(self.old.function.params, kinds, strict=True))

    @property
    def narrowed(self) -> tuple[Assumption, ...]:
        """What is taken for granted of parameters that are wider in one of the two."""
        return tuple(
            Assumption(f"{name} fits in {bits_of(kind)} bits", f"the callers of {self.subject}")
            for (name, kind), *both in zip(self.parameters, *self.kinds, strict=True)
            if bits_of(both[0]) != bits_of(both[1])
        )

    @property
    def subject(self) -> str:
        """Its name, the new one where it has two."""
        return self.new.name


@dataclass(frozen=True, slots=True)
class End:
    """How an evaluation ended. `broken` has by rule the guard under which it is, and of plain runs where."""

    half: Half
    evaluator: Evaluator
    state: State
    result: Any
    effects: Effects
    broken: Mapping[str, int]
    where: tuple[tuple[str, Loc, str], ...]

    @property
    def defined(self) -> int:
        """The guard under which the function returns and does nothing undefined."""
        g = self.evaluator.guards
        bad = g.any(self.broken.get(kind, FALSE) for kind in UNDEFINED)
        return g.and_(self.state.path, g.not_(bad))


def invariants(pair: Pair, of_the_state: bool) -> Invariants:
    """List what the binding says of either program; what it says of the VGIC's own state only if asked for."""
    found: dict[str, list[Invariant]] = {}
    for half in (pair.old, pair.new):
        program = half.reading.program
        state = {(i.region, i.text) for i in vgic.representation(program)}
        for i in vgic.invariants(program, vgic.Context(half.name, half.in_interrupt)):
            same = found.setdefault(i.region, [])
            if (of_the_state or (i.region, i.text) not in state) and all(i.text != k.text for k in same):
                same.append(i)
    return found


def run(
    pair: Pair,
    half: Half,
    inputs: Inputs,
    guards: Guards,
    feasible: Callable[[Any], bool] = bool,
    standins: StandIns | None = None,
    most_steps: int = MOST_STEPS,
    given: Callable[[Evaluator], Sequence[Any]] | None = None,
) -> End:
    """Evaluate one of the two. Parameters are called what the old ones are, whose arguments they are given.

    With arguments that are `given`, it is part of a run of which nothing else is known.
    Raises `Unsupported` for what is not understood.
    """
    e = Evaluator(
        half.reading.program,
        inputs,
        INTRINSICS,
        feasible,
        ours=half.reading.others,
        follows_unset=True,
        by_words=pair.by_words,
        bitmaps=vgic.BITMAPS,
        watched=vgic.WATCHED,
        standins=standins,
        most_steps=most_steps,
        guards=guards,
    )
    e.layout.objects.update(vgic.objects(half.reading.program))
    kinds = [half.function.locals[p] for p in half.function.params]

    def arguments() -> list[Any]:
        return [
            e.domain.convert(vgic.argument(e.inputs, e.layout, name, given, half.in_interrupt), given, kind)
            for (name, given), kind in zip(pair.parameters, kinds, strict=True)
        ]

    if given is None:
        state, result = e.from_function(half.name, arguments)
    else:
        state, result = e.from_function(half.name, partial(given, e), Effects.unknown())
    if isinstance(result, Search):
        result = e.resolved(result)
    broken: dict[str, int] = {}
    for claim in e.claims:
        fails = guards.and_(claim.path, guards.not_(claim.holds))
        broken[claim.kind] = guards.or_(broken.get(claim.kind, FALSE), fails)
    where = tuple((c.kind, c.loc, c.text) for c in e.claims)
    return End(half, e, state, result, finished(e, state), broken, where)


def written(old: End, new: End) -> Iterator[tuple[str, Key]]:
    """Yield the cells that either wrote; where something stood in, one more of the region, whichever it is."""
    for name in sorted(old.state.memory.written | new.state.memory.written):
        if not is_local(name):
            keys: dict[Any, Key] = {}
            for end in (old, new):
                region = end.state.memory.regions.get(name)
                for _, key, _ in region.written() if region is not None else ():
                    keys.setdefault(tuple(k.get_id() if is_symbolic(k) else (k,) for k in key), key)  # type: ignore[attr-defined]
            yield from ((name, key) for key in keys.values())
            if any(r.ruled for end in (old, new) if (r := end.state.memory.regions.get(name)) is not None):
                yield name, tuple(z3.BitVec(f"any {name} {n}", INDEX.bits) for n in range(name.count("[]")))
