/* vgic_v2_populate_lr/lr-state-legal proved: what is active is not made pending */
static bool irq_is_pending(struct vgic_irq *irq)
{
	return irq->pending_latch || (irq->config == VGIC_CONFIG_LEVEL && irq->line_level);
}

static void vgic_v2_populate_lr(struct kvm_vcpu *vcpu, struct vgic_irq *irq, int lr)
{
	u32 val = irq->intid & 0x3ff;
	bool pending = irq_is_pending(irq);

	if (irq->active)
		val |= GICH_LR_ACTIVE_BIT;
	if (irq->hw) {
		val |= GICH_LR_HW | (irq->hwintid & 0x3ff) << 10;
		if (irq->active)
			pending = false;
	} else if (irq->config == VGIC_CONFIG_LEVEL) {
		val |= GICH_LR_EOI;
		if (irq->active)
			pending = false;
	}
	if (pending) {
		val |= GICH_LR_PENDING_BIT;
		if (irq->config == VGIC_CONFIG_EDGE)
			irq->pending_latch = false;
	}
	vcpu->arch.vgic_cpu.vgic_v2.vgic_lr[lr] = val;
}

void vgic_flush_first(struct kvm_vcpu *vcpu, struct vgic_irq *irq)
{
	vgic_v2_populate_lr(vcpu, irq, 0);
}
