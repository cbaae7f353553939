/* An ingest holds the locks of the IDs that it is about, builds what it brings in a stage, and ends with one commit:
 *
 *	the plan is written into the stage
 *	syncfs: everything is durable (a few small files alone are synced one by one)
 *	"plan" becomes "commit"
 *	publish.c moves everything to its place, teaches the catalog, and syncs both: only now it is done
 *	the stage goes, its plan first */
#include "store/ingest.h"

#include "image/config.h"
#include "image/manifest.h"
#include "io/aside.h"
#include "io/syncer.h"
#include "io/writeback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- begin and end ---------------------------------------------------------------------------------------------- */

static int free_held(void *ctx, const char *key, size_t len, void *value)
{
	free(value);
	return 0;
}

static void forget_held(struct nc_ingest *ingest)
{
	if (ingest->held)
		nc_map_each(ingest->held, free_held, NULL);
	nc_map_free(ingest->held);
	ingest->held = NULL;
}

static int open_empty(struct nc_ingest *ingest, struct nacre_error *err)
{
	ingest->held = nc_map_new();
	return ingest->held ? nc_locks_open(ingest->store, &ingest->locks, err) : nc_nomem(err);
}

int nc_ingest_begin(struct nacre_store *store, struct nc_ingest **ret, struct nacre_error *err)
{
	int code = nc_store_writable(store, err);
	if (code == 0)
		code = nc_recover_stages(store, err);
	if (code < 0)
		return code;
	struct nc_ingest *ingest = nc_zalloc(sizeof *ingest);
	if (!ingest)
		return nc_nomem(err);
	ingest->store = store;
	ingest->locks = ingest->sync = ingest->nodes = ingest->blobs = ingest->documents = ingest->names = -1;
	code = open_empty(ingest, err);
	if (code < 0)
		nc_ingest_free(ingest);
	else
		*ret = ingest;
	return code;
}

void nc_ingest_watch(struct nc_ingest *ingest, const volatile int *cancel)
{
	ingest->cancel = cancel;
}

static void close_sides(struct nc_ingest *ingest)
{
	int *fds[] = { &ingest->nodes, &ingest->blobs, &ingest->documents, &ingest->names, &ingest->sync };
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		nc_fd_release(fds[i]);
}

/* Trees of layers that were brought and not committed. */
static void drop_trees(struct nc_ingest *ingest)
{
	struct nc_driver *driver = ingest->store->driver;
	for (size_t i = ingest->plan.count; i-- > 0;) {
		const struct nc_step *step = &ingest->plan.steps[i];
		if (step->kind == NC_STEP_NODE)
			driver->ops->remove(driver, step->id, ingest->stage->dir, NULL);
	}
}

/* Leaves an ingest that holds nothing. The locks go last: whoever waits for an ID finds it settled. */
static void reset(struct nc_ingest *ingest)
{
	close_sides(ingest);
	nc_syncer_free(ingest->syncer);
	ingest->syncer = NULL;
	if (ingest->stage)
		nc_plan_forget(ingest->stage->dir);
	nc_stage_free(ingest->stage);
	ingest->stage = NULL;
	nc_plan_release(&ingest->plan);
	ingest->name_count = 0;
	forget_held(ingest);
	nc_fd_release(&ingest->locks);
}

void nc_ingest_free(struct nc_ingest *ingest)
{
	if (!ingest)
		return;
	nc_ingest_halt(ingest);
	if (ingest->stage)
		drop_trees(ingest);
	reset(ingest);
	free(ingest);
}

/* --- what is held ----------------------------------------------------------------------------------------------- */

struct nc_held *nc_ingest_held(const struct nc_ingest *ingest, const char *id)
{
	return nc_map_get(ingest->held, id, NC_HEX_ID - 1);
}

static int note(struct nc_ingest *ingest, const char *id, enum nc_held_state state, struct nacre_error *err)
{
	struct nc_held *held = nc_zalloc(sizeof *held);
	if (!held)
		return nc_nomem(err);
	held->state = state;
	int code = nc_map_set(ingest->held, id, NC_HEX_ID - 1, held, NULL, err);
	if (code < 0)
		free(held);
	return code;
}

