/* Blobs on their way that survive the death of who brings them: blobs/partial/<hex>, as far as they came. The owner holds a
 * lock (flock) on the file. A file is only appended to, and never when it has another name too: that is a blob which an image
 * has. */
#include "store/partial.h"

#include "store/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Others may remove what we are about to open. */
#define TRIES 8
#define BLOBS_MAX ((size_t)1 << 20)

struct nc_partial {
	int dir, fd;
	uint64_t size;
	char hex[NC_HEX_ID];
};

static int open_dir(struct nacre_store *store, bool make, int *ret_dir, struct nacre_error *err)
{
	NC_AUTO_FD int blobs = -1;
	int code = nc_dir_open(store->root, "blobs", &blobs, err);
	if (code < 0)
		return code;
	return make ? nc_dir_ensure(blobs, "partial", ret_dir, err) : nc_dir_open(blobs, "partial", ret_dir, err);
}

/* 1: ret_fd is the file of that name, and ours alone; 0: it is somebody else's, or was removed meanwhile (then errno is
 * ESTALE). */
static int own(int dir, const char *hex, int flags, int *ret_fd, struct stat *ret_st, struct nacre_error *err)
{
	struct stat named;
	NC_AUTO_FD int fd = openat(dir, hex, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno, "open a partial blob");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		errno = EWOULDBLOCK;
		return 0;
	}
	if (fstat(fd, ret_st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "look at a partial blob");
	if (fstatat(dir, hex, &named, AT_SYMLINK_NOFOLLOW) < 0 || named.st_ino != ret_st->st_ino) {
		errno = ESTALE;
		return 0;
	}
	*ret_fd = fd;
	fd = -1;
	return 1;
}

static int open_own(struct nacre_store *store, struct nc_partial *partial, uint64_t size, struct nacre_error *err)
{
	for (int i = 0; i < TRIES; i++) {
		struct stat st;
		nc_fd_release(&partial->dir);
		int code = open_dir(store, true, &partial->dir, err);
		if (code == 0)
			code = own(partial->dir, partial->hex, O_RDWR | O_CREAT, &partial->fd, &st, err);
		/* its directory went with the last of another's */
		if (code == NACRE_E_NOTFOUND || (code == 0 && errno == ESTALE))
			continue;
		if (code <= 0)
			return code;
		bool whole = (uint64_t)st.st_size == size;
		if (S_ISREG(st.st_mode) && ((st.st_nlink == 1 && (uint64_t)st.st_size <= size) || whole)) {
			partial->size = (uint64_t)st.st_size;
			return 1;
		}
		if (unlinkat(partial->dir, partial->hex, 0) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "remove a partial blob");
		nc_fd_release(&partial->fd);
	}
	return 0;
}

int nc_partial_open(struct nacre_store *store, const struct nc_digest *digest, uint64_t size, struct nc_partial **ret,
		    struct nacre_error *err)
{
	char hex[NC_DIGEST_TEXT];
	if (digest->alg != NC_SHA256 || store->readonly)
		return 0;
	NC_CLEANUP(nc_partial_auto) struct nc_partial *partial = nc_zalloc(sizeof *partial);
	if (!partial)
		return nc_nomem(err);
	partial->dir = partial->fd = -1;
	memcpy(partial->hex, nc_digest_hex(digest, hex), NC_HEX_ID);
	int code = open_own(store, partial, size, err);
	if (code > 0)
		*ret = NC_GIVE(partial);
	return code;
}

uint64_t nc_partial_size(const struct nc_partial *partial)
{
	return partial->size;
}

ssize_t nc_partial_read(const struct nc_partial *partial, uint64_t at, void *buf, size_t len, struct nacre_error *err)
{
	ssize_t n;
	do
		n = pread(partial->fd, buf, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return nc_fail(err, NACRE_E_IO, errno, "read a partial blob");
	return n ? n : nc_fail(err, NACRE_E_CORRUPT, 0, "a partial blob has become shorter");
}

int nc_partial_append(struct nc_partial *partial, const void *bytes, size_t len, struct nacre_error *err)
{
	for (const char *at = bytes; len > 0;) {
		ssize_t n = pwrite(partial->fd, at, len, (off_t)partial->size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return nc_fail(err, NACRE_E_IO, errno, "keep a partial blob");
		partial->size += (uint64_t)n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int nc_partial_link(const struct nc_partial *partial, int dir, const char *name, struct nacre_error *err)
{
	if (linkat(partial->dir, partial->hex, dir, name, 0) < 0 && errno != EEXIST)
		return nc_fail(err, NACRE_E_IO, errno, "name a blob");
	return 0;
}

/* The directory goes with the last of them. */
static void tidy(int dir)
{
	NC_AUTO_FD int blobs = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (blobs >= 0)
		unlinkat(blobs, "partial", AT_REMOVEDIR);
}

static int drop(int dir, const char *hex, struct nacre_error *err)
{
	if (unlinkat(dir, hex, 0) < 0 && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "remove a partial blob");
	tidy(dir);
	return 0;
}

int nc_partial_drop(struct nc_partial *partial, struct nacre_error *err)
{
	int code = drop(partial->dir, partial->hex, err);
	nc_partial_close(partial);
	return code;
}

void nc_partial_close(struct nc_partial *partial)
{
	if (!partial)
		return;
	nc_fd_release(&partial->fd);
	nc_fd_release(&partial->dir);
	free(partial);
}

/* --- those of the dead ------------------------------------------------------------------------------------------ */

/* 1: it is there, and nobody is at it. */
static int own_idle(struct nacre_store *store, const char *hex, int *ret_dir, int *ret_fd, struct nacre_error *err)
{
	struct stat st;
	int code = open_dir(store, false, ret_dir, err);
	if (code == 0)
		code = own(*ret_dir, hex, O_RDONLY, ret_fd, &st, err);
	return code == NACRE_E_NOTFOUND ? 0 : code;
}

bool nc_partial_idle(struct nacre_store *store, const char *hex)
{
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FD int fd = -1;
	return own_idle(store, hex, &dir, &fd, NULL) > 0;
}

int nc_partial_remove(struct nacre_store *store, const char *hex, struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FD int fd = -1;
	int code = own_idle(store, hex, &dir, &fd, err);
	/* who removed it may have died before the directory went */
	if (code == 0 && dir >= 0)
		tidy(dir);
	if (code <= 0)
		return code;
	code = drop(dir, hex, err);
	return code < 0 ? code : 1;
}

uint64_t nc_partial_there(struct nacre_store *store, const struct nc_digest *digest)
{
	NC_AUTO_FD int dir = -1;
	char hex[NC_DIGEST_TEXT];
	struct stat st;
	if (digest->alg != NC_SHA256 || open_dir(store, false, &dir, NULL) < 0 ||
	    fstatat(dir, nc_digest_hex(digest, hex), &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return (uint64_t)st.st_size;
}

struct visit {
	int (*fn)(void *ctx, const char *hex, struct nacre_error *err);
	void *ctx;
};

static int visit_blob(void *ctx, const char *name, struct nacre_error *err)
{
	const struct visit *visit = ctx;
	return nc_id_valid(name) ? visit->fn(visit->ctx, name, err) : 0;
}

int nc_partial_each(struct nacre_store *store, int (*fn)(void *ctx, const char *hex, struct nacre_error *err), void *ctx,
		    struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	struct visit visit = { fn, ctx };
	int code = open_dir(store, false, &dir, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND ? 0 : code;
	return nc_dir_each_sorted(dir, BLOBS_MAX, visit_blob, &visit, err);
}
