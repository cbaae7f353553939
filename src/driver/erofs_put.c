#include "driver/erofs_put.h"

#include "driver/erofs_format.h"
#include "driver/way.h"
#include "io/path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The rules of driver.h for a tree that is this layer's alone. Nothing is shared with unpack.c but the rules, so that
 * each checks the other. The parents are asked only where a member leaves something open: a directory that it
 * implies, a hard link to what this layer does not have. */

#define LINKS_MAX 40
#define STEPS_MAX 16384
#define NAME_LIMIT 65535
#define WHITEOUT ".wh."
#define AUFS ".wh..wh."
#define OPAQUE ".wh..wh..opq"
#define PLNK ".wh..wh.plnk/"

struct nc_eput {
	struct nc_etree *tree;
	struct nc_elower *lower;
	bool root_dressed;		/* by a member of its own */
	uint32_t plnk;			/* a directory without a name, of members below .wh..wh.plnk */
	struct nc_buf last;		/* the directory of the member before, as it was named */
	uint32_t last_dir;		/* 0: none, or its way went through a link */
	struct nc_buf way;		/* scratch: the physical path of a directory */
	char *clean;
	size_t clean_cap;
};

int nc_eput_new(struct nc_etree *tree, struct nc_elower *lower, struct nc_eput **ret, struct nacre_error *err)
{
	struct nc_eput *put = nc_zalloc(sizeof *put);
	if (!put)
		return nc_nomem(err);
	put->tree = tree;
	put->lower = lower;
	put->last = put->way = (struct nc_buf)NC_BUF_INIT(NAME_LIMIT + 1);
	int code = nc_etree_node(tree, NC_ENTRY_DIR, &put->plnk, err);
	if (code < 0) {
		nc_eput_free(put);
		return code;
	}
	*ret = put;
	return 0;
}

void nc_eput_free(struct nc_eput *put)
{
	if (!put)
		return;
	nc_buf_release(&put->last);
	nc_buf_release(&put->way);
	free(put->clean);
	free(put);
}

/* --- what is there ---------------------------------------------------------------------------------------------- */

static uint32_t node_at(const struct nc_etree *tree, uint32_t dir, const char *name, size_t len)
{
	uint32_t found = nc_etree_find(tree, dir, name, len);
	return found ? tree->names[found].node : 0;
}

static uint8_t type_of(const struct nc_etree *tree, uint32_t node)
{
	return node ? tree->nodes[node].type : 0;
}

/* This layer's own node at a physical path, or 0. ret_hidden: nothing of the parents can show there. */
static uint32_t find_own(const struct nc_etree *tree, const char *path, size_t len, bool *ret_hidden)
{
	uint32_t node = NC_ENODE_ROOT;
	*ret_hidden = false;
	for (size_t at = 0; at < len && node;) {
		size_t part = 0;
		while (at + part < len && path[at + part] != '/')
			part++;
		*ret_hidden = *ret_hidden || tree->nodes[node].opaque || tree->nodes[node].type != NC_ENTRY_DIR;
		node = type_of(tree, node) == NC_ENTRY_DIR ? node_at(tree, node, path + at, part) : 0;
		at += part + 1;
	}
	*ret_hidden = *ret_hidden || type_of(tree, node) == NC_ENODE_WHITEOUT;
	return type_of(tree, node) == NC_ENODE_WHITEOUT ? 0 : node;
}

/* What the parents show at a physical path, 1, or 0: nothing, or this layer hides it. */
static int find_below(struct nc_eput *put, const char *path, size_t len, struct nc_efound *ret, struct nacre_error *err)
{
	struct nc_estack *below;
	bool hidden;
	find_own(put->tree, path, len, &hidden);
	if (hidden)
		return 0;
	int code = nc_elower_open(put->lower, &below, err);
	return code < 0 || !below ? code : nc_estack_find(below, path, len, ret, err);
}

