#include "driver/view_pair.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

/* Of a path; no path of a tree is longer. */
#define PATH_LIMIT (1u << 17)

struct names {
	char **list;
	size_t count, cap;
};

/* In byte order of paths the content of "a" ("a/...") comes after "a-b": directories that were given out wait
 * until the names that sort before their slash are done. */
struct waiting {
	size_t name;		/* position in the names */
	unsigned sides;		/* in which views it is a directory to go into */
};

struct level {
	struct names names;	/* of both directories, sorted, each once */
	size_t at;
	struct waiting *waiting;	/* the nearest last */
	size_t waiting_count, waiting_cap;
	size_t path_len;	/* of the directory */
};

struct pair {
	struct nc_view **views;
	int (*fn)(void *ctx, const char *path, const struct nc_view_file *const files[2], struct nacre_error *err);
	void *ctx;
	struct nc_buf path;
	struct level *levels;
	size_t depth, cap;
};

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

static void level_release(struct level *level)
{
	names_release(&level->names);
	free(level->waiting);
}

static void pair_release(struct pair *pair)
{
	while (pair->depth)
		level_release(&pair->levels[--pair->depth]);
	free(pair->levels);
	nc_buf_release(&pair->path);
}

static int keep_name(void *ctx, const char *name, struct nacre_error *err)
{
	struct names *names = ctx;
	char **more = nc_grown(names->list, names->count, &names->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	names->list = more;
	char *copy = nc_strdup(name);
	if (!copy)
		return nc_nomem(err);
	names->list[names->count++] = copy;
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_once(struct names *names)
{
	size_t kept = 0;
	if (names->count)
		qsort(names->list, names->count, sizeof *names->list, by_bytes);
	for (size_t i = 0; i < names->count; i++) {
		if (kept && strcmp(names->list[kept - 1], names->list[i]) == 0)
			free(names->list[i]);
		else
			names->list[kept++] = names->list[i];
	}
	names->count = kept;
}

/* Go into the directory at pair->path, which is one in these views. */
static int push(struct pair *pair, unsigned sides, struct nacre_error *err)
{
	struct level *more = nc_grown(pair->levels, pair->depth, &pair->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	pair->levels = more;
	NC_CLEANUP(names_release) struct names names = { .count = 0 };
	int code = 0;
	for (unsigned side = 0; code >= 0 && side < 2; side++)
		if (sides & 1u << side)
			code = pair->views[side]->ops->names(pair->views[side], nc_buf_text(&pair->path), keep_name,
							     &names, err);
	if (code < 0)
		return code;
	sort_once(&names);
	pair->levels[pair->depth++] = (struct level){ .names = names, .path_len = pair->path.len };
	names = (struct names){ .count = 0 };
	return 0;
}

static int wait_for(struct level *level, size_t position, unsigned sides, struct nacre_error *err)
{
	struct waiting *more = nc_grown(level->waiting, level->waiting_count, &level->waiting_cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	level->waiting = more;
	level->waiting[level->waiting_count++] = (struct waiting){ .name = position, .sides = sides };
	return 0;
}

/* Give out what both views have at pair->path, and say in which of them to go into it. */
static int visit(struct pair *pair, unsigned *ret_sides, struct nacre_error *err)
{
	struct nc_view_file found[2];
	const struct nc_view_file *files[2] = { NULL, NULL };
	const char *path = nc_buf_text(&pair->path);
	for (unsigned side = 0; side < 2; side++) {
		struct nc_view *view = pair->views[side];
		int code = view ? view->ops->stat(view, path, &found[side], err) : NACRE_E_NOTFOUND;
		if (code < 0 && code != NACRE_E_NOTFOUND)
			return code;
		if (code >= 0)
			files[side] = &found[side];
	}
	if (!files[0] && !files[1])
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'/%s' went while the tree was read", path);
	*ret_sides = 0;
	if (files[1] && files[1]->entry.type == NC_ENTRY_DIR)
		*ret_sides = files[0] && files[0]->entry.type == NC_ENTRY_DIR ? 3 : 2;
	return pair->fn(pair->ctx, path, files, err);
}

/* Whether the content of directory dir comes before name. */
static bool content_first(const char *dir, const char *name)
{
	size_t len = strlen(dir);
	int order = strncmp(dir, name, len);
	return order < 0 || (order == 0 && (unsigned char)name[len] > '/');
}

static int set_path(struct pair *pair, const struct level *level, const char *name, struct nacre_error *err)
{
	pair->path.len = level->path_len;
	int code = pair->path.len ? nc_buf_add(&pair->path, "/", 1, err) : 0;
	return code < 0 ? code : nc_buf_add_text(&pair->path, name, err);
}

/* Gives a name out, or goes into or out of a directory. */
static int step(struct pair *pair, struct nacre_error *err)
{
	struct level *level = &pair->levels[pair->depth - 1];
	if (level->waiting_count) {
		struct waiting next = level->waiting[level->waiting_count - 1];
		const char *dir = level->names.list[next.name];
		if (level->at == level->names.count || content_first(dir, level->names.list[level->at])) {
			level->waiting_count--;
			int code = set_path(pair, level, dir, err);
			return code < 0 ? code : push(pair, next.sides, err);
		}
	}
	if (level->at == level->names.count) {
		level_release(level);
		pair->depth--;
		return 0;
	}
	size_t position = level->at++;
	unsigned sides = 0;
	int code = set_path(pair, level, level->names.list[position], err);
	if (code >= 0)
		code = visit(pair, &sides, err);
	return code == 0 && sides ? wait_for(level, position, sides, err) : code;
}

int nc_view_pair_walk(struct nc_view *views[2], const char *path,
		      int (*fn)(void *ctx, const char *path, const struct nc_view_file *const files[2],
				struct nacre_error *err),
		      void *ctx, struct nacre_error *err)
{
	NC_CLEANUP(pair_release)
	struct pair pair = {.views = views, .fn = fn, .ctx = ctx, .path = NC_BUF_INIT(PATH_LIMIT)};
	struct nc_view_file file;
	unsigned sides = 0;
	int code = nc_buf_add_text(&pair.path, path, err);
	if (code >= 0)
		code = views[1]->ops->stat(views[1], path, &file, err);
	if (code >= 0)
		code = visit(&pair, &sides, err);
	if (code == 0 && sides)
		code = push(&pair, sides, err);
	while (code == 0 && pair.depth)
		code = step(&pair, err);
	return code;
}
