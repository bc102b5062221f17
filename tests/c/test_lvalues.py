"""Regions of the evaluator's memory, found again in the C."""

from __future__ import annotations

import pytest

from vgicheck.c import clang
from vgicheck.c.ir import Loc, Unsupported
from vgicheck.c.lower import lower
from vgicheck.c.lvalues import Target, target
from vgicheck.c.memory import Layout

TEXT = """
typedef unsigned int u32;
union view { u32 reg[2]; unsigned long reg_ul[0]; };
union pair { u32 few[2]; u32 word[4]; };
union mixed { u32 word; unsigned char byte[4]; };
struct inner { union view banked[4]; union view shared; unsigned char table[6]; _Bool ready; };
struct { struct inner inner; union pair pair; union mixed mixed; struct { int deep; }; int *pointer; } s;
unsigned char device[0x40];
int number, rows[3][5];
void counts(void) { static int calls; calls++; }
"""


@pytest.fixture(scope="module")
def layout() -> Layout:
    unit = clang.parse(TEXT, name="t.c", origin=lambda line: Loc("t.c", line))
    assert not unit.errors
    return Layout(lower(unit))


@pytest.mark.parametrize(
    ("region", "key", "bits", "found"),
    [
        ("number", (), None, Target("number", 32)),
        ("rows[][]", (2, 4), 32, Target("rows[2][4]", 32)),
        ("s.inner.table[]", (5,), 8, Target("s.inner.table[5]", 8)),
        ("s.inner.table[]", (5,), None, Target("s.inner.table[5]", 8)),
        ("s.inner.ready", (), 8, Target("s.inner.ready", 8, is_bool=True)),
        ("s.inner.banked[][]", (3, 33), 32, Target("s.inner.banked[3].reg[1]", 32, 1)),
        ("s.inner.shared[]", (31,), 32, Target("s.inner.shared.reg[0]", 32, 31)),
        ("s.pair[]", (3,), None, Target("s.pair.word[3]", 32)),
        ("s.mixed.byte![]", (2,), None, Target("s.mixed.byte[2]", 8)),
        ("s.mixed.word!", (), None, Target("s.mixed.word", 32)),
        ("device[]", (15,), 32, Target("*(unsigned int *)&device[60]", 32)),
        ("device[]", (15,), None, Target("*(unsigned int *)&device[60]", 32)),
        ("device[]", (60,), 8, Target("device[60]", 8)),
    ],
)
def test_cell(layout: Layout, region: str, key: tuple[int, ...], bits: int | None, found: Target) -> None:
    """A cell is the lvalue that its region's name and key came from."""
    assert target(layout, region, key, bits) == found


@pytest.mark.parametrize(
    ("region", "key"),
    [("rows[][]", (3, 0)), ("rows[][]", (0, -1)), ("s.inner.banked[][]", (4, 0)), ("s.inner.banked[][]", (0, 64)),
     ("s.inner.table[]", (6,)), ("device[]", (16,))],
)  # fmt: skip
def test_outside(layout: Layout, region: str, key: tuple[int, ...]) -> None:
    """A key outside of its array is no cell."""
    assert target(layout, region, key) is None


@pytest.mark.parametrize(
    ("region", "key", "bits"),
    [("counts.calls", (), None), ("nobody", (), None), ("s.inner", (), None), ("s.pointer", (), None),
     ("number", (), 8), ("rows[]", (0,), None), ("number[]", (0,), None)],
)  # fmt: skip
def test_no_scalar(layout: Layout, region: str, key: tuple[int, ...], bits: int | None) -> None:
    """What no lvalue at file scope reaches at that width is refused."""
    with pytest.raises(Unsupported):
        target(layout, region, key, bits)
