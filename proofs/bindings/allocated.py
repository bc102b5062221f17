"""The maps that the VGIC allocates since v3.18, where older ones have arrays: what pointers to them lead to.

vgic_init allocates them when the number of vCPUs and of interrupts is known, once for a VM, and nothing moves them
until the VM is destroyed.  They are looked at as they are for one such pair of numbers, which is told with each
verdict.  Two maps that lie in one allocation are two objects here, so that what goes beyond the one is not inside the
other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model.distributor import MAX_CPUS
from vgicheck.c.ir import Array, CType, Pointer, Program, StructRef
from vgicheck.engine.maps import Key
from vgicheck.engine.values import is_symbolic

IRQS = 256
"""VGIC_NR_IRQS_LEGACY: the interrupts of a VM whose user space asks for no other number."""
PRIVATE, SGIS = 32, 16
ALLOCATES = frozenset({
    "kvm_vgic_create", "kvm_vgic_destroy", "kvm_vgic_vcpu_destroy", "kvm_vgic_vcpu_init", "vgic_init",
    "vgic_init_bitmap", "vgic_init_bytemap", "vgic_free_bitmap", "vgic_free_bytemap", "vgic_vcpu_init_maps",
    "kvm_vgic_map_resources", "kvm_vgic_dist_init", "kvm_vgic_dist_destroy",
})  # fmt: skip
"""The functions that run also while there are no maps."""

_SPIS = IRQS - PRIVATE
_OF_THE_VM: Mapping[str, int] = {
    "irq_sgi_sources": MAX_CPUS * SGIS,
    "irq_spi_cpu": _SPIS,
    "irq_spi_mpidr": _SPIS,
    "irq_spi_target": MAX_CPUS,
    "irq_pending_on_cpu": 1,
    "irq_active_on_cpu": 1,
    "spis": _SPIS,
}
"""How many elements a pointer in struct vgic_dist leads to."""
_OF_A_VCPU: Mapping[str, int] = {
    "vgic_irq_lr_map": IRQS,
    "pending_shared": _SPIS // 32,
    "active_shared": _SPIS // 32,
    "pend_act_shared": _SPIS // 32,
}
"""The same of struct vgic_cpu."""
_OF_A_MAP: Mapping[str, Mapping[str, int]] = {
    "vgic_bitmap": {"private": MAX_CPUS, "shared": _SPIS // 32},
    "vgic_bytemap": {"private": MAX_CPUS * PRIVATE // 4, "shared": _SPIS // 4},
}
"""The same of each map with private and shared halves."""


@dataclass(frozen=True, slots=True)
class Allocated:
    """An object that pointers of one region lead to; of a `row` each pointer has one of its own, by its index."""

    name: str
    type: CType
    row: bool = False


def leads_somewhere(key: Key, value: Any) -> Any:
    """Say of a bit that tells whether a pointer leads anywhere that it is set."""
    return value if is_symbolic(value) else bool(value)


def allocated(program: Program, dist: str, cpu: str) -> dict[str, Allocated]:
    """List what is allocated by the region of the pointer to it; `dist` and `cpu` are the regions of the structs."""
    found: dict[str, Allocated] = {}
    for field, kind in _fields(program, "vgic_dist"):
        if isinstance(kind, StructRef):
            found |= _halves(program, kind.tag, f"{dist}.{field}", f"vgicheck_{field}", row=False)
        elif field in _OF_THE_VM and isinstance(kind, Pointer):
            found[f"{dist}.{field}"] = here = Allocated(f"vgicheck_{field}", Array(kind.target, _OF_THE_VM[field]))
            if isinstance(kind.target, StructRef):
                found |= _halves(program, kind.target.tag, f"{here.name}[]", here.name, row=True)
    for field, kind in _fields(program, "vgic_cpu"):
        if field in _OF_A_VCPU and isinstance(kind, Pointer):
            row = Array(kind.target, _OF_A_VCPU[field])
            found[f"{cpu}.{field}"] = Allocated(f"vgicheck_{field}", Array(row, MAX_CPUS), row=True)
    return found


def _fields(program: Program, tag: str) -> Iterator[tuple[str, CType]]:
    struct = program.structs.get(tag)
    yield from ((f.name, f.type) for f in (struct.fields if struct else ()))


def _halves(program: Program, tag: str, region: str, name: str, row: bool) -> dict[str, Allocated]:
    lengths, found = _OF_A_MAP.get(tag, {}), dict[str, Allocated]()
    for half, kind in _fields(program, tag):
        if half in lengths and isinstance(kind, Pointer):
            own: CType = Array(kind.target, lengths[half])
            found[f"{region}.{half}"] = Allocated(f"{name}_{half}", Array(own, MAX_CPUS) if row else own, row)
    return found