/* Put a node of a lower layer's into this one's tree, its content staying where it is. */
static int take_over(struct nc_eput *put, const struct nc_efound *found, uint32_t *ret, struct nacre_error *err)
{
	int code = nc_etree_node(put->tree, found->inode.node.type, ret, err);
	return code < 0 ? code : nc_estack_copy(put->lower->stack, found, put->tree, *ret, err);
}

/* --- the way to a member ---------------------------------------------------------------------------------------- */

struct steps {
	struct nc_eput *put;
	const char *what;
	const struct nc_time *make;	/* NULL: only look */
	struct nc_buf path, rest;
	uint32_t dir;			/* at path; 0: this layer has none */
	size_t at;
	unsigned links, steps;
};

static void steps_release(struct steps *steps)
{
	nc_buf_release(&steps->path);
	nc_buf_release(&steps->rest);
}

static uint32_t own_dir(const struct nc_etree *tree, const struct nc_buf *path)
{
	bool hidden;
	uint32_t node = find_own(tree, nc_buf_text(path), path->len, &hidden);
	return type_of(tree, node) == NC_ENTRY_DIR ? node : 0;
}

static int follow(struct steps *steps, uint32_t link, struct nacre_error *err)
{
	const struct nc_etree *tree = steps->put->tree;
	const char *target = nc_etree_string(tree, tree->nodes[link].text);
	if (++steps->links > LINKS_MAX)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' leads through too many links", steps->what);
	int code = nc_way_splice(&steps->rest, &steps->at, target, strlen(target), err);
	if (code == 0 && target[0] == '/') {
		nc_buf_clear(&steps->path);
		steps->dir = NC_ENODE_ROOT;
	}
	return code;
}

/* Make a directory that no member mentioned: as the parents have it, or plain. old: what this layer has of that name,
 * a whiteout or nothing. */
static int imply(struct steps *steps, uint32_t up, const char *text, uint32_t old, struct nacre_error *err)
{
	struct nc_eput *put = steps->put;
	struct nc_etree *tree = put->tree;
	struct nc_efound below;
	uint32_t node;
	int found = find_below(put, steps->path.data, steps->path.len, &below, err);
	if (found > 0 && below.inode.node.type != NC_ENTRY_DIR)
		found = 0;
	int code = found < 0 ? found : found ? take_over(put, &below, &node, err) : nc_etree_node(tree, NC_ENTRY_DIR, &node, err);
	if (code < 0)
		return code;
	struct nc_enode *made = &tree->nodes[node];
	if (!found) {
		made->mode = 0755;
		made->sec = steps->make->sec;
		made->nsec = steps->make->nsec;
	}
	steps->dir = node;
	if (!old)
		return nc_etree_name(tree, up, text, strlen(text), node, err);
	made->opaque = true;
	tree->names[old].node = node;
	return 0;
}

static int step_into(struct steps *steps, const char *text, size_t len, struct nacre_error *err)
{
	const struct nc_etree *tree = steps->put->tree;
	uint32_t up = steps->dir;
	uint32_t name = up ? nc_etree_find(tree, up, text, len) : 0;
	uint32_t node = name ? tree->names[name].node : 0;
	uint8_t type = type_of(tree, node);
	if (type == NC_ENTRY_SYMLINK)
		return follow(steps, node, err);
	int code = nc_way_add(&steps->path, text, len, err);
	if (code < 0)
		return code;
	steps->dir = type == NC_ENTRY_DIR ? node : 0;
	if (steps->dir || !steps->make)
		return 0;
	if (type && type != NC_ENODE_WHITEOUT)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' lies below '%s', which the layer made as no directory",
			       steps->what, steps->path.data);
	return imply(steps, up, text, name, err);
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
		if (strcmp(text, "..") == 0) {
			nc_way_cut(&steps->path);
			steps->dir = own_dir(steps->put->tree, &steps->path);
		} else if (strncmp(text, WHITEOUT, 4) == 0) {
			code = nc_fail(err, NACRE_E_BADDATA, 0, "'%s' leads through a whiteout's name", steps->what);
		} else if (strcmp(text, ".") != 0) {
			code = step_into(steps, text, len, err);
		}
		if (code < 0)
			return code;
	}
}

