#include "image/v1_fields.h"

#include "image/field.h"
#include "image/gojson.h"

#include <stdlib.h>
#include <string.h>

/* How Go declares the field, and so which JSON it takes and what it writes. */
enum kind {
	TEXT,		/* string */
	TIME,		/* time.Time */
	INTEGER,	/* int64 */
	FLAG,		/* bool */
	LIST,		/* []string */
	WORDS,		/* []string, read from one string too */
	KEYS,		/* map[string]struct{} */
	PAIRS,		/* map[string]string */
	CONFIG,		/* a structure of config_fields */
};

/* What an encoder does with the field. */
enum mode {
	ALWAYS,		/* written, empty or not */
	FILLED,		/* left out when empty */
	NEVER,		/* did not know it */
};

struct field {
	const char *key;
	enum kind kind;
	enum mode modes[2];	/* by enum nc_v1_dialect */
};

static const struct field image_fields[] = {
	{ "id", TEXT, { ALWAYS, FILLED } },
	{ "parent", TEXT, { FILLED, FILLED } },
	{ "comment", TEXT, { FILLED, FILLED } },
	{ "created", TIME, { ALWAYS, ALWAYS } },
	{ "container", TEXT, { FILLED, FILLED } },
	{ "container_config", CONFIG, { ALWAYS, ALWAYS } },
	{ "docker_version", TEXT, { FILLED, FILLED } },
	{ "author", TEXT, { FILLED, FILLED } },
	{ "config", CONFIG, { FILLED, FILLED } },
	{ "architecture", TEXT, { FILLED, FILLED } },
	{ "os", TEXT, { FILLED, FILLED } },
	{ "Size", INTEGER, { ALWAYS, FILLED } },
	{ .key = NULL },
};

static const struct field config_fields[] = {
	{ "Hostname", TEXT, { ALWAYS, ALWAYS } },
	{ "Domainname", TEXT, { ALWAYS, ALWAYS } },
	{ "User", TEXT, { ALWAYS, ALWAYS } },
	{ "AttachStdin", FLAG, { ALWAYS, ALWAYS } },
	{ "AttachStdout", FLAG, { ALWAYS, ALWAYS } },
	{ "AttachStderr", FLAG, { ALWAYS, ALWAYS } },
	{ "ExposedPorts", KEYS, { ALWAYS, FILLED } },
	{ "PublishService", TEXT, { ALWAYS, FILLED } },
	{ "Tty", FLAG, { ALWAYS, ALWAYS } },
	{ "OpenStdin", FLAG, { ALWAYS, ALWAYS } },
	{ "StdinOnce", FLAG, { ALWAYS, ALWAYS } },
	{ "Env", LIST, { ALWAYS, ALWAYS } },
	{ "Cmd", WORDS, { ALWAYS, ALWAYS } },
	{ "ArgsEscaped", FLAG, { NEVER, FILLED } },
	{ "Image", TEXT, { ALWAYS, ALWAYS } },
	{ "Volumes", KEYS, { ALWAYS, ALWAYS } },
	{ "VolumeDriver", TEXT, { ALWAYS, NEVER } },
	{ "WorkingDir", TEXT, { ALWAYS, ALWAYS } },
	{ "Entrypoint", WORDS, { ALWAYS, ALWAYS } },
	{ "NetworkDisabled", FLAG, { ALWAYS, FILLED } },
	{ "MacAddress", TEXT, { ALWAYS, FILLED } },
	{ "OnBuild", LIST, { ALWAYS, ALWAYS } },
	{ "Labels", PAIRS, { ALWAYS, ALWAYS } },
	{ "StopSignal", TEXT, { NEVER, FILLED } },
	{ .key = NULL },
};

int nc_v1_find(const json_t *object, const char *where, const char *key, const json_t **ret, struct nacre_error *err)
{
	const json_t *found = NULL;
	const char *name;
	json_t *value, *iterable = (json_t *)(uintptr_t)object; /* iteration takes no const, and changes nothing */
	json_object_foreach(iterable, name, value) {
		if (!nc_key_folds(name, key))
			continue;
		if (found)
			return nc_fail(err, NACRE_E_BADDATA, 0, "%s%s: there twice, in different case", where, key);
		found = value;
	}
	*ret = json_is_null(found) ? NULL : found;
	return 0;
}

static void keep_last(json_t *object, const struct field *fields)
{
	for (const struct field *field = fields; field->key; field++) {
		const char *name, *last = NULL;
		json_t *value;
		void *next;
		json_object_foreach(object, name, value)
			if (nc_key_folds(name, field->key))
				last = name;
		json_object_foreach_safe(object, next, name, value)
			if (name != last && nc_key_folds(name, field->key))
				json_object_del(object, name);
	}
}

