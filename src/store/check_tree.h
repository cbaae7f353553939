/* The trees of layers against what their archives say: owners, modes, times, attributes, targets, and which names there are.
 *
 * Out of a layer's archive the memory driver builds the tree that should be, without contents, on top of the one that its
 * parent should have; both are walked side by side. The layer's own contents are proved by its diff ID; what a tree that
 * is kept whole has from its parent is compared with that. Only layers that nacre unpacked can be compared, and whose
 * ancestors are such layers: what Docker of 2015 made of an archive was not quite the same. */
#ifndef NC_STORE_CHECK_TREE_H
#define NC_STORE_CHECK_TREE_H

#include "store/check.h"

struct nc_models;
int nc_models_new(struct nc_models **ret, struct nacre_error *err);
void nc_models_free(struct nc_models *models);
NC_DEFINE_CLEANUP(nc_models_auto, struct nc_models *, nc_models_free)

/* Read the archive to its end, which proves it, and make a model of the tree (parent: the layer below, NULL: none). Returns
 * 1 when there is one now, 0 when it cannot be had. */
int nc_models_read(struct nc_models *models, struct nc_reader *archive, const char *id, const char *parent,
		   struct nacre_error *err);
void nc_models_drop(struct nc_models *models, const char *id);
/* Compares the tree with its model, and calls fn for what is different. */
int nc_models_compare(struct nc_models *models, struct nacre_store *store, const char *id, const char *parent,
		      int (*fn)(void *ctx, const char *path, const char *text, struct nacre_error *err), void *ctx,
		      struct nacre_error *err);

#endif
