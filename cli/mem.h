/* Memory for the command: these functions end the program when there is none, which the store survives. */
#ifndef CLI_MEM_H
#define CLI_MEM_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must(void *pointer);
void *must_alloc(size_t size);
void *must_grow(void *old, size_t count, size_t size);
char *must_copy(const char *text);
char *must_copyn(const char *text, size_t len);
char *must_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A text that grows. */
struct text {
	char *data;
	size_t len, cap;
};
void text_add(struct text *text, const char *bytes, size_t len);
void text_adds(struct text *text, const char *string);
void text_addf(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *text_get(const struct text *text);
void text_release(struct text *text);

void free_pointer(void *pointer_to_pointer);
#define AUTO_FREE __attribute__((cleanup(free_pointer)))
#define AUTO_TEXT __attribute__((cleanup(text_release)))

#endif
