"""Random states that satisfy what is assumed of each cell: values for Python, and C that draws them by the million."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from random import Random
from typing import Any

import z3

from vgicheck.c import lvalues
from vgicheck.c.binding import Invariant
from vgicheck.c.ir import Unsupported
from vgicheck.c.memory import Layout
from vgicheck.engine.maps import Key

from .formulas import type_of

POOL = 64
"""Values that are found for a cell of which something is assumed."""

LARGE, SOME = 512, 64
"""Of a region of more cells than that some are drawn each time."""

RANDOM = """
static unsigned int vgicheck_states[4];

/* xorshift128 */
static inline unsigned int vgicheck_random(void)
{
	unsigned int *s = vgicheck_states, t = s[3] ^ s[3] << 11;

	s[3] = s[2];
	s[2] = s[1];
	s[1] = s[0];
	return s[0] ^= s[0] >> 19 ^ t ^ t >> 8;
}

static inline void vgicheck_sow(unsigned long long seed)
{
	vgicheck_states[0] = seed;
	vgicheck_states[1] = seed >> 32;
	vgicheck_states[2] = 1;
}

/* None, few, half or all of the bits */
static inline unsigned long long vgicheck_word(unsigned int how)
{
	unsigned int word = vgicheck_random();

	switch (how & 3) {
	case 0:
		return 0;
	case 1:
		word &= vgicheck_random() & vgicheck_random() & vgicheck_random();
		return (unsigned long long)(word << 7 | word >> 25) << 32 | word;
	case 2:
		return (unsigned long long)vgicheck_random() << 32 | word;
	}
	return -1ULL;
}
"""
"""`vgicheck_random()`, and what it is made of; `vgicheck_sow(seed)` goes before it."""


def allowed(random: Random, assumed: Sequence[Invariant], key: Key, cell: Any, count: int) -> list[int]:
    """Return random values that may be in a cell, of the width of a constant, by what is assumed of it."""
    solver = z3.Solver()
    solver.add(*(i.holds(key, cell) for i in assumed))
    assert solver.check() == z3.sat, "what is assumed of a cell can hold"
    first = solver.model().eval(cell, model_completion=True)
    value, bits = (int(z3.is_true(first)), 1) if z3.is_bool(cell) else (first.as_long(), cell.size())
    found = []
    for _ in range(count):
        for n in random.sample(range(bits), bits):
            other = value & ~(1 << n) | random.getrandbits(1) << n
            if all(i.holds(key, other) is True for i in assumed):
                value = other
        found.append(value)
    return found


@dataclass(slots=True)
class Draws:
    """C that draws a state: `tables` at file scope, and `lines` in a function."""

    random: Random
    invariants: Mapping[str, Sequence[Invariant]]
    tables: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    _chosen: dict[str, str] = field(default_factory=dict)
    _regions: set[str] = field(default_factory=set)

    def chosen(self, region: str, cell: Any) -> str:
        """Return a number that is in no cell of the C: an argument, or a choice that the binding makes."""
        if region not in self._chosen:
            name = self._chosen[region] = f"chosen_{len(self._chosen)}"
            mask = 1 if z3.is_bool(cell) else (1 << cell.size()) - 1
            value = self._values(region, [], cell) or f"vgicheck_word(vgicheck_random()) & {mask:#x}ULL"
            self.tables.append(f"static {type_of(cell)} {name};")
            self.lines.append(f"{name} = {value};")
        return self._chosen[region]

    def below(self, name: str, limit: int) -> None:
        """Declare an index below a limit."""
        self.tables.append(f"static unsigned int {name};")
        self.lines.append(f"{name} = vgicheck_random() % {limit};")

    def cells(self, layout: Layout, region: str, cell: Any) -> None:
        """Draw the cells of a region, of which one is a constant; once, however often it is asked for.

        Of a large one some are drawn each time, and the others stay as they are.
        """
        if region in self._regions:
            return
        self._regions.add(region)
        is_bit = z3.is_bool(cell)
        indices = [f"i{d}" for d in range(region.count("[]"))]
        at = lvalues.indexed(layout, region, indices, 0 if is_bit else cell.size())
        value = self._values(region, at.lengths, cell) or "vgicheck_word(how)"
        if at.is_bool:
            value = "vgicheck_random() & 1"
        elif is_bit and region in self.invariants:
            value = f"({value} ? -1 : 0)"
        steps = [*[1] * (len(indices) - 1), at.bits if is_bit else 1]
        loops = "".join(
            f"for ({i} = 0; {i} < {n}; {i} += {s}) " for i, n, s in zip(indices, at.lengths, steps, strict=False)
        )
        set_one = f"{at.lvalue} = {value};"
        if prod(at.lengths) > LARGE:
            drawn = " ".join(f"{i} = vgicheck_random() % {n};" for i, n in zip(indices, at.lengths, strict=True))
            loops, set_one = f"for (n = 0; n < {SOME}; n++) ", f"{{ {drawn} {set_one} }}"
        declared = "".join(f", {i}" for i in indices)
        self.lines.append(f"{{ unsigned int how = vgicheck_random(), n{declared}; {loops}{set_one} }}")

    def _values(self, region: str, lengths: Sequence[int], cell: Any) -> str | None:
        """Return what draws one of the values that may be in the cells of a region; None where any may.

        Raises Unsupported for what is assumed of some bits of a word, and not of others.
        """
        assumed = self.invariants.get(region, ())
        if not assumed:
            return None
        x = z3.Const("x", cell.sort())
        keys = [*product(*(range(n) for n in lengths))]
        alike = len({z3.simplify(z3.And(*(i.holds(key, x) for i in assumed))).sexpr() for key in keys}) == 1
        if not alike and z3.is_bool(cell):
            raise Unsupported(f"{region}: bits of which not the same is assumed")
        name = f"vgicheck_values_{len(self.tables)}"
        pools = [(keys[0], POOL)] if alike else [(key, 1) for key in keys]
        values = [v for key, count in pools for v in allowed(self.random, assumed, key, x, count)]
        self.tables.append(f"static const unsigned long long {name}[] = {{ {', '.join(f'{v}ULL' for v in values)} }};")
        place = "0"
        for d, n in enumerate(lengths):
            place = f"({place} * {n} + i{d})"
        return f"{name}[vgicheck_random() % {POOL}]" if alike else f"{name}[{place}]"
