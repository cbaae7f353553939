/* Lists of what an index that was kept whole names beside images. */
#ifndef NC_STORE_WHOLE_H
#define NC_STORE_WHOLE_H

#include "store/store.h"

/* Whether this is a list's name, in manifests/ of an image. */
bool nc_whole_name(const char *name);
/* The blobs that a list there names (given, free()). NACRE_E_CORRUPT. */
int nc_whole_read(int manifests, const char *name, struct nc_blob_ref **ret, size_t *ret_count, struct nacre_error *err);

#endif
