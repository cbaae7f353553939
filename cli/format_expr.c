#include "format_expr.h"

#include "json_out.h"
#include "mem.h"

#include <ctype.h>

#define ARGUMENTS_MAX 8
#define PARENTHESES_MAX 8

struct parser {
	const struct format_scope *scope;
	const char *at, *end;
	unsigned depth;		/* of parentheses */
	char **ret_error;
};

static json_t *parse_pipeline(struct parser *parser);

static json_t *fail(struct parser *parser, char *error)
{
	if (*parser->ret_error)
		free(error);
	else
		*parser->ret_error = error;
	return NULL;
}

static void skip_space(struct parser *parser)
{
	while (parser->at < parser->end && isspace((unsigned char)*parser->at))
		parser->at++;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t name_length(const struct parser *parser, const char *at)
{
	size_t len = 0;

	while (at + len < parser->end && is_name(at[len]))
		len++;
	return len;
}

/* --- fields ----------------------------------------------------------------------------------------------------- */

/* "RepoTags", "repo_tags" and "repotags" are the same field. */
static bool same_field(const char *a, const char *b)
{
	for (;;) {
		while (*a == '_')
			a++;
		while (*b == '_')
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

/* Objects whose keys come from the image: there a missing key is no mistake of the template. */
static bool is_map_field(const char *name)
{
	return same_field(name, "labels") || same_field(name, "exposed_ports") || same_field(name, "volumes");
}

static char *known_fields(json_t *object)
{
	struct text known = { .data = NULL };
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
		text_addf(&known, "%s.%s", known.len ? " " : "", key);
	return known.data ? known.data : must_copy("none");
}

static json_t *get_field(struct parser *parser, json_t *object, const char *name, bool map)
{
	json_t *found = json_object_get(object, name), *value;
	AUTO_FREE char *known = NULL;
	const char *key;

	if (found || map)
		return found ? json_incref(found) : json_null();
	if (json_is_null(object))
		return json_null();
	if (!json_is_object(object))
		return fail(parser, must_printf("there is no field .%s: the value has no fields", name));
	json_object_foreach(object, key, value)
		if (same_field(key, name))
			return json_incref(value);
	known = known_fields(object);
	return fail(parser, must_printf("there is no field .%s; there are %s", name, known));
}

/* .A.B.C after value, which is taken. */
static json_t *parse_fields(struct parser *parser, json_t *value, bool map)
{
	while (value && parser->at < parser->end && *parser->at == '.') {
		size_t len = name_length(parser, parser->at + 1);
		AUTO_FREE char *name = must_copyn(parser->at + 1, len);
		json_t *next;

		if (len == 0) {
			json_decref(value);
			return fail(parser, must_printf("a field's name is missing after '.'"));
		}
		parser->at += len + 1;
		next = parser->scope->check ? json_null() : get_field(parser, value, name, map);
		map = is_map_field(name);
		json_decref(value);
		value = next;
	}
	return value;
}

/* --- operands --------------------------------------------------------------------------------------------------- */

static json_t *parse_variable(struct parser *parser)
{
	const struct format_scope *scope = parser->scope;
	size_t len = 1 + name_length(parser, parser->at + 1);
	const char *name = parser->at;

	parser->at += len;
	if (len == 1)
		return parse_fields(parser, json_incref(scope->root), false);
	for (size_t i = scope->variable_count; i-- > 0;)
		if (scope->variables[i].len == len && memcmp(scope->variables[i].name, name, len) == 0)
			return parse_fields(parser, json_incref(scope->variables[i].value), false);
	return fail(parser, must_printf("there is no variable %.*s", (int)len, name));
}

static json_t *parse_string(struct parser *parser)
{
	AUTO_TEXT struct text string = { .data = NULL };
	char quote = *parser->at++;

	while (parser->at < parser->end && *parser->at != quote) {
		char c = *parser->at++;

		if (c == '\\' && quote == '"' && parser->at < parser->end) {
			c = *parser->at++;
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
		}
		text_add(&string, &c, 1);
	}
	if (parser->at == parser->end)
		return fail(parser, must_printf("a string has no end"));
	parser->at++;
	return json_text(text_get(&string));
}

static json_t *parse_number(struct parser *parser)
{
	AUTO_FREE char *digits = must_copyn(parser->at, (size_t)(parser->end - parser->at));
	char *rest;
	json_int_t number = strtoll(digits, &rest, 10);

	if (rest == digits || is_name(*rest))
		return fail(parser, must_printf("'%s' is no number", digits));
	parser->at += rest - digits;
	return json_integer(number);
}

static bool take_word(struct parser *parser, const char *word)
{
	size_t len = strlen(word);

	if (name_length(parser, parser->at) != len || memcmp(parser->at, word, len) != 0)
		return false;
	parser->at += len;
	return true;
}

static json_t *parse_operand(struct parser *parser)
{
	char c = *parser->at;

	if (c == '.') {
		json_t *dot = json_incref(parser->scope->dot);

		if (parser->at + 1 < parser->end && is_name(parser->at[1]))
			return parse_fields(parser, dot, false);
		parser->at++;
		return dot;
	}
	if (c == '$')
		return parse_variable(parser);
	if (c == '"' || c == '`')
		return parse_string(parser);
	if (isdigit((unsigned char)c) || c == '-')
		return parse_number(parser);
	if (c == '(') {
		json_t *value;

		if (++parser->depth > PARENTHESES_MAX)
			return fail(parser, must_printf("too many parentheses"));
		parser->at++;
		value = parse_pipeline(parser);
		skip_space(parser);
		if (value && (parser->at == parser->end || *parser->at != ')')) {
			json_decref(value);
			return fail(parser, must_printf("')' is missing"));
		}
		parser->depth--;
		parser->at += value != NULL;
		return parse_fields(parser, value, false);
	}
	if (take_word(parser, "true"))
		return json_true();
	if (take_word(parser, "false"))
		return json_false();
	if (take_word(parser, "nil"))
		return json_null();
	return fail(parser, must_printf("'%.*s' cannot be understood", (int)(parser->end - parser->at), parser->at));
}

/* --- functions -------------------------------------------------------------------------------------------------- */

struct arguments {
	json_t *values[ARGUMENTS_MAX];
	size_t count;
};

static void arguments_release(struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->count; i++)
		json_decref(arguments->values[i]);
}

static json_t *call_json(struct parser *parser, const struct arguments *given)
{
	AUTO_FREE char *text = json_text_of(given->values[0], true);

	return json_string(text);
}

static json_t *call_len(struct parser *parser, const struct arguments *given)
{
	const json_t *value = given->values[0];

	if (json_is_string(value))
		return json_integer((json_int_t)json_string_length(value));
	if (json_is_array(value))
		return json_integer((json_int_t)json_array_size(value));
	if (json_is_object(value) || json_is_null(value))
		return json_integer((json_int_t)json_object_size(value));
	return fail(parser, must_printf("len: the value has no length"));
}

static json_t *call_index(struct parser *parser, const struct arguments *given)
{
	json_t *value = given->values[0];

	for (size_t i = 1; i < given->count; i++) {
		const json_t *key = given->values[i];

		if (json_is_array(value) && json_is_integer(key)) {
			if (json_integer_value(key) < 0 ||
			    (size_t)json_integer_value(key) >= json_array_size(value))
				return fail(parser, must_printf("index: there is no element %" JSON_INTEGER_FORMAT,
								json_integer_value(key)));
			value = json_array_get(value, (size_t)json_integer_value(key));
		} else if ((json_is_object(value) || json_is_null(value)) && json_is_string(key)) {
			value = json_object_get(value, json_string_value(key));
		} else {
			return fail(parser, must_printf("index: takes a list and a number, or a map and a string"));
		}
	}
	return value ? json_incref(value) : json_string("");
}

static json_t *call_join(struct parser *parser, const struct arguments *given)
{
	AUTO_TEXT struct text joined = { .data = NULL };
	json_t *item;
	size_t i;

	if (!json_is_array(given->values[0]) || !json_is_string(given->values[1]))
		return fail(parser, must_printf("join: takes a list and a string"));
	json_array_foreach(given->values[0], i, item) {
		AUTO_FREE char *shown = format_show(item);

		text_addf(&joined, "%s%s", i ? json_string_value(given->values[1]) : "", shown);
	}
	return json_text(text_get(&joined));
}

static json_t *change_case(const json_t *value, int (*change)(int))
{
	AUTO_FREE char *shown = format_show(value);

	for (char *at = shown; *at; at++)
		if ((unsigned char)*at < 0x80)
			*at = (char)change(*at);
	return json_text(shown);
}

static json_t *call_lower(struct parser *parser, const struct arguments *given)
{
	return change_case(given->values[0], tolower);
}

static json_t *call_upper(struct parser *parser, const struct arguments *given)
{
	return change_case(given->values[0], toupper);
}

static json_t *call_println(struct parser *parser, const struct arguments *given)
{
	AUTO_TEXT struct text line = { .data = NULL };

	for (size_t i = 0; i < given->count; i++) {
		AUTO_FREE char *shown = format_show(given->values[i]);

		text_addf(&line, "%s%s", i ? " " : "", shown);
	}
	text_adds(&line, "\n");
	return json_text(text_get(&line));
}

static json_t *call_eq(struct parser *parser, const struct arguments *given)
{
	for (size_t i = 1; i < given->count; i++)
		if (json_equal(given->values[0], given->values[i]))
			return json_true();
	return json_false();
}

static json_t *call_ne(struct parser *parser, const struct arguments *given)
{
	return json_boolean(!json_equal(given->values[0], given->values[1]));
}

static json_t *call_not(struct parser *parser, const struct arguments *given)
{
	return json_boolean(!format_is_true(given->values[0]));
}

/* The first argument that decides, else the last one. */
static json_t *decide(const struct arguments *given, bool decisive)
{
	size_t i = 0;

	while (i + 1 < given->count && format_is_true(given->values[i]) != decisive)
		i++;
	return json_incref(given->values[i]);
}

static json_t *call_and(struct parser *parser, const struct arguments *given)
{
	return decide(given, false);
}

static json_t *call_or(struct parser *parser, const struct arguments *given)
{
	return decide(given, true);
}

static const struct function {
	const char *name;
	size_t min, max;
	json_t *(*call)(struct parser *parser, const struct arguments *given);
} functions[] = {
	{ "json", 1, 1, call_json },	  { "len", 1, 1, call_len },
	{ "index", 1, ARGUMENTS_MAX, call_index }, { "join", 2, 2, call_join },
	{ "lower", 1, 1, call_lower },	  { "upper", 1, 1, call_upper },
	{ "println", 0, ARGUMENTS_MAX, call_println },
	{ "eq", 2, ARGUMENTS_MAX, call_eq }, { "ne", 2, 2, call_ne },
	{ "not", 1, 1, call_not },	  { "and", 1, ARGUMENTS_MAX, call_and },
	{ "or", 1, ARGUMENTS_MAX, call_or },
};
#define FUNCTION_COUNT (sizeof(functions) / sizeof(functions[0]))

static const struct function *take_function(struct parser *parser)
{
	for (size_t i = 0; i < FUNCTION_COUNT; i++)
		if (take_word(parser, functions[i].name))
			return &functions[i];
	return NULL;
}

static bool at_operand_end(const struct parser *parser)
{
	return parser->at == parser->end || *parser->at == '|' || *parser->at == ')';
}

/* What came through the pipe is the last argument, though it was there first. */
static void move_last(struct arguments *given)
{
	json_t *first = given->values[0];

	memmove(given->values, given->values + 1, (given->count - 1) * sizeof(first));
	given->values[given->count - 1] = first;
}

/* FUNCTION OPERAND… or one operand; piped (taken, may be NULL) is one more argument, the last. */
static json_t *parse_command(struct parser *parser, json_t *piped)
{
	__attribute__((cleanup(arguments_release))) struct arguments given = { .count = 0 };
	const struct function *function;
	if (piped)
		given.values[given.count++] = piped;
	skip_space(parser);
	function = take_function(parser);
	while (skip_space(parser), !at_operand_end(parser)) {
		json_t *value = NULL;

		if (given.count == ARGUMENTS_MAX)
			return fail(parser, must_printf("too many arguments"));
		value = parse_operand(parser);
		if (!value)
			return NULL;
		given.values[given.count++] = value;
	}
	if (piped)
		move_last(&given);
	if (!function) {
		if (given.count == 0)
			return fail(parser, must_printf("a value is missing"));
		if (given.count > 1)
			return fail(parser, must_printf("there is no such function, or too many values"));
		return json_incref(given.values[0]);
	}
	if (given.count < function->min || given.count > function->max)
		return fail(parser, must_printf("%s: wrong number of arguments", function->name));
	return parser->scope->check ? json_null() : function->call(parser, &given);
}

static json_t *parse_pipeline(struct parser *parser)
{
	json_t *value = parse_command(parser, NULL);

	while (value && (skip_space(parser), parser->at < parser->end && *parser->at == '|')) {
		parser->at++;
		value = parse_command(parser, value);
	}
	return value;
}

json_t *format_eval(const struct format_scope *scope, const char *text, size_t len, char **ret_error)
{
	struct parser parser = { .scope = scope, .at = text, .end = text + len, .ret_error = ret_error };
	json_t *value = parse_pipeline(&parser);

	if (value && parser.at != parser.end) {
		json_decref(value);
		return fail(&parser, must_printf("'%.*s' is too much", (int)(parser.end - parser.at), parser.at));
	}
	return value;
}

/* --- values ----------------------------------------------------------------------------------------------------- */

bool format_is_true(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return json_string_length(value) > 0;
	case JSON_INTEGER:
		return json_integer_value(value) != 0;
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_OBJECT:
		return json_object_size(value) > 0;
	case JSON_REAL:
	case JSON_TRUE:
		return true;
	default:
		return false;
	}
}

/* Our own values are at most a few levels deep. */
static void show(struct text *to, json_t *value)
{
	const char *key, *between = "";
	json_t *item;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_STRING:
		text_adds(to, json_string_value(value));
		break;
	case JSON_INTEGER:
		text_addf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		text_addf(to, "%g", json_real_value(value));
		break;
	case JSON_ARRAY:
		text_adds(to, "[");
		json_array_foreach(value, i, item) {
			text_adds(to, i ? " " : "");
			show(to, item);
		}
		text_adds(to, "]");
		break;
	case JSON_OBJECT:
		text_adds(to, "map[");
		json_object_foreach(value, key, item) {
			text_addf(to, "%s%s:", between, key);
			show(to, item);
			between = " ";
		}
		text_adds(to, "]");
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		text_adds(to, json_is_true(value) ? "true" : "false");
		break;
	case JSON_NULL:
		break;
	}
}

char *format_show(const json_t *value)
{
	struct text shown = { .data = NULL };

	text_adds(&shown, "");
	show(&shown, (json_t *)value);
	return must(shown.data);
}
