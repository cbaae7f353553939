/* An image's merged tree as one tar. */
#include "store/inner.h"
#include "store/look.h"
#include "store/tree_tar.h"

static int export_file(void *ctx, const struct nc_view_file *file, struct nacre_error *err)
{
	return nc_tree_tar_file(ctx, file, err);
}

int nacre_export(struct nacre_store *store, const char *image, nacre_sink sink, void *ctx,
		 const struct nacre_progress *progress, struct nacre_error *err)
{
	NC_CLEANUP(nc_view_auto) struct nc_view *view = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_CLEANUP(nc_tree_tar_auto) struct nc_tree_tar *tree = NULL;
	int code = nc_look_open(store, image, &view, err);
	if (code == 0)
		code = nc_writer_callback(sink, ctx, &out, err);
	if (code == 0)
		code = nc_tree_tar_new(view, out, progress, "exporting", &tree, err);
	if (code == 0)
		code = nc_view_walk(view, "", export_file, tree, err);
	if (code == 0)
		code = nc_tree_tar_finish(tree, err);
	return code < 0 ? code : nc_writer_finish(out, err);
}
