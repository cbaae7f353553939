#include "filter.h"

#include "mem.h"

#include <fnmatch.h>

enum key { REFERENCE, DANGLING, LABEL, NOT_LABEL, BEFORE, SINCE, UNTIL, ID, DIGEST, KEY_COUNT };
static const char *const key_names[KEY_COUNT] = {
	"reference", "dangling", "label", "label!", "before", "since", "until", "id", "digest",
};

struct filter {
	struct {
		const char **values;
		size_t count;
	} keys[KEY_COUNT];
	size_t rounds;		/* the library takes one value a key, so repeated ones need more look-ups */
};

static int add(struct app *app, struct filter *filter, const char *text)
{
	size_t len = strcspn(text, "="), key = 0;
	size_t count;

	while (key < KEY_COUNT && (strlen(key_names[key]) != len || strncmp(key_names[key], text, len) != 0))
		key++;
	if (key == KEY_COUNT || text[len] != '=' || !text[len + 1])
		return app_usage(app, "--filter '%s': takes reference=, dangling=, label=, label!=, before=, "
				 "since=, until=, id= or digest=", text);
	text += len + 1;
	if (key == DANGLING && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return app_usage(app, "--filter dangling=%s: takes true or false", text);
	count = filter->keys[key].count++;
	filter->keys[key].values = must_grow(filter->keys[key].values, count + 2, sizeof(char *));
	filter->keys[key].values[count] = text;
	filter->keys[key].values[count + 1] = NULL;
	if (key != LABEL && key != NOT_LABEL && filter->keys[key].count > filter->rounds)
		filter->rounds = filter->keys[key].count;
	return EXIT_DONE;
}

struct filter *filter_new(struct app *app, const char *const *texts)
{
	struct filter *filter = must_alloc(sizeof(*filter));

	filter->rounds = 1;
	for (; texts && *texts; texts++) {
		if (add(app, filter, *texts) != EXIT_DONE) {
			filter_free(filter);
			return NULL;
		}
	}
	return filter;
}

void filter_free(struct filter *filter)
{
	if (!filter)
		return;
	for (size_t i = 0; i < KEY_COUNT; i++)
		free(filter->keys[i].values);
	free(filter);
}

/* The value of key in a round; NULL when there is none. */
static const char *value(const struct filter *filter, enum key key, size_t round)
{
	return round < filter->keys[key].count ? filter->keys[key].values[round] : NULL;
}

static int list_round(const struct filter *filter, size_t round, struct nacre_store *store,
		      struct nacre_image_list **ret, struct nacre_error *err)
{
	const char *dangling = value(filter, DANGLING, round);
	struct nacre_list_options options = {
		.size = sizeof(options),
		.reference = value(filter, REFERENCE, round),
		.dangling = !dangling ? 0 : strcmp(dangling, "true") == 0 ? 1 : -1,
		.labels = filter->keys[LABEL].values,
		.not_labels = filter->keys[NOT_LABEL].values,
		.before = value(filter, BEFORE, round),
		.since = value(filter, SINCE, round),
		.until = value(filter, UNTIL, round),
		.id = value(filter, ID, round),
		.digest = value(filter, DIGEST, round),
	};

	if (options.id && strncmp(options.id, "sha256:", 7) == 0)
		options.id += 7;
	return nacre_image_list(store, &options, ret, err);
}

static bool has(const struct nacre_image_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->images[i]->id, id) == 0)
			return true;
	return false;
}

/* Puts those of the first count images that are in other too to the front, in their order; returns how many. */
static size_t intersect(struct nacre_image_list *list, size_t count, const struct nacre_image_list *other)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct nacre_image *image = list->images[i];

		if (!has(other, image->id))
			continue;
		list->images[i] = list->images[kept];
		list->images[kept++] = image;
	}
	return kept;
}

int filter_list(const struct filter *filter, struct nacre_store *store, struct nacre_image_list **ret,
		size_t *ret_count, struct nacre_error *err)
{
	struct nacre_image_list *list = NULL;
	size_t count = 0;

	for (size_t round = 0; round < filter->rounds; round++) {
		struct nacre_image_list *more = NULL;
		int code = list_round(filter, round, store, &more, err);

		if (code < 0) {
			nacre_image_list_free(list);
			return code;
		}
		if (!list) {
			list = more;
			count = list->count;
			continue;
		}
		count = intersect(list, count, more);
		nacre_image_list_free(more);
	}
	*ret = list;
	*ret_count = count;
	return 0;
}

bool filter_names(const struct filter *filter)
{
	return filter->keys[REFERENCE].count > 0;
}

static bool fits(const char *pattern, const char *name)
{
	const char *colon = strrchr(name, ':');
	AUTO_FREE char *repository = must_copyn(name, colon ? (size_t)(colon - name) : strlen(name));

	return fnmatch(pattern, name, FNM_PATHNAME) == 0 || fnmatch(pattern, repository, FNM_PATHNAME) == 0;
}

bool filter_name(const struct filter *filter, const char *name)
{
	char full[800];

	for (size_t i = 0; i < filter->keys[REFERENCE].count; i++) {
		const char *pattern = filter->keys[REFERENCE].values[i];

		if (fits(pattern, name))
			continue;
		if (nacre_name_parse(name, full, NULL, NULL) < 0 || !fits(pattern, full))
			return false;
	}
	return true;
}
