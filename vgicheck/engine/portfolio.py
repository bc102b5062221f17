"""Which solvers are asked, for how long, and what is remembered of their answers.

A question is known by its SMT-LIB text.  An answer that the cache has is not asked for again; a new one is kept as
soon as a solver has said `sat` or `unsat`, so that a run that is killed loses only the question that it was at.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import z3

from .cache import FINAL, Cache, digest_of, version
from .solve import FAMILIES, QUICK, Answer, Writer, ask, second_opinion
from .values import is_symbolic
from .verdict import Query

OTHERS = {"z3": ("bitwuzla", "cvc5"), "bitwuzla": ("z3", "cvc5"), "cvc5": ("bitwuzla", "z3")}
"""Who confirms whose answers, in the order in which they are asked. cvc5 is of use where it is installed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its answer.

    `model` comes with a `sat` that was not remembered; `reason` says why there is no answer.
    """

    query: Query
    seconds: float = 0.0
    model: Any = None
    reason: str = ""

    @property
    def result(self) -> str:
        """`sat`, `unsat` or `unknown`."""
        return self.query.answer


@dataclass(frozen=True, slots=True)
class Portfolio:
    """How questions are asked: `timeout` is the limit of one question, in seconds.

    With `two`, what a proof rests on counts only where a second solver, of another family, says the same of the
    question's text.  With `keep`, questions carry their text.
    """

    timeout: float
    two: bool = False
    cache: Cache | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The questions of one obligation, asked of a portfolio. Their texts depend on them and their order alone."""

    portfolio: Portfolio
    _text: Writer = field(default_factory=Writer)

    def impossible(self, name: str, goal: Any, assumptions: Sequence[Any], split: Any = None) -> Asked:
        """Ask whether a goal can hold, hoping for `unsat`; `split` is as for `solve.ask`.

        It is asked first with no assumption at all: most goals cannot hold without, and say so sooner.
        """
        alone, whole = self._text([goal]), self._text([goal, *assumptions])
        timeout = self.portfolio.timeout
        known = self._known(name, alone)
        if known is None or known.result != "unsat":
            known = self._known(name, whole)
        if known is None:
            quick = ask([z3.simplify(goal)] if is_symbolic(goal) else [goal], timeout, effort=QUICK)
            if quick.result == "unsat":
                known = self._answered(name, alone, quick)
            else:
                known = self._answered(
                    name, whole, ask([goal, *assumptions], timeout, split, text=whole), quick.seconds
                )
        text = alone if known.query.digest == digest_of(alone) else whole
        return self._confirmed(known, text) if known.result == "unsat" else known

    def possible(self, name: str, assertions: Sequence[Any], model: Any = None) -> Asked:
        """Ask whether assertions hold together, hoping for `sat`; a model of Z3 in which they do is an answer."""
        return self._hoped("sat", name, assertions, None if model is None else Answer("sat", 0.0, model))

    def contradictory(self, name: str, assertions: Sequence[Any]) -> Asked:
        """Ask whether assertions hold together, hoping for `unsat`: all of them at once, unlike `impossible`."""
        return self._hoped("unsat", name, assertions)

    def _hoped(self, hoped: str, name: str, assertions: Sequence[Any], found: Answer | None = None) -> Asked:
        text = self._text(assertions)
        known = self._known(name, text)
        if known is None:
            known = self._answered(name, text, found or ask(assertions, self.portfolio.timeout, text=text))
        return self._confirmed(known, text) if known.result == hoped else known

    def _known(self, name: str, text: str) -> Asked | None:
        if self.portfolio.cache is None:
            return None
        digest = digest_of(text)
        for solver in FAMILIES:
            answer = self.portfolio.cache.answer(solver, digest)
            if answer is not None:
                return Asked(
                    Query(name, digest, answer, (solver,), cached=True, smtlib=text if self.portfolio.keep else "")
                )
        return None

    def _answered(self, name: str, text: str, answer: Answer, before: float = 0.0) -> Asked:
        if self.portfolio.cache is not None:
            self.portfolio.cache.keep_answer(answer.solver, text, answer.result)
        query = Query(
            name, digest_of(text), answer.result, (answer.solver,), smtlib=text if self.portfolio.keep else ""
        )
        reason = (
            f"no answer within {self.portfolio.timeout:g} s ({answer.reason})" if answer.result == "unknown" else ""
        )
        return Asked(query, before + answer.seconds, answer.model, reason)

    def _confirmed(self, asked: Asked, text: str) -> Asked:
        """Ask a solver of another family as well, where two are wanted; what it does not confirm is not known."""
        if not self.portfolio.two:
            return asked
        query, (first,) = asked.query, asked.query.solvers
        start = time.perf_counter()
        why = []
        for second in OTHERS[first]:
            known = self.portfolio.cache.answer(second, query.digest) if self.portfolio.cache is not None else None
            answer = known or self._second(second, text)
            if answer == query.answer:
                cached = query.cached and known is not None
                query = replace(query, solvers=(first, second), cached=cached)
                return replace(asked, query=query, seconds=asked.seconds + time.perf_counter() - start)
            why.append(f"{second} says {answer}" if answer in FINAL else f"{second} {answer}")
            if answer in FINAL:
                break
        reason = f"{first} says {query.answer} and {', '.join(why)}"
        query = replace(query, answer="unknown", solvers=(first,))
        return Asked(query, asked.seconds + time.perf_counter() - start, asked.model, reason)

    def _second(self, solver: str, text: str) -> str:
        """Return another solver's answer, or what keeps it from one."""
        if not version(solver):
            return "is not installed"
        answer = second_opinion(solver, text, self.portfolio.timeout)
        if self.portfolio.cache is not None:
            self.portfolio.cache.keep_answer(solver, text, answer)
        return f"has no answer within {self.portfolio.timeout:g} s" if answer == "unknown" else answer
