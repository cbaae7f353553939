/* Looking inside images without mounting them: ls, cat, diff, through views. */
#include "store/changes.h"
#include "store/inner.h"
#include "store/look.h"
#include "store/writable.h"

#include <stdlib.h>
#include <string.h>

/* --- an image without layers ------------------------------------------------------------------------------------ */

static int empty_stat(struct nc_view *view, const char *path, struct nc_view_file *ret, struct nacre_error *err)
{
	if (*path)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no '%s'", path);
	*ret = (struct nc_view_file){ .links = 2 };
	ret->entry = (struct nc_entry){ .type = NC_ENTRY_DIR, .name = "", .link = "", .mode = 0755 };
	return 0;
}

static int empty_names(struct nc_view *view, const char *path,
		       int (*fn)(void *ctx, const char *name, struct nacre_error *err), void *ctx,
		       struct nacre_error *err)
{
	return *path ? nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no '%s'", path) : 0;
}

static int empty_content(struct nc_view *view, const char *path, struct nc_reader **ret, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no '%s'", path);
}

static void empty_close(struct nc_view *view)
{
	free(view);
}

static const struct nc_view_ops empty_ops = { empty_stat, empty_names, empty_content, empty_close };

static int open_empty(struct nc_view **ret, struct nacre_error *err)
{
	struct nc_view *view = nc_zalloc(sizeof *view);
	if (!view)
		return nc_nomem(err);
	view->ops = &empty_ops;
	*ret = view;
	return 0;
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

void nc_look_release(struct nc_look *look)
{
	nc_view_close(look->view);
	look->view = NULL;
	nc_witness_release(&look->witness);
}

int nc_look_at(struct nacre_store *store, const char *id, struct nc_look *ret, struct nacre_error *err)
{
	NC_AUTO_LOOK struct nc_look look = NC_LOOK_NONE;
	char tree[NC_HEX_ID];
	int code = nc_node_tree(store, id, tree, err);
	/* an image may go as long as the layers stay */
	if (code == 0)
		code = nc_witness_take(store, *tree ? tree : id, &look.witness, err);
	if (code == 0)
		code = *tree ? store->driver->ops->view(store->driver, tree, &look.view, err)
			     : open_empty(&look.view, err);
	if (code < 0)
		return nc_look_end(&look, code, err);
	*ret = look;
	look = (struct nc_look)NC_LOOK_NONE;
	return 0;
}

int nc_look_at_writable(struct nacre_store *store, const struct nc_writable *writable, struct nc_look *ret,
			struct nacre_error *err)
{
	NC_AUTO_LOOK struct nc_look look = NC_LOOK_NONE;
	int code = nc_witness_take_writable(store, writable, &look.witness, err);
	if (code == 0)
		code = nc_writable_view(store, writable, &look.view, err);
	if (code < 0)
		return nc_look_end(&look, code, err);
	*ret = look;
	look = (struct nc_look)NC_LOOK_NONE;
	return 0;
}

int nc_look_open(struct nacre_store *store, const char *image, struct nc_look *ret, struct nacre_error *err)
{
	struct nc_writable writable;
	char id[NC_HEX_ID];
	int code = nc_writable_find(store, image, &writable, err);
	if (code != NACRE_E_NOTFOUND)
		return code < 0 ? code : nc_look_at_writable(store, &writable, ret, err);
	code = nc_store_resolve_node(store, image, id, err);
	return code < 0 ? code : nc_look_at(store, id, ret, err);
}

int nc_look_end(const struct nc_look *look, int code, struct nacre_error *err)
{
	return nc_witness_judge(&look->witness, code, err);
}

int nc_store_view(struct nacre_store *store, const char *id, struct nc_view **ret, struct nacre_error *err)
{
	NC_AUTO_LOOK struct nc_look look = NC_LOOK_NONE;
	int code = nc_look_at(store, id, &look, err);
	if (code == 0)
		*ret = NC_GIVE(look.view);
	return code;
}

/* --- ls --------------------------------------------------------------------------------------------------------- */

static enum nacre_file_type type_of(enum nc_entry_type type)
{
	switch (type) {
	case NC_ENTRY_DIR: return NACRE_DIR;
	case NC_ENTRY_SYMLINK: return NACRE_SYMLINK;
	case NC_ENTRY_CHAR: return NACRE_CHAR;
	case NC_ENTRY_BLOCK: return NACRE_BLOCK;
	case NC_ENTRY_FIFO: return NACRE_FIFO;
	case NC_ENTRY_FILE:
	case NC_ENTRY_LINK:
	case NC_ENTRY_META:
		break;
	}
	return NACRE_FILE;
}

struct listing {
	struct nc_view *view;
	const char *path;
	bool skip_first;		/* the directory itself */
	int (*fn)(void *ctx, const struct nacre_file *file);
	void *ctx;
};

static int list_file(void *ctx, const struct nc_view_file *file, struct nacre_error *err)
{
	struct listing *listing = ctx;
	const struct nc_entry *entry = &file->entry;
	if (listing->skip_first) {
		listing->skip_first = false;
		return 0;
	}
	struct nacre_file face = {
		.path = entry->name, .type = type_of(entry->type), .mode = entry->mode, .uid = entry->uid,
		.gid = entry->gid, .size = entry->size, .links = file->links, .mtime = entry->mtime.sec,
		.mtime_nsec = entry->mtime.nsec, .dev_major = entry->dev_major, .dev_minor = entry->dev_minor,
		.target = entry->type == NC_ENTRY_SYMLINK ? entry->link : "",
	};
	if (listing->fn(listing->ctx, &face) < 0)
		return nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
	return 0;
}

static int list_name(void *ctx, const char *name, struct nacre_error *err)
{
	struct listing *listing = ctx;
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(1 << 17);
	struct nc_view_file file;
	int code = nc_buf_addf(&path, err, "%s%s%s", listing->path, *listing->path ? "/" : "", name);
	if (code == 0)
		code = listing->view->ops->stat(listing->view, path.data, &file, err);
	return code < 0 ? code : list_file(listing, &file, err);
}

static int list(struct nc_view *view, const char *path, bool recursive, struct listing *listing,
		struct nacre_error *err)
{
	NC_AUTO_FREE char *real = NULL;
	struct nc_view_file file;
	int code = nc_view_resolve(view, path, true, &real, err);
	if (code == 0)
		code = view->ops->stat(view, real, &file, err);
	if (code < 0)
		return code;
	listing->view = view;
	listing->path = real;
	if (file.entry.type != NC_ENTRY_DIR)
		return list_file(listing, &file, err);
	if (!recursive)
		return view->ops->names(view, real, list_name, listing, err);
	listing->skip_first = true;
	return nc_view_walk(view, real, list_file, listing, err);
}

int nacre_ls(struct nacre_store *store, const char *image, const char *path, bool recursive,
	     int (*fn)(void *ctx, const struct nacre_file *file), void *ctx, struct nacre_error *err)
{
	NC_AUTO_LOOK struct nc_look look = NC_LOOK_NONE;
	struct listing listing = { .fn = fn, .ctx = ctx };
	int code = nc_look_open(store, image, &look, err);
	return code < 0 ? code : nc_look_end(&look, list(look.view, path, recursive, &listing, err), err);
}

/* --- cat -------------------------------------------------------------------------------------------------------- */

static int open_content(struct nc_view *view, const char *path, struct nc_reader **ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *real = NULL;
	struct nc_view_file file;
	int code = nc_view_resolve(view, path, true, &real, err);
	if (code == 0)
		code = view->ops->stat(view, real, &file, err);
	if (code == 0 && file.entry.type != NC_ENTRY_FILE)
		code = nc_fail(err, NACRE_E_INVALID, 0, "'%s' is no regular file", path);
	return code < 0 ? code : view->ops->content(view, real, ret, err);
}

int nacre_cat(struct nacre_store *store, const char *image, const char *path, nacre_sink sink, void *ctx,
	      struct nacre_error *err)
{
	NC_AUTO_LOOK struct nc_look look = NC_LOOK_NONE;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *content = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	int code = nc_look_open(store, image, &look, err);
	if (code == 0)	/* what is open stays whole, whatever becomes of the image */
		code = nc_look_end(&look, open_content(look.view, path, &content, err), err);
	if (code == 0)
		code = nc_writer_callback(sink, ctx, &out, err);
	if (code == 0)
		code = nc_copy_stream(content, out, NULL, err);
	return code < 0 ? code : nc_writer_finish(out, err);
}

/* --- diff ------------------------------------------------------------------------------------------------------- */

struct difference {
	int (*fn)(void *ctx, char kind, const char *path);
	void *ctx;
};

static int tell_difference(void *ctx, char kind, const char *path, struct nacre_error *err)
{
	const struct difference *difference = ctx;
	if (difference->fn(difference->ctx, kind, path) < 0)
		return nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
	return 0;
}

/* What lies below the topmost layer of a node. */
static int look_below(struct nacre_store *store, const char *id, struct nc_look *ret, struct nacre_error *err)
{
	char tree[NC_HEX_ID];
	struct nc_node_facts facts = { 0 };
	int code = nc_node_tree(store, id, tree, err);
	if (code < 0 || !*tree)
		return code;
	code = nc_node_look_brief(store, tree, &facts, err);
	if (code < 0 || !*facts.parent)
		return code;
	return nc_look_at(store, facts.parent, ret, err);
}

/* The two trees that nacre_diff compares. */
struct pair {
	struct nc_look before, after;	/* before has no view when a's layer lies on nothing */
};

static void pair_release(struct pair *pair)
{
	nc_look_release(&pair->before);
	nc_look_release(&pair->after);
}

static int pair_open(struct nacre_store *store, const char *a, const char *b, struct pair *ret,
		     struct nacre_error *err)
{
	struct nc_writable writable;
	char id[NC_HEX_ID];
	*ret = (struct pair){ NC_LOOK_NONE, NC_LOOK_NONE };
	int code = nc_writable_find(store, a, &writable, err);
	if (code < 0 && code != NACRE_E_NOTFOUND)
		return code;
	if (code == 0 && !b) {
		code = nc_look_at(store, writable.image, &ret->before, err);
		return code < 0 ? code : nc_look_at_writable(store, &writable, &ret->after, err);
	}
	if (code == 0) {
		code = nc_look_at_writable(store, &writable, &ret->before, err);
		return code < 0 ? code : nc_look_open(store, b, &ret->after, err);
	}
	code = nc_store_resolve_node(store, a, id, err);
	if (code == 0)
		code = b ? nc_look_at(store, id, &ret->before, err) : look_below(store, id, &ret->before, err);
	if (code == 0)
		code = b ? nc_look_open(store, b, &ret->after, err) : nc_look_at(store, id, &ret->after, err);
	return code;
}

static int pair_end(const struct pair *pair, int code, struct nacre_error *err)
{
	return nc_look_end(&pair->after, nc_look_end(&pair->before, code, err), err);
}

int nacre_diff(struct nacre_store *store, const char *a, const char *b,
	       int (*fn)(void *ctx, char kind, const char *path), void *ctx, struct nacre_error *err)
{
	NC_CLEANUP(pair_release) struct pair pair;
	struct difference difference = { fn, ctx };
	int code = pair_open(store, a, b, &pair, err);
	if (code == 0)
		code = nc_view_diff(pair.before.view, pair.after.view, tell_difference, &difference, err);
	return pair_end(&pair, code, err);
}

int nacre_diff_tar(struct nacre_store *store, const char *a, const char *b, nacre_sink sink, void *ctx,
		   const struct nacre_progress *progress, struct nacre_error *err)
{
	NC_CLEANUP(pair_release) struct pair pair;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	int code = pair_open(store, a, b, &pair, err);
	if (code == 0)
		code = nc_writer_callback(sink, ctx, &out, err);
	if (code == 0)
		code = nc_changes_tar(pair.before.view, pair.after.view, out, progress, NULL, err);
	code = pair_end(&pair, code, err);
	return code < 0 ? code : nc_writer_finish(out, err);
}
