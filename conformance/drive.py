"""A bound function of a whole file driven in compiled C, by the million, from random states.

The program draws a state, computes of it what the evaluator's formulas say that the function leaves, calls the
function, and compares: each region that the function writes, at an index that is drawn too; the result; and the model's
state, at arbitrary indices.  So it is the formulas that are tried, as they are when they are proved.  What does not
agree traps and says what it is; a state in which a check of the C fails, or what it does is undefined, is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from random import Random
from typing import Any

import z3

from model.generation import Switches
from proofs.bindings.vgic import nr_irqs
from properties.property import At
from vgicheck.c import lvalues
from vgicheck.c.binding import GIVEN, Bound, View
from vgicheck.c.explain import untouched
from vgicheck.c.intrinsics import INTRINSICS
from vgicheck.c.ir import Int, Pointer
from vgicheck.c.judge import FEASIBLE, differences
from vgicheck.c.memory import Arbitrary, Layout, Memory, is_local
from vgicheck.c.native import NativeProgram, compile_unit
from vgicheck.c.replay import RESULT
from vgicheck.c.summary import Evaluator, Summary
from vgicheck.check.reading import Reading
from vgicheck.engine.maps import Key
from vgicheck.engine.solve import Feasibility
from vgicheck.engine.values import and_, fresh

from .bound import by_region
from .cells import LATER, After, cell, exactly
from .draws import RANDOM, Draws
from .formulas import AFTER, BEFORE, Formulas, in_pieces

PICK, AT = "vgicheck_pick", "vgicheck_at"
"""What the names of the indices begin with at which a region is compared, and the model."""
COUNTS = ("vgicheck_calls", "vgicheck_modelled")
DRIVE = """
void vgicheck_drive(void)
{
	vgicheck_sow(vgicheck_seed);
	while (vgicheck_turns--)
		vgicheck_turn();
}
"""


@contextmanager
def driven(
    reading: Reading,
    bound: Bound,
    switches: Switches,
    random: Random,
    source: str = "",
    compares: bool = True,
    seconds: float = 60.0,
    optimise: int = 2,
) -> Iterator[NativeProgram]:
    """Compile a function's driver: a vector is a seed and how many states to draw.

    What is observed is how many calls were made, and how many of them were held against the model, of which what the
    binding assumes of several cells together must hold.  With a `source` that text is compiled, not the one that was
    read: what it does otherwise is what traps.  One that `compares` nothing shows what a call takes.

    Raises Unsupported as the evaluator does, and NativeError.
    """
    text = _Driver(reading, bound, switches, random, compares).text(source or reading.text)
    with compile_unit(
        text,
        ["vgicheck_seed", "vgicheck_turns"],
        "vgicheck_drive()",
        COUNTS,
        optimise=optimise,
        defines={**reading.defines, "VGICHECK_NATIVE": "1"},
        seconds=seconds,
        batch_seconds=seconds,
    ) as program:
        yield program


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Something that must hold after a call; of the model, where its premise does."""

    text: str
    holds: Any
    of_the_model: bool = False


