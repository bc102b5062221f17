"""What the whole machine must keep: invariants of every reachable state, and what a step may make pending.

An invariant is stated at arbitrary indices, `kinds` says of which kind: a vCPU, a physical CPU, a list register, an
interrupt (INTID, source).  Those of the catalogue are properties; the others, the lemmas, say why these hold and are
proved with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from model.distributor import LR_EMPTY, NR_LRS, NR_PRIVATE_IRQS, NR_SGIS
from model.generation import Switches
from model.gich import FIRST_SPECIAL_INTID, Misr
from model.lr import ListRegister, LRState
from model.machine import (
    LAST_RANK,
    Exit,
    Irq,
    Machine,
    Phase,
    current_lr,
    exists,
    in_phase,
    locked_by,
    lr_key,
    passed,
    rank,
    runs,
)
from model.queueing import deliverable
from model.vm import bank_of, is_sgi, sgi, targets
from vgicheck.engine.domain import Domain
from vgicheck.engine.values import and_, bit, field_of, iff, implies, ite, le, lt, not_, or_, same, zeroed

from .property import Part

Key = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Invariant:
    """What holds in every reachable state.

    `formula(machine, domain, switches, *keys)` gives its parts at arbitrary indices, one key for each of `kinds`.  A
    lemma has no `caught`: it is no promise of the VGIC, but a reason.
    """

    id: str
    sentence: str
    kinds: tuple[str, ...]
    formula: Callable[..., Sequence[Part]]
    source: str
    may_be_false: str
    caught: str = ""
    follows: bool = False
    """It holds of every state of which the others hold, so that no step need be looked at."""


@dataclass(frozen=True, slots=True)
class StepProperty:
    """What every step keeps: `formula(old, new, domain, switches, *keys)` speaks of the machine before and after it.

    `shown` names a step of which it says something.
    """

    id: str
    sentence: str
    kinds: tuple[str, ...]
    formula: Callable[..., Sequence[Part]]
    source: str
    may_be_false: str
    caught: str
    shown: str = "flush_irq"


# Words -------------------------------------------------------------------------------------------


def valid(lr: ListRegister) -> bool:
    """A list register is pending, active or both."""
    return lr.state != LRState.INVALID


def is_pending(lr: ListRegister) -> bool:
    """The pending bit of its state is set."""
    return bit(lr.state, 0)


def canonical(intid: int, source: int) -> bool:
    """An interrupt has one key: only an SGI has a source, and there are INTIDs up to 1019."""
    return and_(lt(intid, FIRST_SPECIAL_INTID), or_(is_sgi(intid), source == 0))


def unsynced(s: Machine, v: int, l: int) -> bool:
    """The vCPU left the guest, and its sync did not come to this list register yet."""
    return or_(in_phase(s, v, Phase.EXITED), and_(in_phase(s, v, Phase.SYNC), le(s.thread.cursor[v], l)))


def rearmed_soon(s: Machine, v: int, intid: int, switches: Switches) -> bool:
    """What let go of an interrupt, or a sync to come, will have the vCPU look at it again."""
    return or_(
        _rearmed_by_a_sync(s, v, intid) if switches.sync_rearms else False,
        _half_rearmed(s, v, intid) if switches.irq_rearms else False,
    )


def _half_rearmed(s: Machine, v: int, intid: int) -> bool:
    """The handler on the CPU of a vCPU, or its sync, saw the line of an interrupt high, and did not act on it yet."""
    p, lr = s.thread.cpu[v], s.shadow.lr
    by_handler, by_sync = passed(s.cpu.irq_lr[p]), passed(s.thread.cursor[v])
    handler = and_(s.cpu.busy[p], s.cpu.running[p] == v, s.cpu.irq[p] == Irq.REARM, s.cpu.irq_saw[p])
    sync = and_(in_phase(s, v, Phase.SYNC), s.thread.half[v], s.thread.saw[v])
    return or_(
        and_(handler, lr[v, by_handler].virtual_id == intid),
        and_(sync, lr[v, by_sync].virtual_id == intid),
    )


def _rearmed_by_a_sync(s: Machine, v: int, intid: int) -> bool:
    """The handler cleared the active bit of an interrupt, and the sync of the vCPU that ended it is still to come."""
    key = bank_of(v, intid)
    w = s.ghost.owner[key]
    mapped = s.shadow.lr_map[w, intid, 0]
    l = field_of(mapped, 5, 0)
    return and_(
        not_(is_sgi(intid)),
        s.ghost.owned[key],
        mapped != LR_EMPTY,
        s.shadow.lr_used[w, l],
        s.shadow.lr[w, l].virtual_id == intid,
        s.shadow.elrsr[w, l],
        unsynced(s, w, l),
    )


def looks_soon(s: Machine, v: int, domain: Domain) -> bool:
    """The vCPU left the guest with a list register that is not reported empty: its sync will set its oracle bit."""
    left = in_phase(s, v, Phase.EXITED, Phase.SYNC)
    return and_(
        left,
        domain.exists("looks", "lr", lambda k: and_(lt(k[0], s.nr_lr), not_(s.shadow.elrsr[v, k[0]])), given=(v,)),
    )


# Lemmas ------------------------------------------------------------------------------------------


def _sizes(s: Machine, domain: Domain, switches: Switches) -> Sequence[Part]:
    return [
        Part("nr_lr is 1..64", True, and_(le(1, s.nr_lr), le(s.nr_lr, NR_LRS))),
        Part("there are 1..8 vCPUs", True, and_(le(1, s.nr_vcpus), le(s.nr_vcpus, 8))),
        Part(
            "only a handler that locks is a holder",
            True,
            or_(bool(switches.irq_locks), not_(s.locked), not_(bit(s.holder, 3))),
        ),
    ]


def _threads(s: Machine, domain: Domain, switches: Switches, vcpu: Key) -> Sequence[Part]:
    (v,) = vcpu
    cpu = s.thread.cpu[v]
    holder = in_phase(s, v, Phase.FLUSH, Phase.SYNC) if switches.sync_locks else in_phase(s, v, Phase.FLUSH)
    bound = or_(holder, in_phase(s, v, Phase.GUEST))
    return [
        Part("a loaded vCPU is the one that its CPU runs", s.thread.loaded[v],
             and_(s.cpu.busy[cpu], s.cpu.running[cpu] == v)),
        Part("a vCPU in the guest or with the lock is loaded", bound, s.thread.loaded[v]),
        Part("a vCPU holds the lock in the flush and the sync only", True, iff(locked_by(s, v), holder)),
        Part("only vCPUs that exist leave the top of the loop", not_(exists(s, v)),
             and_(in_phase(s, v, Phase.HOST), not_(s.thread.loaded[v]))),
        Part("the registers of a vCPU in the guest are its own", in_phase(s, v, Phase.GUEST), s.cpu.live[cpu]),
        Part("a WFI, an access or an interrupt", True, le(s.thread.why[v], 2)),
    ]  # fmt: skip


def _cpus(s: Machine, domain: Domain, switches: Switches, cpu: Key) -> Sequence[Part]:
    (p,) = cpu
    v = s.cpu.running[p]
    interrupted = and_(s.cpu.irq[p] != Irq.NONE, s.cpu.busy[p])
    off = bool(switches.exit_turns_off)
    return [
        Part("an interface that is on is that of a guest", and_(off, s.cpu.hcr[p].en),
             and_(s.cpu.busy[p], in_phase(s, v, Phase.GUEST))),
        Part("an interface that is off in the host raises no interrupt", off, s.cpu.irq[p] == Irq.NONE),
        Part("a CPU runs a vCPU that is loaded there", s.cpu.busy[p],
             and_(exists(s, v), s.thread.loaded[v], s.thread.cpu[v] == p)),
        Part("live registers are those of a loaded vCPU", s.cpu.live[p], s.cpu.busy[p]),
        Part("the handler interrupts no guest", interrupted, not_(in_phase(s, v, Phase.GUEST))),
        Part("the handler interrupts no holder of the lock", and_(interrupted, bool(switches.lock_irqs_off)),
             not_(locked_by(s, v))),
        Part("the handler waits only for the lock", s.cpu.irq[p] == Irq.SPIN, bool(switches.irq_locks)),
        Part("the handler reads no line to act on it later", s.cpu.irq[p] == Irq.REARM, bool(switches.irq_rearms)),
    ]  # fmt: skip


def _guest_registers(s: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    (v,), (l,) = vcpu, lr
    in_guest = in_phase(s, v, Phase.GUEST)
    now, then = s.cpu.lr[s.thread.cpu[v], l], s.shadow.lr[v, l]
    return [
        Part("the guest changes nothing but states", in_guest, same(replace(now, state=0), replace(then, state=0))),
        Part("the guest makes nothing valid", and_(in_guest, valid(now)), valid(then)),
        Part("the guest makes nothing pending", and_(in_guest, is_pending(now)), is_pending(then)),
    ]


def _unused_empty(s: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    (v,), (l,) = vcpu, lr
    shadow, used = s.shadow.lr[v, l], s.shadow.lr_used[v, l]
    sgi_ = is_sgi(shadow.virtual_id)
    return [
        Part("an unused list register is invalid and flags no EOI", not_(used),
             and_(not_(valid(shadow)), not_(shadow.eoi))),
        Part("what is used exists and names an interrupt", used,
             and_(lt(l, s.nr_lr), canonical(shadow.virtual_id, shadow.cpuid), not_(shadow.hw), exists(s, v))),
        Part("no SGI asks for its EOI", and_(used, shadow.eoi), not_(sgi_)),
        Part("the source of an SGI exists", and_(used, sgi_), exists(s, shadow.cpuid)),
        Part("a list register without an EOI to see is an SGI's or about to be freed",
             and_(used, not_(shadow.eoi), not_(sgi_)),
             and_(unsynced(s, v, l), s.shadow.elrsr[v, l])),
    ]  # fmt: skip


def _elrsr_empty(s: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    (v,), (l,) = vcpu, lr
    shadow, reported = s.shadow.lr[v, l], s.shadow.elrsr[v, l]
    return [
        Part("what is reported empty is", reported,
             and_(lt(l, s.nr_lr), not_(valid(shadow)), not_(shadow.eoi))),
        Part("what is reported empty and used is about to be freed", and_(reported, s.shadow.lr_used[v, l]),
             unsynced(s, v, l)),
    ]  # fmt: skip


def _saved_status(s: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    (v,), (l,) = vcpu, lr
    misr = s.shadow.misr[v]
    return [
        Part("a saved EISR is of the last exit", and_(s.shadow.eisr[v, l], unsynced(s, v, l)),
             and_(s.shadow.lr_used[v, l], not_(valid(s.shadow.lr[v, l])))),
        Part("a saved EISR does not survive the sync", s.shadow.eisr[v, l],
             in_phase(s, v, Phase.EXITED, Phase.SYNC)),
        Part("a saved MISR does not survive the sync", not_(same(misr, zeroed(Misr))),
             in_phase(s, v, Phase.EXITED, Phase.SYNC)),
    ]  # fmt: skip


def _oracle_in_use(s: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    (v,), (l,) = vcpu, lr
    idle = in_phase(s, v, Phase.SYNCED, Phase.HOST, Phase.BLOCKED)
    return [Part("a vCPU with a list register in use looks again", and_(idle, s.shadow.lr_used[v, l]),
                 s.vm.pending_on_cpu[v])]  # fmt: skip


def _flush_progress(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, source) = vcpu, irq
    flushing = in_phase(s, v, Phase.FLUSH)
    passed = lt(rank(i, source), s.thread.cursor[v])
    left = and_(canonical(i, source), deliverable(s.vm, v, i, source, switches))
    return [
        Part("what the flush passed did fit, or is counted", and_(flushing, passed, left),
             or_(s.thread.overflow[v], rearmed_soon(s, v, i, switches))),
        Part("a flush that has nothing to look at does not begin", and_(flushing, not_(s.vm.pending_on_cpu[v])),
             and_(s.thread.cursor[v] == LAST_RANK, not_(s.thread.overflow[v]))),
    ]  # fmt: skip


def _flush_missed(s: Machine, domain: Domain, switches: Switches, vcpu: Key) -> Sequence[Part]:
    (v,) = vcpu
    overflow = and_(in_phase(s, v, Phase.FLUSH), s.thread.overflow[v])
    missed = s.ghost.missed[v]
    i, source = field_of(missed, 12, 3), field_of(missed, 2, 0)
    return [
        Part("what did not fit still waits", overflow,
             and_(canonical(i, source), deliverable(s.vm, v, i, source, switches))),
        Part("what did not fit lies behind", overflow, lt(missed, s.thread.cursor[v])),
    ]  # fmt: skip


def _flush_full(s: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    (v,), (l,) = vcpu, lr
    overflow = and_(in_phase(s, v, Phase.FLUSH), s.thread.overflow[v])
    return [Part("where something did not fit nothing is empty", overflow, not_(s.shadow.elrsr[v, l]))]


def _registers_sane(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, source) = vcpu, irq
    return [
        Part("SGIs are enabled", and_(exists(s, v), is_sgi(i)), s.vm.irq_enabled[v, i]),
        Part("a shared interrupt goes to a vCPU that exists", le(NR_PRIVATE_IRQS, i), exists(s, s.vm.irq_spi_cpu[i])),
        Part("an SGI comes from and goes to vCPUs that exist", and_(is_sgi(i), s.vm.sgi_sources[v, sgi(i), source]),
             and_(exists(s, v), exists(s, source))),
        Part("a blocked vCPU that is to look was kicked", in_phase(s, v, Phase.BLOCKED),
             implies(s.vm.pending_on_cpu[v], s.thread.kick[v])),
    ]  # fmt: skip


def _oracle_or_sync(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, source) = vcpu, irq
    waits = and_(canonical(i, source), exists(s, v), deliverable(s.vm, v, i, source, switches))
    return [Part("what waits for a vCPU without its oracle bit is looked at by a sync to come", waits,
                 or_(s.vm.pending_on_cpu[v], rearmed_soon(s, v, i, switches)))]  # fmt: skip


# Properties --------------------------------------------------------------------------------------


def _lr_map_of_lr(s: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    (v,), (l,) = vcpu, lr
    shadow = s.shadow.lr[v, l]
    key = lr_key(v, shadow.virtual_id, shadow.cpuid, switches.map_by_source)
    return [Part("the interrupt of a list register in use is mapped to it", s.shadow.lr_used[v, l],
                 same(s.shadow.lr_map[key], l))]  # fmt: skip


def _lr_map_of_irq(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, source) = vcpu, irq
    mapped = s.shadow.lr_map[lr_key(v, i, source, switches.map_by_source)]
    l = field_of(mapped, 5, 0)
    lr = s.shadow.lr[v, l]
    return [
        Part("a mapped interrupt is in a list register that is in use", and_(canonical(i, source), mapped != LR_EMPTY),
             and_(lt(mapped, NR_LRS), s.shadow.lr_used[v, l], lr.virtual_id == i,
                  or_(not_(is_sgi(i)), not switches.map_by_source, lr.cpuid == source))),
    ]  # fmt: skip


def _active_has_lr(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, _) = vcpu, irq
    key = bank_of(v, i)
    active, w = s.vm.irq_active[key], s.ghost.owner[key]
    mapped = s.shadow.lr_map[lr_key(w, i, 0, switches.map_by_source)]
    l = field_of(mapped, 5, 0)
    return [
        Part("an active interrupt sits in a list register of one vCPU, with its EOI still to be seen", active,
             and_(s.ghost.owned[key], mapped != LR_EMPTY, s.shadow.lr_used[w, l], s.shadow.lr[w, l].virtual_id == i,
                  s.shadow.lr[w, l].eoi, or_(w == v, le(NR_PRIVATE_IRQS, i)))),
        Part("a private interrupt is in list registers of its own vCPU",
             and_(s.ghost.owned[key], lt(i, NR_PRIVATE_IRQS)), w == v),
        Part("no SGI is active", is_sgi(i), not_(active)),
        Part("what has an owner is mapped there", s.ghost.owned[key], and_(not_(is_sgi(i)), mapped != LR_EMPTY)),
    ]  # fmt: skip


def _lr_is_active(s: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    (v,), (l,) = vcpu, lr
    shadow = s.shadow.lr[v, l]
    key = bank_of(v, shadow.virtual_id)
    return [
        Part("an interrupt whose EOI is still to be seen is active", and_(s.shadow.lr_used[v, l], shadow.eoi),
             and_(s.vm.irq_active[key], s.ghost.owned[key], s.ghost.owner[key] == v)),
    ]  # fmt: skip


def _lr_unique(
    s: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key, other_vcpu: Key, other_lr: Key
) -> Sequence[Part]:
    (v,), (l,), (w,), (m,) = vcpu, lr, other_vcpu, other_lr
    one, two = current_lr(s, v, l), current_lr(s, w, m)
    private = lt(one.virtual_id, NR_PRIVATE_IRQS)
    both = and_(valid(one), valid(two), one.virtual_id == two.virtual_id, lt(l, s.nr_lr), lt(m, s.nr_lr))
    alike = and_(or_(not_(private), v == w), or_(not_(is_sgi(one.virtual_id)), one.cpuid == two.cpuid))
    return [Part("one interrupt is in one list register", and_(both, alike), and_(v == w, l == m))]


def _level_not_lost(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, source) = vcpu, irq
    key = bank_of(v, i)
    level = and_(not_(is_sgi(i)), source == 0, lt(i, FIRST_SPECIAL_INTID), not_(s.vm.irq_cfg[key]), s.vm.irq_line[key])
    waits = and_(level, s.vm.enabled, s.vm.irq_enabled[key], exists(s, v), targets(s.vm, v, i))

    def held(slot: Key) -> bool:
        w, l = slot
        lr = current_lr(s, w, l)
        there = and_(s.shadow.lr_used[w, l], lr.virtual_id == i, or_(le(NR_PRIVATE_IRQS, i), v == w))
        return and_(there, or_(valid(lr), lr.eoi))

    in_service = domain.exists("held", "slot", held, given=(v,))
    seen = or_(s.vm.pending_on_cpu[v], in_service, rearmed_soon(s, v, i, switches), looks_soon(s, v, domain))
    return [Part("its target is about to look at it", waits, seen)]


def _oracle_sound(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, source) = vcpu, irq
    waits = and_(canonical(i, source), exists(s, v), deliverable(s.vm, v, i, source, switches))
    return [Part("a vCPU that something waits for has its oracle bit set", waits,
                 or_(s.vm.pending_on_cpu[v], rearmed_soon(s, v, i, switches), looks_soon(s, v, domain)))]  # fmt: skip


def _nobody_sleeps(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key, lr: Key) -> Sequence[Part]:
    (v,), (i, source), (l,) = vcpu, irq, lr
    asleep = and_(exists(s, v), in_phase(s, v, Phase.BLOCKED), not_(s.thread.kick[v]))
    waits = and_(canonical(i, source), deliverable(s.vm, v, i, source, switches))
    return [
        Part("nothing waits for a vCPU that sleeps", and_(asleep, waits), rearmed_soon(s, v, i, switches)),
        Part("nothing is pending in a list register of a vCPU that sleeps", asleep,
             not_(and_(s.shadow.lr_used[v, l], is_pending(s.shadow.lr[v, l])))),
    ]  # fmt: skip


def _kick_not_lost(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, source) = vcpu, irq
    waits = and_(
        canonical(i, source),
        exists(s, v),
        deliverable(s.vm, v, i, source, switches),
        not_(s.thread.overflow[v]),
        not_(rearmed_soon(s, v, i, switches)),
    )
    entering = and_(waits, bool(switches.entry_rechecks), in_phase(s, v, Phase.FLUSHED))
    return [
        Part("a kick is under way to a guest that does not know of it", and_(waits, in_phase(s, v, Phase.GUEST)),
             s.thread.kick[v]),
        Part("a vCPU about to enter looks again", entering, s.thread.request[v]),
    ]  # fmt: skip


def _edge_not_lost(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, _) = vcpu, irq
    key = bank_of(v, i)
    here = or_(lt(i, NR_PRIVATE_IRQS), s.vm.irq_spi_cpu[i] == v)
    free = and_(s.vm.enabled, s.vm.irq_enabled[key], not_(s.vm.irq_active[key]), here)
    return [
        Part("an edge that was not queued is latched", and_(not_(is_sgi(i)), s.ghost.owed[key]), s.vm.irq_state[key]),
        Part("an edge that was not queued waits for its target", and_(le(NR_SGIS, i), s.ghost.owed[key], free),
             deliverable(s.vm, v, i, 0, switches)),
    ]  # fmt: skip


def _latched_is_owed(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, source) = vcpu, irq
    key = bank_of(v, i)
    return [
        Part("what is latched was not queued", and_(not_(is_sgi(i)), s.vm.irq_state[key]), s.ghost.owed[key]),
        Part("an SGI that is pending was not queued", and_(is_sgi(i), s.vm.sgi_sources[v, sgi(i), source]),
             s.ghost.sgi_owed[v, sgi(i), source]),
    ]  # fmt: skip


def _sgi_not_lost(s: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, source) = vcpu, irq
    sent = and_(is_sgi(i), exists(s, v), s.ghost.sgi_owed[v, sgi(i), source])
    owed = s.ghost.sgi_owed[v, field_of(i, 3, 0), source]
    free = and_(exists(s, v), s.vm.enabled, s.vm.irq_enabled[v, i], not_(s.vm.irq_active[v, i]))
    return [
        Part("an SGI that was sent and not queued is pending, of its source", sent,
             and_(s.vm.sgi_sources[v, sgi(i), source], s.vm.irq_enabled[v, i])),
        Part("an SGI that was sent and not queued waits for its target", and_(lt(i, NR_SGIS), owed, free),
             deliverable(s.vm, v, i, source, switches)),
    ]  # fmt: skip


def _lock_irq_safe(s: Machine, domain: Domain, switches: Switches, cpu: Key) -> Sequence[Part]:
    (p,) = cpu
    holds = and_(s.cpu.busy[p], locked_by(s, s.cpu.running[p]))
    return [Part("the handler does not wait for the thread that it interrupted", holds,
                 s.cpu.irq[p] != Irq.SPIN)]  # fmt: skip


# What a step makes pending -------------------------------------------------------------------------


def _made_pending(old: Machine, new: Machine, v: int, l: int) -> tuple[bool, int, int, tuple[int, int]]:
    lr = current_lr(new, v, l)
    made = and_(lt(l, old.nr_lr), is_pending(lr), not_(is_pending(current_lr(old, v, l))))
    return made, lr.virtual_id, lr.cpuid, bank_of(v, lr.virtual_id)


def _disabled(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    made, _, _, key = _made_pending(old, new, *vcpu, *lr)
    return [
        Part("what is made pending is enabled", made, old.vm.irq_enabled[key]),
        Part("what is made pending is so in an enabled distributor", made, old.vm.enabled),
    ]


def _target(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    made, i, _, _ = _made_pending(old, new, *vcpu, *lr)
    return [Part("what is made pending is so at its target", made, targets(old.vm, vcpu[0], i))]


def _lowered(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    made, i, _, key = _made_pending(old, new, *vcpu, *lr)
    level = and_(made, not_(is_sgi(i)), not_(old.vm.irq_cfg[key]))
    return [Part("a level interrupt is made pending while its line is high, or its pending bit was written", level,
                 or_(old.vm.irq_line[key], old.ghost.owed[key]))]  # fmt: skip


def _edge_once(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    made, i, source, key = _made_pending(old, new, *vcpu, *lr)
    owed = ite(is_sgi(i), old.ghost.sgi_owed[vcpu[0], sgi(i), source], old.ghost.owed[key])
    edge = and_(made, or_(is_sgi(i), old.vm.irq_cfg[key]))
    return [Part("an edge is made pending only if it was not before", edge, owed)]


def _overflow(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: Key, irq: Key) -> Sequence[Part]:
    (v,), (i, source) = vcpu, irq
    flushed = and_(in_phase(old, v, Phase.FLUSH), in_phase(new, v, Phase.FLUSHED))
    left = and_(canonical(i, source), deliverable(new.vm, v, i, source, switches))
    missed = new.ghost.missed[v]
    uie = new.shadow.hcr[v].uie
    waits = deliverable(new.vm, v, field_of(missed, 12, 3), field_of(missed, 2, 0), switches)
    return [
        Part("with something left UIE is set", and_(flushed, left), or_(uie, rearmed_soon(new, v, i, switches))),
        Part("with UIE set something did not fit", and_(flushed, uie), waits),
    ]


def _cycle(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    (v,), (l,) = vcpu, lr
    then, now = current_lr(old, v, l), current_lr(new, v, l)
    was, becomes = bit(then.state, 1), bit(now.state, 1)
    there, guest = lt(l, old.nr_lr), in_phase(old, v, Phase.GUEST)
    return [
        Part("what becomes active was pending, and the guest acknowledged it", and_(there, not_(was), becomes),
             and_(guest, then.state == LRState.PENDING, now.state == LRState.ACTIVE)),
        Part("what stops being active was ended by the guest, and stays pending", and_(there, was, not_(becomes)),
             and_(guest, iff(is_pending(now), is_pending(then)))),
    ]  # fmt: skip


# What a step leaves alone --------------------------------------------------------------------------

NEXT: dict[Phase, tuple[Phase, ...]] = {
    Phase.HOST: (Phase.FLUSH,),
    Phase.FLUSH: (Phase.FLUSHED,),
    Phase.FLUSHED: (Phase.GUEST, Phase.EXITED),
    Phase.GUEST: (Phase.EXITED,),
    Phase.EXITED: (Phase.SYNC,),
    Phase.SYNC: (Phase.SYNCED,),
    Phase.SYNCED: (Phase.HOST, Phase.BLOCKED),
    Phase.BLOCKED: (Phase.HOST,),
}
"""Where a thread may be after where it is."""


def _loop(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: Key) -> Sequence[Part]:
    (v,) = vcpu
    moves = not_(same(old.thread.phase[v], new.thread.phase[v]))
    turned_back = and_(in_phase(old, v, Phase.FLUSHED), in_phase(new, v, Phase.EXITED))
    sleeps = and_(moves, in_phase(new, v, Phase.BLOCKED))
    asks = not_(same(old.thread.why[v], new.thread.why[v]))
    recounted = not_(iff(old.thread.overflow[v], new.thread.overflow[v]))
    return [
        Part("a thread goes through its loop in order", moves,
             or_(*(and_(in_phase(old, v, then), in_phase(new, v, *now)) for then, now in NEXT.items()))),
        Part("a thread goes on only while it runs, or is woken", and_(moves, not_(in_phase(old, v, Phase.BLOCKED))),
             runs(old, v)),
        Part("a thread sleeps only for a WFI", sleeps, old.thread.why[v] == Exit.WFI),
        Part("who is turned back asks for nothing", turned_back, new.thread.why[v] == Exit.IRQ),
        Part("what an exit asks for stays until it is handled", asks, in_phase(new, v, Phase.EXITED)),
        Part("only a flush counts what did not fit", recounted, in_phase(new, v, Phase.FLUSH)),
    ]  # fmt: skip


def _kicks(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: Key) -> Sequence[Part]:
    (v,) = vcpu
    arrived = and_(old.thread.kick[v], not_(new.thread.kick[v]))
    answered = and_(old.thread.request[v], not_(new.thread.request[v]))
    begins = and_(in_phase(old, v, Phase.HOST), in_phase(new, v, Phase.FLUSH))
    return [
        Part("a kick stays until it has ended guest or sleep", arrived,
             not_(in_phase(new, v, Phase.GUEST, Phase.BLOCKED))),
        Part("a request stays until the next flush", answered, begins),
        Part("a flush answers the request", begins, not_(new.thread.request[v])),
    ]  # fmt: skip


def _switched(old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: Key, lr: Key) -> Sequence[Part]:
    (v,), (l,) = vcpu, lr
    cpu = old.thread.cpu[v]
    then, now = in_phase(old, v, Phase.GUEST), in_phase(new, v, Phase.GUEST)
    there, left = old.cpu.lr[cpu, l], new.shadow.lr[v, l]
    return [
        Part(
            "an entry restores the list registers", and_(not_(then), now), same(new.cpu.lr[cpu, l], old.shadow.lr[v, l])
        ),
        Part("an entry restores GICH_HCR", and_(not_(then), now), same(new.cpu.hcr[cpu], old.shadow.hcr[v])),
        Part("an exit saves the list registers", and_(then, not_(now)), same(left, there)),
        Part("an exit saves GICH_HCR", and_(then, not_(now)), same(new.shadow.hcr[v], old.cpu.hcr[cpu])),
    ]


def _registers_owned(
    old: Machine, new: Machine, domain: Domain, switches: Switches, cpu: Key, lr: Key
) -> Sequence[Part]:
    (p,), (l,) = cpu, lr
    v = old.cpu.running[p]
    guest = or_(in_phase(old, v, Phase.GUEST), in_phase(new, v, Phase.GUEST))
    return [Part("the list registers of a CPU change under its guest, at an entry, or in its handler",
                 not_(same(old.cpu.lr[p, l], new.cpu.lr[p, l])),
                 or_(and_(old.cpu.busy[p], guest), old.cpu.irq[p] != Irq.NONE))]  # fmt: skip


def _looks_for_a_reason(
    old: Machine, new: Machine, domain: Domain, switches: Switches, vcpu: Key, other: Key
) -> Sequence[Part]:
    (v,), (w,) = vcpu, other
    goes_on = not_(same((old.thread.cursor[w], old.thread.phase[w]), (new.thread.cursor[w], new.thread.phase[w])))
    looks = and_(not_(old.vm.pending_on_cpu[v]), new.vm.pending_on_cpu[v])

    def waits(key: Key) -> bool:
        return deliverable(new.vm, v, key[0], key[1], switches)

    def in_use(key: Key) -> bool:
        return and_(lt(key[0], new.nr_lr), not_(new.shadow.elrsr[v, key[0]]))

    found = domain.exists("waits for it", "irq", waits, given=(v,))
    reason = or_(found, domain.exists("still in use", "lr", in_use, given=(v,)))
    return [Part("something waits, or a list register is in use", and_(in_phase(old, w, Phase.SYNC), goes_on, looks),
                 reason)]  # fmt: skip


LEMMAS: tuple[Invariant, ...] = (
    Invariant("sizes", "there are 1 to 64 list registers and 1 to 8 vCPUs", (), _sizes, "IHI 0048B GICH_VTR", "never"),
    Invariant("threads", "threads, CPUs and the lock agree on who runs where", ("vcpu",), _threads,
              "kvm_arch_vcpu_load, preempt notifiers", "never"),
    Invariant("cpus", "a CPU and the vCPU that it runs agree", ("cpu",), _cpus, "kvm_arch_vcpu_load", "never"),
    Invariant("guest-registers", "the guest changes only the states of list registers, and makes none pending",
              ("vcpu", "lr"), _guest_registers, "IHI 0048B GICV_IAR, GICV_EOIR", "never"),
    Invariant("unused-empty", "a list register that is not in use is empty, and one in use is an interrupt's",
              ("vcpu", "lr"), _unused_empty, "vgic_queue_irq", "where only level interrupts ask for their EOI"),
    Invariant("elrsr-empty", "a list register that is reported empty is, and is freed by the next sync",
              ("vcpu", "lr"), _elrsr_empty, "IHI 0048B GICH_ELRSR", "where an entry is abandoned after a flush"),
    Invariant("saved-status", "what an exit saved of EISR and MISR is used up by the sync after it", ("vcpu", "lr"),
              _saved_status, "__kvm_vgic_sync_from_cpu", "where software never clears them, as in 2012"),
    Invariant("oracle-in-use", "a vCPU that left the guest with a list register in use looks again", ("vcpu", "lr"),
              _oracle_in_use, "__kvm_vgic_sync_from_cpu", "never"),
    Invariant("oracle-or-sync", "a vCPU that something waits for has its oracle bit set, or a sync to come looks at it",
              ("vcpu", "irq"), _oracle_or_sync, "vgic.c, irq_pending_on_cpu",
              "where the sync looks at no interrupt again"),
    Invariant("flush-progress", "what the flush has passed is in a list register, or counted as not fitting",
              ("vcpu", "irq"), _flush_progress, "__kvm_vgic_sync_to_cpu", "where others write without the lock"),
    Invariant("flush-missed", "what did not fit in the flush waits", ("vcpu",), _flush_missed,
              "__kvm_vgic_sync_to_cpu", "where others write without the lock"),
    Invariant("flush-full", "where something did not fit no list register is empty", ("vcpu", "lr"), _flush_full,
              "__kvm_vgic_sync_to_cpu", "where others write without the lock"),
    Invariant("registers-sane", "SGIs are enabled, targets and sources exist", ("vcpu", "irq"), _registers_sane,
              "vgic_handle_mmio", "never"),
    Invariant("latched-is-owed", "what is latched was not made pending since", ("vcpu", "irq"), _latched_is_owed,
              "vgic_update_irq_state", "where a line counts as latched, as in 2012"),
)  # fmt: skip
"""Why the properties hold."""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant("level-not-lost",
              "a level interrupt that is high, enabled and in no list register is about to be looked at",
              ("vcpu", "irq"), _level_not_lost, "the mission; vgic.c, comment on irq_active", "never",
              "handler clears active and nothing re-arms the interrupt, October 2012", follows=True),
    Invariant("lr-unique", "no interrupt is in two list registers, and a shared one in those of at most one vCPU",
              ("vcpu", "lr", "vcpu", "lr"), _lr_unique, "IHI 0048B: two list registers with one id are UNPREDICTABLE",
              "never", "PPI queued from a stale pending bit while still active, November 2012", follows=True),
    Invariant("lr-map-exact", "vgic_irq_lr_map and lr_used agree with the list registers: from register to map",
              ("vcpu", "lr"), _lr_map_of_lr, "vgic.c, vgic_irq_lr_map", "never",
              "one slot for all sources of an SGI, 2012"),
    Invariant("lr-map-exact", "vgic_irq_lr_map and lr_used agree with the list registers: from map to register",
              ("vcpu", "irq"), _lr_map_of_irq, "vgic.c, vgic_irq_lr_map", "never",
              "one slot for all sources of an SGI, 2012"),
    Invariant("active-iff-in-service", "irq_active never sticks: it has a list register with its EOI to be seen",
              ("vcpu", "irq"), _active_has_lr, "vgic.c, comment on irq_active", "never",
              "saved EISR processed twice, v3.9 to v3.19"),
    Invariant("active-iff-in-service", "a list register with its EOI to be seen has irq_active",
              ("vcpu", "lr"), _lr_is_active, "vgic.c, comment on irq_active", "never",
              "saved EISR processed twice, v3.9 to v3.19"),
    Invariant("oracle-sound", "irq_pending_on_cpu is set for every vCPU that something waits for", ("vcpu", "irq"),
              _oracle_sound, "vgic.c, irq_pending_on_cpu", "never",
              "take distributor lock on sync_hwstate path, v3.9 to v3.11"),
    Invariant("nobody-sleeps-on-pending", "no vCPU sleeps on something that waits for it, unless a kick is under way",
              ("vcpu", "irq", "lr"), _nobody_sleeps, "kvm_vcpu_block, kvm_arch_vcpu_runnable", "never",
              "none known", follows=True),
    Invariant("kick-not-lost", "no vCPU runs in the guest past something that came after its flush, without a kick",
              ("vcpu", "irq"), _kick_not_lost, "vgic_kick_vcpus, kvm_vcpu_kick",
              "for what did not fit: UIE tells of that", "use vcpu requests for irq injection, v4.13"),
    Invariant("edge-not-lost", "each rising edge is latched until it is made pending in a list register",
              ("vcpu", "irq"), _edge_not_lost, "vgic_update_irq_state", "where the guest takes it back (ICPENDR)",
              "none known"),
    Invariant("sgi-not-lost", "each SGI that was sent is pending until it is made so in a list register, of its source",
              ("vcpu", "irq"), _sgi_not_lost, "vgic_dispatch_sgi", "where the guest takes it back (CPENDSGIR)",
              "none known"),
    Invariant("lock-irq-safe", "the handler waits for no lock that the thread holds which it interrupted", ("cpu",),
              _lock_irq_safe, "spin_lock in an interrupt", "never",
              "lock taken in the maintenance handler, September 2012"),
)  # fmt: skip
"""Properties of every reachable state."""

STEP_PROPERTIES: tuple[StepProperty, ...] = (
    StepProperty("disabled-not-delivered", "nothing disabled is made pending, and nothing in a disabled distributor",
                 ("vcpu", "lr"), _disabled, "IHI 0048B GICD_CTLR, GICD_ISENABLER", "never",
                 "distributor enable not looked at when queueing, 2012"),
    StepProperty("target-respected", "a shared interrupt is made pending only at the vCPU that it targets",
                 ("vcpu", "lr"), _target, "IHI 0048B GICD_ITARGETSR", "never", "stale cached pending bit, 2012"),
    StepProperty("lowered-not-delivered", "a level interrupt whose line fell before the flush is not made pending",
                 ("vcpu", "lr"), _lowered, "IHI 0048B GICD_ISPENDR", "never", "level line lowered, 2012 to v4.1"),
    StepProperty("edge-once", "one edge, or one SGI, is made pending at most once", ("vcpu", "lr"), _edge_once,
                 "vgic_queue_irq", "never", "PPI queued from a stale pending bit, November 2012"),
    StepProperty("overflow-sets-uie", "the flush leaves UIE set exactly if something that waits did not fit",
                 ("vcpu", "irq"), _overflow, "IHI 0048B GICH_HCR.UIE", "never", "none known", "flush_end"),
    StepProperty("ack-eoi-cycle", "a list register becomes active by acknowledge, and ceases to be by EOI",
                 ("vcpu", "lr"), _cycle, "IHI 0048B GICV_IAR, GICV_EOIR", "never", "none known", "acknowledge"),
    StepProperty("run-loop-order", "a thread goes through its loop in order, and only while it runs", ("vcpu",), _loop,
                 "kvm_arch_vcpu_ioctl_run", "never", "none known", "block"),
    StepProperty("kick-stays", "a kick stays until it ended guest or sleep, a request until the next flush", ("vcpu",),
                 _kicks, "kvm_vcpu_kick", "never", "none known", "flush_begin"),
    StepProperty("world-switch-exact", "an entry restores what the shadow holds, an exit saves what the registers hold",
                 ("vcpu", "lr"), _switched, "__vgic_restore_state, save_vgic_state", "never", "none known", "leave"),
    StepProperty("registers-owned", "the list registers of a CPU change under its guest, at an entry, or in its "
                 "handler", ("cpu", "lr"), _registers_owned, "IHI 0048B GICH_LR", "never", "none known", "enter"),
    StepProperty("oracle-tight", "a sync sets irq_pending_on_cpu only for what waits or a list register in use",
                 ("vcpu", "vcpu"), _looks_for_a_reason, "__kvm_vgic_sync_from_cpu", "where bits are cached, as in 2012",
                 "none known", "sync_end"),
)  # fmt: skip
"""Properties of every step from a reachable state."""
