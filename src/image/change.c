#include "image/change.h"

#include "base/buf.h"
#include "base/mem.h"
#include "image/field.h"
#include "image/gojson.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (64u << 10)
#define TEXT_MAX_BYTES (1u << 20)	/* of one value, its variables replaced */

static const char spaces[] = " \t\v\f";

static const char *skip_spaces(const char *text)
{
	return text + strspn(text, spaces);
}

/* Takes value, which may be NULL when there was no memory (or, from json_string, when text was not UTF-8: lines are
 * checked for that first). */
static int put(json_t *object, const char *key, json_t *value, struct nacre_error *err)
{
	return json_object_set_new(object, key, value) < 0 ? nc_nomem(err) : 0;
}

static int append(json_t *array, const char *text, struct nacre_error *err)
{
	return json_array_append_new(array, json_string(text)) < 0 ? nc_nomem(err) : 0;
}

/* The object or array at key, made when missing; lent by config. NULL: no memory. */
static json_t *ensure(json_t *config, const char *key, bool array)
{
	json_t *there = json_object_get(config, key);
	if (there)
		return there;
	there = array ? json_array() : json_object();
	return json_object_set_new(config, key, there) < 0 ? NULL : there;
}

/* --- words and variables --- */

/* The position of NAME=value in Env, or its length. */
static size_t find_variable(const json_t *env, const char *name, size_t len)
{
	size_t i = 0;
	for (; i < json_array_size(env); i++) {
		const char *entry = json_string_value(json_array_get(env, i));
		if (strncmp(entry, name, len) == 0 && entry[len] == '=')
			break;
	}
	return i;
}

static size_t name_length(const char *text)
{
	if (text[0] >= '0' && text[0] <= '9')
		return 0;
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
}

/* text begins with '$'. Appends what stands for the variable and says how long its mention is. */
static int expand_variable(struct nc_buf *buf, const json_t *config, const char *text, size_t *ret_len,
			   struct nacre_error *err)
{
	bool braces = text[1] == '{';
	const char *name = text + 1 + braces;
	size_t len = name_length(name);
	if (braces && (len == 0 || name[len] != '}'))
		return nc_fail(err, NACRE_E_INVALID, 0, "only $NAME and ${NAME} are replaced, not '%.40s'", text);
	if (len == 0) {
		*ret_len = 1;
		return nc_buf_add(buf, "$", 1, err);
	}
	*ret_len = (size_t)(name - text) + len + braces;
	const json_t *env = json_object_get(config, "Env");
	const char *entry = json_string_value(json_array_get(env, find_variable(env, name, len)));
	return entry ? nc_buf_add_text(buf, entry + len + 1, err) : 0;
}

/* Takes quotes and backslashes away and replaces variables, by the rules of a shell: nothing is special within single
 * quotes; within double quotes a backslash stands for itself except before " $ and \. ret is given. */
static int unquote(const json_t *config, const char *text, size_t len, char **ret, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(TEXT_MAX_BYTES);
	NC_AUTO_FREE char *word = nc_memdup(text, len);
	char quote = '\0';
	int code = word ? 0 : nc_nomem(err);
	for (size_t i = 0, step; i < len && code == 0; i += step) {
		char c = word[i];
		step = 1;
		if (c == quote && quote) {
			quote = '\0';
		} else if (!quote && (c == '"' || c == '\'')) {
			quote = c;
		} else if (c == '$' && quote != '\'') {
			code = expand_variable(&buf, config, word + i, &step, err);
		} else if (c == '\\' && !quote) {
			step = 2;
			code = nc_buf_add(&buf, word + i + 1, i + 1 < len, err);
		} else if (c == '\\' && quote == '"' && word[i + 1] && strchr("\"$\\", word[i + 1])) {
			step = 2;
			code = nc_buf_add(&buf, word + i + 1, 1, err);
		} else {
			code = nc_buf_add(&buf, &c, 1, err);
		}
	}
	if (code == 0 && quote)
		code = nc_fail(err, NACRE_E_INVALID, 0, "a quote (%c) is not closed", quote);
	if (code < 0)
		return code;
	*ret = nc_buf_give(&buf);
	return *ret ? 0 : nc_nomem(err);
}

/* The length of the word at text, which ends at white space outside quotes. */
static size_t word_length(const char *text)
{
	char quote = '\0';
	size_t i = 0;
	for (; text[i] && (quote || !strchr(spaces, text[i])); i++) {
		if (text[i] == '\\' && quote != '\'' && text[i + 1])
			i++;
		else if (quote)
			quote = text[i] == quote ? '\0' : quote;
		else if (text[i] == '"' || text[i] == '\'')
			quote = text[i];
	}
	return i;
}

