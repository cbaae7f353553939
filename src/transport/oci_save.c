/* OCI layouts, as directories and archives. In index.json an image stands once for each of its names, with the tag
 * as org.opencontainers.image.ref.name and the full name as io.containerd.image.name, as docker and containerd
 * write them; once alone when it has none, or under the tag that was asked for. */
#include "base/map.h"
#include "image/gojson.h"
#include "image/reference.h"
#include "transport/image_save.h"
#include "transport/places.h"
#include "transport/whole.h"

#include <stdlib.h>
#include <string.h>

#define REF_NAME "org.opencontainers.image.ref.name"
#define IMAGE_NAME "io.containerd.image.name"
#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"

struct oci_sink {
	struct nc_sink base;
	struct nc_blobs_out *blobs;
	struct nc_image_out image;
	char *tag;			/* asked for; "" */
	json_t *added;			/* descriptors for index.json */
	struct nc_map *by_key;		/* what they stand for -> position in added, + 1 */
};

static int oci_begin(struct nc_sink *sink, const struct nc_offer *offer, struct nacre_error *err)
{
	struct nc_image_out *image = &((struct oci_sink *)sink)->image;
	int code = nc_image_out_begin(image, offer, offer->whole, err);
	return code < 0 ? code : nc_image_out_check_whole(image, err);
}

static int oci_has(struct nc_sink *sink, size_t layer, struct nacre_error *err)
{
	return nc_image_out_has(&((struct oci_sink *)sink)->image, layer, err);
}

static int oci_layer(struct nc_sink *sink, size_t layer, struct nc_reader *blob, uint64_t size,
		     struct nc_digest *ret_diff_id, struct nacre_error *err)
{
	return nc_image_out_layer(&((struct oci_sink *)sink)->image, layer, blob, size, ret_diff_id, err);
}

/* --- index.json ------------------------------------------------------------------------------------------------- */

static const char *annotation(const json_t *item, const char *key)
{
	const char *value = json_string_value(json_object_get(json_object_get(item, "annotations"), key));
	return value ? value : "";
}

/* What a new descriptor stands for: one that stood for the same goes. Two images of one tag and of different names
 * are different things. */
static int key_of(const char *kind, const char *text, struct nc_buf *ret, struct nacre_error *err)
{
	nc_buf_clear(ret);
	return nc_buf_addf(ret, err, "%s %s", kind, text);
}

static int key_of_new(const json_t *item, struct nc_buf *ret, struct nacre_error *err)
{
	const char *name = annotation(item, IMAGE_NAME), *ref = annotation(item, REF_NAME);
	if (*name)
		return key_of("name", name, ret, err);
	return *ref ? key_of("ref", ref, ret, err)
		    : key_of("digest", json_string_value(json_object_get(item, "digest")), ret, err);
}

/* Puts item where its predecessor stood, or at the end. */
static int add_to_list(struct oci_sink *self, json_t *item, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf key = NC_BUF_INIT(NC_JSON_MAX);
	int code = key_of_new(item, &key, err);
	if (code < 0)
		return code;
	size_t known = (size_t)nc_map_get(self->by_key, key.data, key.len);
	if (known)
		return json_array_set(self->added, known - 1, item) < 0 ? nc_nomem(err) : 0;
	if (json_array_append(self->added, item) < 0)
		return nc_nomem(err);
	return nc_map_set(self->by_key, key.data, key.len, (void *)json_array_size(self->added), NULL, err);
}

/* 1 when one of the new descriptors stands for what this one of the index stood for. */
static int is_replaced(const struct oci_sink *self, const json_t *item, struct nacre_error *err)
{
	const char *name = annotation(item, IMAGE_NAME), *ref = annotation(item, REF_NAME);
	const char *digest = json_string_value(json_object_get(item, "digest"));
	const struct {
		const char *kind, *text;
	} keys[] = { { "name", name }, { "ref", ref }, { "digest", *name || *ref || !digest ? "" : digest } };
	NC_AUTO_BUF struct nc_buf key = NC_BUF_INIT(NC_JSON_MAX);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (!*keys[i].text)
			continue;
		int code = key_of(keys[i].kind, keys[i].text, &key, err);
		if (code < 0 || nc_map_get(self->by_key, key.data, key.len))
			return code < 0 ? code : 1;
	}
	return 0;
}

