/* The story of a layer, from the bytes that come to a tree, a record and a node in the stage:
 *
 *	hold the ID: one registrar per ID, in this process and others
 *	chain: blob -> digest -> inflate -> digest -> tar, pulled; for a larger blob a thread pulls as far as inflate
 *	one loop: framing to the record, content to the record (its CRC) and to the driver; or all of it to a
 *	driver that keeps the tar itself, and no record
 *	what was promised is what arrived, or nothing happened
 *	the node's files into the stage
 *	seal the driver's tree
 *
 * Making it durable and visible is the commit's business. A layer whose ID nobody can know before its last byte (no
 * ID, no diff ID) is first copied to an unnamed file.
 *
 * Layers of one image may come side by side, each on a thread of its own: what needs the ingest is done by the thread that
 * asks, before and after. */
#include "store/fill.h"
#include "store/ingest.h"
#include "store/intake.h"
#include "store/replay.h"

#include "image/config.h"
#include "io/ahead.h"
#include "io/crew.h"
#include "io/failure.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A layer on its way in. */
struct layer {
	struct nc_ingest *ingest;
	const struct nc_layer_in *in;
	const char *parent;		/* NULL: none */
	char id[NC_HEX_ID];
	char built[NC_HEX_ID];		/* what it is built as: id, or another that takes the place of what id has */
	char below[NC_HEX_ID];		/* the tree that its own lies on; "": none */
	int dir;			/* of the node, in the stage */
	bool keeps;			/* its blob */
	int kept;			/* the file of that; -1: it lies in one already */
	struct nc_tree *tree;
	bool sealed;
	struct nc_record *record;	/* NULL: the driver keeps the tar */
	uint64_t size;			/* of the files' content */
	struct nc_digest diff_id, blob;
	uint64_t flat_size, blob_size;
	enum nc_codec codec;
	struct arrival *arrival;	/* NULL: it does not come beside others */
};

/* --- the chain -------------------------------------------------------------------------------------------------- */

/* From the blob to its plain bytes. */
struct chain {
	struct nc_reader *flat;		/* the outermost; owns the others */
	struct nc_intake *intake;
	struct nc_hash *hash;
	uint64_t size;
};

static void chain_release(struct chain *chain)
{
	nc_reader_close(chain->flat);
	nc_hash_free(chain->hash);
	*chain = (struct chain){ 0 };
}
#define AUTO_CHAIN __attribute__((cleanup(chain_release)))

/* stream is taken. copy: a descriptor that gets the blob as it comes, or -1. */
static int chain_open(struct chain *chain, const struct layer *layer, struct nc_reader **stream, int copy,
		      bool copy_plain, struct nacre_error *err)
{
	const struct nc_layer_in *in = layer->in;
	struct nc_reader *reader = NC_GIVE(*stream);
	uint64_t total = in->blob_size == UINT64_MAX ? 0 : in->blob_size;
	int code = nc_reader_progress(reader, in->progress, layer->id, "loading layer", total, &reader, err);
	if (code < 0)
		return code;
	struct nc_intake_options options = { .digest = in->blob, .size = in->blob_size, .copy = copy,
					     .copy_plain = copy_plain };
	code = nc_intake_new(reader, &options, &chain->intake, err);
	if (code == 0)
		code = nc_reader_decoded(nc_intake_reader(chain->intake), NULL, &reader, err);
	if (code < 0)
		return code;
	code = nc_hash_new(NC_SHA256, &chain->hash, err);
	if (code < 0) {
		nc_reader_close(reader);
		return code;
	}
	return layer->ingest->store->one_thread
		       ? nc_reader_hashing(reader, chain->hash, &chain->size, &chain->flat, err)
		       : nc_reader_ahead(reader, chain->hash, &chain->size, &chain->flat, err);
}

