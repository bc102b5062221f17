"""The arguments as a C source has them: which threads meet, in which situations, and what is taken for granted.

A premise is a claim about each step of the threads (`vgicheck.c.interleave.Moment`); it speaks of some steps, and says
whether it holds of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from vgicheck.c.interleave import Moment
from vgicheck.c.memory import Place

from ..scenes import (
    ENTRY,
    FLUSH,
    HANDLER,
    INJECT,
    IRQ,
    MMIO,
    MOVED,
    MOVED_LOW,
    OTHER_IRQ,
    PULSE,
    QUEUED,
    SERVED_HIGH,
    SERVED_LOW,
    SITUATIONS,
    STATE,
    SYNC,
    TURN,
    TURN_BACK,
    WFI,
    Actor,
    Scene,
    Situation,
    bit,
    entry,
)
from . import ARGUMENTS
from .premises import HANDLER_IN_TIME

Holds = Callable[[Scene, Situation, Moment], bool | None]
"""Says whether a premise holds of a step; None where it does not speak of it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A condition on every step of the threads of a scene, in words."""

    sentence: str
    holds: Holds


@dataclass(frozen=True, slots=True)
class InC:
    """An argument as a C source has it.

    casts       the threads that meet, in one machine or more; a device changes the line of the situation at hand
    premise     what the argument takes for granted
    situations  where the interrupt has got to when they meet
    granted     what is not in doubt
    lrs         list registers of a vCPU
    """

    casts: tuple[tuple[Actor, ...], ...]
    premise: Claim
    situations: tuple[Situation, ...] = SITUATIONS
    granted: tuple[Claim, ...] = ()
    lrs: int = 1


# What a step does ----------------------------------------------------------------------------------


def _bits(moment: Moment, place: Place) -> tuple[int, int]:
    """Return a word before a step and after it."""
    return moment.before(place.region, place.key), moment.after(place.region, place.key)


def _writes(moment: Moment, place: Place) -> bool:
    return place.key in moment.writes(place.region)


def _changes(moment: Moment, place: Place) -> bool:
    """Say whether a step changes anything in the region of a place."""
    return any(moment.before(place.region, k) != moment.after(place.region, k) for k in moment.writes(place.region))


def _clears_active(scene: Scene, moment: Moment) -> bool:
    before, after = _bits(moment, scene.shared("irq_active"))
    return bool(before & ~after & bit(IRQ))


def _inside(scene: Scene, moment: Moment, kind: str, number: int) -> bool:
    """Say whether a thread is in a function, by its name of `overlap`; who makes the step, where the access is."""
    names = scene.inner(kind)
    if scene.tasks[number] is moment.task:
        return any(scene.function_at(loc) in names for loc in moment.step.at)
    return any(frame.function in names for frame in moment.stands[number].frames)


def _flushing(scene: Scene, moment: Moment, number: int) -> bool:
    """Say whether a thread is in a flush: in the inner one, or in what holds the lock around it."""
    if _inside(scene, moment, FLUSH, number):
        return True
    outer, lock = entry(scene.reading, FLUSH), scene.dist("lock", "held")
    holds = moment.before(lock.region, lock.key) == scene.tasks[number].number
    return holds and any(frame.function == outer for frame in moment.stands[number].frames)


def _handler(scene: Scene) -> int:
    return next(n for n, task in enumerate(scene.tasks) if task.in_interrupt)


def _device_has_begun(scene: Scene, moment: Moment) -> bool:
    return any(b and t.function in (*ENTRY[INJECT], PULSE) for b, t in zip(moment.begun, scene.tasks, strict=True))


# Premises ------------------------------------------------------------------------------------------


def _not_past_the_flush(scene: Scene, situation: Situation, moment: Moment) -> bool | None:
    """Speaks of the handler's clearing of irq_active; the first thread is the vCPU's."""
    if not moment.task.in_interrupt or not _clears_active(scene, moment):
        return None
    return not (_flushing(scene, moment, 0) or moment.stands[0].ended)


def _still_pending(scene: Scene, situation: Situation, moment: Moment) -> bool | None:
    if not moment.task.in_interrupt or not situation.high or not _clears_active(scene, moment):
        return None
    if _device_has_begun(scene, moment):
        return None
    place = scene.shared("irq_state")
    return bool(moment.before(place.region, place.key) & bit(IRQ))


def _only_active(scene: Scene, situation: Situation, moment: Moment) -> bool | None:
    if not moment.task.in_interrupt or not moment.step.writes:
        return None
    return not any(_changes(moment, scene.cpu(0, *path)) for path in (("vgic_lr", 0), ("vgic_hcr",)))


def _in_time(scene: Scene, situation: Situation, moment: Moment) -> bool | None:
    """Speaks of the steps of the thread that left the guest with the interrupt served."""
    if not situation.served or moment.task is not scene.tasks[0]:
        return None
    handler = _handler(scene)
    return moment.stands[handler].ended or scene.is_idle(scene.tasks[handler])


def _takes_no_bit_away(scene: Scene, situation: Situation, moment: Moment) -> bool | None:
    place = scene.dist("irq_pending_on_cpu")
    if not _inside(scene, moment, SYNC, 0) or moment.task is not scene.tasks[0] or not _writes(moment, place):
        return None
    before, after = _bits(moment, place)
    return not before & ~after


def _not_set_in_flush(scene: Scene, situation: Situation, moment: Moment) -> bool | None:
    """Speaks of what others than the vCPU's thread write; what is set may have been set already."""
    place = scene.dist("irq_pending_on_cpu")
    if moment.task is scene.tasks[0] or not _writes(moment, place):
        return None
    return not (_flushing(scene, moment, 0) and moment.after(place.region, place.key) & 1)


