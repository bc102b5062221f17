/*
 * The freestanding runtime under which a translation unit runs natively, on i386 and Linux.
 *
 * The first part is what a unit may use; it is read ahead of the unit.  The second part, under VGICHECK_RUNTIME, is a
 * translation unit of its own, so that no macro and no definition of the unit can reach the code that
 * enters the sandbox.
 *
 * The program reads vectors from descriptor 0 and answers each of them on descriptor 1, until the input ends:
 *
 *	vector:	a word without meaning, then one word for each input
 *	answer:	0, then one word for each observation; or the length of a trap's text, then the text
 *
 * A word is 64 bits, little endian.
 */

/* Ends the vector at hand; the reason is cut at VGICHECK_TRAP_MAX bytes. */
void vgicheck_trap(const char *what) __attribute__((noreturn));

/* For the unit's caller to keep the value of a call in, until it is observed; nothing here touches it. */
extern unsigned long long vgicheck_result;

/* The address at which an access of the unit traps, where it is compiled to tell of its accesses; 0 for none. */
extern unsigned long vgicheck_watched;

/*
 * Threads that take turns, in a unit that is compiled to tell of its accesses.  A thread stops ahead of each access to a
 * cell at which others may look; a move is one such access and what follows it, up to the next.  An operation that is
 * one access for others may be a load and a store here: a move says which it makes.
 */
struct vgicheck_cut {
	unsigned long address;
	unsigned long threads;		/* bit n: thread n stops there */
};

struct vgicheck_move {
	unsigned int thread;
	unsigned long address;		/* of the cell, or 0 where the thread ends without another */
	int reads, writes;		/* neither where the thread only gets there, and waits */
};

struct vgicheck_turns {
	unsigned int nr_cuts, nr_moves;
	const struct vgicheck_cut *cuts;
	const struct vgicheck_move *moves;
	void (*const *threads)(void);
	void (*own)(unsigned int thread, int in);	/* puts what a thread or its CPU has for itself in its place, or away */
};

/* Makes the moves in order, and returns which threads have ended, by bits. */
unsigned long vgicheck_take(const struct vgicheck_turns *turns);

/* Written for each unit beside its text: word 0 of either array belongs to the runtime. */
extern unsigned long long vgicheck_inputs[], vgicheck_outputs[];
extern const unsigned long vgicheck_input_bytes, vgicheck_output_bytes;
void vgicheck_vector(void);

#ifdef VGICHECK_RUNTIME

enum {
	MEMORY_BYTES = 256 << 20,
	STACK_BYTES = 8 << 20,
};

/* System calls ----------------------------------------------------------------------------------------------------- */

enum {
	SYS_EXIT = 1, SYS_READ = 3, SYS_WRITE = 4, SYS_SETRLIMIT = 75, SYS_MMAP = 90, SYS_PRCTL = 172, SYS_GETRLIMIT = 191,
};

/* prctl wants zeroes for the arguments that it does not use. */
static long sys(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(0), "D"(0)
			 : "memory");
	return result;
}

static void __attribute__((noreturn)) quit(int status)
{
	for (;;)
		sys(SYS_EXIT, status, 0, 0);
}

/* The sandbox ------------------------------------------------------------------------------------------------------ */

enum { PR_SET_SECCOMP = 22, PR_SET_NO_NEW_PRIVS = 38, SECCOMP_MODE_FILTER = 2 };
enum { RLIMIT_CPU = 0, RLIMIT_FSIZE = 1, RLIMIT_STACK = 3, RLIMIT_CORE = 4, RLIMIT_NPROC = 6, RLIMIT_AS = 9 };

struct sock_filter {
	unsigned short code;
	unsigned char jt, jf;
	unsigned int k;
};

struct sock_fprog {
	unsigned short len;
	const struct sock_filter *filter;
};

enum { BPF_LOAD = 0x20, BPF_JEQ = 0x15, BPF_RET = 0x06 };
enum { DATA_NR = 0, DATA_ARCH = 4, DATA_ARG0 = 16 };

