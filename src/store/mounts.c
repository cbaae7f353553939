/* Mounts and what is known about them: a file mounts/<random> for each, written before the mount is made, so that
 * none is ever unknown. A record counts as long as it can be a mount: it is of this boot, and its path is a mount
 * point in our mount namespace, or its namespace is another one that some process is still in. */
#include "image/gojson.h"
#include "store/inner.h"
#include "store/writable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_MAX ((size_t)32 << 10)
#define RECORDS_MAX ((size_t)1 << 20)
#define HOME "mnt"

/* Where and when we are. */
struct here {
	char boot[64], namespace[64];
};

struct record {
	char file[64];
	char id[NC_HEX_ID];
	char *path, *boot, *namespace;	/* owned */
};

static void record_release(struct record *record)
{
	free(record->path);
	free(record->boot);
	free(record->namespace);
	*record = (struct record){ 0 };
}
#define AUTO_RECORD __attribute__((cleanup(record_release)))

static int find_here(struct here *ret, struct nacre_error *err)
{
	*ret = (struct here){ 0 };
	NC_AUTO_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : nc_read_full(fd, ret->boot, sizeof ret->boot - 1);
	if (n < 0 || readlink("/proc/self/ns/mnt", ret->namespace, sizeof ret->namespace - 1) < 0)
		return nc_fail(err, NACRE_E_UNSUPPORTED, errno, "mounts need /proc");
	ret->boot[strcspn(ret->boot, "\n")] = '\0';
	return 0;
}

/* --- records ---------------------------------------------------------------------------------------------------- */

static char *copy_text(json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	return text ? nc_strdup(text) : NULL;
}

