"""The maintenance interrupt as it comes: asynchronously, on the physical CPU whose list registers ask for it.

The steps are the parts of `model.handler.vgic_maintenance_handler`, run on what that physical CPU can reach.  While
they run the thread on this CPU stands still, and the others do not.
"""

from __future__ import annotations

from dataclasses import replace

from vgicheck.engine.domain import Domain
from vgicheck.engine.maps import Map
from vgicheck.engine.values import and_, concat, ite, le, lt, not_, same, widened

from .distributor import Distributor, VgicCpu, narrow, wide
from .generation import Switches
from .handler import HandlerState, finish, flagged, process_lr
from .machine import Irq, Machine, Phase, in_phase, locked_by, passed, put, registers, unlock
from .runloop import maintenance_line, rearmed
from .vm import bank_of


def irq_enter(s: Machine, cpu: int, domain: Domain, switches: Switches) -> tuple[bool, Machine]:
    """The interrupt is taken, wherever interrupts are on."""
    vcpu = s.cpu.running[cpu]
    in_guest = in_phase(s, vcpu, Phase.GUEST)
    masked = and_(s.cpu.busy[cpu], (locked_by(s, vcpu) if switches.lock_irqs_off else False))
    guard = and_(
        s.cpu.irq[cpu] == Irq.NONE,
        not_(and_(s.cpu.busy[cpu], in_guest)),
        not_(masked),
        maintenance_line(s, cpu, domain),
    )
    first = Irq.SPIN if switches.irq_locks else Irq.RUN
    return guard, replace(s, cpu=put(s.cpu, cpu, irq=first, irq_lr=0))


def irq_lock(s: Machine, cpu: int) -> tuple[bool, Machine]:
    """The handler gets the distributor's lock."""
    guard = and_(s.cpu.irq[cpu] == Irq.SPIN, not_(s.locked))
    new = replace(s, locked=True, holder=concat((1, 1), (cpu, 3)))
    return guard, replace(new, cpu=put(new.cpu, cpu, irq=Irq.RUN))


def irq_lr(s: Machine, cpu: int, l: int, domain: Domain, switches: Switches) -> tuple[bool, Machine]:
    """One turn of the handler's loop over the saved EISR."""
    seen = handler_state(s, cpu)

    def left(key: tuple[int, ...]) -> bool:
        return and_(flagged(seen, key[0], switches), le(s.cpu.irq_lr[cpu], key[0]))

    earlier = domain.exists("before", "lr", lambda key: and_(left(key), lt(key[0], l)))
    guard = and_(s.cpu.irq[cpu] == Irq.RUN, left((l,)), not_(earlier))
    new = _written_back(s, cpu, process_lr(seen, l, True, switches))
    new = replace(new, cpu=put(new.cpu, cpu, irq_lr=widened(l, 7) + 1))
    if switches.irq_rearms:
        vcpu = s.cpu.running[cpu]
        line = s.vm.irq_state[bank_of(vcpu, s.shadow.lr[vcpu, l].virtual_id)]
        new = replace(new, cpu=put(new.cpu, cpu, irq=Irq.REARM, irq_saw=line))
    return guard, new


def irq_rearm(s: Machine, cpu: int, switches: Switches) -> tuple[bool, Machine]:
    """The handler, which has read the line of the interrupt that it let go of, has its vCPU look again, or not."""
    vcpu = s.cpu.running[cpu]
    l = passed(s.cpu.irq_lr[cpu])
    new = rearmed(s, vcpu, s.shadow.lr[vcpu, l].virtual_id, s.cpu.irq_saw[cpu])
    guard = and_(bool(switches.irq_rearms), s.cpu.irq[cpu] == Irq.REARM)
    return guard, replace(new, cpu=put(new.cpu, cpu, irq=Irq.RUN, irq_saw=False))


def irq_exit(s: Machine, cpu: int, domain: Domain, switches: Switches) -> tuple[bool, Machine]:
    """The handler returns."""
    seen = handler_state(s, cpu)

    def left(key: tuple[int, ...]) -> bool:
        return and_(flagged(seen, key[0], switches), le(s.cpu.irq_lr[cpu], key[0]))

    guard = and_(s.cpu.irq[cpu] == Irq.RUN, not_(domain.exists("left", "lr", left)))
    new = _written_back(s, cpu, finish(seen, switches))
    new = replace(new, cpu=put(new.cpu, cpu, irq=Irq.NONE))
    return guard, unlock(new) if switches.irq_locks else new


def handler_state(s: Machine, cpu: int) -> HandlerState:
    """Return what the handler can reach from a physical CPU."""
    vcpu, shadow, vm = s.cpu.running[cpu], s.shadow, s.vm
    return HandlerState(
        loaded=s.cpu.busy[cpu],
        live=s.cpu.live[cpu],
        vcpu_id=widened(vcpu, 32),
        cpu=VgicCpu(
            nr_lr=s.nr_lr,
            lr=Map(lambda key: shadow.lr[vcpu, key[0]]),
            hcr=shadow.hcr[vcpu],
            vmcr=0,
            misr=shadow.misr[vcpu],
            eisr=Map(lambda key: shadow.eisr[vcpu, key[0]]),
            elrsr=Map(lambda key: shadow.elrsr[vcpu, key[0]]),
            lr_used=Map(lambda key: shadow.lr_used[vcpu, key[0]]),
            irq_lr_map=Map(lambda key: shadow.lr_map[vcpu, key[0], 0], width=8),
            pending=Map(lambda key: shadow.cached[vcpu, key[0]]),
        ),
        dist=Distributor(
            irq_enabled=wide(vm.irq_enabled),
            irq_cfg=wide(vm.irq_cfg),
            irq_active=wide(vm.irq_active),
            irq_state=wide(vm.irq_state),
            pending_on_cpu=vm.pending_on_cpu,
        ),
        hw=registers(s, cpu),
        result=0,
    )


def _written_back(s: Machine, cpu: int, h: HandlerState) -> Machine:
    """Return the machine after the handler wrote its shadow, its registers and the distributor's active bits."""
    vcpu, old, hardware = s.cpu.running[cpu], s.shadow, s.cpu

    def of(owner: int, theirs: Map[bool], other: Map[bool]) -> Map[bool]:
        return Map(lambda key: ite(same(key[0], owner), theirs[key[1]], other[key]))

    shadow = replace(old, lr=of(vcpu, h.cpu.lr, old.lr), elrsr=of(vcpu, h.cpu.elrsr, old.elrsr))  # type: ignore[arg-type]
    return replace(
        s,
        vm=replace(s.vm, irq_active=narrow(h.dist.irq_active)),
        shadow=put(shadow, vcpu, hcr=h.cpu.hcr),
        cpu=put(replace(hardware, lr=of(cpu, h.hw.lr, hardware.lr)), cpu, hcr=h.hw.hcr),  # type: ignore[arg-type]
    )
