/* Recognising a root of 2015, and reading its names. */
#include "store/old_root.h"

#include "image/gojson.h"
#include "image/reference.h"
#include "io/failure.h"
#include "io/fd.h"
#include "store/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Names of one root, and what is told of those that were left out. */
#define NAMES_MAX ((size_t)1 << 20)
#define LEFT_OUT_MAX ((size_t)1 << 20)

/* --- which driver ----------------------------------------------------------------------------------------------- */

/* Where each driver of 2015 kept trees. */
static const struct home {
	const char *driver, *trees;
	bool readable;
} homes[] = {
	{ "vfs", "vfs/dir", true },
	{ "overlay", "overlay", true },
	{ "btrfs", "btrfs/subvolumes", true },
	{ "aufs", "aufs/diff", true },
	{ "devicemapper", "devicemapper", false },
	{ "zfs", "zfs", false },
};
#define HOMES (sizeof homes / sizeof *homes)

static bool is_dir(int root, const char *path)
{
	struct stat st;
	return fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static bool has_names(int root, const char *driver)
{
	char file[64];
	struct stat st;
	snprintf(file, sizeof file, "repositories-%s", driver);
	return fstatat(root, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int is_node(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	return nc_id_valid(name);
}

static int has_nodes(int root, struct nacre_error *err)
{
	NC_AUTO_FD int graph = -1;
	int code = nc_dir_open(root, "graph", &graph, NULL);
	return code < 0 ? 0 : nc_dir_each(graph, is_node, NULL, err);
}

static int fail_unreadable(const char *driver, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_UNSUPPORTED, 0,
		       "it is a root of Docker's with the driver %s, which nacre cannot read: save its images with the "
		       "Docker that made it ('docker save') and load them", driver);
}

/* Of several homes: the one wanted, or the only one that has names. */
static int choose(int root, const struct home *const *there, size_t count, const char *wanted,
		  const struct home **ret, struct nacre_error *err)
{
	size_t named = 0;
	char list[128] = "";
	*ret = count == 1 ? there[0] : NULL;
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(list);
		snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", there[i]->driver);
		if (wanted && strcmp(wanted, there[i]->driver) == 0) {
			*ret = there[i];
			return 0;
		}
		if (count > 1 && has_names(root, there[i]->driver)) {
			*ret = named++ ? NULL : there[i];
		}
	}
	if (wanted)
		return nc_fail(err, NACRE_E_INVALID, 0, "it is a root of Docker's with the driver %s, not %s", list,
			       wanted);
	return *ret ? 0 : nc_fail(err, NACRE_E_INVALID, 0,
				  "it is a root of Docker's that several drivers were used in (%s): name the one that is "
				  "meant", list);
}

int nc_old_root_find(int root, const char *wanted, char ret_driver[NC_DRIVER_NAME], struct nacre_error *err)
{
	const struct home *there[HOMES], *chosen = NULL;
	size_t count = 0;
	bool named = false;
	if (!is_dir(root, "graph"))
		return 0;
	for (size_t i = 0; i < HOMES; i++) {
		named |= has_names(root, homes[i].driver);
		if (is_dir(root, homes[i].trees))
			there[count++] = &homes[i];
	}
	int nodes = has_nodes(root, err);
	if (nodes < 0 || !count || (!nodes && !named))
		return nodes < 0 ? nodes : 0;
	int code = choose(root, there, count, wanted, &chosen, err);
	if (code < 0)
		return code;
	if (!chosen->readable)
		return fail_unreadable(chosen->driver, err);
	snprintf(ret_driver, NC_DRIVER_NAME, "%s", chosen->driver);
	return 1;
}

int nc_old_root_check_unused(int root, const char *driver, struct nacre_error *err)
{
	char path[64];
	snprintf(path, sizeof path, "image/%s/layerdb", driver);
	if (!is_dir(root, path))
		return 0;
	return nc_fail(err, NACRE_E_UNSUPPORTED, 0,
		       "a Docker of 1.10 or later has taken this root over and still uses its trees ('%s'): it can only be "
		       "read", path);
}

/* --- names ------------------------------------------------------------------------------------------------------ */

void nc_old_names_free(struct nc_old_names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i].full);
	free(names->list);
	nc_buf_release(&names->left_out);
	free(names);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct nc_old_name *)a)->full, ((const struct nc_old_name *)b)->full);
}

const struct nc_old_name *nc_old_names_find(const struct nc_old_names *names, const char *full)
{
	const struct nc_old_name key = { .full = (char *)(uintptr_t)full };
	return names->count ? bsearch(&key, names->list, names->count, sizeof key, by_name) : NULL;
}

/* Bounded: beyond, they are only counted. */
static int leave_out(struct nc_old_names *names, const char *why, struct nacre_error *err)
{
	names->left_out_count++;
	int code = nc_buf_addf(&names->left_out, err, "%s\n", why);
	return code == NACRE_E_LIMIT ? 0 : code;
}

