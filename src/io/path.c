#include "io/path.h"

#include "base/buf.h"
#include "base/mem.h"
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* As many links as the kernel follows in one path. */
#define LINKS_MAX 40
/* How often openat2 is asked again when a rename elsewhere disturbed it, before the walk is asked instead. */
#define DISTURBED_MAX 64

/* --- with openat2 ----------------------------------------------------------------------------------------------- */

static int open_by_kernel(int root, const char *path, int oflags, unsigned flags)
{
	struct open_how how = {
		.flags = (uint64_t)(oflags | O_CLOEXEC),
		.resolve = RESOLVE_NO_MAGICLINKS | (flags & NC_PATH_IN_ROOT ? RESOLVE_IN_ROOT : RESOLVE_BENEATH) |
			   (flags & NC_PATH_NO_SYMLINKS ? RESOLVE_NO_SYMLINKS : 0),
	};
	for (int disturbed = 0; disturbed < DISTURBED_MAX;) {
		long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
		if (fd >= 0)
			return (int)fd;
		if (errno == EAGAIN)
			disturbed++;
		else if (errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

/* --- with a walk ------------------------------------------------------------------------------------------------ */

/* The directory that the walk has reached is named twice: by dir, and by trail, the components that lead to it from
 * root, none of them a link. ".." cuts the trail and is never opened, so the walk cannot be led out of root. */
struct walk {
	int root;
	unsigned flags;
	int dir;			/* -1: has to be opened along the trail */
	struct nc_buf trail;		/* "a/b/c" */
	char *rest;			/* allocated: what is left to walk */
	size_t at;			/* in rest */
	unsigned links;			/* followed so far */
	bool follow_last, directory;	/* what the last component is held to */
};

static void walk_release(struct walk *walk)
{
	nc_fd_release(&walk->dir);
	nc_buf_release(&walk->trail);
	free(walk->rest);
}

static int reach(struct walk *walk)
{
	if (walk->dir >= 0)
		return 0;
	NC_AUTO_FD int dir = openat(walk->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	const char *next = nc_buf_text(&walk->trail);
	while (*next) {
		char name[NAME_MAX + 1];
		size_t len = strcspn(next, "/");
		memcpy(name, next, len);
		name[len] = '\0';
		int child = openat(dir, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
		if (child < 0)
			return -errno;
		nc_fd_release(&dir);
		dir = child;
		next += len + (next[len] == '/');
	}
	walk->dir = nc_fd_give(&dir);
	return 0;
}

/* "." and ".." too may only be said in a directory that may be searched. */
static int search(const struct walk *walk)
{
	NC_AUTO_FD int fd = openat(walk->dir, ".", O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : 0;
}

static int climb(struct walk *walk)
{
	if (!walk->trail.len)
		return walk->flags & NC_PATH_IN_ROOT ? 0 : -EXDEV;
	size_t len = walk->trail.len;
	while (len && walk->trail.data[len - 1] != '/')
		len--;
	walk->trail.len = len ? len - 1 : 0;
	walk->trail.data[walk->trail.len] = '\0';
	nc_fd_release(&walk->dir);
	return 0;
}

static int descend(struct walk *walk, int *fd, const char *name)
{
	if ((walk->trail.len && nc_buf_add(&walk->trail, "/", 1, NULL) < 0) ||
	    nc_buf_add_text(&walk->trail, name, NULL) < 0)
		return -ENOMEM;
	nc_fd_release(&walk->dir);
	walk->dir = nc_fd_give(fd);
	return 0;
}

static int to_root(struct walk *walk)
{
	if (!(walk->flags & NC_PATH_IN_ROOT))
		return -EXDEV;
	nc_buf_clear(&walk->trail);
	nc_fd_release(&walk->dir);
	return 0;
}

/* procfs has links that lead where their text does not: those of a process. They tell a size that is not their
 * text's, or are not open to all; the ordinary ones in its root directory (inode 1) tell no size either. */
static bool is_magic(const struct walk *walk, int link, const struct stat *st, size_t target_len)
{
	struct statfs fs;
	struct stat parent;
	if (fstatfs(link, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return false;
	if (fstat(walk->dir, &parent) == 0 && parent.st_dev == st->st_dev && parent.st_ino == 1)
		return false;
	return (size_t)st->st_size != target_len || (st->st_mode & 0777) != 0777;
}

static int follow(struct walk *walk, int link, const struct stat *st)
{
	if (walk->links++ >= LINKS_MAX || walk->flags & NC_PATH_NO_SYMLINKS)
		return -ELOOP;
	char target[PATH_MAX + 1];
	ssize_t len = readlinkat(link, "", target, sizeof target);
	if (len < 0)
		return -errno;
	if (is_magic(walk, link, st, (size_t)len))
		return -ELOOP;
	if (len == 0)
		return -ENOENT;
	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	size_t rest_len = strlen(walk->rest + walk->at);
	char *rest = nc_alloc((size_t)len + 1 + rest_len + 1);
	if (!rest)
		return -ENOMEM;
	memcpy(rest, target, (size_t)len);
	size_t slash = rest_len ? 1 : 0;
	if (slash)
		rest[len] = '/';
	memcpy(rest + len + slash, walk->rest + walk->at, rest_len + 1);
	free(walk->rest);
	walk->rest = rest;
	walk->at = 0;
	return rest[0] == '/' ? to_root(walk) : 0;
}

/* Cut the next component off the rest. False: there is none. */
static bool take_component(struct walk *walk, const char **ret, size_t *ret_len, bool *ret_last)
{
	walk->at += strspn(walk->rest + walk->at, "/");
	const char *start = walk->rest + walk->at;
	size_t len = strcspn(start, "/");
	if (!len)
		return false;
	size_t slashes = strspn(start + len, "/");
	*ret = start;
	*ret_len = len;
	*ret_last = !start[len + slashes];
	if (*ret_last && slashes)
		walk->directory = walk->follow_last = true;
	walk->at += len + slashes;
	return true;
}

/* One component: 0 is go on, 1 is that name is to be opened in dir as the last one. */
static int step(struct walk *walk, const char *name, bool last)
{
	NC_AUTO_FD int fd = openat(walk->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode) && (!last || walk->follow_last))
		return follow(walk, fd, &st);
	if (last)
		return 1;
	return S_ISDIR(st.st_mode) ? descend(walk, &fd, name) : -ENOTDIR;
}

static int open_by_walk(int root, const char *path, int oflags, unsigned flags)
{
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	NC_CLEANUP(walk_release) struct walk walk = {
		.root = root, .flags = flags, .dir = -1, .trail = NC_BUF_INIT((LINKS_MAX + 1) * PATH_MAX),
		.rest = nc_strdup(path), .follow_last = !(oflags & O_NOFOLLOW),
	};
	if (!walk.rest)
		return -ENOMEM;
	int code = path[0] == '/' ? to_root(&walk) : 0;
	char name[NAME_MAX + 1] = ".";
	while (code == 0) {
		const char *component;
		size_t len;
		bool last;
		code = reach(&walk);
		if (code < 0)
			return code;
		if (!take_component(&walk, &component, &len, &last)) {
			strcpy(name, ".");
			break;
		}
		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, component, len);
		name[len] = '\0';
		bool dots = strcmp(name, "..") == 0;
		if (dots || strcmp(name, ".") == 0)
			code = search(&walk);
		else
			code = step(&walk, name, last);
		if (code == 0 && dots)
			code = climb(&walk);
	}
	if (code < 0)
		return code;
	int fd = openat(walk.dir, name, oflags | O_NOFOLLOW | O_CLOEXEC | (walk.directory ? O_DIRECTORY : 0));
	return fd < 0 ? -errno : fd;
}

int nc_path_open(int root, const char *path, int oflags, unsigned flags)
{
	if (oflags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))
		return -EINVAL;
	if (oflags & O_PATH)	/* openat2 refuses what openat would overlook */
		oflags &= O_PATH | O_DIRECTORY | O_NOFOLLOW;
	if (!(flags & NC_PATH_NO_OPENAT2)) {
		int fd = open_by_kernel(root, path, oflags, flags);
		/* EPERM is what some sandboxes say to system calls that they do not know */
		if (fd != -ENOSYS && fd != -EPERM && fd != -EAGAIN)
			return fd;
	}
	return open_by_walk(root, path, oflags, flags);
}

/* --- cleaning --------------------------------------------------------------------------------------------------- */

#define CLEAN_LEN_MAX 65535
#define CLEAN_DEPTH_MAX 4096

static size_t without_last_component(const char *path, size_t len)
{
	while (len && path[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}

int nc_path_clean(const char *name, size_t len, char *ret, size_t *ret_len, struct nacre_error *err)
{
	if (len > CLEAN_LEN_MAX)
		return nc_fail(err, NACRE_E_BADDATA, 0, "a path of %zu bytes; at most %d are allowed", len,
			       CLEAN_LEN_MAX);
	if (memchr(name, '\0', len))
		return nc_fail(err, NACRE_E_BADDATA, 0, "path '%s' has a NUL in it", name);
	size_t out = 0, depth = 0;
	for (size_t at = 0; at < len;) {
		const char *component = name + at;
		const char *slash = memchr(component, '/', len - at);
		size_t n = slash ? (size_t)(slash - component) : len - at;
		at += n + 1;
		if (n == 0 || (n == 1 && component[0] == '.'))
			continue;
		if (n == 2 && component[0] == '.' && component[1] == '.') {
			if (!depth--)
				return nc_fail(err, NACRE_E_BADDATA, 0, "path '%.*s' leads out of its root",
					       (int)(len < 200 ? len : 200), name);
			out = without_last_component(ret, out);
			continue;
		}
		/* the whiteout of a file whose name is as long as names can be */
		size_t prefix = n > 4 && memcmp(component, ".wh.", 4) == 0 ? 4 : 0;
		if (n - prefix > NAME_MAX)
			return nc_fail(err, NACRE_E_BADDATA, 0, "a component of %zu bytes in path '%.60s...'", n, name);
		if (++depth > CLEAN_DEPTH_MAX)
			return nc_fail(err, NACRE_E_BADDATA, 0, "a path of more than %d components", CLEAN_DEPTH_MAX);
		if (out)
			ret[out++] = '/';
		memmove(ret + out, component, n);
		out += n;
	}
	ret[out] = '\0';
	if (ret_len)
		*ret_len = out;
	return 0;
}
