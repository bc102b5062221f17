# ruff: noqa: E501
"""Mutants of the machine and of its properties that go unnoticed; see `mutation.equivalents`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def explained(reasons: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the reason for each key of a mutant, from the keys for each reason."""
    return {key: reason for reason, keys in reasons.items() for key in keys}


MACHINE_EQUIVALENT: dict[str, str] = explained(
    {
        "a leading zero more": ("locked_by: 1 -> 2",),
        "a loaded vCPU exists: lemma threads": (
            "runs: and_(exists(s, vcpu), s.thread.loaded[vcpu], s.cpu.irq[s.thread.cpu[vcpu]] == Irq.NONE) -> and_(s.thread.loaded[vcpu], s.cpu.irq[s.thread.cpu[vcpu]] == Irq.NONE)",
        ),
        "a plain number has no width": (
            "initial: 13 -> 14",
            "initial: 13 -> 14 (2)",
            "initial: 2 -> 3",
            "initial: 2 -> 3 (2)",
            "initial: 3 -> 2 (2)",
            "initial: 3 -> 4 (5)",
            "initial: 7 -> 8",
            "initial: 8 -> 7",
            "initial: 8 -> 9 (2)",
        ),
        "a vCPU in the guest is loaded and not interrupted: lemmas threads and cpus": (
            "kick_arrives: and_(exists(s, vcpu), s.thread.kick[vcpu], implies(in_guest, runs(s, vcpu))) -> and_(exists(s, vcpu), s.thread.kick[vcpu])",
        ),
        "it says more, and that is proved too: nothing goes unnoticed": (
            "_latched_is_owed: and_(not_(is_sgi(i)), s.vm.irq_state[key]) -> and_(s.vm.irq_state[key])",
            "_lock_irq_safe: and_(s.cpu.irq[p] == Irq.SPIN, s.cpu.busy[p]) -> and_(s.cpu.irq[p] == Irq.SPIN)",
            "_lr_is_active: and_(s.shadow.lr_used[v, l], shadow.eoi) -> and_(shadow.eoi)",
            "_lr_unique: and_(valid(one), valid(two), one.virtual_id == two.virtual_id, lt(l, s.nr_lr), lt(m, s.nr_lr)) -> and_(valid(one), valid(two), one.virtual_id == two.virtual_id, lt(l, s.nr_lr))",
            "_lr_unique: lt(l, s.nr_lr) -> le(l, s.nr_lr)",
            "_made_pending: lt(l, old.nr_lr) -> le(l, old.nr_lr)",
            "_nobody_sleeps: and_(s.shadow.lr_used[v, l], is_pending(s.shadow.lr[v, l])) -> and_(s.shadow.lr_used[v, l])",
            "_oracle_sound: and_(canonical(i, source), exists(s, v), deliverable(s.vm, v, i, source, switches)) -> and_(canonical(i, source), deliverable(s.vm, v, i, source, switches))",
            "_registers_sane: NR_PRIVATE_IRQS -> NR_PRIVATE_IRQS - 1",
            "_registers_sane: and_(is_sgi(i), s.vm.sgi_sources[v, sgi(i), source]) -> and_(s.vm.sgi_sources[v, sgi(i), source])",
            "_unused_empty: and_(used, sgi_) -> or_(used, sgi_)",
            "_unused_empty: and_(used, shadow.eoi) -> and_(shadow.eoi)",
        ),
        "no SGI is active, and nothing else is mapped by source": ("_active_has_lr: 0 -> 1",),
        "only an SGI has a source: lemmas unused-empty and guest-registers": (
            "_lr_unique: or_(not_(is_sgi(one.virtual_id)), one.cpuid == two.cpuid) -> or_(one.cpuid == two.cpuid)",
        ),
        "only an SGI has a source: there is no other interrupt with one": (
            "deliverable: and_(source == 0, pending(vm, key, switches)) -> and_(pending(vm, key, switches))",
        ),
        "the field is written before it is read": ("mmio: False -> True",),
        "the handler reads neither GICH_VMCR nor GICH_APR": (
            "registers: 0 -> 1 (2)",
            "registers: replace(VMCR_RESET, grp0_en=True) -> VMCR_RESET",
        ),
        "the number is the same at either width": ("sync_lr: 13 -> 14",),
        "the same of every interrupt that there is: only an SGI has a source, and INTIDs end at 1019": (
            "_level_not_lost: FIRST_SPECIAL_INTID -> FIRST_SPECIAL_INTID + 1",
            "_level_not_lost: and_(not_(is_sgi(i)), source == 0, lt(i, FIRST_SPECIAL_INTID), not_(s.vm.irq_cfg[key]), s.vm.irq_line[key]) -> and_(not_(is_sgi(i)), lt(i, FIRST_SPECIAL_INTID), not_(s.vm.irq_cfg[key]), s.vm.irq_line[key])",
            "_nobody_sleeps: and_(canonical(i, source), deliverable(s.vm, v, i, source, switches)) -> and_(deliverable(s.vm, v, i, source, switches))",
            "rearmed_soon: 0 -> 1",
        ),
        "where they are equal both branches are the same number": ("at_least: lt(point, least) -> le(point, least)",),
    }
)
"""Those that no property can notice."""

