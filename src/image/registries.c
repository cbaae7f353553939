#include "image/registries.h"

#include "base/mem.h"
#include "image/toml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- typed keys -------------------------------------------------------------------------------------------------- */

struct file {
	const char *name;
	struct nacre_error *err;
};

__attribute__((format(printf, 3, 4))) static int bad(const struct file *file, const struct nc_toml *at, const char *fmt, ...)
{
	char reason[360];
	va_list args;
	va_start(args, fmt);
	vsnprintf(reason, sizeof reason, fmt, args);
	va_end(args);
	return nc_fail(file->err, NACRE_E_BADDATA, 0, "%s: line %u: %s", file->name, at->line, reason);
}

/* ret is NULL when the key is not there. */
static int get(const struct file *file, const struct nc_toml *table, const char *key, enum nc_toml_type type,
	       const struct nc_toml **ret)
{
	const struct nc_toml *value = nc_toml_get(table, key);
	if (value && value->type != type)
		return bad(file, value, "%s must be %s", key, nc_toml_type_text(type));
	*ret = value;
	return 0;
}

static int get_bool(const struct file *file, const struct nc_toml *table, const char *key, bool *ret)
{
	const struct nc_toml *value = NULL;
	int code = get(file, table, key, NC_TOML_BOOLEAN, &value);
	if (code == 0)
		*ret = value && value->number;
	return code;
}

static int each_table(const struct file *file, const struct nc_toml *array)
{
	for (const struct nc_toml *element = array ? array->first : NULL; element; element = element->next)
		if (element->type != NC_TOML_TABLE)
			return bad(file, element, "a table is expected here");
	return 0;
}

/* --- places ------------------------------------------------------------------------------------------------------ */

/* host[:port] and perhaps a path below it. */
static bool is_place(const char *text)
{
	char name[NC_REFERENCE_TEXT];
	struct nc_reference reference;
	/* behind a path that is added no tag can stand */
	int len = snprintf(name, sizeof name, "%s/x", text);
	return len > 0 && (size_t)len < sizeof name && nc_reference_has_host(name) && !strchr(text, '@') &&
	       nc_reference_parse_bare(name, &reference, NULL) == 0;
}

/* Reads the place that is a key, without a slash at its end; "" when absent. */
static int get_place(const struct file *file, const struct nc_toml *table, const char *key, char **ret)
{
	const struct nc_toml *value = NULL;
	int code = get(file, table, key, NC_TOML_STRING, &value);
	if (code < 0)
		return code;
	NC_AUTO_FREE char *text = nc_strdup(value ? value->text : "");
	if (!text)
		return nc_nomem(file->err);
	size_t len = strlen(text);
	while (len && text[len - 1] == '/')
		text[--len] = '\0';
	/* hosts are lowercase in references */
	for (char *c = text; *c && *c != '/'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	bool any_below = strcmp(key, "prefix") == 0 && strncmp(text, "*.", 2) == 0;
	if (value && strstr(text, "://"))
		return bad(file, value, "%s '%.100s' is written without a scheme: HOST[:PORT][/PATH]", key, text);
	if (value && (any_below ? strchr(text, '/') || !is_place(text + 2) : !is_place(text)))
		return bad(file, value, "%s '%.100s' is no registry: HOST[:PORT][/PATH]%s", key, text,
			   strcmp(key, "prefix") == 0 ? " or *.HOST" : "");
	*ret = NC_GIVE(text);
	return 0;
}

/* --- [[registry]] ------------------------------------------------------------------------------------------------ */

static void release_registry(struct nc_registry *registry)
{
	for (size_t i = 0; i < registry->mirror_count; i++)
		free(registry->mirrors[i].location);
	free(registry->mirrors);
	free(registry->prefix);
	free(registry->location);
	free(registry->file);
	*registry = (struct nc_registry){ 0 };
}

static int read_use(const struct file *file, const struct nc_toml *table, bool digest_only, enum nc_mirror_use *ret)
{
	static const char *const uses[] = { "all", "digest-only", "tag-only" };
	const struct nc_toml *value = NULL;
	int code = get(file, table, "pull-from-mirror", NC_TOML_STRING, &value);
	if (code < 0)
		return code;
	*ret = digest_only ? NC_MIRROR_DIGEST_ONLY : NC_MIRROR_ALL;
	if (!value || !*value->text)
		return 0;
	if (digest_only)
		return bad(file, value, "pull-from-mirror contradicts mirror-by-digest-only of the registry");
	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
		if (strcmp(value->text, uses[i]) == 0) {
			*ret = (enum nc_mirror_use)i;
			return 0;
		}
	}
	return bad(file, value, "pull-from-mirror must be all, digest-only or tag-only");
}

