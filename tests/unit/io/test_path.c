#include "../unit.h"
#include "scratch.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "io/fd.h"
#include "io/path.h"

/* --- opening ---------------------------------------------------------------------------------------------------- */

#define R O_RDONLY
#define D (O_RDONLY | O_DIRECTORY)
#define NF O_NOFOLLOW
#define P O_PATH
#define W O_WRONLY
#define IN NC_PATH_IN_ROOT
#define NS NC_PATH_NO_SYMLINKS

/* The tree:   dir/sub/deep/file   dir/file   file   outside/secret, beside the root   and the links below */
static const struct {
	const char *name, *target;
} links[] = {
	{ "to-file", "file" }, { "to-dir", "dir" }, { "to-dir-slash", "dir/" }, { "to-file-slash", "file/" },
	{ "dangling", "nothing" }, { "loop-a", "loop-b" }, { "loop-b", "loop-a" }, { "self", "self" },
	{ "up", ".." }, { "up-up", "../.." }, { "far-up", "../../../../../../etc" }, { "absolute", "/dir/file" },
	{ "absolute-dir", "/dir" }, { "slash", "/" }, { "slashes", "///" }, { "out", "../outside/secret" },
	{ "host", "/etc/passwd" }, { "dot", "." }, { "to-up", "up" }, { "dir/to-sub", "sub" },
	{ "dir/back", "../file" }, { "dir/sub/back2", "../../file" }, { "dir/sub/out3", "../../../outside/secret" },
	{ "dir/sub/root-file", "/file" }, { "winding", "dir/sub/../../to-dir/./sub//deep/../../file" },
	{ "through-file", "file/x" }, { "through-file-up", "file/.." }, { "to-link-slash", "to-dir/" },
	{ "to-fifo", "fifo" }, { "dir/sub/up-in", "../sub/deep" },
};

