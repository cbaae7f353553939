#include "tools.h"

#include "io/writer.h"
#include "tar/write.h"

struct writing {
	struct nc_buf bytes;
	struct nc_writer *out;
	struct nc_tar_writer *tar;
};

static void start(struct writing *writing)
{
	struct nacre_error err;
	*writing = (struct writing){ .bytes = NC_BUF_INIT(64u << 20) };
	assert_done(nc_writer_buf(&writing->bytes, &writing->out, &err));
	assert_done(nc_tar_writer_new(writing->out, &writing->tar, &err));
}

static void stop(struct writing *writing)
{
	nc_tar_writer_free(writing->tar);
	nc_writer_close(writing->out);
	nc_buf_release(&writing->bytes);
}

static struct nc_entry entry_of(enum nc_entry_type type, const char *name)
{
	return (struct nc_entry){ .type = type, .name = name, .name_len = strlen(name), .link = "", .mode = 0644 };
}

static void set_link(struct nc_entry *entry, const char *link)
{
	entry->link = link;
	entry->link_len = strlen(link);
}

/* Writes the entry alone and gives the transcript of what is read. */
static void write_one(const struct nc_entry *entry, struct transcript *ret)
{
	struct nacre_error err;
	struct writing writing;
	start(&writing);
	assert_done(nc_tar_writer_entry(writing.tar, entry, &err));
	assert_done(nc_tar_writer_finish(writing.tar, &err));
	assert_int_equal(writing.bytes.len % 512, 0);
	transcribe(writing.bytes.data, writing.bytes.len, 0, ret);
	stop(&writing);
}

static void expect_one(const struct nc_entry *entry, size_t headers, const char *line)
{
	struct transcript said;
	write_one(entry, &said);
	char *first = strchr(said.text.data, '\n') + 1;
	*strchr(first, '\n') = '\0';
	if (said.code != 0 || strcmp(first, line) != 0)
		fail_msg("%d:\n%s\ninstead of\n%s", said.code, first, line);
	assert_int_equal(said.bytes.len, headers * 512 + 1024);
	transcript_release(&said);
}

static void reads_back_as_it_was_written(void **state)
{
	struct nc_entry e = entry_of(NC_ENTRY_DIR, "d");
	e.mode = 01777;
	expect_one(&e, 1, "5 d/ -> '' 1777 0:0 size 0/0 time 0.000000000 dev 0,0");
	e = entry_of(NC_ENTRY_SYMLINK, "\xff name");
	set_link(&e, "../\xfe");
	e.uid = 2097151;
	e.mtime.sec = 077777777777;
	expect_one(&e, 1, "2 \xff name -> '../\xfe' 0644 2097151:0 size 0/0 time 8589934591.000000000 dev 0,0");
	e = entry_of(NC_ENTRY_LINK, "a");
	set_link(&e, "b");
	e.size = 100;	/* a link has no content of its own */
	expect_one(&e, 1, "1 a -> 'b' 0644 0:0 size 0/0 time 0.000000000 dev 0,0");
	e = entry_of(NC_ENTRY_CHAR, "dev/null");
	e.dev_major = 1;
	e.dev_minor = 3;
	expect_one(&e, 1, "3 dev/null -> '' 0644 0:0 size 0/0 time 0.000000000 dev 1,3");
	e = entry_of(NC_ENTRY_FIFO, "p");
	e.mode = 07777;
	expect_one(&e, 1, "6 p -> '' 7777 0:0 size 0/0 time 0.000000000 dev 0,0");
}

