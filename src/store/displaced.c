/* Each displacement is noted with the FILE record at which it happened. The file that record i put under a name is
 * displaced by the first displacement of that name after i, if there is one: that gives each record its content,
 * whatever order the members came in. */
#include "store/displaced.h"

#include "base/map.h"
#include "io/fd.h"
#include "io/path.h"
#include "store/store.h"
#include "tar/split.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Displacements of one layer, and the bytes of their names: bounds memory. */
#define DISPLACED_MAX ((size_t)1 << 20)
#define NAME_BYTES_MAX ((size_t)64 << 20)

struct displacement {
	struct displacement *next;	/* the next one of the same name */
	uint64_t at;			/* FILE record that displaced it */
	uint64_t offset, size;		/* where its content lies */
	bool has_content;
};

/* All of one name, in order. */
struct chain {
	struct displacement *first, *last;
};

struct nc_displacements {
	struct nacre_store *store;
	struct nc_map *chains;
	int spill;			/* -1 until there is content */
	uint64_t end;			/* of what was spilled */
	uint64_t at;
	size_t count, name_bytes;
	uint64_t seen;			/* FILE records seen in the rewriting */
};

int nc_displacements_new(struct nacre_store *store, struct nc_displacements **ret, struct nacre_error *err)
{
	struct nc_displacements *self = nc_zalloc(sizeof *self);
	if (!self)
		return nc_nomem(err);
	self->store = store;
	self->spill = -1;
	self->chains = nc_map_new();
	if (!self->chains) {
		free(self);
		return nc_nomem(err);
	}
	*ret = self;
	return 0;
}

static int free_chain(void *ctx, const char *key, size_t len, void *value)
{
	struct chain *chain = value;
	while (chain->first) {
		struct displacement *next = chain->first->next;
		free(chain->first);
		chain->first = next;
	}
	free(chain);
	return 0;
}

void nc_displacements_free(struct nc_displacements *self)
{
	if (!self)
		return;
	nc_map_each(self->chains, free_chain, NULL);
	nc_map_free(self->chains);
	nc_fd_release(&self->spill);
	free(self);
}

/* --- noting ----------------------------------------------------------------------------------------------------- */

static int spill(struct nc_displacements *self, struct nc_reader *content, struct displacement *ret,
		 struct nacre_error *err)
{
	int code = self->spill < 0 ? nc_store_spool(self->store, &self->spill, err) : 0;
	if (code < 0)
		return code;
	ret->offset = self->end;
	const void *bytes;
	ssize_t n;
	while ((n = nc_reader_next(content, &bytes, err)) > 0) {
		int sys = nc_pwrite_full(self->spill, bytes, (size_t)n, self->end);
		if (sys)
			return nc_fail(err, NACRE_E_IO, sys, "keep a file aside that the layer replaces");
		self->end += (uint64_t)n;
	}
	ret->size = self->end - ret->offset;
	ret->has_content = true;
	return (int)n;
}

static int find_chain(struct nc_displacements *self, const char *name, struct chain **ret, struct nacre_error *err)
{
	size_t len = strlen(name);
	struct chain *chain = nc_map_get(self->chains, name, len);
	if (!chain) {
		self->name_bytes += len;
		chain = nc_zalloc(sizeof *chain);
		if (!chain)
			return nc_nomem(err);
		int code = nc_map_set(self->chains, name, len, chain, NULL, err);
		if (code < 0) {
			free(chain);
			return code;
		}
	}
	*ret = chain;
	return 0;
}

static int note(void *ctx, const char *name, struct nc_reader *content, uint64_t size, struct nacre_error *err)
{
	struct nc_displacements *self = ctx;
	if (self->count >= DISPLACED_MAX || self->name_bytes > NAME_BYTES_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "a layer that replaces more than %zu of its own members",
			       self->count);
	struct displacement *item = nc_zalloc(sizeof *item);
	if (!item)
		return nc_nomem(err);
	item->at = self->at;
	struct chain *chain = NULL;
	int code = content ? spill(self, content, item, err) : 0;
	if (code == 0)
		code = find_chain(self, name, &chain, err);
	if (code < 0) {
		free(item);
		return code;
	}
	if (chain->last)
		chain->last->next = item;
	else
		chain->first = item;
	chain->last = item;
	self->count++;
	return 0;
}

struct nc_displaced nc_displacements_hook(struct nc_displacements *self)
{
	return (struct nc_displaced){ .fn = note, .ctx = self };
}

void nc_displacements_at(struct nc_displacements *self, uint64_t record)
{
	self->at = record;
}

bool nc_displacements_any(const struct nc_displacements *self)
{
	return self->count > 0;
}

/* --- rewriting -------------------------------------------------------------------------------------------------- */

/* The displacement of what record put under this name, or NULL. Records come in ascending order, so those of a chain
 * that lie behind are not needed again. */
static const struct displacement *displaced_after(struct chain *chain, uint64_t record)
{
	while (chain && chain->first && chain->first->at <= record) {
		struct displacement *behind = chain->first;
		chain->first = behind->next;
		free(behind);
	}
	return chain ? chain->first : NULL;
}

static int replace(void *ctx, const struct nc_split_record *file, struct nc_reader **ret_bytes,
		   struct nacre_error *err)
{
	struct nc_displacements *self = ctx;
	uint64_t record = self->seen++;
	NC_AUTO_FREE char *clean = nc_alloc(file->name_len + 1);
	if (!clean)
		return nc_nomem(err);
	size_t len;
	if (nc_path_clean(file->name, file->name_len, clean, &len, NULL) < 0)
		return 0;
	const struct displacement *item = displaced_after(nc_map_get(self->chains, clean, len), record);
	if (!item)
		return 0;
	*ret_bytes = NULL;
	if (file->size == 0)
		return 1;
	if (!item->has_content || item->size != file->size)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "'%s' was replaced, and its content was not kept",
			       file->name);
	int code = nc_reader_file_range(self->spill, item->offset, item->size, "a replaced file", ret_bytes, err);
	return code < 0 ? code : 1;
}

int nc_displacements_rewrite(struct nc_displacements *self, struct nc_reader *record, struct nc_writer *out,
			     struct nacre_error *err)
{
	self->seen = 0;
	return nc_split_rewrite(record, out, replace, self, err);
}
