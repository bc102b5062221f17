"""The VGIC in one file, from 2012 to v4.6, as the rules of C see it: what is around it, and what is taken for granted.

Nothing here depends on how a generation lays its structures out: a region that a source does not have is assumed
nothing of.  The state is a VM of up to `KVM_MAX_VCPUS` vCPUs of which any may be the one at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import z3

from model.distributor import MAX_CPUS, NR_LRS
from vgicheck.c.binding import GIVEN, Invariant
from vgicheck.c.domain import NULL, Address, Domain, Opaque
from vgicheck.c.effects import Watched
from vgicheck.c.ir import Array, CType, Int, Pointer, Program, StructRef, Void
from vgicheck.c.memory import Fill, Inputs, Layout, Place, Pointers, label
from vgicheck.engine.maps import Key
from vgicheck.engine.values import and_, le, lt, or_, same, widened

from . import interrupts, registers
from .allocated import ALLOCATES, IRQS, allocated, leads_somewhere
from .kvm_2012 import WORLD, answers

_HERE = Path(__file__).parent

KVM = "vgicheck_kvm"
VCPUS = "vgicheck_vcpus"
CPU = f"{VCPUS}[].arch.vgic_cpu"
DIST = f"{KVM}.arch.vgic"
RUNNING = "vgicheck_running_vcpu"
SELF = f"{GIVEN}.the_vcpu"
"""The index of the vCPU at hand."""
SETS_ADDR = ("kvm_vgic_set_addr", "kvm_vgic_addr")
"""What sets the addresses at which the guest sees a VGIC."""
INDICES: Mapping[str, Callable[[Key], int]] = {f"{VCPUS}[].vcpu_id": lambda key: key[0]}
"""What a vcpu_id is, where it is the vCPU's index."""
ID_IS_INDEX = Invariant(
    f"{VCPUS}[].vcpu_id",
    lambda key, value: same(value, key[0]),
    "vCPUs stand in kvm->vcpus by their ids",
    "the VMM, which creates them in this order",
)
NO_LOCK = Invariant(f"{DIST}.lock.held", lambda key, value: lt(value, 1), "no lock is held on entry", "")
LATER_LRS = f"{CPU}..vgic_v2!.vgic_lr[]"
"""The list registers where they are in struct vgic_v2_cpu_if."""
LATER_MAP = "vgicheck_vgic_irq_lr_map[][]"
"""vgic_irq_lr_map where it is allocated."""
LR_EMPTY = 0xFF

GIC_HEADERS = ("include/linux/irqchip/arm-gic.h", "arch/arm/include/asm/hardware/gic.h", "arm-gic.h", "gic.h")
"""Where the registers of the GIC are defined, the newest place first."""
GICV4_HEADERS = ("include/linux/irqchip/arm-gic-v4.h",)
"""What structures of the VGIC hold of the GICv4's since v4.14."""
VGIC_HEADERS = ("include/kvm/arm_vgic.h", "arch/arm/include/asm/kvm_vgic.h", "arm_vgic.h", "kvm_vgic.h")
"""Where the structures of the VGIC are defined, the newest place first."""


class Tree(Protocol):
    """Where headers are looked for."""

    def read(self, path: str) -> str | None:
        """Return a file's text, or None where there is no such file."""


@dataclass(frozen=True, slots=True)
class Header:
    """A file that stands before the source; `ours` where it is a stub.

    `structures`: it is the one with the structures of the VGIC, and with functions that go with them.
    """

    name: str
    text: str
    ours: bool
    structures: bool = False


