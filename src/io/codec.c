#include "io/codec.h"

#include "io/decoder.h"
#include "io/encoder.h"

#include <stdlib.h>
#include <string.h>

/* --- telling formats apart -------------------------------------------------------------------------------------- */

static bool starts_with(const unsigned char *bytes, size_t len, const char *magic, size_t magic_len)
{
	return len >= magic_len && memcmp(bytes, magic, magic_len) == 0;
}

/* "BZh1" could be the beginning of a file name in a plain tar, so what follows has to fit too: the magic of a block
 * or that of the end, or as much of it as there is in a stream that is cut off. */
static bool is_bzip2(const unsigned char *bytes, size_t len)
{
	if (!starts_with(bytes, len, "BZh", 3) || len < 4 || bytes[3] < '1' || bytes[3] > '9')
		return false;
	size_t n = len - 4 < 6 ? len - 4 : 6;
	return memcmp(bytes + 4, "\x31\x41\x59\x26\x53\x59", n) == 0 ||
	       memcmp(bytes + 4, "\x17\x72\x45\x38\x50\x90", n) == 0;
}

/* A skippable frame counts as zstd without looking at what follows: nothing else that we read begins so. */
static bool is_zstd(const unsigned char *bytes, size_t len)
{
	return starts_with(bytes, len, "\x28\xb5\x2f\xfd", 4) ||
	       (len >= 4 && (bytes[0] & 0xf0) == 0x50 && memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0);
}

enum nc_codec nc_codec_of(const void *bytes, size_t len)
{
	if (starts_with(bytes, len, "\x1f\x8b\x08", 3))
		return NC_GZIP;
	if (is_zstd(bytes, len))
		return NC_ZSTD;
	if (starts_with(bytes, len, "\xfd" "7zXZ\0", 6))
		return NC_XZ;
	if (is_bzip2(bytes, len))
		return NC_BZIP2;
	return NC_PLAIN;
}

const char *nc_codec_name(enum nc_codec codec)
{
	switch (codec) {
	case NC_PLAIN: return "plain";
	case NC_GZIP: return "gzip";
	case NC_ZSTD: return "zstd";
	case NC_XZ: return "xz";
	case NC_BZIP2: return "bzip2";
	}
	return "unknown";
}

/* --- looking ahead ---------------------------------------------------------------------------------------------- */

/* Lends what was read to look at it, then what follows. */
struct peeked {
	struct nc_reader base;
	struct nc_reader *upstream;
	unsigned char head[NC_CODEC_PEEK];	/* copied from the blocks before block */
	size_t head_len;
	const unsigned char *block;		/* upstream's latest, not yet lent on */
	size_t block_len;
};

static ssize_t peeked_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct peeked *self = (struct peeked *)reader;
	size_t n = self->head_len;
	if (n) {
		*ret = self->head;
		self->head_len = 0;
		return (ssize_t)n;
	}
	n = self->block_len;
	if (n) {
		*ret = self->block;
		self->block_len = 0;
		return (ssize_t)n;
	}
	return nc_reader_next(self->upstream, ret, err);
}

static void peeked_close(struct nc_reader *reader)
{
	struct peeked *self = (struct peeked *)reader;
	nc_reader_close(self->upstream);
	free(self);
}

static int peeked_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return nc_reader_keep(((struct peeked *)reader)->upstream, count, err);
}

static const struct nc_reader_ops peeked_ops = { peeked_next, peeked_close, peeked_keep };

static int peek(struct peeked *self, enum nc_codec *ret, struct nacre_error *err)
{
	while (self->head_len + self->block_len < NC_CODEC_PEEK) {
		if (self->block_len)
			memcpy(self->head + self->head_len, self->block, self->block_len);
		self->head_len += self->block_len;
		self->block_len = 0;
		const void *block;
		ssize_t n = nc_reader_next(self->upstream, &block, err);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		self->block = block;
		self->block_len = (size_t)n;
	}
	unsigned char bytes[NC_CODEC_PEEK];
	memcpy(bytes, self->head, self->head_len);
	size_t room = NC_CODEC_PEEK - self->head_len;
	size_t n = room < self->block_len ? room : self->block_len;
	if (n)
		memcpy(bytes + self->head_len, self->block, n);
	*ret = nc_codec_of(bytes, self->head_len + n);
	return 0;
}

int nc_reader_decoded(struct nc_reader *upstream, enum nc_codec *ret_codec, struct nc_reader **ret,
		      struct nacre_error *err)
{
	struct peeked *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	self->base.ops = &peeked_ops;
	self->upstream = upstream;
	struct nc_reader *reader = &self->base;
	enum nc_codec codec = NC_PLAIN;
	int code = peek(self, &codec, err);
	if (code < 0) {
		nc_reader_close(reader);
		return code;
	}
	switch (codec) {
	case NC_PLAIN:
		break;
	case NC_GZIP:
		code = nc_reader_gunzip(reader, &reader, err);
		break;
	case NC_ZSTD:
		code = nc_reader_unzstd(reader, &reader, err);
		break;
	case NC_XZ:
		code = nc_reader_unxz(reader, &reader, err);
		break;
	case NC_BZIP2:
		code = nc_reader_unbzip2(reader, &reader, err);
		break;
	}
	if (code < 0)
		return code;
	if (ret_codec)
		*ret_codec = codec;
	*ret = reader;
	return 0;
}

int nc_writer_encoded(struct nc_writer *downstream, enum nc_codec codec, int level, struct nc_writer **ret,
		      struct nacre_error *err)
{
	switch (codec) {
	case NC_PLAIN:
		*ret = downstream;
		return 0;
	case NC_GZIP:
		return nc_writer_gzip(downstream, level, ret, err);
	case NC_ZSTD:
		return nc_writer_zstd(downstream, level, ret, err);
	default:
		nc_writer_close(downstream);
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "%s is read but not written", nc_codec_name(codec));
	}
}
