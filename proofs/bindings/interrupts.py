"""The interrupts of v4.7 on, of which each is a struct vgic_irq: where they are, and what is taken for granted of them.

Private ones stand in struct vgic_cpu, shared ones in an array that vgic_init allocates (`allocated`).  There are no
LPIs on a host with a GICv2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from model.distributor import NR_LRS, NR_PRIVATE_IRQS, NR_SGIS
from vgicheck.c.binding import Invariant
from vgicheck.c.domain import NULL, Address, Domain, FunctionPointer
from vgicheck.c.ir import Array, CType, FunctionType, Pointer, Program, StructRef
from vgicheck.c.memory import Fill, Inputs, Place
from vgicheck.engine.maps import Key
from vgicheck.engine.values import and_, implies, le, lt

from .allocated import ALLOCATES, IRQS, leads_somewhere

GLOBAL = "kvm_vgic_global_state"
GICH = f"{GLOBAL}.vctrl_base"
MAKES = frozenset({"kvm_vgic_vcpu_init", "kvm_vgic_dist_init"})
"""The functions that set interrupts up."""
INPUT_LEVEL = "vgicheck_input_level"
LOCKS = ("vgicheck_vcpus[].arch.vgic_cpu.private_irqs[].irq_lock", "vgicheck_spis[].irq_lock")
"""The locks of the VM's interrupts."""
_OPS: Mapping[str, str] = {"vgicheck_vcpus": "vgicheck_private_ops", "vgicheck_spis": "vgicheck_shared_ops"}
_OF_AN_ARGUMENT = "vgicheck_ops"


def has_them(program: Program) -> bool:
    """Say whether a program keeps a struct vgic_irq for each interrupt."""
    return "vgic_irq" in program.structs and bool(program.structs["vgic_irq"].fields)


def is_for_gicv2(program: Program) -> bool:
    """Say whether a program is what runs on a host with a GICv2: it has that half and not that of the GICv3."""
    known = {*program.functions, *program.unsupported}
    return GLOBAL in program.globals and "vgic_v2_populate_lr" in known and "vgic_v3_populate_lr" not in known


def objects(program: Program, vcpus: int) -> dict[str, CType]:
    """Return the types of what the `ops` of interrupts lead to, one struct for each interrupt that has any."""
    if "irq_ops" not in program.structs:
        return {}
    ops = StructRef("irq_ops")
    private = Array(Array(ops, NR_PRIVATE_IRQS), vcpus)
    shared = Array(ops, IRQS - NR_PRIVATE_IRQS)
    return {**dict(zip(_OPS.values(), (private, shared), strict=True)), _OF_AN_ARGUMENT: ops}


def pointer(program: Program, inputs: Inputs, domain: Domain, place: Place, key: Key) -> Any:
    """Return what a pointer of an interrupt's leads to, None where that is of no kind that is known here."""
    target = place.type.target if isinstance(place.type, Pointer) else None
    if target == StructRef("irq_ops"):
        to: Any = Address(_OPS.get(place.object, _OF_AN_ARGUMENT), key)
    elif isinstance(target, FunctionType) and place.region.endswith(".get_input_level"):
        to = FunctionPointer(INPUT_LEVEL)
    else:
        return None
    there = domain.guards.of(inputs.bit(f"{place.region}?", key))
    return domain.choice([(there, to), (domain.guards.not_(there), NULL)])


@dataclass(frozen=True, slots=True)
class Exact:
    """A word of which it is assumed what it is, and who guarantees it; `exempt` set it."""

    value: int
    text: str
    guarantor: str
    exempt: frozenset[str]


def exact(program: Program, dist: str) -> dict[str, Exact]:
    """Return the words of which it is assumed what they are, by their regions."""
    found: dict[str, Exact] = {}
    if has_them(program):
        spis = IRQS - NR_PRIVATE_IRQS
        found[f"{dist}.nr_spis"] = Exact(spis, f"nr_spis is {spis}, the size that is looked at", "vgic_init", ALLOCATES)
    if is_for_gicv2(program):
        probe = "vgic_v2_probe; of a host with a GICv3 nothing is said"
        words = ("type", "has_gicv4", "has_gicv4_1", "gicv3_cpuif.enabled")
        found |= {f"{GLOBAL}.{w}": Exact(0, "the host has a GICv2", probe, frozenset({"vgic_v2_probe"})) for w in words}
    return found


