"""A widened loop allows everything that the loop does, and still shows what it is there to show."""

from __future__ import annotations

import random

import pytest

from conformance import kernel
from conformance.readings import Outcome, Widened, plain, program
from tests.c.test_summary import CASES, FAULTS, INPUTS, LOOPS, OBSERVE, Case, vectors
from vgicheck.c.ir import Unsupported

SOME = OBSERVE[:17]

SHAPES = {
    "break": "int i; for (i = 0; i < n; i++) { if (table[i & 7] == a) break; o += 1; } q = i;",
    "return inside": "int i; for (i = 0; i < n; i++) { if (table[i & 7] == a) { q = i; return; } o = i; } q = -1;",
    "continue": "int i; for (i = 0; i < n; i++) { if (table[i & 7] & 1) continue; o ^= table[i & 7]; }",
    "through a pointer": "int i, *p = &a; for (i = 0; i < n; i++) { *p += i; if (i == 2) p = &b; }",
    "in a callee": "int i; for (i = 0; i < n; i++) bump(i & 1 ? &a : &table[3]);",
    "into a struct": "int i; for (i = 0; i < n; i++) { s.first += i; s.rest[i & 1] = a; }",
    "a local array": "int t[4] = { 1, 2, 3, 4 }; int i; for (i = 0; i < n; i++) t[i & 3] += i; o = t[0]; q = t[3];",
    "nested": "int i, k; for (i = 0; i < n; i++) for (k = 0; k < i; k++) { o += k; table[k & 7] = i; }",
    "nested with a way out": "int i, k; for (i = 0; i < n; i++) { for (k = 0; k < n; k++) if (table[k & 7] == i) goto out; o++; } out: q = i;",
    "a flag": "int i, seen = 0; for (i = 0; i < n; i++) if (table[i & 7] == a) seen = 1; o = seen;",
    "the last one": "int i, last = -1; for (i = 0; i < n; i++) if (table[i & 7] == a) last = i; o = last;",
    "the one before": "int i, before = 0, now = a; for (i = 0; i < n; i++) { before = now; now = table[i & 7]; } o = before; q = now;",
    "set bits, changed on the way": "int i; for_each_set_bit(i, bits, 64) { clear_bit(i, bits); set_bit(63 - i, found); o = i; }",
    "do while": "int i = n; do { o += i; i--; } while (i > 0);",
    "down": "int i; for (i = n; i >= 0; i--) table[i & 7] = i;",
    "by fours": "int i; for (i = 4; i < n; i += 4) { table[i & 7] = i; o = i; }",
    "two counters": "int i, k = 10; for (i = 0; i < n; i++) k -= 2; o = k;",
    "set late": "int i, x; for (i = 0; i < 20; i++) { if (i > 0) o = x; x = i; }",
    "an unsigned index": "u32 i; for (i = 0; i < (u32)n; i++) hits[i & 31] += 1; o = (int)i;",
    "given back": "int i, t; for (i = 0; i < n; i++) { t = a; a = i; bump(&o); a = t; } q = a;",
    "given back but once": "int i, t; for (i = 0; i < n; i++) { t = a; a = i; bump(&o); if (i != 3) a = t; } q = a;",
    "the same in other words": "int i, x = a & 7; for (i = 0; i < n; i++) { bump(&o); x = (a | 8) & 7; } q = x;",
    "one of two": "int i, x = a ? 1 : 2; for (i = 0; i < n; i++) { bump(&o); if (table[i & 7] & 1) x = o & 1 ? 2 : 1; } q = x;",
    "up to a count": "int i, k = 0; for (i = 0; i < n; i++) { bump(&o); if (table[i & 7] & 1) k++; if (k == 5) break; } q = k;",
    "a pointer that moves on": "int i, *p = &a; for (i = 0; i < n; i++) { bump(p); p = table[i & 7] & 1 ? &b : &a; } q = *p;",
    "a bit search to the end": "int i = find_first_bit(bits, 64); while (i < 64) { o += 1; i = find_next_bit(bits, 64, i + 1); } q = i;",
}  # fmt: skip


@pytest.fixture
def seed() -> int:
    """What the texts and numbers of this file are drawn from."""
    return 20121127


@pytest.mark.parametrize("name", SHAPES)
def test_what_a_loop_does_is_allowed(name: str, seed: int) -> None:
    """Whatever a loop does on numbers is among what its widening allows."""
    case = Case(SHAPES[name])
    lowered = program(case.text)
    widened = Widened(lowered, "entry")
    for vector in vectors(random.Random(f"{seed} {name}"), {"n": (0, 30)}, 3):
        assert widened.may(vector, OBSERVE, plain(lowered, "entry", vector, OBSERVE)), vector


