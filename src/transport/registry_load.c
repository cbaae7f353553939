/* A registry as a source: one name's manifest, or all those of its index, with what they name. What the store has of them
 * already, manifests and configs too, is taken from there: an image that is up to date costs one request. */
#include "transport/offer.h"
#include "transport/fetch.h"
#include "transport/oci_layout.h"
#include "transport/places.h"
#include "transport/remote_inner.h"
#include "transport/resume.h"
#include "transport/whole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct registry_source {
	struct nc_source base;
	struct nacre_store *store;	/* may be NULL */
	struct nc_platform platform;
	bool platform_asked;
	struct nc_registry_conf *conf;
	struct nc_reference reference;	/* the one that was found */
	struct nc_remotes remotes;	/* places that have it, in the order in which they are asked */
	struct nc_remote_document top;
	struct nc_manifest *index;	/* NULL: top is the manifest */
	struct nc_schema1 *schema1;	/* what top is; else NULL */
	struct nc_descriptor *images;	/* manifests to copy; strings belong to an index */
	struct nc_manifest **indexes;	/* on the way down */
	size_t image_count, index_count;
	struct nc_whole *whole;		/* all images of the index are meant; else NULL */
	char *name;			/* what that is called instead of reference; NULL */
	struct nc_offer_box box;
	bool resume;
	struct nc_fetches *fetches;	/* layers to come; NULL: none was expected */
	const struct nacre_progress *progress;
	/* the layer in hand: either, or none of both */
	struct nc_fetch *fetch;
	struct nc_partial *partial;
	bool from_before;		/* some of partial was there */
	struct nc_digest *seen;		/* blobs of the images so far */
	size_t seen_count;
};

/* --- documents -------------------------------------------------------------------------------------------------- */

static int stored_manifest(struct registry_source *self, const struct nc_digest *digest, char **ret, size_t *ret_len)
{
	return self->store && nc_store_document(self->store, digest, ret, ret_len, NULL) >= 0;
}

static bool ends_all(int code)
{
	return code >= 0 || code == NACRE_E_CANCELLED || code == NACRE_E_NOMEM;
}

static int fetch_document(struct nc_remote *remote, const struct nc_descriptor *item, char **ret, size_t *ret_len,
			  struct nacre_error *err)
{
	struct nc_remote_document document;
	char text[NC_DIGEST_TEXT];
	int code = nc_remote_manifest(remote, nc_digest_text(&item->digest, text), &document, err);
	if (code < 0)
		return code;
	if (document.len != item->size)
		code = nc_fail(err, NACRE_E_BADDATA, 0, "manifest %s has %zu bytes, not %llu", text, document.len,
			       (unsigned long long)item->size);
	else if (*document.media_type && *item->media_type && strcmp(document.media_type, item->media_type))
		code = nc_fail(err, NACRE_E_BADDATA, 0, "manifest %s comes as %.100s, its index says %.100s", text,
			       document.media_type, item->media_type);
	if (code >= 0) {
		*ret = NC_GIVE(document.bytes);
		*ret_len = document.len;
	}
	nc_remote_document_release(&document);
	return code;
}

/* A manifest or index that a descriptor names. */
static int read_document(struct registry_source *self, const struct nc_descriptor *item, char **ret, size_t *ret_len,
			 struct nacre_error *err)
{
	if (stored_manifest(self, &item->digest, ret, ret_len) && *ret_len == item->size)
		return 0;
	free(NC_GIVE(*ret));
	for (size_t i = self->remotes.first;; i++) {
		int code = fetch_document(self->remotes.list[i], item, ret, ret_len, err);
		if (ends_all(code) || i + 1 == self->remotes.count)
			return code;
	}
}

static int stored_config(struct registry_source *self, const struct nc_descriptor *config, char **ret)
{
	char hex[NC_DIGEST_TEXT];
	struct nacre_image *image;
	if (!self->store || config->digest.alg != NC_SHA256 ||
	    nacre_image_get(self->store, nc_digest_hex(&config->digest, hex), &image, NULL) < 0)
		return 0;
	bool same = !strcmp(image->id, hex) && image->config && image->config_len == config->size;
	*ret = same ? nc_memdup(image->config, image->config_len) : NULL;
	nacre_image_free(image);
	return *ret != NULL;
}

