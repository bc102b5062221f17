"""Three readings of one C text, to be compared: interpreted on numbers, as formulas with numbers put in, compiled.

A vector gives numbers to lvalues of globals such as `n`, `table[3]` or `s.f[2]`; what it leaves out is 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import z3

from vgicheck.c import clang, native
from vgicheck.c.domain import Address
from vgicheck.c.intrinsics import INTRINSICS
from vgicheck.c.ir import Int, Loc, Program, StructRef
from vgicheck.c.lower import lower
from vgicheck.c.memory import Arbitrary, Given, Layout, Memory
from vgicheck.c.summary import Evaluator, Summary
from vgicheck.c.widening import Widening
from vgicheck.engine.maps import Key
from vgicheck.engine.solve import Feasibility

Vector = Mapping[str, int]
Fault = tuple[str, int]

TYPES = """
typedef unsigned char u8; typedef signed char s8; typedef unsigned short u16; typedef short s16;
typedef unsigned int u32; typedef int s32; typedef unsigned long long u64; typedef long long s64;
"""
BITS = """
#ifdef VGICHECK_NATIVE
static int test_bit(int nr, const unsigned long *a) { return a[nr / 32] >> nr % 32 & 1; }
static void set_bit(int nr, unsigned long *a) { a[nr / 32] |= 1ul << nr % 32; }
static void clear_bit(int nr, unsigned long *a) { a[nr / 32] &= ~(1ul << nr % 32); }
static void change_bit(int nr, unsigned long *a) { a[nr / 32] ^= 1ul << nr % 32; }
static int test_and_set_bit(int nr, unsigned long *a) { int old = test_bit(nr, a); set_bit(nr, a); return old; }
static int test_and_clear_bit(int nr, unsigned long *a) { int old = test_bit(nr, a); clear_bit(nr, a); return old; }
static int next(const unsigned long *a, int size, int at, int wanted)
{
	for (; at < size; at++)
		if (test_bit(at, a) == wanted)
			return at;
	return size;
}
static int find_next_bit(const unsigned long *a, int size, int at) { return next(a, size, at, 1); }
static int find_first_bit(const unsigned long *a, int size) { return next(a, size, 0, 1); }
static int find_next_zero_bit(const unsigned long *a, int size, int at) { return next(a, size, at, 0); }
static int find_first_zero_bit(const unsigned long *a, int size) { return next(a, size, 0, 0); }
static int ffs(int x) { return __builtin_ffs(x); }
static int fls(int x) { return x ? 32 - __builtin_clz(x) : 0; }
static unsigned long __ffs(unsigned long x) { return __builtin_ctz(x); }
static unsigned long __fls(unsigned long x) { return 31 - __builtin_clz(x); }
#else
int test_bit(int nr, const unsigned long *addr);
void set_bit(int nr, unsigned long *addr);
void clear_bit(int nr, unsigned long *addr);
void change_bit(int nr, unsigned long *addr);
int test_and_set_bit(int nr, unsigned long *addr);
int test_and_clear_bit(int nr, unsigned long *addr);
int find_first_bit(const unsigned long *addr, int size);
int find_next_bit(const unsigned long *addr, int size, int offset);
int find_first_zero_bit(const unsigned long *addr, int size);
int find_next_zero_bit(const unsigned long *addr, int size, int offset);
int ffs(int x);
int fls(int x);
unsigned long __ffs(unsigned long x);
unsigned long __fls(unsigned long x);
#endif
#define for_each_set_bit(bit, addr, size) \\
	for ((bit) = find_next_bit((addr), (size), 0); (bit) < (size); (bit) = find_next_bit((addr), (size), (bit) + 1))
"""
HEADER = (TYPES + BITS).replace("\\\\\n", "\\\n")
TOGETHER = 64
"""Words of 64 bits into which numbers are put at once; Python reads longer numbers from text only on request."""
HEADER_LINES = HEADER.count("\n")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run gives: the observed numbers, or the (kind, line) of what it should not have done."""

    values: tuple[int, ...]
    faults: frozenset[Fault] = frozenset()


def program(text: str) -> Program:
    """Lower a text, with its lines counted from 1 behind the header. Raises `Unsupported` for what is not lowered."""
    unit = clang.parse(HEADER + text, name="t.c", origin=lambda line: Loc("t.c", line - HEADER_LINES))
    assert not unit.errors, unit.errors
    lowered = lower(unit)
    for reason in lowered.unsupported.values():
        raise reason
    return lowered


