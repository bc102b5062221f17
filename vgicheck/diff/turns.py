"""Two loops of different texts: one turn of each, from any state.

If from every state, the same in both, a turn leaves the same in memory and in what the next turn takes, has the same
effects, breaks the same rules, and goes round or leaves by the same exit, then so do any number of turns: the two loops
are one function of the state that they meet, for which something may stand in.

Nothing is assumed of the state, since nothing is known of the one that a turn before has left, but that all of it is
initialised and that pointers lead where they led at the start.  That is asked of the state that the first turn meets,
and of what a turn of either leaves.  What either loop may write, or break, is what a turn of either does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proofs.bindings import vgic

from ..c.ir import CType, Int, Unsupported
from ..c.memory import Arbitrary, Place, is_local
from ..c.outline import CARRIED
from ..c.standins import Footprint, StandIns, all_set, keeps_set, shapes_of, unknown_arguments
from ..c.summary import Evaluator, State
from ..check.rules import Facts
from ..engine.guards import Guards, TooLarge
from ..engine.portfolio import Inquiry
from ..engine.solve import Feasibility
from ..engine.verdict import Query
from .difference import differ
from .running import ORDER, SAME, End, Pair, run

EFFORT = 200_000
"""Solver's steps for a question of the evaluation of a turn; no answer counts as yes."""
MOST_STEPS, MOST_NODES = 20_000, 100_000
"""Instructions, and nodes of path conditions, that a turn may take."""

Arguments = Sequence[tuple[Any, CType]]


@dataclass(slots=True)
class Turns:
    """A turn of a loop of the old program and of one of the new, as two functions to be compared.

    `stand` is what stands in in either for the loops that a turn runs.
    """

    pair: Pair
    stand: tuple[StandIns, StandIns]
    proofs: list[Query] = field(default_factory=list)
    """The questions of which the answer is that the two do the same."""
    _known: dict[tuple[str, ...], Footprint | None] = field(default_factory=dict)

    def footprint(self, e: Evaluator, state: State, args: Arguments, passed: Mapping[str, str]) -> Footprint | None:
        """Return what either loop may do from any state like one that is met: initialised, pointers leading where they
        led at the start, and arguments where these lead.  None where a turn may differ.
        """
        if not all_set(e, state, args, passed) or state.memory.written & vgic.LEADING:
            return None
        key = *shapes_of(args, passed), *(repr(e.layout.objects.get(o)) for o in _objects(e, args)), *passed.values()
        if key not in self._known:
            try:
                self._known[key] = self._compared(e, args, passed)
            except (Unsupported, TooLarge):
                self._known[key] = None
        return self._known[key]

    def _compared(self, e: Evaluator, args: Arguments, passed: Mapping[str, str]) -> Footprint | None:
        facts = Facts({}, Feasibility(EFFORT, models=24), {})
        inputs = Arbitrary(facts.constrain, facts.relate, e.inputs.pointers, small=0)
        guards = Guards(MOST_NODES)

        def given(trial: Evaluator) -> Sequence[Any]:
            return unknown_arguments(trial, e, args, passed)

        halves = zip((self.pair.old, self.pair.new), self.stand, strict=True)
        old, new = (run(self.pair, h, inputs, guards, facts.feasible, s, MOST_STEPS, given) for h, s in halves)
        if not all(keeps_set(x.evaluator, x.state) and not x.state.memory.written & vgic.LEADING for x in (old, new)):
            return None
        goal = guards.term(guards.any(differ(kind, old, new) for kind in (ORDER, SAME)))
        asked = Inquiry(self.pair.portfolio).impossible("turn", goal, facts.all)
        if asked.result != "unsat":
            return None
        self.proofs.append(asked.query)
        return _joint(old, new)


def _objects(e: Evaluator, args: Arguments) -> Sequence[str]:
    return sorted({v.object for value, _ in args for _, v in e.domain.options(value) if hasattr(v, "object")})


def _joint(old: End, new: End) -> Footprint | None:
    """Return what either may do, or None where that is not all integers, of one width in both."""
    written: dict[str, Place] = {}
    for end in (old, new):
        for name in end.state.memory.written:
            if is_local(name) or name.startswith(CARRIED):
                continue
            place = end.evaluator.layout.kinds[name]
            if not isinstance(place.type, Int) or written.setdefault(name, place).type != place.type:
                return None
    rules = {claim.kind for end in (old, new) for claim in end.evaluator.claims}
    touched = frozenset(n for end in (old, new) for n in end.evaluator.layout.kinds if not is_local(n))
    return Footprint(dict(sorted(written.items())), tuple(sorted(rules)), touched)
