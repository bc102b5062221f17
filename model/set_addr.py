"""`kvm_vgic_set_addr`: the VMM says where the guest sees the distributor and the CPU interface.

It comes before `kvm_vgic_init`, once for each of the two; the ioctl is KVM_ARM_SET_DEVICE_ADDR.  The code of October
2012 has no such thing, and v3.9 has it with the checks that the switches name.  `kvm->lock` is held.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vgicheck.engine.values import field_of, ite, le, not_, or_

from .distributor import Word
from .generation import Switches
from .init import CPU_SIZE, DIST_SIZE, EBUSY, EEXIST, EINVAL, ENODEV, GUEST_TOP, Address, Errno, first_of

E2BIG = 7
VGIC_ADDR_UNDEF = (1 << 64) - 1
"""An address that was not set yet."""
KVM_VGIC_V2_ADDR_TYPE_DIST, KVM_VGIC_V2_ADDR_TYPE_CPU = 0, 1


@dataclass(frozen=True, slots=True)
class SetAddrState:
    """A VM's two addresses, and the call: which of them (`kind`) is to become `addr`."""

    kind: Word
    addr: Address
    dist_base: Address
    cpu_base: Address
    result: Errno


def kvm_vgic_set_addr(s: SetAddrState, switches: Switches) -> SetAddrState:
    """Set one address, or refuse with -E2BIG, -EINVAL, -ENODEV, -EEXIST or -EBUSY and leave both."""
    is_dist = s.kind == KVM_VGIC_V2_ADDR_TYPE_DIST
    is_cpu = s.kind == KVM_VGIC_V2_ADDR_TYPE_CPU
    size = ite(is_dist, DIST_SIZE, CPU_SIZE, width=64)
    last = GUEST_TOP - size if switches.set_addr_whole_region else GUEST_TOP - 1
    dist_base, cpu_base = ite(is_dist, s.addr, s.dist_base), ite(is_cpu, s.addr, s.cpu_base)
    compared = (dist_base, cpu_base) if switches.set_addr_overlap else (s.dist_base, s.cpu_base)
    result = first_of(
        [
            (not_(switches.addresses_from_vmm), -ENODEV),
            (not_(le(s.addr, last)), -E2BIG),
            (not_(field_of(s.addr, 11, 0) == 0), -EINVAL),
            (not_(or_(is_dist, is_cpu)), -ENODEV),
            (not_(ite(is_dist, s.dist_base, s.cpu_base) == VGIC_ADDR_UNDEF), -EEXIST),
            (vgic_ioaddr_overlap(*compared), -EBUSY),
        ]
    )
    done = result == 0
    return replace(
        s,
        dist_base=ite(done, dist_base, s.dist_base),
        cpu_base=ite(done, cpu_base, s.cpu_base),
        result=result,
    )


def vgic_ioaddr_overlap(dist_base: int, cpu_base: int) -> bool:
    """The two regions share an address. One that was not set yet shares none."""
    undefined = or_(dist_base == VGIC_ADDR_UNDEF, cpu_base == VGIC_ADDR_UNDEF)
    return not_(or_(undefined, le(dist_base + DIST_SIZE, cpu_base), le(cpu_base + CPU_SIZE, dist_base)))
