"""The vCPU's thread: loading, entering and leaving the guest, blocking; what the guest does meanwhile; the sync.

Stands for `kvm_arch_vcpu_ioctl_run`, the world switch, `kvm_vcpu_block`, and `__kvm_vgic_sync_from_cpu`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vgicheck.engine.domain import Domain
from vgicheck.engine.maps import Map
from vgicheck.engine.values import and_, iff, implies, ite, le, lt, not_, or_, same, widened, zeroed

from .distributor import LR_EMPTY, NR_PRIVATE_IRQS
from .generation import Switches
from .gich import (
    Misr,
    asserted,
    conditions,
    counted,
    ended,
    in_service,
    is_empty,
    is_ended,
    is_pending,
    is_valid,
    taken_up,
)
from .handler import HCR_OFF
from .lr import ListRegister
from .machine import (
    LAST_RANK,
    VMCR,
    Exit,
    Irq,
    Machine,
    Phase,
    exists,
    in_phase,
    lock,
    locked_by,
    lr_key,
    passed,
    put,
    runs,
    thread,
    unlock,
)
from .queueing import deliverable
from .vm import bank_of, is_sgi

# The scheduler -----------------------------------------------------------------------------------


def vcpu_load(s: Machine, vcpu: int, cpu: int) -> tuple[bool, Machine]:
    """The thread comes to run on a physical CPU on which no vCPU is loaded."""
    guard = and_(exists(s, vcpu), not_(s.thread.loaded[vcpu]), not_(s.cpu.busy[cpu]), s.cpu.irq[cpu] == Irq.NONE)
    new = thread(s, vcpu, loaded=True, cpu=cpu)
    return guard, replace(new, cpu=put(new.cpu, cpu, busy=True, running=vcpu, live=False))


def vcpu_put(s: Machine, vcpu: int) -> tuple[bool, Machine]:
    """The thread is preempted or goes to user space: wherever it is neither in the guest nor holds the lock."""
    guard = and_(runs(s, vcpu), not_(in_phase(s, vcpu, Phase.GUEST)), not_(locked_by(s, vcpu)))
    cpu = s.thread.cpu[vcpu]
    new = thread(s, vcpu, loaded=False)
    return guard, replace(new, cpu=put(new.cpu, cpu, busy=False, live=False))


# The world switch --------------------------------------------------------------------------------


def enter(s: Machine, vcpu: int, switches: Switches) -> tuple[bool, Machine]:
    """With interrupts off the registers are restored and the guest runs."""
    stays_out = s.thread.request[vcpu] if switches.entry_rechecks else False
    guard = and_(runs(s, vcpu), in_phase(s, vcpu, Phase.FLUSHED), not_(stays_out))
    cpu, lr = s.thread.cpu[vcpu], s.cpu.lr
    shadow = s.shadow.lr
    restored = Map(lambda key: ite(same(key[0], cpu), shadow[vcpu, key[1]], lr[key]))
    hardware = put(replace(s.cpu, lr=restored), cpu, hcr=s.shadow.hcr[vcpu], live=True)
    return guard, thread(replace(s, cpu=hardware), vcpu, phase=Phase.GUEST)


def turn_back(s: Machine, vcpu: int) -> tuple[bool, Machine]:
    """A signal, a new VMID or a request keeps the thread from entering; it goes through the sync all the same."""
    guard = and_(runs(s, vcpu), in_phase(s, vcpu, Phase.FLUSHED))
    return guard, thread(s, vcpu, phase=Phase.EXITED, why=Exit.IRQ)


def leave(s: Machine, vcpu: int, why: int, domain: Domain, switches: Switches) -> tuple[bool, Machine]:
    """The guest is left, by an interrupt, a WFI or an access to the distributor, and the registers are saved."""
    guard = and_(runs(s, vcpu), in_phase(s, vcpu, Phase.GUEST), le(why, Exit.MMIO))
    return guard, _left(s, vcpu, why, domain, switches)


def _left(s: Machine, vcpu: int, why: int, domain: Domain, switches: Switches) -> Machine:
    cpu, nr_lr, lr, old = s.thread.cpu[vcpu], s.nr_lr, s.cpu.lr, s.shadow

    def saved(kept: Map[bool], derived: object) -> Map[bool]:
        def read(key: tuple[int, ...]) -> bool:
            here = and_(lt(key[1], nr_lr), derived(lr[cpu, key[1]]))  # type: ignore[operator]
            return ite(same(key[0], vcpu), here, kept[key])

        return Map(read)

    shadow = replace(
        old,
        lr=Map(lambda key: ite(same(key[0], vcpu), lr[cpu, key[1]], old.lr[key])),
        eisr=saved(old.eisr, is_ended),
        elrsr=saved(old.elrsr, is_empty),
    )
    shadow = put(shadow, vcpu, hcr=s.cpu.hcr[cpu], misr=live_misr(s, cpu, domain))
    hardware = put(s.cpu, cpu, hcr=HCR_OFF) if switches.exit_turns_off else s.cpu
    return thread(replace(s, shadow=shadow, cpu=hardware), vcpu, phase=Phase.EXITED, why=why)


def live_misr(s: Machine, cpu: int, domain: Domain) -> Misr:
    """GICH_MISR of a physical CPU."""

    def lrs(holds: Callable[[ListRegister], bool]) -> Callable[[tuple[int, ...]], bool]:
        return lambda key: and_(lt(key[0], s.nr_lr), holds(s.cpu.lr[cpu, key[0]]))

    end_seen = domain.exists("eisr", "lr", lrs(is_ended), given=(cpu,))
    two = domain.two("valid", "lr", lrs(is_valid), given=(cpu,))
    waits = domain.exists("pending", "lr", lrs(is_pending), given=(cpu,))
    return conditions(s.cpu.hcr[cpu], VMCR, end_seen, two, waits)


def maintenance_line(s: Machine, cpu: int, domain: Domain) -> bool:
    """The maintenance interrupt of a physical CPU, a level."""
    return asserted(s.cpu.hcr[cpu], live_misr(s, cpu, domain))


# The guest ---------------------------------------------------------------------------------------


def acknowledge(s: Machine, vcpu: int, l: int) -> tuple[bool, Machine]:
    """The guest reads GICV_IAR, and a pending interrupt becomes active."""
    lr = s.cpu.lr[s.thread.cpu[vcpu], l]
    enabled = s.cpu.hcr[s.thread.cpu[vcpu]].en
    guard = and_(_in_guest(s, vcpu), lt(l, s.nr_lr), enabled, is_pending(lr))
    return guard, _guest_lr(s, vcpu, l, taken_up(lr))


def end_of_interrupt(s: Machine, vcpu: int, l: int) -> tuple[bool, Machine]:
    """The guest writes the id of an active interrupt to GICV_EOIR or GICV_DIR, in any order it likes."""
    lr = s.cpu.lr[s.thread.cpu[vcpu], l]
    return and_(_in_guest(s, vcpu), lt(l, s.nr_lr), in_service(lr)), _guest_lr(s, vcpu, l, ended(lr))


def wrong_end(s: Machine, vcpu: int) -> tuple[bool, Machine]:
    """The guest writes an id to GICV_EOIR that no list register has active: EOICount goes up and wraps."""
    cpu = s.thread.cpu[vcpu]
    return _in_guest(s, vcpu), replace(s, cpu=put(s.cpu, cpu, hcr=counted(s.cpu.hcr[cpu])))


def _in_guest(s: Machine, vcpu: int) -> bool:
    return and_(runs(s, vcpu), in_phase(s, vcpu, Phase.GUEST))


def _guest_lr(s: Machine, vcpu: int, l: int, lr: ListRegister) -> Machine:
    return replace(s, cpu=put(s.cpu, (s.thread.cpu[vcpu], l), lr=lr))


# Kicks, and the end of a turn of the loop -----------------------------------------------------------


def kick_arrives(s: Machine, vcpu: int, domain: Domain, switches: Switches) -> tuple[bool, Machine]:
    """An IPI or a wake-up arrives: a guest is left, a blocked thread goes on, and elsewhere nothing happens."""
    in_guest, blocked = in_phase(s, vcpu, Phase.GUEST), in_phase(s, vcpu, Phase.BLOCKED)
    guard = and_(exists(s, vcpu), s.thread.kick[vcpu], implies(in_guest, runs(s, vcpu)))
    woken = thread(s, vcpu, blocked, phase=Phase.HOST)
    new = ite(in_guest, _left(s, vcpu, Exit.IRQ, domain, switches), woken)
    return guard, thread(new, vcpu, kick=False)


def resume(s: Machine, vcpu: int) -> tuple[bool, Machine]:
    """An exit that asks for nothing was handled."""
    guard = and_(runs(s, vcpu), in_phase(s, vcpu, Phase.SYNCED), s.thread.why[vcpu] == Exit.IRQ)
    return guard, thread(s, vcpu, phase=Phase.HOST)


def block(s: Machine, vcpu: int, switches: Switches) -> tuple[bool, Machine]:
    """`kvm_vcpu_block` after a WFI: on the wait queue already, the thread sleeps unless its oracle bit is set.

    A kick that comes after the look finds it on the queue, so that look and sleep are one step; they are two where
    the thread looks first.
    """
    guard = and_(runs(s, vcpu), in_phase(s, vcpu, Phase.SYNCED), s.thread.why[vcpu] == Exit.WFI)
    awake = s.vm.pending_on_cpu[vcpu]
    if switches.block_queues_first:
        return guard, thread(s, vcpu, phase=ite(awake, Phase.HOST, Phase.BLOCKED, width=3))
    looked = thread(s, vcpu, phase=ite(awake, Phase.HOST, Phase.SYNCED, width=3), half=not_(awake))
    return and_(guard, not_(s.thread.half[vcpu])), looked


def doze(s: Machine, vcpu: int, switches: Switches) -> tuple[bool, Machine]:
    """A thread that saw nothing to do, before it was on its wait queue, sleeps."""
    half = and_(not switches.block_queues_first, in_phase(s, vcpu, Phase.SYNCED), s.thread.half[vcpu])
    return and_(runs(s, vcpu), half), thread(s, vcpu, phase=Phase.BLOCKED, half=False)


# The sync ----------------------------------------------------------------------------------------


def sync_begin(s: Machine, vcpu: int, switches: Switches) -> tuple[bool, Machine]:
    """`kvm_vgic_sync_from_cpu` takes the lock, or does not."""
    guard = and_(runs(s, vcpu), in_phase(s, vcpu, Phase.EXITED))
    new = thread(s, vcpu, phase=Phase.SYNC, cursor=0)
    return (and_(guard, not_(s.locked)), lock(new, vcpu)) if switches.sync_locks else (guard, new)


def _free(s: Machine, vcpu: int, l: int, switches: Switches) -> bool:
    """The saved registers say that a list register that is in use is free, and the loop has not passed it."""
    free = s.shadow.elrsr[vcpu, l]
    if switches.sync_processes_eisr:
        free = or_(free, s.shadow.eisr[vcpu, l])
    return and_(lt(l, s.nr_lr), s.shadow.lr_used[vcpu, l], free, le(s.thread.cursor[vcpu], l))


def sync_lr(s: Machine, vcpu: int, l: int, domain: Domain, switches: Switches) -> tuple[bool, Machine]:
    """One turn of the loop: a list register is in use no more, and its interrupt is mapped no more."""

    def before(key: tuple[int, ...]) -> bool:
        return and_(_free(s, vcpu, key[0], switches), lt(key[0], l))

    guard = and_(
        _syncing(s, vcpu, False, switches),
        _free(s, vcpu, l, switches),
        not_(domain.exists("before", "lr", before)),
    )
    lr = s.shadow.lr[vcpu, l]
    key = bank_of(vcpu, lr.virtual_id)
    new = s
    if switches.sync_processes_eisr:
        unseen = and_(s.shadow.eisr[vcpu, l], lr.eoi)
        new = replace(new, vm=put(new.vm, key, unseen, irq_active=False))
        new = replace(new, shadow=put(new.shadow, (vcpu, l), lr=replace(lr, eoi=False), elrsr=True))
        if switches.irq_rearms:
            new = thread(new, vcpu, half=unseen, saw=and_(unseen, s.vm.irq_state[key]))
    mapping = lr_key(vcpu, lr.virtual_id, lr.cpuid, switches.map_by_source)
    new = replace(new, shadow=put(put(new.shadow, (vcpu, l), lr_used=False), mapping, lr_map=LR_EMPTY))
    mine = and_(new.ghost.owned[key], new.ghost.owner[key] == vcpu)
    new = replace(new, ghost=put(new.ghost, key, mine, owned=False))
    if switches.sync_rearms:
        new = _looked_at_again(new, vcpu, lr.virtual_id, switches)
    return guard, thread(new, vcpu, cursor=widened(l, 13) + 1)


def _syncing(s: Machine, vcpu: int, half: bool, switches: Switches) -> bool:
    """The thread is in the sync, and with `half` between the two halves of what takes two."""
    here = and_(runs(s, vcpu), in_phase(s, vcpu, Phase.SYNC))
    if switches.oracle_set_bit and not (switches.sync_processes_eisr and switches.irq_rearms):
        return and_(here, not half)
    return and_(here, iff(s.thread.half[vcpu], half))


def rearmed(s: Machine, vcpu: int, intid: int, high: bool) -> Machine:
    """November 2012 and later: the vCPU that ended an interrupt is to look at it again if its line was high.

    It does so whether or not it is the target.
    """
    shadow = put(s.shadow, (vcpu, intid), cached=high)
    return replace(s, shadow=shadow, vm=put(s.vm, vcpu, high, pending_on_cpu=True))


def sync_rearm(s: Machine, vcpu: int, switches: Switches) -> tuple[bool, Machine]:
    """The sync, which has read the line of the interrupt that it let go of, has its vCPU look again, or not."""
    guard = and_(_syncing(s, vcpu, True, switches), s.thread.cursor[vcpu] != LAST_RANK)
    l = passed(s.thread.cursor[vcpu])
    new = rearmed(s, vcpu, s.shadow.lr[vcpu, l].virtual_id, s.thread.saw[vcpu])
    return guard, thread(new, vcpu, half=False, saw=False)


def _looked_at_again(s: Machine, vcpu: int, intid: int, switches: Switches) -> Machine:
    """The target of an interrupt has it to look at, if it waits; nobody was told while it sat in a list register."""
    target = ite(lt(intid, NR_PRIVATE_IRQS), vcpu, s.vm.irq_spi_cpu[intid], width=3)
    waits = and_(not_(is_sgi(intid)), deliverable(s.vm, target, intid, 0, switches))
    return thread(replace(s, vm=put(s.vm, target, waits, pending_on_cpu=True)), target, waits, kick=True, request=True)


def sync_end(s: Machine, vcpu: int, domain: Domain, switches: Switches) -> tuple[bool, Machine]:
    """A list register that is not empty gives the next flush something to look at."""
    left = domain.exists("left", "lr", lambda key: _free(s, vcpu, key[0], switches))
    guard = and_(_syncing(s, vcpu, False, switches), not_(left))
    shadow = s.shadow

    def in_use(key: tuple[int, ...]) -> bool:
        return and_(lt(key[0], s.nr_lr), not_(shadow.elrsr[vcpu, key[0]]))

    looks = domain.exists("in use", "lr", in_use)
    if switches.oracle_set_bit:
        return guard, _synced(replace(s, vm=put(s.vm, vcpu, looks, pending_on_cpu=True)), vcpu, switches)
    oracle, word = s.vm.pending_on_cpu, s.thread.word

    def read(key: tuple[int, ...]) -> bool:
        return ite(same(key[0], vcpu), or_(oracle[key[1]], same(key[1], vcpu)), word[key])

    half = thread(replace(s, thread=replace(s.thread, word=Map(read))), vcpu, half=True, cursor=LAST_RANK)
    return guard, ite(looks, half, _synced(s, vcpu, switches))


def sync_store(s: Machine, vcpu: int, switches: Switches) -> tuple[bool, Machine]:
    """The sync, which has read irq_pending_on_cpu whole, writes it back whole, with its own bit set."""
    guard = and_(_syncing(s, vcpu, True, switches), s.thread.cursor[vcpu] == LAST_RANK)
    word = s.thread.word
    vm = replace(s.vm, pending_on_cpu=Map(lambda key: word[vcpu, key[0]]))
    read = Map(lambda key: and_(not_(same(key[0], vcpu)), word[key]))
    new = replace(s, vm=vm, thread=replace(s.thread, word=read))
    return guard, _synced(thread(new, vcpu, half=False), vcpu, switches)


def _synced(s: Machine, vcpu: int, switches: Switches) -> Machine:
    """The sync returns."""
    new = s
    if switches.sync_consumes:
        eisr = s.shadow.eisr
        forgotten = Map(lambda key: and_(not_(same(key[0], vcpu)), eisr[key]))
        new = replace(new, shadow=put(replace(s.shadow, eisr=forgotten), vcpu, misr=zeroed(Misr)))
    new = thread(new, vcpu, phase=Phase.SYNCED)
    return unlock(new) if switches.sync_locks else new
