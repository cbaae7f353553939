#include "io/fd.h"

#include "base/buf.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is sent on its way at once. */
#define EARLY_BYTES ((uint64_t)8 << 20)

void nc_fd_release(int *fd)
{
	int saved = errno;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* --- whole reads and writes ------------------------------------------------------------------------------------- */

/* After a call that failed: whether to call again, having waited for a descriptor that somebody made non-blocking. */
static bool again(int fd, short events)
{
	if (errno == EINTR)
		return true;
	if (errno != EAGAIN)
		return false;
	struct pollfd wait = { .fd = fd, .events = events };
	return poll(&wait, 1, -1) >= 0 || errno == EINTR;
}

int nc_write_full(int fd, const void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)bytes + done, len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0)
			return EIO;
		else if (!again(fd, POLLOUT))
			return errno;
	}
	return 0;
}

void nc_send_early(int fd, uint64_t written, uint64_t *sent)
{
	if (written - *sent < EARLY_BYTES)
		return;
	sync_file_range(fd, (off_t)*sent, (off_t)(written - *sent), SYNC_FILE_RANGE_WRITE);
	*sent = written;
}

int nc_pwrite_full(int fd, const void *bytes, size_t len, uint64_t offset)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, (off_t)(offset + done));
		if (n > 0)
			done += (size_t)n;
		else if (n == 0)
			return EIO;
		else if (!again(fd, POLLOUT))
			return errno;
	}
	return 0;
}

ssize_t nc_read_some(int fd, void *bytes, size_t len)
{
	ssize_t n;
	do
		n = read(fd, bytes, len);
	while (n < 0 && again(fd, POLLIN));
	return n;
}

ssize_t nc_read_full(int fd, void *bytes, size_t len)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = nc_read_some(fd, (char *)bytes + done, len - done);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t nc_pread_full(int fd, void *bytes, size_t len, uint64_t offset)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = pread(fd, (char *)bytes + done, len - done, (off_t)(offset + done));
		if (n == 0)
			break;
		if (n > 0)
			done += (size_t)n;
		else if (!again(fd, POLLIN))
			return -1;
	}
	return (ssize_t)done;
}

int nc_random_hex(char *ret, size_t digits, struct nacre_error *err)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char bytes[32];
	size_t count = digits / 2;
	if (digits % 2 || count > sizeof bytes)
		return nc_fail(err, NACRE_E_INVALID, 0, "%zu random digits cannot be had", digits);
	if (getrandom(bytes, count, 0) != (ssize_t)count)
		return nc_fail(err, NACRE_E_IO, errno, "get random bytes");
	for (size_t i = 0; i < count; i++) {
		ret[2 * i] = hex[bytes[i] >> 4];
		ret[2 * i + 1] = hex[bytes[i] & 15];
	}
	ret[digits] = '\0';
	return 0;
}

/* --- small files ------------------------------------------------------------------------------------------------ */

static int open_regular(int dirfd, const char *name, int *ret_fd, struct nacre_error *err)
{
	NC_AUTO_FD int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return nc_fail(err, NACRE_E_NOTFOUND, ENOENT, "open '%s'", name);
	if (fd < 0 && (errno == ELOOP || errno == ENXIO || errno == ENODEV))
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is not a regular file", name);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '%s'", name);
	struct stat st;
	if (fstat(fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat '%s'", name);
	if (!S_ISREG(st.st_mode))
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is not a regular file", name);
	*ret_fd = nc_fd_give(&fd);
	return 0;
}

int nc_file_read(int dirfd, const char *name, size_t max, char **ret, size_t *ret_len, struct nacre_error *err)
{
	NC_AUTO_FD int fd = -1;
	int code = open_regular(dirfd, name, &fd, err);
	if (code < 0)
		return code;
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(max);
	char chunk[8192];
	ssize_t n;
	/* the size that stat tells is not asked: the file may grow, and some file systems tell 0 */
	while ((n = nc_read_full(fd, chunk, sizeof chunk)) > 0) {
		code = nc_buf_add(&buf, chunk, (size_t)n, err);
		if (code < 0)
			return nc_wrap(err, code, "read '%s'", name);
		if ((size_t)n < sizeof chunk)	/* its end was seen */
			break;
	}
	if (n < 0)
		return nc_fail(err, NACRE_E_IO, errno, "read '%s'", name);
	size_t len = buf.len;
	char *bytes = nc_buf_give(&buf);
	if (!bytes)
		return nc_nomem(err);
	*ret = bytes;
	if (ret_len)
		*ret_len = len;
	return 0;
}

/* Makes name with these bytes; on failure it is not there. shown is the name for messages. */
static int create_file(int dirfd, const char *name, const char *shown, const void *bytes, size_t len, bool sync,
		       struct nacre_error *err)
{
	NC_AUTO_FD int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return nc_fail(err, NACRE_E_EXISTS, EEXIST, "create '%s'", shown);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "create '%s'", shown);
	const char *step = "write";
	int sys = nc_write_full(fd, bytes, len);
	if (!sys && sync) {
		step = "sync";
		sys = fdatasync(fd) < 0 ? errno : 0;
	}
	if (!sys) {
		step = "close";
		sys = close(nc_fd_give(&fd)) < 0 && errno != EINTR ? errno : 0;
	}
	if (!sys)
		return 0;
	unlinkat(dirfd, name, 0);
	return nc_fail(err, NACRE_E_IO, sys, "%s '%s'", step, shown);
}

