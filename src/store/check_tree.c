#include "store/check_tree.h"

#include "driver/view_pair.h"
#include "tar/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

/* Attributes beyond so many bytes may not have fitted into the file system. */
#define XATTRS_SURE 2048

struct nc_models {
	struct nc_driver *driver;
};

int nc_models_new(struct nc_models **ret, struct nacre_error *err)
{
	const struct nc_driver_ops *memory = nc_driver_find("memory");
	struct nc_models *models = nc_zalloc(sizeof *models);
	if (!models)
		return nc_nomem(err);
	int code = memory->open(-1, "", false, &models->driver, err);
	if (code < 0)
		free(models);
	else
		*ret = models;
	return code;
}

void nc_models_free(struct nc_models *models)
{
	if (!models)
		return;
	nc_driver_close(models->driver);
	free(models);
}

void nc_models_drop(struct nc_models *models, const char *id)
{
	models->driver->ops->remove(models->driver, id, -1, NULL);
}

/* --- building --------------------------------------------------------------------------------------------------- */

/* What the memory driver refuses stands in the way of no more than the comparison. */
static int put_entry(struct nc_tree **tree, const struct nc_entry *entry, struct nacre_error *err)
{
	if (!*tree || entry->type == NC_ENTRY_META)
		return 0;
	struct nc_entry bare = *entry;
	bare.stored = 0;	/* no content will come */
	int put = nc_tree_entry(*tree, &bare, NULL);
	if (put == NACRE_E_NOMEM)
		return nc_nomem(err);
	if (put < 0) {
		nc_tree_abort(*tree);
		*tree = NULL;
	}
	return 0;
}

int nc_models_read(struct nc_models *models, struct nc_reader *archive, const char *id, const char *parent,
		   struct nacre_error *err)
{
	NC_CLEANUP(nc_tar_auto) struct nc_tar *tar = NULL;
	NC_CLEANUP(nc_tree_auto) struct nc_tree *tree = NULL;
	struct nc_driver *driver = models->driver;
	struct nc_tar_item item;
	uint64_t size;
	int event = NC_TAR_FRAMING;
	nc_models_drop(models, id);
	/* without a model of the parent there is none of this one */
	int code = driver->ops->begin(driver, id, parent, -1, NULL, &tree, NULL);
	if (code == NACRE_E_NOMEM)
		return nc_nomem(err);
	code = nc_tar_new(archive, &tar, err);
	while (code == 0 && event != NC_TAR_END) {
		event = nc_tar_next(tar, &item, err);
		code = event < 0 ? event : event == NC_TAR_ENTRY ? put_entry(&tree, item.entry, err) : 0;
	}
	if (code == 0 && tree)
		code = nc_tree_seal(&tree, &size, err) < 0 ? NACRE_E_NOMEM : 1;
	return code == NACRE_E_NOMEM ? nc_nomem(err) : code;
}

/* --- comparing -------------------------------------------------------------------------------------------------- */

struct comparison {
	struct nacre_store *store;
	struct nc_view *should, *should_below, *below;	/* the latter two NULL without a parent */
	struct nc_view *is;				/* for contents */
	int (*fn)(void *ctx, const char *path, const char *text, struct nacre_error *err);
	void *ctx;
};

static void comparison_release(struct comparison *comparison)
{
	nc_view_close(comparison->should);
	nc_view_close(comparison->should_below);
	nc_view_close(comparison->below);
	nc_view_close(comparison->is);
}

/* A file system may know whole seconds only, and not all of them. */
static bool same_time(const struct nc_time *should, const struct nc_time *is)
{
	if (should->sec < 0 || should->sec > INT32_MAX)
		return true;
	return should->sec == is->sec && (should->nsec == is->nsec || is->nsec == 0);
}

/* Lists change with the mode, and labels come from the machine. */
static bool is_plain(const struct nc_xattr *xattr)
{
	return strncmp(xattr->name, "system.", 7) != 0 && strcmp(xattr->name, "security.selinux") != 0;
}

static const struct nc_xattr *find_xattr(const struct nc_entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->xattr_count; i++)
		if (strcmp(entry->xattrs[i].name, name) == 0)
			return &entry->xattrs[i];
	return NULL;
}

/* Whether an attribute that is missing could have been set. */
static bool holds_xattr(const struct comparison *comparison, const struct nc_entry *should, const struct nc_xattr *xattr)
{
	size_t bytes = 0;
	for (size_t i = 0; i < should->xattr_count; i++)
		bytes += strlen(should->xattrs[i].name) + should->xattrs[i].value_len;
	if (bytes > XATTRS_SURE || strncmp(xattr->name, "trusted.", 8) == 0)
		return false;
	return fgetxattr(comparison->store->root, xattr->name, NULL, 0) >= 0 || errno == ENODATA;
}

