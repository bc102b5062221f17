"""Initialisation: the probe of the hypervisor, the creation of a VM's VGIC, and of a vCPU's interface.

Services of the kernel that can fail (device tree, interrupts, mappings) are answers fixed in the state; what they
hand out is kept
in its books, so that a leak is a number that is too large.  Each function runs in process context; VM creation
holds `kvm->lock`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import Width, and_, field_of, flag, ite, le, lt, not_, or_, same, widened

from .distributor import LR_EMPTY, MAX_CPUS, NR_PRIVATE_IRQS, NR_SGIS, Banked, VgicCpu, Word
from .generation import Switches

Address = Annotated[int, Width(64)]
Errno = Annotated[int, Width(32, signed=True)]
"""0, or a negative error."""
ENXIO, ENOMEM, EBUSY, EEXIST, ENODEV, EINVAL = 6, 12, 16, 17, 19, 22
GUEST_TOP = 1 << 40
"""The end of the guest's address space, KVM_PHYS_SIZE."""
WIRED_DIST_BASE = 0x2C001000
WIRED_CPU_BASE = 0x2C002000
DIST_SIZE = 0x1000
CPU_SIZE = 0x2000
PRIORITY_MASK = 0x1F << 27
"""GICH_VMCR.VMPriMask: no priority is masked."""


# The vCPU ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VcpuInitState:
    """A vCPU that is being created; `vtr` and `vmcr` are what the registers of the CPU hold on which that happens."""

    vm_has_vgic: bool
    vcpu_id: Word
    cpu: VgicCpu
    irq_enabled: Banked
    irq_cfg: Banked
    vtr: Word
    vmcr: Word
    result: Errno


def kvm_vgic_vcpu_init(s: VcpuInitState, switches: Switches) -> VcpuInitState:
    """Set up `struct vgic_cpu` and the vCPU's private interrupts; without a VGIC do nothing."""
    has_bank = lt(s.vcpu_id, MAX_CPUS) if switches.vcpu_id_checked else True
    created = and_(s.vm_has_vgic, has_bank)

    def own(key: tuple[int, ...], count: int) -> bool:
        return and_(created, same(key[0], s.vcpu_id), lt(key[1], count))

    irq_enabled = s.irq_enabled.where(lambda key: own(key, NR_SGIS), lambda _: True)
    irq_cfg = s.irq_cfg.where(lambda key: own(key, NR_PRIVATE_IRQS), lambda _: True)
    mask = 0 if switches.vmcr_masked else PRIORITY_MASK
    list_regs = field_of(s.vtr, 5, 0) if switches.lr_count_six_bits else field_of(s.vtr, 4, 0)
    cpu = replace(
        s.cpu,
        irq_lr_map=ite(created, Map.constant(LR_EMPTY, width=8), s.cpu.irq_lr_map),
        nr_lr=ite(created, widened(list_regs, 7) + 1, s.cpu.nr_lr),
        vmcr=ite(created, mask if switches.vmcr_reset else s.vmcr | mask, s.cpu.vmcr, width=32),
        hcr=ite(created, replace(s.cpu.hcr, en=True), s.cpu.hcr),
    )
    refused = and_(s.vm_has_vgic, not_(has_bank))
    return replace(s, cpu=cpu, irq_enabled=irq_enabled, irq_cfg=irq_cfg, result=ite(refused, -EBUSY, 0, width=32))


# The VM ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VmInitState:
    """A VM whose VGIC is being created.

    `gicv_*` is the device tree's resource of GICV and `guest_failure` what mapping it into the guest answers.
    `dist_base` and
    `cpu_base` are where the VMM wants the guest to see distributor and CPU interface; the `guest_*` fields say
    where it does see the latter.
    """

    host_has_vgic: bool
    host_has_node: bool
    gicv_failure: Errno
    gicv_start: Address
    gicv_end: Address
    guest_failure: Errno
    online_vcpus: Word
    vm_has_vgic: bool
    dist_base: Address
    cpu_base: Address
    dist_size: Word
    guest_maps: Word
    guest_ipa: Address
    guest_pa: Address
    guest_size: Address
    irq_spi_cpu: Annotated[Map[int], MapOf((10,), Annotated[int, Width(8)])]
    irq_spi_target: Annotated[Map[bool], MapOf((3, 10), bool)]
    result: Errno


def kvm_vgic_init(s: VmInitState, switches: Switches, nr_irqs: int) -> VmInitState:
    """Create the VGIC of a VM: map GICV into the guest and set the default targets; once, and before any vCPU."""
    cpu_base = s.cpu_base if switches.addresses_from_vmm else WIRED_CPU_BASE
    dist_base = s.dist_base if switches.addresses_from_vmm else WIRED_DIST_BASE
    no_node = or_(not_(s.host_has_node), not_(s.gicv_failure == 0))
    exists = or_(not_(s.online_vcpus == 0), s.vm_has_vgic)
    refused: list[tuple[bool, int]] = []
    if switches.init_needs_probe:
        refused.append((not_(s.host_has_vgic), -ENODEV))
    if switches.init_exists_first:
        refused += [(exists, -EEXIST), (no_node, -ENXIO)]
    else:
        refused += [(no_node, -ENXIO), (exists, -EEXIST)]
    if switches.addresses_from_vmm:
        refused.append((not_(addresses_fit(s.dist_base, s.cpu_base)), -EINVAL))
    if switches.init_checks_gicv:
        refused.append((not_(whole_pages(s.gicv_start, s.gicv_end)), -ENXIO))
    result = first_of([*refused, (not_(s.guest_failure == 0), s.guest_failure)])
    passed = and_(*(not_(condition) for condition, _ in refused))
    done = result == 0
    marked = done if switches.init_publishes_last else passed

    def is_spi(intid: int) -> bool:
        return and_(le(NR_PRIVATE_IRQS, intid), lt(intid, nr_irqs))

    irq_spi_cpu = s.irq_spi_cpu.where(lambda key: and_(done, is_spi(key[0])), lambda _: 0)
    irq_spi_target = s.irq_spi_target
    if switches.targets_every_vcpu:
        irq_spi_target = irq_spi_target.where(lambda key: and_(done, key[0] == 0, is_spi(key[1])), lambda _: True)
    return replace(
        s,
        vm_has_vgic=ite(marked, s.host_has_vgic, s.vm_has_vgic),
        dist_base=ite(marked, dist_base, s.dist_base),
        dist_size=ite(marked, DIST_SIZE, s.dist_size),
        guest_maps=ite(done, s.guest_maps + 1, s.guest_maps),
        guest_ipa=ite(done, cpu_base, s.guest_ipa),
        guest_pa=ite(done, s.gicv_start, s.guest_pa),
        guest_size=ite(done, CPU_SIZE, s.guest_size),
        irq_spi_cpu=irq_spi_cpu,
        irq_spi_target=irq_spi_target,
        result=result,
    )


