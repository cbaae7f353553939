#include "store/replay.h"

#include "store/inner.h"
#include "store/old_layer.h"
#include "store/record.h"
#include "store/witness.h"
#include "tar/split.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct replay {
	struct nc_reader base;
	struct nacre_store *store;
	char id[NC_HEX_ID];
	struct nc_digest diff_id;	/* alg 0: unknown */
	struct nc_hash *hash;		/* NULL: nothing to compare, or compared */
	struct nc_reader *joined;	/* feeds hash */
	uint64_t count;
	int failed;			/* code of a failed comparison */
};

static int open_content(void *ctx, const char *name, size_t name_len, struct nc_reader **ret, uint64_t *ret_size,
			struct nacre_error *err)
{
	const struct replay *replay = ctx;
	struct nc_driver *driver = replay->store->driver;
	return driver->ops->content(driver, replay->id, name, name_len, ret, ret_size, err);
}

static int compare(struct replay *replay, struct nacre_error *err)
{
	struct nc_digest got;
	char want_text[NC_DIGEST_TEXT], got_text[NC_DIGEST_TEXT];
	nc_hash_finish(replay->hash, &got);
	nc_hash_free(replay->hash);
	replay->hash = NULL;
	if (nc_digest_equal(&got, &replay->diff_id))
		return 0;
	return nc_fail(err, NACRE_E_CORRUPT, 0, "the tar of node %.12s has the digest %s, not %s", replay->id,
		       nc_digest_text(&got, got_text), nc_digest_text(&replay->diff_id, want_text));
}

static ssize_t replay_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct replay *replay = (struct replay *)reader;
	if (replay->failed)
		return nc_fail(err, replay->failed, 0, "the tar of node %.12s does not have its diff ID", replay->id);
	ssize_t n = nc_reader_next(replay->joined, ret, err);
	/* what cannot be read of a record is no input of anybody's: the store wrote it, or adopted it */
	if (n == NACRE_E_BADDATA)
		n = nc_blame(err, NACRE_E_CORRUPT);
	if (n < 0)
		return nc_wrap(err, (int)n, "node %.12s", replay->id);
	if (n == 0 && replay->hash)
		replay->failed = compare(replay, err);
	return replay->failed ? replay->failed : n;
}

static void replay_close(struct nc_reader *reader)
{
	struct replay *replay = (struct replay *)reader;
	nc_reader_close(replay->joined);
	nc_hash_free(replay->hash);
	free(replay);
}

static const struct nc_reader_ops replay_ops = { .next = replay_next, .close = replay_close };

int nc_record_open(int node, struct nc_reader **ret, struct nacre_error *err)
{
	struct nc_reader *reader = NULL;
	NC_AUTO_FD int fd = openat(node, NC_RECORD, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno,
			       "open the record of the layer");
	int code = nc_reader_fd(fd, true, NC_RECORD, &reader, err);
	fd = -1;	/* taken */
	return code < 0 ? code : nc_reader_decoded(reader, NULL, ret, err);
}

static int watch(struct replay *replay, const struct nc_digest *diff_id, struct nacre_error *err)
{
	struct nc_reader *joined = NC_GIVE(replay->joined);
	replay->diff_id = *diff_id;
	int code = nc_hash_new(diff_id->alg, &replay->hash, err);
	if (code < 0) {
		nc_reader_close(joined);
		return code;
	}
	return nc_store_hashing(replay->store, joined, replay->hash, &replay->count, &replay->joined, err);
}

/* The archive that the driver kept, or what the record makes of the driver's files. */
static int open_archive(struct replay *replay, int node, struct nacre_error *err)
{
	struct nc_driver *driver = replay->store->driver;
	struct nc_join_files files = { .open = open_content, .ctx = replay };
	struct nc_reader *record = NULL;
	uint64_t size;
	if (driver->ops->tar)
		return driver->ops->tar(driver, replay->id, &replay->joined, &size, err);
	int code = nc_record_open(node, &record, err);
	return code < 0 ? code : nc_join(record, &files, &replay->joined, err);
}

int nc_replay_open(struct nacre_store *store, int node, const char *id, const struct nc_digest *diff_id,
		   struct nc_reader **ret, struct nacre_error *err)
{
	struct replay *replay = nc_zalloc(sizeof *replay);
	if (!replay)
		return nc_nomem(err);
	replay->base.ops = &replay_ops;
	replay->store = store;
	memcpy(replay->id, id, NC_HEX_ID);
	int code = open_archive(replay, node, err);
	if (code == 0 && diff_id)
		code = watch(replay, diff_id, err);
	if (code < 0) {
		replay_close(&replay->base);
		return code;
	}
	*ret = &replay->base;
	return 0;
}

/* --- the length ------------------------------------------------------------------------------------------------- */

