#include "io/inflate.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

static void *zlib_make(void)
{
	z_stream *zlib = nc_zalloc(sizeof *zlib);
	if (zlib && inflateInit2(zlib, -MAX_WBITS) != Z_OK) {
		free(zlib);
		zlib = NULL;
	}
	return zlib;
}

static void zlib_free(void *state)
{
	if (state)
		inflateEnd(state);
	free(state);
}

static void zlib_reset(void *state)
{
	inflateReset(state);
}

static int zlib_run(void *state, struct nc_input *in, struct nc_output *out, struct nacre_error *err)
{
	z_stream *zlib = state;
	uInt had = in->left < UINT_MAX ? (uInt)in->left : UINT_MAX;
	uInt room = out->left < UINT_MAX ? (uInt)out->left : UINT_MAX;
	zlib->next_in = (Bytef *)in->at;
	zlib->avail_in = had;
	zlib->next_out = out->at;
	zlib->avail_out = room;
	int code = inflate(zlib, Z_NO_FLUSH);
	in->at += had - zlib->avail_in;
	in->left -= had - zlib->avail_in;
	out->at += room - zlib->avail_out;
	out->left -= room - zlib->avail_out;
	switch (code) {
	case Z_STREAM_END:
		return 1;
	case Z_OK:
	case Z_BUF_ERROR:	/* nothing to do without more input or room */
		return 0;
	case Z_MEM_ERROR:
		return nc_nomem(err);
	default:
		return nc_fail(err, NACRE_E_BADDATA, 0, "the deflate data is damaged (%s)",
			       zlib->msg ? zlib->msg : "unknown");
	}
}

static size_t zlib_swallowed(void *state, unsigned char *ret)
{
	return 0;
}

static uint32_t zlib_crc(uint32_t crc, const unsigned char *bytes, size_t len)
{
	return (uint32_t)crc32_z(crc, bytes, len);
}

const struct nc_inflate_ops nc_inflate_zlib = {
	zlib_make, zlib_free, zlib_reset, zlib_run, zlib_swallowed, zlib_crc,
};
