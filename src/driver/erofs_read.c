#include "driver/erofs_read.h"

#include "driver/copy.h"
#include "driver/erofs_format.h"
#include "io/fd.h"
#include "tar/split.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define META_MAX ((uint64_t)1 << 34)

/* --- the image -------------------------------------------------------------------------------------------------- */

static int unsound(struct nacre_error *err, const char *what)
{
	return nc_fail(err, NACRE_E_CORRUPT, 0, "the index is damaged (%s)", what);
}

static int read_at(int fd, void *to, size_t len, uint64_t at, struct nacre_error *err)
{
	ssize_t got = nc_pread_full(fd, to, len, at);
	if (got < 0)
		return nc_fail(err, NACRE_E_IO, errno, "read the index");
	return (size_t)got < len ? unsound(err, "it is too short") : 0;
}

static int read_devices(const unsigned char *head, size_t count, struct nc_erofs *image, struct nacre_error *err)
{
	image->devices = nc_zalloc(count * sizeof *image->devices);
	if (!image->devices)
		return nc_nomem(err);
	for (size_t i = 0; i < count; i++) {
		const unsigned char *slot = head + NC_EROFS_DEVICE_TABLE_AT + i * NC_EROFS_DEVICE_SIZE;
		memcpy(image->devices[i].tag, slot, sizeof image->devices->tag);
		image->devices[i].blocks = nc_get32(slot + NC_EROFS_DEVICE_BLOCKS);
		unsigned char kind = slot[NC_EROFS_TAG_ID];
		if (kind != NC_EROFS_TAG_TAR && kind != NC_EROFS_TAG_INDEX)
			return unsound(err, "a device");
	}
	image->device_count = count;
	return 0;
}

/* Inodes and directories, which are what they were when they were written. */
static int read_meta(int fd, const unsigned char *head, size_t head_len, struct nc_erofs *image, struct nacre_error *err)
{
	char sum[NC_EROFS_NAME_SIZE + 1];
	image->meta = nc_alloc(image->meta_len);
	if (!image->meta)
		return nc_nomem(err);
	int code = read_at(fd, image->meta, image->meta_len, (uint64_t)image->meta_block << NC_EROFS_BLOCK_BITS, err);
	if (code < 0)
		return code;
	nc_erofs_sum(nc_crc64(0, image->meta, image->meta_len), head, head_len, sum);
	bool same = memcmp(sum, head + NC_EROFS_SUPER_AT + NC_EROFS_S_NAME, NC_EROFS_NAME_SIZE) == 0;
	return same ? 0 : unsound(err, "its checksum");
}

