#include "driver/btrfs.h"

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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct work {
	bool marks;
	int dir;		/* the directory of the subvolume that is being filled */
	struct stat *levels;	/* for it and those above: what the layer's directory was before it was emptied */
	size_t depth, cap;
};

static void work_release(struct work *work)
{
	nc_fd_release(&work->dir);
	free(work->levels);
}

static int push(struct work *work, const struct stat *st, struct nacre_error *err)
{
	struct stat *more = nc_grown(work->levels, work->depth, &work->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	work->levels = more;
	work->levels[work->depth++] = *st;
	return 0;
}

/* A directory of both: go into it. */
static int enter(struct work *work, const struct nc_walk_item *item, const struct stat *st, struct nacre_error *err)
{
	int next = openat(work->dir, item->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open directory '%s'", item->path);
	nc_fd_release(&work->dir);
	work->dir = next;
	return push(work, st, err);
}

/* The directory to takes the place in the world that (dir, name), as st says it was, has in the layer. */
static int dress(int to, int dir, const char *name, const struct stat *st, const char *path, struct nacre_error *err)
{
	int code = nc_xattrs_drop(to, path, err);
	return code < 0 ? code : nc_copy_directory(dir, name, st, to, path, err);
}

static int leave(struct work *work, const struct nc_walk_item *item, struct nacre_error *err)
{
	int code = dress(work->dir, item->dir, item->name, &work->levels[--work->depth], item->path, err);
	if (code < 0)
		return code;
	/* nobody else moves directories of the stage */
	int up = openat(work->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (up < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the directory of '%s'", item->path);
	nc_fd_release(&work->dir);
	work->dir = up;
	return 0;
}

/* Put an object of the layer, with all below it, in the place of what the subvolume has there. */
static int move(struct work *work, const struct nc_walk_item *item, struct nacre_error *err)
{
	int code = 0;
	if (item->type == DT_DIR && work->marks)
		code = nc_marks_remove(item->dir, item->name, true, err);
	if (code >= 0)
		code = nc_tree_remove(work->dir, item->name, err);
	if (code >= 0 && renameat(item->dir, item->name, work->dir, item->name) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "move '%s' to its place", item->path);
	return code;
}

static bool is_opaque(const struct nc_walk_item *item)
{
	NC_AUTO_FD int dir = openat(item->dir, item->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir >= 0 && nc_is_opaque(dir, NULL);
}

/* One object of the layer. */
static int visit(struct work *work, struct nc_walk *walk, const struct nc_walk_item *item, struct nacre_error *err)
{
	struct stat ours, theirs;
	if (fstatat(item->dir, item->name, &ours, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", item->path);
	if (nc_is_whiteout(&ours))
		return nc_tree_remove(work->dir, item->name, err);
	if (strcmp(item->name, NC_OPAQUE_FILE) == 0)
		return 0;
	bool taken = fstatat(work->dir, item->name, &theirs, AT_SYMLINK_NOFOLLOW) == 0;
	if (!taken && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", item->path);
	if (!taken || !S_ISDIR(ours.st_mode) || !S_ISDIR(theirs.st_mode) || is_opaque(item))
		return move(work, item, err);
	int code = enter(work, item, &ours, err);
	return code < 0 ? code : nc_walk_enter(walk, err);
}

struct emptying {
	int dir;
	const char *but;
	bool any;
};

static int remove_one(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct emptying *self = ctx;
	if (strcmp(name, self->but) == 0)
		return 0;
	self->any = true;
	return nc_tree_remove(self->dir, name, err);
}

static int empty(int dir, const char *but, struct nacre_error *err)
{
	struct emptying self = { .dir = dir, .but = but };
	int code;
	/* a directory that changes while it is read may not show everything at once */
	do {
		self.any = false;
		code = nc_dir_each(dir, remove_one, &self, err);
	} while (code >= 0 && self.any);
	return code;
}

static int lay_tree(struct work *work, int own, const char *tree, struct nacre_error *err)
{
	NC_CLEANUP(nc_walk_auto) struct nc_walk *walk = NULL;
	int code = nc_walk_new(own, tree, &walk, err);
	struct nc_walk_item item;
	while (code >= 0 && (code = nc_walk_next(walk, &item, err)) > 0)
		code = item.leave ? leave(work, &item, err) : visit(work, walk, &item, err);
	return code;
}

int nc_btrfs_lay(const struct nc_lay *lay, struct nacre_error *err)
{
	NC_CLEANUP(work_release) struct work work = { .dir = -1, .marks = lay->marks };
	NC_AUTO_FD int own = -1;
	struct stat root;
	int code = nc_dir_open(lay->to, lay->own, &own, err);
	if (code >= 0 && fstatat(own, lay->tree, &root, AT_SYMLINK_NOFOLLOW) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "stat the root of the layer");
	if (code >= 0 && lay->alone)
		code = empty(lay->to, lay->own, err);
	if (code < 0)
		return code;
	work.dir = openat(lay->to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (work.dir < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the root of the layer");
	code = lay_tree(&work, own, lay->tree, err);
	if (code >= 0)
		code = dress(lay->to, own, lay->tree, &root, "/", err);
	if (code >= 0)
		code = nc_tree_remove(lay->to, lay->own, err);
	if (code >= 0 && futimens(lay->to, (struct timespec[2]){ root.st_mtim, root.st_mtim }) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "set time of the root of the layer");
	return code;
}
