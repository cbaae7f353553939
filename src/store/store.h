/* The store: the graph of nodes, its names, blobs and catalog. Public functions of nacre.h about these are
 * implemented in this room; this header is the door for transports.
 *
 * INVARIANTS (numbered for check and recovery)
 *  1. A node exists exactly when graph/<id>/ exists, and that appears by one no-replace rename of a synced stage.
 *  2. When graph/<id>/ is visible, its parent is visible and the driver's tree for <id> is sealed and durable.
 *  3. A driver tree without a node is rubbish (but a container's of 2015 is no tree to a driver); so is a stage or trash whose owner lock can be taken.
 *  4. Files in graph/<id>/ never change after the rename, layersize and checksum excepted, which are replaced whole;
 *     manifests/ only grows; and a move to a driver that keeps no tars adds the records that it needs.
 *  5. Replaying a layer gives the bytes of its diff ID. A layer of 2015 has none: each file in it is proved by itself.
 *  6. The catalog may differ from the files only in what a plan in a stage lists; whoever finds that stage dead teaches
 *     it again. So a stage goes only when what it did and what the catalog learned of it are durable.
 *  7. Names are files of their own, replaced by rename; a name points at a node that exists, or at one whose removal
 *     has begun, and then means nothing.
 *  8. Lock order: per-ID lock (parents first), blob lock, mounts, catalog, names. No lock is held while bytes move,
 *     but those of the IDs at work. The lock of holds is taken with no other, but by a sweep that waits for nothing.
 *  9. A node that a session holds stays: its ID is in holds/<session> before the holder looks whether the node is
 *     there, and whoever removes looks into holds/ under the lock of the ID. A session counts as long as its owner
 *     lives: a lock on its range of ROOT/lock (a handle), a process that began at that time, or for ever.
 *
 * ON DISK
 *   nacre.json                     {"layout":1,"driver":"overlay","created_by":"nacre 0.1.0"}; "adopted":"docker" in what
 *                                  was a root of 2015 (old_root.h)
 *   lock                           byte ranges: one per ID and blob (lock.h)
 *   graph/<id>/json                image JSON of 2015 for this node
 *              layersize           bytes of file content, decimal
 *              tar-data.json.gz    tar-split record            (nodes with a layer whose tar the driver does not keep)
 *              diffid              "sha256:…" of the plain tar               (nodes with a layer)
 *              tarsize             its length, decimal                       (nodes with a layer)
 *              blob                "sha256:…" of the compressed blob that it came as and that was to be kept: whatever
 *                                  has this digest is the layer              (nodes whose layer came so)
 *              checksum            "sha256:…" or a tarsum: what a registry called the layer (where it was set)
 *              config              exact bytes                               (images)
 *              manifests/<hex>     exact bytes of each manifest and index that led here   (images)
 *              manifests/<hex>.whole   blobs that the index names beside images           (where it was kept whole: whole.c)
 *              manifest            "sha256:<hex> MEDIATYPE": the first of them            (images that came with one)
 *   graph/_tmp/                    stages
 *   blobs/sha256/<hex>             compressed layers that were kept, and what no image is of indexes that were kept whole
 *   blobs/partial/<hex>            what has come of a blob that is being pulled; nobody's, once its lock is free (partial.h)
 *   names/<host>/<path…>/_tags/<tag>   {"id":"<hex>","manifest":"sha256:…","index":"sha256:…"}
 *   mounts/<random>                {"id":…,"path":…,"boot":…,"namespace":…}
 *   holds/<session>                {"owner":…,"pid":…,"start":…,"boot":…,"namespace":…,"ids":[…]}
 *   aside/<random>/{item,from}     what a repair set aside, and the path that it had
 *   nacre.left-out                 names of such a root that could not be taken over
 *   mnt/<id>/                      mount points of mounts without a directory
 *   writable/<id>/                 writable layers (writable.h)
 *   erofs/ overlay/ btrfs/ vfs/ aufs/   the driver's
 *   nacre.migrate/                 a move to another driver that is not finished (migrate.c)
 *   catalog.db                     SQLite: an index of the above, nothing more
 *
 * A COMMIT, one per image
 *   A stage holds the directories of the nodes to come (made before a tree of theirs can appear in the driver's
 * home), blobs, documents and names; layers are built and sealed; "plan" lists what goes where; one syncfs; "plan"
 * becomes "commit": from here on the image is in the store for whoever opens it. Blobs and nodes are renamed into place,
 * parents first, then names; the catalog learns; a second syncfs, and it is done; the stage goes, its plan first. Names
 * and documents alone are synced file by file instead, the mark too. Whoever finds a stage dead carries out its commit
 * to the end, where there is "commit", or where something that the plan lists has left the stage and is in its place; else
 * it removes the trees of nodes that are not in graph/.
 *
 * A REMOVAL
 *   Its commit is the rename of graph/<id> into a stage. Names that point at it mean nothing from then on; they, the
 *   layers that nobody needs any more, trees and blobs follow, by whoever began it or by whoever finds its stage. */
