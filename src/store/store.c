/* Stores: making one, opening it, closing it. The order of making is such that a directory is either no store yet,
 * with nothing in it but "lock" and "nacre.tmp", or a whole one: nacre.json appears last, by a rename. Directories of
 * the layout that are missing are made at any opening for writing. */
#include "image/gojson.h"
#include "io/ahead.h"
#include "io/path.h"
#include "store/inner.h"
#include "store/old_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTION "nacre.json"
#define DESCRIPTION_MAX ((size_t)64 << 10)
#define LOCK "lock"
#define MAKING "nacre.tmp"
#define EPHEMERAL_DRIVER "memory"

/* --- nacre.json ------------------------------------------------------------------------------------------------- */

struct description {
	long long layout;
	char driver[NC_DRIVER_NAME];
	bool adopted;			/* a root of Docker's became the store */
};

static int parse_description(const char *text, size_t len, struct description *ret, struct nacre_error *err)
{
	json_t *json = NULL;
	int code = nc_json_parse(text, len, DESCRIPTION, &json, err);
	if (code < 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'" DESCRIPTION "' is damaged");
	json_t *layout = json_object_get(json, "layout");
	const char *driver = json_string_value(json_object_get(json, "driver"));
	if (!json_is_integer(layout) || json_integer_value(layout) < 1)
		code = nc_fail(err, NACRE_E_CORRUPT, 0, "'" DESCRIPTION "' has no layout");
	else if (json_integer_value(layout) > NC_LAYOUT)
		code = nc_fail(err, NACRE_E_UNSUPPORTED, 0, "the store has layout %lld, newer than the %d that this "
			       "nacre knows", (long long)json_integer_value(layout), NC_LAYOUT);
	else if (!driver || strlen(driver) >= sizeof ret->driver)
		code = nc_fail(err, NACRE_E_CORRUPT, 0, "'" DESCRIPTION "' names no driver");
	if (code == 0) {
		ret->layout = json_integer_value(layout);
		strcpy(ret->driver, driver);
		ret->adopted = json_is_string(json_object_get(json, "adopted"));
	}
	json_decref(json);
	return code;
}

/* NACRE_E_NOTFOUND when there is none. */
static int read_description(int root, struct description *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	int code = nc_file_read(root, DESCRIPTION, DESCRIPTION_MAX, &text, &len, err);
	if (code < 0)
		return code == NACRE_E_BADDATA || code == NACRE_E_LIMIT
			       ? nc_fail(err, NACRE_E_CORRUPT, 0, "'" DESCRIPTION "' is damaged") : code;
	return parse_description(text, len, ret, err);
}

static int write_description(int root, int making, const char *driver, bool adopted, bool durable,
			     struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(DESCRIPTION_MAX);
	int code = nc_buf_addf(&text, err, "{\"layout\":%d,\"driver\":\"%s\",\"created_by\":\"nacre %s\"%s}\n",
			       NC_LAYOUT, driver, nacre_version(), adopted ? ",\"adopted\":\"docker\"" : "");
	if (code == 0)
		code = nc_file_replace(making, DESCRIPTION, text.data, text.len, durable, err);
	if (code == 0 && renameat(making, DESCRIPTION, root, DESCRIPTION) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "make '" DESCRIPTION "'");
	return code;
}

/* --- making ----------------------------------------------------------------------------------------------------- */

static int find_stranger(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	if (strcmp(name, LOCK) == 0 || strcmp(name, MAKING) == 0)
		return 0;
	return nc_fail(err, NACRE_E_INVALID, 0, "not a nacre store, and not empty: it holds '%s'", name);
}

static int choose_driver(int making, const char *wanted, const struct nc_driver_ops **ret, struct nacre_error *err)
{
	if (!wanted)
		return nc_driver_choose(making, ret, err);
	const struct nc_driver_ops *ops = nc_driver_find(wanted);
	if (!ops)
		return nc_fail(err, NACRE_E_INVALID, 0, "no driver is called '%s'", wanted);
	int code = ops->probe(making, err);
	if (code < 0)
		return nc_wrap(err, code, "driver %s", wanted);
	*ret = ops;
	return 0;
}

static bool holds(int root, const char *name)
{
	struct stat st;
	return fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What is in the way of an adoption: our own names of one that was not finished (nacre.tmp is there), or another's. */
static int clear_for_adoption(int root, struct nacre_error *err)
{
	static const char *const ours[] = { "names", NC_LEFT_OUT, "catalog.db", "blobs", "mounts" };
	bool begun = holds(root, MAKING);
	for (size_t i = 0; !begun && i < sizeof ours / sizeof *ours; i++)
		if (holds(root, ours[i]))
			return nc_fail(err, NACRE_E_INVALID, 0, "a root of Docker's cannot become a store while it holds "
				       "'%s', which is not Docker's", ours[i]);
	int code = begun ? nc_tree_remove(root, "names", err) : 0;
	if (code == 0 && begun)
		code = nc_tree_remove(root, NC_LEFT_OUT, err);
	return code < 0 ? code : nc_tree_remove(root, MAKING, err);
}

/* With the lock on making a store held, and nacre.json not there. */
static int adopt_locked(int root, const char *driver, bool durable, struct nacre_error *err)
{
	NC_AUTO_FD int making = -1;
	int code = nc_old_root_check_unused(root, driver, err);
	if (code == 0)
		code = clear_for_adoption(root, err);
	if (code == 0)
		code = nc_dir_ensure(root, MAKING, &making, err);
	if (code == 0 && durable && fsync(root) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "sync the store's directory");
	if (code == 0)
		code = nc_adopt_names(root, making, driver, durable, err);
	if (code == 0)
		code = write_description(root, making, driver, true, durable, err);
	if (code == 0)
		code = nc_tree_remove(root, MAKING, err);
	if (code == 0 && durable && fsync(root) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "sync the store's directory");
	return code;
}

/* The same for a directory with nothing in it. */
static int make_locked(int root, const struct nacre_open_options *options, struct nacre_error *err)
{
	int code = nc_dir_each(root, find_stranger, NULL, err);
	if (code == 0)
		code = nc_tree_remove(root, MAKING, err);
	NC_AUTO_FD int making = -1;
	if (code == 0)
		code = nc_dir_ensure(root, MAKING, &making, err);
	if (code < 0)
		return code;
	const struct nc_driver_ops *ops = NULL;
	bool durable = !(options->flags & NACRE_OPEN_NOSYNC);
	code = choose_driver(making, options->driver, &ops, err);
	if (code == 0)
		code = write_description(root, making, ops->name, false, durable, err);
	int removed = nc_tree_remove(root, MAKING, code == 0 ? err : NULL);
	if (code == 0)
		code = removed;
	if (code == 0 && durable && fsync(root) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "sync the store's directory");
	return code;
}

/* Not before it is known to be ours: the directory may be somebody's /tmp. */
static int close_to_others(int root, struct nacre_error *err)
{
	struct stat st;
	if (fstat(root, &st) < 0 || ((st.st_mode & 07777) != 0700 && fchmod(root, 0700) < 0))
		return nc_fail(err, NACRE_E_IO, errno, "close the directory to others");
	return 0;
}

/* old: the driver of a root of 2015 that is to be adopted; NULL: a new store is made. */
static int make_store(int root, const struct nacre_open_options *options, const char *old, struct description *ret,
		      struct nacre_error *err)
{
	int code = old ? 0 : nc_dir_each(root, find_stranger, NULL, err);
	if (code == 0)
		code = close_to_others(root, err);
	if (code < 0)
		return code;
	NC_AUTO_FD int lock = openat(root, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0)
		return nc_fail(err, NACRE_E_IO, errno, "make '" LOCK "'");
	code = nc_lock_whole(lock, NC_LOCK_MAKING, NC_LOCK_EXCLUSIVE, true, err);
	if (code < 0)
		return code;
	code = read_description(root, ret, NULL);
	if (code != NACRE_E_NOTFOUND)
		return code < 0 ? read_description(root, ret, err) : 0;
	code = old ? adopt_locked(root, old, !(options->flags & NACRE_OPEN_NOSYNC), err)
		   : make_locked(root, options, err);
	if (code < 0 && !(old && holds(root, MAKING)))
		unlinkat(root, LOCK, 0);
	return code < 0 ? code : read_description(root, ret, err);
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

/* Said here, where the reason is known: what comes next may be the catalog, which only knows that it cannot. */
static int check_writable(int root, struct nacre_error *err)
{
	if (faccessat(root, ".", W_OK, AT_EACCESS) == 0)
		return 0;
	return nc_fail(err, NACRE_E_IO, errno, "open the directory for writing");
}

/* ret_made: the directory was not there. */
static int open_root(const char *root, unsigned flags, int *ret_fd, bool *ret_made, struct nacre_error *err)
{
	bool made = false;
	NC_AUTO_FD int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (flags & (NACRE_OPEN_READONLY | NACRE_OPEN_NOCREATE))
			return nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no store");
		made = mkdir(root, 0700) == 0;
		if (!made && errno != EEXIST)
			return nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno,
				       "make the directory");
		fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return nc_fail(err, errno == ENOTDIR ? NACRE_E_INVALID : NACRE_E_IO, errno, "open the directory");
	if (st.st_uid != geteuid())
		return nc_fail(err, NACRE_E_DENIED, 0, "the directory belongs to another user (%u)",
			       (unsigned)st.st_uid);
	*ret_fd = nc_fd_give(&fd);
	*ret_made = made;
	return 0;
}

static int open_dir(struct nacre_store *store, int parent, const char *name, int *ret, struct nacre_error *err)
{
	if (!store->readonly)
		return nc_dir_ensure(parent, name, ret, err);
	int code = parent < 0 ? 0 : nc_dir_open(parent, name, ret, err);
	return code == NACRE_E_NOTFOUND ? 0 : code;
}

static int open_dirs(struct nacre_store *store, struct nacre_error *err)
{
	NC_AUTO_FD int blobs = -1;
	int code = open_dir(store, store->root, "graph", &store->graph, err);
	if (code == 0)
		code = open_dir(store, store->graph, "_tmp", &store->stages, err);
	if (code == 0)
		code = open_dir(store, store->root, "blobs", &blobs, err);
	if (code == 0)
		code = open_dir(store, blobs, "sha256", &store->blobs, err);
	if (code == 0)
		code = open_dir(store, store->root, "names", &store->names, err);
	if (code == 0)
		code = open_dir(store, store->root, "mounts", &store->mounts, err);
	return code;
}

static bool is_ephemeral(const char *driver)
{
	return strcmp(driver, EPHEMERAL_DRIVER) == 0;
}

static int wipe_name(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	int root = *(int *)ctx;
	bool keep = strcmp(name, LOCK) == 0 || strcmp(name, DESCRIPTION) == 0;
	return keep ? 0 : nc_tree_remove(root, name, err);
}

/* An ephemeral store belongs to one handle, and what an earlier one left is nothing. */
static int claim_ephemeral(struct nacre_store *store, struct nacre_error *err)
{
	if (store->readonly)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "a memory store keeps nothing that could be read");
	int code = nc_locks_open(store, &store->alive, err);
	if (code == 0)
		code = nc_lock_whole(store->alive, NC_LOCK_ALIVE, NC_LOCK_EXCLUSIVE, false, err);
	if (code == NACRE_E_BUSY)
		return nc_fail(err, code, 0, "the memory store is open elsewhere");
	if (code < 0)
		return code;
	store->ephemeral = true;
	return nc_dir_each(store->root, wipe_name, &store->root, err);
}

static int open_driver(struct nacre_store *store, const char *name, struct nacre_error *err)
{
	const struct nc_driver_ops *ops = nc_driver_find(name);
	if (!ops)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0,
			       "the store has driver '%s', which this nacre does not know", name);
	int code = ops->open(store->root, store->path, store->readonly, &store->driver, err);
	return code < 0 ? nc_wrap(err, code, "driver %s", name) : 0;
}

