"""Injection with its kicks, and what waits for each vCPU, are held against the model: a fault in them is refuted."""

from __future__ import annotations

import pytest

from vgicheck.engine.verdict import Verdict

from .test_check import TEXT
from .test_refine import V3_10, held, refuted

INJECT, UPDATE, COMPUTE = "kvm_vgic_inject_irq", "vgic_update_state", "compute_pending_for_cpu"
KICK = "vgic_kick_vcpus"


KICKS = "\t\tif (test_bit(vcpu->vcpu_id, &kvm->arch.vgic.irq_pending_on_cpu))\n\t\t\tkvm_vcpu_kick(vcpu);\n"
LOOKS = "\t\tif (compute_pending_for_cpu(vcpu))\n\t\t\tset_bit(vcpu->vcpu_id, &kvm->arch.vgic.irq_pending_on_cpu);\n"
FAULTS = {
    "an edge that is forgotten when its line falls": (
        " == level || (!level && edge))", " == level)", INJECT, "vm."),
    "a line that is taken for risen": (
        "vgic_test(&dist->irq_state, vcpu->vcpu_id, irq_num) == level || (!level", "(!level", INJECT, "vm."),
    "a disabled interrupt": (
        "kick = vgic_test(&dist->irq_enabled, vcpu->vcpu_id, irq_num);", "kick = true;", INJECT, ""),
    "a vCPU that is not to look": (
        "\t\tset_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);\n\t}\nout:", "\t}\nout:", INJECT, ""),
    "the bit of another interrupt": (
        "set_bit(irq_num, vcpu->arch.vgic_cpu.pending);", "set_bit(irq_num ^ 1, vcpu->arch.vgic_cpu.pending);",
        INJECT, "vm.pending is"),
    "a shared interrupt of the vCPU that the device says": (
        "\tif (irq_num >= VGIC_NR_PRIVATE_IRQS)\n\t\tcpuid =", "\tif (irq_num > VGIC_NR_IRQS)\n\t\tcpuid =", INJECT, ""),
    "nobody is kicked": ("\tif (kick)\n\t\tvgic_kick_vcpus(kvm);\n", "", INJECT, "kicked is"),
    "everybody is kicked": (KICKS, "\t\tkvm_vcpu_kick(vcpu);\n", INJECT, "kicked is"),
    "the last vCPU is not kicked": (
        KICKS, KICKS.replace("if (", "if (c + 1 < atomic_read(&kvm->online_vcpus) && "), INJECT, "kicked is"),
    "a vCPU that is looked at under another's id": (KICKS, KICKS.replace("vcpu->vcpu_id", "c ^ 1"), KICK, "kicked is"),
    "a bit that a kick takes": (
        KICKS, KICKS.replace("test_bit(", "test_and_clear_bit("), KICK, "pending_on_cpu is"),
    "an interrupt that is refused": ("\t\tvgic_kick_vcpus(kvm);\n\treturn ret;", "\t\tvgic_kick_vcpus(kvm);\n\treturn kick;", INJECT, "result is"),
    "a field beside": ("\tkick = vgic_test(", "\tvcpu->arch.vgic_cpu.vgic_vmcr = 0;\n\tkick = vgic_test(", INJECT, "vcpu[]->arch.vgic_cpu.vgic_vmcr is unchanged"),
    "a vCPU that is passed over": (LOOKS, LOOKS.replace("if (", "if (c != 5 && "), UPDATE, "asked is"),
    "one that looks for nothing": (LOOKS, LOOKS.replace("if (", "if (c == 5 || "), UPDATE, ""),
    "one that looks for another": (LOOKS, LOOKS.replace("vcpu->vcpu_id", "c ^ 1"), UPDATE, "pending_on_cpu is"),
    "a bit that is taken back": (
        LOOKS, f"{LOOKS}\t\telse\n\t\t\tclear_bit(c, &kvm->arch.vgic.irq_pending_on_cpu);\n", UPDATE, "pending_on_cpu is"),
    "nobody looks while the distributor is disabled": (
        "\t\tset_bit(0, &kvm->arch.vgic.irq_pending_on_cpu);\n\t\treturn;", "\t\treturn;", UPDATE, "pending_on_cpu is"),
    "interrupts that are disabled": (
        "vgic_bank(&dist->irq_state, id), vgic_bank(&dist->irq_enabled, id)", "vgic_bank(&dist->irq_state, id), vgic_bank(&dist->irq_state, id)", COMPUTE, ""),
    "private interrupts of vCPU 0": ("vgic_bank(&dist->irq_state, id), vgic", "vgic_bank(&dist->irq_state, 0), vgic", COMPUTE, ""),
    "shared interrupts of others": (
        "\tbitmap_and(pending + 1, pending + 1, dist->irq_spi_target[id].shared.reg_ul, VGIC_NR_SHARED_IRQS);\n", "", COMPUTE, ""),
    "an interrupt that nobody sees": (
        "return find_first_bit(pending, VGIC_NR_IRQS) < VGIC_NR_IRQS;", "return find_first_bit(pending, VGIC_NR_IRQS - 1) < VGIC_NR_IRQS - 1;",
        COMPUTE, "waits is"),
}  # fmt: skip
"""What is replaced by what, in which function, and what of the model then differs, where only one thing does."""
QUICK = (
    "an edge that is forgotten when its line falls",
    "the last vCPU is not kicked",
    "one that looks for another",
    "a vCPU that is passed over",
    "a field beside",
)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in FAULTS])
def test_a_fault_is_refuted(name: str) -> None:
    """A run shows what is left otherwise, who is kicked, or of whom is asked."""
    old, new, function, what = FAULTS[name]
    fault = refuted(old, new, function)
    assert fault.reason.startswith(what), fault


