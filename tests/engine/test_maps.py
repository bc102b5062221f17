"""Maps behave as dictionaries do, whatever part of a key, a value or a condition is symbolic."""

from __future__ import annotations

import random
from typing import Annotated, Any

import pytest
import z3

from vgicheck.engine.guards import Guards
from vgicheck.engine.maps import Map, MapOf, join
from vgicheck.engine.values import Width, and_, bit, fresh, is_symbolic

KEYS = tuple(range(6))
WORDS = tuple(z3.BitVec(f"k{i}", 8) for i in range(4))
FLAGS = tuple(z3.Bool(f"c{i}") for i in range(4))
BASE = z3.Function("base", z3.BitVecSort(8), z3.BitVecSort(16))


class World:
    """A map and, for one assignment of the symbols, the dictionary that it must be."""

    def __init__(self, map_: Map[Any], model: dict[int, int]) -> None:
        self.map, self.model = map_, model


class Scene:
    """Random operations on maps; with `symbolic` off, keys and conditions are the numbers that symbols stand for."""

    def __init__(self, seed: int, symbolic: bool) -> None:
        self.random, self.symbolic = random.Random(seed), symbolic
        self.words = [self.random.choice(KEYS) for _ in WORDS]
        self.flags = [self.random.random() < 0.5 for _ in FLAGS]
        self.base = {k: self.random.getrandbits(16) for k in range(256)}

    def number(self, term: Any) -> Any:
        """What a term is under the assignment."""
        if not is_symbolic(term):
            return term
        pairs = [(w, z3.BitVecVal(v, 8)) for w, v in zip(WORDS, self.words, strict=True)]
        pairs += [(f, z3.BoolVal(v)) for f, v in zip(FLAGS, self.flags, strict=True)]
        value = z3.simplify(z3.substitute(term, *pairs))
        for k in KEYS:
            value = z3.simplify(z3.substitute(value, (BASE(z3.BitVecVal(k, 8)), z3.BitVecVal(self.base[k], 16))))
        return value.as_long()

    def key(self) -> tuple[Any, int]:
        """A key, and the number that it stands for."""
        i = self.random.randrange(len(WORDS) + 3)
        if i < len(WORDS):
            return (WORDS[i] if self.symbolic else self.words[i]), self.words[i]
        plain = self.random.choice(KEYS)
        return plain, plain

    def condition(self) -> tuple[Any, bool]:
        """A condition, and whether it holds."""
        i = self.random.randrange(len(FLAGS) + 2)
        if i < len(FLAGS):
            return (FLAGS[i] if self.symbolic else self.flags[i]), self.flags[i]
        return True, True

    def value(self) -> Any:
        """A word, at times the one that was used before, so that runs of equal cells arise."""
        plain = self.random.choice([1, 1, 2, self.random.getrandbits(16)])
        return z3.BitVecVal(plain, 16) if self.symbolic and self.random.random() < 0.3 else plain

    def start(self) -> World:
        """The map before anything is written."""
        if self.symbolic:
            read = lambda key: BASE(key[0] if is_symbolic(key[0]) else z3.BitVecVal(key[0], 8))  # noqa: E731
            return World(Map(read, width=16), dict(self.base))
        return World(Map(lambda key: self.base[key[0]], width=16), dict(self.base))

    def written(self, world: World, count: int) -> World:
        """A map after some writes, a burst of plain ones among them."""
        map_, model = world.map, dict(world.model)
        for _ in range(count):
            (key, k), (when, holds), value = self.key(), self.condition(), self.value()
            if self.random.random() < 0.3:
                map_ = map_.where(lambda key, when=when: and_(when, bit(key[0], 0)), lambda _, value=value: value)
                model |= {odd: self.number(value) for odd in range(1, 256, 2) if holds}
                continue
            map_ = map_.set(key, value, when)
            if holds:
                model[k] = self.number(value)
        return World(map_, model)

    def check(self, world: World) -> None:
        """Compare at plain and at symbolic keys."""
        for k in KEYS:
            assert self.number(world.map[k]) == world.model[k]
        for word, k in zip(WORDS, self.words, strict=True):
            assert self.number(world.map[word if self.symbolic else k]) == world.model[k]


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_writes_and_merges_are_those_of_dictionaries(seed: int, symbolic: bool) -> None:
    """After any sequence of writes and merges a map holds what a dictionary would."""
    scene = Scene(seed, symbolic)
    world = scene.start()
    for _ in range(3):
        world = scene.written(world, 3)
        branches = scene.written(world, scene.random.randrange(4)), scene.written(world, scene.random.randrange(4))
        condition, holds = scene.condition()
        world = World(branches[0].map.merged(condition, branches[1].map), branches[0 if holds else 1].model)
        scene.check(world)