static int measure_record(int node, uint64_t *ret_content, uint64_t *ret_flat, struct nacre_error *err)
{
	struct nc_reader *record = NULL;
	NC_CLEANUP(nc_split_reader_auto) struct nc_split_reader *split = NULL;
	struct nc_split_record item;
	uint64_t content = 0, framing = 0;
	int kind = nc_record_open(node, &record, err);
	if (kind == 0)
		kind = nc_split_reader_new(record, &split, err);
	if (kind < 0)
		return kind;
	while ((kind = nc_split_reader_next(split, &item, err)) > 0) {
		content += kind == NC_SPLIT_FILE ? item.size : 0;
		framing += kind == NC_SPLIT_FILE ? 0 : item.len;
	}
	if (kind < 0)
		return kind;
	*ret_content = content;
	*ret_flat = content + framing;
	return 0;
}

int nc_layer_measure(struct nacre_store *store, int node, const char *id, uint64_t *ret_content, uint64_t *ret_flat,
		     struct nacre_error *err)
{
	struct nc_driver *driver = store->driver;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *tar = NULL;
	if (!driver->ops->tar)
		return measure_record(node, ret_content, ret_flat, err);
	int code = driver->ops->tar(driver, id, &tar, ret_flat, err);
	return code < 0 ? code : driver->ops->size(driver, id, ret_content, err);
}

static int find_size(struct nacre_store *store, int node, const char *id, uint64_t *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	if (nc_file_read(node, "tarsize", 32, &text, &len, NULL) == 0 && len && strspn(text, "0123456789") == len &&
	    len < 20) {
		*ret = strtoull(text, NULL, 10);
		return 0;
	}
	uint64_t content;
	return nc_layer_measure(store, node, id, &content, ret, err);
}

/* --- the door --------------------------------------------------------------------------------------------------- */

/* ret_size (may be NULL) is UINT64_MAX where it is known only at the end. */
static int open_layer(struct nacre_store *store, const char *id, const struct nc_node_facts *facts,
		      struct nc_reader **ret, uint64_t *ret_size, struct nacre_error *err)
{
	NC_AUTO_FD int node = -1;
	struct nc_digest diff_id;
	int code = nc_node_open(store, id, &node, err);
	if (code == 0 && !*facts->diff_id) {
		if (ret_size)
			*ret_size = UINT64_MAX;
		return nc_old_layer_open(store, node, facts, ret, err);
	}
	if (code == 0)
		code = nc_digest_parse(facts->diff_id, &diff_id, err);
	if (code == 0 && ret_size)
		code = find_size(store, node, id, ret_size, err);
	return code < 0 ? code : nc_replay_open(store, node, id, &diff_id, ret, err);
}

int nc_store_layer_tar(struct nacre_store *store, const char *id, struct nc_reader **ret, uint64_t *ret_size,
		       struct nacre_error *err)
{
	NC_AUTO_WITNESS struct nc_witness witness = NC_WITNESS_NONE;
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	struct nc_reader *layer = NULL;
	uint64_t size = 0;
	int code = nc_witness_take(store, id, &witness, err);
	if (code == 0)
		code = nc_node_look_brief(store, id, &facts, err);
	if (code == 0 && !(facts.kind & NC_NODE_LAYER))
		code = nc_fail(err, NACRE_E_INVALID, 0, "node %.12s has no layer", id);
	if (code == 0)
		code = open_layer(store, id, &facts, &layer, ret_size ? &size : NULL, err);
	if (code < 0)
		return nc_witness_judge(&witness, code, err);
	code = nc_witness_reader(&witness, layer, *facts.diff_id, ret, err);
	if (code == 0 && ret_size)
		*ret_size = size;
	return code;
}

int nc_store_layer_diff_id(struct nacre_store *store, const char *id, struct nc_digest *ret, struct nacre_error *err)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	struct nc_reader *tar = NULL;
	int code = nc_node_look_brief(store, id, &facts, err);
	if (code < 0 || *facts.diff_id)
		return code < 0 ? code : nc_digest_parse(facts.diff_id, ret, err);
	code = nc_hash_new(NC_SHA256, &hash, err);
	if (code == 0)
		code = nc_store_layer_tar(store, id, &tar, NULL, err);
	if (code == 0)
		code = nc_reader_hashing(tar, hash, NULL, &reader, err);
	if (code == 0)
		code = nc_reader_drain(reader, err);
	if (code == 0)
		nc_hash_finish(hash, ret);
	return code;
}

int nacre_layer_tar(struct nacre_store *store, const char *id, nacre_sink sink, void *ctx, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *tar = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	char full[NC_HEX_ID];
	int code = nc_store_resolve_id(store, id, full, err);
	if (code == 0)
		code = nc_store_layer_tar(store, full, &tar, NULL, err);
	if (code == 0)
		code = nc_writer_callback(sink, ctx, &out, err);
	if (code == 0)
		code = nc_copy_stream(tar, out, NULL, err);
	return code < 0 ? code : nc_writer_finish(out, err);
}

int nacre_layer_verify(struct nacre_store *store, const char *id, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *tar = NULL;
	char full[NC_HEX_ID];
	int code = nc_store_resolve_id(store, id, full, err);
	if (code == 0)
		code = nc_store_layer_tar(store, full, &tar, NULL, err);
	return code < 0 ? code : nc_reader_drain(tar, err);
}
