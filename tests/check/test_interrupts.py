"""A VGIC in the manner of 6.1: 64 bits, several files, a struct for each interrupt, lists, and tables of registers."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from proofs.bindings import vgic
from proofs.bindings.functions import promised
from vgicheck.check import rules
from vgicheck.check.check import check, reading_of
from vgicheck.check.tree import Source, Texts, find
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Obligation, Verdict

FOLDER = "arch/arm64/kvm/vgic"
HEADER = """
enum vgic_type { VGIC_V2, VGIC_V3 };
struct vgic_global { enum vgic_type type; void __iomem *vctrl_base; int nr_lr; bool has_gicv4; bool has_gicv4_1; };
extern struct vgic_global kvm_vgic_global_state;
#define VGIC_NR_PRIVATE_IRQS 32
#define VGIC_CONFIG_LEVEL 1
struct irq_ops { unsigned long flags; bool (*get_input_level)(int vintid); };
struct vgic_irq {
	raw_spinlock_t irq_lock;
	struct list_head ap_list;
	struct kvm_vcpu *vcpu, *target_vcpu;
	u32 intid;
	bool line_level, pending_latch, active, enabled, hw;
	u32 hwintid;
	u8 source;
	int config;
	struct irq_ops *ops;
};
struct kvm_io_device;
struct vgic_io_device { const struct vgic_register_region *regions; int nr_regions; };
struct vgic_dist { bool enabled; int nr_spis; struct vgic_irq *spis; };
struct vgic_v2_cpu_if { u32 vgic_hcr, vgic_lr[64]; unsigned int used_lrs; };
struct vgic_v3_cpu_if { u32 vgic_hcr, vgic_sre; u64 vgic_lr[16], vgic_more[32]; bool behind; };
struct vgic_cpu {
	union {
		struct vgic_v2_cpu_if vgic_v2;
		struct vgic_v3_cpu_if vgic_v3;
	};
	struct vgic_irq private_irqs[VGIC_NR_PRIVATE_IRQS];
	raw_spinlock_t ap_list_lock;
	struct list_head ap_list_head;
};
"""
OWN = """
struct vgic_register_region {
	unsigned int reg_offset, len, bits_per_irq, access_flags;
	unsigned long (*read)(struct kvm_vcpu *vcpu, gpa_t addr, unsigned int len);
	void (*write)(struct kvm_vcpu *vcpu, gpa_t addr, unsigned int len, unsigned long val);
};
struct vgic_irq *vgic_get_irq(struct kvm *kvm, struct kvm_vcpu *vcpu, u32 intid);
bool vgic_queue_irq_unlock(struct kvm *kvm, struct vgic_irq *irq, unsigned long flags);
int vgic_pending(struct kvm_vcpu *vcpu);
void vgic_v2_fold_lr_state(struct kvm_vcpu *vcpu);
void vgic_v2_populate_lr(struct kvm_vcpu *vcpu, struct vgic_irq *irq, int lr);
void vgic_v3_fold_lr_state(struct kvm_vcpu *vcpu);
unsigned long vgic_mmio_read_enable(struct kvm_vcpu *vcpu, gpa_t addr, unsigned int len);
void vgic_mmio_write_enable(struct kvm_vcpu *vcpu, gpa_t addr, unsigned int len, unsigned long val);
struct vgic_irq *vgic_get_lpi(struct kvm *kvm, u32 intid);
"""
VGIC = """#include "vgic.h"
struct vgic_irq *vgic_get_irq(struct kvm *kvm, struct kvm_vcpu *vcpu, u32 intid)
{
	if (intid < VGIC_NR_PRIVATE_IRQS)
		return &vcpu->arch.vgic_cpu.private_irqs[array_index_nospec(intid, 32)];
	if (intid < kvm->arch.vgic.nr_spis + VGIC_NR_PRIVATE_IRQS)
		return &kvm->arch.vgic.spis[intid - VGIC_NR_PRIVATE_IRQS];
	return intid < 8192 ? NULL : vgic_get_lpi(kvm, intid);
}

bool vgic_queue_irq_unlock(struct kvm *kvm, struct vgic_irq *irq, unsigned long flags)
{
	struct kvm_vcpu *vcpu = irq->target_vcpu;

	if (irq->vcpu || !vcpu) {
		raw_spin_unlock_irqrestore(&irq->irq_lock, flags);
		return false;
	}
	raw_spin_unlock_irqrestore(&irq->irq_lock, flags);
	raw_spin_lock_irqsave(&vcpu->arch.vgic_cpu.ap_list_lock, flags);
	raw_spin_lock(&irq->irq_lock);
	list_add_tail(&irq->ap_list, &vcpu->arch.vgic_cpu.ap_list_head);
	irq->vcpu = vcpu;
	raw_spin_unlock(&irq->irq_lock);
	raw_spin_unlock_irqrestore(&vcpu->arch.vgic_cpu.ap_list_lock, flags);
	kvm_vcpu_kick(vcpu);
	return true;
}

