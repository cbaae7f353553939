#include "driver/unpack_private.h"

#include "driver/walk.h"
#include "io/fd.h"
#include "io/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Bytes of names of members that left no object. Beyond it repetitions go unreported, which costs the record of
 * such an archive its likeness to the reference, not its truth. */
#define SEEN_MAX (4u << 20)

static const char kinds[] = { NC_NAME_NONE, NC_NAME_ANON, NC_NAME_EMPTY };

int nc_unpack_note(struct nc_unpack *unpack, const char *path, size_t len, enum nc_name_kind kind, bool soft,
		   struct nacre_error *err)
{
	if (unpack->names_bytes + len > NC_UNPACK_NAMES_MAX)
		return soft ? 0
			    : nc_fail(err, NACRE_E_LIMIT, 0,
				      "the layer has too many members that went through links, are sparse or were "
				      "implied");
	void *old = NULL;
	int code = nc_map_set(unpack->names, path, len, (void *)(uintptr_t)&kinds[kind], &old, err);
	if (code >= 0 && !old)
		unpack->names_bytes += len;
	return code;
}

enum nc_name_kind nc_unpack_take(struct nc_unpack *unpack, const char *path, size_t len)
{
	if (!unpack->names_bytes)
		return NC_NAME_NONE;
	const char *kind = nc_map_take(unpack->names, path, len);
	if (!kind)
		return NC_NAME_NONE;
	unpack->names_bytes -= len;
	return (enum nc_name_kind)*kind;
}

int nc_unpack_report_empty(struct nc_unpack *unpack, const char *path, struct nacre_error *err)
{
	if (!unpack->displaced.fn)
		return 0;
	return unpack->displaced.fn(unpack->displaced.ctx, path, NULL, 0, err);
}

int nc_unpack_again(struct nc_unpack *unpack, const char *name, struct nacre_error *err)
{
	size_t len = strlen(name);
	if (nc_map_get(unpack->seen, name, len))
		return nc_unpack_report_empty(unpack, name, err);
	if (unpack->seen_bytes + len > SEEN_MAX)
		return 0;
	unpack->seen_bytes += len;
	return nc_map_set(unpack->seen, name, len, unpack, NULL, err);
}

static int report_content(struct nc_unpack *unpack, int dir, const char *name, const char *path, uint64_t size,
			  struct nacre_error *err)
{
	NC_AUTO_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '%s'", path);
	NC_CLEANUP(nc_reader_auto) struct nc_reader *content = NULL;
	int code = nc_reader_file_range(fd, 0, size, path, &content, err);
	if (code < 0)
		return code;
	return unpack->displaced.fn(unpack->displaced.ctx, path, content, size, err);
}

int nc_unpack_report(struct nc_unpack *unpack, int dir, const char *name, const char *path, const struct stat *st,
		     struct nacre_error *err)
{
	enum nc_name_kind kind = nc_unpack_take(unpack, path, strlen(path));
	if (kind == NC_NAME_ANON || !unpack->displaced.fn)
		return 0;
	if (kind == NC_NAME_EMPTY || !S_ISREG(st->st_mode) || st->st_size == 0)
		return nc_unpack_report_empty(unpack, path, err);
	return report_content(unpack, dir, name, path, (uint64_t)st->st_size, err);
}

/* What must happen before one object goes. */
static int give_way(struct nc_unpack *unpack, int dir, const char *name, const char *path, const struct stat *st,
		    struct nacre_error *err)
{
	if (S_ISREG(st->st_mode) && st->st_nlink == 1)
		unpack->size -= (uint64_t)st->st_size;
	return nc_unpack_report(unpack, dir, name, path, st, err);
}

static bool is_mark(const struct stat *st, const char *name)
{
	return nc_is_whiteout(st) || strncmp(name, ".wh.", 4) == 0;
}

static int give_way_below(struct nc_unpack *unpack, const char *path, struct nacre_error *err)
{
	NC_CLEANUP(nc_walk_auto) struct nc_walk *walk = NULL;
	int code = nc_walk_new(unpack->root, path, &walk, err);
	if (code < 0)
		return code;
	NC_AUTO_BUF struct nc_buf full = NC_BUF_INIT(1u << 20);
	struct nc_walk_item item;
	while ((code = nc_walk_next(walk, &item, err)) > 0) {
		if (item.leave)
			continue;
		struct stat st;
		if (fstatat(item.dir, item.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", item.path);
		if (is_mark(&st, item.name))
			continue;
		nc_buf_clear(&full);
		code = nc_buf_addf(&full, err, "%s/%s", path, item.path);
		if (code >= 0)
			code = give_way(unpack, item.dir, item.name, full.data, &st, err);
		/* further names of the same file give way one by one, so the last of them is counted here */
		if (code >= 0 && S_ISREG(st.st_mode) && st.st_nlink > 1) {
			if (unlinkat(item.dir, item.name, 0) < 0)
				code = nc_fail(err, NACRE_E_IO, errno, "remove '%s'", full.data);
		}
		if (code >= 0 && S_ISDIR(st.st_mode))
			code = nc_walk_enter(walk, err);
		if (code < 0)
			return code;
	}
	return code;
}

int nc_unpack_remove(struct nc_unpack *unpack, int dir, const char *name, const char *path, const struct stat *st,
		     struct nacre_error *err)
{
	if (nc_is_whiteout(st)) {
		if (unlinkat(dir, name, 0) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "remove whiteout of '%s'", path);
		return 0;
	}
	int code = give_way(unpack, dir, name, path, st, err);
	if (code < 0)
		return code;
	if (S_ISDIR(st->st_mode)) {
		code = give_way_below(unpack, path, err);
		return code < 0 ? code : nc_tree_remove(dir, name, err);
	}
	if (unlinkat(dir, name, 0) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "remove '%s'", path);
	return 0;
}

static int remove_mark(const struct nc_walk_item *item, bool opaque_too, struct nacre_error *err)
{
	struct stat st, up;
	bool file = opaque_too && item->type == DT_REG && strcmp(item->name, NC_OPAQUE_FILE) == 0;
	if (item->type != DT_CHR && !file)
		return 0;
	if (fstatat(item->dir, item->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || fstat(item->dir, &up) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", item->path);
	if (!file && !nc_is_whiteout(&st))
		return 0;
	if (unlinkat(item->dir, item->name, 0) < 0 ||
	    futimens(item->dir, (struct timespec[2]){ up.st_atim, up.st_mtim }) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "remove the mark '%s'", item->path);
	return 0;
}

int nc_marks_remove(int root, const char *path, bool opaque_too, struct nacre_error *err)
{
	NC_CLEANUP(nc_walk_auto) struct nc_walk *walk = NULL;
	int code = nc_walk_new(root, path, &walk, err);
	struct nc_walk_item item;
	while (code >= 0 && (code = nc_walk_next(walk, &item, err)) > 0) {
		if (item.leave)
			continue;
		code = item.type == DT_DIR ? nc_walk_enter(walk, err) : remove_mark(&item, opaque_too, err);
	}
	return code;
}
