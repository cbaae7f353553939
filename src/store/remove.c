/* Removal. Its commit is one rename: the node leaves graph/ for a stage. Names that point at it mean nothing from
 * then on; they, the layers that nobody needs any more, trees and blobs follow, by us or by an heir of the stage,
 * which carries a plan of all that is concerned and a file "removal". */
#include "store/inner.h"
#include "store/writable.h"

#include "io/forget.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REMOVAL "removal"

void nc_stage_leave(struct nc_stage *stage)
{
	nc_fd_release(&stage->dir);
	nc_fd_release(&stage->owner);
	free(stage);
}

/* --- what is in the way ----------------------------------------------------------------------------------------- */

/* A child of id that is also one of its ancestors, or itself: descriptions that go in a circle. "" where there is none.
 * It needs nobody, or the circle could never be taken apart. */
static void find_circle(struct nacre_store *store, const char *id, char *ret_child)
{
	char at[NC_HEX_ID];
	memcpy(at, id, NC_HEX_ID);
	ret_child[0] = '\0';
	for (int depth = 0; depth < NC_DEPTH_MAX; depth++) {
		NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
		if (nc_node_look_brief(store, at, &facts, NULL) < 0 || !*facts.parent)
			return;
		if (strcmp(facts.parent, id) == 0) {
			memcpy(ret_child, at, NC_HEX_ID);
			return;
		}
		memcpy(at, facts.parent, NC_HEX_ID);
	}
}

static int find_child(struct nacre_store *store, const char *id, struct nc_rows *ret, struct nacre_error *err)
{
	char circle[NC_HEX_ID];
	int code = nc_catalog_ask(store->catalog, NC_ASK_OTHER_CHILD, id, "", ret, err);
	if (code < 0 || !ret->count)
		return code;
	find_circle(store, id, circle);
	return *circle ? nc_catalog_ask(store->catalog, NC_ASK_OTHER_CHILD, id, circle, ret, err) : 0;
}

/* Whether more names than one, or something on top of it, need the image; or it is not even there. */
static int is_needed_beyond(struct nacre_store *store, const char *id, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows names = { 0 };
	NC_AUTO_ROWS struct nc_rows children = { 0 };
	int code = nc_catalog_ask(store->catalog, NC_ASK_NAMES, id, NULL, &names, err);
	if (code == 0)
		code = nc_catalog_ask(store->catalog, NC_ASK_OTHER_CHILD, id, "", &children, err);
	return code < 0 ? code : names.count > 1 || children.count || !nc_node_exists(store, id);
}

int nc_node_removable(struct nacre_store *store, const char *id, bool names, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows children = { 0 };
	NC_AUTO_ROWS struct nc_rows called = { 0 };
	NC_AUTO_FREE char *path = NULL;
	char session[NACRE_SESSION_MAX];
	struct nc_writable writable;
	int code = find_child(store, id, &children, err);
	if (code == 0 && children.count)
		return nc_fail(err, NACRE_E_INUSE, 0, "%.12s is the parent of %.12s", id,
			       nc_rows_text(&children, 0, 0));
	if (code == 0 && names)
		code = nc_catalog_ask(store->catalog, NC_ASK_NAMES, id, NULL, &called, err);
	if (code == 0 && called.count)
		return nc_fail(err, NACRE_E_INUSE, 0, "%.12s is named '%s'", id, nc_rows_text(&called, 0, 0));
	if (code == 0)
		code = nc_held_by(store, id, session, err);
	if (code > 0)
		return nc_fail(err, NACRE_E_INUSE, 0, "%.12s is held by session '%s'", id, session);
	if (code == 0)
		code = nc_writable_on(store, id, &writable, err);
	if (code > 0)
		return nc_fail(err, NACRE_E_INUSE, 0, "%.12s lies below writable layer '%s'", id, writable.name);
	if (code == 0)
		code = nc_mounted(store, id, &path, err);
	return code > 0 ? nc_fail(err, NACRE_E_INUSE, 0, "%.12s is mounted at '%s'", id, path) : code;
}