def headers(tree: Tree, folder: str, beside: Sequence[str] = ()) -> tuple[list[Header], dict[str, str]]:
    """Return what stands before a source in a folder, in order, and the macros that go with it.

    The tree's own headers are taken where they are, in their place or beside the source; `beside` are those that the
    source includes from its own folder.
    """
    gic, vgic = (_first(tree, folder, names) for names in (GIC_HEADERS, VGIC_HEADERS))
    found = [_stub("kvm_types.h")]
    defines: dict[str, str] = {}
    if gic is not None:
        found.append(gic)
    v4 = _first(tree, folder, GICV4_HEADERS)
    if vgic is not None and v4 is not None and "irqchip/arm-gic-v4.h" in vgic.text:
        found.append(v4)
    if vgic is not None:
        found.append(replace(vgic, structures=True))
    else:
        found.append(_stub("vgic_2012.h"))
        brought = ("struct_kvm", "struct_kvm_vcpu", "kvm_get_vcpu", "kvm_get_running_vcpus", "kvm_get_running_vcpu",
                   "kvm_phys_addr_ioremap")  # fmt: skip
        defines |= {f"VGICHECK_HAVE_{name}": "1" for name in brought}
    known = {path.rpartition("/")[2] for path in (*GIC_HEADERS, *VGIC_HEADERS)}
    own = [_first(tree, folder, [f"{folder}/{name}"]) for name in beside if name not in known]
    each = [_stub("vgic_irq.h")] if vgic is not None and "struct vgic_irq {" in vgic.text else []
    return [*found, _stub("gic.h"), _stub("kvm.h"), *each, *(h for h in own if h is not None)], defines


def _stub(name: str) -> Header:
    return Header(name, (_HERE / name).read_text(), True)


def _first(tree: Tree, folder: str, names: Sequence[str]) -> Header | None:
    for name in names:
        for path in (name, f"{folder}/{name}"):
            text = tree.read(path)
            if text is not None:
                return Header(path, text, False)
    return None


# What pointers lead to -----------------------------------------------------------------------------


def pointers(inputs: Inputs, domain: Domain, place: Place, key: Key) -> Any:
    """Return what a pointer in memory leads to: `kvm->vcpus[i]` to vCPU i of those that there are, and so on."""
    g, target = domain.guards, place.type.target if isinstance(place.type, Pointer) else Void()

    def perhaps(name: str) -> int:
        return g.of(inputs.bit(f"{name}?", ()))

    if place.region == f"{KVM}.vcpus[]":
        online = inputs.word(f"{KVM}.online_vcpus.counter", (), 32)
        there = domain.compare("<", key[0], online, Int(32, False))
        return domain.choice([(there, Address(VCPUS, (key[0],))), (g.not_(there), NULL)])
    if place.region == RUNNING:
        there = perhaps(RUNNING)
        return domain.choice([(there, the_vcpu(inputs)), (g.not_(there), NULL)])
    if target == StructRef("kvm"):
        return Address(KVM)
    if target == StructRef("kvm_vcpu"):
        there, index = g.of(inputs.bit(f"{place.region}?", key)), inputs.word(f"{GIVEN}.{place.region}", key, 3)
        return domain.choice([(there, Address(VCPUS, (widened(index, 32),))), (g.not_(there), NULL)])
    if target == StructRef("device_node"):
        there = perhaps(place.region)
        return domain.choice([(there, Address("vgicheck_node")), (g.not_(there), NULL)])
    if isinstance(target, Void) and place.region.endswith("vctrl_base"):
        there = g.any(perhaps(name) for name in {f"{DIST}.vctrl_base", place.region})
        return domain.choice([(there, Address("vgicheck_gich", (0,))), (g.not_(there), NULL)])
    return Opaque(label(place.region, key))


LEADING = frozenset({f"{KVM}.online_vcpus.counter"})
"""The regions that say where pointers lead."""

PROBED: Mapping[str, str] = {"vgic_ops": "vgic_ops", "vgic": "vgic_params"}
"""The pointers at file scope that the probe of the host's GIC sets, and to what struct."""
PROBES = frozenset({"kvm_vgic_hyp_init", "vgic_v2_probe", "vgic_v3_probe"})


def probed(program: Program) -> dict[str, list[str]]:
    """List the pointers of a program that the probe sets, each with the objects at file scope that it may lead to."""
    return {
        name: sorted(n for n in program.constants if program.globals[n] == StructRef(tag))
        for name, tag in PROBED.items()
        if program.globals.get(name) == Pointer(StructRef(tag))
    }


def objects(program: Program) -> dict[str, CType]:
    """Return the types of what is allocated, by the names that pointers have for it."""
    found = {to.name: to.type for to in allocated(program, DIST, CPU).values()}
    return found | interrupts.objects(program, MAX_CPUS)


