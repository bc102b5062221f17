"""A second engine on the questions about races: what the explorer finds clean, proved by an inductive invariant.

ABC finds the invariant or a run; Z3 checks the one, plain Python replays the other.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from model.generation import Switches
from vgicheck.engine.cone import cone
from vgicheck.engine.pdr import PROGRAM, decide, installed, questions
from vgicheck.engine.portfolio import Inquiry, Portfolio
from vgicheck.engine.system import NotUnderstood, System
from vgicheck.engine.verdict import Obligation, Query, Verdict

from .instances import AT, STEP, Size, set_up, system
from .premise import Terms
from .runs import CLAIMS, Broken, replayed
from .whole import refutation

METHOD = "and an inductive invariant of each"
SOLVERS = ("abc", "z3")
"""Who finds an invariant, and who checks it."""


def missing() -> str:
    """Say in one line what keeps the second engine from being asked; nothing if it can be."""
    return "" if installed() else f"races need {PROGRAM} for that, which is not installed; leave --solver out"


@dataclass(frozen=True, slots=True)
class Second:
    """What the second engine says of one machine: `proved`, `refuted` by a run that replays, or `unknown` and why."""

    verdict: Verdict
    reason: str = ""
    broken: Broken | None = None
    queries: tuple[Query, ...] = ()
    seconds: float = 0.0


def opinion(name: str, size: Size, switches: Switches, terms: Terms, portfolio: Portfolio) -> Second:
    """Ask the second engine of a property or a premise in one machine, by the name of the condition that it fails.

    Raises `ValueError` for a name of which nothing is asked there.
    """
    whole, steps = system(size, switches, (name.partition(AT)[0],), terms)
    asked = cone(replace(whole, bad={name: _condition(name, whole, {step for step, _ in steps.values()}, terms)}))
    try:
        decided = decide(asked, portfolio.timeout)
    except NotUnderstood as error:
        return Second(Verdict.UNKNOWN, f"the second engine does not know {error}")
    if decided.run is not None:
        made = (*set_up(size), *(steps[label] for label in decided.run))
        try:
            broken = replayed(name, size, switches, made, terms)
        except ValueError:
            return Second(Verdict.UNKNOWN, f"{PROGRAM} has a run that does not replay", seconds=decided.seconds)
        return Second(Verdict.REFUTED, broken=broken, seconds=decided.seconds)
    if decided.invariant is None:
        return Second(Verdict.UNKNOWN, decided.reason, seconds=decided.seconds)
    inquiry = Inquiry(replace(portfolio, two=False))
    answers = [
        inquiry.contradictory(f"{size.name}.{what}", assertions)
        for what, assertions in questions(asked, decided.invariant)
    ]
    seconds = decided.seconds + sum(answer.seconds for answer in answers)
    queries = tuple(answer.query for answer in answers)
    for answer in answers:
        if answer.result != "unsat":
            why = answer.reason or f"Z3 does not accept its invariant: {answer.query.name} is {answer.result}"
            return Second(Verdict.UNKNOWN, why, queries=queries, seconds=seconds)
    return Second(Verdict.PROVED, queries=queries, seconds=seconds)


def _condition(name: str, whole: System, steps: Set[str], terms: Terms) -> Any:
    """Return what must not hold in a machine that has these steps; of steps that it does not have nothing fails."""
    claim, apart, step = name.partition(AT)
    of = {step} if apart else {step for premise in terms.asked if premise.id == name for step in premise.steps}
    known = claim in {c.id for c in CLAIMS} and step in STEP if apart else bool(of)
    if name not in whole.bad and (not known or steps & of):
        raise ValueError(f"{name}: nothing of this name is asked of the machine")
    return whole.bad.get(name, False)


def confirmed(
    o: Obligation, name: str, sizes: Sequence[Size], switches: Switches, terms: Terms, portfolio: Portfolio
) -> Obligation:
    """Return a proof of the explorer's if the second engine proves it in each machine, and what else comes of asking.

    `name` is the condition that was asked, on these terms, in these machines.  What the second engine cannot prove is
    unknown; what it has a run for is refuted, and the reason says that the explorer has missed it.  Where the explorer
    came to a limit, a proof of the second engine's alone is told, and is none.  Any other verdict stays as it is.
    """
    if o.verdict not in (Verdict.PROVED, Verdict.UNKNOWN):
        return o
    cut = o.verdict is Verdict.UNKNOWN
    queries: list[Query] = []
    seconds = o.seconds
    for size in sizes:
        second = opinion(name, size, switches, terms, portfolio)
        seconds += second.seconds
        queries += second.queries
        if second.broken is not None:
            found = replace(refutation(second.broken, switches), property=o.property, subject=o.subject)
            why = "the explorer did not come to it" if cut else "the explorer has missed it"
            return replace(found, method="a run of the machine", reason=f"{found.reason}; {why}")
        if second.verdict is not Verdict.PROVED and not cut:
            reason = f"{size.name}: the explorer says proved, and {second.reason}"
            return replace(o, verdict=Verdict.UNKNOWN, reason=reason)
        if second.verdict is not Verdict.PROVED:
            return o
    if cut:
        return replace(o, reason=f"{o.reason}; an inductive invariant proves it, alone", seconds=seconds)
    return replace(o, method=f"{o.method}, {METHOD}", solvers=SOLVERS, queries=tuple(queries), seconds=seconds)