/* Calls fn with each word of text, split at white space alone and its variables replaced. */
static int each_word(json_t *config, const char *text, int (*fn)(json_t *config, const char *word, struct nacre_error *),
		     struct nacre_error *err)
{
	int code = 0;
	for (const char *at = text; *at && code == 0; at = skip_spaces(at)) {
		size_t len = strcspn(at, spaces);
		NC_AUTO_FREE char *word = NULL;
		code = unquote(config, at, len, &word, err);
		if (code == 0)
			code = fn(config, word, err);
		at += len;
	}
	return code;
}

/* "k=v k2=v2 …", each with quotes; or, when the first word has no "=", the old form "k everything else". */
static int each_pair(json_t *config, const char *text,
		     int (*fn)(json_t *config, const char *key, const char *value, struct nacre_error *),
		     struct nacre_error *err)
{
	size_t first = word_length(text);
	bool old = !memchr(text, '=', first);
	if (old && !*skip_spaces(text + first))
		return nc_fail(err, NACRE_E_INVALID, 0, "'%.100s' has no value", text);
	int code = 0;
	for (const char *at = text; *at && code == 0; at = skip_spaces(at)) {
		NC_AUTO_FREE char *key = NULL, *value = NULL;
		size_t len = word_length(at);
		const char *equals = memchr(at, '=', len);
		const char *from = old ? skip_spaces(at + len) : equals ? equals + 1 : NULL;
		if (!from)
			return nc_fail(err, NACRE_E_INVALID, 0, "'%.*s' is not NAME=VALUE", (int)len, at);
		const char *end = old ? from + strlen(from) : at + len;
		code = unquote(config, at, old ? len : (size_t)(equals - at), &key, err);
		if (code == 0 && !key[0])
			code = nc_fail(err, NACRE_E_INVALID, 0, "a name is empty");
		if (code == 0)
			code = unquote(config, from, (size_t)(end - from), &value, err);
		if (code == 0)
			code = fn(config, key, value, err);
		at = end;
	}
	return code;
}

/* --- the instructions --- */

/* The array of strings that text is, or NULL when it is none. Given. */
static int parse_exec_form(const char *text, json_t **ret, struct nacre_error *err)
{
	json_t *array = NULL;
	*ret = NULL;
	if (text[0] != '[' || nc_json_parse(text, strlen(text), "", &array, NULL) < 0)
		return 0;
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!json_is_string(json_array_get(array, i))) {
			json_decref(array);
			return nc_fail(err, NACRE_E_INVALID, 0, "an array here holds nothing but strings");
		}
	*ret = array;
	return 0;
}

static int set_command(json_t *config, const char *key, const char *text, struct nacre_error *err)
{
	json_t *array;
	int code = parse_exec_form(text, &array, err);
	if (code < 0)
		return code;
	if (!array)
		array = json_pack("[s,s,s]", "/bin/sh", "-c", text);
	if (array && json_array_size(array) == 0) {
		json_decref(array);
		json_object_del(config, key);
		return 0;
	}
	return put(config, key, array, err);
}

static int change_cmd(json_t *config, const char *text, struct nacre_error *err)
{
	return set_command(config, "Cmd", text, err);
}

static int change_entrypoint(json_t *config, const char *text, struct nacre_error *err)
{
	return set_command(config, "Entrypoint", text, err);
}

static int set_variable(json_t *config, const char *key, const char *value, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf entry = NC_BUF_INIT(2 * TEXT_MAX_BYTES);
	json_t *env = ensure(config, "Env", true);
	if (!env)
		return nc_nomem(err);
	int code = nc_buf_addf(&entry, err, "%s=%s", key, value);
	if (code < 0)
		return code;
	size_t i = find_variable(env, key, strlen(key));
	if (i == json_array_size(env))
		return append(env, entry.data, err);
	return json_array_set_new(env, i, json_string(entry.data)) < 0 ? nc_nomem(err) : 0;
}

static int change_env(json_t *config, const char *text, struct nacre_error *err)
{
	return each_pair(config, text, set_variable, err);
}

static int set_label(json_t *config, const char *key, const char *value, struct nacre_error *err)
{
	json_t *labels = ensure(config, "Labels", false);
	return labels ? put(labels, key, json_string(value), err) : nc_nomem(err);
}

static int change_label(json_t *config, const char *text, struct nacre_error *err)
{
	return each_pair(config, text, set_label, err);
}

