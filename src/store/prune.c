/* Pruning: a plan, made on a copy of the catalog, and then removals one by one, each of which looks again under the lock of
 * its node. What is in somebody's use by then stays. */
#include "store/prune.h"

#include "base/cancel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void nc_prune_release(struct nc_prune *prune)
{
	nc_plan_release(&prune->heads);
	nc_plan_release(&prune->gone);
	nc_plan_release(&prune->rest);
	nc_plan_release(&prune->begun);
}

/* --- what would go ---------------------------------------------------------------------------------------------- */

struct planning {
	struct nacre_store *store;
	struct nacre_store shadow;	/* the same, with the copy of the catalog: there, what goes is gone */
	const struct nacre_prune_options *options;
	const struct nc_blocks *blocks;
	struct nc_prune *prune;
	int locks;			/* -1: a store that is only read has none */
};

static void planning_release(struct planning *planning)
{
	nc_catalog_close(planning->shadow.catalog);
	nc_fd_release(&planning->locks);
}

/* Somebody loads, reads or removes it. */
static bool is_at_work(const struct planning *planning, const char *id)
{
	if (planning->locks < 0)
		return false;
	int code = nc_lock_id(planning->locks, id, NC_LOCK_EXCLUSIVE, false, NULL);
	nc_unlock_id(planning->locks, id);
	return code < 0;
}

static int note_names(struct planning *planning, const char *id, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows names = { 0 };
	struct nc_plan *gone = &planning->prune->gone;
	int code = nc_catalog_ask(planning->shadow.catalog, NC_ASK_NAMES, id, NULL, &names, err);
	for (size_t i = 0; code == 0 && i < names.count; i++) {
		code = nc_plan_add_unname(gone, nc_rows_text(&names, i, 0), err);
		if (code == 0)
			memcpy(gone->steps[gone->count - 1].id, id, NC_HEX_ID);
	}
	return code;
}

/* The copy forgets a node with the names that were noted last. */
static int forget(struct planning *planning, const char *id, struct nacre_error *err)
{
	struct nc_catalog *catalog = planning->shadow.catalog;
	const struct nc_plan *gone = &planning->prune->gone;
	int code = nc_catalog_begin(catalog, true, err);
	if (code != 0)
		return code < 0 ? code : nc_fail(err, NACRE_E_IO, 0, "the copy of the catalog cannot be read");
	code = nc_catalog_drop_node(catalog, id, err);
	for (size_t i = gone->count; code == 0 && i-- > 0 && gone->steps[i].kind == NC_STEP_UNNAME;)
		if (strcmp(gone->steps[i].id, id) == 0)
			code = nc_catalog_drop_name(catalog, gone->steps[i].name, err);
	if (code == 0)
		code = nc_catalog_commit(catalog, err);
	if (code < 0)
		nc_catalog_abort(catalog, false);
	return code;
}

static int let_go(struct planning *planning, const char *id, struct nacre_error *err)
{
	int code = note_names(planning, id, err);
	if (code == 0)
		code = forget(planning, id, err);
	return code < 0 ? code : nc_plan_add_node(&planning->prune->gone, id, err);
}

/* The layers below that nobody needs without it. */
static int let_ancestors_go(struct planning *planning, const char *id, struct nacre_error *err)
{
	struct nacre_store *shadow = &planning->shadow;
	char at[NC_HEX_ID];
	memcpy(at, id, NC_HEX_ID);
	for (int depth = 0; depth < NC_DEPTH_MAX; depth++) {
		NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
		int code = nc_node_look_brief(shadow, at, &facts, err);
		if (code < 0 || !*facts.parent || is_at_work(planning, facts.parent))
			return code == NACRE_E_NOTFOUND || code == NACRE_E_CORRUPT ? 0 : code;
		code = nc_node_unneeded(shadow, facts.parent, at, err);
		if (code <= 0)
			return code;
		memcpy(at, facts.parent, NC_HEX_ID);
		code = let_go(planning, at, err);
		if (code < 0)
			return code;
	}
	return 0;
}

/* 1: it can go. */
static int try(struct planning *planning, const char *id, struct nacre_error *err)
{
	if (is_at_work(planning, id))
		return 0;
	int code = nc_node_removable(&planning->shadow, id, !planning->options->all, err);
	if (code < 0)
		return code == NACRE_E_INUSE ? 0 : code;
	code = nc_plan_add_node(&planning->prune->heads, id, err);
	if (code == 0)
		code = let_go(planning, id, err);
	if (code == 0)
		code = let_ancestors_go(planning, id, err);
	return code < 0 ? code : 1;
}

