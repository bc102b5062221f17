"""Bound functions on random states: compiled C, the evaluator and the model agree, and faults in each are seen."""

from __future__ import annotations

from functools import cache
from random import Random, SystemRandom
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from conformance.bound import Ran, compare, runs
from conformance.drive import driven
from model.generation import OCTOBER_2012, Switches
from proofs.bindings import whole_file
from proofs.obligations import candidates, described
from tests.check.test_check import TEXT, reading_of
from tests.check.test_refine import HANDLER, SWITCHES, V3_10
from vgicheck.c import domain, native
from vgicheck.c.binding import Bound
from vgicheck.check.reading import Reading

pytestmark = pytest.mark.skipif(native.available() is not None, reason=f"no native runs here: {native.available()}")

CREATED, INJECTED, QUEUED = "kvm_vgic_vcpu_init", "vgic_update_irq_state", "vgic_queue_irq"
EXAMPLE = {HANDLER: "reference", CREATED: "reference"}
TURNS = 100_000
SLOW = pytest.mark.slow
read = cache(reading_of)


def subject(function: str, of_the_example: bool = False) -> tuple[Reading, Bound, Switches]:
    """A function of the example or of the source in the manner of v3.10, and the switches that it makes."""
    text, known = (TEXT, EXAMPLE) if of_the_example else (V3_10, SWITCHES)
    switches = next(s for s in candidates(function) if described(s, function) == known[function])
    return read(text), whole_file.bound(read(text).program, read(text).places)[function], switches


def seeded() -> Random:
    """Random numbers of a seed that is told."""
    seed = SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    return Random(seed)


def compared(function: str, of_the_example: bool = False, count: int = 20, **more: Any) -> tuple[list[Ran], list[str]]:
    """What comes of a function on random states."""
    return compare(*subject(function, of_the_example), seeded(), count, **more)


def driving(function: str, of_the_example: bool = False, turns: int = TURNS, **more: Any) -> native.NativeResult:
    """What comes of a function, driven from many random states."""
    random = seeded()
    with driven(*subject(function, of_the_example), random, **more) as program:
        return program.run([random.getrandbits(64) | 1, turns])


def faulty(text: str, old: str, new: str) -> str:
    """The text to compile that is not the one that was read."""
    assert text.count(old) == 1
    return read(text.replace(old, new)).text


@pytest.mark.parametrize(
    ("function", "of_the_example"),
    [
        (HANDLER, True),
        (INJECTED, False),
        pytest.param(CREATED, True, marks=SLOW),
        pytest.param(QUEUED, False, marks=SLOW),
        pytest.param("vgic_process_maintenance", False, marks=SLOW),
        pytest.param("__kvm_vgic_sync_hwstate", False, marks=SLOW),
        pytest.param(CREATED, False, marks=SLOW),
    ],
)
@pytest.mark.parametrize("optimise", [pytest.param(0, marks=SLOW), 2])
def test_three_readings_agree(function: str, of_the_example: bool, optimise: int) -> None:
    """Compiled C leaves in every cell what the evaluator says, and what that is in the model is what the model says."""
    ran, differences = compared(function, of_the_example, optimise=optimise)
    assert not differences
    assert sum(r.modelled for r in ran) > 5
    assert any(r.end.after.written for r in ran)


@SLOW
def test_a_fault_in_the_c_is_seen() -> None:
    """An SPI whose target is told though it is disabled makes compiled C another than what was read."""
    source = faulty(V3_10, "\tif (!vgic_test(&dist->irq_enabled, cpuid, irq_num))\n\t\tgoto out;\n", "")
    assert compared(INJECTED, count=60, source=source)[1]


def test_a_fault_in_the_evaluator_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator that the evaluator gets wrong shows as a cell."""
    right = domain._arithmetic

    def wrong(operator: str, *operands: Any) -> Any:
        return right("&" if operator == "|" else operator, *operands)

    monkeypatch.setattr(domain, "_arithmetic", wrong)
    assert any("the evaluator" in text for text in compared(QUEUED, count=10)[1])


@SLOW
def test_a_fault_in_the_model_is_seen() -> None:
    """With the switches of October 2012 the model is not that of v3.10's queueing."""
    reading, bound, _ = subject(QUEUED)
    differences = compare(reading, bound, OCTOBER_2012, seeded(), 30)[1]
    assert differences and all(": the model: " in text for text in differences)


