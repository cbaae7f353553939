/* One pass, one function for each rule of the grammar:
 *
 *   document = { key = value | [header] | [[header]] } lines
 *   key      = part { "." part }      part = bare | "basic" | 'literal'
 *   value    = string | number | true | false | [ values ] | { keys }
 *
 * What may be added to later is told by nc_toml.origin. One map holds the keys of all tables, so that a table of many keys
 * costs no more than its bytes. */
#include "image/toml.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 1024

struct parser {
	const char *at, *end;
	unsigned line;
	const char *file;
	struct nc_map *keys;		/* table's address and key -> value */
	unsigned values, depth;
	struct nacre_error *err;
};

__attribute__((format(printf, 2, 3))) static int bad(struct parser *parser, const char *fmt, ...)
{
	char reason[300];
	va_list args;
	va_start(args, fmt);
	vsnprintf(reason, sizeof reason, fmt, args);
	va_end(args);
	return nc_fail(parser->err, NACRE_E_BADDATA, 0, "%s: line %u: %s", parser->file, parser->line, reason);
}

/* --- the tree ---------------------------------------------------------------------------------------------------- */

static int make(struct parser *parser, enum nc_toml_type type, struct nc_toml **ret)
{
	if (++parser->values > NC_TOML_VALUES_MAX)
		return nc_fail(parser->err, NACRE_E_LIMIT, 0, "%s: line %u: more than %u values", parser->file,
			       parser->line, NC_TOML_VALUES_MAX);
	struct nc_toml *value = nc_zalloc(sizeof *value);
	if (!value)
		return nc_nomem(parser->err);
	value->type = type;
	value->line = parser->line;
	*ret = value;
	return 0;
}

static void append(struct nc_toml *parent, struct nc_toml *value)
{
	if (parent->last)
		parent->last->next = value;
	else
		parent->first = value;
	parent->last = value;
}

/* The key of the map: room for an address and KEY_MAX bytes. */
static size_t map_key(const struct nc_toml *table, const char *key, char *ret)
{
	size_t len = strlen(key);
	memcpy(ret, &table, sizeof table);
	memcpy(ret + sizeof table, key, len);
	return sizeof table + len;
}

static struct nc_toml *find(struct parser *parser, const struct nc_toml *table, const char *key)
{
	char name[sizeof(void *) + KEY_MAX];
	size_t len = map_key(table, key, name);
	return nc_map_get(parser->keys, name, len);
}

/* value (taken, also on failure) becomes key of table, which has none of that name. */
static int put(struct parser *parser, struct nc_toml *table, const char *key, struct nc_toml *value)
{
	char name[sizeof(void *) + KEY_MAX];
	size_t len = map_key(table, key, name);
	value->key = nc_strdup(key);
	int code = value->key ? nc_map_set(parser->keys, name, len, value, NULL, parser->err) : nc_nomem(parser->err);
	if (code < 0) {
		nc_toml_free(value);
		return code;
	}
	append(table, value);
	return 0;
}

static int put_table(struct parser *parser, struct nc_toml *table, const char *key, enum nc_toml_origin origin,
		     struct nc_toml **ret)
{
	struct nc_toml *made = NULL;
	int code = make(parser, NC_TOML_TABLE, &made);
	if (code < 0)
		return code;
	made->origin = origin;
	code = put(parser, table, key, made);
	if (code == 0)
		*ret = made;
	return code;
}

void nc_toml_free(struct nc_toml *value)
{
	while (value) {
		struct nc_toml *next = value->next;
		nc_toml_free(value->first);	/* as deep as the document, so not deep */
		free(value->key);
		free(value->text);
		free(value);
		value = next;
	}
}

const struct nc_toml *nc_toml_get(const struct nc_toml *table, const char *key)
{
	for (const struct nc_toml *value = table->first; value; value = value->next)
		if (strcmp(value->key, key) == 0)
			return value;
	return NULL;
}

const char *nc_toml_type_text(enum nc_toml_type type)
{
	static const char *const texts[] = {
		[NC_TOML_TABLE] = "a table", [NC_TOML_ARRAY] = "an array", [NC_TOML_STRING] = "a string",
		[NC_TOML_INTEGER] = "a number", [NC_TOML_BOOLEAN] = "true or false",
	};
	return texts[type];
}

