"""Sets of packed states hold what was put in, each once, however hashes fall."""

from __future__ import annotations

import random

import numpy as np
import pytest

from vgicheck.engine.layout import PRESENT, Columns
from vgicheck.engine.stateset import StateSet, gather, joined, scatter, unique


def columns(rows: list[tuple[int, ...]], count: int) -> Columns:
    """States as columns."""
    return tuple(np.array([row[c] for row in rows], np.uint64) for c in range(count))


def rows(states: Columns) -> list[tuple[int, ...]]:
    """Columns as states."""
    return list(zip(*(c.tolist() for c in states), strict=True))


def drawn(source: random.Random, count: int, bits: int, number: int) -> list[tuple[int, ...]]:
    """Random states, the last column of each with its top bit set."""
    return [
        (*(source.getrandbits(bits) for _ in range(count - 1)), source.getrandbits(bits) | PRESENT)
        for _ in range(number)
    ]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_scattering_is_reversible(count: int) -> None:
    """States come back from their scattered form, and differing states differ in it."""
    source = random.Random(count)
    states = list(dict.fromkeys(drawn(source, count, 62, 3000) + drawn(source, count, 3, 50)))
    scattered = scatter(columns(states, count))
    assert rows(gather(scattered)) == states
    assert len(set(rows(scattered))) == len(states)


@pytest.mark.parametrize("bits", [4, 9, 62])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_set_says_what_is_new(count: int, bits: int) -> None:
    """Batches with repetitions, over a table that grows many times, are answered as a Python set answers."""
    source = random.Random(count * 100 + bits)
    ours, theirs = StateSet(count), set()
    for _ in range(12):
        batch = unique(scatter(columns(drawn(source, count, bits, source.choice([1, 50, 3000])), count)))
        given = rows(gather(batch))
        new = rows(gather(ours.add(batch)))
        assert len(set(given)) == len(given)
        assert new == [s for s in given if s not in theirs]
        theirs.update(given)
        assert len(ours) == len(theirs)


def test_hashes_in_one_place_are_pushed_on_and_past_the_end() -> None:
    """States whose hashes all want the same few slots, those at the end too, are kept apart."""
    for low in (0, 1 << 20, (1 << 64) - 5000):
        ours = StateSet(1)
        first = np.arange(low, low + 900, 2, dtype=np.uint64)
        first = first[first > 0]
        assert len(ours.add((first,))[0]) == len(first)
        second = np.arange(low + 1, low + 900, dtype=np.uint64)
        assert len(ours.add((second,))[0]) == len(second) - np.isin(second, first).sum()
        assert len(ours.add((second,))[0]) == len(ours.add((first,))[0]) == 0


def test_a_range_of_hashes_has_a_table_of_its_own() -> None:
    """A set of the upper third of all hashes holds them."""
    low = (1 << 64) * 2 // 3
    ours = StateSet(1, low, (1 << 64) - low)
    states = np.unique(np.random.default_rng(1).integers(low, 1 << 64, 20_000, dtype=np.uint64))
    assert len(ours.add((states,))[0]) == len(states) == len(ours)
    assert len(ours.add((states[::7],))[0]) == 0


def test_equal_hashes_do_not_make_states_equal() -> None:
    """Of states with one hash, mixed with their repetitions, each different one stays."""
    hashes = np.full(9, 77, np.uint64)
    others = np.array([3, 1, 3, 2, 1, 3, 2, 2, 1], np.uint64) | np.uint64(PRESENT)
    found = unique((hashes, others))
    assert rows(found) == [(77, PRESENT | n) for n in (1, 2, 3)]
    ours = StateSet(2)
    assert rows(ours.add(tuple(c[:1] for c in found))) == [(77, PRESENT | 1)]
    assert rows(ours.add(found)) == [(77, PRESENT | n) for n in (2, 3)]
    assert rows(ours.add(found)) == []


def test_batches_are_joined() -> None:
    """Batches one after the other, and none, are one batch."""
    a, b = columns([(1, 2), (3, 4)], 2), columns([(5, 6)], 2)
    assert rows(joined([a, b], 2)) == [(1, 2), (3, 4), (5, 6)]
    assert [len(c) for c in joined([], 2)] == [0, 0]
