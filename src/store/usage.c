/* What a store takes on disk, to the last block: one walk over everything below its root, each inode once, sorted by
 * the directory at the top that it lies in. */
#include "base/map.h"
#include "store/inner.h"
#include "store/writable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- walking ---------------------------------------------------------------------------------------------------- */

struct inode {
	dev_t dev;
	ino_t ino;
};

/* Directories that are still to be read, as descriptors of their parents would cost too many: paths from the root. */
struct walk {
	struct nacre_store *store;
	dev_t dev;
	struct nc_map *seen;		/* inodes with several names */
	char **waiting;
	size_t count, cap;
	const char *at;			/* the path being read */
	int dir;
	struct nacre_usage *usage;
};

static bool begins(const char *path, const char *top)
{
	size_t len = strlen(top);
	return strncmp(path, top, len) == 0 && (!path[len] || path[len] == '/');
}

/* Where the blocks of path are counted. NULL: it is Docker's, which has containers and volumes beside the graph. */
static uint64_t *account_of(const struct nacre_store *store, struct nacre_usage *usage, const char *path)
{
	static const char *const metadata[] = { "graph", "names", "mounts", "mnt", "holds", "nacre.json", "lock", "nacre.left-out" };
	if (strncmp(path, "graph/_tmp/", 11) == 0 || begins(path, "nacre.tmp") || strncmp(path, NC_TEMPORARY, 5) == 0)
		return &usage->rubbish;
	if (begins(path, "blobs"))
		return &usage->blob_bytes;
	if (strncmp(path, "catalog.db", 10) == 0)
		return &usage->catalog;
	for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++)
		if (!*path || begins(path, metadata[i]))
			return &usage->metadata;
	bool ours = begins(path, store->driver->ops->name) || begins(path, "writable");
	return store->adopted && !ours ? NULL : &usage->trees;
}

static int push(struct walk *walk, const char *path, struct nacre_error *err)
{
	if (walk->count == walk->cap) {
		size_t cap = walk->cap ? walk->cap * 2 : 256;
		char **more = nc_realloc_array(walk->waiting, cap, sizeof *more);
		if (!more)
			return nc_nomem(err);
		walk->waiting = more;
		walk->cap = cap;
	}
	char *copy = nc_strdup(path);
	if (!copy)
		return nc_nomem(err);
	walk->waiting[walk->count++] = copy;
	return 0;
}

static int is_counted(struct walk *walk, const struct stat *st, bool *ret, struct nacre_error *err)
{
	struct inode inode;
	memset(&inode, 0, sizeof inode);
	inode.dev = st->st_dev;
	inode.ino = st->st_ino;
	*ret = false;
	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return 0;
	void *old = NULL;
	int code = nc_map_set(walk->seen, &inode, sizeof inode, walk, &old, err);
	*ret = old;
	return code;
}

