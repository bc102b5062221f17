"""An exploration sees every state of a finite system, once, and the shortest runs to what must not be."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import z3

from bench.races import Rearm, instance, lost, steps, system
from vgicheck.engine import explore as explore_module
from vgicheck.engine import stepper as stepper_module
from vgicheck.engine.crew import Lost, Member, together
from vgicheck.engine.explore import ALL_FOUND, Escaped, Exploration, Run, explore
from vgicheck.engine.system import Cell, System, Transition
from vgicheck.engine.workers import run_all

ROOT = Path(__file__).parents[2]
BYTES = tuple(range(256))


def replay(run: Run, vcpus: int, irqs: int, rearm: Rearm) -> None:
    """Take a run through the plain reading of the race model, step by step."""
    of = instance(vcpus, irqs)
    by_label = {label: (guard, step) for label, guard, step in steps(vcpus, irqs, rearm)}
    assert run[0].label == ""
    assert all(not v for v in run[0].state.values())
    for before, after in pairwise(run):
        guard, step = by_label[after.label]
        record = of.record(before.state)
        assert guard(record) is True
        assert of.assignment(step(record)) == dict(after.state)


def test_the_right_machine_loses_nothing() -> None:
    """The race model with the right handler has 14,596 states, all seen, and loses no interrupt."""
    found = explore(system(2, 1, Rearm.TARGET), jobs=1)
    assert (found.states, found.transitions, found.depth) == (14_596, 69_468, 18)
    assert found.exhaustive and found.violations == {"lost": None}
    assert found.without_successor == 0 and found.stuck is None
    assert sum(found.levels) == found.states


@pytest.mark.parametrize(("rearm", "depth"), [(Rearm.NOTHING, 14), (Rearm.SELF, 19)])
def test_the_wrong_machines_lose_an_interrupt(rearm: Rearm, depth: int) -> None:
    """A handler that does not re-arm loses the interrupt after 14 steps, one that looks at itself after 19."""
    found = explore(system(2, 1, rearm), jobs=1)
    run = found.violations["lost"]
    assert run is not None and len(run) - 1 == depth
    replay(run, 2, 1, rearm)
    assert lost(instance(2, 1).record(run[-1].state), 2, 1) is True
    assert not any(lost(instance(2, 1).record(s.state), 2, 1) for s in run[:-1])


def test_the_answer_does_not_depend_on_processes_or_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """One, two and three processes, large and small pieces, give the same counts and the same run."""
    machine = system(2, 1, Rearm.SELF)
    found = [explore(machine, jobs=jobs) for jobs in (1, 2, 3)]
    monkeypatch.setattr(stepper_module, "CHUNK", 100)
    monkeypatch.setattr(explore_module, "ROUND", 1000)
    found += [explore(machine, jobs=jobs) for jobs in (1, 2)]
    assert found[0].violations["lost"] is not None
    assert all(f == found[0] for f in found)


def test_two_interrupts_have_their_states() -> None:
    """The race model of two vCPUs and two interrupts has 313,744 states."""
    found = explore(system(2, 2, Rearm.TARGET), jobs=2)
    assert (found.states, found.exhaustive, found.violations["lost"]) == (313_744, True, None)


def test_it_stops_when_all_was_found() -> None:
    """Asked to stop, it ends with the level that shows the last bad condition, and says so."""
    machine = system(2, 1, Rearm.NOTHING)
    found = explore(machine, jobs=1, stop_when_found=True)
    whole = explore(machine, jobs=1)
    assert found.ended == ALL_FOUND and not found.exhaustive
    assert found.levels == whole.levels[:15] and found.violations == whole.violations
    right = explore(system(2, 1, Rearm.TARGET), jobs=1, stop_when_found=True)
    assert right.exhaustive


def test_a_limit_that_is_hit_is_named() -> None:
    """With a limit of states only whole levels within it are counted, for any number of processes; so with memory."""
    machine = system(2, 1, Rearm.NOTHING)
    whole = explore(machine, jobs=1)
    for jobs in (1, 2):
        found = explore(machine, limit_states=5000, jobs=jobs)
        assert found.ended == "the limit of 5000 states was reached"
        assert found.states == sum(found.levels) <= 5000 < found.states + whole.levels[len(found.levels)]
        assert found.levels == whole.levels[: len(found.levels)]
    exact = explore(machine, limit_states=whole.states, jobs=1)
    assert exact.exhaustive and exact.states == whole.states
    small = explore(machine, memory=explore_module.BASE_BYTES + 1000 * explore_module.STATE_BYTES, jobs=1)
    assert "MiB of memory" in small.ended and 0 < small.states <= 1000
    assert explore(machine, memory=0, jobs=1).states == 0


def brute(machine: System) -> tuple[list[int], int, dict[str, int | None], int]:
    """Levels, transitions, depth of each bad condition and dead ends, one state after the other with Z3."""
    terms = {c.name: c for c in machine.cells}

    def value(term: Any, state: dict[str, Any]) -> Any:
        pairs = [
            (c.term, z3.BitVecVal(state[n], c.width) if c.width else z3.BoolVal(state[n])) for n, c in terms.items()
        ]
        found = z3.simplify(z3.substitute(term, *pairs))
        return found.as_long() if z3.is_bv_value(found) else z3.is_true(found)

    level = [dict(s) for s in machine.initial]
    seen = {tuple(s.values()) for s in level}
    levels, transitions, dead = [], 0, 0
    depths: dict[str, int | None] = dict.fromkeys(machine.bad)
    while level:
        levels.append(len(level))
        following = []
        for state in level:
            for name, term in machine.bad.items():
                if depths[name] is None and value(term, state):
                    depths[name] = len(levels) - 1
            moved = False
            for t in machine.transitions:
                if value(t.guard, state):
                    moved = True
                    transitions += 1
                    after = state | {n: value(term, state) for n, term in t.updates.items()}
                    if tuple(after.values()) not in seen:
                        seen.add(tuple(after.values()))
                        following.append(after)
            dead += not moved
        level = following
    return levels, transitions, depths, dead


@pytest.mark.parametrize("seed", range(4))
def test_random_systems_are_run_as_by_hand(seed: int) -> None:
    """Counts, depths and dead ends of random systems are those of a search that evaluates with Z3."""
    print(f"seed {seed}")
    source = random.Random(seed)
    x, y, p = z3.BitVec("x", 3), z3.BitVec("y", 2), z3.Bool("p")
    words = [x, z3.ZeroExt(1, y), x + 1, x ^ 5, z3.If(p, x, x << 1), z3.LShR(x, z3.ZeroExt(1, y)), x * 3]
    truths = [p, x == 3, z3.ULT(x, z3.ZeroExt(1, y)), x != z3.ZeroExt(1, y), z3.Extract(0, 0, x) == 1, y > 0]
    moves = []
    for n in range(6):
        guard = z3.And(source.choice(truths), z3.Not(source.choice(truths[1:])))
        updates = {"x": source.choice(words), "y": z3.Extract(1, 0, source.choice(words)), "p": source.choice(truths)}
        kept = source.sample(sorted(updates), source.choice([1, 2, 3]))
        moves.append(Transition(f"t{n}", guard, {name: updates[name] for name in kept}))
    cells = [Cell("x", tuple(source.sample(range(8), 8)), 3), Cell("y", (2, 0, 3, 1), 2), Cell("p", (False, True))]
    starts = [{c.name: source.choice(c.values) for c in cells} for _ in range(2)]
    starts = [s for i, s in enumerate(starts) if s not in starts[:i]]
    machine = System(cells, starts, moves, {f"at {v}": z3.And(x == v, p) for v in range(8)})
    found = explore(machine, jobs=1)
    levels, transitions, depths, dead = brute(machine)
    assert (list(found.levels), found.transitions, found.without_successor) == (levels, transitions, dead)
    assert {n: run and len(run) - 1 for n, run in found.violations.items()} == depths
    assert (found.stuck is None) == (dead == 0)


def counters(width: int, top: int, pads: int) -> System:
    """Two counters far apart in a wide state, and a flag that is set where both are at the top."""
    names = ["low", *(f"pad{i}" for i in range(pads)), "high"]
    cells = [Cell(n, BYTES, 8) if n.startswith("pad") else Cell(n, tuple(range(top)), width) for n in names]
    moves = [
        Transition(n, z3.ULT(z3.BitVec(n, width), top - 1), {n: z3.BitVec(n, width) + 1, "pad0": z3.BitVec("low", 8)})
        for n in ("low", "high")
    ]
    both = z3.And(z3.BitVec("low", width) == top - 1, z3.BitVec("high", width) == top - 2)
    start = {n: 7 if n.startswith("pad") else 0 for n in names} | {"pad0": 0}
    return System(cells, [start], moves, {"both": both})


@pytest.mark.parametrize(("pads", "columns"), [(5, 1), (7, 2), (15, 3), (30, 5)])
def test_wide_states_are_no_different(pads: int, columns: int) -> None:
    """States of one to five columns are told apart by each of them: two counters count to all pairs."""
    machine = counters(8, 60, pads)
    found = [explore(machine, jobs=jobs) for jobs in (1, 2)]
    assert stepper_module.Stepper(machine).layout.columns == columns
    assert found[0] == found[1]
    expected = brute_counters(60)
    assert (found[0].states, found[0].transitions) == expected
    run = found[0].violations["both"]
    assert run is not None and len(run) == 59 + 58 + 1
    assert (run[-1].state["low"], run[-1].state["high"], run[-1].state["pad1"]) == (59, 58, 7)
    assert found[0].without_successor > 0 and found[0].stuck is not None
    assert found[0].stuck[-1].state["low"] == found[0].stuck[-1].state["high"] == 59


def test_a_cell_of_many_values_takes_two_bytes() -> None:
    """A cell of 300 values in no order, between smaller ones, goes through all of them and back to the first."""
    values = tuple(random.Random(2).sample(range(300), 300))
    n = z3.BitVec("n", 10)
    cells = [Cell("p", (False, True)), Cell("n", values, 10), Cell("q", (True, False))]
    round_ = Transition("round", True, {"n": z3.If(z3.UGE(n, 293), n - 293, n + 7), "q": z3.Not(z3.Bool("q"))})
    found = explore(System(cells, [{"p": True, "n": 0, "q": True}], [round_], {"back": n == 293}), jobs=1)
    assert (found.states, found.transitions, found.depth) == (300, 300, 299)
    run = found.violations["back"]
    assert run is not None and [s.state["n"] for s in run] == [7 * i % 300 for i in range(300)]
    assert all(s.state["p"] is True and s.state["q"] is (i % 2 == 0) for i, s in enumerate(run))


def brute_counters(top: int) -> tuple[int, int]:
    """States and transitions of `counters`, in plain Python."""
    waiting, seen, transitions = [(0, 0, 0)], {(0, 0, 0)}, 0
    while waiting:
        low, high, _ = waiting.pop()
        for after in ((low + 1, high, low), (low, high + 1, low)):
            if max(after[:2]) < top:
                transitions += 1
                if after not in seen:
                    seen.add(after)
                    waiting.append(after)
    return len(seen), transitions


def outcome(machine: System, jobs: int) -> str:
    """What is said of a system that is not closed."""
    with pytest.raises(Escaped) as raised:
        explore(machine, jobs=jobs)
    return str(raised.value)


def test_a_value_outside_its_cell_is_an_error() -> None:
    """A next value that its cell cannot take is named with transition and state, where the guard holds only."""
    x = z3.BitVec("x", 4)
    cells = [Cell("x", (0, 1, 2, 5), 4), Cell("y", (0, 3), 4)]
    start = [{"x": 0, "y": 0}]
    add = Transition("add", z3.ULT(x, 5), {"x": x + 1})
    for jobs in (1, 2):
        said = outcome(System(cells, start, [add]), jobs)
        assert said == "transition add gives cell x a value that it cannot take; in the state x=2, y=0"
    closed = Transition("add", z3.ULT(x, 2), {"x": x + 1})
    assert explore(System(cells, start, [closed]), jobs=1).states == 3
    plain = Transition("set", x == 2, {"y": z3.BitVecVal(7, 4)})
    assert "set gives cell y" in outcome(System(cells, start, [closed, plain]), 1)
    copied = Transition("copy", x == 2, {"y": x})
    assert "copy gives cell y" in outcome(System(cells, start, [closed, copied]), 1)
    chosen = Transition("choose", True, {"y": z3.If(x == 2, x, z3.BitVec("y", 4))})
    assert "choose gives cell y" in outcome(System(cells, start, [closed, chosen]), 1)
    assert explore(System(cells, start, [chosen]), jobs=1).states == 1
    constant = [Cell("x", (0, 1, 2, 5), 4), Cell("y", (3,), 4)]
    changed = Transition("change", x == 1, {"y": z3.BitVec("y", 4) + x})
    assert "change gives cell y" in outcome(System(constant, [{"x": 0, "y": 3}], [closed, changed]), 1)


def test_a_condition_that_fails_is_an_error() -> None:
    """Requirements of transitions, of guards and of bad conditions stop the exploration where they fail."""
    x = z3.BitVec("x", 4)
    cells, start = [Cell("x", tuple(range(6)), 4)], [{"x": 0}]
    add = Transition("add", z3.ULT(x, 5), {"x": x + 1}, {"x": z3.ULT(x, 3)})
    assert (
        outcome(System(cells, start, [add]), 2)
        == "transition add: cell x depends on what is outside the instance; in the state x=3"
    )
    blind = Transition("add", z3.ULT(x, 5), {"x": x + 1}, decidable=x != 4)
    assert outcome(System(cells, start, [blind]), 1) == "guard of add: it cannot be decided; in the state x=4"
    free = Transition("add", z3.ULT(x, 5), {"x": x + 1}, {"x": z3.ULT(x, 5)}, z3.ULT(x, 6))
    assert outcome(System(cells, start, [free], {}, {"never 5": x != 5}), 1) == "never 5; in the state x=5"
    assert explore(System(cells, start, [free], {}, {"never 6": x != 6}), jobs=1).states == 6


def test_a_system_that_does_not_fit_together_is_refused() -> None:
    """Cells, initial states and transitions that contradict each other raise one line that says where."""
    x = z3.BitVec("x", 4)
    cell, start = Cell("x", (0, 1), 4), {"x": 0}
    for make, words in (
        (lambda: Cell("x", (), 4), "values"),
        (lambda: Cell("x", (1, 1), 4), "named once"),
        (lambda: Cell("x", (16,), 4), "16 is not a word of 4 bits"),
        (lambda: Cell("x", (True,), 4), "True is not a word"),
        (lambda: Cell("x", (0,)), "0 is not a truth value"),
        (lambda: System([], [start], []), "needs a cell"),
        (lambda: System([cell, cell], [start], []), "cell x is there twice"),
        (lambda: System([cell], [], []), "initial state"),
        (lambda: System([cell], [{}], []), "says nothing of cell x"),
        (lambda: System([cell], [{"x": 2}], []), "value 2, which it cannot take"),
        (lambda: System([cell], [{"x": False}], []), "value False"),
        (lambda: System([cell], [start | {"z": 1}], []), "z, which is no cell"),
        (lambda: System([cell], [start], [Transition("t", True, {"y": x})]), "transition t: there is no cell y"),
        (lambda: System([cell], [start], [Transition("t", x, {})]), "guard of t: BitVec"),
        (lambda: System([cell], [start], [Transition("t", True, {"x": z3.BitVec("x", 5)})]), "transition t, cell x"),
        (lambda: System([cell], [start], [Transition("t", True, {"x": 16})]), "16 where BitVec"),
        (lambda: System([cell], [start], [], {"b": 1}), "bad b: 1"),
        (lambda: explore(System([cell], [start], []), jobs=0), "needs a process"),
    ):
        with pytest.raises(ValueError, match=words) as raised:
            make()
        assert "\n" not in str(raised.value)


def test_a_system_without_transitions_stands_still() -> None:
    """Its initial states are all dead ends, and seen."""
    cells = [Cell("x", (0, 1, 2), 2)]
    found = explore(System(cells, [{"x": 2}, {"x": 1}, {"x": 1}], [], {"two": z3.BitVec("x", 2) == 2}), jobs=2)
    assert (found.levels, found.transitions, found.without_successor) == ((2,), 0, 2)
    run = found.violations["two"]
    assert run is not None and [dict(s.state) for s in run] == [{"x": 2}]


def test_a_process_that_is_killed_is_no_answer() -> None:
    """A process that ends without an answer, or raises, ends the exploration with an error."""

    def killed(member: Member) -> Exploration:
        if member.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        member.agree(0)
        raise AssertionError

    def short_of_memory(member: Member) -> Exploration:
        if member.rank == 1:
            raise MemoryError
        member.agree(0)
        raise AssertionError

    with pytest.raises(Lost, match="status -9"):
        together(killed, 2, 1, 1)
    with pytest.raises(Lost, match="no more memory"):
        together(short_of_memory, 2, 1, 1)


def test_commands_that_do_not_explore_do_not_load_numpy() -> None:
    """The command line starts without NumPy."""
    program = "import sys, vgicheck.cli; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_a_task_of_a_pool_explores_alone() -> None:
    """A process that may have no children explores all the same."""
    task = lambda: explore(system(2, 1, Rearm.TARGET), jobs=2).states  # noqa: E731
    assert run_all([task], 1, 60.0, lambda number, reason: -1) == [14_596]
