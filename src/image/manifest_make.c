#include "image/manifest.h"

#include "base/buf.h"
#include "image/gojson.h"

#include <inttypes.h>
#include <string.h>

static const struct layer_type {
	enum nc_codec codec;
	const char *oci, *docker;
} layer_types[] = {
	{ NC_PLAIN, NC_MEDIA_OCI_LAYER, "application/vnd.docker.image.rootfs.diff.tar" },
	{ NC_GZIP, NC_MEDIA_OCI_LAYER "+gzip", NC_MEDIA_DOCKER_LAYER_GZIP },
	{ NC_ZSTD, NC_MEDIA_OCI_LAYER "+zstd", "application/vnd.docker.image.rootfs.diff.tar.zstd" },
};

const char *nc_layer_media_type(bool docker, enum nc_codec codec)
{
	for (size_t i = 0; i < sizeof layer_types / sizeof *layer_types; i++)
		if (layer_types[i].codec == codec)
			return docker ? layer_types[i].docker : layer_types[i].oci;
	return NULL;
}

bool nc_media_type_is_layer(const char *media_type)
{
	static const char *const nondistributable[] = {
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
	};
	for (size_t i = 0; i < sizeof layer_types / sizeof *layer_types; i++)
		if (strcmp(media_type, layer_types[i].oci) == 0 || strcmp(media_type, layer_types[i].docker) == 0)
			return true;
	for (size_t i = 0; i < sizeof nondistributable / sizeof *nondistributable; i++)
		if (strcmp(media_type, nondistributable[i]) == 0)
			return true;
	return false;
}

/* "key":"text" with lead before it; nothing when the text is empty. */
static int add_text(struct nc_buf *buf, const char *lead, const char *key, const char *text, struct nacre_error *err)
{
	if (!text || !text[0])
		return 0;
	int code = nc_buf_addf(buf, err, "%s\"%s\":", lead, key);
	return code < 0 ? code : nc_gojson_string(buf, text, strlen(text), err);
}

static int add_annotations(struct nc_buf *buf, const struct nc_descriptor *descriptor, struct nacre_error *err)
{
	bool image = descriptor->image_name && descriptor->image_name[0];
	bool ref = descriptor->ref_name && descriptor->ref_name[0];
	if (!image && !ref)
		return 0;
	int code = nc_buf_add_text(buf, ",\"annotations\":{", err);
	if (code == 0)
		code = add_text(buf, "", "io.containerd.image.name", descriptor->image_name, err);
	if (code == 0)
		code = add_text(buf, image ? "," : "", "org.opencontainers.image.ref.name", descriptor->ref_name, err);
	return code < 0 ? code : nc_buf_add(buf, "}", 1, err);
}

static int add_platform(struct nc_buf *buf, const struct nc_platform *platform, struct nacre_error *err)
{
	int code = nc_buf_add_text(buf, ",\"platform\":{\"architecture\":", err);
	if (code == 0)
		code = nc_gojson_string(buf, platform->architecture, strlen(platform->architecture), err);
	if (code == 0)
		code = nc_buf_add_text(buf, ",\"os\":", err);
	if (code == 0)
		code = nc_gojson_string(buf, platform->os, strlen(platform->os), err);
	if (code == 0)
		code = add_text(buf, ",", "os.version", platform->os_version, err);
	if (code == 0)
		code = add_text(buf, ",", "variant", platform->variant, err);
	return code < 0 ? code : nc_buf_add(buf, "}", 1, err);
}

static int add_descriptor(struct nc_buf *buf, const struct nc_descriptor *descriptor, struct nacre_error *err)
{
	char digest[NC_DIGEST_TEXT];
	if (!descriptor->digest.alg)
		return nc_fail(err, NACRE_E_INVALID, 0, "a manifest cannot name something without a digest");
	int code = nc_buf_add(buf, "{", 1, err);
	if (code == 0)
		code = add_text(buf, "", "mediaType", descriptor->media_type, err);
	bool typed = descriptor->media_type && descriptor->media_type[0];
	if (code == 0)
		code = nc_buf_addf(buf, err, "%s\"digest\":\"%s\",\"size\":%" PRIu64, typed ? "," : "",
				   nc_digest_text(&descriptor->digest, digest), descriptor->size);
	if (code == 0)
		code = add_annotations(buf, descriptor, err);
	if (code == 0 && descriptor->has_platform)
		code = add_platform(buf, &descriptor->platform, err);
	return code < 0 ? code : nc_buf_add(buf, "}", 1, err);
}

int nc_manifest_make(const struct nc_manifest *manifest, char **ret, size_t *ret_len, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(NC_JSON_MAX);
	bool index = manifest->kind == NC_DOC_INDEX;
	int code = nc_buf_add_text(&buf, "{\"schemaVersion\":2", err);
	if (code == 0)
		code = add_text(&buf, ",", "mediaType", manifest->media_type, err);
	if (code == 0)
		code = add_text(&buf, ",", "artifactType", manifest->artifact_type, err);
	if (code == 0 && !index)
		code = nc_buf_add_text(&buf, ",\"config\":", err);
	if (code == 0 && !index)
		code = add_descriptor(&buf, &manifest->config, err);
	if (code == 0)
		code = nc_buf_add_text(&buf, index ? ",\"manifests\":[" : ",\"layers\":[", err);
	for (size_t i = 0; i < manifest->item_count && code == 0; i++) {
		if (i > 0)
			code = nc_buf_add(&buf, ",", 1, err);
		if (code == 0)
			code = add_descriptor(&buf, &manifest->items[i], err);
	}
	if (code == 0)
		code = nc_buf_add(&buf, "]}", 2, err);
	if (code < 0)
		return nc_wrap(err, code, "manifest");
	size_t len = buf.len;
	char *bytes = nc_buf_give(&buf);
	if (!bytes)
		return nc_nomem(err);
	*ret = bytes;
	*ret_len = len;
	return 0;
}
