/* Names as files: names/<host>/<path…>/_tags/<tag>. No component of a path begins with '_', as "_tags" does. */
#include "base/map.h"
#include "image/gojson.h"
#include "io/path.h"
#include "store/inner.h"
#include "store/old_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAGS "_tags"
#define TARGET_MAX ((size_t)4096)
/* Entries of one directory of names that are visited in order. */
#define ENTRIES_MAX ((size_t)1 << 24)

int nc_name_normal(const char *text, char *ret, struct nacre_error *err)
{
	struct nc_reference reference;
	int code = nc_reference_parse(text, &reference, err);
	if (code < 0)
		return code;
	if (*reference.digest || !*reference.tag)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' has a digest: a name has a tag only", text);
	nc_reference_full(&reference, ret);
	return 0;
}

int nacre_name_parse(const char *text, char *ret_full, char *ret_short, struct nacre_error *err)
{
	struct nc_reference reference;
	int code = nc_reference_parse(text, &reference, err);
	if (code < 0)
		return code;
	if (ret_full)
		nc_reference_full(&reference, ret_full);
	if (ret_short)
		nc_reference_short(&reference, ret_short);
	return 0;
}

/* --- what is in a file ------------------------------------------------------------------------------------------ */

int nc_name_text(const struct nc_name_target *target, char **ret, size_t *ret_len, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(TARGET_MAX);
	char digest[NC_DIGEST_TEXT];
	int code = nc_buf_addf(&text, err, "{\"id\":\"%s\"", target->id);
	if (code == 0 && target->manifest.alg)
		code = nc_buf_addf(&text, err, ",\"manifest\":\"%s\"", nc_digest_text(&target->manifest, digest));
	if (code == 0 && target->index.alg)
		code = nc_buf_addf(&text, err, ",\"index\":\"%s\"", nc_digest_text(&target->index, digest));
	if (code == 0)
		code = nc_buf_add_text(&text, "}\n", err);
	if (code < 0)
		return code;
	*ret_len = text.len;
	*ret = nc_buf_give(&text);
	return *ret ? 0 : nc_nomem(err);
}

static bool take_digest(json_t *json, const char *key, struct nc_digest *ret)
{
	const char *text = json_string_value(json_object_get(json, key));
	*ret = (struct nc_digest){ 0 };
	return !text || nc_digest_parse(text, ret, NULL) == 0;
}

static int parse_target(const char *text, size_t len, struct nc_name_target *ret, struct nacre_error *err)
{
	json_t *json = NULL;
	int code = nc_json_parse(text, len, "name", &json, err);
	if (code == NACRE_E_NOMEM)
		return code;
	const char *id = code == 0 ? json_string_value(json_object_get(json, "id")) : NULL;
	struct nc_name_target target;
	if (!id || !nc_id_valid(id) || !take_digest(json, "manifest", &target.manifest) ||
	    !take_digest(json, "index", &target.index)) {
		code = nc_fail(err, NACRE_E_CORRUPT, 0, "its file is damaged");
	} else {
		memcpy(target.id, id, NC_HEX_ID);
		*ret = target;
	}
	if (json)
		json_decref(json);
	return code;
}

/* --- where the file is ------------------------------------------------------------------------------------------ */

/* The directory of a name below names/, and the file in it. */
struct place {
	char dir[NC_REFERENCE_TEXT];
	char file[129];
};

static int place_of(const char *full, struct place *ret, struct nacre_error *err)
{
	struct nc_reference reference;
	int code = nc_reference_parse(full, &reference, err);
	if (code < 0)
		return code;
	if (!*reference.tag)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' has no tag", full);
	snprintf(ret->dir, sizeof ret->dir, "%s/%s/" TAGS, reference.domain, reference.path);
	strcpy(ret->file, reference.tag);
	return 0;
}

int nc_name_path(const char *full, struct nc_buf *ret, struct nacre_error *err)
{
	struct place place;
	int code = place_of(full, &place, err);
	return code < 0 ? code : nc_buf_addf(ret, err, "%s/%s", place.dir, place.file);
}

static int open_place(struct nacre_store *store, const char *path)
{
	return store->names < 0 ? -ENOENT
				: nc_path_open(store->names, path, O_RDONLY | O_DIRECTORY, NC_PATH_NO_SYMLINKS);
}

/* The names of a root of 2015 that was not adopted. */
static int read_old(struct nacre_store *store, const char *full, struct nc_name_target *ret, struct nacre_error *err)
{
	const struct nc_old_name *name = nc_old_names_find(store->old_names, full);
	if (!name)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "nothing is named '%s'", full);
	*ret = (struct nc_name_target){ 0 };
	memcpy(ret->id, name->id, NC_HEX_ID);
	return 0;
}

