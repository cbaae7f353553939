/* nacre_pull: from a registry into the store. */
#include "transport/copy.h"

static int pull(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
		struct nacre_copied *copied, struct nacre_error *err)
{
	NC_CLEANUP(nc_source_auto) struct nc_source *source = NULL;
	const struct nc_place place = { .transport = NC_REGISTRY, .where = (char *)"", .rest = (char *)name };
	const struct nc_copy copy = { options, "pulling layer", NULL, copied };
	struct nc_source_wish wish;
	int code = nc_source_wish_make(store, options, &wish, err);
	if (code >= 0 && options->all_platforms && options->name)
		code = nc_fail(err, NACRE_E_INVALID, 0, "images of several platforms take the names that they have");
	if (code < 0)
		return code;
	wish.rest = name;
	wish.resume = true;
	code = nc_source_open(&place, &wish, &source, err);
	return code < 0 ? code : nc_copy_into_store(&copy, source, store, err);
}

int nacre_pull(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
	       struct nacre_copied **ret, struct nacre_error *err)
{
	struct nacre_copy_options taken;
	int code = nc_copy_options_take(options, &taken, err);
	if (code < 0)
		return code;
	NC_CLEANUP(nc_copied_auto) struct nacre_copied *copied = nc_zalloc(sizeof *copied);
	if (!copied)
		return nc_nomem(err);
	code = pull(store, name, &taken, copied, err);
	return nc_copied_give(code, &copied, ret);
}
