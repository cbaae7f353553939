#include "io/decoder.h"

#include "io/failure.h"
#include "io/turns.h"

#include <stdlib.h>

/* Fits into the second cache of a core together with what the engines keep. */
#ifndef DECODED_BLOCK
#define DECODED_BLOCK ((size_t)128 * 1024)
#endif

struct decoder {
	struct nc_reader base;
	struct nc_reader *upstream;
	const struct nc_engine_ops *ops;
	void *engine;
	struct nc_input in;
	uint64_t pulled;	/* bytes from upstream */
	bool held_back;		/* the engine may have output without input */
	bool upstream_ended, ended;
	struct nacre_error failure;
	struct nc_turns turns;
	unsigned char block[DECODED_BLOCK];
};

/* Get input, or find out that the stream has ended and may. */
static int refill(struct decoder *self, struct nacre_error *err)
{
	const void *block = NULL;
	ssize_t n = self->upstream_ended ? 0 : nc_reader_next(self->upstream, &block, err);
	if (n < 0)
		return (int)n;
	if (n == 0) {
		self->upstream_ended = true;
		if (!self->ops->complete(self->engine))
			return nc_fail(err, NACRE_E_BADDATA, 0, "the %s stream ends early, after %llu bytes",
				       self->ops->format, (unsigned long long)self->pulled);
		self->ended = true;
		return 0;
	}
	self->in = (struct nc_input){ block, (size_t)n };
	self->pulled += (uint64_t)n;
	return 0;
}

static int run(struct decoder *self, struct nc_output *out, struct nacre_error *err)
{
	size_t had_input = self->in.left, had_room = out->left;
	int code = self->ops->run(self->engine, &self->in, out, err);
	self->held_back = out->left == 0;
	if (code == 0 && had_input && self->in.left == had_input && out->left == had_room)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the %s stream cannot be decoded", self->ops->format);
	return code;
}

static ssize_t decoder_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct decoder *self = (struct decoder *)reader;
	unsigned char *block = nc_turns_next(&self->turns);
	struct nc_output out = { block, sizeof self->block };
	int code = self->failure.code;
	while (code == 0 && out.left && !self->ended) {
		if (self->in.left || self->held_back)
			code = run(self, &out, &self->failure);
		else
			code = refill(self, &self->failure);
	}
	self->failure.code = code;
	ssize_t made = (ssize_t)(sizeof self->block - out.left);
	if (code < 0 && made == 0)	/* what was good goes first */
		return nc_failure_tell(&self->failure, code, err);
	*ret = block;
	return made;
}

static int decoder_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return nc_turns_keep(&((struct decoder *)reader)->turns, count, err);
}

static void decoder_close(struct nc_reader *reader)
{
	struct decoder *self = (struct decoder *)reader;
	self->ops->free(self->engine);
	nc_reader_close(self->upstream);
	nc_turns_release(&self->turns);
	free(self);
}

static const struct nc_reader_ops decoder_ops = { decoder_next, decoder_close, decoder_keep };

int nc_decoder_new(struct nc_reader *upstream, const struct nc_engine_ops *ops, void *engine, struct nc_reader **ret,
		   struct nacre_error *err)
{
	struct decoder *self = nc_alloc(sizeof *self);
	if (!self) {
		ops->free(engine);
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	self->base.ops = &decoder_ops;
	self->upstream = upstream;
	self->ops = ops;
	self->engine = engine;
	self->in = (struct nc_input){ NULL, 0 };
	self->pulled = 0;
	self->held_back = self->upstream_ended = self->ended = false;
	self->failure = (struct nacre_error){ 0 };
	self->turns = nc_turns_of(self->block, sizeof self->block);
	*ret = &self->base;
	return 0;
}