/* exit, read from descriptor 0 and write to descriptor 1, by i386 system calls; anything else kills the process. */
static const struct sock_filter filter[] = {
	/*  0 */ { BPF_LOAD, 0, 0, DATA_ARCH },
	/*  1 */ { BPF_JEQ, 0, 8, 0x40000003 /* AUDIT_ARCH_I386 */ },
	/*  2 */ { BPF_LOAD, 0, 0, DATA_NR },
	/*  3 */ { BPF_JEQ, 7, 0, SYS_EXIT },
	/*  4 */ { BPF_JEQ, 0, 2, SYS_READ },
	/*  5 */ { BPF_LOAD, 0, 0, DATA_ARG0 },
	/*  6 */ { BPF_JEQ, 4, 3, 0 },
	/*  7 */ { BPF_JEQ, 0, 2, SYS_WRITE },
	/*  8 */ { BPF_LOAD, 0, 0, DATA_ARG0 },
	/*  9 */ { BPF_JEQ, 1, 0, 1 },
	/* 10 */ { BPF_RET, 0, 0, 0x80000000 /* SECCOMP_RET_KILL_PROCESS */ },
	/* 11 */ { BPF_RET, 0, 0, 0x7fff0000 /* SECCOMP_RET_ALLOW */ },
};

static const struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

/* A limit that is stricter already stays. */
static void limit(int resource, unsigned long value)
{
	struct { unsigned long soft, hard; } rlimit;

	if (sys(SYS_GETRLIMIT, resource, (long)&rlimit, 0))
		quit(VGICHECK_NO_SANDBOX);
	if (rlimit.hard > value)
		rlimit.hard = value;
	if (rlimit.soft > rlimit.hard)
		rlimit.soft = rlimit.hard;
	if (sys(SYS_SETRLIMIT, resource, (long)&rlimit, 0))
		quit(VGICHECK_NO_SANDBOX);
}

static void enter_sandbox(void)
{
	if (sys(SYS_PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0) ||
	    sys(SYS_PRCTL, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program))
		quit(VGICHECK_NO_SANDBOX);
}

/* The writable image, which each vector finds as the program started with ------------------------------------------ */

