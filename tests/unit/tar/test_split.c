#include "split_tools.h"

#include "corpus.h"

static bool same(const struct nc_buf *a, const struct nc_buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void sums_as_the_real_library(void **state)
{
	static const struct {
		const char *text;
		uint64_t sum;
	} vectors[] = {
		{ "", 0 },
		{ "a", 0x3420000000000000 },
		{ "123456789", 0xb90956c775a41001 },
		{ "imma hurr til I derp", 0x0274a4b1abec6b4e },
		{ "caf\xc3\xa9 con leche, por favor", 0x7e4859efe6fca0bb },
		{ "hello", 0x3c3eeee2d8100000 },
	};
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const char *text = vectors[i].text;
		size_t len = strlen(text), half = len / 2;
		assert_int_equal(nc_crc64(0, text, len), vectors[i].sum);
		assert_int_equal(nc_crc64(nc_crc64(0, text, half), text + half, len - half), vectors[i].sum);
	}
}

static void gives_back_each_archive_of_the_corpus(void **state)
{
	static const size_t pieces[] = { 0, 1000, 512, 13 };
	for (size_t i = 0; i < CORPUS_COUNT; i++) {
		for (size_t j = 0; j < sizeof pieces / sizeof pieces[0]; j++) {
			NC_AUTO_BUF struct nc_buf archive, record, again;
			struct nacre_error err = { .msg = "" };
			struct files files;
			files_init(&files);
			load_corpus(corpus[i].file, &archive);
			int code = take_apart(nc_buf_text(&archive), archive.len, pieces[j], &files, &record, &err);
			assert_int_equal(code, corpus[i].code);
			code = put_together(nc_buf_text(&record), record.len, pieces[j], &files, &again, &err);
			if (code < 0 || (corpus[i].code == 0 && !same(&archive, &again)))
				fail_msg("%s: %d %s, %zu bytes instead of %zu", corpus[i].file, code, err.msg,
					 again.len, archive.len);
			files_release(&files);
		}
	}
}

/* Archives of tests/corpus/tar-split with a record that the real library wrote. Those with sparse members are not
 * here: it records them with their holes and cannot put them together again. */
static const struct {
	const char *name, *archive;
} references[] = {
	{ "asm-extranils", "tar.gz" }, { "asm-longlink", "tar.gz" }, { "asm-t", "tar.gz" },
	{ "tar-gnu", "tar" }, { "tar-gnu-long-nul", "tar" }, { "tar-gnu-utf8", "tar" }, { "tar-hardlink", "tar" },
	{ "tar-pax", "tar" }, { "tar-pax-multi-hdrs", "tar" }, { "tar-pax-records", "tar" },
	{ "tar-trailing-slash", "tar" }, { "tar-ustar", "tar" }, { "tar-ustar-file-devs", "tar" },
	{ "tar-v7", "tar" }, { "tar-xattrs", "tar" },
};
#define REFERENCE_COUNT (sizeof references / sizeof references[0])

static void load_reference(size_t i, struct nc_buf *ret_archive, struct nc_buf *ret_record)
{
	char path[256];
	snprintf(path, sizeof path, "tar-split/%s.%s", references[i].name, references[i].archive);
	load_corpus(path, ret_archive);
	snprintf(path, sizeof path, "tar-split/reference/%s.ndjson", references[i].name);
	load_corpus(path, ret_record);
}

static void writes_what_the_real_library_writes(void **state)
{
	struct nacre_error err;
	for (size_t i = 0; i < REFERENCE_COUNT; i++) {
		NC_AUTO_BUF struct nc_buf archive, want, record;
		struct files files;
		files_init(&files);
		load_reference(i, &archive, &want);
		assert_done(take_apart(archive.data, archive.len, 700, &files, &record, &err));
		if (!same(&want, &record))
			fail_msg("%s:\n%s\ninstead of\n%s", references[i].name, nc_buf_text(&record),
				 nc_buf_text(&want));
		files_release(&files);
	}
}

static void puts_together_what_the_real_library_wrote(void **state)
{
	struct nacre_error err;
	for (size_t i = 0; i < REFERENCE_COUNT; i++) {
		NC_AUTO_BUF struct nc_buf archive, want, record, again;
		struct files files;
		files_init(&files);
		load_reference(i, &archive, &want);
		assert_done(take_apart(archive.data, archive.len, 0, &files, &record, &err));
		assert_done(put_together(want.data, want.len, 100, &files, &again, &err));
		assert_true(same(&archive, &again));
		files_release(&files);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_as_the_real_library),
		cmocka_unit_test(gives_back_each_archive_of_the_corpus),
		cmocka_unit_test(writes_what_the_real_library_writes),
		cmocka_unit_test(puts_together_what_the_real_library_wrote),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
