/* Mounting trees of the erofs driver: one EROFS over the archives of all layers. Its index is made when it is needed
 * first, and kept beside the layer's own as "merged". */
#include "driver/erofs.h"

#include "driver/erofs_format.h"
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* The longest string that fsconfig takes, with its NUL. */
#define VALUE_MAX 256

/* --- the merged index ------------------------------------------------------------------------------------------- */

static int write_merged(struct nc_estack *stack, int fd, struct nacre_error *err)
{
	NC_AUTO_ETREE struct nc_etree tree = { .nodes = NULL };
	NC_AUTO_BUF struct nc_buf head = NC_BUF_INIT(1u << 24);
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	struct nc_erofs_layout layout = { .meta_block = 0 };
	unsigned char tag[NC_EROFS_TAG_ID + 1];
	uint64_t content;
	uint16_t device;
	int code = nc_etree_init(&tree, false, err);
	/* the kernel wants a device, also where all files are empty */
	nc_edevice_tag(nc_estack_id(stack, 0), NC_EROFS_TAG_TAR, tag);
	memcpy(layout.uuid, tag, sizeof layout.uuid);
	if (code == 0)
		code = nc_etree_device(&tree, tag, &device, err);
	if (code == 0)
		code = nc_estack_merge(stack, &tree, err);
	if (code == 0)
		code = nc_writer_fd(fd, false, "merged index", &out, err);
	if (code < 0)
		return code;
	layout.meta_block = (uint32_t)((nc_erofs_head_size(tree.device_count) + NC_EROFS_BLOCK - 1) / NC_EROFS_BLOCK);
	if (lseek(fd, (off_t)layout.meta_block * NC_EROFS_BLOCK, SEEK_SET) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "write the merged index");
	code = nc_erofs_write(&tree, &layout, out, &head, &content, err);
	if (code == 0)
		code = nc_writer_finish(out, err);
	int sys = code < 0 ? 0 : nc_pwrite_full(fd, head.data, head.len, 0);
	return sys ? nc_fail(err, NACRE_E_IO, sys, "write the merged index") : code;
}

/* The index gets its name when all of it is on the disk: nobody looks into it again before the kernel does. 1, or 0: no
 * file can get a name later there. */
static int keep_merged(int dir, int fd, struct nacre_error *err)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (fdatasync(fd) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "sync the merged index");
	if (linkat(AT_FDCWD, path, dir, NC_EROFS_MERGED, AT_SYMLINK_FOLLOW) == 0 || errno == EEXIST)
		return 1;
	return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "name the merged index");
}

/* 1 when it was kept, or 0. */
static int make_merged(const struct nc_erofs_home *home, struct nc_estack *stack, int dir, int *ret,
		       struct nacre_error *err)
{
	NC_AUTO_FD int fd = -1;
	int code = nc_file_unnamed(home->readonly ? -1 : dir, &fd, err);
	if (code == 0)
		code = write_merged(stack, fd, err);
	if (code == 0 && !home->readonly)
		code = keep_merged(dir, fd, err);
	if (code >= 0)
		*ret = nc_fd_give(&fd);
	return code;
}

/* The image to mount, and its name in the layer's directory; NULL: it has none. */
static int open_image(const struct nc_erofs_home *home, const char *id, const char **ret_name, int *ret,
		      struct nacre_error *err)
{
	NC_CLEANUP(nc_estack_auto) struct nc_estack *stack = NULL;
	NC_AUTO_FD int dir = -1;
	int code = nc_estack_new(home->dir, id, &stack, err);
	if (code == 0)
		code = nc_dir_open(home->dir, id, &dir, err);
	if (code < 0)
		return code;
	/* what lies on nothing has no marks */
	*ret_name = nc_estack_depth(stack) == 1 ? "index" : NC_EROFS_MERGED;
	*ret = openat(dir, *ret_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret >= 0)
		return 0;
	if (errno != ENOENT || nc_estack_depth(stack) == 1)
		return nc_fail(err, NACRE_E_IO, errno, "open the index of layer %s", id);
	code = make_merged(home, stack, dir, ret, err);
	if (code == 0)
		*ret_name = NULL;
	return code < 0 ? code : 0;
}

/* --- the mount -------------------------------------------------------------------------------------------------- */

/* A failed step; the kernel's own sentence, if it left one, goes along. */
static int fail_step(int fs, int sys, const char *what, struct nacre_error *err)
{
	char log[200];
	ssize_t len = read(fs, log, sizeof log - 1);
	int code = sys == ENOTBLK || sys == ENODEV ? NACRE_E_UNSUPPORTED : NACRE_E_IO;
	if (len <= 0)
		return nc_fail(err, code, sys, "mount erofs (%s)", what);
	log[len] = '\0';
	log[strcspn(log, "\n")] = '\0';
	return nc_fail(err, code, sys, "mount erofs (%s; the kernel says: %s)", what, log);
}

static int add_devices(int fs, const struct nc_erofs_home *home, const char *id, const struct nc_erofs *image,
		       struct nacre_error *err)
{
	for (size_t i = 0; i < image->device_count; i++) {
		struct nc_edevice_path path;
		char value[VALUE_MAX];
		nc_edevice_path(image->devices[i].tag, id, &path);
		int len = snprintf(value, sizeof value, "%s/%s", home->path, path.text);
		if (len < 0 || (size_t)len >= sizeof value)
			snprintf(value, sizeof value, "/proc/self/fd/%d/%s", home->dir, path.text);
		if (fsconfig(fs, FSCONFIG_SET_STRING, "device", value, 0) < 0)
			return fail_step(fs, errno, path.text, err);
	}
	return 0;
}

/* name: of the image in the layer's directory, for those who read /proc/mounts. */
static int add_source(int fs, const struct nc_erofs_home *home, const char *id, const char *name, int fd,
		      struct nacre_error *err)
{
	char value[VALUE_MAX];
	int len = name ? snprintf(value, sizeof value, "%s/%s/%s", home->path, id, name) : -1;
	if (len < 0 || (size_t)len >= sizeof value)
		snprintf(value, sizeof value, "/proc/self/fd/%d", fd);
	return fsconfig(fs, FSCONFIG_SET_STRING, "source", value, 0) < 0 ? fail_step(fs, errno, "source", err) : 0;
}

int nc_erofs_mount(const struct nc_erofs_home *home, const char *id, int *ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_erofs_close) struct nc_erofs image = { .meta = NULL };
	NC_AUTO_FD int fd = -1;
	NC_AUTO_FD int fs = -1;
	const char *name;
	int code = open_image(home, id, &name, &fd, err);
	if (code == 0)
		code = nc_erofs_open_head(fd, id, &image, err);
	if (code < 0)
		return code;
	fs = fsopen("erofs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return nc_fail(err, errno == ENODEV || errno == ENOSYS ? NACRE_E_UNSUPPORTED : NACRE_E_IO, errno,
			       "use erofs");
	code = add_source(fs, home, id, name, fd, err);
	if (code == 0)
		code = add_devices(fs, home, id, &image, err);
	if (code == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		code = fail_step(fs, errno, "create", err);
	if (code < 0)
		return code;
	int mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	if (mount < 0)
		return fail_step(fs, errno, "fsmount", err);
	*ret = mount;
	return 0;
}
