/* Each call of a commit fails once: before its mark the store is as it was, behind it as it is after, whoever asked is told why,
 * and nothing is left over. So it is with calls of those who finish or undo what one left who died. Only calls of the thread at hand
 * fail. */
#include "fixture.h"
#include "../calls.h"


static _Thread_local long countdown;	/* the call that brings it to 0 fails; 0: none does */
static int failed;			/* with this errno */
static bool removes;			/* the operation is a removal, whose mark is that a node leaves the graph */
static bool marked;			/* a plan became a commit, or that */
static bool mortal;			/* the process ends before the next change, once */
static long lives;			/* changes are made from the mark on: renames, and unlinks of a removal */

static int fate(enum call call, const char *name)
{
	static const int errors[] = { [CALL_OPEN] = EMFILE, [CALL_LOOK] = EIO, [CALL_MKDIR] = ENOSPC, [CALL_RENAME] = EIO,
				      [CALL_UNLINK] = EIO, [CALL_READLINK] = EIO, [CALL_WRITE] = ENOSPC, [CALL_SYNC] = EIO,
				      [CALL_LOCK] = ENOLCK, [CALL_RANDOM] = EIO };
	if (countdown > 0 && --countdown == 0)
		return failed = errors[call];
	marked |= call == CALL_RENAME && (removes ? nc_id_valid(name) : strcmp(name, NC_PLAN_COMMIT) == 0);
	if (mortal && marked && (call == CALL_RENAME || (removes && call == CALL_UNLINK)) && lives-- == 0)
		leave(0);
	return 0;
}

/* --- what is committed ------------------------------------------------------------------------------------------ */

static const char *const old_layers[] = { "base", "old", NULL };

/* Blobs, nodes and names. */
static int load(struct nacre_store *store)
{
	char id[NC_HEX_ID];
	return try_image_with(store, (const char *const[]){ "base", "new", NULL }, "x",
			      (const char *const[]){ "new:1", "new:2", NULL }, true, id);
}

/* Documents and a name of an image that is there. */
static int complete(struct nacre_store *store)
{
	char id[NC_HEX_ID];
	return try_image_with(store, old_layers, "x", (const char *const[]){ "new:1", NULL }, true, id);
}

/* What an index names beside images. */
static int keep(struct nacre_store *store)
{
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	char id[NC_HEX_ID];
	int code = nc_store_resolve(store, "old", id, NULL, &err);
	if (code == 0)
		code = nc_ingest_begin(store, &ingest, &err);
	if (code == 0)
		code = try_whole(ingest, id, "index", (const char *const[]){ "{}", "a statement", NULL });
	return code < 0 ? code : nc_ingest_commit(ingest, &err);
}

