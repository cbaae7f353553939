#include "transport/oci_layout.h"

#include "base/buf.h"
#include "base/map.h"
#include "image/gojson.h"
#include "image/reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Manifests and indexes that one walk over everything looks into. */
#define DOCUMENTS_MAX 65536

/* --- documents -------------------------------------------------------------------------------------------------- */

static int check_version(const struct nc_blobs *blobs, struct nacre_error *err)
{
	NC_AUTO_FREE char *bytes = NULL;
	size_t len;
	json_t *json;
	int code = nc_blobs_file(blobs, "oci-layout", &bytes, &len, err);
	if (code >= 0)
		code = nc_json_parse(bytes, len, "oci-layout", &json, err);
	if (code < 0)
		return code;
	const char *version = json_string_value(json_object_get(json, "imageLayoutVersion"));
	if (!version)
		code = nc_fail(err, NACRE_E_BADDATA, 0, "oci-layout: imageLayoutVersion: missing");
	else if (strncmp(version, "1.", 2))
		code = nc_fail(err, NACRE_E_UNSUPPORTED, 0, "oci-layout: version '%.32s' is none that is known here",
			       version);
	json_decref(json);
	return code;
}

int nc_layout_index(const struct nc_blobs *blobs, struct nc_manifest **ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *bytes = NULL;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *index = NULL;
	size_t len;
	int code = check_version(blobs, err);
	if (code >= 0)
		code = nc_blobs_file(blobs, "index.json", &bytes, &len, err);
	if (code < 0)
		return code;
	code = nc_manifest_parse(bytes, len, NULL, &index, err);
	if (code >= 0 && index->kind != NC_DOC_INDEX)
		code = nc_fail(err, NACRE_E_BADDATA, 0, "is no index");
	if (code < 0)
		return nc_wrap(err, code, "index.json");
	*ret = NC_GIVE(index);
	return 0;
}

int nc_layout_manifest(const struct nc_blobs *blobs, const struct nc_digest *digest, uint64_t size,
		       const char *media_type, char **ret_bytes, struct nc_manifest **ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *bytes = NULL;
	char text[NC_DIGEST_TEXT];
	int code = nc_blobs_document(blobs, digest, size, "manifest", &bytes, err);
	if (code < 0)
		return code;
	code = nc_manifest_parse(bytes, size, media_type, ret, err);
	if (code < 0)
		return nc_wrap(err, code, "%s", nc_digest_text(digest, text));
	*ret_bytes = NC_GIVE(bytes);
	return 0;
}

static int read_item(const struct nc_blobs *blobs, const struct nc_descriptor *item, struct nc_manifest **ret,
		     struct nacre_error *err)
{
	NC_AUTO_FREE char *bytes = NULL;
	return nc_layout_manifest(blobs, &item->digest, item->size, item->media_type, &bytes, ret, err);
}

static bool is_attestation(const struct nc_descriptor *item)
{
	return item->has_platform && !strcmp(item->platform.os, "unknown") &&
	       !strcmp(item->platform.architecture, "unknown");
}

/* --- names ------------------------------------------------------------------------------------------------------ */

/* The full name that a descriptor's annotations give, "" when they give none: a tag alone says nothing of what it
 * is a tag of. */
static void name_of(const struct nc_descriptor *item, char ret[NC_REFERENCE_TEXT])
{
	struct nc_reference reference;
	*ret = '\0';
	if (*item->image_name && nc_reference_parse(item->image_name, &reference, NULL) >= 0 && *reference.tag)
		nc_reference_full(&reference, ret);
	else if (*item->ref_name && !nc_tag_valid(item->ref_name) &&
		 nc_reference_parse(item->ref_name, &reference, NULL) >= 0 && *reference.tag)
		nc_reference_full(&reference, ret);
}

static bool is_wished(const struct nc_descriptor *item, const char *tag)
{
	char name[NC_REFERENCE_TEXT], wished[NC_REFERENCE_TEXT];
	struct nc_reference reference;
	if (!strcmp(item->ref_name, tag) || !strcmp(item->image_name, tag))
		return true;
	name_of(item, name);
	return *name && nc_reference_parse(tag, &reference, NULL) >= 0 &&
	       !strcmp(name, nc_reference_full(&reference, wished));
}

/* --- the walk --------------------------------------------------------------------------------------------------- */

struct walk {
	const struct nc_blobs *blobs;
	const struct nc_layout_wish *wish;
	struct nc_layout *layout;
	struct nc_map *by_digest;	/* manifest -> struct nc_layout_image, by position + 1 */
	struct nacre_error refused;	/* why the first one that is no image was passed over; code 0: none was */
};