void nc_v1_last_wins(json_t *image)
{
	const char *name;
	json_t *value;
	keep_last(image, image_fields);
	json_object_foreach(image, name, value)
		if (nc_key_folds(name, "config") || nc_key_folds(name, "container_config"))
			keep_last(value, config_fields);
}

static bool is_text_or_null(const json_t *value)
{
	return json_is_string(value) || json_is_null(value);
}

static bool is_list(const json_t *value)
{
	bool good = json_is_array(value);
	for (size_t i = 0; good && i < json_array_size(value); i++)
		good = is_text_or_null(json_array_get(value, i));
	return good;
}

static bool is_map(const json_t *value, bool of_texts)
{
	if (!json_is_object(value))
		return false;
	const char *key;
	json_t *item, *iterable = (json_t *)(uintptr_t)value;
	json_object_foreach(iterable, key, item) {
		(void)key;
		if (of_texts ? !is_text_or_null(item) : !json_is_object(item) && !json_is_null(item))
			return false;
	}
	return true;
}

static bool fits(const json_t *value, enum kind kind)
{
	switch (kind) {
	case TEXT:
	case TIME:
		return json_is_string(value);
	case INTEGER:
		return json_is_integer(value);
	case FLAG:
		return json_is_boolean(value);
	case LIST:
		return is_list(value);
	case WORDS:
		return json_is_string(value) || is_list(value);
	case KEYS:
		return is_map(value, false);
	case PAIRS:
		return is_map(value, true);
	case CONFIG:
		break;
	}
	return json_is_object(value);
}

static const char *kind_name(enum kind kind)
{
	switch (kind) {
	case TEXT:
	case TIME:
		return "a string";
	case INTEGER:
		return "an integer";
	case FLAG:
		return "true or false";
	case LIST:
		return "an array of strings";
	case WORDS:
		return "a string or an array of strings";
	case KEYS:
		return "an object of empty objects";
	case PAIRS:
		return "an object of strings";
	case CONFIG:
		break;
	}
	return "an object";
}

/* The value of a field, checked; NULL when absent. */
static int find_checked(const json_t *object, const char *where, const struct field *field, const json_t **ret,
			struct nacre_error *err)
{
	const json_t *value = NULL;
	int code = nc_v1_find(object, where, field->key, &value, err);
	if (code < 0)
		return code;
	if (value && !fits(value, field->kind))
		return nc_fail(err, NACRE_E_BADDATA, 0, "%s%s: must be %s", where, field->key, kind_name(field->kind));
	char text[40];
	if (value && field->kind == TIME && (code = nc_gotime_respell(json_string_value(value), text, err)) < 0)
		return nc_wrap(err, code, "%s%s", where, field->key);
	*ret = value;
	return 0;
}

static int check_config(const json_t *config, const char *key, struct nacre_error *err)
{
	char where[NC_WHERE];
	const json_t *value;
	int code = 0;
	nc_where(where, NC_V1_WHERE "%s.", key);
	for (const struct field *field = config_fields; field->key && code == 0; field++)
		code = find_checked(config, where, field, &value, err);
	return code;
}

int nc_v1_check(const json_t *image, struct nacre_error *err)
{
	int code = json_is_object(image) ? 0 : nc_fail(err, NACRE_E_BADDATA, 0, NC_V1_WHERE "must be an object");
	for (const struct field *field = image_fields; field->key && code == 0; field++) {
		const json_t *value = NULL;
		code = find_checked(image, NC_V1_WHERE, field, &value, err);
		if (code == 0 && value && field->kind == CONFIG)
			code = check_config(value, field->key, err);
	}
	return code;
}

/* What Go's omitempty leaves out. A structure is never empty, a pointer to one is when it is absent. */
static bool is_empty(const json_t *value, enum kind kind)
{
	if (!value)
		return true;
	switch (kind) {
	case TEXT:
		return json_string_length(value) == 0;
	case INTEGER:
		return json_integer_value(value) == 0;
	case FLAG:
		return !json_is_true(value);
	case LIST:
	case WORDS:
		return json_is_array(value) && json_array_size(value) == 0;
	case KEYS:
	case PAIRS:
		return json_object_size(value) == 0;
	case TIME:
	case CONFIG:
		break;
	}
	return false;
}

