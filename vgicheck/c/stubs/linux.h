/*
 * What vgicheck knows of the kernel around the code under review: names, types and widths of ARM, and for each
 * service what it can answer and what it leaves behind.
 *
 * `vgicheck_world` is the kernel outside: its answers are fixed before the function runs, its books (references, mappings, locks) are
 * kept while it runs.  A function here that the patch brings itself is left out (VGICHECK_HAVE_name).
 *
 * vgicheck_claim(property, condition, text) says what must hold at a call; the evaluator proves it, a native run traps.
 */
#ifndef VGICHECK_LINUX_H
#define VGICHECK_LINUX_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef u8 uint8_t;
typedef u16 uint16_t;
typedef u32 uint32_t;
typedef u64 uint64_t;
typedef unsigned int gfp_t;
typedef unsigned long irq_hw_number_t;
typedef unsigned long size_t;
typedef long ssize_t;
typedef u64 phys_addr_t;		/* CONFIG_ARM_LPAE, which KVM needs */
typedef u64 resource_size_t;
typedef u64 gpa_t;
typedef u64 gfn_t;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

#define __iomem
#define __percpu
#define __init
#define __exit
#define __user
#define __force
#define __read_mostly
#define __maybe_unused
#define __must_check
#define __always_inline inline
#define noinline
#define notrace
#define asmlinkage
#define likely(x) (!!(x))
#define unlikely(x) (!!(x))
#define ACCESS_ONCE(x) (x)
#define READ_ONCE(x) (x)
#define fallthrough do { } while (0)
/* As it is where nothing is speculated */
#define array_index_nospec(index, size) \
	({ __typeof__(index) vgicheck_index = (index); \
	   (__typeof__(index))((unsigned long)vgicheck_index < (unsigned long)(size) ? vgicheck_index : 0); })
#define WRITE_ONCE(x, v) ((x) = (v))
#define cpu_relax() do { } while (0)
#define EXPORT_SYMBOL(x) struct vgicheck_empty
#define EXPORT_SYMBOL_GPL(x) struct vgicheck_empty

#define EPERM 1
#define ENOENT 2
#define EIO 5
#define ENXIO 6
#define E2BIG 7
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define ENODEV 19
#define EINVAL 22
#define ENOSPC 28
#define ERANGE 34
#define ENOSYS 38

#ifndef NR_CPUS
#define NR_CPUS 8
#endif
#ifdef __LP64__
#define BITS_PER_LONG 64
typedef long vgicheck_nr;		/* the number of a bit, as the bit operations take it */
#else
#define BITS_PER_LONG 32
typedef int vgicheck_nr;
#endif
#define BITS_PER_BYTE 8
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define BITS_TO_LONGS(n) DIV_ROUND_UP(n, BITS_PER_LONG)
#define DECLARE_BITMAP(name, bits) unsigned long name[BITS_TO_LONGS(bits)]
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define GENMASK(high, low) ((~0UL - (1UL << (low)) + 1) & (~0UL >> (BITS_PER_LONG - 1 - (high))))
#define GENMASK_ULL(high, low) ((~0ULL - (1ULL << (low)) + 1) & (~0ULL >> (63 - (high))))
/* The mask is a constant of ones that stand together: to divide by the lowest of them is to shift */
#define FIELD_GET(mask, word) ((__typeof__(mask))(((word) & (mask)) / ((mask) & (~(mask) + 1))))
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define SZ_4K 0x1000
#define SZ_8K 0x2000
#define ALIGN(x, a) (((x) + (a) - 1) & ~((a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((a) - 1)) == 0)
#define PAGE_ALIGNED(x) IS_ALIGNED(x, PAGE_SIZE)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min_t(t, a, b) ((t)(a) < (t)(b) ? (t)(a) : (t)(b))
#define max_t(t, a, b) ((t)(a) > (t)(b) ? (t)(a) : (t)(b))
#define offsetof(t, m) __builtin_offsetof(t, m)
#ifndef VGICHECK_NATIVE
void *vgicheck_container(const void *member, unsigned long offset);
#define container_of(p, t, m) ((t *)vgicheck_container(p, offsetof(t, m)))
#else
#define container_of(p, t, m) ((t *)((char *)(p) - offsetof(t, m)))
#endif