int vgic_pending(struct kvm_vcpu *vcpu)
{
	struct vgic_irq *irq;
	int pending = 0;

	if (vcpu->arch.vgic_cpu.vgic_v3.behind)
		return 1;
	raw_spin_lock(&vcpu->arch.vgic_cpu.ap_list_lock);
	list_for_each_entry(irq, &vcpu->arch.vgic_cpu.ap_list_head, ap_list) {
		raw_spin_lock(&irq->irq_lock);
		pending = irq->pending_latch && irq->enabled;
		raw_spin_unlock(&irq->irq_lock);
		if (pending)
			break;
	}
	raw_spin_unlock(&vcpu->arch.vgic_cpu.ap_list_lock);
	return pending;
}

void kvm_vgic_sync_hwstate(struct kvm_vcpu *vcpu)
{
	if (kvm_vgic_global_state.type == VGIC_V2)
		vgic_v2_fold_lr_state(vcpu);
	else
		vgic_v3_fold_lr_state(vcpu);
}
"""
V2 = """#include "vgic.h"
void vgic_v2_fold_lr_state(struct kvm_vcpu *vcpu)
{
	struct vgic_v2_cpu_if *cpuif = &vcpu->arch.vgic_cpu.vgic_v2;
	int lr;

	for (lr = 0; lr < cpuif->used_lrs; lr++) {
		u32 val = cpuif->vgic_lr[lr], from = val >> 10 & 7;
		struct vgic_irq *irq = vgic_get_irq(vcpu->kvm, vcpu, val & 0x3ff);

		raw_spin_lock(&irq->irq_lock);
		irq->active = !!(val & 1 << 29);
		if (val & 1 << 28)
			irq->source |= 1 << from;
		raw_spin_unlock(&irq->irq_lock);
	}
	cpuif->used_lrs = 0;
}

static bool resampled(struct vgic_irq *irq)
{
	return irq->ops && (irq->ops->flags & BIT(0));
}

void vgic_v2_populate_lr(struct kvm_vcpu *vcpu, struct vgic_irq *irq, int lr)
{
	u32 val = irq->intid | (irq->active ? 1 << 29 : 0);
	bool allowed = true;

	if (irq->hw && !resampled(irq)) {
		val |= 1U << 31 | irq->hwintid << 10;
		if (irq->active)
			allowed = false;
	} else if (irq->config == VGIC_CONFIG_LEVEL && irq->active) {
		allowed = false;
	}
	if (allowed && (irq->pending_latch || irq->line_level))
		val |= 1 << 28;
	vcpu->arch.vgic_cpu.vgic_v2.vgic_lr[lr] = val;
}

void vgic_v2_save(struct kvm_vcpu *vcpu)
{
	struct vgic_v2_cpu_if *cpuif = &vcpu->arch.vgic_cpu.vgic_v2;
	void __iomem *base = kvm_vgic_global_state.vctrl_base;
	u64 elrsr = readl_relaxed(base + 0x30);
	int i;

	if (cpuif->used_lrs > 32)
		elrsr |= (u64)readl_relaxed(base + 0x34) << 32;
	for (i = 0; i < cpuif->used_lrs; i++)
		if (elrsr & (1UL << i))
			cpuif->vgic_lr[i] &= ~(3U << 28);
		else
			cpuif->vgic_lr[i] = readl_relaxed(base + 0x100 + (i * 4));
}
"""
MMIO = """#include "vgic.h"
unsigned long vgic_mmio_read_enable(struct kvm_vcpu *vcpu, gpa_t addr, unsigned int len)
{
	u32 intid = (addr & 127) * 8, value = 0;
	int i;

	for (i = 0; i < len * 8; i++)
		if (vgic_get_irq(vcpu->kvm, vcpu, intid + i)->enabled)
			value |= 1U << i;
	return value;
}

void vgic_mmio_write_enable(struct kvm_vcpu *vcpu, gpa_t addr, unsigned int len, unsigned long val)
{
	u32 intid = (addr & 127) * 8;
	unsigned long flags;
	int i;

	for_each_set_bit(i, &val, len * 8) {
		struct vgic_irq *irq = vgic_get_irq(vcpu->kvm, vcpu, intid + i);

		raw_spin_lock_irqsave(&irq->irq_lock, flags);
		irq->enabled = true;
		vgic_queue_irq_unlock(vcpu->kvm, irq, flags);
	}
}
"""
MMIO_V2 = """#include "vgic.h"
static unsigned long read_priority(struct kvm_vcpu *vcpu, gpa_t addr, unsigned int len)
{
	u32 intid = addr & 1023;
	u64 val = 0;
	int i;

	for (i = 0; i < len; i++)
		val |= (u64)vgic_get_irq(vcpu->kvm, vcpu, intid + i)->source << (i * 8);
	return val;
}

