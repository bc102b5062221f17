/*
 * The VGIC of October 2012 around what a patch brings: how interrupts get from devices and the guest into list registers
 * and out again.  It is ours, function by function under the kernel's names; one that a patch shows stands in its place.
 */
static bool vgic_update_irq_state(struct kvm *kvm, int cpuid, unsigned int irq_num, bool level);
static int compute_pending_for_cpu(struct kvm_vcpu *vcpu);
static void vgic_update_state(struct kvm *kvm);
static void vgic_kick_vcpus(struct kvm *kvm);
static bool vgic_queue_irq(struct kvm_vcpu *vcpu, u8 sgi_source_id, int irq);
static void __kvm_vgic_sync_to_cpu(struct kvm_vcpu *vcpu);
static void __kvm_vgic_sync_from_cpu(struct kvm_vcpu *vcpu);

/* From the distributor to who has to look at it */

static int compute_pending_for_cpu(struct kvm_vcpu *vcpu)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	int id = vcpu->vcpu_id;
	unsigned long *private = vcpu->arch.vgic_cpu.pending;
	unsigned long *shared = private + 1;

	bitmap_and(private, vgic_bitmap_get_cpu_map(&dist->irq_state, id),
		   vgic_bitmap_get_cpu_map(&dist->irq_enabled, id), VGIC_NR_PRIVATE_IRQS);
	bitmap_and(shared, vgic_bitmap_get_shared_map(&dist->irq_state),
		   vgic_bitmap_get_shared_map(&dist->irq_enabled), VGIC_NR_SHARED_IRQS);
	bitmap_and(shared, shared, vgic_bitmap_get_shared_map(&dist->irq_spi_target[id]), VGIC_NR_SHARED_IRQS);
	return find_first_bit(private, VGIC_NR_IRQS) < VGIC_NR_IRQS;
}

static void vgic_update_state(struct kvm *kvm)
{
	struct vgic_dist *dist = &kvm->arch.vgic;
	struct kvm_vcpu *vcpu;
	int c;

	if (!dist->enabled) {
		set_bit(0, &dist->irq_pending_on_cpu);
		return;
	}
	kvm_for_each_vcpu(c, vcpu, kvm)
		if (compute_pending_for_cpu(vcpu))
			set_bit(c, &dist->irq_pending_on_cpu);
}

static void vgic_kick_vcpus(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	int c;

	kvm_for_each_vcpu(c, vcpu, kvm)
		if (test_bit(c, &kvm->arch.vgic.irq_pending_on_cpu))
			kvm_vcpu_kick(vcpu);
}

int kvm_vgic_vcpu_pending_irq(struct kvm_vcpu *vcpu)
{
	if (!irqchip_in_kernel(vcpu->kvm))
		return 0;
	return test_bit(vcpu->vcpu_id, &vcpu->kvm->arch.vgic.irq_pending_on_cpu);
}

/* A device changes a line; says whether anybody is to be told. */
static bool vgic_update_irq_state(struct kvm *kvm, int cpuid, unsigned int irq_num, bool level)
{
	struct vgic_dist *dist = &kvm->arch.vgic;
	struct kvm_vcpu *vcpu;
	bool old, edge;

	if (irq_num >= VGIC_NR_PRIVATE_IRQS)
		cpuid = dist->irq_spi_cpu[irq_num - VGIC_NR_PRIVATE_IRQS];
	old = vgic_bitmap_get_irq_val(&dist->irq_state, cpuid, irq_num);
	edge = vgic_bitmap_get_irq_val(&dist->irq_cfg, cpuid, irq_num) == VGIC_CFG_EDGE;
	if (old == level || (edge && !level))
		return false;
	vgic_bitmap_set_irq_val(&dist->irq_state, cpuid, irq_num, level);
	if (!vgic_bitmap_get_irq_val(&dist->irq_enabled, cpuid, irq_num))
		return false;
	vcpu = kvm_get_vcpu(kvm, cpuid);	/* which is there: 2012 does not ask */
	if (level) {
		set_bit(irq_num, vcpu->arch.vgic_cpu.pending);
		set_bit(cpuid, &dist->irq_pending_on_cpu);
	}
	return true;
}

