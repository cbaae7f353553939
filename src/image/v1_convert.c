/* From the image JSON of 2015 to a config, byte for byte as Docker 1.10 and its successors do it, since the result's
 * digest is the image's ID:
 *
 *   1. each image of the chain, lowest first, gives one entry of the history
 *   2. the topmost image's JSON is taken; if written by a docker before 1.8.3, it is first decoded and encoded again,
 *      because blank fields came and went between those versions
 *   3. what belonged to the graph is removed, rootfs and history are put in
 *   4. the keys are sorted; the values keep their spelling but for white space and the escaping of <, > and & */
#include "image/config.h"

#include "base/mem.h"
#include "image/gojson.h"
#include "image/v1_fields.h"

#include <stdlib.h>
#include <string.h>

/* ,"key":"text" when the text is there. */
static int add_member(struct nc_buf *buf, const char *key, const char *text, struct nacre_error *err)
{
	if (!text[0])
		return 0;
	int code = nc_buf_addf(buf, err, ",\"%s\":", key);
	return code < 0 ? code : nc_gojson_string(buf, text, strlen(text), err);
}

static int add_created_by(struct nc_buf *buf, char *const *command, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf joined = NC_BUF_INIT(NC_JSON_MAX);
	int code = 0;
	for (size_t i = 0; command[i] && code == 0; i++) {
		if (i > 0)
			code = nc_buf_add(&joined, " ", 1, err);
		if (code == 0)
			code = nc_buf_add_text(&joined, command[i], err);
	}
	return code < 0 ? code : add_member(buf, "created_by", nc_buf_text(&joined), err);
}

static int add_history(struct nc_buf *buf, const struct nc_v1_layer *layer, struct nacre_error *err)
{
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = NULL;
	char created[40];
	int code = nc_v1_image_read(layer->json, layer->json_len, &image, NULL, err);
	if (code < 0)
		return code;
	nc_gotime_text(NC_GOTIME_ZERO, 0, created);
	if (image->created[0])
		code = nc_gotime_respell(image->created, created, err);
	if (code == 0)
		code = nc_buf_addf(buf, err, "%s{\"created\":\"%s\"", buf->len > 1 ? "," : "", created);
	if (code == 0)
		code = add_member(buf, "author", image->author, err);
	if (code == 0)
		code = add_created_by(buf, image->container_cmd, err);
	if (code == 0)
		code = add_member(buf, "comment", image->comment, err);
	if (code == 0 && !layer->diff_id.alg)
		code = nc_buf_add_text(buf, ",\"empty_layer\":true", err);
	return code < 0 ? code : nc_buf_add(buf, "}", 1, err);
}

static int make_history(struct nc_buf *buf, const struct nc_v1_layer *layers, size_t n, struct nacre_error *err)
{
	int code = nc_buf_add(buf, "[", 1, err);
	for (size_t i = 0; i < n && code == 0; i++) {
		code = add_history(buf, &layers[i], err);
		if (code < 0)
			return nc_wrap(err, code, "image %zu of the chain", i + 1);
	}
	return code < 0 ? code : nc_buf_add(buf, "]", 1, err);
}

static int make_rootfs(struct nc_buf *buf, const struct nc_v1_layer *layers, size_t n, struct nacre_error *err)
{
	const char *lead = ",\"diff_ids\":[";
	int code = nc_buf_add_text(buf, "{\"type\":\"layers\"", err);
	for (size_t i = 0; i < n && code == 0; i++) {
		char text[NC_DIGEST_TEXT];
		if (!layers[i].diff_id.alg)
			continue;
		code = nc_buf_addf(buf, err, "%s\"%s\"", lead, nc_digest_text(&layers[i].diff_id, text));
		lead = ",";
	}
	bool some = lead[1] == '\0';
	return code < 0 ? code : nc_buf_add_text(buf, some ? "]}" : "}", err);
}

/* The number that a part of a version is; 0 when it is none (as "3-rc1"), the greatest when it is greater. */
static int64_t version_part(const char *part, size_t len)
{
	int64_t value = 0;
	for (size_t i = 0; i < len; i++) {
		if (part[i] < '0' || part[i] > '9')
			return 0;
		value = value > INT64_MAX / 10 - 1 ? INT64_MAX / 10 : value * 10 + (part[i] - '0');
	}
	return value;
}

static bool version_before_1_8_3(const char *version)
{
	static const int64_t limit[] = { 1, 8, 3 };
	const char *at = version;
	for (size_t i = 0; i < 3; i++) {
		size_t len = strcspn(at, ".");
		int64_t value = version_part(at, len);
		if (value != limit[i])
			return value < limit[i];
		at += len;
		at += *at == '.';
	}
	return false;
}

