"""And-inverter graphs: Boolean functions of inputs and latches, run as they are, or written as AIGER.

A literal is a number: 0 is false, 1 is true, and every other even number is an input, a latch or a gate; the odd number
after it is its negation.  Latches start as 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce

FALSE, TRUE = 0, 1


def no(a: int) -> int:
    """Return the negation of a literal."""
    return a ^ 1


@dataclass(slots=True)
class Graph:
    """A graph that grows: inputs and latches first, then gates; equal gates are one."""

    inputs: int = 0
    latches: int = 0
    gates: list[tuple[int, int]] = field(default_factory=list)
    _known: dict[tuple[int, int], int] = field(default_factory=dict)

    def input(self, n: int) -> int:
        """Return the literal of an input."""
        return 2 * (1 + n)

    def latch(self, n: int) -> int:
        """Return the literal of a latch."""
        return 2 * (1 + self.inputs + n)

    def both(self, a: int, b: int) -> int:
        """Return the literal that holds where two do."""
        a, b = min(a, b), max(a, b)
        if a == FALSE or a == no(b):
            return FALSE
        if a in (TRUE, b):
            return b
        if (a, b) not in self._known:
            self.gates.append((a, b))
            self._known[a, b] = 2 * (self.inputs + self.latches + len(self.gates))
        return self._known[a, b]

    def all_of(self, literals: Sequence[int]) -> int:
        """Return the literal that holds where all of some do."""
        return reduce(self.both, literals, TRUE)

    def any_of(self, literals: Sequence[int]) -> int:
        """Return the literal that holds where one of some does."""
        return no(self.all_of([no(a) for a in literals]))

    def choice(self, condition: int, a: int, b: int) -> int:
        """Return the literal that is `a` where a condition holds, and `b` elsewhere."""
        return a if a == b else self.any_of((self.both(condition, a), self.both(no(condition), b)))

    def same(self, a: int, b: int) -> int:
        """Return the literal that holds where two are equal."""
        return self.choice(a, b, no(b))

    def run(self, inputs: Sequence[bool], latches: Sequence[bool]) -> list[bool]:
        """Return the values of all even literals, by half of their number."""
        values = [False, *inputs, *latches]
        for a, b in self.gates:
            values.append((values[a >> 1] ^ bool(a & 1)) and (values[b >> 1] ^ bool(b & 1)))
        return values

    def aiger(self, following: Sequence[int], bad: int) -> bytes:
        """Return a machine in AIGER's binary form: the next value of each latch, and what must not be as its output."""
        header = self.inputs + self.latches + len(self.gates), self.inputs, self.latches, 1, len(self.gates)
        lines = [f"aig {' '.join(map(str, header))}", *map(str, following), str(bad), ""]
        return "\n".join(lines).encode() + b"".join(self._gates())

    def _gates(self) -> Iterator[bytes]:
        for n, (a, b) in enumerate(self.gates):
            own = 2 * (self.inputs + self.latches + n + 1)
            yield _delta(own - b) + _delta(b - a)


def _delta(number: int) -> bytes:
    """Return a number seven bits a byte, the lowest first; the top bit says that more follow."""
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
