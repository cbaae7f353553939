/* The memory driver: whole trees in memory, for stores that are thrown away. */
#include "driver/memory_tree.h"

#include "io/path.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory {
	struct nc_driver base;
	pthread_mutex_t lock;		/* of trees */
	struct nc_map *trees;		/* sealed ones, which do not change any more: struct nc_mem_tree by ID */
};

struct memory_tree {
	struct nc_tree base;
	struct memory *driver;
	char id[NC_HEX_ID];
	struct nc_mem_tree *tree;
	struct nc_mem_put *put;
};

/* --- the driver ------------------------------------------------------------------------------------------------- */

static int memory_probe(int root, struct nacre_error *err)
{
	return 0;
}

static int drop_tree(void *ctx, const char *key, size_t len, void *value)
{
	nc_mem_tree_drop(value);
	return 0;
}

static void memory_close(struct nc_driver *driver)
{
	struct memory *self = (struct memory *)driver;
	nc_map_each(self->trees, drop_tree, NULL);
	nc_map_free(self->trees);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

static int memory_open(int root, const char *path, bool readonly, struct nc_driver **ret, struct nacre_error *err)
{
	struct memory *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &nc_memory_driver;
	self->trees = nc_map_new();
	if (!self->trees || pthread_mutex_init(&self->lock, NULL) != 0) {
		nc_map_free(self->trees);
		free(self);
		return nc_nomem(err);
	}
	*ret = &self->base;
	return 0;
}

/* A tree, held; NULL: there is none. */
static struct nc_mem_tree *hold(struct memory *self, const char *id)
{
	pthread_mutex_lock(&self->lock);
	struct nc_mem_tree *tree = nc_map_get(self->trees, id, strlen(id));
	if (tree)
		atomic_fetch_add(&tree->refs, 1);
	pthread_mutex_unlock(&self->lock);
	return tree;
}

static int hold_or_fail(struct memory *self, const char *id, struct nc_mem_tree **ret, struct nacre_error *err)
{
	*ret = hold(self, id);
	return *ret ? 0 : nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no tree of layer %s", id);
}

static int memory_has(struct nc_driver *driver, const char *id, struct nacre_error *err)
{
	struct nc_mem_tree *tree = hold((struct memory *)driver, id);
	nc_mem_tree_drop(tree);
	return tree != NULL;
}

static int memory_remove(struct nc_driver *driver, const char *id, int trash, struct nacre_error *err)
{
	struct memory *self = (struct memory *)driver;
	pthread_mutex_lock(&self->lock);
	struct nc_mem_tree *tree = nc_map_take(self->trees, id, strlen(id));
	pthread_mutex_unlock(&self->lock);
	nc_mem_tree_drop(tree);
	return 0;
}

struct ids {
	char (*list)[NC_HEX_ID];
	size_t count;
};

static int keep_id(void *ctx, const char *key, size_t len, void *value)
{
	struct ids *ids = ctx;
	snprintf(ids->list[ids->count++], NC_HEX_ID, "%.*s", (int)len, key);
	return 0;
}

static int memory_each(struct nc_driver *driver, int (*fn)(void *ctx, const char *id, struct nacre_error *err),
		       void *ctx, struct nacre_error *err)
{
	struct memory *self = (struct memory *)driver;
	struct ids ids = { .count = 0 };
	pthread_mutex_lock(&self->lock);
	ids.list = nc_realloc_array(NULL, nc_map_count(self->trees), sizeof *ids.list);
	if (ids.list)
		nc_map_each(self->trees, keep_id, &ids);
	pthread_mutex_unlock(&self->lock);
	int code = ids.list ? 0 : nc_nomem(err);
	for (size_t i = 0; code == 0 && i < ids.count; i++)
		code = fn(ctx, ids.list[i], err);
	free(ids.list);
	return code;
}

static int memory_mount(struct nc_driver *driver, const char *id, int target, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "trees in memory cannot be mounted");
}

static int add_content(void *ctx, struct nc_mem_node *dir, struct nc_mem_name *name, const char *path,
		       struct nacre_error *err)
{
	if (name->own && name->node->type == NC_ENTRY_FILE && name->node->links)
		for (size_t i = 0; i < name->node->run_count; i++)
			*(uint64_t *)ctx += name->node->runs[i].len / name->node->links;
	return 0;
}

