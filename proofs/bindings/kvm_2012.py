"""The VGIC of October 2012: arch/arm/kvm/vgic.c and asm/kvm_vgic.h, tied to the model.

The C side is seen through `vgic_2012.h` (structures and helpers) and `entry_2012.h` (how each function is called).
A region's name is
the chain of field names from a global, with `[]` for each index.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import z3

from model.distributor import MAX_CPUS, NR_LRS, NR_PRIVATE_IRQS, Distributor, VgicCpu
from model.generation import Switches
from model.gicd import bit_at
from model.gich import FIRST_SPECIAL_INTID, Gich, decode_hcr, decode_misr, legal_hcr
from model.handler import HandlerState, vgic_maintenance_handler
from model.init import HypInitState, VcpuInitState, VmInitState, kvm_vgic_hyp_init, kvm_vgic_init, kvm_vgic_vcpu_init
from model.lr import LRState, decode, legal_word
from model.vmcr import decode_vmcr
from properties.property import At
from vgicheck.c.binding import GIVEN, Bound, Invariant, View
from vgicheck.c.cuts import CALLS
from vgicheck.c.source import Stub
from vgicheck.engine.maps import Key, Map
from vgicheck.engine.values import and_, bit, field_of, is_symbolic, ite, le, lt, not_, or_, widened

_HERE = Path(__file__).parent

CPU = "vgicheck_vcpu.arch.vgic_cpu"
DIST = "vgicheck_kvm.arch.vgic"
WORLD = "vgicheck_world"
ENTRY = "vgicheck_entry"
GICH = "vgicheck_gich[]"
HCR, VTR, VMCR, APR, LR0 = 0x00 // 4, 0x04 // 4, 0x08 // 4, 0xF0 // 4, 0x100 // 4
"""Word offsets in GICH."""

BITMAPS = frozenset({f"{CPU}.pending[]"})
"""What is kept bit by bit beside the bitmaps of struct vgic_bitmap."""

SIZES = (128, 1024)
"""VGIC_NR_IRQS: the patch's own, and the most that a GICv2 can have; the kernel wants a multiple of 32."""


def stubs() -> tuple[Stub, ...]:
    """The headers that stand before the code under review."""
    return (Stub("vgic_2012.h", (_HERE / "vgic_2012.h").read_text()),)


def rest() -> Stub:
    """Return the functions of vgic.c that a patch need not bring, as C of ours that does what the model does."""
    return Stub("rest_2012.c", (_HERE / "rest_2012.c").read_text())


def entries() -> Stub:
    """The calls that stand after it."""
    return Stub("entry_2012.h", (_HERE / "entry_2012.h").read_text())


# Reading the state -------------------------------------------------------------------------------


def banked(view: View, name: str) -> Map[bool]:
    """Read a `struct vgic_bitmap` as a map from (bank, INTID)."""

    def read(cpu: int, intid: int) -> bool:
        private = partial(view.bit, f"{DIST}.{name}.percpu[][]", cpu)
        shared = partial(view.bit, f"{DIST}.{name}.shared[]")
        if isinstance(intid, int):
            return private(intid) if intid < NR_PRIVATE_IRQS else shared(intid - NR_PRIVATE_IRQS)
        wide = widened(intid, 32)
        is_private: Any = lt(intid, NR_PRIVATE_IRQS)
        private = partial(view.bit, f"{DIST}.{name}.percpu[][]", _where(is_private, cpu))
        return ite(is_private, private(wide), shared(wide - NR_PRIVATE_IRQS))

    return view.map(read)


def _where(condition: Any, term: Any) -> Any:
    """Return what a term is where a condition holds: of a choice that asks for the condition, the one side."""
    chosen = z3.is_app_of(term, z3.Z3_OP_ITE) and term.arg(0).eq(condition) if is_symbolic(term) else False
    return term.arg(1) if chosen else term