#ifndef NC_STORE_STORE_H
#define NC_STORE_STORE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "driver/view.h"
#include "io/codec.h"
#include "io/digest.h"
#include "io/reader.h"
#include "store/partial.h"

#include <nacre/nacre.h>

/* --- writing ---------------------------------------------------------------------------------------------------- */

/* An ingest: everything that one image brings, made visible by one commit. One thread at a time. */
struct nc_ingest;
int nc_ingest_begin(struct nacre_store *store, struct nc_ingest **ret, struct nacre_error *err);
/* Waiting for what another process is bringing ends with NACRE_E_CANCELLED when *cancel (may be NULL) is not 0. */
void nc_ingest_watch(struct nc_ingest *ingest, const volatile int *cancel);
/* Layers that are there are read, and those that are damaged count as missing and are mended. */
void nc_ingest_thorough(struct nc_ingest *ingest);
void nc_ingest_free(struct nc_ingest *ingest);	/* aborts what was not committed */
NC_DEFINE_CLEANUP(nc_ingest_auto, struct nc_ingest *, nc_ingest_free)

/* Whether a layer must be brought: also when it is there and its tree or its record is missing. Then it is mended by
 * nc_ingest_layer, at once and without the commit. Takes the lock of its ID for as long as the ingest lives, so the answer stays
 * true: 1 the layer is there (and cannot be removed now), 0 it is not (and nobody else is bringing it; waits for
 * whoever is). Call for each layer of an image, lowest first. */
int nc_ingest_has(struct nc_ingest *ingest, const char *chain_id, struct nacre_error *err);

/* Bytes of layers that are to come, as they lie there. */
struct nc_room {
	uint64_t plain, compressed;
	uint64_t kept;			/* of compressed ones, what is kept so beside the tree */
};
/* What they take at least, and what the store's disk has free (UINT64_MAX: unknown). */
void nc_store_room(struct nacre_store *store, const struct nc_room *room, uint64_t *ret_needed, uint64_t *ret_free);
/* NACRE_E_NOSPACE when they certainly do not fit on the store's disk. */
int nc_ingest_room(struct nc_ingest *ingest, const struct nc_room *room, struct nacre_error *err);

