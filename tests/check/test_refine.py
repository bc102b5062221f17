"""A function that is bound is held against the model: the right one is proved, and a fault in it is not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
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


def held(text: str, function: str) -> Obligation:
    """Hold a function against the model."""
    return refined(text, function, "refines-model")["refines-model"]


def refuted(old: str, new: str, function: str) -> Obligation:
    """Change the example in one place, and see that a function is refuted by a run for it."""
    assert TEXT.count(old) == 1
    fault = held(TEXT.replace(old, new), function)
    assert fault.verdict is Verdict.REFUTED, fault
    assert fault.run is not None and fault.run.replayed == ("python",), fault
    return fault


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
        "\t\tcpu->vgic_hcr &= ~GICH_HCR_UIE;\n\t\twritel", "\t\tcpu->vgic_hcr &= ~GICH_HCR_EN;\n\t\twritel",
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
    "an EOIed list register that is not reported",
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


def test_a_run_that_does_not_return_refutes_nothing() -> None:
    """What is left where a BUG_ON fires is no part of a property: the run that is told is one that goes on."""
    old, new, kind = VCPU_FAULTS["five bits of GICH_VTR.ListRegs"]
    check = "\tif (vcpu->vcpu_id < 0 ||"
    assert TEXT.count(check) == 1
    text = TEXT.replace(old, new).replace(check, f"\tBUG_ON(!vcpu->vcpu_id);\n{check}")
    fault = refined(text, "kvm_vgic_vcpu_init", kind)[kind]
    assert fault.verdict is Verdict.REFUTED and fault.run is not None
    assert ("vcpu->vcpu_id", "1") in {(v.name, v.value) for v in fault.run.inputs}


# Queueing as 2012 does it -----------------------------------------------------------------------------------------


def _queueing() -> str:
    """Return the example with a flush that is called as in 2012, and finds list registers in the saved ELRSR."""
    text = TEXT.replace("kvm_vgic_flush_hwstate", "__kvm_vgic_sync_to_cpu")
    old = "find_first_zero_bit(cpu->lr_used, cpu->nr_lr);"
    assert text.count(old) == 1
    return text.replace(old, "find_first_bit((unsigned long *)cpu->vgic_elrsr, cpu->nr_lr);")


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
LOOKED_AT = "there. */\n\tvgic_update_state(vcpu->kvm);\n\tspin_unlock"
SYNC = (
    TEXT.replace("kvm_vgic_sync_hwstate", "__kvm_vgic_sync_from_cpu")
    .replace(UNMAPPED, UNMAPPED + LEFT)
    .replace(LOOKED_AT, LOOKED_AT.replace("vgic_update_state(vcpu->kvm);", ""))
)
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


# What v3.10 does otherwise ----------------------------------------------------------------------------------------

LATER = (Path(__file__).parent / "later.c").read_text()
SINCE_3_9 = TEXT.replace("kvm_vgic_flush_hwstate", "__kvm_vgic_flush_hwstate") + LATER
COUNTED = "(readl_relaxed(vgic_vctrl_base + GICH_VTR) & 0x3f) + 1;"
CLEARED = "\n\tclear_bit(lr, (unsigned long *)cpu->vgic_elrsr);"
AGAIN = """\t\tcpu->vgic_lr[lr] |= GICH_LR_PENDING_BIT;
\t\tif (!vgic_test(&vcpu->kvm->arch.vgic.irq_cfg, vcpu->vcpu_id, irq))
\t\t\tcpu->vgic_lr[lr] |= GICH_LR_EOI;
"""
V3_10 = (
    SINCE_3_9.replace(CLEARED, "")
    .replace(AGAIN, "\t\tBUG_ON(!test_bit(lr, cpu->lr_used));\n" + AGAIN.partition("\n")[0] + "\n")
    .replace(COUNTED, "vgic_nr_lr;")
    .replace("cpu->vgic_vmcr = 0x1fU << 27;", "cpu->vgic_vmcr = 0;")
    .replace("static unsigned int vgic_maint_irq;", "static unsigned int vgic_maint_irq;\nstatic u32 vgic_nr_lr;")
)
DONE = "vgic_process_maintenance"
SWITCHES = {
    "vgic_queue_irq": "2012-10 with queue_finds_unused, requeue_keeps_eoi",
    DONE: "2012-10 with irq_rearms",
    "__kvm_vgic_sync_hwstate": "2012-10 with sync_processes_eisr, irq_rearms",
    "vgic_update_irq_state": "2012-10 with inject_skips_active",
    "kvm_vgic_vcpu_init": "2012-10 with lr_count_six_bits, vcpu_id_checked, vmcr_reset, vmcr_masked",
}
LONG = ("vgic_queue_irq", DONE, "__kvm_vgic_sync_hwstate")


def test_the_sources_of_later_kernels_are_what_they_are_meant_to_be() -> None:
    """Each line that is taken out of the example or changed in it was there, once."""
    for line in (CLEARED, COUNTED, AGAIN, "cpu->vgic_vmcr = 0x1fU << 27;", "static unsigned int vgic_maint_irq;"):
        assert SINCE_3_9.count(line) == 1


@pytest.mark.parametrize("function", [pytest.param(f, marks=[pytest.mark.slow] if f in LONG else []) for f in SWITCHES])
def test_a_function_of_v3_10(function: str) -> None:
    """Each is the model with the switches of v3.10 that it reads."""
    found = refined(V3_10, function, "refines-model")["refines-model"]
    assert found.verdict is Verdict.PROVED and found.method.endswith(f"equal to the model of {SWITCHES[function]}")
    assert any(q.answer == "sat" for q in found.queries), "its premise has a witness"


@pytest.mark.slow
def test_what_the_sync_does_for_the_handler() -> None:
    """What is claimed of the handler's work holds where the sync does it, on the registers that the next entry has."""
    found = refined(V3_10, DONE)
    assert len(found) == 9 and {o.verdict for o in found.values()} == {Verdict.PROVED}, found


