/* kvm_vgic_vcpu_init/vcpu-init-lr-count proved: all six bits of ListRegs are read */
int kvm_vgic_vcpu_init(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	int irq;

	if (!irqchip_in_kernel(vcpu->kvm))
		return 0;
	for (irq = 0; irq < VGIC_NR_IRQS; irq++)
		cpu->vgic_irq_lr_map[irq] = LR_EMPTY;
	cpu->nr_lr = (readl_relaxed(vcpu->kvm->arch.vgic.vctrl_base + GICH_VTR) & 0x3f) + 1;
	return 0;
}