def vgic_cpu(view: View) -> VgicCpu:
    """Read the `struct vgic_cpu` of the vCPU at hand."""
    return VgicCpu(
        nr_lr=field_of(view.word(f"{CPU}.nr_lr"), 6, 0),
        lr=view.map(lambda l: decode(view.word(f"{CPU}.vgic_lr[]", l))),
        hcr=decode_hcr(view.word(f"{CPU}.vgic_hcr")),
        vmcr=view.word(f"{CPU}.vgic_vmcr"),
        misr=decode_misr(view.word(f"{CPU}.vgic_misr")),
        eisr=view.map(lambda l: view.bit_in_words(f"{CPU}.vgic_eisr[]", l)),
        elrsr=view.map(lambda l: view.bit_in_words(f"{CPU}.vgic_elrsr[]", l)),
        lr_used=view.map(lambda l: view.bit_in_words(f"{CPU}.lr_used[]", l)),
        irq_lr_map=view.map(lambda i: view.word(f"{CPU}.vgic_irq_lr_map[]", i, bits=8), width=8),
        pending=view.map(lambda i: view.bit(f"{CPU}.pending[]", i)),
    )


def distributor(view: View) -> Distributor:
    """Read the `struct vgic_dist` of the VM."""
    return Distributor(
        irq_enabled=banked(view, "irq_enabled"),
        irq_cfg=banked(view, "irq_cfg"),
        irq_active=banked(view, "irq_active"),
        irq_state=banked(view, "irq_state"),
        pending_on_cpu=pending_on_cpu(view),
    )


def pending_on_cpu(view: View) -> Map[bool]:
    """Read `irq_pending_on_cpu`, by vCPU."""
    return view.map(lambda c: bit(view.word(f"{DIST}.irq_pending_on_cpu"), c))


def sgi_sources(view: View) -> Map[bool]:
    """Read `irq_sgi_sources`, by target, SGI and sender."""
    return view.map(
        lambda target, sgi, source: bit_at(view.word(f"{DIST}.irq_sgi_sources[][]", target, sgi, bits=8), source)
    )


def _gich(view: View) -> Gich:
    return Gich(
        nr_lr=field_of(view.word(f"{CPU}.nr_lr"), 6, 0),
        lr=view.map(lambda l: decode(view.word(GICH, widened(l, 32) + LR0))),
        hcr=decode_hcr(view.word(GICH, HCR)),
        vmcr=decode_vmcr(view.word(GICH, VMCR)),
        apr=view.word(GICH, APR),
    )


def handler_state(view: View) -> HandlerState:
    """What the maintenance handler finds."""
    return handled(
        view,
        loaded=view.flag(f"{ENTRY}.vcpu_loaded"),
        live=not_(view.flag(f"{ENTRY}.live_is_other")),
        result=view.word(f"{ENTRY}.result"),
    )


def handled(view: View, loaded: bool, live: bool, result: int) -> HandlerState:
    """What the maintenance handler finds, however it is called."""
    return HandlerState(
        loaded=loaded,
        live=live,
        vcpu_id=view.word("vgicheck_vcpu.vcpu_id"),
        cpu=vgic_cpu(view),
        dist=distributor(view),
        hw=_gich(view),
        result=result,
    )


def vcpu_init_state(view: View) -> VcpuInitState:
    """What the creation of a vCPU finds."""
    return created(view, view.flag(f"{ENTRY}.vm_has_vgic"), view.word(f"{ENTRY}.result", signed=True))


def created(view: View, vm_has_vgic: bool, result: int) -> VcpuInitState:
    """What the creation of a vCPU finds, however it is called."""
    return VcpuInitState(
        vm_has_vgic=vm_has_vgic,
        vcpu_id=view.word("vgicheck_vcpu.vcpu_id"),
        cpu=vgic_cpu(view),
        irq_enabled=banked(view, "irq_enabled"),
        irq_cfg=banked(view, "irq_cfg"),
        vtr=view.word(GICH, VTR),
        vmcr=view.word(GICH, VMCR),
        result=result,
    )