static int memory_usage(struct nc_driver *driver, const char *id, uint64_t *ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_mem_tree_auto) struct nc_mem_tree *tree = NULL;
	uint64_t bytes = 0;
	int code = hold_or_fail((struct memory *)driver, id, &tree, err);
	if (code >= 0)
		code = nc_mem_each(tree->root->node, "", add_content, &bytes, err);
	if (code >= 0)
		*ret = bytes;
	return code;
}

/* --- content ---------------------------------------------------------------------------------------------------- */

/* A reader that holds the tree it reads from. */
struct held_reader {
	struct nc_reader base;
	struct nc_reader *upstream;
	struct nc_mem_tree *tree;
};

static ssize_t held_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	return nc_reader_next(((struct held_reader *)reader)->upstream, ret, err);
}

static void held_close(struct nc_reader *reader)
{
	struct held_reader *self = (struct held_reader *)reader;
	nc_reader_close(self->upstream);
	nc_mem_tree_drop(self->tree);
	free(self);
}

static int open_content(struct nc_mem_tree *tree, const struct nc_mem_node *node, struct nc_reader **ret,
			struct nacre_error *err)
{
	static const struct nc_reader_ops ops = { .next = held_next, .close = held_close };
	struct held_reader *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &ops;
	int code = nc_mem_content(node, &self->upstream, err);
	if (code < 0) {
		free(self);
		return code;
	}
	atomic_fetch_add(&tree->refs, 1);
	self->tree = tree;
	*ret = &self->base;
	return 0;
}

static int memory_content(struct nc_driver *driver, const char *id, const char *name, size_t name_len,
			  struct nc_reader **ret, uint64_t *ret_size, struct nacre_error *err)
{
	NC_CLEANUP(nc_mem_tree_auto) struct nc_mem_tree *tree = NULL;
	NC_AUTO_FREE char *clean = nc_alloc(name_len + 1);
	if (!clean)
		return nc_nomem(err);
	int code = nc_path_clean(name, name_len, clean, NULL, err);
	if (code < 0)
		return code;
	code = hold_or_fail((struct memory *)driver, id, &tree, err);
	if (code < 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "there is no tree of layer %s", id);
	const struct nc_mem_name *found = nc_mem_find(tree, clean, strlen(clean));
	if (!found || !found->own || found->node->type != NC_ENTRY_FILE)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'%s' of the layer is no regular file", clean);
	*ret_size = found->node->size;
	return open_content(tree, found->node, ret, err);
}

/* --- views ------------------------------------------------------------------------------------------------------ */

struct memory_view {
	struct nc_view base;
	struct nc_mem_tree *tree;
	char *path;		/* asked for last */
};

static int view_find(struct memory_view *self, const char *path, struct nc_mem_name **ret, struct nacre_error *err)
{
	*ret = nc_mem_find(self->tree, path, strlen(path));
	return *ret ? 0 : nc_fail(err, NACRE_E_NOTFOUND, 0, "'/%s' is not there", path);
}

static int view_stat(struct nc_view *view, const char *path, struct nc_view_file *ret, struct nacre_error *err)
{
	struct memory_view *self = (struct memory_view *)view;
	struct nc_mem_name *found;
	int code = view_find(self, path, &found, err);
	if (code < 0)
		return code;
	char *copy = nc_strdup(path);
	if (!copy)
		return nc_nomem(err);
	free(self->path);
	self->path = copy;
	const struct nc_mem_node *node = found->node;
	*ret = (struct nc_view_file){
		.number = node->number,
		.links = node->type == NC_ENTRY_DIR ? 1 : node->links,
		.entry = {
			.type = node->type, .name = copy, .name_len = strlen(copy),
			.link = node->link ? node->link : "", .link_len = node->link ? strlen(node->link) : 0,
			.mode = node->type == NC_ENTRY_SYMLINK ? 0777 : node->attrs.mode,
			.uid = node->attrs.uid, .gid = node->attrs.gid, .mtime = node->attrs.mtime,
			.size = node->size, .stored = node->size,
			.dev_major = node->dev_major, .dev_minor = node->dev_minor,
			.xattrs = node->xattrs.items, .xattr_count = node->xattrs.count,
		},
	};
	return 0;
}

