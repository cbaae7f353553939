/* Moving a store to another driver. While it goes on nobody else has the store open.
 *
 *	nacre.migrate/plan		"FROM TO": written when the new driver's place was seen to hold no trees
 *	for each layer, parents first:
 *		its tar out of the old tree -> a new tree in a stage -> sealed; syncfs
 *		(from a driver that keeps tars to one that does not: and a record into the node)
 *		its tar out of the new tree: the same?
 *		nacre.migrate/<id>	the digest of the tar: this one is moved
 *	nacre.json names the new driver: the commit
 *	the old trees of all that is in nacre.migrate/ go, then nacre.migrate/
 *
 * Whoever dies before the commit leaves a store that is what it was, with new trees that only nacre.migrate/ knows of;
 * after it, one with old trees of which the same is true. So every layer has a good tree of the driver in nacre.json at
 * any time. The next run goes on, and does not take the word of nacre.migrate/ for nodes that came since: the digest
 * must be that of the node's tar. */
#include "store/migrate.h"

#include "base/cancel.h"
#include "io/path.h"
#include "store/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define STATE "nacre.migrate"
#define PLAN "plan"
#define NAME_MAX_LEN 31
#define MEMORY "memory"

struct work {
	struct nacre_store *store;
	const struct nacre_migrate_options *options;
	struct nacre_migration *told;
	const struct nc_driver_ops *to;
	struct nc_driver *driver;	/* the new one */
	int state;			/* STATE/; -1: there is none */
	char from_name[NAME_MAX_LEN + 1], to_name[NAME_MAX_LEN + 1];	/* as the plan there says; "" none */
	struct nc_moves moves;
};

static const char *driver_of(const struct work *work)
{
	return work->store->driver->ops->name;
}

static int sync_root(struct work *work, struct nacre_error *err)
{
	return nc_store_sync(work->store, work->store->root, "the store's directory", err);
}

/* --- what an earlier run left ----------------------------------------------------------------------------------- */

static int read_plan(struct work *work, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	int code = nc_dir_open(work->store->root, STATE, &work->state, err);
	if (code == 0)
		code = nc_file_read(work->state, PLAN, 2 * NAME_MAX_LEN + 2, &text, NULL, err);
	if (code == NACRE_E_NOTFOUND) {
		/* it was never begun, or is done but for this directory */
		nc_fd_release(&work->state);
		return work->options->dry_run ? 0 : nc_tree_remove(work->store->root, STATE, err);
	}
	if (code == 0 && sscanf(text, "%31s %31s", work->from_name, work->to_name) != 2)
		code = nc_fail(err, NACRE_E_CORRUPT, 0, "'" STATE "/" PLAN "' is damaged");
	return code;
}

static int write_plan(struct work *work, struct nacre_error *err)
{
	char text[2 * NAME_MAX_LEN + 3];
	snprintf(work->from_name, sizeof work->from_name, "%s", driver_of(work));
	snprintf(work->to_name, sizeof work->to_name, "%s", work->to->name);
	int len = snprintf(text, sizeof text, "%s %s\n", work->from_name, work->to_name);
	int code = nc_tree_remove(work->store->root, STATE, err);
	if (code == 0)
		code = nc_dir_ensure(work->store->root, STATE, &work->state, err);
	if (code == 0)
		code = nc_file_replace(work->state, PLAN, text, (size_t)len, work->store->durable, err);
	return code < 0 ? code : sync_root(work, err);
}

static int drop_plan(struct work *work, struct nacre_error *err)
{
	nc_fd_release(&work->state);
	*work->from_name = *work->to_name = '\0';
	int code = nc_tree_remove(work->store->root, STATE, err);
	return code < 0 ? code : sync_root(work, err);
}

static int open_driver(struct work *work, const char *name, struct nc_driver **ret, struct nacre_error *err)
{
	const struct nc_driver_ops *ops = nc_driver_find(name);
	if (!ops)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "no driver is called '%s'", name);
	int code = ops->open(work->store->root, work->store->path, false, ret, err);
	return code < 0 ? nc_wrap(err, code, "driver %s", name) : 0;
}

