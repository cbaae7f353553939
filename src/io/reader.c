#include "io/reader.h"

#include "base/buf.h"
#include "base/cancel.h"
#include "io/aside.h"
#include "io/failure.h"
#include "io/fd.h"
#include "io/turns.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Large enough that system calls cost nothing, small enough that a chain of readers stays in the cache. */
#ifndef READ_BLOCK
#define READ_BLOCK ((size_t)256 * 1024)
#endif
/* How long a cancelled reader may go on waiting. */
#define LOOK_UP_MS 100

void nc_reader_close(struct nc_reader *reader)
{
	if (!reader)
		return;
	int saved = errno;
	reader->ops->close(reader);
	errno = saved;
}

/* --- a range of a file ------------------------------------------------------------------------------------------ */

struct range_reader {
	struct nc_reader base;
	struct nacre_error failure;
	int fd;
	uint64_t offset, length, done;
	char *name;
	struct nc_turns turns;
	char block[READ_BLOCK];
};

static ssize_t range_fill(struct range_reader *self, const void **ret, struct nacre_error *err)
{
	uint64_t left = self->length - self->done;
	size_t want = left < READ_BLOCK ? (size_t)left : READ_BLOCK;
	unsigned char *block = nc_turns_next(&self->turns);
	ssize_t n = nc_pread_full(self->fd, block, want, self->offset + self->done);
	if (n < 0)
		return nc_fail(err, NACRE_E_IO, errno, "read '%s'", self->name);
	if ((size_t)n < want)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' ends after %llu of %llu bytes", self->name,
			       (unsigned long long)(self->done + (uint64_t)n), (unsigned long long)self->length);
	self->done += (uint64_t)n;
	*ret = block;
	return n;
}

static ssize_t range_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct range_reader *self = (struct range_reader *)reader;
	if (self->failure.code)
		return nc_failure_tell(&self->failure, self->failure.code, err);
	ssize_t n = self->done < self->length ? range_fill(self, ret, &self->failure) : 0;
	if (n < 0)
		return nc_failure_tell(&self->failure, (int)n, err);
	return n;
}

static int range_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return nc_turns_keep(&((struct range_reader *)reader)->turns, count, err);
}

static void range_close(struct nc_reader *reader)
{
	struct range_reader *self = (struct range_reader *)reader;
	nc_turns_release(&self->turns);
	free(self->name);
	free(self);
}

static const struct nc_reader_ops range_ops = { range_next, range_close, range_keep };

int nc_reader_file_range(int fd, uint64_t offset, uint64_t length, const char *name, struct nc_reader **ret,
			 struct nacre_error *err)
{
	if (offset > INT64_MAX || length > INT64_MAX - offset)
		return nc_fail(err, NACRE_E_BADDATA, 0, "%llu bytes from byte %llu on do not fit into '%s'",
			       (unsigned long long)length, (unsigned long long)offset, name);
	struct range_reader *self = nc_alloc(sizeof *self);
	char *copy = nc_strdup(name);
	if (!self || !copy) {
		free(self);
		free(copy);
		return nc_nomem(err);
	}
	self->base.ops = &range_ops;
	self->failure = (struct nacre_error){ 0 };
	self->fd = fd;
	self->offset = offset;
	self->length = length;
	self->done = 0;
	self->name = copy;
	self->turns = nc_turns_of(self->block, sizeof self->block);
	*ret = &self->base;
	return 0;
}

/* --- a descriptor, to its end ----------------------------------------------------------------------------------- */

struct fd_reader {
	struct nc_reader base;
	struct nacre_error failure;
	int fd;
	bool owned, ended;
	bool waits;			/* it may have to wait for bytes */
	const volatile int *cancel;	/* NULL: it waits for as long as it takes */
	char *name;
	struct nc_turns turns;
	char block[READ_BLOCK];
};

/* Waits for bytes, looking up from time to time: the signal that sets the flag may go to another thread, or come just
 * before the wait, and who reads ahead may not be wanted any more. Returns whether there is something to read. */
static bool wait_for_bytes(struct fd_reader *self)
{
	struct pollfd wait = { .fd = self->fd, .events = POLLIN };
	while (!nc_cancelled(self->cancel) && !nc_aside_unwanted()) {
		int ready = poll(&wait, 1, LOOK_UP_MS);
		if (ready > 0 || (ready < 0 && errno != EINTR))
			return true;
	}
	return false;
}

