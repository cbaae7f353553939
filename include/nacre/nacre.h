/* nacre: a store for versioned filesystem images.
 *
 * This header is the whole library. It reads from simple to expert; the command nacre uses nothing else.
 *
 * THE NOUNS
 *   layer    one changeset of a file system: a tar archive, known by its diff ID, the digest of its plain bytes
 *   node     one entry of the graph: a 64-hex ID, a JSON description, at most one parent, and a layer or none
 *   image    a node that carries a config (its ID is the config's digest), or that came from Docker's graph of 2015
 *   name     docker.io/library/alpine:latest, shown short as alpine:latest; points at an image
 *   store    a directory that holds all of this; any number of processes may use it at once, no daemon
 *
 * CAVEATS FIRST
 *   - A store belongs on a local file system (ext4, xfs, btrfs, tmpfs). Network file systems whose locks do not reach
 *     other machines make two machines one another's danger.
 *   - What a function reported as done survives a power cut, if the disk keeps what it confirms as flushed. What was
 *     under way leaves nothing behind that the next writer does not sweep.
 *   - Keeping owners, devices and mounts needs root, or a user namespace that maps the IDs.
 *   - After fork() the child must not use a store opened by the parent.
 *   - The library never prints, exits, aborts, changes the directory, the umask or signal handlers.
 *
 * ERRORS
 *   Functions return 0 (or a documented positive extra) when done and a negative code of enum nacre_code otherwise.
 *   The struct nacre_error may be NULL; where given, it holds a sentence that names the thing and the reason.
 *   Out-parameters are written only on success.
 *
 * OWNERSHIP
 *   Arguments are borrowed until the function returns. What is given to the caller says how it is freed; all the
 *   nacre_*_free functions accept NULL. Pointers inside a struct live as long as the struct.
 *
 * THREADS
 *   One store may be used by any number of threads. Everything else belongs to one thread at a time.
 *   Readers lock nothing: what is removed while it is read is read whole, or is NACRE_E_NOTFOUND in the end.
 *
 * UNITS
 *   Sizes are bytes. Times are seconds since 1970 UTC plus nanoseconds. IDs are lowercase hex; digests are written
 *   "sha256:" and 64 hex digits, as in the OCI image specification. */
#ifndef NACRE_H
#define NACRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NACRE_VERSION_MAJOR 0
#define NACRE_VERSION_MINOR 1
#define NACRE_VERSION_PATCH 0

#if defined(__GNUC__)
#define NACRE_API __attribute__((visibility("default")))
#else
#define NACRE_API
#endif

/* --- errors --------------------------------------------------------------------------------------------------- */

/* Whose fault, and what next. */
enum nacre_code {
	NACRE_E_INVALID = -1,		/* the caller asked for something that has no meaning */
	NACRE_E_BADDATA = -2,		/* the input lies or is damaged */
	NACRE_E_CORRUPT = -3,		/* the store's own files contradict each other */
	NACRE_E_NOTFOUND = -4,
	NACRE_E_EXISTS = -5,
	NACRE_E_AMBIGUOUS = -6,		/* a prefix fits several; the message lists at most five */
	NACRE_E_INUSE = -7,		/* mounted, named, or needed by another */
	NACRE_E_BUSY = -8,		/* another process is at it; try again */
	NACRE_E_DIGEST = -9,		/* bytes do not have the digest that was promised */
	NACRE_E_LIMIT = -10,		/* larger than a named limit */
	NACRE_E_NOSPACE = -11,
	NACRE_E_IO = -12,
	NACRE_E_NOMEM = -13,
	NACRE_E_UNSUPPORTED = -14,	/* the machine, or this build, cannot do it */
	NACRE_E_AUTH = -15,		/* a registry refused the credentials */
	NACRE_E_REMOTE = -16,		/* a registry cannot be reached or misbehaves */
	NACRE_E_CANCELLED = -17,
	NACRE_E_DENIED = -18,		/* the system refused: permissions, read-only */
	NACRE_E_UNSET = -19,		/* the thing is there; what was asked of it was never set */
};

struct nacre_error {
	int code;			/* enum nacre_code */
	int sys;			/* errno, or 0 */
	char msg[504];			/* one sentence, UTF-8, no newline */
};

/* "not found", "bad data", … for a code; never NULL. Thread-safe. */
NACRE_API const char *nacre_code_text(int code);

/* "0.1.0". Thread-safe. */
NACRE_API const char *nacre_version(void);

/* --- progress and cancelling ----------------------------------------------------------------------------------- */

enum nacre_event {
	NACRE_EVENT_START,		/* work on an object begins, or will: how much is known, before it does */
	NACRE_EVENT_BYTES,		/* more of it is done */
	NACRE_EVENT_DONE,
	NACRE_EVENT_SKIPPED,		/* it was there already */
	NACRE_EVENT_NOTE,		/* what is a sentence for the user about id, a host: what is waited for, a warning;
					 * no work begins or ends */
};

struct nacre_progress {
	/* Called from the thread that runs the operation. id is the object ("sha256:…", a file name), what a short
	 * text such as "loading layer"; current and total are bytes, total 0 when unknown. May be NULL. */
	void (*event)(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current,
		      uint64_t total);
	void *ctx;
	/* When not NULL and not 0, the operation stops soon with NACRE_E_CANCELLED and leaves the store as it was. May
	 * be set from a signal handler. */
	const volatile int *cancel;
};

/* --- stores ---------------------------------------------------------------------------------------------------- */

struct nacre_store;

enum nacre_open_flags {
	NACRE_OPEN_READONLY = 1,	/* write nothing, not even locks; works on a read-only file system */
	NACRE_OPEN_NOCREATE = 2,	/* a directory that is no store is NACRE_E_NOTFOUND rather than made one */
	NACRE_OPEN_NOSYNC = 4,		/* never sync: for throw-away stores only; a power cut may lose all of it */
	NACRE_OPEN_AS_IT_IS = 8,	/* a root of Docker's is opened for reading only rather than adopted */
	NACRE_OPEN_ONE_THREAD = 16,	/* start no threads; else a layer of some size is read and inflated by one of the
					 * library's own, layers of one image come side by side, and several blobs come from a registry, or
					 * go there, at once; they are gone before the operation returns */
};

/* Option structs begin with their own size, set by the caller; zero in all other fields means the default. */
struct nacre_open_options {
	size_t size;
	unsigned flags;			/* enum nacre_open_flags */
	const char *driver;		/* for a new store: "erofs", "overlay", …; NULL: the best that works here. For an
					 * existing one: NULL, or the driver it was made with (else INVALID) */
};