static int fetch_config(struct registry_source *self, const struct nc_descriptor *config, char **ret,
			struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	struct nc_reader *blob;
	int code = nc_remote_blob(&self->remotes, &config->digest, config->size, 0, &blob, err);
	if (code >= 0)
		code = nc_reader_verified(blob, &config->digest, config->size, &reader, err);
	return code < 0 ? code : nc_reader_slurp(reader, NC_DOCUMENT_MAX, ret, NULL, err);
}

static int read_config(struct registry_source *self, const struct nc_descriptor *config, struct nacre_error *err)
{
	char *bytes, text[NC_DIGEST_TEXT];
	int code;
	if (stored_config(self, config, &bytes))
		return nc_offer_box_config(&self->box, bytes, config->size, err);
	if (config->size > NC_DOCUMENT_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "a config of %llu bytes, more than %zu",
			       (unsigned long long)config->size, NC_DOCUMENT_MAX);
	do
		code = fetch_config(self, config, &bytes, err);
	while ((code == NACRE_E_BADDATA || code == NACRE_E_DIGEST) && nc_remotes_turn(&self->remotes));
	if (code < 0)
		return nc_wrap(err, code, "config %s", nc_digest_text(&config->digest, text));
	return nc_offer_box_config(&self->box, bytes, config->size, err);
}

/* The layer in hand is done with. drop: its bytes were bad. Returns 1 when some of them were there before. */
static int end_layer(struct registry_source *self, bool drop)
{
	int from_before = self->partial && self->from_before;
	if (self->fetch)
		from_before = nc_fetch_close(NC_GIVE(self->fetch), drop, &self->remotes);
	if (self->partial && drop)
		nc_partial_drop(NC_GIVE(self->partial), NULL);
	nc_partial_close(NC_GIVE(self->partial));
	return from_before;
}

/* --- images ----------------------------------------------------------------------------------------------------- */

static size_t registry_count(struct nc_source *source)
{
	return ((struct registry_source *)source)->image_count;
}

static int take_names(struct registry_source *self, size_t i, struct nacre_error *err)
{
	char full[NC_REFERENCE_TEXT];
	const char *names[] = { NULL, NULL };
	if (!*self->reference.digest && *self->reference.tag)
		names[0] = nc_reference_full(&self->reference, full);
	if (self->name)
		names[0] = self->name;
	if (self->whole)
		return nc_whole_offer(self->whole, i, names, &self->box, err);
	return *names ? nc_offer_box_name(&self->box, *names, err) : 0;
}

static int take_index(struct registry_source *self, struct nacre_error *err)
{
	if (!self->index)
		return 0;
	self->box.index = nc_memdup(self->top.bytes, self->top.len);
	self->box.offer.index = self->box.index;
	self->box.offer.index_len = self->top.len;
	return self->box.index ? 0 : nc_nomem(err);
}

static int schema1_image(struct registry_source *self, const struct nc_offer **ret, struct nacre_error *err)
{
	int code = nc_offer_box_schema1(&self->box, self->schema1, err);
	if (code >= 0)
		code = take_names(self, 0, err);
	*ret = &self->box.offer;
	return code < 0 ? code : 0;
}

static int registry_learned(struct nc_source *source, size_t layer, const struct nc_digest *diff_id,
			    struct nacre_error *err)
{
	struct registry_source *self = (struct registry_source *)source;
	return self->schema1 ? nc_offer_box_schema1_learned(&self->box, self->schema1, layer, diff_id, err) : 0;
}

/* Its layers are among those of which parts may lie in the store. */
static int note_layers(struct registry_source *self, struct nacre_error *err)
{
	const struct nc_offer *offer = &self->box.offer;
	struct nc_digest *seen;
	if (!self->resume)
		return 0;
	seen = nc_realloc_array(self->seen, self->seen_count + offer->layer_count, sizeof *seen);
	if (!seen)
		return nc_nomem(err);
	self->seen = seen;
	for (size_t i = 0; i < offer->layer_count; i++)
		seen[self->seen_count++] = offer->layers[i].blob;
	return 0;
}

/* Nothing is passed over here: what was asked for is an image, or not what it should be. */
static int check_image(const struct nc_manifest *manifest, struct nacre_error *err)
{
	struct nacre_error why;
	int code = nc_manifest_check_image(manifest, &why);
	return code < 0 ? nc_fail(err, code == NACRE_E_UNSUPPORTED ? NACRE_E_BADDATA : code, why.sys, "%s", why.msg) : code;
}

