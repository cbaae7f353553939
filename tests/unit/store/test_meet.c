/* Two processes work on one store: the second does its work, or as much as the first lets it, before each second lock that the
 * first takes or file that it moves or removes ("all": before all of its system calls; an hour). It must look as if one had come
 * after the other: what both were told, and what there is in the end, are as they are when one waits for the other, or one was
 * told that the other is in its way and nothing of it is there. Where the first dies at that call ("dying"), the second, which
 * has the store open already, must find that it never came, or that it came before. A prune is many removals: what it left
 * because it was in use, the next one takes. */
#include "meet.h"

/* --- what comes of it ------------------------------------------------------------------------------------------- */

struct result {
	int codes[2];			/* 1: it was not asked */
	char *state;			/* owned */
};

static int add_entry(void *ctx, const char *name, struct nacre_error *why)
{
	return strcmp(name, "_tmp") == 0 ? 0 : nc_buf_addf(ctx, why, "node %s\n", name);
}

static int add_writable(void *ctx, const struct nacre_writable *writable)
{
	return nc_buf_addf(ctx, &err, "writable %s %s\n", writable->name, writable->image);
}

static int add_mount(void *ctx, const char *id, const char *path)
{
	return nc_buf_addf(ctx, &err, "mount %s %s\n", id, path);
}

static void add_finding(void *ctx, const struct nacre_finding *finding)
{
	assert_done(nc_buf_addf(ctx, &err, "finding %s %s\n", finding->kind, finding->text));
}

/* As the next process finds it; a check proves the catalog, too. */
static char *state_of(const struct fixture *fixture, bool pruned)
{
	struct nc_buf text = NC_BUF_INIT(1 << 20);
	struct nacre_store *store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
	struct nacre_check_options options = { .size = sizeof options, .finding = add_finding, .finding_ctx = &text };
	if (pruned)
		assert_done(prune(store));
	assert_done(nc_dir_each_sorted(store->graph, 1000, add_entry, &text, &err));
	assert_done(nc_names_each(store, add_name_line, &text, &err));
	assert_done(nacre_holds_each(store, add_hold_line, &text, &err));
	assert_done(nacre_writables_each(store, add_writable, &text, &err));
	assert_done(nacre_mounts_each(store, add_mount, &text, &err));
	assert_done(nacre_check(store, &options, NULL, &err));
	nacre_store_close(store);
	return nc_buf_give(&text);
}

static struct result result_of(void)
{
	return (struct result){ { meeting.codes[0], meeting.codes[1] }, state_of(meeting.fixture, meeting.who[0]->run == prune || meeting.who[1]->run == prune) };
}

/* One after the other; -1: nobody. */
static struct result in_turn(int first, int then)
{
	begin_anew();
	meeting.codes[0] = meeting.codes[1] = 1;
	if (first >= 0)
		work(first, 0);
	if (then >= 0)
		work(then, 0);
	return result_of();
}

static bool is_like(const struct result *found, const struct result *known, int without)
{
	for (int i = 0; i < 2; i++)
		if (i == without ? found->codes[i] != NACRE_E_BUSY : found->codes[i] != known->codes[i])
			return false;
	return strcmp(found->state, known->state) == 0;
}

/* Nobody knows what the first would have been told. */
static bool is_like_second(const struct result *found, const struct result *known)
{
	return found->codes[1] == known->codes[1] && strcmp(found->state, known->state) == 0;
}

struct known {
	struct result alone[2], both[2];
};

static bool is_known(const struct known *known, const struct result *found)
{
	return is_like(found, &known->both[0], -1) || is_like(found, &known->both[1], -1) || is_like(found, &known->alone[0], 1) ||
	       is_like(found, &known->alone[1], 0);
}

static void known_release(struct known *known)
{
	for (int i = 0; i < 2; i++) {
		free(known->alone[i].state);
		free(known->both[i].state);
	}
}

static bool judge(const struct known *known, const struct result *found, bool died, long at)
{
	if (died ? is_like_second(found, &known->alone[1]) || is_like_second(found, &known->both[0]) : is_known(known, found))
		return true;
	fprintf(stderr, "before call %ld of '%s'%s comes '%s': %d, %d\n%s", at, meeting.who[0]->name,
		died ? ", where it dies," : "", meeting.who[1]->name,
		found->codes[0], found->codes[1], found->state);
	for (int i = 0; i < 2; i++)
		fprintf(stderr, "one after the other: %d, %d\n%s", known->both[i].codes[0], known->both[i].codes[1],
			known->both[i].state);
	return false;
}

