"""The core of a run of C for several CPUs: what they do to the memory that they share, as a litmus test.

A process is a CPU.  A handler stands in the process of the CPU that it interrupts, where it came in the run: the Linux
kernel's memory model knows no interrupts, and a CPU sees its own accesses in its order.

An access matters if another CPU touches the same cell and one of them writes it.  All of these are kept, and no other:
what a CPU reads elsewhere, nobody else changes.  Locks and barriers are kept as well.  The outcome is that each access
reads what it read in the run, and that each cell holds in the end what it held there.  With that every CPU takes the
run's way, so that what the run breaks is broken.  What a thread does at once is an exchange that finds what it found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..engine.litmus import Access, Barrier, Litmus, Lock, Read, Swap, Unlock, Write, happens
from .interleave import Broken, Move, Task
from .steps import HELD, Cell

ORDERS_ALL = ("test_and_set_bit", "test_and_clear_bit")
"""What is a full barrier on both sides."""
_ROOTS = re.compile(r"^vgicheck_|\.arch|\.vgic(?=\.)|\.vgic_cpu(?=\.)|\.reg\b")


class NoCore(ValueError):
    """A run has no core of two CPUs, and the text says why."""


@dataclass(slots=True)
class _Process:
    """What one CPU does, and which remarks its accesses have."""

    accesses: list[Access] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    registers: int = 0

    def add(self, access: Access, note: str) -> None:
        if isinstance(access, Unlock) and self.accesses and self.accesses[-1] == Lock(access.name):
            self.accesses.pop()
            self.notes.pop()
        elif not (isinstance(access, Barrier) and self.accesses and self.accesses[-1] == access):
            self.accesses.append(access)
            self.notes.append(note)

    def register(self) -> str:
        self.registers += 1
        return f"r{self.registers - 1}"


def core(
    name: str,
    broken: Broken,
    tasks: Sequence[Task],
    first: Callable[[Cell], Any],
    where: Callable[[Move], str],
) -> Litmus:
    """Return the core of a run to an end that must not be.

    `first` is what a cell holds at first, `where` the remark on a step.
    Raises `NoCore` where there is none, or where its outcome is not found among all orders of its accesses.
    """
    if broken.trap or any(move.waits for move in broken.moves):
        raise NoCore("it fails at a step of one thread, which is no outcome")
    shared = _shared(broken.moves, tasks)
    if not any(not cell.is_lock for cell in shared):
        raise NoCore("no CPU touches what another writes")
    names = _names(shared)
    cpus = sorted({tasks[move.task].cpu for move in broken.moves})
    processes = {cpu: _Process() for cpu in cpus}
    outcome: dict[str, int] = {}
    left: dict[str, int] = {}
    for move in broken.moves:
        cpu = tasks[move.task].cpu
        process = processes[cpu]
        for cell in dict.fromkeys(cell for cell, _ in (*move.reads, *move.writes)):
            if cell not in shared:
                continue
            reads, writes, note = dict(move.reads), dict(move.writes), where(move)
            if cell.is_lock:
                if cell not in writes:
                    raise NoCore("a thread looks whether a lock is free, which no litmus test says")
                process.add(Lock(names[cell]) if writes[cell] else Unlock(names[cell]), note)
                continue
            if cell in reads:
                register = process.register()
                outcome[f"{cpus.index(cpu)}:{register}"] = _plain(reads[cell])
            if cell in writes:
                left[names[cell]] = _plain(writes[cell])
            process.add(_access(move, cell, names[cell], register if cell in reads else ""), note)
        for barrier in move.barriers:
            if process.accesses:
                process.add(Barrier(barrier), "")
    notes = {(n, i): note for n, p in enumerate(processes.values()) for i, note in enumerate(p.notes) if note}
    initial = {names[cell]: _plain(first(cell)) for cell in shared if not cell.is_lock}
    found = Litmus(
        name,
        tuple(tuple(p.accesses) for p in processes.values()),
        outcome | left,
        {variable: value for variable, value in initial.items() if value},
        notes,
    )
    if not happens(found, buffers=False):
        raise NoCore("its accesses do not show the outcome in any order, which is a fault of this program")
    return found


def _access(move: Move, cell: Cell, name: str, register: str) -> Access:
    writes = dict(move.writes)
    if cell not in writes:
        return Read(register, name)
    value = _plain(writes[cell])
    return Swap(register, name, value, move.by not in ORDERS_ALL) if register else Write(name, value)


def _shared(moves: Sequence[Move], tasks: Sequence[Task]) -> dict[Cell, None]:
    """Return the cells that one CPU writes and another touches, and the locks that any takes, as they are met."""
    touching: dict[Cell, set[int]] = {}
    writing: set[Cell] = set()
    for move in moves:
        for cell, _ in (*move.reads, *move.writes):
            touching.setdefault(cell, set()).add(tasks[move.task].cpu)
        writing.update(cell for cell, _ in move.writes)
    return {
        cell: None
        for cell, by in touching.items()
        if not cell.owner and cell in writing and (len(by) > 1 or cell.is_lock)
    }


def _plain(value: Any) -> int:
    if not isinstance(value, int):
        raise NoCore("a pointer is changed, which no litmus test says")
    return value


def _names(cells: dict[Cell, None]) -> dict[Cell, str]:
    """Name each cell in C, by its members."""
    return dict(zip(cells, _distinct([_name(cell) for cell in cells]), strict=True))


def _name(cell: Cell) -> str:
    text, keys = _ROOTS.sub("", cell.region.removesuffix(f".{HELD}")), list(cell.key)
    text = re.sub(r"\[\]", lambda _: f"_{keys.pop(0)}" if keys else "", text)
    return re.sub(r"\W+", "_", text).strip("_")


def _distinct(names: Sequence[str]) -> Iterator[str]:
    for n, name in enumerate(names):
        again = names[:n].count(name)
        yield f"{name}__{again}" if again else name
