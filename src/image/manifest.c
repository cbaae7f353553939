#include "image/manifest.h"

#include "base/mem.h"
#include "image/field.h"
#include "image/gojson.h"
#include "image/schema1.h"

#include <stdlib.h>
#include <string.h>

#define LAYERS_MAX 4096
#define MANIFESTS_MAX 65536
#define WHAT "manifest"

/* What a media type says about a document. */
static const struct document_type {
	const char *media_type;
	enum nc_document_kind kind;
	bool docker;
} document_types[] = {
	{ NC_MEDIA_OCI_MANIFEST, NC_DOC_MANIFEST, false },
	{ NC_MEDIA_OCI_INDEX, NC_DOC_INDEX, false },
	{ NC_MEDIA_DOCKER_MANIFEST, NC_DOC_MANIFEST, true },
	{ NC_MEDIA_DOCKER_LIST, NC_DOC_INDEX, true },
};

static const struct document_type *find_type(const char *media_type)
{
	for (size_t i = 0; i < sizeof document_types / sizeof *document_types; i++)
		if (strcmp(document_types[i].media_type, media_type) == 0)
			return &document_types[i];
	return NULL;
}

bool nc_media_type_is_index(const char *media_type)
{
	const struct document_type *type = find_type(media_type);
	return type && type->kind == NC_DOC_INDEX;
}

bool nc_media_type_is_document(const char *media_type)
{
	return !*media_type || find_type(media_type);
}

static int schema_1(struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_UNSUPPORTED, 0,
		       WHAT ": of Docker's schema 1, which only 'nacre pull' reads");
}

/* The kind that the fields show, or a failure when they show both or none. */
static int kind_of_fields(const json_t *document, struct nacre_error *err)
{
	static const char *const keys[] = { "schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests",
					    "fsLayers", "blobs", NULL };
	int code = nc_field_refuse_lookalikes(document, WHAT ": ", keys, err);
	if (code < 0)
		return code;
	const json_t *version = json_object_get(document, "schemaVersion");
	if (!json_is_integer(version))
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": schemaVersion: %s",
			       version ? "must be an integer" : "missing");
	if (json_integer_value(version) == 1)
		return schema_1(err);
	if (json_integer_value(version) != 2)
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": schemaVersion: %" JSON_INTEGER_FORMAT ", not 2",
			       json_integer_value(version));
	bool manifest = json_object_get(document, "config") || json_object_get(document, "layers");
	bool index = json_object_get(document, "manifests");
	if (json_object_get(document, "fsLayers") || json_object_get(document, "blobs"))
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": has fields of another kind of document ('%s')",
			       json_object_get(document, "blobs") ? "blobs" : "fsLayers");
	if (manifest && index)
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": has the fields of a manifest and those of an index");
	if (!manifest && !index)
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": has neither layers nor manifests");
	return manifest ? NC_DOC_MANIFEST : NC_DOC_INDEX;
}

/* Settles kind, docker and media_type; all three witnesses must agree. */
static int settle_type(const json_t *document, const char *announced, struct nc_manifest *manifest,
		       struct nacre_error *err)
{
	NC_AUTO_FREE char *own = NULL;
	int code = nc_field_text(document, WHAT ": ", "mediaType", &own, err);
	if (code < 0)
		return code;
	if (announced && announced[0] && own[0] && strcmp(announced, own) != 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": announced as %.150s, but says of itself %.150s", announced,
			       own);
	const char *media_type = own[0] ? own : announced ? announced : "";
	if (strcmp(media_type, NC_MEDIA_SCHEMA1) == 0 || strcmp(media_type, NC_MEDIA_SCHEMA1_SIGNED) == 0)
		return schema_1(err);
	int kind = kind_of_fields(document, err);
	if (kind < 0)
		return kind;
	if (!media_type[0])
		media_type = kind == NC_DOC_INDEX ? NC_MEDIA_OCI_INDEX : NC_MEDIA_OCI_MANIFEST;
	const struct document_type *type = find_type(media_type);
	if (!type)
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": media type '%.150s' is not a manifest's or an index's",
			       media_type);
	if ((int)type->kind != kind)
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": media type %s, but the fields of %s", media_type,
			       kind == NC_DOC_INDEX ? "an index" : "a manifest");
	manifest->kind = type->kind;
	manifest->docker = type->docker;
	manifest->media_type = nc_strdup(media_type);
	return manifest->media_type ? 0 : nc_nomem(err);
}

static int parse_platform(const json_t *descriptor, const char *where, struct nc_descriptor *ret,
			  struct nacre_error *err)
{
	static const char *const keys[] = { "os", "architecture", "variant", "os.version", NULL };
	char *const fields[] = { ret->platform.os, ret->platform.architecture, ret->platform.variant,
				 ret->platform.os_version };
	char inner[NC_WHERE];
	const json_t *platform = NULL;
	int code = nc_field_get(descriptor, where, "platform", JSON_OBJECT, &platform, err);
	if (code < 0 || !platform)
		return code;
	ret->has_platform = true;
	nc_where(inner, "%splatform.", where);
	code = nc_field_refuse_lookalikes(platform, inner, keys, err);
	for (size_t i = 0; keys[i] && code == 0; i++)
		code = nc_field_text_fixed(platform, inner, keys[i], fields[i], sizeof ret->platform.os, err);
	return code;
}

