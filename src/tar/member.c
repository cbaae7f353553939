#include "tar/member.h"

#include "base/mem.h"
#include "base/base64.h"
#include "tar/reader.h"

#include <stdlib.h>
#include <string.h>

void nc_member_source_init(struct nc_member_source *source)
{
	*source = (struct nc_member_source){ .name = NC_BUF_INIT(NC_TAR_HEADER_MAX),
					     .link = NC_BUF_INIT(NC_TAR_HEADER_MAX),
					     .text = NC_BUF_INIT(NC_TAR_HEADER_MAX) };
	nc_pax_global_init(&source->global);
}

void nc_member_source_release(struct nc_member_source *source)
{
	nc_buf_release(&source->name);
	nc_buf_release(&source->link);
	nc_buf_release(&source->text);
	nc_pax_release(&source->pax);
	nc_pax_global_release(&source->global);
}

void nc_member_source_reset(struct nc_member_source *source)
{
	source->has_name = source->has_link = source->has_pax = false;
	nc_pax_clear(&source->pax);
}

/* The pax header that speaks about key: the member's own one before the global ones, or NULL. No record applies to a
 * global header. */
static const struct nc_pax *pax_of(const struct nc_member_source *source, enum nc_pax_key key)
{
	if (source->header.flag == NC_ENTRY_META)
		return NULL;
	if (source->pax.given & key)
		return &source->pax;
	return source->global.pax.given & ~source->pax.emptied & key ? &source->global.pax : NULL;
}

static struct nc_slice long_text(const struct nc_buf *buf)
{
	const char *text = nc_buf_text(buf);
	return (struct nc_slice){ text, strnlen(text, buf->len) };
}

/* A pax path wins over a long name of GNU's, as in GNU tar and libarchive; no writer gives both. */
static struct nc_slice name_of(const struct nc_member_source *source, char room[NC_TAR_SHORT_NAME])
{
	const struct nc_pax *pax;
	if ((pax = pax_of(source, NC_PAX_SPARSE_NAME)))
		return pax->sparse_name;
	if ((pax = pax_of(source, NC_PAX_PATH)))
		return pax->path;
	if (source->has_name)
		return long_text(&source->name);
	return (struct nc_slice){ room, nc_tar_header_name(source->block, &source->header, room) };
}

static struct nc_slice link_of(const struct nc_member_source *source)
{
	const struct nc_pax *pax = pax_of(source, NC_PAX_LINKPATH);
	if (pax)
		return pax->linkpath;
	if (source->has_link)
		return long_text(&source->link);
	struct nc_slice link;
	link.len = nc_tar_header_link(source->block, &link.bytes);
	return link;
}

static enum nc_entry_type type_of(const struct nc_member_source *source, struct nc_slice name)
{
	unsigned char flag = source->header.flag;
	switch (flag) {
	case 0:
		return name.len && name.bytes[name.len - 1] == '/' ? NC_ENTRY_DIR : NC_ENTRY_FILE;
	case 'D':
		return NC_ENTRY_DIR;
	case NC_ENTRY_META:
	case 'A':	/* Solaris: access control list of the next member */
	case 'I':	/* star: inode data alone */
	case 'M':	/* GNU: continuation of a file of the volume before */
	case 'N':	/* GNU: long names, the oldest way */
	case 'V':	/* GNU: label of the volume */
		return NC_ENTRY_META;
	case NC_ENTRY_LINK:
	case NC_ENTRY_SYMLINK:
	case NC_ENTRY_CHAR:
	case NC_ENTRY_BLOCK:
	case NC_ENTRY_DIR:
	case NC_ENTRY_FIFO:
		return (enum nc_entry_type)flag;
	default:
		return NC_ENTRY_FILE;
	}
}

static int pax_sparse(const struct nc_pax *pax, enum nc_payload *ret, struct nacre_error *err)
{
	bool versioned = pax->given & (NC_PAX_SPARSE_MAJOR | NC_PAX_SPARSE_MINOR);
	uint64_t major = pax->given & NC_PAX_SPARSE_MAJOR ? pax->sparse_major : 0;
	uint64_t minor = pax->given & NC_PAX_SPARSE_MINOR ? pax->sparse_minor : 0;
	if (versioned && !(major == 0 && minor <= 1) && !(major == 1 && minor == 0))
		return nc_fail(err, NACRE_E_BADDATA, 0, "the sparse format %llu.%llu is unknown",
			       (unsigned long long)major, (unsigned long long)minor);
	if (!(pax->given & NC_PAX_SPARSE_SIZE))
		return nc_fail(err, NACRE_E_BADDATA, 0, "the size of the sparse file is missing");
	if (major == 1) {
		*ret = NC_PAYLOAD_MAPPED;
		return 0;
	}
	if (pax->given & NC_PAX_SPARSE_BLOCKS && pax->sparse_blocks != pax->map.count)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the sparse map has %zu runs instead of %llu",
			       pax->map.count, (unsigned long long)pax->sparse_blocks);
	*ret = NC_PAYLOAD_PAX_SPARSE;
	return 0;
}