/* Open a store, making it when the directory is missing or empty. A root directory of Docker 1.6 to 1.9 (drivers vfs,
 * overlay, btrfs, aufs) is a store too: opened for reading it is left as it is to the byte, with the names of its
 * repositories-<driver>; opened for writing it is adopted, its names are copied, and nothing of Docker's is changed.
 *
 * root    path of the directory. Its parents must exist. Becomes 0700.
 * options may be NULL.
 * ret     given; nacre_store_close().
 * fails   NACRE_E_NOTFOUND     NOCREATE or READONLY and there is no store
 *         NACRE_E_INVALID      a directory with other things in it; another driver than the store's
 *         NACRE_E_UNSUPPORTED  a newer layout; a driver that this machine cannot run (the message says why); a root of
 *                              Docker's with devicemapper or zfs, or (writing) one that a later Docker has taken over
 *         NACRE_E_DENIED       the directory belongs to another user
 *         NACRE_E_CORRUPT      nacre.json cannot be read
 * A memory store (driver "memory") belongs to one handle, uses its root only while it is open, and leaves it empty.
 * Opening for writing sweeps what dead processes left behind. */
NACRE_API int nacre_store_open(const char *root, const struct nacre_open_options *options, struct nacre_store **ret,
			       struct nacre_error *err);
NACRE_API void nacre_store_close(struct nacre_store *store);

struct nacre_store_info {
	char *root;			/* absolute */
	char *driver;
	char *backing;			/* "ext4", "xfs", "btrfs", "tmpfs", … or "0x…" */
	unsigned layout;		/* version of the layout on disk */
	uint64_t images, layers, names, mounts;
};
/* ret     given; nacre_store_info_free(). */
NACRE_API int nacre_store_info_get(struct nacre_store *store, struct nacre_store_info **ret, struct nacre_error *err);
NACRE_API void nacre_store_info_free(struct nacre_store_info *info);

/* Which drivers there are and whether they work for a store at root (which need not exist; its nearest existing
 * parent is probed). Calls fn for each, best first; reason is NULL when it works. */
NACRE_API int nacre_drivers_each(const char *root,
				 void (*fn)(void *ctx, const char *driver, const char *reason), void *ctx,
				 struct nacre_error *err);

struct nacre_migrate_options {
	size_t size;
	const char *driver;		/* the one to move to */
	bool dry_run;			/* change nothing, only fill ret */
	/* A layer that cannot be moved, and why. May be NULL. */
	void (*damaged)(void *ctx, const char *id, const char *reason);
	void *damaged_ctx;
	struct nacre_progress progress;	/* an object for each layer; SKIPPED: an earlier run moved it */
};
struct nacre_migration {
	char from[32], to[32];
	uint64_t layers;		/* that the store has */
	uint64_t moved;			/* of them by this run, or with dry_run to be moved */
	uint64_t damaged;		/* that cannot be moved */
	uint64_t needed;		/* bytes that those to be moved will take, about: file contents as they are */
	uint64_t available;		/* bytes that are free */
};
/* Move the store at root to another driver. Each layer's tar is replayed out of its old tree into a new one, and out of
 * that again: both must be the same, and have the layer's diff ID where it is known. When all are moved and durable, the
 * store switches to the new driver in one step; then the old trees go. IDs, names, records and blobs stay as they are.
 * A root of Docker's of 2015 is adopted first. Nobody else can open the store meanwhile (NACRE_E_BUSY).
 *
 * Until the switch the store is what it was. What an earlier run moved that failed, was cancelled or died is taken over;
 * moving to the driver that the store has already gives up what was moved to another, or takes away what is left of an
 * earlier driver, and else does nothing. ret may be NULL; it is filled on failure too.
 * fails   NACRE_E_NOTFOUND there is no store; NACRE_E_INVALID no driver has that name; NACRE_E_UNSUPPORTED it does not
 *         work here or does not write; NACRE_E_BUSY somebody uses the store; NACRE_E_INUSE images are mounted, or writable
 *         layers are there; NACRE_E_EXISTS the new driver's place holds trees of somebody else's; NACRE_E_CORRUPT layers
 *         are damaged: they were told, the others are moved, and the store did not switch; NACRE_E_NOSPACE,
 *         NACRE_E_CANCELLED */
NACRE_API int nacre_migrate(const char *root, const struct nacre_migrate_options *options, struct nacre_migration *ret,
			    struct nacre_error *err);

/* --- images ---------------------------------------------------------------------------------------------------- */

struct nacre_layer_info {
	char chain_id[65];		/* the node's ID */
	char diff_id[136];		/* digest of the plain tar; "" where a node of 2015 does not know it */
	uint64_t size;			/* bytes of file content in the layer; UINT64_MAX: unknown */
	char blob[136];			/* digest of the kept compressed blob, or ""; at a registry, of the blob */
	uint64_t blob_size;
	unsigned users;			/* images that contain the layer */
};

struct nacre_history_info {
	int64_t created;		/* seconds; INT64_MIN when unsaid */
	const char *created_by, *author, *comment;	/* never NULL */
	bool empty_layer;
	uint64_t size;			/* of its layer; 0 for empty ones; UINT64_MAX: unknown */
};

struct nacre_image {
	char id[65];
	const char *const *names;	/* full names, sorted; ends with NULL */
	const char *const *digests;	/* manifest digests known for it, the first one as it came; ends with NULL */
	int64_t created;		/* seconds */
	uint32_t created_nsec;
	uint64_t size;			/* of all its layers; UINT64_MAX: unknown */
	const char *architecture, *variant, *os, *author;
	const char *user, *working_dir, *stop_signal;
	const char *const *env, *const *cmd, *const *entrypoint, *const *exposed_ports, *const *volumes;
	const char *const *labels;	/* key, value, key, value, …, NULL */
	const struct nacre_layer_info *layers;	/* lowest first */
	size_t layer_count;
	const struct nacre_history_info *history;	/* oldest first, as in the config */
	size_t history_count;
	const char *config;		/* exact bytes */
	size_t config_len;
	const char *manifest;		/* exact bytes of the first manifest; NULL where none came */
	size_t manifest_len;
	const char *manifest_media_type;
	bool v1;			/* an image of Docker's graph of 2015 */
};

/* Look up an image by name (alpine, alpine:3, alpine@sha256:…), full ID, "sha256:" and ID, or unambiguous prefix.
 * A name wins over an ID prefix.
 * ret     given; nacre_image_free().
 * fails   NACRE_E_NOTFOUND, NACRE_E_AMBIGUOUS, NACRE_E_CORRUPT */
