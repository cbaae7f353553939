#include "store/blocks.h"

#include "store/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BLOCK 512

/* --- accounts --------------------------------------------------------------------------------------------------- */

struct account {
	enum nc_place place;
	char id[NC_HEX_ID];
	uint64_t bytes;
};

#define KEY_LEN NC_HEX_ID

static void key_of(enum nc_place place, const char *id, char *ret)
{
	ret[0] = (char)('0' + (int)place);
	memcpy(ret + 1, id, NC_HEX_ID - 1);
}

static int account_open(struct nc_blocks *blocks, enum nc_place place, const char *id, struct account **ret,
			struct nacre_error *err)
{
	char key[KEY_LEN];
	key_of(place, id, key);
	*ret = nc_map_get(blocks->owned, key, sizeof key);
	if (*ret)
		return 0;
	struct account *account = nc_zalloc(sizeof *account);
	if (!account)
		return nc_nomem(err);
	account->place = place;
	memcpy(account->id, id, NC_HEX_ID - 1);
	int code = nc_map_set(blocks->owned, key, sizeof key, account, NULL, err);
	if (code < 0)
		free(account);
	else
		*ret = account;
	return code;
}

static int free_account(void *ctx, const char *key, size_t len, void *value)
{
	free(value);
	return 0;
}

void nc_blocks_release(struct nc_blocks *blocks)
{
	if (blocks->owned)
		nc_map_each(blocks->owned, free_account, NULL);
	nc_map_free(blocks->owned);
	blocks->owned = NULL;
}

uint64_t nc_blocks_of(const struct nc_blocks *blocks, enum nc_place place, const char *id)
{
	char key[KEY_LEN];
	key_of(place, id, key);
	const struct account *account = nc_map_get(blocks->owned, key, sizeof key);
	return account ? account->bytes : 0;
}

struct visit {
	enum nc_place place;
	int (*fn)(void *ctx, const char *id, uint64_t bytes);
	void *ctx;
};

static int visit(void *ctx, const char *key, size_t len, void *value)
{
	const struct visit *visit = ctx;
	const struct account *account = value;
	return account->place == visit->place ? visit->fn(visit->ctx, account->id, account->bytes) : 0;
}

int nc_blocks_each(const struct nc_blocks *blocks, enum nc_place place,
		   int (*fn)(void *ctx, const char *id, uint64_t bytes), void *ctx)
{
	return nc_map_each(blocks->owned, visit, &(struct visit){ place, fn, ctx });
}

/* --- walking ---------------------------------------------------------------------------------------------------- */

struct inode {
	uint64_t dev, ino;
};

/* A directory that is still to be read, by its path from the root: a descriptor for each would cost too many. */
struct waiting {
	char *path;
	uint64_t dev;
	bool settled;			/* all that is in it belongs where it does */
	enum nc_place place;
	struct account *account;	/* NULL: to nobody */
};

struct walk {
	struct nacre_store *store;
	struct nc_blocks *blocks;
	struct nc_map *seen;		/* inodes with several names */
	struct waiting *waiting;
	size_t count, cap;
	const struct waiting *at;	/* what is being read */
	int dir;
};

static bool begins(const char *path, const char *top)
{
	size_t len = strlen(top);
	return strncmp(path, top, len) == 0 && (!path[len] || path[len] == '/');
}

static bool is_id(const char *text)
{
	return strspn(text, "0123456789abcdef") == NC_HEX_ID - 1;
}

/* The first component from text on that begins with an ID; NULL when there is none. */
static const char *find_id(const char *text)
{
	while (text && !is_id(text)) {
		text = strchr(text, '/');
		text = text ? text + 1 : NULL;
	}
	return text;
}

/* Below the driver's home a name that is an ID, alone or with an ending, tells whose it is; a link leads to it. */
static int settle_tree(struct walk *walk, const char *path, const char *name, unsigned mode, struct waiting *entry,
		       struct nacre_error *err)
{
	char target[PATH_MAX];
	const char *id = find_id(path);
	entry->place = NC_PLACE_TREE;
	if (!id && S_ISLNK(mode)) {
		ssize_t len = readlinkat(walk->dir, name, target, sizeof target - 1);
		target[len < 0 ? 0 : len] = '\0';
		id = find_id(target);
	}
	entry->settled = id;
	return id ? account_open(walk->blocks, NC_PLACE_TREE, id, &entry->account, err) : 0;
}

static int settle_id(struct walk *walk, const char *rest, enum nc_place place, struct waiting *entry,
		     struct nacre_error *err)
{
	entry->place = place;
	entry->settled = true;
	return is_id(rest) ? account_open(walk->blocks, place, rest, &entry->account, err) : 0;
}

