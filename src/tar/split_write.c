#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tar/header.h"
#include "tar/reader.h"
#include "tar/split_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_MAX (1u << 20)
/* Bytes encoded at a time: a multiple of 3, so that padding comes only at the very end. */
#define ENCODE_STEP (3u * 8192)
/* A name may grow sixfold. */
#define LINE_MAX_BYTES (6u * NC_TAR_NAME_MAX + 256)

struct nc_split {
	struct nc_writer *out;
	uint64_t offset;		/* in the archive, of the next byte */
	uint64_t position;		/* of the next record */
	struct nc_buf pending;		/* framing that is not written yet */
	bool fresh;			/* pending begins right after a FILE record or the archive's start */
	bool in_member;
	struct nc_buf name;		/* of the member */
	uint64_t size, crc;
	struct nc_buf line;
	char encoded[NC_BASE64_ENCODED(ENCODE_STEP)];
};

int nc_split_new(struct nc_writer *out, struct nc_split **ret, struct nacre_error *err)
{
	struct nc_split *split = nc_zalloc(sizeof *split);
	if (!split)
		return nc_nomem(err);
	split->out = out;
	split->fresh = true;
	split->pending = (struct nc_buf)NC_BUF_INIT(SEGMENT_MAX);
	split->name = (struct nc_buf)NC_BUF_INIT(NC_TAR_NAME_MAX);
	split->line = (struct nc_buf)NC_BUF_INIT(LINE_MAX_BYTES);
	*ret = split;
	return 0;
}

void nc_split_free(struct nc_split *split)
{
	if (!split)
		return;
	nc_buf_release(&split->pending);
	nc_buf_release(&split->name);
	nc_buf_release(&split->line);
	free(split);
}

/* Characters that Go's encoder spells differently inside a string: also <, > and &, and the line separators of
 * JavaScript (U+2028, U+2029). Returns how many bytes of text are replaced by escape, 0 for none. */
