/* The gzip file format (RFC 1952) around deflate data. All numbers are little-endian.
 *
 *   1f 8b  08  flags  time[4]  xfl  os        always
 *   length[2] extra[length]                   with FEXTRA
 *   name, up to a NUL                         with FNAME
 *   comment, up to a NUL                      with FCOMMENT
 *   crc[2], of the header up to here          with FHCRC
 *   deflate data
 *   crc[4] size[4]                            of the plain bytes, size modulo 2^32
 *
 * Members follow one another immediately; behind the last one there may be zeros, as tapes and padding leave them. */
#include "io/codec.h"
#include "io/inflate.h"

#include <stdlib.h>

enum { FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16, RESERVED = 0xe0 };

#define FIXED_SIZE 10
#define TRAILER_SIZE 8

enum part {
	FIXED,			/* the fixed part of a header */
	EXTRA_LENGTH,
	EXTRA,
	NAME,
	COMMENT,
	HEADER_CRC,
	BODY,
	TRAILER,
	BETWEEN,		/* behind a member: another may follow */
	ZEROS,			/* behind the last member */
};

struct gunzip {
	const struct nc_inflate_ops *ops;
	void *state;
	enum part part;
	unsigned char held[FIXED_SIZE];	/* what is gathered of the part under way */
	size_t have;
	unsigned flags;
	uint32_t extra_left;
	uint32_t header_crc;
	uint32_t crc;
	uint64_t size;
};

static uint32_t little(const unsigned char *bytes, size_t count)
{
	uint32_t value = 0;
	for (size_t i = count; i > 0; i--)
		value = value << 8 | bytes[i - 1];
	return value;
}

static void begin_part(struct gunzip *self, enum part part)
{
	self->part = part;
	self->have = 0;
}

/* Gather the size bytes of a part. True: they are all there. */
static bool gather(struct gunzip *self, struct nc_input *in, size_t size)
{
	while (self->have < size && in->left) {
		self->held[self->have++] = *in->at++;
		in->left--;
	}
	return self->have == size;
}

static void hash_header(struct gunzip *self, const unsigned char *bytes, size_t len)
{
	self->header_crc = self->ops->crc(self->header_crc, bytes, len);
}

/* The next part of the header that the flags promise, after the one given. */
static void go_on_after(struct gunzip *self, enum part part)
{
	if (part < EXTRA_LENGTH && self->flags & FEXTRA)
		begin_part(self, EXTRA_LENGTH);
	else if (part < NAME && self->flags & FNAME)
		begin_part(self, NAME);
	else if (part < COMMENT && self->flags & FCOMMENT)
		begin_part(self, COMMENT);
	else if (part < HEADER_CRC && self->flags & FHCRC)
		begin_part(self, HEADER_CRC);
	else
		begin_part(self, BODY);
}

static int run_fixed(struct gunzip *self, struct nc_input *in, struct nacre_error *err)
{
	if (!gather(self, in, FIXED_SIZE))
		return 0;
	if (self->held[0] != 0x1f || self->held[1] != 0x8b)
		return nc_fail(err, NACRE_E_BADDATA, 0, "something that is not gzip where a member should begin");
	if (self->held[2] != 8)
		return nc_fail(err, NACRE_E_BADDATA, 0, "gzip member with the unknown method %u", self->held[2]);
	if (self->held[3] & RESERVED)
		return nc_fail(err, NACRE_E_BADDATA, 0, "gzip member with unknown flags 0x%02x", self->held[3]);
	self->flags = self->held[3];
	self->header_crc = 0;
	hash_header(self, self->held, FIXED_SIZE);
	self->crc = 0;
	self->size = 0;
	self->ops->reset(self->state);
	go_on_after(self, FIXED);
	return 0;
}

static void run_extra_length(struct gunzip *self, struct nc_input *in)
{
	if (!gather(self, in, 2))
		return;
	hash_header(self, self->held, 2);
	self->extra_left = little(self->held, 2);
	begin_part(self, EXTRA);
}

static void run_extra(struct gunzip *self, struct nc_input *in)
{
	size_t n = in->left < self->extra_left ? in->left : self->extra_left;
	hash_header(self, in->at, n);
	in->at += n;
	in->left -= n;
	self->extra_left -= (uint32_t)n;
	if (!self->extra_left)
		go_on_after(self, EXTRA);
}

