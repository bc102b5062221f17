"""C of 64 bits: pointers and longs are wide, distances of pointers do not wrap, and bit operations want whole longs."""

from __future__ import annotations

from typing import Any

import pytest

from vgicheck.c import clang
from vgicheck.c.intrinsics import INTRINSICS
from vgicheck.c.ir import Loc, Program, Unsupported
from vgicheck.c.lower import lower
from vgicheck.c.memory import Arbitrary, Given
from vgicheck.c.stubs import linux
from vgicheck.c.summary import Evaluator
from vgicheck.engine.solve import Feasibility

TEXT = """
struct holder { u32 first; void *pointer; u32 last; } holder;
u32 table[4], n, o;
unsigned long word, long_o;
u64 far;

void sizes(void) { o = sizeof(long) * 100 + sizeof(void *) * 10 + __builtin_offsetof(struct holder, last); }
void high_bit(void) { long_o = 1UL << 40; o = test_bit(40, &long_o); }
void last_bit(void) { set_bit(63, &word); o = find_first_bit(&word, 64); }
void narrow(void) { set_bit(n & 31, (unsigned long *)table); }
void near(void) { if (far < 4) o = *(table + far); }
void beyond(void) { o = *(table + far); }
void back(void) { o = *(table - n); }
void round(void) { u32 *p = table; p += 0x7fffffff; p += 0x7fffffff; p += 2; o = *p; }
void element(void) { o = table[far]; }
"""


def program(target: str = clang.TARGET_64) -> Program:
    """Lower the functions above."""
    unit = clang.parse(linux().text + TEXT, name="t.c", origin=lambda line: Loc("t.c", line), target=target)
    assert not unit.errors
    return lower(unit)


def ran(
    name: str, cells: dict[str, int] | None = None, target: str = clang.TARGET_64
) -> tuple[dict[str, int], Evaluator]:
    """Run a function over plain numbers; return what is left in the variables, and who ran it."""
    e = Evaluator(program(target), Given({(k, ()): v for k, v in (cells or {}).items()}), INTRINSICS)
    after = e.summarise(name).after
    return {v: int(after.regions[v][()]) for v in ("o", "long_o", "word") if v in after.regions}, e


def evaluated(name: str) -> Evaluator:
    """Evaluate a function over terms."""
    feasible = Feasibility(1_000_000)
    e = Evaluator(program(), Arbitrary(lambda *_: None, feasible.assume), INTRINSICS, feasible)
    e.summarise(name)
    return e


def doubtful(e: Evaluator) -> list[str]:
    """Return what is claimed and may fail."""
    found: list[Any] = [(c.text, e.guards.term(e.guards.and_(c.path, e.guards.not_(c.holds)))) for c in e.claims]
    return [text for text, fails in found if e.feasible(fails)]


def test_pointers_and_longs_have_eight_bytes() -> None:
    """The compiler's layout is that of the target, and the evaluator's is the compiler's."""
    assert ran("sizes")[0]["o"] == 896
    assert ran("sizes", target=clang.TARGET)[0]["o"] == 448


def test_a_long_has_64_bits() -> None:
    """A bit that only a wide long has is set, found, and no shift out of range."""
    left, e = ran("high_bit")
    assert left["o"] == 1 and left["long_o"] == 1 << 40 and not e.claims
    assert ran("last_bit")[0]["o"] == 63
    assert next(c.text for c in ran("high_bit", target=clang.TARGET)[1].claims) == "shift of a 32-bit value by 0..31"


def test_a_bit_operation_reaches_a_whole_long() -> None:
    """On words of half a long it may reach behind the last of them, so it is not followed."""
    with pytest.raises(Unsupported, match="narrower than a long"):
        evaluated("narrow")


@pytest.mark.parametrize("name", ["beyond", "back"])
def test_a_distance_that_no_index_has_is_refused(name: str) -> None:
    """What does not fit in 32 bits is not cut off."""
    with pytest.raises(Unsupported, match="a distance that may not fit"):
        evaluated(name)


def test_a_distance_that_fits_is_followed() -> None:
    """Where the path says that it is small, nothing is in doubt."""
    assert doubtful(evaluated("near")) == []


def test_a_pointer_does_not_come_round() -> None:
    """Elements that make 2 to the 32nd together are not none."""
    with pytest.raises(Unsupported, match="a distance that may not fit"):
        ran("round")


def test_a_wide_index_is_out_of_bounds() -> None:
    """An index that is cut off to one inside of the array is beyond it all the same."""
    assert "an index that fits in 32 bits" in doubtful(evaluated("element"))
    claims = ran("element", {"far": (1 << 32) + 1})[1].claims
    assert [c.text for c in claims] == ["an index that fits in 32 bits"]
