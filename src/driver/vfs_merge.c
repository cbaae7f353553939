#include "driver/vfs.h"

#include "driver/attr.h"
#include "driver/copy.h"
#include "driver/stack.h"
#include "driver/unpack.h"
#include "driver/walk.h"
#include "io/fd.h"
#include "io/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS "links"

/* A directory of the destination on the way to the current one. */
struct level {
	bool made;			/* a copy: gets its original's metadata when it is complete */
	struct timespec times[2];	/* not a copy: its own, which filling it changes */
};

struct merge {
	int dir;			/* the current directory of the destination */
	int stage, links; /* links: a name for each file with several, by inode number of the original */
	struct level *levels;
	size_t depth, cap;
};

static void merge_release(struct merge *merge)
{
	nc_fd_release(&merge->dir);
	nc_fd_release(&merge->links);
	free(merge->levels);
}

static int push(struct merge *merge, bool made, struct nacre_error *err)
{
	struct stat st;
	if (fstat(merge->dir, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat a directory");
	struct level *more = nc_grown(merge->levels, merge->depth, &merge->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	merge->levels = more;
	merge->levels[merge->depth++] = (struct level){ .made = made, .times = { st.st_atim, st.st_mtim } };
	return 0;
}

static int enter(struct merge *merge, const struct nc_walk_item *item, bool made, struct nacre_error *err)
{
	int next = openat(merge->dir, item->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open directory '%s'", item->path);
	nc_fd_release(&merge->dir);
	merge->dir = next;
	return push(merge, made, err);
}

/* The current directory is complete; go back to the one that holds it. */
static int leave(struct merge *merge, const struct nc_walk_item *item, struct nacre_error *err)
{
	struct level *level = &merge->levels[--merge->depth];
	struct stat st;
	if (level->made) {
		if (fstatat(item->dir, item->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", item->path);
		int code = nc_copy_directory(item->dir, item->name, &st, merge->dir, item->path, err);
		if (code < 0)
			return code;
	} else if (futimens(merge->dir, level->times) < 0) {
		return nc_fail(err, NACRE_E_IO, errno, "set time of '%s'", item->path);
	}
	/* nobody else moves directories of the stage */
	int up = openat(merge->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (up < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the directory of '%s'", item->path);
	nc_fd_release(&merge->dir);
	merge->dir = up;
	return 0;
}

/* Copy what is no directory. Further names of a file that was copied before become links. */
static int copy(struct merge *merge, const struct nc_walk_item *item, const struct stat *st, struct nacre_error *err)
{
	char number[24];
	if (st->st_nlink > 1) {
		snprintf(number, sizeof number, "%" PRIu64, (uint64_t)st->st_ino);
		if (merge->links < 0) {
			int code = nc_dir_ensure(merge->stage, LINKS, &merge->links, err);
			if (code < 0)
				return code;
		}
		if (linkat(merge->links, number, merge->dir, item->name, 0) == 0)
			return 0;
		if (errno != ENOENT && errno != EMLINK)
			return nc_fail(err, NACRE_E_IO, errno, "link '%s'", item->path);
	}
	int code = nc_copy_object(item->dir, item->name, st, merge->dir, item->name, item->path, err);
	if (code < 0 || st->st_nlink <= 1)
		return code;
	if (linkat(merge->dir, item->name, merge->links, number, 0) < 0 && errno != EEXIST && errno != EMLINK)
		return nc_fail(err, NACRE_E_IO, errno, "link '%s'", item->path);
	return 0;
}

/* One object of the parent's tree. */
static int visit(struct merge *merge, struct nc_walk *walk, const struct nc_walk_item *item, struct nacre_error *err)
{
	struct stat theirs, ours;
	if (fstatat(item->dir, item->name, &theirs, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", item->path);
	bool made = fstatat(merge->dir, item->name, &ours, AT_SYMLINK_NOFOLLOW) < 0;
	if (made && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", item->path);
	if (!S_ISDIR(theirs.st_mode))
		return made ? copy(merge, item, &theirs, err) : 0;
	if (!made && !S_ISDIR(ours.st_mode))
		return 0;
	if (made && mkdirat(merge->dir, item->name, 0700) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "create directory '%s'", item->path);
	int code = enter(merge, item, made, err);
	if (code < 0)
		return code;
	struct stat mark;
	if (!made && fstatat(merge->dir, NC_OPAQUE_FILE, &mark, AT_SYMLINK_NOFOLLOW) == 0)
		return leave(merge, item, err);
	return nc_walk_enter(walk, err);
}

int nc_vfs_merge(int from, int to, int stage, bool marks, struct nacre_error *err)
{
	NC_CLEANUP(merge_release) struct merge merge = { .dir = -1, .stage = stage, .links = -1 };
	merge.dir = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (merge.dir < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the root of the layer");
	NC_CLEANUP(nc_walk_auto) struct nc_walk *walk = NULL;
	int code = push(&merge, false, err);
	if (code >= 0)
		code = nc_walk_new(from, "", &walk, err);
	struct nc_walk_item item;
	while (code >= 0 && (code = nc_walk_next(walk, &item, err)) > 0)
		code = item.leave ? leave(&merge, &item, err) : visit(&merge, walk, &item, err);
	if (code >= 0 && futimens(merge.dir, merge.levels[0].times) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "set time of the root of the layer");
	if (code >= 0 && marks)
		code = nc_marks_remove(to, "", true, err);
	if (code >= 0 && merge.links >= 0)
		code = nc_tree_remove(stage, LINKS, err);
	return code;
}
