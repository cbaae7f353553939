/* docker-archive since Docker 1.10: manifest.json lists images by config and layers, all of them members of the
 * archive. Layers may be symbolic or hard links to one another and compressed. Recent ones are OCI layouts besides:
 * then the OCI manifest that has an image's config tells its blobs, and its exact bytes travel with the image. */
#include "base/map.h"
#include "image/field.h"
#include "image/gojson.h"
#include "image/reference.h"
#include "transport/oci_layout.h"
#include "transport/places.h"

#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX NC_DOCUMENT_MAX

struct docker_source {
	struct nc_source base;
	struct nc_archive *archive;
	json_t *list;			/* manifest.json */
	size_t *chosen;			/* positions in it */
	size_t count;
	struct nc_platform platform;
	bool platform_asked;
	/* the OCI side; NULL when there is none */
	struct nc_blobs *blobs;
	struct nc_map *by_config;	/* config digest -> struct nc_descriptor of a manifest */
	/* the image in hand */
	struct nc_offer_box box;
	char **layers;			/* paths; end with NULL */
};

static size_t docker_count(struct nc_source *source)
{
	return ((struct docker_source *)source)->count;
}

/* --- one image of manifest.json --------------------------------------------------------------------------------- */

static const json_t *image_at(const struct docker_source *self, size_t position)
{
	return json_array_get(self->list, position);
}

/* A name as manifest.json has it, made full. */
static int full_name(const char *text, char ret[NC_REFERENCE_TEXT], struct nacre_error *err)
{
	struct nc_reference reference;
	if (nc_reference_parse(text, &reference, err) < 0)
		return nc_wrap(err, NACRE_E_BADDATA, "manifest.json: RepoTags");
	if (*reference.digest)
		return nc_fail(err, NACRE_E_BADDATA, 0, "manifest.json: RepoTags: '%s' is a digest, not a tag", text);
	nc_reference_full(&reference, ret);
	return 0;
}

static int add_names(struct docker_source *self, const json_t *image, struct nacre_error *err)
{
	NC_CLEANUP(nc_list_auto) char **tags = NULL;
	char name[NC_REFERENCE_TEXT];
	int code = nc_field_list(image, "manifest.json: ", "RepoTags", &tags, err);
	for (char **tag = tags; code >= 0 && *tag; tag++) {
		code = full_name(*tag, name, err);
		if (code >= 0)
			code = nc_offer_box_name(&self->box, name, err);
	}
	return code < 0 ? code : 0;
}

/* Where the name of a config holds its digest ("<hex>.json", "blobs/sha256/<hex>"), it must be the config's. */
static int check_config_name(const char *path, const struct nc_digest *digest, struct nacre_error *err)
{
	char hex[NC_HEX_ID];
	struct nc_digest claimed;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t len = strlen(name);
	if (len != NC_HEX_ID - 1 && (len != NC_HEX_ID + 4 || strcmp(name + NC_HEX_ID - 1, ".json")))
		return 0;
	memcpy(hex, name, NC_HEX_ID - 1);
	hex[NC_HEX_ID - 1] = '\0';
	if (nc_digest_from_hex_id(hex, &claimed, NULL) < 0 || nc_digest_equal(&claimed, digest))
		return 0;
	char got[NC_DIGEST_TEXT];
	return nc_fail(err, NACRE_E_DIGEST, 0, "config '%s': digest mismatch: its bytes have %s", path,
		       nc_digest_text(digest, got));
}

static int read_config(struct docker_source *self, const json_t *image, struct nc_digest *ret_digest,
		       struct nacre_error *err)
{
	NC_AUTO_FREE char *path = NULL;
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	const struct nc_member *member;
	size_t len;
	int code = nc_field_text(image, "manifest.json: ", "Config", &path, err);
	if (code >= 0 && !*path)
		code = nc_fail(err, NACRE_E_BADDATA, 0, "manifest.json: Config: missing");
	if (code >= 0)
		code = nc_archive_find(self->archive, path, &member, err);
	if (code == NACRE_E_NOTFOUND)
		code = nc_wrap(err, NACRE_E_BADDATA, "config");
	if (code >= 0)
		code = nc_archive_content(self->archive, member, &reader, err);
	if (code >= 0)
		code = nc_reader_slurp(reader, CONFIG_MAX, &bytes, &len, err);
	if (code >= 0)
		code = nc_digest_of(bytes, len, ret_digest, err);
	if (code >= 0)
		code = check_config_name(path, ret_digest, err);
	if (code < 0)
		return code;
	code = nc_offer_box_config(&self->box, NC_GIVE(bytes), len, err);
	return code < 0 ? nc_wrap(err, code, "config '%s'", path) : 0;
}

