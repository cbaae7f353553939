/* What can be asked of one node, and noted for it. */
#include "fixture.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void register_files(const struct fixture *fixture, const char *parent, const char *const *pairs, char *ret_id)
{
	NC_AUTO_BUF struct nc_buf tar;
	struct nacre_register_options options = { .size = sizeof options, .parent = parent };
	make_tar(&tar, pairs);
	assert_int_equal(register_bytes(fixture->store, &options, tar.data, tar.len, ret_id), 0);
}

static char *read_text(const struct fixture *fixture, const char *id, const char *file)
{
	char *text = NULL;
	if (nc_node_file(fixture->store, id, file, 4096, &text, NULL, NULL) < 0)
		return NULL;
	return text;
}

static void write_text(const struct fixture *fixture, const char *id, const char *file, const char *text)
{
	NC_AUTO_FD int dir = -1;
	assert_done(nc_node_open(fixture->store, id, &dir, &err));
	assert_done(nc_file_replace(dir, file, text, strlen(text), false, &err));
}

static void drop_file(const struct fixture *fixture, const char *id, const char *file)
{
	NC_AUTO_FD int dir = -1;
	assert_done(nc_node_open(fixture->store, id, &dir, &err));
	assert_int_equal(unlinkat(dir, file, 0), 0);
}

/* --- digests ---------------------------------------------------------------------------------------------------- */

static void a_digest_is_set_and_read(void **state)
{
	struct fixture *fixture = *state;
	static const char *const good[] = {
		"sha256:" HEX64,
		"sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
		"sha512:" HEX64 HEX64,
		"sha384:" HEX64 "0123456789abcdef0123456789abcdef",
		"tarsum+sha256:" HEX64,
		"tarsum.v1+sha256:" HEX64,
		"tarsum.dev+sha1:0123456789abcdef0123456789abcdef01234567",
	};
	char id[65], digest[NACRE_DIGEST_MAX] = "untouched";
	register_files(fixture, NULL, (const char *const[]){ "a", "first", NULL }, id);
	assert_int_equal(nacre_node_digest(fixture->store, id, digest, &err), NACRE_E_UNSET);
	assert_string_equal(digest, "untouched");
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char prefix[13];
		snprintf(prefix, sizeof prefix, "%.12s", id);
		assert_done(nacre_node_set_digest(fixture->store, prefix, good[i], &err));
		assert_done(nacre_node_digest(fixture->store, prefix, digest, &err));
		assert_string_equal(digest, good[i]);
		char *text = read_text(fixture, id, "checksum");
		assert_string_equal(text, good[i]);
		free(text);
	}
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	reopen(fixture);
	assert_done(nacre_node_digest(fixture->store, id, digest, &err));
	assert_string_equal(digest, good[6]);
}

static void what_is_no_digest_is_refused(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *text;
		int code;
	} bad[] = {
		{ "", NACRE_E_INVALID },
		{ "sha256", NACRE_E_INVALID },
		{ "sha256:", NACRE_E_INVALID },
		{ ":" HEX64, NACRE_E_INVALID },
		{ HEX64, NACRE_E_INVALID },
		{ "sha256:b", NACRE_E_INVALID },
		{ "sha256:" HEX64 "0", NACRE_E_INVALID },
		{ "sha512:" HEX64, NACRE_E_INVALID },
		{ "sha256:" HEX64 "\n", NACRE_E_INVALID },
		{ "sha256: " HEX64, NACRE_E_INVALID },
		{ "sha256:0123456789abcdefg123456789abcdef0123456789abcdef0123456789abcdef", NACRE_E_INVALID },
		{ "sha/256:" HEX64, NACRE_E_INVALID },
		{ "md5:0123456789abcdef0123456789abcdef", NACRE_E_UNSUPPORTED },
		{ "sha3:" HEX64, NACRE_E_UNSUPPORTED },
		{ "tarsum:" HEX64, NACRE_E_INVALID },
		{ "tarsum.+sha256:" HEX64, NACRE_E_INVALID },
		{ "tarsum.v1+sha256:abc", NACRE_E_INVALID },
		{ "tarsum.v1sha256:" HEX64, NACRE_E_INVALID },
		{ "tarsum.v1+crc:" HEX64, NACRE_E_UNSUPPORTED },
	};
	char id[65], digest[NACRE_DIGEST_MAX];
	register_files(fixture, NULL, (const char *const[]){ "a", "first", NULL }, id);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(nacre_node_set_digest(fixture->store, id, bad[i].text, &err), bad[i].code);
		assert_int_equal(nacre_node_digest(fixture->store, id, digest, &err), NACRE_E_UNSET);
		/* nor when it is there already */
		write_text(fixture, id, "checksum", bad[i].text);
		assert_int_equal(nacre_node_digest(fixture->store, id, digest, &err),
				 strchr(bad[i].text, '\n') ? 0 : NACRE_E_CORRUPT);
		drop_file(fixture, id, "checksum");
	}
	assert_int_equal(nacre_node_set_digest(fixture->store, "..", "sha256:" HEX64, &err), NACRE_E_INVALID);
	assert_int_equal(nacre_node_digest(fixture->store, "..", digest, &err), NACRE_E_INVALID);
	assert_int_equal(nacre_node_set_digest(fixture->store, HEX64, "sha256:" HEX64, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nacre_node_digest(fixture->store, HEX64, digest, &err), NACRE_E_NOTFOUND);
	nacre_store_close(fixture->store);
	fixture->store = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	assert_int_equal(nacre_node_set_digest(fixture->store, id, "sha256:" HEX64, &err), NACRE_E_DENIED);
	assert_int_equal(nacre_node_digest(fixture->store, id, digest, &err), NACRE_E_UNSET);
}

