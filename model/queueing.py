"""The flush, `__kvm_vgic_sync_to_cpu`: from the distributor to the shadow list registers of one vCPU.

It runs in the vCPU's thread, under the distributor's lock, over the interrupts in the order of their INTIDs; one step
is one turn of its loops.  `vgic_queue_irq` finds a list register.
"""

from __future__ import annotations

from dataclasses import replace

from vgicheck.engine.domain import Domain
from vgicheck.engine.values import and_, field_of, ite, le, lt, not_, or_, widened

from .distributor import LR_EMPTY, NR_PRIVATE_IRQS
from .generation import Switches
from .lr import EMPTY, ListRegister, LRState
from .machine import LAST_RANK, Machine, Phase, in_phase, lock, lr_key, put, rank, runs, thread, unlock
from .vm import Vm, bank_of, is_sgi, pending, sgi, targets


def deliverable(vm: Vm, vcpu: int, intid: int, source: int, switches: Switches) -> bool:
    """Say whether an interrupt waits for a vCPU and may be put into a list register of it now."""
    key = bank_of(vcpu, intid)
    waits = ite(is_sgi(intid), vm.sgi_sources[vcpu, sgi(intid), source], and_(source == 0, pending(vm, key, switches)))
    return and_(vm.enabled, vm.irq_enabled[key], waits, targets(vm, vcpu, intid), not_(vm.irq_active[key]))


def to_be_queued(s: Machine, vcpu: int, intid: int, source: int, switches: Switches) -> bool:
    """Say whether the flush takes up an interrupt."""
    if switches.flush_reads_state:
        return deliverable(s.vm, vcpu, intid, source, switches)
    key = bank_of(vcpu, intid) if switches.queue_private_as_shared else (0, intid)
    shared = and_(source == 0, or_(_apart(intid, switches), not_(s.vm.irq_active[key])))
    waits = ite(is_sgi(intid), s.vm.sgi_sources[vcpu, sgi(intid), source], shared)
    return and_(s.shadow.cached[vcpu, intid], waits)


def _apart(intid: int, switches: Switches) -> bool:
    """Say whether the flush makes a difference between an interrupt and a shared one."""
    return is_sgi(intid) if switches.queue_private_as_shared else lt(intid, NR_PRIVATE_IRQS)


def flush_begin(s: Machine, vcpu: int) -> tuple[bool, Machine]:
    """Take the lock; with the oracle bit clear there is nothing to look at."""
    guard = and_(runs(s, vcpu), in_phase(s, vcpu, Phase.HOST), not_(s.locked))
    start = ite(s.vm.pending_on_cpu[vcpu], 0, LAST_RANK, width=13)
    new = thread(lock(s, vcpu), vcpu, phase=Phase.FLUSH, cursor=start, overflow=False, request=False)
    return guard, new


def flush_irq(
    s: Machine, vcpu: int, intid: int, source: int, domain: Domain, switches: Switches
) -> tuple[bool, Machine]:
    """One turn of the loops over SGIs and their sources, PPIs and SPIs: the next interrupt that is to be queued."""
    here = rank(intid, source)

    def before(key: tuple[int, ...]) -> bool:
        return and_(_left(s, vcpu, key, switches), lt(rank(*key), here))

    guard = and_(
        runs(s, vcpu),
        in_phase(s, vcpu, Phase.FLUSH),
        _left(s, vcpu, (intid, source), switches),
        not_(domain.exists("before", "irq", before)),
    )
    new, queued = vgic_queue_irq(s, vcpu, intid, source, domain, switches)
    new = take_note(new, vcpu, intid, source, queued, domain, switches)
    new = replace(new, ghost=put(new.ghost, vcpu, not_(queued), missed=here))
    new = thread(new, vcpu, cursor=here + 1)
    return guard, thread(new, vcpu, not_(queued), overflow=True)


def flush_pass(
    s: Machine, vcpu: int, intid: int, source: int, domain: Domain, switches: Switches
) -> tuple[bool, Machine]:
    """Turns of the same loops that find nothing to be queued, up to this interrupt: they do not look there again."""
    here = rank(intid, source)

    def up_to_here(key: tuple[int, ...]) -> bool:
        return and_(_left(s, vcpu, key, switches), le(rank(*key), here))

    guard = and_(
        runs(s, vcpu),
        in_phase(s, vcpu, Phase.FLUSH),
        le(s.thread.cursor[vcpu], here),
        not_(domain.exists("up to here", "irq", up_to_here)),
    )
    return guard, thread(s, vcpu, cursor=here + 1)


def _left(s: Machine, vcpu: int, key: tuple[int, ...], switches: Switches) -> bool:
    """An interrupt is to be queued and the loops have not passed it."""
    intid, source = key
    return and_(to_be_queued(s, vcpu, intid, source, switches), le(s.thread.cursor[vcpu], rank(intid, source)))


