"""Judging one C function: the rules of the language and of locking, the properties claimed of it, and the model.

The function is summarised once.  A solver's refutation is a suspicion until it has been run: its cells become plain
numbers, the
same evaluator interprets the C over them, and the property must fail there too; then the numbers are made small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, get_type_hints

import z3

from ..engine.guards import Guards
from ..engine.judge import Finding, PartLike, Witnesses, judge
from ..engine.maps import Key, Map, MapOf
from ..engine.portfolio import Portfolio
from ..engine.solve import Feasibility
from ..engine.values import and_, iff, is_symbolic, mapped, not_, or_, same
from ..engine.verdict import Assumption, Obligation, Replay, Verdict
from .binding import GIVEN, Bound, Invariant, View
from .cuts import CALLS, Aside, Between, Last, at_the_end
from .explain import Plain, explained, untouched
from .intrinsics import INTRINSICS
from .ir import Int, Loc, Program, Unsupported
from .lvalues import target
from .memory import Arbitrary, Given, Inputs, Memory
from .replay import recorded
from .summary import Claim, Evaluator, Summary

CODE = {
    "in-bounds": "every access is inside its object",
    "no-undefined": "there is no undefined behaviour",
    "bug-on-unreachable": "no BUG_ON fires",
    "locks-balanced": "every path returns with the locks that it found",
    "lock-irq-safe": "no lock is taken in interrupt context that the interrupted CPU may hold",
}
FEASIBLE = 2_000_000
"""Solver's steps for the question whether a loop can go on; no answer counts as yes."""
LOCK_FIELDS = (".held", ".irqs_off")
CONGRUENCE = Invariant("", lambda key, value: True, "cells with equal keys are one cell", "")
NOT_KNOWN = "not shown, and no run from a state that is known to occur breaks it"
METHOD = "C summarised with joins, goal at arbitrary indices"