def vm_init_state(view: View) -> VmInitState:
    """What the creation of a VM's VGIC finds; GICV is resource 3 of the device node."""

    def target(cpu: int, intid: int) -> bool:
        return view.bit(f"{DIST}.irq_spi_target[].shared[]", cpu, widened(intid, 32) - NR_PRIVATE_IRQS)

    def spi_cpu(intid: int) -> int:
        return view.word(f"{DIST}.irq_spi_cpu[]", widened(intid, 32) - NR_PRIVATE_IRQS, bits=8)

    return VmInitState(
        host_has_vgic=view.flag(f"{ENTRY}.host_has_vgic"),
        host_has_node=view.flag(f"{ENTRY}.host_has_node"),
        gicv_failure=view.word(f"{WORLD}.resource_failure[]", 3, signed=True),
        gicv_start=view.word(f"{WORLD}.resource_start[]", 3, bits=64),
        gicv_end=view.word(f"{WORLD}.resource_end[]", 3, bits=64),
        guest_failure=view.word(f"{WORLD}.guest_failure", signed=True),
        online_vcpus=view.word("vgicheck_kvm.online_vcpus.counter"),
        vm_has_vgic=view.flag(f"{ENTRY}.vm_has_vgic"),
        dist_base=view.word(f"{DIST}.vgic_dist_base", bits=64),
        cpu_base=view.word(f"{DIST}.vgic_cpu_base", bits=64),
        dist_size=view.word(f"{DIST}.vgic_dist_size"),
        guest_maps=view.word(f"{WORLD}.guest_maps"),
        guest_ipa=view.word(f"{WORLD}.guest_ipa", bits=64),
        guest_pa=view.word(f"{WORLD}.guest_pa", bits=64),
        guest_size=view.word(f"{WORLD}.guest_size", bits=64),
        irq_spi_cpu=view.map(spi_cpu, width=8),
        irq_spi_target=view.map(target),
        result=view.word(f"{ENTRY}.result", signed=True),
    )


def hyp_init_state(view: View) -> HypInitState:
    """What the probe finds; GICH is resource 2 of the device node."""
    return HypInitState(
        finds_node=view.flag(f"{WORLD}.finds_node"),
        mapped_irq=view.word(f"{WORLD}.mapped_irq"),
        request_failure=view.word(f"{WORLD}.request_failure", signed=True),
        gich_failure=view.word(f"{WORLD}.resource_failure[]", 2, signed=True),
        iomap_fails=view.flag(f"{WORLD}.iomap_fails"),
        hyp_failure=view.word(f"{WORLD}.hyp_failure", signed=True),
        notifier_failure=view.word(f"{WORLD}.notifier_failure", signed=True),
        online=view.map(lambda c: view.flag(f"{WORLD}.cpu_online[]", c)),
        node_refs=view.word(f"{WORLD}.node_refs"),
        irq_requests=view.word(f"{WORLD}.irq_requests"),
        iomaps=view.word(f"{WORLD}.iomaps"),
        hyp_maps=view.word(f"{WORLD}.hyp_maps"),
        notifiers=view.word(f"{WORLD}.notifiers"),
        irq_enabled=view.map(lambda c: view.flag(f"{WORLD}.irq_enabled[]", c)),
        host_has_node=view.flag(f"{ENTRY}.host_has_node"),
        host_has_vgic=view.flag(f"{ENTRY}.host_has_vgic"),
        vgic_present=False,
        result=view.word(f"{ENTRY}.result", signed=True),
    )


# What is assumed ---------------------------------------------------------------------------------


def _below(limit: int) -> Any:
    return lambda key, value: lt(value, limit)


def _error(key: Key, value: Any) -> bool:
    """0, or an errno: -4095..-1."""
    return or_(value == 0, le((1 << 32) - 4095, _unsigned(value)))


def _unsigned(value: Any) -> Any:
    return value & 0xFFFFFFFF if isinstance(value, int) else value


def _truth(region: str) -> Invariant:
    return Invariant(region, _below(2), f"{region.rsplit('.', 1)[1]} is 0 or 1", "")


