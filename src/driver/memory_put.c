#include "driver/memory_tree.h"

#include "driver/way.h"
#include "io/path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The rules of driver.h once more, on one merged tree whose names know their layer. Nothing is shared with
 * unpack.c but the rules, so that each checks the other. */

#define LINKS_MAX 40
#define STEPS_MAX 16384
#define NAME_LIMIT 65535
#define WHITEOUT ".wh."
#define AUFS ".wh..wh."
#define OPAQUE ".wh..wh..opq"
#define PLNK ".wh..wh.plnk/"

struct nc_mem_put {
	struct nc_mem_tree *tree;	/* borrowed */
	struct nc_displaced displaced;
	struct nc_mem_node *file;	/* whose content comes; borrowed from the tree or plnk */
	uint64_t expected;
	bool sink, root_seen;
	struct nc_map *seen;
	struct nc_mem_tree *plnk;
};

int nc_mem_put_new(struct nc_mem_tree *tree, const struct nc_displaced *displaced, struct nc_mem_put **ret,
		   struct nacre_error *err)
{
	struct nc_mem_put *put = nc_zalloc(sizeof *put);
	if (!put)
		return nc_nomem(err);
	put->tree = tree;
	if (displaced)
		put->displaced = *displaced;
	put->seen = nc_map_new();
	int code = put->seen ? nc_mem_tree_new(NULL, &put->plnk, err) : nc_nomem(err);
	if (code < 0) {
		nc_mem_put_free(put);
		return code;
	}
	*ret = put;
	return 0;
}

void nc_mem_put_free(struct nc_mem_put *put)
{
	if (!put)
		return;
	nc_map_free(put->seen);
	nc_mem_tree_drop(put->plnk);
	free(put);
}

/* --- reports ---------------------------------------------------------------------------------------------------- */

static int report(struct nc_mem_put *put, const char *path, const struct nc_mem_node *node, struct nacre_error *err)
{
	if (!put->displaced.fn)
		return 0;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *content = NULL;
	int code = node ? nc_mem_content(node, &content, err) : 0;
	return code < 0 ? code : put->displaced.fn(put->displaced.ctx, path, content, node ? node->size : 0, err);
}

static int report_name(struct nc_mem_put *put, const char *path, const struct nc_mem_name *name,
		       struct nacre_error *err)
{
	if (!name->own || name->kind == NC_MEM_ANON)
		return 0;
	bool full = name->kind == NC_MEM_MEMBER && name->node->type == NC_ENTRY_FILE && name->node->size;
	return report(put, path, full ? name->node : NULL, err);
}

static int again(struct nc_mem_put *put, const char *name, struct nacre_error *err)
{
	void *old;
	int code = nc_map_set(put->seen, name, strlen(name), put, &old, err);
	return code < 0 || !old ? code : report(put, name, NULL, err);
}

static int report_below(void *ctx, struct nc_mem_node *dir, struct nc_mem_name *name, const char *path,
			struct nacre_error *err)
{
	return report_name(ctx, path, name, err);
}

static void unlink_name(struct nc_mem_name *name)
{
	if (name->own && name->node->type != NC_ENTRY_DIR)
		name->node->links--;
}

static int uncount(void *ctx, struct nc_mem_node *dir, struct nc_mem_name *name, const char *path,
		   struct nacre_error *err)
{
	unlink_name(name);
	return 0;
}

/* Remove a name with all below it. */
static int displace(struct nc_mem_put *put, struct nc_mem_node *dir, struct nc_mem_name *name, const char *path,
		    struct nacre_error *err)
{
	int code = report_name(put, path, name, err);
	if (code >= 0 && name->node->type == NC_ENTRY_DIR) {
		code = nc_mem_each(name->node, path, report_below, put, err);
		if (code >= 0)
			code = nc_mem_each(name->node, path, uncount, put, err);
	}
	if (code < 0)
		return code;
	unlink_name(name);
	nc_mem_name_free(nc_mem_name_take(dir, name->text));
	return 0;
}

/* Remove what the parents have in this directory. */
static int hide(struct nc_mem_node *dir, struct nacre_error *err)
{
	NC_AUTO_FREE struct nc_mem_name **names = NULL;
	size_t count = 0;
	int code = nc_mem_names(dir, &names, &count, err);
	for (size_t i = 0; i < count; i++)
		if (!names[i]->own)
			nc_mem_name_free(nc_mem_name_take(dir, names[i]->text));
	return code;
}

