#include "store/old_layer.h"

#include "store/changes.h"
#include "store/replay.h"
#include "tar/old_record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files of a tree among which lost content is looked for. */
#define SEARCHED_MAX ((size_t)1 << 20)
#define ZERO_BLOCK 512

/* A file of the tree that has some size. */
struct found {
	uint64_t size;
	char *path;		/* owned */
};

struct old_layer {
	struct nc_reader base;
	struct nacre_store *store;
	char id[NC_HEX_ID];
	struct nc_reader *joined;
	struct nc_view *view;		/* of the whole tree, once it was needed */
	struct found *files;		/* in it, by size, once they were needed */
	size_t file_count, file_cap;
	bool searched;
	/* the digest that the node's checksum claims, and what the tar would have with each of the ends that may have
	 * been lost */
	struct nc_digest claimed;	/* alg 0: none that could prove anything */
	struct nc_hash *with_padding, *with_block;
};

/* --- content ---------------------------------------------------------------------------------------------------- */

/* 1 when the content is what the record says; it is read for that, and closed. */
static int proves(const struct nc_split_record *file, struct nc_reader *content, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = content;
	uint64_t size = 0, crc = 0;
	const void *bytes;
	ssize_t n;
	while ((n = nc_reader_next(reader, &bytes, err)) > 0 && size <= file->size) {
		crc = nc_crc64(crc, bytes, (size_t)n);
		size += (uint64_t)n;
	}
	return n < 0 ? (int)n : size == file->size && crc == file->crc;
}

/* What the layer has under that name. 1, or 0 with the reason in why. */
static int by_name(struct old_layer *layer, const struct nc_split_record *file, struct nc_reader **ret,
		   struct nacre_error *why)
{
	struct nc_driver *driver = layer->store->driver;
	struct nc_reader *content = NULL;
	uint64_t size;
	int code = driver->ops->content(driver, layer->id, file->name, file->name_len, &content, &size, why);
	if (code < 0)
		return code == NACRE_E_NOMEM ? code : 0;
	if (size != file->size) {
		nc_reader_close(content);
		nc_fail(why, NACRE_E_CORRUPT, 0, "'%.200s' has %" PRIu64 " bytes instead of %" PRIu64, file->name,
			size, file->size);
		return 0;
	}
	code = proves(file, content, why);
	if (code == 0)
		nc_fail(why, NACRE_E_CORRUPT, 0, "'%.200s' has other content than it had (its CRC-64 differs)",
			file->name);
	if (code <= 0)
		return code == NACRE_E_NOMEM ? code : 0;
	code = driver->ops->content(driver, layer->id, file->name, file->name_len, ret, &size, why);
	return code < 0 ? code : 1;
}

/* A path of the merged tree. */
static int by_path(struct old_layer *layer, const struct nc_split_record *file, const char *path,
		   struct nc_reader **ret, struct nacre_error *err)
{
	struct nc_view_file there;
	struct nc_reader *content = NULL;
	int code = layer->view->ops->stat(layer->view, path, &there, err);
	if (code < 0 || there.entry.type != NC_ENTRY_FILE || there.entry.size != file->size)
		return code == NACRE_E_NOTFOUND ? 0 : code < 0 ? code : 0;
	code = layer->view->ops->content(layer->view, path, &content, err);
	if (code == 0)
		code = proves(file, content, err);
	if (code <= 0)
		return code;
	code = layer->view->ops->content(layer->view, path, ret, err);
	return code < 0 ? code : 1;
}

static int open_view(struct old_layer *layer, struct nacre_error *err)
{
	return layer->view ? 0 : nc_store_view(layer->store, layer->id, &layer->view, err);
}

/* The name as a process in the tree would follow it: archives were unpacked through symbolic links. */
static int by_links(struct old_layer *layer, const struct nc_split_record *file, struct nc_reader **ret,
		    struct nacre_error *err)
{
	NC_AUTO_FREE char *path = NULL;
	int code = open_view(layer, err);
	if (code < 0)
		return code;
	if (nc_view_resolve(layer->view, file->name, true, &path, NULL) < 0)
		return 0;
	return by_path(layer, file, path, ret, err);
}

