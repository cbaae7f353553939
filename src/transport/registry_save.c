/* A registry as a sink: layers first, then the config, and last, at the commit, the manifest under its tags.
 *
 * Nothing is sent that the repository has, or that the registry can take over from another of its repositories: those
 * that images of the store with the same blob, or the source, are named after. What is sent lies in a file before,
 * checked, so that a broken upload can go on from anywhere; and several go while the next is made ready. */
#include "base/map.h"
#include "image/reference.h"
#include "io/aside.h"
#include "io/fd.h"
#include "transport/ask.h"
#include "transport/flow.h"
#include "transport/image_save.h"
#include "transport/offer.h"
#include "transport/places.h"
#include "transport/remote.h"
#include "transport/send.h"
#include "transport/whole.h"

#include <stdlib.h>
#include <string.h>

/* Images of the store that are looked at for repositories that may have a blob. */
#define HOMES_MAX 1000

struct pending {
	char *bytes;
	size_t len;
	char *media_type;
	struct nc_digest digest;
	struct nc_names tags;
	bool there;
};

struct registry_sink {
	struct nc_sink base;
	struct nacre_store *store;	/* may be NULL */
	struct nc_spool spool;
	struct nacre_progress progress;
	struct nc_registry_conf *conf;
	struct nc_reference to;
	struct nc_remote *remote;
	bool threads;
	struct nc_sends *sends;		/* layers under way */
	struct nc_image_out image;
	size_t layer;			/* the one in hand */
	bool current;			/* the image in hand is there already, under its tag */
	struct nc_map *done;		/* diff ID -> struct nc_layer_file, of this copy */
	struct nc_map *asked;		/* digest of a blob -> &is_missing, &is_stored: what the registry said */
	struct nc_map *homes;		/* digest of a blob -> path of a repository; NULL: not looked for yet */
	struct nc_names paths;		/* what homes points to */
	struct pending *pending;
	size_t pending_count;
	struct pending whole;		/* the index of them; bytes NULL: there is none */
};

/* --- homes of blobs --------------------------------------------------------------------------------------------- */

/* 1 when name is one of another repository of the same registry, whose path is then kept. */
static int take_path(struct registry_sink *self, const char *name, const char **ret, struct nacre_error *err)
{
	struct nc_reference reference;
	if (nc_reference_parse(name, &reference, NULL) < 0 || strcmp(reference.domain, self->to.domain) ||
	    !strcmp(reference.path, self->to.path))
		return 0;
	int code = nc_names_add(&self->paths, reference.path, err);
	for (size_t i = 0; i < self->paths.count && code >= 0; i++)
		if (!strcmp(self->paths.list[i], reference.path))
			*ret = self->paths.list[i];
	return code < 0 ? code : 1;
}

static int add_home(struct registry_sink *self, const struct nc_digest *digest, const char *path,
		    struct nacre_error *err)
{
	if (nc_map_get(self->homes, digest, sizeof *digest))
		return 0;
	return nc_map_set(self->homes, digest, sizeof *digest, (void *)path, NULL, err);
}

/* What an image of the store was pulled as, or pushed as, has its blobs there. */
static int add_homes_of(struct registry_sink *self, const char *name, struct nacre_error *err)
{
	char id[NC_HEX_ID];
	struct nc_digest digest;
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	const char *path;
	size_t len;
	int code = take_path(self, name, &path, err);
	if (code <= 0)
		return code;
	/* an image that cannot be read has no say */
	if (nc_store_resolve(self->store, name, id, &digest, NULL) < 0 || !digest.alg ||
	    nc_store_manifest(self->store, id, &digest, &bytes, &len, NULL) < 0 ||
	    nc_manifest_parse(bytes, len, NULL, &manifest, NULL) < 0 || manifest->kind != NC_DOC_MANIFEST)
		return 0;
	code = add_home(self, &manifest->config.digest, path, err);
	for (size_t i = 0; i < manifest->item_count && code >= 0; i++)
		code = add_home(self, &manifest->items[i].digest, path, err);
	return code;
}

