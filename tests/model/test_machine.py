"""The whole machine driven at random, larger than what is explored, with every claim checked at every step.

A run that breaks a claim is shrunk by leaving steps out, which costs less than Hypothesis' own shrinking by far, and is
replayed by `proofs.runs.failing`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from model.generation import GENERATIONS, REFERENCE, Switches
from model.gicd import CTLR, ICENABLER, ICFGR, ICPENDR, IPRIORITYR, ISENABLER, ISPENDR, SGIR
from model.machine import Machine
from model.steps import STEPS
from proofs.instances import SELF, STEP, Made, Size, fails, retarget, send
from proofs.runs import CLAIMS, failing
from properties.machine import Invariant, StepProperty

from .scenario import Scenario, tabulated

LARGE = Size(
    "three vCPUs on two CPUs",
    vcpus=3,
    cpus=2,
    lrs=3,
    irqs=((1, 0), (1, 1), (1, 2), (27, 0), (34, 0), (35, 0)),
    edges=(35,),
    stores=(
        (CTLR, 4, 0),
        (CTLR, 1, 1),
        SELF,
        send(1, 0),
        send(1, 2),
        (SGIR, 2, 1),
        retarget(34, 0),
        retarget(34, 1),
        retarget(35, 2),
        (ISENABLER.base, 4, 1 << 27 | 1 << 1),
        (ISENABLER.base + 4, 2, 0b1100),
        (ICENABLER.base + 4, 1, 0b0100),
        (ISPENDR.base + 4, 1, 0b1100),
        (ICPENDR.base + 4, 4, 0b1000),
        (ICFGR.base + 8, 2, 2 << 4),
        (ICFGR.base + 8, 4, 2 << 6),
        (IPRIORITYR.base + 34, 1, 0xA0),
    ),
)
SELDOM = ("vcpu_load", "kick_arrives", "inject", "vcpu_put", "wrong_end")
"""Taken where nothing else was chosen or can be made: with the other steps a thread or a handler goes on."""
CHOICES = {step: tuple(LARGE.arguments(step)) for step in STEPS}
"""The steps, each with what it may be asked with."""
DRAWN = (*STEPS, *8 * (STEP["inject"],), *2 * (STEP["vcpu_load"],))
"""What is drawn from: devices are busy, and a vCPU that was put soon runs again."""
OWN = [step for step in STEPS if step.name not in SELDOM]
OTHER = [STEP[name] for name in SELDOM]
SEED = random.randrange(1 << 32)
"""Printed where a run breaks a claim."""


class Broken(Exception):
    """A step broke a claim."""


@dataclass
class Watched:
    """The runs that were made: how many steps by name, and the last that broke one of the claims."""

    switches: Switches
    claims: Sequence[Invariant | StepProperty]
    taken: Counter[str] = field(default_factory=Counter)
    broken: str = ""
    made: tuple[Made, ...] = ()


def driven(watched: Watched, start: Scenario) -> type[RuleBasedStateMachine]:
    """Return the state machine that makes steps from where the guest has set up its distributor."""

    class Driven(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.state: Machine = start.state
            self.made = list(start.made)

        @rule(kind=st.integers(0, len(DRAWN) - 1), arguments=st.integers(0, 63))
        def step(self, kind: int, arguments: int) -> None:
            """Make a step of this kind, or of the first kind after it of which one can be made."""
            name, given, new = chosen(self.state, kind, arguments, watched.switches)
            old, self.state = self.state, tabulated(new, LARGE)
            self.made.append((name, given))
            watched.taken[name] += 1
            for claim in watched.claims:
                if fails(claim, old, self.state, LARGE, watched.switches) is not False:
                    watched.broken, watched.made = claim.id, tuple(self.made)
                    raise Broken(f"{claim.id} after {self.made[len(start.made) :]}, seed {SEED}")

    return Driven


def chosen(state: Machine, kind: int, start: int, switches: Switches) -> tuple[str, tuple[Any, ...], Machine]:
    """Return a step that can be made: the chosen one, else one with which a thread or a handler goes on, else any."""
    turn = kind % len(OWN)
    for step in (DRAWN[kind], *OWN[turn:], *OWN[:turn], *OTHER):
        listed = CHOICES[step]
        first = start % len(listed)
        for given in (*listed[first:], *listed[:first]):
            guard, new = step.run(state, given, LARGE.domain, switches)
            if guard is True:
                return step.name, given, new
    raise Broken("no step can be made")


def how(examples: int, steps: int, **more: object) -> settings:
    """Return how the machine is driven: nothing is kept on disk."""
    return settings(  # type: ignore[arg-type]
        max_examples=examples,
        stateful_step_count=steps,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        **more,
    )


def shrunk(claim: str, made: Sequence[Made], start: Scenario) -> tuple[Made, ...]:
    """Return what is left of a run that breaks a claim when parts of it are left out for as long as it does."""
    left = tuple(made)
    while True:
        states = [start.state, *replayed(start.state, left, start.switches)]
        found = next((n + m for n, m in parts_left(left) if breaks(claim, states[len(n)], m, start.switches)), None)
        if found is None:
            return left
        left = found


def parts_left(made: tuple[Made, ...]) -> Iterator[tuple[tuple[Made, ...], tuple[Made, ...]]]:
    """Yield, in two parts, a run without some steps that follow each other, the most first, and without any two.

    The last step stays; the first part is what comes before the first step that is left out.
    """
    for length in range(len(made) - 1, 0, -1):
        for first in range(len(made) - length):
            yield made[:first], made[first + length :]
    for n, m in combinations(range(len(made) - 1), 2):
        yield made[:n], made[n + 1 : m] + made[m + 1 :]


def replayed(state: Machine, made: Sequence[Made], switches: Switches) -> Iterator[Machine]:
    """Yield the machines after each step of a run, as far as it can be made."""
    for name, given in made:
        guard, after = STEP[name].run(state, given, LARGE.domain, switches)
        if guard is not True:
            return
        state = tabulated(after, LARGE)
        yield state


def breaks(claim: str, state: Machine, made: Sequence[Made], switches: Switches) -> bool:
    """Say whether a run from some state can be made and its last step breaks a claim."""
    states = [state, *replayed(state, made, switches)]
    (broken,) = (c for c in CLAIMS if c.id == claim)
    return len(states) == len(made) + 1 and fails(broken, *states[-2:], LARGE, switches) is not False


@pytest.mark.parametrize("runs", [6, pytest.param(40, marks=pytest.mark.slow)])
def test_reference(runs: int):
    """No run of the reference breaks a property or a lemma, and threads come around their loop in it."""
    watched = Watched(REFERENCE, CLAIMS)
    machine = seed(SEED)(driven(watched, Scenario(LARGE)))
    run_state_machine_as_test(machine, settings=how(runs, 40, phases=[Phase.generate]))
    assert {"flush_irq", "enter", "acknowledge", "end_of_interrupt", "leave", "sync_end"} <= watched.taken.keys(), SEED


@pytest.mark.parametrize(
    ("generation", "claim"),
    [
        ("2012-10", "lowered-not-delivered"),
        pytest.param("2012-11", "disabled-not-delivered", marks=pytest.mark.slow),
        pytest.param("v3.9", "lowered-not-delivered", marks=pytest.mark.slow),
    ],
)
def test_generation_is_broken(generation: str, claim: str):
    """A run that breaks a property of an old generation is found, and shrinks to a short one that replays."""
    switches = GENERATIONS[generation]
    watched, start = Watched(switches, [c for c in CLAIMS if c.id == claim]), Scenario(LARGE, switches)
    with pytest.raises(Broken):
        run_state_machine_as_test(
            driven(watched, start), settings=how(200, 30, derandomize=True, phases=[Phase.generate])
        )
    found = watched.made[len(start.made) :]
    short = shrunk(claim, found, start)
    assert failing(claim, LARGE, switches, (*start.made, *short))
    assert len(short) <= 20
