#include "image/field.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nc_where(char ret[NC_WHERE], const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	if (vsnprintf(ret, NC_WHERE, fmt, args) < 0)
		ret[0] = '\0';
	va_end(args);
}

static const char *type_name(json_type type)
{
	switch (type) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		break;
	}
	return "null";
}

static bool same_type(const json_t *value, json_type type)
{
	return json_typeof(value) == type || (type == JSON_TRUE && json_is_false(value));
}

static int wrong_type(const char *where, const char *key, json_type type, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_BADDATA, 0, "%s%s: must be %s", where, key, type_name(type));
}

int nc_field_expect(const json_t *value, const char *where, json_type type, struct nacre_error *err)
{
	return same_type(value, type) ? 0 : wrong_type(where, "", type, err);
}

int nc_field_get(const json_t *object, const char *where, const char *key, json_type type, const json_t **ret,
		 struct nacre_error *err)
{
	const json_t *value = json_object_get(object, key);
	if (json_is_null(value))
		value = NULL;
	if (value && !same_type(value, type))
		return wrong_type(where, key, type, err);
	*ret = value;
	return 0;
}

int nc_field_text(const json_t *object, const char *where, const char *key, char **ret, struct nacre_error *err)
{
	const json_t *value = NULL;
	int code = nc_field_get(object, where, key, JSON_STRING, &value, err);
	if (code < 0)
		return code;
	char *text = nc_strdup(value ? json_string_value(value) : "");
	if (!text)
		return nc_nomem(err);
	*ret = text;
	return 0;
}

int nc_field_text_fixed(const json_t *object, const char *where, const char *key, char *ret, size_t size,
			struct nacre_error *err)
{
	const json_t *value = NULL;
	int code = nc_field_get(object, where, key, JSON_STRING, &value, err);
	if (code < 0)
		return code;
	const char *text = value ? json_string_value(value) : "";
	size_t len = strlen(text);
	if (len >= size)
		return nc_fail(err, NACRE_E_LIMIT, 0, "%s%s: longer than %zu bytes", where, key, size - 1);
	memcpy(ret, text, len + 1);
	return 0;
}

int nc_field_bool(const json_t *object, const char *where, const char *key, bool *ret, struct nacre_error *err)
{
	const json_t *value = NULL;
	int code = nc_field_get(object, where, key, JSON_TRUE, &value, err);
	if (code < 0)
		return code;
	*ret = json_is_true(value);
	return 0;
}

int nc_field_size(const json_t *object, const char *where, const char *key, uint64_t *ret, struct nacre_error *err)
{
	const json_t *value = NULL;
	int code = nc_field_get(object, where, key, JSON_INTEGER, &value, err);
	if (code < 0)
		return code;
	if (!value)
		return nc_fail(err, NACRE_E_BADDATA, 0, "%s%s: missing", where, key);
	json_int_t size = json_integer_value(value);
	if (size < 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "%s%s: negative", where, key);
	*ret = (uint64_t)size;
	return 0;
}

/* An ill-formed digest is the document's fault here, not the caller's. */
static int parse_digest(const json_t *value, const char *where, const char *key, struct nc_digest *ret,
			struct nacre_error *err)
{
	int code = nc_digest_parse(json_string_value(value), ret, err);
	if (code == NACRE_E_INVALID) {
		code = NACRE_E_BADDATA;
		if (err)
			err->code = code;
	}
	return code < 0 ? nc_wrap(err, code, "%s%s", where, key) : 0;
}

int nc_field_digest(const json_t *object, const char *where, const char *key, struct nc_digest *ret,
		    struct nacre_error *err)
{
	const json_t *value = NULL;
	int code = nc_field_get(object, where, key, JSON_STRING, &value, err);
	if (code < 0)
		return code;
	if (!value)
		return nc_fail(err, NACRE_E_BADDATA, 0, "%s%s: missing", where, key);
	return parse_digest(value, where, key, ret, err);
}

int nc_field_value_digest(const json_t *value, const char *where, struct nc_digest *ret, struct nacre_error *err)
{
	int code = nc_field_expect(value, where, JSON_STRING, err);
	return code < 0 ? code : parse_digest(value, where, "", ret, err);
}

void nc_list_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static char **new_list(size_t n)
{
	char **list = nc_realloc_array(NULL, n + 1, sizeof *list);
	if (list)
		memset(list, 0, (n + 1) * sizeof *list);
	return list;
}

/* The text of a list's item; a null is "". NULL: another type. */
static const char *item_text(const json_t *value)
{
	return json_is_null(value) ? "" : json_string_value(value);
}

