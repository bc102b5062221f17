"""A small machine with races, on which explorers can be compared: its steps are simpler than the real machine's.

vCPUs run a loop of host, guest, exit, sync; level-triggered shared interrupts are queued to one list register each,
acknowledged, ended, and let go again by the maintenance handler.  Each step is atomic.  What a handler must do for a
line that is still high is the switch: of its three settings the first is right, the others lose the interrupt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from typing import Annotated

from vgicheck.engine.finite import Instance
from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.system import System
from vgicheck.engine.values import Width, all_of, and_, any_of, ite, not_, or_

Vcpu = Annotated[int, Width(3)]
PerIrq = Annotated[Map[bool], MapOf((3,), bool)]
PerVcpu = Annotated[Map[bool], MapOf((3,), bool)]


class At(IntEnum):
    """Where a vCPU is in its run loop."""

    HOST = 0
    GUEST = 1
    EXIT = 2
    SYNC = 3
    BLOCKED = 4
    WAKE_CHECK = 5


class Lr(IntEnum):
    """What the list register of an interrupt holds."""

    EMPTY = 0
    PENDING = 1
    ACTIVE = 2
    EOIED = 3


class Rearm(IntEnum):
    """What the maintenance handler does for an ended interrupt whose line is high."""

    TARGET = 0
    NOTHING = 1
    SELF = 2


@dataclass(frozen=True, slots=True)
class Race:
    """The state: lines, `irq_active`, and targets by interrupt; the rest by vCPU.

    pending_on_cpu  `irq_pending_on_cpu`; kick: an IPI is under way; wfi: the exit was a WFI
    lr              the list register that an interrupt has in a vCPU: key (vCPU, interrupt)
    """

    line: PerIrq
    active: PerIrq
    target: Annotated[Map[int], MapOf((3,), Vcpu)]
    pending_on_cpu: PerVcpu
    kick: PerVcpu
    lr: Annotated[Map[int], MapOf((3, 3), Annotated[int, Width(2)])]
    at: Annotated[Map[int], MapOf((3,), Annotated[int, Width(3)])]
    wfi: PerVcpu


Step = tuple[str, Callable[[Race], bool], Callable[[Race], Race]]


def look_at(s: Race, vcpu: int, when: bool, kick: bool = True) -> Race:
    """Set the oracle bit of a vCPU, and kick it."""
    kicked = s.kick.set(vcpu, True, when) if kick else s.kick
    return replace(s, pending_on_cpu=s.pending_on_cpu.set(vcpu, True, when), kick=kicked)


def raise_line(s: Race, i: int) -> Race:
    """A device raises its line."""
    s = replace(s, line=s.line.set(i, True))
    return look_at(s, s.target[i], not_(s.active[i]))


def kick(s: Race, v: int) -> Race:
    """The IPI arrives: it wakes a vCPU that blocks, and takes one that runs out of the guest."""
    at, wfi = s.at[v], s.wfi.set(v, False, s.at[v] == At.GUEST)
    woken = ite(at == At.BLOCKED, At.HOST, ite(at == At.GUEST, At.EXIT, at))
    return replace(s, kick=s.kick.set(v, False), at=s.at.set(v, woken), wfi=wfi)


def flush(s: Race, v: int, irqs: int, full: bool) -> Race:
    """Queue what waits for this vCPU; with `full` there is no list register free."""
    overflow = False
    looks = s.pending_on_cpu[v]
    for i in range(irqs):
        wanted = and_(looks, s.target[i] == v, s.line[i], not_(s.active[i]))
        fits = False if full else and_(wanted, s.lr[v, i] == Lr.EMPTY)
        overflow = or_(overflow, and_(wanted, not_(fits)))
        s = replace(s, lr=s.lr.set((v, i), Lr.PENDING, fits), active=s.active.set(i, True, fits))
    seen = s.pending_on_cpu.set(v, False, not_(overflow))
    return replace(s, pending_on_cpu=seen, at=s.at.set(v, At.GUEST))


def maintenance(s: Race, v: int, irqs: int, rearm: Rearm) -> Race:
    """Let go of the interrupts that the guest has ended."""
    for i in range(irqs):
        ended = s.lr[v, i] == Lr.EOIED
        s = replace(s, lr=s.lr.set((v, i), Lr.EMPTY, ended), active=s.active.set(i, False, ended))
        if rearm is Rearm.TARGET:
            s = look_at(s, s.target[i], and_(ended, s.line[i]))
        elif rearm is Rearm.SELF:
            s = look_at(s, v, and_(ended, s.line[i]), kick=False)
    return replace(s, at=s.at.set(v, At.SYNC))


def sync(s: Race, v: int, irqs: int) -> Race:
    """Look again as long as something is in a list register."""
    held = any_of(range(irqs), lambda i: or_(s.lr[v, i] == Lr.PENDING, s.lr[v, i] == Lr.ACTIVE))
    after = ite(s.wfi[v], At.WAKE_CHECK, At.HOST, width=3)
    s = look_at(s, v, held, kick=False)
    return replace(s, at=s.at.set(v, after), wfi=s.wfi.set(v, False))


def leave(s: Race, v: int, wfi: bool) -> Race:
    """The guest exits."""
    return replace(s, at=s.at.set(v, At.EXIT), wfi=s.wfi.set(v, wfi))


def block(s: Race, v: int) -> Race:
    """Sleep, unless the oracle bit says that there is something to look at."""
    return replace(s, at=s.at.set(v, ite(s.pending_on_cpu[v], At.HOST, At.BLOCKED, width=3)))


def migrate(s: Race, i: int, target: int) -> Race:
    """A vCPU's exit to its emulation gives an interrupt another target."""
    s = replace(s, target=s.target.set(i, target))
    return look_at(s, target, s.line[i])


