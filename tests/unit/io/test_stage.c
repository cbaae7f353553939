#include "../unit.h"
#include "scratch.h"

#include <signal.h>
#include <sys/wait.h>

#include "io/fd.h"
#include "io/lock.h"
#include "io/stage.h"

#define DEAD "0123456789abcdef0123456789abcdef"
#define DEAD2 "00000000000000000000000000000000"

static void life(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	struct nc_stage *stage = NULL;
	struct stat st, named;
	assert_done(nc_stage_new(scratch->fd, &stage, &err));
	assert_int_equal(strlen(stage->name), 32);
	assert_int_equal(strspn(stage->name, "0123456789abcdef"), 32);
	assert_int_equal(fstat(stage->dir, &st), 0);
	assert_int_equal(fstatat(scratch->fd, stage->name, &named, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_ino, named.st_ino);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	put_dir(stage->dir, "layer");
	put_file(stage->dir, "layer/file", "x");
	put_dir(stage->dir, "done");
	/* a sweep leaves what is owned, in this process too */
	assert_int_equal(nc_stage_sweep(scratch->fd, &err), 0);
	assert_true(is_there(stage->dir, "layer/file"));
	assert_int_equal(renameat(stage->dir, "done", scratch->fd, "done"), 0);
	nc_stage_free(stage);
	assert_int_equal(count_entries(scratch->fd), 1);
	assert_true(is_there(scratch->fd, "done"));
	nc_stage_free(NULL);
	assert_int_equal(nc_stage_new(-1, &stage, &err), NACRE_E_IO);
	assert_int_equal(nc_stage_sweep(-1, &err), NACRE_E_IO);
}

/* A maker that was killed after each of its steps. */
static void sweeps_the_dead(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	put_dir(scratch->fd, DEAD ".empty");
	assert_false(nc_stage_is_left(scratch->fd, DEAD ".empty"));
	assert_int_equal(nc_stage_sweep(scratch->fd, &err), 1);
	put_dir(scratch->fd, DEAD ".empty");
	put_file(scratch->fd, DEAD ".empty/owner", "");
	assert_int_equal(nc_stage_sweep(scratch->fd, &err), 1);
	put_dir(scratch->fd, DEAD);
	put_file(scratch->fd, DEAD "/owner", "");
	assert_true(nc_stage_is_left(scratch->fd, DEAD));
	assert_int_equal(nc_stage_sweep(scratch->fd, &err), 1);
	/* what a power cut may make of it */
	put_dir(scratch->fd, DEAD ".empty");
	put_file(scratch->fd, DEAD ".empty/file", "");
	put_dir(scratch->fd, DEAD);
	put_dir(scratch->fd, DEAD "/tree");
	assert_true(nc_stage_is_left(scratch->fd, DEAD));
	put_file(scratch->fd, DEAD "/tree/file", "");
	put_dir(scratch->fd, DEAD2);
	assert_int_equal(nc_stage_sweep(scratch->fd, &err), 3);
	assert_int_equal(count_entries(scratch->fd), 0);
	if (fork() == 0) {
		struct nc_stage *stage;
		if (nc_stage_new(scratch->fd, &stage, NULL) == 0)
			put_file(stage->dir, "file", "x");
		_exit(0);
	}
	int status;
	wait(&status);
	assert_int_equal(count_entries(scratch->fd), 1);
	assert_int_equal(nc_stage_sweep(scratch->fd, &err), 1);
	assert_int_equal(count_entries(scratch->fd), 0);
}

static void leaves_everything_else(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	put_dir(scratch->fd, "outside");
	put_file(scratch->fd, "outside/file", "");
	put_dir(scratch->fd, "names");
	int names = openat(scratch->fd, "names", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put_dir(names, "0123456789abcdef0123456789abcde");
	put_dir(names, "0123456789abcdef0123456789abcdef0");
	put_dir(names, "0123456789ABCDEF0123456789abcdef");
	put_dir(names, "0123456789abcdef0123456789abcdef.empt");
	put_dir(names, "other");
	put_file(names, "file", "");
	assert_int_equal(nc_stage_sweep(names, &err), 0);
	assert_int_equal(count_entries(names), 6);
	/* a link with the name of a stage is not followed, and is a failure */
	put_link(names, DEAD, "../outside");
	assert_true(nc_stage_sweep(names, &err) < 0);
	assert_non_null(strstr(err.msg, "sweep stage '" DEAD "'"));
	assert_true(is_there(scratch->fd, "outside/file"));
	assert_false(is_there(scratch->fd, "outside/owner"));
	/* nor is a link as owner: it could name what another holds, or make a file elsewhere */
	assert_int_equal(unlinkat(names, DEAD, 0), 0);
	put_dir(names, DEAD);
	put_link(names, DEAD "/owner", "../../outside/made");
	assert_true(nc_stage_sweep(names, &err) < 0);
	assert_false(is_there(scratch->fd, "outside/made"));
	close(names);
}

/* One stage that cannot be removed does not save the others. */
static void goes_on_after_a_failure(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	put_file(scratch->fd, DEAD, "a file where a directory should be");
	put_dir(scratch->fd, DEAD2);
	put_dir(scratch->fd, "ffffffffffffffffffffffffffffffff");
	assert_int_equal(nc_stage_sweep(scratch->fd, &err), NACRE_E_IO);
	assert_string_equal(err.msg, "sweep stage '" DEAD "': open directory '" DEAD "': Not a directory");
	assert_int_equal(count_entries(scratch->fd), 1);
	assert_int_equal(nc_stage_sweep(scratch->fd, NULL), NACRE_E_IO);
}

/* A sweeper holds a stage: its maker of the same name has lost, and another sweeper passes by. */
static void locked_by_another(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	put_dir(scratch->fd, DEAD);
	put_file(scratch->fd, DEAD "/owner", "");
	int owner = openat(scratch->fd, DEAD "/owner", O_RDWR | O_CLOEXEC);
	assert_done(nc_lock_take(owner, NC_LOCK_EXCLUSIVE, 0, 0, false, &err));
	assert_int_equal(nc_stage_sweep(scratch->fd, &err), 0);
	assert_true(is_there(scratch->fd, DEAD "/owner"));
	close(owner);
	assert_int_equal(nc_stage_sweep(scratch->fd, &err), 1);
}

static int look(void *ctx, int dir, struct nacre_error *err)
{
	++*(int *)ctx;
	if (is_there(dir, "keep"))
		return 1;
	return is_there(dir, "broken") ? nc_fail(err, NACRE_E_CORRUPT, 0, "it is broken") : 0;
}

/* The heir decides, and is asked about the dead alone. */
static void heirs(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	struct nc_stage *stage = NULL;
	int looks = 0;
	assert_done(nc_stage_new(scratch->fd, &stage, &err));
	put_dir(scratch->fd, DEAD);
	put_dir(scratch->fd, DEAD "/keep");
	put_dir(scratch->fd, DEAD2);
	assert_int_equal(nc_stage_sweep_with(scratch->fd, look, &looks, &err), 1);
	assert_int_equal(looks, 2);
	assert_true(is_there(scratch->fd, DEAD "/keep"));
	assert_false(is_there(scratch->fd, DEAD2));
	put_dir(scratch->fd, DEAD2);
	put_dir(scratch->fd, DEAD2 "/broken");
	assert_int_equal(nc_stage_sweep_with(scratch->fd, look, &looks, &err), NACRE_E_CORRUPT);
	assert_string_equal(err.msg, "sweep stage '" DEAD2 "': it is broken");
	assert_true(is_there(scratch->fd, DEAD2 "/broken"));
	assert_int_equal(nc_stage_sweep(scratch->fd, &err), 2);
	nc_stage_free(stage);
	assert_int_equal(count_entries(scratch->fd), 0);
}

static int make_stages(int parent, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		struct nacre_error err;
		struct nc_stage *stage;
		if (nc_stage_new(parent, &stage, &err) < 0) {
			fprintf(stderr, "%s\n", err.msg);
			return 1;
		}
		if (mkdirat(stage->dir, "tree", 0700) < 0 ||
		    nc_file_create(stage->dir, "tree/file", "x", 1, &err) < 0) {
			fprintf(stderr, "a living stage lost its directory\n");
			return 2;
		}
		if (i % 3 == 0)
			usleep(200);
		struct stat a, b;
		if (!is_there(stage->dir, "tree/file") || fstat(stage->dir, &a) < 0 ||
		    fstatat(parent, stage->name, &b, 0) < 0 || a.st_ino != b.st_ino) {
			fprintf(stderr, "a living stage was swept\n");
			return 3;
		}
		if (i % 50 == 49)
			_exit(0);	/* dies with its stage; the last round */
		nc_stage_free(stage);
	}
	return 0;
}

/* Makers and sweepers all at once. No living stage may be harmed, and at the end nothing may be left. */
static void many_processes(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	pid_t sweepers[3];
	for (int i = 0; i < 3; i++) {
		sweepers[i] = fork();
		if (sweepers[i] == 0) {
			for (;;)
				if (nc_stage_sweep(scratch->fd, &err) < 0) {
					fprintf(stderr, "%s\n", err.msg);
					_exit(1);
				}
		}
	}
	int bad = 0, status;
	for (int generation = 0; generation < 10; generation++) {
		pid_t makers[4];
		for (int i = 0; i < 4; i++) {
			makers[i] = fork();
			if (makers[i] == 0)
				_exit(make_stages(scratch->fd, 50));
		}
		for (int i = 0; i < 4; i++) {
			waitpid(makers[i], &status, 0);
			bad |= status;
		}
	}
	for (int i = 0; i < 3; i++) {
		kill(sweepers[i], SIGKILL);
		waitpid(sweepers[i], &status, 0);
		bad |= WIFEXITED(status);	/* none ended by itself */
	}
	assert_int_equal(bad, 0);
	assert_true(nc_stage_sweep(scratch->fd, &err) >= 0);
	assert_int_equal(count_entries(scratch->fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(life, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(sweeps_the_dead, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(leaves_everything_else, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(goes_on_after_a_failure, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(locked_by_another, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(heirs, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(many_processes, scratch_make, scratch_drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
