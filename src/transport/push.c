/* nacre_push: from the store to a registry. */
#include "image/reference.h"
#include "transport/copy.h"

/* Where an image goes that is called by its name alone. */
static int own_name(struct nc_source *source, const char *image, const char **ret, struct nacre_error *err)
{
	const struct nc_offer *offer;
	int code = source->ops->image(source, 0, &offer, err);
	if (code < 0)
		return code;
	if (!*offer->names)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' does not say where to: name a destination too", image);
	*ret = *offer->names;
	return 0;
}

static int push(const struct nc_errand *errand, const struct nacre_copy_options *options, struct nacre_copied *copied,
		struct nacre_error *err)
{
	NC_CLEANUP(nc_source_auto) struct nc_source *source = NULL;
	NC_CLEANUP(nc_sink_auto) struct nc_sink *sink = NULL;
	const char *image = errand->from, *name = errand->to;
	struct nc_sink_wish sink_wish = { .store = errand->store, .tag = "", .compression = options->compression,
					  .registry = options->registry, .progress = &options->progress };
	struct nc_source_wish wish;
	char full[NC_REFERENCE_TEXT];
	int code = nc_source_wish_make(errand->store, options, &wish, err);
	if (code < 0)
		return code;
	wish.rest = image;
	wish.plain = options->compression == NACRE_COMPRESSION_NONE;
	/* an image that is not there is said before anybody is asked */
	code = nc_source_open_named(NC_GRAPH, &wish, &source, err);
	if (code >= 0 && !name && options->all_platforms)
		name = image;
	if (code >= 0 && !name)
		code = own_name(source, image, &name, err);
	if (code >= 0)
		code = nc_full_name(name, full, err);
	sink_wish.name = full;
	if (code >= 0)
		code = nc_registry_save_open(&sink_wish, &sink, err);
	const struct nc_copy copy = { options, "pushing layer", full, copied };
	if (code >= 0)
		code = nc_copy_images(&copy, source, sink, err);
	return code < 0 ? code : sink->ops->commit(sink, err);
}

int nacre_push(struct nacre_store *store, const char *image, const char *name, const struct nacre_copy_options *options,
	       struct nacre_copied **ret, struct nacre_error *err)
{
	return nc_errand_run(&(struct nc_errand){ store, image, name }, options, push, ret, err);
}
