"""`vgic_handle_mmio`, tied to the model: which handler an access gets, at which offset, and what comes after it.

The handlers of the table are bound by themselves, and not run here: one may answer anything, and leave anything in
irq_pending_on_cpu, by which vCPUs are kicked.  So may `vgic_update_state`, where it is called after them, not by them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

from model.gicd import PAGE_SIZE
from model.gicd_lookup import LookupState, vgic_handle_mmio
from model.init import GUEST_TOP
from properties.property import At
from vgicheck.c.binding import Bound, Invariant, View
from vgicheck.c.cuts import Between, calls
from vgicheck.c.domain import Address
from vgicheck.c.ir import Int, Pointer, Program, StructRef
from vgicheck.c.memory import Inputs
from vgicheck.engine.values import and_, field_of, ite, le, lt, not_, or_, widened

from . import handlers, injection, kvm_2012, set_addr, update, vgic
from .handlers import DISPATCHER, MMIO
from .vgic import DIST, KVM

RUN = "vgicheck_run"
ORACLE = f"{DIST}.irq_pending_on_cpu"
LEAVES = (Address(KVM, ("arch", "vgic", "irq_pending_on_cpu")),)
UPDATE = Between(handlers.UPDATE.function, handlers.UPDATE.given, name="update", leaves=LEAVES, rank=1)
ABORT = Between("kvm_inject_dabt", vgic.the_vcpu, 1, name="abort", rank=None)
PREPARE = Between("kvm_prepare_mmio", lambda inputs: Address(RUN), also=(Address(MMIO),), name="prepare", rank=2)
RETURN = Between("kvm_handle_mmio_return", vgic.the_vcpu, also=(Address(RUN),), name="return", rank=3)
WIRED = Invariant(
    f"{DIST}.vgic_dist_base",
    lambda key, value: lt(value, (1 << 32) - PAGE_SIZE),
    "the distributor's address is below the last page of 4 GB",
    "kvm_vgic_init, where no function sets another",
)
OBJECTS = {"kvm_run": Address(RUN), "kvm_exit_mmio": Address(MMIO)}


def bound(program: Program, functions: Collection[str], irqs: int) -> Iterator[Bound]:
    """Yield what is bound of a file with these functions."""
    rows = handlers.ranges(program)
    body = program.functions.get(DISPATCHER)
    if not rows or body is None or DISPATCHER not in functions:
        return
    kinds = [body.locals[p] for p in body.params]
    objects = [kind.target.tag for kind in kinds if isinstance(kind, Pointer) and isinstance(kind.target, StructRef)]
    if (
        isinstance(body.result, Int)
        and sorted(objects) == ["kvm_exit_mmio", "kvm_run", "kvm_vcpu"]
        and len(objects) == len(kinds)
    ):
        yield _lookup(program, rows, objects, body.result.bits, irqs)


def _lookup(program: Program, rows: Sequence[handlers.Range], objects: Sequence[str], result: int, irqs: int) -> Bound:
    asked = {row.handler: _handler(row.handler) for row in rows}
    any_handler = next(iter(asked.values()))
    called = set().union(*calls(program, DISPATCHER, *asked).values())
    apart = UPDATE.function in called
    own = [cut for cut in (UPDATE, ABORT, PREPARE, RETURN) if cut.function in called]

    def arguments(inputs: Inputs) -> Sequence[Any]:
        return [OBJECTS.get(tag) or vgic.the_vcpu(inputs) for tag in objects]

    def abstract(view: View) -> LookupState:
        inputs = view.memory.inputs
        counts = {name: _count(view, cut) for name, cut in asked.items()}
        given = view.word(any_handler.number, bits=64)
        base, phys_addr = view.word(f"{DIST}.vgic_dist_base", bits=64), view.word(f"{MMIO}.phys_addr", bits=64)
        total = sum(counts.values())
        begins = ite(total == 0, 0, field_of(phys_addr - base - given, 31, 0), width=32)
        strays = [
            and_(not_(count == 0), *(not_(begins == row.base) for row in rows if row.handler == name))
            for name, count in counts.items()
        ]
        changes = inputs.bit(any_handler.answer, ())
        updates = not_(_count(view, UPDATE) == 0)
        left = any_handler.left(inputs, ORACLE, 32)
        return LookupState(
            in_kernel=inputs.bit(f"{DIST}.vctrl_base?", ()),
            base=base,
            phys_addr=phys_addr,
            length=view.word(f"{MMIO}.len"),
            nr_cpus=view.word(update.ONLINE),
            calls=total,
            begins=begins,
            astray=or_(le(PAGE_SIZE, given), *strays),
            changes=changes,
            updates=updates,
            prepared=_count(view, PREPARE),
            returned=_count(view, RETURN),
            aborts=_count(view, ABORT),
            fault=field_of(view.word(ABORT.number, bits=64), 31, 0),
            left=ite(changes, UPDATE.left(inputs, ORACLE, 32), left, width=32) if apart else left,
            pending_on_cpu=view.word(ORACLE),
            kicked=injection.kicked(view),
            result=view.returned(bits=result),
        )

    def prefer(s: LookupState, at: At) -> Sequence[Any]:
        return [s.in_kernel, s.nr_cpus == 2, s.length == 4, at.vcpu == 0]

    return Bound(
        DISPATCHER,
        DISPATCHER,
        abstract,
        partial(vgic_handle_mmio, nr_irqs=irqs, apart=apart),
        _assumed([*asked.values(), *own], ABORT in own, not {*vgic.SETS_ADDR}.isdisjoint(program.functions)),
        prefer,
        kvm_2012.Names(),
        arguments=arguments,
        pointers=vgic.pointers,
        fixed=vgic.INDICES,
        cuts=[*asked.values(), *own, injection.KICK],
        like="GICD",
    )


def _handler(name: str) -> Between:
    return Between(name, vgic.the_vcpu, 1, also=(Address(MMIO),), name="handler", leaves=LEAVES)


def _count(view: View, cut: Between) -> Any:
    return widened(view.word(cut.region, bits=8), 32)


def _assumed(cuts: Sequence[Between], looks_at_length: bool, settable: bool) -> list[Invariant]:
    lengths = (1, 2, 4, 8) if looks_at_length else (1, 2, 4)
    widths = f"an access is of {', '.join(str(n) for n in lengths[:-1])} or {lengths[-1]} bytes"
    none = sorted({cut.region for cut in (*cuts, ABORT, UPDATE, PREPARE, RETURN)} | {c.number for c in (*cuts, ABORT)})
    return [
        *(Invariant(region, lambda key, value: lt(value, 1), "", "") for region in none),
        Invariant(f"{MMIO}.len", lambda key, value: or_(*(value == n for n in lengths)), widths, "decode_hsr"),
        Invariant(
            f"{MMIO}.phys_addr",
            lambda key, value: lt(value, GUEST_TOP),
            "the guest's addresses have 40 bits",
            "the hardware",
        ),
        set_addr.OF_PAGES[0] if settable else WIRED,
        Invariant(
            f"{DIST}.vgic_dist_size",
            lambda key, value: value == PAGE_SIZE,
            "vgic_dist_size is that of a page",
            "kvm_vgic_init",
        ),
        vgic.ID_IS_INDEX,
        update.AT_MOST,
        injection.NOT_KICKED,
        vgic.NO_LOCK,
    ]