static int read_mirror(const struct file *file, const struct nc_toml *table, bool digest_only,
		       struct nc_registry_mirror *ret)
{
	int code = get_place(file, table, "location", &ret->location);
	if (code == 0 && !*ret->location)
		code = bad(file, table, "a mirror without location");
	if (code == 0)
		code = get_bool(file, table, "insecure", &ret->insecure);
	return code < 0 ? code : read_use(file, table, digest_only, &ret->use);
}

static int read_mirrors(const struct file *file, const struct nc_toml *table, struct nc_registry *registry)
{
	const struct nc_toml *mirrors = NULL;
	bool digest_only = false;
	size_t count = 0;
	int code = get_bool(file, table, "mirror-by-digest-only", &digest_only);
	if (code == 0)
		code = get(file, table, "mirror", NC_TOML_ARRAY, &mirrors);
	if (code == 0)
		code = each_table(file, mirrors);
	if (code < 0 || !mirrors)
		return code;
	for (const struct nc_toml *mirror = mirrors->first; mirror; mirror = mirror->next)
		if (++count > NC_REGISTRY_MIRRORS_MAX)
			return bad(file, mirror, "more than %d mirrors of one registry", NC_REGISTRY_MIRRORS_MAX);
	registry->mirrors = nc_zalloc((count ? count : 1) * sizeof *registry->mirrors);
	if (!registry->mirrors)
		return nc_nomem(file->err);
	for (const struct nc_toml *mirror = mirrors->first; mirror && code == 0; mirror = mirror->next)
		code = read_mirror(file, mirror, digest_only, &registry->mirrors[registry->mirror_count++]);
	return code;
}

/* The two names of a registry: each stands for the other where that is left out. */
static int read_names(const struct file *file, const struct nc_toml *table, struct nc_registry *registry)
{
	int code = get_place(file, table, "location", &registry->location);
	if (code == 0)
		code = get_place(file, table, "prefix", &registry->prefix);
	if (code < 0)
		return code;
	if (*registry->prefix) {
		if (!*registry->location && registry->prefix[0] != '*')
			return bad(file, table, "a registry without location");
		return 0;
	}
	if (!*registry->location)
		return bad(file, table, "a registry without location and prefix");
	free(registry->prefix);
	registry->prefix = nc_strdup(registry->location);
	return registry->prefix ? 0 : nc_nomem(file->err);
}

static int read_registry(const struct file *file, const struct nc_toml *table, struct nc_registry *registry)
{
	const struct nc_toml *use = nc_toml_get(table, "pull-from-mirror");
	if (use)
		return bad(file, use, "pull-from-mirror belongs to a mirror");
	registry->line = table->line;
	registry->file = nc_strdup(file->name);
	if (!registry->file)
		return nc_nomem(file->err);
	int code = read_names(file, table, registry);
	if (code == 0)
		code = get_bool(file, table, "insecure", &registry->insecure);
	if (code == 0)
		code = get_bool(file, table, "blocked", &registry->blocked);
	return code < 0 ? code : read_mirrors(file, table, registry);
}

/* --- lists and aliases ------------------------------------------------------------------------------------------- */

static void free_texts(char **texts)
{
	for (size_t i = 0; texts && texts[i]; i++)
		free(texts[i]);
	free(texts);
}

/* check says whether a text may be in the list. ret stays NULL when the key is absent. */
static int read_texts(const struct file *file, const struct nc_toml *root, const char *key,
		      bool (*check)(const char *text), char ***ret)
{
	const struct nc_toml *array = NULL;
	size_t count = 0;
	int code = get(file, root, key, NC_TOML_ARRAY, &array);
	if (code < 0 || !array)
		return code;
	char **texts = nc_zalloc((NC_REGISTRIES_SEARCH_MAX + 1) * sizeof *texts);
	if (!texts)
		return nc_nomem(file->err);
	*ret = texts;
	for (const struct nc_toml *value = array->first; value; value = value->next) {
		if (value->type != NC_TOML_STRING)
			return bad(file, value, "%s must hold strings", key);
		if (!check(value->text))
			return bad(file, value, "%s: '%.100s' cannot stand there", key, value->text);
		if (count == NC_REGISTRIES_SEARCH_MAX)
			return bad(file, value, "%s: more than %d", key, NC_REGISTRIES_SEARCH_MAX);
		texts[count] = nc_strdup(value->text);
		if (!texts[count++])
			return nc_nomem(file->err);
	}
	return 0;
}

