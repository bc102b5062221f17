"""Running tasks in processes of their own: a task that crashes, hangs or eats the memory loses its own answer only.

Each task gets a fresh fork, so that what a solver answers does not depend on what it was asked before.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import resource
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

T = TypeVar("T")

PR_SET_PDEATHSIG = 1
"""Linux's prctl by which a process ends with its parent, however that ends."""

MEMORY = 3 << 30
"""Bytes of address space for one task."""

OUT_OF_MEMORY = 76
"""The status with which a task's process ends when Python has no more memory."""


def run_all(
    tasks: Sequence[Callable[[], T]],
    jobs: int,
    limit: float,
    lost: Callable[[int, str], T],
    done: Callable[[int], None] = lambda number: None,
) -> list[T]:
    """Run tasks, at most `jobs` at once and each for at most `limit` seconds; return their answers in order.

    `lost(number, reason)` stands in for the answer of a task that gave none; `done` is told of each that ends.
    """
    context = multiprocessing.get_context("fork")
    answers: dict[int, T] = {}
    waiting = list(enumerate(tasks))
    running: dict[Any, tuple[int, BaseProcess, float]] = {}
    while waiting or running:
        while waiting and len(running) < max(1, jobs):
            number, task = waiting.pop(0)
            receiver, sender = context.Pipe(duplex=False)
            process: BaseProcess = context.Process(target=_run, args=(task, sender), daemon=True)
            process.start()
            sender.close()
            running[receiver] = (number, process, time.monotonic() + limit)
        deadline = min(end for _, _, end in running.values())
        ready = wait(list(running), timeout=max(0.0, deadline - time.monotonic()))
        late = [r for r, (_, _, end) in running.items() if r not in ready and time.monotonic() >= end]
        for receiver in [*ready, *late]:
            number, ended, _ = running.pop(receiver)
            answers[number] = (
                lost(number, f"no answer within {limit:g} s")
                if receiver in late
                else _answer(receiver, ended, number, lost)
            )
            ended.kill()
            ended.join()
            receiver.close()
            done(number)
    return [answers[number] for number in range(len(tasks))]


def _answer(receiver: Connection, process: BaseProcess, number: int, lost: Callable[[int, str], T]) -> T:
    try:
        answer: T = receiver.recv()
    except (EOFError, OSError):
        process.join()
        if process.exitcode == OUT_OF_MEMORY:
            return lost(number, f"it needs more than {MEMORY >> 20} MiB of memory")
        return lost(number, f"its process ended with status {process.exitcode}")
    return answer


def _run(task: Callable[[], T], sender: Connection) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        sender.send(task())
    except MemoryError:
        raise SystemExit(OUT_OF_MEMORY) from None