static int describe(struct oci_sink *self, const char *media_type, const struct nc_digest *digest, size_t size,
		    const char *ref, const char *name, struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	json_t *item = json_pack("{s:s,s:s,s:I}", "mediaType", media_type, "digest", nc_digest_text(digest, text),
				 "size", (json_int_t)size);
	json_t *annotations = *ref || *name ? json_object() : NULL;
	int bad = !item || ((*ref || *name) && !annotations);
	if (!bad && *name)
		bad = json_object_set_new(annotations, IMAGE_NAME, json_string(name));
	if (!bad && *ref)
		bad = json_object_set_new(annotations, REF_NAME, json_string(ref));
	if (!bad && annotations)
		bad = json_object_set(item, "annotations", annotations);
	int code = bad ? nc_nomem(err) : add_to_list(self, item, err);
	json_decref(annotations);
	json_decref(item);
	return code;
}

static int write_whole(struct oci_sink *self, struct nc_manifest **ret, struct nc_digest *ret_digest,
		       struct nacre_error *err)
{
	const struct nc_offer *offer = self->image.offer;
	int code = nc_image_out_index(&self->image, ret, ret_digest, err);
	return code < 0 ? code : nc_blobs_out_document(self->blobs, offer->index, offer->index_len, ret_digest, err);
}

/* For index.json: once for each name, or once without. */
static int describe_all(struct oci_sink *self, const char *media_type, const struct nc_digest *digest, size_t len,
			const char *const *names, struct nacre_error *err)
{
	int code = *self->tag || !*names ? describe(self, media_type, digest, len, self->tag, "", err) : 0;
	for (; code >= 0 && !*self->tag && *names; names++) {
		struct nc_reference reference;
		code = nc_reference_parse(*names, &reference, err);
		if (code >= 0)
			code = describe(self, media_type, digest, len, reference.tag, *names, err);
	}
	return code;
}

static int oci_end(struct nc_sink *sink, const char *const *names, struct nacre_copied_image *ret,
		   struct nacre_error *err)
{
	struct oci_sink *self = (struct oci_sink *)sink;
	NC_AUTO_FREE char *manifest = NULL;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *index = NULL;
	const char *media_type;
	size_t len;
	struct nc_digest config, digest = { 0 };
	int code = nc_image_out_end(&self->image, &manifest, &len, &media_type, &config, err);
	if (code >= 0)
		code = nc_blobs_out_document(self->blobs, manifest, len, &digest, err);
	struct nc_digest shown = digest;
	const struct nc_offer *offer = self->image.offer;
	if (code >= 0 && offer->main)
		code = write_whole(self, &index, &shown, err);
	if (index) {
		media_type = index->media_type;
		len = offer->index_len;
	}
	if (code >= 0 && (offer->main || !offer->whole))
		code = describe_all(self, media_type, &shown, len, names, err);
	return code < 0 ? code : nc_copied_image_set(ret, &config, &digest, err);
}

static int oci_has_rest(struct nc_sink *sink, const struct nc_whole_item *item, struct nacre_error *err)
{
	return nc_blobs_out_has_blob(((struct oci_sink *)sink)->blobs, &item->digest);
}

static int oci_rest(struct nc_sink *sink, const struct nc_whole_item *item, struct nc_reader *blob, struct nacre_error *err)
{
	return nc_blobs_out_blob(((struct oci_sink *)sink)->blobs, &item->digest, item->size, blob, err);
}

