/* A layer's tar on disk, whole and checked before anybody reads it. */
#include "store/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WHAT "Buffering to disk"

/* A store that is only read has no room of its own. */
static int open_elsewhere(int *ret_fd, struct nacre_error *err)
{
	const char *tmp = getenv("TMPDIR");
	if (!tmp || !*tmp)
		tmp = "/var/tmp";
	int fd = open(tmp, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "make a temporary file in '%s'", tmp);
	*ret_fd = fd;
	return 0;
}

static int fill(int fd, struct nc_reader *tar, uint64_t *ret_size, struct nacre_error *err)
{
	NC_CLEANUP(nc_writer_auto) struct nc_writer *writer = NULL;
	int code = nc_writer_fd(fd, false, "temporary file", &writer, err);
	if (code == 0)
		code = nc_copy_stream(tar, writer, ret_size, err);
	if (code == 0)
		code = nc_writer_finish(writer, err);
	if (code == 0 && lseek(fd, 0, SEEK_SET) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "rewind a temporary file");
	return code;
}

static void tell(const struct nacre_progress *progress, enum nacre_event event, const char *id, uint64_t size)
{
	if (progress && progress->event)
		progress->event(progress->ctx, event, id, WHAT, event == NACRE_EVENT_DONE ? size : 0, size);
}

int nacre_layer_spool(struct nacre_store *store, const char *id, const struct nacre_progress *progress, int *ret_fd,
		      uint64_t *ret_size, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *tar = NULL;
	NC_AUTO_FD int fd = -1;
	char full[NC_HEX_ID], brief[13];
	uint64_t size;
	int code = nc_store_resolve_id(store, id, full, err);
	if (code == 0)
		code = nc_store_layer_tar(store, full, &tar, &size, err);
	if (code < 0)
		return code;
	snprintf(brief, sizeof brief, "%.12s", full);
	struct nc_reader *upstream = NC_GIVE(tar);
	code = nc_reader_progress(upstream, progress, brief, WHAT, size, &tar, err);
	if (code == 0)
		code = store->readonly ? open_elsewhere(&fd, err) : nc_store_spool(store, &fd, err);
	if (code < 0)
		return code;
	tell(progress, NACRE_EVENT_START, brief, size);
	code = fill(fd, tar, &size, err);
	if (code < 0)
		return code;
	tell(progress, NACRE_EVENT_DONE, brief, size);
	*ret_fd = nc_fd_give(&fd);
	*ret_size = size;
	return 0;
}

int nacre_node_path(struct nacre_store *store, const char *id, char **ret, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(8192);
	char full[NC_HEX_ID], tree[NC_HEX_ID];
	int code = nc_store_resolve_id(store, id, full, err);
	if (code == 0)
		code = nc_node_tree(store, full, tree, err);
	if (code == 0 && !*tree)
		code = nc_fail(err, NACRE_E_UNSUPPORTED, 0, "node %.12s has no layer, and nothing below it", full);
	if (code == 0)
		code = nc_buf_addf(&path, err, "%s/", store->path);
	if (code == 0)
		code = nc_driver_where(store->driver, tree, &path, err);
	if (code == NACRE_E_NOTFOUND && nc_node_exists(store, full))
		code = nc_blame(err, NACRE_E_CORRUPT);	/* the node is there, its tree is not */
	if (code < 0)
		return code;
	*ret = nc_buf_give(&path);
	return *ret ? 0 : nc_nomem(err);
}
