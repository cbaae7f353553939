/* What the encoders share: a writer that hands its engine blocks of one fixed size, the last one excepted. So the
 * result cannot depend on how the bytes were cut by those who wrote them. */
#ifndef NC_IO_ENCODER_H
#define NC_IO_ENCODER_H

#include "io/decoder.h"
#include "io/writer.h"

struct nc_encoder_ops {
	/* Encode all of the input and, when last, finish the stream; advances both. Returns 0 when that is done and
	 * nothing is held back, 1 when it wants to be called again with an empty output. */
	int (*run)(void *engine, struct nc_input *in, bool last, struct nc_output *out, struct nacre_error *err);
	void (*free)(void *engine);
};

/* Takes downstream and engine, on failure too. */
int nc_encoder_new(struct nc_writer *downstream, const struct nc_encoder_ops *ops, void *engine,
		   struct nc_writer **ret, struct nacre_error *err);

/* They take downstream. level 0 is the default. */
int nc_writer_gzip(struct nc_writer *downstream, int level, struct nc_writer **ret, struct nacre_error *err);
int nc_writer_zstd(struct nc_writer *downstream, int level, struct nc_writer **ret, struct nacre_error *err);

#endif
