/* One connection, its statements, and the care for the file: it is built from the files of the store in a stage, and
 * renamed into place, whenever it is missing, damaged or of another version. Before each use the file at its path is
 * compared with the one that is open, so that a catalog deleted under us is noticed.
 *
 * Who asks waits for nobody: where the file is locked, what the files of the store say answers from memory.
 *
 * SQLite syncs nothing when a transaction ends: what it learned stays in its log, which may lose its end in a power cut.
 * Whoever taught it syncs that log (nc_catalog_sync, or the file system), and only then lets go of the stage from which
 * an heir would teach it again. The log stays when the last connection closes, and flows into the file once it is long,
 * which takes two syncs of SQLite's own.
 *
 * A read-only store never writes: its catalog is read as it lies there, with the log beside it, while nobody has the store open
 * for writing (catalog_rest.c), and is otherwise built in memory, as is that of an ephemeral store. */
#include "store/catalog.h"

#include "store/catalog_rest.h"
#include "store/catalog_sql.h"
#include "io/writeback.h"
#include "store/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VERSION 3
#define BUSY_MS 120000
/* So long does one who asks: it is the instant in which the first to open the file looks the log through. */
#define ASK_BUSY_MS 18
/* Pages (of 4 KiB) in the log before it flows into the file: whoever opens the catalog first reads the log. */
#define LOG_PAGES "256"
/* So often is a catalog built anew before that is an error. */
#define ATTEMPTS_MAX 5
/* So long (a second) a builder waits for those who change files. */
#define LOCK_ATTEMPTS_MAX 50
#define LOCK_PAUSE_NS 20000000

struct nc_catalog {
	struct nacre_store *store;
	pthread_mutex_t mutex;
	sqlite3 *db;			/* NULL until it is opened, and when that failed */
	sqlite3_stmt *statements[STATEMENT_COUNT];
	bool in_memory;			/* no file that could change */
	bool apart;			/* a copy: never to be opened again */
	bool in_place;			/* the connection is one to the file at its path, of dev and ino */
	bool at_rest;			/* opened by one who only reads, when nobody wrote: */
	struct nc_catalog_moment opened;	/* at this moment */
	bool distrusted;		/* its file is damaged, or somebody writes, and the store is read-only */
	int log;			/* from before something was put into it: it gets the errors from then on; -1: none */
	dev_t dev;
	ino_t ino;
};

/* One thread at a time, which waits no longer than that for other processes. */
static void enter(struct nc_catalog *catalog, int busy_ms)
{
	pthread_mutex_lock(&catalog->mutex);
	nc_catalog_patience(busy_ms);
}