/* The tail: everything was read; is it what was promised? */
static int chain_finish(struct chain *chain, struct layer *layer, struct nacre_error *err)
{
	const struct nc_digest *promised = layer->in->diff_id;
	nc_hash_finish(chain->hash, &layer->diff_id);
	layer->flat_size = chain->size;
	layer->codec = nc_intake_codec(chain->intake);
	int code = nc_intake_finish(chain->intake, &layer->diff_id, &layer->blob, &layer->blob_size, err);
	if (code < 0 || !promised || nc_digest_equal(promised, &layer->diff_id))
		return code;
	char want[NC_DIGEST_TEXT], got[NC_DIGEST_TEXT];
	return nc_fail(err, NACRE_E_DIGEST, 0, "the diff ID is %s, not the promised %s",
		       nc_digest_text(&layer->diff_id, got), nc_digest_text(promised, want));
}

/* What the layer itself displaced goes into the record, and the whole is put together once, to be sure. */
static int settle_record(struct layer *layer, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *whole = NULL;
	int code = layer->record ? nc_record_settle(layer->record, err) : 0;
	if (code > 0)
		code = nc_replay_open(layer->ingest->store, layer->dir, layer->built, &layer->diff_id, &whole, err);
	return code < 0 || !whole ? code : nc_reader_drain(whole, err);
}

/* --- the node --------------------------------------------------------------------------------------------------- */

static int write_number(int dir, const char *name, uint64_t number, struct nacre_error *err)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%" PRIu64, number);
	return nc_file_create(dir, name, text, (size_t)len, err);
}

/* A description that was given must be one of this node. */
static int check_json(const struct nc_layer_in *in, const char *id, struct nacre_error *err)
{
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = NULL;
	int code = nc_v1_image_parse(in->json, in->json_len, &image, err);
	if (code < 0)
		return nc_wrap(err, code, "description of node %.12s", id);
	if (*image->id && strcmp(image->id, id) != 0)
		return nc_fail(err, NACRE_E_INVALID, 0, "the description is of node %.64s, not of %s", image->id, id);
	if (strcmp(image->parent, in->parent ? in->parent : "") != 0)
		return nc_fail(err, NACRE_E_INVALID, 0, "the description names the parent '%.64s', not '%s'",
			       image->parent, in->parent ? in->parent : "");
	return 0;
}

static int describe(struct layer *layer, struct nacre_error *err)
{
	const struct nc_layer_in *in = layer->in;
	NC_AUTO_BUF struct nc_buf made = NC_BUF_INIT(NC_DOCUMENT_MAX);
	int code = write_number(layer->dir, "layersize", layer->size, err);
	if (code < 0)
		return code;
	if (in->describe) {
		code = in->describe(in->describe_ctx, layer->size, &made, err);
		return code < 0 ? code : nc_file_create(layer->dir, "json", made.data, made.len, err);
	}
	return in->json ? nc_file_create(layer->dir, "json", in->json, in->json_len, err)
			: nc_ingest_describe(layer->dir, layer->id, layer->parent, NULL, layer->size, err);
}

static int describe_layer(struct layer *layer, struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	nc_digest_text(&layer->diff_id, text);
	int code = nc_file_create(layer->dir, "diffid", text, strlen(text), err);
	if (code == 0)
		code = write_number(layer->dir, "tarsize", layer->flat_size, err);
	return code < 0 ? code : describe(layer, err);
}

/* The node's directory in the stage comes first of all: should we die, it tells whose tree is rubbish. */
static int make_dir(struct layer *layer, struct nacre_error *err)
{
	struct nc_ingest *ingest = layer->ingest;
	int code = nc_ingest_side(ingest, "graph", &ingest->nodes, err);
	return code < 0 ? code : nc_dir_ensure(ingest->nodes, layer->built, &layer->dir, err);
}

/* --- the blob --------------------------------------------------------------------------------------------------- */

/* Its name until its digest is known. */
static void name_incoming(const struct layer *layer, char ret[NC_HEX_ID + 16])
{
	snprintf(ret, NC_HEX_ID + 16, "incoming.%s", layer->id);
}

