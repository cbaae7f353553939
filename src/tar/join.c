#include "tar/split_record.h"

#include <inttypes.h>
#include <stdlib.h>

struct join {
	struct nc_reader reader;
	struct nc_split_reader *record;
	struct nc_join_files files;
	struct nc_split_record file;	/* the one that is being delivered */
	struct nc_reader *content;	/* of it; NULL: none */
	uint64_t delivered, crc;
	struct nacre_error failure;
};

static int open_content(struct join *join, struct nacre_error *err)
{
	const struct nc_split_record *file = &join->file;
	uint64_t size = 0;
	int code = join->files.open(join->files.ctx, file->name, file->name_len, &join->content, &size, err);
	if (code < 0)
		return code;
	if (size != file->size)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'%.200s' has %" PRIu64 " bytes instead of %" PRIu64,
			       file->name, size, file->size);
	join->delivered = join->crc = 0;
	return 0;
}

static int end_of_content(struct join *join, struct nacre_error *err)
{
	const struct nc_split_record *file = &join->file;
	nc_reader_close(join->content);
	join->content = NULL;
	if (join->delivered != file->size)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'%.200s' ended after %" PRIu64 " of %" PRIu64 " bytes",
			       file->name, join->delivered, file->size);
	if (join->crc != file->crc)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'%.200s' has other content than it had (its CRC-64 differs)",
			       file->name);
	return 0;
}

static ssize_t next_content(struct join *join, const void **ret, struct nacre_error *err)
{
	ssize_t n = nc_reader_next(join->content, ret, err);
	if (n < 0)
		return n;
	if (n == 0)
		return end_of_content(join, err);
	if ((uint64_t)n > join->file.size - join->delivered)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'%.200s' grew beyond %" PRIu64 " bytes", join->file.name,
			       join->file.size);
	join->crc = nc_crc64(join->crc, *ret, (size_t)n);
	join->delivered += (uint64_t)n;
	return n;
}

/* Bytes, or 0 at the end of the record. */
static ssize_t next(struct join *join, const void **ret, struct nacre_error *err)
{
	for (;;) {
		if (join->content) {
			ssize_t n = next_content(join, ret, err);
			if (n != 0)
				return n;
		}
		struct nc_split_record record;
		int kind = nc_split_reader_next(join->record, &record, err);
		if (kind <= 0)
			return kind;
		if (kind == NC_SPLIT_SEGMENT) {
			*ret = record.bytes;
			return (ssize_t)record.len;
		}
		join->file = record;
		int code = record.size ? open_content(join, err) : 0;
		if (code < 0)
			return code;
	}
}

static ssize_t join_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct join *join = (struct join *)reader;
	if (!join->failure.code) {
		/* one of its own: what succeeds in the end may have failed in between */
		struct nacre_error why = { 0 };
		ssize_t n = next(join, ret, &why);
		if (n >= 0)
			return n;
		join->failure = why;
		join->failure.code = (int)n;
	}
	if (err)
		*err = join->failure;
	return join->failure.code;
}

static void join_close(struct nc_reader *reader)
{
	struct join *join = (struct join *)reader;
	nc_reader_close(join->content);
	nc_split_reader_free(join->record);
	free(join);
}

int nc_join(struct nc_reader *record, const struct nc_join_files *files, struct nc_reader **ret,
	    struct nacre_error *err)
{
	static const struct nc_reader_ops ops = { .next = join_next, .close = join_close };
	struct nc_split_reader *reader;
	int code = nc_split_reader_new(record, &reader, err);
	if (code < 0)
		return code;
	struct join *join = nc_zalloc(sizeof *join);
	if (!join) {
		nc_split_reader_free(reader);
		return nc_nomem(err);
	}
	join->reader.ops = &ops;
	join->record = reader;
	join->files = *files;
	*ret = &join->reader;
	return 0;
}
