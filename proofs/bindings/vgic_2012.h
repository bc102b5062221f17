/*
 * The VGIC of October 2012 as the patch finds it: the structures of asm/kvm_vgic.h and linux/kvm_host.h as far as the VGIC
 * uses them, and the helpers of vgic.c that the patch calls but does not bring.
 */
#ifndef VGICHECK_VGIC_2012_H
#define VGICHECK_VGIC_2012_H

#define CONFIG_KVM_ARM_VGIC 1
#define CONFIG_SMP 1

#ifndef VGIC_NR_IRQS
#define VGIC_NR_IRQS 128
#endif
#ifndef VGIC_MAX_CPUS
#define VGIC_MAX_CPUS NR_CPUS
#endif
#ifndef KVM_MAX_VCPUS
#define KVM_MAX_VCPUS VGIC_MAX_CPUS
#endif
#define VGIC_NR_SGIS 16
#define VGIC_NR_PPIS 16
#define VGIC_NR_PRIVATE_IRQS (VGIC_NR_SGIS + VGIC_NR_PPIS)
#define VGIC_NR_SHARED_IRQS (VGIC_NR_IRQS - VGIC_NR_PRIVATE_IRQS)
#define VGIC_MAX_LRS 64
#define VGIC_CFG_LEVEL 0
#define VGIC_CFG_EDGE 1
#define VGIC_ADDR_UNDEF (-1)
#define IS_VGIC_ADDR_UNDEF(x) ((x) == (u64)VGIC_ADDR_UNDEF)
#define KVM_VGIC_V2_DIST_SIZE 0x1000
#define KVM_VGIC_V2_CPU_SIZE 0x2000

/* GICH: offsets and fields, under both of the names that the kernel has given them */
#define GICH_HCR 0x0
#define GICH_VTR 0x4
#define GICH_VMCR 0x8
#define GICH_MISR 0x10
#define GICH_EISR0 0x20
#define GICH_EISR1 0x24
#define GICH_ELRSR0 0x30
#define GICH_ELRSR1 0x34
#define GICH_APR 0xf0
#define GICH_LR0 0x100

#define VGIC_HCR_EN (1 << 0)
#define VGIC_HCR_UIE (1 << 1)
#define VGIC_LR_VIRTUALID (0x3ff << 0)
#define VGIC_LR_PHYSID_CPUID (7 << 10)
#define VGIC_LR_STATE (3 << 28)
#define VGIC_LR_PENDING_BIT (1 << 28)
#define VGIC_LR_ACTIVE_BIT (1 << 29)
#define VGIC_LR_EOI (1 << 19)
#define VGIC_MISR_EOI (1 << 0)
#define VGIC_MISR_U (1 << 1)
#define GICH_HCR_EN VGIC_HCR_EN
#define GICH_HCR_UIE VGIC_HCR_UIE
#define GICH_LR_VIRTUALID VGIC_LR_VIRTUALID
#define GICH_LR_PHYSID_CPUID VGIC_LR_PHYSID_CPUID
#define GICH_LR_STATE VGIC_LR_STATE
#define GICH_LR_PENDING_BIT VGIC_LR_PENDING_BIT
#define GICH_LR_ACTIVE_BIT VGIC_LR_ACTIVE_BIT
#define GICH_LR_EOI VGIC_LR_EOI
#define GICH_MISR_EOI VGIC_MISR_EOI
#define GICH_MISR_U VGIC_MISR_U
#define LR_EMPTY 0xff

struct vgic_bitmap {
	union {
		u32 reg[1];
		unsigned long reg_ul[0];
	} percpu[VGIC_MAX_CPUS];
	union {
		u32 reg[VGIC_NR_SHARED_IRQS / 32];
		unsigned long reg_ul[0];
	} shared;
};

struct vgic_dist {
	spinlock_t lock;
	bool ready;
	void __iomem *vctrl_base;
	phys_addr_t vgic_dist_base;
	phys_addr_t vgic_cpu_base;
	u32 vgic_dist_size;
	u32 enabled;
	struct vgic_bitmap irq_enabled;
	struct vgic_bitmap irq_state;
	struct vgic_bitmap irq_active;
	struct vgic_bitmap irq_cfg;
	u8 irq_sgi_sources[VGIC_MAX_CPUS][16];
	u8 irq_spi_cpu[VGIC_NR_SHARED_IRQS];
	struct vgic_bitmap irq_spi_target[VGIC_MAX_CPUS];
	unsigned long irq_pending_on_cpu;
};

