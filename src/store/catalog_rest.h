/* The catalog's file as it lies there, how it is read where nobody writes to it, and how long SQLite may wait. For catalog.c
 * alone. */
#ifndef NC_STORE_CATALOG_REST_H
#define NC_STORE_CATALOG_REST_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define NC_CATALOG_FILE "catalog.db"

struct nacre_store;

/* Whether the file with this suffix ("", "-wal", "-shm") is there and has something in it. */
bool nc_catalog_has(const struct nacre_store *store, const char *suffix);
/* Whether nobody else has the store open for writing. */
bool nc_catalog_at_rest(const struct nacre_store *store);
/* Whether somebody left a stage: what it lists the catalog may know wrongly (invariant 6), and nobody has taught it again. */
bool nc_catalog_in_doubt(const struct nacre_store *store);

/* How the file and its log were at a moment: what was read while they stayed so is of one piece. */
struct nc_catalog_moment {
	uint64_t facts[2][4];
};
void nc_catalog_look(const struct nacre_store *store, struct nc_catalog_moment *ret);
bool nc_catalog_changed(const struct nacre_store *store, const struct nc_catalog_moment *since);

/* The file for SQLITE_OPEN_URI, read only. at_rest: without locks, without writing, and with its log; run
 * NC_CATALOG_LOCKED before the first look into it, so that the log's index is kept in memory. */
int nc_catalog_uri(const struct nacre_store *store, bool at_rest, struct nc_buf *ret, struct nacre_error *err);
#define NC_CATALOG_LOCKED "PRAGMA locking_mode = EXCLUSIVE"

/* The name of a VFS in which a thread sleeps no longer than it has patience. */
const char *nc_catalog_vfs(void);
/* From now on this thread sleeps so long, all in all. */
void nc_catalog_patience(int ms);

#endif
