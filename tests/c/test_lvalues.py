"""Regions of the evaluator's memory, found again in the C."""

from __future__ import annotations

import pytest

from vgicheck.c import clang
from vgicheck.c.domain import NULL, Address, FunctionPointer, Opaque
from vgicheck.c.ir import Array, Int, Loc, StructRef, Unsupported
from vgicheck.c.lower import lower
from vgicheck.c.lvalues import Region, Target, address, declaration, indexed, pointer, target, value
from vgicheck.c.memory import Layout

TEXT = """
typedef unsigned int u32;
union view { u32 reg[2]; unsigned long reg_ul[0]; };
union pair { u32 few[2]; u32 word[4]; };
union mixed { u32 word; unsigned char byte[4]; };
struct inner { union view banked[4]; union view shared; unsigned char table[6]; _Bool ready; };
struct { struct inner inner; union pair pair; union mixed mixed; struct { int deep; }; int *pointer, *links[2]; } s;
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


def test_bitmap_by_words(layout: Layout) -> None:
    """Where bitmaps are read as words, the last index is that of a word."""
    by_words = Layout(layout.program, by_words=True)
    assert target(by_words, "s.inner.banked[][]", (3, 1), 32) == Target("s.inner.banked[3].reg[1]", 32)
    assert target(by_words, "s.inner.banked[][]", (3, 2), 32) is None


@pytest.mark.parametrize(
    ("region", "indices", "bits", "found"),
    [
        ("number", [], 32, Region("number", "", (), 32, False)),
        ("rows[][]", ["i", "j + 1"], 32, Region("rows[i][j + 1]", "", (3, 5), 32, False)),
        ("s.inner.ready", [], 8, Region("s.inner.ready", "", (), 8, True)),
        (
            "s.inner.banked[][]",
            ["i", "j"],
            0,
            Region("s.inner.banked[i].reg[(j) / 32]", "(j) % 32", (4, 64), 32, False),
        ),
        ("device[]", ["i"], 32, Region("*(unsigned int *)&device[4 * (i)]", "", (16,), 32, False)),
    ],
)
def test_cells_by_expressions(layout: Layout, region: str, indices: list[str], bits: int, found: Region) -> None:
    """A region's cells are found for indices that only C knows."""
    assert indexed(layout, region, indices, bits) == found


def test_cells_of_another_width(layout: Layout) -> None:
    """Words of a width that the C does not have are refused."""
    with pytest.raises(Unsupported, match="used as 16 bits, and has 32"):
        indexed(layout, "number", [], 16)


def test_pointer(layout: Layout) -> None:
    """A pointer is its lvalue; what is none is refused as one, and a pointer is no word."""
    assert (pointer(layout, "s.pointer", ()), pointer(layout, "s.links[]", (1,))) == ("s.pointer", "s.links[1]")
    assert pointer(layout, "s.links[]", (2,)) is None
    with pytest.raises(Unsupported, match=r"s\.inner\.table\[\] is no pointer"):
        pointer(layout, "s.inner.table[]", (0,))
    with pytest.raises(Unsupported, match=r"s\.pointer is a pointer"):
        target(layout, "s.pointer", ())


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Address("s"), "(void *)&s"),
        (Address("s", ("inner", "banked", -2, "reg", 5)), "(void *)&s.inner.banked[-2].reg[5]"),
        (Address("s", ("", "deep")), "(void *)&s.deep"),
        (NULL, "(void *)0"),
        (FunctionPointer("counts"), "(void *)counts"),
        (Opaque("first"), "(void *)0x100"),
        (Opaque("second"), "(void *)0x101"),
        (-1, "0xffffffffffffffffULL"),
    ],
)
def test_value(found: object, text: str) -> None:
    """A value that is known exactly is an expression of C; pointers to nothing that is known differ."""
    assert value(found, {"first": 0}) == text


def test_address_of_an_unnamed_member() -> None:
    """Members without a name leave no trace in an address."""
    assert address(Address("s", (".1", "deep", 3))) == "&s.deep[3]"


def test_declaration(layout: Layout) -> None:
    """An object that the C does not declare has a declaration; one of a type without a name has none."""
    layout.objects.update(
        at_words=Array(Int(32, False), 1), at_inner=StructRef("inner"), at_view=StructRef("view"),
        at_none=StructRef(next(tag for tag in layout.program.structs if "@" in tag)),
    )  # fmt: skip
    assert declaration(layout, "at_words") == "static unsigned int at_words[1];"
    assert (declaration(layout, "at_inner"), declaration(layout, "at_view")) == (
        "static struct inner at_inner;", "static union view at_view;",
    )  # fmt: skip
    with pytest.raises(Unsupported, match="a type without a name"):
        declaration(layout, "at_none")