static int find_homes(struct registry_sink *self, struct nacre_error *err)
{
	struct nacre_image_list *list;
	if (self->homes)
		return 0;
	self->homes = nc_map_new();
	if (!self->homes)
		return nc_nomem(err);
	if (!self->store || nacre_image_list(self->store, NULL, &list, NULL) < 0)
		return 0;
	int code = 0;
	for (size_t i = 0; i < list->count && i < HOMES_MAX; i++)
		for (const char *const *name = list->images[i]->names; name && *name && code >= 0; name++)
			code = add_homes_of(self, *name, err);
	nacre_image_list_free(list);
	return code < 0 ? code : 0;
}

/* The source may be a repository of the same registry. */
static int add_source(struct registry_sink *self, const struct nc_offer *offer, struct nacre_error *err)
{
	const char *path;
	int code = offer->manifest && *offer->names ? take_path(self, *offer->names, &path, err) : 0;
	for (size_t i = 0; i < offer->layer_count && code > 0; i++)
		if (add_home(self, &offer->layers[i].blob, path, err) < 0)
			return nc_nomem(err);
	return code < 0 ? code : 0;
}

static char is_missing, is_stored;

/* All layers that go as they come, before the first is looked at. */
static int ask_ahead(struct registry_sink *self, const struct nc_offer *offer, struct nacre_error *err)
{
	NC_AUTO_FREE struct nc_ask *asks = nc_zalloc(offer->layer_count * sizeof *asks);
	size_t count = 0;
	if (!asks)
		return offer->layer_count ? nc_nomem(err) : 0;
	for (size_t i = 0; i < offer->layer_count && self->image.wish.as_it_comes; i++) {
		const struct nc_offer_layer *layer = &offer->layers[i];
		if (!nc_map_get(self->asked, &layer->blob, sizeof layer->blob))
			asks[count++] = (struct nc_ask){ .digest = &layer->blob, .size = layer->blob_size };
	}
	int code = nc_ask_all(self->remote, self->threads, asks, count, err);
	for (size_t i = 0; i < count && code >= 0; i++)
		code = nc_map_set(self->asked, asks[i].digest, sizeof *asks[i].digest,
				  asks[i].there ? &is_stored : &is_missing, NULL, err);
	return code;
}

/* 1 when the repository has the blob, or has got it without our sending it. */
static int is_there(struct registry_sink *self, const struct nc_digest *digest, uint64_t size, struct nacre_error *err)
{
	const char *answer = nc_map_get(self->asked, digest, sizeof *digest);
	int code = answer ? answer == &is_stored : nc_remote_has_blob(self->remote, digest, size, err);
	if (code)
		return code;
	code = find_homes(self, err);
	const char *home = code < 0 ? NULL : nc_map_get(self->homes, digest, sizeof *digest);
	return home ? nc_remote_mount(self->remote, digest, home, err) : code;
}

/* --- blobs ------------------------------------------------------------------------------------------------------ */

static void tell_skipped(const struct registry_sink *self, const struct nc_digest *digest, uint64_t size)
{
	char id[NC_DIGEST_TEXT];
	nc_progress_tell(&self->progress, NACRE_EVENT_SKIPPED, nc_digest_text(digest, id), NC_SEND_WHAT, 0, size);
}

static int note_done(struct registry_sink *self, const struct nc_digest *diff_id, const struct nc_layer_file *done,
		     struct nacre_error *err)
{
	struct nc_layer_file *kept = nc_alloc(sizeof *kept);
	void *old = NULL;
	if (!kept)
		return nc_nomem(err);
	*kept = *done;
	int code = nc_map_set(self->done, diff_id, sizeof *diff_id, kept, &old, err);
	free(code < 0 ? kept : old);
	return code;
}

