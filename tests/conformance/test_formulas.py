"""Formulas as C: each operator gives what it gives in the solver, on random and edge words of every width."""

from __future__ import annotations

import random
from typing import Any

import pytest
import z3

from conformance.formulas import AFTER, BEFORE, Formulas, type_of
from vgicheck.c import native

needs_native = pytest.mark.skipif(native.available() is not None, reason=f"no native runs here: {native.available()}")

WIDTHS = (1, 6, 8, 32, 33, 64)
EDGES = (0, 1, 31, 32, 63, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63), (1 << 64) - 1)


def terms(bits: int) -> list[Any]:
    """What can be made of two words and a truth value."""
    x, y, c = z3.BitVec(f"x{bits}", bits), z3.BitVec(f"y{bits}", bits), z3.Bool("c")
    found = [x + y, x - y, x * y, x & y, x | y, x ^ y, -x, ~x, x << y, z3.LShR(x, y), x >> y, z3.If(c, x, y)]
    found += [x == y, z3.Distinct(x, y), z3.ULT(x, y), z3.ULE(x, y), z3.UGT(x, y), z3.UGE(x, y)]
    found += [x < y, x <= y, x > y, x >= y, z3.Not(x == y), z3.Xor(c, x == y), z3.Implies(c, x == y)]
    found += [z3.And(c, x == y, z3.ULT(x, 5)), z3.Or(c, x == y, z3.ULT(x, 5)), z3.If(c, x == y, z3.ULT(x, y))]
    found += [z3.Extract(bits - 1, bits // 2, x)]
    if bits < 64:
        found += [z3.ZeroExt(64 - bits, x), z3.SignExt(64 - bits, x), z3.SignExt(1, x)]
    return [*found, z3.Concat(x, y)] if bits <= 32 else found


@needs_native
def test_each_operator() -> None:
    """What the solver makes of numbers is what compiled C makes of them."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    random.seed(seed)
    formulas = Formulas(lambda constant: (f"in_{constant.decl().name()}", BEFORE))
    all_terms = [t for bits in WIDTHS for t in terms(bits)]
    names = [formulas.name(t)[0] for t in all_terms]
    constants = [z3.Bool("c"), *(z3.BitVec(f"{n}{bits}", bits) for bits in WIDTHS for n in "xy")]
    inputs = [f"in_{c.decl().name()}" for c in constants]
    body = "\n".join([*formulas.lines[BEFORE], *(f"out[{n}] = {name};" for n, name in enumerate(names))])
    declared = "".join(f"{type_of(c)} {i};\n" for c, i in zip(constants, inputs, strict=True))
    text = f"{declared}unsigned long long out[{len(names)}];\nvoid run(void)\n{{\n{body}\n}}\n"
    vectors = []
    for _ in range(40):
        words = [random.choice((*EDGES, random.getrandbits(64))) for _ in constants]
        vectors.append(
            [w & ((1 << (c.size() if z3.is_bv(c) else 1)) - 1) for w, c in zip(words, constants, strict=True)]
        )
    with native.compile_unit(text, inputs, "run()", [f"out[{n}]" for n in range(len(names))], optimise=1) as program:
        results = program.run_many(vectors)
    for vector, result in zip(vectors, results, strict=True):
        numbers = [(c, z3.BitVecVal(v, c.size()) if z3.is_bv(c) else z3.BoolVal(bool(v)))
                   for c, v in zip(constants, vector, strict=True)]  # fmt: skip
        for term, value in zip(all_terms, result.values, strict=True):
            wanted = z3.simplify(z3.substitute(term, *numbers))
            assert value == (wanted.as_long() if z3.is_bv(wanted) else int(z3.is_true(wanted))), (term, numbers)


def test_what_needs_what_is_there_after_a_call() -> None:
    """A term is computed after the call if any part of it is only known then, and each part once."""
    a, b = z3.BitVec("a", 32), z3.BitVec("b", 32)
    formulas = Formulas(lambda constant: (constant.decl().name(), AFTER if constant.eq(b) else BEFORE))
    first, second = formulas.name(a + 1), formulas.name((a + 1) * b)
    assert (first[1], second[1]) == (BEFORE, AFTER)
    assert formulas.name(a + 1) == first
    before, after = ([line.split()[2:] for line in formulas.lines[when]] for when in (BEFORE, AFTER))
    assert [[v[0], *v[2:]] for v in before] == [[before[0][0], "a;"], [first[0], before[0][0], "+", "0x1U;"]]
    assert [[v[0], *v[2:]] for v in after] == [[after[0][0], "b;"], [second[0], first[0], "*", f"{after[0][0]};"]]


def test_an_operator_that_is_not_known() -> None:
    """What has no C is refused."""
    with pytest.raises(NotImplementedError, match="bvudiv"):
        Formulas(lambda constant: ("x", BEFORE)).name(z3.UDiv(z3.BitVec("x", 32), z3.BitVec("x", 32)))
