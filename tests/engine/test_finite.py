"""A small instance of a model becomes a finite system that does what the model's plain reading does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any

import pytest
import z3

from vgicheck.engine.explore import Escaped, explore
from vgicheck.engine.finite import Instance
from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.system import NotUnderstood, Plain, Transition
from vgicheck.engine.values import Width, and_, is_symbolic, ite, lt, not_, or_

Id = Annotated[int, Width(10)]


@dataclass(frozen=True, slots=True)
class Slot:
    """A register that holds an id."""

    used: bool
    id: Id


@dataclass(frozen=True, slots=True)
class Inner:
    """A record in a record, with a map of records."""

    slots: Annotated[Map[Slot], MapOf((6,), Slot)]
    count: Annotated[int, Width(7)]


@dataclass(frozen=True, slots=True)
class Device:
    """A map by id, one by two words, a nested record and a scalar."""

    high: Annotated[Map[bool], MapOf((10,), bool)]
    served: Annotated[Map[int], MapOf((1, 10), Annotated[int, Width(2)])]
    inner: Inner
    last: Id


IDS = (34, 99, 1000)
KEYS: dict[str, Any] = {"high": IDS, "served": [(b, i) for b in (0, 1) for i in IDS], "inner.slots": (0, 1)}
VALUES: dict[str, Any] = {"inner.count": (2,), "inner.slots.id": (0, *IDS), "last": (0, *IDS)}
Step = tuple[str, Callable[[Device], bool], Callable[[Device], Device]]


def take(s: Device, id: int) -> Device:
    """Put an id into the first free of up to eight slots."""
    done = False
    slots = s.inner.slots
    for l in range(8):
        fits = and_(lt(l, s.inner.count), not_(slots[l].used), not_(done))
        slots = slots.set(l, ite(fits, Slot(True, id), slots[l]))
        done = or_(done, fits)
    return replace(s, inner=replace(s.inner, slots=slots), high=s.high.set(id, False, done))


def finish(s: Device, l: int) -> Device:
    """Serve the id in a slot, found by reading the maps where the slot says."""
    slot = s.inner.slots[l]
    bank = ite(s.last == slot.id, 1, 0, width=1)
    times = s.served[bank, slot.id]
    more = ite(times == 2, times, times + 1)
    return replace(
        s,
        served=s.served.set((bank, slot.id), more),
        inner=replace(s.inner, slots=s.inner.slots.set(l, Slot(False, 0))),
        last=slot.id,
    )


def steps() -> list[Step]:
    """The steps of the device, with the plain arguments that they take."""
    found: list[Step] = []
    for id in IDS:
        found.append(
            (f"raise({id})", lambda s, id=id: not_(s.high[id]), lambda s, id=id: replace(s, high=s.high.set(id, True)))
        )
        found.append((f"take({id})", lambda s, id=id: s.high[id], lambda s, id=id: take(s, id)))
    for l in (0, 1):
        found.append((f"finish({l})", lambda s, l=l: s.inner.slots[l].used, lambda s, l=l: finish(s, l)))
    return found


def transition(of: Instance[Device], step: Step) -> Transition:
    """The transition of a step."""
    label, guard, after = step
    return of.transition(label, guard(of.state), after(of.state))


def start(of: Instance[Device]) -> Device:
    """Nothing high, nothing used."""
    return of.record({c.name: c.values[0] for c in of.cells})


def test_the_system_is_the_plain_model() -> None:
    """States, transitions and the shortest run are those of a search that runs the steps on plain records."""
    of = Instance(Device, {**KEYS, "high": IDS[:2]}, VALUES)
    moves = [step for step in steps() if "1000" not in step[0]]
    twice = lambda s: and_(s.served[1, 34] == 2, s.inner.slots[1].used)  # noqa: E731
    machine = of.system([start(of)], [transition(of, step) for step in moves], {"twice": twice(of.state)})
    found = explore(machine, jobs=1)

    def frozen(state: dict[str, Plain]) -> tuple[Plain, ...]:
        return tuple(state.values())

    level, seen, transitions, depths = [of.assignment(start(of))], set(), 0, []
    seen.add(frozen(level[0]))
    sizes = []
    while level:
        sizes.append(len(level))
        following = []
        for state in level:
            record = of.record(state)
            if twice(record):
                depths.append(len(sizes) - 1)
            for _, guard, step in moves:
                if guard(record):
                    transitions += 1
                    after = of.assignment(step(record))
                    if frozen(after) not in seen:
                        seen.add(frozen(after))
                        following.append(after)
        level = following
    assert (list(found.levels), found.transitions) == (sizes, transitions)
    assert found.states > 500
    run = found.violations["twice"]
    assert run is not None and len(run) - 1 == depths[0]
    by_label = {label: step for label, _, step in moves}
    for before, after in pairwise(run):
        assert of.assignment(by_label[after.label](of.record(before.state))) == dict(after.state)


def test_cells_are_named_as_python_reads_them() -> None:
    """Each scalar is a cell under the expression that reads it; one of one value is plain in the state."""
    of = Instance(Device, KEYS, VALUES)
    names = [c.name for c in of.cells]
    assert names[:4] == ["high[34]", "high[99]", "high[1000]", "served[0, 34]"]
    assert {"inner.slots[1].id", "inner.count", "last"} <= set(names)
    assert of.state.inner.count == 2 and is_symbolic(of.state.last)
    assert next(c for c in of.cells if c.name == "served[0, 34]").values == (0, 1, 2, 3)


def test_values_may_depend_on_the_key() -> None:
    """The values of a map's scalar can be listed key by key."""
    of = Instance(Device, KEYS, {**VALUES, "high": {34: (False, True), 99: (True,), 1000: (False,)}})
    assert is_symbolic(of.state.high[34])
    assert of.state.high[99] is True and of.state.high[1000] is False


