#include "tar/pax.h"

#include "base/mem.h"
#include "tar/reader.h"

#include <stdlib.h>
#include <string.h>

void nc_pax_clear(struct nc_pax *pax)
{
	pax->given = pax->emptied = 0;
	pax->half = false;
	pax->xattr_count = 0;
	nc_sparse_clear(&pax->map);
}

void nc_pax_release(struct nc_pax *pax)
{
	nc_sparse_release(&pax->map);
	free(pax->xattrs);
	*pax = (struct nc_pax){ 0 };
}

static bool slice_is(struct nc_slice slice, const char *text)
{
	return slice.len == strlen(text) && memcmp(slice.bytes, text, slice.len) == 0;
}

static bool slice_begins(struct nc_slice slice, const char *text, struct nc_slice *ret_rest)
{
	size_t len = strlen(text);
	if (slice.len < len || memcmp(slice.bytes, text, len) != 0)
		return false;
	*ret_rest = (struct nc_slice){ slice.bytes + len, slice.len - len };
	return true;
}

static bool parse_decimal(struct nc_slice text, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;
	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned char)text.bytes[i] - (unsigned)'0';
		if (digit > 9 || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*ret = n;
	return true;
}

/* [-]SECONDS[.FRACTION], rounded down to a nanosecond whichever side of 1970 it lies. */
static bool parse_time(struct nc_slice text, struct nc_time *ret)
{
	bool negative = text.len && text.bytes[0] == '-';
	if (negative)
		text = (struct nc_slice){ text.bytes + 1, text.len - 1 };
	const char *dot = text.len ? memchr(text.bytes, '.', text.len) : NULL;
	struct nc_slice whole = { text.bytes, dot ? (size_t)(dot - text.bytes) : text.len };
	uint64_t sec;
	if (!parse_decimal(whole, (uint64_t)INT64_MAX + negative, &sec))
		return false;
	uint32_t nsec = 0;
	bool below = false;	/* something is left below a nanosecond */
	size_t digits = 0;
	for (const char *c = text.bytes + whole.len + 1; dot && c < text.bytes + text.len; c++, digits++) {
		if (*c < '0' || *c > '9')
			return false;
		if (digits < 9)
			nsec = nsec * 10 + (uint32_t)(*c - '0');
		else
			below |= *c != '0';
	}
	for (; digits < 9; digits++)
		nsec *= 10;
	if (!negative) {
		*ret = (struct nc_time){ .sec = (int64_t)sec, .nsec = nsec };
		return true;
	}
	nsec += below;
	bool borrow = nsec > 0;
	if (sec + borrow > (uint64_t)INT64_MAX + 1)
		return false;
	ret->sec = (int64_t)(0 - (sec + borrow));
	ret->nsec = borrow ? 1000000000u - nsec : 0;
	return true;
}