/* What an entry belongs to. 1: it is none of ours: a root of Docker's has containers and volumes beside the graph. */
static int settle(struct walk *walk, const char *path, const char *name, unsigned mode, struct waiting *entry,
		  struct nacre_error *err)
{
	static const char *const metadata[] = { "graph", "blobs", "blobs/sha256", "names", "mounts", "mnt", "holds",
						"writable", "nacre.json", "lock", "nacre.left-out", "nacre.migrate" };
	const struct nacre_store *store = walk->store;
	if (begins(path, "graph/_tmp") && path[strlen("graph/_tmp")])
		return settle_id(walk, "", NC_PLACE_RUBBISH, entry, err);
	if (strncmp(path, "graph/", 6) == 0 && is_id(path + 6))
		return settle_id(walk, path + 6, NC_PLACE_NODE, entry, err);
	if (strncmp(path, "blobs/sha256/", 13) == 0)
		return settle_id(walk, path + 13, NC_PLACE_BLOB, entry, err);
	if (strncmp(path, "blobs/partial/", 14) == 0)
		return settle_id(walk, path + 14, NC_PLACE_PARTIAL, entry, err);
	if (strncmp(path, "writable/", 9) == 0)
		return settle_id(walk, path + 9, NC_PLACE_WRITABLE, entry, err);
	if (begins(path, "nacre.tmp") || strncmp(name, NC_TEMPORARY, strlen(NC_TEMPORARY)) == 0)
		return settle_id(walk, "", NC_PLACE_RUBBISH, entry, err);
	if (strncmp(path, "catalog.db", strlen("catalog.db")) == 0)	/* and its log, which stays */
		return settle_id(walk, "", NC_PLACE_CATALOG, entry, err);
	entry->place = NC_PLACE_METADATA;
	for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++)
		if (begins(path, metadata[i]))
			return 0;
	if (store->driver && begins(path, store->driver->ops->name))
		return settle_tree(walk, path, name, mode, entry, err);
	entry->place = NC_PLACE_TREE;	/* of another driver, from which the store was moved */
	return store->adopted;
}

static int push(struct walk *walk, const struct waiting *entry, const char *path, struct nacre_error *err)
{
	struct waiting *more = nc_grown(walk->waiting, walk->count, &walk->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	walk->waiting = more;
	struct waiting *new = &walk->waiting[walk->count];
	*new = *entry;
	new->path = nc_strdup(path);
	if (!new->path)
		return nc_nomem(err);
	walk->count++;
	return 0;
}

static int is_counted(struct walk *walk, const struct statx *st, bool *ret, struct nacre_error *err)
{
	struct inode inode = { makedev(st->stx_dev_major, st->stx_dev_minor), st->stx_ino };
	*ret = false;
	if (S_ISDIR(st->stx_mode) || st->stx_nlink < 2)
		return 0;
	void *old = NULL;
	int code = nc_map_set(walk->seen, &inode, sizeof inode, walk, &old, err);
	*ret = old;
	return code;
}

static void book(struct walk *walk, const struct waiting *entry, uint64_t blocks)
{
	walk->blocks->bytes[entry->place] += blocks * BLOCK;
	if (entry->account)
		entry->account->bytes += blocks * BLOCK;
}

/* A subvolume of btrfs has a device of its own and is no mount. */
static bool is_mount(const struct walk *walk, const struct statx *st)
{
	if (st->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
		return st->stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return makedev(st->stx_dev_major, st->stx_dev_minor) != walk->at->dev;
}

static int count_entry(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct walk *walk = ctx;
	const struct waiting *at = walk->at;
	struct waiting entry = { .settled = at->settled, .place = at->place, .account = at->account };
	struct statx st;
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(1 << 20);
	/* what goes while we walk takes nothing */
	if (statx(walk->dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &st) < 0)
		return errno == ENOENT ? 0 : nc_fail(err, NACRE_E_IO, errno, "look at '%s/%s'", at->path, name);
	if (is_mount(walk, &st))
		return 0;
	entry.dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	bool counted = false;
	int code = is_counted(walk, &st, &counted, err);
	if (code == 0 && (S_ISDIR(st.stx_mode) || !at->settled))
		code = nc_buf_addf(&path, err, "%s%s%s", at->path, *at->path ? "/" : "", name);
	if (code == 0 && !at->settled)
		code = settle(walk, path.data, name, st.stx_mode, &entry, err);
	if (code != 0)
		return code < 0 ? code : 0;
	if (!counted)
		book(walk, &entry, st.stx_blocks);
	return S_ISDIR(st.stx_mode) ? push(walk, &entry, path.data, err) : 0;
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
	struct waiting root = { .dev = st.st_dev, .place = NC_PLACE_METADATA };
	book(walk, &root, (uint64_t)st.st_blocks);
	int code = push(walk, &root, "", err);
	while (code == 0 && walk->count) {
		struct waiting at = walk->waiting[--walk->count];
		NC_AUTO_FREE char *path = at.path;
		NC_AUTO_FD int dir = open_deep(walk->store, path);
		if (dir < 0 && errno == ENOENT)
			continue;
		if (dir < 0)
			return nc_fail(err, NACRE_E_IO, errno, "read '%s'", path);
		walk->at = &at;
		walk->dir = dir;
		code = nc_dir_each(dir, count_entry, walk, err);
	}
	return code;
}

int nc_blocks_count(struct nacre_store *store, struct nc_blocks *ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_map_auto) struct nc_map *seen = nc_map_new();
	NC_AUTO_BLOCKS struct nc_blocks blocks = { .owned = nc_map_new() };
	struct walk walk = { .store = store, .blocks = &blocks, .seen = seen };
	int code = seen && blocks.owned ? walk_all(&walk, err) : nc_nomem(err);
	while (walk.count)
		free(walk.waiting[--walk.count].path);
	free(walk.waiting);
	if (code < 0)
		return code;
	*ret = blocks;
	blocks.owned = NULL;
	return 0;
}