@pytest.mark.parametrize("name", [*CASES, *LOOPS])
def test_what_other_texts_do_is_allowed(name: str, seed: int) -> None:
    """So it is for every construct that the exact evaluation is tested with, with or without loops."""
    case = CASES[name] if name in CASES else Case(LOOPS[name], {"n": (0, 12)})
    lowered = program(case.text)
    try:
        widened = Widened(lowered, "entry")
    except Unsupported as cause:
        assert "which a loop changes" in str(cause) or "which the loop" in str(cause)
        return
    (vector,) = vectors(random.Random(f"{seed} {name}"), case.limits, 1)
    assert widened.may(vector, SOME, plain(lowered, "entry", vector, SOME)), vector


@pytest.mark.parametrize("name", FAULTS)
def test_what_goes_wrong_is_not_hidden(name: str) -> None:
    """What goes wrong on numbers may go wrong, on the same line."""
    fault = FAULTS[name]
    lowered = program(Case(fault.body).text)
    outcome = plain(lowered, "entry", fault.bad, ())
    assert outcome.faults
    assert Widened(lowered, "entry").may(fault.bad, (), outcome)


OBSERVED = ("a", "b", "o", "q", "w", "count", "table[0]", "table[3]", "s.first", "cpu.hcr", "cpus[1].out")


@pytest.mark.parametrize("number", range(12))
def test_random_programs_do_what_is_allowed(seed: int, number: int) -> None:
    """Random programs, most of them with loops, do nothing that their widening does not allow."""
    random_ = random.Random(f"{seed} {number}")
    made = kernel.sample(random_, number)
    lowered = program(made.unit)
    try:
        widened = Widened(lowered, made.entry)
    except Unsupported as cause:
        pytest.skip(f"it is not widened: {cause}")
    vector = {name: random_.getrandbits(bits) for name, bits in made.inputs.items()}
    assert widened.may(vector, OBSERVED, plain(lowered, made.entry, vector, OBSERVED)), made.text


# What it is there to show ---------------------------------------------------------------------------------------------

SHOWN = {
    "an index below a bound": "int i; for (i = 0; i < 96; i++) grid[i >> 5][i & 3] = twice(i);",
    "the bound after it": "int i; for (i = 0; i < 100; i++) bump(&o); table[i - 100] = 1;",
    "by fours": "int i; for (i = 0; i < 8; i += 4) { bump(&o); table[i + 3] = 1; }",
    "set bits": "int i; for_each_set_bit(i, bits, 64) { bump(&o); clear_bit(i, found); }",
    "a bound that is not known": "int i; for (i = 0; i < n && i < 8; i++) { bump(&o); table[i] = i; }",
    "nested": "int i, k; for (i = 0; i < 3; i++) { bump(&o); for (k = 0; k < 4; k++) { bump(&q); grid[i][k] = i; } }",
    "a flag is 0 or 1": "int i, f = 0; for (i = 0; i < 90; i++) if (table[i & 7]) { bump(&o); f = 1; } table[f * 7] = 1;",
    "a pointer that stays": "int i, *p = n ? &a : &b; for (i = 0; i < 90; i++) bump(p); *p = 1;",
    "a word that is given back": "a = 3; { int i, t; for (i = 0; i < 90; i++) { t = a; a = 9; bump(&o); a = t; } table[a] = 1; }",
    "up to a count": "int i, k = 0; for (i = 0; i < 90; i++) { bump(&o); table[k] = 1; if (o & 1) k++; if (k == 8) break; }",
    "two that belong together": "int i, x = n ? 1 : 7, y = n ? 6 : 0; for (i = 0; i < 90; i++) { bump(&o); table[x + y] = 1; if (o & 1) x = n ? 1 : 7; }",
    "initialised before": "int i, x = 3; for (i = 0; i < 90; i++) { bump(&o); o = x; x = i; }",
}  # fmt: skip
NOT_SHOWN = {
    "one too far": ("int i; for (i = 0; i <= 8; i++) { bump(&o); table[i] = i; }", "in-bounds"),
    "after the loop": ("int i; for (i = 0; i < 8; i++) bump(&o); table[i] = 1;", "in-bounds"),
    "only at first": ("int i; for (i = 8; i < 90; i++) { bump(&o); if (i == 8) table[i] = 1; }", "in-bounds"),
    "only at last": ("int i; for (i = 0; i < 90; i++) { bump(&o); if (i == 89) table[8] = 1; }", "in-bounds"),
    "what the round before left": ("int i, k = 0; for (i = 0; i < 90; i++) { bump(&o); table[k] = 1; k = i; }", "in-bounds"),
    "through a pointer": ("int i, k = 0, *p = &k; for (i = 0; i < 90; i++) { table[k] = 1; bump(p); }", "in-bounds"),
    "in a callee": ("a = 0; { int i; for (i = 0; i < 90; i++) { table[a] = 1; bump(&a); } }", "in-bounds"),
    "a local of the round before": ("int i, *p = 0; for (i = 0; i < 90; i++) { bump(&o); if (p) o = *p; { int x = i; p = &x; } }", "no-undefined"),
    "given back but in one round": ("a = 3; { int i, t; for (i = 0; i < 90; i++) { t = a; a = 9; bump(&o); if (i != 50) a = t; } table[a] = 1; }", "in-bounds"),
    "two of which one changes": ("int i, x = n ? 1 : 7, y = n ? 6 : 0; for (i = 0; i < 90; i++) { bump(&o); table[x + y] = 1; if (o & 1) x = 7; }", "in-bounds"),
    "past a count": ("int i, k = 1; for (i = 0; i < 90; i++) { bump(&o); table[k] = 1; if (o & 1) k += 2; if (k == 8) break; }", "in-bounds"),
    "from above a count": ("int i, k = n & 15; for (i = 0; i < 90; i++) { bump(&o); table[k] = 1; if (o & 1) k++; if (k == 8) break; }", "in-bounds"),
    "a shift": ("int i; for (i = 0; i < 40; i++) { bump(&o); w |= 1u << i; }", "no-undefined"),
    "not initialised": ("int i, x; for (i = 0; i < 90; i++) { bump(&o); o = x; x = i; }", "no-undefined"),
    "not initialised by an element": ("int i, t[2]; t[0] = 1; for (i = 0; i < 90; i++) { bump(&o); o = t[i & 1]; }", "no-undefined"),
    "a struct that is not initialised, copied": ("int i; struct pair x = s, y; for (i = 0; i < 90; i++) { bump(&o); q = x.first; x = y; }", "no-undefined"),
    "not initialised before it goes round": ("int i, x; for (i = 0; i < 90; i++) { bump(&o); if (i > 3) o = x; if (a) x = i; }", "no-undefined"),
    "a break before the bound": ("int i; for (i = 0; i < 90; i++) { bump(&o); if (o == 50) break; } table[90 - i] = 1;", "in-bounds"),
    "a value of two rounds ago": ("int i, x = 0, y = 0; for (i = 0; i < 90; i++) { bump(&o); table[x] = 1; x = y; y = 8; }", "in-bounds"),
}  # fmt: skip


