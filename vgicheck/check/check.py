"""Checking a C implementation: every function of every file, by the rules of C.

Each function that is called from outside its file is one task, with all that it gets to.  What keeps one of them from
being evaluated is told of the functions that have it; those that were to be judged on the way are judged by
themselves then, for any arguments, and what depends on those stays open.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from model.distributor import MAX_CPUS
from proofs.bindings import functions, vgic

from ..c import clang
from ..c.confirm import confirmed
from ..c.ir import Unsupported
from ..c.stubs import linux
from ..engine.cache import digest_of
from ..engine.tasks import Runner, Task
from ..engine.verdict import Location, Obligation, Verdict
from . import refine, rules
from .entries import Entries, entries
from .items import code_of, includes
from .reading import Part, Reading, read
from .tree import FOLDERS, Source, no_function

IDS = (*dict.fromkeys((*rules.RULES, *refine.IDS, *(p.property for p in functions.PROMISES))),)
"""The properties that are judged of every function, those of a bound one, and those that single functions promise."""
SECONDS_A_TASK = 4
"""A function, with what it gets to, may take so many times the limit of one question."""
_PLAIN_LOCK = re.compile(r"\b(?:raw_)?spin_lock(?:_bh)?\s*\(")


@dataclass(frozen=True, slots=True)
class FunctionReport:
    """A function under judgement, and where it is."""

    name: str
    location: Location


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found; `lines` holds the source lines that a run may point at."""

    source: Source
    functions: tuple[FunctionReport, ...]
    obligations: tuple[Obligation, ...]
    lines: dict[tuple[str, int], str]


def check(source: Source, properties: Sequence[str], runner: Runner, native: bool = False) -> Checked:
    """Judge every function of a source. Raises `SourceError` where there is no function at all.

    With `native` its refutations are replayed in compiled C as well: code of the source is run.

    Of a VGIC in several files each is read by itself, so nothing is refuted there: callers in the others may keep from
    a function what breaks it.
    """
    reports: list[FunctionReport] = []
    found: list[Obligation] = []
    lines: dict[tuple[str, int], str] = {}
    for path in source.paths:
        reading = reading_of(source, path)
        lines.update(reading.lines)
        reports += [FunctionReport(name, Location(loc.file, loc.line)) for name, (loc, _) in reading.places.items()]
        is_part = str(PurePosixPath(path).parent) in FOLDERS
        judged = _judged(reading, properties, runner, is_part)
        if is_part:
            judged = [_for_any_arguments(o, "its callers are in other files") for o in judged]
        told = {o.id for o in judged}
        everything = _with_promises(judged, _promises(reading, properties, told, runner), reading)
        found += [confirmed(o, reading.text, reading.defines) for o in everything] if native else everything
    if not reports:
        raise no_function(source)
    return Checked(source, tuple(reports), tuple(found), lines)


def reading_of(source: Source, path: str, *behind: Part) -> Reading:
    """Read one file of a source, with the headers and stubs that go before it, and what is to stand behind it.

    With something behind it the file is to be run, and VGICHECK_RUN is defined.
    """
    text = source.tree.read(path)
    assert text is not None
    folder = str(PurePosixPath(path).parent)
    linked = [
        Part(name, there, judged=True) for name in source.beside.get(path, ()) if (there := source.tree.read(name))
    ]
    texts = [text, *(part.text for part in linked)]
    beside = list(dict.fromkeys(i.name for t in texts for i in includes(t) if not i.angled))
    before, defines = vgic.headers(source.tree, folder, beside)
    beside_it = {f"{folder}/{name}" for name in beside}
    parts = [
        Part("linux.h", linux().text, ours=True),
        *(Part(h.name, h.text, ours=h.ours, judged=h.structures) for h in before),
        *linked,
        Part(path, text, judged=True),
        *behind,
    ]
    if behind:
        defines["VGICHECK_RUN"] = "1"
    found = read(parts, defines, clang.TARGET_64 if "arm64" in PurePosixPath(path).parts else clang.TARGET)
    own = "\n".join(code_of(h.text) for h in before if not h.ours and not h.structures and h.name in beside_it)
    found.internal = frozenset(name for name in found.places if re.search(rf"\b{name}\s*\(", own))
    return found


