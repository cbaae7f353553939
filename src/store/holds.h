/* Sessions that hold nodes. */
#ifndef NC_STORE_HOLDS_H
#define NC_STORE_HOLDS_H

#include "store/inner.h"

enum nc_hold_owner { NC_HOLD_PERSISTENT, NC_HOLD_PROCESS, NC_HOLD_HANDLE };

struct nc_hold {
	char session[NACRE_SESSION_MAX];
	enum nc_hold_owner owner;
	int64_t pid;			/* PROCESS, HANDLE */
	uint64_t start;			/* PROCESS: when it began, in clock ticks since boot */
	char boot[64], space[64];	/* PROCESS: of which boot, and in which namespace, the number is */
	char (*ids)[NC_HEX_ID];
	size_t count;
};
void nc_hold_release(struct nc_hold *hold);
#define NC_AUTO_HOLD __attribute__((cleanup(nc_hold_release)))

/* Calls fn for each session whose owner lives, by name, until it returns other than 0, and returns that. */
int nc_holds_visit(struct nacre_store *store, int (*fn)(void *ctx, const struct nc_hold *hold, struct nacre_error *err),
		   void *ctx, struct nacre_error *err);
/* Calls fn for each session, whoever owns it; hold is NULL for one whose file is damaged. */
int nc_holds_examine(struct nacre_store *store,
		     int (*fn)(void *ctx, const char *session, const struct nc_hold *hold, struct nacre_error *err),
		     void *ctx, struct nacre_error *err);

#endif