/* Checks and messages */
#ifndef VGICHECK_NATIVE
void vgicheck_claim(const char *property, int condition, const char *text);
void vgicheck_assume(int condition);
void vgicheck_message(const char *format, ...);
unsigned int vgicheck_any(void);	/* any number, another one at each call */
unsigned int vgicheck_unknown(void);	/* the same of what is not kept here: what it leads to may not occur */
#else
/* Traps with "property: text". */
static inline void vgicheck_claim(const char *property, int condition, const char *text)
{
	static char what[256];
	unsigned int length = 0;

	if (condition)
		return;
	while (*property && length < sizeof(what) - 1)
		what[length++] = *property++;
	if (length < sizeof(what) - 1)
		what[length++] = ':';
	if (length < sizeof(what) - 1)
		what[length++] = ' ';
	while (*text && length < sizeof(what) - 1)
		what[length++] = *text++;
	what[length] = 0;
	vgicheck_trap(what);
}

static inline void vgicheck_assume(int condition)
{
	if (!condition)
		vgicheck_trap("vgicheck_assume: what is assumed does not hold");
}

static inline void vgicheck_message(const char *format, ...)
{
}

static inline unsigned int vgicheck_any(void)
{
	return 0;
}

static inline unsigned int vgicheck_unknown(void)
{
	vgicheck_trap("vgicheck_unknown: what is not kept here");
	return 0;
}
#endif
#define BUG_ON(c) vgicheck_claim("bug-on-unreachable", !(c), "BUG_ON(" #c ")")
#define BUG() vgicheck_claim("bug-on-unreachable", 0, "BUG()")
static inline int vgicheck_warned(int condition)
{
	return condition;
}

#define WARN(c, ...) (vgicheck_message(__VA_ARGS__), vgicheck_warned(!!(c)))
#define WARN_ONCE(c, ...) WARN(c, __VA_ARGS__)
#define WARN_RATELIMIT(c, ...) WARN(c, __VA_ARGS__)
#define WARN_ON(c) vgicheck_warned(!!(c))
#define WARN_ON_ONCE(c) vgicheck_warned(!!(c))
#define printk(...) vgicheck_message(__VA_ARGS__)
#define printk_ratelimited(...) vgicheck_message(__VA_ARGS__)
#define KERN_ERR ""
#define KERN_WARNING ""
#define KERN_INFO ""
#define KERN_DEBUG ""
#define pr_err(...) vgicheck_message(__VA_ARGS__)
#define pr_err_ratelimited(...) vgicheck_message(__VA_ARGS__)
#define pr_warn(...) vgicheck_message(__VA_ARGS__)
#define pr_warning(...) vgicheck_message(__VA_ARGS__)
#define pr_warn_ratelimited(...) vgicheck_message(__VA_ARGS__)
#define pr_info(...) vgicheck_message(__VA_ARGS__)
#define pr_debug(...) vgicheck_message(__VA_ARGS__)
#define kvm_err(...) vgicheck_message(__VA_ARGS__)
#define kvm_info(...) vgicheck_message(__VA_ARGS__)
#define kvm_debug(...) vgicheck_message(__VA_ARGS__)

/* Barriers: nothing of their own when a function is run in one go */
static inline void barrier(void)
{
}

static inline void smp_mb(void)
{
}

static inline void smp_rmb(void)
{
}

static inline void smp_wmb(void)
{
}

static inline void mb(void)
{
}

static inline void rmb(void)
{
}

static inline void wmb(void)
{
}

#define smp_mb__after_clear_bit() smp_mb()
#define smp_mb__before_clear_bit() smp_mb()
#define smp_mb__after_atomic() smp_mb()
#define smp_mb__before_atomic() smp_mb()

