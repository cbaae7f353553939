#include "app.h"

#include "mem.h"
#include "progress_json.h"
#include "signals.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_ROOT "/var/lib/nacre"

const struct option_spec app_options[] = {
	{ .name = "root", .arg = "DIR", .help = "the store (else $NACRE_ROOT, else the default one)" },
	{ .name = "driver", .arg = "NAME", .help = "storage driver of a new store (else $NACRE_DRIVER)" },
	{ .name = "sync", .arg = "WHEN", .help = "commit, or none: never wait for the disk (throw-away stores)",
	  .choices = "commit|none" },
	{ .name = "log-level", .arg = "LEVEL", .help = "error, warn, info or debug",
	  .choices = "error|warn|info|debug" },
	{ .letter = 'h', .name = "help", .help = "show help" },
	{ .name = NULL },
};

static char *default_root(void)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		return must_copy(SYSTEM_ROOT);
	if (data && data[0] == '/')
		return must_printf("%s/nacre", data);
	if (home && home[0] == '/')
		return must_printf("%s/.local/share/nacre", home);
	return NULL;
}

static const char *either(const struct args *first, const struct args *second, const char *name,
			  const char *environment)
{
	const char *text = first ? args_text(first, name) : NULL;

	if (!text && second)
		text = args_text(second, name);
	if (!text && environment)
		text = getenv(environment);
	return text && text[0] ? text : NULL;
}

int app_settle(struct app *app, const struct args *global, const struct args *args)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	const char *root = either(args, global, "root", "NACRE_ROOT");
	const char *level = either(args, global, "log-level", NULL);
	const char *sync = either(args, global, "sync", NULL);

	app->driver = either(args, global, "driver", "NACRE_DRIVER");
	app->no_sync = sync && strcmp(sync, "none") == 0;
	app->level = LOG_WARN;
	for (size_t i = 0; level && i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(level, levels[i]) == 0)
			app->level = (enum log_level)i;
	app->root = root ? must_copy(root) : default_root();
	app->root_is_default = !root;
	if (!app->root)
		return app_error(app, EXIT_USAGE, "no home directory to keep a store in; name one with --root DIR");
	return EXIT_DONE;
}

void app_release(struct app *app)
{
	nacre_store_close(app->store);
	free(app->root);
	app->store = NULL;
	app->root = NULL;
}

