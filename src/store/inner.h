/* The inside of the store room: what its files share. Nothing outside of src/store/ includes this. */
#ifndef NC_STORE_INNER_H
#define NC_STORE_INNER_H

#include "base/buf.h"
#include "driver/driver.h"
#include "image/reference.h"
#include "io/fd.h"
#include "io/lock.h"
#include "io/stage.h"
#include "store/catalog.h"
#include "store/plan.h"
#include "store/store.h"

#include <stdatomic.h>

/* Largest image description or config, manifest or index that is read back from graph/. */
#define NC_DOCUMENT_MAX ((size_t)4 << 20)
/* Longest way up from a node to the one without a parent. */
#define NC_DEPTH_MAX 4096
#define NC_LAYOUT 1

/* A failure is another's fault than it seemed where it was found. */
static inline int nc_blame(struct nacre_error *err, int code)
{
	if (err)
		err->code = code;
	return code;
}

struct nacre_store {
	char *path;			/* absolute, of the root */
	int root, graph, stages, blobs, names, mounts;	/* directories; -1 where a read-only store lacks one */
	struct nc_driver *driver;
	struct nc_catalog *catalog;
	bool readonly, durable;
	bool ephemeral;			/* the memory driver: nothing outlives the handle */
	bool adopted;			/* it was a root of Docker's: what has no node is not ours */
	struct nc_old_names *old_names;	/* it still is one (read-only): its names; else NULL */
	uint64_t token;			/* tells the handles of one process apart */
	atomic_int sessions;		/* descriptor of ROOT/lock that keeps this handle's sessions; -1: none yet */
	int alive;			/* ephemeral: holds the lock that keeps others out */
	int use;			/* holds NC_LOCK_USE; -1: there is nothing to hold it on */
	atomic_bool broken;		/* a commit failed half way: no writing until the store is opened again */
	bool one_thread;		/* nothing may run beside the caller */
	bool impatient;			/* it is being opened by one who only looks: what would wait is left to others */
};

/* A flag for nacre_store_open beside those of nacre.h: nobody else has the store open, now and until it is closed, else
 * NACRE_E_BUSY. */
#define NC_OPEN_ALONE (1u << 30)
/* Make nacre.json name this driver, durably: the commit of a migration. The handle's own driver stays. making: a directory of
 * the store that is removed, with what one who dies in the middle leaves in it. */
int nc_store_set_driver(struct nacre_store *store, int making, const char *driver, struct nacre_error *err);
/* NACRE_E_DENIED for a read-only store, NACRE_E_IO after a commit that failed. */
int nc_store_writable(struct nacre_store *store, struct nacre_error *err);
/* fsync, unless the store never syncs. A failure is final: it breaks the store. */
int nc_store_sync(struct nacre_store *store, int fd, const char *what, struct nacre_error *err);

/* A descriptor for nc_store_sync_all, opened before the first write: it gets the errors from then on. */
int nc_store_watch(struct nacre_store *store, int *ret_fd, struct nacre_error *err);
/* syncfs, unless the store never syncs. A failure is final here too. */
int nc_store_sync_all(struct nacre_store *store, int fd, struct nacre_error *err);

/* --- locks (locks.c) -------------------------------------------------------------------------------------------- */

/* A descriptor of ROOT/lock. Each unit of work has its own: locks of one descriptor never exclude each other. */
int nc_locks_open(struct nacre_store *store, int *ret_fd, struct nacre_error *err);
int nc_lock_id(int fd, const char *id, enum nc_lock_kind kind, bool wait, struct nacre_error *err);
/* Waits, until *cancel (may be NULL) is not 0. */
int nc_lock_id_wait(int fd, const char *id, enum nc_lock_kind kind, const volatile int *cancel,
		    struct nacre_error *err);
void nc_unlock_id(int fd, const char *id);
bool nc_id_taken(int fd, const char *id);	/* exclusively, by another descriptor than fd */
int nc_lock_blob(int fd, const char *hex, enum nc_lock_kind kind, bool wait, struct nacre_error *err);
void nc_unlock_blob(int fd, const char *hex);

