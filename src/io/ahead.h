/* A reader with a second thread, which reads some blocks ahead of who reads from it.
 *
 * For who reads, nothing changes but the time it takes: the same blocks in the same order, failures where they were, and what is
 * told to a nacre_progress is told by the thread that reads. The thread is gone when the reader has reported its end or a
 * failure, and when it was closed. It takes no signals. */
#ifndef NC_IO_AHEAD_H
#define NC_IO_AHEAD_H

#include "io/reader.h"

/* Passes through as nc_reader_hashing does; whichever thread has time calls upstream, one at a time, and feeds hash. The thread begins after half a MiB; where it
 * is of no use (one processor, an upstream whose blocks do not last) or cannot be had, the caller's goes on alone. */
int nc_reader_ahead(struct nc_reader *upstream, struct nc_hash *hash, uint64_t *count, struct nc_reader **ret,
		    struct nacre_error *err);
/* The same where threads may help; else, and where there is no hash (NULL), nc_reader_hashing. */
int nc_reader_counted(bool threads, struct nc_reader *upstream, struct nc_hash *hash, uint64_t *count, struct nc_reader **ret,
		      struct nacre_error *err);

#endif
