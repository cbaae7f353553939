/* nacre_writable_commit: what was written becomes a layer, and it with its image a new image. */
#include "image/config.h"
#include "image/gojson.h"
#include "store/changes.h"
#include "store/inner.h"
#include "store/witness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CREATED_BY "nacre commit"

struct commit {
	struct nacre_store *store;
	const struct nacre_commit_options *options;
	struct nc_writable writable;
	struct nc_witness witness;	/* of it: what was found while it went is neither damage nor a change */
	struct nacre_image *image;	/* what it lies on */
	int spool;			/* the layer's tar */
	uint64_t size;
	size_t changes;			/* 0: there is no layer */
	struct nc_digest diff_id;
	int64_t created;
};

static void commit_release(struct commit *commit)
{
	nacre_image_free(commit->image);
	nc_fd_release(&commit->spool);
	nc_witness_release(&commit->witness);
}

/* The changes as a tar in a file without a name: its diff ID is known before the layer is brought. */
static int spool_changes(struct commit *commit, struct nacre_error *err)
{
	NC_CLEANUP(nc_view_auto) struct nc_view *before = NULL;
	NC_CLEANUP(nc_view_auto) struct nc_view *after = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	struct nacre_store *store = commit->store;
	struct nc_writer *file;
	int code = nc_store_view(store, commit->writable.image, &before, err);
	if (code == 0)
		code = nc_writable_view(store, &commit->writable, &after, err);
	if (code == 0)
		code = nc_store_spool(store, &commit->spool, err);
	if (code == 0)
		code = nc_hash_new(NC_SHA256, &hash, err);
	if (code == 0)
		code = nc_writer_fd(commit->spool, false, "the new layer", &file, err);
	if (code == 0)
		code = nc_writer_hashing(file, hash, &commit->size, &out, err);
	if (code == 0)
		code = nc_changes_tar(before, after, out, &commit->options->progress, &commit->changes, err);
	if (code == 0)
		code = nc_writer_finish(out, err);
	if (code == 0)
		nc_hash_finish(hash, &commit->diff_id);
	return code;
}

static size_t count_changes(const struct nacre_commit_options *options)
{
	size_t count = 0;
	while (options->changes && options->changes[count])
		count++;
	return count;
}

/* --- images of today -------------------------------------------------------------------------------------------- */

/* Locks the layers below, which are there as long as the image is. Gives the topmost, or "". */
static int hold_layers(const struct commit *commit, struct nc_ingest *ingest, const char **ret_top,
		       struct nacre_error *err)
{
	const struct nacre_image *image = commit->image;
	*ret_top = "";
	for (size_t i = 0; i < image->layer_count; i++) {
		*ret_top = image->layers[i].chain_id;
		int there = nc_ingest_has(ingest, *ret_top, err);
		if (there <= 0)
			return there < 0 ? there : nc_fail(err, NACRE_E_CORRUPT, 0, "layer %.12s of image %.12s is "
							   "not there", *ret_top, image->id);
	}
	return 0;
}

static int bring_layer(const struct commit *commit, struct nc_ingest *ingest, const char *top,
		       struct nacre_error *err)
{
	const struct nc_layer_in in = { .parent = *top ? top : NULL, .diff_id = &commit->diff_id,
					.blob_size = commit->size, .progress = &commit->options->progress };
	struct nc_layer_out out;
	struct nc_reader *tar;
	int code = nc_reader_file_range(commit->spool, 0, commit->size, "the new layer", &tar, err);
	return code < 0 ? code : nc_ingest_layer(ingest, &in, tar, &out, err);
}

static int make_config(const struct commit *commit, char **ret, size_t *ret_len, struct nacre_error *err)
{
	const struct nacre_commit_options *options = commit->options;
	const struct nc_config_commit facts = {
		.created_by = CREATED_BY, .comment = options->message, .author = options->author,
		.created_sec = commit->created, .changes = options->changes, .change_count = count_changes(options),
		.diff_id = commit->changes ? &commit->diff_id : NULL,
	};
	return nc_config_commit(commit->image->config, commit->image->config_len, &facts, ret, ret_len, err);
}

