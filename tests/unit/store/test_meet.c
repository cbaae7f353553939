/* Two processes work on one store: the second does its work, or as much as the first lets it, before each second lock that the
 * first takes or file that it moves or removes ("all": before all of its system calls; an hour). It must look as if one had come
 * after the other: what both were told, and what there is in the end, are as they are when one waits for the other, or one was
 * told that the other is in its way and nothing of it is there. Where the first dies at that call ("dying"), the second, which
 * has the store open already, must find that it never came, or that it came before. A prune is many removals: what it left
 * because it was in use, the next one takes. */
#include "fixture.h"
#include "../calls.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>

#define LOOK_NS 100000

static long countdown;			/* at the call that brings it to 0 the second comes, or the process dies */
static bool mortal, all, asked_for_all;	/* all: calls count */
static void let_second_work(void);

static void (*at_first_lock)(void);

static int fate(enum call call, const char *name)
{
	if (at_first_lock && call == CALL_LOCK) {
		void (*act)(void) = at_first_lock;
		at_first_lock = NULL;
		act();
	}
	if (!all && call != CALL_LOCK && call != CALL_RENAME && call != CALL_UNLINK)
		return 0;
	if (countdown <= 0 || --countdown > 0)
		return 0;
	if (mortal)
		leave(0);
	let_second_work();
	return 0;
}

/* --- what they do ----------------------------------------------------------------------------------------------- */

static char mount_point[100];
static char old_id[NC_HEX_ID], nameless_id[NC_HEX_ID], loose_id[NC_HEX_ID];
static const char *const old_layers[] = { "base", "old", NULL };

static int remove_by_name(struct nacre_store *store)
{
	return nacre_remove(store, "old:1", 0, NULL, NULL, &err);
}

static int remove_by_id(struct nacre_store *store)
{
	return nacre_remove(store, old_id, 0, NULL, NULL, &err);
}

static int remove_by_force(struct nacre_store *store)
{
	return nacre_remove(store, old_id, NACRE_REMOVE_FORCE, NULL, NULL, &err);
}

static int remove_nameless(struct nacre_store *store)
{
	return nacre_remove(store, nameless_id, 0, NULL, NULL, &err);
}

static int remove_one_name(struct nacre_store *store)
{
	return nacre_remove(store, "kept:1", 0, NULL, NULL, &err);
}

static int remove_other_name(struct nacre_store *store)
{
	return nacre_remove(store, "kept:2", 0, NULL, NULL, &err);
}

static int delete_layer(struct nacre_store *store)
{
	return nacre_delete(store, loose_id, &err);
}

static int untag(struct nacre_store *store)
{
	return nacre_untag(store, "old:1", &err);
}

static int prune(struct nacre_store *store)
{
	return nacre_prune(store, NULL, NULL, &err);
}

static int tag(struct nacre_store *store)
{
	return nacre_tag(store, "old:1", "another:1", &err);
}

static int tag_over(struct nacre_store *store)
{
	return nacre_tag(store, "kept:1", "old:1", &err);
}

static int tag_nameless(struct nacre_store *store)
{
	return nacre_tag(store, nameless_id, "another:1", &err);
}

static int tag_layer(struct nacre_store *store)
{
	return nacre_tag(store, loose_id, "another:1", &err);
}

static int load_again(struct nacre_store *store)
{
	char id[NC_HEX_ID];
	return try_image_with(store, old_layers, "x", (const char *const[]){ "another:1", NULL }, true, id);
}

static int load_beside(struct nacre_store *store)
{
	char id[NC_HEX_ID];
	return try_image(store, (const char *const[]){ "base", "old", "top", NULL }, "x", (const char *const[]){ "another:1", NULL }, id);
}

static int put_on_top(struct nacre_store *store)
{
	NC_AUTO_BUF struct nc_buf tar;
	make_tar(&tar, (const char *const[]){ "on-top", "1", NULL });
	return register_bytes(store, &(struct nacre_register_options){ .size = sizeof (struct nacre_register_options), .parent = loose_id },
			      tar.data, tar.len, NULL);
}

static int hold(struct nacre_store *store)
{
	return nacre_hold(store, "s", (const char *const[]){ nameless_id, loose_id }, 2,
			  &(struct nacre_hold_options){ .size = sizeof (struct nacre_hold_options), .persistent = true }, NULL, &err);
}

static int create(struct nacre_store *store)
{
	return nacre_writable_create(store, nameless_id, "writable", NULL, &err);
}

static int commit(struct nacre_store *store)
{
	char id[NC_HEX_ID];
	return nacre_writable_commit(store, "on-top", &(struct nacre_commit_options){ .size = sizeof (struct nacre_commit_options),
				     .name = "another:1", .created = 1700000000 }, id, &err);
}

static int remove_writable(struct nacre_store *store)
{
	return nacre_writable_remove(store, "on-top", &err);
}

static int mount_nameless(struct nacre_store *store)
{
	return nacre_mount(store, nameless_id, mount_point, NULL, &err);
}

static int check(struct nacre_store *store)
{
	return nacre_check(store, NULL, NULL, &err);
}

static const struct operation {
	const char *name;
	int (*run)(struct nacre_store *store);
} operations[] = {
	{ "remove by name", remove_by_name }, { "remove by ID", remove_by_id }, { "remove by force", remove_by_force },
	{ "remove the nameless", remove_nameless }, { "remove one name", remove_one_name },
	{ "remove the other name", remove_other_name }, { "delete a layer", delete_layer }, { "untag", untag }, { "prune", prune }, { "tag", tag }, { "tag over", tag_over },
	{ "tag the nameless", tag_nameless }, { "tag a layer", tag_layer }, { "load again", load_again },
	{ "load beside", load_beside }, { "put on top", put_on_top }, { "hold", hold }, { "create", create }, { "commit", commit },
	{ "remove a writable", remove_writable }, { "check", check }, { "mount", mount_nameless },
};
/* Without mounts of its own, the last is left out. */
static size_t count = sizeof operations / sizeof *operations;

