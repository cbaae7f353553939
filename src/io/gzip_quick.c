#include "io/codec.h"
#include "io/encoder.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#define LEVEL 1

struct quick {
	struct isal_zstream stream;
	uint8_t work[ISAL_DEF_LVL1_DEFAULT];
};

static int quick_run(void *engine, struct nc_input *in, bool last, struct nc_output *out, struct nacre_error *err)
{
	struct isal_zstream *stream = &((struct quick *)engine)->stream;
	stream->next_in = (uint8_t *)in->at;	/* it only reads there */
	stream->avail_in = (uint32_t)in->left;
	stream->next_out = out->at;
	stream->avail_out = (uint32_t)out->left;
	stream->end_of_stream = last;
	int result = isal_deflate(stream);
	*in = (struct nc_input){ stream->next_in, stream->avail_in };
	*out = (struct nc_output){ stream->next_out, stream->avail_out };
	if (result != COMP_OK)
		return nc_fail(err, NACRE_E_INVALID, 0, "gzip data cannot be written any more");
	return last ? stream->internal_state.state != ZSTATE_END : in->left || !out->left;
}

static const struct nc_encoder_ops quick_ops = { quick_run, free };

int nc_writer_gzip_quick(struct nc_writer *downstream, struct nc_writer **ret, struct nacre_error *err)
{
	struct quick *quick = nc_alloc(sizeof *quick);
	if (!quick) {
		nc_writer_close(downstream);
		return nc_nomem(err);
	}
	isal_deflate_init(&quick->stream);
	quick->stream.gzip_flag = IGZIP_GZIP;
	quick->stream.level = LEVEL;
	quick->stream.level_buf = quick->work;
	quick->stream.level_buf_size = sizeof quick->work;
	return nc_encoder_new(downstream, &quick_ops, quick, ret, err);
}
