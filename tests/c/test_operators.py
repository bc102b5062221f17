"""C's operators mean the same interpreted, as formulas and compiled; where C gives them no meaning, that is claimed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from conformance.readings import Symbolic, Vector, compiled, plain, program
from vgicheck.c.ir import Program
from vgicheck.c.native import available

needs_native = pytest.mark.skipif(available() is not None, reason=f"no native runs here: {available()}")

WIDTHS = {"u8": 8, "s8": 8, "u16": 16, "s16": 16, "u32": 32, "s32": 32, "u64": 64, "s64": 64, "bool": 1}
PAIRS = tuple(itertools.product(WIDTHS, repeat=2))
TOTAL = ("+", "-", "*", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=", "&&", "||")
PARTIAL = ("/", "%", "<<", ">>")
UNARY = ("-", "~", "!", "+")
DECLARATIONS = "typedef _Bool bool;\n" + "".join(f"{t} a_{t}, b_{t};\n" for t in WIDTHS) + "u32 choice;\n"
INPUTS = [f"{side}_{t}" for side in "ab" for t in WIDTHS] + ["choice"]


def number(random_: random.Random, kind: str) -> int:
    """A number of a type, as unsigned bits; edges are as likely as anything else."""
    bits = WIDTHS[kind]
    half = 1 << bits - 1
    edges = [0, 1, 2 * half - 1, half, half - 1, half + 1, min(31, bits), 32, 33, 63, 64]
    return random_.choice([random_.choice(edges), random_.getrandbits(bits), random_.getrandbits(5)]) & (1 << bits) - 1


def vectors(random_: random.Random, count: int) -> list[Vector]:
    """Numbers for every global."""
    return [
        {f"{side}_{t}": number(random_, t) for side in "ab" for t in WIDTHS} | {"choice": random_.getrandbits(1)}
        for _ in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Line:
    """A statement that puts its answer into a global of its own."""

    output: str
    declaration: str
    text: str


def total_lines() -> Iterator[Line]:
    """Statements that C defines for all operands (with -fwrapv)."""
    names = (f"o{n}" for n in itertools.count())
    for left, right in PAIRS:
        a, b = f"a_{left}", f"b_{right}"
        for op in TOTAL:
            o = next(names)
            yield Line(o, f"s64 {o};", f"{o} = {a} {op} {b};")
        for op in ("+", "-", "*", "&", "|", "^"):
            o = next(names)
            yield Line(o, f"{left} {o};", f"{o} = {a}; {o} {op}= {b};")
        o = next(names)
        yield Line(o, f"{left} {o};", f"{o} = {b};")
        o = next(names)
        yield Line(o, f"s64 {o};", f"{o} = ({left})({b} + 1);")
        o = next(names)
        yield Line(o, f"s64 {o};", f"{o} = choice ? {a} : {b};")
    for kind in WIDTHS:
        for op in UNARY:
            o = next(names)
            yield Line(o, f"s64 {o};", f"{o} = {op}a_{kind};")
        if kind != "bool":
            for step in ("++", "--"):
                o, p, q = next(names), next(names), next(names)
                yield Line(o, f"s64 {o}; {kind} {p};", f"{p} = a_{kind}; {o} = {p}{step};")
                yield Line(p, "", "")
                yield Line(q, f"s64 {q}; {kind} x{q};", f"x{q} = a_{kind}; {q} = {step}x{q};")


def total_text(lines: Sequence[Line]) -> str:
    """One entry with all the statements."""
    return (
        DECLARATIONS
        + "\n".join(line.declaration for line in lines)
        + "\nvoid entry(void)\n{\n"
        + "\n".join(line.text for line in lines)
        + "\n}\n"
    )


def differences(lines: Sequence[Line], left: Sequence[int], right: Sequence[int], vector: Vector) -> list[str]:
    """The statements of which two readings differ."""
    return [
        f"{line.text} gives {x:#x} and {y:#x} for {vector}"
        for line, x, y in zip(lines, left, right, strict=True)
        if x != y
    ]


@pytest.fixture(scope="module")
def seed() -> int:
    """The seed of this run."""
    chosen = random.randrange(1 << 32)
    print(f"seed {chosen}")
    return chosen


def test_total_operators_read_symbolically_as_on_numbers(seed: int) -> None:
    """Every operator that is defined everywhere gives as a formula what it gives on numbers, for all pairs of types."""
    lines = list(total_lines())
    observe = [line.output for line in lines]
    lowered = program(total_text(lines))
    symbolic = Symbolic(lowered, "entry")
    assert not symbolic.summary.claims
    for vector in vectors(random.Random(seed), 3):
        expected, found = plain(lowered, "entry", vector, observe), symbolic.at(vector, observe)
        assert not expected.faults
        assert differences(lines, expected.values, found.values, vector) == []


@needs_native
@pytest.mark.parametrize("optimise", [0, 2])
def test_total_operators_are_compiled_as_read(optimise: int, seed: int) -> None:
    """Every operator that is defined everywhere gives on numbers what compiled C gives."""
    lines = list(total_lines())
    observe = [line.output for line in lines]
    text = total_text(lines)
    lowered = program(text)
    chosen = vectors(random.Random(seed + 1 + optimise), 8)
    for vector, native in zip(chosen, compiled(text, INPUTS, "entry()", observe, chosen, optimise), strict=True):
        assert not isinstance(native, str), native
        assert differences(lines, plain(lowered, "entry", vector, observe).values, native, vector) == []


def signed(value: int, kind: str) -> int:
    """The number that the bits of a type stand for."""
    bits = WIDTHS[kind]
    return value - (1 << bits) if kind.startswith("s") and value >> bits - 1 else value


def promoted(kind: str) -> str:
    """The type of a promoted operand."""
    return kind if WIDTHS[kind] >= 32 else "s32"


def common(left: str, right: str) -> str:
    """The type in which two operands meet."""
    left, right = promoted(left), promoted(right)
    if WIDTHS[left] != WIDTHS[right]:
        return max(left, right, key=WIDTHS.__getitem__)
    return left if left.startswith("u") else right


def undefined(op: str, left: str, right: str, a: int, b: int) -> bool:
    """Say whether C gives `a op b` no meaning; the operands are bits of their types."""
    x, y = signed(a, left), signed(b, right)
    if op in ("<<", ">>"):
        return not 0 <= y < WIDTHS[promoted(left)]
    kind = common(left, right)
    mask = (1 << WIDTHS[kind]) - 1
    least = -(1 << WIDTHS[kind] - 1)
    x, y = signed(x & mask, kind), signed(y & mask, kind)
    return y == 0 or (kind.startswith("s") and (x, y) == (least, -1))


def partial_cases() -> list[tuple[str, str, str, str]]:
    """(entry, operator, left type, right type)."""
    return [(f"e{n}", op, left, right) for n, (op, (left, right)) in enumerate(itertools.product(PARTIAL, PAIRS))]


def partial_text() -> str:
    """An entry for each case, and a function that calls one; `o` is the value, `c` that of the compound assignment."""
    cases = partial_cases()
    entries = "".join(
        f"void {name}(void)\n{{\n{left} x = a_{left}; o = x {op} b_{right}; x {op}= b_{right}; c = x;\n}}\n"
        for name, op, left, right in cases
    )
    calls = "\n".join(f"case {n}: {name}(); break;" for n, (name, *_) in enumerate(cases))
    return f"{DECLARATIONS}s64 o, c;\n{entries}void dispatch(void) {{ switch (choice) {{\n{calls}\n}} }}\n"


def operands(random_: random.Random, op: str, left: str, right: str) -> list[tuple[int, int]]:
    """Pairs of bits: the borders of what is defined, and some at random."""
    least, ones = 1 << WIDTHS[left] - 1, (1 << WIDTHS[right]) - 1
    amounts = [0, 1, WIDTHS[promoted(left)] - 1, WIDTHS[promoted(left)], ones]
    found = [(least, ones), (least, 0), (least, 1), (number(random_, left), random_.choice(amounts) & ones)]
    return found + [(number(random_, left), number(random_, right)) for _ in range(2)]


@pytest.fixture(scope="module")
def partial_program() -> Program:
    """The entries of the partial operators, lowered."""
    return program(partial_text())


def test_undefined_operands_are_claimed(partial_program: Program, seed: int) -> None:
    """Shifts by the width or more, division by zero and of the least number by -1 are claimed, nothing else is."""
    random_ = random.Random(seed + 10)
    wrong = []
    for entry, op, left, right in partial_cases():
        symbolic = Symbolic(partial_program, entry)
        for a, b in operands(random_, op, left, right):
            vector = {f"a_{left}": a, f"b_{right}": b}
            expected = undefined(op, left, right, a, b)
            for outcome in plain(partial_program, entry, vector, ()), symbolic.at(vector, ()):
                if {kind for kind, _ in outcome.faults} != ({"no-undefined"} if expected else set()):
                    wrong.append((op, left, right, a, b, outcome))
    assert wrong == []


@needs_native
@pytest.mark.parametrize("optimise", [0, 2])
def test_partial_operators_are_compiled_as_read(partial_program: Program, optimise: int, seed: int) -> None:
    """Shifts and divisions that are defined give compiled what they give on numbers and as formulas."""
    random_ = random.Random(seed + 20 + optimise)
    chosen = [
        (n, case, {f"a_{case[2]}": a, f"b_{case[3]}": b})
        for n, case in enumerate(partial_cases())
        for a, b in operands(random_, *case[1:])
        if not undefined(*case[1:], a, b)
    ]
    native = compiled(
        partial_text(), INPUTS, "dispatch()", ("o", "c"), [v | {"choice": n} for n, _, v in chosen], optimise
    )
    wrong = []
    symbolic = {case[0]: Symbolic(partial_program, case[0]) for _, case, _ in chosen} if optimise else {}
    for (_, case, vector), given in zip(chosen, native, strict=True):
        found = {plain(partial_program, case[0], vector, ("o", "c")).values}
        if optimise:
            found.add(symbolic[case[0]].at(vector, ("o", "c")).values)
        if found != {given}:
            wrong.append((case, vector, found, given))
    assert wrong == []