def answers() -> list[Invariant]:
    """Services answer 0 or a negative errno, and books hold no absurd numbers; nobody needs telling."""
    failures = ("request_failure", "resource_failure[]", "hyp_failure", "notifier_failure", "guest_failure")
    books = ("node_refs", "irq_requests", "iomaps", "hyp_maps", "notifiers", "guest_maps")
    flags = ("finds_node", "iomap_fails", "irqs_off", "cpu_online[]", "irq_enabled[]")
    return [
        *(Invariant(f"{WORLD}.{name}", _error, "a service answers 0 or a negative errno", "") for name in failures),
        *(Invariant(f"{WORLD}.{name}", _below(1000), "no more than 999 of anything are held", "") for name in books),
        *(Invariant(f"{WORLD}.{name}", _below(2), "a flag is 0 or 1", "") for name in flags),
        Invariant(f"{ENTRY}.result", _below(1), "no result yet", ""),
        Invariant(f"{WORLD}.cpu", _below(MAX_CPUS), "this CPU is one of NR_CPUS", ""),
        *(
            _truth(f"{ENTRY}.{n}")
            for n in ("vcpu_loaded", "live_is_other", "vm_has_vgic", "host_has_vgic", "host_has_node")
        ),
    ]


def _locks(held: bool) -> list[Invariant]:
    """Process context starts without locks; an interrupt may find any lock held that others take with interrupts on."""
    bound = _below(2 if held else 1)
    text = "the interrupted CPU may hold a lock" if held else "no lock is held on entry"
    return [
        Invariant("vgicheck_kvm.lock.held", _below(1), "kvm->lock is not held by the caller", "the ioctl path"),
        Invariant(f"{DIST}.lock.held", bound, text, ""),
        Invariant("vgicheck_kvm.mmu_lock.held", bound, text, ""),
        Invariant(f"{WORLD}.in_interrupt", lambda key, value: value == int(held), "", ""),
    ]


def _vcpu_id(*exempt: str) -> Invariant:
    return Invariant(
        "vgicheck_vcpu.vcpu_id",
        _below(MAX_CPUS),
        f"vcpu_id is below {MAX_CPUS}, so that it has a bank",
        "kvm_vgic_vcpu_init, which must refuse any other",
        frozenset(exempt),
    )


_NR_LR = Invariant(
    f"{CPU}.nr_lr",
    lambda key, value: and_(le(1, value), le(value, NR_LRS)),
    "nr_lr is 1..64",
    "kvm_vgic_vcpu_init: GICH_VTR.ListRegs + 1",
)


def _handler_invariants(nr_irqs: int) -> list[Invariant]:
    def shadow(key: Key, word: Any) -> bool:
        lr = decode(word)
        return and_(legal_word(word), not_(lr.hw), lt(lr.virtual_id, min(nr_irqs, FIRST_SPECIAL_INTID)))

    def register(key: Key, word: Any) -> bool:
        (index,) = key
        return and_(
            or_(not_(index == HCR), legal_hcr(word)),
            or_(not_(and_(le(LR0, index), lt(index, LR0 + NR_LRS))), legal_word(word)),
        )

    return [
        _NR_LR,
        _vcpu_id(),
        Invariant(
            f"{CPU}.vgic_lr[]",
            shadow,
            "a list register names an interrupt below VGIC_NR_IRQS, has HW clear and its reserved bits zero",
            "vgic_queue_irq",
        ),
        Invariant(f"{CPU}.vgic_hcr", lambda key, word: legal_hcr(word), "reserved bits of the shadow HCR are zero",
                  "kvm_vgic_vcpu_init, the world switch"),
        Invariant(GICH, register, "reserved bits of GICH_HCR and GICH_LRn read as zero", "hardware"),
        *answers(),
        *_locks(held=True),
    ]  # fmt: skip


