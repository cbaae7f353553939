/* tar-split records beyond the corpus: what other writers made of them, what is broken, and rewriting. */
#include "split_tools.h"

/* --- reading ---------------------------------------------------------------------------------------------------- */

/* Reads a record: a line each, F name size crc or S bytes, and how it ended. */
static int tell(const char *json, size_t len, size_t piece, struct nc_buf *ret, struct nacre_error *ret_err)
{
	struct nacre_error err;
	NC_CLEANUP(nc_split_reader_auto) struct nc_split_reader *reader = NULL;
	*ret = (struct nc_buf)NC_BUF_INIT(128u << 20);
	assert_done(nc_split_reader_new(read_pieces(json, len, piece), &reader, &err));
	struct nc_split_record record;
	int kind;
	while ((kind = nc_split_reader_next(reader, &record, ret_err)) > 0) {
		if (kind == NC_SPLIT_FILE) {
			assert_int_equal(strlen(record.name), record.name_len);
			assert_done(nc_buf_addf(ret, &err, "F %s %" PRIu64 " %" PRIx64 "\n", record.name, record.size,
						record.crc));
		} else {
			assert_true(record.len > 0);
			assert_done(nc_buf_addf(ret, &err, "S "));
			assert_done(nc_buf_add(ret, record.bytes, record.len, &err));
			assert_done(nc_buf_addf(ret, &err, "\n"));
		}
	}
	assert_int_equal(nc_split_reader_next(reader, &record, NULL), kind);
	return kind;
}

static void reads_records_of_any_spelling(void **state)
{
	static const struct {
		const char *json, *told;
	} records[] = {
		{ "", "" },
		{ " \n\r\t ", "" },
		{ "{\"type\":2,\"payload\":\"YWJj\",\"position\":0}\n", "S abc\n" },
		{ "{\"type\":2,\"payload\":\"YWJj\",\"position\":0}", "S abc\n" },
		/* 0.9.4 spells everything out; empty segments say nothing. */
		{ "{\"type\":2,\"name\":\"\",\"size\":0,\"payload\":\"\",\"position\":0}\n"
		  "{\"type\":1,\"name\":\"d/\",\"size\":0,\"payload\":null,\"position\":1}\n", "F d/ 0 0\n" },
		{ "{\"type\":1,\"name\":\"f\",\"size\":5,\"payload\":\"PD7u4tgQAAA=\",\"position\":3}\n",
		  "F f 5 3c3eeee2d8100000\n" },
		/* Any order, blanks, several values a line, unknown keys and types. */
		{ " { \"position\" : 7 , \"payload\" : \"YQ==\" , \"type\" : 2 } {\"type\":2,\"payload\":\"Yg\"}",
		  "S a\nS b\n" },
		{ "{\"type\":9,\"payload\":12}"
		  "{\"new\":{\"a\":[1,{\"b\":\"}]\\\"\"}]},\"type\":2,\"payload\":\"YQ==\"}",
		  "S a\n" },
		{ "{}{\"payload\":\"YQ==\"}", "" },
		{ "{\"type\":2,\"payload\":null}{\"type\":2}", "" },
		{ "{\"type\":2,\"payload\":\"Pz8\\/\"}", "S ??\?\n" },
		/* Names: escapes, halves of surrogates, raw bytes, name_raw. */
		{ "{\"type\":1,"
		  "\"name\":\"\\u003c\\u00e9\\u20ac\\ud83d\\ude00\\n\\\"\\\\\\/\\t\\b\\f\\r\",\"payload\":null}",
		  "F <\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n\"\\/\t\b\f\r 0 0\n" },
		{ "{\"type\":1,\"name\":\"\\ud83dx\\ude00\\ud83d\\u0041\"}", "F \xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd"
		  "A 0 0\n" },
		{ "{\"type\":1,\"name\":\"caf\xe9\"}", "F caf\xe9 0 0\n" },
		{ "{\"type\":1,\"name_raw\":\"Y2Fm6Q==\",\"payload\":null}", "F caf\xe9 0 0\n" },
		{ "{\"type\":1,\"name\":\"x\",\"name_raw\":\"Y2Fm6Q==\"}", "F caf\xe9 0 0\n" },
		{ "{\"type\":1,\"payload\":null}", "F  0 0\n" },
		{ "{\"type\":1,\"name\":\"first\",\"name\":\"last\"}", "F last 0 0\n" },
	};
	for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
		for (size_t piece = 0; piece < 4; piece++) {
			NC_AUTO_BUF struct nc_buf told;
			struct nacre_error err = { .msg = "" };
			int code = tell(records[i].json, strlen(records[i].json), piece, &told, &err);
			if (code != 0 || strcmp(nc_buf_text(&told), records[i].told) != 0)
				fail_msg("%s\n%d %s\n%s", records[i].json, code, err.msg, nc_buf_text(&told));
		}
	}
}

