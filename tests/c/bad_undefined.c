/*
 * Each bad_ function does for some arguments what stays undefined with the kernel's flags, or leaves an object:
 * `undefined: <property>` stands on the line where it is claimed.  It goes wrong for a = b = 0, and
 * does nothing of the kind for a = b = 1.
 */
struct pair { int first; unsigned char second; int rest[3]; };
int table[8], grid[2][3];
struct pair object, pairs[4];
static const int constant = 1;
static const struct pair constants[2] = { { 1 }, { 2 } };
static int *saved;

static int one(int x) { return x + 1; }
static int other_type(unsigned char x) { return x; }
static int sometimes(int x) { if (x) return 1; }
static struct pair some_pair(int x) { if (x) return object; }
static int *local(int x) { int y = x; int *p = &y; return x ? table : p; }
static void keep(int x) { int y = x; saved = x ? table : &y; }
static int followed(const int *p) { return *p; }	/* undefined: no-undefined, called by bad_null_passed_on */
static int again(int first)
{
	int y = 3;
	int r = first ? 0 : *saved;	/* undefined: no-undefined, called by bad_earlier_activation */
	saved = &y;
	return r;
}

int bad_shift_by_the_width(int a, int b)
{
	return 1 << (b ? 31 : 32);	/* undefined: no-undefined */
}
int bad_shift_by_less_than_nothing(int a, int b)
{
	return 1u >> (b - 1);		/* undefined: no-undefined */
}
int bad_shift_of_a_narrow_value(int a, int b)
{
	unsigned char c = a;
	return c << (b ? 31 : 32);	/* undefined: no-undefined */
}
int bad_wide_shift(int a, int b)
{
	unsigned long long w = a;
	w >>= 63 + !b;			/* undefined: no-undefined */
	return w;
}
int bad_division_by_zero(int a, int b)
{
	return 5 / b;			/* undefined: no-undefined */
}
int bad_remainder_of_zero(int a, int b)
{
	return 5u % b;			/* undefined: no-undefined */
}
int bad_division_that_overflows(int a, int b)
{
	return (-2147483647 - 1 + b) / -1;	/* undefined: no-undefined */
}
int bad_remainder_that_overflows(int a, int b)
{
	return (-2147483647 - 1 + b) % -1;	/* undefined: no-undefined */
}
int bad_wide_division_that_overflows(int a, int b)
{
	long long w = (long long)(1ull << 63) + a;
	return w / -1;			/* undefined: no-undefined */
}
int bad_discarded_division(int a, int b)
{
	one(a) / (one(b) - 1), a = 1;	/* undefined: no-undefined */
	return a;
}
int bad_index(int a, int b)
{
	return table[8 - b];		/* undefined: in-bounds */
}
int bad_negative_index(int a, int b)
{
	return table[b - 1] = a;	/* undefined: in-bounds */
}
int bad_wide_index(int a, int b)
{
	unsigned long long w = b ? 1 : 1ull << 32;
	return table[w];		/* undefined: in-bounds */
}
int bad_inner_index(int a, int b)
{
	return grid[0][3 - b];		/* undefined: in-bounds */
}
int bad_index_inside_the_struct(int a, int b)
{
	return pairs[0].rest[3 - b];	/* undefined: in-bounds */
}
int bad_element_of_structs(int a, int b)
{
	object = pairs[4 - b];		/* undefined: in-bounds */
	return 0;
}
int bad_pointer_past_the_end(int a, int b)
{
	int *p = table + 8;
	p -= b;
	return *p;			/* undefined: in-bounds */
}
int bad_pointer_before_the_start(int a, int b)
{
	int *p = &table[b];
	return *--p;			/* undefined: in-bounds */
}
int bad_pointer_round_the_world(int a, int b)
{
	int *p = table + (b ? 1 : 0x40000000);
	return *p;			/* undefined: in-bounds */
}
int bad_local_array(int a, int b)
{
	int v[2] = { 1, 2 };
	return v[2 - b];		/* undefined: in-bounds */
}
int bad_end_of_another_object(int a, int b)
{
	return &table[8 - b] == &grid[0][0];	/* undefined: no-undefined */
}
int bad_null(int a, int b)
{
	int *p = b ? table : (int *)0;
	return *p;			/* undefined: no-undefined */
}
int bad_member_of_null(int a, int b)
{
	struct pair *p = b ? &object : (struct pair *)0;
	p->rest[1] = 1;			/* undefined: no-undefined */
	return 0;
}
int bad_address_in_null(int a, int b)
{
	struct pair *p = b ? &object : (struct pair *)0;
	int *q = &p->rest[1];
	return *q;			/* undefined: no-undefined */
}
int bad_null_passed_on(int a, int b)
{
	return followed(b ? table : (int *)0);
}
int bad_uninitialised(int a, int b)
{
	int x;
	if (b)
		x = 1;
	return x;			/* undefined: no-undefined */
}
int bad_uninitialised_condition(int a, int b)
{
	unsigned char x;
	if (b)
		x = 1;
	if (x)				/* undefined: no-undefined */
		return 1;
	return 2;
}
int bad_uninitialised_member(int a, int b)
{
	struct pair p;
	p.first = 1;
	if (b)
		p.second = 1;
	object = p;
	return object.second;		/* undefined: no-undefined */
}
int bad_uninitialised_element(int a, int b)
{
	int v[2];
	v[b] = 1;
	return v[1];			/* undefined: no-undefined */
}
int bad_uninitialised_pointer(int a, int b)
{
	int *p;
	if (b)
		p = table;
	return *p;			/* undefined: no-undefined */
}
int bad_uninitialised_argument(int a, int b)
{
	int x;
	if (b)
		x = 1;
	return one(x);			/* undefined: no-undefined */
}
int bad_initialiser_skipped(int a, int b)
{
	int i, n = 0;
	for (i = 0; i < 2; i++)
		switch (b ? 0 : i) {
			int x;
		case 0:
			x = 5;
			break;
		case 1:
			n = x;		/* undefined: no-undefined */
		}
	return n;
}
int bad_jump_past_the_initialiser(int a, int b)
{
	int n = 0, i;
	for (i = 0; i < 2; i++) {
		if (i && !b)
			goto in;
		{
			int x = 7;
in:			n += x;		/* undefined: no-undefined */
		}
	}
	return n;
}
int bad_variable_of_the_last_round(int a, int b)
{
	int n = 0, i;
	for (i = 0; i < 2; i++) {
		int x;
		if (!i || b)
			x = 1;
		n += x;			/* undefined: no-undefined */
	}
	return n;
}
int bad_missing_result(int a, int b)
{
	return sometimes(b);		/* undefined: no-undefined */
}
int bad_missing_struct(int a, int b)
{
	struct pair p = some_pair(b);	/* undefined: no-undefined */
	return p.first;
}
int bad_returned_local(int a, int b)
{
	return *local(b);		/* undefined: no-undefined */
}
int bad_kept_local(int a, int b)
{
	keep(b);
	*saved = 3;			/* undefined: no-undefined */
	return 0;
}
int bad_earlier_activation(int a, int b)
{
	again(1);
	return again(b);
}
int bad_block_that_was_left(int a, int b)
{
	int *p = table;
	{
		int x = 1;
		if (!b)
			p = &x;
	}
	return *p;			/* undefined: no-undefined */
}
int bad_block_that_was_jumped_out_of(int a, int b)
{
	int *p = table, i;
	for (i = 0; i < 2; i++) {
		int x[2] = { 1, 2 };
		if (!b)
			p = x;
		if (i)
			break;
	}
	p[1] = 3;			/* undefined: no-undefined */
	return 0;
}
int bad_block_left_by_goto(int a, int b)
{
	int *p = table;
	{
		int x = 1;
		if (!b)
			p = &x;
		goto out;
	}
out:
	return *p;			/* undefined: no-undefined */
}
int bad_constant(int a, int b)
{
	int *p = b ? table : (int *)&constant;
	*p = 2;				/* undefined: no-undefined */
	return constant;
}
int bad_constant_by_a_cast(int a, int b)
{
	if (!b)
		*(int *)&constant = 2;	/* undefined: no-undefined */
	return constant;
}
int bad_member_of_a_constant(int a, int b)
{
	if (!b)
		((struct pair *)&constants[1])->rest[0] = 3;	/* undefined: no-undefined */
	return constants[1].first;
}
int bad_constant_in_a_table(int a, int b)
{
	struct pair *p = b ? pairs : (struct pair *)constants;
	p[1].first = 3;			/* undefined: no-undefined */
	return 0;
}
int bad_constant_local(int a, int b)
{
	const int local[2] = { 1, 2 };
	int *p = b ? table : (int *)local;
	p[1] = 3;			/* undefined: no-undefined */
	return local[1];
}
int bad_unreachable(int a, int b)
{
	if (!b)
		__builtin_unreachable();	/* undefined: no-undefined */
	return 1;
}
int bad_call_through_another_type(int a, int b)
{
	int (*f)(int) = b ? one : (int (*)(int))other_type;
	return f(a);			/* undefined: no-undefined */
}
int bad_call_through_null(int a, int b)
{
	int (*f)(int) = b ? one : (int (*)(int))0;
	return f(a);			/* undefined: no-undefined */
}
