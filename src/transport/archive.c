#include "transport/archive.h"

#include "base/buf.h"
#include "base/map.h"
#include "io/codec.h"
#include "io/failure.h"
#include "io/fd.h"
#include "io/path.h"
#include "tar/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40
/* Headers are read in pieces of this size. */
#define SCAN_BLOCK 4096

struct nc_archive {
	int fd;
	char *label;
	struct nc_map *index;
	struct nc_member **members;
	size_t count, room, name_bytes;
};

/* --- a reader that skips ---------------------------------------------------------------------------------------- */

/* Gives the bytes of a file, but zeros for those that nobody looks at: the tar reader passes over the content of
 * members without its being read. */
struct scan_reader {
	struct nc_reader base;
	int fd;
	uint64_t at, end, skip_to;
	const char *label;
	struct nacre_error failure;
	char block[SCAN_BLOCK];
};

static const char zeros[65536];

static ssize_t scan_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct scan_reader *self = (struct scan_reader *)reader;
	if (self->failure.code)
		return nc_failure_tell(&self->failure, self->failure.code, err);
	bool skip = self->at < self->skip_to;
	uint64_t left = (skip && self->skip_to < self->end ? self->skip_to : self->end) - self->at;
	size_t most = skip ? sizeof zeros : sizeof self->block;
	size_t len = left < most ? (size_t)left : most;
	*ret = skip ? zeros : self->block;
	if (len && !skip) {
		ssize_t n = nc_pread_full(self->fd, self->block, len, self->at);
		int code = 0;
		if (n < 0)
			code = nc_fail(&self->failure, NACRE_E_IO, errno, "read '%s'", self->label);
		else if ((size_t)n < len)
			code = nc_fail(&self->failure, NACRE_E_BADDATA, 0, "'%s' became shorter meanwhile",
				       self->label);
		if (code < 0)
			return nc_failure_tell(&self->failure, code, err);
	}
	self->at += len;
	return (ssize_t)len;
}

static void scan_close(struct nc_reader *reader)
{
	free(reader);
}

static const struct nc_reader_ops scan_ops = { .next = scan_next, .close = scan_close };

static struct scan_reader *scan_new(int fd, uint64_t from, uint64_t end, const char *label)
{
	struct scan_reader *scan = nc_zalloc(sizeof *scan);
	if (!scan)
		return NULL;
	scan->base.ops = &scan_ops;
	scan->fd = fd;
	scan->at = from;
	scan->end = end;
	scan->label = label;
	return scan;
}

/* --- indexing --------------------------------------------------------------------------------------------------- */

static void member_free(struct nc_member *member)
{
	if (!member)
		return;
	free(member->name);
	free(member->link);
	free(member);
}
NC_DEFINE_CLEANUP(member_auto, struct nc_member *, member_free)