def vgic_queue_irq(
    s: Machine, vcpu: int, intid: int, source: int, domain: Domain, switches: Switches
) -> tuple[Machine, bool]:
    """Make an interrupt pending: in the list register where it is, else in the first that seems free.

    Say also whether there was one.
    """
    key = lr_key(vcpu, intid, source, switches.map_by_source)
    mapped = field_of(s.shadow.lr_map[key], 5, 0)
    old = s.shadow.lr[vcpu, mapped]
    again = and_(not_(s.shadow.lr_map[key] == LR_EMPTY), old.cpuid == source)
    found, (empty,) = domain.first(
        "empty", "lr", lambda k: and_(lt(k[0], s.nr_lr), _seems_free(s, vcpu, k[0], switches)), given=(vcpu,)
    )
    l = ite(again, mapped, empty, width=6)
    eoi = _asks_for_eoi(s.vm, vcpu, intid, switches)
    queued = or_(again, found)
    kept = old.eoi if switches.requeue_keeps_eoi else or_(old.eoi, eoi)
    lr = ite(again, replace(old, state=_made_pending(old), eoi=kept), _fresh(intid, source, eoi))
    shadow = put(s.shadow, (vcpu, l), queued, lr=lr, lr_used=True)
    if not switches.queue_finds_unused:
        shadow = put(shadow, (vcpu, l), queued, elrsr=False)
    shadow = put(shadow, key, queued, lr_map=widened(l, 8))
    return replace(s, shadow=shadow), queued


def _seems_free(s: Machine, vcpu: int, l: int, switches: Switches) -> bool:
    """Say whether a list register is taken for empty: the saved ELRSR reports it, or it is not in use."""
    return not_(s.shadow.lr_used[vcpu, l]) if switches.queue_finds_unused else s.shadow.elrsr[vcpu, l]


def _made_pending(lr: ListRegister) -> int:
    invalid, active = lr.state == LRState.INVALID, lr.state == LRState.ACTIVE
    return ite(active, LRState.PENDING_ACTIVE, ite(invalid, LRState.PENDING, lr.state, width=2), width=2)


def _fresh(intid: int, source: int, eoi: bool) -> ListRegister:
    return replace(EMPTY, state=LRState.PENDING, virtual_id=intid, cpuid=source, eoi=eoi)


def _asks_for_eoi(vm: Vm, vcpu: int, intid: int, switches: Switches) -> bool:
    """Whether the end of an interrupt is to be seen: that of a level interrupt, or of everything but an SGI."""
    if switches.marks_every_irq:
        return not_(is_sgi(intid))
    return not_(vm.irq_cfg[bank_of(vcpu, intid)])


def take_note(
    s: Machine, vcpu: int, intid: int, source: int, when: bool, domain: Domain, switches: Switches
) -> Machine:
    """The distributor takes note that an interrupt was made pending in a list register."""
    key = bank_of(vcpu, intid)
    software, private = is_sgi(intid), _apart(intid, switches)
    sent, edge = (vcpu, sgi(intid), source), s.vm.irq_cfg[key]
    marks = and_(when, not_(software), or_(switches.marks_every_irq, and_(not_(private), not_(edge))))
    vm = put(s.vm, sent, and_(when, software), sgi_sources=False)
    others = domain.exists("other sources", "vcpu", lambda k: vm.sgi_sources[vcpu, sgi(intid), k[0]])
    latched = ite(software, not_(others), or_(private, edge, switches.line_apart))
    vm = put(vm, key, and_(when, latched), irq_state=False)
    vm = put(vm, key, marks, irq_active=True)
    shadow = s.shadow
    if switches.queue_clears_cached:
        shadow = put(shadow, (vcpu, intid), and_(when, not_(private), edge), cached=False)
    if software is not False and switches.queue_private_as_shared:
        shadow = put(shadow, (vcpu, intid), and_(when, software, not_(others)), cached=False)
    ghost = put(s.ghost, key, and_(when, not_(software)), owed=False)
    ghost = put(ghost, sent, and_(when, software), sgi_owed=False)
    ghost = put(ghost, key, marks, owned=True, owner=vcpu)
    return replace(s, vm=vm, shadow=shadow, ghost=ghost)


def flush_end(s: Machine, vcpu: int, domain: Domain, switches: Switches) -> tuple[bool, Machine]:
    """With everything queued the oracle bit is cleared; otherwise GICH_HCR.UIE asks to hear when there is room."""
    left = domain.exists("left", "irq", lambda key: _left(s, vcpu, key, switches))
    guard = and_(runs(s, vcpu), in_phase(s, vcpu, Phase.FLUSH), not_(left))
    overflow = s.thread.overflow[vcpu]
    vm = put(s.vm, vcpu, not_(overflow), pending_on_cpu=False)
    shadow = put(s.shadow, vcpu, hcr=replace(s.shadow.hcr[vcpu], uie=overflow))
    new = replace(s, vm=vm, shadow=shadow)
    return guard, unlock(thread(new, vcpu, phase=Phase.FLUSHED))
