/* One image on its way into blobs: its layers, config and manifest. What OCI layouts and dir: have in common. */
#ifndef NC_TRANSPORT_IMAGE_SAVE_H
#define NC_TRANSPORT_IMAGE_SAVE_H

#include "transport/blobs_save.h"

/* Where they go; self is passed to each. */
struct nc_image_place {
	void *self;
	/* As nc_blobs_out_has, nc_blobs_out_layer and nc_blobs_out_document. */
	int (*has)(void *self, const struct nc_offer_layer *layer, const struct nc_blobs_wish *wish,
		   struct nc_descriptor *ret, struct nacre_error *err);
	int (*layer)(void *self, const struct nc_offer_layer *layer, const struct nc_blobs_wish *wish,
		     struct nc_reader *blob, struct nc_descriptor *ret, struct nc_digest *ret_diff_id,
		     struct nacre_error *err);
	int (*document)(void *self, const void *bytes, size_t len, struct nc_digest *ret, struct nacre_error *err);
};
struct nc_image_place nc_image_place_blobs(struct nc_blobs_out *blobs);

struct nc_image_out {
	struct nc_image_place place;
	enum nacre_compression compression;
	bool pack;			/* as in the wish */
	const struct nc_offer *offer;	/* the image in hand */
	struct nc_blobs_wish wish;
	struct nc_descriptor *layers;	/* what they became; media types are static */
};

/* keep_docker: a manifest of Docker's may go out as it came. */
int nc_image_out_begin(struct nc_image_out *image, const struct nc_offer *offer, bool keep_docker,
		       struct nacre_error *err);
int nc_image_out_has(struct nc_image_out *image, size_t layer, struct nacre_error *err);
int nc_image_out_layer(struct nc_image_out *image, size_t layer, struct nc_reader *blob, uint64_t size,
		       struct nc_digest *ret_diff_id, struct nacre_error *err);
/* Writes the config; gives the manifest (free()), the one that came where all of it could be kept. */
int nc_image_out_end(struct nc_image_out *image, char **ret_manifest, size_t *ret_len, const char **ret_media_type,
		     struct nc_digest *ret_config, struct nacre_error *err);
void nc_image_out_release(struct nc_image_out *image);

/* Images of an index that goes out whole must go out as they are. */
int nc_image_out_check_whole(const struct nc_image_out *image, struct nacre_error *err);
/* The index of such: its media type, lent by the parsed one (given), and digest. */
int nc_image_out_index(const struct nc_image_out *image, struct nc_manifest **ret, struct nc_digest *ret_digest,
		       struct nacre_error *err);

/* Fills in what arrived. */
int nc_copied_image_set(struct nacre_copied_image *ret, const struct nc_digest *config,
			const struct nc_digest *manifest, struct nacre_error *err);

#endif
