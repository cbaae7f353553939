/* The layer that mounts are laid over. */
#include "fixture.h"

struct place {
	char path[200];
	int fd;
};

static int set_up_place(void **state)
{
	struct place *place = calloc(1, sizeof *place);
	strcpy(place->path, "/tmp/nacre-init-XXXXXX");
	if (!mkdtemp(place->path))
		return -1;
	int top = open(place->path, O_RDONLY | O_DIRECTORY);
	if (mkdirat(top, "layer", 0755) < 0 || mkdirat(top, "outside", 0755) < 0)
		return -1;
	place->fd = openat(top, "layer", O_RDONLY | O_DIRECTORY);
	close(top);
	*state = place;
	return 0;
}

static int tear_down_place(void **state)
{
	struct place *place = *state;
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY);
	int code = nc_tree_remove(tmp, place->path + strlen("/tmp/"), &err);
	close(tmp);
	close(place->fd);
	free(place);
	return code;
}

static void assert_skeleton(const struct place *place)
{
	static const char *const dirs[] = { "dev", "dev/pts", "dev/shm", "etc", "proc", "sys" };
	static const char *const files[] = { ".dockerenv", ".dockerinit", "dev/console", "etc/hostname", "etc/hosts",
					     "etc/resolv.conf" };
	struct stat st;
	char target[32] = "";
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		assert_int_equal(fstatat(place->fd, dirs[i], &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_mode, S_IFDIR | 0755);
	}
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		assert_int_equal(fstatat(place->fd, files[i], &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_mode, S_IFREG | 0755);
		assert_int_equal(st.st_size, 0);
	}
	assert_int_equal(readlinkat(place->fd, "etc/mtab", target, sizeof target - 1), strlen("/proc/mounts"));
	assert_string_equal(target, "/proc/mounts");
}

static void a_bare_directory_becomes_one(void **state)
{
	struct place *place = *state;
	mode_t mask = umask(077);
	assert_done(nacre_init_layer(place->fd, &err));
	umask(mask);
	assert_skeleton(place);
}

static void again_changes_nothing(void **state)
{
	struct place *place = *state;
	struct stat before, after;
	assert_done(nacre_init_layer(place->fd, &err));
	assert_int_equal(fstatat(place->fd, "etc/hosts", &before, 0), 0);
	assert_int_equal(mkdirat(place->fd, "etc/extra", 0700), 0);
	assert_done(nacre_init_layer(place->fd, &err));
	assert_int_equal(fstatat(place->fd, "etc/hosts", &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_true(before.st_ctim.tv_sec == after.st_ctim.tv_sec && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
	assert_int_equal(fstatat(place->fd, "etc/extra", &after, 0), 0);
	assert_skeleton(place);
}

/* Links that were planted lead nowhere. */
static void no_link_is_followed(void **state)
{
	struct place *place = *state;
	static const char *const links[] = { "dev", "etc", "proc", "sys", ".dockerenv" };
	int outside = openat(place->fd, "../outside", O_RDONLY | O_DIRECTORY);
	size_t count = 0;
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		assert_int_equal(symlinkat("../outside", place->fd, links[i]), 0);
	assert_done(nacre_init_layer(place->fd, &err));
	assert_done(nc_dir_each(outside, count_name, &count, &err));
	assert_int_equal(count, 0);
	assert_skeleton(place);
	/* one level deeper, and to files */
	int victim = openat(outside, "victim", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(victim, "precious", 8), 8);
	close(victim);
	assert_int_equal(unlinkat(place->fd, "dev/pts", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("../../outside", place->fd, "dev/pts"), 0);
	assert_int_equal(unlinkat(place->fd, "etc/hosts", 0), 0);
	assert_int_equal(symlinkat("../../outside/victim", place->fd, "etc/hosts"), 0);
	assert_int_equal(unlinkat(place->fd, "etc/hostname", 0), 0);
	assert_int_equal(linkat(outside, "victim", place->fd, "etc/hostname", 0), 0);
	assert_int_equal(unlinkat(place->fd, "etc/mtab", 0), 0);
	assert_int_equal(symlinkat("../../outside/mtab", place->fd, "etc/mtab"), 0);
	assert_done(nacre_init_layer(place->fd, &err));
	assert_skeleton(place);
	struct stat st;
	assert_int_equal(fstatat(outside, "victim", &st, 0), 0);
	assert_true(st.st_size == 8 && st.st_nlink == 1 && (st.st_mode & 0777) == 0600);
	assert_int_equal(fstatat(outside, "mtab", &st, AT_SYMLINK_NOFOLLOW), -1);
	close(outside);
}

static void files_make_way_and_directories_stay(void **state)
{
	struct place *place = *state;
	struct stat st;
	close(openat(place->fd, "dev", O_WRONLY | O_CREAT, 0644));
	assert_int_equal(mkdirat(place->fd, "etc", 0700), 0);
	assert_int_equal(mkdirat(place->fd, "etc/hosts", 0700), 0);
	assert_done(nacre_init_layer(place->fd, &err));
	assert_int_equal(fstatat(place->fd, "dev/console", &st, 0), 0);
	assert_int_equal(fstatat(place->fd, "etc/hosts", &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(fstatat(place->fd, "etc", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	int file = openat(place->fd, "dev/console", O_RDONLY);
	assert_int_equal(nacre_init_layer(file, &err), NACRE_E_INVALID);
	close(file);
	assert_true(nacre_init_layer(-1, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_bare_directory_becomes_one, set_up_place, tear_down_place),
		cmocka_unit_test_setup_teardown(again_changes_nothing, set_up_place, tear_down_place),
		cmocka_unit_test_setup_teardown(no_link_is_followed, set_up_place, tear_down_place),
		cmocka_unit_test_setup_teardown(files_make_way_and_directories_stay, set_up_place, tear_down_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