def _vcpu_invariants() -> list[Invariant]:
    zero = "a new vCPU's memory is zeroed"
    return [
        _vcpu_id("in-bounds", "refines-model"),
        Invariant(f"{CPU}.vgic_hcr", lambda key, word: word == 0, zero, "kmem_cache_zalloc"),
        Invariant(f"{CPU}.vgic_lr[]", lambda key, word: word == 0, zero, "kmem_cache_zalloc"),
        Invariant(f"{CPU}.nr_lr", lambda key, word: word == 0, zero, "kmem_cache_zalloc"),
        *answers(),
        *_locks(held=False),
    ]


def _process_invariants() -> list[Invariant]:
    return [*answers(), *_locks(held=False)]


# How cells are called ------------------------------------------------------------------------------


class Names:
    """Cells in the kernel's words."""

    _OBJECTS: ClassVar = {
        "vgicheck_vcpu": "vcpu",
        "vgicheck_vcpus[]": "vcpu[]",
        "vgicheck_kvm": "kvm",
        "vgicheck_mmio": "mmio",
        "vgicheck_world": "kernel",
        "vgicheck_entry": "given",
        GIVEN: "given",
        "vgicheck_running_vcpu": "running vcpu",
    }
    _POINTED: ClassVar = ("vgicheck_vcpu", "vgicheck_vcpus[]", "vgicheck_kvm", "vgicheck_mmio")
    _REGISTERS: ClassVar = {HCR: "GICH_HCR", VTR: "GICH_VTR", VMCR: "GICH_VMCR", APR: "GICH_APR"}

    def name(self, region: str, key: Key) -> str:
        """`vcpu->arch.vgic_cpu.vgic_lr[3]`, `GICH_LR3`, `kvm->arch.vgic.irq_active INTID 34`."""
        if region == GICH:
            (index,) = key or (0,)
            if LR0 <= index < LR0 + NR_LRS:
                return f"GICH_LR{index - LR0}"
            return self._REGISTERS.get(index, f"GICH+{4 * index:#x}")
        if region.startswith(f"{CALLS}."):
            return self._of_calls(region.removeprefix(f"{CALLS}.").replace("[]", ""), key)
        root, *fields = region.split(".")
        name = ".".join([self._OBJECTS.get(root, root), *fields])
        if root in self._POINTED:
            name = name.replace(".", "->", 1)
        if name.endswith(".percpu[][]") and len(key) == 2:
            return f"{name.removesuffix('.percpu[][]')} INTID {key[1]} of vCPU {key[0]}"
        if name.endswith(".shared[]") and key:
            name = f"{name.removesuffix('.shared[]')} INTID {int(key[-1]) + NR_PRIVATE_IRQS}"
        if name.endswith(".pending[]") and key:
            return f"{name.removesuffix('[]')} INTID {key[0]}"
        if name.endswith("irq_spi_cpu[]") and key:
            return f"{name.removesuffix('[]')} INTID {int(key[0]) + NR_PRIVATE_IRQS}"
        for k in key:
            name = name.replace("[]", f"[{k}]", 1)
        return name

    @staticmethod
    def _of_calls(what: str, key: Key) -> str:
        """`calls of kvm_vcpu_kick (1)`, `number of handler`: what is noted of callees that are not run."""
        words = what if what.startswith(("answer", "number")) else f"calls of {what}"
        for said in ("answers_of_", "answer_of_", "number_of_"):
            words = words.replace(said, said.replace("_", " "))
        return f"{words} ({', '.join(str(k) for k in key)})" if key else words

    def note(self, region: str, key: Key, value: int) -> str:
        """What a register says, field by field."""
        value &= 0xFFFFFFFF
        index = key[0] - LR0 if region == GICH and key else -1
        if region == f"{CPU}.vgic_lr[]" or 0 <= index < NR_LRS:
            lr = decode(value)
            what = [f"INTID {lr.virtual_id}", LRState(lr.state).name.lower().replace("_", "+"), *["EOI"] * lr.eoi]
            return ", ".join(what)
        if region == f"{CPU}.vgic_hcr" or (region == GICH and key == (HCR,)):
            return "|".join(n for n, on in (("EN", value & 1), ("UIE", value & 2)) if on)
        if region == f"{CPU}.vgic_misr":
            return "|".join(n for n, on in (("EOI", value & 1), ("U", value & 2)) if on)
        if region.endswith(("vgic_eisr[]", "vgic_elrsr[]", "lr_used[]")):
            lrs = [str(32 * key[0] + i) for i in range(32) if value >> i & 1]
            return "LR " + ", ".join(lrs) if lrs else ""
        if region == GICH and key == (VTR,):
            return f"ListRegs {value & 0x3F}"
        return ""

    def spoken(self, text: str) -> str:
        """Call the objects of the entry as the kernel does."""
        for name, called in self._OBJECTS.items():
            arrow = "->" if name in self._POINTED else "."
            text = text.replace(f"{name}.", f"{called}{arrow}")
        return text

    def public(self, region: str) -> bool:
        """The objects of the entry, but for the pointers that it sets up and decodes."""
        pointers = ("vgicheck_vcpu.kvm", f"{DIST}.vctrl_base", "vgicheck_running_vcpu")
        root = region.split(".", maxsplit=1)[0].removesuffix("[]")
        objects = (name.removesuffix("[]") for name in (*self._OBJECTS, GICH, CALLS))
        return root in objects and region not in pointers