NACRE_API int nacre_image_get(struct nacre_store *store, const char *what, struct nacre_image **ret,
			      struct nacre_error *err);
NACRE_API void nacre_image_free(struct nacre_image *image);

struct nacre_list_options {
	size_t size;
	const char *reference;		/* shell pattern on repository or repository:tag; NULL: all */
	int dangling;			/* 0: all, 1: only images without a name, -1: only those with one */
	const char *const *labels;	/* "key" or "key=value", all must fit; ends with NULL; may be NULL */
	const char *before, *since, *until;	/* an image (before, since: by creation) or an RFC 3339 time or duration
						 * (until); NULL: none */
	const char *id;			/* prefix; NULL: all */
	const char *digest;		/* manifest digest; NULL: all */
	const char *const *not_labels;	/* as labels, none may fit; ends with NULL; may be NULL */
};

struct nacre_image_list {
	struct nacre_image **images;	/* newest first, then by ID; without history and config bytes */
	size_t count;
	size_t damaged;			/* images that could not be read; they are skipped */
	char *damage;			/* one sentence on the first of them, or NULL */
	size_t left_out;		/* names of a root of Docker's that cannot be names here, or lead nowhere */
	char *left_out_reason;		/* one sentence on the first of them, or NULL */
};
/* options may be NULL. ret given; nacre_image_list_free(). */
NACRE_API int nacre_image_list(struct nacre_store *store, const struct nacre_list_options *options,
			       struct nacre_image_list **ret, struct nacre_error *err);
NACRE_API void nacre_image_list_free(struct nacre_image_list *list);

/* Give an image another name, durably; a name that points elsewhere moves.
 * fails   NACRE_E_INVALID  not a name
 *         NACRE_E_NOTFOUND, NACRE_E_AMBIGUOUS for what */
NACRE_API int nacre_tag(struct nacre_store *store, const char *what, const char *name, struct nacre_error *err);
/* Remove a name, never the image. */
NACRE_API int nacre_untag(struct nacre_store *store, const char *name, struct nacre_error *err);

enum nacre_remove_flags {
	NACRE_REMOVE_FORCE = 1,		/* remove the image although several names point at it */
	NACRE_REMOVE_KEEP_PARENTS = 2,	/* leave layers that nobody needs any more */
};

/* As docker rmi: a name is removed, and with the last one the image and the layers that only it used; an ID removes the
 * image when it has at most one name.
 * step    called for each name and node that went ("untagged", name) or ("deleted", id); may be NULL.
 * fails   NACRE_E_INUSE  mounted, or (an ID) several names and no FORCE */
NACRE_API int nacre_remove(struct nacre_store *store, const char *what, unsigned flags,
			   void (*step)(void *ctx, const char *action, const char *object), void *ctx,
			   struct nacre_error *err);

/* --- in and out ------------------------------------------------------------------------------------------------ */

enum nacre_blobs { NACRE_BLOBS_KEEP, NACRE_BLOBS_DROP };
enum nacre_compression { NACRE_COMPRESSION_AUTO, NACRE_COMPRESSION_NONE, NACRE_COMPRESSION_GZIP, NACRE_COMPRESSION_ZSTD };

struct nacre_copy_options {
	size_t size;
	const char *platform;		/* os/arch[/variant]; NULL: this machine's. A single image is taken as it is when
					 * NULL */
	bool all_images;		/* every image of an archive or layout (load), not just the one named */
	bool keep_ids;			/* v1 archives: keep the IDs they claim */
	enum nacre_blobs blobs;		/* compressed layers: keep them beside the tree, or not */
	enum nacre_compression compression;	/* layers that are written new; AUTO: as the destination likes it */
	const char *name;		/* a name for the image at the destination, beside its own */
	struct nacre_progress progress;
	const struct nacre_registry_options *registry;	/* docker://; NULL: as configured */
	enum nacre_repair {
		NACRE_REPAIR_MISSING,	/* layers that are in the store are mended where tree or record is missing */
		NACRE_REPAIR_READ,	/* and where reading all of them shows that they are damaged */
		NACRE_REPAIR_ONLY,	/* the same, and nothing else is done: what is not in the store does not come */
	} repair;
	bool all_platforms;		/* from a registry, an OCI layout or the store: every image of the index that the name
					 * means, all else that it names (attestations, artifacts, indexes), and the index. In the
					 * store each image has a name: this machine's, or else the first one, the one asked
					 * for, others NAME-OS-ARCH[-VARIANT] */
};

/* What arrived. */
struct nacre_copied {
	size_t count;
	struct nacre_copied_image {
		char *id;		/* config digest's hex, or v1 ID */
		char *manifest_digest;	/* at the destination; "" where there is none */
		char **names;		/* ends with NULL */
	} *images;
};
NACRE_API void nacre_copied_free(struct nacre_copied *copied);

/* Copy images from one place to another. Places are written TRANSPORT:WHERE
 *   docker-archive:FILE[:REF]  oci:DIR[:TAG]  oci-archive:FILE[:TAG]  dir:DIR  graph:REF (this store; as a
 *   destination "graph:" takes the names that the source has)  docker://REF (a registry)
 * FILE "-" is fd 0 or 1. A FILE that is read may be compressed and may be a pipe.
 * store   may be NULL when neither side is graph.
 * ret     given; nacre_copied_free(). May be NULL.
 * Everything is checked (digests, sizes, diff IDs) before anything becomes visible; on failure the destination is as
 * it was. fails NACRE_E_BADDATA, NACRE_E_DIGEST, NACRE_E_NOTFOUND, NACRE_E_AMBIGUOUS, NACRE_E_NOSPACE, … */
NACRE_API int nacre_copy(struct nacre_store *store, const char *source, const char *destination,
			 const struct nacre_copy_options *options, struct nacre_copied **ret, struct nacre_error *err);

/* Load every image of an archive or layout, whatever its kind: docker-archive of any age, OCI archive, OCI layout, dir:
 * layout, each file plain or compressed. path "-" is fd 0. Names come from the archive. */
NACRE_API int nacre_load(struct nacre_store *store, const char *path, const struct nacre_copy_options *options,
			 struct nacre_copied **ret, struct nacre_error *err);

enum nacre_format { NACRE_DOCKER_ARCHIVE, NACRE_OCI_ARCHIVE, NACRE_OCI_DIR, NACRE_DOCKER_DIR };
/* Save images into one archive or directory. path "-" is fd 1. Deterministic: the same images give the same bytes. A
 * file appears under its name only when it is whole. DOCKER_DIR takes one image. */
