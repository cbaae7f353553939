#include "driver/erofs_stack.h"

#include "base/map.h"
#include "driver/drivers.h"
#include "driver/erofs_format.h"
#include "io/fd.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* IDs in one list. */
#define LOWER_MAX (1u << 20)

struct layer {
	char id[NC_HEX_ID];
	bool loaded;
	struct nc_erofs image;
};

/* A directory of one layer that shows in the merged one. */
struct part {
	uint32_t layer, nid;
};

struct level {
	size_t path_len;		/* of the directory */
	size_t first, count;		/* its parts */
};

struct nc_estack {
	int home;
	struct layer *layers;		/* topmost first */
	size_t count;
	unsigned look_ups;
	/* the directory that was asked for last, and those above it */
	char *path;
	size_t path_cap;
	struct level *levels;
	size_t depth, level_cap;
	struct part *parts;
	size_t part_count, part_cap;
};

/* --- layers ----------------------------------------------------------------------------------------------------- */

bool nc_edevice_is_own(const unsigned char *tag)
{
	static const unsigned char own[NC_EROFS_TAG_ID];
	return memcmp(tag, own, sizeof own) == 0;
}

void nc_edevice_path(const unsigned char *tag, const char *id, struct nc_edevice_path *ret)
{
	const char *file = tag[NC_EROFS_TAG_ID] == NC_EROFS_TAG_TAR ? "tar" : "index";
	char named[NC_HEX_ID];
	for (size_t i = 0; i < NC_EROFS_TAG_ID; i++)
		snprintf(named + 2 * i, 3, "%02x", tag[i]);
	snprintf(ret->text, sizeof ret->text, "%.64s/%s", nc_edevice_is_own(tag) ? id : named, file);
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

void nc_edevice_tag(const char *id, char kind, unsigned char *ret)
{
	for (size_t i = 0; i < NC_EROFS_TAG_ID; i++)
		ret[i] = (unsigned char)(digit(id[2 * i]) << 4 | digit(id[2 * i + 1]));
	ret[NC_EROFS_TAG_ID] = (unsigned char)kind;
}

/* The list of what lies below a layer: nearest first, one a line. NULL: nothing. */
static int read_lower(int home, const char *id, char **ret, size_t *ret_len, struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	int code = nc_dir_open(home, id, &dir, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no tree of layer %s", id);
	if (code == 0)
		code = nc_file_read(dir, "lower", LOWER_MAX, ret, ret_len, err);
	if (code != NACRE_E_NOTFOUND)
		return code;
	*ret = NULL;
	*ret_len = 0;
	return 0;
}

static int fill_layers(struct nc_estack *stack, const char *id, struct nacre_error *err)
{
	NC_AUTO_FREE char *lower = NULL;
	size_t len;
	int code = read_lower(stack->home, id, &lower, &len, err);
	if (code < 0)
		return code;
	stack->layers = nc_zalloc((1 + len / NC_HEX_ID) * sizeof *stack->layers);
	if (!stack->layers)
		return nc_nomem(err);
	memcpy(stack->layers[stack->count++].id, id, NC_HEX_ID);
	for (size_t at = 0; at + NC_HEX_ID <= len; at += NC_HEX_ID) {
		lower[at + NC_HEX_ID - 1] = lower[at + NC_HEX_ID - 1] == '\n' ? '\0' : 'x';
		if (!nc_is_tree_id(lower + at))
			return nc_fail(err, NACRE_E_CORRUPT, 0, "the list of layers below %s is damaged", id);
		memcpy(stack->layers[stack->count++].id, lower + at, NC_HEX_ID);
	}
	return 0;
}

int nc_estack_new(int home, const char *id, struct nc_estack **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_estack_auto) struct nc_estack *stack = nc_zalloc(sizeof *stack);
	if (!stack)
		return nc_nomem(err);
	stack->home = home;
	int code = fill_layers(stack, id, err);
	if (code == 0)
		*ret = NC_GIVE(stack);
	return code;
}

void nc_estack_free(struct nc_estack *stack)
{
	if (!stack)
		return;
	for (size_t i = 0; i < stack->count; i++)
		nc_erofs_close(&stack->layers[i].image);
	free(stack->layers);
	free(stack->path);
	free(stack->levels);
	free(stack->parts);
	free(stack);
}

int nc_elower_open(struct nc_elower *lower, struct nc_estack **ret, struct nacre_error *err)
{
	int code = *lower->id && !lower->stack && lower->ready ? lower->ready(lower->ctx, err) : 0;
	if (code == 0 && *lower->id && !lower->stack)
		code = nc_estack_new(lower->home, lower->id, &lower->stack, err);
	*ret = lower->stack;
	return code;
}

void nc_elower_release(struct nc_elower *lower)
{
	nc_estack_free(lower->stack);
	lower->stack = NULL;
}

size_t nc_estack_depth(const struct nc_estack *stack)
{
	return stack->count;
}

const char *nc_estack_id(const struct nc_estack *stack, size_t layer)
{
	return stack->layers[layer].id;
}

static int load(struct nc_estack *stack, size_t number, const struct nc_erofs **ret, struct nacre_error *err)
{
	struct layer *layer = &stack->layers[number];
	*ret = &layer->image;
	if (layer->loaded)
		return 0;
	char path[NC_HEX_ID + 8];
	snprintf(path, sizeof path, "%s/index", layer->id);
	NC_AUTO_FD int fd = openat(stack->home, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_CORRUPT : NACRE_E_IO, errno, "open the index of layer %s",
			       layer->id);
	int code = nc_erofs_open(fd, layer->id, &layer->image, err);
	layer->loaded = code == 0;
	return code;
}

static int read_inode(struct nc_estack *stack, size_t layer, uint32_t nid, struct nc_einode *ret,
		      struct nacre_error *err)
{
	const struct nc_erofs *image;
	int code = load(stack, layer, &image, err);
	return code < 0 ? code : nc_erofs_inode(image, nid, ret, err);
}

static int add_part(struct part **parts, size_t *count, size_t *cap, size_t layer, uint32_t nid,
		    struct nacre_error *err)
{
	struct part *more = nc_grown(*parts, *count, cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	*parts = more;
	(*parts)[(*count)++] = (struct part){ (uint32_t)layer, nid };
	return 0;
}

/* --- what one name means ---------------------------------------------------------------------------------------- */

/* A name as the parts of its directory have it, from the topmost down. */
struct meaning {
	struct nc_efound top;
	bool found;			/* there is something, and it is top */
	bool ended;			/* nothing below counts any more */
};

/* What one more part has. Returns 1 when it is a part of a merged directory. */
static int add_meaning(struct nc_estack *stack, struct meaning *meaning, size_t layer, uint32_t nid,
		       struct nacre_error *err)
{
	struct nc_einode inode;
	int code = read_inode(stack, layer, nid, &inode, err);
	if (code < 0)
		return code;
	bool dir = inode.node.type == NC_ENTRY_DIR;
	if (!meaning->found && inode.node.type != NC_ENODE_WHITEOUT) {
		meaning->found = true;
		meaning->top = (struct nc_efound){ .layer = layer, .inode = inode };
	}
	meaning->ended = !dir || inode.node.opaque;
	return dir;
}

static bool is_merged(const struct meaning *meaning)
{
	return meaning->found && meaning->top.inode.node.type == NC_ENTRY_DIR;
}

/* --- looking up ------------------------------------------------------------------------------------------------- */

/* Append the parts of the name in the directory made of parts first to first + count. */
static int look_up(struct nc_estack *stack, size_t first, size_t count, const char *name, size_t len,
		   struct meaning *ret, struct nacre_error *err)
{
	*ret = (struct meaning){ .found = false };
	for (size_t i = first; i < first + count && !ret->ended; i++) {
		struct part part = stack->parts[i];
		struct nc_einode dir;
		uint32_t nid;
		int code = read_inode(stack, part.layer, part.nid, &dir, err);
		if (code == 0)
			code = nc_einode_find(&dir, name, len, &nid, err);
		if (code > 0)
			code = add_meaning(stack, ret, part.layer, nid, err);
		if (code > 0)
			code = add_part(&stack->parts, &stack->part_count, &stack->part_cap, part.layer, nid, err);
		if (code < 0)
			return code;
	}
	return 0;
}

static int push_level(struct nc_estack *stack, size_t path_len, size_t first, struct nacre_error *err)
{
	struct level *more = nc_grown(stack->levels, stack->depth, &stack->level_cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	stack->levels = more;
	stack->levels[stack->depth++] = (struct level){ path_len, first, stack->part_count - first };
	return 0;
}

static int enter_root(struct nc_estack *stack, size_t layer, uint32_t nid, struct meaning *meaning, struct nacre_error *err)
{
	int code = add_meaning(stack, meaning, layer, nid, err);
	return code ? code : nc_fail(err, NACRE_E_CORRUPT, 0, "the root of layer %s is no directory", stack->layers[layer].id);
}

static int push_root(struct nc_estack *stack, struct nacre_error *err)
{
	struct meaning meaning = { .found = false };
	int code = 0;
	stack->part_count = 0;
	for (size_t i = 0; code == 0 && i < stack->count && !meaning.ended; i++) {
		const struct nc_erofs *image;
		code = load(stack, i, &image, err);
		if (code == 0)
			code = enter_root(stack, i, image->root, &meaning, err);
		if (code > 0)
			code = add_part(&stack->parts, &stack->part_count, &stack->part_cap, i, image->root, err);
	}
	return code < 0 ? code : push_level(stack, 0, 0, err);
}

static int keep_path(struct nc_estack *stack, const char *path, size_t len, struct nacre_error *err)
{
	if (len > stack->path_cap) {
		char *more = nc_realloc_array(stack->path, len * 2, 1);
		if (!more)
			return nc_nomem(err);
		stack->path = more;
		stack->path_cap = len * 2;
	}
	if (len)
		memcpy(stack->path, path, len);
	return 0;
}

/* Leave the levels that are not on the way to path. */
static void back_up(struct nc_estack *stack, const char *path, size_t len)
{
	while (stack->depth > 1) {
		size_t have = stack->levels[stack->depth - 1].path_len;
		if (have <= len && memcmp(stack->path, path, have) == 0 && (have == len || path[have] == '/'))
			break;
		stack->part_count = stack->levels[--stack->depth].first;
	}
}

/* Make the directory at path the last level: 1, or 0: it is none. */
static int enter(struct nc_estack *stack, const char *path, size_t len, struct nacre_error *err)
{
	int code = stack->depth ? 0 : push_root(stack, err);
	if (code < 0)
		return code;
	back_up(stack, path, len);
	code = keep_path(stack, path, len, err);
	size_t at = stack->levels[stack->depth - 1].path_len;
	while (code == 0 && at < len) {
		struct level up = stack->levels[stack->depth - 1];
		struct meaning meaning;
		size_t from = at ? at + 1 : 0, end = from, first = stack->part_count;
		while (end < len && path[end] != '/')
			end++;
		code = look_up(stack, up.first, up.count, path + from, end - from, &meaning, err);
		if (code == 0 && !is_merged(&meaning)) {
			stack->part_count = first;
			return 0;
		}
		if (code == 0)
			code = push_level(stack, end, first, err);
		at = end;
	}
	return code < 0 ? code : 1;
}

/* Every layer has a root of its own: those below need not be read. */
static int find_root(struct nc_estack *stack, struct nc_efound *ret, struct nacre_error *err)
{
	const struct nc_erofs *image;
	int code = load(stack, 0, &image, err);
	ret->layer = 0;
	if (code == 0)
		code = nc_erofs_inode(image, image->root, &ret->inode, err);
	return code < 0 ? code : 1;
}

/* The path as one layer alone has it. ended: nothing below counts any more. */
static int find_in_layer(struct nc_estack *stack, size_t layer, const char *path, size_t len, struct meaning *ret,
			 struct nacre_error *err)
{
	const struct nc_erofs *image;
	int code = load(stack, layer, &image, err);
	*ret = (struct meaning){ .found = false };
	if (code == 0)
		code = enter_root(stack, layer, image->root, ret, err);
	bool ended = ret->ended;
	for (size_t at = 0, end; code > 0 && at < len; at = end + 1) {
		uint32_t nid;
		end = at;
		while (end < len && path[end] != '/')
			end++;
		code = nc_einode_find(&ret->top.inode, path + at, end - at, &nid, err);
		*ret = (struct meaning){ .found = false };
		if (code <= 0)
			break;
		code = add_meaning(stack, ret, layer, nid, err);
		ended = ended || ret->ended;
		/* a file, or nothing, where a directory would have to be */
		ret->found = ret->found && (code > 0 || end == len);
	}
	ret->ended = ended;
	return code < 0 ? code : 0;
}

/* One layer after the other, until one has it: those below need not be read. */
static int find_by_layer(struct nc_estack *stack, const char *path, size_t len, struct nc_efound *ret, struct nacre_error *err)
{
	struct meaning meaning = { .found = false };
	int code = 0;
	for (size_t i = 0; code == 0 && i < stack->count && !meaning.found && !meaning.ended; i++)
		code = find_in_layer(stack, i, path, len, &meaning, err);
	*ret = meaning.top;
	return code < 0 ? code : meaning.found;
}

int nc_estack_find(struct nc_estack *stack, const char *path, size_t len, struct nc_efound *ret,
		   struct nacre_error *err)
{
	size_t dir = len;
	while (dir && path[dir - 1] != '/')
		dir--;
	size_t name = dir;
	if (!len)
		return find_root(stack, ret, err);
	if (!stack->depth && stack->look_ups++ < NC_FEW_LOOK_UPS)
		return find_by_layer(stack, path, len, ret, err);
	int code = enter(stack, path, dir ? dir - 1 : 0, err);
	if (code <= 0)
		return code;
	struct level level = stack->levels[stack->depth - 1];
	struct meaning meaning;
	size_t parts = stack->part_count;
	code = look_up(stack, level.first, level.count, path + name, len - name, &meaning, err);
	stack->part_count = parts;
	*ret = meaning.top;
	return code < 0 ? code : meaning.found;
}

/* --- listing ---------------------------------------------------------------------------------------------------- */

/* The directories of a merged one, read side by side. */
struct side {
	struct nc_einode dir;
	struct nc_ecursor cursor;
	struct nc_edirent entry;
	bool more;
	size_t layer;
};

struct listing {
	struct nc_estack *stack;
	struct side *sides;		/* topmost first */
	size_t count, cap;
	struct part *parts;		/* of the name at hand */
	size_t part_count, part_cap;
};

static void listing_release(struct listing *listing)
{
	free(listing->sides);
	free(listing->parts);
}

static int step(struct side *side, struct nacre_error *err)
{
	int code = nc_ecursor_next(&side->cursor, &side->entry, err);
	side->more = code > 0;
	return code < 0 ? code : 0;
}

/* parts is not needed after it. */
static int listing_begin(struct listing *listing, const struct part *parts, size_t count, struct nacre_error *err)
{
	if (count > listing->cap) {
		struct side *more = nc_realloc_array(listing->sides, count, sizeof *more);
		if (!more)
			return nc_nomem(err);
		listing->sides = more;
		listing->cap = count;
	}
	listing->count = count;
	int code = 0;
	for (size_t i = 0; code == 0 && i < count; i++) {
		struct side *side = &listing->sides[i];
		*side = (struct side){ .layer = parts[i].layer, .cursor.dir = &side->dir };
		code = read_inode(listing->stack, parts[i].layer, parts[i].nid, &side->dir, err);
		if (code == 0)
			code = step(side, err);
	}
	return code;
}

static const struct nc_edirent *least(const struct listing *listing)
{
	const struct nc_edirent *found = NULL;
	for (size_t i = 0; i < listing->count; i++) {
		const struct nc_edirent *entry = &listing->sides[i].entry;
		if (listing->sides[i].more &&
		    (!found || nc_ename_compare(entry->name, entry->len, found->name, found->len) < 0))
			found = entry;
	}
	return found;
}

/* The next name that shows, and what it means: 1, or 0 at the end. Its parts are in listing. */
static int listing_next(struct listing *listing, struct nc_edirent *ret, struct meaning *meaning,
			struct nacre_error *err)
{
	const struct nc_edirent *next;
	while ((next = least(listing))) {
		*ret = *next;
		*meaning = (struct meaning){ .found = false };
		listing->part_count = 0;
		for (size_t i = 0; i < listing->count; i++) {
			struct side *side = &listing->sides[i];
			if (!side->more ||
			    nc_ename_compare(side->entry.name, side->entry.len, ret->name, ret->len) != 0)
				continue;
			int code = meaning->ended ? 0
						  : add_meaning(listing->stack, meaning, side->layer, side->entry.nid, err);
			if (code > 0)
				code = add_part(&listing->parts, &listing->part_count, &listing->part_cap, side->layer,
						side->entry.nid, err);
			if (code >= 0)
				code = step(side, err);
			if (code < 0)
				return code;
		}
		if (meaning->found)
			return 1;
	}
	return 0;
}

int nc_estack_names(struct nc_estack *stack, const char *path, size_t len,
		    int (*fn)(void *ctx, const char *name, size_t len, struct nacre_error *err), void *ctx,
		    struct nacre_error *err)
{
	NC_CLEANUP(listing_release) struct listing listing = { .stack = stack };
	struct nc_edirent entry;
	struct meaning meaning;
	int code = enter(stack, path, len, err);
	if (code <= 0)
		return code;
	struct level level = stack->levels[stack->depth - 1];
	code = listing_begin(&listing, stack->parts + level.first, level.count, err);
	while (code == 0 && (code = listing_next(&listing, &entry, &meaning, err)) > 0)
		code = fn(ctx, entry.name, entry.len, err);
	return code ? code : 1;
}

/* --- copying ---------------------------------------------------------------------------------------------------- */

static int find_device(struct nc_estack *stack, const struct nc_efound *found, unsigned char *ret,
		       struct nacre_error *err)
{
	const struct nc_erofs *image;
	int code = load(stack, found->layer, &image, err);
	if (code < 0)
		return code;
	const unsigned char *tag = found->inode.node.device ? image->devices[found->inode.node.device - 1].tag : NULL;
	if (!tag || nc_edevice_is_own(tag))
		nc_edevice_tag(stack->layers[found->layer].id, tag ? NC_EROFS_TAG_TAR : NC_EROFS_TAG_INDEX, ret);
	else
		memcpy(ret, tag, NC_EROFS_TAG_ID + 1);
	return 0;
}

int nc_estack_copy(struct nc_estack *stack, const struct nc_efound *found, struct nc_etree *tree, uint32_t node,
		   struct nacre_error *err)
{
	struct nc_enode copy = found->inode.node;
	unsigned char tag[NC_EROFS_TAG_ID + 1];
	int code = 0;
	if (copy.type == NC_ENTRY_FILE && copy.size) {
		code = find_device(stack, found, tag, err);
		if (code == 0)
			code = nc_etree_device(tree, tag, &copy.device, err);
	}
	if (code == 0 && copy.type == NC_ENTRY_SYMLINK)
		code = nc_etree_text(tree, found->inode.own, found->inode.own_len, &copy.text, err);
	if (code == 0)
		code = nc_etree_xattr_bytes(tree, found->inode.xattrs, found->inode.xattrs_len, &copy.xattrs, err);
	if (code < 0)
		return code;
	copy.opaque = false;
	copy.first = tree->nodes[node].first;
	tree->nodes[node] = copy;
	return 0;
}

/* A directory that waits to be merged. */
struct waiting {
	uint32_t node;
	size_t first, count;
};

struct merge {
	struct nc_estack *stack;
	struct nc_etree *tree;
	struct listing listing;
	struct waiting *queue;
	size_t at, count, cap;
	struct part *parts;
	size_t part_count, part_cap;
	struct nc_map *links;		/* of files with several names: their node, by layer and number */
	uint64_t nodes_max;
};

static void merge_release(struct merge *merge)
{
	listing_release(&merge->listing);
	free(merge->queue);
	free(merge->parts);
	nc_map_free(merge->links);
}

static int wait_for(struct merge *merge, uint32_t node, const struct part *parts, size_t count,
		    struct nacre_error *err)
{
	struct waiting *more = nc_grown(merge->queue, merge->count, &merge->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	merge->queue = more;
	merge->queue[merge->count++] = (struct waiting){ node, merge->part_count, count };
	int code = 0;
	for (size_t i = 0; code == 0 && i < count; i++)
		code = add_part(&merge->parts, &merge->part_count, &merge->part_cap, parts[i].layer, parts[i].nid, err);
	return code;
}

/* The node of a file, which may have come by another name. */
static int merge_file(struct merge *merge, const struct nc_efound *found, uint32_t *ret, struct nacre_error *err)
{
	struct part key = { (uint32_t)found->layer, found->inode.nid };
	bool several = found->inode.links > 1 && found->inode.node.type != NC_ENTRY_DIR;
	*ret = several ? (uint32_t)(uintptr_t)nc_map_get(merge->links, &key, sizeof key) : 0;
	if (*ret)
		return 0;
	if (merge->tree->node_count > merge->nodes_max)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "the indexes of layer %s and below lead in circles",
			       merge->stack->layers[0].id);
	int code = nc_etree_node(merge->tree, found->inode.node.type, ret, err);
	if (code == 0)
		code = nc_estack_copy(merge->stack, found, merge->tree, *ret, err);
	return code < 0 || !several ? code
				    : nc_map_set(merge->links, &key, sizeof key, (void *)(uintptr_t)*ret, NULL, err);
}

static int merge_dir(struct merge *merge, struct waiting dir, struct nacre_error *err)
{
	struct nc_edirent entry;
	struct meaning meaning;
	int code = listing_begin(&merge->listing, merge->parts + dir.first, dir.count, err);
	while (code == 0 && (code = listing_next(&merge->listing, &entry, &meaning, err)) > 0) {
		uint32_t node;
		code = merge_file(merge, &meaning.top, &node, err);
		if (code == 0)
			code = nc_etree_name(merge->tree, dir.node, entry.name, entry.len, node, err);
		if (code == 0 && is_merged(&meaning))
			code = wait_for(merge, node, merge->listing.parts, merge->listing.part_count, err);
	}
	return code;
}

int nc_estack_merge(struct nc_estack *stack, struct nc_etree *ret, struct nacre_error *err)
{
	NC_CLEANUP(merge_release) struct merge merge = { .stack = stack, .tree = ret, .listing.stack = stack };
	struct nc_efound root;
	merge.links = nc_map_new();
	if (!merge.links)
		return nc_nomem(err);
	int code = nc_estack_find(stack, "", 0, &root, err);
	if (code > 0)
		code = nc_estack_copy(stack, &root, ret, NC_ENODE_ROOT, err);
	if (code == 0)
		code = enter(stack, "", 0, err);
	if (code > 0)
		code = wait_for(&merge, NC_ENODE_ROOT, stack->parts, stack->levels[0].count, err);
	for (size_t i = 0; i < stack->count; i++)
		merge.nodes_max += stack->layers[i].image.meta_len / NC_EROFS_INODE_SIZE + 2;
	while (code == 0 && merge.at < merge.count)
		code = merge_dir(&merge, merge.queue[merge.at++], err);
	return code;
}

/* --- content ---------------------------------------------------------------------------------------------------- */

/* A reader that owns the descriptor it reads from. */
struct owner {
	struct nc_reader base;
	struct nc_reader *range;
	int fd;
};

static ssize_t owner_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	return nc_reader_next(((struct owner *)reader)->range, ret, err);
}

static void owner_close(struct nc_reader *reader)
{
	struct owner *self = (struct owner *)reader;
	nc_reader_close(self->range);
	nc_fd_release(&self->fd);
	free(self);
}

static int open_range(int home, const char *path, uint64_t at, uint64_t size, struct nc_reader **ret,
		      struct nacre_error *err)
{
	static const struct nc_reader_ops ops = { .next = owner_next, .close = owner_close };
	struct owner *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->base.ops = &ops;
	self->fd = openat(home, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int code = self->fd < 0 ? nc_fail(err, errno == ENOENT ? NACRE_E_CORRUPT : NACRE_E_IO, errno, "open '%s'", path)
				: nc_reader_file_range(self->fd, at, size, path, &self->range, err);
	if (code < 0) {
		owner_close(&self->base);
		return code;
	}
	*ret = &self->base;
	return 0;
}

int nc_estack_content(struct nc_estack *stack, const struct nc_efound *found, struct nc_reader **ret,
		      struct nacre_error *err)
{
	const struct nc_enode *node = &found->inode.node;
	unsigned char tag[NC_EROFS_TAG_ID + 1];
	struct nc_edevice_path path;
	if (!node->size)
		return nc_reader_memory("", 0, ret, err);
	int code = find_device(stack, found, tag, err);
	if (code < 0)
		return code;
	nc_edevice_path(tag, stack->layers[found->layer].id, &path);
	return open_range(stack->home, path.text, (uint64_t)node->block << NC_EROFS_BLOCK_BITS, node->size, ret, err);
}
