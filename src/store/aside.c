/* What is damaged beyond mending, and may still be of use to somebody: ROOT/aside/<random>/item, and beside it "from", the
 * path below the root that it had. Moving it back there undoes it. */
#include "io/path.h"
#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOME "aside"
#define NAME_DIGITS 16

static int make_place(struct nacre_store *store, int home, const char *path, int *ret, struct nacre_error *err)
{
	char name[NAME_DIGITS + 1];
	NC_AUTO_FD int dir = -1;
	int code = nc_random_hex(name, NAME_DIGITS, err);
	if (code == 0)
		code = nc_dir_ensure(home, name, &dir, err);
	if (code == 0)
		code = nc_file_create(dir, "from", path, strlen(path), err);
	NC_AUTO_FD int from = code == 0 ? openat(dir, "from", O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (code == 0)
		code = from < 0 ? nc_fail(err, NACRE_E_IO, errno, "open 'from'") : nc_store_sync(store, from, "'from'", err);
	if (code == 0)
		code = nc_store_sync(store, home, "'" HOME "'", err);
	if (code == 0)
		*ret = nc_fd_give(&dir);
	return code;
}

int nc_aside(struct nacre_store *store, const char *path, struct nacre_error *err)
{
	NC_AUTO_FREE char *above = nc_strdup(path);
	NC_AUTO_FD int home = -1;
	NC_AUTO_FD int place = -1;
	if (!above)
		return nc_nomem(err);
	char *name = strrchr(above, '/');
	if (!name)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' cannot be set aside", path);
	*name++ = '\0';
	NC_AUTO_FD int dir = nc_path_open(store->root, above, O_RDONLY | O_DIRECTORY, NC_PATH_NO_SYMLINKS);
	if (dir < 0)
		return nc_fail(err, NACRE_E_IO, -dir, "open '%s'", above);
	int code = nc_dir_ensure(store->root, HOME, &home, err);
	if (code == 0)
		code = nc_store_sync(store, store->root, "the store's directory", err);
	if (code == 0)
		code = make_place(store, home, path, &place, err);
	if (code == 0 && renameat(dir, name, place, "item") < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "set '%s' aside", path);
	if (code == 0)
		code = nc_store_sync(store, place, "what is set aside", err);
	return code < 0 ? code : nc_store_sync(store, dir, above, err);
}

struct count {
	int home;
	uint64_t count;
};

static int count_one(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct count *count = ctx;
	char path[NAME_DIGITS + 8];
	struct stat st;
	NC_AUTO_FD int dir = -1;
	if (snprintf(path, sizeof path, "%s", name) == NAME_DIGITS && nc_dir_open(count->home, name, &dir, NULL) == 0 &&
	    fstatat(dir, "item", &st, AT_SYMLINK_NOFOLLOW) == 0)
		count->count++;
	return 0;
}

int nc_aside_count(struct nacre_store *store, uint64_t *ret, struct nacre_error *err)
{
	NC_AUTO_FD int home = -1;
	struct count count = { .home = -1 };
	int code = nc_dir_open(store->root, HOME, &home, err);
	count.home = home;
	if (code == 0)
		code = nc_dir_each(home, count_one, &count, err);
	*ret = count.count;
	return code == NACRE_E_NOTFOUND ? 0 : code;
}
