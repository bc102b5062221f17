"""A sample of the random programs agrees in all readings, and a fault in the evaluator is found by it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import z3

from conformance import csmith, kernel
from conformance.campaign import KINDS, Kind, campaign
from conformance.sample import Sample
from vgicheck.c import domain, memory, native
from vgicheck.c.expressions import Expressions
from vgicheck.c.ir import Int

pytestmark = pytest.mark.skipif(native.available() is not None, reason=f"no native runs here: {native.available()}")

KIND = {kind.name: kind for kind in KINDS}
SEED = 20121027
HOW_MANY = {"csmith": 5, "raw": 5, "kernel": 16}
needs_csmith = pytest.mark.skipif(csmith.available() is not None, reason=str(csmith.available()))


def alone(text: str, inputs: dict[str, int]) -> Kind:
    """A kind of which there is one program."""
    return Kind("alone", lambda random, number: Sample(number, (), text, "entry", inputs))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "kernel" else needs_csmith) for name in HOW_MANY]
)
def test_a_sample_agrees(name: str) -> None:
    """Random programs give the same interpreted, as formulas and compiled, and trap where something is claimed."""
    print(f"seed {SEED}")
    tally = campaign(KIND[name], HOW_MANY[name], SEED)
    assert tally.differences == []
    assert tally.programs == HOW_MANY[name]
    assert tally.as_formulas >= HOW_MANY[name] // 2
    assert tally.as_numbers + tally.refused.total() == tally.programs
    assert tally.as_formulas + tally.unsummarised.total() == tally.as_numbers
    assert name == "raw" or not tally.undefined


def logical_shift(op: str, value: int, amount: int) -> int:
    """A right shift that forgets the sign."""
    return (value & 0xFFFFFFFF) >> amount if op == ">>" else PLAIN(op, value, amount)


PLAIN = domain._plain
SHIFT = "int a, o; void entry(void) { o = (int)(a | 1u << 31) >> 3; }"
DIVISION = "int a, o; static int f(int x) { return x; } void entry(void) { o = 1; f(5) / f(a), o = 2; }"
VIEWS = "union { int s; unsigned int u; } u; int o; void entry(void) { u.s = -1; o = u.u < 5; }"
ROWS = "int g[2][3], *p; void entry(void) { p = &g[1][0]; }"


def test_a_fault_on_numbers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shift that is wrong on numbers differs from the formula and from what is compiled."""
    monkeypatch.setattr(domain, "_plain", logical_shift)
    told = campaign(alone(SHIFT, {"a": 32}), 1, 2).differences
    assert any(t.startswith("as formulas, with {'a': ") and "o is 0x" in t for t in told)
    assert {t.split(",")[0] for t in told} == {"as formulas", "compiled at -O0", "compiled at -O2"}


def test_a_fault_in_formulas_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shift that is wrong as a formula differs from numbers and code, which agree."""
    monkeypatch.setitem(domain._SYMBOLIC, (">>", True), z3.LShR)
    tally = campaign(alone(SHIFT, {"a": 32}), 1, 2)
    assert {t.split(",")[0] for t in tally.differences} == {"as formulas"}
    assert (tally.as_numbers, tally.as_formulas) == (1, 0)


def test_a_claim_that_is_not_made_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where compiled code traps and nothing is claimed, that is a difference."""
    held = Expressions.effect

    def forgets(self: Expressions, node: object) -> None:
        if self.context.unit.library.spelling(node.cursor) != "":  # type: ignore[attr-defined]
            held(self, node)  # type: ignore[arg-type]

    kind = Kind("alone", alone(DIVISION, {}).make, KIND["raw"].checks)
    assert campaign(kind, 1, 1).undefined == 3
    monkeypatch.setattr(Expressions, "effect", forgets)
    told = campaign(kind, 1, 1).differences
    assert told and all("signal SIG" in t for t in told)


def test_a_sign_that_is_not_changed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A union whose members are read with each other's sign differs from compiled code."""
    assert campaign(alone(VIEWS, {}), 1, 1).differences == []
    keep: Callable[[object, object, Int], object] = lambda self, value, kind: value  # noqa: E731
    monkeypatch.setattr(memory.Memory, "_as", keep)
    assert "o is 0x0, not 0x1" in campaign(alone(VIEWS, {}), 1, 1).differences[0]


def test_a_pointer_that_leads_elsewhere_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a pointer of static storage points is compared too."""
    assert campaign(alone(ROWS, {}), 1, 1).differences == []
    load = memory.Memory.load

    def astray(self: memory.Memory, address: domain.Address) -> object:
        value = load(self, address)
        return domain.Address(value.object, (0, 1)) if isinstance(value, domain.Address) else value

    monkeypatch.setattr(memory.Memory, "load", astray)
    assert "not ['(void *)p == (void *)&g[0][1]']" in campaign(alone(ROWS, {}), 1, 1).differences[0]


def test_what_is_refused_is_counted_by_construct() -> None:
    """A program outside of what is evaluated counts as refused, and nothing is compared."""
    tally = campaign(alone("int v[4], o; void entry(void) { int *p_12 = v + 1; o = p_12 - v; }", {}), 3, 1)
    assert (tally.programs, tally.as_numbers, tally.as_formulas) == (3, 0, 0)
    assert tally.refused == {"difference of two pointers": 3}


def test_what_is_not_lowered_is_refused() -> None:
    """A program that the front end does not lower counts as refused, and the campaign goes on."""
    tally = campaign(alone("int o; void entry(void) { o = 1 ? 2.0 : 1; }", {}), 2, 1)
    assert tally.programs == tally.refused.total() == 2


def test_a_limit_of_formulas_is_counted_apart() -> None:
    """A program that runs on numbers, but whose formula would be too large, is compared on numbers."""
    text = "unsigned long bits[2]; int a; void entry(void) { a = find_first_bit(bits + (a & 1), 32); }"
    tally = campaign(alone(text, {"a": 32}), 1, 1)
    assert (tally.as_numbers, tally.as_formulas, tally.differences) == (1, 0, [])
    assert tally.unsummarised == {"all answers of a bit search from an unknown word, or in words of 64 bits": 1}


@needs_csmith
def test_csmith_writes_the_same_again() -> None:
    """One seed, one program; what a program has in common with no other has its number in its name."""
    first, second = (csmith.guarded(random.Random("5"), 7) for _ in range(2))
    assert first == second
    assert f"void {first.entry}(void)" in first.text
    assert all(name.endswith("_7") for name in first.inputs)


def test_our_programs_are_the_same_again() -> None:
    """One seed, one program, and another for another."""
    first, second, other = (kernel.sample(random.Random(seed), 7) for seed in (1, 1, 2))
    assert first == second != other


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("safe_add_func_int8_t_s_s", "static int8_t f(int8_t a, int8_t b) { return 0 ? a : a + b; }"),
        ("safe_unary_minus_func_uint16_t_u", "static uint16_t f(uint16_t a) { return -a; }"),
        (
            "safe_lshift_func_uint8_t_u_s",
            "static uint8_t f(uint8_t a, int b) { return (unsigned int)b >= 32u ? a : a << b; }",
        ),
        (
            "safe_mod_func_int64_t_s_s",
            "static int64_t f(int64_t a, int64_t b) "
            "{ return b == 0 || (b == -1 && a == (int64_t)(1ull << 63)) ? a : a % b; }",
        ),
    ],
)
def test_functions_of_csmiths_header(name: str, text: str) -> None:
    """What csmith calls to stay clear of the undefined is defined by us, for the widths that its names say."""
    assert csmith._helper(name) == text.replace(" f(", f" {name}(")