@dataclass(slots=True)
class _Driver:
    reading: Reading
    bound: Bound
    switches: Switches
    random: Random
    compares: bool
    _layout: Layout = field(init=False)
    _draws: Draws = field(init=False)
    _formulas: Formulas = field(init=False)
    _constants: dict[str, tuple[str, Key]] = field(default_factory=dict)
    """The cells that constants stand for."""

    def text(self, source: str) -> str:
        """Return the unit: a source, and what draws, calls and compares."""
        self._draws = Draws(self.random, by_region(self.bound.invariants))
        self._formulas = Formulas(self._constant)
        inputs, end = self._summary()
        later = After(lambda region, key, value: None, lambda fact: None, self.bound.pointers, before=inputs)
        left = View(Memory(self._layout, end.domain, later), z3.BitVec(LATER + RESULT, 32))
        before = View(untouched(end)).state(self.bound.abstract)
        modelled = and_(*(fact for fact, _ in self.bound.related(before)))
        compared = [*self._with_formulas(end, left), *self._with_model(before, left)] if self.compares else []
        pointers, arguments = self._pointers(inputs, end), self.bound.arguments(inputs)
        for region, known in [*inputs.cells.items(), *later.cells.items()]:
            self._constants |= {term.decl().name(): (region, key) for key, term in known.values()}
        name = self._formulas.name
        for constant in (term for known in inputs.cells.values() for _, term in known.values()):
            self._formulas.name(constant)
        sets = [f"\t{lvalue} = {self._value(end, to)};" for lvalue, to in pointers]
        call = f"{self.bound.entry}({', '.join(self._value(end, a) for a in arguments)})"
        goes_on, within = name(_returns(end))[0], name(modelled)[0]
        checks = [
            f'\tif ({f"{within} && " if c.of_the_model else ""}!{name(c.holds)[0]})\n\t\tvgicheck_trap("{c.text}");'
            for c in compared
        ]
        ending = [*checks, f"\tvgicheck_calls++;\n\tvgicheck_modelled += {within};\n}}"]
        kept = f"{RESULT} = {call}" if self._returns_a_number else call
        calling = [f"\tif (!{goes_on})\n\t\treturn;", *sets, f"\t{kept};"]
        before, after = self._formulas.lines
        computed, rest = in_pieces(after, "vgicheck_after", "\n".join(ending))
        expected, first = in_pieces(before, "vgicheck_before", "\n".join([*after, *calling, *ending]))
        return "\n".join(
            [
                source,
                RANDOM,
                f"static unsigned long long vgicheck_seed, vgicheck_turns, {', '.join(COUNTS)};",
                *self._draws.tables,
                *expected,
                *computed,
                "static void vgicheck_turn(void)\n{",
                *(f"\t{line}" for line in (*self._draws.lines, *first)),
                *calling,
                *(f"\t{line}" for line in rest),
                *ending,
                DRIVE,
            ]
        )

    @property
    def _returns_a_number(self) -> bool:
        return isinstance(self.reading.program.functions[self.bound.entry].result, Int)

    def _summary(self) -> tuple[Arbitrary, Summary]:
        """Evaluate the function over formulas, as it is judged."""
        feasible, invariants = Feasibility(FEASIBLE), by_region(self.bound.invariants)

        def constrain(region: str, key: Key, value: Any) -> None:
            for i in invariants.get(region, ()):
                feasible.assume(i.holds(key, value))

        inputs = Arbitrary(constrain, feasible.assume, self.bound.pointers)
        program, others = self.reading.program, self.reading.others
        e = Evaluator(program, inputs, INTRINSICS, feasible, ours=others, bitmaps=self.bound.bitmaps)
        self._layout = e.layout
        return inputs, e.summarise(self.bound.entry, None, lambda: self.bound.arguments(inputs))

    # What is compared ----------------------------------------------------------------------------------------

    def _with_formulas(self, end: Summary, left: View) -> Iterator[_Comparison]:
        """Yield that each region that is written is what the evaluator's formula says, at an index that is drawn."""
        said = View(end.after, end.result)
        for n, region in enumerate(sorted(end.after.written)):
            place = self._layout.kinds[region]
            if is_local(region) or not isinstance(place.type, Int):
                continue
            bits, dimensions = 0 if place.bitmap else place.type.bits, region.count("[]")
            lengths = lvalues.indexed(self._layout, region, ["0"] * dimensions, bits).lengths
            key = []
            for d, length in enumerate(lengths):
                self._draws.below(f"{PICK}_{n}_{d}", length)
                key.append(z3.BitVec(f"{PICK}_{n}_{d}", 32))
            a, b = (v.bit(region, *key) if place.bitmap else v.word(region, *key, bits=bits) for v in (said, left))
            yield _Comparison(f"the evaluator's formula of {region}", a == b)
        if self._returns_a_number:
            yield _Comparison("the evaluator's formula of the result", said.returned() == left.returned())

    def _with_model(self, before: Any, left: View) -> Iterator[_Comparison]:
        """Yield that the model's state is what its transition makes of the one before, at indices that are drawn."""
        assert self.bound.transition is not None
        wanted, found = self.bound.transition(before, self.switches), left.state(self.bound.abstract)
        for text, holds in differences(wanted, found, fresh(At, AT)):
            yield _Comparison(f"the model: {text}", holds, of_the_model=True)

    def _constant(self, constant: Any) -> tuple[str, int]:
        """Return the C of a constant: a cell of memory, an index that is drawn, or what the function returns."""
        name = constant.decl().name()
        if name == LATER + RESULT:
            return f"(unsigned int){RESULT}", AFTER
        if name.startswith(PICK):
            return name, BEFORE
        if name.startswith(AT):
            limit = nr_irqs(self.reading.program) if name == f"{AT}.intid" else 1 << constant.size()
            return f"vgicheck_random() % {limit}", BEFORE
        region, key = self._constants[name]
        when = AFTER if region.startswith(LATER) else BEFORE
        region = region.removeprefix(LATER)
        if region.startswith(f"{GIVEN}."):
            return self._draws.chosen(region, constant), BEFORE
        self._draws.cells(self._layout, region, constant)
        indices = [self._formulas.name(k) for k in key]
        text = cell(self._layout, region, key, [name for name, _ in indices], constant)
        return text, max([when, *(w for _, w in indices)])

    # The call ------------------------------------------------------------------------------------------------

    def _pointers(self, inputs: Arbitrary, end: Summary) -> list[tuple[str, Any]]:
        """List the pointers that the function may find in memory, and where they lead."""
        found = []
        for region, place in self._layout.kinds.items():
            if isinstance(place.type, Pointer) and not is_local(region):
                for key in product(*(range(n) for n in place.bounds)):
                    lvalue = lvalues.pointer(self._layout, region, key)
                    assert lvalue is not None
                    found.append((lvalue, self.bound.pointers(inputs, end.domain, place, key)))
        return found

    def _value(self, end: Summary, value: Any) -> str:
        """Return a value as C: one of several, each under its condition."""
        *others, (_, last) = end.domain.options(value)
        text = exactly(self._formulas, last)
        for guard, option in others:
            condition, _ = self._formulas.name(end.domain.guards.term(guard))
            text = f"({condition} ? {exactly(self._formulas, option)} : {text})"
        return text


def _returns(end: Summary) -> Any:
    """Return the condition under which the function returns, and no check of the C fails before."""
    g = end.domain.guards
    broken = g.any(g.and_(c.path, g.not_(c.holds)) for c in end.claims)
    return g.term(g.and_(end.returns, g.not_(broken)))
