/* JSON in the spelling of Go's encoder (seed, section 7.2): no white space, <, >, & and U+2028/9 escaped, invalid UTF-8
 * as \ufffd, map keys sorted where sorted is asked for. jansson parses; this writes what must equal Docker's bytes. */
#ifndef NC_IMAGE_GOJSON_H
#define NC_IMAGE_GOJSON_H

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>

/* Limits for every JSON from outside: 4 MiB, 64 levels, keys not twice in one object, no NUL in strings.
 * what names the document in messages. NACRE_E_BADDATA or NACRE_E_LIMIT. The result is given (json_decref). */
#define NC_JSON_MAX (4u << 20)
int nc_json_parse(const char *text, size_t len, const char *what, json_t **ret, struct nacre_error *err);

int nc_gojson_string(struct nc_buf *buf, const char *text, size_t len, struct nacre_error *err);
/* A jansson value in Go's spelling; keys of objects in their own order, or sorted by bytes. */
int nc_gojson_value(struct nc_buf *buf, const json_t *value, bool sorted, struct nacre_error *err);
/* RFC 3339 with up to nine fraction digits and zone, as Go writes and reads it. sec counts from 1970; the zero time of
 * Go is 0001-01-01T00:00:00Z. */
int nc_gotime_parse(const char *text, int64_t *ret_sec, uint32_t *ret_nsec, struct nacre_error *err);
void nc_gotime_text(int64_t sec, uint32_t nsec, char ret[40]);
#define NC_GOTIME_ZERO (-62135596800ll)

#endif