static int look(struct nc_ingest *ingest, const char *id, enum nc_held_state *ret, struct nacre_error *err)
{
	int sound = nc_ingest_sound(ingest, id, err);
	*ret = sound == NACRE_E_NOTFOUND ? NC_HELD_MISSING : sound ? NC_HELD_THERE : NC_HELD_DAMAGED;
	return sound < 0 && sound != NACRE_E_NOTFOUND ? sound : 0;
}

static int share_and_look(struct nc_ingest *ingest, const char *id, enum nc_held_state *ret, struct nacre_error *err)
{
	int code = nc_lock_id_wait(ingest->locks, id, NC_LOCK_SHARED, ingest->cancel, err);
	if (code == 0)
		code = look(ingest, id, ret, err);
	/* never from shared to exclusive while holding on: two who do that wait for one another */
	if (code == 0 && *ret != NC_HELD_THERE)
		nc_unlock_id(ingest->locks, id);
	return code;
}

/* With a shared lock when it is there, else with an exclusive one. Which it will be is looked up before any is taken: the kernel
 * goes through all locks of the store for each. */
static int lock_and_look(struct nc_ingest *ingest, const char *id, enum nc_held_state *ret, struct nacre_error *err)
{
	*ret = NC_HELD_MISSING;
	int code = nc_node_exists(ingest->store, id) ? share_and_look(ingest, id, ret, err) : 0;
	if (code < 0 || *ret == NC_HELD_THERE)
		return code;
	code = nc_lock_id_wait(ingest->locks, id, NC_LOCK_EXCLUSIVE, ingest->cancel, err);
	if (code == 0)
		code = look(ingest, id, ret, err);
	if (code < 0 || *ret != NC_HELD_THERE)
		return code;
	return nc_lock_id_wait(ingest->locks, id, NC_LOCK_SHARED, ingest->cancel, err);
}

int nc_ingest_has(struct nc_ingest *ingest, const char *id, struct nacre_error *err)
{
	if (!nc_id_valid(id))
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' is not an ID", id);
	const struct nc_held *held = nc_ingest_held(ingest, id);
	if (held)
		return held->state != NC_HELD_MISSING && held->state != NC_HELD_DAMAGED;
	enum nc_held_state state = NC_HELD_MISSING;
	int code = lock_and_look(ingest, id, &state, err);
	if (code == 0)
		code = note(ingest, id, state, err);
	return code < 0 ? code : state == NC_HELD_THERE;
}

int nc_ingest_condemn(struct nc_ingest *ingest, const char *id, struct nacre_error *err)
{
	int code = nc_lock_id_wait(ingest->locks, id, NC_LOCK_EXCLUSIVE, ingest->cancel, err);
	if (code == 0 && !nc_node_exists(ingest->store, id))
		code = nc_fail(err, NACRE_E_NOTFOUND, 0, "no node has the ID %s", id);
	return code < 0 ? code : note(ingest, id, NC_HELD_DAMAGED, err);
}

void nc_ingest_thorough(struct nc_ingest *ingest)
{
	ingest->thorough = true;
}

int nc_ingest_tree(struct nc_ingest *ingest, const char *id, char *ret_tree, struct nacre_error *err)
{
	while (id && *id) {
		const struct nc_held *held = nc_ingest_held(ingest, id);
		if (!held || held->state != NC_HELD_BROUGHT)
			return nc_node_tree(ingest->store, id, ret_tree, err);
		if (held->layer) {
			memcpy(ret_tree, id, NC_HEX_ID);
			return 0;
		}
		id = held->parent;
	}
	ret_tree[0] = '\0';
	return 0;
}

/* --- the stage -------------------------------------------------------------------------------------------------- */

/* A driver that keeps the tar sends its few long files on their way itself. */
static int begin_syncing(struct nc_ingest *ingest, struct nacre_error *err)
{
	const struct nacre_store *store = ingest->store;
	int fd;
	if (!store->durable || !nc_store_threads(store) || store->driver->ops->tar || nc_processors() < 2)
		return 0;
	int code = nc_store_watch(ingest->store, &fd, err);
	return code < 0 ? code : nc_syncer_new(fd, &ingest->syncer, err);
}

