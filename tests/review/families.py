"""Families of variants of the good example: rewrites that mean the same, and one-token changes that do not.

Each variant is a list of textual edits of one function with what it needs, put into a diff of its own and reviewed for
a kernel of 128 interrupts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from proofs.generations import october_2012
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Obligation
from vgicheck.review.fragments import Piece, all_pieces
from vgicheck.review.patch import read_patch
from vgicheck.review.review import review

GOOD = Path(__file__).resolve().parents[2] / "examples" / "good-vgic-init.patch"
HANDLER = "vgic_maintenance_handler"
VCPU = "kvm_vgic_vcpu_init"
ENABLE = "vgic_init_maintenance_interrupt"
HYP = "kvm_vgic_hyp_init"
VM = "kvm_vgic_init"
TIMEOUT = 30.0
JOBS = 2

Edits = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """Edits (old text, new text) of a function's fragment; `refuted` is the property that they break, if any."""

    name: str
    function: str
    edits: Edits
    refuted: str = ""

    def __str__(self) -> str:
        return f"{self.function}-{self.name}".replace(" ", "-")


@cache
def pieces() -> Mapping[str, Piece]:
    """Return the pieces of vgic.c in the good example, in their order."""
    patch = read_patch(GOOD.read_bytes(), GOOD.name)
    wanted = ("define", "declaration", "function")
    return {p.name: p for p in all_pieces(patch) if p.kind in wanted and p.file.endswith("vgic.c")}


@cache
def fragment(function: str) -> str:
    """Return the C of a function and of all that it names; the handler is only declared to the others."""
    known = pieces()
    needed: set[str] = set()
    waiting = [function]
    while waiting:
        name = waiting.pop()
        if name in needed or (name == HANDLER != function):
            continue
        needed.add(name)
        waiting += [word for word in re.findall(r"\w+", known[name].text) if word in known]
    texts = ["#define VGIC_NR_IRQS 128"]
    if function != HANDLER:
        texts.append(f"static irqreturn_t {HANDLER}(int irq, void *data);")
    return "\n".join([*texts, *(p.text for p in known.values() if p.name in needed)])


def edited(variant: Variant) -> str:
    """Return the fragment with the edits made. Raises `ValueError` for an old text that does not stand there once."""
    text = fragment(variant.function)
    for old, new in variant.edits:
        if text.count(old) != 1:
            raise ValueError(f"{variant}: {old!r} stands there {text.count(old)} times")
        text = text.replace(old, new)
    return text


def diff(text: str) -> bytes:
    """Return a diff that adds a file of this text."""
    lines = text.split("\n")
    header = f"--- /dev/null\n+++ b/arch/arm/kvm/vgic.c\n@@ -0,0 +1,{len(lines)} @@\n"
    return (header + "".join(f"+{line}\n" for line in lines)).encode()


def judged(text: str, function: str, sizes: int | None = 1) -> dict[str, Obligation]:
    """Review the text alone and return the function's obligations by property, of the smallest `sizes`; None is all."""
    patch = read_patch(diff(text), "variant")
    kernel = october_2012()
    kernel = replace(kernel, sizes=kernel.sizes[:sizes])
    found = review(patch, kernel, Runner(Portfolio(TIMEOUT), JOBS))
    return {o.property: o for o in found.obligations if o.subject == function}