def test_records_go_there_and_back() -> None:
    """An assignment makes a plain record, and that the same assignment."""
    of = Instance(Device, KEYS, VALUES)
    state = {c.name: c.values[-1] for c in of.cells}
    record = of.record(state)
    assert record.served[1, 99] == 3 and record.inner.slots[0] == Slot(True, 1000) and record.high[34] is True
    assert of.assignment(record) == state
    with pytest.raises(ValueError, match="no plain value"):
        of.assignment(of.state)


def test_what_is_read_outside_the_instance_must_not_matter() -> None:
    """A step, a guard or a bad condition that depends on a key which is not there is an error, and named."""
    of = Instance(Device, {**KEYS, "served": [(0, 34), (1, 34)]}, {**VALUES, "inner.slots.id": (0, 34, 99)})
    s, first = of.state, of.state.inner.slots[0]
    fill = of.transition("fill", not_(first.used), take(s, 99))
    done = of.transition("done", first.used, finish(s, 0))
    assert explore(of.system([start(of)], [fill, done], {}), jobs=1).exhaustive
    copied = replace(s, served=s.served.set((0, 34), s.served[0, first.id]))
    copying = of.transition("copy", first.used, copied)
    with pytest.raises(Escaped, match=r"transition copy: cell served\[0, 34\] depends on what is outside the instance"):
        explore(of.system([start(of)], [fill, copying], {}), jobs=1)
    looking = of.transition("look", s.served[0, s.last] == 1, s)
    with pytest.raises(Escaped, match="guard of look"):
        explore(of.system([start(of)], [fill, looking], {}), jobs=1)
    with pytest.raises(Escaped, match="seen depends on what is outside the instance"):
        explore(of.system([start(of)], [fill], {"seen": s.served[0, first.id] == 1}), jobs=1)


