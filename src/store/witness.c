#include "store/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int take(int home, const char *path, struct nc_witness *ret, struct nacre_error *err)
{
	int dir = home < 0 ? -1 : openat(home, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 && home >= 0 && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "open '%.40s'", path);
	if (dir < 0)
		return NACRE_E_NOTFOUND;
	*ret = (struct nc_witness){ .home = home, .dir = dir };
	strcpy(ret->path, path);
	return 0;
}

int nc_witness_take(struct nacre_store *store, const char *id, struct nc_witness *ret, struct nacre_error *err)
{
	int code = nc_id_valid(id) ? take(store->graph, id, ret, err) : NACRE_E_NOTFOUND;
	return code == NACRE_E_NOTFOUND ? nc_fail(err, code, 0, "no node has the ID %s", id) : code;
}

int nc_witness_take_writable(struct nacre_store *store, const struct nc_writable *writable, struct nc_witness *ret,
			     struct nacre_error *err)
{
	char path[sizeof ret->path];
	snprintf(path, sizeof path, NC_WRITABLE_HOME "/%s", writable->id);
	int code = take(store->root, path, ret, err);
	return code == NACRE_E_NOTFOUND ? nc_fail(err, code, 0, "no writable layer '%s'", writable->name) : code;
}

bool nc_witness_holds(const struct nc_witness *witness)
{
	return nc_node_is(witness->home, witness->path, witness->dir);
}

int nc_witness_judge(const struct nc_witness *witness, int code, struct nacre_error *err)
{
	if (witness->dir < 0 || code == NACRE_E_CANCELLED || nc_witness_holds(witness))
		return code;
	const char *slash = strchr(witness->path, '/');
	return nc_fail(err, NACRE_E_NOTFOUND, 0, "%.12s was removed meanwhile", slash ? slash + 1 : witness->path);
}

void nc_witness_release(struct nc_witness *witness)
{
	nc_fd_release(&witness->dir);
}

/* --- readers ---------------------------------------------------------------------------------------------------- */

struct watched {
	struct nc_reader base;
	struct nc_reader *inner;
	struct nc_witness witness;
	bool proved;
};

static ssize_t watched_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct watched *watched = (struct watched *)reader;
	ssize_t n = nc_reader_next(watched->inner, ret, err);
	return n < 0 || (n == 0 && !watched->proved) ? nc_witness_judge(&watched->witness, (int)n, err) : n;
}

static void watched_close(struct nc_reader *reader)
{
	struct watched *watched = (struct watched *)reader;
	nc_reader_close(watched->inner);
	nc_witness_release(&watched->witness);
	free(watched);
}

static const struct nc_reader_ops watched_ops = { .next = watched_next, .close = watched_close };

int nc_witness_reader(struct nc_witness *witness, struct nc_reader *reader, bool proved, struct nc_reader **ret,
		      struct nacre_error *err)
{
	struct watched *watched = nc_zalloc(sizeof *watched);
	if (!watched) {
		nc_reader_close(reader);
		return nc_nomem(err);
	}
	*watched = (struct watched){ .base.ops = &watched_ops, .inner = reader, .witness = *witness, .proved = proved };
	witness->dir = -1;
	*ret = &watched->base;
	return 0;
}