/* --- removing trees --------------------------------------------------------------------------------------------- */

struct sweep {
	struct work *work;
	struct nc_driver *driver;
	struct nc_stage *trash;
};

static int sweep_tree(void *ctx, const char *id, struct nacre_error *err)
{
	struct sweep *self = ctx;
	return nc_id_valid(id) ? self->driver->ops->remove(self->driver, id, self->trash->dir, err) : 0;
}

static int sweep_moved(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	return sweep_tree(ctx, name, err);
}

/* What is left of a driver's place when it is empty. */
static int remove_places(int root, const char *driver, struct nacre_error *err)
{
	static const char *const places[][2] = {
		{ "erofs", "erofs/empty" }, { "erofs", "erofs" },
		{ "overlay", "overlay/l" }, { "overlay", "overlay/empty" }, { "overlay", "overlay" },
		{ "vfs", "vfs/dir" }, { "vfs", "vfs" },
		{ "btrfs", "btrfs/subvolumes" }, { "btrfs", "btrfs" },
		{ "aufs", "aufs/diff" }, { "aufs", "aufs/layers" }, { "aufs", "aufs/mnt" }, { "aufs", "aufs" },
	};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strcmp(places[i][0], driver) == 0 && unlinkat(root, places[i][1], AT_REMOVEDIR) < 0 &&
		    errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST)
			return nc_fail(err, NACRE_E_IO, errno, "remove '%s'", places[i][1]);
	return 0;
}

/* Remove the trees that one of the plan's drivers has and the store does not use. Those of an adopted root that were
 * never the store's stay: containers, images that were deleted by half. */
static int sweep_driver(struct work *work, const char *name, bool all, struct nacre_error *err)
{
	NC_CLEANUP(nc_driver_auto) struct nc_driver *driver = NULL;
	NC_CLEANUP(nc_stage_auto) struct nc_stage *trash = NULL;
	struct nacre_error why = { 0 };
	int code = open_driver(work, name, &driver, &why);
	if (code == NACRE_E_NOTFOUND)
		return 0;
	if (code < 0 && err)
		*err = why;
	if (code == 0)
		code = nc_stage_new(work->store->stages, &trash, err);
	struct sweep sweep = { .work = work, .driver = driver, .trash = trash };
	if (code == 0)
		code = nc_dir_each(work->state, sweep_moved, &sweep, err);
	if (code == 0 && all)
		code = driver->ops->each(driver, sweep_tree, &sweep, err);
	if (code == 0)
		code = remove_places(work->store->root, name, err);
	return code < 0 ? nc_wrap(err, code, "remove the trees of driver %s", name) : 0;
}

/* A plan that is there and not ours is brought to an end: the side that the store does not use goes. */
static int end_plan(struct work *work, struct nacre_error *err)
{
	bool switched = strcmp(work->to_name, driver_of(work)) == 0;
	/* of the new side everything is ours: it held nothing when the plan was made */
	int code = switched ? sweep_driver(work, work->from_name, !work->store->adopted, err)
			    : sweep_driver(work, work->to_name, true, err);
	return code < 0 ? code : drop_plan(work, err);
}

/* --- what is in the way ----------------------------------------------------------------------------------------- */

static int find_mount(void *ctx, const char *id, const char *path)
{
	char *text = ctx;
	snprintf(text, 200, "%.12s is mounted at '%.150s'", id, path);
	return -1;
}

static int find_writable(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	return nc_id_valid(name) ? nc_fail(err, NACRE_E_INUSE, 0, "there is a writable layer, %.12s", name) : 0;
}

static int find_tree(void *ctx, const char *id, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_EXISTS, 0, "driver %s has the tree %.12s already, which this store did not make",
		       (const char *)ctx, id);
}

