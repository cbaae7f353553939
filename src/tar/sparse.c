#include "tar/sparse.h"

#include "base/mem.h"
#include "tar/header.h"

#include <stdlib.h>

enum {
	GNU_ENTRIES = 386, GNU_MORE = 482, GNU_REAL_SIZE = 483,
	GNU_IN_HEADER = 4, GNU_IN_BLOCK = 21, GNU_BLOCK_MORE = 504,
	GNU_NUMBER = 12,
};

void nc_sparse_clear(struct nc_sparse *map)
{
	map->count = 0;
	map->stored = map->end = 0;
}

void nc_sparse_release(struct nc_sparse *map)
{
	free(map->extents);
	*map = (struct nc_sparse){ 0 };
}

int nc_sparse_add(struct nc_sparse *map, uint64_t offset, uint64_t length, struct nacre_error *err)
{
	if (offset > INT64_MAX || length > INT64_MAX - offset)
		return nc_fail(err, NACRE_E_BADDATA, 0, "a run of the sparse map ends beyond 2^63");
	if (offset < map->end)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the runs of the sparse map overlap or are out of order");
	struct nc_extent *extents = nc_grown(map->extents, map->count, &map->cap, sizeof *extents);
	if (!extents)
		return nc_nomem(err);
	map->extents = extents;
	map->extents[map->count++] = (struct nc_extent){ .offset = offset, .length = length };
	map->end = offset + length;
	map->stored += length;	/* runs do not overlap, so the sum is at most the end */
	return 0;
}

int nc_sparse_check(const struct nc_sparse *map, uint64_t size, uint64_t payload, struct nacre_error *err)
{
	if (map->end > size)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the sparse map goes beyond the end of the file");
	if (map->stored != payload)
		return nc_fail(err, NACRE_E_BADDATA, 0,
			       "the sparse map speaks of %llu bytes, but %llu are stored",
			       (unsigned long long)map->stored, (unsigned long long)payload);
	return 0;
}

/* Entries end early at one that begins with NUL. */
static int gnu_entries(struct nc_sparse *map, const unsigned char *entry, unsigned max, struct nacre_error *err)
{
	for (unsigned i = 0; i < max && entry[0]; i++, entry += 2 * GNU_NUMBER) {
		int64_t offset, length;
		if (!nc_tar_number(entry, GNU_NUMBER, &offset) || offset < 0 ||
		    !nc_tar_number(entry + GNU_NUMBER, GNU_NUMBER, &length) || length < 0)
			return nc_fail(err, NACRE_E_BADDATA, 0, "the sparse map holds a malformed number");
		int code = nc_sparse_add(map, (uint64_t)offset, (uint64_t)length, err);
		if (code < 0)
			return code;
	}
	return 0;
}

int nc_sparse_gnu_header(struct nc_sparse *map, const unsigned char *block, uint64_t *ret_size,
			 struct nacre_error *err)
{
	int64_t size;
	if (!nc_tar_number(block + GNU_REAL_SIZE, GNU_NUMBER, &size) || size < 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "the size of the sparse file is no number");
	int code = gnu_entries(map, block + GNU_ENTRIES, GNU_IN_HEADER, err);
	if (code < 0)
		return code;
	*ret_size = (uint64_t)size;
	return block[GNU_MORE] != 0;
}

int nc_sparse_gnu_block(struct nc_sparse *map, const unsigned char *block, struct nacre_error *err)
{
	int code = gnu_entries(map, block, GNU_IN_BLOCK, err);
	return code < 0 ? code : block[GNU_BLOCK_MORE] != 0;
}

static bool add_digit(uint64_t *number, unsigned char c)
{
	if (c < '0' || c > '9' || *number > (INT64_MAX - (uint64_t)(c - '0')) / 10)
		return false;
	*number = *number * 10 + (uint64_t)(c - '0');
	return true;
}

int nc_sparse_list(struct nc_sparse *map, const char *text, size_t len, struct nacre_error *err)
{
	uint64_t number = 0, offset = 0;
	bool half = false, digits = false;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != ',') {
			if (!add_digit(&number, (unsigned char)text[i]))
				return nc_fail(err, NACRE_E_BADDATA, 0, "the sparse map holds a malformed number");
			digits = true;
			continue;
		}
		if (!digits)
			return nc_fail(err, NACRE_E_BADDATA, 0, "the sparse map lacks a number");
		if (half) {
			int code = nc_sparse_add(map, offset, number, err);
			if (code < 0)
				return code;
		}
		offset = number;
		half = !half;
		number = 0;
		digits = false;
	}
	return half ? nc_fail(err, NACRE_E_BADDATA, 0, "the sparse map ends within a pair") : 0;
}

static int end_of_line(struct nc_sparse_lines *lines, struct nc_sparse *map, struct nacre_error *err)
{
	uint64_t number = lines->number;
	lines->number = 0;
	lines->digits = 0;
	if (!lines->counted) {
		lines->counted = true;
		lines->left = number;
		return 0;
	}
	lines->half = !lines->half;
	if (lines->half) {
		lines->offset = number;
		return 0;
	}
	lines->left--;
	return nc_sparse_add(map, lines->offset, number, err);
}

int nc_sparse_lines_add(struct nc_sparse_lines *lines, struct nc_sparse *map, const unsigned char *bytes, size_t len,
			struct nacre_error *err)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n') {
			if (++lines->digits > 20 || !add_digit(&lines->number, bytes[i]))
				return nc_fail(err, NACRE_E_BADDATA, 0, "the sparse map holds a malformed number");
			continue;
		}
		if (lines->digits == 0)
			return nc_fail(err, NACRE_E_BADDATA, 0, "the sparse map lacks a number");
		int code = end_of_line(lines, map, err);
		if (code < 0)
			return code;
		if (lines->left == 0)
			return 1;
	}
	return 0;
}