static int ensure_stage(struct nc_ingest *ingest, struct nacre_error *err)
{
	if (ingest->stage)
		return 0;
	int code = nc_store_writable(ingest->store, err);
	if (code < 0)
		return code;
	code = nc_store_watch(ingest->store, &ingest->sync, err);
	if (code == 0)
		code = begin_syncing(ingest, err);
	return code < 0 ? code : nc_stage_new(ingest->store->stages, &ingest->stage, err);
}

int nc_ingest_side(struct nc_ingest *ingest, const char *name, int *fd, struct nacre_error *err)
{
	int code = ensure_stage(ingest, err);
	return code < 0 || *fd >= 0 ? code : nc_dir_ensure(ingest->stage->dir, name, fd, err);
}

/* Its name until its digest is known. */
static void name_incoming(const char *id, char ret[NC_HEX_ID + 16])
{
	snprintf(ret, NC_HEX_ID + 16, "incoming.%.64s", id);
}

int nc_ingest_blob_file(struct nc_ingest *ingest, const char *id, int *ret_fd, struct nacre_error *err)
{
	char name[NC_HEX_ID + 16];
	name_incoming(id, name);
	int code = nc_ingest_side(ingest, "blobs", &ingest->blobs, err);
	if (code < 0)
		return code;
	int fd = openat(ingest->blobs, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "make the file of a blob");
	*ret_fd = fd;
	return 0;
}

int nc_ingest_blob_name(struct nc_ingest *ingest, const char *id, const char *hex, struct nacre_error *err)
{
	char name[NC_HEX_ID + 16];
	name_incoming(id, name);
	if (!hex)
		return unlinkat(ingest->blobs, name, 0) < 0 ? nc_fail(err, NACRE_E_IO, errno, "remove an empty blob") : 0;
	return renameat(ingest->blobs, name, ingest->blobs, hex) < 0 ? nc_fail(err, NACRE_E_IO, errno, "name a blob") : 0;
}

void nc_ingest_expects(struct nc_ingest *ingest, const char *id, const char *parent, bool layer)
{
	struct nc_held *held = nc_ingest_held(ingest, id);
	held->state = NC_HELD_BROUGHT;
	held->layer = layer;
	memcpy(held->parent, parent ? parent : "", parent && *parent ? NC_HEX_ID : 1);
}

int nc_ingest_brought(struct nc_ingest *ingest, const char *id, const char *parent, bool layer,
		      struct nacre_error *err)
{
	int code = nc_plan_add_node(&ingest->plan, id, err);
	if (code == 0)
		nc_ingest_expects(ingest, id, parent, layer);
	return code;
}

int nc_ingest_describe(int dir, const char *id, const char *parent, const struct nc_config *config, uint64_t size,
		       struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf json = NC_BUF_INIT(NC_DOCUMENT_MAX);
	int code = nc_v1_image_write(&json, id, parent ? parent : "", config, size, err);
	return code < 0 ? code : nc_file_create(dir, "json", nc_buf_text(&json), json.len, err);
}

/* --- images ----------------------------------------------------------------------------------------------------- */

/* A manifest or index that the image is to keep. */
struct document {
	const char *bytes;
	size_t len;
	struct nc_digest digest;
	char hex[NC_DIGEST_TEXT];
};

static int take_document(const char *bytes, size_t len, struct document *ret, struct nacre_error *err)
{
	*ret = (struct document){ .bytes = bytes, .len = len };
	if (!bytes)
		return 0;
	if (len > NC_DOCUMENT_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "a manifest of more than %zu bytes", NC_DOCUMENT_MAX);
	int code = nc_digest_of(bytes, len, &ret->digest, err);
	nc_digest_hex(&ret->digest, ret->hex);
	return code;
}

/* ret_tops: the ID of the topmost layer, "" without layers. */
static int check_layers(struct nc_ingest *ingest, const struct nc_config *config, char *ret_top,
			struct nacre_error *err)
{
	ret_top[0] = '\0';
	for (size_t i = 0; i < config->diff_id_count; i++) {
		char id[NC_HEX_ID];
		int code = nc_node_chain_id(ret_top, &config->diff_ids[i], id, err);
		if (code == 0)
			code = nc_ingest_has(ingest, id, err);
		if (code == 0) {
			char text[NC_DIGEST_TEXT];
			code = nc_fail(err, NACRE_E_NOTFOUND, 0, "layer %zu of the image, %s, is not there", i + 1,
				       nc_digest_text(&config->diff_ids[i], text));
		}
		if (code < 0)
			return code;
		memcpy(ret_top, id, NC_HEX_ID);
	}
	return 0;
}