/* Where the directory of a name lies; with when it is there afterwards, and this layer's. */
static int go(struct nc_eput *put, const char *name, size_t len, const struct nc_time *when, struct nc_buf *ret_path,
	      uint32_t *ret_dir, bool *ret_linked, struct nacre_error *err)
{
	NC_CLEANUP(steps_release) struct steps steps = {
		.put = put, .what = name, .make = when, .dir = NC_ENODE_ROOT,
		.path = NC_BUF_INIT(NAME_LIMIT), .rest = NC_BUF_INIT(4 * NAME_LIMIT),
	};
	int code = nc_buf_add(&steps.rest, name, len, err);
	if (code >= 0)
		code = walk_steps(&steps, err);
	if (code < 0)
		return code;
	*ret_linked = steps.links > 0;
	*ret_dir = steps.dir;
	nc_buf_clear(ret_path);
	return nc_buf_add(ret_path, nc_buf_text(&steps.path), steps.path.len, err);
}

/* The same for members: archives are sorted, so it is the directory of the one before most often. put->way is its
 * path. */
static int enter(struct nc_eput *put, const char *name, size_t len, const struct nc_time *when, uint32_t *ret_dir,
		 bool *ret_linked, struct nacre_error *err)
{
	*ret_linked = false;
	*ret_dir = put->last_dir;
	if (put->last_dir && len == put->last.len && memcmp(nc_buf_text(&put->last), name, len) == 0)
		return 0;
	put->last_dir = 0;
	int code = go(put, name, len, when, &put->way, ret_dir, ret_linked, err);
	nc_buf_clear(&put->last);
	if (code == 0 && !*ret_linked)
		code = nc_buf_add(&put->last, name, len, err);
	if (code == 0 && !*ret_linked)
		put->last_dir = *ret_dir;
	return code;
}

/* --- members ---------------------------------------------------------------------------------------------------- */

static int dress(struct nc_eput *put, uint32_t number, const struct nc_entry *entry, struct nacre_error *err)
{
	struct nc_attrs attrs;
	uint32_t xattrs;
	nc_attrs_of_entry(entry, &attrs);
	if (attrs.uid == UINT32_MAX || attrs.gid == UINT32_MAX)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' has an owner that no file can have", entry->name);
	int code = nc_etree_xattrs(put->tree, attrs.xattrs, attrs.xattr_count, type_of(put->tree, number), &xattrs, err);
	if (code < 0)
		return code;
	struct nc_enode *node = &put->tree->nodes[number];
	node->xattrs = xattrs;
	node->uid = attrs.uid;
	node->gid = attrs.gid;
	node->mode = (uint16_t)attrs.mode;
	node->sec = attrs.mtime.sec;
	node->nsec = attrs.mtime.nsec;
	return 0;
}

static int check(const struct nc_entry *entry, struct nacre_error *err)
{
	bool device = entry->type == NC_ENTRY_CHAR || entry->type == NC_ENTRY_BLOCK;
	if (entry->type == NC_ENTRY_CHAR && !entry->dev_major && !entry->dev_minor)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is the device 0:0, which means a whiteout", entry->name);
	if (device && (entry->dev_major > 0xfff || entry->dev_minor > 0xfffff))
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' has a device number that does not exist", entry->name);
	if (entry->type == NC_ENTRY_SYMLINK && (!entry->link_len || entry->link_len >= PATH_MAX))
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is a link with an impossible target", entry->name);
	if (entry->type != NC_ENTRY_FILE)
		return 0;
	if (entry->size > INT64_MAX || entry->stored > entry->size)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' has an impossible size", entry->name);
	if (entry->size > NC_ENODE_SIZE_MAX)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "'%s' is larger than the erofs driver can hold (1 TiB)",
			       entry->name);
	return 0;
}

