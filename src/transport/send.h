/* Blobs on their way to a registry, several at once, while the next is made ready. */
#ifndef NC_TRANSPORT_SEND_H
#define NC_TRANSPORT_SEND_H

#include "transport/remote.h"

/* For progress. */
#define NC_SEND_WHAT "pushing layer"

struct nc_sends;

/* remote and progress (may be NULL) are borrowed. threads: whether any may be started; without, each blob is sent before
 * nc_sends_add returns. */
int nc_sends_new(struct nc_remote *remote, const struct nacre_progress *progress, bool threads, struct nc_sends **ret,
		 struct nacre_error *err);
void nc_sends_free(struct nc_sends *sends);	/* ends them; NULL is fine */

/* A blob to be sent: all of the file fd (taken, also on failure). number is the caller's. Waits while as many as may be are under
 * way. Fails when one that was added before has failed. */
int nc_sends_add(struct nc_sends *sends, size_t number, int fd, const struct nc_digest *digest, uint64_t size,
		 struct nacre_error *err);
/* Until all of them are there. */
int nc_sends_wait(struct nc_sends *sends, struct nacre_error *err);

/* Passes through what is made ready meanwhile; fails when one of them has failed. Takes upstream, also on failure. */
int nc_sends_watch(struct nc_sends *sends, struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err);

/* Whether any of these failed because of a blob: 1, its number, and its failure. */
int nc_sends_blame(struct nc_sends *sends, size_t *ret_number, struct nacre_error *err);

#endif
