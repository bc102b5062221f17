"""A function that is bound is held against the model: the right one is proved, and a fault in it is not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from proofs.bindings import whole_file
from proofs.obligations import of_the_model
from vgicheck.check import refine
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Obligation, Verdict

from .test_check import EXAMPLE, TEXT, reading_of

HANDLER = "vgic_maintenance_handler"


def refined(text: str, function: str, *names: str) -> dict[str, Obligation]:
    """Judge a bound function of a source beside the example's header."""
    reading = reading_of(text)
    assert not reading.unread, reading.unread
    target = whole_file.bound(reading.program, reading.places)[function]
    wanted = names or tuple(of_the_model(function, target))
    return {o.property: o for o in refine.judge(reading, target, wanted, Portfolio(20))}


FAULTS = {
    "an active bit that stays": (
        "vgic_assign(&dist->irq_active, vcpu->vcpu_id, cpu->vgic_lr[lr] & GICH_LR_VIRTUALID, 0);", "",
        "eoi-clears-active"),
    "the wrong list register": (
        "cpu->vgic_lr[lr] &= ~GICH_LR_EOI;", "cpu->vgic_lr[lr ^ 1] &= ~GICH_LR_EOI;",
        "eoi-clears-lr-eoi"),
    "a mask of nine bits": (
        "vcpu->vcpu_id, cpu->vgic_lr[lr] & GICH_LR_VIRTUALID, 0);", "vcpu->vcpu_id, cpu->vgic_lr[lr] & 0x3f, 0);",
        "eoi-clears-active"),
    "a register that is not written": (
        "writel_relaxed(cpu->vgic_lr[lr], dist->vctrl_base + GICH_LR0 + lr * 4);", "",
        "lr-shadow-matches-register"),
    "the register beside it": (
        "GICH_LR0 + lr * 4", "GICH_LR0 + lr * 8",
        "lr-shadow-matches-register"),
    "an underflow that goes on": (
        "cpu->vgic_hcr &= ~GICH_HCR_UIE;", "cpu->vgic_hcr &= ~GICH_HCR_EN;",
        "underflow-clears-uie"),
    "an EOIed list register that is not reported": (
        "set_bit(lr, (unsigned long *)cpu->vgic_elrsr);", ";",
        "eoi-frees-lr"),
    "another vCPU's registers": (
        "!vcpu || vcpu != __get_cpu_var(vgic_live_vcpu)", "!vcpu",
        "handler-right-vcpu"),
    "a field of which the model knows nothing": (
        "cpu->vgic_misr & GICH_MISR_U) {", "cpu->vgic_misr & GICH_MISR_U) {\n\t\tdist->enabled = 0;",
        "refines-model"),
}  # fmt: skip
"""What is replaced by what in the handler, and a property that it then breaks."""


SLOW = (
    "a field of which the model knows nothing",
    "the register beside it",
    "a mask of nine bits",
    "another vCPU's registers",
    "the wrong list register",
    "a register that is not written",
    "an underflow that goes on",
    "an interrupt that is not unmapped",
    "a list register that stays in use",
    "another vCPU that looks",
)


def _some_slow(names: Iterable[str]) -> list[Any]:
    return [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in names]


@pytest.mark.parametrize("name", _some_slow(FAULTS))
def test_a_fault_is_refuted(name: str) -> None:
    """The property that a fault breaks is refuted by a run, from a state in which the books agree."""
    old, new, kind = FAULTS[name]
    assert TEXT.count(old) == 1
    fault = refined(TEXT.replace(old, new), HANDLER, kind)[kind]
    assert fault.verdict is Verdict.REFUTED, fault
    assert fault.run is not None and fault.run.replayed == ("python",) and fault.location is not None


REARM = """
			if (vgic_test(&dist->irq_state, vcpu->vcpu_id, cpu->vgic_lr[lr] & GICH_LR_VIRTUALID)) {
				set_bit(cpu->vgic_lr[lr] & GICH_LR_VIRTUALID, cpu->pending);
				set_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);
			} else {
				clear_bit(cpu->vgic_lr[lr] & GICH_LR_VIRTUALID, cpu->pending);
			}
"""
"""What the handler does from November 2012 on: the vCPU looks again at a line that is still high."""
REPORT = "\t\t\t/* ELRSR was saved"


