/* First both trees are walked side by side and the names of changes are kept; then these are written. Twice, because
 * whether a name must be written can depend on a later one: hard links are only seen when all names of a file are. */
#include "store/changes.h"

#include "base/buf.h"
#include "base/cancel.h"
#include "driver/view_pair.h"
#include "store/tree_tar.h"

#include <stdlib.h>
#include <string.h>

/* Changes, and names of files with several, that are remembered. */
#define CHANGES_MAX ((size_t)1 << 26)
/* Of a path with its whiteout prefix. */
#define NAME_LIMIT (1u << 17)

struct change {
	char *name;		/* of the member, owned; "" is the root */
	bool gone;
};

/* A name of a file that has, or had, several. */
struct linked {
	uint64_t after, before;	/* numbers of the file there; before is 0 when it is not there */
	char *name;		/* owned */
	bool changed;		/* differs by itself, so it is among the changes */
	bool written;
};

struct changes {
	struct nc_view *before, *after;
	const struct nacre_progress *progress;
	struct change *list;
	size_t count, cap;
	struct linked *links;
	size_t link_count, link_cap;
};

static void changes_release(struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++)
		free(changes->list[i].name);
	for (size_t i = 0; i < changes->link_count; i++)
		free(changes->links[i].name);
	free(changes->list);
	free(changes->links);
}

/* Room for one more. */
static int grow(void **list, size_t count, size_t *cap, size_t size, struct nacre_error *err)
{
	if (count < *cap)
		return 0;
	if (count >= CHANGES_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %zu changes", CHANGES_MAX);
	size_t more = *cap ? *cap * 2 : 64;
	void *grown = nc_realloc_array(*list, more, size);
	if (!grown)
		return nc_nomem(err);
	*list = grown;
	*cap = more;
	return 0;
}

static int add_change(struct changes *changes, const char *name, bool gone, struct nacre_error *err)
{
	int code = grow((void **)&changes->list, changes->count, &changes->cap, sizeof *changes->list, err);
	if (code < 0)
		return code;
	char *copy = nc_strdup(name);
	if (!copy)
		return nc_nomem(err);
	changes->list[changes->count++] = (struct change){ .name = copy, .gone = gone };
	return 0;
}

static int add_gone(struct changes *changes, const char *path, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf name = NC_BUF_INIT(NAME_LIMIT);
	const char *slash = strrchr(path, '/');
	int dir_len = slash ? (int)(slash + 1 - path) : 0;
	int code = nc_buf_addf(&name, err, "%.*s.wh.%s", dir_len, path, path + dir_len);
	return code < 0 ? code : add_change(changes, name.data, true, err);
}

/* --- looking ---------------------------------------------------------------------------------------------------- */

/* The root as it is when no layer says anything about it. */
static bool is_plain_root(const struct nc_entry *entry)
{
	return entry->mode == 0755 && !entry->uid && !entry->gid && !entry->mtime.sec && !entry->mtime.nsec &&
	       !entry->xattr_count;
}

static bool has_names(const struct nc_view_file *file)
{
	return file && file->entry.type != NC_ENTRY_DIR && file->links > 1;
}

static int add_link(struct changes *changes, const char *path, const struct nc_view_file *const files[2],
		    struct nacre_error *err)
{
	int code = grow((void **)&changes->links, changes->link_count, &changes->link_cap, sizeof *changes->links, err);
	if (code < 0)
		return code;
	char *copy = nc_strdup(path);
	if (!copy)
		return nc_nomem(err);
	bool was = files[0] && files[0]->entry.type != NC_ENTRY_DIR;
	changes->links[changes->link_count++] = (struct linked){
		.after = files[1]->number, .before = was ? files[0]->number : 0, .name = copy,
	};
	return 0;
}

static int look(void *ctx, const char *path, const struct nc_view_file *const files[2], struct nacre_error *err)
{
	struct changes *changes = ctx;
	const struct nacre_progress *progress = changes->progress;
	int code = progress ? nc_cancel_check(progress->cancel, err) : 0;
	if (code < 0)
		return code;
	const char *slash = strrchr(path, '/');
	if (strncmp(slash ? slash + 1 : path, ".wh.", 4) == 0)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0,
			       "'/%s' cannot be in a layer, where such names mark what is deleted", path);
	if (!files[1])
		return add_gone(changes, path, err);
	bool linked = files[1]->entry.type != NC_ENTRY_DIR && (has_names(files[0]) || has_names(files[1]));
	bool equal = !files[0] && !*path && is_plain_root(&files[1]->entry);
	code = linked ? add_link(changes, path, files, err) : 0;
	if (code == 0 && files[0])
		code = nc_view_same(changes->before, changes->after, path, files, true, &equal, err);
	if (code < 0 || equal)
		return code;
	if (linked)
		changes->links[changes->link_count - 1].changed = changes->links[changes->link_count - 1].written = true;
	return add_change(changes, path, false, err);
}

