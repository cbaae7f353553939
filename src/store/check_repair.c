/* Mending, a finding at a time: first what is small and proves the rest, then layers, lower ones first by going round
 * until nothing more can be mended. Between them the catalog, which follows from the former and learns of the latter. */
#include "store/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what belongs to nobody ------------------------------------------------------------------------------------- */

static int drop_tree(struct nc_check *check, const char *id, struct nacre_error *err)
{
	struct nacre_store *store = check->store;
	NC_CLEANUP(nc_stage_auto) struct nc_stage *trash = NULL;
	NC_AUTO_FD int locks = -1;
	int code = nc_locks_open(store, &locks, err);
	if (code == 0)
		code = nc_lock_id(locks, id, NC_LOCK_EXCLUSIVE, false, err);
	if (code < 0 || nc_node_exists(store, id))
		return code;
	code = nc_stage_new(store->stages, &trash, err);
	return code < 0 ? code : store->driver->ops->remove(store->driver, id, trash->dir, err);
}

static int drop_blob(struct nc_check *check, const char *path, struct nacre_error *err)
{
	NC_AUTO_FD int locks = -1;
	struct nc_digest digest;
	const char *hex = strrchr(path, '/');
	int code = nc_digest_from_hex_id(hex ? hex + 1 : path, &digest, err);
	if (code == 0)
		code = nc_locks_open(check->store, &locks, err);
	return code < 0 ? code : nc_blobs_prune(check->store, locks, &digest, 1, err);
}

/* --- what is set aside ------------------------------------------------------------------------------------------ */

/* Whether a name that meant nothing does so still: "names/HOST/PATH/_tags/TAG". */
static bool means_nothing(struct nc_check *check, const char *path)
{
	NC_AUTO_BUF struct nc_buf full = NC_BUF_INIT(4096);
	const char *tags = strstr(path, "/_tags/");
	const char *top = strchr(path, '/');
	struct nc_name_target target;
	if (!tags || !top || top == tags ||
	    nc_buf_addf(&full, NULL, "%.*s:%s", (int)(tags - top - 1), top + 1, tags + strlen("/_tags/")) < 0)
		return true;
	return nc_name_read(check->store, full.data, &target, NULL) < 0 || !nc_node_exists(check->store, target.id);
}

static int set_name_aside(struct nc_check *check, struct nc_found *found, struct nacre_error *err)
{
	NC_AUTO_FD int locks = -1;
	int code = nc_locks_open(check->store, &locks, err);
	if (code == 0)
		code = nc_lock_whole(locks, NC_LOCK_NAMES, NC_LOCK_EXCLUSIVE, true, err);
	if (code == 0 && means_nothing(check, found->path)) {
		code = nc_aside(check->store, found->path, err);
		found->aside = code == 0;
	}
	return code;
}

static int set_aside(struct nc_check *check, struct nc_found *found, struct nacre_error *err)
{
	int code = nc_aside(check->store, found->path, err);
	found->aside = code == 0;
	return code;
}

/* --- one finding ------------------------------------------------------------------------------------------------ */

/* Everybody on the way round: one of them has a description that is not its own. */
static int straighten(struct nc_check *check, const char *id, struct nacre_error *err)
{
	char at[NC_HEX_ID];
	memcpy(at, id, NC_HEX_ID);
	int code = NACRE_E_NOTFOUND;
	for (int depth = 0; depth < NC_DEPTH_MAX; depth++) {
		NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
		if (nc_node_read_brief(check->store->graph, at, &facts, NULL) < 0 || !*facts.parent)
			break;
		int mended = nc_check_describe(check, at, err);
		code = mended == 0 ? 0 : code;
		memcpy(at, facts.parent, NC_HEX_ID);
		if (strcmp(at, id) == 0)
			break;
	}
	return code;
}

static bool is_layer_flaw(enum nc_flaw flaw)
{
	return flaw == NC_FLAW_TREE_MISSING || flaw == NC_FLAW_TREE_LAYOUT || flaw == NC_FLAW_TREE ||
	       flaw == NC_FLAW_CONTENT || flaw == NC_FLAW_RECORD || flaw == NC_FLAW_RECORD_MISSING;
}

static int mend_small(struct nc_check *check, struct nc_found *found, struct nacre_error *err)
{
	switch (found->flaw) {
	case NC_FLAW_JSON:
	case NC_FLAW_LAYERS:
	case NC_FLAW_PARENT: return nc_check_describe(check, found->id, err);
	case NC_FLAW_CYCLE: return straighten(check, found->id, err);
	case NC_FLAW_DIFF_ID:
	case NC_FLAW_TAR_SIZE:
	case NC_FLAW_LAYER_SIZE: return nc_check_measure(check, found->id, err);
	case NC_FLAW_NAME:
	case NC_FLAW_NAME_DANGLING: return set_name_aside(check, found, err);
	case NC_FLAW_NODE:
	case NC_FLAW_HOLD:
	case NC_FLAW_MANIFEST:
	case NC_FLAW_BLOB: return set_aside(check, found, err);
	case NC_FLAW_TREE_STRAY: return drop_tree(check, found->id, err);
	case NC_FLAW_BLOB_STRAY: return drop_blob(check, found->path, err);
	case NC_FLAW_STAGE: return nc_recover(check->store, err);
	default: return 0;
	}
}

/* What ends the whole. */
static bool is_fatal(int code)
{
	return code == NACRE_E_NOMEM || code == NACRE_E_CANCELLED || code == NACRE_E_NOSPACE;
}

static int note_failure(struct nc_found *found, int code, const struct nacre_error *why, struct nacre_error *err)
{
	if (code >= 0)
		return 0;
	if (is_fatal(code))
		return nc_fail(err, code, why->sys, "%s", why->msg);
	free(found->why);
	found->why = nc_strdup(why->msg);
	return found->why ? 0 : nc_nomem(err);
}

/* --- layers ----------------------------------------------------------------------------------------------------- */

/* A layer with several findings is built once. */
static bool is_first(const struct nc_findings *all, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (is_layer_flaw(all->list[j].flaw) && strcmp(all->list[j].id, all->list[i].id) == 0)
			return false;
	return true;
}

static int mend_layers(struct nc_check *check, struct nacre_error *err)
{
	struct nc_findings *all = &check->found;
	NC_AUTO_FREE bool *done = nc_zalloc(all->count);
	int code = 0;
	if (!done)
		return nc_nomem(err);
	for (bool more = true; more && code == 0;) {
		more = false;
		for (size_t i = 0; code == 0 && i < all->count; i++) {
			struct nacre_error why = { 0 };
			if (done[i] || !is_layer_flaw(all->list[i].flaw) || !is_first(all, i))
				continue;
			int mended = nc_check_rebuild(check, all->list[i].id, &why);
			done[i] = mended == 0;
			more = more || done[i];
			code = note_failure(&all->list[i], mended, &why, err);
		}
	}
	return code;
}

int nc_check_repair(struct nc_check *check, struct nacre_error *err)
{
	struct nc_findings *all = &check->found;
	bool stale = false;
	int code = 0;
	for (size_t i = 0; code == 0 && i < all->count; i++) {
		struct nacre_error why = { 0 };
		stale = stale || !is_layer_flaw(all->list[i].flaw);
		code = note_failure(&all->list[i], mend_small(check, &all->list[i], &why), &why, err);
	}
	/* whose blobs are whose is asked of the catalog; what is done to layers it learns at once */
	if (code == 0 && stale)
		code = nc_catalog_rebuild(check->store->catalog, err);
	return code < 0 ? code : mend_layers(check, err);
}
