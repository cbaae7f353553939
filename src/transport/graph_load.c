/* The store as a source of one image. Where its manifest and all the blobs of that were kept, they are offered as
 * they came; else the layers are plain tars, each its own blob. */
#include "image/reference.h"
#include "transport/offer.h"
#include "transport/places.h"
#include "transport/whole.h"

#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 4096

struct graph_source {
	struct nc_source base;
	struct nacre_store *store;
	struct nacre_image *image;
	struct nc_offer_box box;
	char (*layers)[NC_HEX_ID];	/* nodes of the layers */
	/* an image of 2015: its chain, lowest first */
	struct v1_node {
		char id[NC_HEX_ID];
		char *json;
		size_t json_len;
		ssize_t layer;		/* position in the offer; -1: none */
	} *nodes;
	size_t node_count;
	/* all images of an index */
	struct nc_whole *whole;		/* NULL: one image alone */
	char *index_bytes;
	size_t index_len;
	char *name;
};

static size_t graph_count(struct nc_source *source)
{
	const struct graph_source *self = (struct graph_source *)source;
	return self->whole ? self->whole->image_count : 1;
}

static int graph_layer(struct nc_source *source, size_t layer, struct nc_reader **ret, uint64_t *ret_size,
		       struct nacre_error *err)
{
	struct graph_source *self = (struct graph_source *)source;
	if (self->box.offer.manifest)
		return nc_store_blob(self->store, &self->box.layers[layer].blob, ret, ret_size, err);
	return nc_store_layer_tar(self->store, self->layers[layer], ret, ret_size, err);
}

static void graph_close(struct nc_source *source)
{
	struct graph_source *self = (struct graph_source *)source;
	nc_offer_box_release(&self->box);
	for (size_t i = 0; i < self->node_count; i++)
		free(self->nodes[i].json);
	free(self->nodes);
	free(self->layers);
	nacre_image_free(self->image);
	nc_whole_free(self->whole);
	free(self->index_bytes);
	free(self->name);
	free(self);
}

/* --- images of 2015 --------------------------------------------------------------------------------------------- */

/* Once every diff ID is known the image has a config. */
static int settle_config(struct graph_source *self, struct nacre_error *err)
{
	for (size_t i = 0; i < self->box.offer.layer_count; i++)
		if (!self->box.layers[i].diff_id.alg)
			return 0;
	NC_AUTO_FREE struct nc_v1_layer *layers = nc_zalloc(self->node_count * sizeof *layers);
	if (!layers)
		return nc_nomem(err);
	for (size_t i = 0; i < self->node_count; i++) {
		const struct v1_node *node = &self->nodes[i];
		layers[i] = (struct nc_v1_layer){ .json = node->json, .json_len = node->json_len };
		if (node->layer >= 0)
			layers[i].diff_id = self->box.layers[node->layer].diff_id;
	}
	char *config;
	size_t len;
	int code = nc_config_from_v1(layers, self->node_count, &config, &len, err);
	return code < 0 ? code : nc_offer_box_config(&self->box, config, len, err);
}

static int graph_learned(struct nc_source *source, size_t layer, const struct nc_digest *diff_id,
			 struct nacre_error *err)
{
	struct graph_source *self = (struct graph_source *)source;
	self->box.layers[layer].diff_id = self->box.layers[layer].blob = *diff_id;
	return settle_config(self, err);
}

static int count_chain(struct graph_source *self, const char *id, struct nacre_error *err)
{
	char next[NC_HEX_ID];
	memcpy(next, id, NC_HEX_ID);
	for (; *next; self->node_count++) {
		struct nacre_node node;
		if (self->node_count == CHAIN_MAX)
			return nc_fail(err, NACRE_E_LIMIT, 0, "more than %d ancestors", CHAIN_MAX);
		int code = nacre_node_get(self->store, next, &node, err);
		if (code < 0)
			return code;
		memcpy(next, node.parent, NC_HEX_ID);
	}
	return 0;
}

static int read_node(struct graph_source *self, size_t i, const char *id, struct nacre_node *ret,
		     struct nacre_error *err)
{
	struct v1_node *node = &self->nodes[i];
	memcpy(node->id, id, NC_HEX_ID);
	int code = nacre_node_get(self->store, id, ret, err);
	if (code >= 0)
		code = nacre_node_json(self->store, id, &node->json, &node->json_len, err);
	node->layer = ret->has_layer ? 0 : -1;
	return code;
}

