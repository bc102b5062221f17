"""`vgic_handle_mmio` as a function of its own: where an access to the guest's memory goes, and what comes after it.

What the registers do is in `model.mmio`, and of each handler in `model.gicd_handler`.  Here a handler is whoever has a
range of registers: it may answer anything, and leave anything to look at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.maps import Map
from vgicheck.engine.values import Width, and_, any_of, bit, field_of, ite, le, lt, not_, or_, widened

from .distributor import Word
from .generation import Switches
from .gicd import PAGE_SIZE, Access, ranges, within
from .update_state import PerVcpu

Address = Annotated[int, Width(64)]
LONGEST = 4
"""Bytes that an access may have; a longer one is an external abort."""


@dataclass(frozen=True, slots=True)
class LookupState:
    """A VM of so many vCPUs, and an access of one of them; all but the first line is what becomes of it.

    in_kernel, base, phys_addr, length, nr_cpus
    calls      how often a handler is called
    begins     the offset in the page at which the range begins whose handler it is
    astray     a handler is called for what is not in its range
    changes    what it answers: what waits may be another
    updates    `vgic_update_state` is called after it, where handlers leave that to their caller
    prepared   what a load reads is taken over, `kvm_prepare_mmio`, so often
    returned   and handed to the guest, `kvm_handle_mmio_return`, so often
    aborts     the guest gets an abort, so often, and `fault` is the address, its lower half
    left       `irq_pending_on_cpu` as handler and update leave it
    kicked     `kvm_vcpu_kick`, by vCPU
    result     1 where it is done with, else 0: it goes to the VMM
    """

    in_kernel: bool
    base: Address
    phys_addr: Address
    length: Word
    nr_cpus: Word
    calls: Word
    begins: Word
    astray: bool
    changes: bool
    updates: bool
    prepared: Word
    returned: Word
    aborts: Word
    fault: Word
    left: Word
    pending_on_cpu: Word
    kicked: PerVcpu
    result: Word


def vgic_handle_mmio(s: LookupState, switches: Switches, nr_irqs: int, apart: bool) -> LookupState:
    """Look an access up.

    `apart`: handlers leave it to their caller to compute what waits.
    """
    offset = s.phys_addr - s.base
    in_page = and_(le(s.base, s.phys_addr), lt(offset, PAGE_SIZE), le(offset + widened(s.length, 64), PAGE_SIZE))
    ours = and_(s.in_kernel, in_page)
    aborts = and_(ours, lt(LONGEST, s.length))
    access = Access(field_of(offset, 11, 0), field_of(s.length, 3, 0), False, 0)
    rows = ranges(nr_irqs, switches)
    called = and_(ours, not_(aborts), any_of(rows, lambda row: within(access, *row)))
    begins = 0
    for base, size in rows:
        begins = ite(and_(called, within(access, base, size)), base, begins, width=32)
    changed = and_(called, s.changes)
    once = ite(called, 1, 0, width=32)
    oracle, kicked = ite(called, s.left, s.pending_on_cpu), s.kicked
    return replace(
        s,
        calls=once,
        begins=begins,
        astray=False,
        updates=and_(apart, changed),
        prepared=once,
        returned=once,
        aborts=ite(aborts, 1, 0, width=32),
        fault=ite(aborts, field_of(s.phys_addr, 31, 0), 0, width=32),
        pending_on_cpu=oracle,
        kicked=Map(
            lambda key: or_(
                kicked[key],
                and_(
                    changed,
                    lt(widened(key[0], 32), s.nr_cpus),
                    any_of(range(8), lambda c: and_(key[0] == c, bit(oracle, c))),
                ),
            )
        ),
        result=ite(or_(aborts, called), 1, 0, width=32),
    )
