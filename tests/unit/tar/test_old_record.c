/* Records of 2015: their faults are found, and mended where they can be. */
#include "tools.h"

#include "tar/header.h"
#include "tar/old_record.h"
#include "tar/write.h"

#include "io/writer.h"

#include <stdio.h>

static struct nacre_error err;

/* A header block of old. */
static void add_header(struct nc_buf *buf, const char *name, char flag, size_t size)
{
	char block[NC_TAR_BLOCK] = { 0 };
	unsigned sum = 0;
	snprintf(block, 100, "%s", name);
	memcpy(block + 100, "0000644\0000000000\0000000000", 24);
	snprintf(block + 124, 12, "%011zo", size);
	memset(block + 136, '0', 11);
	memset(block + 148, ' ', 8);
	block[156] = flag;
	memcpy(block + 257, "ustar  ", 8);
	for (size_t i = 0; i < sizeof block; i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum);
	assert_done(nc_buf_add(buf, block, sizeof block, &err));
}

static void add_zeros(struct nc_buf *buf, size_t count)
{
	static const char zeros[NC_TAR_BLOCK];
	assert_done(nc_buf_add(buf, zeros, count, &err));
}

static const char long_name[] = "directory/directory/directory/directory/directory/directory/directory/directory/"
				"directory/directory/directory/file";

/* [padding][long header][name][its padding][header] */
static void add_long(struct nc_buf *buf, size_t padding, char flag, size_t size)
{
	add_zeros(buf, padding);
	add_header(buf, "././@LongLink", flag, sizeof long_name);
	assert_done(nc_buf_add(buf, long_name, sizeof long_name, &err));
	add_zeros(buf, -sizeof long_name & (NC_TAR_BLOCK - 1));
	add_header(buf, "directory/", '0', size);
}

static void knows_a_segment_that_fits(void **state)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(1 << 16);
	struct nc_split_record file = { .name = long_name, .name_len = sizeof long_name - 1, .size = 7 };
	add_long(&buf, 300, 'L', 7);
	assert_true(nc_old_segment_fits(&buf, 300, &file));
	assert_false(nc_old_segment_fits(&buf, 299, &file));
	assert_false(nc_old_segment_fits(&buf, 0, &file));
	file.size = 8;
	assert_false(nc_old_segment_fits(&buf, 300, &file));
	file.size = 0;
	assert_true(nc_old_segment_fits(&buf, 300, &file));
	for (size_t len = 0; len < buf.len; len += 100) {
		struct nc_buf cut = { .data = buf.data, .len = len, .max = 1 << 16 };
		assert_false(nc_old_segment_fits(&cut, 300, &file));
	}
}

static void a_size_of_pax_counts(void **state)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(1 << 16);
	struct nc_split_record file = { .name = "f", .name_len = 1, .size = 99 };
	static const char pax[] = "11 size=99\n";
	add_header(&buf, "pax", 'x', sizeof pax - 1);
	assert_done(nc_buf_add(&buf, pax, sizeof pax - 1, &err));
	add_zeros(&buf, NC_TAR_BLOCK - (sizeof pax - 1));
	add_header(&buf, "f", '0', 5);
	assert_true(nc_old_segment_fits(&buf, 0, &file));
	/* a sparse file says another size */
	memcpy(buf.data + NC_TAR_BLOCK + 2, ".size=99", 8);
	assert_false(nc_old_segment_fits(&buf, 0, &file));
}

static void puts_long_names_in_order(void **state)
{
	static const size_t paddings[] = { 0, 1, 300, 511 };
	struct nc_split_record file = { .name = long_name, .name_len = sizeof long_name - 1, .size = 7 };
	for (size_t i = 0; i < sizeof paddings / sizeof *paddings; i++)
		for (const char *flag = "LK"; *flag; flag++) {
			NC_AUTO_BUF struct nc_buf good = NC_BUF_INIT(1 << 16);
			NC_AUTO_BUF struct nc_buf bad = NC_BUF_INIT(1 << 16);
			size_t front = paddings[i] + NC_TAR_BLOCK + sizeof long_name;
			add_long(&good, paddings[i], *flag, 7);
			assert_done(nc_buf_add(&bad, good.data + front, good.len - front, &err));
			assert_done(nc_buf_add(&bad, good.data, front, &err));
			assert_false(nc_old_segment_fits(&bad, paddings[i], &file));
			assert_int_equal(nc_old_segment_mend(&bad, paddings[i], &file, &err), 1);
			assert_int_equal(bad.len, good.len);
			assert_memory_equal(bad.data, good.data, good.len);
			/* what is no such segment stays as it is */
			bad.data[paddings[i] + 5] ^= 1;
			memcpy(good.data, bad.data, bad.len);
			assert_int_equal(nc_old_segment_mend(&bad, paddings[i], &file, &err), 0);
			assert_memory_equal(bad.data, good.data, good.len);
		}
}

