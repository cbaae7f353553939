/* Blobs that are on their way: what one owner leaves, the next one has. */
#include "fixture.h"

#include "store/partial.h"

#define SIZE 10

static struct nc_digest some_digest(void)
{
	struct nc_digest digest;
	assert_done(nc_digest_of("0123456789", SIZE, &digest, &err));
	return digest;
}

static struct nc_partial *open_one(const struct fixture *fixture)
{
	struct nc_digest digest = some_digest();
	struct nc_partial *partial = NULL;
	assert_int_equal(nc_partial_open(fixture->store, &digest, SIZE, &partial, &err), 1);
	return partial;
}

static void path_of(const struct fixture *fixture, char ret[512])
{
	char hex[NC_DIGEST_TEXT];
	struct nc_digest digest = some_digest();
	snprintf(ret, 512, "%s/blobs/partial/%s", fixture->root, nc_digest_hex(&digest, hex));
}

static void test_goes_on(void **state)
{
	struct fixture *fixture = *state;
	struct nc_partial *partial = open_one(fixture);
	char back[SIZE];
	assert_int_equal(nc_partial_size(partial), 0);
	assert_done(nc_partial_append(partial, "01234", 5, &err));
	nc_partial_close(partial);
	struct nc_digest digest = some_digest();
	assert_int_equal(nc_partial_there(fixture->store, &digest), 5);
	partial = open_one(fixture);
	assert_int_equal(nc_partial_size(partial), 5);
	assert_int_equal(nc_partial_read(partial, 1, back, sizeof back, &err), 4);
	assert_memory_equal(back, "1234", 4);
	assert_done(nc_partial_drop(partial, &err));
	assert_int_equal(entries(fixture, "blobs/partial"), 0);
	partial = open_one(fixture);
	assert_int_equal(nc_partial_size(partial), 0);
	nc_partial_close(partial);
}

static void test_has_one_owner(void **state)
{
	struct fixture *fixture = *state;
	struct nc_digest digest = some_digest();
	char hex[NC_DIGEST_TEXT];
	struct nc_partial *partial = open_one(fixture), *other = NULL;
	nc_digest_hex(&digest, hex);
	assert_int_equal(nc_partial_open(fixture->store, &digest, SIZE, &other, &err), 0);
	assert_false(nc_partial_idle(fixture->store, hex));
	assert_int_equal(nc_partial_remove(fixture->store, hex, &err), 0);
	nc_partial_close(partial);
	assert_true(nc_partial_idle(fixture->store, hex));
	assert_int_equal(nc_partial_remove(fixture->store, hex, &err), 1);
	assert_int_equal(nc_partial_remove(fixture->store, hex, &err), 0);
}

static void test_an_empty_directory_goes(void **state)
{
	struct fixture *fixture = *state;
	char path[512];
	struct stat st;
	struct nc_digest digest = some_digest();
	char hex[NC_DIGEST_TEXT];
	nc_partial_close(open_one(fixture));
	path_of(fixture, path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(nc_partial_remove(fixture->store, nc_digest_hex(&digest, hex), &err), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &st), -1);
}

/* What has become a blob of an image has another name, and is never written to again. */
static void test_linked_is_left_alone(void **state)
{
	struct fixture *fixture = *state;
	struct nc_partial *partial = open_one(fixture);
	char path[512], kept[600];
	struct stat st;
	path_of(fixture, path);
	snprintf(kept, sizeof kept, "%s/kept", fixture->dir);
	assert_done(nc_partial_append(partial, "0123", 4, &err));
	assert_int_equal(link(path, kept), 0);
	nc_partial_close(partial);
	partial = open_one(fixture);
	assert_int_equal(nc_partial_size(partial), 0);
	assert_done(nc_partial_append(partial, "x", 1, &err));
	nc_partial_close(partial);
	assert_int_equal(stat(kept, &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(st.st_nlink, 1);
}

static void test_too_long_begins_anew(void **state)
{
	struct fixture *fixture = *state;
	struct nc_partial *partial = open_one(fixture);
	assert_done(nc_partial_append(partial, "0123456789ab", 12, &err));
	nc_partial_close(partial);
	partial = open_one(fixture);
	assert_int_equal(nc_partial_size(partial), 0);
	nc_partial_close(partial);
}

/* A layer that failed in the middle can be brought in the same ingest, and its blob is the partial one's file. */
static void test_layer_after_a_bad_one(void **state)
{
	struct fixture *fixture = *state;
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	NC_AUTO_BUF struct nc_buf tar, blob, bad = NC_BUF_INIT(1 << 20);
	struct nc_layer_out out;
	make_tar(&tar, (const char *const[]){ "a", "some text", "b", "more", NULL });
	gzip(&tar, &blob);
	assert_done(nc_buf_add(&bad, blob.data, blob.len - 12, &err));
	struct nc_digest diff_id = digest_of(&tar), digest = digest_of(&blob);
	struct nc_partial *partial = NULL;
	assert_int_equal(nc_partial_open(fixture->store, &digest, blob.len, &partial, &err), 1);
	assert_done(nc_partial_append(partial, blob.data, blob.len, &err));
	struct nc_layer_in in = { .diff_id = &diff_id, .blob = &digest, .blob_size = blob.len, .keep_blob = true,
				  .partial = partial };
	assert_done(nc_ingest_begin(fixture->store, &ingest, &err));
	assert_int_equal(bring(ingest, &in, &bad, &out), NACRE_E_BADDATA);
	assert_done(bring(ingest, &in, &blob, &out));
	nc_partial_close(partial);
	assert_int_equal(out.blob_size, blob.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_goes_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_has_one_owner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_empty_directory_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_linked_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_long_begins_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_layer_after_a_bad_one, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