static int commit_image(const struct commit *commit, const char *const *names, char *ret_id, struct nacre_error *err)
{
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	NC_AUTO_FREE char *config = NULL;
	const char *top;
	size_t len;
	int code = make_config(commit, &config, &len, err);
	if (code == 0)
		code = nc_ingest_begin(commit->store, &ingest, err);
	if (code == 0)
		code = hold_layers(commit, ingest, &top, err);
	if (code == 0 && commit->changes)
		code = bring_layer(commit, ingest, top, err);
	if (code < 0)
		return code;
	const struct nc_image_in in = { .config = config, .config_len = len, .names = names };
	code = nc_ingest_image(ingest, &in, ret_id, err);
	return code < 0 ? code : nc_ingest_commit(ingest, err);
}

/* --- images of 2015 --------------------------------------------------------------------------------------------- */

/* The new one is a node with a random ID again, made of this container. */
static int commit_v1(const struct commit *commit, const char *name, char *ret_id, struct nacre_error *err)
{
	const struct nacre_commit_options *options = commit->options;
	NC_AUTO_FREE char *json = NULL, *config = NULL;
	size_t len;
	int code = nacre_node_json(commit->store, commit->image->id, &json, &len, err);
	if (code == 0)
		code = nc_config_of_v1_changed(json, len, options->changes, count_changes(options), &config, err);
	if (code == 0 && lseek(commit->spool, 0, SEEK_SET) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "read the new layer");
	if (code < 0)
		return code;
	const struct nacre_create_options create = {
		.size = sizeof create, .parent = commit->image->id, .container = commit->writable.id,
		.container_config = config, .config = config, .comment = options->message, .author = options->author,
		.os = commit->image->os, .architecture = commit->image->architecture, .created = commit->created,
		.progress = options->progress,
	};
	code = nacre_node_create(commit->store, commit->spool, &create, ret_id, err);
	return code < 0 || !name ? code : nacre_tag(commit->store, ret_id, name, err);
}

int nacre_writable_commit(struct nacre_store *store, const char *what, const struct nacre_commit_options *options,
			  char *ret_id, struct nacre_error *err)
{
	struct nacre_commit_options mine = { .size = sizeof mine };
	NC_CLEANUP(commit_release) struct commit commit = { .store = store, .options = &mine, .spool = -1, .witness = NC_WITNESS_NONE };
	char name[NC_REFERENCE_TEXT], id[NC_HEX_ID];
	const char *const names[] = { name, NULL }, *const none[] = { NULL };
	if (options)
		memcpy(&mine, options, options->size < sizeof mine ? options->size : sizeof mine);
	commit.created = nc_creation_time(mine.created);
	int code = nc_store_writable(store, err);
	if (code == 0 && mine.name)
		code = nc_name_normal(mine.name, name, err);
	if (code == 0)
		code = nc_writable_find(store, what, &commit.writable, err);
	if (code == 0)
		code = nc_witness_take_writable(store, &commit.writable, &commit.witness, err);
	if (code < 0)
		return nc_wrap(err, code, "commit '%s'", what);
	code = nc_image_read(store, commit.writable.image, false, &commit.image, err);
	if (code == 0)
		code = spool_changes(&commit, err);
	code = nc_witness_judge(&commit.witness, code, err);
	if (code == 0 && commit.image->v1)
		code = commit_v1(&commit, mine.name ? name : NULL, id, err);
	else if (code == 0)
		code = commit_image(&commit, mine.name ? names : none, id, err);
	if (code < 0)
		return nc_wrap(err, nc_witness_judge(&commit.witness, code, err), "commit '%s'", what);
	memcpy(ret_id, id, sizeof id);
	return 0;
}
