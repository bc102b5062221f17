"""Campaigns: many random programs of one kind, and every register file that the status registers can tell apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from random import Random

from model.gich import decode_hcr, eisr, elrsr, encode_misr, misr
from model.lr import decode
from vgicheck.engine.maps import Map

from . import programs
from .machine import ADDRESS, GICH, NR_LR, RESET, Program
from .player import RESETTING, Difference, batched, first_difference, shrunk
from .qtest import Qemu
from .quirks import QEMU, Quirks

LENGTH = 60
"""Operations of a program: enough to fill the list registers several times over."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of program, how one is made, and in what QEMU is known to depart from the architecture on it."""

    name: str
    make: Callable[[Random, int], Program]
    quirks: Quirks


LEGAL = Kind("legal", programs.legal, Quirks(hppir_pmr=True, hppir_no_cpuid=True, no_alias=True))
"""A correct hypervisor and guest meet QEMU's departures only in registers that need not be read: HPPIR and AHPPIR."""
WILD = Kind("wild", programs.wild, QEMU)
KINDS = (LEGAL, WILD)


@dataclass(frozen=True, slots=True)
class Result:
    """How many operations were compared, and the first unexplained difference, made small."""

    operations: int
    difference: Difference | None


def campaign(
    qemu: Qemu, kind: Kind, operations: int, seed: int, tell: Callable[[int], None] = lambda done: None
) -> Result:
    """Compare programs of a kind until so many operations are done or one differs; `tell` hears of each program."""
    random, done = Random(f"{kind.name} {seed}"), 0
    while done < operations:
        program = kind.make(random, LENGTH)
        difference = first_difference(qemu, program, kind.quirks)
        if difference is not None:
            again = shrunk(difference, lambda smaller: first_difference(qemu, smaller, kind.quirks))
            return Result(done + difference.index + 1, again)
        done += len(program)
        tell(done)
    return Result(done, None)


CELLS = tuple(state << 28 | hw << 31 | eoi << 19 for hw in (0, 1) for eoi in (0, 1) for state in range(4))
"""The words of a list register that MISR, EISR and ELRSR can tell apart: State, HW and bit 19."""
UIE_NPIE = 0xB
"""GICH_HCR with En, UIE and NPIE: the conditions that count list registers."""


def register_files(qemu: Qemu, stride: int = 1) -> tuple[int, str]:
    """Compare MISR, EISR0 and ELRSR0 on every `stride`-th of the 65,536 files of list registers.

    Return how many were compared, and what differs in the first that does, if any.
    """
    qemu.ask([*RESETTING, f"writel {GICH:#x} {UIE_NPIE:#x}"])
    files = list(product(CELLS, repeat=NR_LR))[::stride]
    for some in batched(files, 512):
        commands: list[str] = []
        for words in some:
            commands += [f"writel {ADDRESS[f'GICH_LR{n}']:#x} {word:#x}" for n, word in enumerate(words)]
            commands.append(f"read {GICH + 0x10:#x} 0x24")
        answers = qemu.ask(commands)[NR_LR :: NR_LR + 1]
        for words, answer in zip(some, answers, strict=True):
            found = answer.words()
            expected = _status(words)
            if (found[0], found[4], found[8]) != expected:
                told = " ".join(f"{word:#010x}" for word in words)
                return len(files), f"LRs {told}: MISR, EISR0, ELRSR0 are {found[0::4]}, the model says {expected}"
    return len(files), ""


def _status(words: tuple[int, ...]) -> tuple[int, int, int]:
    lrs = Map.of({n: decode(word) for n, word in enumerate(words)}, decode(0))
    gich = replace(RESET.gich, lr=lrs, hcr=decode_hcr(UIE_NPIE))
    ended = sum(eisr(gich, n) << n for n in range(NR_LR))
    empty = sum(elrsr(gich, n) << n for n in range(NR_LR))
    return encode_misr(misr(gich)), ended, empty
