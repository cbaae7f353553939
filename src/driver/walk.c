#include "driver/walk.h"

#include "base/buf.h"
#include "io/fd.h"
#include "io/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Directories that stay open at once; the ones above them are opened again when the walk comes back. */
#define OPEN_MAX 16
#define BLOCK 32768
#define PATH_LIMIT (1u << 20)

/* What getdents64 writes. */
struct dirent_raw {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

struct level {
	int fd;			/* -1: closed to save descriptors */
	char *block;		/* entries read ahead; NULL with fd -1 */
	size_t at, end;
	int64_t cookie;		/* where to go on after what was given out */
	size_t path_len;	/* of this directory */
};

struct nc_walk {
	struct nc_buf path;	/* of the current directory below the start */
	struct nc_buf item;	/* of what was given out last */
	struct level *levels;
	size_t depth, cap;
	char name[256];
	bool may_enter;
};

int nc_below_open(int root, const char *path, int oflags)
{
	NC_AUTO_FD int part = -1;
	size_t len = strlen(path);
	while (len >= PATH_MAX) {
		char piece[PATH_MAX];
		size_t cut_at = PATH_MAX - 1;
		while (cut_at && path[cut_at] != '/')
			cut_at--;
		if (!cut_at)
			return -ENAMETOOLONG;
		memcpy(piece, path, cut_at);
		piece[cut_at] = '\0';
		int next = nc_path_open(part >= 0 ? part : root, piece, O_PATH | O_DIRECTORY, NC_PATH_NO_SYMLINKS);
		if (next < 0)
			return next;
		nc_fd_release(&part);
		part = next;
		path += cut_at + 1;
		len -= cut_at + 1;
	}
	return nc_path_open(part >= 0 ? part : root, path, oflags, NC_PATH_NO_SYMLINKS);
}

static void level_close(struct level *level)
{
	if (level->fd >= 0)
		close(level->fd);
	free(level->block);
	level->fd = -1;
	level->block = NULL;
	level->at = level->end = 0;
}

static int push(struct nc_walk *walk, int fd, struct nacre_error *err)
{
	int own NC_AUTO_FD = fd;
	struct level *more = nc_grown(walk->levels, walk->depth, &walk->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	walk->levels = more;
	char *block = nc_alloc(BLOCK);
	if (!block)
		return nc_nomem(err);
	if (walk->depth >= OPEN_MAX)
		level_close(&walk->levels[walk->depth - OPEN_MAX]);
	walk->levels[walk->depth++] = (struct level){ .fd = nc_fd_give(&own), .block = block,
						      .path_len = walk->path.len };
	return 0;
}

int nc_walk_new(int root, const char *path, struct nc_walk **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_walk_auto) struct nc_walk *walk = nc_zalloc(sizeof *walk);
	if (!walk)
		return nc_nomem(err);
	walk->path.max = walk->item.max = PATH_LIMIT;
	int fd = nc_below_open(root, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, -fd, "open directory '%s'", path);
	int code = push(walk, fd, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(walk);
	return 0;
}

void nc_walk_free(struct nc_walk *walk)
{
	if (!walk)
		return;
	for (size_t i = 0; i < walk->depth; i++)
		level_close(&walk->levels[i]);
	free(walk->levels);
	nc_buf_release(&walk->path);
	nc_buf_release(&walk->item);
	free(walk);
}

static void cut(struct nc_buf *buf, size_t len)
{
	buf->len = len;
	if (buf->data)
		buf->data[len] = '\0';
}

/* Open a level again whose descriptor was given up, from the one below it. A tree that is walked does not move,
 * so its ".." is the way that the walk came. */
static int reopen(struct nc_walk *walk, struct level *level, int below, struct nacre_error *err)
{
	NC_AUTO_FD int fd = openat(below, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || lseek(fd, level->cookie, SEEK_SET) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "read directory '%s'", nc_buf_text(&walk->path));
	level->block = nc_alloc(BLOCK);
	if (!level->block)
		return nc_nomem(err);
	level->fd = nc_fd_give(&fd);
	return 0;
}

static int fill(struct nc_walk *walk, struct level *level, struct nacre_error *err)
{
	long got = syscall(SYS_getdents64, level->fd, level->block, BLOCK);
	if (got < 0)
		return nc_fail(err, NACRE_E_IO, errno, "read directory '%s'", nc_buf_text(&walk->path));
	level->at = 0;
	level->end = (size_t)got;
	return got > 0;
}

/* The deepest directory has no more: report that and go up. */
static int leave(struct nc_walk *walk, struct nc_walk_item *ret, struct nacre_error *err)
{
	struct level *ended = &walk->levels[--walk->depth];
	if (walk->depth == 0) {
		level_close(ended);
		return 0;
	}
	struct level *up = &walk->levels[walk->depth - 1];
	int code = up->fd < 0 ? reopen(walk, up, ended->fd, err) : 0;
	level_close(ended);
	if (code < 0)
		return code;
	nc_buf_clear(&walk->item);
	code = nc_buf_add(&walk->item, walk->path.data, walk->path.len, err);
	if (code < 0)
		return code;
	cut(&walk->path, up->path_len);
	const char *slash = strrchr(walk->item.data, '/');
	*ret = (struct nc_walk_item){ .leave = true, .dir = up->fd, .name = slash ? slash + 1 : walk->item.data,
				      .path = walk->item.data, .type = DT_DIR };
	return 1;
}

static int give(struct nc_walk *walk, struct level *level, const struct dirent_raw *raw, struct nc_walk_item *ret,
		struct nacre_error *err)
{
	unsigned char type = raw->type;
	if (type == DT_UNKNOWN) {
		struct stat st;
		if (fstatat(level->fd, raw->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", raw->name);
		type = (unsigned char)IFTODT(st.st_mode);
	}
	strncpy(walk->name, raw->name, sizeof walk->name - 1);
	nc_buf_clear(&walk->item);
	int code = nc_buf_addf(&walk->item, err, "%s%s%s", nc_buf_text(&walk->path), walk->path.len ? "/" : "",
			       raw->name);
	if (code < 0)
		return code;
	walk->may_enter = type == DT_DIR;
	*ret = (struct nc_walk_item){ .dir = level->fd, .name = walk->name, .path = walk->item.data, .type = type };
	return 1;
}

int nc_walk_next(struct nc_walk *walk, struct nc_walk_item *ret, struct nacre_error *err)
{
	walk->may_enter = false;
	while (walk->depth) {
		struct level *level = &walk->levels[walk->depth - 1];
		if (level->at == level->end) {
			int code = fill(walk, level, err);
			if (code < 0)
				return code;
			if (code == 0)
				return leave(walk, ret, err);
		}
		const struct dirent_raw *raw = (const void *)(level->block + level->at);
		level->at += raw->reclen;
		level->cookie = raw->off;
		if (strcmp(raw->name, ".") != 0 && strcmp(raw->name, "..") != 0)
			return give(walk, level, raw, ret, err);
	}
	return 0;
}

int nc_walk_enter(struct nc_walk *walk, struct nacre_error *err)
{
	if (!walk->may_enter)
		return nc_fail(err, NACRE_E_INVALID, 0, "not at a directory");
	walk->may_enter = false;
	int fd =
		openat(walk->levels[walk->depth - 1].fd, walk->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open directory '%s'", walk->item.data);
	cut(&walk->path, 0);
	int code = nc_buf_add(&walk->path, walk->item.data, walk->item.len, err);
	if (code < 0) {
		close(fd);
		return code;
	}
	return push(walk, fd, err);
}
