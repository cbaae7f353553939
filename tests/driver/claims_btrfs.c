/* What only the btrfs driver can do right or wrong; for the others these claims have nothing to say. */
#include "claims.h"

#include "io/fd.h"
#include "io/path.h"
#include "io/subvolume.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_btrfs(void)
{
	return strcmp(driver_name, "btrfs") == 0;
}

/* A command in the rig's directory. */
static void run(const char *text)
{
	char command[8192];
	snprintf(command, sizeof command, "cd '%s' && %s", rig.path, text);
	if (system(command) != 0)
		fail_msg("%s", text);
}

static void subvolume(const char *path)
{
	if (nc_subvolume_create(rig.root, path, -1) == 0)
		return;
	/* the call takes one component */
	char up[4096];
	snprintf(up, sizeof up, "%s", path);
	char *slash = strrchr(up, '/');
	*slash = '\0';
	int dir = openat(rig.root, up, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(nc_subvolume_create(dir, slash + 1, -1), 0);
	close(dir);
}

static void lock(const char *path)
{
	__u64 flags = BTRFS_SUBVOL_RDONLY;
	int dir = openat(rig.root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(ioctl(dir, BTRFS_IOC_SUBVOL_SETFLAGS, &flags), 0);
	close(dir);
}

static void there(const char *path, bool want)
{
	struct stat st;
	assert_int_equal(fstatat(rig.root, path, &st, AT_SYMLINK_NOFOLLOW) == 0, want);
}

/* Somebody made subvolumes inside a layer's, and one read-only. */
void subvolumes_in_subvolumes(void **state)
{
	if (!is_btrfs())
		return;
	char path[4096];
	rig_layer(&rig, 1, 0, "d d\nf d/x 1\n");
	rig_layer(&rig, 2, 1, "f a 1\n");
	snprintf(path, sizeof path, "btrfs/subvolumes/%s/d/inner", rig_id(1));
	subvolume(path);
	run("cd btrfs/subvolumes/*1/d/inner && mkdir full && echo x >full/file");
	snprintf(path, sizeof path, "btrfs/subvolumes/%s/d/inner/most", rig_id(1));
	subvolume(path);
	run("cd btrfs/subvolumes/*1/d/inner/most && touch file");
	lock(path);
	snprintf(path, sizeof path, "btrfs/subvolumes/%s", rig_id(1));
	lock(path);
	/* branches do not have them */
	rig_layer(&rig, 3, 1, "f b 1\n");
	struct nacre_error err;
	assert_done(remove_id(NULL, rig_id(1), &err));
	there(path, false);
	rig_expect(&rig, 2, "f a 1\nd d\nf d/x 1\n");
	run("rmdir trash");
}

/* As a dead stage may hold them, and without the right to drop them at once: name by name. */
void subvolumes_far_down(void **state)
{
	if (!is_btrfs())
		return;
	struct nacre_error err;
	char path[4096] = "stage-x";
	assert_return_code(mkdirat(rig.root, path, 0700), errno);
	for (unsigned i = 0; i < 60; i++) {
		size_t len = strlen(path);
		snprintf(path + len, sizeof path - len, "/%u", i);
		if (i % 10 == 3 || (i > 18 && i < 30))
			subvolume(path);
		else
			assert_return_code(mkdirat(rig.root, path, 0700), errno);
		int dir = openat(rig.root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_done(nc_file_create(dir, "file", "x", 1, &err));
		close(dir);
	}
	assert_done(nc_tree_remove(rig.root, "stage-x", &err));
	there("stage-x", false);
}

/* A branch counts what was written into it. */
void space_of_branches(void **state)
{
	if (!is_btrfs())
		return;
	struct nacre_error err;
	uint64_t all, one;
	char *big = malloc(1 << 20), *line = malloc((1 << 20) + 10);
	memset(big, 'x', 1 << 20);
	big[7000] = '\0';
	sprintf(line, "f big %s", big);
	for (unsigned i = 0; i < 30; i++) {
		char more[8000];
		snprintf(more, sizeof more, "\nf big%u %s", i, big);
		strcat(line, more);
	}
	rig_layer(&rig, 1, 0, line);
	usleep(20000);	/* longer than a tick of the clock of files */
	rig_layer(&rig, 2, 1, "f d/small 1\nf .wh.big\n");
	assert_return_code(syncfs(rig.root), errno);
	assert_done(rig.driver->ops->usage(rig.driver, rig_id(1), &all, &err));
	assert_done(rig.driver->ops->usage(rig.driver, rig_id(2), &one, &err));
	assert_true(all >= 31 * 7000);
	assert_true(one > 0 && one < 20000);
	free(big);
	free(line);
}

/* syncfs makes a sealed tree durable: what the disk holds at that moment, as after a power cut, has it. */
void sealed_and_synced(void **state)
{
	if (!is_btrfs())
		return;
	struct rig outer = rig;
	char path[sizeof rig.path + 5];
	snprintf(path, sizeof path, "%s/disk", outer.path);
	run("mkdir disk && truncate -s 128M disk.img && mkfs.btrfs -q disk.img 2>&1 && "
	    "mount -o loop,commit=300 disk.img disk");
	rig_open(&rig, driver_name, path);
	rig_layer(&rig, 1, 0, "d d\nf d/x 1\n");
	rig_layer(&rig, 2, 1, "f d/y 2\nf d/.wh.x\n");
	assert_return_code(syncfs(rig.root), errno);
	run("cp --reflink=never ../disk.img ../disk.cut");
	rig_close(&rig);
	rig = outer;
	run("umount disk && mount -o loop disk.cut disk");
	rig_open(&rig, driver_name, path);
	rig_expect(&rig, 2, "d d\nf d/y 2\n");
	rig_close(&rig);
	rig = outer;
	run("umount disk");
}