static bool is_asked_for(const struct planning *planning, const char *id)
{
	const char *const *only = planning->options->images;
	while (only && *only && strcmp(*only, id) != 0)
		only++;
	return !only || *only;
}

static int is_gone(const struct planning *planning, const char *id, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	int code = nc_catalog_ask(planning->shadow.catalog, NC_ASK_NODE, id, NULL, &rows, err);
	return code < 0 ? code : !rows.count;
}

/* Again and again, as one image may stand on another. */
static int plan_images(struct planning *planning, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows images = { 0 };
	int went = 1, code = nc_catalog_ask(planning->store->catalog, NC_ASK_IMAGES, NULL, NULL, &images, err);
	while (code == 0 && went) {
		went = 0;
		for (size_t i = 0; code == 0 && i < images.count; i++) {
			const char *id = nc_rows_text(&images, i, NC_COL_ID);
			if (nc_rows_number(&images, i, NC_COL_KIND) & NC_NODE_DAMAGED || !is_asked_for(planning, id))
				continue;
			code = is_gone(planning, id, err);
			if (code == 0)
				went += (code = try(planning, id, err)) > 0;
			code = code > 0 ? 0 : code;
		}
	}
	return code;
}

/* Layers that no image has. As long as something damaged does not tell what it stands on, it may be one of them. */
static int plan_layers(struct planning *planning, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows adrift = { 0 };
	NC_AUTO_ROWS struct nc_rows heads = { 0 };
	int code = nc_catalog_ask(planning->store->catalog, NC_ASK_ADRIFT, NULL, NULL, &adrift, err);
	if (code < 0 || adrift.count || planning->options->images)
		return code;
	code = nc_catalog_ask(planning->shadow.catalog, NC_ASK_HEADS, NULL, NULL, &heads, err);
	for (size_t i = 0; code == 0 && i < heads.count; i++)
		if (!(nc_rows_number(&heads, i, NC_COL_KIND) & (NC_NODE_IMAGE | NC_NODE_V1 | NC_NODE_DAMAGED))) {
			code = try(planning, nc_rows_text(&heads, i, NC_COL_ID), err);
			code = code > 0 ? 0 : code;
		}
	return code;
}

static int plan_blob(void *ctx, const char *hex, unsigned char type, struct nacre_error *err)
{
	struct planning *planning = ctx;
	NC_AUTO_ROWS struct nc_rows users = { 0 };
	struct nc_step step = { .kind = NC_STEP_BLOB };
	char digest[NC_DIGEST_TEXT] = "sha256:";
	if (!nc_id_valid(hex))
		return 0;
	memcpy(step.hex, hex, NC_HEX_ID);
	strcat(digest, hex);
	int code = planning->locks < 0 ? 0 : nc_lock_blob(planning->locks, hex, NC_LOCK_EXCLUSIVE, false, NULL);
	if (planning->locks >= 0)
		nc_unlock_blob(planning->locks, hex);
	if (code < 0)	/* somebody is bringing an image that has it */
		return 0;
	code = nc_catalog_ask(planning->shadow.catalog, NC_ASK_BLOB_USERS, digest, NULL, &users, err);
	return code < 0 || users.count ? code : nc_plan_add(&planning->prune->rest, &step, err);
}

/* Neither in the graph nor on its way there. With the lock of the ID held, or none. */
static int is_stray(struct nacre_store *store, const char *id, struct nacre_error *err)
{
	int staged = nc_node_exists(store, id) ? 1 : nc_is_staged_anywhere(store, id, err);
	return staged < 0 ? staged : !staged && !nc_node_exists(store, id);
}

static int plan_tree(void *ctx, const char *id, struct nacre_error *err)
{
	struct planning *planning = ctx;
	if (is_at_work(planning, id))
		return 0;
	int code = is_stray(planning->store, id, err);
	return code > 0 ? nc_plan_add_node(&planning->prune->rest, id, err) : code;
}

