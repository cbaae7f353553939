/* What stands between {{ and }} in a template: expressions. */
#ifndef CLI_FORMAT_EXPR_H
#define CLI_FORMAT_EXPR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define FORMAT_VARIABLES 16

/* What an expression sees. */
struct format_scope {
	json_t *root, *dot;
	struct format_variable {
		const char *name;	/* points into the template, at '$' */
		size_t len;
		json_t *value;		/* NULL while only checking */
	} variables[FORMAT_VARIABLES];
	size_t variable_count;
	bool check;		/* judge the grammar alone: values are not looked at */
};

/* Evaluate the expression text (len bytes). Returns a new reference, or NULL and *ret_error. */
json_t *format_eval(const struct format_scope *scope, const char *text, size_t len, char **ret_error);

/* The value as Go prints it: free(). */
char *format_show(const json_t *value);
bool format_is_true(const json_t *value);

#endif
