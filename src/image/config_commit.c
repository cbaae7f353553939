/* Configs made out of another: what a commit puts on top of an image. What is not understood stays. */
#include "image/config.h"

#include "image/change.h"
#include "image/gojson.h"

#include <string.h>

#define WHAT "config"

/* Takes value. */
static int put(json_t *object, const char *key, json_t *value, struct nacre_error *err)
{
	return json_object_set_new(object, key, value) < 0 ? nc_nomem(err) : 0;
}

/* Changes lines into the "config" of document. */
static int apply_changes(json_t *document, const char *const *changes, size_t count, struct nacre_error *err)
{
	json_t *runtime = json_object_get(document, "config");
	int code = 0;
	if (!json_is_object(runtime))
		code = put(document, "config", runtime = json_object(), err);
	for (size_t i = 0; i < count && code == 0; i++)
		code = nc_change_apply(runtime, changes[i], err);
	return code;
}

/* An array in object: made when there is none. */
static int ensure_array(json_t *object, const char *key, json_t **ret, struct nacre_error *err)
{
	*ret = json_object_get(object, key);
	return json_is_array(*ret) ? 0 : put(object, key, *ret = json_array(), err);
}

static int append(json_t *array, json_t *value, struct nacre_error *err)
{
	return json_array_append_new(array, value) < 0 ? nc_nomem(err) : 0;
}

/* A config without history has one entry a layer from now on, so that the new one tells about its own. */
static int fill_history(json_t *history, size_t layers, const char *created, struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; i < layers && code == 0 && json_array_size(history) < layers; i++)
		code = append(history, json_pack("{s:s}", "created", created), err);
	return code;
}

static int add_history(json_t *document, const struct nc_config_commit *facts, const char *created,
		       const char *before, size_t layers, struct nacre_error *err)
{
	json_t *history = NULL, *entry = json_pack("{s:s}", "created", created);
	NC_CLEANUP(nc_json_auto) json_t *mine = entry;
	const char *const texts[][2] = { { "created_by", facts->created_by }, { "author", facts->author },
					 { "comment", facts->comment } };
	int code = entry ? 0 : nc_nomem(err);
	for (size_t i = 0; i < sizeof texts / sizeof *texts && code == 0; i++)
		if (texts[i][1] && *texts[i][1])
			code = put(entry, texts[i][0], json_string(texts[i][1]), err);
	if (code == 0 && !facts->diff_id)
		code = put(entry, "empty_layer", json_true(), err);
	if (code == 0)
		code = ensure_array(document, "history", &history, err);
	if (code == 0 && json_array_size(history) == 0)
		code = fill_history(history, layers, before, err);
	return code < 0 ? code : append(history, json_incref(mine), err);
}

static int add_layer(json_t *document, const struct nc_digest *diff_id, struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	json_t *rootfs = json_object_get(document, "rootfs"), *list = NULL;
	int code = 0;
	if (!json_is_object(rootfs))
		code = put(document, "rootfs", rootfs = json_pack("{s:s}", "type", "layers"), err);
	if (code == 0)
		code = ensure_array(rootfs, "diff_ids", &list, err);
	return code < 0 ? code : append(list, json_string(nc_digest_text(diff_id, text)), err);
}

static int give(struct nc_buf *buf, char **ret, size_t *ret_len, struct nacre_error *err)
{
	size_t len = buf->len;
	char *bytes = nc_buf_give(buf);
	if (!bytes)
		return nc_nomem(err);
	*ret = bytes;
	if (ret_len)
		*ret_len = len;
	return 0;
}

/* What docker noted about the container that the image below was made in. */
static void forget_container(json_t *document)
{
	static const char *const keys[] = { "container", "container_config", "docker_version", "id", "parent",
					    "parent_id", "throwaway" };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		json_object_del(document, keys[i]);
}

static int change(json_t *document, const struct nc_config *below, const struct nc_config_commit *facts,
		  struct nacre_error *err)
{
	char created[40];
	nc_gotime_text(facts->created_sec, 0, created);
	forget_container(document);
	int code = apply_changes(document, facts->changes, facts->change_count, err);
	if (code == 0)
		code = add_history(document, facts, created, *below->created ? below->created : created,
				   below->diff_id_count, err);
	if (code == 0 && facts->diff_id)
		code = add_layer(document, facts->diff_id, err);
	if (code == 0)
		code = put(document, "created", json_string(created), err);
	if (code == 0 && facts->author && *facts->author)
		code = put(document, "author", json_string(facts->author), err);
	return code;
}

int nc_config_commit(const char *config, size_t len, const struct nc_config_commit *facts, char **ret,
		     size_t *ret_len, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(NC_JSON_MAX);
	NC_CLEANUP(nc_config_auto) struct nc_config *below = NULL;
	NC_CLEANUP(nc_json_auto) json_t *document = NULL;
	int code = nc_config_parse(config, len, &below, err);
	if (code == 0)
		code = nc_json_parse(config, len, WHAT, &document, err);
	if (code == 0)
		code = change(document, below, facts, err);
	if (code == 0)
		code = nc_gojson_value(&buf, document, true, err);
	return code < 0 ? code : give(&buf, ret, ret_len, err);
}

int nc_config_of_v1_changed(const char *json, size_t len, const char *const *changes, size_t count, char **ret,
			    struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(NC_JSON_MAX);
	NC_CLEANUP(nc_json_auto) json_t *document = NULL;
	int code = nc_json_parse(json, len, "image description", &document, err);
	if (code == 0)
		code = apply_changes(document, changes, count, err);
	if (code == 0)
		code = nc_gojson_value(&buf, json_object_get(document, "config"), false, err);
	return code < 0 ? code : give(&buf, ret, NULL, err);
}