int kvm_vgic_inject_irq(struct kvm *kvm, int cpuid, unsigned int irq_num, bool level)
{
	struct vgic_dist *dist = &kvm->arch.vgic;
	bool updated;

	spin_lock(&dist->lock);
	updated = vgic_update_irq_state(kvm, cpuid, irq_num, level);
	spin_unlock(&dist->lock);
	if (updated)
		vgic_kick_vcpus(kvm);
	return 0;
}

/* The guest's stores, as far as they concern one SPI or a word of them: enabling, disabling, and where one goes */
bool vgic_handle_mmio(struct kvm_vcpu *vcpu, struct kvm_run *run, struct kvm_exit_mmio *mmio)
{
	struct kvm *kvm = vcpu->kvm;
	struct vgic_dist *dist = &kvm->arch.vgic;
	u32 offset = mmio->phys_addr - dist->vgic_dist_base;
	u32 *data = (u32 *)mmio->data;
	int irq, target, c;

	if (!irqchip_in_kernel(kvm) || offset >= KVM_VGIC_V2_DIST_SIZE || !mmio->is_write)
		return false;
	spin_lock(&dist->lock);
	if (offset == GIC_DIST_ENABLE_SET + 4 && mmio->len == 4) {
		dist->irq_enabled.shared.reg[0] |= *data;
	} else if (offset == GIC_DIST_ENABLE_CLEAR + 4 && mmio->len == 4) {
		dist->irq_enabled.shared.reg[0] &= ~*data;
	} else if (offset >= GIC_DIST_TARGET + VGIC_NR_PRIVATE_IRQS && offset < GIC_DIST_TARGET + VGIC_NR_IRQS &&
		   mmio->len == 1) {
		irq = offset - GIC_DIST_TARGET - VGIC_NR_PRIVATE_IRQS;
		target = mmio->data[0] ? ffs(mmio->data[0]) - 1 : 0;
		dist->irq_spi_cpu[irq] = target;
		for (c = 0; c < atomic_read(&kvm->online_vcpus); c++)
			if (c == target)
				set_bit(irq, vgic_bitmap_get_shared_map(&dist->irq_spi_target[c]));
			else
				clear_bit(irq, vgic_bitmap_get_shared_map(&dist->irq_spi_target[c]));
	}
	vgic_update_state(kvm);
	spin_unlock(&dist->lock);
	vgic_kick_vcpus(kvm);
	return true;
}

/* The flush: from the distributor to list registers */

static bool vgic_queue_irq(struct kvm_vcpu *vcpu, u8 sgi_source_id, int irq)
{
	struct vgic_cpu *vgic_cpu = &vcpu->arch.vgic_cpu;
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	int lr = vgic_cpu->vgic_irq_lr_map[irq];
	u32 eoi = 0;

	if (vgic_bitmap_get_irq_val(&dist->irq_cfg, vcpu->vcpu_id, irq) == VGIC_CFG_LEVEL)
		eoi = GICH_LR_EOI;
	if (lr != LR_EMPTY && (vgic_cpu->vgic_lr[lr] & GICH_LR_PHYSID_CPUID) == sgi_source_id << 10) {
		vgic_cpu->vgic_lr[lr] |= GICH_LR_PENDING_BIT | eoi;
		return true;
	}
	lr = find_first_bit((unsigned long *)vgic_cpu->vgic_elrsr, vgic_cpu->nr_lr);
	if (lr >= vgic_cpu->nr_lr)
		return false;
	vgic_cpu->vgic_lr[lr] = GICH_LR_PENDING_BIT | eoi | sgi_source_id << 10 | irq;
	vgic_cpu->vgic_irq_lr_map[irq] = lr;
	clear_bit(lr, (unsigned long *)vgic_cpu->vgic_elrsr);
	set_bit(lr, vgic_cpu->lr_used);
	return true;
}

static bool vgic_queue_sgi(struct kvm_vcpu *vcpu, int irq)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	unsigned long sources = dist->irq_sgi_sources[vcpu->vcpu_id][irq];
	int c;

	for_each_set_bit(c, &sources, VGIC_MAX_CPUS)
		if (vgic_queue_irq(vcpu, c, irq))
			clear_bit(c, &sources);
	dist->irq_sgi_sources[vcpu->vcpu_id][irq] = sources;
	if (!sources)
		vgic_bitmap_set_irq_val(&dist->irq_state, vcpu->vcpu_id, irq, 0);
	return !sources;
}