/* Bits */
#ifndef VGICHECK_NATIVE
int test_bit(vgicheck_nr nr, const volatile unsigned long *addr);
void set_bit(vgicheck_nr nr, volatile unsigned long *addr);
void clear_bit(vgicheck_nr nr, volatile unsigned long *addr);
void change_bit(vgicheck_nr nr, volatile unsigned long *addr);
void __set_bit(vgicheck_nr nr, volatile unsigned long *addr);
void __clear_bit(vgicheck_nr nr, volatile unsigned long *addr);
int test_and_set_bit(vgicheck_nr nr, volatile unsigned long *addr);
int test_and_clear_bit(vgicheck_nr nr, volatile unsigned long *addr);
int __test_and_set_bit(vgicheck_nr nr, volatile unsigned long *addr);
int __test_and_clear_bit(vgicheck_nr nr, volatile unsigned long *addr);
int find_first_bit(const unsigned long *addr, vgicheck_nr size);
int find_next_bit(const unsigned long *addr, vgicheck_nr size, vgicheck_nr offset);
int find_first_zero_bit(const unsigned long *addr, vgicheck_nr size);
int find_next_zero_bit(const unsigned long *addr, vgicheck_nr size, vgicheck_nr offset);
int ffs(int x);
int fls(int x);
unsigned long __ffs(unsigned long x);
unsigned long __fls(unsigned long x);
#else
static inline int test_bit(vgicheck_nr nr, const volatile unsigned long *addr)
{
	return addr[nr / BITS_PER_LONG] >> nr % BITS_PER_LONG & 1;
}

static inline void set_bit(vgicheck_nr nr, volatile unsigned long *addr)
{
	addr[nr / BITS_PER_LONG] |= 1UL << nr % BITS_PER_LONG;
}

static inline void clear_bit(vgicheck_nr nr, volatile unsigned long *addr)
{
	addr[nr / BITS_PER_LONG] &= ~(1UL << nr % BITS_PER_LONG);
}

static inline void change_bit(vgicheck_nr nr, volatile unsigned long *addr)
{
	addr[nr / BITS_PER_LONG] ^= 1UL << nr % BITS_PER_LONG;
}

static inline int test_and_set_bit(vgicheck_nr nr, volatile unsigned long *addr)
{
	int old = test_bit(nr, addr);

	set_bit(nr, addr);
	return old;
}

static inline int test_and_clear_bit(vgicheck_nr nr, volatile unsigned long *addr)
{
	int old = test_bit(nr, addr);

	clear_bit(nr, addr);
	return old;
}

static inline void __set_bit(vgicheck_nr nr, volatile unsigned long *addr)
{
	set_bit(nr, addr);
}

static inline void __clear_bit(vgicheck_nr nr, volatile unsigned long *addr)
{
	clear_bit(nr, addr);
}

static inline int __test_and_set_bit(vgicheck_nr nr, volatile unsigned long *addr)
{
	return test_and_set_bit(nr, addr);
}

static inline int __test_and_clear_bit(vgicheck_nr nr, volatile unsigned long *addr)
{
	return test_and_clear_bit(nr, addr);
}

/* The first bit from `offset` on that is not as in `flip`; each word is read once. */
static inline int vgicheck_next_bit(const unsigned long *addr, vgicheck_nr size, vgicheck_nr offset,
				    unsigned long flip)
{
	unsigned long left;

	while (offset < size) {
		left = (addr[offset / BITS_PER_LONG] ^ flip) >> offset % BITS_PER_LONG;
		if (left) {
			offset += __builtin_ctzl(left);
			return offset < size ? offset : size;
		}
		offset += BITS_PER_LONG - offset % BITS_PER_LONG;
	}
	return size;
}

static inline int find_next_bit(const unsigned long *addr, vgicheck_nr size, vgicheck_nr offset)
{
	return vgicheck_next_bit(addr, size, offset, 0);
}

static inline int find_first_bit(const unsigned long *addr, vgicheck_nr size)
{
	return find_next_bit(addr, size, 0);
}

static inline int find_next_zero_bit(const unsigned long *addr, vgicheck_nr size, vgicheck_nr offset)
{
	return vgicheck_next_bit(addr, size, offset, ~0UL);
}

static inline int find_first_zero_bit(const unsigned long *addr, vgicheck_nr size)
{
	return find_next_zero_bit(addr, size, 0);
}

static inline int ffs(int x)
{
	int bit = 0;

	while (bit < 32 && !((unsigned int)x >> bit & 1))
		bit++;
	return bit < 32 ? bit + 1 : 0;
}

static inline int fls(int x)
{
	int bits = 32;

	while (bits && !((unsigned int)x >> (bits - 1) & 1))
		bits--;
	return bits;
}

static inline unsigned long __ffs(unsigned long x)
{
	vgicheck_claim("no-undefined", x != 0, "a bit search in a word that is not zero");
	return ffs(x) - 1;
}

