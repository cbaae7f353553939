/* What the tests of the tar room share: archives from the corpus, archives made by hand, readers that cut their bytes
 * in odd places, and a transcript of what the tar reader says. */
#ifndef NC_TESTS_TAR_TOOLS_H
#define NC_TESTS_TAR_TOOLS_H

#include "../unit.h"

#include "base/buf.h"
#include "io/reader.h"
#include "tar/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <zlib.h>

#define TOOL static inline __attribute__((unused))

/* A file of tests/corpus, without its gzip wrapping if it has one. */
TOOL void load_corpus(const char *name, struct nc_buf *ret)
{
	struct nacre_error err;
	char path[4096], piece[65536];
	*ret = (struct nc_buf)NC_BUF_INIT(64u << 20);
	snprintf(path, sizeof path, "%s/%s", CORPUS, name);
	gzFile file = gzopen(path, "rb");
	assert_non_null(file);
	int n;
	while ((n = gzread(file, piece, sizeof piece)) > 0)
		assert_done(nc_buf_add(ret, piece, (size_t)n, &err));
	assert_int_equal(n, 0);
	gzclose(file);
}

/* --- a reader that gives pieces, each in memory of its own so that a sanitizer sees who looks beyond ----------- */

struct pieces {
	struct nc_reader reader;
	const unsigned char *bytes;
	size_t len, at, piece;
	unsigned char *lent;
};

TOOL ssize_t pieces_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct pieces *self = (struct pieces *)reader;
	size_t n = self->len - self->at < self->piece ? self->len - self->at : self->piece;
	free(self->lent);
	self->lent = n ? (unsigned char *)nc_memdup(self->bytes + self->at, n) : NULL;
	self->at += n;
	*ret = self->lent;
	return (ssize_t)n;
}

TOOL void pieces_close(struct nc_reader *reader)
{
	free(((struct pieces *)reader)->lent);
	free(reader);
}

/* piece 0: all at once. */
TOOL struct nc_reader *read_pieces(const void *bytes, size_t len, size_t piece)
{
	static const struct nc_reader_ops ops = { .next = pieces_next, .close = pieces_close };
	struct pieces *self = calloc(1, sizeof *self);
	assert_non_null(self);
	*self = (struct pieces){ .reader = { &ops }, .bytes = bytes, .len = len, .piece = piece ? piece : SIZE_MAX };
	return &self->reader;
}

/* --- archives by hand ------------------------------------------------------------------------------------------- */

struct made {
	struct nc_buf buf;
	size_t header;	/* where the last header begins */
};

TOOL void made_bytes(struct made *made, const void *bytes, size_t len)
{
	struct nacre_error err;
	if (!made->buf.max)
		made->buf.max = 64u << 20;
	assert_done(nc_buf_add(&made->buf, bytes, len, &err));
}

TOOL void made_zeros(struct made *made, size_t len)
{
	static const char zeros[4096];
	for (; len; len -= len < sizeof zeros ? len : sizeof zeros)
		made_bytes(made, zeros, len < sizeof zeros ? len : sizeof zeros);
}

TOOL void made_sum(struct made *made)
{
	unsigned char *block = (unsigned char *)made->buf.data + made->header;
	unsigned sum = 0;
	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
}

/* Changes a field of the last header. */
TOOL void made_field(struct made *made, size_t offset, const void *bytes, size_t len)
{
	memcpy(made->buf.data + made->header + offset, bytes, len);
	made_sum(made);
}

TOOL void made_header(struct made *made, char flag, const char *name, uint64_t size)
{
	char block[512] = { 0 };
	snprintf(block, 101, "%s", name);
	memcpy(block + 100, "0000644\0" "0001750\0" "0001751\0", 24);
	snprintf(block + 124, 12, "%011" PRIo64, size);
	memcpy(block + 136, "00000000012", 12);
	block[156] = flag;
	memcpy(block + 257, "ustar\0" "00", 8);
	if (flag == '1' || flag == '2')
		strcpy(block + 157, "target");
	made->header = made->buf.len;
	made_bytes(made, block, sizeof block);
	made_sum(made);
}

TOOL void made_gnu(struct made *made)
{
	made_field(made, 257, "ustar  ", 8);
}

TOOL void made_payload(struct made *made, const void *bytes, size_t len)
{
	made_bytes(made, bytes, len);
	made_zeros(made, -len & 511);
}

/* A header with its payload. */
TOOL void made_member(struct made *made, char flag, const char *name, const char *payload)
{
	made_header(made, flag, name, strlen(payload));
	made_payload(made, payload, strlen(payload));
}

/* Appends "LENGTH KEY=VALUE\n" to text. */
TOOL void pax_record(struct nc_buf *text, const char *key, const void *value, size_t len)
{
	struct nacre_error err;
	size_t rest = strlen(key) + len + 3, total = rest + 1;
	for (size_t digits = 1; ; digits++) {
		char number[32];
		total = rest + digits;
		if ((size_t)snprintf(number, sizeof number, "%zu", total) == digits)
			break;
	}
	if (!text->max)
		text->max = 64u << 20;
	assert_done(nc_buf_addf(text, &err, "%zu %s=", total, key));
	assert_done(nc_buf_add(text, value, len, &err));
	assert_done(nc_buf_add(text, "\n", 1, &err));
}