static size_t json_escape(const char *text, char escape[8])
{
	unsigned char c = (unsigned char)text[0];
	if (c == '"' || c == '\\')
		snprintf(escape, 8, "\\%c", c);
	else if (c == '\n' || c == '\r' || c == '\t')
		snprintf(escape, 8, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
	else if (c < 0x20 || c == '<' || c == '>' || c == '&')
		snprintf(escape, 8, "\\u%04x", c);
	else if (strncmp(text, "\u2028", 3) == 0 || strncmp(text, "\u2029", 3) == 0)
		snprintf(escape, 8, "\\u202%c", text[2] == '\xa8' ? '8' : '9');
	else
		return 0;
	return c < 0x80 ? 1 : 3;
}

/* text is UTF-8. */
static int add_json_string(struct nc_buf *line, const char *text, size_t len, struct nacre_error *err)
{
	int code = nc_buf_add(line, "\"", 1, err);
	size_t plain = 0;	/* where the characters begin that need no escape */
	for (size_t i = 0; i < len && code == 0;) {
		char escape[8];
		size_t replaced = json_escape(text + i, escape);
		if (replaced == 0) {
			i++;
			continue;
		}
		code = nc_buf_add(line, text + plain, i - plain, err);
		if (code == 0)
			code = nc_buf_add_text(line, escape, err);
		plain = i += replaced;
	}
	if (code == 0)
		code = nc_buf_add(line, text + plain, len - plain, err);
	return code < 0 ? code : nc_buf_add(line, "\"", 1, err);
}

static int add_base64(struct nc_buf *line, const void *bytes, size_t len, struct nacre_error *err)
{
	int code = nc_buf_reserve(line, NC_BASE64_ENCODED(len), err);
	if (code < 0)
		return code;
	line->len += nc_base64_encode(bytes, len, line->data + line->len);
	line->data[line->len] = '\0';
	return 0;
}

static int add_name(struct nc_buf *line, const char *name, size_t len, struct nacre_error *err)
{
	if (len == 0)
		return 0;
	int code;
	if (nc_utf8_valid(name, len)) {
		code = nc_buf_add_text(line, ",\"name\":", err);
		return code < 0 ? code : add_json_string(line, name, len, err);
	}
	code = nc_buf_add_text(line, ",\"name_raw\":\"", err);
	if (code == 0)
		code = add_base64(line, name, len, err);
	return code < 0 ? code : nc_buf_add_text(line, "\"", err);
}

/* The end of every record. */
static int add_position(struct nc_split *split, struct nacre_error *err)
{
	int code = nc_buf_addf(&split->line, err, ",\"position\":%" PRIu64 "}\n", split->position);
	if (code == 0)
		split->position++;
	return code;
}

static int write_line(struct nc_split *split, struct nacre_error *err)
{
	return nc_writer_write(split->out, split->line.data, split->line.len, err);
}

static int write_file(struct nc_split *split, const char *name, size_t name_len, uint64_t size, uint64_t crc,
		      struct nacre_error *err)
{
	struct nc_buf *line = &split->line;
	nc_buf_clear(line);
	int code = nc_buf_addf(line, err, "{\"type\":%d", NC_SPLIT_TYPE_FILE);
	if (code == 0)
		code = add_name(line, name, name_len, err);
	if (code == 0 && size == 0) {
		code = nc_buf_add_text(line, ",\"payload\":null", err);
	} else if (code == 0) {
		unsigned char sum[NC_SPLIT_CRC_LEN];
		for (unsigned i = 0; i < NC_SPLIT_CRC_LEN; i++)
			sum[i] = (unsigned char)(crc >> (56 - 8 * i));
		code = nc_buf_addf(line, err, ",\"size\":%" PRIu64 ",\"payload\":\"", size);
		if (code == 0)
			code = add_base64(line, sum, sizeof sum, err);
		if (code == 0)
			code = nc_buf_add_text(line, "\"", err);
	}
	if (code == 0)
		code = add_position(split, err);
	return code < 0 ? code : write_line(split, err);
}

static int write_segment(struct nc_split *split, const char *bytes, size_t len, struct nacre_error *err)
{
	static const char begin[] = "{\"type\":2,\"payload\":\"";
	_Static_assert(NC_SPLIT_TYPE_SEGMENT == 2, "spelled out above");
	int code = nc_writer_write(split->out, begin, sizeof begin - 1, err);
	while (len && code == 0) {
		size_t n = len < ENCODE_STEP ? len : ENCODE_STEP;
		code = nc_writer_write(split->out, split->encoded, nc_base64_encode(bytes, n, split->encoded), err);
		bytes += n;
		len -= n;
	}
	nc_buf_clear(&split->line);
	if (code == 0)
		code = nc_buf_add_text(&split->line, "\"", err);
	if (code == 0)
		code = add_position(split, err);
	return code < 0 ? code : write_line(split, err);
}

/* The real library ends a segment behind the two closing blocks, since they are what its tar reader reads. They can
 * only stand at the beginning of pending, behind padding. Returns the length of that segment, or 0. */
static size_t closing_blocks(const struct nc_split *split)
{
	size_t padding = (size_t)((split->pending.len - split->offset) % NC_TAR_BLOCK);
	size_t len = padding + 2 * NC_TAR_BLOCK;
	bool there = split->fresh && split->pending.len >= len &&
		     nc_tar_block_is_zero((const unsigned char *)split->pending.data + padding, 2 * NC_TAR_BLOCK);
	return there ? len : 0;
}

static int flush_closing(struct nc_split *split, struct nacre_error *err)
{
	struct nc_buf *pending = &split->pending;
	size_t len = closing_blocks(split);
	split->fresh = false;
	if (len == 0)
		return 0;
	int code = write_segment(split, pending->data, len, err);
	pending->len -= len;
	memmove(pending->data, pending->data + len, pending->len);
	return code;
}

static int flush_pending(struct nc_split *split, struct nacre_error *err)
{
	if (split->pending.len == 0)
		return 0;
	int code = write_segment(split, split->pending.data, split->pending.len, err);
	nc_buf_clear(&split->pending);
	return code;
}

static int end_member(struct nc_split *split, struct nacre_error *err)
{
	if (!split->in_member)
		return 0;
	split->in_member = false;
	return write_file(split, nc_buf_text(&split->name), split->name.len, split->size, split->crc, err);
}

int nc_split_framing(struct nc_split *split, const void *bytes, size_t len, struct nacre_error *err)
{
	int code = end_member(split, err);
	const char *at = bytes;
	while (len && code == 0) {
		if (split->pending.len == SEGMENT_MAX) {
			code = flush_closing(split, err);
			if (code == 0 && split->pending.len == SEGMENT_MAX)
				code = flush_pending(split, err);
			if (code < 0)
				break;
		}
		size_t room = SEGMENT_MAX - split->pending.len;
		size_t n = len < room ? len : room;
		code = nc_buf_add(&split->pending, at, n, err);
		split->offset += n;
		at += n;
		len -= n;
	}
	return code;
}

/* A FILE record follows. */
static int begin_file(struct nc_split *split, struct nacre_error *err)
{
	int code = end_member(split, err);
	if (code == 0)
		code = flush_pending(split, err);
	split->fresh = true;
	return code;
}

int nc_split_member(struct nc_split *split, const char *name, size_t name_len, struct nacre_error *err)
{
	int code = begin_file(split, err);
	if (code < 0)
		return code;
	nc_buf_clear(&split->name);
	code = nc_buf_add(&split->name, name, name_len, err);
	if (code < 0)
		return nc_wrap(err, code, "a member's name");
	split->in_member = true;
	split->size = split->crc = 0;
	return 0;
}

int nc_split_content(struct nc_split *split, const void *bytes, size_t len, struct nacre_error *err)
{
	if (!split->in_member)
		return nc_fail(err, NACRE_E_INVALID, 0, "content without a member");
	split->crc = nc_crc64(split->crc, bytes, len);
	split->size += len;
	split->offset += len;
	return 0;
}

int nc_split_file(struct nc_split *split, const char *name, size_t name_len, uint64_t size, uint64_t crc,
		  struct nacre_error *err)
{
	int code = begin_file(split, err);
	split->offset += size;
	return code < 0 ? code : write_file(split, name, name_len, size, crc, err);
}

int nc_split_finish(struct nc_split *split, struct nacre_error *err)
{
	int code = end_member(split, err);
	if (code == 0)
		code = flush_closing(split, err);
	return code < 0 ? code : flush_pending(split, err);
}