int nc_node_unneeded(struct nacre_store *store, const char *id, const char *child, struct nacre_error *err)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	NC_AUTO_ROWS struct nc_rows children = { 0 };
	NC_AUTO_ROWS struct nc_rows names = { 0 };
	NC_AUTO_ROWS struct nc_rows adrift = { 0 };
	int code = nc_node_look_brief(store, id, &facts, err);
	if (code < 0 || facts.kind & NC_NODE_IMAGE)
		return code == NACRE_E_NOTFOUND || code == NACRE_E_CORRUPT ? 0 : code;
	/* a node that does not tell its parent any more may need it */
	code = facts.kind & NC_NODE_V1 ? nc_catalog_ask(store->catalog, NC_ASK_ADRIFT, NULL, NULL, &adrift, err) : 0;
	if (code < 0 || adrift.count)
		return code;
	code = nc_catalog_ask(store->catalog, NC_ASK_OTHER_CHILD, id, child, &children, err);
	if (code == 0)
		code = nc_catalog_ask(store->catalog, NC_ASK_NAMES, id, NULL, &names, err);
	if (code < 0 || children.count || names.count)
		return code;
	char session[NACRE_SESSION_MAX];
	struct nc_writable writable;
	code = nc_held_by(store, id, session, err);
	if (code == 0)
		code = nc_writable_on(store, id, &writable, err);
	if (code != 0)
		return code < 0 ? code : 0;
	code = nc_mounted(store, id, NULL, err);
	return code < 0 ? code : code == 0;
}

/* --- the work --------------------------------------------------------------------------------------------------- */

/* The names that a node may have that is to go: with it they go too. */
enum names {
	NAMES_NONE,
	NAMES_ONLY,			/* removal.only, and it has that; else the names are looked at again */
	NAMES_ONE,
	NAMES_ALL,
};

/* What was looked at is not so any more: look again. */
#define CHANGED 1
/* Names that change as often as this while one is removed are never at rest. */
#define LOOKS 100

struct step {
	void (*fn)(void *ctx, const char *action, const char *object);
	void *ctx;
};

/* One removal under way. */
struct removal {
	struct nacre_store *store;
	int locks;
	enum names names;
	char only[NC_REFERENCE_TEXT];	/* the name by which somebody asked; "": none */
	char left[NC_HEX_ID];		/* the ancestor that another was at; "": none */
	struct nc_stage *stage;
	int nodes;			/* directory in the stage */
	struct nc_plan plan;		/* nodes, children first; then names */
	struct nc_plan gone;		/* what was done */
	struct nc_forgetting forgetting;
	struct step step;		/* who is told; fn NULL: nobody */
};

static void removal_release(struct removal *removal)
{
	nc_plan_release(&removal->plan);
	nc_plan_release(&removal->gone);
	nc_fd_release(&removal->nodes);
	nc_stage_free(removal->stage);
	removal->stage = NULL;
	nc_forgetting_release(&removal->forgetting);
	nc_fd_release(&removal->locks);
}
#define AUTO_REMOVAL __attribute__((cleanup(removal_release)))

static int removal_begin(struct removal *removal, struct nacre_store *store, struct nacre_error *err)
{
	*removal = (struct removal){ .store = store, .locks = -1, .nodes = -1 };
	nc_forgetting_init(&removal->forgetting);
	int code = nc_store_writable(store, err);
	if (code == 0)
		code = nc_recover_stages(store, err);
	return code < 0 ? code : nc_locks_open(store, &removal->locks, err);
}