static int registry_image(struct nc_source *source, size_t i, const struct nc_offer **ret, struct nacre_error *err)
{
	struct registry_source *self = (struct registry_source *)source;
	const struct nc_descriptor *item = &self->images[i];
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	size_t len = self->top.len;
	end_layer(self, false);
	nc_fetches_free(NC_GIVE(self->fetches));
	nc_offer_box_release(&self->box);
	if (self->schema1)
		return schema1_image(self, ret, err);
	int code = self->index ? read_document(self, item, &bytes, &len, err) : 0;
	if (!self->index && !(bytes = nc_memdup(self->top.bytes, len)))
		code = nc_nomem(err);
	if (code >= 0)
		code = nc_manifest_parse(bytes, len, item->media_type, &manifest, err);
	if (code >= 0)
		code = check_image(manifest, err);
	if (code >= 0)
		code = read_config(self, &manifest->config, err);
	if (code >= 0)
		code = nc_offer_box_manifest(&self->box, NC_GIVE(bytes), len, NC_GIVE(manifest), err);
	if (code >= 0 && self->platform_asked)
		code = nc_platform_check(self->box.parsed, &self->platform, err);
	if (code >= 0)
		code = take_index(self, err);
	if (code >= 0)
		code = take_names(self, i, err);
	if (code >= 0)
		code = note_layers(self, err);
	if (code < 0)
		return code;
	*ret = &self->box.offer;
	return 0;
}

/* --- layers ----------------------------------------------------------------------------------------------------- */

static int registry_expect(struct nc_source *source, size_t layer, const char *what, struct nacre_error *err)
{
	struct registry_source *self = (struct registry_source *)source;
	const struct nc_offer_layer *wanted = &self->box.layers[layer];
	const struct nc_fetches_wish wish = { self->store, self->progress, what };
	int code = self->fetches ? 0 : nc_fetches_new(&wish, &self->fetches, err);
	return code < 0 ? code : nc_fetches_add(self->fetches, layer, &wanted->blob, wanted->blob_size, &self->remotes, err);
}

/* As a layer fails that was asked for when its turn had come. */
static int registry_blame(struct nc_source *source, size_t *ret_layer, struct nacre_error *err)
{
	struct registry_source *self = (struct registry_source *)source;
	const struct nc_offer *offer = &self->box.offer;
	size_t known = 0;
	char hex[NC_DIGEST_TEXT];
	int code = self->fetches ? nc_fetches_blame(self->fetches, ret_layer, err) : 0;
	NC_AUTO_FREE struct nc_digest *chain = code > 0 ? nc_realloc_array(NULL, offer->layer_count, sizeof *chain) : NULL;
	if (chain && nc_offer_chain(offer, chain, &known, NULL) >= 0 && *ret_layer < known)
		nc_wrap(err, err->code, "layer %.12s", nc_digest_hex(&chain[*ret_layer], hex));
	return code;
}

/* What comes of a layer lies in the store, for the next pull should this one end too early. */
static int begin_partial(struct registry_source *self, struct nc_offer_layer *layer, struct nacre_error *err)
{
	if (!self->resume || layer->blob_size == UINT64_MAX || layer->blob_size < NC_FETCH_SMALL)
		return 0;
	int code = nc_partial_open(self->store, &layer->blob, layer->blob_size, &self->partial, err);
	if (code <= 0)
		return code;
	self->from_before = nc_partial_size(self->partial) > 0;
	layer->partial = self->partial;
	return 0;
}

static int registry_layer(struct nc_source *source, size_t layer, struct nc_reader **ret, uint64_t *ret_size,
			  struct nacre_error *err)
{
	struct registry_source *self = (struct registry_source *)source;
	struct nc_offer_layer *wanted = &self->box.layers[layer];
	end_layer(self, false);
	wanted->partial = NULL;
	*ret_size = wanted->blob_size;
	int code = self->fetches ? nc_fetches_open(self->fetches, layer, &self->fetch, err) : 0;
	wanted->told = code > 0;
	if (code > 0) {
		wanted->partial = nc_fetch_partial(self->fetch);
		return nc_fetch_reader(self->fetch, ret, err);
	}
	if (code == 0)
		code = begin_partial(self, wanted, err);
	if (code < 0)
		return code;
	if (self->partial)
		return nc_resumed_blob(&self->remotes, self->partial, &wanted->blob, wanted->blob_size, ret, err);
	return nc_remote_blob(&self->remotes, &wanted->blob, wanted->blob_size, 0, ret, err);
}