static bool same_xattrs(const struct comparison *comparison, const struct nc_entry *should, const struct nc_entry *is)
{
	for (size_t i = 0; i < should->xattr_count; i++) {
		const struct nc_xattr *want = &should->xattrs[i], *got = find_xattr(is, want->name);
		if (!is_plain(want))
			continue;
		if (!got ? holds_xattr(comparison, should, want)
			 : got->value_len != want->value_len || memcmp(got->value, want->value, want->value_len) != 0)
			return false;
	}
	for (size_t i = 0; i < is->xattr_count; i++)
		if (is_plain(&is->xattrs[i]) && !find_xattr(should, is->xattrs[i].name))
			return false;
	return true;
}

/* What is wrong with it; NULL: nothing. */
static const char *differs(const struct comparison *comparison, const struct nc_entry *should, const struct nc_entry *is)
{
	bool link = should->type == NC_ENTRY_SYMLINK;
	if (should->type != is->type)
		return "it is of another type";
	if (!link && should->mode != is->mode)
		return "its mode was changed";
	if (should->uid != is->uid || should->gid != is->gid)
		return "its owner was changed";
	if (should->type == NC_ENTRY_FILE && should->size != is->size)
		return "its size was changed";
	if (link && strcmp(should->link, is->link) != 0)
		return "its target was changed";
	if (should->dev_major != is->dev_major || should->dev_minor != is->dev_minor)
		return "it is another device";
	if (!same_xattrs(comparison, should, is))
		return "its attributes were changed";
	return same_time(&should->mtime, &is->mtime) ? NULL : "its time was changed";
}

/* What comes from the parent must be what the parent has; where that is the same file there is nothing to read. */
static int compare_inherited(struct comparison *comparison, const char *path, uint64_t number,
			     const struct nc_view_file *is, bool *ret, struct nacre_error *err)
{
	struct nc_view_file should, below;
	*ret = true;
	if (!comparison->should_below ||
	    comparison->should_below->ops->stat(comparison->should_below, path, &should, NULL) < 0 ||
	    should.number != number || comparison->below->ops->stat(comparison->below, path, &below, NULL) < 0 ||
	    below.entry.type != NC_ENTRY_FILE || (below.device && below.device == is->device && below.number == is->number))
		return 0;
	return nc_view_same_content(comparison->below, comparison->is, path, ret, err);
}

/* The same file, which the parent's tree shows too: what is wrong with it is told of the parent. */
static bool is_parents(struct comparison *comparison, const char *path, const struct nc_view_file *is)
{
	struct nc_view_file below;
	return comparison->below && is->device && comparison->below->ops->stat(comparison->below, path, &below, NULL) == 0 &&
	       below.device == is->device && below.number == is->number;
}

static int compare_file(void *ctx, const char *path, const struct nc_view_file *const files[2], struct nacre_error *err)
{
	struct comparison *comparison = ctx;
	if (files[1] && is_parents(comparison, path, files[1]))
		return 0;
	if (!files[0] || !files[1])
		return comparison->fn(comparison->ctx, path, files[0] ? "it is missing" : "it is no part of the layer", err);
	const char *text = differs(comparison, &files[0]->entry, &files[1]->entry);
	if (text)
		return comparison->fn(comparison->ctx, path, text, err);
	if (files[0]->entry.type != NC_ENTRY_FILE)
		return 0;
	bool same;
	int code = compare_inherited(comparison, path, files[0]->number, files[1], &same, err);
	return code < 0 || same ? code : comparison->fn(comparison->ctx, path, "its content is not what its parent has", err);
}

int nc_models_compare(struct nc_models *models, struct nacre_store *store, const char *id, const char *parent,
		      int (*fn)(void *ctx, const char *path, const char *text, struct nacre_error *err), void *ctx,
		      struct nacre_error *err)
{
	NC_CLEANUP(comparison_release) struct comparison comparison = { .store = store, .fn = fn, .ctx = ctx };
	NC_CLEANUP(nc_view_auto) struct nc_view *is = NULL;
	struct nc_driver *model = models->driver, *driver = store->driver;
	int code = model->ops->view(model, id, &comparison.should, err);
	if (code == 0 && parent)
		code = model->ops->view(model, parent, &comparison.should_below, err);
	if (code == 0 && parent)
		code = driver->ops->view(driver, parent, &comparison.below, err);
	if (code == 0)
		code = driver->ops->view(driver, id, &comparison.is, err);
	if (code == 0)
		code = driver->ops->view(driver, id, &is, err);
	struct nc_view *both[2] = { comparison.should, is };
	return code < 0 ? code : nc_view_pair_walk(both, "", compare_file, &comparison, err);
}