/* The stage with its plan, durable: whatever is moved into it from now on is accounted for. */
static int removal_plan(struct removal *removal, struct nacre_error *err)
{
	struct nacre_store *store = removal->store;
	int code = nc_stage_new(store->stages, &removal->stage, err);
	if (code < 0)
		return code;
	int dir = removal->stage->dir;
	code = nc_file_create(dir, REMOVAL, "", 0, err);
	if (code == 0)
		code = nc_plan_write(&removal->plan, dir, err);
	if (code == 0)
		code = nc_dir_ensure(dir, "graph", &removal->nodes, err);
	NC_AUTO_FD int plan = code == 0 ? openat(dir, NC_PLAN_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (code == 0 && plan < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "open the plan");
	if (code == 0)
		code = nc_store_sync(store, plan, "the plan", err);
	if (code == 0)
		code = nc_store_sync(store, dir, "the stage", err);
	return code < 0 ? code : nc_store_sync(store, store->stages, "the stages", err);
}

static int take_out(struct removal *removal, const char *id, struct nacre_error *err)
{
	int code = nc_plan_add_node(&removal->gone, id, err);
	if (code < 0 || renameat(removal->store->graph, id, removal->nodes, id) == 0)
		return code;
	removal->gone.count--;
	return nc_fail(err, NACRE_E_IO, errno, "take node %.12s out of the graph", id);
}

/* Whether the name by which somebody asked, if any, still means the node: 0, CHANGED, NACRE_E_NOTFOUND. */
static int check_name(const struct removal *removal, const char *id, struct nacre_error *err)
{
	struct nc_name_target target;
	int code = *removal->only ? nc_name_read(removal->store, removal->only, &target, err) : 0;
	return code < 0 || !*removal->only || strcmp(target.id, id) == 0 ? code : CHANGED;
}

/* Names that still mean the node, or mean nothing any more. The names lock is held. */
static int take_names(struct removal *removal, struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; code == 0 && i < removal->plan.count; i++) {
		const struct nc_step *step = &removal->plan.steps[i];
		struct nc_name_target target;
		if (step->kind != NC_STEP_UNNAME)
			continue;
		code = nc_name_read(removal->store, step->name, &target, err);
		bool mine = code == 0 && strcmp(step->id, target.id) == 0;
		if (code == 0 && !mine) {
			code = nc_node_there(removal->store, target.id, err);
			mine = code == 0;
		}
		if (mine)
			code = nc_plan_add_unname(&removal->gone, step->name, err);
		if (code >= 0 && mine)
			code = nc_name_unlink(removal->store, step->name, err);
		if (code == NACRE_E_NOTFOUND || code > 0)
			code = 0;
	}
	return code;
}

/* The nodes of the plan behind the first, each as long as nobody else needs it. */
static int take_unneeded(struct removal *removal, size_t from, struct nacre_error *err)
{
	const char *child = from ? removal->plan.steps[from - 1].id : "";
	for (size_t i = from; i < removal->plan.count && removal->plan.steps[i].kind == NC_STEP_NODE; i++) {
		const char *id = removal->plan.steps[i].id;
		int unneeded = nc_node_unneeded(removal->store, id, child, err);
		if (unneeded <= 0)
			return unneeded;
		int code = take_out(removal, id, err);
		if (code < 0)
			return code;
		child = id;
	}
	return 0;
}

/* What the trees have in memory goes from now on; not in a store that does not sync, where it may never have been written and need
 * not be. */
static void forget_trees(struct removal *removal)
{
	struct nc_driver *driver = removal->store->driver;
	for (size_t i = 0; driver->ops->forget && removal->store->durable && i < removal->gone.count; i++)
		if (removal->gone.steps[i].kind == NC_STEP_NODE)
			driver->ops->forget(driver, removal->gone.steps[i].id, &removal->forgetting);
}

/* Nodes and names are out of the graph, durably; their trees are on the way out of memory. */
static int leave_graph(struct removal *removal, struct nacre_error *err)
{
	if (!removal->gone.count)
		return 0;
	forget_trees(removal);
	return nc_store_sync(removal->store, removal->store->graph, "the graph", err);
}

static int drop_blobs(struct removal *removal, const char *id, struct nacre_error *err)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	int code = nc_node_read(removal->nodes, id, &facts, err);
	if (code < 0)
		return nc_is_unread(code) ? code : 0;
	return nc_blobs_prune(removal->store, removal->locks, facts.blobs, facts.blob_count, err);
}

