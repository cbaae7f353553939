/* Facts as rows: one collection that is shown as a table, as JSON, through a template, or as bare IDs. */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include "app.h"

#include <jansson.h>

struct column {
	const char *field;	/* name in templates: "ID" */
	const char *header;	/* "IMAGE ID" */
	bool hidden;		/* not in the default table */
	bool right;		/* right-aligned */
};

#define COLUMNS_MAX 16

struct listing {
	const struct column *columns;
	bool shown[COLUMNS_MAX];
	size_t count;
	json_t *facts;		/* array: what --json prints */
	json_t *rows;		/* array of objects of texts: what tables and templates show */
	const char *quiet;	/* the field that -q prints; NULL: there is no -q */
};

/* columns ends with a NULL field. */
void listing_init(struct listing *listing, const struct column *columns, const char *quiet);
void listing_release(struct listing *listing);
#define AUTO_LISTING __attribute__((cleanup(listing_release)))

void listing_show(struct listing *listing, const char *field, bool shown);
/* fact is taken. */
void listing_fact(struct listing *listing, json_t *fact);
/* One text per column, in their order. */
void listing_row(struct listing *listing, const char *const *texts);

/* --json, --format, -q and --noheading, for the option tables of commands that list. */
#define OPTION_JSON { .name = "json", .help = "print JSON (see docs/json.md)" }
#define OPTION_FORMAT { .name = "format", .arg = "TEMPLATE", .help = "print with a Go template, or \"json\"" }
#define OPTION_QUIET { .letter = 'q', .name = "quiet", .help = "print IDs only" }
#define OPTION_NO_TRUNC { .name = "no-trunc", .help = "do not shorten IDs and texts" }
#define OPTION_NOHEADING { .letter = 'n', .name = "noheading", .help = "leave out the table's heading" }

/* Print it as args ask for; the command's table must have json and noheading, and
 * quiet where the listing has it; format is optional. */
int listing_print(struct app *app, struct listing *listing, const struct args *args);

/* Print values (an array, taken), each through template and a line feed. */
int template_print(struct app *app, const char *template, json_t *values);
/* Print one value (taken) as --json or --format ask for. Returns -1, printing nothing, when they do not. */
int value_print(struct app *app, const struct args *args, json_t *value);

#endif
