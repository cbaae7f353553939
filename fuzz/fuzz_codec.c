/* Decoders: any bytes, cut anyhow, in two ways that must agree.
 *
 * The first byte says how the rest is cut into blocks. The rest is decoded as it is detected, in one block and in
 * many; and where it is gzip, by both engines. The plain bytes must be the same, and where the one decodes the other
 * must: only that zlib may refuse what ISA-L takes. */
#include "io/codec.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bomb is a bomb whoever decodes it: stop where all have agreed for so long. */
#define PLAIN_MAX ((size_t)256 * 1024)
/* Each piece is an allocation. */
#define PIECES_MAX 64

struct cutter {
	struct nc_reader base;
	const uint8_t *bytes;
	size_t len, at, step;
	uint8_t *block;
};

static ssize_t cutter_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct cutter *self = (struct cutter *)reader;
	size_t n = self->len - self->at < self->step ? self->len - self->at : self->step;
	free(self->block);	/* a block that is used too long is seen by the sanitizer */
	self->block = malloc(n ? n : 1);
	if (!self->block)
		abort();
	memcpy(self->block, self->bytes + self->at, n);
	self->at += n;
	*ret = self->block;
	return (ssize_t)n;
}

static void cutter_close(struct nc_reader *reader)
{
	struct cutter *self = (struct cutter *)reader;
	free(self->block);
	free(self);
}

static const struct nc_reader_ops cutter_ops = { .next = cutter_next, .close = cutter_close };

static struct nc_reader *cut(const uint8_t *bytes, size_t len, size_t step)
{
	struct cutter *self = calloc(1, sizeof *self);
	if (!self)
		abort();
	self->base.ops = &cutter_ops;
	self->bytes = bytes;
	self->len = len;
	self->step = step > len / PIECES_MAX ? step : len / PIECES_MAX + 1;
	return &self->base;
}

/* decode stopped before its end, and cannot know whether there is damage in what follows. */
#define UNDECIDED 1

/* Returns the code, and what came before it. */
static int decode(struct nc_reader *reader, char *plain, size_t *ret_len, struct nacre_error *err)
{
	const void *block;
	ssize_t n;
	size_t len = 0;
	while (len < PLAIN_MAX && (n = nc_reader_next(reader, &block, err)) > 0) {
		size_t take = PLAIN_MAX - len < (size_t)n ? PLAIN_MAX - len : (size_t)n;
		memcpy(plain + len, block, take);
		len += take;
	}
	*ret_len = len;
	int code = len < PLAIN_MAX ? (int)n : UNDECIDED;
	nc_reader_close(reader);
	return code;
}

static void compare(const char *what, int a, const char *plain_a, size_t len_a, int b, const char *plain_b,
		    size_t len_b)
{
	size_t common = len_a < len_b ? len_a : len_b;
	bool agree = a == UNDECIDED || b == UNDECIDED || ((a < 0) == (b < 0) && (a < 0 || len_a == len_b));
	if (!agree || memcmp(plain_a, plain_b, common) != 0) {
		fprintf(stderr, "%s: %d after %zu bytes, %d after %zu\n", what, a, len_a, b, len_b);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *plain[2];
	for (int i = 0; i < 2; i++)
		if (!plain[i] && !(plain[i] = malloc(PLAIN_MAX)))
			abort();
	if (!size)
		return 0;
	size_t step = 1 + data[0], len[2];
	const uint8_t *bytes = data + 1;
	size--;
	struct nacre_error err;
	struct nc_reader *reader;
	enum nc_codec codec;
	if (nc_reader_decoded(cut(bytes, size, size), &codec, &reader, &err) < 0)
		return 0;
	int whole = decode(reader, plain[0], &len[0], &err);
	if (nc_reader_decoded(cut(bytes, size, step), &codec, &reader, &err) < 0)
		abort();
	int pieces = decode(reader, plain[1], &len[1], &err);
	compare("whole and in pieces", whole, plain[0], len[0], pieces, plain[1], len[1]);
	if (codec == NC_GZIP) {
		if (nc_reader_gunzip_zlib(cut(bytes, size, step), &reader, &err) < 0)
			return 0;
		int zlib = decode(reader, plain[1], &len[1], &err);
		if (zlib >= 0)
			compare("ISA-L and zlib", whole, plain[0], len[0], zlib, plain[1], len[1]);
	}
	return 0;
}
