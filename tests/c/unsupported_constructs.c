/*
 * Each bad_ function is good C that is read but not evaluated: `unsupported: <what>` stands on the line with which it
 * is refused.  None of them is ever judged.
 */
struct pair { int first; int rest[3]; };
struct open { int count; int some[]; };
union view { unsigned int word; unsigned char bytes[4]; };
int table[8];
struct pair object;
struct open open;
union view view;
extern int elsewhere[];
extern void *memcpy(void *to, const void *from, unsigned long bytes);

static int down(int x) { return x > 0 ? down(x - 1) : 0; }	/* unsupported: recursion through down(), called by bad_recursion */

int bad_recursion(int a, int b)
{
	return down(a & 3);
}
int bad_difference_of_pointers(int a, int b)
{
	int *p = &table[a & 7];
	return p - table;		/* unsupported: difference of two pointers */
}
int bad_order_of_pointers(int a, int b)
{
	int *p = &table[a & 7];
	return p < &table[3];		/* unsupported: ordering of pointers */
}
int bad_pointer_as_a_number(int a, int b)
{
	return (unsigned long)&table[1] & 3;	/* unsupported: conversion between pointer and integer */
}
int bad_pointer_from_a_number(int a, int b)
{
	int *p = (int *)(a | 16);	/* unsupported: conversion between pointer and integer */
	return *p;
}
int bad_bytes_of_void(int a, int b)
{
	void *p = table;
	return *(int *)(p + 4);		/* unsupported: pointer arithmetic in units that are not those of the array */
}
int bad_container(int a, int b)
{
	int *p = &object.rest[0];
	return ((struct pair *)((char *)p - 4))->first;	/* unsupported: pointer arithmetic in units that are not those of the array */
}
int bad_past_a_scalar(int a, int b)
{
	int *p = &object.first;
	return p[1];			/* unsupported: arithmetic on a pointer that points into no array */
}
int bad_misaligned(int a, int b)
{
	return *(int *)((char *)table + 1);	/* unsupported: pointer arithmetic in units that are not those of the array */
}
int bad_two_views(int a, int b)
{
	view.word = a;
	return view.bytes[1];		/* unsupported: union view seen through word and through bytes */
}
int bad_open_array(int a, int b)
{
	return open.some[a & 1];	/* unsupported: an array whose length is not known */
}
int bad_array_of_another_file(int a, int b)
{
	return elsewhere[1];		/* unsupported: an array whose length is not known */
}
int bad_character_of_a_string(int a, int b)
{
	const char *p = "vgic";
	return p[a & 3];		/* unsupported: of which nothing is known */
}
int bad_write_to_a_string(int a, int b)
{
	char *p = "vgic";
	*p = 1;				/* unsupported: of which nothing is known */
	return 0;
}
int bad_equal_strings(int a, int b)
{
	const char *p = "vgic", *q = "vgic";
	return p == q;			/* unsupported: comparison with a pointer of which nothing is known */
}
int bad_function_of_another_file(int a, int b)
{
	memcpy(table, table + 1, 8);	/* unsupported: memcpy() is neither in the source nor in the stubs */
	return 0;
}
int bad_endless_loop(int a, int b)
{
	for (;;)
		a ^= b;			/* unsupported: a loop of more than */
}
int bad_bool_as_a_byte(int a, int b)
{
	_Bool flag;
	*(unsigned char *)&flag = 5;	/* unsupported: accessed through a pointer to another type */
	return flag;
}
int bad_bool_in_a_union(int a, int b)
{
	union { unsigned char byte; _Bool flag; } u;
	u.byte = a;
	return u.flag;			/* unsupported: seen through byte and through flag */
}
int bad_jump_into_a_loop(int a, int b)	/* unsupported: a jump into the middle of a loop */
{
	int i = 0;
	if (a & 1)
		goto middle;
	for (i = 0; i < 3; i++)
middle:		b++;
	return b;
}
