/* Transports: places that images come from and go to. Everything in or out is a copy from a source to a sink; the
 * store is one of each. Nothing in a source becomes visible at the sink before its digests, sizes and diff IDs are
 * proved. */
#ifndef NC_TRANSPORT_TRANSPORT_H
#define NC_TRANSPORT_TRANSPORT_H

#include "image/config.h"
#include "image/manifest.h"
#include "store/store.h"

/* One image as a source offers it. Owned by the source. */
struct nc_offer_layer {
	struct nc_digest diff_id;	/* from the config; alg 0: nobody knows it before the layer was read (v1) */
	struct nc_digest blob;		/* alg 0: the source does not know it beforehand */
	uint64_t blob_size;		/* UINT64_MAX: unknown */
	const char *media_type;		/* as the manifest says, "" without one */
	const struct nc_partial *partial;	/* of the layer asked for last: a file of the store that has all of it once it
						 * was read; NULL: none */
	bool told;			/* of the layer asked for last: the source itself has told that it begins, and tells of its
					 * bytes as they come */
	bool proved;			/* the source's reader fails at its end unless its bytes have the digest blob */
	bool known;			/* blob was once seen to be the layer: that digest says all */
};

/* A node of a v1 archive, for keep_ids. Its layer is the one at its own position in offer.layers. */
struct nc_v1_node {
	const char *id, *parent;	/* parent "" for none */
	const char *json;
	size_t json_len;
};

struct nc_offer {
	const char *config;		/* exact bytes; NULL while a layer's diff ID is unknown */
	size_t config_len;
	const struct nc_config *parsed;
	const char *manifest;		/* exact bytes; NULL: the place has none (docker-archive) */
	size_t manifest_len;
	const char *manifest_media_type;
	const char *index;		/* the index that the manifest was chosen from; NULL */
	size_t index_len;
	bool main;			/* of a whole index: the image that has its name */
	const char *const *names;	/* full names; ends with NULL */
	const struct nc_offer_layer *layers;	/* lowest first, one for each diff ID */
	size_t layer_count;
	bool whole;			/* all images of the index travel, and the index with them */
	const char *v1_id;		/* a v1 image that keeps its IDs: the claimed one; else NULL */
	const struct nc_v1_node *v1_nodes;	/* then: its chain, lowest first, layer_count of them */
};

struct nc_whole;
struct nc_whole_item;

/* What no image has of a whole index. */
#define NC_NO_LAYER SIZE_MAX

struct nc_source;
struct nc_source_ops {
	/* How many images there are to copy; decided at open. */
	size_t (*count)(struct nc_source *source);
	/* The i-th; lent until the next call of this or the close. */
	int (*image)(struct nc_source *source, size_t i, const struct nc_offer **ret, struct nacre_error *err);
	/* A layer of the image asked for last will be asked for, after those expected before, and may be on its way from now
	 * on. what: as in nacre_progress. For a source that looks ahead. */
	int (*expect)(struct nc_source *source, size_t layer, const char *what, struct nacre_error *err);
	/* The bytes of a layer of the image asked for last, as they lie there, not yet verified. ret_size: how many
	 * they are, UINT64_MAX when unknown. */
	int (*layer)(struct nc_source *source, size_t layer, struct nc_reader **ret, uint64_t *ret_size,
		     struct nacre_error *err);
	/* What the diff ID of such a layer turned out to be, lowest first; the offer in hand changes accordingly.
	 * NULL for a source that always knows. */
	int (*learned)(struct nc_source *source, size_t layer, const struct nc_digest *diff_id,
		       struct nacre_error *err);
	/* The bytes of a layer were bad: 1 when there is another place that may have better ones, of which the next call
	 * of layer then gives. NC_NO_LAYER: those of a blob were. NULL for a source that has one place. */
	int (*turn)(struct nc_source *source, size_t layer);
	/* Whether a layer failed because of another that is on its way: 1, which, and why. For a source that looks ahead. */
	int (*blame)(struct nc_source *source, size_t *ret_layer, struct nacre_error *err);
	/* The bytes of what a whole index names and no image has, not yet verified. NULL for a source that has none. */
	int (*blob)(struct nc_source *source, const struct nc_whole_item *item, struct nc_reader **ret,
		    struct nacre_error *err);
	/* All that it gave is safe in the store. NULL for a source that does not care. */
	void (*arrived)(struct nc_source *source);
	void (*close)(struct nc_source *source);
};
struct nc_source {
	const struct nc_source_ops *ops;
	char *label;			/* "docker-archive:x.tar", for messages; freed by nc_source_close */
	const struct nc_whole *whole;	/* its images are those of one index, which has the names and travels with all that
					 * it names; NULL. Owned by the source */
	bool apart;			/* its layers may be read at the same time, by several threads */
	bool ahead;			/* it looks ahead, where the sink knows beforehand what it will ask for */
};
void nc_source_close(struct nc_source *source);	/* NULL is fine */
NC_DEFINE_CLEANUP(nc_source_auto, struct nc_source *, nc_source_close)

