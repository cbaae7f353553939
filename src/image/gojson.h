/* JSON in the spelling of Go's encoder (seed, section 7.2): no white space, <, >, & and U+2028/9 escaped, invalid UTF-8
 * as \ufffd, map keys sorted where sorted is asked for. jansson parses; this writes what must equal Docker's bytes. */
#ifndef NC_IMAGE_GOJSON_H
#define NC_IMAGE_GOJSON_H

#include "base/buf.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdbool.h>

/* Limits for every JSON from outside: 4 MiB, 64 levels, 2^18 values (so that a document of small things does not grow
 * to many times its size in memory), keys not twice in one object, no NUL in strings, valid UTF-8, no bytes behind the
 * value. what names the document in messages. NACRE_E_BADDATA or NACRE_E_LIMIT. The result, an object or an array, is
 * given (json_decref). */
#define NC_JSON_MAX (4u << 20)
#define NC_JSON_DEPTH_MAX 64
#define NC_JSON_VALUES_MAX (1u << 18)
int nc_json_parse(const char *text, size_t len, const char *what, json_t **ret, struct nacre_error *err);
/* The first value of a text, as Go's decoder takes it from a stream: what trails it is ignored, of equal keys the later
 * wins. ret_used (may be NULL): how many bytes it takes. */
int nc_json_parse_first(const char *text, size_t len, const char *what, json_t **ret, size_t *ret_used,
			struct nacre_error *err);
NC_DEFINE_CLEANUP(nc_json_auto, json_t *, json_decref)

int nc_gojson_string(struct nc_buf *buf, const char *text, size_t len, struct nacre_error *err);
/* A jansson value in Go's spelling; keys of objects in their own order, or sorted by bytes. */
int nc_gojson_value(struct nc_buf *buf, const json_t *value, bool sorted, struct nacre_error *err);
/* JSON text as Go passes it on uninterpreted: white space dropped, <, >, & and U+2028/9 escaped, all else as it stands
 * (numbers and escapes keep their spelling). text must be valid. */
int nc_gojson_compact(struct nc_buf *buf, const char *text, size_t len, struct nacre_error *err);

/* RFC 3339 with a fraction of a second and a zone, as Go writes and reads it (digits beyond the ninth are dropped). sec
 * counts from 1970; the zero time of Go is 0001-01-01T00:00:00Z. NACRE_E_BADDATA when it is no such time. */
int nc_gotime_parse(const char *text, int64_t *ret_sec, uint32_t *ret_nsec, struct nacre_error *err);
/* In UTC. What lies outside the years 0 to 9999 becomes the nearest time inside. */
void nc_gotime_text(int64_t sec, uint32_t nsec, char ret[40]);
/* Parses and writes again as Go does: the zone stays, zeros at the end of the fraction go. */
int nc_gotime_respell(const char *text, char ret[40], struct nacre_error *err);
/* When something made now is said to be made: given, or when that is 0 SOURCE_DATE_EPOCH, or now. */
int64_t nc_creation_time(int64_t given);
/* SOURCE_DATE_EPOCH, or 0. */
int64_t nc_source_date(void);
#define NC_GOTIME_ZERO (-62135596800ll)

#endif