static inline unsigned long __fls(unsigned long x)
{
	vgicheck_claim("no-undefined", x != 0, "a bit search in a word that is not zero");
	return fls(x) - 1;
}
#endif
/* Of 32 bits at the most: what is wider is refused by the compiler */
#define ilog2(n) (fls(n) - 1 + 0 * (int)sizeof(char[sizeof(n) <= 4 ? 1 : -1]))
static inline unsigned int hweight32(u32 word)
{
	unsigned int bits = 0;
	int bit;

	for (bit = 0; bit < 32; bit++)
		bits += word >> bit & 1;
	return bits;
}

#define hweight8(n) hweight32((u8)(n))
#define hweight16(n) hweight32((u16)(n))
#define for_each_set_bit(bit, addr, size) \
	for ((bit) = find_next_bit((addr), (size), 0); (bit) < (size); \
	     (bit) = find_next_bit((addr), (size), (bit) + 1))
#define for_each_set_bit_from(bit, addr, size) \
	for ((bit) = find_next_bit((addr), (size), (bit)); (bit) < (size); \
	     (bit) = find_next_bit((addr), (size), (bit) + 1))
#define for_each_clear_bit(bit, addr, size) \
	for ((bit) = find_next_zero_bit((addr), (size), 0); (bit) < (size); \
	     (bit) = find_next_zero_bit((addr), (size), (bit) + 1))

/* Bitmaps of whole words, as the kernel has them for a number of bits that is constant */
#define BIT_WORD(nr) ((nr) / BITS_PER_LONG)
#define BIT_MASK(nr) (1UL << ((nr) % BITS_PER_LONG))

static inline void bitmap_and(unsigned long *dst, const unsigned long *a, const unsigned long *b, int nbits)
{
	int word;

	for (word = 0; word < BITS_TO_LONGS(nbits); word++)
		dst[word] = a[word] & b[word];
}

static inline void bitmap_or(unsigned long *dst, const unsigned long *a, const unsigned long *b, int nbits)
{
	int word;

	for (word = 0; word < BITS_TO_LONGS(nbits); word++)
		dst[word] = a[word] | b[word];
}

static inline void bitmap_copy(unsigned long *dst, const unsigned long *a, int nbits)
{
	int word;

	for (word = 0; word < BITS_TO_LONGS(nbits); word++)
		dst[word] = a[word];
}

static inline void bitmap_zero(unsigned long *dst, int nbits)
{
	int word;

	for (word = 0; word < BITS_TO_LONGS(nbits); word++)
		dst[word] = 0;
}

static inline int bitmap_empty(const unsigned long *a, int nbits)
{
	return find_first_bit(a, nbits) >= nbits;
}

/* Device registers */
#ifndef VGICHECK_NATIVE
u32 readl(const volatile void *addr);
void writel(u32 value, volatile void *addr);
#else
static inline u32 readl(const volatile void *addr)
{
	return *(const volatile u32 *)addr;
}

static inline void writel(u32 value, volatile void *addr)
{
	*(volatile u32 *)addr = value;
}
#endif
#define readl_relaxed(a) readl(a)
#define writel_relaxed(v, a) writel(v, a)
#define __raw_readl(a) readl(a)
#define __raw_writel(v, a) writel(v, a)
#define ioread32(a) readl(a)
#define le16_to_cpu(x) ((u16)(x))
#define le32_to_cpu(x) ((u32)(x))
#define le64_to_cpu(x) ((u64)(x))
#define cpu_to_le16(x) ((u16)(x))
#define cpu_to_le32(x) ((u32)(x))
#define cpu_to_le64(x) ((u64)(x))
#define iowrite32(v, a) writel(v, a)

struct device_node {
	const char *name;
	const char *full_name;
};

struct resource {
	resource_size_t start;
	resource_size_t end;
	const char *name;
	unsigned long flags;
};

/*
 * The kernel outside.  A failure is 0 for success, or the negative error that the service returns.
 */
struct vgicheck_world {
	/* where we are */
	int cpu;			/* this CPU, 0..NR_CPUS-1 */
	int in_interrupt;		/* the function runs as an interrupt handler */
	int irqs_off;			/* interrupts are disabled on this CPU */
	int cpu_online[NR_CPUS];