/* The ranges that are one thing for the whole store, in the order in which they are taken (after IDs and blobs). */
enum nc_lock_whole {
	NC_LOCK_ALIVE,			/* exclusive: an ephemeral store is open */
	NC_LOCK_MAKING,			/* exclusive: the store is being made */
	NC_LOCK_MOUNTS,			/* exclusive: records of mounts, or which writable layers there are, change */
	NC_LOCK_CATALOG,		/* shared: files change, the catalog will be told; exclusive: it is rebuilt */
	NC_LOCK_NAMES,			/* exclusive: names change */
	NC_LOCK_HOLDS,			/* exclusive: sessions change; who waits for it has no other lock */
	NC_LOCK_USE,			/* before all others. shared: the store is open; exclusive: it is migrated */
	NC_LOCK_WRITERS,		/* after that. shared: it is open for writing */
};
int nc_lock_whole(int fd, enum nc_lock_whole what, enum nc_lock_kind kind, bool wait, struct nacre_error *err);
void nc_unlock_whole(int fd, enum nc_lock_whole what);
bool nc_lock_whole_held(int fd, enum nc_lock_whole what);	/* by another descriptor than fd */

/* A session that belongs to a handle of the store, as long as its descriptor of ROOT/lock is open. NACRE_E_BUSY. */
int nc_session_take(int fd, const char *session, struct nacre_error *err);
void nc_session_let_go(int fd, const char *session);
bool nc_session_taken(int fd, const char *session);	/* by another descriptor than fd; fd -1: no */

/* --- nodes (node.c) --------------------------------------------------------------------------------------------- */

enum nc_node_kind {
	NC_NODE_LAYER = 1,		/* has a layer */
	NC_NODE_IMAGE = 2,		/* has a config */
	NC_NODE_V1 = 4,			/* of 2015: no config, and its ID is not the chain ID */
	NC_NODE_DAMAGED = 8,		/* cannot be read; alone, but for the parent where that is still known */
};

/* What the catalog knows about a node. */
struct nc_node_facts {
	char id[NC_HEX_ID], parent[NC_HEX_ID];	/* parent "" for none */
	unsigned kind;
	int64_t created;
	uint32_t created_nsec;
	int64_t size;			/* -1 unknown */
	char diff_id[NC_DIGEST_TEXT];	/* "" unknown */
	struct nc_digest *documents;	/* manifests and indexes, sorted */
	size_t document_count;
	struct nc_digest *blobs;	/* layers that the manifests name, and what lists do (whole.h) */
	size_t blob_count;
};
void nc_node_facts_release(struct nc_node_facts *facts);
#define NC_AUTO_FACTS __attribute__((cleanup(nc_node_facts_release)))

bool nc_id_valid(const char *id);
/* 64 random digits; never such that the first 12, which people see, are a number. */
int nc_id_random(char *ret, struct nacre_error *err);
bool nc_id_like_number(const char *id);
bool nc_node_exists(struct nacre_store *store, const char *id);
/* 1, 0, or NACRE_E_IO where that cannot be told: for who is about to take something away. */
int nc_node_there(struct nacre_store *store, const char *id, struct nacre_error *err);
/* Whether node is the directory of that node in graph now. */
bool nc_node_is(int graph, const char *id, int node);
/* Whether something could not be read (no memory, a failing disk), which says nothing about what it is. */
bool nc_is_unread(int code);
/* The directory of a node. NACRE_E_NOTFOUND. */
int nc_node_open(struct nacre_store *store, const char *id, int *ret_fd, struct nacre_error *err);
/* Facts from the files in graph/<id>/ (graph is a directory of such, the store's or a stage's). NACRE_E_NOTFOUND. */
int nc_node_read(int graph, const char *id, struct nc_node_facts *ret, struct nacre_error *err);
/* The facts that need no look at documents: faster. */
int nc_node_read_brief(int graph, const char *id, struct nc_node_facts *ret, struct nacre_error *err);
/* The same of a node of the store. Whether a node of 2015 without a record has a layer, only the driver knows. */
int nc_node_look(struct nacre_store *store, const char *id, struct nc_node_facts *ret, struct nacre_error *err);
int nc_node_look_brief(struct nacre_store *store, const char *id, struct nc_node_facts *ret, struct nacre_error *err);
/* What is still known of a node that nc_node_look found damaged. */
int nc_node_salvage(struct nacre_store *store, const char *id, struct nc_node_facts *ret, struct nacre_error *err);
/* A small file of a node, whole. */
int nc_node_file(struct nacre_store *store, const char *id, const char *file, size_t max, char **ret, size_t *ret_len,
		 struct nacre_error *err);
