"""Litmus tests: the classical ones have the classical answers, and the text for herd7 has its form."""

from __future__ import annotations

import re
from itertools import permutations

import pytest

from vgicheck.engine.litmus import Access, Barrier, Litmus, Lock, Read, Swap, Unlock, Write, happens, herd7


def test(*cpus: tuple[Access, ...], **outcome: int) -> Litmus:
    """Make a litmus test; `r0_1` in the outcome is register r1 of CPU 0."""
    named = {re.sub(r"^r(\d)_(\d)$", r"\1:r\2", name): value for name, value in outcome.items()}
    return Litmus("t", cpus, named)


test.__test__ = False  # type: ignore[attr-defined]

W, R, MB = Write, Read, Barrier()
CLASSICAL = {
    "store buffering": (test((W("x", 1), R("r0", "y")), (W("y", 1), R("r0", "x")), r0_0=0, r1_0=0), False, True),
    "store buffering, barriers": (
        test((W("x", 1), MB, R("r0", "y")), (W("y", 1), MB, R("r0", "x")), r0_0=0, r1_0=0), False, False),
    "store buffering, one barrier": (
        test((W("x", 1), MB, R("r0", "y")), (W("y", 1), R("r0", "x")), r0_0=0, r1_0=0), False, True),
    "message passing": (test((W("x", 1), W("y", 1)), (R("r0", "y"), R("r1", "x")), r1_0=1, r1_1=0), False, False),
    "load buffering": (test((R("r0", "x"), W("y", 1)), (R("r0", "y"), W("x", 1)), r0_0=1, r1_0=1), False, False),
    "own stores are seen": (test((W("x", 1), R("r0", "x")), r0_0=0), False, False),
    "a lost update": (
        test((R("r0", "x"), W("x", 1, unless="r0")), (W("x", 2),), x=1, r0_0=0), True, True),
    "locks": (
        test((Lock("l"), W("x", 1), R("r0", "y"), Unlock("l")), (Lock("l"), W("y", 1), R("r0", "x"), Unlock("l")),
             r0_0=0, r1_0=0), False, False),
    "a store before a lock is seen later": (
        test((W("x", 1), Lock("l"), R("r0", "y"), Unlock("l")), (W("y", 1), MB, R("r0", "x")), r0_0=0, r1_0=0),
        False, True),
    "store buffering, wmb": (
        test((W("x", 1), Barrier("smp_wmb"), R("r0", "y")), (W("y", 1), MB, R("r0", "x")), r0_0=0, r1_0=0), False, True),
    "store buffering, exchanges": (
        test((Swap("r1", "x", 1), R("r0", "y")), (Swap("r1", "y", 1), R("r0", "x")), r0_0=0, r1_0=0), False, False),
    "exchanges do not miss each other": (
        test((Swap("r0", "x", 1),), (Swap("r0", "x", 2),), r0_0=0, r1_0=0), False, False),
    "a read and a write do": (
        test((R("r0", "x"), W("x", 1)), (R("r0", "x"), W("x", 2)), r0_0=0, r1_0=0), True, True),
    "what is there at first": (Litmus("t", ((R("r0", "x"),),), {"0:r0": 3}, {"x": 3}), True, True),
    "what is not": (Litmus("t", ((R("r0", "x"),),), {"0:r0": 0}, {"x": 3}), False, False),
    "a register that is read twice": (test((R("r0", "x"), W("x", 1), R("r0", "x")), r0_0=1), True, True),
    "a condition": (test((R("r0", "x"), W("y", 1, when="r0")), (W("x", 1),), y=1, r0_0=0), False, False),
}  # fmt: skip
"""A test, whether its outcome happens one access after the other, and whether it does with store buffers."""


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_answers(name: str) -> None:
    """Each outcome happens, or never, as it is known to without and with store buffers."""
    litmus, plain, buffered = CLASSICAL[name]
    assert (happens(litmus, False), happens(litmus, True)) == (plain, buffered)


@pytest.mark.parametrize("name", CLASSICAL)
def test_buffers_only_add(name: str) -> None:
    """What happens one access after the other happens with store buffers too, whichever CPU comes first."""
    litmus, *_ = CLASSICAL[name]
    assert happens(litmus, True) or not happens(litmus, False)
    for order in permutations(range(len(litmus.cpus))):
        outcome = {}
        for what, value in litmus.outcome.items():
            cpu, separator, register = what.partition(":")
            outcome[f"{order.index(int(cpu))}:{register}" if separator else what] = value
        turned = Litmus("t", tuple(litmus.cpus[n] for n in order), outcome, litmus.initial)
        assert [happens(turned, b) for b in (False, True)] == [happens(litmus, b) for b in (False, True)]


def test_text_for_herd7() -> None:
    """The text has a name, an initial state, a process for each CPU with all that is shared, and the outcome."""
    litmus = test((Lock("l"), W("x", 1), Unlock("l"), MB, R("r0", "y")), (R("r0", "x"), W("y", 1, unless="r0")),
                  y=1, r0_0=0)  # fmt: skip
    assert herd7(litmus, ["a remark"]) == (
        "C t\n\n(*\n * a remark\n *)\n\n{}\n\n"
        "P0(int *x, int *y, spinlock_t *l)\n{\n\tint r0;\n\n\tspin_lock(l);\n\tWRITE_ONCE(*x, 1);\n\tspin_unlock(l);\n"
        "\tsmp_mb();\n\tr0 = READ_ONCE(*y);\n}\n\n"
        "P1(int *x, int *y, spinlock_t *l)\n{\n\tint r0;\n\n\tr0 = READ_ONCE(*x);\n\tif (!r0)\n\t\tWRITE_ONCE(*y, 1);\n}\n\n"
        "exists (y=1 /\\ 0:r0=0)\n"
    )


def test_text_of_exchanges_and_remarks() -> None:
    """What is not zero at first stands in braces, an exchange says whether it orders, and a remark follows its access."""
    litmus = Litmus(
        "t",
        ((Swap("r0", "x", 2), Barrier("smp_wmb"), Swap("r1", "y", 0, relaxed=False)), (W("y", 1),)),
        {"0:r0": 3, "0:r1": 1},
        {"x": 3, "y": 0},
        {(0, 0): "a.c:1", (1, 0): "a.c:2"},
    )
    assert herd7(litmus) == (
        "C t\n\n{\n\tx=3;\n}\n\n"
        "P0(int *x, int *y)\n{\n\tint r0;\n\tint r1;\n\n\tr0 = xchg_relaxed(x, 2); // a.c:1\n\tsmp_wmb();\n"
        "\tr1 = xchg(y, 0);\n}\n\n"
        "P1(int *x, int *y)\n{\n\tWRITE_ONCE(*y, 1); // a.c:2\n}\n\n"
        "exists (0:r0=3 /\\ 0:r1=1)\n"
    )


def test_what_is_not_there_is_refused() -> None:
    """An outcome of a variable or register that no CPU has is an error, and so is a condition on what was not read."""
    with pytest.raises(ValueError, match="z, which no CPU"):
        test((W("x", 1),), z=1)
    with pytest.raises(ValueError, match="1:r0, which no CPU"):
        test((R("r0", "x"),), (W("x", 1),), r1_0=1)
    with pytest.raises(ValueError, match="asks for r0"):
        test((W("x", 1, when="r0"),), x=1)