static int hide_below(void *ctx, struct nc_mem_node *dir, struct nc_mem_name *name, const char *path,
		      struct nacre_error *err)
{
	return name->node->type == NC_ENTRY_DIR ? hide(name->node, err) : 0;
}

static int make_opaque(struct nc_mem_node *dir, struct nacre_error *err)
{
	int code = hide(dir, err);
	return code < 0 ? code : nc_mem_each(dir, "", hide_below, NULL, err);
}

/* --- the way to a member ---------------------------------------------------------------------------------------- */

struct steps {
	struct nc_mem_put *put;
	const char *what;
	const struct nc_time *make;	/* NULL: only look */
	struct nc_buf path, rest;
	size_t at;
	unsigned links, steps;
};

static void steps_release(struct steps *steps)
{
	nc_buf_release(&steps->path);
	nc_buf_release(&steps->rest);
}

static int follow(struct steps *steps, const char *target, struct nacre_error *err)
{
	if (++steps->links > LINKS_MAX)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' leads through too many links", steps->what);
	int code = nc_way_splice(&steps->rest, &steps->at, target, strlen(target), err);
	if (code == 0 && target[0] == '/')
		nc_buf_clear(&steps->path);
	return code;
}

/* See to it that name is a directory of this layer in dir. */
static int imply(struct nc_mem_node *dir, const char *text, struct nc_mem_name *name, const struct nc_time *when,
		 struct nacre_error *err)
{
	if (name && name->node->type == NC_ENTRY_DIR) {
		if (!name->own)
			name->kind = NC_MEM_ANON;
		name->own = true;
		return 0;
	}
	if (name)
		nc_mem_name_free(nc_mem_name_take(dir, name->text));
	struct nc_attrs attrs = { .mode = 0755, .mtime = *when };
	struct nc_mem_node *node = nc_mem_node_new(NC_ENTRY_DIR, &attrs);
	return node ? nc_mem_name_add(dir, text, node, true, NC_MEM_ANON, NULL, err) : nc_nomem(err);
}

static int step_into(struct steps *steps, const char *text, struct nacre_error *err)
{
	const struct nc_mem_tree *tree = steps->put->tree;
	struct nc_mem_name *up = nc_mem_find(tree, nc_buf_text(&steps->path), steps->path.len);
	struct nc_mem_name *name = NULL;
	if (up && up->node->type == NC_ENTRY_DIR)
		name = nc_mem_name_get(up->node, text, strlen(text));
	if (name && name->own && name->node->type == NC_ENTRY_SYMLINK)
		return follow(steps, name->node->link, err);
	int code = nc_way_add(&steps->path, text, strlen(text), err);
	if (code < 0 || !steps->make)
		return code;
	if (name && name->own && name->node->type != NC_ENTRY_DIR)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' lies below '%s', which the layer made as no directory",
			       steps->what, steps->path.data);
	return imply(up->node, text, name, steps->make, err);
}

static int walk_steps(struct steps *steps, struct nacre_error *err)
{
	for (;;) {
		const char *start = steps->rest.data + steps->at;
		start += strspn(start, "/");
		size_t len = strcspn(start, "/");
		if (!len)
			return 0;
		steps->at = (size_t)(start - steps->rest.data) + len;
		char text[NAME_MAX + 1];
		if (len > NAME_MAX || ++steps->steps > STEPS_MAX)
			return nc_fail(err, NACRE_E_BADDATA, 0, "a link on the way to '%s' is too long", steps->what);
		memcpy(text, start, len);
		text[len] = '\0';
		int code = 0;
		if (strcmp(text, "..") == 0)
			nc_way_cut(&steps->path);
		else if (strncmp(text, WHITEOUT, 4) == 0)
			code = nc_fail(err, NACRE_E_BADDATA, 0, "'%s' leads through a whiteout's name", steps->what);
		else if (strcmp(text, ".") != 0)
			code = step_into(steps, text, err);
		if (code < 0)
			return code;
	}
}

