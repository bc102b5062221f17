/*
 * A small VGIC in the kernel's manner, written to be checked: everything that is asked of it is proved.
 */
#include <linux/kvm_host.h>
#include <linux/interrupt.h>
#include "kvm_vgic.h"

static void __iomem *vgic_vctrl_base;
static struct device_node *vgic_node;
static unsigned int vgic_maint_irq;

static void vgic_update_state(struct kvm *kvm);

static int vgic_test(struct vgic_bitmap *map, int cpu, int irq)
{
	if (irq < VGIC_NR_PRIVATE_IRQS)
		return test_bit(irq, vgic_bank(map, cpu));
	return test_bit(irq - VGIC_NR_PRIVATE_IRQS, map->shared.reg_ul);
}

static void vgic_assign(struct vgic_bitmap *map, int cpu, int irq, int val)
{
	unsigned long *bits = vgic_bank(map, cpu);

	if (irq >= VGIC_NR_PRIVATE_IRQS) {
		irq -= VGIC_NR_PRIVATE_IRQS;
		bits = map->shared.reg_ul;
	}
	if (val)
		set_bit(irq, bits);
	else
		clear_bit(irq, bits);
}

static u32 *vgic_word(struct vgic_bitmap *map, int cpu, u32 offset)
{
	u32 word = offset / 4;

	return word ? &map->shared.reg[word - 1] : map->percpu[cpu].reg;
}

static u32 *vgic_byte(struct vgic_bytemap *map, int cpu, u32 offset)
{
	u32 word = offset / 4;

	if (word < VGIC_NR_PRIVATE_IRQS / 4)
		return map->percpu[cpu] + word;
	return map->shared + word - VGIC_NR_PRIVATE_IRQS / 4;
}

#define VGIC_IIDR	0x4b00043b	/* an implementer, Arm, and a product that is none of theirs */

enum vgic_access { READ_ONLY, READ_SET, READ_CLEAR, READ_WRITE };

/* Lets the guest at a register, of which it may name any bytes that do not cross a word. */
static void vgic_access(struct kvm_exit_mmio *mmio, u32 *reg, phys_addr_t offset, enum vgic_access how)
{
	int shift = (offset & 3) * 8;
	u32 mask = mmio->len < 4 ? (1U << (mmio->len * 8)) - 1 : ~0U;
	u32 *data = (u32 *)mmio->data;
	u32 value;

	if (!mmio->is_write) {
		*data = reg ? (*reg >> shift) & mask : 0;
		return;
	}
	value = (*data & mask) << shift;
	switch (how) {
	case READ_SET:
		*reg |= value;
		break;
	case READ_CLEAR:
		*reg &= ~value;
		break;
	case READ_WRITE:
		*reg = (*reg & ~(mask << shift)) | value;
		break;
	case READ_ONLY:
		break;
	}
}

static bool handle_ctlr(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, phys_addr_t offset)
{
	u32 reg = 0;

	switch (offset & ~3) {
	case 0:
		reg = vcpu->kvm->arch.vgic.enabled;
		vgic_access(mmio, &reg, offset, READ_WRITE);
		vcpu->kvm->arch.vgic.enabled = reg & 1;
		return mmio->is_write;
	case 4:
		reg = (u32)(atomic_read(&vcpu->kvm->online_vcpus) - 1) << 5 | (VGIC_NR_IRQS / 32 - 1);
		break;
	case 8:
		reg = VGIC_IIDR;
	}
	vgic_access(mmio, &reg, offset, READ_ONLY);
	return false;
}

static bool handle_raz_wi(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, phys_addr_t offset)
{
	vgic_access(mmio, NULL, offset, READ_ONLY);
	return false;
}

static bool handle_set_enable(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, phys_addr_t offset)
{
	vgic_access(mmio, vgic_word(&vcpu->kvm->arch.vgic.irq_enabled, vcpu->vcpu_id, offset), offset, READ_SET);
	return mmio->is_write;
}

static bool handle_clear_enable(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, phys_addr_t offset)
{
	u32 *reg = vgic_word(&vcpu->kvm->arch.vgic.irq_enabled, vcpu->vcpu_id, offset);

	vgic_access(mmio, reg, offset, READ_CLEAR);
	if (offset < 4)
		*reg |= 0xffff;
	return mmio->is_write;
}

