/* Blobs that are continued where an earlier pull ended. */
#ifndef NC_TRANSPORT_RESUME_H
#define NC_TRANSPORT_RESUME_H

#include "store/partial.h"
#include "transport/remote.h"

/* A blob of size bytes: first what partial (borrowed) has of it, then what remotes (borrowed) give, which is appended to it.
 * Not verified. */
int nc_resumed_blob(struct nc_remotes *remotes, struct nc_partial *partial, const struct nc_digest *digest, uint64_t size,
		    struct nc_reader **ret, struct nacre_error *err);

/* Tells that old bytes of a blob of size are there from before. */
void nc_resume_note(const struct nc_remotes *remotes, const struct nc_digest *digest, uint64_t old, uint64_t size);

#endif
