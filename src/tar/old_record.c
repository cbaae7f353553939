#include "tar/old_record.h"

#include "tar/header.h"
#include "tar/split_record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_MAX ((size_t)64 << 20)
/* One zero block and the padding before it. */
#define ZEROS_MAX (2 * NC_TAR_BLOCK)

static size_t padding_of(uint64_t size)
{
	return (size_t)(-size & (NC_TAR_BLOCK - 1));
}

/* --- segments --------------------------------------------------------------------------------------------------- */

static bool header_at(const struct nc_buf *segment, size_t at, struct nc_tar_header *ret)
{
	return at <= segment->len && segment->len - at >= NC_TAR_BLOCK &&
	       nc_tar_header_decode((const unsigned char *)segment->data + at, ret, NULL) == 0;
}

/* Whether pax records say the size themselves. */
static bool says_size(const char *records, size_t len)
{
	static const char key[] = " size=";
	return memmem(records, len, key, sizeof key - 1) != NULL;
}

bool nc_old_segment_fits(const struct nc_buf *segment, size_t padding, const struct nc_split_record *file)
{
	struct nc_tar_header header;
	bool sized = false;
	for (size_t at = padding; header_at(segment, at, &header);) {
		at += NC_TAR_BLOCK;
		if (at == segment->len)
			return !file->size || sized || header.size == file->size;
		if (!header.flag || !strchr("LKxX", header.flag) || header.size > segment->len - at)
			return false;
		sized |= (header.flag | 0x20) == 'x' && says_size(segment->data + at, (size_t)header.size);
		at += (size_t)header.size + padding_of(header.size);
	}
	return false;
}

/* Where the long name lies that belongs before the header at block: [block][padding of what comes before][long header]
 * [its data], with the data's own padding before block. 0: nowhere. */
static size_t find_long(const struct nc_buf *segment, size_t block, size_t padding)
{
	struct nc_tar_header header;
	size_t at = block + NC_TAR_BLOCK + padding;
	if (!header_at(segment, at, &header) || (header.flag != 'L' && header.flag != 'K'))
		return 0;
	bool whole = header.size == segment->len - at - NC_TAR_BLOCK && padding_of(header.size) == block;
	return whole ? at : 0;
}

int nc_old_segment_mend(struct nc_buf *segment, size_t padding, const struct nc_split_record *file,
			struct nacre_error *err)
{
	struct nc_tar_header header;
	for (size_t block = 0; block < NC_TAR_BLOCK; block++) {
		size_t from = header_at(segment, block, &header) ? find_long(segment, block, padding) : 0;
		if (!from)
			continue;
		/* padding, long header, data; its padding, the header of the member */
		NC_AUTO_BUF struct nc_buf mended = NC_BUF_INIT(SEGMENT_MAX);
		size_t front = from - padding;
		int code = nc_buf_add(&mended, segment->data + front, segment->len - front, err);
		if (code == 0)
			code = nc_buf_add(&mended, segment->data, front, err);
		if (code < 0)
			return code;
		if (!nc_old_segment_fits(&mended, padding, file))
			continue;
		memcpy(segment->data, mended.data, mended.len);
		return 1;
	}
	return 0;
}

/* --- putting together ------------------------------------------------------------------------------------------- */

struct old_join {
	struct nc_reader reader;
	struct nc_split_reader *record;
	struct nc_old_files files;
	struct nc_buf held;		/* a segment whose successor is not known yet */
	size_t held_count;		/* segments since the last file */
	struct nc_split_record coming;	/* what was read behind it; lent */
	int coming_kind;		/* 0: nothing */
	struct nc_reader *content;
	uint64_t size, delivered, crc, want_crc;
	size_t padding;			/* after the last content */
	bool ended;
	struct nc_buf lent;		/* the segment that the caller reads */
	struct nacre_error failure;
};

static int begin_content(struct old_join *join, struct nacre_error *err)
{
	const struct nc_split_record *file = &join->coming;
	join->coming_kind = 0;
	join->held_count = 0;
	join->size = file->size;
	join->want_crc = file->crc;
	join->delivered = join->crc = 0;
	join->padding = padding_of(file->size);
	return file->size ? join->files.find(join->files.ctx, file, &join->content, err) : 0;
}