static bool handle_set_pending(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, phys_addr_t offset)
{
	vgic_access(mmio, vgic_word(&vcpu->kvm->arch.vgic.irq_state, vcpu->vcpu_id, offset), offset, READ_SET);
	return mmio->is_write;
}

static bool handle_clear_pending(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, phys_addr_t offset)
{
	vgic_access(mmio, vgic_word(&vcpu->kvm->arch.vgic.irq_state, vcpu->vcpu_id, offset), offset, READ_CLEAR);
	return mmio->is_write;
}

static bool handle_priority(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, phys_addr_t offset)
{
	vgic_access(mmio, vgic_byte(&vcpu->kvm->arch.vgic.irq_priority, vcpu->vcpu_id, offset), offset, READ_WRITE);
	return false;
}

/* Targets four SPIs from `spi`, each at the lowest of the vCPUs in a byte of `val`. */
static void vgic_set_target_reg(struct kvm *kvm, u32 val, int spi)
{
	struct vgic_dist *dist = &kvm->arch.vgic;
	struct kvm_vcpu *vcpu;
	unsigned long *bits;
	int i, c, target;

	for (i = 0; i < 4; i++) {
		target = ffs(val >> (8 * i) & 0xff);
		target = target ? target - 1 : 0;
		dist->irq_spi_cpu[spi + i] = target;
		kvm_for_each_vcpu(c, vcpu, kvm) {
			bits = dist->irq_spi_target[c].shared.reg_ul;
			if (c == target)
				set_bit(spi + i, bits);
			else
				clear_bit(spi + i, bits);
		}
	}
}

static bool handle_target(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, phys_addr_t offset)
{
	u32 reg = 0x01010101U << vcpu->vcpu_id;
	int i, spi = (int)(offset & ~3) - VGIC_NR_PRIVATE_IRQS;

	if (spi < 0) {
		vgic_access(mmio, &reg, offset, READ_ONLY);
		return false;
	}
	reg = 0;
	for (i = 0; i < 4; i++)
		reg |= 1U << (vcpu->kvm->arch.vgic.irq_spi_cpu[spi + i] + 8 * i);
	vgic_access(mmio, &reg, offset, READ_WRITE);
	if (mmio->is_write)
		vgic_set_target_reg(vcpu->kvm, reg, spi);
	return mmio->is_write;
}

/* Of the two bits of an interrupt the upper one says that it is edge-triggered, which private ones stay. */
static bool handle_cfg(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, phys_addr_t offset)
{
	struct vgic_bitmap *cfg = &vcpu->kvm->arch.vgic.irq_cfg;
	int i, irq = (int)(offset & ~3) * 4;
	u32 reg = 0;

	for (i = 0; i < 16; i++)
		if (vgic_test(cfg, vcpu->vcpu_id, irq + i))
			reg |= 2U << (2 * i);
	vgic_access(mmio, &reg, offset, irq < VGIC_NR_PRIVATE_IRQS ? READ_ONLY : READ_WRITE);
	if (mmio->is_write && irq >= VGIC_NR_PRIVATE_IRQS)
		for (i = 0; i < 16; i++)
			vgic_assign(cfg, vcpu->vcpu_id, irq + i, reg >> (2 * i) & 2);
	return false;
}

static bool handle_sgir(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, phys_addr_t offset)
{
	struct kvm *kvm = vcpu->kvm;
	u32 reg = 0;
	int c, from = vcpu->vcpu_id, sgi;
	u8 targets;

	vgic_access(mmio, &reg, offset, READ_WRITE);
	if (!mmio->is_write)
		return false;
	sgi = reg & 0xf;
	targets = reg >> 16;
	if ((reg >> 24 & 3) == 1)
		targets = ~(1 << from);
	else if ((reg >> 24 & 3) == 2)
		targets = 1 << from;
	kvm_for_each_vcpu(c, vcpu, kvm) {
		if (targets & 1) {
			vgic_assign(&kvm->arch.vgic.irq_state, c, sgi, 1);
			kvm->arch.vgic.irq_sgi_sources[c][sgi] |= 1 << from;
		}
		targets >>= 1;
	}
	return true;
}

struct vgic_range {
	phys_addr_t base;
	unsigned long len;
	bool (*handle)(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, phys_addr_t offset);
};

