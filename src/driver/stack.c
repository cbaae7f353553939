#include "driver/stack.h"

#include "base/buf.h"
#include "base/map.h"
#include "driver/walk.h"
#include "io/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Directories of the current level that stay open. */
#define OPEN_MAX 32
#define PATH_LIMIT (1u << 17)
/* Names in one directory. */
#define NAMES_MAX (64u << 20)

/* A directory on the current path and the trees that it is merged from. */
struct level {
	size_t path_len;
	uint32_t *trees;	/* topmost first; at least one */
	size_t count;
};

struct nc_stack {
	int home;
	int base;			/* of the topmost tree when it can be written, else -1 */
	char **trees;
	size_t count;
	unsigned look_ups;
	const char *opaque;
	struct nc_buf path;		/* of the deepest level */
	struct level *levels;		/* levels[0] is the root */
	size_t depth, cap;
	int open[OPEN_MAX];		/* of the deepest level, by position in its trees; -1: closed */
	int extra;			/* one beyond these, or of another path */
	char *name;			/* the last component looked up */
};

static void close_all(struct nc_stack *stack)
{
	for (size_t i = 0; i < OPEN_MAX; i++) {
		if (stack->open[i] >= 0)
			close(stack->open[i]);
		stack->open[i] = -1;
	}
	if (stack->extra >= 0)
		close(stack->extra);
	stack->extra = -1;
}

