"""One function in two programs: whether it does the same, and where not, when.

Both are evaluated over the same inputs, all loops to their end.  `equivalent` says that for each state they return the
same, leave the same in every cell, call the same services with the same arguments, and break the same rules; what both
leave undefined is not compared.  `same-order` says that besides, locks, barriers and calls come in the same order, each
with the same in memory, brought there by the same atomic operations: what others that run at the same time can see.

Without loops nothing is assumed of the state at first; where that does not do, what the binding says of it, which is
then named.  A difference is told when two plain runs from one state show it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import z3

from proofs.bindings import vgic

from ..c.binding import Invariant
from ..c.domain import Search, Uninitialised
from ..c.effects import Effects, content, finished, word
from ..c.flow import shape
from ..c.intrinsics import INTRINSICS
from ..c.ir import Function, Int, Loc, Pointer, StructRef, Unsupported, Void
from ..c.memory import Arbitrary, Given, Inputs, is_local
from ..c.shrink import Cells, shrunk
from ..c.summary import Evaluator, State
from ..check.reading import Reading
from ..check.rules import Facts, number
from ..engine.guards import FALSE, Guards
from ..engine.maps import Key
from ..engine.portfolio import Inquiry, Portfolio
from ..engine.solve import Feasibility
from ..engine.values import and_, is_symbolic
from ..engine.verdict import Change, Location, Obligation, Query, Run, Value, Verdict
from .program import Forms

SAME = "equivalent"
ORDER = "same-order"
ASKED: Mapping[str, str] = {
    ORDER: "locks, barriers and calls come in the same order, each with the same state, by the same atomic operations",
    SAME: "both return the same, leave the same state, make the same calls, and break the same rules",
}
"""What is asked of a pair, in the order of the answers: what takes longer comes last."""
METHOD = "both evaluated over the same state and arguments, all loops run to their end"
UNDEFINED = ("in-bounds", "no-undefined", "bug-on-unreachable")
"""The rules past which a run means nothing: it is not compared."""
FEASIBLE = 2_000_000
"""Solver's steps for a question of the evaluation itself; no answer counts as yes."""
WHEN = 3_000_000
"""Solver's steps for a question about when two functions differ."""
TRIES = 24
"""Plain states from which both are run before a solver is asked."""
MOST_LITERALS = 40
ALREADY = "they differ in one go, so not asked"
OCCURS = "a state with something in its list registers; that it occurs is not shown"


@dataclass(frozen=True, slots=True)
class Half:
    """A function of one of the two programs."""

    reading: Reading
    name: str
    in_interrupt: bool

    @property
    def function(self) -> Function:
        """The function, lowered."""
        return self.reading.program.functions[self.name]


@dataclass(frozen=True, slots=True)
class Pair:
    """A function in the old and the new program, to be compared."""

    old: Half
    new: Half
    portfolio: Portfolio

    @property
    def subject(self) -> str:
        """Its name, the new one where it has two."""
        return self.new.name


@dataclass(frozen=True, slots=True)
class End:
    """How an evaluation ended. `broken` has by rule the guard under which it is, and of plain runs where."""

    half: Half
    evaluator: Evaluator
    state: State
    result: Any
    effects: Effects
    broken: Mapping[str, int]
    where: tuple[tuple[str, Loc, str], ...]

    @property
    def defined(self) -> int:
        """The guard under which the function returns and does nothing undefined."""
        g = self.evaluator.guards
        bad = g.any(self.broken.get(kind, FALSE) for kind in UNDEFINED)
        return g.and_(self.state.path, g.not_(bad))


def comparable(pair: Pair) -> str:
    """Say why two functions cannot be called with the same arguments, or nothing where they can."""
    old, new = pair.old.function, pair.new.function
    if [old.locals[p] for p in old.params] != [new.locals[p] for p in new.params] or old.result != new.result:
        return "its parameters or its result are of other types than before"
    for half in (old, new):
        tags = [k.target.tag for p in half.params if isinstance(k := half.locals[p], Pointer)
                if isinstance(k.target, StructRef)]  # fmt: skip
        if len(tags) != len(set(tags)):
            return "two of its parameters point to the same structure, which may be one object or two"
    return ""