static int plan_partial(void *ctx, const char *hex, struct nacre_error *err)
{
	struct planning *planning = ctx;
	struct nc_step step = { .kind = NC_STEP_BLOB };
	memcpy(step.hex, hex, NC_HEX_ID);
	return nc_partial_idle(planning->store, hex) ? nc_plan_add(&planning->prune->begun, &step, err) : 0;
}

static uint64_t bytes_of(const struct nc_blocks *blocks, const struct nc_step *step)
{
	if (step->kind == NC_STEP_BLOB)
		return nc_blocks_of(blocks, NC_PLACE_BLOB, step->hex);
	return step->kind != NC_STEP_NODE ? 0 : nc_blocks_of(blocks, NC_PLACE_TREE, step->id) +
							nc_blocks_of(blocks, NC_PLACE_NODE, step->id);
}

static int add_up(struct planning *planning, struct nacre_error *err)
{
	struct nc_prune *prune = planning->prune;
	uint64_t after = 0;
	int code = nc_names_bytes(planning->store, &prune->gone, &prune->name_bytes, err);
	if (code == 0)
		code = nc_catalog_shrink(planning->shadow.catalog, &after, err);
	prune->catalog_before = nc_catalog_bytes(planning->store);
	prune->bytes = prune->name_bytes + (after < prune->catalog_before ? prune->catalog_before - after : 0);
	const struct nc_plan *plans[] = { &prune->gone, &prune->rest };
	for (size_t p = 0; p < 2; p++)
		for (size_t i = 0; i < plans[p]->count; i++)
			prune->bytes += bytes_of(planning->blocks, &plans[p]->steps[i]);
	for (size_t i = 0; i < prune->begun.count; i++)
		prune->bytes += nc_blocks_of(planning->blocks, NC_PLACE_PARTIAL, prune->begun.steps[i].hex);
	return code;
}

/* The store with a catalog that is still to come. Other threads change some of what is in the handle, so it is not copied as a
 * block of bytes. */
static void make_shadow(struct nacre_store *store, struct nacre_store *ret)
{
	*ret = (struct nacre_store){
		.path = store->path, .root = store->root, .graph = store->graph, .stages = store->stages, .blobs = store->blobs,
		.names = store->names, .mounts = store->mounts, .driver = store->driver, .readonly = store->readonly,
		.durable = store->durable, .ephemeral = store->ephemeral, .adopted = store->adopted,
		.old_names = store->old_names, .token = store->token, .sessions = atomic_load(&store->sessions),
		.alive = store->alive, .use = store->use, .broken = atomic_load(&store->broken),
	};
}

int nc_prune_plan(struct nacre_store *store, const struct nacre_prune_options *options, const struct nc_blocks *blocks,
		  struct nc_prune *ret, struct nacre_error *err)
{
	NC_AUTO_PRUNE struct nc_prune prune = { 0 };
	NC_CLEANUP(planning_release) struct planning planning = { .store = store, .options = options,
								  .blocks = blocks, .prune = &prune, .locks = -1 };
	make_shadow(store, &planning.shadow);
	int code = store->readonly ? 0 : nc_locks_open(store, &planning.locks, err);
	if (code == 0)
		code = nc_catalog_copy(store->catalog, &planning.shadow.catalog, err);
	if (code == 0)
		code = plan_images(&planning, err);
	if (code == 0)
		code = plan_layers(&planning, err);
	if (code == 0 && store->blobs >= 0)
		code = nc_dir_each(store->blobs, plan_blob, &planning, err);
	if (code == 0)
		code = nc_partial_each(store, plan_partial, &planning, err);
	/* of Docker's trees not all are ours */
	if (code == 0 && !store->adopted)
		code = store->driver->ops->each(store->driver, plan_tree, &planning, err);
	if (code == 0)
		code = add_up(&planning, err);
	if (code < 0)
		return code;
	*ret = prune;
	prune = (struct nc_prune){ 0 };
	return 0;
}

/* --- the work --------------------------------------------------------------------------------------------------- */

struct work {
	struct nacre_store *store;
	const struct nacre_prune_options *options;
	const struct nc_blocks *blocks;
	const struct nc_prune *prune;
	struct nacre_pruned_total total;
	int locks;
};

static bool is_image(struct nacre_store *store, const char *id)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	return nc_node_look_brief(store, id, &facts, NULL) == 0 && facts.kind & (NC_NODE_IMAGE | NC_NODE_V1);
}