struct elf_header {
	unsigned char ident[16];
	unsigned short type, machine;
	unsigned int version, entry, phoff, shoff, flags;
	unsigned short ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct program_header {
	unsigned int type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

enum { PT_LOAD = 1, PF_W = 2 };

extern const struct elf_header __ehdr_start;

static struct {
	void *start, *saved;
	unsigned long size;
} image;

static void copy(void *to, const void *from, unsigned long size)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

/* Needs a system call that the sandbox refuses. */
static void find_image(void)
{
	static const long protection = 3 /* read, write */, flags = 0x22 /* private, anonymous */;
	const struct program_header *header = (const void *)((const char *)&__ehdr_start + __ehdr_start.phoff);
	const struct program_header *end = header + __ehdr_start.phnum;
	unsigned long arguments[6] = { 0 };
	long address;

	for (; header < end; header++) {
		if (header->type != PT_LOAD || !(header->flags & PF_W))
			continue;
		if (image.size)
			quit(VGICHECK_NO_SANDBOX);
		image.start = (void *)header->vaddr;
		image.size = header->memsz;
	}
	arguments[1] = image.size;
	arguments[2] = protection;
	arguments[3] = flags;
	arguments[4] = -1;
	address = sys(SYS_MMAP, (long)arguments, 0, 0);
	if ((unsigned long)address > -4096UL)
		quit(VGICHECK_NO_MEMORY);
	image.saved = (void *)address;
}

/* Vectors ---------------------------------------------------------------------------------------------------------- */

unsigned long long vgicheck_result;
static void *stack __attribute__((used));

static void put(const void *from, unsigned long size)
{
	while (size) {
		long done = sys(SYS_WRITE, 1, (long)from, size);

		if (done <= 0)
			quit(0);
		from = (const char *)from + done;
		size -= done;
	}
}

static void take(void *to, unsigned long size)
{
	while (size) {
		long done = sys(SYS_READ, 0, (long)to, size);

		if (done <= 0)
			quit(0);
		to = (char *)to + done;
		size -= done;
	}
}

static void __attribute__((used, noinline, noclone, noreturn)) serve(void)
{
	for (;;) {
		copy(image.start, image.saved, image.size);
		take(vgicheck_inputs, vgicheck_input_bytes);
		vgicheck_vector();
		vgicheck_outputs[0] = 0;
		put(vgicheck_outputs, vgicheck_output_bytes);
	}
}

void vgicheck_trap(const char *what)
{
	unsigned long long length = 0;

	while (length < VGICHECK_TRAP_MAX && what[length])
		length++;
	if (!length) {
		what = "trap";
		length = 4;
	}
	put(&length, sizeof(length));
	put(what, length);
	/* Whatever the vector left on the stack is abandoned. */
	__asm__ volatile("movl stack, %esp\n\tcld\n\tcall serve");
	__builtin_unreachable();
}

static void __attribute__((used, noinline, noclone, noreturn)) begin(void)
{
	limit(RLIMIT_AS, MEMORY_BYTES);
	limit(RLIMIT_STACK, STACK_BYTES);
	limit(RLIMIT_CPU, VGICHECK_CPU_SECONDS);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NPROC, 0);
	find_image();
	enter_sandbox();
	copy(image.saved, image.start, image.size);
	serve();
}

__asm__(".globl _start\n"
	"_start:\n"
	"	xorl %ebp, %ebp\n"
	"	andl $-16, %esp\n"
	"	movl %esp, stack\n"
	"	call begin\n");

/* Threads that take turns ------------------------------------------------------------------------------------------ */

enum { THREADS = 8, THREAD_STACK_BYTES = 1 << 16 };

static const struct vgicheck_turns *turns;
static const struct vgicheck_move *doing;
static int loaded, stored;
static unsigned int running;	/* the number of the thread that runs, from 1; 0 for none */
static void *outside;
static struct {
	void *stack;
	unsigned long at;		/* what it is about to access */
	int begun, ended;
} threads[THREADS];
static unsigned char stacks[THREADS][THREAD_STACK_BYTES] __attribute__((aligned(16)));

/* Leaves what the C keeps in registers on one stack, and goes on with another. */
void vgicheck_switch(void **from, void *to);
__asm__("vgicheck_switch:\n"
	"	movl 4(%esp), %eax\n"
	"	movl 8(%esp), %edx\n"
	"	pushl %ebp\n"
	"	pushl %ebx\n"
	"	pushl %esi\n"
	"	pushl %edi\n"
	"	movl %esp, (%eax)\n"
	"	movl %edx, %esp\n"
	"	popl %edi\n"
	"	popl %esi\n"
	"	popl %ebx\n"
	"	popl %ebp\n"
	"	ret\n");

static void pause(unsigned long at)
{
	threads[running - 1].at = at;
	vgicheck_switch(&threads[running - 1].stack, outside);
}

static void run_thread(void)
{
	turns->threads[running - 1]();
	threads[running - 1].ended = 1;
	pause(0);
}

static void go_on(unsigned int thread)
{
	turns->own(thread, 1);
	running = thread + 1;
	vgicheck_switch(&outside, threads[thread].stack);
	running = 0;
	turns->own(thread, 0);
}

/* Lets a thread come to its first stop. */
static void begin_thread(unsigned int thread)
{
	void **top = (void **)(stacks[thread] + THREAD_STACK_BYTES - 64);

	top[4] = run_thread;	/* above four registers */
	threads[thread].stack = top;
	threads[thread].begun = 1;
	doing = 0;
	go_on(thread);
}

unsigned long vgicheck_take(const struct vgicheck_turns *wanted)
{
	unsigned long ended = 0;
	unsigned int n;

	turns = wanted;
	for (n = 0; n < turns->nr_moves; n++) {
		const struct vgicheck_move *move = &turns->moves[n];

		if (!threads[move->thread].begun)
			begin_thread(move->thread);
		if (threads[move->thread].at != move->address)
			vgicheck_trap(VGICHECK_ASTRAY);
		if (!move->reads && !move->writes)
			continue;
		doing = move;
		loaded = stored = 0;
		go_on(move->thread);
	}
	for (n = 0; n < THREADS; n++)
		ended |= (unsigned long)threads[n].ended << n;
	return ended;
}

static int stops_at(unsigned long address)
{
	unsigned int n;

	for (n = 0; n < turns->nr_cuts; n++)
		if (turns->cuts[n].address == address && turns->cuts[n].threads >> (running - 1) & 1)
			return 1;
	return 0;
}

/* Says whether an access is part of the move at hand, and takes note of it. */
static int belongs(unsigned long address, int stores)
{
	if (!doing || address != doing->address || stored)
		return 0;
	if (stores)
		return stored = doing->writes;
	if (!doing->reads || (loaded && !doing->writes))
		return 0;
	return loaded = 1;
}

static void take_turns(unsigned long address, int stores)
{
	if (!running || !stops_at(address) || belongs(address, stores))
		return;
	pause(address);
	if (!belongs(address, stores))
		vgicheck_trap(VGICHECK_ASTRAY);
}

/* What a unit calls ahead of each access, where it is compiled to tell --------------------------------------------- */

unsigned long vgicheck_watched;

static void accesses(unsigned long address, int stores)
{
	if (vgicheck_watched && address == vgicheck_watched)
		vgicheck_trap(VGICHECK_WATCHED);
	take_turns(address, stores);
}

#define ACCESSES(size) \
	void __tsan_read##size(unsigned long address) { accesses(address, 0); } \
	void __tsan_write##size(unsigned long address) { accesses(address, 1); } \
	void __tsan_unaligned_read##size(unsigned long address) { accesses(address, 0); } \
	void __tsan_unaligned_write##size(unsigned long address) { accesses(address, 1); }

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(unsigned long address, unsigned long size)
{
	accesses(address, 0);
}

void __tsan_write_range(unsigned long address, unsigned long size)
{
	accesses(address, 1);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
}

void __tsan_func_exit(void)
{
}

/* What the compiler calls and libc or libgcc would hold ------------------------------------------------------------ */

typedef unsigned long long u64;
typedef long long s64;

void *memcpy(void *to, const void *from, unsigned long size)
{
	copy(to, from, size);
	return to;
}

void *memmove(void *to, const void *from, unsigned long size)
{
	char *d = to;
	const char *s = from;

	if (d <= s) {
		copy(d, s, size);
	} else {
		while (size--)
			((volatile char *)d)[size] = s[size];
	}
	return to;
}

void *memset(void *to, int value, unsigned long size)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
	return to;
}

