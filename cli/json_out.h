/* JSON results. Jansson never fails for lack of memory here: the program ends instead. */
#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

void json_init(void);

/* A string; bytes that are no UTF-8 become U+FFFD. NULL gives null. */
json_t *json_text(const char *text);
/* UINT64_MAX, unknown, gives null. */
json_t *json_size(uint64_t size);
/* RFC 3339, or null for an unknown time. */
json_t *json_time(int64_t when, uint32_t nsec);
/* Of an array that ends with NULL; NULL gives []. */
json_t *json_texts(const char *const *texts);

/* As text: free(). compact: one line. Control characters of all kinds are escaped. */
char *json_text_of(const json_t *value, bool compact);
/* Indented to stdout. value is taken. */
void json_print(json_t *value);

/* An array that is printed while it grows, for lists that may be long. */
struct json_stream {
	bool some;
};
void json_stream_add(struct json_stream *stream, json_t *value);	/* value is taken */
void json_stream_end(struct json_stream *stream);

#endif
