/*
 * Each bad_ function is refused: `refused: <construct>` stands on the line with which it is refused.
 */
typedef unsigned int u32;
struct bits { int plain; int few : 3; };
struct real { double d; int i; };
struct point { int x, y; };
union either { int i; struct point p; };
extern int printk(const char *format, ...);
int old_style();
static const struct bits initial_bits = { 1, 2 };
#define RANGE case 1 ... 3
#define USES_BITS(b) ((b)->few)

int good_prints(int a) { return printk("%d %s\n", a, "x"); }

int bad_case_range(int a)
{
	switch (a) {
	RANGE: return 1;		/* refused: a range of cases */
	}
	return 0;
}
int bad_bit_field(struct bits *b)
{
	b->plain = 1;
	return USES_BITS(b);		/* refused: the bit-field `few` of `bits` */
}
int bad_bit_field_initialised(void)
{
	struct bits b = { 1, 2 };	/* refused: an initialiser that covers the bit-field `few` of `bits` */
	return b.plain;
}
void bad_bit_field_copied(struct bits *a, struct bits *b)
{
	*a = *b;			/* refused: a copy of the bit-field `few` of `bits` */
}
int bad_global_initialiser(void)
{
	return initial_bits.plain;	/* refused: `initial_bits`, which has an initialiser that covers */
}
void bad_assembly(void)
{
	asm volatile("" ::: "memory");	/* refused: inline assembly */
}
int bad_variable_array(int n)
{
	int v[n];			/* refused: an array whose length is not constant */
	return sizeof(v);
}
int bad_size_of_variable_array(int n)
{
	return sizeof(int[n]);		/* refused: has no constant value */
}
int bad_float(int a)
{
	return a * 1.5;			/* refused: floating point */
}
double bad_float_result(int a) { return a; } /* refused: floating point */
int bad_float_member(struct real *r)
{
	r->i = 1;
	return r->d > 0;		/* refused: floating point in the member `d` of `real` */
}
int bad_compound_literal(int a)
{
	struct point p;
	p = (struct point){ a, 2 };	/* refused: a compound literal */
	return p.x;
}
int bad_variadic(const char *f, ...) /* refused: a variable number of arguments */
{
	return *f;
}
int bad_old_definition(a) char a; { return a; } /* refused: of another type than callers see */
int bad_old_call(int a)
{
	return old_style(a);		/* refused: arguments that the declaration does not have */
}
int bad_va_arg(__builtin_va_list *list)
{
	return __builtin_va_arg(*list, int); /* refused: an implicit conversion */
}
int bad_choose(int a)
{
	return __builtin_choose_expr(1, a, 2); /* refused: does not show in full */
}
int bad_generic(int a)
{
	return _Generic(a, int: 1, default: 2); /* refused: _Generic */
}
int bad_label_address(int a)
{
	void *p = &&out;		/* refused: the address of a label */
	goto *p;
out:	return a;
}
int bad_complex(int a)
{
	_Complex int z = a;		/* refused: floating point */
	return __real__ z;
}
int bad_wide_integer(int a)
{
	__attribute__((vector_size(8))) int v = { a, a }; /* refused: the type */
	return v[0];
}
int bad_wide_string(void)
{
	return *(int *)L"ab";		/* refused: a string of wide characters */
}
int bad_cleanup(int a)
{
	void released(int *);
	__attribute__((cleanup(released))) int held = a; /* refused: a variable with a cleanup function */
	return held;
}
int bad_thread_local(int a)
{
	static __thread int mine;	/* refused: a thread-local variable */
	return mine + a;
}
int bad_cast_to_union(int a)
{
	return ((union either)a).i;	/* refused: a cast that is not between numbers or pointers */
}
int bad_two_members_of_a_union(int a)
{
	union either e = { .i = 1, .p = { 2, 3 } };	/* refused: two members of a union */
	return e.i + a;
}
int bad_overridden_list(void)
{
	struct point v[2] = { [0] = { 1, 2 }, [0] = { 3 } };	/* refused: overrides an earlier one */
	return v[0].y;
}
int bad_break_in_head(int a)
{
	for (;;)
		while (({ if (a++ > 3) break; 1; }))	/* refused: in the head of a loop */
			a++;
	return a;
}
int bad_huge_object(void)
{
	int v[5000] = { 1 };		/* refused: more than 4096 scalars */
	return v[0];
}
int bad_expectation(int a)
{
	return __builtin_expect(a, a);	/* refused: an expectation that is not constant */
}
int bad_statement_value(int a)
{
	return a + ({ l: a; }) ;	/* refused: ends in a statement */
}
int bad_atomic(int a)
{
	_Atomic int v = a;		/* refused: the type */
	return v;
}
int bad_unsequenced(int a)
{
	return a++ + a;			/* refused: unsequenced modification and access to 'a' */
}
