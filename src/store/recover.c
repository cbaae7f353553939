/* What dead processes left. Their stages are found in graph/_tmp, each with a lock that can be taken; a look into
 * that directory is all it costs when there are none.
 *
 *   commit mark        the stage was durable: the plan is carried out to its end, if every layer still has its tree
 *                      (another process may have cleared away a tree that it took for rubbish); else it is undone.
 *                      The mark may be lost in a power cut; a node or blob that has left the stage for its place says
 *                      the same
 *   no commit mark     undone: trees of nodes that are not in the graph go
 *   a node in the stage that is not in the graph, of a removal: it is gone; its tree, its names, its blobs and the
 *                      layers that nobody needs any more follow
 *
 * In the end the catalog learns what is true of every node and name that the stage mentions. A stage that concerns an
 * ID that somebody is at work on is left to the next. */
#include "store/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int collect_node(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	return nc_id_valid(name) ? nc_plan_add_node(ctx, name, err) : 0;
}

/* These answer 1 or 0, or why that cannot be told: nothing is undone on a guess. */

int nc_is_staged(int dir, const char *side, const char *name, struct nacre_error *err)
{
	NC_AUTO_FD int from = -1;
	int code = nc_dir_open(dir, side, &from, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND ? 0 : code;
	return nc_file_exists(from, name, err);
}

static int find_staged(void *ctx, const char *stage, unsigned char type, struct nacre_error *err)
{
	void **both = ctx;
	const struct nacre_store *store = both[0];
	NC_AUTO_FD int dir = -1;
	return nc_dir_open(store->stages, stage, &dir, NULL) == 0 && nc_is_staged(dir, "graph", both[1], NULL) > 0;
}

int nc_is_staged_anywhere(struct nacre_store *store, const char *id, struct nacre_error *err)
{
	void *both[] = { store, (void *)id };
	return store->stages < 0 ? 0 : nc_dir_each(store->stages, find_staged, both, err);
}

/* A removal that took its image but died before the layers below. */
static int is_removal(int dir, const struct nc_plan *plan, struct nacre_error *err)
{
	return plan->count ? nc_file_exists(dir, "removal", err) : 0;
}

/* A name of a node that is not there, as it is when it was moved and the node was not. */
static int is_ahead(struct nacre_store *store, const char *full, struct nacre_error *err)
{
	struct nc_name_target target;
	int code = nc_name_read(store, full, &target, err);
	if (code < 0)
		return nc_is_unread(code) ? code : 0;
	int there = nc_node_there(store, target.id, err);
	return there < 0 ? there : !there;
}

/* Whether it stands in its place and not in the stage, where only a commit may have put it. */
static int was_moved(struct nacre_store *store, int dir, const struct nc_step *step, struct nacre_error *err)
{
	char file[16];
	int there = 0;
	snprintf(file, sizeof file, "%u", step->number);
	if (step->kind == NC_STEP_NAME)
		there = is_ahead(store, step->name, err);
	else if (step->kind == NC_STEP_NODE)
		there = nc_node_there(store, step->id, err);
	else if (step->kind == NC_STEP_BLOB)
		there = nc_blob_exists(store, step->hex, NULL, err);
	if (there <= 0)
		return there;
	int staged = step->kind == NC_STEP_NAME ? nc_is_staged(dir, "names", file, err) :
		 step->kind == NC_STEP_NODE ? nc_is_staged(dir, "graph", step->id, err) :
					      nc_is_staged(dir, "blobs", step->hex, err);
	return staged < 0 ? staged : !staged;
}

/* Whether a commit has begun to move what the plan lists, which it only does after its mark. A power cut may keep any of the
 * renames and lose the others. */
static int has_moved(struct nacre_store *store, int dir, const struct nc_plan *plan, struct nacre_error *err)
{
	int moved = is_removal(dir, plan, err);
	if (moved != 0)
		return moved < 0 ? moved : 0;
	for (size_t i = 0; moved == 0 && i < plan->count; i++)
		moved = was_moved(store, dir, &plan->steps[i], err);
	return moved;
}

/* Every node that the stage mentions or holds, once by the plan and again by what is there: twice is harmless. */
static int read_stage(struct nacre_store *store, int dir, struct nc_plan *ret, bool *ret_committed,
		      struct nacre_error *err)
{
	int code = nc_plan_read(dir, NC_PLAN_COMMIT, ret, err);
	*ret_committed = code == 0;
	if (code == NACRE_E_NOTFOUND) {
		code = nc_plan_read(dir, NC_PLAN_FILE, ret, err);
		int moved = code == 0 ? has_moved(store, dir, ret, err) : 0;
		if (moved < 0)
			return moved;
		*ret_committed = moved;
	}
	/* a plan that a power cut left in pieces was not yet needed: nothing was moved before it was durable */
	if (code == NACRE_E_NOTFOUND || code == NACRE_E_CORRUPT || code == NACRE_E_BADDATA || code == NACRE_E_LIMIT)
		code = 0;
	NC_AUTO_FD int nodes = -1;
	if (code == 0)
		code = nc_dir_open(dir, "graph", &nodes, err);
	if (code == 0)
		code = nc_dir_each(nodes, collect_node, ret, err);
	return code == NACRE_E_NOTFOUND ? 0 : code;
}

static int lock_all(const struct nc_plan *plan, int locks, struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; code == 0 && i < plan->count; i++) {
		const struct nc_step *step = &plan->steps[i];
		if (step->kind == NC_STEP_NODE || step->kind == NC_STEP_DOCUMENT || step->kind == NC_STEP_WHOLE ||
		    step->kind == NC_STEP_FIRST)
			code = nc_lock_id(locks, step->id, NC_LOCK_EXCLUSIVE, false, err);
		else if (step->kind == NC_STEP_BLOB)
			code = nc_lock_blob(locks, step->hex, NC_LOCK_EXCLUSIVE, false, err);
	}
	return code;
}

