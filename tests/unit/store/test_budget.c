/* What an operation may cost: system calls, syncs and pages of the catalog among them; and that it costs the same in a large
 * store as in a small one. */
#include "fixture.h"
#include "shots.h"

struct cost {
	long calls, syncs;
	long pages;			/* of the catalog, read or written */
	long memory;			/* asked of the kernel */
};

static bool is_about_memory(uint64_t call)
{
	return call == SYS_brk || call == SYS_mmap || call == SYS_munmap || call == SYS_mremap;
}

/* Runs fn in a child and counts. */
static struct cost cost_of(void (*fn)(struct fixture *fixture), struct fixture *fixture)
{
	struct cost cost = {0};
	int status;
	nacre_store_close(NC_GIVE(fixture->store));
	pid_t child = fork();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		fn(fixture);
		leave(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	for (;;) {
		struct __ptrace_syscall_info info;
		ptrace(PTRACE_SYSCALL, child, NULL, NULL);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status))
			break;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) <= 0 ||
		    info.op != PTRACE_SYSCALL_INFO_ENTRY || let_leave(child, &info))
			continue;
		bool page = info.entry.nr == SYS_pread64 || info.entry.nr == SYS_pwrite64;
		cost.pages += page;
		cost.memory += is_about_memory(info.entry.nr);
		cost.calls += !page && !is_about_memory(info.entry.nr);
		cost.syncs += is_sync(info.entry.nr);
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	fixture->store = open_with(fixture->root, 0, NULL);
	return cost;
}

static void load(struct fixture *fixture, const char *const *layers, const char *name)
{
	struct nacre_store *store = open_with(fixture->root, 0, NULL);
	char id[65];
	if (try_image(store, layers, name, (const char *const[]){name, NULL}, id) < 0)
		leave(1);
	nacre_store_close(store);
}

static void load_one(struct fixture *fixture)
{
	load(fixture, (const char *const[]){"one", NULL}, "one");
}