@pytest.mark.slow
def test_a_handler_that_rearms_is_known() -> None:
    """The switches that fit are named: those of the reference, and that lines are looked at again."""
    found = refined(TEXT.replace(REPORT, REARM + REPORT), HANDLER, "refines-model", "eoi-touches-nothing-else")
    assert found["refines-model"].verdict is Verdict.PROVED
    assert found["refines-model"].method.endswith("handler_quiesces, handler_reports_empty, irq_rearms")
    assert found["eoi-touches-nothing-else"].verdict is Verdict.PROVED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("set_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);\n\t\t\t} else", "} else"),
        ("clear_bit(cpu->vgic_lr[lr] & GICH_LR_VIRTUALID, cpu->pending);", ";"),
        ("&dist->irq_state", "&dist->irq_enabled"),
    ],
)
def test_a_handler_that_rearms_wrongly_is_refuted(old: str, new: str) -> None:
    """An oracle bit that is not set, a bit that is not cleared, a bit of another bitmap."""
    assert REARM.count(old) == 1
    fault = refined(TEXT.replace(REPORT, REARM.replace(old, new) + REPORT), HANDLER, "refines-model")["refines-model"]
    assert fault.verdict is Verdict.REFUTED and fault.run is not None, fault


VCPU_FAULTS = {
    "five bits of GICH_VTR.ListRegs": ("GICH_VTR) & 0x3f) + 1", "GICH_VTR) & 0x1f) + 1", "vcpu-init-lr-count"),
    "priorities that stay masked": ("0x1fU << 27;", "0x1fU << 26;", "vcpu-init-clean"),
    "an interrupt that is not unmapped": ("cpu->vgic_irq_lr_map[i] = LR_EMPTY;", ";", "refines-model"),
}  # fmt: skip


@pytest.mark.parametrize("name", _some_slow(VCPU_FAULTS))
def test_a_fault_in_the_creation_of_a_vcpu_is_refuted(name: str) -> None:
    """A new vCPU has all list registers, and finds everything as after a reset."""
    old, new, kind = VCPU_FAULTS[name]
    assert TEXT.count(old) == 1
    fault = refined(TEXT.replace(old, new), "kvm_vgic_vcpu_init", kind)[kind]
    assert fault.verdict is Verdict.REFUTED and fault.run is not None and fault.run.replayed == ("python",), fault


# Queueing as 2012 does it -----------------------------------------------------------------------------------------


def _queueing() -> str:
    """Return the example with a flush that is called as in 2012, and finds list registers in the saved ELRSR."""
    text = TEXT.replace("kvm_vgic_flush_hwstate", "__kvm_vgic_sync_to_cpu")
    for old, new in (
        ("find_first_zero_bit(cpu->lr_used, cpu->nr_lr);", "find_first_bit((unsigned long *)cpu->vgic_elrsr, cpu->nr_lr);"),
        (
            "cpu->vgic_lr[lr] |= GICH_LR_PENDING_BIT;\n",
            "cpu->vgic_lr[lr] |= GICH_LR_PENDING_BIT;\n"
            "\t\tif (!vgic_test(&vcpu->kvm->arch.vgic.irq_cfg, vcpu->vcpu_id, irq))\n"
            "\t\t\tcpu->vgic_lr[lr] |= GICH_LR_EOI;\n",
        ),
    ):  # fmt: skip
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


QUEUEING = _queueing()
QUEUE_FAULTS = {
    "none": ("", ""),
    "a list register that may be found again": ("\n\tclear_bit(lr, (unsigned long *)cpu->vgic_elrsr);", ""),
    "an interrupt that is not mapped": ("cpu->vgic_irq_lr_map[irq] = lr;", ";"),
    "the list register beside it": ("cpu->vgic_irq_lr_map[irq] = lr;", "cpu->vgic_irq_lr_map[irq] = lr + 1;"),
    "a source that is lost": ("GICH_LR_PENDING_BIT | source << 10 | irq", "GICH_LR_PENDING_BIT | irq"),
    "a pending bit that is lost": ("\t\tcpu->vgic_lr[lr] |= GICH_LR_PENDING_BIT;\n", ""),
    "an end that nobody hears of": ("\t\tcpu->vgic_lr[lr] |= GICH_LR_EOI;\n\tcpu", "\t\t;\n\tcpu"),
}  # fmt: skip


