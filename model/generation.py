"""The choices on which versions of the VGIC differ, and the named sets of choices that are its generations.

A switch says in one sentence what the code does when it is on.  Every transition of the software half takes the
switches as an argument, so that
a generation is this record and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Switches:
    """What a VGIC does; each switch that is on is a bug of the October 2012 code that is not there.

    Those of `NOT_NEEDED` are what others did, for better or worse.
    """

    handler_quiesces: bool
    """The maintenance handler turns GICH_HCR off when the registers are not those of the loaded vCPU."""
    handler_reports_empty: bool
    """The handler marks an EOIed list register empty in the saved ELRSR, for the sync that follows."""
    lr_count_six_bits: bool
    """The number of list registers is read from all six bits of GICH_VTR.ListRegs, not five."""
    vcpu_id_checked: bool
    """A vCPU whose id has no bank is refused with -EBUSY."""
    vmcr_reset: bool
    """A new vCPU starts from the reset value of GICH_VMCR, not from whatever the hardware holds."""
    vmcr_masked: bool
    """A new vCPU starts with every priority masked, to which GICV_PMR resets, not with none."""
    hyp_puts_node: bool
    """A probe that fails drops its reference on the device node."""
    hyp_forgets: bool
    """A probe that fails leaves no pointer to what it released."""
    hyp_hotplug: bool
    """CPUs that come online later have the maintenance interrupt enabled, by a CPU notifier."""
    init_needs_probe: bool
    """Creating a VGIC is refused with -ENODEV when the probe found none."""
    init_publishes_last: bool
    """Creating a VGIC marks the VM only after everything that can fail."""
    init_exists_first: bool
    """Creating a VGIC looks for an existing one before it looks at the device tree."""
    init_checks_gicv: bool
    """Only whole pages of GICV itself are given to the guest."""
    addresses_from_vmm: bool
    """The guest's addresses are those that the VMM has set, checked; not those of a Versatile Express."""
    set_addr_overlap: bool
    """The guest's two regions are compared with the new address in place, not before it is stored."""
    set_addr_whole_region: bool
    """Not only the start but the whole of a region lies in the guest's address space."""
    targets_every_vcpu: bool
    """Default targets are written for vCPU 0 whether or not it exists already."""
    line_apart: bool
    """The input line of a level interrupt is kept apart from what is latched for it."""
    marks_every_irq: bool
    """Every interrupt but an SGI is queued with the EOI flag and marked active until its EOI is seen, edges too."""
    map_by_source: bool
    """vgic_irq_lr_map tells the sources of an SGI apart."""
    flush_reads_state: bool
    """The flush looks at the state of each interrupt, not at a cached copy of what was pending."""
    queue_finds_unused: bool
    """A list register is looked for in lr_used, not in the saved ELRSR, which stays as it was saved."""
    requeue_keeps_eoi: bool
    """An interrupt that is queued again into the list register where it is does not ask for its EOI anew."""
    queue_clears_cached: bool
    """An edge that was queued leaves no bit in the cached copy."""
    queue_private_as_shared: bool
    """The flush takes a PPI as an SPI: not while it is marked active, and marked or forgotten by whether it is an edge.

    An SGI of which no sender is left leaves no bit in the cached copy either.
    """
    lowering_clears_cached: bool
    """A line that falls leaves no bit in the cached copy."""
    inject_skips_active: bool
    """A level interrupt that is marked active is not cached as pending again when its line rises."""
    inject_recomputes: bool
    """Injecting an interrupt computes the cached copy of every vCPU anew."""
    sync_locks: bool
    """__kvm_vgic_sync_from_cpu takes the distributor's lock."""
    sync_processes_eisr: bool
    """The sync clears the active bit of an EOIed list register that the handler did not see."""
    sync_rearms: bool
    """The sync has the target look at an interrupt again whose list register it frees."""
    sync_consumes: bool
    """The sync forgets the saved MISR and EISR when it is done with them."""
    lock_irqs_off: bool
    """The distributor's lock is taken with interrupts off."""
    irq_locks: bool
    """The maintenance handler takes the distributor's lock."""
    irq_rearms: bool
    """What processes EISR, handler or sync, has its own vCPU look at a line again that is still high."""
    oracle_set_bit: bool
    """The sync sets its bit of irq_pending_on_cpu in one atomic access, not by writing the word back."""
    block_queues_first: bool
    """A vCPU that blocks is on its wait queue before it looks whether something is pending."""
    exit_turns_off: bool
    """The world switch turns GICH_HCR off when the guest is left."""
    entry_rechecks: bool
    """An interrupt that came after the flush keeps the vCPU from entering the guest."""
    disabling_retires: bool
    """A store to GICD_ICENABLER takes out of the accessing vCPU's list registers what is disabled; no machine does."""
    flush_retires: bool
    """The flush begins with that; no machine's does."""
    mmio_lanes: bool
    """An access reads and writes as many bytes as it has, not those up to the end of the word."""
    mmio_whole_page: bool
    """Every access to the distributor's page is answered; reserved registers read as zero and ignore writes."""
    mmio_no_special_ids: bool
    """The fields of INTIDs 1020 to 1023, which name no interrupt, read as zero and ignore writes."""
    mmio_priority_banked: bool
    """The priorities of PPIs are those of the accessing vCPU, not of the last bank."""
    mmio_priority_five_bits: bool
    """A priority keeps the five bits that a list register has room for; the others read as zero."""
    mmio_targets_exist: bool
    """A write of GICD_ITARGETSR looks only at the bits of vCPUs that exist."""
    mmio_cfg_both_halves: bool
    """Odd registers of GICD_ICFGR are registers of their own, not the even ones again."""
    mmio_cfg_one_bit: bool
    """A bit of GICD_ICFGR stands for one interrupt and is not smeared over its neighbours."""
    mmio_cfg_private_fixed: bool
    """GICD_ICFGR0 and GICD_ICFGR1, of private interrupts, are read-only."""
    mmio_sgi_list: bool
    """GICD_SGIR with filter 0 sends to the vCPUs in its list, not to all others."""
    mmio_sgi_reserved_filter: bool
    """GICD_SGIR with the reserved filter 3 sends nothing."""
    mmio_sgi_whole_word: bool
    """A write of a part of GICD_SGIR sends nothing."""
    mmio_sgi_pending_fixed: bool
    """The bits of SGIs in GICD_ISPENDR and GICD_ICPENDR are read-only."""
    mmio_sgi_sources: bool
    """GICD_SPENDSGIR and GICD_CPENDSGIR set, clear and show who sent a pending SGI."""


