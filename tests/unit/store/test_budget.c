/* What an operation may cost: system calls, and syncs among them. */
#include "fixture.h"
#include "shots.h"

struct cost {
	long calls, syncs;
};

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
		_exit(0);
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
		    info.op != PTRACE_SYSCALL_INFO_ENTRY)
			continue;
		cost.calls++;
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
		_exit(1);
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
		_exit(1);
	nacre_store_close(store);
}

static void removal(struct fixture *fixture)
{
	struct nacre_store *store = open_with(fixture->root, 0, NULL);
	if (nacre_remove(store, "ten", 0, NULL, NULL, &err) < 0)
		_exit(1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_commit_syncs_twice, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