/* A file in the stage for a blob that shall be kept. */
static int open_blob(struct layer *layer, struct nacre_error *err)
{
	struct nc_ingest *ingest = layer->ingest;
	const struct nc_digest *blob = layer->in->blob;
	char hex[NC_DIGEST_TEXT], name[NC_HEX_ID + 16];
	if (!layer->in->keep_blob || (blob && blob->alg != NC_SHA256))
		return 0;
	if (blob) {
		nc_digest_hex(blob, hex);
		int code = nc_lock_blob(ingest->locks, hex, NC_LOCK_SHARED, true, err);
		if (code < 0 || nc_blob_exists(ingest->store, hex, NULL))
			return code;
	}
	int code = nc_ingest_side(ingest, "blobs", &ingest->blobs, err);
	layer->keeps = code == 0;
	if (code < 0 || layer->in->partial)
		return code;
	name_incoming(layer, name);
	layer->kept = openat(ingest->blobs, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return layer->kept < 0 ? nc_fail(err, NACRE_E_IO, errno, "make the file of a blob") : 0;
}

/* Under its digest it waits for a manifest that names it. */
static int keep_blob(struct layer *layer, struct nacre_error *err)
{
	int blobs = layer->ingest->blobs;
	char hex[NC_DIGEST_TEXT], name[NC_HEX_ID + 16];
	nc_digest_hex(&layer->blob, hex);
	name_incoming(layer, name);
	if (layer->in->partial)
		return layer->codec == NC_PLAIN ? 0 : nc_partial_link(layer->in->partial, blobs, hex, err);
	if (layer->codec == NC_PLAIN)
		return unlinkat(blobs, name, 0) < 0 ? nc_fail(err, NACRE_E_IO, errno, "remove an empty blob") : 0;
	if (renameat(blobs, name, blobs, hex) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "name a blob");
	return 0;
}

/* --- beside others ----------------------------------------------------------------------------------------------- */

/* A layer on its way on a thread of the crew. */
struct arrival {
	struct nc_job job;
	struct nc_crew *crew;
	struct layer layer;
	struct nc_layer_in in;
	char parent[NC_HEX_ID];
	struct nc_reader *stream;
	size_t number;			/* the caller's */
	struct arrival *lower;		/* the layer below, unless it has arrived; under the crew's lock */
	struct arrival *next;
};

struct nc_arrivals {
	struct nc_crew crew;
	unsigned most, count;
	struct arrival *first, **last;	/* lowest first */
	struct arrival *failed;
};

static int wait_for_lower(void *ctx, struct nacre_error *err)
{
	struct arrival *self = ctx;
	struct nc_crew *crew = self->crew;
	nc_crew_lock(crew);
	while (self->lower && self->lower->job.state != NC_JOB_OVER && !nc_aside_unwanted())
		nc_crew_wait(crew);
	bool there = !self->lower || (self->lower->job.state == NC_JOB_OVER && self->lower->job.code == 0);
	nc_crew_unlock(crew);
	return there ? 0 : nc_fail(err, NACRE_E_CANCELLED, 0, "the layer below did not come");
}

static struct nc_tree_hooks wait_hooks(struct arrival *arrival)
{
	return (struct nc_tree_hooks){ .parent_ready = wait_for_lower, .parent_ctx = arrival };
}

/* --- bringing it ------------------------------------------------------------------------------------------------ */

/* Where in the stage the driver works. */
static void name_work(const struct layer *layer, char ret[NC_HEX_ID + 8])
{
	snprintf(ret, NC_HEX_ID + 8, "tree.%s", layer->built);
}

static int begin_tree(struct layer *layer, int *ret_work, struct nacre_error *err)
{
	struct nc_driver *driver = layer->ingest->store->driver;
	char work[NC_HEX_ID + 8];
	struct nc_tree_hooks hooks = { .displaced = { .fn = NULL } };
	if (layer->arrival)
		hooks = wait_hooks(layer->arrival);
	/* without a node a tree of that ID is rubbish, of a process that died */
	int code = driver->ops->has(driver, layer->built, err);
	if (code > 0)
		code = driver->ops->remove(driver, layer->built, layer->ingest->stage->dir, err);
	if (code == 0 && !driver->ops->tar)
		code = nc_record_new(layer->ingest->store, layer->dir, &layer->record, err);
	if (code == 0 && layer->record)
		hooks.displaced = nc_record_hook(layer->record);
	name_work(layer, work);
	if (code == 0)
		code = nc_dir_ensure(layer->ingest->stage->dir, work, ret_work, err);
	if (code == 0)
		code = driver->ops->begin(driver, layer->built, *layer->below ? layer->below : NULL, *ret_work, &hooks, &layer->tree,
					  err);
	return code;
}

/* What needs the ingest. */
static int prepare(struct layer *layer, struct nacre_error *err)
{
	int code = make_dir(layer, err);
	if (code == 0)
		code = open_blob(layer, err);
	return code < 0 ? code : nc_ingest_tree(layer->ingest, layer->parent, layer->below, err);
}

/* And what does not. */
static int carry(struct layer *layer, struct nc_reader **stream, struct nacre_error *err)
{
	NC_AUTO_FD int work = -1;
	AUTO_CHAIN struct chain chain = { 0 };
	int code = chain_open(&chain, layer, stream, layer->kept, false, err);
	if (code == 0)
		code = begin_tree(layer, &work, err);
	if (code == 0)
		code = nc_fill_tree(chain.flat, layer->tree, layer->record, layer->ingest->syncer, err);
	if (code == 0)
		code = chain_finish(&chain, layer, err);
	if (code == 0)
		code = nc_tree_seal(&layer->tree, &layer->size, err);
	if (code == 0) {
		layer->sealed = true;
		code = settle_record(layer, err);
	}
	if (code == 0 && layer->keeps)
		code = keep_blob(layer, err);
	return code < 0 ? code : describe_layer(layer, err);
}

static int bring(struct layer *layer, struct nc_reader **stream, struct nacre_error *err)
{
	int code = prepare(layer, err);
	return code < 0 ? code : carry(layer, stream, err);
}

/* As if it had never come; after an exchange that is what was there before. */
static void undo(struct layer *layer)
{
	struct nc_ingest *ingest = layer->ingest;
	struct nc_driver *driver = ingest->store->driver;
	char work[NC_HEX_ID + 8];
	nc_tree_abort(layer->tree);
	layer->tree = NULL;
	if (layer->sealed)
		driver->ops->remove(driver, layer->built, ingest->stage->dir, NULL);
	if (ingest->nodes >= 0)
		nc_tree_remove(ingest->nodes, layer->built, NULL);
	/* it may be tried again, with better bytes */
	name_work(layer, work);
	if (ingest->stage)
		nc_tree_remove(ingest->stage->dir, work, NULL);
}

/* --- one that is there, or not to be known yet ------------------------------------------------------------------ */

/* The diff ID of what is there; alg 0: it has no layer. */
static int find_diff_id(struct nacre_store *store, const struct nc_node_facts *facts, struct nc_digest *ret,
			struct nacre_error *err)
{
	*ret = (struct nc_digest){ 0 };
	if (*facts->diff_id)
		return nc_digest_parse(facts->diff_id, ret, err);
	return facts->kind & NC_NODE_LAYER ? nc_store_layer_diff_id(store, facts->id, ret, err) : 0;
}

/* What comes is compared with what was promised; a blob that was not kept with the layer is kept now. */
static int read_through(struct layer *layer, struct nc_reader **stream, struct nacre_error *err)
{
	AUTO_CHAIN struct chain chain = { 0 };
	int code = open_blob(layer, err);
	if (code == 0)
		code = chain_open(&chain, layer, stream, layer->kept, false, err);
	if (code == 0)
		code = nc_reader_drain(chain.flat, err);
	if (code == 0)
		code = chain_finish(&chain, layer, err);
	return code == 0 && layer->keeps ? keep_blob(layer, err) : code;
}

/* The same content under this ID is done already; other content is refused. */
static int compare(struct layer *layer, struct nc_reader **stream, struct nacre_error *err)
{
	struct nc_ingest *ingest = layer->ingest;
	const struct nc_held *held = nc_ingest_held(ingest, layer->id);
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	int graph = held->state == NC_HELD_BROUGHT ? ingest->nodes : ingest->store->graph;
	int code = graph == ingest->nodes ? nc_node_read_brief(graph, layer->id, &facts, err)
					  : nc_node_look_brief(ingest->store, layer->id, &facts, err);
	if (code < 0)
		return code;
	code = *stream ? read_through(layer, stream, err) : 0;
	if (code < 0)
		return code;
	struct nc_digest there;
	code = find_diff_id(ingest->store, &facts, &there, err);
	if (code < 0)
		return code;
	bool same = (layer->diff_id.alg ? nc_digest_equal(&there, &layer->diff_id) : !there.alg) &&
		    strcmp(facts.parent, layer->parent ? layer->parent : "") == 0;
	if (same && layer->in->json) {
		NC_AUTO_FD int dir = -1;
		NC_AUTO_FREE char *json = NULL;
		size_t len;
		code = nc_dir_open(graph, layer->id, &dir, err);
		if (code == 0)
			code = nc_file_read(dir, "json", NC_DOCUMENT_MAX, &json, &len, err);
		if (code < 0)
			return code;
		same = len == layer->in->json_len && memcmp(json, layer->in->json, len) == 0;
	}
	return same ? 1 : nc_fail(err, NACRE_E_EXISTS, 0, "node %s is there already, with other content", layer->id);
}

/* Nobody knows the ID yet: the blob goes to an unnamed file, and is read again from there. */
static int spool(struct layer *layer, struct nc_reader **stream, int *fd, struct nacre_error *err)
{
	AUTO_CHAIN struct chain chain = { 0 };
	int code = nc_store_spool(layer->ingest->store, fd, err);
	if (code == 0)
		code = chain_open(&chain, layer, stream, *fd, true, err);
	if (code == 0)
		code = nc_reader_drain(chain.flat, err);
	if (code == 0)
		code = chain_finish(&chain, layer, err);
	if (code == 0)
		code = nc_node_chain_id(layer->parent, &layer->diff_id, layer->id, err);
	return code < 0 ? code : nc_reader_file_range(*fd, 0, layer->blob_size, "the layer's copy", stream, err);
}

/* --- the door --------------------------------------------------------------------------------------------------- */

static int check_request(struct layer *layer, const struct nc_reader *stream, struct nacre_error *err)
{
	const struct nc_layer_in *in = layer->in;
	if (!stream && !in->id)
		return nc_fail(err, NACRE_E_INVALID, 0, "a node without a layer needs an ID");
	if (in->id && !nc_id_valid(in->id))
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' is not an ID: 64 lowercase hex digits", in->id);
	if (in->diff_id && in->diff_id->alg != NC_SHA256)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "diff IDs other than sha256 are not supported");
	if (!layer->parent)
		return 0;
	int code = nc_ingest_has(layer->ingest, layer->parent, err);
	if (code == 0 && nc_ingest_held(layer->ingest, layer->parent)->state == NC_HELD_DAMAGED)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "its parent %.12s is damaged", layer->parent);
	return code == 0 ? nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no parent %s", layer->parent)
			 : code < 0 ? code : 0;
}

