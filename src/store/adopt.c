/* Making a root of 2015 a store. The names grow in nacre.tmp/ and are moved to their place whole; nacre.json, which makes
 * it a store, comes last and is the caller's. Whoever dies in between leaves a root of 2015, and nacre.tmp/ beside
 * names/ as the sign that these names are such remains: the next one begins again. */
#include "io/path.h"
#include "store/inner.h"
#include "store/old_root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_name(struct nacre_store *names, int making, const struct nc_old_name *name, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	struct nc_name_target target = { 0 };
	size_t len;
	memcpy(target.id, name->id, NC_HEX_ID);
	int code = nc_name_text(&target, &text, &len, err);
	if (code == 0)
		code = nc_file_create(making, "name", text, len, err);
	return code < 0 ? code : nc_name_publish(names, name->full, making, "name", true, err);
}

static int write_names(int making, const struct nc_old_names *names, struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	int code = nc_dir_ensure(making, "names", &dir, err);
	struct nacre_store place = { .root = -1, .graph = -1, .names = dir };
	for (size_t i = 0; code == 0 && i < names->count; i++)
		code = write_name(&place, making, &names->list[i], err);
	if (code == 0 && names->left_out_count)
		code = nc_file_create(making, NC_LEFT_OUT, nc_buf_text(&names->left_out), names->left_out.len, err);
	return code;
}

static int put_in_place(int root, int making, const char *name, struct nacre_error *err)
{
	if (renameat(making, name, root, name) < 0 && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "put '%s' in place", name);
	return 0;
}

int nc_adopt_names(int root, int making, const char *driver, bool durable, struct nacre_error *err)
{
	NC_CLEANUP(nc_old_names_auto) struct nc_old_names *names = NULL;
	NC_AUTO_FD int graph = -1;
	int code = nc_dir_open(root, "graph", &graph, err);
	if (code == 0)
		code = nc_old_names_read(root, graph, driver, &names, err);
	if (code == 0)
		code = write_names(making, names, err);
	if (code == 0 && durable && syncfs(making) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "sync the names");
	if (code == 0)
		code = put_in_place(root, making, NC_LEFT_OUT, err);
	if (code == 0)
		code = put_in_place(root, making, "names", err);
	if (code == 0 && durable && fsync(root) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "sync the store's directory");
	return code;
}
