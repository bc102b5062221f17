/*
 * Who calls the VGIC of a vCPU, where a source is run step by step: the parts of kvm_arch_vcpu_ioctl_run() and
 * kvm_vcpu_block() that do, the world switch, and a device.  It stands behind the source, of which it uses the names.
 */
#ifdef VGICHECK_HAVE_kvm_vgic_flush_hwstate
#define VGICHECK_FLUSH kvm_vgic_flush_hwstate
#else
#define VGICHECK_FLUSH kvm_vgic_sync_to_cpu
#endif
#ifdef VGICHECK_HAVE_kvm_vgic_sync_hwstate
#define VGICHECK_SYNC kvm_vgic_sync_hwstate
#else
#define VGICHECK_SYNC kvm_vgic_sync_from_cpu
#endif
#define VGICHECK_LR_STATE (3U << 28)
#define VGICHECK_LR_EOI (1U << 19)
#define VGICHECK_MISR_EOI 1

/* Of each vCPU, whether it is on its wait queue; a kick takes it off. */
static int vgicheck_waits[8];
/* Of each vCPU, whether it has turned back before the guest. */
static int vgicheck_turned_back[8];

/* Of each vCPU, whether it was kicked. */
static int vgicheck_kicked[8];

void kvm_vcpu_kick(struct kvm_vcpu *vcpu)
{
	vgicheck_kicked[vcpu->vcpu_id] = 1;
	vgicheck_waits[vcpu->vcpu_id] = 0;
}

/* The guest ends what is in its list registers, or does nothing; then GICH is saved. */
static void vgicheck_guest(struct kvm_vcpu *vcpu, bool serves)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	u32 eisr = 0, elrsr = 0;
	unsigned int lr;

	local_irq_disable();
	for (lr = 0; lr < cpu->nr_lr; lr++) {
		if (serves)
			cpu->vgic_lr[lr] &= ~VGICHECK_LR_STATE;
		if (cpu->vgic_lr[lr] & VGICHECK_LR_STATE)
			continue;
		if (cpu->vgic_lr[lr] & VGICHECK_LR_EOI)
			eisr |= 1U << lr;
		else
			elrsr |= 1U << lr;
	}
	cpu->vgic_eisr[0] = eisr;
	cpu->vgic_elrsr[0] = elrsr;
	cpu->vgic_misr = eisr ? VGICHECK_MISR_EOI : 0;
	local_irq_enable();
}

/* A guest that does nothing, and what is done at its exit. */
static void vgicheck_exit(struct kvm_vcpu *vcpu)
{
	vgicheck_guest(vcpu, 0);
	VGICHECK_SYNC(vcpu);
}

/* From an exit to the next entry. */
static void vgicheck_turn(struct kvm_vcpu *vcpu)
{
	VGICHECK_SYNC(vcpu);
	VGICHECK_FLUSH(vcpu);
}

/* The same, but that the entry is given up once, when user space raises another line, and a guest that does nothing. */
static void vgicheck_turn_back(struct kvm_vcpu *vcpu)
{
	vgicheck_turn(vcpu);
	vgicheck_turned_back[vcpu->vcpu_id] = 1;
	kvm_vgic_inject_irq(vcpu->kvm, 0, 36, 1);
	vgicheck_turn(vcpu);
	vgicheck_guest(vcpu, 0);
	vgicheck_turn(vcpu);
}

/* kvm_vcpu_block(): the vCPU is on its wait queue before it looks whether it has to be. */
static void vgicheck_block(struct kvm_vcpu *vcpu)
{
	vgicheck_waits[vcpu->vcpu_id] = 1;
	smp_mb();
	if (kvm_vgic_vcpu_pending_irq(vcpu))
		vgicheck_waits[vcpu->vcpu_id] = 0;
}

/* One more turn, and a guest that waits for an interrupt. */
static void vgicheck_wfi(struct kvm_vcpu *vcpu)
{
	vgicheck_turn(vcpu);
	vgicheck_exit(vcpu);
	vgicheck_block(vcpu);
}

/* A line goes to a level and back. */
static void vgicheck_pulse(struct kvm *kvm, int cpuid, unsigned int irq, bool level)
{
	kvm_vgic_inject_irq(kvm, cpuid, irq, level);
	kvm_vgic_inject_irq(kvm, cpuid, irq, !level);
}
