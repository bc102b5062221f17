"""The look-up of vgic_handle_mmio is held against the model, with the handlers aside: a fault in it is refuted."""

from __future__ import annotations

import pytest

from vgicheck.engine.verdict import Obligation, Verdict

from .test_check import TEXT
from .test_refine import held, refuted

LOOKUP = "vgic_handle_mmio"
HANDLED = "\tchanged = range->handle(vcpu, mmio, offset - range->base);\n"
UPDATES = "\tif (changed)\n\t\tvgic_update_state(vcpu->kvm);\n"
PREPARED = "\tkvm_prepare_mmio(run, mmio);\n"
RETURNED = "\tkvm_handle_mmio_return(vcpu, run);\n"
KICKS = "\tif (changed)\n\t\tvgic_kick_vcpus(vcpu->kvm);\n"


def judged(text: str, function: str = LOOKUP) -> Obligation:
    """Hold a function against the model."""
    return held(text, function)


def test_the_example() -> None:
    """Every access gets the handler that the model says, and what is assumed has a witness."""
    found = judged(TEXT)
    assert found.verdict is Verdict.PROVED and any(q.answer == "sat" for q in found.queries), found


FAULTS = {
    "a range in the wrong place": (
        "{ .base = GIC_DIST_ENABLE_SET,", "{ .base = GIC_DIST_ENABLE_SET + 4,", "calls is"),
    "a range that is missing": (
        "\t{ .base = GIC_DIST_TARGET, .len = VGIC_NR_IRQS, .handle = handle_target },\n", "", "calls is"),
    "a range that is too short": (".len = VGIC_NR_IRQS / 4,", ".len = VGIC_NR_IRQS / 8,", "calls is"),
    "an access across the end of a range": (
        "offset + mmio->len > range->base + range->len", "offset >= range->base + range->len", "calls is"),
    "an access across the end of the page": (
        "offset + mmio->len > KVM_VGIC_V2_DIST_SIZE", "offset >= KVM_VGIC_V2_DIST_SIZE", ""),
    "an address below the distributor": (
        "mmio->phys_addr < dist->vgic_dist_base ||\n\t   ", "", "calls is"),
    "an address of 32 bits": (
        "\tphys_addr_t offset = mmio->phys_addr -", "\tunsigned long offset = mmio->phys_addr -", "calls is"),
    "an offset in the page": ("mmio, offset - range->base);", "mmio, offset);", "begins is"),
    "an offset that is aligned": ("mmio, offset - range->base);", "mmio, (offset & ~3) - range->base);", "begins is"),
    "an access that the VMM is to do": (
        "\tif (!range->handle)\n\t\treturn false;\n", "\tif (!range->handle)\n\t\treturn true;\n", "result is"),
    "a long access that is done": ("\tif (mmio->len > 4) {", "\tif (mmio->len > 8) {", "calls is"),
    "a long access that is the VMM's": (
        "kvm_inject_dabt(vcpu, mmio->phys_addr);\n\t\treturn true;", "kvm_inject_dabt(vcpu, mmio->phys_addr);\n\t\treturn false;", "result is"),
    "an abort somewhere else": ("kvm_inject_dabt(vcpu, mmio->phys_addr);", "kvm_inject_dabt(vcpu, offset);", "fault is"),
    "a value that is not taken over": (PREPARED, "", "prepared is"),
    "a value that is handed over twice": (RETURNED, RETURNED + RETURNED, "returned is"),
    "a kick for nothing": (KICKS, KICKS.partition("\n")[2], "kicked is"),
    "a change that nobody is told of": (KICKS, "", "kicked is"),
    "an update for nothing": (UPDATES, UPDATES.partition("\n")[2], ""),
    "a kick by what was there before": (HANDLED, f"\tvgic_kick_vcpus(vcpu->kvm);\n{HANDLED}", "kicked is"),
}  # fmt: skip
"""What is replaced by what in the look-up or the table, and what of the model then differs, where only one thing does."""
QUICK = ("a range in the wrong place", "an access across the end of a range", "an address of 32 bits")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in FAULTS])
def test_a_fault_is_refuted(name: str) -> None:
    """A run shows who is called, where, and what follows."""
    old, new, what = FAULTS[name]
    fault = refuted(old, new, LOOKUP)
    assert fault.reason.startswith(what), fault


NOT_JUDGED = {
    "an update before the store": (HANDLED + UPDATES, UPDATES.partition("\n")[2] + HANDLED, "out of order"),
    "a value that is taken over before the load": (HANDLED, PREPARED + HANDLED, "out of order"),
    "a value that is handed over before it is there": (PREPARED + RETURNED, RETURNED + PREPARED, "out of order"),
    "registers that are changed behind a handler": (HANDLED, f"{HANDLED}\tdist->enabled = 1;\n", "its caller"),
    "registers that are looked at": (HANDLED, f"{HANDLED}\tchanged |= dist->enabled;\n", "its caller"),
    "another access": (HANDLED, HANDLED.replace("mmio,", "NULL,"), "not at hand"),
}
"""What keeps the handlers from standing aside, and why."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if "load" in n else [pytest.mark.slow]) for n in NOT_JUDGED])
def test_what_is_out_of_order_is_not_judged(name: str) -> None:
    """A handler is to find what the guest left, and its caller to notice nothing but what it may."""
    old, new, why = NOT_JUDGED[name]
    assert TEXT.count(old) == 1
    found = judged(TEXT.replace(old, new))
    assert found.verdict is Verdict.UNSUPPORTED and why in found.reason, found


ROW = "{ .base = GIC_DIST_ENABLE_SET, .len = VGIC_NR_IRQS / 8, .handle = handle_set_enable }"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("handler", "verdict"), [("handle_clear_enable", Verdict.REFUTED), ("handle_priority", Verdict.UNSUPPORTED)]
)
def test_a_handler_in_another_row(handler: str, verdict: Verdict) -> None:
    """The look-up does what its table says; the handler is not right for those registers too."""
    assert TEXT.count(ROW) == 1
    text = TEXT.replace(ROW, ROW.replace("handle_set_enable", handler))
    assert judged(text).verdict is Verdict.PROVED and judged(text, handler).verdict is verdict