struct member {
	const char *key;
	const char *value;	/* JSON text */
	size_t len;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_string(const char *text, size_t at)
{
	for (at++; text[at] != '"'; at++)
		at += text[at] == '\\';
	return at + 1;
}

/* The end of the value that begins at at, in valid JSON. */
static size_t skip_value(const char *text, size_t at)
{
	size_t depth = 0;
	do {
		if (text[at] == '"') {
			at = skip_string(text, at);
			continue;
		}
		if (text[at] == '{' || text[at] == '[')
			depth++;
		else if (text[at] == '}' || text[at] == ']')
			depth--;
		at++;
	} while (depth > 0 || !(strchr(",}]", text[at]) || is_space(text[at])));
	return at;
}

/* Finds the text of each member of the object that text is; object is text parsed, and keeps the order of the text. */
static size_t split_members(const char *text, const json_t *object, struct member *ret)
{
	size_t n = 0, at = strcspn(text, "{") + 1;
	const char *key;
	json_t *value, *iterable = (json_t *)(uintptr_t)object; /* iteration takes no const, and changes nothing */
	json_object_foreach(iterable, key, value) {
		(void)value;
		while (is_space(text[at]) || text[at] == ',')
			at++;
		at = skip_string(text, at);
		while (is_space(text[at]) || text[at] == ':')
			at++;
		size_t end = skip_value(text, at);
		ret[n++] = (struct member){ .key = key, .value = text + at, .len = end - at };
		at = end;
	}
	return n;
}

static bool belongs_to_the_graph(const char *key)
{
	static const char *const keys[] = { "id",	 "parent",    "Size",	"parent_id",
					    "layer_id", "throwaway", "rootfs", "history" };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static int compare_members(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static int add_members(struct nc_buf *buf, const struct member *members, size_t n, struct nacre_error *err)
{
	int code = nc_buf_add(buf, "{", 1, err);
	for (size_t i = 0; i < n && code == 0; i++) {
		if (i > 0)
			code = nc_buf_add(buf, ",", 1, err);
		if (code == 0)
			code = nc_gojson_string(buf, members[i].key, strlen(members[i].key), err);
		if (code == 0)
			code = nc_buf_add(buf, ":", 1, err);
		if (code == 0)
			code = nc_gojson_compact(buf, members[i].value, members[i].len, err);
	}
	return code < 0 ? code : nc_buf_add(buf, "}", 1, err);
}

/* text: the topmost image's JSON, NUL-terminated and valid; object: the same parsed. */
static int rewrite(struct nc_buf *buf, const char *text, const json_t *object, const struct nc_buf *rootfs,
		   const struct nc_buf *history, struct nacre_error *err)
{
	size_t kept = 0, n = json_object_size(object);
	NC_AUTO_FREE struct member *members = nc_realloc_array(NULL, n + 2, sizeof *members);
	if (!members)
		return nc_nomem(err);
	split_members(text, object, members);
	for (size_t i = 0; i < n; i++)
		if (!belongs_to_the_graph(members[i].key))
			members[kept++] = members[i];
	members[kept++] = (struct member){ .key = "rootfs", .value = rootfs->data, .len = rootfs->len };
	members[kept++] = (struct member){ .key = "history", .value = history->data, .len = history->len };
	qsort(members, kept, sizeof *members, compare_members);
	return add_members(buf, members, kept, err);
}

/* Whether the text can be taken apart member by member: no key is there twice, in whatever case. */
static bool is_plain(const char *text, size_t len)
{
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = NULL;
	return nc_v1_image_parse(text, len, &image, NULL) == 0;
}

/* The JSON as the rewriting takes it: ret_text (given) and parsed. */
static int normalise(const struct nc_v1_layer *top, char **ret_text, json_t **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_json_auto) json_t *object = NULL;
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = NULL;
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(NC_JSON_MAX);
	size_t used;
	int code = nc_v1_image_read(top->json, top->json_len, &image, &used, err);
	if (code == 0)
		code = nc_json_parse_first(top->json, used, "v1 image", &object, NULL, err);
	if (code < 0)
		return code;
	bool again = version_before_1_8_3(image->docker_version) || !is_plain(top->json, used);
	if (again)
		nc_v1_last_wins(object);
	code = again ? nc_v1_encode(&buf, object, NC_V1_DOCKER_1_10, err)
		     : nc_buf_add(&buf, top->json, used, err);
	if (code == 0 && again) {
		json_decref(NC_GIVE(object));
		code = nc_json_parse(buf.data, buf.len, "v1 image", &object, err);
	}
	if (code < 0)
		return code;
	char *text = nc_buf_give(&buf);
	if (!text)
		return nc_nomem(err);
	*ret_text = text;
	*ret = NC_GIVE(object);
	return 0;
}

int nc_config_from_v1(const struct nc_v1_layer *layers, size_t n, char **ret, size_t *ret_len, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf rootfs = NC_BUF_INIT(NC_JSON_MAX);
	NC_AUTO_BUF struct nc_buf history = NC_BUF_INIT(NC_JSON_MAX);
	NC_AUTO_BUF struct nc_buf config = NC_BUF_INIT(NC_JSON_MAX);
	NC_AUTO_FREE char *text = NULL;
	NC_CLEANUP(nc_json_auto) json_t *object = NULL;
	if (n == 0)
		return nc_fail(err, NACRE_E_INVALID, 0, "no image to make a config of");
	int code = make_history(&history, layers, n, err);
	if (code == 0)
		code = make_rootfs(&rootfs, layers, n, err);
	if (code == 0)
		code = normalise(&layers[n - 1], &text, &object, err);
	if (code == 0)
		code = rewrite(&config, text, object, &rootfs, &history, err);
	if (code < 0)
		return code;
	size_t len = config.len;
	char *bytes = nc_buf_give(&config);
	if (!bytes)
		return nc_nomem(err);
	*ret = bytes;
	*ret_len = len;
	return 0;
}