static int read_image(int fd, bool whole, struct nc_erofs *image, struct nacre_error *err)
{
	unsigned char super[NC_EROFS_SUPER_SIZE];
	struct stat st;
	int code = read_at(fd, super, sizeof super, NC_EROFS_SUPER_AT, err);
	if (code < 0)
		return code;
	if (fstat(fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "stat the index");
	image->meta_block = nc_get32(super + NC_EROFS_S_META);
	image->root = nc_get16(super + NC_EROFS_S_ROOT);
	uint64_t at = (uint64_t)image->meta_block << NC_EROFS_BLOCK_BITS, size = (uint64_t)st.st_size;
	size_t devices = nc_get16(super + NC_EROFS_S_DEVICES), head_len = nc_erofs_head_size(devices);
	if (nc_get32(super + NC_EROFS_S_MAGIC) != NC_EROFS_MAGIC || super[NC_EROFS_S_BLOCK_BITS] != NC_EROFS_BLOCK_BITS ||
	    nc_get16(super + NC_EROFS_S_DEVICE_TABLE) != NC_EROFS_DEVICE_TABLE_AT / NC_EROFS_DEVICE_SIZE || !devices)
		return unsound(err, "its head");
	if (at < head_len || at >= size || size - at > META_MAX || size > INT64_MAX)
		return unsound(err, "its size");
	image->meta_len = (size_t)(size - at);
	NC_AUTO_FREE unsigned char *head = nc_alloc(head_len);
	if (!head)
		return nc_nomem(err);
	code = read_at(fd, head, head_len, 0, err);
	if (code == 0)
		code = read_devices(head, devices, image, err);
	return code < 0 || !whole ? code : read_meta(fd, head, head_len, image, err);
}

static int open_image(int fd, bool whole, const char *what, struct nc_erofs *ret, struct nacre_error *err)
{
	*ret = (struct nc_erofs){ .meta = NULL };
	int code = read_image(fd, whole, ret, err);
	if (code < 0) {
		nc_erofs_close(ret);
		return nc_wrap(err, code, "%s", what);
	}
	return 0;
}

int nc_erofs_open(int fd, const char *what, struct nc_erofs *ret, struct nacre_error *err)
{
	return open_image(fd, true, what, ret, err);
}

int nc_erofs_open_head(int fd, const char *what, struct nc_erofs *ret, struct nacre_error *err)
{
	return open_image(fd, false, what, ret, err);
}

void nc_erofs_close(struct nc_erofs *image)
{
	free(image->meta);
	free(image->devices);
	*image = (struct nc_erofs){ .meta = NULL };
}

/* --- inodes ----------------------------------------------------------------------------------------------------- */

static uint8_t type_of(uint32_t mode, uint32_t number)
{
	return S_ISCHR(mode) && !number ? NC_ENODE_WHITEOUT : (uint8_t)nc_type_of_mode(mode);
}

static int find_chunk(const struct nc_erofs *image, uint64_t at, struct nc_enode *node, struct nacre_error *err)
{
	at = (at + NC_EROFS_CHUNK_SIZE - 1) / NC_EROFS_CHUNK_SIZE * NC_EROFS_CHUNK_SIZE;
	if (at + NC_EROFS_CHUNK_SIZE > image->meta_len || node->size > NC_ENODE_SIZE_MAX)
		return unsound(err, "the place of a file");
	node->device = nc_get16(image->meta + at + 2);
	node->block = nc_get32(image->meta + at + 4);
	return node->device > image->device_count ? unsound(err, "the device of a file") : 0;
}

/* The bytes of a directory or link: behind the inode, or in blocks. */
static int find_own(const struct nc_erofs *image, uint64_t at, uint32_t block, bool inside, struct nc_einode *ret,
		    struct nacre_error *err)
{
	if (!inside) {
		if (block < image->meta_block)
			return unsound(err, "the place of a directory");
		at = (uint64_t)(block - image->meta_block) << NC_EROFS_BLOCK_BITS;
	}
	if (at > image->meta_len || ret->node.size > image->meta_len - at || !ret->node.size)
		return unsound(err, "the size of a directory");
	ret->own = image->meta + at;
	ret->own_len = (size_t)ret->node.size;
	return 0;
}

int nc_erofs_inode(const struct nc_erofs *image, uint32_t nid, struct nc_einode *ret, struct nacre_error *err)
{
	uint64_t at = (uint64_t)nid * NC_EROFS_SLOT;
	if (at + NC_EROFS_INODE_SIZE > image->meta_len)
		return unsound(err, "the number of a file");
	const unsigned char *inode = image->meta + at;
	uint32_t format = nc_get16(inode + NC_EROFS_I_FORMAT), mode = nc_get16(inode + NC_EROFS_I_MODE);
	uint32_t place = nc_get32(inode + NC_EROFS_I_UNION), xattrs = nc_get16(inode + NC_EROFS_I_XATTRS);
	*ret = (struct nc_einode){ .nid = nid, .links = nc_get32(inode + NC_EROFS_I_LINKS) };
	ret->node = (struct nc_enode){
		.type = type_of(mode, place), .mode = mode & 07777, .size = nc_get64(inode + NC_EROFS_I_SIZE),
		.uid = nc_get32(inode + NC_EROFS_I_UID), .gid = nc_get32(inode + NC_EROFS_I_GID),
		.sec = (int64_t)nc_get64(inode + NC_EROFS_I_SEC), .nsec = nc_get32(inode + NC_EROFS_I_NSEC),
	};
	uint8_t type = ret->node.type;
	if (!(format & NC_EROFS_EXTENDED) || !type || ret->node.nsec > 999999999)
		return unsound(err, "a file");
	at += NC_EROFS_INODE_SIZE;
	if (xattrs) {
		uint64_t size = NC_EROFS_XATTR_HEADER + 4u * (xattrs - 1);
		if (size > image->meta_len - at)
			return unsound(err, "extended attributes");
		ret->xattrs = image->meta + at + NC_EROFS_XATTR_HEADER;
		ret->xattrs_len = (size_t)size - NC_EROFS_XATTR_HEADER;
		at += size;
	}
	size_t mark = sizeof nc_erofs_opaque;
	if (type == NC_ENTRY_DIR && ret->xattrs_len >= mark && memcmp(ret->xattrs, nc_erofs_opaque, mark) == 0) {
		ret->node.opaque = true;
		ret->xattrs += mark;
		ret->xattrs_len -= mark;
	}
	if (type == NC_ENTRY_CHAR || type == NC_ENTRY_BLOCK)
		ret->node.number = place;
	if (type == NC_ENTRY_FILE)
		return ret->node.size ? find_chunk(image, at, &ret->node, err) : 0;
	if (type == NC_ENTRY_DIR || type == NC_ENTRY_SYMLINK)
		return find_own(image, at, place, (format & ~NC_EROFS_EXTENDED) == NC_EROFS_INLINE, ret, err);
	return 0;
}

/* --- extended attributes ---------------------------------------------------------------------------------------- */

struct xattr {
	const char *prefix, *name;
	const unsigned char *value;
	size_t name_len, value_len;
};

/* The attribute at *at, which moves on: 1, or 0 at the end. */
static int next_xattr(const struct nc_einode *inode, size_t *at, struct xattr *ret, struct nacre_error *err)
{
	if (inode->xattrs_len - *at < NC_EROFS_XATTR_ENTRY)
		return 0;
	const unsigned char *entry = inode->xattrs + *at;
	size_t name_len = entry[0], value_len = nc_get16(entry + 2);
	size_t size = NC_EROFS_XATTR_ENTRY + name_len + value_len;
	*ret = (struct xattr){ .prefix = nc_erofs_prefix(entry[1]), .name = (const char *)entry + NC_EROFS_XATTR_ENTRY,
			       .value = entry + NC_EROFS_XATTR_ENTRY + name_len, .name_len = name_len,
			       .value_len = value_len };
	if (!ret->prefix || size > inode->xattrs_len - *at || memchr(ret->name, '\0', name_len))
		return unsound(err, "an extended attribute");
	*at += (size + 3) & ~(size_t)3;
	if (*at > inode->xattrs_len)
		*at = inode->xattrs_len;
	return 1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct nc_xattr *)a)->name, ((const struct nc_xattr *)b)->name);
}