static void tell(const struct layer *layer, enum nacre_event event)
{
	const struct nacre_progress *progress = layer->in->progress;
	if (progress && progress->event)
		progress->event(progress->ctx, event, layer->id, "loading layer", layer->blob_size, layer->blob_size);
}

/* The layer is there, and damaged: it is built beside what is there, as any other, and then takes its place. */
static int mend(struct layer *layer, struct nc_reader **stream, struct nacre_error *err)
{
	struct nc_ingest *ingest = layer->ingest;
	NC_AUTO_FREE char *text = NULL;
	char got[NC_DIGEST_TEXT];
	if (!*stream)
		return nc_fail(err, NACRE_E_EXISTS, 0, "node %s is there already, with a layer", layer->id);
	int code = nc_id_random(layer->built, err);
	if (code == 0)
		code = bring(layer, stream, err);
	if (code == 0 && nc_node_file(ingest->store, layer->id, "diffid", NC_DIGEST_TEXT, &text, NULL, NULL) == 0 &&
	    strncmp(text, "sha256:", 7) == 0 && strcmp(text, nc_digest_text(&layer->diff_id, got)) != 0)
		code = nc_fail(err, NACRE_E_EXISTS, 0, "node %s is there already, with other content", layer->id);
	if (code == 0)
		code = nc_ingest_exchange(ingest, layer->id, layer->built, layer->dir, err);
	undo(layer);
	if (code == 0)
		nc_ingest_held(ingest, layer->id)->state = NC_HELD_THERE;
	return code < 0 ? code : nc_lock_id(ingest->locks, layer->id, NC_LOCK_SHARED, true, err);
}