EISR_LOOP = """\
		for_each_set_bit(lr, (unsigned long *)vgic_cpu->vgic_eisr,
				 vgic_cpu->nr_lr)
			vgic_retire_lr(vcpu, lr);
"""
UIE_BLOCK = """\
	if (vgic_cpu->vgic_misr & VGIC_MISR_U) {
		vgic_cpu->vgic_hcr &= ~VGIC_HCR_UIE;
		writel_relaxed(vgic_cpu->vgic_hcr, vgic_vctrl_base + GICH_HCR);
	}
"""
LR_WRITE = "writel_relaxed(word, dist->vctrl_base + GICH_LR0 + (lr << 2));"
ELRSR = "set_bit(lr, (unsigned long *)vgic_cpu->vgic_elrsr);"
CLEAR_ACTIVE = """\
	vgic_bitmap_set_irq_val(&dist->irq_active, vcpu->vcpu_id,
				word & VGIC_LR_VIRTUALID, 0);
"""
SGI_LOOP = """\
	for (i = 0; i < VGIC_NR_SGIS; i++)
		vgic_bitmap_set_irq_val(&dist->irq_enabled, id, i, 1);
"""
CFG_LOOP = """\
	for (i = 0; i < VGIC_NR_PRIVATE_IRQS; i++)
		vgic_bitmap_set_irq_val(&dist->irq_cfg, id, i, VGIC_CFG_EDGE);
"""
MAP_LOOP = """\
	for (i = 0; i < VGIC_NR_IRQS; i++)
		vgic_cpu->vgic_irq_lr_map[i] = LR_EMPTY;
"""
NR_LR = """\
	vtr = readl_relaxed(dist->vctrl_base + GICH_VTR);
	vgic_cpu->nr_lr = (vtr & VGIC_VTR_LIST_REGS) + 1;
"""
ID_CHECK = """\
	if (id < 0 || id >= VGIC_MAX_CPUS)
		return -EBUSY;
"""
IRQ_FOUND = """\
	vgic_node_irq = irq_of_parse_and_map(node, 0);
	if (!vgic_node_irq) {
		ret = -ENXIO;
		goto out_put;
	}
"""
MAP_OR_UNWIND = """\
	ret = vgic_map_gich(node);
	if (ret)
		goto out_unregister;
"""
UNWIND = """\
out_unregister:
	unregister_cpu_notifier(&vgic_cpu_nb);
out_free_irq:
	free_percpu_irq(vgic_node_irq, kvm_get_running_vcpus());
out_put:
	of_node_put(node);
"""
HYP_MAPPING = """\
	ret = create_hyp_io_mappings(base, base + size, res.start);
	if (ret) {
		kvm_err("VGIC: cannot map GICH in HYP mode\\n");
		iounmap(base);
		return ret;
	}

	vgic_vctrl_base = base;
	return 0;
"""
ON_EACH_CPU = "on_each_cpu(vgic_init_maintenance_interrupt, &vgic_cpu_nb, 1);"
BASE_FITS = "return !(base & ~PAGE_MASK) && base <= VGIC_GUEST_TOP - size;"
APART = "return d + KVM_VGIC_V2_DIST_SIZE <= c || c + KVM_VGIC_V2_CPU_SIZE <= d;"
BOTH_FIT = """\
	if (!vgic_base_fits(d, KVM_VGIC_V2_DIST_SIZE) ||
	    !vgic_base_fits(c, KVM_VGIC_V2_CPU_SIZE))
		return false;

	return d + KVM_VGIC_V2_DIST_SIZE <= c || c + KVM_VGIC_V2_CPU_SIZE <= d;
"""
TARGET_LOOP = """\
	for (spi = 0; spi < VGIC_NR_SHARED_IRQS; spi++) {
		dist->irq_spi_cpu[spi] = 0;
		set_bit(spi, dist->irq_spi_target[0].shared.reg_ul);
	}
"""
EXISTS = """\
	if (dist->vctrl_base || atomic_read(&kvm->online_vcpus)) {
		ret = -EEXIST;
		goto out;
	}
"""
BASES = """\
	if (!vgic_bases_fit(dist)) {
		ret = -EINVAL;
		goto out;
	}
"""
REMAP = """\
	ret = kvm_phys_addr_ioremap(kvm, dist->vgic_cpu_base, gicv.start,
				    KVM_VGIC_V2_CPU_SIZE);
	if (ret)
		goto out;
"""
PUBLISH = """\
	spin_lock_init(&dist->lock);
	vgic_default_targets(dist);
	dist->vgic_dist_size = KVM_VGIC_V2_DIST_SIZE;

	/* From here on irqchip_in_kernel() is true. */
	dist->vctrl_base = vgic_vctrl_base;

out:
"""

