/* How images, names and IDs are written. */
#ifndef CLI_IMAGE_TEXT_H
#define CLI_IMAGE_TEXT_H

#include <jansson.h>
#include <nacre/nacre.h>

#define ID_TEXT_MAX 72
#define NAME_TEXT_MAX 800

/* "sha256:" and 64 digits, or the bare 64 of an image of 2015, or their first 12. buf has room for ID_TEXT_MAX. */
char *image_id_text(char *buf, const char *id, bool v1, bool full);
/* A name as people type it. buf has room for NAME_TEXT_MAX. */
char *short_name(char *buf, const char *full);
/* "alpine:latest" cut at its tag: buf becomes the repository, the tag is returned. */
char *split_tag(char *buf);
/* An array of short names. */
json_t *json_short_names(const char *const *names);
/* Layers, the lowest first. */
json_t *json_layers(const struct nacre_image *image);
/* "REPOSITORY@sha256:…" for each repository and manifest digest. */
json_t *json_repo_digests(const struct nacre_image *image);
/* "IMAGE:/PATH" cut in two at the first ":/": text becomes IMAGE; returns the path, or NULL when there is none. */
char *split_path(char *text);
/* "sha256:<hex>" without its algorithm; anything else as it is. */
const char *bare_id(const char *text);
/* A text of one line: line breaks and tabs become single spaces. free(). max 0: not cut. */
char *one_line(const char *text, size_t max);

#endif
