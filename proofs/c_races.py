"""Two functions of a C source that run at the same time: what they break that neither breaks alone.

The functions meet in the small machines of `scenes`, in every situation of the interrupt that those know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vgicheck.check.reading import Reading
from vgicheck.engine.tasks import Task
from vgicheck.engine.verdict import Obligation, Verdict

from .meetings import Met, Source
from .scenes import ACCESSES, BLOCK, FLUSH, HANDLER, INJECT, MMIO, SITUATIONS, SYNC, Actor, Scene, entry, lacks


def scenes(reading: Reading, one: str, two: str, lrs: int = 1) -> Iterator[Scene]:
    """Yield the machines in which two functions, by the names of `overlap`, meet. Raises `Unsupported`."""
    for situation in SITUATIONS:
        for access in ACCESSES if MMIO in (one, two) else (None,):
            scene = Scene(reading, situation.name + (f"; the guest {access.name}" if access else ""), lrs)
            scene.bring_to(situation, SYNC not in (one, two))
            if access is not None:
                scene.store(access)
            _cast(scene, one, two, 0 if situation.high else 1)
            yield scene


def missing(reading: Reading, one: str, two: str) -> str:
    """Say why two functions of a source cannot be run, in one line; nothing where they can."""
    if one == two and one in (HANDLER, BLOCK):
        return f"{one} does not overlap with itself"
    return lacks(reading, one, two, INJECT, FLUSH, SYNC)


def _cast(scene: Scene, one: str, two: str, level: int) -> None:
    """Put the threads on their CPUs: what is done for a vCPU, the handler that interrupts it, the device elsewhere."""
    for kind in sorted((one, two), key=lambda k: (k in (HANDLER, INJECT), k == INJECT)):
        taken = {task.cpu for task in scene.tasks if not task.in_interrupt}
        if kind == HANDLER:
            scene.cast(Actor(kind))
        else:
            cpu = 1 if kind == INJECT and 1 not in taken else min({0, 1} - taken)
            scene.cast(Actor(kind, cpu if kind != INJECT else 0, cpu, level=level))
            level = 1 - level if kind == INJECT else level


def between_task(source: Source, one: str, two: str, names: Sequence[str], all_cuts: bool = False) -> Task:
    """Return the task of asking what two functions of a source break, by the names of `overlap`."""
    subject = " | ".join(entry(source.reading, kind) for kind in (one, two))

    def run() -> Iterator[Obligation]:
        met = Met.of(scenes(source.reading, one, two, source.lrs or 1), source.limit, all_cuts)
        for name in names:
            found = met.obligation(name, subject, source)
            if found.verdict is Verdict.PROVED and not met.meet:
                found = replace(
                    found, verdict=Verdict.VACUOUS, reason="neither touches what the other writes", bounds=""
                )
            yield found

    key = ("c-race", source.text, one, two, *source.how, *names)
    return Task(key, tuple((n, subject) for n in names), run)