def led(program: Program, function: str) -> dict[str, list[str]]:
    """List what pointers still lead to after a function that sets none of them up, by their regions."""
    maps = {} if function in ALLOCATES else {r: [to.name] for r, to in allocated(program, DIST, CPU).items()}
    return maps | ({} if function in PROBES else probed(program))


def leads(*programs: Program) -> Pointers:
    """Return what pointers in memory lead to in a program: as `pointers`, and what the probe sets to what it may set.

    What a program has no object for is opaque; of several programs also what they do not all set to the same.
    """
    sets = [probed(program) for program in programs]
    known = {name: to for of in sets for name, to in of.items() if to and all(o.get(name, to) == to for o in sets)}
    maps = {region: to for program in programs for region, to in allocated(program, DIST, CPU).items()}

    def found(inputs: Inputs, domain: Domain, place: Place, key: Key) -> Any:
        g = domain.guards
        if place.region in maps:
            there, to = g.of(inputs.bit(f"{place.region}?", key)), maps[place.region]
            path = (key[0], 0) if to.row else (0,)
            return domain.choice([(there, Address(to.name, path)), (g.not_(there), NULL)])
        if place.region not in known:
            of_an_interrupt = interrupts.pointer(programs[0], inputs, domain, place, key)
            return pointers(inputs, domain, place, key) if of_an_interrupt is None else of_an_interrupt
        places = known[place.region]
        rest = g.of(inputs.bit(f"{place.region}?", ()))
        options: list[tuple[int, Any]] = [(g.not_(rest), NULL)]
        which = inputs.word(f"{GIVEN}.{place.region}", (), 8) if len(places) > 1 else 0
        for number, name in enumerate(places[1:], 1):
            hit = domain.compare("==", which, number, Int(8, False))
            options.append((g.and_(rest, hit), Address(name)))
            rest = g.and_(rest, g.not_(hit))
        return domain.choice([*options, (rest, Address(places[0]))])

    return found


def the_vcpu(inputs: Inputs) -> Address:
    """Return the address of the vCPU at hand, any of those that there may be."""
    return Address(VCPUS, (widened(inputs.word(SELF, (), 3), 32),))


def arguments(inputs: Inputs, layout: Layout, function: str, in_interrupt: bool) -> list[Any]:
    """Return what a function is called with, each of its parameters as `argument` has it.

    An accessor of registers is called with an address that the length of the access divides.
    """
    called = layout.program.functions[function]
    found = [argument(inputs, layout, name, called.locals[name], in_interrupt) for name in called.params]
    if registers.registers(layout.program, function, nr_irqs(layout.program)):
        found[1] = registers.address(inputs, called)
    return found


def argument(inputs: Inputs, layout: Layout, name: str, kind: CType, in_interrupt: bool) -> Any:
    """Return what a function is called with.

    A pointer leads to the VM, the vCPU or the access at hand, or else to an object of its own, one to an integer to one
    or more; one whose type says nothing is opaque, but for the cookie of an interrupt handler.
    """
    if isinstance(kind, Int):
        return inputs.word(f"{GIVEN}.{name}", (), kind.bits)
    known = {
        "kvm": Address(KVM),
        "kvm_vcpu": the_vcpu(inputs),
        "kvm_exit_mmio": Address("vgicheck_mmio"),
        "kvm_run": Address("vgicheck_run"),
    }
    target = kind.target if isinstance(kind, Pointer) else Void()
    if isinstance(target, StructRef) and target.tag in known:
        return known[target.tag]
    if isinstance(target, Void) and in_interrupt:
        return Address(RUNNING)
    if isinstance(target, StructRef) and layout.program.structs[target.tag].fields:
        layout.objects[f"vgicheck_at_{name}"] = target
        return Address(f"vgicheck_at_{name}")
    if isinstance(target, Int):
        layout.objects[f"vgicheck_at_{name}"] = Array(target, 1)
        layout.beginnings.add(f"vgicheck_at_{name}")
        return Address(f"vgicheck_at_{name}", (0,))
    return Opaque(name)


# What is assumed ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Context:
    """How a function is called: as an interrupt handler or not, and whether it may find a lock held."""

    function: str
    in_interrupt: bool = False
    may_interrupt_holder: bool = False


