"""The machine as it starts: the VM's VGIC and its vCPUs were just created, and no thread runs yet."""

from __future__ import annotations

from dataclasses import replace

from vgicheck.engine.maps import Map
from vgicheck.engine.values import and_, lt, zeroed

from .distributor import Banked
from .generation import Switches
from .init import CPU_SIZE, DIST_SIZE, VcpuInitState, VmInitState, kvm_vgic_init, kvm_vgic_vcpu_init
from .injection import NR_IRQS
from .machine import Machine
from .vm import PerIrq

ASKED: VmInitState = replace(
    zeroed(VmInitState), host_has_vgic=True, host_has_node=True, gicv_end=CPU_SIZE - 1, cpu_base=DIST_SIZE
)
"""A VM of whose VGIC nothing keeps the creation from going well."""


def initial(nr_lr: int, nr_vcpus: int, switches: Switches) -> Machine:
    """Return what `kvm_vgic_init` and, for each vCPU, `kvm_vgic_vcpu_init` leave; all else is zero.

    One vCPU stands for each.  The saved ELRSR is zero as well: the first flush finds no empty list register.
    """
    vm = kvm_vgic_init(ASKED, switches, NR_IRQS)
    vcpu = kvm_vgic_vcpu_init(replace(zeroed(VcpuInitState), vm_has_vgic=vm.vm_has_vgic), switches)

    def each(own: Banked) -> PerIrq:
        return Map(lambda key: and_(lt(key[0], nr_vcpus), own[vcpu.vcpu_id, key[1]]))

    machine: Machine = replace(zeroed(Machine), nr_lr=nr_lr, nr_vcpus=nr_vcpus)
    return replace(
        machine,
        vm=replace(
            machine.vm,
            irq_enabled=each(vcpu.irq_enabled),
            irq_cfg=each(vcpu.irq_cfg),
            irq_spi_cpu=Map(lambda key: vm.irq_spi_cpu[key], width=3),
            irq_spi_target=vm.irq_spi_target,
        ),
        shadow=replace(
            machine.shadow,
            hcr=Map.constant(vcpu.cpu.hcr),
            lr_map=Map(lambda key: vcpu.cpu.irq_lr_map[key[1]], width=8),
        ),
    )
