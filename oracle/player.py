"""Programs played on QEMU and on the model, everything read back after each operation, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from .machine import (
    ADDRESS,
    GICD,
    GICH,
    GICV,
    MAINTENANCE,
    NR_LR,
    PRIVATE,
    READ,
    RESET,
    Operation,
    Program,
    Seen,
    differing,
    seen,
    step,
)
from .qtest import Answer, Qemu
from .quirks import Quirks

T = TypeVar("T")
Ignored = frozenset[str]
"""Fields of `Seen` that are not compared."""

RESETTING = (
    *(f"writel {ADDRESS[f'GICH_LR{n}']:#x} 0" for n in range(NR_LR)),
    f"writel {ADDRESS['GICH_HCR']:#x} 0",
    f"writel {ADDRESS['GICH_VMCR']:#x} 0x004c0000",
    f"writel {ADDRESS['GICH_APR']:#x} 0",
    f"writel {ADDRESS['GICD_ICACTIVER0']:#x} 0xffffffff",
)
"""QEMU's own reset forgets some registers (GICH_APR), so that a program starts with these writes."""

LOOKING = (
    f"read {GICH:#x} 0x34",
    f"read {GICH + 0xF0:#x} 0x20",
    f"read {GICV:#x} 0x0c",
    f"read {GICV + 0x14:#x} 0x0c",
    f"readl {GICV + 0x28:#x}",
    f"readl {GICD + 0x200:#x}",
    f"readl {GICD + 0x300:#x}",
)
"""Reads everything that `Seen` holds, and nothing that a read would change: GICV_IAR is at 0x0c, GICV_AIAR at 0x20."""
BATCH = 64
"""Operations under way at once."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first operation of a program after which QEMU and the model differ; `index` counts from 0."""

    program: Program
    index: int
    expected: Seen
    found: Seen

    @property
    def fields(self) -> tuple[str, ...]:
        """What differs."""
        return differing(self.expected, self.found)

    def __str__(self) -> str:
        told = [f"after operation {self.index + 1} of:", *(f"    {op}" for op in self.program)]
        for name in self.fields:
            told.append(f"  {name}: model {_shown(self.expected, name)}, QEMU {_shown(self.found, name)}")
        return "\n".join(told)


def _shown(observed: Seen, name: str) -> str:
    value = getattr(observed, name)
    if isinstance(value, tuple):
        return " ".join(f"{v:#010x}" for v in value)
    return str(value) if isinstance(value, bool) else f"{value:#x}"


def command(op: Operation) -> str:
    """Return an operation as the qtest protocol has it."""
    address = ADDRESS[op.register]
    return f"readl {address:#x}" if op.register in READ else f"writel {address:#x} {op.word:#x}"


def observed(op: Operation, answers: Sequence[Answer]) -> Seen:
    """Return what QEMU answered to an operation and to `LOOKING`."""
    done, gich, lrs, control, running, ahppir, pending, active = answers
    hcr, vtr, vmcr, _, misr, _, _, _, eisr, _, _, _, elrsr = gich.words()
    ctlr, pmr, bpr = control.words()
    rpr, hppir, abpr = running.words()
    return Seen(
        value=done.number if op.register in READ else 0,
        lr=lrs.words()[4:],
        hcr=hcr,
        vtr=vtr,
        vmcr=vmcr,
        misr=misr,
        eisr=eisr,
        elrsr=elrsr,
        apr=lrs.words()[0],
        ctlr=ctlr,
        pmr=pmr,
        bpr=bpr,
        abpr=abpr,
        rpr=rpr,
        hppir=hppir,
        ahppir=ahppir.number,
        active=active.number & PRIVATE,
        virq=active.virq,
        vfiq=active.vfiq,
        maintenance=bool(pending.number >> MAINTENANCE & 1),
    )


def batched(items: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    """Yield the items in tuples of `size`, the last one what is left."""
    rest = iter(items)
    while batch := tuple(islice(rest, size)):
        yield batch


def on_qemu(qemu: Qemu, program: Program) -> Iterator[Seen]:
    """Play a program on QEMU, from reset."""
    qemu.ask(RESETTING)
    for some in batched(program, BATCH):
        answers = qemu.ask([line for op in some for line in (command(op), *LOOKING)])
        for op, told in zip(some, batched(answers, 1 + len(LOOKING)), strict=True):
            yield observed(op, told)


def on_model(program: Program, quirks: Quirks) -> Iterator[Seen]:
    """Play a program on the model, from reset."""
    machine = RESET
    for op in program:
        machine, value = step(machine, op, quirks)
        yield seen(machine, value, quirks)


def first_difference(qemu: Qemu, program: Program, quirks: Quirks, ignored: Ignored = frozenset()) -> Difference | None:
    """Play a program on both; fields that are `ignored` may differ."""
    pairs = zip(on_model(program, quirks), on_qemu(qemu, program), strict=True)
    for index, (expected, found) in enumerate(pairs):
        if expected != found and not set(differing(expected, found)) <= ignored:
            return Difference(program, index, expected, found)
    return None


def shrunk(difference: Difference, again: Callable[[Program], Difference | None]) -> Difference:
    """Return a difference in the same fields that needs fewer operations, and fewer bits in them.

    `again` plays a program anew.  What is left out one operation, or one bit, at a time makes no difference any more.
    """
    wanted = set(difference.fields)

    def still(program: Program) -> Difference | None:
        found = again(program)
        return found if found is not None and set(found.fields) & wanted else None

    best = difference
    while (smaller := next(filter(None, map(still, _smaller(best))), None)) is not None:
        best = smaller
    return best


def _smaller(difference: Difference) -> Iterator[Program]:
    program = difference.program[: difference.index + 1]
    if len(program) < len(difference.program):
        yield program
    size = len(program) // 2
    while size:
        for start in range(0, len(program), size):
            yield program[:start] + program[start + size :]
        size //= 2
    for n, op in enumerate(program):
        for b in range(32):
            if op.word >> b & 1:
                yield (*program[:n], Operation(op.register, op.word & ~(1 << b)), *program[n + 1 :])
