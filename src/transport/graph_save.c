/* The store as a sink: layers become nodes, configs images.
 *
 * Where there are several images, the locks of all their IDs are taken before the first begins, by depth and then
 * by ID: so does everybody, and nobody waits for one who waits for him. A single image's chain is in that order by
 * itself. */
#include "base/map.h"
#include "transport/flow.h"
#include "transport/image_save.h"
#include "transport/offer.h"
#include "transport/places.h"
#include "transport/whole.h"

#include <stdlib.h>
#include <string.h>

/* IDs of all the images of one copy. */
#define EXPECTED_MAX (1u << 20)

struct expected {
	size_t depth;
	char id[NC_HEX_ID];
};

struct graph_sink {
	struct nc_sink base;
	struct nacre_store *store;
	bool keep_blobs;
	bool mend_only;			/* nothing comes but what mends layers that are there */
	struct nc_ingest *ingest;
	struct expected *expected;
	size_t expected_count, expected_room;
	bool weighed;			/* room counts all images already */
	struct nc_room room;		/* of layers that are not there */
	struct nc_map *seen;		/* IDs in expected */
	struct nc_map *kept;		/* v1 IDs that this copy brought or compared */
	/* of an index that is kept whole */
	char main[NC_HEX_ID];		/* the image that has its name; "" */
	struct nc_digest index;
	struct nc_blob_ref *rest;	/* what no image has of it */
	size_t rest_count, rest_room;
	/* the image in hand */
	const struct nc_offer *offer;
	struct nc_digest *chain;	/* of its first known layers */
	size_t known;
};

/* --- IDs -------------------------------------------------------------------------------------------------------- */

static int start_chain(struct graph_sink *self, const struct nc_offer *offer, struct nacre_error *err)
{
	free(self->chain);
	self->offer = offer;
	self->known = 0;
	self->chain = nc_realloc_array(NULL, offer->layer_count, sizeof *self->chain);
	return self->chain ? nc_offer_chain(self->offer, self->chain, &self->known, err) : nc_nomem(err);
}

/* The node of a known layer. */
static void node_id(const struct graph_sink *self, size_t layer, char ret[NC_DIGEST_TEXT])
{
	if (self->offer->v1_id)
		memcpy(ret, self->offer->v1_nodes[layer].id, NC_HEX_ID);
	else
		nc_digest_hex(&self->chain[layer], ret);
}

/* Adds a layer that is not there. */
static void weigh(struct graph_sink *self, size_t i, const char *id)
{
	struct nacre_node there;
	if (nacre_node_get(self->store, id, &there, NULL) != 0)
		nc_offer_weigh(self->store, self->offer, i, self->keep_blobs, &self->room);
}

static int check_room(struct graph_sink *self, struct nacre_error *err)
{
	char id[NC_DIGEST_TEXT];
	if (self->mend_only)
		return 0;
	for (size_t i = 0; i < self->known && !self->weighed; i++) {
		node_id(self, i, id);
		weigh(self, i, id);
	}
	int code = nc_ingest_room(self->ingest, &self->room, err);
	self->room = (struct nc_room){ 0 };
	return code;
}

/* --- several images --------------------------------------------------------------------------------------------- */

