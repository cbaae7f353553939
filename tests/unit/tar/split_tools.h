/* Taking an archive apart as the store does, with a memory of contents in place of a driver, and putting it together
 * again. */
#ifndef NC_TESTS_TAR_SPLIT_TOOLS_H
#define NC_TESTS_TAR_SPLIT_TOOLS_H

#include "tools.h"

#include "base/map.h"
#include "io/writer.h"
#include "tar/split.h"

/* Contents by name. */
struct files {
	struct nc_map *map;	/* struct nc_buf * */
};

TOOL void files_init(struct files *files)
{
	files->map = nc_map_new();
	assert_non_null(files->map);
}

TOOL int files_drop(void *ctx, const char *key, size_t len, void *value)
{
	nc_buf_release(value);
	free(value);
	return 0;
}

TOOL void files_release(struct files *files)
{
	nc_map_each(files->map, files_drop, NULL);
	nc_map_free(files->map);
}

TOOL struct nc_buf *files_add(struct files *files, const char *name, size_t len)
{
	struct nacre_error err;
	struct nc_buf *content = calloc(1, sizeof *content);
	assert_non_null(content);
	content->max = 64u << 20;
	assert_done(nc_map_set(files->map, name, len, content, NULL, &err));
	return content;
}

TOOL void files_remove(struct files *files, const char *name)
{
	files_drop(NULL, name, 0, nc_map_take(files->map, name, strlen(name)));
}

TOOL int files_open(void *ctx, const char *name, size_t len, struct nc_reader **ret, uint64_t *ret_size,
		    struct nacre_error *err)
{
	struct files *files = ctx;
	const struct nc_buf *content = nc_map_get(files->map, name, len);
	if (!content)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no file '%s'", name);
	*ret_size = content->len;
	*ret = read_pieces(content->data, content->len, 1000);
	return 0;
}

/* As the store: a member whose content is in place and whose name is new gives a FILE record; of the rest, a name
 * that is new gives one of size 0, and the content becomes framing. Returns what reading the archive returned. */
TOOL int take_apart(const void *bytes, size_t len, size_t piece, struct files *files, struct nc_buf *ret_record,
		    struct nacre_error *ret_err)
{
	struct nacre_error err;
	*ret_record = (struct nc_buf)NC_BUF_INIT(256u << 20);
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = read_pieces(bytes, len, piece);
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_CLEANUP(nc_tar_auto) struct nc_tar *tar = NULL;
	NC_CLEANUP(nc_split_auto) struct nc_split *split = NULL;
	assert_done(nc_writer_buf(ret_record, &out, &err));
	assert_done(nc_tar_new(reader, &tar, &err));
	assert_done(nc_split_new(out, &split, &err));
	struct nc_tar_item item;
	struct nc_buf *content = NULL;
	int event;
	while ((event = nc_tar_next(tar, &item, ret_err)) > 0) {
		if (event == NC_TAR_ENTRY) {
			const struct nc_entry *entry = item.entry;
			content = NULL;
			if (nc_map_get(files->map, entry->name, entry->name_len))
				continue;
			content = files_add(files, entry->name, entry->name_len);
			assert_done(nc_split_member(split, entry->name, entry->name_len, &err));
			if (!item.in_place)
				content = NULL;
		} else if (event == NC_TAR_DATA && content) {
			assert_done(nc_buf_add(content, item.bytes, item.len, &err));
			assert_done(nc_split_content(split, item.bytes, item.len, &err));
		} else {
			assert_done(nc_split_framing(split, item.bytes, item.len, &err));
		}
	}
	assert_done(nc_split_finish(split, &err));
	return event;
}

/* Puts an archive together; returns 0 or what the joined reader failed with. */
TOOL int put_together(const void *record, size_t len, size_t piece, struct files *files, struct nc_buf *ret,
		      struct nacre_error *ret_err)
{
	struct nacre_error err;
	const struct nc_join_files door = { files_open, files };
	NC_CLEANUP(nc_reader_auto) struct nc_reader *joined = NULL;
	*ret = (struct nc_buf)NC_BUF_INIT(256u << 20);
	assert_done(nc_join(read_pieces(record, len, piece), &door, &joined, &err));
	const void *bytes;
	ssize_t n;
	while ((n = nc_reader_next(joined, &bytes, ret_err)) > 0)
		assert_done(nc_buf_add(ret, bytes, (size_t)n, &err));
	assert_int_equal(nc_reader_next(joined, &bytes, NULL), n);
	return (int)n;
}

#endif