static void load_ten(struct fixture *fixture)
{
	load(fixture, (const char *const[]){"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL}, "ten");
}

static void tag(struct fixture *fixture)
{
	struct nacre_store *store = open_with(fixture->root, 0, NULL);
	if (nacre_tag(store, "base", "other:1", &err) < 0)
		leave(1);
	nacre_store_close(store);
}

static void removal(struct fixture *fixture)
{
	struct nacre_store *store = open_with(fixture->root, 0, NULL);
	if (nacre_remove(store, "ten", 0, NULL, NULL, &err) < 0)
		leave(1);
	nacre_store_close(store);
}

static void a_commit_syncs_twice(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	make_image(fixture->store, (const char *const[]){"base", NULL}, "base", id);
	assert_int_equal(cost_of(load_one, fixture).syncs, 2);
	assert_int_equal(cost_of(load_ten, fixture).syncs, 2);
	assert_in_range(cost_of(tag, fixture).syncs, 1, 9);
	assert_in_range(cost_of(removal, fixture).syncs, 1, 7);
}

/* --- in a small store and in a large one ------------------------------------------------------------------------ */

#define FEW 3
#define MANY 400
/* The catalog is a dozen trees. Each grows a level now and then, and what were neighbours in one page no longer are. That
 * none is read from end to end test_catalog.c makes sure of. */
#define PAGES_MORE 120

static struct nacre_store *open_as_a_command(const struct fixture *fixture)
{
	return open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
}

static void close_as_a_command(struct nacre_store *store, int code)
{
	nacre_store_close(store);
	if (code < 0)
		leave(1);
}

static void open_it(struct fixture *fixture)
{
	close_as_a_command(open_as_a_command(fixture), 0);
}

static void look_up(struct fixture *fixture, const char *what)
{
	struct nacre_store *store = open_as_a_command(fixture);
	struct nacre_image *image = NULL;
	int code = nacre_image_get(store, what, &image, &err);
	nacre_image_free(image);
	close_as_a_command(store, code);
}

static char id_of_base[65];

static void look_up_name(struct fixture *fixture)
{
	look_up(fixture, "base:1");
}

static void look_up_prefix(struct fixture *fixture)
{
	char prefix[13];
	snprintf(prefix, sizeof prefix, "%.12s", id_of_base);
	look_up(fixture, prefix);
}

static void list(struct fixture *fixture, struct nacre_list_options options)
{
	struct nacre_store *store = open_as_a_command(fixture);
	struct nacre_image_list *list = NULL;
	options.size = sizeof options;
	int code = nacre_image_list(store, &options, &list, &err);
	if (code == 0 && list->count != 1)
		leave(1);
	nacre_image_list_free(list);
	close_as_a_command(store, code);
}

static void list_name(struct fixture *fixture)
{
	list(fixture, (struct nacre_list_options){ .reference = "base:1" });
}

static void list_id(struct fixture *fixture)
{
	list(fixture, (struct nacre_list_options){ .id = id_of_base });
}

static void look_at_node(struct fixture *fixture)
{
	struct nacre_store *store = open_as_a_command(fixture);
	struct nacre_node node;
	char prefix[13];
	snprintf(prefix, sizeof prefix, "%.12s", id_of_base);
	close_as_a_command(store, nacre_node_get(store, prefix, &node, &err));
}

static void register_one(struct fixture *fixture)
{
	struct nacre_store *store = open_as_a_command(fixture);
	NC_AUTO_BUF struct nc_buf tar;
	char id[65];
	struct nacre_register_options options = { .size = sizeof options };
	make_tar(&tar, (const char *const[]){ "one-more", "one more", NULL });
	close_as_a_command(store, register_bytes(store, &options, tar.data, tar.len, id));
}

static void load_new(struct fixture *fixture)
{
	struct nacre_store *store = open_as_a_command(fixture);
	char id[65];
	close_as_a_command(store, try_image(store, (const char *const[]){ "x", "y", NULL }, "new",
					    (const char *const[]){ "new:1", NULL }, id));
}

static void give_name(struct fixture *fixture)
{
	struct nacre_store *store = open_as_a_command(fixture);
	close_as_a_command(store, nacre_tag(store, "base:1", "other:1", &err));
}

static void take_name(struct fixture *fixture)
{
	struct nacre_store *store = open_as_a_command(fixture);
	close_as_a_command(store, nacre_untag(store, "other:1", &err));
}

static void remove_new(struct fixture *fixture)
{
	struct nacre_store *store = open_as_a_command(fixture);
	close_as_a_command(store, nacre_remove(store, "new:1", 0, NULL, NULL, &err));
}

static const struct operation {
	const char *name;
	void (*fn)(struct fixture *fixture);
} operations[] = {
	{ "open", open_it }, { "look up a name", look_up_name }, { "look up a prefix", look_up_prefix },
	{ "list by name", list_name }, { "list by ID", list_id }, { "look at a node", look_at_node },
	{ "register a layer", register_one }, { "load an image", load_new }, { "tag", give_name }, { "untag", take_name },
	{ "remove an image", remove_new },
};
#define OPERATIONS (sizeof operations / sizeof *operations)

/* The log is empty before each: what it holds is read by whoever comes first. */
static void empty_log(struct fixture *fixture)
{
	char path[256];
	sqlite3 *db = NULL;
	nacre_store_close(NC_GIVE(fixture->store));
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
}

/* Images of the same base, each with a name in the same repository: all lists that there are grow. */
static void fill(struct fixture *fixture, unsigned count)
{
	nacre_store_close(fixture->store);
	fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
	assert_done(try_image(fixture->store, (const char *const[]){ "base", NULL }, "base",
			      (const char *const[]){ "base:1", NULL }, id_of_base));
	for (unsigned i = 0; i < count; i++) {
		char name[32], id[65];
		snprintf(name, sizeof name, "base:more-%u", i);
		assert_done(try_image(fixture->store, (const char *const[]){ "base", name, NULL }, name,
				      (const char *const[]){ name, NULL }, id));
	}
}

static void measure(struct fixture *fixture, struct cost *ret)
{
	for (size_t i = 0; i < OPERATIONS; i++) {
		empty_log(fixture);
		ret[i] = cost_of(operations[i].fn, fixture);
	}
}

/* What one more image of one layer may cost a list of all: three files of its node are read, and the catalog is asked twice. */
#define CALLS_AN_IMAGE 40

static void list_all(struct fixture *fixture)
{
	struct nacre_store *store = open_as_a_command(fixture);
	struct nacre_image_list *list = NULL;
	int code = nacre_image_list(store, NULL, &list, &err);
	nacre_image_list_free(list);
	close_as_a_command(store, code);
}

static void a_list_costs_little_for_each_image(void **state)
{
	fill(*state, FEW);
	empty_log(*state);
	struct cost few = cost_of(list_all, *state);
	fill(*state, FEW + 20);
	empty_log(*state);
	struct cost more = cost_of(list_all, *state);
	if (more.calls - few.calls > 20 * CALLS_AN_IMAGE)
		fail_msg("%ld calls, and %ld for 20 images more", few.calls, more.calls);
}

static void a_large_store_costs_what_a_small_one_does(void **state)
{
	struct cost few[OPERATIONS], many[OPERATIONS];
	fill(*state, FEW);
	measure(*state, few);
	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
	fill(*state, MANY);
	measure(*state, many);
	for (size_t i = 0; i < OPERATIONS; i++)
		if (few[i].calls != many[i].calls || few[i].syncs != many[i].syncs || many[i].pages > few[i].pages + PAGES_MORE ||
		    many[i].memory > few[i].memory + 20)
			fail_msg("%s: %ld calls, %ld pages, %ld for memory; in a large store %ld, %ld, %ld", operations[i].name,
				 few[i].calls, few[i].pages, few[i].memory, many[i].calls, many[i].pages, many[i].memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_commit_syncs_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_list_costs_little_for_each_image, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_large_store_costs_what_a_small_one_does, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
