#include "listing.h"

#include "format.h"
#include "json_out.h"
#include "out.h"
#include "table.h"

#include <ctype.h>

void listing_init(struct listing *listing, const struct column *columns, const char *quiet)
{
	*listing = (struct listing){ .columns = columns, .facts = json_array(), .rows = json_array(),
				     .quiet = quiet };
	for (; columns->field; columns++)
		listing->shown[listing->count++] = !columns->hidden;
}

void listing_release(struct listing *listing)
{
	json_decref(listing->facts);
	json_decref(listing->rows);
}

void listing_show(struct listing *listing, const char *field, bool shown)
{
	for (size_t i = 0; i < listing->count; i++)
		if (strcmp(listing->columns[i].field, field) == 0)
			listing->shown[i] = shown;
}

void listing_fact(struct listing *listing, json_t *fact)
{
	json_array_append_new(listing->facts, fact);
}

void listing_row(struct listing *listing, const char *const *texts)
{
	json_t *row = json_object();

	for (size_t i = 0; i < listing->count; i++)
		json_object_set_new(row, listing->columns[i].field, json_text(texts[i]));
	json_array_append_new(listing->rows, row);
}

static void print_table(const struct listing *listing, bool headings)
{
	const char *texts[COLUMNS_MAX + 1] = { NULL };
	struct libscols_table *table;
	size_t shown = 0, i;
	json_t *row;

	for (size_t c = 0; c < listing->count; c++)
		if (listing->shown[c])
			texts[shown++] = listing->columns[c].header;
	texts[shown] = NULL;
	table = table_new(texts, headings);
	shown = 0;
	for (size_t c = 0; c < listing->count; c++)
		if (listing->shown[c] && listing->columns[c].right)
			table_right(table, shown++);
		else
			shown += listing->shown[c];
	json_array_foreach(listing->rows, i, row) {
		shown = 0;
		for (size_t c = 0; c < listing->count; c++)
			if (listing->shown[c])
				texts[shown++] = json_string_value(json_object_get(row, listing->columns[c].field));
		table_add(table, texts);
	}
	table_print_free(table);
}

/* --- templates -------------------------------------------------------------------------------------------------- */

static int bad_template(struct app *app, char *error)
{
	AUTO_FREE char *said = error;

	return app_usage(app, "--format: %s", said);
}

/* The row of headings; also a check that every field is there, when there are no rows. */
static json_t *heading_row(const struct listing *listing)
{
	json_t *row = json_object();

	for (size_t i = 0; i < listing->count; i++)
		json_object_set_new(row, listing->columns[i].field, json_string(listing->columns[i].header));
	return row;
}

/* Puts a line of fields with tabs between them into cells; line is cut up. */
static void split_cells(char *line, const char **cells, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *tab = i + 1 < count ? strchr(line, '\t') : NULL;

		cells[i] = line;
		line = tab ? tab + 1 : line + strlen(line);
		if (tab)
			*tab = '\0';
	}
}

static int print_rows(struct app *app, const struct listing *listing, const char *template, bool headings,
		      bool as_table)
{
	char *error = NULL;
	struct format *format = format_parse(template, &error);
	AUTO_TEXT struct text heading = { .data = NULL };
	struct libscols_table *table = NULL;
	const char *cells[COLUMNS_MAX + 1] = { NULL };
	json_t *row, *names = heading_row(listing);
	size_t columns = 1, i;
	int code = format ? format_run(format, names, &heading, &error) : -1;

	json_decref(names);
	if (as_table && code == 0) {
		for (const char *at = text_get(&heading); *at && columns < COLUMNS_MAX; at++)
			columns += *at == '\t';
		text_adds(&heading, "");
		split_cells(heading.data, cells, columns);
		table = table_new(cells, headings);
	}
	if (code == 0)
		json_array_foreach(listing->rows, i, row) {
			AUTO_TEXT struct text line = { .data = NULL };

			code = format_run(format, row, &line, &error);
			if (code < 0)
				break;
			text_adds(&line, "");
			if (table) {
				split_cells(line.data, cells, columns);
				table_add(table, cells);
			} else {
				out_foreign_block(line.data, line.len);
				out_text("\n");
			}
		}
	if (table)
		table_print_free(table);
	format_free(format);
	return code < 0 ? bad_template(app, error) : EXIT_DONE;
}

/* "table {{.ID}}" without its first word, else NULL. */
static const char *table_template(const char *template)
{
	if (strncmp(template, "table", 5) != 0 || (template[5] && !isspace((unsigned char)template[5]) &&
						   template[5] != '\\'))
		return NULL;
	template += 5;
	while (isspace((unsigned char)*template))
		template++;
	return template;
}

static int print_quiet(const struct listing *listing)
{
	const char *last = "";
	json_t *row;
	size_t i;

	/* an image with several names has several rows */
	json_array_foreach(listing->rows, i, row) {
		const char *text = json_string_value(json_object_get(row, listing->quiet));

		if (strcmp(last, text) != 0)
			outf("%s\n", text);
		last = text;
	}
	return EXIT_DONE;
}

int listing_print(struct app *app, struct listing *listing, const struct args *args)
{
	const char *template = args_has(args, "format") ? args_text(args, "format") : NULL;
	bool headings = !args_flag(args, "noheading");

	if (args_flag(args, "json") || (template && strcmp(template, "json") == 0)) {
		json_print(json_incref(listing->facts));
		return EXIT_DONE;
	}
	if (listing->quiet && args_flag(args, "quiet") && !template)
		return print_quiet(listing);
	if (template && table_template(template) && *table_template(template))
		return print_rows(app, listing, table_template(template), headings, true);
	if (template && !table_template(template))
		return print_rows(app, listing, template, headings, false);
	print_table(listing, headings);
	return EXIT_DONE;
}

int template_print(struct app *app, const char *template, json_t *values)
{
	char *error = NULL;
	struct format *format = format_parse(template, &error);
	int code = format ? 0 : -1;
	json_t *value;
	size_t i;

	if (code == 0)
		json_array_foreach(values, i, value) {
			AUTO_TEXT struct text line = { .data = NULL };

			code = format_run(format, value, &line, &error);
			if (code < 0)
				break;
			out_foreign_block(text_get(&line), line.len);
			out_text("\n");
		}
	format_free(format);
	json_decref(values);
	return code < 0 ? bad_template(app, error) : EXIT_DONE;
}

int value_print(struct app *app, const struct args *args, json_t *value)
{
	const char *template = args_text(args, "format");
	json_t *values;

	if (args_flag(args, "json") || (template && strcmp(template, "json") == 0)) {
		json_print(value);
		return EXIT_DONE;
	}
	if (!template) {
		json_decref(value);
		return -1;
	}
	values = json_array();
	json_array_append_new(values, value);
	return template_print(app, template, values);
}
