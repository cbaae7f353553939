#include "driver/copy.h"

#include "base/mem.h"
#include "driver/attr.h"
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BLOCK (256u << 10)

enum nc_entry_type nc_type_of_mode(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return NC_ENTRY_FILE;
	case S_IFDIR:
		return NC_ENTRY_DIR;
	case S_IFLNK:
		return NC_ENTRY_SYMLINK;
	case S_IFCHR:
		return NC_ENTRY_CHAR;
	case S_IFBLK:
		return NC_ENTRY_BLOCK;
	case S_IFIFO:
		return NC_ENTRY_FIFO;
	default:
		return 0;
	}
}

static int copy_by_hand(int from, int to, off_t at, off_t end, const char *path, struct nacre_error *err)
{
	NC_AUTO_FREE char *block = nc_alloc(BLOCK);
	if (!block)
		return nc_nomem(err);
	while (at < end) {
		size_t want = end - at < (off_t)BLOCK ? (size_t)(end - at) : BLOCK;
		ssize_t got = nc_pread_full(from, block, want, (uint64_t)at);
		if (got < 0)
			return nc_fail(err, NACRE_E_IO, errno, "read '%s'", path);
		if ((size_t)got < want)
			return nc_fail(err, NACRE_E_CORRUPT, 0, "'%s' became shorter while it was copied", path);
		int sys = nc_pwrite_full(to, block, want, (uint64_t)at);
		if (sys)
			return nc_fail(err, NACRE_E_IO, sys, "write '%s'", path);
		at += got;
	}
	return 0;
}

static int copy_run(int from, int to, off_t at, off_t end, const char *path, struct nacre_error *err)
{
	while (at < end) {
		off_t in = at, out = at;
		ssize_t done = copy_file_range(from, &in, to, &out, (size_t)(end - at), 0);
		if (done <= 0)
			return copy_by_hand(from, to, at, end, path, err);
		at += done;
	}
	return 0;
}

static int copy_content(int from, int to, off_t size, const char *path, struct nacre_error *err)
{
	if (size == 0 || ioctl(to, FICLONE, from) == 0)
		return 0;
	off_t at = 0;
	while (at < size) {
		off_t start = lseek(from, at, SEEK_DATA);
		if (start < 0 && errno == ENXIO)
			break;
		if (start < 0)
			start = at;
		off_t end = lseek(from, start, SEEK_HOLE);
		if (end <= start || end > size)
			end = size;
		int code = copy_run(from, to, start, end, path, err);
		if (code < 0)
			return code;
		at = end;
	}
	if (ftruncate(to, size) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "set size of '%s'", path);
	return 0;
}

static int copy_file(int from_dir, const char *from_name, const struct stat *st, int to_dir, const char *to_name,
		     const struct nc_attrs *attrs, const char *path, struct nacre_error *err)
{
	NC_AUTO_FD int from = openat(from_dir, from_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (from < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '%s'", path);
	NC_AUTO_FD int to = openat(to_dir, to_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return nc_fail(err, NACRE_E_IO, errno, "create '%s'", path);
	nc_acl_drop(to);
	int code = copy_content(from, to, st->st_size, path, err);
	if (code < 0)
		return code;
	return nc_attrs_set_fd(to, attrs, NC_ENTRY_FILE, 0, path, err);
}

static int make_other(int from_dir, const char *from_name, const struct stat *st, int to_dir, const char *to_name,
		      const char *path, struct nacre_error *err)
{
	if (!S_ISLNK(st->st_mode)) {
		if (mknodat(to_dir, to_name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "create '%s'", path);
		return nc_acl_drop_at(to_dir, to_name, err);
	}
	char target[PATH_MAX + 1];
	ssize_t len = readlinkat(from_dir, from_name, target, PATH_MAX);
	if (len < 0)
		return nc_fail(err, NACRE_E_IO, errno, "read link '%s'", path);
	target[len] = '\0';
	if (symlinkat(target, to_dir, to_name) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "create link '%s'", path);
	return 0;
}

int nc_copy_object(int from_dir, const char *from_name, const struct stat *st, int to_dir, const char *to_name,
		   const char *path, struct nacre_error *err)
{
	enum nc_entry_type type = nc_type_of_mode(st->st_mode);
	if (!type || type == NC_ENTRY_DIR)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'%s' is no kind of file that a layer holds", path);
	NC_CLEANUP(nc_xattr_list_release) struct nc_xattr_list xattrs = { .count = 0 };
	int code = nc_xattrs_read(from_dir, from_name, &xattrs, err);
	if (code < 0)
		return code;
	struct nc_attrs attrs;
	nc_attrs_of_stat(st, &attrs);
	attrs.xattrs = xattrs.items;
	attrs.xattr_count = xattrs.count;
	if (type == NC_ENTRY_FILE)
		return copy_file(from_dir, from_name, st, to_dir, to_name, &attrs, path, err);
	code = make_other(from_dir, from_name, st, to_dir, to_name, path, err);
	return code < 0 ? code : nc_attrs_set_at(to_dir, to_name, &attrs, type, 0, path, err);
}

int nc_copy_directory(int from_dir, const char *from_name, const struct stat *st, int to, const char *path,
		      struct nacre_error *err)
{
	NC_CLEANUP(nc_xattr_list_release) struct nc_xattr_list xattrs = { .count = 0 };
	int code = nc_xattrs_read(from_dir, from_name, &xattrs, err);
	if (code < 0)
		return code;
	struct nc_attrs attrs;
	nc_attrs_of_stat(st, &attrs);
	attrs.xattrs = xattrs.items;
	attrs.xattr_count = xattrs.count;
	nc_acl_drop(to);
	return nc_attrs_set_fd(to, &attrs, NC_ENTRY_DIR, 0, path, err);
}
