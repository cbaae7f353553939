/* Checks: a look at everything in the store, and what is wrong with it.
 *
 * Nothing is locked while all is sound. What looks wrong is looked at again under the lock of its ID (or of what else it
 * belongs to), which nobody has who is bringing or removing it: only what is wrong then is a finding, and what somebody
 * is at is passed over. */
#ifndef NC_STORE_CHECK_H
#define NC_STORE_CHECK_H

#include "base/map.h"
#include "store/inner.h"

/* What can be wrong; the words are in check.c. */
enum nc_flaw {
	NC_FLAW_NODE,			/* graph/<id> is no directory */
	NC_FLAW_JSON,
	NC_FLAW_PARENT,			/* the node's parent is not there */
	NC_FLAW_CYCLE,
	NC_FLAW_DIFF_ID,
	NC_FLAW_RECORD_MISSING,
	NC_FLAW_RECORD,
	NC_FLAW_TAR_SIZE,
	NC_FLAW_LAYER_SIZE,
	NC_FLAW_CONFIG,
	NC_FLAW_LAYERS,			/* the image does not stand on the layers of its config */
	NC_FLAW_MANIFEST_MISSING,
	NC_FLAW_MANIFEST,
	NC_FLAW_TREE_MISSING,
	NC_FLAW_TREE_LAYOUT,
	NC_FLAW_TREE_STRAY,
	NC_FLAW_TREE,			/* a tree is not what the layer's tar says */
	NC_FLAW_CONTENT,		/* the layer's tar cannot be had, or is another */
	NC_FLAW_BLOB,
	NC_FLAW_BLOB_MISSING,		/* one that an index that was kept whole names */
	NC_FLAW_BLOB_STRAY,
	NC_FLAW_NAME,
	NC_FLAW_NAME_DANGLING,
	NC_FLAW_HOLD,
	NC_FLAW_HOLD_DANGLING,
	NC_FLAW_WRITABLE,
	NC_FLAW_WRITABLE_DANGLING,
	NC_FLAW_STAGE,
	NC_FLAW_CATALOG_MISSING,
	NC_FLAW_CATALOG,
	NC_FLAW_CATALOG_STALE,
	NC_FLAW_COUNT
};

/* What is remembered of a node. */
struct nc_checked {
	char parent[NC_HEX_ID];
	unsigned kind;
	bool flawed;			/* there is a finding of it */
	unsigned walk;			/* the walk that came by it: cycles */
};

/* A finding, kept. */
struct nc_found {
	enum nc_flaw flaw;
	char id[NC_HEX_ID];		/* "" for none */
	char *path, *text;		/* owned */
	bool aside;			/* the file was set aside */
	char *why;			/* it could not be mended; owned */
};
struct nc_findings {
	struct nc_found *list;
	size_t count, cap;
};
void nc_findings_release(struct nc_findings *findings);

struct content;
struct nc_check {
	struct nacre_store *store;
	const struct nacre_check_options *options;
	struct nacre_checked *told;
	int locks;			/* a descriptor of ROOT/lock; -1: there is none */
	bool exclusive;			/* it can be locked exclusively */
	bool flawed;			/* some node has a finding */
	struct nc_map *nodes;		/* by ID: struct nc_checked */
	struct nc_map *blobs;		/* hex of each blob that a manifest names */
	struct nc_findings found;
	struct content *content;	/* the layer that is read (check_full.c) */
};

/* A finding: node (or NULL) and path below the store's directory (or NULL) it is about, and what is wrong. */
int nc_check_find(struct nc_check *check, enum nc_flaw flaw, const char *id, const char *path, struct nacre_error *err,
		  const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* NACRE_E_CANCELLED when that was asked for. */
int nc_check_cancelled(const struct nc_check *check, struct nacre_error *err);

/* Runs look, and when it finds something again with the ID locked: the first time with report false. look returns how
 * many flaws there are, or a failure. */
struct nc_twice {
	int (*look)(struct nc_check *check, const char *what, bool report, struct nacre_error *err);
	const char *id;			/* whose lock; NULL: only whole counts */
	int whole;			/* enum nc_lock_whole to be held shared; -1: none */
};
int nc_check_twice(struct nc_check *check, const struct nc_twice *twice, const char *what, struct nacre_error *err);

int nc_check_nodes(struct nc_check *check, struct nacre_error *err);	/* check_node.c; fills nodes and blobs */
int nc_check_cycles(struct nc_check *check, struct nacre_error *err);
int nc_check_names(struct nc_check *check, struct nacre_error *err);	/* check_names.c */
int nc_check_holds(struct nc_check *check, struct nacre_error *err);
int nc_check_writables(struct nc_check *check, struct nacre_error *err);
int nc_check_trees(struct nc_check *check, struct nacre_error *err);	/* check_stray.c */
int nc_check_stages(struct nc_check *check, struct nacre_error *err);
/* Whether somebody who died left a stage. */
bool nc_check_has_left(struct nc_check *check);
/* Blobs are listed before nodes are looked at, and looked at after. */
struct nc_check_blobs {
	char (*hex)[NC_HEX_ID];
	size_t count, cap;
};
int nc_check_list_blobs(struct nc_check *check, struct nc_check_blobs *ret, struct nacre_error *err);
int nc_check_blobs(struct nc_check *check, const struct nc_check_blobs *blobs, struct nacre_error *err);
int nc_check_contents(struct nc_check *check, const struct nc_check_blobs *blobs, struct nacre_error *err);	/* check_full.c */
int nc_check_catalog(struct nc_check *check, struct nacre_error *err);	/* check_catalog.c */
/* Mend what was found. What cannot be mended is left, and what fails is no failure: the next look tells. */
int nc_check_repair(struct nc_check *check, struct nacre_error *err);	/* check_repair.c */
/* Build a layer again, out of itself or of its kept blob. */
int nc_check_rebuild(struct nc_check *check, const char *id, struct nacre_error *err);	/* check_layer.c */
/* Write a description, diff ID or size again, out of what proves it. NACRE_E_NOTFOUND where nothing does. */
int nc_check_describe(struct nc_check *check, const char *id, struct nacre_error *err);	/* check_describe.c */
int nc_check_measure(struct nc_check *check, const char *id, struct nacre_error *err);
/* Move a file of the store to aside/<random>/item, with its path in "from" beside it. */
int nc_aside(struct nacre_store *store, const char *path, struct nacre_error *err);	/* aside.c */
/* How many things are there. */
int nc_aside_count(struct nacre_store *store, uint64_t *ret, struct nacre_error *err);

/* Adds what a node's manifests name to check->blobs, and the node to check->nodes. */
int nc_check_note(struct nc_check *check, const struct nc_node_facts *facts, struct nacre_error *err);

#endif
