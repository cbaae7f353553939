#include "driver/drivers.h"

#include "base/buf.h"
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel's OVL_MAX_STACK. */
#define LAYERS_MAX 500
/* The longest string that fsconfig takes, with its NUL. */
#define VALUE_MAX 256

static const char *const settings[][2] = {
	/* what an image could otherwise use to show other files than its own */
	{ "redirect_dir", "nofollow" }, { "metacopy", "off" }, { "index", "off" }, { "nfs_export", "off" },
};
#define SETTINGS (sizeof settings / sizeof *settings)

int nc_move_mount(int mount, int target, struct nacre_error *err)
{
	if (move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "attach the mount");
	return 0;
}

static int bind_mount(int tree, int target, bool writable, struct nacre_error *err)
{
	NC_AUTO_FD int mount = open_tree(tree, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount < 0)
		return nc_fail(err, errno == ENOSYS ? NACRE_E_UNSUPPORTED : NACRE_E_IO, errno, "bind mount");
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	if (!writable && mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
		return nc_fail(err, errno == ENOSYS ? NACRE_E_UNSUPPORTED : NACRE_E_IO, errno,
			       "make a mount read-only");
	return nc_move_mount(mount, target, err);
}

int nc_bind_mount(int tree, int target, struct nacre_error *err)
{
	return bind_mount(tree, target, false, err);
}

int nc_bind_mount_writable(int tree, int target, struct nacre_error *err)
{
	return bind_mount(tree, target, true, err);
}

/* The times of a root that no layer mentions can be set before it is read-only only. */
static int finish_empty(int mount, struct nacre_error *err)
{
	const struct timespec times[2] = { { 0 }, { 0 } };
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	NC_AUTO_FD int root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || futimens(root, times) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "set the times of an empty mount");
	nc_fd_release(&root);
	if (mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
		return nc_fail(err, errno == ENOSYS ? NACRE_E_UNSUPPORTED : NACRE_E_IO, errno,
			       "make a mount read-only");
	return 0;
}

int nc_mount_empty(int target, struct nacre_error *err)
{
	static const char *const options[][2] = {
		{ "source", "nacre" }, { "mode", "0755" }, { "uid", "0" }, { "gid", "0" },
		{ "size", "4096" }, { "nr_inodes", "1" },
	};
	NC_AUTO_FD int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return nc_fail(err, errno == ENODEV || errno == ENOSYS ? NACRE_E_UNSUPPORTED : NACRE_E_IO, errno,
			       "use tmpfs");
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (fsconfig(fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "mount tmpfs (%s)", options[i][0]);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "mount tmpfs");
	NC_AUTO_FD int mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mount < 0)
		return nc_fail(err, NACRE_E_IO, errno, "mount tmpfs");
	int code = finish_empty(mount, err);
	return code < 0 ? code : nc_move_mount(mount, target, err);
}

/* --- fsopen, since Linux 6.5 ------------------------------------------------------------------------------------ */

/* A failed step; the kernel's own sentence, if it left one, goes along. */
static int fail_step(int fs, int sys, const char *what, struct nacre_error *err)
{
	char log[200];
	ssize_t len = read(fs, log, sizeof log - 1);
	if (len <= 0)
		return nc_fail(err, NACRE_E_IO, sys, "mount overlay (%s)", what);
	log[len] = '\0';
	log[strcspn(log, "\n")] = '\0';
	return nc_fail(err, NACRE_E_IO, sys, "mount overlay (%s; the kernel says: %s)", what, log);
}

static int add_lower(int fs, const struct nc_overlay_mount *what, size_t i, struct nacre_error *err)
{
	char value[VALUE_MAX];
	int len = snprintf(value, sizeof value, "%s/%s", what->home_path, what->trees[i]);
	if (len < 0 || (size_t)len >= sizeof value)
		snprintf(value, sizeof value, "/proc/self/fd/%d/%s", what->home, what->trees[i]);
	if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", value, 0) == 0)
		return 0;
	if (i == 0 && errno == EINVAL)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "the kernel takes no list of layers");
	return fail_step(fs, errno, what->trees[i], err);
}

static int add_upper(int fs, int upper, struct nacre_error *err)
{
	static const char *const keys[][2] = { { "upperdir", "diff" }, { "workdir", "work" } };
	for (size_t i = 0; i < 2; i++) {
		char value[VALUE_MAX];
		snprintf(value, sizeof value, "/proc/self/fd/%d/%s", upper, keys[i][1]);
		if (fsconfig(fs, FSCONFIG_SET_STRING, keys[i][0], value, 0) < 0)
			return fail_step(fs, errno, keys[i][0], err);
	}
	return 0;
}

