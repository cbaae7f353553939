/* A damaged layer, and the one that takes its place. The order:
 *
 *	the new tree and record are built in a stage, under an ID of their own that the stage names: whoever finds the
 *	stage dead removes the tree of that ID, whichever it is
 *	what came has the layer's diff ID
 *	syncfs
 *	the driver exchanges the trees (one rename): from here on the layer has the new one
 *	record, diff ID and sizes are renamed over the old ones; they go with either tree
 *	the catalog learns; syncfs; the old tree goes with the stage
 *
 * While the layer is mounted, by itself or below another, it stays as it is: the mount would lose its files. */
#include "io/failure.h"
#include "store/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- is it damaged? --------------------------------------------------------------------------------------------- */

/* Whether the files of a node are those of a layer that nacre brought, and nothing is missing. */
static int is_whole(struct nacre_store *store, int node, struct nacre_error *err)
{
	int there = nc_file_exists(node, "diffid", err);
	if (there > 0)
		there = nc_file_exists(node, "tarsize", err);
	if (there > 0 && !store->driver->ops->tar)
		there = nc_file_exists(node, "tar-data.json.gz", err);
	return there;
}

int nc_ingest_sound(struct nc_ingest *ingest, const char *id, struct nacre_error *err)
{
	struct nacre_store *store = ingest->store;
	NC_AUTO_FD int node = -1;
	struct nacre_error why = { 0 };
	/* what is no directory, or has no layer, is not ours to mend */
	int code = nc_node_open(store, id, &node, err);
	if (code < 0)
		return code == NACRE_E_CORRUPT ? 1 : code;
	int ours = nc_file_exists(node, "diffid", err);
	if (ours == 0)
		ours = nc_file_exists(node, "tarsize", err);
	if (ours <= 0)
		return ours < 0 ? ours : 1;
	int there = store->driver->ops->has(store->driver, id, err);
	if (there > 0)
		there = is_whole(store, node, err);
	if (there <= 0)
		return there;
	code = ingest->thorough ? nacre_layer_verify(store, id, &why) : 0;
	if (code == NACRE_E_NOMEM || code == NACRE_E_CANCELLED)
		return nc_failure_tell(&why, code, err);
	return code == 0;
}

/* --- is it in use? ---------------------------------------------------------------------------------------------- */

struct search {
	struct nacre_store *store;
	const char *id;
	char path[200];			/* "" when it is mounted nowhere */
};

static int match_mount(void *ctx, const char *mounted, const char *path)
{
	struct search *search = ctx;
	char at[NC_HEX_ID];
	memcpy(at, mounted, NC_HEX_ID);
	for (int depth = 0; *at && depth < NC_DEPTH_MAX; depth++) {
		NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
		if (strcmp(at, search->id) == 0) {
			snprintf(search->path, sizeof search->path, "%.190s", path);
			return -1;
		}
		if (nc_node_read_brief(search->store->graph, at, &facts, NULL) < 0)
			return 0;
		memcpy(at, facts.parent, NC_HEX_ID);
	}
	return 0;
}

static int check_unmounted(struct nacre_store *store, const char *id, struct nacre_error *err)
{
	struct search search = { .store = store, .id = id };
	int code = nacre_mounts_each(store, match_mount, &search, err);
	if (*search.path)
		return nc_fail(err, NACRE_E_INUSE, 0, "it is damaged, and cannot be mended while it is mounted at '%s'",
			       search.path);
	return code;
}

/* --- taking its place ------------------------------------------------------------------------------------------- */

static int exchange(struct nc_ingest *ingest, const char *id, const char *tree, struct nacre_error *err)
{
	struct nc_driver *driver = ingest->store->driver;
	if (!driver->ops->exchange)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "driver %s cannot mend layers", driver->ops->name);
	int code = nc_lock_whole(ingest->locks, NC_LOCK_MOUNTS, NC_LOCK_EXCLUSIVE, true, err);
	if (code == 0)
		code = check_unmounted(ingest->store, id, err);
	if (code == 0)
		code = driver->ops->exchange(driver, tree, id, err);
	nc_unlock_whole(ingest->locks, NC_LOCK_MOUNTS);
	return code;
}

static bool describes(struct nacre_store *store, const char *id)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	return nc_node_read_brief(store->graph, id, &facts, NULL) == 0;
}

/* The description stays where it can be read: it may be another than ours. */
static int put_files(struct nacre_store *store, const char *id, int dir, struct nacre_error *err)
{
	static const char *const files[] = { "tar-data.json.gz", "diffid", "tarsize", "blob", "layersize", "json" };
	NC_AUTO_FD int node = -1;
	int code = nc_node_open(store, id, &node, err);
	for (size_t i = 0; code == 0 && i < sizeof files / sizeof *files; i++) {
		int there = nc_file_exists(dir, files[i], err);
		if (there < 0)
			return there;
		if (!there || (strcmp(files[i], "json") == 0 && describes(store, id)))
			continue;
		if (renameat(dir, files[i], node, files[i]) < 0)
			code = nc_fail(err, NACRE_E_IO, errno, "replace '%s'", files[i]);
	}
	return code;
}

/* The stage says which layer it is about, for the catalog: a plan without a mark is undone, and of this step there is nothing
 * to undo. */
static int announce(struct nc_ingest *ingest, const char *id, struct nc_plan *ret, struct nacre_error *err)
{
	struct nc_step step = { .kind = NC_STEP_FIRST };
	memcpy(step.id, id, NC_HEX_ID);
	int code = nc_plan_add(ret, &step, err);
	return code < 0 ? code : nc_plan_write(ret, ingest->stage->dir, err);
}

static int learn(struct nc_ingest *ingest, const struct nc_plan *plan, struct nacre_error *err)
{
	int code = nc_catalog_hold(ingest->store, ingest->locks, err);
	if (code == 0)
		code = nc_catalog_learn(ingest->store, plan, err);
	nc_catalog_let_go(ingest->locks);
	return code;
}

int nc_ingest_exchange(struct nc_ingest *ingest, const char *id, const char *tree, int dir, struct nacre_error *err)
{
	NC_AUTO_PLAN struct nc_plan plan = { 0 };
	struct nacre_store *store = ingest->store;
	int code = check_unmounted(store, id, err);
	if (code == 0)
		code = announce(ingest, id, &plan, err);
	if (code == 0)
		code = nc_store_sync_all(store, ingest->sync, err);
	if (code == 0)
		code = exchange(ingest, id, tree, err);
	if (code == 0)
		code = put_files(store, id, dir, err);
	/* the old tree goes in either case, so the exchange must be durable */
	int learned = code == 0 ? learn(ingest, &plan, err) : 0;
	if (code == 0)
		code = nc_store_sync_all(store, ingest->sync, err);
	nc_plan_forget(ingest->stage->dir);
	return code < 0 ? code : learned;
}
