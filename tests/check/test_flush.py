"""The flush is held against the model, with vgic_queue_irq aside: the right one is proved, a fault in it is not."""

from __future__ import annotations

import pytest

from vgicheck.engine.verdict import Obligation, Verdict

from .test_check import TEXT
from .test_refine import held, refuted

FLUSH = "kvm_vgic_flush_hwstate"


def judged(text: str, function: str = FLUSH) -> Obligation:
    """Hold a flush against the model."""
    return held(text, function)


SPI = "\t\tif (!vgic_queue_irq(vcpu, 0, i)) {\n\t\t\toverflow = 1;\n\t\t\tcontinue;\n\t\t}\n"
FAULTS = {
    "a sender that is not looked at": (
        "for_each_set_bit(c, &sources, VGIC_MAX_CPUS)", "for_each_set_bit(c, &sources, VGIC_MAX_CPUS - 1)"),
    "an SGI that stays pending": (
        "\tif (!sources)\n\t\tvgic_assign(&dist->irq_state, vcpu->vcpu_id, sgi, 0);\n", ""),
    "a PPI that stays latched": ("vgic_assign(&dist->irq_state, vcpu->vcpu_id, i, 0);", ";"),
    "an active interrupt that is queued": ("\t\tif (vgic_test(&dist->irq_active, 0, i))\n\t\t\tcontinue;\n", ""),
    "a level interrupt that is not marked": ("vgic_assign(&dist->irq_active, 0, i, 1);", ";"),
    "the last interrupt": (
        "for_each_set_bit_from(i, cpu->pending, VGIC_NR_IRQS) {", "for_each_set_bit_from(i, cpu->pending, VGIC_NR_IRQS - 1) {"),
    "an overflow that is not told": (SPI, SPI.replace("overflow = 1", "overflow = i != 77")),
    "UIE that stays": ("\tcpu->vgic_hcr &= ~GICH_HCR_UIE;\n\tif (overflow)", "\tif (overflow)"),
    "the bit of another vCPU": (
        "\t\tclear_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);\n\tspin", "\t\tclear_bit(vcpu->vcpu_id ^ 1, &dist->irq_pending_on_cpu);\n\tspin"),
    "a bit that nobody set": ("\tif (!kvm_vgic_vcpu_pending_irq(vcpu))\n\t\tgoto out;\n", ""),
    "a field beside": ("out:\n\tcpu->vgic_hcr &=", "out:\n\tcpu->vgic_vmcr = 0;\n\tcpu->vgic_hcr &="),
}  # fmt: skip
"""What is replaced by what in the flush."""
QUICK = ("a field beside", "an active interrupt that is queued", "a PPI that stays latched")
"""The others are left to `make slow`: each takes twenty seconds."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.long]) for n in FAULTS])
def test_a_fault_is_refuted(name: str) -> None:
    """Each fault is refuted by a run."""
    old, new = FAULTS[name]
    refuted(old, new, FLUSH)


@pytest.mark.slow
def test_an_overflow_that_ends_the_flush_is_not_proved() -> None:
    """After it nothing is asked any more: that depends on all answers before, which are too many to keep apart."""
    assert TEXT.count(SPI) == 1
    found = judged(TEXT.replace(SPI, SPI.replace("continue", "break")))
    assert found.verdict is Verdict.UNKNOWN and "limit" in found.reason, found


ASK = "\t\tif (!vgic_queue_irq(vcpu, 0, i)) {"
NOT_ASIDE = {
    "asked twice": (ASK, "\t\tif (!vgic_queue_irq(vcpu, 0, i) && !vgic_queue_irq(vcpu, 0, i)) {", "out of order"),
    "asked about the interrupt before": (ASK, ASK.replace(", i)", ", i - 1)"), "out of order"),
    "asked of what is not known": (ASK, ASK.replace(", i)", ", cpu->nr_lr)"), "not known exactly"),
    "asked of a ninth sender": (ASK, ASK.replace("vcpu, 0", "vcpu, 8"), "nothing is known"),
    "asked for another": (ASK, ASK.replace("vcpu, 0", "NULL, 0"), "not at hand"),
}
"""What keeps vgic_queue_irq from standing aside, and why."""


@pytest.mark.parametrize("name", NOT_ASIDE)
def test_a_question_that_is_out_of_order_is_not_judged(name: str) -> None:
    """An interrupt that is asked about twice, or before a lower one, may get another list register."""
    old, new, why = NOT_ASIDE[name]
    assert TEXT.count(old) == 1
    found = judged(TEXT.replace(old, new))
    assert found.verdict is Verdict.UNSUPPORTED and why in found.reason and found.location is not None, found


@pytest.mark.slow
def test_what_is_asked_may_not_change_what_the_flush_looks_at() -> None:
    """A vgic_queue_irq that clears a pending bit is no question whose answer alone matters."""
    old = "\tcpu->vgic_irq_lr_map[irq] = lr;\n"
    assert TEXT.count(old) == 1
    found = judged(TEXT.replace(old, f"{old}\tclear_bit(irq, cpu->pending);\n"))
    assert found.verdict is Verdict.UNSUPPORTED and "pending" in found.reason, found


# The flush of other generations -----------------------------------------------------------------------------------

HWIRQ = """
static bool vgic_queue_hwirq(struct kvm_vcpu *vcpu, int irq)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	int id = vcpu->vcpu_id;

	if (vgic_test(&dist->irq_active, id, irq))
		return true;
	if (!vgic_queue_irq(vcpu, 0, irq))
		return false;
	if (vgic_test(&dist->irq_cfg, id, irq)) {
		vgic_assign(&dist->irq_state, id, irq, 0);
		clear_bit(irq, vcpu->arch.vgic_cpu.pending);
	} else {
		vgic_assign(&dist->irq_active, id, irq, 1);
	}
	return true;
}
"""
START, END = "\tfor_each_set_bit_from(i, cpu->pending, VGIC_NR_PRIVATE_IRQS)\n", "out:\n\tcpu->vgic_hcr"
LOOP = """\tfor_each_set_bit_from(i, cpu->pending, VGIC_NR_IRQS)
\t\tif (!vgic_queue_hwirq(vcpu, i))
\t\t\toverflow = 1;
"""
SGI = "\tif (!sources)\n\t\tvgic_assign(&dist->irq_state, vcpu->vcpu_id, sgi, 0);\n"


def _v3_9() -> str:
    before, _, rest = TEXT.partition(START)
    _, _, after = rest.partition(END)
    text = f"{before}{LOOP}{END}{after}".replace(
        "int kvm_vgic_vcpu_pending_irq", f"{HWIRQ}\nint kvm_vgic_vcpu_pending_irq"
    )
    more = SGI.replace("sources)\n", "sources) {\n").replace(
        "0);\n", "0);\n\t\tclear_bit(sgi, vcpu->arch.vgic_cpu.pending);\n\t}\n"
    )
    assert text.count(SGI) == 1
    return text.replace(SGI, more)


V3_9 = _v3_9()
NOVEMBER = ("\t\t\tclear_bit(i - VGIC_NR_PRIVATE_IRQS, dist->irq_state.shared.reg_ul);\n\t\telse", """\t\t{
			clear_bit(i - VGIC_NR_PRIVATE_IRQS, dist->irq_state.shared.reg_ul);
			clear_bit(i, cpu->pending);
		} else""")  # fmt: skip
RETIRE = "static void vgic_retire_disabled_irqs(struct kvm_vcpu *vcpu)\n{\n\tvcpu->arch.vgic_cpu.lr_used[0] = 0;\n}\n\n"
LOCKED = "\tspin_lock_irqsave(&dist->lock, flags);\n\tif (!kvm_vgic_vcpu_pending_irq(vcpu))"


@pytest.mark.slow
def test_the_flush_of_v3_9() -> None:
    """A PPI is taken as an SPI is, and an SGI leaves the cached copy: one switch of the model."""
    found = judged(V3_9)
    assert found.verdict is Verdict.PROVED, found
    assert found.method.endswith("2012-10 with queue_clears_cached, queue_private_as_shared")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "\tif (vgic_test(&dist->irq_active, id, irq))\n",
            "\tif (irq >= 32 && vgic_test(&dist->irq_active, id, irq))\n",
        ),
        ("\t\tclear_bit(sgi, vcpu->arch.vgic_cpu.pending);\n", ""),
        ("vgic_assign(&dist->irq_active, id, irq, 1);", "vgic_assign(&dist->irq_active, 0, irq, 1);"),
    ],
)
def test_a_fault_in_the_flush_of_v3_9_is_refuted(old: str, new: str) -> None:
    """An active PPI that is queued, an SGI that stays in the copy, the bank of vCPU 0."""
    assert V3_9.count(old) == 1
    fault = judged(V3_9.replace(old, new))
    assert fault.verdict is Verdict.REFUTED and fault.run is not None, fault


@pytest.mark.slow
def test_the_flush_of_november_2012() -> None:
    """An edge leaves the cached copy, and what the guest disabled is retired before anything is queued."""
    text = TEXT.replace(*NOVEMBER).replace("static bool vgic_queue_sgi", f"{RETIRE}static bool vgic_queue_sgi")
    assert text.count(LOCKED) == 1 and text.count("clear_bit(i, cpu->pending);") == 1
    retired = text.replace(LOCKED, LOCKED.replace("flags);\n", "flags);\n\tvgic_retire_disabled_irqs(vcpu);\n"))
    found = judged(retired)
    assert found.verdict is Verdict.PROVED and found.method.endswith(
        "2012-10 with queue_clears_cached, flush_retires"
    ), found
    late = text.replace("out:\n\tcpu->vgic_hcr", "out:\n\tvgic_retire_disabled_irqs(vcpu);\n\tcpu->vgic_hcr")
    assert "out of order" in judged(late).reason