def representation(program: Program, cpu: str, dist: str) -> Iterator[Invariant]:
    """Yield what is assumed of interrupts, and asked of every function after it, but for those that set them up."""
    if not has_them(program):
        return
    private, shared = f"{cpu}.private_irqs[]", "vgicheck_spis[]"
    text = "an interrupt's intid says where it stands"
    for region, first in ((private, 0), (shared, NR_PRIVATE_IRQS)):
        yield Invariant(f"{region}.intid", _stands_at(first), text, "kvm_vgic_vcpu_init and kvm_vgic_dist_init", MAKES)
    for region, e in exact(program, dist).items():
        yield Invariant(region, partial(_is, e.value), e.text, e.guarantor, e.exempt)
    if not is_for_gicv2(program):
        return
    yield Invariant(
        f"{private}.hw",
        lambda key, value: implies(lt(key[-1], NR_SGIS), value == 0),
        "no SGI is one of the hardware's", "vgic_v4_configure_vsgis, which needs a GICv4", MAKES,
    )  # fmt: skip
    yield Invariant(f"{GICH}?", leads_somewhere, "GICH is mapped", "vgic_v2_probe", frozenset({"vgic_v2_probe"}))
    for region in (private, shared):
        yield Invariant(f"{region}.hwintid", _of_the_host, "hwintid is below 1024", "kvm_vgic_map_irq", MAKES)
    yield Invariant(
        f"{cpu}..vgic_v2!.used_lrs", lambda key, value: le(value, NR_LRS), f"used_lrs is at most {NR_LRS}",
        "vgic_flush_lr_state, which fills at most nr_lr",
    )  # fmt: skip
    yield Invariant(
        f"{GLOBAL}.nr_lr", lambda key, value: and_(le(1, value), le(value, NR_LRS)), f"nr_lr is 1..{NR_LRS}",
        "vgic_v2_probe", frozenset({"vgic_v2_probe"}),
    )  # fmt: skip
    yield Invariant(
        "vgicheck_gich[]",
        lambda key, value: implies(and_(le(0x40, key[0]), lt(key[0], 0x80)), lt(value & 0x3FF, IRQS)),
        f"a list register of the hardware names an interrupt below {IRQS}",
        "vgic_v2_restore_state; hardware does not change what one names",
    )  # fmt: skip


def fill(program: Program, cpu: str) -> dict[str, Fill]:
    """Return what a run starts from: interrupts stand where they say, and there is a list register."""
    if not has_them(program):
        return {}
    return {
        f"{cpu}.private_irqs[].intid": lambda key: key[-1],
        "vgicheck_spis[].intid": lambda key: key[-1] + NR_PRIVATE_IRQS,
        f"{GLOBAL}.nr_lr": 4,
    }


def arguments(program: Program) -> Iterator[Invariant]:
    """Yield what is assumed of an interrupt that a function is called with."""
    if has_them(program) and is_for_gicv2(program):
        yield Invariant(
            "vgicheck_at_irq.intid", lambda key, value: lt(value, IRQS), f"an interrupt's intid is below {IRQS}",
            "kvm_vgic_vcpu_init and kvm_vgic_dist_init; there are no LPIs with a GICv2",
        )  # fmt: skip
        yield Invariant("vgicheck_at_irq.hwintid", _of_the_host, "hwintid is below 1024", "kvm_vgic_map_irq")


def _is(number: int, key: Key, value: Any) -> Any:
    return value == number


def _of_the_host(key: Key, value: Any) -> Any:
    """Say of a number that it may be that of an interrupt of the host's GIC."""
    return lt(value, 1 << 10)


def _stands_at(first: int) -> Callable[[Key, Any], Any]:
    return lambda key, value: value == key[-1] + first