static int note_file(void *ctx, const struct nc_view_file *file, struct nacre_error *err)
{
	struct old_layer *layer = ctx;
	if (file->entry.type != NC_ENTRY_FILE || !file->entry.size || layer->file_count == SEARCHED_MAX)
		return 0;
	struct found *more = nc_grown(layer->files, layer->file_count, &layer->file_cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	layer->files = more;
	char *path = nc_strdup(file->entry.name);
	if (!path)
		return nc_nomem(err);
	layer->files[layer->file_count++] = (struct found){ file->entry.size, path };
	return 0;
}

static int by_size(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	return x->size != y->size ? (x->size > y->size) - (x->size < y->size) : strcmp(x->path, y->path);
}

/* Content that is in the tree under another name: members of .wh..wh.plnk, names that were replaced by a link. */
static int by_content(struct old_layer *layer, const struct nc_split_record *file, struct nc_reader **ret,
		      struct nacre_error *err)
{
	int code = 0;
	if (!layer->searched) {
		layer->searched = true;
		code = nc_view_walk(layer->view, "", note_file, layer, err);
		if (code == 0 && layer->file_count)
			qsort(layer->files, layer->file_count, sizeof *layer->files, by_size);
	}
	size_t from = 0, to = layer->file_count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (layer->files[middle].size < file->size)
			from = middle + 1;
		else
			to = middle;
	}
	for (; code == 0 && from < layer->file_count && layer->files[from].size == file->size; from++)
		code = by_path(layer, file, layer->files[from].path, ret, err);
	return code;
}

static int find_content(void *ctx, const struct nc_split_record *file, struct nc_reader **ret, struct nacre_error *err)
{
	struct old_layer *layer = ctx;
	struct nacre_error why = { 0 };
	int found = by_name(layer, file, ret, &why);
	if (found == 0)
		found = by_links(layer, file, ret, err);
	if (found == 0)
		found = by_content(layer, file, ret, err);
	if (found < 0)
		return nc_wrap(err, found, "'%.200s'", file->name);
	return found ? 0 : nc_fail(err, NACRE_E_CORRUPT, 0, "%s", why.msg);
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void pass(void *ctx, const void *bytes, size_t len)
{
	struct old_layer *layer = ctx;
	if (!layer->claimed.alg)
		return;
	nc_hash_add(layer->with_padding, bytes, len);
	nc_hash_add(layer->with_block, bytes, len);
}

/* Padding alone, or a zero block behind it: the checksum says which, where it is one of the plain tar. */
static int find_end(void *ctx, size_t padding, size_t *ret_zeros, struct nacre_error *err)
{
	static const char zeros[2 * ZERO_BLOCK];
	struct old_layer *layer = ctx;
	struct nc_digest padded, blocked;
	if (layer->claimed.alg) {
		nc_hash_add(layer->with_padding, zeros, padding);
		nc_hash_add(layer->with_block, zeros, padding + ZERO_BLOCK);
		nc_hash_finish(layer->with_padding, &padded);
		nc_hash_finish(layer->with_block, &blocked);
		bool is_padded = nc_digest_equal(&padded, &layer->claimed);
		*ret_zeros = is_padded ? padding : padding + ZERO_BLOCK;
		if (is_padded || nc_digest_equal(&blocked, &layer->claimed))
			return 0;
	}
	return nc_fail(err, NACRE_E_CORRUPT, 0, "the end of its archive is not in the record, and nothing proves how it was");
}

static int read_claim(struct old_layer *layer, int node, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	if (nc_file_read(node, "checksum", 512, &text, &len, NULL) < 0)
		return 0;
	text[strcspn(text, " \t\r\n")] = '\0';
	if (nc_digest_parse(text, &layer->claimed, NULL) < 0)
		return 0;
	int code = nc_hash_new(layer->claimed.alg, &layer->with_padding, err);
	return code < 0 ? code : nc_hash_new(layer->claimed.alg, &layer->with_block, err);
}

/* --- the reader ------------------------------------------------------------------------------------------------- */

static ssize_t old_layer_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct old_layer *layer = (struct old_layer *)reader;
	ssize_t n = nc_reader_next(layer->joined, ret, err);
	if (n < 0 && !nc_node_exists(layer->store, layer->id))
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "node %.12s was removed meanwhile", layer->id);
	return n < 0 ? nc_wrap(err, (int)n, "node %.12s", layer->id) : n;
}

