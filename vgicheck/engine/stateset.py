"""Sets of packed states: sorting, and an exact hash table written in whole-array operations.

A state is kept *scattered*: its first column is replaced, reversibly, by a hash of all columns.  Sorted by that hash
a batch of states meets the table from its start to its end, so that memory is read in order; and the states of one
worker are those in one range of hashes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .layout import Array, Columns

ODD = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: Fibonacci hashing."""
_ODD = np.uint64(ODD)
_INVERSE = np.uint64(pow(ODD, -1, 1 << 64))
_OTHER = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
FULL = 0.6
"""The share of the table's slots from which on it grows."""
PIECE = 1 << 20
"""Slots that move to a larger table at once."""
TAIL = 256
"""Slots after the last one that a hash names, at first, for what is pushed on."""


def scatter(columns: Columns) -> Columns:
    """Return states with their hash in the place of the first column."""
    first = columns[0]
    return ((first ^ first >> _HALF ^ _others(columns)) * _ODD, *columns[1:])


def gather(columns: Columns) -> Columns:
    """Return scattered states as they were."""
    first = columns[0] * _INVERSE ^ _others(columns)
    return (first ^ first >> _HALF, *columns[1:])


def _others(columns: Columns) -> Array | np.uint64:
    """Return a hash of all columns but the first."""
    folded: Array | np.uint64 = np.uint64(0)
    for n, column in enumerate(columns[1:], 1):
        turned = (column ^ column >> _HALF) * (_OTHER + np.uint64(2 * n))
        folded = folded ^ turned ^ turned >> _HALF
    return folded


def unique(columns: Columns) -> Columns:
    """Return scattered states in order of their hashes, each once."""
    if len(columns) == 1:
        ordered: Columns = (np.sort(columns[0]),)
    else:
        order = np.argsort(columns[0])
        ordered = tuple(c.take(order) for c in columns)
    if not len(ordered[0]):
        return ordered
    fresh = _changes(ordered)
    if len(columns) > 1 and np.any(fresh[1:] & (ordered[0][1:] == ordered[0][:-1])):
        order = np.lexsort(columns[::-1])
        ordered = tuple(c.take(order) for c in columns)
        fresh = _changes(ordered)
    kept = np.flatnonzero(fresh)
    return tuple(c.take(kept) for c in ordered)


def _changes(columns: Columns) -> Array:
    fresh = np.empty(len(columns[0]), np.bool_)
    fresh[:1] = True
    np.not_equal(columns[0][1:], columns[0][:-1], out=fresh[1:])
    for column in columns[1:]:
        fresh[1:] |= column[1:] != column[:-1]
    return fresh


def joined(parts: Sequence[Columns], count: int) -> Columns:
    """Return batches of `count` columns as one."""
    if len(parts) == 1:
        return parts[0]
    return tuple(np.concatenate([p[c] for p in parts] or [np.empty(0, np.uint64)]) for c in range(count))


class StateSet:
    """A growing set of scattered states whose hashes are `low` .. `low + span - 1`.

    Open addressing with the slots in order of the hashes: what finds its slot taken moves on to the next ones.  A slot
    is free while its last column is 0, which no state has.
    """

    def __init__(self, columns: int, low: int = 0, span: int = 1 << 64) -> None:
        self._low, self._span = np.uint64(low), span
        self._columns = columns
        self._shift = max(0, span.bit_length() - 12)
        self.count = 0
        self._table = self._empty()

    def __len__(self) -> int:
        return self.count

    def _empty(self) -> Columns:
        slots = (self._span - 1 >> self._shift) + 1 + TAIL
        return tuple(np.zeros(slots, np.uint64) for _ in range(self._columns))

    def add(self, states: Columns) -> Columns:
        """Add states as `unique` returns them; return those that were not there, in the same order."""
        while self.count + len(states[0]) > FULL * len(self._table[0]):
            self._grow()
        kept = np.flatnonzero(self._write(states))
        self.count += len(kept)
        return tuple(c.take(kept) for c in states)

    def _slots(self, states: Columns) -> Array:
        return ((states[0] - self._low) >> np.uint64(self._shift)).astype(np.int64)

    def _grow(self) -> None:
        old = self._table
        self._shift -= 1
        self._table = self._empty()
        for start in range(0, len(old[0]), PIECE):
            piece = tuple(c[start : start + PIECE] for c in old)
            kept = np.flatnonzero(piece[-1])
            self._write(unique(tuple(c.take(kept) for c in piece)))

    def _write(self, states: Columns) -> Array:
        """Write states into the table and say which were not there.

        All that is left after a round moves on by one slot, so slots stay in order, and of several states that claim
        a free slot the first gets it.
        """
        new = np.zeros(len(states[0]), np.bool_)
        left = np.arange(len(new))
        keys, slots = states, self._slots(states)
        while len(slots):
            if slots[-1] >= len(self._table[0]):
                more = np.zeros(len(self._table[0]) // 8 + TAIL, np.uint64)
                self._table = tuple(np.concatenate((column, more)) for column in self._table)
            found = tuple(c.take(slots) for c in self._table)
            settled = found[0] == keys[0]
            for f, k in zip(found[1:], keys[1:], strict=True):
                settled &= f == k
            claims = np.flatnonzero(found[-1] == 0)
            wanted = slots.take(claims)
            won = claims[_changes((wanted,))]
            for column, key in zip(self._table, keys, strict=True):
                column[slots.take(won)] = key.take(won)
            new[left.take(won)] = True
            settled[won] = True
            rest = np.flatnonzero(~settled)
            left, slots = left.take(rest), slots.take(rest) + 1
            keys = tuple(k.take(rest) for k in keys)
        return new