REWRITES: tuple[Variant, ...] = (
    Variant(
        "find next bit",
        HANDLER,
        (
            (
                EISR_LOOP,
                """\
	{
		unsigned long *ended = (unsigned long *)vgic_cpu->vgic_eisr;
		int n = vgic_cpu->nr_lr;

		lr = find_first_bit(ended, n);
		while (lr < n) {
			vgic_retire_lr(vcpu, lr);
			lr = find_next_bit(ended, n, lr + 1);
		}
	}
""",
            ),
        ),
    ),
    Variant(
        "test each bit",
        HANDLER,
        (
            (
                EISR_LOOP,
                """\
		for (lr = 0; lr < vgic_cpu->nr_lr; lr++)
			if (test_bit(lr, (unsigned long *)vgic_cpu->vgic_eisr))
				vgic_retire_lr(vcpu, lr);
""",
            ),
        ),
    ),
    Variant(
        "two words",
        HANDLER,
        (
            (
                EISR_LOOP,
                """\
		for (lr = 0; lr < VGIC_MAX_LRS; lr++) {
			u32 ended = vgic_cpu->vgic_eisr[lr >> 5];

			if (lr < vgic_cpu->nr_lr && (ended & (1U << (lr & 31))))
				vgic_retire_lr(vcpu, lr);
		}
""",
            ),
        ),
    ),
    Variant(
        "counting down",
        HANDLER,
        (
            (
                EISR_LOOP,
                """\
		for (lr = vgic_cpu->nr_lr - 1; lr >= 0; lr--)
			if (test_bit(lr, (unsigned long *)vgic_cpu->vgic_eisr))
				vgic_retire_lr(vcpu, lr);
""",
            ),
        ),
    ),
    Variant(
        "nested instead of early return",
        HANDLER,
        (
            (
                """\
	if (!vgic_is_live(vcpu)) {
		writel_relaxed(0, vgic_vctrl_base + GICH_HCR);
		return IRQ_HANDLED;
	}

	vgic_cpu = &vcpu->arch.vgic_cpu;
""",
                """\
	if (vgic_is_live(vcpu))
		goto live;
	writel_relaxed(0, vgic_vctrl_base + GICH_HCR);
	goto out;
live:
	vgic_cpu = &vcpu->arch.vgic_cpu;
""",
            ),
            ("	return IRQ_HANDLED;\n}", "out:\n	return IRQ_HANDLED;\n}"),
        ),
    ),
    Variant(
        "assignments and temporaries",
        HANDLER,
        (
            (
                UIE_BLOCK,
                """\
	if ((vgic_cpu->vgic_misr & VGIC_MISR_U) == VGIC_MISR_U) {
		u32 hcr = vgic_cpu->vgic_hcr & ~VGIC_HCR_UIE;

		vgic_cpu->vgic_hcr = hcr;
		writel(hcr, vgic_vctrl_base);
	}
""",
            ),
            ("word &= ~VGIC_LR_EOI;", "word = word & ~VGIC_LR_EOI;"),
            (ELRSR, "vgic_cpu->vgic_elrsr[lr / 32] |= 1U << (lr % 32);"),
        ),
    ),
    Variant(
        "helpers inlined",
        HANDLER,
        (
            ("if (!vgic_is_live(vcpu)) {", "if (!vcpu || __get_cpu_var(vgic_live_vcpu) != vcpu) {"),
            (
                CLEAR_ACTIVE,
                """\
	if ((word & VGIC_LR_VIRTUALID) < VGIC_NR_PRIVATE_IRQS)
		clear_bit(word & VGIC_LR_VIRTUALID, dist->irq_active.percpu[vcpu->vcpu_id].reg_ul);
	else
		clear_bit((word & VGIC_LR_VIRTUALID) - VGIC_NR_PRIVATE_IRQS, dist->irq_active.shared.reg_ul);
""",
            ),
        ),
    ),
    # Nine bits hold every identifier of a kernel of 128 interrupts.
    Variant("narrow mask", HANDLER, (("word & VGIC_LR_VIRTUALID, 0);", "word & 0x1ff, 0);"),)),
    Variant(
        "underflow first",
        HANDLER,
        (
            (UIE_BLOCK, ""),
            (
                "	if (vgic_cpu->vgic_misr & VGIC_MISR_EOI)\n",
                UIE_BLOCK + "\n	if (vgic_cpu->vgic_misr & VGIC_MISR_EOI)\n",
            ),
        ),
    ),
    Variant(
        "one loop",
        VCPU,
        (
            (
                SGI_LOOP + "\n" + CFG_LOOP + "\n" + MAP_LOOP,
                """\
	for (i = 0; i < VGIC_NR_IRQS; i++) {
		if (i < VGIC_NR_SGIS)
			vgic_bitmap_set_irq_val(&dist->irq_enabled, id, i, 1);
		if (i < VGIC_NR_PRIVATE_IRQS)
			vgic_bitmap_set_irq_val(&dist->irq_cfg, id, i, 1);
		vgic_cpu->vgic_irq_lr_map[i] = LR_EMPTY;
	}
""",
            ),
        ),
    ),
    Variant(
        "counting down",
        VCPU,
        ((MAP_LOOP, "	for (i = VGIC_NR_IRQS; i--; )\n		vgic_cpu->vgic_irq_lr_map[i] = LR_EMPTY;\n"),),
    ),
    Variant(
        "do while",
        VCPU,
        (
            (
                CFG_LOOP,
                """\
	i = 0;
	do {
		set_bit(i, dist->irq_cfg.percpu[id].reg_ul);
	} while (++i != VGIC_NR_PRIVATE_IRQS);
""",
            ),
        ),
    ),
    Variant(
        "whole words",
        VCPU,
        (
            (SGI_LOOP, "	dist->irq_enabled.percpu[id].reg[0] |= 0xffff;\n"),
            (CFG_LOOP, "	dist->irq_cfg.percpu[id].reg[0] = ~0;\n"),
        ),
    ),
    Variant("unsigned id", VCPU, ((ID_CHECK, "	if ((unsigned int)id >= VGIC_MAX_CPUS)\n		return -EBUSY;\n"),)),
    Variant(
        "register by number",
        VCPU,
        (
            (
                NR_LR,
                """\
	{
		void __iomem *gich = dist->vctrl_base;

		vtr = readl(gich + 1 * sizeof(u32));
		vgic_cpu->nr_lr = 1;
		vgic_cpu->nr_lr += vtr % 64;
	}
""",
            ),
        ),
    ),
    Variant("flag added", VCPU, (("vgic_cpu->vgic_hcr = VGIC_HCR_EN;", "vgic_cpu->vgic_hcr |= VGIC_HCR_EN;"),)),
    Variant("signed shift, as the kernel has it", VCPU, (("(0x1fu << 27)", "(0x1f << 27)"),)),
    Variant("renamed", VCPU, (("	u32 vtr;\n", "	u32 word;\n"), (NR_LR, NR_LR.replace("vtr", "word")))),
    Variant(
        "callback inlined",
        ENABLE,
        (("vgic_cpu_notify(info, CPU_STARTING, NULL);", "enable_percpu_irq(vgic_node_irq, 0);"),),
    ),
    Variant(
        "if for switch",
        ENABLE,
        (
            (
                """\
	switch (action) {
	case CPU_STARTING:
	case CPU_STARTING_FROZEN:
		enable_percpu_irq(vgic_node_irq, 0);
		break;
	case CPU_DYING:
	case CPU_DYING_FROZEN:
		disable_percpu_irq(vgic_node_irq);
		break;
	}
""",
                """\
	if (action == CPU_STARTING || action == CPU_STARTING_FROZEN)
		enable_percpu_irq(vgic_node_irq, 0);
	else if (action == CPU_DYING || action == CPU_DYING_FROZEN)
		disable_percpu_irq(vgic_node_irq);
""",
            ),
        ),
    ),
    Variant(
        "released where it fails",
        HYP,
        (
            (
                MAP_OR_UNWIND,
                """\
	ret = vgic_map_gich(node);
	if (ret) {
		unregister_cpu_notifier(&vgic_cpu_nb);
		goto out_free_irq;
	}
""",
            ),
            ("out_unregister:\n	unregister_cpu_notifier(&vgic_cpu_nb);\n", ""),
        ),
    ),
    Variant(
        "errors by expression",
        HYP,
        (
            (
                IRQ_FOUND,
                """\
	vgic_node_irq = irq_of_parse_and_map(node, 0);
	ret = vgic_node_irq ? 0 : -ENXIO;
	if (ret)
		goto out_put;
""",
            ),
        ),
    ),
    Variant(
        "good path nested",
        HYP,
        (
            (
                HYP_MAPPING,
                """\
	ret = create_hyp_io_mappings(base, base + size, res.start);
	if (!ret)
		vgic_vctrl_base = base;
	else
		iounmap(base);

	return ret;
""",
            ),
        ),
    ),
    Variant("own start and end", HYP, (("size = resource_size(&res);", "size = res.end - res.start + 1;"),)),
    Variant(
        "interrupt named when done",
        HYP,
        (
            (
                "	struct device_node *node;\n	int ret;\n",
                "	struct device_node *node = NULL;\n	int ret = 0;\n",
            ),
            ("	vgic_node = node;\n	" + ON_EACH_CPU, "	" + ON_EACH_CPU + "\n	vgic_node = node;"),
        ),
    ),
    Variant(
        "early return before the lock",
        VM,
        (
            (
                "	if (!vgic_vctrl_base)\n		return -ENODEV;\n\n	mutex_lock(&kvm->lock);\n",
                """\
	mutex_lock(&kvm->lock);

	ret = -ENODEV;
	if (!vgic_vctrl_base)
		goto out;
""",
            ),
        ),
    ),
    Variant(
        "swapped operands",
        VM,
        (
            (
                "dist->vctrl_base || atomic_read(&kvm->online_vcpus)",
                "atomic_read(&kvm->online_vcpus) != 0 || irqchip_in_kernel(kvm)",
            ),
            (APART, "return c >= d + KVM_VGIC_V2_DIST_SIZE || d >= c + KVM_VGIC_V2_CPU_SIZE;"),
        ),
    ),
    Variant(
        "masks and shifts",
        VM,
        ((BASE_FITS, "return !(base & 0xfff) && !((base + size - 1) >> 40) && base < base + size;"),),
    ),
    Variant(
        "checks nested",
        VM,
        (
            (
                BOTH_FIT,
                """\
	if (vgic_base_fits(d, KVM_VGIC_V2_DIST_SIZE)) {
		if (vgic_base_fits(c, KVM_VGIC_V2_CPU_SIZE)) {
			if (d < c)
				return c - d >= KVM_VGIC_V2_DIST_SIZE;
			return d - c >= KVM_VGIC_V2_CPU_SIZE;
		}
	}
	return false;
""",
            ),
        ),
    ),
    Variant(
        "targets by interrupt",
        VM,
        (
            (
                TARGET_LOOP,
                """\
	for (spi = VGIC_NR_PRIVATE_IRQS; spi < VGIC_NR_IRQS; spi++) {
		vgic_bitmap_set_irq_val(&dist->irq_spi_target[0], 0, spi, 1);
		dist->irq_spi_cpu[spi - VGIC_NR_PRIVATE_IRQS] = 0;
	}
""",
            ),
        ),
    ),
    Variant(
        "targets with a pointer",
        VM,
        (
            (
                TARGET_LOOP,
                """\
	u32 *words = dist->irq_spi_target[0].shared.reg;

	for (spi = 0; spi < VGIC_NR_SHARED_IRQS; spi++)
		dist->irq_spi_cpu[spi] = 0;
	for (spi = 0; spi < VGIC_NR_SHARED_IRQS / 32; spi++)
		words[spi] = 0xffffffff;
""",
            ),
        ),
    ),
    Variant(
        "published under success",
        VM,
        (
            (
                REMAP + "\n" + PUBLISH,
                """\
	ret = kvm_phys_addr_ioremap(kvm, dist->vgic_cpu_base, gicv.start,
				    KVM_VGIC_V2_CPU_SIZE);
	if (ret == 0) {
		spin_lock_init(&dist->lock);
		vgic_default_targets(dist);
		dist->vgic_dist_size = 0x1000;
		dist->vctrl_base = vgic_vctrl_base;
	}

out:
""",
            ),
        ),
    ),
)
"""Each means what the good example means."""

