/* How large a layer is, where its node does not say: nodes of before layersize. By the record where there is one, else
 * by comparing its tree with its parent's. What was found is remembered, if that can be. */
#include "base/map.h"
#include "store/inner.h"
#include "store/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- by the tree ------------------------------------------------------------------------------------------------ */

struct tally {
	struct nc_view *after;
	struct nc_map *seen;		/* files that have several names */
	uint64_t size;
};

static int add_change(void *ctx, char kind, const char *path, struct nacre_error *err)
{
	struct tally *tally = ctx;
	struct nc_view_file file;
	int code = kind == 'D' ? 0 : tally->after->ops->stat(tally->after, path, &file, err);
	if (code < 0 || kind == 'D' || file.entry.type != NC_ENTRY_FILE)
		return code;
	if (file.links > 1 && file.number) {
		if (nc_map_get(tally->seen, &file.number, sizeof file.number))
			return 0;
		code = nc_map_set(tally->seen, &file.number, sizeof file.number, tally, NULL, err);
	}
	tally->size += file.entry.size;
	return code;
}

static int by_tree(struct nacre_store *store, const struct nc_node_facts *facts, uint64_t *ret,
		   struct nacre_error *err)
{
	NC_CLEANUP(nc_view_auto) struct nc_view *before = NULL;
	NC_CLEANUP(nc_view_auto) struct nc_view *after = NULL;
	NC_CLEANUP(nc_view_auto) struct nc_view *files = NULL;
	NC_CLEANUP(nc_map_auto) struct nc_map *seen = nc_map_new();
	int code = seen ? nc_store_view(store, facts->id, &after, err) : nc_nomem(err);
	if (code == 0)		/* one of its own: the comparison is not disturbed by questions */
		code = nc_store_view(store, facts->id, &files, err);
	if (code == 0 && *facts->parent)
		code = nc_store_view(store, facts->parent, &before, err);
	struct tally tally = { .after = files, .seen = seen };
	if (code == 0)
		code = nc_view_diff(before, after, add_change, &tally, err);
	if (code == 0)
		*ret = tally.size;
	return code;
}

/* --- the door --------------------------------------------------------------------------------------------------- */

static int measure(struct nacre_store *store, const struct nc_node_facts *facts, uint64_t *ret,
		   struct nacre_error *err)
{
	NC_AUTO_FD int node = -1;
	uint64_t flat;
	if (facts->kind & NC_NODE_IMAGE) {
		*ret = 0;	/* the layers below it have their own */
		return 0;
	}
	int code = nc_node_open(store, facts->id, &node, err);
	if (code == 0)
		code = nc_layer_measure(store, node, facts->id, ret, &flat, err);
	if (code == NACRE_E_BADDATA)
		code = nc_blame(err, NACRE_E_CORRUPT);
	if (code != NACRE_E_NOTFOUND || !nc_node_exists(store, facts->id))
		return code < 0 ? nc_wrap(err, code, "size of node %.12s", facts->id) : 0;
	return by_tree(store, facts, ret, err);
}

/* The catalog may have been told before the size was known. */
static int teach(struct nacre_store *store, const char *id, struct nacre_error *err)
{
	NC_AUTO_PLAN struct nc_plan plan = { 0 };
	NC_AUTO_FD int locks = -1;
	int code = nc_plan_add_node(&plan, id, err);
	if (code == 0)
		code = nc_locks_open(store, &locks, err);
	if (code == 0)
		code = nc_lock_whole(locks, NC_LOCK_CATALOG, NC_LOCK_SHARED, false, err);
	if (code == 0)
		code = nc_catalog_learn_now(store, &plan, err);
	return code < 0 ? code : nc_catalog_sync(store->catalog, err);
}

/* As well as can be: a store that cannot be written, or an ID that somebody is at, is no reason to fail. */
static void remember(struct nacre_store *store, const char *id, uint64_t size)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%" PRIu64, size);
	if (!store->readonly && nc_node_put(store, id, "layersize", text, (size_t)len, false, NULL) == 0)
		teach(store, id, NULL);
}

int nacre_node_size(struct nacre_store *store, const char *id, uint64_t *ret, struct nacre_error *err)
{
	char full[NC_HEX_ID];
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	int code = nc_store_resolve_id(store, id, full, err);
	if (code == 0)
		code = nc_node_look_brief(store, full, &facts, err);
	if (code < 0)
		return code;
	if (facts.size >= 0) {
		*ret = (uint64_t)facts.size;
		return 0;
	}
	uint64_t size = 0;
	code = measure(store, &facts, &size, err);
	if (code < 0)
		return code;
	remember(store, full, size);
	*ret = size;
	return 0;
}
