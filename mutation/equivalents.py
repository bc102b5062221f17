"""Mutants that go unnoticed: those that no property can notice, and those that show where a property is missing."""

from __future__ import annotations

from .machine_equivalents import MACHINE_EQUIVALENT, MACHINE_HOLES

_OFFSET_ZERO = "GICH_HCR is offset 0: the address is the same"
_HANDLER = "vgic_maintenance_handler"
_TRUTH = "the argument is a truth value"
_ALIGNED = "both addresses start a page, and the sizes are whole pages, so that one byte decides nothing"
_CFG = "(&dist->irq_cfg, id, i, "
_EACH = "(vgic_init_maintenance_interrupt, &vgic_cpu_nb, "
_BELOW, _ABOVE = "d + KVM_VGIC_V2_DIST_SIZE <= c", "c + KVM_VGIC_V2_CPU_SIZE <= d"
_PAGE = "!(base & ~PAGE_MASK) && base"
_WIDE = "the number is the same at either width"
_LOW = "the lowest bits are those that are shifted out"
_SPI, _COUNT = "le(NR_PRIVATE_IRQS, intid)", "lt(intid, nr_irqs)"
_MOST = "the proof is for all 1024 INTIDs that there are"
_INDEX = "the stub of the device tree does not look at what is looked for"
_NOTIFY = "vgic_cpu_notify"
_NOTIFIED = "nothing runs the notifier: a static structure may hold another function when the probe is called"
_ACTIONS = ("CPU_STARTING_FROZEN", "CPU_DYING", "CPU_DYING_FROZEN", "NOTIFY_OK")
_RANGE = "the stub of create_hyp_io_mappings counts mappings and does not look at the range"

