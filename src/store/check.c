#include "store/check.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a finding is called, and the invariant (store.h) that it breaks. */
static const struct {
	const char *word;
	unsigned invariant;
} flaws[NC_FLAW_COUNT] = {
	[NC_FLAW_NODE] = { "node-damaged", 1 },
	[NC_FLAW_JSON] = { "json-damaged", 4 },
	[NC_FLAW_PARENT] = { "parent-missing", 2 },
	[NC_FLAW_CYCLE] = { "parent-cycle", 2 },
	[NC_FLAW_DIFF_ID] = { "diffid-damaged", 4 },
	[NC_FLAW_RECORD_MISSING] = { "record-missing", 4 },
	[NC_FLAW_RECORD] = { "record-damaged", 4 },
	[NC_FLAW_TAR_SIZE] = { "tarsize-damaged", 4 },
	[NC_FLAW_LAYER_SIZE] = { "layersize-damaged", 4 },
	[NC_FLAW_CONFIG] = { "config-damaged", 4 },
	[NC_FLAW_LAYERS] = { "layers-wrong", 2 },
	[NC_FLAW_MANIFEST_MISSING] = { "manifest-missing", 4 },
	[NC_FLAW_MANIFEST] = { "manifest-damaged", 4 },
	[NC_FLAW_TREE_MISSING] = { "tree-missing", 2 },
	[NC_FLAW_TREE_LAYOUT] = { "tree-layout", 2 },
	[NC_FLAW_TREE_STRAY] = { "tree-stray", 3 },
	[NC_FLAW_BLOB] = { "blob-damaged", 4 },
	[NC_FLAW_BLOB_STRAY] = { "blob-stray", 3 },
	[NC_FLAW_NAME] = { "name-damaged", 7 },
	[NC_FLAW_NAME_DANGLING] = { "name-dangling", 7 },
	[NC_FLAW_HOLD] = { "hold-damaged", 9 },
	[NC_FLAW_HOLD_DANGLING] = { "hold-dangling", 9 },
	[NC_FLAW_WRITABLE] = { "writable-damaged", 4 },
	[NC_FLAW_WRITABLE_DANGLING] = { "writable-dangling", 2 },
	[NC_FLAW_STAGE] = { "stage-stray", 3 },
	[NC_FLAW_CATALOG_MISSING] = { "catalog-missing", 6 },
	[NC_FLAW_CATALOG] = { "catalog-damaged", 6 },
	[NC_FLAW_CATALOG_STALE] = { "catalog-stale", 6 },
};

/* --- findings --------------------------------------------------------------------------------------------------- */

int nc_check_find(struct nc_check *check, enum nc_flaw flaw, const char *id, const char *path, struct nacre_error *err,
		  const char *fmt, ...)
{
	char text[sizeof ((struct nacre_error *)NULL)->msg];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	struct nc_checked *node = id ? nc_map_get(check->nodes, id, NC_HEX_ID - 1) : NULL;
	if (node)
		node->flawed = check->flawed = true;
	check->told->findings++;
	struct nacre_finding finding = { .kind = flaws[flaw].word, .id = id ? id : "", .path = path ? path : "",
					 .text = text, .invariant = flaws[flaw].invariant };
	if (check->options->finding)
		check->options->finding(check->options->finding_ctx, &finding);
	return nc_check_cancelled(check, err);
}

int nc_check_cancelled(const struct nc_check *check, struct nacre_error *err)
{
	const volatile int *cancel = check->options->progress.cancel;
	return cancel && *cancel ? nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled") : 0;
}

static int look_locked(struct nc_check *check, const struct nc_twice *twice, const char *what, struct nacre_error *err)
{
	int code = 0;
	if (twice->id && check->locks >= 0)
		code = nc_lock_id(check->locks, twice->id, NC_LOCK_SHARED, false, err);
	if (code == 0 && twice->whole >= 0 && check->locks >= 0)
		code = nc_lock_whole(check->locks, (enum nc_lock_whole)twice->whole, NC_LOCK_SHARED, true, err);
	if (code == 0)
		code = twice->look(check, what, true, err);
	if (twice->whole >= 0 && check->locks >= 0)
		nc_unlock_whole(check->locks, (enum nc_lock_whole)twice->whole);
	if (twice->id && check->locks >= 0)
		nc_unlock_id(check->locks, twice->id);
	/* somebody is bringing it or taking it away */
	return code == NACRE_E_BUSY || code > 0 ? 0 : code;
}

