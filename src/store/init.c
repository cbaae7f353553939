/* The layer of a container that mounts are laid over: mount points, and files that a runtime fills in. */
#include "io/fd.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { DIRECTORY, EMPTY, LINK };

static const struct {
	const char *dir, *name;		/* dir: "" or one component */
	enum kind kind;
} objects[] = {
	{ "", ".dockerenv", EMPTY },	   { "", ".dockerinit", EMPTY }, { "dev", "console", EMPTY },
	{ "dev", "pts", DIRECTORY },	   { "dev", "shm", DIRECTORY },	 { "etc", "hostname", EMPTY },
	{ "etc", "hosts", EMPTY },	   { "etc", "mtab", LINK },	 { "etc", "resolv.conf", EMPTY },
	{ "", "proc", DIRECTORY },	   { "", "sys", DIRECTORY },
};
#define MOUNTS "/proc/mounts"
#define MODE 0755

/* A directory, in place of whatever else there is. */
static int make_dir(int parent, const char *name, int *ret_fd, struct nacre_error *err)
{
	for (int tries = 0; tries < 2; tries++) {
		bool made = mkdirat(parent, name, MODE) == 0;
		if (!made && errno != EEXIST)
			return nc_fail(err, NACRE_E_IO, errno, "make directory '%s'", name);
		int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && made && fchmod(fd, MODE) < 0) {	/* whatever the umask */
			int code = nc_fail(err, NACRE_E_IO, errno, "make directory '%s'", name);
			nc_fd_release(&fd);
			return code;
		}
		if (fd >= 0) {
			*ret_fd = fd;
			return 0;
		}
		if ((errno != ENOTDIR && errno != ELOOP) || unlinkat(parent, name, 0) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "open directory '%s'", name);
	}
	return nc_fail(err, NACRE_E_BUSY, 0, "'%s' changes all the time", name);
}

/* 1 when what is there may stay. */
static int is_right(int dir, const char *name, enum kind kind)
{
	struct stat st;
	char target[sizeof MOUNTS];
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return 1;
	if (kind == LINK)
		return S_ISLNK(st.st_mode) && readlinkat(dir, name, target, sizeof target) == strlen(MOUNTS) &&
		       memcmp(target, MOUNTS, strlen(MOUNTS)) == 0;
	return S_ISREG(st.st_mode) && st.st_size == 0 && st.st_nlink == 1 && (st.st_mode & 07777) == MODE;
}

static int make_file(int dir, const char *name, struct nacre_error *err)
{
	NC_AUTO_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
	if (fd < 0 || fchmod(fd, MODE) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "make file '%s'", name);
	return 0;
}

static int make_object(int dir, const char *name, enum kind kind, struct nacre_error *err)
{
	NC_AUTO_FD int made = -1;
	if (kind == DIRECTORY)
		return make_dir(dir, name, &made, err);
	if (is_right(dir, name, kind))
		return 0;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "replace '%s'", name);
	if (kind == EMPTY)
		return make_file(dir, name, err);
	return symlinkat(MOUNTS, dir, name) < 0 ? nc_fail(err, NACRE_E_IO, errno, "make link '%s'", name) : 0;
}

int nacre_init_layer(int dir, struct nacre_error *err)
{
	struct stat st;
	if (fstat(dir, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "look at the directory");
	if (!S_ISDIR(st.st_mode))
		return nc_fail(err, NACRE_E_INVALID, 0, "what is to be a layer is no directory");
	for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
		NC_AUTO_FD int below = -1;
		int code = *objects[i].dir ? make_dir(dir, objects[i].dir, &below, err) : 0;
		if (code == 0)
			code = make_object(below >= 0 ? below : dir, objects[i].name, objects[i].kind, err);
		if (code < 0)
			return *objects[i].dir ? nc_wrap(err, code, "'%s'", objects[i].dir) : code;
	}
	return 0;
}