static void tell(struct work *work, enum nacre_pruned kind, const char *object, uint64_t bytes)
{
	uint64_t *counts[] = { [NACRE_PRUNED_NAME] = &work->total.names, [NACRE_PRUNED_IMAGE] = &work->total.images,
			       [NACRE_PRUNED_LAYER] = &work->total.layers, [NACRE_PRUNED_BLOB] = &work->total.blobs,
			       [NACRE_PRUNED_TREE] = &work->total.trees,
			       [NACRE_PRUNED_PARTIAL] = &work->total.partials };
	++*counts[kind];
	work->total.bytes += bytes;
	if (work->options->step)
		work->options->step(work->options->ctx, kind, object, bytes);
}

static void tell_blob(struct work *work, const struct nc_step *step)
{
	char digest[NC_DIGEST_TEXT] = "sha256:";
	strcat(digest, step->hex);
	tell(work, NACRE_PRUNED_BLOB, digest, bytes_of(work->blocks, step));
}

static void tell_partial(struct work *work, const struct nc_step *step)
{
	char digest[NC_DIGEST_TEXT] = "sha256:";
	strcat(digest, step->hex);
	tell(work, NACRE_PRUNED_PARTIAL, digest, nc_blocks_of(work->blocks, NC_PLACE_PARTIAL, step->hex));
}

/* kinds: of each node of gone, whether it is an image: afterwards nobody can tell. */
static void tell_gone(struct work *work, const struct nc_plan *gone, const struct nc_map *images)
{
	for (size_t i = 0; i < gone->count; i++) {
		const struct nc_step *step = &gone->steps[i];
		if (step->kind == NC_STEP_UNNAME)
			tell(work, NACRE_PRUNED_NAME, step->name, 0);
		else
			tell(work, nc_map_get(images, step->id, NC_HEX_ID - 1) ? NACRE_PRUNED_IMAGE : NACRE_PRUNED_LAYER,
			     step->id, bytes_of(work->blocks, step));
	}
}

static int note_images(struct work *work, struct nc_map *ret, struct nacre_error *err)
{
	const struct nc_plan *gone = &work->prune->gone;
	int code = 0;
	for (size_t i = 0; code == 0 && i < gone->count; i++)
		if (gone->steps[i].kind == NC_STEP_NODE && is_image(work->store, gone->steps[i].id))
			code = nc_map_set(ret, gone->steps[i].id, NC_HEX_ID - 1, ret, NULL, err);
	return code;
}

static void tell_all(struct work *work, const struct nc_map *images)
{
	const struct nc_prune *prune = work->prune;
	tell_gone(work, &prune->gone, images);
	for (size_t i = 0; i < prune->rest.count; i++) {
		const struct nc_step *step = &prune->rest.steps[i];
		if (step->kind == NC_STEP_BLOB)
			tell_blob(work, step);
		else
			tell(work, NACRE_PRUNED_TREE, step->id, bytes_of(work->blocks, step));
	}
	for (size_t i = 0; i < prune->begun.count; i++)
		tell_partial(work, &prune->begun.steps[i]);
	work->total.bytes = prune->bytes;
}

static int check_cancel(const struct work *work, struct nacre_error *err)
{
	return nc_cancel_check(work->options->cancel, err);
}

static int remove_heads(struct work *work, const struct nc_map *images, struct nacre_error *err)
{
	const struct nc_plan *heads = &work->prune->heads;
	int code = 0;
	for (size_t i = 0; code == 0 && i < heads->count; i++) {
		NC_AUTO_PLAN struct nc_plan gone = { 0 };
		code = check_cancel(work, err);
		if (code == 0)
			code = nc_remove_idle(work->store, heads->steps[i].id, work->options->all, &gone, err);
		/* somebody was faster, or uses it by now */
		if (code == NACRE_E_INUSE || code == NACRE_E_BUSY || code == NACRE_E_NOTFOUND)
			code = 0;
		tell_gone(work, &gone, images);
	}
	return code;
}

