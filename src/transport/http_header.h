/* Values of HTTP headers that registries say something with. All come from strangers. */
#ifndef NC_TRANSPORT_HTTP_HEADER_H
#define NC_TRANSPORT_HTTP_HEADER_H

#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One challenge of a WWW-Authenticate header (RFC 9110, 11.6.1). Strings are given, "" when absent. */
struct nc_challenge {
	enum nc_challenge_scheme { NC_CHALLENGE_OTHER, NC_CHALLENGE_BASIC, NC_CHALLENGE_BEARER } scheme;
	char *realm, *service, *scope, *error;
};
/* The next challenge of a header's value; *at moves behind it. Returns 1, 0 at the end, and a negative code: what makes
 * no sense is NACRE_E_BADDATA. */
int nc_challenge_next(const char **at, struct nc_challenge *ret, struct nacre_error *err);
void nc_challenge_release(struct nc_challenge *challenge);

/* The target of the first link with rel="next" in a Link header (RFC 8288): given; NULL when there is none. */
int nc_link_next(const char *value, char **ret, struct nacre_error *err);

/* Seconds of a Retry-After header, a number or a date; 0 for the past; -1 when it makes no sense. */
int64_t nc_retry_after(const char *value, int64_t now);

/* "bytes 5-9/10" of a Content-Range; total UINT64_MAX when it says "*". */
bool nc_content_range(const char *value, uint64_t *ret_first, uint64_t *ret_last, uint64_t *ret_total);

#endif
