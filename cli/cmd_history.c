#include "commands.h"

#include "human.h"
#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "mem.h"

#include <time.h>

static const struct option_spec options[] = {
	OPTION_NO_TRUNC,
	OPTION_NOHEADING,
	OPTION_FORMAT,
	OPTION_JSON,
	{ .name = NULL },
};

enum { CREATED_SINCE, CREATED_BY, SIZE, COMMENT, CREATED_AT, COLUMN_COUNT };
static const struct column columns[] = {
	[CREATED_SINCE] = { .field = "CreatedSince", .header = "CREATED" },
	[CREATED_BY] = { .field = "CreatedBy", .header = "CREATED BY" },
	[SIZE] = { .field = "Size", .header = "SIZE" },
	[COMMENT] = { .field = "Comment", .header = "COMMENT" },
	[CREATED_AT] = { .field = "CreatedAt", .header = "CREATED AT", .hidden = true },
	[COLUMN_COUNT] = { .field = NULL },
};

/* Docker's width of CREATED BY. */
#define SHOWN_CHARACTERS 45

static void add_entry(struct listing *listing, const struct nacre_history_info *info, bool full, int64_t now)
{
	AUTO_FREE char *created_by = one_line(info->created_by, full ? 0 : SHOWN_CHARACTERS);
	AUTO_FREE char *comment = one_line(info->comment, full ? 0 : SHOWN_CHARACTERS);
	char since[HUMAN_MAX], at[HUMAN_MAX], size[HUMAN_MAX];
	const char *texts[COLUMN_COUNT] = {
		[CREATED_SINCE] = human_ago(since, info->created, now),
		[CREATED_BY] = created_by,
		[SIZE] = human_size(size, info->size),
		[COMMENT] = comment,
		[CREATED_AT] = human_created_at(at, info->created),
	};
	json_t *fact = json_object();

	json_object_set_new(fact, "created", json_time(info->created, 0));
	json_object_set_new(fact, "created_by", json_text(info->created_by));
	json_object_set_new(fact, "author", json_text(info->author));
	json_object_set_new(fact, "comment", json_text(info->comment));
	json_object_set_new(fact, "empty_layer", json_boolean(info->empty_layer));
	json_object_set_new(fact, "size", json_size(info->size));
	listing_fact(listing, fact);
	listing_row(listing, texts);
}

static int run(struct app *app, const struct args *args)
{
	AUTO_LISTING struct listing listing;
	struct nacre_image *image = NULL;
	struct nacre_error err = { .code = 0 };
	int code;

	listing_init(&listing, columns, NULL);
	code = app_open(app, APP_LOOK);
	if (code != EXIT_DONE)
		return code;
	code = nacre_image_get(app->store, args->operands[0], &image, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	for (size_t i = image->history_count; i-- > 0;)
		add_entry(&listing, &image->history[i], args_flag(args, "no-trunc"), (int64_t)time(NULL));
	nacre_image_free(image);
	return listing_print(app, &listing, args);
}

const struct command cmd_history = {
	.name = "history",
	.operands = "IMAGE",
	.summary = "show how an image came to be, newest step first",
	.details = "Template fields: .CreatedSince .CreatedAt .CreatedBy .Size .Comment",
	.example = "nacre history --no-trunc debian:12",
	.options = options,
	.min = 1,
	.max = 1,
	.completes = "image",
	.run = run,
};
