"""How a function of a whole vgic.c is called by itself: with one VM and one vCPU at hand, and any numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vgicheck.c.binding import GIVEN
from vgicheck.c.domain import NULL, Address, Domain, Opaque
from vgicheck.c.ir import Int, Pointer, Program, StructRef, Unsupported, Void
from vgicheck.c.memory import Inputs, Place
from vgicheck.engine.maps import Key

from .kvm_2012 import DIST
from .vgic import KVM, RUNNING

VCPU = "vgicheck_vcpu"
LOADED, LIVE, VM_HAS_VGIC = (f"{GIVEN}.{name}" for name in ("vcpu_loaded", "registers_are_its", "vm_has_vgic"))
REGISTERS_OF = "vgic_live_vcpu"
"""The variable that says whose state the registers of a CPU hold, where a source keeps one."""


def arguments(program: Program, function: str, inputs: Inputs) -> Sequence[Any]:
    """Return what a function is called with: the VM, the vCPU at hand, an interrupt's cookie, and any numbers.

    Raises `Unsupported` for a parameter of any other type.
    """
    found: list[Any] = []
    body = program.functions[function]
    for name in body.params:
        kind = body.locals[name]
        if isinstance(kind, Int):
            found.append(inputs.word(f"{GIVEN}.{name}", (), kind.bits))
            continue
        target = kind.target if isinstance(kind, Pointer) else None
        known = {StructRef("kvm"): Address(KVM), StructRef("kvm_vcpu"): Address(VCPU), Void(): Address(RUNNING)}
        if target not in known:
            raise Unsupported(f"the parameter {name} of {function}(), which the binding does not know", body.loc)
        found.append(known[target])
    return found


def pointers(inputs: Inputs, domain: Domain, place: Place, key: Key) -> Any:
    """Return what a pointer in memory leads to, where there is one vCPU at hand; to another none does."""
    target = place.type.target if isinstance(place.type, Pointer) else Void()
    if place.region == RUNNING:
        return _perhaps(inputs, domain, LOADED, Address(VCPU))
    if place.region == REGISTERS_OF:
        return _perhaps(inputs, domain, LIVE, Address(VCPU))
    if target == StructRef("kvm"):
        return Address(KVM)
    if isinstance(target, Void) and place.region.endswith("vctrl_base"):
        return Address("vgicheck_gich", (0,))
    return Opaque(place.region)


def pointers_without_vgic(inputs: Inputs, domain: Domain, place: Place, key: Key) -> Any:
    """Return the same for a VM that may have no VGIC."""
    found = pointers(inputs, domain, place, key)
    return _perhaps(inputs, domain, VM_HAS_VGIC, found) if place.region == f"{DIST}.vctrl_base" else found


def _perhaps(inputs: Inputs, domain: Domain, name: str, address: Any) -> Any:
    there = domain.guards.of(inputs.bit(name, ()))
    return domain.choice([(there, address), (domain.guards.not_(there), NULL)])
