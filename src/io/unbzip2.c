#include "io/decoder.h"

#include <bzlib.h>
#include <limits.h>
#include <stdlib.h>

struct unbzip2 {
	bz_stream bz;
	bool open;	/* inside a stream */
	bool begun;	/* there was one */
};

static int fail_bzip2(int result, struct nacre_error *err)
{
	switch (result) {
	case BZ_MEM_ERROR:
		return nc_nomem(err);
	case BZ_DATA_ERROR_MAGIC:
		return nc_fail(err, NACRE_E_BADDATA, 0, "something that is not bzip2 where a stream should begin");
	default:
		return nc_fail(err, NACRE_E_BADDATA, 0, "the bzip2 data is damaged");
	}
}

static int open_stream(struct unbzip2 *self, struct nacre_error *err)
{
	self->bz = (bz_stream){ 0 };
	int result = BZ2_bzDecompressInit(&self->bz, 0, 0);
	if (result != BZ_OK)
		return fail_bzip2(result, err);
	self->open = self->begun = true;
	return 0;
}

static void close_stream(struct unbzip2 *self)
{
	if (self->open)
		BZ2_bzDecompressEnd(&self->bz);
	self->open = false;
}

static int run_stream(struct unbzip2 *self, struct nc_input *in, struct nc_output *out, struct nacre_error *err)
{
	unsigned had = in->left < UINT_MAX ? (unsigned)in->left : UINT_MAX;
	unsigned room = out->left < UINT_MAX ? (unsigned)out->left : UINT_MAX;
	self->bz.next_in = (char *)in->at;
	self->bz.avail_in = had;
	self->bz.next_out = (char *)out->at;
	self->bz.avail_out = room;
	int result = BZ2_bzDecompress(&self->bz);
	in->at += had - self->bz.avail_in;
	in->left -= had - self->bz.avail_in;
	out->at += room - self->bz.avail_out;
	out->left -= room - self->bz.avail_out;
	if (result == BZ_STREAM_END)
		close_stream(self);
	else if (result != BZ_OK)
		return fail_bzip2(result, err);
	return 0;
}

static int unbzip2_run(void *engine, struct nc_input *in, struct nc_output *out, struct nacre_error *err)
{
	struct unbzip2 *self = engine;
	int code = self->open ? run_stream(self, in, out, err) : 0;	/* perhaps without input */
	while (code == 0 && in->left && out->left) {
		if (!self->open)
			code = open_stream(self, err);
		if (code == 0)
			code = run_stream(self, in, out, err);
	}
	return code;
}

static bool unbzip2_complete(void *engine)
{
	struct unbzip2 *self = engine;
	return self->begun && !self->open;
}

static void unbzip2_free(void *engine)
{
	close_stream(engine);
	free(engine);
}

static const struct nc_engine_ops unbzip2_ops = { "bzip2", unbzip2_run, unbzip2_complete, unbzip2_free };

int nc_reader_unbzip2(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err)
{
	struct unbzip2 *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	return nc_decoder_new(upstream, &unbzip2_ops, self, ret, err);
}
