/* TOML 1.0, as far as files of configuration go: tables, arrays of tables, inline tables, dotted keys, strings of all four
 * kinds, whole numbers and booleans. Times and fractions are refused, as is everything that is not TOML, with the line. */
#ifndef NC_IMAGE_TOML_H
#define NC_IMAGE_TOML_H

#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits: 1 MiB, 16 tables and arrays inside one another, 2^16 values. */
#define NC_TOML_MAX ((size_t)1 << 20)
#define NC_TOML_DEPTH_MAX 16
#define NC_TOML_VALUES_MAX (1u << 16)

enum nc_toml_type {
	NC_TOML_TABLE,
	NC_TOML_ARRAY,
	NC_TOML_STRING,
	NC_TOML_INTEGER,
	NC_TOML_BOOLEAN,
};

struct nc_toml {
	enum nc_toml_type type;
	unsigned line;			/* where it begins */
	char *key;			/* in a table; else NULL */
	char *text;			/* STRING: UTF-8 without NUL */
	int64_t number;			/* INTEGER, BOOLEAN */
	struct nc_toml *first, *last;	/* of a table's or array's values, in order */
	struct nc_toml *next;		/* in the same table or array */
	enum nc_toml_origin {		/* of a table or array: who may add to it */
		NC_TOML_VALUE,		/* written as a value: nobody */
		NC_TOML_IMPLIED,	/* on the way of a header */
		NC_TOML_HEADER,		/* by its own header */
		NC_TOML_DOTTED,		/* on the way of a dotted key */
	} origin;
};

/* file is for messages: "FILE: line N: …". NACRE_E_BADDATA, NACRE_E_LIMIT. ret: the table of all, given. */
int nc_toml_parse(const char *bytes, size_t len, const char *file, struct nc_toml **ret, struct nacre_error *err);
void nc_toml_free(struct nc_toml *value);
NC_DEFINE_CLEANUP(nc_toml_auto, struct nc_toml *, nc_toml_free)

/* A value of a table; NULL: none. */
const struct nc_toml *nc_toml_get(const struct nc_toml *table, const char *key);
/* "a string", "a table", … */
const char *nc_toml_type_text(enum nc_toml_type type);

#endif
