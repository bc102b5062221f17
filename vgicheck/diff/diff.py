"""Comparing two C implementations, function by function.

A function that is the same program in both, with all that it gets to, is equivalent by that.  Any other is compared
with its old self: by its own name, or by that of the function that has gone and is most like it.  What cannot be called
by itself, or not with the same arguments, is compared where others call it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import partial

from proofs.bindings import vgic

from ..c.ir import Unsupported
from ..check.check import reading_of
from ..check.entries import Entries, entries
from ..check.reading import Reading
from ..check.tree import Source, SourceError, no_function
from ..engine.cache import digest_of
from ..engine.portfolio import Portfolio
from ..engine.tasks import Runner, Task
from ..engine.verdict import Assumption, Location, Obligation, Run, Verdict
from .pair import ASKED, judge
from .program import Forms
from .running import ORDER, SAME, Half, Pair

SECONDS_A_TASK = 2
"""A function may take so many times the limit of one question."""
ALIKE = 0.7
"""How much of a function that has gone another must share, to be taken for it under a new name."""
OF_EQUIVALENTS = "the same text in both, of functions that are equivalent"
APART = Assumption("what a parameter points to is reached by no other way", "the callers of what differs in its text")
AT_EACH_CALL = Assumption(
    "what is assumed of the state holds at each call of what differs in its text", "the functions that call it"
)
THE_SAME_PROGRAM = "the same program in both, with all that it gets to"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a function.

    change        `added`, `removed`, `equivalent`, `different`, `unsupported` or `unknown`
    old, new      where it stands
    was           its name before, where that was another
    differs_when  a condition on its inputs under which it always differs, where one was found
    example       two runs that differ
    note          what else is to say of it, in a few words
    """

    name: str
    change: str
    old: Location | None = None
    new: Location | None = None
    was: str = ""
    differs_when: str = ""
    example: Run | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found."""

    old: Source
    new: Source
    functions: tuple[Change, ...]
    obligations: tuple[Obligation, ...]
    lines: Mapping[tuple[str, int], str]


@dataclass(slots=True)
class _Side:
    """All files of a source, and which of them each function stands in."""

    source: Source
    readings: list[Reading] = field(default_factory=list)
    home: dict[str, Reading] = field(default_factory=dict)
    known: dict[int, Entries] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in self.source.paths:
            reading = reading_of(self.source, path)
            self.readings.append(reading)
            self.known[id(reading)] = entries(reading)
            for name in reading.places:
                self.home.setdefault(name, reading)
        if not self.home:
            raise no_function(self.source)

    def entries(self, name: str) -> Entries:
        return self.known[id(self.home[name])]

    def place(self, name: str) -> Location:
        loc, _ = self.home[name].places[name]
        return Location(loc.file, loc.line)

    def unread(self, name: str) -> Unsupported | None:
        return self.home[name].unread.get(name)

    def half(self, name: str) -> Half:
        return Half(self.home[name], name, name in self.entries(name).handlers)

    def callers(self, name: str) -> frozenset[str]:
        """List what is called from outside and gets to a function, but for the function itself."""
        known = self.entries(name)
        return frozenset(r for r in known.roots if r != name and name in known.reach.get(r, ()))


def compare(old: Source, new: Source, runner: Runner, function: str = "") -> Compared:
    """Compare two sources, all functions or one of them. Raises `SourceError` where there is nothing to compare."""
    return Comparison.of(old, new).compared(runner, function)


@dataclass(slots=True)
class Comparison:
    """Two sources that were read, and which function of one is which of the other."""

    old: _Side
    new: _Side
    names: dict[str, str] = field(init=False)
    """For each function that is in both, its new name, by its old one."""
    _forms: dict[tuple[int, bool], Forms] = field(default_factory=dict)

    @classmethod
    def of(cls, old: Source, new: Source) -> Comparison:
        """Read two sources."""
        return cls(_Side(old), _Side(new))

    def pair(self, a: str, b: str, portfolio: Portfolio) -> Pair:
        """Return a function under its old and its new name, to be compared."""
        return Pair(self.old.half(a), self.new.half(b), portfolio, self.names)

    def __post_init__(self) -> None:
        self.names = {name: name for name in self.old.home if name in self.new.home}
        gone = [n for n in self.old.home if n not in self.names and self.old.unread(n) is None]
        come = [n for n in self.new.home if n not in self.names and self.new.unread(n) is None]
        likely = [(self._likeness(a, b), a, b) for a in gone for b in come]
        for share, a, b in sorted(likely, key=lambda x: -x[0]):
            if share >= ALIKE and a not in self.names and b not in self.names.values():
                self.names[a] = b

    def _likeness(self, a: str, b: str) -> float:
        one, two = (Forms(side.home[n].program, {n: ""}).own(n) for side, n in ((self.old, a), (self.new, b)))
        if one[:1] != two[:1]:
            return 0.0
        return SequenceMatcher(None, one[2], two[2], autojunk=False).ratio()

    def compared(self, runner: Runner, function: str) -> Compared:
        """Compare all functions, or one. Raises `SourceError` where there is nothing to compare."""
        pairs = {a: b for a, b in self.names.items() if function in ("", a, b)}
        if function and not pairs:
            where = self.new if function in self.new.home else self.old
            if function in where.home:
                other = self.old if where is self.new else self.new
                raise SourceError(f"--function {function}", f"it is not in {other.source.name}", "name one of both")
            raise SourceError(f"--function {function}", "it is in neither source", "name a function of both")
        if not pairs:
            raise SourceError(self.new.source.name, f"no function of {self.old.source.name} is there", "compare others")
        found = {b: self._without_judging(a, b) for a, b in self.names.items()}
        left = [(a, b) for a, b in pairs.items() if found[b] is None]
        changed = [(a, b) for a, b in self.names.items() if found[b] is None and self._is_changed(a, b)]
        self._judge(changed if not function else left, runner, found)
        if not function:
            self._judge([(a, b) for a, b in left if found[b] is None and not self._follows(a, b, found)], runner, found)
        obligations = [o for b in self.new.home if b in found for o in self._in_callers(b, found)]
        changes = self._changes(pairs, obligations, everything=not function)
        lines = {place: line for reading in self.new.readings for place, line in reading.lines.items()}
        return Compared(self.old.source, self.new.source, tuple(changes), tuple(obligations), lines)

    def _without_judging(self, a: str, b: str) -> list[Obligation] | None:
        """Return the obligations of a function that needs no evaluation, or that cannot be evaluated."""
        for side, name in ((self.old, a), (self.new, b)):
            cause = side.unread(name)
            reach = side.entries(name).reach.get(name, frozenset())
            program = side.home[name].program
            lost = sorted(reach & program.unsupported.keys()) if cause is None else []
            if lost:
                cause = program.unsupported[lost[0]]
            if cause is not None:
                place = Location(cause.loc.file, cause.loc.line) if cause.loc else side.place(name)
                if self._same_text(a, b):
                    break
                return [
                    Obligation(kind, b, Verdict.UNSUPPORTED, reason=f"of {side.source.name}: {cause.construct}",
                               location=place) for kind in ASKED
                ]  # fmt: skip
        else:
            forms = [self._form(self.old, a, renamed=True), self._form(self.new, b, renamed=False)]
            if forms[0].whole(a) != forms[1].whole(b):
                return None
        return [Obligation(kind, b, Verdict.PROVED, method=THE_SAME_PROGRAM) for kind in ASKED]

    def _is_changed(self, a: str, b: str) -> bool:
        """Say whether a function's own text is another, not only that of something that it calls."""
        return self._form(self.old, a, renamed=True).own(a) != self._form(self.new, b, renamed=False).own(b)

    def _same_stub(self, a: str, b: str, name: str) -> bool:
        """Say whether what two functions get to outside of the files under judgement is the same program in both."""
        old, new = self._form(self.old, a, renamed=True), self._form(self.new, b, renamed=False)
        there = name in old.program.functions, name in new.program.functions
        return there == (False, False) or (there == (True, True) and old.own(name) == new.own(name))

    def _follows(self, a: str, b: str, found: dict[str, list[Obligation] | None]) -> bool:
        """Tell of a function whose own text is as before what follows from what is known of what it gets to.

        Where all of that does the same, so does it.  Where some of it differs, it is not compared: it
        may differ too, and where is told already.
        """
        reach = self._form(self.new, b, renamed=False).reaches(b) - {b}
        known = [o for f in reach for o in found.get(f) or ()]
        come = sorted(f for f in reach if f in self.new.home and f not in self.names.values())
        differ = sorted({o.subject for o in known if o.verdict is Verdict.REFUTED})
        if differ:
            why = f"its own text is as before, and it gets to {', '.join(f'{f}()' for f in differ)}, which differs"
            found[b] = [Obligation(kind, b, Verdict.NOT_RUN, reason=why, location=self.new.place(b)) for kind in ASKED]
            return True
        judged = {f for f in reach if f in self.new.home and found.get(f) is not None}
        here = {f for f in reach if f in self.new.home}
        if not all(self._same_stub(a, b, f) for f in reach - here):
            return False
        if come or judged != here or any(o.verdict is not Verdict.PROVED for o in known):
            return False
        taken = dict.fromkeys(a for o in known for a in o.assumptions)
        taken = dict.fromkeys((APART, *((AT_EACH_CALL, *taken) if taken.keys() - {APART} else taken)))
        solvers = tuple(dict.fromkeys(s for o in known for s in o.solvers))
        queries = tuple(dict.fromkeys(q for o in known for q in o.queries))
        found[b] = [
            Obligation(kind, b, Verdict.PROVED, OF_EQUIVALENTS, "", tuple(taken), solvers, queries=queries)
            for kind in ASKED
        ]
        return True

    def _same_text(self, a: str, b: str) -> bool:
        """Say whether what was not understood is the same whole text in both sources."""
        one, two = ((side.home[n].text, side.source.paths) for side, n in ((self.old, a), (self.new, b)))
        return one == two

    def _form(self, side: _Side, name: str, renamed: bool) -> Forms:
        reading = side.home[name]
        key = (id(reading), renamed)
        if key not in self._forms:
            self._forms[key] = Forms(reading.program, self.names if renamed else {})
        return self._forms[key]

    def _judge(
        self, left: Sequence[tuple[str, str]], runner: Runner, found: dict[str, list[Obligation] | None]
    ) -> None:
        tasks = []
        for a, b in left:
            pair = self.pair(a, b, runner.portfolio)
            key = ("diff", a, b, digest_of(pair.old.reading.text), digest_of(pair.new.reading.text))
            tasks.append(Task(key, tuple((kind, b) for kind in ASKED), partial(judge, pair)))
        limit = SECONDS_A_TASK * runner.portfolio.timeout
        for (_, b), answers in zip(left, runner.run(tasks, limit), strict=True):
            bounds = f"INTID 0..{vgic.nr_irqs(self.new.home[b].program) - 1}"
            found[b] = [replace(o, bounds=bounds) for o in answers]

    def _in_callers(self, b: str, found: Mapping[str, list[Obligation] | None]) -> list[Obligation]:
        """Return the obligations of a function; what could not be said of it alone may be so of all that call it."""
        told = []
        for o in found[b] or ():
            callers = sorted(self.new.callers(b))
            answers = [x for c in callers for x in found.get(c) or () if x.property == o.property]
            open_ = o.verdict in (Verdict.UNSUPPORTED, Verdict.UNKNOWN) and b not in self.new.entries(b).roots
            if open_ and callers and len(answers) == len(callers) and all(x.verdict is Verdict.PROVED for x in answers):
                o = Obligation(
                    o.property, b, Verdict.PROVED, method=f"as part of {', '.join(f'{c}()' for c in callers)}",
                    bounds=o.bounds, assumptions=tuple(dict.fromkeys(s for x in answers for s in x.assumptions)),
                    solvers=tuple(dict.fromkeys(s for x in answers for s in x.solvers)),
                )  # fmt: skip
            told.append(o)
        return told

    # What became of each ------------------------------------------------------------------------------

    def _changes(self, pairs: Mapping[str, str], found: Sequence[Obligation], everything: bool) -> list[Change]:
        before = {b: a for a, b in pairs.items()}
        changes = [self._changed(before[b], b, [o for o in found if o.subject == b])
                   for b in self.new.home if b in before]  # fmt: skip
        if everything:
            for name in self.new.home:
                if name not in self.names.values():
                    changes.append(Change(name, "added", new=self.new.place(name), note=self._split(name, found)))
            for name in self.old.home:
                if name not in self.names:
                    changes.append(Change(name, "removed", old=self.old.place(name), note=self._inlined(name, found)))
        return changes

    def _changed(self, a: str, b: str, found: Sequence[Obligation]) -> Change:
        verdicts = [o.verdict for o in found]
        told = next((o for o in found if o.verdict is Verdict.REFUTED), None)
        change = "different" if told else "equivalent"
        note = ""
        if not told and set(verdicts) != {Verdict.PROVED}:
            change = "unsupported" if Verdict.UNSUPPORTED in verdicts else "unknown"
            note = "affected" if Verdict.NOT_RUN in verdicts else ""
        elif told and told.property == ORDER and Verdict.PROVED in verdicts:
            note = "the same in one go; not as others see it"
        elif not told and any(o.assumptions for o in found):
            note = "for every state of which holds what is assumed"
        run = told.run if told else None
        return Change(
            b, change, self.old.place(a), self.new.place(b), a if a != b else "",
            run.ends[0] if run is not None and run.ends else "", run, note,
        )  # fmt: skip

    def _split(self, name: str, found: Sequence[Obligation]) -> str:
        users = self._users(self.new, name, set(self.names.values()))
        return f"split off: {users} is the same as before" if users and self._all_same(users, found) else ""

    def _inlined(self, name: str, found: Sequence[Obligation]) -> str:
        users = self._users(self.old, name, set(self.names))
        new = ", ".join(f"{self.names[u.removesuffix('()')]}()" for u in users.split(", ")) if users else ""
        return f"gone into others: {new} is the same as before" if new and self._all_same(new, found) else ""

    def _users(self, side: _Side, name: str, known: set[str]) -> str:
        reading = side.home[name]
        forms = Forms(reading.program)
        direct = [u for u in reading.program.functions if u != name and name in forms.calls(u)]
        return ", ".join(f"{u}()" for u in direct) if all(u in known for u in direct) else ""

    def _all_same(self, users: str, found: Sequence[Obligation]) -> bool:
        names = {u.removesuffix("()") for u in users.split(", ")}
        told = [o for o in found if o.subject in names and o.property == SAME]
        return len(told) == len(names) and all(o.verdict is Verdict.PROVED for o in told)
