/*
 * Registers of the GIC by the names of linux/irqchip/arm-gic.h and, before v3.9, asm/hardware/gic.h: as far as a source
 * comes without them.
 */
#ifndef GIC_DIST_CTRL
#define GIC_DIST_CTRL 0x000
#endif
#ifndef GIC_DIST_CTR
#define GIC_DIST_CTR 0x004
#endif
#ifndef GIC_DIST_IGROUP
#define GIC_DIST_IGROUP 0x080
#endif
#ifndef GIC_DIST_ENABLE_SET
#define GIC_DIST_ENABLE_SET 0x100
#endif
#ifndef GIC_DIST_ENABLE_CLEAR
#define GIC_DIST_ENABLE_CLEAR 0x180
#endif
#ifndef GIC_DIST_PENDING_SET
#define GIC_DIST_PENDING_SET 0x200
#endif
#ifndef GIC_DIST_PENDING_CLEAR
#define GIC_DIST_PENDING_CLEAR 0x280
#endif
#ifndef GIC_DIST_ACTIVE_SET
#define GIC_DIST_ACTIVE_SET 0x300
#endif
#ifndef GIC_DIST_ACTIVE_CLEAR
#define GIC_DIST_ACTIVE_CLEAR 0x380
#endif
#ifndef GIC_DIST_PRI
#define GIC_DIST_PRI 0x400
#endif
#ifndef GIC_DIST_TARGET
#define GIC_DIST_TARGET 0x800
#endif
#ifndef GIC_DIST_CONFIG
#define GIC_DIST_CONFIG 0xc00
#endif
#ifndef GIC_DIST_SOFTINT
#define GIC_DIST_SOFTINT 0xf00
#endif

#ifndef GICH_HCR
#define GICH_HCR 0x0
#endif
#ifndef GICH_VTR
#define GICH_VTR 0x4
#endif
#ifndef GICH_VMCR
#define GICH_VMCR 0x8
#endif
#ifndef GICH_MISR
#define GICH_MISR 0x10
#endif
#ifndef GICH_EISR0
#define GICH_EISR0 0x20
#endif
#ifndef GICH_EISR1
#define GICH_EISR1 0x24
#endif
#ifndef GICH_ELRSR0
#define GICH_ELRSR0 0x30
#endif
#ifndef GICH_ELRSR1
#define GICH_ELRSR1 0x34
#endif
#ifndef GICH_APR
#define GICH_APR 0xf0
#endif
#ifndef GICH_LR0
#define GICH_LR0 0x100
#endif

#ifndef GICH_HCR_EN
#define GICH_HCR_EN (1 << 0)
#endif
#ifndef GICH_HCR_UIE
#define GICH_HCR_UIE (1 << 1)
#endif
#ifndef GICH_LR_VIRTUALID
#define GICH_LR_VIRTUALID (0x3ff << 0)
#endif
#ifndef GICH_LR_PHYSID_CPUID_SHIFT
#define GICH_LR_PHYSID_CPUID_SHIFT (10)
#endif
#ifndef GICH_LR_PHYSID_CPUID
#define GICH_LR_PHYSID_CPUID (7 << GICH_LR_PHYSID_CPUID_SHIFT)
#endif
#ifndef GICH_LR_STATE
#define GICH_LR_STATE (3 << 28)
#endif
#ifndef GICH_LR_PENDING_BIT
#define GICH_LR_PENDING_BIT (1 << 28)
#endif
#ifndef GICH_LR_ACTIVE_BIT
#define GICH_LR_ACTIVE_BIT (1 << 29)
#endif
#ifndef GICH_LR_EOI
#define GICH_LR_EOI (1 << 19)
#endif
#ifndef GICH_MISR_EOI
#define GICH_MISR_EOI (1 << 0)
#endif
#ifndef GICH_MISR_U
#define GICH_MISR_U (1 << 1)
#endif
