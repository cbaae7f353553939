#include "table.h"

#include "mem.h"
#include "out.h"

#include <langinfo.h>
#include <libsmartcols/libsmartcols.h>

bool table_is_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

struct libscols_table *table_new(const char *const *headers, bool headings)
{
	struct libscols_table *table = must(scols_new_table());

	/* the same text on a terminal and in a pipe: lines are never cut to the terminal's width */
	scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	scols_table_enable_noheadings(table, !headings);
	if (scols_table_set_column_separator(table, "   ") < 0)
		must(NULL);
	for (; *headers; headers++)
		must(scols_table_new_column(table, *headers, 0, 0));
	return table;
}

void table_right(struct libscols_table *table, size_t column)
{
	scols_column_set_flags(scols_table_get_column(table, column), SCOLS_FL_RIGHT);
}

void table_add(struct libscols_table *table, const char *const *texts)
{
	struct libscols_line *line = must(scols_table_new_line(table, NULL));

	for (size_t i = 0; i < scols_table_get_ncols(table); i++)
		if (scols_line_set_data(line, i, texts[i]) < 0)
			must(NULL);
}

/* Without the blanks that fill up the last column. */
static void print_trimmed(const char *text)
{
	AUTO_TEXT struct text trimmed = { .data = NULL };

	while (*text) {
		size_t len = strcspn(text, "\n"), shown = len;

		while (shown > 0 && text[shown - 1] == ' ')
			shown--;
		text_add(&trimmed, text, shown);
		text_adds(&trimmed, "\n");
		text += len + (text[len] == '\n');
	}
	out_text(text_get(&trimmed));
}

void table_print_free(struct libscols_table *table)
{
	AUTO_FREE char *text = NULL;

	/* smartcols prints nothing at all for a table without lines */
	if (scols_table_get_nlines(table) == 0 && !scols_table_is_noheadings(table)) {
		for (size_t i = 0; i < scols_table_get_ncols(table); i++)
			outf("%s%s", i ? "   " : "", scols_column_get_name(scols_table_get_column(table, i)));
		out_text("\n");
	} else {
		if (scols_print_table_to_string(table, &text) < 0)
			must(NULL);
		if (text)
			print_trimmed(text);
	}
	scols_unref_table(table);
}
