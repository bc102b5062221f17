"""The largest set of sentences that keep each other: what it loses, and that nothing it keeps is ever seen broken."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from model.generation import GENERATIONS, REFERENCE
from model.machine import Machine
from model.steps import Step
from proofs import weaken
from proofs.instances import QUICK, STEP, parts_of, run
from proofs.machine import INDUCTIVE
from proofs.runs import Searched, search
from proofs.weaken import ALL, Believed, fixpoint
from properties.property import Part

OLD = "2012-11"
IDS = tuple(dict.fromkeys(i.id for i in INDUCTIVE))
LOCK = "a vCPU holds the lock in the flush and the sync only"


def grab(s: Machine, given: tuple[Any, ...], domain: Any, switches: Any) -> tuple[bool, Machine]:
    """The lock is taken by vCPU 0, wherever that is and whoever has it."""
    return True, replace(s, locked=True, holder=0)


@cache
def of_old() -> Believed:
    """Return what is kept of the sentences of an old generation."""
    return fixpoint(GENERATIONS[OLD], 20.0)


@cache
def seen_of_old() -> tuple[Searched, ...]:
    """Return what some instances of the old generation show."""
    wanted = (
        "a private edge, one vCPU",
        "a level interrupt, a vCPU that moves",
        "an interrupt that the guest sets anew",
    )
    return tuple(search(size, GENERATIONS[OLD], IDS) for size in QUICK if size.name in wanted)


def test_a_step_that_breaks_the_lock(monkeypatch: pytest.MonkeyPatch):
    """A step that takes the lock as it likes loses what is said of its holder, and nothing else."""
    monkeypatch.setattr(weaken, "STEPS", (Step("grab", (), grab, ""),))
    believed = fixpoint(REFERENCE, 20.0)
    assert [(INDUCTIVE[n].id, sentence) for n, sentence in believed.lost] == [("threads", LOCK)]


def test_nothing_is_lost_without_a_reason(monkeypatch: pytest.MonkeyPatch):
    """Steps that keep everything lose nothing."""
    monkeypatch.setattr(weaken, "STEPS", (STEP["vcpu_put"], STEP["resume"]))
    assert fixpoint(REFERENCE, 20.0) == ALL


def test_what_rests_on_what_was_lost_is_lost(monkeypatch: pytest.MonkeyPatch):
    """With the lock free for all, a flush meets a vCPU that holds it elsewhere: more is lost than `grab` breaks."""
    monkeypatch.setattr(weaken, "STEPS", (Step("grab", (), grab, ""), STEP["vcpu_put"]))
    believed = fixpoint(REFERENCE, 20.0)
    assert "a vCPU in the guest or with the lock is loaded" in believed.lost_of(INDUCTIVE[1])


def test_no_answer_keeps_nothing(monkeypatch: pytest.MonkeyPatch):
    """What a solver does not answer is not believed: of a step's changed sentences none is left."""
    monkeypatch.setattr(weaken, "STEPS", (STEP["vcpu_put"],))
    monkeypatch.setattr(weaken, "ask", lambda *_: SimpleNamespace(result="unknown", model=None))
    lost = {INDUCTIVE[n].id for n, _ in fixpoint(REFERENCE, 20.0).lost}
    assert {"sizes", "threads", "cpus"} <= lost


def test_it_ends_where_what_is_needed_is_lost(monkeypatch: pytest.MonkeyPatch):
    """Where one invariant is of interest, and has lost a sentence, what rests on it is not asked any more."""
    monkeypatch.setattr(weaken, "STEPS", (Step("grab", (), grab, ""), STEP["vcpu_put"]))
    believed = fixpoint(REFERENCE, 20.0, needed="threads")
    assert believed.lost_of(INDUCTIVE[1]) == [LOCK]


def test_belief():
    """A sentence that was lost is not believed, of its own invariant alone; the digest depends on what was lost."""
    invariant, other = INDUCTIVE[1], INDUCTIVE[2]
    one, two = (1, "a"), (1, "b")
    believed = Believed(frozenset({one, two}))
    assert not believed(invariant, Part("a", True, True)) and believed(other, Part("a", True, True))
    assert believed(invariant, Part("c", True, True)) and believed.lost_of(invariant) == ["a", "b"]
    assert believed.digest == Believed(frozenset({two, one})).digest != ALL.digest


@pytest.mark.slow
def test_what_is_kept_is_never_refuted():
    """No invariant of an old generation that keeps all its sentences fails in any state of an instance."""
    kept = {i.id for i in INDUCTIVE} - {INDUCTIVE[n].id for n, _ in of_old().lost}
    assert {"sizes", "threads", "cpus", "guest-registers", "lock-irq-safe", "sgi-not-lost"} <= kept
    for seen in seen_of_old():
        assert seen.exploration.exhaustive and seen.broken
        assert not kept & seen.broken.keys()


def test_what_is_refuted_is_lost_and_what_is_kept_holds():
    """Each sentence that a run of an instance breaks is one that the fixpoint lost, and along these runs each one that
    is kept holds in every state.
    """
    sentences = {sentence for _, sentence in of_old().lost}
    broken = [b for seen in seen_of_old() for b in seen.broken.values()]
    assert len(broken) > 10
    assert all(b.sentence in sentences for b in broken)
    switches, checked = GENERATIONS[OLD], 0
    for b in (b for seen in seen_of_old() for b in seen.broken.values() if len(b.made) - b.prologue > 9):
        for s in list(run(b.size, switches, b.made))[b.prologue :]:
            for invariant in INDUCTIVE:
                for part in parts_of(invariant, s, s, b.size, switches):
                    if of_old()(invariant, part) and part.premise is True:
                        assert part.conclusion is True, (b.property, part.sentence)
                        checked += 1
    assert checked > 1000