static void refuses_broken_records(void **state)
{
	static const struct {
		const char *json, *reason;
	} records[] = {
		{ "{\"type\":2,\"payload\":\"YWJj\",\"position\":0", "record 0: cut off" },
		{ "{\"type\":2,\"payload\":\"YWJj", "record 0: cut off" },
		{ "{\"type\":2,\"payload\":\"YWJj\\", "record 0: cut off" },
		{ "{", "record 0: cut off" },
		{ "{\"type\":9}\n{\"type\":9}\n{", "record 2: cut off" },
		{ "x", "no JSON object" },
		{ "[]", "no JSON object" },
		{ "{\"type\":9},{\"type\":9}", "record 1: no JSON object" },
		{ "{\"type\":2,}", "malformed JSON" },
		{ "{\"type\" 2}", "malformed JSON" },
		{ "{type:2}", "malformed JSON" },
		{ "{\"type\":}", "malformed JSON" },
		{ "{\"type\":2 3}", "malformed JSON" },
		{ "{\"type\":\"2\"}", "a type that is no number" },
		{ "{\"type\":2.0}", "a type that is no number" },
		{ "{\"type\":-2}", "a type that is no number" },
		{ "{\"type\":1,\"name\":5}", "a name that is no string" },
		{ "{\"type\":1,\"name_raw\":[]}", "a name that is no string" },
		{ "{\"type\":1,\"name\":\"a\\u0000b\"}", "a name with a NUL byte" },
		{ "{\"type\":1,\"name_raw\":\"YQBi\"}", "a name with a NUL byte" },
		{ "{\"type\":1,\"name\":\"\\x\"}", "a malformed string" },
		{ "{\"type\":1,\"name\":\"\\u12g4\"}", "a malformed string" },
		{ "{\"type\":1,\"name\":\"\\u12\"}", "a malformed string" },
		{ "{\"type\":1,\"name_raw\":\"a*==\"}", "bad base64" },
		{ "{\"type\":1,\"name\":\"f\",\"size\":-1}", "a size that is no number" },
		{ "{\"type\":1,\"name\":\"f\",\"size\":1e3}", "a size that is no number" },
		{ "{\"type\":1,\"name\":\"f\",\"size\":9223372036854775808}", "a size that is no number" },
		{ "{\"type\":1,\"name\":\"f\",\"size\":5,\"payload\":null}", "a checksum that is not 8 bytes long" },
		{ "{\"type\":1,\"name\":\"f\",\"size\":5,\"payload\":\"PD7u4tgQAA==\"}", "a checksum that is not" },
		{ "{\"type\":1,\"name\":\"f\",\"size\":5,\"payload\":7}", "a payload that is no string" },
		{ "{\"type\":2,\"payload\":7}", "a payload that is no string" },
		{ "{\"type\":2,\"payload\":\"YWJjZ\"}", "bad base64" },
		{ "{\"type\":2,\"payload\":\"YW Jj\"}", "bad base64" },
		{ "{\"type\":2,\"payload\":\"YQ===\"}", "bad base64" },
		{ "{\"type\":2,\"payload\":\"Y===\"}", "bad base64" },
		{ "{\"type\":2,\"payload\":\"YWJj=\"}", "bad base64" },
	};
	for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
		for (size_t piece = 0; piece < 4; piece++) {
			NC_AUTO_BUF struct nc_buf told;
			struct nacre_error err = { .msg = "" };
			int code = tell(records[i].json, strlen(records[i].json), piece, &told, &err);
			if (code != NACRE_E_CORRUPT || !strstr(err.msg, records[i].reason))
				fail_msg("%s\n%d %s\n%s", records[i].json, code, err.msg, nc_buf_text(&told));
		}
	}
}