_Holds = Callable[[Key, Any], Any]


def _below(limit: int) -> _Holds:
    return lambda key, value: lt(value, limit)


def _is(number: int) -> _Holds:
    return lambda key, value: same(value, bool(number) if isinstance(value, bool) or z3.is_bool(value) else number)


def nr_irqs(program: Program) -> int:
    """Return for how many interrupts the source is built, or its VM is looked at; 0 where that is not told."""
    struct = program.structs.get("vgic_cpu")
    for field in struct.fields if struct else ():
        if field.name == "vgic_irq_lr_map" and isinstance(field.type, Array):
            return field.type.length
    return IRQS if {f"{CPU}.vgic_irq_lr_map", f"{DIST}.spis"} & allocated(program, DIST, CPU).keys() else 0


def invariants(program: Program, context: Context) -> list[Invariant]:
    """List what is assumed before a function runs."""
    state = [*representation(program), *_probe(program), *_maps(program)]
    state = [i for i in state if context.function not in i.exempt]
    return [*state, *_surroundings(context), *_arguments(program, context)]


def fixed(program: Program, context: Context) -> dict[str, int]:
    """Return the words of which it is assumed what they are before a function runs, by their regions."""
    exact = interrupts.exact(program, DIST)
    return {region: e.value for region, e in exact.items() if context.function not in e.exempt}


def _probe(program: Program) -> list[Invariant]:
    return [
        Invariant(
            f"{name}?",
            leads_somewhere,
            f"{name} leads to {' or '.join(objects)}",
            "kvm_vgic_hyp_init: where it fails there are no VMs",
            PROBES,
        )
        for name, objects in probed(program).items()
        if objects
    ]


def _maps(program: Program) -> list[Invariant]:
    return [
        Invariant(
            f"{region}?",
            leads_somewhere,
            f"the maps of the VGIC are allocated, for {MAX_CPUS} vCPUs and {IRQS} interrupts",
            "vgic_init, before a vCPU runs or an interrupt is injected",
            ALLOCATES,
        )
        for region in allocated(program, DIST, CPU)
    ]


def representation(program: Program) -> list[Invariant]:
    """List what is assumed of the state, and asked of every function after it; who sets it up may not assume it."""
    irqs = nr_irqs(program)

    def one_of_the_lrs(key: Key, value: Any) -> Any:
        return and_(le(1, value), le(value, NR_LRS))

    found = [
        Invariant(
            f"{KVM}.online_vcpus.counter",
            lambda key, value: le(value, MAX_CPUS),
            f"there are at most {MAX_CPUS} vCPUs",
            "kvm_vm_ioctl_create_vcpu",
        ),
        *(
            Invariant(
                region,
                lambda key, value: or_(lt(value, NR_LRS), value == LR_EMPTY),
                "vgic_irq_lr_map holds list registers or LR_EMPTY",
                "vgic_queue_irq",
            )
            for region in (f"{CPU}.vgic_irq_lr_map[]", LATER_MAP)
        ),
        *(
            Invariant(
                region,
                lambda key, value: lt(value & 0x3FF, irqs) if irqs else True,
                "a list register names an interrupt below VGIC_NR_IRQS",
                "vgic_v2_populate_lr" if interrupts.has_them(program) else "vgic_queue_irq",
            )
            for region in (f"{CPU}.vgic_lr[]", LATER_LRS)
        ),
        *(
            Invariant(region, _below(MAX_CPUS), f"irq_spi_cpu is below {MAX_CPUS}", "vgic_set_target_reg")
            for region in (f"{DIST}.irq_spi_cpu[]", "vgicheck_irq_spi_cpu[]")
        ),
    ]
    found += interrupts.representation(program, CPU, DIST)
    if allocated(program, DIST, CPU):
        for name, number in (("nr_irqs", IRQS), ("nr_cpus", MAX_CPUS)):
            text = f"{name} is {number}, the size that is looked at"
            found.append(Invariant(f"{DIST}.{name}", _is(number), text, "vgic_init", ALLOCATES))
    for_a_new_vcpu, for_the_host = frozenset({"kvm_vgic_vcpu_init"}), frozenset({"kvm_vgic_hyp_init"})
    return [
        *found,
        Invariant(
            f"{VCPUS}[].vcpu_id",
            _below(MAX_CPUS),
            f"vcpu_id is below {MAX_CPUS}, so that it has a bank",
            "kvm_vgic_vcpu_init, which must refuse any other",
            for_a_new_vcpu,
        ),
        Invariant(
            f"{CPU}.nr_lr",
            one_of_the_lrs,
            "nr_lr is 1..64",
            "kvm_vgic_vcpu_init: GICH_VTR.ListRegs + 1",
            for_a_new_vcpu,
        ),
        Invariant("vgic_nr_lr", one_of_the_lrs, "vgic_nr_lr is 1..64", "kvm_vgic_hyp_init", for_the_host),
        *(
            Invariant(f"{name}.nr_lr", one_of_the_lrs, f"{name}.nr_lr is 1..64", "the probe of the host's GIC", PROBES)
            for name in probed(program).get("vgic", ())
        ),
    ]