	/* what the services answer */
	int finds_node;			/* of_find_compatible_node() */
	unsigned int mapped_irq;	/* irq_of_parse_and_map(): 0 for none */
	int request_failure;		/* request_percpu_irq() */
	int resource_failure[8];	/* of_address_to_resource(), by index */
	u64 resource_start[8];
	u64 resource_end[8];
	int iomap_fails;		/* of_iomap(): gives NULL */
	int hyp_failure;		/* create_hyp_io_mappings() */
	int notifier_failure;		/* register_cpu_notifier() */
	int guest_failure;		/* kvm_phys_addr_ioremap() */

	/* the books */
	int node_refs;			/* references held on the GIC's node */
	int irq_requests;		/* handlers registered for the maintenance interrupt */
	int irq_enabled[NR_CPUS];	/* the maintenance interrupt is enabled on that CPU */
	int iomaps;			/* mappings of GICH */
	int hyp_maps;			/* mappings of GICH in HYP mode */
	int notifiers;			/* CPU notifiers registered */
	int guest_maps;			/* mappings of GICV into the guest */
	u64 guest_ipa;			/* the last one: where the guest sees it, */
	u64 guest_pa;			/* where it is, */
	u64 guest_size;			/* and how many bytes */
};
extern struct vgicheck_world vgicheck_world;
extern struct device_node vgicheck_node;

/* Interrupts and locks */
typedef int irqreturn_t;
#define IRQ_NONE 0
#define IRQ_HANDLED 1
typedef irqreturn_t (*irq_handler_t)(int, void *);

typedef struct {
	int held;			/* by this CPU */
} spinlock_t;
struct mutex {
	int held;			/* by this task */
};

#define DEFINE_SPINLOCK(x) spinlock_t x
#define DEFINE_MUTEX(x) struct mutex x
#define spin_lock_init(l) ((l)->held = 0)
#define mutex_init(m) ((m)->held = 0)
static inline void local_irq_disable(void)
{
	vgicheck_world.irqs_off = 1;
}

static inline void local_irq_enable(void)
{
	vgicheck_world.irqs_off = 0;
}

#define local_irq_save(f) ((f) = vgicheck_world.irqs_off, local_irq_disable())
#define local_irq_restore(f) ((f) ? local_irq_disable() : local_irq_enable())
#define irqs_disabled() (vgicheck_world.irqs_off)
#define smp_processor_id() (vgicheck_world.cpu)
#define raw_smp_processor_id() (vgicheck_world.cpu)
static inline void preempt_disable(void)
{
}

static inline void preempt_enable(void)
{
}

#define get_cpu() (vgicheck_world.cpu)
#define put_cpu() do { } while (0)

#ifndef VGICHECK_HAVE_spin_lock
static inline void spin_lock(spinlock_t *lock)
{
	if (vgicheck_world.in_interrupt)
		vgicheck_claim("lock-irq-safe", !lock->held, "the interrupted CPU does not hold this lock");
	else
		vgicheck_claim("locks-balanced", !lock->held, "this lock is not taken twice");
	lock->held = 1;
}
#endif

#ifndef VGICHECK_HAVE_spin_unlock
static inline void spin_unlock(spinlock_t *lock)
{
	vgicheck_claim("locks-balanced", lock->held, "a lock that is released is held");
	lock->held = 0;
}
#endif

#ifndef VGICHECK_HAVE_spin_trylock
static inline int spin_trylock(spinlock_t *lock)
{
	if (lock->held)
		return 0;
	lock->held = 1;
	return 1;
}
#endif

#define spin_lock_irq(l) do { local_irq_disable(); spin_lock(l); } while (0)
#define spin_unlock_irq(l) do { spin_unlock(l); local_irq_enable(); } while (0)
#define spin_lock_irqsave(l, f) do { local_irq_save(f); spin_lock(l); } while (0)
#define spin_unlock_irqrestore(l, f) do { spin_unlock(l); local_irq_restore(f); } while (0)

#ifndef VGICHECK_HAVE_mutex_lock
static inline void mutex_lock(struct mutex *lock)
{
	vgicheck_claim("lock-irq-safe", !vgicheck_world.in_interrupt, "no mutex is taken in an interrupt");
	vgicheck_claim("locks-balanced", !lock->held, "this mutex is not taken twice");
	lock->held = 1;
}
#endif

#ifndef VGICHECK_HAVE_mutex_unlock
static inline void mutex_unlock(struct mutex *lock)
{
	vgicheck_claim("locks-balanced", lock->held, "a mutex that is released is held");
	lock->held = 0;
}
#endif

