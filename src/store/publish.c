/* The commit, from the mark on: blobs, nodes (parents first), documents and names go from the stage to where they
 * belong, each by a rename that replaces nothing (names replace), and the catalog learns. Then all of that is synced at
 * once; until it is, the stage is there, durable, for an heir to begin again. Every step that was done already is passed
 * over. */
#include "store/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directories of a stage; -1 where it has none. */
struct sides {
	int nodes, blobs, documents, names;
};

static int open_side(int stage, const char *name, int *ret, struct nacre_error *err)
{
	int code = nc_dir_open(stage, name, ret, err);
	return code == NACRE_E_NOTFOUND ? 0 : code;
}

static int open_sides(int stage, struct sides *ret, struct nacre_error *err)
{
	int code = open_side(stage, "graph", &ret->nodes, err);
	if (code == 0)
		code = open_side(stage, "blobs", &ret->blobs, err);
	if (code == 0)
		code = open_side(stage, "documents", &ret->documents, err);
	if (code == 0)
		code = open_side(stage, "names", &ret->names, err);
	return code;
}

static void close_sides(struct sides *sides)
{
	int *fds[] = { &sides->nodes, &sides->blobs, &sides->documents, &sides->names };
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		nc_fd_release(fds[i]);
}

/* What is gone from the stage was moved before; what is there already stays as it is. */
static int move(int from, const char *name, int to, const char *new_name, struct nacre_error *err)
{
	if (from < 0 || renameat2(from, name, to, new_name, RENAME_NOREPLACE) == 0 || errno == ENOENT ||
	    errno == EEXIST)
		return 0;
	return nc_fail(err, NACRE_E_IO, errno, "put '%s' in place", new_name);
}

/* A directory of its own, where a few small files are all there is; else the file system is synced in the end. */
static int sync_now(struct nacre_store *store, bool light, int fd, const char *what, struct nacre_error *err)
{
	return light ? nc_store_sync(store, fd, what, err) : 0;
}

static int put_document(struct nacre_store *store, const struct sides *from, const struct nc_step *step, bool light,
			struct nacre_error *err)
{
	char file[2 * NC_HEX_ID + 16];
	NC_AUTO_FD int node = -1;
	NC_AUTO_FD int documents = -1;
	int code = nc_node_open(store, step->id, &node, err);
	if (code < 0)
		return code;
	if (step->kind == NC_STEP_FIRST) {
		snprintf(file, sizeof file, "%s.manifest", step->id);
		code = move(from->documents, file, node, "manifest", err);
		return code < 0 ? code : sync_now(store, light, node, "an image", err);
	}
	code = nc_dir_ensure(node, "manifests", &documents, err);
	if (code == 0)
		code = sync_now(store, light, node, "an image", err);
	const char *end = step->kind == NC_STEP_WHOLE ? NC_WHOLE : "";
	snprintf(file, sizeof file, "%s.%s%s", step->id, step->hex, end);
	if (code == 0)
		code = move(from->documents, file, documents, strchr(file, '.') + 1, err);
	return code < 0 ? code : sync_now(store, light, documents, "an image's manifests", err);
}

static int put_name(struct nacre_store *store, int locks, const struct sides *from, const struct nc_step *step, bool light,
		    struct nacre_error *err)
{
	char file[16];
	snprintf(file, sizeof file, "%u", step->number);
	int code = from->names < 0 ? 0 : nc_file_exists(from->names, file, err);
	if (code <= 0)
		return code;
	code = nc_lock_whole(locks, NC_LOCK_NAMES, NC_LOCK_EXCLUSIVE, !store->impatient, err);
	return code < 0 ? code : nc_name_publish(store, step->name, from->names, file, light, err);
}

static int put_step(struct nacre_store *store, int locks, const struct sides *from, const struct nc_step *step, bool light,
		    struct nacre_error *err)
{
	switch (step->kind) {
	case NC_STEP_BLOB: return move(from->blobs, step->hex, store->blobs, step->hex, err);
	case NC_STEP_NODE: return move(from->nodes, step->id, store->graph, step->id, err);
	case NC_STEP_DOCUMENT:
	case NC_STEP_WHOLE:
	case NC_STEP_FIRST: return put_document(store, from, step, light, err);
	case NC_STEP_NAME: return put_name(store, locks, from, step, light, err);
	case NC_STEP_UNNAME: break;
	}
	return 0;
}

/* names and documents need their nodes to be there */
static const enum nc_step_kind order[] = { NC_STEP_BLOB, NC_STEP_NODE, NC_STEP_DOCUMENT, NC_STEP_WHOLE, NC_STEP_FIRST,
					  NC_STEP_NAME };

static int put_all(struct nacre_store *store, int locks, const struct sides *from, const struct nc_plan *plan,
		   struct nacre_error *err)
{
	bool light = nc_plan_is_light(plan);
	int code = 0;
	for (size_t o = 0; code == 0 && o < sizeof order / sizeof *order; o++)
		for (size_t i = 0; code == 0 && i < plan->count; i++)
			if (plan->steps[i].kind == order[o])
				code = put_step(store, locks, from, &plan->steps[i], light, err);
	return code;
}

int nc_publish(struct nacre_store *store, int locks, int stage, const struct nc_plan *plan, struct nacre_error *err)
{
	struct sides from = { -1, -1, -1, -1 };
	NC_AUTO_FD int sync = -1;
	int code = nc_store_watch(store, &sync, err);
	if (code == 0)
		code = open_sides(stage, &from, err);
	if (code == 0)
		code = nc_catalog_hold(store, locks, err);
	if (code == 0)
		code = put_all(store, locks, &from, plan, err);
	if (code == 0)
		code = nc_catalog_learn(store, plan, err);
	nc_unlock_whole(locks, NC_LOCK_NAMES);
	nc_catalog_let_go(locks);
	close_sides(&from);
	if (code < 0)
		return code;
	if (nc_plan_is_light(plan))
		return nc_catalog_sync(store->catalog, err);
	nc_catalog_send(store->catalog);
	return nc_store_sync_all(store, sync, err);
}