NACRE_API int nacre_save(struct nacre_store *store, const char *const *images, size_t count, enum nacre_format format,
			 const char *path, const struct nacre_copy_options *options, struct nacre_error *err);

struct nacre_import_options {
	size_t size;
	const char *name;		/* for the new image; NULL: none */
	const char *const *changes;	/* Dockerfile lines: CMD ENTRYPOINT ENV EXPOSE LABEL ONBUILD STOPSIGNAL USER
					 * VOLUME WORKDIR; ends with NULL; may be NULL */
	const char *message, *author;
	const char *platform;		/* NULL: this machine's */
	int64_t created;		/* 0: SOURCE_DATE_EPOCH, else now */
	struct nacre_progress progress;
};
/* Make an image out of a root file system's tar (any compression). path "-" is fd 0. ret_id has room for 65 bytes. */
NACRE_API int nacre_import(struct nacre_store *store, const char *path, const struct nacre_import_options *options,
			   char *ret_id, struct nacre_error *err);

/* Receives bytes; returns 0, or a negative number to stop (the operation then fails with NACRE_E_CANCELLED). */
typedef int (*nacre_sink)(void *ctx, const void *bytes, size_t len);

/* The image's merged tree as one tar: sorted, pax, deterministic. */
NACRE_API int nacre_export(struct nacre_store *store, const char *image, nacre_sink sink, void *ctx,
			   const struct nacre_progress *progress, struct nacre_error *err);

/* --- registries ------------------------------------------------------------------------------------------------ */

/* How to find a registry and speak to it. Zero everywhere: as registries.conf, files of credentials and certs.d say that
 * containers' tools and docker read too; nacre-registries(5) names them. */
struct nacre_registry_options {
	size_t size;
	const char *authfile;		/* the only file of credentials to read; NULL: $REGISTRY_AUTH_FILE, else the usual
					 * ones */
	const char *creds;		/* "USER:PASSWORD" for the registry that is named, none of its mirrors; NULL: from
					 * the files */
	const char *cert_dir;		/* with *.crt of authorities, *.cert and *.key of our own; NULL: certs.d */
	int tls_verify;			/* 0: as configured; 1: certificates are always checked; -1: never, and plain HTTP
					 * will do */
};

/* Bring an image from a registry into the store. Short names are looked up as registries.conf says, mirrors are asked
 * first. What is there already is not fetched; nothing is visible before digests, sizes, media types and diff IDs are
 * proved. Several blobs come at once. A broken connection is continued, refusals that may pass are waited for (and told as NACRE_EVENT_NOTE).
 *
 * name    alpine, registry.example:5000/team/app:1, alpine@sha256:… (which gives the image no name here)
 * options platform (NULL: this machine's), blobs, name, registry and progress count; may be NULL
 * ret     given; nacre_copied_free(). May be NULL.
 * fails   NACRE_E_NOTFOUND     no such name, tag, digest or platform
 *         NACRE_E_AUTH         a login is asked for, or refused
 *         NACRE_E_REMOTE       the registry cannot be reached, or misbehaves
 *         NACRE_E_DIGEST, NACRE_E_BADDATA  what came is not what was promised
 *         NACRE_E_UNSUPPORTED  an artifact that is no image; a build or a machine without libcurl */
NACRE_API int nacre_pull(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
			 struct nacre_copied **ret, struct nacre_error *err);

/* What a pull would do. */
struct nacre_pull_plan {
	char *name;			/* that the image would get; "" for none */
	char *from;			/* the place that is asked first for what is missing: "mirror.example/team/app" */
	char *id;			/* of the image; "" where only its layers tell */
	char *manifest_digest;
	struct nacre_planned_layer {
		char digest[136];	/* of the blob */
		uint64_t size;		/* of the blob; UINT64_MAX: unknown */
		bool there;		/* the store has the layer */
		uint64_t fetched;	/* what an earlier pull has left of it */
	} *layers;			/* lowest first */
	size_t layer_count;
	uint64_t fetch;			/* bytes of layers to fetch, as far as they are known */
	uint64_t needed;		/* bytes that the store will take more, at least */
	uint64_t free;			/* on its disk; UINT64_MAX: unknown */
};
/* Work out what nacre_pull would do now: manifest and config are fetched where they are missing, nothing is written.
 * store   may be NULL: one that is empty
 * name, options, fails   as nacre_pull
 * ret     given; nacre_pull_plan_free() */
NACRE_API int nacre_pull_plan(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
			      struct nacre_pull_plan **ret, struct nacre_error *err);
NACRE_API void nacre_pull_plan_free(struct nacre_pull_plan *plan);

/* Send an image of the store to a registry. What the repository has, or the registry can take over from another of its
 * repositories, is not sent. An image whose blobs were kept keeps its manifest's digest; layers without a blob are
 * compressed (options->compression; AUTO: gzip), always to the same bytes. Several layers go at once, all before the config, and
 * the manifest is last: until then nothing changes there. An upload that breaks is continued.
 *
 * image   as nacre_image_get takes it
 * name    where to, with a tag or none (latest); NULL: image is that name too
 * options compression, name (one more tag of the same repository), registry and progress count; may be NULL
 * ret     given; nacre_copied_free(). May be NULL.
 * fails   NACRE_E_NOTFOUND  no such image in the store
 *         NACRE_E_INVALID   name has a digest; image is an ID and name NULL
 *         NACRE_E_AUTH, NACRE_E_REMOTE, NACRE_E_UNSUPPORTED  as nacre_pull
 *         NACRE_E_NOSPACE   no room for a compressed layer */
NACRE_API int nacre_push(struct nacre_store *store, const char *image, const char *name,
			 const struct nacre_copy_options *options, struct nacre_copied **ret, struct nacre_error *err);

/* Look at an image of a registry without bringing it: its manifest and config, of the platform asked for.
 * name, options, fails   as nacre_pull
 * store   may be NULL; documents that it has are not fetched
 * ret     given; nacre_image_free(). The sizes of its layers' contents are not known. */
NACRE_API int nacre_remote_image(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
				 struct nacre_image **ret, struct nacre_error *err);

/* The tags of a repository, in the registry's order; mirrors are not asked.
 * repository  as a name without tag and digest
 * progress    may be NULL
 * ret         given; ends with NULL; nacre_tags_free()
 * fails       as nacre_pull; NACRE_E_LIMIT: more than a million */