static int drop_trees(struct removal *removal, struct nacre_error *err)
{
	struct nc_driver *driver = removal->store->driver;
	int code = 0;
	for (size_t i = 0; code == 0 && i < removal->gone.count; i++)
		if (removal->gone.steps[i].kind == NC_STEP_NODE)
			code = driver->ops->remove(driver, removal->gone.steps[i].id, removal->stage->dir, err);
	return code;
}

/* The catalog learns that nodes and names are gone, and names may change again; then their trees and blobs go. On a full
 * disk the catalog may have to wait for the room that the trees leave. */
static int clear_away(struct removal *removal, struct nacre_error *err)
{
	int learned = nc_catalog_learn(removal->store, &removal->gone, err);
	if (learned < 0 && learned != NACRE_E_NOSPACE)
		return learned;
	if (learned == 0)
		nc_unlock_whole(removal->locks, NC_LOCK_NAMES);
	int code = drop_trees(removal, err);
	if (learned < 0)
		nc_forgetting_wait(&removal->forgetting);
	if (code == 0 && learned < 0)
		code = nc_catalog_learn(removal->store, &removal->gone, err);
	for (size_t i = 0; code == 0 && i < removal->gone.count; i++)
		if (removal->gone.steps[i].kind == NC_STEP_NODE)
			code = drop_blobs(removal, removal->gone.steps[i].id, err);
	return code;
}

static void tell(const struct removal *removal)
{
	for (int names = 1; removal->step.fn && names >= 0; names--)
		for (size_t i = 0; i < removal->gone.count; i++) {
			const struct nc_step *step = &removal->gone.steps[i];
			if ((step->kind == NC_STEP_UNNAME) == (names == 1))
				removal->step.fn(removal->step.ctx, names ? "untagged" : "deleted",
						 names ? step->name : step->id);
		}
}

/* Whether what was looked at before is still so, now that no name changes: 0, CHANGED, or why nothing is to be done. */
static int is_as_it_was(const struct removal *removal, struct nacre_error *err)
{
	const struct nc_step *first = &removal->plan.steps[0];
	int code = check_name(removal, first->id, err);
	if (code == 0 && first->kind == NC_STEP_UNNAME && removal->names == NAMES_ONLY) {
		int more = is_needed_beyond(removal->store, first->id, err);
		code = more < 0 ? more : more ? 0 : CHANGED;
	}
	return code;
}

/* From the first rename on. A node that is first in the plan goes whatever needs it: the caller has looked. CHANGED: nothing was
 * done. */
static int carry_out(struct removal *removal, struct nacre_error *err)
{
	struct nacre_store *store = removal->store;
	const struct nc_step *first = &removal->plan.steps[0];
	size_t nodes = first->kind == NC_STEP_NODE ? 1 : 0;
	int code = nc_catalog_hold(store, removal->locks, err);
	if (code < 0)
		return code;
	code = nc_lock_whole(removal->locks, NC_LOCK_NAMES, NC_LOCK_EXCLUSIVE, true, err);
	if (code == 0)
		code = is_as_it_was(removal, err);
	if (code == 0 && nodes)
		code = take_out(removal, first->id, err);
	if (code == 0 && nodes)
		code = nc_store_sync(store, store->graph, "the graph", err);
	if (code == 0)
		code = take_names(removal, err);
	if (code == 0)
		code = take_unneeded(removal, nodes, err);
	if (code == 0)
		code = leave_graph(removal, err);
	if (code == 0)
		code = clear_away(removal, err);
	if (code == 0)
		code = nc_catalog_sync(store->catalog, err);
	if (code == 0)
		nc_plan_forget(removal->stage->dir);
	nc_unlock_whole(removal->locks, NC_LOCK_NAMES);
	nc_catalog_let_go(removal->locks);
	if (code < 0 && removal->gone.count) {
		/* the next who opens the store goes on */
		atomic_store(&store->broken, true);
		nc_stage_leave(removal->stage);
		removal->stage = NULL;
	}
	return code;
}

