"""Functions of a whole vgic.c, tied to the model: which function of a generation is what, and how it is called.

A field that the C does not have as it is read here makes the function `unsupported`; nothing is looked for under
another name.
"""

from __future__ import annotations

from collections.abc import Collection

from vgicheck.c.binding import Bound
from vgicheck.c.ir import Program

from . import flush, handlers, injection, interrupts, lookup, set_addr, trees_2012, update, v3_10
from .vgic import nr_irqs

BINDINGS = (trees_2012, v3_10, injection, update, handlers, lookup, flush, set_addr)
"""What each binds is told apart by what a source has."""
READS = {
    "kvm_vgic_vcpu_init": "GICH_VTR any",
    injection.UPDATE: "all lines",
    injection.INJECT: "all lines",
    injection.KICKS: "any irq_pending_on_cpu",
    set_addr.SET_ADDR: "any address",
    update.COMPUTE: "any vCPU",
    update.UPDATE: "any answer of compute_pending_for_cpu",
    handlers.SGI: "any word",
    **dict.fromkeys(flush.NAMES, "any answer of vgic_queue_irq"),
}
"""What a function depends on, where it is not the number of list registers."""


def bound(program: Program, functions: Collection[str]) -> dict[str, Bound]:
    """Return what is bound of a source with these functions, by function."""
    irqs = nr_irqs(program)
    if not irqs or interrupts.has_them(program):
        return {}
    return {b.function: b for g in BINDINGS for b in g.bound(program, functions, irqs)}


def bounds(program: Program, target: Bound) -> str:
    """Say for which states a function is judged."""
    reads = READS.get(target.function, "any access" if target.like else "nr_lr 1..64")
    return f"{reads}, vCPUs 1..8, INTID 0..{nr_irqs(program) - 1}"
