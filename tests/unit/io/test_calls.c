/* Stages and the walk of paths where each system call fails once, and where others are at the same directory between two calls:
 * what is told is why, no stage of the living is harmed, and what is left over the next sweep takes. */
#include "../unit.h"
#include "../calls.h"
#include "scratch.h"

#include "io/fd.h"
#include "io/lock.h"
#include "io/path.h"
#include "io/stage.h"

#define DEAD "0123456789abcdef0123456789abcdef"
#define OTHER "ffffffffffffffffffffffffffffffff"

static long countdown;			/* the call that brings it to 0 fails; 0: none does */
static void (*instead)(void);		/* what another does before that call, which then goes well */
static int with;			/* so it fails, and so do the next ones like it, as often as */
static long again;
static enum call failed;
static void (*rival)(void);		/* what another does before the next call of this kind, once */
static enum call before;
static int scratch_fd;

static int fate(enum call call, const char *name)
{
	if (rival && call == before) {
		void (*act)(void) = rival;
		rival = NULL;
		act();
	}
	if (countdown > 0 && --countdown == 0) {
		if (instead)
			instead();
		if (instead)
			return 0;
		failed = call;
		return with;
	}
	return countdown == 0 && again > 0 && call == failed && again-- > 0 ? with : 0;
}

static void in_peace(void)
{
	countdown = again = 0;
	rival = instead = NULL;
}

static int set_up(void **state)
{
	int code = scratch_make(state);
	in_peace();
	scratch_fd = ((struct scratch *)*state)->fd;
	return code;
}

static int open_descriptors(void)
{
	int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = count_entries(fd);
	close(fd);
	return count;
}

/* --- stages: each call fails ------------------------------------------------------------------------------------ */

/* A stage that was made although a call failed is a whole one, under another name. */
static void assert_usable(struct nc_stage *stage)
{
	struct nacre_error err;
	assert_done(nc_file_create(stage->dir, "file", "x", 1, &err));
	nc_stage_sweep(scratch_fd, NULL);
	assert_true(is_there(stage->dir, "file"));
	nc_stage_free(stage);
}

static void making_fails(void **state)
{
	int descriptors = open_descriptors();
	bool through = false, failures = false;
	for (long at = 1; !through; at++) {
		struct nacre_error err;
		struct nc_stage *stage = NULL;
		countdown = at;
		with = EIO;
		int code = nc_stage_new(scratch_fd, &stage, &err);
		through = countdown > 0;
		in_peace();
		failures |= code < 0;
		if (code < 0) {
			assert_int_equal(code, NACRE_E_IO);
			assert_non_null(strstr(err.msg, strerror(EIO)));
			assert_null(stage);
		} else {
			assert_usable(stage);
		}
		assert_true(nc_stage_sweep(scratch_fd, &err) >= 0);
		assert_int_equal(count_entries(scratch_fd), 0);
		assert_int_equal(open_descriptors(), descriptors);
	}
	assert_true(failures);
}

/* Nothing goes but what is dead; what could not be removed now is removed the next time. */
static void sweeping_fails(void **state)
{
	struct nacre_error err;
	struct nc_stage *living = NULL;
	assert_done(nc_stage_new(scratch_fd, &living, &err));
	int descriptors = open_descriptors();
	bool through = false, failures = false;
	for (long at = 2; !through; at++) {
		bool owned = at % 2;
		put_dir(scratch_fd, DEAD);
		if (owned)
			put_file(scratch_fd, DEAD "/owner", "");
		put_dir(scratch_fd, DEAD "/tree");
		put_file(scratch_fd, DEAD "/tree/file", "");
		countdown = at / 2;
		with = EIO;
		int code = nc_stage_sweep(scratch_fd, &err);
		through = countdown > 0 && owned;
		in_peace();
		failures |= code < 0;
		if (code < 0) {
			assert_int_equal(code, NACRE_E_IO);
			assert_non_null(strstr(err.msg, strerror(EIO)));
		}
		assert_true(is_there(scratch_fd, living->name));
		assert_true(is_there(living->dir, "owner"));
		assert_true(nc_stage_sweep(scratch_fd, &err) >= 0);
		assert_int_equal(count_entries(scratch_fd), 1);
		assert_int_equal(open_descriptors(), descriptors);
	}
	assert_true(failures);
	nc_stage_free(living);
}

/* Of several failures the first is told. */
static void the_first_failure_is_told(void **state)
{
	struct nacre_error err;
	char names[2][33];
	put_file(scratch_fd, DEAD, "");
	put_file(scratch_fd, OTHER, "");
	put_dir(scratch_fd, "00000000000000000000000000000000");
	assert_int_equal(nc_stage_sweep(scratch_fd, &err), NACRE_E_IO);
	assert_int_equal(sscanf(err.msg, "sweep stage '%32[0-9a-f]': open directory '%32[0-9a-f]'", names[0], names[1]), 2);
	assert_string_equal(names[0], names[1]);
	assert_int_equal(count_entries(scratch_fd), 2);
}

