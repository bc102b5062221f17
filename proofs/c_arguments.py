"""Arguments about races, judged of a C source: does the premise hold, does the conclusion follow, does it hold?

The questions are those of `races`, asked of the C's own steps in the small machines of `scenes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from vgicheck.c.interleave import Asked, Claims, Moment
from vgicheck.check.reading import Reading
from vgicheck.engine.tasks import Task
from vgicheck.engine.verdict import Obligation, Verdict

from .argument import Argument
from .arguments.in_c import ELSEWHERE, IN_C, InC
from .instances import AT
from .meetings import ANY_OTHER, METHOD, Met, Source
from .races import FOLLOWS, PREMISE
from .scenes import ACCESSES, CALLED, FLUSH, INJECT, IRQ, MMIO, SMALL, SYNC, Extent, Scene, Situation, lacks


def task(argument: Argument, source: Source) -> Task:
    """Return the task of judging an argument: it promises premise, following and conclusion, in this order."""
    asked = (PREMISE, FOLLOWS, argument.conclusion)

    def run() -> Iterator[Obligation]:
        yield from judged(argument, source)

    return Task(
        ("c-argument", argument.id, source.text, *source.how),
        tuple((name, argument.id) for name in asked),
        run,
    )


def cause_task(argument: Argument, source: Source) -> Task:
    """Return the task of finding every step that breaks the conclusion of an argument, each with a shortest run.

    It promises whether there are others, and yields those that there are behind that.
    """
    name = argument.conclusion

    def run() -> Iterator[Obligation]:
        yield from _met(IN_C[argument.id], source, every=name).each_cause(name, argument.id, source)

    return Task(
        ("c-causes", argument.id, source.text, *source.how),
        ((f"{name}{AT}{ANY_OTHER}", argument.id),),
        run,
        more=True,
    )


def speaks_of(argument: Argument, source: Source) -> bool:
    """Say whether a source has what an argument speaks of."""
    in_c = IN_C.get(argument.id)
    return in_c is not None and not lacks(source.reading, INJECT, FLUSH, SYNC) and not _missing(source.reading, in_c)


def judged(argument: Argument, source: Source) -> Iterator[Obligation]:
    """Yield the verdicts on an argument: its premise, whether its conclusion follows, and that."""
    name, in_c, reading = argument.conclusion, IN_C.get(argument.id), source.reading
    why = lacks(reading, INJECT, FLUSH, SYNC)
    verdict = Verdict.UNSUPPORTED
    if in_c is None:
        why = f"it speaks of {ELSEWHERE[argument.id]}"
    elif not why:
        why, verdict = _missing(reading, in_c), Verdict.VACUOUS
    if why:
        yield from (Obligation(asked, argument.id, verdict, METHOD, reason=why) for asked in (PREMISE, FOLLOWS, name))
        return
    assert in_c is not None
    met = _met(in_c, source)
    premise, conclusion = (met.obligation(asked, argument.id, source) for asked in (PREMISE, name))
    follows = conclusion
    if premise.verdict not in (Verdict.PROVED, Verdict.VACUOUS):
        follows = _met(in_c, source, PREMISE).obligation(name, argument.id, source)
    yield premise
    yield replace(follows, property=FOLLOWS)
    yield conclusion


def _met(in_c: InC, source: Source, *believed: str, every: str = "") -> Met:
    """Let the threads of an argument meet, with what it grants and what else is `believed` taken to hold."""
    granted = frozenset(claim.sentence for claim in in_c.granted)
    machines = scenes(source.reading, in_c, source.lrs, source.extent)
    return Met.of(machines, source.limit, believed=granted | {*believed}, every=every)


def scenes(reading: Reading, in_c: InC, lrs: int | None = None, extent: Extent = SMALL) -> Iterator[Scene]:
    """Yield the machines in which the threads of an argument meet, of `lrs` list registers or its own number.

    They are of every size up to `extent`, the smallest first.  Raises `Unsupported`.
    """
    for size, cast in product(extent.up_to, in_c.casts):
        calls = {actor.calls for actor in cast}
        for situation in in_c.situations:
            scene = Scene(reading, situation.name, lrs or in_c.lrs, size)
            scene.bring_to(situation, syncs=SYNC not in {called for kind in calls for called in CALLED.get(kind, ())})
            if MMIO in calls:
                scene.store(ACCESSES[0])
            for actor in (*cast, *size.crowd(1 + max(actor.cpu for actor in cast))):
                scene.cast(replace(actor, level=int(actor.irq != IRQ or not situation.high)))
            scene.claims = _claims(in_c, scene, situation)
            yield scene


def _claims(in_c: InC, scene: Scene, situation: Situation) -> Claims:
    """Return what is claimed of each step: the premise, and what is granted."""
    named = {PREMISE: in_c.premise, **{claim.sentence: claim for claim in in_c.granted}}

    def claims(moment: Moment) -> Iterator[Asked]:
        for name, claim in named.items():
            holds = claim.holds(scene, situation, moment)
            yield Asked(name, f"it is not so that {claim.sentence}", holds is not None, bool(holds))

    return claims


def _missing(reading: Reading, in_c: InC) -> str:
    """Say which of its functions a source lacks; nothing where it has all."""
    called = [kind for cast in in_c.casts for actor in cast for kind in CALLED.get(actor.calls, (actor.calls,))]
    return lacks(reading, *called, *([MMIO] if any(s.moved for s in in_c.situations) else []))