static const struct {
	const char *path;
	int oflags;
	unsigned flags;
	int code;		/* negative errno, or 0: opened */
	const char *what;	/* what is opened, beneath the root; NULL: code says it all */
} opens[] = {
	{ "", D, 0, 0, "." }, { ".", D, 0, 0, "." }, { "./", D, 0, 0, "." }, { "././.", D, 0, 0, "." },
	{ "", P, 0, 0, "." }, { "", R, IN, 0, "." }, { "", D, NS, 0, "." }, { "", W, 0, -EISDIR, NULL },
	{ "file", R, 0, 0, "file" }, { "./file", R, 0, 0, "file" }, { "file/", R, 0, -ENOTDIR, NULL },
	{ "file/.", R, 0, -ENOTDIR, NULL }, { "file/..", R, 0, -ENOTDIR, NULL }, { "file/x", R, 0, -ENOTDIR, NULL },
	{ "file", D, 0, -ENOTDIR, NULL }, { "file", W, 0, 0, "file" }, { "file/", P, 0, -ENOTDIR, NULL },
	{ "missing", R, 0, -ENOENT, NULL }, { "missing/", R, 0, -ENOENT, NULL },
	{ "missing/..", R, 0, -ENOENT, NULL }, { "dir/missing/file", R, 0, -ENOENT, NULL },
	{ "dir/file", R, 0, 0, "dir/file" }, { "dir//sub///deep/file", R, 0, 0, "dir/sub/deep/file" },
	{ "dir", W, 0, -EISDIR, NULL }, { "dir/", R, 0, 0, "dir" }, { "dir///", D, 0, 0, "dir" },
	{ "dir/..", D, 0, 0, "." }, { "dir/../", D, 0, 0, "." }, { "dir/../file", R, 0, 0, "file" },
	{ "dir/sub/../../file", R, 0, 0, "file" }, { "dir/sub/deep/../../..", D, 0, 0, "." },
	{ "dir/sub/../sub/../sub/deep/../deep/file", R, 0, 0, "dir/sub/deep/file" },
	{ "..", D, 0, -EXDEV, NULL }, { "..", D, IN, 0, "." }, { "../..", D, IN, 0, "." },
	{ "dir/../..", D, 0, -EXDEV, NULL },
	{ "dir/../../file", R, 0, -EXDEV, NULL }, { "dir/../../file", R, IN, 0, "file" },
	{ "../outside/secret", R, 0, -EXDEV, NULL }, { "../outside/secret", R, IN, -ENOENT, NULL },
	{ "../file", R, NS, -EXDEV, NULL }, { "/file", R, 0, -EXDEV, NULL }, { "/file", R, IN, 0, "file" },
	{ "/", D, 0, -EXDEV, NULL }, { "/", D, IN, 0, "." }, { "//dir/file", R, IN, 0, "dir/file" },
	{ "/..", D, IN, 0, "." }, { "/file", R, NS, -EXDEV, NULL },

	{ "to-file", R, 0, 0, "file" }, { "to-file", R, IN, 0, "file" }, { "to-file", R, NS, -ELOOP, NULL },
	{ "to-file", R | NF, 0, -ELOOP, NULL }, { "to-file", R | NF, IN, -ELOOP, NULL },
	{ "to-file", W | NF, 0, -ELOOP, NULL }, { "to-file", P | NF, 0, 0, "to-file" },
	{ "to-file", P | NF, NS, 0, "to-file" }, { "to-file", P, NS, -ELOOP, NULL }, { "to-file", P, 0, 0, "file" },
	{ "to-file/", R, 0, -ENOTDIR, NULL }, { "to-file/", R | NF, 0, -ENOTDIR, NULL },
	{ "to-file/x", R, 0, -ENOTDIR, NULL }, { "to-file-slash", R, 0, -ENOTDIR, NULL },
	{ "to-file", D, 0, -ENOTDIR, NULL }, { "to-file", D | NF, 0, -ENOTDIR, NULL },
	{ "to-dir", D, 0, 0, "dir" }, { "to-dir", D | NF, 0, -ENOTDIR, NULL }, { "to-dir/", D | NF, 0, 0, "dir" },
	{ "to-dir/", P | NF, 0, 0, "dir" }, { "to-dir/", D | NF, NS, -ELOOP, NULL },
	{ "to-dir/.", D | NF, 0, 0, "dir" },
	{ "to-dir/file", R | NF, 0, 0, "dir/file" }, { "to-dir/file", R, NS, -ELOOP, NULL },
	{ "to-dir/..", D, 0, 0, "." }, { "to-dir/to-sub/deep/file", R, 0, 0, "dir/sub/deep/file" },
	{ "to-dir/sub/../file", R, 0, 0, "dir/file" }, { "to-dir-slash", D, 0, 0, "dir" },
	{ "to-dir-slash", D | NF, 0, -ENOTDIR, NULL }, { "to-dir-slash/file", R, 0, 0, "dir/file" },
	{ "to-link-slash", D, 0, 0, "dir" }, { "to-link-slash", P | NF, 0, 0, "to-link-slash" },
	{ "dir/back", R, 0, 0, "file" }, { "dir/sub/back2", R, 0, 0, "file" },
	{ "dir/to-sub/back2", R, 0, 0, "file" },
	{ "dir/sub/up-in/file", R, 0, 0, "dir/sub/deep/file" },
	{ "dangling", R, 0, -ENOENT, NULL }, { "dangling", P | NF, 0, 0, "dangling" },
	{ "dangling/x", R, 0, -ENOENT, NULL }, { "loop-a", R, 0, -ELOOP, NULL }, { "loop-a/x", R, IN, -ELOOP, NULL },
	{ "self", R, 0, -ELOOP, NULL }, { "self", R | NF, 0, -ELOOP, NULL }, { "self/self", R, IN, -ELOOP, NULL },
	{ "self", P | NF, 0, 0, "self" }, { "up", D, 0, -EXDEV, NULL }, { "up", D, IN, 0, "." },
	{ "up/file", R, IN, 0, "file" }, { "up-up/dir/file", R, IN, 0, "dir/file" }, { "to-up", D, 0, -EXDEV, NULL },
	{ "far-up", D, 0, -EXDEV, NULL }, { "far-up", D, IN, -ENOENT, NULL },
	{ "absolute", R, 0, -EXDEV, NULL }, { "absolute", R, IN, 0, "dir/file" }, { "absolute", R, NS, -ELOOP, NULL },
	{ "absolute-dir/sub", D, IN, 0, "dir/sub" }, { "absolute-dir/../file", R, IN, 0, "file" },
	{ "slash", D, 0, -EXDEV, NULL }, { "slash", D, IN, 0, "." }, { "slashes", D, IN, 0, "." },
	{ "slash/file", R, IN, 0, "file" }, { "slash", D | NF, IN, -ENOTDIR, NULL }, { "slash/", D | NF, IN, 0, "." },
	{ "out", R, 0, -EXDEV, NULL }, { "out", R, IN, -ENOENT, NULL }, { "host", R, 0, -EXDEV, NULL },
	{ "host", R, IN, -ENOENT, NULL }, { "dir/sub/out3", R, 0, -EXDEV, NULL },
	{ "dir/sub/out3", R, IN, -ENOENT, NULL }, { "dir/sub/root-file", R, IN, 0, "file" },
	{ "dot", D, 0, 0, "." }, { "dot/dot/dot/file", R, 0, 0, "file" }, { "winding", R, 0, 0, "dir/file" },
	{ "through-file", R, 0, -ENOTDIR, NULL }, { "through-file-up", R, 0, -ENOTDIR, NULL },
	{ "fifo/x", R, 0, -ENOTDIR, NULL }, { "to-fifo", R | O_NONBLOCK, 0, 0, "fifo" }, { "fifo", P, 0, 0, "fifo" },
	{ "fifo", W | O_NONBLOCK, 0, -ENXIO, NULL },
	{ "file", R | O_CREAT, 0, -EINVAL, NULL }, { "dir", O_TMPFILE | O_RDWR, 0, -EINVAL, NULL },
	{ "dir", P | O_NONBLOCK, 0, 0, "dir" },
};