static const struct vgic_range vgic_ranges[] = {
	{ .base = GIC_DIST_CTRL, .len = 12, .handle = handle_ctlr },
	{ .base = GIC_DIST_IGROUP, .len = VGIC_NR_IRQS / 8, .handle = handle_raz_wi },
	{ .base = GIC_DIST_ENABLE_SET, .len = VGIC_NR_IRQS / 8, .handle = handle_set_enable },
	{ .base = GIC_DIST_ENABLE_CLEAR, .len = VGIC_NR_IRQS / 8, .handle = handle_clear_enable },
	{ .base = GIC_DIST_PENDING_SET, .len = VGIC_NR_IRQS / 8, .handle = handle_set_pending },
	{ .base = GIC_DIST_PENDING_CLEAR, .len = VGIC_NR_IRQS / 8, .handle = handle_clear_pending },
	{ .base = GIC_DIST_ACTIVE_SET, .len = VGIC_NR_IRQS / 8, .handle = handle_raz_wi },
	{ .base = GIC_DIST_ACTIVE_CLEAR, .len = VGIC_NR_IRQS / 8, .handle = handle_raz_wi },
	{ .base = GIC_DIST_PRI, .len = VGIC_NR_IRQS, .handle = handle_priority },
	{ .base = GIC_DIST_TARGET, .len = VGIC_NR_IRQS, .handle = handle_target },
	{ .base = GIC_DIST_CONFIG, .len = VGIC_NR_IRQS / 4, .handle = handle_cfg },
	{ .base = GIC_DIST_SOFTINT, .len = 4, .handle = handle_sgir },
	{}
};

static void vgic_kick_vcpus(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	int c;

	kvm_for_each_vcpu(c, vcpu, kvm)
		if (test_bit(vcpu->vcpu_id, &kvm->arch.vgic.irq_pending_on_cpu))
			kvm_vcpu_kick(vcpu);
}

bool vgic_handle_mmio(struct kvm_vcpu *vcpu, struct kvm_run *run, struct kvm_exit_mmio *mmio)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	const struct vgic_range *range = vgic_ranges;
	phys_addr_t offset = mmio->phys_addr - dist->vgic_dist_base;
	unsigned long flags;
	bool changed;

	if (!irqchip_in_kernel(vcpu->kvm) || mmio->phys_addr < dist->vgic_dist_base ||
	    offset + mmio->len > KVM_VGIC_V2_DIST_SIZE)
		return false;
	if (mmio->len > 4) {
		kvm_inject_dabt(vcpu, mmio->phys_addr);
		return true;
	}
	while (range->len && (offset < range->base || offset + mmio->len > range->base + range->len))
		range++;
	if (!range->handle)
		return false;
	spin_lock_irqsave(&dist->lock, flags);
	changed = range->handle(vcpu, mmio, offset - range->base);
	if (changed)
		vgic_update_state(vcpu->kvm);
	spin_unlock_irqrestore(&dist->lock, flags);
	kvm_prepare_mmio(run, mmio);
	kvm_handle_mmio_return(vcpu, run);
	if (changed)
		vgic_kick_vcpus(vcpu->kvm);
	return true;
}

static bool compute_pending_for_cpu(struct kvm_vcpu *vcpu)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	unsigned long *pending = vcpu->arch.vgic_cpu.pending;
	int id = vcpu->vcpu_id;

	bitmap_and(pending, vgic_bank(&dist->irq_state, id), vgic_bank(&dist->irq_enabled, id), VGIC_NR_PRIVATE_IRQS);
	bitmap_and(pending + 1, dist->irq_state.shared.reg_ul, dist->irq_enabled.shared.reg_ul, VGIC_NR_SHARED_IRQS);
	bitmap_and(pending + 1, pending + 1, dist->irq_spi_target[id].shared.reg_ul, VGIC_NR_SHARED_IRQS);
	return find_first_bit(pending, VGIC_NR_IRQS) < VGIC_NR_IRQS;
}

static void vgic_update_state(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	int c;

	if (!kvm->arch.vgic.enabled) {
		set_bit(0, &kvm->arch.vgic.irq_pending_on_cpu);
		return;
	}
	kvm_for_each_vcpu(c, vcpu, kvm)
		if (compute_pending_for_cpu(vcpu))
			set_bit(vcpu->vcpu_id, &kvm->arch.vgic.irq_pending_on_cpu);
}

