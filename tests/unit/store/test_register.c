#include "fixture.h"
#include "../threads.h"

#include "store/replay.h"

static int append(void *ctx, const void *bytes, size_t len)
{
	return nc_buf_add(ctx, bytes, len, NULL);
}

/* The layer of a node is these bytes, exactly. */
static void assert_layer(struct nacre_store *store, const char *id, const void *bytes, size_t len)
{
	NC_AUTO_BUF struct nc_buf got = NC_BUF_INIT((size_t)64 << 20);
	assert_done(nacre_layer_tar(store, id, append, &got, &err));
	assert_int_equal(got.len, len);
	assert_memory_equal(nc_buf_text(&got), bytes, len);
	assert_done(nacre_layer_verify(store, id, &err));
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	uint64_t size = 0;
	assert_done(nc_store_layer_tar(store, id, &reader, &size, &err));
	assert_int_equal(size, len);
}

/* Nothing of a layer that failed is left anywhere. */
static void assert_nothing_left(const struct fixture *fixture)
{
	assert_int_equal(entries(fixture, "graph"), 1);		/* _tmp */
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_int_equal(entries(fixture, "blobs/sha256"), 0);
	assert_int_equal(entries(fixture, "vfs/dir"), 0);
}

static void every_byte_comes_back(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	char id[65], again[65];
	make_tar(&tar, (const char *const[]){ "d/", "", "d/f", "hello", "g", "", NULL });
	assert_int_equal(register_bytes(fixture->store, NULL, tar.data, tar.len, id), 0);
	assert_layer(fixture->store, id, tar.data, tar.len);
	assert_int_equal(register_bytes(fixture->store, NULL, tar.data, tar.len, again), 1);
	assert_string_equal(id, again);
	struct nacre_node node;
	assert_done(nacre_node_get(fixture->store, id, &node, &err));
	assert_true(node.has_layer && !node.is_image && !node.v1);
	assert_int_equal(node.size, 5);
	assert_string_equal(node.diff_id + strlen("sha256:"), id);
}

static void compressed_is_the_same_layer(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf packed;
	NC_AUTO_BUF struct nc_buf twice;
	char id[65], again[65];
	make_tar(&tar, (const char *const[]){ "f", "some text", NULL });
	gzip(&tar, &packed);
	gzip(&packed, &twice);
	assert_int_equal(register_bytes(fixture->store, NULL, packed.data, packed.len, id), 0);
	assert_layer(fixture->store, id, tar.data, tar.len);
	assert_int_equal(register_bytes(fixture->store, NULL, tar.data, tar.len, again), 1);
	assert_string_equal(id, again);
	assert_int_equal(register_bytes(fixture->store, NULL, twice.data, twice.len, again), NACRE_E_BADDATA);
}

static void layers_of_almost_nothing(void **state)
{
	struct fixture *fixture = *state;
	static const char zeros[1024];
	static const size_t lengths[] = { 0, 1, 511, 512, 513, 1024 };
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		char id[65];
		assert_int_equal(register_bytes(fixture->store, NULL, zeros, lengths[i], id), 0);
		assert_layer(fixture->store, id, zeros, lengths[i]);
	}
}

static void names_that_come_again(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	char id[65];
	make_tar(&tar, (const char *const[]){ "a", "first", "b", "kept", "a", "second one", "d/", "", "d/x", "in d",
					      "./a", "third", "d", "no directory", "d/", "", "d/x", "again", "e/", "",
					      "e/", "", "b", "", "b", "other", NULL });
	assert_int_equal(register_bytes(fixture->store, NULL, tar.data, tar.len, id), 0);
	assert_layer(fixture->store, id, tar.data, tar.len);
	reopen(fixture);
	assert_layer(fixture->store, id, tar.data, tar.len);
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(100);
	assert_done(nacre_cat(fixture->store, id, "a", append, &text, &err));
	assert_string_equal(nc_buf_text(&text), "third");
}

