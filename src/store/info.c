/* What a store is made of, and what it could be made of. */
#include "store/inner.h"
#include "store/old_root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const struct {
	unsigned long magic;
	const char *name;
} file_systems[] = {
	{ 0xef53, "ext4" }, { 0x58465342, "xfs" }, { 0x9123683e, "btrfs" }, { 0x01021994, "tmpfs" },
	{ 0x794c7630, "overlay" }, { 0x2fc12fc1, "zfs" }, { 0xf2f52010, "f2fs" }, { 0x6969, "nfs" },
	{ 0x65735546, "fuse" }, { 0xff534d42, "cifs" }, { 0xfe534d42, "smb2" }, { 0x858458f6, "ramfs" },
	{ 0x73717368, "squashfs" }, { 0xe0f5e1e2, "erofs" }, { 0xf15f, "ecryptfs" }, { 0xca451a4e, "bcachefs" },
};

static char *name_of_backing(int fd)
{
	struct statfs fs;
	char text[24];
	unsigned long magic = fstatfs(fd, &fs) < 0 ? 0 : (unsigned long)fs.f_type & 0xffffffff;
	for (size_t i = 0; i < sizeof file_systems / sizeof *file_systems; i++)
		if (file_systems[i].magic == magic)
			return nc_strdup(file_systems[i].name);
	snprintf(text, sizeof text, "0x%lx", magic);
	return nc_strdup(text);
}

static int count_mount(void *ctx, const char *id, const char *path)
{
	++*(uint64_t *)ctx;
	return 0;
}

static void info_auto(struct nacre_store_info **info)
{
	nacre_store_info_free(*info);
}

int nacre_store_info_get(struct nacre_store *store, struct nacre_store_info **ret, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	int code = nc_catalog_ask(store->catalog, NC_ASK_COUNTS, NULL, NULL, &rows, err);
	if (code < 0)
		return code;
	NC_CLEANUP(info_auto) struct nacre_store_info *info = nc_zalloc(sizeof *info);
	if (!info)
		return nc_nomem(err);
	info->root = nc_strdup(store->path);
	info->driver = nc_strdup(store->driver->ops->name);
	info->backing = name_of_backing(store->root);
	if (!info->root || !info->driver || !info->backing)
		return nc_nomem(err);
	info->layout = NC_LAYOUT;
	info->images = (uint64_t)nc_rows_number(&rows, 0, 0);
	info->layers = (uint64_t)nc_rows_number(&rows, 0, 1);
	info->names = (uint64_t)nc_rows_number(&rows, 0, 2);
	code = nacre_mounts_each(store, count_mount, &info->mounts, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(info);
	return 0;
}

void nacre_store_info_free(struct nacre_store_info *info)
{
	if (!info)
		return;
	free(info->root);
	free(info->driver);
	free(info->backing);
	free(info);
}

/* The directory at path, or the nearest above it that there is. */
static int open_nearest(const char *path, int *ret_fd, struct nacre_error *err)
{
	NC_AUTO_FREE char *at = nc_strdup(*path ? path : ".");
	if (!at)
		return nc_nomem(err);
	for (;;) {
		int fd = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0) {
			*ret_fd = fd;
			return 0;
		}
		if (errno != ENOENT || strcmp(at, "/") == 0 || strcmp(at, ".") == 0)
			return nc_fail(err, NACRE_E_IO, errno, "open '%s'", at);
		char *slash = strrchr(at, '/');
		if (!slash)
			strcpy(at, ".");
		else
			slash[slash == at ? 1 : 0] = '\0';
	}
}

int nacre_drivers_each(const char *root, void (*fn)(void *ctx, const char *driver, const char *reason), void *ctx,
		       struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	int code = open_nearest(root, &dir, err);
	if (code < 0)
		return code;
	/* probing writes; such a root has its driver already, and is not to be changed by a question */
	char old[NC_DRIVER_NAME] = "";
	struct stat st;
	if (fstatat(dir, "nacre.json", &st, AT_SYMLINK_NOFOLLOW) < 0)
		nc_old_root_find(dir, NULL, old, NULL);
	for (const struct nc_driver_ops *const *ops = nc_drivers; *ops; ops++) {
		struct nacre_error why = { 0 };
		if (!*old)
			code = (*ops)->probe(dir, &why);
		else if (strcmp(old, (*ops)->name) != 0)
			code = nc_fail(&why, NACRE_E_INVALID, 0, "it is a root of Docker's with the driver %s", old);
		else
			code = 0;
		fn(ctx, (*ops)->name, code < 0 ? why.msg : NULL);
	}
	return 0;
}