int nc_remove_unneeded(struct nacre_store *store, int locks, struct nc_stage *stage, const struct nc_plan *plan,
		       struct nacre_error *err)
{
	int there = nc_node_there(store, plan->steps[0].id, err);
	if (there != 0)	/* it died before its commit */
		return there < 0 ? there : 0;
	struct removal removal = { .store = store, .locks = locks, .nodes = -1, .stage = stage, .plan = *plan };
	int code = nc_dir_ensure(stage->dir, "graph", &removal.nodes, err);
	if (code == 0)
		code = nc_catalog_hold(store, locks, err);
	if (code < 0)
		return code;
	nc_forgetting_init(&removal.forgetting);
	size_t from = 1;
	while (from < plan->count && plan->steps[from].kind == NC_STEP_NODE &&
	       (there = nc_node_there(store, plan->steps[from].id, err)) == 0)
		from++;
	code = there < 0 ? there : take_unneeded(&removal, from, err);
	if (code == 0)
		code = leave_graph(&removal, err);
	if (code == 0)
		code = clear_away(&removal, err);
	nc_catalog_let_go(locks);
	nc_forgetting_release(&removal.forgetting);
	nc_plan_release(&removal.gone);
	nc_fd_release(&removal.nodes);
	return code;
}

/* --- nodes ------------------------------------------------------------------------------------------------------ */

/* The ancestors that may go too, locked, nearest first; one that somebody is at ends the list, and is left. */
static int plan_ancestors(struct removal *removal, const char *id, struct nacre_error *err)
{
	char at[NC_HEX_ID];
	memcpy(at, id, NC_HEX_ID);
	for (int depth = 0; depth < NC_DEPTH_MAX; depth++) {
		struct nc_node_facts facts = { 0 };
		int code = nc_node_look_brief(removal->store, at, &facts, err);
		if (code < 0 || !*facts.parent)
			return code == NACRE_E_NOTFOUND || code == NACRE_E_CORRUPT ? 0 : code;
		memcpy(at, facts.parent, NC_HEX_ID);
		code = nc_lock_id(removal->locks, at, NC_LOCK_EXCLUSIVE, false, err);
		if (code == 0)
			code = nc_plan_add_node(&removal->plan, at, err);
		if (code == NACRE_E_BUSY)
			memcpy(removal->left, at, NC_HEX_ID);
		if (code < 0)
			return code == NACRE_E_BUSY ? 0 : code;
	}
	return 0;
}

static int plan_names(struct removal *removal, const char *id, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	int code = nc_catalog_ask(removal->store->catalog, NC_ASK_NAMES, id, NULL, &rows, err);
	for (size_t i = 0; code == 0 && i < rows.count; i++) {
		code = nc_plan_add_unname(&removal->plan, nc_rows_text(&rows, i, 0), err);
		if (code == 0)
			memcpy(removal->plan.steps[removal->plan.count - 1].id, id, NC_HEX_ID);
	}
	return code;
}

/* The lock of the node first; then everything that dead processes left is settled, so that the catalog tells all
 * children and names there are. */
static int claim(struct removal *removal, const char *id, struct nacre_error *err)
{
	int code = nc_lock_id(removal->locks, id, NC_LOCK_EXCLUSIVE, false, err);
	if (code == 0 && !nc_node_exists(removal->store, id))
		code = nc_fail(err, NACRE_E_NOTFOUND, 0, "no node has the ID %s", id);
	if (code == 0)
		code = nc_plan_add_node(&removal->plan, id, err);
	return code;
}

