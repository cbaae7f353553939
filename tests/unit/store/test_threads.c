/* Several threads on one handle of a store, all at once: they bring images, name, hold, read, measure and remove them. Built
 * with ThreadSanitizer by ./dev test tsan. Threads only note what went wrong; the test looks at it when they are done. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WRITERS = 4, READERS = 3, ROUNDS = 8 };

struct worker {
	pthread_t thread;
	struct nacre_store *store;
	unsigned number;
	atomic_bool *over;		/* readers go on until then */
	int code;			/* the first that may not be */
	const char *what;
	struct nacre_error err;
	size_t seen;
};

static bool went(struct worker *worker, const char *what, int code, bool may_miss)
{
	if (code >= 0)
		return true;
	/* others remove meanwhile; whoever has a name of its own never misses */
	if (!may_miss || (code != NACRE_E_NOTFOUND && code != NACRE_E_INUSE && code != NACRE_E_BUSY)) {
		if (worker->code == 0) {
			worker->code = code;
			worker->what = what;
		}
	}
	return false;
}

/* An image of two layers: the lower one is the same for all. */
static int bring_image(struct worker *worker, const struct nc_buf tars[2], const struct nc_buf *config, const char *name,
		       char *ret_id)
{
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	struct nacre_error *why = &worker->err;
	char parent[NC_HEX_ID] = "";
	int code = nc_ingest_begin(worker->store, &ingest, why);
	for (size_t i = 0; i < 2 && code >= 0; i++) {
		struct nc_digest diff_id;
		struct nc_reader *reader = NULL;
		struct nc_layer_out out;
		char id[NC_HEX_ID];
		code = nc_digest_of(nc_buf_text(&tars[i]), tars[i].len, &diff_id, why);
		if (code == 0)
			code = nc_node_chain_id(parent, &diff_id, id, why);
		if (code == 0)
			code = nc_ingest_has(ingest, id, why);
		if (code == 0)
			code = nc_reader_memory(nc_buf_text(&tars[i]), tars[i].len, &reader, why);
		struct nc_layer_in in = { .parent = parent, .diff_id = &diff_id, .blob_size = UINT64_MAX };
		if (code == 0 && reader)
			code = nc_ingest_layer(ingest, &in, reader, &out, why);
		memcpy(parent, id, NC_HEX_ID);
	}
	struct nc_image_in in = { .config = nc_buf_text(config), .config_len = config->len,
				  .names = (const char *const[]){ name, NULL } };
	if (code >= 0)
		code = nc_ingest_image(ingest, &in, ret_id, why);
	return code < 0 ? code : nc_ingest_commit(ingest, why);
}

/* What the main thread makes for the writers, since making it asserts. */
static struct nc_buf tars[WRITERS][2], configs[WRITERS];

static void make_all(void)
{
	for (unsigned i = 0; i < WRITERS; i++) {
		char text[16];
		snprintf(text, sizeof text, "%u", i);
		make_tar(&tars[i][0], (const char *const[]){ "lower", "the same", NULL });
		make_tar(&tars[i][1], (const char *const[]){ "upper", text, NULL });
		struct nc_digest diff_ids[2] = { digest_of(&tars[i][0]), digest_of(&tars[i][1]) };
		char *config = NULL;
		size_t len;
		make_config(diff_ids, 2, "tester", &config, &len);
		configs[i] = (struct nc_buf)NC_BUF_INIT(1 << 20);
		assert_done(nc_buf_add(&configs[i], config, len, &err));
		free(config);
	}
}

static void free_all(void)
{
	for (unsigned i = 0; i < WRITERS; i++) {
		nc_buf_release(&tars[i][0]);
		nc_buf_release(&tars[i][1]);
		nc_buf_release(&configs[i]);
	}
}

static void *write_some(void *ctx)
{
	struct worker *worker = ctx;
	struct nacre_error *why = &worker->err;
	char name[32], other[32], session[NACRE_SESSION_MAX], id[NC_HEX_ID];
	snprintf(name, sizeof name, "own/n%u:1", worker->number);
	snprintf(other, sizeof other, "own/n%u:2", worker->number);
	snprintf(session, sizeof session, "s%u", worker->number);
	for (int i = 0; i < ROUNDS && worker->code == 0; i++) {
		uint64_t size;
		if (!went(worker, "bring", bring_image(worker, tars[worker->number], &configs[worker->number], name, id), false))
			break;
		went(worker, "tag", nacre_tag(worker->store, name, other, why), false);
		struct nacre_hold_options options = { .size = sizeof options };
		went(worker, "hold", nacre_hold(worker->store, session, (const char *const[]){ name }, 1, &options, NULL, why), false);
		went(worker, "size", nacre_node_size(worker->store, id, &size, why), false);
		went(worker, "untag", nacre_untag(worker->store, other, why), false);
		went(worker, "release", nacre_release(worker->store, session, NULL, why), false);
		if (i + 1 < ROUNDS)
			went(worker, "remove", nacre_remove(worker->store, id, NACRE_REMOVE_FORCE, NULL, NULL, why), true);
	}
	return NULL;
}

static int see(void *ctx, const struct nacre_node *node)
{
	++*(size_t *)ctx;
	return 0;
}

static int swallow(void *ctx, const void *bytes, size_t len)
{
	return 0;
}

static void *read_some(void *ctx)
{
	struct worker *worker = ctx;
	struct nacre_error *why = &worker->err;
	unsigned n = worker->number;
	while (!atomic_load(worker->over) && worker->code == 0) {
		struct nacre_image_list *list = NULL;
		struct nacre_usage usage;
		char name[32];
		snprintf(name, sizeof name, "own/n%u:1", n++ % WRITERS);
		went(worker, "list", nacre_image_list(worker->store, NULL, &list, why), false);
		nacre_image_list_free(list);
		went(worker, "nodes", nacre_nodes_each(worker->store, NACRE_ALL, NULL, see, &worker->seen, why), true);
		went(worker, "export", nacre_export(worker->store, name, swallow, NULL, NULL, why), true);
		went(worker, "usage", nacre_df(worker->store, &usage, why), true);
	}
	return NULL;
}

static void threads_share_a_handle(void **state)
{
	struct fixture *fixture = *state;
	struct worker workers[WRITERS + READERS] = { 0 };
	atomic_bool over = false;
	make_all();
	for (unsigned i = 0; i < WRITERS + READERS; i++) {
		workers[i] = (struct worker){ .store = fixture->store, .number = i < WRITERS ? i : i - WRITERS, .over = &over };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, i < WRITERS ? write_some : read_some, &workers[i]), 0);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(workers[i].thread, NULL);
	atomic_store(&over, true);
	for (unsigned i = WRITERS; i < WRITERS + READERS; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < WRITERS + READERS; i++)
		if (workers[i].code)
			fail_msg("thread %u: %s: %d (%s)", i, workers[i].what, workers[i].code, workers[i].err.msg);
	struct nacre_image_list *list = NULL;
	assert_done(nacre_image_list(fixture->store, NULL, &list, &err));
	assert_int_equal(list->count, WRITERS);
	nacre_image_list_free(list);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_catalog_true(fixture);
	free_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(threads_share_a_handle, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