def _surroundings(context: Context) -> list[Invariant]:
    held = _below(2 if context.may_interrupt_holder else 1)
    found = [
        Invariant(f"{KVM}.lock.held", _is(0), "no mutex is held by the caller", ""),
        Invariant(f"{KVM}.arch.config_lock.held", _is(0), "", ""),
        *(
            Invariant(f"{lock}.held", held, "", "")
            for lock in (f"{DIST}.lock", f"{DIST}.lpi_list_lock", f"{CPU}.ap_list_lock", *interrupts.LOCKS)
        ),
        Invariant(f"{KVM}.mmu_lock.held", held, "", ""),
        Invariant(f"{WORLD}.in_interrupt", _is(int(context.in_interrupt)), "", ""),
        Invariant(f"{DIST}.ready", _below(2), "", ""),
        *(i for i in answers() if i.region.startswith(f"{WORLD}.")),
    ]
    if context.in_interrupt:
        found.append(
            Invariant(
                f"{DIST}.vctrl_base?",
                leads_somewhere,
                "the VM of the vCPU that runs has a VGIC",
                "the world switch, without which no list register makes an interrupt",
            )
        )
    if context.in_interrupt and not context.may_interrupt_holder:
        found = [i for i in found if i.region != f"{DIST}.lock.held"]
        found.append(Invariant(
            f"{DIST}.lock.held", held, "the interrupted CPU does not hold the lock",
            "every other taking of a lock in the file, which disables interrupts",
        ))  # fmt: skip
    return found


def _arguments(program: Program, context: Context) -> list[Invariant]:
    irqs = nr_irqs(program)
    found = [
        Invariant("vgicheck_mmio.is_write", _below(2), "", ""),
        Invariant(
            "vgicheck_mmio.len",
            lambda key, value: or_(value == 1, value == 2, value == 4, value == 8),
            "an access is of 1, 2, 4 or 8 bytes",
            "decode_hsr, from the syndrome register",
        ),
    ]
    found += interrupts.arguments(program)
    called = program.functions.get(context.function)
    if called is not None:
        accessed = registers.registers(program, context.function, irqs)
        found += registers.arguments(called, accessed, f"{KVM}.online_vcpus.counter")
    if context.function == "kvm_vgic_inject_irq" and irqs:
        found += [
            Invariant(f"{GIVEN}.irq_num", _below(irqs), "irq_num is below VGIC_NR_IRQS", "kvm_vm_ioctl_irq_line"),
            Invariant(f"{GIVEN}.cpuid", _below(MAX_CPUS), f"cpuid is below {MAX_CPUS}", "kvm_vm_ioctl_irq_line"),
            Invariant(f"{GIVEN}.level", _below(2), "", ""),
        ]
    return found