NACRE_API int nacre_remote_tags(const char *repository, const struct nacre_registry_options *options,
				const struct nacre_progress *progress, char ***ret, struct nacre_error *err);
NACRE_API void nacre_tags_free(char **tags);

/* Log in: prove credentials to a registry, and keep them where every later call and containers' tools find them: with
 * the credential helper that the files name for it, else in options->authfile, $REGISTRY_AUTH_FILE, or
 * $XDG_RUNTIME_DIR/containers/auth.json (/run/containers/UID/auth.json), which is replaced whole, 0600, and keeps what
 * else is in it. One that takes anonymous requests takes any credentials.
 *
 * registry   HOST[:PORT], or HOST[:PORT]/PATH: then they are used for the repositories below PATH alone
 * options    may be NULL; creds does not count
 * ret_where  given (free()): the file, or the helper's program; may be NULL
 * fails   NACRE_E_AUTH     they are refused; a helper fails
 *         NACRE_E_REMOTE   the registry cannot be reached, or misbehaves
 *         NACRE_E_INVALID  no registry; no user
 *         NACRE_E_BADDATA  a file of settings or credentials is broken (it is left as it is) */
NACRE_API int nacre_login(const char *registry, const char *user, const char *password,
			  const struct nacre_registry_options *options, char **ret_where, struct nacre_error *err);
/* Log out: forget what login kept, or (registry NULL) everything that is in that file and with the helpers that it names
 * for a registry. 1 when there was something, else 0. The registry is not asked. */
NACRE_API int nacre_logout(const char *registry, const struct nacre_registry_options *options, struct nacre_error *err);
/* Who is logged in, by whatever file or helper. ret_user is given (free()); "<token>" where only a token is kept.
 * NACRE_E_NOTFOUND: nobody. */
NACRE_API int nacre_login_user(const char *registry, const struct nacre_registry_options *options, char **ret_user,
			       struct nacre_error *err);

/* --- looking inside -------------------------------------------------------------------------------------------- */

enum nacre_file_type {
	NACRE_FILE = '-', NACRE_DIR = 'd', NACRE_SYMLINK = 'l', NACRE_CHAR = 'c', NACRE_BLOCK = 'b', NACRE_FIFO = 'p',
};

struct nacre_file {
	const char *path;		/* in the image, without a leading slash; "" is the root */
	enum nacre_file_type type;
	uint32_t mode;			/* 07777 */
	uint32_t uid, gid;
	uint64_t size;
	uint32_t links;
	int64_t mtime;
	uint32_t mtime_nsec;
	uint32_t dev_major, dev_minor;
	const char *target;		/* of a symlink, else "" */
};

/* Lists path of an image without mounting it: itself when it is no directory, else what is in it (all the way down when
 * recursive), in byte order. image is anything nacre_image_get takes, or a layer node's ID. Symlinks in path are
 * followed inside the image. fn returns 0, or a negative number to stop. */
NACRE_API int nacre_ls(struct nacre_store *store, const char *image, const char *path, bool recursive,
		       int (*fn)(void *ctx, const struct nacre_file *file), void *ctx, struct nacre_error *err);

/* The bytes of a regular file of an image. */
NACRE_API int nacre_cat(struct nacre_store *store, const char *image, const char *path, nacre_sink sink, void *ctx,
			struct nacre_error *err);

/* What changed from a to b ('A' added, 'C' changed, 'D' deleted), in byte order. b NULL: what a's topmost layer changed
 * in what lies below it. Contents are compared where size is equal and times are not. */
NACRE_API int nacre_diff(struct nacre_store *store, const char *a, const char *b,
			 int (*fn)(void *ctx, char kind, const char *path), void *ctx, struct nacre_error *err);
/* The same changes as the tar of a layer: laid over a (b NULL: over what lies below a's topmost layer) it gives b, with
 * owners, times, attributes and hard links. pax, sorted, deleted files as ".wh.NAME"; equal trees give equal bytes. Times
 * count here, so a file that was only touched is in it. */
NACRE_API int nacre_diff_tar(struct nacre_store *store, const char *a, const char *b, nacre_sink sink, void *ctx,
			     const struct nacre_progress *progress, struct nacre_error *err);

/* --- mounts ---------------------------------------------------------------------------------------------------- */

/* Mount a writable layer for reading and writing, at one place only, or an image (or a layer node) read-only; an image without layers is an empty root, 0755, 0:0. dir NULL: a
 * directory of the store. Mounting it again at the same place is done already. ret_path (given, free()) is where; may be
 * NULL. Needs CAP_SYS_ADMIN.
 * fails   NACRE_E_DENIED, NACRE_E_UNSUPPORTED, NACRE_E_NOTFOUND (image or dir), NACRE_E_BUSY (something else there) */
NACRE_API int nacre_mount(struct nacre_store *store, const char *image, const char *dir, char **ret_path,
			  struct nacre_error *err);
/* Undo: what is an image (all its mounts in this mount namespace) or a directory. Returns 0 also when nothing was
 * mounted, and the number of mounts undone otherwise. */
NACRE_API int nacre_umount(struct nacre_store *store, const char *what, struct nacre_error *err);
NACRE_API int nacre_mounts_each(struct nacre_store *store, int (*fn)(void *ctx, const char *id, const char *path),
				void *ctx, struct nacre_error *err);

/* --- writable layers ------------------------------------------------------------------------------------------- */

/* A writable layer (others say container) is a tree of one's own on top of an image: it shows what the image shows, can be
 * mounted for reading and writing, and what was written can become a new image. Nothing runs in it. It has a name, and its
 * image cannot be removed as long as it is there. Its name, its ID, or 12 digits of that at least, stand for it wherever
 * nacre_ls, nacre_cat, nacre_diff, nacre_export, nacre_mount and nacre_umount take an image, and win over images there. */
#define NACRE_WRITABLE_NAME_MAX 65
struct nacre_writable {
	char id[65];
	char name[NACRE_WRITABLE_NAME_MAX];	/* [A-Za-z0-9][A-Za-z0-9_.-]* */
	char image[65];			/* what it lies on */
	int64_t created;
	uint32_t created_nsec;
	char path[4096];		/* where it is mounted, or "" */
};
/* Make one. ret_id has room for 65 bytes; may be NULL. Durable when done.
 * fails   NACRE_E_EXISTS       there is one of this name
 *         NACRE_E_INVALID      no name for one
 *         NACRE_E_NOTFOUND, NACRE_E_AMBIGUOUS for image
 *         NACRE_E_UNSUPPORTED  the store's driver has none */