static const struct vgic_register_region dist_registers[] = {
	{ .reg_offset = 0x100, .len = 128, .bits_per_irq = 1, .access_flags = 2,
	  .read = vgic_mmio_read_enable, .write = vgic_mmio_write_enable },
	{ .reg_offset = 0x400, .len = 1024, .bits_per_irq = 8, .access_flags = 3, .read = read_priority },
};

unsigned int vgic_v2_init_dist_iodev(struct vgic_io_device *dev)
{
	dev->regions = dist_registers;
	dev->nr_regions = ARRAY_SIZE(dist_registers);
	return SZ_4K;
}
"""
FILES = {"vgic.h": OWN, "vgic.c": VGIC, "vgic-v2.c": V2, "vgic-mmio.c": MMIO, "vgic-mmio-v2.c": MMIO_V2}
SOURCE = f"{FOLDER}/vgic-mmio-v2.c"


def source(**changed: str) -> Source:
    """Put the tree together, with another text for some file: its name without `.c`, and `_` for `-`."""
    texts = {name: changed.get(name.removesuffix(".c").replace("-", "_"), text) for name, text in FILES.items()}
    files = {"include/kvm/arm_vgic.h": HEADER, **{f"{FOLDER}/{name}": text for name, text in texts.items()}}
    return Source("text", Texts(files), (SOURCE,))


@cache
def good() -> dict[tuple[str, str], Obligation]:
    """What is said of the tree as it stands above."""
    found = check(source(), (), Runner(Portfolio(20), 1))
    return {(o.subject, o.property): o for o in found.obligations}


def judged(given: Source, function: str, kind: str) -> Obligation:
    """Judge one property of one function of a tree, by itself or from outside."""
    reading = reading_of(given, SOURCE)
    assert not reading.unread, reading.unread
    promise = next((p for p in promised(reading.program, function) if p.property == kind), None)
    asked = ((kind, function),) if promise else tuple((k, function) for k in rules.RULES)
    found = rules.judge(rules.Job(reading, vgic.Context(function), asked, Portfolio(20), promise))
    return next(o for o in found if o.property == kind)


ANY_ARGUMENTS = {"vgic_get_irq", "vgic_queue_irq_unlock", "vgic_v2_populate_lr", "vgic_v3_fold_lr_state"}
"""Functions that are not proved for all arguments: no interrupt, a lock that is not held, a list register too many."""


def test_the_files_of_a_gicv2_are_one_text_of_64_bits() -> None:
    """They are read together, and what the host's GICv2 has not, a body for the GICv3 or LPIs, is not missed."""
    found, reading = good(), reading_of(source(), SOURCE)
    assert reading.program.pointer_bits == 64 and not reading.unread
    assert [o for o in found.values() if o.verdict is not Verdict.PROVED and o.subject not in ANY_ARGUMENTS] == []
    assert found["vgic_v2_save", "in-bounds"].bounds.endswith("INTID 0..255, pointers of 64 bits")
    told = {a.text for a in found["kvm_vgic_sync_hwstate", "no-undefined"].assumptions}
    assert told >= {"the host has a GICv2", "used_lrs is at most 64", "nr_spis is 224, the size that is looked at"}
    told = {a.text for a in found["read_priority", "no-undefined"].assumptions}
    assert "an access is aligned, to a register that the accessor is for, and to an interrupt that there is" in told


def test_what_stands_in_the_way_is_named() -> None:
    """An LPI may be asked for by whoever else calls, and where it would be found is not known."""
    refused = good()["vgic_get_irq", "in-bounds"]
    assert refused.verdict is Verdict.UNSUPPORTED and "vgic_get_lpi() is neither" in refused.reason
    assert refused.location is not None and refused.location.file == f"{FOLDER}/vgic.c"
    assert good()["kvm_vgic_sync_hwstate", "no-undefined"].verdict is Verdict.PROVED


def test_the_files_are_not_read_twice(tmp_path: Path) -> None:
    """Of a tree only one of the files that are read together is a source, and what is not read with them."""
    (tmp_path / FOLDER).mkdir(parents=True)
    for name in (*FILES, "vgic-its.c"):
        (tmp_path / FOLDER / name).write_text("")
    assert find(str(tmp_path)).paths == (f"{FOLDER}/vgic-its.c", SOURCE)


