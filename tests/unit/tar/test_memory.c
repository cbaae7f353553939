/* What reading and writing cost in memory, and what happens when there is none.
 *
 * Linked with --wrap for the functions of base/mem.h, which counts their calls and can make the n-th one fail. */
#include "tools.h"

#include "io/writer.h"
#include "tar/split.h"
#include "tar/write.h"

static unsigned allocations;
static unsigned failing;	/* the call that fails; 0: none */

static bool fails(void)
{
	return ++allocations == failing;
}

#include "../nomem.h"

/* --- the way of a layer ----------------------------------------------------------------------------------------- */

/* Reads an archive into a record that only has segments. */
static int split_all(const void *bytes, size_t len, struct nc_buf *ret_record, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_CLEANUP(nc_tar_auto) struct nc_tar *tar = NULL;
	NC_CLEANUP(nc_split_auto) struct nc_split *split = NULL;
	int code = nc_reader_memory(bytes, len, &reader, err);
	if (code == 0)
		code = ret_record ? nc_writer_buf(ret_record, &out, err) : nc_writer_null(&out, err);
	if (code == 0)
		code = nc_tar_new(reader, &tar, err);
	if (code == 0)
		code = nc_split_new(out, &split, err);
	struct nc_tar_item item;
	int event = 0;
	while (code == 0 && (event = nc_tar_next(tar, &item, err)) > 0) {
		if (event == NC_TAR_ENTRY)
			code = nc_split_member(split, item.entry->name, item.entry->name_len, err);
		else
			code = nc_split_framing(split, item.bytes, item.len, err);
	}
	if (code == 0)
		code = event < 0 ? event : nc_split_finish(split, err);
	return code;
}

static int join_all(const struct nc_buf *record, struct nacre_error *err)
{
	static const struct nc_join_files none;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *joined = NULL;
	struct nc_reader *reader;
	int code = nc_reader_memory(record->data, record->len, &reader, err);
	if (code == 0)
		code = nc_join(reader, &none, &joined, err);
	return code < 0 ? code : nc_reader_drain(joined, err);
}

static int keep(void *ctx, const struct nc_split_record *file, struct nc_reader **ret_bytes, struct nacre_error *err)
{
	return 0;
}

static int rewrite_all(const struct nc_buf *record, struct nacre_error *err)
{
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	struct nc_reader *reader;
	int code = nc_writer_null(&out, err);
	if (code == 0)
		code = nc_reader_memory(record->data, record->len, &reader, err);
	return code < 0 ? code : nc_split_rewrite(reader, out, keep, NULL, err);
}

static int write_all(struct nacre_error *err)
{
	static const struct nc_xattr xattrs[] = { { "user.a=b", "value", 5 }, { "user.x", "value", 5 } };
	const struct nc_entry entry = { .type = NC_ENTRY_SYMLINK, .name = "a/b", .name_len = 3, .link = "c", .link_len = 1,
					.mtime = { -1, 1 }, .xattrs = xattrs, .xattr_count = 2 };
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_CLEANUP(nc_tar_writer_auto) struct nc_tar_writer *tar = NULL;
	int code = nc_writer_null(&out, err);
	if (code == 0)
		code = nc_tar_writer_new(out, &tar, err);
	if (code == 0)
		code = nc_tar_writer_entry(tar, &entry, err);
	return code < 0 ? code : nc_tar_writer_finish(tar, err);
}

static int do_everything(const struct made *made, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf record = NC_BUF_INIT(1u << 20);
	int code = split_all(made->buf.data, made->buf.len, &record, err);
	if (code == 0)
		code = nc_buf_add_text(&record, "{\"type\":1,\"name\":\"sl\\/ash\"}", err);
	if (code == 0)
		code = join_all(&record, err);
	if (code == 0)
		code = rewrite_all(&record, err);
	return code < 0 ? code : write_all(err);
}

static void each_allocation_fails_once(void **state)
{
	struct made made = { 0 };
	struct nacre_error err;
	made_pax(&made, 'g', "SCHILY.xattr.user.g", "global");
	made_pax(&made, 'g', "path", "global path");
	made_pax(&made, 'g', "linkpath", "global link");
	made_member(&made, 'L', "././@LongLink", "a long name");
	made_member(&made, 'K', "././@LongLink", "a long target");
	made_pax(&made, 'x', "SCHILY.xattr.user.x", "value");
	made_header(&made, '2', "l", 0);
	made_pax(&made, 'x', "path", "caf\xe9");
	made_member(&made, '0', "f", "content");
	static const char sparse[] = "24 GNU.sparse.size=1000\n22 GNU.sparse.map=0,0\n";
	made_header(&made, 'x', "pax", sizeof sparse - 1);
	made_payload(&made, sparse, sizeof sparse - 1);
	made_header(&made, '0', "s", 0);
	made_end(&made);

	allocations = failing = 0;
	assert_done(do_everything(&made, &err));
	unsigned all = allocations;
	assert_in_range(all, 30, 200);
	for (unsigned n = 1; n <= all; n++) {
		allocations = 0;
		failing = n;
		assert_int_equal(do_everything(&made, &err), NACRE_E_NOMEM);
		assert_int_equal(err.code, NACRE_E_NOMEM);
		failing = 0;
	}
	made_release(&made);
}

/* Allocations for an archive of so many members. */
static unsigned cost_of(unsigned members)
{
	struct made made = { 0 };
	struct nacre_error err;
	for (unsigned i = 0; i < members; i++) {
		char name[40];
		snprintf(name, sizeof name, "directory/file number %05u", i);
		made_pax(&made, 'x', "mtime", "1.5");
		made_member(&made, '0', name, "some content");
		made_member(&made, 'L', "././@LongLink", name);
		made_member(&made, '2', "l", "");
	}
	made_end(&made);
	allocations = failing = 0;
	assert_done(split_all(made.buf.data, made.buf.len, NULL, &err));
	unsigned cost = allocations;
	made_release(&made);
	return cost;
}

static void members_cost_no_allocations(void **state)
{
	assert_int_equal(cost_of(10), cost_of(5000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation_fails_once),
		cmocka_unit_test(members_cost_no_allocations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