/* The same through the node's directory. */
int nc_node_file_in(int node, const char *id, const char *file, size_t max, char **ret, size_t *ret_len,
		    struct nacre_error *err);
/* The nearest of id and its ancestors that has a layer, whose tree is the node's: "" when none has. */
int nc_node_tree(struct nacre_store *store, const char *id, char *ret_tree, struct nacre_error *err);
/* The chain ID of a layer on top of parent (NULL or "": none). NACRE_E_UNSUPPORTED when it is no SHA-256. */
int nc_node_chain_id(const char *parent, const struct nc_digest *diff_id, char *ret_id, struct nacre_error *err);

/* --- files that are replaced (node_put.c) ------------------------------------------------------------------------ */

/* Put a small file into a directory of the store, in place of what was there: durable before it is visible, and a
 * crash leaves the old one or the new, and no rubbish. */
int nc_file_publish(struct nacre_store *store, int dir, const char *name, const void *bytes, size_t len,
		    struct nacre_error *err);
/* The same for a file of a node, which cannot be removed meanwhile. wait false: NACRE_E_BUSY when somebody is at it. */
int nc_node_put(struct nacre_store *store, const char *id, const char *file, const void *bytes, size_t len,
		bool wait, struct nacre_error *err);

/* --- names (names.c) -------------------------------------------------------------------------------------------- */

struct nc_name_target {
	char id[NC_HEX_ID];
	struct nc_digest manifest, index;	/* alg 0: none */
};
/* A full name as it is kept: host, path and tag, no digest. NACRE_E_INVALID. ret has room for NC_REFERENCE_TEXT. */
int nc_name_normal(const char *text, char *ret, struct nacre_error *err);
/* What a full name points at, from its file. NACRE_E_NOTFOUND. */
int nc_name_read(struct nacre_store *store, const char *full, struct nc_name_target *ret, struct nacre_error *err);
/* The bytes of a name's file. */
int nc_name_text(const struct nc_name_target *target, char **ret, size_t *ret_len, struct nacre_error *err);
/* The path of the name's file below names/, appended. */
int nc_name_path(const char *full, struct nc_buf *ret, struct nacre_error *err);
/* Rename dir/file, synced, to where the name's file belongs; sync: so that it is durable there. The names lock is held. */
int nc_name_publish(struct nacre_store *store, const char *full, int dir, const char *file, bool sync,
		    struct nacre_error *err);
/* Remove a name's file and directories that are then empty. 1: there was one. The names lock is held. */
int nc_name_unlink(struct nacre_store *store, const char *full, struct nacre_error *err);
/* Calls fn for each name there is, by reading the files. */
int nc_names_each(struct nacre_store *store,
		  int (*fn)(void *ctx, const char *full, const struct nc_name_target *target,
			    struct nacre_error *err),
		  void *ctx, struct nacre_error *err);
/* Calls fn for the path, below names/, of each file that should be a name and cannot be read as one. */
int nc_names_damaged(struct nacre_store *store, int (*fn)(void *ctx, const char *path, struct nacre_error *err),
		     void *ctx, struct nacre_error *err);

/* Bytes on disk of the names of a plan, with the directories that are empty without them or are so already. */
int nc_names_bytes(struct nacre_store *store, const struct nc_plan *plan, uint64_t *ret, struct nacre_error *err);
/* Remove empty directories. */
int nc_names_tidy(struct nacre_store *store, int locks, struct nacre_error *err);

/* --- blobs (blobs.c) -------------------------------------------------------------------------------------------- */

/* 1 (ret_size is set, where it is not NULL), 0, or NACRE_E_IO where that cannot be told. */
int nc_blob_exists(struct nacre_store *store, const char *hex, uint64_t *ret_size, struct nacre_error *err);
/* Remove those kept blobs that no image names any more and nobody relies on. */
int nc_blobs_prune(struct nacre_store *store, int locks, const struct nc_digest *blobs, size_t count,
		   struct nacre_error *err);

/* --- changes (publish.c, learn.c, recover.c, remove.c) ---------------------------------------------------------- */

/* Takes the catalog's shared lock: from before files change until nc_catalog_learn was called. */
int nc_catalog_hold(struct nacre_store *store, int locks, struct nacre_error *err);
void nc_catalog_let_go(int locks);
/* Make the catalog's rows of every node and name of the plan say what the files say, in one transaction. It is not
 * durable before nc_catalog_sync, or a sync of the file system; until then a stage with the plan must be there. */