def _judged(reading: Reading, properties: Sequence[str], runner: Runner, is_part: bool) -> list[Obligation]:
    """Judge the functions of one file, in the order of the file.

    One that gets to what was not read is evaluated only of a file that `is_part` of a VGIC, where nothing is refuted:
    it may be that it does not get there in any state that is assumed.
    """
    known = entries(reading)
    wanted = partial(wanted_of, reading, known, properties)
    unreadable = reading.program.unsupported
    lost = {} if is_part else _lost(known, unreadable)
    roots = [r for r in known.roots if r not in unreadable and r not in lost]
    refined = refine.Refined.of(reading, properties, runner.portfolio)
    first = [r for r in roots if r not in known.uncalled]
    told = _run(reading, known, first, wanted, runner, refined)
    refused = _without_refused(told, known, unreadable)
    called = {o.subject for root in told for o in told[root] if o.verdict not in (Verdict.NOT_RUN, Verdict.VACUOUS)}
    second = [r for r in roots if r in known.uncalled and r not in called]
    more = _run(reading, known, second, wanted, runner)
    refused |= _without_refused(more, known, unreadable)
    tried, by_function = [*first, *second], _sorted([*told.values(), *more.values()])
    judged = [r for r in tried if r not in refused]
    callers = [r for r in known.roots if r not in known.uncalled or r not in called]
    alone = [
        name
        for name in reading.places
        if name in known.kinds
        and name not in tried
        and name not in unreadable
        and name not in lost
        and (name in known.hidden or _is_open(by_function.get(name), _callers(name, known, callers), judged))
    ]
    only_itself = _run(reading, known, alone, lambda root: [p for p in wanted(root) if p[1] == root], runner)
    by_itself = _sorted(only_itself.values())
    found: list[Obligation] = []
    for name, (loc, _) in reading.places.items():
        where = Location(loc.file, loc.line)
        cause = reading.unread.get(name) or lost.get(name)
        if cause is not None:
            place = Location(cause.loc.file, cause.loc.line) if cause.loc else where
            kinds = [k for k in _kinds(known, name, name in known.roots) if not properties or k in properties]
            found += [
                Obligation(kind, name, Verdict.UNSUPPORTED, reason=cause.construct, location=place)
                for kind in (*kinds, *refined.names(name))
            ]
            continue
        own = by_itself.get(name, {})
        for kind, answers in by_function.get(name, own).items():
            found.append(_merged(answers, own.get(kind, [])))
        found += refined.found.get(name, ())
    return found


def _lost(known: Entries, unreadable: Mapping[str, Unsupported]) -> dict[str, Unsupported]:
    """Return why functions that may get to what was not read are not judged."""
    first = {name: min(reach & unreadable.keys(), default=None) for name, reach in known.reach.items()}
    return {name: unreadable[cause] for name, cause in first.items() if cause is not None}


def _without_refused(told: dict[str, list[Obligation]], known: Entries, unreadable: Collection[str]) -> set[str]:
    """Leave of a root that got to what was not read only what is said of itself; return those roots."""
    refused = {
        root
        for root, answers in told.items()
        if known.reach[root] & set(unreadable) and any(_is_refusal(o, root) for o in answers)
    }
    for root in refused:
        told[root] = [o for o in told[root] if o.subject == root]
    return refused


def _is_refusal(found: Obligation, root: str) -> bool:
    """Say whether an obligation tells that its root was not evaluated to its end."""
    own = found.subject == root and found.verdict is Verdict.UNSUPPORTED
    return own or found.verdict is Verdict.NOT_RUN


def _sorted(told: Iterable[Sequence[Obligation]]) -> dict[str, dict[str, list[Obligation]]]:
    """Sort what was said by the function and by the property that it was said of."""
    found: dict[str, dict[str, list[Obligation]]] = {}
    for o in (o for answers in told for o in answers):
        found.setdefault(o.subject, {}).setdefault(o.property, []).append(o)
    return found


def _promises(reading: Reading, properties: Sequence[str], told: Collection[str], runner: Runner) -> list[Obligation]:
    """Judge what single functions promise, each by itself: what is refuted there is no caller's fault.

    What is `told` of a function that is bound to the model, by the ids of the obligations, is not asked again.
    """
    tasks = []
    for name in reading.places:
        if name not in reading.program.functions:
            continue
        for promise in functions.promised(reading.program, name):
            wanted = not properties or promise.property in properties
            if wanted and f"{name}/{promise.property}" not in told:
                asked = ((promise.property, name),)
                job = rules.Job(reading, vgic.Context(name), asked, runner.portfolio, promise)
                key = ("promise", digest_of(reading.text), promise.property, name)
                tasks.append(Task(key, asked, partial(rules.judge, job)))
    answers = runner.run(tasks, SECONDS_A_TASK * runner.portfolio.timeout)
    return [replace(o, bounds=_bounds(reading)) for found in answers for o in found]


def _with_promises(found: Sequence[Obligation], promises: Sequence[Obligation], reading: Reading) -> list[Obligation]:
    """Put what functions promise after what is asked of all functions, each in its place in the file."""
    return [o for name in reading.places for o in (*found, *promises) if o.subject == name]


def _callers(name: str, known: Entries, roots: Sequence[str]) -> list[str]:
    return [root for root in roots if name in known.reach[root]]


def _is_open(answers: dict[str, list[Obligation]] | None, callers: Sequence[str], judged: Sequence[str]) -> bool:
    """Say whether a function was not judged everywhere where it is called."""
    if answers is None or not set(callers) <= set(judged):
        return True
    return any(o.verdict is Verdict.NOT_RUN for same in answers.values() for o in same)


