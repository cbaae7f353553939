#include "tar/write.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/base64.h"
#include "tar/header.h"
#include "tar/pax.h"
#include "tar/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct nc_tar_writer {
	struct nc_writer *out;
	uint64_t remaining;	/* content bytes that the member still lacks */
	unsigned padding;	/* behind them */
	struct nc_buf name;	/* as it is written */
	struct nc_buf records;	/* of the pax header */
	struct nc_buf value;	/* of one record */
};

/* A header block, field by field. */
struct block {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], flag, link[100];
	char magic[6], version[2], owner[32], group[32], dev_major[8], dev_minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct block) == NC_TAR_BLOCK, "a header is one block");

int nc_tar_writer_new(struct nc_writer *out, struct nc_tar_writer **ret, struct nacre_error *err)
{
	struct nc_tar_writer *tar = nc_zalloc(sizeof *tar);
	if (!tar)
		return nc_nomem(err);
	tar->out = out;
	tar->name = (struct nc_buf)NC_BUF_INIT(NC_TAR_NAME_MAX);
	tar->records = (struct nc_buf)NC_BUF_INIT(NC_TAR_HEADER_MAX - 2 * NC_TAR_BLOCK);
	tar->value = (struct nc_buf)NC_BUF_INIT(NC_TAR_HEADER_MAX);
	*ret = tar;
	return 0;
}

void nc_tar_writer_free(struct nc_tar_writer *tar)
{
	if (!tar)
		return;
	nc_buf_release(&tar->name);
	nc_buf_release(&tar->records);
	nc_buf_release(&tar->value);
	free(tar);
}

/* --- fields ----------------------------------------------------------------------------------------------------- */

/* Octal digits and a NUL. Returns false where they do not suffice: then it is base-256, which most readers know, and
 * a pax record has to say it to the others. */
static bool put_number(char *field, size_t len, int64_t n)
{
	if (n >= 0 && (uint64_t)n >> 3 * (len - 1) == 0) {
		field[len - 1] = '\0';
		for (size_t i = len - 1; i; i--, n >>= 3)
			field[i - 1] = (char)('0' + (n & 7));
		return true;
	}
	for (size_t i = len; i; i--, n = n < 0 ? ~(~n >> 8) : n >> 8)
		field[i - 1] = (char)(n & 0xff);
	field[0] = (char)(field[0] | 0x80);
	return false;
}

/* Puts a name into name and prefix. Returns false where it is too long for them; name then holds its beginning. */
static bool put_name(struct block *block, const char *name, size_t len)
{
	if (len <= sizeof block->name) {
		memcpy(block->name, name, len);
		return true;
	}
	size_t most = len - 1 < sizeof block->prefix + 1 ? len - 1 : sizeof block->prefix + 1;
	for (size_t i = len - sizeof block->name - 1; i < most; i++) {
		if (name[i] != '/' || i == 0)
			continue;
		memcpy(block->prefix, name, i);
		memcpy(block->name, name + i + 1, len - i - 1);
		return true;
	}
	memcpy(block->name, name, sizeof block->name);
	return false;
}

static bool put_link(struct block *block, const char *link, size_t len)
{
	bool fits = len <= sizeof block->link;
	memcpy(block->link, link, fits ? len : sizeof block->link);
	return fits;
}

static void put_checksum(struct block *block)
{
	const unsigned char *bytes = (const unsigned char *)block;
	unsigned sum = 0;
	memset(block->checksum, ' ', sizeof block->checksum);
	for (size_t i = 0; i < sizeof *block; i++)
		sum += bytes[i];
	snprintf(block->checksum, sizeof block->checksum, "%06o", sum);
}

static void init_block(struct block *block, char flag)
{
	*block = (struct block){ .flag = flag };
	memcpy(block->magic, "ustar", sizeof block->magic);
	memcpy(block->version, "00", sizeof block->version);
}

/* --- pax records ------------------------------------------------------------------------------------------------ */

static int add_record(struct nc_buf *records, const char *vendor, const char *key, const void *value, size_t len,
		      struct nacre_error *err)
{
	/* The length counts its own digits. */
	size_t rest = strlen(vendor) + strlen(key) + len + 3, total = 0;
	for (size_t digits = 1, next = 10; total == 0; digits++, next *= 10)
		if (rest + digits < next)
			total = rest + digits;
	int code = nc_buf_addf(records, err, "%zu %s%s=", total, vendor, key);
	if (code == 0)
		code = nc_buf_add(records, value, len, err);
	return code < 0 ? code : nc_buf_add(records, "\n", 1, err);
}

static int add_number(struct nc_buf *records, const char *key, uint64_t n, struct nacre_error *err)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRIu64, n);
	return add_record(records, "", key, text, strlen(text), err);
}