static int has_layer(void *place, const struct nc_offer_layer *layer, const struct nc_blobs_wish *wish,
		     struct nc_descriptor *ret, struct nacre_error *err)
{
	struct registry_sink *self = place;
	const struct nc_layer_file *done =
		layer->diff_id.alg ? nc_map_get(self->done, &layer->diff_id, sizeof layer->diff_id) : NULL;
	if (done && (!wish->as_it_comes || nc_digest_equal(&done->digest, &layer->blob))) {
		nc_layer_describe(done, wish, ret);
		if (wish->as_it_comes)
			tell_skipped(self, &done->digest, done->size);
		return 1;
	}
	/* of any other the digest shows when it is compressed */
	if (!wish->as_it_comes)
		return 0;
	int code = self->current ? 1 : is_there(self, &layer->blob, layer->blob_size, err);
	if (code > 0)
		tell_skipped(self, &layer->blob, layer->blob_size);
	return code;
}

/* The bytes that shall be sent, checked, in a file. */
static int keep_aside(struct registry_sink *self, int fd, const struct nc_offer_layer *layer,
		      const struct nc_blobs_wish *wish, struct nc_reader *blob, struct nc_layer_file *ret,
		      struct nc_digest *ret_diff_id, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	char id[NC_DIGEST_TEXT] = "";
	enum nc_codec comes;
	int code = nc_sends_watch(self->sends, blob, &reader, err);
	if (code >= 0)
		code = nc_flow_peek(NC_GIVE(reader), &comes, &reader, err);
	if (code < 0)
		return code;
	enum nc_codec codec = nc_layer_codec(wish, comes);
	if (layer->diff_id.alg)
		nc_digest_text(&layer->diff_id, id);
	if (codec != comes)
		code = nc_reader_progress(NC_GIVE(reader), &self->progress, id, "compressing layer",
					  layer->blob_size == UINT64_MAX ? 0 : layer->blob_size, &reader, err);
	if (code >= 0)
		code = nc_layer_file_write(self->store, fd, layer, codec, codec == comes, NC_GIVE(reader), ret, ret_diff_id, err);
	if (code >= 0 && codec != comes && self->progress.event)
		self->progress.event(self->progress.ctx, NACRE_EVENT_DONE, id, "compressing layer", 0, 0);
	return code;
}

static int bring_layer(void *place, const struct nc_offer_layer *layer, const struct nc_blobs_wish *wish,
		       struct nc_reader *blob, struct nc_descriptor *ret, struct nc_digest *ret_diff_id,
		       struct nacre_error *err)
{
	struct registry_sink *self = place;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = blob;
	struct nc_layer_file done;
	int fd NC_AUTO_FD = -1;
	int code = nc_spool_file(&self->spool, &fd, err);
	if (code >= 0)
		code = keep_aside(self, fd, layer, wish, NC_GIVE(reader), &done, ret_diff_id, err);
	if (code < 0)
		return code;
	int there = wish->as_it_comes ? 0 : is_there(self, &done.digest, done.size, err);
	if (there > 0)
		tell_skipped(self, &done.digest, done.size);
	code = there ? there : nc_sends_add(self->sends, self->layer, nc_fd_give(&fd), &done.digest, done.size, err);
	if (code >= 0)
		code = note_done(self, ret_diff_id, &done, err);
	nc_layer_describe(&done, wish, ret);
	return code < 0 ? code : 0;
}

static int bring_document(void *place, const void *bytes, size_t len, struct nc_digest *ret, struct nacre_error *err)
{
	struct registry_sink *self = place;
	struct nc_digest digest;
	int fd NC_AUTO_FD = -1;
	int code = nc_digest_of(bytes, len, &digest, err);
	if (code >= 0 && !self->current)
		code = is_there(self, &digest, len, err);
	if (code == 0 && !self->current) {
		code = nc_spool_file(&self->spool, &fd, err);
		int sys = code < 0 ? 0 : nc_write_full(fd, bytes, len);
		if (sys)
			code = nc_fail(err, NACRE_E_IO, sys, "write a temporary file");
		const struct nc_http_file file = { .fd = fd, .len = len };
		if (code >= 0)
			code = nc_remote_put_blob(self->remote, &digest, &file, err);
	}
	if (code < 0)
		return nc_wrap(err, code, "config");
	*ret = digest;
	return 0;
}

/* --- images ----------------------------------------------------------------------------------------------------- */

/* Whether the tag is that of this very manifest: then all of it is there. It is asked of an image that cannot be, too: who is
 * out of reach or lets nobody in shall say so before anything is compressed. */