static int view_names(struct nc_view *view, const char *path,
		      int (*fn)(void *ctx, const char *name, struct nacre_error *err), void *ctx,
		      struct nacre_error *err)
{
	struct nc_mem_name *found;
	int code = view_find((struct memory_view *)view, path, &found, err);
	if (code < 0)
		return code;
	if (found->node->type != NC_ENTRY_DIR)
		return nc_fail(err, NACRE_E_INVALID, 0, "'/%s' is no directory", path);
	NC_AUTO_FREE struct nc_mem_name **names = NULL;
	size_t count = 0;
	code = nc_mem_names(found->node, &names, &count, err);
	for (size_t i = 0; code == 0 && i < count; i++)
		code = fn(ctx, names[i]->text, err);
	return code;
}

static int view_content(struct nc_view *view, const char *path, struct nc_reader **ret, struct nacre_error *err)
{
	struct memory_view *self = (struct memory_view *)view;
	struct nc_mem_name *found;
	int code = view_find(self, path, &found, err);
	if (code < 0)
		return code;
	if (found->node->type != NC_ENTRY_FILE)
		return nc_fail(err, NACRE_E_INVALID, 0, "'/%s' is no regular file", path);
	return open_content(self->tree, found->node, ret, err);
}

static void view_close(struct nc_view *view)
{
	struct memory_view *self = (struct memory_view *)view;
	nc_mem_tree_drop(self->tree);
	free(self->path);
	free(self);
}

static int memory_view(struct nc_driver *driver, const char *id, struct nc_view **ret, struct nacre_error *err)
{
	static const struct nc_view_ops ops = {
		.stat = view_stat, .names = view_names, .content = view_content, .close = view_close,
	};
	struct memory_view *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &ops;
	int code = hold_or_fail((struct memory *)driver, id, &self->tree, err);
	if (code < 0) {
		free(self);
		return code;
	}
	*ret = &self->base;
	return 0;
}

/* --- writing a layer -------------------------------------------------------------------------------------------- */

static void memory_tree_abort(struct nc_tree *tree)
{
	struct memory_tree *self = (struct memory_tree *)tree;
	nc_mem_put_free(self->put);
	nc_mem_tree_drop(self->tree);
	free(self);
}

static int memory_tree_entry(struct nc_tree *tree, const struct nc_entry *entry, struct nacre_error *err)
{
	return nc_mem_put_entry(((struct memory_tree *)tree)->put, entry, err);
}

static int memory_tree_data(struct nc_tree *tree, const void *bytes, size_t len, uint64_t at, struct nacre_error *err)
{
	return nc_mem_put_data(((struct memory_tree *)tree)->put, bytes, len, at, err);
}

static int memory_tree_seal(struct nc_tree *tree, uint64_t *ret_size, struct nacre_error *err)
{
	struct memory_tree *self = (struct memory_tree *)tree;
	uint64_t size;
	int code = nc_mem_put_finish(self->put, &size, err);
	if (code >= 0) {
		void *old = NULL;
		pthread_mutex_lock(&self->driver->lock);
		code = nc_map_set(self->driver->trees, self->id, strlen(self->id), self->tree, &old, err);
		pthread_mutex_unlock(&self->driver->lock);
		if (code >= 0)
			self->tree = old;
	}
	memory_tree_abort(tree);
	if (code >= 0)
		*ret_size = size;
	return code < 0 ? code : 0;
}

static const struct nc_tree_ops tree_ops = {
	.entry = memory_tree_entry, .data = memory_tree_data, .seal = memory_tree_seal, .abort = memory_tree_abort,
};

static int memory_begin(struct nc_driver *driver, const char *id, const char *parent, int stage,
			const struct nc_tree_hooks *hooks, struct nc_tree **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_mem_tree_auto) struct nc_mem_tree *below = NULL;
	struct memory_tree *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &tree_ops;
	self->driver = (struct memory *)driver;
	snprintf(self->id, sizeof self->id, "%s", id);
	int code = parent ? hold_or_fail(self->driver, parent, &below, err) : 0;
	if (code >= 0)
		code = nc_mem_tree_new(below, &self->tree, err);
	if (code >= 0)
		code = nc_mem_put_new(self->tree, hooks ? &hooks->displaced : NULL, &self->put, err);
	if (code < 0) {
		memory_tree_abort(&self->base);
		return code;
	}
	*ret = &self->base;
	return 0;
}

const struct nc_driver_ops nc_memory_driver = {
	.name = "memory",
	.probe = memory_probe,
	.open = memory_open,
	.close = memory_close,
	.begin = memory_begin,
	.has = memory_has,
	.remove = memory_remove,
	.each = memory_each,
	.content = memory_content,
	.view = memory_view,
	.mount = memory_mount,
	.usage = memory_usage,
};
