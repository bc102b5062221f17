"""How a C function is tied to a transition of the model: which cell of the memory is which field.

A binding is data; the functions here read cells out of a memory as the records' fields want them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..engine.guards import MOST_NODES
from ..engine.maps import Key, Map, label_of
from ..engine.values import bit, is_symbolic, ite, widened
from ..engine.verdict import Assumption
from .cuts import Cut, Outside
from .memory import Fill, Inputs, Memory, Pointers, unknown_pointer

GIVEN = "vgicheck_arg"
"""The object whose cells are what a function is called with and what its binding chooses: no cells of the C."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """What is assumed of every cell of a region before the function runs, and who guarantees it.

    `holds(key, value)` says it of one cell. `exempt` are the properties that are judged without it.
    """

    region: str
    holds: Callable[[Key, Any], bool]
    text: str
    guarantor: str
    exempt: frozenset[str] = frozenset()


@dataclass(slots=True)
class View:
    """A memory, before or after a function ran, read in the terms of a binding; `result` is what the function returned.

    `read` collects the cells that were asked for, with the width of each, 0 for a bit: for the explanation of a
    refutation, for the frame, and to see that the C has them.
    """

    memory: Memory
    result: Any = 0
    read: dict[tuple[str, Key], int] = field(default_factory=dict)
    _state: Any = None

    def state(self, abstract: Callable[[View], Any]) -> Any:
        """Return the model's state that a binding sees here, made once."""
        if self._state is None:
            self._state = abstract(self)
        return self._state

    def word(self, region: str, *key: Any, bits: int = 32, signed: bool = False) -> Any:
        """Return the word at a key of a region; unsigned unless said otherwise."""
        wide = tuple(_index(k) for k in key)
        self.read[(region, wide)] = bits
        found = self.memory.regions.get(region)
        if found is None:
            value = self.memory.inputs.word(region, wide, bits)
        else:
            value = self._word(
                found.read(wide, lambda c, a, b: ite(c, self._word(a, bits), self._word(b, bits), width=bits)), bits
            )
        if isinstance(value, int):
            value &= (1 << bits) - 1
            return value - (1 << bits) if signed and value >> (bits - 1) else value
        return value

    def _word(self, value: Any, bits: int) -> Any:
        return self.memory.domain.word(value, bits)

    def bit(self, region: str, *key: Any) -> Any:
        """Return a bit of a region that is kept bit by bit; the last coordinate is its position."""
        wide = tuple(_index(k) for k in key)
        self.read[(region, wide)] = 0
        found = self.memory.regions.get(region)
        return self.memory.inputs.bit(region, wide) if found is None else found.read(wide, ite)

    def returned(self, signed: bool = False, bits: int = 32) -> Any:
        """Return the `int` that the function returned, or what it returned in so many bits, as a word of 32 bits.

        That is 0 before it ran, and of one that returns nothing.
        """
        word = 0 if self.result is None else self._word(self.result, bits)
        if not isinstance(word, int):
            return widened(word, 32)
        word &= 0xFFFFFFFF
        return word - (1 << 32) if signed and word >> 31 else word

    def flag(self, region: str, *key: Any) -> Any:
        """Say whether a number is not zero."""
        value = self.word(region, *key)
        return value != 0

    def bit_in_words(self, region: str, index: int) -> Any:
        """Return bit `index`, a plain number, of an array of 32-bit words."""
        return bit(self.word(region, index // 32), index % 32)

    def map(self, read: Callable[..., Any], width: int | None = None) -> Map[Any]:
        """Return a map whose values are read cell by cell, each once.

        A symbolic key of few values becomes a choice among whole values: two maps read at one key then have one
        shape, which is
        what lets a solver see that they agree.
        """
        known: dict[Any, Any] = {}

        def cell(key: Key) -> Any:
            label = label_of(key)
            if label not in known:
                known[label] = (key, among(key) if _narrow(key) else read(*key))
            return known[label][1]

        def among(key: Key) -> Any:
            (index,) = key
            last = (1 << index.size()) - 1  # type: ignore[attr-defined]
            result = cell((last,))
            for i in range(last - 1, -1, -1):
                result = ite(index == i, cell((i,)), result, width=width)
            return result

        return Map(cell, width=width)


def _narrow(key: Key) -> bool:
    return len(key) == 1 and is_symbolic(key[0]) and key[0].size() <= 6  # type: ignore[attr-defined]


class Words(Protocol):
    """How a binding speaks of cells to a kernel developer."""

    def name(self, region: str, key: Key) -> str:
        """What the source calls a cell."""

    def note(self, region: str, key: Key, value: int) -> str:
        """What a value of it means, in a few words, or nothing."""

    def spoken(self, text: str) -> str:
        """Return a text with the objects of the entry called as the source calls them."""

    def public(self, region: str) -> bool:
        """Say whether a region is state that others see, and no pointer that the entry sets up and reports on."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A C function and what it is in the model.

    `abstract` reads the model's state off a memory; `entry` is the function that is run: one of the entry file that
    calls it, or itself, with the `arguments` that are made of the inputs and pointers in memory that lead where
    `pointers` says.  `prefer` lists conditions on the state and the indices that make a refutation easy to read, tried
    in this order.

    `bitmaps` are regions that are kept bit by bit, `ignored` those that the model leaves out, with what makes that
    harmless.  `related` is what is assumed of several cells together.  `occurs` says of a state that it is known to
    occur, so that a refutation may start from it; without it any state may that satisfies the assumptions.
    `fixed` are regions of words of which one of the invariants says exactly what they are, with what that is.
    `cuts` are callees that are not run, `most_nodes` limits what is kept of paths, and `like` is what the model calls
    the function where that goes by many names.
    """

    function: str
    entry: str
    abstract: Callable[[View], Any]
    transition: Callable[[Any, Any], Any] | None
    invariants: Sequence[Invariant]
    prefer: Callable[[Any, Any], Sequence[Any]]
    words: Words
    bitmaps: frozenset[str] = frozenset()
    ignored: Mapping[str, Assumption] = field(default_factory=dict)
    arguments: Callable[[Inputs], Sequence[Any]] = lambda inputs: ()
    pointers: Pointers = unknown_pointer
    related: Callable[[Any], Sequence[tuple[Any, Assumption]]] = lambda state: ()
    occurs: Callable[[Any], Any] | None = None
    fixed: Mapping[str, Fill] = field(default_factory=dict)
    cuts: Sequence[Cut | Outside] = ()
    most_nodes: int = MOST_NODES
    like: str = ""


def _index(key: Any) -> Any:
    return widened(key, 32)