/* --- whole records ---------------------------------------------------------------------------------------------- */

struct asked {
	size_t finds, passed, ends, padding;
	int end_code;
};

static int find(void *ctx, const struct nc_split_record *file, struct nc_reader **ret, struct nacre_error *failure)
{
	struct asked *asked = ctx;
	asked->finds++;
	assert_string_equal(file->name, "f");
	return nc_reader_memory("hello", 5, ret, failure);
}

static void pass(void *ctx, const void *bytes, size_t len)
{
	((struct asked *)ctx)->passed += len;
}

static int find_end(void *ctx, size_t padding, size_t *ret_zeros, struct nacre_error *failure)
{
	struct asked *asked = ctx;
	asked->ends++;
	asked->padding = padding;
	*ret_zeros = padding + NC_TAR_BLOCK;
	return asked->end_code ? nc_fail(failure, asked->end_code, 0, "no") : 0;
}

/* A record of one file, hello, with or without the end of its archive. */
static int join(const char *payload, const char *tail, struct asked *asked, size_t *ret_len)
{
	NC_AUTO_BUF struct nc_buf json = NC_BUF_INIT(1 << 16);
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	struct nc_old_files files = { .find = find, .pass = pass, .end = find_end, .ctx = asked };
	NC_AUTO_FREE char *bytes = NULL;
	assert_done(nc_buf_addf(&json, &err, "{\"type\":2,\"payload\":\"%s\"}\n{\"type\":1,\"name\":\"f\",\"size\":5,"
				"\"payload\":\"PD7u4tgQAAA=\"}\n%s", payload, tail));
	assert_done(nc_old_join(read_pieces(json.data, json.len, 100), &files, &reader, &err));
	int code = nc_reader_slurp(reader, 1 << 16, &bytes, ret_len, &err);
	assert_int_equal(nc_reader_drain(reader, NULL), code);
	return code;
}

/* "f", a plain file of five bytes, in base64. */
static void header_text(char *ret, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(1 << 16);
	add_header(&buf, "f", '0', 5);
	assert_done(nc_buf_add(&buf, "", 1, &err));	/* 513 is a multiple of three */
	size_t at = 0;
	for (size_t i = 0; i < buf.len; i += 3) {
		const unsigned char *b = (const unsigned char *)buf.data + i;
		unsigned all = (unsigned)b[0] << 16 | (unsigned)b[1] << 8 | b[2];
		for (int shift = 18; shift >= 0; shift -= 6)
			ret[at++] = digits[all >> shift & 63];
	}
	ret[at - 1] = '=';
	ret[at] = '\0';
	assert_true(at < size);
}

static void asks_for_the_end_that_was_lost(void **state)
{
	char header[1000];
	size_t len = 0;
	header_text(header, sizeof header);
	struct asked asked = { 0 };
	assert_done(join(header, "", &asked, &len));
	assert_int_equal(asked.ends, 1);
	assert_int_equal(asked.padding, NC_TAR_BLOCK - 5);
	assert_int_equal(len, 3 * NC_TAR_BLOCK);
	assert_int_equal(asked.passed, len);
	/* empty segments are none */
	asked = (struct asked){ .end_code = NACRE_E_CORRUPT };
	assert_int_equal(join(header, "{\"type\":2,\"payload\":\"\"}\n", &asked, &len), NACRE_E_CORRUPT);
	asked = (struct asked){ 0 };
	assert_done(join(header, "{\"type\":2,\"payload\":\"AAAA\"}\n", &asked, &len));
	assert_int_equal(asked.ends, 0);
	assert_int_equal(len, NC_TAR_BLOCK + 5 + 3);
	assert_int_equal(asked.finds, 1);
}

static void names_the_file_whose_header_is_no_header(void **state)
{
	struct asked asked = { 0 };
	size_t len;
	assert_int_equal(join("AAAA", "", &asked, &len), NACRE_E_CORRUPT);
	assert_non_null(strstr(err.msg, "'f'"));
	assert_int_equal(asked.finds, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_a_segment_that_fits),
		cmocka_unit_test(a_size_of_pax_counts),
		cmocka_unit_test(puts_long_names_in_order),
		cmocka_unit_test(asks_for_the_end_that_was_lost),
		cmocka_unit_test(names_the_file_whose_header_is_no_header),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
