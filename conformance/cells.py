"""Cells of a C program's memory as terms and as C: of the memory that a call finds, and of the one that it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import z3

from vgicheck.c import lvalues
from vgicheck.c.binding import GIVEN
from vgicheck.c.domain import Address
from vgicheck.c.memory import Arbitrary, Layout
from vgicheck.engine.maps import Key
from vgicheck.engine.values import is_symbolic

from .formulas import Formulas

LATER = "after the call: "
"""What the regions of the memory after a call begin with, in the names of constants."""
UNSIGNED = {8: "unsigned char", 16: "unsigned short", 32: "unsigned int", 64: "unsigned long long"}


@dataclass(slots=True)
class After(Arbitrary):
    """The memory after a call, of which nothing is known; what the function was called with is what it was `before`."""

    before: Arbitrary | None = None

    def _cell(self, region: str, key: Key, sort: Any) -> Any:
        assert self.before is not None
        if region.startswith(f"{GIVEN}."):
            return self.before._cell(region, key, sort)
        return Arbitrary._cell(self, region if region.startswith(LATER) else LATER + region, key, sort)


def cell(layout: Layout, region: str, key: Key, indices: Sequence[str], constant: Any) -> str:
    """Return the C of the cell that a constant stands for; `indices` is its key as C. Outside of its array it is 0."""
    at = lvalues.indexed(layout, region, indices, 0 if z3.is_bool(constant) else constant.size())
    value = f"{at.lvalue} >> {at.bit} & 1" if at.bit else f"({UNSIGNED[at.bits]}){at.lvalue}"
    outside = " | ".join(
        f"(unsigned int){text} >= {n}"
        for k, text, n in zip(key, indices, at.lengths, strict=True)
        if is_symbolic(k) or not 0 <= k < n
    )
    return f"({outside}) ? 0 : {value}" if outside else value


def exactly(formulas: Formulas, value: Any) -> str:
    """Return the C of a number, a term or an address."""
    if is_symbolic(value):
        return formulas.name(value)[0]
    if isinstance(value, Address):
        steps = (lvalues.Index(formulas.name(s)[0]) if is_symbolic(s) else s for s in value.path)
        return lvalues.value(Address(value.object, tuple(steps)), {})
    return lvalues.value(value, {})