struct nc_layer_in {
	const char *parent;		/* chain ID of the layer below, brought in this ingest or before; NULL */
	const struct nc_digest *diff_id;	/* must fit; NULL: whatever comes */
	const struct nc_digest *blob;	/* digest of the stream as it comes; NULL: unknown */
	uint64_t blob_size;		/* UINT64_MAX: unknown */
	bool keep_blob;			/* when it is compressed */
	const struct nc_partial *partial;	/* has all of the blob once it was read: is kept instead of a copy; NULL */
	const char *id;			/* node ID instead of the chain ID (graph register, kept v1 IDs); NULL */
	const char *json;		/* description instead of the default; NULL */
	size_t json_len;
	/* instead of json: writes the description once the bytes of file content are known; may be NULL */
	int (*describe)(const void *ctx, uint64_t size, struct nc_buf *ret, struct nacre_error *err);
	const void *describe_ctx;
	const struct nacre_progress *progress;	/* may be NULL */
};
struct nc_layer_out {
	char id[NC_HEX_ID];
	struct nc_digest diff_id;
	struct nc_digest blob;		/* of the stream as it came */
	uint64_t blob_size, flat_size;
	enum nc_codec codec;
};
/* Bring a layer: blob (taken) is streamed once: digest, inflate, digest, tar, tree and record. With diff_id NULL the
 * ID is known only at the end: the stream is first copied to an unnamed file. When a node is there under the ID, with
 * the same content, nothing is brought (returns 1); with other content it is NACRE_E_EXISTS. blob NULL: a node
 * without a layer, which needs in->id. A blob is kept in the end only when the manifest of an image of this ingest
 * names it. */
int nc_ingest_layer(struct nc_ingest *ingest, const struct nc_layer_in *in, struct nc_reader *blob,
		    struct nc_layer_out *ret, struct nacre_error *err);

/* The same for a layer whose diff ID is known and whose blob may be read by another thread, while others come: 1 when it is
 * on its way, 0 when it has arrived (as nc_ingest_layer, where the driver or the machine allows no more, or it is there).
 * What in points to is borrowed until nc_ingest_settle has told of the layer, or nc_ingest_halt. number: the caller's. */
int nc_ingest_layer_beside(struct nc_ingest *ingest, const struct nc_layer_in *in, struct nc_reader *blob, size_t number,
			   struct nacre_error *err);
/* Waits for the lowest layer that is on its way: 1, and its number. 0: none is, or (unless all) there is room for one more.
 * After a failure nothing more can come. */
int nc_ingest_settle(struct nc_ingest *ingest, bool all, size_t *ret_number, struct nacre_error *err);
/* 1 when something failed because of a layer that was on its way: which, and why. */
int nc_ingest_blame(const struct nc_ingest *ingest, size_t *ret_number, struct nacre_error *err);
/* Ends all that are on their way, as if they had never come. */
void nc_ingest_halt(struct nc_ingest *ingest);

struct nc_image_in {
	const char *config;		/* exact bytes; its SHA-256 is the ID */
	size_t config_len;
	const char *manifest;		/* exact bytes; NULL when there is none */
	size_t manifest_len;
	const char *manifest_media_type;
	const char *index;		/* the index it was chosen from; NULL */
	size_t index_len;
	const char *const *names;	/* full names; ends with NULL; may be NULL */
};
/* The image on top of layers that are there or were brought in this ingest: all diff IDs of the config must be. A
 * kept v1 image instead is a node like any other: bring it with nc_ingest_layer and name it with nc_ingest_name. Its
 * blobs are those of the manifest's layers that were kept. Returns 1 when the image was there (names and a new
 * manifest are still added). ret_id has room for NC_HEX_ID. */
int nc_ingest_image(struct nc_ingest *ingest, const struct nc_image_in *in, char *ret_id, struct nacre_error *err);
/* What is known of an image that need not be in a store: given, nacre_image_free(). Sizes of content are UINT64_MAX. */
int nc_image_compose(const struct nc_image_in *in, struct nacre_image **ret, struct nacre_error *err);
/* An index that is kept whole (whole.c): what it names beside images lies in the store as it came. */
struct nc_blob_ref {
	struct nc_digest digest;
	uint64_t size;
};
/* 1 when a blob is there, or in this ingest; it stays until the ingest ends. */
int nc_ingest_has_blob(struct nc_ingest *ingest, const struct nc_digest *digest, struct nacre_error *err);
/* One that is not: stream (taken) must be it. It goes again unless a list or a manifest of this ingest names it. */
int nc_ingest_blob(struct nc_ingest *ingest, const struct nc_blob_ref *blob, struct nc_reader *stream,
		   struct nacre_error *err);
