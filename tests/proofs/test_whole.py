"""The verdicts on the whole machine: what the stages of an induction say together, and what a search says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from model.generation import GENERATIONS, OCTOBER_2012, REFERENCE
from model.steps import STEPS
from proofs import machine, whole
from proofs.instances import INSTANCE, QUICK, set_up
from proofs.machine import ALWAYS, INDUCTIVE, POSSIBLE, START, WITNESS
from proofs.runs import failing
from proofs.weaken import ALL, Believed
from proofs.whole import IDS, PROPERTY_IDS, STAGES, SUBJECT, claimed, judged, merged, obligations, searching, tasks
from properties.machine import STEP_PROPERTIES
from properties.property import Part
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.solve import ask
from vgicheck.engine.tasks import Runner, Task
from vgicheck.engine.values import le
from vgicheck.engine.verdict import Obligation, Query, Verdict

PORTFOLIO = Portfolio(60.0)
STEP_ONLY = "edge-once"
"""A property of steps: nothing rests on it."""
LEMMA = "elrsr-empty"


def promised(*but: Obligation) -> list[Obligation]:
    """Return what an induction says that keeps everything at every stage, but for some."""
    other = {(o.property, o.subject): o for o in but}
    every = [(name, stage) for stage in STAGES for name in claimed(stage)]
    assert other.keys() <= set(every)
    return [other.get(key, Obligation(*key, Verdict.PROVED)) for key in every]


def verdicts(found: Sequence[Obligation]) -> dict[str, Verdict]:
    return {o.property: o.verdict for o in found}


# What the stages say together ----------------------------------------------------------------------


def test_kept_by_all_stages():
    """What every stage keeps is proved, once for each property and lemma, of the machine and without bounds of time."""
    found = merged(promised())
    assert sorted(o.property for o in found) == sorted(IDS)
    assert all(o.verdict is Verdict.PROVED and o.subject == SUBJECT and not o.reason for o in found)
    assert {o.method for o in found} == {f"induction over {len(STEPS)} steps"}
    assert all("any number of steps" in o.bounds for o in found)


@pytest.mark.parametrize("stage", [START, "flush_irq", "irq_lr"])
@pytest.mark.parametrize("verdict", [Verdict.REFUTED, Verdict.UNKNOWN])
def test_one_lost_lemma_makes_everything_unknown(stage: str, verdict: Verdict):
    """A lemma that one stage does not keep leaves nothing proved, and whatever rests on it says so."""
    found = merged(promised(Obligation(LEMMA, stage, verdict, reason="it is so")))
    assert set(verdicts(found).values()) == {Verdict.UNKNOWN}
    reasons = {o.property: o.reason for o in found}
    assert reasons.pop(LEMMA) == f"not kept by {stage}: it is so"
    assert set(reasons.values()) == {f"it rests on {LEMMA}: not kept by {stage}: it is so"}


def test_lost_property_of_steps_takes_nothing_along():
    """A property of steps that is not kept is unknown alone, for nothing assumes it."""
    found = merged(promised(Obligation(STEP_ONLY, "flush_irq", Verdict.REFUTED, reason="twice")))
    assert [o.property for o in found if o.verdict is not Verdict.PROVED] == [STEP_ONLY]


def test_lost_consequence_takes_nothing_along():
    """What follows from the rest in any one state is not assumed either."""
    found = merged(promised(Obligation("level-not-lost", ALWAYS, Verdict.UNKNOWN, reason="time")))
    assert [o.property for o in found if o.verdict is not Verdict.PROVED] == ["level-not-lost"]


def test_step_that_is_never_possible_is_named():
    """A step that can never be made proves nothing: it is named, not counted, and is no obligation of its own."""
    found = merged(promised(Obligation(POSSIBLE.id, "irq_lr", Verdict.VACUOUS)))
    assert {o.method for o in found} == {f"induction over {len(STEPS) - 1} steps; never taken: irq_lr"}
    assert POSSIBLE.id not in verdicts(found)


@pytest.mark.parametrize("verdict", [Verdict.VACUOUS, Verdict.UNKNOWN])
def test_a_claim_that_nothing_meets_is_not_proved(verdict: Verdict):
    """A claim without a witness has the verdict on its premise, and no other claim has it."""
    found = merged(promised(Obligation(LEMMA, WITNESS, verdict, reason="nothing meets it")))
    assert {o.property: o.reason for o in found if o.verdict is not Verdict.PROVED} == {
        LEMMA: "its premise: nothing meets it"
    }
    assert verdicts(found)[LEMMA] is verdict


@pytest.mark.parametrize("premise", [lambda s: False, lambda s: le(65, s.nr_lr)], ids=["false", "against a lemma"])
def test_a_premise_that_cannot_be_met_is_vacuous(monkeypatch: pytest.MonkeyPatch, premise: Callable[[Any], bool]):
    """The witness of a property is missed where its premise is false, by itself or in every state that is reached."""
    prop = replace(STEP_PROPERTIES[0], formula=lambda old, *_: [Part("it is so", premise(old), True)])
    monkeypatch.setattr(machine, "STEP_PROPERTIES", (prop, *STEP_PROPERTIES[1:]))
    found = verdicts(list(judged(WITNESS, REFERENCE, ALL, PORTFOLIO)))
    assert tuple(found) == claimed(WITNESS)
    assert found.pop(prop.id) is Verdict.VACUOUS
    assert set(found.values()) == {Verdict.PROVED}


def test_questions_are_summed():
    """A claim rests on the questions of all its stages, took their time, and is cached only if all of them were."""
    query = [Query(f"{n}", f"{n}", "unsat", (solver,), cached=True) for n, solver in enumerate(("z3", "bitwuzla"))]
    one = Obligation(LEMMA, "enter", Verdict.PROVED, seconds=1.0, queries=(query[0],))
    two = Obligation(LEMMA, "leave", Verdict.PROVED, seconds=2.0, queries=(query[1],))
    (o,) = (o for o in merged(promised(one, two)) if o.property == LEMMA)
    assert (o.queries, o.solvers, o.seconds, o.cached) == (tuple(query), ("z3", "bitwuzla"), 3.0, True)
    two.queries = (replace(query[1], cached=False),)
    (o,) = (o for o in merged(promised(one, two)) if o.property == LEMMA)
    assert not o.cached


def said(task: Task) -> Iterator[Obligation]:
    """Say of a task what it would if everything were kept."""
    return (Obligation(name, subject, Verdict.PROVED) for name, subject in task.promised)


def test_a_killed_search_for_switches_names_none(monkeypatch: pytest.MonkeyPatch):
    """Where the search for the nearest switches dies, what is refuted has none beside it: its reason is no switch."""
    size = INSTANCE["a level interrupt, one vCPU"]

    def run(planned: Sequence[Task]) -> list[Obligation]:
        if planned and planned[0].key[0] == "nearest":
            planned = [replace(t, run=lambda: os._exit(3)) for t in planned]
            return [o for found in Runner(PORTFOLIO).run(planned, 30.0) for o in found]
        return [o for t in planned for o in (t.run() if t.key[0] == "search" else unkept(t))]

    monkeypatch.setattr(whole, "QUICK", (size,))
    monkeypatch.setattr(whole, "SMALL", (size,))
    (o,) = obligations(run, "v3.9", PORTFOLIO, ("kick-not-lost",))
    assert o.verdict is Verdict.REFUTED and o.nearest is None


def unkept(task: Task) -> Iterator[Obligation]:
    """Say of a task what it would if nothing were kept."""
    return (Obligation(name, subject, Verdict.UNKNOWN) for name, subject in task.promised)


@pytest.mark.parametrize("killed", [START, ALWAYS, "sync_lr"])
def test_killed_task_is_unknown(killed: str):
    """A stage whose process dies is unknown, and with it what rests on it; nothing that it promised is proved."""

    def answered(task: Task) -> Iterator[Obligation]:
        if task.key[-1] == killed:
            os._exit(3)
        return said(task)

    planned = [replace(t, run=lambda t=t: answered(t)) for t in tasks("reference", ALL, PORTFOLIO)]
    ran = [o for found in Runner(PORTFOLIO).run(planned, 30.0) for o in found]
    assert {o.subject for o in ran if o.verdict is not Verdict.PROVED} == {killed}
    found = verdicts(merged(ran))
    assert all(found[name] is Verdict.UNKNOWN for name in claimed(killed) if name in IDS)
    rests = Verdict.PROVED if killed == ALWAYS else Verdict.UNKNOWN
    assert found[STEP_ONLY] is rests


def test_tasks_cover_the_machine():
    """There is a task for each stage, told apart by its key, and what is believed is part of the key."""
    keys = [t.key for t in tasks("reference", ALL, PORTFOLIO)]
    assert [key[-1] for key in keys] == list(STAGES) and len(set(keys)) == len(keys)
    other = tasks("reference", Believed(frozenset({(1, "a")})), PORTFOLIO)
    assert not {t.key for t in other} & set(keys)
    steps = {name for t in tasks("reference", ALL, PORTFOLIO) for name, stage in t.promised if stage == "flush_irq"}
    assert steps == {POSSIBLE.id, *(i.id for i in INDUCTIVE), *(p.id for p in STEP_PROPERTIES)}


def test_all_proved_is_asked_no_further():
    """Where the induction keeps everything no instance is searched; named properties alone are returned."""
    asked: list[int] = []

    def run(planned: Sequence[Task]) -> list[Obligation]:
        asked.append(len(planned))
        return [o for t in planned for o in said(t)]

    found = obligations(run, "reference", PORTFOLIO)
    assert asked == [len(STAGES)] and [o.property for o in found] == [*PROPERTY_IDS, *whole.LEMMA_IDS]
    assert [o.property for o in obligations(run, "reference", PORTFOLIO, (STEP_ONLY,))] == [STEP_ONLY]


# One stage -----------------------------------------------------------------------------------------


def test_stage_of_the_reference():
    """A step of the reference can be made and keeps everything."""
    found = list(judged("vcpu_put", REFERENCE, ALL, PORTFOLIO))
    assert [(o.property, o.subject) for o in found] == [(name, "vcpu_put") for name in claimed("vcpu_put")]
    assert {o.verdict for o in found} == {Verdict.PROVED}
    assert found[0].property == POSSIBLE.id and found[0].queries[0].answer == "sat"


def test_stage_that_is_never_taken():
    """The reference never takes the maintenance interrupt in the host, and says that this step proves nothing."""
    assert next(judged("irq_exit", REFERENCE, ALL, PORTFOLIO)).verdict is Verdict.VACUOUS


def test_stage_that_breaks_a_lemma():
    """A sync that forgets nothing breaks what is said of the saved status, and no more; the reason is the sentence."""
    remembering = replace(REFERENCE, sync_consumes=False)
    found = {o.property: o for o in judged("sync_end", remembering, ALL, PORTFOLIO)}
    lost = found["saved-status"]
    assert lost.verdict is Verdict.REFUTED and "does not survive the sync" in lost.reason
    assert [o.property for o in found.values() if o.verdict is not Verdict.PROVED] == ["saved-status"]


def test_stage_with_less_to_go_by():
    """What is kept with all sentences assumed is not, where the one that it rests on is not believed."""
    lost = Believed(frozenset({(1, "a vCPU holds the lock in the flush and the sync only")}))
    found = verdicts(list(judged("vcpu_put", REFERENCE, lost, PORTFOLIO)))
    assert found["threads"] is not Verdict.PROVED and found["sizes"] is Verdict.PROVED


# What a search says ----------------------------------------------------------------------------------


def test_refutations_carry_their_run():
    """A refutation has the run from the machine's initial state, told in columns, which can be made again from it."""
    size = QUICK[0]
    found = list(searching("2012-10", size, ("kick-not-lost", "sgi-not-lost")).run())
    assert [(o.property, o.subject) for o in found] == [("kick-not-lost", size.name), ("sgi-not-lost", size.name)]
    refuted, held = found
    assert held.verdict is Verdict.PROVED and held.method == "every state" and held.run is None
    assert refuted.verdict is Verdict.REFUTED and refuted.run is not None and refuted.run.replayed == ("python",)
    made = [(t.step, t.arguments) for t in refuted.run.turns]
    assert refuted.run.prologue == len(set_up(size)) and refuted.run.instance == size.name
    assert made[: refuted.run.prologue] == [(name, tuple(map(int, given))) for name, given in set_up(size)]
    assert failing("kick-not-lost", size, OCTOBER_2012, made) == refuted.run.violated == refuted.reason
    assert all(t.by and t.does for t in refuted.run.turns) and refuted.run.ends


@pytest.mark.parametrize("generation", GENERATIONS)
def test_searches_are_told_apart(generation: str):
    """The task of a search promises what it is asked, of the instance, under a key of its own."""
    planned = [searching(generation, size, ("edge-once", "lr-unique")) for size in QUICK]
    assert len({t.key for t in planned}) == len(QUICK) and all(generation in t.key for t in planned)
    assert planned[0].promised == (("edge-once", QUICK[0].name), ("lr-unique", QUICK[0].name))


@pytest.mark.parametrize("intids", [32, 256])
def test_a_smaller_machine_keeps_what_a_sync_promises(intids: int) -> None:
    """With fewer interrupts no list register holds one beyond them: what the bench's curves are drawn of is proved."""
    (step,) = (s for s in STEPS if s.name == "sync_lr")
    goals = [g for g in machine.Induction(REFERENCE, intids=intids).step(step) if g.claim is not POSSIBLE]
    asked = [g.assertions for g in goals if g.claim.id == "oracle-tight"]
    assert asked and all(ask(assertions, 30.0).result == "unsat" for assertions in asked)
