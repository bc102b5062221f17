/* vgic_reg_access/mmio-lanes refuted: a store of a byte takes the rest of the word from what is left in the buffer */
enum { READ_ONLY, READ_WRITE };

static void vgic_reg_access(struct kvm_exit_mmio *mmio, u32 *reg, u32 offset, int mode)
{
	int shift = 8 * (offset & 3);
	u32 mask = ~0U >> shift;
	u32 *data = (u32 *)mmio->data;

	if (!mmio->is_write)
		*data = (*reg >> shift) & mask;
	else if (mode == READ_WRITE)
		*reg = (*reg & ~(mask << shift)) | (*data & mask) << shift;
}

bool vgic_handle_ctlr(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio)
{
	u32 reg = vcpu->kvm->arch.vgic.enabled;

	vgic_reg_access(mmio, &reg, mmio->phys_addr & 3, READ_WRITE);
	vcpu->kvm->arch.vgic.enabled = reg & 1;
	return mmio->is_write;
}
