"""A VGIC in the manner of v3.18: operations of a generation behind a pointer, and maps that are allocated."""

from __future__ import annotations

import pytest

from vgicheck.check.check import check
from vgicheck.check.tree import Source, Texts
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Obligation, Verdict

HEADER = """
struct vgic_bitmap { unsigned long *private; unsigned long *shared; };
struct vgic_bytemap { u32 *private; u32 *shared; };
struct vgic_lr { u16 irq; u8 source; u8 state; };
struct vgic_ops {
	struct vgic_lr (*get_lr)(const struct kvm_vcpu *, int);
	void (*set_lr)(struct kvm_vcpu *, int, struct vgic_lr);
	u64 (*get_eisr)(const struct kvm_vcpu *);
};
struct vgic_params { u32 nr_lr; void __iomem *vctrl_base; };
struct vgic_dist {
	spinlock_t lock;
	bool ready;
	int nr_cpus, nr_irqs;
	void __iomem *vctrl_base;
	struct vgic_bitmap irq_enabled;
	struct vgic_bytemap irq_priority;
	u8 *irq_sgi_sources;
	u8 *irq_spi_cpu;
	struct vgic_bitmap *irq_spi_target;
	unsigned long *irq_pending_on_cpu;
};
struct vgic_v2_cpu_if { u64 vgic_eisr; u32 vgic_lr[64]; };
struct vgic_v3_cpu_if { u64 vgic_lr[16]; };
struct vgic_cpu {
	u8 *vgic_irq_lr_map;
	unsigned long *pending_shared;
	union {
		struct vgic_v2_cpu_if vgic_v2;
		struct vgic_v3_cpu_if vgic_v3;
	};
};
#define LR_EMPTY 0xff
"""
V2 = """
static struct vgic_lr vgic_v2_get_lr(const struct kvm_vcpu *vcpu, int lr)
{
	u32 val = vcpu->arch.vgic_cpu.vgic_v2.vgic_lr[lr];
	struct vgic_lr found = { .irq = val & 0x3ff, .source = 0, .state = val >> 28 & 3 };

	return found;
}

static void vgic_v2_set_lr(struct kvm_vcpu *vcpu, int lr, struct vgic_lr found)
{
	vcpu->arch.vgic_cpu.vgic_v2.vgic_lr[lr] = (u32)found.state << 28 | found.irq;
}

static u64 vgic_v2_get_eisr(const struct kvm_vcpu *vcpu)
{
	return vcpu->arch.vgic_cpu.vgic_v2.vgic_eisr;
}

static const struct vgic_ops vgic_v2_ops = {
	.get_lr = vgic_v2_get_lr,
	.set_lr = vgic_v2_set_lr,
	.get_eisr = vgic_v2_get_eisr,
};
static struct vgic_params vgic_v2_params;
"""
VGIC = """
static const struct vgic_ops *vgic_ops;
static const struct vgic_params *vgic;

static void vgic_assign(struct vgic_bitmap *map, int cpu, int irq, int value)
{
	unsigned long *bits = irq < 32 ? map->private + cpu : map->shared;

	if (value)
		set_bit(irq < 32 ? irq : irq - 32, bits);
	else
		clear_bit(irq < 32 ? irq : irq - 32, bits);
}

void kvm_vgic_sync_hwstate(struct kvm_vcpu *vcpu)
{
	u64 eisr = vgic_ops->get_eisr(vcpu);
	int lr;

	for_each_set_bit(lr, (unsigned long *)&eisr, vgic->nr_lr) {
		struct vgic_lr found = vgic_ops->get_lr(vcpu, lr);

		found.state = 0;
		vgic_ops->set_lr(vcpu, lr, found);
		vgic_assign(&vcpu->kvm->arch.vgic.irq_enabled, vcpu->vcpu_id, found.irq, 0);
		vcpu->arch.vgic_cpu.vgic_irq_lr_map[found.irq] = LR_EMPTY;
	}
}

void kvm_vgic_target(struct kvm_vcpu *vcpu, u32 word)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	int spi = word & 127, target = word >> 8 & 7;

	dist->irq_spi_cpu[spi] = target;
	set_bit(spi, dist->irq_spi_target[target].shared);
	dist->irq_sgi_sources[vcpu->vcpu_id * 16 + (word & 15)] |= 1 << target;
	dist->irq_priority.private[vcpu->vcpu_id * 8 + (word & 7)] = word;
	vcpu->arch.vgic_cpu.pending_shared[word & 3] = 0;
	set_bit(vcpu->vcpu_id, dist->irq_pending_on_cpu);
}
"""
FOLDER = "virt/kvm/arm"
KINDS = ("in-bounds", "no-undefined", "representation-kept")