static void says_in_pax_what_ustar_cannot(void **state)
{
	struct nc_entry e = entry_of(NC_ENTRY_BLOCK, "b");
	e.uid = 4294967294;
	e.gid = 2097152;
	e.dev_major = 4294967295;
	e.dev_minor = 2097152;
	expect_one(&e, 3, "4 b -> '' 0644 4294967294:2097152 size 0/0 time 0.000000000 dev 4294967295,2097152");
	static const struct {
		struct nc_time time;
		const char *text;
	} times[] = {
		{ { 0, 1 }, "0.000000001" }, { { 1, 500000000 }, "1.500000000" }, { { -1, 0 }, "-1.000000000" },
		{ { -1, 999999999 }, "-1.999999999" }, { { -2, 500000000 }, "-2.500000000" },
		{ { INT64_MAX, 0 }, "9223372036854775807.000000000" },
		{ { INT64_MIN, 0 }, "-9223372036854775808.000000000" },
		{ { INT64_MIN, 1 }, "-9223372036854775808.000000001" },
		{ { 077777777777 + 1, 0 }, "8589934592.000000000" },
	};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		char line[200];
		e = entry_of(NC_ENTRY_FIFO, "p");
		e.mtime = times[i].time;
		snprintf(line, sizeof line, "6 p -> '' 0644 0:0 size 0/0 time %s dev 0,0", times[i].text);
		expect_one(&e, 3, line);
	}
}

/* The fraction counts away from zero in a pax record: half a second before 1970 is -0.5. */
static void writes_times_before_1970_as_posix_reads_them(void **state)
{
	static const struct {
		struct nc_time time;
		const char *record;
	} times[] = {
		{ { -1, 500000000 }, "14 mtime=-0.5\n" }, { { -2, 500000000 }, "14 mtime=-1.5\n" },
		{ { -2, 0 }, "12 mtime=-2\n" }, { { 0, 20000000 }, "14 mtime=0.02\n" },
	};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		struct transcript said;
		struct nc_entry e = entry_of(NC_ENTRY_FIFO, "p");
		e.mtime = times[i].time;
		write_one(&e, &said);
		assert_string_equal(said.bytes.data + 512, times[i].record);
		transcript_release(&said);
	}
}

static void writes_names_of_every_length(void **state)
{
	for (size_t len = 1; len < 400; len++) {
		for (size_t slash = 0; slash < len; slash += 13) {
			struct nacre_error err;
			struct transcript said;
			NC_AUTO_BUF struct nc_buf want = NC_BUF_INIT(10000);
			char name[401];
			memset(name, 'n', len);
			name[len] = '\0';
			name[slash] = '/';
			if (len > slash + 60)
				name[slash + 60] = '/';
			struct nc_entry e = entry_of(NC_ENTRY_SYMLINK, name);
			set_link(&e, name);
			write_one(&e, &said);
			assert_int_equal(said.code, 0);
			assert_done(nc_buf_addf(&want, &err, "2 %s -> '%s' 0644", name, name));
			assert_non_null(strstr(said.text.data, want.data));
			bool short_enough = len <= 100;
			assert_int_equal(said.bytes.len == 512 + 1024, short_enough);
			transcript_release(&said);
		}
	}
}

static void keeps_attributes_of_any_bytes(void **state)
{
	const struct nc_xattr xattrs[] = {
		{ "security.capability", "\0\1\n=\xff", 5 }, { "user.a=b%", "\0", 1 }, { "user.empty", "", 0 },
	};
	struct nc_entry e = entry_of(NC_ENTRY_FIFO, "p");
	e.xattrs = xattrs;
	e.xattr_count = 3;
	expect_one(&e, 3, "6 p -> '' 0644 0:0 size 0/0 time 0.000000000 dev 0,0 security.capability=00010a3dff "
			  "user.a=b%=00 user.empty=");
}

static void pads_contents_and_closes_with_two_blocks(void **state)
{
	struct nacre_error err;
	struct writing writing;
	struct transcript said;
	struct nc_entry e = entry_of(NC_ENTRY_FILE, "f");
	start(&writing);
	for (e.size = 0; e.size < 1030; e.size += 103) {
		assert_done(nc_tar_writer_entry(writing.tar, &e, &err));
		for (size_t i = 0; i < e.size; i++)
			assert_done(nc_tar_writer_data(writing.tar, "x", 1, &err));
	}
	size_t members = writing.bytes.len;
	assert_done(nc_tar_writer_finish(writing.tar, &err));
	assert_int_equal(writing.bytes.len % 512, 0);
	assert_true(writing.bytes.len - members < 1024 + 512);
	transcribe(writing.bytes.data, writing.bytes.len, 0, &said);
	assert_int_equal(said.code, 0);
	assert_int_equal(said.entries, 10);
	transcript_release(&said);
	stop(&writing);
}

