#include "store/check.h"

#include "base/cancel.h"

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
	[NC_FLAW_TREE] = { "tree-damaged", 2 },
	[NC_FLAW_CONTENT] = { "content-damaged", 5 },
	[NC_FLAW_TREE_STRAY] = { "tree-stray", 3 },
	[NC_FLAW_BLOB] = { "blob-damaged", 4 },
	[NC_FLAW_BLOB_MISSING] = { "blob-missing", 4 },
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

void nc_findings_release(struct nc_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->list[i].path);
		free(findings->list[i].text);
		free(findings->list[i].why);
	}
	free(findings->list);
	*findings = (struct nc_findings){ 0 };
}

static int keep(struct nc_findings *all, enum nc_flaw flaw, const char *id, const char *path, const char *text,
		struct nacre_error *err)
{
	struct nc_found *more = nc_grown(all->list, all->count, &all->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	all->list = more;
	struct nc_found *one = &all->list[all->count];
	*one = (struct nc_found){ .flaw = flaw, .path = nc_strdup(path), .text = nc_strdup(text) };
	memcpy(one->id, id, *id ? NC_HEX_ID : 1);
	all->count++;
	return one->path && one->text ? 0 : nc_nomem(err);
}

static void tell(struct nc_check *check, const struct nc_found *found, enum nacre_finding_state state)
{
	struct nacre_finding finding = { .kind = flaws[found->flaw].word, .id = found->id, .path = found->path,
					 .text = found->text, .invariant = flaws[found->flaw].invariant, .state = state };
	uint64_t *count = state == NACRE_FOUND ? &check->told->findings
			  : state == NACRE_REPAIRED ? &check->told->repaired : &check->told->set_aside;
	++*count;
	if (check->options->finding)
		check->options->finding(check->options->finding_ctx, &finding);
}

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
	int code = keep(&check->found, flaw, id ? id : "", path ? path : "", text, err);
	return code < 0 ? code : nc_check_cancelled(check, err);
}

int nc_check_cancelled(const struct nc_check *check, struct nacre_error *err)
{
	return nc_cancel_check(check->options->progress.cancel, err);
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

/* What a look remembers, but its findings. */
static void forget(struct nc_check *check)
{
	if (check->nodes)
		nc_map_each(check->nodes, free_node, NULL);
	nc_map_free(check->nodes);
	nc_map_free(check->blobs);
	check->nodes = check->blobs = NULL;
	check->flawed = false;
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

static int look_at_all(struct nc_check *check, struct nacre_error *err)
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
	if (code == 0 && check->options->flags & NACRE_CHECK_FULL)
		code = nc_check_contents(check, &blobs, err);
	free(blobs.hex);
	return code;
}

static int look(struct nc_check *check, struct nacre_error *err)
{
	check->told->nodes = check->told->names = check->told->blobs = 0;
	check->nodes = nc_map_new();
	check->blobs = nc_map_new();
	return check->nodes && check->blobs ? look_at_all(check, err) : nc_nomem(err);
}

static struct nc_found *find(const struct nc_findings *all, const struct nc_found *one)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].flaw == one->flaw && strcmp(all->list[i].id, one->id) == 0 &&
		    strcmp(all->list[i].path, one->path) == 0)
			return &all->list[i];
	return NULL;
}

/* Why it is still so. */
static int explain(struct nc_found *found, const char *why, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(4096);
	int code = nc_buf_addf(&text, err, "%s; not mended: %s", found->text, why);
	char *given = code == 0 ? nc_buf_give(&text) : NULL;
	if (!given)
		return code < 0 ? code : nc_nomem(err);
	free(found->text);
	found->text = given;
	return 0;
}

/* What is not found again is repaired. */
static int look_again(struct nc_check *check, struct nacre_error *err)
{
	NC_CLEANUP(nc_findings_release) struct nc_findings before = check->found;
	check->found = (struct nc_findings){ 0 };
	forget(check);
	int code = look(check, err);
	for (size_t i = 0; code == 0 && i < before.count; i++) {
		const struct nc_found *one = &before.list[i];
		struct nc_found *still = find(&check->found, one);
		if (one->aside || !still)
			tell(check, one, one->aside ? NACRE_SET_ASIDE : NACRE_REPAIRED);
		else if (one->why)
			code = explain(still, one->why, err);
	}
	return code;
}

static int check_store(struct nc_check *check, struct nacre_error *err)
{
	unsigned flags = check->options->flags;
	int code = flags & (NACRE_CHECK_REPAIR | NACRE_CHECK_REBUILD) ? nc_store_writable(check->store, err) : 0;
	if (code == 0 && flags & NACRE_CHECK_REBUILD)
		code = nc_catalog_rebuild(check->store->catalog, err);
	if (code == 0)
		code = look(check, err);
	if (code == 0 && check->found.count && flags & NACRE_CHECK_REPAIR) {
		code = nc_check_repair(check, err);
		if (code == 0)
			code = look_again(check, err);
	}
	for (size_t i = 0; i < check->found.count; i++)
		tell(check, &check->found.list[i], NACRE_FOUND);
	return code < 0 ? code : nc_aside_count(check->store, &check->told->aside, err);
}

int nacre_check(struct nacre_store *store, const struct nacre_check_options *options, struct nacre_checked *ret,
		struct nacre_error *err)
{
	struct nacre_check_options mine = { .size = sizeof mine };
	if (options)
		memcpy(&mine, options, options->size < sizeof mine ? options->size : sizeof mine);
	struct nacre_checked told = { .nodes = 0 };
	struct nc_check check = { .store = store, .options = &mine, .told = &told, .locks = -1 };
	open_locks(&check);
	int code = check_store(&check, err);
	forget(&check);
	nc_findings_release(&check.found);
	nc_fd_release(&check.locks);
	if (ret)
		*ret = told;
	return code < 0 ? nc_wrap(err, code, "check") : told.findings > 0;
}
