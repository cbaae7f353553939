#include "image/config.h"

#include "base/mem.h"
#include "image/field.h"
#include "image/gojson.h"
#include "image/v1_fields.h"

#include <stdlib.h>
#include <string.h>

/* A string field under Go's rule for keys; given, "" when absent. The types were checked. */
static int take_text(const json_t *object, const char *key, char **ret, struct nacre_error *err)
{
	const json_t *value = NULL;
	int code = nc_v1_find(object, NC_V1_WHERE, key, &value, err);
	if (code < 0)
		return code;
	char *text = nc_strdup(json_is_string(value) ? json_string_value(value) : "");
	if (!text)
		return nc_nomem(err);
	*ret = text;
	return 0;
}

static int take_texts(const json_t *document, struct nc_v1_image *image, struct nacre_error *err)
{
	const struct {
		const char *key;
		char **ret;
	} fields[] = {
		{ "id", &image->id },
		{ "parent", &image->parent },
		{ "comment", &image->comment },
		{ "created", &image->created },
		{ "container", &image->container },
		{ "docker_version", &image->docker_version },
		{ "author", &image->author },
		{ "architecture", &image->architecture },
		{ "os", &image->os },
	};
	int code = 0;
	for (size_t i = 0; i < sizeof fields / sizeof *fields && code == 0; i++)
		code = take_text(document, fields[i].key, fields[i].ret, err);
	return code;
}

/* The grammar of IDs stands before everything that is done with one. */
static int check_id(const char *key, const char *id, struct nacre_error *err)
{
	struct nc_digest digest;
	if (!id[0] || nc_digest_from_hex_id(id, &digest, NULL) == 0)
		return 0;
	return nc_fail(err, NACRE_E_BADDATA, 0, NC_V1_WHERE "%s: '%.100s' is not 64 lowercase hex digits", key, id);
}

/* Docker 1.9 may name the parent by a digest instead. */
static int take_parent_id(const json_t *document, struct nc_v1_image *image, struct nacre_error *err)
{
	const json_t *value = NULL;
	struct nc_digest digest;
	char hex[NC_DIGEST_TEXT];
	int code = nc_v1_find(document, NC_V1_WHERE, "parent_id", &value, err);
	if (code < 0 || !json_is_string(value) || nc_digest_parse(json_string_value(value), &digest, NULL) < 0 ||
	    digest.alg != NC_SHA256)
		return code;
	char *parent = nc_strdup(nc_digest_hex(&digest, hex));
	if (!parent)
		return nc_nomem(err);
	free(image->parent);
	image->parent = parent;
	return 0;
}

static int take_ids(const json_t *document, struct nc_v1_image *image, struct nacre_error *err)
{
	int code = check_id("id", image->id, err);
	if (code == 0)
		code = check_id("parent", image->parent, err);
	if (code == 0 && !image->parent[0])
		code = take_parent_id(document, image, err);
	return code;
}

static int take_time(struct nc_v1_image *image, struct nacre_error *err)
{
	image->created_sec = NC_GOTIME_ZERO;
	if (!image->created[0])
		return 0;
	int code = nc_gotime_parse(image->created, &image->created_sec, &image->created_nsec, err);
	return code < 0 ? nc_wrap(err, code, NC_V1_WHERE "created") : 0;
}

static int take_size(const json_t *document, struct nc_v1_image *image, struct nacre_error *err)
{
	const json_t *value = NULL;
	int code = nc_v1_find(document, NC_V1_WHERE, "Size", &value, err);
	if (code < 0)
		return code;
	image->size = value ? json_integer_value(value) : -1;
	return value && image->size < 0 ? nc_fail(err, NACRE_E_BADDATA, 0, NC_V1_WHERE "Size: negative") : 0;
}

static int take_command(const json_t *document, struct nc_v1_image *image, struct nacre_error *err)
{
	const json_t *config = NULL, *command = NULL;
	int code = nc_v1_find(document, NC_V1_WHERE, "container_config", &config, err);
	if (code == 0 && config)
		code = nc_v1_find(config, NC_V1_WHERE "container_config.", "Cmd", &command, err);
	if (code < 0)
		return code;
	/* under its exact key, for the reader of fields */
	NC_CLEANUP(nc_json_auto) json_t *exact = json_object();
	json_t *shared = command ? json_incref((json_t *)(uintptr_t)command) : json_null();
	if (json_object_set_new(exact, "Cmd", shared) < 0)
		return nc_nomem(err);
	return nc_field_words(exact, NC_V1_WHERE "container_config.", "Cmd", &image->container_cmd, err);
}

static int make_image(const json_t *document, struct nc_v1_image **ret, struct nacre_error *err)
{
	int code = nc_v1_check(document, err);
	if (code < 0)
		return code;
	NC_CLEANUP(nc_v1_image_auto) struct nc_v1_image *image = nc_zalloc(sizeof *image);
	if (!image)
		return nc_nomem(err);
	code = take_texts(document, image, err);
	if (code == 0)
		code = take_ids(document, image, err);
	if (code == 0)
		code = take_time(image, err);
	if (code == 0)
		code = take_size(document, image, err);
	if (code == 0)
		code = take_command(document, image, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(image);
	return 0;
}

int nc_v1_image_parse(const char *bytes, size_t len, struct nc_v1_image **ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_json_auto) json_t *document = NULL;
	int code = nc_json_parse(bytes, len, "v1 image", &document, err);
	return code < 0 ? code : make_image(document, ret, err);
}