/* One image with one name, one without, one with two and a writable layer, and a layer that no image has. */
static void fill(struct fixture *fixture)
{
	char id[NC_HEX_ID];
	NC_AUTO_BUF struct nc_buf tar;
	assert_done(try_image(fixture->store, (const char *const[]){ "base", "kept", NULL }, "x",
			      (const char *const[]){ "kept:1", "kept:2", NULL }, id));
	assert_done(try_image(fixture->store, old_layers, "x", (const char *const[]){ "old:1", NULL }, old_id));
	assert_done(try_image(fixture->store, (const char *const[]){ "base", "old", "nameless", NULL }, "x", NULL, nameless_id));
	assert_done(nacre_writable_create(fixture->store, "kept:1", "on-top", NULL, &err));
	make_tar(&tar, (const char *const[]){ "loose", "1", NULL });
	assert_done(register_bytes(fixture->store, NULL, tar.data, tar.len, loose_id));
	nacre_store_close(NC_GIVE(fixture->store));
	copy(fixture, "store", "before");
}

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

static struct {
	const struct fixture *fixture;
	const struct operation *who[2];
	int *codes;			/* shared with the second's process */
	pid_t second;
	int go;				/* a socket: closed when the second is to begin */
} meeting;

static struct nacre_store *open_for(int which)
{
	struct nacre_store *store = NULL;
	struct nacre_open_options options = { .size = sizeof options, .flags = NACRE_OPEN_NOSYNC };
	if (meeting.who[which]->run == check)
		options.flags |= NACRE_OPEN_READONLY;
	meeting.codes[which] = nacre_store_open(meeting.fixture->root, &options, &store, &err);
	return store;
}

/* at: the call before which the other comes; 0: none. */
static void work(int which, long at)
{
	struct nacre_store *store = open_for(which);
	countdown = at;
	if (store)
		meeting.codes[which] = meeting.who[which]->run(store);
	nacre_store_close(store);
}

/* Whether the second is over, or waits for the first: for a lock, or, with the catalog, from time to time. */
static bool is_through_or_waits(void)
{
	siginfo_t info = { .si_pid = 0 };
	char path[64], text[256];
	assert_int_equal(waitid(P_PID, (id_t)meeting.second, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	if (info.si_pid)
		return true;
	snprintf(path, sizeof path, "/proc/%d/syscall", (int)meeting.second);
	NC_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (len <= 0)
		return false;
	text[len] = '\0';
	long call = strtol(text, NULL, 10);	/* "running" is none */
	return len && *text != 'r' && (call == SYS_fcntl || call == SYS_clock_nanosleep || call == SYS_nanosleep);
}

/* Before the first opens the store, since SQLite's handles are of one process only. early: it opens the store at once, and is waited
 * for. */
static void fork_second(bool early)
{
	int ends[2];
	char none;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	meeting.second = fork();
	if (meeting.second == 0) {
		struct nacre_store *store = early ? open_for(1) : NULL;
		close(ends[1]);
		assert_int_equal(write(ends[0], "", 1), 1);
		assert_int_equal(read(ends[0], &none, 1), 0);
		if (store)
			meeting.codes[1] = meeting.who[1]->run(store);
		else
			work(1, 0);
		nacre_store_close(store);
		leave(0);
	}
	close(ends[0]);
	meeting.go = ends[1];
	assert_int_equal(read(meeting.go, &none, 1), 1);
}

static void let_second_work(void)
{
	nc_fd_release(&meeting.go);
	while (!is_through_or_waits())
		nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
}

static void end_second(void)
{
	int status;
	nc_fd_release(&meeting.go);
	assert_int_equal(waitpid(meeting.second, &status, 0), meeting.second);
	assert_int_equal(status, 0);
}

static struct result result_of(void)
{
	return (struct result){ { meeting.codes[0], meeting.codes[1] }, state_of(meeting.fixture, meeting.who[0]->run == prune || meeting.who[1]->run == prune) };
}

static void begin_anew(void)
{
	assert_true(umount2(mount_point, MNT_DETACH) == 0 || errno == EINVAL || errno == EPERM);
	copy(meeting.fixture, "before", "store");
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

/* False: the first came to its end before. */
static bool first_is_met(long at)
{
	fork_second(false);
	work(0, at);
	bool met = countdown == 0;
	countdown = 0;
	end_second();
	return met;
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

static void prepare(struct fixture *fixture)
{
	meeting.codes = mmap(NULL, 2 * sizeof *meeting.codes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(meeting.codes != MAP_FAILED);
	meeting.fixture = fixture;
	fill(fixture);
}

static void tidy_up(void)
{
	begin_anew();
	munmap(meeting.codes, 2 * sizeof *meeting.codes);
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

/* Some ten thousand stores: in memory, where there is such a place. */
static int set_up_quick(void **state)
{
	all = asked_for_all;
	int code = set_up_in(state, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	const struct fixture *fixture = *state;
	snprintf(mount_point, sizeof mount_point, "%s/mnt", fixture->dir);
	return code < 0 ? code : mkdir(mount_point, 0700);
}

/* "dying" and "all", in any order. */
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
	bool dying = false;
	for (int i = 1; i < argc; i++) {
		asked_for_all |= strcmp(argv[i], "all") == 0;
		dying |= strcmp(argv[i], "dying") == 0;
	}
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		count--;
	return dying ? cmocka_run_group_tests(dying_tests, NULL, NULL) : cmocka_run_group_tests(meeting_tests, NULL, NULL);
}