NACRE_API int nacre_writable_create(struct nacre_store *store, const char *image, const char *name, char *ret_id,
				    struct nacre_error *err);
NACRE_API int nacre_writable_get(struct nacre_store *store, const char *what, struct nacre_writable *ret,
				 struct nacre_error *err);
/* Calls fn for each, by name, until it returns a negative number. It works on a snapshot, so fn may use the store. */
NACRE_API int nacre_writables_each(struct nacre_store *store,
				   int (*fn)(void *ctx, const struct nacre_writable *writable), void *ctx,
				   struct nacre_error *err);
/* Remove one with all that was written. NACRE_E_INUSE while it is mounted, by whomever. */
NACRE_API int nacre_writable_remove(struct nacre_store *store, const char *what, struct nacre_error *err);

struct nacre_commit_options {
	size_t size;
	const char *name;		/* for the new image; NULL: none */
	const char *const *changes;	/* Dockerfile lines as for nacre_import, on top of what the image has */
	const char *message, *author;
	int64_t created;		/* 0: SOURCE_DATE_EPOCH, else now */
	struct nacre_progress progress;
};
/* Make an image out of a writable layer and the image below it; the layer stays as it is. The same changes give the same
 * layer, byte for byte; where nothing was written the new image has no more layers than the one below. On an image of 2015
 * the new one is of that kind, too, with a random ID. It may be mounted and written to meanwhile, but nothing stops the
 * writers: each file is taken as it is at some moment, and one that goes away or gets shorter just then is NACRE_E_BUSY.
 * options may be NULL. ret_id has room for 65 bytes. */
NACRE_API int nacre_writable_commit(struct nacre_store *store, const char *what,
				    const struct nacre_commit_options *options, char *ret_id,
				    struct nacre_error *err);

struct nacre_bundle_options {
	size_t size;
	const char *const *args;	/* to run instead of entrypoint and cmd; ends with NULL; NULL or none: what the image
					 * says */
	const char *user;		/* USER or USER:GROUP; NULL: as the image says */
	const char *hostname;		/* NULL: the beginning of the ID */
};
/* Make an OCI runtime bundle (runtime-spec 1.0.2): dir/config.json out of what the image says, and dir/rootfs with the
 * image mounted read-only, or the writable layer what for reading and writing. Users and groups are looked up in the
 * image's own files; volumes become empty tmpfs mounts (in a read-only root those that have a directory there), and are
 * named in an annotation. dir must not be there (its parent must) or be empty; on failure it is as it was.
 * nacre_umount() of dir/rootfs undoes the mount. The same image gives the same config.json. options may be NULL.
 * fails   NACRE_E_EXISTS       dir is not empty
 *         NACRE_E_INVALID      there is nothing to run; no user
 *         NACRE_E_NOTFOUND     what, the user or group, or dir's parent
 *         NACRE_E_UNSUPPORTED  a read-only image without the directories proc, dev and sys
 *         and what nacre_mount() fails with */
NACRE_API int nacre_bundle(struct nacre_store *store, const char *what, const char *dir,
			   const struct nacre_bundle_options *options, struct nacre_error *err);

/* --- space ----------------------------------------------------------------------------------------------------- */

/* Where every byte of a store lies: blocks on disk, as du counts them. */
struct nacre_usage {
	uint64_t images, layers, blobs, writables;	/* how many */
	uint64_t active;			/* images with a name, a mount or a writable layer */
	uint64_t trees;				/* the drivers' trees: unique, shared and unused */
	uint64_t unique;			/* of layers that one image has */
	uint64_t shared;			/* of layers that several images have */
	uint64_t unused;			/* of layers that no image has */
	uint64_t writable;			/* writable layers */
	uint64_t blob_bytes, metadata, catalog, rubbish;
	uint64_t total;				/* trees, writable, blob_bytes, metadata, catalog and rubbish: what the store takes */
	uint64_t reclaimable;			/* what nacre_prune would free now */
};
NACRE_API int nacre_df(struct nacre_store *store, struct nacre_usage *ret, struct nacre_error *err);

struct nacre_image_usage {
	const struct nacre_image *image;	/* without history and config bytes */
	uint64_t size;				/* of its layers' trees on disk */
	uint64_t shared;			/* of them, those that other images have too */
	uint64_t unique;			/* the others */
	uint64_t writables;			/* writable layers on it */
};
/* The same by image, newest first; fn returns a negative number to stop. What is given is lent for the call. */
NACRE_API int nacre_df_images(struct nacre_store *store, int (*fn)(void *ctx, const struct nacre_image_usage *usage),
			      void *ctx, struct nacre_error *err);

enum nacre_pruned {
	NACRE_PRUNED_NAME, NACRE_PRUNED_IMAGE, NACRE_PRUNED_LAYER, NACRE_PRUNED_BLOB,
	NACRE_PRUNED_TREE,			/* a tree of the driver's that no node has */
	NACRE_PRUNED_PARTIAL,			/* what had come of a blob when its pull ended too early */
};
struct nacre_prune_options {
	size_t size;
	bool all;			/* images with a name go too, with all their names */
	bool dry_run;			/* change nothing; tell what would go */
	const char *const *images;	/* only these images go (full IDs; ends with NULL), and no layer that is not one
					 * of theirs; NULL: all */
	/* What went, or would go: the object is a full name, a node's ID or a blob's digest. May be NULL. */
	void (*step)(void *ctx, enum nacre_pruned kind, const char *object, uint64_t bytes);
	void *ctx;
	const volatile int *cancel;	/* as in struct nacre_progress; what went is gone */
};
struct nacre_pruned_total {
	uint64_t names, images, layers, blobs, trees;	/* how many */
	uint64_t bytes;			/* blocks on disk that are free now: of all these, of directories that became empty,
					 * and what the catalog got smaller */
	uint64_t partials;		/* how many */
};
/* Remove what nobody needs: images without a name that nothing uses, layers that no image has, blobs that no manifest
 * names, what pulls that were killed had fetched, trees that no node has, empty directories of names; and make the catalog as small as it can be. In use is what is
 * mounted, held, below a writable layer, the parent of something that stays, or just being loaded or read by another.
 * options may be NULL, ret too. Each image is a removal of its own: after a kill the next writer finishes the one that was
 * under way. What processes that died left was swept when the store was opened, and is not counted. */
NACRE_API int nacre_prune(struct nacre_store *store, const struct nacre_prune_options *options,
			  struct nacre_pruned_total *ret, struct nacre_error *err);

/* --- checking -------------------------------------------------------------------------------------------------- */

