/* A layer as a blob: in what codec it goes out, and its way there. */
#ifndef NC_TRANSPORT_LAYER_FILE_H
#define NC_TRANSPORT_LAYER_FILE_H

#include "image/manifest.h"
#include "transport/transport.h"

/* What a layer becomes. */
struct nc_blobs_wish {
	bool as_it_comes;		/* whatever it is compressed with: the manifest is kept */
	bool docker;			/* media types */
	bool pack;			/* with AUTO: one that comes plain goes out as gzip */
	enum nacre_compression compression;	/* AUTO: as it comes, if there is a media type for that */
};
/* What a layer that comes in one codec goes out in. */
enum nc_codec nc_layer_codec(const struct nc_blobs_wish *wish, enum nc_codec comes);

/* What a layer has become. */
struct nc_layer_file {
	struct nc_digest digest;
	uint64_t size;
	enum nc_codec codec;
};
/* media_type is static. */
void nc_layer_describe(const struct nc_layer_file *file, const struct nc_blobs_wish *wish, struct nc_descriptor *ret);

/* Streams blob (taken), which is what layer announces, into writer (borrowed), which has the codec: plain, or with raw
 * as it comes. store (may be NULL) says whether threads may help. ret_came: what came; raw and known to be the layer, the codec is
 * not looked at. */
int nc_layer_stream(const struct nacre_store *store, const struct nc_offer_layer *layer, bool raw, struct nc_reader *blob,
		    struct nc_writer *writer, struct nc_layer_file *ret_came, struct nc_digest *ret_diff_id, struct nacre_error *err);
/* The same into a file (borrowed) in a codec; raw: it comes in that. */
int nc_layer_file_write(const struct nacre_store *store, int fd, const struct nc_offer_layer *layer, enum nc_codec codec, bool raw,
			struct nc_reader *blob, struct nc_layer_file *ret, struct nc_digest *ret_diff_id, struct nacre_error *err);

#endif
