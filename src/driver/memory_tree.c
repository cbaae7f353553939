#include "driver/memory_tree.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

static atomic_ullong next_number = 1;

struct nc_mem_node *nc_mem_node_new(enum nc_entry_type type, const struct nc_attrs *attrs)
{
	struct nc_mem_node *node = nc_zalloc(sizeof *node);
	if (!node)
		return NULL;
	atomic_init(&node->refs, 1);
	node->number = atomic_fetch_add(&next_number, 1);
	node->type = type;
	node->attrs = *attrs;
	node->attrs.xattrs = NULL;
	node->attrs.xattr_count = 0;
	if (type == NC_ENTRY_DIR) {
		node->names = nc_map_new();
		if (!node->names) {
			free(node);
			return NULL;
		}
	}
	return node;
}

void nc_mem_node_drop(struct nc_mem_node *node)
{
	if (!node || atomic_fetch_sub(&node->refs, 1) != 1)
		return;
	for (size_t i = 0; i < node->run_count; i++)
		free(node->runs[i].bytes);
	free(node->runs);
	nc_xattr_list_release(&node->xattrs);
	free(node->link);
	nc_map_free(node->names);
	free(node);
}

/* --- names ------------------------------------------------------------------------------------------------------ */

/* Names that wait to be freed form a list through their nodes' text; a chain of its own keeps freeing from
 * failing for want of memory. */
struct doomed {
	struct nc_mem_name *first;
};

static int doom(void *ctx, const char *key, size_t len, void *value)
{
	struct doomed *doomed = ctx;
	struct nc_mem_name *name = value;
	/* directories are never shared, so their number is free to serve as the link */
	if (name->node->type == NC_ENTRY_DIR) {
		name->node->number = (uint64_t)(uintptr_t)doomed->first;
		doomed->first = name;
	} else {
		nc_mem_node_drop(name->node);
		free(name);
	}
	return 0;
}

void nc_mem_name_free(struct nc_mem_name *name)
{
	if (!name)
		return;
	if (name->node->type != NC_ENTRY_DIR) {
		nc_mem_node_drop(name->node);
		free(name);
		return;
	}
	struct doomed doomed = { .first = NULL };
	doom(&doomed, NULL, 0, name);
	while (doomed.first) {
		struct nc_mem_name *dir = doomed.first;
		doomed.first = (struct nc_mem_name *)(uintptr_t)dir->node->number;
		nc_map_each(dir->node->names, doom, &doomed);
		nc_mem_node_drop(dir->node);
		free(dir);
	}
}

static struct nc_mem_name *name_new(const char *text, struct nc_mem_node *node, bool own, enum nc_mem_kind kind)
{
	size_t len = strlen(text);
	struct nc_mem_name *name = nc_alloc(sizeof *name + len + 1);
	if (!name) {
		nc_mem_node_drop(node);
		return NULL;
	}
	name->node = node;
	name->own = own;
	name->kind = kind;
	memcpy(name->text, text, len + 1);
	return name;
}

int nc_mem_name_add(struct nc_mem_node *dir, const char *text, struct nc_mem_node *node, bool own,
		    enum nc_mem_kind kind, struct nc_mem_name **ret, struct nacre_error *err)
{
	struct nc_mem_name *name = name_new(text, node, own, kind);
	if (!name)
		return nc_nomem(err);
	int code = nc_map_set(dir->names, text, strlen(text), name, NULL, err);
	if (code < 0) {
		nc_mem_name_free(name);
		return code;
	}
	if (ret)
		*ret = name;
	return 0;
}

struct nc_mem_name *nc_mem_name_get(const struct nc_mem_node *dir, const char *text, size_t len)
{
	return nc_map_get(dir->names, text, len);
}

struct nc_mem_name *nc_mem_name_take(struct nc_mem_node *dir, const char *text)
{
	return nc_map_take(dir->names, text, strlen(text));
}

struct listing {
	struct nc_mem_name **names;
	size_t count;
};

static int list(void *ctx, const char *key, size_t len, void *value)
{
	struct listing *listing = ctx;
	listing->names[listing->count++] = value;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp((*(struct nc_mem_name *const *)a)->text, (*(struct nc_mem_name *const *)b)->text);
}

int nc_mem_names(const struct nc_mem_node *dir, struct nc_mem_name ***ret, size_t *ret_count, struct nacre_error *err)
{
	struct listing listing = { .names = nc_realloc_array(NULL, nc_map_count(dir->names), sizeof *listing.names) };
	if (!listing.names)
		return nc_nomem(err);
	nc_map_each(dir->names, list, &listing);
	if (listing.count)
		qsort(listing.names, listing.count, sizeof *listing.names, by_text);
	*ret = listing.names;
	*ret_count = listing.count;
	return 0;
}

/* --- walking ---------------------------------------------------------------------------------------------------- */

struct level {
	struct nc_mem_node *dir;
	struct nc_mem_name **names;
	size_t at, count;
	size_t path_len;
};

struct levels {
	struct level *list;
	size_t count, cap;
};

static void levels_release(struct levels *levels)
{
	while (levels->count)
		free(levels->list[--levels->count].names);
	free(levels->list);
}

