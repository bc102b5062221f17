"""ABC's pdr: its invariants are proofs only where Z3 accepts them, its runs replay, and what it cannot say is told."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import z3

from bench.races import Rearm, instance, lost, steps, system
from vgicheck.engine import pdr
from vgicheck.engine.explore import explore
from vgicheck.engine.pdr import Decided, decide, installed, questions
from vgicheck.engine.solve import ask
from vgicheck.engine.system import Cell, System, Transition

pytestmark = pytest.mark.skipif(not installed(), reason="berkeley-abc is not installed")
LIMIT = 60.0
X = z3.BitVec("x", 3)


def answers(of: System, invariant: Any) -> dict[str, str]:
    """Return what Z3 says to each question about an invariant."""
    return {name: ask(assertions, LIMIT).result for name, assertions in questions(of, invariant)}


ACCEPTED = {"start": "unsat", "step": "unsat", "never": "unsat"}


def test_the_right_machine_is_proved() -> None:
    """The race model with the right handler has an invariant that Z3 accepts, for any number of steps."""
    right = system(2, 1, Rearm.TARGET)
    assert answers(right, decide(right, LIMIT).invariant) == ACCEPTED


@pytest.mark.parametrize("rearm", [Rearm.NOTHING, Rearm.SELF])
def test_the_wrong_machines_are_refuted(rearm: Rearm) -> None:
    """The machines that lose an interrupt have a run to it that plain Python repeats, no shorter than the shortest."""
    wrong = system(2, 1, rearm)
    run = decide(wrong, LIMIT).run
    assert run is not None
    state, by_label = instance(2, 1).record(wrong.initial[0]), {label: (g, s) for label, g, s in steps(2, 1, rearm)}
    for label in run:
        guard, step = by_label[label]
        assert lost(state, 2, 1) is False and guard(state) is True
        state = step(state)
    assert lost(state, 2, 1) is True
    shortest = explore(wrong, jobs=1, stop_when_found=True).violations["lost"]
    assert shortest is not None and len(run) >= len(shortest) - 1


def test_an_invariant_of_another_machine_is_not_accepted() -> None:
    """Where ABC was given a machine with a step left out, or another step, Z3 does not accept what it makes of that."""
    wrong = system(2, 1, Rearm.SELF)
    less = replace(wrong, transitions=[t for t in wrong.transitions if not t.label.startswith("migrate")])
    for seen in (less, system(2, 1, Rearm.TARGET)):
        found = decide(seen, LIMIT).invariant
        assert answers(seen, found) == ACCEPTED
        assert "sat" in answers(wrong, found).values()


def counter(top: int, **more: Any) -> System:
    """Return a counter to 5 and back, which must not come to `top`."""
    up = Transition("up", z3.ULT(X, 5), {"x": X + 1}, **more)
    return System(
        [Cell("x", (0, 1, 2, 3, 4, 5), 3)], [{"x": 0}], [up, Transition("back", X == 5, {"x": 0})], {"top": top == X}
    )


def test_each_question_can_fail() -> None:
    """An invariant that the start does not have, that a step leaves, or that allows what must not be, is told so."""
    never = counter(4)
    assert answers(never, X != 4) == {"start": "unsat", "step": "sat", "never": "unsat"}
    assert answers(never, X == 3) == {"start": "sat", "step": "sat", "never": "unsat"}
    assert answers(never, z3.BoolVal(True)) == {"start": "unsat", "step": "unsat", "never": "sat"}
    assert answers(counter(6), z3.BoolVal(True)) == ACCEPTED


@pytest.mark.parametrize(
    "broken",
    [
        counter(6, defined={"x": X != 3}),
        counter(6, decidable=X != 3),
        replace(counter(6), requires={"small": X != 3}),
        replace(counter(6), transitions=[Transition("up", X != 7, {"x": X + 1})]),
    ],
)
def test_what_is_not_closed_is_not_proved(broken: System) -> None:
    """A system that the explorer would give up with `Escaped` has no invariant that Z3 accepts, and ABC has none."""
    found = decide(broken, LIMIT)
    assert found.invariant is None and found.run is not None
    assert "sat" in answers(broken, z3.BoolVal(True)).values()


def told(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> Decided:
    """Return what is made of a program that stands for ABC."""
    program = folder / "abc"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(pdr, "PROGRAM", str(program))
    return decide(counter(4), 0.5)


SAYS = {
    "nothing": ("true", "no answer"),
    "proved, and crashes": (
        "echo Status = 1; printf '.ilb lo0\\n- 1\\n' >invariant.pla; kill -9 $$",
        "ended with status -9",
    ),
    "what is not asked": ("echo Status = -1", "no answer"),
    "proved, and has no invariant": ("echo Status = 1", "something else"),
    "refuted, and has no run": ("echo Status = 0", "something else"),
    "an invariant of another shape": ("echo Status = 1; printf '.ilb lo0\\n11 1\\n' >invariant.pla", "something else"),
    "an invariant of other names": ("echo Status = 1; printf '.ilb n7\\n1 1\\n' >invariant.pla", "something else"),
}


@pytest.mark.parametrize("name", SAYS)
def test_what_abc_does_not_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Whatever else a program says is neither an invariant nor a run, and a reason is given."""
    script, reason = SAYS[name]
    found = told(monkeypatch, tmp_path, script)
    assert (found.invariant, found.run) == (None, None) and reason in found.reason


def test_a_wrong_proof_is_not_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that says `proved` of what is not, with an invariant that excludes nothing or all, convinces nobody."""
    for line in ("", "- 1\\n", "1 1\\n"):
        found = told(monkeypatch, tmp_path, f"echo Status = 1; printf '.ilb lo0\\n{line}' >invariant.pla")
        assert "sat" in answers(counter(4), found.invariant).values()


def test_a_limit_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ABC that does not come back is ended, and the limit is named; so is one that is not there."""
    monkeypatch.setattr(pdr, "GRACE", 0.1)
    assert told(monkeypatch, tmp_path, "exec sleep 20").reason.endswith("has no answer within 0.5 s")
    monkeypatch.setattr(pdr, "PROGRAM", str(tmp_path / "absent"))
    assert "cannot be run" in decide(counter(4), 0.5).reason
    assert not installed() and shutil.which("sh")