CHANGES: tuple[Variant, ...] = (
    Variant("wrong mask", HANDLER, (("word & VGIC_LR_VIRTUALID, 0);", "word & 0x3f, 0);"),), "eoi-clears-active"),
    Variant(
        "set for clear",
        HANDLER,
        (("word & VGIC_LR_VIRTUALID, 0);", "word & VGIC_LR_VIRTUALID, 1);"),),
        "eoi-clears-active",
    ),
    Variant(
        "wrong bank", HANDLER, (("&dist->irq_active, vcpu->vcpu_id,", "&dist->irq_active, 0,"),), "eoi-clears-active"
    ),
    Variant("wrong bitmap", HANDLER, (("&dist->irq_active,", "&dist->irq_enabled,"),), "eoi-clears-active"),
    Variant("missing negation", HANDLER, (("word &= ~VGIC_LR_EOI;", "word &= VGIC_LR_EOI;"),), "eoi-clears-lr-eoi"),
    Variant("wrong bit", HANDLER, (("word &= ~VGIC_LR_EOI;", "word &= ~VGIC_LR_PENDING_BIT;"),), "eoi-clears-lr-eoi"),
    Variant("wrong stride", HANDLER, (("(lr << 2)", "(lr << 1)"),), "lr-shadow-matches-register"),
    Variant(
        "shadow not written", HANDLER, (("	vgic_cpu->vgic_lr[lr] = word;\n", ""),), "lr-shadow-matches-register"
    ),
    Variant("not invalid", HANDLER, (("if (!(word & VGIC_LR_STATE))", "if (word & VGIC_LR_STATE)"),), "eoi-frees-lr"),
    Variant(
        "wrong marking", HANDLER, (("vgic_misr & VGIC_MISR_EOI)", "vgic_misr & VGIC_MISR_U)"),), "eoi-clears-active"
    ),
    Variant("wrong flag", HANDLER, (("&= ~VGIC_HCR_UIE;", "&= ~VGIC_HCR_EN;"),), "underflow-clears-uie"),
    Variant("or for and", HANDLER, (("return vcpu && vcpu ==", "return vcpu || vcpu =="),), "handler-right-vcpu"),
    Variant(
        "left on",
        HANDLER,
        (("writel_relaxed(0, vgic_vctrl_base", "writel_relaxed(1, vgic_vctrl_base"),),
        "handler-without-vcpu",
    ),
    Variant("too few SGIs", VCPU, (("i < VGIC_NR_SGIS;", "i < VGIC_NR_SGIS - 1;"),), "vcpu-init-clean"),
    Variant("too many SGIs", VCPU, (("i < VGIC_NR_SGIS;", "i <= VGIC_NR_SGIS;"),), "refines-model"),
    Variant("wrong bank", VCPU, (("&dist->irq_enabled, id, i, 1", "&dist->irq_enabled, 0, i, 1"),), "vcpu-init-clean"),
    Variant(
        "swapped arguments",
        VCPU,
        (("&dist->irq_cfg, id, i, VGIC_CFG_EDGE", "&dist->irq_cfg, i, id, VGIC_CFG_EDGE"),),
        "in-bounds",
    ),
    Variant("level for edge", VCPU, (("VGIC_CFG_EDGE", "VGIC_CFG_LEVEL"),), "vcpu-init-clean"),
    Variant("one too many", VCPU, (("i < VGIC_NR_IRQS;", "i <= VGIC_NR_IRQS;"),), "in-bounds"),
    Variant(
        "one too few", VCPU, (("for (i = 0; i < VGIC_NR_IRQS;", "for (i = 1; i < VGIC_NR_IRQS;"),), "vcpu-init-clean"
    ),
    Variant(
        "off by one", VCPU, (("(vtr & VGIC_VTR_LIST_REGS) + 1", "(vtr & VGIC_VTR_LIST_REGS)"),), "vcpu-init-lr-count"
    ),
    Variant(
        "wrong register", VCPU, (("dist->vctrl_base + GICH_VTR", "dist->vctrl_base + GICH_VMCR"),), "vcpu-init-lr-count"
    ),
    Variant("wrong limit", VCPU, (("id >= VGIC_MAX_CPUS", "id > VGIC_MAX_CPUS"),), "in-bounds"),
    Variant("negative id", VCPU, (("id < 0 || id >= VGIC_MAX_CPUS", "id >= VGIC_MAX_CPUS"),), "in-bounds"),
    Variant("wrong errno", VCPU, (("return -EBUSY;", "return -EINVAL;"),), "refines-model"),
    Variant(
        "wrong flag",
        VCPU,
        (("vgic_cpu->vgic_hcr = VGIC_HCR_EN;", "vgic_cpu->vgic_hcr = VGIC_HCR_UIE;"),),
        "vcpu-init-clean",
    ),
    Variant("wrong priority", VCPU, (("(0x1fu << 27)", "(0x1fu << 26)"),), "vcpu-init-clean"),
    Variant(
        "shift out of range",
        ENABLE,
        (("enable_percpu_irq(vgic_node_irq, 0);", "enable_percpu_irq(1 << vgic_node_irq, 0);"),),
        "no-undefined",
    ),
    Variant(
        "interrupts left off",
        ENABLE,
        (("	vgic_cpu_notify(info,", "	local_irq_disable();\n	vgic_cpu_notify(info,"),),
        "locks-balanced",
    ),
    Variant(
        "bug on no interrupt",
        ENABLE,
        (("	vgic_cpu_notify(info,", "	BUG_ON(!vgic_node_irq);\n	vgic_cpu_notify(info,"),),
        "bug-on-unreachable",
    ),
    Variant(
        "wrong action",
        HYP,
        (("vgic_cpu_notify(info, CPU_STARTING, NULL);", "vgic_cpu_notify(info, CPU_DYING, NULL);"),),
        "maintenance-on-every-cpu",
    ),
    Variant("wrong errno", HYP, (("ret = -ENXIO;", "ret = -ENODEV;"),), "refines-model"),
    Variant("success for failure", HYP, (("return -ENOMEM;", "return 0;"),), "refines-model"),
    Variant("missing negation", HYP, (("if (!vgic_node_irq) {", "if (vgic_node_irq) {"),), "refines-model"),
    Variant(
        "wrong resource",
        HYP,
        (("of_address_to_resource(node, 2, &res)", "of_address_to_resource(node, 3, &res)"),),
        "refines-model",
    ),
    Variant("mapping leaked", HYP, (("		iounmap(base);\n", ""),), "hyp-init-unwinds"),
    Variant("node leaked", HYP, (("out_put:\n	of_node_put(node);\n", "out_put:\n"),), "hyp-init-unwinds"),
    Variant(
        "node put twice",
        HYP,
        (('	kvm_info("VGIC: %s, interrupt', '	of_node_put(node);\n	kvm_info("VGIC: %s, interrupt'),),
        "refines-model",
    ),
    Variant(
        "wrong order of release",
        HYP,
        (("		goto out_unregister;\n", "		goto out_free_irq;\n"),),
        "hyp-init-unwinds",
    ),
    Variant(
        "released too much",
        HYP,
        (
            (
                "		goto out_free_irq;\n	}\n\n	ret = vgic_map",
                "		goto out_unregister;\n	}\n\n	ret = vgic_map",
            ),
        ),
        "hyp-init-unwinds",
    ),
    Variant(
        "on this CPU only",
        HYP,
        ((ON_EACH_CPU, "vgic_init_maintenance_interrupt(&vgic_cpu_nb);"),),
        "maintenance-on-every-cpu",
    ),
    Variant("node not kept", HYP, (("	vgic_node = node;\n", ""),), "refines-model"),
    Variant(
        "old pointer kept",
        HYP,
        (("	vgic_vctrl_base = NULL;\n	vgic_node = NULL;\n", "	vgic_node = NULL;\n"),),
        "refines-model",
    ),
    Variant("wrong errno", VM, (("ret = -EEXIST;", "ret = -EBUSY;"),), "vm-init-once"),
    Variant("and for or", VM, (("dist->vctrl_base || atomic", "dist->vctrl_base && atomic"),), "vm-init-once"),
    Variant("missing negation", VM, (("if (!vgic_vctrl_base)", "if (vgic_vctrl_base)"),), "vm-init-needs-probe"),
    Variant(
        "wrong resource",
        VM,
        (("of_address_to_resource(vgic_node, 3, &gicv)", "of_address_to_resource(vgic_node, 2, &gicv)"),),
        "vm-maps-only-gicv",
    ),
    Variant(
        "wrong address",
        VM,
        (("kvm, dist->vgic_cpu_base, gicv.start", "kvm, dist->vgic_dist_base, gicv.start"),),
        "vm-address-parameterised",
    ),
    Variant(
        "swapped arguments",
        VM,
        (("kvm, dist->vgic_cpu_base, gicv.start", "kvm, gicv.start, dist->vgic_cpu_base"),),
        "vm-maps-only-gicv",
    ),
    Variant(
        "too large",
        VM,
        (
            (
                "gicv.start,\n				    KVM_VGIC_V2_CPU_SIZE",
                "gicv.start,\n				    2 * KVM_VGIC_V2_CPU_SIZE",
            ),
        ),
        "vm-maps-only-gicv",
    ),
    Variant(
        "overlap by one byte",
        VM,
        (("d + KVM_VGIC_V2_DIST_SIZE <= c ||", "d + KVM_VGIC_V2_DIST_SIZE <= c + PAGE_SIZE ||"),),
        "vm-address-parameterised",
    ),
    Variant("wrong mask", VM, (("!(base & ~PAGE_MASK)", "!(base & PAGE_MASK)"),), "vm-address-parameterised"),
    Variant(
        "less for less or equal",
        VM,
        (("base <= VGIC_GUEST_TOP - size", "base < VGIC_GUEST_TOP - size"),),
        "refines-model",
    ),
    Variant(
        "one page short",
        VM,
        (("- gicv->start >= KVM_VGIC_V2_CPU_SIZE - 1", "- gicv->start >= PAGE_SIZE - 1"),),
        "vm-maps-only-gicv",
    ),
    Variant(
        "one target short",
        VM,
        (("spi < VGIC_NR_SHARED_IRQS;", "spi < VGIC_NR_SHARED_IRQS - 1;"),),
        "targets-before-vcpus",
    ),
    Variant("one target too many", VM, (("spi < VGIC_NR_SHARED_IRQS;", "spi <= VGIC_NR_SHARED_IRQS;"),), "in-bounds"),
    Variant("wrong target", VM, (("dist->irq_spi_target[0]", "dist->irq_spi_target[1]"),), "targets-before-vcpus"),
    Variant(
        "wrong vCPU", VM, (("dist->irq_spi_cpu[spi] = 0;", "dist->irq_spi_cpu[spi] = 1;"),), "targets-before-vcpus"
    ),
    Variant("lock kept", VM, (("	mutex_unlock(&kvm->lock);\n", ""),), "locks-balanced"),
    Variant("never published", VM, (("	dist->vctrl_base = vgic_vctrl_base;\n", ""),), "vm-init-once"),
    Variant("failure published", VM, (("	if (ret)\n		goto out;\n", ""),), "vm-init-leaves-no-trace"),
)
"""Each breaks the property that it names."""
