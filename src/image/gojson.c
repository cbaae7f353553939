#include "image/gojson.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The length of the UTF-8 sequence at text (RFC 3629: shortest form, no surrogates, at most U+10FFFF), or 0. */
static size_t utf8_length(const unsigned char *text, size_t len)
{
	unsigned char c = text[0];
	if (c < 0x80)
		return 1;
	size_t need = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
	if (need == 0 || need > len)
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) || (c == 0xf0 && text[1] < 0x90) ||
	    (c == 0xf4 && text[1] > 0x8f))
		return 0;
	return need;
}

/* How Go escapes the character at text also where it leaves strings alone otherwise, or NULL. ret_len: its bytes. */
static const char *html_escape(const char *text, size_t len, size_t *ret_len)
{
	*ret_len = 1;
	switch (text[0]) {
	case '<':
		return "\\u003c";
	case '>':
		return "\\u003e";
	case '&':
		return "\\u0026";
	}
	if (len < 3 || memcmp(text, "\xe2\x80", 2) != 0 || (text[2] & ~1) != (char)0xa8)
		return NULL;
	*ret_len = 3;
	return text[2] == (char)0xa8 ? "\\u2028" : "\\u2029";
}

/* The escape for the character at text, or NULL when it stands for itself. room is for escapes made on the spot. */
static const char *string_escape(const char *text, size_t len, size_t *ret_len, char room[8])
{
	const char *escape = html_escape(text, len, ret_len);
	if (escape)
		return escape;
	switch (text[0]) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	}
	if ((unsigned char)text[0] < 0x20) {
		snprintf(room, 8, "\\u%04x", (unsigned)text[0]);
		return room;
	}
	*ret_len = utf8_length((const unsigned char *)text, len);
	if (*ret_len > 0)
		return NULL;
	*ret_len = 1;
	return "\\ufffd";
}

int nc_gojson_string(struct nc_buf *buf, const char *text, size_t len, struct nacre_error *err)
{
	int code = nc_buf_add(buf, "\"", 1, err);
	size_t plain = 0; /* start of the run that needs no escape */
	for (size_t i = 0, step; i < len && code == 0; i += step) {
		char room[8];
		const char *escape = string_escape(text + i, len - i, &step, room);
		if (!escape)
			continue;
		code = nc_buf_add(buf, text + plain, i - plain, err);
		if (code == 0)
			code = nc_buf_add_text(buf, escape, err);
		plain = i + step;
	}
	if (code == 0)
		code = nc_buf_add(buf, text + plain, len - plain, err);
	return code == 0 ? nc_buf_add(buf, "\"", 1, err) : code;
}

int nc_gojson_compact(struct nc_buf *buf, const char *text, size_t len, struct nacre_error *err)
{
	bool quoted = false;
	size_t plain = 0;
	int code = 0;
	for (size_t i = 0, step; i < len && code == 0; i += step) {
		const char *instead = html_escape(text + i, len - i, &step);
		if (!instead && quoted && text[i] == '\\' && i + 1 < len)
			step = 2;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!instead && !quoted && strchr(" \t\r\n", text[i]))
			instead = "";
		if (!instead)
			continue;
		code = nc_buf_add(buf, text + plain, i - plain, err);
		if (code == 0)
			code = nc_buf_add_text(buf, instead, err);
		plain = i + step;
	}
	return code == 0 ? nc_buf_add(buf, text + plain, len - plain, err) : code;
}

/* The fewest significant digits that read back as value, and the power of ten of the first. Only digits are taken from
 * what printf writes, so the decimal point of the locale does not matter. */