static int is_current(struct registry_sink *self, const struct nc_offer *offer, struct nacre_error *err)
{
	struct nc_digest digest = { 0 };
	char text[NC_DIGEST_TEXT];
	bool as_it_comes = self->image.wish.as_it_comes;
	int code = as_it_comes ? nc_digest_of(offer->manifest, offer->manifest_len, &digest, err) : 0;
	const char *reference = offer->whole && as_it_comes ? nc_digest_text(&digest, text) : self->to.tag;
	return code < 0 ? code : nc_remote_has_manifest(self->remote, reference, &digest, err);
}

/* What goes as it comes is known beforehand, so that whoever looks on can tell how much is left. */
static void announce(const struct registry_sink *self, const struct nc_offer *offer)
{
	char id[NC_DIGEST_TEXT];
	for (size_t i = 0; i < offer->layer_count && self->image.wish.as_it_comes; i++)
		nc_progress_tell(&self->progress, NACRE_EVENT_START, nc_digest_text(&offer->layers[i].blob, id), NC_SEND_WHAT, 0,
				 offer->layers[i].blob_size);
}

static int registry_begin(struct nc_sink *sink, const struct nc_offer *offer, struct nacre_error *err)
{
	struct registry_sink *self = (struct registry_sink *)sink;
	int code = nc_image_out_begin(&self->image, offer, true, err);
	if (code >= 0)
		code = nc_image_out_check_whole(&self->image, err);
	if (code >= 0)
		code = is_current(self, offer, err);
	if (code < 0)
		return code;
	self->current = code > 0;
	announce(self, offer);
	code = self->current ? 0 : find_homes(self, err);
	if (code < 0 || self->current)
		return code;
	code = add_source(self, offer, err);
	return code < 0 ? code : ask_ahead(self, offer, err);
}

static int registry_has(struct nc_sink *sink, size_t layer, struct nacre_error *err)
{
	return nc_image_out_has(&((struct registry_sink *)sink)->image, layer, err);
}

static int registry_layer(struct nc_sink *sink, size_t layer, struct nc_reader *blob, uint64_t size,
			  struct nc_digest *ret_diff_id, struct nacre_error *err)
{
	struct registry_sink *self = (struct registry_sink *)sink;
	self->layer = layer;
	return nc_image_out_layer(&self->image, layer, blob, size, ret_diff_id, err);
}

static int registry_settle(struct nc_sink *sink, bool all, size_t *ret_layer, struct nacre_error *err)
{
	return all ? nc_sends_wait(((struct registry_sink *)sink)->sends, err) : 0;
}

static int registry_blame(struct nc_sink *sink, size_t *ret_layer, struct nacre_error *err)
{
	return nc_sends_blame(((struct registry_sink *)sink)->sends, ret_layer, err);
}

static int take_tags(const struct registry_sink *self, const char *const *names, struct nc_names *ret,
		     struct nacre_error *err)
{
	int code = 0;
	for (; *names && code >= 0; names++) {
		struct nc_reference reference;
		code = nc_reference_parse(*names, &reference, err);
		if (code >= 0 && (strcmp(reference.domain, self->to.domain) || strcmp(reference.path, self->to.path)))
			code = nc_fail(err, NACRE_E_INVALID, 0, "'%s' is another repository than %s", *names,
				       nc_remote_name(self->remote));
		if (code >= 0)
			code = nc_names_add(ret, reference.tag, err);
	}
	return code;
}

static struct pending *add_pending(struct registry_sink *self, struct nacre_error *err)
{
	struct pending *pending = nc_realloc_array(self->pending, self->pending_count + 1, sizeof *pending);
	if (!pending) {
		nc_nomem(err);
		return NULL;
	}
	self->pending = pending;
	pending = &self->pending[self->pending_count++];
	*pending = (struct pending){ 0 };
	return pending;
}

