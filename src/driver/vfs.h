/* Laying a layer's own tree over a copy of its parent's. */
#ifndef NC_DRIVER_VFS_H
#define NC_DRIVER_VFS_H

#include "base/error.h"

#include <stdbool.h>

/* Copy into the tree to what the whole tree from has and to neither has nor hides; then remove the marks from
 * to. stage: a private directory on the same file system. */
int nc_vfs_merge(int from, int to, int stage, bool marks, struct nacre_error *err);

#endif
