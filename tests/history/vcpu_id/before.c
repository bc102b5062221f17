/* kvm_vgic_vcpu_init/in-bounds refuted: the VMM chooses a vcpu_id that has no bank */
int kvm_vgic_vcpu_init(struct kvm_vcpu *vcpu)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	int sgi;

	if (!irqchip_in_kernel(vcpu->kvm))
		return 0;
	for (sgi = 0; sgi < VGIC_NR_SGIS; sgi++)
		set_bit(sgi, dist->irq_enabled.percpu[vcpu->vcpu_id].reg_ul);
	vcpu->arch.vgic_cpu.nr_lr = (readl_relaxed(dist->vctrl_base + GICH_VTR) & 0x3f) + 1;
	vcpu->arch.vgic_cpu.vgic_hcr = VGIC_HCR_EN;
	return 0;
}