/* The manifest must be the image's; its layers that were kept as blobs join the plan. */
static int take_manifest(struct nc_ingest *ingest, const struct nc_image_in *in, const struct nc_digest *id,
			 const struct nc_config *config, struct nacre_error *err)
{
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = NULL;
	if (!in->manifest)
		return 0;
	int code = nc_manifest_parse(in->manifest, in->manifest_len, in->manifest_media_type, &manifest, err);
	if (code < 0)
		return code;
	if (manifest->kind != NC_DOC_MANIFEST || manifest->item_count != config->diff_id_count ||
	    (manifest->config.digest.alg == NC_SHA256 && !nc_digest_equal(&manifest->config.digest, id)))
		return nc_fail(err, NACRE_E_BADDATA, 0, "the manifest is not one of this image");
	for (size_t i = 0; code == 0 && i < manifest->item_count; i++) {
		const struct nc_digest *blob = &manifest->items[i].digest;
		char hex[NC_DIGEST_TEXT];
		if (blob->alg != NC_SHA256)
			continue;
		nc_digest_hex(blob, hex);
		code = nc_lock_blob(ingest->locks, hex, NC_LOCK_SHARED, true, err);
		int staged = code < 0 || ingest->blobs < 0 ? code : nc_file_exists(ingest->blobs, hex, err);
		if (staged <= 0) {
			code = staged;
			continue;
		}
		struct nc_step step = { .kind = NC_STEP_BLOB };
		memcpy(step.hex, hex, NC_HEX_ID);
		code = nc_plan_add(&ingest->plan, &step, err);
	}
	return code;
}

static int first_line(const struct nc_image_in *in, const struct document *manifest, struct nc_buf *ret,
		      struct nacre_error *err)
{
	return nc_buf_addf(ret, err, "sha256:%s %s", manifest->hex,
			   in->manifest_media_type ? in->manifest_media_type : "");
}

/* The image's directory in the stage. */
static int build_image(struct nc_ingest *ingest, const struct nc_image_in *in, const char *id, const char *parent,
		       const struct nc_config *config, const struct document *documents, struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FD int manifests = -1;
	NC_AUTO_BUF struct nc_buf line = NC_BUF_INIT(1024);
	int code = nc_ingest_side(ingest, "graph", &ingest->nodes, err);
	if (code == 0)
		code = nc_dir_ensure(ingest->nodes, id, &dir, err);
	if (code == 0)
		code = nc_ingest_describe(dir, id, parent, config, 0, err);
	if (code == 0)
		code = nc_file_create(dir, "layersize", "0", 1, err);
	if (code == 0)
		code = nc_file_create(dir, "config", in->config, in->config_len, err);
	if (code == 0 && (in->manifest || in->index))
		code = nc_dir_ensure(dir, "manifests", &manifests, err);
	for (int i = 0; code == 0 && i < 2; i++)
		if (documents[i].bytes)
			code = nc_file_create(manifests, documents[i].hex, documents[i].bytes, documents[i].len, err);
	if (code == 0 && in->manifest)
		code = first_line(in, &documents[0], &line, err);
	if (code == 0 && in->manifest)
		code = nc_file_create(dir, "manifest", line.data, line.len, err);
	return code < 0 ? code : nc_ingest_brought(ingest, id, parent, false, err);
}