def _no_line_meanwhile(scene: Scene, situation: Situation, moment: Moment) -> bool | None:
    n, place = _handler(scene), scene.shared("irq_state")
    if moment.task.in_interrupt or not _changes(moment, place):
        return None
    return not moment.begun[n] or moment.stands[n].ended


def _lock_is_free(scene: Scene, situation: Situation, moment: Moment) -> bool | None:
    if not (moment.task.in_interrupt and moment.first) or scene.is_idle(moment.task):
        return None
    place = scene.dist("lock", "held")
    holder = moment.before(place.region, place.key)
    return not any(t.number == holder and t.cpu == moment.task.cpu for t in scene.tasks if t is not moment.task)


def _line_as_read(by: str) -> Holds:
    """Return what speaks of what a function leaves in the pending bit of a vCPU."""

    def holds(scene: Scene, situation: Situation, moment: Moment) -> bool | None:
        waits, line = scene.waits_at(0), scene.shared("irq_state")
        if not _inside(scene, moment, by, scene.tasks.index(moment.task)) or not _writes(moment, waits):
            return None
        left, high = moment.after(waits.region, waits.key), moment.before(line.region, line.key)
        return not (left ^ high) & bit(IRQ)

    return holds


def _sleeps_on_nothing(scene: Scene, situation: Situation, moment: Moment) -> bool | None:
    """Speaks of the step with which the check before sleep ends."""
    after, asleep = moment.step.after, scene.of_vcpu("vgicheck_waits", 0)
    if moment.task is not scene.tasks[0] or after is None or not after.ended:
        return None
    oracle = scene.dist("irq_pending_on_cpu")
    return not (moment.after(asleep.region, asleep.key) and moment.before(oracle.region, oracle.key) & 1)


def _nothing_stale(scene: Scene, situation: Situation, moment: Moment) -> bool | None:
    """Speaks of the step with which a vCPU turns back before the guest."""
    if not _writes(moment, scene.of_vcpu("vgicheck_turned_back", 0)):
        return None

    def holds(*path: str | int) -> int:
        place = scene.cpu(0, *path)
        return moment.before(place.region, place.key)

    used, stale = holds("lr_used", 0), holds("vgic_eisr", 0) | holds("vgic_elrsr", 0)
    return not any(used & stale & 1 << n and holds("vgic_lr", n) & STATE for n in range(scene.lrs))


