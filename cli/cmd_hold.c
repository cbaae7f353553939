/* hold, release and holds: keeping nodes from being removed. */
#include "commands.h"

#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "mem.h"

#include <errno.h>

static const struct option_spec hold_options[] = {
	{ .name = "session", .arg = "NAME", .help = "add to this session (else a new one)" },
	{ .name = "pid", .arg = "PID", .help = "hold as long as this process lives" },
	{ .name = NULL },
};

static const struct option_spec list_options[] = {
	{ .letter = 'q', .name = "quiet", .help = "print the sessions' names only" },
	OPTION_NO_TRUNC,
	OPTION_NOHEADING,
	OPTION_FORMAT,
	OPTION_JSON,
	{ .name = NULL },
};

enum { SESSION, OWNER, IDS, COLUMN_COUNT };
static const struct column columns[] = {
	[SESSION] = { .field = "Session", .header = "SESSION" },
	[OWNER] = { .field = "Owner", .header = "OWNER" },
	[IDS] = { .field = "IDs", .header = "IDS" },
	[COLUMN_COUNT] = { .field = NULL },
};

static bool parse_pid(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return !errno && end != text && !*end && *ret > 0 && *ret <= INT32_MAX;
}

static int run_hold(struct app *app, const struct args *args)
{
	const char *pid = args_text(args, "pid");
	struct nacre_hold_options options = { .size = sizeof(options), .persistent = !pid };
	struct nacre_error err = { .code = 0 };
	char session[NACRE_SESSION_MAX];
	int code;

	if (pid && !parse_pid(pid, &options.pid))
		return app_usage(app, "'%s' is no process ID", pid);
	code = app_open(app, APP_CHANGE);
	if (code != EXIT_DONE)
		return code;
	code = nacre_hold(app->store, args_text(args, "session"), (const char *const *)args->operands,
			  (size_t)args->operand_count, &options, session, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	outf("%s\n", session);
	return EXIT_DONE;
}

static int run_release(struct app *app, const struct args *args)
{
	int worst = EXIT_DONE, code = app_open(app, APP_CHANGE);

	if (code != EXIT_DONE)
		return code;
	for (int i = 1; i < args->operand_count || i == 1; i++) {
		const char *what = i < args->operand_count ? args->operands[i] : NULL;
		struct nacre_error err = { .code = 0 };

		code = nacre_release(app->store, args->operands[0], what, &err);
		if (code < 0)
			worst = app_worse(worst, app_fail(app, code, &err));
	}
	return worst;
}

struct sessions {
	struct listing *listing;
	bool full;
};

static int on_session(void *ctx, const struct nacre_hold_info *info)
{
	const struct sessions *sessions = ctx;
	AUTO_TEXT struct text ids = { .data = NULL };
	AUTO_FREE char *owner = info->persistent ? must_copy("-") : must_printf("process %lld", (long long)info->pid);
	json_t *fact = json_object();

	text_adds(&ids, "");
	for (size_t i = 0; info->ids[i]; i++)
		text_addf(&ids, "%s%.*s", i ? " " : "", sessions->full ? 64 : 12, info->ids[i]);
	json_object_set_new(fact, "session", json_text(info->session));
	json_object_set_new(fact, "persistent", json_boolean(info->persistent));
	json_object_set_new(fact, "pid", info->persistent ? json_null() : json_integer(info->pid));
	json_object_set_new(fact, "ids", json_texts(info->ids));
	listing_fact(sessions->listing, fact);
	listing_row(sessions->listing, (const char *[COLUMN_COUNT]){
					       [SESSION] = info->session,
					       [OWNER] = owner,
					       [IDS] = text_get(&ids),
				       });
	return 0;
}

static int run_holds(struct app *app, const struct args *args)
{
	AUTO_LISTING struct listing listing;
	struct sessions sessions = { .listing = &listing, .full = args_flag(args, "no-trunc") };
	struct nacre_error err = { .code = 0 };
	int code;

	listing_init(&listing, columns, "Session");
	code = app_open(app, APP_LOOK_OR_NONE);
	if (code != EXIT_DONE)
		return code;
	if (app->store)
		code = nacre_holds_each(app->store, on_session, &sessions, &err);
	return code < 0 ? app_fail(app, code, &err) : listing_print(app, &listing, args);
}

const struct command cmd_hold = {
	.name = "hold",
	.operands = "IMAGE|ID…",
	.summary = "keep images and nodes from being removed",
	.details = "Until they are released, or as long as a process lives. Prints the session.",
	.example = "session=$(nacre hold --pid $$ debian:12)",
	.options = hold_options,
	.min = 1,
	.max = -1,
	.completes = "image",
	.run = run_hold,
};

const struct command cmd_release = {
	.name = "release",
	.operands = "SESSION [IMAGE|ID…]",
	.summary = "let go of what a session holds",
	.details = "Of all of it, or only of what is named.",
	.example = "nacre release \"$session\"",
	.min = 1,
	.max = -1,
	.completes = "session",
	.run = run_release,
};

const struct command cmd_holds = {
	.name = "holds",
	.operands = "",
	.summary = "list the sessions that hold something",
	.details = "Template fields: .Session .Owner .IDs",
	.example = "nacre holds --json",
	.options = list_options,
	.run = run_holds,
};
