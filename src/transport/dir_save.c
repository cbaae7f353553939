/* The dir: transport of containers/image: one image, its manifest as it came where it can be. */
#include "transport/image_save.h"
#include "transport/places.h"

#include <stdlib.h>
#include <string.h>

#define VERSION "Directory Transport Version: 1.1\n"

struct dir_sink {
	struct nc_sink base;
	struct nc_blobs_out *blobs;
	struct nc_image_out image;
	size_t count;
};

static int dir_begin(struct nc_sink *sink, const struct nc_offer *offer, struct nacre_error *err)
{
	struct dir_sink *self = (struct dir_sink *)sink;
	if (self->count++)
		return nc_fail(err, NACRE_E_INVALID, 0, "a directory of the dir: transport holds one image");
	return nc_image_out_begin(&self->image, offer, true, err);
}

static int dir_has(struct nc_sink *sink, size_t layer, struct nacre_error *err)
{
	return nc_image_out_has(&((struct dir_sink *)sink)->image, layer, err);
}

static int dir_layer(struct nc_sink *sink, size_t layer, struct nc_reader *blob, uint64_t size,
		     struct nc_digest *ret_diff_id, struct nacre_error *err)
{
	return nc_image_out_layer(&((struct dir_sink *)sink)->image, layer, blob, size, ret_diff_id, err);
}

static int dir_end(struct nc_sink *sink, const char *const *names, struct nacre_copied_image *ret,
		   struct nacre_error *err)
{
	struct dir_sink *self = (struct dir_sink *)sink;
	NC_AUTO_FREE char *manifest = NULL;
	const char *media_type;
	size_t len;
	struct nc_digest config, digest;
	int code = nc_image_out_end(&self->image, &manifest, &len, &media_type, &config, err);
	if (code >= 0)
		code = nc_digest_of(manifest, len, &digest, err);
	if (code >= 0)
		code = nc_blobs_out_file(self->blobs, "manifest.json", manifest, len, err);
	return code < 0 ? code : nc_copied_image_set(ret, &config, &digest, err);
}

static int dir_commit(struct nc_sink *sink, struct nacre_error *err)
{
	struct dir_sink *self = (struct dir_sink *)sink;
	int code = nc_blobs_out_flush(self->blobs, err);
	if (code >= 0)
		code = nc_blobs_out_file(self->blobs, "version", VERSION, strlen(VERSION), err);
	return code < 0 ? code : nc_blobs_out_commit(self->blobs, err);
}

static void dir_close(struct nc_sink *sink)
{
	struct dir_sink *self = (struct dir_sink *)sink;
	nc_image_out_release(&self->image);
	nc_blobs_out_free(self->blobs);
	free(self);
}

static const struct nc_sink_ops dir_ops = {
	.begin = dir_begin, .has = dir_has, .layer = dir_layer, .end = dir_end, .commit = dir_commit,
	.close = dir_close,
};

int nc_dir_save_open(const char *path, const struct nc_sink_wish *wish, struct nc_sink **ret, struct nacre_error *err)
{
	struct dir_sink *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base = (struct nc_sink){ .ops = &dir_ops, .plain = wish->compression == NACRE_COMPRESSION_NONE };
	NC_CLEANUP(nc_sink_auto) struct nc_sink *sink = &self->base;
	int code = nc_blobs_out_dir(path, NC_BLOBS_FLAT, wish->store, &self->blobs, err);
	if (code < 0)
		return code;
	self->image.place = nc_image_place_blobs(self->blobs);
	self->image.compression = wish->compression;
	*ret = NC_GIVE(sink);
	return 0;
}
