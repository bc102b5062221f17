"""Processes that do one thing together: each runs the same function, and they meet to compare and to swap arrays.

What is shared lies in anonymous memory that exists before the fork; nothing is left behind, however a run ends.
"""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import pickle
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from .layout import Array, Columns
from .workers import PR_SET_PDEATHSIG

T = TypeVar("T")
V = TypeVar("V")

BOARD = 1 << 22
"""Bytes of what one process brings to compare, at the most."""


class Lost(RuntimeError):
    """A process of a crew ended without an answer."""


class Member(Protocol):
    """What a process of a crew knows of the others."""

    rank: int
    size: int

    def agree(self, value: V) -> list[V]:
        """Wait for all; return the value that each brought, by rank. It is something small that can be pickled."""

    def post(self, peer: int, columns: Columns) -> None:
        """Leave states for a peer, which reads them after the next `agree` and before the one after it."""

    def read(self, peer: int, count: int) -> Columns:
        """Return `count` states that a peer has left."""


class Alone:
    """A crew of one."""

    rank = 0
    size = 1

    def agree(self, value: V) -> list[V]:
        """Return what it brought."""
        return [value]

    def post(self, peer: int, columns: Columns) -> None:
        """There is no peer."""
        raise AssertionError(f"there is no process {peer}")

    def read(self, peer: int, count: int) -> Columns:
        """There is no peer."""
        raise AssertionError(f"there is no process {peer}")


class _Shared:
    """The memory of a crew: two boards and two sets of boxes, used in turn, so that one `agree` a turn is enough."""

    def __init__(self, size: int, columns: int, box: int, barrier: Any) -> None:
        self.size = size
        self.barrier = barrier
        self.boards = _memory((2, size, BOARD), np.uint8)
        self.boxes = _memory((2, size, size, columns, box), np.uint64)


class _Fellow:
    def __init__(self, rank: int, shared: _Shared) -> None:
        self.rank, self.size = rank, shared.size
        self._shared = shared
        self._turn = 0

    def agree(self, value: V) -> list[V]:
        board = self._shared.boards[self._turn]
        brought = pickle.dumps(value)
        if len(brought) > BOARD:
            raise Lost(f"processes compare {len(brought)} bytes; {BOARD} are the most")
        board[self.rank, : len(brought)] = np.frombuffer(brought, np.uint8)
        self._shared.barrier.wait()
        self._turn ^= 1
        return [pickle.loads(row) for row in board]

    def post(self, peer: int, columns: Columns) -> None:
        for place, column in zip(self._shared.boxes[self._turn, self.rank, peer], columns, strict=True):
            place[: len(column)] = column

    def read(self, peer: int, count: int) -> Columns:
        return tuple(c[:count] for c in self._shared.boxes[self._turn ^ 1, peer, self.rank])


def _memory(shape: tuple[int, ...], kind: Any) -> Array:
    """Return zeros that forks share; pages that nobody touches cost nothing."""
    size = int(np.prod(shape)) * kind().itemsize
    return np.frombuffer(mmap.mmap(-1, size), kind).reshape(shape)


def together(work: Callable[[Member], T], size: int, columns: int, box: int) -> T:
    """Run `work` in `size` processes; return the answer of the first, once all have ended.

    A daemon, which may have no children, does it alone.  `box` is the most states, of so many `columns`, that one
    leaves for another at once.  What `work` raises is raised here.  Raises `Lost` where a process ends in another way.
    """
    if size == 1 or multiprocessing.current_process().daemon:
        return work(Alone())
    context = multiprocessing.get_context("fork")
    shared = _Shared(size, columns, box, context.Barrier(size))
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    answers: dict[int, Any] = {}
    try:
        for rank in range(size):
            receiver, sender = context.Pipe(duplex=False)
            process: BaseProcess = context.Process(target=_run, args=(work, rank, shared, sender), daemon=True)
            process.start()
            sender.close()
            running[receiver] = rank, process
        while running:
            for receiver in cast(list[Connection], wait(list(running))):
                rank, process = running[receiver]
                answers[rank] = _answer(receiver, process)
                process.join()
                del running[receiver]
    finally:
        for _, process in running.values():
            process.kill()
            process.join()
    answer: T = answers[0]
    return answer


def _answer(receiver: Connection, process: BaseProcess) -> Any:
    try:
        kind, answer = receiver.recv()
    except (EOFError, OSError):
        process.join()
        raise Lost(f"a process of the exploration ended with status {process.exitcode}") from None
    if kind == "raised":
        raise answer
    return answer


def _run(work: Callable[[Member], T], rank: int, shared: _Shared, sender: Connection) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        answer = work(_Fellow(rank, shared))
        sender.send(("answer", answer if rank == 0 else None))
    except MemoryError:
        sender.send(("raised", Lost("a process of the exploration has no more memory")))
    except Exception as error:
        sender.send(("raised", error))
