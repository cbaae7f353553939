#include "../unit.h"
#include "scratch.h"

#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "io/path.h"

static void removed(int dirfd, const char *name)
{
	struct nacre_error err;
	assert_done(nc_tree_remove(dirfd, name, &err));
	assert_false(is_there(dirfd, name));
}

/* Runs fn in a process of its own, which may change user, limits or mounts. */
static void in_child(void (*fn)(struct scratch *scratch), struct scratch *scratch)
{
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		fn(scratch);
		exit(0);	/* not _exit, for the sake of coverage */
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* In a child, where cmocka's longjmp would lead astray. */
#define check(condition)                                                                       \
	do {                                                                                   \
		if (!(condition)) {                                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);        \
			_exit(1);                                                              \
		}                                                                              \
	} while (0)

static void simple_things(void **state)
{
	struct scratch *scratch = *state;
	int dir = scratch->fd;
	struct nacre_error err;
	assert_done(nc_tree_remove(dir, "missing", &err));
	put_file(dir, "file", "x");
	removed(dir, "file");
	put_dir(dir, "empty");
	removed(dir, "empty");
	put_dir(dir, "kept");
	put_file(dir, "kept/file", "x");
	put_link(dir, "link", "kept");
	removed(dir, "link");
	put_dir(dir, "tree");
	put_link(dir, "tree/out", "../kept");
	put_link(dir, "tree/dangling", "nothing");
	put_dir(dir, "tree/a");
	put_file(dir, "tree/a/\n", "x");
	put_dir(dir, "tree/a/b");
	put_link(dir, "tree/a/b/out", "../../../kept");
	assert_int_equal(mkfifoat(dir, "tree/a/b/fifo", 0), 0);
	assert_int_equal(mknodat(dir, "tree/a/b/socket", S_IFSOCK, 0), 0);
	if (geteuid() == 0)
		assert_int_equal(mknodat(dir, "tree/a/b/device", S_IFCHR, makedev(1, 3)), 0);
	removed(dir, "tree");
	assert_true(is_there(dir, "kept/file"));
	static const char *const wrong[] = { "", ".", "..", "kept/file", "/", "kept/" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(nc_tree_remove(dir, wrong[i], &err), NACRE_E_INVALID);
	assert_true(is_there(dir, "kept/file"));
	char longest[257];
	memset(longest, 'n', 256);
	longest[256] = '\0';
	assert_int_equal(nc_tree_remove(dir, longest, &err), NACRE_E_INVALID);
	put_dir(dir, longest + 1);
	put_file(dir, "file", "x");
	removed(dir, longest + 1);
}

static void wide(void **state)
{
	struct scratch *scratch = *state;
	put_dir(scratch->fd, "wide");
	char name[100];
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof name, "wide/%d", i);
		put_dir(scratch->fd, name);
		for (int k = 0; k < 100; k++) {
			snprintf(name, sizeof name, "wide/%d/%d", i, k);
			put_file(scratch->fd, name, "");
		}
	}
	removed(scratch->fd, "wide");
}

/* A chain of directories, each with a file, a side branch and the rest of the chain. */
static void put_chain(int dirfd, const char *name, int levels, mode_t mode)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < levels; i++) {
		check(mkdirat(fd, name, 0700) == 0);
		int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		check(next >= 0);
		check(i % 10 || mkdirat(next, "side", mode) == 0);
		check(i % 10 || mknodat(next, "file", S_IFREG | mode, 0) == 0);
		check(i == 0 || fchmod(fd, mode) == 0);
		close(fd);
		fd = next;
	}
	close(fd);
}

static void limit_descriptors(void)
{
	struct rlimit tight;
	check(getrlimit(RLIMIT_NOFILE, &tight) == 0);
	tight.rlim_cur = 64;
	check(setrlimit(RLIMIT_NOFILE, &tight) == 0);
}

static void remove_deep(struct scratch *scratch)
{
	limit_descriptors();
	put_chain(scratch->fd, "d", 10000, 0755);
	struct nacre_error err;
	check(nc_tree_remove(scratch->fd, "d", &err) == 0);
	check(!is_there(scratch->fd, "d"));
	/* names that are as long as names may be */
	char longest[256];
	memset(longest, 'n', 255);
	longest[255] = '\0';
	put_chain(scratch->fd, longest, 300, 0755);
	check(nc_tree_remove(scratch->fd, longest, &err) == 0);
	check(!is_there(scratch->fd, longest));
}

static void deep(void **state)
{
	in_child(remove_deep, *state);
}

static void become_nobody(struct scratch *scratch)
{
	if (geteuid() != 0)
		return;
	check(fchown(scratch->fd, 65534, 65534) == 0);
	check(setgid(65534) == 0 && setuid(65534) == 0);
}

static void remove_locked(struct scratch *scratch)
{
	become_nobody(scratch);
	limit_descriptors();
	static const mode_t modes[] = { 0000, 0100, 0200, 0400, 0500, 0600 };
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		struct nacre_error err;
		put_chain(scratch->fd, "d", 100, modes[i]);
		if (nc_tree_remove(scratch->fd, "d", &err) < 0) {
			fprintf(stderr, "%#o: %s\n", (unsigned)modes[i], err.msg);
			_exit(1);
		}
		check(!is_there(scratch->fd, "d"));
	}
}

static void without_permissions(void **state)
{
	in_child(remove_locked, *state);
}