/* The name of a program in $PATH, behind docker-credential-. */
static bool is_helper(const char *text)
{
	return *text && !strchr(text, '/') && strlen(text) < 200;
}

static bool is_bare_repository(const char *text, bool with_host)
{
	struct nc_reference reference;
	return nc_reference_has_host(text) == with_host && nc_reference_parse_bare(text, &reference, NULL) == 0 && !reference.tag[0] &&
	       !reference.digest[0];
}

static int read_alias(const struct file *file, const struct nc_toml *value, struct nc_map *aliases)
{
	void *old = NULL;
	if (value->type != NC_TOML_STRING)
		return bad(file, value, "an alias must be a string");
	if (!is_bare_repository(value->key, false))
		return bad(file, value, "'%.100s' is no short name: a repository without host, tag and digest",
			   value->key);
	if (*value->text && !is_bare_repository(value->text, true))
		return bad(file, value, "'%.100s' is no repository with its host: HOST/PATH", value->text);
	if (!*value->text) {
		free(nc_map_take(aliases, value->key, strlen(value->key)));
		return 0;
	}
	char *text = nc_strdup(value->text);
	if (!text)
		return nc_nomem(file->err);
	int code = nc_map_set(aliases, value->key, strlen(value->key), text, &old, file->err);
	free(code < 0 ? text : old);
	return code;
}

static int read_aliases(const struct file *file, const struct nc_toml *root, struct nc_map *aliases)
{
	const struct nc_toml *table = NULL;
	int code = get(file, root, "aliases", NC_TOML_TABLE, &table);
	for (const struct nc_toml *value = table ? table->first : NULL; value && code == 0; value = value->next)
		code = read_alias(file, value, aliases);
	return code;
}

/* We never ask, so the modes mean the same to us. */
static int check_mode(const struct file *file, const struct nc_toml *root)
{
	const struct nc_toml *mode = NULL;
	int code = get(file, root, "short-name-mode", NC_TOML_STRING, &mode);
	if (code < 0 || !mode || !*mode->text || !strcmp(mode->text, "enforcing") || !strcmp(mode->text, "permissive") ||
	    !strcmp(mode->text, "disabled"))
		return code;
	return bad(file, mode, "short-name-mode must be enforcing, permissive or disabled");
}

/* --- a file ------------------------------------------------------------------------------------------------------ */

struct said {				/* by one file */
	struct nc_registry *list;
	size_t count;
	char **search, **helpers;
};

static void release_said(struct said *said)
{
	for (size_t i = 0; i < said->count; i++)
		release_registry(&said->list[i]);
	free(said->list);
	free_texts(said->search);
	free_texts(said->helpers);
}

static int read_registries(const struct file *file, const struct nc_toml *root, struct said *said)
{
	const struct nc_toml *array = NULL;
	size_t count = 0;
	int code = get(file, root, "registry", NC_TOML_ARRAY, &array);
	if (code == 0)
		code = each_table(file, array);
	if (code < 0 || !array)
		return code;
	for (const struct nc_toml *table = array->first; table; table = table->next)
		if (++count > NC_REGISTRIES_MAX)
			return bad(file, table, "more than %d registries", NC_REGISTRIES_MAX);
	said->list = nc_zalloc((count ? count : 1) * sizeof *said->list);
	if (!said->list)
		return nc_nomem(file->err);
	for (const struct nc_toml *table = array->first; table && code == 0; table = table->next)
		code = read_registry(file, table, &said->list[said->count++]);
	return code;
}

static bool contradict(const struct nc_registry *a, const struct nc_registry *b)
{
	return strcmp(a->prefix, b->prefix) == 0 && (a->insecure != b->insecure || a->blocked != b->blocked);
}

static int check_contradictions(const struct file *file, const struct said *said)
{
	for (size_t i = 1; i < said->count; i++)
		for (size_t j = 0; j < i; j++)
			if (contradict(&said->list[i], &said->list[j]))
				return nc_fail(file->err, NACRE_E_BADDATA, 0,
					       "%s: line %u: '%.100s' is described otherwise in line %u", file->name,
					       said->list[i].line, said->list[i].prefix, said->list[j].line);
	return 0;
}