static int bring_node(struct layer *layer, struct nc_reader **stream, struct nacre_error *err)
{
	bool has_layer = *stream;
	int code = has_layer ? bring(layer, stream, err) : make_dir(layer, err);
	if (code == 0 && !has_layer)
		code = describe(layer, err);
	if (code == 0)
		code = nc_ingest_brought(layer->ingest, layer->id, layer->parent, has_layer, err);
	if (code < 0)
		undo(layer);
	return code;
}

static int take_in(struct layer *layer, struct nc_reader **stream, int *fd, struct nacre_error *err)
{
	const struct nc_layer_in *in = layer->in;
	int code = check_request(layer, *stream, err);
	if (code == 0 && in->id)
		memcpy(layer->id, in->id, NC_HEX_ID);
	else if (code == 0 && in->diff_id)
		code = nc_node_chain_id(layer->parent, in->diff_id, layer->id, err);
	else if (code == 0)
		code = spool(layer, stream, fd, err);
	if (code == 0 && in->json)
		code = check_json(in, layer->id, err);
	if (code == 0)
		code = nc_ingest_has(layer->ingest, layer->id, err);
	if (code != 0)
		return code < 0 ? code : compare(layer, stream, err);
	tell(layer, NACRE_EVENT_START);
	memcpy(layer->built, layer->id, NC_HEX_ID);
	if (nc_ingest_held(layer->ingest, layer->id)->state == NC_HELD_DAMAGED)
		code = mend(layer, stream, err);
	else
		code = bring_node(layer, stream, err);
	if (code == 0)
		tell(layer, NACRE_EVENT_DONE);
	return code;
}

