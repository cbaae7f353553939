/* How maker, sweeper and onlooker keep out of each other's way
 *
 * A stage belongs to whoever holds the exclusive lock on the file "owner" in it. Under its own name it always has that file, and
 * a living stage has it locked: so whoever looks at a name need not look twice. It comes and goes under that name with ".empty"
 * behind it, as a directory that holds the owner at most.
 *
 * The maker makes the directory and "owner" (O_EXCL), locks it, and looks whether it is still the file of that name; the stage
 * then gets its own name. A sweeper locks the "owner" that it finds, or makes one itself (O_EXCL) where there is none, and looks
 * at it in the same way. Only who has passed that look takes "owner" away again, so a sweeper may win in the moments between the
 * maker's steps, but the maker notices and begins again under another name. */
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
#define EMPTY ".empty"
#define EMPTY_NAME (NAME_DIGITS + sizeof EMPTY)
/* So often may sweepers win against one maker. */
#define ATTEMPTS_MAX 1000

/* What comes behind the digits of a stage's name; NULL: it is none. */
static const char *behind_digits(const char *name)
{
	return strspn(name, "0123456789abcdef") == NAME_DIGITS ? name + NAME_DIGITS : NULL;
}

static void name_empty(const char *name, char ret[EMPTY_NAME])
{
	snprintf(ret, EMPTY_NAME, "%.*s" EMPTY, NAME_DIGITS, name);
}

/* --- making ----------------------------------------------------------------------------------------------------- */

static bool has_name(int parent, const char *name, int fd)
{
	struct stat own, named;
	return fstat(fd, &own) == 0 && fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       own.st_ino == named.st_ino && own.st_dev == named.st_dev;
}

/* What is made, when something fails. */
static int give_up(const struct nc_stage *stage, const char *empty, int code, struct nacre_error *err)
{
	nc_tree_remove(stage->parent, empty, NULL);
	return nc_wrap(err, code, "stage '%s'", stage->name);
}

/* One attempt: 1 is made, 0 is that a sweeper won. */
static int try_make(struct nc_stage *stage, struct nacre_error *err)
{
	char empty[EMPTY_NAME];
	int code = nc_random_hex(stage->name, NAME_DIGITS, err);
	if (code < 0)
		return code;
	name_empty(stage->name, empty);
	if (mkdirat(stage->parent, empty, 0700) < 0)
		return errno == EEXIST ? 0 : nc_fail(err, NACRE_E_IO, errno, "make stage '%s'", stage->name);
	NC_AUTO_FD int dir = -1;
	code = nc_dir_open(stage->parent, empty, &dir, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND ? 0 : give_up(stage, empty, code, err);
	NC_AUTO_FD int owner = openat(dir, OWNER, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (owner < 0 && (errno == EEXIST || errno == ENOENT))
		return 0;
	if (owner < 0)
		return give_up(stage, empty, nc_fail(err, NACRE_E_IO, errno, "make its owner"), err);
	code = nc_lock_take(owner, NC_LOCK_EXCLUSIVE, 0, 0, false, err);
	if (code == NACRE_E_BUSY || (code == 0 && !has_name(dir, OWNER, owner)))
		return 0;
	if (code == 0 && renameat(stage->parent, empty, stage->parent, stage->name) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "give it its name");
	if (code < 0)
		return give_up(stage, empty, code, err);
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

/* "owner" goes last. A maker or sweeper that has put another in its place meanwhile has the directory then. */
static int remove_stage(int parent, const char *name, int dir, struct nacre_error *err)
{
	char empty[EMPTY_NAME];
	name_empty(name, empty);
	int code = nc_dir_each(dir, remove_entry, &dir, err);
	if (code < 0)
		return code;
	/* a full disk may refuse a new name, and yet let go */
	if (renameat(parent, name, parent, empty) == 0)
		name = empty;
	if (unlinkat(dir, OWNER, 0) < 0 && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "remove the owner");
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "remove the directory");
	return 0;
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

/* Opens "owner", making it when the maker died before it did. 0 is that another is at it, or that the stage is gone. */
static int open_owner(int parent, const char *name, int dir, int *ret_fd, struct nacre_error *err)
{
	int fd = openat(dir, OWNER, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (!has_name(parent, name, dir))
			return 0;
		fd = openat(dir, OWNER, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && (errno == EEXIST || errno == ENOENT))
			return 0;
	}
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the owner");
	*ret_fd = fd;
	return 1;
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
	code = open_owner(parent, name, dir, &owner, err);
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
	code = remove_stage(parent, name, dir, err);
	return code < 0 ? code : 1;
}

static int sweep_name(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct sweep *sweep = ctx;
	const char *rest = behind_digits(name);
	if (!rest || (*rest && strcmp(rest, EMPTY) != 0))
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

/* --- looking on ------------------------------------------------------------------------------------------------- */

/* The owner's lock is looked at first: it lasts longer than the name. */
bool nc_stage_is_left(int parent, const char *name)
{
	const char *rest = behind_digits(name);
	NC_AUTO_FD int dir = -1;
	if (!rest || *rest || nc_dir_open(parent, name, &dir, NULL) < 0)
		return false;
	NC_AUTO_FD int owner = openat(dir, OWNER, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return !(owner >= 0 && nc_lock_held(owner, NC_LOCK_SHARED, 0, 0)) && has_name(parent, name, dir);
}
