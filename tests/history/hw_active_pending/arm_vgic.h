/* Of the VGIC after its rewrite in 2016 what it takes to fill a list register. */
#define VGIC_V2_MAX_LRS		64
#define GICH_LR_EOI		(1 << 19)
#define GICH_LR_PENDING_BIT	(1 << 28)
#define GICH_LR_ACTIVE_BIT	(1 << 29)
#define GICH_LR_HW		(1U << 31)

enum vgic_irq_config { VGIC_CONFIG_EDGE, VGIC_CONFIG_LEVEL };

struct vgic_irq {
	u32 intid;
	u32 hwintid;
	bool pending_latch;
	bool line_level;
	bool active;
	bool hw;
	enum vgic_irq_config config;
};

struct vgic_v2_cpu_if {
	u32 vgic_hcr;
	u32 vgic_lr[VGIC_V2_MAX_LRS];
};

struct vgic_cpu {
	struct vgic_v2_cpu_if vgic_v2;
};

struct vgic_dist {
	spinlock_t lock;
};
