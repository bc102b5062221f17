"""What makes fewer states than the machine has changes no verdict: each reduction is switched off and compared.

There are three: cells that decide nothing are left out, so is the step that counts wrong ends of interrupts, and what
is done under the distributor's lock is one step.  No states are merged by symmetry.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import z3

from model.generation import GENERATIONS, REFERENCE, Switches
from proofs import delivery as deliveries
from proofs import instances, runs, second
from proofs.instances import INSTANCE, Size, system
from proofs.premise import NO_TERMS
from proofs.runs import CLAIMS, Searched, search
from properties.machine import INVARIANTS
from vgicheck.engine.cone import cone
from vgicheck.engine.explore import Exploration, explore
from vgicheck.engine.pdr import installed
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.system import Cell, System, Transition, as_term
from vgicheck.engine.verdict import Verdict

ONE = INSTANCE["a level interrupt, one vCPU"]
INVARIANT_IDS = tuple(i.id for i in INVARIANTS)
SLOW = pytest.mark.slow
IDS = tuple(dict.fromkeys(c.id for c in CLAIMS))


def runs_of(found: Searched) -> dict[str, tuple[Any, ...]]:
    """Return the run of each claim that is broken."""
    return {name: broken.made for name, broken in found.broken.items()}


# Cells that decide nothing --------------------------------------------------------------------------


@pytest.mark.parametrize("generation", ["2012-10", *(pytest.param(g, marks=SLOW) for g in ("v3.9", "reference"))])
def test_cells_that_decide_nothing(monkeypatch: pytest.MonkeyPatch, generation: str) -> None:
    """With every cell kept the same claims break, after as many steps, and there are no fewer states."""
    switches = GENERATIONS[generation]
    for name in ("level-not-lost", "kick-not-lost"):
        without = search(ONE, switches, (name,))
        with monkeypatch.context() as patch:
            patch.setattr(runs, "cone", lambda found: found)
            whole = search(ONE, switches, (name,))
        assert {n: len(made) for n, made in runs_of(whole).items()} == {n: len(m) for n, m in runs_of(without).items()}
        assert whole.exploration.states >= without.exploration.states
        assert whole.exploration.exhaustive is without.exploration.exhaustive


@pytest.mark.slow
def test_cells_that_decide_nothing_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it matter to what is delivered in the end."""
    found = {}
    for generation in ("2012-10", "reference"):
        without = deliveries.delivery(ONE, GENERATIONS[generation], runs.LIMIT)
        with monkeypatch.context() as patch:
            patch.setattr(deliveries, "cone", lambda found: found)
            whole = deliveries.delivery(ONE, GENERATIONS[generation], runs.LIMIT)
        assert (whole.made is None) is (without.made is None)
        assert whole.made is None or without.made is None or len(whole.made) == len(without.made)
        assert whole.trapped.states >= without.trapped.states
        found[generation] = whole.made is not None
    assert found == {"2012-10": True, "reference": False}


