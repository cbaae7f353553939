#include "image/config.h"

#include "base/mem.h"
#include "image/change.h"
#include "image/gojson.h"

#include <string.h>

#define WHAT "new config"

/* "key":"text" with a comma before it; nothing when the text is absent or empty. */
static int add_text(struct nc_buf *buf, const char *key, const char *text, struct nacre_error *err)
{
	if (!text || !text[0])
		return 0;
	int code = nc_buf_addf(buf, err, ",\"%s\":", key);
	return code < 0 ? code : nc_gojson_string(buf, text, strlen(text), err);
}

/* The runtime's part, its keys in the order of the OCI specification, then Docker's OnBuild. */
static int add_runtime(struct nc_buf *buf, const json_t *runtime, struct nacre_error *err)
{
	static const char *const keys[] = { "User",    "ExposedPorts", "Env",	 "Entrypoint", "Cmd",
					    "Volumes", "WorkingDir",   "Labels", "StopSignal", "OnBuild" };
	const char *lead = "";
	int code = nc_buf_add_text(buf, ",\"config\":{", err);
	for (size_t i = 0; i < sizeof keys / sizeof *keys && code == 0; i++) {
		const json_t *value = json_object_get(runtime, keys[i]);
		if (!value)
			continue;
		code = nc_buf_addf(buf, err, "%s\"%s\":", lead, keys[i]);
		if (code == 0)
			code = nc_gojson_value(buf, value, true, err);
		lead = ",";
	}
	return code < 0 ? code : nc_buf_add(buf, "}", 1, err);
}

static int add_rootfs(struct nc_buf *buf, const struct nc_config_new *facts, struct nacre_error *err)
{
	int code = nc_buf_add_text(buf, ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", err);
	for (size_t i = 0; i < facts->diff_id_count && code == 0; i++) {
		char text[NC_DIGEST_TEXT];
		code = nc_buf_addf(buf, err, "%s\"%s\"", i > 0 ? "," : "", nc_digest_text(&facts->diff_ids[i], text));
	}
	return code < 0 ? code : nc_buf_add_text(buf, "]}", err);
}

/* One entry a layer, the last with the words; an image without layers has one that is empty. */
static int add_history(struct nc_buf *buf, const struct nc_config_new *facts, const char *created,
		       struct nacre_error *err)
{
	size_t n = facts->diff_id_count > 0 ? facts->diff_id_count : 1;
	int code = nc_buf_add_text(buf, ",\"history\":[", err);
	for (size_t i = 0; i < n && code == 0; i++) {
		bool last = i + 1 == n;
		code = nc_buf_addf(buf, err, "%s{\"created\":\"%s\"", i > 0 ? "," : "", created);
		if (code == 0 && last)
			code = add_text(buf, "created_by", facts->created_by, err);
		if (code == 0 && last)
			code = add_text(buf, "author", facts->author, err);
		if (code == 0 && last)
			code = add_text(buf, "comment", facts->comment, err);
		if (code == 0)
			code = nc_buf_add_text(buf, facts->diff_id_count > 0 ? "}" : ",\"empty_layer\":true}", err);
	}
	return code < 0 ? code : nc_buf_add(buf, "]", 1, err);
}

static int write_created(const struct nc_config_new *facts, char ret[40], struct nacre_error *err)
{
	int64_t sec = 0;
	uint32_t nsec;
	nc_gotime_text(facts->created_sec, 0, ret);
	int code = nc_gotime_parse(ret, &sec, &nsec, err);
	if (code == 0 && sec != facts->created_sec)
		code = nc_fail(err, NACRE_E_INVALID, 0, WHAT ": created: outside the years 0 to 9999");
	return code;
}

static int add_config(struct nc_buf *buf, const struct nc_config_new *facts, const json_t *runtime,
		      struct nacre_error *err)
{
	char created[40];
	int code = write_created(facts, created, err);
	if (code == 0)
		code = nc_buf_addf(buf, err, "{\"created\":\"%s\"", created);
	if (code == 0)
		code = add_text(buf, "author", facts->author, err);
	if (code == 0)
		code = add_text(buf, "architecture", facts->architecture, err);
	if (code == 0)
		code = add_text(buf, "os", facts->os, err);
	if (code == 0)
		code = add_text(buf, "variant", facts->variant, err);
	if (code == 0)
		code = add_runtime(buf, runtime, err);
	if (code == 0)
		code = add_rootfs(buf, facts, err);
	if (code == 0)
		code = add_history(buf, facts, created, err);
	return code < 0 ? code : nc_buf_add(buf, "}", 1, err);
}

int nc_config_make(const struct nc_config_new *facts, char **ret, size_t *ret_len, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(NC_JSON_MAX);
	NC_CLEANUP(nc_json_auto) json_t *runtime = json_object();
	if (!runtime)
		return nc_nomem(err);
	if (!facts->architecture || !facts->architecture[0] || !facts->os || !facts->os[0])
		return nc_fail(err, NACRE_E_INVALID, 0, WHAT ": needs an operating system and an architecture");
	int code = 0;
	for (size_t i = 0; i < facts->diff_id_count; i++)
		if (!facts->diff_ids[i].alg)
			return nc_fail(err, NACRE_E_INVALID, 0, WHAT ": layer %zu has no diff ID", i);
	for (size_t i = 0; i < facts->change_count && code == 0; i++)
		code = nc_change_apply(runtime, facts->changes[i], err);
	if (code == 0)
		code = add_config(&buf, facts, runtime, err);
	if (code < 0)
		return code;
	size_t len = buf.len;
	char *bytes = nc_buf_give(&buf);
	if (!bytes)
		return nc_nomem(err);
	*ret = bytes;
	*ret_len = len;
	return 0;
}