/* --- sizes ------------------------------------------------------------------------------------------------------ */

static uint64_t size_of(const struct fixture *fixture, const char *id)
{
	uint64_t size = 12345;
	assert_done(nacre_node_size(fixture->store, id, &size, &err));
	return size;
}

/* As the catalog has it. */
static int64_t known_size(const struct fixture *fixture, const char *id)
{
	struct nacre_node node;
	assert_done(nacre_node_get(fixture->store, id, &node, &err));
	return node.size;
}

static void forget(struct fixture *fixture)
{
	char path[256];
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	nacre_store_close(fixture->store);
	assert_int_equal(unlink(path), 0);
	fixture->store = open_with(fixture->root, 0, NULL);
}

static void a_missing_size_is_found_and_kept(void **state)
{
	struct fixture *fixture = *state;
	static const char *const damage[] = { NULL, "", "-5", "12x", "0x10", "99999999999999999999" };
	char id[65], child[65];
	register_files(fixture, NULL, (const char *const[]){ "a", "first", "d/", "", "d/b", "second", NULL }, id);
	register_files(fixture, id, (const char *const[]){ "a", "changed", ".wh.d", "", NULL }, child);
	assert_int_equal(size_of(fixture, id), 11);
	for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
		if (damage[i])
			write_text(fixture, child, "layersize", damage[i]);
		else
			drop_file(fixture, child, "layersize");
		forget(fixture);
		assert_int_equal(known_size(fixture, child), -1);
		assert_int_equal(size_of(fixture, child), 7);
		assert_int_equal(known_size(fixture, child), 7);
		char *text = read_text(fixture, child, "layersize");
		assert_string_equal(text, "7");
		free(text);
	}
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_catalog_true(fixture);
}

static void without_a_record_the_tree_tells(void **state)
{
	struct fixture *fixture = *state;
	char id[65], child[65];
	register_files(fixture, NULL, (const char *const[]){ "a", "first", "keep", "kept", NULL }, id);
	register_files(fixture, id, (const char *const[]){ "a", "changed", "new", "12345678", NULL }, child);
	drop_file(fixture, child, "layersize");
	drop_file(fixture, child, "tar-data.json.gz");
	forget(fixture);
	assert_int_equal(size_of(fixture, child), 15);
	assert_int_equal(known_size(fixture, child), 15);
}

static void a_store_that_is_only_read_tells_sizes_too(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	register_files(fixture, NULL, (const char *const[]){ "a", "first", NULL }, id);
	drop_file(fixture, id, "layersize");
	forget(fixture);
	nacre_store_close(fixture->store);
	fixture->store = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	assert_int_equal(size_of(fixture, id), 5);
	assert_null(read_text(fixture, id, "layersize"));
}

static void somebody_at_the_node_only_hinders_remembering(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_FD int locks = -1;
	char id[65];
	register_files(fixture, NULL, (const char *const[]){ "a", "first", NULL }, id);
	drop_file(fixture, id, "layersize");
	assert_done(nc_locks_open(fixture->store, &locks, &err));
	assert_done(nc_lock_id(locks, id, NC_LOCK_EXCLUSIVE, false, &err));
	assert_int_equal(size_of(fixture, id), 5);
	assert_null(read_text(fixture, id, "layersize"));
	nc_unlock_id(locks, id);
	assert_int_equal(size_of(fixture, id), 5);
	char *text = read_text(fixture, id, "layersize");
	assert_string_equal(text, "5");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_digest_is_set_and_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_digest_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_missing_size_is_found_and_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_record_the_tree_tells, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_store_that_is_only_read_tells_sizes_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(somebody_at_the_node_only_hinders_remembering, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