/* Seconds with the fraction that is needed. It belongs to the number as written: before 1970 it counts backward. */
static int add_time(struct nc_buf *records, struct nc_time time, struct nacre_error *err)
{
	char text[40];
	bool backward = time.sec < 0 && time.nsec;
	uint64_t whole = time.sec < 0 ? 0 - (uint64_t)time.sec - backward : (uint64_t)time.sec;
	uint32_t nsec = backward ? 1000000000u - time.nsec : time.nsec;
	int len = snprintf(text, sizeof text, "%s%" PRIu64, time.sec < 0 ? "-" : "", whole);
	if (nsec) {
		len += snprintf(text + len, sizeof text - (size_t)len, ".%09" PRIu32, nsec);
		while (text[len - 1] == '0')
			len--;
	}
	return add_record(records, "", "mtime", text, (size_t)len, err);
}

/* An attribute whose name cannot stand in a key: as libarchive writes it. */
static int add_coded_xattr(struct nc_tar_writer *tar, const struct nc_xattr *xattr, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf name = NC_BUF_INIT(NC_TAR_HEADER_MAX);
	int code = 0;
	for (const char *c = xattr->name; *c && code == 0; c++)
		code = *c == '=' || *c == '%' ? nc_buf_addf(&name, err, "%%%02X", *c) : nc_buf_add(&name, c, 1, err);
	nc_buf_clear(&tar->value);
	if (code == 0)
		code = nc_buf_reserve(&tar->value, NC_BASE64_ENCODED(xattr->value_len), err);
	if (code < 0)
		return code;
	size_t len = nc_base64_encode(xattr->value, xattr->value_len, tar->value.data);
	return add_record(&tar->records, "LIBARCHIVE.xattr.", name.data, tar->value.data, len, err);
}