/* --- finishing a commit ----------------------------------------------------------------------------------------- */

/* 1 when each node is in the graph or in the stage with its tree in the driver's home. */
static int can_finish(struct nacre_store *store, int dir, const struct nc_plan *plan, struct nacre_error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct nc_step *step = &plan->steps[i];
		if (step->kind == NC_STEP_BLOB || step->kind == NC_STEP_NAME || step->kind == NC_STEP_UNNAME)
			continue;
		int there = nc_node_there(store, step->id, err);
		if (there < 0)
			return there;
		if (there)
			continue;
		int staged = step->kind == NC_STEP_NODE ? nc_is_staged(dir, "graph", step->id, err) : 0;
		if (staged <= 0)
			return staged;
		NC_AUTO_FD int nodes = -1;
		NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
		int code = nc_dir_open(dir, "graph", &nodes, err);
		if (code == 0)
			code = nc_node_read_brief(nodes, step->id, &facts, err);
		if (code == 0 && facts.kind & NC_NODE_LAYER)
			code = store->driver->ops->has(store->driver, step->id, err);
		else if (code == 0)
			code = 1;
		if (code <= 0)
			return code;
	}
	return 1;
}

/* --- undoing, and finishing a removal --------------------------------------------------------------------------- */

static int drop_tree(struct nacre_store *store, int dir, const char *id, struct nacre_error *err)
{
	int there = nc_file_exists(store->graph, id, err);
	return there == 0 ? store->driver->ops->remove(store->driver, id, dir, err) : there < 0 ? there : 0;
}

/* Names of nodes that are gone go too, and so do directories that one who died left empty. */
static int drop_dangling(struct nacre_store *store, int locks, const char *full, struct nacre_error *err)
{
	struct nc_name_target target;
	int code = nc_lock_whole(locks, NC_LOCK_NAMES, NC_LOCK_EXCLUSIVE, !store->impatient, err);
	if (code < 0)
		return code;
	code = nc_name_read(store, full, &target, err);
	int there = code == 0 ? nc_node_there(store, target.id, err) : 1;
	if (there < 0)
		return there;
	if (code == NACRE_E_NOTFOUND || !there)
		code = nc_name_unlink(store, full, err);
	/* one that is damaged is left for a check to find */
	return code > 0 || code == NACRE_E_CORRUPT ? 0 : code;
}

