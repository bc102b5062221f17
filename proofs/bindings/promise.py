"""What a promise of one C function is: a property said of the cells that a call finds and leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from properties.property import Part
from vgicheck.c.binding import GIVEN, Invariant, View
from vgicheck.c.ir import Function, Int, Program
from vgicheck.engine.values import bit, is_symbolic, ite, widened

from .vgic import SELF

ANY = "vgicheck_any"
"""The object whose cells are the arbitrary indices that a promise speaks of: `vgicheck_any.irq`."""


@dataclass(frozen=True, slots=True)
class Called:
    """A call of a function: the memory before and after it."""

    program: Program
    function: Function
    before: View
    after: View

    def given(self, position: int) -> Any:
        """Return the number that is the argument at a position."""
        name = self.function.params[position]
        kind = self.function.locals[name]
        assert isinstance(kind, Int)
        return self.before.word(f"{GIVEN}.{name}", bits=kind.bits)

    def pointed(self, position: int) -> str:
        """Return the object to which the argument at a position points, where that is one of its own."""
        return f"vgicheck_at_{self.function.params[position]}"

    def any(self, name: str, bits: int) -> Any:
        """Return an arbitrary index."""
        return self.before.word(f"{ANY}.{name}", bits=bits)

    @property
    def this(self) -> Any:
        """The index of the vCPU at hand."""
        return widened(self.before.word(SELF, bits=3), 32)


@dataclass(frozen=True, slots=True)
class Promise:
    """A property of the functions of some names.

    `speaks_of(program, function)` says whether a source has all that it speaks of; `formula(call)` gives its parts, and
    `assumed(program, function)` what it takes for granted of the cells, beside what is assumed of all functions.
    """

    property: str
    functions: tuple[str, ...]
    speaks_of: Callable[[Program, Function], bool]
    formula: Callable[[Called], Iterator[Part]]
    assumed: Callable[[Program, Function], Sequence[Invariant]] = lambda program, function: ()


def has(program: Program, struct: str, *names: str) -> bool:
    """Say whether a struct is there and has members of these names."""
    found = program.structs.get(struct)
    return found is not None and {*names} <= {f.name for f in found.fields}


def nth_bit(word: Any, index: Any) -> bool:
    """Return one bit of a word of 32 bits at an index that may be arbitrary."""
    if not is_symbolic(word) and not is_symbolic(index):
        return bool(word >> index & 1)
    found: Any = bit(word, 31)
    for i in range(30, -1, -1):
        found = ite(index == i, bit(word, i), found)
    return found
