"""The functions whose meaning is given in Python: bits, devices, claims and assumptions."""

from __future__ import annotations

import random

import pytest
import z3

from conformance.readings import Outcome, Symbolic, compiled, plain, program
from vgicheck.c.intrinsics import INTRINSICS
from vgicheck.c.ir import Unsupported
from vgicheck.c.memory import Arbitrary, Given
from vgicheck.c.native import available
from vgicheck.c.summary import Evaluator

needs_native = pytest.mark.skipif(available() is not None, reason=f"no native runs here: {available()}")

BITMAPS = """
struct both { union { u32 reg[2]; unsigned long reg_ul[0]; }; };
struct both kept;
unsigned long words[2], one;
u64 wide;
int n, size, o, q;
"""
OPERATIONS = {
    "test_bit": "o = test_bit(n, MAP);",
    "set_bit": "set_bit(n, MAP);",
    "clear_bit": "clear_bit(n, MAP);",
    "change_bit": "change_bit(n, MAP);",
    "test_and_set_bit": "o = test_and_set_bit(n, MAP);",
    "test_and_clear_bit": "o = test_and_clear_bit(n, MAP);",
    "find_first_bit": "o = find_first_bit(MAP, size);",
    "find_next_bit": "o = find_next_bit(MAP, size, n);",
    "find_first_zero_bit": "o = find_first_zero_bit(MAP, size);",
    "find_next_zero_bit": "o = find_next_zero_bit(MAP, size, 7);",
    "a single word": "o = find_next_bit(&one, size & 31, 3); q = find_first_zero_bit(&one, 32);",
    "ffs": "o = ffs(MAP[1]);",
    "fls": "o = fls(MAP[0]);",
    "from a word that is not known": "set_bit(n & 15, MAP + (size & 1)); o = test_bit(n & 31, MAP + (n & 1));",
    "a word of 64 bits": (
        "wide = (u64)MAP[1] << 32 | MAP[0]; change_bit(n, (unsigned long *)&wide); o = test_bit(size - 1, "
        "(unsigned long *)&wide); q = find_next_zero_bit((unsigned long *)&wide, size, 9); words[1] = wide >> 32;"
        "words[0] = wide;"
    ),
    "two in a row": "change_bit(n, MAP); o = test_bit(size - 1, MAP); q = find_first_bit(MAP + 1, 20);",
}
OBSERVE = ("o", "q", "words[0]", "words[1]", "kept.reg[0]", "kept.reg[1]", "one")
INPUTS = ("n", "size", *OBSERVE)


@needs_native
@pytest.mark.parametrize("bitmap", ["words", "kept.reg_ul"])
def test_bit_operations_are_those_of_the_kernel(bitmap: str) -> None:
    """Each bit operation on words and on a bitmap kept bit by bit does, on numbers and as a formula, what compiled C
    does.
    """
    entries = [o.replace("MAP", bitmap) for o in OPERATIONS.values()]
    if bitmap != "words":
        entries = [
            e.replace("= find_next_bit(kept.reg_ul, size, n)", "= find_next_bit(kept.reg_ul, size, 9)") for e in entries
        ]
    else:
        entries = [e.replace("size, n)", "size, 9)") for e in entries]
    functions = "".join(f"void e{i}(void) {{ {body} }}\n" for i, body in enumerate(entries))
    calls = "".join(f"case {i}: e{i}(); break;" for i in range(len(entries)))
    text = f"{BITMAPS}int which;\n{functions}void dispatch(void) {{ switch (which) {{ {calls} }} }}\n"
    random_ = random.Random(5)
    chosen = []
    for i in range(len(entries)):
        for _ in range(6):
            sparse = [
                random_.choice([0, 1 << random_.randrange(32), (1 << 32) - 1, random_.getrandbits(32)])
                for _ in range(5)
            ]
            sizes = {"n": random_.randrange(64), "size": random_.randint(1, 64)}
            chosen.append((i, sizes | dict(zip(OBSERVE[2:], sparse, strict=True))))
    native = compiled(text, (*INPUTS, "which"), "dispatch()", OBSERVE, [v | {"which": i} for i, v in chosen], 1)
    lowered = program(text)
    symbolic = [Symbolic(lowered, f"e{i}", {"n": (0, 63), "size": (1, 64)}) for i in range(len(entries))]
    for (i, vector), given in zip(chosen, native, strict=True):
        assert not isinstance(given, str)
        expected = Outcome(given)
        assert plain(lowered, f"e{i}", vector, OBSERVE) == expected, entries[i]
        assert symbolic[i].at(vector, OBSERVE) == expected, entries[i]


