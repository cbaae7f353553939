/* The catalog against the files: one is made of the files, in memory, and compared with the one that is there. */
#include "io/failure.h"
#include "store/check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* So often it is compared while files and catalog may be changing, and so long (a second) the lock is waited for that
 * those have who change them. */
#define LOOKS 3
#define LOCK_ATTEMPTS 50
#define PAUSE_NS 20000000

struct difference {
	char *table, *key;
};

struct differences {
	struct nc_check *check;
	struct difference *list;
	size_t count, cap;
};

static void differences_clear(struct differences *all)
{
	for (size_t i = 0; i < all->count; i++) {
		free(all->list[i].table);
		free(all->list[i].key);
	}
	free(all->list);
	all->list = NULL;
	all->count = all->cap = 0;
}

static int add(void *ctx, const char *table, const char *key, struct nacre_error *err)
{
	struct differences *all = ctx;
	struct difference *more = nc_grown(all->list, all->count, &all->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	all->list = more;
	struct difference *one = &all->list[all->count];
	*one = (struct difference){ nc_strdup(table), nc_strdup(key) };
	all->count++;
	return one->table && one->key ? 0 : nc_nomem(err);
}

static int lock(struct nc_check *check, struct nacre_error *err)
{
	int code = check->exclusive ? NACRE_E_BUSY : 0;
	for (int i = 0; i < LOCK_ATTEMPTS && code == NACRE_E_BUSY; i++) {
		if (i)
			nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
		code = nc_lock_whole(check->locks, NC_LOCK_CATALOG, NC_LOCK_EXCLUSIVE, false, err);
	}
	return code;
}

static int compare(struct differences *all, struct nacre_error *err)
{
	differences_clear(all);
	return nc_catalog_compare(all->check->store, add, all, err);
}

/* With nobody changing anything. What one who died began, the catalog may know wrongly until somebody has finished it, for which
 * this lock is needed: that it is left behind is a finding of its own. */
static int compare_alone(struct differences *all, struct nacre_error *err)
{
	struct nc_check *check = all->check;
	int code = lock(check, err);
	if (code == 0)
		code = compare(all, err);
	if (code == 0 && all->count && nc_check_has_left(check))
		code = NACRE_E_BUSY;
	if (check->exclusive)
		nc_unlock_whole(check->locks, NC_LOCK_CATALOG);
	return code;
}

/* A node that has findings is another in the catalog for the same reason, and so are the layers of images on it. A name
 * that cannot be read has its own. */
static bool is_known(const struct nc_check *check, const char *table, const char *key)
{
	if (check->flawed && strcmp(table, "layers") == 0)
		return true;
	struct nc_name_target target;
	if (strcmp(table, "targets") == 0)
		return nc_name_read(check->store, key, &target, NULL) == NACRE_E_CORRUPT;
	const struct nc_checked *node = strlen(key) == NC_HEX_ID - 1 ? nc_map_get(check->nodes, key, strlen(key)) : NULL;
	return node && node->flawed;
}

static int tell(struct differences *all, struct nacre_error *err)
{
	struct nc_check *check = all->check;
	int code = 0;
	for (size_t i = 0; code == 0 && i < all->count; i++) {
		const struct difference *one = &all->list[i];
		bool node = nc_id_valid(one->key);
		if (is_known(check, one->table, one->key))
			continue;
		code = nc_check_find(check, NC_FLAW_CATALOG_STALE, node ? one->key : NULL, "catalog.db", err,
				     "the catalog's %s of %.200s are not what the files say", one->table, one->key);
	}
	return code;
}

int nc_check_catalog(struct nc_check *check, struct nacre_error *err)
{
	NC_CLEANUP(differences_clear) struct differences all = { .check = check };
	struct nacre_error why = { 0 };
	int code = check->store->ephemeral ? 1 : compare(&all, &why);
	for (int i = 1; i < LOOKS && (code == NACRE_E_CORRUPT || code == NACRE_E_NOTFOUND || (code == 0 && all.count)); i++)
		code = compare_alone(&all, &why);
	if (code == NACRE_E_NOTFOUND)
		return check->store->old_names || !check->told->nodes ? 0 : nc_check_find(check, NC_FLAW_CATALOG_MISSING, NULL,
			"catalog.db", err, "there is no catalog; the next command that writes makes one of the files");
	if (code == NACRE_E_CORRUPT)
		return nc_check_find(check, NC_FLAW_CATALOG, NULL, "catalog.db", err, "%s", why.msg);
	if (code < 0 && code != NACRE_E_BUSY)
		return nc_failure_tell(&why, code, err);
	return code == 0 ? tell(&all, err) : 0;
}
