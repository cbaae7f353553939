/* What sources build their offers in: owns everything that a struct nc_offer points to. */
#ifndef NC_TRANSPORT_OFFER_H
#define NC_TRANSPORT_OFFER_H

#include "image/schema1.h"
#include "transport/transport.h"

/* Names of one image. */
#define NC_NAMES_MAX 4096

/* A list of strings that ends with NULL, no string twice. */
struct nc_names {
	char **list;
	size_t count;
};
int nc_names_add(struct nc_names *names, const char *name, struct nacre_error *err);
void nc_names_release(struct nc_names *names);
/* Never NULL. */
const char *const *nc_names_list(const struct nc_names *names);

struct nc_offer_box {
	struct nc_offer offer;
	struct nc_names names;
	char *config, *manifest, *index, *v1_id;
	struct nc_config *parsed;
	struct nc_manifest *parsed_manifest;
	struct nc_offer_layer *layers;
	struct nc_v1_node *v1_nodes;
};
/* Also makes it ready for the next image. */
void nc_offer_box_release(struct nc_offer_box *box);

int nc_offer_box_name(struct nc_offer_box *box, const char *name, struct nacre_error *err);
/* The image's config (taken, also on failure); makes the layers unless there are some already. */
int nc_offer_box_config(struct nc_offer_box *box, char *config, size_t len, struct nacre_error *err);
/* Its manifest (both taken, also on failure), after the config: its layers must be as many as the diff IDs, all of
 * them such as can be unpacked. */
int nc_offer_box_manifest(struct nc_offer_box *box, char *bytes, size_t len, struct nc_manifest *manifest,
			  struct nacre_error *err);
/* A manifest of schema 1: its layers, and the config once all their diff IDs are known. */
int nc_offer_box_schema1(struct nc_offer_box *box, const struct nc_schema1 *manifest, struct nacre_error *err);
/* The diff ID of a layer of that offer. */
int nc_offer_box_schema1_learned(struct nc_offer_box *box, struct nc_schema1 *manifest, size_t layer,
				 const struct nc_digest *diff_id, struct nacre_error *err);
/* Chain IDs of the first layers, as far as their diff IDs are known; *known (0 at first) says how far, and ret has room for all
 * layers. Call again once more are known. */
int nc_offer_chain(const struct nc_offer *offer, struct nc_digest *ret, size_t *known, struct nacre_error *err);
/* Bytes of a layer that an earlier pull has left in the store (may be NULL). */
uint64_t nc_offer_layer_here(struct nacre_store *store, const struct nc_offer_layer *layer);
/* Adds a layer that is to come, where its size is known. */
void nc_offer_weigh(struct nacre_store *store, const struct nc_offer *offer, size_t layer, bool keep_blobs,
		    struct nc_room *room);
/* Checks that a manifest is that of an image at all: NACRE_E_UNSUPPORTED for artifacts and foreign layers. */
int nc_manifest_check_image(const struct nc_manifest *manifest, struct nacre_error *err);

/* "3" of docker-archive:FILE:@3: a position in an archive. Returns 1 and sets *ret, or 0 when text is none. */
int nc_position_parse(const char *text, size_t *ret);

#endif
