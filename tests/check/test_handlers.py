"""A handler of the distributor's registers is held against the model: the right one is proved, a fault in it is not."""

from __future__ import annotations

import pytest

from proofs.bindings import handlers
from vgicheck.engine.verdict import Verdict

from .test_check import TEXT, reading_of
from .test_refine import held, refuted

SET = "vgic_access(mmio, vgic_word(&vcpu->kvm->arch.vgic.irq_enabled, vcpu->vcpu_id, offset), offset, READ_SET);"
FAULTS = {
    "ones that clear": (SET, SET.replace("READ_SET", "READ_CLEAR"), "handle_set_enable", "irq_enabled is"),
    "the bank of vCPU 0": (SET, SET.replace("vcpu->vcpu_id", "0"), "handle_set_enable", "data is"),
    "a field of the vCPU": (
        SET, SET + "\n\tvcpu->arch.vgic_cpu.vgic_hcr = 0;", "handle_set_enable", "vcpu[]->arch.vgic_cpu.vgic_hcr is unchanged"),
    "a field of the access": (SET, SET + "\n\tmmio->phys_addr = 0;", "handle_set_enable", "mmio->phys_addr is unchanged"),
    "the id of another vCPU": (
        SET, SET + "\n\tvgicheck_vcpus[vcpu->vcpu_id ^ 1].vcpu_id = 0;", "handle_set_enable", "vcpu[]->vcpu_id is unchanged"),
    "a store that is not told": (
        f"{SET}\n\treturn mmio->is_write;", f"{SET}\n\treturn false;", "handle_set_enable", "updates is"),
    "SGIs that are disabled": (
        "\tif (offset < 4)\n\t\t*reg |= 0xffff;\n", "", "handle_clear_enable", ""),
    "priorities of others": (
        "word - VGIC_NR_PRIVATE_IRQS / 4;", "word - VGIC_NR_PRIVATE_IRQS / 4 + (word & 1);", "handle_priority", "data is"),
    "the target of another": (
        "dist->irq_spi_cpu[spi + i] = target;", "dist->irq_spi_cpu[spi + (i ^ 1)] = target;", "handle_target", "irq_spi_cpu is"),
    "an SGI to its sender": ("targets = ~(1 << from);", "targets = ~0;", "handle_sgir", "irq_state is"),
    "an SGI of its target": ("|= 1 << from;", "|= 1 << c;", "handle_sgir", "sgi_sources is"),
    "one word of interrupts too many": ("(VGIC_NR_IRQS / 32 - 1)", "(VGIC_NR_IRQS / 32)", "handle_ctlr", "data is"),
    "a store that becomes a load": (
        "vgic_access(mmio, NULL, offset, READ_ONLY);", "vgic_access(mmio, NULL, offset, READ_ONLY);\n\tmmio->is_write = 0;",
        "handle_raz_wi", "is_write is"),
}  # fmt: skip
"""What is replaced by what, in which handler, and what of the model then differs, where only one thing does."""
QUICK = (
    "priorities of others",
    "an SGI to its sender",
    "one word of interrupts too many",
    "a store that becomes a load",
)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in FAULTS]
)  # fmt: skip
def test_a_fault_is_refuted(name: str) -> None:
    """A run shows what a faulty handler does to the state, to the access, or to what the model does not know."""
    old, new, handler, what = FAULTS[name]
    fault = refuted(old, new, handler)
    assert fault.reason.startswith(what), fault


# Handlers that have what waits computed themselves, as the kernel's do ----------------------------------------------

DONE = "\t\treturn mmio->is_write;\n"
APART = "\tif (changed)\n\t\tvgic_update_state(vcpu->kvm);\n"
ITSELF = TEXT.replace(APART, "")
UPDATE = "\t\tif (!mmio->is_write)\n\t\t\treturn false;\n\t\tvgic_update_state(vcpu->kvm);\n\t\treturn true;\n"
STORE = "\t\tvcpu->kvm->arch.vgic.enabled = reg & 1;\n"