def judge(pair: Pair) -> Iterator[Obligation]:
    """Yield the two obligations of a pair."""
    obstacle = comparable(pair)
    if obstacle:
        where = pair.new.function.loc
        for kind in ASKED:
            yield Obligation(kind, pair.subject, Verdict.UNSUPPORTED, METHOD, reason=obstacle,
                             location=Location(where.file, where.line), settled=True)  # fmt: skip
        return
    bare, kept = _Attempt(pair, assumes=False), _Attempt(pair, assumes=True)
    straight = _has_no_loop(pair.old) and _has_no_loop(pair.new)
    shown = kept.tried(SAME)
    if shown is not None:
        yield Obligation(ORDER, pair.subject, Verdict.NOT_RUN, METHOD, reason=ALREADY, settled=True)
        yield shown
        return
    yield kept.tried(ORDER) or _judged(ORDER, bare if straight else kept, kept)
    yield _judged(SAME, bare if straight else kept, kept)


def _judged(kind: str, first: _Attempt, then: _Attempt) -> Obligation:
    found = first.obligation(kind)
    return found if first is then or found.verdict is Verdict.PROVED else then.obligation(kind)


def _has_no_loop(half: Half) -> bool:
    """Say whether nothing that a function gets to has a loop, whose length may be bounded by what is assumed."""
    program = half.reading.program
    reached = Forms(program).reaches(half.name)
    return not any(shape(program.functions[f]).loops for f in reached if f in program.functions)