int nc_einode_xattrs(const struct nc_einode *inode, struct nc_xattr_list *ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_xattr_list_release) struct nc_xattr_list list = { .items = NULL };
	struct xattr xattr;
	size_t at = 0, count = 0, bytes = 0;
	int code;
	*ret = list;
	while ((code = next_xattr(inode, &at, &xattr, err)) > 0) {
		count++;
		bytes += strlen(xattr.prefix) + xattr.name_len + 1 + xattr.value_len;
	}
	if (code < 0 || !count)
		return code;
	list.items = nc_realloc_array(NULL, count, sizeof *list.items);
	list.bytes = nc_alloc(bytes);
	if (!list.items || !list.bytes)
		return nc_nomem(err);
	char *to = list.bytes;
	for (at = 0; next_xattr(inode, &at, &xattr, err) > 0;) {
		struct nc_xattr *item = &list.items[list.count++];
		item->name = to;
		to += sprintf(to, "%s%.*s", xattr.prefix, (int)xattr.name_len, xattr.name) + 1;
		item->value = memcpy(to, xattr.value, xattr.value_len);
		item->value_len = xattr.value_len;
		to += xattr.value_len;
	}
	qsort(list.items, list.count, sizeof *list.items, by_name);
	*ret = list;
	list = (struct nc_xattr_list){ .items = NULL };
	return 0;
}

/* --- directories ------------------------------------------------------------------------------------------------ */

int nc_ename_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order ? order : (a_len > b_len) - (a_len < b_len);
}

struct block {
	const unsigned char *bytes;
	size_t len;
	unsigned count;
};

static int open_block(const struct nc_einode *dir, size_t at, struct block *ret, struct nacre_error *err)
{
	size_t left = dir->own_len - at;
	*ret = (struct block){ .bytes = dir->own + at, .len = left < NC_EROFS_BLOCK ? left : NC_EROFS_BLOCK };
	size_t names = ret->len < NC_EROFS_DIRENT ? 0 : nc_get16(ret->bytes + 8);
	ret->count = (unsigned)(names / NC_EROFS_DIRENT);
	return names % NC_EROFS_DIRENT || !names || names > ret->len ? unsound(err, "a directory") : 0;
}

static int read_dirent(const struct block *block, unsigned index, struct nc_edirent *ret, struct nacre_error *err)
{
	const unsigned char *entry = block->bytes + index * NC_EROFS_DIRENT;
	size_t from = nc_get16(entry + 8);
	size_t to = index + 1 < block->count ? nc_get16(entry + NC_EROFS_DIRENT + 8) : block->len;
	uint64_t nid = nc_get64(entry);
	if (from < block->count * NC_EROFS_DIRENT || from >= to || to > block->len || nid > UINT32_MAX)
		return unsound(err, "a name");
	*ret = (struct nc_edirent){ .name = (const char *)block->bytes + from, .nid = (uint32_t)nid };
	/* the last name of a block may be followed by zeros */
	ret->len = strnlen(ret->name, to - from);
	bool last = index + 1 == block->count;
	if (!ret->len || ret->len > 255 || (!last && ret->len < to - from) || memchr(ret->name, '/', ret->len))
		return unsound(err, "a name");
	return 0;
}