static void run_text(struct gunzip *self, struct nc_input *in)
{
	const unsigned char *start = in->at;
	bool ended = false;
	while (in->left && !ended) {
		ended = !*in->at++;
		in->left--;
	}
	hash_header(self, start, (size_t)(in->at - start));
	if (ended)
		go_on_after(self, self->part);
}

static int run_header_crc(struct gunzip *self, struct nc_input *in, struct nacre_error *err)
{
	if (!gather(self, in, 2))
		return 0;
	if (little(self->held, 2) != (self->header_crc & 0xffff))
		return nc_fail(err, NACRE_E_BADDATA, 0, "the checksum of a gzip header does not fit");
	go_on_after(self, HEADER_CRC);
	return 0;
}

static int run_trailer(struct gunzip *self, struct nc_input *in, struct nacre_error *err)
{
	if (!gather(self, in, TRAILER_SIZE))
		return 0;
	if (little(self->held, 4) != self->crc)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the checksum of a gzip member does not fit");
	if (little(self->held + 4, 4) != (uint32_t)self->size)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the length of a gzip member does not fit");
	begin_part(self, BETWEEN);
	return 0;
}

static int run_body(struct gunzip *self, struct nc_input *in, struct nc_output *out, struct nacre_error *err)
{
	const unsigned char *start = out->at;
	int code = self->ops->run(self->state, in, out, err);
	size_t made = (size_t)(out->at - start);
	self->crc = self->ops->crc(self->crc, start, made);
	self->size += made;
	if (code != 1)
		return code;
	begin_part(self, TRAILER);
	self->have = self->ops->swallowed(self->state, self->held);
	return run_trailer(self, in, err);	/* at once: all of it may have been swallowed */
}

static int run_zeros(struct gunzip *self, struct nc_input *in, struct nacre_error *err)
{
	for (; in->left; in->at++, in->left--)
		if (*in->at)
			return nc_fail(err, NACRE_E_BADDATA, 0,
				       "something other than zeros behind the last gzip member");
	return 0;
}

static int run_part(struct gunzip *self, struct nc_input *in, struct nc_output *out, struct nacre_error *err)
{
	switch (self->part) {
	case FIXED:
		return run_fixed(self, in, err);
	case EXTRA_LENGTH:
		run_extra_length(self, in);
		return 0;
	case EXTRA:
		run_extra(self, in);
		return 0;
	case NAME:
	case COMMENT:
		run_text(self, in);
		return 0;
	case HEADER_CRC:
		return run_header_crc(self, in, err);
	case BODY:
		return run_body(self, in, out, err);
	case TRAILER:
		return run_trailer(self, in, err);
	case BETWEEN:
		begin_part(self, *in->at == 0x1f ? FIXED : ZEROS);
		return 0;
	case ZEROS:
		return run_zeros(self, in, err);
	}
	return 0;
}

static int gunzip_run(void *engine, struct nc_input *in, struct nc_output *out, struct nacre_error *err)
{
	struct gunzip *self = engine;
	int code = self->part == BODY ? run_body(self, in, out, err) : 0;	/* perhaps without input */
	while (code == 0 && in->left && out->left)
		code = run_part(self, in, out, err);
	return code;
}

static bool gunzip_complete(void *engine)
{
	struct gunzip *self = engine;
	return self->part == BETWEEN || self->part == ZEROS;
}

static void gunzip_free(void *engine)
{
	struct gunzip *self = engine;
	self->ops->free(self->state);
	free(self);
}

static const struct nc_engine_ops gunzip_ops = { "gzip", gunzip_run, gunzip_complete, gunzip_free };

static int gunzip_with(const struct nc_inflate_ops *ops, struct nc_reader *upstream, struct nc_reader **ret,
		       struct nacre_error *err)
{
	struct gunzip *self = nc_zalloc(sizeof *self);
	if (self) {
		self->ops = ops;
		self->state = ops->make();
	}
	if (!self || !self->state) {
		free(self);
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	return nc_decoder_new(upstream, &gunzip_ops, self, ret, err);
}

int nc_reader_gunzip(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err)
{
	return gunzip_with(&nc_inflate_isal, upstream, ret, err);
}

int nc_reader_gunzip_zlib(struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err)
{
	return gunzip_with(&nc_inflate_zlib, upstream, ret, err);
}
