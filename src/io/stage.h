/* Stages: private directories in the store, invisible until something in them is renamed to where it belongs.
 *
 * A stage is DIR/<random 32 hex>/ (0700) with a file "owner" that its maker keeps locked exclusively; whoever can
 * take that lock may sweep the stage. (<random 32 hex>.empty/ is one that is being made or has been emptied.) Trash works the
 * same way: what is to be removed is renamed into a stage. */
#ifndef NC_IO_STAGE_H
#define NC_IO_STAGE_H

#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>

struct nc_stage {
	int parent;	/* borrowed: the directory that holds the stages */
	int dir;	/* the stage itself */
	int owner;	/* keeps the lock */
	char name[33];	/* of the stage in parent */
};

int nc_stage_new(int parent, struct nc_stage **ret, struct nacre_error *err);
/* Removes the stage with everything still in it. */
void nc_stage_free(struct nc_stage *stage);
NC_DEFINE_CLEANUP(nc_stage_auto, struct nc_stage *, nc_stage_free)

/* Remove every stage in parent that nobody owns. Returns how many, or a negative code; goes on after a failure and
 * reports the first. */
int nc_stage_sweep(int parent, struct nacre_error *err);
/* The same, but heir first looks at each of them, under its lock: 0 it may go, 1 it stays for the next sweep,
 * negative it stays and that is a failure. dir is borrowed. */
int nc_stage_sweep_with(int parent, int (*heir)(void *ctx, int dir, struct nacre_error *err), void *ctx,
			struct nacre_error *err);
/* Whether it is a stage and its owner is gone. Only looks, and needs no second look. */
bool nc_stage_is_left(int parent, const char *name);

#endif