/* Something that is wrong with the store. What it points at lives for the call. */
struct nacre_finding {
	const char *kind;		/* a word that stays the same: see nacre-check(1) for all of them */
	const char *id;			/* of the node; "" for none */
	const char *path;		/* of the file, below the store's directory; "" for none */
	const char *text;		/* what is wrong, one sentence */
	unsigned invariant;		/* of the store (src/store/store.h) that is broken */
	enum nacre_finding_state {
		NACRE_FOUND,		/* it is so */
		NACRE_REPAIRED,		/* it was so */
		NACRE_SET_ASIDE,	/* the file was moved to the directory aside/, and can be moved back */
	} state;
};
enum nacre_check_flags {
	NACRE_CHECK_FULL = 1,		/* read every layer and every kept blob, too */
	NACRE_CHECK_REPAIR = 2,		/* mend what can be mended */
	NACRE_CHECK_REBUILD = 4,	/* make the catalog anew before all else */
};
struct nacre_check_options {
	size_t size;
	unsigned flags;			/* enum nacre_check_flags */
	void (*finding)(void *ctx, const struct nacre_finding *finding);	/* may be NULL */
	void *finding_ctx;
	struct nacre_progress progress;
};
struct nacre_checked {
	uint64_t nodes, names, blobs;	/* looked at */
	uint64_t findings;		/* that remain */
	uint64_t repaired, set_aside;
	uint64_t aside;			/* files that this check or an earlier one set aside */
};
/* Look at everything there is in the store but the bytes of layers: descriptions, configs and manifests, parents, records
 * and trees being there, what points at nodes, what belongs to nobody, and the catalog. Returns 1 when something was
 * found. Writes nothing, and works on a store that is in use: what others are just bringing or taking away is no finding.
 * A handle that was opened for writing has swept what dead processes left, and made a catalog where there was none:
 * to find that too, open with NACRE_OPEN_READONLY. options and ret may be NULL; ret is filled on failure too.
 *
 * NACRE_CHECK_FULL reads the tar of every layer and compares it with its diff ID, and kept blobs with their digests.
 * NACRE_CHECK_REPAIR needs a handle for writing. The catalog is made anew from the files; sizes and diff IDs are worked out
 * again; a tree that does not fit is built again out of itself, and a layer out of its kept blob, and takes the place of
 * what is there in one step; what belongs to nobody goes; names that mean nothing and blobs that are damaged are set aside.
 * Layers that need a source are mended by nacre_copy with NACRE_REPAIR_ONLY. What remains is told as found: nothing that
 * may still be of use is ever removed. */
NACRE_API int nacre_check(struct nacre_store *store, const struct nacre_check_options *options,
			  struct nacre_checked *ret, struct nacre_error *err);

/* --- expert: the graph itself ---------------------------------------------------------------------------------- */

struct nacre_node {
	char id[65];
	char parent[65];		/* "" for none */
	bool has_layer, is_image, v1;
	char diff_id[136];		/* "" when it has no layer or the store does not know */
	int64_t size;			/* bytes of file content of its layer; -1 unknown */
	bool damaged;			/* its files cannot be read; but for the ID nothing here is sure */
};
/* Look up a node by its full ID or an unambiguous prefix. ret is filled. */
NACRE_API int nacre_node_get(struct nacre_store *store, const char *id, struct nacre_node *ret, struct nacre_error *err);

enum nacre_select { NACRE_ALL, NACRE_HEADS /* nobody's parent */, NACRE_CHILDREN /* of parent */ };
/* Calls fn for each node, by ID; it works on a snapshot, so fn may use the store. parent is for CHILDREN. */
NACRE_API int nacre_nodes_each(struct nacre_store *store, enum nacre_select select, const char *parent,
			       int (*fn)(void *ctx, const struct nacre_node *node), void *ctx, struct nacre_error *err);
/* Exact bytes of a node's description. given; free(). ret_len may be NULL. */
NACRE_API int nacre_node_json(struct nacre_store *store, const char *id, char **ret, size_t *ret_len,
			      struct nacre_error *err);

/* Bytes of file content in a node's layer; 0 when it has none. Where the node does not say (before 2015, or its size is
 * no number), it is worked out, by the layer's record or by comparing trees, which reads them; what was found is
 * remembered when the store can be written, and no failure of that is told.
 * fails   NACRE_E_CORRUPT  neither record nor trees can be read */
NACRE_API int nacre_node_size(struct nacre_store *store, const char *id, uint64_t *ret, struct nacre_error *err);

/* Room for any digest that a node can have, its NUL included. */
#define NACRE_DIGEST_MAX 256
/* The digest that was noted for a node: what a registry of 2015 called its layer. Nothing checks it against the layer.
 * "sha256:", "sha384:" or "sha512:" and as many hex digits as that algorithm has, or a tarsum:
 * "tarsum[.VERSION]+HASH:HEX". ret_digest has room for NACRE_DIGEST_MAX bytes.
 * fails   NACRE_E_UNSET    none was ever set
 *         NACRE_E_CORRUPT  what is there is no digest */
NACRE_API int nacre_node_digest(struct nacre_store *store, const char *id, char *ret_digest, struct nacre_error *err);
/* Set it, durably, in place of what was there; readers see the old one or the new. Of two at once the later wins.
 * fails   NACRE_E_INVALID      no digest, or one with too many or too few digits
 *         NACRE_E_UNSUPPORTED  an algorithm that is not known */
NACRE_API int nacre_node_set_digest(struct nacre_store *store, const char *id, const char *digest,
				    struct nacre_error *err);

struct nacre_register_options {
	size_t size;
	const char *id;			/* 64 hex; NULL: the chain ID that follows from parent and layer */
	const char *parent;		/* full ID; NULL: none */
	const char *json;		/* description; NULL: a default one */
	size_t json_len;
	const char *diff_id;		/* the layer must have this one; NULL: whatever comes */
	struct nacre_progress progress;
};
/* Register a layer from a tar stream, compressed or not, read from fd until its end (-1: a node without a layer, which
 * needs an id). One registrar an ID at a time, across processes. An ID that is there with the same content is done
 * already (returns 1); with other content it is NACRE_E_EXISTS, and nothing changed. ret_id has room for 65 bytes; may be
 * NULL. */
NACRE_API int nacre_register(struct nacre_store *store, int fd, const struct nacre_register_options *options,
			     char *ret_id, struct nacre_error *err);