static int shortest_digits(double value, char digits[20], int *ret_exponent)
{
	char text[64];
	for (int precision = 0; precision < 17; precision++) {
		snprintf(text, sizeof text, "%.*e", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	int n = 0;
	const char *c = text;
	for (; *c && *c != 'e'; c++)
		if (isdigit((unsigned char)*c) && n < 18)
			digits[n++] = *c;
	*ret_exponent = *c == 'e' ? atoi(c + 1) : 0;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	digits[n] = '\0';
	return n;
}

static int add_real(struct nc_buf *buf, double value, struct nacre_error *err)
{
	if (!isfinite(value))
		return nc_fail(err, NACRE_E_INVALID, 0, "JSON has no number for infinity");
	char digits[20];
	int exponent;
	int n = shortest_digits(fabs(value), digits, &exponent);
	const char *sign = signbit(value) ? "-" : "";
	if (value != 0 && (exponent < -6 || exponent >= 21))
		return nc_buf_addf(buf, err, "%s%c%s%se%c%d", sign, digits[0], n > 1 ? "." : "", digits + 1,
				   exponent < 0 ? '-' : '+', abs(exponent));
	if (exponent < 0)
		return nc_buf_addf(buf, err, "%s0.%.*s%s", sign, -exponent - 1, "000000", digits);
	if (n <= exponent + 1)
		return nc_buf_addf(buf, err, "%s%s%.*s", sign, digits, exponent + 1 - n, "00000000000000000000");
	return nc_buf_addf(buf, err, "%s%.*s.%s", sign, exponent + 1, digits, digits + exponent + 1);
}

static int add_value(struct nc_buf *buf, const json_t *value, bool sorted, int depth, struct nacre_error *err);

static int add_array(struct nc_buf *buf, const json_t *array, bool sorted, int depth, struct nacre_error *err)
{
	int code = nc_buf_add(buf, "[", 1, err);
	for (size_t i = 0; i < json_array_size(array) && code == 0; i++) {
		if (i > 0)
			code = nc_buf_add(buf, ",", 1, err);
		if (code == 0)
			code = add_value(buf, json_array_get(array, i), sorted, depth, err);
	}
	return code == 0 ? nc_buf_add(buf, "]", 1, err) : code;
}

struct member {
	const char *key;
	const json_t *value;
};

static int compare_members(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static int add_object(struct nc_buf *buf, const json_t *object, bool sorted, int depth, struct nacre_error *err)
{
	size_t n = 0, count = json_object_size(object);
	NC_AUTO_FREE struct member *members = nc_realloc_array(NULL, count, sizeof *members);
	if (!members)
		return nc_nomem(err);
	const char *key;
	json_t *value, *mutable_object = (json_t *)(uintptr_t)object; /* iteration takes no const, and changes nothing */
	json_object_foreach(mutable_object, key, value)
		members[n++] = (struct member){ .key = key, .value = value };
	if (sorted)
		qsort(members, n, sizeof *members, compare_members);
	int code = nc_buf_add(buf, "{", 1, err);
	for (size_t i = 0; i < n && code == 0; i++) {
		if (i > 0)
			code = nc_buf_add(buf, ",", 1, err);
		if (code == 0)
			code = nc_gojson_string(buf, members[i].key, strlen(members[i].key), err);
		if (code == 0)
			code = nc_buf_add(buf, ":", 1, err);
		if (code == 0)
			code = add_value(buf, members[i].value, sorted, depth, err);
	}
	return code == 0 ? nc_buf_add(buf, "}", 1, err) : code;
}

static int add_value(struct nc_buf *buf, const json_t *value, bool sorted, int depth, struct nacre_error *err)
{
	if (depth > NC_JSON_DEPTH_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "JSON nested deeper than %d levels", NC_JSON_DEPTH_MAX);
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return add_object(buf, value, sorted, depth + 1, err);
	case JSON_ARRAY:
		return add_array(buf, value, sorted, depth + 1, err);
	case JSON_STRING:
		return nc_gojson_string(buf, json_string_value(value), json_string_length(value), err);
	case JSON_INTEGER:
		return nc_buf_addf(buf, err, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	case JSON_REAL:
		return add_real(buf, json_real_value(value), err);
	case JSON_TRUE:
		return nc_buf_add(buf, "true", 4, err);
	case JSON_FALSE:
		return nc_buf_add(buf, "false", 5, err);
	case JSON_NULL:
		break;
	}
	return nc_buf_add(buf, "null", 4, err);
}

int nc_gojson_value(struct nc_buf *buf, const json_t *value, bool sorted, struct nacre_error *err)
{
	return add_value(buf, value, sorted, 0, err);
}
