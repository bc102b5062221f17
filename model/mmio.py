"""The distributor's registers as the guest sees them: `vgic_handle_mmio`, and the handlers in its table of ranges.

A register of a GICv2 distributor holds a field of 1, 2 or 8 bits for each of several interrupts; those of private
interrupts (INTIDs 0..31) are banked, a copy for each vCPU.  An access of 1, 2 or 4 bytes touches up to 32 interrupts
at once, so what it does is written once for an arbitrary interrupt: which byte holds the interrupt's field, whether
the access covers that byte, and what it puts there.

Choices that the architecture (IHI 0048B 4.3) leaves open: every register takes bytes and halfwords, but for GICD_SGIR;
private interrupts are edge-triggered, and GICD_ICFGR0/1 read-only; GICD_ITARGETSR is as in a multiprocessor for any
number of vCPUs; there is one security state, and all interrupts are in group 0.  GICD_ISACTIVER, GICD_ICACTIVER and the
identification registers read as zero, as they did in 2012.

Left out: `vgic_update_state`, which follows where `MmioState.updates` says so, the kicks after it, and the lock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.maps import Map
from vgicheck.engine.values import Width, and_, any_of, bit, concat, field_of, ite, le, lt, not_, or_, same, widened

from .distributor import MAX_CPUS, NR_PRIVATE_IRQS, Word
from .generation import Switches
from .gicd import (
    CPENDSGIR,
    CTLR,
    ICENABLER,
    ICFGR,
    ICPENDR,
    IPRIORITYR,
    ISENABLER,
    ISPENDR,
    ITARGETSR,
    SGIR,
    SPENDSGIR,
    Access,
    Accessing,
    Byte,
    Key,
    accessing,
    bit_at,
)
from .gicd_icfgr import irq_cfg
from .gicd_load import loaded, priority_key, target_byte
from .vm import Vcpu, Vm, is_sgi, sgi


@dataclass(frozen=True, slots=True)
class MmioState:
    """What `vgic_handle_mmio` works on, and what comes back: `data` for the guest's load, and what is to be done next.

    handled  the access is done with; else it goes to the VMM
    updates  `vgic_update_state` and the kicks must follow
    """

    vm: Vm
    vcpu: Vcpu
    nr_cpus: Annotated[int, Width(4)]
    nr_irqs: Annotated[int, Width(11)]
    access: Access
    data: Word
    handled: bool
    updates: bool


def vgic_handle_mmio(s: MmioState, switches: Switches) -> MmioState:
    """Do an access of vCPU `vcpu` to the distributor of a VM with `nr_cpus` vCPUs and `nr_irqs` interrupts."""
    a = accessing(s.access, s.vcpu, s.nr_cpus, s.nr_irqs, switches)
    return replace(
        s,
        vm=ite(s.access.is_write, _written(s.vm, a), s.vm),
        data=loaded(s.vm, a),
        handled=a.handled,
        updates=and_(s.access.is_write, a.performed, _decides_delivery(a)),
    )


def mmio_write(vm: Vm, vcpu: int, access: Access, nr_cpus: int, nr_irqs: int, switches: Switches) -> Vm:
    """Return the distributor after a store."""
    return _written(vm, accessing(access, vcpu, nr_cpus, nr_irqs, switches))


def mmio_read(vm: Vm, vcpu: int, access: Access, nr_cpus: int, nr_irqs: int, switches: Switches) -> int:
    """Return what a load reads, its first byte in bits 7:0; 32 bits."""
    return loaded(vm, accessing(access, vcpu, nr_cpus, nr_irqs, switches))


def _written(vm: Vm, a: Accessing) -> Vm:
    sgi_sources = _sgi_sources(vm, a)
    return replace(
        vm,
        enabled=ite(and_(a.performed, a.covers(CTLR)), bit(a.stored(CTLR), 0), vm.enabled),
        irq_enabled=_irq_enabled(vm, a),
        irq_cfg=irq_cfg(vm, a),
        irq_state=_irq_state(vm, a, sgi_sources),
        irq_priority=_irq_priority(vm, a),
        irq_spi_cpu=vm.irq_spi_cpu.where(lambda key: _retargets(a, key[0]), lambda key: _new_target(vm, a, key[0])),
        irq_spi_target=vm.irq_spi_target.where(
            lambda key: and_(_retargets(a, key[1]), lt(key[0], a.nr_cpus)),
            lambda key: _new_target(vm, a, key[1]) == key[0],
        ),
        sgi_sources=sgi_sources,
    )


def _irq_enabled(vm: Vm, a: Accessing) -> Map[bool]:
    """SGIs stay enabled."""
    return vm.irq_enabled.where(lambda key: a.stores_one(ISENABLER, key), lambda _: True).where(
        lambda key: and_(a.stores_one(ICENABLER, key), not_(is_sgi(key[1]))), lambda _: False
    )


def _irq_state(vm: Vm, a: Accessing, sgi_sources: Map[bool]) -> Map[bool]:
    """What is latched; an SGI is pending as long as a sender is left."""

    def writable(key: Key) -> bool:
        return not_(is_sgi(key[1])) if a.switches.mmio_sgi_pending_fixed else True

    def resourced(key: Key) -> bool:
        mine = and_(a.switches.mmio_sgi_sources, a.performed, is_sgi(key[1]), key[0] == a.vcpu)
        return and_(mine, any_of((CPENDSGIR, SPENDSGIR), lambda base: a.covers(widened(sgi(key[1]), 12) + base)))

    return (
        vm.irq_state.where(lambda key: and_(a.stores_one(ISPENDR, key), writable(key)), lambda _: True)
        .where(lambda key: and_(a.stores_one(ICPENDR, key), writable(key)), lambda _: False)
        .where(lambda key: and_(is_sgi(key[1]), _sends(a, key[0], sgi(key[1]))), lambda _: True)
        .where(resourced, lambda key: any_of(range(MAX_CPUS), lambda source: sgi_sources[key[0], sgi(key[1]), source]))
    )


def _irq_priority(vm: Vm, a: Accessing) -> Map[int]:
    def hit(key: Key) -> bool:
        bank, intid = key
        owned = and_(a.exists(intid), same((bank, intid), priority_key(a, intid)))
        return and_(a.performed, owned, a.covers(IPRIORITYR.byte_of(intid)))

    def value(key: Key) -> Byte:
        stored = a.stored(IPRIORITYR.byte_of(key[1]))
        return stored & 0xF8 if a.switches.mmio_priority_five_bits else stored

    return vm.irq_priority.where(hit, value)


def _retargets(a: Accessing, intid: int) -> bool:
    """A store sets the target of a shared interrupt; in 2012, of every one in the word."""
    byte = ITARGETSR.byte_of(intid)
    reached = a.covers(byte) if a.switches.mmio_lanes else a.same_word(byte)
    return and_(a.performed, le(NR_PRIVATE_IRQS, intid), a.exists(intid), reached)


def _new_target(vm: Vm, a: Accessing, intid: int) -> Vcpu:
    """Return the lowest vCPU that the stored byte names, vCPU 0 if it names none."""
    byte = ITARGETSR.byte_of(intid)
    named = ite(a.covers(byte), a.stored(byte), target_byte(vm, a, intid), width=8)
    target = 0
    for cpu in reversed(range(MAX_CPUS)):
        candidate = lt(cpu, a.nr_cpus) if a.switches.mmio_targets_exist else True
        target = ite(and_(candidate, bit(named, cpu)), cpu, target, width=3)
    return target


def _sgi_sources(vm: Vm, a: Accessing) -> Map[bool]:
    return (
        vm.sgi_sources.where(lambda key: and_(_sends(a, key[0], key[1]), key[2] == a.vcpu), lambda _: True)
        .where(lambda key: a.stores_source(SPENDSGIR, key), lambda _: True)
        .where(lambda key: a.stores_source(CPENDSGIR, key), lambda _: False)
    )


def _sends(a: Accessing, target: int, number: int) -> bool:
    """A store to GICD_SGIR sends this SGI to this vCPU."""
    if a.switches.mmio_sgi_whole_word:
        stores = and_(a.access.offset == SGIR, a.access.length == 4)
    else:
        stores = a.same_word(SGIR)
    # In 2012 the bytes in front of those stored were what happened to be on the stack; here they are zero.
    parts = [(ite(a.covers(SGIR + n), a.stored(SGIR + n), 0, width=8), 8) for n in (3, 2, 1, 0)]
    word = concat(*parts)
    named = sgi_targets(word, target, a.vcpu, a.nr_cpus, a.switches)
    return and_(a.performed, stores, field_of(word, 3, 0) == number, named)


def sgi_targets(word: int, target: int, sender: int, nr_cpus: int, switches: Switches) -> bool:
    """Say whether a word stored to GICD_SGIR names a vCPU: `vgic_dispatch_sgi`. IHI 0048B 4.3.15."""
    listed = bit_at(field_of(word, 23, 16), target)
    others = not_(target == sender)
    by_list = listed if switches.mmio_sgi_list else and_(others, not_(field_of(word, 23, 16) == 0))
    by_reserved = and_(listed, not_(switches.mmio_sgi_reserved_filter))
    target_filter = field_of(word, 25, 24)
    named = or_(
        and_(target_filter == 0, by_list),
        and_(target_filter == 1, others),
        and_(target_filter == 2, target == sender),
        and_(target_filter == 3, by_reserved),
    )
    return and_(lt(target, nr_cpus), named)


def _decides_delivery(a: Accessing) -> bool:
    """The registers that an access begins in say what is pending, enabled or targeted."""
    offset = a.access.offset
    kinds = [ISENABLER, ICENABLER, ISPENDR, ICPENDR]
    if a.switches.line_apart:
        kinds.append(ICFGR)
    shared_targets = and_(ITARGETSR.holds(offset), le(NR_PRIVATE_IRQS, ITARGETSR.first_of(offset)))
    sources = and_(a.switches.mmio_sgi_sources, field_of(offset, 11, 6) == SGIR >> 6)
    return or_(
        a.same_word(CTLR),
        any_of(kinds, lambda registers: registers.holds(offset)),
        shared_targets,
        a.same_word(SGIR),
        sources,
    )
