#include "store/tree_tar.h"

#include "base/cancel.h"
#include "base/map.h"
#include "tar/write.h"

#include <stdlib.h>
#include <string.h>

/* Names of files with several, that are remembered. */
#define LINKS_MAX ((size_t)1 << 22)

struct nc_tree_tar {
	struct nc_view *view;
	struct nc_tar_writer *tar;
	struct nc_map *first_names;	/* file number -> its first name, owned */
	const struct nacre_progress *progress;
	const char *what;
	uint64_t bytes;
};

static int free_name(void *ctx, const char *key, size_t len, void *value)
{
	free(value);
	return 0;
}

void nc_tree_tar_free(struct nc_tree_tar *tree)
{
	if (!tree)
		return;
	if (tree->first_names)
		nc_map_each(tree->first_names, free_name, NULL);
	nc_map_free(tree->first_names);
	nc_tar_writer_free(tree->tar);
	free(tree);
}

int nc_tree_tar_new(struct nc_view *view, struct nc_writer *out, const struct nacre_progress *progress,
		    const char *what, struct nc_tree_tar **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_tree_tar_auto) struct nc_tree_tar *tree = nc_zalloc(sizeof *tree);
	if (!tree)
		return nc_nomem(err);
	tree->view = view;
	tree->progress = progress;
	tree->what = what;
	tree->first_names = nc_map_new();
	if (!tree->first_names)
		return nc_nomem(err);
	int code = nc_tar_writer_new(out, &tree->tar, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(tree);
	return 0;
}

/* What the file has beyond size bytes came after it was looked at. */
static int write_content(struct nc_tree_tar *tree, const char *path, uint64_t size, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *content = NULL;
	int code = tree->view->ops->content(tree->view, path, &content, err);
	const void *bytes;
	ssize_t n = 0;
	while (code == 0 && size && (n = nc_reader_next(content, &bytes, err)) > 0) {
		size_t len = (uint64_t)n < size ? (size_t)n : (size_t)size;
		code = nc_tar_writer_data(tree->tar, bytes, len, err);
		size -= len;
		tree->bytes += len;
	}
	if (code < 0 || n < 0)
		return code < 0 ? code : (int)n;
	return size ? nc_fail(err, NACRE_E_BUSY, 0, "'/%s' became shorter while it was read", path) : 0;
}

/* The name under which the file was written before: NULL when this is the first. */
static int find_first(struct nc_tree_tar *tree, const struct nc_view_file *file, const char **ret,
		      struct nacre_error *err)
{
	*ret = nc_map_get(tree->first_names, &file->number, sizeof file->number);
	if (*ret)
		return 0;
	if (nc_map_count(tree->first_names) >= LINKS_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %zu files with several names", LINKS_MAX);
	char *name = nc_strdup(file->entry.name);
	if (!name)
		return nc_nomem(err);
	int code = nc_map_set(tree->first_names, &file->number, sizeof file->number, name, NULL, err);
	if (code < 0)
		free(name);
	return code;
}

static int report(const struct nc_tree_tar *tree, struct nacre_error *err)
{
	const struct nacre_progress *progress = tree->progress;
	int code = progress ? nc_cancel_check(progress->cancel, err) : 0;
	if (code < 0)
		return code;
	if (progress && progress->event)
		progress->event(progress->ctx, NACRE_EVENT_BYTES, "export", tree->what, tree->bytes, 0);
	return 0;
}

int nc_tree_tar_file(struct nc_tree_tar *tree, const struct nc_view_file *file, struct nacre_error *err)
{
	struct nc_entry entry = file->entry;
	const char *first = NULL;
	int code = report(tree, err);
	if (code == 0 && entry.type != NC_ENTRY_DIR && file->links > 1 && file->number)
		code = find_first(tree, file, &first, err);
	if (code < 0)
		return code;
	if (!*entry.name) {
		entry.name = "./";
		entry.name_len = 2;
	}
	if (first) {
		entry.type = NC_ENTRY_LINK;
		entry.link = first;
		entry.link_len = strlen(first);
		entry.size = entry.stored = 0;
		entry.xattrs = NULL;
		entry.xattr_count = 0;
	}
	/* the view may reuse what it lent as soon as it is asked for the content */
	NC_AUTO_FREE char *path = nc_strdup(file->entry.name);
	if (!path)
		return nc_nomem(err);
	code = nc_tar_writer_entry(tree->tar, &entry, err);
	return code < 0 || entry.type != NC_ENTRY_FILE || !entry.size ? code :
									 write_content(tree, path, entry.size, err);
}

int nc_tree_tar_whiteout(struct nc_tree_tar *tree, const char *path, struct nacre_error *err)
{
	struct nc_entry entry = { .type = NC_ENTRY_FILE, .name = path, .name_len = strlen(path), .link = "" };
	int code = report(tree, err);
	return code < 0 ? code : nc_tar_writer_entry(tree->tar, &entry, err);
}

int nc_tree_tar_finish(struct nc_tree_tar *tree, struct nacre_error *err)
{
	return nc_tar_writer_finish(tree->tar, err);
}