static int push(struct nc_stack *stack, uint32_t *trees, size_t count, struct nacre_error *err)
{
	struct level *more = nc_grown(stack->levels, stack->depth, &stack->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	stack->levels = more;
	stack->levels[stack->depth++] = (struct level){ .path_len = stack->path.len, .trees = trees, .count = count };
	return 0;
}

int nc_stack_new(int home, const char *const *trees, size_t count, const char *opaque, struct nc_stack **ret,
		 struct nacre_error *err)
{
	NC_CLEANUP(nc_stack_auto) struct nc_stack *stack = nc_zalloc(sizeof *stack);
	if (!stack)
		return nc_nomem(err);
	stack->home = home;
	stack->base = -1;
	stack->opaque = opaque;
	stack->path.max = PATH_LIMIT;
	for (size_t i = 0; i < OPEN_MAX; i++)
		stack->open[i] = -1;
	stack->extra = -1;
	stack->trees = nc_realloc_array(NULL, count, sizeof *stack->trees);
	if (!stack->trees)
		return nc_nomem(err);
	for (; stack->count < count; stack->count++) {
		stack->trees[stack->count] = nc_strdup(trees[stack->count]);
		if (!stack->trees[stack->count])
			return nc_nomem(err);
	}
	NC_AUTO_FREE uint32_t *all = nc_realloc_array(NULL, count, sizeof *all);
	if (!all)
		return nc_nomem(err);
	for (size_t i = 0; i < count; i++)
		all[i] = (uint32_t)i;
	int code = push(stack, all, count, err);
	if (code < 0)
		return code;
	all = NULL;
	*ret = NC_GIVE(stack);
	return 0;
}

void nc_stack_free(struct nc_stack *stack)
{
	if (!stack)
		return;
	close_all(stack);
	nc_fd_release(&stack->base);
	for (size_t i = 0; i < stack->depth; i++)
		free(stack->levels[i].trees);
	free(stack->levels);
	for (size_t i = 0; i < stack->count; i++)
		free(stack->trees[i]);
	free(stack->trees);
	nc_buf_release(&stack->path);
	free(stack->name);
	free(stack);
}

void nc_stack_writable(struct nc_stack *stack, int base)
{
	stack->base = base;
}

bool nc_is_opaque(int dir, const char *attribute)
{
	struct stat st;
	char value[2];
	if (!attribute)
		return fstatat(dir, NC_OPAQUE_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0;
	return fgetxattr(dir, attribute, value, sizeof value) == 1 && value[0] == 'y';
}

static bool is_mark(const struct nc_stack *stack, const char *name)
{
	return stack->base < 0 && strncmp(name, ".wh.", 4) == 0;
}

/* Where marks are files: 1 when dir has a whiteout of name. */
static int is_whited_out(const struct nc_stack *stack, int dir, const char *name, struct nacre_error *err)
{
	char mark[4 + NAME_MAX + 1] = ".wh.";
	struct stat st;
	size_t len = strlen(name);
	if (stack->opaque || len > NAME_MAX)
		return 0;
	memcpy(mark + 4, name, len + 1);
	if (fstatat(dir, mark, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT || errno == ENAMETOOLONG ?
		       0 :
		       nc_fail(err, NACRE_E_IO, errno, "stat '%s' of a layer", mark);
}

/* The deepest level's directory in one of its trees; lent. */
static int open_level(struct nc_stack *stack, size_t position, int *ret, struct nacre_error *err)
{
	int *slot = position < OPEN_MAX ? &stack->open[position] : &stack->extra;
	if (position >= OPEN_MAX)
		nc_fd_release(slot);
	if (*slot < 0) {
		uint32_t number = stack->levels[stack->depth - 1].trees[position];
		const char *tree = stack->trees[number];
		int home = number == 0 && stack->base >= 0 ? stack->base : stack->home;
		NC_AUTO_BUF struct nc_buf full = NC_BUF_INIT(PATH_LIMIT + 4096);
		int code = nc_buf_addf(&full, err, "%s%s%s", tree, stack->path.len ? "/" : "",
				       nc_buf_text(&stack->path));
		if (code < 0)
			return code;
		*slot = nc_below_open(home, full.data, O_RDONLY | O_DIRECTORY);
		if (*slot < 0) {
			int sys = -*slot;
			*slot = -1;
			return nc_fail(err, sys == ENOENT || sys == ENOTDIR || sys == ELOOP ? NACRE_E_CORRUPT :
								NACRE_E_IO,
				       sys, "open directory '%s' of a layer", full.data);
		}
	}
	*ret = *slot;
	return 0;
}

/* The component that len bytes of name are; false when no directory can be called so. */
static bool take_component(const struct nc_stack *stack, const char *name, size_t len, char ret[NAME_MAX + 1])
{
	if (len > NAME_MAX)
		return false;
	memcpy(ret, name, len);
	ret[len] = '\0';
	return !is_mark(stack, ret);
}

/* The directory that one tree has of a component, for looking into; *ret is -1 when there is none. ended: nothing below counts any more,
 * which of the lowest tree is not asked. */
static int open_component(const struct nc_stack *stack, int dir, const char *component, bool lowest, int *ret, bool *ended,
			  struct nacre_error *err)
{
	*ret = openat(dir, component, (lowest ? O_PATH : O_RDONLY) | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool other = *ret < 0 && (errno == ENOTDIR || errno == ELOOP);
	if (*ret < 0 && errno != ENOENT && !other)
		return nc_fail(err, NACRE_E_IO, errno, "open directory '%s' of a layer", component);
	*ended = *ended || other || (*ret >= 0 && !lowest && nc_is_opaque(*ret, stack->opaque));
	int code = lowest || *ended ? 0 : is_whited_out(stack, dir, component, err);
	*ended = *ended || code > 0;
	if (code < 0)
		nc_fd_release(ret);
	return code < 0 ? code : 0;
}

/* One component down from the deepest level: 1, or 0 when name is no directory there. */
static int descend(struct nc_stack *stack, const char *name, size_t len, struct nacre_error *err)
{
	const struct level *from = &stack->levels[stack->depth - 1];
	char component[NAME_MAX + 1];
	bool ended = !take_component(stack, name, len, component);
	NC_AUTO_FREE uint32_t *trees = nc_realloc_array(NULL, from->count, sizeof *trees);
	if (!trees)
		return nc_nomem(err);
	size_t count = 0;
	for (size_t i = 0; i < from->count && !ended; i++) {
		NC_AUTO_FD int fd = -1;
		int dir;
		int code = open_level(stack, i, &dir, err);
		if (code < 0)
			return code;
		code = open_component(stack, dir, component, i + 1 == from->count, &fd, &ended, err);
		if (code < 0)
			return code;
		if (fd >= 0)
			trees[count++] = from->trees[i];
	}
	if (!count)
		return 0;
	size_t path_len = stack->path.len;
	int code = path_len ? nc_buf_add(&stack->path, "/", 1, err) : 0;
	if (code == 0)
		code = nc_buf_add(&stack->path, component, len, err);
	if (code == 0)
		code = push(stack, trees, count, err);
	if (code < 0) {
		stack->path.len = path_len;
		if (stack->path.data)
			stack->path.data[path_len] = '\0';
		return code;
	}
	trees = NULL;
	close_all(stack);
	return 1;
}

static void climb(struct nc_stack *stack, size_t depth)
{
	if (depth == stack->depth)
		return;
	while (stack->depth > depth)
		free(stack->levels[--stack->depth].trees);
	stack->path.len = stack->levels[depth - 1].path_len;
	if (stack->path.data)
		stack->path.data[stack->path.len] = '\0';
	close_all(stack);
}

/* Make the directory of len bytes of path the deepest level: 1, or 0 when there is none. */
static int go(struct nc_stack *stack, const char *path, size_t len, struct nacre_error *err)
{
	size_t keep = stack->depth;
	while (keep > 1) {
		size_t at = stack->levels[keep - 1].path_len;
		if (at <= len && memcmp(stack->path.data, path, at) == 0 && (at == len || path[at] == '/'))
			break;
		keep--;
	}
	climb(stack, keep);
	size_t at = stack->path.len;
	while (at < len) {
		if (path[at] == '/')
			at++;
		size_t part = 0;
		while (at + part < len && path[at + part] != '/')
			part++;
		int code = descend(stack, path + at, part, err);
		if (code <= 0)
			return code;
		at += part;
	}
	return 1;
}

/* What a directory of one tree says about the last component: 1 and *ret, or 0; ended: nothing below counts any more. */
static int look_in(const struct nc_stack *stack, int dir, bool lowest, struct nc_stack_found *ret, bool *ended, struct nacre_error *err)
{
	struct nc_stack_found found = { .dir = dir, .name = stack->name };
	if (fstatat(dir, found.name, &found.st, AT_SYMLINK_NOFOLLOW) == 0) {
		*ended = true;
		if (nc_is_whiteout(&found.st) || S_ISSOCK(found.st.st_mode))
			return 0;
		*ret = found;
		return 1;
	}
	if (errno == ENAMETOOLONG)
		*ended = true;
	else if (errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "stat '%s' of a layer", found.name);
	int code = lowest || *ended ? 0 : is_whited_out(stack, dir, found.name, err);
	*ended = *ended || code > 0;
	return code < 0 ? code : 0;
}

/* The path as one tree alone has it. As look_in. */
static int find_in_tree(struct nc_stack *stack, size_t number, const char *path, struct nc_stack_found *ret, bool *ended,
			struct nacre_error *err)
{
	bool lowest = number + 1 == stack->count;
	char component[NAME_MAX + 1];
	int dir;
	int code = open_level(stack, number, &dir, err);
	for (const char *slash; code >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
		int fd = -1;
		bool can = take_component(stack, path, (size_t)(slash - path), component);
		*ended = *ended || !can;
		if (can)
			code = open_component(stack, dir, component, lowest, &fd, ended, err);
		if (fd < 0)
			return code;
		nc_fd_release(&stack->extra);
		dir = stack->extra = fd;
	}
	return code < 0 ? code : look_in(stack, dir, lowest, ret, ended, err);
}

/* In the directory that the deepest level is. */
static int find_in_level(struct nc_stack *stack, size_t position, struct nc_stack_found *ret, bool *ended, struct nacre_error *err)
{
	int dir;
	int code = open_level(stack, position, &dir, err);
	bool lowest = position + 1 == stack->levels[stack->depth - 1].count;
	return code < 0 ? code : look_in(stack, dir, lowest, ret, ended, err);
}

int nc_stack_find(struct nc_stack *stack, const char *path, struct nc_stack_found *ret, struct nacre_error *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	bool few = slash && stack->depth == 1 && stack->look_ups++ < NC_FEW_LOOK_UPS, ended = false;
	if (is_mark(stack, name))
		return 0;
	int code = few ? 1 : go(stack, path, slash ? (size_t)(slash - path) : 0, err);
	if (code <= 0)
		return code;
	char *copy = nc_strdup(*name ? name : ".");
	if (!copy)
		return nc_nomem(err);
	free(stack->name);
	stack->name = copy;
	size_t count = stack->levels[stack->depth - 1].count;
	code = 0;
	for (size_t i = 0; code == 0 && !ended && i < count; i++)
		code = few ? find_in_tree(stack, i, path, ret, &ended, err) : find_in_level(stack, i, ret, &ended, err);
	return code;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

struct gather {
	const struct nc_stack *stack;
	struct nc_map *seen;	/* NULL while there is only one directory */
	int dir;
	char **names;
	size_t count, cap;
};

void nc_names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static int gather(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct gather *self = ctx;
	if (is_mark(self->stack, name))
		return 0;
	if (self->seen) {
		size_t len = strlen(name);
		if (nc_map_get(self->seen, name, len))
			return 0;
		int code = nc_map_set(self->seen, name, len, self, NULL, err);
		if (code < 0)
			return code;
	}
	if (type == DT_SOCK)
		return 0;
	if (type == DT_CHR || type == DT_UNKNOWN) {
		struct stat st;
		if (fstatat(self->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return nc_fail(err, NACRE_E_IO, errno, "stat '%s' of a layer", name);
		if (nc_is_whiteout(&st) || S_ISSOCK(st.st_mode))
			return 0;
	}
	if (self->count == self->cap) {
		size_t cap = self->cap ? self->cap * 2 : 64;
		if (cap > NAMES_MAX)
			return nc_fail(err, NACRE_E_LIMIT, 0, "a directory has more than %u names", NAMES_MAX);
		char **more = nc_realloc_array(self->names, cap, sizeof *more);
		if (!more)
			return nc_nomem(err);
		self->names = more;
		self->cap = cap;
	}
	char *copy = nc_strdup(name);
	if (!copy)
		return nc_nomem(err);
	self->names[self->count++] = copy;
	return 0;
}

/* Names that whiteouts of this directory hide in those below it; what it has itself was seen before. */
static int gather_hidden(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct gather *self = ctx;
	size_t len = strlen(name);
	if (!is_mark(self->stack, name) || len == 4 || nc_map_get(self->seen, name + 4, len - 4))
		return 0;
	return nc_map_set(self->seen, name + 4, len - 4, self, NULL, err);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int nc_stack_names(struct nc_stack *stack, const char *path, char ***ret, size_t *ret_count, struct nacre_error *err)
{
	int code = go(stack, path, strlen(path), err);
	if (code <= 0)
		return code;
	NC_CLEANUP(nc_map_auto) struct nc_map *seen = NULL;
	size_t trees = stack->levels[stack->depth - 1].count;
	if (trees > 1) {
		seen = nc_map_new();
		if (!seen)
			return nc_nomem(err);
	}
	struct gather self = { .stack = stack, .seen = seen };
	for (size_t i = 0; code >= 0 && i < trees; i++) {
		code = open_level(stack, i, &self.dir, err);
		if (code >= 0)
			code = nc_dir_each(self.dir, gather, &self, err);
		if (code >= 0 && !stack->opaque && i + 1 < trees)
			code = nc_dir_each(self.dir, gather_hidden, &self, err);
	}
	if (code < 0) {
		nc_names_free(self.names, self.count);
		return code;
	}
	if (self.count)
		qsort(self.names, self.count, sizeof *self.names, by_bytes);
	*ret = self.names;
	*ret_count = self.count;
	return 1;
}
