/* The story of a layer:
 *
 *	hold the ID: one registrar per ID, in this process and others
 *	there already? then what comes is compared; there and damaged? then what comes takes its place
 *	else it is brought into the stage (incoming.c)
 *
 * Making it durable and visible is the commit's business. A layer whose ID nobody can know before its last byte (no
 * ID, no diff ID) is first copied to an unnamed file. Layers that come side by side: arrivals.c. */
#include "store/incoming.h"

#include "image/config.h"

#include <string.h>

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

/* The same content under this ID is done already; other content is refused. */
static int compare(struct nc_incoming *layer, struct nc_reader **stream, struct nacre_error *err)
{
	struct nc_ingest *ingest = layer->ingest;
	const struct nc_held *held = nc_ingest_held(ingest, layer->id);
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	int graph = held->state == NC_HELD_BROUGHT ? ingest->nodes : ingest->store->graph;
	int code = graph == ingest->nodes ? nc_node_read_brief(graph, layer->id, &facts, err)
					  : nc_node_look_brief(ingest->store, layer->id, &facts, err);
	if (code < 0)
		return code;
	code = *stream ? nc_incoming_compare(layer, stream, err) : 0;
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
static int spool(struct nc_incoming *layer, struct nc_reader **stream, int *fd, struct nacre_error *err)
{
	int code = nc_store_spool(layer->ingest->store, fd, err);
	if (code == 0)
		code = nc_incoming_spool(layer, stream, *fd, err);
	if (code == 0)
		code = nc_node_chain_id(layer->parent, &layer->diff_id, layer->id, err);
	return code < 0 ? code : nc_reader_file_range(*fd, 0, layer->blob_size, "the layer's copy", stream, err);
}

/* --- the door --------------------------------------------------------------------------------------------------- */

static void tell(const struct nc_incoming *layer, enum nacre_event event)
{
	const struct nacre_progress *progress = layer->in->progress;
	if (progress && progress->event)
		progress->event(progress->ctx, event, layer->id, "loading layer", layer->blob_size, layer->blob_size);
}

static int bring(struct nc_incoming *layer, struct nc_reader **stream, struct nacre_error *err)
{
	int code = nc_incoming_prepare(layer, err);
	return code < 0 ? code : nc_incoming_carry(layer, stream, err);
}

/* The layer is there, and damaged: it is built beside what is there, as any other, and then takes its place. */
static int mend(struct nc_incoming *layer, struct nc_reader **stream, struct nacre_error *err)
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
	nc_incoming_undo(layer);
	if (code == 0)
		nc_ingest_held(ingest, layer->id)->state = NC_HELD_THERE;
	return code < 0 ? code : nc_lock_id(ingest->locks, layer->id, NC_LOCK_SHARED, true, err);
}

static int bring_node(struct nc_incoming *layer, struct nc_reader **stream, struct nacre_error *err)
{
	bool has_layer = *stream;
	int code = has_layer ? bring(layer, stream, err) : nc_incoming_bare(layer, err);
	if (code == 0)
		code = nc_ingest_brought(layer->ingest, layer->id, layer->parent, has_layer, err);
	if (code < 0)
		nc_incoming_undo(layer);
	return code;
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

static int take_in(struct nc_incoming *layer, struct nc_reader **stream, int *fd, struct nacre_error *err)
{
	const struct nc_layer_in *in = layer->in;
	int code = nc_incoming_check(layer, *stream, err);
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
	struct nc_incoming layer = nc_incoming_of(ingest, in);
	if (in->progress)
		nc_ingest_watch(ingest, in->progress->cancel);
	int code = take_in(&layer, &stream, &fd, err);
	nc_incoming_release(&layer);
	if (code < 0)
		return *layer.id ? nc_wrap(err, code, "layer %.12s", layer.id) : nc_wrap(err, code, "layer");
	*ret = (struct nc_layer_out){ .diff_id = layer.diff_id, .blob = layer.blob, .blob_size = layer.blob_size,
				      .flat_size = layer.flat_size, .codec = layer.codec };
	memcpy(ret->id, layer.id, NC_HEX_ID);
	return code;
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