static void what_fails_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf packed;
	char id[65] = "untouched";
	make_tar(&tar, (const char *const[]){ "a", "first", "b", "second", NULL });
	gzip(&tar, &packed);
	assert_int_equal(register_bytes(fixture->store, NULL, "no tar at all, but longer than nothing", 38, id),
			 NACRE_E_BADDATA);
	assert_nothing_left(fixture);
	for (size_t len = 1; len < tar.len - 1024; len += 211) {
		int code = register_bytes(fixture->store, NULL, tar.data, len, id);
		assert_true(code == 0 || code == NACRE_E_BADDATA);
		if (code == 0)	/* cut where a member ends */
			assert_done(nacre_delete(fixture->store, id, &err));
		assert_nothing_left(fixture);
	}
	strcpy(id, "untouched");
	for (size_t len = 1; len < packed.len; len += 7)
		assert_int_equal(register_bytes(fixture->store, NULL, packed.data, len, id), NACRE_E_BADDATA);
	assert_nothing_left(fixture);
	struct nacre_register_options wrong = { .size = sizeof wrong, .diff_id =
		"sha256:0000000000000000000000000000000000000000000000000000000000000000" };
	assert_int_equal(register_bytes(fixture->store, &wrong, tar.data, tar.len, id), NACRE_E_DIGEST);
	assert_nothing_left(fixture);
	assert_string_equal(id, "untouched");
}

static void blobs_are_checked(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf packed;
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	gzip(&tar, &packed);
	struct nc_digest flat = digest_of(&tar), blob = digest_of(&packed), wrong = blob;
	wrong.bytes[3] ^= 1;
	struct nc_layer_out out;
	const struct {
		struct nc_layer_in in;
		const struct nc_buf *bytes;
		int code;
	} tries[] = {
		{{.diff_id = &flat, .blob = &wrong, .blob_size = UINT64_MAX, .keep_blob = true},
		 &packed,
		 NACRE_E_DIGEST},
		{{.diff_id = &flat, .blob = &blob, .blob_size = packed.len - 1, .keep_blob = true},
		 &packed,
		 NACRE_E_BADDATA},
		{{.diff_id = &flat, .blob = &blob, .blob_size = packed.len + 1, .keep_blob = true},
		 &packed,
		 NACRE_E_BADDATA},
		{{.diff_id = &wrong, .blob = &blob, .blob_size = packed.len, .keep_blob = true},
		 &packed,
		 NACRE_E_DIGEST},
		{{.diff_id = &flat, .blob = &blob, .blob_size = tar.len, .keep_blob = true}, &tar, NACRE_E_DIGEST},
		{{.diff_id = &flat, .blob = &blob, .blob_size = packed.len, .keep_blob = true}, &packed, 0},
		{{.diff_id = &flat, .blob = &flat, .blob_size = tar.len, .keep_blob = true}, &tar, 0},
	};
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
		assert_done(nc_ingest_begin(fixture->store, &ingest, &err));
		assert_int_equal(bring(ingest, &tries[i].in, tries[i].bytes, &out), tries[i].code);
		nc_ingest_free(NC_GIVE(ingest));
		assert_nothing_left(fixture);
	}
}

static void ids_of_ones_own(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf other;
	char id[65], child[65];
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	make_tar(&other, (const char *const[]){ "a", "other", NULL });
	memset(id, 'a', 64);
	memset(child, 'b', 64);
	id[64] = child[64] = '\0';
	struct nacre_register_options options = { .size = sizeof options, .id = id };
	assert_int_equal(register_bytes(fixture->store, &options, tar.data, tar.len, NULL), 0);
	assert_int_equal(register_bytes(fixture->store, &options, tar.data, tar.len, NULL), 1);
	assert_int_equal(register_bytes(fixture->store, &options, other.data, other.len, NULL), NACRE_E_EXISTS);
	assert_layer(fixture->store, id, tar.data, tar.len);
	options.parent = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
	options.id = child;
	assert_int_equal(register_bytes(fixture->store, &options, other.data, other.len, NULL), NACRE_E_NOTFOUND);
	options.parent = id;
	assert_int_equal(register_bytes(fixture->store, &options, other.data, other.len, NULL), 0);
	assert_layer(fixture->store, id, tar.data, tar.len);
	assert_layer(fixture->store, child, other.data, other.len);
	options.id = "../../../etc/passwd";
	assert_int_equal(register_bytes(fixture->store, &options, other.data, other.len, NULL), NACRE_E_INVALID);
	/* a node without a layer */
	char bare[65];
	memset(bare, 'd', 64);
	bare[64] = '\0';
	options.id = bare;
	options.parent = child;
	assert_int_equal(nacre_register(fixture->store, -1, &options, NULL, &err), 0);
	assert_int_equal(nacre_register(fixture->store, -1, &options, NULL, &err), 1);
	struct nacre_node node;
	assert_done(nacre_node_get(fixture->store, "dd", &node, &err));
	assert_true(!node.has_layer && node.v1);
	assert_int_equal(nacre_delete(fixture->store, child, &err), NACRE_E_INUSE);
	assert_int_equal(nacre_delete(fixture->store, id, &err), NACRE_E_INUSE);
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(100);
	assert_done(nacre_cat(fixture->store, bare, "a", append, &text, &err));
	assert_string_equal(nc_buf_text(&text), "other");
	assert_done(nacre_delete(fixture->store, bare, &err));
	assert_done(nacre_delete(fixture->store, child, &err));
	assert_done(nacre_delete(fixture->store, id, &err));
	assert_nothing_left(fixture);
}

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define MADE "\"created\":\"2015-01-01T00:00:00Z\""

