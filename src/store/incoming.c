/*	chain: blob -> digest -> inflate -> digest -> tar, pulled; for a larger blob a second thread helps
 *	one loop: framing to the record, content to the record (its CRC) and to the driver; or all of it to a
 *	driver that keeps the tar itself, and no record
 *	what was promised is what arrived, or nothing happened
 *	the node's files into the stage
 *	seal the driver's tree */
#include "store/incoming.h"

#include "store/fill.h"
#include "store/intake.h"
#include "store/replay.h"

#include "io/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct nc_incoming nc_incoming_of(struct nc_ingest *ingest, const struct nc_layer_in *in)
{
	return (struct nc_incoming){ .ingest = ingest, .in = in, .dir = -1, .kept = -1,
				     .parent = in->parent && *in->parent ? in->parent : NULL };
}

void nc_incoming_release(struct nc_incoming *layer)
{
	nc_record_free(layer->record);
	nc_fd_release(&layer->dir);
	nc_fd_release(&layer->kept);
}

int nc_incoming_check(const struct nc_incoming *layer, bool has_layer, struct nacre_error *err)
{
	const struct nc_layer_in *in = layer->in;
	if (!has_layer && !in->id)
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
static int chain_open(struct chain *chain, const struct nc_incoming *layer, struct nc_reader **stream, int copy,
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
	return nc_store_hashing(layer->ingest->store, reader, chain->hash, &chain->size, &chain->flat, err);
}

/* The tail: everything was read; is it what was promised? */
static int chain_finish(struct chain *chain, struct nc_incoming *layer, struct nacre_error *err)
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
static int settle_record(struct nc_incoming *layer, struct nacre_error *err)
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

static int describe(struct nc_incoming *layer, struct nacre_error *err)
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

static int write_digest(int dir, const char *name, const struct nc_digest *digest, struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	nc_digest_text(digest, text);
	return nc_file_create(dir, name, text, strlen(text), err);
}

static int describe_layer(struct nc_incoming *layer, struct nacre_error *err)
{
	bool came_as_blob = layer->in->keep_blob && layer->codec != NC_PLAIN && layer->blob.alg == NC_SHA256;
	int code = write_digest(layer->dir, "diffid", &layer->diff_id, err);
	if (code == 0)
		code = write_number(layer->dir, "tarsize", layer->flat_size, err);
	if (code == 0 && came_as_blob)
		code = write_digest(layer->dir, "blob", &layer->blob, err);
	return code < 0 ? code : describe(layer, err);
}

/* The node's directory in the stage comes first of all: should we die, it tells whose tree is rubbish. */
static int make_dir(struct nc_incoming *layer, struct nacre_error *err)
{
	struct nc_ingest *ingest = layer->ingest;
	int code = nc_ingest_side(ingest, "graph", &ingest->nodes, err);
	return code < 0 ? code : nc_dir_ensure(ingest->nodes, layer->built, &layer->dir, err);
}

/* --- the blob --------------------------------------------------------------------------------------------------- */

/* A file in the stage for a blob that shall be kept. */
static int open_blob(struct nc_incoming *layer, struct nacre_error *err)
{
	struct nc_ingest *ingest = layer->ingest;
	const struct nc_digest *blob = layer->in->blob;
	char hex[NC_DIGEST_TEXT];
	if (!layer->in->keep_blob || (blob && blob->alg != NC_SHA256))
		return 0;
	if (blob) {
		nc_digest_hex(blob, hex);
		int code = nc_lock_blob(ingest->locks, hex, NC_LOCK_SHARED, true, err);
		int there = code == 0 ? nc_blob_exists(ingest->store, hex, NULL, err) : code;
		if (there != 0)
			return there < 0 ? there : 0;
	}
	int code = layer->in->partial ? nc_ingest_side(ingest, "blobs", &ingest->blobs, err)
				      : nc_ingest_blob_file(ingest, layer->id, &layer->kept, err);
	layer->keeps = code == 0;
	return code;
}

/* Under its digest it waits for a manifest that names it. */
static int keep_blob(struct nc_incoming *layer, struct nacre_error *err)
{
	char hex[NC_DIGEST_TEXT];
	nc_digest_hex(&layer->blob, hex);
	if (layer->in->partial)
		return layer->codec == NC_PLAIN ? 0 : nc_partial_link(layer->in->partial, layer->ingest->blobs, hex, err);
	return nc_ingest_blob_name(layer->ingest, layer->id, layer->codec == NC_PLAIN ? NULL : hex, err);
}

/* --- reading it alone ------------------------------------------------------------------------------------------- */

static int read_through(struct nc_incoming *layer, struct nc_reader **stream, int copy, bool copy_plain,
			struct nacre_error *err)
{
	AUTO_CHAIN struct chain chain = { 0 };
	int code = chain_open(&chain, layer, stream, copy, copy_plain, err);
	if (code == 0)
		code = nc_reader_drain(chain.flat, err);
	return code < 0 ? code : chain_finish(&chain, layer, err);
}

int nc_incoming_spool(struct nc_incoming *layer, struct nc_reader **stream, int copy, struct nacre_error *err)
{
	return read_through(layer, stream, copy, true, err);
}

int nc_incoming_compare(struct nc_incoming *layer, struct nc_reader **stream, struct nacre_error *err)
{
	int code = open_blob(layer, err);
	if (code == 0)
		code = read_through(layer, stream, layer->kept, false, err);
	return code == 0 && layer->keeps ? keep_blob(layer, err) : code;
}

/* --- bringing it ------------------------------------------------------------------------------------------------ */

/* Where in the stage the driver works. */
static void name_work(const struct nc_incoming *layer, char ret[NC_HEX_ID + 8])
{
	snprintf(ret, NC_HEX_ID + 8, "tree.%s", layer->built);
}

static int begin_tree(struct nc_incoming *layer, int *ret_work, struct nacre_error *err)
{
	struct nc_driver *driver = layer->ingest->store->driver;
	char work[NC_HEX_ID + 8];
	/* without a node a tree of that ID is rubbish, of a process that died */
	int code = driver->ops->has(driver, layer->built, err);
	if (code > 0)
		code = driver->ops->remove(driver, layer->built, layer->ingest->stage->dir, err);
	if (code == 0 && !driver->ops->tar)
		code = nc_record_new(layer->ingest->store, layer->dir, &layer->record, err);
	if (code == 0 && layer->record)
		layer->hooks.displaced = nc_record_hook(layer->record);
	name_work(layer, work);
	if (code == 0)
		code = nc_dir_ensure(layer->ingest->stage->dir, work, ret_work, err);
	if (code == 0)
		code = driver->ops->begin(driver, layer->built, *layer->below ? layer->below : NULL, *ret_work,
					  &layer->hooks, &layer->tree, err);
	return code;
}

int nc_incoming_prepare(struct nc_incoming *layer, struct nacre_error *err)
{
	int code = make_dir(layer, err);
	if (code == 0)
		code = open_blob(layer, err);
	return code < 0 ? code : nc_ingest_tree(layer->ingest, layer->parent, layer->below, err);
}

int nc_incoming_carry(struct nc_incoming *layer, struct nc_reader **stream, struct nacre_error *err)
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

int nc_incoming_bare(struct nc_incoming *layer, struct nacre_error *err)
{
	int code = make_dir(layer, err);
	return code < 0 ? code : describe(layer, err);
}

void nc_incoming_undo(struct nc_incoming *layer)
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