static bool is_dots(const struct nc_edirent *entry)
{
	return entry->name[0] == '.' && (entry->len == 1 || (entry->len == 2 && entry->name[1] == '.'));
}

int nc_ecursor_next(struct nc_ecursor *cursor, struct nc_edirent *ret, struct nacre_error *err)
{
	struct block block;
	while (cursor->at < cursor->dir->own_len) {
		int code = open_block(cursor->dir, cursor->at, &block, err);
		while (code == 0 && cursor->next < block.count) {
			code = read_dirent(&block, cursor->next++, ret, err);
			if (code == 0 && !is_dots(ret))
				return 1;
		}
		if (code < 0)
			return code;
		cursor->at += NC_EROFS_BLOCK;
		cursor->next = 0;
	}
	return 0;
}

/* The last block whose first name is not beyond the one that is sought. */
static int find_block(const struct nc_einode *dir, const char *name, size_t len, struct block *ret,
		      struct nacre_error *err)
{
	size_t low = 0, high = (dir->own_len - 1) / NC_EROFS_BLOCK;
	while (low < high) {
		size_t middle = (low + high + 1) / 2;
		struct nc_edirent first;
		int code = open_block(dir, middle * NC_EROFS_BLOCK, ret, err);
		if (code == 0)
			code = read_dirent(ret, 0, &first, err);
		if (code < 0)
			return code;
		if (nc_ename_compare(first.name, first.len, name, len) <= 0)
			low = middle;
		else
			high = middle - 1;
	}
	return open_block(dir, low * NC_EROFS_BLOCK, ret, err);
}

int nc_einode_find(const struct nc_einode *dir, const char *name, size_t len, uint32_t *ret_nid,
		   struct nacre_error *err)
{
	struct block block;
	int code = find_block(dir, name, len, &block, err);
	for (unsigned low = 0, high = block.count; code == 0 && low < high;) {
		unsigned middle = (low + high) / 2;
		struct nc_edirent entry;
		code = read_dirent(&block, middle, &entry, err);
		if (code < 0)
			return code;
		int order = nc_ename_compare(name, len, entry.name, entry.len);
		if (order == 0) {
			*ret_nid = entry.nid;
			return 1;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return code;
}

/* --- the whole -------------------------------------------------------------------------------------------------- */

/* Inodes that were counted, a bit each, and directories that wait. */
struct count {
	const struct nc_erofs *image;
	unsigned char *seen;
	uint32_t *dirs;
	size_t dir_count, dir_cap;
	uint64_t content;
};

static void count_release(struct count *count)
{
	free(count->seen);
	free(count->dirs);
}

static int count_inode(struct count *count, uint32_t nid, struct nacre_error *err)
{
	struct nc_einode inode;
	int code = nc_erofs_inode(count->image, nid, &inode, err);
	if (code < 0 || count->seen[nid / 8] & 1u << nid % 8)
		return code;
	count->seen[nid / 8] |= (unsigned char)(1u << nid % 8);
	if (inode.node.type == NC_ENTRY_FILE)
		count->content += inode.node.size;
	if (inode.node.type != NC_ENTRY_DIR)
		return 0;
	uint32_t *more = nc_grown(count->dirs, count->dir_count, &count->dir_cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	count->dirs = more;
	count->dirs[count->dir_count++] = nid;
	return 0;
}

static int count_dir(struct count *count, uint32_t nid, struct nacre_error *err)
{
	struct nc_einode dir;
	struct nc_ecursor cursor = { .dir = &dir };
	struct nc_edirent entry;
	int code = nc_erofs_inode(count->image, nid, &dir, err);
	while (code == 0 && (code = nc_ecursor_next(&cursor, &entry, err)) > 0)
		code = count_inode(count, entry.nid, err);
	return code;
}

int nc_erofs_content(const struct nc_erofs *image, uint64_t *ret, struct nacre_error *err)
{
	NC_CLEANUP(count_release) struct count count = { .image = image };
	count.seen = nc_zalloc(image->meta_len / NC_EROFS_SLOT / 8 + 1);
	if (!count.seen)
		return nc_nomem(err);
	int code = count_inode(&count, image->root, err);
	while (code == 0 && count.dir_count)
		code = count_dir(&count, count.dirs[--count.dir_count], err);
	if (code == 0)
		*ret = count.content;
	return code;
}
