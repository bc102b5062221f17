"""What a property is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from vgicheck.engine.values import Width, field_of, ite, lt, widened


@dataclass(frozen=True, slots=True)
class At:
    """The arbitrary indices a property speaks of: one list register, one interrupt, one vCPU, standing for all.

    `source` is another vCPU: the sender of an SGI.
    `row` and `cell` index whatever else an implementation keeps, where it must be shown to stay as it is.
    """

    lr: Annotated[int, Width(6)]
    intid: Annotated[int, Width(10)]
    vcpu: Annotated[int, Width(3)]
    row: Annotated[int, Width(32)]
    cell: Annotated[int, Width(32)]
    source: Annotated[int, Width(3)]

    def cells(self, dimensions: int) -> tuple[int, ...]:
        """Return an arbitrary key of up to two coordinates."""
        return (self.row, self.cell)[2 - dimensions :]

    def key(self, widths: tuple[int, ...]) -> tuple[int, ...]:
        """Return the key of a map with coordinates of these widths: what a coordinate is shows in its width.

        6 bits are a list register, 10 an interrupt, 4 an SGI, 3 a vCPU or CPU, and the second such one a sender; 32 is
        the bank of an interrupt, 0 for shared ones.
        """
        if widths == (32, 10):
            return ite(lt(self.intid, 32), widened(self.vcpu, 32), 0, width=32), self.intid
        if widths == (3, 4, 3):
            return self.vcpu, field_of(self.intid, 3, 0), self.source
        return tuple({6: self.lr, 10: self.intid, 3: self.vcpu}[w] for w in widths)


@dataclass(frozen=True, slots=True)
class Part:
    """One sentence of a property: wherever `premise` holds, `conclusion` does."""

    sentence: str
    premise: bool
    conclusion: bool


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a transition, or of a state where the transition is the identity.

    `formula(old, new, at)` gives its parts; both states are the model's records for `subject`.
    """

    id: str
    subject: str
    sentence: str
    formula: Callable[[Any, Any, At], Sequence[Part]]
    source: str
    may_be_false: str
    caught: str
    repeated: bool = False
    """`old` is itself the state after a run of the transition: the property speaks of a second one."""
