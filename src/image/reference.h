/* Names of images, as docker and podman read them (distribution reference grammar).
 *
 * "alpine" is docker.io/library/alpine:latest; shown short again. A name never becomes a path before it passed here. */
#ifndef NC_IMAGE_REFERENCE_H
#define NC_IMAGE_REFERENCE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct nc_reference {
	char domain[256];	/* docker.io, localhost:5000, … lowercase */
	char path[256];		/* library/alpine */
	char tag[129];		/* "" when only a digest was given */
	char digest[136];	/* "" or "sha256:…"; wins over the tag */
};

/* Parses and normalises. Without tag and digest the tag is "latest". NACRE_E_INVALID with the reason. A text of 64
 * hex digits is refused as a name (it is an ID). */
int nc_reference_parse(const char *text, struct nc_reference *ret, struct nacre_error *err);
/* The same, but without adding "latest": ret->tag is "" when the text has none. */
int nc_reference_parse_bare(const char *text, struct nc_reference *ret, struct nacre_error *err);
/* "docker.io/library/alpine:latest@sha256:…"; room for NC_REFERENCE_TEXT bytes. Returns ret. */
#define NC_REFERENCE_TEXT 800
const char *nc_reference_full(const struct nc_reference *reference, char *ret);
/* As people see it: "alpine:latest", "localhost:5000/x:1". */
const char *nc_reference_short(const struct nc_reference *reference, char *ret);
/* Repository alone as people see it: "alpine". */
const char *nc_reference_repository(const struct nc_reference *reference, char *ret);
/* Whether what stands before the first slash of text can only be a host; without one docker.io is meant. */
bool nc_reference_has_host(const char *text);
bool nc_tag_valid(const char *tag);

#endif
