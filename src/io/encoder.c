#include "io/encoder.h"

#include "io/failure.h"

#include <stdlib.h>
#include <string.h>

#define PLAIN_BLOCK ((size_t)128 * 1024)
#define ENCODED_BLOCK ((size_t)64 * 1024)

struct encoder {
	struct nc_writer base;
	struct nc_writer *downstream;
	const struct nc_encoder_ops *ops;
	void *engine;
	struct nacre_error failure;
	size_t held;
	unsigned char plain[PLAIN_BLOCK];
	unsigned char encoded[ENCODED_BLOCK];
};

static int encode(struct encoder *self, const unsigned char *bytes, size_t len, bool last, struct nacre_error *err)
{
	struct nc_input in = { bytes, len };
	int more = 1;
	while (more > 0) {
		struct nc_output out = { self->encoded, sizeof self->encoded };
		more = self->ops->run(self->engine, &in, last, &out, err);
		size_t made = sizeof self->encoded - out.left;
		int code = more >= 0 && made ? nc_writer_write(self->downstream, self->encoded, made, err) : 0;
		if (code < 0)
			return code;
	}
	return more;
}

static int add(struct encoder *self, const unsigned char *bytes, size_t len, struct nacre_error *err)
{
	int code = 0;
	while (code == 0 && len) {
		size_t n = PLAIN_BLOCK - self->held < len ? PLAIN_BLOCK - self->held : len;
		if (n == PLAIN_BLOCK) {		/* a whole block: no need to copy */
			code = encode(self, bytes, n, false, err);
		} else {
			memcpy(self->plain + self->held, bytes, n);
			self->held += n;
			if (self->held == PLAIN_BLOCK) {
				self->held = 0;
				code = encode(self, self->plain, PLAIN_BLOCK, false, err);
			}
		}
		bytes += n;
		len -= n;
	}
	return code;
}

static int encoder_write(struct nc_writer *writer, const void *bytes, size_t len, struct nacre_error *err)
{
	struct encoder *self = (struct encoder *)writer;
	int code = self->failure.code ? self->failure.code : add(self, bytes, len, &self->failure);
	return code < 0 ? nc_failure_tell(&self->failure, code, err) : 0;
}

static int encoder_finish(struct nc_writer *writer, struct nacre_error *err)
{
	struct encoder *self = (struct encoder *)writer;
	int code = self->failure.code;
	if (code == 0)
		code = encode(self, self->plain, self->held, true, &self->failure);
	if (code == 0)
		code = nc_writer_finish(self->downstream, &self->failure);
	return code < 0 ? nc_failure_tell(&self->failure, code, err) : 0;
}

static void encoder_close(struct nc_writer *writer)
{
	struct encoder *self = (struct encoder *)writer;
	self->ops->free(self->engine);
	nc_writer_close(self->downstream);
	free(self);
}

static const struct nc_writer_ops encoder_ops = { encoder_write, encoder_finish, encoder_close };

int nc_encoder_new(struct nc_writer *downstream, const struct nc_encoder_ops *ops, void *engine,
		   struct nc_writer **ret, struct nacre_error *err)
{
	struct encoder *self = nc_alloc(sizeof *self);
	if (!self) {
		ops->free(engine);
		nc_writer_close(downstream);
		return nc_nomem(err);
	}
	self->base.ops = &encoder_ops;
	self->downstream = downstream;
	self->ops = ops;
	self->engine = engine;
	self->failure = (struct nacre_error){ 0 };
	self->held = 0;
	*ret = &self->base;
	return 0;
}