struct nc_sink;
struct nc_sink_ops {
	/* Called for every image before the first begins, where there are several; the offer is lent for the call.
	 * NULL for a sink that does not care. */
	int (*expect)(struct nc_sink *sink, const struct nc_offer *offer, struct nacre_error *err);
	/* An image begins; offer is lent until its end. The sink may look at all of it. */
	int (*begin)(struct nc_sink *sink, const struct nc_offer *offer, struct nacre_error *err);
	/* 1: the i-th layer of the image is there and need not come. */
	int (*has)(struct nc_sink *sink, size_t layer, struct nacre_error *err);
	/* The i-th layer (lowest first); blob (taken; size bytes, UINT64_MAX: unknown) is verified against what the
	 * offer says while it streams. 1: it is still on its way, on a thread of the sink's. */
	int (*layer)(struct nc_sink *sink, size_t layer, struct nc_reader *blob, uint64_t size,
		     struct nc_digest *ret_diff_id, struct nacre_error *err);
	/* Waits for one of those: 1, and which has arrived. 0: none is left, or (unless all) there is room for one more. NULL for
	 * a sink that has each when layer returns. */
	int (*settle)(struct nc_sink *sink, bool all, size_t *ret_layer, struct nacre_error *err);
	/* Ends those, as if they had never come: what was lent with them is no longer used. NULL where settle is, or where nothing
	 * was lent. */
	void (*halt)(struct nc_sink *sink);
	/* Whether any of these failed because of a layer that is still on its way: 1, which, and why. NULL where settle is. */
	int (*blame)(struct nc_sink *sink, size_t *ret_layer, struct nacre_error *err);
	/* The image's layers are all there. names: what it shall be called at the sink. ret says what arrived: its
	 * strings are given; names is left alone. */
	int (*end)(struct nc_sink *sink, const char *const *names, struct nacre_copied_image *ret,
		   struct nacre_error *err);
	/* Of a whole index, after its images: 1: what no image has is there and need not come. NULL, and rest too, for
	 * a sink that takes no index. */
	int (*has_rest)(struct nc_sink *sink, const struct nc_whole_item *item, struct nacre_error *err);
	/* Such an item; blob (taken) is verified. */
	int (*rest)(struct nc_sink *sink, const struct nc_whole_item *item, struct nc_reader *blob,
		    struct nacre_error *err);
	/* Last: makes everything visible. */
	int (*commit)(struct nc_sink *sink, struct nacre_error *err);
	/* Not committed: leaves the place as it was. */
	void (*close)(struct nc_sink *sink);
};
struct nc_sink {
	const struct nc_sink_ops *ops;
	bool plain;			/* likes plain tars better than compressed blobs */
	bool diff_ids_first;		/* cannot begin an image before all its diff IDs are known */
	bool tells;			/* says itself what becomes of each layer */
	bool apart;			/* said by who copies: the source's layers may be read at the same time, by several threads */
};
void nc_sink_close(struct nc_sink *sink);	/* NULL is fine */
NC_DEFINE_CLEANUP(nc_sink_auto, struct nc_sink *, nc_sink_close)

/* "docker-archive:x.tar:alpine" taken apart. where and rest are given in one allocation with the struct. */
struct nc_place {
	enum nc_transport { NC_DOCKER_ARCHIVE, NC_OCI_DIR, NC_OCI_ARCHIVE, NC_DIR, NC_GRAPH, NC_REGISTRY } transport;
	char *where;			/* file or directory; "" for graph and registries */
	char *rest;			/* reference, tag or ID; "" when none */
};
/* NACRE_E_INVALID for an unknown transport, naming the known ones. */
int nc_place_parse(const char *text, struct nc_place **ret, struct nacre_error *err);
void nc_place_free(struct nc_place *place);
NC_DEFINE_CLEANUP(nc_place_auto, struct nc_place *, nc_place_free)

#endif
