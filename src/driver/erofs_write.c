#include "driver/erofs_format.h"
#include "driver/erofs_tree.h"
#include "tar/split.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The order of everything in an image: the root, then directory by directory, nearest the root first, what each holds,
 * by name. Directories and links too long to stand in their inode follow in the same order, in blocks of their own. */
struct image {
	struct nc_etree *tree;
	uint32_t *dirs;			/* in that order */
	size_t dir_count;
	uint64_t end;			/* of the inodes, in bytes */
	uint64_t blocks;		/* that follow them */
	uint64_t inodes, content;
	uint32_t meta_block;
	struct nc_writer *out;
	uint64_t written, crc;
};

/* --- sorting ---------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of a directory, each a pointer into the texts, become its list in their order. */
static int sort_names(struct image *image, uint32_t dir, const char ***scratch, size_t *scratch_cap,
		      struct nacre_error *err)
{
	struct nc_etree *tree = image->tree;
	size_t count = 0;
	for (uint32_t at = tree->nodes[dir].first; at; at = tree->names[at].next)
		count++;
	/* text and number side by side */
	if (count * 2 > *scratch_cap) {
		const char **more = nc_realloc_array(*scratch, count * 2, sizeof *more);
		if (!more)
			return nc_nomem(err);
		*scratch = more;
		*scratch_cap = count * 2;
	}
	const char **pairs = *scratch;
	size_t i = 0;
	for (uint32_t at = tree->nodes[dir].first; at; at = tree->names[at].next) {
		pairs[i++] = nc_etree_string(tree, tree->names[at].text);
		pairs[i++] = (const char *)(uintptr_t)at;
	}
	if (count > 1)
		qsort(pairs, count, 2 * sizeof *pairs, by_text);
	uint32_t *link = &tree->nodes[dir].first;
	for (i = 0; i < count; i++) {
		*link = (uint32_t)(uintptr_t)pairs[2 * i + 1];
		link = &tree->names[*link].next;
	}
	*link = 0;
	return 0;
}

static void count_name(struct image *image, uint32_t dir, uint32_t number)
{
	struct nc_enode *node = &image->tree->nodes[number];
	if (!node->links)
		image->inodes++;
	if (!node->links && node->type == NC_ENTRY_FILE)
		image->content += node->size;
	if (node->type != NC_ENTRY_DIR) {
		node->links++;
		return;
	}
	node->links = 2;
	node->parent = dir;
	image->tree->nodes[dir].links++;
	image->dirs[image->dir_count++] = number;
}

/* Finds what has a name, and counts the names. */
static int sort_all(struct image *image, struct nacre_error *err)
{
	struct nc_etree *tree = image->tree;
	NC_AUTO_FREE const char **scratch = NULL;
	size_t cap = 0;
	int code = 0;
	for (size_t i = 0; i < tree->node_count; i++)
		tree->nodes[i].links = tree->nodes[i].place = 0;
	image->dirs = nc_realloc_array(NULL, tree->node_count, sizeof *image->dirs);
	if (!image->dirs)
		return nc_nomem(err);
	count_name(image, NC_ENODE_ROOT, NC_ENODE_ROOT);
	tree->nodes[NC_ENODE_ROOT].links = 2;
	for (size_t i = 0; code == 0 && i < image->dir_count; i++) {
		code = sort_names(image, image->dirs[i], &scratch, &cap, err);
		for (uint32_t at = tree->nodes[image->dirs[i]].first; code == 0 && at; at = tree->names[at].next)
			count_name(image, image->dirs[i], tree->names[at].node);
	}
	return code;
}

/* --- directories ------------------------------------------------------------------------------------------------ */

/* What a directory lists, its own two names among the others. */
struct listing {
	const struct nc_etree *tree;
	uint32_t dir, next;		/* the name that comes next */
	unsigned dots;			/* that were given out */
};

struct listed {
	const char *name;
	size_t len;
	uint32_t node;
};

static bool list_next(struct listing *listing, struct listed *ret)
{
	static const char *const dots[] = { ".", ".." };
	const struct nc_etree *tree = listing->tree;
	const char *text = listing->next ? nc_etree_string(tree, tree->names[listing->next].text) : NULL;
	if (listing->dots < 2 && (!text || strcmp(dots[listing->dots], text) < 0)) {
		uint32_t up = tree->nodes[listing->dir].parent;
		*ret = (struct listed){ dots[listing->dots], listing->dots + 1, listing->dots ? up : listing->dir };
		listing->dots++;
		return true;
	}
	if (!text)
		return false;
	*ret = (struct listed){ text, strlen(text), tree->names[listing->next].node };
	listing->next = tree->names[listing->next].next;
	return true;
}

