/* How maker and sweeper keep out of each other's way
 *
 * A stage belongs to whoever holds the exclusive lock on the file "owner" in it, as long as the stage has its name.
 *
 * The maker makes the directory, makes "owner" (O_EXCL), locks it, and then looks whether the directory still has
 * its name: only then is the stage made. A sweeper locks the "owner" that it finds, or makes one itself (O_EXCL)
 * where there is none; with the lock it gives the directory another name, and only then begins to remove. So a
 * sweeper may win in the moments between the maker's steps, but the maker notices: its O_EXCL meets the sweeper's
 * file, or its lock is refused, or the name is gone. It then begins again under another name. Once the maker has
 * found itself the owner, no sweeper gets the lock any more.
 *
 * The new name is what makes this safe: while a sweeper empties the directory there is a moment without "owner", in
 * which a slow maker could make and lock a second one. */
#include "io/stage.h"

#include "io/fd.h"
#include "io/lock.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWNER "owner"
#define NAME_DIGITS 32
/* So often may sweepers win against one maker. */
#define ATTEMPTS_MAX 1000

/* --- making ----------------------------------------------------------------------------------------------------- */

static bool has_name(int parent, const char *name, int fd)
{
	struct stat own, named;
	return fstat(fd, &own) == 0 && fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       own.st_ino == named.st_ino && own.st_dev == named.st_dev;
}

/* One attempt: 1 is made, 0 is that a sweeper won. */
static int try_make(struct nc_stage *stage, struct nacre_error *err)
{
	int code = nc_random_hex(stage->name, NAME_DIGITS, err);
	if (code < 0)
		return code;
	if (mkdirat(stage->parent, stage->name, 0700) < 0)
		return errno == EEXIST ? 0 : nc_fail(err, NACRE_E_IO, errno, "make stage '%s'", stage->name);
	NC_AUTO_FD int dir = -1;
	code = nc_dir_open(stage->parent, stage->name, &dir, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND ? 0 : code;
	NC_AUTO_FD int owner = openat(dir, OWNER, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (owner < 0 && (errno == EEXIST || errno == ENOENT))
		return 0;
	if (owner < 0) {
		code = nc_fail(err, NACRE_E_IO, errno, "make the owner of stage '%s'", stage->name);
		unlinkat(stage->parent, stage->name, AT_REMOVEDIR);
		return code;
	}
	code = nc_lock_take(owner, NC_LOCK_EXCLUSIVE, 0, 0, false, err);
	if (code == NACRE_E_BUSY || (code == 0 && !has_name(stage->parent, stage->name, dir)))
		return 0;
	if (code < 0) {
		nc_tree_remove(stage->parent, stage->name, NULL);
		return nc_wrap(err, code, "stage '%s'", stage->name);
	}
	stage->dir = nc_fd_give(&dir);
	stage->owner = nc_fd_give(&owner);
	return 1;
}

int nc_stage_new(int parent, struct nc_stage **ret, struct nacre_error *err)
{
	struct nc_stage *stage = nc_alloc(sizeof *stage);
	if (!stage)
		return nc_nomem(err);
	*stage = (struct nc_stage){ .parent = parent, .dir = -1, .owner = -1 };
	int made = 0;
	for (int i = 0; made == 0 && i < ATTEMPTS_MAX; i++)
		made = try_make(stage, err);
	if (made == 0)
		made = nc_fail(err, NACRE_E_BUSY, 0, "make a stage: each of %d was swept at once", ATTEMPTS_MAX);
	if (made < 0) {
		free(stage);
		return made;
	}
	*ret = stage;
	return 0;
}

/* --- removing --------------------------------------------------------------------------------------------------- */

static int remove_entry(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	return strcmp(name, OWNER) == 0 ? 0 : nc_tree_remove(*(int *)ctx, name, err);
}

/* "owner" goes last, so that no sweeper finds a stage that is half gone while it has an owner. */
static int remove_stage(int parent, const char *name, int dir, struct nacre_error *err)
{
	int code = nc_dir_each(dir, remove_entry, &dir, err);
	return code < 0 ? code : nc_tree_remove(parent, name, err);
}

void nc_stage_free(struct nc_stage *stage)
{
	if (!stage)
		return;
	int saved = errno;
	remove_stage(stage->parent, stage->name, stage->dir, NULL);	/* what fails here is swept later */
	nc_fd_release(&stage->dir);
	nc_fd_release(&stage->owner);
	free(stage);
	errno = saved;
}

/* --- sweeping --------------------------------------------------------------------------------------------------- */

/* Opens "owner", making it when the maker died before it did. 0 is that another is at it. */
static int open_owner(int dir, int *ret_fd, struct nacre_error *err)
{
	for (int i = 0; i < 2; i++) {
		int fd = openat(dir, OWNER, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			fd = openat(dir, OWNER, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0) {
			*ret_fd = fd;
			return 1;
		}
		if (errno == ENOENT)	/* the directory itself is gone */
			return 0;
		if (errno != EEXIST)
			return nc_fail(err, NACRE_E_IO, errno, "open the owner");
	}
	return 0;
}

struct sweep {
	int parent;
	int (*heir)(void *ctx, int dir, struct nacre_error *err);
	void *ctx;
	int swept;
	int code;			/* the first failure */
	struct nacre_error *err;
};

/* 1 is swept, 0 is that it is somebody's. */
static int sweep_stage(const struct sweep *sweep, const char *name, struct nacre_error *err)
{
	int parent = sweep->parent;
	NC_AUTO_FD int dir = -1, owner = -1;
	int code = nc_dir_open(parent, name, &dir, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND ? 0 : code;
	code = open_owner(dir, &owner, err);
	if (code <= 0)
		return code;
	code = nc_lock_take(owner, NC_LOCK_EXCLUSIVE, 0, 0, false, err);
	if (code < 0)
		return code == NACRE_E_BUSY ? 0 : code;
	/* another sweeper may have been there between the opening and the lock */
	if (!has_name(dir, OWNER, owner) || !has_name(parent, name, dir))
		return 0;
	code = sweep->heir ? sweep->heir(sweep->ctx, dir, err) : 0;
	if (code != 0)
		return code < 0 ? code : 0;
	char doomed[NAME_DIGITS + 1];
	code = nc_random_hex(doomed, NAME_DIGITS, err);
	if (code < 0)
		return code;
	if (renameat(parent, name, parent, doomed) < 0)
		return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "rename");
	code = remove_stage(parent, doomed, dir, err);
	return code < 0 ? code : 1;
}

static bool is_stage_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == NAME_DIGITS && !name[NAME_DIGITS];
}

static int sweep_name(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct sweep *sweep = ctx;
	if (!is_stage_name(name))
		return 0;
	struct nacre_error why;
	int code = sweep_stage(sweep, name, &why);
	if (code > 0) {
		sweep->swept++;
	} else if (code < 0 && sweep->code == 0) {
		sweep->code = code;
		if (sweep->err)
			*sweep->err = why;
		nc_wrap(sweep->err, code, "sweep stage '%s'", name);
	}
	return 0;
}

int nc_stage_sweep(int parent, struct nacre_error *err)
{
	return nc_stage_sweep_with(parent, NULL, NULL, err);
}

int nc_stage_sweep_with(int parent, int (*heir)(void *ctx, int dir, struct nacre_error *err), void *ctx,
			struct nacre_error *err)
{
	struct sweep sweep = { .parent = parent, .heir = heir, .ctx = ctx, .err = err };
	int code = nc_dir_each(parent, sweep_name, &sweep, err);
	if (sweep.code < 0)
		return sweep.code;
	return code < 0 ? code : sweep.swept;
}
