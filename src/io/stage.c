/* How maker and sweeper keep out of each other's way
 *
 * A stage belongs to whoever holds the exclusive lock on a file "owner" that is still linked in it. The maker makes
 * the directory, makes "owner" (O_EXCL), locks it, and then looks whether it still has a name: only then is the stage
 * made. A sweeper locks the "owner" that it finds, or makes one itself (O_EXCL) where there is none, and removes
 * nothing before it has the lock. So in the moments between the maker's steps a sweeper may win, and the maker
 * notices: its O_EXCL meets the sweeper's file, its lock is refused, or its file has lost its name. It then begins
 * again under another name. Once the maker has found itself owner, no sweeper gets the lock any more. */
#include "io/stage.h"

#include "io/fd.h"
#include "io/lock.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWNER "owner"
#define NAME_DIGITS 32
/* So often may sweepers win against one maker. */
#define ATTEMPTS_MAX 1000

/* --- making ----------------------------------------------------------------------------------------------------- */

static bool is_linked(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && st.st_nlink > 0;
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
	if (code == NACRE_E_BUSY || (code == 0 && !is_linked(owner)))
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

void nc_stage_free(struct nc_stage *stage)
{
	if (!stage)
		return;
	int saved = errno;
	nc_fd_release(&stage->dir);
	nc_tree_remove(stage->parent, stage->name, NULL);	/* what fails here is swept later */
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
	/* another sweeper may have removed it between the opening and the lock */
	code = sweep->heir && is_linked(owner) ? sweep->heir(sweep->ctx, dir, err) : 0;
	if (code != 0)
		return code < 0 ? code : 0;
	code = nc_tree_remove(parent, name, err);
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