Formula = Callable[[Any, Any, Any], Sequence[PartLike]]
Parts = Callable[[View, View, Any], Sequence[PartLike]]
Cells = dict[tuple[str, Key], int]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A part of an obligation that is made here."""

    sentence: str
    premise: bool
    conclusion: bool


@dataclass(frozen=True, slots=True)
class Question:
    """An obligation before it is judged: its parts over two memories, and the kinds of claims that belong to it.

    `repeated`: the memories are those after a first run and after a second.  `anywhere`: a refutation may start from
    any state that satisfies the invariants, also one that is not known to occur.  Without `tell` it is not told.
    """

    name: str
    parts: Parts
    kinds: frozenset[str]
    repeated: bool = False
    anywhere: bool = False
    tell: bool = True


@dataclass(slots=True)
class Judge:
    """One bound function of one program.

    `limits` says what the arbitrary indices `at` may be, `split` is the one with the fewest values, `ours` are the
    files of the stubs, `claimed` the properties claimed of the
    function beside those of the language.  Without `tell` a refutation is run but neither made small nor explained.
    """

    program: Program
    bound: Bound
    at: Any
    limits: Any
    split: Any
    ours: frozenset[str]
    claimed: frozenset[str]
    portfolio: Portfolio
    tell: bool = True
    _inputs: Arbitrary = field(init=False)
    _summary: Summary = field(init=False)
    _evaluator: Evaluator = field(init=False)
    _facts: list[tuple[Invariant, Any]] = field(default_factory=list)
    _invariants: dict[str, list[Invariant]] = field(default_factory=dict)
    _second: Summary | None = None
    _witnesses: dict[frozenset[str], Witnesses] = field(default_factory=dict)
    _start: View = field(init=False)
    _end: View = field(init=False)
    _broken: tuple[Plain, Any] | None = None
    _seen: set[tuple[str, int]] = field(default_factory=set)
    """The regions that the source is known to have, with the widths at which they are read."""
    _modelled: set[str] = field(default_factory=set)
    """The regions of which the model says what is in them."""

    def summarise(self) -> None:
        """Evaluate the function. Raises `Unsupported`."""
        for invariant in self.bound.invariants:
            self._invariants.setdefault(invariant.region, []).append(invariant)
        feasible = Feasibility(FEASIBLE)

        def constrain(region: str, key: Key, value: Any) -> None:
            for invariant in self._invariants.get(region, ()):
                fact = invariant.holds(key, value)
                self._facts.append((invariant, fact))
                if not invariant.exempt:
                    feasible.assume(fact)

        def relate(fact: Any) -> None:
            self._facts.append((CONGRUENCE, fact))
            feasible.assume(fact)

        at_the_end(self.program, self.bound.entry, [c.function for c in self.bound.cuts if isinstance(c, Last)])
        self._inputs = Arbitrary(constrain, relate, self.bound.pointers, fixed=self.bound.fixed)
        self._evaluator = self._evaluating(self._inputs, feasible)
        self._summary = self._called(self._evaluator)
        for cut in self.bound.cuts:
            if isinstance(cut, Aside | Between):
                cut.kept_apart(self._evaluator)
        self._start, self._end = View(untouched(self._summary)), View(self._summary.after, self._summary.result)

    def _evaluating(self, inputs: Inputs, feasible: Callable[[Any], bool]) -> Evaluator:
        intrinsics = {**INTRINSICS, **{cut.function: cut.noted for cut in self.bound.cuts}}
        guards = Guards(self.bound.most_nodes)
        return Evaluator(
            self.program, inputs, intrinsics, feasible, ours=self.ours, bitmaps=self.bound.bitmaps, guards=guards
        )

    def _called(self, evaluator: Evaluator, start: Summary | None = None) -> Summary:
        return evaluator.summarise(self.bound.entry, start, lambda: self.bound.arguments(evaluator.inputs))

    # What is asked ------------------------------------------------------------------------------

    def code(self, name: str) -> Obligation:
        """Judge one of the properties in `CODE`."""
        kinds = {name}
        if name == "no-undefined":
            kinds |= {c.kind for c in self._summary.claims} - CODE.keys() - self.claimed
        parts = self._balance if name == "locks-balanced" else lambda before, after, at: []
        return self._judged(Question(name, parts, frozenset(kinds)))

    def property(self, name: str, formula: Formula, repeated: bool = False) -> Obligation:
        """Judge a property whose formula speaks of the model's state before and after."""

        def parts(before: View, after: View, at: Any) -> Sequence[PartLike]:
            return formula(before.state(self.bound.abstract), after.state(self.bound.abstract), at)

        return self._judged(Question(name, parts, frozenset({name}), repeated))

    def refines(
        self, transition: Callable[[Any], Any], name: str = "refines-model", anywhere: bool = True
    ) -> tuple[Obligation, Any]:
        """Judge whether the function does to the state what a transition of the model does, and nothing else.

        With a refutation comes the plain run and the indices at which they differ.  `anywhere`: it may start from a
        state that is not known to occur, and is run, but neither made small nor explained.
        """

        def parts(before: View, after: View, at: Any) -> Sequence[PartLike]:
            wanted = transition(before.state(self.bound.abstract))
            modelled = View(after.memory, after.result)
            found = modelled.state(self.bound.abstract)
            equal = [Sentence(what, True, holds) for what, holds in differences(wanted, found, at)]
            # At plain indices fewer regions are read than at arbitrary ones, which come first.
            self._modelled |= {region for region, _ in modelled.read}
            return [*equal, *self._frame(before, after, self._modelled, at)]

        obligation = self._judged(Question(name, parts, frozenset({name}), anywhere=anywhere, tell=not anywhere))
        return obligation, self._broken

    def agrees(self, transition: Callable[[Any, Any], Any], choice: Any, counterexample: tuple[Plain, Any]) -> bool:
        """Say whether a variant of the model does what the function does in a plain run."""
        run, at = counterexample
        before, after = _of(run)
        wanted = transition(before.state(self.bound.abstract), choice)
        return all(holds is True for _, holds in differences(wanted, after.state(self.bound.abstract), at))

    def _balance(self, before: View, after: View, at: Any) -> Sequence[PartLike]:
        return [
            Sentence(
                f"{self.bound.words.name(name, ())} is as it was found", True, before.word(name) == after.word(name)
            )
            for name in sorted(after.memory.written)
            if name.endswith(LOCK_FIELDS)
        ]

    def _frame(self, before: View, after: View, known: set[str], at: Any) -> Iterator[Sentence]:
        """Yield, for each region that was written and of which the model knows nothing, that it is unchanged.

        What the source itself declares is private to it, and locks have a property of their own.
        """
        for region in sorted(self._summary.after.written - known):
            if not self.bound.words.public(region) or region.endswith(LOCK_FIELDS) or region in self.bound.ignored:
                continue
            place = self._summary.after.layout.kinds[region]
            dimensions = region.count("[]")
            if not isinstance(place.type, Int) or dimensions > 2:
                raise Unsupported(f"it writes {region}, of which the binding knows nothing")
            key = at.cells(dimensions)
            if place.bitmap:
                holds = iff(before.bit(region, *key), after.bit(region, *key))
            else:
                bits = place.type.bits
                holds = before.word(region, *key, bits=bits) == after.word(region, *key, bits=bits)
            yield Sentence(f"{self.bound.words.name(region, ())} is unchanged", True, holds)

    # From a question to an obligation -------------------------------------------------------------

    def _judged(self, question: Question) -> Obligation:
        before, after, summary = self._views(question.repeated)
        returns = self._evaluator.guards.term(summary.returns)
        parts: list[PartLike] = [
            Sentence(p.sentence, and_(returns, p.premise), p.conclusion) for p in question.parts(before, after, self.at)
        ]
        parts += self._claims(summary.claims, question.kinds)
        parts = parts or [Sentence(CODE.get(question.name, question.name), True, True)]
        self._known_to_c(before, after)
        prefer = self.bound.prefer(self._start.state(self.bound.abstract), self.at)
        assumptions = self._assumed(question)
        exempted = frozenset(i.region for i in self.bound.invariants if question.name in i.exempt)
        witnesses = self._witnesses.setdefault(exempted, Witnesses())
        finding = judge(parts, assumptions, self.portfolio, prefer, witnesses, self.split)
        if finding.verdict is Verdict.REFUTED and self.bound.occurs is not None and not question.anywhere:
            # This touches cells of its own, of which something is assumed as well.
            occurs = self.bound.occurs(self._start.state(self.bound.abstract))
            occurring = [*self._assumed(question), occurs]
            found = judge(parts[finding.part :], occurring, self.portfolio, prefer, Witnesses(), self.split)
            if found.verdict is not Verdict.REFUTED:
                return self._obligation(question, finding, Verdict.UNKNOWN, f"{finding.reason}: {NOT_KNOWN}")
            finding = found
        if finding.verdict is Verdict.REFUTED:
            return self._refuted(question, finding)
        return self._obligation(question, finding, finding.verdict, finding.reason)

    def _assumed(self, question: Question) -> list[Any]:
        """List what is assumed of the indices and of the cells that were touched until now."""
        related = [fact for fact, _ in self.bound.related(self._start.state(self.bound.abstract))]
        return [self.limits, *related, *(fact for i, fact in self._facts if question.name not in i.exempt)]

    def _obligation(self, question: Question, finding: Finding, verdict: Verdict, reason: str) -> Obligation:
        assumed = dict.fromkeys(
            Assumption(i.text, i.guarantor) for i, _ in self._facts if i.guarantor and question.name not in i.exempt
        )
        assumed |= dict.fromkeys(a for _, a in self.bound.related(self._start.state(self.bound.abstract)))
        assumed |= dict.fromkeys(a for region, a in self.bound.ignored.items() if region in self._summary.after.written)
        return Obligation(
            question.name,
            self.bound.function,
            verdict,
            method=METHOD,
            assumptions=tuple(assumed),
            solvers=finding.solvers,
            seconds=finding.seconds,
            reason=reason,
            queries=finding.queries,
            cached=finding.cached,
        )

    def _views(self, repeated: bool) -> tuple[View, View, Summary]:
        if not repeated:
            return self._start, self._end, self._summary
        if self._second is None:
            self._second = self._called(self._evaluator, self._summary)
        return self._end, View(self._second.after, self._second.result), self._second

    def _known_to_c(self, *views: View) -> None:
        """See that the source has what the binding reads. Raises `Unsupported` for what it has not.

        What the function is called with is not looked for.
        """
        layout = self._evaluator.layout
        for region, key, bits in {(r, len(k), b) for view in views for (r, k), b in view.read.items()}:
            if region.startswith((f"{GIVEN}.", f"{CALLS}.")) or (region, bits) in self._seen:
                continue
            cell = target(layout, region, (0,) * key, bits or None)
            if cell is None or (cell.bit is None) != bool(bits):
                raise Unsupported(f"{region} is not kept as the binding reads it")
            self._seen.add((region, bits))

    def _claims(self, claims: Sequence[Claim], kinds: frozenset[str]) -> list[Sentence]:
        """Gather the claims of some kinds by the line and the text that they share."""
        g = self._evaluator.guards
        gathered: dict[tuple[Loc, str], list[Claim]] = {}
        for claim in claims:
            if claim.kind in kinds:
                gathered.setdefault((claim.loc, claim.text), []).append(claim)
        return [
            Sentence(
                self.bound.words.spoken(text),
                True,
                and_(*(or_(not_(g.term(c.path)), g.term(c.holds)) for c in same_line)),
            )
            for (_, text), same_line in gathered.items()
        ]

    # Refutations ----------------------------------------------------------------------------------

    def _refuted(self, question: Question, finding: Finding) -> Obligation:
        cells, at = self._numbers(finding.model)
        run = self._breaking(question, cells, at)
        if run is None:
            reason = f"{finding.reason}: the solver's counterexample does not fail when it is run"
            return self._obligation(question, finding, Verdict.UNKNOWN, reason)
        tell = self.tell and question.tell
        if tell:
            run = self._run(question, self._shrunk(question, run, cells, at))
        self._broken = run, at
        broken = self._failure(question, run, at)
        assert broken is not None
        obligation = self._obligation(question, finding, Verdict.REFUTED, broken[0])
        obligation.replay = self._replay(question, run)
        if not tell:
            return obligation
        sentence, _ = broken

        def depends(other: Plain) -> bool:
            return self._depends(question, other, at, sentence)

        def fails(elsewhere: Any) -> bool:
            return self._fails(question, run, elsewhere, sentence)

        story = explained(run, self.bound.words, broken, at, depends, fails)
        obligation.run, obligation.location = story, story.fault
        return obligation

    def _replay(self, question: Question, run: Plain) -> Replay:
        count = 2 if question.repeated else 1
        called = [cut.function for cut in self.bound.cuts if cut.region in run.end.after.written]
        if called:
            return Replay(self.bound.entry, count, obstacle=f"{called[0]}() was not run")
        return recorded(
            run, self.bound.entry, count, lambda claim: claim.kind in question.kinds, self.bound.words.spoken
        )

    def _numbers(self, model: Any) -> tuple[Cells, Any]:
        """Read the plain state off a solver's model."""
        cells: Cells = {}
        for region, known in self._inputs.cells.items():
            for arguments, term in known.values():
                key = tuple(
                    _number(model.eval(a, model_completion=True), signed=True) if is_symbolic(a) else a
                    for a in arguments
                )
                cells[(region, key)] = _number(model.eval(term, model_completion=True))
        return cells, mapped(lambda c: _number(model.eval(c, model_completion=True)), self.at)

    def _run(self, question: Question, cells: Cells) -> Plain:
        given = Given(cells, self.bound.pointers, self.bound.fixed)
        evaluator = self._evaluating(given, bool)
        summary = self._called(evaluator)
        arguments = self.bound.arguments(given)
        if not question.repeated:
            return Plain(given, evaluator, untouched(summary), summary, arguments)
        return Plain(given, evaluator, summary.after, self._called(evaluator, summary), arguments)

    def _failure(self, question: Question, run: Plain, at: Any) -> tuple[str, Loc | None] | None:
        """Return the sentence that fails in a plain run, with its line where the evaluator claimed it.

        Of a run that does not return, as where a BUG_ON fires, only what is claimed on the way can fail.
        """
        for claim in run.end.claims:
            if claim.kind in question.kinds:
                return self.bound.words.spoken(claim.text), claim.loc
        if run.evaluator.guards.term(run.end.returns) is not True:
            return None
        for part in question.parts(*_of(run), at):
            if part.premise is True and part.conclusion is False:
                return part.sentence, None
        return None

    def _depends(self, question: Question, run: Plain, at: Any, sentence: str) -> bool:
        """Say whether a sentence depends on the one cell of a plain run that has been made unknown."""
        parts = question.parts(*_of(run), at)
        conclusions = [p.conclusion for p in parts if p.sentence == sentence]
        return any(is_symbolic(c) and not _decided(c) for c in conclusions)

    def _fails(self, question: Question, run: Plain, at: Any, sentence: str) -> bool:
        """Say whether a sentence fails in a plain run at some indices."""
        parts = question.parts(*_of(run), at)
        return any(p.sentence == sentence and p.premise is True and p.conclusion is False for p in parts)

    def _breaking(self, question: Question, cells: Cells, at: Any) -> Plain | None:
        """Run plain cells; return the run if the property fails there, on a state that satisfies what is assumed."""
        run = self._run(question, cells)
        if self._failure(question, run, at) is None:
            return None
        touched = {**run.given.touched, **{c: v for c, v in cells.items() if v}}
        allowed = all(
            invariant.holds(key, value) is True
            for (region, key), value in touched.items()
            for invariant in self._invariants.get(region, ())
            if question.name not in invariant.exempt
        )
        start = View(Memory(run.end.after.layout, run.end.domain, run.given)).state(self.bound.abstract)
        allowed = allowed and all(fact is True for fact, _ in self.bound.related(start))
        occurs = question.anywhere or self.bound.occurs is None or self.bound.occurs(start) is True
        return run if allowed and occurs else None

    def _shrunk(self, question: Question, run: Plain, cells: Cells, at: Any) -> Cells:
        """Set to zero, or to a single bit, whatever the failure does not need."""
        small = {c: v for c, v in cells.items() if v and c in run.given.touched}
        if self._breaking(question, small, at) is None:
            small = {c: v for c, v in cells.items() if v}
        while True:
            smaller = self._smaller(question, small, at)
            if smaller is None:
                return small
            small = smaller

    def _smaller(self, question: Question, cells: Cells, at: Any) -> Cells | None:
        """Make one pass over the cells; return what is left, or None where nothing could be made simpler."""
        small = cells
        for cell in sorted(cells, key=str):
            for value in _simpler(cells[cell]):
                trial = {c: v for c, v in {**small, cell: value}.items() if v}
                if self._breaking(question, trial, at) is not None:
                    small = trial
                    break
        return small if small != cells else None


