/*
 * Each good_ function is lowered, run and compared with the same function compiled, for many a and b (small numbers of
 * either sign).  None of them does anything that C leaves undefined.
 */
typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool bool;

#define NULL ((void *)0)
#define likely(x) __builtin_expect(!!(x), 1)
#define offsetof(type, member) __builtin_offsetof(type, member)
#define max(x, y) ({ typeof(x) _x = (x); typeof(y) _y = (y); _x > _y ? _x : _y; })
#define for_each_set(bit, word) for ((bit) = next_set((word), 0); (bit) < 32; (bit) = next_set((word), (bit) + 1))
#define for_each_part(i, n) for (; (i) < (n); (i)++)
#define forever for (;;)
#define twice(x) do { x; x; } while (0)

enum colour { RED, GREEN = 5, BLUE };
struct point { int x, y; };
struct box { struct point corner[2]; u8 tag; bool filled; };
struct nested { int first; union { u32 word; u32 same_word; }; struct { int in, out; }; struct { u8 last; }; };
struct ops { int (*run)(int, int); const char *name; };

static int calls;
static int table[4] = { 3, [2] = 7, 11 };
static const struct point origins[] = { { 1, 2 }, { .y = 4, .x = 3 } };
static const char text[] = "vgic";
int shared = 2 * 3 + 1;
int *shared_pointer = &table[2];

static int add(int a, int b) { calls++; return a + b; }
static int sub(int a, int b) { calls++; return a - b; }
static const struct ops operations[] = { { add, "add" }, { .name = "sub", .run = sub } };
static int next_set(u32 word, int from)
{
	while (from < 32 && !(word & (1u << from)))
		from++;
	return from;
}
static void step(int *p, int by) { *p += by; }
static struct point swapped(struct point p) { struct point q = { p.y, p.x }; return q; }