static int expect_id(struct graph_sink *self, size_t depth, const char *id, struct nacre_error *err)
{
	if (nc_map_get(self->seen, id, NC_HEX_ID - 1))
		return 0;
	if (self->expected_count == EXPECTED_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %u layers and images at once", EXPECTED_MAX);
	struct expected *expected = nc_grown(self->expected, self->expected_count, &self->expected_room, sizeof *expected);
	if (!expected)
		return nc_nomem(err);
	self->expected = expected;
	struct expected *one = &self->expected[self->expected_count++];
	one->depth = depth;
	memcpy(one->id, id, NC_HEX_ID);
	return nc_map_set(self->seen, id, NC_HEX_ID - 1, self, NULL, err);
}

static int graph_expect(struct nc_sink *sink, const struct nc_offer *offer, struct nacre_error *err)
{
	struct graph_sink *self = (struct graph_sink *)sink;
	char id[NC_DIGEST_TEXT];
	struct nc_digest config;
	int code = start_chain(self, offer, err);
	self->weighed = true;
	for (size_t i = 0; i < offer->layer_count && code >= 0; i++) {
		node_id(self, i, id);
		if (!nc_map_get(self->seen, id, NC_HEX_ID - 1))
			weigh(self, i, id);
		code = expect_id(self, i, id, err);
	}
	if (code >= 0 && !offer->v1_id) {
		code = nc_digest_of(offer->config, offer->config_len, &config, err);
		if (code >= 0)
			code = expect_id(self, offer->layer_count, nc_digest_hex(&config, id), err);
	}
	return code;
}

static int by_depth(const void *a, const void *b)
{
	const struct expected *x = a, *y = b;
	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return strcmp(x->id, y->id);
}

static int lock_expected(struct graph_sink *self, struct nacre_error *err)
{
	if (!self->expected_count || self->mend_only)
		return 0;
	qsort(self->expected, self->expected_count, sizeof *self->expected, by_depth);
	for (size_t i = 0; i < self->expected_count; i++) {
		int code = nc_ingest_has(self->ingest, self->expected[i].id, err);
		if (code < 0)
			return code;
	}
	self->expected_count = 0;
	return 0;
}

/* --- layers ----------------------------------------------------------------------------------------------------- */

static int graph_begin(struct nc_sink *sink, const struct nc_offer *offer, struct nacre_error *err)
{
	struct graph_sink *self = (struct graph_sink *)sink;
	int code = lock_expected(self, err);
	if (code >= 0)
		code = start_chain(self, offer, err);
	return code < 0 ? code : check_room(self, err);
}

static bool is_passed_over(const struct graph_sink *self, const char *id)
{
	struct nacre_node node;
	return self->mend_only && nacre_node_get(self->store, id, &node, NULL) == NACRE_E_NOTFOUND;
}

/* 1 when the layer can go out again as it is: of an index that is kept whole, every image must. */
static int has_blob(struct graph_sink *self, const struct nc_offer_layer *layer, struct nacre_error *err)
{
	if (!self->offer->whole || !self->keep_blobs || self->mend_only || nc_digest_equal(&layer->blob, &layer->diff_id))
		return 1;
	int code = nc_store_has_blob(self->store, &layer->blob, err);
	return code ? code : nc_ingest_has_blob(self->ingest, &layer->blob, err);
}

static int graph_has(struct nc_sink *sink, size_t layer, struct nacre_error *err)
{
	struct graph_sink *self = (struct graph_sink *)sink;
	char id[NC_DIGEST_TEXT];
	if (self->offer->v1_id) {
		/* an ID is a claim: what is there under it has to be compared */
		node_id(self, layer, id);
		return self->mend_only || nc_map_get(self->kept, id, NC_HEX_ID - 1) != NULL;
	}
	int code = nc_offer_chain(self->offer, self->chain, &self->known, err);
	if (code < 0 || layer >= self->known)
		return code;
	node_id(self, layer, id);
	code = is_passed_over(self, id) ? 1 : nc_ingest_has(self->ingest, id, err);
	return code <= 0 ? code : has_blob(self, &self->offer->layers[layer], err);
}

static int bring(struct graph_sink *self, size_t i, struct nc_reader *blob, struct nc_digest *ret_diff_id,
		 struct nacre_error *err)
{
	const struct nc_offer *offer = self->offer;
	const struct nc_offer_layer *layer = &offer->layers[i];
	char parent[NC_DIGEST_TEXT];
	struct nc_layer_out out;
	struct nc_layer_in in = {
		.diff_id = layer->diff_id.alg ? &layer->diff_id : NULL,
		.blob = layer->blob.alg ? &layer->blob : NULL,
		.blob_size = layer->blob_size,
		.keep_blob = self->keep_blobs && offer->manifest, .partial = layer->partial,
	};
	if (i) {
		node_id(self, i - 1, parent);
		in.parent = parent;
	}
	if (offer->v1_id) {
		in.id = offer->v1_nodes[i].id;
		in.json = offer->v1_nodes[i].json;
		in.json_len = offer->v1_nodes[i].json_len;
	}
	if (self->base.apart && in.diff_id && !in.id) {
		*ret_diff_id = layer->diff_id;
		return nc_ingest_layer_beside(self->ingest, &in, blob, i, err);
	}
	int code = nc_ingest_layer(self->ingest, &in, blob, &out, err);
	if (code < 0)
		return code;
	*ret_diff_id = out.diff_id;
	return 0;
}

/* A v1 ID that is there must be the same node. */
static int compare(struct graph_sink *self, size_t i, struct nc_reader *blob, struct nc_digest *ret_diff_id,
		   struct nacre_error *err)
{
	const struct nc_v1_node *node = &self->offer->v1_nodes[i];
	struct nacre_node there;
	NC_AUTO_FREE char *json = NULL;
	struct nc_digest diff_id;
	size_t len;
	int code = nc_flow_diff_id(blob, ret_diff_id, err);
	if (code >= 0)
		code = nacre_node_get(self->store, node->id, &there, err);
	if (code >= 0)
		code = nacre_node_json(self->store, node->id, &json, &len, err);
	if (code >= 0)
		code = there.has_layer ? nc_store_layer_diff_id(self->store, node->id, &diff_id, err) : 0;
	if (code < 0)
		return code;
	bool same = there.has_layer && len == node->json_len && !memcmp(json, node->json, len) &&
		    !strcmp(there.parent, node->parent) && nc_digest_equal(&diff_id, ret_diff_id);
	return same ? 0 : nc_fail(err, NACRE_E_EXISTS, 0, "%s is there with other content", node->id);
}

static int graph_layer(struct nc_sink *sink, size_t layer, struct nc_reader *blob, uint64_t size,
		       struct nc_digest *ret_diff_id, struct nacre_error *err)
{
	struct graph_sink *self = (struct graph_sink *)sink;
	if (!self->offer->v1_id)
		return bring(self, layer, blob, ret_diff_id, err);
	const char *id = self->offer->v1_nodes[layer].id;
	int code = nc_ingest_has(self->ingest, id, err);
	if (code < 0)
		nc_reader_close(blob);
	else
		code = code ? compare(self, layer, blob, ret_diff_id, err)
			    : bring(self, layer, blob, ret_diff_id, err);
	return code < 0 ? code : nc_map_set(self->kept, id, NC_HEX_ID - 1, self, NULL, err);
}

static int graph_settle(struct nc_sink *sink, bool all, size_t *ret_layer, struct nacre_error *err)
{
	return nc_ingest_settle(((struct graph_sink *)sink)->ingest, all, ret_layer, err);
}

static int graph_blame(struct nc_sink *sink, size_t *ret_layer, struct nacre_error *err)
{
	return nc_ingest_blame(((struct graph_sink *)sink)->ingest, ret_layer, err);
}

static void graph_halt(struct nc_sink *sink)
{
	nc_ingest_halt(((struct graph_sink *)sink)->ingest);
}

/* --- images ----------------------------------------------------------------------------------------------------- */

static int end_kept(struct graph_sink *self, const char *const *names, struct nacre_copied_image *ret,
		    struct nacre_error *err)
{
	for (; *names && !self->mend_only; names++) {
		int code = nc_ingest_name(self->ingest, *names, self->offer->v1_id, NULL, NULL, err);
		if (code < 0)
			return code;
	}
	ret->id = nc_strdup(self->offer->v1_id);
	ret->manifest_digest = nc_strdup("");
	return ret->id && ret->manifest_digest ? 0 : nc_nomem(err);
}

static int graph_end(struct nc_sink *sink, const char *const *names, struct nacre_copied_image *ret,
		     struct nacre_error *err)
{
	struct graph_sink *self = (struct graph_sink *)sink;
	const struct nc_offer *offer = self->offer;
	if (offer->v1_id)
		return end_kept(self, names, ret, err);
	const struct nc_image_in in = {
		.config = offer->config, .config_len = offer->config_len, .manifest = offer->manifest,
		.manifest_len = offer->manifest_len, .manifest_media_type = offer->manifest_media_type,
		.index = offer->index, .index_len = offer->index_len, .names = names,
	};
	char id[NC_HEX_ID];
	struct nc_digest config, manifest;
	int code = self->mend_only ? nc_digest_of(offer->config, offer->config_len, &config, err)
				   : nc_ingest_image(self->ingest, &in, id, err);
	if (code >= 0 && !self->mend_only)
		code = nc_digest_from_hex_id(id, &config, err);
	if (code >= 0 && offer->manifest)
		code = nc_digest_of(offer->manifest, offer->manifest_len, &manifest, err);
	if (code >= 0 && offer->main && !self->mend_only) {
		memcpy(self->main, id, sizeof id);
		code = nc_digest_of(offer->index, offer->index_len, &self->index, err);
	}
	return code < 0 ? code : nc_copied_image_set(ret, &config, offer->manifest ? &manifest : NULL, err);
}

/* --- what no image has of an index ------------------------------------------------------------------------------ */

static int graph_has_rest(struct nc_sink *sink, const struct nc_whole_item *item, struct nacre_error *err)
{
	struct graph_sink *self = (struct graph_sink *)sink;
	if (!self->keep_blobs || !*self->main)
		return 1;
	struct nc_blob_ref *rest = nc_grown(self->rest, self->rest_count, &self->rest_room, sizeof *rest);
	if (!rest)
		return nc_nomem(err);
	self->rest = rest;
	self->rest[self->rest_count++] = (struct nc_blob_ref){ item->digest, item->size };
	return nc_ingest_has_blob(self->ingest, &item->digest, err);
}

static int graph_rest(struct nc_sink *sink, const struct nc_whole_item *item, struct nc_reader *blob,
		      struct nacre_error *err)
{
	return nc_ingest_blob(((struct graph_sink *)sink)->ingest, &(struct nc_blob_ref){ item->digest, item->size }, blob,
			      err);
}

static int graph_commit(struct nc_sink *sink, struct nacre_error *err)
{
	struct graph_sink *self = (struct graph_sink *)sink;
	int code = self->rest_count ? nc_ingest_whole(self->ingest, self->main, &self->index, self->rest, self->rest_count, err)
				    : 0;
	return code < 0 ? code : nc_ingest_commit(self->ingest, err);
}

static void graph_close(struct nc_sink *sink)
{
	struct graph_sink *self = (struct graph_sink *)sink;
	nc_ingest_free(self->ingest);
	nc_map_free(self->seen);
	nc_map_free(self->kept);
	free(self->expected);
	free(self->chain);
	free(self->rest);
	free(self);
}

static const struct nc_sink_ops graph_ops = {
	.expect = graph_expect, .begin = graph_begin, .has = graph_has, .layer = graph_layer,
	.settle = graph_settle, .blame = graph_blame, .halt = graph_halt, .end = graph_end,
	.has_rest = graph_has_rest, .rest = graph_rest, .commit = graph_commit, .close = graph_close,
};

int nc_graph_save_open(const struct nc_sink_wish *wish, struct nc_sink **ret, struct nacre_error *err)
{
	struct graph_sink *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &graph_ops;
	self->store = wish->store;
	self->keep_blobs = wish->blobs == NACRE_BLOBS_KEEP;
	NC_CLEANUP(nc_sink_auto) struct nc_sink *sink = &self->base;
	self->seen = nc_map_new();
	self->kept = nc_map_new();
	if (!self->seen || !self->kept)
		return nc_nomem(err);
	int code = nc_ingest_begin(wish->store, &self->ingest, err);
	if (code < 0)
		return code;
	nc_ingest_watch(self->ingest, wish->cancel);
	self->mend_only = wish->repair == NACRE_REPAIR_ONLY;
	if (wish->repair != NACRE_REPAIR_MISSING)
		nc_ingest_thorough(self->ingest);
	*ret = NC_GIVE(sink);
	return 0;
}
