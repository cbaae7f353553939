/* A new image JSON of 2015, out of what its maker says. */
#include "image/config.h"
#include "image/gojson.h"
#include "image/v1_fields.h"

#include <string.h>

/* value is taken. */
static int set(json_t *image, const char *key, json_t *value, struct nacre_error *err)
{
	return json_object_set_new(image, key, value) < 0 ? nc_nomem(err) : 0;
}

static int set_text(json_t *image, const char *key, const char *text, struct nacre_error *err)
{
	if (!text || !text[0])
		return 0;
	json_t *value = json_string(text);
	if (value)
		return set(image, key, value, err);
	/* jansson says no more than that it cannot: is it the text? */
	NC_CLEANUP(nc_json_auto) json_t *empty = json_string("");
	return empty ? nc_fail(err, NACRE_E_INVALID, 0, "%s: is no UTF-8", key) : nc_nomem(err);
}

/* A config that was given as text. Bad input of the caller's, rather than data that lies. */
static int set_config(json_t *image, const char *key, const char *text, struct nacre_error *err)
{
	json_t *value = NULL;
	if (!text)
		return 0;
	int code = nc_json_parse(text, strlen(text), key, &value, err);
	if (code < 0)
		return code;
	if (!json_is_object(value)) {
		json_decref(value);
		return nc_fail(err, NACRE_E_BADDATA, 0, "%s: must be an object", key);
	}
	return set(image, key, value, err);
}

static int set_facts(json_t *image, const struct nc_v1_new *facts, struct nacre_error *err)
{
	const struct {
		const char *key, *text;
	} texts[] = {
		{ "id", facts->id },
		{ "parent", facts->parent },
		{ "comment", facts->comment },
		{ "container", facts->container },
		{ "docker_version", facts->version },
		{ "author", facts->author },
		{ "architecture", facts->architecture },
		{ "os", facts->os },
	};
	char created[40];
	int code = 0;
	for (size_t i = 0; code == 0 && i < sizeof texts / sizeof *texts; i++)
		code = set_text(image, texts[i].key, texts[i].text, err);
	nc_gotime_text(facts->created_sec, facts->created_nsec, created);
	if (code == 0)
		code = set_text(image, "created", created, err);
	if (code == 0)
		code = set_config(image, "container_config", facts->container_config, err);
	if (code == 0)
		code = set_config(image, "config", facts->config, err);
	return code < 0 ? code : set(image, "Size", json_integer((json_int_t)facts->size), err);
}

int nc_v1_image_make(struct nc_buf *buf, const struct nc_v1_new *facts, struct nacre_error *err)
{
	NC_CLEANUP(nc_json_auto) json_t *image = json_object();
	if (!image)
		return nc_nomem(err);
	int code = set_facts(image, facts, err);
	if (code == 0)
		code = nc_v1_encode(buf, image, NC_V1_GRAPH, err);
	return code < 0 ? code : nc_buf_add(buf, "\n", 1, err);
}
