"""What more than one argument takes for granted."""

from __future__ import annotations

from typing import Any

from model.generation import Switches
from model.machine import Machine
from model.runloop import maintenance_line
from vgicheck.engine.domain import Domain
from vgicheck.engine.values import not_

from ..premise import Premise


def _in_time(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: int, **_: Any) -> bool:
    return not_(maintenance_line(old, old.thread.cpu[vcpu], domain))


HANDLER_IN_TIME = Premise(
    "handler-in-time",
    "the maintenance interrupt is taken before its vCPU's thread goes on after the exit",
    ("sync_begin", "vcpu_put"),
    _in_time,
)
"""What the run loop of 2012 is built on: interrupts go on right after the exit, and the handler is expected there."""