def _kinds(known: Entries, name: str, is_root: bool) -> list[str]:
    own = [k for k in rules.RULES if k != rules.KEPT or is_root]
    return [*own, *(k for k in known.kinds.get(name, ()) if k not in rules.RULES)]


def wanted_of(reading: Reading, known: Entries, properties: Sequence[str], root: str) -> list[tuple[str, str]]:
    """List what is promised of a root and of what it gets to, in the order of the file."""
    return [
        (kind, name)
        for name in reading.places
        if name in known.reach[root]
        for kind in _kinds(known, name, name == root)
        if not properties or kind in properties
    ]


def _run(
    reading: Reading,
    known: Entries,
    roots: Sequence[str],
    wanted: partial[list[tuple[str, str]]] | object,
    runner: Runner,
    refined: refine.Refined | None = None,
) -> dict[str, list[Obligation]]:
    """Judge roots with what they get to; return what is said, by the root."""
    assert callable(wanted)
    text = digest_of(reading.text)
    holders = _others_lock_with_interrupts_on(reading, known)
    tasks, judged = [], list[str]()
    for root in sorted(roots, key=lambda name: -len(known.reach[name])):
        handler = root in known.handlers
        context = vgic.Context(root, handler, handler and holders)
        promised = tuple(wanted(root))
        job = rules.Job(reading, context, promised, runner.portfolio)
        if promised:
            key = ("check", text, str(context), str(promised))
            tasks.append(Task(key, promised, partial(rules.judge, job)))
            judged.append(root)
    # What has most to do comes first, so that all processes end together.
    bounds = _bounds(reading)
    unreadable = {name for name in reading.places if known.reach.get(name, {name}) & reading.program.unsupported.keys()}
    more = refined.tasks(unreadable) if refined else []
    done = runner.run([*more, *tasks], SECONDS_A_TASK * runner.portfolio.timeout)
    for answers in done[: len(more)]:
        assert refined is not None
        refined.take(answers)
    told: dict[str, list[Obligation]] = {root: [] for root in judged}
    for root, answers in zip(judged, done[len(more) :], strict=True):
        for o in answers:
            if root in known.internal:
                o = _for_any_arguments(o, f"other files of the VGIC may call {root}")
            elif root in known.uncalled:
                it = "it" if o.subject == root else f"{root}, which gets there"
                o = _for_any_arguments(o, f"nothing in the file calls {it}")
            told[root].append(replace(o, bounds=bounds))
    return told


def _bounds(reading: Reading) -> str:
    width = ", pointers of 64 bits" if reading.program.pointer_bits == 64 else ""
    return f"vCPUs 0..{MAX_CPUS}, INTID 0..{vgic.nr_irqs(reading.program) - 1}{width}"


def _others_lock_with_interrupts_on(reading: Reading, known: Entries) -> bool:
    """Say whether any function but the interrupt handlers takes a spinlock and leaves interrupts on."""
    ranges = [place for name, place in reading.places.items() if name not in known.outside]
    return any(
        _PLAIN_LOCK.search(line)
        for (file, number), line in reading.lines.items()
        if not any(loc.file == file and loc.line <= number <= last for loc, last in ranges)
    )


_WORST = (Verdict.REFUTED, Verdict.UNSUPPORTED, Verdict.UNKNOWN, Verdict.PROVED)


def _merged(answers: Sequence[Obligation], alone: Sequence[Obligation]) -> Obligation:
    """Return one obligation for a function that was judged from several callers: as bad as the worst of them.

    Where not all of them could be evaluated, it holds if it holds for any arguments.
    """
    told = [o for o in answers if o.verdict not in (Verdict.NOT_RUN, Verdict.VACUOUS)]
    worst = min(told, key=lambda o: _WORST.index(o.verdict), default=answers[0])
    if not alone or worst.verdict in (Verdict.REFUTED, Verdict.UNSUPPORTED):
        return _whole(worst, answers)
    return _for_any_arguments(alone[0], "its callers are not understood")


def _for_any_arguments(found: Obligation, why: str) -> Obligation:
    """Return an obligation of a function of whose callers nothing is known: what is refuted may be their fault."""
    if found.verdict is not Verdict.REFUTED:
        return found
    reason = f"{found.reason}: it depends on how it is called, and {why}"
    return replace(found, verdict=Verdict.UNKNOWN, reason=reason, run=None)


def _whole(worst: Obligation, answers: Sequence[Obligation]) -> Obligation:
    assumptions = dict.fromkeys(a for o in answers for a in o.assumptions)
    return replace(
        worst,
        seconds=sum(o.seconds for o in answers),
        assumptions=tuple(assumptions),
        solvers=tuple(dict.fromkeys(s for o in answers for s in o.solvers)),
        queries=tuple(replace(q, name=f"{n}-{q.name}") for n, o in enumerate(answers) for q in o.queries),
        cached=all(o.cached for o in answers),
    )
