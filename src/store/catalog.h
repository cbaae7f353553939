/* The catalog: an SQLite index of what lies in graph/ and names/, and nothing more. It may be deleted at any moment;
 * it is rebuilt from the files when it is missing, damaged or of another version. Any number of threads. */
#ifndef NC_STORE_CATALOG_H
#define NC_STORE_CATALOG_H

#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nacre_store;
struct nc_catalog;
struct nc_node_facts;
struct nc_name_target;

int nc_catalog_open(struct nacre_store *store, struct nc_catalog **ret, struct nacre_error *err);
void nc_catalog_close(struct nc_catalog *catalog);

/* --- asking ----------------------------------------------------------------------------------------------------- */

/* Questions, their parameters, and the columns of the answer. */
enum nc_question {
	NC_ASK_NODE,		/* id                  | node columns */
	NC_ASK_PREFIX,		/* from, below         | id; at most six, of any kind */
	NC_ASK_PREFIX_IMAGES,	/* from, below         | id; at most six, images only */
	NC_ASK_NODES,		/*                     | node columns, by id */
	NC_ASK_HEADS,		/*                     | node columns, by id */
	NC_ASK_CHILDREN,	/* parent              | node columns, by id */
	NC_ASK_OTHER_CHILD,	/* parent, not this one | id; at most one */
	NC_ASK_IMAGES,		/*                     | node columns and names, newest first, then by id; images, nodes of
				 *                       2015 that have a name or no child, and what is damaged */
	NC_ASK_IMAGES_FROM,	/* from, below         | the same, of those IDs */
	NC_ASK_IMAGES_NAMED,	/* from, below         | the same, of those that have a name between */
	NC_ASK_LOST,		/*                     | id; nodes of 2015 whose ancestors end nowhere, and that are
				 *                       not among the images */
	NC_ASK_ADRIFT,		/*                     | id; at most one: damaged, and its parent is not known */
	NC_ASK_BY_DIFF_ID,	/* digest              | id; at most one */
	NC_ASK_BY_DOCUMENT,	/* digest              | id; all images that keep the document */
	NC_ASK_NAMES,		/* id                  | name, manifest, index; by name */
	NC_ASK_ALL_NAMES,	/* id                  | names, as of images below; one row */
	NC_ASK_CHAIN,		/* id                  | node columns of it and its ancestors, upwards, and how many
				 *                       images contain each */
	NC_ASK_BLOB_USERS,	/* digest              | id; at most one */
	NC_ASK_COUNTS,		/*                     | images, layers, names */
	NC_QUESTION_COUNT
};
/* The node columns; users only in a chain, names (in any order, a space between two) only of images. */
enum { NC_COL_ID, NC_COL_PARENT, NC_COL_KIND, NC_COL_SIZE, NC_COL_DIFF_ID, NC_COL_USERS, NC_COL_NAMES = NC_COL_USERS };

struct nc_rows {
	size_t count;		/* of rows */
	unsigned width;		/* columns */
	size_t cell_count, cap;
	char **cells;
};
#define NC_AUTO_ROWS __attribute__((cleanup(nc_rows_release)))
void nc_rows_release(struct nc_rows *rows);
const char *nc_rows_text(const struct nc_rows *rows, size_t row, unsigned column);	/* never NULL */
int64_t nc_rows_number(const struct nc_rows *rows, size_t row, unsigned column);

/* The whole answer; a and b are the parameters, NULL where there is none. ret is empty before, or released first. */
int nc_catalog_ask(struct nc_catalog *catalog, enum nc_question question, const char *a, const char *b,
		   struct nc_rows *ret, struct nacre_error *err);

/* --- telling ---------------------------------------------------------------------------------------------------- */

/* A transaction; other threads wait from begin to end. After a failure only nc_catalog_abort is left. wait false: NACRE_E_BUSY
 * when another process is in one. begin returns 1 when the catalog's file is gone or damaged: whoever needs it next builds it from the files, so
 * there is nothing to tell (and nothing to abort). */
int nc_catalog_begin(struct nc_catalog *catalog, bool wait, struct nacre_error *err);
int nc_catalog_put_node(struct nc_catalog *catalog, const struct nc_node_facts *facts, struct nacre_error *err);
int nc_catalog_drop_node(struct nc_catalog *catalog, const char *id, struct nacre_error *err);
int nc_catalog_put_name(struct nc_catalog *catalog, const char *full, const struct nc_name_target *target,
			struct nacre_error *err);
int nc_catalog_drop_name(struct nc_catalog *catalog, const char *full, struct nacre_error *err);
int nc_catalog_commit(struct nc_catalog *catalog, struct nacre_error *err);
/* Make what was committed durable, which commit does not: after a power cut the catalog may know less, never more. */
int nc_catalog_sync(struct nc_catalog *catalog, struct nacre_error *err);
/* The same of the log, before a sync of the whole file system: io/writeback.h. */
void nc_catalog_send(struct nc_catalog *catalog);
/* damaged: the file goes too. */
void nc_catalog_abort(struct nc_catalog *catalog, bool damaged);
/* Look whether the file is still the one that is open, and open or build it anew when not. */
int nc_catalog_refresh(struct nc_catalog *catalog, struct nacre_error *err);
/* Which images contain which layers, for all images at once (a rebuild, after every node was put). */
int nc_catalog_put_members(struct nc_catalog *catalog, struct nacre_error *err);
/* Make the file anew. */
int nc_catalog_rebuild(struct nc_catalog *catalog, struct nacre_error *err);

/* --- size ------------------------------------------------------------------------------------------------------- */

/* A catalog with the same content that has no file: what is told it nobody else hears. */
int nc_catalog_copy(struct nc_catalog *catalog, struct nc_catalog **ret, struct nacre_error *err);
/* Bytes that its file and its log take. */
uint64_t nc_catalog_bytes(const struct nacre_store *store);
/* Make it as small as its content allows, without a log. ret: the bytes that it takes then. */
int nc_catalog_shrink(struct nc_catalog *catalog, uint64_t *ret, struct nacre_error *err);

/* --- checking --------------------------------------------------------------------------------------------------- */

/* Compare the catalog's file with one that is made of the files in memory, and call fn for what is different: "facts",
 * "manifests", "blobs", "layers" and a node's ID, or "targets" and a name. Nothing is written, and the store's own
 * connection is not used. NACRE_E_NOTFOUND: there is none. NACRE_E_CORRUPT: it cannot be read. NACRE_E_BUSY: not now. */
int nc_catalog_compare(struct nacre_store *store,
		       int (*fn)(void *ctx, const char *table, const char *key, struct nacre_error *err), void *ctx,
		       struct nacre_error *err);

#endif