static bool vgic_queue_irq(struct kvm_vcpu *vcpu, u8 source, int irq)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	int lr = cpu->vgic_irq_lr_map[irq];

	BUG_ON(irq >= VGIC_NR_IRQS);
	if (lr != LR_EMPTY && (cpu->vgic_lr[lr] >> 10 & 7) == source) {
		cpu->vgic_lr[lr] |= GICH_LR_PENDING_BIT;
		if (!vgic_test(&vcpu->kvm->arch.vgic.irq_cfg, vcpu->vcpu_id, irq))
			cpu->vgic_lr[lr] |= GICH_LR_EOI;
		return true;
	}
	lr = find_first_zero_bit(cpu->lr_used, cpu->nr_lr);
	if (lr >= cpu->nr_lr)
		return false;
	cpu->vgic_lr[lr] = GICH_LR_PENDING_BIT | source << 10 | irq;
	if (!vgic_test(&vcpu->kvm->arch.vgic.irq_cfg, vcpu->vcpu_id, irq))
		cpu->vgic_lr[lr] |= GICH_LR_EOI;
	cpu->vgic_irq_lr_map[irq] = lr;
	set_bit(lr, cpu->lr_used);
	clear_bit(lr, (unsigned long *)cpu->vgic_elrsr);
	return true;
}

static bool vgic_queue_sgi(struct kvm_vcpu *vcpu, int sgi)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	unsigned long sources = dist->irq_sgi_sources[vcpu->vcpu_id][sgi];
	int c;

	for_each_set_bit(c, &sources, VGIC_MAX_CPUS)
		if (vgic_queue_irq(vcpu, c, sgi))
			clear_bit(c, &sources);
	dist->irq_sgi_sources[vcpu->vcpu_id][sgi] = sources;
	if (!sources)
		vgic_assign(&dist->irq_state, vcpu->vcpu_id, sgi, 0);
	return !sources;
}

int kvm_vgic_vcpu_pending_irq(struct kvm_vcpu *vcpu)
{
	return irqchip_in_kernel(vcpu->kvm) && test_bit(vcpu->vcpu_id, &vcpu->kvm->arch.vgic.irq_pending_on_cpu);
}

void kvm_vgic_flush_hwstate(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	unsigned long flags;
	int i, overflow = 0;

	if (!irqchip_in_kernel(vcpu->kvm))
		return;
	spin_lock_irqsave(&dist->lock, flags);
	if (!kvm_vgic_vcpu_pending_irq(vcpu))
		goto out;
	for_each_set_bit(i, cpu->pending, VGIC_NR_SGIS)
		if (!vgic_queue_sgi(vcpu, i))
			overflow = 1;
	for_each_set_bit_from(i, cpu->pending, VGIC_NR_PRIVATE_IRQS)
		if (vgic_queue_irq(vcpu, 0, i))
			vgic_assign(&dist->irq_state, vcpu->vcpu_id, i, 0);
		else
			overflow = 1;
	for_each_set_bit_from(i, cpu->pending, VGIC_NR_IRQS) {
		if (vgic_test(&dist->irq_active, 0, i))
			continue;
		if (!vgic_queue_irq(vcpu, 0, i)) {
			overflow = 1;
			continue;
		}
		if (vgic_test(&dist->irq_cfg, 0, i))
			clear_bit(i - VGIC_NR_PRIVATE_IRQS, dist->irq_state.shared.reg_ul);
		else
			vgic_assign(&dist->irq_active, 0, i, 1);
	}
out:
	cpu->vgic_hcr &= ~GICH_HCR_UIE;
	if (overflow)
		cpu->vgic_hcr |= GICH_HCR_UIE;
	else
		clear_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);
	spin_unlock_irqrestore(&dist->lock, flags);
}

void kvm_vgic_sync_hwstate(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	unsigned long flags;
	int lr;

	if (!irqchip_in_kernel(vcpu->kvm))
		return;
	spin_lock_irqsave(&vcpu->kvm->arch.vgic.lock, flags);
	for_each_set_bit(lr, (unsigned long *)cpu->vgic_elrsr, cpu->nr_lr)
		if (test_and_clear_bit(lr, cpu->lr_used))
			cpu->vgic_irq_lr_map[cpu->vgic_lr[lr] & GICH_LR_VIRTUALID] = LR_EMPTY;
	/* Nobody was told of a line that stayed up, or rose again, while its interrupt sat there. */
	vgic_update_state(vcpu->kvm);
	spin_unlock_irqrestore(&vcpu->kvm->arch.vgic.lock, flags);
}

