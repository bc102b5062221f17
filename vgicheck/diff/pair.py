"""One function in two programs: whether it does the same, and where not, when.

Both are evaluated over the same inputs, all loops to their end.  `equivalent` says that for each state they return the
same, leave the same in every cell, call the same services with the same arguments, and break the same rules; what both
leave undefined is not compared.  `same-order` says that besides, locks, barriers and calls come in the same order, each
with the same in memory, brought there by the same atomic operations: what others that run at the same time can see.

Without loops nothing is assumed of the state at first; where that does not do, what the binding says of it, which is
then named.  A difference is told when two plain runs from one state show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from proofs.bindings import vgic

from ..c.ir import CType, Int, Limit, Pointer, StructRef, Unsupported
from ..c.memory import Arbitrary
from ..c.shrink import Cells
from ..c.standins import StandIns
from ..c.summary import MOST_STEPS
from ..check.rules import Facts, number
from ..engine.guards import Guards, TooLarge
from ..engine.maps import Key
from ..engine.portfolio import Inquiry
from ..engine.solve import Feasibility
from ..engine.values import and_, is_symbolic
from ..engine.verdict import Location, Obligation, Query, Verdict
from .condition import weakest
from .difference import differ
from .plain import PlainRuns
from .running import ORDER, SAME, End, Invariants, Pair, invariants, run
from .standing import runs_no_loop, standing

ASKED: Mapping[str, str] = {
    ORDER: "locks, barriers and calls come in the same order, each with the same state, by the same atomic operations",
    SAME: "both return the same, leave the same state, make the same calls, and break the same rules",
}
"""What is asked of a pair, in the order of the answers: what takes longer comes last."""
METHOD = "both evaluated over the same state and arguments, all loops run to their end"
STANDING = (
    "both evaluated over the same state and arguments; what they have in common does the same from the same state"
)
FEASIBLE = 2_000_000
"""Solver's steps for a question of the evaluation itself; no answer counts as yes."""
BRIEF_STEPS, BRIEF_NODES, BRIEF_FACTS = 1_500, 16_000, 1_500
"""Instructions, nodes of path conditions, and facts of the state that it may take to find when two functions differ."""
ALREADY = "they differ in one go, so not asked"
OCCURS = "a state with something in its list registers; that it occurs is not shown"


def comparable(pair: Pair) -> str:
    """Say why two functions cannot be called with the same arguments, or nothing where they can.

    An unsigned parameter that became wider, or narrower, is called with what fits in both.
    """
    old, new = pair.old.function, pair.new.function
    before, after = pair.kinds
    alike = len(before) == len(after) and all(a == b or _unsigned(a, b) for a, b in zip(before, after, strict=True))
    if not alike or old.result != new.result:
        return "its parameters or its result are of other types than before"
    for half in (old, new):
        tags = [k.target.tag for p in half.params if isinstance(k := half.locals[p], Pointer)
                if isinstance(k.target, StructRef)]  # fmt: skip
        if len(tags) != len(set(tags)):
            return "two of its parameters point to the same structure, which may be one object or two"
    return ""


def _unsigned(*kinds: CType) -> bool:
    return all(isinstance(k, Int) and not k.signed and not k.is_bool for k in kinds)


def judge(pair: Pair) -> Iterator[Obligation]:
    """Yield the two obligations of a pair."""
    obstacle = comparable(pair)
    if obstacle:
        where = pair.new.function.loc
        for kind in ASKED:
            yield Obligation(kind, pair.subject, Verdict.UNSUPPORTED, METHOD, reason=obstacle,
                             location=Location(where.file, where.line), settled=True)  # fmt: skip
        return
    tried = PlainRuns(pair, invariants(pair, of_the_state=True)).tried()
    if SAME in tried.apart:
        yield Obligation(ORDER, pair.subject, Verdict.NOT_RUN, METHOD, reason=ALREADY, settled=True)
        yield _teller(pair).told(SAME, *tried.apart[SAME])
        return
    ways = attempts(pair, tried.returned)
    yield _teller(pair).told(ORDER, *tried.apart[ORDER]) if ORDER in tried.apart else _first_proof(ORDER, ways)
    yield _first_proof(SAME, ways)


def attempts(pair: Pair, returned: bool) -> Sequence[Attempt]:
    """List the ways to a proof, the quickest first; `returned` says that a plain run of both is known to return."""
    halves, stand = (pair.old, pair.new), standing(pair)
    straight = all(runs_no_loop(h.reading.program, h.name, s) for h, s in zip(halves, stand, strict=True))
    return Attempt(pair, not straight, stand, returned), Attempt(pair, assumes=True)


