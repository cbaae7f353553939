#include "transport/whole.h"

#include "base/map.h"
#include "image/config.h"
#include "image/reference.h"
#include "transport/blobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one index names, all told; a list of it fits where documents do. */
#define ITEMS_MAX 32768
/* Manifests and indexes that are held in memory. */
#define BYTES_MAX ((uint64_t)64 << 20)

/* --- the walk --------------------------------------------------------------------------------------------------- */

struct walk {
	struct nc_whole *whole;
	const struct nc_whole_reader *reader;
	const struct nc_platform *platform;
	struct nc_map *seen;		/* digest -> its size + 1 */
	size_t room;
	uint64_t bytes;			/* of documents */
	bool found_main;
};

/* 1: it was come by before, 0: it is new. */
static int note(struct walk *walk, const struct nc_descriptor *item, struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	uintptr_t seen = (uintptr_t)nc_map_get(walk->seen, &item->digest, sizeof item->digest);
	if (seen && seen != (uintptr_t)item->size + 1)
		return nc_fail(err, NACRE_E_BADDATA, 0, "%s is named with %llu bytes, and with another size elsewhere",
			       nc_digest_text(&item->digest, text), (unsigned long long)item->size);
	if (seen)
		return 1;
	if (nc_map_count(walk->seen) == ITEMS_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "the index names more than %d things", ITEMS_MAX);
	return nc_map_set(walk->seen, &item->digest, sizeof item->digest, (void *)((uintptr_t)item->size + 1), NULL, err);
}

/* bytes: taken. */
static int add(struct walk *walk, enum nc_whole_kind kind, const struct nc_descriptor *item, const char *media_type,
	       char *bytes, struct nacre_error *err)
{
	NC_AUTO_FREE char *taken = bytes;
	struct nc_whole *whole = walk->whole;
	struct nc_whole_item *items = nc_grown(whole->items, whole->count, &walk->room, sizeof *items);
	if (!items)
		return nc_nomem(err);
	whole->items = items;
	char *type = nc_strdup(media_type);
	if (!type)
		return nc_nomem(err);
	whole->items[whole->count++] = (struct nc_whole_item){ .kind = kind, .digest = item->digest, .size = item->size,
							       .media_type = type, .bytes = NC_GIVE(taken) };
	return 0;
}

static int add_blob(struct walk *walk, const struct nc_descriptor *item, struct nacre_error *err)
{
	int code = note(walk, item, err);
	return code ? (code < 0 ? code : 0) : add(walk, NC_WHOLE_BLOB, item, item->media_type, NULL, err);
}

static int add_image(struct walk *walk, const struct nc_descriptor *item, bool preferred, struct nacre_error *err)
{
	struct nc_whole *whole = walk->whole;
	size_t *images = nc_realloc_array(whole->images, whole->image_count + 1, sizeof *images);
	if (!images)
		return nc_nomem(err);
	whole->images = images;
	if (preferred && !walk->found_main) {
		whole->main = whole->image_count;
		walk->found_main = true;
	}
	images[whole->image_count++] = whole->count;
	return add(walk, NC_WHOLE_IMAGE, item, item->media_type, NULL, err);
}

/* bytes: taken. */
static int add_artifact(struct walk *walk, const struct nc_descriptor *item, const struct nc_manifest *manifest, char *bytes,
			struct nacre_error *err)
{
	NC_AUTO_FREE char *taken = bytes;
	int code = add_blob(walk, &manifest->config, err);
	for (size_t i = 0; i < manifest->item_count && code >= 0; i++)
		code = add_blob(walk, &manifest->items[i], err);
	return code < 0 ? code : add(walk, NC_WHOLE_DOCUMENT, item, manifest->media_type, NC_GIVE(taken), err);
}

static bool is_image(const struct nc_descriptor *item, const struct nc_manifest *manifest)
{
	bool known = !item->has_platform || strcmp(item->platform.os, "unknown");
	return known && nc_manifest_check_image(manifest, NULL) >= 0;
}

