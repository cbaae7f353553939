#include "io/decoder.h"

#include <lzma.h>
#include <stdlib.h>

/* Enough for dictionaries up to 64 MiB, which is what xz -9 makes, and everything around them. */
#define MEMORY_MAX ((uint64_t)128 * 1024 * 1024)

static int unxz_run(void *engine, struct nc_input *in, struct nc_output *out, struct nacre_error *err)
{
	lzma_stream *lzma = engine;
	lzma->next_in = in->at;
	lzma->avail_in = in->left;
	lzma->next_out = out->at;
	lzma->avail_out = out->left;
	lzma_ret result = lzma_code(lzma, LZMA_RUN);
	*in = (struct nc_input){ lzma->next_in, lzma->avail_in };
	*out = (struct nc_output){ lzma->next_out, lzma->avail_out };
	switch (result) {
	case LZMA_OK:
	case LZMA_BUF_ERROR:	/* nothing to do without more input or room */
		return 0;
	case LZMA_MEM_ERROR:
		return nc_nomem(err);
	case LZMA_MEMLIMIT_ERROR:
		return nc_fail(err, NACRE_E_LIMIT, 0,
			       "the xz data needs %llu MiB of memory; at most %llu are allowed",
			       (unsigned long long)(lzma_memusage(lzma) >> 20),
			       (unsigned long long)(MEMORY_MAX >> 20));
	case LZMA_FORMAT_ERROR:
		return nc_fail(err, NACRE_E_BADDATA, 0, "something that is not xz where a stream should begin");
	case LZMA_OPTIONS_ERROR:
	case LZMA_UNSUPPORTED_CHECK:
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "the xz data uses a filter or check that is not known");
	default:
		return nc_fail(err, NACRE_E_BADDATA, 0, "the xz data is damaged");
	}
}

static bool unxz_complete(void *engine)
{
	lzma_stream *lzma = engine;
	uint8_t room;
	lzma->avail_in = 0;
	lzma->next_out = &room;
	lzma->avail_out = sizeof room;
	return lzma_code(lzma, LZMA_FINISH) == LZMA_STREAM_END;
}

static void unxz_free(void *engine)
{
	lzma_end(engine);
	free(engine);
}

static const struct nc_engine_ops unxz_ops = { "xz", unxz_run, unxz_complete, unxz_free };

int nc_reader_unxz(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err)
{
	lzma_stream *lzma = nc_alloc(sizeof *lzma);
	if (lzma)
		*lzma = (lzma_stream)LZMA_STREAM_INIT;
	const uint32_t flags = LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK;
	if (!lzma || lzma_stream_decoder(lzma, MEMORY_MAX, flags) != LZMA_OK) {
		free(lzma);
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	return nc_decoder_new(upstream, &unxz_ops, lzma, ret, err);
}