QUIET: Mapping[str, _Holds] = {
    f"{CPU}.lr_used[]": _is(0),
    f"{CPU}.vgic_irq_lr_map[]": _is(LR_EMPTY),
    f"{CPU}.vgic_lr[]": _is(0),
    f"{CPU}.vgic_eisr[]": _is(0),
    f"{DIST}.irq_sgi_sources[][]": _is(0),
    LATER_MAP: _is(LR_EMPTY),
    LATER_LRS: _is(0),
    f"{CPU}..vgic_v2!.vgic_eisr": _is(0),
    "vgicheck_irq_sgi_sources[]": _is(0),
}
"""The books that the VGIC keeps, as they are while nothing is in any list register.

They agree with each other in ways of which nothing is said here, so a refutation is believed only of such a state.
"""

BITMAPS = frozenset(f"{CPU}.{name}[]" for name in ("lr_used", "vgic_eisr", "vgic_elrsr", "pending"))
"""Regions of words that are bitmaps, where they are looked at bit by bit."""

FILL: Mapping[str, int] = {
    f"{CPU}.vgic_irq_lr_map[]": LR_EMPTY,
    f"{CPU}.nr_lr": 4,
    "vgic_nr_lr": 4,
    "vgicheck_mmio.len": 4,
    f"{DIST}.vctrl_base?": 1,
    LATER_MAP: LR_EMPTY,
    f"{DIST}.nr_irqs": IRQS,
    f"{DIST}.nr_cpus": MAX_CPUS,
}
"""What a run starts from where nothing else is needed; 0 elsewhere."""


def fill(program: Program) -> Mapping[str, Fill]:
    """Return the same for a program, whose pointers lead somewhere."""
    exact = {region: e.value for region, e in interrupts.exact(program, DIST).items()}
    return {
        **FILL,
        **exact,
        **interrupts.fill(program, CPU),
        **{f"{p}?": 1 for p in (*PROBED, interrupts.GICH, *allocated(program, DIST, CPU))},
    }


# How cells are called -------------------------------------------------------------------------------


class Names:
    """Cells in the kernel's words."""

    _OBJECTS: Mapping[str, str] = {
        KVM: "kvm",
        VCPUS: "vcpu",
        WORLD: "kernel",
        "vgicheck_mmio": "mmio",
        "vgicheck_run": "run",
        RUNNING: "running vcpu",
    }

    def name(self, region: str, key: Key) -> str:
        """`kvm->arch.vgic.enabled`, `vcpu[1]->vcpu_id`, `irq_num`."""
        if region.startswith(f"{GIVEN}."):
            what = region.removeprefix(f"{GIVEN}.")
            return "the vcpu's index in kvm->vcpus" if region == SELF else what
        if region.endswith("?"):
            return f"{self.name(region[:-1], key)} is set"
        for k in key:
            region = region.replace("[]", f"[{k}]", 1)
        return self.spoken(region)

    def note(self, region: str, key: Key, value: int) -> str:
        """Say nothing more of a value."""
        return ""

    def spoken(self, text: str) -> str:
        """Call the objects of the entry as the kernel does."""
        for name, called in self._OBJECTS.items():
            for after in (".", "["):
                text = text.replace(f"{name}{after}", f"{called}{after}")
        for called in ("kvm", "mmio", "run"):
            text = text.replace(f"{called}.", f"{called}->")
        return text.replace("].", "]->", 1) if text.startswith("vcpu[") else text

    def public(self, region: str) -> bool:
        """Everything but the locals of functions."""
        return ":" not in region


# What others notice -----------------------------------------------------------------------------------

WATCHED = Watched(
    calls=frozenset({
        "kvm_vcpu_kick", "kvm_prepare_mmio", "kvm_handle_mmio_return", "kvm_inject_dabt", "kvm_timer_init",
        "irq_dispose_mapping",
    }),
    order=frozenset({
        "barrier", "smp_mb", "smp_rmb", "smp_wmb", "mb", "rmb", "wmb", "spin_lock", "spin_unlock", "spin_trylock",
        "mutex_lock", "mutex_unlock", "local_irq_disable", "local_irq_enable", "preempt_disable", "preempt_enable",
        "writel",
    }),
    atomics=frozenset({
        "set_bit", "clear_bit", "change_bit", "test_and_set_bit", "test_and_clear_bit",
    }),
)  # fmt: skip
"""Of the functions of our stubs those that leave no trace in memory, or none of when they were called.

The others leave theirs in `vgicheck_world`; of messages nothing is noticed.
"""
