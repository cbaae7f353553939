#include "io/encoder.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#define LEVEL_DEFAULT 6
/* zlib's window bits with a gzip frame around: no name, time 0, made on Unix. */
#define GZIP_WINDOW (MAX_WBITS + 16)
#define MEMORY_LEVEL 8

static int gzip_run(void *engine, struct nc_input *in, bool last, struct nc_output *out, struct nacre_error *err)
{
	z_stream *zlib = engine;
	zlib->next_in = (Bytef *)in->at;
	zlib->avail_in = (uInt)in->left;
	zlib->next_out = out->at;
	zlib->avail_out = (uInt)out->left;
	int result = deflate(zlib, last ? Z_FINISH : Z_NO_FLUSH);
	*in = (struct nc_input){ zlib->next_in, zlib->avail_in };
	*out = (struct nc_output){ zlib->next_out, zlib->avail_out };
	if (result == Z_STREAM_ERROR)
		return nc_fail(err, NACRE_E_INVALID, 0, "gzip data cannot be written any more");
	return last ? result != Z_STREAM_END : in->left || !out->left;
}

static void gzip_free(void *engine)
{
	deflateEnd(engine);
	free(engine);
}

static const struct nc_encoder_ops gzip_ops = { gzip_run, gzip_free };

int nc_writer_gzip(struct nc_writer *downstream, int level, struct nc_writer **ret, struct nacre_error *err)
{
	if (level < 0 || level > Z_BEST_COMPRESSION) {
		nc_writer_close(downstream);
		return nc_fail(err, NACRE_E_INVALID, 0, "gzip has no level %d", level);
	}
	z_stream *zlib = nc_zalloc(sizeof *zlib);
	if (!zlib || deflateInit2(zlib, level ? level : LEVEL_DEFAULT, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
				  Z_DEFAULT_STRATEGY) != Z_OK) {
		free(zlib);
		nc_writer_close(downstream);
		return nc_nomem(err);
	}
	return nc_encoder_new(downstream, &gzip_ops, zlib, ret, err);
}