int nc_member_payload(const struct nc_member_source *source, enum nc_payload *ret, uint64_t *ret_size,
		      struct nacre_error *err)
{
	char room[NC_TAR_SHORT_NAME];
	const struct nc_pax *pax = pax_of(source, NC_PAX_SIZE);
	uint64_t size = pax ? pax->size : source->header.size;
	enum nc_entry_type type = type_of(source, name_of(source, room));
	enum nc_payload payload = NC_PAYLOAD_NONE;
	int code = 0;
	if (type == NC_ENTRY_FILE && source->header.flag == 'S') {
		if (source->header.format != NC_TAR_GNU || source->pax.given & NC_PAX_SPARSE)
			return nc_fail(err, NACRE_E_BADDATA, 0, "a sparse file of an unknown kind");
		payload = NC_PAYLOAD_GNU_SPARSE;
	} else if (source->pax.given & NC_PAX_SPARSE) {
		if (type != NC_ENTRY_FILE)
			return nc_fail(err, NACRE_E_BADDATA, 0, "sparse, but no regular file");
		code = pax_sparse(&source->pax, &payload, err);
	} else if (type == NC_ENTRY_FILE) {
		payload = NC_PAYLOAD_CONTENT;
	} else if (type == NC_ENTRY_META || source->header.flag == 'D') {
		payload = NC_PAYLOAD_FOREIGN;
	}
	if (code < 0)
		return code;
	*ret = payload;
	*ret_size = payload == NC_PAYLOAD_NONE ? 0 : size;
	return 0;
}

void nc_member_init(struct nc_member *member)
{
	/* Decoded, names and values are no longer than their records; a few bytes of slack for each of both sets. */
	*member = (struct nc_member){ .name = NC_BUF_INIT(NC_TAR_NAME_MAX), .link = NC_BUF_INIT(NC_TAR_NAME_MAX),
				      .values = NC_BUF_INIT(2 * NC_TAR_HEADER_MAX + 10 * NC_PAX_XATTRS_MAX) };
}

void nc_member_release(struct nc_member *member)
{
	nc_buf_release(&member->name);
	nc_buf_release(&member->link);
	nc_buf_release(&member->values);
	free(member->xattrs);
	member->xattrs = NULL;
}