def test_a_read_outside_that_decides_nothing_is_no_error() -> None:
    """A condition that is settled without what is outside may read it all the same."""
    of = Instance(Device, KEYS, VALUES)
    for guard in (
        lambda s: and_(s.last != 0, s.served[0, s.last] == 1),
        lambda s: or_(s.last == 0, s.served[0, s.last] == 1),
        lambda s: ite(s.last == 0, 0, s.served[0, s.last], width=2) == 1,
        lambda s: and_(s.high[34], s.high[7], not_(s.high[34])),
    ):
        decidable = of.transition("t", guard(of.state), of.state).decidable
        solver = z3.Solver()
        solver.add(z3.Or(*(z3.BitVec("last", 10) == v for v in (0, *IDS))))
        assert solver.check(z3.Not(decidable)) == z3.unsat
    decidable = of.transition("t", and_(of.state.high[34], of.state.high[7]), of.state).decidable
    assert z3.simplify(decidable == z3.Not(z3.Bool("high[34]"))).eq(z3.BoolVal(True))


def test_a_choice_made_outside_is_known_nowhere() -> None:
    """A value that is chosen by what is outside depends on it, though both alternatives are inside."""
    of = Instance(Device, KEYS, VALUES)
    made = of.transition("t", True, replace(of.state, last=ite(of.state.high[7], 34, of.state.last)))
    assert [z3.is_false(condition) for condition in made.defined.values()] == [True]


def test_two_cells_outside_are_not_the_same() -> None:
    """What is outside at one key says nothing of another key, and is itself at the same one."""
    of = Instance(Device, KEYS, VALUES)
    for same_key, known in ((7, True), (8, False)):
        decidable = of.transition("t", of.state.served[0, 7] == of.state.served[0, same_key], of.state).decidable
        assert z3.is_true(decidable) == known


def test_a_next_value_that_is_not_listed_is_an_error() -> None:
    """A step that gives a scalar a value which the instance does not list stops the exploration."""
    of = Instance(Device, KEYS, {**VALUES, "last": (0, 34)})
    moves = [transition(of, step) for step in steps()]
    with pytest.raises(Escaped, match=r"transition finish\(.\) gives cell last a value that it cannot take"):
        explore(of.system([start(of)], moves, {}), jobs=1)


@dataclass(frozen=True, slots=True)
class Nested:
    """A map of records with maps, and a field without a width."""

    inner: Annotated[Map[Inner], MapOf((1,), Inner)]


@dataclass(frozen=True, slots=True)
class Loose:
    """A field without a width."""

    number: int


def test_an_instance_that_does_not_fit_its_type_is_refused() -> None:
    """Missing or wrong keys, values that are not listed, and shapes that no cell holds raise one line."""
    for make, error, words in (
        (lambda: Instance(Device, {"high": IDS}, VALUES), ValueError, "no keys for the map served"),
        (lambda: Instance(Device, {**KEYS, "low": IDS}, VALUES), ValueError, "no scalar or map low"),
        (
            lambda: Instance(Device, {**KEYS, "high": [(0, 34)]}, VALUES),
            ValueError,
            r"\(0, 34\) is no key of the map high",
        ),
        (lambda: Instance(Device, {**KEYS, "high": [1024]}, VALUES), ValueError, "is no key"),
        (lambda: Instance(Device, KEYS, {}), ValueError, r"no values for inner.slots\[0\].id, a word of 10 bits"),
        (lambda: Instance(Device, KEYS, {**VALUES, "first": (0,)}), ValueError, "no scalar or map first"),
        (lambda: Instance(Device, KEYS, {**VALUES, "last": (2000,)}), ValueError, "2000 is not a word of 10 bits"),
        (lambda: Instance(Nested, {"inner": (0, 1)}), NotUnderstood, "a map in a map"),
        (lambda: Instance(Loose, {}), NotUnderstood, "number: no cell holds"),
    ):
        with pytest.raises(error, match=words) as raised:
            make()
        assert "\n" not in str(raised.value)
