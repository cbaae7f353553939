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
	NC_AUTO_LOOK struct nc_look look = NC_LOOK_NONE;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_CLEANUP(nc_tree_tar_auto) struct nc_tree_tar *tree = NULL;
	int code = nc_look_open(store, image, &look, err);
	if (code == 0)
		code = nc_writer_callback(sink, ctx, &out, err);
	if (code == 0)
		code = nc_tree_tar_new(look.view, out, progress, "exporting", &tree, err);
	if (code == 0)
		code = nc_view_walk(look.view, "", export_file, tree, err);
	code = nc_look_end(&look, code, err);
	if (code == 0)
		code = nc_tree_tar_finish(tree, err);
	return code < 0 ? code : nc_writer_finish(out, err);
}
