"""Initialisation that fails says why, one that succeeds does no more than it should: claimed of the model.

A piece of C is held against the model as a whole, refines-model, and its errors with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.distributor import VgicCpu
from model.init import HypInitState, VcpuInitState, VmInitState
from vgicheck.engine.values import and_, bit, field_of, iff, le, lt, not_, or_, same, widened

from .property import At, Part, Property

ENXIO, ENOMEM, EBUSY, EEXIST, ENODEV, EINVAL = 6, 12, 16, 17, 19, 22
DIST_SIZE, CPU_SIZE, SPACE = 0x1000, 0x2000, 0x100_0000_0000

# The hypervisor ----------------------------------------------------------------------------------


def _hyp_errors(old: HypInitState, new: HypInitState, at: At) -> Sequence[Part]:
    services = (
        ("the device node", old.finds_node, -ENODEV),
        ("the maintenance interrupt", not_(old.mapped_irq == 0), -ENXIO),
        ("requesting the interrupt", old.request_failure == 0, old.request_failure),
        ("the registers of GICH", old.gich_failure == 0, old.gich_failure),
        ("mapping GICH", not_(old.iomap_fails), -ENOMEM),
        ("mapping GICH in HYP mode", old.hyp_failure == 0, old.hyp_failure),
    )
    notified = old.notifier_failure == 0
    offline = not_(old.online[at.vcpu])
    return [
        *(
            Part(
                f"what fails first is reported: {what}",
                and_(notified, *(fine for _, fine, _ in services[:n]), not_(works)),
                new.result == error,
            )
            for n, (what, works, error) in enumerate(services)
        ),
        Part(
            "a CPU that is not online is not touched",
            offline,
            iff(new.irq_enabled[at.vcpu], old.irq_enabled[at.vcpu]),
        ),
        Part(
            "there is no pointer to GICH before GICH was found",
            and_(not_(and_(*(fine for _, fine, _ in services[:4]))), not_(old.host_has_vgic)),
            not_(new.host_has_vgic),
        ),
        Part("at most one notifier is added", True, le(field_of(new.notifiers - old.notifiers, 31, 0), 1)),
        Part("and none that cannot be had", not_(notified), new.notifiers == old.notifiers),
        Part("the probe does not itself report a capability", True, iff(new.vgic_present, old.vgic_present)),
    ]


# The VM ------------------------------------------------------------------------------------------


def _found(s: VmInitState) -> bool:
    return and_(s.host_has_node, s.gicv_failure == 0)


def _exists(s: VmInitState) -> bool:
    return or_(s.vm_has_vgic, not_(s.online_vcpus == 0))


def _in_space(s: VmInitState) -> bool:
    return and_(lt(s.dist_base, SPACE - DIST_SIZE + 1), lt(s.cpu_base, SPACE - CPU_SIZE + 1))


def _at_pages(s: VmInitState) -> bool:
    return and_(field_of(s.dist_base, 11, 0) == 0, field_of(s.cpu_base, 11, 0) == 0)


def disjoint(dist_base: int, cpu_base: int) -> bool:
    """Neither region, of the distributor and of the CPU interface, begins inside the other."""
    behind, before = field_of(cpu_base - dist_base, 63, 0), field_of(dist_base - cpu_base, 63, 0)
    return and_(le(DIST_SIZE, behind), le(CPU_SIZE, before))


def _apart(s: VmInitState) -> bool:
    return disjoint(s.dist_base, s.cpu_base)


def _has_gicv(s: VmInitState) -> bool:
    """The resource starts at a page, and its last byte is 8 KB or more behind; `gicv_end` is that byte."""
    return and_(
        field_of(s.gicv_start, 11, 0) == 0,
        le(s.gicv_start, s.gicv_end),
        le(0x1FFF, field_of(s.gicv_end - s.gicv_start, 63, 0)),
    )


def _vm_errors(old: VmInitState, new: VmInitState, at: At) -> Sequence[Part]:
    asked = and_(old.host_has_vgic, _found(old), not_(_exists(old)))
    fine = and_(asked, _in_space(old), _at_pages(old), _apart(old), _has_gicv(old))
    mapped = old.guest_failure == 0
    done = new.result == 0
    return [
        Part("nothing is refused that is right", and_(fine, mapped), done),
        Part("an error of the mapping is passed on", and_(fine, not_(mapped)), new.result == old.guest_failure),
        Part(
            "a host without GICV says -ENXIO",
            and_(old.host_has_vgic, not_(_exists(old)), not_(_found(old))),
            new.result == -ENXIO,
        ),
        Part(
            "a VM has no VGIC that the host has not",
            and_(not_(old.host_has_vgic), not_(old.vm_has_vgic)),
            not_(new.vm_has_vgic),
        ),
        Part("GICV is mapped once, from its start", done, _maps(old, new)),
        Part("the distributor is as large as it is", done, new.dist_size == DIST_SIZE),
        Part(
            "private interrupts get no target",
            lt(at.intid, 32),
            and_(
                new.irq_spi_cpu[at.intid] == old.irq_spi_cpu[at.intid],
                iff(new.irq_spi_target[at.vcpu, at.intid], old.irq_spi_target[at.vcpu, at.intid]),
            ),
        ),
        Part("the CPU interface starts at a page", and_(done, _at_pages(old)), field_of(new.guest_ipa, 11, 0) == 0),
        Part("the distributor starts at a page", and_(done, _at_pages(old)), field_of(new.dist_base, 11, 0) == 0),
        Part(
            "where the guest's regions are apart they stay so",
            and_(done, _in_space(old), _apart(old)),
            disjoint(new.dist_base, new.guest_ipa),
        ),
        Part(
            "what is refused before the mapping leaves the VM",
            and_(not_(done), mapped),
            and_(
                iff(new.vm_has_vgic, old.vm_has_vgic),
                new.dist_base == old.dist_base,
                new.dist_size == old.dist_size,
            ),
        ),
        Part(
            "what fails leaves what was mapped before",
            not_(done),
            and_(new.guest_ipa == old.guest_ipa, new.guest_pa == old.guest_pa, new.guest_size == old.guest_size),
        ),
    ]


def _maps(old: VmInitState, new: VmInitState) -> bool:
    once = new.guest_maps == old.guest_maps + 1
    return and_(once, new.guest_pa == old.gicv_start, new.guest_size == CPU_SIZE)


def _vm_refuses(old: VmInitState, new: VmInitState, at: At) -> Sequence[Part]:
    host = old.host_has_vgic
    asked = and_(host, not_(_exists(old)), _found(old))
    fits = and_(_in_space(old), _at_pages(old), _apart(old))
    return [
        Part("no VGIC in the host is -ENODEV", not_(host), new.result == -ENODEV),
        Part("a second one, or one after a vCPU, is -EEXIST", and_(host, _exists(old)), new.result == -EEXIST),
        Part("an address beyond the guest's space is -EINVAL", and_(asked, not_(_in_space(old))), _invalid(new)),
        Part("an address that is no page's is -EINVAL", and_(asked, not_(_at_pages(old))), _invalid(new)),
        Part("regions that overlap are -EINVAL", and_(asked, _in_space(old), not_(_apart(old))), _invalid(new)),
        Part("a GICV that cannot be given is -ENXIO", and_(asked, fits, not_(_has_gicv(old))), new.result == -ENXIO),
    ]


def _invalid(s: VmInitState) -> bool:
    return s.result == -EINVAL


# The vCPU ----------------------------------------------------------------------------------------


def _untouched(old: VcpuInitState, new: VcpuInitState, at: At) -> bool:
    """The parts of the vCPU that are set up, and its own bank, are as before."""
    mine = (old.vcpu_id, at.intid)
    return and_(
        iff(new.irq_enabled[mine], old.irq_enabled[mine]),
        iff(new.irq_cfg[mine], old.irq_cfg[mine]),
        new.cpu.irq_lr_map[at.intid] == old.cpu.irq_lr_map[at.intid],
        new.cpu.nr_lr == old.cpu.nr_lr,
        new.cpu.vmcr == old.cpu.vmcr,
        same(new.cpu.hcr, old.cpu.hcr),
    )


def _others_untouched(old: VgicCpu, new: VgicCpu, at: At) -> bool:
    """What a creation does not set up is as before: it is zero, as the vCPU is new."""
    maps = ("eisr", "elrsr", "lr_used")
    return and_(
        same(new.lr[at.lr], old.lr[at.lr]),
        same(new.misr, old.misr),
        new.hcr.eoicount == old.hcr.eoicount,
        *(iff(getattr(new, name)[at.lr], getattr(old, name)[at.lr]) for name in maps),
        iff(new.pending[at.intid], old.pending[at.intid]),
    )


def _vcpu_frame(old: VcpuInitState, new: VcpuInitState, at: At) -> Sequence[Part]:
    has_bank = lt(old.vcpu_id, 8)
    created = and_(old.vm_has_vgic, has_bank)
    shared = (0, at.intid)
    enables = ("uie", "lrenpie", "npie", "vgrp0eie", "vgrp0die", "vgrp1eie", "vgrp1die")
    return [
        Part("without a VGIC it succeeds", not_(old.vm_has_vgic), new.result == 0),
        Part("and does nothing", not_(old.vm_has_vgic), _untouched(old, new, at)),
        Part("a vCPU that has a bank is created", created, new.result == 0),
        Part(
            "up to 32 list registers are counted",
            and_(created, not_(bit(old.vtr, 5))),
            new.cpu.nr_lr == widened(field_of(old.vtr, 4, 0), 7) + 1,
        ),
        Part("no priority is masked", created, field_of(new.cpu.vmcr, 31, 27) == 0x1F),
        Part("GICH_VMCR has no bit that the hardware has not", created, field_of(new.cpu.vmcr & ~old.vmcr, 26, 0) == 0),
        Part(
            "no maintenance interrupt is enabled that was not",
            created,
            and_(*(iff(getattr(new.cpu.hcr, name), getattr(old.cpu.hcr, name)) for name in enables)),
        ),
        Part("nothing else of the vCPU changes", True, _others_untouched(old.cpu, new.cpu, at)),
        Part(
            "shared interrupts are as before",
            le(32, at.intid),
            and_(
                iff(new.irq_enabled[shared], old.irq_enabled[shared]),
                iff(new.irq_cfg[shared], old.irq_cfg[shared]),
            ),
        ),
    ]


def _vcpu_bank(old: VcpuInitState, new: VcpuInitState, at: At) -> Sequence[Part]:
    without = and_(old.vm_has_vgic, le(8, old.vcpu_id))
    other = not_(widened(at.vcpu, 32) == old.vcpu_id)
    others = (widened(at.vcpu, 32), at.intid)
    return [
        Part("a vCPU without a bank is refused with -EBUSY", without, new.result == -EBUSY),
        Part("and nothing is set up for it", without, _untouched(old, new, at)),
        Part(
            "no vCPU's creation touches another's bank",
            other,
            and_(iff(new.irq_enabled[others], old.irq_enabled[others]), iff(new.irq_cfg[others], old.irq_cfg[others])),
        ),
    ]


INIT_ERRORS: tuple[Property, ...] = (
    Property(
        "hyp-init-errors",
        "hyp_init",
        "a failing probe reports what failed first, and touches no CPU that is not online",
        _hyp_errors,
        "kernel convention: the error of the service that failed is passed on",
        "never",
        "none known",
    ),
    Property(
        "vm-init-errors",
        "vm_init",
        "a VGIC that can be created is, with GICV mapped once; an error of the host is passed on",
        _vm_errors,
        "kernel convention: the error of the service that failed is passed on",
        "never",
        "none known",
    ),
    Property(
        "vm-init-refuses",
        "vm_init",
        "kvm_vgic_init says which of its conditions is not met",
        _vm_refuses,
        "Documentation: KVM_CREATE_IRQCHIP; the review of the patch, for the addresses",
        "which error comes first is a choice",
        "a second creation said -ENXIO, or an error of the mapping, and not -EEXIST",
    ),
    Property(
        "vcpu-init-frame",
        "vcpu_init",
        "creating a vCPU sets up that vCPU and nothing else; without a VGIC it does nothing",
        _vcpu_frame,
        "kvm_vgic_vcpu_init() is called for every vCPU, with or without a VGIC",
        "never",
        "none known",
    ),
    Property(
        "vcpu-init-has-bank",
        "vcpu_init",
        "a vCPU whose id has no bank is refused with -EBUSY and leaves no trace",
        _vcpu_bank,
        "struct vgic_dist has a bank for each of 8 vCPUs; the VMM chooses the id",
        "when KVM_CREATE_VCPU refuses such ids itself",
        "vcpu_id was an index that nobody checked",
    ),
)
