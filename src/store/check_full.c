/* The bytes: every layer's archive against its diff ID, its tree against its archive, every kept blob against its digest.
 * Layers are taken from the bottom up, each before what lies on it. */
#include "io/failure.h"
#include "store/check.h"
#include "store/check_tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Findings of one tree. */
#define FLAWS_MAX 100

/* --- layers ----------------------------------------------------------------------------------------------------- */

struct content {
	struct nc_check *check;
	struct nc_models *models;
	const char *id, *below;		/* below: the layer that it lies on; "" for none */
	bool known;			/* what lies below has a model */
	bool modelled;			/* and now this one has */
	bool report;
	int flaws;
};

static int flawed(struct content *content, enum nc_flaw flaw, const char *path, const char *text, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf where = NC_BUF_INIT(1 << 18);
	struct nc_driver *driver = content->check->store->driver;
	content->flaws++;
	if (!content->report)
		return 0;
	int code = nc_driver_where(driver, content->id, &where, NULL);
	if (code < 0)
		nc_buf_clear(&where);
	code = path ? nc_buf_addf(&where, err, "/%s", path) : 0;
	return code < 0 ? code : nc_check_find(content->check, flaw, content->id, nc_buf_text(&where), err, "%s", text);
}

static int tree_differs(void *ctx, const char *path, const char *text, struct nacre_error *err)
{
	struct content *content = ctx;
	if (content->flaws < FLAWS_MAX)
		return flawed(content, NC_FLAW_TREE, path, text, err);
	return 1;
}

static bool is_ours(int code)
{
	return code == NACRE_E_NOMEM || code == NACRE_E_CANCELLED || code == NACRE_E_DENIED || code == NACRE_E_BUSY;
}

static int open_archive(struct content *content, struct nc_reader **ret, struct nacre_error *err)
{
	struct nc_check *check = content->check;
	struct nc_reader *reader = NULL;
	uint64_t size;
	int code = nc_store_layer_tar(check->store, content->id, &reader, &size, err);
	return code < 0 ? code : nc_reader_progress(reader, &check->options->progress, content->id, "checking layer",
						    size == UINT64_MAX ? 0 : size, ret, err);
}

static int look_inside(struct content *content, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *archive = NULL;
	struct nacre_store *store = content->check->store;
	const char *below = *content->below ? content->below : NULL;
	int code = open_archive(content, &archive, err);
	if (code == 0 && !content->known)
		return nc_reader_drain(archive, err);
	if (code == 0)
		code = nc_models_read(content->models, archive, content->id, below, err);
	content->modelled = code > 0;
	return code <= 0 ? code
			 : nc_models_compare(content->models, store, content->id, below, tree_differs, content, err);
}

static int look_at_content(struct nc_check *check, const char *id, bool report, struct nacre_error *err)
{
	struct content *content = check->content;
	struct nacre_error why = { 0 };
	content->report = report;
	content->flaws = 0;
	int code = look_inside(content, &why);
	if (code < 0 && is_ours(code))
		return nc_failure_tell(&why, code, err);
	if (code < 0 && nc_node_exists(check->store, id))
		code = flawed(content, NC_FLAW_CONTENT, NULL, why.msg, err);
	return code < 0 && nc_node_exists(check->store, id) ? code : content->flaws;
}

static void tell(const struct nc_check *check, enum nacre_event event, const char *id, const char *what)
{
	const struct nacre_progress *progress = &check->options->progress;
	if (progress->event)
		progress->event(progress->ctx, event, id, what, 0, 0);
}

static int check_layer(struct content *content, struct nacre_error *err)
{
	struct nc_twice twice = { .look = look_at_content, .id = content->id, .whole = -1 };
	tell(content->check, NACRE_EVENT_START, content->id, "checking layer");
	content->check->content = content;
	int code = nc_check_twice(content->check, &twice, content->id, err);
	tell(content->check, NACRE_EVENT_DONE, content->id, "checking layer");
	return code;
}

/* --- from the bottom up ----------------------------------------------------------------------------------------- */

struct item {
	char id[NC_HEX_ID];
	const struct nc_checked *node;
};

struct items {
	struct nc_check *check;
	struct item *list;		/* by parent */
	size_t count;
};

static int add_item(void *ctx, const char *key, size_t len, void *value)
{
	struct items *items = ctx;
	struct item *item = &items->list[items->count++];
	*item = (struct item){ .node = value };
	memcpy(item->id, key, len);
	return 0;
}

static const char *parent_of(const struct items *items, const struct item *item)
{
	const char *parent = item->node->parent;
	return *parent && nc_map_get(items->check->nodes, parent, NC_HEX_ID - 1) ? parent : "";
}

static int by_parent(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = strcmp(x->node->parent, y->node->parent);
	return order ? order : strcmp(x->id, y->id);
}

