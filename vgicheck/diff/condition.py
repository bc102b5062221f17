"""When two functions differ: a condition on their inputs, in the kernel's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import z3

from proofs.bindings import vgic

from ..c.memory import Fill, filled
from ..c.shrink import Cells
from ..engine.values import is_symbolic
from .plain import number

EFFORT = 3_000_000
"""Solver's steps for a question."""
MOST_LITERALS = 40


def weakest(
    goal: Any,
    facts: Sequence[Any],
    example: Cells,
    term_of: Callable[..., Any],
    names: vgic.Names,
    fill: Mapping[str, Fill],
) -> str:
    """Return a condition on the inputs under which `goal` always holds, as weak as is found, or nothing.

    `facts` are assumed, `example` is a state in which it holds, `fill` what cells usually hold, and `term_of` gives the
    term of a cell of the inputs.
    """
    terms = {}
    for cell, value in example.items():
        usual = cell[0] in vgic.QUIET and value == filled(fill, *cell)
        if not usual and (term := term_of(*cell)) is not None:
            terms[cell] = term
    literals = {cell: _equal(term, example[cell]) for cell, term in sorted(terms.items(), key=str)}
    if len(literals) > MOST_LITERALS:
        return ""
    solver = z3.Solver()
    solver.set("rlimit", EFFORT)
    solver.add(*(f for f in facts if f is not True), z3.Not(goal) if is_symbolic(goal) else z3.BoolVal(False))

    def always(chosen: Mapping[Any, Any]) -> bool:
        return bool(solver.check(*chosen.values()) == z3.unsat)

    if not always(literals):
        return ""
    words = {cell: f"{names.name(*cell)} == {number(example[cell])}" for cell in literals}
    for cell in list(literals):
        rest = {c: t for c, t in literals.items() if c != cell}
        if always(rest):
            literals = rest
            continue
        for text, weaker in _weaker(terms[cell], example[cell]):
            if always({**rest, cell: weaker}):
                literals[cell], words[cell] = weaker, f"{names.name(*cell)} {text}"
                break
    return " and ".join(words[c] for c in literals) or "always"


def _equal(term: Any, value: int) -> Any:
    return term == bool(value) if z3.is_bool(term) else term == value


def _weaker(term: Any, value: int) -> Iterator[tuple[str, Any]]:
    if value and not z3.is_bool(term):
        yield "!= 0", term != 0
        yield f">= {number(value)}", z3.UGE(term, value)
        yield f"<= {number(value)}", z3.ULE(term, value)