int nc_name_read(struct nacre_store *store, const char *full, struct nc_name_target *ret, struct nacre_error *err)
{
	struct place place;
	if (store->old_names)
		return read_old(store, full, ret, err);
	int code = place_of(full, &place, err);
	if (code < 0)
		return code;
	NC_AUTO_FD int dir = open_place(store, place.dir);
	if (dir < 0 && dir != -ENOENT)
		return nc_fail(err, NACRE_E_IO, -dir, "look up the name '%s'", full);
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	code = dir < 0 ? NACRE_E_NOTFOUND : nc_file_read(dir, place.file, TARGET_MAX, &text, &len, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, code, 0, "nothing is named '%s'", full);
	if (code == 0)
		code = parse_target(text, len, ret, err);
	else if (code == NACRE_E_BADDATA || code == NACRE_E_LIMIT)
		code = nc_fail(err, NACRE_E_CORRUPT, 0, "its file is damaged");
	return code < 0 ? nc_wrap(err, code, "name '%s'", full) : 0;
}

/* --- changing --------------------------------------------------------------------------------------------------- */

/* Opens the directory of a name, making what is missing of it; sync: each part synced into the one above. */
static int ensure_place(struct nacre_store *store, const char *path, bool sync, int *ret_fd, struct nacre_error *err)
{
	NC_AUTO_FREE char *copy = nc_strdup(path);
	if (!copy)
		return nc_nomem(err);
	NC_AUTO_FD int at = openat(store->names, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the names");
	char *rest = NULL;
	for (char *part = strtok_r(copy, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
		bool made = mkdirat(at, part, 0700) == 0;
		int code = made && sync ? nc_store_sync(store, at, "the names", err) : 0;
		int next = -1;
		if (code == 0)
			code = nc_dir_ensure(at, part, &next, err);
		if (code < 0)
			return code;
		close(at);
		at = next;
	}
	*ret_fd = nc_fd_give(&at);
	return 0;
}

int nc_name_publish(struct nacre_store *store, const char *full, int dir, const char *file, bool sync,
		    struct nacre_error *err)
{
	struct place place;
	NC_AUTO_FD int to = -1;
	int code = place_of(full, &place, err);
	if (code == 0)
		code = ensure_place(store, place.dir, sync, &to, err);
	if (code < 0)
		return nc_wrap(err, code, "name '%s'", full);
	if (renameat(dir, file, to, place.file) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "make the name '%s'", full);
	return sync ? nc_store_sync(store, to, "a name", err) : 0;
}

/* Removes path and what is above it, as long as it is empty (or gone already). */
static int remove_empty(struct nacre_store *store, char *path, struct nacre_error *err)
{
	char *slash;
	do {
		slash = strrchr(path, '/');
		const char *last = slash ? slash + 1 : path;
		if (slash)
			*slash = '\0';
		NC_AUTO_FD int above = open_place(store, slash ? path : ".");
		if (above == -ENOENT)
			continue;
		if (above < 0)
			return nc_fail(err, NACRE_E_IO, -above, "tidy the names");
		if (unlinkat(above, last, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return errno == ENOTEMPTY ? 0 : nc_fail(err, NACRE_E_IO, errno, "tidy the names");
	} while (slash);
	return 0;
}

int nc_name_unlink(struct nacre_store *store, const char *full, struct nacre_error *err)
{
	struct place place;
	int code = place_of(full, &place, err);
	if (code < 0)
		return code;
	NC_AUTO_FD int dir = open_place(store, place.dir);
	if (dir < 0 && dir != -ENOENT)
		return nc_fail(err, NACRE_E_IO, -dir, "find the name '%s'", full);
	bool there = dir >= 0 && unlinkat(dir, place.file, 0) == 0;
	if (dir >= 0 && !there && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "remove the name '%s'", full);
	if (there)
		code = nc_store_sync(store, dir, "the names", err);
	if (code < 0)
		return code;
	code = remove_empty(store, place.dir, err);
	return code < 0 ? code : there;
}

/* --- what is empty ---------------------------------------------------------------------------------------------- */

/* A directory of names; the list has those above before those in it. */
struct name_dir {
	char *path;
	size_t left;			/* entries that stay */
	uint64_t bytes;
};

struct name_dirs {
	struct name_dir *list;
	size_t count, cap, at;
	struct nc_map *places;		/* of each path: how many are before it, and one */
};

static void name_dirs_release(struct name_dirs *dirs)
{
	for (size_t i = 0; i < dirs->count; i++)
		free(dirs->list[i].path);
	free(dirs->list);
	nc_map_free(dirs->places);
}
#define AUTO_NAME_DIRS __attribute__((cleanup(name_dirs_release)))

static int add_name_dir(struct name_dirs *dirs, const char *above, const char *name, struct nacre_error *err)
{
	struct name_dir *more = nc_grown(dirs->list, dirs->count, &dirs->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	dirs->list = more;
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(NC_REFERENCE_TEXT);
	int code = nc_buf_addf(&path, err, "%s%s%s", above, *above ? "/" : "", name);
	if (code == 0)
		code = nc_map_set(dirs->places, path.data, path.len, (void *)(uintptr_t)(dirs->count + 1), NULL, err);
	char *text = code == 0 ? nc_buf_give(&path) : NULL;
	if (code == 0 && !text)
		code = nc_nomem(err);
	if (code == 0)
		dirs->list[dirs->count++] = (struct name_dir){ .path = text };
	return code == NACRE_E_LIMIT ? 0 : code;	/* too long to be a name of ours */
}

static int note_entry(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct name_dirs *dirs = ctx;
	dirs->list[dirs->at].left++;
	return type == DT_DIR ? add_name_dir(dirs, dirs->list[dirs->at].path, name, err) : 0;
}

/* All directories of names, with how much is in them; names/ itself is the first. */
static int list_name_dirs(struct nacre_store *store, struct name_dirs *ret, struct nacre_error *err)
{
	if (store->names < 0)
		return 0;
	if (!(ret->places = nc_map_new()))
		return nc_nomem(err);
	int code = add_name_dir(ret, "", "", err);
	for (ret->at = 0; code == 0 && ret->at < ret->count; ret->at++) {
		struct stat st = { 0 };
		NC_AUTO_FD int dir = open_place(store, *ret->list[ret->at].path ? ret->list[ret->at].path : ".");
		if (dir < 0 && dir != -ENOENT)
			return nc_fail(err, NACRE_E_IO, -dir, "read the names");
		if (dir >= 0 && fstat(dir, &st) == 0)
			code = nc_dir_each(dir, note_entry, ret, err);
		ret->list[ret->at].bytes = (uint64_t)st.st_blocks * 512;
	}
	return code;
}

/* One entry less in a directory; with the last one it goes, and the one above has one less. */
static uint64_t one_less(const struct name_dirs *dirs, const char *path)
{
	char at[NC_REFERENCE_TEXT];
	uint64_t bytes = 0;
	snprintf(at, sizeof at, "%s", path);
	for (;;) {
		size_t place = (size_t)(uintptr_t)nc_map_get(dirs->places, at, strlen(at));
		char *slash = strrchr(at, '/');
		if (!place || !*at || !dirs->list[place - 1].left || --dirs->list[place - 1].left)
			return bytes;
		bytes += dirs->list[place - 1].bytes;
		dirs->list[place - 1].left = SIZE_MAX;	/* gone: not to be found empty again */
		*(slash ? slash : at) = '\0';
	}
}

int nc_names_bytes(struct nacre_store *store, const struct nc_plan *plan, uint64_t *ret, struct nacre_error *err)
{
	AUTO_NAME_DIRS struct name_dirs dirs = { 0 };
	uint64_t bytes = 0;
	int code = list_name_dirs(store, &dirs, err);
	for (size_t i = dirs.count; code == 0 && i-- > 1;)
		if (!dirs.list[i].left) {
			dirs.list[i].left = 1;
			bytes += one_less(&dirs, dirs.list[i].path);
		}
	for (size_t i = 0; code == 0 && i < plan->count; i++) {
		struct place place;
		struct stat st;
		if (plan->steps[i].kind != NC_STEP_UNNAME || place_of(plan->steps[i].name, &place, NULL) < 0)
			continue;
		NC_AUTO_FD int dir = open_place(store, place.dir);
		if (dir >= 0 && fstatat(dir, place.file, &st, AT_SYMLINK_NOFOLLOW) == 0)
			bytes += (uint64_t)st.st_blocks * 512 + one_less(&dirs, place.dir);
	}
	*ret = bytes;
	return code;
}

int nc_names_tidy(struct nacre_store *store, int locks, struct nacre_error *err)
{
	AUTO_NAME_DIRS struct name_dirs dirs = { 0 };
	int code = nc_lock_whole(locks, NC_LOCK_NAMES, NC_LOCK_EXCLUSIVE, true, err);
	if (code == 0)
		code = list_name_dirs(store, &dirs, err);
	for (size_t i = dirs.count; code == 0 && i-- > 1;) {
		if (!dirs.list[i].left)
			code = remove_empty(store, dirs.list[i].path, err);
	}
	nc_unlock_whole(locks, NC_LOCK_NAMES);
	return code;
}

/* --- all of them ------------------------------------------------------------------------------------------------ */

/* A walk without recursion: the paths that are still to be looked at. */
struct walk {
	struct nacre_store *store;
	const char *at;			/* the path being read */
	bool tags;			/* it is a _tags directory */
	char **waiting;
	size_t count, cap;
	int (*fn)(void *ctx, const char *full, const struct nc_name_target *target, struct nacre_error *err);
	int (*bad)(void *ctx, const char *path, struct nacre_error *err);	/* NULL: passed over */
	void *ctx;
};

static int push(struct walk *walk, const char *above, const char *name, struct nacre_error *err)
{
	char **more = nc_grown(walk->waiting, walk->count, &walk->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	walk->waiting = more;
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(NC_REFERENCE_TEXT);
	int code = *above ? nc_buf_addf(&path, err, "%s/%s", above, name) : nc_buf_add_text(&path, name, err);
	char *text = code == 0 ? nc_buf_give(&path) : NULL;
	if (code == 0 && !text)
		code = nc_nomem(err);
	if (code == 0)
		walk->waiting[walk->count++] = text;
	return code == NACRE_E_LIMIT ? 0 : code;	/* too long to be a name of ours */
}

static int visit(void *ctx, const char *name, struct nacre_error *err)
{
	struct walk *walk = ctx;
	if (!walk->tags)
		return push(walk, walk->at, name, err);
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(NC_REFERENCE_TEXT);
	size_t repository = strlen(walk->at) - strlen("/" TAGS);
	char full[NC_REFERENCE_TEXT];
	struct nc_name_target target;
	bool named = nc_buf_addf(&text, NULL, "%.*s:%s", (int)repository, walk->at, name) == 0 &&
		     nc_name_normal(nc_buf_text(&text), full, NULL) == 0 && strcmp(full, text.data) == 0;
	int code = named ? nc_name_read(walk->store, full, &target, NULL) : NACRE_E_CORRUPT;
	if (code == 0)
		return walk->fn ? walk->fn(walk->ctx, full, &target, err) : 0;
	/* what is no name, or damaged, is left to those who look at that name */
	if (!walk->bad || code == NACRE_E_NOTFOUND)
		return 0;
	nc_buf_clear(&text);
	code = nc_buf_addf(&text, err, "%s/%s", walk->at, name);
	return code < 0 ? code : walk->bad(walk->ctx, text.data, err);
}

static int each_old(const struct nc_old_names *names,
		    int (*fn)(void *ctx, const char *full, const struct nc_name_target *target, struct nacre_error *err),
		    void *ctx, struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; code == 0 && i < names->count; i++) {
		struct nc_name_target target = { 0 };
		memcpy(target.id, names->list[i].id, NC_HEX_ID);
		code = fn(ctx, names->list[i].full, &target, err);
	}
	return code;
}

static int walk_names(struct walk *start, struct nacre_error *err)
{
	struct walk walk = *start;
	struct nacre_store *store = walk.store;
	int code = push(&walk, "", ".", err);
	while (code == 0 && walk.count) {
		NC_AUTO_FREE char *path = walk.waiting[--walk.count];
		NC_AUTO_FD int dir = open_place(store, path);
		const char *last = strrchr(path, '/');
		walk.at = strcmp(path, ".") == 0 ? "" : path;
		walk.tags = last && strcmp(last, "/" TAGS) == 0;
		if (dir >= 0)
			code = nc_dir_each_sorted(dir, ENTRIES_MAX, visit, &walk, err);
		else if (dir != -ENOENT && dir != -ENOTDIR && dir != -ELOOP)
			code = nc_fail(err, NACRE_E_IO, -dir, "read the names in '%s'", path);
	}
	while (walk.count)
		free(walk.waiting[--walk.count]);
	free(walk.waiting);
	return code;
}

int nc_names_each(struct nacre_store *store,
		  int (*fn)(void *ctx, const char *full, const struct nc_name_target *target,
			    struct nacre_error *err),
		  void *ctx, struct nacre_error *err)
{
	if (store->old_names)
		return each_old(store->old_names, fn, ctx, err);
	return walk_names(&(struct walk){ .store = store, .fn = fn, .ctx = ctx }, err);
}

int nc_names_damaged(struct nacre_store *store, int (*fn)(void *ctx, const char *path, struct nacre_error *err),
		     void *ctx, struct nacre_error *err)
{
	return store->old_names ? 0 : walk_names(&(struct walk){ .store = store, .bad = fn, .ctx = ctx }, err);
}

int nc_store_index(struct nacre_store *store, const char *name, struct nc_digest *ret, struct nacre_error *err)
{
	struct nc_name_target target = { 0 };
	char full[NC_REFERENCE_TEXT];
	int code = nc_name_normal(name, full, err);
	if (code == 0)
		code = nc_name_read(store, full, &target, err);
	if (code == 0 && !target.index.alg)
		code = nc_fail(err, NACRE_E_NOTFOUND, 0, "'%s' came without an index of several platforms", name);
	if (code == 0)
		*ret = target.index;
	return code;
}
