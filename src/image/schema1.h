/* Docker's manifests of schema 1 (2015 to 2016): layers and image JSON, the topmost first, signed by whoever served them. They
 * are read and never written. The signature says nothing (its key is not known to anybody) and is passed over; what a digest
 * is taken of are the bytes without it. */
#ifndef NC_IMAGE_SCHEMA1_H
#define NC_IMAGE_SCHEMA1_H

#include "base/buf.h"
#include "image/config.h"

#define NC_MEDIA_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+json"
#define NC_MEDIA_SCHEMA1_SIGNED "application/vnd.docker.distribution.manifest.v1+prettyjws"

/* Whether a manifest of that media type ("" where nobody said one) is one of these. */
bool nc_is_schema1(const char *media_type, const char *bytes, size_t len);

/* The bytes of which the registry takes the digest: appended to ret. */
int nc_schema1_payload(const char *bytes, size_t len, struct nc_buf *ret, struct nacre_error *err);

struct nc_schema1_item {
	char *json;			/* the image JSON of 2015 */
	size_t json_len;
	struct nc_digest blob;		/* alg 0: it has no layer of its own */
	struct nc_digest diff_id;	/* alg 0 until the caller knows it */
};
struct nc_schema1 {
	struct nc_schema1_item *items;	/* lowest first; at least one */
	size_t count;
};
/* NACRE_E_BADDATA, NACRE_E_LIMIT; at most 4096 items. */
int nc_schema1_parse(const char *bytes, size_t len, struct nc_schema1 **ret, struct nacre_error *err);
void nc_schema1_free(struct nc_schema1 *manifest);
NC_DEFINE_CLEANUP(nc_schema1_auto, struct nc_schema1 *, nc_schema1_free)

/* The config, as Docker 1.10 and later make it; all diff IDs must be known. ret is given. */
int nc_schema1_config(const struct nc_schema1 *manifest, char **ret, size_t *ret_len, struct nacre_error *err);

#endif