def address(layout: Layout, lvalue: str) -> Address:
    """Return the place of an lvalue with plain indices; members of anonymous members are found through them."""
    root, *steps = re.findall(r"\w+", lvalue)
    path: tuple[Any, ...] = ()
    for step in steps:
        if step.isdigit():
            path = (*path, int(step))
            continue
        kind = layout.place(Address(root, path)).type
        while isinstance(kind, StructRef) and step not in (f.name for f in layout.program.structs[kind.tag].fields):
            (kind,) = (f.type for f in layout.program.structs[kind.tag].fields if not f.name)
            path = (*path, "")
        path = (*path, step)
    return Address(root, path)


def cells(lowered: Program, vector: Vector) -> dict[tuple[str, Key], int]:
    """Return the cells of the memory that hold the numbers of a vector."""
    layout = Layout(lowered)
    found: dict[tuple[str, Key], int] = {}
    for lvalue, value in vector.items():
        place = layout.place(address(layout, lvalue))
        if place.bitmap:
            assert isinstance(place.type, Int)
            first = place.key[-1] * place.type.bits
            found |= {(place.region, (*place.key[:-1], first + i)): value >> i & 1 for i in range(place.type.bits)}
        else:
            found[place.region, place.key] = value
    return found


def interpreted(lowered: Program, entry: str, vector: Vector) -> Summary:
    """Run an entry on numbers."""
    return Evaluator(lowered, Given(cells(lowered, vector)), INTRINSICS).summarise(entry)


def plain(lowered: Program, entry: str, vector: Vector, observe: Sequence[str]) -> Outcome:
    """Interpret an entry on numbers."""
    return seen(interpreted(lowered, entry, vector), observe)


def seen(summary: Summary, observe: Sequence[str]) -> Outcome:
    """Return what a run on numbers left in the lvalues that are observed, or what went wrong in it."""
    faults = frozenset((c.kind, c.loc.line) for c in summary.claims)
    if faults:
        return Outcome((), faults)
    assert summary.returns == 1
    return Outcome(tuple(int(_observed(summary.after, o)) for o in observe))


@dataclass(slots=True)
class Symbolic:
    """An entry evaluated once over arbitrary inputs, of which `limits` bounds some: region to (lowest, highest)."""

    lowered: Program
    entry: str
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    summary: Summary = field(init=False)
    inputs: Arbitrary = field(init=False)

    def __post_init__(self) -> None:
        feasible = Feasibility(50_000)

        def constrain(region: str, key: Key, value: Any) -> None:
            if region in self.limits:
                low, high = self.limits[region]
                feasible.assume(z3.And(z3.ULE(low, value), z3.ULE(value, high)))

        self.inputs = Arbitrary(constrain, feasible.assume)
        self.summary = Evaluator(self.lowered, self.inputs, INTRINSICS, feasible).summarise(self.entry)

    def at(self, vector: Vector, observe: Sequence[str]) -> Outcome:
        """Put numbers into the formulas."""
        observed = [_observed(self.summary.after, o) for o in observe]
        numbers = self._numbers(cells(self.lowered, vector))
        guards = self.summary.domain.guards
        claims = self.summary.claims
        failures = [guards.term(guards.and_(c.path, guards.not_(c.holds))) for c in claims]
        failed = _all_numbers([*failures, guards.term(self.summary.returns)], numbers)
        faults = frozenset((c.kind, c.loc.line) for c, f in zip(claims, failed, strict=False) if f)
        if faults:
            return Outcome((), faults)
        assert failed[-1] == 1
        return Outcome(tuple(_all_numbers(observed, numbers)))

    def _numbers(self, given: Mapping[tuple[str, Key], int]) -> list[tuple[Any, Any]]:
        """Return what to put for each cell; a symbolic key has a number once the cells that it reads have one."""
        found: list[tuple[Any, Any]] = []
        waiting = [(r, key, c) for r, cells in self.inputs.cells.items() for key, c in cells.values()]
        while waiting:
            left = []
            for region, key, c in waiting:
                numbers = tuple(_try_number(k, found) for k in key)
                if None in numbers:
                    left.append((region, key, c))
                else:
                    value = given.get((region, numbers), 0)  # type: ignore[arg-type]
                    found.append((c, z3.BoolVal(bool(value)) if z3.is_bool(c) else z3.BitVecVal(value, c.size())))
            assert len(left) < len(waiting)
            waiting = left
        return found


