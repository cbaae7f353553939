/* Where bytes are kept aside that can be read only once, or whose number must be known before they are written: files
 * without a name, gone when closed. */
#ifndef NC_TRANSPORT_SPOOL_H
#define NC_TRANSPORT_SPOOL_H

#include "base/error.h"
#include "io/reader.h"
#include "io/writer.h"

struct nc_spool {
	struct nacre_store *store;	/* in the store; NULL: there is none */
	int dir;			/* then in this directory; -1: in $TMPDIR or /var/tmp */
};

int nc_spool_file(const struct nc_spool *spool, int *ret_fd, struct nacre_error *err);

/* Reads upstream (taken) into a spool file; gives a reader of it and its size. */
int nc_spool_reader(const struct nc_spool *spool, struct nc_reader *upstream, struct nc_reader **ret,
		    uint64_t *ret_size, struct nacre_error *err);

/* Passes through and writes what passes to writer (borrowed). Takes upstream, also on failure. */
int nc_reader_tee(struct nc_reader *upstream, struct nc_writer *writer, struct nc_reader **ret,
		  struct nacre_error *err);

#endif