/* 1 when all the blobs of a manifest are there: archives of an image for several platforms leave some out. */
static int is_whole(const struct docker_source *self, const struct nc_manifest *manifest, struct nacre_error *err)
{
	for (size_t i = 0; i < manifest->item_count; i++) {
		int code = nc_blobs_has(self->blobs, &manifest->items[i].digest, err);
		if (code <= 0)
			return code;
	}
	return 1;
}

static int read_manifest(struct docker_source *self, const struct nc_digest *config, struct nacre_error *err)
{
	const struct nc_descriptor *item = self->blobs ? nc_map_get(self->by_config, config, sizeof *config) : NULL;
	if (!item)
		return 0;
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	int code =
		nc_layout_manifest(self->blobs, &item->digest, item->size, item->media_type, &bytes, &manifest, err);
	if (code >= 0)
		code = is_whole(self, manifest, err);
	if (code <= 0)
		return code;
	return nc_offer_box_manifest(&self->box, NC_GIVE(bytes), item->size, NC_GIVE(manifest), err);
}

static int read_layers(struct docker_source *self, const json_t *image, struct nacre_error *err)
{
	nc_list_free(self->layers);
	self->layers = NULL;
	int code = nc_field_list(image, "manifest.json: ", "Layers", &self->layers, err);
	if (code < 0)
		return code;
	size_t count = 0;
	while (self->layers[count])
		count++;
	if (count != self->box.offer.layer_count)
		return nc_fail(err, NACRE_E_BADDATA, 0, "manifest.json has %zu layers, the config %zu diff IDs",
			       count, self->box.offer.layer_count);
	for (size_t i = 0; i < count; i++) {	/* one that is missing is missed only when it is asked for */
		const struct nc_member *member;
		if (nc_archive_find(self->archive, self->layers[i], &member, NULL) == 0)
			self->box.layers[i].blob_size = member->size;
	}
	return 0;
}

static int docker_image(struct nc_source *source, size_t i, const struct nc_offer **ret, struct nacre_error *err)
{
	struct docker_source *self = (struct docker_source *)source;
	const json_t *image = image_at(self, self->chosen[i]);
	struct nc_digest config;
	nc_offer_box_release(&self->box);
	int code = read_config(self, image, &config, err);
	if (code >= 0)
		code = read_layers(self, image, err);
	if (code >= 0)
		code = read_manifest(self, &config, err);
	if (code >= 0)
		code = add_names(self, image, err);
	if (code >= 0 && self->platform_asked)
		code = nc_platform_check(self->box.parsed, &self->platform, err);
	if (code < 0)
		return code;
	*ret = &self->box.offer;
	return 0;
}

static int docker_layer(struct nc_source *source, size_t layer, struct nc_reader **ret, uint64_t *ret_size,
			struct nacre_error *err)
{
	struct docker_source *self = (struct docker_source *)source;
	const struct nc_offer_layer *wanted = &self->box.layers[layer];
	if (self->box.offer.manifest) {
		*ret_size = wanted->blob_size;
		return nc_blobs_open(self->blobs, &wanted->blob, wanted->blob_size, ret, err);
	}
	const struct nc_member *member;
	int code = nc_archive_find(self->archive, self->layers[layer], &member, err);
	if (code == NACRE_E_NOTFOUND)
		code = nc_wrap(err, NACRE_E_BADDATA, "manifest.json");
	if (code < 0)
		return code;
	*ret_size = member->size;
	return nc_archive_content(self->archive, member, ret, err);
}

static int free_descriptor(void *ctx, const char *key, size_t len, void *value)
{
	struct nc_descriptor *item = value;
	free(item->media_type);
	free(item);
	return 0;
}

static void docker_close(struct nc_source *source)
{
	struct docker_source *self = (struct docker_source *)source;
	nc_offer_box_release(&self->box);
	nc_list_free(self->layers);
	free(self->chosen);
	json_decref(self->list);
	if (self->by_config)
		nc_map_each(self->by_config, free_descriptor, NULL);
	nc_map_free(self->by_config);
	nc_blobs_free(self->blobs);
	nc_archive_free(self->archive);
	free(self);
}

static const struct nc_source_ops docker_ops = {
	.count = docker_count, .image = docker_image, .layer = docker_layer, .close = docker_close,
};

/* --- opening ---------------------------------------------------------------------------------------------------- */