static int prune_blobs_of(struct nacre_store *store, int locks, int dir, const char *id, struct nacre_error *err)
{
	NC_AUTO_FD int nodes = -1;
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	int code = nc_dir_open(dir, "graph", &nodes, err);
	if (code == 0)
		code = nc_node_read(nodes, id, &facts, err);
	if (code < 0)
		return nc_is_unread(code) ? code : 0;
	return nc_blobs_prune(store, locks, facts.blobs, facts.blob_count, err);
}

static int undo(struct nacre_store *store, int locks, int dir, const struct nc_plan *plan, struct nacre_error *err)
{
	int code = nc_catalog_hold(store, locks, err);
	for (size_t i = 0; code == 0 && i < plan->count; i++) {
		const struct nc_step *step = &plan->steps[i];
		if (step->kind == NC_STEP_NODE)
			code = drop_tree(store, dir, step->id, err);
		else if (step->kind == NC_STEP_NAME || step->kind == NC_STEP_UNNAME)
			code = drop_dangling(store, locks, step->name, err);
	}
	if (code == 0)
		code = nc_catalog_learn(store, plan, err);
	for (size_t i = 0; code == 0 && i < plan->count; i++) {
		const struct nc_step *step = &plan->steps[i];
		struct nc_digest digest;
		if (step->kind == NC_STEP_NODE)
			code = prune_blobs_of(store, locks, dir, step->id, err);
		else if (step->kind == NC_STEP_BLOB && nc_digest_from_hex_id(step->hex, &digest, NULL) == 0)
			code = nc_blobs_prune(store, locks, &digest, 1, err);
	}
	nc_unlock_whole(locks, NC_LOCK_NAMES);
	nc_catalog_let_go(locks);
	return code;
}

static int settle(struct nacre_store *store, int locks, int dir, struct nc_plan *plan, bool committed,
		  struct nacre_error *err)
{
	int finish = committed ? can_finish(store, dir, plan, err) : 0;
	if (finish < 0)
		return finish;
	if (finish)
		return nc_publish(store, locks, dir, plan, err);
	int code = undo(store, locks, dir, plan, err);
	if (code == 0)
		code = is_removal(dir, plan, err);
	if (code > 0) {
		struct nc_stage stage = { .parent = store->stages, .dir = dir, .owner = -1 };
		code = nc_remove_unneeded(store, locks, &stage, plan, err);
	}
	return code < 0 ? code : nc_catalog_sync(store->catalog, err);
}

static int inherit(void *ctx, int dir, struct nacre_error *err)
{
	struct nacre_store *store = ctx;
	NC_AUTO_PLAN struct nc_plan plan = { 0 };
	NC_AUTO_FD int locks = -1;
	bool committed;
	int code = read_stage(store, dir, &plan, &committed, err);
	if (code < 0 || !plan.count)
		return code;
	code = nc_locks_open(store, &locks, err);
	if (code == 0)
		code = lock_all(&plan, locks, err);
	if (code == NACRE_E_BUSY) {
		/* somebody is at one of the IDs: the next finds it settled. What is in place is told all the same */
		code = nc_catalog_hold(store, locks, err);
		if (code == 0)
			code = nc_catalog_learn(store, &plan, err);
		nc_catalog_let_go(locks);
		return code < 0 ? code : 1;
	}
	if (code < 0)
		return code;
	code = settle(store, locks, dir, &plan, committed, err);
	if (code == 0)
		nc_plan_forget(dir);
	return code;
}

static int told(struct nacre_error *err, int code)
{
	return code < 0 ? nc_wrap(err, code, "clean up after a process that died") : 0;
}

int nc_recover_stages(struct nacre_store *store, struct nacre_error *err)
{
	return told(err, nc_stage_sweep_with(store->stages, inherit, store, err));
}

int nc_recover(struct nacre_store *store, struct nacre_error *err)
{
	int code = nc_recover_stages(store, err);
	return code < 0 ? code : told(err, nc_holds_sweep(store, err));
}
