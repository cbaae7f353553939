#include "../unit.h"
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "io/fd.h"

static unsigned entries(int dirfd)
{
	struct nacre_error err;
	unsigned count = 0;
	int fd = -1;
	assert_done(nc_dir_open(dirfd, ".", &fd, &err));
	DIR *dir = fdopendir(fd);
	for (struct dirent *entry; (entry = readdir(dir));)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return count;
}

static void release_keeps_errno(void **state)
{
	int fd = dup(0);
	int given = fd;
	errno = EXDEV;
	nc_fd_release(&fd);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(given, F_GETFD), -1);
	errno = EXDEV;
	nc_fd_release(&fd);
	assert_int_equal(errno, EXDEV);
	int kept = dup(0);
	int old = kept;
	assert_int_equal(nc_fd_give(&kept), old);
	assert_int_equal(kept, -1);
	close(old);
}

/* A pipe that does not block, with a slow process at the other end. */
static void whole_writes(void **state)
{
	int ends[2];
	static char bytes[1000000], got[sizeof bytes + 1];
	size_t len = sizeof bytes;
	memset(bytes, 'x', len);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	pid_t child = fork();
	if (child == 0) {
		close(ends[0]);
		int sys = nc_write_full(ends[1], bytes, len);
		_exit(sys);
	}
	close(ends[1]);
	assert_int_equal(nc_read_full(ends[0], got, len + 1), len);
	assert_memory_equal(got, bytes, len);
	int status;
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	close(ends[0]);
	assert_int_equal(nc_write_full(-1, "x", 1), EBADF);
	assert_int_equal(nc_write_full(-1, "", 0), 0);
	assert_int_equal(nc_pwrite_full(-1, "x", 1, 0), EBADF);
	char byte;
	assert_int_equal(nc_read_full(-1, &byte, 1), -1);
	assert_int_equal(nc_pread_full(-1, &byte, 1, 0), -1);
}

