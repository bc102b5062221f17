/*
 * What stands before the VGIC's own headers: the configuration, and names that asm/kvm.h and linux/kvm_host.h bring.
 */
#define CONFIG_KVM_ARM_VGIC 1
#define CONFIG_KVM_ARM_TIMER 1
#define CONFIG_SMP 1
#define CONFIG_OF 1
#define CONFIG_KVM_ARM_MAX_VCPUS NR_CPUS
#define KVM_MAX_VCPUS CONFIG_KVM_ARM_MAX_VCPUS

#define KVM_VGIC_V2_ADDR_TYPE_DIST 0
#define KVM_VGIC_V2_ADDR_TYPE_CPU 1
#define KVM_VGIC_V2_DIST_SIZE 0x1000
#define KVM_VGIC_V2_CPU_SIZE 0x2000
#define KVM_PHYS_SHIFT 40
#define KVM_PHYS_SIZE (1ULL << KVM_PHYS_SHIFT)
#define KVM_PHYS_MASK (KVM_PHYS_SIZE - 1ULL)
#define KVM_ARM_IRQ_GIC_MAX 127
#define KVM_DEV_TYPE_ARM_VGIC_V2 5
#define KVM_DEV_TYPE_ARM_VGIC_V3 7
#define KVM_DEV_TYPE_ARM_VGIC_ITS 8
#define KVM_DEV_ARM_VGIC_GRP_ADDR 0
#define KVM_DEV_ARM_VGIC_GRP_DIST_REGS 1
#define KVM_DEV_ARM_VGIC_GRP_CPU_REGS 2
#define KVM_DEV_ARM_VGIC_CPUID_SHIFT 32
#define KVM_DEV_ARM_VGIC_CPUID_MASK (0xffULL << KVM_DEV_ARM_VGIC_CPUID_SHIFT)
#define KVM_DEV_ARM_VGIC_OFFSET_SHIFT 0
#define KVM_DEV_ARM_VGIC_OFFSET_MASK (0xffffffffULL << KVM_DEV_ARM_VGIC_OFFSET_SHIFT)
#define KVM_DEV_ARM_VGIC_GRP_NR_IRQS 3
#define KVM_DEV_ARM_VGIC_GRP_CTRL 4

/* What later structures hold beside what is judged: there so that they are complete, and not to be used */
struct list_head {
	struct list_head *next, *prev;
};
struct kref {
	int refcount;
};
struct static_key_false {
	int enabled;
};
#define DEFINE_STATIC_KEY_FALSE(name) struct static_key_false name
#define static_branch_unlikely(key) ((key)->enabled)
#define static_branch_enable(key) ((key)->enabled = 1)
struct kvm_io_device {
	const void *ops;
};

struct kvm_device_attr {
	u32 flags;
	u32 group;
	u64 attr;
	u64 addr;
};
struct kvm_device {
	const void *ops;
	struct kvm *kvm;
	void *private;
};

struct kvm;
struct kvm_vcpu;
struct kvm_run;
struct kvm_exit_mmio;