static int node_of(struct nc_eput *put, const struct nc_entry *entry, uint32_t *ret, struct nacre_error *err)
{
	struct nc_etree *tree = put->tree;
	uint32_t text = 0;
	int code = check(entry, err);
	if (code == 0)
		code = nc_etree_node(tree, (uint8_t)entry->type, ret, err);
	if (code == 0)
		code = dress(put, *ret, entry, err);
	if (code == 0 && entry->type == NC_ENTRY_SYMLINK)
		code = nc_etree_text(tree, entry->link, strlen(entry->link), &text, err);
	if (code < 0)
		return code;
	struct nc_enode *node = &tree->nodes[*ret];
	node->text = text;
	node->size = entry->type == NC_ENTRY_FILE ? entry->size : 0;
	if (entry->type == NC_ENTRY_CHAR || entry->type == NC_ENTRY_BLOCK)
		node->number = (entry->dev_minor & 0xff) | entry->dev_major << 8 | (entry->dev_minor & ~0xffu) << 12;
	return 0;
}

/* Where a member goes. */
struct place {
	const struct nc_entry *entry;
	const char *text;
	uint32_t dir, name;		/* name: what this layer has there already, or 0 */
	bool linked;
};

/* Give node the name, in place of what this layer has there. */
static int settle(struct nc_eput *put, const struct place *place, uint32_t node, struct nacre_error *err)
{
	struct nc_etree *tree = put->tree;
	if (!place->name)
		return nc_etree_name(tree, place->dir, place->text, strlen(place->text), node, err);
	uint8_t old = type_of(tree, tree->names[place->name].node);
	/* what it replaced hid whatever the parents have in a directory of the name */
	if (tree->nodes[node].type == NC_ENTRY_DIR)
		tree->nodes[node].opaque = true;
	if (old == NC_ENTRY_DIR || old == NC_ENTRY_SYMLINK)
		put->last_dir = 0;
	tree->names[place->name].node = node;
	return 0;
}

static int put_dir(struct nc_eput *put, const struct place *place, struct nacre_error *err)
{
	uint32_t node = place->name ? put->tree->names[place->name].node : 0;
	if (type_of(put->tree, node) == NC_ENTRY_DIR)
		return dress(put, node, place->entry, err);
	int code = node_of(put, place->entry, &node, err);
	return code < 0 ? code : settle(put, place, node, err);
}

/* A file of the parents becomes this layer's, too. */
static int copy_up(struct nc_eput *put, const char *path, size_t len, uint32_t *ret, struct nacre_error *err)
{
	static const struct nc_time never;
	NC_AUTO_BUF struct nc_buf way = NC_BUF_INIT(NAME_LIMIT);
	struct nc_efound found;
	uint32_t dir;
	bool linked;
	const char *slash = strrchr(path, '/'), *text = slash ? slash + 1 : path;
	int there = find_below(put, path, len, &found, err);
	if (there < 0)
		return there;
	if (!there)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is not there", path);
	if (found.inode.node.type == NC_ENTRY_DIR)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is a directory", path);
	int code = take_over(put, &found, ret, err);
	if (code == 0)
		code = go(put, path, slash ? (size_t)(slash - path) : 0, &never, &way, &dir, &linked, err);
	return code < 0 ? code : nc_etree_name(put->tree, dir, text, strlen(text), *ret, err);
}