static int note_manifest(void *ctx, const struct nc_descriptor *item, const struct nc_manifest *manifest,
			 struct nacre_error *err)
{
	struct docker_source *self = ctx;
	if (nc_manifest_check_image(manifest, NULL) < 0 ||
	    nc_map_get(self->by_config, &manifest->config.digest, sizeof manifest->config.digest))
		return 0;
	struct nc_descriptor *noted = nc_zalloc(sizeof *noted);
	if (!noted)
		return nc_nomem(err);
	noted->digest = item->digest;
	noted->size = item->size;
	noted->media_type = nc_strdup(manifest->media_type);
	int code = noted->media_type ? nc_map_set(self->by_config, &manifest->config.digest,
						  sizeof manifest->config.digest, noted, NULL, err)
				     : nc_nomem(err);
	if (code < 0)
		free_descriptor(NULL, NULL, 0, noted);
	return code;
}

static int open_oci_side(struct docker_source *self, struct nacre_error *err)
{
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *index = NULL;
	if (!nc_archive_has(self->archive, "oci-layout") || !nc_archive_has(self->archive, "index.json"))
		return 0;
	self->by_config = nc_map_new();
	if (!self->by_config)
		return nc_nomem(err);
	int code = nc_blobs_of_archive(self->archive, &self->blobs, err);
	if (code >= 0)
		code = nc_layout_index(self->blobs, &index, err);
	return code < 0 ? code : nc_layout_each(self->blobs, index, note_manifest, self, err);
}

static int read_list(struct docker_source *self, struct nacre_error *err)
{
	NC_AUTO_FREE char *bytes = NULL;
	size_t len;
	int code = nc_archive_document(self->archive, "manifest.json", NC_DOCUMENT_MAX, &bytes, &len, err);
	if (code >= 0)
		code = nc_json_parse(bytes, len, "manifest.json", &self->list, err);
	if (code >= 0)
		code = nc_field_expect(self->list, "manifest.json", JSON_ARRAY, err);
	for (size_t i = 0; code >= 0 && i < json_array_size(self->list); i++)
		code = nc_field_expect(image_at(self, i), "manifest.json: image", JSON_OBJECT, err);
	return code < 0 ? code : 0;
}

/* 1 when the image at position has this (full) name. */
static int has_name(const struct docker_source *self, size_t position, const char *name, struct nacre_error *err)
{
	NC_CLEANUP(nc_list_auto) char **tags = NULL;
	char full[NC_REFERENCE_TEXT];
	int code = nc_field_list(image_at(self, position), "manifest.json: ", "RepoTags", &tags, err);
	for (char **tag = tags; code >= 0 && *tag; tag++) {
		code = full_name(*tag, full, err);
		if (code >= 0 && !strcmp(full, name))
			return 1;
	}
	return code < 0 ? code : 0;
}

static int choose(struct docker_source *self, const struct nc_source_wish *wish, struct nacre_error *err)
{
	size_t there = json_array_size(self->list), position;
	struct nc_reference reference;
	char name[NC_REFERENCE_TEXT] = "";
	bool by_position = nc_position_parse(wish->rest, &position);
	if (*wish->rest && !by_position) {
		int code = nc_reference_parse(wish->rest, &reference, err);
		if (code < 0)
			return code;
		nc_reference_full(&reference, name);
	}
	self->chosen = nc_realloc_array(NULL, there, sizeof *self->chosen);
	if (!self->chosen)
		return nc_nomem(err);
	for (size_t i = 0; i < there; i++) {
		int fits = by_position ? i == position : *name ? has_name(self, i, name, err) : 1;
		if (fits < 0)
			return fits;
		if (fits)
			self->chosen[self->count++] = i;
	}
	if (!self->count && *wish->rest)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no image '%s' in manifest.json", wish->rest);
	if (!self->count)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no image in manifest.json");
	return nc_one_alone(self->count, wish, err);
}

int nc_docker_load_open(struct nc_archive *archive, const struct nc_source_wish *wish, struct nc_source **ret,
			struct nacre_error *err)
{
	struct docker_source *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_archive_free(archive);
		return nc_nomem(err);
	}
	self->base.ops = &docker_ops;
	self->base.apart = true;
	self->archive = archive;
	self->platform = wish->platform;
	self->platform_asked = wish->platform_asked;
	NC_CLEANUP(nc_source_auto) struct nc_source *source = &self->base;
	int code = read_list(self, err);
	if (code >= 0)
		code = choose(self, wish, err);
	if (code >= 0)
		code = open_oci_side(self, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(source);
	return 0;
}
