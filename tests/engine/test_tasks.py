"""Tasks: what is finished is not done again, and what a task does not live to say is unknown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from vgicheck.engine.cache import Cache, digest_of
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.results import Results
from vgicheck.engine.tasks import Runner, Task
from vgicheck.engine.verdict import Obligation, Query, Verdict

TEXT = "(assert false)"
QUERY = Query("0", digest_of(TEXT), "unsat", ("z3",))
NAMES = (("p", "f"), ("q", "f"), ("r", "g"))


def proved(name: str, subject: str) -> Obligation:
    """An obligation that rests on a question."""
    return Obligation(name, subject, Verdict.PROVED, solvers=("z3",), queries=(QUERY,))


def task(log: Path, die_after: int = 3, key: str = "t") -> Task:
    """A task that notes that it ran, and may end early."""

    def run() -> Iterator[Obligation]:
        with log.open("a") as file:
            file.write("x")
        for n, (name, subject) in enumerate(NAMES):
            if n == die_after:
                os._exit(3)
            yield proved(name, subject)

    return Task((key,), NAMES, run)


def runner(place: Path, **more: object) -> Runner:
    """A runner with a cache that has the answer behind every obligation here."""
    cache = Cache(place)
    cache.keep_answer("z3", TEXT, "unsat")
    return Runner(Portfolio(1.0), results=Results(cache, "program"), **more)  # type: ignore[arg-type]


@dataclass
class Log:
    """A watcher that remembers."""

    total: int = 0
    seen: list[tuple[str, bool]] = field(default_factory=list)

    def begin(self, total: int) -> None:
        self.total += total

    def judged(self, obligation: Obligation) -> None:
        self.seen.append((obligation.id, obligation.cached))

    def working(self, at: Sequence[str]) -> None:
        assert at


def test_a_finished_task_is_not_run_again(tmp_path: Path) -> None:
    """The second run gives the same verdicts from the cache, without running the task, and says so."""
    log = tmp_path / "log"
    (first,), (second,) = (runner(tmp_path).run([task(log)], 5) for _ in range(2))
    assert log.read_text() == "x"
    assert [(o.id, o.verdict) for o in first] == [(o.id, o.verdict) for o in second]
    assert ([o.cached for o in first], [o.cached for o in second]) == ([False] * 3, [True] * 3)


def test_another_limit_or_number_of_solvers_is_another_run(tmp_path: Path) -> None:
    """What was finished under another limit, or with one solver where two are wanted, is done again."""
    log, known = tmp_path / "log", runner(tmp_path)
    for portfolio in (Portfolio(1.0), Portfolio(2.0), Portfolio(1.0, two=True)):
        Runner(portfolio, results=known.results).run([task(log)], 5)
    assert log.read_text() == "xxx"


def test_what_a_task_owes_is_unknown(tmp_path: Path) -> None:
    """A task that dies loses the obligations that it had not given, and nothing of it is kept as finished."""
    log = tmp_path / "log"
    for _ in range(2):
        dead, whole = runner(tmp_path).run([task(log, 1), task(log, key="u")], 5)
        assert [o.verdict for o in dead] == [Verdict.PROVED, Verdict.UNKNOWN, Verdict.UNKNOWN]
        assert [o.id for o in dead] == ["f/p", "f/q", "g/r"]
        assert {o.reason for o in dead[1:]} == {"its process ended with status 3"}
        assert [o.verdict for o in whole] == [Verdict.PROVED] * 3
    assert log.read_text() == "xxx"


def test_a_task_that_gives_too_little_is_unknown(tmp_path: Path) -> None:
    """A task that ends well but short of what it promised owes the rest."""
    (found,) = Runner(Portfolio(1.0)).run([Task(("t",), NAMES, lambda: [proved("p", "f")])], 5)
    assert [o.verdict for o in found] == [Verdict.PROVED, Verdict.UNKNOWN, Verdict.UNKNOWN]
    assert found[2].reason == "its task ended without an answer"


def test_a_task_that_gives_something_else_is_an_error() -> None:
    """An obligation that was not promised is a fault of the program."""
    with pytest.raises(ValueError, match="f/q is not the obligation"):
        Runner(Portfolio(1.0)).run([Task(("t",), NAMES, lambda: [proved("q", "f")])], 5)


def test_a_task_that_may_give_more(tmp_path: Path) -> None:
    """What comes behind what is promised is kept, also for the next run; a task that dies before its end says nothing."""
    more = replace(task(tmp_path / "log"), promised=NAMES[:1], more=True)
    for _ in range(2):
        (found,) = runner(tmp_path / "cache").run([more], 5)
        assert [(o.property, o.subject) for o in found] == list(NAMES)
    assert (tmp_path / "log").read_text() == "x"
    dies = replace(task(tmp_path / "log", die_after=2, key="u"), promised=NAMES[:1], more=True)
    (found,) = runner(tmp_path / "cache").run([dies], 5)
    assert [(o.property, o.verdict) for o in found] == [("p", Verdict.UNKNOWN)] and "status 3" in found[0].reason


def test_preparing_is_done_in_the_parent(tmp_path: Path) -> None:
    """What `prepare` makes is there in every task, and its failure is left to the task."""
    made: list[int] = []

    def run() -> list[Obligation]:
        return [Obligation("p", "f", Verdict.PROVED, reason=f"{len(made)}")]

    def fail() -> None:
        raise ValueError

    tasks = [Task((f"{n}",), NAMES[:1], run, p) for n, p in enumerate((lambda: made.append(1), fail))]
    assert [o.reason for (o,) in Runner(Portfolio(1.0)).run(tasks, 5)] == ["1", "1"]


def test_the_watcher_is_told(tmp_path: Path) -> None:
    """Everything that is judged is told once, also what was in the cache or got lost."""
    log = Log()
    runner(tmp_path).run([task(tmp_path / "log")], 5)
    runner(tmp_path, watcher=log).run([task(tmp_path / "log"), task(tmp_path / "log", 2, "u")], 5)
    assert log.total == 6
    assert log.seen == [(f"{s}/{p}", True) for p, s in NAMES] + [(f"{s}/{p}", False) for p, s in NAMES]
