/* The changes between two trees, as the tar of a layer. */
#ifndef NC_STORE_CHANGES_H
#define NC_STORE_CHANGES_H

#include "driver/view.h"
#include "io/writer.h"

#include <nacre/nacre.h>

/* The layer that makes after out of before (NULL: out of nothing): laid over before by any driver it gives after, with
 * owners, modes, times, attributes and hard links. Deterministic: equal trees give equal bytes. Members are in byte
 * order of their names; what is gone is ".wh.NAME"; a directory that merely holds something changed has no member, one
 * whose own metadata differ (also its time) has; names that are one file are written together when any of them is.
 * Whether a file changed is decided as in nc_view_diff, its time being one of the metadata.
 *
 * This is also what stands in for the archive of a node whose record is missing: the same entries, if not its exact
 * bytes. Then before is the view of the node's parent and after that of the node.
 *
 * out is not finished. ret_count (may be NULL): members; 0 when nothing differs. progress may be NULL. A file that
 * cannot be read fails the whole, and a name that begins with ".wh." is NACRE_E_UNSUPPORTED. While somebody writes into the trees each file is as it was at some moment, and
 * one that is gone again, or gets shorter, is NACRE_E_BUSY. */
int nc_changes_tar(struct nc_view *before, struct nc_view *after, struct nc_writer *out,
		   const struct nacre_progress *progress, size_t *ret_count, struct nacre_error *err);

#endif
