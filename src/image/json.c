/* Reading JSON from outside: the limits are checked on the text, before jansson builds anything of it. */
#include "image/gojson.h"

#include <string.h>

/* Depth and number of values by brackets and commas outside strings. Whether the text is JSON at all is for jansson to
 * say: on valid text the counts are exact. */
static int check_limits(const char *text, size_t len, const char *what, struct nacre_error *err)
{
	unsigned depth = 0, values = 0;
	bool quoted = false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
			continue;
		}
		switch (c) {
		case '"':
			quoted = true;
			break;
		case '{':
		case '[':
			if (++depth > NC_JSON_DEPTH_MAX)
				return nc_fail(err, NACRE_E_LIMIT, 0, "%s: JSON nested deeper than %d levels", what,
					       NC_JSON_DEPTH_MAX);
			values++;
			break;
		case '}':
		case ']':
			depth -= depth > 0;
			break;
		case ',':
		case ':':
			values++;
			break;
		}
		if (values > NC_JSON_VALUES_MAX)
			return nc_fail(err, NACRE_E_LIMIT, 0, "%s: JSON of more than %u values", what,
				       NC_JSON_VALUES_MAX);
	}
	return 0;
}

static int parse(const char *text, size_t len, const char *what, size_t flags, json_t **ret, size_t *ret_used,
		 struct nacre_error *err)
{
	if (len > NC_JSON_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "%s: %zu bytes of JSON, more than %u", what, len, NC_JSON_MAX);
	if (len == 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "%s: empty, not JSON", what);
	int code = check_limits(text, len, what, err);
	if (code < 0)
		return code;
	json_error_t bad;
	json_t *value = json_loadb(text, len, flags, &bad);
	if (!value && json_error_code(&bad) == json_error_out_of_memory)
		return nc_nomem(err);
	if (!value) {
		/* the reason without the excerpt that follows it: its bytes come from outside and are cut anywhere */
		char *excerpt = strstr(bad.text, " near ");
		if (excerpt)
			*excerpt = '\0';
		return nc_fail(err, NACRE_E_BADDATA, 0, "%s: not valid JSON: %s at byte %d, line %d", what, bad.text,
			       bad.position, bad.line);
	}
	*ret = value;
	if (ret_used)
		*ret_used = (size_t)bad.position;	/* jansson tells it there, where all is well */
	return 0;
}

int nc_json_parse(const char *text, size_t len, const char *what, json_t **ret, struct nacre_error *err)
{
	return parse(text, len, what, JSON_REJECT_DUPLICATES, ret, NULL, err);
}

int nc_json_parse_first(const char *text, size_t len, const char *what, json_t **ret, size_t *ret_used,
			struct nacre_error *err)
{
	return parse(text, len, what, JSON_DISABLE_EOF_CHECK, ret, ret_used, err);
}
