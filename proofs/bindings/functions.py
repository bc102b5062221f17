"""What single functions of the VGIC promise, whatever else is in their file: said of the cells of a call.

A promise is a property of the catalogue as it reads for one C function, under the names that the function has had.  It
is asked of any source that has the function and the structures that the promise speaks of; the calls that it speaks
of are those that its premises and what is assumed of the arguments allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from model.distributor import NR_PRIVATE_IRQS
from model.init import CPU_SIZE, DIST_SIZE, GUEST_TOP
from model.lr import LRState
from model.set_addr import VGIC_ADDR_UNDEF
from properties.property import Part
from vgicheck.c.binding import Invariant
from vgicheck.c.ir import Array, Function, Program
from vgicheck.engine.maps import Key
from vgicheck.engine.values import and_, bit, field_of, iff, implies, ite, le, lt, not_, or_, widened

from .kvm_2012 import GICH, VTR
from .promise import Called, Promise, has, nth_bit
from .vgic import CPU, DIST, KVM, VCPUS, nr_irqs

MMIO = "vgicheck_mmio"
STATE_LOW, HW_BIT = 28, 31
"""Where the fields of a list register are."""
VGIC_CONFIG_LEVEL = 1


# Registers of the distributor -----------------------------------------------------------------------------


def _lanes(call: Called, offset: Any) -> tuple[Any, Any, bool]:
    """Return the first byte of a word that an access is to, how many it is to, and that they are of this word."""
    first, length = widened(field_of(offset, 1, 0), 32), call.before.word(f"{MMIO}.len")
    return first, length, and_(le(1, length), le(length, 4), le(first + length, 4))


def _is_write(call: Called) -> bool:
    return not_(call.before.word(f"{MMIO}.is_write", bits=8) == 0)


def _only_the_lanes(call: Called) -> Iterator[Part]:
    offset = call.given(2)
    first, length, inside = _lanes(call, offset)
    register = f"{call.pointed(1)}[]"
    old, new = call.before.word(register, 0), call.after.word(register, 0)
    at = widened(call.any("byte", 2), 32)
    addressed = and_(le(first, at), lt(at, first + length))
    unchanged = _byte(old, at) == _byte(new, at)
    yield Part(
        "a store changes none but the addressed bytes", and_(inside, _is_write(call), not_(addressed)), unchanged
    )
    got = call.after.word(f"{MMIO}.data[]", at - first, bits=8)
    yield Part(
        "a load gives the addressed bytes, or zeros",
        and_(inside, not_(_is_write(call)), addressed),
        or_(got == _byte(old, at), got == 0),
    )


def _byte(word: Any, index: Any) -> Any:
    found = field_of(word, 31, 24)
    for i in range(2, -1, -1):
        found = ite(index == i, field_of(word, 8 * i + 7, 8 * i), found, width=8)
    return found


def _own_configuration(call: Called) -> Iterator[Part]:
    """GICD_ICFGRn has sixteen interrupts a word."""
    offset = call.given(2)
    _, _, inside = _lanes(call, offset)
    stored = and_(inside, _is_write(call))
    irq, this = widened(call.any("irq", 10), 32), call.before.word(f"{VCPUS}[].vcpu_id", call.this)
    named = field_of(offset, 31, 2) == widened(field_of(irq, 9, 4), 30)
    private = f"{DIST}.irq_cfg.percpu[][]"
    banks = nth_bit(call.before.word(private, this, 0), irq), nth_bit(call.after.word(private, this, 0), irq)
    yield Part(
        "a store configures no private interrupt that the register has no field for",
        and_(stored, lt(irq, NR_PRIVATE_IRQS), not_(named)),
        iff(*banks),
    )
    shared, at = f"{DIST}.irq_cfg.shared[]", irq - NR_PRIVATE_IRQS
    word, place = _shifted(at, 5), at & 31
    yield Part(
        "a store configures no shared interrupt that the register has no field for",
        and_(stored, le(NR_PRIVATE_IRQS, irq), lt(irq, nr_irqs(call.program)), not_(named)),
        iff(nth_bit(call.before.word(shared, word), place), nth_bit(call.after.word(shared, word), place)),
    )


def _shifted(word: Any, by: int) -> Any:
    return widened(field_of(word, 31, by), 32)


def _is_table(program: Program, struct: str, name: str) -> bool:
    found = program.structs.get(struct)
    return found is not None and any(f.name == name and isinstance(f.type, Array) for f in found.fields)


def _private_edges(program: Program, function: Function) -> Sequence[Invariant]:
    return [
        Invariant(
            f"{DIST}.irq_cfg.percpu[][]",
            lambda key, value: value == 0xFFFFFFFF,
            "private interrupts are edge-triggered",
            "kvm_vgic_vcpu_init",
        ),
        *_id_is_index(program, function),
    ]


def _id_is_index(program: Program, function: Function) -> Sequence[Invariant]:
    return [
        Invariant(
            f"{VCPUS}[].vcpu_id",
            lambda key, value: value == key[0],
            "vCPUs stand in kvm->vcpus by their ids",
            "the VMM, which creates them in this order",
        )
    ]


def _sgi_targets(call: Called) -> Iterator[Part]:
    """GICD_SGIR: INTID in 3:0, target list in 23:16, filter in 25:24, of which 3 is reserved."""
    value, to, sgi = call.given(1), call.any("vcpu", 3), call.any("sgi", 4)
    sender = call.before.word(f"{VCPUS}[].vcpu_id", call.this)
    target = widened(to, 32)
    region = f"{DIST}.irq_sgi_sources[][]"
    was, sent = (
        nth_bit(widened(view.word(region, target, widened(sgi, 32), bits=8), 32), sender)
        for view in (call.before, call.after)
    )
    how = field_of(value, 25, 24)
    named = and_(
        field_of(value, 3, 0) == sgi,
        or_(
            and_(how == 0, nth_bit(value, target + 16)),
            and_(how == 1, not_(target == sender)),
            and_(how == 2, target == sender),
        ),
    )
    there = and_(
        lt(target, call.before.word(f"{KVM}.online_vcpus.counter")),
        lt(sender, call.before.word(f"{KVM}.online_vcpus.counter")),
        not_(how == 3),
    )
    yield Part("a vCPU that the filter and the list name gets the SGI", and_(there, named), sent)
    yield Part("no other vCPU gets it", and_(there, not_(named)), iff(was, sent))


# Initialisation -------------------------------------------------------------------------------------------


def _all_list_registers(region: str, *key: Any) -> Callable[[Called], Iterator[Part]]:
    def formula(call: Called) -> Iterator[Part]:
        at = (call.this,) if region.startswith(VCPUS) else ()
        old, new = call.before.word(region, *at), call.after.word(region, *at)
        count = widened(field_of(call.before.word(GICH, VTR), 5, 0), 32) + 1
        yield Part("the number of list registers that is taken over is GICH_VTR.ListRegs + 1", not_(old == new),
                   new == count)  # fmt: skip

    return formula


def _addresses(call: Called) -> Iterator[Part]:
    names = {"distributor": f"{DIST}.vgic_dist_base", "CPU interface": f"{DIST}.vgic_cpu_base"}
    old = {name: call.before.word(region, bits=64) for name, region in names.items()}
    new = {name: call.after.word(region, bits=64) for name, region in names.items()}
    before, after = _apart(*old.values()), _apart(*new.values())
    for name in names:
        changed = and_(before, not_(old[name] == new[name]))
        yield Part(f"an address of the {name} that is set is not changed", changed, old[name] == VGIC_ADDR_UNDEF)
        yield Part(
            f"a new address of the {name} is that of a page",
            and_(changed, not_(new[name] == VGIC_ADDR_UNDEF)),
            field_of(new[name], 11, 0) == 0,
        )
    changed = or_(*(not_(old[n] == new[n]) for n in names))
    yield Part("a new address keeps distributor and CPU interface apart", and_(before, changed), after)


def _apart(dist: Any, cpu: Any) -> bool:
    """Say that the two regions share no address, or that one has none yet."""
    undefined = or_(dist == VGIC_ADDR_UNDEF, cpu == VGIC_ADDR_UNDEF)
    return or_(undefined, le(dist + DIST_SIZE, cpu), le(cpu + CPU_SIZE, dist))


def _addresses_of_pages(program: Program, function: Function) -> Sequence[Invariant]:
    def holds(key: Key, value: Any) -> bool:
        return or_(value == VGIC_ADDR_UNDEF, and_(lt(value, GUEST_TOP), field_of(value, 11, 0) == 0))

    text = "an address of the guest's is not set, or that of a page below 1 TB"
    return [Invariant(f"{DIST}.{n}", holds, text, function.name) for n in ("vgic_dist_base", "vgic_cpu_base")]


# List registers -------------------------------------------------------------------------------------------


def _state_that_may_be(call: Called) -> Iterator[Part]:
    number = call.given(2)
    # Where it is in a union with GICv3's, the region has a mark.
    written_to = [r for r in call.after.memory.written if r.startswith(VCPUS) and r.endswith(".vgic_lr[]")]
    region, irq = next(iter(written_to), f"{CPU}.vgic_v2.vgic_lr[]"), call.pointed(1)
    old, new = call.before.word(region, call.this, number), call.after.word(region, call.this, number)
    both = field_of(new, STATE_LOW + 1, STATE_LOW) == LRState.PENDING_ACTIVE
    written = not_(old == new)
    yield Part("an interrupt of the hardware is not active and pending", and_(written, bit(new, HW_BIT)), not_(both))
    level = call.before.word(f"{irq}.config") == VGIC_CONFIG_LEVEL
    yield Part("a level interrupt is not active and pending", and_(written, level), not_(both))


def _not_thought_empty(call: Called) -> Iterator[Part]:
    """ELRSR as it is when the function begins may be that of an earlier run of the guest.

    It is asked where the books agree: a mapped list register is used, and none that is used is reported.
    """
    lr = widened(call.any("lr", 6), 32)
    word, place = _shifted(lr, 5), lr & 31
    old, new = call.before.word(f"{CPU}.vgic_lr[]", call.this, lr), call.after.word(f"{CPU}.vgic_lr[]", call.this, lr)
    used = nth_bit(call.before.word(f"{CPU}.lr_used[]", call.this, word), place)
    mapped = call.before.word(f"{CPU}.vgic_irq_lr_map[]", call.this, call.given(2), bits=8)
    reported_before = nth_bit(call.before.word(f"{CPU}.vgic_elrsr[]", call.this, word), place)
    reported = nth_bit(call.after.word(f"{CPU}.vgic_elrsr[]", call.this, word), place)
    books = and_(implies(used, not_(reported_before)), implies(widened(mapped, 32) == lr, used))
    queued = and_(books, not_(old == new), bit(new, STATE_LOW))
    yield Part("a list register that is filled is not reported empty", queued, not_(reported))


def _ended_is_free(call: Called) -> Iterator[Part]:
    lr = widened(call.any("lr", 6), 32)
    word, place = _shifted(lr, 5), lr & 31
    flagged = nth_bit(call.before.word(f"{CPU}.vgic_eisr[]", call.this, word), place)
    exists = lt(lr, call.before.word(f"{CPU}.nr_lr", call.this))
    marked = bit(call.before.word(f"{CPU}.vgic_misr", call.this), 0)
    reported = nth_bit(call.after.word(f"{CPU}.vgic_elrsr[]", call.this, word), place)
    ended = and_(exists, marked, flagged)
    yield Part("a list register whose interrupt was EOIed is reported empty", ended, reported)


def _four_list_registers(program: Program, function: Function) -> Sequence[Invariant]:
    return [
        Invariant(f"{CPU}.nr_lr", lambda key, value: le(value, 4), "nr_lr is at most 4", "Cortex-A7 and Cortex-A15")
    ]


PROMISES = (
    Promise(
        "mmio-lanes",
        ("vgic_reg_access",),
        lambda program, function: len(function.params) == 4,
        _only_the_lanes,
    ),
    Promise(
        "mmio-one-byte-one-irq",
        ("handle_mmio_cfg_reg",),
        lambda program, function: has(program, "vgic_dist", "irq_cfg") and has(program, "vgic_bitmap", "percpu"),
        _own_configuration,
        _private_edges,
    ),
    Promise(
        "sgir-filter",
        ("vgic_dispatch_sgi",),
        lambda program, function: _is_table(program, "vgic_dist", "irq_sgi_sources"),
        _sgi_targets,
        _id_is_index,
    ),
    Promise(
        "vcpu-init-lr-count",
        ("kvm_vgic_vcpu_init",),
        lambda program, function: "vgic_nr_lr" not in program.globals and has(program, "vgic_cpu", "nr_lr"),
        _all_list_registers(f"{CPU}.nr_lr"),
    ),
    Promise(
        "vcpu-init-lr-count",
        ("kvm_vgic_hyp_init",),
        lambda program, function: "vgic_nr_lr" in program.globals,
        _all_list_registers("vgic_nr_lr"),
    ),
    Promise(
        "vm-address-parameterised",
        ("kvm_vgic_set_addr", "kvm_vgic_addr"),
        lambda program, function: has(program, "vgic_dist", "vgic_dist_base", "vgic_cpu_base"),
        _addresses,
        _addresses_of_pages,
    ),
    Promise(
        "lr-state-legal",
        ("vgic_v2_populate_lr",),
        lambda program, function: has(program, "vgic_v2_cpu_if", "vgic_lr") and has(program, "vgic_irq", "config"),
        _state_that_may_be,
    ),
    Promise(
        "elrsr-in-step",
        ("vgic_queue_irq",),
        lambda program, function: has(program, "vgic_cpu", "vgic_lr", "vgic_elrsr", "lr_used", "vgic_irq_lr_map"),
        _not_thought_empty,
    ),
    Promise(
        "eoi-frees-lr",
        ("vgic_process_maintenance",),
        lambda program, function: has(program, "vgic_cpu", "vgic_lr", "vgic_elrsr", "vgic_eisr", "vgic_misr", "nr_lr"),
        _ended_is_free,
        _four_list_registers,
    ),
)
"""All of them; one property may be promised by several functions, and by each of them once."""


def promised(program: Program, function: str) -> Iterator[Promise]:
    """Yield what a function of a program promises."""
    found = program.functions[function]
    for promise in PROMISES:
        if function in promise.functions and promise.speaks_of(program, found):
            yield promise