static int make_image(struct walk *walk, const struct nc_descriptor *item, const struct nc_descriptor *outer,
		      struct nc_layout_image **ret, struct nacre_error *err)
{
	struct nc_layout *layout = walk->layout;
	struct nc_layout_image *images = nc_realloc_array(layout->images, layout->count + 1, sizeof *images);
	if (!images)
		return nc_nomem(err);
	layout->images = images;
	struct nc_layout_image *image = &images[layout->count];
	*image = (struct nc_layout_image){ .manifest = item->digest, .manifest_size = item->size };
	if (outer != item) {
		image->index = outer->digest;
		image->index_size = outer->size;
	}
	image->media_type = nc_strdup(item->media_type);
	if (!image->media_type)
		return nc_nomem(err);
	layout->count++;
	*ret = image;
	return nc_map_set(walk->by_digest, &item->digest, sizeof item->digest, (void *)layout->count, NULL, err);
}

/* outer: the descriptor in index.json that led to item. */
static int add_image(struct walk *walk, const struct nc_descriptor *item, const struct nc_descriptor *outer,
		     struct nacre_error *err)
{
	char name[NC_REFERENCE_TEXT];
	size_t known = (size_t)nc_map_get(walk->by_digest, &item->digest, sizeof item->digest);
	struct nc_layout_image *image = known ? &walk->layout->images[known - 1] : NULL;
	int code = image ? 0 : make_image(walk, item, outer, &image, err);
	name_of(outer, name);
	return code < 0 || !*name ? code : nc_names_add(&image->names, name, err);
}

static bool is_named(const struct walk *walk)
{
	return *walk->wish->tag;
}

/* What is no image is passed over, unless it was asked for by name. The first reason is kept: it is the one to say
 * when no image is left. */
static int pass_over(struct walk *walk, const struct nc_descriptor *item, const struct nacre_error *why,
		     struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	if (why->code != NACRE_E_UNSUPPORTED || is_named(walk))
		return nc_fail(err, why->code, why->sys, "%s", why->msg);
	if (!walk->refused.code)
		nc_fail(&walk->refused, why->code, 0, "%s: %s", nc_digest_text(&item->digest, text), why->msg);
	return 0;
}

/* The manifest at the end of item: item itself, or the one for the platform beneath it. */
static int descend(struct walk *walk, const struct nc_descriptor *outer, struct nacre_error *err)
{
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *held = NULL;
	const struct nc_descriptor *item = outer;
	for (int depth = 0;; depth++) {
		NC_CLEANUP(nc_manifest_auto) struct nc_manifest *document = NULL;
		int code = read_item(walk->blobs, item, &document, err);
		if (code < 0)
			return code;
		if (document->kind == NC_DOC_MANIFEST) {
			struct nacre_error why;
			if (nc_manifest_check_image(document, &why) < 0)
				return pass_over(walk, item, &why, err);
			return add_image(walk, item, outer, err);
		}
		if (depth == NC_INDEX_DEPTH)
			return nc_fail(err, NACRE_E_LIMIT, 0, "more than %d indexes in one another", NC_INDEX_DEPTH);
		code = nc_index_choose(document, &walk->wish->platform, err);
		if (code < 0)
			return code;
		nc_manifest_free(held);
		held = NC_GIVE(document);
		item = &held->items[code];
	}
}

/* Whether the items (of one name) are one image for several platforms: all say for which, no two the same. */
static int is_one_for_many(const struct nc_manifest *group, struct nacre_error *err)
{
	NC_CLEANUP(nc_map_auto) struct nc_map *seen = nc_map_new();
	if (!seen)
		return nc_nomem(err);
	for (size_t i = 0; i < group->item_count; i++) {
		const struct nc_descriptor *item = &group->items[i];
		char text[256];
		void *old = NULL;
		if (!item->has_platform)
			return 0;
		nc_platform_text(&item->platform, text);
		int code = nc_map_set(seen, text, strlen(text), (void *)1, &old, err);
		if (code < 0 || old)
			return code;
	}
	return group->item_count > 1;
}

static int add_group(struct walk *walk, const struct nc_manifest *group, struct nacre_error *err)
{
	int code = is_one_for_many(group, err);
	if (code < 0)
		return code;
	if (code) {
		code = nc_index_choose(group, &walk->wish->platform, err);
		return code < 0 ? code : descend(walk, &group->items[code], err);
	}
	for (size_t i = 0; i < group->item_count; i++) {
		code = descend(walk, &group->items[i], err);
		if (code < 0)
			return code;
	}
	return 0;
}

/* --- index.json ------------------------------------------------------------------------------------------------- */

/* Whether an item of index.json takes part at all. */
static bool takes_part(const struct nc_descriptor *item, size_t position, const struct nc_layout_wish *wish)
{
	size_t wished;
	if (nc_position_parse(wish->tag, &wished))
		return position == wished;
	if (*wish->tag)
		return is_wished(item, wish->tag);
	return nc_media_type_is_document(item->media_type) && !is_attestation(item);
}