/* A string, or "" for null. */
static int add_text(struct nc_buf *buf, const json_t *value, struct nacre_error *err)
{
	return json_is_string(value)
		       ? nc_gojson_string(buf, json_string_value(value), json_string_length(value), err)
		       : nc_buf_add_text(buf, "\"\"", err);
}

static int add_time(struct nc_buf *buf, const json_t *value, struct nacre_error *err)
{
	char text[40];
	int code = 0;
	if (value)
		code = nc_gotime_respell(json_string_value(value), text, err);
	else
		nc_gotime_text(NC_GOTIME_ZERO, 0, text);
	return code < 0 ? code : nc_buf_addf(buf, err, "\"%s\"", text);
}

static int add_list(struct nc_buf *buf, const json_t *value, struct nacre_error *err)
{
	if (!value)
		return nc_buf_add_text(buf, "null", err);
	int code = nc_buf_add(buf, "[", 1, err);
	if (code == 0 && json_is_string(value))
		code = add_text(buf, value, err);
	for (size_t i = 0; i < json_array_size(value) && code == 0; i++) {
		if (i > 0)
			code = nc_buf_add(buf, ",", 1, err);
		if (code == 0)
			code = add_text(buf, json_array_get(value, i), err);
	}
	return code < 0 ? code : nc_buf_add(buf, "]", 1, err);
}

static int add_map(struct nc_buf *buf, const json_t *value, bool of_texts, struct nacre_error *err)
{
	if (!value)
		return nc_buf_add_text(buf, "null", err);
	NC_CLEANUP(nc_json_auto) json_t *clean = json_object();
	const char *key;
	json_t *item, *iterable = (json_t *)(uintptr_t)value;
	json_object_foreach(iterable, key, item) {
		json_t *written = !of_texts ? json_object() : json_is_null(item) ? json_string("") : json_incref(item);
		if (json_object_set_new(clean, key, written) < 0)
			return nc_nomem(err);
	}
	return clean ? nc_gojson_value(buf, clean, true, err) : nc_nomem(err);
}

static int add_value(struct nc_buf *buf, const json_t *value, enum kind kind, struct nacre_error *err)
{
	switch (kind) {
	case TEXT:
		return add_text(buf, value, err);
	case TIME:
		return add_time(buf, value, err);
	case INTEGER:
		return nc_buf_addf(buf, err, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	case FLAG:
		return nc_buf_add_text(buf, json_is_true(value) ? "true" : "false", err);
	case LIST:
	case WORDS:
		return add_list(buf, value, err);
	case KEYS:
	case PAIRS:
		return add_map(buf, value, kind == PAIRS, err);
	case CONFIG:
		break;
	}
	return nc_fail(err, NACRE_E_INVALID, 0, "a config within a config");
}

static bool is_written(const json_t *value, const struct field *field, enum nc_v1_dialect dialect)
{
	enum mode mode = field->modes[dialect];
	return mode == ALWAYS || (mode == FILLED && !is_empty(value, field->kind));
}

/* The separator and the key of a field. */
static int add_key(struct nc_buf *buf, const char *key, bool first, struct nacre_error *err)
{
	return nc_buf_addf(buf, err, "%s\"%s\":", first ? "{" : ",", key);
}

static int add_config(struct nc_buf *buf, const json_t *config, enum nc_v1_dialect dialect, struct nacre_error *err)
{
	int code = 0;
	for (const struct field *field = config_fields; field->key && code == 0; field++) {
		const json_t *value = NULL;
		code = config ? nc_v1_find(config, NC_V1_WHERE, field->key, &value, err) : 0;
		if (code < 0 || !is_written(value, field, dialect))
			continue;
		code = add_key(buf, field->key, field == config_fields, err);
		if (code == 0)
			code = add_value(buf, value, field->kind, err);
	}
	return code < 0 ? code : nc_buf_add(buf, "}", 1, err);
}

int nc_v1_encode(struct nc_buf *buf, const json_t *image, enum nc_v1_dialect dialect, struct nacre_error *err)
{
	bool first = true;
	int code = nc_v1_check(image, err);
	for (const struct field *field = image_fields; field->key && code == 0; field++) {
		const json_t *value = NULL;
		code = nc_v1_find(image, NC_V1_WHERE, field->key, &value, err);
		if (code < 0 || !is_written(value, field, dialect))
			continue;
		code = add_key(buf, field->key, first, err);
		first = false;
		if (code == 0 && field->kind == CONFIG)
			code = add_config(buf, value, dialect, err);
		else if (code == 0)
			code = add_value(buf, value, field->kind, err);
	}
	return code < 0 ? code : nc_buf_add(buf, "}", 1, err);
}
