#include "io/writer.h"

#include "base/buf.h"
#include "io/failure.h"
#include "io/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each call but the last writes whole blocks at multiples of their length: file systems then keep a file in large pages, which
 * are made, and dropped with the file, at once. */
#ifndef WRITE_BLOCK
#define WRITE_BLOCK ((size_t)256 * 1024)
#endif

void nc_writer_close(struct nc_writer *writer)
{
	if (!writer)
		return;
	int saved = errno;
	writer->ops->close(writer);
	errno = saved;
}

/* --- a descriptor ----------------------------------------------------------------------------------------------- */

struct fd_writer {
	struct nc_writer base;
	struct nacre_error failure;
	int fd;
	bool owned, early;
	char *name;
	uint64_t put, sent;		/* bytes written, and sent on their way */
	size_t held;
	char block[WRITE_BLOCK];
};

static int fd_put(struct fd_writer *self, const void *bytes, size_t len, struct nacre_error *err)
{
	int sys = nc_write_full(self->fd, bytes, len);
	if (sys)
		return nc_fail(err, NACRE_E_IO, sys, "write '%s'", self->name);
	self->put += len;
	if (self->early)
		nc_send_early(self->fd, self->put, &self->sent);
	return 0;
}

static int fd_flush(struct fd_writer *self, struct nacre_error *err)
{
	size_t held = self->held;
	self->held = 0;
	return held ? fd_put(self, self->block, held, err) : 0;
}

/* All of them, or as many as the block has room for. */
static size_t hold(struct fd_writer *self, const char *bytes, size_t len)
{
	size_t taken = len < WRITE_BLOCK - self->held ? len : WRITE_BLOCK - self->held;
	memcpy(self->block + self->held, bytes, taken);
	self->held += taken;
	return taken;
}

static int fd_add(struct fd_writer *self, const char *bytes, size_t len, struct nacre_error *err)
{
	size_t done = self->held ? hold(self, bytes, len) : 0;
	int code = self->held == WRITE_BLOCK ? fd_flush(self, err) : 0;
	if (code < 0 || done == len)
		return code;
	size_t whole = (len - done) / WRITE_BLOCK * WRITE_BLOCK;
	code = whole ? fd_put(self, bytes + done, whole, err) : 0;
	if (code == 0)
		hold(self, bytes + done + whole, len - done - whole);
	return code;
}

static int fd_end(struct fd_writer *self, struct nacre_error *err)
{
	int code = fd_flush(self, err);
	if (code == 0 && self->owned && close(nc_fd_give(&self->fd)) < 0 && errno != EINTR)
		code = nc_fail(err, NACRE_E_IO, errno, "close '%s'", self->name);
	return code;
}

static int fd_write(struct nc_writer *writer, const void *bytes, size_t len, struct nacre_error *err)
{
	struct fd_writer *self = (struct fd_writer *)writer;
	int code = self->failure.code ? self->failure.code : fd_add(self, bytes, len, &self->failure);
	return code < 0 ? nc_failure_tell(&self->failure, code, err) : 0;
}

static int fd_finish(struct nc_writer *writer, struct nacre_error *err)
{
	struct fd_writer *self = (struct fd_writer *)writer;
	int code = self->failure.code ? self->failure.code : fd_end(self, &self->failure);
	return code < 0 ? nc_failure_tell(&self->failure, code, err) : 0;
}

static void fd_close(struct nc_writer *writer)
{
	struct fd_writer *self = (struct fd_writer *)writer;
	if (self->owned)
		nc_fd_release(&self->fd);
	free(self->name);
	free(self);
}

static const struct nc_writer_ops fd_ops = { fd_write, fd_finish, fd_close };

int nc_writer_fd(int fd, bool owned, const char *name, struct nc_writer **ret, struct nacre_error *err)
{
	struct fd_writer *self = nc_alloc(sizeof *self);
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
	self->early = false;
	self->name = copy;
	self->put = self->sent = 0;
	self->held = 0;
	*ret = &self->base;
	return 0;
}

int nc_writer_fd_early(int fd, bool owned, const char *name, struct nc_writer **ret, struct nacre_error *err)
{
	int code = nc_writer_fd(fd, owned, name, ret, err);
	if (code == 0)
		((struct fd_writer *)*ret)->early = true;
	return code;
}

/* --- writers without a resource of their own -------------------------------------------------------------------- */

static int nothing_to_finish(struct nc_writer *writer, struct nacre_error *err)
{
	return 0;
}