static bool parse_number32(struct nc_slice text, uint32_t max, uint32_t *ret)
{
	uint64_t n;
	if (!parse_decimal(text, max, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool has_nul(struct nc_slice text)
{
	return text.len && memchr(text.bytes, 0, text.len);
}

static bool parse_text(struct nc_slice text, struct nc_slice *ret)
{
	*ret = text;
	return !has_nul(text);
}

/* Sets what key stands for. False: the value is malformed. */
static bool parse_value(struct nc_pax *pax, enum nc_pax_key key, struct nc_slice value)
{
	switch (key) {
	case NC_PAX_PATH:
		return parse_text(value, &pax->path);
	case NC_PAX_LINKPATH:
		return parse_text(value, &pax->linkpath);
	case NC_PAX_SIZE:
		return parse_decimal(value, INT64_MAX, &pax->size);
	case NC_PAX_UID:
		return parse_number32(value, NC_ENTRY_OWNER_MAX, &pax->uid);
	case NC_PAX_GID:
		return parse_number32(value, NC_ENTRY_OWNER_MAX, &pax->gid);
	case NC_PAX_MTIME:
		return parse_time(value, &pax->mtime);
	case NC_PAX_DEV_MAJOR:
		return parse_number32(value, UINT32_MAX, &pax->dev_major);
	case NC_PAX_DEV_MINOR:
		return parse_number32(value, UINT32_MAX, &pax->dev_minor);
	case NC_PAX_SPARSE_NAME:
		return parse_text(value, &pax->sparse_name);
	case NC_PAX_SPARSE_SIZE:
		return parse_decimal(value, INT64_MAX, &pax->sparse_size);
	case NC_PAX_SPARSE_BLOCKS:
		return parse_decimal(value, INT64_MAX, &pax->sparse_blocks);
	case NC_PAX_SPARSE_MAJOR:
		return parse_decimal(value, UINT32_MAX, &pax->sparse_major);
	case NC_PAX_SPARSE_MINOR:
		return parse_decimal(value, UINT32_MAX, &pax->sparse_minor);
	case NC_PAX_SPARSE_MAP:
	case NC_PAX_SPARSE_PAIRS:
	case NC_PAX_SPARSE:
		break;
	}
	return false;
}

static const struct {
	const char *text;
	enum nc_pax_key key;
} keys[] = {
	{ "path", NC_PAX_PATH },
	{ "linkpath", NC_PAX_LINKPATH },
	{ "size", NC_PAX_SIZE },
	{ "uid", NC_PAX_UID },
	{ "gid", NC_PAX_GID },
	{ "mtime", NC_PAX_MTIME },
	{ "SCHILY.devmajor", NC_PAX_DEV_MAJOR },
	{ "SCHILY.devminor", NC_PAX_DEV_MINOR },
	{ "GNU.sparse.name", NC_PAX_SPARSE_NAME },
	{ "GNU.sparse.size", NC_PAX_SPARSE_SIZE },
	{ "GNU.sparse.realsize", NC_PAX_SPARSE_SIZE },
	{ "GNU.sparse.numblocks", NC_PAX_SPARSE_BLOCKS },
	{ "GNU.sparse.major", NC_PAX_SPARSE_MAJOR },
	{ "GNU.sparse.minor", NC_PAX_SPARSE_MINOR },
};

static int add_xattr(struct nc_pax *pax, struct nc_slice name, struct nc_slice value, bool coded,
		     struct nacre_error *err)
{
	if (name.len == 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "a pax record gives an extended attribute without a name");
	if (pax->xattr_count == NC_PAX_XATTRS_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %u extended attributes", NC_PAX_XATTRS_MAX);
	struct nc_pax_xattr *xattrs = nc_grown(pax->xattrs, pax->xattr_count, &pax->xattr_cap, sizeof *xattrs);
	if (!xattrs)
		return nc_nomem(err);
	pax->xattrs = xattrs;
	pax->xattrs[pax->xattr_count++] = (struct nc_pax_xattr){ .name = name, .value = value, .coded = coded };
	return 0;
}

static int malformed(struct nc_slice key, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_BADDATA, 0, "the pax record '%.*s' is malformed",
		       (int)(key.len < 64 ? key.len : 64), key.bytes);
}

/* Sparse 0.0 gives its runs as pairs of records that come again and again. */
static int add_pair(struct nc_pax *pax, struct nc_slice key, struct nc_slice value, bool is_length,
		    struct nacre_error *err)
{
	uint64_t n;
	if (pax->half != is_length || pax->given & NC_PAX_SPARSE_MAP || !parse_decimal(value, INT64_MAX, &n))
		return malformed(key, err);
	pax->given |= NC_PAX_SPARSE_PAIRS;
	pax->half = !is_length;
	if (is_length)
		return nc_sparse_add(&pax->map, pax->offset, n, err);
	pax->offset = n;
	return 0;
}

static int set_map(struct nc_pax *pax, struct nc_slice key, struct nc_slice value, struct nacre_error *err)
{
	if (pax->given & NC_PAX_SPARSE_PAIRS)
		return malformed(key, err);
	nc_sparse_clear(&pax->map);
	pax->given |= NC_PAX_SPARSE_MAP;
	return value.len ? nc_sparse_list(&pax->map, value.bytes, value.len, err) : 0;
}

static int take_record(struct nc_pax *pax, struct nc_slice key, struct nc_slice value, struct nacre_error *err)
{
	struct nc_slice name;
	if (key.len == 0 || has_nul(key))
		return nc_fail(err, NACRE_E_BADDATA, 0, "a pax record without a proper key");
	if (slice_begins(key, "SCHILY.xattr.", &name))
		return add_xattr(pax, name, value, false, err);
	if (slice_begins(key, "LIBARCHIVE.xattr.", &name))
		return add_xattr(pax, name, value, true, err);
	if (slice_is(key, "GNU.sparse.offset"))
		return add_pair(pax, key, value, false, err);
	if (slice_is(key, "GNU.sparse.numbytes"))
		return add_pair(pax, key, value, true, err);
	if (slice_is(key, "GNU.sparse.map"))
		return set_map(pax, key, value, err);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (!slice_is(key, keys[i].text))
			continue;
		pax->given &= ~(unsigned)keys[i].key;
		pax->emptied &= ~(unsigned)keys[i].key;
		if (value.len == 0)
			pax->emptied |= keys[i].key;
		else if (!parse_value(pax, keys[i].key, value))
			return malformed(key, err);
		else
			pax->given |= keys[i].key;
		return 0;
	}
	if ((slice_is(key, "uname") || slice_is(key, "gname")) && has_nul(value))
		return malformed(key, err);
	return 0;
}

/* Splits off the first record of text; *text is what follows it. */
static bool next_record(struct nc_slice *text, struct nc_slice *ret_key, struct nc_slice *ret_value)
{
	size_t len = 0, at = 0;
	for (; at < text->len && text->bytes[at] >= '0' && text->bytes[at] <= '9'; at++) {
		len = len * 10 + (size_t)(text->bytes[at] - '0');
		if (len > text->len)
			return false;
	}
	if (at == 0 || at == text->len || text->bytes[at] != ' ' || len < at + 3 || text->bytes[len - 1] != '\n')
		return false;
	const char *key = text->bytes + at + 1, *end = text->bytes + len - 1;
	const char *equals = memchr(key, '=', (size_t)(end - key));
	if (!equals)
		return false;
	*ret_key = (struct nc_slice){ key, (size_t)(equals - key) };
	*ret_value = (struct nc_slice){ equals + 1, (size_t)(end - equals - 1) };
	*text = (struct nc_slice){ text->bytes + len, text->len - len };
	return true;
}

int nc_pax_parse(struct nc_pax *pax, const char *bytes, size_t len, struct nacre_error *err)
{
	struct nc_slice text = { bytes, len }, key, value;
	while (text.len) {
		size_t at = len - text.len;
		if (!next_record(&text, &key, &value))
			return nc_fail(err, NACRE_E_BADDATA, 0, "malformed pax record (at byte %zu of its header)",
				       at);
		int code = take_record(pax, key, value, err);
		if (code < 0)
			return code;
	}
	if (pax->half)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the sparse map ends within a pair");
	return 0;
}

void nc_pax_global_init(struct nc_pax_global *global)
{
	*global = (struct nc_pax_global){ .path = NC_BUF_INIT(NC_TAR_HEADER_MAX),
					  .linkpath = NC_BUF_INIT(NC_TAR_HEADER_MAX),
					  .xattrs = NC_BUF_INIT(NC_PAX_GLOBAL_XATTR_BYTES) };
}

void nc_pax_global_release(struct nc_pax_global *global)
{
	nc_pax_release(&global->pax);
	nc_buf_release(&global->path);
	nc_buf_release(&global->linkpath);
	nc_buf_release(&global->xattrs);
}

static int keep(struct nc_buf *buf, struct nc_slice said, struct nc_slice *ret, struct nacre_error *err)
{
	nc_buf_clear(buf);
	int code = nc_buf_add(buf, said.bytes, said.len, err);
	if (code == 0)
		*ret = (struct nc_slice){ buf->data, buf->len };
	return code;
}

static bool says_xattr(const struct nc_pax *pax, const struct nc_pax_xattr *xattr)
{
	for (size_t i = 0; i < pax->xattr_count; i++) {
		const struct nc_pax_xattr *other = &pax->xattrs[i];
		if (other->coded == xattr->coded && other->name.len == xattr->name.len &&
		    memcmp(other->name.bytes, xattr->name.bytes, xattr->name.len) == 0)
			return true;
	}
	return false;
}

/* Name and value one after the other; the slices are set once the buffer rests. */
static int copy_xattrs(struct nc_buf *buf, const struct nc_pax *from, const struct nc_pax *but, struct nc_pax *ret,
		       struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; i < from->xattr_count && code == 0; i++) {
		const struct nc_pax_xattr *xattr = &from->xattrs[i];
		if (but && says_xattr(but, xattr))
			continue;
		code = nc_buf_add(buf, xattr->name.bytes, xattr->name.len, err);
		if (code == 0)
			code = nc_buf_add(buf, xattr->value.bytes, xattr->value.len, err);
		if (code == 0)
			code = add_xattr(ret, xattr->name, xattr->value, xattr->coded, err);
	}
	return code;
}

/* The standing attributes become those of before that said does not name, and those of said. */
static int merge_xattrs(struct nc_pax_global *global, const struct nc_pax *said, struct nacre_error *err)
{
	if (said->xattr_count == 0)
		return 0;
	struct nc_buf fresh = NC_BUF_INIT(NC_PAX_GLOBAL_XATTR_BYTES);
	struct nc_pax merged = { 0 };
	int code = copy_xattrs(&fresh, &global->pax, said, &merged, err);
	if (code == 0)
		code = copy_xattrs(&fresh, said, NULL, &merged, err);
	if (code == NACRE_E_LIMIT || merged.xattr_count > NC_PAX_GLOBAL_XATTRS_MAX)
		code = nc_fail(err, NACRE_E_LIMIT, 0,
			       "more than %u extended attributes of %u bytes in global headers",
			       NC_PAX_GLOBAL_XATTRS_MAX, NC_PAX_GLOBAL_XATTR_BYTES);
	if (code < 0) {
		nc_buf_release(&fresh);
		nc_pax_release(&merged);
		return code;
	}
	const char *at = fresh.data;
	for (size_t i = 0; i < merged.xattr_count; i++) {
		struct nc_pax_xattr *xattr = &merged.xattrs[i];
		xattr->name.bytes = at;
		xattr->value.bytes = at + xattr->name.len;
		at = xattr->value.bytes + xattr->value.len;
	}
	nc_buf_release(&global->xattrs);
	global->xattrs = fresh;
	free(global->pax.xattrs);
	global->pax.xattrs = merged.xattrs;
	global->pax.xattr_count = merged.xattr_count;
	global->pax.xattr_cap = merged.xattr_cap;
	return 0;
}

static int merge(struct nc_pax_global *global, const struct nc_pax *said, struct nacre_error *err)
{
	if (said->given & NC_PAX_SPARSE)
		return nc_fail(err, NACRE_E_BADDATA, 0, "a global header describes a sparse file");
	struct nc_pax *pax = &global->pax;
	int code = 0;
	if (said->given & NC_PAX_PATH)
		code = keep(&global->path, said->path, &pax->path, err);
	if (code == 0 && said->given & NC_PAX_LINKPATH)
		code = keep(&global->linkpath, said->linkpath, &pax->linkpath, err);
	if (code == 0)
		code = merge_xattrs(global, said, err);
	if (code < 0)
		return code;
	if (said->given & NC_PAX_SIZE)
		pax->size = said->size;
	if (said->given & NC_PAX_UID)
		pax->uid = said->uid;
	if (said->given & NC_PAX_GID)
		pax->gid = said->gid;
	if (said->given & NC_PAX_MTIME)
		pax->mtime = said->mtime;
	if (said->given & NC_PAX_DEV_MAJOR)
		pax->dev_major = said->dev_major;
	if (said->given & NC_PAX_DEV_MINOR)
		pax->dev_minor = said->dev_minor;
	pax->given = (pax->given | said->given) & ~said->emptied;
	return 0;
}

int nc_pax_global_add(struct nc_pax_global *global, const char *text, size_t len, struct nacre_error *err)
{
	struct nc_pax said = { 0 };
	int code = nc_pax_parse(&said, text, len, err);
	if (code == 0)
		code = merge(global, &said, err);
	nc_pax_release(&said);
	return code;
}
