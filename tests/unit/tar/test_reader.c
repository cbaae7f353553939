#include "tools.h"

#include "corpus.h"

static void decides_on_each_archive_of_the_corpus(void **state)
{
	for (size_t i = 0; i < CORPUS_COUNT; i++) {
		NC_AUTO_BUF struct nc_buf archive;
		struct transcript said;
		load_corpus(corpus[i].file, &archive);
		transcribe(nc_buf_text(&archive), archive.len, 0, &said);
		if (said.code != corpus[i].code || said.entries != corpus[i].entries)
			fail_msg("%s: %d, %u entries: %s\n%s", corpus[i].file, said.code, said.entries,
				 said.code < 0 ? said.err.msg : "", nc_buf_text(&said.text));
		transcript_release(&said);
	}
}

static void says_the_same_however_the_bytes_are_cut(void **state)
{
	static const size_t pieces[] = { 1, 7, 511, 512, 513, 4096 };
	for (size_t i = 0; i < CORPUS_COUNT; i++) {
		NC_AUTO_BUF struct nc_buf archive;
		struct transcript whole, cut;
		load_corpus(corpus[i].file, &archive);
		transcribe(nc_buf_text(&archive), archive.len, 0, &whole);
		for (size_t j = 0; j < sizeof pieces / sizeof pieces[0]; j++) {
			if (archive.len / pieces[j] > 30000)
				continue;
			transcribe(nc_buf_text(&archive), archive.len, pieces[j], &cut);
			if (cut.code != whole.code || strcmp(nc_buf_text(&cut.text), nc_buf_text(&whole.text)) != 0)
				fail_msg("%s in pieces of %zu: %d\n%s\nwhole: %d\n%s", corpus[i].file, pieces[j],
					 cut.code, nc_buf_text(&cut.text), whole.code, nc_buf_text(&whole.text));
			transcript_release(&cut);
		}
		transcript_release(&whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_on_each_archive_of_the_corpus),
		cmocka_unit_test(says_the_same_however_the_bytes_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
