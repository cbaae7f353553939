/* What an OCI layout holds: its index.json, walked down to manifests.
 *
 *	index.json ─┬─ manifest                      an image
 *	            ├─ index ─┬─ manifest (amd64)    one of them, chosen by platform
 *	            │         └─ manifest (arm64)
 *	            └─ manifests of one name, each with another platform: one of them, likewise
 *
 * Images that several names lead to are one image with several names. */
#ifndef NC_TRANSPORT_OCI_LAYOUT_H
#define NC_TRANSPORT_OCI_LAYOUT_H

#include "image/manifest.h"
#include "transport/blobs.h"
#include "transport/offer.h"
#include "transport/whole.h"

struct nc_layout_image {
	struct nc_digest manifest;
	uint64_t manifest_size;
	char *media_type;		/* as announced */
	struct nc_digest index;		/* the outermost index it was chosen from; alg 0: none */
	uint64_t index_size;
	struct nc_names names;		/* full names */
};

struct nc_layout {
	struct nc_layout_image *images;
	size_t count;
};

struct nc_layout_wish {
	const char *tag;		/* org.opencontainers.image.ref.name, a full name, or @position; "": all */
	struct nc_platform platform;	/* where there is a choice */
	const char *name;		/* of a whole index: what it is called instead of the name that it has; NULL */
};

/* Artifacts, attestations and what is no image are passed over unless the wish names them. */
int nc_layout_read(const struct nc_blobs *blobs, const struct nc_layout_wish *wish, struct nc_layout **ret,
		   struct nacre_error *err);
/* All images of one index, with what else it names. Names are those of the index. ret_whole is NULL when there is but a
 * manifest where the index should be, and ret that image alone. */
int nc_layout_read_whole(const struct nc_blobs *blobs, const struct nc_layout_wish *wish, struct nc_layout **ret,
			 struct nc_whole **ret_whole, struct nacre_error *err);
void nc_layout_free(struct nc_layout *layout);
NC_DEFINE_CLEANUP(nc_layout_auto, struct nc_layout *, nc_layout_free)

/* Reads and parses the manifest of such an image into bytes and form (both given). */
int nc_layout_manifest(const struct nc_blobs *blobs, const struct nc_digest *digest, uint64_t size,
		       const char *media_type, char **ret_bytes, struct nc_manifest **ret, struct nacre_error *err);

/* Checks oci-layout, reads index.json. NACRE_E_NOTFOUND when it is no layout. */
int nc_layout_index(const struct nc_blobs *blobs, struct nc_manifest **ret, struct nacre_error *err);

/* Calls fn for each image manifest beneath index whose blob is there, however deep, until it returns other than 0. */
int nc_layout_each(const struct nc_blobs *blobs, const struct nc_manifest *index,
		   int (*fn)(void *ctx, const struct nc_descriptor *item, const struct nc_manifest *manifest,
			     struct nacre_error *err),
		   void *ctx, struct nacre_error *err);

#endif