/* Where the directory of a name lies; with when it is there afterwards, and this layer's. */
static int go(struct nc_mem_put *put, const char *name, size_t len, const struct nc_time *when,
	      struct nc_buf *ret_path, bool *ret_linked, struct nacre_error *err)
{
	NC_CLEANUP(steps_release) struct steps steps = {
		.put = put, .what = name, .make = when,
		.path = NC_BUF_INIT(NAME_LIMIT), .rest = NC_BUF_INIT(4 * NAME_LIMIT),
	};
	int code = nc_buf_add(&steps.rest, name, len, err);
	if (code >= 0)
		code = walk_steps(&steps, err);
	if (code < 0)
		return code;
	nc_buf_clear(ret_path);
	*ret_linked = steps.links > 0;
	return nc_buf_add(ret_path, nc_buf_text(&steps.path), steps.path.len, err);
}

/* --- members ---------------------------------------------------------------------------------------------------- */

static int dress(struct nc_mem_node *node, const struct nc_entry *entry, struct nacre_error *err)
{
	struct nc_attrs attrs;
	nc_attrs_of_entry(entry, &attrs);
	if (attrs.uid == UINT32_MAX || attrs.gid == UINT32_MAX)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' has an owner that no file can have", entry->name);
	NC_AUTO_FREE struct nc_xattr *kept = nc_realloc_array(NULL, attrs.xattr_count, sizeof *kept);
	if (!kept)
		return nc_nomem(err);
	size_t count = 0;
	for (size_t i = 0; i < attrs.xattr_count; i++)
		if (nc_xattr_allowed(attrs.xattrs[i].name) && nc_xattr_holdable(attrs.xattrs[i].name, node->type))
			kept[count++] = attrs.xattrs[i];
	struct nc_xattr_list xattrs;
	int code = nc_xattrs_copy(kept, count, &xattrs, err);
	if (code < 0)
		return code;
	nc_xattr_list_release(&node->xattrs);
	node->xattrs = xattrs;
	node->attrs = attrs;
	node->attrs.xattrs = NULL;
	node->attrs.xattr_count = 0;
	return 0;
}

static int check(const struct nc_entry *entry, struct nacre_error *err)
{
	bool device = entry->type == NC_ENTRY_CHAR || entry->type == NC_ENTRY_BLOCK;
	if (entry->type == NC_ENTRY_CHAR && !entry->dev_major && !entry->dev_minor)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is the device 0:0, which means a whiteout",
			       entry->name);
	if (device && (entry->dev_major > 0xfff || entry->dev_minor > 0xfffff))
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' has a device number that does not exist", entry->name);
	if (entry->type == NC_ENTRY_SYMLINK && (!entry->link_len || entry->link_len >= PATH_MAX))
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is a link with an impossible target", entry->name);
	if (entry->type == NC_ENTRY_FILE && (entry->size > INT64_MAX || entry->stored > entry->size))
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' has an impossible size", entry->name);
	return 0;
}

static int node_of(const struct nc_entry *entry, struct nc_mem_node **ret, struct nacre_error *err)
{
	struct nc_attrs none = { .mode = 0 };
	int code = check(entry, err);
	if (code < 0)
		return code;
	struct nc_mem_node *node = nc_mem_node_new(entry->type, &none);
	if (!node)
		return nc_nomem(err);
	node->links = 1;
	node->dev_major = entry->dev_major;
	node->dev_minor = entry->dev_minor;
	node->size = entry->type == NC_ENTRY_FILE ? entry->size : 0;
	code = dress(node, entry, err);
	if (code >= 0 && entry->type == NC_ENTRY_SYMLINK) {
		node->link = nc_strdup(entry->link);
		if (!node->link)
			code = nc_nomem(err);
	}
	if (code < 0) {
		nc_mem_node_drop(node);
		return code;
	}
	*ret = node;
	return 0;
}

/* Where a member goes. */
struct place {
	const struct nc_entry *entry;
	struct nc_mem_node *dir;
	const char *text;
	struct nc_buf path;
	bool linked;
};

static int put_dir(struct nc_mem_put *put, struct place *place, struct nc_mem_name *old, struct nacre_error *err)
{
	int code;
	enum nc_mem_kind kind = place->linked ? NC_MEM_ANON : NC_MEM_MEMBER;
	if (old && old->node->type == NC_ENTRY_DIR) {
		code = report_name(put, place->path.data, old, err);
		old->own = true;
		old->kind = kind;
		return code < 0 ? code : dress(old->node, place->entry, err);
	}
	code = old ? displace(put, place->dir, old, place->path.data, err) : 0;
	struct nc_mem_node *node;
	if (code >= 0)
		code = node_of(place->entry, &node, err);
	return code < 0 ? code : nc_mem_name_add(place->dir, place->text, node, true, kind, NULL, err);
}