static bool vgic_queue_hwirq(struct kvm_vcpu *vcpu, int irq)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	int id = vcpu->vcpu_id;
	bool level = vgic_bitmap_get_irq_val(&dist->irq_cfg, id, irq) == VGIC_CFG_LEVEL;

	if (irq >= VGIC_NR_PRIVATE_IRQS && vgic_bitmap_get_irq_val(&dist->irq_active, id, irq))
		return true;
	if (!vgic_queue_irq(vcpu, 0, irq))
		return false;
	if (irq >= VGIC_NR_PRIVATE_IRQS && level)
		vgic_bitmap_set_irq_val(&dist->irq_active, id, irq, 1);
	else
		vgic_bitmap_set_irq_val(&dist->irq_state, id, irq, 0);
	return true;
}

static void __kvm_vgic_sync_to_cpu(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *vgic_cpu = &vcpu->arch.vgic_cpu;
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	bool overflow = false;
	int i;

	if (test_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu)) {
		for_each_set_bit(i, vgic_cpu->pending, VGIC_NR_SGIS)
			if (!vgic_queue_sgi(vcpu, i))
				overflow = true;
		for_each_set_bit_from(i, vgic_cpu->pending, VGIC_NR_IRQS)
			if (!vgic_queue_hwirq(vcpu, i))
				overflow = true;
	}
	if (overflow) {
		vgic_cpu->vgic_hcr |= GICH_HCR_UIE;
	} else {
		vgic_cpu->vgic_hcr &= ~GICH_HCR_UIE;
		clear_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);
	}
}

void kvm_vgic_sync_to_cpu(struct kvm_vcpu *vcpu)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;

	if (!irqchip_in_kernel(vcpu->kvm))
		return;
	spin_lock(&dist->lock);
	__kvm_vgic_sync_to_cpu(vcpu);
	spin_unlock(&dist->lock);
}

/* The sync: list registers that the guest has emptied are forgotten, without the lock */

static void __kvm_vgic_sync_from_cpu(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *vgic_cpu = &vcpu->arch.vgic_cpu;
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	unsigned long *elrsr = (unsigned long *)vgic_cpu->vgic_elrsr;
	int lr;

	for_each_set_bit(lr, elrsr, vgic_cpu->nr_lr)
		if (test_and_clear_bit(lr, vgic_cpu->lr_used))
			vgic_cpu->vgic_irq_lr_map[vgic_cpu->vgic_lr[lr] & GICH_LR_VIRTUALID] = LR_EMPTY;
	if (find_first_zero_bit(elrsr, vgic_cpu->nr_lr) < vgic_cpu->nr_lr)
		set_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);
}

void kvm_vgic_sync_from_cpu(struct kvm_vcpu *vcpu)
{
	if (irqchip_in_kernel(vcpu->kvm))
		__kvm_vgic_sync_from_cpu(vcpu);
}

/* What ends in a list register is heard of here: as the patch has it, without the lock */
static irqreturn_t vgic_maintenance_handler(int irq, void *data)
{
	struct kvm_vcpu *vcpu = *(struct kvm_vcpu **)data;
	struct vgic_dist *dist;
	struct vgic_cpu *vgic_cpu;
	int lr;

	if (!vcpu)
		return IRQ_HANDLED;
	dist = &vcpu->kvm->arch.vgic;
	vgic_cpu = &vcpu->arch.vgic_cpu;
	if (vgic_cpu->vgic_misr & GICH_MISR_EOI)
		for_each_set_bit(lr, (unsigned long *)vgic_cpu->vgic_eisr, vgic_cpu->nr_lr) {
			vgic_bitmap_set_irq_val(&dist->irq_active, vcpu->vcpu_id,
						vgic_cpu->vgic_lr[lr] & GICH_LR_VIRTUALID, 0);
			vgic_cpu->vgic_lr[lr] &= ~GICH_LR_EOI;
			writel_relaxed(vgic_cpu->vgic_lr[lr], dist->vctrl_base + GICH_LR0 + 4 * lr);
		}
	if (vgic_cpu->vgic_misr & GICH_MISR_U) {
		vgic_cpu->vgic_hcr &= ~GICH_HCR_UIE;
		writel_relaxed(vgic_cpu->vgic_hcr, dist->vctrl_base + GICH_HCR);
	}
	return IRQ_HANDLED;
}
