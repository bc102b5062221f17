"""Whole C functions mean the same interpreted, as formulas and compiled; what goes wrong in them is claimed on its line."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from tests.c.readings import Outcome, Symbolic, Vector, compiled, plain, program

from vgicheck.c.ir import Unsupported
from vgicheck.c.native import available

needs_native = pytest.mark.skipif(available() is not None, reason=f"no native runs here: {available()}")

DECLARATIONS = """
struct pair { int first; u8 second; int rest[3]; };
struct vgic_bitmap { union { u32 reg[2]; unsigned long reg_ul[0]; }; };
struct node { struct pair p; struct pair *other; };
int a, b, n, o, q;
u32 w, hits[32], count;
u8 small;
u64 wide;
int table[8], other[8], grid[3][4];
unsigned long bits[2], found[2];
struct pair s, t, pairs[4];
struct vgic_bitmap map;
static void bump(int *p) { *p += 1; }
static int twice(int x) { return x + x; }
static int sign(int x) { if (x < 0) return -1; if (x > 0) return 1; return 0; }
static int last(const int *p, int size) { int i, l = -1; for (i = 0; i < size; i++) if (p[i]) l = i; return l; }
static void swap(int *x, int *y) { int z = *x; *x = *y; *y = z; }
static int *pick(int which) { return which ? &table[1] : &other[2]; }
"""
OBSERVE = (
    "a", "b", "o", "q", "w", "count", "small", "wide", "bits[0]", "bits[1]", "found[0]", "found[1]",
    "s.first", "s.second", "s.rest[0]", "s.rest[2]", "t.first", "t.second", "t.rest[1]", "pairs[2].first",
    "pairs[3].rest[1]", "pairs[0].second", "map.reg[0]", "map.reg[1]", "grid[1][2]", "grid[2][0]",
    *(f"table[{i}]" for i in range(8)), *(f"other[{i}]" for i in range(8)), *(f"hits[{i}]" for i in (0, 1, 7, 30, 31)),
)  # fmt: skip
INPUTS = (*OBSERVE, "n")
BITS = {"small": 8, "s.second": 8, "t.second": 8, "pairs[0].second": 8, "wide": 64}


@dataclass(frozen=True, slots=True)
class Case:
    """A body of C, what bounds some inputs in the symbolic reading, and the bounds that vectors keep."""

    body: str
    limits: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The translation unit, with the body on the lines behind the declarations."""
        return f"{DECLARATIONS}void entry(void)\n{{\n{self.body}\n}}\n"


FIRST_LINE = DECLARATIONS.count("\n") + 3
"""The line of the first line of a body."""

SHORT = {"n": (0, 12)}
INDEX = {"n": (0, 7)}

