/*
 * What the kernel's VGIC is written in: bitmaps in unions, registers by offset, tables of handlers, a pointer for each CPU,
 * error paths.  Each good_ function gives what the compiled function gives.
 */
typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool bool;

#define NULL ((void *)0)
#define BITMAP(name, bits) unsigned long name[((bits) + 31) / 32]
struct vgic_bitmap { union { u32 reg[1]; unsigned long reg_ul[0]; } percpu[2]; union { u32 reg[2]; unsigned long reg_ul[0]; } shared; };
struct vgic_dist { bool enabled; struct vgic_bitmap enable, state; u8 priority[8]; BITMAP(pending, 64); };
struct vcpu { int id; struct vgic_dist *dist; u32 lr[4]; u8 map[8]; struct { u32 hcr, vmcr; } cpu; };
struct range { u32 base, len; bool (*handle)(struct vcpu *vcpu, u32 offset); };
static struct vgic_dist dist;
static struct vcpu vcpus[2], *current_vcpu;
static u32 *bitmap_reg(struct vgic_bitmap *x, int cpu, u32 offset)
{
	offset >>= 2;
	if (!offset)
		return x->percpu[cpu].reg;
	return x->shared.reg + offset - 1;
}
static bool handle_enable(struct vcpu *vcpu, u32 offset) { *bitmap_reg(&dist.enable, vcpu->id, offset & 8) |= 1 << (offset & 31); return offset; }
static bool handle_raz(struct vcpu *vcpu, u32 offset) { vcpu->cpu.hcr = offset; return 0; }
static const struct range ranges[] = {
	{ .base = 0x100, .len = 0x80, .handle = handle_enable },
	{ .base = 0x180, .len = 4, .handle = handle_raz },
	{ },
};
static const struct range *find_range(const struct range *ranges, u32 base)
{
	const struct range *r = ranges;
	while (r->len) {
		if (base >= r->base && base < r->base + r->len)
			return r;
		r++;
	}
	return NULL;
}

int good_table_of_handlers(int a, int b)
{
	const struct range *r = find_range(ranges, 0x100 + (a & 0xff));
	u32 was = dist.enable.percpu[b & 1].reg[0];
	if (!r)
		return -1;
	return r->handle(&vcpus[b & 1], a & 0xff) + dist.enable.percpu[0].reg[0] - was + vcpus[1].cpu.hcr + dist.enable.shared.reg[1];
}
int good_bitmap_in_a_union(int a, int b)
{
	struct vgic_bitmap *x = &dist.state;
	unsigned long *word = x->shared.reg_ul + (a & 1);
	x->percpu[b & 1].reg[0] = a;
	x->shared.reg[0] = b;
	x->shared.reg[1] = 0;
	*word |= 1ul << (b & 31);
	return x->shared.reg_ul[1] + x->percpu[0].reg_ul[0] + *bitmap_reg(x, 0, (a & 2) << 1);
}
int good_pointer_per_cpu(int a, int b)
{
	void *data = &current_vcpu;
	struct vcpu *vcpu, **slot = data;
	*slot = a > 2 ? &vcpus[a & 1] : NULL;
	vcpu = *(struct vcpu **)data;
	if (!vcpu)
		return 1;
	vcpu->id = b;
	vcpu->dist = &dist;
	vcpu->dist->priority[b & 7] = a;
	return vcpus[a & 1].id + dist.priority[b & 7] + (vcpu == &vcpus[1]);
}
int good_error_path(int a, int b)
{
	int ret = -22, held = 0;
	if (a < 0)
		goto out;
	held++;
	ret = -12;
	if (b < 0)
		goto unlock;
	held++;
	ret = 0;
	if (a == b)
		goto free;
	return held;
free:
	held--;
unlock:
	held--;
out:
	return ret * 10 + held;
}
int good_goto_out_of_loops(int a, int b)
{
	int i, j, n = a & 7;
	for (i = 0; i < 3; i++) {
		n += i + 1;
		for (j = 0; j < 3; j++) {
			if (i * j == (b & 3))
				goto next;
			n += 10;
			if (n > 45)
				goto out;
		}
next:		;
	}
out:	return n;
}
int good_fields_of_a_word(int a, int b)
{
	u32 lr = (a & 0x3ff) | (b & 7) << 10 | 1u << 28;
	lr &= ~(1u << 28);
	lr |= lr & 2 ? 1u << 19 : 0;
	return (lr & 0x3ff) + ((lr >> 10) & 7) + !!(lr & (1 << 19)) + (u8)(lr >> 8);
}
int good_bytes_of_a_register(int a, int b)
{
	u8 *p = &dist.priority[b & 3];
	u32 reg;
	p[0] = a; p[1] = a >> 4; *(p + 2) = ~a; p[3] ^= p[0];
	reg = p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
	p[3] = 0;
	return reg >> (b & 31);
}
int good_struct_copies(int a, int b)
{
	struct vcpu v = vcpus[0], *p = &vcpus[1];
	v.lr[a & 3] = b; v.map[7] = a; v.cpu.hcr = a + b;
	*p = v;
	vcpus[0] = *p;
	vcpus[0].lr[a & 3]++;
	return p->lr[a & 3] + vcpus[0].lr[a & 3] * 3 + p->map[7] + p->cpu.hcr;
}
int good_nested_switch(int a, int b)
{
	switch (a & 3) {
	case 0:
		switch (b & 1) { case 0: return 10; default: break; }
	case 1:
		a += 5;
		break;
	case 2: {
		int x = b;
		while (1) { if (x-- < 3) break; if (x > 20) { x = 20; continue; } a++; }
		break;
	}
	default:
		return b;
	}
	return a;
}
int good_widths(int a, int b)
{
	u8 c = a; s8 d = b; u16 e = a * 300; short f = b * 300; u32 g = a; u64 h = (u64)g << 32 | (u32)b; long long i = a; i *= b;
	return (c < d) + 2 * (d < g) + 4 * (e > f) + 8 * (f < (int)g) + 16 * (h > g) + 32 * (i < h) + 64 * (i < g) + 128 * (c == a)
		+ (int)(h >> 40) + (int)(i >> 3) + (u16)(e + f) + (s8)(c - d) + (d >> 2) + (c >> 2) + (f >> 1);
}
int good_array_of_pointers(int a, int b)
{
	u32 *v[3] = { &vcpus[0].lr[1], NULL, &vcpus[1].lr[2] }, **p = &v[a & 1 ? 2 : 0];
	**p = b;
	v[1] = *p;
	return *v[1] + (v[0] == v[1]) + (p == v + 2);
}
int good_end_pointer_loop(int a, int b) { int v[4] = { a, b, 3 }, *p, *end = v + 4, n = 0; for (p = v; p != end; ++p) n = n * 3 + *p; return n; }
