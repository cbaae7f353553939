/* Descriptors: whole reads and writes, small files that are read or replaced whole. Everything is O_CLOEXEC. */
#ifndef NC_IO_FD_H
#define NC_IO_FD_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* int fd NC_AUTO_FD = -1; closes at the end of its scope and keeps errno. */
void nc_fd_release(int *fd);
#define NC_AUTO_FD __attribute__((cleanup(nc_fd_release)))
static inline int nc_fd_give(int *fd)
{
	int given = *fd;
	*fd = -1;
	return given;
}

/* 0, or the errno; EINTR and short counts are dealt with. nc_read_full returns the count (short only at the end of
 * the file) or -1 with errno. */
int nc_write_full(int fd, const void *bytes, size_t len);
/* Of a file that somebody syncs in the end: sends what was written since the last time on its way to the disk, once that is long
 * enough for a disk to be fast with. written: its length so far; *sent: 0 at first. What cannot be written the sync reports. */
void nc_send_early(int fd, uint64_t written, uint64_t *sent);
int nc_pwrite_full(int fd, const void *bytes, size_t len, uint64_t offset);
ssize_t nc_read_full(int fd, void *bytes, size_t len);
ssize_t nc_pread_full(int fd, void *bytes, size_t len, uint64_t offset);
/* One read, without EINTR, and waiting where the descriptor does not block. */
ssize_t nc_read_some(int fd, void *bytes, size_t len);

/* digits random lowercase hex digits (an even number, at most 64) and a NUL. */
int nc_random_hex(char *ret, size_t digits, struct nacre_error *err);

/* A whole small regular file. Opens O_NONBLOCK|O_NOFOLLOW; what is no regular file is NACRE_E_BADDATA, longer than
 * max NACRE_E_LIMIT, missing NACRE_E_NOTFOUND. ret is given (free()), NUL-terminated; ret_len may be NULL. */
int nc_file_read(int dirfd, const char *name, size_t max, char **ret, size_t *ret_len, struct nacre_error *err);

/* Whether a directory has something of that name: 1, 0, or NACRE_E_IO where that cannot be told. */
int nc_file_exists(int dirfd, const char *name, struct nacre_error *err);
/* Make a new file (O_EXCL, 0600) with these bytes. NACRE_E_EXISTS when there is something. No sync. */
int nc_file_create(int dirfd, const char *name, const void *bytes, size_t len, struct nacre_error *err);

/* A file without a name, for reading and writing, gone when closed: in dir, or (-1) in $TMPDIR or /var/tmp. */
int nc_file_unnamed(int dir, int *ret_fd, struct nacre_error *err);

/* Replace or make a file so that after a crash it has the old bytes or the new: a temporary file in the same
 * directory, fdatasync, rename, fsync of the directory. durable false leaves the two syncs out. What a crash leaves
 * is named NC_TEMPORARY and 16 hex digits: who lists such a directory passes it over. name is one component. */
#define NC_TEMPORARY ".tmp-"
int nc_file_replace(int dirfd, const char *name, const void *bytes, size_t len, bool durable,
		    struct nacre_error *err);

/* mkdirat 0700, an existing directory is fine; opens it as nc_dir_open does. */
int nc_dir_ensure(int dirfd, const char *name, int *ret_fd, struct nacre_error *err);
/* Opens a directory (for reading, not O_PATH), following no link in its last component. NACRE_E_NOTFOUND when
 * missing. */
int nc_dir_open(int dirfd, const char *name, int *ret_fd, struct nacre_error *err);

/* Calls fn for the name of each entry but . and .., in byte order, until it returns other than 0, and returns
 * that. fd is borrowed. At most max names (NACRE_E_LIMIT beyond). */
int nc_dir_each_sorted(int fd, size_t max, int (*fn)(void *ctx, const char *name, struct nacre_error *err), void *ctx,
		       struct nacre_error *err);
/* The same unsorted, streaming, with d_type (DT_*). */
int nc_dir_each(int fd, int (*fn)(void *ctx, const char *name, unsigned char type, struct nacre_error *err),
		void *ctx, struct nacre_error *err);

#endif
