"""Tasks in processes of their own: each loses at most its own answer."""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from collections.abc import Callable

from vgicheck.engine import workers
from vgicheck.engine.workers import run_all


def lost(number: int, reason: str) -> str:
    """The answer of a task that gave none."""
    return f"{number}: {reason}"


def hang() -> str:
    """Never answer."""
    time.sleep(60)
    return ""


def crash() -> str:
    """Die as a solver with a bug does."""
    faulthandler.disable()
    os.kill(os.getpid(), signal.SIGSEGV)
    return ""


def leave() -> str:
    """End without an answer."""
    os._exit(7)


def eat() -> str:
    """Ask for more memory than a task may have."""
    return str(len(bytearray(workers.MEMORY + 1)))


def late(answer: str) -> Callable[[], str]:
    """Answer after a moment."""

    def task() -> str:
        time.sleep(0.2)
        return answer

    return task


def test_answers_keep_the_order_of_tasks() -> None:
    """Answers stand where their tasks do, whoever is done first, and each end is told once."""
    ends: list[int] = []
    assert run_all([late("a"), lambda: "b", lambda: "c"], 2, 10, lost, ends.append) == ["a", "b", "c"]
    assert sorted(ends) == [0, 1, 2] != ends


def test_a_bad_task_loses_its_own_answer_only() -> None:
    """A crash, an end without an answer, a hang and a lack of memory cost one answer each, with the reason."""
    tasks = [lambda: "first", crash, leave, hang, eat, lambda: "last"]
    start = time.monotonic()
    answers = run_all(tasks, 2, 1.0, lost)
    assert time.monotonic() - start < 10
    assert answers == [
        "first",
        "1: its process ended with status -11",
        "2: its process ended with status 7",
        "3: no answer within 1 s",
        f"4: it needs more than {workers.MEMORY >> 20} MiB of memory",
        "last",
    ]


def test_large_answers_arrive_whole() -> None:
    """An answer that is larger than a pipe is not cut."""
    assert [len(a) for a in run_all([lambda: "x" * 3_000_000] * 3, 3, 20, lost)] == [3_000_000] * 3


def test_tasks_do_not_see_each_other() -> None:
    """What a task changes is changed in its own process."""
    seen: list[int] = []

    def task() -> int:
        seen.append(1)
        return len(seen)

    assert run_all([task, task, task], 1, 10, lambda number, reason: -1) == [1, 1, 1]
    assert seen == []


def test_no_task_is_no_answer() -> None:
    """Nothing to do gives nothing, and fewer than one job is one."""
    assert run_all([], 2, 1, lost) == []
    assert run_all([lambda: "x"], 0, 5, lost) == ["x"]