static void make_tree(int fd)
{
	put_dir(fd, "outside");
	put_file(fd, "outside/secret", "secret");
	put_dir(fd, "root");
	put_file(fd, "root/file", "");
	put_dir(fd, "root/dir");
	put_file(fd, "root/dir/file", "");
	put_dir(fd, "root/dir/sub");
	put_dir(fd, "root/dir/sub/deep");
	put_file(fd, "root/dir/sub/deep/file", "");
	assert_int_equal(mkfifoat(fd, "root/fifo", 0600), 0);
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		char name[100];
		snprintf(name, sizeof name, "root/%s", links[i].name);
		put_link(fd, name, links[i].target);
	}
}

static void check_open(int root, const char *path, int oflags, unsigned flags, int code, const char *what)
{
	int fd = nc_path_open(root, path, oflags, flags);
	if (code < 0 ? fd != code : fd < 0)
		fail_msg("'%s' oflags %#o flags %u: %d (%s)", path, (unsigned)oflags, flags, fd, strerror(-fd));
	if (fd < 0)
		return;
	struct stat got, want = { 0 };
	assert_int_equal(fstat(fd, &got), 0);
	assert_true(what && fstatat(root, what, &want, AT_SYMLINK_NOFOLLOW) == 0);
	if (got.st_ino != want.st_ino || got.st_dev != want.st_dev)
		fail_msg("'%s' oflags %#o flags %u opened something else than '%s'", path, (unsigned)oflags, flags,
			 what);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

static void hostile_table(void **state)
{
	struct scratch *scratch = *state;
	make_tree(scratch->fd);
	int root = openat(scratch->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int root_path = openat(scratch->fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
		check_open(root, opens[i].path, opens[i].oflags, opens[i].flags, opens[i].code, opens[i].what);
		check_open(root, opens[i].path, opens[i].oflags, opens[i].flags | NC_PATH_NO_OPENAT2, opens[i].code,
			   opens[i].what);
		check_open(root_path, opens[i].path, opens[i].oflags, opens[i].flags | NC_PATH_NO_OPENAT2,
			   opens[i].code, opens[i].what);
	}
	close(root);
	close(root_path);
}

/* Both ways must agree on every pairing of names, whatever it means. */
static void both_ways_agree(void **state)
{
	struct scratch *scratch = *state;
	make_tree(scratch->fd);
	int root = openat(scratch->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static const char *const more[] = { "", ".", "..", "dir", "dir/sub", "file", "missing", "fifo" };
	static const char *const glue[] = { "", "/", "/../", "/./", "//", "/../../" };
	static const int oflags[] = { P, P | NF, R | O_NONBLOCK, R | NF | O_NONBLOCK, D, D | NF, P | O_DIRECTORY,
				      W | O_NONBLOCK };
	size_t names = sizeof links / sizeof *links, all = names + sizeof more / sizeof *more, opened = 0;
	for (size_t a = 0; a < all; a++)
		for (size_t b = 0; b < all; b++)
			for (size_t g = 0; g < sizeof glue / sizeof *glue; g++)
				for (size_t o = 0; o < sizeof oflags / sizeof *oflags; o++) {
					char path[200];
					snprintf(path, sizeof path, "%s%s%s",
						 a < names ? links[a].name : more[a - names], glue[g],
						 b < names ? links[b].name : more[b - names]);
					unsigned flags = (unsigned)((a + b + g + o) % 4);
					int one = nc_path_open(root, path, oflags[o], flags);
					int two = nc_path_open(root, path, oflags[o], flags | NC_PATH_NO_OPENAT2);
					struct stat st1, st2;
					if (one >= 0 && two >= 0) {
						opened++;
						assert_int_equal(fstat(one, &st1), 0);
						assert_int_equal(fstat(two, &st2), 0);
						if (st1.st_ino != st2.st_ino || st1.st_dev != st2.st_dev)
							fail_msg("'%s' %zu %u: different files", path, o, flags);
						close(one);
						close(two);
					} else if (one != two) {
						fail_msg("'%s' %zu %u: %d and %d", path, o, flags, one, two);
					}
				}
	assert_true(opened > 2000);
	close(root);
}

static void link_counts_and_lengths(void **state)
{
	struct scratch *scratch = *state;
	int root = scratch->fd;
	put_file(root, "l0", "");
	for (int i = 1; i <= 41; i++) {
		char name[16], target[16];
		snprintf(name, sizeof name, "l%d", i);
		snprintf(target, sizeof target, "l%d", i - 1);
		put_link(root, name, target);
	}
	char name[301], path[5000];
	memset(name, 'n', 300);
	name[300] = '\0';
	put_link(root, "dot", ".");
	for (unsigned way = 0; way <= NC_PATH_NO_OPENAT2; way += NC_PATH_NO_OPENAT2) {
		check_open(root, "l40", R, way, 0, "l0");
		check_open(root, "l41", R, way, -ELOOP, NULL);
		check_open(root, "l41", P | NF, way, 0, "l41");
		check_open(root, name, R, way, -ENAMETOOLONG, NULL);
		check_open(root, name + 45, R, way, -ENOENT, NULL);
		path[0] = '\0';
		for (int i = 0; i < 40; i++)
			strcat(path, "dot/");
		strcat(path, "l0");
		check_open(root, path, R, way, 0, "l0");
		strcpy(path + strlen(path) - 2, "l1");
		check_open(root, path, R, way, -ELOOP, NULL);
		memset(path, '/', 4095);
		path[0] = '.';
		strcpy(path + 4093, "l0");
		check_open(root, path, R, way, 0, "l0");
		strcpy(path + 4093, "/l0");
		check_open(root, path, R, way, -ENAMETOOLONG, NULL);
	}
}

/* The links of /proc that lead where their text does not, and those that are ordinary. */
static void magic_links(void **state)
{
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0 && proc >= 0);
	char fd_link[50];
	snprintf(fd_link, sizeof fd_link, "self/fd/%d", root);
	for (unsigned way = 0; way <= NC_PATH_NO_OPENAT2; way += NC_PATH_NO_OPENAT2) {
		static const char *const magic[] = {
			"self/exe", "self/cwd", "self/root", "self/root/etc", "self/ns/mnt", "self/task/../cwd",
			"thread-self/cwd", "thread-self/root/",
		};
		for (size_t i = 0; i < sizeof magic / sizeof *magic; i++) {
			check_open(proc, magic[i], P, way, -ELOOP, NULL);
			check_open(proc, magic[i], P, way | IN, -ELOOP, NULL);
		}
		check_open(proc, fd_link, P, way, -ELOOP, NULL);
		check_open(proc, "self/cwd", P | NF, way, 0, "self/cwd");
		check_open(proc, "self/status", R, way, 0, "self/status");
		check_open(proc, "mounts", R, way, 0, "self/mounts");
		check_open(proc, "self/task", D, way, 0, "self/task");
		check_open(root, "proc/self/status", R, way | IN, 0, "proc/self/status");
	}
	close(root);
	close(proc);
}

/* As another user than root: what may be searched but not read, and the other way round. */
static void permissions(void **state)
{
	struct scratch *scratch = *state;
	put_dir(scratch->fd, "search");
	put_file(scratch->fd, "search/file", "");
	put_dir(scratch->fd, "read");
	put_file(scratch->fd, "read/file", "");
	put_dir(scratch->fd, "none");
	put_link(scratch->fd, "link", "none/../search/file");
	assert_int_equal(fchown(scratch->fd, 65534, 65534), 0);
	static const char *const names[] = { "search", "read", "none", "search/file", "read/file" };
	static const mode_t modes[] = { 0100, 0400, 0000, 0400, 0400 };
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(fchownat(scratch->fd, names[i], 65534, 65534, 0), 0);
		assert_int_equal(fchmodat(scratch->fd, names[i], modes[i], 0), 0);
	}
	pid_t child = fork();
	if (child == 0) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		static const char *const paths[] = {
			"search", "search/", "search/.", "search/..", "search/file", "read", "read/", "read/.",
			"read/..",
			"read/file", "none", "none/..", "none/../search/file", "link", "read/../search/file",
			"search/../read", "none/x", "none/.",
		};
		static const int oflags[] = { P, R, D, P | O_DIRECTORY, P | NF };
		for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
			for (size_t o = 0; o < sizeof oflags / sizeof *oflags; o++) {
				int one = nc_path_open(scratch->fd, paths[i], oflags[o], 0);
				int two = nc_path_open(scratch->fd, paths[i], oflags[o], NC_PATH_NO_OPENAT2);
				if ((one >= 0) != (two >= 0) || (one < 0 && one != two)) {
					fprintf(stderr, "'%s' %zu: %d and %d\n", paths[i], o, one, two);
					_exit(1);
				}
			}
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void permissions_if_root(void **state)
{
	if (geteuid() != 0)
		skip();
	permissions(state);
}

/* --- cleaning --------------------------------------------------------------------------------------------------- */

static void cleaning(void **state)
{
	static const struct {
		const char *name, *clean;	/* NULL: refused */
	} cases[] = {
		{ "", "" }, { "/", "" }, { ".", "" }, { "./", "" }, { "//.//", "" }, { "a", "a" },
		{ "./a//b/../c/", "a/c" },
		{ "/a/b", "a/b" }, { "a/..", "" }, { "a/../", "" }, { "a/../b", "b" }, { "a/b/../..", "" },
		{ "a/b/../../c", "c" },
		{ "..", NULL }, { "../a", NULL }, { "/..", NULL }, { "a/../..", NULL }, { "a/../../b", NULL },
		{ "./..", NULL }, { "a/b/../../..", NULL }, { "...", "..." }, { "..a", "..a" }, { "a../b", "a../b" },
		{ ".a/.b", ".a/.b" }, { "a/./b/.", "a/b" }, { "\xff/\xfe", "\xff/\xfe" }, { " / ", " / " },
		{ "a\n/b", "a\n/b" }, { "abc/de/../f", "abc/f" }, { "ab/../cdef", "cdef" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		size_t len = strlen(cases[i].name), got_len = 999;
		char *name = malloc(len ? len : 1), *got = malloc(len + 1);	/* exact, for the sanitizers */
		memcpy(name, cases[i].name, len);
		int code = nc_path_clean(name, len, got, &got_len, &err);
		assert_int_equal(code, cases[i].clean ? 0 : NACRE_E_BADDATA);
		if (cases[i].clean) {
			assert_string_equal(got, cases[i].clean);
			assert_int_equal(got_len, strlen(cases[i].clean));
			assert_done(nc_path_clean(name, len, got, NULL, &err));
		}
		free(name);
		free(got);
	}
}

static void cleaning_limits(void **state)
{
	struct nacre_error err;
	static char name[70000], got[70001];
	size_t len;
	assert_int_equal(nc_path_clean("a\0b", 3, got, &len, &err), NACRE_E_BADDATA);
	assert_string_equal(err.msg, "path 'a' has a NUL in it");
	memset(name, 'x', sizeof name);
	assert_done(nc_path_clean(name, 255, got, &len, &err));
	assert_int_equal(nc_path_clean(name, 256, got, &len, &err), NACRE_E_BADDATA);
	char sentence[300];
	snprintf(sentence, sizeof sentence, "a component of 256 bytes in path '%.60s...'", name);
	assert_string_equal(err.msg, sentence);
	memcpy(name + 256, "/../y", 5);		/* also when it goes away again */
	assert_int_equal(nc_path_clean(name, 261, got, &len, &err), NACRE_E_BADDATA);
	assert_int_equal(nc_path_clean("a/../../b", 9, got, &len, &err), NACRE_E_BADDATA);
	assert_string_equal(err.msg, "path 'a/../../b' leads out of its root");
	memcpy(name, "../", 3);
	assert_int_equal(nc_path_clean(name, 250, got, &len, &err), NACRE_E_BADDATA);
	snprintf(sentence, sizeof sentence, "path '%.200s' leads out of its root", name);
	assert_string_equal(err.msg, sentence);
	memcpy(name, "xxx", 3);
	/* a whiteout is longer than what it deletes */
	memcpy(name, ".wh.", 4);
	memset(name + 4, 'x', 300);
	assert_done(nc_path_clean(name, 259, got, &len, &err));
	assert_int_equal(nc_path_clean(name, 260, got, &len, &err), NACRE_E_BADDATA);
	memset(name, '/', sizeof name);
	assert_done(nc_path_clean(name, 65535, got, &len, &err));
	assert_int_equal(len, 0);
	assert_int_equal(nc_path_clean(name, 65536, got, &len, &err), NACRE_E_BADDATA);
	for (size_t i = 0; i < 4097; i++)
		memcpy(name + 2 * i, "d/", 2);
	assert_done(nc_path_clean(name, 2 * 4096, got, &len, &err));
	assert_int_equal(len, 2 * 4096 - 1);
	assert_int_equal(nc_path_clean(name, 2 * 4097, got, &len, &err), NACRE_E_BADDATA);
}

/* --- where opening does not go as it should --------------------------------------------------------------------- */

struct sandboxed {
	int root, answer, opened, refused, filtered;
};

/* In a thread of its own, since a filter stays: openat2 answers with an error there. */
static void *open_in_sandbox(void *ctx)
{
	struct sandboxed *sandboxed = ctx;
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)sandboxed->answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof steps / sizeof *steps, steps };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	sandboxed->filtered = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
	sandboxed->opened = nc_path_open(sandboxed->root, "dir/to-file", O_RDONLY, 0);
	sandboxed->refused = nc_path_open(sandboxed->root, "dir/../..", O_RDONLY, 0);
	return NULL;
}

/* A kernel without openat2, a sandbox that forbids it, and one that never gets to its end. */
static void without_openat2(void **state)
{
	static const int answers[] = { ENOSYS, EPERM, EAGAIN };
	struct scratch *scratch = *state;
	put_file(scratch->fd, "file", "it");
	put_dir(scratch->fd, "dir");
	put_link(scratch->fd, "dir/to-file", "../file");
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct sandboxed sandboxed = { .root = scratch->fd, .answer = answers[i] };
		pthread_t thread;
		char got[3] = "";
		assert_int_equal(pthread_create(&thread, NULL, open_in_sandbox, &sandboxed), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(sandboxed.filtered, 0);
		assert_true(sandboxed.opened >= 0);
		assert_int_equal(read(sandboxed.opened, got, 2), 2);
		assert_string_equal(got, "it");
		close(sandboxed.opened);
		assert_int_equal(sandboxed.refused, -EXDEV);
	}
}

/* Each descriptor of a walk that cannot be had ends it with EMFILE, and none stays open. */
static void out_of_descriptors(void **state)
{
	struct scratch *scratch = *state;
	struct rlimit before, few;
	put_dir(scratch->fd, "dir");
	put_dir(scratch->fd, "dir/sub");
	put_file(scratch->fd, "dir/file", "");
	put_link(scratch->fd, "dir/sub/winding", "../../dir/./sub/../file");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	int lowest = open("/", O_PATH), fd = -EMFILE;
	close(lowest);
	for (int more = 0; fd == -EMFILE; more++) {
		few = before;
		few.rlim_cur = (rlim_t)(lowest + more);
		assert_true(more < 8);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		fd = nc_path_open(scratch->fd, "dir/sub/winding", O_RDONLY, NC_PATH_NO_OPENAT2);
		assert_true(fd == -EMFILE || (fd >= 0 && more > 1));
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	}
	close(fd);
	fd = open("/", O_PATH);
	assert_int_equal(fd, lowest);
	close(fd);
}

/* A directory that goes away under a walk is missing. */
static void vanishing(void **state)
{
	struct scratch *scratch = *state;
	put_dir(scratch->fd, "gone");
	int gone = openat(scratch->fd, "gone", O_PATH | O_DIRECTORY);
	assert_true(gone >= 0);
	assert_int_equal(unlinkat(scratch->fd, "gone", AT_REMOVEDIR), 0);
	for (unsigned flags = 0; flags <= NC_PATH_NO_OPENAT2; flags += NC_PATH_NO_OPENAT2)
		assert_int_equal(nc_path_open(gone, "file", O_RDONLY, flags), -ENOENT);
	close(gone);
	/* and what is no directory, or was never open, is no root */
	int file = open("/dev/null", O_RDONLY);
	for (unsigned flags = 0; flags <= NC_PATH_NO_OPENAT2; flags += NC_PATH_NO_OPENAT2) {
		assert_int_equal(nc_path_open(file, "x", O_RDONLY, flags), -ENOTDIR);
		assert_int_equal(nc_path_open(-1, "x", O_RDONLY, flags), -EBADF);
	}
	close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hostile_table, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(both_ways_agree, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(link_counts_and_lengths, scratch_make, scratch_drop),
		cmocka_unit_test(magic_links),
		cmocka_unit_test_setup_teardown(permissions_if_root, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(without_openat2, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(out_of_descriptors, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(vanishing, scratch_make, scratch_drop),
		cmocka_unit_test(cleaning),
		cmocka_unit_test(cleaning_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
