"""What a term means compiled to arrays is what Z3 says that it means."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import z3

from vgicheck.engine.arrays import Frame, Program
from vgicheck.engine.layout import Layout
from vgicheck.engine.operators import operation_of
from vgicheck.engine.stepper import Stepper
from vgicheck.engine.system import Cell, NotUnderstood, System, Transition

STATES = 10


def cells(width: int, source: random.Random) -> list[Cell]:
    """Cells of one width with random values, a few or many, in no order; truth values beside them."""
    found = []
    for name, count in (("a", 5), ("b", 90), ("c", 1)):
        values = {source.getrandbits(width) for _ in range(count)} | {0, (1 << width) - 1}
        found.append(Cell(name, tuple(source.sample(sorted(values), len(values))), width))
    return [*found, Cell("p", (False, True)), Cell("q", (True, False)), Cell("r", (True,))]


def value_of(term: Any, state: dict[str, Any], listed: list[Cell]) -> int:
    """What Z3 says of a term in a state."""
    pairs = [(c.term, z3.BitVecVal(state[c.name], c.width) if c.width else z3.BoolVal(state[c.name])) for c in listed]
    value = z3.simplify(z3.substitute(term, *pairs))
    return int(value.as_long()) if z3.is_bv_value(value) else int(z3.is_true(value))


def compiled(term: Any, states: list[dict[str, Any]], listed: list[Cell]) -> list[int]:
    """What the compiled term is in each of some states."""
    layout = Layout(listed)
    program = Program(layout)
    node = program.node(term)
    frame = Frame(program, layout.packed(states))
    frame.run(program.cone([node]))
    return [int(v) for v in np.broadcast_to(frame[node], len(states))]


def narrower(term: Any, width: int) -> Any:
    """The same low bits in a word of another width."""
    return z3.Extract(width - 1, 0, term) if term.size() > width else z3.ZeroExt(width - term.size(), term)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "bvadd": lambda x, y: x + y,
    "bvsub": lambda x, y: x - y,
    "bvmul": lambda x, y: x * y,
    "bvand": lambda x, y: x & y,
    "bvor": lambda x, y: x | y,
    "bvxor": lambda x, y: x ^ y,
    "bvshl": lambda x, y: x << y,
    "bvlshr": z3.LShR,
    "bvashr": lambda x, y: x >> y,
    "eq": lambda x, y: x == y,
    "distinct": lambda x, y: z3.Distinct(x, y, x + y),
    "ult": z3.ULT,
    "ule": z3.ULE,
    "ugt": z3.UGT,
    "uge": z3.UGE,
    "slt": lambda x, y: x < y,
    "sle": lambda x, y: x <= y,
    "sgt": lambda x, y: x > y,
    "sge": lambda x, y: x >= y,
    "concat": lambda x, y: z3.Concat(narrower(x, 3), narrower(y, 9), narrower(x, 1)),
}
UNARY: dict[str, Callable[[Any], Any]] = {
    "bvnot": lambda x: ~x,
    "bvneg": lambda x: -x,
    "zero_extend": lambda x: z3.ZeroExt(64 - x.size(), x),
    "sign_extend": lambda x: z3.SignExt(64 - x.size(), x),
    "sign_extend_little": lambda x: z3.SignExt(1, z3.Extract(x.size() - 1, 0, x)) if x.size() < 64 else x,
    "extract_high": lambda x: z3.Extract(x.size() - 1, x.size() // 2, x),
    "extract_bit": lambda x: z3.Extract(x.size() // 3, x.size() // 3, x),
}
BOOLEAN: dict[str, Callable[[Any, Any], Any]] = {
    "and": lambda x, y: z3.And(x, y, z3.Bool("p")),
    "or": lambda x, y: z3.Or(x, y, z3.Bool("q")),
    "xor": z3.Xor,
    "implies": z3.Implies,
    "iff": lambda x, y: x == y,
    "not": lambda x, y: z3.And(z3.Not(x), y),
    "ite": lambda x, y: z3.If(x, y, z3.Not(y)),
    "distinct": z3.Distinct,
}


def operands(source: random.Random, listed: list[Cell], width: int) -> list[Any]:
    """Words to apply an operator to: cells with few and with many values, plain ones, small and large ones."""
    a, b, c = (cell.term for cell in listed[:3])
    plain = [z3.BitVecVal(v, width) for v in (0, 1, width, source.getrandbits(width), (1 << width) - 1)]
    return [a, b, c, z3.If(z3.Bool("p"), a, b), *plain]


def check(term: Any, listed: list[Cell], source: random.Random) -> None:
    """Compare in random states."""
    states = [{c.name: source.choice(c.values) for c in listed} for _ in range(STATES)]
    assert compiled(term, states, listed) == [value_of(term, s, listed) for s in states], term


@pytest.mark.parametrize("width", [1, 3, 8, 10, 16, 31, 64])
def test_operators_on_words_are_those_of_z3(width: int) -> None:
    """Each operator, on words of a width, gives in random states what Z3 gives."""
    seed = 1000 + width
    print(f"seed {seed}")
    source = random.Random(seed)
    listed = cells(width, source)
    words = operands(source, listed, width)
    for make in UNARY.values():
        for x in words[:4]:
            check(make(x), listed, source)
    for name, make2 in BINARY.items():
        for x, y in [(words[1], w) for w in words] + [(source.choice(words), source.choice(words)) for _ in range(3)]:
            if name != "concat" or width > 8:
                check(make2(x, y), listed, source)


def test_operators_on_truth_values_are_those_of_z3() -> None:
    """Each operator on truth values, cells and comparisons, gives in random states what Z3 gives."""
    source = random.Random(7)
    listed = cells(8, source)
    a, b = listed[0].term, listed[1].term
    truths = [
        z3.Bool("p"),
        z3.Bool("q"),
        z3.Bool("r"),
        a == b,
        z3.ULT(a, 100),
        a == listed[0].values[1],
        z3.BoolVal(True),
    ]
    for make in BOOLEAN.values():
        for x, y in [(truths[i], y) for i in (0, 1, 4, 6) for y in truths[::2]]:
            check(make(x, y), listed, source)
    check(z3.If(z3.Bool("r"), a, b), listed, source)
    check(z3.If(z3.And(z3.Bool("p"), a != b), a, b + a), listed, source)


@pytest.mark.parametrize("seed", range(6))
def test_deep_terms_are_those_of_z3(seed: int) -> None:
    """Random compositions of operators give what Z3 gives, before and after simplification."""
    source = random.Random(seed)
    width = source.choice([4, 8, 13])
    listed = cells(width, source)
    words, truths = operands(source, listed, width), [z3.Bool("p"), z3.Bool("q")]
    names = [n for n in BINARY if n != "concat"]
    for _ in range(25):
        made = BINARY[source.choice(names)](source.choice(words), source.choice(words))
        (truths if z3.is_bool(made) else words).append(made)
        truths.append(BOOLEAN[source.choice([*BOOLEAN])](source.choice(truths), source.choice(truths)))
        words.append(z3.If(source.choice(truths), source.choice(words), source.choice(words)))
    for term in (words[-1], truths[-1], words[-7], truths[-5]):
        check(term, listed, source)
        check(z3.simplify(term), listed, source)


def test_what_is_not_known_is_refused() -> None:
    """An operator, a sort, a width or a name that the compiler does not know raises, and says which."""
    x, y = z3.BitVecs("x y", 8)
    listed = [Cell("x", (0, 1), 8)]
    for term, words in (
        (z3.UDiv(x, x + 1), "bvudiv"),
        (z3.Select(z3.Array("m", x.sort(), x.sort()), x), "Array"),
        (x + y, "y is no cell"),
        (z3.BitVec("x", 9) + 1, "x is no cell"),
        (z3.ZeroExt(60, x), "68 bits"),
        (z3.Int("i") + 1 > 0, "Int"),
        (z3.RotateLeft(x, x), "rotate"),
    ):
        with pytest.raises(NotUnderstood, match=words):
            Program(Layout(listed)).node(term)
    with pytest.raises(NotUnderstood, match="bvudiv"):
        operation_of(z3.UDiv(x, y))


def test_next_values_are_coded_or_missed() -> None:
    """A next value gets the code of its place among the cell's values; where it is none of them, that is known."""
    seed = 5
    source = random.Random(seed)
    for width, count in ((4, 5), (10, 300), (32, 40)):
        values = tuple(source.sample(range(1 << min(width, 20)), min(count, 1 << width)))
        listed = [Cell("n", values, width), Cell("m", values[:3], width), Cell("p", (True, False))]
        n, m, p = (c.term for c in listed)
        layout = Layout(listed)
        states = [{c.name: source.choice(c.values) for c in listed} for _ in range(200)]
        for term in (n, m, n + 1, z3.If(p, m, n), z3.If(p, z3.BitVecVal(values[0], width), n * 3), z3.If(p, n, m) ^ m):
            program = Program(layout)
            code, wrong = program.encoded(term, 1)
            frame = Frame(program, layout.packed(states))
            frame.run(program.cone([code] if wrong is None else [code, wrong]))
            for i, state in enumerate(states):
                expected = value_of(term, state, listed)
                missed = wrong is not None and bool(np.broadcast_to(frame[wrong], len(states))[i])
                assert missed == (expected not in values[:3])
                if not missed:
                    assert values[int(np.broadcast_to(frame[code], len(states))[i])] == expected