/* An image that is there or in this ingest keeps all these blobs as long as it is there itself: index names them. */
int nc_ingest_whole(struct nc_ingest *ingest, const char *id, const struct nc_digest *index, const struct nc_blob_ref *blobs,
		    size_t count, struct nacre_error *err);
/* A name for a node that is there or in this ingest. manifest and index, which it came with by that name, may be NULL. */
int nc_ingest_name(struct nc_ingest *ingest, const char *name, const char *id, const struct nc_digest *manifest,
		   const struct nc_digest *index, struct nacre_error *err);
/* Makes all of it durable and visible. The ingest is then empty and may be freed or used for the next image. */
int nc_ingest_commit(struct nc_ingest *ingest, struct nacre_error *err);

/* Whether something may run beside the caller. store NULL: it may. */
bool nc_store_threads(const struct nacre_store *store);
/* nc_reader_ahead, or nc_reader_hashing where that may not be. */
int nc_store_hashing(const struct nacre_store *store, struct nc_reader *upstream, struct nc_hash *hash, uint64_t *count,
		     struct nc_reader **ret, struct nacre_error *err);
/* A file without a name on the store's file system (elsewhere when the store is read-only), for what must be kept aside
 * for a while: gone when closed. */
int nc_store_spool(struct nacre_store *store, int *ret_fd, struct nacre_error *err);

/* --- reading ---------------------------------------------------------------------------------------------------- */

/* Full IDs only from here on. */

/* The layer's exact tar. size (may be NULL) is its length, UINT64_MAX where a layer of 2015 does not tell. The reader fails at its end with NACRE_E_CORRUPT when the
 * bytes do not have the node's diff ID. */
int nc_store_layer_tar(struct nacre_store *store, const char *id, struct nc_reader **ret, uint64_t *ret_size,
		       struct nacre_error *err);
/* The diff ID of a layer: the one that its node notes, or the one that its tar turns out to have. */
int nc_store_layer_diff_id(struct nacre_store *store, const char *id, struct nc_digest *ret, struct nacre_error *err);
/* Whether the layer came as this blob, and was seen to. False also where nobody noted it. */
bool nc_store_layer_came_as(struct nacre_store *store, const char *id, const struct nc_digest *blob);
/* A blob by digest: a kept one, or the flat tar of a layer whose diff ID it is. NACRE_E_NOTFOUND. */
int nc_store_blob(struct nacre_store *store, const struct nc_digest *digest, struct nc_reader **ret,
		  uint64_t *ret_size, struct nacre_error *err);
/* 1 when nc_store_blob would find it. */
int nc_store_has_blob(struct nacre_store *store, const struct nc_digest *digest, struct nacre_error *err);
/* The exact bytes of a manifest or index that an image keeps. */
int nc_store_manifest(struct nacre_store *store, const char *image, const struct nc_digest *digest, char **ret,
		      size_t *ret_len, struct nacre_error *err);
/* The exact bytes of a manifest or index that any image keeps, or that lies there as a blob. */
int nc_store_document(struct nacre_store *store, const struct nc_digest *digest, char **ret, size_t *ret_len,
		      struct nacre_error *err);
/* The index that an image was chosen from, when it got this name. NACRE_E_NOTFOUND. */
int nc_store_index(struct nacre_store *store, const char *name, struct nc_digest *ret, struct nacre_error *err);
/* The ID and (when the name knows one, else alg 0) manifest digest that a reference means; what as in
 * nacre_image_get. */
int nc_store_resolve(struct nacre_store *store, const char *what, char *ret_id, struct nc_digest *ret_manifest,
		     struct nacre_error *err);
/* The merged tree of an image or node. An image without layers gives an empty tree. */
int nc_store_view(struct nacre_store *store, const char *id, struct nc_view **ret, struct nacre_error *err);

#endif