static int parse_annotations(const json_t *descriptor, const char *where, struct nc_descriptor *ret,
			     struct nacre_error *err)
{
	char inner[NC_WHERE];
	const json_t *annotations = NULL;
	int code = nc_field_get(descriptor, where, "annotations", JSON_OBJECT, &annotations, err);
	if (code < 0)
		return code;
	nc_where(inner, "%sannotations.", where);
	code = nc_field_text(annotations, inner, "org.opencontainers.image.ref.name", &ret->ref_name, err);
	return code < 0 ? code : nc_field_text(annotations, inner, "io.containerd.image.name", &ret->image_name, err);
}

/* where names the descriptor, without a separator. */
static int parse_descriptor(const json_t *descriptor, const char *where, struct nc_descriptor *ret,
			    struct nacre_error *err)
{
	static const char *const keys[] = { "mediaType", "digest", "size", "platform", "annotations", NULL };
	char inner[NC_WHERE];
	nc_where(inner, "%s.", where);
	int code = nc_field_expect(descriptor, where, JSON_OBJECT, err);
	if (code == 0)
		code = nc_field_refuse_lookalikes(descriptor, inner, keys, err);
	if (code == 0)
		code = nc_field_text(descriptor, inner, "mediaType", &ret->media_type, err);
	if (code == 0)
		code = nc_field_digest(descriptor, inner, "digest", &ret->digest, err);
	if (code == 0)
		code = nc_field_size(descriptor, inner, "size", &ret->size, err);
	if (code == 0)
		code = parse_platform(descriptor, inner, ret, err);
	return code < 0 ? code : parse_annotations(descriptor, inner, ret, err);
}

static int parse_items(const json_t *document, const char *key, size_t max, struct nc_manifest *manifest,
		       struct nacre_error *err)
{
	const json_t *array = NULL;
	int code = nc_field_get(document, WHAT ": ", key, JSON_ARRAY, &array, err);
	if (code < 0)
		return code;
	size_t n = json_array_size(array);
	if (n > max)
		return nc_fail(err, NACRE_E_LIMIT, 0, WHAT ": %s: %zu of them, more than %zu", key, n, max);
	manifest->items = nc_zalloc(n * sizeof *manifest->items);
	if (!manifest->items)
		return nc_nomem(err);
	manifest->item_count = n;
	for (size_t i = 0; i < n && code == 0; i++) {
		char where[NC_WHERE];
		nc_where(where, WHAT ": %s[%zu]", key, i);
		code = parse_descriptor(json_array_get(array, i), where, &manifest->items[i], err);
	}
	return code;
}

static int parse_config(const json_t *document, struct nc_manifest *manifest, struct nacre_error *err)
{
	const json_t *config = json_object_get(document, "config");
	if (!config)
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": config: missing");
	return parse_descriptor(config, WHAT ": config", &manifest->config, err);
}

int nc_manifest_parse(const char *bytes, size_t len, const char *announced, struct nc_manifest **ret,
		      struct nacre_error *err)
{
	NC_CLEANUP(nc_json_auto) json_t *document = NULL;
	int code = nc_json_parse(bytes, len, WHAT, &document, err);
	if (code == 0)
		code = nc_field_expect(document, WHAT, JSON_OBJECT, err);
	if (code < 0)
		return code;
	NC_CLEANUP(nc_manifest_auto) struct nc_manifest *manifest = nc_zalloc(sizeof *manifest);
	if (!manifest)
		return nc_nomem(err);
	code = settle_type(document, announced, manifest, err);
	if (code == 0)
		code = nc_field_text(document, WHAT ": ", "artifactType", &manifest->artifact_type, err);
	if (code == 0 && manifest->kind == NC_DOC_MANIFEST)
		code = parse_config(document, manifest, err);
	if (code == 0 && manifest->kind == NC_DOC_MANIFEST)
		code = parse_items(document, "layers", LAYERS_MAX, manifest, err);
	if (code == 0 && manifest->kind == NC_DOC_INDEX)
		code = parse_items(document, "manifests", MANIFESTS_MAX, manifest, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(manifest);
	return 0;
}

static void release_descriptor(struct nc_descriptor *descriptor)
{
	free(descriptor->media_type);
	free(descriptor->ref_name);
	free(descriptor->image_name);
}

void nc_manifest_free(struct nc_manifest *manifest)
{
	if (!manifest)
		return;
	release_descriptor(&manifest->config);
	for (size_t i = 0; i < manifest->item_count; i++)
		release_descriptor(&manifest->items[i]);
	free(manifest->items);
	free(manifest->media_type);
	free(manifest->artifact_type);
	free(manifest);
}
