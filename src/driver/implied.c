#include "driver/unpack_private.h"

#include "driver/copy.h"
#include "driver/walk.h"
#include "driver/way.h"
#include "io/fd.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What one walk through links may cost. */
#define LINKS_MAX 40
#define STEPS_MAX 16384
#define PATH_LIMIT 65535

/* --- missing directories ---------------------------------------------------------------------------------------- */

/* Make directory name in dir, where there is nothing or a whiteout of it; path is its own. hidden: nothing of
 * the parents shows there. */
static int imply(struct nc_unpack *unpack, int dir, const char *name, const char *path, bool whiteout, bool hidden,
		 const struct nc_time *when, int *ret, struct nacre_error *err)
{
	struct stat up;
	struct nc_stack_found found;
	int in_parents = whiteout || hidden ? 0 : nc_unpack_find_below(unpack, path, &found, err);
	if (in_parents < 0)
		return in_parents;
	if (in_parents && !S_ISDIR(found.st.st_mode))
		in_parents = 0;
	if (fstat(dir, &up) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat the directory of '%s'", path);
	if (whiteout && unlinkat(dir, name, 0) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "remove whiteout of '%s'", path);
	if (mkdirat(dir, name, 0700) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "create directory '%s'", path);
	NC_AUTO_FD int fd = openat(dir, name, OPEN_DIR);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open directory '%s'", path);
	int code = whiteout ? nc_unpack_make_opaque(unpack, fd, path, err) : 0;
	if (code < 0)
		return code;
	if (in_parents) {
		unpack->acls = true;
		code = nc_copy_directory(found.dir, found.name, &found.st, fd, path, err);
	} else {
		struct nc_attrs attrs = { .mode = 0755, .mtime = *when };
		if (unpack->acls)
			nc_acl_drop(fd);
		code = nc_attrs_set_fd(fd, &attrs, NC_ENTRY_DIR, 0, path, err);
	}
	if (code < 0)
		return code;
	if (futimens(dir, (struct timespec[2]){ up.st_atim, up.st_mtim }) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "set time of the directory of '%s'", path);
	code = nc_unpack_note(unpack, path, strlen(path), NC_NAME_ANON, true, err);
	if (code < 0)
		return code;
	*ret = nc_fd_give(&fd);
	return 0;
}

/* A walk through the tree that follows the links of this layer, inside its root. */
struct steps {
	struct nc_unpack *unpack;
	const char *what;		/* the member's path, for messages */
	const struct nc_time *make;	/* make what is missing, with this time; NULL: do not */
	int fd;				/* of the directory reached; -1: it is missing */
	struct nc_buf path;		/* of that directory */
	struct nc_buf rest;		/* what is left to walk */
	size_t at;
	bool hidden;			/* it, or one above it, is opaque */
	unsigned links, steps;
};

static void steps_release(struct steps *steps)
{
	nc_fd_release(&steps->fd);
	nc_buf_release(&steps->path);
	nc_buf_release(&steps->rest);
}

static int move_to(struct steps *steps, struct nacre_error *err)
{
	const char *path = nc_buf_text(&steps->path);
	nc_fd_release(&steps->fd);
	steps->fd = nc_below_open(steps->unpack->root, path, O_RDONLY | O_DIRECTORY);
	steps->hidden = steps->unpack->root_opaque;
	if (steps->fd >= 0 && steps->make && *path && steps->unpack->opaques) {
		int code = nc_unpack_is_hidden(steps->unpack, path, &steps->hidden, err);
		steps->hidden = steps->hidden || nc_is_opaque(steps->fd, steps->unpack->opaque);
		return code;
	}
	if (steps->fd >= 0)
		return 0;
	int sys = -steps->fd;
	steps->fd = -1;
	if (!steps->make && (sys == ENOENT || sys == ENOTDIR || sys == ELOOP))
		return 0;
	return nc_fail(err, NACRE_E_IO, sys, "open directory '%s'", path);
}

static int follow(struct steps *steps, const char *name, struct nacre_error *err)
{
	if (++steps->links > LINKS_MAX)
		return nc_fail(err, NACRE_E_BADDATA, ELOOP, "'%s'", steps->what);
	char target[PATH_MAX];
	ssize_t len = readlinkat(steps->fd, name, target, sizeof target);
	if (len < 0)
		return nc_fail(err, NACRE_E_IO, errno, "read link '%s'", name);
	int code = nc_way_splice(&steps->rest, &steps->at, target, (size_t)len, err);
	if (code < 0 || target[0] != '/')
		return code;
	nc_buf_clear(&steps->path);
	return move_to(steps, err);
}

/* What this layer has there: 1, or 0. */
static int look(const struct steps *steps, const char *name, struct stat *ret, struct nacre_error *err)
{
	*ret = (struct stat){ .st_mode = 0 };
	if (steps->fd < 0)
		return 0;
	if (fstatat(steps->fd, name, ret, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "stat '%s' on the way to '%s'", name, steps->what);
}

/* A directory is missing. Before it is made the parents are looked at, which sets the marks that wait for them. */
static int look_again(struct steps *steps, const char *name, struct stat *ret, struct nacre_error *err)
{
	struct nc_stack *below;
	int code = nc_unpack_below(steps->unpack, &below, err);
	if (code == 0)
		code = move_to(steps, err);
	return code < 0 ? code : look(steps, name, ret, err);
}

/* One component, which is neither "." nor "..". */
static int step_into(struct steps *steps, const char *name, size_t len, struct nacre_error *err)
{
	struct stat st;
	int there = look(steps, name, &st, err);
	if (there == 0 && steps->make && !steps->hidden && steps->unpack->below && !steps->unpack->parents)
		there = look_again(steps, name, &st, err);
	if (there < 0)
		return there;
	if (there && S_ISLNK(st.st_mode))
		return follow(steps, name, err);
	int code = nc_way_add(&steps->path, name, len, err);
	if (code < 0)
		return code;
	bool whiteout = there && nc_is_whiteout(&st);
	if (there && !whiteout && !S_ISDIR(st.st_mode)) {
		if (steps->make)
			return nc_fail(err, NACRE_E_BADDATA, 0,
				       "'%s' lies below '%s', which the layer made as no directory", steps->what,
				       nc_buf_text(&steps->path));
		nc_fd_release(&steps->fd);
		return 0;
	}
	int next = -1;
	if (there && !whiteout) {
		next = openat(steps->fd, name, OPEN_DIR);
		if (next < 0)
			return nc_fail(err, NACRE_E_IO, errno, "open directory '%s'", nc_buf_text(&steps->path));
		if (steps->make && steps->unpack->opaques && !steps->hidden)
			steps->hidden = nc_is_opaque(next, steps->unpack->opaque);
	} else if (steps->make) {
		code = imply(steps->unpack, steps->fd, name, nc_buf_text(&steps->path), whiteout, steps->hidden,
			     steps->make, &next, err);
		if (code < 0)
			return code;
		steps->hidden = steps->hidden || whiteout;
	}
	nc_fd_release(&steps->fd);
	steps->fd = next;
	return 0;
}

static int walk_steps(struct steps *steps, struct nacre_error *err)
{
	int code = move_to(steps, err);
	while (code >= 0) {
		const char *start = steps->rest.data + steps->at;
		start += strspn(start, "/");
		size_t len = strcspn(start, "/");
		if (!len)
			return 0;
		steps->at = (size_t)(start - steps->rest.data) + len;
		if (++steps->steps > STEPS_MAX)
			return nc_fail(err, NACRE_E_BADDATA, ELOOP, "'%s'", steps->what);
		char name[NAME_MAX + 1];
		if (len > NAME_MAX)
			return nc_fail(err, NACRE_E_BADDATA, ENAMETOOLONG, "a link on the way to '%s'", steps->what);
		memcpy(name, start, len);
		name[len] = '\0';
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			nc_way_cut(&steps->path);
			code = move_to(steps, err);
		} else if (strncmp(name, ".wh.", 4) == 0) {
			return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' leads through a whiteout's name", steps->what);
		} else {
			code = step_into(steps, name, len, err);
		}
	}
	return code;
}

/* --- the current directory -------------------------------------------------------------------------------------- */

int nc_unpack_leave(struct nc_unpack *unpack, struct nacre_error *err)
{
	struct nc_unpack_dir *dir = &unpack->dir;
	if (dir->fd < 0)
		return 0;
	int code = 0;
	if (futimens(dir->fd, dir->times) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "set time of '%s'", nc_buf_text(&dir->path));
	nc_fd_release(&dir->fd);
	return code;
}

static int enter_by_steps(struct nc_unpack *unpack, const char *name, const struct nc_time *when, int *ret,
			  struct nacre_error *err)
{
	NC_CLEANUP(steps_release) struct steps steps = {
		.unpack = unpack, .what = name, .make = when, .fd = -1,
		.path = NC_BUF_INIT(PATH_LIMIT), .rest = NC_BUF_INIT(4 * PATH_LIMIT),
	};
	int code = nc_buf_add_text(&steps.rest, name, err);
	if (code >= 0)
		code = walk_steps(&steps, err);
	if (code < 0)
		return code;
	nc_buf_clear(&unpack->dir.path);
	code = nc_buf_add(&unpack->dir.path, nc_buf_text(&steps.path), steps.path.len, err);
	if (code < 0)
		return code;
	unpack->dir.linked = steps.links > 0;
	*ret = nc_fd_give(&steps.fd);
	return 0;
}

int nc_unpack_enter(struct nc_unpack *unpack, const char *name, size_t len, const struct nc_time *when,
		    struct nacre_error *err)
{
	struct nc_unpack_dir *dir = &unpack->dir;
	if (dir->fd >= 0 && dir->name.len == len && (len == 0 || memcmp(dir->name.data, name, len) == 0))
		return 0;
	int code = nc_unpack_leave(unpack, err);
	if (code < 0)
		return code;
	nc_buf_clear(&dir->name);
	nc_buf_clear(&dir->path);
	code = nc_buf_add(&dir->name, name, len, err);
	if (code >= 0)
		code = nc_buf_add(&dir->path, name, len, err);
	if (code < 0)
		return code;
	dir->linked = false;
	NC_AUTO_FD int fd = nc_below_open(unpack->root, nc_buf_text(&dir->name), O_RDONLY | O_DIRECTORY);
	if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR)
		code = enter_by_steps(unpack, nc_buf_text(&dir->name), when, &fd, err);
	else if (fd < 0)
		code = nc_fail(err, NACRE_E_IO, -fd, "open directory '%s'", nc_buf_text(&dir->name));
	if (code < 0)
		return code;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", nc_buf_text(&dir->name));
	dir->times[0] = st.st_atim;
	dir->times[1] = st.st_mtim;
	dir->private_group = st.st_gid != unpack->gid;
	dir->has_acl = unpack->acls && fgetxattr(fd, "system.posix_acl_default", NULL, 0) >= 0;
	dir->merged = unpack->below ? -1 : 0;
	dir->fd = nc_fd_give(&fd);
	return 0;
}

