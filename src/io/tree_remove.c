#include "base/mem.h"
#include "io/fd.h"
#include "io/path.h"
#include "io/subvolume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* So many directories are held open on the way down. What lies deeper is moved up into the topmost one under a random
 * name and removed from there: no depth costs more than this, and ".." is never trusted. Nothing can be moved from one
 * subvolume to another but subvolumes themselves; so these are moved up early, and what lies in them has room to be
 * moved inside. */
#define LEVELS_MAX 24
#define SUBVOLUME_LEVELS_MAX 12
/* A directory may be read that often without finding anything, though it is not empty: others may be at it too. */
#define FRUITLESS_MAX 100

struct level {
	DIR *dir;
	dev_t device;
	char name[NAME_MAX + 1];	/* in the level above */
	bool progress;			/* the pass under way changed something */
	unsigned fruitless;		/* passes that did not */
};

struct removal {
	int parent;
	struct level levels[LEVELS_MAX];
	int depth;			/* open levels */
};

static void removal_release(struct removal *removal)
{
	int saved = errno;
	while (removal->depth > 0)
		closedir(removal->levels[--removal->depth].dir);
	errno = saved;
}

static int fail_at(const struct removal *removal, const char *name, int sys, struct nacre_error *err)
{
	char path[400];
	size_t used = 0;
	for (int i = 0; i < removal->depth && used < sizeof path; i++)
		used += (size_t)snprintf(path + used, sizeof path - used, "%s/", removal->levels[i].name);
	if (used < sizeof path)
		snprintf(path + used, sizeof path - used, "%s", name);
	return nc_fail(err, NACRE_E_IO, sys, "remove '%s'", path);
}

/* The directory in which the names of the deepest open level lie. */
static int current(const struct removal *removal)
{
	return removal->depth ? dirfd(removal->levels[removal->depth - 1].dir) : removal->parent;
}

static void note_progress(struct removal *removal)
{
	if (removal->depth)
		removal->levels[removal->depth - 1].progress = true;
}

static int open_unlocked(int parent, const char *name, dev_t *ret_device)
{
	const int how = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	NC_AUTO_FD int fd = openat(parent, name, how);
	if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = openat(parent, name, how);
	if (fd < 0)
		return -1;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -1;
	*ret_device = st.st_dev;
	if ((st.st_mode & 0700) != 0700)
		fchmod(fd, 0700);	/* who may do without need not succeed; who may not will be told by unlink */
	return nc_fd_give(&fd);
}

/* Make the directory name the deepest level. */
static int enter(struct removal *removal, const char *name, struct nacre_error *err)
{
	dev_t device;
	NC_AUTO_FD int fd = open_unlocked(current(removal), name, &device);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail_at(removal, name, errno, err);
	DIR *dir = fdopendir(fd);
	if (!dir)
		return fail_at(removal, name, errno, err);
	nc_fd_give(&fd);
	struct level *level = &removal->levels[removal->depth++];
	level->dir = dir;
	level->device = device;
	level->progress = false;
	level->fruitless = 0;
	snprintf(level->name, sizeof level->name, "%s", name);
	return 0;
}

/* Move the directory name out of the deepest level into the topmost one that can have it. */
static int move_up(struct removal *removal, const char *name, bool subvolume, struct nacre_error *err)
{
	int at = 0;
	while (!subvolume && removal->levels[at].device != removal->levels[removal->depth - 1].device)
		at++;
	int from = current(removal), top = dirfd(removal->levels[at].dir);
	char random[33];
	int code = nc_random_hex(random, 32, err);
	if (code < 0)
		return code;
	int moved = renameat(from, name, top, random);
	/* a directory that changes its parent has to be writable itself */
	if (moved < 0 && errno == EACCES && fchmodat(from, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		moved = renameat(from, name, top, random);
	if (moved < 0 && errno != ENOENT)
		return fail_at(removal, name, errno, err);
	note_progress(removal);
	removal->levels[at].progress = true;
	return 0;
}

/* Remove one name of the deepest level, or enter it. rmdir comes first: it tells an empty directory, a full one, a
 * mount point (EBUSY, whatever is mounted) and everything else apart without opening anything. */
static int remove_name(struct removal *removal, const char *name, unsigned char type, struct nacre_error *err)
{
	int dir = current(removal);
	int sys = ENOTDIR;
	if (type == DT_DIR || type == DT_UNKNOWN)
		sys = unlinkat(dir, name, AT_REMOVEDIR) < 0 ? errno : 0;
	if (sys == ENOTDIR)
		sys = unlinkat(dir, name, 0) < 0 ? errno : 0;
	if (sys == 0 || sys == ENOENT) {
		note_progress(removal);
		return 0;
	}
	if (sys == EISDIR)	/* a directory took the place of what readdir saw; the next pass meets it */
		return 0;
	if (sys != ENOTEMPTY && sys != EEXIST)
		return fail_at(removal, name, sys, err);
	bool subvolume = nc_subvolume_is(dir, name);
	if (subvolume) {
		if (nc_subvolume_destroy(dir, name) == 0) {
			note_progress(removal);
			return 0;
		}
		/* name by name, then: this process may not, or there are others in it */
		nc_subvolume_unlock(dir, name);
	}
	int max = subvolume ? SUBVOLUME_LEVELS_MAX : LEVELS_MAX;
	return removal->depth < max ? enter(removal, name, err) : move_up(removal, name, subvolume, err);
}

/* The deepest level was read to its end: remove it, or read it again if there is hope. */
static int leave(struct removal *removal, struct nacre_error *err)
{
	struct level *level = &removal->levels[removal->depth - 1];
	int above = removal->depth > 1 ? dirfd(removal->levels[removal->depth - 2].dir) : removal->parent;
	int sys = unlinkat(above, level->name, AT_REMOVEDIR) < 0 ? errno : 0;
	if (!level->progress)
		level->fruitless++;
	if ((sys == ENOTEMPTY || sys == EEXIST) && level->fruitless < FRUITLESS_MAX) {
		level->progress = false;
		rewinddir(level->dir);
		return 0;
	}
	closedir(level->dir);
	removal->depth--;
	if (sys && sys != ENOENT)
		return fail_at(removal, level->name, sys, err);
	note_progress(removal);
	return 0;
}

int nc_tree_remove(int dirfd, const char *name, struct nacre_error *err)
{
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' is not the name of something to remove", name);
	if (strlen(name) > NAME_MAX)
		return nc_fail(err, NACRE_E_INVALID, ENAMETOOLONG, "remove '%s'", name);
	NC_CLEANUP(removal_release) struct removal removal;
	removal.parent = dirfd;
	removal.depth = 0;
	int code = remove_name(&removal, name, DT_UNKNOWN, err);
	while (code == 0 && removal.depth) {
		errno = 0;
		struct dirent *entry = readdir(removal.levels[removal.depth - 1].dir);
		if (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0))
			continue;
		if (entry)
			code = remove_name(&removal, entry->d_name, entry->d_type, err);
		else if (errno)
			code = fail_at(&removal, "", errno, err);
		else
			code = leave(&removal, err);
	}
	return code;
}
