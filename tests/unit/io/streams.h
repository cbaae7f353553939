/* Readers that make life hard for those who read from them. */
#ifndef NC_TESTS_STREAMS_H
#define NC_TESTS_STREAMS_H

#include "io/reader.h"

/* Lends bytes (borrowed) in blocks of random sizes from 1 to max, each in memory of its own that is freed at the next
 * call, so that a block that is used too long, or read beyond its end, is seen by the sanitizers. With code other
 * than 0 it fails at the end. */
struct choppy {
	struct nc_reader base;
	const unsigned char *bytes;
	size_t len, at, max;
	unsigned seed;
	int code;
	void *block;
	int *closed;	/* counts the closes, when not NULL */
};

static ssize_t choppy_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct choppy *self = (struct choppy *)reader;
	free(self->block);
	self->block = NULL;
	if (self->at == self->len)
		return self->code ? nc_fail(err, self->code, 0, "upstream failed") : 0;
	self->seed = self->seed * 1103515245 + 12345;
	size_t n = 1 + (self->seed >> 8) % self->max;
	if (n > self->len - self->at)
		n = self->len - self->at;
	self->block = malloc(n);
	memcpy(self->block, self->bytes + self->at, n);
	self->at += n;
	*ret = self->block;
	return (ssize_t)n;
}

static void choppy_close(struct nc_reader *reader)
{
	struct choppy *self = (struct choppy *)reader;
	if (self->closed)
		++*self->closed;
	free(self->block);
	free(self);
}

static struct nc_reader *choppy_new(const void *bytes, size_t len, size_t max, int code, int *closed)
{
	static const struct nc_reader_ops ops = { .next = choppy_next, .close = choppy_close };
	struct choppy *self = calloc(1, sizeof *self);
	self->base.ops = &ops;
	self->bytes = bytes;
	self->len = len;
	self->max = max;
	self->seed = (unsigned)(len * 31 + max);
	self->code = code;
	self->closed = closed;
	return &self->base;
}

#endif
