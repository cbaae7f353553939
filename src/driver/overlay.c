/* The overlay driver. On disk, as docker's overlay2 and containers/storage have it:
 *
 *	overlay/<id>/diff/	the layer's own tree, with overlayfs's marks
 *	overlay/<id>/link	26 characters: its short name
 *	overlay/<id>/lower	"l/AAA:l/BBB", short names of its parents, nearest first; none for a base layer and
 *				for one whose root is opaque (overlayfs would merge it all the same)
 *	overlay/<id>/work	a directory, where there is a lower
 *	overlay/l/<short>	link to ../<id>/diff
 *	overlay/empty/		below a single layer, since overlayfs wants two
 *
 * The overlay driver of 2015 left other things there, which are read and never written:
 *
 *	overlay/<id>/root/	a complete tree, its files hard links to those of its parent's: nothing lies below
 *				it. A layer on top of it names it in its lower as "<id>/root".
 *	overlay/<id>/{upper,work,merged,lower-id}
 *				a container: not a tree of ours. We neither list nor remove it. */
#include "driver/drivers.h"

#include "base/buf.h"
#include "driver/unpack.h"
#include "io/fd.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define HOME "overlay"
#define SHORT_LEN 26
/* Short names in one file. */
#define LOWER_MAX (1u << 20)
#define TREE "tree"

struct overlay {
	struct nc_driver base;
	int home, links;
	char *home_path;
	bool user;		/* in a user namespace */
	const char *opaque;
};

struct overlay_tree {
	struct nc_tree base;
	struct overlay *driver;
	char id[NC_HEX_ID], parent[NC_HEX_ID];
	bool has_parent;
	struct nc_tree_hooks hooks;
	int stage, tree, diff;
	struct nc_stack *parents;	/* NULL: not yet looked at */
	struct nc_unpack *unpack;
};

/* --- what lies under an ID -------------------------------------------------------------------------------------- */

enum kind {
	KIND_NONE,	/* nothing, or nothing of ours */
	KIND_DIFF,
	KIND_ROOT,
};
static const char *const kind_names[] = { NULL, "diff", "root" };

