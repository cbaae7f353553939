/* What a prune would do, worked out beforehand: on a copy of the catalog, with the very checks that a removal makes, so that
 * what is told is what goes, as long as nobody else changes the store. */
#ifndef NC_STORE_PRUNE_H
#define NC_STORE_PRUNE_H

#include "store/blocks.h"
#include "store/inner.h"

struct nc_prune {
	struct nc_plan heads;		/* nodes in the order of their removal */
	struct nc_plan gone;		/* nodes that go with them, and names (with the node's ID) */
	struct nc_plan rest;		/* blobs, and trees without a node as NODE */
	struct nc_plan begun;		/* blobs that somebody died bringing */
	uint64_t name_bytes;
	uint64_t catalog_before;	/* what the catalog takes with its log; it will be smaller */
	uint64_t bytes;			/* of all of it */
};
#define NC_AUTO_PRUNE __attribute__((cleanup(nc_prune_release)))
void nc_prune_release(struct nc_prune *prune);

/* blocks: of the store, counted just before. Changes nothing. */
int nc_prune_plan(struct nacre_store *store, const struct nacre_prune_options *options, const struct nc_blocks *blocks,
		  struct nc_prune *ret, struct nacre_error *err);

#endif
