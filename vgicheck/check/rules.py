"""The rules of C, of locking and of our stubs, judged of one function and of all that it gets to.

The function is evaluated once, loops as one arbitrary iteration each; what must hold on the way is asked of a solver,
gathered by the function on whose lines it stands.  A refutation is a suspicion until it has been run over plain
numbers, from a state that satisfies all that is assumed, with every loop run as C runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import z3

from proofs.bindings import vgic
from proofs.bindings.promise import Called, Promise

from ..c.binding import Invariant, View
from ..c.domain import Address
from ..c.explain import Plain, explained
from ..c.intrinsics import INTRINSICS
from ..c.ir import Int, Limit, Loc, Unsupported
from ..c.judge import CODE, LOCK_FIELDS
from ..c.memory import Arbitrary, Fill, Given, Inputs, Memory, Pointers
from ..c.replay import recorded
from ..c.shrink import Cells, shrunk
from ..c.summary import Claim, Evaluator, State, Summary
from ..c.widening import Widening
from ..engine.guards import FALSE
from ..engine.maps import Key
from ..engine.portfolio import Inquiry, Portfolio
from ..engine.solve import Feasibility
from ..engine.values import and_, is_symbolic
from ..engine.verdict import Assumption, Location, Obligation, Query, Verdict
from .reading import Reading

KEPT = "representation-kept"
RULES = {**CODE, KEPT: "what is assumed of the state before still holds after"}
METHOD = "C evaluated from its callers in the file, loops as one arbitrary iteration"
BY_ITSELF = "C evaluated by itself, every iteration of its loops"
ELSEWHERE = "not judged here"
"""The reason of an obligation of a function that another one kept from being reached."""
UNREACHED = "nothing that calls it gets there"
FEASIBLE = 2_000_000
"""Solver's steps for a question of the evaluation itself; no answer counts as yes."""
SEARCH = 5_000_000
"""Solver's steps in looking for a state from which a run breaks a rule."""


@dataclass(frozen=True, slots=True)
class Job:
    """A function that is judged: how it is called, and what is asked of whom.

    With a `promise` it is judged by itself, for any arguments, and that promise is all that is asked.
    """

    reading: Reading
    context: vgic.Context
    promised: tuple[tuple[str, str], ...]
    portfolio: Portfolio
    promise: Promise | None = None


@dataclass(slots=True)
class Facts:
    """What is assumed of the cells of the inputs, gathered as they are touched."""

    invariants: Mapping[str, Sequence[Invariant]]
    feasible: Feasibility
    books: Mapping[str, Callable[[Key, Any], Any]]
    """What a refutation is believed of."""
    all: list[Any] = field(default_factory=list)
    quiet: list[Any] = field(default_factory=list)
    used: dict[Assumption, None] = field(default_factory=dict)

    def constrain(self, region: str, key: Key, value: Any) -> None:
        """Assume of a cell what the binding says; of one made unknown by a loop, what the loop was seen to keep."""
        name, _, tag = region.partition("@")
        if tag.endswith(("!", "?")):
            return
        for invariant in self.invariants.get(name, ()):
            self.relate(invariant.holds(key, value))
            if invariant.guarantor:
                self.used[Assumption(invariant.text, invariant.guarantor)] = None
        if not tag and name in self.books:
            self.quiet.append(self.books[name](key, value))

    def relate(self, fact: Any) -> None:
        """Assume a fact."""
        if fact is not True:
            self.all.append(fact)
            self.feasible.assume(fact)


@dataclass(slots=True)
class _Evaluation:
    """A function evaluated, over terms or plain numbers.

    `claimed` is how many claims the C makes itself, the others are of its end.  `shown` has the sentences of a promise,
    with the guard under which each says something.
    """

    evaluator: Evaluator
    arguments: Sequence[Any]
    end: State
    result: Any
    claimed: int
    shown: dict[str, int] = field(default_factory=dict)


def judge(job: Job) -> Iterator[Obligation]:
    """Yield what was promised of a function and of those that it gets to."""
    by_region: dict[str, list[Invariant]] = {}
    program, own = job.reading.program, list[Invariant]()
    if job.promise is not None:
        own += job.promise.assumed(program, program.functions[job.context.function])
    for invariant in [*vgic.invariants(program, job.context), *own]:
        by_region.setdefault(invariant.region, []).append(invariant)
    yield from _Judge(job, by_region).obligations()