CASES = {
    "if else": Case("if (a < b) o = 1; else o = 2; if (a == 3) q = o; else q = a;"),
    "nested if": Case("if (a) { if (b) o = 1; else o = 2; } else if (b > 5) o = 3; q = o * 2;"),
    "conditional operators": Case("o = a && b || n > 3; q = a ? b ? 1 : 2 : n; if (!(a || b) && ++n) q = n;"),
    "comma and nested assignment": Case("o = q = a + 1, b = o++ + q--; a = (b, o);"),
    "early return": Case("o = 1; if (a == 0) return; o = 2; if (b == 0) return; o = 3;"),
    "goto error path": Case(
        "o = -1; if (a == 0) goto out; q = 1; if (b == 0) goto undo; o = 0; goto out; undo: q = 0; out: w++;"
    ),
    "backward goto": Case("int i = 0; again: table[i] = a; if (++i < 5) goto again; o = i;"),
    "for loop": Case("int i; for (i = 0; i < 8; i++) o += table[i] * i;"),
    "nested loops": Case("int i, j; for (i = 0; i < 3; i++) for (j = 0; j < 4; j++) grid[i][j] += i * j + a;"),
    "do while": Case("int i = 0; do { o += table[i]; i += 3; } while (i < 8);"),
    "break and continue": Case(
        "int i; for (i = 0; i < 8; i++) { if (table[i] == 0) continue; if (table[i] == a) break; o++; } q = i;"
    ),
    "break out of two": Case(
        "int i, j; for (i = 0; i < 3; i++) { for (j = 0; j < 4; j++) if (grid[i][j] == a) goto done; } "
        "done: o = i; q = j;"
    ),
    "switch with fall-through": Case(
        "switch (a) { case 0: o = 1; break; case 1: o = 2; case 2: o += 3; break; case 5: return; default: o = 9; } q = o;"
    ),
    "switch in a loop": Case(
        "int i; for (i = 0; i < 6; i++) switch (table[i]) { case 1: o++; continue; case 2: goto out; default: q++; } out: w = i;"
    ),
    "switch without default": Case("switch (small) { case 3: case 4: o = 1; break; case 200: o = 2; }"),
    "symbolic bound": Case("int i; for (i = 0; i < n; i++) o += i ^ table[i & 7];", SHORT),
    "symbolic bound, down": Case("int i; for (i = n; i > 0; i--) o = o * 3 + i;", SHORT),
    "symbolic bound, down to zero": Case("int i; for (i = n - 1; i >= 0; i--) { o = o * 3 + table[i & 7]; }", SHORT),
    "while n--": Case("while (n--) o = o * 5 + n;", SHORT),
    "early exit of a symbolic loop": Case("int i; for (i = 0; i < n; i++) if (table[i & 7] == a) break; o = i;", SHORT),
    "two counters": Case("int i, j; for (i = 0, j = 7; i < j; i++, j--) swap(&table[i], &table[j]);"),
    "step depends on data": Case("int i = 0; while (i < 8) { o++; i += table[i] == 0 ? 1 : 2; }"),
    "loop over memory counter": Case("count = 0; while (count < 6) { o += table[count]; count++; }"),
    "shifted mask": Case("u32 m = w & 0xfff; int i = 0; while (m) { if (m & 1) hits[i]++; i++; m >>= 1; } o = i;"),
    "collatz": Case("u32 x = w & 7, steps = 0; while (x > 1) { x = x & 1 ? 3 * x + 1 : x / 2; steps++; } o = steps;"),
    "for_each_set_bit": Case("int i; for_each_set_bit(i, bits, 64) { if (i == a) clear_bit(i, bits); else set_bit(i ^ 1, found); }"),
    "for_each_set_bit short": Case("int i; for_each_set_bit(i, bits, n) o = o * 2 + i;", SHORT),
    "find_first then next": Case(
        "int i = find_first_bit(bits, 40); while (i < 40) { if (i & 1) o += i; i = find_next_bit(bits, 40, i + 1); } q = i;"
    ),
    "find zero bits": Case("o = find_first_zero_bit(bits, 64); q = find_next_zero_bit(bits, 50, 3);"),
    "find from symbolic": Case("o = find_next_bit(bits, 64, a ? 5 : 40);"),
    "test_bit loop": Case("int i; for (i = 0; i < 64; i++) if (test_bit(i, bits)) { change_bit(i, found); o = i; }"),
    "bit loop that clears": Case("int i; for_each_set_bit(i, bits, 20) { clear_bit(i, bits); clear_bit(i + 1, bits); o++; }"),
    "two words": Case(
        "int k; for (k = 0; k < 2; k++) { u32 m = bits[k]; while (m) { int i = __ffs(m); m &= m - 1; o += i + 32 * k; q++; } }"
    ),
    "lowest set bits": Case("u32 m = w; while (m) { u32 i = __ffs(m); m &= m - 1; hits[i] += a; o++; }"),
    "ffs loop": Case("int i; u32 m = w; while ((i = ffs(m)) != 0) { i--; m &= ~(1u << i); hits[i] = i + a; }"),
    "highest set bits": Case("u32 m = w & 0xffff; while (m) { int i = __fls(m); m &= ~(1u << i); hits[i]++; o = i; }"),
    "search joined": Case("int i; if (a) i = find_first_bit(bits, 32); else i = 7; o = i; if (i < 32) q = 1;"),
    "search joined the other way": Case("int i = b; if (a) i = find_first_bit(bits, 32); o = i;"),
    "search kept over a write": Case("int i = find_first_bit(bits, 64); bits[0] = 0; bits[1] = 0; o = i;"),
    "searches of two bitmaps": Case("int i; if (a) i = find_first_bit(bits, 64); else i = find_first_bit(found, 60); o = i;"),
    "ffs and fls": Case("o = ffs(a); q = fls(b); if (w) { table[0] = __ffs(w); table[1] = __fls(w); }"),
    "test and set": Case("o = test_and_set_bit(n, bits); q = test_and_clear_bit(3, bits); a = test_bit(n, found);", {"n": (0, 63)}),
    "symbolic bit": Case("set_bit(n, bits); clear_bit(n + 1, bits); change_bit(n / 2, found);", {"n": (0, 62)}),
    "bit of one word": Case("unsigned long m = w; set_bit(n, &m); clear_bit(3, &m); o = test_bit(4, &m); w = m;", {"n": (0, 31)}),
    "bit by a choice": Case("int i = a ? 3 : 40; set_bit(i, bits); o = test_bit(b ? i : 2, found);"),
    "functions": Case("o = twice(twice(a)) + sign(b); bump(&q); bump(&table[2]); if (sign(a) > 0 && sign(b)) bump(&o);"),
    "function with a loop": Case("o = last(table, 8); q = last(other + 2, 5);"),
    "result that is dropped": Case("twice(a); sign(b);"),
    "address of a local": Case("int x = a, y = b; swap(&x, &y); bump(&x); o = x; q = y;"),
    "local array": Case("int x[4] = { 1, 2 }, i; for (i = 0; i < 4; i++) x[i] += a; x[b & 3] = 9; o = x[0] + x[1] * x[2]; q = x[3];"),
    "local struct": Case("struct pair x = { .first = a }; struct pair y = x; y.second = b; x = y; t = x; o = x.second + y.rest[1];"),
    "struct assignment": Case("t = s; s.first = 1; pairs[2] = t; pairs[3] = pairs[2]; s = pairs[0];"),
    "struct through pointers": Case("struct pair *p = &pairs[n], *r = &s; *r = *p; p->rest[1] = a; r->first += p->first;", {"n": (0, 3)}),
    "pointer into an array": Case("int *p = table + 2; p[1] = a; *(p + 2) = b; p++; --p; p += 3; *p = 5; o = p[-4];"),
    "pointer walks": Case("int *p = table, i; for (i = 0; i < 8; i++) *p++ = i * a;"),
    "pointer by symbolic offset": Case("int *p = &table[n]; *p = a; o = p[0]; p = other; p += n; q = *p;", INDEX),
    "conditional pointer": Case("int *p = a ? &table[1] : &other[2]; *p = 7; (*p)++; o = *p; p[1] = b;"),
    "conditional pointer from a function": Case("*pick(a) = 4; o = *pick(b) + pick(a)[1]; q = pick(a) == pick(b);"),
    "pointer null or not": Case("int *p = a ? &b : (int *)0; if (p) *p = 6; o = p == &b; q = !p;"),
    "pointer to pointer": Case("int *p = &a, *r = &b; int **pp = n ? &p : &r; **pp = 3; *pp = &o; *p = 5; *r = 6;"),
    "pointer in a struct": Case("struct node x; x.other = b ? &pairs[2] : &s; x.p.first = a; x.other->first = x.p.first; o = x.other->second;"),
    "pointer swapped in a loop": Case("int *p = &a, *r = &b, *z, i; for (i = 0; i < 3; i++) { *p += i; z = p; p = r; r = z; }"),
    "comparison of places": Case("int *p = &table[n]; o = p == &table[3]; q = p != &other[n];", INDEX),
    "symbolic index": Case("table[n] = a; o = table[(n + 1) & 7]; other[table[n] & 7] = b; q = other[n];", INDEX),
    "symbolic two dimensions": Case("grid[n & 1][a & 3] = b; o = grid[1][2]; grid[2][n & 3]++;"),
    "index of eight bits": Case("pairs[small & 3].rest[small >> 7] = a; o = pairs[n & 3].rest[1];"),
    "bitmap by words": Case("map.reg[n] |= w; o = map.reg_ul[0]; map.reg_ul[1] = a; map.reg[0] ^= 5;", {"n": (0, 1)}),
    "bitmap by bits": Case("set_bit(n, map.reg_ul); o = test_bit(33, map.reg_ul); clear_bit(2, map.reg_ul); q = map.reg[1];", {"n": (0, 63)}),
    "bitmap from the second word": Case("unsigned long *p = map.reg_ul + 1; set_bit(n, p); o = find_first_bit(p, 32);", {"n": (0, 31)}),
    "bitmap loop": Case("int i; for_each_set_bit(i, map.reg_ul, 64) { if (test_bit(i, bits)) clear_bit(i, map.reg_ul); o++; }"),
    "bitmap copied": Case("struct vgic_bitmap x = map; set_bit(3, x.reg_ul); map.reg[1] = 0; map = x; o = x.reg[0];"),
    "local bitmap": Case("struct vgic_bitmap x; x.reg[0] = w; x.reg[1] = a; change_bit(n, x.reg_ul); map = x;", {"n": (0, 63)}),
    "local words as a bitmap": Case("unsigned long x[2] = { 0, 0 }; set_bit(n, x); o = find_first_bit(x, 64); bits[1] = x[1];", {"n": (0, 63)}),
    "signed through unsigned": Case("unsigned int *p = (unsigned int *)&a; *p >>= 1; o = *(u32 *)&b >> 4; q = (s8)small;"),
    "wide": Case("wide = wide * 3 + a; o = wide >> 33; w = wide; wide <<= n;", {"n": (0, 63)}),
    "evaluation across calls": Case("o = twice(a) - twice(b) * sign(n); table[sign(a) + 1] = sign(b);"),
    "variable of an inner block": Case("int i; for (i = 0; i < 4; i++) { int x; if (i == 0) x = a; else x = i; o = o * 2 + x; }"),
    "static counter": Case("int i; for (i = 0; i < 3; i++) { static int calls; calls += a; o = calls; }"),
    "loop that stops itself": Case("while (1) { if (o > 20) break; o += (a & 3) + 6; }", {"o": (0, 30)}),
    "flag loop": Case("int go = 1, i = 0; while (go) { o += table[i]; if (++i == 5 || table[i] == a) go = 0; } q = i;"),
}  # fmt: skip