/* --- blanks ------------------------------------------------------------------------------------------------------ */

static int peek(const struct parser *parser)
{
	return parser->at < parser->end ? (unsigned char)*parser->at : -1;
}

static void skip_blanks(struct parser *parser)
{
	while (peek(parser) == ' ' || peek(parser) == '\t')
		parser->at++;
}

/* 1: an end of line was there, and is passed. */
static int skip_newline(struct parser *parser)
{
	if (peek(parser) == '\r' && parser->end - parser->at > 1 && parser->at[1] == '\n')
		parser->at++;
	if (peek(parser) != '\n')
		return 0;
	parser->at++;
	parser->line++;
	return 1;
}

static bool is_control(int c)
{
	return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f;
}

static int skip_comment(struct parser *parser)
{
	if (peek(parser) != '#')
		return 0;
	while (parser->at < parser->end && *parser->at != '\n' && *parser->at != '\r') {
		if (is_control(peek(parser)))
			return bad(parser, "a control character in a comment");
		parser->at++;
	}
	return 0;
}

/* What may follow a value: blanks, a comment, the end of the line. */
static int end_line(struct parser *parser)
{
	skip_blanks(parser);
	int code = skip_comment(parser);
	if (code < 0)
		return code;
	if (parser->at == parser->end || skip_newline(parser))
		return 0;
	return bad(parser, "something behind the end: one key and value a line");
}

/* Inside of arrays: blanks, comments and line ends. */
static int skip_space(struct parser *parser)
{
	do {
		skip_blanks(parser);
		int code = skip_comment(parser);
		if (code < 0)
			return code;
	} while (skip_newline(parser));
	return 0;
}

/* --- strings ----------------------------------------------------------------------------------------------------- */

static bool begins(const struct parser *parser, const char *text)
{
	size_t len = strlen(text);
	return (size_t)(parser->end - parser->at) >= len && memcmp(parser->at, text, len) == 0;
}

static int read_code_point(struct parser *parser, size_t digits, struct nc_buf *text)
{
	unsigned long point = 0;
	char utf8[4];
	for (size_t i = 0; i < digits; i++, parser->at++) {
		int c = peek(parser);
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (digit < 0)
			return bad(parser, "\\%c needs %zu hexadecimal digits", digits == 4 ? 'u' : 'U', digits);
		point = point << 4 | (unsigned long)digit;
	}
	size_t len = nc_utf8_encode(point, utf8);
	if (len == 0 || point == 0)
		return bad(parser, "an escape that is no character");
	return nc_buf_add(text, utf8, len, parser->err);
}

static int read_escape(struct parser *parser, struct nc_buf *text)
{
	static const char letters[] = "btnfr\"\\", meanings[] = "\b\t\n\f\r\"\\";
	int c = peek(parser);
	if (c < 0)
		return bad(parser, "a string without its end");
	parser->at++;
	if (c == 'u' || c == 'U')
		return read_code_point(parser, c == 'u' ? 4 : 8, text);
	const char *letter = c ? strchr(letters, c) : NULL;
	if (!letter)
		return bad(parser, "an escape that TOML does not have; a backslash is written \\\\");
	return nc_buf_add(text, meanings + (letter - letters), 1, parser->err);
}

/* A backslash at the end of a line takes all white space behind it away. 1: it was that. */
static int skip_line_end(struct parser *parser)
{
	const char *at = parser->at;
	unsigned line = parser->line;
	skip_blanks(parser);
	if (!skip_newline(parser)) {
		parser->at = at;
		parser->line = line;
		return 0;
	}
	do
		skip_blanks(parser);
	while (skip_newline(parser));
	return 1;
}

static int add_character(struct parser *parser, bool many_lines, struct nc_buf *text)
{
	if (many_lines && skip_newline(parser))
		return nc_buf_add(text, "\n", 1, parser->err);
	if (is_control(peek(parser)))
		return many_lines ? bad(parser, "a control character in a string") :
				    bad(parser, "a string ends on its line, and has no control characters");
	return nc_buf_add(text, parser->at++, 1, parser->err);
}

