/* The fields of the image JSON of 2015 as tables: their types, their order, and what was left out when empty. Reading,
 * checking and writing all follow the same tables. */
#ifndef NC_IMAGE_V1_FIELDS_H
#define NC_IMAGE_V1_FIELDS_H

#include "base/buf.h"

#include <jansson.h>

/* Two encoders wrote the same structure: that of the graph of 2015, and that of Docker 1.10, whose output is hashed. */
enum nc_v1_dialect { NC_V1_GRAPH, NC_V1_DOCKER_1_10 };

/* The value of a key by Go's rule, which does not tell case; NULL when absent or null. Two keys that differ by case
 * alone are NACRE_E_BADDATA: Go would take the later one, other readers the first. where as in field.h. */
int nc_v1_find(const json_t *object, const char *where, const char *key, const json_t **ret, struct nacre_error *err);

/* Leaves of known keys that differ by case alone only the last, as Go's decoder does. */
void nc_v1_last_wins(json_t *image);

/* Whether Go would decode this into its structure: every field that is known has its type. */
int nc_v1_check(const json_t *image, struct nacre_error *err);
/* Checks, and appends what Go would encode, without a final newline. */
int nc_v1_encode(struct nc_buf *buf, const json_t *image, enum nc_v1_dialect dialect, struct nacre_error *err);

/* Where messages say that a field of an image JSON is. */
#define NC_V1_WHERE "v1 image: "

#endif