static void old_layer_close(struct nc_reader *reader)
{
	struct old_layer *layer = (struct old_layer *)reader;
	nc_reader_close(layer->joined);
	for (size_t i = 0; i < layer->file_count; i++)
		free(layer->files[i].path);
	free(layer->files);
	nc_view_close(layer->view);
	nc_hash_free(layer->with_padding);
	nc_hash_free(layer->with_block);
	free(layer);
}

static int replay(struct nacre_store *store, int node, const struct nc_node_facts *facts, struct nc_reader *record,
		  struct nc_reader **ret, struct nacre_error *err)
{
	static const struct nc_reader_ops ops = { .next = old_layer_next, .close = old_layer_close };
	struct old_layer *layer = nc_zalloc(sizeof *layer);
	if (!layer) {
		nc_reader_close(record);
		return nc_nomem(err);
	}
	layer->base.ops = &ops;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *guard = &layer->base;
	layer->store = store;
	memcpy(layer->id, facts->id, NC_HEX_ID);
	const struct nc_old_files files = { .find = find_content, .pass = pass, .end = find_end, .ctx = layer };
	int code = nc_old_join(record, &files, &layer->joined, err);
	if (code == 0)
		code = read_claim(layer, node, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(guard);
	return 0;
}

/* --- without a record ------------------------------------------------------------------------------------------- */

struct spooled {
	struct nc_reader base;
	struct nc_reader *file;
	int fd;
};

static ssize_t spooled_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	return nc_reader_next(((struct spooled *)reader)->file, ret, err);
}

static void spooled_close(struct nc_reader *reader)
{
	struct spooled *spooled = (struct spooled *)reader;
	nc_reader_close(spooled->file);
	nc_fd_release(&spooled->fd);
	free(spooled);
}

static int read_spooled(int *fd, struct nc_reader **ret, struct nacre_error *err)
{
	static const struct nc_reader_ops ops = { .next = spooled_next, .close = spooled_close };
	struct stat st;
	if (fstat(*fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "look at a temporary file");
	struct spooled *spooled = nc_zalloc(sizeof *spooled);
	if (!spooled)
		return nc_nomem(err);
	spooled->base.ops = &ops;
	spooled->fd = nc_fd_give(fd);
	NC_CLEANUP(nc_reader_auto) struct nc_reader *guard = &spooled->base;
	int code = nc_reader_file_range(spooled->fd, 0, (uint64_t)st.st_size, "the layer's tar", &spooled->file, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(guard);
	return 0;
}

/* Docker before 1.8 kept no record: the driver tells what the layer changed, as it did then. */
static int diff(struct nacre_store *store, const struct nc_node_facts *facts, struct nc_reader **ret,
		struct nacre_error *err)
{
	NC_CLEANUP(nc_view_auto) struct nc_view *before = NULL;
	NC_CLEANUP(nc_view_auto) struct nc_view *after = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	NC_AUTO_FD int fd = -1;
	int code = nc_store_view(store, facts->id, &after, err);
	if (code == 0 && *facts->parent)
		code = nc_store_view(store, facts->parent, &before, err);
	if (code == 0)
		code = nc_store_spool(store, &fd, err);
	if (code == 0)
		code = nc_writer_fd(fd, false, "the layer's tar", &out, err);
	if (code == 0)
		code = nc_changes_tar(before, after, out, NULL, NULL, err);
	if (code == 0)
		code = nc_writer_finish(out, err);
	if (code == 0)
		code = read_spooled(&fd, ret, err);
	return code < 0 ? nc_wrap(err, code, "node %.12s", facts->id) : 0;
}

int nc_old_layer_open(struct nacre_store *store, int node, const struct nc_node_facts *facts, struct nc_reader **ret,
		      struct nacre_error *err)
{
	struct nc_reader *record = NULL;
	int code = nc_record_open(node, &record, err);
	if (code == NACRE_E_NOTFOUND)
		return diff(store, facts, ret, err);
	return code < 0 ? nc_wrap(err, code, "node %.12s", facts->id) : replay(store, node, facts, record, ret, err);
}
