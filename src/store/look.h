/* Views of images by whatever people call them. */
#ifndef NC_STORE_LOOK_H
#define NC_STORE_LOOK_H

#include "store/witness.h"

/* A view, and a witness to what it showed: nc_look_end says whether it counts. What a writable layer shows may change at any
 * time. */
struct nc_look {
	struct nc_view *view;		/* NULL: nothing to look at */
	struct nc_witness witness;
};
#define NC_LOOK_NONE { .witness = NC_WITNESS_NONE }
#define NC_AUTO_LOOK __attribute__((cleanup(nc_look_release)))
void nc_look_release(struct nc_look *look);

/* By full ID. */
int nc_look_at(struct nacre_store *store, const char *id, struct nc_look *ret, struct nacre_error *err);
int nc_look_at_writable(struct nacre_store *store, const struct nc_writable *writable, struct nc_look *ret,
			struct nacre_error *err);
/* As nacre_ls takes its image: a writable layer, an image, or a layer node's ID. */
int nc_look_open(struct nacre_store *store, const char *image, struct nc_look *ret, struct nacre_error *err);
/* Judges the code of all that was done with the view. */
int nc_look_end(const struct nc_look *look, int code, struct nacre_error *err);

#endif
