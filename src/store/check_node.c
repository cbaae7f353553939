/* The files of a node, and its tree. */
#include "image/config.h"
#include "image/manifest.h"
#include "io/failure.h"
#include "store/check.h"
#include "store/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD "tar-data.json.gz"
#define DOCUMENTS_MAX 65536

/* One look at one node. */
struct look {
	struct nc_check *check;
	const char *id;
	int dir;
	bool report;
	int flaws;
	struct nc_node_facts facts;
};

static void look_release(struct look *look)
{
	nc_fd_release(&look->dir);
	nc_node_facts_release(&look->facts);
}

/* file: of the node; NULL: the node itself. */
static int flawed(struct look *look, enum nc_flaw flaw, const char *file, struct nacre_error *err, const char *text)
{
	char path[2 * NC_HEX_ID + 64];
	look->flaws++;
	if (!look->report)
		return 0;
	snprintf(path, sizeof path, "graph/%s%s%s", look->id, file ? "/" : "", file ? file : "");
	return nc_check_find(look->check, flaw, look->id, path, err, "%s", text);
}

/* What cannot be read, or is wrong, is a finding; what the check itself fails at is not. */
static bool is_flaw(int code)
{
	return code != NACRE_E_NOMEM && code != NACRE_E_CANCELLED && code != NACRE_E_DENIED && code != NACRE_E_BUSY;
}

