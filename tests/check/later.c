/* What the sync, the injection and the creation of a vCPU do since v3.9, in the manner of examples/vgic. */

static bool vgic_process_maintenance(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	bool high = false;
	int lr, irq;

	if (cpu->vgic_misr & GICH_MISR_U)
		cpu->vgic_hcr &= ~GICH_HCR_UIE;
	if (!(cpu->vgic_misr & GICH_MISR_EOI))
		return false;
	for_each_set_bit(lr, (unsigned long *)cpu->vgic_eisr, cpu->nr_lr) {
		irq = cpu->vgic_lr[lr] & GICH_LR_VIRTUALID;
		cpu->vgic_lr[lr] &= ~(GICH_LR_EOI | GICH_LR_ACTIVE_BIT);
		set_bit(lr, (unsigned long *)cpu->vgic_elrsr);
		vgic_assign(&dist->irq_active, vcpu->vcpu_id, irq, 0);
		if (vgic_test(&dist->irq_state, vcpu->vcpu_id, irq)) {
			set_bit(irq, cpu->pending);
			high = true;
		} else {
			clear_bit(irq, cpu->pending);
		}
	}
	return high;
}

static void __kvm_vgic_sync_hwstate(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	bool looks = vgic_process_maintenance(vcpu);
	int lr;

	for_each_set_bit(lr, (unsigned long *)cpu->vgic_elrsr, cpu->nr_lr)
		if (test_and_clear_bit(lr, cpu->lr_used))
			cpu->vgic_irq_lr_map[cpu->vgic_lr[lr] & GICH_LR_VIRTUALID] = LR_EMPTY;
	if (find_first_zero_bit((unsigned long *)cpu->vgic_elrsr, cpu->nr_lr) < cpu->nr_lr)
		looks = true;
	if (looks)
		set_bit(vcpu->vcpu_id, &vcpu->kvm->arch.vgic.irq_pending_on_cpu);
}

static bool vgic_update_irq_state(struct kvm *kvm, int cpuid, unsigned int irq_num, bool level)
{
	struct vgic_dist *dist = &kvm->arch.vgic;
	bool edge, told = false;

	spin_lock(&dist->lock);
	edge = vgic_test(&dist->irq_cfg, cpuid, irq_num);
	if (vgic_test(&dist->irq_state, cpuid, irq_num) == level || (edge && !level))
		goto out;
	vgic_assign(&dist->irq_state, cpuid, irq_num, level);
	if (!vgic_test(&dist->irq_enabled, cpuid, irq_num))
		goto out;
	if (!edge && vgic_test(&dist->irq_active, cpuid, irq_num))
		goto out;
	told = true;
	if (level) {
		if (irq_num >= VGIC_NR_PRIVATE_IRQS)
			cpuid = dist->irq_spi_cpu[irq_num - VGIC_NR_PRIVATE_IRQS];
		set_bit(irq_num, kvm_get_vcpu(kvm, cpuid)->arch.vgic_cpu.pending);
		set_bit(cpuid, &dist->irq_pending_on_cpu);
	}
out:
	spin_unlock(&dist->lock);
	return told;
}
