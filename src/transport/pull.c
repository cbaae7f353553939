/* nacre_pull: from a registry into the store. */
#include "transport/copy.h"

static int pull(const struct nc_errand *errand, const struct nacre_copy_options *options, struct nacre_copied *copied,
		struct nacre_error *err)
{
	NC_CLEANUP(nc_source_auto) struct nc_source *source = NULL;
	const struct nc_copy copy = { options, "pulling layer", NULL, copied };
	struct nc_source_wish wish;
	int code = nc_source_wish_make(errand->store, options, &wish, err);
	if (code >= 0)
		code = nc_check_store_name(options, err);
	if (code < 0)
		return code;
	wish.rest = errand->from;
	wish.resume = true;
	code = nc_source_open_named(NC_REGISTRY, &wish, &source, err);
	return code < 0 ? code : nc_copy_into_store(&copy, source, errand->store, err);
}

int nacre_pull(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
	       struct nacre_copied **ret, struct nacre_error *err)
{
	return nc_errand_run(&(struct nc_errand){ store, name, NULL }, options, pull, ret, err);
}