int nc_check_twice(struct nc_check *check, const struct nc_twice *twice, const char *what, struct nacre_error *err)
{
	int code = nc_check_cancelled(check, err);
	if (code == 0)
		code = twice->look(check, what, false, err);
	return code > 0 ? look_locked(check, twice, what, err) : code;
}

/* --- what is remembered ----------------------------------------------------------------------------------------- */

int nc_check_note(struct nc_check *check, const struct nc_node_facts *facts, struct nacre_error *err)
{
	char hex[NC_DIGEST_TEXT];
	int code = 0;
	for (size_t i = 0; code == 0 && i < facts->blob_count; i++)
		if (facts->blobs[i].alg == NC_SHA256)
			code = nc_map_set(check->blobs, nc_digest_hex(&facts->blobs[i], hex), NC_HEX_ID - 1, check, NULL,
					  err);
	struct nc_checked *node = nc_map_get(check->nodes, facts->id, NC_HEX_ID - 1);
	if (code < 0)
		return code;
	if (!node) {
		node = nc_zalloc(sizeof *node);
		code = node ? nc_map_set(check->nodes, facts->id, NC_HEX_ID - 1, node, NULL, err) : nc_nomem(err);
		if (code < 0) {
			free(node);
			return code;
		}
	}
	memcpy(node->parent, facts->parent, NC_HEX_ID);
	node->kind = facts->kind;
	return 0;
}

static int free_node(void *ctx, const char *key, size_t len, void *value)
{
	free(value);
	return 0;
}

static void check_release(struct nc_check *check)
{
	if (check->nodes)
		nc_map_each(check->nodes, free_node, NULL);
	nc_map_free(check->nodes);
	nc_map_free(check->blobs);
	nc_fd_release(&check->locks);
}

/* Where the store cannot be written there may be locks all the same: another's mount of it may be writable. */
static void open_locks(struct nc_check *check)
{
	int root = check->store->root;
	check->locks = openat(root, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	check->exclusive = check->locks >= 0;
	if (check->locks < 0)
		check->locks = openat(root, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/* --- the door --------------------------------------------------------------------------------------------------- */

static int quick(struct nc_check *check, struct nacre_error *err)
{
	struct nc_check_blobs blobs = { 0 };
	int code = nc_check_list_blobs(check, &blobs, err);
	if (code == 0)
		code = nc_check_nodes(check, err);
	if (code == 0)
		code = nc_check_cycles(check, err);
	if (code == 0)
		code = nc_check_names(check, err);
	if (code == 0)
		code = nc_check_holds(check, err);
	if (code == 0)
		code = nc_check_writables(check, err);
	if (code == 0)
		code = nc_check_trees(check, err);
	if (code == 0)
		code = nc_check_blobs(check, &blobs, err);
	if (code == 0)
		code = nc_check_stages(check, err);
	if (code == 0)
		code = nc_check_catalog(check, err);
	free(blobs.hex);
	return code;
}

int nacre_check(struct nacre_store *store, const struct nacre_check_options *options, struct nacre_checked *ret,
		struct nacre_error *err)
{
	struct nacre_check_options mine = { .size = sizeof mine };
	if (options)
		memcpy(&mine, options, options->size < sizeof mine ? options->size : sizeof mine);
	struct nacre_checked told = { .nodes = 0 };
	NC_CLEANUP(check_release)
	struct nc_check check = { .store = store, .options = &mine, .told = &told, .locks = -1,
				  .nodes = nc_map_new(), .blobs = nc_map_new() };
	if (!check.nodes || !check.blobs)
		return nc_nomem(err);
	open_locks(&check);
	int code = quick(&check, err);
	if (ret)
		*ret = told;
	return code < 0 ? nc_wrap(err, code, "check") : told.findings > 0;
}