static int check_unused(struct work *work, struct nacre_error *err)
{
	char mount[200] = "";
	NC_AUTO_FD int writable = -1;
	int code = nacre_mounts_each(work->store, find_mount, mount, err);
	if (*mount)
		return nc_fail(err, NACRE_E_INUSE, 0, "%s", mount);
	if (code == 0)
		code = nc_dir_open(work->store->root, "writable", &writable, err);
	if (code == 0)
		code = nc_dir_each(writable, find_writable, NULL, err);
	return code == NACRE_E_NOTFOUND ? 0 : code;
}

/* Nothing of the new driver's may be there but what an earlier run made. */
static int check_place(struct work *work, struct nacre_error *err)
{
	NC_CLEANUP(nc_driver_auto) struct nc_driver *driver = NULL;
	int code = work->to->open(work->store->root, work->store->path, true, &driver, err);
	if (code == NACRE_E_NOTFOUND)
		return 0;
	return code < 0 ? code : driver->ops->each(driver, find_tree, (void *)work->to->name, err);
}

/* The new driver, ready: with what an earlier run moved, or with nothing. Nothing is made in its place before the plan
 * is there. */
static int prepare_new(struct work *work, struct nacre_error *err)
{
	NC_CLEANUP(nc_stage_auto) struct nc_stage *trial = NULL;
	int code = nc_stage_new(work->store->stages, &trial, err);
	if (code == 0)
		code = work->to->probe(trial->dir, err);
	if (code == 0 && !*work->to_name)
		code = check_place(work, err);
	if (code == 0 && !*work->to_name)
		code = write_plan(work, err);
	if (code == 0)
		code = work->to->open(work->store->root, work->store->path, false, &work->driver, err);
	return code < 0 ? nc_wrap(err, code, "driver %s", work->to->name) : 0;
}

/* --- one layer -------------------------------------------------------------------------------------------------- */

/* The tar of a layer in store: given out block by block to fn's reader, and hashed. */
struct source {
	struct nc_reader *reader;
	struct nc_hash *hash;
};

static void source_release(struct source *source)
{
	nc_reader_close(source->reader);
	nc_hash_free(source->hash);
}
#define AUTO_SOURCE __attribute__((cleanup(source_release)))

static int source_open(struct work *work, struct nacre_store *store, const struct nc_move *move, const char *what,
		       struct source *ret, struct nacre_error *err)
{
	struct nc_reader *reader = NULL;
	uint64_t size;
	int code = nc_store_layer_tar(store, move->id, &reader, &size, err);
	if (code == 0)
		code = nc_reader_progress(reader, &work->options->progress, move->id, what,
					  size == UINT64_MAX ? 0 : size, &reader, err);
	if (code < 0)
		return code;
	code = nc_hash_new(NC_SHA256, &ret->hash, err);
	if (code < 0) {
		nc_reader_close(reader);
		return code;
	}
	return nc_reader_hashing(reader, ret->hash, NULL, &ret->reader, err);
}

static int source_digest(struct work *work, struct nacre_store *store, const struct nc_move *move, const char *what,
			 struct nc_digest *ret, struct nacre_error *err)
{
	AUTO_SOURCE struct source source = { 0 };
	int code = source_open(work, store, move, what, &source, err);
	if (code == 0)
		code = nc_reader_drain(source.reader, err);
	if (code == 0)
		nc_hash_finish(source.hash, ret);
	return code;
}