def test_one_cell_decides_by_its_code() -> None:
    """A question about one cell, however it is asked, becomes one comparison with a code."""
    x = z3.BitVec("x", 10)
    program = Program(Layout([Cell("x", (0, 34, 99), 10)]))
    nodes = [program.node(t) for t in (x == 34, z3.And(z3.ULT(x, 90), x != 0), z3.Extract(1, 0, x) == 2)]
    assert len(set(nodes)) == 1
    assert len(program.cone(nodes)) == 3


def test_layouts_keep_codes_in_bytes_and_a_bit_free() -> None:
    """No code of up to eight bits crosses a byte, the top bit of a column is free, and packing is reversible."""
    source = random.Random(3)
    for _ in range(30):
        listed = [Cell(f"c{i}", tuple(range(source.choice([1, 2, 3, 6, 200, 1000]))), 16) for i in range(25)]
        layout = Layout(listed)
        taken = [0] * layout.columns
        for place in layout.places:
            assert place.bits > 8 or place.bits == 0 or place.shift // 8 == (place.shift + place.bits - 1) // 8
            assert not taken[place.column] & place.mask
            assert place.mask < 1 << 63
            taken[place.column] |= place.mask
        state = {c.name: source.choice(c.values) for c in listed}
        assert layout.unpack(layout.pack(state)) == state


def test_a_guard_that_never_holds_costs_nothing() -> None:
    """A transition whose guard is plainly false compiles, and yields nothing."""
    cell = Cell("x", (0, 1), 4)
    stepper = Stepper(System([cell], [{"x": 0}], [Transition("never", False, {"x": 9})]))
    from vgicheck.engine.stepper import Tally

    assert list(stepper.successors(stepper.layout.packed([{"x": 0}]), Tally())) == []