/* An x or g header with one record. */
TOOL void made_pax(struct made *made, char flag, const char *key, const char *value)
{
	NC_AUTO_BUF struct nc_buf text = { 0 };
	pax_record(&text, key, value, strlen(value));
	made_header(made, flag, "pax", text.len);
	made_payload(made, text.data, text.len);
}

TOOL void made_end(struct made *made)
{
	made_zeros(made, 1024);
}

TOOL void made_release(struct made *made)
{
	nc_buf_release(&made->buf);
}

/* --- transcripts ------------------------------------------------------------------------------------------------ */

struct transcript {
	int code;		/* how it ended */
	struct nacre_error err;
	unsigned entries;
	struct nc_buf text;	/* a line an entry and a run of data or framing */
	struct nc_buf bytes;	/* all framing and data */
};

struct run {
	int event;
	uint64_t at, len;
	uLong sum;
};

TOOL void write_run(struct transcript *ret, struct run *run)
{
	struct nacre_error err;
	if (run->event)
		assert_done(nc_buf_addf(&ret->text, &err, "%s %" PRIu64 "+%" PRIu64 " %08lx\n",
					run->event == NC_TAR_DATA ? "data" : "framing", run->at, run->len, run->sum));
	run->event = 0;
}

TOOL void write_entry(struct transcript *ret, const struct nc_tar_item *item)
{
	struct nacre_error err;
	const struct nc_entry *e = item->entry;
	assert_int_equal(strlen(e->name), e->name_len);
	assert_int_equal(strlen(e->link), e->link_len);
	assert_true(e->mtime.nsec < 1000000000);
	assert_done(nc_buf_addf(&ret->text, &err, "%c %s -> '%s' %04o %u:%u size %" PRIu64 "/%" PRIu64 "%s%s time %"
				PRId64 ".%09u dev %u,%u", e->type, e->name, e->link, e->mode, e->uid, e->gid, e->size,
				e->stored, e->sparse ? " sparse" : "", item->in_place ? " in place" : "",
				e->mtime.sec, e->mtime.nsec, e->dev_major, e->dev_minor));
	for (size_t i = 0; i < e->xattr_count; i++) {
		assert_true(i == 0 || strcmp(e->xattrs[i - 1].name, e->xattrs[i].name) < 0);
		assert_done(nc_buf_addf(&ret->text, &err, " %s=", e->xattrs[i].name));
		for (size_t j = 0; j < e->xattrs[i].value_len; j++)
			assert_done(nc_buf_addf(&ret->text, &err, "%02x", ((const uint8_t *)e->xattrs[i].value)[j]));
	}
	assert_done(nc_buf_addf(&ret->text, &err, "\n"));
}

/* Reads a whole archive in pieces. */
TOOL void transcribe(const void *bytes, size_t len, size_t piece, struct transcript *ret)
{
	*ret = (struct transcript){ .text = NC_BUF_INIT(256u << 20), .bytes = NC_BUF_INIT(256u << 20) };
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = read_pieces(bytes, len, piece);
	NC_CLEANUP(nc_tar_auto) struct nc_tar *tar = NULL;
	struct nacre_error err;
	assert_done(nc_tar_new(reader, &tar, &err));
	struct nc_tar_item item;
	struct run run = { 0 };
	while ((ret->code = nc_tar_next(tar, &item, &ret->err)) > 0) {
		if (ret->code == NC_TAR_ENTRY) {
			assert_int_equal(item.len, 0);
			write_run(ret, &run);
			write_entry(ret, &item);
			ret->entries++;
			continue;
		}
		assert_true(item.len > 0);
		if (run.event != ret->code || (run.event == NC_TAR_DATA && run.at + run.len != item.at)) {
			write_run(ret, &run);
			run = (struct run){ .event = ret->code, .at = item.at, .sum = crc32(0, NULL, 0) };
		}
		run.len += item.len;
		run.sum = crc32(run.sum, item.bytes, (uInt)item.len);
		assert_done(nc_buf_add(&ret->bytes, item.bytes, item.len, &err));
		assert_int_equal(nc_tar_offset(tar), ret->bytes.len);
	}
	write_run(ret, &run);
	/* An end and a failure repeat themselves. */
	assert_int_equal(nc_tar_next(tar, &item, NULL), ret->code);
	/* Nothing was lost or changed on the way. */
	assert_true(ret->code < 0 ? ret->bytes.len <= len : ret->bytes.len == len);
	assert_true(ret->bytes.len == 0 || memcmp(ret->bytes.data, bytes, ret->bytes.len) == 0);
	if (ret->code < 0)
		assert_true(ret->err.code == ret->code && ret->err.msg[0]);
}

TOOL void transcript_release(struct transcript *transcript)
{
	nc_buf_release(&transcript->text);
	nc_buf_release(&transcript->bytes);
}

#endif
