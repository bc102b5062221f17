"""Properties of initialisation: the probe, the VM and the vCPU.

`old` and `new` are the states of `model.init`.  Where a property is about what a failing path leaves behind, it
compares the
kernel's books before and after.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.distributor import LR_EMPTY, MAX_CPUS, NR_PRIVATE_IRQS, NR_SGIS
from model.init import (
    EEXIST,
    PRIORITY_MASK,
    HypInitState,
    VcpuInitState,
    VmInitState,
    check_extension_irqchip,
)
from vgicheck.engine.values import and_, field_of, iff, implies, le, lt, not_, or_, same, widened

from .property import At, Part, Property

# The hypervisor ----------------------------------------------------------------------------------


def _books(s: HypInitState) -> tuple[tuple[str, int], ...]:
    return (
        ("a reference on the device node", s.node_refs),
        ("a request of the maintenance interrupt", s.irq_requests),
        ("a mapping of GICH", s.iomaps),
        ("a CPU notifier", s.notifiers),
    )


def _hyp_unwinds(old: HypInitState, new: HypInitState, at: At) -> Sequence[Part]:
    failed = not_(new.result == 0)
    cpu = at.vcpu
    return [
        *(
            Part(f"a failing probe does not keep {what}", failed, after == before)
            for (what, before), (_, after) in zip(_books(old), _books(new), strict=True)
        ),
        Part("a failing probe leaves the interrupt as it was", failed, iff(new.irq_enabled[cpu], old.irq_enabled[cpu])),
    ]


def _hyp_complete(old: HypInitState, new: HypInitState, at: At) -> Sequence[Part]:
    done = new.result == 0
    services = (
        old.finds_node,
        not_(old.mapped_irq == 0),
        old.request_failure == 0,
        old.notifier_failure == 0,
        old.gich_failure == 0,
        not_(old.iomap_fails),
        old.hyp_failure == 0,
    )
    return [
        Part("the probe succeeds where nothing fails", and_(*services), done),
        *(
            Part(f"a probe that succeeds holds {what}", done, after == before + 1)
            for (what, before), (_, after) in zip(_books(old)[:3], _books(new)[:3], strict=True)
        ),
        Part("a probe that succeeds has mapped GICH in HYP mode", done, new.hyp_maps == old.hyp_maps + 1),
        Part("a probe that succeeds has published what it found", done, and_(new.host_has_node, new.host_has_vgic)),
    ]


def _hyp_not_fatal(old: HypInitState, new: HypInitState, at: At) -> Sequence[Part]:
    absent = not_(old.vgic_present)
    return [
        Part("KVM comes up with or without a VGIC", True, new.result == 0),
        Part(
            "KVM_CAP_IRQCHIP is reported exactly if the probe succeeded",
            absent,
            iff(check_extension_irqchip(new), _probed(old, new)),
        ),
        Part("a VGIC that is present stays so", old.vgic_present, check_extension_irqchip(new)),
    ]


def _probed(old: HypInitState, new: HypInitState) -> bool:
    """The probe succeeded: it made the last mapping that it makes."""
    return new.hyp_maps == old.hyp_maps + 1


def _hyp_no_dangling(old: HypInitState, new: HypInitState, at: At) -> Sequence[Part]:
    failed = and_(not_(new.result == 0), not_(old.host_has_vgic), not_(old.host_has_node))
    return [
        Part("a failing probe leaves no pointer to GICH", failed, not_(new.host_has_vgic)),
        Part("a failing probe leaves no pointer to the device node", failed, not_(new.host_has_node)),
    ]


def _hyp_every_cpu(old: HypInitState, new: HypInitState, at: At) -> Sequence[Part]:
    done = new.result == 0
    return [
        Part("it is enabled on every CPU that is online", and_(done, old.online[at.vcpu]), new.irq_enabled[at.vcpu]),
        Part(
            "a notifier enables it on a CPU that comes online later",
            and_(done, not_(old.online[at.vcpu])),
            or_(new.irq_enabled[at.vcpu], lt(old.notifiers, new.notifiers)),
        ),
        Part(
            "a notifier that cannot be had is an error",
            and_(old.finds_node, not_(old.mapped_irq == 0), old.request_failure == 0, not_(old.notifier_failure == 0)),
            new.result == old.notifier_failure,
        ),
    ]


# The VM ------------------------------------------------------------------------------------------


def _vm_once(old: VmInitState, new: VmInitState, at: At) -> Sequence[Part]:
    exists = or_(old.vm_has_vgic, not_(old.online_vcpus == 0))
    nothing_fails = and_(old.host_has_vgic, old.host_has_node, old.gicv_failure == 0)
    done = new.result == 0
    return [
        Part("it does not succeed again, nor after a vCPU", exists, not_(done)),
        Part("it says -EEXIST", and_(exists, nothing_fails), new.result == -EEXIST),
        Part("once it succeeds the VM has a VGIC", and_(done, old.host_has_vgic), new.vm_has_vgic),
    ]


def _vm_no_trace(old: VmInitState, new: VmInitState, at: At) -> Sequence[Part]:
    failed = not_(new.result == 0)
    spi = at.intid
    return [
        Part("irqchip_in_kernel is unchanged", failed, iff(new.vm_has_vgic, old.vm_has_vgic)),
        Part(
            "the addresses are unchanged",
            failed,
            and_(new.dist_base == old.dist_base, new.cpu_base == old.cpu_base, new.dist_size == old.dist_size),
        ),
        Part("nothing is mapped into the guest", failed, new.guest_maps == old.guest_maps),
        Part(
            "targets are unchanged",
            failed,
            and_(
                new.irq_spi_cpu[spi] == old.irq_spi_cpu[spi],
                iff(new.irq_spi_target[_target(at)], old.irq_spi_target[_target(at)]),
            ),
        ),
    ]


def _vm_addresses(old: VmInitState, new: VmInitState, at: At) -> Sequence[Part]:
    done = new.result == 0
    return [
        Part("the guest sees the distributor where the VMM put it", done, new.dist_base == old.dist_base),
        Part("the guest sees the CPU interface where the VMM put it", done, new.guest_ipa == old.cpu_base),
        Part(
            "an address that is no page's is refused",
            done,
            and_(field_of(new.dist_base, 11, 0) == 0, field_of(new.guest_ipa, 11, 0) == 0),
        ),
        Part("regions that overlap are refused", done, _apart(new)),
    ]


def _apart(s: VmInitState) -> bool:
    size = widened(s.dist_size, 64)
    before = and_(le(s.dist_base, s.guest_ipa), le(size, s.guest_ipa - s.dist_base))
    behind = and_(le(s.guest_ipa, s.dist_base), le(s.guest_size, s.dist_base - s.guest_ipa))
    return or_(before, behind)


def _vm_targets(old: VmInitState, new: VmInitState, at: At) -> Sequence[Part]:
    spi = and_(new.result == 0, le(NR_PRIVATE_IRQS, at.intid))
    to_first = at.vcpu == 0
    return [
        Part("each shared interrupt targets vCPU 0", spi, new.irq_spi_cpu[at.intid] == 0),
        Part(
            "and is in the target map of vCPU 0, which does not exist yet",
            and_(spi, to_first),
            new.irq_spi_target[_target(at)],
        ),
        Part(
            "and newly in no other vCPU's",
            and_(spi, not_(to_first)),
            implies(new.irq_spi_target[_target(at)], old.irq_spi_target[_target(at)]),
        ),
    ]


def _target(at: At) -> tuple[int, int]:
    return at.vcpu, at.intid


def _vm_needs_probe(old: VmInitState, new: VmInitState, at: At) -> Sequence[Part]:
    return [Part("without a VGIC in the host there is none for a VM", not_(old.host_has_vgic), not_(new.result == 0))]


def _vm_only_gicv(old: VmInitState, new: VmInitState, at: At) -> Sequence[Part]:
    done = new.result == 0
    first = new.guest_pa
    return [
        Part("what the guest is given starts at a page", done, field_of(first, 11, 0) == 0),
        Part("and is whole pages", done, field_of(new.guest_size, 11, 0) == 0),
        Part(
            "and lies inside GICV",
            done,
            and_(
                le(old.gicv_start, first),
                le(first, old.gicv_end),
                le(new.guest_size - 1, old.gicv_end - first),
            ),
        ),
    ]


# The vCPU ----------------------------------------------------------------------------------------


def _created(old: VcpuInitState, new: VcpuInitState) -> bool:
    return and_(old.vm_has_vgic, lt(old.vcpu_id, MAX_CPUS), new.result == 0)


def _vcpu_lr_count(old: VcpuInitState, new: VcpuInitState, at: At) -> Sequence[Part]:
    wanted = widened(field_of(old.vtr, 5, 0), 7) + 1
    return [Part("nr_lr is VTR.ListRegs + 1", _created(old, new), new.cpu.nr_lr == wanted)]


def _vcpu_clean(old: VcpuInitState, new: VcpuInitState, at: At) -> Sequence[Part]:
    created = _created(old, new)
    mine = (old.vcpu_id, at.intid)
    other = and_(created, not_(widened(at.vcpu, 32) == old.vcpu_id), lt(at.intid, NR_PRIVATE_IRQS))
    others = (widened(at.vcpu, 32), at.intid)
    return [
        Part("no interrupt is mapped to a list register", created, new.cpu.irq_lr_map[at.intid] == LR_EMPTY),
        Part("SGIs are enabled", and_(created, lt(at.intid, NR_SGIS)), new.irq_enabled[mine]),
        Part(
            "PPIs are enabled or not as before",
            and_(created, le(NR_SGIS, at.intid), lt(at.intid, NR_PRIVATE_IRQS)),
            iff(new.irq_enabled[mine], old.irq_enabled[mine]),
        ),
        Part("private interrupts are edge-triggered", and_(created, lt(at.intid, NR_PRIVATE_IRQS)), new.irq_cfg[mine]),
        Part("the interface is enabled", created, new.cpu.hcr.en),
        Part("GICH_VMCR is as after reset, but for the priority mask", created, new.cpu.vmcr & ~PRIORITY_MASK == 0),
        Part(
            "no other vCPU's private interrupts change",
            other,
            and_(iff(new.irq_enabled[others], old.irq_enabled[others]), iff(new.irq_cfg[others], old.irq_cfg[others])),
        ),
        Part("the list registers stay empty", created, same(new.cpu.lr[at.lr], old.cpu.lr[at.lr])),
    ]


INIT: tuple[Property, ...] = (
    Property(
        "hyp-init-unwinds",
        "hyp_init",
        "every failing path of kvm_vgic_hyp_init releases exactly what it acquired, the device node included",
        _hyp_unwinds,
        "Documentation: of_find_compatible_node returns a node with its reference count raised",
        "never",
        "the probe never puts the device node",
    ),
    Property(
        "hyp-init-complete",
        "hyp_init",
        "a probe succeeds where nothing fails, and then holds node, interrupt and both mappings, each once",
        _hyp_complete,
        "kvm_vgic_init and the world switch use all of them",
        "never",
        "none known",
    ),
    Property(
        "hyp-init-not-fatal",
        "init_hyp_mode",
        "a failing probe leaves KVM usable without VGIC; KVM_CAP_IRQCHIP is reported exactly if the VGIC is present",
        _hyp_not_fatal,
        "the patch's own change of init_hyp_mode",
        "never",
        "before the patch a board without VGIC had no KVM",
    ),
    Property(
        "hyp-init-no-dangling",
        "hyp_init",
        "a failing probe leaves no pointer to something that it released",
        _hyp_no_dangling,
        "kvm_vgic_init uses vgic_node and vgic_vctrl_base",
        "when every user of the pointers first asks whether the probe succeeded",
        "with the probe no longer fatal, VM creation runs on an unmapped GICH",
    ),
    Property(
        "maintenance-on-every-cpu",
        "hyp_init",
        "the maintenance interrupt is enabled on every CPU on which a vCPU can run, also one that comes online later",
        _hyp_every_cpu,
        "on_each_cpu reaches the CPUs that are online now",
        "without CONFIG_HOTPLUG_CPU",
        "the VGIC got a CPU notifier in 2013",
    ),
    Property(
        "vm-init-once",
        "vm_init",
        "kvm_vgic_init succeeds at most once a VM, never after a vCPU exists, and says -EEXIST otherwise",
        _vm_once,
        "the patch: -EEXIST",
        "the error, when the device tree has no GICV either",
        "none known",
    ),
    Property(
        "vm-init-leaves-no-trace",
        "vm_init",
        "a kvm_vgic_init that fails leaves the VM as it found it",
        _vm_no_trace,
        "irqchip_in_kernel() is vctrl_base being set",
        "never",
        "a VM whose creation failed is taken for one with a VGIC",
    ),
    Property(
        "vm-address-parameterised",
        "vm_init",
        "the guest's addresses come from the VMM, are checked, and are not wired in",
        _vm_addresses,
        "review of the patch, October 2012",
        "for a machine model whose map is fixed",
        "30c2117085bc: overlap was checked before the address was stored",
    ),
    Property(
        "targets-before-vcpus",
        "vm_init",
        "default targets of shared interrupts hold for vCPUs that are created later",
        _vm_targets,
        "IHI 0048B GICD_ITARGETSR; vgic_set_target_reg visits the vCPUs that exist",
        "when targets are set after the vCPUs are created",
        "no shared interrupt reaches a vCPU until the guest writes its target",
    ),
    Property(
        "vm-init-needs-probe",
        "vm_init",
        "without a VGIC in the host kvm_vgic_init fails",
        _vm_needs_probe,
        "the patch makes a failing probe harmless",
        "when its only caller asks vgic_present first",
        "KVM_CREATE_IRQCHIP succeeds and creates nothing",
    ),
    Property(
        "vm-maps-only-gicv",
        "vm_init",
        "what is mapped into the guest is whole pages of GICV and nothing else",
        _vm_only_gicv,
        "IHI 0048B: GICV is 8 KB; the device tree says where and how large",
        "on boards known to have it aligned",
        "a GICV that is not page aligned exposed its neighbours, fixed in 2014",
    ),
    Property(
        "vcpu-init-lr-count",
        "vcpu_init",
        "nr_lr is VTR.ListRegs + 1 for each of the 64 values",
        _vcpu_lr_count,
        "IHI 0048B GICH_VTR.ListRegs, bits 5:0",
        "never",
        "the mask was 0x1f, and became 0x3f by v3.9",
    ),
    Property(
        "vcpu-init-clean",
        "vcpu_init",
        "a new vCPU has an empty map, SGIs enabled, the interface enabled, and no state of another guest",
        _vcpu_clean,
        "GICH_VMCR is live: it holds what the last guest on this CPU left",
        "GICH_VMCR: on a CPU that has run no guest yet",
        "the live GICH_VMCR is taken over",
    ),
)