def judged(vgic: str = VGIC, v2: str | None = V2) -> dict[tuple[str, str], Obligation]:
    """Judge a tree with the generation's file beside vgic.c, or without it."""
    files = {"include/kvm/arm_vgic.h": HEADER, f"{FOLDER}/vgic.c": vgic}
    files[f"{FOLDER}/vgic.h"] = "void vgic_mark(struct kvm_vcpu *vcpu, int irq);\n"
    files |= {f"{FOLDER}/vgic-v2.c": v2} if v2 else {}
    found = check(Source("text", Texts(files), (f"{FOLDER}/vgic.c",)), KINDS, Runner(Portfolio(20), 1))
    return {(o.subject, o.property): o for o in found.obligations}


def test_operations_and_maps_behind_pointers_are_followed() -> None:
    """All is proved, for a VM of the size that the bounds say, and what is assumed of the pointers is told."""
    found = judged()
    assert {s for s, _ in found} >= {"vgic_v2_get_lr", "vgic_v2_set_lr", "vgic_assign", "kvm_vgic_target"}
    assert not [o for o in found.values() if o.verdict is not Verdict.PROVED]
    sync = found["kvm_vgic_sync_hwstate", "in-bounds"]
    assert sync.bounds.endswith("INTID 0..255")
    told = {a.text for a in sync.assumptions}
    assert "vgic_ops leads to vgic_v2_ops" in told and "vgic leads to vgic_v2_params" in told
    assert "the maps of the VGIC are allocated, for 8 vCPUs and 256 interrupts" in told


FAULTS = {
    "the bits of a vCPU that is not there": (
        "map->private + cpu :", "map->private + cpu + 1 :", "vgic_assign", "in-bounds"),
    "private interrupts in the shared map": ("irq : irq - 32, bits", "irq : irq, bits", "vgic_assign", "in-bounds"),
    "a target of the next vCPU": (
        "irq_spi_target[target]", "irq_spi_target[target + 1]", "kvm_vgic_target", "in-bounds"),
    "an SPI that no vCPU has": ("[spi] = target", "[spi] = target + 1", "kvm_vgic_target", "representation-kept"),
    "a row that is too long": ("vcpu_id * 8", "vcpu_id * 9", "kvm_vgic_target", "in-bounds"),
    "a list register that is not there": ("&eisr, vgic->nr_lr", "&eisr, 65", "kvm_vgic_sync_hwstate", "in-bounds"),
    "a map that is lost": (
        "\tset_bit(vcpu->vcpu_id, dist->irq_pending_on_cpu);", "\tdist->irq_sgi_sources = NULL;",
        "kvm_vgic_target", "representation-kept"),
}  # fmt: skip
"""What is replaced by what in vgic.c, and which function then breaks which property."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_not_missed(name: str) -> None:
    """A function with a fault is not proved, and what is refuted is the function with the fault."""
    good, bad, function, kind = FAULTS[name]
    assert good in VGIC
    found = judged(VGIC.replace(good, bad))
    assert found[function, kind].verdict in (Verdict.REFUTED, Verdict.UNKNOWN), found[function, kind]
    assert {o.subject for o in found.values() if o.verdict is Verdict.REFUTED} <= {function}


def test_a_fault_of_the_generation_is_found_in_its_file() -> None:
    """What the operations do is judged where they are called."""
    found = judged(v2=V2.replace("vgic_lr[lr] = ", "vgic_lr[lr + 1] = "))
    assert found["vgic_v2_set_lr", "in-bounds"].verdict in (Verdict.REFUTED, Verdict.UNKNOWN)


MARK = "void vgic_mark(struct kvm_vcpu *vcpu, int irq)\n{\n\tvcpu->arch.vgic_cpu.vgic_irq_lr_map[irq] = 1;\n}\n"


def test_what_other_files_of_the_vgic_call_is_not_refuted_by_itself() -> None:
    """A function that the folder's own header declares has callers that are not read; one without is for all to call."""
    inside = judged(f'#include "vgic.h"\n{VGIC}{MARK}')["vgic_mark", "in-bounds"]
    assert inside.verdict is Verdict.UNKNOWN and "other files of the VGIC may call vgic_mark" in inside.reason
    assert judged(VGIC + MARK)["vgic_mark", "in-bounds"].verdict is Verdict.REFUTED


def test_a_caller_that_is_not_read_may_pass_anything() -> None:
    """What a function with a construct that is not understood calls is not proved from its other callers alone."""
    strange = "void strange(struct kvm_vcpu *vcpu)\n{\n\tfloat f = 1;\n\tvgic_assign(0, 9, 999, f);\n}\n"
    found = judged(VGIC + strange)
    assert found["strange", "in-bounds"].verdict is Verdict.UNSUPPORTED
    assert found["vgic_assign", "in-bounds"].verdict is not Verdict.PROVED


def test_without_the_generation_its_operations_are_unsupported() -> None:
    """Of a pointer that has nothing to lead to nothing is known."""
    found = judged(v2=None)
    assert found["kvm_vgic_sync_hwstate", "in-bounds"].verdict is Verdict.UNSUPPORTED
    assert found["kvm_vgic_target", "in-bounds"].verdict is Verdict.PROVED