MACHINE_HOLES: dict[str, str] = explained(
    {
        "a branch of 2012: what would speak of it is broken there already": (
            "_computed: NR_PRIVATE_IRQS -> NR_PRIVATE_IRQS + 1",
            "_computed: and_(pending(vm, key, switches), vm.irq_enabled[key], mine) -> and_(pending(vm, key, switches), mine)",
            "_inject_2012: and_(cares, level) -> and_(level)",
            "_inject_2012: and_(cares, level) -> and_(level) (2)",
            "_inject_2012: and_(cares, or_(edge, not_(s.vm.irq_active[key]))) -> and_(cares)",
            "_inject_2012: and_(cares, or_(edge, not_(s.vm.irq_active[key]))) -> or_(cares, or_(edge, not_(s.vm.irq_active[key])))",
            "_inject_2012: and_(changes, not_(level)) -> and_(not_(level))",
            "_inject_2012: and_(changes, s.vm.irq_enabled[key]) -> and_(s.vm.irq_enabled[key])",
            "_inject_2012: and_(level, not_(s.vm.irq_state[key])) -> and_(level)",
            "_inject_2012: and_(level, not_(s.vm.irq_state[key])) -> or_(level, not_(s.vm.irq_state[key]))",
            "_inject_2012: if switches.inject_skips_active: cares = and_(cares, or_(edge, not_(s.vm.irq_active[key]))) -> if not switches.inject_skips_active: cares = and_(cares, or_(edge, not_(s.vm.irq_active[key])))",
            "_inject_2012: not_(level) -> level",
            "_inject_2012: or_(edge, not_(s.vm.irq_active[key])) -> or_(not_(s.vm.irq_active[key]))",
            "_inject_2012: put(new.shadow, (target, intid), and_(changes, not_(level)), cached=False) -> put(new.shadow, (target, intid), cached=False)",
            "_inject_2012: put(new.vm, target, and_(cares, level), pending_on_cpu=True) -> put(new.vm, target, pending_on_cpu=True)",
            "_inject_2012: replace(new, shadow=put(new.shadow, (target, intid), and_(changes, not_(level)), cached=False)) -> new",
            "_inject_2012: s.vm.irq_active -> s.vm.irq_cfg",
            "_queued: NR_PRIVATE_IRQS -> NR_PRIVATE_IRQS - 1",
            "_queued: and_(not_(private), not_(edge)) -> and_(not_(edge))",
            "_queued: lt(intid, NR_PRIVATE_IRQS) -> le(intid, NR_PRIVATE_IRQS)",
            "rearmed: and_(when, high) -> and_(when)",
            "rearmed: put(s.shadow, (vcpu, intid), when, cached=high) -> put(s.shadow, (vcpu, intid), cached=high)",
            "to_be_queued: and_(source == 0, or_(lt(intid, NR_PRIVATE_IRQS), not_(s.vm.irq_active[0, intid]))) -> and_(or_(lt(intid, NR_PRIVATE_IRQS), not_(s.vm.irq_active[0, intid])))",
            "update_state: and_(k[1] == 0, cached[w, k[0]]) -> and_(cached[w, k[0]])",
            "update_state: w == 0 -> w != 0",
        ),
        "a choice that no generation makes: the line apart, and a cached copy": (
            "inject: if not switches.flush_reads_state: return (guard, kick_vcpus(update_state(new, domain, switches), switches)) -> pass",
        ),
        "a kick or a request goes only with the oracle bit, and one more or less beside it loses nothing": (
            "kick_vcpus: or_(request[key], oracle[key]) -> or_(oracle[key])",
            "kick_vcpus: request=Map(lambda key: or_(request[key], oracle[key])) -> overflow=Map(lambda key: or_(request[key], oracle[key]))",
            "kick_vcpus: s.thread.kick -> s.thread.request",
            "kick_vcpus: s.thread.request -> s.thread.kick",
        ),
        "a request or a kick that stays sends the vCPU round once more, which nothing forbids": (
            "flush_begin: request=False -> kick=False",
            "flush_begin: thread(lock(s, vcpu), vcpu, phase=Phase.FLUSH, cursor=start, overflow=False, request=False) -> thread(lock(s, vcpu), vcpu, phase=Phase.FLUSH, cursor=start, overflow=False)",
        ),
        "in the reference the end of what is freed with its EOI flag was in EISR: lemma elrsr-empty": (
            "sync_lr: and_(s.shadow.eisr[vcpu, l], lr.eoi) -> and_(lr.eoi)",
        ),
        "it excuses or leaves out more than it must, and no planted fault needs it exact": (
            "_level_not_lost: NR_PRIVATE_IRQS -> NR_PRIVATE_IRQS - 1",
            "_level_not_lost: and_(s.shadow.lr_used[w, l], lr.virtual_id == i, or_(le(NR_PRIVATE_IRQS, i), v == w)) -> and_(lr.virtual_id == i, or_(le(NR_PRIVATE_IRQS, i), v == w))",
            "_level_not_lost: and_(there, or_(valid(lr), lr.eoi)) -> and_(there)",
            "_lock_irq_safe: s.cpu.busy -> s.cpu.live",
            "_unused_empty: and_(lt(l, s.nr_lr), canonical(shadow.virtual_id, shadow.cpuid), not_(shadow.hw), exists(s, v)) -> and_(lt(l, s.nr_lr), canonical(shadow.virtual_id, shadow.cpuid), not_(shadow.hw))",
            "canonical: and_(lt(intid, FIRST_SPECIAL_INTID), or_(is_sgi(intid), source == 0)) -> and_(lt(intid, FIRST_SPECIAL_INTID))",
            "canonical: and_(lt(intid, FIRST_SPECIAL_INTID), or_(is_sgi(intid), source == 0)) -> or_(lt(intid, FIRST_SPECIAL_INTID), or_(is_sgi(intid), source == 0))",
            "looks_soon: and_(left, domain.exists('looks', 'lr', lambda k: and_(lt(k[0], s.nr_lr), not_(s.shadow.elrsr[v, k[0]])), given=(v,))) -> and_(domain.exists('looks', 'lr', lambda k: and_(lt(k[0], s.nr_lr), not_(s.shadow.elrsr[v, k[0]])), given=(v,)))",
            "looks_soon: and_(lt(k[0], s.nr_lr), not_(s.shadow.elrsr[v, k[0]])) -> and_(lt(k[0], s.nr_lr))",
            "looks_soon: s.shadow.elrsr -> s.shadow.eisr",
            "rearmed_soon: LR_EMPTY -> LR_EMPTY + 1",
            "rearmed_soon: and_(not_(is_sgi(intid)), s.ghost.owned[key], mapped != LR_EMPTY, s.shadow.lr_used[w, l], s.shadow.lr[w, l].virtual_id == intid, s.shadow.elrsr[w, l], unsynced(s, w, l)) -> and_(not_(is_sgi(intid)), s.ghost.owned[key], s.shadow.lr_used[w, l], s.shadow.lr[w, l].virtual_id == intid, s.shadow.elrsr[w, l], unsynced(s, w, l))",
        ),
        "looking again too often loses nothing, and nothing asks a vCPU to come to rest": (
            "_looked_at_again: and_(not_(is_sgi(intid)), deliverable(s.vm, target, intid, 0, switches)) -> and_(not_(is_sgi(intid)))",
            "_looked_at_again: and_(not_(is_sgi(intid)), deliverable(s.vm, target, intid, 0, switches)) -> or_(not_(is_sgi(intid)), deliverable(s.vm, target, intid, 0, switches))",
            "sync_end: lt(key[0], s.nr_lr) -> le(key[0], s.nr_lr)",
        ),
        "no maintenance interrupt comes in the reference; where one comes, what would speak of it is broken already": (
            "_written_back: 32 -> 31",
            "_written_back: h.hw -> h.cpu (2)",
            "handler_state: 0 -> 1 (5)",
            "handler_state: 0 -> 1 (7)",
            "handler_state: 32 -> 31",
            "handler_state: s.cpu.busy -> s.cpu.live",
            "handler_state: shadow.lr_used -> shadow.eisr",
            "handler_state: vm.irq_cfg -> vm.irq_active",
            "irq_enter: and_(s.cpu.busy[cpu], locked_by(s, vcpu) if switches.lock_irqs_off else False) -> and_(locked_by(s, vcpu) if switches.lock_irqs_off else False)",
            "irq_exit: and_(flagged(seen, key[0], switches), le(s.cpu.irq_lr[cpu], key[0])) -> and_(le(s.cpu.irq_lr[cpu], key[0]))",
            "irq_lr: 7 -> 8",
            "irq_lr: and_(left(key), lt(key[0], l)) -> and_(lt(key[0], l))",
            "irq_lr: and_(s.cpu.irq[cpu] == Irq.RUN, left((l,)), not_(earlier)) -> and_(s.cpu.irq[cpu] == Irq.RUN, left((l,)))",
        ),
        "no property says that a list register that is used again keeps its active state": (
            "_made_pending: ite(invalid, LRState.PENDING, lr.state, width=2) -> ite(invalid, lr.state, LRState.PENDING, width=2)",
            "_made_pending: lr.state == LRState.INVALID -> lr.state != LRState.INVALID",
        ),
        "no step needs the status exact: it is claimed of model.gich, misr-exact and elrsr-eisr-exact": (
            "ended: and_(lr.state == LRState.INVALID, not_(lr.hw), lr.eoi) -> and_(lr.state == LRState.INVALID, lr.eoi)",
            "live_misr: 0 -> 1 (3)",
            "live_misr: and_(hcr.lrenpie, hcr.eoicount != 0) -> or_(hcr.lrenpie, hcr.eoicount != 0)",
            "live_misr: and_(hcr.uie, not_(two('valid', 'lr', valid, given=(cpu,)))) -> and_(hcr.uie)",
            "live_misr: lr.state == LRState.PENDING -> lr.state != LRState.PENDING",
            "live_misr: not_(some('pending', 'lr', pending, given=(cpu,))) -> some('pending', 'lr', pending, given=(cpu,))",
            "maintenance_line: m.u -> m.eoi",
            "maintenance_line: or_(m.eoi, m.u, m.lrenp, m.np, m.vgrp0e, m.vgrp1d) -> or_(m.eoi, m.lrenp, m.np, m.vgrp0e, m.vgrp1d)",
            "maintenance_line: or_(m.eoi, m.u, m.lrenp, m.np, m.vgrp0e, m.vgrp1d) -> or_(m.eoi, m.u, m.lrenp, m.np, m.vgrp0e)",
            "maintenance_line: or_(m.eoi, m.u, m.lrenp, m.np, m.vgrp0e, m.vgrp1d) -> or_(m.eoi, m.u, m.lrenp, m.vgrp0e, m.vgrp1d)",
        ),
        "nobody reads this bit of the saved MISR": ("sync_end: False -> True (5)",),
        "nothing says in which order the flush takes interrupts": (
            "flush_irq: and_(_left(s, vcpu, key, switches), lt(rank(*key), here)) -> and_(lt(rank(*key), here))",
        ),
        "nothing writes the two numbers, so that no fault of a step shows which bounds they have": (
            "_sizes: 8 -> 9",
            "_sizes: Part('nr_lr is 1..64', True, and_(le(1, s.nr_lr), le(s.nr_lr, NR_LRS))) -> Part('nr_lr is 1..64', True, True)",
            "_sizes: True -> False (2)",
            "_sizes: and_(le(1, s.nr_lr), le(s.nr_lr, NR_LRS)) -> and_(le(1, s.nr_lr))",
        ),
        "of the saved GICH_HCR the flush writes UIE anew, and nobody reads the rest": (
            "_left: put(shadow, vcpu, hcr=s.cpu.hcr[cpu], misr=live_misr(s, cpu, domain)) -> put(shadow, vcpu, misr=live_misr(s, cpu, domain))",
        ),
        "that SGIs are enabled is said by registers-sane": (
            "_sgi_not_lost: and_(s.vm.sgi_sources[v, sgi(i), source], s.vm.irq_enabled[v, i]) -> and_(s.vm.sgi_sources[v, sgi(i), source])",
        ),
        "that what is active has an owner is said by the other half, from the list register": (
            "_active_has_lr: and_(s.ghost.owned[key], mapped != LR_EMPTY, s.shadow.lr_used[w, l], s.shadow.lr[w, l].virtual_id == i, s.shadow.lr[w, l].eoi, or_(w == v, le(NR_PRIVATE_IRQS, i))) -> and_(mapped != LR_EMPTY, s.shadow.lr_used[w, l], s.shadow.lr[w, l].virtual_id == i, s.shadow.lr[w, l].eoi, or_(w == v, le(NR_PRIVATE_IRQS, i)))",
        ),
        "what creation leaves is claimed of kvm_vgic_init and kvm_vgic_vcpu_init, not again of the machine's start": (
            "initial: 0 -> 1 (2)",
            "initial: 1 -> 0 (2)",
            "initial: False -> True (3)",
            "initial: NR_PRIVATE_IRQS -> NR_PRIVATE_IRQS + 1",
            "initial: NR_PRIVATE_IRQS -> NR_PRIVATE_IRQS - 1 (2)",
            "initial: and_(bool(switches.targets_every_vcpu), key[0] == 0, le(NR_PRIVATE_IRQS, key[1])) -> and_(bool(switches.targets_every_vcpu), le(NR_PRIVATE_IRQS, key[1]))",
            "initial: and_(bool(switches.targets_every_vcpu), key[0] == 0, le(NR_PRIVATE_IRQS, key[1])) -> or_(bool(switches.targets_every_vcpu), key[0] == 0, le(NR_PRIVATE_IRQS, key[1]))",
            "initial: and_(lt(key[0], nr_vcpus), is_sgi(key[1])) -> or_(lt(key[0], nr_vcpus), is_sgi(key[1]))",
            "initial: key[0] == 0 -> key[0] != 0",
            "initial: lt(key[0], nr_vcpus) -> le(key[0], nr_vcpus) (2)",
            "initial: lt(key[1], NR_PRIVATE_IRQS) -> le(key[1], NR_PRIVATE_IRQS)",
        ),
        "what is queued again in the reference is an SGI, which asks for no EOI": (
            "vgic_queue_irq: or_(old.eoi, eoi) -> or_(eoi)",
        ),
        "what the guest does at a list register is claimed of model.gich: more or less of it breaks no promise here": (
            "acknowledge: and_(_in_guest(s, vcpu), lt(l, s.nr_lr), enabled, lr.state == LRState.PENDING) -> and_(_in_guest(s, vcpu), enabled, lr.state == LRState.PENDING)",
            "end_of_interrupt: LRState.PENDING -> LRState.ACTIVE",
            "end_of_interrupt: and_(_in_guest(s, vcpu), lt(l, s.nr_lr), or_(lr.state == LRState.ACTIVE, both)) -> and_(_in_guest(s, vcpu), lt(l, s.nr_lr))",
            "end_of_interrupt: and_(_in_guest(s, vcpu), lt(l, s.nr_lr), or_(lr.state == LRState.ACTIVE, both)) -> and_(lt(l, s.nr_lr), or_(lr.state == LRState.ACTIVE, both))",
            "end_of_interrupt: or_(lr.state == LRState.ACTIVE, both) -> or_(lr.state == LRState.ACTIVE)",
            "wrong_end: 0 -> 1",
            "wrong_end: 1 -> 2",
            "wrong_end: replace(hcr, eoicount=field_of(hcr.eoicount + 1, 4, 0)) -> hcr",
        ),
        "which lines move and which stores are made is assumed: nothing says that they can be": (
            "inject: FIRST_SPECIAL_INTID -> FIRST_SPECIAL_INTID - 1",
            "inject: and_(not_(is_sgi(intid)), lt(intid, FIRST_SPECIAL_INTID), exists(s, vcpu)) -> and_(lt(intid, FIRST_SPECIAL_INTID), exists(s, vcpu))",
            "inject: and_(not_(is_sgi(intid)), lt(intid, FIRST_SPECIAL_INTID), exists(s, vcpu)) -> and_(not_(is_sgi(intid)), lt(intid, FIRST_SPECIAL_INTID))",
            "inject: and_(not_(s.locked), known, not_(iff(s.vm.irq_line[key], level))) -> and_(not_(s.locked), known)",
            "inject: lt(intid, FIRST_SPECIAL_INTID) -> le(intid, FIRST_SPECIAL_INTID)",
            "mmio: 1 -> 2",
            "mmio: 2 -> 3",
            "mmio: NR_IRQS -> NR_IRQS - 1",
            "mmio: and_(waits, not_(s.locked), or_(*(length == n for n in (1, 2, 4)))) -> and_(waits, not_(s.locked))",
        ),
        "who has an interrupt is asked for only where it is marked active": (
            "_queued: put(ghost, key, marks, owned=True, owner=vcpu) -> put(ghost, key, owned=True, owner=vcpu)",
            "sync_lr: and_(new.ghost.owned[key], new.ghost.owner[key] == vcpu) -> and_(new.ghost.owner[key] == vcpu)",
            "sync_lr: new = replace(new, ghost=put(new.ghost, key, mine, owned=False)) -> pass",
        ),
        "why an exit was made and when a thread may sleep is promised by nothing, as long as it is woken": (
            "block: and_(runs(s, vcpu), in_phase(s, vcpu, Phase.SYNCED), s.thread.why[vcpu] == Exit.WFI) -> and_(in_phase(s, vcpu, Phase.SYNCED), s.thread.why[vcpu] == Exit.WFI)",
            "block: s.thread.why[vcpu] == Exit.WFI -> s.thread.why[vcpu] != Exit.WFI",
            "turn_back: thread(s, vcpu, phase=Phase.EXITED, why=Exit.IRQ) -> thread(s, vcpu, phase=Phase.EXITED)",
        ),
    }
)
"""Those of which no property speaks."""
