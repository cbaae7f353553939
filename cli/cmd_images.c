#include "commands.h"

#include "filter.h"
#include "human.h"
#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "mem.h"

#include <string.h>
#include <time.h>

static const struct option_spec options[] = {
	{ .letter = 'a', .name = "all", .help = "all of them, which is also the default" },
	OPTION_QUIET,
	{ .letter = 'f', .name = "filter", .arg = "KEY=VALUE", .many = true,
	  .help = "reference= dangling= label= label!= before=\nsince= until= id= digest=; all must fit" },
	{ .name = "digests", .help = "show manifest digests" },
	OPTION_NO_TRUNC,
	OPTION_NOHEADING,
	OPTION_FORMAT,
	OPTION_JSON,
	{ .name = NULL },
};

enum { REPOSITORY, TAG, DIGEST, ID, CREATED_SINCE, SIZE, CREATED_AT, NAME, LABELS, COLUMN_COUNT };
static const struct column columns[] = {
	[REPOSITORY] = { .field = "Repository", .header = "REPOSITORY" },
	[TAG] = { .field = "Tag", .header = "TAG" },
	[DIGEST] = { .field = "Digest", .header = "DIGEST", .hidden = true },
	[ID] = { .field = "ID", .header = "IMAGE ID" },
	[CREATED_SINCE] = { .field = "CreatedSince", .header = "CREATED" },
	[SIZE] = { .field = "Size", .header = "SIZE" },
	[CREATED_AT] = { .field = "CreatedAt", .header = "CREATED AT", .hidden = true },
	[NAME] = { .field = "Name", .header = "NAME", .hidden = true },
	[LABELS] = { .field = "Labels", .header = "LABELS", .hidden = true },
	[COLUMN_COUNT] = { .field = NULL },
};

static json_t *label_map(const struct nacre_image *image)
{
	json_t *map = json_object();

	for (const char *const *label = image->labels; label && label[0]; label += 2) {
		json_t *key = json_text(label[0]);

		json_object_set_new(map, json_string_value(key), json_text(label[1]));
		json_decref(key);
	}
	return map;
}

static json_t *image_fact(const struct nacre_image *image)
{
	json_t *fact = json_object();
	char id[ID_TEXT_MAX];

	json_object_set_new(fact, "id", json_text(image_id_text(id, image->id, image->v1, true)));
	json_object_set_new(fact, "names", json_texts(image->names));
	json_object_set_new(fact, "repo_tags", json_short_names(image->names));
	json_object_set_new(fact, "digests", json_texts(image->digests));
	json_object_set_new(fact, "created", json_time(image->created, image->created_nsec));
	json_object_set_new(fact, "size", json_size(image->size));
	json_object_set_new(fact, "architecture", json_text(image->architecture));
	json_object_set_new(fact, "os", json_text(image->os));
	json_object_set_new(fact, "labels", label_map(image));
	json_object_set_new(fact, "v1", json_boolean(image->v1));
	return fact;
}

static char *label_text(const struct nacre_image *image)
{
	struct text text = { .data = NULL };

	text_adds(&text, "");
	for (const char *const *label = image->labels; label && label[0]; label += 2)
		text_addf(&text, "%s%s=%s", text.len ? "," : "", label[0], label[1]);
	return text.data;
}

static void add_image(struct listing *listing, const struct nacre_image *image, const struct filter *filter,
		      bool full, int64_t now)
{
	char id[ID_TEXT_MAX], since[HUMAN_MAX], at[HUMAN_MAX], size[HUMAN_MAX];
	AUTO_FREE char *labels = label_text(image);
	const char *texts[COLUMN_COUNT] = {
		[DIGEST] = image->digests && image->digests[0] ? image->digests[0] : "<none>",
		[ID] = image_id_text(id, image->id, image->v1, full),
		[CREATED_SINCE] = human_ago(since, image->created, now),
		[CREATED_AT] = human_created_at(at, image->created),
		[SIZE] = human_size(size, image->size),
		[LABELS] = labels,
	};
	bool named = false;

	for (const char *const *name = image->names; name && *name; name++) {
		char shown[NAME_TEXT_MAX], repository[NAME_TEXT_MAX];

		short_name(shown, *name);
		if (!filter_name(filter, shown))
			continue;
		strcpy(repository, shown);
		texts[NAME] = shown;
		texts[TAG] = split_tag(repository);
		texts[REPOSITORY] = repository;
		listing_row(listing, texts);
		named = true;
	}
	if (!named && !filter_names(filter)) {
		texts[REPOSITORY] = texts[TAG] = "<none>";
		texts[NAME] = id;
		listing_row(listing, texts);
		named = true;
	}
	if (named)
		listing_fact(listing, image_fact(image));
}

static int list(struct app *app, struct listing *listing, const struct filter *filter, bool full)
{
	struct nacre_image_list *found = NULL;
	struct nacre_error err = { .code = 0 };
	size_t count = 0;
	int code = app_open(app, APP_LOOK_OR_NONE);

	if (code != EXIT_DONE || !app->store)
		return code;
	code = filter_list(filter, app->store, &found, &count, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	for (size_t i = 0; i < count; i++)
		add_image(listing, found->images[i], filter, full, (int64_t)time(NULL));
	if (found->damaged > 0)
		app_warn(app, "%zu damaged image%s left out: %s", found->damaged, found->damaged == 1 ? "" : "s",
			 found->damage ? found->damage : "it cannot be read");
	if (found->left_out > 0)
		app_warn(app, "%zu name%s left out: %s", found->left_out, found->left_out == 1 ? "" : "s",
			 found->left_out_reason ? found->left_out_reason : "no name");
	nacre_image_list_free(found);
	return EXIT_DONE;
}

static int run(struct app *app, const struct args *args)
{
	AUTO_LISTING struct listing listing;
	const char *const *given = args_texts(args, "filter");
	AUTO_FREE char *reference = NULL;
	AUTO_FREE const char **texts = NULL;
	struct filter *filter;
	size_t count = 0;
	int code;

	/* an operand is one more filter, as with docker */
	while (given && given[count])
		count++;
	texts = must_alloc((count + 2) * sizeof(*texts));
	if (count > 0)
		memcpy(texts, given, count * sizeof(*texts));
	if (args->operand_count > 0)
		texts[count] = reference = must_printf("reference=%s", args->operands[0]);

	listing_init(&listing, columns, "ID");
	listing_show(&listing, "Digest", args_flag(args, "digests"));
	filter = filter_new(app, texts);
	if (!filter)
		return EXIT_USAGE;
	code = list(app, &listing, filter, args_flag(args, "no-trunc"));
	filter_free(filter);
	return code == EXIT_DONE ? listing_print(app, &listing, args) : code;
}

const struct command cmd_images = {
	.name = "images",
	.operands = "[REPOSITORY[:TAG]]",
	.summary = "list images, newest first",
	.details = "Template fields: .Repository .Tag .Digest .ID .CreatedSince .CreatedAt .Size\n"
		   ".Name .Labels; \"image ls\" is the same command.",
	.example = "nacre images --filter label=team=web --format 'table {{.Name}}\\t{{.Size}}'",
	.options = options,
	.min = 0,
	.max = 1,
	.completes = "name",
	.run = run,
};
