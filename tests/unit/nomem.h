/* Failing allocations: programs that are linked with --wrap for the functions of base/mem.h (tests/unit/meson.build has the
 * list) define
 *	static bool fails(void);	whether the allocation that is asked for now fails
 * and include this behind it. */
#ifndef NC_TESTS_NOMEM_H
#define NC_TESTS_NOMEM_H

void *__real_nc_alloc(size_t size);
void *__wrap_nc_alloc(size_t size);
void *__wrap_nc_alloc(size_t size)
{
	return fails() ? NULL : __real_nc_alloc(size);
}

void *__real_nc_zalloc(size_t size);
void *__wrap_nc_zalloc(size_t size);
void *__wrap_nc_zalloc(size_t size)
{
	return fails() ? NULL : __real_nc_zalloc(size);
}

void *__real_nc_realloc_array(void *old, size_t n, size_t size);
void *__wrap_nc_realloc_array(void *old, size_t n, size_t size);
void *__wrap_nc_realloc_array(void *old, size_t n, size_t size)
{
	return fails() ? NULL : __real_nc_realloc_array(old, n, size);
}

char *__real_nc_strdup(const char *text);
char *__wrap_nc_strdup(const char *text);
char *__wrap_nc_strdup(const char *text)
{
	return fails() ? NULL : __real_nc_strdup(text);
}

char *__real_nc_memdup(const void *bytes, size_t len);
char *__wrap_nc_memdup(const void *bytes, size_t len);
char *__wrap_nc_memdup(const void *bytes, size_t len)
{
	return fails() ? NULL : __real_nc_memdup(bytes, len);
}

#endif
