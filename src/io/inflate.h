/* Raw deflate data (RFC 1951), undone by one of two engines. */
#ifndef NC_IO_INFLATE_H
#define NC_IO_INFLATE_H

#include "io/decoder.h"

#include <stddef.h>
#include <stdint.h>

/* So many bytes behind the end of the deflate data may an engine have swallowed. */
#define NC_INFLATE_SWALLOWED 8

struct nc_inflate_ops {
	/* NULL: no memory. */
	void *(*make)(void);
	void (*free)(void *state);
	/* Make it ready for the next deflate stream. */
	void (*reset)(void *state);
	/* Advances both. Returns 1 at the end of the deflate data. */
	int (*run)(void *state, struct nc_input *in, struct nc_output *out, struct nacre_error *err);
	/* After the end: copy what was swallowed to ret, which has room for it, and return how much. */
	size_t (*swallowed)(void *state, unsigned char *ret);
	uint32_t (*crc)(uint32_t crc, const unsigned char *bytes, size_t len);
};

extern const struct nc_inflate_ops nc_inflate_isal, nc_inflate_zlib;

#endif
