/* Raw deflate data, without the checksum that hides most of what the two engines could disagree about.
 *
 * What zlib inflates to its end ISA-L must inflate too, to the same bytes and the same end. The other way
 * round it may be more lenient: it takes sets of codes that are incomplete, for instance, which zlib refuses. */
#include "io/inflate.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_MAX ((size_t)1024 * 1024)

struct outcome {
	int code;	/* 1 at the end, 0 wants more, negative refuses */
	size_t plain, used;
};

static struct outcome inflate_with(const struct nc_inflate_ops *ops, const uint8_t *data, size_t size, size_t step,
				   unsigned char *plain)
{
	struct nacre_error err;
	struct outcome outcome = { 0, 0, 0 };
	struct nc_output out = { plain, PLAIN_MAX };
	unsigned char swallowed[NC_INFLATE_SWALLOWED];
	void *state = ops->make();
	if (!state)
		abort();
	ops->reset(state);
	while (outcome.code == 0 && outcome.used < size && out.left) {
		size_t n = size - outcome.used < step ? size - outcome.used : step;
		struct nc_input in = { data + outcome.used, n };
		outcome.code = ops->run(state, &in, &out, &err);
		outcome.used += n - in.left;
	}
	if (outcome.code == 1)
		outcome.used -= ops->swallowed(state, swallowed);
	outcome.plain = PLAIN_MAX - out.left;
	ops->free(state);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char *plain[2];
	for (int i = 0; i < 2; i++)
		if (!plain[i] && !(plain[i] = malloc(PLAIN_MAX)))
			abort();
	if (!size)
		return 0;
	size_t step = 1 + data[0];
	data++;
	size--;
	struct outcome zlib = inflate_with(&nc_inflate_zlib, data, size, step, plain[0]);
	struct outcome isal = inflate_with(&nc_inflate_isal, data, size, step, plain[1]);
	size_t common = zlib.plain < isal.plain ? zlib.plain : isal.plain;
	bool agree = memcmp(plain[0], plain[1], common) == 0 &&
		     (zlib.code != 1 || (isal.code == 1 && zlib.plain == isal.plain && zlib.used == isal.used));
	if (!agree) {
		fprintf(stderr, "zlib: %d, %zu of %zu bytes to %zu; ISA-L: %d, %zu to %zu\n", zlib.code, zlib.used,
			size, zlib.plain, isal.code, isal.used, isal.plain);
		abort();
	}
	return 0;
}