int nc_file_exists(int dirfd, const char *name, struct nacre_error *err)
{
	struct stat st;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "look for '%s'", name);
}

int nc_file_create(int dirfd, const char *name, const void *bytes, size_t len, struct nacre_error *err)
{
	return create_file(dirfd, name, name, bytes, len, false, err);
}

static int sync_directory(int dirfd)
{
	/* opened anew, as dirfd may be AT_FDCWD or O_PATH */
	NC_AUTO_FD int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? errno : 0;
}

int nc_file_replace(int dirfd, const char *name, const void *bytes, size_t len, bool durable,
		    struct nacre_error *err)
{
	if (!*name || strchr(name, '/'))
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' is not the name of a file in its directory", name);
	char temporary[sizeof NC_TEMPORARY + 16] = NC_TEMPORARY;
	int code;
	do {
		code = nc_random_hex(temporary + strlen(NC_TEMPORARY), 16, err);
		if (code == 0)
			code = create_file(dirfd, temporary, name, bytes, len, durable, err);
	} while (code == NACRE_E_EXISTS);
	if (code < 0)
		return code;
	if (renameat(dirfd, temporary, dirfd, name) < 0) {
		code = nc_fail(err, NACRE_E_IO, errno, "replace '%s'", name);
		unlinkat(dirfd, temporary, 0);
		return code;
	}
	int sys = durable ? sync_directory(dirfd) : 0;
	return sys ? nc_fail(err, NACRE_E_IO, sys, "sync the directory of '%s'", name) : 0;
}

/* --- directories ------------------------------------------------------------------------------------------------ */

int nc_dir_open(int dirfd, const char *name, int *ret_fd, struct nacre_error *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno, "open directory '%s'",
			       name);
	*ret_fd = fd;
	return 0;
}

/* For file systems without O_TMPFILE: a file whose name is taken away at once. */
static int make_and_unlink(const char *dir, struct nacre_error *err)
{
	char name[4096];
	if (snprintf(name, sizeof name, "%s/nacre-XXXXXX", dir) >= (int)sizeof name)
		return nc_fail(err, NACRE_E_IO, ENAMETOOLONG, "make a temporary file in '%s'", dir);
	int fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "make a temporary file in '%s'", dir);
	unlink(name);
	return fd;
}

int nc_file_unnamed(int dir, int *ret_fd, struct nacre_error *err)
{
	const char *tmp = getenv("TMPDIR");
	char path[64];
	if (!tmp || !*tmp)
		tmp = "/var/tmp";
	snprintf(path, sizeof path, "/proc/self/fd/%d", dir);
	int fd = dir >= 0 ? openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
			  : open(tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		fd = make_and_unlink(dir >= 0 ? path : tmp, err);
	else if (fd < 0)
		fd = nc_fail(err, NACRE_E_IO, errno, "make a temporary file%s%s%s", dir >= 0 ? "" : " in '",
			     dir >= 0 ? "" : tmp, dir >= 0 ? "" : "'");
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

int nc_dir_ensure(int dirfd, const char *name, int *ret_fd, struct nacre_error *err)
{
	if (mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
		return nc_fail(err, NACRE_E_IO, errno, "make directory '%s'", name);
	return nc_dir_open(dirfd, name, ret_fd, err);
}

static void close_dir(DIR **dir)
{
	int saved = errno;
	if (*dir)
		closedir(*dir);
	errno = saved;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

int nc_dir_each(int fd, int (*fn)(void *ctx, const char *name, unsigned char type, struct nacre_error *err),
		void *ctx, struct nacre_error *err)
{
	/* a descriptor of its own, as the position belongs to the open file description */
	NC_AUTO_FD int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (own < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open a directory");
	NC_CLEANUP(close_dir) DIR *dir = fdopendir(own);
	if (!dir)
		return nc_fail(err, NACRE_E_IO, errno, "open a directory");
	nc_fd_give(&own);
	struct dirent *entry;
	while (errno = 0, (entry = readdir(dir))) {
		int code = is_dots(entry->d_name) ? 0 : fn(ctx, entry->d_name, entry->d_type, err);
		if (code != 0)
			return code;
	}
	return errno ? nc_fail(err, NACRE_E_IO, errno, "read a directory") : 0;
}

struct names {
	char **list;
	size_t count, cap, max;
};

static void release_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

static int add_name(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct names *names = ctx;
	if (names->count == names->max)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %zu entries in a directory", names->max);
	char **list = nc_grown(names->list, names->count, &names->cap, sizeof *list);
	if (!list)
		return nc_nomem(err);
	names->list = list;
	names->list[names->count] = nc_strdup(name);
	if (!names->list[names->count])
		return nc_nomem(err);
	names->count++;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int nc_dir_each_sorted(int fd, size_t max, int (*fn)(void *ctx, const char *name, struct nacre_error *err), void *ctx,
		       struct nacre_error *err)
{
	NC_CLEANUP(release_names) struct names names = { .max = max };
	int code = nc_dir_each(fd, add_name, &names, err);
	if (code < 0)
		return code;
	if (names.count)
		qsort(names.list, names.count, sizeof *names.list, compare_names);
	for (size_t i = 0; i < names.count; i++) {
		code = fn(ctx, names.list[i], err);
		if (code != 0)
			return code;
	}
	return 0;
}