int nc_v1_image_read(const char *bytes, size_t len, struct nc_v1_image **ret, size_t *ret_used,
		     struct nacre_error *err)
{
	NC_CLEANUP(nc_json_auto) json_t *document = NULL;
	int code = nc_json_parse_first(bytes, len, "v1 image", &document, ret_used, err);
	if (code < 0)
		return code;
	nc_v1_last_wins(document);
	return make_image(document, ret, err);
}

char *nc_v1_parent_of(const char *bytes, size_t len)
{
	NC_CLEANUP(nc_json_auto) json_t *document = NULL;
	struct nc_digest digest;
	if (nc_json_parse_first(bytes, len, "v1 image", &document, NULL, NULL) < 0)
		return NULL;
	const char *parent = json_string_value(json_object_get(document, "parent"));
	return parent && nc_digest_from_hex_id(parent, &digest, NULL) == 0 ? nc_strdup(parent) : NULL;
}

void nc_v1_image_free(struct nc_v1_image *image)
{
	if (!image)
		return;
	char *texts[] = { image->id,	    image->parent,	   image->comment, image->created,     image->container,
			  image->docker_version, image->author, image->architecture, image->os };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		free(texts[i]);
	nc_list_free(image->container_cmd);
	free(image);
}

/* The setters below are void of checks: jansson passes a failed allocation on as NULL, and *failed keeps it. */
static void set(json_t *object, const char *key, json_t *value, bool *failed)
{
	if (json_object_set_new(object, key, value) < 0)
		*failed = true;
}

static void set_text(json_t *object, const char *key, const char *text, bool *failed)
{
	if (text && text[0])
		set(object, key, json_string(text), failed);
}

static void set_list(json_t *object, const char *key, char *const *list, bool *failed)
{
	if (!list || !list[0])
		return;
	json_t *array = json_array();
	for (size_t i = 0; list[i]; i++)
		if (json_array_append_new(array, json_string(list[i])) < 0)
			*failed = true;
	set(object, key, array, failed);
}

static void set_keys(json_t *object, const char *key, char *const *list, bool *failed)
{
	if (!list || !list[0])
		return;
	json_t *map = json_object();
	for (size_t i = 0; list[i]; i++)
		set(map, list[i], json_object(), failed);
	set(object, key, map, failed);
}

static void set_pairs(json_t *object, const char *key, char *const *list, bool *failed)
{
	if (!list || !list[0])
		return;
	json_t *map = json_object();
	for (size_t i = 0; list[i]; i += 2)
		set(map, list[i], json_string(list[i + 1]), failed);
	set(object, key, map, failed);
}

/* The runtime's part, under the names of 2015. */
static json_t *runtime_config(const struct nc_config *config, bool *failed)
{
	json_t *runtime = json_object();
	set_text(runtime, "User", config->user, failed);
	set_text(runtime, "WorkingDir", config->working_dir, failed);
	set_list(runtime, "Env", config->env, failed);
	set_list(runtime, "Cmd", config->cmd, failed);
	set_list(runtime, "Entrypoint", config->entrypoint, failed);
	set_pairs(runtime, "Labels", config->labels, failed);
	set_keys(runtime, "ExposedPorts", config->exposed_ports, failed);
	set_keys(runtime, "Volumes", config->volumes, failed);
	return runtime;
}

static void set_config(json_t *image, const struct nc_config *config, bool *failed)
{
	set_text(image, "created", config->created, failed);
	set_text(image, "author", config->author, failed);
	set_text(image, "architecture", config->architecture, failed);
	set_text(image, "os", config->os, failed);
	set(image, "config", runtime_config(config, failed), failed);
	if (config->history_count == 0)
		return;
	/* the last step's command stands where docker history of 2015 looks for it */
	const struct nc_history *last = &config->history[config->history_count - 1];
	char *const command[] = { last->created_by, NULL };
	set_text(image, "comment", last->comment, failed);
	if (last->created_by[0]) {
		json_t *container = json_object();
		set_list(container, "Cmd", command, failed);
		set(image, "container_config", container, failed);
	}
}

int nc_v1_image_write(struct nc_buf *buf, const char *id, const char *parent, const struct nc_config *config,
		      uint64_t size, struct nacre_error *err)
{
	struct nc_digest digest;
	if (nc_digest_from_hex_id(id, &digest, err) < 0)
		return NACRE_E_INVALID;
	if (parent && parent[0] && nc_digest_from_hex_id(parent, &digest, err) < 0)
		return NACRE_E_INVALID;
	if (size > INT64_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, NC_V1_WHERE "Size: more than fits");
	bool failed = false;
	NC_CLEANUP(nc_json_auto) json_t *image = json_object();
	set_text(image, "id", id, &failed);
	set_text(image, "parent", parent, &failed);
	set(image, "Size", json_integer((json_int_t)size), &failed);
	if (config)
		set_config(image, config, &failed);
	if (failed)
		return nc_nomem(err);
	int code = nc_v1_encode(buf, image, NC_V1_GRAPH, err);
	return code < 0 ? code : nc_buf_add(buf, "\n", 1, err);
}