typedef spinlock_t raw_spinlock_t;
#define DEFINE_RAW_SPINLOCK(x) raw_spinlock_t x
#define raw_spin_lock_init(l) spin_lock_init(l)
#define raw_spin_lock(l) spin_lock(l)
#define raw_spin_lock_nested(l, subclass) spin_lock(l)
#define _raw_spin_unlock(l) spin_unlock(l)
#define raw_spin_unlock(l) spin_unlock(l)
#define raw_spin_lock_irq(l) spin_lock_irq(l)
#define raw_spin_unlock_irq(l) spin_unlock_irq(l)
#define raw_spin_lock_irqsave(l, f) spin_lock_irqsave(l, f)
#define raw_spin_unlock_irqrestore(l, f) spin_unlock_irqrestore(l, f)
#define lockdep_assert_held(l) do { } while (0)
#define DEBUG_SPINLOCK_BUG_ON(p) do { } while (0)

typedef struct {
	int counter;
} atomic_t;
#define ATOMIC_INIT(n) { (n) }
#define atomic_read(v) ((v)->counter)
#define atomic_set(v, n) ((v)->counter = (n))
#define atomic_inc(v) ((void)((v)->counter += 1))
#define atomic_dec(v) ((void)((v)->counter -= 1))
#define atomic_add(n, v) ((void)((v)->counter += (n)))
#define atomic_inc_return(v) ((v)->counter += 1)
#define atomic_dec_return(v) ((v)->counter -= 1)
#define atomic_dec_and_test(v) (((v)->counter -= 1) == 0)

/* Per-CPU variables are seen from one CPU */
#define DEFINE_PER_CPU(type, name) type name
#define DECLARE_PER_CPU(type, name) extern type name
#define this_cpu_ptr(p) (p)
#define __this_cpu_ptr(p) (p)
#define per_cpu_ptr(p, cpu) (p)
#define __get_cpu_var(x) (x)
#define __this_cpu_read(x) (x)
#define this_cpu_read(x) (x)
#define __this_cpu_write(x, v) ((x) = (v))
#define this_cpu_write(x, v) ((x) = (v))

/* Device tree */
#ifndef VGICHECK_HAVE_of_find_compatible_node
static inline struct device_node *of_find_compatible_node(struct device_node *from, const char *type,
							  const char *compatible)
{
	if (!vgicheck_world.finds_node)
		return NULL;
	vgicheck_world.node_refs += 1;
	return &vgicheck_node;
}
#endif

#ifndef VGICHECK_HAVE_of_node_get
static inline struct device_node *of_node_get(struct device_node *node)
{
	if (node)
		vgicheck_world.node_refs += 1;
	return node;
}
#endif

#ifndef VGICHECK_HAVE_of_node_put
static inline void of_node_put(struct device_node *node)
{
	if (!node)
		return;
	vgicheck_claim("hyp-init-unwinds", vgicheck_world.node_refs > 0, "a node that is put is held");
	vgicheck_world.node_refs -= 1;
}
#endif

#ifndef VGICHECK_HAVE_irq_of_parse_and_map
static inline unsigned int irq_of_parse_and_map(struct device_node *node, int index)
{
	vgicheck_claim("hyp-init-complete", index == 0, "the maintenance interrupt is the node's first");
	return node ? vgicheck_world.mapped_irq : 0;
}
#endif

#ifndef VGICHECK_HAVE_irq_dispose_mapping
static inline void irq_dispose_mapping(unsigned int irq)
{
}
#endif

#ifndef VGICHECK_HAVE_of_address_to_resource
static inline int of_address_to_resource(struct device_node *node, int index, struct resource *r)
{
	if (!node)
		return -EINVAL;
	if (vgicheck_world.resource_failure[index])
		return vgicheck_world.resource_failure[index];
	r->start = vgicheck_world.resource_start[index];
	r->end = vgicheck_world.resource_end[index];
	r->name = NULL;
	r->flags = 0;
	return 0;
}
#endif

#ifndef VGICHECK_HAVE_resource_size
static inline resource_size_t resource_size(const struct resource *r)
{
	return r->end - r->start + 1;
}
#endif

/* Mappings: GICH is the one device there is */
extern u8 vgicheck_gich[0x1000];