_ALWAYS = ("oracle_set_bit", "block_queues_first")
"""What every version does; without them an argument that needs them fails."""
OCTOBER_2012 = Switches(**{f.name: f.name in _ALWAYS for f in fields(Switches)})
SEPTEMBER_2012 = replace(OCTOBER_2012, inject_recomputes=True, sync_locks=True, irq_locks=True)
NOVEMBER_2012 = replace(
    OCTOBER_2012, queue_clears_cached=True, inject_skips_active=True, irq_rearms=True, flush_retires=True
)
V3_9 = replace(
    OCTOBER_2012,
    queue_clears_cached=True,
    inject_skips_active=True,
    irq_rearms=True,
    lr_count_six_bits=True,
    queue_finds_unused=True,
    requeue_keeps_eoi=True,
    sync_processes_eisr=True,
    exit_turns_off=True,
    disabling_retires=True,
    mmio_lanes=True,
    mmio_cfg_one_bit=True,
)
V3_10 = replace(
    V3_9,
    vcpu_id_checked=True,
    vmcr_reset=True,
    vmcr_masked=True,
    queue_private_as_shared=True,
    sync_locks=True,
)
"""What single functions of v3.10 do; its machine has not been judged.  v3.9 takes PPIs as SPIs too."""
NOT_NEEDED = (
    "vmcr_masked",
    "queue_finds_unused",
    "requeue_keeps_eoi",
    "queue_private_as_shared",
    "inject_recomputes",
    "irq_locks",
    "irq_rearms",
    "disabling_retires",
    "flush_retires",
)
"""What the reference settles otherwise, most of it in the sync."""
REFERENCE = Switches(**{f.name: f.name not in NOT_NEEDED for f in fields(Switches)})

GENERATIONS: dict[str, Switches] = {
    "reference": REFERENCE,
    "2012-09": SEPTEMBER_2012,
    "2012-10": OCTOBER_2012,
    "2012-11": NOVEMBER_2012,
    "v3.9": V3_9,
}
"""`reference` is the one for which every property is proved; `2012-10` is the mailed patch, the others the trees
before and after it.
"""