int nc_ingest_layer(struct nc_ingest *ingest, const struct nc_layer_in *in, struct nc_reader *blob,
		    struct nc_layer_out *ret, struct nacre_error *err)
{
	NC_AUTO_FD int fd = -1;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *stream = blob;
	struct layer layer = { .ingest = ingest, .in = in, .dir = -1, .kept = -1,
			       .parent = in->parent && *in->parent ? in->parent : NULL };
	if (in->progress)
		nc_ingest_watch(ingest, in->progress->cancel);
	int code = take_in(&layer, &stream, &fd, err);
	nc_record_free(layer.record);
	nc_fd_release(&layer.dir);
	nc_fd_release(&layer.kept);
	if (code < 0)
		return *layer.id ? nc_wrap(err, code, "layer %.12s", layer.id) : nc_wrap(err, code, "layer");
	*ret = (struct nc_layer_out){ .diff_id = layer.diff_id, .blob = layer.blob, .blob_size = layer.blob_size,
				      .flat_size = layer.flat_size, .codec = layer.codec };
	memcpy(ret->id, layer.id, NC_HEX_ID);
	return code;
}

/* --- side by side ------------------------------------------------------------------------------------------------- */

static int carry_arrival(struct nc_job *job, struct nacre_error *err)
{
	struct arrival *self = (struct arrival *)job;
	int code = carry(&self->layer, &self->stream, err);
	nc_reader_close(NC_GIVE(self->stream));
	nc_fd_release(&self->layer.kept);
	return code;
}

/* More need more memory each, and the disk is one. */
static unsigned most_arrivals(const struct nc_ingest *ingest)
{
	const struct nacre_store *store = ingest->store;
	unsigned processors = nc_processors();
	if (store->one_thread || !store->driver->ops->patient || processors < 2)
		return 0;
	return processors < 4 ? 2 : 3;
}

static int open_arrivals(struct nc_ingest *ingest, struct nacre_error *err)
{
	if (ingest->arrivals)
		return 0;
	ingest->arrivals = nc_zalloc(sizeof *ingest->arrivals);
	if (!ingest->arrivals)
		return nc_nomem(err);
	ingest->arrivals->most = most_arrivals(ingest);
	ingest->arrivals->last = &ingest->arrivals->first;
	nc_crew_init(&ingest->arrivals->crew, ingest->arrivals->most);
	return 0;
}