static int add_xattrs(struct nc_tar_writer *tar, const struct nc_entry *entry, struct nacre_error *err)
{
	int code = 0;
	if (entry->xattr_count > NC_PAX_XATTRS_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %u extended attributes", NC_PAX_XATTRS_MAX);
	for (size_t i = 0; i < entry->xattr_count && code == 0; i++) {
		const struct nc_xattr *xattr = &entry->xattrs[i];
		if (!xattr->name[0])
			return nc_fail(err, NACRE_E_INVALID, 0, "an extended attribute without a name");
		code = strchr(xattr->name, '=')
			       ? add_coded_xattr(tar, xattr, err)
			       : add_record(&tar->records, "SCHILY.xattr.", xattr->name, xattr->value,
					    xattr->value_len, err);
	}
	return code;
}

/* --- members ---------------------------------------------------------------------------------------------------- */

static bool is_device(const struct nc_entry *entry)
{
	return entry->type == NC_ENTRY_CHAR || entry->type == NC_ENTRY_BLOCK;
}

/* Fills the block, and the records with what it cannot say. */
static int describe(struct nc_tar_writer *tar, const struct nc_entry *entry, uint64_t size, struct block *block,
		    struct nacre_error *err)
{
	struct nc_buf *records = &tar->records;
	int code = 0;
	init_block(block, (char)entry->type);
	nc_buf_clear(records);
	put_number(block->mode, sizeof block->mode, entry->mode & 07777);
	if (!put_name(block, tar->name.data, tar->name.len))
		code = add_record(records, "", "path", tar->name.data, tar->name.len, err);
	if (!put_link(block, entry->link, entry->link_len) && code == 0)
		code = add_record(records, "", "linkpath", entry->link, entry->link_len, err);
	if (!put_number(block->size, sizeof block->size, (int64_t)size) && code == 0)
		code = add_number(records, "size", size, err);
	if (!put_number(block->uid, sizeof block->uid, entry->uid) && code == 0)
		code = add_number(records, "uid", entry->uid, err);
	if (!put_number(block->gid, sizeof block->gid, entry->gid) && code == 0)
		code = add_number(records, "gid", entry->gid, err);
	bool whole = put_number(block->mtime, sizeof block->mtime, entry->mtime.sec) && entry->mtime.nsec == 0;
	if (!whole && code == 0)
		code = add_time(records, entry->mtime, err);
	uint32_t dev_major = is_device(entry) ? entry->dev_major : 0;
	uint32_t dev_minor = is_device(entry) ? entry->dev_minor : 0;
	if (!put_number(block->dev_major, sizeof block->dev_major, dev_major) && code == 0)
		code = add_number(records, "SCHILY.devmajor", dev_major, err);
	if (!put_number(block->dev_minor, sizeof block->dev_minor, dev_minor) && code == 0)
		code = add_number(records, "SCHILY.devminor", dev_minor, err);
	put_checksum(block);
	return code < 0 ? code : add_xattrs(tar, entry, err);
}

static int write_padding(struct nc_tar_writer *tar, size_t len, struct nacre_error *err)
{
	static const char zeros[2 * NC_TAR_BLOCK];
	return len ? nc_writer_write(tar->out, zeros, len, err) : 0;
}

/* The pax header, named after the member. */
static int write_records(struct nc_tar_writer *tar, struct nacre_error *err)
{
	struct block block;
	const char *name = tar->name.data, *last = name;
	for (const char *c = name; *c; c++)
		if (c[0] == '/' && c[1])
			last = c + 1;
	init_block(&block, 'x');
	snprintf(block.name, sizeof block.name, "PaxHeaders/%.80s", last);
	put_number(block.mode, sizeof block.mode, 0644);
	put_number(block.uid, sizeof block.uid, 0);
	put_number(block.gid, sizeof block.gid, 0);
	put_number(block.size, sizeof block.size, (int64_t)tar->records.len);
	put_number(block.mtime, sizeof block.mtime, 0);
	put_number(block.dev_major, sizeof block.dev_major, 0);
	put_number(block.dev_minor, sizeof block.dev_minor, 0);
	put_checksum(&block);
	int code = nc_writer_write(tar->out, &block, sizeof block, err);
	if (code == 0)
		code = nc_writer_write(tar->out, tar->records.data, tar->records.len, err);
	return code < 0 ? code : write_padding(tar, -tar->records.len & (NC_TAR_BLOCK - 1), err);
}

static int check(const struct nc_entry *entry, struct nacre_error *err)
{
	bool linked = entry->type == NC_ENTRY_LINK || entry->type == NC_ENTRY_SYMLINK;
	if (entry->type == NC_ENTRY_META)
		return nc_fail(err, NACRE_E_INVALID, 0, "a member that is no file");
	if (entry->name_len == 0 || (linked && entry->link_len == 0))
		return nc_fail(err, NACRE_E_INVALID, 0, "a member without a %s", linked ? "target" : "name");
	if (memchr(entry->name, 0, entry->name_len) || (entry->link_len && memchr(entry->link, 0, entry->link_len)))
		return nc_fail(err, NACRE_E_INVALID, 0, "a name with a NUL byte");
	if (entry->size > INT64_MAX || entry->mtime.nsec >= 1000000000u)
		return nc_fail(err, NACRE_E_INVALID, 0, "a size or time out of range");
	return 0;
}

/* Ends the content of the member before. */
static int end_member(struct nc_tar_writer *tar, struct nacre_error *err)
{
	if (tar->remaining)
		return nc_fail(err, NACRE_E_INVALID, 0, "%" PRIu64 " bytes of '%.200s' are missing", tar->remaining,
			       nc_buf_text(&tar->name));
	unsigned padding = tar->padding;
	tar->padding = 0;
	return write_padding(tar, padding, err);
}

static int take_name(struct nc_tar_writer *tar, const struct nc_entry *entry, struct nacre_error *err)
{
	bool slash = entry->type == NC_ENTRY_DIR && entry->name[entry->name_len - 1] != '/';
	nc_buf_clear(&tar->name);
	int code = nc_buf_add(&tar->name, entry->name, entry->name_len, err);
	return code < 0 || !slash ? code : nc_buf_add(&tar->name, "/", 1, err);
}

int nc_tar_writer_entry(struct nc_tar_writer *tar, const struct nc_entry *entry, struct nacre_error *err)
{
	struct block block;
	int code = end_member(tar, err);
	if (code == 0)
		code = check(entry, err);
	if (code == 0)
		code = take_name(tar, entry, err);
	if (code < 0)
		return code;
	uint64_t size = entry->type == NC_ENTRY_FILE ? entry->size : 0;
	code = describe(tar, entry, size, &block, err);
	if (code < 0)
		return nc_wrap(err, code, "'%.200s'", tar->name.data);
	if (tar->records.len)
		code = write_records(tar, err);
	if (code == 0)
		code = nc_writer_write(tar->out, &block, sizeof block, err);
	if (code < 0)
		return code;
	tar->remaining = size;
	tar->padding = (unsigned)(-size & (NC_TAR_BLOCK - 1));
	return 0;
}

int nc_tar_writer_data(struct nc_tar_writer *tar, const void *bytes, size_t len, struct nacre_error *err)
{
	if (len > tar->remaining)
		return nc_fail(err, NACRE_E_INVALID, 0, "more bytes than '%.200s' has", nc_buf_text(&tar->name));
	tar->remaining -= len;
	return len ? nc_writer_write(tar->out, bytes, len, err) : 0;
}

int nc_tar_writer_finish(struct nc_tar_writer *tar, struct nacre_error *err)
{
	int code = end_member(tar, err);
	return code < 0 ? code : write_padding(tar, 2 * NC_TAR_BLOCK, err);
}