struct vgic_cpu {
	u8 vgic_irq_lr_map[VGIC_NR_IRQS];
	DECLARE_BITMAP(pending, VGIC_NR_IRQS);
	DECLARE_BITMAP(lr_used, 64);
	int nr_lr;
	u32 vgic_hcr;
	u32 vgic_vmcr;
	u32 vgic_misr;
	u32 vgic_eisr[2];
	u32 vgic_elrsr[2];
	u32 vgic_apr;
	u32 vgic_lr[64];
	atomic_t irq_active_count;
};

struct kvm_vcpu;

struct kvm {
	struct mutex lock;
	spinlock_t mmu_lock;
	atomic_t online_vcpus;
	struct kvm_vcpu *vcpus[KVM_MAX_VCPUS];
	struct {
		struct vgic_dist vgic;
	} arch;
};

struct kvm_vcpu {
	struct kvm *kvm;
	int cpu;
	int vcpu_id;
	struct {
		struct vgic_cpu vgic_cpu;
	} arch;
};

#define irqchip_in_kernel(k) (!!((k)->arch.vgic.vctrl_base))
#define vgic_initialized(k) ((k)->arch.vgic.ready)

static inline struct kvm_vcpu *kvm_get_vcpu(struct kvm *kvm, int i)
{
	return kvm->vcpus[i];
}
#define kvm_for_each_vcpu(idx, vcpup, kvm) \
	for ((idx) = 0; (idx) < atomic_read(&(kvm)->online_vcpus) && ((vcpup) = kvm_get_vcpu((kvm), (idx))) != NULL; \
	     (idx)++)

/* What vgic.c keeps of the probe, where the patch does not show it */
#ifndef VGICHECK_SOURCE_vgic_vctrl_base
static void __iomem *vgic_vctrl_base;
#endif
#ifndef VGICHECK_SOURCE_vgic_node
static struct device_node *vgic_node;
#endif

/* The vCPU that runs on this CPU, or NULL: arm.c keeps it in a per-CPU variable */
extern struct kvm_vcpu *vgicheck_running_vcpu;

static inline struct kvm_vcpu * __percpu *kvm_get_running_vcpus(void)
{
	return &vgicheck_running_vcpu;
}

static inline struct kvm_vcpu *kvm_get_running_vcpu(void)
{
	return vgicheck_running_vcpu;
}

/* Gives the guest `size` bytes at `pa`, seen at `guest_ipa`: all of them, or none. */
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

#ifndef VGICHECK_HAVE_vgic_bitmap_get_irq_val
static inline int vgic_bitmap_get_irq_val(struct vgic_bitmap *x, int cpuid, int irq)
{
	return irq < 32 ? test_bit(irq, x->percpu[cpuid].reg_ul) : test_bit(irq - 32, x->shared.reg_ul);
}
#endif

#ifndef VGICHECK_HAVE_vgic_bitmap_set_irq_val
static inline void vgic_bitmap_set_irq_val(struct vgic_bitmap *x, int cpuid, int irq, int val)
{
	int bit = irq < 32 ? irq : irq - 32;
	unsigned long *bits = irq < 32 ? x->percpu[cpuid].reg_ul : x->shared.reg_ul;

	if (val)
		set_bit(bit, bits);
	else
		clear_bit(bit, bits);
}
#endif

#ifndef VGICHECK_HAVE_vgic_bitmap_get_cpu_map
static inline unsigned long *vgic_bitmap_get_cpu_map(struct vgic_bitmap *x, int cpuid)
{
	return x->percpu[cpuid].reg_ul;
}
#endif

#ifndef VGICHECK_HAVE_vgic_bitmap_get_shared_map
static inline unsigned long *vgic_bitmap_get_shared_map(struct vgic_bitmap *x)
{
	return x->shared.reg_ul;
}
#endif

/* Targets four SPIs from `irq`: the lowest vCPU named in each byte of `val`, vCPU 0 where none is. */
#ifndef VGICHECK_HAVE_vgic_set_target_reg
static inline void vgic_set_target_reg(struct kvm *kvm, u32 val, int irq)
{
	struct vgic_dist *dist = &kvm->arch.vgic;
	struct kvm_vcpu *vcpu;
	int i, c, target;

	BUG_ON(irq & 3);
	BUG_ON(irq < 32);
	for (i = 0; i < 4; i++) {
		target = ffs((val >> (8 * i)) & 0xff);
		if (target)
			target--;
		dist->irq_spi_cpu[irq - 32 + i] = target;
		kvm_for_each_vcpu(c, vcpu, kvm) {
			if (c == target)
				set_bit(irq - 32 + i, dist->irq_spi_target[c].shared.reg_ul);
			else
				clear_bit(irq - 32 + i, dist->irq_spi_target[c].shared.reg_ul);
		}
	}
}
#endif

#endif
