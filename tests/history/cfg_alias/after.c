/* handle_mmio_cfg_reg/mmio-one-byte-one-irq proved: registers take turns by bit 2 of the offset */
static u32 *vgic_cfg_word(struct vgic_bitmap *cfg, int cpu, u32 offset)
{
	u32 word = offset / 8;

	return word ? &cfg->shared.reg[word - 1] : cfg->percpu[cpu].reg;
}

static u32 vgic_cfg_expand(u16 half)
{
	u32 bits = 0;
	int i;

	for (i = 0; i < 16; i++)
		bits |= (u32)(half >> i & VGIC_CFG_EDGE) << (2 * i + 1);
	return bits;
}

static u16 vgic_cfg_compress(u32 bits)
{
	u16 half = 0;
	int i;

	for (i = 0; i < 16; i++)
		half |= (bits >> (2 * i + 1) & VGIC_CFG_EDGE) << i;
	return half;
}

static void vgic_reg_access(struct kvm_exit_mmio *mmio, u32 *reg, u32 offset, int mode)
{
	int shift = 8 * (offset & 3);
	u32 mask = mmio->len < 4 ? (1U << (8 * mmio->len)) - 1 : ~0U;
	u32 *data = (u32 *)mmio->data;

	if (!mmio->is_write)
		*data = (*reg >> shift) & mask;
	else
		*reg = (*reg & ~(mask << shift)) | (*data & mask) << shift;
}

static bool handle_mmio_cfg_reg(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio, u32 offset)
{
	u32 *reg = vgic_cfg_word(&vcpu->kvm->arch.vgic.irq_cfg, vcpu->vcpu_id, offset);
	int shift = offset & 4 ? 16 : 0;
	u32 bits = vgic_cfg_expand(*reg >> shift & 0xffff);

	vgic_reg_access(mmio, &bits, offset, 0);
	if (!mmio->is_write)
		return false;
	if (offset < 8) {
		*reg = ~0U;
		return false;
	}
	*reg = (*reg & ~(0xffffU << shift)) | (u32)vgic_cfg_compress(bits) << shift;
	return false;
}

bool vgic_handle_cfg(struct kvm_vcpu *vcpu, struct kvm_exit_mmio *mmio)
{
	phys_addr_t offset = mmio->phys_addr - vcpu->kvm->arch.vgic.vgic_dist_base - 0xc00;

	if (offset >= VGIC_NR_IRQS / 4 || mmio->len > 4)
		return false;
	return handle_mmio_cfg_reg(vcpu, mmio, offset);
}