/* 1: read; 0: it is none, or was never finished. */
static int read_record(int dir, const char *file, struct record *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	NC_CLEANUP(nc_json_auto) json_t *json = NULL;
	AUTO_RECORD struct record record = { 0 };
	size_t len;
	int code = nc_file_read(dir, file, RECORD_MAX, &text, &len, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND || code == NACRE_E_BADDATA || code == NACRE_E_LIMIT ? 0 : code;
	if (strlen(file) >= sizeof record.file || nc_json_parse(text, len, "mount record", &json, NULL) < 0)
		return 0;
	const char *id = json_string_value(json_object_get(json, "id"));
	if (!id || !nc_id_valid(id))
		return 0;
	strcpy(record.file, file);
	memcpy(record.id, id, NC_HEX_ID);
	record.path = copy_text(json, "path");
	record.boot = copy_text(json, "boot");
	record.namespace = copy_text(json, "namespace");
	if (!record.path || !record.boot || !record.namespace)
		return 0;
	*ret = record;
	record = (struct record){ 0 };
	return 1;
}

static int write_record(struct nacre_store *store, const char *id, const char *path, const struct here *here,
			char *ret_file, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(RECORD_MAX);
	int code = nc_buf_addf(&text, err, "{\"id\":\"%s\",\"path\":", id);
	if (code == 0)
		code = nc_gojson_string(&text, path, strlen(path), err);
	if (code == 0)
		code = nc_buf_addf(&text, err, ",\"boot\":\"%s\",\"namespace\":\"%s\"}\n", here->boot,
				   here->namespace);
	if (code == 0)
		code = nc_random_hex(ret_file, 32, err);
	return code < 0 ? code : nc_file_create(store->mounts, ret_file, text.data, text.len, err);
}

static bool is_mount_point(const char *path)
{
	struct statx st;
	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) == 0 &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int find_namespace(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	const struct record *record = ctx;
	char path[64], namespace[64];
	if (name[0] < '0' || name[0] > '9')
		return 0;
	snprintf(path, sizeof path, "/proc/%.20s/ns/mnt", name);
	ssize_t n = readlink(path, namespace, sizeof namespace - 1);
	if (n < 0)
		return errno == EACCES || errno == EPERM;	/* it may be the one */
	namespace[n] = '\0';
	return strcmp(namespace, record->namespace) == 0;
}

static bool is_alive(const struct record *record, const struct here *here)
{
	if (strcmp(record->boot, here->boot) != 0)
		return false;
	if (strcmp(record->namespace, here->namespace) == 0)
		return is_mount_point(record->path);
	NC_AUTO_FD int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return proc < 0 || nc_dir_each(proc, find_namespace, (void *)record, NULL) != 0;
}

struct visit {
	struct nacre_store *store;
	struct here here;
	bool tidy;			/* records of mounts that are gone go too */
	int (*fn)(void *ctx, const struct record *record, bool ours, struct nacre_error *err);
	void *ctx;
};

static int visit_record(void *ctx, const char *file, struct nacre_error *err)
{
	struct visit *visit = ctx;
	AUTO_RECORD struct record record = { 0 };
	int code = read_record(visit->store->mounts, file, &record, err);
	if (code < 0)
		return code;
	if (code == 0 || !is_alive(&record, &visit->here)) {
		if (visit->tidy)
			unlinkat(visit->store->mounts, file, 0);
		return 0;
	}
	return visit->fn(visit->ctx, &record, strcmp(record.namespace, visit->here.namespace) == 0, err);
}

/* Calls fn for each mount there is; ours: it is in this mount namespace. */
static int each(struct nacre_store *store, bool tidy,
		int (*fn)(void *ctx, const struct record *record, bool ours, struct nacre_error *err), void *ctx,
		struct nacre_error *err)
{
	struct visit visit = { .store = store, .tidy = tidy, .fn = fn, .ctx = ctx };
	if (store->mounts < 0)
		return 0;
	int code = find_here(&visit.here, err);
	return code < 0 ? code : nc_dir_each_sorted(store->mounts, RECORDS_MAX, visit_record, &visit, err);
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

struct search {
	const char *id, *path;		/* NULL: any */
	char *found_path;
	char found_id[NC_HEX_ID];
};

static int match(void *ctx, const struct record *record, bool ours, struct nacre_error *err)
{
	struct search *search = ctx;
	if ((search->id && strcmp(search->id, record->id) != 0) ||
	    (search->path && (!ours || strcmp(search->path, record->path) != 0)))
		return 0;
	search->found_path = nc_strdup(record->path);
	memcpy(search->found_id, record->id, NC_HEX_ID);
	return search->found_path ? 1 : nc_nomem(err);
}

static int is_empty(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	return 1;
}

int nc_mounted(struct nacre_store *store, const char *id, char **ret_path, struct nacre_error *err)
{
	/* without records /proc is not needed */
	if (store->mounts < 0 || nc_dir_each(store->mounts, is_empty, NULL, NULL) == 0)
		return 0;
	struct search search = { .id = id };
	int code = each(store, false, match, &search, err);
	if (code == 1 && ret_path)
		*ret_path = NC_GIVE(search.found_path);
	free(search.found_path);
	return code;
}

struct callback {
	int (*fn)(void *ctx, const char *id, const char *path);
	void *ctx;
};

static int call_back(void *ctx, const struct record *record, bool ours, struct nacre_error *err)
{
	struct callback *callback = ctx;
	if (callback->fn(callback->ctx, record->id, record->path) < 0)
		return nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
	return 0;
}

int nacre_mounts_each(struct nacre_store *store, int (*fn)(void *ctx, const char *id, const char *path), void *ctx,
		      struct nacre_error *err)
{
	if (store->mounts < 0 || nc_dir_each(store->mounts, is_empty, NULL, NULL) == 0)
		return 0;
	return each(store, false, call_back, &(struct callback){ fn, ctx }, err);
}

/* --- mounting --------------------------------------------------------------------------------------------------- */

/* The absolute path to mount at; a directory of the store's own is made. */
static int find_target(struct nacre_store *store, const char *id, const char *dir, char **ret,
		       struct nacre_error *err)
{
	if (dir) {
		struct stat st;
		NC_AUTO_FREE char *path = realpath(dir, NULL);
		if (!path || stat(path, &st) < 0)
			return nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno, "mount at '%s'",
				       dir);
		if (!S_ISDIR(st.st_mode))
			return nc_fail(err, NACRE_E_INVALID, 0, "mount at '%s': it is no directory", dir);
		*ret = nc_strdup(path);
		return *ret ? 0 : nc_nomem(err);
	}
	NC_AUTO_FD int home = -1;
	NC_AUTO_FD int at = -1;
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(PATH_MAX);
	int code = nc_store_writable(store, err);
	if (code == 0)
		code = nc_dir_ensure(store->root, HOME, &home, err);
	if (code == 0)
		code = nc_dir_ensure(home, id, &at, err);
	if (code == 0)
		code = nc_buf_addf(&path, err, "%s/" HOME "/%s", store->path, id);
	if (code < 0)
		return code;
	*ret = nc_buf_give(&path);
	return *ret ? 0 : nc_nomem(err);
}

/* What is mounted. */
struct subject {
	const char *id;
	char tree[NC_HEX_ID];		/* "": of an image without layers */
	int writable;			/* the directory of a writable layer, else -1 */
};

static int mount_subject(struct nacre_store *store, const struct subject *subject, int target, struct nacre_error *err)
{
	const struct nc_driver_ops *ops = store->driver->ops;
	const char *tree = subject->tree;
	if (subject->writable >= 0)
		return ops->writable_mount(store->driver, *tree ? tree : NULL, subject->writable, target, err);
	return *tree || store->ephemeral ? ops->mount(store->driver, tree, target, err) : nc_mount_empty(target, err);
}

static int mount_there(struct nacre_store *store, const struct subject *subject, const char *path,
		       struct nacre_error *err)
{
	NC_AUTO_FD int target = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno, "mount at '%s'", path);
	int code = mount_subject(store, subject, target, err);
	return code < 0 ? nc_wrap(err, code, "mount at '%s'", path) : 0;
}