/* Behind the opening quotes. quote is " or '. */
static int read_quoted(struct parser *parser, char quote, bool many_lines, struct nc_buf *text)
{
	const char ends[] = { quote, quote, quote, '\0' };
	const char *end = many_lines ? ends : ends + 2;
	if (many_lines)
		skip_newline(parser);
	while (parser->at < parser->end) {
		int code = 0;
		if (begins(parser, end)) {
			parser->at += strlen(end);
			/* one or two quotes may stand before the three that end it */
			for (int i = 0; many_lines && code == 0 && i < 2 && peek(parser) == quote; i++)
				code = nc_buf_add(text, parser->at++, 1, parser->err);
			return code;
		}
		if (quote == '"' && *parser->at == '\\') {
			parser->at++;
			if (!many_lines || !skip_line_end(parser))
				code = read_escape(parser, text);
		} else {
			code = add_character(parser, many_lines, text);
		}
		if (code < 0)
			return code;
	}
	return bad(parser, "a string without its end");
}

static int read_string(struct parser *parser, bool key, struct nc_buf *text)
{
	char quote = *parser->at;
	bool many_lines = begins(parser, quote == '"' ? "\"\"\"" : "'''");
	if (many_lines && key)
		return bad(parser, "a key is one line");
	parser->at += many_lines ? 3 : 1;
	return read_quoted(parser, quote, many_lines, text);
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

static bool is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* One part of a key, with the blanks around it. */
static int read_part(struct parser *parser, struct nc_buf *part)
{
	int code = 0;
	nc_buf_clear(part);
	skip_blanks(parser);
	const char *start = parser->at;
	if (peek(parser) == '"' || peek(parser) == '\'') {
		code = read_string(parser, true, part);
	} else {
		while (is_bare(peek(parser)))
			parser->at++;
		if (parser->at == start)
			return bad(parser, "a key is expected here");
		code = nc_buf_add(part, start, (size_t)(parser->at - start), parser->err);
	}
	if (code == NACRE_E_LIMIT)
		return bad(parser, "a key of more than %d bytes", KEY_MAX);
	skip_blanks(parser);
	return code;
}

static int taken(struct parser *parser, const char *key, const struct nc_toml *there)
{
	return bad(parser, "'%.100s' is there already, since line %u", key, there->line);
}

static int deeper(struct parser *parser, unsigned depth)
{
	if (depth <= NC_TOML_DEPTH_MAX)
		return 0;
	return nc_fail(parser->err, NACRE_E_LIMIT, 0, "%s: line %u: more than %d tables in one another", parser->file,
		       parser->line, NC_TOML_DEPTH_MAX);
}

/* The table that a header's path goes through. */
static int walk_header(struct parser *parser, struct nc_toml **table, const char *key)
{
	struct nc_toml *there = find(parser, *table, key);
	if (!there)
		return put_table(parser, *table, key, NC_TOML_IMPLIED, table);
	if (there->origin == NC_TOML_VALUE)
		return taken(parser, key, there);
	*table = there->type == NC_TOML_ARRAY ? there->last : there;
	return 0;
}

static int open_table(struct parser *parser, struct nc_toml **table, const char *key)
{
	struct nc_toml *there = find(parser, *table, key);
	if (!there)
		return put_table(parser, *table, key, NC_TOML_HEADER, table);
	if (there->type != NC_TOML_TABLE || there->origin != NC_TOML_IMPLIED)
		return taken(parser, key, there);
	there->origin = NC_TOML_HEADER;
	*table = there;
	return 0;
}

static int open_element(struct parser *parser, struct nc_toml **table, const char *key)
{
	struct nc_toml *array = find(parser, *table, key), *element = NULL;
	int code = 0;
	if (array && (array->type != NC_TOML_ARRAY || array->origin == NC_TOML_VALUE))
		return taken(parser, key, array);
	if (!array) {
		code = make(parser, NC_TOML_ARRAY, &array);
		if (code < 0)
			return code;
		array->origin = NC_TOML_HEADER;
		code = put(parser, *table, key, array);
	}
	if (code == 0)
		code = make(parser, NC_TOML_TABLE, &element);
	if (code < 0)
		return code;
	element->origin = NC_TOML_HEADER;
	append(array, element);
	*table = element;
	return 0;
}

/* [a.b] or [[a.b]]; table becomes the one it opens. */
static int read_header(struct parser *parser, struct nc_toml *root, struct nc_toml **table)
{
	NC_AUTO_BUF struct nc_buf part = NC_BUF_INIT(KEY_MAX);
	bool many = begins(parser, "[[");
	const char *end = many ? "]]" : "]";
	parser->at += many ? 2 : 1;
	*table = root;
	for (unsigned depth = 1;; depth++) {
		int code = read_part(parser, &part);
		if (code == 0)
			code = deeper(parser, depth);
		if (code < 0)
			return code;
		const char *key = nc_buf_text(&part);
		if (begins(parser, end)) {
			parser->at += strlen(end);
			code = many ? open_element(parser, table, key) : open_table(parser, table, key);
			return code < 0 ? code : end_line(parser);
		}
		if (peek(parser) != '.')
			return bad(parser, "a header without its end: [table] or [[table]]");
		parser->at++;
		code = walk_header(parser, table, key);
		if (code < 0)
			return code;
	}
}

static int walk_dotted(struct parser *parser, struct nc_toml **table, const char *key)
{
	struct nc_toml *there = find(parser, *table, key);
	if (!there)
		return put_table(parser, *table, key, NC_TOML_DOTTED, table);
	if (there->type != NC_TOML_TABLE || there->origin != NC_TOML_DOTTED)
		return taken(parser, key, there);
	*table = there;
	return 0;
}

/* --- values ------------------------------------------------------------------------------------------------------ */

static int read_value(struct parser *parser, struct nc_toml **ret);

/* key = value, into table. */
static int read_pair(struct parser *parser, struct nc_toml *table)
{
	NC_AUTO_BUF struct nc_buf part = NC_BUF_INIT(KEY_MAX);
	struct nc_toml *value = NULL;
	int code;
	for (unsigned depth = parser->depth + 1;; depth++) {
		code = read_part(parser, &part);
		if (code == 0)
			code = deeper(parser, depth);
		if (code < 0 || peek(parser) != '.')
			break;
		parser->at++;
		code = walk_dotted(parser, &table, nc_buf_text(&part));
		if (code < 0)
			return code;
	}
	if (code < 0)
		return code;
	const char *key = nc_buf_text(&part);
	if (peek(parser) != '=')
		return bad(parser, "'%.100s' has no '=' and no value", key);
	parser->at++;
	skip_blanks(parser);
	const struct nc_toml *there = find(parser, table, key);
	if (there)
		return taken(parser, key, there);
	code = read_value(parser, &value);
	return code < 0 ? code : put(parser, table, key, value);
}

static int read_array(struct parser *parser, struct nc_toml *array)
{
	parser->at++;
	for (;;) {
		struct nc_toml *element = NULL;
		int code = skip_space(parser);
		if (code < 0)
			return code;
		if (peek(parser) == ']')
			break;
		code = read_value(parser, &element);
		if (code < 0)
			return code;
		append(array, element);
		code = skip_space(parser);
		if (code < 0)
			return code;
		if (peek(parser) == ']')
			break;
		if (peek(parser) != ',')
			return bad(parser, "an array goes on with ',' or ends with ']'");
		parser->at++;
	}
	parser->at++;
	return 0;
}

static int read_inline_table(struct parser *parser, struct nc_toml *table)
{
	parser->at++;
	skip_blanks(parser);
	if (peek(parser) == '}') {
		parser->at++;
		return 0;
	}
	for (;;) {
		int code = read_pair(parser, table);
		if (code < 0)
			return code;
		skip_blanks(parser);
		if (peek(parser) == '}')
			break;
		if (peek(parser) != ',')
			return bad(parser, "an inline table goes on with ',' or ends with '}', on one line");
		parser->at++;
	}
	parser->at++;
	return 0;
}

/* Digits of a base with single underscores between them; the sign is read. */
static int parse_digits(const char *text, int base, bool negative, int64_t *ret)
{
	uint64_t number = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
	bool digit_before = false;
	for (; *text; text++) {
		int c = *text;
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			    c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
		if (c == '_' && digit_before) {
			digit_before = false;
			continue;
		}
		if (digit >= base || number > (limit - (uint64_t)digit) / (uint64_t)base)
			return -1;
		number = number * (uint64_t)base + (uint64_t)digit;
		digit_before = true;
	}
	*ret = (int64_t)(negative ? 0 - number : number);
	return digit_before ? 0 : -1;
}

static int parse_number(const char *text, int64_t *ret)
{
	bool negative = *text == '-';
	if (text[0] == '0' && text[1] && strchr("xob", text[1]))
		return parse_digits(text + 2, text[1] == 'x' ? 16 : text[1] == 'o' ? 8 : 2, false, ret);
	text += *text == '+' || negative;
	return text[0] == '0' && text[1] ? -1 : parse_digits(text, 10, negative, ret);
}

/* true, false or a number. */
static int read_word(struct parser *parser, struct nc_toml *value)
{
	char word[64];
	size_t len = 0;
	while (is_bare(peek(parser)) || peek(parser) == '+' || peek(parser) == '.' || peek(parser) == ':') {
		if (len == sizeof word - 1)
			return bad(parser, "a value is expected here: text stands in quotes");
		word[len++] = *parser->at++;
	}
	word[len] = '\0';
	if (len == 0)
		return bad(parser, "a value is expected here");
	if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0) {
		value->type = NC_TOML_BOOLEAN;
		value->number = word[0] == 't';
		return 0;
	}
	value->type = NC_TOML_INTEGER;
	if (parse_number(word, &value->number) < 0)
		return bad(parser, "'%s' is no value that is read here: text stands in quotes, numbers are whole", word);
	return 0;
}

