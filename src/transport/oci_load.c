#include "transport/oci_layout.h"
#include "transport/places.h"

#include <stdio.h>
#include <stdlib.h>

struct oci_source {
	struct nc_source base;
	struct nc_archive *archive;	/* NULL: a directory */
	struct nc_blobs *blobs;
	struct nc_layout *layout;
	struct nc_whole *whole;		/* all images of an index are meant; else NULL */
	struct nc_platform platform;
	bool platform_asked;
	struct nc_offer_box box;
};

static size_t oci_count(struct nc_source *source)
{
	return ((struct oci_source *)source)->layout->count;
}

static int read_config(struct oci_source *self, const struct nc_manifest *manifest, struct nacre_error *err)
{
	char *config;
	int code = nc_blobs_document(self->blobs, &manifest->config.digest, manifest->config.size, "config", &config,
				     err);
	return code < 0 ? code : nc_offer_box_config(&self->box, config, manifest->config.size, err);
}

static int read_index(struct oci_source *self, const struct nc_layout_image *image, struct nacre_error *err)
{
	if (!image->index.alg)
		return 0;
	int code = nc_blobs_document(self->blobs, &image->index, image->index_size, "index", &self->box.index, err);
	if (code < 0)
		return code;
	self->box.offer.index = self->box.index;
	self->box.offer.index_len = image->index_size;
	return 0;
}

static int oci_image(struct nc_source *source, size_t i, const struct nc_offer **ret, struct nacre_error *err)
{
	struct oci_source *self = (struct oci_source *)source;
	const struct nc_layout_image *image = &self->layout->images[i];
	nc_offer_box_release(&self->box);
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	int code = nc_layout_manifest(self->blobs, &image->manifest, image->manifest_size, image->media_type, &bytes,
				      &manifest, err);
	if (code >= 0)
		code = nc_manifest_check_image(manifest, err);
	if (code >= 0)
		code = read_config(self, manifest, err);
	if (code >= 0)
		code = nc_offer_box_manifest(&self->box, NC_GIVE(bytes), image->manifest_size, NC_GIVE(manifest),
					     err);
	if (code >= 0)
		code = read_index(self, image, err);
	if (code >= 0 && self->platform_asked)
		code = nc_platform_check(self->box.parsed, &self->platform, err);
	if (code >= 0 && self->whole)
		code = nc_whole_offer(self->whole, i, nc_names_list(&image->names), &self->box, err);
	for (size_t n = 0; !self->whole && n < image->names.count && code >= 0; n++)
		code = nc_offer_box_name(&self->box, image->names.list[n], err);
	if (code < 0)
		return code;
	*ret = &self->box.offer;
	return 0;
}

static int oci_layer(struct nc_source *source, size_t layer, struct nc_reader **ret, uint64_t *ret_size,
		     struct nacre_error *err)
{
	struct oci_source *self = (struct oci_source *)source;
	const struct nc_offer_layer *wanted = &self->box.layers[layer];
	*ret_size = wanted->blob_size;
	return nc_blobs_open(self->blobs, &wanted->blob, wanted->blob_size, ret, err);
}

static int oci_blob(struct nc_source *source, const struct nc_whole_item *item, struct nc_reader **ret,
		    struct nacre_error *err)
{
	return nc_blobs_open(((struct oci_source *)source)->blobs, &item->digest, item->size, ret, err);
}

static void oci_close(struct nc_source *source)
{
	struct oci_source *self = (struct oci_source *)source;
	nc_offer_box_release(&self->box);
	nc_layout_free(self->layout);
	nc_whole_free(self->whole);
	nc_blobs_free(self->blobs);
	nc_archive_free(self->archive);
	free(self);
}

static const struct nc_source_ops oci_ops = {
	.count = oci_count, .image = oci_image, .layer = oci_layer, .blob = oci_blob, .close = oci_close,
};

int nc_oci_load_open(struct nc_archive *archive, struct nc_blobs *blobs, const struct nc_source_wish *wish,
		     struct nc_source **ret, struct nacre_error *err)
{
	struct oci_source *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_blobs_free(blobs);
		nc_archive_free(archive);
		return nc_nomem(err);
	}
	self->base.ops = &oci_ops;
	self->base.apart = true;
	self->archive = archive;
	self->blobs = blobs;
	self->platform = wish->platform;
	self->platform_asked = wish->platform_asked;
	NC_CLEANUP(nc_source_auto) struct nc_source *source = &self->base;
	struct nc_layout_wish layout_wish = { .tag = wish->rest, .platform = wish->platform, .name = wish->name };
	int code = wish->all_platforms ? nc_layout_read_whole(blobs, &layout_wish, &self->layout, &self->whole, err)
				       : nc_layout_read(blobs, &layout_wish, &self->layout, err);
	self->base.whole = self->whole;
	if (code >= 0 && !self->whole)
		code = nc_one_alone(self->layout->count, wish, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(source);
	return 0;
}