FAULTS = {
    "more list registers than there are": ("vgic_v2", "lr < cpuif->used", "lr <= cpuif->used", "vgic_v2_fold_lr_state", "in-bounds"),
    "an interrupt that there is not": ("vgic_v2", "val & 0x3ff)", "(val & 0x3ff) + 1)", "vgic_v2_fold_lr_state", "no-undefined"),
    "a lock that a loop keeps": (
        "vgic_v2", "\t\traw_spin_unlock(&irq->irq_lock);\n", "", "vgic_v2_fold_lr_state", "locks-balanced"),
    "a source that is no vCPU": ("vgic_v2", "1 << from", "1 << (from * 5)", "vgic_v2_fold_lr_state", "no-undefined"),
    "an interrupt renamed": (
        "vgic_v2", "irq->active = !!", "irq->intid = 3, irq->active = !!", "vgic_v2_fold_lr_state", "representation-kept"),
    "a shift of 32 bits": ("vgic_v2", "1UL << i", "1U << i", "vgic_v2_save", "no-undefined"),
    "a register outside of GICH": ("vgic_v2", "0x100 + (i * 4)", "0x100 + (i * 64)", "vgic_v2_save", "in-bounds"),
    "an interrupt too many": ("vgic_mmio", "i < len * 8; i++)", "i <= len * 8; i++)", "vgic_mmio_read_enable", "no-undefined"),
    "interrupts left off": (
        "vgic", "\traw_spin_unlock_irqrestore(&vcpu->arch.vgic_cpu.ap_list_lock, flags);",
        "\traw_spin_unlock(&vcpu->arch.vgic_cpu.ap_list_lock);", "vgic_mmio_write_enable", "locks-balanced"),
    "no vCPU to queue it to": ("vgic", "irq->vcpu || !vcpu", "irq->vcpu", "vgic_queue_irq_unlock", "no-undefined"),
    "a walk that keeps a lock": (
        "vgic", "\t\traw_spin_unlock(&irq->irq_lock);\n\t\tif", "\t\tif", "vgic_pending", "locks-balanced"),
    "a shift by more than there is": ("vgic_mmio_v2", "(i * 8)", "(i * 32)", "read_priority", "no-undefined"),
    "an access that is not looked up": ("vgic_mmio_v2", "addr & 1023", "addr & 4095", "read_priority", "no-undefined"),
}  # fmt: skip
"""In which file what is replaced by what, and which function then breaks which property."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_not_missed(name: str) -> None:
    """A function with a fault is not proved."""
    file, right, wrong, function, kind = FAULTS[name]
    text = {"vgic": VGIC, "vgic_v2": V2, "vgic_mmio": MMIO, "vgic_mmio_v2": MMIO_V2}[file]
    assert right in text
    assert good()[function, kind].verdict is Verdict.PROVED
    found = judged(source(**{file: text.replace(right, wrong)}), function, kind)
    assert found.verdict in (Verdict.REFUTED, Verdict.UNKNOWN), found


def test_of_an_access_to_another_frame_nothing_is_assumed() -> None:
    """A table is believed only of registers of one frame of 4 KB, and of functions that are called as accessors are."""
    for right, wrong in (("reg_offset = 0x400", "reg_offset = 0x1400"), (".read = read_priority", ".read = NULL")):
        assert right in MMIO_V2
        found = judged(source(vgic_mmio_v2=MMIO_V2.replace(right, wrong)), "read_priority", "no-undefined")
        assert found.verdict is Verdict.UNSUPPORTED and "vgic_get_lpi()" in found.reason


ILLEGAL = {
    "an interrupt of the hardware": ("\t\tif (irq->active)\n\t\t\tallowed = false;\n", ""),
    "a level interrupt": ("irq->config == VGIC_CONFIG_LEVEL && irq->active", "0"),
    "flags of which half is looked at": ("BIT(0)", "BIT(0) << 40"),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_illegal_list_register_is_refuted(name: str) -> None:
    """What is written to a list register is judged by itself; a run shows one that is active and pending."""
    right, wrong = ILLEGAL[name]
    assert right in V2 and good()["vgic_v2_populate_lr", "lr-state-legal"].verdict is Verdict.PROVED
    found = judged(source(vgic_v2=V2.replace(right, wrong)), "vgic_v2_populate_lr", "lr-state-legal")
    harmless = name.startswith("flags")
    assert found.verdict is (Verdict.PROVED if harmless else Verdict.REFUTED), found
    assert harmless or (found.run is not None and found.run.replayed == ("python",))


FIRST = "return vcpu->arch.vgic_cpu.vgic_v2.vgic_lr[0];"


def test_a_union_is_seen_through_members_that_share_nothing() -> None:
    """What lies behind the GICv2's half may be read as the GICv3's; what lies in it may not."""
    assert good()["vgic_pending", "in-bounds"].verdict is Verdict.PROVED
    inside = VGIC.replace("vgic_v3.behind", "vgic_v3.vgic_sre").replace("return pending;", FIRST)
    found = judged(source(vgic=inside), "vgic_pending", "in-bounds")
    assert found.verdict is Verdict.UNSUPPORTED and "seen through vgic_v3 and through vgic_v2" in found.reason
