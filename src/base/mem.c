#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *nc_alloc(size_t size)
{
	return malloc(size ? size : 1);
}

void *nc_zalloc(size_t size)
{
	void *bytes = nc_alloc(size);
	if (bytes)
		memset(bytes, 0, size);
	return bytes;
}

void *nc_realloc_array(void *old, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		return NULL;
	size_t bytes = n * size;
	return realloc(old, bytes ? bytes : 1);
}

char *nc_memdup(const void *bytes, size_t len)
{
	if (len == SIZE_MAX)
		return NULL;
	char *copy = nc_alloc(len + 1);
	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

char *nc_strdup(const char *text)
{
	return nc_memdup(text, strlen(text));
}

void nc_free_pointer(void *pointer_to_pointer)
{
	int saved = errno;
	free(*(void **)pointer_to_pointer);
	errno = saved;
}