/* Finds the file that a hard link means. ret_path: where it lies, "" for aufs's. */
static int find_target(struct nc_eput *put, const struct nc_entry *entry, uint32_t *ret, struct nc_buf *ret_path,
		       struct nacre_error *err)
{
	NC_AUTO_FREE char *target = nc_alloc(entry->link_len + 1);
	uint32_t dir;
	bool linked, hidden;
	if (!target)
		return nc_nomem(err);
	int code = nc_path_clean(entry->link, entry->link_len, target, NULL, err);
	if (code < 0)
		return code;
	if (strncmp(target, PLNK, strlen(PLNK)) == 0) {
		const char *text = target + strlen(PLNK);
		*ret = node_at(put->tree, put->plnk, text, strlen(text));
		return *ret ? 0 : nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is not there", target);
	}
	const char *slash = strrchr(target, '/'), *text = slash ? slash + 1 : target;
	code = go(put, target, slash ? (size_t)(slash - target) : 0, NULL, ret_path, &dir, &linked, err);
	if (code >= 0 && *text)
		code = nc_way_add(ret_path, text, strlen(text), err);
	if (code < 0)
		return code;
	*ret = find_own(put->tree, nc_buf_text(ret_path), ret_path->len, &hidden);
	if (type_of(put->tree, *ret) == NC_ENTRY_DIR)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the target of a hard link, '%s', is a directory", target);
	return *ret ? 0 : copy_up(put, nc_buf_text(ret_path), ret_path->len, ret, err);
}

/* path: of the link's own directory. */
static int put_link(struct nc_eput *put, struct place *place, const struct nc_buf *way, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf own = NC_BUF_INIT(2 * NAME_LIMIT), path = NC_BUF_INIT(NAME_LIMIT);
	uint32_t node;
	int code = nc_buf_add(&own, nc_buf_text(way), way->len, err);
	if (code == 0)
		code = nc_way_add(&own, place->text, strlen(place->text), err);
	if (code == 0)
		code = find_target(put, place->entry, &node, &path, err);
	if (code < 0)
		return code;
	if (path.len > own.len && memcmp(path.data, own.data, own.len) == 0 && path.data[own.len] == '/')
		return nc_fail(err, NACRE_E_BADDATA, 0,
			       "hard link '%s' takes the place of the directory that holds its target", own.data);
	/* the target may have been copied up to that very name */
	place->name = nc_etree_find(put->tree, place->dir, place->text, strlen(place->text));
	if (place->name && put->tree->names[place->name].node == node)
		return 0;
	return settle(put, place, node, err);
}

static int put_other(struct nc_eput *put, const struct place *place, uint32_t *ret_file, struct nacre_error *err)
{
	const struct nc_entry *entry = place->entry;
	uint32_t node;
	int code = node_of(put, entry, &node, err);
	if (code == 0)
		code = settle(put, place, node, err);
	if (code < 0 || entry->type != NC_ENTRY_FILE)
		return code;
	*ret_file = node;
	return entry->sparse || place->linked ? NC_PUT_DONE : NC_PUT_BY_NAME;
}

static int put_object(struct nc_eput *put, const char *name, const struct nc_entry *entry, uint32_t *ret_file,
		      struct nacre_error *err)
{
	const char *slash = strrchr(name, '/');
	struct place place = { .entry = entry, .text = slash ? slash + 1 : name };
	int code = enter(put, name, slash ? (size_t)(slash - name) : 0, &entry->mtime, &place.dir, &place.linked, err);
	if (code < 0)
		return code;
	place.name = nc_etree_find(put->tree, place.dir, place.text, strlen(place.text));
	switch (entry->type) {
	case NC_ENTRY_DIR:
		return put_dir(put, &place, err);
	case NC_ENTRY_LINK:
		return put_link(put, &place, &put->way, err);
	case NC_ENTRY_META:
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' is no member of a tree", name);
	default:
		return put_other(put, &place, ret_file, err);
	}
}

/* --- members with a meaning ------------------------------------------------------------------------------------- */

static int put_root(struct nc_eput *put, const struct nc_entry *entry, struct nacre_error *err)
{
	if (entry->type != NC_ENTRY_DIR)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the root of the layer is no directory");
	put->root_dressed = true;
	return dress(put, NC_ENODE_ROOT, entry, err);
}

