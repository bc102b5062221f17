"""Every step of the machine by its name: the sequences that are proved and the interleavings that are searched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from vgicheck.engine.domain import Domain
from vgicheck.engine.values import Width

from . import injection, interrupt, queueing, runloop
from .generation import Switches
from .machine import Machine

Outcome = tuple[bool, Machine]

ARGUMENTS: dict[str, Any] = {
    "vcpu": Annotated[int, Width(3)],
    "cpu": Annotated[int, Width(3)],
    "l": Annotated[int, Width(6)],
    "intid": Annotated[int, Width(10)],
    "source": Annotated[int, Width(3)],
    "why": Annotated[int, Width(2)],
    "level": bool,
    "offset": Annotated[int, Width(12)],
    "length": Annotated[int, Width(4)],
    "data": Annotated[int, Width(32)],
}
"""What a step may be asked with, by the name of its parameter."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step: `run(machine, arguments, domain, switches)` says whether it can be made, and what is then.

    `by` names the arguments that say whose step it is: `vcpu` the thread's, `cpu` the interrupt handler's of a
    physical CPU, none a device's.
    """

    name: str
    arguments: tuple[str, ...]
    run: Callable[[Machine, tuple[Any, ...], Domain, Switches], Outcome]
    by: str


def _step(name: str, function: Callable[..., Outcome], arguments: str, by: str, needs: str = "") -> Step:
    names = tuple(arguments.split())

    def run(s: Machine, given: tuple[Any, ...], domain: Domain, switches: Switches) -> Outcome:
        more = {"domain": domain, "switches": switches}
        return function(s, *given, *(more[n] for n in needs.split()))

    return Step(name, names, run, by)


STEPS: tuple[Step, ...] = (
    _step("vcpu_load", runloop.vcpu_load, "vcpu cpu", "vcpu"),
    _step("vcpu_put", runloop.vcpu_put, "vcpu", "vcpu"),
    _step("flush_begin", queueing.flush_begin, "vcpu", "vcpu"),
    _step("flush_irq", queueing.flush_irq, "vcpu intid source", "vcpu", "domain switches"),
    _step("flush_pass", queueing.flush_pass, "vcpu intid source", "vcpu", "domain switches"),
    _step("flush_end", queueing.flush_end, "vcpu", "vcpu", "domain switches"),
    _step("enter", runloop.enter, "vcpu", "vcpu", "switches"),
    _step("turn_back", runloop.turn_back, "vcpu", "vcpu"),
    _step("acknowledge", runloop.acknowledge, "vcpu l", "vcpu"),
    _step("end_of_interrupt", runloop.end_of_interrupt, "vcpu l", "vcpu"),
    _step("wrong_end", runloop.wrong_end, "vcpu", "vcpu"),
    _step("leave", runloop.leave, "vcpu why", "vcpu", "domain switches"),
    _step("kick_arrives", runloop.kick_arrives, "vcpu", "vcpu", "domain switches"),
    _step("sync_begin", runloop.sync_begin, "vcpu", "vcpu", "switches"),
    _step("sync_lr", runloop.sync_lr, "vcpu l", "vcpu", "domain switches"),
    _step("sync_rearm", runloop.sync_rearm, "vcpu", "vcpu", "switches"),
    _step("sync_end", runloop.sync_end, "vcpu", "vcpu", "domain switches"),
    _step("sync_store", runloop.sync_store, "vcpu", "vcpu", "switches"),
    _step("resume", runloop.resume, "vcpu", "vcpu"),
    _step("block", runloop.block, "vcpu", "vcpu", "switches"),
    _step("doze", runloop.doze, "vcpu", "vcpu", "switches"),
    _step("irq_enter", interrupt.irq_enter, "cpu", "cpu", "domain switches"),
    _step("irq_lock", interrupt.irq_lock, "cpu", "cpu"),
    _step("irq_lr", interrupt.irq_lr, "cpu l", "cpu", "domain switches"),
    _step("irq_rearm", interrupt.irq_rearm, "cpu", "cpu", "switches"),
    _step("irq_exit", interrupt.irq_exit, "cpu", "cpu", "domain switches"),
    _step("inject", injection.inject, "vcpu intid level", "", "domain switches"),
    _step("mmio", injection.mmio, "vcpu offset length data", "vcpu", "domain switches"),
)
