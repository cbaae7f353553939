/* A layer on its way to a place outside the store: checked and, where wished, copied as it came. */
#ifndef NC_TRANSPORT_FLOW_H
#define NC_TRANSPORT_FLOW_H

#include "io/codec.h"
#include "transport/transport.h"

struct nc_flow {
	struct nc_reader *reader;	/* the plain tar, or the blob where that need not be seen */
	enum nc_codec codec;		/* how it came; not looked at where the plain tar need not be seen */
	struct nc_hash *raw_hash;	/* NULL: the source proves its blobs */
	struct nc_hash *plain_hash;	/* NULL: the plain bytes are the raw ones, or need not be seen */
	bool unseen;			/* they need not */
	uint64_t raw_size, plain_size;	/* so far */
	struct nc_digest raw;		/* set by nc_flow_end */
};

/* What blob (taken) is compressed with; gives a reader that begins with the same bytes. */
int nc_flow_peek(struct nc_reader *blob, enum nc_codec *ret_codec, struct nc_reader **ret, struct nacre_error *err);

/* blob (taken, also on failure) is what layer announces. raw: it is wanted as it comes, so that what it holds need not be seen where it
 * is known to be the layer; copy (borrowed, may be NULL) receives it then. store (may be NULL) says whether threads may help. */
int nc_flow_open(const struct nacre_store *store, struct nc_reader *blob, const struct nc_offer_layer *layer, bool raw,
		 struct nc_writer *copy, struct nc_flow **ret, struct nacre_error *err);
/* After the reader's end: NACRE_E_DIGEST or NACRE_E_BADDATA when digest, size or diff ID are not as announced. */
int nc_flow_end(struct nc_flow *flow, const struct nc_offer_layer *layer, struct nc_digest *ret_diff_id,
		struct nacre_error *err);
void nc_flow_free(struct nc_flow *flow);
NC_DEFINE_CLEANUP(nc_flow_auto, struct nc_flow *, nc_flow_free)

/* Reads a layer (taken) to its end for the sake of its diff ID. */
int nc_flow_diff_id(struct nc_reader *blob, struct nc_digest *ret, struct nacre_error *err);

#endif
