"""Tasks in processes of their own: each loses at most its own answer."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from vgicheck.engine import workers
from vgicheck.engine.workers import Ended, Given, Running, run_all, stream

from ..shared import ROOT


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


def segfault() -> Iterator[str]:
    """Answer twice, then die."""
    yield from ("a", "b")
    crash()


def quit_half_way() -> Iterator[str]:
    """Answer once, then leave as if all were well."""
    yield "a"
    os._exit(0)


def grow() -> Iterator[str]:
    """Answer once, then take memory for ever."""
    yield "a"
    hoard = []
    while True:
        hoard.append(bytearray(1 << 24))


def deaf() -> Iterator[str]:
    """Answer once, then hang and ignore every signal that can be ignored."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    yield "a"
    time.sleep(60)


def own_pipe() -> int:
    """The pipe to the parent, found by trying: the highest one that is open for writing."""
    pipes = [fd for fd in range(3, 64) if os.path.exists(f"/proc/self/fd/{fd}")]
    return max(fd for fd in pipes if os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:"))


def half_an_answer() -> Iterator[str]:
    """Answer once, then send the head of an answer and hang."""
    yield "a"
    os.write(own_pipe(), (1000).to_bytes(8, "big") + b"1234" + b"half")
    time.sleep(60)


def torn_answer() -> Iterator[str]:
    """Answer once, then send bytes that are no answer."""
    yield "a"
    os.write(own_pipe(), (4).to_bytes(8, "big") + b"1234" + b"junk")
    time.sleep(60)


def raises() -> Iterator[str]:
    """Answer once, then fail as code with a bug does."""
    yield "a"
    raise ValueError("two\nlines")


def starts_another() -> Iterator[str]:
    """Start a process that outlives this one, tell its number, and hang."""
    yield str(subprocess.Popen(["sleep", "60"]).pid)
    time.sleep(60)


ACCIDENTS = {
    "segfault": (segfault, ["a", "b"], f"its process ended with status -{signal.SIGSEGV}"),
    "quit half-way": (quit_half_way, ["a"], "its process ended with status 0"),
    "grow": (grow, ["a"], "it needs more than 1024 MiB of memory"),
    "deaf": (deaf, ["a"], "no answer within 1 s"),
    "half an answer": (half_an_answer, ["a"], "no answer within 1 s"),
    "torn answer": (torn_answer, ["a"], "its answer arrived damaged"),
    "raises": (raises, ["a"], "ValueError at test_workers.py"),
}


@pytest.mark.parametrize("name", ACCIDENTS)
def test_an_accident_costs_what_is_still_owed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task gave before its accident is kept, the accident is named, and its neighbours answer in time."""
    monkeypatch.setattr(workers, "MEMORY", 1 << 30)
    task, given, reason = ACCIDENTS[name]
    limit = 1.0 if "no answer" in reason else 30.0
    events = [e for e in stream([task, *[lambda: ["x", "y"]] * 3], 2, limit) if not isinstance(e, Running)]
    assert [e.answer for e in events if isinstance(e, Given) and e.task == 0] == given
    ends = {e.task: e.reason for e in events if isinstance(e, Ended)}
    assert ends.pop(0).startswith(reason)
    assert ends == {1: "", 2: "", 3: ""}
    assert [e.answer for e in events if isinstance(e, Given) and e.task > 0].count("y") == 3


def alive(pid: int) -> bool:
    """Say whether a process runs."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def gone(pid: int) -> bool:
    """Wait a moment for a process to end."""
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def test_what_a_task_started_ends_with_it() -> None:
    """A process that a hung task started is killed with the task."""
    events = list(stream([starts_another], 1, 0.5))
    assert gone(next(int(e.answer) for e in events if isinstance(e, Given)))


def test_who_stops_listening_leaves_nothing_running() -> None:
    """When the listener goes, so do the tasks that run, and no task is started any more."""
    asked: list[int] = []

    def tasks() -> Iterator[Callable[[], Iterator[str]]]:
        for n in range(9):
            asked.append(n)
            yield lambda: iter([str(os.getpid()), hang()])

    def lasting() -> Iterator[str]:
        yield str(os.getpid())
        time.sleep(60)

    events = stream((lasting for _ in tasks()), 2, 60.0)
    pids = [int(e.answer) for e in (next(events), next(events)) if isinstance(e, Given)]
    assert len(pids) == 2 and all(alive(pid) for pid in pids)
    events.close()  # type: ignore[attr-defined]
    assert all(gone(pid) for pid in pids)
    assert asked == [0, 1]


PARENT = """
import os, time
from vgicheck.engine.workers import stream
def task():
    yield os.getpid()
    time.sleep(60)
for event in stream([task, task], 2, 60.0):
    if hasattr(event, "answer"):
        print(event.answer, flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_parents_end_leaves_no_orphans(how: signal.Signals) -> None:
    """However the parent ends, its tasks end with it."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert parent.stdout is not None
    pids = [int(parent.stdout.readline()) for _ in range(2)]
    assert all(alive(pid) for pid in pids)
    parent.send_signal(how)
    parent.wait()
    assert all(gone(pid) for pid in pids)


def test_many_small_tasks() -> None:
    """Two hundred tasks answer each for itself, in their order, though few run at a time."""
    assert run_all([partial(int, n) for n in range(200)], 2, 10, lambda number, reason: -1) == list(range(200))
