/* Writable layers: a tree of one's own on top of an image, ROOT/writable/<id>/ with
 *
 *	writable.json		{"name":…,"image":…,"created":…}: what it is called and lies on
 *	diff work tree		the driver's (driver.h: writable_make)
 *
 * It appears by one rename of a synced stage and goes by one rename into a stage; both under the lock of the mounts,
 * which also makes names unique. Its image cannot be removed as long as it is there. */
#ifndef NC_STORE_WRITABLE_H
#define NC_STORE_WRITABLE_H

#include "store/store.h"

#include <nacre/nacre.h>

#define NC_WRITABLE_HOME "writable"	/* in ROOT */

struct nc_writable {
	char id[NC_HEX_ID], image[NC_HEX_ID];
	char name[NACRE_WRITABLE_NAME_MAX];
	int64_t created;
	uint32_t created_nsec;
};

/* By name, ID, or 12 digits of it at least. NACRE_E_NOTFOUND, NACRE_E_AMBIGUOUS. */
int nc_writable_find(struct nacre_store *store, const char *what, struct nc_writable *ret, struct nacre_error *err);
/* NACRE_E_UNSUPPORTED where the driver has none. */
int nc_writable_possible(struct nacre_store *store, struct nacre_error *err);
/* Its directory. NACRE_E_NOTFOUND. */
int nc_writable_open(struct nacre_store *store, const char *id, int *ret_fd, struct nacre_error *err);
int nc_writable_view(struct nacre_store *store, const struct nc_writable *writable, struct nc_view **ret,
		     struct nacre_error *err);
/* 1 when one lies on this image: ret is it. */
int nc_writable_on(struct nacre_store *store, const char *image, struct nc_writable *ret, struct nacre_error *err);
/* Calls fn for each; writable is NULL for one whose description is damaged. */
int nc_writables_examine(struct nacre_store *store,
			 int (*fn)(void *ctx, const char *id, const struct nc_writable *writable,
				   struct nacre_error *err),
			 void *ctx, struct nacre_error *err);

#endif