/* 1 to 65535; 0: no port. */
static unsigned port_number(const char *text, size_t len)
{
	unsigned port = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || len > 5)
			return 0;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	return port <= 65535 ? port : 0;
}

static int expose(json_t *config, const char *word, struct nacre_error *err)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };
	const char *slash = strchr(word, '/'), *protocol = NULL;
	const char *end = slash ? slash : word + strlen(word);
	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
		if (nc_key_folds(slash ? slash + 1 : "tcp", protocols[i]))
			protocol = protocols[i];
	const char *dash = memchr(word, '-', (size_t)(end - word));
	unsigned first = port_number(word, (size_t)((dash ? dash : end) - word));
	unsigned last = dash ? port_number(dash + 1, (size_t)(end - dash - 1)) : first;
	if (!protocol || first == 0 || last < first)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%.100s' is not PORT[-PORT][/tcp|udp|sctp]", word);
	json_t *ports = ensure(config, "ExposedPorts", false);
	int code = ports ? 0 : nc_nomem(err);
	for (unsigned port = first; port <= last && code == 0; port++) {
		char key[16];
		snprintf(key, sizeof key, "%u/%s", port, protocol);
		code = put(ports, key, json_object(), err);
	}
	return code;
}

static int change_expose(json_t *config, const char *text, struct nacre_error *err)
{
	return each_word(config, text, expose, err);
}

static int change_onbuild(json_t *config, const char *text, struct nacre_error *err)
{
	static const char *const forbidden[] = { "ONBUILD", "FROM", "MAINTAINER" };
	NC_AUTO_FREE char *instruction = nc_memdup(text, strcspn(text, spaces));
	if (!instruction)
		return nc_nomem(err);
	for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
		if (nc_key_folds(instruction, forbidden[i]))
			return nc_fail(err, NACRE_E_INVALID, 0, "%s cannot wait for a build", forbidden[i]);
	json_t *triggers = ensure(config, "OnBuild", true);
	return triggers ? append(triggers, text, err) : nc_nomem(err);
}

/* Unquotes text into the string field key. */
static int set_text(json_t *config, const char *key, const char *text, struct nacre_error *err)
{
	NC_AUTO_FREE char *value = NULL;
	int code = unquote(config, text, strlen(text), &value, err);
	return code < 0 ? code : put(config, key, json_string(value), err);
}

/* Whether text is a number of signals, or a name as kill -l has it. */
static bool is_signal(const char *text)
{
	const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
	if (name[0] >= '1' && name[0] <= '9' && name == text) {
		char *end;
		long number = strtol(text, &end, 10);
		return *end == '\0' && number <= 64;
	}
	for (int i = 1; i < 32; i++) {
		const char *known = sigabbrev_np(i);
		if (known && strcmp(name, known) == 0)
			return true;
	}
	if (strcmp(name, "RTMIN") == 0 || strcmp(name, "RTMAX") == 0)
		return true;
	if (strncmp(name, "RTMIN+", 6) != 0 && strncmp(name, "RTMAX-", 6) != 0)
		return false;
	unsigned offset = port_number(name + 6, strlen(name + 6));
	return offset >= 1 && offset <= (name[5] == '+' ? 15 : 14);
}

static int change_stop_signal(json_t *config, const char *text, struct nacre_error *err)
{
	int code = set_text(config, "StopSignal", text, err);
	if (code < 0)
		return code;
	const char *signal_name = json_string_value(json_object_get(config, "StopSignal"));
	return is_signal(signal_name) ? 0 : nc_fail(err, NACRE_E_INVALID, 0, "'%.100s' is not a signal", signal_name);
}

static int change_user(json_t *config, const char *text, struct nacre_error *err)
{
	return set_text(config, "User", text, err);
}

static int add_volume(json_t *config, const char *path, struct nacre_error *err)
{
	if (!path[0])
		return nc_fail(err, NACRE_E_INVALID, 0, "a volume's path is empty");
	json_t *volumes = ensure(config, "Volumes", false);
	return volumes ? put(volumes, path, json_object(), err) : nc_nomem(err);
}

static int change_volume(json_t *config, const char *text, struct nacre_error *err)
{
	NC_CLEANUP(nc_json_auto) json_t *array = NULL;
	int code = parse_exec_form(text, &array, err);
	if (code == 0 && !array)
		return each_word(config, text, add_volume, err);
	for (size_t i = 0; i < json_array_size(array) && code == 0; i++) {
		const char *path = json_string_value(json_array_get(array, i));
		NC_AUTO_FREE char *expanded = NULL;
		code = unquote(config, path, strlen(path), &expanded, err);
		if (code == 0)
			code = add_volume(config, expanded, err);
	}
	return code;
}

