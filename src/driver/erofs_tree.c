#include "driver/erofs_tree.h"

#include "base/map.h"
#include "driver/erofs_format.h"

#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX UINT32_MAX
#define NODES_MAX ((size_t)1 << 28)
#define DEVICES_MAX 65535u

/* --- memory ----------------------------------------------------------------------------------------------------- */

/* Room for one more. */
static int grow(void **list, size_t *cap, size_t count, size_t size, size_t max, const char *what,
		struct nacre_error *err)
{
	if (count < *cap)
		return 0;
	size_t more = *cap ? *cap + *cap / 2 : 64;
	if (count >= max)
		return nc_fail(err, NACRE_E_LIMIT, 0, "a tree of more than %zu %s", max, what);
	void *bigger = nc_realloc_array(*list, more, size);
	if (!bigger)
		return nc_nomem(err);
	*list = bigger;
	*cap = more;
	return 0;
}

int nc_etree_init(struct nc_etree *tree, bool find, struct nacre_error *err)
{
	*tree = (struct nc_etree){ .node_count = 1, .name_count = 1, .texts = NC_BUF_INIT(TEXTS_MAX) };
	uint32_t root;
	int code = nc_buf_add(&tree->texts, "", 1, err);
	tree->node_cap = tree->name_cap = 64;
	tree->slot_count = 64;
	tree->nodes = nc_zalloc(tree->node_cap * sizeof *tree->nodes);
	tree->names = nc_zalloc(tree->name_cap * sizeof *tree->names);
	tree->slots = find ? nc_zalloc(tree->slot_count * sizeof *tree->slots) : NULL;
	if (code == 0 && (!tree->nodes || !tree->names || (find && !tree->slots)))
		code = nc_nomem(err);
	if (code == 0)
		code = nc_etree_node(tree, NC_ENTRY_DIR, &root, err);
	if (code < 0)
		nc_etree_release(tree);
	else
		tree->nodes[root].mode = 0755;
	return code;
}

void nc_etree_release(struct nc_etree *tree)
{
	free(tree->nodes);
	free(tree->names);
	free(tree->slots);
	free(tree->devices);
	nc_buf_release(&tree->texts);
	*tree = (struct nc_etree){ .node_count = 0 };
}

int nc_etree_node(struct nc_etree *tree, uint8_t type, uint32_t *ret, struct nacre_error *err)
{
	int code = grow((void **)&tree->nodes, &tree->node_cap, tree->node_count, sizeof *tree->nodes, NODES_MAX, "files", err);
	if (code < 0)
		return code;
	tree->nodes[tree->node_count] = (struct nc_enode){ .type = type };
	*ret = (uint32_t)tree->node_count++;
	return 0;
}

