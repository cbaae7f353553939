#include "commands.h"

#include "human.h"
#include "json_out.h"
#include "listing.h"
#include "progress.h"
#include "transfer.h"

#include <inttypes.h>
#include <string.h>

static const struct option_spec options[] = {
	{ .name = "dry-run", .help = "change nothing; tell what it needs" },
	{ .letter = 'q', .name = "quiet", .help = "no progress" },
	OPTION_PROGRESS,
	OPTION_FORMAT,
	OPTION_JSON,
	{ .name = NULL },
};

static void on_damaged(void *ctx, const char *id, const char *reason)
{
	app_warn(ctx, "layer %.12s cannot be moved: %s", id, reason);
}

static json_t *fact_of(const struct nacre_migration *done, bool dry_run)
{
	json_t *fact = json_object();

	json_object_set_new(fact, "from", json_text(done->from));
	json_object_set_new(fact, "to", json_text(done->to));
	json_object_set_new(fact, "dry_run", json_boolean(dry_run));
	json_object_set_new(fact, "layers", json_size(done->layers));
	json_object_set_new(fact, "moved", json_size(done->moved));
	json_object_set_new(fact, "damaged", json_size(done->damaged));
	json_object_set_new(fact, "needed_bytes", json_size(done->needed));
	json_object_set_new(fact, "available_bytes", json_size(done->available));
	return fact;
}

static void print_plain(const struct nacre_migration *done, bool dry_run)
{
	char needed[HUMAN_MAX], available[HUMAN_MAX];

	if (strcmp(done->from, done->to) == 0) {
		outf("The store has driver %s.\n", done->to);
	} else if (dry_run) {
		outf("%" PRIu64 " of %" PRIu64 " layers would be moved from %s to %s.\n", done->moved, done->layers,
		     done->from, done->to);
		outf("They need about %s; %s are free.\n", human_size(needed, done->needed),
		     human_size(available, done->available));
	} else {
		outf("Moved the store from %s to %s: %" PRIu64 " layers.\n", done->from, done->to, done->layers);
	}
}

static int fail(struct app *app, int code, const struct nacre_migration *done, const struct nacre_error *err)
{
	int exit_code = app_fail(app, code, err);

	if (code == NACRE_E_CANCELLED)
		app_warn(app, "the store stays with driver %s; the same command goes on with it, '--driver %s' gives it up",
			 done->from, done->from);
	return exit_code;
}

static int run(struct app *app, const struct args *args)
{
	bool dry_run = args_flag(args, "dry-run");
	struct nacre_migration done;
	struct nacre_error err = { .code = 0 };
	struct progress *progress;
	int code;

	if (!app->driver)
		return app_usage(app, "say to which driver: --driver NAME");
	progress = progress_new(progress_mode(args));
	code = nacre_migrate(app->root,
			     &(struct nacre_migrate_options){
				     .size = sizeof(struct nacre_migrate_options),
				     .driver = app->driver,
				     .dry_run = dry_run,
				     .damaged = on_damaged,
				     .damaged_ctx = app,
				     .progress = progress_hook(progress),
			     },
			     &done, &err);
	progress_free(progress, code >= 0 && !dry_run);
	if (code < 0)
		return fail(app, code, &done, &err);
	if (args_flag(args, "json") || args_text(args, "format"))
		return value_print(app, args, fact_of(&done, dry_run));
	print_plain(&done, dry_run);
	return EXIT_DONE;
}

const struct command cmd_migrate = {
	.name = "migrate",
	.operands = "",
	.summary = "move the store to another driver",
	.details = "Every layer is moved and verified before the store switches; until then it\n"
		   "stays as it was. A migration that was interrupted goes on where it stopped.",
	.example = "nacre migrate --driver btrfs --dry-run",
	.options = options,
	.min = 0,
	.max = 0,
	.run = run,
};
