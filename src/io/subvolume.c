#include "io/subvolume.h"

#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* The inode number of the root of every subvolume (BTRFS_FIRST_FREE_OBJECTID). */
#define ROOT_NUMBER 256

bool nc_subvolume_is(int dirfd, const char *name)
{
	struct stat st;
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) && st.st_ino == ROOT_NUMBER;
}

int nc_subvolume_create(int dirfd, const char *name, int from)
{
	struct btrfs_ioctl_vol_args_v2 args = { .fd = from };
	size_t len = strlen(name);
	if (len > BTRFS_SUBVOL_NAME_MAX)
		return ENAMETOOLONG;
	memcpy(args.name, name, len + 1);
	if (from < 0)
		args.fd = 0;
	return ioctl(dirfd, from < 0 ? BTRFS_IOC_SUBVOL_CREATE_V2 : BTRFS_IOC_SNAP_CREATE_V2, &args) < 0 ? errno : 0;
}

int nc_subvolume_destroy(int dirfd, const char *name)
{
	struct btrfs_ioctl_vol_args args = { .fd = 0 };
	size_t len = strlen(name);
	if (len > BTRFS_PATH_NAME_MAX)
		return ENAMETOOLONG;
	memcpy(args.name, name, len + 1);
	return ioctl(dirfd, BTRFS_IOC_SNAP_DESTROY, &args) < 0 ? errno : 0;
}

int nc_subvolume_unlock(int dirfd, const char *name)
{
	NC_AUTO_FD int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	__u64 flags;
	if (fd < 0 || ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0)
		return errno;
	if (!(flags & BTRFS_SUBVOL_RDONLY))
		return 0;
	flags &= ~BTRFS_SUBVOL_RDONLY;
	return ioctl(fd, BTRFS_IOC_SUBVOL_SETFLAGS, &flags) < 0 ? errno : 0;
}

int nc_subvolume_branched(int fd, struct timespec *ret)
{
	static const __u8 none[BTRFS_UUID_SIZE];
	struct btrfs_ioctl_get_subvol_info_args info = { .treeid = 0 };
	if (ioctl(fd, BTRFS_IOC_GET_SUBVOL_INFO, &info) < 0)
		return errno;
	*ret = (struct timespec){ 0 };
	if (memcmp(info.parent_uuid, none, sizeof none) != 0)
		*ret = (struct timespec){ .tv_sec = (time_t)info.otime.sec, .tv_nsec = (long)info.otime.nsec };
	return 0;
}