/* With the node locked there will be no more names than these. */
static int check_names(const struct removal *removal, const char *id, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows names = { 0 };
	int code = removal->names != NAMES_ONE ? 0 : nc_catalog_ask(removal->store->catalog, NC_ASK_NAMES, id, NULL, &names, err);
	if (code < 0 || names.count < 2)
		return code;
	return nc_fail(err, NACRE_E_INUSE, 0, "image %.12s has %zu names, '%s' and '%s' among them: remove them, or force", id,
		       names.count, nc_rows_text(&names, 0, 0), nc_rows_text(&names, 1, 0));
}

static int check_node(const struct removal *removal, const char *id, struct nacre_error *err)
{
	int code = check_name(removal, id, err);
	if (code == 0 && removal->names == NAMES_ONLY && (code = is_needed_beyond(removal->store, id, err)) > 0)
		return CHANGED;
	if (code == 0)
		code = check_names(removal, id, err);
	return code != 0 ? code : nc_node_removable(removal->store, id, removal->names == NAMES_NONE, err);
}

static int remove_node(struct removal *removal, const char *id, bool parents, struct nacre_error *err)
{
	int code = claim(removal, id, err);
	if (code == 0 && parents)
		code = plan_ancestors(removal, id, err);
	if (code == 0)
		code = nc_recover(removal->store, err);
	if (code == 0)
		code = check_node(removal, id, err);
	if (code == 0)
		code = plan_names(removal, id, err);
	if (code == 0)
		code = removal_plan(removal, err);
	if (code == 0)
		code = carry_out(removal, err);
	if (code == 0)
		tell(removal);
	return code;
}

static int remove_name(struct removal *removal, const char *id, struct nacre_error *err)
{
	int code = nc_plan_add_unname(&removal->plan, removal->only, err);
	if (code < 0)
		return code;
	memcpy(removal->plan.steps[0].id, id, NC_HEX_ID);
	code = removal_plan(removal, err);
	if (code == 0)
		code = carry_out(removal, err);
	if (code == 0)
		tell(removal);
	return code;
}

int nc_remove_idle(struct nacre_store *store, const char *id, bool named, struct nc_plan *ret_gone,
		   struct nacre_error *err)
{
	AUTO_REMOVAL struct removal removal;
	int code = removal_begin(&removal, store, err);
	removal.names = named ? NAMES_ALL : NAMES_NONE;
	if (code == 0)
		code = remove_node(&removal, id, true, err);
	if (code < 0)
		return code;
	*ret_gone = removal.gone;
	removal.gone = (struct nc_plan){ 0 };
	return 0;
}

/* --- public ----------------------------------------------------------------------------------------------------- */

/* Looks, and does what follows from it, until nobody has changed that meanwhile. left: as in struct removal. */
static int until_at_rest(struct nacre_store *store, const char *what, unsigned flags, struct step step,
			 int (*once)(struct removal *removal, const char *what, unsigned flags, struct nacre_error *err), char *left,
			 struct nacre_error *err)
{
	int code = CHANGED;
	for (int look = 0; code == CHANGED && look < LOOKS; look++) {
		AUTO_REMOVAL struct removal removal;
		code = removal_begin(&removal, store, err);
		removal.step = step;
		if (code == 0)
			code = once(&removal, what, flags, err);
		memcpy(left, removal.left, NC_HEX_ID);
	}
	return code == CHANGED ? nc_fail(err, NACRE_E_BUSY, 0, "'%s' is changed by others all the time", what) : code;
}

static int untag(struct removal *removal, const char *name, unsigned flags, struct nacre_error *err)
{
	struct nc_name_target target;
	int code = nc_name_normal(name, removal->only, err);
	if (code == 0)
		code = nc_name_read(removal->store, removal->only, &target, err);
	return code < 0 ? code : remove_name(removal, target.id, err);
}

int nacre_untag(struct nacre_store *store, const char *name, struct nacre_error *err)
{
	char none[NC_HEX_ID];
	return until_at_rest(store, name, 0, (struct step){ 0 }, untag, none, err);
}