/* A layer whose ID is not known before its end, one with an ID and a description of its own, that one again, and one that is there. */
static int bring_layers(struct nacre_store *store)
{
	static const char id[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const char json[] = "{\"created\":\"2015-01-01T00:00:00Z\"}";
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf base;
	make_tar(&tar, (const char *const[]){ "a", "first", NULL });
	make_tar(&base, (const char *const[]){ "file-base", "base", NULL });
	const struct nc_digest diff_id = digest_of(&base);
	const struct nc_layer_in unknown = { .blob_size = UINT64_MAX };
	const struct nc_layer_in known = { .blob_size = UINT64_MAX, .id = id, .json = json, .json_len = strlen(json) };
	const struct nc_layer_in old = { .blob_size = UINT64_MAX, .diff_id = &diff_id };
	struct nc_layer_out out;
	int code = nc_ingest_begin(store, &ingest, &err);
	if (code == 0)
		code = bring(ingest, &unknown, &tar, &out);
	if (code == 0)
		code = bring(ingest, &known, &tar, &out);
	if (code == 0)
		code = bring(ingest, &known, &tar, &out);
	if (code == 1)
		code = bring(ingest, &old, &base, &out);
	return code < 0 ? code : nc_ingest_commit(ingest, &err);
}

/* An image with its names and a layer that nobody else needs. */
static int remove_image(struct nacre_store *store)
{
	removes = true;
	int code = nacre_remove(store, "old", NACRE_REMOVE_FORCE, NULL, NULL, &err);
	removes = false;
	return code;
}

static int (*const operations[])(struct nacre_store *store) = { load, complete, keep, bring_layers, remove_image };

/* --- the state of a store --------------------------------------------------------------------------------------- */

struct listing {
	struct nc_buf *text;
	int dir;
	const char *path;
};

static int add_entry(void *ctx, const char *name, struct nacre_error *why)
{
	const struct listing *above = ctx;
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FREE char *bytes = NULL;
	char path[400], hex[NC_DIGEST_TEXT];
	struct nc_digest digest;
	size_t len;
	snprintf(path, sizeof path, "%s/%s", above->path, name);
	if (strncmp(name, "catalog.db", 10) == 0)
		return 0;
	assert_done(nc_buf_addf(above->text, why, "%s\n", path));
	if (nc_dir_open(above->dir, name, &dir, NULL) == 0)
		return nc_dir_each_sorted(dir, 1000, add_entry, &(struct listing){ above->text, dir, path }, why);
	assert_done(nc_file_read(above->dir, name, 1 << 20, &bytes, &len, why));
	assert_done(nc_digest_of(bytes, len, &digest, why));
	return nc_buf_addf(above->text, why, " %s\n", nc_digest_hex(&digest, hex));
}

/* Each directory, each file with its digest, and the catalog, as text (free()). The store is closed. */
static char *state_of(const struct fixture *fixture)
{
	struct nc_buf text = NC_BUF_INIT(1 << 20);
	NC_AUTO_FD int root = open(fixture->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_done(nc_dir_each_sorted(root, 1000, add_entry, &(struct listing){ &text, root, "" }, &err));
	char *catalog = dump_catalog(fixture);
	assert_done(nc_buf_add_text(&text, catalog, &err));
	free(catalog);
	return nc_buf_give(&text);
}

/* Whoever comes next finds the store in this state. Closed before and after. */
static void assert_state(const struct fixture *fixture, const char *expected)
{
	nacre_store_close(open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL));
	char *now = state_of(fixture);
	assert_string_equal(now, expected);
	free(now);
}

struct states {
	char *before, *after;
};

/* The store, closed, as it is before the operation; a copy of it is "before". */
static struct states prepare(struct fixture *fixture, int (*operation)(struct nacre_store *store))
{
	struct states states;
	char id[NC_HEX_ID];
	nacre_store_close(NC_GIVE(fixture->store));
	NC_AUTO_FD int dir = open(fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_done(nc_tree_remove(dir, "store", &err));
	struct nacre_store *store = open_with(fixture->root, 0, TEST_DRIVER);
	make_image(store, (const char *const[]){ "base", "kept", NULL }, "kept", id);
	assert_done(try_image(store, old_layers, "x", (const char *const[]){ "old", NULL }, id));
	nacre_store_close(store);
	states.before = state_of(fixture);
	copy(fixture, "store", "before");
	store = open_with(fixture->root, 0, NULL);
	assert_done(operation(store));
	nacre_store_close(store);
	states.after = state_of(fixture);
	assert_string_not_equal(states.before, states.after);
	copy(fixture, "before", "store");
	return states;
}

static void states_free(struct states *states)
{
	free(states->before);
	free(states->after);
}

/* --- a commit --------------------------------------------------------------------------------------------------- */

static void assert_told(int code)
{
	int expected = failed == ENOSPC ? NACRE_E_NOSPACE : NACRE_E_IO;
	const char *reason = strstr(err.msg, strerror(failed));
	if (code != expected || err.code != code || !reason || strstr(reason + 1, strerror(failed)))
		fail_msg("%d, '%s', for '%s'", code, err.msg, strerror(failed));
}

/* Behind the mark the stage is an heir's: the handle that failed writes no more, unless all was done and only what came then
 * failed. */
static void assert_broken(const struct fixture *fixture, struct nacre_store *store)
{
	if (entries(fixture, "graph/_tmp") == 0)
		return;
	assert_int_equal(nacre_tag(store, "kept", "another", &err), NACRE_E_IO);
	assert_string_equal(err.msg, "an earlier commit failed half way: open the store again");
}

static bool fail_at(struct fixture *fixture, int (*operation)(struct nacre_store *store), const struct states *states, long at)
{
	struct nacre_store *store = open_with(fixture->root, 0, NULL);
	marked = false;
	countdown = at;
	int code = operation(store);
	bool through = countdown > 0;
	countdown = 0;
	if (code < 0)
		assert_told(code);
	if (code < 0 && marked)
		assert_broken(fixture, store);
	bool after = code >= 0 || marked;
	nacre_store_close(store);
	assert_state(fixture, after ? states->after : states->before);
	if (after)
		copy(fixture, "before", "store");
	return through;
}

static void each_call_of_a_commit_fails(void **state)
{
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		struct states states = prepare(*state, operations[i]);
		long at = 1;
		while (!fail_at(*state, operations[i], &states, at))
			at++;
		assert_true(at > 100);
		states_free(&states);
	}
}

/* --- who comes after one who died ------------------------------------------------------------------------------- */

/* Dies before this rename, where the mark is 0; what is left is "left". False: it came through. */
static bool die_at(struct fixture *fixture, int (*operation)(struct nacre_store *store), long renames)
{
	int status;
	copy(fixture, "before", "store");
	pid_t child = fork();
	if (child == 0) {
		struct nacre_store *store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
		mortal = true;
		marked = false;
		lives = renames;
		operation(store);
		leave(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	copy(fixture, "store", "left");
	return WEXITSTATUS(status) == 0;
}

static int lose_mark(void *ctx, const char *name, unsigned char type, struct nacre_error *why)
{
	NC_AUTO_FD int stage = openat(*(int *)ctx, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* the plan goes before the stage does */
	assert_true(renameat(stage, NC_PLAN_COMMIT, stage, NC_PLAN_FILE) == 0 || errno == ENOENT);
	return 0;
}

/* As a power cut may: nodes and blobs that were moved tell of it. */
static void lose_marks(const struct fixture *fixture)
{
	char path[300];
	snprintf(path, sizeof path, "%s/left/graph/_tmp", fixture->dir);
	NC_AUTO_FD int stages = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_done(nc_dir_each(stages, lose_mark, &stages, &err));
}

/* A store that cannot be swept is opened all the same: the next one sweeps it. */
static void clean_up_failing(const struct fixture *fixture, const char *expected, long at, long step)
{
	for (bool through = false; !through; at += step) {
		struct nacre_open_options options = { .size = sizeof options };
		struct nacre_store *store = NULL;
		copy(fixture, "left", "store");
		countdown = at;
		int code = nacre_store_open(fixture->root, &options, &store, &err);
		through = countdown > 0;
		countdown = 0;
		if (code < 0)
			assert_told(code);
		nacre_store_close(store);
		assert_state(fixture, expected);
	}
}

static void calls_of_who_comes_next_fail(void **state)
{
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		struct states states = prepare(*state, operations[i]);
		long renames = 0;
		for (; die_at(*state, operations[i], renames); renames++) {
			bool all = operations[i] == remove_image;
			clean_up_failing(*state, renames ? states.after : states.before, all ? 1 : 1 + renames % 3, all ? 1 : 3);
			if (renames < 2 || operations[i] != load)
				continue;
			lose_marks(*state);
			clean_up_failing(*state, states.after, 1, 1);
		}
		assert_true(renames > 2);
		states_free(&states);
	}
}

/* In memory, where a file system of that kind is at hand: thousands of stores are made. */
static int set_up_fast(void **state)
{
	return set_up_in(state, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_call_of_a_commit_fails, set_up_fast, tear_down),
		cmocka_unit_test_setup_teardown(calls_of_who_comes_next_fail, set_up_fast, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