def number(random_: random.Random, lvalue: str, limits: dict[str, tuple[int, int]]) -> int:
    """A number for an input, as unsigned bits: often a small one, so that branches go both ways."""
    if lvalue in limits:
        return random_.randint(*limits[lvalue])
    bits = BITS.get(lvalue, 32)
    some = [0, random_.getrandbits(1), random_.getrandbits(3), random_.getrandbits(bits), (1 << bits) - 1 - random_.getrandbits(3)]
    return random_.choice(some) & (1 << bits) - 1


def vectors(random_: random.Random, limits: dict[str, tuple[int, int]], count: int) -> list[Vector]:
    """Numbers for every input."""
    return [{i: number(random_, i, limits) for i in INPUTS} for _ in range(count)]


@pytest.fixture(scope="module")
def seed() -> int:
    """The seed of this run."""
    chosen = random.randrange(1 << 32)
    print(f"seed {chosen}")
    return chosen


def difference(found: Outcome, expected: Outcome, vector: Vector) -> str:
    """Say where two outcomes differ, or nothing."""
    if found == expected:
        return ""
    values = [
        f"{o}: {x:#x} {y:#x}" for o, x, y in zip(OBSERVE, found.values, expected.values, strict=False) if x != y
    ]
    return f"{values} {sorted(found.faults)} {sorted(expected.faults)} for {vector}"


