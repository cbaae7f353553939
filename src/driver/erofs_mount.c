/* Mounting trees of the erofs driver: one EROFS over the archives of all layers, from the files, or where the kernel refuses
 * those, from loop devices on them. Its index is made when it is needed
 * first, and kept beside the layer's own as "merged". */
#include "driver/erofs.h"

#include "driver/erofs_format.h"
#include "io/failure.h"
#include "io/fd.h"
#include "io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
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

/* The files of a mount, by the names that the kernel is to open: the image, and the devices that it names. */
struct files {
	const struct nc_erofs_home *home;
	const char *id, *name;		/* name: of the image in the layer's directory; NULL: it has none */
	int fd;				/* of the image */
	const struct nc_erofs *image;
	struct nc_loop *loops;		/* one for each of them, the image first; NULL: the files themselves */
	size_t loop_count;
};

static void device_value(const struct files *files, size_t i, char *value)
{
	struct nc_edevice_path path;
	if (files->loops) {
		snprintf(value, VALUE_MAX, "%s", files->loops[i + 1].path);
		return;
	}
	nc_edevice_path(files->image->devices[i].tag, files->id, &path);
	int len = snprintf(value, VALUE_MAX, "%s/%s", files->home->path, path.text);
	if (len < 0 || len >= VALUE_MAX)
		snprintf(value, VALUE_MAX, "/proc/self/fd/%d/%s", files->home->dir, path.text);
}

/* For those who read /proc/mounts, by its path where that is possible. */
static void source_value(const struct files *files, char *value)
{
	int len = files->loops ? snprintf(value, VALUE_MAX, "%s", files->loops[0].path)
		  : files->name ? snprintf(value, VALUE_MAX, "%s/%s/%s", files->home->path, files->id, files->name) : -1;
	if (len < 0 || len >= VALUE_MAX)
		snprintf(value, VALUE_MAX, "/proc/self/fd/%d", files->fd);
}

static int configure(int fs, const struct files *files, struct nacre_error *err)
{
	char value[VALUE_MAX];
	source_value(files, value);
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", value, 0) < 0)
		return fail_step(fs, errno, "source", err);
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return fail_step(fs, errno, "ro", err);
	for (size_t i = 0; i < files->image->device_count; i++) {
		device_value(files, i, value);
		if (fsconfig(fs, FSCONFIG_SET_STRING, "device", value, 0) < 0)
			return fail_step(fs, errno, value, err);
	}
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? fail_step(fs, errno, "create", err) : 0;
}

/* ret: not attached anywhere. */
static int mount_files(const struct files *files, int *ret, struct nacre_error *err)
{
	NC_AUTO_FD int fs = fsopen("erofs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return nc_fail(err, errno == ENODEV || errno == ENOSYS ? NACRE_E_UNSUPPORTED : NACRE_E_IO, errno,
			       "use erofs");
	int code = configure(fs, files, err);
	if (code < 0)
		return code;
	int mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	if (mount < 0)
		return fail_step(fs, errno, "fsmount", err);
	*ret = mount;
	return 0;
}

/* --- loop devices ----------------------------------------------------------------------------------------------- */

static void drop_loops(struct files *files)
{
	for (size_t i = 0; i < files->loop_count; i++)
		close(files->loops[i].fd);
	free(files->loops);
	files->loops = NULL;
}

/* A loop device ends with the last whole block of its file. An archive that ends within one is copied, and filled up. */
static int fill_up(const struct nc_erofs_home *home, int *fd, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *archive = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *writer = NULL;
	NC_AUTO_FD int copy = -1;
	struct stat st;
	if (fstat(*fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "look at an archive");
	if (st.st_size % NC_EROFS_BLOCK == 0)
		return 0;
	int code = nc_reader_fd(nc_fd_give(fd), true, "archive", &archive, err);
	if (code == 0)
		code = nc_file_unnamed(home->readonly ? -1 : home->dir, &copy, err);
	if (code == 0)
		code = nc_writer_fd(copy, false, "copy of an archive", &writer, err);
	if (code == 0)
		code = nc_copy_stream(archive, writer, NULL, err);
	if (code == 0)
		code = nc_writer_finish(writer, err);
	if (code < 0)
		return code;
	if (ftruncate(copy, st.st_size / NC_EROFS_BLOCK * NC_EROFS_BLOCK + NC_EROFS_BLOCK) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "copy an archive");
	*fd = nc_fd_give(&copy);
	return 0;
}

static int attach_device(struct files *files, size_t i, struct nacre_error *err)
{
	struct nc_edevice_path path;
	nc_edevice_path(files->image->devices[i].tag, files->id, &path);
	NC_AUTO_FD int fd = openat(files->home->dir, path.text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '%s'", path.text);
	int code = fill_up(files->home, &fd, err);
	return code < 0 ? code : nc_loop_attach(fd, &files->loops[files->loop_count], err);
}

static int attach_loops(struct files *files, struct nacre_error *err)
{
	size_t count = files->image->device_count + 1;
	files->loops = nc_zalloc(count * sizeof *files->loops);
	if (!files->loops)
		return nc_nomem(err);
	int code = nc_loop_attach(files->fd, &files->loops[0], err);
	while (code == 0 && ++files->loop_count < count)
		code = attach_device(files, files->loop_count - 1, err);
	return code;
}

int nc_erofs_mount(const struct nc_erofs_home *home, const char *id, int *ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_erofs_close) struct nc_erofs image = { .meta = NULL };
	NC_AUTO_FD int fd = -1;
	struct files files = { .home = home, .id = id, .image = &image };
	struct nacre_error why = { 0 };
	int code = open_image(home, id, &files.name, &fd, err);
	if (code == 0)
		code = nc_erofs_open_head(fd, id, &image, err);
	if (code < 0)
		return code;
	files.fd = fd;
	code = mount_files(&files, ret, &why);
	/* the kernel is older than 6.12, or it does not read files of this file system so */
	if (code < 0 && why.sys != ENOTBLK)
		return nc_failure_tell(&why, code, err);
	if (code == 0)
		return 0;
	code = attach_loops(&files, err);
	if (code == 0)
		code = mount_files(&files, ret, err);
	drop_loops(&files);
	return code;
}