int nc_catalog_learn(struct nacre_store *store, const struct nc_plan *plan, struct nacre_error *err);
/* The same by one who waits for nobody: NACRE_E_BUSY. */
int nc_catalog_learn_now(struct nacre_store *store, const struct nc_plan *plan, struct nacre_error *err);
/* Fill an empty catalog from the files. */
int nc_catalog_fill(struct nacre_store *store, struct nc_catalog *catalog, struct nacre_error *err);

/* Carry out a plan whose stage is durable and bears the commit mark: rename everything to where it belongs,
 * teach the catalog, sync both. What is in place already is passed over, so it may be begun again after a crash. */
int nc_publish(struct nacre_store *store, int locks, int stage, const struct nc_plan *plan, struct nacre_error *err);
/* Finish, or undo, what processes that died left. Costs a look into graph/_tmp when there is nothing. */
int nc_recover(struct nacre_store *store, struct nacre_error *err);
/* Of that, what changes nodes and names: before somebody changes them, who would else find that what the dead one began comes
 * later and undoes it. */
int nc_recover_stages(struct nacre_store *store, struct nacre_error *err);
/* Whether a stage has something of that name in this directory of its own: 1, 0, or NACRE_E_IO where that cannot be told. */
int nc_is_staged(int stage, const char *side, const char *name, struct nacre_error *err);
/* The same of a node in any stage: it is on its way into the graph or out of it. */
int nc_is_staged_anywhere(struct nacre_store *store, const char *id, struct nacre_error *err);

/* Lets go of a stage without removing it: it is left to an heir. */
void nc_stage_leave(struct nc_stage *stage);

/* Why a node cannot be removed: 0 nothing is in its way; NACRE_E_INUSE with the reason. names: they are one too. */
int nc_node_removable(struct nacre_store *store, const char *id, bool names, struct nacre_error *err);
/* Whether a layer (or an unnamed image of 2015) goes with its last child: nobody but child needs it or uses it. Its lock is
 * held. */
int nc_node_unneeded(struct nacre_store *store, const char *id, const char *child, struct nacre_error *err);
/* Remove a node and the layers that nobody needs any more. named: it goes although it has names, with them. ret_gone: what
 * went. NACRE_E_INUSE, NACRE_E_BUSY (somebody is at it), NACRE_E_NOTFOUND. */
int nc_remove_idle(struct nacre_store *store, const char *id, bool named, struct nc_plan *ret_gone,
		   struct nacre_error *err);
/* Go on with a removal whose maker died after its commit: layers of its plan that nobody needs any more go too. */
int nc_remove_unneeded(struct nacre_store *store, int locks, struct nc_stage *stage, const struct nc_plan *plan,
		       struct nacre_error *err);

/* --- holds (holds.c) -------------------------------------------------------------------------------------------- */

/* 1 when a session holds the node; ret_session has room for NACRE_SESSION_MAX. */
int nc_held_by(struct nacre_store *store, const char *id, char *ret_session, struct nacre_error *err);
/* Take away the files of sessions whose owner is gone. */
int nc_holds_sweep(struct nacre_store *store, struct nacre_error *err);

/* --- looking (resolve.c, mounts.c, image.c) --------------------------------------------------------------------- */

/* As nc_store_resolve, but layers count too where no image fits. */
int nc_store_resolve_node(struct nacre_store *store, const char *what, char *ret_id, struct nacre_error *err);
/* By full ID or prefix alone. */
int nc_store_resolve_id(struct nacre_store *store, const char *what, char *ret_id, struct nacre_error *err);

/* 1 when the node is mounted anywhere; ret_path (may be NULL) is given: where. */
int nc_mounted(struct nacre_store *store, const char *id, char **ret_path, struct nacre_error *err);

/* What nacre_image_get gives, by full ID. lean: without history and config bytes. NACRE_E_NOTFOUND says that there is
 * none, or not the same one any more; what is damaged is NACRE_E_CORRUPT. */
int nc_image_read(struct nacre_store *store, const char *id, bool lean, struct nacre_image **ret,
		  struct nacre_error *err);
/* The same, lean, of a row of an answer with images, with the names that it says. */
int nc_image_read_listed(struct nacre_store *store, const struct nc_rows *images, size_t i, struct nacre_image **ret,
			 struct nacre_error *err);

#endif