static int put_whiteout(struct nc_eput *put, const char *name, size_t dir_len, const struct nc_entry *entry, bool opaque,
			struct nacre_error *err)
{
	struct nc_etree *tree = put->tree;
	uint32_t dir, node;
	bool linked;
	int code = enter(put, name, dir_len, &entry->mtime, &dir, &linked, err);
	if (code < 0)
		return code;
	if (opaque) {
		tree->nodes[dir].opaque = true;
		return 0;
	}
	const char *hidden = name + dir_len + (dir_len ? 1 : 0) + strlen(WHITEOUT);
	node = node_at(tree, dir, hidden, strlen(hidden));
	if (type_of(tree, node) == NC_ENTRY_DIR)
		tree->nodes[node].opaque = true;
	if (node || !*put->lower->id)
		return 0;
	code = nc_etree_node(tree, NC_ENODE_WHITEOUT, &node, err);
	return code < 0 ? code : nc_etree_name(tree, dir, hidden, strlen(hidden), node, err);
}

static int put_aufs(struct nc_eput *put, const char *name, const struct nc_entry *entry, uint32_t *ret_file,
		    struct nacre_error *err)
{
	const char *base = name + strlen(PLNK);
	if (entry->type != NC_ENTRY_FILE || strncmp(name, PLNK, strlen(PLNK)) != 0 || strchr(base, '/'))
		return 0;
	struct place place = { .entry = entry, .text = base, .dir = put->plnk,
			       .name = nc_etree_find(put->tree, put->plnk, base, strlen(base)) };
	int code = put_other(put, &place, ret_file, err);
	return code < 0 ? code : NC_PUT_DONE;
}

static int put_special(struct nc_eput *put, const char *name, const char *component, const struct nc_entry *entry,
		       uint32_t *ret_file, struct nacre_error *err)
{
	size_t dir_len = component == name ? 0 : (size_t)(component - name) - 1;
	if (strcmp(component, OPAQUE) == 0)
		return put_whiteout(put, name, dir_len, entry, true, err);
	if (strncmp(component, AUFS, strlen(AUFS)) == 0)
		return put_aufs(put, name, entry, ret_file, err);
	const char *hidden = component + strlen(WHITEOUT);
	if (strchr(hidden, '/') || !*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is a whiteout of nothing, or lies below one", name);
	return put_whiteout(put, name, dir_len, entry, false, err);
}

int nc_eput_entry(struct nc_eput *put, const struct nc_entry *entry, uint32_t *ret_file, struct nacre_error *err)
{
	*ret_file = 0;
	if (entry->name_len >= put->clean_cap) {
		size_t cap = entry->name_len * 2 + 256;
		char *more = nc_realloc_array(put->clean, cap, 1);
		if (!more)
			return nc_nomem(err);
		put->clean = more;
		put->clean_cap = cap;
	}
	char *name = put->clean;
	int code = nc_path_clean(entry->name, entry->name_len, name, NULL, err);
	if (code < 0)
		return code;
	if (!*name)
		return put_root(put, entry, err);
	for (const char *at = name; (at = strstr(at, WHITEOUT)); at++)
		if (at == name || at[-1] == '/')
			return put_special(put, name, at, entry, ret_file, err);
	return put_object(put, name, entry, ret_file, err);
}

int nc_eput_finish(struct nc_eput *put, struct nacre_error *err)
{
	struct nc_estack *below;
	struct nc_efound root;
	int code = put->root_dressed ? 0 : nc_elower_open(put->lower, &below, err);
	if (code < 0 || put->root_dressed || !below)
		return code;
	bool opaque = put->tree->nodes[NC_ENODE_ROOT].opaque;
	code = nc_estack_find(below, "", 0, &root, err);
	if (code > 0)
		code = nc_estack_copy(below, &root, put->tree, NC_ENODE_ROOT, err);
	put->tree->nodes[NC_ENODE_ROOT].opaque = opaque;
	return code;
}