/* With the locks held: 1 when it is mounted there already. */
static int look_there(struct nacre_store *store, const char *id, const char *path, struct nacre_error *err)
{
	struct search search = { .path = path };
	int code = each(store, !store->readonly, match, &search, err);
	free(search.found_path);
	if (code < 0 || (code == 1 && strcmp(search.found_id, id) == 0))
		return code;
	if (code == 1)
		return nc_fail(err, NACRE_E_BUSY, 0, "mount at '%s': %.12s is mounted there", path, search.found_id);
	if (is_mount_point(path))
		return nc_fail(err, NACRE_E_BUSY, 0, "mount at '%s': something else is mounted there", path);
	return 0;
}

/* Two mounts of one would spoil it. */
static int look_elsewhere(struct nacre_store *store, const struct subject *subject, struct nacre_error *err)
{
	NC_AUTO_FREE char *other = NULL;
	int code = subject->writable >= 0 ? nc_mounted(store, subject->id, &other, err) : 0;
	return code > 0 ? nc_fail(err, NACRE_E_BUSY, 0, "writable layer %.12s is mounted at '%s'", subject->id, other)
			: code;
}

static int mount_locked(struct nacre_store *store, const struct subject *subject, const char *path,
			struct nacre_error *err)
{
	struct here here;
	char file[33];
	int code = look_there(store, subject->id, path, err);
	if (code != 0)
		return code < 0 ? code : 0;
	if (store->readonly)
		return mount_there(store, subject, path, err);
	code = look_elsewhere(store, subject, err);
	if (code == 0)
		code = find_here(&here, err);
	if (code == 0)
		code = write_record(store, subject->id, path, &here, file, err);
	if (code < 0)
		return code;
	code = mount_there(store, subject, path, err);
	if (code < 0)
		unlinkat(store->mounts, file, 0);
	return code;
}

static int mount_image(struct nacre_store *store, const char *image, const char *dir, char **ret_path,
		       struct nacre_error *err)
{
	char id[NC_HEX_ID];
	struct subject subject = { .id = id, .writable = -1 };
	NC_AUTO_FD int locks = -1;
	int code = nc_store_resolve_node(store, image, id, err);
	if (code == 0)
		code = nc_node_tree(store, id, subject.tree, err);
	if (code == 0 && !store->readonly) {
		code = nc_locks_open(store, &locks, err);
		if (code == 0)	/* nobody removes it before the record says that it is mounted */
			code = nc_lock_id(locks, id, NC_LOCK_SHARED, true, err);
		if (code == 0 && !nc_node_exists(store, id))
			code = nc_fail(err, NACRE_E_NOTFOUND, 0, "no image '%s'", image);
		if (code == 0)
			code = nc_lock_whole(locks, NC_LOCK_MOUNTS, NC_LOCK_EXCLUSIVE, true, err);
	}
	if (code == 0)
		code = find_target(store, id, dir, ret_path, err);
	return code < 0 ? code : mount_locked(store, &subject, *ret_path, err);
}