QUICK = ("none",)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in QUEUE_FAULTS]
)
def test_queueing(name: str) -> None:
    """The function that puts an interrupt into a list register is the model's, and with any fault it is not."""
    old, new = QUEUE_FAULTS[name]
    assert not old or QUEUEING.count(old) == 1
    found = refined(QUEUEING.replace(old, new) if old else QUEUEING, "vgic_queue_irq")["refines-model"]
    if name == "none":
        assert found.verdict is Verdict.PROVED and found.method.endswith("2012-10"), found
    else:
        assert found.verdict is Verdict.REFUTED and found.run is not None, found
        assert any(c.matters for c in found.run.changes) or "is what the model says" in found.reason


# The sync as 2012 does it -----------------------------------------------------------------------------------------

LEFT = """
	if (find_first_zero_bit((unsigned long *)cpu->vgic_elrsr, cpu->nr_lr) < cpu->nr_lr)
		set_bit(vcpu->vcpu_id, &vcpu->kvm->arch.vgic.irq_pending_on_cpu);"""
UNMAPPED = "cpu->vgic_irq_lr_map[cpu->vgic_lr[lr] & GICH_LR_VIRTUALID] = LR_EMPTY;"
SYNC = TEXT.replace("kvm_vgic_sync_hwstate", "__kvm_vgic_sync_from_cpu").replace(UNMAPPED, UNMAPPED + LEFT)
SYNC_FAULTS = {
    "none": ("", ""),
    "a mapping that stays": (UNMAPPED, ";"),
    "a list register that stays in use": (
        "if (test_and_clear_bit(lr, cpu->lr_used))",
        "if (test_bit(lr, cpu->lr_used))",
    ),
    "nothing to look at": (LEFT, ""),
    "another vCPU that looks": (LEFT, LEFT.replace("vcpu->vcpu_id", "vcpu->vcpu_id ^ 1")),
}


@pytest.mark.parametrize("name", _some_slow(SYNC_FAULTS))
def test_the_sync(name: str) -> None:
    """What the guest emptied is forgotten, and the vCPU looks again if anything is left."""
    old, new = SYNC_FAULTS[name]
    assert not old or SYNC.count(old) == 1
    found = refined(SYNC.replace(old, new) if old else SYNC, "__kvm_vgic_sync_from_cpu")["refines-model"]
    assert found.verdict is (Verdict.REFUTED if old else Verdict.PROVED), found
    assert (found.run is not None) is bool(old)


def test_a_limit_is_told_as_one() -> None:
    """A loop whose end is computed outgrows what is kept of paths: nothing is said of the function, and why."""
    text = SYNC.replace("cpu->nr_lr)\n\t\tif (test_and", "cpu->nr_lr - 1)\n\t\tif (test_and")
    assert text != SYNC
    found = refined(text, "__kvm_vgic_sync_from_cpu")["refines-model"]
    assert found.verdict is Verdict.UNKNOWN and "limit" in found.reason and found.location is not None


def test_a_field_of_another_name_is_unsupported() -> None:
    """What the binding reads and the source has not is told, and nothing is refuted for want of it."""
    header = (EXAMPLE / "kvm_vgic.h").read_text().replace("vgic_misr", "vgic_status")
    reading = reading_of(TEXT.replace("vgic_misr", "vgic_status"), header)
    assert not reading.unread
    target = whole_file.bound(reading.program, reading.places)[HANDLER]
    found = list(refine.judge(reading, target, ("refines-model", "eoi-clears-active"), Portfolio(20)))
    assert [o.verdict for o in found] == [Verdict.UNSUPPORTED] * 2
    assert all("vgic_misr" in o.reason for o in found)