/* Appends the parts of path to a clean absolute path; ".." takes one away, but never the root. */
static int join_path(struct nc_buf *buf, const char *path, struct nacre_error *err)
{
	int code = 0;
	for (size_t len; *path && code == 0; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			char *slash = strrchr(nc_buf_text(buf), '/');
			buf->len = slash ? (size_t)(slash - buf->data) : 0;
			if (buf->data)
				buf->data[buf->len] = '\0';
		} else if (len > 0 && !(len == 1 && path[0] == '.')) {
			code = nc_buf_addf(buf, err, "/%.*s", (int)len, path);
		}
	}
	return code;
}

/* A relative path goes on from the one before; an absolute one is kept as it stands. */
static int change_workdir(json_t *config, const char *text, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf joined = NC_BUF_INIT(TEXT_MAX_BYTES);
	NC_AUTO_FREE char *path = NULL;
	int code = unquote(config, text, strlen(text), &path, err);
	if (code < 0)
		return code;
	if (!path[0])
		return nc_fail(err, NACRE_E_INVALID, 0, "the path is empty");
	if (path[0] == '/')
		return put(config, "WorkingDir", json_string(path), err);
	const char *before = json_string_value(json_object_get(config, "WorkingDir"));
	code = join_path(&joined, before ? before : "", err);
	if (code == 0)
		code = join_path(&joined, path, err);
	if (code < 0)
		return code;
	return put(config, "WorkingDir", json_string(joined.len ? joined.data : "/"), err);
}

static const struct instruction {
	const char *name;
	int (*apply)(json_t *config, const char *text, struct nacre_error *err);
} instructions[] = {
	{ "CMD", change_cmd },		   { "ENTRYPOINT", change_entrypoint }, { "ENV", change_env },
	{ "EXPOSE", change_expose },	   { "LABEL", change_label },		{ "ONBUILD", change_onbuild },
	{ "STOPSIGNAL", change_stop_signal }, { "USER", change_user },		{ "VOLUME", change_volume },
	{ "WORKDIR", change_workdir },
};

/* Finds the instruction that line begins with and where its value begins. */
static const struct instruction *find_instruction(const char *line, const char **ret_value)
{
	for (size_t i = 0; i < sizeof instructions / sizeof *instructions; i++) {
		size_t len = strlen(instructions[i].name);
		char word[16] = "";
		if (strnlen(line, len) < len)
			continue;
		memcpy(word, line, len);
		if (!nc_key_folds(word, instructions[i].name) || (line[len] && !strchr(" \t\v\f=", line[len])))
			continue;
		*ret_value = skip_spaces(line + len + (line[len] == '='));
		return &instructions[i];
	}
	return NULL;
}

/* A copy of the line without white space around it, checked. */
static int prepare_line(const char *line, char **ret, struct nacre_error *err)
{
	size_t len = strlen(line);
	if (len > LINE_MAX_BYTES)
		return nc_fail(err, NACRE_E_INVALID, 0, "a change of %zu bytes, more than %u", len, LINE_MAX_BYTES);
	if (line[strcspn(line, "\r\n")])
		return nc_fail(err, NACRE_E_INVALID, 0, "change '%.100s': a line break within", line);
	NC_CLEANUP(nc_json_auto) json_t *valid = json_string(line);
	if (!valid)
		return nc_fail(err, NACRE_E_INVALID, 0, "a change that is not UTF-8");
	const char *start = skip_spaces(line);
	const char *end = line + len;
	while (end > start && strchr(spaces, end[-1]))
		end--;
	char *copy = nc_memdup(start, (size_t)(end - start));
	if (!copy)
		return nc_nomem(err);
	*ret = copy;
	return 0;
}

int nc_change_apply(json_t *config, const char *line, struct nacre_error *err)
{
	NC_AUTO_FREE char *clean = NULL;
	const char *value;
	int code = prepare_line(line, &clean, err);
	if (code < 0)
		return code;
	const struct instruction *instruction = find_instruction(clean, &value);
	if (!instruction)
		return nc_fail(err, NACRE_E_INVALID, 0, "change '%.100s': unknown instruction '%.*s'", clean,
			       (int)strcspn(clean, " \t\v\f="), clean);
	if (!*value)
		return nc_fail(err, NACRE_E_INVALID, 0, "change '%s': needs a value", clean);
	code = instruction->apply(config, value, err);
	return code < 0 ? nc_wrap(err, code, "change '%.100s'", clean) : 0;
}
