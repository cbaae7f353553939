#include "image/schema1.h"

#include "base/base64.h"
#include "base/mem.h"
#include "image/field.h"
#include "image/gojson.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 4096
#define WHAT "manifest of schema 1"

bool nc_is_schema1(const char *media_type, const char *bytes, size_t len)
{
	NC_CLEANUP(nc_json_auto) json_t *document = NULL;
	if (!strcmp(media_type, NC_MEDIA_SCHEMA1) || !strcmp(media_type, NC_MEDIA_SCHEMA1_SIGNED))
		return true;
	/* registries of that time said "application/json", or nothing */
	if ((*media_type && strcmp(media_type, "application/json")) || nc_json_parse(bytes, len, WHAT, &document, NULL) < 0)
		return false;
	const json_t *version = json_object_get(document, "schemaVersion");
	return json_is_integer(version) && json_integer_value(version) == 1;
}

/* --- the signature ---------------------------------------------------------------------------------------------- */

/* base64url without padding, in place. */
static int decode(char *text, size_t *ret_len, struct nacre_error *err)
{
	for (char *c = text; *c; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	ssize_t len = nc_base64_decode(text, strlen(text), text);
	if (len < 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": a signature is not base64");
	*ret_len = (size_t)len;
	return 0;
}

/* What the signer says of the signed bytes: so many from the front, and then the tail (given). */
static int read_protected(const json_t *signature, uint64_t *ret_front, char **ret_tail, size_t *ret_tail_len,
			  struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	NC_CLEANUP(nc_json_auto) json_t *facts = NULL;
	size_t len = 0;
	int code = nc_field_text(signature, WHAT ": signatures[0].", "protected", &text, err);
	if (code == 0)
		code = decode(text, &len, err);
	if (code == 0)
		code = nc_json_parse(text, len, WHAT ": signatures[0].protected", &facts, err);
	if (code == 0)
		code = nc_field_size(facts, WHAT ": signatures[0].protected.", "formatLength", ret_front, err);
	if (code == 0)
		code = nc_field_text(facts, WHAT ": signatures[0].protected.", "formatTail", ret_tail, err);
	return code < 0 ? code : decode(*ret_tail, ret_tail_len, err);
}

int nc_schema1_payload(const char *bytes, size_t len, struct nc_buf *ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_json_auto) json_t *document = NULL;
	NC_AUTO_FREE char *tail = NULL;
	const json_t *signatures = NULL;
	uint64_t front;
	size_t tail_len = 0;
	int code = nc_json_parse(bytes, len, WHAT, &document, err);
	if (code == 0)
		code = nc_field_get(document, WHAT ": ", "signatures", JSON_ARRAY, &signatures, err);
	if (code < 0)
		return code;
	if (json_array_size(signatures) == 0)
		return nc_buf_add(ret, bytes, len, err);
	code = nc_field_expect(json_array_get(signatures, 0), WHAT ": signatures[0]", JSON_OBJECT, err);
	if (code == 0)
		code = read_protected(json_array_get(signatures, 0), &front, &tail, &tail_len, err);
	if (code == 0 && front > len)
		code = nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": a signature is over more bytes than there are");
	if (code == 0)
		code = nc_buf_add(ret, bytes, (size_t)front, err);
	return code < 0 ? code : nc_buf_add(ret, tail, tail_len, err);
}

/* --- layers ----------------------------------------------------------------------------------------------------- */

/* Whether the image brought nothing but settings. */
static int is_throwaway(const struct nc_schema1_item *item, bool *ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_json_auto) json_t *image = NULL;
	int code = nc_json_parse_first(item->json, item->json_len, WHAT ": v1Compatibility", &image, NULL, err);
	return code < 0 ? code : nc_field_bool(image, WHAT ": v1Compatibility.", "throwaway", ret, err);
}

static int read_item(const json_t *layer, const json_t *history, size_t i, struct nc_schema1_item *ret,
		     struct nacre_error *err)
{
	char where[NC_WHERE];
	bool throwaway = false;
	nc_where(where, WHAT ": history[%zu]", i);
	int code = nc_field_expect(history, where, JSON_OBJECT, err);
	nc_where(where, WHAT ": history[%zu].", i);
	if (code == 0)
		code = nc_field_text(history, where, "v1Compatibility", &ret->json, err);
	if (code < 0)
		return code;
	ret->json_len = strlen(ret->json);
	code = is_throwaway(ret, &throwaway, err);
	nc_where(where, WHAT ": fsLayers[%zu]", i);
	if (code == 0)
		code = nc_field_expect(layer, where, JSON_OBJECT, err);
	nc_where(where, WHAT ": fsLayers[%zu].", i);
	return code < 0 || throwaway ? code : nc_field_digest(layer, where, "blobSum", &ret->blob, err);
}

int nc_schema1_parse(const char *bytes, size_t len, struct nc_schema1 **ret, struct nacre_error *err)
{
	static const char *const keys[] = { "schemaVersion", "fsLayers", "history", "signatures", "config", "layers",
					    "manifests", NULL };
	NC_CLEANUP(nc_json_auto) json_t *document = NULL;
	NC_CLEANUP(nc_schema1_auto) struct nc_schema1 *manifest = nc_zalloc(sizeof *manifest);
	const json_t *layers = NULL, *history = NULL;
	if (!manifest)
		return nc_nomem(err);
	int code = nc_json_parse(bytes, len, WHAT, &document, err);
	if (code == 0)
		code = nc_field_refuse_lookalikes(document, WHAT ": ", keys, err);
	if (code == 0)
		code = nc_field_get(document, WHAT ": ", "fsLayers", JSON_ARRAY, &layers, err);
	if (code == 0)
		code = nc_field_get(document, WHAT ": ", "history", JSON_ARRAY, &history, err);
	if (code < 0)
		return code;
	if (json_object_get(document, "layers") || json_object_get(document, "manifests"))
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": has fields of another kind of document");
	size_t count = json_array_size(layers);
	if (count == 0 || count != json_array_size(history))
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": %zu layers and %zu entries of history", count,
			       json_array_size(history));
	if (count > ITEMS_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, WHAT ": more than %d layers", ITEMS_MAX);
	manifest->items = nc_zalloc(count * sizeof *manifest->items);
	if (!manifest->items)
		return nc_nomem(err);
	manifest->count = count;
	for (size_t i = 0; i < count && code == 0; i++)
		code = read_item(json_array_get(layers, i), json_array_get(history, i), i, &manifest->items[count - 1 - i],
				 err);
	if (code == 0)
		*ret = NC_GIVE(manifest);
	return code;
}

void nc_schema1_free(struct nc_schema1 *manifest)
{
	if (!manifest)
		return;
	for (size_t i = 0; i < manifest->count; i++)
		free(manifest->items[i].json);
	free(manifest->items);
	free(manifest);
}

int nc_schema1_config(const struct nc_schema1 *manifest, char **ret, size_t *ret_len, struct nacre_error *err)
{
	NC_AUTO_FREE struct nc_v1_layer *layers = nc_realloc_array(NULL, manifest->count, sizeof *layers);
	if (!layers)
		return nc_nomem(err);
	for (size_t i = 0; i < manifest->count; i++)
		layers[i] = (struct nc_v1_layer){ manifest->items[i].json, manifest->items[i].json_len,
						  manifest->items[i].diff_id };
	return nc_config_from_v1(layers, manifest->count, ret, ret_len, err);
}
