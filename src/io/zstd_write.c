#include "io/encoder.h"

#include <zstd.h>

#define LEVEL_DEFAULT 3
/* Beyond it zstd needs hundreds of MiB to write, and as many to read. */
#define LEVEL_MAX 19

static int zstd_run(void *engine, struct nc_input *in, bool last, struct nc_output *out, struct nacre_error *err)
{
	ZSTD_inBuffer from = { in->at, in->left, 0 };
	ZSTD_outBuffer to = { out->at, out->left, 0 };
	size_t left = ZSTD_compressStream2(engine, &to, &from, last ? ZSTD_e_end : ZSTD_e_continue);
	in->at += from.pos;
	in->left -= from.pos;
	out->at += to.pos;
	out->left -= to.pos;
	if (ZSTD_isError(left))
		return nc_fail(err, NACRE_E_NOMEM, 0, "zstd data cannot be written: %s", ZSTD_getErrorName(left));
	return last ? left != 0 : in->left || !out->left;
}

static void zstd_free(void *engine)
{
	ZSTD_freeCCtx(engine);
}

static const struct nc_encoder_ops zstd_ops = { zstd_run, zstd_free };

int nc_writer_zstd(struct nc_writer *downstream, int level, struct nc_writer **ret, struct nacre_error *err)
{
	if (level < 0 || level > LEVEL_MAX) {
		nc_writer_close(downstream);
		return nc_fail(err, NACRE_E_INVALID, 0, "zstd layers are not written with level %d", level);
	}
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	if (!ctx ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, level ? level : LEVEL_DEFAULT)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1))) {
		ZSTD_freeCCtx(ctx);
		nc_writer_close(downstream);
		return nc_nomem(err);
	}
	return nc_encoder_new(downstream, &zstd_ops, ctx, ret, err);
}