int nc_overlay_mount_detached(const struct nc_overlay_mount *what, int *ret, struct nacre_error *err)
{
	if (what->count > LAYERS_MAX)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "the kernel mounts no more than %d layers, these are %zu",
			       LAYERS_MAX, what->count);
	NC_AUTO_FD int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return nc_fail(err, errno == ENODEV || errno == ENOSYS ? NACRE_E_UNSUPPORTED : NACRE_E_IO, errno,
			       "use overlayfs");
	for (size_t i = 0; i < what->count; i++) {
		int code = add_lower(fs, what, i, err);
		if (code < 0)
			return code;
	}
	bool writable = what->flags & NC_OVERLAY_WRITABLE;
	int code = writable ? add_upper(fs, what->upper, err) : 0;
	if (code < 0)
		return code;
	if (what->flags & NC_OVERLAY_USER && fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return fail_step(fs, errno, "userxattr", err);
	for (size_t i = 0; i < SETTINGS; i++)
		if (fsconfig(fs, FSCONFIG_SET_STRING, settings[i][0], settings[i][1], 0) < 0)
			return fail_step(fs, errno, settings[i][0], err);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail_step(fs, errno, "create", err);
	int mount = fsmount(fs, FSMOUNT_CLOEXEC, writable ? 0 : MOUNT_ATTR_RDONLY);
	if (mount < 0)
		return fail_step(fs, errno, "fsmount", err);
	*ret = mount;
	return 0;
}

/* --- mount(2), before ------------------------------------------------------------------------------------------- */

/* All options must fit into a page. So the layers are opened and named by the numbers of their descriptors,
 * relative to /proc/self/fd; that needs a working directory and many descriptors, hence a child. It runs system
 * calls only, as its parent may have threads. */

static size_t put_number(char *to, unsigned number)
{
	char digits[12];
	size_t count = 0;
	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	for (size_t i = 0; i < count; i++)
		to[i] = digits[count - 1 - i];
	return count;
}

/* options holds "lowerdir=" and has room for the numbers and rest. Returns the errno. */
static int mount_in_child(const struct nc_overlay_mount *what, const char *target, char *options, size_t len,
			  const char *rest, size_t rest_len)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (size_t i = 0; i < what->count; i++) {
		int fd = openat(what->home, what->trees[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return errno;
		if (i)
			options[len++] = ':';
		len += put_number(options + len, (unsigned)fd);
	}
	for (size_t i = 0; i <= rest_len; i++)
		options[len + i] = rest[i];
	unsigned long flags = what->flags & NC_OVERLAY_WRITABLE ? 0 : MS_RDONLY;
	if (chdir("/proc/self/fd") < 0 || mount("overlay", target, "overlay", flags, options) < 0)
		return errno;
	return 0;
}

static int mount_by_old_call(const struct nc_overlay_mount *what, int target, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf rest = NC_BUF_INIT(4096);
	int code = nc_buf_add_text(&rest, what->flags & NC_OVERLAY_USER ? ",userxattr" : "", err);
	if (code >= 0 && what->flags & NC_OVERLAY_WRITABLE)
		code = nc_buf_addf(&rest, err, ",upperdir=%d/diff,workdir=%d/work", what->upper, what->upper);
	for (size_t i = 0; code >= 0 && i < SETTINGS; i++)
		code = nc_buf_addf(&rest, err, ",%s=%s", settings[i][0], settings[i][1]);
	if (code < 0)
		return code;
	NC_AUTO_FREE char *options = nc_alloc(sizeof "lowerdir=" + 12 * what->count + rest.len);
	if (!options)
		return nc_nomem(err);
	strcpy(options, "lowerdir=");
	char place[32];
	snprintf(place, sizeof place, "/proc/self/fd/%d", target);
	/* no signal at its end: whoever uses the library would see it */
	long child = syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
	if (child < 0)
		return nc_fail(err, NACRE_E_IO, errno, "start a process to mount");
	if (child == 0)
		_exit(mount_in_child(what, place, options, strlen(options), rest.data, rest.len));
	int status;
	pid_t waited;
	do
		waited = waitpid((pid_t)child, &status, __WALL);
	while (waited < 0 && errno == EINTR);
	if (waited < 0 || !WIFEXITED(status))
		return nc_fail(err, NACRE_E_IO, 0, "the process that mounts ended early");
	if (WEXITSTATUS(status))
		return nc_fail(err, NACRE_E_IO, WEXITSTATUS(status), "mount overlay");
	return 0;
}

int nc_overlay_mount(const struct nc_overlay_mount *what, int target, struct nacre_error *err)
{
	if (what->count > LAYERS_MAX)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "the kernel mounts no more than %d layers, these are %zu",
			       LAYERS_MAX, what->count);
	if (!(what->flags & NC_OVERLAY_OLD_CALL)) {
		NC_AUTO_FD int mount = -1;
		int code = nc_overlay_mount_detached(what, &mount, err);
		if (code == 0)
			return nc_move_mount(mount, target, err);
		if (code != NACRE_E_UNSUPPORTED)
			return code;
	}
	return mount_by_old_call(what, target, err);
}