static void free_alone(struct nc_writer *writer)
{
	free(writer);
}

struct buf_writer {
	struct nc_writer base;
	struct nc_buf *buf;
	struct nacre_error failure;
};

static int buf_write(struct nc_writer *writer, const void *bytes, size_t len, struct nacre_error *err)
{
	struct buf_writer *self = (struct buf_writer *)writer;
	int code = self->failure.code ? self->failure.code : nc_buf_add(self->buf, bytes, len, &self->failure);
	return code < 0 ? nc_failure_tell(&self->failure, code, err) : 0;
}

static const struct nc_writer_ops buf_ops = { buf_write, nothing_to_finish, free_alone };

int nc_writer_buf(struct nc_buf *buf, struct nc_writer **ret, struct nacre_error *err)
{
	struct buf_writer *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &buf_ops;
	self->buf = buf;
	*ret = &self->base;
	return 0;
}

static int null_write(struct nc_writer *writer, const void *bytes, size_t len, struct nacre_error *err)
{
	return 0;
}

static const struct nc_writer_ops null_ops = { null_write, nothing_to_finish, free_alone };

int nc_writer_null(struct nc_writer **ret, struct nacre_error *err)
{
	struct nc_writer *self = nc_alloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->ops = &null_ops;
	*ret = self;
	return 0;
}

struct callback_writer {
	struct nc_writer base;
	int (*fn)(void *ctx, const void *bytes, size_t len);
	void *ctx;
	bool stopped;
};

static int callback_write(struct nc_writer *writer, const void *bytes, size_t len, struct nacre_error *err)
{
	struct callback_writer *self = (struct callback_writer *)writer;
	if (!self->stopped && len && self->fn(self->ctx, bytes, len) < 0)
		self->stopped = true;
	return self->stopped ? nc_fail(err, NACRE_E_CANCELLED, 0, "stopped by the receiver of the bytes") : 0;
}

static const struct nc_writer_ops callback_ops = { callback_write, nothing_to_finish, free_alone };

int nc_writer_callback(int (*fn)(void *ctx, const void *bytes, size_t len), void *ctx, struct nc_writer **ret,
		       struct nacre_error *err)
{
	struct callback_writer *self = nc_alloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	*self = (struct callback_writer){ { &callback_ops }, fn, ctx, false };
	*ret = &self->base;
	return 0;
}

/* --- hashing ---------------------------------------------------------------------------------------------------- */

struct hashing_writer {
	struct nc_writer base;
	struct nc_writer *downstream;
	struct nc_hash *hash;
	uint64_t *count;
};

static int hashing_write(struct nc_writer *writer, const void *bytes, size_t len, struct nacre_error *err)
{
	struct hashing_writer *self = (struct hashing_writer *)writer;
	int code = nc_writer_write(self->downstream, bytes, len, err);
	if (code < 0)
		return code;
	if (self->hash)
		nc_hash_add(self->hash, bytes, len);
	if (self->count)
		*self->count += len;
	return 0;
}

static int hashing_finish(struct nc_writer *writer, struct nacre_error *err)
{
	return nc_writer_finish(((struct hashing_writer *)writer)->downstream, err);
}

static void hashing_close(struct nc_writer *writer)
{
	struct hashing_writer *self = (struct hashing_writer *)writer;
	nc_writer_close(self->downstream);
	free(self);
}

static const struct nc_writer_ops hashing_ops = { hashing_write, hashing_finish, hashing_close };

int nc_writer_hashing(struct nc_writer *downstream, struct nc_hash *hash, uint64_t *count, struct nc_writer **ret,
		      struct nacre_error *err)
{
	struct hashing_writer *self = nc_alloc(sizeof *self);
	if (!self) {
		nc_writer_close(downstream);
		return nc_nomem(err);
	}
	*self = (struct hashing_writer){ { &hashing_ops }, downstream, hash, count };
	*ret = &self->base;
	return 0;
}

/* --- from a reader ---------------------------------------------------------------------------------------------- */

int nc_copy_stream(struct nc_reader *reader, struct nc_writer *writer, uint64_t *ret_count, struct nacre_error *err)
{
	uint64_t count = 0;
	const void *block;
	ssize_t n;
	while ((n = nc_reader_next(reader, &block, err)) > 0) {
		int code = nc_writer_write(writer, block, (size_t)n, err);
		if (code < 0)
			return code;
		count += (uint64_t)n;
	}
	if (n < 0)
		return (int)n;
	if (ret_count)
		*ret_count = count;
	return 0;
}
