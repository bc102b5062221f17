"""Tasks: obligations that are judged together in one process, and the judging of many of them.

What earlier runs finished is not done again; what a task does not live to say is `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from .portfolio import Portfolio
from .results import Results
from .verdict import Obligation, Verdict
from .workers import Ended, Given, stream


@dataclass(frozen=True, slots=True)
class Task:
    """Obligations to be judged together.

    `key` tells, with the program's text, all that determines the questions; `promised` names property and subject
    of each obligation, in the order in which `run` yields them.  `prepare` is called before the process is made, in
    the parent: what it computes once serves many tasks.  With `more` it may yield more behind what it promises.
    """

    key: tuple[str, ...]
    promised: tuple[tuple[str, str], ...]
    run: Callable[[], Iterable[Obligation]]
    prepare: Callable[[], object] = field(default=lambda: None)
    more: bool = False


class Watcher(Protocol):
    """Who is told how the work goes on."""

    def begin(self, total: int) -> None:
        """So many more obligations are to be judged."""

    def judged(self, obligation: Obligation) -> None:
        """One was judged, or found in the cache."""

    def working(self, at: Sequence[str]) -> None:
        """A moment passed; these obligations are being judged."""


class Unwatched:
    """Nobody is told."""

    def begin(self, total: int) -> None:
        """Say nothing."""

    def judged(self, obligation: Obligation) -> None:
        """Say nothing."""

    def working(self, at: Sequence[str]) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Runner:
    """How tasks are run: so many processes at once, their questions asked of a portfolio of solvers.

    `results` are those of earlier runs, None where they do not count.
    """

    portfolio: Portfolio
    jobs: int = 1
    results: Results | None = None
    watcher: Watcher = field(default_factory=Unwatched)

    def run(self, tasks: Sequence[Task], limit: float) -> list[list[Obligation]]:
        """Judge the obligations of all tasks, each task for at most `limit` seconds; return them in order."""
        found: dict[int, list[Obligation]] = {}
        self.watcher.begin(sum(len(t.promised) for t in tasks))
        for number, task in enumerate(tasks):
            known = self._known(task)
            if known is not None:
                found[number] = known
                for o in known:
                    self.watcher.judged(o)
        left = [number for number in range(len(tasks)) if number not in found]
        for event in stream(_prepared([tasks[number] for number in left]), self.jobs, limit):
            if isinstance(event, Given):
                answers = found.setdefault(left[event.task], [])
                self._take(tasks[left[event.task]], answers, event.answer)
            elif isinstance(event, Ended):
                task = tasks[left[event.task]]
                answers = found.setdefault(left[event.task], [])
                if task.more and event.reason:
                    answers.clear()  # who is to say what it would have yielded
                for name, subject in task.promised[len(answers) :]:
                    reason = event.reason or "its task ended without an answer"
                    answers.append(Obligation(name, subject, Verdict.UNKNOWN, reason=reason))
                    self.watcher.judged(answers[-1])
                if self.results is not None:
                    self.results.put(self._key(task), answers)
            else:
                at = [(tasks[left[n]], len(found.get(left[n], ()))) for n in event.tasks]
                self.watcher.working([t.promised[d][1] + "/" + t.promised[d][0] for t, d in at if d < len(t.promised)])
        return [found[number] for number in range(len(tasks))]

    def _take(self, task: Task, answers: list[Obligation], answer: Obligation) -> None:
        promised = task.promised[len(answers)] if len(answers) < len(task.promised) else None
        if (answer.property, answer.subject) != promised and not (task.more and promised is None):
            raise ValueError(f"{answer.id} is not the obligation that its task promised, {promised}")
        answers.append(answer)
        if promised is not None:
            self.watcher.judged(answer)

    def _known(self, task: Task) -> list[Obligation] | None:
        if self.results is None:
            return None
        known = self.results.get(self._key(task), texts=self.portfolio.keep)
        names = tuple((o.property, o.subject) for o in known or ())
        return known if (names[: len(task.promised)] if task.more else names) == task.promised else None

    def _key(self, task: Task) -> tuple[str, ...]:
        return (*task.key, f"{self.portfolio.timeout:g}", "two" if self.portfolio.two else "any")


def _prepared(tasks: Sequence[Task]) -> Iterator[Callable[[], Iterable[Obligation]]]:
    for task in tasks:
        with suppress(Exception):  # the task will meet it again, and can lose only itself
            task.prepare()
        yield task.run