int nc_etree_text(struct nc_etree *tree, const void *bytes, size_t len, uint32_t *ret, struct nacre_error *err)
{
	size_t at = tree->texts.len;
	int code = nc_buf_add(&tree->texts, bytes, len, err);
	if (code == 0)
		code = nc_buf_add(&tree->texts, "", 1, err);
	if (code == 0)
		*ret = (uint32_t)at;
	return code;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static size_t slot_of(const struct nc_etree *tree, uint32_t dir, const char *name, size_t len)
{
	return (nc_map_hash(name, len) + dir * 0x9e3779b97f4a7c15u) & (tree->slot_count - 1);
}

static void place(struct nc_etree *tree, uint32_t number)
{
	const struct nc_ename *name = &tree->names[number];
	const char *text = nc_etree_string(tree, name->text);
	size_t slot = slot_of(tree, name->dir, text, strlen(text));
	while (tree->slots[slot])
		slot = (slot + 1) & (tree->slot_count - 1);
	tree->slots[slot] = number;
}

static int grow_slots(struct nc_etree *tree, struct nacre_error *err)
{
	if (tree->name_count * 4 < tree->slot_count * 3)
		return 0;
	uint32_t *slots = nc_zalloc(tree->slot_count * 2 * sizeof *slots);
	if (!slots)
		return nc_nomem(err);
	free(tree->slots);
	tree->slots = slots;
	tree->slot_count *= 2;
	for (size_t i = 1; i < tree->name_count; i++)
		place(tree, (uint32_t)i);
	return 0;
}

uint32_t nc_etree_find(const struct nc_etree *tree, uint32_t dir, const char *name, size_t len)
{
	for (size_t slot = slot_of(tree, dir, name, len); tree->slots[slot]; slot = (slot + 1) & (tree->slot_count - 1)) {
		const struct nc_ename *found = &tree->names[tree->slots[slot]];
		const char *text = nc_etree_string(tree, found->text);
		if (found->dir == dir && strncmp(text, name, len) == 0 && !text[len])
			return tree->slots[slot];
	}
	return 0;
}

int nc_etree_name(struct nc_etree *tree, uint32_t dir, const char *name, size_t len, uint32_t node,
		  struct nacre_error *err)
{
	uint32_t text = 0;
	int code = grow((void **)&tree->names, &tree->name_cap, tree->name_count, sizeof *tree->names, NODES_MAX, "names", err);
	if (code == 0 && tree->slots)
		code = grow_slots(tree, err);
	if (code == 0)
		code = nc_etree_text(tree, name, len, &text, err);
	if (code < 0)
		return code;
	uint32_t number = (uint32_t)tree->name_count++;
	tree->names[number] = (struct nc_ename){ .dir = dir, .node = node, .next = tree->nodes[dir].first, .text = text };
	tree->nodes[dir].first = number;
	if (tree->slots)
		place(tree, number);
	return 0;
}

/* --- attributes ------------------------------------------------------------------------------------------------- */

const unsigned char nc_erofs_opaque[20] = "\x0e\x04\x01\0overlay.opaquey";

/* EROFS writes the beginning of a name as a number. */
static const struct prefix {
	const char *text;
	unsigned char number;
	bool whole;
} prefixes[] = {
	{ "user.", 1, false }, { "system.posix_acl_access", 2, true }, { "system.posix_acl_default", 3, true },
	{ "trusted.", 4, false }, { "security.", 6, false },
};

static const struct prefix *find_prefix(const char *name)
{
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (prefixes[i].whole ? strcmp(name, prefixes[i].text) == 0
				      : strncmp(name, prefixes[i].text, strlen(prefixes[i].text)) == 0)
			return &prefixes[i];
	return NULL;
}

const char *nc_erofs_prefix(unsigned char number)
{
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (prefixes[i].number == number)
			return prefixes[i].text;
	return NULL;
}

static int add_xattr(struct nc_buf *block, const struct nc_xattr *item, struct nacre_error *err)
{
	static const char zeros[4];
	const struct prefix *prefix = find_prefix(item->name);
	if (!prefix || item->value_len > UINT16_MAX)
		return 0;
	const char *rest = item->name + strlen(prefix->text);
	size_t name_len = strlen(rest), size = NC_EROFS_XATTR_ENTRY + name_len + item->value_len;
	size_t padding = -size & 3;
	/* what makes a directory opaque must find room too */
	if (block->len + size + padding + sizeof nc_erofs_opaque > NC_EROFS_XATTRS_MAX)
		return 0;
	unsigned char head[NC_EROFS_XATTR_ENTRY] = { (unsigned char)name_len, prefix->number };
	nc_put16(head + 2, (uint16_t)item->value_len);
	int code = nc_buf_add(block, head, sizeof head, err);
	if (code == 0)
		code = nc_buf_add(block, rest, name_len, err);
	if (code == 0 && item->value_len)
		code = nc_buf_add(block, item->value, item->value_len, err);
	return code < 0 ? code : nc_buf_add(block, zeros, padding, err);
}

int nc_etree_xattr_bytes(struct nc_etree *tree, const unsigned char *bytes, size_t len, uint32_t *ret,
			 struct nacre_error *err)
{
	unsigned char head[4];
	uint32_t text;
	*ret = 0;
	if (!len)
		return 0;
	nc_put32(head, (uint32_t)len);
	size_t at = tree->texts.len;
	int code = nc_buf_add(&tree->texts, head, sizeof head, err);
	if (code == 0)
		code = nc_etree_text(tree, bytes, len, &text, err);
	if (code == 0)
		*ret = (uint32_t)at;
	return code;
}

int nc_etree_xattrs(struct nc_etree *tree, const struct nc_xattr *items, size_t count, uint8_t type, uint32_t *ret,
		    struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf block = NC_BUF_INIT(NC_EROFS_XATTRS_MAX);
	int code = 0;
	*ret = 0;
	for (size_t i = 0; code == 0 && i < count; i++)
		if (nc_xattr_allowed(items[i].name) && nc_xattr_holdable(items[i].name, type))
			code = add_xattr(&block, &items[i], err);
	return code < 0 ? code : nc_etree_xattr_bytes(tree, (const unsigned char *)block.data, block.len, ret, err);
}

/* --- devices ---------------------------------------------------------------------------------------------------- */

int nc_etree_device(struct nc_etree *tree, const unsigned char *tag, uint16_t *ret, struct nacre_error *err)
{
	/* the one that was asked for last comes again most likely */
	for (size_t i = tree->device_count; i > 0; i--)
		if (memcmp(tree->devices[i - 1].tag, tag, sizeof tree->devices->tag) == 0) {
			*ret = (uint16_t)i;
			return 0;
		}
	int code = grow((void **)&tree->devices, &tree->device_cap, tree->device_count, sizeof *tree->devices, DEVICES_MAX,
			"layers", err);
	if (code < 0)
		return code;
	struct nc_edevice *device = &tree->devices[tree->device_count++];
	memcpy(device->tag, tag, sizeof device->tag);
	device->blocks = 0;
	*ret = (uint16_t)tree->device_count;
	return 0;
}
