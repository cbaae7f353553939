/* The dir: transport of containers/image: manifest.json, version, and blobs named by their digest's hex. */
#include "transport/offer.h"
#include "transport/places.h"

#include <stdlib.h>
#include <string.h>

struct dir_source {
	struct nc_source base;
	struct nc_blobs *blobs;
	struct nc_offer_box box;
};

static size_t dir_count(struct nc_source *source)
{
	return 1;
}

static int dir_image(struct nc_source *source, size_t i, const struct nc_offer **ret, struct nacre_error *err)
{
	*ret = &((struct dir_source *)source)->box.offer;
	return 0;
}

static int dir_layer(struct nc_source *source, size_t layer, struct nc_reader **ret, uint64_t *ret_size,
		     struct nacre_error *err)
{
	struct dir_source *self = (struct dir_source *)source;
	const struct nc_offer_layer *wanted = &self->box.layers[layer];
	*ret_size = wanted->blob_size;
	return nc_blobs_open(self->blobs, &wanted->blob, wanted->blob_size, ret, err);
}

static void dir_close(struct nc_source *source)
{
	struct dir_source *self = (struct dir_source *)source;
	nc_offer_box_release(&self->box);
	nc_blobs_free(self->blobs);
	free(self);
}

static const struct nc_source_ops dir_ops = {
	.count = dir_count, .image = dir_image, .layer = dir_layer, .close = dir_close,
};

static int check_version(const struct nc_blobs *blobs, struct nacre_error *err)
{
	static const char expected[] = "Directory Transport Version: 1.";
	NC_AUTO_FREE char *bytes = NULL;
	size_t len;
	int code = nc_blobs_file(blobs, "version", &bytes, &len, err);
	if (code < 0)
		return code;
	return strncmp(bytes, expected, strlen(expected))
		       ? nc_fail(err, NACRE_E_UNSUPPORTED, 0, "file 'version' tells of none that is known here")
		       : 0;
}

static int read_image(struct dir_source *self, const struct nc_source_wish *wish, struct nacre_error *err)
{
	NC_AUTO_FREE char *bytes = NULL;
	NC_AUTO_FREE char *config = NULL;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	size_t len;
	int code = check_version(self->blobs, err);
	if (code >= 0)
		code = nc_blobs_file(self->blobs, "manifest.json", &bytes, &len, err);
	if (code >= 0)
		code = nc_manifest_parse(bytes, len, NULL, &manifest, err);
	if (code >= 0 && manifest->kind == NC_DOC_INDEX)
		code = nc_fail(err, NACRE_E_UNSUPPORTED, 0, "manifest.json is an index of several images");
	if (code >= 0)
		code = nc_manifest_check_image(manifest, err);
	if (code >= 0)
		code = nc_blobs_document(self->blobs, &manifest->config.digest, manifest->config.size, "config",
					 &config, err);
	if (code >= 0)
		code = nc_offer_box_config(&self->box, NC_GIVE(config), manifest->config.size, err);
	if (code >= 0)
		code = nc_offer_box_manifest(&self->box, NC_GIVE(bytes), len, NC_GIVE(manifest), err);
	if (code >= 0 && wish->platform_asked)
		code = nc_platform_check(self->box.parsed, &wish->platform, err);
	return code;
}

int nc_dir_load_open(struct nc_blobs *blobs, const struct nc_source_wish *wish, struct nc_source **ret,
		     struct nacre_error *err)
{
	struct dir_source *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_blobs_free(blobs);
		return nc_nomem(err);
	}
	self->base.ops = &dir_ops;
	self->base.apart = true;
	self->blobs = blobs;
	NC_CLEANUP(nc_source_auto) struct nc_source *source = &self->base;
	int code = read_image(self, wish, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(source);
	return 0;
}