static int mount_writable(struct nacre_store *store, const struct nc_writable *writable, const char *dir,
			  char **ret_path, struct nacre_error *err)
{
	struct subject subject = { .id = writable->id };
	NC_AUTO_FD int locks = -1;
	NC_AUTO_FD int own = -1;
	int code = nc_store_writable(store, err);
	if (code == 0)
		code = nc_writable_possible(store, err);
	if (code == 0)
		code = nc_node_tree(store, writable->image, subject.tree, err);
	if (code == 0)
		code = nc_locks_open(store, &locks, err);
	if (code == 0)	/* under this lock it is removed, too */
		code = nc_lock_whole(locks, NC_LOCK_MOUNTS, NC_LOCK_EXCLUSIVE, true, err);
	if (code == 0)
		code = nc_writable_open(store, writable->id, &own, err);
	if (code == 0)
		code = find_target(store, writable->id, dir, ret_path, err);
	subject.writable = own;
	return code < 0 ? code : mount_locked(store, &subject, *ret_path, err);
}

int nacre_mount(struct nacre_store *store, const char *what, const char *dir, char **ret_path,
		struct nacre_error *err)
{
	NC_AUTO_FREE char *path = NULL;
	struct nc_writable writable;
	int code = nc_writable_find(store, what, &writable, err);
	if (code == 0)
		code = mount_writable(store, &writable, dir, &path, err);
	else if (code == NACRE_E_NOTFOUND)
		code = mount_image(store, what, dir, &path, err);
	if (code < 0)
		return code;
	if (ret_path)
		*ret_path = NC_GIVE(path);
	return 0;
}

/* --- unmounting ------------------------------------------------------------------------------------------------- */

struct unmount {
	struct nacre_store *store;
	const char *id, *path;		/* one of them */
	int count;
};

static int unmount_one(void *ctx, const struct record *record, bool ours, struct nacre_error *err)
{
	struct unmount *unmount = ctx;
	struct nacre_store *store = unmount->store;
	if (!ours || strcmp(unmount->id ? unmount->id : unmount->path, unmount->id ? record->id : record->path) != 0)
		return 0;
	if (umount2(record->path, UMOUNT_NOFOLLOW) < 0)
		return nc_fail(err, errno == EBUSY ? NACRE_E_BUSY : NACRE_E_IO, errno, "unmount '%s'", record->path);
	unmount->count++;
	unlinkat(store->mounts, record->file, 0);
	NC_AUTO_FD int home = openat(store->root, HOME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	size_t root = strlen(store->path);
	if (home >= 0 && strncmp(record->path, store->path, root) == 0 &&
	    strncmp(record->path + root, "/" HOME "/", strlen("/" HOME "/")) == 0)
		unlinkat(home, record->id, AT_REMOVEDIR);
	return 0;
}

static bool is_path(const char *what)
{
	return what[0] == '/' || what[0] == '.';
}

/* The ID of a writable layer, image or layer. */
static int find_mounted(struct nacre_store *store, const char *what, char *ret_id, struct nacre_error *err)
{
	struct nc_writable writable;
	int code = nc_writable_find(store, what, &writable, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND ? nc_store_resolve_node(store, what, ret_id, err) : code;
	memcpy(ret_id, writable.id, NC_HEX_ID);
	return 0;
}

int nacre_umount(struct nacre_store *store, const char *what, struct nacre_error *err)
{
	char id[NC_HEX_ID];
	NC_AUTO_FREE char *path = NULL;
	NC_AUTO_FD int locks = -1;
	struct unmount unmount = { .store = store };
	int code = nc_store_writable(store, err);
	if (code < 0)
		return code;
	int found = is_path(what) ? NACRE_E_NOTFOUND : find_mounted(store, what, id, err);
	if (found == 0)
		unmount.id = id;
	else if ((path = realpath(what, NULL)))
		unmount.path = path;
	else
		return is_path(what) ? nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno,
					       "unmount '%s'", what) : found;
	code = nc_locks_open(store, &locks, err);
	if (code == 0)
		code = nc_lock_whole(locks, NC_LOCK_MOUNTS, NC_LOCK_EXCLUSIVE, true, err);
	if (code == 0)
		code = each(store, true, unmount_one, &unmount, err);
	return code < 0 ? code : unmount.count;
}
