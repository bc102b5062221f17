"""eoi-clears-active the direct way: every interrupt at once, 64 iterations unrolled, one goal about all of them.

It is the encoding that a bounded model checker makes of the handler's loop, or that one writes first by hand. It
is here so that
what the engine's own encoding saves can be measured.  The interrupts of a question are all shared ones of one VM.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import z3

from vgicheck.engine.solve import second_opinion, smtlib

LRS = 64
BITS = 1024


def wide() -> list[Any]:
    """Return the question over one bit-vector of 1,024 active bits: can a flagged interrupt be active afterwards?"""
    active, eisr, nr_lr, eoi = z3.BitVec("active", BITS), z3.BitVec("eisr", LRS), z3.BitVec("nr_lr", 7), z3.Bool("eoi")
    one = z3.BitVecVal(1, BITS)
    after, flagged = active, z3.BitVecVal(0, BITS)
    for l in range(LRS):
        irq = z3.Extract(9, 0, z3.BitVec(f"lr{l}", 32))
        mask = one << z3.ZeroExt(BITS - 10, irq)
        eoied = z3.And(eoi, z3.Extract(l, l, eisr) == 1, z3.ULT(l, nr_lr))
        after = z3.If(eoied, after & ~mask, after)
        flagged = z3.If(eoied, flagged | mask, flagged)
    return [z3.ULE(nr_lr, LRS), after & flagged != 0]


def words() -> list[Any]:
    """Return the question over an array of 32 words, the goal said for each interrupt in turn."""
    sort = z3.ArraySort(z3.BitVecSort(5), z3.BitVecSort(32))
    after, eisr, nr_lr, eoi = z3.Const("active", sort), z3.BitVec("eisr", LRS), z3.BitVec("nr_lr", 7), z3.Bool("eoi")
    irqs, eoied = [], []
    for l in range(LRS):
        irqs.append(z3.Extract(9, 0, z3.BitVec(f"lr{l}", 32)))
        eoied.append(z3.And(eoi, z3.Extract(l, l, eisr) == 1, z3.ULT(l, nr_lr)))
        word, position = z3.Extract(9, 5, irqs[l]), z3.ZeroExt(27, z3.Extract(4, 0, irqs[l]))
        cleared = after[word] & ~(z3.BitVecVal(1, 32) << position)
        after = z3.If(eoied[l], z3.Store(after, word, cleared), after)
    still = []
    for irq in range(BITS):
        flagged = z3.Or(*(z3.And(e, i == irq) for e, i in zip(eoied, irqs, strict=True)))
        still.append(z3.And(flagged, z3.Extract(irq % 32, irq % 32, after[z3.BitVecVal(irq // 32, 5)]) == 1))
    return [z3.ULE(nr_lr, LRS), z3.Or(*still)]


ENCODINGS: dict[str, Callable[[], list[Any]]] = {"one word of 1,024 bits": wide, "an array of 32 words": words}


def asked(encoding: str, solver: str, limit: float) -> tuple[str, float]:
    """Ask a solver about an encoding; return its answer and the seconds that it took, the building not counted."""
    question = ENCODINGS[encoding]()
    if solver == "z3":
        z3_solver = z3.Solver()
        z3_solver.set("timeout", int(limit * 1000))
        z3_solver.add(*question)
        start = time.perf_counter()
        return str(z3_solver.check()), time.perf_counter() - start
    text = smtlib(question).replace("QF_UFBV", "QF_AUFBV")
    start = time.perf_counter()
    return second_opinion(solver, text, limit), time.perf_counter() - start
