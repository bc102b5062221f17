"""From devices and the guest to the distributor: `kvm_vgic_inject_irq`, the guest's stores to the registers, and
`vgic_update_state` and `vgic_kick_vcpus` after them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vgicheck.engine.domain import Domain
from vgicheck.engine.maps import Map
from vgicheck.engine.values import and_, iff, ite, lt, not_, or_

from .distributor import NR_PRIVATE_IRQS
from .generation import Switches
from .gicd import Access
from .gich import FIRST_SPECIAL_INTID
from .machine import Exit, Ghost, Machine, Phase, exists, in_phase, put, runs, thread
from .mmio import MmioState, vgic_handle_mmio
from .queueing import deliverable
from .vm import Vm, bank_of, is_sgi, pending

NR_IRQS = 1024
"""What GICD_TYPER says of the distributor: all INTIDs that there can be."""


def inject(s: Machine, vcpu: int, intid: int, level: bool, domain: Domain, switches: Switches) -> tuple[bool, Machine]:
    """`kvm_vgic_inject_irq`: a device sets the input line of an interrupt; a private one is that of `vcpu`.

    Where the line is as it was nothing happens.
    """
    known = and_(not_(is_sgi(intid)), lt(intid, FIRST_SPECIAL_INTID), exists(s, vcpu))
    key = bank_of(vcpu, intid)
    guard = and_(not_(s.locked), known, not_(iff(s.vm.irq_line[key], level)))
    target = _target(s.vm, vcpu, intid)
    rises = and_(s.vm.irq_cfg[key], level)
    ghost = put(s.ghost, key, rises, owed=True)
    new = replace(s, vm=put(s.vm, key, irq_line=level), ghost=ghost)
    if switches.line_apart:
        new = replace(new, vm=put(new.vm, key, rises, irq_state=True))
        if not switches.flush_reads_state:
            return guard, kick_vcpus(update_state(new, domain, switches), switches)
        wanted = deliverable(new.vm, target, intid, 0, switches)
        new = replace(new, vm=put(new.vm, target, wanted, pending_on_cpu=True))
        return guard, kick_vcpus(new, switches)
    new, _ = vgic_update_irq_state(new, vcpu, intid, level, domain, switches)
    return guard, kick_vcpus(new, switches)


def vgic_update_irq_state(
    s: Machine, vcpu: int, intid: int, level: bool, domain: Domain, switches: Switches
) -> tuple[Machine, bool]:
    """Injection of 2012 to v3.10, where `irq_state` is the line of a level interrupt and the latch of an edge.

    Say also whether there is reason to kick anybody; the machine kicks whoever has something to look at in any case.
    """
    key, target = bank_of(vcpu, intid), _target(s.vm, vcpu, intid)
    edge = s.vm.irq_cfg[key]
    new, changes = latched(s, vcpu, intid, level)
    if switches.inject_recomputes:
        updated = update_state(new, domain, switches)
        return ite(changes, updated, new), changes
    cares = and_(changes, s.vm.irq_enabled[key])
    if switches.inject_skips_active:
        cares = and_(cares, or_(edge, not_(s.vm.irq_active[key])))
    new = replace(
        new,
        shadow=put(new.shadow, (target, intid), and_(cares, level), cached=True),
        vm=put(new.vm, target, and_(cares, level), pending_on_cpu=True),
    )
    if switches.lowering_clears_cached:
        new = replace(new, shadow=put(new.shadow, (target, intid), and_(changes, not_(level)), cached=False))
    return new, cares


def latched(s: Machine, vcpu: int, intid: int, level: bool) -> tuple[Machine, bool]:
    """Set `irq_state` where a line changes, of an edge where it rises; say also whether it does."""
    key = bank_of(vcpu, intid)
    edge, state = s.vm.irq_cfg[key], s.vm.irq_state[key]
    changes = ite(edge, and_(level, not_(state)), not_(iff(state, level)))
    return replace(s, vm=put(s.vm, key, changes, irq_state=level)), changes


def _target(vm: Vm, vcpu: int, intid: int) -> int:
    """Return the vCPU that an interrupt goes to; a private one is that of `vcpu`."""
    return ite(lt(intid, NR_PRIVATE_IRQS), vcpu, vm.irq_spi_cpu[intid], width=3)


def update_state(s: Machine, domain: Domain, switches: Switches) -> Machine:
    """`vgic_update_state`: every vCPU that has something to look at gets its oracle bit; none loses it."""
    if switches.flush_reads_state:

        def waits(w: int) -> bool:
            return domain.exists("waits", "irq", lambda k: deliverable(s.vm, w, k[0], k[1], switches), given=(w,))

        return replace(s, vm=_with_oracle(s.vm, waits))
    cached = Map(lambda key: computed(s.vm, key[0], key[1], switches))

    def has_cached(w: int) -> bool:
        return domain.exists("cached", "irq", lambda k: and_(k[1] == 0, cached[w, k[0]]), given=(w,))

    old = s.shadow.cached
    kept = Map(lambda key: ite(s.vm.enabled, cached[key], old[key]))
    return replace(s, shadow=replace(s.shadow, cached=kept), vm=told_to_look(s.vm, has_cached))


def told_to_look(vm: Vm, has_cached: Callable[[int], bool]) -> Vm:
    """Have each vCPU look that has something in its cached copy; where the distributor is disabled, vCPU 0."""
    return _with_oracle(vm, lambda w: ite(vm.enabled, has_cached(w), w == 0))


def _with_oracle(vm: Vm, waits: Callable[[int], bool]) -> Vm:
    old = vm.pending_on_cpu
    return replace(vm, pending_on_cpu=Map(lambda key: or_(old[key], waits(key[0]))))


def computed(vm: Vm, vcpu: int, intid: int, switches: Switches) -> bool:
    """`compute_pending_for_cpu`, for one interrupt."""
    key = bank_of(vcpu, intid)
    mine = or_(lt(intid, NR_PRIVATE_IRQS), vm.irq_spi_target[vcpu, intid])
    return and_(pending(vm, key, switches), vm.irq_enabled[key], mine)


def kick_vcpus(s: Machine, switches: Switches) -> Machine:
    """`vgic_kick_vcpus`: every vCPU with its oracle bit set is kicked."""
    oracle, kick, request = s.vm.pending_on_cpu, s.thread.kick, s.thread.request
    thread = replace(s.thread, kick=Map(lambda key: or_(kick[key], oracle[key])))
    if switches.entry_rechecks:
        thread = replace(thread, request=Map(lambda key: or_(request[key], oracle[key])))
    return replace(s, thread=thread)


def mmio(
    s: Machine,
    vcpu: int,
    offset: int,
    length: int,
    data: int,
    domain: Domain,
    switches: Switches,
) -> tuple[bool, Machine]:
    """`vgic_handle_mmio`: the exit of a store to the distributor is handled, under the lock. Loads change nothing."""
    waits = and_(runs(s, vcpu), in_phase(s, vcpu, Phase.SYNCED), s.thread.why[vcpu] == Exit.MMIO)
    guard = and_(waits, not_(s.locked), or_(*(length == n for n in (1, 2, 4))))
    access = Access(offset, length, True, data)
    done = vgic_handle_mmio(MmioState(s.vm, vcpu, s.nr_vcpus, NR_IRQS, access, 0, False, False), switches)
    written = thread(replace(s, vm=done.vm, ghost=_owed_after(s, done.vm)), vcpu, phase=Phase.HOST)
    updated = kick_vcpus(update_state(written, domain, switches), switches)
    return guard, ite(done.updates, updated, written)


def _owed_after(s: Machine, vm: Vm) -> Ghost:
    """A store that latches an interrupt or sends an SGI has it owed, one that takes it back does not."""
    old, owed, sgi_owed = s.vm, s.ghost.owed, s.ghost.sgi_owed

    def latched(key: tuple[int, ...]) -> bool:
        return ite(iff(vm.irq_state[key], old.irq_state[key]), owed[key], vm.irq_state[key])

    def sent(key: tuple[int, ...]) -> bool:
        return ite(iff(vm.sgi_sources[key], old.sgi_sources[key]), sgi_owed[key], vm.sgi_sources[key])

    return replace(s.ghost, owed=Map(latched), sgi_owed=Map(sent))
