/*
 * What the VGIC of v4.7 on uses beside, which keeps a struct vgic_irq for each interrupt and puts those that a vCPU
 * has to consider on a list of its.  It stands behind the VGIC's own headers.
 *
 * Of a list nothing is kept: whoever walks one may meet any interrupts of the VM, in any order and any number.
 */
enum irqchip_irq_state {
	IRQCHIP_STATE_PENDING,
	IRQCHIP_STATE_ACTIVE,
	IRQCHIP_STATE_MASKED,
	IRQCHIP_STATE_LINE_LEVEL,
};

/* The host's irqchip: a state that may be anything at each call, and 0 or a negative error */
static inline int vgicheck_failure(void)
{
	return vgicheck_any() & 1 ? -EINVAL : 0;
}

static inline int irq_get_irqchip_state(unsigned int irq, enum irqchip_irq_state which, bool *state)
{
	int failure = vgicheck_failure();

	if (!failure)
		*state = vgicheck_any() & 1;
	return failure;
}

static inline int irq_set_irqchip_state(unsigned int irq, enum irqchip_irq_state which, bool state)
{
	return vgicheck_failure();
}

static inline void disable_irq_nosync(unsigned int irq)
{
}

static inline void enable_irq(unsigned int irq)
{
}

struct irq_data {
	irq_hw_number_t hwirq;
};
struct irq_desc {
	struct irq_data irq_data;
};
extern struct irq_desc vgicheck_irq_desc;

static inline struct irq_desc *irq_to_desc(unsigned int irq)
{
	return &vgicheck_irq_desc;
}

static inline bool irqd_irq_disabled(struct irq_data *data)
{
	return vgicheck_any() & 1;
}

int its_prop_update_vsgi(int irq, u8 priority, bool group)
{
	return vgicheck_failure();
}

/* irq_ops::get_input_level of a device in the kernel, such as the timer: any level; touches nothing of the VGIC */
static inline bool vgicheck_input_level(int vintid)
{
	return vgicheck_any() & 1;
}

/* Wakes whoever waits for an EOI of the interrupt; touches nothing of the VGIC */
static inline bool kvm_notify_acked_irq(struct kvm *kvm, unsigned int irqchip, unsigned int pin)
{
	return vgicheck_any() & 1;
}

#define KVM_REQ_IRQ_PENDING 1
static inline void kvm_make_request(int request, struct kvm_vcpu *vcpu)
{
	vgicheck_claim("no-undefined", vcpu != NULL, "a vCPU that is asked something is there");
}

static inline void kvm_arm_halt_guest(struct kvm *kvm)
{
}

static inline void kvm_arm_resume_guest(struct kvm *kvm)
{
}

/* Accesses to registers: declared, and no more, so that those who call it are read */
struct kvm_io_device_ops {
	int (*read)(struct kvm_vcpu *vcpu, struct kvm_io_device *device, gpa_t addr, int len, void *val);
	int (*write)(struct kvm_vcpu *vcpu, struct kvm_io_device *device, gpa_t addr, int len, const void *val);
};
#define KVM_MMIO_BUS 0
int kvm_io_bus_register_dev(struct kvm *kvm, int bus, gpa_t addr, int len, struct kvm_io_device *device);
unsigned long kvm_mmio_read_buf(const void *buf, unsigned int len);
void kvm_mmio_write_buf(void *buf, unsigned int len, unsigned long data);
void *memset(void *to, int byte, size_t bytes);
void *bsearch(const void *key, const void *base, size_t count, size_t size,
	      int (*compare)(const void *, const void *));
typedef unsigned long uintptr_t;

static inline void kvm_iodevice_init(struct kvm_io_device *device, const struct kvm_io_device_ops *ops)
{
	device->ops = ops;
}

/* What only a host with a GICv3 or GICv4 gets to */
void __vgic_v3_save_state(struct vgic_v3_cpu_if *cpu_if);
void __vgic_v3_restore_state(struct vgic_v3_cpu_if *cpu_if);

static inline bool has_vhe(void)
{
	return vgicheck_any() & 1;
}

#ifndef VGICHECK_HAVE_vgic_supports_direct_msis
bool vgic_supports_direct_msis(struct kvm *kvm)
{
	return (kvm_vgic_global_state.has_gicv4 || kvm_vgic_global_state.has_gicv4_1) && vgicheck_any() & 1;
}
#endif

/* Leaves a VGIC that is initialised, as it is taken to be, or fails */
#ifndef VGICHECK_HAVE_vgic_lazy_init
int vgic_lazy_init(struct kvm *kvm)
{
	return vgicheck_failure();
}
#endif

static inline void kref_get(struct kref *kref)
{
	kref->refcount += 1;
}

#define trace_vgic_update_irq_pending(...) do { } while (0)

/* Lists of interrupts */
extern struct vgic_irq *vgicheck_list_end;	/* what a walk leaves that was not broken off: nothing is known of it */
#ifdef VGICHECK_NATIVE
struct vgic_irq *vgicheck_list_end;
struct irq_desc vgicheck_irq_desc;
#endif

/* Any interrupt of the VM, or NULL where a list ends */
static inline struct vgic_irq *vgicheck_on_list(void)
{
	unsigned int which = vgicheck_unknown(), vcpu = vgicheck_unknown() % KVM_MAX_VCPUS;

	if (which < VGIC_NR_PRIVATE_IRQS)
		return &vgicheck_vcpus[vcpu].arch.vgic_cpu.private_irqs[which];
	if (which < VGIC_NR_PRIVATE_IRQS + vgicheck_kvm.arch.vgic.nr_spis)
		return &vgicheck_kvm.arch.vgic.spis[which - VGIC_NR_PRIVATE_IRQS];
	return NULL;
}

#define vgicheck_next(pos) \
	({ _Static_assert(__builtin_types_compatible_p(__typeof__(*(pos)), struct vgic_irq), "a list of other things"); \
	   vgicheck_on_list(); })
#define list_for_each_entry(pos, head, member) \
	while (((pos) = vgicheck_next(pos)) != NULL || ((pos) = vgicheck_list_end, 0))
#define list_for_each_entry_safe(pos, next, head, member) list_for_each_entry(pos, head, member)

static inline bool list_empty(const struct list_head *head)
{
	return vgicheck_unknown() & 1;
}

static inline bool list_is_last(const struct list_head *entry, const struct list_head *head)
{
	return vgicheck_unknown() & 1;
}

static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
}

static inline void list_del(struct list_head *entry)
{
}

static inline void list_sort(void *priv, struct list_head *head,
			     int (*compare)(void *, const struct list_head *, const struct list_head *))
{
	struct vgic_irq *a, *b;

	while ((a = vgicheck_on_list()) && (b = vgicheck_on_list()))
		compare(priv, &a->ap_list, &b->ap_list);
}
