/* What is sent to the disk before a sync: each regular file once a round, links and others never, and no more than there is room for. */
#include "../unit.h"
#include "scratch.h"

#include "io/writeback.h"

static unsigned sent, waited;		/* files */

int __wrap_sync_file_range(int fd, off_t offset, off_t length, unsigned flags);
int __wrap_sync_file_range(int fd, off_t offset, off_t length, unsigned flags)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_true(offset == 0 && length == 0);
	assert_true(flags & SYNC_FILE_RANGE_WRITE);
	*(flags & SYNC_FILE_RANGE_WAIT_AFTER ? &waited : &sent) += 1;
	return 0;
}

/* Returns the entries that were looked at. */
static size_t look(int dir, bool wait, size_t room)
{
	size_t left = room;
	sent = waited = 0;
	nc_writeback_tree(dir, wait, &left);
	return room - left;
}

static void each_file_once_a_round(void **state)
{
	struct scratch *scratch = *state;
	put_file(scratch->fd, "a", "a");
	put_file(scratch->fd, "b", "b");
	put_dir(scratch->fd, "dir");
	put_file(scratch->fd, "dir/c", "c");
	put_link(scratch->fd, "link", "a");
	put_link(scratch->fd, "dir/dangling", "nothing");
	assert_int_equal(mkfifoat(scratch->fd, "fifo", 0600), 0);
	assert_int_equal(look(scratch->fd, false, 100), 7);
	assert_true(sent == 3 && waited == 0);
	assert_int_equal(look(scratch->fd, true, 100), 7);
	assert_true(sent == 0 && waited == 3);
}

static void no_more_than_there_is_room_for(void **state)
{
	struct scratch *scratch = *state;
	for (int i = 0; i < 20; i++) {
		char name[20];
		snprintf(name, sizeof name, "file-%d", i);
		put_file(scratch->fd, name, "x");
	}
	assert_int_equal(look(scratch->fd, false, 8), 8);
	assert_int_equal(sent, 8);
	assert_int_equal(look(scratch->fd, true, 0), 0);
	assert_int_equal(waited, 0);
	assert_int_equal(look(scratch->fd, true, 20), 20);
	assert_int_equal(waited, 20);
}

/* Each level holds descriptors, so there is an end; and what is no directory has nothing in it. */
static void not_however_deep(void **state)
{
	struct scratch *scratch = *state;
	char path[100] = "";
	put_file(scratch->fd, "file", "x");
	for (int depth = 1; depth < 40; depth++) {
		strcat(path, *path ? "/d" : "d");
		put_dir(scratch->fd, path);
	}
	strcat(path, "/file");
	put_file(scratch->fd, path, "x");
	size_t looked = look(scratch->fd, false, 1000);
	assert_true(looked > 10 && looked < 30);
	assert_int_equal(sent, 1);
	int file = openat(scratch->fd, "file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(look(file, false, 1000), 0);
	close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_file_once_a_round, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(no_more_than_there_is_room_for, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(not_however_deep, scratch_make, scratch_drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