/* Directories above the default root: a fresh account has no ~/.local/share yet. */
static void make_parents(const char *path)
{
	AUTO_FREE char *part = must_copy(path);

	for (char *at = strchr(part + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(part, 0755);
		*at = '/';
	}
}

int app_open(struct app *app, enum app_need need)
{
	struct nacre_open_options options = { .size = sizeof(options), .driver = app->driver };
	struct nacre_error err = { .code = 0 };
	int code;

	if (need == APP_MAKE && app->root_is_default)
		make_parents(app->root);
	if (need != APP_MAKE)
		options.flags = NACRE_OPEN_NOCREATE;
	if (need == APP_LOOK || need == APP_LOOK_OR_NONE)
		options.flags |= NACRE_OPEN_AS_IT_IS;
	if (app->no_sync)
		options.flags |= NACRE_OPEN_NOSYNC;
	if (need == APP_READ)
		options.flags |= NACRE_OPEN_READONLY;
	code = nacre_store_open(app->root, &options, &app->store, &err);
	if ((code == NACRE_E_DENIED || code == NACRE_E_IO) && (need == APP_LOOK || need == APP_LOOK_OR_NONE)) {
		/* what cannot be written can perhaps be read */
		struct nacre_error second = { .code = 0 };

		options.flags |= NACRE_OPEN_READONLY;
		if (nacre_store_open(app->root, &options, &app->store, &second) == 0)
			code = 0;
	}
	if (code == NACRE_E_NOTFOUND && need == APP_LOOK_OR_NONE) {
		app_info(app, "there is no store at '%s' yet", app->root);
		return EXIT_DONE;
	}
	if (code == NACRE_E_NOTFOUND && need != APP_MAKE)
		return app_error(app, EXIT_NOTFOUND, "there is no store at '%s' yet; 'nacre load' makes one",
				 app->root);
	/* asking for something wrong is bad usage; a directory that is in use for something else is not */
	if (code == NACRE_E_INVALID) {
		app_fail(app, code, &err);
		return EXIT_FAILED;
	}
	if (code < 0)
		return app_fail(app, code, &err);
	app_info(app, "the store is '%s'", app->root);
	return EXIT_DONE;
}

__attribute__((format(printf, 2, 0))) static void say(const char *kind, const char *fmt, va_list args)
{
	AUTO_FREE char *text = NULL;

	if (vasprintf(&text, fmt, args) < 0)
		must(NULL);
	fprintf(stderr, "nacre: %s%s\n", kind, text);
}

int app_error(struct app *app, enum exit_code code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("", fmt, args);
	va_end(args);
	return code;
}

int app_usage(struct app *app, const char *fmt, ...)
{
	AUTO_FREE char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		must(NULL);
	va_end(args);
	if (app->command)
		fprintf(stderr, "nacre: %s: %s (see 'nacre %s --help')\n", app->command->name, text,
			app->command->name);
	else
		fprintf(stderr, "nacre: %s (see 'nacre --help')\n", text);
	return EXIT_USAGE;
}

void app_warn(struct app *app, const char *fmt, ...)
{
	va_list args;

	if (app->level < LOG_WARN)
		return;
	va_start(args, fmt);
	say("warning: ", fmt, args);
	va_end(args);
}

void app_info(struct app *app, const char *fmt, ...)
{
	va_list args;

	if (app->level < LOG_INFO)
		return;
	va_start(args, fmt);
	say("info: ", fmt, args);
	va_end(args);
}

int app_fail_write(struct app *app, const char *where, int error)
{
	enum exit_code code = error == ENOSPC || error == EDQUOT ? EXIT_NOSPACE :
			      error == EACCES || error == EPERM || error == EROFS ? EXIT_DENIED :
			      error == ENOENT ? EXIT_NOTFOUND : EXIT_FAILED;

	/* the reader of a pipe has seen enough */
	return error == EPIPE ? EXIT_FAILED : app_error(app, code, "write to %s: %s", where, strerror(error));
}

int app_interrupted(struct app *app)
{
	int caught = signals_caught();

	app_error(app, EXIT_INTERRUPTED, "interrupted; the store is as it was");
	return caught ? 128 + caught : EXIT_INTERRUPTED;
}

static enum exit_code exit_code_of(int code, int sys)
{
	switch (code) {
	case NACRE_E_INVALID:
		return EXIT_USAGE;
	case NACRE_E_BADDATA:
	case NACRE_E_CORRUPT:
	case NACRE_E_DIGEST:
	case NACRE_E_LIMIT:
		return EXIT_BADDATA;
	case NACRE_E_NOTFOUND:
		return EXIT_NOTFOUND;
	case NACRE_E_UNSET:
		return EXIT_UNSET;
	case NACRE_E_BUSY:
		return EXIT_BUSY;
	case NACRE_E_NOSPACE:
		return EXIT_NOSPACE;
	case NACRE_E_AUTH:
	case NACRE_E_DENIED:
		return EXIT_DENIED;
	case NACRE_E_REMOTE:
		return EXIT_REMOTE;
	case NACRE_E_CANCELLED:
		return EXIT_INTERRUPTED;
	case NACRE_E_IO:
		return sys == ENOENT ? EXIT_NOTFOUND : EXIT_FAILED;
	default:
		return EXIT_FAILED;
	}
}

/* What to try next; NULL when the sentence says enough. */
static const char *hint(const struct app *app, int code, int sys)
{
	const char *completes = app->command && app->command->completes ? app->command->completes : "";

	switch (code) {
	case NACRE_E_NOTFOUND:
		/* a file or directory is missing, not an image */
		if (sys)
			return NULL;
		if (strcmp(completes, "image") == 0 || strcmp(completes, "name") == 0)
			return "'nacre images' lists what is there";
		return strcmp(completes, "node") == 0 ? "'nacre graph ls' lists what is there" : NULL;
	case NACRE_E_AMBIGUOUS:
		return "give more of it";
	case NACRE_E_BUSY:
		return "try again in a moment";
	case NACRE_E_NOSPACE:
		return "the store is as it was";
	case NACRE_E_DENIED:
		if (geteuid() == 0)
			return NULL;
		/* what only root may do needs root wherever the store lies */
		return sys == EPERM ? "run as root" : "run as root, or keep a store of your own with --root DIR";
	case NACRE_E_UNSUPPORTED:
		return "'nacre info' shows what works here";
	default:
		return NULL;
	}
}

int app_fail(struct app *app, int code, const struct nacre_error *err)
{
	const char *text = err->msg[0] ? err->msg : nacre_code_text(code), *more = hint(app, code, err->sys);
	enum exit_code exit_code = exit_code_of(code, err->sys);

	if ((code == NACRE_E_CANCELLED || err->sys == EINTR) && signals_caught()) {
		exit_code = (enum exit_code)app_interrupted(app);
	} else if (err->sys == EPIPE) {
		exit_code = EXIT_FAILED;
	} else if (app->json_errors) {
		AUTO_FREE char *line = progress_json_error(text);

		fprintf(stderr, "%s\n", line);
	} else {
		fprintf(stderr, "nacre: %s%s%s%s\n", text, more ? " (" : "", more ? more : "", more ? ")" : "");
	}
	if (app->level >= LOG_DEBUG) {
		fprintf(stderr, "nacre: debug: code %d (%s)", code, nacre_code_text(code));
		if (err->sys)
			fprintf(stderr, ", errno %d (%s)", err->sys, strerror(err->sys));
		fprintf(stderr, ": %s\n", text);
	}
	return exit_code;
}

int app_worse(int so_far, int now)
{
	return so_far != EXIT_DONE ? so_far : now;
}