def _simpler(value: int) -> list[int]:
    """Values to try instead, simplest first: zero, one, each single bit of the value, and the value less one bit."""
    single = [1 << i for i in range(value.bit_length()) if value >> i & 1]
    simpler = [0, *dict.fromkeys([1, *single, *(value & ~b for b in reversed(single))])]
    return simpler[: simpler.index(value)] if value in simpler else simpler


def _of(run: Plain) -> tuple[View, View]:
    """Return what a plain run starts from and what it ends in."""
    return View(run.start), View(run.end.after, run.end.result)


def _decided(term: Any) -> bool:
    simple = z3.simplify(term)
    return bool(z3.is_true(simple) or z3.is_false(simple))


def _number(value: Any, signed: bool = False) -> int:
    if z3.is_bool(value):
        return int(z3.is_true(value))
    return value.as_signed_long() if signed else value.as_long()  # type: ignore[no-any-return]


def differences(a: Any, b: Any, at: Any, path: str = "") -> Iterator[tuple[str, bool]]:
    """Yield, field by field, whether two states are equal; maps are compared at the arbitrary indices."""
    hints = get_type_hints(type(a), include_extras=True)
    for f in fields(a):
        x, y, name = getattr(a, f.name), getattr(b, f.name), f"{path}{f.name}"
        if isinstance(x, Map):
            shape = next(e for e in hints[f.name].__metadata__ if isinstance(e, MapOf))
            key = at.key(shape.keys)
            yield f"{name} is what the model says", same(x[key], y[key])
        elif is_dataclass(x) and not is_symbolic(x):
            yield from differences(x, y, at, f"{name}.")
        else:
            yield f"{name} is what the model says", same(x, y)