static void writes_sizes_beyond_octal(void **state)
{
	struct nacre_error err;
	struct writing writing;
	struct transcript said;
	struct nc_entry e = entry_of(NC_ENTRY_FILE, "f");
	e.size = INT64_MAX;
	start(&writing);
	assert_done(nc_tar_writer_entry(writing.tar, &e, &err));
	assert_done(nc_tar_writer_data(writing.tar, "x", 1, &err));
	transcribe(writing.bytes.data, writing.bytes.len, 0, &said);
	assert_int_equal(said.code, NACRE_E_BADDATA);
	assert_non_null(strstr(said.text.data, "size 9223372036854775807/9223372036854775807 in place"));
	assert_non_null(memmem(writing.bytes.data, writing.bytes.len, " size=9223372036854775807\n", 26));
	transcript_release(&said);
	stop(&writing);
}

static void refuses_what_no_archive_holds(void **state)
{
	struct nacre_error err;
	struct writing writing;
	const struct nc_xattr nameless = { "", "x", 1 };
	start(&writing);
	struct nc_entry e = entry_of(NC_ENTRY_FILE, "");
	assert_int_equal(nc_tar_writer_entry(writing.tar, &e, &err), NACRE_E_INVALID);
	e = entry_of(NC_ENTRY_FILE, "f");
	e.name = "a\0b";
	e.name_len = 3;
	assert_int_equal(nc_tar_writer_entry(writing.tar, &e, &err), NACRE_E_INVALID);
	e = entry_of(NC_ENTRY_META, "m");
	assert_int_equal(nc_tar_writer_entry(writing.tar, &e, &err), NACRE_E_INVALID);
	e = entry_of(NC_ENTRY_SYMLINK, "l");
	assert_int_equal(nc_tar_writer_entry(writing.tar, &e, &err), NACRE_E_INVALID);
	e = entry_of(NC_ENTRY_FILE, "f");
	e.mtime.nsec = 1000000000;
	assert_int_equal(nc_tar_writer_entry(writing.tar, &e, &err), NACRE_E_INVALID);
	e = entry_of(NC_ENTRY_FILE, "f");
	e.size = (uint64_t)INT64_MAX + 1;
	assert_int_equal(nc_tar_writer_entry(writing.tar, &e, &err), NACRE_E_INVALID);
	e = entry_of(NC_ENTRY_FILE, "f");
	e.xattrs = &nameless;
	e.xattr_count = 1;
	assert_int_equal(nc_tar_writer_entry(writing.tar, &e, &err), NACRE_E_INVALID);
	char *name = malloc(NC_TAR_NAME_MAX + 2);
	memset(name, 'n', NC_TAR_NAME_MAX + 1);
	name[NC_TAR_NAME_MAX + 1] = '\0';
	e = entry_of(NC_ENTRY_FILE, name);
	assert_int_equal(nc_tar_writer_entry(writing.tar, &e, &err), NACRE_E_LIMIT);
	free(name);
	assert_int_equal(writing.bytes.len, 0);

	e = entry_of(NC_ENTRY_FILE, "f");
	e.size = 2;
	assert_done(nc_tar_writer_entry(writing.tar, &e, &err));
	assert_int_equal(nc_tar_writer_data(writing.tar, "xxx", 3, &err), NACRE_E_INVALID);
	assert_done(nc_tar_writer_data(writing.tar, "x", 1, &err));
	assert_int_equal(nc_tar_writer_entry(writing.tar, &e, &err), NACRE_E_INVALID);
	assert_int_equal(nc_tar_writer_finish(writing.tar, &err), NACRE_E_INVALID);
	assert_string_equal(err.msg, "1 bytes of 'f' are missing");
	stop(&writing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_as_it_was_written),
		cmocka_unit_test(says_in_pax_what_ustar_cannot),
		cmocka_unit_test(writes_times_before_1970_as_posix_reads_them),
		cmocka_unit_test(writes_names_of_every_length),
		cmocka_unit_test(keeps_attributes_of_any_bytes),
		cmocka_unit_test(pads_contents_and_closes_with_two_blocks),
		cmocka_unit_test(writes_sizes_beyond_octal),
		cmocka_unit_test(refuses_what_no_archive_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