/* A record of the layer, in the stage, when the new driver needs one and the node has none. */
static int begin_record(struct work *work, const struct nc_move *move, int stage, struct nc_record **ret,
			struct nacre_error *err)
{
	NC_AUTO_FD int node = -1;
	if (work->to->tar || !work->store->driver->ops->tar)
		return 0;
	int code = nc_node_open(work->store, move->id, &node, err);
	if (code < 0 || faccessat(node, NC_RECORD, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return code;
	return nc_record_new(work->store, stage, ret, err);
}

/* It becomes a file of the node, whose driver does not ask for it before the move is done. */
static int keep_record(struct work *work, const struct nc_move *move, int stage, struct nc_record *record,
		       struct nacre_error *err)
{
	NC_AUTO_FD int node = -1;
	int code = nc_record_settle(record, err);
	NC_AUTO_FD int file = code < 0 ? -1 : openat(stage, NC_RECORD, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (code >= 0)
		code = file < 0 ? nc_fail(err, NACRE_E_IO, errno, "open the record") : 0;
	if (code == 0)
		code = nc_store_sync(work->store, file, "the record", err);
	if (code == 0)
		code = nc_node_open(work->store, move->id, &node, err);
	if (code == 0 && renameat(stage, NC_RECORD, node, NC_RECORD) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "name the record");
	return code < 0 ? code : nc_store_sync(work->store, node, "a node", err);
}

/* A new tree out of the old one's tar. */
static int build(struct work *work, const struct nc_move *move, struct nc_digest *ret, struct nacre_error *err)
{
	AUTO_SOURCE struct source source = { 0 };
	NC_CLEANUP(nc_stage_auto) struct nc_stage *stage = NULL;
	NC_CLEANUP(nc_tree_auto) struct nc_tree *tree = NULL;
	NC_CLEANUP(nc_record_auto) struct nc_record *record = NULL;
	struct nc_tree_hooks hooks = { .displaced = { .fn = NULL } };
	NC_AUTO_FD int dir = -1;
	uint64_t size;
	int code = nc_stage_new(work->store->stages, &stage, err);
	if (code == 0)
		code = nc_dir_ensure(stage->dir, "tree", &dir, err);
	if (code == 0)
		code = source_open(work, work->store, move, "moving layer", &source, err);
	if (code == 0)
		code = begin_record(work, move, stage->dir, &record, err);
	if (code == 0 && record)
		hooks.displaced = nc_record_hook(record);
	if (code == 0)
		code = work->to->begin(work->driver, move->id, move->below ? move->below->id : NULL, dir, &hooks, &tree,
				       err);
	if (code == 0)
		code = nc_fill_tree(source.reader, tree, record, NULL, err);
	if (code == 0)
		code = nc_tree_seal(&tree, &size, err);
	if (code == 0 && record)
		code = keep_record(work, move, stage->dir, record, err);
	if (code == 0)
		nc_hash_finish(source.hash, ret);
	return code;
}

static int mark_moved(struct work *work, const struct nc_move *move, const struct nc_digest *digest,
		      struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	nc_digest_text(digest, text);
	return nc_file_replace(work->state, move->id, text, strlen(text), false, err);
}

static int compare(struct work *work, const struct nc_move *move, const struct nc_digest *want,
		   struct nacre_error *err)
{
	struct nacre_store shadow;
	struct nc_digest got;
	char want_text[NC_DIGEST_TEXT], got_text[NC_DIGEST_TEXT];
	/* the same nodes, seen through the new driver */
	memcpy(&shadow, work->store, sizeof shadow);
	shadow.driver = work->driver;
	int code = source_digest(work, &shadow, move, "verifying layer", &got, err);
	if (code < 0 || nc_digest_equal(&got, want))
		return code;
	return nc_fail(err, NACRE_E_CORRUPT, 0, "out of the new tree comes a tar with the digest %s, not %s",
		       nc_digest_text(&got, got_text), nc_digest_text(want, want_text));
}

static int drop_new(struct work *work, const char *id, struct nacre_error *err)
{
	NC_CLEANUP(nc_stage_auto) struct nc_stage *trash = NULL;
	if (unlinkat(work->state, id, 0) < 0 && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "remove '" STATE "/%s'", id);
	int code = nc_stage_new(work->store->stages, &trash, err);
	return code < 0 ? code : work->driver->ops->remove(work->driver, id, trash->dir, err);
}

static int move_one(struct work *work, struct nc_move *move, struct nacre_error *err)
{
	struct nc_digest digest;
	int code = drop_new(work, move->id, err);
	if (code == 0)
		code = build(work, move, &digest, err);
	/* before it counts as moved; the mark itself may get lost */
	if (code == 0 && work->store->durable && syncfs(work->store->root) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "sync the new tree");
	if (code == 0)
		code = compare(work, move, &digest, err);
	if (code == 0)
		code = mark_moved(work, move, &digest, err);
	move->fresh = code == 0;
	return code;
}

/* 1 when an earlier run moved it, and it is still the same. */
static int is_moved(struct work *work, const struct nc_move *move, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	char now[NC_DIGEST_TEXT];
	if (work->state < 0 || (move->below && move->below->fresh))
		return 0;
	int code = nc_file_read(work->state, move->id, NC_DIGEST_TEXT, &text, NULL, NULL);
	if (code < 0)
		return 0;
	if (work->driver) {
		code = work->driver->ops->has(work->driver, move->id, err);
		if (code <= 0)
			return code;
	}
	if (*move->diff_id)
		return strcmp(text, move->diff_id) == 0;
	struct nc_digest digest;
	code = source_digest(work, work->store, move, "reading layer", &digest, err);
	return code < 0 ? code : strcmp(text, nc_digest_text(&digest, now)) == 0;
}

/* --- all of them ------------------------------------------------------------------------------------------------ */

/* A failure that is the layer's own, and no reason to let the others be. */
static bool is_damage(int code)
{
	return code == NACRE_E_CORRUPT || code == NACRE_E_BADDATA || code == NACRE_E_DIGEST ||
	       code == NACRE_E_NOTFOUND || code == NACRE_E_LIMIT || code == NACRE_E_UNSUPPORTED;
}

static int tell_damage(struct work *work, struct nc_move *move, const char *reason, struct nacre_error *err)
{
	work->told->damaged++;
	if (work->options->damaged)
		work->options->damaged(work->options->damaged_ctx, move->id, reason);
	if (!move->damage)
		move->damage = nc_strdup(reason);
	return move->damage ? 0 : nc_nomem(err);
}

static void tell(const struct work *work, enum nacre_event event, const struct nc_move *move)
{
	const struct nacre_progress *progress = &work->options->progress;
	if (progress->event)
		progress->event(progress->ctx, event, move->id, "moving layer", move->size, move->size);
}

static int take_one(struct work *work, struct nc_move *move, struct nacre_error *err)
{
	struct nacre_error why = { 0 };
	int code = is_moved(work, move, &why);
	if (code > 0) {
		tell(work, NACRE_EVENT_SKIPPED, move);
		return 0;
	}
	work->told->needed += strcmp(work->to->name, "vfs") == 0 ? move->whole : move->size;
	if (code == 0 && !work->options->dry_run) {
		tell(work, NACRE_EVENT_START, move);
		code = move_one(work, move, &why);
	}
	if (is_damage(code))
		return tell_damage(work, move, why.msg, err);
	if (code < 0) {
		if (err)
			*err = why;
		return nc_wrap(err, code, "layer %.12s", move->id);
	}
	work->told->moved++;
	if (!work->options->dry_run)
		tell(work, NACRE_EVENT_DONE, move);
	return 0;
}

static int take_all(struct work *work, struct nacre_error *err)
{
	int code = 0;
	const volatile int *cancel = work->options->progress.cancel;
	for (size_t i = 0; code == 0 && i < work->moves.ordered; i++) {
		struct nc_move *move = work->moves.order[i];
		if (!move->tree)
			continue;
		work->told->layers++;
		if (nc_cancelled(cancel))
			code = nc_cancel_check(cancel, err);
		else if (!move->damage && move->below && move->below->damage)
			code = tell_damage(work, move, "the layer below it cannot be moved", err);
		else if (move->damage)
			code = tell_damage(work, move, move->damage, err);
		else
			code = take_one(work, move, err);
	}
	return code;
}

/* New trees of nodes that were removed since an earlier run. */
static int drop_strangers(void *ctx, const char *id, struct nacre_error *err)
{
	struct work *work = ctx;
	const struct nc_move *move = nc_moves_find(&work->moves, id);
	return move && move->tree ? 0 : drop_new(work, id, err);
}

static int move_all(struct work *work, struct nacre_error *err)
{
	int code = check_unused(work, err);
	if (code == 0)
		code = nc_moves_list(work->store, &work->moves, err);
	if (code == 0 && !work->options->dry_run)
		code = prepare_new(work, err);
	if (code == 0 && work->driver)
		code = work->driver->ops->each(work->driver, drop_strangers, work, err);
	if (code == 0)
		code = take_all(work, err);
	if (code < 0 || work->options->dry_run)
		return code;
	if (work->told->damaged)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "%" PRIu64 " of %" PRIu64 " layers cannot be moved; the store "
			       "stays with driver %s", work->told->damaged, work->told->layers, driver_of(work));
	return nc_store_set_driver(work->store, work->state, work->to->name, err);
}

static int clean_old(struct work *work, struct nacre_error *err)
{
	/* the handle's own driver is the old one; only names are asked for here */
	int code = sweep_driver(work, work->from_name, !work->store->adopted, err);
	return code < 0 ? code : drop_plan(work, err);
}

/* --- the door --------------------------------------------------------------------------------------------------- */

static void measure(struct work *work)
{
	struct statvfs fs;
	if (fstatvfs(work->store->root, &fs) == 0)
		work->told->available = (uint64_t)fs.f_bavail * fs.f_frsize;
}

static int choose(struct work *work, struct nacre_error *err)
{
	const char *name = work->options->driver;
	work->to = name ? nc_driver_find(name) : NULL;
	if (!work->to)
		return nc_fail(err, NACRE_E_INVALID, 0, "no driver is called '%s'", name ? name : "");
	if (strcmp(work->to->name, MEMORY) == 0 || strcmp(driver_of(work), MEMORY) == 0)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "the memory driver keeps nothing");
	snprintf(work->told->from, sizeof work->told->from, "%s", driver_of(work));
	snprintf(work->told->to, sizeof work->told->to, "%s", work->to->name);
	return 0;
}

static int migrate(struct work *work, struct nacre_error *err)
{
	int code = choose(work, err);
	if (code == 0)
		code = read_plan(work, err);
	if (code < 0)
		return code;
	measure(work);
	bool same = work->to == work->store->driver->ops;
	bool other = *work->to_name && (same || strcmp(work->to_name, work->to->name) != 0);
	if (other && work->options->dry_run)
		nc_fd_release(&work->state);
	else if (other)
		code = end_plan(work, err);
	if (code < 0 || same)
		return code;
	code = move_all(work, err);
	return code < 0 || work->options->dry_run ? code : clean_old(work, err);
}

int nacre_migrate(const char *root, const struct nacre_migrate_options *options, struct nacre_migration *ret,
		  struct nacre_error *err)
{
	struct nacre_migrate_options mine = { .size = sizeof mine };
	if (options)
		memcpy(&mine, options, options->size < sizeof mine ? options->size : sizeof mine);
	struct nacre_migration told = { .layers = 0 };
	struct nacre_open_options how = { .size = sizeof how };
	how.flags = mine.dry_run ? NACRE_OPEN_READONLY : NACRE_OPEN_NOCREATE | NC_OPEN_ALONE;
	struct work work = { .options = &mine, .told = &told, .state = -1 };
	int code = nacre_store_open(root, &how, &work.store, err);
	if (code == 0)
		code = migrate(&work, err);
	nc_driver_close(work.driver);
	nc_moves_release(&work.moves);
	nc_fd_release(&work.state);
	nacre_store_close(work.store);
	if (ret)
		*ret = told;
	return code < 0 && work.store ? nc_wrap(err, code, "migrate") : code;
}
