"""`kvm_vgic_set_addr`, tied to the model: where the VMM has the guest see distributor and CPU interface."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

from model.init import GUEST_TOP
from model.set_addr import VGIC_ADDR_UNDEF, SetAddrState, kvm_vgic_set_addr, vgic_ioaddr_overlap
from properties.property import At
from vgicheck.c.binding import GIVEN, Bound, Invariant, View
from vgicheck.c.ir import Int, Program
from vgicheck.engine.values import and_, field_of, lt, not_, or_

from . import called, kvm_2012, vgic

SET_ADDR = "kvm_vgic_set_addr"
BASES = (f"{vgic.DIST}.vgic_dist_base", f"{vgic.DIST}.vgic_cpu_base")
OF_PAGES = [
    Invariant(
        base,
        lambda key, value: or_(value == VGIC_ADDR_UNDEF, and_(lt(value, GUEST_TOP), field_of(value, 11, 0) == 0)),
        "an address of the guest's is not set, or that of a page below 1 TB",
        SET_ADDR,
    )
    for base in BASES
]


def bound(program: Program, functions: Collection[str], irqs: int) -> Iterator[Bound]:
    """Yield what is bound of a file with these functions."""
    body = program.functions.get(SET_ADDR)
    if body is None or SET_ADDR not in functions or len(body.params) != 3:
        return
    _, kind, addr = body.params
    if [body.locals[kind], body.locals[addr]] != [Int(32, False), Int(64, False)]:
        return

    def abstract(view: View) -> SetAddrState:
        inputs = view.memory.inputs
        return SetAddrState(
            kind=inputs.word(f"{GIVEN}.{kind}", (), 32),
            addr=inputs.word(f"{GIVEN}.{addr}", (), 64),
            dist_base=view.word(BASES[0], bits=64),
            cpu_base=view.word(BASES[1], bits=64),
            result=view.returned(signed=True),
        )

    def prefer(s: SetAddrState, at: At) -> Sequence[Any]:
        return [s.kind == 0, s.addr == GUEST_TOP - (1 << 12)]

    yield Bound(
        SET_ADDR,
        SET_ADDR,
        abstract,
        kvm_vgic_set_addr,
        [*OF_PAGES, Invariant(f"{vgic.KVM}.lock.held", lambda key, value: lt(value, 1), "no mutex is held", "")],
        prefer,
        kvm_2012.Names(),
        arguments=partial(called.arguments, program, SET_ADDR),
        pointers=called.pointers,
        occurs=lambda s: not_(vgic_ioaddr_overlap(s.dist_base, s.cpu_base)),
    )
