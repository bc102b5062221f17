# ruff: noqa: E501
"""Mutants of the machine and of its properties that go unnoticed; see `mutation.equivalents`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def explained(reasons: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the reason for each key of a mutant, from the keys for each reason."""
    return {key: reason for reason, keys in reasons.items() for key in keys}


MACHINE_EQUIVALENT: dict[str, str] = explained(
    {
        "INTIDs end at 1019, and a store does not read GICD_TYPER": ("mmio: NR_IRQS -> NR_IRQS - 1",),
        "a leading zero more": ("locked_by: 1 -> 2",),
        "a target is 0 before a VM has a VGIC, and after": (
            "initial: replace(machine.vm, irq_enabled=each(vcpu.irq_enabled), irq_cfg=each(vcpu.irq_cfg), irq_spi_cpu=Map(lambda key: vm.irq_spi_cpu[key], width=3), irq_spi_target=vm.irq_spi_target) -> replace(machine.vm, irq_enabled=each(vcpu.irq_enabled), irq_cfg=each(vcpu.irq_cfg), irq_spi_target=vm.irq_spi_target)",
        ),
        "a loaded vCPU exists: lemma threads": (
            "runs: and_(exists(s, vcpu), s.thread.loaded[vcpu], s.cpu.irq[s.thread.cpu[vcpu]] == Irq.NONE) -> and_(s.thread.loaded[vcpu], s.cpu.irq[s.thread.cpu[vcpu]] == Irq.NONE)",
        ),
        "a vCPU in the guest is loaded and not interrupted: lemmas threads and cpus": (
            "kick_arrives: and_(exists(s, vcpu), s.thread.kick[vcpu], implies(in_guest, runs(s, vcpu))) -> and_(exists(s, vcpu), s.thread.kick[vcpu])",
        ),
        "it says more, and that is proved too: nothing goes unnoticed": (
            "_latched_is_owed: and_(not_(is_sgi(i)), s.vm.irq_state[key]) -> and_(s.vm.irq_state[key])",
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
            "to_be_queued: and_(source == 0, or_(_apart(intid, switches), not_(s.vm.irq_active[key]))) -> and_(or_(_apart(intid, switches), not_(s.vm.irq_active[key])))",
        ),
        "the cached copy is the same for each source": (
            "update_state: and_(k[1] == 0, cached[w, k[0]]) -> and_(cached[w, k[0]])",
        ),
        "the field is written before it is read": (
            "handler_state: 0 -> 1 (7)",
            "mmio: False -> True",
        ),
        "the handler reads neither GICH_VMCR nor GICH_APR": (
            "handler_state: 0 -> 1 (5)",
            "registers: 0 -> 1 (2)",
        ),
        "the handler reads neither lr_used nor irq_cfg": (
            "handler_state: shadow.lr_used -> shadow.eisr",
            "handler_state: vm.irq_cfg -> vm.irq_active",
        ),
        "the number is the same at either width": (
            "handler_state: 32 -> 31",
            "irq_lr: 7 -> 8",
            "sync_lr: 13 -> 14",
        ),
        "the same of every interrupt that there is: only an SGI has a source, and INTIDs end at 1019": (
            "_level_not_lost: FIRST_SPECIAL_INTID -> FIRST_SPECIAL_INTID + 1",
            "_level_not_lost: and_(not_(is_sgi(i)), source == 0, lt(i, FIRST_SPECIAL_INTID), not_(s.vm.irq_cfg[key]), s.vm.irq_line[key]) -> and_(not_(is_sgi(i)), lt(i, FIRST_SPECIAL_INTID), not_(s.vm.irq_cfg[key]), s.vm.irq_line[key])",
            "_nobody_sleeps: and_(canonical(i, source), deliverable(s.vm, v, i, source, switches)) -> and_(deliverable(s.vm, v, i, source, switches))",
            "_rearmed_by_a_sync: 0 -> 1",
        ),
        "what is reported empty flags no EOI: lemma elrsr-empty": (
            "sync_lr: and_(s.shadow.eisr[vcpu, l], lr.eoi) -> and_(lr.eoi)",
        ),
        "what nobody owns is written as it is": (
            "sync_lr: and_(new.ghost.owned[key], new.ghost.owner[key] == vcpu) -> and_(new.ghost.owner[key] == vcpu)",
        ),
    }
)
"""Those that no property can notice."""

MACHINE_HOLES: dict[str, str] = explained(
    {
        "it excuses or leaves out more than it must, and no planted fault needs it exact": (
            "_level_not_lost: NR_PRIVATE_IRQS -> NR_PRIVATE_IRQS - 1",
            "_level_not_lost: and_(s.shadow.lr_used[w, l], lr.virtual_id == i, or_(le(NR_PRIVATE_IRQS, i), v == w)) -> and_(lr.virtual_id == i, or_(le(NR_PRIVATE_IRQS, i), v == w))",
            "_level_not_lost: and_(there, or_(valid(lr), lr.eoi)) -> and_(there)",
            "_lock_irq_safe: s.cpu.busy -> s.cpu.live",
            "_unused_empty: and_(lt(l, s.nr_lr), canonical(shadow.virtual_id, shadow.cpuid), not_(shadow.hw), exists(s, v)) -> and_(lt(l, s.nr_lr), canonical(shadow.virtual_id, shadow.cpuid), not_(shadow.hw))",
            "looks_soon: and_(lt(k[0], s.nr_lr), not_(s.shadow.elrsr[v, k[0]])) -> and_(lt(k[0], s.nr_lr))",
            "looks_soon: s.shadow.elrsr -> s.shadow.eisr",
            "_rearmed_by_a_sync: LR_EMPTY -> LR_EMPTY + 1",
            "_rearmed_by_a_sync: and_(not_(is_sgi(intid)), s.ghost.owned[key], mapped != LR_EMPTY, s.shadow.lr_used[w, l], s.shadow.lr[w, l].virtual_id == intid, s.shadow.elrsr[w, l], unsynced(s, w, l)) -> and_(not_(is_sgi(intid)), s.ghost.owned[key], s.shadow.lr_used[w, l], s.shadow.lr[w, l].virtual_id == intid, s.shadow.elrsr[w, l], unsynced(s, w, l))",
        ),
        "no maintenance interrupt comes in the reference; where one comes, what would speak of it is broken already": (
            "handler_state: s.cpu.busy -> s.cpu.live",
            "irq_enter: and_(s.cpu.busy[cpu], locked_by(s, vcpu) if switches.lock_irqs_off else False) -> and_(locked_by(s, vcpu) if switches.lock_irqs_off else False)",
        ),
        "that SGIs are enabled is said by registers-sane": (
            "_sgi_not_lost: and_(s.vm.sgi_sources[v, sgi(i), source], s.vm.irq_enabled[v, i]) -> and_(s.vm.sgi_sources[v, sgi(i), source])",
        ),
    }
)
"""Those of which no property speaks."""
