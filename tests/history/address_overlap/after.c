/* kvm_vgic_set_addr/vm-address-parameterised proved: the new address is taken back where the regions overlap */
static int vgic_overlap(struct kvm *kvm)
{
	phys_addr_t dist = kvm->arch.vgic.vgic_dist_base;
	phys_addr_t cpu = kvm->arch.vgic.vgic_cpu_base;

	if (IS_VGIC_ADDR_UNDEF(dist) || IS_VGIC_ADDR_UNDEF(cpu))
		return 0;
	if (dist + KVM_VGIC_V2_DIST_SIZE <= cpu || cpu + KVM_VGIC_V2_CPU_SIZE <= dist)
		return 0;
	return -EBUSY;
}

static int vgic_assign(struct kvm *kvm, phys_addr_t *base, phys_addr_t addr)
{
	int ret;

	if (!IS_VGIC_ADDR_UNDEF(*base))
		return -EEXIST;
	*base = addr;
	ret = vgic_overlap(kvm);
	if (ret)
		*base = VGIC_ADDR_UNDEF;
	return ret;
}

int kvm_vgic_set_addr(struct kvm *kvm, unsigned long type, u64 addr)
{
	int ret;

	if (addr & ~KVM_PHYS_MASK)
		return -E2BIG;
	if (addr & ~PAGE_MASK)
		return -EINVAL;
	mutex_lock(&kvm->lock);
	if (type == KVM_VGIC_V2_ADDR_TYPE_DIST)
		ret = vgic_assign(kvm, &kvm->arch.vgic.vgic_dist_base, addr);
	else if (type == KVM_VGIC_V2_ADDR_TYPE_CPU)
		ret = vgic_assign(kvm, &kvm->arch.vgic.vgic_cpu_base, addr);
	else
		ret = -ENODEV;
	mutex_unlock(&kvm->lock);
	return ret;
}