# The arguments -------------------------------------------------------------------------------------


def _as_stated(argument: str, holds: Holds) -> Claim:
    """Return an argument's premise, of which C says no other words."""
    return Claim(ARGUMENTS[argument].premise.sentence, holds)


_QUEUED: Final = (QUEUED, SERVED_HIGH, SERVED_LOW)
_LOOP, _HANDLES, _DEVICE = Actor(TURN), Actor(HANDLER), Actor(INJECT, cpu=1)
_STILL, _ALL = (_LOOP, _HANDLES), (_LOOP, _HANDLES, _DEVICE)
_OTHER_DEVICE = Actor(INJECT, cpu=2, irq=OTHER_IRQ)
_ELSEWHERE = Actor(FLUSH, vcpu=1, cpu=2)
IN_TIME = Claim(HANDLER_IN_TIME.sentence, _in_time)
LINE_AS_SYNC_READ = Claim("the pending bit that the sync leaves says what the line is then", _line_as_read(SYNC))
UNDISTURBED = Claim("no line changes while the handler is under way", _no_line_meanwhile)

IN_C: Mapping[str, InC] = {
    "comment-same-vcpu": InC(
        (_STILL, _ALL),
        _as_stated("comment-same-vcpu", _not_past_the_flush),
        _QUEUED,
    ),
    "comment-migrated": InC(
        ((*_STILL, _ELSEWHERE), (*_ALL, _ELSEWHERE)),
        _as_stated("comment-migrated", _still_pending),
        (MOVED, MOVED_LOW),
        (IN_TIME,),
    ),
    "comment-only-active": InC(
        (_STILL, _ALL),
        _as_stated("comment-only-active", _only_active),
        _QUEUED,
    ),
    "handler-in-time": InC((_STILL, _ALL), IN_TIME, _QUEUED),
    "sync-sets-oracle": InC(
        ((*_STILL, _OTHER_DEVICE), (*_ALL, _OTHER_DEVICE)),
        _as_stated("sync-sets-oracle", _takes_no_bit_away),
        granted=(IN_TIME,),
    ),
    "flush-clears-oracle": InC(
        (_STILL, _ALL),
        _as_stated("flush-clears-oracle", _not_set_in_flush),
        granted=(UNDISTURBED,),
    ),
    "wfi-check": InC(
        ((Actor(WFI), _HANDLES), (Actor(WFI), _HANDLES, _DEVICE)),
        _as_stated("wfi-check", _sleeps_on_nothing),
        granted=(IN_TIME,),
    ),
    "lock-in-handler": InC(
        (_STILL, _ALL, (Actor(MMIO), _HANDLES)),
        _as_stated("lock-in-handler", _lock_is_free),
    ),
    "handler-rearms": InC(
        (_STILL, _ALL),
        Claim("the pending bit that the handler leaves says what the line is then", _line_as_read(HANDLER)),
        _QUEUED,
        (IN_TIME,),
    ),
    "sync-rearms": InC(
        (_STILL, _ALL),
        LINE_AS_SYNC_READ,
        _QUEUED,
    ),
    "aborted-entry": InC(
        ((Actor(TURN_BACK), _HANDLES, _DEVICE), (Actor(TURN_BACK), _HANDLES, Actor(PULSE, cpu=1))),
        _as_stated("aborted-entry", _nothing_stale),
        granted=(IN_TIME, LINE_AS_SYNC_READ),
        lrs=2,
    ),
}  # fmt: skip
"""By the argument's id."""
ELSEWHERE: Mapping[str, str] = {
    "kick-before-entry": "kvm_arch_vcpu_ioctl_run, of arch/arm/kvm/arm.c",
    "handler-vcpu-loaded": "kvm_arch_vcpu_load and kvm_arch_vcpu_put, of arch/arm/kvm/arm.c",
}
"""Arguments that a vgic.c has nothing to say of, and what they speak of instead."""