LATER_FAULTS = {
    "a list register that is not found by its use": (
        "find_first_zero_bit(cpu->lr_used, cpu->nr_lr)", "find_first_zero_bit(cpu->lr_used, cpu->nr_lr - 1)",
        "vgic_queue_irq", "refines-model"),
    "a list register that is used and not marked": ("\tset_bit(lr, cpu->lr_used);\n", "", "vgic_queue_irq", "refines-model"),
    "an active bit that the sync leaves": (
        "vgic_assign(&dist->irq_active, vcpu->vcpu_id, irq, 0);\n\t\tif", "if", DONE, "eoi-clears-active"),
    "an EOIed list register that is not freed": (
        "set_bit(lr, (unsigned long *)cpu->vgic_elrsr);\n\t\tvgic", "vgic", DONE, "eoi-frees-lr"),
    "an EOI flag that stays": ("~(GICH_LR_EOI | GICH_LR_ACTIVE_BIT)", "~GICH_LR_ACTIVE_BIT", DONE, "eoi-clears-lr-eoi"),
    "an underflow that goes on": ("if (cpu->vgic_misr & GICH_MISR_U)\n\t\tcpu", "if (0)\n\t\tcpu", DONE, "underflow-clears-uie"),
    "a line that is not looked at again": ("\t\t\thigh = true;\n", "", "__kvm_vgic_sync_hwstate", "refines-model"),
    "a mapping that the sync leaves": (
        "_lr[lr] & GICH_LR_VIRTUALID] = LR_EMPTY;\n\tif (find", "_lr[lr] & 0xf] = LR_EMPTY;\n\tif (find",
        "__kvm_vgic_sync_hwstate", "refines-model"),
    "a line that falls unseen": ("== level || (edge && !level)", "== level || !level", "vgic_update_irq_state", "refines-model"),
    "an edge that is latched twice": (
        "== level || (edge && !level)", "== (level && !edge) || (edge && !level)",
        "vgic_update_irq_state", "refines-model"),
    "a disabled interrupt that is told": (
        "\tif (!vgic_test(&dist->irq_enabled, cpuid, irq_num))\n\t\tgoto out;\n", "",
        "vgic_update_irq_state", "refines-model"),
    "a shared interrupt that goes to whom the device says": (
        "cpuid = dist->irq_spi_cpu[irq_num - VGIC_NR_PRIVATE_IRQS];\n\t\tset_bit(irq_num, kvm", ";\n\t\tset_bit(irq_num, kvm",
        "vgic_update_irq_state", "refines-model"),
    "a target that does not look": (
        "\t\tset_bit(cpuid, &dist->irq_pending_on_cpu);\n\t}\nout:\n\tspin_unlock(", "\t}\nout:\n\tspin_unlock(",
        "vgic_update_irq_state", "refines-model"),
    "a field of the target of which the model knows nothing": (
        "\t\tset_bit(cpuid, &dist->irq_pending_on_cpu);\n\t}\nout:\n",
        "\t\tset_bit(cpuid, &dist->irq_pending_on_cpu);\n\t\tkvm_get_vcpu(kvm, cpuid)->arch.vgic_cpu.vgic_hcr = 0;\n\t}\nout:\n",
        "vgic_update_irq_state", "refines-model"),
    "list registers of which one is forgotten": (
        "cpu->nr_lr = vgic_nr_lr;", "cpu->nr_lr = vgic_nr_lr - 1;", "kvm_vgic_vcpu_init", "vcpu-init-lr-count"),
}  # fmt: skip
"""What is replaced by what in a source in the manner of v3.10, and what the function then breaks."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if f in LONG else []) for n, (_, _, f, _) in LATER_FAULTS.items()],
)
def test_a_fault_in_a_function_of_v3_10(name: str) -> None:
    """Each fault is refuted by a run."""
    old, new, function, kind = LATER_FAULTS[name]
    assert V3_10.count(old) == 1
    fault = refined(V3_10.replace(old, new), function, kind)[kind]
    assert fault.verdict is Verdict.REFUTED and fault.run is not None and fault.run.replayed == ("python",), fault


def test_a_level_interrupt_is_cached_again_without_the_switch() -> None:
    """Injection that does not look at active bits is that of October 2012, and told as that."""
    line = "\tif (!edge && vgic_test(&dist->irq_active, cpuid, irq_num))\n\t\tgoto out;\n"
    assert V3_10.count(line) == 1
    found = refined(V3_10.replace(line, ""), "vgic_update_irq_state", "refines-model")["refines-model"]
    assert found.verdict is Verdict.PROVED and found.method.endswith("2012-10"), found