static struct listing list_dir(const struct nc_etree *tree, uint32_t dir)
{
	return (struct listing){ .tree = tree, .dir = dir, .next = tree->nodes[dir].first };
}

/* No entry crosses a block. */
static uint64_t dir_size(const struct nc_etree *tree, uint32_t dir)
{
	struct listing listing = list_dir(tree, dir);
	struct listed item;
	uint64_t full = 0;
	size_t used = 0;
	while (list_next(&listing, &item)) {
		size_t need = NC_EROFS_DIRENT + item.len;
		if (used + need > NC_EROFS_BLOCK) {
			full += NC_EROFS_BLOCK;
			used = 0;
		}
		used += need;
	}
	return full + used;
}

/* --- places ----------------------------------------------------------------------------------------------------- */

static size_t xattr_size(const struct nc_etree *tree, const struct nc_enode *node)
{
	size_t size = node->opaque ? sizeof nc_erofs_opaque : 0;
	if (node->xattrs)
		size += nc_get32((const unsigned char *)nc_etree_string(tree, node->xattrs));
	return size ? size + NC_EROFS_XATTR_HEADER : 0;
}

static uint64_t align(uint64_t at, uint64_t unit)
{
	return (at + unit - 1) / unit * unit;
}

/* Bytes that directories and symbolic links have of their own. */
static uint64_t own_size(const struct nc_etree *tree, uint32_t number)
{
	const struct nc_enode *node = &tree->nodes[number];
	if (node->type == NC_ENTRY_SYMLINK)
		return strlen(nc_etree_string(tree, node->text));
	return node->type == NC_ENTRY_DIR ? node->size : 0;
}

static bool in_inode(const struct nc_etree *tree, uint32_t number, size_t xattrs)
{
	uint64_t size = own_size(tree, number);
	return size && NC_EROFS_INODE_SIZE + xattrs + size <= NC_EROFS_BLOCK;
}

/* Where a node's inode goes. What stands in an inode must be in one block with all of it. */
static void place_node(struct image *image, uint32_t number)
{
	struct nc_enode *node = &image->tree->nodes[number];
	if (node->place)
		return;
	if (node->type == NC_ENTRY_DIR)
		node->size = dir_size(image->tree, number);
	size_t xattrs = xattr_size(image->tree, node);
	uint64_t size = NC_EROFS_INODE_SIZE + xattrs, own = own_size(image->tree, number);
	if (in_inode(image->tree, number, xattrs)) {
		size += own;
		if (image->end % NC_EROFS_BLOCK + size > NC_EROFS_BLOCK)
			image->end = align(image->end, NC_EROFS_BLOCK);
	} else if (own) {
		/* counted from the end of the inodes, which is not known before all have their place */
		node->block = (uint32_t)image->blocks;
		image->blocks += align(own, NC_EROFS_BLOCK) / NC_EROFS_BLOCK;
	} else if (node->type == NC_ENTRY_FILE && node->size) {
		size = align(size, NC_EROFS_CHUNK_SIZE) + NC_EROFS_CHUNK_SIZE;
	}
	node->place = (uint32_t)(image->end / NC_EROFS_SLOT);
	image->end = align(image->end + size, NC_EROFS_SLOT);
}

/* Calls fn for each node, in order; those with several names several times. */
static int each_node(struct image *image, int (*fn)(struct image *image, uint32_t number, struct nacre_error *err),
		     struct nacre_error *err)
{
	const struct nc_etree *tree = image->tree;
	int code = fn(image, NC_ENODE_ROOT, err);
	for (size_t i = 0; code == 0 && i < image->dir_count; i++)
		for (uint32_t at = tree->nodes[image->dirs[i]].first; code == 0 && at; at = tree->names[at].next)
			code = fn(image, tree->names[at].node, err);
	return code;
}