static bool keeps_document(struct nacre_store *store, const char *id, const char *hex)
{
	NC_AUTO_FD int node = -1;
	NC_AUTO_FD int manifests = -1;
	struct stat st;
	return nc_node_open(store, id, &node, NULL) == 0 && nc_dir_open(node, "manifests", &manifests, NULL) == 0 &&
	       fstatat(manifests, hex, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Documents that an image which is there does not have yet. */
static int add_documents(struct nc_ingest *ingest, const struct nc_image_in *in, const char *id,
			 const struct document *documents, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf line = NC_BUF_INIT(1024);
	int code = 0;
	for (int i = 0; code == 0 && i < 2; i++) {
		if (!documents[i].bytes || keeps_document(ingest->store, id, documents[i].hex))
			continue;
		char file[2 * NC_HEX_ID + 16];
		struct nc_step step = { .kind = NC_STEP_DOCUMENT }, first = { .kind = NC_STEP_FIRST };
		memcpy(step.id, id, NC_HEX_ID);
		memcpy(step.hex, documents[i].hex, NC_HEX_ID);
		memcpy(first.id, id, NC_HEX_ID);
		snprintf(file, sizeof file, "%s.%s", id, documents[i].hex);
		code = nc_ingest_side(ingest, "documents", &ingest->documents, err);
		if (code == 0)
			code = nc_file_create(ingest->documents, file, documents[i].bytes, documents[i].len, err);
		if (code == NACRE_E_EXISTS) {	/* the same image twice in this ingest */
			code = 0;
			continue;
		}
		if (code == 0)
			code = nc_plan_add(&ingest->plan, &step, err);
		if (code < 0 || i > 0)
			continue;
		snprintf(file, sizeof file, "%s.manifest", id);
		code = first_line(in, &documents[0], &line, err);
		if (code == 0)
			code = nc_file_replace(ingest->documents, file, line.data, line.len, false, err);
		if (code == 0)
			code = nc_plan_add(&ingest->plan, &first, err);
	}
	return code;
}

int nc_ingest_name(struct nc_ingest *ingest, const char *name, const char *id, const struct nc_digest *manifest,
		   const struct nc_digest *index, struct nacre_error *err)
{
	char full[NC_REFERENCE_TEXT], file[16];
	struct nc_name_target target = { 0 }, old;
	int code = nc_name_normal(name, full, err);
	if (code == 0)
		code = nc_ingest_has(ingest, id, err);
	if (code <= 0)
		return code < 0 ? code : nc_fail(err, NACRE_E_NOTFOUND, 0, "no node has the ID %s", id);
	memcpy(target.id, id, NC_HEX_ID);
	if (manifest)
		target.manifest = *manifest;
	if (index)
		target.index = *index;
	NC_AUTO_FREE char *text = NULL, *old_text = NULL;
	size_t len, old_len;
	code = nc_name_text(&target, &text, &len, err);
	if (code < 0)
		return code;
	if (nc_name_read(ingest->store, full, &old, NULL) == 0 &&
	    nc_name_text(&old, &old_text, &old_len, NULL) == 0 && strcmp(text, old_text) == 0)
		return 0;
	code = nc_ingest_side(ingest, "names", &ingest->names, err);
	snprintf(file, sizeof file, "%u", ingest->name_count);
	if (code == 0)
		code = nc_file_create(ingest->names, file, text, len, err);
	struct nc_step step = { .kind = NC_STEP_NAME, .number = ingest->name_count, .name = full };
	if (code == 0)
		code = nc_plan_add(&ingest->plan, &step, err);
	if (code == 0)
		ingest->name_count++;
	return code;
}

int nc_ingest_image(struct nc_ingest *ingest, const struct nc_image_in *in, char *ret_id, struct nacre_error *err)
{
	NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
	struct document documents[2];	/* manifest, index */
	struct nc_digest digest;
	char hex[NC_DIGEST_TEXT], id[NC_HEX_ID], top[NC_HEX_ID];
	int code = nc_config_parse(in->config, in->config_len, &config, err);
	if (code == 0)
		code = nc_digest_of(in->config, in->config_len, &digest, err);
	if (code < 0)
		return code;
	memcpy(id, nc_digest_hex(&digest, hex), NC_HEX_ID);
	code = take_document(in->manifest, in->manifest_len, &documents[0], err);
	if (code == 0)
		code = take_document(in->index, in->index_len, &documents[1], err);
	if (code == 0)
		code = check_layers(ingest, config, top, err);
	if (code == 0)
		code = take_manifest(ingest, in, &digest, config, err);
	int there = code == 0 ? nc_ingest_has(ingest, id, err) : code;
	if (there < 0)
		return there;
	code = there ? add_documents(ingest, in, id, documents, err)
		     : build_image(ingest, in, id, top, config, documents, err);
	for (const char *const *name = in->names; code == 0 && name && *name; name++)
		code = nc_ingest_name(ingest, *name, id, in->manifest ? &documents[0].digest : NULL,
				      in->index ? &documents[1].digest : NULL, err);
	if (code < 0)
		return code;
	memcpy(ret_id, id, NC_HEX_ID);
	return there;
}

/* --- the commit ------------------------------------------------------------------------------------------------- */

static int sync_file(struct nc_ingest *ingest, int dir, const char *name, struct nacre_error *err)
{
	NC_AUTO_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '%s'", name);
	return nc_store_sync(ingest->store, fd, name, err);
}

static int sync_name(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	void **both = ctx;
	return sync_file(both[0], *(int *)both[1], name, err);
}

/* Names and documents alone: a handful of small files, not worth a sync of everything on the file system. */
static int sync_light(struct nc_ingest *ingest, struct nacre_error *err)
{
	int *dirs[] = { &ingest->documents, &ingest->names };
	int code = sync_file(ingest, ingest->stage->dir, NC_PLAN_FILE, err);
	for (size_t i = 0; code == 0 && i < 2; i++) {
		void *both[] = { ingest, dirs[i] };
		if (*dirs[i] < 0)
			continue;
		code = nc_dir_each(*dirs[i], sync_name, both, err);
		if (code == 0)
			code = nc_store_sync(ingest->store, *dirs[i], "the stage", err);
	}
	return code < 0 ? code : nc_store_sync(ingest->store, ingest->store->stages, "the stages", err);
}

/* How many files are sent before the sync of everything: beyond, that is quicker. */
#define FEW_FILES 256

static void send_stage(struct nc_ingest *ingest)
{
	for (int wait = 0; wait <= 1; wait++) {
		size_t room = FEW_FILES;
		nc_writeback_tree(ingest->stage->dir, wait, &room);
		for (size_t i = 0; room && i < ingest->plan.count; i++)
			if (ingest->plan.steps[i].kind == NC_STEP_NODE)
				nc_driver_writeback(ingest->store->driver, ingest->store->root, ingest->plan.steps[i].id, wait,
						    &room);
		if (room == 0)
			break;
	}
}

static int sync_stage(struct nc_ingest *ingest, struct nacre_error *err)
{
	if (ingest->store->durable && nc_plan_is_light(&ingest->plan))
		return sync_light(ingest, err);
	if (ingest->store->durable)
		send_stage(ingest);
	return nc_store_sync_all(ingest->store, ingest->sync, err);
}

static int mark(struct nc_ingest *ingest, struct nacre_error *err)
{
	int stage = ingest->stage->dir;
	if (renameat(stage, NC_PLAN_FILE, stage, NC_PLAN_COMMIT) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "mark the commit");
	return 0;
}

/* Whoever finds a node of the plan moved out of the stage, or a name of one that is not there, knows that the mark was there,
 * even where a power cut took it. What brings no node leaves no such trace. */
static int sync_mark(struct nc_ingest *ingest, struct nacre_error *err)
{
	for (size_t i = 0; i < ingest->plan.count; i++)
		if (ingest->plan.steps[i].kind == NC_STEP_NODE)
			return 0;
	return nc_store_sync(ingest->store, ingest->stage->dir, "the commit", err);
}

/* After the mark the stage belongs to the next who opens the store. */
static void bequeath(struct nc_ingest *ingest)
{
	atomic_store(&ingest->store->broken, true);
	nc_stage_leave(ingest->stage);
	ingest->stage = NULL;
}

int nc_ingest_commit(struct nc_ingest *ingest, struct nacre_error *err)
{
	int code = nc_store_writable(ingest->store, err);
	if (code == 0 && ingest->plan.count) {
		code = nc_recover_stages(ingest->store, err);
		if (code == 0)
			code = nc_plan_write(&ingest->plan, ingest->stage->dir, err);
		if (code == 0)
			code = sync_stage(ingest, err);
		if (code == 0)
			code = mark(ingest, err);
		if (code < 0)
			return code;
		code = sync_mark(ingest, err);
		if (code == 0)
			code = nc_publish(ingest->store, ingest->locks, ingest->stage->dir, &ingest->plan, err);
		if (code < 0)
			bequeath(ingest);
	}
	if (code < 0 && ingest->stage)
		return code;
	reset(ingest);
	int opened = open_empty(ingest, code < 0 ? NULL : err);
	return code < 0 ? code : opened;
}
