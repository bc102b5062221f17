"""Whole C functions mean the same interpreted, as formulas and compiled; what goes wrong in them is claimed on its
line.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

import pytest

from conformance.readings import Outcome, Symbolic, Vector, compiled, plain, program
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
static struct pair made(int x, u8 y) { struct pair p = { x, y, { y, x } }; if (x < 0) return p; p.rest[2] = y; return p; }
static int weight(struct pair p) { p.first += p.rest[2]; return p.first * 3 + p.second; }
static struct pair nothing(int x) { if (x) return s; }
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

BUMP = DECLARATIONS[: DECLARATIONS.index("static void bump")].count("\n") + 1
"""The line of the function `bump`."""

WEIGHT = DECLARATIONS[: DECLARATIONS.index("static int weight")].count("\n") + 1
"""The line of the function `weight`."""

SHORT = {"n": (0, 12)}
INDEX = {"n": (0, 7)}

CASES = {
    "if else": Case("if (a < b) o = 1; else o = 2; if (a == 3) q = o; else q = a;"),
    "nested if": Case("if (a) { if (b) o = 1; else o = 2; } else if (b > 5) o = 3; q = o * 2;"),
    "conditional operators": Case("o = a && b || n > 3; q = a ? b ? 1 : 2 : n; if (!(a || b) && ++n) q = n;"),
    "comma and nested assignment": Case("o = q = a + 1, b = o++ + q--; a = (b, o);"),
    "first touched under a condition": Case("if (a) { if (b) table[w & 7] = 5; else table[7] = 6; table[7] = 9; }"),
    "early return": Case("o = 1; if (a == 0) return; o = 2; if (b == 0) return; o = 3;"),
    "goto error path": Case(
        "o = -1; if (a == 0) goto out; q = 1; if (b == 0) goto undo; o = 0; goto out; undo: q = 0; out: w++;"
    ),
    "backward goto": Case("int i = 0; again: table[i] = a; if (++i < 5) goto again; o = i;"),
    "for loop": Case("int i; for (i = 0; i < 8; i++) o += table[i] * i;"),
    "a word put together of bits": Case(
        "int i; u32 x = 0; for (i = 0; i < 32; i++) if (test_bit(31 - i, bits)) x |= 1u << i; w = x; o = (int)(x >> 7 | 1);"
    ),
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
    "struct as a result": Case("t = made(a, b); s = made(made(b, a).rest[0], 3); pairs[2] = a ? s : t; o = made(b, 2).second;"),
    "struct as an argument": Case("o = weight(s); q = weight(made(a, b)) + weight(pairs[n]);", {"n": (0, 3)}),
    "struct by a choice of places": Case("struct pair *p = a ? &s : &pairs[2], *r = b ? &t : &pairs[n]; *r = *p; t = *r;", {"n": (0, 3)}),
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
    some = [
        0,
        random_.getrandbits(1),
        random_.getrandbits(3),
        random_.getrandbits(bits),
        (1 << bits) - 1 - random_.getrandbits(3),
    ]
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
    values = [f"{o}: {x:#x} {y:#x}" for o, x, y in zip(OBSERVE, found.values, expected.values, strict=False) if x != y]
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
    native = compiled(text, (*INPUTS, "which"), "dispatch()", OBSERVE, [v | {"which": i} for i, v in chosen], optimise)
    lowered = program(text)
    wrong = []
    for (i, vector), given in zip(chosen, native, strict=True):
        assert not isinstance(given, str), given
        wrong.append(difference(plain(lowered, f"e{i}", vector, OBSERVE), Outcome(given), vector))
    assert [w for w in wrong if w] == []


@dataclass(frozen=True, slots=True)
class Fault:
    """A body that goes wrong on one of its lines for some inputs: for `bad`, and not for `good`."""

    kind: str
    line: int
    body: str
    bad: Vector
    good: Vector | None


FAULTS = {
    "index too large": Fault("in-bounds", 2, "o = 1;\ntable[n] = 1;\no = 2;", {"n": 8}, {"n": 7}),
    "index negative": Fault("in-bounds", 1, "o = table[a - 1];", {"a": 0}, {"a": 8}),
    "inner index too large": Fault("in-bounds", 1, "grid[1][n] = 3;", {"n": 4}, {"n": 3}),
    "outer index too large": Fault("in-bounds", 1, "grid[n][1] = 3;", {"n": 3}, {"n": 2}),
    "index of 64 bits": Fault("in-bounds", 1, "o = table[wide];", {"wide": 1 << 32}, {"wide": 5}),
    "index of 32 bits, unsigned": Fault("in-bounds", 1, "o = table[w];", {"w": 1 << 31}, {"w": 5}),
    "pointer past the end": Fault("in-bounds", 2, "int *p = table + 4;\np[n] = 1;", {"n": 4}, {"n": 3}),
    "pointer before the start": Fault("in-bounds", 1, "int *p = &table[n]; o = *--p;", {"n": 0}, {"n": 8}),
    "loop one too far": Fault("in-bounds", 2, "int i;\nfor (i = 0; i <= n; i++) table[i] = 0;", {"n": 8}, {"n": 7}),
    "struct of an array": Fault("in-bounds", 1, "s = pairs[n];", {"n": 4}, {"n": 3}),
    "array in a struct": Fault("in-bounds", 1, "pairs[n & 3].rest[a] = 1;", {"a": 3}, {"a": 2}),
    "local array": Fault("in-bounds", 2, "int x[3] = { 1, 2, 3 };\no = x[n];", {"n": 3}, {"n": 2}),
    "bitmap words": Fault("in-bounds", 1, "map.reg_ul[n] = 1;", {"n": 2}, {"n": 1}),
    "bit beyond a bitmap": Fault("in-bounds", 1, "set_bit(n, map.reg_ul);", {"n": 64}, {"n": 63}),
    "bit beyond words": Fault("in-bounds", 1, "o = test_bit(n, bits);", {"n": 64}, {"n": 63}),
    "bit before words": Fault("in-bounds", 1, "o = test_bit(n - 1, bits);", {"n": 0}, {"n": 64}),
    "bit beyond the second word": Fault("in-bounds", 1, "clear_bit(n, map.reg_ul + 1);", {"n": 32}, {"n": 31}),
    "bit beyond one word": Fault("in-bounds", 1, "unsigned long m = 0; set_bit(n, &m);", {"n": 32}, {"n": 31}),
    "search too long": Fault("in-bounds", 1, "o = find_first_bit(bits, n);", {"n": 65}, {"n": 64}),
    "null pointer": Fault("no-undefined", 2, "int *p = a ? &b : (int *)0;\n*p = 1;", {"a": 0}, {"a": 1}),
    "null pointer to a struct": Fault("no-undefined", 2, "struct pair *p = a ? &s : (struct pair *)0;\no = p->rest[1];", {"a": 0}, {"a": 1}),
    "null bitmap": Fault("no-undefined", 2, "unsigned long *p = a ? bits : (unsigned long *)0;\nset_bit(1, p);", {"a": 0}, {"a": 1}),
    "null in a callee": Fault("no-undefined", BUMP - FIRST_LINE + 1, "bump(a ? &b : (int *)0);", {"a": 0}, {"a": 1}),
    "uninitialised scalar": Fault("no-undefined", 3, "int x;\nif (a) x = 1;\no = x;", {"a": 0}, {"a": 1}),
    "uninitialised after a switch": Fault("no-undefined", 3, "int x;\nswitch (a) { case 1: x = 2; break; case 2: x = 3; }\nif (x > 2) o = 1;", {"a": 0}, {"a": 2}),
    "uninitialised element": Fault("no-undefined", 3, "int x[4];\nx[n & 3] = 1;\no = x[2];", {"n": 1}, {"n": 2}),
    "uninitialised member": Fault("no-undefined", 3, "struct pair x;\nif (a) x.second = 1;\no = x.second;", {"a": 0}, {"a": 1}),
    "uninitialised through a pointer": Fault("no-undefined", 2, "int x, *p = &x; if (a) *p = 1;\n*p += 1;", {"a": 0}, {"a": 1}),
    "uninitialised local bitmap": Fault("no-undefined", 2, "unsigned long x[2]; if (a) x[1] = 0;\nset_bit(40, x);", {"a": 0}, {"a": 1}),
    "uninitialised again in a loop": Fault("no-undefined", 2, "int i; for (i = 0; i < 2; i++) { int x; if (i == 0 || a) x = 1;\no += x; }", {"a": 0}, {"a": 1}),
    "uninitialised in a struct by value": Fault("no-undefined", WEIGHT - FIRST_LINE + 1, "struct pair x; if (a) x.first = x.rest[2] = 1; x.second = 1;\no = weight(x);", {"a": 0}, {"a": 1}),
    "struct that is not returned": Fault("no-undefined", 1, "struct pair x = nothing(a);\no = x.first;", {"a": 0}, {"a": 1}),
    "lowest bit of zero": Fault("no-undefined", 1, "o = __ffs(w);", {"w": 0}, {"w": 8}),
    "division": Fault("no-undefined", 2, "o = 1;\no = a / b + 1;", {"a": 3, "b": 0}, {"a": 3, "b": 2}),
    "division of a result that is not used": Fault("no-undefined", 1, "twice(a) / twice(b), o = 1;", {"b": 0}, {"b": 3}),
    "division in an index": Fault("no-undefined", 1, "o = table[(a ? 2 : 3) / b & 7] + (b ? a : q);", {"b": 0}, {"b": 1}),
    "remainder": Fault("no-undefined", 1, "w = w % (n - 5);", {"n": 5}, {"n": 6}),
    "shift": Fault("no-undefined", 1, "w = 1u << n;", {"n": 32}, {"n": 31}),
    "wide shift": Fault("no-undefined", 1, "wide >>= n;", {"n": 64}, {"n": 63}),
    "in one of two branches": Fault("in-bounds", 3, "if (a)\no = 1; else\ntable[n] = 1;", {"n": 9, "a": 0}, {"n": 9, "a": 1}),
    "only after a loop": Fault("in-bounds", 2, "int i; for (i = 0; i < 8; i++) if (table[i] == 5) break;\ntable[i] = 1;", {}, {"table[3]": 5}),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_what_goes_wrong_is_claimed_on_its_line(name: str) -> None:
    """An undefined step or an access outside its object is claimed with its line, exactly for the inputs that lead to
    it.
    """
    fault = FAULTS[name]
    lowered = program(Case(fault.body).text)
    symbolic = Symbolic(lowered, "entry", {"n": (0, 100)})
    bad = plain(lowered, "entry", fault.bad, OBSERVE)
    assert (fault.kind, fault.line + FIRST_LINE - 1) in bad.faults
    assert {line for _, line in bad.faults} == {fault.line + FIRST_LINE - 1}
    assert symbolic.at(fault.bad, OBSERVE) == bad
    if fault.good is not None:
        good = plain(lowered, "entry", fault.good, OBSERVE)
        assert not good.faults
        assert symbolic.at(fault.good, OBSERVE) == good


DANGLING = """
static int *escaped(void) { int x = 1; int *p = &x; return p; }
static int *saved;
static void save(void) { int x[2] = { 1, 2 }; saved = x; }
void read_it(void)
{
	int *p = escaped();
	o = *p;
}
void write_it(void)
{
	save();
	saved[1] = 3;
}
void pass_it(void)
{
	saved = escaped();
	o = saved == 0;
}
"""


@pytest.mark.parametrize(("entry", "line"), [("read_it", 8), ("write_it", 13)])
def test_locals_are_not_used_after_their_function(entry: str, line: int) -> None:
    """Reading or writing a local through a pointer that outlived its function is claimed on that line."""
    lowered = program(DECLARATIONS + DANGLING)
    expected = frozenset({("no-undefined", line + DECLARATIONS.count("\n"))})
    assert plain(lowered, entry, {}, OBSERVE).faults == expected
    assert Symbolic(lowered, entry).at({}, OBSERVE).faults == expected


def test_a_dangling_pointer_may_be_passed_on() -> None:
    """A pointer to a local that is gone can be kept and compared with null."""
    assert plain(program(DECLARATIONS + DANGLING), "pass_it", {}, ("o",)) == Outcome((0,))


def test_claims_of_one_line_have_one_text() -> None:
    """What goes wrong in a local array is told in the same words whichever call of the function it was."""
    text = "static int at(int i) { int v[2] = { 1, 2 }; return v[i]; } void entry(void) { o = at(a) + at(b); }"
    claims = [c for c in Symbolic(program(DECLARATIONS + text), "entry").summary.claims if c.kind == "in-bounds"]
    assert len(claims) == 2
    assert {c.text for c in claims} == {"index within 0..1 of at:v"}


def test_unknown_pointers_move_by_bytes() -> None:
    """Two pointers of which nothing is known are equal where they are as many bytes from one."""
    text = """int *unknown;
    void same_bytes(void) { o = (u8 *)unknown + 8 == (u8 *)(unknown + 2); }
    void same_number(void) { o = (u8 *)unknown + 2 == (u8 *)(unknown + 2); }"""
    lowered = program(DECLARATIONS + text)
    assert plain(lowered, "same_bytes", {}, ("o",)) == Outcome((1,))
    with pytest.raises(Unsupported, match="comparison with a pointer of which nothing is known"):
        plain(lowered, "same_number", {}, ("o",))


REFUSED = {
    "recursion": ("int f(int x) { return x ? f(x - 1) : 0; } void entry(void)\n{\no = f(a); }", "recursion through f()", 1),
    "mutual recursion": ("int g(int); int f(int x) { return g(x); } int g(int x)\n{ return f(x); } void entry(void) { o = f(a); }", "recursion through f()", 2),
    "unknown function": ("int g(int); void entry(void)\n{\no = g(a); }", "g() is neither", 3),
    "unknown pointer": ("int *gp; void entry(void)\n{\n*gp = 1; }", "dereference of gp", 3),
    "endless loop": ("void entry(void)\n{\nfor (;;) a++; }", "a loop of more than", 3),
    "long symbolic loop": ("void entry(void)\n{\nint i; for (i = 0; i < 100000; i++) o += a; }", "a loop of more than", 3),
    "ordering of pointers": ("void entry(void)\n{\no = &table[a] < &table[3]; }", "ordering of pointers", 3),
    "difference of pointers": ("void entry(void)\n{\no = &table[a] - &table[3]; }", "difference of two pointers", 3),
    "pointer from integer": ("void entry(void)\n{\nint *p = (int *)a; *p = 1; }", "conversion between pointer and integer", 3),
    "other type": ("void entry(void)\n{\no = ((struct pair *)&table[a & 7])->first; }", "another type", 3),
    "two views of a union": (
        "union { u32 word; u8 bytes[4]; } x; void entry(void)\n{\nx.word = a;\no = x.bytes[1]; }", "seen through word and through bytes", 4,
    ),
    "word and array in a union": (
        "union { u32 word; u32 words[2]; } x; void entry(void)\n{\nx.word = a;\no = x.words[0]; }", "seen through word and through words", 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_is_refused_with_its_line(name: str) -> None:
    """A construct outside what is evaluated ends in `Unsupported`, which names it and its line."""
    text, message, line = REFUSED[name]
    lowered = program(DECLARATIONS + text)
    with pytest.raises(Unsupported) as refused:
        Symbolic(lowered, "entry").at({}, OBSERVE)
    assert message in refused.value.construct
    assert refused.value.loc is not None
    assert refused.value.loc.line - DECLARATIONS.count("\n") == line


PLACES = """
union { int word; int same; } u;
void first_member(void) { void *p = &s; void *r = &s.first; o = p == r; }
void later_member(void) { void *p = &s; void *r = &s.rest[0]; o = p == r; }
void first_element(void) { void *p = &grid[0]; void *r = &grid[0][0]; o = p == r; q = (void *)&grid[n] == r; }
void union_members(void) { void *p = &u.word; void *r = &u.same; o = p == r; *(int *)p = 7; q = u.same; }
void both_null(void) { int *p = 0, *r = n ? &a : 0; o = p == r; q = r != 0; }
"""


@needs_native
@pytest.mark.parametrize("entry", ["first_member", "later_member", "first_element", "union_members", "both_null"])
@pytest.mark.parametrize("n", [0, 1])
def test_pointers_are_equal_where_they_name_one_place(entry: str, n: int) -> None:
    """Two pointers to the same byte of an object are equal, by whatever path and type they name it."""
    text = DECLARATIONS + PLACES
    (native,) = compiled(text, ("n",), f"{entry}()", ("o", "q"), [{"n": n}], 0)
    lowered = program(text)
    assert plain(lowered, entry, {"n": n}, ("o", "q")) == Outcome(native)  # type: ignore[arg-type]
    assert Symbolic(lowered, entry).at({"n": n}, ("o", "q")) == Outcome(native)  # type: ignore[arg-type]


# Speed -----------------------------------------------------------------------------------------------------------------

LOOPS = {
    "for and test_bit": "int i; for (i = 0; i < n; i++) if (test_bit(i, bits)) clear_bit(i, found);",
    "for_each_set_bit": "int i; for_each_set_bit(i, bits, n) clear_bit(i, found);",
    "find_first_bit and find_next_bit": "int i = find_first_bit(bits, n); while (i < n) { clear_bit(i, found); i = find_next_bit(bits, n, i + 1); }",
    "counting down": "int i; for (i = n - 1; i >= 0; i--) if (test_bit(i, bits)) clear_bit(i, found);",
    "while (n--)": "int i = n; while (i--) if (test_bit(i, bits)) clear_bit(i, found);",
    "two words, set bits": "int k; for (k = 0; k < 2; k++) { u32 m = bits[k]; while (m) { int i = __ffs(m); m &= m - 1; clear_bit(i + 32 * k, found); } }",
    "two words, test each": "int k, i; for (k = 0; k < 2; k++) for (i = 0; i < 32; i++) if (bits[k] & 1u << i) clear_bit(i + 32 * k, found);",
    "lowest set bits": "u32 m = w; while (m) { int i = __ffs(m); m &= m - 1; clear_bit(i, found); }",
    "lowest set bits, masked": "u32 m = w; while (m) { int i = ffs(m) - 1; m &= ~(1u << i); clear_bit(i, found); }",
    "lowest set bits, in the condition": "u32 m = w; int i; while ((i = ffs(m)) != 0) { i--; m ^= 1u << i; clear_bit(i, found); }",
    "highest set bits": "u32 m = w; while (m) { int i = __fls(m); m &= ~(1u << i); clear_bit(i, found); }",
    "64 bits": "u64 m = wide; int i = 0; while (m) { if (m & 1) clear_bit(i, found); i++; m >>= 1; }",
    "pointer walk": "int *p = table, i; for (i = 0; i < 8; i++, p++) if (*p == n) *p = a;",
    "goto": "int i = 0; again: if (i < n) { if (test_bit(i, bits)) clear_bit(i, found); i++; goto again; }",
}  # fmt: skip


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_over_64_bits_is_summarised_quickly(name: str) -> None:
    """Every usual way to walk over up to 64 list registers is summarised in seconds, and means what it does on
    numbers.
    """
    body = LOOPS[name].replace("(bits", "(map.reg_ul").replace(", bits", ", map.reg_ul")
    lowered = program(Case(body).text)
    start = time.process_time()
    symbolic = Symbolic(lowered, "entry", {"n": (1, 64)})
    assert time.process_time() - start < 5
    for vector in vectors(random.Random(name), {"n": (1, 64)}, 2):
        expected = plain(lowered, "entry", vector, OBSERVE)
        assert difference(symbolic.at(vector, OBSERVE), expected, vector) == ""