static int place_one(struct image *image, uint32_t number, struct nacre_error *err)
{
	place_node(image, number);
	if (image->meta_block + (image->end >> NC_EROFS_BLOCK_BITS) + image->blocks > UINT32_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "the files of a layer are more than EROFS can index");
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static int put(struct image *image, const void *bytes, size_t len, struct nacre_error *err)
{
	image->written += len;
	image->crc = nc_crc64(image->crc, bytes, len);
	return nc_writer_write(image->out, bytes, len, err);
}

static int pad_to(struct image *image, uint64_t at, struct nacre_error *err)
{
	static const unsigned char zeros[NC_EROFS_BLOCK];
	return at > image->written ? put(image, zeros, (size_t)(at - image->written), err) : 0;
}

static uint32_t format_of(uint8_t type)
{
	switch (type) {
	case NC_ENTRY_DIR:
		return S_IFDIR;
	case NC_ENTRY_SYMLINK:
		return S_IFLNK;
	case NC_ENTRY_CHAR:
	case NC_ENODE_WHITEOUT:
		return S_IFCHR;
	case NC_ENTRY_BLOCK:
		return S_IFBLK;
	case NC_ENTRY_FIFO:
		return S_IFIFO;
	default:
		return S_IFREG;
	}
}

/* As the kernel numbers types in directories. */
static unsigned char type_number(uint8_t type)
{
	switch (type) {
	case NC_ENTRY_DIR:
		return 2;
	case NC_ENTRY_CHAR:
	case NC_ENODE_WHITEOUT:
		return 3;
	case NC_ENTRY_BLOCK:
		return 4;
	case NC_ENTRY_FIFO:
		return 5;
	case NC_ENTRY_SYMLINK:
		return 7;
	default:
		return 1;
	}
}

static unsigned chunk_bits(uint64_t size)
{
	unsigned bits = 0;
	while (bits < NC_EROFS_CHUNK_BITS_MAX && size > (uint64_t)NC_EROFS_BLOCK << bits)
		bits++;
	return bits;
}

static int write_block(struct image *image, const struct listed *items, size_t count, struct nacre_error *err)
{
	unsigned char block[NC_EROFS_BLOCK];
	size_t at = count * NC_EROFS_DIRENT;
	for (size_t i = 0; i < count; i++) {
		const struct nc_enode *node = &image->tree->nodes[items[i].node];
		unsigned char *entry = block + i * NC_EROFS_DIRENT;
		nc_put64(entry, node->place);
		nc_put16(entry + 8, (uint16_t)at);
		entry[10] = type_number(node->type);
		entry[11] = 0;
		memcpy(block + at, items[i].name, items[i].len);
		at += items[i].len;
	}
	return put(image, block, at, err);
}

static int write_dir(struct image *image, uint32_t dir, struct nacre_error *err)
{
	struct listing listing = list_dir(image->tree, dir);
	struct listed items[NC_EROFS_BLOCK / NC_EROFS_DIRENT + 1];
	size_t count = 0, used = 0;
	uint64_t start = image->written;
	int code = 0;
	while (code == 0 && list_next(&listing, &items[count])) {
		size_t need = NC_EROFS_DIRENT + items[count].len;
		if (used + need > NC_EROFS_BLOCK) {
			struct listed next = items[count];
			code = write_block(image, items, count, err);
			start += NC_EROFS_BLOCK;
			if (code == 0)
				code = pad_to(image, start, err);
			items[0] = next;
			count = used = 0;
		}
		used += need;
		count++;
	}
	return code < 0 ? code : write_block(image, items, count, err);
}

static int write_own(struct image *image, uint32_t number, struct nacre_error *err)
{
	const struct nc_enode *node = &image->tree->nodes[number];
	if (node->type == NC_ENTRY_DIR)
		return write_dir(image, number, err);
	const char *target = nc_etree_string(image->tree, node->text);
	return put(image, target, strlen(target), err);
}

static int write_xattrs(struct image *image, const struct nc_enode *node, struct nacre_error *err)
{
	static const unsigned char header[NC_EROFS_XATTR_HEADER];
	int code = put(image, header, sizeof header, err);
	if (code == 0 && node->opaque)
		code = put(image, nc_erofs_opaque, sizeof nc_erofs_opaque, err);
	if (code < 0 || !node->xattrs)
		return code;
	const char *kept = nc_etree_string(image->tree, node->xattrs);
	return put(image, kept + 4, nc_get32((const unsigned char *)kept), err);
}

static void fill_inode(const struct image *image, uint32_t number, size_t xattrs, unsigned char *inode)
{
	const struct nc_enode *node = &image->tree->nodes[number];
	uint64_t own = own_size(image->tree, number);
	bool inside = in_inode(image->tree, number, xattrs);
	bool chunk = node->type == NC_ENTRY_FILE && node->size;
	memset(inode, 0, NC_EROFS_INODE_SIZE);
	nc_put16(inode + NC_EROFS_I_FORMAT,
		 (uint16_t)(NC_EROFS_EXTENDED | (inside ? NC_EROFS_INLINE : chunk ? NC_EROFS_CHUNKS : NC_EROFS_PLAIN)));
	nc_put16(inode + NC_EROFS_I_XATTRS, (uint16_t)(xattrs ? (xattrs - NC_EROFS_XATTR_HEADER) / 4 + 1 : 0));
	nc_put16(inode + NC_EROFS_I_MODE, (uint16_t)(format_of(node->type) | node->mode));
	nc_put64(inode + NC_EROFS_I_SIZE, node->type == NC_ENTRY_FILE ? node->size : own);
	if (chunk)
		nc_put16(inode + NC_EROFS_I_UNION, (uint16_t)(NC_EROFS_CHUNK_INDEXES | chunk_bits(node->size)));
	else if (own && !inside)
		nc_put32(inode + NC_EROFS_I_UNION,
			 (uint32_t)(image->meta_block + (image->end >> NC_EROFS_BLOCK_BITS) + node->block));
	else if (node->type == NC_ENTRY_CHAR || node->type == NC_ENTRY_BLOCK)
		nc_put32(inode + NC_EROFS_I_UNION, node->number);
	nc_put32(inode + NC_EROFS_I_NUMBER, node->place);
	nc_put32(inode + NC_EROFS_I_UID, node->uid);
	nc_put32(inode + NC_EROFS_I_GID, node->gid);
	nc_put64(inode + NC_EROFS_I_SEC, (uint64_t)node->sec);
	nc_put32(inode + NC_EROFS_I_NSEC, node->nsec);
	nc_put32(inode + NC_EROFS_I_LINKS, node->links);
}

static int write_chunk(struct image *image, const struct nc_enode *node, struct nacre_error *err)
{
	unsigned char chunk[NC_EROFS_CHUNK_SIZE] = { 0 };
	nc_put16(chunk + 2, node->device);
	nc_put32(chunk + 4, node->block);
	int code = pad_to(image, align(image->written, NC_EROFS_CHUNK_SIZE), err);
	return code < 0 ? code : put(image, chunk, sizeof chunk, err);
}

static int write_inode(struct image *image, uint32_t number, struct nacre_error *err)
{
	const struct nc_enode *node = &image->tree->nodes[number];
	uint64_t at = (uint64_t)node->place * NC_EROFS_SLOT;
	/* another name of something written already */
	if (at < image->written)
		return 0;
	unsigned char inode[NC_EROFS_INODE_SIZE];
	size_t xattrs = xattr_size(image->tree, node);
	fill_inode(image, number, xattrs, inode);
	int code = pad_to(image, at, err);
	if (code == 0)
		code = put(image, inode, sizeof inode, err);
	if (code == 0 && xattrs)
		code = write_xattrs(image, node, err);
	if (code == 0 && in_inode(image->tree, number, xattrs))
		code = write_own(image, number, err);
	else if (code == 0 && node->type == NC_ENTRY_FILE && node->size)
		code = write_chunk(image, node, err);
	return code;
}

static int write_far(struct image *image, uint32_t number, struct nacre_error *err)
{
	const struct nc_enode *node = &image->tree->nodes[number];
	uint64_t own = own_size(image->tree, number);
	uint64_t at = image->end + (uint64_t)node->block * NC_EROFS_BLOCK;
	if (!own || in_inode(image->tree, number, xattr_size(image->tree, node)) || at < image->written)
		return 0;
	int code = pad_to(image, at, err);
	return code < 0 ? code : write_own(image, number, err);
}

/* --- the head --------------------------------------------------------------------------------------------------- */

size_t nc_erofs_head_size(size_t devices)
{
	return NC_EROFS_DEVICE_TABLE_AT + devices * NC_EROFS_DEVICE_SIZE;
}

void nc_erofs_sum(uint64_t meta, const unsigned char *head, size_t len, char *ret)
{
	static const unsigned char none[NC_EROFS_NAME_SIZE];
	size_t name = NC_EROFS_SUPER_AT + NC_EROFS_S_NAME, after = name + NC_EROFS_NAME_SIZE;
	uint64_t crc = nc_crc64(meta, head, name);
	crc = nc_crc64(crc, none, sizeof none);
	snprintf(ret, NC_EROFS_NAME_SIZE + 1, "%016" PRIx64, nc_crc64(crc, head + after, len - after));
}

static int write_head(const struct image *image, const struct nc_erofs_layout *layout, struct nc_buf *ret,
		      struct nacre_error *err)
{
	const struct nc_etree *tree = image->tree;
	int code = nc_buf_reserve(ret, nc_erofs_head_size(tree->device_count), err);
	if (code < 0)
		return code;
	unsigned char *head = (unsigned char *)ret->data, *super = head + NC_EROFS_SUPER_AT;
	ret->len = nc_erofs_head_size(tree->device_count);
	memset(head, 0, ret->len);
	nc_put32(super + NC_EROFS_S_MAGIC, NC_EROFS_MAGIC);
	nc_put32(super + NC_EROFS_S_COMPAT, NC_EROFS_COMPAT_MTIME);
	super[NC_EROFS_S_BLOCK_BITS] = NC_EROFS_BLOCK_BITS;
	nc_put16(super + NC_EROFS_S_ROOT, (uint16_t)tree->nodes[NC_ENODE_ROOT].place);
	nc_put64(super + NC_EROFS_S_INODES, image->inodes);
	nc_put32(super + NC_EROFS_S_BLOCKS,
		 (uint32_t)(layout->meta_block + (image->end >> NC_EROFS_BLOCK_BITS) + image->blocks));
	nc_put32(super + NC_EROFS_S_META, layout->meta_block);
	memcpy(super + NC_EROFS_S_UUID, layout->uuid, sizeof layout->uuid);
	nc_put32(super + NC_EROFS_S_INCOMPAT, NC_EROFS_INCOMPAT_CHUNKED | NC_EROFS_INCOMPAT_DEVICES);
	nc_put16(super + NC_EROFS_S_DEVICES, (uint16_t)tree->device_count);
	nc_put16(super + NC_EROFS_S_DEVICE_TABLE, NC_EROFS_DEVICE_TABLE_AT / NC_EROFS_DEVICE_SIZE);
	for (size_t i = 0; i < tree->device_count; i++) {
		unsigned char *slot = head + NC_EROFS_DEVICE_TABLE_AT + i * NC_EROFS_DEVICE_SIZE;
		memcpy(slot, tree->devices[i].tag, sizeof tree->devices->tag);
		nc_put32(slot + NC_EROFS_DEVICE_BLOCKS, tree->devices[i].blocks);
	}
	char sum[NC_EROFS_NAME_SIZE + 1];
	nc_erofs_sum(image->crc, head, ret->len, sum);
	memcpy(super + NC_EROFS_S_NAME, sum, NC_EROFS_NAME_SIZE);
	return 0;
}

static void image_release(struct image *image)
{
	free(image->dirs);
}

int nc_erofs_write(struct nc_etree *tree, const struct nc_erofs_layout *layout, struct nc_writer *out,
		   struct nc_buf *ret_head, uint64_t *ret_content, struct nacre_error *err)
{
	/* inode 0 would be none to readers of directories */
	NC_CLEANUP(image_release) struct image image = { .tree = tree, .out = out, .meta_block = layout->meta_block,
							 .end = NC_EROFS_INODE_SIZE };
	int code = sort_all(&image, err);
	if (code == 0)
		code = each_node(&image, place_one, err);
	image.end = align(image.end, NC_EROFS_BLOCK);
	if (code == 0)
		code = each_node(&image, write_inode, err);
	if (code == 0)
		code = each_node(&image, write_far, err);
	/* the kernel reads whole blocks */
	if (code == 0)
		code = pad_to(&image, image.end + image.blocks * NC_EROFS_BLOCK, err);
	if (code == 0)
		code = write_head(&image, layout, ret_head, err);
	if (code == 0)
		*ret_content = image.content;
	return code;
}