static void remove_foreign(struct scratch *scratch)
{
	check(mkdirat(scratch->fd, "tree", 0777) == 0);
	check(mkdirat(scratch->fd, "tree/a", 0755) == 0);
	check(mknodat(scratch->fd, "tree/a/theirs", S_IFREG | 0600, 0) == 0);
	check(fchownat(scratch->fd, "tree", 65534, 65534, 0) == 0);
	become_nobody(scratch);
	struct nacre_error err;
	check(nc_tree_remove(scratch->fd, "tree", &err) == NACRE_E_DENIED);
	check(strcmp(err.msg, "remove 'tree/a/theirs': Permission denied") == 0);
	check(is_there(scratch->fd, "tree/a/theirs"));
}

static void what_belongs_to_others(void **state)
{
	if (geteuid() != 0)
		skip();
	in_child(remove_foreign, *state);
}

static void immutable(void **state)
{
	struct scratch *scratch = *state;
	put_dir(scratch->fd, "tree");
	put_dir(scratch->fd, "tree/a");
	put_file(scratch->fd, "tree/a/fixed", "x");
	int fd = openat(scratch->fd, "tree/a/fixed", O_RDONLY | O_CLOEXEC);
	long flags = 0;	/* as wide as the request claims */
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		flags = -1;
	long fixed = flags | FS_IMMUTABLE_FL;
	if (flags < 0 || ioctl(fd, FS_IOC_SETFLAGS, &fixed) < 0) {
		close(fd);
		skip();
	}
	struct nacre_error err;
	int code = nc_tree_remove(scratch->fd, "tree", &err);
	ioctl(fd, FS_IOC_SETFLAGS, &flags);
	close(fd);
	assert_int_equal(code, NACRE_E_DENIED);
	assert_string_equal(err.msg, "remove 'tree/a/fixed': Operation not permitted");
	removed(scratch->fd, "tree");
}

static void remove_mounted(struct scratch *scratch)
{
	check(unshare(CLONE_NEWNS) == 0 && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0);
	/* anew: the old descriptor leads to the mounts outside */
	check(chdir(scratch->path) == 0);
	close(scratch->fd);
	scratch->fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(mkdirat(scratch->fd, "kept", 0755) == 0);
	check(mknodat(scratch->fd, "kept/file", S_IFREG | 0600, 0) == 0);
	check(mkdirat(scratch->fd, "tree", 0755) == 0);
	check(mkdirat(scratch->fd, "tree/a", 0755) == 0);
	check(mkdirat(scratch->fd, "tree/a/point", 0755) == 0);
	struct nacre_error err;
	/* a bind mount of the same file system: its device number tells nothing */
	check(mount("kept", "tree/a/point", "none", MS_BIND, NULL) == 0);
	check(nc_tree_remove(scratch->fd, "tree", &err) == NACRE_E_IO);
	check(strcmp(err.msg, "remove 'tree/a/point': Device or resource busy") == 0);
	check(is_there(scratch->fd, "kept/file"));
	check(umount("tree/a/point") == 0);
	check(mount("none", "tree/a/point", "tmpfs", 0, NULL) == 0);
	check(mknod("tree/a/point/file", S_IFREG | 0600, 0) == 0);
	check(nc_tree_remove(scratch->fd, "tree", &err) == NACRE_E_IO);
	check(is_there(scratch->fd, "tree/a/point/file"));
	check(umount("tree/a/point") == 0);
	/* on the name itself */
	check(mount("kept", "tree", "none", MS_BIND, NULL) == 0);
	check(nc_tree_remove(scratch->fd, "tree", &err) == NACRE_E_IO);
	check(strcmp(err.msg, "remove 'tree': Device or resource busy") == 0);
	check(umount("tree") == 0);
	check(is_there(scratch->fd, "kept/file"));
	/* a file that is a mount point */
	check(mknodat(scratch->fd, "tree/a/point/file", S_IFREG | 0600, 0) == 0);
	check(mount("kept/file", "tree/a/point/file", "none", MS_BIND, NULL) == 0);
	check(nc_tree_remove(scratch->fd, "tree", &err) == NACRE_E_IO);
	check(strcmp(err.msg, "remove 'tree/a/point/file': Device or resource busy") == 0);
	check(umount("tree/a/point/file") == 0);
	check(nc_tree_remove(scratch->fd, "tree", &err) == 0);
	check(!is_there(scratch->fd, "tree"));
	check(is_there(scratch->fd, "kept/file"));
}

static void mounts(void **state)
{
	if (geteuid() != 0)
		skip();
	in_child(remove_mounted, *state);
}

/* Several processes at the same tree, deeper than what is held open: all of them are done in the end. */
static void together(void **state)
{
	struct scratch *scratch = *state;
	for (int round = 0; round < 8; round++) {
		put_chain(scratch->fd, "d", 120, 0755);
		for (int i = 0; i < 4; i++) {
			if (fork() == 0) {
				struct nacre_error err;
				if (nc_tree_remove(scratch->fd, "d", &err) < 0) {
					fprintf(stderr, "%s\n", err.msg);
					_exit(1);
				}
				_exit(0);
			}
		}
		int status;
		while (wait(&status) > 0)
			assert_int_equal(status, 0);
		assert_false(is_there(scratch->fd, "d"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(simple_things, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(wide, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(deep, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(without_permissions, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(what_belongs_to_others, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(immutable, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(mounts, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(together, scratch_make, scratch_drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
