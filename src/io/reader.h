/* Streams of bytes that are pulled, in blocks that are lent and never copied.
 *
 * A reader lends the next block with every call; the block stays valid until the next call or the close.
 * Adaptors own what they read from: closing the outermost closes the chain.
 * A reader belongs to one thread at a time. */
#ifndef NC_IO_READER_H
#define NC_IO_READER_H

#include "base/error.h"
#include "base/mem.h"
#include "io/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nc_reader;

/* What the implementer of a reader owes. */
struct nc_reader_ops {
	/* Lend the next bytes. Returns their number (never more than SSIZE_MAX), 0 at the end (and again 0 at
	 * every call after it), or a negative code; after a failure every call fails alike. */
	ssize_t (*next)(struct nc_reader *reader, const void **ret, struct nacre_error *err);
	/* Free everything, the upstream reader included. */
	void (*close)(struct nc_reader *reader);
	/* From now on each block stays valid until the count-th call of next after the one that lent it. Returns 1, 0 when
	 * that cannot be had, or a negative code. NULL: it never can. */
	int (*keep)(struct nc_reader *reader, unsigned count, struct nacre_error *err);
};

/* The first member of every reader. */
struct nc_reader {
	const struct nc_reader_ops *ops;
};

static inline ssize_t nc_reader_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	return reader->ops->next(reader, ret, err);
}
static inline int nc_reader_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return reader->ops->keep ? reader->ops->keep(reader, count, err) : 0;
}
void nc_reader_close(struct nc_reader *reader);	/* NULL is fine */
NC_DEFINE_CLEANUP(nc_reader_auto, struct nc_reader *, nc_reader_close)

/* Makers. Those that take a reader take it at once: on failure they have closed it. */

/* length bytes of fd from offset on, by pread; fd is borrowed and its position stays. A file that is shorter
 * is NACRE_E_BADDATA ("... ends after N of M bytes"); name is copied and serves the messages. */
int nc_reader_file_range(int fd, uint64_t offset, uint64_t length, const char *name, struct nc_reader **ret,
			 struct nacre_error *err);
/* fd from its position to its end, by read (pipes too). owned: close fd with the reader. */
int nc_reader_fd(int fd, bool owned, const char *name, struct nc_reader **ret, struct nacre_error *err);
/* The same for what a user gave us, a pipe perhaps whose other end says nothing: when *cancel (borrowed, may be NULL)
 * is set while it waits, it stops soon with NACRE_E_CANCELLED. */
int nc_reader_fd_watched(int fd, bool owned, const char *name, const volatile int *cancel, struct nc_reader **ret,
			 struct nacre_error *err);
/* Bytes in memory, borrowed. */
int nc_reader_memory(const void *bytes, size_t len, struct nc_reader **ret, struct nacre_error *err);
/* Bytes in memory, taken (freed with the reader or on failure). */
int nc_reader_owned(void *bytes, size_t len, struct nc_reader **ret, struct nacre_error *err);
/* Passes through and feeds hash (borrowed, may be NULL) and *count (borrowed, may be NULL). */
int nc_reader_hashing(struct nc_reader *upstream, struct nc_hash *hash, uint64_t *count, struct nc_reader **ret,
		      struct nacre_error *err);
/* Passes through; when upstream ends, size (UINT64_MAX: unknown) and digest (NULL: unknown) must fit, or the
 * read that would report the end fails with NACRE_E_BADDATA or NACRE_E_DIGEST; a stream that grows beyond size
 * fails at once. */
int nc_reader_verified(struct nc_reader *upstream, const struct nc_digest *digest, uint64_t size,
		       struct nc_reader **ret, struct nacre_error *err);
/* Passes through, reports to progress (see nacre.h) about each MiB and at the end, and checks its cancellation
 * before each block. All borrowed. progress NULL gives upstream back. */
int nc_reader_progress(struct nc_reader *upstream, const struct nacre_progress *progress, const char *id,
		       const char *what, uint64_t total, struct nc_reader **ret, struct nacre_error *err);

/* Reads to the end; NACRE_E_LIMIT when it is more than max bytes. ret is given (free()), NUL-terminated;
 * ret_len may be NULL. */
int nc_reader_slurp(struct nc_reader *reader, size_t max, char **ret, size_t *ret_len, struct nacre_error *err);
/* Reads to the end and drops the bytes. */
int nc_reader_drain(struct nc_reader *reader, struct nacre_error *err);

#endif