static ssize_t fd_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct fd_reader *self = (struct fd_reader *)reader;
	if (self->failure.code)
		return nc_failure_tell(&self->failure, self->failure.code, err);
	if (self->ended)
		return 0;
	if (self->waits && (self->cancel || nc_aside_here()) && !wait_for_bytes(self))
		return nc_failure_tell(&self->failure, nc_fail(&self->failure, NACRE_E_CANCELLED, 0, "cancelled"),
				       err);
	unsigned char *block = nc_turns_next(&self->turns);
	ssize_t n = nc_read_some(self->fd, block, sizeof self->block);
	if (n < 0)
		return nc_failure_tell(&self->failure,
				       nc_fail(&self->failure, NACRE_E_IO, errno, "read '%s'", self->name), err);
	self->ended = n == 0;
	*ret = block;
	return n;
}

static int fd_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return nc_turns_keep(&((struct fd_reader *)reader)->turns, count, err);
}

static void fd_close(struct nc_reader *reader)
{
	struct fd_reader *self = (struct fd_reader *)reader;
	if (self->owned)
		nc_fd_release(&self->fd);
	nc_turns_release(&self->turns);
	free(self->name);
	free(self);
}

static const struct nc_reader_ops fd_ops = { fd_next, fd_close, fd_keep };

int nc_reader_fd(int fd, bool owned, const char *name, struct nc_reader **ret, struct nacre_error *err)
{
	return nc_reader_fd_watched(fd, owned, name, NULL, ret, err);
}

int nc_reader_fd_watched(int fd, bool owned, const char *name, const volatile int *cancel, struct nc_reader **ret,
			 struct nacre_error *err)
{
	struct fd_reader *self = nc_alloc(sizeof *self);
	struct stat st;
	char *copy = nc_strdup(name);
	if (!self || !copy) {
		free(self);
		free(copy);
		if (owned)
			nc_fd_release(&fd);
		return nc_nomem(err);
	}
	self->base.ops = &fd_ops;
	self->failure = (struct nacre_error){ 0 };
	self->fd = fd;
	self->owned = owned;
	self->ended = false;
	self->waits = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode);
	self->cancel = cancel;
	self->name = copy;
	self->turns = nc_turns_of(self->block, sizeof self->block);
	*ret = &self->base;
	return 0;
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

struct memory_reader {
	struct nc_reader base;
	const void *bytes;
	size_t len;	/* 0 once they were lent */
	void *owned;	/* or NULL */
};

static ssize_t memory_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct memory_reader *self = (struct memory_reader *)reader;
	size_t len = self->len;
	*ret = self->bytes;
	self->len = 0;
	return (ssize_t)len;
}

static void memory_close(struct nc_reader *reader)
{
	struct memory_reader *self = (struct memory_reader *)reader;
	free(self->owned);
	free(self);
}

static int memory_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return 1;
}

static const struct nc_reader_ops memory_ops = { memory_next, memory_close, memory_keep };

int nc_reader_memory(const void *bytes, size_t len, struct nc_reader **ret, struct nacre_error *err)
{
	struct memory_reader *self = nc_alloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	*self = (struct memory_reader){ .base.ops = &memory_ops, .bytes = bytes, .len = len };
	*ret = &self->base;
	return 0;
}

int nc_reader_owned(void *bytes, size_t len, struct nc_reader **ret, struct nacre_error *err)
{
	struct nc_reader *reader = NULL;
	int code = nc_reader_memory(bytes, len, &reader, err);
	if (code < 0) {
		free(bytes);
		return code;
	}
	((struct memory_reader *)reader)->owned = bytes;
	*ret = reader;
	return 0;
}

/* --- to the end ------------------------------------------------------------------------------------------------- */

int nc_reader_slurp(struct nc_reader *reader, size_t max, char **ret, size_t *ret_len, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(max);
	const void *block;
	ssize_t n;
	while ((n = nc_reader_next(reader, &block, err)) > 0) {
		int code = nc_buf_add(&buf, block, (size_t)n, err);
		if (code < 0)
			return code;
	}
	if (n < 0)
		return (int)n;
	size_t len = buf.len;
	char *bytes = nc_buf_give(&buf);
	if (!bytes)
		return nc_nomem(err);
	*ret = bytes;
	if (ret_len)
		*ret_len = len;
	return 0;
}

int nc_reader_drain(struct nc_reader *reader, struct nacre_error *err)
{
	const void *block;
	ssize_t n;
	while ((n = nc_reader_next(reader, &block, err)) > 0)
		;
	return (int)n;
}