/* --- stages: others are there too ------------------------------------------------------------------------------- */

static char stage_name[64];		/* of the one that is there, whatever its name */

static int note_name(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	snprintf(stage_name, sizeof stage_name, "%s", name);
	return 0;
}

static void remove_whole(void)
{
	struct nacre_error err;
	assert_done(nc_dir_each(scratch_fd, note_name, NULL, &err));
	assert_int_equal(unlinkat(scratch_fd, stage_name, AT_REMOVEDIR), 0);
}

static int rival_lock = -1;

/* A sweeper that made "owner" itself, or took its lock first. */
static void own(void)
{
	struct nacre_error err;
	char path[80];
	assert_done(nc_dir_each(scratch_fd, note_name, NULL, &err));
	snprintf(path, sizeof path, "%s/owner", stage_name);
	rival_lock = openat(scratch_fd, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_done(nc_lock_take(rival_lock, NC_LOCK_EXCLUSIVE, 0, 0, false, &err));
}

/* One that has begun to take it away. */
static void disown(void)
{
	struct nacre_error err;
	assert_done(nc_dir_each(scratch_fd, note_name, NULL, &err));
	snprintf(stage_name + strlen(stage_name), sizeof stage_name - strlen(stage_name), "/owner");
	assert_int_equal(unlinkat(scratch_fd, stage_name, 0), 0);
}

/* One that is nearly through, or the last owner. */
static void empty_it(void)
{
	char empty[80];
	struct nacre_error err;
	assert_done(nc_dir_each(scratch_fd, note_name, NULL, &err));
	snprintf(empty, sizeof empty, "%s.empty", stage_name);
	assert_int_equal(syscall(SYS_renameat2, scratch_fd, stage_name, scratch_fd, empty, 0), 0);
}

static void (*open_next)(void);

static void before_the_next_open(void)
{
	rival = open_next;
	before = CALL_OPEN;
}

struct win {
	void (*act)(void);
	enum call before;
	bool after_one_open;
};

static void await(const struct win *win)
{
	open_next = win->act;
	rival = win->after_one_open ? before_the_next_open : win->act;
	before = win->before;
}

/* The maker begins again under another name, wherever between its calls a sweeper won. */
static void a_sweeper_wins(void **state)
{
	static const struct win wins[] = {
		{ remove_whole, CALL_OPEN, false },
		{ own, CALL_OPEN, true },
		{ own, CALL_LOCK, false },
		{ disown, CALL_LOCK, false },
	};
	for (size_t i = 0; i < sizeof wins / sizeof *wins; i++) {
		struct nacre_error err;
		struct nc_stage *stage = NULL;
		await(&wins[i]);
		assert_done(nc_stage_new(scratch_fd, &stage, &err));
		assert_null(rival);
		assert_memory_not_equal(stage->name, stage_name, 32);
		assert_usable(stage);
		nc_fd_release(&rival_lock);
		assert_true(nc_stage_sweep(scratch_fd, &err) >= 0);
		assert_int_equal(count_entries(scratch_fd), 0);
	}
}

static void a_sweeper_wins_each_time(void **state)
{
	struct nacre_error err;
	struct nc_stage *stage = NULL;
	countdown = 2;			/* behind the random name */
	with = EEXIST;
	again = 999;
	assert_int_equal(nc_stage_new(scratch_fd, &stage, &err), NACRE_E_BUSY);
	assert_string_equal(err.msg, "make a stage: each of 1000 was swept at once");
	assert_int_equal(failed, CALL_MKDIR);
	countdown = 2;
	again = 998;
	assert_done(nc_stage_new(scratch_fd, &stage, &err));
	in_peace();
	assert_usable(stage);
}

/* Two sweepers at one stage: the second passes by, and tells no failure. */
static void another_sweeper_is_faster(void **state)
{
	static const struct win wins[] = {
		{ remove_whole, CALL_OPEN, true },
		{ empty_it, CALL_OPEN, true },
		{ empty_it, CALL_LOCK, false },
		{ own, CALL_LOCK, false },
		{ disown, CALL_LOCK, false },
	};
	for (size_t i = 0; i < sizeof wins / sizeof *wins; i++) {
		struct nacre_error err;
		put_dir(scratch_fd, DEAD);
		await(&wins[i]);
		assert_int_equal(nc_stage_sweep(scratch_fd, &err), 0);
		assert_null(rival);
		nc_fd_release(&rival_lock);
		nc_stage_sweep(scratch_fd, NULL);
		assert_int_equal(count_entries(scratch_fd), 0);
	}
}

static int assert_no_left(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	assert_false(nc_stage_is_left(scratch_fd, name));
	return 0;
}

static void look_on(void)
{
	assert_int_equal(nc_dir_each(scratch_fd, assert_no_left, NULL, NULL), 0);
}

static void sweep_all(void)
{
	assert_true(nc_stage_sweep(scratch_fd, NULL) >= 0);
}

static void make_and_free(void)
{
	struct nacre_error err;
	struct nc_stage *stage = NULL;
	assert_done(nc_stage_new(scratch_fd, &stage, &err));
	put_file(stage->dir, "file", "x");
	assert_true(is_there(stage->dir, "file"));
	nc_stage_free(stage);
}

static void put_dead(void)
{
	put_dir(scratch_fd, DEAD);
	put_file(scratch_fd, DEAD "/owner", "");
	put_file(scratch_fd, DEAD "/file", "");
}

/* Whoever comes by before any of the calls, and is through at once, neither disturbs nor is misled, and nothing is left. */
static void others_come_by(void **state)
{
	static const struct {
		void (*prepare)(void), (*work)(void), (*other)(void);
	} meetings[] = { { NULL, make_and_free, look_on }, { NULL, make_and_free, sweep_all }, { put_dead, sweep_all, sweep_all } };
	for (size_t i = 0; i < sizeof meetings / sizeof *meetings; i++) {
		bool met = true;
		for (long at = 1; met; at++) {
			if (meetings[i].prepare)
				meetings[i].prepare();
			instead = meetings[i].other;
			countdown = at;
			meetings[i].work();
			met = countdown == 0;
			in_peace();
			assert_int_equal(count_entries(scratch_fd), 0);
			assert_true(met || at > 8);
		}
	}
}

/* --- the walk --------------------------------------------------------------------------------------------------- */

static void make_paths(void)
{
	put_dir(scratch_fd, "dir");
	put_dir(scratch_fd, "dir/sub");
	put_file(scratch_fd, "dir/file", "it");
	put_link(scratch_fd, "dir/sub/winding", "../../dir/./sub/../file");
}

/* The failure is the answer, whichever call it was, and no descriptor stays open. */
static void walking_fails(void **state)
{
	make_paths();
	int descriptors = open_descriptors(), fd = -EIO;
	long at = 0;
	while (fd == -EIO) {
		countdown = ++at;
		with = EIO;
		fd = nc_path_open(scratch_fd, "dir/sub/winding", O_RDONLY, NC_PATH_NO_OPENAT2);
		if (fd < 0)
			assert_int_equal(open_descriptors(), descriptors);
	}
	assert_true(fd >= 0);
	assert_true(countdown > 0);
	assert_true(at > 15);
	in_peace();
	close(fd);
}

/* What disturbs openat2 for a moment is no answer; the walk is asked where that goes on. */
static void openat2_is_disturbed(void **state)
{
	static const struct {
		int error;
		long times;
	} disturbances[] = { { EINTR, 1 }, { EINTR, 100 }, { EAGAIN, 1 }, { EAGAIN, 63 }, { EAGAIN, 64 } };
	make_paths();
	for (size_t i = 0; i < sizeof disturbances / sizeof *disturbances; i++) {
		char got[3] = "";
		countdown = 1;
		with = disturbances[i].error;
		again = disturbances[i].times - 1;
		int fd = nc_path_open(scratch_fd, "dir/sub/winding", O_RDONLY, 0);
		in_peace();
		assert_true(fd >= 0);
		assert_int_equal(read(fd, got, 2), 2);
		assert_string_equal(got, "it");
		close(fd);
		countdown = 1;
		again = disturbances[i].times - 1;
		assert_int_equal(nc_path_open(scratch_fd, "dir/../..", O_RDONLY, 0), -EXDEV);
		in_peace();
	}
	countdown = 1;
	with = EIO;
	assert_int_equal(nc_path_open(scratch_fd, "dir/file", O_RDONLY, 0), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(making_fails, set_up, scratch_drop),
		cmocka_unit_test_setup_teardown(sweeping_fails, set_up, scratch_drop),
		cmocka_unit_test_setup_teardown(the_first_failure_is_told, set_up, scratch_drop),
		cmocka_unit_test_setup_teardown(a_sweeper_wins, set_up, scratch_drop),
		cmocka_unit_test_setup_teardown(a_sweeper_wins_each_time, set_up, scratch_drop),
		cmocka_unit_test_setup_teardown(another_sweeper_is_faster, set_up, scratch_drop),
		cmocka_unit_test_setup_teardown(others_come_by, set_up, scratch_drop),
		cmocka_unit_test_setup_teardown(walking_fails, set_up, scratch_drop),
		cmocka_unit_test_setup_teardown(openat2_is_disturbed, set_up, scratch_drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
