/* Memory: one place where every allocation of the library passes, and cleanup attached to declarations. */
#ifndef NC_BASE_MEM_H
#define NC_BASE_MEM_H

#include <stddef.h>

/* As malloc, calloc, realloc (array form) and strndup; NULL when there is no memory or n * size overflows.
 * Freed with free(). */
void *nc_alloc(size_t size);
void *nc_zalloc(size_t size);
void *nc_realloc_array(void *old, size_t n, size_t size);
/* A list with room for one more than count: items, where *cap is larger, or twice as many and *cap says so. NULL: no memory, and all
 * is as it was. */
static inline void *nc_grown(void *items, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return items;
	size_t more = *cap ? 2 * *cap : 16;
	void *grown = nc_realloc_array(items, more, size);
	if (grown)
		*cap = more;
	return grown;
}
char *nc_strdup(const char *text);
/* Copies len bytes and adds a NUL. */
char *nc_memdup(const void *bytes, size_t len);

/* Give out the value of a cleanup variable: the variable forgets it. */
#define NC_GIVE(variable)                            \
	__extension__({                              \
		__typeof__(variable) given_ = (variable); \
		(variable) = NULL;                   \
		given_;                              \
	})

/* NC_AUTO_FREE char *name = NULL;  is freed when it leaves its scope. */
void nc_free_pointer(void *pointer_to_pointer);
#define NC_AUTO_FREE __attribute__((cleanup(nc_free_pointer)))

/* NC_CLEANUP(fn) struct thing *t = NULL;  calls fn(&t). NC_DEFINE_CLEANUP(fn_auto, struct thing *, fn) makes a
 * function of that shape out of a destructor that takes the pointer. */
#define NC_CLEANUP(function) __attribute__((cleanup(function)))
#define NC_DEFINE_CLEANUP(name, type, destructor)                       \
	static inline __attribute__((unused)) void name(type *variable) \
	{                                                               \
		destructor(*variable);                                  \
	}

#endif
