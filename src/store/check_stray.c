/* What belongs to nobody: trees without a node, blobs that no manifest names, stages whose owner is gone. */
#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- trees ------------------------------------------------------------------------------------------------------ */

static int look_at_tree(struct nc_check *check, const char *id, bool report, struct nacre_error *err)
{
	struct nc_driver *driver = check->store->driver;
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(1 << 16);
	if (nc_node_exists(check->store, id))
		return 0;
	int there = driver->ops->has(driver, id, err);
	if (there <= 0 || !report)
		return there;
	if (nc_driver_where(driver, id, &path, NULL) < 0)
		nc_buf_clear(&path);
	return nc_check_find(check, NC_FLAW_TREE_STRAY, id, nc_buf_text(&path), err, "a tree without a node");
}

static int visit_tree(void *ctx, const char *id, struct nacre_error *err)
{
	return nc_check_twice(ctx, &(struct nc_twice){ .look = look_at_tree, .id = id, .whole = -1 }, id, err);
}

int nc_check_trees(struct nc_check *check, struct nacre_error *err)
{
	struct nc_driver *driver = check->store->driver;
	/* in a root of Docker's what has no node is not ours */
	return check->store->adopted ? 0 : driver->ops->each(driver, visit_tree, check, err);
}

/* --- blobs ------------------------------------------------------------------------------------------------------ */

static int list_blob(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct nc_check_blobs *blobs = ctx;
	if (!nc_id_valid(name))
		return 0;
	char (*more)[NC_HEX_ID] = nc_grown(blobs->hex, blobs->count, &blobs->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	blobs->hex = more;
	memcpy(blobs->hex[blobs->count++], name, NC_HEX_ID);
	return 0;
}

int nc_check_list_blobs(struct nc_check *check, struct nc_check_blobs *ret, struct nacre_error *err)
{
	int code = check->store->blobs < 0 ? 0 : nc_dir_each(check->store->blobs, list_blob, ret, err);
	check->told->blobs = ret->count;
	return code;
}

/* A node that came since the nodes were looked at. */
static int visit_new(void *ctx, const char *id, unsigned char type, struct nacre_error *err)
{
	struct nc_check *check = ctx;
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	if (!nc_id_valid(id) || nc_map_get(check->nodes, id, NC_HEX_ID - 1))
		return 0;
	int code = nc_node_read(check->store->graph, id, &facts, NULL);
	if (code == NACRE_E_NOMEM)
		return nc_nomem(err);
	return code < 0 ? 0 : nc_check_note(check, &facts, err);
}

static int is_stray(struct nc_check *check, const char *hex, struct nacre_error *err)
{
	int there = nc_map_get(check->blobs, hex, NC_HEX_ID - 1) ? 0 : nc_blob_exists(check->store, hex, NULL, err);
	if (there <= 0)
		return there;
	int code = check->store->graph < 0 ? 0 : nc_dir_each(check->store->graph, visit_new, check, err);
	return code < 0 ? code : !nc_map_get(check->blobs, hex, NC_HEX_ID - 1);
}

/* Whoever brings an image that names a blob has it locked until the image is there. */
static int look_at_blob(struct nc_check *check, const char *hex, struct nacre_error *err)
{
	char path[NC_HEX_ID + 16];
	int code = check->exclusive ? nc_lock_blob(check->locks, hex, NC_LOCK_EXCLUSIVE, false, err) : 0;
	if (code == NACRE_E_BUSY)
		return 0;
	if (code == 0)
		code = is_stray(check, hex, err);
	if (check->exclusive)
		nc_unlock_blob(check->locks, hex);
	snprintf(path, sizeof path, "blobs/sha256/%s", hex);
	return code <= 0 ? code : nc_check_find(check, NC_FLAW_BLOB_STRAY, NULL, path, err, "no manifest names this blob");
}

int nc_check_blobs(struct nc_check *check, const struct nc_check_blobs *blobs, struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; code == 0 && i < blobs->count; i++)
		if (!nc_map_get(check->blobs, blobs->hex[i], NC_HEX_ID - 1))
			code = look_at_blob(check, blobs->hex[i], err);
	return code;
}

/* --- stages ----------------------------------------------------------------------------------------------------- */

static int find_left(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	const struct nc_check *check = ctx;
	return nc_stage_is_left(check->store->stages, name);
}

bool nc_check_has_left(struct nc_check *check)
{
	return check->store->stages >= 0 && nc_dir_each(check->store->stages, find_left, check, NULL) > 0;
}

static int visit_stage(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct nc_check *check = ctx;
	char path[64];
	if (!nc_stage_is_left(check->store->stages, name))
		return 0;
	snprintf(path, sizeof path, "graph/_tmp/%s", name);
	return nc_check_find(check, NC_FLAW_STAGE, NULL, path, err,
			     "left behind by a process that died; the next command that writes clears it away");
}

int nc_check_stages(struct nc_check *check, struct nacre_error *err)
{
	return check->store->stages < 0 ? 0 : nc_dir_each(check->store->stages, visit_stage, check, err);
}