int memcmp(const void *left, const void *right, unsigned long size)
{
	const unsigned char *l = left, *r = right;

	for (; size; size--, l++, r++)
		if (*l != *r)
			return *l - *r;
	return 0;
}

u64 __udivmoddi4(u64 n, u64 d, u64 *remainder)
{
	u64 quotient = 0, rest = 0;
	int bit;

	if (!d)
		__asm__ volatile("divl %0" : : "r"(0) : "eax", "edx"); /* the trap that 32 bits would give */
	for (bit = 63; bit >= 0; bit--) {
		int carry = rest >> 63;

		rest = rest << 1 | (n >> bit & 1);
		if (carry || rest >= d) {
			rest -= d;
			quotient |= 1ULL << bit;
		}
	}
	if (remainder)
		*remainder = rest;
	return quotient;
}

/* Rounds to zero, so the remainder has the sign of the dividend. */
s64 __divmoddi4(s64 n, s64 d, s64 *remainder)
{
	u64 rest, quotient = __udivmoddi4(n < 0 ? -(u64)n : n, d < 0 ? -(u64)d : d, &rest);

	if (remainder)
		*remainder = n < 0 ? -rest : rest;
	return (n < 0) != (d < 0) ? -quotient : quotient;
}

u64 __udivdi3(u64 n, u64 d)
{
	return __udivmoddi4(n, d, 0);
}

u64 __umoddi3(u64 n, u64 d)
{
	u64 rest;

	__udivmoddi4(n, d, &rest);
	return rest;
}

s64 __divdi3(s64 n, s64 d)
{
	return __divmoddi4(n, d, 0);
}

s64 __moddi3(s64 n, s64 d)
{
	s64 rest;

	__divmoddi4(n, d, &rest);
	return rest;
}

int __popcountdi2(u64 word)
{
	int bit, count = 0;

	for (bit = 0; bit < 64; bit++)
		count += word >> bit & 1;
	return count;
}

int __popcountsi2(unsigned int word)
{
	return __popcountdi2(word);
}

int __paritydi2(u64 word)
{
	return __popcountdi2(word) & 1;
}

int __clzdi2(u64 word)
{
	unsigned int high = word >> 32;

	return high ? __builtin_clz(high) : 32 + __builtin_clz((unsigned int)word);
}

int __ctzdi2(u64 word)
{
	unsigned int low = word;

	return low ? __builtin_ctz(low) : 32 + __builtin_ctz((unsigned int)(word >> 32));
}

int __ffsdi2(u64 word)
{
	return word ? __ctzdi2(word) + 1 : 0;
}

#endif