@pytest.mark.parametrize("size", [2, 40])
@pytest.mark.parametrize("seed", range(8))
def test_joins_of_several_are_those_of_dictionaries(seed: int, size: int) -> None:
    """A join of three alternatives is the one that is taken, where few cells were written and where many were."""
    scene = Scene(seed, True)
    guards = Guards()
    world = scene.written(scene.start(), 2)
    branches = [scene.written(world, scene.random.randrange(3)) for _ in range(3)]
    filled = branches[0].map
    for k in range(size):
        filled = filled.set(k, 7 if k % 3 else k)
    branches[0] = World(filled, branches[0].model | {k: 7 if k % 3 else k for k in range(size)})
    first, second = guards.of(FLAGS[0]), guards.of(FLAGS[1])
    paths = [first, guards.and_(guards.not_(first), second), guards.and_(guards.not_(first), guards.not_(second))]

    def choose(values: Any) -> Any:
        words = [v if is_symbolic(v) else z3.BitVecVal(v, 16) for v in values]
        return z3.If(guards.term(paths[0]), words[0], z3.If(guards.term(paths[1]), words[1], words[2]))

    def when(flags: tuple[bool, ...]) -> Any:
        return guards.term(guards.any(p for p, f in zip(paths, flags, strict=True) if f))

    taken = 0 if scene.flags[0] else 1 if scene.flags[1] else 2
    scene.check(World(join([b.map for b in branches], choose, when), branches[taken].model))


def test_maps_of_different_origin_are_told_apart() -> None:
    """Merging maps that share nothing reads each through its own base."""
    merged = Map.constant(3, width=8).merged(FLAGS[0], Map.of({1: 5}, 4, width=8))
    for key, values in ((0, (3, 4)), (1, (3, 5))):
        for flag, expected in zip((True, False), values, strict=True):
            assert z3.simplify(z3.substitute(merged[key], (FLAGS[0], z3.BoolVal(flag)))).as_long() == expected


def test_plain_maps_stay_plain() -> None:
    """Nothing symbolic arises from plain keys, values and conditions, in two dimensions either."""
    map_ = Map.of({(0, 1): 5}, 0).set((1, 1), 6).set((0, 2), 7, when=False)
    assert map_.merged(True, Map.constant(9))[0, 2] == 0
    assert [map_[k] for k in ((0, 1), (1, 1), (0, 2))] == [5, 6, 0]
    assert list(map_.written()) == [(True, (0, 1), 5), (True, (1, 1), 6)]


def test_a_rule_writes_many_keys_and_is_asked_about_those_that_are_read() -> None:
    """`where` writes each key that its condition holds for; a value is made only for a key that is hit and read."""
    asked: list[int] = []

    def value(key: tuple[int, ...]) -> int:
        asked.append(key[0])
        return key[0] + 1

    map_ = Map.constant(0).where(lambda key: key[0] >= 4, value).set(5, 9)
    assert [map_[k] for k in (3, 4, 5, 6)] == [0, 5, 9, 7]
    assert asked == [4, 6]
    deep = Map.constant(0)
    for n in range(3000):
        deep = deep.where(lambda key, n=n: key[0] == n, lambda key: key[0])
    assert deep[0] == 0 and deep[2999] == 2999


def test_what_was_written_is_listed_and_can_be_left_out() -> None:
    """`written` yields conditions with keys and values, and `base` is the map without them."""
    map_ = Map.constant(0, width=8).set(1, 2).set(WORDS[0], 3, FLAGS[0])
    assert [(c is True or c.eq(FLAGS[0]), v) for c, _, v in map_.written()] == [(True, 2), (True, 3)]
    assert map_.base()[1] == 0


def test_an_arbitrary_map_is_a_function_of_its_key() -> None:
    """Equal keys give equal values of an arbitrary map, and a plain key that is too wide is refused."""
    map_ = fresh(Annotated[Map[int], MapOf((4,), Annotated[int, Width(3)])], "m")
    a, b = z3.BitVecs("a b", 4)
    solver = z3.Solver()
    assert solver.check(a == b, map_[a] != map_[b]) == z3.unsat
    assert solver.check(a != b, map_[a] != map_[b]) == z3.sat
    assert solver.check(a == 3, map_[a] != map_[3]) == z3.unsat
    with pytest.raises(ValueError, match="16 does not fit in 4 bits"):
        map_[16]