@dataclass(slots=True)
class Widened:
    """An entry evaluated with its loops widened: what it may do with given numbers, not what it does."""

    lowered: Program
    entry: str
    summary: Summary = field(init=False)
    inputs: Arbitrary = field(init=False)
    facts: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        feasible = Feasibility(50_000, models=8)

        def relate(fact: Any) -> None:
            self.facts.append(fact)
            feasible.assume(fact)

        self.inputs = Arbitrary(lambda region, key, value: None, relate, small=0)
        evaluator = Evaluator(
            self.lowered, self.inputs, INTRINSICS, feasible, widening=Widening({}), follows_unset=True
        )
        self.summary = evaluator.summarise(self.entry)

    def may(self, vector: Vector, observe: Sequence[str], outcome: Outcome) -> bool:
        """Say whether an outcome is among those that the formulas allow on numbers."""
        solver = z3.Solver()
        solver.set("timeout", 20_000)
        given = cells(self.lowered, vector)
        observed = [_observed(self.summary.after, o) for o in observe]
        solver.add(*self.facts, *self._fixed(given))
        g = self.summary.domain.guards
        if outcome.faults:
            bad = [c for c in self.summary.claims if (c.kind, c.loc.line) in outcome.faults]
            solver.add(z3.Or(*(_bool(g.term(g.and_(c.path, g.not_(c.holds)))) for c in bad)))
        else:
            solver.add(_bool(g.term(self.summary.returns)))
            solver.add(*(_bool(o == v) for o, v in zip(observed, outcome.values, strict=True)))
        return bool(solver.check() == z3.sat)

    def _fixed(self, given: Mapping[tuple[str, Key], int]) -> list[Any]:
        """Say that each cell of the inputs holds what a vector gives it; those that loops made unknown are left."""
        found = []
        for region, known in self.inputs.cells.items():
            if "@" in region:
                continue
            numbers = {key: value for (r, key), value in given.items() if r == region}
            for key, cell in known.values():
                is_bool = z3.is_bool(cell)
                value: Any = z3.BoolVal(False) if is_bool else z3.BitVecVal(0, cell.size())
                for at, number in numbers.items():
                    here = z3.And(*(_bool(k == a) for k, a in zip(key, at, strict=True)), True)
                    one = z3.BoolVal(bool(number)) if is_bool else z3.BitVecVal(number, cell.size())
                    value = z3.If(here, one, value)
                found.append(cell == value)
        return found


def _bool(value: Any) -> Any:
    return z3.BoolVal(value) if isinstance(value, bool) else value


def compiled(
    text: str,
    inputs: Sequence[str],
    call: str,
    observe: Sequence[str],
    vectors: Sequence[Vector],
    optimise: int,
    sanitize: Sequence[str] = (),
) -> list[tuple[int, ...] | str]:
    """Run compiled C on vectors; a trap's name stands in for the numbers of a run that ends in one."""
    with native.compile_unit(
        HEADER + text, inputs, call, observe, optimise=optimise, defines={"VGICHECK_NATIVE": "1"}, sanitize=sanitize
    ) as unit:
        results = unit.run_many([[v.get(i, 0) for i in inputs] for v in vectors])
    return [r.trap if r.trap is not None else r.values for r in results]


def _observed(after: Memory, lvalue: str) -> Any:
    """Read a number as 64 bits, sign-extended where it is signed, which is how compiled C reports it."""
    where = address(after.layout, lvalue)
    kind = after.layout.place(where).type
    assert isinstance(kind, Int)
    value = after.domain.word(after.fork().load(where), kind.bits)
    if isinstance(value, int):
        return value & (1 << 64) - 1
    if kind.bits == 64:
        return value
    return (z3.SignExt if kind.signed else z3.ZeroExt)(64 - kind.bits, value)


def _try_number(term: Any, numbers: Sequence[tuple[Any, Any]]) -> int | None:
    if not isinstance(term, z3.ExprRef):
        return int(term)
    value = z3.simplify(z3.substitute(term, *numbers))
    return value.as_long() if z3.is_bv_value(value) else None


def _all_numbers(terms: Sequence[Any], numbers: Sequence[tuple[Any, Any]]) -> list[int]:
    """Put numbers into many terms, several at once: what they share is worked out once."""
    words = [z3.If(t, z3.BitVecVal(1, 64), z3.BitVecVal(0, 64)) if z3.is_bool(t) else t for t in terms if z3.is_expr(t)]
    found: list[int] = []
    for first in range(0, len(words), TOGETHER):
        some = words[first : first + TOGETHER]
        whole = z3.simplify(z3.substitute(z3.Concat(*some, z3.BitVecVal(0, 64)), *numbers))
        assert z3.is_bv_value(whole), whole
        value = whole.as_long()
        found += [value >> 64 * (len(some) - i) & (1 << 64) - 1 for i in range(len(some))]
    values = iter(found)
    return [next(values) if z3.is_expr(t) else int(t) for t in terms]
