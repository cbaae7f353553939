/* What the decoders share: a reader that pulls compressed blocks from upstream and runs an engine over them. An
 * engine knows one format and nothing of readers; it is told neither where blocks begin nor where they end. */
#ifndef NC_IO_DECODER_H
#define NC_IO_DECODER_H

#include "io/reader.h"

#include <stdbool.h>
#include <stddef.h>

struct nc_input {
	const unsigned char *at;
	size_t left;
};

struct nc_output {
	unsigned char *at;
	size_t left;
};

struct nc_engine_ops {
	const char *format;	/* "gzip"; for messages */
	/* Decode until the input is empty or the output full, and advance both. Output that was held back for want of
	 * room comes in the next call, which may have no input. */
	int (*run)(void *engine, struct nc_input *in, struct nc_output *out, struct nacre_error *err);
	/* There is no more input and nothing held back: may the stream end here? */
	bool (*complete)(void *engine);
	void (*free)(void *engine);
};

/* Takes upstream and engine, on failure too. */
int nc_decoder_new(struct nc_reader *upstream, const struct nc_engine_ops *ops, void *engine, struct nc_reader **ret,
		   struct nacre_error *err);

/* One for each format. They take upstream. */
int nc_reader_gunzip(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err);
int nc_reader_unzstd(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err);
int nc_reader_unxz(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err);
int nc_reader_unbzip2(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err);

#endif
