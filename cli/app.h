/* What every command works with: the store, the outcome, the words for failures. */
#ifndef CLI_APP_H
#define CLI_APP_H

#include "options.h"

#include <nacre/nacre.h>

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_NOTFOUND = 2,
	EXIT_UNSET = 3,
	EXIT_USAGE = 64,
	EXIT_BADDATA = 65,
	EXIT_REMOTE = 69,
	EXIT_NOSPACE = 73,
	EXIT_BUSY = 75,
	EXIT_DENIED = 77,
	EXIT_INTERRUPTED = 130,
};

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct app {
	const struct command *command;
	char *root;
	bool root_is_default;
	const char *driver;
	bool no_sync;		/* a power cut may lose what is written now */
	enum log_level level;
	bool json_errors;	/* --progress=json: failures are lines of it */
	struct nacre_store *store;
};

struct command {
	const char *name;	/* "load", "graph tar" */
	const char *operands;	/* "[FILE]" */
	const char *summary;	/* one line, as in the man page */
	const char *details;	/* more lines for --help; NULL */
	const char *example;	/* lines, each of them a command */
	const struct option_spec *options;	/* NULL: none */
	int min, max;		/* operands; max -1: any number */
	const char *completes;	/* what the operands are: "image", "name", "file", "node", "mount",
				 * "session", "directory"; NULL */
	int (*run)(struct app *app, const struct args *args);	/* returns the exit code */
};

/* Options that every command takes. */
extern const struct option_spec app_options[];

/* Fill in root, driver and level from the options that were given (args may be NULL), else the environment. Returns an
 * exit code. */
int app_settle(struct app *app, const struct args *global, const struct args *args);
void app_release(struct app *app);

enum app_need {
	APP_LOOK,		/* read: makes nothing; also on a read-only file system */
	APP_LOOK_OR_NONE,	/* the same, but no store is as good as an empty one: app->store stays NULL */
	APP_READ,		/* never write, not even what dead processes left is swept */
	APP_CHANGE,		/* write to a store that is there */
	APP_MAKE,		/* write, making the store when there is none */
};
/* Open app->store. Returns an exit code; a failure has been reported. */
int app_open(struct app *app, enum app_need need);

/* Report a failure of the library and return the exit code for it. */
int app_fail(struct app *app, int code, const struct nacre_error *err);
/* Report wrong usage: EXIT_USAGE. */
int app_usage(struct app *app, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Report that writing to where ("standard output", a file) failed. */
int app_fail_write(struct app *app, const char *where, int error);
/* Report another failure: "nacre: …". Returns code. */
int app_error(struct app *app, enum exit_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void app_warn(struct app *app, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void app_info(struct app *app, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What to return after stopping for a signal; says so. */
int app_interrupted(struct app *app);
/* The exit code of several operands: the first failure stays. */
int app_worse(int so_far, int now);

#endif