struct ordered {
	struct nc_descriptor item;	/* its strings belong to the index */
	size_t group, position;
};

static int by_group(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

/* Those of the index that take part, with the group that each one's name puts it in. */
static int pick(const struct nc_manifest *index, const struct nc_layout_wish *wish, struct ordered *picked,
		size_t *ret_count, struct nacre_error *err)
{
	NC_CLEANUP(nc_map_auto) struct nc_map *groups = nc_map_new();
	if (!groups)
		return nc_nomem(err);
	size_t count = 0;
	for (size_t i = 0; i < index->item_count; i++) {
		const struct nc_descriptor *item = &index->items[i];
		if (!takes_part(item, i, wish))
			continue;
		NC_AUTO_BUF struct nc_buf key = NC_BUF_INIT(2 * NC_DOCUMENT_MAX);
		int code = nc_buf_addf(&key, err, "%s\n%s", item->image_name, item->ref_name);
		if (code < 0)
			return code;
		size_t group = (size_t)nc_map_get(groups, key.data, key.len);
		if (!group) {
			group = i + 1;
			code = nc_map_set(groups, key.data, key.len, (void *)group, NULL, err);
			if (code < 0)
				return code;
		}
		picked[count++] = (struct ordered){ *item, group, i };
	}
	qsort(picked, count, sizeof *picked, by_group);
	*ret_count = count;
	return 0;
}

static int walk_groups(struct walk *walk, const struct ordered *picked, size_t count, struct nacre_error *err)
{
	NC_AUTO_FREE struct nc_descriptor *items = nc_realloc_array(NULL, count, sizeof *items);
	if (!items)
		return nc_nomem(err);
	for (size_t from = 0; from < count;) {
		struct nc_manifest group = { .kind = NC_DOC_INDEX, .items = items };
		while (from + group.item_count < count &&
		       picked[from + group.item_count].group == picked[from].group) {
			items[group.item_count] = picked[from + group.item_count].item;
			group.item_count++;
		}
		int code = add_group(walk, &group, err);
		if (code < 0)
			return code;
		from += group.item_count;
	}
	return 0;
}

/* --- a whole index ---------------------------------------------------------------------------------------------- */

static int read_named(void *ctx, const struct nc_descriptor *item, char **ret, size_t *ret_len, struct nacre_error *err)
{
	*ret_len = item->size;
	return nc_blobs_document(ctx, &item->digest, item->size, "manifest", ret, err);
}

static int name_all(const struct ordered *picked, size_t count, const char *name, struct nc_names *names,
		    struct nacre_error *err)
{
	char own[NC_REFERENCE_TEXT];
	int code = name ? nc_names_add(names, name, err) : 0;
	for (size_t i = 0; code >= 0 && !name && i < count; i++) {
		name_of(&picked[i].item, own);
		code = *own ? nc_names_add(names, own, err) : 0;
	}
	return code;
}

static int add_whole(struct walk *walk, const struct nc_whole *whole, const struct ordered *picked, size_t count,
		     struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; code >= 0 && i < whole->image_count; i++) {
		const struct nc_whole_item *item = nc_whole_image(whole, i);
		const struct nc_descriptor manifest = { .media_type = item->media_type, .digest = item->digest,
							.size = item->size };
		struct nc_layout_image *image;
		code = make_image(walk, &manifest, &picked->item, &image, err);
		if (code >= 0)
			code = name_all(picked, count, walk->wish->name, &image->names, err);
	}
	return code;
}

/* picked: the one index, by all its names. */
static int walk_whole(struct walk *walk, const struct ordered *picked, size_t count, struct nc_whole **ret,
		      struct nacre_error *err)
{
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *index = NULL;
	const struct nc_whole_reader reader = { read_named, (void *)walk->blobs };
	for (size_t i = 1; i < count; i++)
		if (!nc_digest_equal(&picked[i].item.digest, &picked->item.digest))
			return nc_fail(err, NACRE_E_AMBIGUOUS, 0, "index.json names several images or indexes; say which one by name");
	int code = read_item(walk->blobs, &picked->item, &index, err);
	if (code < 0 || index->kind == NC_DOC_MANIFEST)
		return code < 0 ? code : walk_groups(walk, picked, count, err);
	code = nc_whole_open(index, &walk->wish->platform, &reader, ret, err);
	return code < 0 ? code : add_whole(walk, *ret, picked, count, err);
}

/* --- the doors -------------------------------------------------------------------------------------------------- */

