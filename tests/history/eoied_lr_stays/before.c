/* vgic_process_maintenance/eoi-frees-lr refuted: a list register whose EOI flag was set at the exit is not in ELRSR */
static void vgic_process_maintenance(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	int lr;

	if (cpu->vgic_misr & VGIC_MISR_EOI) {
		for_each_set_bit(lr, (unsigned long *)cpu->vgic_eisr, cpu->nr_lr) {
			vgic_bitmap_set_irq_val(&vcpu->kvm->arch.vgic.irq_active, vcpu->vcpu_id,
						cpu->vgic_lr[lr] & VGIC_LR_VIRTUALID, 0);
			cpu->vgic_lr[lr] &= ~VGIC_LR_EOI;
		}
	}
	if (cpu->vgic_misr & VGIC_MISR_U)
		cpu->vgic_hcr &= ~VGIC_HCR_UIE;
}

void kvm_vgic_sync_hwstate(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	unsigned long flags;
	int lr;

	spin_lock_irqsave(&vcpu->kvm->arch.vgic.lock, flags);
	vgic_process_maintenance(vcpu);
	for_each_set_bit(lr, (unsigned long *)cpu->vgic_elrsr, cpu->nr_lr)
		if (test_and_clear_bit(lr, cpu->lr_used))
			cpu->vgic_irq_lr_map[cpu->vgic_lr[lr] & VGIC_LR_VIRTUALID] = LR_EMPTY;
	spin_unlock_irqrestore(&vcpu->kvm->arch.vgic.lock, flags);
}