static int level_push(struct levels *levels, struct nc_mem_node *dir, size_t path_len, struct nacre_error *err)
{
	struct level *more = nc_grown(levels->list, levels->count, &levels->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	levels->list = more;
	struct level level = { .dir = dir, .path_len = path_len };
	int code = nc_mem_names(dir, &level.names, &level.count, err);
	if (code < 0)
		return code;
	levels->list[levels->count++] = level;
	return 0;
}

int nc_mem_each(struct nc_mem_node *dir, const char *path,
		int (*fn)(void *ctx, struct nc_mem_node *dir, struct nc_mem_name *name, const char *path,
			  struct nacre_error *err),
		void *ctx, struct nacre_error *err)
{
	NC_CLEANUP(levels_release) struct levels levels = { .count = 0 };
	NC_AUTO_BUF struct nc_buf full = NC_BUF_INIT(1u << 20);
	int code = nc_buf_add_text(&full, path, err);
	if (code == 0)
		code = level_push(&levels, dir, full.len, err);
	while (code == 0 && levels.count) {
		struct level *level = &levels.list[levels.count - 1];
		if (level->at == level->count) {
			free(level->names);
			levels.count--;
			continue;
		}
		struct nc_mem_name *name = level->names[level->at++];
		struct nc_mem_node *below = name->node->type == NC_ENTRY_DIR ? name->node : NULL;
		full.len = level->path_len;
		code = nc_buf_addf(&full, err, "%s%s", full.len ? "/" : "", name->text);
		if (code == 0)
			code = fn(ctx, level->dir, name, full.data, err);
		if (code == 0 && below)
			code = level_push(&levels, below, full.len, err);
	}
	return code;
}

struct nc_mem_name *nc_mem_find(const struct nc_mem_tree *tree, const char *path, size_t len)
{
	struct nc_mem_name *name = tree->root;
	for (size_t at = 0; at < len;) {
		size_t part = 0;
		while (at + part < len && path[at + part] != '/')
			part++;
		name = name->node->type == NC_ENTRY_DIR ? nc_mem_name_get(name->node, path + at, part) : NULL;
		if (!name)
			return NULL;
		at += part + 1;
	}
	return name;
}

/* --- trees ------------------------------------------------------------------------------------------------------ */

void nc_mem_tree_drop(struct nc_mem_tree *tree)
{
	if (!tree || atomic_fetch_sub(&tree->refs, 1) != 1)
		return;
	nc_mem_name_free(tree->root);
	free(tree);
}

static int copy_one(void *ctx, struct nc_mem_node *dir, struct nc_mem_name *name, const char *path,
		    struct nacre_error *err)
{
	const struct nc_mem_tree *tree = ctx;
	struct nc_mem_node *node = name->node;
	if (node->type != NC_ENTRY_DIR) {
		atomic_fetch_add(&node->refs, 1);
	} else {
		node = nc_mem_node_new(NC_ENTRY_DIR, &node->attrs);
		if (!node)
			return nc_nomem(err);
		int code = nc_xattrs_copy(name->node->xattrs.items, name->node->xattrs.count, &node->xattrs, err);
		if (code < 0) {
			nc_mem_node_drop(node);
			return code;
		}
	}
	size_t up = strlen(path) - strlen(name->text);
	struct nc_mem_name *to = nc_mem_find(tree, path, up ? up - 1 : 0);
	return nc_mem_name_add(to->node, name->text, node, false, NC_MEM_ANON, NULL, err);
}

int nc_mem_tree_new(const struct nc_mem_tree *parent, struct nc_mem_tree **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_mem_tree_auto) struct nc_mem_tree *tree = nc_zalloc(sizeof *tree);
	if (!tree)
		return nc_nomem(err);
	atomic_init(&tree->refs, 1);
	struct nc_attrs plain = { .mode = 0755 };
	struct nc_mem_node *root = nc_mem_node_new(NC_ENTRY_DIR, parent ? &parent->root->node->attrs : &plain);
	if (!root)
		return nc_nomem(err);
	tree->root = name_new("", root, true, NC_MEM_ANON);
	if (!tree->root)
		return nc_nomem(err);
	int code = 0;
	if (parent) {
		const struct nc_xattr_list *xattrs = &parent->root->node->xattrs;
		code = nc_xattrs_copy(xattrs->items, xattrs->count, &root->xattrs, err);
		if (code >= 0)
			code = nc_mem_each(parent->root->node, "", copy_one, tree, err);
	}
	if (code < 0)
		return code;
	*ret = NC_GIVE(tree);
	return 0;
}

/* --- content ---------------------------------------------------------------------------------------------------- */

struct mem_reader {
	struct nc_reader base;
	const struct nc_mem_node *node;
	uint64_t at;
	size_t run;
};

static ssize_t reader_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	static const char zeros[65536];
	struct mem_reader *self = (struct mem_reader *)reader;
	const struct nc_mem_node *node = self->node;
	uint64_t end = self->run < node->run_count ? node->runs[self->run].at : node->size;
	uint64_t len;
	if (self->at < end) {
		len = end - self->at < sizeof zeros ? end - self->at : sizeof zeros;
		*ret = zeros;
	} else if (self->run < node->run_count) {
		len = node->runs[self->run].len;
		*ret = node->runs[self->run++].bytes;
	} else {
		return 0;
	}
	self->at += len;
	return (ssize_t)len;
}

static void reader_close(struct nc_reader *reader)
{
	free(reader);
}

int nc_mem_content(const struct nc_mem_node *node, struct nc_reader **ret, struct nacre_error *err)
{
	static const struct nc_reader_ops ops = { .next = reader_next, .close = reader_close };
	struct mem_reader *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &ops;
	self->node = node;
	*ret = &self->base;
	return 0;
}