/* ret_whole: NULL when one image out of each index is wanted. */
static int read_layout(const struct nc_blobs *blobs, const struct nc_layout_wish *wish, struct nc_layout **ret,
		       struct nc_whole **ret_whole, struct nacre_error *err)
{
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *index = NULL;
	int code = nc_layout_index(blobs, &index, err);
	if (code < 0)
		return code;
	NC_CLEANUP(nc_layout_auto) struct nc_layout *layout = nc_zalloc(sizeof *layout);
	NC_CLEANUP(nc_whole_auto) struct nc_whole *whole = NULL;
	NC_CLEANUP(nc_map_auto) struct nc_map *by_digest = nc_map_new();
	NC_AUTO_FREE struct ordered *picked = nc_realloc_array(NULL, index->item_count, sizeof *picked);
	if (!layout || !by_digest || !picked)
		return nc_nomem(err);
	struct walk walk = { .blobs = blobs, .wish = wish, .layout = layout, .by_digest = by_digest };
	size_t count = 0;
	code = pick(index, wish, picked, &count, err);
	if (code >= 0)
		code = !ret_whole || !count ? walk_groups(&walk, picked, count, err)
					    : walk_whole(&walk, picked, count, &whole, err);
	if (code < 0)
		return code;
	if (!layout->count && walk.refused.code)
		return nc_fail(err, walk.refused.code, 0, "%s", walk.refused.msg);
	if (!layout->count && *wish->tag)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no image '%s' in index.json", wish->tag);
	if (!layout->count)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no image in index.json");
	*ret = NC_GIVE(layout);
	if (ret_whole)
		*ret_whole = NC_GIVE(whole);
	return 0;
}

int nc_layout_read(const struct nc_blobs *blobs, const struct nc_layout_wish *wish, struct nc_layout **ret,
		   struct nacre_error *err)
{
	return read_layout(blobs, wish, ret, NULL, err);
}

int nc_layout_read_whole(const struct nc_blobs *blobs, const struct nc_layout_wish *wish, struct nc_layout **ret,
			 struct nc_whole **ret_whole, struct nacre_error *err)
{
	return read_layout(blobs, wish, ret, ret_whole, err);
}

void nc_layout_free(struct nc_layout *layout)
{
	if (!layout)
		return;
	for (size_t i = 0; i < layout->count; i++) {
		free(layout->images[i].media_type);
		nc_names_release(&layout->images[i].names);
	}
	free(layout->images);
	free(layout);
}

/* --- everything beneath ----------------------------------------------------------------------------------------- */

/* The indexes on the way down to the item that is looked at. */
struct descent {
	struct {
		const struct nc_manifest *index;
		struct nc_manifest *owned;	/* NULL for the outermost */
		size_t next;
	} levels[NC_INDEX_DEPTH + 1];
	size_t depth;			/* levels in use */
};

static int enter(struct descent *descent, const struct nc_manifest *index, struct nc_manifest *owned,
		 struct nacre_error *err)
{
	if (descent->depth > NC_INDEX_DEPTH) {
		nc_manifest_free(owned);
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %d indexes in one another", NC_INDEX_DEPTH);
	}
	descent->levels[descent->depth].index = index;
	descent->levels[descent->depth].owned = owned;
	descent->levels[descent->depth++].next = 0;
	return 0;
}

static void leave(struct descent *descent)
{
	nc_manifest_free(descent->levels[--descent->depth].owned);
}

/* The next item, depth first; NULL at the end. */
static const struct nc_descriptor *next_item(struct descent *descent)
{
	while (descent->depth) {
		const struct nc_manifest *index = descent->levels[descent->depth - 1].index;
		size_t *next = &descent->levels[descent->depth - 1].next;
		if (*next < index->item_count)
			return &index->items[(*next)++];
		leave(descent);
	}
	return NULL;
}

int nc_layout_each(const struct nc_blobs *blobs, const struct nc_manifest *index,
		   int (*fn)(void *ctx, const struct nc_descriptor *item, const struct nc_manifest *manifest,
			     struct nacre_error *err),
		   void *ctx, struct nacre_error *err)
{
	struct descent descent = { .depth = 0 };
	const struct nc_descriptor *item;
	size_t documents = 0;
	int code = enter(&descent, index, NULL, err);
	while (code == 0 && (item = next_item(&descent))) {
		struct nc_manifest *document;
		code = nc_media_type_is_document(item->media_type) && !is_attestation(item) ? nc_blobs_has(blobs, &item->digest, err) : 0;
		if (code <= 0)
			continue;
		code = ++documents > DOCUMENTS_MAX ? nc_fail(err, NACRE_E_LIMIT, 0, "more than %d manifests", DOCUMENTS_MAX)
						   : read_item(blobs, item, &document, err);
		if (code < 0)
			continue;
		if (document->kind == NC_DOC_INDEX) {
			code = enter(&descent, document, document, err);
			continue;
		}
		code = fn(ctx, item, document, err);
		nc_manifest_free(document);
	}
	while (descent.depth)
		leave(&descent);
	return code;
}