/* The index goes after its images, and has the tags; they have their digests. */
static int end_whole(struct registry_sink *self, struct pending *image, const char *const *names,
		     struct nacre_error *err)
{
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *index = NULL;
	struct pending *whole = &self->whole;
	char text[NC_DIGEST_TEXT];
	int code = nc_names_add(&image->tags, nc_digest_text(&image->digest, text), err);
	if (code >= 0 && self->image.offer->main)
		code = take_tags(self, names, &whole->tags, err);
	if (code < 0 || whole->bytes)
		return code;
	code = nc_image_out_index(&self->image, &index, &whole->digest, err);
	if (code < 0)
		return code;
	whole->len = self->image.offer->index_len;
	whole->bytes = nc_memdup(self->image.offer->index, whole->len);
	whole->media_type = nc_strdup(index->media_type);
	return whole->bytes && whole->media_type ? 0 : nc_nomem(err);
}

static int registry_end(struct nc_sink *sink, const char *const *names, struct nacre_copied_image *ret,
			struct nacre_error *err)
{
	struct registry_sink *self = (struct registry_sink *)sink;
	struct nc_digest config;
	const char *media_type;
	struct pending *pending = add_pending(self, err);
	if (!pending)
		return NACRE_E_NOMEM;
	pending->there = self->current;
	bool whole = self->image.offer->whole;
	int code = whole ? 0 : take_tags(self, names, &pending->tags, err);
	if (code >= 0)
		code = nc_image_out_end(&self->image, &pending->bytes, &pending->len, &media_type, &config, err);
	if (code >= 0 && !(pending->media_type = nc_strdup(media_type)))
		code = nc_nomem(err);
	if (code >= 0)
		code = nc_digest_of(pending->bytes, pending->len, &pending->digest, err);
	if (code >= 0 && whole)
		code = end_whole(self, pending, names, err);
	return code < 0 ? code : nc_copied_image_set(ret, &config, &pending->digest, err);
}

/* --- what no image has of an index ------------------------------------------------------------------------------ */

static int registry_has_rest(struct nc_sink *sink, const struct nc_whole_item *item, struct nacre_error *err)
{
	struct registry_sink *self = (struct registry_sink *)sink;
	char text[NC_DIGEST_TEXT];
	return item->kind == NC_WHOLE_BLOB ? is_there(self, &item->digest, item->size, err)
					   : nc_remote_has_manifest(self->remote, nc_digest_text(&item->digest, text),
								    &item->digest, err);
}

/* A document waits for its turn: what it names goes before. */
static int keep_document(struct registry_sink *self, const struct nc_whole_item *item, struct nc_reader *blob,
			 struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	char text[NC_DIGEST_TEXT];
	int code = nc_reader_verified(blob, &item->digest, item->size, &reader, err);
	struct pending *pending = code < 0 ? NULL : add_pending(self, err);
	if (!pending)
		return code < 0 ? code : NACRE_E_NOMEM;
	pending->digest = item->digest;
	pending->media_type = nc_strdup(item->media_type);
	if (!pending->media_type)
		return nc_nomem(err);
	code = nc_names_add(&pending->tags, nc_digest_text(&item->digest, text), err);
	return code < 0 ? code : nc_reader_slurp(reader, item->size, &pending->bytes, &pending->len, err);
}

static int send_blob(struct registry_sink *self, const struct nc_whole_item *item, struct nc_reader *blob,
		     struct nacre_error *err)
{
	/* no layer of any image here: its digest is all there is to it */
	const struct nc_offer_layer wanted = { .blob = item->digest, .blob_size = item->size, .known = true };
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = blob;
	struct nc_layer_file sent;
	struct nc_digest none;
	int fd NC_AUTO_FD = -1;
	int code = nc_spool_file(&self->spool, &fd, err);
	if (code >= 0)
		code = nc_layer_file_write(self->store, fd, &wanted, NC_PLAIN, true, NC_GIVE(reader), &sent, &none, err);
	if (code >= 0)
		code = nc_sends_add(self->sends, 0, nc_fd_give(&fd), &item->digest, item->size, err);
	return code < 0 ? code : nc_sends_wait(self->sends, err);
}

static int registry_rest(struct nc_sink *sink, const struct nc_whole_item *item, struct nc_reader *blob,
			 struct nacre_error *err)
{
	struct registry_sink *self = (struct registry_sink *)sink;
	return item->kind == NC_WHOLE_BLOB ? send_blob(self, item, blob, err) : keep_document(self, item, blob, err);
}

