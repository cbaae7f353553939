/* The blocks of a store on disk: one walk over everything below its root, each inode once, told apart by what it
 * belongs to. What is mounted in the store is not looked at. */
#ifndef NC_STORE_BLOCKS_H
#define NC_STORE_BLOCKS_H

#include "base/error.h"
#include "base/map.h"

#include <stdint.h>

struct nacre_store;

enum nc_place {
	NC_PLACE_TREE,			/* a layer's tree, as the driver keeps it; belongs to the node */
	NC_PLACE_NODE,			/* graph/<id>; belongs to the node */
	NC_PLACE_BLOB,			/* belongs to the blob: its 64 digits */
	NC_PLACE_PARTIAL,		/* what has come of a blob; belongs to its 64 digits */
	NC_PLACE_WRITABLE,		/* a writable layer; belongs to its ID */
	NC_PLACE_METADATA,		/* belongs to all */
	NC_PLACE_CATALOG,
	NC_PLACE_RUBBISH,		/* stages, and what is under a temporary name */
	NC_PLACE_COUNT
};

struct nc_blocks {
	uint64_t bytes[NC_PLACE_COUNT];	/* with what belongs to somebody */
	struct nc_map *owned;
};
void nc_blocks_release(struct nc_blocks *blocks);
#define NC_AUTO_BLOCKS __attribute__((cleanup(nc_blocks_release)))

int nc_blocks_count(struct nacre_store *store, struct nc_blocks *ret, struct nacre_error *err);
/* What belongs to id at that place. */
uint64_t nc_blocks_of(const struct nc_blocks *blocks, enum nc_place place, const char *id);
/* Calls fn for each owner of a place, in no order, until it returns other than 0, and returns that. */
int nc_blocks_each(const struct nc_blocks *blocks, enum nc_place place,
		   int (*fn)(void *ctx, const char *id, uint64_t bytes), void *ctx);

#endif