@dataclass(slots=True)
class _Attempt:
    """Both functions evaluated, with what the binding says of the state assumed, or without."""

    pair: Pair
    assumes: bool
    _invariants: dict[str, list[Invariant]] = field(default_factory=dict)
    _facts: Facts = field(init=False)
    _inputs: Arbitrary = field(init=False)
    _inquiry: Inquiry = field(init=False)
    _ends: tuple[End, End] | None = None
    _refusal: Unsupported | None = None
    _names: vgic.Names = field(default_factory=vgic.Names)

    def __post_init__(self) -> None:
        for half in (self.pair.old, self.pair.new):
            program = half.reading.program
            state = {(i.region, i.text) for i in vgic.representation(program)}
            for i in vgic.invariants(program, vgic.Context(half.name, half.in_interrupt)):
                same = self._invariants.setdefault(i.region, [])
                if (self.assumes or (i.region, i.text) not in state) and all(i.text != k.text for k in same):
                    same.append(i)

    def obligation(self, kind: str) -> Obligation:
        """Judge one of the two."""
        found = Obligation(kind, self.pair.subject, Verdict.PROVED, method=METHOD)
        ends = self._evaluated()
        if ends is None:
            assert self._refusal is not None
            loc = self._refusal.loc or self.pair.new.function.loc
            found.verdict, found.reason, found.settled = Verdict.UNSUPPORTED, self._refusal.construct, True
            found.location = Location(loc.file, loc.line)
            return found
        goal = ends[0].evaluator.guards.term(self._differ(kind, *ends))
        queries: dict[Query, None] = {}
        asked = self._inquiry.impossible(kind, goal, self._facts.all)
        queries[asked.query] = None
        found.seconds = asked.seconds
        if asked.result == "unsat":
            self._witness(found, ends, queries)
        elif asked.result == "sat" and (model := self._facts.feasible.state(goal)) is not None and self.assumes:
            self._told(found, kind, model, goal)
        else:
            found.verdict = Verdict.UNKNOWN
            found.reason = asked.reason or "whether they differ: no answer"
        found.queries = tuple(queries)
        found.solvers = tuple(dict.fromkeys(s for q in queries for s in q.solvers))
        found.cached = all(q.cached for q in queries)
        found.assumptions = tuple(self._facts.used)
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
            self._facts = Facts(self._invariants, Feasibility(FEASIBLE, models=24), vgic.QUIET)
            self._inputs = Arbitrary(self._facts.constrain, self._facts.relate, vgic.pointers, small=0)
            self._inquiry = Inquiry(self.pair.portfolio)
            guards = Guards()
            try:
                old, new = (self._run(h, self._inputs, guards) for h in (self.pair.old, self.pair.new))
                self._ends = old, new
            except Unsupported as cause:
                self._refusal = cause
        return self._ends

    def _run(self, half: Half, inputs: Inputs, guards: Guards) -> End:
        """Evaluate one of the two. Parameters are called what the old ones are, whose arguments they are given."""
        e = Evaluator(
            half.reading.program,
            inputs,
            INTRINSICS,
            bool if isinstance(inputs, Given) else self._facts.feasible,
            ours=half.reading.others,
            follows_unset=True,
            bitmaps=vgic.BITMAPS,
            watched=vgic.WATCHED,
            guards=guards,
        )
        kinds = [half.function.locals[p] for p in half.function.params]

        def arguments() -> list[Any]:
            return [
                vgic.argument(e.inputs, e.layout, name, kind, half.in_interrupt)
                for name, kind in zip(self.pair.old.function.params, kinds, strict=True)
            ]

        state, result = e.from_function(half.name, arguments)
        if isinstance(result, Search):
            result = e.resolved(result)
        broken: dict[str, int] = {}
        for claim in e.claims:
            fails = guards.and_(claim.path, guards.not_(claim.holds))
            broken[claim.kind] = guards.or_(broken.get(claim.kind, FALSE), fails)
        where = tuple((c.kind, c.loc, c.text) for c in e.claims)
        return End(half, e, state, result, finished(e, state), broken, where)

    # Differences ------------------------------------------------------------------------------------

    def _differ(self, kind: str, old: End, new: End) -> int:
        """Return the guard under which the two are not the same."""
        g = old.evaluator.guards
        both = g.and_(old.defined, new.defined)
        if kind == ORDER:
            return g.and_(both, g.of(_unlike(old.effects.order, new.effects.order)))
        undefined = [g.any(end.broken.get(k, FALSE) for k in UNDEFINED) for end in (old, new)]
        return g.any([
            g.and_(both, g.any(g.of(d) for d in self._cells(old, new))),
            *(self._either(g, old.broken.get(k, FALSE), new.broken.get(k, FALSE))
              for k in sorted(old.broken.keys() | new.broken.keys()) if k not in UNDEFINED),
            self._either(g, *undefined),
            g.and_(self._either(g, old.state.path, new.state.path), g.not_(g.any(undefined))),
        ])  # fmt: skip

    def _either(self, g: Guards, a: int, b: int) -> int:
        return g.or_(g.and_(a, g.not_(b)), g.and_(b, g.not_(a)))

    def _cells(self, old: End, new: End) -> Iterator[Any]:
        """Yield the conditions under which the result, the calls or a cell that either wrote are not the same."""
        kind = self.pair.old.function.result
        if not isinstance(kind, Void):
            yield _unlike(*(word(e.evaluator, e.result, _bits(kind)) for e in (old, new)))
        yield _unlike(old.effects.calls, new.effects.calls)
        for name, key in self._written(old, new):
            yield _unlike(*(self._content(end, name, key) for end in (old, new)))

    def _written(self, old: End, new: End) -> Iterator[tuple[str, Key]]:
        for name in sorted(old.state.memory.written | new.state.memory.written):
            if not is_local(name):
                keys: dict[Any, Key] = {}
                for end in (old, new):
                    region = end.state.memory.regions.get(name)
                    for _, key, _ in region.written() if region is not None else ():
                        keys.setdefault(tuple(k.get_id() if is_symbolic(k) else (k,) for k in key), key)  # type: ignore[attr-defined]
                yield from ((name, key) for key in keys.values())

    def _content(self, end: End, name: str, key: Key) -> Any:
        e = end.evaluator
        region = end.state.memory.regions.get(name)
        place = e.layout.kinds.get(name)
        if region is None or place is None:
            place = next(
                h.layout.kinds[name] for h in (x.evaluator for x in self._both_ends()) if name in h.layout.kinds
            )
            region = end.state.memory.region(replace(place, region=name))
        return content(e, region, key, _bits(place.type))

    def _both_ends(self) -> tuple[End, End]:
        assert self._ends is not None
        return self._ends

    # A difference, found by trying --------------------------------------------------------------------

    def tried(self, kind: str) -> Obligation | None:
        """Run both from some plain states: a difference that is easy to meet needs no solver."""
        for cells in self._states(kind):
            if self._shown(kind, cells, ordinary=True) is not None:
                found = Obligation(kind, self.pair.subject, Verdict.REFUTED, method=METHOD)
                self._tell(found, kind, cells, ordinary=True)
                return found
        return None

    def _states(self, kind: str) -> Iterator[Cells]:
        """Yield the state that a new VM is in, and others near it, the same on every run."""
        yield {}
        chance = random.Random(f"{self.pair.subject} {kind}")
        cells: Cells = {}
        for n in range(TRIES):
            touched = self._touched(cells)
            if touched is None:
                return
            cells = {} if n % 4 == 0 else dict(cells)
            for (region, key), value in sorted(touched.items(), key=str):
                other = chance.choice((value, 0, 1, chance.randrange(8), chance.getrandbits(8), chance.getrandbits(32)))
                rules = [*(i.holds for i in self._invariants.get(region, ())), vgic.QUIET.get(region, _any)]
                if all(holds(key, other) is True for holds in rules):
                    cells[region, key] = other
            yield cells

    def _touched(self, cells: Cells) -> Cells | None:
        given = Given(cells, vgic.pointers, vgic.FILL)
        try:
            for half in (self.pair.old, self.pair.new):
                self._run(half, given, Guards())
        except Unsupported:
            return None
        return given.touched

    # A difference, shown ------------------------------------------------------------------------------

    def _told(self, found: Obligation, kind: str, model: Any, goal: Any) -> None:
        """Show a difference by two plain runs from one state, made small, or say that no run shows it."""
        quiet = self._facts.feasible.state(and_(goal, *self._facts.quiet, *self._wishes()))
        if quiet is None:
            quiet = self._facts.feasible.state(and_(goal, *self._facts.quiet))
        for state, ordinary in ((quiet, True), (model, False)):
            if state is None:
                continue
            cells = _cells_of(self._inputs, state)
            if self._shown(kind, cells, ordinary) is not None:
                self._tell(found, kind, cells, ordinary, goal)
                return
        found.verdict, found.settled = Verdict.UNKNOWN, True
        found.reason = "they could not be shown to be the same, and no run tells them apart"

    def _tell(self, found: Obligation, kind: str, cells: Cells, ordinary: bool, goal: Any = None) -> None:
        small, told = self._smallest(kind, cells, ordinary)
        if goal is None and (ends := self._evaluated()) is not None:
            goal = ends[0].evaluator.guards.term(self._differ(kind, *ends))
        when = "" if goal is None else self._when(goal, small)
        found.verdict, found.reason, found.location = Verdict.REFUTED, told.violated, told.fault
        found.run = replace(told, start="" if ordinary else OCCURS, ends=(when,) if when else ())
        found.assumptions = tuple(self._facts.used) if self._ends is not None else ()

    def _wishes(self) -> list[Any]:
        """List what makes an example easy to read."""
        online = self._inputs.word(f"{vgic.KVM}.online_vcpus.counter", (), 32)
        return [online == 1, self._inputs.word(vgic.SELF, (), 3) == 0]

    def _shown(self, kind: str, cells: Cells, ordinary: bool) -> tuple[Run, Cells] | None:
        """Run both from plain cells; return what tells them apart, and the cells that the runs read."""
        given = [Given(cells, vgic.pointers, vgic.FILL) for _ in range(2)]
        try:
            old, new = (self._run(h, i, Guards()) for h, i in zip((self.pair.old, self.pair.new), given, strict=True))
        except Unsupported:
            return None
        touched = {**given[0].touched, **given[1].touched}
        for (region, key), value in {**cells, **touched}.items():
            if not all(i.holds(key, value) is True for i in self._invariants.get(region, ())):
                return None
            quiet = vgic.QUIET.get(region)
            if ordinary and quiet is not None and quiet(key, value) is not True:
                return None
        changes = tuple(self._differences(kind, old, new))
        if not changes:
            return None
        inputs = tuple(
            Value(self._names.name(*cell), _shown(value))
            for cell, value in sorted(touched.items(), key=lambda item: self._names.name(*item[0]))
            if value and value != vgic.FILL.get(cell[0])
        )
        first = changes[0]
        return Run(
            violated=f"{first.name}: {first.before} before, {first.after} now",
            inputs=inputs,
            changes=changes,
            fault=_first_line(old, new),
            path=tuple(dict.fromkeys(step.line for step in new.evaluator.trace)),
            returned=new.state.path != FALSE,
            replayed=("python",),
        ), touched

    def _differences(self, kind: str, old: End, new: End) -> Iterator[Change]:
        """Yield what two plain runs do not do alike, as what the old one does and what the new one."""
        if kind == SAME:
            broken = [{k: (loc, text) for k, loc, text in end.where} for end in (old, new)]
            undefined = [any(k in UNDEFINED for k in b) for b in broken]
            for rule in sorted(broken[0].keys() | broken[1].keys()):
                counts = undefined[0] != undefined[1] if rule in UNDEFINED else (rule in broken[0]) != (
                    rule in broken[1])  # fmt: skip
                if counts:
                    yield _unequal(rule, [_breaks(b.get(rule), self._names) for b in broken])
            if any(undefined):
                return
        elif any(k in UNDEFINED for end in (old, new) for k, _, _ in end.where):
            return
        if (old.state.path == FALSE) != (new.state.path == FALSE):
            if kind == SAME:
                yield _unequal("it returns", ["no" if e.state.path == FALSE else "yes" for e in (old, new)])
            return
        if kind == ORDER:
            yield from _first_event(old.effects.order, new.effects.order, self._names)
            return
        if not isinstance(self.pair.old.function.result, Void):
            results = [_plain_word(e.result, _bits(self.pair.old.function.result)) for e in (old, new)]
            if results[0] != results[1]:
                yield _unequal("the result", [_shown(r) for r in results])
        yield from _first_event(old.effects.calls, new.effects.calls, self._names)
        for name, key in self._written(old, new):
            values = []
            for end in (old, new):
                region = end.state.memory.regions.get(name)
                place = old.evaluator.layout.kinds.get(name) or new.evaluator.layout.kinds[name]
                region = region if region is not None else end.state.memory.region(replace(place, region=name))
                values.append(_plain_word(region[key], _bits(place.type)))
            if values[0] != values[1]:
                yield _unequal(self._names.name(name, key), [_shown(v) for v in values])

    def _smallest(self, kind: str, cells: Cells, ordinary: bool) -> tuple[Cells, Run]:
        """Make cells what a run has anyway, or as few bits as can be, where the two still differ."""
        best, _ = shrunk(cells, lambda some: self._shown(kind, some, ordinary), lambda shown: shown[1])
        return best[1], best[0]

    def _when(self, goal: Any, example: Cells) -> str:
        """Return a condition on the inputs under which the two always differ, as weak as is found, or nothing."""
        terms = {}
        for cell, value in example.items():
            usual = cell[0] in vgic.QUIET and value == vgic.FILL.get(cell[0], 0)
            if not usual and (term := self._term(*cell)) is not None:
                terms[cell] = term
        literals = {cell: _equal(term, example[cell]) for cell, term in sorted(terms.items(), key=str)}
        if len(literals) > MOST_LITERALS:
            return ""
        solver = z3.Solver()
        solver.set("rlimit", WHEN)
        solver.add(
            *(f for f in self._facts.all if f is not True), z3.Not(goal) if is_symbolic(goal) else z3.BoolVal(False)
        )

        def always(chosen: Mapping[Any, Any]) -> bool:
            return bool(solver.check(*chosen.values()) == z3.unsat)

        if not always(literals):
            return ""
        words = {cell: f"{self._names.name(*cell)} == {_shown(example[cell])}" for cell in literals}
        for cell in list(literals):
            rest = {c: t for c, t in literals.items() if c != cell}
            if always(rest):
                literals = rest
                continue
            for text, weaker in _weaker(terms[cell], example[cell]):
                if always({**rest, cell: weaker}):
                    literals[cell], words[cell] = weaker, f"{self._names.name(*cell)} {text}"
                    break
        return " and ".join(words[c] for c in literals) or "always"

    def _term(self, region: str, key: Key) -> Any:
        """Return the cell of the inputs at a plain key, or None where nothing says how wide it is."""
        for known, term in self._inputs.cells.get(region, {}).values():
            if known == key and not any(is_symbolic(k) for k in known):
                return term
        place = next((p for e in self._both_ends() if (p := e.evaluator.layout.kinds.get(region)) is not None), None)
        if place is None or not isinstance(place.type, Int):
            return None
        return self._inputs.bit(region, key) if place.bitmap else self._inputs.word(region, key, place.type.bits)


