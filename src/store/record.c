#include "store/record.h"

#include "store/displaced.h"
#include "store/inner.h"
#include "store/replay.h"

#include "io/codec.h"
#include "tar/split.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

struct nc_record {
	int dir;			/* borrowed */
	struct nc_writer *out;
	struct nc_split *split;
	struct nc_displacements *displacements;
	uint64_t members;
	bool by_name;			/* the last one */
};

/* A gzip writer of a new file. */
static int open_file(int dir, const char *name, struct nc_writer **ret, struct nacre_error *err)
{
	struct nc_writer *file = NULL;
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "make '%s'", name);
	int code = nc_writer_fd(fd, true, name, &file, err);
	return code < 0 ? code : nc_writer_gzip_quick(file, ret, err);
}

int nc_record_new(struct nacre_store *store, int dir, struct nc_record **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_record_auto) struct nc_record *record = nc_zalloc(sizeof *record);
	if (!record)
		return nc_nomem(err);
	record->dir = dir;
	int code = nc_displacements_new(store, &record->displacements, err);
	if (code == 0)
		code = open_file(dir, NC_RECORD, &record->out, err);
	if (code == 0)
		code = nc_split_new(record->out, &record->split, err);
	if (code == 0)
		*ret = NC_GIVE(record);
	return code;
}

void nc_record_free(struct nc_record *record)
{
	if (!record)
		return;
	nc_split_free(record->split);
	nc_writer_close(record->out);
	nc_displacements_free(record->displacements);
	free(record);
}

struct nc_displaced nc_record_hook(struct nc_record *record)
{
	return nc_displacements_hook(record->displacements);
}

void nc_record_before(struct nc_record *record)
{
	nc_displacements_at(record->displacements, record->members++);
}

int nc_record_member(struct nc_record *record, const struct nc_entry *entry, bool by_name, struct nacre_error *err)
{
	record->by_name = by_name;
	return nc_split_member(record->split, entry->name, entry->name_len, err);
}

int nc_record_content(struct nc_record *record, const void *bytes, size_t len, struct nacre_error *err)
{
	return record->by_name ? nc_split_content(record->split, bytes, len, err)
			       : nc_split_framing(record->split, bytes, len, err);
}

int nc_record_framing(struct nc_record *record, const void *bytes, size_t len, struct nacre_error *err)
{
	return nc_split_framing(record->split, bytes, len, err);
}

int nc_record_finish(struct nc_record *record, struct nacre_error *err)
{
	int code = nc_split_finish(record->split, err);
	return code < 0 ? code : nc_writer_finish(record->out, err);
}

int nc_record_settle(struct nc_record *record, struct nacre_error *err)
{
	static const char rewritten[] = NC_RECORD ".new";
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	struct nc_reader *before = NULL;
	if (!nc_displacements_any(record->displacements))
		return 0;
	int code = nc_record_open(record->dir, &before, err);
	if (code < 0)
		return code;
	code = open_file(record->dir, rewritten, &out, err);
	if (code < 0)
		nc_reader_close(before);
	else
		code = nc_displacements_rewrite(record->displacements, before, out, err);
	if (code == 0)
		code = nc_writer_finish(out, err);
	if (code == 0 && renameat(record->dir, rewritten, record->dir, NC_RECORD) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "replace the record");
	return code < 0 ? code : 1;
}