def addresses_fit(dist_base: int, cpu_base: int) -> bool:
    """Both regions start at a page of the 40-bit guest address space, and do not overlap."""
    return and_(
        field_of(dist_base, 11, 0) == 0,
        field_of(cpu_base, 11, 0) == 0,
        le(dist_base, GUEST_TOP - DIST_SIZE),
        le(cpu_base, GUEST_TOP - CPU_SIZE),
        or_(le(dist_base + DIST_SIZE, cpu_base), le(cpu_base + CPU_SIZE, dist_base)),
    )


def whole_pages(start: int, end: int) -> bool:
    """A resource of `CPU_SIZE` bytes or more, `end` included, that begins at a page."""
    return and_(field_of(start, 11, 0) == 0, le(start, end), le(CPU_SIZE - 1, field_of(end - start, 63, 0)))


def first_of(refusals: list[tuple[bool, int]]) -> int:
    """Return the error of the first condition that holds, 0 when none does."""
    result = 0
    for condition, error in reversed(refusals):
        result = ite(condition, error, result, width=32)
    return result


# The hypervisor ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HypInitState:
    """The probe: what the kernel's services will answer, its books, and the pointers that the probe leaves behind.

    `vgic_present` is what KVM reports for KVM_CAP_IRQCHIP; `online` and `irq_enabled` are per physical CPU.
    """

    finds_node: bool
    mapped_irq: Word
    request_failure: Errno
    gich_failure: Errno
    iomap_fails: bool
    hyp_failure: Errno
    notifier_failure: Errno
    online: Annotated[Map[bool], MapOf((3,), bool)]
    node_refs: Word
    irq_requests: Word
    iomaps: Word
    hyp_maps: Word
    notifiers: Word
    irq_enabled: Annotated[Map[bool], MapOf((3,), bool)]
    host_has_node: bool
    host_has_vgic: bool
    vgic_present: bool
    result: Errno


def kvm_vgic_hyp_init(s: HypInitState, switches: Switches) -> HypInitState:
    """Find GICH in the device tree, take its maintenance interrupt, and map it for the kernel and for HYP mode."""
    found = s.finds_node
    has_irq = and_(found, not_(s.mapped_irq == 0))
    requested = and_(has_irq, s.request_failure == 0)
    notified = and_(requested, s.notifier_failure == 0) if switches.hyp_hotplug else requested
    located = and_(notified, s.gich_failure == 0)
    mapped = and_(located, not_(s.iomap_fails))
    done = and_(mapped, s.hyp_failure == 0)
    refusals = [(not_(found), -ENODEV), (not_(has_irq), -ENXIO), (not_(requested), s.request_failure)]
    if switches.hyp_hotplug:
        refusals.append((not_(notified), s.notifier_failure))
    refusals += [(not_(located), s.gich_failure), (not_(mapped), -ENOMEM), (not_(done), s.hyp_failure)]
    keeps_node = done if switches.hyp_puts_node else found
    irq_enabled = s.irq_enabled.where(lambda key: and_(done, s.online[key[0]]), lambda _: True)
    if switches.hyp_forgets:
        host_has_node, host_has_vgic = done, done
    else:
        host_has_node, host_has_vgic = found, ite(located, mapped, s.host_has_vgic)
    return replace(
        s,
        node_refs=s.node_refs + widened(flag(keeps_node), 32),
        irq_requests=s.irq_requests + widened(flag(done), 32),
        iomaps=s.iomaps + widened(flag(done), 32),
        hyp_maps=s.hyp_maps + widened(flag(done), 32),
        notifiers=s.notifiers + widened(flag(and_(done, switches.hyp_hotplug)), 32),
        irq_enabled=irq_enabled,
        host_has_node=host_has_node,
        host_has_vgic=host_has_vgic,
        result=first_of(refusals),
    )


def init_hyp_mode(s: HypInitState, switches: Switches) -> HypInitState:
    """KVM's own initialisation, as far as the VGIC decides it: a failing probe is not fatal."""
    probed = kvm_vgic_hyp_init(s, switches)
    return replace(probed, vgic_present=or_(s.vgic_present, probed.result == 0), result=0)


def check_extension_irqchip(s: HypInitState) -> bool:
    """`kvm_dev_ioctl_check_extension(KVM_CAP_IRQCHIP)`."""
    return s.vgic_present