static struct arrival *find_arrival(const struct nc_arrivals *arrivals, const char *id)
{
	struct arrival *found = arrivals->first;
	while (found && strcmp(found->layer.id, id ? id : "") != 0)
		found = found->next;
	return found;
}

static struct arrival *arrival_new(struct nc_ingest *ingest, const struct nc_layer_in *in, size_t number)
{
	struct arrival *self = nc_zalloc(sizeof *self);
	if (!self)
		return NULL;
	self->in = *in;
	self->number = number;
	self->job.run = carry_arrival;
	self->crew = &ingest->arrivals->crew;
	self->layer = (struct layer){ .ingest = ingest, .in = &self->in, .dir = -1, .kept = -1, .arrival = self };
	if (in->parent && *in->parent) {
		memcpy(self->parent, in->parent, NC_HEX_ID);
		self->in.parent = self->layer.parent = self->parent;
	}
	return self;
}

/* Its thread is over, or it never had one. */
static void arrival_free(struct arrival *self)
{
	nc_reader_close(self->stream);
	nc_fd_release(&self->layer.kept);
	nc_fd_release(&self->layer.dir);
	free(self);
}

/* 1 when there is no need for it, or it is to be mended. */
static int look_up(struct arrival *self, struct nacre_error *err)
{
	struct layer *layer = &self->layer;
	int code = check_request(layer, self->stream, err);
	if (code == 0)
		code = nc_node_chain_id(layer->parent, layer->in->diff_id, layer->id, err);
	if (code == 0)
		code = nc_ingest_has(layer->ingest, layer->id, err);
	memcpy(layer->built, layer->id, NC_HEX_ID);
	return code ? code : nc_ingest_held(layer->ingest, layer->id)->state == NC_HELD_DAMAGED;
}

static int send_off(struct nc_arrivals *arrivals, struct arrival *self, struct nacre_error *err)
{
	struct layer *layer = &self->layer;
	self->lower = find_arrival(arrivals, layer->parent);
	int code = prepare(layer, err);
	if (code == 0 && !nc_crew_give(&arrivals->crew, &self->job))
		code = nc_fail(err, NACRE_E_NOMEM, 0, "there can be no more threads");
	if (code < 0) {
		undo(layer);
		return nc_wrap(err, code, "layer %.12s", layer->id);
	}
	nc_ingest_expects(layer->ingest, layer->id, layer->parent, true);
	*arrivals->last = self;
	arrivals->last = &self->next;
	arrivals->count++;
	return 0;
}

/* What became of it. */
static int wait_for(struct nc_arrivals *arrivals, struct arrival *arrival, struct nacre_error *err)
{
	struct nc_crew *crew = &arrivals->crew;
	nc_crew_lock(crew);
	while (arrival->job.state != NC_JOB_OVER)
		nc_crew_wait(crew);
	nc_aside_pass_on(&crew->aside);
	nc_crew_unlock(crew);
	int code = arrival->job.code;
	if (code == 0)
		return 0;
	arrivals->failed = arrival;
	nc_failure_tell(&arrival->job.failure, code, err);
	return nc_wrap(err, code, "layer %.12s", arrival->layer.id);
}

/* One that does not come beside the others may lie on them. */
static int wait_for_all(struct nc_ingest *ingest, struct nacre_error *err)
{
	int code = 0;
	for (struct arrival *at = ingest->arrivals ? ingest->arrivals->first : NULL; at && code == 0; at = at->next)
		code = wait_for(ingest->arrivals, at, err);
	return code;
}

