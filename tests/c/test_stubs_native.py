"""The stubs' compiled bit operations and device registers, against their meaning in the evaluator."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

import pytest

from vgicheck.c import clang, native
from vgicheck.c.intrinsics import INTRINSICS
from vgicheck.c.ir import Loc, Program
from vgicheck.c.lower import lower
from vgicheck.c.memory import Given
from vgicheck.c.stubs import linux
from vgicheck.c.summary import Evaluator

needs_native = pytest.mark.skipif(native.available() is not None, reason=f"no native runs here: {native.available()}")

BITS = 96
WORDS = [f"w[{i}]" for i in range(BITS // 32)]
INPUTS = ("n", "from", "x", *WORDS, "*(u32 *)&vgicheck_gich[0x104]")
OBSERVED = ("result", *WORDS, "*(u32 *)&vgicheck_gich[0x104]")
TEXT = """
u8 vgicheck_gich[0x1000];
unsigned int n, from, x, result;
unsigned long w[3];
struct pair { unsigned int first, second; } pair;
void run(void) { %s; }
"""

CALLS = {
    "test_bit": "result = test_bit(n, w)",
    "set_bit": "set_bit(n, w)",
    "clear_bit": "clear_bit(n, w)",
    "change_bit": "change_bit(n, w)",
    "__set_bit": "__set_bit(n, w)",
    "__clear_bit": "__clear_bit(n, w)",
    "test_and_set_bit": "result = test_and_set_bit(n, w)",
    "test_and_clear_bit": "result = test_and_clear_bit(n, w)",
    "__test_and_set_bit": "result = __test_and_set_bit(n, w)",
    "__test_and_clear_bit": "result = __test_and_clear_bit(n, w)",
    "find_first_bit": "result = find_first_bit(w, n)",
    "find_next_bit": "result = find_next_bit(w, n, from)",
    "find_first_zero_bit": "result = find_first_zero_bit(w, n)",
    "find_next_zero_bit": "result = find_next_zero_bit(w, n, from)",
    "ilog2": "result = ilog2(x)",
    "hweight8": "result = hweight8(x)",
    "hweight16": "result = hweight16(x)",
    "hweight32": "result = hweight32(x)",
    "ffs": "result = ffs(x)",
    "fls": "result = fls(x)",
    "__ffs": "result = __ffs(x)",
    "__fls": "result = __fls(x)",
    "readl": "result = readl(vgicheck_gich + 0x104)",
    "writel": "writel(x, vgicheck_gich + 0x104)",
    "GENMASK": "result = GENMASK(20, 3) & x",
    "GENMASK_ULL": "result = (GENMASK_ULL(40, 33) >> 30) & x",
    "FIELD_GET": "result = FIELD_GET(0xff000, x)",
    "array_index_nospec": "result = array_index_nospec(n, 40)",
    "vgicheck_container": "pair.first = x; result = container_of(&pair.second, struct pair, second)->first",
    "vgicheck_claim": 'vgicheck_claim("kind", x > n, "x is above n")',
    "vgicheck_message": 'vgicheck_message("x is %d", x++)',
}


def words() -> list[int]:
    """A bitmap with few bits set, few clear, or neither."""
    few, flip = random.choice((0, 1, 32)), random.choice((0, 0xFFFFFFFF))
    return [(random.getrandbits(32) if few == 32 else few << random.randrange(32)) ^ flip for _ in WORDS]


def vector(name: str) -> list[int]:
    """Numbers for INPUTS, in the range that the function takes."""
    last = BITS + 1 if name.startswith("find") else BITS
    x = random.choice((random.getrandbits(32), 1 << random.randrange(32), 0))
    if name in ("__ffs", "__fls"):
        x = x or 0x80000000
    return [random.randrange(last), random.randrange(BITS + 8), x, *words(), random.getrandbits(32)]


@cache
def lowered(name: str) -> Program:
    """The program that makes one call."""
    unit = clang.parse(linux().text + TEXT % CALLS[name], name="t.c", origin=lambda line: Loc("t.c", line))
    assert not unit.errors
    return lower(unit)


def evaluated(name: str, values: Sequence[int]) -> tuple[int, ...] | str:
    """What the evaluator leaves in OBSERVED, or the claim that fails."""
    given = dict(zip(INPUTS, values, strict=True))
    cells: dict[tuple[str, tuple[int, ...]], int] = {(name, ()): given[name] for name in INPUTS[:3]}
    cells |= {("w[]", (i,)): given[w] for i, w in enumerate(WORDS)}
    cells[("vgicheck_gich[]", (0x41,))] = values[-1]
    run = Evaluator(lowered(name), Given(cells), INTRINSICS).summarise("run")
    if run.claims:
        return f"{run.claims[0].kind}: {run.claims[0].text}"

    def left(region: str, *key: int) -> int:
        found = run.after.regions.get(region)
        return int(found[key] if found is not None else cells.get((region, key), 0)) & 0xFFFFFFFF

    return (left("result"), *(left("w[]", i) for i in range(len(WORDS))), left("vgicheck_gich[]", 0x41))


@needs_native
@pytest.mark.parametrize("name", CALLS)
def test_stub_is_what_the_evaluator_takes_it_for(name: str) -> None:
    """A stub compiled for native runs does what the evaluator says it does."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    random.seed(seed)
    vectors = [vector(name) for _ in range(200)]
    text = linux().text + TEXT % CALLS[name]
    with native.compile_unit(text, INPUTS, "run()", OBSERVED, defines={"VGICHECK_NATIVE": "1"}) as program:
        compiled = [r.trap or r.values for r in program.run_many(vectors)]
    assert compiled == [evaluated(name, v) for v in vectors]


def test_every_intrinsic_of_the_stubs_is_compared() -> None:
    """Only the functions that end a path or answer anything, and those of the compiler itself, are not compared."""
    ours = {"vgicheck_assume", "vgicheck_any", "vgicheck_unknown"}
    assert INTRINSICS.keys() - CALLS.keys() <= ours | {"__builtin_expect", "__builtin_unreachable"}


@needs_native
@pytest.mark.parametrize("name", ["__ffs", "__fls"])
def test_search_in_a_word_without_bits(name: str) -> None:
    """A search for a bit of 0 traps natively with the claim that the evaluator makes."""
    text, zero = linux().text + TEXT % CALLS[name], [0] * len(INPUTS)
    with native.compile_unit(text, INPUTS, "run()", OBSERVED, defines={"VGICHECK_NATIVE": "1"}) as program:
        assert program.run(zero).trap == evaluated(name, zero)
