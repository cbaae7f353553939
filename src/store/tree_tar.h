/* Files of a view as members of a tar. Files that are one (hard links) are written once, under the first of the names
 * that are given, and as links to it under the others. */
#ifndef NC_STORE_TREE_TAR_H
#define NC_STORE_TREE_TAR_H

#include "driver/view.h"
#include "io/writer.h"

#include <nacre/nacre.h>

struct nc_tree_tar;

/* view, out and progress (which may be NULL) are borrowed. what: "exporting", for progress; a constant. */
int nc_tree_tar_new(struct nc_view *view, struct nc_writer *out, const struct nacre_progress *progress,
		    const char *what, struct nc_tree_tar **ret, struct nacre_error *err);
/* A file, with its content, as the view's stat or walk has just lent it. NACRE_E_BUSY when it gets shorter while it is
 * read; what it grows by is left out. */
int nc_tree_tar_file(struct nc_tree_tar *tree, const struct nc_view_file *file, struct nacre_error *err);
/* The mark that a layer's parents' NAME is gone: path is DIR/.wh.NAME. */
int nc_tree_tar_whiteout(struct nc_tree_tar *tree, const char *path, struct nacre_error *err);
/* After the last one. out is not finished. */
int nc_tree_tar_finish(struct nc_tree_tar *tree, struct nacre_error *err);
void nc_tree_tar_free(struct nc_tree_tar *tree);
NC_DEFINE_CLEANUP(nc_tree_tar_auto, struct nc_tree_tar *, nc_tree_tar_free)

#endif
