#include "room.h"

#include "transport/archive.h"

static const struct nc_spool spool = { NULL, -1 };

static int open_archive(const char *name, struct nc_archive **ret)
{
	int fd = open(at("", name), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return nc_archive_open(fd, name, &spool, NULL, ret, &err);
}

static void assert_content(const struct nc_archive *archive, const char *name, const char *text)
{
	char *bytes;
	size_t len;
	assert_done(nc_archive_document(archive, name, 1 << 20, &bytes, &len, &err));
	assert_int_equal(len, strlen(text));
	assert_memory_equal(bytes, text, len);
	free(bytes);
}

static void fill(struct pack *pack)
{
	static char large[300000];
	memset(large, 'x', sizeof large);
	pack_begin(pack);
	pack_entry(pack, NC_ENTRY_DIR, "./", "", NULL, 0);
	pack_text(pack, "./first", "1");
	pack_bytes(pack, "large", large, sizeof large);
	pack_entry(pack, NC_ENTRY_DIR, "d/", "", NULL, 0);
	pack_text(pack, "/d/second", "two");
	pack_text(pack, "empty", "");
	pack_entry(pack, NC_ENTRY_SYMLINK, "d/up", "../first", NULL, 0);
	pack_entry(pack, NC_ENTRY_SYMLINK, "d/abs", "/d/second", NULL, 0);
	pack_entry(pack, NC_ENTRY_SYMLINK, "through", "d", NULL, 0);
	pack_entry(pack, NC_ENTRY_LINK, "hard", "d/second", NULL, 0);
	pack_entry(pack, NC_ENTRY_LINK, "hardsoft", "d/up", NULL, 0);
	pack_entry(pack, NC_ENTRY_SYMLINK, "dangling", "nothing", NULL, 0);
	pack_entry(pack, NC_ENTRY_SYMLINK, "out", "../../etc/passwd", NULL, 0);
	pack_entry(pack, NC_ENTRY_SYMLINK, "loop", "pool", NULL, 0);
	pack_entry(pack, NC_ENTRY_SYMLINK, "pool", "loop", NULL, 0);
	pack_entry(pack, NC_ENTRY_LINK, "self", "self", NULL, 0);
	pack_text(pack, "twice", "old");
	pack_text(pack, "twice", "new");
	pack_text(pack, "last", "end");
}

static void check_filled(const struct nc_archive *archive)
{
	const struct nc_member *member;
	assert_content(archive, "first", "1");
	assert_content(archive, "d/second", "two");
	assert_content(archive, "/d//./second", "two");
	assert_content(archive, "empty", "");
	assert_content(archive, "d/up", "1");
	assert_content(archive, "d/abs", "two");
	assert_content(archive, "through/second", "two");
	assert_content(archive, "hard", "two");
	assert_content(archive, "hardsoft", "1");
	assert_content(archive, "last", "end");
	assert_done(nc_archive_find(archive, "large", &member, &err));
	assert_int_equal(member->size, 300000);
	assert_refused(nc_archive_find(archive, "dangling", &member, &err), NACRE_E_NOTFOUND, "'nothing'");
	assert_refused(nc_archive_find(archive, "absent", &member, &err), NACRE_E_NOTFOUND, "'absent'");
	assert_refused(nc_archive_find(archive, "out", &member, &err), NACRE_E_BADDATA, "'out'");
	assert_refused(nc_archive_find(archive, "../first", &member, &err), NACRE_E_BADDATA, "");
	assert_refused(nc_archive_find(archive, "loop", &member, &err), NACRE_E_BADDATA, "links");
	assert_refused(nc_archive_find(archive, "self", &member, &err), NACRE_E_BADDATA, "links");
	assert_refused(nc_archive_find(archive, "d", &member, &err), NACRE_E_BADDATA, "no regular file");
	assert_done(nc_archive_find(archive, "twice", &member, &err));
	assert_true(member->again);
	char *bytes;
	size_t len;
	assert_refused(nc_archive_document(archive, "twice", 100, &bytes, &len, &err), NACRE_E_BADDATA, "twice");
	assert_refused(nc_archive_document(archive, "large", 1000, &bytes, &len, &err), NACRE_E_LIMIT, "300000");
	assert_true(nc_archive_has(archive, "hard"));
	assert_false(nc_archive_has(archive, "hare"));
}

static void finds_members_of_a_file(void **state)
{
	struct pack pack;
	NC_CLEANUP(nc_archive_auto) struct nc_archive *archive = NULL;
	fill(&pack);
	pack_write(&pack, "a.tar");
	assert_done(open_archive("a.tar", &archive));
	check_filled(archive);
}

static void finds_members_of_compressed_files(void **state)
{
	static const enum nc_codec codecs[] = { NC_GZIP, NC_ZSTD };
	for (size_t i = 0; i < 2; i++) {
		struct pack pack;
		NC_CLEANUP(nc_archive_auto) struct nc_archive *archive = NULL;
		fill(&pack);
		pack_end(&pack);
		struct bytes plain = bytes_of(pack.bytes.data, pack.bytes.len), small = compressed(&plain, codecs[i]);
		put_file("a.tar.z", small.data, small.len);
		assert_done(open_archive("a.tar.z", &archive));
		check_filled(archive);
		bytes_free(&plain);
		bytes_free(&small);
		nc_buf_release(&pack.bytes);
	}
}

static void finds_members_of_a_pipe(void **state)
{
	struct pack pack;
	NC_CLEANUP(nc_archive_auto) struct nc_archive *archive = NULL;
	fill(&pack);
	pack_write(&pack, "a.tar");
	int ends[2], file = open(at("", "a.tar"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t child = fork();
	if (!child) {
		static char block[65536];
		ssize_t n;
		while ((n = read(file, block, sizeof block)) > 0)
			nc_write_full(ends[1], block, (size_t)n);
		_exit(0);
	}
	close(ends[1]);
	close(file);
	assert_done(nc_archive_open(ends[0], "pipe", &spool, NULL, &archive, &err));
	check_filled(archive);
}

static void refuses_what_is_no_archive(void **state)
{
	struct nc_archive *archive = NULL;
	struct pack pack;
	fill(&pack);
	pack_end(&pack);
	put_file("cut.tar", pack.bytes.data, 100000);
	assert_refused(open_archive("cut.tar", &archive), NACRE_E_BADDATA, "cut.tar");
	pack.bytes.data[600] ^= 1;
	put_file("bent.tar", pack.bytes.data, pack.bytes.len);
	assert_refused(open_archive("bent.tar", &archive), NACRE_E_BADDATA, "bent.tar");
	nc_buf_release(&pack.bytes);
	put_file("text", "no tar at all, but long enough", 30);
	assert_refused(open_archive("text", &archive), NACRE_E_BADDATA, "text");
	assert_refused(open_archive("", &archive), NACRE_E_BADDATA, "directory");
	assert_null(archive);
}

static void refuses_names_that_lead_out(void **state)
{
	struct nc_archive *archive = NULL;
	struct pack pack;
	pack_begin(&pack);
	pack_text(&pack, "../../etc/cron.d/x", "evil");
	pack_write(&pack, "a.tar");
	assert_refused(open_archive("a.tar", &archive), NACRE_E_BADDATA, "a.tar");
}

static void an_empty_archive_has_no_members(void **state)
{
	NC_CLEANUP(nc_archive_auto) struct nc_archive *archive = NULL;
	put_file("empty", "", 0);
	assert_done(open_archive("empty", &archive));
	assert_int_equal(nc_archive_count(archive), 0);
}

/* Sizes are judged before anything is read: the file has holes where 40 GB of content would be. */
static void passes_over_content_without_reading_it(void **state)
{
	NC_CLEANUP(nc_archive_auto) struct nc_archive *archive = NULL;
	struct pack pack;
	pack_begin(&pack);
	struct nc_entry entry = { .type = NC_ENTRY_FILE, .name = "huge", .name_len = 4, .link = "", .mode = 0644 };
	entry.size = entry.stored = (uint64_t)40 << 30;
	assert_done(nc_tar_writer_entry(pack.tar, &entry, &err));
	put_file("huge.tar", pack.bytes.data, pack.bytes.len);
	off_t content = (off_t)pack.bytes.len;
	nc_tar_writer_free(pack.tar);
	nc_writer_close(pack.writer);
	nc_buf_release(&pack.bytes);
	pack_begin(&pack);
	pack_text(&pack, "after", "it");
	pack_end(&pack);
	int fd = open(at("", "huge.tar"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(nc_pwrite_full(fd, pack.bytes.data, pack.bytes.len, (uint64_t)content + entry.size), 0);
	close(fd);
	nc_buf_release(&pack.bytes);
	assert_done(open_archive("huge.tar", &archive));
	assert_content(archive, "after", "it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_members_of_a_file, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(finds_members_of_compressed_files, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(finds_members_of_a_pipe, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_what_is_no_archive, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_names_that_lead_out, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(an_empty_archive_has_no_members, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(passes_over_content_without_reading_it, enter_room, leave_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
