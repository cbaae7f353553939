#include "io/decoder.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

/* The largest window is 2^27 bytes, 128 MiB: what the command zstd decodes without being asked twice. */
#define WINDOW_LOG_MAX 27

/* The head of a frame, at most. */
#define HEAD_MAX 18

struct unzstd {
	ZSTD_DCtx *ctx;
	bool at_rest;	/* between frames */
	/* the frame in hand */
	unsigned char head[HEAD_MAX];
	size_t head_len;
	uint64_t plain;
};

static int fail_zstd(size_t result, struct nacre_error *err)
{
	switch (ZSTD_getErrorCode(result)) {
	case ZSTD_error_frameParameter_windowTooLarge:
		return nc_fail(err, NACRE_E_LIMIT, 0, "a zstd frame needs a window of more than %d MiB",
			       1 << (WINDOW_LOG_MAX - 20));
	case ZSTD_error_memory_allocation:
		return nc_nomem(err);
	default:
		return nc_fail(err, NACRE_E_BADDATA, 0, "the zstd data is damaged (%s)", ZSTD_getErrorName(result));
	}
}

static void note(struct unzstd *self, const void *bytes, size_t len, size_t plain)
{
	size_t take = len < HEAD_MAX - self->head_len ? len : HEAD_MAX - self->head_len;
	memcpy(self->head + self->head_len, bytes, take);
	self->head_len += take;
	self->plain += plain;
}

/* libzstd looks at it too, but not in every way that a frame can come and end. */
static int check_frame(struct unzstd *self, struct nacre_error *err)
{
	unsigned long long said = ZSTD_getFrameContentSize(self->head, self->head_len);
	uint64_t came = self->plain;
	self->head_len = 0;
	self->plain = 0;
	if (said == ZSTD_CONTENTSIZE_UNKNOWN || said == ZSTD_CONTENTSIZE_ERROR || said == came)
		return 0;
	return nc_fail(err, NACRE_E_BADDATA, 0, "the zstd data is damaged (a frame of %llu bytes has %llu)", said,
		       (unsigned long long)came);
}

/* libzstd would also take frames of before zstd 1.0, by decoders that nobody looks after. */
static int check_magic(const struct unzstd *self, const void *bytes, size_t len, struct nacre_error *err)
{
	static const unsigned char frame[] = { 0x28, 0xb5, 0x2f, 0xfd }, skippable[] = { 0x50, 0x2a, 0x4d, 0x18 };
	unsigned char magic[sizeof frame];
	if (self->head_len >= sizeof magic)
		return 0;
	size_t more = len < sizeof magic - self->head_len ? len : sizeof magic - self->head_len;
	size_t have = self->head_len + more;
	memcpy(magic, self->head, self->head_len);
	memcpy(magic + self->head_len, bytes, more);
	if (memcmp(magic, frame, have) == 0)
		return 0;
	magic[0] &= 0xf0;
	if (memcmp(magic, skippable, have) == 0)
		return 0;
	return nc_fail(err, NACRE_E_BADDATA, 0, "something that is not zstd where a frame should begin");
}

static int unzstd_run(void *engine, struct nc_input *in, struct nc_output *out, struct nacre_error *err)
{
	struct unzstd *self = engine;
	do {
		int code = check_magic(self, in->at, in->left, err);
		if (code < 0)
			return code;
		/* A frame that lies there whole libzstd decodes another way, which refuses some that it takes in pieces; not
		 * if its first byte came before. */
		ZSTD_inBuffer from = { in->at, self->head_len ? in->left : in->left > 0, 0 };
		ZSTD_outBuffer to = { out->at, out->left, 0 };
		size_t result = ZSTD_decompressStream(self->ctx, &to, &from);
		note(self, in->at, from.pos, to.pos);
		in->at += from.pos;
		in->left -= from.pos;
		out->at += to.pos;
		out->left -= to.pos;
		if (ZSTD_isError(result))
			return fail_zstd(result, err);
		if (!from.pos && !to.pos)	/* a call that does nothing speaks of the next frame */
			break;
		self->at_rest = result == 0;
		code = self->at_rest ? check_frame(self, err) : 0;
		if (code < 0)
			return code;
	} while (in->left && out->left);
	return 0;
}

static bool unzstd_complete(void *engine)
{
	return ((struct unzstd *)engine)->at_rest;
}

static void unzstd_free(void *engine)
{
	struct unzstd *self = engine;
	ZSTD_freeDCtx(self->ctx);
	free(self);
}

static const struct nc_engine_ops unzstd_ops = { "zstd", unzstd_run, unzstd_complete, unzstd_free };

int nc_reader_unzstd(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err)
{
	struct unzstd *self = nc_zalloc(sizeof *self);
	if (self)
		self->ctx = ZSTD_createDCtx();
	if (!self || !self->ctx || ZSTD_isError(ZSTD_DCtx_setParameter(self->ctx, ZSTD_d_windowLogMax,
								       WINDOW_LOG_MAX))) {
		if (self)
			unzstd_free(self);
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	return nc_decoder_new(upstream, &unzstd_ops, self, ret, err);
}
