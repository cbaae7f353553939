/* Blobs of a pull on their way before they are asked for: several at once, each into what the store keeps of it. Who asks for one
 * reads what is there of it, and then what comes, while it comes. */
#ifndef NC_TRANSPORT_FETCH_H
#define NC_TRANSPORT_FETCH_H

#include "store/partial.h"
#include "transport/remote.h"

/* A smaller blob is kept in memory: it is fetched anew as fast as it is looked for. */
#define NC_FETCH_SMALL ((uint64_t)16 << 10)

struct nc_fetches;
struct nc_fetch;

/* What they have in common; all borrowed. */
struct nc_fetches_wish {
	struct nacre_store *store;
	const struct nacre_progress *progress;	/* hears of each how it comes, not when it is done; may be NULL */
	const char *what;		/* "pulling layer" */
};
int nc_fetches_new(const struct nc_fetches_wish *wish, struct nc_fetches **ret, struct nacre_error *err);
void nc_fetches_free(struct nc_fetches *fetches);	/* ends them; what came stays. NULL is fine */

/* A blob that will be asked for, by its number, after those added before. remotes is borrowed for the call. */
int nc_fetches_add(struct nc_fetches *fetches, size_t number, const struct nc_digest *digest, uint64_t size,
		   const struct nc_remotes *remotes, struct nacre_error *err);

/* The one with that number, once it has begun. ret belongs to fetches until it is closed, which must be before the next is
 * opened. 0: there is none, and the caller has to fetch it himself. */
int nc_fetches_open(struct nc_fetches *fetches, size_t number, struct nc_fetch **ret, struct nacre_error *err);
/* Its bytes, not verified; closed before it is. When another one fails, the reader fails too. */
int nc_fetch_reader(struct nc_fetch *fetch, struct nc_reader **ret, struct nacre_error *err);
/* What it comes into; NULL for one in memory. */
struct nc_partial *nc_fetch_partial(const struct nc_fetch *fetch);
/* Ends it. drop: what came is no good. remotes learns whom it came from, and who failed. Returns 1 when some of it was there
 * before it began. */
int nc_fetch_close(struct nc_fetch *fetch, bool drop, struct nc_remotes *remotes);

/* When a reader failed because of another blob: 1, its number, and its failure. */
int nc_fetches_blame(struct nc_fetches *fetches, size_t *ret_number, struct nacre_error *err);

#endif