EQUIVALENT: dict[str, str] = {
    f"{_HANDLER}: dist->vctrl_base + GICH_HCR -> dist->vctrl_base - GICH_HCR": _OFFSET_ZERO,
    f"{_HANDLER}: (vgic_cpu->vgic_hcr, dist->vctrl_base + GICH_HCR) -> (vgic_cpu->vgic_hcr, dist->vctrl_base + 0)": (
        _OFFSET_ZERO
    ),
    f"{_HANDLER}: vgic_vctrl_base + GICH_HCR -> vgic_vctrl_base - GICH_HCR": _OFFSET_ZERO,
    f"{_HANDLER}: vgic_vctrl_base + GICH_HCR -> vgic_vctrl_base - GICH_HCR (2)": _OFFSET_ZERO,
    f"{_HANDLER}: (0, vgic_vctrl_base + GICH_HCR) -> (0, vgic_vctrl_base + 0)": _OFFSET_ZERO,
    f"{_HANDLER}: (vgic_cpu->vgic_hcr, vgic_vctrl_base + GICH_HCR) -> (vgic_cpu->vgic_hcr, vgic_vctrl_base + 0)": (
        _OFFSET_ZERO
    ),
    "flagged: s.cpu -> s.hw (3)": "the nr_lr of the vCPU is that of this CPU, by assumption",
    "kvm_vgic_vcpu_init: (&dist->irq_enabled, id, i, 1) -> (&dist->irq_enabled, id, i, 2)": _TRUTH,
    f"kvm_vgic_vcpu_init: {_CFG}VGIC_CFG_EDGE) -> {_CFG}(VGIC_CFG_EDGE + 1))": _TRUTH,
    f"kvm_vgic_hyp_init: {_EACH}1) -> {_EACH}2)": _TRUTH,
    "vgic_bases_fit: (d, KVM_VGIC_V2_DIST_SIZE) -> (d, (KVM_VGIC_V2_DIST_SIZE - 1))": _ALIGNED,
    "vgic_bases_fit: (c, KVM_VGIC_V2_CPU_SIZE) -> (c, (KVM_VGIC_V2_CPU_SIZE - 1))": _ALIGNED,
    f"vgic_bases_fit: {_BELOW} || {_ABOVE} -> d + (KVM_VGIC_V2_DIST_SIZE - 1) <= c || {_ABOVE}": _ALIGNED,
    f"vgic_bases_fit: {_BELOW} || {_ABOVE} -> {_BELOW} || c + (KVM_VGIC_V2_CPU_SIZE - 1) <= d": _ALIGNED,
    f"vgic_base_fits: {_PAGE} <= VGIC_GUEST_TOP - size -> {_PAGE} <= (VGIC_GUEST_TOP + 1) - size": _ALIGNED,
    "vgic_gicv_fits: gicv->start <= gicv->end -> gicv->start < gicv->end": "one byte is too small all the same",
    "kvm_vgic_vcpu_init: 7 -> 6": "a plain number has no width, and a counterexample must fail in plain Python",
    "kvm_vgic_init: 0 -> 1 (3)": "an error is negative, and 0 is no error whichever branch hands it on",
    f"kvm_vgic_init: and_({_SPI}, {_COUNT}) -> and_({_SPI})": _MOST,
    f"kvm_vgic_init: {_COUNT} -> le(intid, nr_irqs)": _MOST,
    "addresses_fit: GUEST_TOP -> GUEST_TOP + 1": _ALIGNED,
    "addresses_fit: GUEST_TOP -> GUEST_TOP + 1 (2)": _ALIGNED,
    "addresses_fit: DIST_SIZE -> DIST_SIZE - 1": _ALIGNED,
    "addresses_fit: DIST_SIZE -> DIST_SIZE - 1 (2)": _ALIGNED,
    "addresses_fit: CPU_SIZE -> CPU_SIZE - 1": _ALIGNED,
    "addresses_fit: CPU_SIZE -> CPU_SIZE - 1 (2)": _ALIGNED,
    "vgic_ioaddr_overlap: DIST_SIZE -> DIST_SIZE - 1": _ALIGNED,
    "vgic_ioaddr_overlap: CPU_SIZE -> CPU_SIZE - 1": _ALIGNED,
    "whole_pages: le(start, end) -> lt(start, end)": "one byte is too small all the same",
    "report_empty: s.cpu -> s.hw": "the shadow has just been written to the register",
    "within: 13 -> 14 (3)": _WIDE,
    "_read_byte: 7 -> 6": _WIDE,
    "_read_byte: CPENDSGIR -> CPENDSGIR + 1": _LOW,
    "_read_byte: SPENDSGIR -> SPENDSGIR + 1": _LOW,
    "at_least: lt(point, least) -> le(point, least)": "where they are equal both branches are the same number",
    **MACHINE_EQUIVALENT,
}
"""The reason, by the key of the mutant."""

HOLES: dict[str, str] = {
    'kvm_vgic_hyp_init: (NULL, NULL, "arm,cortex-a15-gic") -> (NULL, "arm,cortex-a15-gic", NULL)': _INDEX,
    "vgic_map_gich: (base, base + size, res.start) -> (base + size, base, res.start)": _RANGE,
    "vgic_map_gich: base + size -> base - size": _RANGE,
    f"kvm_vgic_hyp_init: {_EACH}1) -> {_EACH}0)": "the stub of on_each_cpu always waits",
    "kvm_vgic_init: spin_lock_init(&dist->lock); -> ;": "a lock that was never initialised counts as free",
    **{
        f"{_NOTIFY}: {name} -> {other}": _NOTIFIED
        for name in _ACTIONS
        for other in (f"({name} + 1)", f"({name} - 1)", "0")
    },
    f"{_NOTIFY}: disable_percpu_irq(vgic_node_irq); -> ;": _NOTIFIED,
    f"{_NOTIFY}: return NOTIFY_OK; -> ;": _NOTIFIED,
    f"{_NOTIFY}: (vgic_node_irq, 0) -> (vgic_node_irq, 1)": "the stub of enable_percpu_irq does not look at the type",
    **MACHINE_HOLES,
}
"""The property that is missing, by the key of a mutant that shows it; these count as survivors."""
