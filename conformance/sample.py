"""A random program: a text with one function to run, and the lvalues that take arbitrary values first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """A program of which nothing outside it has a name in common with another, but for `shared`.

    `shared` are definitions that several programs have, each once in a unit.  `entry` names a function without
    parameters or result; `inputs` has the width of each lvalue that may hold anything when it is called, in bits.
    """

    number: int
    shared: tuple[str, ...]
    text: str
    entry: str
    inputs: Mapping[str, int]

    @property
    def unit(self) -> str:
        """The program as a text of its own."""
        return "\n".join((*self.shared, self.text))