def _teller(pair: Pair) -> Attempt:
    """Return what tells of a difference that was found: when else there is one is asked only where that is quick."""
    whole = Attempt(pair, assumes=True, brief=True)
    stand = standing(pair, turned=False)
    if whole.is_evaluated or not any(s.functions or s.loops for s in stand):
        return whole
    return Attempt(pair, assumes=True, stand=stand, brief=True)


def _first_proof(kind: str, ways: Sequence[Attempt]) -> Obligation:
    for attempt in ways:
        found = attempt.obligation(kind)
        if found.verdict is Verdict.PROVED:
            break
    return found


@dataclass(slots=True)
class Attempt:
    """Both functions evaluated, with what the binding says of the state assumed, or without.

    With `stand`, something stands in for what they have in common: then only a proof means anything.  A `brief` one
    is given up where the two are not small.
    """

    pair: Pair
    assumes: bool
    stand: tuple[StandIns, StandIns] | None = None
    returned: bool = False
    brief: bool = False
    assumed: Invariants = field(init=False)
    _facts: Facts = field(init=False)
    _inputs: Arbitrary = field(init=False)
    _inquiry: Inquiry = field(init=False)
    _ends: tuple[End, End] | None = None
    _refusal: Unsupported | None = None
    _plain: PlainRuns = field(init=False)

    def __post_init__(self) -> None:
        self.assumed = invariants(self.pair, self.assumes)
        self._plain = PlainRuns(self.pair, self.assumed)

    @property
    def is_evaluated(self) -> bool:
        """Whether both could be evaluated."""
        return self._evaluated() is not None

    def obligation(self, kind: str) -> Obligation:
        """Judge one of the two."""
        found = Obligation(kind, self.pair.subject, Verdict.PROVED, method=METHOD if self.stand is None else STANDING)
        ends = self._evaluated()
        if ends is None:
            assert self._refusal is not None
            loc = self._refusal.loc or self.pair.new.function.loc
            found.verdict, found.reason, found.settled = Verdict.UNSUPPORTED, self._refusal.construct, True
            found.location = Location(loc.file, loc.line)
            return found
        stood = self.stand is not None and any(s.used for s in self.stand)
        found.method = STANDING if stood else METHOD
        goal = self._goal(kind, ends)
        if goal is None:
            found.verdict, found.reason, found.settled = (
                Verdict.UNKNOWN,
                "whether they differ: outgrows the limit",
                True,
            )
            return found
        queries: dict[Query, None] = dict.fromkeys(
            q for stand in self.stand or () for twins in stand.twins.values() for q in twins.proofs
        )
        asked = self._inquiry.impossible(kind, goal, self._facts.all)
        queries[asked.query] = None
        found.seconds = asked.seconds
        if asked.result == "unsat" and not stood:
            self._witness(found, ends, queries)
        elif asked.result == "unsat":
            if not self.returned:
                found.verdict, found.reason = Verdict.UNKNOWN, "no run was found in which both return"
        elif self.stand is not None:
            found.verdict, found.reason = Verdict.UNKNOWN, "they differ, or what they have in common matters"
        elif asked.result == "sat" and (model := self._facts.feasible.state(goal)) is not None and self.assumes:
            self._show(found, kind, model, goal)
        else:
            found.verdict = Verdict.UNKNOWN
            found.reason = asked.reason or "whether they differ: no answer"
        found.queries = tuple(queries)
        found.solvers = tuple(dict.fromkeys(s for q in queries for s in q.solvers))
        found.cached = all(q.cached for q in queries)
        found.assumptions = (*self.pair.narrowed, *self._facts.used)
        return found

    def _witness(self, found: Obligation, ends: tuple[End, End], queries: dict[Query, None]) -> None:
        g = ends[0].evaluator.guards
        premise = g.term(g.and_(ends[0].defined, ends[1].defined))
        asked = self._inquiry.possible(
            "witness", [premise, *self._facts.all], self._facts.feasible.state(premise) if premise is not True else None
        )
        queries[asked.query] = None
        found.seconds += asked.seconds
        if asked.result == "unsat":
            found.verdict, found.reason = Verdict.VACUOUS, "in no state do both return"
        elif asked.result != "sat":
            found.verdict, found.reason = Verdict.UNKNOWN, "whether both ever return: no answer"

    # Evaluation -------------------------------------------------------------------------------------

    def _evaluated(self) -> tuple[End, End] | None:
        if self._ends is None and self._refusal is None:
            self._facts = Facts(self.assumed, Feasibility(FEASIBLE, models=24), vgic.QUIET)
            self._inputs = Arbitrary(self._facts.constrain, self._relate, self.pair.leads, small=0)
            self._inquiry = Inquiry(self.pair.portfolio)
            guards = Guards(BRIEF_NODES) if self.brief else Guards()
            try:
                stand = self.stand or (None, None)
                most_steps = BRIEF_STEPS if self.brief else MOST_STEPS
                old, new = (
                    run(self.pair, half, self._inputs, guards, self._facts.feasible, standins, most_steps)
                    for half, standins in zip((self.pair.old, self.pair.new), stand, strict=True)
                )
                self._ends = old, new
            except Unsupported as cause:
                self._refusal = cause
            except TooLarge:
                self._refusal = Limit("path conditions of what is broken that outgrow the limit")
        return self._ends

    def _relate(self, fact: Any) -> None:
        if self.brief and len(self._facts.all) > BRIEF_FACTS:
            raise Limit(f"more than {BRIEF_FACTS} facts of the state")
        self._facts.relate(fact)

    def _both_ends(self) -> tuple[End, End]:
        assert self._ends is not None
        return self._ends

    # A difference, shown ------------------------------------------------------------------------------

    def told(self, kind: str, cells: Cells, ordinary: bool) -> Obligation:
        """Return a difference that two plain runs from some cells show."""
        found = Obligation(kind, self.pair.subject, Verdict.REFUTED, method=METHOD)
        ends = self._evaluated()
        self._tell(found, kind, cells, ordinary, None if ends is None else self._goal(kind, ends))
        return found

    def _goal(self, kind: str, ends: tuple[End, End]) -> Any:
        """Return the term that holds exactly where the two differ, or None where it outgrows the limit."""
        try:
            return ends[0].evaluator.guards.term(differ(kind, *ends))
        except TooLarge:
            return None

    def _show(self, found: Obligation, kind: str, model: Any, goal: Any) -> None:
        """Show a difference by two plain runs from the state of a model, or say that no run shows it."""
        quiet = self._facts.feasible.state(and_(goal, *self._facts.quiet, *self._wishes()))
        if quiet is None:
            quiet = self._facts.feasible.state(and_(goal, *self._facts.quiet))
        for state, ordinary in ((quiet, True), (model, False)):
            if state is None:
                continue
            cells = _cells_of(self._inputs, state)
            if self._plain.shown(kind, cells, ordinary) is not None:
                self._tell(found, kind, cells, ordinary, goal)
                return
        found.verdict, found.settled = Verdict.UNKNOWN, True
        found.reason = "they could not be shown to be the same, and no run tells them apart"

    def _tell(self, found: Obligation, kind: str, cells: Cells, ordinary: bool, goal: Any) -> None:
        """Make the example small, and say when else the two differ, where the goal is known."""
        small, told = self._plain.smallest(kind, cells, ordinary)
        when = (
            "" if goal is None else weakest(goal, self._facts.all, small, self._term, self._plain.names, self.pair.fill)
        )
        found.verdict, found.reason, found.location = Verdict.REFUTED, told.violated, told.fault
        found.run = replace(told, start="" if ordinary else OCCURS, ends=(when,) if when else ())
        found.assumptions = (*self.pair.narrowed, *self._facts.used) if self._ends is not None else ()

    def _wishes(self) -> list[Any]:
        """List what makes an example easy to read."""
        online = self._inputs.word(f"{vgic.KVM}.online_vcpus.counter", (), 32)
        return [online == 1, self._inputs.word(vgic.SELF, (), 3) == 0]

    def _term(self, region: str, key: Key) -> Any:
        """Return the cell of the inputs at a plain key, or None where nothing says how wide it is."""
        for known, term in self._inputs.cells.get(region, {}).values():
            if known == key and not any(is_symbolic(k) for k in known):
                return term
        place = next((p for e in self._both_ends() if (p := e.evaluator.layout.kinds.get(region)) is not None), None)
        if place is None or not isinstance(place.type, Int):
            return None
        return self._inputs.bit(region, key) if place.bitmap else self._inputs.word(region, key, place.type.bits)


def _cells_of(inputs: Arbitrary, model: Any) -> Cells:
    """Return the cells of a state that the solver found."""
    return {
        (region, tuple(number(model, k, signed=True) if is_symbolic(k) else k for k in key)): number(model, term)
        for region, known in inputs.cells.items()
        for key, term in known.values()
    }
