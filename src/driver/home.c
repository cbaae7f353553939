#include "driver/drivers.h"

#include "driver/walk.h"
#include "io/fd.h"
#include "io/path.h"
#include "io/subvolume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A container of 2015 lies among the trees; unlike them it has a second one beside it. */
static int is_container(int home, const char *id, struct nacre_error *err)
{
	char init[NC_HEX_ID + 5];
	struct stat st;
	snprintf(init, sizeof init, "%.64s-init", id);
	if (fstatat(home, init, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "stat '%s'", init);
}

struct each {
	int home;
	int (*fn)(void *ctx, const char *id, struct nacre_error *err);
	void *ctx;
};

static int each_tree(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct each *each = ctx;
	if (!nc_is_tree_id(name))
		return 0;
	int code = is_container(each->home, name, err);
	return code == 0 ? each->fn(each->ctx, name, err) : code < 0 ? code : 0;
}

int nc_home_each(int home, int (*fn)(void *ctx, const char *id, struct nacre_error *err), void *ctx,
		 struct nacre_error *err)
{
	struct each each = { .home = home, .fn = fn, .ctx = ctx };
	return nc_dir_each(home, each_tree, &each, err);
}

int nc_home_has(int home, const char *id, struct nacre_error *err)
{
	struct stat st;
	if (fstatat(home, id, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		int code = S_ISDIR(st.st_mode) ? is_container(home, id, err) : 1;
		return code < 0 ? code : !code;
	}
	return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "stat the tree of layer %s", id);
}

int nc_home_adopt(int home, const char *id, int stage, const char *name, struct nacre_error *err)
{
	if (renameat2(stage, name, home, id, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EEXIST)
		return nc_fail(err, NACRE_E_IO, errno, "move the tree of layer %s to its place", id);
	int code = nc_home_remove(home, id, stage, err);
	if (code < 0)
		return code;
	if (renameat2(stage, name, home, id, RENAME_NOREPLACE) < 0)
		return nc_fail(err, errno == EEXIST ? NACRE_E_EXISTS : NACRE_E_IO, errno,
			       "move the tree of layer %s to its place", id);
	return 0;
}

int nc_home_remove(int home, const char *id, int trash, struct nacre_error *err)
{
	int code = is_container(home, id, err);
	if (code != 0)
		return code < 0 ? code : 0;
	code = nc_tree_remove(trash, id, err);
	if (code < 0)
		return code;
	int moved = renameat(home, id, trash, id);
	/* somebody made the subvolume read-only */
	if (moved < 0 && errno == EROFS && nc_subvolume_unlock(home, id) == 0)
		moved = renameat(home, id, trash, id);
	if (moved < 0)
		return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "remove the tree of layer %s", id);
	return nc_tree_remove(trash, id, err);
}

int nc_home_exchange(int home, const char *from, const char *id, struct nacre_error *err)
{
	if (renameat2(home, from, home, id, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno == ENOENT && renameat2(home, from, home, id, RENAME_NOREPLACE) == 0)
		return 0;
	return nc_fail(err, NACRE_E_IO, errno, "exchange the tree of layer %s", id);
}

int nc_home_content(int home, const char *tree, const char *name, size_t name_len, struct nc_reader **ret,
		    uint64_t *ret_size, struct nacre_error *err)
{
	NC_AUTO_FREE char *clean = nc_alloc(name_len + 1);
	if (!clean)
		return nc_nomem(err);
	int code = nc_path_clean(name, name_len, clean, NULL, err);
	if (code < 0)
		return code;
	NC_AUTO_FD int dir = nc_path_open(home, tree, O_PATH | O_DIRECTORY, NC_PATH_NO_SYMLINKS);
	if (dir < 0)
		return nc_fail(err, dir == -ENOENT ? NACRE_E_CORRUPT : NACRE_E_IO, -dir, "open the tree '%s'", tree);
	NC_AUTO_FD int fd = nc_below_open(dir, clean, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -ENXIO)
		return nc_fail(err, NACRE_E_CORRUPT, -fd, "'%s' of the layer", clean);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, -fd, "open '%s' of the layer", clean);
	struct stat st;
	if (fstat(fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat '%s' of the layer", clean);
	if (!S_ISREG(st.st_mode))
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'%s' of the layer is no regular file", clean);
	struct nc_reader *reader;
	code = nc_reader_fd(nc_fd_give(&fd), true, clean, &reader, err);
	if (code < 0)
		return code;
	*ret = reader;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

/* --- usage ------------------------------------------------------------------------------------------------------ */

/* Blocks of files with several names, by the number of names: every name adds the file's blocks, so each sum
 * divided by its number of names is exact, and no list of files is needed. */
struct shared {
	uint64_t links, blocks;
};

struct tally {
	uint64_t blocks;
	struct shared *shared;
	size_t count, cap;
};

static void tally_release(struct tally *tally)
{
	free(tally->shared);
}

static int tally_add(struct tally *tally, const struct stat *st, struct nacre_error *err)
{
	if (S_ISDIR(st->st_mode) || st->st_nlink <= 1) {
		tally->blocks += (uint64_t)st->st_blocks;
		return 0;
	}
	size_t i = 0;
	while (i < tally->count && tally->shared[i].links != st->st_nlink)
		i++;
	if (i == tally->count) {
		struct shared *more = nc_grown(tally->shared, tally->count, &tally->cap, sizeof *more);
		if (!more)
			return nc_nomem(err);
		tally->shared = more;
		tally->shared[tally->count++] = (struct shared){ .links = st->st_nlink };
	}
	tally->shared[i].blocks += (uint64_t)st->st_blocks;
	return 0;
}

static bool is_before(const struct timespec *time, const struct timespec *since)
{
	return time->tv_sec != since->tv_sec ? time->tv_sec < since->tv_sec : time->tv_nsec < since->tv_nsec;
}

int nc_home_usage(int home, const char *tree, const struct timespec *since, uint64_t *ret, struct nacre_error *err)
{
	struct stat st;
	if (fstatat(home, tree, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno, "the tree '%s'", tree);
	NC_CLEANUP(tally_release) struct tally tally = { .blocks = (uint64_t)st.st_blocks };
	NC_CLEANUP(nc_walk_auto) struct nc_walk *walk = NULL;
	int code = nc_walk_new(home, tree, &walk, err);
	struct nc_walk_item item;
	while (code >= 0 && (code = nc_walk_next(walk, &item, err)) > 0) {
		if (item.leave)
			continue;
		if (fstatat(item.dir, item.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", item.path);
		code = since && is_before(&st.st_ctim, since) ? 0 : tally_add(&tally, &st, err);
		if (code >= 0 && item.type == DT_DIR)
			code = nc_walk_enter(walk, err);
	}
	if (code < 0)
		return code;
	uint64_t blocks = tally.blocks;
	for (size_t i = 0; i < tally.count; i++)
		blocks += tally.shared[i].blocks / tally.shared[i].links;
	*ret = blocks * 512;
	return 0;
}

/* --- homes of complete trees ------------------------------------------------------------------------------------ */

int nc_home_stack(int home, const char *id, struct nc_stack **ret, struct nacre_error *err)
{
	int code = nc_home_has(home, id, err);
	if (code == 0)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no tree of layer %s", id);
	return code < 0 ? code : nc_stack_new(home, &id, 1, NULL, ret, err);
}

int nc_home_view(int home, const char *id, struct nc_view **ret, struct nacre_error *err)
{
	struct nc_stack *stack;
	int code = nc_home_stack(home, id, &stack, err);
	return code < 0 ? code : nc_view_of_stack(stack, ret, err);
}

int nc_home_mount(int home, const char *id, int target, struct nacre_error *err)
{
	NC_AUTO_FD int tree = -1;
	int code = nc_dir_open(home, id, &tree, err);
	return code < 0 ? code : nc_bind_mount(tree, target, err);
}

int nc_home_writable_view(int home, int dir, const char *name, struct nc_view **ret, struct nacre_error *err)
{
	struct nc_stack *stack;
	NC_AUTO_FD int base = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (base < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open a writable tree");
	int code = nc_stack_new(home, &name, 1, NULL, &stack, err);
	if (code < 0)
		return code;
	nc_stack_writable(stack, nc_fd_give(&base));
	return nc_view_of_stack(stack, ret, err);
}

int nc_home_writable_mount(int dir, const char *name, int target, struct nacre_error *err)
{
	NC_AUTO_FD int tree = -1;
	int code = nc_dir_open(dir, name, &tree, err);
	return code < 0 ? code : nc_bind_mount_writable(tree, target, err);
}