# What makes a refutation easy to read --------------------------------------------------------------


def _small_handler(old: HandlerState, at: At) -> Sequence[Any]:
    return [old.live, old.cpu.nr_lr == 4, at.lr == 0, old.vcpu_id == 0, at.intid == 34, at.vcpu == 0]


def _small_vcpu(old: VcpuInitState, at: At) -> Sequence[Any]:
    return [old.vcpu_id == 0, old.vcpu_id == MAX_CPUS, at.intid == 27, at.vcpu == 0, at.vcpu == 1]


def _small_vm(old: VmInitState, at: At) -> Sequence[Any]:
    return [old.host_has_vgic, old.host_has_node, at.intid == 34, at.vcpu == 0, old.online_vcpus == 0]


def _small_hyp(old: HypInitState, at: At) -> Sequence[Any]:
    return [old.finds_node, old.mapped_irq == 25, at.vcpu == 0, at.vcpu == 1]


def bound(nr_irqs: int) -> dict[str, Bound]:
    """The functions that are bound, for a kernel built for so many interrupts."""

    def vm_init(s: VmInitState, switches: Switches) -> VmInitState:
        return kvm_vgic_init(s, switches, nr_irqs)

    def nothing(old: Any, at: At) -> Sequence[Any]:
        return ()

    handler = Bound(
        "vgic_maintenance_handler",
        "vgicheck_run_vgic_maintenance_handler",
        handler_state,
        vgic_maintenance_handler,
        _handler_invariants(nr_irqs),
        _small_handler,
        Names(),
        BITMAPS,
    )
    vcpu = Bound(
        "kvm_vgic_vcpu_init",
        "vgicheck_run_kvm_vgic_vcpu_init",
        vcpu_init_state,
        kvm_vgic_vcpu_init,
        _vcpu_invariants(),
        _small_vcpu,
        Names(),
        BITMAPS,
    )
    enable = Bound(
        "vgic_init_maintenance_interrupt",
        "vgicheck_run_vgic_init_maintenance_interrupt",
        hyp_init_state,
        None,
        [*answers(), *_locks(held=False)],
        nothing,
        Names(),
    )
    hyp = Bound(
        "kvm_vgic_hyp_init",
        "vgicheck_run_kvm_vgic_hyp_init",
        hyp_init_state,
        kvm_vgic_hyp_init,
        _process_invariants(),
        _small_hyp,
        Names(),
    )
    vm = Bound(
        "kvm_vgic_init", "vgicheck_run_kvm_vgic_init", vm_init_state, vm_init, _process_invariants(), _small_vm, Names()
    )
    return {b.function: b for b in (handler, vcpu, enable, hyp, vm)}