/* The first whose parent is not before this one. */
static size_t first_child(const struct items *items, const char *parent)
{
	size_t from = 0, to = items->count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (strcmp(items->list[middle].node->parent, parent) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* A node on the way down, with the layer that those above it lie on. */
struct level {
	char id[NC_HEX_ID], layer[NC_HEX_ID];
	size_t next;			/* child */
	bool known;			/* there is a model of layer, or nothing to have one of */
	bool own;			/* it is this node's, and goes with it */
};

static int enter(struct items *items, struct nc_models *models, const struct level *below, const struct item *item,
		 struct level *ret, struct nacre_error *err)
{
	struct nc_check *check = items->check;
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	memcpy(ret->id, item->id, NC_HEX_ID);
	memcpy(ret->layer, below->layer, NC_HEX_ID);
	ret->next = first_child(items, item->id);
	ret->known = below->known;
	ret->own = false;
	bool flawed = item->node->flawed;
	if (!flawed && nc_node_look_brief(check->store, item->id, &facts, NULL) < 0)
		flawed = true;
	if (!flawed && !(facts.kind & NC_NODE_LAYER))
		return nc_check_cancelled(check, err);
	struct content content = { .check = check, .models = models, .id = item->id, .below = below->layer,
				   .known = below->known && *facts.diff_id };
	int code = flawed ? 0 : check_layer(&content, err);
	memcpy(ret->layer, item->id, NC_HEX_ID);
	ret->known = ret->own = content.modelled;
	return code;
}

static int go_up(struct items *items, struct nc_models *models, struct level *levels, const struct item *root,
		 struct nacre_error *err)
{
	struct level bottom = { .known = true };
	size_t depth = 1;
	int code = enter(items, models, &bottom, root, &levels[0], err);
	while (code == 0 && depth) {
		struct level *top = &levels[depth - 1];
		const struct item *child = top->next < items->count ? &items->list[top->next] : NULL;
		if (child && depth < NC_DEPTH_MAX && strcmp(child->node->parent, top->id) == 0) {
			top->next++;
			code = enter(items, models, top, child, &levels[depth], err);
			depth++;
			continue;
		}
		if (top->own)
			nc_models_drop(models, top->id);
		depth--;
	}
	return code;
}

static int check_layers(struct nc_check *check, struct nacre_error *err)
{
	NC_CLEANUP(nc_models_auto) struct nc_models *models = NULL;
	size_t count = nc_map_count(check->nodes);
	NC_AUTO_FREE struct item *list = nc_realloc_array(NULL, count + 1, sizeof *list);
	NC_AUTO_FREE struct level *levels = nc_realloc_array(NULL, NC_DEPTH_MAX, sizeof *levels);
	struct items items = { .check = check, .list = list };
	if (!list || !levels)
		return nc_nomem(err);
	nc_map_each(check->nodes, add_item, &items);
	qsort(list, items.count, sizeof *list, by_parent);
	int code = nc_models_new(&models, err);
	for (size_t i = 0; code == 0 && i < items.count; i++)
		if (!*parent_of(&items, &list[i]))
			code = go_up(&items, models, levels, &list[i], err);
	return code;
}

/* --- blobs ------------------------------------------------------------------------------------------------------ */

static int read_blob(struct nc_check *check, const char *hex, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	struct nc_reader *blob = NULL;
	struct nc_digest digest;
	struct stat st;
	NC_AUTO_FD int fd = openat(check->store->blobs, hex, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return nc_fail(err, NACRE_E_CORRUPT, 0, "it is no file");
	int code = nc_digest_from_hex_id(hex, &digest, err);
	if (code == 0)
		code = nc_reader_fd(nc_fd_give(&fd), true, "a blob", &blob, err);
	if (code == 0)
		code = nc_reader_progress(blob, &check->options->progress, hex, "checking blob", (uint64_t)st.st_size, &blob,
					  err);
	if (code == 0)
		code = nc_reader_verified(blob, &digest, UINT64_MAX, &reader, err);
	return code < 0 ? code : nc_reader_drain(reader, err);
}

static int look_at_blob(struct nc_check *check, const char *hex, bool report, struct nacre_error *err)
{
	struct nacre_error why = { 0 };
	char path[NC_HEX_ID + 16];
	if (nc_blob_exists(check->store, hex, NULL, NULL) == 0)
		return 0;
	int code = read_blob(check, hex, &why);
	if (code == 0 || nc_blob_exists(check->store, hex, NULL, NULL) == 0)
		return 0;
	if (is_ours(code))
		return nc_failure_tell(&why, code, err);
	snprintf(path, sizeof path, "blobs/sha256/%s", hex);
	return report ? nc_check_find(check, NC_FLAW_BLOB, NULL, path, err, "%s", why.msg) : 1;
}

int nc_check_contents(struct nc_check *check, const struct nc_check_blobs *blobs, struct nacre_error *err)
{
	int code = check_layers(check, err);
	for (size_t i = 0; code == 0 && i < blobs->count; i++) {
		tell(check, NACRE_EVENT_START, blobs->hex[i], "checking blob");
		code = nc_check_twice(check, &(struct nc_twice){ .look = look_at_blob, .whole = -1 }, blobs->hex[i], err);
		tell(check, NACRE_EVENT_DONE, blobs->hex[i], "checking blob");
	}
	return code;
}