def steps(vcpus: int, irqs: int, rearm: Rearm) -> Iterator[Step]:
    """Yield (label, guard, step) for each step with its plain arguments."""
    for i in range(irqs):
        yield f"raise({i})", lambda s, i=i: not_(s.line[i]), partial(raise_line, i=i)
        yield f"lower({i})", lambda s, i=i: s.line[i], lambda s, i=i: replace(s, line=s.line.set(i, False))
        for t in range(vcpus):
            yield f"migrate({i}, {t})", partial(_may_migrate, i=i, t=t, vcpus=vcpus), partial(migrate, i=i, target=t)
    for v in range(vcpus):
        yield f"kick({v})", lambda s, v=v: s.kick[v], partial(kick, v=v)
        for full in (False, True):
            yield f"flush({v}, {full})", _at(v, At.HOST), partial(flush, v=v, irqs=irqs, full=full)
        for i in range(irqs):
            for name, old, new in (("ack", Lr.PENDING, Lr.ACTIVE), ("eoi", Lr.ACTIVE, Lr.EOIED)):
                yield f"{name}({v}, {i})", partial(_holds, v=v, i=i, lr=old), partial(_moved, v=v, i=i, lr=new)
        yield f"exit({v})", _at(v, At.GUEST), partial(leave, v=v, wfi=False)
        yield f"wfi({v})", _at(v, At.GUEST), partial(leave, v=v, wfi=True)
        yield f"maintenance({v})", _at(v, At.EXIT), partial(maintenance, v=v, irqs=irqs, rearm=rearm)
        yield f"sync({v})", _at(v, At.SYNC), partial(sync, v=v, irqs=irqs)
        yield f"block({v})", _at(v, At.WAKE_CHECK), partial(block, v=v)


def _at(v: int, where: At) -> Callable[[Race], bool]:
    return lambda s: s.at[v] == where


def _may_migrate(s: Race, i: int, t: int, vcpus: int) -> bool:
    return and_(s.target[i] != t, any_of(range(vcpus), lambda v: s.at[v] == At.HOST))


def _holds(s: Race, v: int, i: int, lr: Lr) -> bool:
    return and_(s.at[v] == At.GUEST, s.lr[v, i] == lr)


def _moved(s: Race, v: int, i: int, lr: Lr) -> Race:
    return replace(s, lr=s.lr.set((v, i), lr))


def lost(s: Race, vcpus: int, irqs: int) -> bool:
    """A line is high, every vCPU sleeps, and no kick is under way."""
    asleep = all_of(range(vcpus), lambda v: and_(s.at[v] == At.BLOCKED, not_(s.kick[v])))
    return and_(any_of(range(irqs), lambda i: s.line[i]), asleep)


def instance(vcpus: int, irqs: int) -> Instance[Race]:
    """Return the instance of so many vCPUs and interrupts."""
    by_vcpu, by_irq = range(vcpus), range(irqs)
    pairs = [(v, i) for v in by_vcpu for i in by_irq]
    keys = {"line": by_irq, "active": by_irq, "target": by_irq, "pending_on_cpu": by_vcpu, "kick": by_vcpu, "lr": pairs,
            "at": by_vcpu, "wfi": by_vcpu}  # fmt: skip
    return Instance(Race, keys, {"target": by_vcpu, "at": tuple(At)})


def system(vcpus: int, irqs: int, rearm: Rearm) -> System:
    """Return the finite system: everything starts low, empty and in the host, with vCPU 0 as target."""
    of = instance(vcpus, irqs)
    start = of.record({cell.name: cell.values[0] for cell in of.cells})
    moves = [of.transition(label, guard(of.state), step(of.state)) for label, guard, step in steps(vcpus, irqs, rearm)]
    return of.system([start], moves, {"lost": lost(of.state, vcpus, irqs)})
