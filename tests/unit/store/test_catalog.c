/* Who asks waits for nobody, and who only reads believes the catalog's file as far as it can be believed. */
#include "fixture.h"

#include "io/lock.h"
#include "io/stage.h"
#include "store/catalog_sql.h"

#include <signal.h>
#include <time.h>

/* Much longer than the instants in which somebody looks the log through, on a busy machine too, and shorter than the ten seconds
 * of SQLite and a writer's patience. Under valgrind everything takes long. */
static long patience_ms(void)
{
	return getenv("VALGRIND") ? 50000 : 5000;
}

static const char *const words[] = { "a", "b", NULL };

static long now_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* --- somebody who holds the catalog's locks --------------------------------------------------------------------- */

static sqlite3 *change_catalog(const struct fixture *fixture, const char *statements)
{
	char path[256];
	sqlite3 *db = NULL;
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, statements, NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static sqlite3 *write_to(const struct fixture *fixture)
{
	return change_catalog(fixture, "BEGIN IMMEDIATE; DELETE FROM name");
}

/* In the middle of a transaction. */
static void hold_write(const struct fixture *fixture)
{
	write_to(fixture);
}

/* The eight bytes that SQLite locks in the index of the log, as while it looks the log through. */
static void hold_index(const struct fixture *fixture)
{
	char path[256];
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 120, .l_len = 8 };
	snprintf(path, sizeof path, "%s/catalog.db-shm", fixture->root);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETLK, &all), 0);
}

