"""The obligations of the whole machine: what induction proves, what a run refutes, and what is left unknown.

Every sentence of every invariant is assumed before each step and asked for after it.  If all are kept, and the initial
state has them, all hold for ever.  Where a generation breaks one, runs are looked for in small instances; and of the
rest the largest set of sentences that keep each other is what is proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from model.generation import GENERATIONS, Switches
from model.steps import STEPS
from properties.machine import INVARIANTS, LEMMAS, STEP_PROPERTIES, Invariant
from properties.property import Part
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner, Task
from vgicheck.engine.verdict import Obligation, Query, Verdict

from .machine import ALWAYS, FOLLOWING, INDUCTIVE, POSSIBLE, START, Goal, Induction
from .weaken import ALL, Believed, dropped

SUBJECT = "machine"
BOUNDS = "nr_lr 1..64, vCPUs 1..8, INTID 0..1019, any number of steps"
LEMMA_IDS = tuple(i.id for i in LEMMAS)
PROPERTY_IDS = tuple(dict.fromkeys(c.id for c in (*INVARIANTS, *STEP_PROPERTIES)))
STAGES = (START, ALWAYS, *(step.name for step in STEPS))
STEP_OF = {step.name: step for step in STEPS}


# Induction ---------------------------------------------------------------------------------------


def claimed(stage: str) -> tuple[str, ...]:
    """List what is claimed of a stage of the induction: its start, what always follows, or a step."""
    if stage == START:
        found: Iterable[str] = (i.id for i in INDUCTIVE)
    elif stage == ALWAYS:
        found = (i.id for i in FOLLOWING)
    else:
        found = (POSSIBLE.id, *(c.id for c in (*INDUCTIVE, *STEP_PROPERTIES)))
    return tuple(dict.fromkeys(found))


def goals(induction: Induction, stage: str) -> Iterator[Goal]:
    """Yield the goals of a stage."""
    if stage == START:
        return induction.start()
    return induction.always() if stage == ALWAYS else induction.step(STEP_OF[stage])


def judged(stage: str, switches: Switches, believed: Believed, portfolio: Portfolio) -> Iterator[Obligation]:
    """Judge what is claimed of a stage, believing some sentences of the state before."""
    found: dict[str, Obligation] = {name: Obligation(name, stage, Verdict.PROVED) for name in claimed(stage)}
    for goal in goals(Induction(switches, believed.__contains__), stage):
        o = found[goal.claim.id]
        if goal.claim is POSSIBLE:
            asked = portfolio.possible(f"{stage}.possible", goal.assertions)
            o.verdict = {"sat": Verdict.PROVED, "unsat": Verdict.VACUOUS}.get(asked.result, Verdict.UNKNOWN)
        elif assertions := goal.assertions:
            asked = portfolio.unmet(f"{stage}.{len(o.queries)}", assertions)
            if asked.result != "unsat" and o.verdict is Verdict.PROVED:
                o.verdict = Verdict.REFUTED if asked.result == "sat" else Verdict.UNKNOWN
                o.reason = goal.parts[0].sentence if asked.result == "sat" else asked.reason
        else:
            continue
        o.seconds += asked.seconds
        o.queries = (*o.queries, asked.query)
    yield from found.values()


def tasks(generation: str, believed: Believed, portfolio: Portfolio) -> list[Task]:
    """Return a task for each stage of the induction."""
    switches = GENERATIONS[generation]
    return [
        Task(
            ("induction", generation, believed.digest, stage),
            tuple((name, stage) for name in claimed(stage)),
            partial(judged, stage, switches, believed, portfolio),
        )
        for stage in STAGES
    ]


def merged(partial_results: Sequence[Obligation]) -> list[Obligation]:
    """Make one obligation a claim out of those of the stages.

    A claim is proved if every stage keeps it, and every other claim that was assumed; otherwise it is unknown, since
    what an induction fails at need not be reachable.
    """
    by_claim: dict[str, list[Obligation]] = {}
    for o in partial_results:
        by_claim.setdefault(o.property, []).append(o)
    idle = [o.subject for o in by_claim.pop(POSSIBLE.id) if o.verdict is Verdict.VACUOUS]
    assumed = {i.id for i in INDUCTIVE}
    lost = [o for o in partial_results if o.property in assumed and o.verdict is not Verdict.PROVED]
    method = f"induction over {len(STEPS) - len(idle)} steps"
    if idle:
        method += f"; never taken: {', '.join(idle)}"
    return [_whole(name, found, method, lost) for name, found in by_claim.items()]


def _whole(name: str, found: Sequence[Obligation], method: str, lost: Sequence[Obligation]) -> Obligation:
    queries = tuple(q for o in found for q in o.queries)
    whole = Obligation(
        name,
        SUBJECT,
        Verdict.PROVED,
        method=method,
        bounds=BOUNDS,
        solvers=tuple(dict.fromkeys(s for q in queries for s in q.solvers)),
        seconds=sum(o.seconds for o in found),
        queries=queries,
        cached=bool(queries) and all(q.cached for q in queries),
    )
    own = [o for o in found if o.verdict is not Verdict.PROVED]
    for o in own or lost:
        whole.verdict = Verdict.UNKNOWN
        what = "" if o in own else f"it rests on {o.property}: "
        whole.reason = f"{what}not kept by {o.subject}: {o.reason}"
        break
    return whole
