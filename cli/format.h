/* The subset of Go templates that docker and podman users put into --format.
 *
 *   {{.Field}} {{.A.B}} {{.}}          a value; names are found whatever their case and underscores
 *   {{json .}} {{len .X}} {{index .X KEY…}} {{join .X ", "}} {{lower .X}} {{upper .X}} {{println .X}}
 *   {{eq A B}} {{ne A B}} {{not A}} {{and A B}} {{or A B}}, parentheses, and pipes: {{.X | json}}
 *   {{if X}}…{{else if Y}}…{{else}}…{{end}}
 *   {{range .X}}…{{else}}…{{end}}, {{range $k, $v := .X}}…{{end}}, {{with .X}}…{{end}}, $ (the whole)
 *   {{- and -}} trim white space; \t and \n outside of braces are a tab and a line feed */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include "mem.h"

#include <jansson.h>

struct format;

/* NULL on failure, giving *ret_error (free()). */
struct format *format_parse(const char *text, char **ret_error);
void format_free(struct format *format);
/* Adds the text for value. 0, or -1 and *ret_error (free()). */
int format_run(const struct format *format, json_t *value, struct text *to, char **ret_error);

#endif
