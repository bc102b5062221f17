"""The obligations of the whole machine: what induction proves, what a run refutes, and what is left unknown.

Every sentence of every invariant is assumed before each step and asked for after it.  If all are kept, and the initial
state has them, all hold for ever.  Where a generation breaks one, runs are looked for in small instances; and of the
rest the largest set of sentences that keep each other is what is proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from model.generation import GENERATIONS, Switches
from model.steps import STEPS
from properties.machine import INVARIANTS, LEMMAS, STEP_PROPERTIES, Invariant, StepProperty
from vgicheck.engine.portfolio import Inquiry, Portfolio
from vgicheck.engine.solve import ask
from vgicheck.engine.tasks import Task
from vgicheck.engine.verdict import Obligation, Verdict
from vgicheck.engine.verdict import Run as Shown

from .instances import INSTANCE, QUICK, SMALL, STEP, Size
from .machine import ALWAYS, FOLLOWING, INDUCTIVE, POSSIBLE, START, WITNESS, Goal, Induction
from .nearest import nearest
from .runs import Broken, search
from .weaken import ALL, Believed, fixpoint
from .words import turns

SUBJECT = "machine"
BOUNDS = "nr_lr 1..64, vCPUs 1..8, INTID 0..1019, any number of steps"
CLAIMS: tuple[Invariant | StepProperty, ...] = (*INVARIANTS, *STEP_PROPERTIES)
LEMMA_IDS = tuple(i.id for i in LEMMAS)
PROPERTY_IDS = tuple(dict.fromkeys(c.id for c in CLAIMS))
IDS = (*LEMMA_IDS, *PROPERTY_IDS)
INDUCTION = (START, ALWAYS, *(step.name for step in STEPS))
"""The stages at which something may not be kept."""
STAGES = (*INDUCTION, WITNESS)
"""All that is asked."""


# A generation -----------------------------------------------------------------------------------

Run = Callable[[Sequence[Task]], list[Obligation]]
"""Runs tasks and returns all their obligations."""


def obligations(run: Run, generation: str, portfolio: Portfolio, names: Sequence[str] = ()) -> list[Obligation]:
    """Judge the machine of a generation: all of its properties and lemmas, or those properties that are named.

    What induction cannot show, small instances may refute; what they do not refute may still be proved of fewer
    sentences; beside what is refuted stands the nearest change of switches with which it is proved.
    """
    whole = merged(run(tasks(generation, ALL, portfolio)))
    if any(o.verdict is not Verdict.PROVED for o in whole):
        whole = _judged_apart(run, generation, portfolio, names)
    wanted = [*PROPERTY_IDS, *LEMMA_IDS]
    return [o for o in sorted(whole, key=lambda o: wanted.index(o.property)) if not names or o.property in names]


def _judged_apart(run: Run, generation: str, portfolio: Portfolio, names: Sequence[str]) -> list[Obligation]:
    quick = run([weakened(generation, portfolio), *(searching(generation, size, PROPERTY_IDS) for size in QUICK)])
    found = {o.property: o for o in quick if o.subject == SUBJECT}
    refuted = _shortest(quick)
    left = [p for p in PROPERTY_IDS if p not in refuted and found[p].verdict is not Verdict.PROVED]
    slow = [size for size in SMALL if size not in QUICK]
    searched = list(quick)
    if left:
        searched += run([searching(generation, size, left) for size in slow])
        refuted = _shortest(searched)
    kept = tuple(p for p in PROPERTY_IDS if p not in refuted)
    asked = [o for p, o in refuted.items() if not names or p in names]
    for o, near in zip(asked, run([nearing(generation, o, kept, portfolio) for o in asked]), strict=True):
        o.nearest = near.nearest
    for p, o in found.items():
        if p in refuted:
            found[p] = refuted[p]
        elif o.verdict is not Verdict.PROVED:
            o.reason += f"; {_unbroken(p, searched)}"
    return list(found.values())


def _unbroken(name: str, searched: Sequence[Obligation]) -> str:
    """Say how much was run without a property being broken."""
    found = [o for o in searched if o.property == name and o.subject != SUBJECT]
    cut = [o.subject for o in found if o.verdict is not Verdict.PROVED]
    said = f"no run of the {len(found)} small instances breaks it"
    return f"{said}, as far as they were run: not every state of {'; '.join(cut)}" if cut else said


def _shortest(searched: Sequence[Obligation]) -> dict[str, Obligation]:
    """Return the refutation of each property by the shortest run, as one of the machine."""
    found: dict[str, Obligation] = {}
    for o in searched:
        if o.verdict is Verdict.REFUTED and o.run is not None:
            known = found.get(o.property)
            if known is None or known.run is None or len(o.run.turns) < len(known.run.turns):
                found[o.property] = replace(o, subject=SUBJECT)
    return found


def searching(generation: str, size: Size, wanted: Sequence[str]) -> Task:
    """Return the task of running every state of an instance: each property is refuted by a run, or holds there."""

    def run() -> Iterator[Obligation]:
        switches = GENERATIONS[generation]
        seen = search(size, switches, wanted)
        for name in wanted:
            if name in seen.broken:
                yield _refutation(seen.broken[name], switches)
            else:
                verdict = Verdict.PROVED if seen.exploration.exhaustive else Verdict.UNKNOWN
                yield Obligation(name, size.name, verdict, method="every state", reason=seen.exploration.ended)

    return Task(("search", generation, size.name, *wanted), tuple((name, size.name) for name in wanted), run)


def _refutation(broken: Broken, switches: Switches) -> Obligation:
    shown, ends = turns(broken.size, switches, broken.made)
    run = Shown(
        broken.sentence,
        replayed=("python",),
        turns=shown,
        prologue=broken.prologue,
        ends=ends,
        instance=broken.size.name,
    )
    return Obligation(
        broken.property,
        broken.size.name,
        Verdict.REFUTED,
        method="a run of the machine from its initial state, a shortest one in this instance",
        bounds=broken.size.name,
        reason=broken.sentence,
        run=run,
    )


def weakened(generation: str, portfolio: Portfolio) -> Task:
    """Return the task of proving what the largest set of sentences that keep each other says."""

    def run() -> Iterator[Obligation]:
        yield from _weakened(GENERATIONS[generation], portfolio)

    return Task(("weakened", generation), tuple((p, SUBJECT) for p in PROPERTY_IDS), run)


def _weakened(switches: Switches, portfolio: Portfolio) -> list[Obligation]:
    believed = fixpoint(switches, portfolio.timeout)
    judgements = [o for stage in STAGES for o in judged(stage, switches, believed, portfolio)]
    found = {o.property: o for o in merged(judgements)}
    for invariant in INDUCTIVE:
        lost = believed.lost_of(invariant)
        if lost and invariant.id in found:
            o = found[invariant.id]
            o.verdict, o.reason = Verdict.UNKNOWN, f"not kept by every step: {lost[0]}"
    return [found[p] for p in PROPERTY_IDS]


def _proved(name: str, switches: Switches, timeout: float) -> bool:
    """Say whether induction proves one property, from the largest set of sentences that keep each other."""
    believed = fixpoint(switches, timeout, name)
    if any(i.id == name and believed.lost_of(i) for i in INDUCTIVE):
        return False
    induction = Induction(switches, believed)
    asked = (goal for stage in INDUCTION for goal in goals(induction, stage))
    left = (goal.assertions for goal in asked if goal.claim.id == name and goal.claim not in INDUCTIVE)
    if not all(ask(assertions, timeout).result == "unsat" for assertions in left if assertions):
        return False
    premises = (goal.premises for goal in induction.witnesses() if goal.claim.id == name)
    return any(ask(premise, timeout).result == "sat" for premise in premises if premise)


def nearing(generation: str, o: Obligation, kept: Sequence[str], portfolio: Portfolio) -> Task:
    """Return the task of finding the nearest switches with which a property that is refuted is proved."""

    def run() -> Iterator[Obligation]:
        assert o.run is not None
        size = INSTANCE[o.run.instance]
        made = tuple((t.step, t.arguments) for t in o.run.turns)
        broken = Broken(o.property, o.run.violated, size, made, o.run.prologue)
        near = nearest(broken, kept, GENERATIONS[generation], lambda s: _proved(o.property, s, portfolio.timeout))
        yield Obligation(o.property, "nearest", Verdict.NOT_RUN if near is None else near.verdict, nearest=near)

    return Task(("nearest", generation, o.property, *kept), ((o.property, "nearest"),), run)


# Induction ---------------------------------------------------------------------------------------


def claimed(stage: str) -> tuple[str, ...]:
    """List what is claimed of a stage of the induction: its start, what always follows, or a step."""
    if stage == START:
        found: Iterable[Invariant | StepProperty] = INDUCTIVE
    elif stage == ALWAYS:
        found = FOLLOWING
    elif stage == WITNESS:
        found = (*INDUCTIVE, *FOLLOWING, *STEP_PROPERTIES)
    else:
        found = (POSSIBLE, *INDUCTIVE, *STEP_PROPERTIES)
    return tuple(dict.fromkeys(claim.id for claim in found))


def goals(induction: Induction, stage: str) -> Iterator[Goal]:
    """Yield the goals of a stage of the induction."""
    if stage == START:
        return induction.start()
    return induction.always() if stage == ALWAYS else induction.step(STEP[stage])


def judged(stage: str, switches: Switches, believed: Believed, portfolio: Portfolio) -> Iterator[Obligation]:
    """Judge what is claimed of a stage, believing some sentences of the state before."""
    inquiry = Inquiry(portfolio)
    if stage == WITNESS:
        yield from _witnessed(switches, believed, inquiry)
        return
    found: dict[str, Obligation] = {name: Obligation(name, stage, Verdict.PROVED) for name in claimed(stage)}
    # What Z3 makes of a term depends on the terms that asking leaves behind: all is built before anything is asked.
    built = [(goal, goal.assertions) for goal in goals(Induction(switches, believed), stage)]
    for goal, assertions in built:
        o = found[goal.claim.id]
        name = f"{stage}.{len(o.queries)}"
        if goal.claim is POSSIBLE:
            asked = inquiry.possible(name, assertions)
            o.verdict = MET.get(asked.result, Verdict.UNKNOWN)
            o.seconds, o.queries = asked.seconds, (asked.query,)
            continue
        if assertions:
            asked = inquiry.contradictory(name, assertions)
            o.seconds, o.queries = o.seconds + asked.seconds, (*o.queries, asked.query)
            if asked.result != "unsat" and o.verdict is Verdict.PROVED:
                o.verdict = Verdict.REFUTED if asked.result == "sat" else Verdict.UNKNOWN
                o.reason = " / ".join(p.sentence for p in goal.parts) if asked.result == "sat" else asked.reason
    yield from found.values()


MET = {"sat": Verdict.PROVED, "unsat": Verdict.VACUOUS}
"""The verdict on a premise, by the answer to whether it can be met."""


def _witnessed(switches: Switches, believed: Believed, inquiry: Inquiry) -> Iterator[Obligation]:
    """Judge whether each claim speaks of something: a claim of several forms does if one of them does."""
    met: dict[str, Obligation] = {}
    built = [(goal, goal.premises) for goal in Induction(switches, believed).witnesses()]
    for goal, premises in built:
        o = met.setdefault(
            goal.claim.id, Obligation(goal.claim.id, WITNESS, Verdict.VACUOUS, reason="nothing meets it")
        )
        if premises and o.verdict is not Verdict.PROVED:
            asked = inquiry.possible(f"{WITNESS}.{len(o.queries)}", premises)
            o.verdict, o.reason = MET.get(asked.result, Verdict.UNKNOWN), asked.reason
            o.seconds, o.queries = o.seconds + asked.seconds, (*o.queries, asked.query)
    yield from (met[name] for name in claimed(WITNESS))


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
    witnessed = {o.property: o for o in partial_results if o.subject == WITNESS}
    asked = [o for o in partial_results if o.subject != WITNESS]
    by_claim: dict[str, list[Obligation]] = {}
    for o in asked:
        by_claim.setdefault(o.property, []).append(o)
    idle = [o.subject for o in by_claim.pop(POSSIBLE.id) if o.verdict is Verdict.VACUOUS]
    assumed = {i.id for i in INDUCTIVE}
    lost = [o for o in asked if o.property in assumed and o.verdict is not Verdict.PROVED]
    method = f"induction over {len(STEPS) - len(idle)} steps"
    if idle:
        method += f"; never taken: {', '.join(idle)}"
    return [_whole(name, found, witnessed[name], method, lost) for name, found in by_claim.items()]


def _whole(
    name: str, found: Sequence[Obligation], witness: Obligation, method: str, lost: Sequence[Obligation]
) -> Obligation:
    rests_on = (*found, witness)
    queries = tuple(q for o in rests_on for q in o.queries)
    whole = Obligation(
        name,
        SUBJECT,
        Verdict.PROVED,
        method=method,
        bounds=BOUNDS,
        solvers=tuple(dict.fromkeys(s for q in queries for s in q.solvers)),
        seconds=sum(o.seconds for o in rests_on),
        queries=queries,
        cached=bool(queries) and all(q.cached for q in queries),
    )
    own = [o for o in found if o.verdict is not Verdict.PROVED]
    if own or lost:
        first = (own or lost)[0]
        what = "" if own else f"it rests on {first.property}: "
        whole.verdict, whole.reason = Verdict.UNKNOWN, f"{what}not kept by {first.subject}: {first.reason}"
    elif witness.verdict is not Verdict.PROVED:
        whole.verdict, whole.reason = witness.verdict, f"its premise: {witness.reason}"
    return whole