/* --- targets of hard links -------------------------------------------------------------------------------------- */

/* The parents have the target, this layer has not: copy it into this layer. */
static int copy_up(struct nc_unpack *unpack, const char *path, struct nacre_error *err)
{
	struct nc_stack_found found;
	int code = nc_unpack_find_shown(unpack, path, &found, err);
	if (code < 0)
		return code;
	if (code == 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is not there", path);
	if (S_ISDIR(found.st.st_mode))
		return nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is a directory", path);

	static const struct nc_time never;
	NC_CLEANUP(steps_release) struct steps steps = {
		.unpack = unpack, .what = path, .make = &never, .fd = -1,
		.path = NC_BUF_INIT(PATH_LIMIT), .rest = NC_BUF_INIT(4 * PATH_LIMIT),
	};
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	code = nc_buf_add(&steps.rest, path, slash ? (size_t)(slash - path) : 0, err);
	if (code >= 0)
		code = walk_steps(&steps, err);
	/* making directories asked the parents again */
	if (code >= 0)
		code = nc_unpack_find_below(unpack, path, &found, err);
	if (code < 0)
		return code;
	struct stat up;
	if (fstat(steps.fd, &up) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat the directory of '%s'", path);
	code = nc_copy_object(found.dir, found.name, &found.st, steps.fd, name, path, err);
	if (code < 0)
		return code;
	if (futimens(steps.fd, (struct timespec[2]){ up.st_atim, up.st_mtim }) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "set time of the directory of '%s'", path);
	if (S_ISREG(found.st.st_mode))
		unpack->size += (uint64_t)found.st.st_size;
	return nc_unpack_note(unpack, path, strlen(path), NC_NAME_ANON, false, err);
}

/* The directory at path (physical) in this layer: 1 and its descriptor, or 0. */
static int open_target_dir(struct nc_unpack *unpack, const struct nc_buf *path, int *ret, struct nacre_error *err)
{
	const char *slash = strrchr(path->data, '/');
	NC_AUTO_BUF struct nc_buf dir = NC_BUF_INIT(PATH_LIMIT);
	int code = nc_buf_add(&dir, path->data, slash ? (size_t)(slash - path->data) : 0, err);
	if (code < 0)
		return code;
	NC_AUTO_FD int fd = nc_below_open(unpack->root, nc_buf_text(&dir), O_PATH | O_DIRECTORY);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, -fd, "open directory '%s'", nc_buf_text(&dir));
	*ret = nc_fd_give(&fd);
	return 1;
}

/* Where target lies when the links of this layer on the way are followed; its last component is not. */
static int place_target(struct nc_unpack *unpack, const char *target, struct nc_buf *ret_path,
			struct nacre_error *err)
{
	const char *slash = strrchr(target, '/');
	NC_CLEANUP(steps_release) struct steps steps = {
		.unpack = unpack, .what = target, .fd = -1,
		.path = NC_BUF_INIT(PATH_LIMIT), .rest = NC_BUF_INIT(4 * PATH_LIMIT),
	};
	int code = nc_buf_reserve(&steps.rest, 1, err);
	if (code >= 0)
		code = nc_buf_add(&steps.rest, target, slash ? (size_t)(slash - target) : 0, err);
	if (code >= 0)
		code = walk_steps(&steps, err);
	if (code >= 0)
		code = nc_way_add(&steps.path, slash ? slash + 1 : target, strlen(slash ? slash + 1 : target), err);
	if (code < 0)
		return code;
	nc_buf_clear(ret_path);
	return nc_buf_add(ret_path, steps.path.data, steps.path.len, err);
}

int nc_unpack_target(struct nc_unpack *unpack, const char *target, int *ret_dir, struct nc_buf *ret_path,
		     struct nacre_error *err)
{
	nc_buf_clear(ret_path);
	int code = nc_buf_add_text(ret_path, target, err);
	if (code < 0)
		return code;
	NC_AUTO_FD int dir = -1;
	int there = open_target_dir(unpack, ret_path, &dir, err);
	if (there < 0)
		return there;
	if (!there) {
		code = place_target(unpack, target, ret_path, err);
		if (code >= 0)
			there = open_target_dir(unpack, ret_path, &dir, err);
		if (code < 0 || there < 0)
			return code < 0 ? code : there;
	}
	struct stat st;
	const char *slash = strrchr(ret_path->data, '/');
	const char *name = slash ? slash + 1 : ret_path->data;
	if (!there || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (there && errno != ENOENT)
			return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", target);
		code = copy_up(unpack, ret_path->data, err);
		nc_fd_release(&dir);
		if (code >= 0 && open_target_dir(unpack, ret_path, &dir, err) <= 0)
			code = nc_fail(err, NACRE_E_IO, 0, "'%s' is gone", target);
		if (code < 0)
			return code;
	} else if (nc_is_whiteout(&st)) {
		return nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is not there", target);
	} else if (S_ISDIR(st.st_mode)) {
		return nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is a directory", target);
	}
	*ret_dir = nc_fd_give(&dir);
	return 0;
}
