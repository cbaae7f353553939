/* What points at nodes: names, sessions and writable layers. */
#include "store/check.h"
#include "store/holds.h"
#include "store/writable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- names ------------------------------------------------------------------------------------------------------ */

static int look_at_target(struct nc_check *check, const char *full, bool report, struct nacre_error *err)
{
	struct nc_name_target target;
	int code = nc_name_read(check->store, full, &target, NULL);
	if (code == NACRE_E_NOMEM)
		return nc_nomem(err);
	if (code < 0 || nc_node_exists(check->store, target.id))
		return 0;
	if (!report)
		return 1;
	/* whoever took it away died, and the names go with it: what that left is a finding of its own */
	code = nc_is_staged_anywhere(check->store, target.id, err);
	if (code != 0)
		return code < 0 ? code : 0;
	NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(4096);
	code = nc_buf_add_text(&path, "names/", err);
	if (code == 0)
		code = nc_name_path(full, &path, err);
	return code < 0 ? code : nc_check_find(check, NC_FLAW_NAME_DANGLING, target.id, path.data, err,
					       "the name '%s' points at %.12s, which is not there", full, target.id);
}

static int visit_name(void *ctx, const char *full, const struct nc_name_target *target, struct nacre_error *err)
{
	struct nc_check *check = ctx;
	check->told->names++;
	return nc_check_twice(check, &(struct nc_twice){ .look = look_at_target, .id = target->id, .whole = -1 }, full,
			      err);
}

struct search {
	const char *path;
	bool found;
};

static int match(void *ctx, const char *path, struct nacre_error *err)
{
	struct search *search = ctx;
	search->found = search->found || strcmp(path, search->path) == 0;
	return 0;
}

static int look_at_file(struct nc_check *check, const char *path, bool report, struct nacre_error *err)
{
	struct search search = { .path = path };
	if (!report)
		return 1;
	int code = nc_names_damaged(check->store, match, &search, err);
	if (code < 0 || !search.found)
		return code;
	NC_AUTO_BUF struct nc_buf whole = NC_BUF_INIT(4096);
	code = nc_buf_addf(&whole, err, "names/%s", path);
	return code < 0 ? code : nc_check_find(check, NC_FLAW_NAME, NULL, whole.data, err, "it cannot be read as a name");
}

static int visit_damaged(void *ctx, const char *path, struct nacre_error *err)
{
	return nc_check_twice(ctx, &(struct nc_twice){ .look = look_at_file, .whole = NC_LOCK_NAMES }, path, err);
}

int nc_check_names(struct nc_check *check, struct nacre_error *err)
{
	if (check->store->names < 0 && !check->store->old_names)
		return 0;
	int code = nc_names_each(check->store, visit_name, check, err);
	return code < 0 ? code : nc_names_damaged(check->store, visit_damaged, check, err);
}

/* --- sessions --------------------------------------------------------------------------------------------------- */

struct sessions {
	struct nc_check *check;
	bool report;
	int flaws;
};

static int look_at_hold(void *ctx, const char *name, const struct nc_hold *hold, struct nacre_error *err)
{
	struct sessions *all = ctx;
	struct nc_check *check = all->check;
	char path[NACRE_SESSION_MAX + 16];
	int code = 0;
	snprintf(path, sizeof path, "holds/%s", name);
	if (!hold) {
		all->flaws++;
		return !all->report ? 0 : nc_check_find(check, NC_FLAW_HOLD, NULL, path, err,
							    "session '%s' does not say what it holds", name);
	}
	for (size_t i = 0; code == 0 && i < hold->count; i++) {
		if (nc_node_exists(check->store, hold->ids[i]))
			continue;
		all->flaws++;
		if (all->report)
			code = nc_check_find(check, NC_FLAW_HOLD_DANGLING, hold->ids[i], path, err,
					     "session '%s' holds %.12s, which is not there", name, hold->ids[i]);
	}
	return code;
}

static int look_at_holds(struct nc_check *check, const char *what, bool report, struct nacre_error *err)
{
	struct sessions all = { .check = check, .report = report };
	int code = nc_holds_examine(check->store, look_at_hold, &all, err);
	return code < 0 ? code : all.flaws;
}

int nc_check_holds(struct nc_check *check, struct nacre_error *err)
{
	return nc_check_twice(check, &(struct nc_twice){ .look = look_at_holds, .whole = NC_LOCK_HOLDS }, "", err);
}

/* --- writable layers -------------------------------------------------------------------------------------------- */

struct writables {
	struct nc_check *check;
	bool report;
	int flaws;
};

static int look_at_writable(void *ctx, const char *id, const struct nc_writable *writable, struct nacre_error *err)
{
	struct writables *all = ctx;
	char path[NC_HEX_ID + 32];
	snprintf(path, sizeof path, "writable/%s", id);
	if (writable && nc_node_exists(all->check->store, writable->image))
		return 0;
	all->flaws++;
	if (!all->report)
		return 0;
	if (!writable)
		return nc_check_find(all->check, NC_FLAW_WRITABLE, NULL, path, err,
				     "the description of writable layer %.12s is damaged", id);
	return nc_check_find(all->check, NC_FLAW_WRITABLE_DANGLING, writable->image, path, err,
			     "writable layer '%s' lies on %.12s, which is not there", writable->name, writable->image);
}

static int look_at_writables(struct nc_check *check, const char *what, bool report, struct nacre_error *err)
{
	struct writables all = { .check = check, .report = report };
	int code = nc_writables_examine(check->store, look_at_writable, &all, err);
	return code < 0 ? code : all.flaws;
}

int nc_check_writables(struct nc_check *check, struct nacre_error *err)
{
	return nc_check_twice(check, &(struct nc_twice){ .look = look_at_writables, .whole = NC_LOCK_MOUNTS }, "", err);
}
