/* Blobs that are on their way into the store, as far as they came: what a pull that was killed leaves, and the next one goes
 * on with. They belong to no image; a prune takes those that nobody is at. Nothing in them is proved. */
#ifndef NC_STORE_PARTIAL_H
#define NC_STORE_PARTIAL_H

#include "base/mem.h"
#include "io/digest.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct nacre_store;
struct nc_partial;

/* What there is of a blob of size bytes, or a new one. 1: ret is given, and nobody else's until it is closed; 0: somebody is
 * at it, or there can be none: go without. */
int nc_partial_open(struct nacre_store *store, const struct nc_digest *digest, uint64_t size, struct nc_partial **ret,
		    struct nacre_error *err);
void nc_partial_close(struct nc_partial *partial);	/* it stays; NULL is fine */
NC_DEFINE_CLEANUP(nc_partial_auto, struct nc_partial *, nc_partial_close)
int nc_partial_drop(struct nc_partial *partial, struct nacre_error *err);	/* closes it too */

uint64_t nc_partial_size(const struct nc_partial *partial);
/* Up to len bytes from at on, which is less than the size; at least one. */
ssize_t nc_partial_read(const struct nc_partial *partial, uint64_t at, void *buf, size_t len, struct nacre_error *err);
int nc_partial_append(struct nc_partial *partial, const void *bytes, size_t len, struct nacre_error *err);
/* Another name for the file, once it is whole: nothing is appended any more. */
int nc_partial_link(const struct nc_partial *partial, int dir, const char *name, struct nacre_error *err);

/* How much of a blob is there; 0: nothing. */
uint64_t nc_partial_there(struct nacre_store *store, const struct nc_digest *digest);
/* Removes one, if nobody is at it: 1. */
int nc_partial_remove(struct nacre_store *store, const char *hex, struct nacre_error *err);
/* Whether there is one that nobody is at. */
bool nc_partial_idle(struct nacre_store *store, const char *hex);
/* The digits of each, until fn returns other than 0, which is then returned. */
int nc_partial_each(struct nacre_store *store, int (*fn)(void *ctx, const char *hex, struct nacre_error *err), void *ctx,
		    struct nacre_error *err);

#endif
