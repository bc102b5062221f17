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

IN_THE_SYNC = (
    "eoi-clears-active",
    "underflow-clears-uie",
    "eoi-clears-lr-eoi",
    "eoi-frees-lr",
    "eoi-touches-nothing-else",
    "uie-kept-without-underflow",
    "handler-ignores-unmarked",
    "handler-once",
)
"""Those of the handler that speak of its work, wherever it is done: `vgic_process_maintenance` does it in the sync."""

PROPERTIES: tuple[Property, ...] = (*HANDLER, *INIT)


def claimed_of(function: str) -> tuple[Property, ...]:
    """Return the properties claimed of a function."""
    if function == "vgic_process_maintenance":
        return tuple(p for p in HANDLER if p.id in IN_THE_SYNC)
    return tuple(p for p in PROPERTIES if p.subject == SUBJECTS.get(function))