@dataclass(slots=True)
class _Judge:
    job: Job
    invariants: Mapping[str, Sequence[Invariant]]
    _facts: Facts = field(init=False)
    _leads: Pointers = field(init=False)
    _fill: Mapping[str, Fill] = field(init=False)
    _inputs: Arbitrary = field(init=False)
    _inquiry: Inquiry = field(init=False)
    _found: _Evaluation = field(init=False)
    _names: vgic.Names = field(default_factory=vgic.Names)
    _variables: dict[int, tuple[Any, frozenset[int]]] = field(default_factory=dict)
    _reached: dict[tuple[str, str], Query] = field(default_factory=dict)
    _sure: frozenset[int] = frozenset()
    """The guards of what was proved not to happen."""
    _proof: dict[Query, None] = field(default_factory=dict)
    _spent: float = 0.0
    """Seconds of that proof, until an obligation is told that rests on it."""

    @property
    def root(self) -> str:
        return self.job.context.function

    @property
    def _books(self) -> Mapping[str, Callable[[Key, Any], Any]]:
        """What a refutation needs beside what is assumed; the premises of a promise say what they need."""
        return vgic.QUIET if self.job.promise is None else {}

    def obligations(self) -> Iterator[Obligation]:
        self._facts = Facts(self.invariants, Feasibility(FEASIBLE, models=24), self._books)
        self._leads, self._fill = vgic.leads(self.job.reading.program), vgic.fill(self.job.reading.program)
        fixed = vgic.fixed(self.job.reading.program, self.job.context)
        self._inputs = Arbitrary(self._facts.constrain, self._facts.relate, self._leads, small=0, fixed=fixed)
        self._inquiry = Inquiry(self.job.portfolio)
        kept = {name: partial(_all_hold, found) for name, found in self.invariants.items()}
        widening = Widening(kept) if self.job.promise is None else None
        evaluator = self._evaluator(self._inputs, self._facts.feasible, widening)
        try:
            self._found = self._run(evaluator)
        except Unsupported as cause:
            yield from self._refused(cause, evaluator)
            return
        by_owner = self._gathered()
        self._prove([bad for lines in by_owner.values() for bad in lines.values()])
        for kind, function in self.job.promised:
            yield self._obligation(kind, function, by_owner.get((function, kind), {}))

    # Evaluation -----------------------------------------------------------------------------------

    def _evaluator(self, inputs: Inputs, feasible: Any, widening: Widening | None) -> Evaluator:
        reading = self.job.reading
        found = Evaluator(
            reading.program,
            inputs,
            INTRINSICS,
            feasible,
            ours=reading.others,
            widening=widening,
            follows_unset=True,
            by_words=True,
        )
        found.layout.objects.update(vgic.objects(reading.program))
        return found

    def _run(self, e: Evaluator) -> _Evaluation:
        given = list[Any]()

        def arguments() -> list[Any]:
            given.extend(vgic.arguments(e.inputs, e.layout, self.root, self.job.context.in_interrupt))
            return given

        end, result = e.from_function(self.root, arguments)
        found = _Evaluation(e, given, end, result, len(e.claims))
        if self.job.promise is not None:
            found.shown.update(self._claim_promise(self.job.promise, e, end))
            return found
        self._claim_locks(e, end)
        self._claim_kept(e, end)
        return found

    def _claim_promise(self, promise: Promise, e: Evaluator, end: State) -> dict[str, int]:
        function, g, shown = self.job.reading.program.functions[self.root], e.guards, dict[str, int]()
        before = View(Memory(e.layout, e.domain, e.inputs))
        for part in promise.formula(Called(self.job.reading.program, function, before, View(end.memory))):
            premise = g.of(part.premise)
            shown[part.sentence] = g.and_(end.path, premise)
            e.claim(end, promise.property, g.or_(g.not_(premise), g.of(part.conclusion)), function.end, part.sentence)
        return shown

    def _claim_locks(self, e: Evaluator, end: State) -> None:
        where = e.reported(self.job.reading.program.functions[self.root].end)
        for name in sorted(n for n in end.memory.written if n.endswith(LOCK_FIELDS)):
            if e.layout.kinds[name].bounds == ():
                before = e.inputs.word(name, (), 32)
                after = e.domain.word(end.memory.known(name)[()], 32)
                same = e.domain.compare("==", before, after, Int(32, False))
                e.claim(end, "locks-balanced", same, where, f"{name} is as it was found")
            else:
                broken = e.guards.any(e.guards.of(b) for b in self._unlike(e, name, _released, end))
                e.claim(end, "locks-balanced", e.guards.not_(broken), where, f"each {name} is as it was found")

    def _claim_kept(self, e: Evaluator, end: State) -> None:
        where = self.job.reading.program.functions[self.root].end
        for invariant in vgic.representation(self.job.reading.program):
            if invariant.region in end.memory.written:
                broken = e.guards.any(e.guards.of(b) for b in self._unlike(e, invariant.region, invariant.holds, end))
                e.claim(end, KEPT, e.guards.not_(broken), where, invariant.text)
        for name, objects in vgic.led(self.job.reading.program, self.root).items():
            if name in end.memory.written:
                e.claim(
                    end, KEPT, self._leads_to(e, name, objects, end), where, f"{name} leads to an object of its type"
                )

    def _leads_to(self, e: Evaluator, name: str, objects: Sequence[str], end: State) -> int:
        """Return the guard under which all that was written to the pointers of a region leads to one of some objects.

        What loops may have left of a region is not looked into.
        """
        region = end.memory.known(name)
        if region.origin is not end.memory.untouched(name).origin:
            return FALSE
        return e.guards.all(
            e.guards.any(g for g, v in e.domain.options(value) if isinstance(v, Address) and v.object in objects)
            for _, _, value in region.written()
        )

    def _unlike(self, e: Evaluator, name: str, holds: Callable[[Key, Any], Any], end: State) -> Iterator[Any]:
        """Yield the conditions under which a cell of a region was changed to what does not hold of it."""
        if e.widening is not None:
            yield from e.widening.broken(e, name, end, holds)
            return
        for _, key, value in end.memory.known(name).written():
            yield holds(key, _unsigned(value, e, name)) is not True

    # Claims ---------------------------------------------------------------------------------------

    def _owner(self, loc: Loc) -> str:
        for name, (start, last) in self.job.reading.places.items():
            if start.file == loc.file and start.line <= loc.line <= last:
                return name
        return self.root

    def _gathered(self) -> dict[tuple[str, str], dict[tuple[Loc, str], int]]:
        """Gather by function and kind the guards under which something claimed on a line does not hold."""
        g, found = self._found.evaluator.guards, dict[tuple[str, str], dict[tuple[Loc, str], int]]()
        promised = set(self.job.promised)
        for claim in self._found.evaluator.claims:
            owner = self._owner(claim.loc)
            kind = claim.kind if (claim.kind, owner) in promised else "no-undefined"
            lines = found.setdefault((owner, kind), {})
            key = (claim.loc, claim.text)
            lines[key] = g.or_(lines.get(key, FALSE), g.and_(claim.path, g.not_(claim.holds)))
        return found

    def _obligation(self, kind: str, function: str, lines: Mapping[tuple[Loc, str], int]) -> Obligation:
        found = Obligation(kind, function, Verdict.PROVED, method=METHOD if self.job.promise is None else BY_ITSELF)
        found.assumptions = tuple(self._facts.used)
        if function not in self._found.evaluator.entered:
            found.verdict, found.reason = Verdict.VACUOUS, UNREACHED
            return found
        queries: dict[Query, None] = {}
        if any(bad != FALSE and bad in self._sure for bad in lines.values()):
            queries.update(self._proof)
            found.seconds, self._spent = self._spent, 0.0
        doubts = [(key, bad) for key, bad in sorted(lines.items()) if bad != FALSE and bad not in self._sure]
        if doubts:
            self._doubted(found, doubts, queries)
        if found.verdict is Verdict.PROVED:
            self._witnessed(function, UNREACHED, self._found.evaluator.entered[function], queries, found)
            for sentence, shown in self._found.shown.items():
                self._witnessed(function, f"no call shows that {sentence}", shown, queries, found)
        found.queries = tuple(queries)
        found.solvers = tuple(dict.fromkeys(s for q in queries for s in q.solvers))
        found.cached = bool(queries) and all(q.cached for q in queries)
        return found

    def _prove(self, bad: Sequence[int]) -> None:
        """Prove at one stroke of as much as can be proved that it cannot happen.

        The solver that served the evaluation tells the easy from the doubtful; the question that counts has all that
        is easy in it.
        """
        g = self._found.evaluator.guards
        easy = {b for b in bad if b != FALSE and not self._facts.feasible(g.term(b))}
        if not easy:
            return
        goal = g.term(g.any(sorted(easy)))
        asked = self._inquiry.impossible("all", goal, self._relevant(goal))
        if asked.result == "unsat":
            self._sure, self._proof, self._spent = frozenset(easy), {asked.query: None}, asked.seconds

    def _witnessed(
        self, function: str, without: str, guard: int, queries: dict[Query, None], found: Obligation
    ) -> None:
        """Look whether a guard can hold: if not, nothing was shown of the function, and the reason is `without`."""
        if (function, without) not in self._reached:
            premise = self._found.evaluator.guards.term(guard)
            model = self._facts.feasible.state(premise)
            asked = self._inquiry.possible(f"witness{len(queries)}", [premise, *self._facts.all], model)
            found.seconds += asked.seconds
            self._reached[function, without] = asked.query
        query = self._reached[function, without]
        queries[query] = None
        if query.answer == "unsat":
            found.verdict, found.reason = Verdict.VACUOUS, without
        elif query.answer != "sat":
            found.verdict, found.reason = Verdict.UNKNOWN, f"whether there is a call that shows it: {without}?"

    def _relevant(self, goal: Any) -> list[Any]:
        """Return the assumptions that have to do with a goal: those that share a constant with it, directly or not."""
        if not is_symbolic(goal):
            return []
        known = set(self._constants(goal))
        rest = [(fact, self._constants(fact)) for fact in self._facts.all if is_symbolic(fact)]
        found: list[Any] = []
        while True:
            near = [(f, c) for f, c in rest if c & known]
            if not near:
                return found
            rest = [(f, c) for f, c in rest if not c & known]
            for fact, constants in near:
                found.append(fact)
                known |= constants

    def _constants(self, term: Any) -> frozenset[int]:
        """Return the constants in a term, by their numbers."""
        pending = [term]
        while pending:
            top = pending[-1]
            if top.get_id() in self._variables:
                pending.pop()
                continue
            children = top.children()
            missing = [c for c in children if c.get_id() not in self._variables]
            if missing:
                pending.extend(missing)
                continue
            if z3.is_const(top) and top.decl().kind() == z3.Z3_OP_UNINTERPRETED:
                constants = frozenset((top.get_id(),))
            else:
                constants = frozenset().union(*(self._variables[c.get_id()][1] for c in children))
            self._variables[top.get_id()] = (top, constants)
            pending.pop()
        return self._variables[term.get_id()][1]

    # Doubts ---------------------------------------------------------------------------------------

    def _doubted(
        self, found: Obligation, doubts: Sequence[tuple[tuple[Loc, str], int]], queries: dict[Query, None]
    ) -> None:
        """Look at what may happen line by line: each is proved after all, refuted by a run, or left open.

        The first that is refuted is told with its run, the others are named.
        """
        found.settled = True
        for (loc, text), bad in doubts:
            goal = self._found.evaluator.guards.term(bad)
            asked = self._inquiry.impossible(f"{len(queries)}", goal, self._relevant(goal))
            found.seconds += asked.seconds
            queries[asked.query] = None
            if asked.result == "unsat":
                continue
            where = Location(loc.file, loc.line)
            spoken = self._names.spoken(text)
            if asked.result == "sat":
                same = partial(self._same, found.property, loc, text)
                run = self._refuting(same, goal)
                if run is not None:
                    self._refuted(found, run, loc, text, same)
                    continue
                spoken = f"{spoken}: not shown, and no run from a state that is known to occur breaks it"
            else:
                spoken, found.settled = f"{spoken}: {asked.reason}", False
            if found.verdict is Verdict.PROVED:
                found.verdict, found.reason, found.location = Verdict.UNKNOWN, spoken, where

    def _refuted(self, found: Obligation, run: Plain, loc: Loc, text: str, breaks: Callable[[Claim], bool]) -> None:
        if found.verdict is Verdict.REFUTED:
            found.reason += f"; line {loc.line}: {self._names.spoken(text)}"
            return
        story = explained(run, self._names, (self._names.spoken(text), loc), None, lambda p: False, lambda a: False)
        found.verdict, found.reason = Verdict.REFUTED, story.violated
        found.run, found.location = story, Location(loc.file, loc.line)
        found.replay = recorded(run, self.root, 1, breaks, self._names.spoken)

    def _refuting(self, wanted: Callable[[Claim], bool], goal: Any) -> Plain | None:
        """Return a run in which the same line breaks the same rule, made small."""
        feasible = self._facts.feasible
        feasible.effort = SEARCH
        model, fact = None, and_(goal, *self._facts.quiet)
        for wish in [True, *self._wishes()]:
            found = feasible.state(and_(fact, wish))
            model, fact = (model, fact) if found is None else (found, and_(fact, wish))
        feasible.effort = FEASIBLE
        if model is None:
            return None
        for cells in self._seeds(model):
            if self._breaks(wanted, cells) is not None:
                return self._smallest(wanted, cells)
        return None

    def _wishes(self) -> list[Any]:
        """List what makes a refutation easy to read."""
        online = self._inputs.word(f"{vgic.KVM}.online_vcpus.counter", (), 32)
        this = self._inputs.word(vgic.SELF, (), 3)
        return [online == 1, this == 0]

    def _seeds(self, model: Any) -> Iterator[Cells]:
        """Yield states to start from: the solver's, and the one that a loop's arbitrary iteration starts from."""
        before: Cells = {}
        inside: Cells = {}
        for region, known in self._inputs.cells.items():
            name, _, tag = region.partition("@")
            for arguments, term in known.values():
                key = tuple(number(model, a, signed=True) if is_symbolic(a) else a for a in arguments)
                (inside if tag else before)[(name, key)] = number(model, term)
        yield before
        if inside:
            yield before | {c: v for c, v in inside.items() if c[0] not in self._books}

    def _breaks(self, wanted: Callable[[Claim], bool], cells: Cells) -> Plain | None:
        """Run plain cells; return the run if the line breaks the rule there, and all that is assumed holds."""
        given = Given(cells, self._leads, self._fill)
        e = self._evaluator(given, _decided, None)
        try:
            found = self._run(e)
        except Unsupported:
            return None
        if not any(wanted(c) for c in e.claims):
            return None
        for (region, key), value in {**cells, **given.touched}.items():
            quiet = self._books.get(region)
            if not all(i.holds(key, value) is True for i in self.invariants.get(region, ())):
                return None
            if quiet is not None and quiet(key, value) is not True:
                return None
        claims = e.claims[: found.claimed]
        end = Summary(given, found.end.memory, found.result, found.end.path, claims, e.domain)
        return Plain(given, e, Memory(e.layout, e.domain, given), end, found.arguments)

    def _same(self, kind: str, loc: Loc, text: str, claim: Claim) -> bool:
        """Say whether a claim that failed in a run is of the rule and the line in doubt, or of a promise's sentence."""
        return (claim.loc.file, claim.loc.line) == (loc.file, loc.line) and (
            (claim.kind == kind or (kind == "no-undefined" and claim.kind not in RULES))
            and (self.job.promise is None or claim.text == text)
        )

    def _smallest(self, wanted: Callable[[Claim], bool], cells: Cells) -> Plain:
        """Make cells what a run has anyway, or a single bit, where the rule is broken all the same."""
        best, small = shrunk(cells, partial(self._breaks, wanted), lambda run: run.given.touched)
        given = best.given
        given.cells = {**{c: v for c, v in given.touched.items() if v}, **small}
        return best

    # What was not evaluated ---------------------------------------------------------------------

    def _refused(self, cause: Unsupported, e: Evaluator) -> Iterator[Obligation]:
        """Yield that the functions that were at it are not judged, and that the others are not judged here."""
        verdict = Verdict.UNKNOWN if isinstance(cause, Limit) else Verdict.UNSUPPORTED
        where = Location(cause.loc.file, cause.loc.line) if cause.loc else None
        for kind, function in self.job.promised:
            if function in e.running or function == self.root:
                yield Obligation(
                    kind, function, verdict, method=METHOD, reason=cause.construct, location=where, settled=True
                )
            else:
                yield Obligation(
                    kind, function, Verdict.NOT_RUN, method=METHOD, reason=ELSEWHERE, location=where, settled=True
                )


def _decided(condition: Any) -> bool:
    """Return a condition of a run over plain numbers, all of which are known but whether an opaque pointer is null."""
    if is_symbolic(condition):
        raise Unsupported("whether a pointer of which nothing is known is null")
    return bool(condition)


def _released(key: Key, held: Any) -> Any:
    return held == 0


def _all_hold(invariants: Sequence[Invariant], key: Key, value: Any) -> Any:
    return and_(*(i.holds(key, value) for i in invariants))


def _unsigned(value: Any, e: Evaluator, name: str) -> Any:
    kind = e.layout.kinds[name].type
    return value & ((1 << kind.bits) - 1) if isinstance(kind, Int) and isinstance(value, int) else value


def number(model: Any, term: Any, signed: bool = False) -> int:
    """Return what a term is in a state that a solver found; one that does not matter there is 0."""
    if not is_symbolic(term):
        return int(term)
    value = model.eval(term, model_completion=True)
    if z3.is_bool(value):
        return int(z3.is_true(value))
    return int(value.as_signed_long() if signed else value.as_long())
