/* One image on its way into blobs: its layers, config and manifest. What OCI layouts and dir: have in common. */
#ifndef NC_TRANSPORT_IMAGE_SAVE_H
#define NC_TRANSPORT_IMAGE_SAVE_H

#include "transport/blobs_save.h"

struct nc_image_out {
	struct nc_blobs_out *blobs;
	enum nacre_compression compression;
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

/* Fills in what arrived. */
int nc_copied_image_set(struct nacre_copied_image *ret, const struct nc_digest *config,
			const struct nc_digest *manifest, struct nacre_error *err);

#endif