/* A file of the parents becomes this layer's. */
static int copy_up(struct nc_mem_put *put, struct nc_mem_name *name, const char *path, struct nacre_error *err)
{
	static const struct nc_time never;
	NC_AUTO_BUF struct nc_buf dir = NC_BUF_INIT(NAME_LIMIT);
	bool linked;
	const char *slash = strrchr(path, '/');
	int code = go(put, path, slash ? (size_t)(slash - path) : 0, &never, &dir, &linked, err);
	if (code < 0)
		return code;
	const struct nc_mem_node *from = name->node;
	struct nc_mem_node *node = nc_mem_node_new(from->type, &from->attrs);
	if (!node)
		return nc_nomem(err);
	node->links = 1;
	node->dev_major = from->dev_major;
	node->dev_minor = from->dev_minor;
	node->size = from->size;
	code = nc_xattrs_copy(from->xattrs.items, from->xattrs.count, &node->xattrs, err);
	if (from->link && !(node->link = nc_strdup(from->link)))
		code = nc_nomem(err);
	node->runs = nc_realloc_array(NULL, from->run_count, sizeof *node->runs);
	if (!node->runs)
		code = nc_nomem(err);
	for (size_t i = 0; code >= 0 && i < from->run_count; i++) {
		node->runs[i] = from->runs[i];
		node->runs[i].bytes = nc_memdup(from->runs[i].bytes, from->runs[i].len);
		if (!node->runs[i].bytes)
			code = nc_nomem(err);
		else
			node->run_count = node->run_cap = i + 1;
	}
	if (code < 0) {
		nc_mem_node_drop(node);
		return code;
	}
	nc_mem_node_drop(name->node);
	name->node = node;
	name->own = true;
	name->kind = NC_MEM_ANON;
	return 0;
}

/* Finds the file that a hard link means: *ret is borrowed. ret_path: where it lies, "" for aufs's. */
static int find_target(struct nc_mem_put *put, const struct nc_entry *entry, struct nc_mem_node **ret,
		       struct nc_buf *ret_path, struct nacre_error *err)
{
	NC_AUTO_FREE char *target = nc_alloc(entry->link_len + 1);
	if (!target)
		return nc_nomem(err);
	int code = nc_path_clean(entry->link, entry->link_len, target, NULL, err);
	if (code < 0)
		return code;
	struct nc_mem_name *name;
	if (strncmp(target, PLNK, strlen(PLNK)) == 0) {
		name = nc_mem_find(put->plnk, target + strlen(PLNK), strlen(target + strlen(PLNK)));
	} else {
		const char *slash = strrchr(target, '/');
		const char *text = slash ? slash + 1 : target;
		bool linked;
		code = go(put, target, slash ? (size_t)(slash - target) : 0, NULL, ret_path, &linked, err);
		if (code >= 0 && *text)
			code = nc_way_add(ret_path, text, strlen(text), err);
		if (code < 0)
			return code;
		name = nc_mem_find(put->tree, nc_buf_text(ret_path), ret_path->len);
	}
	if (!name)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is not there", target);
	if (name->node->type == NC_ENTRY_DIR)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is a directory", target);
	if (!name->own)
		code = copy_up(put, name, nc_buf_text(ret_path), err);
	*ret = name->node;
	return code;
}

static int put_link(struct nc_mem_put *put, struct place *place, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(NAME_LIMIT);
	struct nc_mem_node *node = NULL;
	int code = find_target(put, place->entry, &node, &path, err);
	if (code < 0)
		return code;
	size_t len = place->path.len;
	if (path.len > len && memcmp(path.data, place->path.data, len) == 0 && path.data[len] == '/')
		return nc_fail(err, NACRE_E_BADDATA, 0,
			       "hard link '%s' takes the place of the directory that holds its target",
			       place->path.data);
	struct nc_mem_name *old = nc_mem_name_get(place->dir, place->text, strlen(place->text));
	enum nc_mem_kind kind = place->linked ? NC_MEM_ANON : NC_MEM_EMPTY;
	if (old && path.len && strcmp(path.data, place->path.data) == 0) {
		code = report_name(put, place->path.data, old, err);
		old->kind = kind;
		return code;
	}
	atomic_fetch_add(&node->refs, 1);
	code = old ? displace(put, place->dir, old, place->path.data, err) : 0;
	if (code < 0) {
		nc_mem_node_drop(node);
		return code;
	}
	node->links++;
	return nc_mem_name_add(place->dir, place->text, node, true, kind, NULL, err);
}