/* A refusal with this sentence; NULL: whatever it says. */
static void assert_refused(int code, int expected, const char *sentence)
{
	assert_int_equal(code, expected);
	assert_int_equal(err.code, expected);
	if (sentence)
		assert_string_equal(err.msg, sentence);
}

static int describe(struct nacre_store *store, const struct nc_buf *tar, const char *parent, const char *json)
{
	struct nacre_register_options options = { .size = sizeof options, .id = A, .parent = parent, .json = json,
						  .json_len = json ? strlen(json) : 0 };
	return tar ? register_bytes(store, &options, tar->data, tar->len, NULL) : nacre_register(store, -1, &options, NULL, &err);
}

/* A description that was given is the node's; what is there stays as it is. */
static void descriptions(void **state)
{
	struct fixture *fixture = *state;
	struct nacre_store *store = fixture->store;
	struct nacre_register_options other = { .size = sizeof other, .id = B };
	static const char *const right = "{\"id\":\"" A "\"," MADE ",\"author\":\"x\"}";
	static const char *const exists = "layer " "aaaaaaaaaaaa: node " A " is there already, with other content";
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf changed;
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	make_tar(&changed, (const char *const[]){ "a", "other", NULL });
	assert_refused(describe(store, &tar, NULL, "rubbish"), NACRE_E_BADDATA, NULL);
	assert_non_null(strstr(err.msg, "description of node aaaaaaaaaaaa"));
	assert_refused(describe(store, &tar, NULL, "{\"id\":\"" B "\"," MADE "}"), NACRE_E_INVALID,
		       "layer aaaaaaaaaaaa: the description is of node " B ", not of " A);
	assert_refused(describe(store, &tar, NULL, "{\"parent\":\"" B "\"," MADE "}"), NACRE_E_INVALID,
		       "layer aaaaaaaaaaaa: the description names the parent '" B "', not ''");
	assert_nothing_left(fixture);
	assert_int_equal(register_bytes(store, &other, tar.data, tar.len, NULL), 0);
	assert_refused(describe(store, &tar, B, right), NACRE_E_INVALID,
		       "layer aaaaaaaaaaaa: the description names the parent '', not '" B "'");
	assert_int_equal(describe(store, &tar, NULL, right), 0);
	assert_int_equal(describe(store, &tar, NULL, right), 1);
	assert_int_equal(describe(store, &tar, NULL, NULL), 1);
	assert_refused(describe(store, &tar, NULL, "{\"id\":\"" A "\"," MADE ",\"author\":\"y\"}"), NACRE_E_EXISTS, exists);
	assert_refused(describe(store, &tar, NULL, "{" MADE "}"), NACRE_E_EXISTS, exists);
	assert_refused(describe(store, &tar, B, NULL), NACRE_E_EXISTS, exists);
	assert_refused(describe(store, &changed, NULL, right), NACRE_E_EXISTS, exists);
	assert_refused(describe(store, NULL, NULL, NULL), NACRE_E_EXISTS, exists);
	NC_AUTO_BUF struct nc_buf packed;
	gzip(&tar, &packed);
	assert_int_equal(describe(store, &packed, NULL, right), 1);
	packed.len -= 9;
	assert_refused(describe(store, &packed, NULL, right), NACRE_E_BADDATA, NULL);
	assert_layer(store, A, tar.data, tar.len);
	char path[400];
	snprintf(path, sizeof path, "%s/graph/" A "/json", fixture->root);
	assert_int_equal(truncate(path, 10), 0);
	assert_refused(describe(store, &tar, NULL, right), NACRE_E_CORRUPT, NULL);
}

