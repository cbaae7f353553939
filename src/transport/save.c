/* nacre_save: images of the store into one archive or directory. */
#include "transport/copy.h"

static int open_sink(struct nacre_store *store, enum nacre_format format, const char *path,
		     const struct nacre_copy_options *options, struct nc_sink **ret, struct nacre_error *err)
{
	const struct nc_sink_wish wish = { .store = store, .tag = "", .compression = options->compression };
	switch (format) {
	case NACRE_DOCKER_ARCHIVE:
		return nc_docker_save_open(path, &wish, ret, err);
	case NACRE_OCI_ARCHIVE:
	case NACRE_OCI_DIR:
		return nc_oci_save_open(path, format == NACRE_OCI_ARCHIVE, &wish, ret, err);
	case NACRE_DOCKER_DIR:
		return nc_dir_save_open(path, &wish, ret, err);
	}
	return nc_fail(err, NACRE_E_INVALID, 0, "there is no format %d", (int)format);
}

static int save_one(const struct nc_copy *copy, const struct nc_source_wish *wish, struct nc_sink *sink,
		    struct nacre_error *err)
{
	NC_CLEANUP(nc_source_auto) struct nc_source *source = NULL;
	int code = nc_source_open_named(NC_GRAPH, wish, &source, err);
	return code < 0 ? code : nc_copy_images(copy, source, sink, err);
}

/* Nothing is written, to a pipe least of all, before every image is known to be there. */
static int find_all(struct nacre_store *store, const char *const *images, size_t count, struct nacre_error *err)
{
	char id[NC_HEX_ID];
	struct nc_digest manifest;
	int code = 0;
	for (size_t i = 0; i < count && code >= 0; i++)
		code = nc_store_resolve(store, images[i], id, &manifest, err);
	return code;
}

int nacre_save(struct nacre_store *store, const char *const *images, size_t count, enum nacre_format format,
	       const char *path, const struct nacre_copy_options *options, struct nacre_error *err)
{
	NC_CLEANUP(nc_sink_auto) struct nc_sink *sink = NULL;
	struct nacre_copy_options taken;
	struct nc_source_wish wish;
	if (!count)
		return nc_fail(err, NACRE_E_INVALID, 0, "no image is named");
	if (format == NACRE_DOCKER_DIR && count > 1)
		return nc_fail(err, NACRE_E_INVALID, 0, "a directory of this kind holds one image, not %zu", count);
	int code = nc_copy_options_take(options, &taken, err);
	if (code >= 0)
		code = nc_source_wish_make(store, &taken, &wish, err);
	if (code >= 0 && taken.all_platforms && (format == NACRE_DOCKER_ARCHIVE || format == NACRE_DOCKER_DIR))
		code = nc_fail(err, NACRE_E_INVALID, 0, "all platforms go into OCI layouts alone");
	if (code >= 0)
		code = find_all(store, images, count, err);
	if (code >= 0)
		code = open_sink(store, format, path, &taken, &sink, err);
	if (code < 0)
		return code;
	wish.plain = sink->plain;
	const struct nc_copy copy = { .options = &taken, .what = "saving layer" };
	for (size_t i = 0; i < count && code >= 0; i++) {
		wish.rest = images[i];
		code = save_one(&copy, &wish, sink, err);
	}
	return code < 0 ? code : sink->ops->commit(sink, err);
}
