/* A root directory as Docker 1.6 to 1.9 left it:
 *
 *	graph/<id>/			nodes, as ours
 *	repositories-<driver>		{"Repositories":{"<name>":{"<tag or digest>":"<id>"}}}
 *	vfs/dir/<id>, overlay/<id>, btrfs/subvolumes/<id>, aufs/diff/<id>	trees: of nodes, and of containers
 *	containers/, volumes/, linkgraph.db, trust/, …	never touched
 *
 * Opened for reading it is left as it is, to the byte. Opened for writing it is adopted: its names are copied to names/,
 * and nacre.json appears, last, by a rename. Nothing of Docker's is changed or removed. */
#ifndef NC_STORE_OLD_ROOT_H
#define NC_STORE_OLD_ROOT_H

#include "base/buf.h"
#include "io/digest.h"

#define NC_DRIVER_NAME 32
/* What adoption left out, a sentence a line; it may be removed. */
#define NC_LEFT_OUT "nacre.left-out"

/* 1 and its driver when the directory is such a root, else 0. Several drivers may have been there: wanted (or NULL) says
 * which one is meant, else it is the one that has names. NACRE_E_UNSUPPORTED: a driver that we do not read;
 * NACRE_E_INVALID: it cannot be told which one is meant. */
int nc_old_root_find(int root, const char *wanted, char ret_driver[NC_DRIVER_NAME], struct nacre_error *err);
/* NACRE_E_UNSUPPORTED when a younger Docker has moved on with these trees: they are not ours to change. */
int nc_old_root_check_unused(int root, const char *driver, struct nacre_error *err);

struct nc_old_name {
	char *full;
	char id[NC_HEX_ID];
};
struct nc_old_names {
	struct nc_old_name *list;	/* sorted by name */
	size_t count, cap;
	struct nc_buf left_out;		/* what cannot be a name of ours, a sentence a line */
	size_t left_out_count;
};
/* The names in repositories-<driver>; those that point at no node of graph (-1: there is none) or that are no valid names
 * are left out. A file that is damaged has no names, and counts as one that was left out. */
int nc_old_names_read(int root, int graph, const char *driver, struct nc_old_names **ret, struct nacre_error *err);
void nc_old_names_free(struct nc_old_names *names);
NC_DEFINE_CLEANUP(nc_old_names_auto, struct nc_old_names *, nc_old_names_free)
/* NULL when there is none. */
const struct nc_old_name *nc_old_names_find(const struct nc_old_names *names, const char *full);

/* The names of a root that is being adopted: they grow in making, an empty directory of the root's file system, and are
 * moved to names/ (and NC_LEFT_OUT) at the end, durably. nacre.json is left to the caller. The making lock is held. */
int nc_adopt_names(int root, int making, const char *driver, bool durable, struct nacre_error *err);

#endif