int good_if_else(int a, int b) { if (a < b) return 1; else if (a == b) return 2; else if (a) return 3; return 4; }
int good_for(int a, int b) { int i, n = 0; for (i = 0; i < 10; i++) n += i * a; return n + b; }
int good_for_declares(int a, int b) { int n = a; for (int i = 0; i < 3; i++) n += b; return n; }
int good_for_without_start(int a, int b) { int i = 0, n = b; for (; i < 5; i++) n += a; return n; }
int good_for_without_condition(int a, int b) { int i; for (i = 0;; i++) if (i > 4) break; return i + a + b; }
int good_for_without_step(int a, int b) { int i, n = a; for (i = 0; i < 5;) { n += b; i++; } return n; }
int good_for_condition_only(int a, int b) { int i = 0; for (; i < 5;) i += 2; return i + a + b; }
int good_for_start_only(int a, int b) { int i; for (i = a & 7;;) { if (i++ > 30) break; } return i + b; }
int good_for_step_only(int a, int b) { int i = 0; for (;; i++) if (i == 7) return i + a + b; }
int good_for_empty(int a, int b) { int i = 0; for (;;) { if (++i > 3) break; } return i + a + b; }
int good_for_of_macros(int a, int b)
{
	int bit, i = 0, n = 0;
	for_each_set(bit, (u32)a & 0x8007)
		n += bit;
	for_each_part(i, 5)
		n += b;
	forever
		if (i++ > 9)
			break;
	return n + i;
}
int good_while(int a, int b) { int n = 0; while (n < 5) { n++; if (n == 2) continue; b += a; } return b; }
int good_do_while(int a, int b) { int n = 0; do { if (n == 1) continue; b += a; } while (++n < 4); return b; }
int good_do_once(int a, int b) { int n = a; twice(n += b); return n; }
int good_switch(int a, int b)
{
	int n = 0;
	switch (a) {
		n = 99;
	case 0:
	case 1:
		n += 1;
	case 2:
		n += 10;
		break;
	default:
		n = 5;
		break;
	case -1:
		if (b) {
	case 12:
			n = 7;
		}
	}
	return n + b;
}
int good_switch_of_u8(int a, int b) { switch ((u8)a) { case 255: return 1; case 0: return 2; } return b; }
int good_switch_without_default(int a, int b) { switch (b) { case 3: a = 4; } return a; }
int good_switch_in_loop(int a, int b)
{
	int i, n = 0;
	for (i = 0; i < 4; i++) {
		switch (i) { case 1: continue; case 2: break; default: n += a; }
		n += b;
	}
	return n;
}
int good_goto(int a, int b)
{
	int n = 0;
	if (a < 0)
		goto out;
again:
	if (n++ < 3)
		goto again;
	a += n;
out:	return a + b;
}
int good_shadowing(int a, int b) { int n = a; { int n = b; n++; { int n = 3; a += n; } a += n; } return a * n; }
int good_logical(int a, int b) { return (a && b) + 2 * (a || b) + 4 * !a; }
int good_short_circuit(int a, int b) { int n = 0; if (a > 0 && ++n && b > 0) n += 10; if (a || n++) n += 100; return n; }
int good_conditional(int a, int b) { return a > b ? a - b : b ? b - a : 7; }
int good_conditional_mixed(int a, int b) { u32 u = 3; return (a ? a : u) > 100; }
int good_condition_of_condition(int a, int b) { if (a ? b > 1 : b < 1) return 1; return 0; }
int good_omitted_operand(int a, int b) { return (a ?: b) + ((u8)a ?: 300); }
int good_omitted_operand_once(int a, int b) { int n = a; int m = n++ ?: b; return n * 100 + m; }
int good_comma(int a, int b) { int n = (a++, b++, a + b); for (n += 1, a = 0; a++, a < 3; n++, b++) ; return n + b; }
int good_compound(int a, int b)
{
	int n = a;
	n += b; n -= 3; n *= 2; n |= 1; n &= 0xffff; n ^= b; n /= 3; n %= 100;
	n &= 0xff; n <<= 2; n >>= 1;
	return n;
}
int good_compound_narrow(int a, int b)
{
	u8 c = a; s8 s = b; u16 h = a;
	c += 200; c <<= 1; s *= 3; h -= 70000; c |= 0x1ff;
	return c + s * 1000 + h;
}
int good_compound_mixed(int a, int b) { int n = a; u32 u = b; u64 w = 1; n += u; n /= 3u; w <<= 33; w += a; return (n & 0xffff) + (int)(w >> 3 & 0xffff); }
int good_compound_value(int a, int b) { int n = 1, m = (n += a) * (b -= 2); return m + n; }
int good_increments(int a, int b) { int n = a++ + 2; int m = --b; return n * 3 + m + a-- - ++b; }
int good_increment_narrow(int a, int b) { u8 c = 255; s8 s = 127; bool t = 0; int r = c++; r += ++s; t++; t++; return r + c + t; }
int good_assignment_value(int a, int b) { int x, y; u8 c; x = y = a; a = c = b; return x + y + a + c; }
int good_promotions(int a, int b) { u8 x = a, y = b; return (x << 4) + (y - x) + ~x + -y + (x > y); }
int good_unsigned(int a, int b) { u32 x = a, y = b; return (x > y) + (x / 3) % 7 + (a < 4u) + (x >> 5) % 11; }
int good_wide(int a, int b) { u64 x = (u64)(u32)a * (u32)b; long long s = a; return (int)((x >> 7) & 1023) + (int)(s >> 3) + (s < 0); }
int good_bool(int a, int b) { bool t = a & 256; bool u = !!b; bool v = (bool)a; return t + 2 * u + 4 * v + (t == u); }
int good_casts(int a, int b) { return (u8)a + (s8)b + (u16)(a * b) + (int)(u32)a; }
int good_characters(int a, int b) { char c = -1; return (c > 0) + 'a' + '\n' + a + b; }
int good_constants(int a, int b)
{
	return sizeof(struct box) + sizeof a + offsetof(struct box, tag) + GREEN + BLUE + 0x10u + 3L
		+ __builtin_types_compatible_p(int, long) + (int)&((struct box *)0)->filled + a + b;
}
int good_enum(int a, int b) { enum colour c = a ? BLUE : RED; return c + b; }
int good_local_enum(int a, int b) { enum { ONE = 1, TWO }; struct pair { int l, r; } p = { ONE, TWO }; return p.l + p.r + a + b; }
int good_calls(int a, int b) { int n = add(a, sub(b, 1)); step(&n, add(1, 2)); add(1, 1); (void)sub(1, 1); return n; }
int left_to_right(int a, int b) { int n; calls = 0; n = calls + add(a, b) + calls * 100; return n; }
int good_call_through_pointer(int a, int b)
{
	int (*f)(int, int) = a > b ? add : &sub;
	return f(a, b) + (*f)(b, 1) + (&add)(1, 2) + operations[1].run(a, 2) + operations[a & 1].run(b, 2);
}
int good_struct_members(int a, int b) { struct point p, *q = &p; p.x = a; q->y = b; q->x++; return p.x * 3 + p.y; }
int good_struct_nested(int a, int b) { struct box v; v.corner[1].y = a; v.tag = b; v.filled = a; return v.corner[1].y + v.tag + v.filled; }
int good_struct_anonymous(int a, int b)
{
	struct nested n = { a, { 5 }, { 6, 7 }, { 8 } }, m = { .out = b, .word = 9 }, *p = &n;
	p->in += 1;
	return n.first + n.word + n.in * 10 + n.out * 100 + n.last + m.out + m.word + m.in + m.last;
}
int good_struct_assignment(int a, int b) { struct point p = { a, b }, q, r; r = q = p; p.x = 0; q.y++; return q.x + q.y * 3 + r.y; }
int good_struct_argument(int a, int b) { struct point p = { a, b }; p = swapped(p); return p.x * 5 + swapped(p).x; }
int good_struct_conditional(int a, int b) { struct point p = { a, 1 }, q = { 2, b }; int n = (a > b ? p : q).x; return n + (p = q).y; }
int good_arrays(int a, int b) { int v[5] = { 0 }, i; for (i = 0; i < 5; i++) v[i] = i * a; v[2] += b; v[3]--; return v[2] + 4[v] + *v + v[3]; }
int good_array_of_arrays(int a, int b) { int v[2][3] = { { 1, 2, 3 }, { a } }; v[1][2] = b; return v[0][2] + v[1][0] + v[1][1] + v[1][2]; }
int good_array_parameter_of(int v[4], int b) { return v[0] + *(v + 1) + v[b & 1]; }
int good_pointers(int a, int b)
{
	int v[4] = { a, b, 3, 4 }, *p = v, *q = &v[3];
	p++; *p++ += 5; --q; p += 1; p -= 1;
	*(q + 1) = 9;
	return (p == q) + *p + p[-1] + q[1] + *&v[0] + (p != NULL) + !p;
}
int good_pointer_conditions(int a, int b) { int *p = a ? &b : NULL; bool t = p; if (p && *p) a++; if (!p) a--; return a + t; }
int good_pointer_casts(int a, int b) { void *p = &a; int **r; int *q = p; r = &q; **r += b; return *(int *)p; }
int good_globals(int a, int b) { int r; table[1] = a; shared_pointer = &table[3]; *shared_pointer = b; r = table[3] + table[1] + shared; shared_pointer = &table[2]; table[3] = 11; return r + *shared_pointer + origins[1].x + origins[0].y + text[2] + sizeof(text); }
int good_static_local(int a, int b) { static int count = 4; { static int count; count += a; b += count; } count = 7; return count + b - (b - a); }
int good_initialisers(int a, int b)
{
	int v[6] = { 1, [3] = a, b, [0] = 9 }, w[4] = { [0 ... 2] = 5 }, one = { a };
	struct box x = { 1, 2, 3, a, .tag = b }, y = { .corner[1].x = 4, 5, 6 }, z = { { [1] = { 7 } } }, e = { };
	char s[6] = "abc", t[] = { "de" }, l[2] = { 'x' };
	struct point p = { b }, in[2] = { p, { a, 1 } };
	return v[0] + v[1] + v[3] * 2 + v[4] * 3 + v[5] + w[2] + w[3] + one
		+ x.corner[1].x + x.tag + x.filled + y.corner[0].x + y.corner[1].x + y.corner[1].y * 3 + y.tag
		+ z.corner[1].x + z.corner[0].y + e.tag + s[2] + s[4] + t[1] + l[1] + p.y + in[0].x + in[1].x + sizeof(t);
}
int good_initialised_in_loop(int a, int b) { int i, n = 0; for (i = 0; i < 3; i++) { int v[2] = { a }; v[1] += b; n += v[0] + v[1]; } return n; }
int good_statement_expression(int a, int b) { int n = max(a, b) + max(a + 1, 3); n += ({ int a = 2; if (b > 3) a = 5; a; }); ({ n++; }); return n; }
int good_statement_expression_returns(int a, int b) { int n = ({ if (a > 3) return 42; b; }); return n; }
int good_break_in_statement_expression(int a, int b) { int n = 0; for (;;) { n += ({ if (n > 5) break; 2; }); } return n + a + b; }
int good_expectations(int a, int b) { if (likely(a > 0 && b)) return 1; return likely(b) + 2; }
int good_constant_p(int a, int b) { return __builtin_constant_p(a++) ? 1 : a + b; }
int good_typeof(int a, int b) { typeof(a) c = b; typeof(&c) p = &c; *p += (typeof(b))a; return c; }
int good_discarded(int a, int b) { a; (void)b; a + b; a ? b : a; a && b; !a; *&a; return a; }
int good_constant_conditions(int a, int b) { if (0) a = 9; if (1 && b) a++; while (0) a++; return 0 ? a / 0 : a; }
int good_extension(int a, int b) { return __extension__ (a + b) + __extension__ ({ 3; }); }
int good_attributes(int a, int b) { int unused __attribute__((unused)); switch (a) { case 1: b++; __attribute__((fallthrough)); case 2: b++; } return b; }
int good_prototype_inside(int a, int b) { extern int shared; int add(int, int); return add(a, b) + shared; }
int good_array_parameter(int a, int b) { int v[4] = { a, b, 2 }; return good_array_parameter_of(v, b); }
int good_nothing(int a, int b) { ; ; { } return a + b; }
int good_arithmetic_shift(int a, int b) { return (a >> 2) + ((u32)a >> 28) + (b / 2) + (b % 3) + a % -5; }