static void refuses_records_beyond_its_limits(void **state)
{
	NC_AUTO_BUF struct nc_buf json = NC_BUF_INIT(128u << 20), told;
	struct nacre_error err;
	size_t len = 65u << 20;
	assert_done(nc_buf_add_text(&json, "{\"type\":2,\"payload\":\"", &err));
	assert_done(nc_buf_reserve(&json, len + 10, &err));
	memset(json.data + json.len, 'A', len);
	json.len += len;
	assert_done(nc_buf_add_text(&json, "\"}", &err));
	assert_int_equal(tell(json.data, json.len, 1u << 20, &told, &err), NACRE_E_CORRUPT);
	assert_non_null(strstr(err.msg, "longer than 64 MiB"));
	nc_buf_release(&told);
	assert_int_equal(tell(json.data, json.len, 0, &told, &err), NACRE_E_CORRUPT);
	nc_buf_release(&told);

	json.len = 0;
	assert_done(nc_buf_add_text(&json, "{\"type\":1,\"name\":\"", &err));
	memset(json.data + json.len, 'A', 70000);
	json.len += 70000;
	assert_done(nc_buf_add_text(&json, "\"}", &err));
	assert_int_equal(tell(json.data, json.len, 0, &told, &err), NACRE_E_CORRUPT);
	assert_non_null(strstr(err.msg, "too long"));
}

/* As 0.9.4 wrote it: each byte that is no UTF-8 became U+FFFD. */
static void lost_name(struct made *headers, const char *name, const char *told_name)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf json = NC_BUF_INIT(1u << 20), told, record;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_CLEANUP(nc_split_auto) struct nc_split *split = NULL;
	assert_done(nc_writer_buf(&json, &out, &err));
	assert_done(nc_split_new(out, &split, &err));
	assert_done(nc_split_framing(split, headers->buf.data, headers->buf.len, &err));
	assert_done(nc_split_finish(split, &err));
	assert_done(nc_buf_addf(&json, &err, "{\"type\":1,\"name\":\"%s\",\"size\":0,\"payload\":null}\n", name));
	assert_done(tell(json.data, json.len, 100, &told, &err));
	record = (struct nc_buf)NC_BUF_INIT(1000);
	assert_done(nc_buf_addf(&record, &err, "\nF %s 0 0\n", told_name));
	const char *end = told.data + told.len - record.len;
	if (strcmp(end, record.data) != 0)
		fail_msg("%s instead of %s", end, record.data);
	made_release(headers);
}