/* --- hard links ------------------------------------------------------------------------------------------------- */

static int by_number(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_after(const void *a, const void *b)
{
	return by_number(((const struct linked *)a)->after, ((const struct linked *)b)->after);
}

static int by_before(const void *a, const void *b)
{
	return by_number(((const struct linked *)a)->before, ((const struct linked *)b)->before);
}

/* Marks all names of a file when one of them is marked, or when they were not one file before. Sorted by after. */
static void join_names(struct linked *links, size_t count)
{
	for (size_t from = 0, to; from < count; from = to) {
		bool whole = true;
		for (to = from; to < count && links[to].after == links[from].after; to++)
			whole = whole && !links[to].written && links[to].before == links[from].before;
		for (size_t i = from; !whole && i < to; i++)
			links[i].written = true;
	}
}

/* Marks names that were one file before and are several now. Sorted by before. */
static void part_names(struct linked *links, size_t count)
{
	for (size_t from = 0, to; from < count; from = to) {
		bool whole = true;
		for (to = from; to < count && links[to].before == links[from].before; to++)
			whole = whole && links[to].after == links[from].after;
		for (size_t i = from; !whole && links[from].before && i < to; i++)
			links[i].written = true;
	}
}

static int add_linked(struct changes *changes, struct nacre_error *err)
{
	if (!changes->link_count)
		return 0;
	qsort(changes->links, changes->link_count, sizeof *changes->links, by_before);
	part_names(changes->links, changes->link_count);
	qsort(changes->links, changes->link_count, sizeof *changes->links, by_after);
	join_names(changes->links, changes->link_count);
	int code = 0;
	for (size_t i = 0; code == 0 && i < changes->link_count; i++)
		if (changes->links[i].written && !changes->links[i].changed)
			code = add_change(changes, changes->links[i].name, false, err);
	return code;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->name, ((const struct change *)b)->name);
}

static int write_change(struct nc_view *after, struct nc_tree_tar *tree, const struct change *change,
			struct nacre_error *err)
{
	if (change->gone)
		return nc_tree_tar_whiteout(tree, change->name, err);
	struct nc_view_file file;
	int code = after->ops->stat(after, change->name, &file, err);
	if (code >= 0)
		code = nc_tree_tar_file(tree, &file, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, NACRE_E_BUSY, 0, "'/%s' went away while the changes were read", change->name);
	return code;
}

int nc_changes_tar(struct nc_view *before, struct nc_view *after, struct nc_writer *out,
		   const struct nacre_progress *progress, size_t *ret_count, struct nacre_error *err)
{
	NC_CLEANUP(changes_release)
	struct changes changes = { .before = before, .after = after, .progress = progress };
	NC_CLEANUP(nc_tree_tar_auto) struct nc_tree_tar *tree = NULL;
	int code = nc_view_pair_walk((struct nc_view *[2]){ before, after }, "", look, &changes, err);
	if (code == 0)
		code = add_linked(&changes, err);
	if (code == 0)
		code = nc_tree_tar_new(after, out, progress, "writing changes", &tree, err);
	if (code < 0)
		return code;
	if (changes.count)
		qsort(changes.list, changes.count, sizeof *changes.list, by_name);
	for (size_t i = 0; code == 0 && i < changes.count; i++)
		code = write_change(after, tree, &changes.list[i], err);
	if (code == 0)
		code = nc_tree_tar_finish(tree, err);
	if (code == 0 && ret_count)
		*ret_count = changes.count;
	return code;
}
