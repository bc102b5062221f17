"""A system bit by bit is the system: its terms are what Z3 says, its walks what plain Python does."""

from __future__ import annotations

import random
from typing import Any

import pytest
import z3

from bench.races import Rearm, instance, lost, steps, system
from vgicheck.engine.aig import FALSE
from vgicheck.engine.bits import Machine
from vgicheck.engine.system import Cell, NotUnderstood, System, Transition

X, Y, P = z3.BitVec("x", 6), z3.BitVec("y", 6), z3.Bool("p")
CELLS = [Cell("x", (0, 34, 63, 5), 6), Cell("y", tuple(range(64)), 6), Cell("p", (True, False)), Cell("one", (9,), 4)]
TERMS = {
    "and": z3.And(P, X == Y, z3.ULT(X, 40)),
    "or": z3.Or(P, X == Y, z3.Not(P)),
    "implies": z3.Implies(P, z3.ULE(X, Y)),
    "iff": z3.UGT(X, Y) == P,
    "distinct": z3.Distinct(X, Y, X + Y),
    "uge": z3.UGE(X, Y),
    "if": z3.If(P, X, Y),
    "if-bool": z3.If(P, X == 34, Y == 5),
    "add": X + Y + 1,
    "sub": X - Y,
    "and-words": X & Y & 0x2D,
    "or-words": X | Y,
    "not-word": ~X,
    "extract": z3.Extract(4, 2, Y),
    "concat": z3.Concat(z3.Extract(1, 0, X), Y, z3.BitVecVal(1, 1)),
    "zero-extend": z3.ZeroExt(3, X),
    "one": z3.BitVec("one", 4) + z3.Extract(3, 0, Y),
}


def machine(start: dict[str, Any], *transitions: Transition, bad: Any = False, **more: Any) -> Machine:
    """Return the Boolean machine of a system of these cells."""
    return Machine(System(CELLS, [start], transitions, {"bad": bad}, **more))


def held(values: list[bool], literal: int) -> bool:
    """Return the value of a literal."""
    return bool(values[literal >> 1] ^ literal & 1)


@pytest.mark.parametrize("name", TERMS)
def test_terms_are_those_of_z3(name: str) -> None:
    """Each operator gives on the bits what Z3 gives, in random initial states."""
    source = random.Random(name)
    for _ in range(12):
        start = {cell.name: source.choice(cell.values) for cell in CELLS}
        bits = machine(start)
        word = bits.word(TERMS[name])
        values = bits.graph.run([False] * bits.graph.inputs, [False] * bits.graph.latches)
        pairs = [
            (c.term, z3.BitVecVal(start[c.name], c.width) if c.width else z3.BoolVal(start[c.name])) for c in CELLS
        ]
        expected = z3.simplify(z3.substitute(TERMS[name], *pairs))
        plain = expected.as_long() if z3.is_bv_value(expected) else int(z3.is_true(expected))
        assert sum(held(values, bit) << n for n, bit in enumerate(word)) == plain


def test_walks_are_those_of_plain_python() -> None:
    """Whatever the inputs are, the labels that are made can be made in plain Python, and lead to the same state."""
    source = random.Random(11)
    of, by_label = instance(2, 1), {label: (guard, step) for label, guard, step in steps(2, 1, Rearm.SELF)}
    whole = system(2, 1, Rearm.SELF)
    bits = Machine(whole)
    made = 0
    for _ in range(30):
        given = [[source.random() < 0.5 for _ in range(bits.graph.inputs)] for _ in range(80)]
        state = of.record(whole.initial[0])
        for label in bits.labels(given):
            guard, step = by_label[label]
            assert guard(state) is True
            state, made = step(state), made + 1
        latches = [False] * bits.graph.latches
        for inputs in given:
            values = bits.graph.run(inputs, latches)
            if held(values, bits.bad):
                assert lost(state, 2, 1) is True
                break
            latches = [held(values, a) for a in bits.following]
        terms = [
            z3.simplify(z3.substitute(bits.bit(n), *_plain(whole, of.assignment(state)))) for n in range(len(latches))
        ]
        assert [z3.is_true(t) for t in terms] == latches
    assert made > 300


def _plain(whole: System, state: dict[str, Any]) -> list[tuple[Any, Any]]:
    return [
        (c.term, z3.BitVecVal(state[c.name], c.width) if c.width else z3.BoolVal(state[c.name])) for c in whole.cells
    ]


START = {"x": 5, "y": 1, "p": True, "one": 9}


@pytest.mark.parametrize(
    ("transition", "more"),
    [
        (Transition("t", True, {"x": Y}), {}),
        (Transition("t", Y == 1, {"y": Y + 1}, defined={"y": z3.Not(P)}), {}),
        (Transition("t", False, {}, decidable=Y != 1), {}),
        (Transition("t", False, {}), {"requires": {"r": X != 5}}),
    ],
)
def test_what_is_not_closed_must_not_be(transition: Transition, more: dict[str, Any]) -> None:
    """A value that a cell cannot take, one that is not defined, a guard that is not decided, a requirement that fails."""
    bits = machine(START, transition, **more)
    values = bits.graph.run([False] * bits.graph.inputs, [False] * bits.graph.latches)
    assert held(values, bits.bad)
    fine = machine({**START, "x": 34, "y": 5, "p": False}, transition, **more)
    values = fine.graph.run([False] * fine.graph.inputs, [False] * fine.graph.latches)
    assert not held(values, fine.bad)


def test_nothing_that_must_not_be() -> None:
    """A machine of which nothing is asked, and which is closed as it stands, has no condition left."""
    assert machine(START, Transition("t", P, {"y": Y + 1})).bad == FALSE


def test_what_is_not_known_is_refused() -> None:
    """An operator that is not listed, a constant that is no cell, and several initial states raise."""
    bits = machine(START)
    for term, words in ((X * Y, "bvmul"), (z3.BitVec("z", 6) + X, "z is no cell"), (X < Y, "bvsl"), (X << Y, "bvshl")):
        with pytest.raises(NotUnderstood, match=words):
            bits.word(term)
    with pytest.raises(NotUnderstood, match="one initial state"):
        Machine(System(CELLS, [START, {**START, "p": False}], [], {"bad": False}))
    with pytest.raises(NotUnderstood, match="one condition"):
        Machine(System(CELLS, [START], [], {"a": P, "b": P}))