/* Bad data: what was kept of it may be the fault. */
static int registry_turn(struct nc_source *source, size_t layer)
{
	struct registry_source *self = (struct registry_source *)source;
	if (layer != NC_NO_LAYER)
		self->box.layers[layer].partial = NULL;
	return end_layer(self, true) || nc_remotes_turn(&self->remotes);
}

static void registry_arrived(struct nc_source *source)
{
	struct registry_source *self = (struct registry_source *)source;
	char hex[NC_DIGEST_TEXT];
	end_layer(self, false);
	for (size_t i = 0; i < self->seen_count; i++)
		nc_partial_remove(self->store, nc_digest_hex(&self->seen[i], hex), NULL);
	self->seen_count = 0;
}

static void close_remotes(struct registry_source *self)
{
	for (size_t i = 0; i < self->remotes.count; i++)
		nc_remote_close(self->remotes.list[i]);
	free(self->remotes.list);
	self->remotes = (struct nc_remotes){ 0 };
}

static void registry_close(struct nc_source *source)
{
	struct registry_source *self = (struct registry_source *)source;
	nc_partial_close(self->partial);
	nc_fetches_free(self->fetches);
	free(self->seen);
	nc_offer_box_release(&self->box);
	for (size_t i = 0; i < self->index_count; i++)
		nc_manifest_free(self->indexes[i]);
	free(self->indexes);
	free(self->images);
	nc_whole_free(self->whole);
	free(self->name);
	nc_schema1_free(self->schema1);
	nc_remote_document_release(&self->top);
	close_remotes(self);
	nc_registry_conf_close(self->conf);
	free(self);
}

/* --- which images ----------------------------------------------------------------------------------------------- */

static int add_image(struct registry_source *self, const struct nc_descriptor *item, struct nacre_error *err)
{
	struct nc_descriptor *images = nc_realloc_array(self->images, self->image_count + 1, sizeof *images);
	if (!images)
		return nc_nomem(err);
	self->images = images;
	images[self->image_count++] = *item;
	return 0;
}

static int keep_index(struct registry_source *self, struct nc_manifest *index, struct nacre_error *err)
{
	struct nc_manifest **indexes = nc_realloc_array(self->indexes, self->index_count + 1, sizeof *indexes);
	if (!indexes) {
		nc_manifest_free(index);
		return nc_nomem(err);
	}
	self->indexes = indexes;
	indexes[self->index_count++] = index;
	return 0;
}

static int read_named(void *ctx, const struct nc_descriptor *item, char **ret, size_t *ret_len, struct nacre_error *err)
{
	return read_document(ctx, item, ret, ret_len, err);
}

/* All of them, with what else the index names. */
static int choose_all(struct registry_source *self, struct nacre_error *err)
{
	const struct nc_whole_reader reader = { read_named, self };
	int code = nc_whole_open(self->index, &self->platform, &reader, &self->whole, err);
	self->base.whole = self->whole;
	for (size_t i = 0; code >= 0 && i < self->whole->image_count; i++) {
		const struct nc_whole_item *item = nc_whole_image(self->whole, i);
		code = add_image(self, &(struct nc_descriptor){ .media_type = item->media_type, .digest = item->digest,
								.size = item->size }, err);
	}
	return code < 0 ? code : 0;
}

static int registry_blob(struct nc_source *source, const struct nc_whole_item *item, struct nc_reader **ret,
			 struct nacre_error *err)
{
	return nc_remote_blob(&((struct registry_source *)source)->remotes, &item->digest, item->size, 0, ret, err);
}

/* The one for the platform, through indexes in indexes. */
static int choose_image(struct registry_source *self, struct nacre_error *err)
{
	const struct nc_manifest *index = self->index;
	for (int depth = 0; depth < NC_INDEX_DEPTH; depth++) {
		NC_AUTO_FREE char *bytes = NULL;
		struct nc_manifest *inner;
		size_t len;
		int code = nc_index_choose(index, &self->platform, err);
		if (code < 0)
			return code;
		const struct nc_descriptor *item = &index->items[code];
		if (!nc_media_type_is_index(item->media_type))
			return add_image(self, item, err);
		code = read_document(self, item, &bytes, &len, err);
		if (code >= 0)
			code = nc_manifest_parse(bytes, len, item->media_type, &inner, err);
		if (code >= 0)
			code = keep_index(self, inner, err);
		if (code < 0)
			return code;
		index = inner;
	}
	return nc_fail(err, NACRE_E_LIMIT, 0, "more than %d indexes in one another", NC_INDEX_DEPTH);
}