static int read_v1(struct graph_source *self, const char *id, struct nacre_error *err)
{
	struct nc_offer_box *box = &self->box;
	int code = count_chain(self, id, err);
	if (code < 0)
		return code;
	self->nodes = nc_zalloc(self->node_count * sizeof *self->nodes);
	self->layers = nc_zalloc(self->node_count * sizeof *self->layers);
	box->layers = nc_zalloc(self->node_count * sizeof *box->layers);
	NC_AUTO_FREE struct nacre_node *facts = nc_zalloc(self->node_count * sizeof *facts);
	if (!self->nodes || !self->layers || !box->layers || !facts)
		return nc_nomem(err);
	for (size_t i = self->node_count; i-- > 0; id = facts[i].parent) {
		code = read_node(self, i, id, &facts[i], err);
		if (code < 0)
			return code;
	}
	size_t count = 0;
	for (size_t i = 0; i < self->node_count; i++) {
		if (self->nodes[i].layer < 0)
			continue;
		self->nodes[i].layer = (ssize_t)count;
		memcpy(self->layers[count], self->nodes[i].id, NC_HEX_ID);
		struct nc_offer_layer *layer = &box->layers[count++];
		*layer = (struct nc_offer_layer){ .blob_size = UINT64_MAX, .media_type = "" };
		if (*facts[i].diff_id) {
			code = nc_digest_parse(facts[i].diff_id, &layer->diff_id, err);
			if (code < 0)
				return code;
			layer->blob = layer->diff_id;
		}
	}
	box->offer.layers = box->layers;
	box->offer.layer_count = count;
	return settle_config(self, err);
}

/* --- images of today -------------------------------------------------------------------------------------------- */

static int read_config(struct graph_source *self, struct nacre_error *err)
{
	const struct nacre_image *image = self->image;
	struct nc_offer_box *box = &self->box;
	char *config = nc_memdup(image->config, image->config_len);
	if (!config)
		return nc_nomem(err);
	int code = nc_offer_box_config(box, config, image->config_len, err);
	if (code < 0)
		return code;
	if (image->layer_count != box->offer.layer_count)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "has %zu layers, its config %zu", image->layer_count,
			       box->offer.layer_count);
	self->layers = nc_zalloc(image->layer_count * sizeof *self->layers);
	if (!self->layers)
		return nc_nomem(err);
	for (size_t i = 0; i < image->layer_count; i++) {
		struct nc_digest noted;
		memcpy(self->layers[i], image->layers[i].chain_id, NC_HEX_ID);
		box->layers[i].blob = box->layers[i].diff_id;
		/* the store compares what it gives with what it has noted */
		box->layers[i].proved = nc_store_layer_diff_id(self->store, self->layers[i], &noted, NULL) == 0 &&
					nc_digest_equal(&noted, &box->layers[i].blob);
	}
	return 0;
}

/* 1 when everything that the manifest names is in the store. */
static int has_blobs(struct graph_source *self, const struct nc_manifest *manifest, struct nacre_error *err)
{
	for (size_t i = 0; i < manifest->item_count; i++) {
		int code = nc_store_has_blob(self->store, &manifest->items[i].digest, err);
		if (code <= 0)
			return code;
	}
	return 1;
}

/* The manifest that the name was given with, or the first that the image came with. */
static int read_manifest(struct graph_source *self, const struct nc_digest *wanted, struct nacre_error *err)
{
	const struct nacre_image *image = self->image;
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	size_t len = image->manifest_len;
	if (!wanted->alg && !image->manifest)
		return 0;
	int code = 0;
	if (wanted->alg)
		code = nc_store_manifest(self->store, image->id, wanted, &bytes, &len, err);
	else if (!(bytes = nc_memdup(image->manifest, len)))
		code = nc_nomem(err);
	if (code >= 0)
		code = nc_manifest_parse(bytes, len, wanted->alg ? NULL : image->manifest_media_type, &manifest, err);
	if (code >= 0)
		code = has_blobs(self, manifest, err);
	if (code <= 0)
		return code;
	code = nc_offer_box_manifest(&self->box, NC_GIVE(bytes), len, NC_GIVE(manifest), err);
	for (size_t i = 0; code >= 0 && i < self->box.offer.layer_count; i++)
		self->box.layers[i].known = nc_store_layer_came_as(self->store, self->layers[i], &self->box.layers[i].blob);
	return code;
}

/* Text that found the image and is no name of it. */
static bool is_id(const struct nacre_image *image, const char *text)
{
	return strncmp(text, "sha256:", 7) == 0 || strncmp(text, image->id, strlen(text)) == 0;
}

/* The name by which the image was asked for; none when that was an ID. It may have another image by now. */
static int read_name(struct graph_source *self, const char *text, struct nacre_error *err)
{
	struct nc_reference reference;
	char full[NC_REFERENCE_TEXT];
	if (nc_reference_parse(text, &reference, NULL) < 0 || !*reference.tag)
		return 0;
	bool named = !*reference.digest && !is_id(self->image, text);
	*reference.digest = '\0';
	nc_reference_full(&reference, full);
	for (const char *const *name = self->image->names; !named && name && *name; name++)
		named = strcmp(*name, full) == 0;
	return named ? nc_offer_box_name(&self->box, full, err) : 0;
}

/* --- all images of an index ------------------------------------------------------------------------------------- */

static int offer_index(struct graph_source *self, size_t i, struct nacre_error *err)
{
	struct nc_offer_box *box = &self->box;
	const char *names[] = { self->name, NULL };
	box->index = nc_memdup(self->index_bytes, self->index_len);
	box->offer.index = box->index;
	box->offer.index_len = self->index_len;
	return box->index ? nc_whole_offer(self->whole, i, names, box, err) : nc_nomem(err);
}

