#include "store/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int nc_witness_take(struct nacre_store *store, const char *id, struct nc_witness *ret, struct nacre_error *err)
{
	int node = store->graph < 0 || !nc_id_valid(id)
			   ? -1
			   : openat(store->graph, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (node < 0 && store->graph >= 0 && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "node %.12s", id);
	if (node < 0)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no node has the ID %s", id);
	*ret = (struct nc_witness){ .store = store, .node = node };
	memcpy(ret->id, id, NC_HEX_ID);
	return 0;
}

bool nc_witness_holds(const struct nc_witness *witness)
{
	return nc_node_is(witness->store->graph, witness->id, witness->node);
}

int nc_witness_judge(const struct nc_witness *witness, int code, struct nacre_error *err)
{
	if (witness->node < 0 || code == NACRE_E_CANCELLED || nc_witness_holds(witness))
		return code;
	return nc_fail(err, NACRE_E_NOTFOUND, 0, "%.12s was removed meanwhile", witness->id);
}

void nc_witness_release(struct nc_witness *witness)
{
	nc_fd_release(&witness->node);
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
	witness->node = -1;
	*ret = &watched->base;
	return 0;
}
