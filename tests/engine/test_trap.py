"""States with no way out: found where there are any, by a shortest run, and only where the fair steps leave none."""

from __future__ import annotations

import random

import pytest
import z3

from vgicheck.engine.explore import Escaped
from vgicheck.engine.system import Cell, System, Transition
from vgicheck.engine.trap import SERVED, WAITS, trap

N = 6
X = z3.BitVec("x", 3)


def graph(edges: list[tuple[int, int]], waits: set[int], served: set[int]) -> System:
    """Return the system whose states are numbers, with a transition for each edge."""
    steps = [Transition(f"{a}{b}", a == X, {"x": z3.BitVecVal(b, 3)}) for a, b in edges]
    bad = {name: z3.Or(*(n == X for n in some)) for name, some in ((WAITS, waits), (SERVED, served))}
    return System([Cell("x", tuple(range(8)), 3)], [{"x": 0}], steps, bad)


def caught(edges: list[tuple[int, int]], waits: set[int], served: set[int], fair: set[str]) -> int | None:
    """Return how many steps lead to a reachable state with no way out, by following paths in plain Python."""

    def after(n: int, some: list[tuple[int, int]]) -> set[int]:
        seen, left = {n}, [n]
        while left:
            here = left.pop()
            new = {b for a, b in some if a == here} - seen
            seen, left = seen | new, [*left, *new]
        return seen

    level, seen, steps = {0}, {0}, 0
    while level:
        for n in level:
            way_out = after(n, [(a, b) for a, b in edges if f"{a}{b}" in fair])
            if n in waits and not any(m in served or m not in waits for m in way_out):
                return steps
        level = {b for a, b in edges if a in level} - seen
        seen |= level
        steps += 1
    return None


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs(seed: int) -> None:
    """On random graphs the answer is that of following all paths; the seed is the test's parameter."""
    random_ = random.Random(seed)
    edges = sorted({(random_.randrange(N), random_.randrange(N)) for _ in range(8)})
    waits = {n for n in range(N) if random_.random() < 0.8}
    served = {n for n in range(N) if random_.random() < 0.2}
    fair = {f"{a}{b}" for a, b in edges if random_.random() < 0.7}
    found = trap(graph(edges, waits, served), fair.__contains__, 100)
    expected = caught(edges, waits, served, fair)
    assert (None if found.run is None else len(found.run)) == expected
    if found.run is not None:
        at = 0
        for label in found.run:
            assert int(label[0]) == at
            at = int(label[1])


def test_a_limit_says_nothing() -> None:
    """Beyond the limit of states there is no answer, and that is said."""
    found = trap(graph([(n, n + 1) for n in range(5)], {5}, set()), lambda label: True, 3)
    assert found.run is None and "3" in found.ended


def test_an_open_system_is_refused() -> None:
    """A condition that is not defined in a reachable state is an error, and so is a cell that takes another value."""
    system = graph([(0, 1)], {1}, set())
    with pytest.raises(Escaped, match="undefined"):
        trap(System(system.cells, system.initial, system.transitions, system.bad, {"undefined": X != 1}),
             lambda label: True, 9)  # fmt: skip
    beyond = System([Cell("x", (0, 1), 3)], [{"x": 0}], [Transition("t", X == 0, {"x": X + 5})], system.bad)
    with pytest.raises(Escaped, match="cannot take"):
        trap(beyond, lambda label: True, 9)
