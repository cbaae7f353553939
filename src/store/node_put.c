/* Small files of a node that may be replaced after it was published: layersize and checksum. */
#include "store/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int nc_file_publish(struct nacre_store *store, int dir, const char *name, const void *bytes, size_t len,
		    struct nacre_error *err)
{
	/* in a stage: what a crash leaves there is swept, in dir it would stay for ever */
	NC_CLEANUP(nc_stage_auto) struct nc_stage *stage = NULL;
	int code = nc_stage_new(store->stages, &stage, err);
	if (code == 0)
		code = nc_file_create(stage->dir, "file", bytes, len, err);
	if (code < 0)
		return nc_wrap(err, code, "write '%s'", name);
	NC_AUTO_FD int fd = openat(stage->dir, "file", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "write '%s'", name);
	code = nc_store_sync(store, fd, name, err);
	if (code == 0 && renameat(stage->dir, "file", dir, name) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "replace '%s'", name);
	return code < 0 ? code : nc_store_sync(store, dir, name, err);
}

int nc_node_put(struct nacre_store *store, const char *id, const char *file, const void *bytes, size_t len,
		bool wait, struct nacre_error *err)
{
	NC_AUTO_FD int locks = -1;
	NC_AUTO_FD int node = -1;
	int code = nc_store_writable(store, err);
	if (code == 0)
		code = nc_locks_open(store, &locks, err);
	/* exclusive would wait for every load that stands on this node; what must stay out is only its removal */
	if (code == 0)
		code = nc_lock_id(locks, id, NC_LOCK_SHARED, wait, err);
	if (code == 0)
		code = nc_node_open(store, id, &node, err);
	if (code == 0)
		code = nc_file_publish(store, node, file, bytes, len, err);
	return code < 0 ? nc_wrap(err, code, "node %.12s", id) : 0;
}
