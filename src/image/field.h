/* Typed fields of JSON objects, for the parsers of this room.
 *
 * where is what stands before the key in a message, its separator included: "manifest: layers[3].". A null counts as an
 * absent field, as it does for every reader written in Go. All fail with NACRE_E_BADDATA on a wrong type. */
#ifndef NC_IMAGE_FIELD_H
#define NC_IMAGE_FIELD_H

#include "io/digest.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Room for a where; longer ones are cut, which costs a message its end and nothing else. */
#define NC_WHERE 160
void nc_where(char ret[NC_WHERE], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An object or array that is a field; NULL when absent. Lent by the object. */
int nc_field_get(const json_t *object, const char *where, const char *key, json_type type, const json_t **ret,
		 struct nacre_error *err);
/* value is the field where names (without a separator); its type must be this one. */
int nc_field_expect(const json_t *value, const char *where, json_type type, struct nacre_error *err);

/* Given; "" when absent. */
int nc_field_text(const json_t *object, const char *where, const char *key, char **ret, struct nacre_error *err);
/* Into an array of size bytes; longer is NACRE_E_LIMIT. */
int nc_field_text_fixed(const json_t *object, const char *where, const char *key, char *ret, size_t size,
			struct nacre_error *err);
int nc_field_bool(const json_t *object, const char *where, const char *key, bool *ret, struct nacre_error *err);
/* Both must be there. */
int nc_field_size(const json_t *object, const char *where, const char *key, uint64_t *ret, struct nacre_error *err);
int nc_field_digest(const json_t *object, const char *where, const char *key, struct nc_digest *ret,
		    struct nacre_error *err);
/* The digest that is this value; where names it without a separator. */
int nc_field_value_digest(const json_t *value, const char *where, struct nc_digest *ret, struct nacre_error *err);

/* Lists end with NULL and are given (nc_list_free); empty ones when the field is absent. */
int nc_field_list(const json_t *object, const char *where, const char *key, char ***ret, struct nacre_error *err);
/* The same, where a single string stands for a list of one. */
int nc_field_words(const json_t *object, const char *where, const char *key, char ***ret, struct nacre_error *err);
/* Keys of an object whose values mean nothing, by bytes. */
int nc_field_keys(const json_t *object, const char *where, const char *key, char ***ret, struct nacre_error *err);
/* Key, value, key, value of an object of strings, by key. */
int nc_field_pairs(const json_t *object, const char *where, const char *key, char ***ret, struct nacre_error *err);

/* Refuses a document that readers written in Go, which do not tell case in keys, would understand in another way: a
 * key that is one of keys (ends with NULL) but for its case. */
int nc_field_refuse_lookalikes(const json_t *object, const char *where, const char *const *keys,
			       struct nacre_error *err);

/* Equal but for the case of ASCII letters, in every locale. */
bool nc_key_folds(const char *a, const char *b);

void nc_list_free(char **list);
NC_DEFINE_CLEANUP(nc_list_auto, char **, nc_list_free)

#endif
