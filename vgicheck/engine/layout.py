"""States packed into words: each cell's value as the number of its place among the cell's values, in few bits.

A state is one or more 64-bit columns; a code of up to eight bits never crosses a byte.  The top bit of the last column
is always set, so that no state is a column of zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .system import Assignment, Cell, NotUnderstood, Plain

Array = NDArray[Any]
Columns = tuple[Array, ...]
"""Packed states: for each column an array of uint64, one element a state."""
PRESENT = 1 << 63
MOST_VALUES = 32_767
"""Of one cell: 15 bits."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the code of a cell is: bits `shift` .. `shift + bits - 1` of a column; no bits for a constant."""

    column: int
    shift: int
    bits: int

    @property
    def mask(self) -> int:
        """The bits of its column that are the cell's."""
        return ((1 << self.bits) - 1) << self.shift


class Layout:
    """The packing of a list of cells."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = tuple(cells)
        self.places: list[Place] = []
        self.codes = [{value: code for code, value in enumerate(cell.values)} for cell in cells]
        used: list[int] = []
        for cell in cells:
            if len(cell.values) > MOST_VALUES:
                raise NotUnderstood(f"cell {cell.name} has {len(cell.values)} values; {MOST_VALUES} are the most")
            self.places.append(_place(used, (len(cell.values) - 1).bit_length()))
        self.columns = max(1, -(-len(used) // 8))

    def pack(self, state: Assignment) -> tuple[int, ...]:
        """Return the words of an assignment."""
        words = [0] * (self.columns - 1) + [PRESENT]
        for cell, place, codes in zip(self.cells, self.places, self.codes, strict=True):
            words[place.column] |= codes[state[cell.name]] << place.shift
        return tuple(words)

    def unpack(self, words: Sequence[int]) -> dict[str, Plain]:
        """Return the assignment of a state."""
        state = {}
        for cell, place in zip(self.cells, self.places, strict=True):
            state[cell.name] = cell.values[(words[place.column] & place.mask) >> place.shift]
        return state

    def packed(self, states: Sequence[Assignment]) -> Columns:
        """Return assignments as columns."""
        words = [self.pack(state) for state in states]
        return tuple(np.array([w[c] for w in words], np.uint64) for c in range(self.columns))


def _place(used: list[int], bits: int) -> Place:
    """Find room in the first byte that has it, or in two new ones; `used` counts the bits taken of each byte."""
    if bits == 0:
        return Place(0, 0, 0)
    if bits > 8:
        used.extend([0] * (len(used) % 2))
        index = len(used)
        used.extend((8, bits - 8))
        return Place(index // 8, index % 8 * 8, bits)
    index = next((i for i, taken in enumerate(used) if taken + bits <= _room(i)), len(used))
    while index >= len(used) or bits > _room(index):
        used.append(0)
        index = len(used) - 1
    shift = index % 8 * 8 + used[index]
    used[index] += bits
    return Place(index // 8, shift, bits)


def _room(byte: int) -> int:
    """The bits of a byte that codes may take: the top one of a column is left for `PRESENT`."""
    return 7 if byte % 8 == 7 else 8