# By Hypothesis ----------------------------------------------------------------------------------------------------------

RANDOMS = st.randoms(use_true_random=False)


@SLOW
@pytest.mark.parametrize(("function", "of_the_example"), [(INJECTED, False), (CREATED, True), (QUEUED, False)])
def test_three_readings_agree_wherever_hypothesis_looks(function: str, of_the_example: bool) -> None:
    """Of states that Hypothesis draws compiled C, evaluator and model say the same."""
    known = subject(function, of_the_example)
    modelled = 0

    @settings(max_examples=20, deadline=None, database=None)
    @given(random=RANDOMS, count=st.integers(1, 8))
    def agree(random: Random, count: int) -> None:
        nonlocal modelled
        ran, differences = compare(*known, random, count, optimise=0)
        assert not differences
        modelled += sum(r.modelled for r in ran)

    agree()
    assert modelled


@pytest.mark.parametrize(
    "phases", [(Phase.generate,), pytest.param((Phase.generate, Phase.shrink), marks=[SLOW, pytest.mark.long])]
)
def test_hypothesis_finds_another_model(phases: tuple[Phase, ...]) -> None:
    """A state in which a model of other switches does something else is found; made small, little is set in it."""
    reading, bound, _ = subject(INJECTED)
    last: list[Ran] = []

    @settings(max_examples=300, deadline=None, database=None, phases=phases)
    @given(random=RANDOMS)
    def agree(random: Random) -> None:
        last[:] = runs(reading, bound, OCTOBER_2012, random, 1)
        assert not last[0].broken

    with pytest.raises(AssertionError):
        agree()
    set_cells = [cell for cell, value in last[0].given.cells.items() if value]
    assert last[0].broken and (Phase.shrink not in phases or len(set_cells) <= 4), set_cells


@SLOW
def test_hypothesis_finds_a_fault_in_the_c() -> None:
    """A target that is not told to look is found in compiled C."""
    reading, bound, switches = subject(INJECTED)
    old = "\t\tset_bit(cpuid, &dist->irq_pending_on_cpu);\n\t}\nout:\n\tspin_unlock("
    source = faulty(V3_10, old, "\t}\nout:\n\tspin_unlock(")

    @settings(max_examples=100, deadline=None, database=None, phases=(Phase.generate,))
    @given(random=RANDOMS, count=st.integers(1, 8))
    def agree(random: Random, count: int) -> None:
        assert not compare(reading, bound, switches, random, count, source, optimise=0)[1]

    with pytest.raises(AssertionError, match="irq_pending_on_cpu"):
        agree()


# By the million ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "of_the_example"),
    [
        (INJECTED, False),
        pytest.param(CREATED, True, marks=SLOW),
        pytest.param(QUEUED, False, marks=SLOW),
        pytest.param(HANDLER, True, marks=SLOW),
        pytest.param("vgic_process_maintenance", False, marks=SLOW),
        pytest.param("__kvm_vgic_sync_hwstate", False, marks=SLOW),
    ],
)
def test_a_driven_function_agrees(function: str, of_the_example: bool) -> None:
    """From every state that is drawn compiled C does what the formulas and the model say, and most states are of use."""
    result = driving(function, of_the_example)
    assert result.trap is None
    calls, modelled = result.values
    assert calls > TURNS / 2 and modelled > TURNS / 10


def test_a_driven_fault_is_seen() -> None:
    """A target that is not told to look traps, with what is not as it should be."""
    old = "\t\tset_bit(cpuid, &dist->irq_pending_on_cpu);\n\t}\nout:\n\tspin_unlock("
    result = driving(INJECTED, source=faulty(V3_10, old, "\t}\nout:\n\tspin_unlock("))
    assert result.trap == "the evaluator's formula of vgicheck_kvm.arch.vgic.irq_pending_on_cpu"


def test_another_model_is_seen_by_driving() -> None:
    """With a switch that the function does not make, the model traps."""
    reading, bound, _ = subject(INJECTED)
    with driven(reading, bound, OCTOBER_2012, seeded()) as program:
        trap = program.run([1, TURNS]).trap
    assert trap is not None and trap.startswith("the model: ")
