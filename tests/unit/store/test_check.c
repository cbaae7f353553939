/* A damaged store is mended, or stays as it was, whenever who mends it dies or whatever call fails: each time it is
 * looked at again nothing is wrong but what was wrong before, nothing is left over, and mending works when tried again. */
#include "fixture.h"
#include "shots.h"

#include <limits.h>

/* --- the store -------------------------------------------------------------------------------------------------- */

struct bench {
	struct fixture *fixture;
	const char *driver;
	char base[NC_HEX_ID], top[NC_HEX_ID], image[NC_HEX_ID];
	void (*damage)(struct bench *bench);
	bool load;			/* an image with the layer is loaded; else the check repairs */
};

static bool works(const struct fixture *fixture, const char *driver)
{
	return nc_driver_find(driver)->probe(fixture->store->root, &err) == 0;
}

static int load(struct nacre_store *store, char *ret_image)
{
	return try_image(store, (const char *const[]){ "base", "top", NULL }, "x", (const char *const[]){ "x:1", NULL },
			 ret_image);
}

static void fill(struct bench *bench)
{
	struct fixture *fixture = bench->fixture;
	struct nacre_node node;
	nacre_store_close(NC_GIVE(fixture->store));
	int dir = open(fixture->dir, O_RDONLY | O_DIRECTORY);
	assert_done(nc_tree_remove(dir, "store", &err));
	close(dir);
	fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, bench->driver);
	assert_done(load(fixture->store, bench->image));
	assert_done(nacre_node_get(fixture->store, bench->image, &node, &err));
	memcpy(bench->top, node.parent, NC_HEX_ID);
	assert_done(nacre_node_get(fixture->store, bench->top, &node, &err));
	memcpy(bench->base, node.parent, NC_HEX_ID);
}

/* --- damage ----------------------------------------------------------------------------------------------------- */

static char *path_of(struct bench *bench, const char *id, char ret[512])
{
	NC_AUTO_FREE char *path = NULL;
	assert_done(nacre_node_path(bench->fixture->store, id, &path, &err));
	snprintf(ret, 512, "%s", path);
	return ret;
}

static void lose_tree(struct bench *bench)
{
	char path[512];
	path_of(bench, bench->base, path);
	char *diff = strstr(path, "/diff");
	if (diff)
		*diff = '\0';
	char *name = strrchr(path, '/');
	*name++ = '\0';
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	assert_done(nc_tree_remove(dir, name, &err));
	close(dir);
}

static void change_mode(struct bench *bench)
{
	char path[512];
	path_of(bench, bench->base, path);
	strcat(path, "/file-base");
	assert_int_equal(chmod(path, 0123), 0);
}

static void write_node(struct bench *bench, const char *id, const char *file, const char *text)
{
	NC_AUTO_FD int dir = -1;
	assert_done(nc_node_open(bench->fixture->store, id, &dir, &err));
	assert_done(nc_file_replace(dir, file, text, strlen(text), false, &err));
}

static void garble_description(struct bench *bench)
{
	write_node(bench, bench->base, "json", "{");
	write_node(bench, bench->image, "json", "{");
}

static void garble_name(struct bench *bench)
{
	char path[300];
	snprintf(path, sizeof path, "%s/names/docker.io/library/x/_tags/1", bench->fixture->root);
	int fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	close(fd);
}

/* --- looking ---------------------------------------------------------------------------------------------------- */

struct seen {
	char words[1024];
};

static void note(void *ctx, const struct nacre_finding *finding)
{
	struct seen *seen = ctx;
	size_t len = strlen(seen->words);
	if (finding->state == NACRE_FOUND && strcmp(finding->kind, "catalog-stale") != 0)
		snprintf(seen->words + len, sizeof seen->words - len, "%s %.12s\n", finding->kind, finding->id);
}

static void look(const struct fixture *fixture, struct seen *ret)
{
	ret->words[0] = '\0';
	struct nacre_check_options options = { .size = sizeof options, .flags = NACRE_CHECK_FULL, .finding = note,
					       .finding_ctx = ret };
	int code = nacre_check(fixture->store, &options, NULL, &err);
	if (code < 0)
		fail_msg("%s", err.msg);
}

/* Each tree belongs to a layer, and whoever opened the store has cleared away the rest. */
static void assert_nothing_left(const struct fixture *fixture, bool trees)
{
	size_t overlay = entries(fixture, "overlay"), vfs = entries(fixture, "vfs/dir");
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_int_equal(entries(fixture, "graph"), 4);
	assert_true(vfs <= 2 && overlay <= 4);
	if (trees)
		assert_true(vfs == 2 || (overlay == 4 && entries(fixture, "overlay/l") == 2));
}

/* --- mending ---------------------------------------------------------------------------------------------------- */

static int mend(struct bench *bench, struct nacre_store *store)
{
	char id[NC_HEX_ID];
	struct nacre_check_options options = { .size = sizeof options, .flags = NACRE_CHECK_FULL | NACRE_CHECK_REPAIR };
	struct nacre_checked told;
	if (bench->load)
		return load(store, id);
	int code = nacre_check(store, &options, &told, &err);
	return code < 0 ? code : told.findings ? NACRE_E_CORRUPT : 0;
}

static void do_mend(void *ctx)
{
	struct bench *bench = ctx;
	struct nacre_store *store = NULL;
	struct nacre_open_options options = { .size = sizeof options,
					      .flags = bench->fixture->syncs ? 0 : NACRE_OPEN_NOSYNC };
	if (nacre_store_open(bench->fixture->root, &options, &store, &err) < 0 || mend(bench, store) < 0)
		leave(1);
	nacre_store_close(store);
}

