"""Running tasks in processes of their own: one that crashes, hangs or eats the memory loses only what it still owes.

Each task gets a fresh fork, so that what a solver answers does not depend on what other tasks asked.  A task gives
its answers one by one, and those that have arrived are safe from whatever becomes of it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import resource
import selectors
import signal
import time
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

PR_SET_PDEATHSIG = 1
"""Linux's prctl by which a process ends with its parent, however that ends."""
MEMORY = 3 << 30
"""Bytes of address space for one task."""
OUT_OF_MEMORY = 76
"""The status with which a task's process ends when Python has no more memory."""
TICK = 0.1
"""Seconds without an answer after which the listener is told what runs."""
_HEAD = 12
"""Bytes before each message: eight for its length, four for its CRC-32."""
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Given:
    """A task gave an answer."""

    task: int
    answer: Any


@dataclass(frozen=True, slots=True)
class Ended:
    """A task gives no more; `reason` says what was the matter with it, and is empty if it came to its end."""

    task: int
    reason: str


@dataclass(frozen=True, slots=True)
class Running:
    """Nothing happened for a moment; these tasks are at work, the oldest first."""

    tasks: tuple[int, ...]


Event = Given | Ended | Running


@dataclass(slots=True)
class _Child:
    """A process, its task, and what has come through its pipe and is not yet a whole message."""

    task: int
    pid: int
    pipe: int
    deadline: float
    unread: bytearray = field(default_factory=bytearray)

    def read(self) -> Iterator[Given | Ended]:
        """Yield what has arrived, up to the task's end; nothing here waits for the other side."""
        data = os.read(self.pipe, 1 << 20)
        self.unread += data
        while len(self.unread) >= _HEAD:
            end = _HEAD + int.from_bytes(self.unread[:8], "big")
            if len(self.unread) < end:
                break
            checksum, message = int.from_bytes(self.unread[8:_HEAD], "big"), bytes(self.unread[_HEAD:end])
            del self.unread[:end]
            if zlib.crc32(message) != checksum:
                yield Ended(self.task, "its answer arrived damaged")
                return
            event: Given | Ended = pickle.loads(message)
            yield event
            if isinstance(event, Ended):
                return
        if not data:
            yield Ended(self.task, self._death())

    def _death(self) -> str:
        """Say how a process ended that said nothing of its end. Its status was set before its pipe was closed."""
        self._kill()
        status = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        if status is not None and status.si_code == os.CLD_EXITED and status.si_status == OUT_OF_MEMORY:
            return f"it needs more than {MEMORY >> 20} MiB of memory"
        number = 0 if status is None else status.si_status if status.si_code == os.CLD_EXITED else -status.si_status
        return f"its process ended with status {number}"

    def end(self) -> None:
        """End it with all that it started."""
        self._kill()
        os.close(self.pipe)
        os.waitpid(self.pid, 0)

    def _kill(self) -> None:
        for kill in (os.killpg, os.kill):  # it may not lead a group yet
            with suppress(ProcessLookupError):
                kill(self.pid, signal.SIGKILL)


def stream(tasks: Iterable[Callable[[], Iterable[Any]]], jobs: int, limit: float) -> Iterator[Event]:
    """Run tasks, at most `jobs` at once and each for at most `limit` seconds, and tell what happens as it happens.

    `tasks` is asked for the next one when there is room for it.  When the listener stops, what still runs is killed.
    """
    waiting = enumerate(tasks)
    children: dict[int, _Child] = {}
    more = True
    with selectors.DefaultSelector() as selector:
        try:
            while True:
                while more and len(children) < max(1, jobs):
                    number, task = next(waiting, (-1, None))
                    if task is None:
                        more = False
                        break
                    child = _started(number, task, limit)
                    children[child.pipe] = child
                    selector.register(child.pipe, selectors.EVENT_READ)
                if not children:
                    return
                ready = [key.fd for key, _ in selector.select(TICK)]
                for pipe in ready:
                    child = children[pipe]
                    for event in child.read():
                        if isinstance(event, Ended):
                            selector.unregister(pipe)
                            children.pop(pipe).end()
                        yield event
                for child in [c for c in children.values() if c.deadline <= time.monotonic()]:
                    selector.unregister(child.pipe)
                    children.pop(child.pipe).end()
                    yield Ended(child.task, f"no answer within {limit:g} s")
                if children and not ready:
                    yield Running(tuple(child.task for child in children.values()))
        finally:
            for child in children.values():
                child.end()


def run_all(
    tasks: Sequence[Callable[[], T]],
    jobs: int,
    limit: float,
    lost: Callable[[int, str], T],
    done: Callable[[int], None] = lambda number: None,
) -> list[T]:
    """Run tasks that give one answer each; return their answers in order.

    `lost(number, reason)` stands in for the answer of a task that gave none; `done` is told of each that ends.
    """
    answers: dict[int, T] = {}
    for event in stream([_single(task) for task in tasks], jobs, limit):
        if isinstance(event, Given):
            answers[event.task] = event.answer
        elif isinstance(event, Ended):
            if event.task not in answers:
                answers[event.task] = lost(event.task, event.reason)
            done(event.task)
    return [answers[number] for number in range(len(tasks))]


def _single(task: Callable[[], T]) -> Callable[[], Iterable[T]]:
    return lambda: [task()]


def _started(number: int, task: Callable[[], Iterable[Any]], limit: float) -> _Child:
    ours, theirs = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(number, task, theirs, parent)
    os.close(theirs)
    return _Child(number, pid, ours, time.monotonic() + limit)


def _child(number: int, task: Callable[[], Iterable[Any]], pipe: int, parent: int) -> NoReturn:
    """Run a task, send its answers, and leave; nothing that the parent would do at its exit is done here."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's affair
        os.setpgid(0, 0)
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before it was asked to take this process with it
            os._exit(status)
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most), most))
        gc.freeze()  # what the parent made is not garbage, and a look at it would copy its pages
        reason = ""
        try:
            for answer in task():
                _send(pipe, Given(number, answer))
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            message = " ".join(str(error).split())
            reason = f"{type(error).__name__} at {os.path.basename(at.filename)}:{at.lineno}: {message}"
        _send(pipe, Ended(number, reason))
        status = 0
    finally:
        os._exit(status)


def _send(pipe: int, event: Given | Ended) -> None:
    message = pickle.dumps(event)
    left = memoryview(len(message).to_bytes(8, "big") + zlib.crc32(message).to_bytes(4, "big") + message)
    while left:
        left = left[os.write(pipe, left) :]