static int add(struct nc_old_names *names, const char *full, const char *id, struct nacre_error *err)
{
	if (names->count == NAMES_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %zu names", NAMES_MAX);
	struct nc_old_name *more = nc_grown(names->list, names->count, &names->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	names->list = more;
	struct nc_old_name *name = &names->list[names->count];
	if (!(name->full = nc_strdup(full)))
		return nc_nomem(err);
	memcpy(name->id, id, NC_HEX_ID);
	names->count++;
	return 0;
}

static bool points_at_node(int graph, const char *id)
{
	return nc_id_valid(id) && graph >= 0 && is_dir(graph, id);
}

/* One name: taken, or left out with the reason. */
static int take(struct nc_old_names *names, int graph, const char *repository, const char *tag, const json_t *target,
		struct nacre_error *err)
{
	struct nc_reference reference;
	struct nacre_error why;
	char full[NC_REFERENCE_TEXT];
	const char *id = json_string_value(target);
	int code = nc_reference_parse_bare(repository, &reference, &why);
	if (code == 0 && (*reference.tag || *reference.digest || !nc_tag_valid(tag)))
		code = nc_fail(&why, NACRE_E_INVALID, 0, strchr(tag, ':') ? "it names a manifest by its digest"
									  : "it makes no name");
	else if (code == 0 && (!id || !nc_id_valid(id)))
		code = nc_fail(&why, NACRE_E_INVALID, 0, "it points at no ID");
	else if (code == 0 && !points_at_node(graph, id))
		code = nc_fail(&why, NACRE_E_NOTFOUND, 0, "%.12s is not there", id);
	if (code < 0) {
		nc_wrap(&why, code, "name '%.200s:%.140s'", repository, tag);
		return leave_out(names, why.msg, err);
	}
	snprintf(reference.tag, sizeof reference.tag, "%s", tag);
	return add(names, nc_reference_full(&reference, full), id, err);
}

static int take_all(struct nc_old_names *names, int graph, json_t *json, struct nacre_error *err)
{
	const char *repository, *tag;
	json_t *tags, *target, *all = json_object_get(json, "Repositories");
	int code = 0;
	if (!json_is_object(all) && !json_is_null(all))
		return leave_out(names, "the names are damaged: there are no \"Repositories\"", err);
	json_object_foreach(all, repository, tags) {
		if (!json_is_object(tags))
			code = leave_out(names, "a repository holds no tags", err);
		json_object_foreach(tags, tag, target)
			if (code == 0)
				code = take(names, graph, repository, tag, target, err);
	}
	return code;
}

/* "alpine" and "docker.io/library/alpine" are one: the first of them stays. */
static int drop_doubles(struct nc_old_names *names, struct nacre_error *err)
{
	size_t kept = 0;
	int code = 0;
	if (names->count)
		qsort(names->list, names->count, sizeof *names->list, by_name);
	for (size_t i = 0; i < names->count; i++) {
		struct nc_old_name *name = &names->list[i];
		const struct nc_old_name *last = kept ? &names->list[kept - 1] : NULL;
		if (!last || strcmp(last->full, name->full) != 0) {
			names->list[kept++] = *name;
			continue;
		}
		struct nacre_error why;
		nc_fail(&why, NACRE_E_EXISTS, 0, "name '%.400s' is there twice", name->full);
		if (code == 0 && strcmp(last->id, name->id) != 0)
			code = leave_out(names, why.msg, err);
		free(name->full);
	}
	names->count = kept;
	return code;
}

int nc_old_names_read(int root, int graph, const char *driver, struct nc_old_names **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_old_names_auto) struct nc_old_names *names = nc_zalloc(sizeof *names);
	NC_CLEANUP(nc_json_auto) json_t *json = NULL;
	NC_AUTO_FREE char *text = NULL;
	struct nacre_error why = { 0 };
	char file[64];
	size_t len;
	if (!names)
		return nc_nomem(err);
	names->left_out = (struct nc_buf)NC_BUF_INIT(LEFT_OUT_MAX);
	snprintf(file, sizeof file, "repositories-%s", driver);
	int code = nc_file_read(root, file, NC_JSON_MAX, &text, &len, &why);
	if (code == 0)
		code = nc_json_parse_first(text, len, file, &json, NULL, &why);
	if (code == NACRE_E_NOMEM || code == NACRE_E_IO || code == NACRE_E_DENIED)
		return nc_failure_tell(&why, code, err);
	if (code == 0) {
		code = take_all(names, graph, json, err);
	} else if (code != NACRE_E_NOTFOUND) {
		nc_wrap(&why, code, "the names are damaged");
		code = leave_out(names, why.msg, err);
	} else {
		code = 0;
	}
	if (code == 0)
		code = drop_doubles(names, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(names);
	return 0;
}
