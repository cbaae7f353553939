/* SQLite reads a log only with locks and an index beside it, which are files, and opens it for writing whatever the database is
 * opened for. And where somebody has locked that index it tries for ten seconds, whatever time it was given. A layer under it
 * (a "VFS") makes it do with less. */
#include "store/catalog_rest.h"

#include "store/catalog.h"
#include "store/inner.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define VFS_AT_REST "nacre-at-rest"
#define VFS_PATIENT "nacre"
#define BLOCK 4096

enum { INODE, SIZE, SECONDS, NANOSECONDS };

/* --- how it lies there ------------------------------------------------------------------------------------------ */

bool nc_catalog_has(const struct nacre_store *store, const char *suffix)
{
	struct stat st;
	char name[32];
	snprintf(name, sizeof name, NC_CATALOG_FILE "%s", suffix);
	return fstatat(store->root, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
}

bool nc_catalog_at_rest(const struct nacre_store *store)
{
	return store->use >= 0 && !nc_lock_whole_held(store->use, NC_LOCK_WRITERS);
}

static int stop_at_stage(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	return 1;
}

bool nc_catalog_in_doubt(const struct nacre_store *store)
{
	return store->stages >= 0 && nc_dir_each(store->stages, stop_at_stage, NULL, NULL) != 0;
}

void nc_catalog_look(const struct nacre_store *store, struct nc_catalog_moment *ret)
{
	static const char *const files[] = { NC_CATALOG_FILE, NC_CATALOG_FILE "-wal" };
	*ret = (struct nc_catalog_moment){ 0 };
	for (int i = 0; i < 2; i++) {
		struct stat st;
		uint64_t *facts = ret->facts[i];
		if (fstatat(store->root, files[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		facts[INODE] = st.st_ino;
		facts[SIZE] = (uint64_t)st.st_size;
		facts[SECONDS] = (uint64_t)st.st_mtim.tv_sec;
		facts[NANOSECONDS] = (uint64_t)st.st_mtim.tv_nsec;
	}
}

bool nc_catalog_changed(const struct nacre_store *store, const struct nc_catalog_moment *since)
{
	struct nc_catalog_moment now;
	nc_catalog_look(store, &now);
	return memcmp(&now, since, sizeof now) != 0;
}

uint64_t nc_catalog_bytes(const struct nacre_store *store)
{
	struct nc_catalog_moment now;
	nc_catalog_look(store, &now);
	uint64_t bytes = 0;
	for (int i = 0; i < 2; i++)
		bytes += (now.facts[i][SIZE] + BLOCK - 1) / BLOCK * BLOCK;
	return bytes;
}

/* --- reading it so ---------------------------------------------------------------------------------------------- */

/* As root SQLite also gives a log to the database's owner. Here it is only read, and passes for a journal of another kind,
 * with which none of that is done. */
static int open_to_read(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	sqlite3_vfs *below = sqlite3_vfs_find("unix-none");
	flags &= ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (flags & SQLITE_OPEN_WAL)
		flags ^= SQLITE_OPEN_WAL | SQLITE_OPEN_SUPER_JOURNAL;
	return below->xOpen(below, name, file, flags | SQLITE_OPEN_READONLY, ret_flags);
}

static _Thread_local int patience_us;

static int sleep_patiently(sqlite3_vfs *vfs, int us)
{
	sqlite3_vfs *below = sqlite3_vfs_find("unix");
	us = us < patience_us ? us : patience_us;
	patience_us -= us;
	return us > 0 ? below->xSleep(below, us) : 0;
}

static sqlite3_vfs vfs_at_rest, vfs_patient;

static void make_one(sqlite3_vfs *ret, const char *name, const char *below)
{
	*ret = *sqlite3_vfs_find(below);
	ret->zName = name;
}

static void make_vfs(void)
{
	if (!sqlite3_vfs_find("unix") || !sqlite3_vfs_find("unix-none"))
		return;
	make_one(&vfs_at_rest, VFS_AT_REST, "unix-none");
	vfs_at_rest.xOpen = open_to_read;
	sqlite3_vfs_register(&vfs_at_rest, 0);
	make_one(&vfs_patient, VFS_PATIENT, "unix");
	vfs_patient.xSleep = sleep_patiently;
	sqlite3_vfs_register(&vfs_patient, 0);
}

const char *nc_catalog_vfs(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_vfs);
	return VFS_PATIENT;
}

void nc_catalog_patience(int ms)
{
	patience_us = ms * 1000;
}

/* URI paths spell some characters as %XX. */
static int add_uri_path(struct nc_buf *uri, const char *path, struct nacre_error *err)
{
	int code = 0;
	for (; code == 0 && *path; path++)
		code = strchr("?#%", *path) ? nc_buf_addf(uri, err, "%%%02X", (unsigned char)*path)
					    : nc_buf_add(uri, path, 1, err);
	return code;
}

int nc_catalog_uri(const struct nacre_store *store, bool at_rest, struct nc_buf *ret, struct nacre_error *err)
{
	/* immutable means: without a log */
	const char *how = !at_rest			  ? "?mode=ro"
			  : nc_catalog_has(store, "-wal") ? "?mode=ro&vfs=" VFS_AT_REST
							  : "?mode=ro&immutable=1";
	int code = nc_buf_add_text(ret, "file:", err);
	if (code == 0)
		code = add_uri_path(ret, store->path, err);
	if (code == 0)
		code = nc_buf_add_text(ret, "/" NC_CATALOG_FILE, err);
	return code < 0 ? code : nc_buf_add_text(ret, how, err);
}