/* The index that is there, or a new one. */
static int read_index(struct oci_sink *self, json_t **ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *bytes = NULL;
	size_t len;
	int code = nc_blobs_out_current(self->blobs, "index.json", &bytes, &len, err);
	if (code == NACRE_E_NOTFOUND) {
		*ret = json_pack("{s:i,s:s,s:[]}", "schemaVersion", 2, "mediaType", NC_MEDIA_OCI_INDEX, "manifests");
		return *ret ? 0 : nc_nomem(err);
	}
	if (code >= 0)
		code = nc_json_parse(bytes, len, "index.json", ret, err);
	if (code >= 0 && !json_is_array(json_object_get(*ret, "manifests"))) {
		json_decref(*ret);
		code = nc_fail(err, NACRE_E_BADDATA, 0, "index.json: manifests: missing");
	}
	return code;
}

/* The descriptors that stay, then the new ones. */
static int merge_list(struct oci_sink *self, json_t *index, struct nacre_error *err)
{
	json_t *old = json_object_get(index, "manifests"), *list = json_array();
	int code = list ? 0 : nc_nomem(err);
	for (size_t i = 0; i < json_array_size(old) && code >= 0; i++) {
		json_t *item = json_array_get(old, i);
		code = is_replaced(self, item, err);
		if (code == 0 && json_array_append(list, item) < 0)
			code = nc_nomem(err);
	}
	if (code >= 0 && (json_array_extend(list, self->added) < 0 || json_object_set(index, "manifests", list) < 0))
		code = nc_nomem(err);
	json_decref(list);
	return code < 0 ? code : 0;
}

static int write_index(struct oci_sink *self, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(NC_JSON_MAX);
	json_t *index;
	int code = read_index(self, &index, err);
	if (code < 0)
		return code;
	code = merge_list(self, index, err);
	if (code >= 0)
		code = nc_gojson_value(&buf, index, false, err);
	if (code >= 0)
		code = nc_blobs_out_file(self->blobs, "index.json", buf.data, buf.len, err);
	json_decref(index);
	return code;
}

static int oci_commit(struct nc_sink *sink, struct nacre_error *err)
{
	struct oci_sink *self = (struct oci_sink *)sink;
	int code = nc_blobs_out_flush(self->blobs, err);
	if (code >= 0)
		code = nc_blobs_out_lock(self->blobs, err);
	if (code >= 0)
		code = nc_blobs_out_file(self->blobs, "oci-layout", LAYOUT, strlen(LAYOUT), err);
	if (code >= 0)
		code = write_index(self, err);
	return code < 0 ? code : nc_blobs_out_commit(self->blobs, err);
}

static void oci_close(struct nc_sink *sink)
{
	struct oci_sink *self = (struct oci_sink *)sink;
	nc_image_out_release(&self->image);
	nc_blobs_out_free(self->blobs);
	json_decref(self->added);
	nc_map_free(self->by_key);
	free(self->tag);
	free(self);
}

static const struct nc_sink_ops oci_ops = {
	.begin = oci_begin, .has = oci_has, .layer = oci_layer, .end = oci_end, .has_rest = oci_has_rest,
	.rest = oci_rest, .commit = oci_commit, .close = oci_close,
};

int nc_oci_save_open(const char *path, bool archive, const struct nc_sink_wish *wish, struct nc_sink **ret,
		     struct nacre_error *err)
{
	struct oci_sink *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base = (struct nc_sink){ .ops = &oci_ops, .plain = wish->compression == NACRE_COMPRESSION_NONE };
	NC_CLEANUP(nc_sink_auto) struct nc_sink *sink = &self->base;
	self->tag = nc_strdup(wish->tag);
	self->added = json_array();
	self->by_key = nc_map_new();
	if (!self->tag || !self->added || !self->by_key)
		return nc_nomem(err);
	int code = archive ? nc_blobs_out_archive(path, wish->store, &self->blobs, err)
			   : nc_blobs_out_dir(path, NC_BLOBS_LAYOUT, wish->store, &self->blobs, err);
	if (code < 0)
		return code;
	self->image.place = nc_image_place_blobs(self->blobs);
	self->image.compression = wish->compression;
	*ret = NC_GIVE(sink);
	return 0;
}