@pytest.mark.parametrize("name", CASES)
def test_formulas_agree_with_numbers(name: str, seed: int) -> None:
    """A function summarised over arbitrary inputs gives, at each input, what it gives interpreted there."""
    case = CASES[name]
    lowered = program(case.text)
    symbolic = Symbolic(lowered, "entry", case.limits)
    for vector in vectors(random.Random(f"{seed} {name}"), case.limits, 6):
        expected = plain(lowered, "entry", vector, OBSERVE)
        assert not expected.faults
        assert difference(symbolic.at(vector, OBSERVE), expected, vector) == ""


@needs_native
@pytest.mark.parametrize("optimise", [0, 2])
def test_numbers_agree_with_compiled(optimise: int, seed: int) -> None:
    """A function interpreted gives what it gives compiled."""
    bodies = "".join(f"static void e{i}(void)\n{{\n{c.body}\n}}\n" for i, c in enumerate(CASES.values()))
    calls = "".join(f"case {i}: e{i}(); break;" for i in range(len(CASES)))
    text = f"{DECLARATIONS}{bodies}int which;\nvoid dispatch(void) {{ switch (which) {{ {calls} }} }}\n"
    random_ = random.Random(seed + optimise)
    chosen = [(i, v) for i, c in enumerate(CASES.values()) for v in vectors(random_, c.limits, 8)]
    native = compiled(
        text, (*INPUTS, "which"), "dispatch()", OBSERVE, [v | {"which": i} for i, v in chosen], optimise
    )
    lowered = program(text)
    wrong = []
    for (i, vector), given in zip(chosen, native, strict=True):
        assert not isinstance(given, str), given
        wrong.append(difference(plain(lowered, f"e{i}", vector, OBSERVE), Outcome(given), vector))
    assert [w for w in wrong if w] == []
