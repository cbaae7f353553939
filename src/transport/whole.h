/* An index with everything that it names, however deep: images, and beside them what can be kept and passed on without being
 * understood: attestations, artifacts, indexes in the index. */
#ifndef NC_TRANSPORT_WHOLE_H
#define NC_TRANSPORT_WHOLE_H

#include "image/manifest.h"
#include "transport/offer.h"

/* Indexes in one another. */
#define NC_INDEX_DEPTH 8

struct nc_whole_item {
	enum nc_whole_kind {
		NC_WHOLE_IMAGE,		/* the manifest of an image */
		NC_WHOLE_DOCUMENT,	/* a manifest of something else, or an index */
		NC_WHOLE_BLOB,		/* what such a manifest names */
	} kind;
	struct nc_digest digest;
	uint64_t size;
	char *media_type;		/* "" when nothing says it */
	char *bytes;			/* DOCUMENT: the size bytes; else NULL */
};

struct nc_whole {
	struct nc_whole_item *items;	/* each once; what a document names stands before it */
	size_t count;
	size_t *images;			/* their positions in items; at least one */
	size_t image_count;
	size_t main;			/* of images: the one for the platform, else the first */
	struct nc_map *called;		/* tags given to images, and configs of those that have one */
};

/* The bytes (given) of a manifest or index that a descriptor names, verified by its digest and size. */
struct nc_whole_reader {
	int (*read)(void *ctx, const struct nc_descriptor *item, char **ret, size_t *ret_len, struct nacre_error *err);
	void *ctx;
};

/* Reads all documents beneath index. NACRE_E_NOTFOUND when it names no image, NACRE_E_LIMIT when it names too much. */
int nc_whole_open(const struct nc_manifest *index, const struct nc_platform *platform, const struct nc_whole_reader *reader,
		  struct nc_whole **ret, struct nacre_error *err);
void nc_whole_free(struct nc_whole *whole);
NC_DEFINE_CLEANUP(nc_whole_auto, struct nc_whole *, nc_whole_free)

/* The i-th image. */
const struct nc_whole_item *nc_whole_image(const struct nc_whole *whole, size_t i);
/* Marks the i-th image's offer, config and manifest in it, as one of a whole index, and names it: the main one as the index is
 * (full names), others NAME-OS-ARCH[-VARIANT]. */
int nc_whole_offer(const struct nc_whole *whole, size_t i, const char *const *names, struct nc_offer_box *box,
		   struct nacre_error *err);

#endif