static ssize_t next_content(struct old_join *join, const void **ret, struct nacre_error *err)
{
	ssize_t n = nc_reader_next(join->content, ret, err);
	if (n < 0)
		return n;
	join->crc = nc_crc64(join->crc, *ret, (size_t)n);
	join->delivered += (uint64_t)n;
	if (n > 0 && join->delivered <= join->size)
		return n;
	nc_reader_close(join->content);
	join->content = NULL;
	if (join->delivered == join->size && join->crc == join->want_crc)
		return 0;
	return nc_fail(err, NACRE_E_CORRUPT, 0, "a file changed while it was read");
}

/* The segment before a file ends with its header, or the record lies. */
static int check_held(struct old_join *join, struct nacre_error *err)
{
	const struct nc_split_record *file = &join->coming;
	if (join->held_count > 1 || nc_old_segment_fits(&join->held, join->padding, file))
		return 0;
	int mended = join->held_count ? nc_old_segment_mend(&join->held, join->padding, file, err) : 0;
	if (mended < 0)
		return mended;
	return mended ? 0 : nc_fail(err, NACRE_E_CORRUPT, 0, "the record of '%.200s' does not fit its tar header",
				    file->name);
}

/* What is held goes out; what came behind it waits. The buffer that is lent lives on meanwhile. */
static ssize_t give_held(struct old_join *join, const void **ret)
{
	struct nc_buf empty = join->lent;
	join->lent = join->held;
	join->held = empty;
	nc_buf_clear(&join->held);
	*ret = join->lent.data;
	return (ssize_t)join->lent.len;
}

/* The end: when nothing at all follows the last content, the archive's end was lost. */
static ssize_t end(struct old_join *join, const void **ret, struct nacre_error *err)
{
	static const char zeros[ZEROS_MAX];
	size_t count = 0;
	if (join->ended)
		return 0;
	join->ended = true;
	int code = join->held_count ? 0 : join->files.end(join->files.ctx, join->padding, &count, err);
	if (code < 0)
		return code;
	*ret = zeros;
	return (ssize_t)(count < ZEROS_MAX ? count : ZEROS_MAX);
}

static ssize_t next(struct old_join *join, const void **ret, struct nacre_error *err)
{
	for (;;) {
		if (join->content) {
			ssize_t n = next_content(join, ret, err);
			if (n != 0)
				return n;
		}
		if (join->coming_kind == NC_SPLIT_FILE) {
			int code = begin_content(join, err);
			if (code < 0)
				return code;
			continue;
		}
		if (join->coming_kind == NC_SPLIT_SEGMENT) {
			int code = nc_buf_add(&join->held, join->coming.bytes, join->coming.len, err);
			join->coming_kind = 0;
			join->held_count++;
			if (code < 0)
				return code;
		}
		join->coming_kind = nc_split_reader_next(join->record, &join->coming, err);
		if (join->coming_kind < 0)
			return join->coming_kind;
		int code = join->coming_kind == NC_SPLIT_FILE ? check_held(join, err) : 0;
		if (code < 0)
			return code;
		if (join->held.len)
			return give_held(join, ret);
		if (join->coming_kind == NC_SPLIT_END)
			return end(join, ret, err);
	}
}

static ssize_t old_join_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct old_join *join = (struct old_join *)reader;
	if (!join->failure.code) {
		/* one of its own: what succeeds in the end may have failed in between */
		struct nacre_error why = { 0 };
		ssize_t n = next(join, ret, &why);
		if (n > 0)
			join->files.pass(join->files.ctx, *ret, (size_t)n);
		if (n >= 0)
			return n;
		join->failure = why;
		join->failure.code = (int)n;
	}
	if (err)
		*err = join->failure;
	return join->failure.code;
}

static void old_join_close(struct nc_reader *reader)
{
	struct old_join *join = (struct old_join *)reader;
	nc_reader_close(join->content);
	nc_split_reader_free(join->record);
	nc_buf_release(&join->held);
	nc_buf_release(&join->lent);
	free(join);
}

int nc_old_join(struct nc_reader *record, const struct nc_old_files *files, struct nc_reader **ret,
		struct nacre_error *err)
{
	static const struct nc_reader_ops ops = { .next = old_join_next, .close = old_join_close };
	struct nc_split_reader *reader;
	int code = nc_split_reader_new(record, &reader, err);
	if (code < 0)
		return code;
	struct old_join *join = nc_zalloc(sizeof *join);
	if (!join) {
		nc_split_reader_free(reader);
		return nc_nomem(err);
	}
	join->reader.ops = &ops;
	join->record = reader;
	join->files = *files;
	join->held = join->lent = (struct nc_buf)NC_BUF_INIT(SEGMENT_MAX);
	*ret = &join->reader;
	return 0;
}
