#include "tar/header.h"

#include <string.h>

enum {
	NAME = 0, NAME_LEN = 100,
	MODE = 100, UID = 108, GID = 116, SHORT_LEN = 8,
	SIZE = 124, MTIME = 136, LONG_LEN = 12,
	CHECKSUM = 148,
	FLAG = 156,
	LINK = 157, LINK_LEN = 100,
	MAGIC = 257, MAGIC_LEN = 8,
	DEV_MAJOR = 329, DEV_MINOR = 337,
	PREFIX = 345, PREFIX_LEN = 155, STAR_PREFIX_LEN = 131,
	GNU_ATIME = 345, GNU_CTIME = 357,
	STAR_TRAILER = 508,
};

static size_t text_len(const unsigned char *field, size_t max)
{
	const unsigned char *end = memchr(field, 0, max);
	return end ? (size_t)(end - field) : max;
}

bool nc_tar_block_is_zero(const unsigned char *block, size_t len)
{
	return len == 0 || (block[0] == 0 && memcmp(block, block + 1, len - 1) == 0);
}

static bool base256(const unsigned char *field, size_t len, int64_t *ret)
{
	/* Bit 7 of the first byte says base-256, bit 6 is the sign; a negative number is kept by its complement. */
	bool negative = field[0] & 0x40;
	uint64_t n = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = negative ? (unsigned char)~field[i] : field[i];
		if (i == 0)
			c &= 0x3f;
		if (n >> 55)
			return false;
		n = n << 8 | c;
	}
	*ret = negative ? -(int64_t)n - 1 : (int64_t)n;
	return true;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == 0;
}

bool nc_tar_number(const unsigned char *field, size_t len, int64_t *ret)
{
	if (len && field[0] & 0x80)
		return base256(field, len, ret);
	size_t i = 0;
	int64_t n = 0;
	while (i < len && is_blank(field[i]))
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++) {
		if (n >> 59)
			return false;
		n = n << 3 | (field[i] - '0');
	}
	/* Behind the digits: the end, a NUL and then anything (old writers left rubbish there), or blanks. */
	for (; i < len && field[i]; i++)
		if (field[i] != ' ')
			return false;
	*ret = n;
	return true;
}

/* The sum of all bytes, those of the sum itself taken as blanks. Some old writers added up signed chars. */
static bool checksum_fits(const unsigned char *block)
{
	int64_t said;
	if (!nc_tar_number(block + CHECKSUM, SHORT_LEN, &said))
		return false;
	int64_t sum = 0, high = 0;
	for (size_t i = 0; i < NC_TAR_BLOCK; i++) {
		sum += block[i];
		high += block[i] >> 7;
	}
	for (size_t i = CHECKSUM; i < CHECKSUM + SHORT_LEN; i++) {
		sum += ' ' - block[i];
		high -= block[i] >> 7;
	}
	return said == sum || said == sum - 256 * high;
}

static enum nc_tar_format format_of(const unsigned char *block)
{
	if (memcmp(block + MAGIC, "ustar  ", MAGIC_LEN) == 0)
		return NC_TAR_GNU;
	if (memcmp(block + MAGIC, "ustar", 6) != 0)
		return NC_TAR_V7;
	return memcmp(block + STAR_TRAILER, "tar", 4) == 0 ? NC_TAR_STAR : NC_TAR_USTAR;
}

int nc_tar_header_decode(const unsigned char *block, struct nc_tar_header *ret, struct nacre_error *err)
{
	if (!checksum_fits(block))
		return nc_fail(err, NACRE_E_BADDATA, 0, "no tar header (its checksum is wrong)");
	int64_t size;
	if (!nc_tar_number(block + SIZE, LONG_LEN, &size))
		return nc_fail(err, NACRE_E_BADDATA, 0, "the size is no number");
	if (size < 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the size is negative");
	ret->format = format_of(block);
	ret->flag = block[FLAG];
	ret->size = (uint64_t)size;
	return 0;
}

static int field_in(const unsigned char *field, uint32_t max, const char *what, uint32_t *ret,
		    struct nacre_error *err)
{
	int64_t n;
	if (!nc_tar_number(field, SHORT_LEN, &n))
		return nc_fail(err, NACRE_E_BADDATA, 0, "the %s is no number", what);
	if (n < 0 || n > max)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the %s %lld is out of range", what, (long long)n);
	*ret = (uint32_t)n;
	return 0;
}

int nc_tar_header_entry(const unsigned char *block, const struct nc_tar_header *header, struct nc_entry *entry,
			struct nacre_error *err)
{
	uint32_t mode = 0;
	int code = field_in(block + MODE, UINT32_MAX, "mode", &mode, err);
	if (code == 0)
		code = field_in(block + UID, NC_ENTRY_OWNER_MAX, "owner", &entry->uid, err);
	if (code == 0)
		code = field_in(block + GID, NC_ENTRY_OWNER_MAX, "group", &entry->gid, err);
	if (code < 0)
		return code;
	entry->mode = mode & 07777;
	if (!nc_tar_number(block + MTIME, LONG_LEN, &entry->mtime.sec))
		return nc_fail(err, NACRE_E_BADDATA, 0, "the time is no number of 64 bits");
	entry->mtime.nsec = 0;
	entry->dev_major = entry->dev_minor = 0;
	if (header->format == NC_TAR_V7 || (header->flag != NC_ENTRY_CHAR && header->flag != NC_ENTRY_BLOCK))
		return 0;
	code = field_in(block + DEV_MAJOR, UINT32_MAX, "major device number", &entry->dev_major, err);
	return code < 0 ? code
			: field_in(block + DEV_MINOR, UINT32_MAX, "minor device number", &entry->dev_minor, err);
}

/* Go's writer before 1.8 put a prefix where GNU has times. Its archives are told by times that are no numbers, and
 * its own reader takes the prefix when that is plain ASCII; so do we, for names must come out alike. */
static bool gnu_with_prefix(const unsigned char *block)
{
	int64_t time;
	bool numbers = (!block[GNU_ATIME] || nc_tar_number(block + GNU_ATIME, LONG_LEN, &time)) &&
		       (!block[GNU_CTIME] || nc_tar_number(block + GNU_CTIME, LONG_LEN, &time));
	if (numbers)
		return false;
	for (size_t i = 0; i < PREFIX_LEN && block[PREFIX + i]; i++)
		if (block[PREFIX + i] & 0x80)
			return false;
	return true;
}

static size_t prefix_len(const unsigned char *block, enum nc_tar_format format)
{
	if (format == NC_TAR_USTAR)
		return text_len(block + PREFIX, PREFIX_LEN);
	if (format == NC_TAR_STAR)
		return text_len(block + PREFIX, STAR_PREFIX_LEN);
	if (format == NC_TAR_GNU && gnu_with_prefix(block))
		return text_len(block + PREFIX, PREFIX_LEN);
	return 0;
}

size_t nc_tar_header_name(const unsigned char *block, const struct nc_tar_header *header,
			  char ret[NC_TAR_SHORT_NAME])
{
	size_t prefix = prefix_len(block, header->format), name = text_len(block + NAME, NAME_LEN), at = 0;
	if (prefix) {
		memcpy(ret, block + PREFIX, prefix);
		ret[prefix] = '/';
		at = prefix + 1;
	}
	memcpy(ret + at, block + NAME, name);
	ret[at + name] = '\0';
	return at + name;
}

size_t nc_tar_header_link(const unsigned char *block, const char **ret)
{
	*ret = (const char *)block + LINK;
	return text_len(block + LINK, LINK_LEN);
}