static int fill(struct parser *parser, struct nc_toml *value)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(NC_TOML_MAX);
	int code;
	switch (peek(parser)) {
	case '[':
		value->type = NC_TOML_ARRAY;
		return read_array(parser, value);
	case '{':
		value->type = NC_TOML_TABLE;
		return read_inline_table(parser, value);
	case '"':
	case '\'':
		value->type = NC_TOML_STRING;
		code = read_string(parser, false, &text);
		if (code < 0)
			return code;
		value->text = nc_buf_give(&text);
		return value->text ? 0 : nc_nomem(parser->err);
	default:
		return read_word(parser, value);
	}
}

static int read_value(struct parser *parser, struct nc_toml **ret)
{
	NC_CLEANUP(nc_toml_auto) struct nc_toml *value = NULL;
	int code = deeper(parser, parser->depth + 1);
	if (code == 0)
		code = make(parser, NC_TOML_STRING, &value);
	if (code < 0)
		return code;
	parser->depth++;
	code = fill(parser, value);
	parser->depth--;
	if (code < 0)
		return code;
	*ret = NC_GIVE(value);
	return 0;
}

/* --- the document ------------------------------------------------------------------------------------------------ */

static int read_document(struct parser *parser, struct nc_toml *root)
{
	struct nc_toml *table = root;
	while (parser->at < parser->end) {
		int code = skip_space(parser);
		if (code < 0)
			return code;
		if (parser->at == parser->end)
			break;
		if (peek(parser) == '[') {
			code = read_header(parser, root, &table);
		} else {
			code = read_pair(parser, table);
			if (code == 0)
				code = end_line(parser);
		}
		if (code < 0)
			return code;
	}
	return 0;
}

