/* The tar of a layer of 2015, of which nobody noted the digest. */
#ifndef NC_STORE_OLD_LAYER_H
#define NC_STORE_OLD_LAYER_H

#include "store/inner.h"

/* From its record, with every file proved by the size and sum in it, and what the writers of then got wrong mended where
 * that can be proved (tar/old_record.h); where there is no record, the changes of its tree from its parent's. A record
 * that cannot be used is NACRE_E_CORRUPT and never replaced by those. node is the node's directory, borrowed for the
 * call. */
int nc_old_layer_open(struct nacre_store *store, int node, const struct nc_node_facts *facts, struct nc_reader **ret,
		      struct nacre_error *err);

#endif
