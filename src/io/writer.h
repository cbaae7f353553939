/* Streams of bytes that are pushed. Adaptors own what they write to: closing the outermost closes the chain.
 * What can fail at the end of life has its own verb, finish, before the destructor. */
#ifndef NC_IO_WRITER_H
#define NC_IO_WRITER_H

#include "base/error.h"
#include "base/mem.h"
#include "io/digest.h"
#include "io/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nc_writer;

struct nc_writer_ops {
	/* Write all of it, or fail; after a failure every call fails alike. */
	int (*write)(struct nc_writer *writer, const void *bytes, size_t len, struct nacre_error *err);
	/* Write out what is held back and finish downstream too. Called at most once. No sync. */
	int (*finish)(struct nc_writer *writer, struct nacre_error *err);
	/* Free everything, the downstream writer included, finished or not. */
	void (*close)(struct nc_writer *writer);
};

struct nc_writer {
	const struct nc_writer_ops *ops;
};

static inline int nc_writer_write(struct nc_writer *writer, const void *bytes, size_t len, struct nacre_error *err)
{
	return writer->ops->write(writer, bytes, len, err);
}
static inline int nc_writer_finish(struct nc_writer *writer, struct nacre_error *err)
{
	return writer->ops->finish(writer, err);
}
void nc_writer_close(struct nc_writer *writer);	/* NULL is fine */
NC_DEFINE_CLEANUP(nc_writer_auto, struct nc_writer *, nc_writer_close)

/* Makers. Those that take a writer take it at once: on failure they have closed it. */

/* Buffered writes to fd. owned: finish closes fd and checks it, close closes it. name serves the messages. */
int nc_writer_fd(int fd, bool owned, const char *name, struct nc_writer **ret, struct nacre_error *err);
/* The same for a new file that will be long and that somebody syncs in the end: its bytes are sent on their way to the disk
 * as they come, so that the sync is short. */
int nc_writer_fd_early(int fd, bool owned, const char *name, struct nc_writer **ret, struct nacre_error *err);
/* Appends to a buffer (borrowed). */
struct nc_buf;
int nc_writer_buf(struct nc_buf *buf, struct nc_writer **ret, struct nacre_error *err);
/* Passes through and feeds hash (borrowed, may be NULL) and *count (borrowed, may be NULL). */
int nc_writer_hashing(struct nc_writer *downstream, struct nc_hash *hash, uint64_t *count, struct nc_writer **ret,
		      struct nacre_error *err);
/* Swallows everything. */
int nc_writer_null(struct nc_writer **ret, struct nacre_error *err);
/* Hands every run of bytes to fn (a nacre_sink of the caller's); a negative answer is NACRE_E_CANCELLED. */
int nc_writer_callback(int (*fn)(void *ctx, const void *bytes, size_t len), void *ctx, struct nc_writer **ret,
		       struct nacre_error *err);

/* Pulls reader to its end into writer. Neither is closed or finished. ret_count may be NULL. */
int nc_copy_stream(struct nc_reader *reader, struct nc_writer *writer, uint64_t *ret_count, struct nacre_error *err);

#endif