static void positioned(void **state)
{
	struct scratch *scratch = *state;
	int fd = openat(scratch->fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char got[10];
	assert_int_equal(nc_pwrite_full(fd, "hello", 5, 3), 0);
	assert_int_equal(nc_pread_full(fd, got, sizeof got, 2), 6);
	assert_memory_equal(got, "\0hello", 6);
	assert_int_equal(nc_pread_full(fd, got, 3, 3), 3);
	assert_int_equal(nc_pread_full(fd, got, 3, 100), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
}

static void random_names(void **state)
{
	struct nacre_error err;
	char a[65], b[65];
	assert_done(nc_random_hex(a, 64, &err));
	assert_done(nc_random_hex(b, 64, &err));
	assert_int_equal(strlen(a), 64);
	assert_int_equal(strspn(a, "0123456789abcdef"), 64);
	assert_string_not_equal(a, b);
	assert_done(nc_random_hex(a, 0, &err));
	assert_string_equal(a, "");
	assert_int_equal(nc_random_hex(a, 3, &err), NACRE_E_INVALID);
	assert_int_equal(nc_random_hex(a, 66, &err), NACRE_E_INVALID);
}

static void read_fails(int dirfd, const char *name, size_t max, int code, const char *msg)
{
	struct nacre_error err;
	char *got = NULL;
	assert_int_equal(nc_file_read(dirfd, name, max, &got, NULL, &err), code);
	assert_string_equal(err.msg, msg);
	assert_null(got);
}

static void reading(void **state)
{
	struct scratch *scratch = *state;
	int dir = scratch->fd;
	struct nacre_error err;
	char *got;
	size_t len = 99;
	put_file(dir, "file", "hello");
	put_file(dir, "empty", "");
	put_dir(dir, "dir");
	put_link(dir, "link", "file");
	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_int_equal(mknodat(dir, "socket", S_IFSOCK | 0600, 0), 0);
	assert_done(nc_file_read(dir, "file", 5, &got, &len, &err));
	assert_int_equal(len, 5);
	assert_string_equal(got, "hello");
	free(got);
	assert_done(nc_file_read(dir, "empty", 0, &got, &len, &err));
	assert_int_equal(len, 0);
	assert_string_equal(got, "");
	free(got);
	/* its size is told as 0 */
	assert_done(nc_file_read(AT_FDCWD, "/proc/self/status", 100000, &got, NULL, &err));
	assert_non_null(strstr(got, "Name:"));
	free(got);
	read_fails(dir, "file", 4, NACRE_E_LIMIT, "read 'file': more than 4 bytes");
	read_fails(dir, "missing", 4, NACRE_E_NOTFOUND, "open 'missing': No such file or directory");
	read_fails(dir, "file/x", 4, NACRE_E_IO, "open 'file/x': Not a directory");
	read_fails(dir, "dir", 4, NACRE_E_BADDATA, "'dir' is not a regular file");
	read_fails(dir, "link", 9, NACRE_E_BADDATA, "'link' is not a regular file");
	read_fails(dir, "fifo", 9, NACRE_E_BADDATA, "'fifo' is not a regular file");
	read_fails(dir, "socket", 9, NACRE_E_BADDATA, "'socket' is not a regular file");
	read_fails(AT_FDCWD, "/dev/null", 9, NACRE_E_BADDATA, "'/dev/null' is not a regular file");
	read_fails(AT_FDCWD, "/dev/zero", 9, NACRE_E_BADDATA, "'/dev/zero' is not a regular file");
}

static void has(int dirfd, const char *name, const char *text)
{
	struct nacre_error err;
	char *got;
	assert_done(nc_file_read(dirfd, name, 1000, &got, NULL, &err));
	assert_string_equal(got, text);
	free(got);
}

static void creating(void **state)
{
	struct scratch *scratch = *state;
	int dir = scratch->fd;
	struct nacre_error err;
	struct stat st;
	assert_done(nc_file_create(dir, "file", "abc", 3, &err));
	has(dir, "file", "abc");
	assert_int_equal(fstatat(dir, "file", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(nc_file_create(dir, "file", "xyz", 3, &err), NACRE_E_EXISTS);
	has(dir, "file", "abc");
	put_link(dir, "dangling", "made");
	assert_int_equal(nc_file_create(dir, "dangling", "xyz", 3, &err), NACRE_E_EXISTS);
	assert_false(is_there(dir, "made"));
	assert_int_equal(nc_file_create(dir, "no/file", "xyz", 3, &err), NACRE_E_IO);
	assert_string_equal(err.msg, "create 'no/file': No such file or directory");
}

static void replacing(void **state)
{
	struct scratch *scratch = *state;
	int dir = scratch->fd;
	struct nacre_error err;
	assert_done(nc_file_replace(dir, "file", "abc", 3, true, &err));
	has(dir, "file", "abc");
	assert_done(nc_file_replace(dir, "file", "longer text", 11, false, &err));
	has(dir, "file", "longer text");
	int path = openat(dir, ".", O_PATH | O_CLOEXEC);
	assert_done(nc_file_replace(path, "file", "", 0, true, &err));
	close(path);
	has(dir, "file", "");
	put_link(dir, "link", "file");
	assert_done(nc_file_replace(dir, "link", "of its own", 10, true, &err));
	has(dir, "link", "of its own");
	has(dir, "file", "");
	put_dir(dir, "dir");
	assert_int_equal(nc_file_replace(dir, "dir", "x", 1, true, &err), NACRE_E_IO);
	assert_string_equal(err.msg, "replace 'dir': Is a directory");
	assert_int_equal(nc_file_replace(dir, "", "x", 1, true, &err), NACRE_E_INVALID);
	assert_int_equal(nc_file_replace(dir, "dir/x", "x", 1, true, &err), NACRE_E_INVALID);
	assert_int_equal(entries(dir), 3);	/* no temporary file is left */
}

/* A write that fails midway leaves the old file, and nothing beside it. */
static void replacing_without_room(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	struct rlimit before, tight;
	char text[5000] = { 0 };
	assert_done(nc_file_replace(scratch->fd, "file", "old", 3, true, &err));
	getrlimit(RLIMIT_FSIZE, &before);
	tight = before;
	tight.rlim_cur = 1000;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &tight);
	int replaced = nc_file_replace(scratch->fd, "file", text, sizeof text, true, &err);
	int created = nc_file_create(scratch->fd, "new", text, sizeof text, &err);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(replaced, NACRE_E_IO);
	assert_int_equal(created, NACRE_E_IO);
	assert_string_equal(err.msg, "write 'new': File too large");
	has(scratch->fd, "file", "old");
	assert_int_equal(entries(scratch->fd), 1);
}

/* Who reads meanwhile sees the one or the other, whole. */
static void replacing_under_readers(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	char texts[2][900];
	memset(texts[0], 'a', sizeof texts[0]);
	memset(texts[1], 'b', sizeof texts[1]);
	assert_done(nc_file_replace(scratch->fd, "file", texts[0], 900, false, &err));
	pid_t child = fork();
	if (child == 0) {
		for (int i = 0; i < 2000; i++)
			if (nc_file_replace(scratch->fd, "file", texts[i % 2], 900, false, NULL) < 0)
				_exit(1);
		_exit(0);
	}
	int status;
	while (waitpid(child, &status, WNOHANG) == 0) {
		char *got;
		size_t len;
		assert_done(nc_file_read(scratch->fd, "file", 900, &got, &len, &err));
		assert_int_equal(len, 900);
		assert_memory_equal(got, texts[got[0] == 'b'], 900);
		free(got);
	}
	assert_int_equal(status, 0);
}

static void directories(void **state)
{
	struct scratch *scratch = *state;
	int dir = scratch->fd, fd = -1;
	struct nacre_error err;
	struct stat st;
	assert_int_equal(nc_dir_open(dir, "dir", &fd, &err), NACRE_E_NOTFOUND);
	assert_done(nc_dir_ensure(dir, "dir", &fd, &err));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_int_equal(fchmodat(dir, "dir", 0755, 0), 0);
	assert_done(nc_dir_ensure(dir, "dir", &fd, &err));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	close(fd);
	assert_done(nc_dir_open(dir, "dir", &fd, &err));
	close(fd);
	fd = -7;
	put_link(dir, "link", "dir");
	put_file(dir, "file", "");
	assert_int_equal(nc_dir_open(dir, "link", &fd, &err), NACRE_E_IO);
	assert_int_equal(nc_dir_ensure(dir, "link", &fd, &err), NACRE_E_IO);
	assert_int_equal(nc_dir_ensure(dir, "file", &fd, &err), NACRE_E_IO);
	assert_int_equal(nc_dir_ensure(dir, "no/dir", &fd, &err), NACRE_E_IO);
	assert_string_equal(err.msg, "make directory 'no/dir': No such file or directory");
	assert_int_equal(fd, -7);
}

static int collect(void *ctx, const char *name, struct nacre_error *err)
{
	strcat(strcat(ctx, name), " ");
	return strcmp(name, "stop") == 0 ? 42 : 0;
}

static int collect_typed(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	assert_int_equal(type, name[0] == 'd' ? DT_DIR : DT_REG);
	++*(int *)ctx;
	return name[0] == 'x' ? nc_fail(err, NACRE_E_CORRUPT, 0, "met x") : 0;
}

static void listing(void **state)
{
	struct scratch *scratch = *state;
	int dir = scratch->fd, count = 0;
	struct nacre_error err;
	char names[200] = "";
	assert_int_equal(nc_dir_each_sorted(dir, 0, collect, names, &err), 0);
	assert_string_equal(names, "");
	put_file(dir, "b", "");
	put_file(dir, "B", "");
	put_file(dir, "a2", "");
	put_file(dir, "a10", "");
	put_file(dir, ".hidden", "");
	put_file(dir, "\xc3\xa4", "");
	put_dir(dir, "d");
	for (int again = 0; again < 2; again++) {	/* the position of the descriptor is not used */
		names[0] = '\0';
		assert_int_equal(nc_dir_each_sorted(dir, 7, collect, names, &err), 0);
		assert_string_equal(names, ".hidden B a10 a2 b d \xc3\xa4 ");
	}
	names[0] = '\0';
	assert_int_equal(nc_dir_each_sorted(dir, 6, collect, names, &err), NACRE_E_LIMIT);
	assert_string_equal(names, "");
	put_file(dir, "stop", "");
	assert_int_equal(nc_dir_each_sorted(dir, 100, collect, names, &err), 42);
	assert_string_equal(names, ".hidden B a10 a2 b d stop ");
	assert_int_equal(nc_dir_each(dir, collect_typed, &count, &err), 0);
	assert_int_equal(count, 8);
	put_file(dir, "x", "");
	assert_int_equal(nc_dir_each(dir, collect_typed, &count, &err), NACRE_E_CORRUPT);
	assert_string_equal(err.msg, "met x");
	assert_int_equal(nc_dir_each(-1, collect_typed, &count, &err), NACRE_E_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(release_keeps_errno),
		cmocka_unit_test(whole_writes),
		cmocka_unit_test_setup_teardown(positioned, scratch_make, scratch_drop),
		cmocka_unit_test(random_names),
		cmocka_unit_test_setup_teardown(reading, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(creating, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(replacing, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(replacing_without_room, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(replacing_under_readers, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(directories, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(listing, scratch_make, scratch_drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