/* The second one of an ingest is compared with the first, which nobody else can see yet. */
static void twice_in_one_ingest(void **state)
{
	struct fixture *fixture = *state;
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf changed;
	const struct nc_layer_in in = { .id = A, .blob_size = UINT64_MAX };
	struct nc_layer_out out;
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	make_tar(&changed, (const char *const[]){ "a", "other", NULL });
	assert_done(nc_ingest_begin(fixture->store, &ingest, &err));
	assert_int_equal(bring(ingest, &in, &tar, &out), 0);
	assert_int_equal(bring(ingest, &in, &tar, &out), 1);
	assert_refused(bring(ingest, &in, &changed, &out), NACRE_E_EXISTS,
		       "layer aaaaaaaaaaaa: node " A " is there already, with other content");
	assert_done(nc_ingest_commit(ingest, &err));
	assert_layer(fixture->store, A, tar.data, tar.len);
}

/* A layer whose tree is gone gets it back from its own bytes alone. */
static void a_layer_without_its_tree(void **state)
{
	struct fixture *fixture = *state;
	struct nacre_store *store = fixture->store;
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf changed;
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	make_tar(&changed, (const char *const[]){ "a", "other", NULL });
	assert_int_equal(describe(store, &tar, NULL, NULL), 0);
	char path[300];
	snprintf(path, sizeof path, "%s/vfs/dir", fixture->root);
	NC_AUTO_FD int trees = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_done(nc_tree_remove(trees, A, &err));
	assert_refused(describe(store, NULL, NULL, NULL), NACRE_E_EXISTS,
		       "layer aaaaaaaaaaaa: node " A " is there already, with a layer");
	assert_refused(describe(store, &changed, NULL, NULL), NACRE_E_EXISTS,
		       "layer aaaaaaaaaaaa: node " A " is there already, with other content");
	assert_int_equal(entries(fixture, "vfs/dir"), 0);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_int_equal(describe(store, &tar, NULL, NULL), 0);
	assert_layer(store, A, tar.data, tar.len);
}

static void damage_is_told(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	char id[65], path[512];
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	assert_int_equal(register_bytes(fixture->store, NULL, tar.data, tar.len, id), 0);
	snprintf(path, sizeof path, "%s/vfs/dir/%s/a", fixture->root, id);
	int fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "fIrst", 5), 5);
	close(fd);
	assert_int_equal(nacre_layer_verify(fixture->store, id, &err), NACRE_E_CORRUPT);
}

static void removed_while_it_is_read(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	char id[65];
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	assert_int_equal(register_bytes(fixture->store, NULL, tar.data, tar.len, id), 0);
	assert_done(nc_store_layer_tar(fixture->store, id, &reader, NULL, &err));
	assert_done(nacre_delete(fixture->store, id, &err));
	assert_int_equal(nc_reader_drain(reader, &err), NACRE_E_NOTFOUND);
}

struct watch {
	unsigned events, most;		/* threads that were seen */
};

static void count_threads(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current,
			  uint64_t total)
{
	struct watch *watch = ctx;
	unsigned count = helpers();
	watch->events++;
	watch->most = count > watch->most ? count : watch->most;
}

/* A long layer is read by a thread of the library's own, unless there shall be none. */
static void threads_can_be_had_or_not(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	size_t len = (size_t)24 << 20;
	NC_AUTO_FREE char *text = malloc(len + 1);
	memset(text, 'x', len);
	text[len] = '\0';
	make_tar(&tar, (const char *const[]){ "long", text, NULL });
	static const unsigned flags[] = { NACRE_OPEN_ONE_THREAD, 0 };
	for (size_t i = 0; i < 2; i++) {
		char root[300], id[65];
		struct watch watch = { 0 };
		struct nacre_register_options options = { .size = sizeof options,
							  .progress = { .event = count_threads, .ctx = &watch } };
		snprintf(root, sizeof root, "%s-%zu", fixture->root, i);
		struct nacre_store *store = open_with(root, flags[i], TEST_DRIVER);
		/* the ID is known, so that it is not spooled */
		struct nc_digest diff_id = digest_of(&tar);
		char diff_text[NC_DIGEST_TEXT];
		options.diff_id = nc_digest_text(&diff_id, diff_text);
		assert_int_equal(register_bytes(store, &options, tar.data, tar.len, id), 0);
		assert_true(watch.events > 10);
		assert_int_equal(watch.most, flags[i] || sysconf(_SC_NPROCESSORS_ONLN) < 2 ? 0 : 1);
		assert_int_equal(helpers_left(), 0);
		assert_layer(store, id, tar.data, tar.len);
		nacre_store_close(store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_byte_comes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(compressed_is_the_same_layer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(layers_of_almost_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_that_come_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_fails_leaves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(blobs_are_checked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ids_of_ones_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(descriptions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(twice_in_one_ingest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_layer_without_its_tree, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damage_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removed_while_it_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_can_be_had_or_not, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
