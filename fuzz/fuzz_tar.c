/* The tar reader: whatever comes, every byte is given out once and in order, and what was taken apart into a record
 * is put together again. The first byte chooses how the input is cut. */
#include "base/buf.h"
#include "io/reader.h"
#include "io/writer.h"
#include "tar/reader.h"
#include "tar/split.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct pieces {
	struct nc_reader reader;
	const uint8_t *bytes;
	size_t len, piece;
};

static ssize_t next_piece(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct pieces *self = (struct pieces *)reader;
	size_t n = self->len < self->piece ? self->len : self->piece;
	*ret = self->bytes;
	self->bytes += n;
	self->len -= n;
	return (ssize_t)n;
}

static void close_pieces(struct nc_reader *reader)
{
}

static const struct nc_reader_ops ops = { .next = next_piece, .close = close_pieces };

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_entry(const struct nc_entry *entry)
{
	must(strlen(entry->name) == entry->name_len && strlen(entry->link) == entry->link_len);
	must(entry->name_len <= NC_TAR_NAME_MAX && entry->link_len <= NC_TAR_NAME_MAX);
	must(entry->uid <= NC_ENTRY_OWNER_MAX && entry->gid <= NC_ENTRY_OWNER_MAX && entry->mode <= 07777);
	must(entry->mtime.nsec < 1000000000 && entry->size <= INT64_MAX);
	must(entry->type == NC_ENTRY_FILE || (entry->size == 0 && !entry->sparse));
	must(entry->sparse || entry->size == entry->stored);
	for (size_t i = 1; i < entry->xattr_count; i++)
		must(strcmp(entry->xattrs[i - 1].name, entry->xattrs[i].name) < 0);
}

/* Everything goes into segments. Returns how reading ended. */
static int take_apart(const uint8_t *bytes, size_t len, size_t piece, struct nc_writer *out)
{
	NC_CLEANUP(nc_tar_auto) struct nc_tar *tar = NULL;
	NC_CLEANUP(nc_split_auto) struct nc_split *split = NULL;
	struct pieces pieces = { .reader = { &ops }, .bytes = bytes, .len = len, .piece = piece };
	must(nc_tar_new(&pieces.reader, &tar, NULL) == 0 && nc_split_new(out, &split, NULL) == 0);
	struct nc_tar_item item;
	uint64_t at = 0, end = 0;
	int event;
	while ((event = nc_tar_next(tar, &item, NULL)) > 0) {
		if (event == NC_TAR_ENTRY) {
			check_entry(item.entry);
			must(nc_split_member(split, item.entry->name, item.entry->name_len, NULL) == 0);
			end = 0;
			continue;
		}
		must(item.len > 0 && item.len <= len - at && memcmp(bytes + at, item.bytes, item.len) == 0);
		must(event != NC_TAR_DATA || item.at >= end);
		end = item.at + item.len;
		at += item.len;
		must(nc_tar_offset(tar) == at && nc_split_framing(split, item.bytes, item.len, NULL) == 0);
	}
	must(event < 0 || at == len);
	must(nc_split_finish(split, NULL) == 0);
	return event;
}

static int no_files(void *ctx, const char *name, size_t len, struct nc_reader **ret, uint64_t *ret_size,
		    struct nacre_error *err)
{
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return 0;
	size_t piece = bytes[0] ? bytes[0] * 5u : SIZE_MAX;
	bytes++;
	len--;
	NC_AUTO_BUF struct nc_buf record = NC_BUF_INIT(SIZE_MAX / 2);
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	must(nc_writer_buf(&record, &out, NULL) == 0);
	if (take_apart(bytes, len, piece, out) < 0)
		return 0;
	struct pieces pieces = { .reader = { &ops }, .bytes = (const uint8_t *)nc_buf_text(&record),
				 .len = record.len, .piece = piece };
	const struct nc_join_files files = { .open = no_files };
	NC_CLEANUP(nc_reader_auto) struct nc_reader *joined = NULL;
	must(nc_join(&pieces.reader, &files, &joined, NULL) == 0);
	const void *again;
	ssize_t n;
	size_t at = 0;
	while ((n = nc_reader_next(joined, &again, NULL)) > 0) {
		must((size_t)n <= len - at && memcmp(bytes + at, again, (size_t)n) == 0);
		at += (size_t)n;
	}
	must(n == 0 && at == len);
	return 0;
}