static bool is_moved(struct nc_catalog *catalog)
{
	struct stat st;
	return fstatat(catalog->store->root, NC_CATALOG_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != catalog->dev ||
	       st.st_ino != catalog->ino;
}

/* --- SQLite's failures ------------------------------------------------------------------------------------------ */

static bool is_damage(int result)
{
	result &= 0xff;
	return result == SQLITE_CORRUPT || result == SQLITE_NOTADB || result == SQLITE_ERROR ||
	       result == SQLITE_SCHEMA;
}

/* NACRE_E_CORRUPT is what a rebuild can heal. */
static int fail(struct nc_catalog *catalog, int result, struct nacre_error *err)
{
	int code = NACRE_E_IO;
	switch (result & 0xff) {
	case SQLITE_NOMEM: code = NACRE_E_NOMEM; break;
	case SQLITE_BUSY:
	case SQLITE_PROTOCOL:	/* the log's index was locked each time it was tried */
	case SQLITE_LOCKED: code = NACRE_E_BUSY; break;
	case SQLITE_FULL: code = NACRE_E_NOSPACE; break;
	case SQLITE_READONLY:
	case SQLITE_PERM: code = NACRE_E_DENIED; break;
	default: code = is_damage(result) ? NACRE_E_CORRUPT : NACRE_E_IO;
	}
	/* with its file deleted or replaced under it a connection fails in many ways, none of which says so */
	if (code != NACRE_E_NOMEM && catalog->in_place && is_moved(catalog))
		code = NACRE_E_CORRUPT;
	return nc_fail(err, code, 0, "catalog: %s",
		       catalog->db ? sqlite3_errmsg(catalog->db) : sqlite3_errstr(result));
}

static int run_text(struct nc_catalog *catalog, const char *text, struct nacre_error *err)
{
	int result = sqlite3_exec(catalog->db, text, NULL, NULL, NULL);
	return result == SQLITE_OK ? 0 : fail(catalog, result, err);
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

static void disconnect(struct nc_catalog *catalog)
{
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_finalize(catalog->statements[i]);
		catalog->statements[i] = NULL;
	}
	sqlite3_close(catalog->db);
	nc_fd_release(&catalog->log);
	catalog->db = NULL;
	catalog->in_place = catalog->at_rest = false;
}

static int connect(struct nc_catalog *catalog, const char *path, int flags, int busy_ms, struct nacre_error *err)
{
	int result = sqlite3_open_v2(path, &catalog->db, flags | SQLITE_OPEN_FULLMUTEX, nc_catalog_vfs());
	if (result != SQLITE_OK) {
		int code = fail(catalog, result, err);
		disconnect(catalog);
		return code;
	}
	sqlite3_extended_result_codes(catalog->db, 1);
	sqlite3_busy_timeout(catalog->db, busy_ms);
	sqlite3_db_config(catalog->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return 0;
}

/* The first number that a statement gives. */
static int ask_number(struct nc_catalog *catalog, const char *text, uint64_t *ret, struct nacre_error *err)
{
	sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(catalog->db, text, -1, &statement, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		*ret = (uint64_t)sqlite3_column_int64(statement, 0);
	int code = result == SQLITE_ROW ? 0 : fail(catalog, result, err);
	sqlite3_finalize(statement);
	return code;
}

static int prepare_all(struct nc_catalog *catalog, struct nacre_error *err)
{
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		int result = sqlite3_prepare_v3(catalog->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
						&catalog->statements[i], NULL);
		if (result != SQLITE_OK)
			return fail(catalog, result, err);
	}
	return 0;
}

/* With a connection: is this a catalog of ours? NACRE_E_CORRUPT when not. */
static int settle(struct nc_catalog *catalog, struct nacre_error *err)
{
	uint64_t version = 0;
	int code = ask_number(catalog, "PRAGMA user_version", &version, err);
	if (code == 0 && version != VERSION)
		code = nc_fail(err, NACRE_E_CORRUPT, 0, "catalog: version %" PRIu64, version);
	if (code == 0 && !catalog->store->readonly)
		code = run_text(catalog,
				catalog->store->durable ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = OFF",
				err);
	if (code == 0 && !catalog->store->readonly)
		code = run_text(catalog, "PRAGMA wal_autocheckpoint = " LOG_PAGES, err);
	if (code == 0)
		code = prepare_all(catalog, err);
	if (code < 0)
		disconnect(catalog);
	return code;
}

static int run(struct nc_catalog *catalog, int which, struct nacre_error *err)
{
	sqlite3_stmt *statement = catalog->statements[which];
	int result = sqlite3_step(statement);
	int code = result == SQLITE_DONE ? 0 : fail(catalog, result, err);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return code;
}

/* Tables, and what the files say in them. */
static int fill_new(struct nc_catalog *catalog, struct nacre_error *err)
{
	int code = run_text(catalog, schema, err);
	if (code == 0)
		code = prepare_all(catalog, err);
	if (code == 0)
		code = run(catalog, BEGIN, err);
	if (code == 0)
		code = nc_catalog_fill(catalog->store, catalog, err);
	return code < 0 ? code : run(catalog, COMMIT, err);
}

static int open_in_memory(struct nc_catalog *catalog, struct nacre_error *err)
{
	int code = connect(catalog, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, BUSY_MS,
			   err);
	if (code == 0)
		code = fill_new(catalog, err);
	catalog->in_memory = true;
	if (code < 0)
		disconnect(catalog);
	return code;
}

/* Opens the file that is there. NACRE_E_NOTFOUND, NACRE_E_CORRUPT: it must be built. */
static int open_file(struct nc_catalog *catalog, int busy_ms, struct nacre_error *err)
{
	struct stat st;
	if (fstatat(catalog->store->root, NC_CATALOG_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno, "look for the catalog");
	if (!S_ISREG(st.st_mode))
		return nc_fail(err, NACRE_E_CORRUPT, 0, "the catalog is no file");
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(1 << 16);
	catalog->dev = st.st_dev;
	catalog->ino = st.st_ino;
	catalog->in_place = true;
	int code = nc_buf_addf(&path, err, "%s/" NC_CATALOG_FILE, catalog->store->path);
	if (code == 0)
		code = connect(catalog, path.data, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, busy_ms, err);
	if (code == 0)
		code = settle(catalog, err);
	/* SQLite opened the log by its name, later than the file: were that another one by now, the log would be its */
	if (code == 0 && is_moved(catalog)) {
		disconnect(catalog);
		code = nc_fail(err, NACRE_E_NOTFOUND, 0, "the catalog was replaced");
	}
	return code;
}

/* As it lies there; where it cannot be trusted so, from the files. */
static int open_readonly(struct nc_catalog *catalog, struct nacre_error *err)
{
	struct nacre_store *store = catalog->store;
	NC_AUTO_BUF struct nc_buf uri = NC_BUF_INIT(1 << 18);
	nc_catalog_look(store, &catalog->opened);
	if (catalog->distrusted || !nc_catalog_at_rest(store) || nc_catalog_in_doubt(store))
		return open_in_memory(catalog, err);
	int code = nc_catalog_uri(store, true, &uri, NULL);
	if (code == 0)
		code = connect(catalog, uri.data, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, ASK_BUSY_MS, NULL);
	if (code == 0)
		code = run_text(catalog, NC_CATALOG_LOCKED, NULL);
	if (code == 0)
		code = settle(catalog, NULL);
	if (code < 0) {
		disconnect(catalog);
		return open_in_memory(catalog, err);
	}
	catalog->in_memory = catalog->at_rest = true;
	return 0;
}

/* Somebody wrote while it was read as one at rest. */
static bool is_overtaken(const struct nc_catalog *catalog)
{
	return catalog->at_rest && nc_catalog_changed(catalog->store, &catalog->opened);
}

/* --- comparing -------------------------------------------------------------------------------------------------- */

static const char compare_text[] =
	"SELECT 'facts', id FROM (SELECT * FROM main.node EXCEPT SELECT * FROM kept.node)"
	" UNION SELECT 'facts', id FROM (SELECT * FROM kept.node EXCEPT SELECT * FROM main.node)"
	" UNION SELECT 'targets', name FROM (SELECT * FROM main.name EXCEPT SELECT * FROM kept.name)"
	" UNION SELECT 'targets', name FROM (SELECT * FROM kept.name EXCEPT SELECT * FROM main.name)"
	" UNION SELECT 'manifests', image FROM (SELECT * FROM main.document EXCEPT SELECT * FROM kept.document)"
	" UNION SELECT 'manifests', image FROM (SELECT * FROM kept.document EXCEPT SELECT * FROM main.document)"
	" UNION SELECT 'blobs', image FROM (SELECT * FROM main.blob EXCEPT SELECT * FROM kept.blob)"
	" UNION SELECT 'blobs', image FROM (SELECT * FROM kept.blob EXCEPT SELECT * FROM main.blob)"
	" UNION SELECT 'layers', image FROM (SELECT * FROM main.member EXCEPT SELECT * FROM kept.member)"
	" UNION SELECT 'layers', image FROM (SELECT * FROM kept.member EXCEPT SELECT * FROM main.member)"
	" ORDER BY 1, 2";

/* Attaches the file as "kept", without making a log beside it. */
static int attach(struct nc_catalog *catalog, bool at_rest, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf uri = NC_BUF_INIT(1 << 18);
	sqlite3_stmt *statement = NULL;
	int code = nc_catalog_uri(catalog->store, at_rest, &uri, err);
	if (code == 0 && at_rest)
		code = run_text(catalog, NC_CATALOG_LOCKED, err);
	if (code < 0)
		return code;
	int result = sqlite3_prepare_v2(catalog->db, "ATTACH ?1 AS kept", -1, &statement, NULL);
	if (result == SQLITE_OK) {
		sqlite3_bind_text(statement, 1, uri.data, -1, SQLITE_STATIC);
		result = sqlite3_step(statement);
	}
	if (result != SQLITE_DONE)
		code = fail(catalog, result, err);
	sqlite3_finalize(statement);
	return code;
}

static int compare_rows(struct nc_catalog *catalog, const char *text,
			int (*fn)(void *ctx, const char *table, const char *key, struct nacre_error *err), void *ctx,
			struct nacre_error *err)
{
	sqlite3_stmt *statement = NULL;
	int code = 0, result = sqlite3_prepare_v2(catalog->db, text, -1, &statement, NULL);
	while (code == 0 && result != SQLITE_DONE && (result == SQLITE_OK || result == SQLITE_ROW)) {
		result = sqlite3_step(statement);
		if (result == SQLITE_ROW)
			code = fn(ctx, (const char *)sqlite3_column_text(statement, 0),
				  (const char *)sqlite3_column_text(statement, 1), err);
	}
	if (code == 0 && result != SQLITE_DONE)
		code = fail(catalog, result, err);
	sqlite3_finalize(statement);
	return code;
}

static int check_version(void *ctx, const char *version, const char *none, struct nacre_error *err)
{
	return strtol(version, NULL, 10) == VERSION
		       ? 0 : nc_fail(err, NACRE_E_CORRUPT, 0, "catalog: version %.20s", version);
}

static int check_sound(void *ctx, const char *text, const char *none, struct nacre_error *err)
{
	return strcmp(text, "ok") == 0 ? 0 : nc_fail(err, NACRE_E_CORRUPT, 0, "catalog: %.200s", text);
}

int nc_catalog_compare(struct nacre_store *store,
		       int (*fn)(void *ctx, const char *table, const char *key, struct nacre_error *err), void *ctx,
		       struct nacre_error *err)
{
	struct stat st;
	struct nc_catalog catalog = { .store = store, .log = -1 };
	bool at_rest = nc_catalog_at_rest(store);
	nc_catalog_look(store, &catalog.opened);
	nc_catalog_patience(ASK_BUSY_MS);
	if (fstatat(store->root, NC_CATALOG_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno, "look for the catalog");
	if (!S_ISREG(st.st_mode) || (!at_rest && !nc_catalog_has(store, "-shm")))
		return S_ISREG(st.st_mode) ? NACRE_E_BUSY : nc_fail(err, NACRE_E_CORRUPT, 0, "the catalog is no file");
	int code = open_in_memory(&catalog, err);
	if (code == 0)
		code = attach(&catalog, at_rest, err);
	if (code == 0)
		code = compare_rows(&catalog, "PRAGMA kept.user_version", check_version, NULL, err);
	if (code == 0)
		code = compare_rows(&catalog, "PRAGMA kept.quick_check(1)", check_sound, NULL, err);
	if (code == 0)
		code = compare_rows(&catalog, compare_text, fn, ctx, err);
	catalog.at_rest = at_rest;
	if (is_overtaken(&catalog) && (code == 0 || code == NACRE_E_CORRUPT))
		code = NACRE_E_BUSY;
	disconnect(&catalog);
	return code;
}

/* --- building --------------------------------------------------------------------------------------------------- */

static int build_into(struct nc_catalog *catalog, struct nc_stage *stage, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(1 << 16);
	int code = nc_file_create(stage->dir, NC_CATALOG_FILE, "", 0, err);	/* 0600; the log beside it gets the same */
	if (code == 0)
		code = nc_buf_addf(&path, err, "%s/graph/_tmp/%s/" NC_CATALOG_FILE, catalog->store->path, stage->name);
	if (code == 0)
		code = connect(catalog, path.data, SQLITE_OPEN_READWRITE, BUSY_MS, err);
	if (code == 0)
		code = run_text(catalog, "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL;", err);
	if (code == 0)
		code = fill_new(catalog, err);
	/* a log would not come along */
	int result = code == 0 ? sqlite3_wal_checkpoint_v2(catalog->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL)
			       : SQLITE_OK;
	if (result != SQLITE_OK)
		code = fail(catalog, result, err);
	disconnect(catalog);
	return code;
}

static int put_in_place(struct nacre_store *store, struct nc_stage *stage, struct nacre_error *err)
{
	NC_AUTO_FD int fd = openat(stage->dir, NC_CATALOG_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the new catalog");
	int code = nc_store_sync(store, fd, "the new catalog", err);
	if (code < 0)
		return code;
	/* a log that belongs to an older file must not be taken for the new one's */
	static const char *const beside[] = { NC_CATALOG_FILE "-wal", NC_CATALOG_FILE "-shm" };
	for (int i = 0; i < 2; i++)
		if (unlinkat(store->root, beside[i], 0) < 0 && errno != ENOENT)
			return nc_fail(err, NACRE_E_IO, errno, "remove '%s'", beside[i]);
	if (renameat(stage->dir, NC_CATALOG_FILE, store->root, NC_CATALOG_FILE) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "replace the catalog");
	return nc_store_sync(store, store->root, "the catalog's directory", err);
}

/* While nobody changes files, or another builds. Not for ever: whoever holds the lock may be waiting for this
 * catalog. */
static int lock_for_building(int locks, int attempts, struct nacre_error *err)
{
	int code = NACRE_E_BUSY;
	for (int i = 0; i < attempts && code == NACRE_E_BUSY; i++) {
		if (i)
			nanosleep(&(struct timespec){ .tv_nsec = LOCK_PAUSE_NS }, NULL);
		code = nc_lock_whole(locks, NC_LOCK_CATALOG, NC_LOCK_EXCLUSIVE, false, err);
	}
	return code;
}

static int build(struct nc_catalog *catalog, struct nacre_error *err)
{
	struct nacre_store *store = catalog->store;
	NC_AUTO_FD int locks = -1;
	int code = nc_locks_open(store, &locks, err);
	if (code == 0)
		code = lock_for_building(locks, store->impatient ? 1 : LOCK_ATTEMPTS_MAX, err);
	if (code < 0)
		return code;
	code = open_file(catalog, ASK_BUSY_MS, NULL);
	if (code != NACRE_E_NOTFOUND && code != NACRE_E_CORRUPT)
		return code < 0 ? open_file(catalog, ASK_BUSY_MS, err) : 0;	/* another was faster */
	NC_CLEANUP(nc_stage_auto) struct nc_stage *stage = NULL;
	code = nc_stage_new(store->stages, &stage, err);
	if (code == 0)
		code = build_into(catalog, stage, err);
	if (code == 0)
		code = put_in_place(store, stage, err);
	return code;
}

/* Where no file can be built now, what the files say answers from memory; the next use looks for a file again. */
static int open_for_once(struct nc_catalog *catalog, struct nacre_error *err)
{
	int code = open_in_memory(catalog, err);
	catalog->in_memory = false;
	catalog->dev = 0;
	catalog->ino = 0;
	return code;
}

/* Makes the connection one to the file that is there now. The mutex is held. */
static int ensure_open(struct nc_catalog *catalog, struct nacre_error *err)
{
	if (catalog->db && (catalog->in_memory || !is_moved(catalog)))
		return 0;
	if (catalog->apart)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "the copy of the catalog is damaged");
	disconnect(catalog);
	if (catalog->store->readonly)
		return open_readonly(catalog, err);
	if (catalog->store->ephemeral)
		return open_in_memory(catalog, err);
	int code = open_file(catalog, ASK_BUSY_MS, err);
	for (int i = 0; i < ATTEMPTS_MAX && (code == NACRE_E_NOTFOUND || code == NACRE_E_CORRUPT); i++) {
		code = build(catalog, err);
		if (code == NACRE_E_BUSY || code == NACRE_E_NOSPACE)
			return open_for_once(catalog, err);
		if (code == 0 && !catalog->db)
			code = open_file(catalog, ASK_BUSY_MS, err);
	}
	/* somebody goes on deleting it, or has locked it */
	return code == NACRE_E_NOTFOUND || code == NACRE_E_CORRUPT || code == NACRE_E_BUSY ? open_for_once(catalog, err)
											     : code;
}

/* The file is damaged: it goes, and the next use builds it. Memory is only forgotten. */
static void condemn(struct nc_catalog *catalog)
{
	bool has_file = !catalog->in_memory && !is_moved(catalog);
	disconnect(catalog);
	if (catalog->store->readonly)
		catalog->distrusted = true;
	else if (has_file && !catalog->apart)
		unlinkat(catalog->store->root, NC_CATALOG_FILE, 0);
	catalog->in_memory = false;
}

int nc_catalog_open(struct nacre_store *store, struct nc_catalog **ret, struct nacre_error *err)
{
	struct nc_catalog *catalog = nc_zalloc(sizeof *catalog);
	if (!catalog)
		return nc_nomem(err);
	catalog->store = store;
	catalog->log = -1;
	pthread_mutex_init(&catalog->mutex, NULL);
	nc_catalog_patience(ASK_BUSY_MS);
	int code = ensure_open(catalog, err);
	if (code < 0)
		nc_catalog_close(catalog);
	else
		*ret = catalog;
	return code;
}

void nc_catalog_close(struct nc_catalog *catalog)
{
	if (!catalog)
		return;
	disconnect(catalog);
	pthread_mutex_destroy(&catalog->mutex);
	free(catalog);
}

int nc_catalog_refresh(struct nc_catalog *catalog, struct nacre_error *err)
{
	enter(catalog, ASK_BUSY_MS);
	int code = ensure_open(catalog, err);
	pthread_mutex_unlock(&catalog->mutex);
	return code;
}

int nc_catalog_rebuild(struct nc_catalog *catalog, struct nacre_error *err)
{
	enter(catalog, ASK_BUSY_MS);
	condemn(catalog);
	int code = ensure_open(catalog, err);
	pthread_mutex_unlock(&catalog->mutex);
	return code;
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

void nc_rows_release(struct nc_rows *rows)
{
	for (size_t i = 0; i < rows->cell_count; i++)
		free(rows->cells[i]);
	nc_free_pointer(&rows->cells);
	*rows = (struct nc_rows){ 0 };
}

const char *nc_rows_text(const struct nc_rows *rows, size_t row, unsigned column)
{
	return rows->cells[row * rows->width + column];
}

int64_t nc_rows_number(const struct nc_rows *rows, size_t row, unsigned column)
{
	return strtoll(nc_rows_text(rows, row, column), NULL, 10);
}

static int add_row(struct nc_rows *rows, sqlite3_stmt *statement, struct nacre_error *err)
{
	rows->width = (unsigned)sqlite3_column_count(statement);
	if (rows->cell_count + rows->width > rows->cap) {
		size_t cap = rows->cap ? rows->cap * 2 : 64;
		char **cells = nc_realloc_array(rows->cells, cap, sizeof *cells);
		if (!cells)
			return nc_nomem(err);
		rows->cells = cells;
		rows->cap = cap;
	}
	for (unsigned i = 0; i < rows->width; i++) {
		const char *text = (const char *)sqlite3_column_text(statement, (int)i);
		char *cell = nc_strdup(text ? text : "");
		if (!cell)
			return nc_nomem(err);
		rows->cells[rows->cell_count++] = cell;
	}
	rows->count++;
	return 0;
}

static int ask(struct nc_catalog *catalog, enum nc_question question, const char *a, const char *b,
	       struct nc_rows *ret, struct nacre_error *err)
{
	sqlite3_stmt *statement = catalog->statements[question];
	if (a)
		sqlite3_bind_text(statement, 1, a, -1, SQLITE_STATIC);
	if (b)
		sqlite3_bind_text(statement, 2, b, -1, SQLITE_STATIC);
	int code = 0, result;
	while ((result = sqlite3_step(statement)) == SQLITE_ROW && code == 0)
		code = add_row(ret, statement, err);
	if (code == 0 && result != SQLITE_DONE)
		code = fail(catalog, result, err);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return code;
}

int nc_catalog_ask(struct nc_catalog *catalog, enum nc_question question, const char *a, const char *b,
		   struct nc_rows *ret, struct nacre_error *err)
{
	enter(catalog, ASK_BUSY_MS);
	int code = NACRE_E_CORRUPT;
	for (int i = 0; i < ATTEMPTS_MAX && code == NACRE_E_CORRUPT; i++) {
		nc_rows_release(ret);
		code = ensure_open(catalog, err);
		if (code == 0)
			code = ask(catalog, question, a, b, ret, err);
		if (code == 0 && is_overtaken(catalog))
			code = NACRE_E_CORRUPT;
		if (code == NACRE_E_CORRUPT)
			condemn(catalog);
		if (code == NACRE_E_BUSY) {
			nc_rows_release(ret);
			disconnect(catalog);
			code = open_for_once(catalog, err);
			if (code == 0)
				code = ask(catalog, question, a, b, ret, err);
		}
	}
	pthread_mutex_unlock(&catalog->mutex);
	return code;
}

/* --- telling ---------------------------------------------------------------------------------------------------- */

static int watch_log(struct nc_catalog *catalog, struct nacre_error *err)
{
	if (!catalog->in_place || catalog->log >= 0)
		return 0;
	catalog->log = openat(catalog->store->root, NC_CATALOG_FILE "-wal", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	/* none: the file was replaced just now, and what is told goes nowhere */
	return catalog->log >= 0 || errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "open the catalog's log");
}

static void bind(struct nc_catalog *catalog, int which, int place, const char *text)
{
	sqlite3_bind_text(catalog->statements[which], place, text, -1, SQLITE_TRANSIENT);
}

static int run_with(struct nc_catalog *catalog, int which, const char *a, const char *b, struct nacre_error *err)
{
	bind(catalog, which, 1, a);
	if (b)
		bind(catalog, which, 2, b);
	return run(catalog, which, err);
}

int nc_catalog_begin(struct nc_catalog *catalog, bool wait, struct nacre_error *err)
{
	int code = 0, busy_ms = wait ? BUSY_MS : ASK_BUSY_MS;
	enter(catalog, busy_ms);
	/* one that another built since we last looked knows nothing of what changed under the catalog's lock */
	if (!catalog->apart && (!catalog->db || (!catalog->in_memory && is_moved(catalog)))) {
		disconnect(catalog);
		code = open_file(catalog, busy_ms, err);
	}
	if (code == 0 && !catalog->db)
		code = NACRE_E_CORRUPT;
	if (code == 0)
		code = watch_log(catalog, err);
	if (code == 0) {
		sqlite3_busy_timeout(catalog->db, busy_ms);
		code = run(catalog, BEGIN, err);
		if (code != 0)
			sqlite3_busy_timeout(catalog->db, ASK_BUSY_MS);
	}
	if (code == NACRE_E_CORRUPT)
		condemn(catalog);
	if (code == NACRE_E_CORRUPT || code == NACRE_E_NOTFOUND)
		code = 1;
	if (code != 0)
		pthread_mutex_unlock(&catalog->mutex);
	return code;
}

int nc_catalog_commit(struct nc_catalog *catalog, struct nacre_error *err)
{
	int code = run(catalog, COMMIT, err);
	if (code == 0) {
		sqlite3_busy_timeout(catalog->db, ASK_BUSY_MS);
		pthread_mutex_unlock(&catalog->mutex);
	}
	return code;
}

void nc_catalog_abort(struct nc_catalog *catalog, bool damaged)
{
	if (!sqlite3_get_autocommit(catalog->db))
		sqlite3_exec(catalog->db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_busy_timeout(catalog->db, ASK_BUSY_MS);
	if (damaged)
		condemn(catalog);
	pthread_mutex_unlock(&catalog->mutex);
}

/* A descriptor of its own, so that those who ask need not wait. It stays as it was where the catalog is another by now, built from
 * the files, or was never one of files. */
static int open_log(struct nc_catalog *catalog, int *ret, struct nacre_error *err)
{
	if (!catalog->store->durable || catalog->store->readonly)
		return 0;
	pthread_mutex_lock(&catalog->mutex);
	bool there = catalog->log >= 0;
	int log = there ? fcntl(catalog->log, F_DUPFD_CLOEXEC, 0) : -1;
	int code = there && log < 0 ? nc_fail(err, NACRE_E_IO, errno, "open the catalog's log") : 0;
	pthread_mutex_unlock(&catalog->mutex);
	*ret = log;
	return code;
}

int nc_catalog_sync(struct nc_catalog *catalog, struct nacre_error *err)
{
	NC_AUTO_FD int log = -1;
	int code = open_log(catalog, &log, err);
	return code < 0 || log < 0 ? code : nc_store_sync(catalog->store, log, "the catalog's log", err);
}

void nc_catalog_send(struct nc_catalog *catalog)
{
	NC_AUTO_FD int log = -1;
	if (open_log(catalog, &log, NULL) == 0 && log >= 0)
		nc_writeback_file(log, true);
}

int nc_catalog_put_node(struct nc_catalog *catalog, const struct nc_node_facts *facts, struct nacre_error *err)
{
	int code = nc_catalog_drop_node(catalog, facts->id, err);
	if (code < 0)
		return code;
	sqlite3_stmt *statement = catalog->statements[PUT_NODE];
	bind(catalog, PUT_NODE, 1, facts->id);
	bind(catalog, PUT_NODE, 2, facts->parent);
	sqlite3_bind_int64(statement, 3, facts->kind);
	sqlite3_bind_int64(statement, 4, facts->created);
	sqlite3_bind_int64(statement, 5, facts->created_nsec);
	sqlite3_bind_int64(statement, 6, facts->size);
	bind(catalog, PUT_NODE, 7, facts->diff_id);
	code = run(catalog, PUT_NODE, err);
	char text[NC_DIGEST_TEXT];
	for (size_t i = 0; code == 0 && i < facts->document_count; i++)
		code = run_with(catalog, PUT_DOCUMENT, nc_digest_text(&facts->documents[i], text), facts->id, err);
	for (size_t i = 0; code == 0 && i < facts->blob_count; i++)
		code = run_with(catalog, PUT_BLOB, nc_digest_text(&facts->blobs[i], text), facts->id, err);
	if (code == 0 && facts->kind & NC_NODE_IMAGE)
		code = run_with(catalog, PUT_MEMBERS, facts->id, NULL, err);
	return code;
}

int nc_catalog_put_members(struct nc_catalog *catalog, struct nacre_error *err)
{
	return run(catalog, PUT_ALL_MEMBERS, err);
}

int nc_catalog_drop_node(struct nc_catalog *catalog, const char *id, struct nacre_error *err)
{
	static const enum telling drops[] = { DROP_NODE, DROP_DOCUMENTS, DROP_BLOBS, DROP_MEMBERS };
	int code = 0;
	for (size_t i = 0; code == 0 && i < sizeof drops / sizeof *drops; i++)
		code = run_with(catalog, (int)drops[i], id, NULL, err);
	return code;
}

int nc_catalog_put_name(struct nc_catalog *catalog, const char *full, const struct nc_name_target *target,
			struct nacre_error *err)
{
	char manifest[NC_DIGEST_TEXT] = "", list[NC_DIGEST_TEXT] = "";
	if (target->manifest.alg)
		nc_digest_text(&target->manifest, manifest);
	if (target->index.alg)
		nc_digest_text(&target->index, list);
	bind(catalog, PUT_NAME, 1, full);
	bind(catalog, PUT_NAME, 2, target->id);
	bind(catalog, PUT_NAME, 3, manifest);
	bind(catalog, PUT_NAME, 4, list);
	return run(catalog, PUT_NAME, err);
}

int nc_catalog_drop_name(struct nc_catalog *catalog, const char *full, struct nacre_error *err)
{
	return run_with(catalog, DROP_NAME, full, NULL, err);
}

/* --- size ------------------------------------------------------------------------------------------------------- */

static int copy_into(struct nc_catalog *from, struct nc_catalog *to, struct nacre_error *err)
{
	/* a file of SQLite's own, which has no name and stays in memory as long as it is small */
	int code = connect(to, "", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, BUSY_MS, err);
	if (code < 0)
		return code;
	sqlite3_backup *backup = sqlite3_backup_init(to->db, "main", from->db, "main");
	if (!backup)
		return fail(to, sqlite3_errcode(to->db), err);
	/* a file that is locked is no failure to SQLite, which would have us try again */
	int step = sqlite3_backup_step(backup, -1);
	int result = sqlite3_backup_finish(backup);
	if (step != SQLITE_DONE && result == SQLITE_OK)
		result = step;
	return result == SQLITE_OK ? prepare_all(to, err) : fail(to, result, err);
}

int nc_catalog_copy(struct nc_catalog *catalog, struct nc_catalog **ret, struct nacre_error *err)
{
	struct nc_catalog *copy = nc_zalloc(sizeof *copy);
	if (!copy)
		return nc_nomem(err);
	copy->store = catalog->store;
	copy->in_memory = copy->apart = true;
	copy->log = -1;
	pthread_mutex_init(&copy->mutex, NULL);
	enter(catalog, ASK_BUSY_MS);
	int code = ensure_open(catalog, err);
	if (code == 0)
		code = copy_into(catalog, copy, err);
	bool overtaken = code == 0 && is_overtaken(catalog);
	if (code == NACRE_E_BUSY || overtaken) {
		disconnect(copy);
		disconnect(catalog);
		code = overtaken ? open_in_memory(catalog, err) : open_for_once(catalog, err);
		if (code == 0)
			code = copy_into(catalog, copy, err);
	}
	pthread_mutex_unlock(&catalog->mutex);
	if (code < 0)
		nc_catalog_close(copy);
	else
		*ret = copy;
	return code;
}

static int measure(struct nc_catalog *catalog, uint64_t *ret, struct nacre_error *err)
{
	uint64_t pages = 0, page = 0;
	int code = ask_number(catalog, "PRAGMA page_count", &pages, err);
	if (code == 0)
		code = ask_number(catalog, "PRAGMA page_size", &page, err);
	*ret = pages * page;
	return code;
}

int nc_catalog_shrink(struct nc_catalog *catalog, uint64_t *ret, struct nacre_error *err)
{
	enter(catalog, ASK_BUSY_MS);
	int code = ensure_open(catalog, err);
	if (code == 0)
		code = run_text(catalog, "VACUUM", err);
	/* the file gets shorter when what is in the log is written into it */
	if (code == 0 && !catalog->in_memory)
		code = run_text(catalog, "PRAGMA wal_checkpoint(TRUNCATE)", err);
	if (code == 0)
		code = measure(catalog, ret, err);
	pthread_mutex_unlock(&catalog->mutex);
	return code;
}
