/* Transports: places that images come from and go to. Everything in or out is a copy from a source to a sink; the store
 * is one of each. Nothing in a source becomes visible at the sink before its digests, sizes and diff IDs are proved. */
#ifndef NC_TRANSPORT_TRANSPORT_H
#define NC_TRANSPORT_TRANSPORT_H

#include "image/config.h"
#include "image/manifest.h"
#include "store/store.h"

/* One image as a source offers it. Owned by the source. */
struct nc_offer_layer {
	struct nc_digest diff_id;	/* from the config */
	struct nc_digest blob;		/* alg 0: the source does not know it beforehand */
	uint64_t blob_size;		/* UINT64_MAX: unknown */
	const char *media_type;		/* as the manifest says, "" without one */
};

struct nc_offer {
	const char *config;		/* exact bytes */
	size_t config_len;
	const struct nc_config *parsed;
	const char *manifest;		/* exact bytes; NULL: the place has none (docker-archive) */
	size_t manifest_len;
	const char *manifest_media_type;
	const char *index;		/* the index that the manifest was chosen from; NULL */
	size_t index_len;
	const char *const *names;	/* full names; ends with NULL */
	const struct nc_offer_layer *layers;	/* lowest first, one for each diff ID */
	size_t layer_count;
	const char *v1_id;		/* a kept v1 image: its claimed ID, with v1_json per layer; else NULL */
	const struct nc_v1_node *v1_nodes;	/* its chain, lowest first */
	size_t v1_node_count;
};

/* A node of a v1 archive, for keep_ids. */
struct nc_v1_node {
	const char *id, *parent;	/* parent "" for none */
	const char *json;
	size_t json_len;
	ssize_t layer;			/* position in offer.layers; -1: it has no layer.tar */
};

struct nc_source;
struct nc_source_ops {
	/* How many images there are to copy; decided at open. */
	size_t (*count)(struct nc_source *source);
	/* The i-th; lent until close. */
	int (*image)(struct nc_source *source, size_t i, const struct nc_offer **ret, struct nacre_error *err);
	/* The bytes of a layer as they lie there, not yet verified. */
	int (*layer)(struct nc_source *source, size_t i, size_t layer, struct nc_reader **ret, struct nacre_error *err);
	void (*close)(struct nc_source *source);
};
struct nc_source {
	const struct nc_source_ops *ops;
};

struct nc_sink;
struct nc_sink_ops {
	/* An image begins: the sink may look at all of it. */
	int (*begin)(struct nc_sink *sink, const struct nc_offer *offer, struct nacre_error *err);
	/* 1: the i-th layer of the image is there and need not come. */
	int (*has)(struct nc_sink *sink, size_t layer, struct nacre_error *err);
	/* The i-th layer (lowest first); blob is taken, verified against what the offer says while it streams. */
	int (*layer)(struct nc_sink *sink, size_t layer, struct nc_reader *blob, struct nacre_error *err);
	/* The image's layers are all there. names: what it shall be called at the sink. ret says what arrived. */
	int (*end)(struct nc_sink *sink, const char *const *names, struct nacre_copied_image *ret,
		   struct nacre_error *err);
	/* Last: makes everything visible. */
	int (*commit)(struct nc_sink *sink, struct nacre_error *err);
	/* Not committed: leaves the place as it was. */
	void (*close)(struct nc_sink *sink);
};
struct nc_sink {
	const struct nc_sink_ops *ops;
};

/* "docker-archive:x.tar:alpine" taken apart. where and rest are given in one allocation with the struct. */
struct nc_place {
	enum nc_transport { NC_DOCKER_ARCHIVE, NC_OCI_DIR, NC_OCI_ARCHIVE, NC_DIR, NC_GRAPH } transport;
	char *where;			/* file or directory; "" for graph */
	char *rest;			/* reference, tag or ID; "" when none */
};
/* NACRE_E_INVALID for an unknown transport, naming the known ones. */
int nc_place_parse(const char *text, struct nc_place **ret, struct nacre_error *err);
void nc_place_free(struct nc_place *place);
NC_DEFINE_CLEANUP(nc_place_auto, struct nc_place *, nc_place_free)

#endif