/* Where there is no nacre.json: a root of 2015, or a directory that is to become a store. */
static int open_other(struct nacre_store *store, const struct nacre_open_options *options, struct description *ret,
		      struct nacre_error *err)
{
	char old[NC_DRIVER_NAME];
	int found = nc_old_root_find(store->root, options->driver, old, err);
	if (found < 0)
		return found;
	if (found && options->flags & (NACRE_OPEN_READONLY | NACRE_OPEN_AS_IT_IS)) {
		*ret = (struct description){ .layout = NC_LAYOUT, .adopted = true };
		strcpy(ret->driver, old);
		store->readonly = true;
		NC_AUTO_FD int graph = -1;
		int code = nc_dir_open(store->root, "graph", &graph, err);
		return code < 0 ? code : nc_old_names_read(store->root, graph, old, &store->old_names, err);
	}
	if (found) {
		int code = check_writable(store->root, err);
		return code < 0 ? code : make_store(store->root, options, old, ret, err);
	}
	if (options->flags & (NACRE_OPEN_READONLY | NACRE_OPEN_NOCREATE)) {
		int code = nc_dir_each(store->root, find_stranger, NULL, err);
		return code < 0 ? code : nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no store");
	}
	return make_store(store->root, options, NULL, ret, err);
}

/* Whoever made the store may have died between nacre.json and the end. */
static void sweep_making(int root)
{
	if (!holds(root, MAKING))
		return;
	NC_AUTO_FD int lock = openat(root, LOCK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (lock >= 0 && nc_lock_whole(lock, NC_LOCK_MAKING, NC_LOCK_EXCLUSIVE, false, NULL) == 0)
		nc_tree_remove(root, MAKING, NULL);
}

/* Take part in the store's use, where there is a file to lock: a directory that is no store yet has none. */
static int take_use(struct nacre_store *store, unsigned flags, struct nacre_error *err)
{
	bool alone = flags & NC_OPEN_ALONE;
	if (store->use >= 0)
		return 0;
	NC_AUTO_FD int fd = openat(store->root, LOCK, (alone ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || !alone ? 0 : nc_fail(err, NACRE_E_IO, errno, "open the store's locks");
	int code = nc_lock_whole(fd, NC_LOCK_USE, alone ? NC_LOCK_EXCLUSIVE : NC_LOCK_SHARED, false, err);
	if (code == NACRE_E_BUSY)
		return nc_fail(err, code, 0, alone ? "another process uses it" : "it is being migrated to another driver");
	/* where there are no locks, as on some network file systems, reading goes on without */
	if (code < 0 && store->readonly)
		return 0;
	if (code == 0 && !store->readonly)
		code = nc_lock_whole(fd, NC_LOCK_WRITERS, NC_LOCK_SHARED, false, err);
	if (code == 0)
		store->use = nc_fd_give(&fd);
	return code;
}

int nc_store_set_driver(struct nacre_store *store, int making, const char *driver, struct nacre_error *err)
{
	int code = nc_store_writable(store, err);
	if (code == 0)
		code = write_description(store->root, making, driver, store->adopted, store->durable, err);
	return code < 0 ? code : nc_store_sync(store, store->root, "'" DESCRIPTION "'", err);
}

static int open_store(struct nacre_store *store, const char *root, const struct nacre_open_options *options,
		      bool *made, struct nacre_error *err)
{
	int code = open_root(root, options->flags, &store->root, made, err);
	if (code < 0)
		return code;
	NC_AUTO_FREE char *path = realpath(root, NULL);
	if (!path)
		return nc_fail(err, NACRE_E_IO, errno, "find its absolute path");
	store->path = NC_GIVE(path);
	struct description description;
	code = take_use(store, options->flags, err);
	if (code < 0)
		return code;
	code = read_description(store->root, &description, err);
	if (code == 0 && !(options->flags & NACRE_OPEN_READONLY)) {
		code = check_writable(store->root, err);
		if (code == 0)
			code = close_to_others(store->root, err);
		if (code < 0)
			return code;
		sweep_making(store->root);
	}
	if (code == NACRE_E_NOTFOUND)
		code = open_other(store, options, &description, err);
	if (code == 0 && store->use < 0) {
		/* it was made just now */
		code = take_use(store, options->flags, err);
		if (code == 0 && store->use >= 0)
			code = read_description(store->root, &description, err);
	}
	if (code < 0)
		return code;
	store->adopted = description.adopted;
	if (options->driver && strcmp(options->driver, description.driver) != 0)
		return nc_fail(err, NACRE_E_INVALID, 0, "the store has driver %s, not %s", description.driver,
			       options->driver);
	if (is_ephemeral(description.driver))
		code = claim_ephemeral(store, err);
	if (code == 0)
		code = open_dirs(store, err);
	if (code == 0)
		code = open_driver(store, description.driver, err);
	store->impatient = options->flags & NACRE_OPEN_AS_IT_IS;
	if (code == 0)
		code = nc_catalog_open(store, &store->catalog, err);
	/* what cannot be cleaned up now (a full disk) is tried again the next time; the store itself is whole */
	if (code == 0 && !store->readonly)
		nc_recover(store, NULL);
	store->impatient = false;
	return code;
}

int nacre_store_open(const char *root, const struct nacre_open_options *options, struct nacre_store **ret,
		     struct nacre_error *err)
{
	struct nacre_open_options mine = { .size = sizeof mine };
	if (options)
		memcpy(&mine, options, options->size < sizeof mine ? options->size : sizeof mine);
	struct nacre_store *store = nc_zalloc(sizeof *store);
	if (!store)
		return nc_nomem(err);
	store->root = store->graph = store->stages = store->blobs = store->names = store->mounts = store->alive = -1;
	store->use = -1;
	atomic_init(&store->sessions, -1);
	struct timespec now = { 0 };
	clock_gettime(CLOCK_MONOTONIC, &now);
	store->token = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	store->readonly = mine.flags & NACRE_OPEN_READONLY;
	store->durable = !(mine.flags & NACRE_OPEN_NOSYNC);
	store->one_thread = mine.flags & NACRE_OPEN_ONE_THREAD;
	bool made = false;
	int code = open_store(store, root, &mine, &made, err);
	if (code < 0) {
		nc_wrap(err, code, "store '%s'", root);
		nacre_store_close(store);
		if (made)
			rmdir(root);	/* fails when a store was made in it after all */
		return code;
	}
	if (store->ephemeral)
		store->durable = false;
	*ret = store;
	return 0;
}

void nacre_store_close(struct nacre_store *store)
{
	if (!store)
		return;
	int saved = errno;
	nc_catalog_close(store->catalog);
	nc_driver_close(store->driver);
	nc_old_names_free(store->old_names);
	if (store->ephemeral) {
		nc_dir_each(store->root, wipe_name, &store->root, NULL);
		unlinkat(store->root, DESCRIPTION, 0);
		unlinkat(store->root, LOCK, 0);
	}
	int *fds[] = { &store->use, &store->alive, &store->mounts, &store->names, &store->blobs, &store->stages, &store->graph,
		       &store->root };
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		nc_fd_release(fds[i]);
	int sessions = atomic_load(&store->sessions);
	nc_fd_release(&sessions);
	free(store->path);
	free(store);
	errno = saved;
}

int nc_store_writable(struct nacre_store *store, struct nacre_error *err)
{
	if (store->readonly)
		return nc_fail(err, NACRE_E_DENIED, 0, "the store is open for reading only");
	if (atomic_load(&store->broken))
		return nc_fail(err, NACRE_E_IO, 0, "an earlier commit failed half way: open the store again");
	return 0;
}

int nc_store_sync(struct nacre_store *store, int fd, const char *what, struct nacre_error *err)
{
	if (!store->durable || fsync(fd) == 0)
		return 0;
	int code = nc_fail(err, NACRE_E_IO, errno, "sync %s", what);
	atomic_store(&store->broken, true);
	return code;
}

int nc_store_watch(struct nacre_store *store, int *ret_fd, struct nacre_error *err)
{
	int fd = openat(store->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the store's directory");
	*ret_fd = fd;
	return 0;
}

int nc_store_sync_all(struct nacre_store *store, int fd, struct nacre_error *err)
{
	if (!store->durable || syncfs(fd) == 0)
		return 0;
	int code = nc_fail(err, NACRE_E_IO, errno, "sync the file system");
	atomic_store(&store->broken, true);
	return code;
}

bool nc_store_threads(const struct nacre_store *store)
{
	return !store || !store->one_thread;
}

int nc_store_hashing(const struct nacre_store *store, struct nc_reader *upstream, struct nc_hash *hash, uint64_t *count,
		     struct nc_reader **ret, struct nacre_error *err)
{
	return nc_reader_counted(nc_store_threads(store), upstream, hash, count, ret, err);
}

int nc_store_spool(struct nacre_store *store, int *ret_fd, struct nacre_error *err)
{
	if (store->readonly)
		return nc_file_unnamed(-1, ret_fd, err);
	int code = nc_store_writable(store, err);
	if (code < 0)
		return code;
	int fd = openat(store->stages, ".", O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "make a temporary file");
	/* a file system without unnamed files: one in a stage, which goes at once and takes the name along */
	NC_CLEANUP(nc_stage_auto) struct nc_stage *stage = NULL;
	code = nc_stage_new(store->stages, &stage, err);
	if (code < 0)
		return code;
	fd = openat(stage->dir, "spool", O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "make a temporary file");
	*ret_fd = fd;
	return 0;
}