def test_a_handler_that_updates() -> None:
    """It is the model's, and why it is not run in compiled C what it is compared with is no matter of a proof."""
    assert TEXT.count(APART) == 1 and ITSELF.count(DONE) == 1 and ITSELF.count(STORE) == 1
    found = held(ITSELF.replace(DONE, UPDATE), "handle_ctlr")
    assert found.verdict is Verdict.PROVED and any(q.answer == "sat" for q in found.queries), found


def test_a_handler_that_forgets_to_update() -> None:
    """Told, and not computed: that is refuted."""
    found = held(ITSELF, "handle_ctlr")
    assert found.verdict is Verdict.REFUTED and found.reason.startswith("updates is"), found


def test_a_handler_that_updates_after_a_load() -> None:
    """Computed where the model computes nothing: the run says that the function was not run, and is not compiled."""
    found = held(ITSELF.replace(DONE, UPDATE.partition("return false;\n")[2]), "handle_ctlr")
    assert found.verdict is Verdict.REFUTED and found.reason.startswith("updates is"), found
    assert found.replay is not None and found.replay.obstacle == "vgic_update_state() was not run"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (STORE, f"\t\tvgic_update_state(vcpu->kvm);\n{STORE}"),
        ("static bool handle_ctlr(", "static void wrapped(struct kvm *kvm)\n{\n\tvgic_update_state(kvm);\n}\n\nstatic bool handle_ctlr("),
        ("\t\tvgic_update_state(vcpu->kvm);\n\t\treturn true;", "\t\tvgic_update_state(vcpu->kvm);\n\t\treturn mmio->is_write;"),
    ],
)  # fmt: skip
def test_a_handler_that_updates_on_the_way_is_not_judged(old: str, new: str) -> None:
    """What is computed before the store, or by who knows whom, or is followed by a look at memory."""
    text = ITSELF.replace(DONE, UPDATE)
    assert text.count(old) == 1
    text = text.replace(old, new)
    if "wrapped(" in text:
        text = text.replace(
            "\t\tvgic_update_state(vcpu->kvm);\n\t\treturn true;", "\t\twrapped(vcpu->kvm);\n\t\treturn true;"
        )
    assert held(text, "handle_ctlr").verdict is Verdict.UNSUPPORTED


RETIRE = "static void vgic_retire_disabled_irqs(struct kvm_vcpu *vcpu)\n{\n\tvcpu->arch.vgic_cpu.lr_used[0] = 0;\n}\n\n"
RETIRES = "\t\tvgic_retire_disabled_irqs(vcpu);\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (UPDATE.replace("\t\tvgic_update", f"{RETIRES}\t\tvgic_update"), Verdict.PROVED),
        (UPDATE.replace("\t\treturn true", f"{RETIRES}\t\treturn true"), Verdict.UNSUPPORTED),
        (UPDATE.replace("\t\tvgic_update", f"\t\tif (offset)\n\t{RETIRES}\t\tvgic_update"), Verdict.REFUTED),
    ],
)
def test_what_is_disabled_is_retired(body: str, verdict: Verdict) -> None:
    """With each store, and before what waits is computed."""
    start = "static bool handle_clear_enable("
    before, _, after = ITSELF.partition(start)
    function, _, rest = after.partition("\n}\n")
    function = function.replace("\treturn mmio->is_write;", body.replace("\t\t", "\t").rstrip("\n"))
    text = f"{before}{RETIRE}{start}{function}\n}}\n{rest}"
    assert held(text, "handle_clear_enable").verdict is verdict


def test_only_tables_of_ranges_are_bound() -> None:
    """A row says which registers a handler has; a table that may be written, or of something else, says nothing."""
    rows = handlers.ranges(reading_of(TEXT).program)
    assert handlers.Range(0x100, 16, "handle_set_enable") in rows and len(rows) == 12
    writable = TEXT.replace("static const struct vgic_range vgic_ranges", "static struct vgic_range vgic_ranges")
    assert writable != TEXT and handlers.ranges(reading_of(writable).program) == []
    wider = TEXT.replace("struct vgic_range {\n", "struct vgic_range {\n\tint bits;\n")
    assert wider != TEXT and handlers.ranges(reading_of(wider).program) == []
    others = TEXT.replace(".base = GIC_DIST_", ".base = 4 + GIC_DIST_")
    assert others != TEXT and handlers.ranges(reading_of(others).program) == []