int nc_ingest_layer_beside(struct nc_ingest *ingest, const struct nc_layer_in *in, struct nc_reader *blob, size_t number,
			   struct nacre_error *err)
{
	struct arrival *self = NULL;
	int code = open_arrivals(ingest, err);
	if (code == 0 && !(self = arrival_new(ingest, in, number)))
		code = nc_nomem(err);
	if (code < 0) {
		nc_reader_close(blob);
		return code;
	}
	self->stream = blob;
	int alone = ingest->arrivals->most ? look_up(self, err) : 1;
	if (alone == 0) {
		code = send_off(ingest->arrivals, self, err);
		if (code == 0)
			return 1;
	} else if (alone > 0) {
		struct nc_layer_out out;
		code = wait_for_all(ingest, err);
		if (code == 0)
			code = nc_ingest_layer(ingest, in, NC_GIVE(self->stream), &out, err);
	} else {
		code = alone;
	}
	arrival_free(self);
	return code < 0 ? code : 0;
}

static int take_first(struct nc_arrivals *arrivals, size_t *ret_number, struct nacre_error *err)
{
	struct arrival *first = arrivals->first;
	struct layer *layer = &first->layer;
	int code = wait_for(arrivals, first, err);
	if (code == 0)
		code = nc_ingest_brought(layer->ingest, layer->id, layer->parent, true, err);
	if (code < 0)
		return code;
	nc_crew_lock(&arrivals->crew);
	for (struct arrival *above = first->next; above; above = above->next)
		if (above->lower == first)
			above->lower = NULL;
	nc_crew_unlock(&arrivals->crew);
	arrivals->first = first->next;
	if (!arrivals->first)
		arrivals->last = &arrivals->first;
	arrivals->count--;
	*ret_number = first->number;
	arrival_free(first);
	return 1;
}

int nc_ingest_settle(struct nc_ingest *ingest, bool all, size_t *ret_number, struct nacre_error *err)
{
	struct nc_arrivals *arrivals = ingest->arrivals;
	if (!arrivals || !arrivals->first || (!all && arrivals->count < arrivals->most))
		return 0;
	return take_first(arrivals, ret_number, err);
}

int nc_ingest_blame(const struct nc_ingest *ingest, size_t *ret_number, struct nacre_error *err)
{
	struct arrival *failed = ingest->arrivals ? ingest->arrivals->failed : NULL;
	if (!failed)
		return 0;
	*ret_number = failed->number;
	nc_failure_tell(&failed->job.failure, failed->job.code, err);
	nc_wrap(err, failed->job.code, "layer %.12s", failed->layer.id);
	return 1;
}

void nc_ingest_halt(struct nc_ingest *ingest)
{
	struct nc_arrivals *arrivals = NC_GIVE(ingest->arrivals);
	if (!arrivals)
		return;
	nc_crew_release(&arrivals->crew);
	while (arrivals->first) {
		struct arrival *self = arrivals->first;
		arrivals->first = self->next;
		undo(&self->layer);
		nc_ingest_held(ingest, self->layer.id)->state = NC_HELD_MISSING;
		arrival_free(self);
	}
	free(arrivals);
}

/* --- public ----------------------------------------------------------------------------------------------------- */

int nacre_register(struct nacre_store *store, int fd, const struct nacre_register_options *options, char *ret_id,
		   struct nacre_error *err)
{
	struct nacre_register_options mine = { .size = sizeof mine };
	if (options)
		memcpy(&mine, options, options->size < sizeof mine ? options->size : sizeof mine);
	struct nc_digest diff_id;
	struct nc_layer_in in = { .parent = mine.parent, .blob_size = UINT64_MAX, .id = mine.id, .json = mine.json,
				  .json_len = mine.json_len, .progress = &mine.progress };
	struct nc_layer_out out;
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	struct nc_reader *stream = NULL;
	int code = mine.diff_id ? nc_digest_parse(mine.diff_id, &diff_id, err) : 0;
	if (mine.diff_id)
		in.diff_id = &diff_id;
	if (code == 0)
		code = nc_ingest_begin(store, &ingest, err);
	if (code == 0 && fd >= 0)
		code = nc_reader_fd_watched(fd, false, "layer", mine.progress.cancel, &stream, err);
	if (code < 0)
		return code;
	int there = nc_ingest_layer(ingest, &in, stream, &out, err);
	code = there < 0 ? there : nc_ingest_commit(ingest, err);
	if (code < 0)
		return code;
	if (ret_id)
		memcpy(ret_id, out.id, NC_HEX_ID);
	return there;
}