static void reopen_quiet(struct fixture *fixture)
{
	nacre_store_close(fixture->store);
	fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
}

static void at_every_change(struct bench *bench, struct shot shot)
{
	struct fixture *fixture = bench->fixture;
	struct seen before, now;
	enum outcome outcome = KILLED;
	fixture->syncs = shot.error;
	for (shot.at = 1; outcome != THROUGH; shot.at += shot.step) {
		fill(bench);
		bench->damage(bench);
		look(fixture, &before);
		assert_string_not_equal(before.words, "");
		nacre_store_close(NC_GIVE(fixture->store));
		outcome = run(shot, do_mend, bench);
		reopen_quiet(fixture);
		look(fixture, &now);
		if (outcome == THROUGH || outcome == DONE_ALL_THE_SAME)
			assert_string_equal(now.words, "");
		/* what there still is was there before */
		for (char *line = now.words, *end; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			if (!strstr(before.words, line))
				fail_msg("at change %ld: %s is new", shot.at, line);
		}
		assert_nothing_left(fixture, false);
		if (mend(bench, fixture->store) < 0)
			fail_msg("at change %ld: %s", shot.at, err.msg);
		look(fixture, &now);
		assert_string_equal(now.words, "");
		reopen_quiet(fixture);
		assert_nothing_left(fixture, true);
	}
	print_message("%s: %ld changes\n", bench->driver, shot.at - shot.step);
}

/* From one change to the next; "all" takes each of them. */
static long stride = 13;

static void each_driver(struct fixture *fixture, void (*damage)(struct bench *bench), bool by_load, struct shot shot)
{
	shot.step = stride;
	static const char *const drivers[] = { "vfs", "overlay" };
	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
		struct bench bench = { .fixture = fixture, .driver = drivers[i], .damage = damage, .load = by_load };
		if (works(fixture, drivers[i]))
			at_every_change(&bench, shot);
	}
}

static void a_load_mends(void **state)
{
	each_driver(*state, lose_tree, true, (struct shot){ 0 });
}

static void a_tree_is_built_again(void **state)
{
	each_driver(*state, change_mode, false, (struct shot){ 0 });
}

static void descriptions_are_written_again(void **state)
{
	each_driver(*state, garble_description, false, (struct shot){ 0 });
}

static void names_are_set_aside(void **state)
{
	each_driver(*state, garble_name, false, (struct shot){ 0 });
}

static void one_call_fails(void **state)
{
	each_driver(*state, lose_tree, true, (struct shot){ .error = EIO });
	each_driver(*state, change_mode, false, (struct shot){ .error = ENOSPC, .from_then_on = true });
}

/* --- in peace --------------------------------------------------------------------------------------------------- */

static void mounted_layers_stay(void **state)
{
	struct fixture *fixture = *state;
	struct bench bench = { .fixture = fixture, .driver = "vfs" };
	char id[NC_HEX_ID], where[512];
	NC_AUTO_FREE char *path = NULL;
	fill(&bench);
	snprintf(where, sizeof where, "%s/mount", fixture->dir);
	assert_int_equal(mkdir(where, 0700), 0);
	bool mounted = nacre_mount(fixture->store, "x:1", where, &path, &err) == 0;
	if (!mounted) {
		rmdir(where);
		skip();
	}
	lose_tree(&bench);
	assert_int_equal(load(fixture->store, id), NACRE_E_INUSE);
	assert_done(nacre_umount(fixture->store, where, &err));
	assert_int_equal(rmdir(where), 0);
	assert_done(load(fixture->store, id));
	assert_nothing_left(fixture, true);
}

static void cancel_it(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current, uint64_t total)
{
	*(int *)ctx = 1;
}

static void a_full_check_can_be_cancelled(void **state)
{
	struct fixture *fixture = *state;
	struct bench bench = { .fixture = fixture, .driver = "vfs" };
	int cancel = 0;
	fill(&bench);
	struct nacre_check_options options = { .size = sizeof options, .progress = { cancel_it, &cancel, &cancel } };
	assert_int_equal(nacre_check(fixture->store, &options, NULL, &err), 0);
	options.flags = NACRE_CHECK_FULL;
	assert_int_equal(nacre_check(fixture->store, &options, NULL, &err), NACRE_E_CANCELLED);
	cancel = 0;
	change_mode(&bench);
	options.flags = NACRE_CHECK_FULL | NACRE_CHECK_REPAIR;
	assert_int_equal(nacre_check(fixture->store, &options, NULL, &err), NACRE_E_CANCELLED);
	assert_nothing_left(fixture, true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest peace[] = {
		cmocka_unit_test_setup_teardown(mounted_layers_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_check_can_be_cancelled, set_up, tear_down),
	};
	const struct CMUnitTest kills[] = {
		cmocka_unit_test_setup_teardown(a_load_mends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_tree_is_built_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(descriptions_are_written_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_are_set_aside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_call_fails, set_up, tear_down),
	};
	if (argc > 1 && strcmp(argv[1], "all") == 0)
		stride = 1;
	if (getenv("VALGRIND"))	/* it knows neither open_tree nor mount_setattr */
		cmocka_set_skip_filter("mounted_layers_stay");
	return argc > 1 ? cmocka_run_group_tests(kills, NULL, NULL) : cmocka_run_group_tests(peace, NULL, NULL);
}