int nacre_delete(struct nacre_store *store, const char *id, struct nacre_error *err)
{
	AUTO_REMOVAL struct removal removal;
	char full[NC_HEX_ID];
	int code = removal_begin(&removal, store, err);
	if (code == 0)
		code = nc_store_resolve_id(store, id, full, err);
	/* the reason, even while somebody is at it */
	if (code == 0)
		code = nc_node_removable(store, full, true, err);
	return code < 0 ? code : remove_node(&removal, full, false, err);
}

/* --- what two removals leave to each other ---------------------------------------------------------------------- */

/* Waits for those who remove it, not for those who build on it: NACRE_E_BUSY. */
static int lock_after_removals(int locks, const char *id, struct nacre_error *err)
{
	int code = nc_lock_id(locks, id, NC_LOCK_EXCLUSIVE, false, err);
	while (code == NACRE_E_BUSY && nc_id_taken(locks, id)) {
		code = nc_lock_id(locks, id, NC_LOCK_SHARED, true, err);
		nc_unlock_id(locks, id);
		if (code == 0)
			code = nc_lock_id(locks, id, NC_LOCK_EXCLUSIVE, false, err);
	}
	return code;
}

/* The layers from id on, as long as nobody needs them; id becomes the one that another was at. */
static int remove_layers(struct nacre_store *store, char *id, struct step step, struct nacre_error *err)
{
	AUTO_REMOVAL struct removal removal;
	int code = removal_begin(&removal, store, err);
	removal.step = step;
	if (code == 0)
		code = lock_after_removals(removal.locks, id, err);
	if (code == 0)
		code = nc_node_unneeded(store, id, "", err);
	if (code > 0)
		code = remove_node(&removal, id, true, err);
	memcpy(id, removal.left, NC_HEX_ID);
	/* somebody builds on it, or was faster */
	return code == NACRE_E_BUSY || code == NACRE_E_INUSE || code == NACRE_E_NOTFOUND ? 0 : code;
}

/* Whether what is a name that there is; ret_full is it in full. */
static bool is_name(struct nacre_store *store, const char *what, char *ret_full, struct nc_name_target *ret)
{
	return nc_name_normal(what, ret_full, NULL) == 0 && nc_name_read(store, ret_full, ret, NULL) == 0;
}

static int remove_by_name(struct removal *removal, const char *id, bool parents, struct nacre_error *err)
{
	removal->names = NAMES_ONLY;
	int more = is_needed_beyond(removal->store, id, err);
	if (more < 0)
		return more;
	return more ? remove_name(removal, id, err) : remove_node(removal, id, parents, err);
}

static int remove_by_id(struct removal *removal, const char *what, bool parents, struct nacre_error *err)
{
	char id[NC_HEX_ID];
	int code = nc_store_resolve(removal->store, what, id, NULL, err);
	/* the reason, even while somebody is at it */
	if (code == 0)
		code = check_names(removal, id, err);
	return code < 0 ? code : remove_node(removal, id, parents, err);
}

/* One look, and what follows from it. */
static int remove_what(struct removal *removal, const char *what, unsigned flags, struct nacre_error *err)
{
	struct nc_name_target target;
	char full[NC_REFERENCE_TEXT];
	bool parents = !(flags & NACRE_REMOVE_KEEP_PARENTS);
	removal->names = flags & NACRE_REMOVE_FORCE ? NAMES_ALL : NAMES_ONE;
	if (!is_name(removal->store, what, full, &target))
		return remove_by_id(removal, what, parents, err);
	strcpy(removal->only, full);
	return remove_by_name(removal, target.id, parents, err);
}

int nacre_remove(struct nacre_store *store, const char *what, unsigned flags,
		 void (*step)(void *ctx, const char *action, const char *object), void *ctx, struct nacre_error *err)
{
	char left[NC_HEX_ID];
	const struct step told = { step, ctx };
	int code = until_at_rest(store, what, flags, told, remove_what, left, err);
	/* Where two images that share layers are removed at once, each finds the other at them. Who was turned away looks
	 * again when the other is done; no lock is held by then. */
	while (code == 0 && *left)
		code = remove_layers(store, left, told, err);
	return code;
}
