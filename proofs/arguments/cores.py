"""The two-CPU core of arguments about races: which accesses must not change places for the argument to hold.

Each has the outcome that breaks the argument.  The names are the kernel's: `pending` stands for a bit of
irq_pending_on_cpu, `line` for one of irq_state, `cached` for one of the vCPU's own pending bits.
"""

from __future__ import annotations

from vgicheck.engine.litmus import Barrier, Litmus, Lock, Read, Unlock, Write

INJECTS = (Lock("lock"), Write("line", 1), Write("cached", 1), Write("pending", 1), Unlock("lock"))
"""kvm_vgic_inject_irq: a line rises."""

CORES: dict[str, Litmus] = {
    "kick-before-entry": Litmus(
        "kick-before-entry",
        (
            (*INJECTS, Barrier(), Read("r0", "in_guest")),
            (Write("in_guest", 1), Barrier(), Read("r1", "pending")),
        ),
        {"0:r0": 0, "1:r1": 0},
    ),
    "wfi-check": Litmus(
        "wfi-check",
        (
            (*INJECTS, Barrier(), Read("r0", "on_queue")),
            (Write("on_queue", 1), Barrier(), Read("r1", "pending")),
        ),
        {"0:r0": 0, "1:r1": 0},
    ),
    "handler-rearms": Litmus(
        "handler-rearms",
        (INJECTS, (Read("r0", "line"), Write("cached", 0, unless="r0"))),
        {"line": 1, "cached": 0},
    ),
    "sync-rearms": Litmus(
        "sync-rearms",
        (INJECTS, (Lock("lock"), Read("r0", "line"), Write("cached", 0, unless="r0"), Unlock("lock"))),
        {"line": 1, "cached": 0},
    ),
}
"""By the argument.  Those of kick and WFI are as the code must be, with a barrier on each side; the handler's is as
November 2012 has it, the sync's as it is since v3.11, under the lock.
"""