int kvm_vgic_inject_irq(struct kvm *kvm, int cpuid, unsigned int irq_num, bool level)
{
	struct vgic_dist *dist = &kvm->arch.vgic;
	struct kvm_vcpu *vcpu;
	unsigned long flags;
	bool edge, kick = false;
	int ret = 0;

	spin_lock_irqsave(&dist->lock, flags);
	if (irq_num >= VGIC_NR_PRIVATE_IRQS)
		cpuid = dist->irq_spi_cpu[irq_num - VGIC_NR_PRIVATE_IRQS];
	vcpu = kvm_get_vcpu(kvm, cpuid);
	if (!vcpu) {
		ret = -EINVAL;
		goto out;
	}
	edge = vgic_test(&dist->irq_cfg, vcpu->vcpu_id, irq_num);
	if (vgic_test(&dist->irq_state, vcpu->vcpu_id, irq_num) == level || (!level && edge))
		goto out;
	vgic_assign(&dist->irq_state, vcpu->vcpu_id, irq_num, level);
	kick = vgic_test(&dist->irq_enabled, vcpu->vcpu_id, irq_num);
	if (kick && level) {
		set_bit(irq_num, vcpu->arch.vgic_cpu.pending);
		set_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);
	}
out:
	spin_unlock_irqrestore(&dist->lock, flags);
	if (kick)
		vgic_kick_vcpus(kvm);
	return ret;
}

/* The vCPU whose state is in the registers of this CPU: from its entry until it is put. */
static DEFINE_PER_CPU(struct kvm_vcpu *, vgic_live_vcpu);

void kvm_vgic_enter(struct kvm_vcpu *vcpu)
{
	__get_cpu_var(vgic_live_vcpu) = vcpu;
}

void kvm_vgic_put(struct kvm_vcpu *vcpu)
{
	__get_cpu_var(vgic_live_vcpu) = NULL;
}

static irqreturn_t vgic_maintenance_handler(int irq, void *data)
{
	struct kvm_vcpu *vcpu = *(struct kvm_vcpu **)data;
	struct vgic_cpu *cpu;
	struct vgic_dist *dist;
	int lr;

	/* Nobody's state, or another vCPU's: make the line fall, and leave the rest to the next entry. */
	if (!vcpu || vcpu != __get_cpu_var(vgic_live_vcpu)) {
		writel_relaxed(0, vgic_vctrl_base + GICH_HCR);
		return IRQ_HANDLED;
	}
	cpu = &vcpu->arch.vgic_cpu;
	dist = &vcpu->kvm->arch.vgic;
	spin_lock(&dist->lock);
	if (cpu->vgic_misr & GICH_MISR_EOI) {
		for_each_set_bit(lr, (unsigned long *)cpu->vgic_eisr, cpu->nr_lr) {
			vgic_assign(&dist->irq_active, vcpu->vcpu_id, cpu->vgic_lr[lr] & GICH_LR_VIRTUALID, 0);
			cpu->vgic_lr[lr] &= ~GICH_LR_EOI;
			writel_relaxed(cpu->vgic_lr[lr], dist->vctrl_base + GICH_LR0 + lr * 4);
			/* ELRSR was saved before, and does not report what was to ask for maintenance. */
			if (!(cpu->vgic_lr[lr] & GICH_LR_STATE))
				set_bit(lr, (unsigned long *)cpu->vgic_elrsr);
		}
	}
	if (cpu->vgic_misr & GICH_MISR_U) {
		cpu->vgic_hcr &= ~GICH_HCR_UIE;
		writel_relaxed(cpu->vgic_hcr, dist->vctrl_base + GICH_HCR);
	}
	spin_unlock(&dist->lock);
	return IRQ_HANDLED;
}