DEVICE = """
u32 readl(const volatile void *addr); void writel(u32 value, volatile void *addr);
u8 registers[64]; u8 *base; int n, o, q, present;
void at_offset(void) { u8 *p = registers; writel(n, p + 8); o = readl(p + 8); q = readl(registers + 12); }
void at_symbol(void) { u8 *p = registers; writel(7, p + 16 + n * 4); o = readl(p + 16); q = readl(p + 16 + n * 4); }
void perhaps(void) { u8 *p = present ? registers : (u8 *)0; writel(1, p + 4); }
void far(void) { writel(1, registers + 4 * n); }
void odd(void) { o = readl(registers + n); }
void unknown(void) { writel(1, base); }
"""


def device(entry: str, **numbers: int) -> Outcome:
    """Interpret an entry, and see that the formula says the same."""
    lowered = program(DEVICE)
    found = plain(lowered, entry, numbers, ("o", "q"))
    assert Symbolic(lowered, entry, {"n": (0, 200)}).at(numbers, ("o", "q")) == found
    return found


def test_device_registers_keep_what_is_written() -> None:
    """A register reads as it was written, others as they were, at plain and at symbolic offsets."""
    assert device("at_offset", n=5) == Outcome((5, 0))
    assert device("at_symbol", n=0) == Outcome((7, 7))
    assert device("at_symbol", n=3) == Outcome((0, 7))


@pytest.mark.parametrize(
    ("entry", "numbers", "kind"),
    [
        ("far", {"n": 16}, "in-bounds"),
        ("odd", {"n": 2}, "in-bounds"),
        ("odd", {"n": 61}, "in-bounds"),
        ("perhaps", {"present": 0}, "no-undefined"),
    ],
)
def test_bad_device_accesses_are_claimed(entry: str, numbers: dict[str, int], kind: str) -> None:
    """An access beyond the device, between its registers or through a null pointer is claimed."""
    assert {k for k, _ in device(entry, **numbers).faults} == {kind}


def test_good_device_accesses_are_not_claimed() -> None:
    """The last register is inside, and a device that is there is no null pointer."""
    assert not device("far", n=15).faults
    assert not device("perhaps", present=1).faults


def test_a_device_that_is_not_known_is_refused() -> None:
    """Access through a pointer from the inputs is refused, naming the pointer."""
    with pytest.raises(Unsupported, match="base"):
        Symbolic(program(DEVICE), "unknown")


CHECKS = """
void vgicheck_claim(const char *property, int condition, const char *text);
void vgicheck_assume(int condition);
int n, o;
void claims(void)
{
	vgicheck_claim("first", n > 3, "n is large");
	vgicheck_claim("second", n > 2, "n is larger than two");
	o = 1;
}
void assumes(void)
{
	vgicheck_assume(n > 3);
	vgicheck_claim("first", n > 2, "n is larger than two");
	vgicheck_claim("second", n > 4, "n is not four");
}
"""


def test_a_path_ends_where_a_claim_fails() -> None:
    """A failed claim is reported with its property and line, and what follows is not reached with it."""
    lowered = program(CHECKS)
    assert plain(lowered, "claims", {"n": 4}, ("o",)) == Outcome((1,))
    for reading in (
        lambda: plain(lowered, "claims", {"n": 1}, ("o",)),
        lambda: Symbolic(lowered, "claims").at({"n": 1}, ()),
    ):
        assert reading().faults == {("first", 7)}


def test_assumptions_exclude_paths() -> None:
    """Past an assumption only the states that meet it count."""
    lowered = program(CHECKS)
    assert Evaluator(lowered, Given({("n", ()): 1}), INTRINSICS).summarise("assumes").claims == []
    evaluator = Evaluator(lowered, Arbitrary(lambda *_: None, lambda fact: None), INTRINSICS)
    claims = {c.kind: c for c in evaluator.summarise("assumes").claims}
    guards = evaluator.guards
    solver = z3.Solver()
    for kind, expected in (("first", z3.unsat), ("second", z3.sat)):
        claim = claims[kind]
        failing = guards.term(guards.and_(claim.path, guards.not_(claim.holds)))
        assert solver.check(failing) == expected