static int copy_text(struct nc_buf *buf, struct nc_slice text, const char *what, struct nacre_error *err)
{
	if (text.len > NC_TAR_NAME_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "a %s of %zu bytes, more than %u", what, text.len,
			       NC_TAR_NAME_MAX);
	nc_buf_clear(buf);
	return nc_buf_add(buf, text.bytes, text.len, err);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Returns the length, or -1 for what is no URL encoding or holds NUL. */
static ssize_t url_decode(struct nc_slice text, char *ret)
{
	char *out = ret;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.bytes[i];
		if (c == '%') {
			int high = i + 2 < text.len ? hex_value(text.bytes[i + 1]) : -1;
			int low = i + 2 < text.len ? hex_value(text.bytes[i + 2]) : -1;
			if (high < 0 || low < 0)
				return -1;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (!c)
			return -1;
		*out++ = c;
	}
	return out - ret;
}

/* While the list is being sorted, what came later is greater among equal names. */
struct attribute {
	struct nc_xattr xattr;
	size_t order;
};

static int compare_attributes(const void *a, const void *b)
{
	const struct attribute *left = a, *right = b;
	int names = strcmp(left->xattr.name, right->xattr.name);
	return names ? names : (left->order > right->order) - (left->order < right->order);
}

/* Puts name and value behind one another at *at, which moves on. */
static int place_xattr(const struct nc_pax_xattr *from, char **at, struct nc_xattr *ret, struct nacre_error *err)
{
	char *name = *at;
	ssize_t name_len = (ssize_t)from->name.len, value_len = (ssize_t)from->value.len;
	if (from->coded)
		name_len = url_decode(from->name, name);
	else
		memcpy(name, from->name.bytes, from->name.len);
	if (name_len <= 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "an extended attribute's name is badly encoded");
	name[name_len] = '\0';
	char *value = name + name_len + 1;
	if (from->coded)
		value_len = nc_base64_decode(from->value.bytes, from->value.len, value);
	else
		memcpy(value, from->value.bytes, from->value.len);
	if (value_len < 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the extended attribute '%s' is no base64", name);
	*ret = (struct nc_xattr){ .name = name, .value = value, .value_len = (size_t)value_len };
	*at = value + value_len + 1;
	return 0;
}

static size_t room_for(const struct nc_pax *pax)
{
	size_t room = 0;
	for (size_t i = 0; i < pax->xattr_count; i++)
		room += pax->xattrs[i].name.len + 1 + pax->xattrs[i].value.len + 4;
	return room;
}

static int build_xattrs(struct nc_member *member, const struct nc_pax *global, const struct nc_pax *local,
			struct nacre_error *err)
{
	size_t max = global->xattr_count + local->xattr_count;
	member->entry.xattrs = NULL;
	member->entry.xattr_count = 0;
	if (max == 0)
		return 0;
	nc_buf_clear(&member->values);
	int code = nc_buf_reserve(&member->values, room_for(global) + room_for(local), err);
	if (code < 0)
		return code;
	if (max > member->xattr_cap) {
		struct nc_xattr *xattrs = nc_realloc_array(member->xattrs, max, sizeof *xattrs);
		if (!xattrs)
			return nc_nomem(err);
		member->xattrs = xattrs;
		member->xattr_cap = max;
	}
	NC_AUTO_FREE struct attribute *sorted = nc_realloc_array(NULL, max, sizeof *sorted);
	if (!sorted)
		return nc_nomem(err);
	char *at = member->values.data;
	for (size_t i = 0; i < max; i++) {
		const struct nc_pax_xattr *from = i < global->xattr_count ? &global->xattrs[i]
									   : &local->xattrs[i - global->xattr_count];
		sorted[i].order = i;
		code = place_xattr(from, &at, &sorted[i].xattr, err);
		if (code < 0)
			return code;
	}
	qsort(sorted, max, sizeof *sorted, compare_attributes);
	size_t count = 0;
	for (size_t i = 0; i < max; i++)
		if (i + 1 == max || strcmp(sorted[i].xattr.name, sorted[i + 1].xattr.name) != 0)
			member->xattrs[count++] = sorted[i].xattr;
	member->entry.xattrs = member->xattrs;
	member->entry.xattr_count = count;
	return 0;
}

static void override_numbers(struct nc_entry *entry, const struct nc_member_source *source)
{
	const struct nc_pax *pax;
	if ((pax = pax_of(source, NC_PAX_UID)))
		entry->uid = pax->uid;
	if ((pax = pax_of(source, NC_PAX_GID)))
		entry->gid = pax->gid;
	if ((pax = pax_of(source, NC_PAX_MTIME)))
		entry->mtime = pax->mtime;
	if (entry->type != NC_ENTRY_CHAR && entry->type != NC_ENTRY_BLOCK)
		return;
	if ((pax = pax_of(source, NC_PAX_DEV_MAJOR)))
		entry->dev_major = pax->dev_major;
	if ((pax = pax_of(source, NC_PAX_DEV_MINOR)))
		entry->dev_minor = pax->dev_minor;
}

int nc_member_build(struct nc_member *member, const struct nc_member_source *source, struct nacre_error *err)
{
	static const struct nc_pax nothing;
	char room[NC_TAR_SHORT_NAME];
	struct nc_entry *entry = &member->entry;
	struct nc_slice name = name_of(source, room), link = { "", 0 };
	bool is_global = source->header.flag == NC_ENTRY_META;
	*entry = (struct nc_entry){ .type = type_of(source, name) };
	if (name.len == 0 && entry->type != NC_ENTRY_META)
		return nc_fail(err, NACRE_E_BADDATA, 0, "a member without a name");
	int code = copy_text(&member->name, name, "name", err);
	if (code < 0)
		return code;
	entry->name = nc_buf_text(&member->name);
	entry->name_len = name.len;

	bool linked = entry->type == NC_ENTRY_LINK || entry->type == NC_ENTRY_SYMLINK;
	if (linked)
		link = link_of(source);
	code = copy_text(&member->link, link, "link target", err);
	if (code == 0 && linked && link.len == 0)
		code = nc_fail(err, NACRE_E_BADDATA, 0, "a link without a target");
	if (code == 0 && !is_global)
		code = nc_tar_header_entry(source->block, &source->header, entry, err);
	if (code == 0)
		code = build_xattrs(member, is_global ? &nothing : &source->global.pax,
				    is_global ? &nothing : &source->pax, err);
	if (code < 0)
		return nc_wrap(err, code, "'%.200s'", entry->name);
	entry->link = nc_buf_text(&member->link);
	entry->link_len = link.len;
	override_numbers(entry, source);
	return 0;
}
