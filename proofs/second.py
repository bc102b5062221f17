"""A second engine on the questions about races: what the explorer finds clean, proved by an inductive invariant.

ABC finds the invariant or a run; Z3 checks the one, plain Python replays the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model.generation import Switches
from vgicheck.engine.cone import cone
from vgicheck.engine.pdr import PROGRAM, decide, installed, questions
from vgicheck.engine.portfolio import Inquiry, Portfolio
from vgicheck.engine.system import NotUnderstood, System
from vgicheck.engine.verdict import Obligation, Query, Verdict

from .instances import Made, Size, set_up, system
from .premise import Terms
from .runs import Broken, replayed
from .whole import refutation

METHOD = "and an inductive invariant of each"
SOLVERS = ("abc", "z3")
"""Who finds an invariant, and who checks it."""


def missing() -> str:
    """Say in one line what keeps the second engine from being asked; nothing if it can be."""
    return "" if installed() else f"races need {PROGRAM} for that, which is not installed; leave --solver out"


def confirmed(
    o: Obligation, name: str, sizes: Sequence[Size], switches: Switches, terms: Terms, portfolio: Portfolio
) -> Obligation:
    """Return a proof of the explorer's, if the second engine proves it in each machine; any other verdict as it is.

    `name` is the condition that was asked, on these terms, in these machines.  What the second engine cannot prove is
    unknown; what it has a run for that replays is refuted, and the reason says that the explorer has missed it.
    """
    if o.verdict is not Verdict.PROVED:
        return o
    inquiry = Inquiry(replace(portfolio, two=False))
    queries: list[Query] = []
    seconds = o.seconds
    for size in sizes:
        instance, steps = system(size, switches, (name,), terms)
        instance = only(instance, name)
        try:
            decided = decide(instance, portfolio.timeout)
        except NotUnderstood as error:
            return _unknown(o, size, f"the second engine does not know {error}")
        seconds += decided.seconds
        if decided.run is not None:
            broken = _broken(name, size, switches, [steps[label] for label in decided.run], terms)
            if broken is None:
                return _unknown(o, size, f"{PROGRAM} has a run that does not replay")
            found = replace(refutation(broken, switches), property=o.property, subject=o.subject)
            found.reason += ", which the explorer has missed"
            found.method = "a run of the machine from its initial state"
            return found
        if decided.invariant is None:
            return _unknown(o, size, decided.reason)
        for what, assertions in questions(instance, decided.invariant):
            asked = inquiry.contradictory(f"{size.name}.{what}", assertions)
            seconds += asked.seconds
            queries.append(asked.query)
            if asked.result != "unsat":
                why = asked.reason or f"z3 does not accept the invariant of {PROGRAM}'s: {what} is {asked.result}"
                return _unknown(o, size, why)
    return replace(o, method=f"{o.method}, {METHOD}", solvers=SOLVERS, queries=tuple(queries), seconds=seconds)


def only(instance: System, name: str) -> System:
    """Return what of a system decides one of its conditions; one that it does not have never holds."""
    return cone(replace(instance, bad={name: instance.bad.get(name, False)}))


def _broken(name: str, size: Size, switches: Switches, made: Sequence[Made], terms: Terms) -> Broken | None:
    try:
        return replayed(name, size, switches, (*set_up(size), *made), terms)
    except ValueError:
        return None


def _unknown(o: Obligation, size: Size, why: str) -> Obligation:
    return replace(o, verdict=Verdict.UNKNOWN, reason=f"{size.name}: the explorer says proved, and {why}")
