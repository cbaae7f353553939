/* The exact tar of a layer: what the driver kept, or put together out of its record and its tree. */
#ifndef NC_STORE_REPLAY_H
#define NC_STORE_REPLAY_H

#include "store/store.h"

/* The record in a node's directory, as plain JSON. */
int nc_record_open(int node, struct nc_reader **ret, struct nacre_error *err);
/* The bytes of file content in a layer, and of its whole tar, by its record or the driver. node: its directory. */
int nc_layer_measure(struct nacre_store *store, int node, const char *id, uint64_t *ret_content, uint64_t *ret_flat,
		     struct nacre_error *err);
/* The tar of the layer whose record (where the driver keeps no tars) lies in the directory node, borrowed for the call,
 * and whose tree is id. The reader fails at its end with NACRE_E_CORRUPT when the bytes do not have this diff ID (NULL:
 * unknown). */
int nc_replay_open(struct nacre_store *store, int node, const char *id, const struct nc_digest *diff_id,
		   struct nc_reader **ret, struct nacre_error *err);

#endif