def _any(key: Key, value: Any) -> bool:
    return True


def _unequal(what: str, values: Sequence[str]) -> Change:
    old, new = values
    return Change(what, old, new, matters=True)


def _bits(kind: Any) -> int:
    return kind.bits if isinstance(kind, Int) else 0


def _unlike(a: Any, b: Any) -> Any:
    return False if a.eq(b) else a != b


def _equal(term: Any, value: int) -> Any:
    return term == bool(value) if z3.is_bool(term) else term == value


def _weaker(term: Any, value: int) -> Iterator[tuple[str, Any]]:
    if value and not z3.is_bool(term):
        yield "!= 0", term != 0
        yield f">= {_shown(value)}", z3.UGE(term, value)
        yield f"<= {_shown(value)}", z3.ULE(term, value)


def _cells_of(inputs: Arbitrary, model: Any) -> Cells:
    """Return the cells of a state that the solver found."""
    return {
        (region, tuple(number(model, k, signed=True) if is_symbolic(k) else k for k in key)): number(model, term)
        for region, known in inputs.cells.items()
        for key, term in known.values()
    }


def _plain_word(value: Any, bits: int) -> Any:
    if isinstance(value, Uninitialised):
        return 0
    return value & ((1 << bits) - 1) if isinstance(value, int) and bits else value


