"""Injection with its kicks, of 2012 to v3.10, tied to the model: a VM of up to eight vCPUs, any of them the target."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from model.distributor import MAX_CPUS, NR_PRIVATE_IRQS
from model.inject_irq import (
    InjectionState,
    InjectState,
    KickState,
    kvm_vgic_inject_irq,
    vgic_kick_vcpus,
    vgic_update_irq_state,
)
from properties.property import At
from vgicheck.c.binding import GIVEN, Bound, Invariant, View
from vgicheck.c.cuts import Outside, calls
from vgicheck.c.ir import Pointer, Program, StructRef
from vgicheck.engine.maps import Map
from vgicheck.engine.values import bit, field_of, ite, lt, not_, widened
from vgicheck.engine.verdict import Assumption

from . import kvm_2012, update, vcpu, vgic
from .allocated import leads_somewhere
from .called import arguments
from .trees_2012 import PRIVATE_EDGES

UPDATE = "vgic_update_irq_state"
CALLER = "kvm_vm_ioctl_irq_line"
INJECT, KICKS = "kvm_vgic_inject_irq", "vgic_kick_vcpus"
KICK = Outside("kvm_vcpu_kick", vgic.VCPUS)
NOT_KICKED = Invariant(KICK.region, lambda key, value: lt(value, 1), "", "")
HAS_VGIC = Invariant(f"{vgic.DIST}.vctrl_base?", leads_somewhere, "the VM has a VGIC", CALLER)
THERE = Assumption(
    "the vCPU that the interrupt goes to is there", "kvm_vm_ioctl_irq_line, and a guest that names only such"
)


def bound(program: Program, functions: Collection[str], irqs: int) -> Iterator[Bound]:
    """Yield what is bound of a file with these functions."""
    edges = [PRIVATE_EDGES] if "__kvm_vgic_sync_to_cpu" in functions else []
    for name, bind in ((UPDATE, _update), (INJECT, _inject)):
        if name in functions and name in program.functions and len(program.functions[name].params) == 4:
            found = bind(program, irqs)
            yield replace(found, invariants=[*found.invariants, *edges])
    body = program.functions.get(KICKS)
    if body is not None and KICKS in functions and [body.locals[p] for p in body.params] == [Pointer(StructRef("kvm"))]:
        yield _kick(program)


def _kick(program: Program) -> Bound:
    def abstract(view: View) -> KickState:
        return KickState(view.word(update.ONLINE), kvm_2012.pending_on_cpu(view), kicked(view))

    return Bound(
        KICKS,
        KICKS,
        abstract,
        vgic_kick_vcpus,
        [vgic.ID_IS_INDEX, update.AT_MOST, NOT_KICKED, HAS_VGIC],
        update.preferred,
        kvm_2012.Names(),
        arguments=partial(arguments, program, KICKS),
        pointers=vgic.pointers,
        fixed=vgic.INDICES,
        cuts=[KICK],
    )


def _update(program: Program, irqs: int) -> Bound:
    def abstract(view: View) -> InjectState:
        return replace(_state(program, UPDATE, view), told=view.returned())

    def prefer(s: InjectState, at: At) -> Sequence[Any]:
        return [s.irq == 34, s.cpuid == 0, at.intid == 34, at.vcpu == 0]

    return _bound(program, UPDATE, abstract, vgic_update_irq_state, prefer, irqs)


def _inject(program: Program, irqs: int) -> Bound:
    """Injection with its kicks; what it calls of the file is run."""

    def abstract(view: View) -> InjectionState:
        return InjectionState(
            vm=_state(program, INJECT, view),
            nr_cpus=view.word(update.ONLINE),
            enabled=view.word(f"{vgic.DIST}.enabled"),
            waits=update.answers(view),
            asked=update.asked(view),
            kicked=kicked(view),
            result=view.returned(signed=True),
        )

    def prefer(s: InjectionState, at: At) -> Sequence[Any]:
        return [s.vm.irq == 34, s.vm.cpuid == 0, s.nr_cpus == 2, at.intid == 34, at.vcpu == 0]

    found = _bound(program, INJECT, abstract, kvm_vgic_inject_irq, prefer, irqs)
    asks = [update.ASKS] if any(update.COMPUTE in names for names in calls(program, INJECT).values()) else []
    return replace(
        found,
        invariants=[*found.invariants, NOT_KICKED, update.NOT_ASKED, HAS_VGIC],
        cuts=[KICK, *asks],
        like=f"{INJECT}, recomputing" if asks else "",
        related=_there,
    )


def _there(s: InjectionState) -> Sequence[tuple[Any, Assumption]]:
    """The vCPU that an interrupt goes to is there."""
    to = ite(
        lt(s.vm.irq, NR_PRIVATE_IRQS), s.vm.cpuid, widened(s.vm.irq_spi_cpu[field_of(s.vm.irq, 9, 0)], 32), width=32
    )
    return [(lt(to, s.nr_cpus), THERE)]


def kicked(view: View) -> Map[bool]:
    """Read which vCPUs are kicked."""
    return view.map(lambda c: not_(view.word(KICK.region, c, bits=8) == 0))


def _state(program: Program, function: str, view: View) -> InjectState:
    _, cpuid, irq, level = program.functions[function].params
    inputs = view.memory.inputs
    return InjectState(
        cpuid=inputs.word(f"{GIVEN}.{cpuid}", (), 32),
        irq=inputs.word(f"{GIVEN}.{irq}", (), 32),
        level=bit(inputs.word(f"{GIVEN}.{level}", (), 8), 0),
        irq_enabled=kvm_2012.banked(view, "irq_enabled"),
        irq_cfg=kvm_2012.banked(view, "irq_cfg"),
        irq_active=kvm_2012.banked(view, "irq_active"),
        irq_state=kvm_2012.banked(view, "irq_state"),
        irq_spi_cpu=view.map(partial(_spi_cpu, view), width=3),
        pending=vcpu.pending(program, view, vgic.CPU),
        pending_on_cpu=kvm_2012.pending_on_cpu(view),
        told=0,
    )


def _bound(program: Program, name: str, abstract: Any, transition: Any, prefer: Any, irqs: int) -> Bound:
    _, cpuid, irq, level = program.functions[name].params
    return Bound(
        name,
        name,
        abstract,
        transition,
        _assumed(cpuid, irq, level, irqs),
        prefer,
        kvm_2012.Names(),
        vcpu.BITMAPS | {*vcpu.pending_in(vgic.CPU)},
        arguments=partial(arguments, program, name),
        pointers=vgic.pointers,
        fixed=vgic.INDICES,
    )


def _spi_cpu(view: View, intid: int) -> int:
    return field_of(view.word(f"{vgic.DIST}.irq_spi_cpu[]", widened(intid, 32) - NR_PRIVATE_IRQS, bits=8), 2, 0)


def _assumed(cpuid: str, irq: str, level: str, irqs: int) -> list[Invariant]:
    return [
        Invariant(f"{GIVEN}.{irq}", lambda key, value: lt(value, irqs), "irq_num is below VGIC_NR_IRQS", CALLER),
        Invariant(f"{GIVEN}.{cpuid}", lambda key, value: lt(value, MAX_CPUS), f"cpuid is below {MAX_CPUS}", CALLER),
        Invariant(f"{GIVEN}.{level}", lambda key, value: lt(value, 2), "", ""),
        vgic.ID_IS_INDEX,
        Invariant(
            f"{vgic.DIST}.irq_spi_cpu[]",
            lambda key, value: lt(value, MAX_CPUS),
            f"irq_spi_cpu is below {MAX_CPUS}",
            "vgic_set_target_reg",
        ),
        update.AT_MOST,
        vgic.NO_LOCK,
    ]