@pytest.mark.slow
@pytest.mark.skipif(not installed(), reason="berkeley-abc is not installed")
def test_cells_that_decide_nothing_and_the_second_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second engine says the same of every cell as of those that decide something."""
    monkeypatch.setattr(second, "cone", lambda found: found)
    for generation, verdict in (("2012-10", Verdict.REFUTED), ("reference", Verdict.PROVED)):
        found = second.opinion("kick-not-lost", ONE, GENERATIONS[generation], NO_TERMS, Portfolio(60.0))
        assert found.verdict is verdict, found.reason


# The step that is left out ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("generation", ["2012-10", "reference"])
def test_the_step_that_is_left_out(monkeypatch: pytest.MonkeyPatch, generation: str) -> None:
    """With wrong ends of interrupts counted, as they are in the machine, no verdict changes and no run."""
    switches = GENERATIONS[generation]
    without = search(ONE, switches, IDS)

    def counting(size: Size, given: Any) -> dict[str, Any]:
        counted = list(range(32))
        return values(size, given) | {"cpu.hcr.eoicount": counted, "shadow.hcr.eoicount": counted}

    values = instances.values
    monkeypatch.setattr(instances, "NOT_TAKEN", ())
    monkeypatch.setattr(instances, "values", counting)
    assert any(step.name == "wrong_end" for step in ONE.steps)
    whole = search(ONE, switches, IDS)
    assert {n: len(made) for n, made in runs_of(whole).items()} == {n: len(m) for n, m in runs_of(without).items()}
    assert whole.exploration.transitions > without.exploration.transitions


# Regions under the lock -------------------------------------------------------------------------------

LOCKED = z3.Bool("locked")
HALF = z3.BitVec("half made", 8)
"""Which step is half made; 0 for none."""
FREE = HALF == 0


def cut(whole: System, step: str) -> System:
    """Return a system in which a step that is made under the lock is two, between which others may come.

    The first reads all that the step reads, the second writes what it writes; no step that needs the lock comes in
    between.  A condition is looked at where no such step is half made.  That is more than can happen: the step writes
    back what it found in a word of which it changes nothing.
    """
    parts = [t for t in whole.transitions if t.label.startswith(f"{step}(")]
    names = {cell.name: cell for cell in whole.cells}
    read = sorted({n for t in parts for term in t.updates.values() for n in constants(term) if n in names})
    saw = {n: replace(names[n], name=f"{n} seen") for n in read}
    renamed = [(names[n].term, saw[n].term) for n in read]
    made: list[Transition] = []
    for number, t in enumerate(parts, 1):
        assert unsatisfiable(t.guard, LOCKED) and z3.is_true(as_term(t.decidable, 0)) and not t.defined
        look = {"half made": z3.BitVecVal(number, 8), **{cell.name: names[n].term for n, cell in saw.items()}}
        made.append(Transition(f"{t.label} looks", z3.And(FREE, t.guard), look))
        writes = {n: z3.substitute(as_term(term, names[n].width), *renamed) for n, term in t.updates.items()}
        made.append(Transition(f"{t.label} acts", number == HALF, {"half made": z3.BitVecVal(0, 8), **writes}))
    for t in whole.transitions:
        if t not in parts:
            free = FREE if unsatisfiable(t.guard, LOCKED) else True
            made.append(replace(t, guard=z3.And(free, as_term(t.guard, 0))))
    start = whole.initial[0]
    return replace(
        whole,
        cells=[*whole.cells, *saw.values(), Cell("half made", tuple(range(len(parts) + 1)), 8)],
        initial=[{**start, "half made": 0, **{cell.name: start[n] for n, cell in saw.items()}}],
        transitions=made,
        bad={name: z3.And(FREE, as_term(term, 0)) for name, term in whole.bad.items()},
    )


def constants(term: Any) -> Iterator[str]:
    """Yield the names of the constants of a term."""
    return (c.decl().name() for c in z3.z3util.get_vars(term)) if isinstance(term, z3.ExprRef) else iter(())


def unsatisfiable(*terms: Any) -> bool:
    """Say whether terms cannot hold together."""
    solver = z3.Solver()
    solver.add(*(as_term(term, 0) for term in terms))
    return bool(solver.check() == z3.unsat)


CUT = {
    "inject": ONE,
    "mmio": INSTANCE["an interrupt that the guest sets anew"],
}
"""Steps that are made under the lock, with a machine that makes them."""


def both(step: str, switches: Switches) -> tuple[Exploration, Exploration]:
    """Explore a machine with a step in one, and in two."""
    whole, _ = system(CUT[step], switches, INVARIANT_IDS)
    small = cone(whole)
    one, two = (explore(found, jobs=1, limit_states=runs.LIMIT) for found in (small, cut(small, step)))
    assert one.exhaustive and two.exhaustive and two.states > one.states
    return one, two


@pytest.mark.parametrize("step", ["inject", pytest.param("mmio", marks=SLOW)])
def test_regions_under_the_lock(step: str) -> None:
    """In the reference, where all who write what the region reads take the lock, nothing breaks that comes in it."""
    one, two = both(step, REFERENCE)
    assert not any(one.violations.values()) and not any(two.violations.values())


@pytest.mark.slow
@pytest.mark.parametrize("generation", [name for name in GENERATIONS if name != "reference"])
def test_regions_of_a_generation(generation: str) -> None:
    """In the generations as they were the injection in two steps breaks what it breaks in one, and nothing else."""
    one, two = both("inject", GENERATIONS[generation])
    broken = [{name for name, run in found.violations.items() if run is not None} for found in (one, two)]
    assert broken[0] == broken[1] and broken[0]


def test_a_region_that_others_do_not_wait_for() -> None:
    """Where the sync takes no lock it can come in the injection, and the interrupt is lost: one step did not show it."""
    one, two = both("inject", replace(REFERENCE, sync_locks=False))
    assert not any(one.violations.values())
    assert {"level-not-lost", "oracle-sound"} <= {name for name, run in two.violations.items() if run is not None}