def _shown(value: Any) -> str:
    if isinstance(value, int):
        return str(int(value)) if value < 256 else f"{value:#x}"
    return str(value)


def _breaks(found: tuple[Loc, str] | None, names: vgic.Names) -> str:
    return "kept" if found is None else f"broken at line {found[0].line}: {names.spoken(found[1])}"


def _first_event(old: Sequence[Any], new: Sequence[Any], names: vgic.Names) -> Iterator[Change]:
    """Yield the first event that two plain runs do not have in common."""
    for n in range(max(len(old), len(new))):
        a, b = (chain[n] if n < len(chain) else None for chain in (old, new))
        if a == b:
            continue
        if a is not None and b is not None and a[:2] == b[:2]:
            name = f"what is done by the time of {_said(a)}"
            left, right = (", ".join(sorted(_cell(c, names) for c in x - y)) or "nothing else"
                           for x, y in ((a[2], b[2]), (b[2], a[2])))  # fmt: skip
            yield Change(name, left, right, True)
        else:
            yield Change("lock, barrier or call", _said(a), _said(b), True)
        return


def _said(event: Any) -> str:
    if event is None:
        return "none"
    name, args, _ = event
    return "return" if name == "return" else f"{name}({', '.join(vgic.Names().spoken(_shown(a)) for a in args)})"


def _cell(cell: tuple[Any, ...], names: vgic.Names) -> str:
    if len(cell) == 2:
        return f"{cell[0]}() on {names.spoken(cell[1])}"
    return f"{names.name(cell[0], cell[1])} = {_shown(cell[2])}"


def _first_line(old: End, new: End) -> Location:
    """Return the first line of the new run at which the two do not take the same text any more, or its last."""
    texts = [[(step, _text(end, step)) for step in end.evaluator.trace] for end in (old, new)]
    for n, (step, text) in enumerate(texts[1]):
        if n >= len(texts[0]) or texts[0][n][1] != text:
            return Location(step.file, step.line)
    last = texts[1][-1][0] if texts[1] else new.half.function.loc
    return Location(last.file, last.line)


def _text(end: End, loc: Loc) -> str:
    return " ".join(end.half.reading.lines.get((loc.file, loc.line), "").split())