static int list_of_array(const json_t *array, const char *where, const char *key, char ***ret,
			 struct nacre_error *err)
{
	size_t n = json_array_size(array); /* 0 for NULL */
	NC_CLEANUP(nc_list_auto) char **list = new_list(n);
	if (!list)
		return nc_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const char *text = item_text(json_array_get(array, i));
		if (!text)
			return nc_fail(err, NACRE_E_BADDATA, 0, "%s%s[%zu]: must be a string", where, key, i);
		list[i] = nc_strdup(text);
		if (!list[i])
			return nc_nomem(err);
	}
	*ret = NC_GIVE(list);
	return 0;
}

int nc_field_list(const json_t *object, const char *where, const char *key, char ***ret, struct nacre_error *err)
{
	const json_t *array = NULL;
	int code = nc_field_get(object, where, key, JSON_ARRAY, &array, err);
	return code < 0 ? code : list_of_array(array, where, key, ret, err);
}

int nc_field_words(const json_t *object, const char *where, const char *key, char ***ret, struct nacre_error *err)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_string(value))
		return nc_field_list(object, where, key, ret, err);
	NC_CLEANUP(nc_list_auto) char **list = new_list(1);
	if (list)
		list[0] = nc_strdup(json_string_value(value));
	if (!list || !list[0])
		return nc_nomem(err);
	*ret = NC_GIVE(list);
	return 0;
}

struct pair {
	const char *key, *value;
};

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

/* The members of an object by key; value is NULL where it is no string. */
static struct pair *sorted_pairs(const json_t *object, size_t *ret_n)
{
	size_t n = 0;
	struct pair *pairs = nc_realloc_array(NULL, json_object_size(object), sizeof *pairs);
	if (!pairs)
		return NULL;
	const char *key;
	json_t *value, *iterable = (json_t *)(uintptr_t)object; /* iteration takes no const, and changes nothing */
	json_object_foreach(iterable, key, value)
		pairs[n++] = (struct pair){ .key = key, .value = item_text(value) };
	qsort(pairs, n, sizeof *pairs, compare_pairs);
	*ret_n = n;
	return pairs;
}

static int list_of_object(const json_t *object, const char *where, const char *key, bool with_values, char ***ret,
			  struct nacre_error *err)
{
	size_t n = 0, used = 0;
	NC_AUTO_FREE struct pair *pairs = sorted_pairs(object, &n);
	NC_CLEANUP(nc_list_auto) char **list = new_list(2 * n);
	if (!pairs || !list)
		return nc_nomem(err);
	for (size_t i = 0; i < n; i++) {
		list[used] = nc_strdup(pairs[i].key);
		if (!list[used++])
			return nc_nomem(err);
		if (!with_values)
			continue;
		if (!pairs[i].value)
			return nc_fail(err, NACRE_E_BADDATA, 0, "%s%s['%.64s']: must be a string", where, key,
				       pairs[i].key);
		list[used] = nc_strdup(pairs[i].value);
		if (!list[used++])
			return nc_nomem(err);
	}
	*ret = NC_GIVE(list);
	return 0;
}

int nc_field_keys(const json_t *object, const char *where, const char *key, char ***ret, struct nacre_error *err)
{
	const json_t *value = NULL;
	int code = nc_field_get(object, where, key, JSON_OBJECT, &value, err);
	return code < 0 ? code : list_of_object(value, where, key, false, ret, err);
}

int nc_field_pairs(const json_t *object, const char *where, const char *key, char ***ret, struct nacre_error *err)
{
	const json_t *value = NULL;
	int code = nc_field_get(object, where, key, JSON_OBJECT, &value, err);
	return code < 0 ? code : list_of_object(value, where, key, true, ret, err);
}

static char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool nc_key_folds(const char *a, const char *b)
{
	for (; *a && ascii_lower(*a) == ascii_lower(*b); a++)
		b++;
	return *a == '\0' && *b == '\0';
}

int nc_field_refuse_lookalikes(const json_t *object, const char *where, const char *const *keys,
			       struct nacre_error *err)
{
	const char *key;
	json_t *value, *iterable = (json_t *)(uintptr_t)object;
	json_object_foreach(iterable, key, value) {
		(void)value;
		for (size_t i = 0; keys[i]; i++)
			if (strcmp(key, keys[i]) != 0 && nc_key_folds(key, keys[i]))
				return nc_fail(err, NACRE_E_BADDATA, 0, "%s%s: must be spelled '%s'", where, key,
					       keys[i]);
	}
	return 0;
}