static int read_top(struct registry_source *self, const struct nc_source_wish *wish, struct nacre_error *err)
{
	struct nc_manifest *top;
	if (nc_is_schema1(self->top.media_type, self->top.bytes, self->top.len)) {
		self->image_count = 1;
		return nc_schema1_parse(self->top.bytes, self->top.len, &self->schema1, err);
	}
	int code = nc_manifest_parse(self->top.bytes, self->top.len, self->top.media_type, &top, err);
	if (code >= 0)
		code = keep_index(self, top, err);
	if (code < 0)
		return code;
	if (top->kind == NC_DOC_INDEX) {
		self->index = top;
		return wish->all_platforms ? choose_all(self, err) : choose_image(self, err);
	}
	const struct nc_descriptor only = { .media_type = top->media_type, .digest = self->top.digest,
					    .size = self->top.len };
	return add_image(self, &only, err);
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

static int open_remotes(struct registry_source *self, const struct nc_source_wish *wish, struct nacre_error *err)
{
	struct nc_endpoints endpoints;
	int code = nc_registry_endpoints(self->conf, &self->reference, false, &endpoints, err);
	if (code < 0)
		return code;
	self->remotes.list = nc_zalloc(endpoints.count * sizeof *self->remotes.list);
	if (!self->remotes.list)
		code = nc_nomem(err);
	for (size_t i = 0; i < endpoints.count && code >= 0; i++) {
		code = nc_remote_open(self->conf, &endpoints.list[i], wish->progress, &self->remotes.list[i], err);
		self->remotes.count += code >= 0;
	}
	nc_endpoints_release(&endpoints);
	return code;
}

/* Asks one place after the other for the name. What the last one says is the failure. */
static int find(struct registry_source *self, const struct nc_source_wish *wish, struct nacre_error *err)
{
	const struct nc_reference *reference = &self->reference;
	struct nc_remotes *remotes = &self->remotes;
	int code = open_remotes(self, wish, err);
	if (code < 0)
		return code;
	for (;; remotes->first++) {
		code = nc_remote_manifest(remotes->list[remotes->first],
					  *reference->digest ? reference->digest : reference->tag, &self->top, err);
		if (ends_all(code) || remotes->first + 1 == remotes->count)
			return code;
	}
}

/* The first of the names meant that is there. */
static int find_candidate(struct registry_source *self, const struct nc_source_wish *wish, struct nacre_error *err)
{
	struct nc_candidates candidates;
	int code = nc_registry_candidates(self->conf, wish->rest, &candidates, err);
	if (code < 0)
		return code;
	for (size_t i = 0; i < candidates.count; i++) {
		self->reference = candidates.list[i];
		code = find(self, wish, err);
		if (ends_all(code))
			break;
		if (i + 1 < candidates.count)
			close_remotes(self);
	}
	nc_candidates_release(&candidates);
	return code;
}

const char *nc_registry_load_place(const struct nc_source *source)
{
	const struct nc_remotes *remotes = &((const struct registry_source *)source)->remotes;
	return nc_remote_name(remotes->list[remotes->first]);
}

int nc_registry_load_open(const struct nc_source_wish *wish, struct nc_source **ret, struct nacre_error *err)
{
	static const struct nc_source_ops ops = {
		.count = registry_count, .image = registry_image, .layer = registry_layer, .learned = registry_learned,
		.turn = registry_turn, .expect = registry_expect, .blame = registry_blame, .blob = registry_blob,
		.arrived = registry_arrived, .close = registry_close,
	};
	if (!*wish->rest)
		return nc_fail(err, NACRE_E_INVALID, 0, "docker:// names no image");
	struct registry_source *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &ops;
	self->store = wish->store;
	self->resume = wish->resume && wish->store;
	self->progress = wish->progress;
	self->base.ahead = self->resume && nc_store_threads(wish->store);
	self->platform = wish->platform;
	self->platform_asked = wish->platform_asked;
	NC_CLEANUP(nc_source_auto) struct nc_source *source = &self->base;
	nc_offer_box_release(&self->box);
	if (wish->name && !(self->name = nc_strdup(wish->name)))
		return nc_nomem(err);
	int code = nc_registry_conf_open(wish->registry, &self->conf, err);
	if (code >= 0)
		code = find_candidate(self, wish, err);
	if (code >= 0)
		code = read_top(self, wish, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(source);
	return 0;
}
