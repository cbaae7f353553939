/* Which blobs a registry has: several questions at once, since each costs the way there and back. */
#ifndef NC_TRANSPORT_ASK_H
#define NC_TRANSPORT_ASK_H

#include "io/crew.h"
#include "transport/remote.h"

struct nc_ask {
	struct nc_job job;
	struct nc_remote *remote;
	const struct nc_digest *digest;
	uint64_t size;
	bool there;			/* what nc_remote_has_blob says */
};

/* digest and size of each are the caller's to fill in. threads: whether there may be any. The first failure ends the rest. */
int nc_ask_all(struct nc_remote *remote, bool threads, struct nc_ask *asks, size_t count, struct nacre_error *err);

#endif
