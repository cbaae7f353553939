/* Views of images by whatever people call them. */
#ifndef NC_STORE_LOOK_H
#define NC_STORE_LOOK_H

#include "store/store.h"

/* As nacre_ls takes its image: a writable layer, an image, or a layer node's ID. */
int nc_look_open(struct nacre_store *store, const char *image, struct nc_view **ret, struct nacre_error *err);

#endif