@pytest.mark.parametrize("function", [INJECT, UPDATE, KICK, pytest.param(COMPUTE, marks=pytest.mark.slow)])
def test_the_example(function: str) -> None:
    """Each is the model's, and what is assumed has a witness."""
    found = held(TEXT, function)
    assert found.verdict is Verdict.PROVED and found.method.endswith("2012-10"), found
    assert any(q.answer == "sat" for q in found.queries)


BODY = "{\n\tif (vgic_update_irq_state(kvm, cpuid, irq_num, level))\n\t\tvgic_kick_vcpus(kvm);\n\treturn 0;\n}\n"
START = "int kvm_vgic_inject_irq(struct kvm *kvm, int cpuid, unsigned int irq_num, bool level)\n"


def with_inject(text: str, body: str) -> str:
    """Return a source with another injection, behind all else."""
    before, found, after = text.partition(START)
    _, end, rest = after.partition("\n}\n")
    assert found and end
    return f"{before}{rest}\n{START}{body}"


def test_injection_of_v3_10() -> None:
    """An interrupt that is marked active is not cached again, and its line told nobody: no kick either."""
    found = held(with_inject(V3_10, BODY), INJECT)
    assert found.verdict is Verdict.PROVED and found.method.endswith("2012-10 with inject_skips_active"), found


SEPTEMBER = """{
	struct vgic_dist *dist = &kvm->arch.vgic;
	bool edge, changed;

	spin_lock(&dist->lock);
	edge = vgic_test(&dist->irq_cfg, cpuid, irq_num);
	changed = vgic_test(&dist->irq_state, cpuid, irq_num) != level && (level || !edge);
	if (changed) {
		vgic_assign(&dist->irq_state, cpuid, irq_num, level);
		vgic_update_state(kvm);
	}
	spin_unlock(&dist->lock);
	if (changed)
		vgic_kick_vcpus(kvm);
	return 0;
}
"""
SET = "\t\tvgic_assign(&dist->irq_state, cpuid, irq_num, level);\n"
COMPUTES = "\t\tvgic_update_state(kvm);\n"


def test_injection_of_september_2012() -> None:
    """What waits is computed anew for every vCPU: that is a switch of the model."""
    found = held(with_inject(TEXT, SEPTEMBER), INJECT)
    assert found.verdict is Verdict.PROVED and found.method.endswith("2012-10 with inject_recomputes"), found


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (COMPUTES, "", Verdict.REFUTED),
        pytest.param("\tif (changed)\n\t\tvgic_kick", "\t\tvgic_kick", Verdict.REFUTED, marks=pytest.mark.slow),
        (SET + COMPUTES, COMPUTES + SET, Verdict.UNSUPPORTED),
    ],
)
def test_a_fault_in_the_injection_of_september_2012(old: str, new: str, verdict: Verdict) -> None:
    """Nothing is computed, everybody is kicked; what is computed of the line as it was is not judged."""
    assert SEPTEMBER.count(old) == 1
    found = held(with_inject(TEXT, SEPTEMBER.replace(old, new)), INJECT)
    assert found.verdict is verdict, found
    assert verdict is Verdict.REFUTED or ("irq_state" in found.reason and "writes later" in found.reason)


def test_a_vcpu_is_asked_of_once() -> None:
    """What is asked again, or of one that was passed, may get another answer: that is not judged."""
    twice = LOOKS.replace(
        "compute_pending_for_cpu(vcpu)", "compute_pending_for_cpu(vcpu) || compute_pending_for_cpu(vcpu)"
    )
    found = held(TEXT.replace(LOOKS, twice), UPDATE)
    assert found.verdict is Verdict.UNSUPPORTED and "out of order" in found.reason, found
