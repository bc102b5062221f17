/* vgic_dispatch_sgi/sgir-filter refuted: the case of the target list runs into that of all others */
static void vgic_dispatch_sgi(struct kvm_vcpu *vcpu, u32 reg)
{
	struct kvm *kvm = vcpu->kvm;
	struct vgic_dist *dist = &kvm->arch.vgic;
	int c, sgi = reg & 0xf, from = vcpu->vcpu_id;
	u8 targets = reg >> 16;

	switch (reg >> 24 & 3) {
	case 0:
		if (!targets)
			return;
	case 1:
		targets = ~(1 << from);
		break;
	case 2:
		targets = 1 << from;
		break;
	}
	kvm_for_each_vcpu(c, vcpu, kvm) {
		if (targets & 1) {
			vgic_bitmap_set_irq_val(&dist->irq_state, c, sgi, 1);
			dist->irq_sgi_sources[c][sgi] |= 1 << from;
		}
		targets >>= 1;
	}
}

bool vgic_handle_sgir(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio)
{
	if (mmio->is_write)
		vgic_dispatch_sgi(vcpu, *(u32 *)mmio->data);
	return mmio->is_write;
}
