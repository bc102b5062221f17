/*
 * A small VGIC in the kernel's manner, written to be checked: `vgicheck check examples/vgic`.
 */
#ifndef EXAMPLE_KVM_VGIC_H
#define EXAMPLE_KVM_VGIC_H

#include <linux/spinlock.h>

#define VGIC_NR_IRQS		128
#define VGIC_NR_SGIS		16
#define VGIC_NR_PRIVATE_IRQS	32
#define VGIC_NR_SHARED_IRQS	(VGIC_NR_IRQS - VGIC_NR_PRIVATE_IRQS)
#define VGIC_MAX_CPUS		KVM_MAX_VCPUS
#define VGIC_MAX_LRS		64
#define LR_EMPTY		0xff
#define VGIC_ADDR_UNDEF		((phys_addr_t)-1)

#if VGIC_MAX_CPUS > 8
#error "a GICv2 has at most eight CPU interfaces"
#endif

/* One bit for each interrupt: the private ones banked, by words for MMIO and by longs for bit operations. */
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

/* One byte for each interrupt. */
struct vgic_bytemap {
	u32 percpu[VGIC_MAX_CPUS][VGIC_NR_PRIVATE_IRQS / 4];
	u32 shared[VGIC_NR_SHARED_IRQS / 4];
};

struct vgic_dist {
	spinlock_t lock;
	void __iomem *vctrl_base;
	phys_addr_t vgic_dist_base;
	phys_addr_t vgic_cpu_base;
	u32 enabled;
	struct vgic_bitmap irq_enabled;
	struct vgic_bitmap irq_state;
	struct vgic_bitmap irq_active;
	struct vgic_bitmap irq_cfg;
	struct vgic_bytemap irq_priority;
	u8 irq_sgi_sources[VGIC_MAX_CPUS][VGIC_NR_SGIS];
	u8 irq_spi_cpu[VGIC_NR_SHARED_IRQS];
	struct vgic_bitmap irq_spi_target[VGIC_MAX_CPUS];
	unsigned long irq_pending_on_cpu;
};

struct vgic_cpu {
	u8 vgic_irq_lr_map[VGIC_NR_IRQS];
	DECLARE_BITMAP(pending, VGIC_NR_IRQS);
	DECLARE_BITMAP(lr_used, VGIC_MAX_LRS);
	int nr_lr;
	u32 vgic_hcr;
	u32 vgic_vmcr;
	u32 vgic_misr;
	u32 vgic_eisr[2];
	u32 vgic_elrsr[2];
	u32 vgic_lr[VGIC_MAX_LRS];
};

static inline unsigned long *vgic_bank(struct vgic_bitmap *map, int cpu)
{
	return map->percpu[cpu].reg_ul;
}

#endif