/* The kind of tree, or a failure. */
static int find_kind(int home, const char *id, struct nacre_error *err)
{
	NC_AUTO_FD int dir = openat(home, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return nc_fail(err, NACRE_E_IO, errno, "open the tree of layer %s", id);
	for (int kind = KIND_DIFF; dir >= 0 && kind <= KIND_ROOT; kind++) {
		struct stat st;
		if (fstatat(dir, kind_names[kind], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			return kind;
		if (errno != ENOENT)
			return nc_fail(err, NACRE_E_IO, errno, "stat the tree of layer %s", id);
	}
	return KIND_NONE;
}

/* The path of the tree below home. */
struct tree_path {
	char text[NC_HEX_ID + 5];
};

static int find_tree(const struct overlay *self, const char *id, struct tree_path *ret, struct nacre_error *err)
{
	int kind = find_kind(self->home, id, err);
	if (kind == KIND_NONE)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no tree of layer %s", id);
	if (kind > 0)
		snprintf(ret->text, sizeof ret->text, "%s/%s", id, kind_names[kind]);
	return kind;
}

/* --- the stack of a layer --------------------------------------------------------------------------------------- */

/* Paths of the trees, topmost first. */
struct chain {
	char **trees;
	size_t count, cap;
	bool complete;		/* the last of them is a tree of 2015, which has all that its parents have */
};

static void chain_release(struct chain *chain)
{
	nc_names_free(chain->trees, chain->count);
}

static int chain_add(struct chain *chain, const char *tree, struct nacre_error *err)
{
	char **more = nc_grown(chain->trees, chain->count, &chain->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	chain->trees = more;
	char *copy = nc_strdup(tree);
	if (!copy)
		return nc_nomem(err);
	chain->trees[chain->count++] = copy;
	return 0;
}

/* "<id>/diff" or "<id>/root". */
static bool is_tree_path(const char *path, const char *kind)
{
	char id[NC_HEX_ID] = "";
	if (strlen(path) != NC_HEX_ID + strlen(kind) || path[NC_HEX_ID - 1] != '/' || strcmp(path + NC_HEX_ID, kind) != 0)
		return false;
	memcpy(id, path, NC_HEX_ID - 1);
	return nc_is_tree_id(id);
}

/* A short name leads to its layer by the text of its link. */
static int chain_add_short(const struct overlay *self, struct chain *chain, const char *name, const char *id,
			   struct nacre_error *err)
{
	char target[3 + NC_HEX_ID + 5];
	if (self->links < 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "the short name %s, below layer %s: there are none", name, id);
	ssize_t len = readlinkat(self->links, name, target, sizeof target);
	if (len < 0)
		return nc_fail(err, errno == ENOENT || errno == EINVAL ? NACRE_E_CORRUPT : NACRE_E_IO, errno,
			       "the short name %s, below layer %s", name, id);
	if ((size_t)len == sizeof target)
		len--;
	target[len] = '\0';
	if (strncmp(target, "../", 3) != 0 || !is_tree_path(target + 3, "diff"))
		return nc_fail(err, NACRE_E_CORRUPT, 0, "the short name %s, below layer %s, leads elsewhere", name,
			       id);
	return chain_add(chain, target + 3, err);
}

/* One of what lies below layer id. */
static int chain_add_lower(const struct overlay *self, struct chain *chain, const char *lower, const char *id,
			   struct nacre_error *err)
{
	bool sound = !chain->complete;
	if (sound && is_tree_path(lower, "root")) {
		chain->complete = true;
		return chain_add(chain, lower, err);
	}
	sound = sound && strncmp(lower, "l/", 2) == 0 && strlen(lower) == 2 + SHORT_LEN && !strchr(lower + 2, '/');
	return sound ? chain_add_short(self, chain, lower + 2, id, err) :
		       nc_fail(err, NACRE_E_CORRUPT, 0, "the list of layers below %s has '%s'", id, lower);
}

static int read_lower(const struct overlay *self, const char *id, char **ret, struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	int code = nc_dir_open(self->home, id, &dir, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no tree of layer %s", id);
	if (code < 0)
		return code;
	size_t len;
	code = nc_file_read(dir, "lower", LOWER_MAX, ret, &len, err);
	if (code == NACRE_E_NOTFOUND) {
		*ret = NULL;
		return 0;
	}
	return code;
}

static int chain_read(const struct overlay *self, const char *id, struct chain *chain, struct nacre_error *err)
{
	struct tree_path tree;
	NC_AUTO_FREE char *lower = NULL;
	int kind = find_tree(self, id, &tree, err);
	int code = kind < 0 ? kind : chain_add(chain, tree.text, err);
	chain->complete = kind == KIND_ROOT;
	if (code >= 0 && !chain->complete)
		code = read_lower(self, id, &lower, err);
	char *rest = NULL;
	for (char *part = lower ? strtok_r(lower, ":", &rest) : NULL; code >= 0 && part;
	     part = strtok_r(NULL, ":", &rest)) {
		part[strcspn(part, "\n")] = '\0';
		code = chain_add_lower(self, chain, part, id, err);
	}
	return code;
}

static int open_stack(const struct overlay *self, const char *id, struct nc_stack **ret, struct nacre_error *err)
{
	NC_CLEANUP(chain_release) struct chain chain = { .count = 0 };
	int code = chain_read(self, id, &chain, err);
	if (code < 0)
		return code;
	return nc_stack_new(self->home, (const char *const *)chain.trees, chain.count, self->opaque, ret, err);
}

/* --- the driver ------------------------------------------------------------------------------------------------- */

/* Whether the user IDs of this process are those of the machine. */
static bool in_user_namespace(void)
{
	char map[64];
	NC_AUTO_FD int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : nc_read_full(fd, map, sizeof map - 1);
	if (len <= 0)
		return false;
	map[len] = '\0';
	unsigned long long inside, outside, count;
	return sscanf(map, "%llu %llu %llu", &inside, &outside, &count) != 3 || inside != 0 || outside != 0 ||
	       count != 4294967295u;
}

static void overlay_close(struct nc_driver *driver)
{
	struct overlay *self = (struct overlay *)driver;
	nc_fd_release(&self->home);
	nc_fd_release(&self->links);
	free(self->home_path);
	free(self);
}

static int overlay_open(int root, const char *path, bool readonly, struct nc_driver **ret, struct nacre_error *err)
{
	struct overlay *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	NC_CLEANUP(nc_driver_auto) struct nc_driver *guard = &self->base;
	self->base.ops = &nc_overlay_driver;
	self->home = self->links = -1;
	self->user = in_user_namespace();
	self->opaque = self->user ? "user.overlay.opaque" : "trusted.overlay.opaque";
	NC_AUTO_BUF struct nc_buf home_path = NC_BUF_INIT(1u << 16);
	int code = nc_buf_addf(&home_path, err, "%s/" HOME, path);
	if (code < 0)
		return code;
	self->home_path = nc_buf_give(&home_path);
	if (!self->home_path)
		return nc_nomem(err);
	if (readonly) {
		code = nc_dir_open(root, HOME, &self->home, err);
		/* one of 2015 has no short names */
		if (code >= 0)
			code = nc_dir_open(self->home, "l", &self->links, err);
		if (code == NACRE_E_NOTFOUND && self->home >= 0)
			code = 0;
	} else {
		NC_AUTO_FD int empty = -1;
		code = nc_dir_ensure(root, HOME, &self->home, err);
		if (code >= 0)
			code = nc_dir_ensure(self->home, "l", &self->links, err);
		if (code >= 0)
			code = nc_dir_ensure(self->home, "empty", &empty, err);
	}
	if (code < 0)
		return nc_wrap(err, code, "overlay driver");
	*ret = NC_GIVE(guard);
	return 0;
}

static int overlay_has(struct nc_driver *driver, const char *id, struct nacre_error *err)
{
	int kind = find_kind(((struct overlay *)driver)->home, id, err);
	return kind < 0 ? kind : kind != KIND_NONE;
}

struct each {
	int home;
	int (*fn)(void *ctx, const char *id, struct nacre_error *err);
	void *ctx;
};

static int each_tree(void *ctx, const char *id, struct nacre_error *err)
{
	struct each *each = ctx;
	int kind = find_kind(each->home, id, err);
	return kind > 0 ? each->fn(each->ctx, id, err) : kind;
}

static int overlay_each(struct nc_driver *driver, int (*fn)(void *ctx, const char *id, struct nacre_error *err),
			void *ctx, struct nacre_error *err)
{
	struct each each = { .home = ((struct overlay *)driver)->home, .fn = fn, .ctx = ctx };
	return nc_home_each(each.home, each_tree, &each, err);
}

/* Whether a short name is one of the layer. */
static bool leads_to(const struct overlay *self, const char *name, const char *id)
{
	char target[3 + NC_HEX_ID + 5] = "", want[3 + NC_HEX_ID + 5];
	snprintf(want, sizeof want, "../%s/diff", id);
	return self->links >= 0 && readlinkat(self->links, name, target, sizeof target - 1) > 0 &&
	       strcmp(target, want) == 0;
}

static int overlay_remove(struct nc_driver *driver, const char *id, int trash, struct nacre_error *err)
{
	struct overlay *self = (struct overlay *)driver;
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FREE char *name = NULL;
	size_t len;
	int code = find_kind(self->home, id, err);
	if (code > 0)
		code = nc_dir_open(self->home, id, &dir, err);
	if (code < 0 || dir < 0)
		return code;
	/* the short name first: without its layer nobody would find it */
	code = nc_file_read(dir, "link", SHORT_LEN + 1, &name, &len, err);
	if (code >= 0 && len >= SHORT_LEN && !memchr(name, '/', len)) {
		name[SHORT_LEN] = '\0';
		/* one that was exchanged for another has left it to that */
		if (leads_to(self, name, id) && unlinkat(self->links, name, 0) < 0 && errno != ENOENT)
			return nc_fail(err, NACRE_E_IO, errno, "remove the short name %s of layer %s", name, id);
	}
	return nc_home_remove(self->home, id, trash, err);
}

static int overlay_content(struct nc_driver *driver, const char *id, const char *name, size_t name_len,
			   struct nc_reader **ret, uint64_t *ret_size, struct nacre_error *err)
{
	struct overlay *self = (struct overlay *)driver;
	struct tree_path tree;
	int code = find_tree(self, id, &tree, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "there is no tree of layer %s", id);
	return code < 0 ? code : nc_home_content(self->home, tree.text, name, name_len, ret, ret_size, err);
}

static int overlay_view(struct nc_driver *driver, const char *id, struct nc_view **ret, struct nacre_error *err)
{
	struct nc_stack *stack;
	int code = open_stack((struct overlay *)driver, id, &stack, err);
	return code < 0 ? code : nc_view_of_stack(stack, ret, err);
}

static int overlay_mount(struct nc_driver *driver, const char *id, int target, struct nacre_error *err)
{
	struct overlay *self = (struct overlay *)driver;
	NC_CLEANUP(chain_release) struct chain chain = { .count = 0 };
	int code = chain_read(self, id, &chain, err);
	if (code >= 0 && chain.count == 1 && chain.complete) {
		NC_AUTO_FD int tree = nc_path_open(self->home, chain.trees[0], O_RDONLY | O_DIRECTORY,
						   NC_PATH_NO_SYMLINKS);
		if (tree < 0)
			return nc_fail(err, NACRE_E_IO, -tree, "open the tree of layer %s", id);
		return nc_bind_mount(tree, target, err);
	}
	if (code >= 0 && chain.count == 1) {
		/* chain_add made room for more than one */
		chain.trees[1] = nc_strdup("empty");
		if (!chain.trees[1])
			return nc_nomem(err);
		chain.count = 2;
	}
	if (code < 0)
		return code;
	struct nc_overlay_mount what = {
		.home = self->home, .home_path = self->home_path, .trees = chain.trees, .count = chain.count,
		.flags = self->user ? NC_OVERLAY_USER : 0,
	};
	return nc_overlay_mount(&what, target, err);
}

/* --- trees that can be written ---------------------------------------------------------------------------------- */

static int overlay_writable_make(struct nc_driver *driver, const char *parent, int dir, struct nacre_error *err)
{
	struct overlay *self = (struct overlay *)driver;
	NC_CLEANUP(nc_stack_auto) struct nc_stack *parents = NULL;
	NC_AUTO_FD int diff = -1;
	NC_AUTO_FD int work = -1;
	int code = parent ? open_stack(self, parent, &parents, err) : 0;
	if (code >= 0)
		code = nc_dir_ensure(dir, "diff", &diff, err);
	if (code >= 0)
		code = nc_dir_ensure(dir, "work", &work, err);
	return code < 0 ? code : nc_root_dress(diff, parents, err);
}

/* The stack of a writable tree: its own, then its parents. */
static int overlay_writable_view(struct nc_driver *driver, const char *parent, int dir, struct nc_view **ret,
				 struct nacre_error *err)
{
	struct overlay *self = (struct overlay *)driver;
	NC_CLEANUP(chain_release) struct chain chain = { .count = 0 };
	NC_AUTO_FD int base = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct nc_stack *stack;
	int code = base < 0 ? nc_fail(err, NACRE_E_IO, errno, "open a writable tree") : chain_add(&chain, "diff", err);
	if (code >= 0 && parent)
		code = chain_read(self, parent, &chain, err);
	if (code >= 0)
		code = nc_stack_new(self->home, (const char *const *)chain.trees, chain.count, self->opaque, &stack,
				    err);
	if (code < 0)
		return code;
	nc_stack_writable(stack, nc_fd_give(&base));
	return nc_view_of_stack(stack, ret, err);
}

static int overlay_writable_mount(struct nc_driver *driver, const char *parent, int dir, int target,
				  struct nacre_error *err)
{
	struct overlay *self = (struct overlay *)driver;
	NC_CLEANUP(chain_release) struct chain chain = { .count = 0 };
	int code = parent ? chain_read(self, parent, &chain, err) : chain_add(&chain, "empty", err);
	if (code < 0)
		return code;
	struct nc_overlay_mount what = {
		.home = self->home, .home_path = self->home_path, .trees = chain.trees, .count = chain.count,
		.flags = NC_OVERLAY_WRITABLE | (self->user ? NC_OVERLAY_USER : 0), .upper = dir,
	};
	return nc_overlay_mount(&what, target, err);
}

static int overlay_usage(struct nc_driver *driver, const char *id, uint64_t *ret, struct nacre_error *err)
{
	struct overlay *self = (struct overlay *)driver;
	struct tree_path tree;
	int code = find_tree(self, id, &tree, err);
	/* of a file that trees of 2015 share, each counts its part */
	return code < 0 ? code : nc_home_usage(self->home, tree.text, NULL, ret, err);
}

/* --- writing a layer -------------------------------------------------------------------------------------------- */

static void tree_free(struct overlay_tree *self)
{
	if (!self)
		return;
	nc_unpack_free(self->unpack);
	nc_stack_free(self->parents);
	nc_fd_release(&self->diff);
	nc_fd_release(&self->tree);
	free(self);
}
NC_DEFINE_CLEANUP(tree_auto, struct overlay_tree *, tree_free)

static void overlay_tree_abort(struct nc_tree *tree)
{
	struct overlay_tree *self = (struct overlay_tree *)tree;
	int stage = self->stage;
	tree_free(self);
	/* what cannot be removed now goes with the stage */
	nc_tree_remove(stage, TREE, NULL);
	nc_tree_remove(stage, "plnk", NULL);
}

static int overlay_tree_entry(struct nc_tree *tree, const struct nc_entry *entry, struct nacre_error *err)
{
	return nc_unpack_entry(((struct overlay_tree *)tree)->unpack, entry, err);
}

static int overlay_tree_data(struct nc_tree *tree, const void *bytes, size_t len, uint64_t at,
			     struct nacre_error *err)
{
	return nc_unpack_data(((struct overlay_tree *)tree)->unpack, bytes, len, at, err);
}

/* The layers below, once the nearest is sealed. */
static int look_below(void *ctx, struct nc_stack **ret, struct nacre_error *err)
{
	struct overlay_tree *self = ctx;
	int code = self->parents ? 0 : nc_parent_ready(&self->hooks, err);
	if (code == 0 && !self->parents)
		code = open_stack(self->driver, self->parent, &self->parents, err);
	*ret = self->parents;
	return code < 0 ? nc_wrap(err, code, "parent of layer %s", self->id) : 0;
}

/* The short names of the parents: the parent's own, then those below it. */
static int write_lower(struct overlay_tree *self, struct nacre_error *err)
{
	struct nc_stack *parents;
	NC_AUTO_FD int parent = -1;
	NC_AUTO_FREE char *name = NULL, *below = NULL;
	size_t len;
	struct tree_path tree;
	int code = look_below(self, &parents, err);
	if (code < 0)
		return code;
	int kind = find_tree(self->driver, self->parent, &tree, err);
	code = kind < 0 ? kind : nc_dir_open(self->driver->home, self->parent, &parent, err);
	if (code >= 0 && kind == KIND_DIFF)
		code = nc_file_read(parent, "link", SHORT_LEN + 1, &name, &len, err);
	if (code >= 0 && kind == KIND_DIFF)
		code = read_lower(self->driver, self->parent, &below, err);
	if (code < 0)
		return nc_wrap(err, code, "parent of layer %s", self->id);
	NC_AUTO_BUF struct nc_buf lower = NC_BUF_INIT(LOWER_MAX);
	if (kind == KIND_DIFF) {
		name[strcspn(name, "\n")] = '\0';
		code = nc_buf_addf(&lower, err, "l/%s%s%s", name, below ? ":" : "", below ? below : "");
	} else {
		code = nc_buf_add_text(&lower, tree.text, err);
	}
	if (code >= 0)
		code = nc_file_create(self->tree, "lower", lower.data, lower.len, err);
	if (code >= 0 && mkdirat(self->tree, "work", 0700) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "create the work directory of layer %s", self->id);
	return code;
}

static int make_short_name(char name[SHORT_LEN + 1], struct nacre_error *err)
{
	unsigned char bytes[SHORT_LEN];
	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return nc_fail(err, NACRE_E_IO, errno, "get random bytes");
	for (size_t i = 0; i < SHORT_LEN; i++)
		name[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[bytes[i] & 31];
	name[SHORT_LEN] = '\0';
	return 0;
}

static int settle(struct overlay_tree *self, bool base, struct nacre_error *err)
{
	char name[SHORT_LEN + 1], target[3 + NC_HEX_ID + 5];
	int code = make_short_name(name, err);
	if (code >= 0)
		code = nc_file_create(self->tree, "link", name, SHORT_LEN, err);
	if (code >= 0 && !base)
		code = write_lower(self, err);
	/* a tree of this ID that is there belongs to nobody; its short name goes with it */
	if (code >= 0)
		code = overlay_remove(&self->driver->base, self->id, self->stage, err);
	/* and what is no tree of ours stays */
	if (code >= 0)
		code = nc_home_has(self->driver->home, self->id, err);
	if (code > 0)
		code = nc_fail(err, NACRE_E_EXISTS, 0, "the tree of layer %s: a container is in its place", self->id);
	if (code >= 0)
		code = nc_home_adopt(self->driver->home, self->id, self->stage, TREE, err);
	if (code < 0)
		return code;
	snprintf(target, sizeof target, "../%s/diff", self->id);
	if (symlinkat(target, self->driver->links, name) < 0) {
		code = nc_fail(err, NACRE_E_IO, errno, "create the short name of layer %s", self->id);
		nc_home_remove(self->driver->home, self->id, self->stage, NULL);
	}
	return code;
}

static int overlay_tree_seal(struct nc_tree *tree, uint64_t *ret_size, struct nacre_error *err)
{
	struct overlay_tree *self = (struct overlay_tree *)tree;
	struct nc_unpack_result result;
	int code = nc_unpack_finish(self->unpack, &result, err);
	if (code >= 0)
		code = settle(self, !self->has_parent || result.root_opaque, err);
	if (code < 0) {
		overlay_tree_abort(tree);
		return code;
	}
	tree_free(self);
	*ret_size = result.size;
	return 0;
}

static const struct nc_tree_ops tree_ops = {
	.entry = overlay_tree_entry,
	.data = overlay_tree_data,
	.seal = overlay_tree_seal,
	.abort = overlay_tree_abort,
};

static int overlay_begin(struct nc_driver *driver, const char *id, const char *parent, int stage,
			 const struct nc_tree_hooks *hooks, struct nc_tree **ret, struct nacre_error *err)
{
	struct overlay_tree *made = nc_zalloc(sizeof *made);
	if (!made)
		return nc_nomem(err);
	NC_CLEANUP(tree_auto) struct overlay_tree *self = made;
	self->base.ops = &tree_ops;
	self->driver = (struct overlay *)driver;
	self->stage = stage;
	self->tree = self->diff = -1;
	snprintf(self->id, sizeof self->id, "%s", id);
	self->has_parent = parent;
	snprintf(self->parent, sizeof self->parent, "%s", parent ? parent : "");
	self->hooks = hooks ? *hooks : (struct nc_tree_hooks){ .parent_ready = NULL };
	struct nc_stack *parents;
	int code = parent && !self->hooks.parent_ready ? look_below(self, &parents, err) : 0;
	if (code >= 0)
		code = nc_dir_ensure(stage, TREE, &self->tree, err);
	if (code >= 0)
		code = nc_dir_ensure(self->tree, "diff", &self->diff, err);
	if (code < 0)
		return code;
	struct nc_unpack_options options = {
		.stage = stage, .root = self->diff, .below = parent ? look_below : NULL, .below_ctx = self,
		.opaque = self->driver->opaque,
		.displaced = &self->hooks.displaced,
	};
	code = nc_unpack_new(&options, &self->unpack, err);
	if (code < 0)
		return code;
	*ret = &NC_GIVE(self)->base;
	return 0;
}

/* --- whether it works here -------------------------------------------------------------------------------------- */

/* Builds two layers of which the upper hides a file and a directory's content of the lower. */
static int build_trial(int dir, const char *opaque, struct nacre_error *err)
{
	static const char *const dirs[] = { "upper", "lower", "mount", "upper/opaque", "lower/opaque" };
	static const char *const files[] = { "lower/hidden", "lower/opaque/file", "lower/shown" };
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		if (mkdirat(dir, dirs[i], 0700) < 0)
			return nc_fail(err, NACRE_E_UNSUPPORTED, errno, "create a directory");
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (mknodat(dir, files[i], S_IFREG | 0600, 0) < 0)
			return nc_fail(err, NACRE_E_UNSUPPORTED, errno, "create a file");
	if (mknodat(dir, "upper/hidden", S_IFCHR, makedev(0, 0)) < 0)
		return nc_fail(err, NACRE_E_UNSUPPORTED, errno, "whiteouts cannot be made on this file system");
	NC_AUTO_FD int marked = openat(dir, "upper/opaque", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (marked < 0 || fsetxattr(marked, opaque, "y", 1, 0) < 0)
		return nc_fail(err, NACRE_E_UNSUPPORTED, errno, "the attribute %s cannot be set on this file system",
			       opaque);
	return 0;
}

static bool shows(int dir, const char *name)
{
	struct stat st;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int try_mount(int dir, bool user, struct nacre_error *err)
{
	char *trees[] = { (char[]){ "upper" }, (char[]){ "lower" } };
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", dir);
	struct nc_overlay_mount what = {
		.home = dir, .home_path = path, .trees = trees, .count = 2, .flags = user ? NC_OVERLAY_USER : 0,
	};
	NC_AUTO_FD int seen = -1;
	bool attached = false;
	int code = nc_overlay_mount_detached(&what, &seen, err);
	if (code == NACRE_E_UNSUPPORTED) {
		NC_AUTO_FD int target = openat(dir, "mount", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (target < 0)
			return nc_fail(err, NACRE_E_UNSUPPORTED, errno, "open a directory");
		code = nc_overlay_mount(&what, target, err);
		attached = code == 0;
		if (attached)
			seen = openat(dir, "mount", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (code < 0)
		return nc_fail(err, NACRE_E_UNSUPPORTED, err ? err->sys : 0, "overlayfs cannot be mounted here");
	bool right = shows(seen, "shown") && shows(seen, "opaque") && !shows(seen, "hidden") &&
		     !shows(seen, "opaque/file");
	if (attached) {
		snprintf(path, sizeof path, "/proc/self/fd/%d/mount", dir);
		umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	if (!right)
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "overlayfs does not see its marks on this file system");
	return 0;
}

static int overlay_probe(int root, struct nacre_error *err)
{
	char name[SHORT_LEN + 1];
	int code = make_short_name(name, err);
	if (code < 0)
		return code;
	NC_AUTO_FD int dir = -1;
	code = nc_dir_ensure(root, name, &dir, err);
	if (code < 0)
		return nc_fail(err, NACRE_E_UNSUPPORTED, err ? err->sys : 0,
			       "overlay driver: nothing can be written here");
	bool user = in_user_namespace();
	code = build_trial(dir, user ? "user.overlay.opaque" : "trusted.overlay.opaque", err);
	if (code >= 0)
		code = try_mount(dir, user, err);
	if (code < 0)
		code = nc_wrap(err, code, "overlay driver");
	int removed = nc_tree_remove(root, name, code < 0 ? NULL : err);
	return code < 0 ? code : removed;
}

static int overlay_where(struct nc_driver *driver, const char *id, struct nc_buf *ret, struct nacre_error *err)
{
	struct tree_path tree;
	int code = find_tree((struct overlay *)driver, id, &tree, err);
	return code < 0 ? code : nc_buf_addf(ret, err, HOME "/%s", tree.text);
}

/* --- examining -------------------------------------------------------------------------------------------------- */

/* The layer's own short name leads to it. */
static int examine_link(struct overlay *self, const char *id, struct nacre_error *err)
{
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FREE char *name = NULL;
	size_t len;
	int code = nc_dir_open(self->home, id, &dir, err);
	if (code == 0)
		code = nc_file_read(dir, "link", SHORT_LEN + 1, &name, &len, NULL);
	if (code < 0 || (name[strcspn(name, "\n")] = '\0', strlen(name) != SHORT_LEN) || strchr(name, '/'))
		return nc_fail(err, NACRE_E_CORRUPT, 0, "the file 'link' of layer %.12s is missing or damaged", id);
	if (!leads_to(self, name, id))
		return nc_fail(err, NACRE_E_CORRUPT, 0, "the short name %s does not lead to layer %.12s", name, id);
	return 0;
}

static bool is_opaque(const struct overlay *self, const char *tree)
{
	char value[2];
	NC_AUTO_FD int root = nc_path_open(self->home, tree, O_RDONLY | O_DIRECTORY, NC_PATH_NO_SYMLINKS);
	return root >= 0 && fgetxattr(root, self->opaque, value, sizeof value) == 1 && value[0] == 'y';
}

static int overlay_examine(struct nc_driver *driver, const char *id, const char *parent, struct nacre_error *err)
{
	struct overlay *self = (struct overlay *)driver;
	NC_CLEANUP(chain_release) struct chain mine = { .count = 0 };
	NC_CLEANUP(chain_release) struct chain below = { .count = 0 };
	int code = chain_read(self, id, &mine, err);
	if (code < 0 || (mine.complete && mine.count == 1))
		return code < 0 ? code : 0;
	code = examine_link(self, id, err);
	if (code < 0)
		return code;
	bool alone = mine.count == 1 && (!parent || is_opaque(self, mine.trees[0]));
	/* what is wrong with the parent is told of the parent */
	if (alone || (parent && chain_read(self, parent, &below, NULL) < 0))
		return 0;
	bool same = mine.count == below.count + 1;
	for (size_t i = 0; same && i < below.count; i++)
		same = strcmp(mine.trees[i + 1], below.trees[i]) == 0;
	return same ? 0 : nc_fail(err, NACRE_E_CORRUPT, 0, "the list of layers below %.12s is not that of its parent", id);
}

/* --- exchanging ------------------------------------------------------------------------------------------------- */

struct short_search {
	const struct overlay *self;
	const char *id;
	char name[SHORT_LEN + 1];
};

static int match_short(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct short_search *search = ctx;
	if (strlen(name) != SHORT_LEN || !leads_to(search->self, name, search->id))
		return 0;
	strcpy(search->name, name);
	return 1;
}

/* The short name that trees on top of id know it by: its own, or one that still leads there. */
static int find_short(struct overlay *self, const char *id, char ret[SHORT_LEN + 1], struct nacre_error *err)
{
	struct short_search search = { .self = self, .id = id };
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FREE char *name = NULL;
	size_t len = 0;
	if (nc_dir_open(self->home, id, &dir, NULL) == 0 && nc_file_read(dir, "link", SHORT_LEN + 1, &name, &len, NULL) == 0 &&
	    len >= SHORT_LEN) {
		name[SHORT_LEN] = '\0';
		if (strlen(name) == SHORT_LEN && leads_to(self, name, id)) {
			strcpy(ret, name);
			return 0;
		}
	}
	int code = nc_dir_each(self->links, match_short, &search, err);
	if (code >= 0)
		strcpy(ret, search.name);
	return code < 0 ? code : 0;
}

/* The new tree gets the short name of the old one; a new name where that has none any more. */
static int give_short(struct overlay *self, const char *from, const char *id, struct nacre_error *err)
{
	char name[SHORT_LEN + 1], target[3 + NC_HEX_ID + 5];
	NC_AUTO_FD int dir = -1;
	NC_AUTO_FREE char *own = NULL;
	size_t len;
	int code = find_short(self, id, name, err);
	bool known = code == 0 && *name;
	if (code == 0 && !known)
		code = make_short_name(name, err);
	if (code == 0)
		code = nc_dir_open(self->home, from, &dir, err);
	if (code == 0)
		code = nc_file_read(dir, "link", SHORT_LEN + 1, &own, &len, err);
	snprintf(target, sizeof target, "../%s/diff", id);
	if (code == 0 && !known && symlinkat(target, self->links, name) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "create the short name of layer %s", id);
	if (code == 0 && leads_to(self, own, from) && unlinkat(self->links, own, 0) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "remove the short name %s", own);
	return code < 0 ? code : nc_file_replace(dir, "link", name, SHORT_LEN, true, err);
}

static int overlay_exchange(struct nc_driver *driver, const char *from, const char *id, struct nacre_error *err)
{
	struct overlay *self = (struct overlay *)driver;
	int code = give_short(self, from, id, err);
	return code < 0 ? code : nc_home_exchange(self->home, from, id, err);
}

const struct nc_driver_ops nc_overlay_driver = {
	.name = "overlay",
	.probe = overlay_probe,
	.open = overlay_open,
	.close = overlay_close,
	.begin = overlay_begin,
	.patient = true,
	.has = overlay_has,
	.remove = overlay_remove,
	.each = overlay_each,
	.content = overlay_content,
	.view = overlay_view,
	.mount = overlay_mount,
	.where = overlay_where,
	.usage = overlay_usage,
	.examine = overlay_examine,
	.exchange = overlay_exchange,
	.writable_make = overlay_writable_make,
	.writable_view = overlay_writable_view,
	.writable_mount = overlay_writable_mount,
};