static bool has_file(int dir, const char *name)
{
	struct stat st;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- which file it is ------------------------------------------------------------------------------------------- */

static bool diff_id_reads(int dir)
{
	NC_AUTO_FREE char *text = NULL;
	struct nc_digest digest;
	int code = nc_file_read(dir, "diffid", NC_DIGEST_TEXT, &text, NULL, NULL);
	return code == NACRE_E_NOTFOUND || (code == 0 && nc_digest_parse(text, &digest, NULL) == 0);
}

/* Of a node whose facts cannot be read. */
static int blame_file(struct look *look, const char *why, struct nacre_error *err)
{
	if (look->dir < 0)
		return flawed(look, NC_FLAW_NODE, NULL, err, why);
	if (!diff_id_reads(look->dir))
		return flawed(look, NC_FLAW_DIFF_ID, "diffid", err, why);
	return flawed(look, NC_FLAW_JSON, strstr(why, "file 'parent'") ? "parent" : "json", err, why);
}

/* --- layers ----------------------------------------------------------------------------------------------------- */

static bool is_number(int dir, const char *file)
{
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	return nc_file_read(dir, file, 32, &text, &len, NULL) == 0 && len && len < 20 &&
	       strspn(text, "0123456789") == len;
}

/* Whether it begins as gzip does; the rest shows when it is read. */
static bool is_record(int dir)
{
	unsigned char head[2];
	struct stat st;
	NC_AUTO_FD int fd = openat(dir, RECORD, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && nc_read_full(fd, head, 2) == 2 &&
	       head[0] == 0x1f && head[1] == 0x8b;
}

static int look_at_record(struct look *look, struct nacre_error *err)
{
	bool known = *look->facts.diff_id, kept = look->check->store->driver->ops->tar;
	int code = 0;
	if (!has_file(look->dir, RECORD)) {
		if (known && !kept)
			code = flawed(look, NC_FLAW_RECORD_MISSING, RECORD, err,
				      "the layer's record is missing: its tar cannot be put together");
	} else if (!is_record(look->dir)) {
		code = flawed(look, NC_FLAW_RECORD, RECORD, err, "the layer's record is no gzip file");
	}
	if (code == 0 && known && !is_number(look->dir, "tarsize"))
		code = flawed(look, NC_FLAW_TAR_SIZE, "tarsize", err, "the length of the layer's tar is no number");
	if (code == 0 && known && look->facts.size < 0)
		code = flawed(look, NC_FLAW_LAYER_SIZE, "layersize", err, "the size of the layer is no number");
	return code;
}

static int tree_flaw(struct look *look, enum nc_flaw flaw, const char *text, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(1 << 16);
	struct nc_driver *driver = look->check->store->driver;
	look->flaws++;
	if (!look->report)
		return 0;
	if (nc_driver_where(driver, look->id, &path, NULL) < 0)
		nc_buf_clear(&path);
	return nc_check_find(look->check, flaw, look->id, nc_buf_text(&path), err, "%s", text);
}

static int look_at_tree(struct look *look, struct nacre_error *err)
{
	struct nacre_store *store = look->check->store;
	struct nc_driver *driver = store->driver;
	bool old = look->facts.kind & NC_NODE_V1 && !*look->facts.diff_id;
	struct nacre_error why = { 0 };
	char parent[NC_HEX_ID] = "";
	char text[128];
	int there = driver->ops->has(driver, look->id, err);
	if (there < 0)
		return there;
	if (!there) {
		bool none = old && !(look->facts.kind & NC_NODE_LAYER) && look->facts.size == 0;
		snprintf(text, sizeof text, "the driver %s has no tree of the layer", driver->ops->name);
		return none ? 0 : tree_flaw(look, NC_FLAW_TREE_MISSING, text, err);
	}
	if (!driver->ops->examine)
		return 0;
	/* where a parent cannot be read, that is told of the parent */
	if (*look->facts.parent && nc_node_tree(store, look->facts.parent, parent, NULL) < 0)
		return 0;
	int code = driver->ops->examine(driver, look->id, *parent ? parent : NULL, &why);
	if (code < 0 && !is_flaw(code))
		return nc_failure_tell(&why, code, err);
	return code < 0 ? tree_flaw(look, NC_FLAW_TREE_LAYOUT, why.msg, err) : 0;
}

static int look_at_layer(struct look *look, struct nacre_error *err)
{
	bool image = look->facts.kind & NC_NODE_IMAGE;
	/* only nacre writes the length, and always with the diff ID */
	if (!*look->facts.diff_id && !image && has_file(look->dir, "tarsize")) {
		int code = flawed(look, NC_FLAW_DIFF_ID, "diffid", err, "the layer's diff ID is missing");
		return code < 0 ? code : look_at_tree(look, err);
	}
	bool layer = look->facts.kind & NC_NODE_LAYER;
	if (image || !(layer || look->facts.kind & NC_NODE_V1))
		return 0;
	int code = layer ? look_at_record(look, err) : 0;
	return code < 0 ? code : look_at_tree(look, err);
}

/* --- images ----------------------------------------------------------------------------------------------------- */

static int has_digest(int dir, const char *file, const char *hex, char **ret, size_t *ret_len, struct nacre_error *err)
{
	struct nc_digest digest;
	char text[NC_DIGEST_TEXT];
	int code = nc_file_read(dir, file, NC_DOCUMENT_MAX, ret, ret_len, err);
	if (code == 0)
		code = nc_digest_of(*ret, *ret_len, &digest, err);
	if (code < 0 || strcmp(nc_digest_hex(&digest, text), hex) == 0)
		return code;
	return nc_fail(err, NACRE_E_CORRUPT, 0, "its bytes have the digest sha256:%s", text);
}

/* Upwards: each layer must be the node that the config's diff IDs spell. */
static int look_at_layers(struct look *look, const struct nc_config *config, struct nacre_error *err)
{
	NC_AUTO_FREE struct nc_digest *chain = nc_alloc(sizeof *chain * (config->diff_id_count + 1));
	char text[160], hex[NC_DIGEST_TEXT] = "";
	if (!chain)
		return nc_nomem(err);
	if (config->diff_id_count) {
		int code = nc_chain_ids(config->diff_ids, config->diff_id_count, chain, err);
		if (code < 0)
			return code;
		nc_digest_hex(&chain[config->diff_id_count - 1], hex);
	}
	if (strcmp(look->facts.parent, hex) == 0)
		return 0;
	snprintf(text, sizeof text, "it stands on %.12s, its config on %.12s",
		 *look->facts.parent ? look->facts.parent : "nothing", *hex ? hex : "nothing");
	return flawed(look, NC_FLAW_LAYERS, "json", err, text);
}

static int look_at_config(struct look *look, struct nacre_error *err)
{
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_config_auto) struct nc_config *config = NULL;
	struct nacre_error why = { 0 };
	size_t len;
	int code = has_digest(look->dir, "config", look->id, &bytes, &len, &why);
	if (code == 0)
		code = nc_config_parse(bytes, len, &config, &why);
	if (code < 0 && !is_flaw(code))
		return nc_failure_tell(&why, code, err);
	return code < 0 ? flawed(look, NC_FLAW_CONFIG, "config", err, why.msg) : look_at_layers(look, config, err);
}

struct documents {
	struct look *look;
	int dir;
};

/* A blob that a list names must be there. That it is what its name says is only seen when it is read, by a full check. */
static int look_at_listed(struct look *look, const struct nc_blob_ref *blob, const char *list, struct nacre_error *err)
{
	struct nc_check *check = look->check;
	char hex[NC_DIGEST_TEXT], path[NC_DIGEST_TEXT + 16];
	uint64_t size;
	int there = nc_blob_exists(check->store, nc_digest_hex(&blob->digest, hex), &size, err);
	if (there < 0)
		return there;
	if (there && (size == blob->size || check->options->flags & NACRE_CHECK_FULL))
		return 0;
	look->flaws++;
	if (!look->report)
		return 0;
	snprintf(path, sizeof path, "blobs/sha256/%s", hex);
	if (!there)
		return nc_check_find(check, NC_FLAW_BLOB_MISSING, look->id, path, err, "%s names it, and it is not there", list);
	return nc_check_find(check, NC_FLAW_BLOB, look->id, path, err, "it has %llu bytes, not %llu", (unsigned long long)size,
			     (unsigned long long)blob->size);
}

static int look_at_list(const struct documents *documents, const char *name, struct nacre_error *err)
{
	NC_AUTO_FREE struct nc_blob_ref *blobs = NULL;
	struct look *look = documents->look;
	struct nacre_error why = { 0 };
	char file[2 * NC_HEX_ID];
	size_t count = 0;
	snprintf(file, sizeof file, "manifests/%s", name);
	int code = nc_whole_read(documents->dir, name, &blobs, &count, &why);
	if (code < 0 && !is_flaw(code))
		return nc_failure_tell(&why, code, err);
	if (code < 0)
		return flawed(look, NC_FLAW_MANIFEST, file, err, why.msg);
	for (size_t i = 0; code == 0 && i < count; i++)
		code = look_at_listed(look, &blobs[i], file, err);
	return code;
}

static int look_at_document(void *ctx, const char *name, struct nacre_error *err)
{
	struct documents *documents = ctx;
	NC_AUTO_FREE char *bytes = NULL;
	struct nacre_error why = { 0 };
	char file[NC_HEX_ID + 16];
	size_t len;
	if (nc_whole_name(name))
		return look_at_list(documents, name, err);
	if (!nc_id_valid(name))
		return 0;
	int code = has_digest(documents->dir, name, name, &bytes, &len, &why);
	if (code < 0 && !is_flaw(code))
		return nc_failure_tell(&why, code, err);
	snprintf(file, sizeof file, "manifests/%s", name);
	return code < 0 ? flawed(documents->look, NC_FLAW_MANIFEST, file, err, why.msg) : 0;
}

/* "sha256:<hex> MEDIATYPE" */
static int look_at_first(struct look *look, int manifests, struct nacre_error *err)
{
	NC_AUTO_FREE char *line = NULL;
	char text[160], hex[NC_HEX_ID];
	int code = nc_file_read(look->dir, "manifest", 1024, &line, NULL, NULL);
	if (code == NACRE_E_NOTFOUND)
		return 0;
	if (code < 0 || strncmp(line, "sha256:", 7) != 0 || strlen(line) < 7 + NC_HEX_ID || line[6 + NC_HEX_ID] != ' ')
		return flawed(look, NC_FLAW_MANIFEST, "manifest", err, "it does not say which manifest is the first");
	memcpy(hex, line + 7, NC_HEX_ID - 1);
	hex[NC_HEX_ID - 1] = '\0';
	if (nc_id_valid(hex) && manifests >= 0 && has_file(manifests, hex))
		return 0;
	snprintf(text, sizeof text, "the manifest %.19s that the image came with is missing", line);
	return flawed(look, NC_FLAW_MANIFEST_MISSING, "manifest", err, text);
}

static int look_at_image(struct look *look, struct nacre_error *err)
{
	struct documents documents = { .look = look, .dir = -1 };
	if (!(look->facts.kind & NC_NODE_IMAGE))
		return 0;
	int code = look_at_config(look, err);
	if (code < 0)
		return code;
	code = nc_dir_open(look->dir, "manifests", &documents.dir, err);
	if (code == 0)
		code = nc_dir_each_sorted(documents.dir, DOCUMENTS_MAX, look_at_document, &documents, err);
	else if (code == NACRE_E_NOTFOUND)
		code = 0;
	if (code == 0)
		code = look_at_first(look, documents.dir, err);
	nc_fd_release(&documents.dir);
	return code;
}

/* --- a node ----------------------------------------------------------------------------------------------------- */

static int look_at_parent(struct look *look, struct nacre_error *err)
{
	char text[160];
	if (!*look->facts.parent || nc_node_exists(look->check->store, look->facts.parent))
		return 0;
	snprintf(text, sizeof text, "its parent %s is not there", look->facts.parent);
	return flawed(look, NC_FLAW_PARENT, NULL, err, text);
}

static int look_inside(struct look *look, struct nacre_error *err)
{
	struct nacre_store *store = look->check->store;
	struct nacre_error why = { 0 };
	int code = nc_node_open(store, look->id, &look->dir, &why);
	if (code == 0)
		code = nc_node_read(store->graph, look->id, &look->facts, &why);
	if (code == NACRE_E_NOTFOUND)
		return 0;
	if (code < 0 && !is_flaw(code))
		return nc_failure_tell(&why, code, err);
	if (code < 0) {
		code = blame_file(look, why.msg, err);
		return code < 0 ? code : nc_node_salvage(store, look->id, &look->facts, err);
	}
	code = look_at_layer(look, err);
	if (code == 0)
		code = look_at_image(look, err);
	return code < 0 ? code : look_at_parent(look, err);
}

static int look_at_node(struct nc_check *check, const char *id, bool report, struct nacre_error *err)
{
	NC_CLEANUP(look_release) struct look look = { .check = check, .id = id, .dir = -1, .report = report };
	int code = look_inside(&look, err);
	/* it went while it was looked at */
	if (code < 0 && !nc_node_exists(check->store, id))
		return 0;
	if (code == 0 && *look.facts.id && !report)
		code = nc_check_note(check, &look.facts, err);
	return code < 0 ? code : look.flaws;
}

static int visit(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct nc_check *check = ctx;
	if (!nc_id_valid(name))
		return 0;
	check->told->nodes++;
	return nc_check_twice(check, &(struct nc_twice){ .look = look_at_node, .id = name, .whole = -1 }, name, err);
}

int nc_check_nodes(struct nc_check *check, struct nacre_error *err)
{
	return check->store->graph < 0 ? 0 : nc_dir_each(check->store->graph, visit, check, err);
}

/* --- circles ---------------------------------------------------------------------------------------------------- */

/* Upwards from id by the files: 1 when that leads to id again. */
static int comes_round(struct nc_check *check, const char *id, bool report, struct nacre_error *err)
{
	char at[NC_HEX_ID];
	memcpy(at, id, NC_HEX_ID);
	for (int depth = 0; depth < NC_DEPTH_MAX; depth++) {
		NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
		int code = nc_node_read_brief(check->store->graph, at, &facts, NULL);
		if (code == NACRE_E_NOMEM)
			return nc_nomem(err);
		if (code < 0 || !*facts.parent)
			return 0;
		memcpy(at, facts.parent, NC_HEX_ID);
		if (strcmp(at, id) != 0)
			continue;
		char path[NC_HEX_ID + 16];
		snprintf(path, sizeof path, "graph/%s/json", id);
		return !report ? 1 : nc_check_find(check, NC_FLAW_CYCLE, id, path, err, "its ancestors lead back to it");
	}
	return 0;
}

struct cycles {
	struct nc_check *check;
	unsigned walk;
	struct nacre_error *err;
};

/* Each node is come by once: a walk ends where an earlier one was, and one that meets itself has found a circle. */
static int walk_up(void *ctx, const char *key, size_t len, void *value)
{
	struct cycles *cycles = ctx;
	struct nc_checked *node = value;
	char id[NC_HEX_ID] = "";
	memcpy(id, key, len);
	cycles->walk++;
	while (node && !node->walk) {
		node->walk = cycles->walk;
		memcpy(id, node->parent, NC_HEX_ID);
		node = *id ? nc_map_get(cycles->check->nodes, id, NC_HEX_ID - 1) : NULL;
	}
	if (!node || node->walk != cycles->walk)
		return 0;
	struct nc_twice twice = { .look = comes_round, .id = id, .whole = -1 };
	return nc_check_twice(cycles->check, &twice, id, cycles->err);
}

int nc_check_cycles(struct nc_check *check, struct nacre_error *err)
{
	struct cycles cycles = { .check = check, .err = err };
	return nc_map_each(check->nodes, walk_up, &cycles);
}