static int put_other(struct nc_mem_put *put, struct place *place, struct nc_mem_name *old, struct nacre_error *err)
{
	const struct nc_entry *entry = place->entry;
	struct nc_mem_node *node;
	int code = node_of(entry, &node, err);
	if (code < 0)
		return code;
	code = old ? displace(put, place->dir, old, place->path.data, err) : 0;
	if (code < 0) {
		nc_mem_node_drop(node);
		return code;
	}
	bool file = entry->type == NC_ENTRY_FILE;
	enum nc_mem_kind kind = place->linked ? NC_MEM_ANON : file && entry->sparse ? NC_MEM_EMPTY : NC_MEM_MEMBER;
	code = nc_mem_name_add(place->dir, place->text, node, true, kind, NULL, err);
	if (code < 0 || !file)
		return code;
	put->file = node;
	put->expected = entry->stored;
	return entry->sparse || place->linked ? NC_PUT_DONE : NC_PUT_BY_NAME;
}

static int put_object(struct nc_mem_put *put, const char *name, const struct nc_entry *entry, struct nacre_error *err)
{
	const char *slash = strrchr(name, '/');
	NC_CLEANUP(nc_buf_release) struct nc_buf path = NC_BUF_INIT(NAME_LIMIT);
	struct place place = { .entry = entry, .text = slash ? slash + 1 : name };
	int code = go(put, name, slash ? (size_t)(slash - name) : 0, &entry->mtime, &path, &place.linked, err);
	if (code < 0)
		return code;
	place.dir = nc_mem_find(put->tree, nc_buf_text(&path), path.len)->node;
	code = nc_way_add(&path, place.text, strlen(place.text), err);
	if (code < 0)
		return code;
	place.path = path;
	struct nc_mem_name *old = nc_mem_name_get(place.dir, place.text, strlen(place.text));
	switch (entry->type) {
	case NC_ENTRY_DIR:
		return put_dir(put, &place, old, err);
	case NC_ENTRY_LINK:
		return put_link(put, &place, err);
	case NC_ENTRY_META:
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' is no member of a tree", name);
	default:
		return put_other(put, &place, old, err);
	}
}

/* --- members with a meaning ------------------------------------------------------------------------------------- */

static int put_root(struct nc_mem_put *put, const struct nc_entry *entry, struct nacre_error *err)
{
	if (entry->type != NC_ENTRY_DIR)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the root of the layer is no directory");
	int code = put->root_seen ? report(put, "", NULL, err) : 0;
	put->root_seen = true;
	return code < 0 ? code : dress(put->tree->root->node, entry, err);
}

static int put_whiteout(struct nc_mem_put *put, const char *name, size_t dir_len, const struct nc_entry *entry,
			bool opaque, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(NAME_LIMIT);
	bool linked;
	int code = again(put, name, err);
	if (code >= 0)
		code = go(put, name, dir_len, &entry->mtime, &path, &linked, err);
	if (code < 0)
		return code;
	struct nc_mem_node *dir = nc_mem_find(put->tree, nc_buf_text(&path), path.len)->node;
	if (opaque)
		return make_opaque(dir, err);
	const char *hidden = name + dir_len + (dir_len ? 1 : 0) + strlen(WHITEOUT);
	struct nc_mem_name *old = nc_mem_name_get(dir, hidden, strlen(hidden));
	if (!old)
		return 0;
	if (old->own)
		return old->node->type == NC_ENTRY_DIR ? make_opaque(old->node, err) : 0;
	nc_mem_name_free(nc_mem_name_take(dir, hidden));
	return 0;
}