struct nacre_create_options {
	size_t size;
	const char *parent;		/* full ID; NULL: none */
	const char *container;		/* ID of the container that the node was made of; needs container_config */
	const char *container_config;	/* a JSON object; NULL: all default */
	const char *comment, *author;
	const char *config;		/* a JSON object: what containers of this image run; NULL: none */
	const char *os, *architecture;	/* in Go's spelling; NULL: this machine's */
	int64_t created;		/* 0, and created_nsec 0 too: now */
	uint32_t created_nsec;
	struct nacre_progress progress;
};
/* Make a node with a new random ID, as Docker of 2015 made images, with a description in its exact spelling (fields that
 * it did not know are left out of the configs). The layer is read from fd as nacre_register does; -1: the node has none.
 * Two calls with the same content make two nodes. Where a disk or memory fails just behind the commit, the node appears
 * when the store is opened next. ret_id has room for 65 bytes.
 * fails   NACRE_E_INVALID   a container without its config, an ID that is none
 *         NACRE_E_NOTFOUND  there is no such parent
 *         NACRE_E_BADDATA   a config that is no JSON object, or has a field of a wrong type; the layer */
NACRE_API int nacre_node_create(struct nacre_store *store, int fd, const struct nacre_create_options *options,
				char *ret_id, struct nacre_error *err);

/* Delete a node. NACRE_E_INUSE when it has children, a name or a mount. */
NACRE_API int nacre_delete(struct nacre_store *store, const char *id, struct nacre_error *err);
/* The layer of a node as its tar, byte for byte; verified against the diff ID while it goes. A failure comes after the
 * bytes that were good. */
NACRE_API int nacre_layer_tar(struct nacre_store *store, const char *id, nacre_sink sink, void *ctx,
			      struct nacre_error *err);
/* Whether that would work, without giving the bytes: reads everything. */
NACRE_API int nacre_layer_verify(struct nacre_store *store, const char *id, struct nacre_error *err);

/* The same tar, checked before a byte of it is seen: it is put together into a file without a name, which is gone when
 * *ret_fd (given: close()) is closed. The file stands at its beginning, ends at its end, and holds *ret_size bytes.
 * Progress says "Buffering to disk". Nothing is left when it fails. */
NACRE_API int nacre_layer_spool(struct nacre_store *store, const char *id, const struct nacre_progress *progress,
				int *ret_fd, uint64_t *ret_size, struct nacre_error *err);
/* Where a node's files lie (given: free()), an absolute path: what the driver keeps of the node's layer, or of the
 * nearest one below it. With vfs and btrfs that is the whole tree, with overlay what the layer itself brought: mount it
 * to see it whole. The driver erofs keeps no directories. To be looked at only: who changes anything there damages the store.
 * fails   NACRE_E_UNSUPPORTED  the driver keeps no directories; the node has no layer and nothing below it */
NACRE_API int nacre_node_path(struct nacre_store *store, const char *id, char **ret, struct nacre_error *err);

/* Compress with gzip from one descriptor (from where it stands to its end) to another, deterministically.
 * ret_size, ret_digest: length and SHA-256 ("sha256:…", room for NACRE_DIGEST_MAX) of the compressed bytes; either may be
 * NULL. Every write is checked; a file is not synced and neither descriptor closed. Needs no store. progress may be NULL. */
NACRE_API int nacre_gzip(int in, int out, const struct nacre_progress *progress, uint64_t *ret_size, char *ret_digest,
			 struct nacre_error *err);

/* Prepare a directory (a descriptor) as the layer of a container that mounts will be laid over, as Docker of 2015 did:
 * the directories dev/pts, dev/shm, proc and sys; empty files .dockerenv, .dockerinit, dev/console, etc/hostname,
 * etc/hosts and etc/resolv.conf; etc/mtab a link to /proc/mounts. What is a file or a link where a directory belongs goes;
 * a directory stays, whatever belongs there. No link in it is followed. Doing it again changes nothing. */
NACRE_API int nacre_init_layer(int dir, struct nacre_error *err);

/* --- expert: holding nodes ------------------------------------------------------------------------------------- */

/* Room for a session's name, its NUL included. */
#define NACRE_SESSION_MAX 129

struct nacre_hold_options {
	size_t size;
	bool persistent;		/* the session lasts until it is released */
	int64_t pid;			/* the session lasts as long as this process; 0: as long as the handle store */
};
/* Hold nodes, so that nobody removes them and what lies below them: deleting them is NACRE_E_INUSE, and they do not go
 * with an image that is removed. Sessions are independent of one another, and seen by all processes. What a session
 * holds already it holds once. Durable when done; all of it or nothing.
 *
 * session      letters, digits, "_", "." and "-", beginning with a letter, a digit or "_"; NULL: a new name is made
 * what         anything that nacre_image_get takes, or node IDs
 * options      may be NULL
 * ret_session  room for NACRE_SESSION_MAX bytes; may be NULL
 * fails   NACRE_E_EXISTS    a session of that name belongs to another
 *         NACRE_E_NOTFOUND  one of the nodes, or the process, is not there */
NACRE_API int nacre_hold(struct nacre_store *store, const char *session, const char *const *what, size_t count,
			 const struct nacre_hold_options *options, char *ret_session, struct nacre_error *err);
/* Release one node (what) or all that a session holds (NULL), anybody's. What it does not hold is no failure. A session
 * that holds nothing is gone.
 * fails   NACRE_E_NOTFOUND  there is no such session */
NACRE_API int nacre_release(struct nacre_store *store, const char *session, const char *what, struct nacre_error *err);
/* 1 when a session holds the node, else 0. ret_session: one that does; room for NACRE_SESSION_MAX bytes; may be NULL. */
NACRE_API int nacre_held(struct nacre_store *store, const char *what, char *ret_session, struct nacre_error *err);

struct nacre_hold_info {
	const char *session;
	bool persistent;
	int64_t pid;			/* of the process that owns it; 0: persistent */
	const char *const *ids;		/* ends with NULL */
};
/* Calls fn for each session whose owner lives, by name; info is lent for the call. */
NACRE_API int nacre_holds_each(struct nacre_store *store, int (*fn)(void *ctx, const struct nacre_hold_info *info),
			       void *ctx, struct nacre_error *err);

/* --- without a store ------------------------------------------------------------------------------------------- */

/* Parse and normalise a name: "alpine" gives "docker.io/library/alpine:latest" (full) and "alpine:latest" (short form).
 * Both have room for 800 bytes; either may be NULL. Needs no store. Thread-safe. */
NACRE_API int nacre_name_parse(const char *text, char *ret_full, char *ret_short, struct nacre_error *err);

#ifdef __cplusplus
}
#endif
#endif