static int read_said(const struct file *file, const struct nc_toml *root, struct said *said)
{
	const struct nc_toml *old = nc_toml_get(root, "registries");
	if (old)
		return bad(file, old, "this is version 1 of the format, which is not read; write [[registry]] tables");
	int code = read_registries(file, root, said);
	if (code == 0)
		code = check_contradictions(file, said);
	if (code == 0)
		code = read_texts(file, root, "unqualified-search-registries", is_place, &said->search);
	if (code == 0)
		code = read_texts(file, root, "credential-helpers", is_helper, &said->helpers);
	return code < 0 ? code : check_mode(file, root);
}

static void take_registry(struct nc_registries *registries, struct nc_registry *registry)
{
	struct nc_registry *place = &registries->list[registries->count];
	for (size_t i = 0; i < registries->count; i++)
		if (strcmp(registries->list[i].prefix, registry->prefix) == 0)
			place = &registries->list[i];
	if (place == &registries->list[registries->count])
		registries->count++;
	else
		release_registry(place);
	*place = *registry;
	*registry = (struct nc_registry){ 0 };
}

static int take_said(struct nc_registries *registries, struct said *said, struct nacre_error *err)
{
	size_t count = registries->count + said->count;
	if (count > NC_REGISTRIES_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %d registries", NC_REGISTRIES_MAX);
	struct nc_registry *list = nc_realloc_array(registries->list, count ? count : 1, sizeof *list);
	if (!list)
		return nc_nomem(err);
	registries->list = list;
	for (size_t i = 0; i < said->count; i++)
		take_registry(registries, &said->list[i]);
	if (said->search) {
		free_texts(registries->search);
		registries->search = NC_GIVE(said->search);
	}
	if (said->helpers) {
		free_texts(registries->helpers);
		registries->helpers = NC_GIVE(said->helpers);
	}
	return 0;
}

int nc_registries_add(struct nc_registries *registries, const char *bytes, size_t len, const char *name,
		      struct nacre_error *err)
{
	const struct file file = { .name = name, .err = err };
	NC_CLEANUP(nc_toml_auto) struct nc_toml *root = NULL;
	NC_CLEANUP(release_said) struct said said = { 0 };
	int code = nc_toml_parse(bytes, len, name, &root, err);
	if (code == 0)
		code = read_said(&file, root, &said);
	if (code == 0)
		code = read_aliases(&file, root, registries->aliases);
	return code < 0 ? code : take_said(registries, &said, err);
}

int nc_registries_init(struct nc_registries *registries, struct nacre_error *err)
{
	*registries = (struct nc_registries){ .aliases = nc_map_new() };
	return registries->aliases ? 0 : nc_nomem(err);
}

static int free_alias(void *ctx, const char *key, size_t len, void *value)
{
	free(value);
	return 0;
}

void nc_registries_release(struct nc_registries *registries)
{
	for (size_t i = 0; i < registries->count; i++)
		release_registry(&registries->list[i]);
	free(registries->list);
	free_texts(registries->search);
	free_texts(registries->helpers);
	if (registries->aliases)
		nc_map_each(registries->aliases, free_alias, NULL);
	nc_map_free(registries->aliases);
	*registries = (struct nc_registries){ 0 };
}

/* --- looking up -------------------------------------------------------------------------------------------------- */

/* How many bytes of repository prefix stands for; 0: none. A prefix *.HOST fits every host below HOST. */
static size_t match(const char *prefix, const char *repository)
{
	size_t len = strlen(prefix);
	if (prefix[0] == '*') {
		size_t host = strcspn(repository, strchr(prefix, ':') ? "/" : ":/");
		const char *at = host >= len ? repository + host - (len - 1) : NULL;
		return at && memcmp(at, prefix + 1, len - 1) == 0 ? host : 0;
	}
	if (strncmp(prefix, repository, len) != 0)
		return 0;
	return repository[len] == '\0' || repository[len] == '/' || repository[len] == ':' ? len : 0;
}

const struct nc_registry *nc_registries_find(const struct nc_registries *registries, const char *repository,
					     size_t *ret_prefix)
{
	const struct nc_registry *best = NULL;
	for (size_t i = 0; i < registries->count; i++) {
		const struct nc_registry *registry = &registries->list[i];
		size_t len = match(registry->prefix, repository);
		if (len && (!best || strlen(registry->prefix) > strlen(best->prefix))) {
			best = registry;
			*ret_prefix = len;
		}
	}
	return best;
}

const char *nc_registries_alias(const struct nc_registries *registries, const char *name)
{
	return nc_map_get(registries->aliases, name, strlen(name));
}