int kvm_vgic_vcpu_init(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	int i;

	if (!irqchip_in_kernel(vcpu->kvm))
		return 0;
	if (vcpu->vcpu_id < 0 || vcpu->vcpu_id >= VGIC_MAX_CPUS)
		return -EBUSY;
	for (i = 0; i < VGIC_NR_IRQS; i++) {
		if (i < VGIC_NR_SGIS)
			vgic_assign(&vcpu->kvm->arch.vgic.irq_enabled, vcpu->vcpu_id, i, 1);
		if (i < VGIC_NR_PRIVATE_IRQS)
			vgic_assign(&vcpu->kvm->arch.vgic.irq_cfg, vcpu->vcpu_id, i, 1);
		cpu->vgic_irq_lr_map[i] = LR_EMPTY;
	}
	cpu->nr_lr = (readl_relaxed(vgic_vctrl_base + GICH_VTR) & 0x3f) + 1;
	cpu->vgic_vmcr = 0x1fU << 27;	/* no priority is masked */
	cpu->vgic_hcr = GICH_HCR_EN;
	return 0;
}

static void vgic_enable_maintenance(void *info)
{
	enable_percpu_irq(*(unsigned int *)info, 0);
}

int kvm_vgic_hyp_init(void)
{
	struct resource vctrl;
	int ret = -ENODEV;

	vgic_node = of_find_compatible_node(NULL, NULL, "arm,cortex-a15-gic");
	if (!vgic_node)
		return ret;
	vgic_maint_irq = irq_of_parse_and_map(vgic_node, 0);
	if (!vgic_maint_irq)
		goto out_put;
	ret = request_percpu_irq(vgic_maint_irq, vgic_maintenance_handler, "vgic", kvm_get_running_vcpus());
	if (ret)
		goto out_put;
	ret = of_address_to_resource(vgic_node, 2, &vctrl);
	if (ret)
		goto out_free;
	ret = -ENOMEM;
	vgic_vctrl_base = of_iomap(vgic_node, 2);
	if (!vgic_vctrl_base)
		goto out_free;
	ret = create_hyp_io_mappings(vgic_vctrl_base, vgic_vctrl_base + resource_size(&vctrl), vctrl.start);
	if (ret)
		goto out_unmap;
	on_each_cpu(vgic_enable_maintenance, &vgic_maint_irq, 1);
	return 0;
out_unmap:
	iounmap(vgic_vctrl_base);
out_free:
	free_percpu_irq(vgic_maint_irq, kvm_get_running_vcpus());
out_put:
	of_node_put(vgic_node);
	return ret;
}

int kvm_vgic_init(struct kvm *kvm)
{
	int spi;

	mutex_lock(&kvm->lock);
	for (spi = 0; spi < VGIC_NR_SHARED_IRQS; spi += 4)
		vgic_set_target_reg(kvm, 0, spi);
	mutex_unlock(&kvm->lock);
	return 0;
}

static bool vgic_overlap(struct vgic_dist *dist)
{
	phys_addr_t dist_base = dist->vgic_dist_base, cpu_base = dist->vgic_cpu_base;

	if (dist_base == VGIC_ADDR_UNDEF || cpu_base == VGIC_ADDR_UNDEF)
		return false;
	return dist_base < cpu_base + KVM_VGIC_V2_CPU_SIZE && cpu_base < dist_base + KVM_VGIC_V2_DIST_SIZE;
}

int kvm_vgic_set_addr(struct kvm *kvm, unsigned long type, u64 addr)
{
	struct vgic_dist *dist = &kvm->arch.vgic;
	phys_addr_t *base;
	int ret = 0;

	if (addr & ~KVM_PHYS_MASK)
		return -E2BIG;
	if (addr & ~PAGE_MASK)
		return -EINVAL;
	mutex_lock(&kvm->lock);
	switch (type) {
	case KVM_VGIC_V2_ADDR_TYPE_DIST:
		base = &dist->vgic_dist_base;
		break;
	case KVM_VGIC_V2_ADDR_TYPE_CPU:
		base = &dist->vgic_cpu_base;
		break;
	default:
		ret = -ENODEV;
		goto out;
	}
	if (*base != VGIC_ADDR_UNDEF) {
		ret = -EEXIST;
		goto out;
	}
	*base = addr;
	if (vgic_overlap(dist)) {
		*base = VGIC_ADDR_UNDEF;
		ret = -EBUSY;
	}
out:
	mutex_unlock(&kvm->lock);
	return ret;
}
