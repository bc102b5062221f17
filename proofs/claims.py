"""Which properties are claimed of which functions and transitions."""

from __future__ import annotations

from properties.handler import HANDLER
from properties.init import INIT
from properties.property import Property

SUBJECTS = {
    "vgic_maintenance_handler": "handler",
    "kvm_vgic_vcpu_init": "vcpu_init",
    "kvm_vgic_hyp_init": "hyp_init",
    "kvm_vgic_init": "vm_init",
    "init_hyp_mode": "init_hyp_mode",
}
"""What a function of the kernel is in the catalogue."""

PROPERTIES: tuple[Property, ...] = (*HANDLER, *INIT)


def claimed_of(function: str) -> tuple[Property, ...]:
    """Return the properties claimed of a function."""
    return tuple(p for p in PROPERTIES if p.subject == SUBJECTS.get(function))
