#include "store/writable.h"

#include "image/gojson.h"
#include "io/path.h"
#include "store/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTION "writable.json"
#define DESCRIPTION_MAX 4096
/* Digits of an ID that stand for it. */
#define PREFIX_MIN 12
#define WRITABLES_MAX ((size_t)1 << 20)

/* --- what there is ---------------------------------------------------------------------------------------------- */

static bool name_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t len = strlen(name);
	if (len == 0 || len >= NACRE_WRITABLE_NAME_MAX || nc_id_valid(name) || !strchr(letters, name[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!strchr(letters, name[i]) && !strchr("_.-", name[i]))
			return false;
	return true;
}

static int open_home(struct nacre_store *store, int *ret, struct nacre_error *err)
{
	int code = nc_dir_open(store->root, NC_WRITABLE_HOME, ret, err);
	return code == NACRE_E_NOTFOUND ? nc_fail(err, code, 0, "there is no writable layer") : code;
}

/* NACRE_E_CORRUPT when it says nothing sound. */
static int read_description(int home, const char *id, struct nc_writable *ret, struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FREE char *text = NULL;
	NC_CLEANUP(nc_json_auto) json_t *json = NULL;
	struct nc_writable writable = { .created = 0 };
	size_t len;
	int code = nc_dir_open(home, id, &dir, err);
	if (code == 0)
		code = nc_file_read(dir, DESCRIPTION, DESCRIPTION_MAX, &text, &len, err);
	if (code == 0)
		code = nc_json_parse(text, len, DESCRIPTION, &json, err);
	if (code == NACRE_E_IO || code == NACRE_E_NOMEM || (code == NACRE_E_NOTFOUND && dir < 0))
		return code;
	const char *name = json_string_value(json_object_get(json, "name"));
	const char *image = json_string_value(json_object_get(json, "image"));
	const char *created = json_string_value(json_object_get(json, "created"));
	if (code < 0 || !name || !name_valid(name) || !image || !nc_id_valid(image) || !created ||
	    nc_gotime_parse(created, &writable.created, &writable.created_nsec, NULL) < 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "the description of writable layer %.12s is damaged", id);
	memcpy(writable.id, id, NC_HEX_ID);
	memcpy(writable.image, image, NC_HEX_ID);
	strcpy(writable.name, name);
	*ret = writable;
	return 0;
}

struct each {
	int home;
	int (*fn)(void *ctx, const struct nc_writable *writable, struct nacre_error *err);
	void *ctx;
};

/* One whose description is damaged is passed over: nothing can be done with it but removing it by its ID. */
static int visit(void *ctx, const char *id, struct nacre_error *err)
{
	struct each *each = ctx;
	struct nc_writable writable;
	if (!nc_id_valid(id))
		return 0;
	int code = read_description(each->home, id, &writable, err);
	if (code == NACRE_E_CORRUPT || code == NACRE_E_NOTFOUND)
		return 0;
	return code < 0 ? code : each->fn(each->ctx, &writable, err);
}

static int each_writable(struct nacre_store *store,
			 int (*fn)(void *ctx, const struct nc_writable *writable, struct nacre_error *err), void *ctx,
			 struct nacre_error *err)
{
	NC_AUTO_FD int home = -1;
	int code = open_home(store, &home, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND ? 0 : code;
	struct each each = { .home = home, .fn = fn, .ctx = ctx };
	return nc_dir_each_sorted(home, WRITABLES_MAX, visit, &each, err);
}

struct examine {
	int home;
	int (*fn)(void *ctx, const char *id, const struct nc_writable *writable, struct nacre_error *err);
	void *ctx;
};

static int examine(void *ctx, const char *id, struct nacre_error *err)
{
	struct examine *all = ctx;
	struct nc_writable writable;
	if (!nc_id_valid(id))
		return 0;
	int code = read_description(all->home, id, &writable, err);
	if (code < 0 && code != NACRE_E_CORRUPT)
		return code == NACRE_E_NOTFOUND ? 0 : code;
	return all->fn(all->ctx, id, code < 0 ? NULL : &writable, err);
}

int nc_writables_examine(struct nacre_store *store,
			 int (*fn)(void *ctx, const char *id, const struct nc_writable *writable,
				   struct nacre_error *err),
			 void *ctx, struct nacre_error *err)
{
	NC_AUTO_FD int home = -1;
	int code = open_home(store, &home, err);
	struct examine all = { .home = home, .fn = fn, .ctx = ctx };
	return code < 0 ? (code == NACRE_E_NOTFOUND ? 0 : code)
			: nc_dir_each_sorted(home, WRITABLES_MAX, examine, &all, err);
}

struct search {
	const char *what, *image;	/* one of them */
	struct nc_writable *ret;
	unsigned found;
};

static int match(void *ctx, const struct nc_writable *writable, struct nacre_error *err)
{
	struct search *search = ctx;
	if (search->image && strcmp(search->image, writable->image) != 0)
		return 0;
	if (search->what && strcmp(search->what, writable->name) == 0) {
		*search->ret = *writable;
		return 1;
	}
	if (search->what && (strlen(search->what) < PREFIX_MIN ||
			     strncmp(search->what, writable->id, strlen(search->what)) != 0))
		return 0;
	*search->ret = *writable;
	search->found++;
	return search->image ? 1 : 0;
}

int nc_writable_find(struct nacre_store *store, const char *what, struct nc_writable *ret, struct nacre_error *err)
{
	struct nc_writable found;
	struct search search = { .what = what, .ret = &found };
	int code = each_writable(store, match, &search, err);
	if (code == 0 && search.found > 1)
		return nc_fail(err, NACRE_E_AMBIGUOUS, 0, "'%s' is the beginning of %u writable layers", what,
			       search.found);
	if (code == 0 && !search.found)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no writable layer '%.200s'", what);
	if (code < 0)
		return code;
	*ret = found;
	return 0;
}

int nc_writable_on(struct nacre_store *store, const char *image, struct nc_writable *ret, struct nacre_error *err)
{
	struct search search = { .image = image, .ret = ret };
	return each_writable(store, match, &search, err);
}

int nc_writable_possible(struct nacre_store *store, struct nacre_error *err)
{
	const struct nc_driver_ops *ops = store->driver->ops;
	return ops->writable_make ? 0 : nc_fail(err, NACRE_E_UNSUPPORTED, 0, "driver %s has no writable layers",
						ops->name);
}

int nc_writable_open(struct nacre_store *store, const char *id, int *ret_fd, struct nacre_error *err)
{
	NC_AUTO_FD int home = -1;
	int code = open_home(store, &home, err);
	if (code == 0)
		code = nc_dir_open(home, id, ret_fd, err);
	return code == NACRE_E_NOTFOUND ? nc_fail(err, code, 0, "no writable layer %.12s", id) : code;
}

int nc_writable_view(struct nacre_store *store, const struct nc_writable *writable, struct nc_view **ret,
		     struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	char tree[NC_HEX_ID];
	int code = nc_writable_possible(store, err);
	if (code == 0)
		code = nc_node_tree(store, writable->image, tree, err);
	if (code == 0)
		code = nc_writable_open(store, writable->id, &dir, err);
	if (code == 0)
		code = store->driver->ops->writable_view(store->driver, *tree ? tree : NULL, dir, ret, err);
	return code < 0 ? nc_wrap(err, code, "writable layer '%s'", writable->name) : 0;
}

/* --- making ----------------------------------------------------------------------------------------------------- */

static int describe(int dir, const char *image, const char *name, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(DESCRIPTION_MAX);
	struct timespec now;
	char created[40];
	clock_gettime(CLOCK_REALTIME, &now);
	nc_gotime_text(now.tv_sec, (uint32_t)now.tv_nsec, created);
	int code = nc_buf_addf(&text, err, "{\"name\":\"%s\",\"image\":\"%s\",\"created\":\"%s\"}\n", name, image,
			       created);
	return code < 0 ? code : nc_file_create(dir, DESCRIPTION, text.data, text.len, err);
}

static int check_name(struct nacre_store *store, const char *name, struct nacre_error *err)
{
	struct nc_writable other;
	int code = nc_writable_find(store, name, &other, err);
	if (code == NACRE_E_NOTFOUND)
		return 0;
	return code < 0 ? code : nc_fail(err, NACRE_E_EXISTS, 0, "there is a writable layer '%s'", name);
}

/* Everything of it, durable, in stage/NC_WRITABLE_HOME. */
static int build(struct nacre_store *store, const struct nc_stage *stage, const char *image, const char *name,
		 struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	char tree[NC_HEX_ID];
	int code = nc_node_tree(store, image, tree, err);
	if (code == 0)
		code = nc_dir_ensure(stage->dir, NC_WRITABLE_HOME, &dir, err);
	if (code == 0)
		code = store->driver->ops->writable_make(store->driver, *tree ? tree : NULL, dir, err);
	if (code == 0)
		code = describe(dir, image, name, err);
	if (code == 0 && store->durable && syncfs(dir) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "sync the store");
	return code;
}

static int publish(struct nacre_store *store, const struct nc_stage *stage, const char *id, const char *name,
		   struct nacre_error *err)
{
	NC_AUTO_FD int home = -1;
	int code = nc_dir_ensure(store->root, NC_WRITABLE_HOME, &home, err);
	if (code == 0)
		code = nc_store_sync(store, store->root, "the store's directory", err);
	if (code == 0)
		code = check_name(store, name, err);
	if (code == 0 && renameat2(stage->dir, NC_WRITABLE_HOME, home, id, RENAME_NOREPLACE) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "put writable layer '%s' in its place", name);
	return code < 0 ? code : nc_store_sync(store, home, "the writable layers", err);
}

int nacre_writable_create(struct nacre_store *store, const char *image, const char *name, char *ret_id,
			  struct nacre_error *err)
{
	NC_CLEANUP(nc_stage_auto) struct nc_stage *stage = NULL;
	NC_AUTO_FD int locks = -1;
	char below[NC_HEX_ID], id[NC_HEX_ID];
	int code = nc_store_writable(store, err);
	if (code == 0 && !name_valid(name))
		code = nc_fail(err, NACRE_E_INVALID, 0, "'%.100s' cannot name a writable layer: letters, digits, and "
			       "behind the first of them '_', '.' and '-', %d at most", name,
			       NACRE_WRITABLE_NAME_MAX - 1);
	if (code == 0)
		code = nc_writable_possible(store, err);
	if (code == 0)
		code = nc_store_resolve(store, image, below, NULL, err);
	if (code == 0)
		code = check_name(store, name, err);
	if (code == 0)
		code = nc_locks_open(store, &locks, err);
	if (code == 0)	/* nobody removes it before the description says that it is needed */
		code = nc_lock_id(locks, below, NC_LOCK_SHARED, true, err);
	if (code == 0 && !nc_node_exists(store, below))
		code = nc_fail(err, NACRE_E_NOTFOUND, 0, "no image '%s'", image);
	if (code == 0)
		code = nc_random_hex(id, NC_HEX_ID - 1, err);
	if (code == 0)
		code = nc_stage_new(store->stages, &stage, err);
	if (code == 0)
		code = build(store, stage, below, name, err);
	if (code == 0)
		code = nc_lock_whole(locks, NC_LOCK_MOUNTS, NC_LOCK_EXCLUSIVE, true, err);
	if (code == 0)
		code = publish(store, stage, id, name, err);
	if (code == 0 && ret_id)
		memcpy(ret_id, id, NC_HEX_ID);
	return code;
}

/* --- removing --------------------------------------------------------------------------------------------------- */

/* The ID of one that may be damaged. */
static int find_id(struct nacre_store *store, const char *what, char *ret, struct nacre_error *err)
{
	struct nc_writable writable;
	NC_AUTO_FD int dir = -1;
	int code = nc_writable_find(store, what, &writable, err);
	if (code == 0)
		memcpy(ret, writable.id, NC_HEX_ID);
	if (code != NACRE_E_NOTFOUND || !nc_id_valid(what) || nc_writable_open(store, what, &dir, NULL) < 0)
		return code;
	memcpy(ret, what, NC_HEX_ID);
	return 0;
}

int nacre_writable_remove(struct nacre_store *store, const char *what, struct nacre_error *err)
{
	NC_CLEANUP(nc_stage_auto) struct nc_stage *stage = NULL;
	NC_AUTO_FREE char *path = NULL;
	NC_AUTO_FD int locks = -1;
	NC_AUTO_FD int home = -1;
	char id[NC_HEX_ID];
	int code = nc_store_writable(store, err);
	if (code == 0)
		code = find_id(store, what, id, err);
	if (code == 0)
		code = nc_locks_open(store, &locks, err);
	if (code == 0)
		code = nc_lock_whole(locks, NC_LOCK_MOUNTS, NC_LOCK_EXCLUSIVE, true, err);
	if (code == 0)
		code = nc_mounted(store, id, &path, err);
	if (code > 0)
		return nc_fail(err, NACRE_E_INUSE, 0, "writable layer '%s' is mounted at '%s'", what, path);
	if (code == 0)
		code = open_home(store, &home, err);
	if (code == 0)
		code = nc_stage_new(store->stages, &stage, err);
	if (code == 0 && renameat(home, id, stage->dir, NC_WRITABLE_HOME) < 0)
		code = errno == ENOENT ? nc_fail(err, NACRE_E_NOTFOUND, 0, "no writable layer '%s'", what)
				       : nc_fail(err, NACRE_E_IO, errno, "remove writable layer '%s'", what);
	if (code == 0)
		code = nc_store_sync(store, home, "the writable layers", err);
	nc_unlock_whole(locks, NC_LOCK_MOUNTS);
	return code;
}

/* --- telling ---------------------------------------------------------------------------------------------------- */

static int show(struct nacre_store *store, const struct nc_writable *writable, struct nacre_writable *ret,
		struct nacre_error *err)
{
	NC_AUTO_FREE char *path = NULL;
	int code = nc_mounted(store, writable->id, &path, err);
	if (code < 0)
		return code;
	*ret = (struct nacre_writable){ .created = writable->created, .created_nsec = writable->created_nsec };
	memcpy(ret->id, writable->id, NC_HEX_ID);
	memcpy(ret->image, writable->image, NC_HEX_ID);
	strcpy(ret->name, writable->name);
	snprintf(ret->path, sizeof ret->path, "%s", path ? path : "");
	return 0;
}

int nacre_writable_get(struct nacre_store *store, const char *what, struct nacre_writable *ret,
		       struct nacre_error *err)
{
	struct nc_writable writable;
	int code = nc_writable_find(store, what, &writable, err);
	return code < 0 ? code : show(store, &writable, ret, err);
}

struct listed {
	struct nc_writable *list;
	size_t count, cap;
};

static int keep(void *ctx, const struct nc_writable *writable, struct nacre_error *err)
{
	struct listed *listed = ctx;
	struct nc_writable *more = nc_grown(listed->list, listed->count, &listed->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	listed->list = more;
	listed->list[listed->count++] = *writable;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct nc_writable *)a)->name, ((const struct nc_writable *)b)->name);
}

int nacre_writables_each(struct nacre_store *store, int (*fn)(void *ctx, const struct nacre_writable *writable),
			 void *ctx, struct nacre_error *err)
{
	struct listed listed = { .count = 0 };
	struct nacre_writable face;
	int code = each_writable(store, keep, &listed, err);
	if (code == 0 && listed.count)
		qsort(listed.list, listed.count, sizeof *listed.list, by_name);
	for (size_t i = 0; code == 0 && i < listed.count; i++) {
		code = show(store, &listed.list[i], &face, err);
		if (code == 0 && fn(ctx, &face) < 0)
			code = nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
	}
	free(listed.list);
	return code;
}