static int publish(struct registry_sink *self, const struct pending *image, struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; i < image->tags.count && code >= 0; i++) {
		const char *tag = image->tags.list[i];
		if (!image->there || (strcmp(tag, self->to.tag) && !strchr(tag, ':')))
			code = nc_remote_put_manifest(self->remote, tag, image->media_type, image->bytes, image->len,
						      &image->digest, err);
	}
	return code;
}

static int registry_commit(struct nc_sink *sink, struct nacre_error *err)
{
	struct registry_sink *self = (struct registry_sink *)sink;
	int code = 0;
	for (size_t i = 0; i < self->pending_count && code >= 0; i++)
		code = publish(self, &self->pending[i], err);
	return code < 0 || !self->whole.bytes ? code : publish(self, &self->whole, err);
}

static int free_value(void *ctx, const char *key, size_t len, void *value)
{
	free(value);
	return 0;
}

static void release(struct pending *pending)
{
	free(pending->bytes);
	free(pending->media_type);
	nc_names_release(&pending->tags);
}

static void registry_close(struct nc_sink *sink)
{
	struct registry_sink *self = (struct registry_sink *)sink;
	for (size_t i = 0; i < self->pending_count; i++)
		release(&self->pending[i]);
	release(&self->whole);
	free(self->pending);
	nc_image_out_release(&self->image);
	nc_sends_free(self->sends);
	nc_remote_close(self->remote);
	nc_registry_conf_close(self->conf);
	nc_map_free(self->asked);
	nc_map_free(self->homes);
	if (self->done)
		nc_map_each(self->done, free_value, NULL);
	nc_map_free(self->done);
	nc_names_release(&self->paths);
	free(self);
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

static int open_remote(struct registry_sink *self, const struct nc_sink_wish *wish, struct nacre_error *err)
{
	struct nc_endpoints endpoints;
	int code = nc_reference_parse(wish->name, &self->to, err);
	if (code >= 0 && *self->to.digest)
		code = nc_fail(err, NACRE_E_INVALID, 0, "'%s' has a digest: what is pushed gets a tag", wish->name);
	if (code >= 0)
		code = nc_registry_conf_open(wish->registry, &self->conf, err);
	if (code >= 0)
		code = nc_registry_endpoints(self->conf, &self->to, true, &endpoints, err);
	if (code < 0)
		return code;
	code = nc_remote_open(self->conf, &endpoints.list[0], &self->progress, &self->remote, err);
	nc_endpoints_release(&endpoints);
	return code;
}

int nc_registry_save_open(const struct nc_sink_wish *wish, struct nc_sink **ret, struct nacre_error *err)
{
	static const struct nc_sink_ops ops = {
		.begin = registry_begin, .has = registry_has, .layer = registry_layer, .settle = registry_settle,
		.blame = registry_blame, .end = registry_end, .has_rest = registry_has_rest, .rest = registry_rest,
		.commit = registry_commit, .close = registry_close,
	};
	if (!*wish->name)
		return nc_fail(err, NACRE_E_INVALID, 0, "docker:// names no image");
	struct registry_sink *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base = (struct nc_sink){ .ops = &ops, .plain = wish->compression == NACRE_COMPRESSION_NONE, .tells = true };
	NC_CLEANUP(nc_sink_auto) struct nc_sink *sink = &self->base;
	self->store = wish->store;
	self->spool = (struct nc_spool){ wish->store, -1 };
	if (wish->progress)
		self->progress = *wish->progress;
	self->image.place = (struct nc_image_place){ self, has_layer, bring_layer, bring_document };
	self->image.compression = wish->compression;
	self->image.pack = true;
	self->done = nc_map_new();
	self->asked = nc_map_new();
	if (!self->done || !self->asked)
		return nc_nomem(err);
	self->threads = nc_store_threads(wish->store);
	int code = open_remote(self, wish, err);
	if (code >= 0)
		code = nc_sends_new(self->remote, &self->progress, self->threads, &self->sends, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(sink);
	return 0;
}