static int remove_tree(struct work *work, const struct nc_step *step, struct nacre_error *err)
{
	struct nacre_store *store = work->store;
	NC_CLEANUP(nc_stage_auto) struct nc_stage *trash = NULL;
	int code = nc_lock_id(work->locks, step->id, NC_LOCK_EXCLUSIVE, false, err);
	if (code < 0)
		return code == NACRE_E_BUSY ? 0 : code;
	int stray = is_stray(store, step->id, err);
	code = stray > 0 ? nc_stage_new(store->stages, &trash, err) : stray;
	if (code == 0 && stray)
		code = store->driver->ops->remove(store->driver, step->id, trash->dir, err);
	nc_unlock_id(work->locks, step->id);
	if (code == 0 && stray)
		tell(work, NACRE_PRUNED_TREE, step->id, bytes_of(work->blocks, step));
	return code;
}

static int remove_blob(struct work *work, const struct nc_step *step, struct nacre_error *err)
{
	struct nc_digest digest;
	int code = nc_digest_from_hex_id(step->hex, &digest, err);
	if (code == 0)
		code = nc_blobs_prune(work->store, work->locks, &digest, 1, err);
	int there = code == 0 ? nc_blob_exists(work->store, step->hex, NULL, err) : code;
	if (there == 0)
		tell_blob(work, step);
	return there < 0 ? there : 0;
}

static int remove_partial(struct work *work, const struct nc_step *step, struct nacre_error *err)
{
	int code = nc_partial_remove(work->store, step->hex, err);
	if (code > 0)
		tell_partial(work, step);
	return code < 0 ? code : 0;
}

/* Names are counted together: which of their directories went depends on all of them. */
static void count_names(struct work *work)
{
	uint64_t planned = 0;
	for (size_t i = 0; i < work->prune->gone.count; i++)
		planned += work->prune->gone.steps[i].kind == NC_STEP_UNNAME;
	if (work->total.names == planned)
		work->total.bytes += work->prune->name_bytes;
}

static int shrink_catalog(struct work *work, struct nacre_error *err)
{
	uint64_t before = work->prune->catalog_before, after = 0;
	struct nacre_error why = { 0 };
	int code = nc_catalog_shrink(work->store->catalog, &after, &why);
	if (code == 0 && after < before)
		work->total.bytes += before - after;
	/* another is at it, or there is no room to write it anew: it stays as it is */
	if (code == 0 || code == NACRE_E_BUSY || code == NACRE_E_NOSPACE)
		return 0;
	if (err)
		*err = why;
	return code;
}

static int carry_out(struct work *work, const struct nc_map *images, struct nacre_error *err)
{
	const struct nc_plan *rest = &work->prune->rest;
	int code = nc_locks_open(work->store, &work->locks, err);
	if (code == 0)
		code = remove_heads(work, images, err);
	for (size_t i = 0; code == 0 && i < rest->count; i++)
		code = rest->steps[i].kind == NC_STEP_BLOB ? remove_blob(work, &rest->steps[i], err)
							   : remove_tree(work, &rest->steps[i], err);
	for (size_t i = 0; code == 0 && i < work->prune->begun.count; i++)
		code = remove_partial(work, &work->prune->begun.steps[i], err);
	if (code == 0)
		code = nc_names_tidy(work->store, work->locks, err);
	if (code == 0)
		code = shrink_catalog(work, err);
	count_names(work);
	nc_fd_release(&work->locks);
	return code;
}

int nacre_prune(struct nacre_store *store, const struct nacre_prune_options *options, struct nacre_pruned_total *ret,
		struct nacre_error *err)
{
	struct nacre_prune_options mine = { .size = sizeof mine };
	NC_AUTO_BLOCKS struct nc_blocks blocks = { .owned = NULL };
	NC_AUTO_PRUNE struct nc_prune prune = { 0 };
	NC_CLEANUP(nc_map_auto) struct nc_map *images = nc_map_new();
	if (options)
		memcpy(&mine, options, options->size < sizeof mine ? options->size : sizeof mine);
	struct work work = { .store = store, .options = &mine, .blocks = &blocks, .prune = &prune, .locks = -1 };
	int code = mine.dry_run ? 0 : nc_store_writable(store, err);
	if (code == 0 && !images)
		code = nc_nomem(err);
	if (code == 0)
		code = nc_blocks_count(store, &blocks, err);
	if (code == 0)
		code = nc_prune_plan(store, &mine, &blocks, &prune, err);
	if (code == 0)
		code = note_images(&work, images, err);
	if (code == 0 && mine.dry_run)
		tell_all(&work, images);
	else if (code == 0)
		code = carry_out(&work, images, err);
	if (ret)
		*ret = work.total;
	return code;
}
