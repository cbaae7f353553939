/* The loop that makes a tree of a tar: each byte goes to the driver or to the record, and content to both. */
#ifndef NC_STORE_FILL_H
#define NC_STORE_FILL_H

#include "io/syncer.h"
#include "store/record.h"

/* flat is read to its end. record NULL: the driver keeps the tar, and there is none; else it is finished. syncer (NULL: none) is
 * told how much is written. */
int nc_fill_tree(struct nc_reader *flat, struct nc_tree *tree, struct nc_record *record, struct nc_syncer *syncer,
		 struct nacre_error *err);

#endif
