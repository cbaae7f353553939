#include "transport/image_save.h"

#include <stdlib.h>
#include <string.h>

static int blobs_has(void *self, const struct nc_offer_layer *layer, const struct nc_blobs_wish *wish,
		     struct nc_descriptor *ret, struct nacre_error *err)
{
	return nc_blobs_out_has(self, layer, wish, ret, err);
}

static int blobs_layer(void *self, const struct nc_offer_layer *layer, const struct nc_blobs_wish *wish,
		       struct nc_reader *blob, struct nc_descriptor *ret, struct nc_digest *ret_diff_id,
		       struct nacre_error *err)
{
	return nc_blobs_out_layer(self, layer, wish, blob, ret, ret_diff_id, err);
}

static int blobs_document(void *self, const void *bytes, size_t len, struct nc_digest *ret, struct nacre_error *err)
{
	return nc_blobs_out_document(self, bytes, len, ret, err);
}

struct nc_image_place nc_image_place_blobs(struct nc_blobs_out *blobs)
{
	return (struct nc_image_place){ blobs, blobs_has, blobs_layer, blobs_document };
}

void nc_image_out_release(struct nc_image_out *image)
{
	free(image->layers);
	image->layers = NULL;
}

/* Whether the manifest that came can go out again: with all its blobs as they are. */
static bool can_keep_manifest(const struct nc_image_out *image, const struct nc_manifest *manifest, bool keep_docker)
{
	if (manifest->docker && !keep_docker)
		return false;
	enum nc_codec wanted = image->compression == NACRE_COMPRESSION_GZIP   ? NC_GZIP
			       : image->compression == NACRE_COMPRESSION_ZSTD ? NC_ZSTD
									      : NC_PLAIN;
	const char *wanted_type = nc_layer_media_type(manifest->docker, wanted);
	for (size_t i = 0; i < image->offer->layer_count; i++) {
		const struct nc_offer_layer *layer = &image->offer->layers[i];
		if (layer->blob.alg != NC_SHA256)
			return false;
		if (image->compression != NACRE_COMPRESSION_AUTO &&
		    (!wanted_type || strcmp(layer->media_type, wanted_type)))
			return false;
	}
	return manifest->config.digest.alg == NC_SHA256;
}

int nc_image_out_begin(struct nc_image_out *image, const struct nc_offer *offer, bool keep_docker,
		       struct nacre_error *err)
{
	nc_image_out_release(image);
	image->offer = offer;
	image->wish = (struct nc_blobs_wish){ .compression = image->compression, .pack = image->pack };
	image->layers = nc_zalloc(offer->layer_count * sizeof *image->layers);
	if (!image->layers)
		return nc_nomem(err);
	if (!offer->manifest)
		return 0;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	int code =
		nc_manifest_parse(offer->manifest, offer->manifest_len, offer->manifest_media_type, &manifest, err);
	if (code < 0)
		return code;
	image->wish.as_it_comes = can_keep_manifest(image, manifest, keep_docker);
	/* Docker has no type for zstd */
	image->wish.docker = manifest->docker && keep_docker &&
			     (image->wish.as_it_comes || image->compression != NACRE_COMPRESSION_ZSTD);
	return 0;
}

int nc_image_out_has(struct nc_image_out *image, size_t layer, struct nacre_error *err)
{
	return image->place.has(image->place.self, &image->offer->layers[layer], &image->wish, &image->layers[layer], err);
}

int nc_image_out_layer(struct nc_image_out *image, size_t layer, struct nc_reader *blob, uint64_t size,
		       struct nc_digest *ret_diff_id, struct nacre_error *err)
{
	struct nc_offer_layer wanted = image->offer->layers[layer];
	if (wanted.blob_size == UINT64_MAX)
		wanted.blob_size = size;
	return image->place.layer(image->place.self, &wanted, &image->wish, blob, &image->layers[layer], ret_diff_id, err);
}

static int make_manifest(struct nc_image_out *image, const struct nc_digest *config, char **ret, size_t *ret_len,
			 const char **ret_media_type, struct nacre_error *err)
{
	bool docker = image->wish.docker;
	*ret_media_type = docker ? NC_MEDIA_DOCKER_MANIFEST : NC_MEDIA_OCI_MANIFEST;
	const struct nc_manifest manifest = {
		.kind = NC_DOC_MANIFEST,
		.docker = docker,
		.media_type = (char *)*ret_media_type,
		.artifact_type = (char *)"",
		.config = { .media_type = (char *)(docker ? NC_MEDIA_DOCKER_CONFIG : NC_MEDIA_OCI_CONFIG),
			    .digest = *config, .size = image->offer->config_len },
		.items = image->layers,
		.item_count = image->offer->layer_count,
	};
	return nc_manifest_make(&manifest, ret, ret_len, err);
}

int nc_image_out_end(struct nc_image_out *image, char **ret_manifest, size_t *ret_len, const char **ret_media_type,
		     struct nc_digest *ret_config, struct nacre_error *err)
{
	const struct nc_offer *offer = image->offer;
	int code = image->place.document(image->place.self, offer->config, offer->config_len, ret_config, err);
	if (code < 0)
		return code;
	if (!image->wish.as_it_comes)
		return make_manifest(image, ret_config, ret_manifest, ret_len, ret_media_type, err);
	*ret_manifest = nc_memdup(offer->manifest, offer->manifest_len);
	*ret_len = offer->manifest_len;
	*ret_media_type = offer->manifest_media_type;
	return *ret_manifest ? 0 : nc_nomem(err);
}

int nc_image_out_check_whole(const struct nc_image_out *image, struct nacre_error *err)
{
	if (!image->offer->whole || image->wish.as_it_comes)
		return 0;
	return nc_fail(err, NACRE_E_INVALID, 0, "an index goes out whole only when its images go out as they are");
}

int nc_image_out_index(const struct nc_image_out *image, struct nc_manifest **ret, struct nc_digest *ret_digest,
		       struct nacre_error *err)
{
	const struct nc_offer *offer = image->offer;
	int code = nc_digest_of(offer->index, offer->index_len, ret_digest, err);
	return code < 0 ? code : nc_manifest_parse(offer->index, offer->index_len, NULL, ret, err);
}

int nc_copied_image_set(struct nacre_copied_image *ret, const struct nc_digest *config,
			const struct nc_digest *manifest, struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	ret->id = nc_strdup(nc_digest_hex(config, text));
	ret->manifest_digest = nc_strdup(manifest ? nc_digest_text(manifest, text) : "");
	return ret->id && ret->manifest_digest ? 0 : nc_nomem(err);
}