def failing(text: str) -> set[str]:
    """The kinds of claims of a text that its widening does not show."""
    import z3

    widened = Widened(program(Case(text).text), "entry")
    g = widened.summary.domain.guards
    found = set()
    for c in widened.summary.claims:
        solver = z3.Solver()
        solver.add(*widened.facts)
        bad = g.term(g.and_(c.path, g.not_(c.holds)))
        if solver.check(bad) != z3.unsat:
            found.add(c.kind)
    return found


@pytest.mark.parametrize("name", SHOWN)
def test_invariants_are_found(name: str) -> None:
    """The invariants that loops of a VGIC need are found: nothing of these is left open."""
    assert failing(SHOWN[name]) == set()


@pytest.mark.parametrize("name", NOT_SHOWN)
def test_nothing_wrong_is_shown(name: str) -> None:
    """What goes wrong in some round of a loop is left open."""
    text, kind = NOT_SHOWN[name]
    assert kind in failing(text)


def test_an_outcome_that_does_not_happen_can_be_excluded() -> None:
    """The test of what is allowed can fail."""
    lowered = program(Case("int i; for (i = 0; i < n; i++) bump(&o); q = 7;").text)
    widened = Widened(lowered, "entry")
    assert widened.may({"n": 3}, ("q",), Outcome((7,)))
    assert not widened.may({"n": 3}, ("q",), Outcome((8,)))
    assert INPUTS


@pytest.mark.parametrize(("step", "claimed"), [(4, False), (1, True)])
def test_words_in_bytes_are_aligned(step: int, claimed: bool) -> None:
    """A word that is read from an array of bytes lies at a multiple of its size, or that is claimed."""
    text = (
        f"u8 bytes[16]; u32 w; void entry(void) {{ int i; for (i = 0; i <= 12; i += {step}) w ^= *(u32 *)&bytes[i]; }}"
    )
    lowered = program(text)
    outcome = plain(lowered, "entry", {"bytes[5]": 7}, ("w",))
    assert bool(outcome.faults) is claimed
    assert claimed or outcome.values == (7 << 8,)


def test_a_pointer_of_the_call_before_dangles() -> None:
    """What a function keeps the address of in one round of a loop is gone in the next."""
    text = (
        "int *kept, o; static void keep(int x) { int y = x; kept = &y; }\n"
        "void entry(void) { int i; kept = &o; for (i = 0; i < 90; i++) { o = *kept; keep(i); } }"
    )
    lowered = program(text)
    assert plain(lowered, "entry", {}, ()).faults
    with pytest.raises(Unsupported, match="which a loop changes"):
        Widened(lowered, "entry")