/* The image of an item, which must be there as the index has it. */
static int read_item(struct graph_source *self, size_t i, struct nacre_error *err)
{
	const struct nc_whole_item *item = nc_whole_image(self->whole, i);
	char text[NC_DIGEST_TEXT], id[NC_HEX_ID];
	nc_offer_box_release(&self->box);
	free(NC_GIVE(self->layers));
	nacre_image_free(NC_GIVE(self->image));
	nc_digest_text(&item->digest, text);
	if (nc_store_resolve(self->store, text, id, NULL, NULL) < 0)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "the store has not all that the index of '%s' names: no image %s",
			       self->name, text);
	int code = nacre_image_get(self->store, id, &self->image, err);
	if (code >= 0)
		code = read_config(self, err);
	if (code >= 0)
		code = read_manifest(self, &item->digest, err);
	if (code >= 0 && !self->box.offer.manifest)
		code = nc_fail(err, NACRE_E_NOTFOUND, 0, "the blobs of image %.12s were not kept: it cannot go out as the index has it",
			       id);
	return code < 0 ? code : offer_index(self, i, err);
}

static int graph_image(struct nc_source *source, size_t i, const struct nc_offer **ret, struct nacre_error *err)
{
	struct graph_source *self = (struct graph_source *)source;
	int code = self->whole ? read_item(self, i, err) : 0;
	if (code >= 0)
		*ret = &self->box.offer;
	return code;
}

static int graph_blob(struct nc_source *source, const struct nc_whole_item *item, struct nc_reader **ret,
		      struct nacre_error *err)
{
	return nc_store_blob(((struct graph_source *)source)->store, &item->digest, ret, NULL, err);
}

static int read_named(void *ctx, const struct nc_descriptor *item, char **ret, size_t *ret_len, struct nacre_error *err)
{
	struct graph_source *self = ctx;
	char text[NC_DIGEST_TEXT];
	int code = nc_store_document(self->store, &item->digest, ret, ret_len, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, code, 0, "the store has not all that the index of '%s' names: no manifest %s", self->name,
			       nc_digest_text(&item->digest, text));
	if (code >= 0 && *ret_len != item->size) {
		free(NC_GIVE(*ret));
		code = nc_fail(err, NACRE_E_BADDATA, 0, "it has %zu bytes, and %llu by the index", *ret_len,
			       (unsigned long long)item->size);
	}
	return code;
}

static int read_whole(struct graph_source *self, const struct nc_source_wish *wish, struct nacre_error *err)
{
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *index = NULL;
	const struct nc_whole_reader reader = { read_named, self };
	int code = nc_manifest_parse(self->index_bytes, self->index_len, NULL, &index, err);
	if (code >= 0)
		code = nc_whole_open(index, &wish->platform, &reader, &self->whole, err);
	self->base.whole = self->whole;
	return code;
}

static int read_index(struct graph_source *self, const struct nc_source_wish *wish, struct nacre_error *err)
{
	char id[NC_HEX_ID], full[NC_REFERENCE_TEXT];
	struct nc_reference reference;
	struct nc_digest digest;
	int code = nc_reference_parse(wish->rest, &reference, err);
	if (code >= 0)
		code = nc_store_resolve(self->store, wish->rest, id, NULL, err);
	if (code >= 0)
		code = nc_store_index(self->store, wish->rest, &digest, err);
	if (code >= 0)
		code = nc_store_manifest(self->store, id, &digest, &self->index_bytes, &self->index_len, err);
	if (code < 0)
		return code;
	self->name = nc_strdup(nc_reference_full(&reference, full));
	return self->name ? read_whole(self, wish, err) : nc_nomem(err);
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

static const struct nc_source_ops graph_ops = {
	.count = graph_count, .image = graph_image, .layer = graph_layer, .learned = graph_learned, .blob = graph_blob,
	.close = graph_close,
};

static int read_image(struct graph_source *self, const struct nc_source_wish *wish, struct nacre_error *err)
{
	char id[NC_HEX_ID];
	struct nc_digest manifest = { 0 };
	int code = nc_store_resolve(self->store, wish->rest, id, &manifest, err);
	if (code >= 0)
		code = nacre_image_get(self->store, id, &self->image, err);
	if (code >= 0)
		code = read_name(self, wish->rest, err);
	if (code < 0)
		return code;
	if (self->image->v1)
		return read_v1(self, id, err);
	code = read_config(self, err);
	if (code >= 0 && !wish->plain)
		code = read_manifest(self, &manifest, err);
	if (code >= 0 && wish->platform_asked)
		code = nc_platform_check(self->box.parsed, &wish->platform, err);
	return code;
}

int nc_graph_load_open(const struct nc_source_wish *wish, struct nc_source **ret, struct nacre_error *err)
{
	if (!*wish->rest)
		return nc_fail(err, NACRE_E_INVALID, 0, "graph: names no image");
	struct graph_source *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &graph_ops;
	self->store = wish->store;
	NC_CLEANUP(nc_source_auto) struct nc_source *source = &self->base;
	nc_offer_box_release(&self->box);
	int code = wish->all_platforms ? read_index(self, wish, err) : read_image(self, wish, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(source);
	return 0;
}
