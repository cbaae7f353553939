/* An image's merged tree as one tar. Files that are one (hard links) are written once, under the first of their
 * names, and as links to it under the others. */
#include "base/map.h"
#include "store/inner.h"
#include "store/look.h"
#include "tar/write.h"

#include <stdlib.h>
#include <string.h>

/* Names of files with several, that are remembered. */
#define LINKS_MAX ((size_t)1 << 22)

struct export {
	struct nc_view *view;
	struct nc_tar_writer *tar;
	struct nc_map *first_names;	/* file number -> its first name, owned */
	const struct nacre_progress *progress;
	uint64_t bytes;
};

static int write_content(struct export *export, const char *path, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *content = NULL;
	int code = export->view->ops->content(export->view, path, &content, err);
	const void *bytes;
	ssize_t n = 0;
	while (code == 0 && (n = nc_reader_next(content, &bytes, err)) > 0) {
		code = nc_tar_writer_data(export->tar, bytes, (size_t)n, err);
		export->bytes += (uint64_t)n;
	}
	return code < 0 ? code : (int)n;
}

/* The name under which the file was written before: NULL when this is the first. */
static int find_first(struct export *export, const struct nc_view_file *file, const char **ret,
		      struct nacre_error *err)
{
	*ret = nc_map_get(export->first_names, &file->number, sizeof file->number);
	if (*ret)
		return 0;
	if (nc_map_count(export->first_names) >= LINKS_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %zu files with several names", LINKS_MAX);
	char *name = nc_strdup(file->entry.name);
	if (!name)
		return nc_nomem(err);
	int code = nc_map_set(export->first_names, &file->number, sizeof file->number, name, NULL, err);
	if (code < 0)
		free(name);
	return code;
}

static int report(const struct export *export, struct nacre_error *err)
{
	const struct nacre_progress *progress = export->progress;
	if (progress && progress->cancel && *progress->cancel)
		return nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
	if (progress && progress->event)
		progress->event(progress->ctx, NACRE_EVENT_BYTES, "export", "exporting", export->bytes, 0);
	return 0;
}

static int export_file(void *ctx, const struct nc_view_file *file, struct nacre_error *err)
{
	struct export *export = ctx;
	struct nc_entry entry = file->entry;
	const char *first = NULL;
	int code = report(export, err);
	if (code == 0 && entry.type != NC_ENTRY_DIR && file->links > 1 && file->number)
		code = find_first(export, file, &first, err);
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
	code = nc_tar_writer_entry(export->tar, &entry, err);
	return code < 0 || entry.type != NC_ENTRY_FILE || !entry.size ? code : write_content(export, path, err);
}

static int free_name(void *ctx, const char *key, size_t len, void *value)
{
	free(value);
	return 0;
}

int nacre_export(struct nacre_store *store, const char *image, nacre_sink sink, void *ctx,
		 const struct nacre_progress *progress, struct nacre_error *err)
{
	NC_CLEANUP(nc_view_auto) struct nc_view *view = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_CLEANUP(nc_tar_writer_auto) struct nc_tar_writer *tar = NULL;
	NC_CLEANUP(nc_map_auto) struct nc_map *names = nc_map_new();
	if (!names)
		return nc_nomem(err);
	int code = nc_look_open(store, image, &view, err);
	if (code == 0)
		code = nc_writer_callback(sink, ctx, &out, err);
	if (code == 0)
		code = nc_tar_writer_new(out, &tar, err);
	struct export export = { .view = view, .tar = tar, .first_names = names, .progress = progress };
	if (code == 0)
		code = nc_view_walk(view, "", export_file, &export, err);
	if (code == 0)
		code = nc_tar_writer_finish(tar, err);
	if (code == 0)
		code = nc_writer_finish(out, err);
	nc_map_each(names, free_name, NULL);
	return code;
}
