/*
 * Each good_ function does what C leaves undefined, unspecified or to the compiler, and the kernel's flags define: it
 * gives what the compiled function gives, and nothing is claimed.
 */
struct pair { int first; unsigned char second; int rest[3]; };
int table[8];
struct pair object;
static int one(int x) { return x + 1; }
static int nothing(int x) { if (x > 1000000) return 1; }
static void *address(int x) { return x ? &object : (void *)0; }

int good_sum_that_overflows(int a, int b) { return a + 2147483647 + (a + 1 > a) + (2147483647 + b < b); }
int good_difference_that_overflows(int a, int b) { int least = -2147483647 - 1; return least - a + -least; }
int good_product_that_overflows(int a, int b) { return a * 65536 * 65537 + b * 2147483647; }
int good_increment_that_overflows(int a, int b) { int x = 2147483647; x++; x -= b; return x; }
int good_wide_sum_that_overflows(int a, int b) { long long w = (long long)(~0ull >> 1); w += a; return (w < 0) + (int)(w >> 32); }
int good_shift_of_a_negative(int a, int b) { return (a << 4) + (-1 << 5) + (a >> 3) + (-7 >> 1); }
int good_shift_into_the_sign(int a, int b) { return (1 << 31) + (0x1f << 27) + ((a & 0xff) << 24); }
int good_conversion_that_does_not_fit(int a, int b) { signed char c = 200 + a; short s = 70000 * b; return c + s + (int)3000000000u; }
int good_other_type_of_the_same_width(int a, int b)
{
	unsigned long *p = (unsigned long *)&table[1];
	table[1] = a;
	*p += 5;
	*(unsigned int *)&table[2] = ~0u - b;
	return table[1] + table[2] + (*(int *)p < 0);
}
int good_other_sign_in_a_union(int a, int b)
{
	union { int s; unsigned int u; } u;
	union { unsigned char u; signed char s; } c;
	u.s = a - 1;
	c.u = 200 + b;
	return (u.u < 5) + 2 * (u.s < 0) + c.s;
}
int good_pointer_to_struct_as_first_member(int a, int b) { int *p = (int *)&object; object.first = a; *p += b; return object.first; }
int good_check_after_the_address(int a, int b)
{
	struct pair *p = address(a > 3);
	int *q = &p->rest[1];
	if (!p)
		return 1;
	return q == &object.rest[1] ? 5 : 7;
}
int good_pointer_one_past_the_end(int a, int b) { int *p, n = 0; for (p = table; p != table + 8; p++) n++; return n + (p == &table[8]); }
int good_pointer_out_and_back(int a, int b) { int *p = table + 100; p -= 98; *p = a; return table[2] + (table - 5 == table); }
int good_end_of_a_row(int a, int b) { static int grid[2][3]; return (&grid[0][3] == &grid[1][0]) + 2 * (&grid[0][2] + 1 == grid[1]); }
int good_missing_result_that_is_not_used(int a, int b) { nothing(b); return a; }
int good_copy_of_what_is_not_all_there(int a, int b) { struct pair p, q; p.first = a; q = p; object = q; return object.first; }
int good_order_of_evaluation_that_does_not_matter(int a, int b) { return one(a) * 100 + one(b) - one(one(a)); }
int good_uninitialised_that_is_written_first(int a, int b) { int x, *p = &x; *p = a; return x + b; }
int good_local_of_a_caller(int a, int b) { int x = a; int *p = &x; { int y = b; p = &y; *p += 1; x += *p; } p = &x; return *p; }
int good_block_entered_again(int a, int b) { int i, n = 0; for (i = 0; i < 3; i++) { int x = i, *p = &x; *p += a; n += x; if (n > b) continue; n++; } return n; }
int good_unreachable_that_is_not_reached(int a, int b) { if (a * 2 == 7) __builtin_unreachable(); return b; }
int good_jump_out_of_an_operand(int a, int b)
{
	int n = 0, i;
	for (i = 0; i < 3; i++) {
		int x = a, *p = &x;
		n += x + one(*p) + ({ int y = b; if (y > 2) break; y + one(*p); });
	}
	return n;
}