static int check_text(struct parser *parser)
{
	for (const char *at = parser->at; at < parser->end;) {
		size_t len = nc_utf8_len((const unsigned char *)at, (size_t)(parser->end - at));
		if (len == 0 || *at == '\0')
			return bad(parser, "%s", len ? "a NUL" : "bytes that are no UTF-8");
		parser->line += *at == '\n';
		at += len;
	}
	parser->line = 1;
	return 0;
}

int nc_toml_parse(const char *bytes, size_t len, const char *file, struct nc_toml **ret, struct nacre_error *err)
{
	if (len > NC_TOML_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "%s: more than 1 MiB", file);
	NC_CLEANUP(nc_map_auto) struct nc_map *keys = nc_map_new();
	struct parser parser = { .at = bytes, .end = bytes + len, .line = 1, .file = file, .keys = keys, .err = err };
	NC_CLEANUP(nc_toml_auto) struct nc_toml *root = NULL;
	if (!keys)
		return nc_nomem(err);
	if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		parser.at += 3;
	int code = check_text(&parser);
	if (code == 0)
		code = make(&parser, NC_TOML_TABLE, &root);
	if (code == 0) {
		root->origin = NC_TOML_HEADER;
		code = read_document(&parser, root);
	}
	if (code < 0)
		return code;
	*ret = NC_GIVE(root);
	return 0;
}