static int keep_member(struct nc_archive *archive, struct nc_member *member, struct nacre_error *err)
{
	size_t len = strlen(member->name);
	archive->name_bytes += len + strlen(member->link);
	if (archive->count == NC_ARCHIVE_MEMBERS_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %u members", NC_ARCHIVE_MEMBERS_MAX);
	if (archive->name_bytes > NC_ARCHIVE_NAMES_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %zu bytes of member names", NC_ARCHIVE_NAMES_MAX);
	struct nc_member **members = nc_grown(archive->members, archive->count, &archive->room, sizeof *members);
	if (!members)
		return nc_nomem(err);
	archive->members = members;
	void *old = NULL;
	int code = nc_map_set(archive->index, member->name, len, member, &old, err);
	if (code < 0)
		return code;
	member->again = old != NULL;
	archive->members[archive->count++] = member;
	return 1;
}

static int add_member(struct nc_archive *archive, const struct nc_tar_item *item, uint64_t offset,
		      struct nacre_error *err)
{
	const struct nc_entry *entry = item->entry;
	if (entry->type == NC_ENTRY_META)
		return 0;
	NC_CLEANUP(member_auto) struct nc_member *member = nc_zalloc(sizeof *member);
	if (!member)
		return nc_nomem(err);
	member->name = nc_alloc(entry->name_len + 1);
	member->link = nc_memdup(entry->link, entry->link_len);
	if (!member->name || !member->link)
		return nc_nomem(err);
	int code = nc_path_clean(entry->name, entry->name_len, member->name, NULL, err);
	if (code < 0)
		return code;
	if (!*member->name)
		return 0;
	member->type = entry->type;
	member->in_place = item->in_place;
	member->offset = offset;
	member->size = entry->size;
	code = keep_member(archive, member, err);
	if (code > 0)
		member = NULL;
	return code;
}

/* scan (may be NULL) is told what need not be read. */
static int index_members(struct nc_archive *archive, struct nc_reader *reader, struct scan_reader *scan,
			 struct nacre_error *err)
{
	NC_CLEANUP(nc_tar_auto) struct nc_tar *tar = NULL;
	int code = nc_tar_new(reader, &tar, err);
	if (code < 0)
		return code;
	uint64_t from = scan ? scan->at : 0;
	struct nc_tar_item item;
	while ((code = nc_tar_next(tar, &item, err)) > 0) {
		if (code != NC_TAR_ENTRY)
			continue;
		uint64_t content = from + nc_tar_offset(tar);
		code = add_member(archive, &item, content, err);
		if (code < 0)
			return code;
		if (scan)
			scan->skip_to = content + item.entry->stored;
	}
	return code;
}

static int index_file(struct nc_archive *archive, uint64_t from, uint64_t end, struct nacre_error *err)
{
	struct scan_reader *scan = scan_new(archive->fd, from, end, archive->label);
	if (!scan)
		return nc_nomem(err);
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = &scan->base;
	return index_members(archive, reader, scan, err);
}

/* The stream goes plain into a spool file, which then stands for the archive. */
static int index_stream(struct nc_archive *archive, const struct nc_spool *spool,
			const struct nacre_progress *progress, struct nacre_error *err)
{
	int file NC_AUTO_FD = -1;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *writer = NULL;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	int code = nc_spool_file(spool, &file, err);
	if (code >= 0)
		code = nc_writer_fd(file, false, "temporary file", &writer, err);
	if (code >= 0)
		code = nc_reader_fd_watched(archive->fd, false, archive->label, progress ? progress->cancel : NULL,
					    &reader, err);
	if (code >= 0)
		code = nc_reader_progress(NC_GIVE(reader), progress, archive->label, "reading", 0, &reader, err);
	if (code >= 0)
		code = nc_reader_decoded(NC_GIVE(reader), NULL, &reader, err);
	if (code >= 0)
		code = nc_reader_tee(NC_GIVE(reader), writer, &reader, err);
	if (code >= 0)
		code = index_members(archive, reader, NULL, err);
	if (code >= 0)
		code = nc_writer_finish(writer, err);
	if (code < 0)
		return code;
	nc_fd_release(&archive->fd);
	archive->fd = nc_fd_give(&file);
	return 0;
}

static int index_archive(struct nc_archive *archive, const struct nc_spool *spool,
			 const struct nacre_progress *progress, struct nacre_error *err)
{
	struct stat st;
	if (fstat(archive->fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "look at it");
	if (S_ISDIR(st.st_mode))
		return nc_fail(err, NACRE_E_BADDATA, 0, "it is a directory, not an archive");
	off_t from = S_ISREG(st.st_mode) ? lseek(archive->fd, 0, SEEK_CUR) : -1;
	if (from < 0)
		return index_stream(archive, spool, progress, err);
	char peek[NC_CODEC_PEEK];
	ssize_t n = nc_pread_full(archive->fd, peek, sizeof peek, (uint64_t)from);
	if (n < 0)
		return nc_fail(err, NACRE_E_IO, errno, "read it");
	if (nc_codec_of(peek, (size_t)n) != NC_PLAIN)
		return index_stream(archive, spool, progress, err);
	return index_file(archive, (uint64_t)from, (uint64_t)st.st_size, err);
}

int nc_archive_open(int fd, const char *label, const struct nc_spool *spool, const struct nacre_progress *progress,
		    struct nc_archive **ret, struct nacre_error *err)
{
	int taken NC_AUTO_FD = fd;
	NC_CLEANUP(nc_archive_auto) struct nc_archive *archive = nc_zalloc(sizeof *archive);
	if (!archive)
		return nc_nomem(err);
	archive->fd = nc_fd_give(&taken);
	archive->label = nc_strdup(label);
	archive->index = nc_map_new();
	if (!archive->label || !archive->index)
		return nc_nomem(err);
	int code = index_archive(archive, spool, progress, err);
	if (code < 0)
		return nc_wrap(err, code, "'%s'", label);
	*ret = NC_GIVE(archive);
	return 0;
}

void nc_archive_free(struct nc_archive *archive)
{
	if (!archive)
		return;
	for (size_t i = 0; i < archive->count; i++)
		member_free(archive->members[i]);
	free(archive->members);
	nc_map_free(archive->index);
	nc_fd_release(&archive->fd);
	free(archive->label);
	free(archive);
}

/* --- looking up ------------------------------------------------------------------------------------------------- */

size_t nc_archive_count(const struct nc_archive *archive)
{
	return archive->count;
}

const struct nc_member *nc_archive_at(const struct nc_archive *archive, size_t i)
{
	return archive->members[i];
}

static const struct nc_member *member_of(const struct nc_archive *archive, const char *name, size_t len)
{
	return nc_map_get(archive->index, name, len);
}

bool nc_archive_has(const struct nc_archive *archive, const char *name)
{
	return member_of(archive, name, strlen(name)) != NULL;
}

/* The first link on the way along a clean path, and where its part of the path ends; NULL when there is none. */
static const struct nc_member *first_link(const struct nc_archive *archive, const char *path, size_t *ret_len)
{
	for (size_t len = strcspn(path, "/");; len += 1 + strcspn(path + len + 1, "/")) {
		const struct nc_member *member = member_of(archive, path, len);
		bool last = !path[len];
		if (member && (member->type == NC_ENTRY_SYMLINK || (member->type == NC_ENTRY_LINK && last))) {
			*ret_len = len;
			return member;
		}
		if (last)
			return NULL;
	}
}

/* Puts what link means in the place of the first len bytes of *path. */
static int follow(const struct nc_member *link, char **path, size_t len, struct nacre_error *err)
{
	const char *slash = strrchr(link->name, '/');
	size_t dir =
		link->type == NC_ENTRY_SYMLINK && link->link[0] != '/' && slash ? (size_t)(slash - link->name) : 0;
	NC_AUTO_BUF struct nc_buf joined = NC_BUF_INIT(4 * NC_TAR_NAME_MAX);
	int code = nc_buf_add(&joined, link->name, dir, err);
	if (code >= 0)
		code = nc_buf_addf(&joined, err, "/%s%s", link->link, *path + len);
	if (code < 0)
		return code;
	char *clean = nc_alloc(joined.len + 1);
	if (!clean)
		return nc_nomem(err);
	free(*path);
	*path = clean;
	code = nc_path_clean(joined.data, joined.len, clean, NULL, err);
	return code < 0 ? nc_wrap(err, code, "link '%s'", link->name) : 0;
}

int nc_archive_find(const struct nc_archive *archive, const char *name, const struct nc_member **ret,
		    struct nacre_error *err)
{
	NC_AUTO_FREE char *path = nc_alloc(strlen(name) + 1);
	if (!path)
		return nc_nomem(err);
	int code = nc_path_clean(name, strlen(name), path, NULL, err);
	if (code < 0)
		return code;
	const struct nc_member *link;
	size_t len;
	for (int links = 0; (link = first_link(archive, path, &len)); links++) {
		if (links == LINKS_MAX)
			return nc_fail(err, NACRE_E_BADDATA, 0, "member '%s' is behind too many links", name);
		code = follow(link, &path, len, err);
		if (code < 0)
			return code;
	}
	const struct nc_member *member = member_of(archive, path, strlen(path));
	if (!member && strcmp(path, name))
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no member '%s', which '%s' leads to", path, name);
	if (!member)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no member '%s'", name);
	if (member->type != NC_ENTRY_FILE)
		return nc_fail(err, NACRE_E_BADDATA, 0, "member '%s' is no regular file", name);
	*ret = member;
	return 0;
}

int nc_archive_content(const struct nc_archive *archive, const struct nc_member *member, struct nc_reader **ret,
		       struct nacre_error *err)
{
	if (!member->in_place)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "member '%s' is stored sparse", member->name);
	return nc_reader_file_range(archive->fd, member->offset, member->size, archive->label, ret, err);
}

int nc_archive_document(const struct nc_archive *archive, const char *name, size_t max, char **ret, size_t *ret_len,
			struct nacre_error *err)
{
	const struct nc_member *member;
	int code = nc_archive_find(archive, name, &member, err);
	if (code < 0)
		return code;
	if (member->again)
		return nc_fail(err, NACRE_E_BADDATA, 0, "member '%s' comes twice", name);
	if (member->size > max)
		return nc_fail(err, NACRE_E_LIMIT, 0, "member '%s' is %llu bytes, more than %zu", name,
			       (unsigned long long)member->size, max);
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	code = nc_archive_content(archive, member, &reader, err);
	return code < 0 ? code : nc_reader_slurp(reader, max, ret, ret_len, err);
}
