/*
 * What stands between the VGIC's own headers and vgic.c: of linux/kvm_host.h and asm/kvm_host.h what the VGIC uses, and
 * the services of the rest of KVM.
 */
#ifndef VGICHECK_HAVE_struct_kvm
struct kvm {
	struct mutex lock;
	spinlock_t mmu_lock;
	atomic_t online_vcpus;
	struct kvm_vcpu *vcpus[KVM_MAX_VCPUS];
	struct {
#ifdef VGICHECK_HAVE_struct_vgic_irq
		struct mutex config_lock;
#endif
		struct vgic_dist vgic;
	} arch;
};
#endif

#ifndef VGICHECK_HAVE_struct_kvm_vcpu
struct kvm_vcpu {
	struct kvm *kvm;
	int cpu;
	int vcpu_id;
	struct {
		struct vgic_cpu vgic_cpu;
	} arch;
};
#endif

#ifndef VGICHECK_HAVE_struct_kvm_run
struct kvm_run {
	u32 exit_reason;
};
#endif

#ifndef VGICHECK_HAVE_struct_kvm_exit_mmio
struct kvm_exit_mmio {
	phys_addr_t phys_addr;
	u8 data[8];
	u32 len;
	bool is_write;
};
#endif

#ifndef irqchip_in_kernel
#define irqchip_in_kernel(k) (!!((k)->arch.vgic.vctrl_base))
#endif
#ifndef vgic_initialized
#define vgic_initialized(k) ((k)->arch.vgic.ready)
#endif

#ifndef VGICHECK_HAVE_kvm_get_vcpu
static inline struct kvm_vcpu *kvm_get_vcpu(struct kvm *kvm, int i)
{
	return kvm->vcpus[i];
}
#endif
#ifndef kvm_for_each_vcpu
#define kvm_for_each_vcpu(idx, vcpup, kvm) \
	for ((idx) = 0; (idx) < atomic_read(&(kvm)->online_vcpus) && ((vcpup) = kvm_get_vcpu((kvm), (idx))) != NULL; \
	     (idx)++)
#endif

/* The objects that the functions under judgement are called with */
extern struct kvm vgicheck_kvm;
extern struct kvm_vcpu vgicheck_vcpus[KVM_MAX_VCPUS];
extern struct kvm_vcpu vgicheck_vcpu;	/* any of them, where no other is looked at */
extern struct kvm_exit_mmio vgicheck_mmio;
extern struct kvm_run vgicheck_run;

/* The vCPU that runs on this CPU, or NULL: arm.c keeps it in a per-CPU variable */
extern struct kvm_vcpu *vgicheck_running_vcpu;

#ifdef VGICHECK_NATIVE
struct vgicheck_world vgicheck_world;
struct device_node vgicheck_node;
u8 vgicheck_gich[0x1000];
struct kvm vgicheck_kvm;
struct kvm_vcpu vgicheck_vcpus[KVM_MAX_VCPUS], vgicheck_vcpu, *vgicheck_running_vcpu;
struct kvm_exit_mmio vgicheck_mmio;
struct kvm_run vgicheck_run;
#endif

#ifndef VGICHECK_HAVE_kvm_get_running_vcpus
static inline struct kvm_vcpu * __percpu *kvm_get_running_vcpus(void)
{
	return &vgicheck_running_vcpu;
}
#endif

#ifndef VGICHECK_HAVE_kvm_get_running_vcpu
static inline struct kvm_vcpu *kvm_get_running_vcpu(void)
{
	return vgicheck_running_vcpu;
}
#endif

/* Gives the guest `size` bytes at `pa`, seen at `guest_ipa`: all of them, or none. */
#ifndef VGICHECK_HAVE_kvm_phys_addr_ioremap
static inline int kvm_phys_addr_ioremap(struct kvm *kvm, phys_addr_t guest_ipa, phys_addr_t pa, unsigned long size)
{
	if (vgicheck_world.guest_failure)
		return vgicheck_world.guest_failure;
	vgicheck_world.guest_maps += 1;
	vgicheck_world.guest_ipa = guest_ipa;
	vgicheck_world.guest_pa = pa;
	vgicheck_world.guest_size = size;
	return 0;
}
#endif

/* Wakes a vCPU; touches nothing of the VGIC */
#ifdef VGICHECK_RUN
void kvm_vcpu_kick(struct kvm_vcpu *vcpu);
#elif !defined(VGICHECK_HAVE_kvm_vcpu_kick)
static inline void kvm_vcpu_kick(struct kvm_vcpu *vcpu)
{
	vgicheck_claim("no-undefined", vcpu != NULL, "a vCPU that is kicked is there");
}
#endif

/* Copies what was read to the guest's register, or to user space; touches nothing of the VGIC */
#ifndef VGICHECK_HAVE_kvm_prepare_mmio
static inline void kvm_prepare_mmio(struct kvm_run *run, struct kvm_exit_mmio *mmio)
{
}
#endif

#ifndef VGICHECK_HAVE_kvm_handle_mmio_return
static inline int kvm_handle_mmio_return(struct kvm_vcpu *vcpu, struct kvm_run *run)
{
	return 0;
}
#endif

#ifndef VGICHECK_HAVE_kvm_inject_dabt
static inline void kvm_inject_dabt(struct kvm_vcpu *vcpu, unsigned long addr)
{
}
#endif

#ifndef VGICHECK_HAVE_kvm_timer_init
static inline int kvm_timer_init(struct kvm *kvm)
{
	return 0;
}
#endif