static int read_document(struct walk *walk, const struct nc_descriptor *item, char **ret, struct nc_manifest **ret_parsed,
			 struct nacre_error *err)
{
	NC_AUTO_FREE char *bytes = NULL;
	size_t len;
	if (item->size > NC_DOCUMENT_MAX || walk->bytes + item->size > BYTES_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "the manifests that the index names take too many bytes");
	walk->bytes += item->size;
	int code = walk->reader->read(walk->reader->ctx, item, &bytes, &len, err);
	if (code >= 0)
		code = nc_manifest_parse(bytes, len, item->media_type, ret_parsed, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(bytes);
	return 0;
}

static int walk_index(struct walk *walk, const struct nc_manifest *index, int depth, bool preferred, struct nacre_error *err);

static int walk_document(struct walk *walk, const struct nc_descriptor *item, int depth, bool preferred,
			 struct nacre_error *err)
{
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *document = NULL;
	NC_AUTO_FREE char *bytes = NULL;
	char text[NC_DIGEST_TEXT];
	int code = read_document(walk, item, &bytes, &document, err);
	if (code < 0)
		return nc_wrap(err, code, "%s", nc_digest_text(&item->digest, text));
	if (document->kind == NC_DOC_MANIFEST)
		return is_image(item, document) ? add_image(walk, item, preferred, err)
						: add_artifact(walk, item, document, NC_GIVE(bytes), err);
	code = walk_index(walk, document, depth + 1, preferred, err);
	return code < 0 ? code : add(walk, NC_WHOLE_DOCUMENT, item, document->media_type, NC_GIVE(bytes), err);
}

static int walk_item(struct walk *walk, const struct nc_descriptor *item, int depth, bool preferred, struct nacre_error *err)
{
	if (!nc_media_type_is_document(item->media_type))
		return add_blob(walk, item, err);
	int code = note(walk, item, err);
	if (code)
		return code < 0 ? code : 0;
	return walk_document(walk, item, depth, preferred, err);
}

/* preferred: the way to the image for the platform leads here. */
static int walk_index(struct walk *walk, const struct nc_manifest *index, int depth, bool preferred, struct nacre_error *err)
{
	int wanted = preferred ? nc_index_choose(index, walk->platform, NULL) : -1, code = 0;
	if (depth > NC_INDEX_DEPTH)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %d indexes in one another", NC_INDEX_DEPTH);
	for (size_t i = 0; i < index->item_count && code >= 0; i++)
		code = walk_item(walk, &index->items[i], depth, wanted >= 0 && (size_t)wanted == i, err);
	return code;
}

int nc_whole_open(const struct nc_manifest *index, const struct nc_platform *platform, const struct nc_whole_reader *reader,
		  struct nc_whole **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_whole_auto) struct nc_whole *whole = nc_zalloc(sizeof *whole);
	NC_CLEANUP(nc_map_auto) struct nc_map *seen = nc_map_new();
	if (!whole || !seen || !(whole->called = nc_map_new()))
		return nc_nomem(err);
	struct walk walk = { .whole = whole, .reader = reader, .platform = platform, .seen = seen };
	int code = walk_index(&walk, index, 0, true, err);
	if (code >= 0 && !whole->image_count)
		code = nc_fail(err, NACRE_E_NOTFOUND, 0, "the index names no image");
	if (code < 0)
		return code;
	*ret = NC_GIVE(whole);
	return 0;
}

void nc_whole_free(struct nc_whole *whole)
{
	if (!whole)
		return;
	for (size_t i = 0; i < whole->count; i++) {
		free(whole->items[i].media_type);
		free(whole->items[i].bytes);
	}
	free(whole->items);
	free(whole->images);
	nc_map_free(whole->called);
	free(whole);
}

/* --- its images ------------------------------------------------------------------------------------------------- */

const struct nc_whole_item *nc_whole_image(const struct nc_whole *whole, size_t i)
{
	return &whole->items[whole->images[i]];
}

/* 1 when key is another image's; else it is this one's from now on. */
static int is_taken(const struct nc_whole *whole, const void *key, size_t len, size_t image, struct nacre_error *err)
{
	uintptr_t owner = (uintptr_t)nc_map_get(whole->called, key, len);
	if (owner)
		return owner != image + 1;
	return nc_map_set(whole->called, key, len, (void *)(uintptr_t)(image + 1), NULL, err);
}

/* "docker.io/library/app:1-linux-arm64-v8"; when there are two of one platform, the second has a part of its digest too. */
static int name_by_platform(const struct nc_whole *whole, size_t image, const char *name, struct nc_offer_box *box,
			    struct nacre_error *err)
{
	const struct nc_config *config = box->parsed;
	struct nc_reference reference;
	char full[NC_REFERENCE_TEXT], hex[NC_DIGEST_TEXT], tag[sizeof reference.tag];
	int code = nc_reference_parse(name, &reference, err);
	nc_digest_hex(&nc_whole_image(whole, image)->digest, hex);
	for (int digits = 0; code >= 0; digits = 12) {
		int len = snprintf(tag, sizeof tag, "%s-%s-%s%s%s%s%.*s", reference.tag, config->os, config->architecture,
				   *config->variant ? "-" : "", config->variant, digits ? "-" : "", digits, hex);
		if (len < 0 || (size_t)len >= sizeof tag || !nc_tag_valid(tag))
			return nc_fail(err, NACRE_E_LIMIT, 0, "the image for %.60s/%.60s cannot be named after its platform",
				       config->os, config->architecture);
		code = is_taken(whole, tag, strlen(tag), image, err);
		if (code == 0 || digits)
			break;
	}
	memcpy(reference.tag, tag, sizeof tag);
	return code < 0 ? code : nc_offer_box_name(box, nc_reference_full(&reference, full), err);
}

int nc_whole_offer(const struct nc_whole *whole, size_t i, const char *const *names, struct nc_offer_box *box,
		   struct nacre_error *err)
{
	struct nc_digest config;
	box->offer.whole = true;
	box->offer.main = i == whole->main;
	int code = nc_digest_of(box->offer.config, box->offer.config_len, &config, err);
	if (code >= 0)
		code = is_taken(whole, &config, sizeof config, i, err);
	if (code < 0 || (code > 0 && !box->offer.main))		/* the same image once more, otherwise compressed */
		return code < 0 ? code : 0;
	code = 0;
	for (; *names && code >= 0; names++)
		code = box->offer.main ? nc_offer_box_name(box, *names, err) : name_by_platform(whole, i, *names, box, err);
	return code;
}