static void finds_lost_names_in_the_headers(void **state)
{
	struct made made = { 0 };
	made_zeros(&made, 100);	/* padding of the member before */
	made_header(&made, '0', "caf\xe9/\xff\xfe", 0);
	lost_name(&made, "caf\\ufffd/\\ufffd\\ufffd", "caf\xe9/\xff\xfe");
	made = (struct made){ 0 };
	made_member(&made, 'L', "././@LongLink", "long caf\xe9");
	made_header(&made, '0', "short", 0);
	lost_name(&made, "long caf\\ufffd", "long caf\xe9");
	made = (struct made){ 0 };
	made_pax(&made, 'x', "path", "pax \xe9");
	made_header(&made, '0', "short", 0);
	lost_name(&made, "pax \xef\xbf\xbd", "pax \xe9");
	made = (struct made){ 0 };
	made_member(&made, 'L', "././@LongLink", "of the member before \xff");
	made_header(&made, '5', "d", 0);
	made_header(&made, '0', "caf\xe9", 0);
	lost_name(&made, "caf\\ufffd", "caf\xe9");
	/* A name that has the character by right, and headers that say something else, change nothing. */
	made = (struct made){ 0 };
	made_header(&made, '0', "a\xef\xbf\xbd", 0);
	lost_name(&made, "a\\ufffd", "a\xef\xbf\xbd");
	made = (struct made){ 0 };
	made_header(&made, '0', "b\xe9", 0);
	lost_name(&made, "a\\ufffd", "a\xef\xbf\xbd");
	made = (struct made){ 0 };
	made_zeros(&made, 700);
	lost_name(&made, "a\\ufffd", "a\xef\xbf\xbd");
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static void spells_names_as_go_does(void **state)
{
	static const struct {
		const char *name, *spelled;
	} names[] = {
		{ "plain", "\"name\":\"plain\"" },
		{ "<&>\"\\\n\r\t\b\f\x1f\x7f/'",
		  "\"name\":\"\\u003c\\u0026\\u003e\\\"\\\\\\n\\r\\t\\u0008\\u000c\\u001f\x7f/'\"" },
		{ "\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa",
		  "\"name\":\"\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\"" },
		{ "\xf0\x9f\x98\x80\xef\xbf\xbd", "\"name\":\"\xf0\x9f\x98\x80\xef\xbf\xbd\"" },
		{ "caf\xe9", "\"name_raw\":\"Y2Fm6Q==\"" },
		{ "\xed\xa0\x80", "\"name_raw\":\"7aCA\"" },
		{ "\xc0\xaf", "\"name_raw\":\"wK8=\"" },
		{ "\xf4\x90\x80\x80", "\"name_raw\":\"9JCAgA==\"" },
		{ "\xe2\x80", "\"name_raw\":\"4oA=\"" },
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct nacre_error err;
		NC_AUTO_BUF struct nc_buf json = NC_BUF_INIT(10000), told;
		NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
		NC_CLEANUP(nc_split_auto) struct nc_split *split = NULL;
		char want[500];
		assert_done(nc_writer_buf(&json, &out, &err));
		assert_done(nc_split_new(out, &split, &err));
		assert_done(nc_split_member(split, names[i].name, strlen(names[i].name), &err));
		assert_done(nc_split_content(split, "hel", 3, &err));
		assert_done(nc_split_content(split, "lo", 2, &err));
		assert_done(nc_split_finish(split, &err));
		snprintf(want, sizeof want,
			 "{\"type\":1,%s,\"size\":5,\"payload\":\"PD7u4tgQAAA=\",\"position\":0}\n",
			 names[i].spelled);
		assert_string_equal(json.data, want);
		assert_done(tell(json.data, json.len, 0, &told, &err));
		snprintf(want, sizeof want, "F %s 5 3c3eeee2d8100000\n", names[i].name);
		assert_string_equal(told.data, want);
	}
}

/* Lengths of the segments that an archive of one empty file and these bytes behind its header gives. */
static void expect_segments(const void *bytes, size_t len, const char *want)
{
	struct nacre_error err;
	struct made made = { 0 };
	struct files files;
	NC_AUTO_BUF struct nc_buf record, again, lengths = NC_BUF_INIT(1000);
	files_init(&files);
	made_header(&made, '0', "f", 0);
	made_bytes(&made, bytes, len);
	assert_done(take_apart(made.buf.data, made.buf.len, 3000, &files, &record, &err));
	NC_CLEANUP(nc_split_reader_auto) struct nc_split_reader *reader = NULL;
	assert_done(nc_split_reader_new(read_pieces(record.data, record.len, 0), &reader, &err));
	struct nc_split_record item;
	int kind;
	while ((kind = nc_split_reader_next(reader, &item, &err)) > 0)
		assert_done(nc_buf_addf(&lengths, &err, "%zu ", kind == NC_SPLIT_FILE ? 0 : item.len));
	assert_string_equal(nc_buf_text(&lengths), want);
	assert_done(put_together(record.data, record.len, 4096, &files, &again, &err));
	assert_int_equal(again.len, made.buf.len);
	assert_memory_equal(again.data, made.buf.data, again.len);
	made_release(&made);
	files_release(&files);
}

static void cuts_segments_where_the_real_library_does(void **state)
{
	char *zeros = calloc(1, 4u << 20);
	expect_segments(zeros, 0, "512 0 ");
	expect_segments(zeros, 512, "512 0 512 ");
	expect_segments(zeros, 1024, "512 0 1024 ");
	expect_segments(zeros, 1025, "512 0 1024 1 ");
	expect_segments(zeros, 1024 + (1u << 20), "512 0 1024 1048576 ");
	expect_segments(zeros, 1024 + (1u << 20) + 1, "512 0 1024 1048576 1 ");
	expect_segments(zeros, 1024 + (3u << 20) + 700, "512 0 1024 1048576 1048576 1048576 700 ");
	memset(zeros + 600, 'x', 10);
	expect_segments(zeros, 2000, "512 0 2000 ");
	free(zeros);
}

static void content_needs_a_member(void **state)
{
	struct nacre_error err;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_CLEANUP(nc_split_auto) struct nc_split *split = NULL;
	assert_done(nc_writer_null(&out, &err));
	assert_done(nc_split_new(out, &split, &err));
	assert_int_equal(nc_split_content(split, "x", 1, &err), NACRE_E_INVALID);
}

/* --- putting together ------------------------------------------------------------------------------------------- */

static void notices_files_that_changed(void **state)
{
	struct nacre_error err;
	struct made made = { 0 };
	struct files files;
	NC_AUTO_BUF struct nc_buf record, again;
	files_init(&files);
	made_member(&made, '0', "f", "hello");
	made_end(&made);
	assert_done(take_apart(made.buf.data, made.buf.len, 0, &files, &record, &err));
	struct nc_buf *content = nc_map_get(files.map, "f", 1);

	content->data[2] = 'L';
	assert_int_equal(put_together(record.data, record.len, 0, &files, &again, &err), NACRE_E_CORRUPT);
	assert_string_equal(err.msg, "'f' has other content than it had (its CRC-64 differs)");
	nc_buf_release(&again);
	/* Another size is noticed before a byte of it went out. */
	assert_done(nc_buf_add(content, "!", 1, &err));
	assert_int_equal(put_together(record.data, record.len, 0, &files, &again, &err), NACRE_E_CORRUPT);
	assert_string_equal(err.msg, "'f' has 6 bytes instead of 5");
	assert_int_equal(again.len, 512);
	nc_buf_release(&again);
	files_remove(&files, "f");
	assert_int_equal(put_together(record.data, record.len, 0, &files, &again, &err), NACRE_E_NOTFOUND);
	files_release(&files);
	made_release(&made);
}

/* A file that says one size and has another. */
static int open_liar(void *ctx, const char *name, size_t len, struct nc_reader **ret, uint64_t *ret_size,
		     struct nacre_error *err)
{
	*ret_size = 5;
	*ret = read_pieces("hello world", *(const size_t *)ctx, 4);
	return 0;
}

static void notices_files_that_change_meanwhile(void **state)
{
	static const char json[] = "{\"type\":1,\"name\":\"f\",\"size\":5,\"payload\":\"PD7u4tgQAAA=\"}";
	static const struct {
		size_t len;
		const char *said;
	} liars[] = { { 4, "'f' ended after 4 of 5 bytes" }, { 6, "'f' grew beyond 5 bytes" }, { 5, NULL } };
	for (size_t i = 0; i < 3; i++) {
		struct nacre_error err;
		size_t len = liars[i].len;
		const struct nc_join_files files = { open_liar, &len };
		NC_CLEANUP(nc_reader_auto) struct nc_reader *joined = NULL;
		assert_done(nc_join(read_pieces(json, sizeof json - 1, 0), &files, &joined, &err));
		int code = nc_reader_drain(joined, &err);
		assert_int_equal(code, liars[i].said ? NACRE_E_CORRUPT : 0);
		if (liars[i].said)
			assert_string_equal(err.msg, liars[i].said);
	}
}

/* --- rewriting -------------------------------------------------------------------------------------------------- */

static int replace_gone(void *ctx, const struct nc_split_record *file, struct nc_reader **ret_bytes,
			struct nacre_error *err)
{
	if (strncmp(file->name, "gone", 4) == 0) {
		const struct nc_buf *content = nc_map_get(((struct files *)ctx)->map, file->name, file->name_len);
		*ret_bytes = content->len ? read_pieces(content->data, content->len, 2) : NULL;
		return 1;
	}
	return strcmp(file->name, "fails") == 0 ? nc_fail(err, NACRE_E_IO, 0, "it fails") : 0;
}

static void rewrites_files_that_went_away(void **state)
{
	struct nacre_error err;
	struct made made = { 0 };
	struct files files;
	NC_AUTO_BUF struct nc_buf record, rewritten = NC_BUF_INIT(1u << 20), told, again;
	files_init(&files);
	made_member(&made, '0', "stays", "hello");
	made_member(&made, '0', "gone", "its content");
	made_member(&made, '5', "gone/", "");
	made_member(&made, '0', "stays too", "hello");
	made_end(&made);
	made_zeros(&made, 100);
	assert_done(take_apart(made.buf.data, made.buf.len, 0, &files, &record, &err));
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	assert_done(nc_writer_buf(&rewritten, &out, &err));
	assert_done(nc_split_rewrite(read_pieces(record.data, record.len, 7), out, replace_gone, &files, &err));
	assert_done(tell(rewritten.data, rewritten.len, 0, &told, &err));
	assert_null(memmem(told.data, told.len, "\nF gone", 7));
	assert_non_null(memmem(told.data, told.len, "\nF stays 5 3c3eeee2d8100000\n", 28));
	assert_non_null(memmem(told.data, told.len, "\nF stays too 5 3c3eeee2d8100000\n", 32));
	files_remove(&files, "gone");
	files_remove(&files, "gone/");
	assert_done(put_together(rewritten.data, rewritten.len, 0, &files, &again, &err));
	assert_int_equal(again.len, made.buf.len);
	assert_memory_equal(again.data, made.buf.data, again.len);
	files_release(&files);
	made_release(&made);
}

static int replace_none(void *ctx, const struct nc_split_record *file, struct nc_reader **ret_bytes,
			struct nacre_error *err)
{
	return 0;
}

static void rewriting_nothing_changes_nothing(void **state)
{
	static const char *const names[] = { "asm-extranils", "asm-longlink", "asm-t", "tar-v7", "tar-pax" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct nacre_error err;
		char path[200];
		NC_AUTO_BUF struct nc_buf record, rewritten = NC_BUF_INIT(1u << 20);
		NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
		snprintf(path, sizeof path, "tar-split/reference/%s.ndjson", names[i]);
		load_corpus(path, &record);
		assert_done(nc_writer_buf(&rewritten, &out, &err));
		assert_done(nc_split_rewrite(read_pieces(record.data, record.len, 0), out, replace_none, NULL, &err));
		assert_string_equal(rewritten.data, record.data);
	}
}

static void rewriting_stops_at_failures(void **state)
{
	static const char json[] = "{\"type\":1,\"name\":\"fails\"}", cut[] = "{\"type\":1,\"name\":\"f\"}{";
	struct nacre_error err;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	assert_done(nc_writer_null(&out, &err));
	assert_int_equal(nc_split_rewrite(read_pieces(json, sizeof json - 1, 0), out, replace_gone, NULL, &err),
			 NACRE_E_IO);
	assert_int_equal(nc_split_rewrite(read_pieces(cut, sizeof cut - 1, 0), out, replace_gone, NULL, &err),
			 NACRE_E_CORRUPT);
}

/* --- any bytes -------------------------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void survives_any_change_of_bytes(void **state)
{
	static const char tokens[] = "\"\\{}[]:,u0 \n\xe9" "A";
	uint32_t random = 20150731;
	NC_AUTO_BUF struct nc_buf record;
	unsigned refused = 0;
	load_corpus("tar-split/reference/tar-hardlink.ndjson", &record);
	for (int round = 0; round < 3000; round++) {
		struct nacre_error err;
		NC_AUTO_BUF struct nc_buf told;
		char *changed = nc_memdup(record.data, record.len);
		for (uint32_t changes = next_random(&random) % 3 + 1; changes; changes--) {
			/* The ends of lines, where the structure is. */
			size_t at = next_random(&random) % record.len;
			while (next_random(&random) % 3 && at + 40 < record.len && !memchr(changed + at, '\n', 40))
				at++;
			changed[at] = tokens[next_random(&random) % (sizeof tokens - 1)];
		}
		size_t len = next_random(&random) % 4 ? record.len : next_random(&random) % record.len;
		refused += tell(changed, len, next_random(&random) % 50, &told, &err) < 0;
		free(changed);
	}
	assert_in_range(refused, 300, 2990);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_records_of_any_spelling),
		cmocka_unit_test(refuses_broken_records),
		cmocka_unit_test(refuses_records_beyond_its_limits),
		cmocka_unit_test(finds_lost_names_in_the_headers),
		cmocka_unit_test(spells_names_as_go_does),
		cmocka_unit_test(cuts_segments_where_the_real_library_does),
		cmocka_unit_test(content_needs_a_member),
		cmocka_unit_test(notices_files_that_changed),
		cmocka_unit_test(notices_files_that_change_meanwhile),
		cmocka_unit_test(rewrites_files_that_went_away),
		cmocka_unit_test(rewriting_nothing_changes_nothing),
		cmocka_unit_test(rewriting_stops_at_failures),
		cmocka_unit_test(survives_any_change_of_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
