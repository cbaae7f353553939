/* How the catalog learns what the files say: of a few nodes and names after a change, or of all of them. */
#include "store/inner.h"

#include <string.h>

/* --- after a change --------------------------------------------------------------------------------------------- */

int nc_catalog_hold(struct nacre_store *store, int locks, struct nacre_error *err)
{
	/* the refresh may build the catalog, which needs its lock exclusively: so it comes first */
	int code = nc_catalog_refresh(store->catalog, err);
	return code < 0 ? code : nc_lock_whole(locks, NC_LOCK_CATALOG, NC_LOCK_SHARED, !store->impatient, err);
}

void nc_catalog_let_go(int locks)
{
	nc_unlock_whole(locks, NC_LOCK_CATALOG);
}

/* What is damaged stays visible by its ID, so that it can be looked at and deleted. */
static int read_node(struct nacre_store *store, const char *id, struct nc_node_facts *ret, struct nacre_error *err)
{
	int code = nc_node_look(store, id, ret, err);
	return code == NACRE_E_CORRUPT ? nc_node_salvage(store, id, ret, err) : code;
}

static int learn_node(struct nacre_store *store, const char *id, struct nacre_error *err)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	int code = read_node(store, id, &facts, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_catalog_drop_node(store->catalog, id, err);
	return code < 0 ? code : nc_catalog_put_node(store->catalog, &facts, err);
}

static int learn_name(struct nacre_store *store, const char *full, struct nacre_error *err)
{
	struct nc_name_target target;
	int code = nc_name_read(store, full, &target, err);
	if (code == NACRE_E_NOTFOUND || code == NACRE_E_CORRUPT)
		return nc_catalog_drop_name(store->catalog, full, err);
	return code < 0 ? code : nc_catalog_put_name(store->catalog, full, &target, err);
}

static int learn_step(struct nacre_store *store, const struct nc_step *step, struct nacre_error *err)
{
	switch (step->kind) {
	case NC_STEP_NODE:
	case NC_STEP_DOCUMENT:
	case NC_STEP_WHOLE:
	case NC_STEP_FIRST:
		return learn_node(store, step->id, err);
	case NC_STEP_NAME:
	case NC_STEP_UNNAME:
		return learn_name(store, step->name, err);
	case NC_STEP_BLOB:
		break;
	}
	return 0;
}

static int learn(struct nacre_store *store, const struct nc_plan *plan, bool wait, struct nacre_error *err)
{
	int code = nc_catalog_begin(store->catalog, wait, err);
	if (code != 0)
		return code < 0 ? code : 0;
	for (size_t i = 0; code == 0 && i < plan->count; i++)
		code = learn_step(store, &plan->steps[i], err);
	if (code == 0)
		code = nc_catalog_commit(store->catalog, err);
	if (code < 0)
		nc_catalog_abort(store->catalog, code == NACRE_E_CORRUPT);
	return code == NACRE_E_CORRUPT ? 0 : code;	/* whoever needs it next builds it from the files */
}

int nc_catalog_learn(struct nacre_store *store, const struct nc_plan *plan, struct nacre_error *err)
{
	return learn(store, plan, !store->impatient, err);
}

int nc_catalog_learn_now(struct nacre_store *store, const struct nc_plan *plan, struct nacre_error *err)
{
	return learn(store, plan, false, err);
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

struct fill {
	struct nacre_store *store;
	struct nc_catalog *catalog;
};

static int fill_node(void *ctx, const char *id, unsigned char type, struct nacre_error *err)
{
	struct fill *fill = ctx;
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	if (!nc_id_valid(id))
		return 0;
	int code = read_node(fill->store, id, &facts, err);
	if (code == NACRE_E_NOTFOUND)
		return 0;
	return code < 0 ? code : nc_catalog_put_node(fill->catalog, &facts, err);
}

static int fill_name(void *ctx, const char *full, const struct nc_name_target *target, struct nacre_error *err)
{
	struct fill *fill = ctx;
	return nc_catalog_put_name(fill->catalog, full, target, err);
}

int nc_catalog_fill(struct nacre_store *store, struct nc_catalog *catalog, struct nacre_error *err)
{
	struct fill fill = { .store = store, .catalog = catalog };
	int code = store->graph < 0 ? 0 : nc_dir_each(store->graph, fill_node, &fill, err);
	if (code == 0)
		code = nc_catalog_put_members(catalog, err);
	if (code == 0 && (store->names >= 0 || store->old_names))
		code = nc_names_each(store, fill_name, &fill, err);
	return code;
}
