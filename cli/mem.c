#include "mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

void *must(void *pointer)
{
	if (!pointer) {
		fputs("nacre: out of memory\n", stderr);
		_exit(1);
	}
	return pointer;
}

void *must_alloc(size_t size)
{
	return must(calloc(1, size ? size : 1));
}

void *must_grow(void *old, size_t count, size_t size)
{
	if (count > SIZE_MAX / size)
		must(NULL);
	return must(realloc(old, count * size));
}

char *must_copy(const char *text)
{
	return must(strdup(text));
}

char *must_copyn(const char *text, size_t len)
{
	return must(strndup(text, len));
}

char *must_printf(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		must(NULL);
	va_end(args);
	return text;
}

void text_add(struct text *text, const char *bytes, size_t len)
{
	if (text->cap - text->len <= len) {
		size_t cap = text->cap + text->cap / 2 + len + 64;

		text->data = must_grow(text->data, cap, 1);
		text->cap = cap;
	}
	memcpy(text->data + text->len, bytes, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void text_adds(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

void text_addf(struct text *text, const char *fmt, ...)
{
	AUTO_FREE char *part = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&part, fmt, args) < 0)
		must(NULL);
	va_end(args);
	text_adds(text, part);
}

const char *text_get(const struct text *text)
{
	return text->data ? text->data : "";
}

void text_release(struct text *text)
{
	free(text->data);
	*text = (struct text){ .data = NULL };
}

void free_pointer(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}