/* A child that holds them until it is killed. */
static pid_t begin_holding(const struct fixture *fixture, void (*hold)(const struct fixture *fixture))
{
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(60);
		hold(fixture);
		if (write(ready[1], "", 1) == 1)
			pause();
		leave(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void end_holding(pid_t child)
{
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

static int count_node(void *ctx, const struct nacre_node *node)
{
	++*(int *)ctx;
	return 0;
}

static int count_hold(void *ctx, const struct nacre_hold_info *info)
{
	return 0;
}

static void ask_everything(struct nacre_store *store, const char *id)
{
	struct nacre_image_list *list = NULL;
	struct nacre_image *image = NULL;
	struct nacre_node node;
	struct nacre_usage usage;
	int nodes = 0;
	uint64_t size;
	char prefix[13];
	snprintf(prefix, sizeof prefix, "%.12s", id);
	assert_done(nacre_image_list(store, NULL, &list, &err));
	assert_int_equal(list->count, 1);
	nacre_image_list_free(list);
	for (int by_name = 0; by_name < 2; by_name++) {
		assert_done(nacre_image_get(store, by_name ? "x" : prefix, &image, &err));
		assert_string_equal(image->id, id);
		nacre_image_free(image);
	}
	assert_done(nacre_node_get(store, prefix, &node, &err));
	assert_done(nacre_node_size(store, node.parent, &size, &err));
	assert_int_equal(size, 1);
	assert_done(nacre_nodes_each(store, NACRE_ALL, NULL, count_node, &nodes, &err));
	assert_int_equal(nodes, 3);
	assert_done(nacre_df(store, &usage, &err));
	assert_int_equal(usage.images, 1);
	assert_done(nacre_holds_each(store, count_hold, NULL, &err));
}

/* A layer whose size nobody noted: the question is an occasion to note it. */
static void forget_size(const struct fixture *fixture, const char *id)
{
	struct nacre_node node;
	char path[400];
	assert_done(nacre_node_get(fixture->store, id, &node, &err));
	snprintf(path, sizeof path, "%s/graph/%s/layersize", fixture->root, node.parent);
	assert_int_equal(unlink(path), 0);
}

/* What one who died left, so that whoever opens the store would clean up. */
static void leave_stage(const struct fixture *fixture)
{
	struct nc_stage *stage = NULL;
	NC_AUTO_PLAN struct nc_plan plan = { 0 };
	assert_done(nc_stage_new(fixture->store->stages, &stage, &err));
	assert_done(nc_plan_add_unname(&plan, "nobody.example/nothing:1", &err));
	assert_done(nc_plan_write(&plan, stage->dir, &err));
	nc_stage_leave(stage);
}

static void who_asks_waits_for_nobody(void **state)
{
	struct fixture *fixture = *state;
	void (*const holders[])(const struct fixture *fixture) = { hold_write, hold_index };
	char id[NC_HEX_ID];
	make_image(fixture->store, words, "x", id);
	for (size_t i = 0; i < sizeof holders / sizeof *holders; i++) {
		forget_size(fixture, id);
		leave_stage(fixture);
		pid_t child = begin_holding(fixture, holders[i]);
		long began = now_ms();
		ask_everything(fixture->store, id);
		assert_in_range(now_ms() - began, 0, patience_ms());
		/* and whoever opens the store only now */
		static const unsigned ways[] = { NACRE_OPEN_AS_IT_IS, NACRE_OPEN_READONLY };
		for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
			began = now_ms();
			struct nacre_store *other = open_with(fixture->root, ways[way], NULL);
			ask_everything(other, id);
			nacre_store_close(other);
			assert_in_range(now_ms() - began, 0, patience_ms());
		}
		end_holding(child);
		/* nobody has to be asked to forget what was answered meanwhile: the file is back */
		ask_everything(fixture->store, id);
		reopen(fixture);
		assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	}
}

/* --- reading only ----------------------------------------------------------------------------------------------- */

static bool is_listed(struct nacre_store *store, const char *id)
{
	struct nacre_image_list *list = NULL;
	bool found = false;
	assert_done(nacre_image_list(store, NULL, &list, &err));
	for (size_t i = 0; i < list->count; i++)
		found = found || strcmp(list->images[i]->id, id) == 0;
	nacre_image_list_free(list);
	return found;
}

static bool knows(struct nacre_store *store, const char *id)
{
	struct nacre_node node;
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	assert_done(nc_catalog_ask(store->catalog, NC_ASK_NODE, id, NULL, &rows, &err));
	return rows.count && nacre_node_get(store, id, &node, &err) != NACRE_E_NOTFOUND;
}

/* The image goes without the catalog being told: what answers shows which of the two was asked. */
static void take_away(const struct fixture *fixture, const char *id)
{
	assert_int_equal(renameat(fixture->store->graph, id, fixture->store->root, "aside"), 0);
}

static bool the_file_answers(const struct fixture *fixture, const char *id)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	struct nacre_store *reader = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	assert_done(nc_catalog_ask(reader->catalog, NC_ASK_NODE, id, NULL, &rows, &err));
	nacre_store_close(reader);
	return rows.count;
}

static void a_file_is_believed_with_its_log_where_nobody_writes(void **state)
{
	struct fixture *fixture = *state;
	char id[NC_HEX_ID], log[256];
	struct stat before, after;
	make_image(fixture->store, words, "x", id);
	take_away(fixture, id);
	assert_false(the_file_answers(fixture, id));	/* the fixture's own handle could write */
	int root = dup(fixture->store->root);
	nacre_store_close(NC_GIVE(fixture->store));
	snprintf(log, sizeof log, "%s/catalog.db-wal", fixture->root);
	assert_int_equal(stat(log, &before), 0);
	assert_true(before.st_size > 0);
	assert_true(the_file_answers(fixture, id));
	assert_int_equal(stat(log, &after), 0);
	assert_memory_equal(&after.st_mtim, &before.st_mtim, sizeof before.st_mtim);
	/* a stage in which somebody died: the catalog may be ahead of the files or behind them */
	fixture->store = open_with(fixture->root, 0, NULL);
	leave_stage(fixture);
	nacre_store_close(NC_GIVE(fixture->store));
	assert_false(the_file_answers(fixture, id));
	close(root);
	reopen(fixture);
}

static void a_reader_is_overtaken(void **state)
{
	struct fixture *fixture = *state;
	char first[NC_HEX_ID], second[NC_HEX_ID];
	make_image(fixture->store, words, "x", first);
	nacre_store_close(NC_GIVE(fixture->store));
	struct nacre_store *reader = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	assert_true(knows(reader, first));
	fixture->store = open_with(fixture->root, 0, NULL);
	make_image(fixture->store, (const char *const[]){ "c", NULL }, "y", second);
	assert_true(knows(reader, second));
	assert_true(is_listed(reader, first) && is_listed(reader, second));
	nacre_store_close(reader);
}

/* --- checking ---------------------------------------------------------------------------------------------------- */

struct findings {
	int stale, strays;
};

static void note_finding(void *ctx, const struct nacre_finding *finding)
{
	struct findings *findings = ctx;
	findings->stale += strcmp(finding->kind, "catalog-stale") == 0;
	findings->strays += strcmp(finding->kind, "stage-stray") == 0;
}

static struct findings check(const struct fixture *fixture)
{
	struct findings findings = { 0 };
	struct nacre_check_options options = { .size = sizeof options, .finding = note_finding, .finding_ctx = &findings };
	struct nacre_store *reader = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	assert_done(nacre_check(reader, &options, NULL, &err));
	nacre_store_close(reader);
	return findings;
}

static void what_one_left_is_no_fault_of_the_catalog(void **state)
{
	struct fixture *fixture = *state;
	char id[NC_HEX_ID];
	make_image(fixture->store, words, "x", id);
	leave_stage(fixture);
	nacre_store_close(NC_GIVE(fixture->store));
	sqlite3 *db = write_to(fixture);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	struct findings findings = check(fixture);
	assert_int_equal(findings.stale, 0);
	assert_int_equal(findings.strays, 1);
	/* the next writer clears the stage away; what the catalog says is now its own fault */
	fixture->store = open_with(fixture->root, 0, NULL);
	nacre_store_close(NC_GIVE(fixture->store));
	findings = check(fixture);
	assert_int_equal(findings.stale, 1);
	assert_int_equal(findings.strays, 0);
	reopen(fixture);
}

/* --- what is asked ---------------------------------------------------------------------------------------------- */

/* Only who asks for all of something may read all of it. */
static bool may_scan(int statement)
{
	static const int lists[] = { NC_ASK_NODES, NC_ASK_HEADS, NC_ASK_IMAGES, NC_ASK_COUNTS, PUT_ALL_MEMBERS };
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		if (lists[i] == statement)
			return true;
	return false;
}

/* A step of SQLite's plan that goes through a table or an index from end to end. What is found step by step is read so, too,
 * and so are constants and the index of the nodes of 2015, which has no others in it. */
static bool is_scan(const char *step)
{
	static const char *const harmless[] = { "SCAN up", "SCAN down", "SCAN CONSTANT ROW", "SCAN n USING INDEX node_old" };
	for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
		if (strncmp(step, harmless[i], strlen(harmless[i])) == 0)
			return false;
	return strncmp(step, "SCAN", 4) == 0;
}

/* Files are the truth: a catalog that breaks while a commit goes on is made anew, and the commit is none the worse. */
static void a_catalog_breaks_under_a_commit(void **state)
{
	struct fixture *fixture = *state;
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	NC_AUTO_BUF struct nc_buf tar;
	struct nc_layer_in in = { .blob_size = UINT64_MAX };
	struct nc_layer_out out;
	char id[NC_HEX_ID], got[NC_HEX_ID];
	make_image(fixture->store, (const char *const[]){ "a", NULL }, "x", id);
	make_tar(&tar, (const char *const[]){ "f", "new", NULL });
	assert_done(nc_ingest_begin(fixture->store, &ingest, &err));
	assert_done(bring(ingest, &in, &tar, &out));
	sqlite3_close(change_catalog(fixture, "DROP TABLE node; DROP TABLE users"));
	assert_done(nc_ingest_commit(ingest, &err));
	struct nacre_node node;
	assert_done(nacre_node_get(fixture->store, out.id, &node, &err));
	assert_done(nc_store_resolve(fixture->store, "x", got, NULL, &err));
	assert_string_equal(got, id);
	nc_ingest_free(NC_GIVE(ingest));
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_catalog_true(fixture);
}

/* Who copied a store may have left out directories that were empty, and the catalog is only an index: who reads finds what there is. */
static void directories_that_are_missing(void **state)
{
	static const char *const gone[] = { "names", "blobs", "mounts", "graph" };
	struct fixture *fixture = *state;
	NC_AUTO_FD int root = open(fixture->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char id[NC_HEX_ID];
	make_image(fixture->store, words, "x", id);
	nacre_store_close(NC_GIVE(fixture->store));
	for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
		struct nacre_node node;
		int nodes = 0;
		assert_done(nc_tree_remove(root, gone[i], &err));
		assert_done(nc_tree_remove(root, "catalog.db", &err));
		assert_done(nc_tree_remove(root, "catalog.db-wal", &err));
		fixture->store = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
		assert_done(nacre_nodes_each(fixture->store, NACRE_ALL, NULL, count_node, &nodes, &err));
		assert_int_equal(nodes, strcmp(gone[i], "graph") == 0 ? 0 : 3);
		assert_int_equal(nacre_node_get(fixture->store, id, &node, &err), nodes ? 0 : NACRE_E_NOTFOUND);
		nacre_store_close(NC_GIVE(fixture->store));
		assert_false(there(fixture, gone[i]));
	}
}

static void no_question_reads_a_table(void **state)
{
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, schema, NULL, NULL, NULL), SQLITE_OK);
	size_t scans = 0;
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_stmt *plan = NULL;
		char text[4096];
		snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", texts[i]);
		assert_int_equal(sqlite3_prepare_v2(db, text, -1, &plan, NULL), SQLITE_OK);
		while (sqlite3_step(plan) == SQLITE_ROW) {
			const char *step = (const char *)sqlite3_column_text(plan, 3);
			if (is_scan(step) && !may_scan(i))
				fail_msg("%s: %s", step, texts[i]);
			scans += is_scan(step);
		}
		sqlite3_finalize(plan);
	}
	assert_true(scans >= 3);
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_asks_waits_for_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_is_believed_with_its_log_where_nobody_writes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reader_is_overtaken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_one_left_is_no_fault_of_the_catalog, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_catalog_breaks_under_a_commit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(directories_that_are_missing, set_up, tear_down),
		cmocka_unit_test(no_question_reads_a_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