static int put_aufs(struct nc_mem_put *put, const char *name, const struct nc_entry *entry, struct nacre_error *err)
{
	int code = again(put, name, err);
	const char *base = name + strlen(PLNK);
	if (code < 0 || entry->type != NC_ENTRY_FILE || strncmp(name, PLNK, strlen(PLNK)) != 0 || strchr(base, '/'))
		return code;
	struct nc_mem_node *dir = put->plnk->root->node;
	struct nc_mem_node *node;
	code = node_of(entry, &node, err);
	if (code < 0)
		return code;
	node->links = 0;
	if (nc_mem_name_get(dir, base, strlen(base)))
		nc_mem_name_free(nc_mem_name_take(dir, base));
	code = nc_mem_name_add(dir, base, node, true, NC_MEM_ANON, NULL, err);
	if (code < 0)
		return code;
	put->sink = false;
	put->file = node;
	put->expected = entry->stored;
	return 0;
}

static int put_special(struct nc_mem_put *put, const char *name, const char *component, const struct nc_entry *entry,
		       struct nacre_error *err)
{
	size_t dir_len = component == name ? 0 : (size_t)(component - name) - 1;
	put->sink = true;
	if (strcmp(component, OPAQUE) == 0)
		return put_whiteout(put, name, dir_len, entry, true, err);
	if (strncmp(component, AUFS, strlen(AUFS)) == 0)
		return put_aufs(put, name, entry, err);
	const char *hidden = component + strlen(WHITEOUT);
	if (strchr(hidden, '/') || !*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is a whiteout of nothing, or lies below one", name);
	return put_whiteout(put, name, dir_len, entry, false, err);
}

static int finish_file(struct nc_mem_put *put, struct nacre_error *err)
{
	if (put->file && put->expected)
		return nc_fail(err, NACRE_E_INVALID, 0, "content is incomplete");
	put->file = NULL;
	return 0;
}

int nc_mem_put_entry(struct nc_mem_put *put, const struct nc_entry *entry, struct nacre_error *err)
{
	NC_AUTO_FREE char *name = nc_alloc(entry->name_len + 1);
	if (!name)
		return nc_nomem(err);
	int code = finish_file(put, err);
	if (code >= 0)
		code = nc_path_clean(entry->name, entry->name_len, name, NULL, err);
	if (code < 0)
		return code;
	put->sink = false;
	if (!*name)
		return put_root(put, entry, err);
	for (const char *at = name; (at = strstr(at, WHITEOUT)); at++)
		if (at == name || at[-1] == '/')
			return put_special(put, name, at, entry, err);
	return put_object(put, name, entry, err);
}

int nc_mem_put_data(struct nc_mem_put *put, const void *bytes, size_t len, uint64_t at, struct nacre_error *err)
{
	struct nc_mem_node *node = put->file;
	if (put->sink || len == 0)
		return 0;
	const struct nc_mem_run *last = node && node->run_count ? &node->runs[node->run_count - 1] : NULL;
	if (!node || len > put->expected || at > node->size || len > node->size - at ||
	    (last && at < last->at + last->len))
		return nc_fail(err, NACRE_E_INVALID, 0, "content that no member announced");
	struct nc_mem_run *more = nc_grown(node->runs, node->run_count, &node->run_cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	node->runs = more;
	char *copy = nc_memdup(bytes, len);
	if (!copy)
		return nc_nomem(err);
	node->runs[node->run_count++] = (struct nc_mem_run){ .at = at, .len = len, .bytes = copy };
	put->expected -= len;
	return 0;
}

/* Every file once, though it may have several names. */
static int add_size(void *ctx, struct nc_mem_node *dir, struct nc_mem_name *name, const char *path,
		    struct nacre_error *err)
{
	struct nc_map *files = ctx;
	if (!name->own || name->node->type != NC_ENTRY_FILE)
		return 0;
	return nc_map_set(files, &name->node->number, sizeof name->node->number, name->node, NULL, err);
}

static int sum_size(void *ctx, const char *key, size_t len, void *value)
{
	*(uint64_t *)ctx += ((struct nc_mem_node *)value)->size;
	return 0;
}

int nc_mem_put_finish(struct nc_mem_put *put, uint64_t *ret_size, struct nacre_error *err)
{
	NC_CLEANUP(nc_map_auto) struct nc_map *files = nc_map_new();
	if (!files)
		return nc_nomem(err);
	int code = finish_file(put, err);
	if (code >= 0)
		code = nc_mem_each(put->tree->root->node, "", add_size, files, err);
	if (code < 0)
		return code;
	*ret_size = 0;
	nc_map_each(files, sum_size, ret_size);
	return 0;
}