static int count_entry(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct walk *walk = ctx;
	struct stat st;
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(1 << 20);
	/* what goes while we walk takes nothing */
	if (fstatat(walk->dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "look at '%s/%s'", walk->at, name);
	if (st.st_dev != walk->dev)	/* something mounted here is not ours */
		return 0;
	bool counted = false;
	int code = nc_buf_addf(&path, err, "%s%s%s", walk->at, *walk->at ? "/" : "", name);
	if (code == 0)
		code = is_counted(walk, &st, &counted, err);
	if (code < 0)
		return code;
	uint64_t *account = account_of(walk->store, walk->usage, path.data);
	if (!account)
		return 0;
	if (!counted)
		*account += (uint64_t)st.st_blocks * 512;
	return S_ISDIR(st.st_mode) ? push(walk, path.data, err) : 0;
}

/* Trees may be deep and their paths longer than the system takes: one component after the other. */
static int open_deep(struct nacre_store *store, const char *path)
{
	NC_AUTO_FREE char *copy = nc_strdup(path);
	int at = openat(store->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *rest = NULL;
	if (!copy) {
		nc_fd_release(&at);
		errno = ENOMEM;
	}
	for (char *part = copy ? strtok_r(copy, "/", &rest) : NULL; at >= 0 && part;
	     part = strtok_r(NULL, "/", &rest)) {
		int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		nc_fd_release(&at);
		at = next;
	}
	return at;
}

static int walk_all(struct walk *walk, struct nacre_error *err)
{
	struct stat st;
	if (fstat(walk->store->root, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "look at the store's directory");
	walk->dev = st.st_dev;
	walk->usage->metadata += (uint64_t)st.st_blocks * 512;
	int code = push(walk, "", err);
	while (code == 0 && walk->count) {
		NC_AUTO_FREE char *path = walk->waiting[--walk->count];
		NC_AUTO_FD int dir = open_deep(walk->store, path);
		if (dir < 0 && errno == ENOENT)
			continue;
		if (dir < 0)
			return nc_fail(err, NACRE_E_IO, errno, "read '%s'", path);
		walk->at = path;
		walk->dir = dir;
		code = nc_dir_each(dir, count_entry, walk, err);
	}
	return code;
}

/* --- what could go ---------------------------------------------------------------------------------------------- */

static int count_rubbish(void *ctx, const char *id, struct nacre_error *err)
{
	struct walk *walk = ctx;
	struct nc_driver *driver = walk->store->driver;
	uint64_t bytes = 0;
	if (nc_node_exists(walk->store, id))
		return 0;
	struct nacre_error why;
	int code = driver->ops->usage(driver, id, &bytes, &why);
	if (code < 0 && why.sys == ENOENT)	/* somebody is removing it */
		return 0;
	if (bytes > walk->usage->trees)
		bytes = walk->usage->trees;
	walk->usage->trees -= bytes;
	walk->usage->rubbish += bytes;
	return code < 0 ? nc_fail(err, code, 0, "%s", why.msg) : 0;
}

static int mark(struct nc_map *needed, const char *id, struct nacre_error *err)
{
	return nc_map_set(needed, id, NC_HEX_ID - 1, needed, NULL, err);
}

/* Marks an image and everything below it. */
static int mark_chain(struct walk *walk, struct nc_map *needed, const char *id, struct nacre_error *err)
{
	char at[NC_HEX_ID];
	memcpy(at, id, NC_HEX_ID);
	for (int depth = 0; *at && depth < NC_DEPTH_MAX && !nc_map_get(needed, at, NC_HEX_ID - 1); depth++) {
		struct nc_node_facts facts = { 0 };
		int code = mark(needed, at, err);
		if (code == 0)
			code = nc_node_look_brief(walk->store, at, &facts, err);
		if (code < 0)	/* what is damaged or just went needs nothing that could be known */
			return code == NACRE_E_NOMEM ? code : 0;
		memcpy(at, facts.parent, NC_HEX_ID);
	}
	return 0;
}

static int mark_mount(void *ctx, const char *id, const char *path)
{
	return nc_map_set(ctx, id, NC_HEX_ID - 1, ctx, NULL, NULL) < 0 ? -1 : 0;
}

/* Images with a name, a mount or a writable layer, with all their layers. */
static int find_needed(struct walk *walk, const struct nc_rows *nodes, struct nc_map *needed, struct nacre_error *err)
{
	NC_CLEANUP(nc_map_auto) struct nc_map *mounted = nc_map_new();
	int code = mounted ? nacre_mounts_each(walk->store, mark_mount, mounted, err) : nc_nomem(err);
	for (size_t i = 0; code == 0 && i < nodes->count; i++) {
		const char *id = nc_rows_text(nodes, i, NC_COL_ID);
		unsigned kind = (unsigned)nc_rows_number(nodes, i, NC_COL_KIND);
		NC_AUTO_ROWS struct nc_rows names = { 0 };
		bool used = nc_map_get(mounted, id, NC_HEX_ID - 1);
		struct nc_writable writable;
		if (!used && kind & (NC_NODE_IMAGE | NC_NODE_V1))
			used = (code = nc_writable_on(walk->store, id, &writable, err)) > 0;
		if (code >= 0 && !used && kind & (NC_NODE_IMAGE | NC_NODE_V1)) {
			code = nc_catalog_ask(walk->store->catalog, NC_ASK_NAMES, id, NULL, &names, err);
			used = names.count;
		}
		if (code >= 0 && used) {
			if (kind & (NC_NODE_IMAGE | NC_NODE_V1))
				walk->usage->active++;
			code = mark_chain(walk, needed, id, err);
		}
	}
	return code;
}

static int count_reclaimable(struct walk *walk, struct nacre_error *err)
{
	struct nacre_usage *usage = walk->usage;
	struct nc_driver *driver = walk->store->driver;
	NC_AUTO_ROWS struct nc_rows nodes = { 0 };
	NC_CLEANUP(nc_map_auto) struct nc_map *needed = nc_map_new();
	int code =
		needed ? nc_catalog_ask(walk->store->catalog, NC_ASK_NODES, NULL, NULL, &nodes, err) : nc_nomem(err);
	if (code == 0)
		code = find_needed(walk, &nodes, needed, err);
	for (size_t i = 0; code == 0 && i < nodes.count; i++) {
		const char *id = nc_rows_text(&nodes, i, NC_COL_ID);
		uint64_t bytes = 0;
		if (!(nc_rows_number(&nodes, i, NC_COL_KIND) & NC_NODE_LAYER) ||
		    nc_map_get(needed, id, NC_HEX_ID - 1) || driver->ops->usage(driver, id, &bytes, NULL) < 0)
			continue;
		usage->reclaimable += bytes;
	}
	usage->reclaimable += usage->rubbish;
	return code;
}

/* --- the door --------------------------------------------------------------------------------------------------- */

static int count_blob(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct nacre_usage *usage = ctx;
	usage->blobs += nc_id_valid(name);
	return 0;
}

static int measure(struct walk *walk, struct nacre_error *err)
{
	struct nacre_store *store = walk->store;
	struct nacre_usage *usage = walk->usage;
	NC_AUTO_ROWS struct nc_rows counts = { 0 };
	int code = nc_catalog_ask(store->catalog, NC_ASK_COUNTS, NULL, NULL, &counts, err);
	if (code < 0)
		return code;
	usage->images = (uint64_t)nc_rows_number(&counts, 0, 0);
	usage->layers = (uint64_t)nc_rows_number(&counts, 0, 1);
	code = store->blobs < 0 ? 0 : nc_dir_each(store->blobs, count_blob, usage, err);
	if (code == 0)
		code = walk_all(walk, err);
	if (code == 0)
		code = store->driver->ops->each(store->driver, count_rubbish, walk, err);
	return code < 0 ? code : count_reclaimable(walk, err);
}

int nacre_df(struct nacre_store *store, struct nacre_usage *ret, struct nacre_error *err)
{
	struct nacre_usage usage = { 0 };
	struct walk walk = { .store = store, .usage = &usage, .seen = nc_map_new() };
	int code = walk.seen ? measure(&walk, err) : nc_nomem(err);
	while (walk.count)
		free(walk.waiting[--walk.count]);
	free(walk.waiting);
	nc_map_free(walk.seen);
	if (code < 0)
		return code;
	usage.total = usage.trees + usage.blob_bytes + usage.metadata + usage.catalog + usage.rubbish;
	*ret = usage;
	return 0;
}
