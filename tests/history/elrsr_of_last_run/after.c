/* vgic_queue_irq/elrsr-in-step proved: what is filled is no longer reported empty */
static bool vgic_queue_irq(struct kvm_vcpu *vcpu, u8 source, int irq)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	int lr = find_first_zero_bit(cpu->lr_used, cpu->nr_lr);

	if (lr >= cpu->nr_lr)
		return false;
	cpu->vgic_lr[lr] = VGIC_LR_PENDING_BIT | source << 10 | irq;
	cpu->vgic_irq_lr_map[irq] = lr;
	set_bit(lr, cpu->lr_used);
	clear_bit(lr, (unsigned long *)cpu->vgic_elrsr);
	return true;
}

void kvm_vgic_flush_hwstate(struct kvm_vcpu *vcpu)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	unsigned long flags;

	spin_lock_irqsave(&dist->lock, flags);
	if (test_bit(27, vcpu->arch.vgic_cpu.pending) && vgic_queue_irq(vcpu, 0, 27))
		clear_bit(27, vcpu->arch.vgic_cpu.pending);
	spin_unlock_irqrestore(&dist->lock, flags);
}
