/* The inside of an ingest: shared by the files that fill one. */
#ifndef NC_STORE_INGEST_H
#define NC_STORE_INGEST_H

#include "base/map.h"
#include "store/inner.h"

struct nc_config;

/* What an ingest knows of an ID whose lock it holds. */
struct nc_held {
	enum nc_held_state {
		NC_HELD_THERE = 1,	/* in the graph; shared lock */
		NC_HELD_MISSING,	/* not there; exclusive lock */
		NC_HELD_BROUGHT,	/* in the stage; exclusive lock */
		NC_HELD_DAMAGED,	/* in the graph, and to be brought again; exclusive lock */
	} state;
	char parent[NC_HEX_ID];		/* BROUGHT */
	bool layer;			/* BROUGHT: it has one */
};

struct nc_ingest {
	struct nacre_store *store;
	int locks;			/* our descriptor of ROOT/lock */
	int sync;			/* of the file system, opened before the first write: it gets the errors */
	struct nc_arrivals *arrivals;	/* layers that come side by side; NULL: none did */
	struct nc_syncer *syncer;	/* NULL: what the driver writes waits for the sync at the end */
	struct nc_stage *stage;		/* NULL until something is written */
	int nodes, blobs, documents, names;	/* directories in the stage; -1 until needed */
	struct nc_plan plan;
	struct nc_map *held;		/* ID -> struct nc_held */
	unsigned name_count;
	bool thorough;			/* layers that are there are read before they count as there */
	const volatile int *cancel;	/* ends waits; may be NULL */
};

struct nc_held *nc_ingest_held(const struct nc_ingest *ingest, const char *id);
/* A directory of the stage ("graph", "blobs", …), made when it is not there. *fd is one of the members above. */
int nc_ingest_side(struct nc_ingest *ingest, const char *name, int *fd, struct nacre_error *err);
/* A file in the stage for a blob whose digest is not proved yet; id: whose it is. */
int nc_ingest_blob_file(struct nc_ingest *ingest, const char *id, int *ret_fd, struct nacre_error *err);
/* It is kept under its digest until the end, or (hex NULL) not at all. */
int nc_ingest_blob_name(struct nc_ingest *ingest, const char *id, const char *hex, struct nacre_error *err);
/* A node whose directory in the stage is complete joins the plan. */
int nc_ingest_brought(struct nc_ingest *ingest, const char *id, const char *parent, bool layer,
		      struct nacre_error *err);
/* It will: layers upon it may begin, and lose what was theirs when it does not. */
void nc_ingest_expects(struct nc_ingest *ingest, const char *id, const char *parent, bool layer);
/* The nearest of id (held, or NULL) and its ancestors that has a layer; "" when none has. */
int nc_ingest_tree(struct nc_ingest *ingest, const char *id, char *ret_tree, struct nacre_error *err);
/* 1 when a node that is there is whole as far as that can be seen for nothing (its tree and record are there), or, when the
 * ingest is thorough, as all of it is read. Only what can be mended is ever 0. Its lock is held. */
int nc_ingest_sound(struct nc_ingest *ingest, const char *id, struct nacre_error *err);
/* Takes the lock of a node that is there, and has it brought again. It is not held yet. NACRE_E_NOTFOUND. */
int nc_ingest_condemn(struct nc_ingest *ingest, const char *id, struct nacre_error *err);
/* The sealed tree, and the files in dir, take the place of what the node id has. The lock of id is held exclusively. The
 * old tree is that of tree afterwards. NACRE_E_INUSE while it is mounted. */
int nc_ingest_exchange(struct nc_ingest *ingest, const char *id, const char *tree, int dir, struct nacre_error *err);
/* Files of a node in the stage. */
int nc_ingest_describe(int dir, const char *id, const char *parent, const struct nc_config *config, uint64_t size,
		       struct nacre_error *err);

#endif
