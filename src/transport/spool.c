#include "transport/spool.h"

#include "io/failure.h"
#include "io/fd.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- files ------------------------------------------------------------------------------------------------------ */

int nc_spool_file(const struct nc_spool *spool, int *ret_fd, struct nacre_error *err)
{
	if (spool->store)
		return nc_store_spool(spool->store, ret_fd, err);
	if (spool->dir < 0)
		return nc_file_unnamed(-1, ret_fd, err);
	int code = nc_file_unnamed(spool->dir, ret_fd, err);
	return code < 0 ? nc_wrap(err, code, "the destination's directory") : 0;
}

/* --- reading one ------------------------------------------------------------------------------------------------ */

struct spooled_reader {
	struct nc_reader base;
	struct nc_reader *upstream;
	int fd;
};

static ssize_t spooled_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	return nc_reader_next(((struct spooled_reader *)reader)->upstream, ret, err);
}

static void spooled_close(struct nc_reader *reader)
{
	struct spooled_reader *self = (struct spooled_reader *)reader;
	nc_reader_close(self->upstream);
	nc_fd_release(&self->fd);
	free(self);
}

static const struct nc_reader_ops spooled_ops = { .next = spooled_next, .close = spooled_close };

static int fill(int fd, struct nc_reader *upstream, uint64_t *ret_size, struct nacre_error *err)
{
	NC_CLEANUP(nc_writer_auto) struct nc_writer *writer = NULL;
	int code = nc_writer_fd(fd, false, "temporary file", &writer, err);
	if (code >= 0)
		code = nc_copy_stream(upstream, writer, ret_size, err);
	return code < 0 ? code : nc_writer_finish(writer, err);
}

int nc_spool_reader(const struct nc_spool *spool, struct nc_reader *upstream, struct nc_reader **ret,
		    uint64_t *ret_size, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *taken = upstream;
	NC_AUTO_FREE struct spooled_reader *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &spooled_ops;
	int fd NC_AUTO_FD = -1;
	uint64_t size;
	int code = nc_spool_file(spool, &fd, err);
	if (code >= 0)
		code = fill(fd, taken, &size, err);
	if (code >= 0)
		code = nc_reader_file_range(fd, 0, size, "temporary file", &self->upstream, err);
	if (code < 0)
		return code;
	self->fd = nc_fd_give(&fd);
	*ret = &NC_GIVE(self)->base;
	*ret_size = size;
	return 0;
}

/* --- tee -------------------------------------------------------------------------------------------------------- */

struct tee_reader {
	struct nc_reader base;
	struct nc_reader *upstream;
	struct nc_writer *writer;
	struct nacre_error failure;
};

static ssize_t tee_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct tee_reader *self = (struct tee_reader *)reader;
	if (self->failure.code)
		return nc_failure_tell(&self->failure, self->failure.code, err);
	ssize_t n = nc_reader_next(self->upstream, ret, &self->failure);
	int code = n > 0 ? nc_writer_write(self->writer, *ret, (size_t)n, &self->failure) : (int)n;
	return code < 0 ? nc_failure_tell(&self->failure, code, err) : n;
}

static void tee_close(struct nc_reader *reader)
{
	struct tee_reader *self = (struct tee_reader *)reader;
	nc_reader_close(self->upstream);
	free(self);
}

static int tee_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return nc_reader_keep(((struct tee_reader *)reader)->upstream, count, err);
}

static const struct nc_reader_ops tee_ops = { tee_next, tee_close, tee_keep };

int nc_reader_tee(struct nc_reader *upstream, struct nc_writer *writer, struct nc_reader **ret,
		  struct nacre_error *err)
{
	struct tee_reader *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	self->base.ops = &tee_ops;
	self->upstream = upstream;
	self->writer = writer;
	*ret = &self->base;
	return 0;
}