#ifndef VGICHECK_HAVE_of_iomap
static inline void __iomem *of_iomap(struct device_node *node, int index)
{
	vgicheck_claim("hyp-init-complete", index == 2, "GICH is resource 2 of the node");
	if (!node || vgicheck_world.iomap_fails)
		return NULL;
	vgicheck_world.iomaps += 1;
	return vgicheck_gich;
}
#endif

#ifndef VGICHECK_HAVE_ioremap
static inline void __iomem *ioremap(resource_size_t start, unsigned long size)
{
	if (vgicheck_world.iomap_fails)
		return NULL;
	vgicheck_world.iomaps += 1;
	return vgicheck_gich;
}
#endif

#ifndef VGICHECK_HAVE_iounmap
static inline void iounmap(volatile void __iomem *address)
{
	vgicheck_claim("hyp-init-unwinds", vgicheck_world.iomaps > 0, "what is unmapped is mapped");
	vgicheck_world.iomaps -= 1;
}
#endif

#ifndef VGICHECK_HAVE_create_hyp_io_mappings
static inline int create_hyp_io_mappings(void *from, void *to, phys_addr_t start)
{
	vgicheck_claim("hyp-init-complete", from == vgicheck_gich && start == vgicheck_world.resource_start[2],
		       "what is mapped in HYP mode is GICH");
	if (vgicheck_world.hyp_failure)
		return vgicheck_world.hyp_failure;
	vgicheck_world.hyp_maps += 1;
	return 0;
}
#endif

/* The maintenance interrupt */
#ifndef VGICHECK_HAVE_request_percpu_irq
static inline int request_percpu_irq(unsigned int irq, irq_handler_t handler, const char *name, void __percpu *dev)
{
	if (vgicheck_world.request_failure)
		return vgicheck_world.request_failure;
	vgicheck_world.irq_requests += 1;
	return 0;
}
#endif

#ifndef VGICHECK_HAVE_free_percpu_irq
static inline void free_percpu_irq(unsigned int irq, void __percpu *dev)
{
	vgicheck_claim("hyp-init-unwinds", vgicheck_world.irq_requests > 0 && irq == vgicheck_world.mapped_irq,
		       "an interrupt that is freed was requested");
	vgicheck_world.irq_requests -= 1;
}
#endif

#ifndef VGICHECK_HAVE_enable_percpu_irq
static inline void enable_percpu_irq(unsigned int irq, unsigned int type)
{
	if (irq == vgicheck_world.mapped_irq)
		vgicheck_world.irq_enabled[vgicheck_world.cpu] = 1;
}
#endif

#ifndef VGICHECK_HAVE_disable_percpu_irq
static inline void disable_percpu_irq(unsigned int irq)
{
	if (irq == vgicheck_world.mapped_irq)
		vgicheck_world.irq_enabled[vgicheck_world.cpu] = 0;
}
#endif

#ifndef VGICHECK_HAVE_on_each_cpu
static inline int on_each_cpu(void (*function)(void *), void *info, int wait)
{
	int cpu, self = vgicheck_world.cpu;

	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		if (!vgicheck_world.cpu_online[cpu])
			continue;
		vgicheck_world.cpu = cpu;
		function(info);
	}
	vgicheck_world.cpu = self;
	return 0;
}
#endif

/* CPU hotplug */
struct notifier_block {
	int (*notifier_call)(struct notifier_block *self, unsigned long action, void *data);
	struct notifier_block *next;
	int priority;
};
#define NOTIFY_DONE 0
#define NOTIFY_OK 1
#define CPU_STARTING 0x000A
#define CPU_STARTING_FROZEN 0x001A
#define CPU_DYING 0x0008
#define CPU_DYING_FROZEN 0x0018

#ifndef VGICHECK_HAVE_register_cpu_notifier
static inline int register_cpu_notifier(struct notifier_block *block)
{
	if (vgicheck_world.notifier_failure)
		return vgicheck_world.notifier_failure;
	vgicheck_world.notifiers += 1;
	return 0;
}
#endif

#ifndef VGICHECK_HAVE_unregister_cpu_notifier
static inline void unregister_cpu_notifier(struct notifier_block *block)
{
	vgicheck_claim("hyp-init-unwinds", vgicheck_world.notifiers > 0, "a notifier that is unregistered is registered");
	vgicheck_world.notifiers -= 1;
}
#endif

#endif
