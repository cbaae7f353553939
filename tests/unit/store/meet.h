/* Two processes at one store: the second does its work, or as much as the first lets it, before a call of the first. For programs
 * that are linked with --wrap for the calls of calls.h. */
#ifndef NC_TESTS_MEET_H
#define NC_TESTS_MEET_H

#include "fixture.h"
#include "../calls.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>

#define LOOK_NS 100000

static long countdown;			/* at the call that brings it to 0 the second comes, or the process dies */
static bool mortal, all;		/* all: calls count */
static bool asked_for_all, asked_for_dying;
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

/* --- how they meet ---------------------------------------------------------------------------------------------- */

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

static void begin_anew(void)
{
	assert_true(umount2(mount_point, MNT_DETACH) == 0 || errno == EINVAL || errno == EPERM);
	copy(meeting.fixture, "before", "store");
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
static void begin(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		asked_for_all |= strcmp(argv[i], "all") == 0;
		asked_for_dying |= strcmp(argv[i], "dying") == 0;
	}
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		count--;
}

#endif
