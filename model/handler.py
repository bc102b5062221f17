"""`vgic_maintenance_handler`: the interrupt by which the list registers ask to be looked at.

It runs in interrupt context on the physical CPU whose GICH raised it, and finds the vCPU in a per-CPU variable.  It
reads the copies of
MISR and EISR that the last exit saved, and writes the shadow registers, the distributor's active bits and the
live registers of this CPU.  The locks and the interleaving with other CPUs are not here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.values import Width, and_, field_of, ite, lt, not_, or_

from .distributor import NR_LRS, Distributor, VgicCpu, Word, bank
from .generation import Switches
from .gich import Gich, Hcr

IRQ_HANDLED = 1
HCR_OFF = Hcr(False, False, False, False, False, False, False, False, eoicount=0)


@dataclass(frozen=True, slots=True)
class HandlerState:
    """What the handler can reach from one physical CPU.

    `loaded`: a vCPU is loaded on this CPU (the per-CPU pointer is not NULL); `vcpu_id`, `cpu` and `dist` are that
    vCPU's.
    `result` is what the handler returns; `live`: `hw`, the registers of this CPU, hold that vCPU's state and not
    what another one left behind.
    """

    loaded: bool
    live: bool
    vcpu_id: Annotated[int, Width(32)]
    cpu: VgicCpu
    dist: Distributor
    hw: Gich
    result: Word


def vgic_maintenance_handler(s: HandlerState, switches: Switches) -> HandlerState:
    """Clear the active bit and the EOI flag of every EOIed list register, and UIE on underflow."""
    handled = s
    for l in range(NR_LRS):
        when = flagged(s, l, switches)
        handled = process_lr(handled, l, when, switches)
        if switches.irq_rearms:
            handled = rearm(handled, l, when)
    return finish(handled, switches)


def acts(s: HandlerState, switches: Switches) -> bool:
    """Whether the handler finds a vCPU to work for, in registers that are that vCPU's."""
    return and_(s.loaded, s.live) if switches.handler_quiesces else s.loaded


def flagged(s: HandlerState, l: int, switches: Switches) -> bool:
    """Whether the saved registers send the handler to list register `l`."""
    return and_(acts(s, switches), s.cpu.misr.eoi, s.cpu.eisr[l], lt(l, s.cpu.nr_lr))


def process_lr(s: HandlerState, l: int, when: bool, switches: Switches) -> HandlerState:
    """The body of the handler's loop: the guest ended the interrupt in list register `l`."""
    s = write_lr(clear_eoi(clear_active(s, l, when), l, when), l, when)
    return report_empty(s, l, when) if switches.handler_reports_empty else s


def finish(s: HandlerState, switches: Switches) -> HandlerState:
    """What the handler does after its loop."""
    s = clear_uie(s, and_(acts(s, switches), s.cpu.misr.u))
    if switches.handler_quiesces:
        s = quiesce(s, not_(acts(s, switches)))
    return replace(s, result=IRQ_HANDLED)


def clear_active(s: HandlerState, l: int, when: bool) -> HandlerState:
    """The interrupt in list register `l` may be queued again."""
    key = bank(s.vcpu_id, s.cpu.lr[l].virtual_id)
    return replace(s, dist=replace(s.dist, irq_active=s.dist.irq_active.set(key, False, when)))


def clear_eoi(s: HandlerState, l: int, when: bool) -> HandlerState:
    """List register `l` asks for no EOI maintenance interrupt any more, in the shadow."""
    lr = s.cpu.lr[l]
    return replace(s, cpu=replace(s.cpu, lr=s.cpu.lr.set(l, ite(when, replace(lr, eoi=False), lr))))


def write_lr(s: HandlerState, l: int, when: bool) -> HandlerState:
    """The shadow of list register `l` goes to the register."""
    return replace(s, hw=replace(s.hw, lr=s.hw.lr.set(l, ite(when, s.cpu.lr[l], s.hw.lr[l]))))


def report_empty(s: HandlerState, l: int, when: bool) -> HandlerState:
    """The next sync finds list register `l` empty, although the ELRSR that the exit saved did not say so.

    Only a register in state INVALID is empty; EISR says that it is, but it is a copy.
    """
    empty = and_(when, s.cpu.lr[l].state == 0)
    return replace(s, cpu=replace(s.cpu, elrsr=s.cpu.elrsr.set(l, or_(s.cpu.elrsr[l], empty))))


def rearm(s: HandlerState, l: int, when: bool) -> HandlerState:
    """The vCPU is to look again at the interrupt in list register `l` if its line is still high, and not otherwise."""
    intid = s.cpu.lr[l].virtual_id
    high = s.dist.irq_state[bank(s.vcpu_id, intid)]
    oracle = s.dist.pending_on_cpu.set(field_of(s.vcpu_id, 2, 0), True, and_(when, high))
    cpu = replace(s.cpu, pending=s.cpu.pending.set(intid, high, when))
    return replace(s, cpu=cpu, dist=replace(s.dist, pending_on_cpu=oracle))


def clear_uie(s: HandlerState, when: bool) -> HandlerState:
    """The underflow interrupt is off, in the shadow and, with the rest of the shadow, in the register."""
    hcr = ite(when, replace(s.cpu.hcr, uie=False), s.cpu.hcr)
    return replace(s, cpu=replace(s.cpu, hcr=hcr), hw=replace(s.hw, hcr=ite(when, hcr, s.hw.hcr)))


def quiesce(s: HandlerState, when: bool) -> HandlerState:
    """The interface of this CPU is off, so that it asserts no maintenance interrupt; the next entry turns it on."""
    return replace(s, hw=replace(s.hw, hcr=ite(when, HCR_OFF, s.hw.hcr)))