static bool first_dies(long at)
{
	int status;
	fork_second(true);
	pid_t first = fork();
	if (first == 0) {
		mortal = true;
		work(0, at);
		leave(1);
	}
	assert_int_equal(waitpid(first, &status, 0), first);
	assert_true(WIFEXITED(status));
	end_second();
	return WEXITSTATUS(status) == 0;
}

static bool meet(size_t one, size_t other, bool dies)
{
	meeting.who[0] = &operations[one];
	meeting.who[1] = &operations[other];
	struct known known = { { in_turn(0, -1), in_turn(1, -1) }, { in_turn(0, 1), in_turn(1, 0) } };
	bool good = true;
	for (long at = all ? 1 : 1 + (long)(one + other) % 2; good; at += all ? 1 : 2) {
		begin_anew();
		if (!(dies ? first_dies(at) : first_is_met(at)))
			break;
		struct result found = result_of();
		good = judge(&known, &found, dies, at);
		free(found.state);
	}
	known_release(&known);
	return good;
}

static void each_meets_each(struct fixture *fixture, bool dies)
{
	size_t bad = 0;
	prepare(fixture);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++)
			/* a check does find what one left who died */
			bad += !(dies && operations[j].run == check) && !meet(i, j, dies);
	tidy_up();
	assert_int_equal(bad, 0);
}

static size_t index_of(int (*run)(struct nacre_store *store))
{
	size_t i = 0;
	while (operations[i].run != run)
		i++;
	return i;
}

/* What is looked at goes away between any two looks. */
static void what_is_committed_is_removed(void **state)
{
	prepare(*state);
	all = true;
	bool good = meet(index_of(commit), index_of(remove_writable), false);
	tidy_up();
	assert_true(good);
}

static void lose_what_is_held(void)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/graph", meeting.fixture->root);
	NC_AUTO_FD int graph = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_done(nc_tree_remove(graph, nameless_id, &err));
}

static int hold_what_is_lost(struct nacre_store *store)
{
	at_first_lock = lose_what_is_held;
	return hold(store);
}

static void count_dangling(void *ctx, const struct nacre_finding *finding)
{
	*(int *)ctx += strcmp(finding->kind, "hold-dangling") == 0;
}

static int check_holds(struct nacre_store *store)
{
	int dangling = 0;
	struct nacre_check_options options = { .size = sizeof options, .finding = count_dangling, .finding_ctx = &dangling };
	int code = nacre_check(store, &options, NULL, &err);
	return code < 0 ? code : dangling;
}

/* Somebody removes it before he looks, and what he wrote is taken back: no check takes that for a session that holds what is
 * not there. */
static void what_is_held_is_lost(void **state)
{
	static const struct operation holding = { "hold", hold_what_is_lost }, looking = { "check", check_holds };
	bool met = true;
	prepare(*state);
	meeting.who[0] = &holding;
	meeting.who[1] = &looking;
	all = true;
	for (long at = 1; met; at++) {
		begin_anew();
		met = first_is_met(at);
		assert_int_equal(meeting.codes[0], NACRE_E_NOTFOUND);
		assert_int_equal(meeting.codes[1], 0);
	}
	tidy_up();
}

static void one_comes_after_the_other(void **state)
{
	each_meets_each(*state, false);
}

static void one_dies_beside_the_other(void **state)
{
	each_meets_each(*state, true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest meeting_tests[] = {
		cmocka_unit_test_setup_teardown(what_is_committed_is_removed, set_up_quick, tear_down),
		cmocka_unit_test_setup_teardown(what_is_held_is_lost, set_up_quick, tear_down),
		cmocka_unit_test_setup_teardown(one_comes_after_the_other, set_up_quick, tear_down),
	};
	const struct CMUnitTest dying_tests[] = {
		cmocka_unit_test_setup_teardown(one_dies_beside_the_other, set_up_quick, tear_down),
	};
	begin(argc, argv);
	return asked_for_dying ? cmocka_run_group_tests(dying_tests, NULL, NULL) : cmocka_run_group_tests(meeting_tests, NULL, NULL);
}
