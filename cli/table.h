/* Aligned columns on stdout. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct libscols_table;

/* headers end with NULL; headings false leaves the line with them out. */
struct libscols_table *table_new(const char *const *headers, bool headings);
/* One text per column. Control characters are shown as \xNN. */
void table_add(struct libscols_table *table, const char *const *texts);
/* Right-align a column. */
void table_right(struct libscols_table *table, size_t column);
void table_print_free(struct libscols_table *table);

/* Whether the locale can show more than ASCII. */
bool table_is_utf8(void);

#endif
