#include "transport/layer_file.h"

#include "transport/flow.h"

static enum nc_codec codec_of(enum nacre_compression compression)
{
	switch (compression) {
	case NACRE_COMPRESSION_GZIP:
		return NC_GZIP;
	case NACRE_COMPRESSION_ZSTD:
		return NC_ZSTD;
	default:
		return NC_PLAIN;
	}
}

enum nc_codec nc_layer_codec(const struct nc_blobs_wish *wish, enum nc_codec comes)
{
	bool has_type = nc_layer_media_type(wish->docker, comes);
	if (wish->as_it_comes)
		return comes;
	if (wish->compression != NACRE_COMPRESSION_AUTO)
		return codec_of(wish->compression);
	if (has_type && !(wish->pack && comes == NC_PLAIN))
		return comes;
	return wish->pack ? NC_GZIP : NC_PLAIN;
}

void nc_layer_describe(const struct nc_layer_file *file, const struct nc_blobs_wish *wish, struct nc_descriptor *ret)
{
	const char *type = nc_layer_media_type(wish->docker, file->codec);
	*ret = (struct nc_descriptor){ .media_type = (char *)(type ? type : ""), .digest = file->digest,
				       .size = file->size };
}

int nc_layer_stream(const struct nacre_store *store, const struct nc_offer_layer *layer, bool raw, struct nc_reader *blob,
		    struct nc_writer *writer, struct nc_layer_file *ret_came, struct nc_digest *ret_diff_id, struct nacre_error *err)
{
	NC_CLEANUP(nc_flow_auto) struct nc_flow *flow = NULL;
	int code = nc_flow_open(store, blob, layer, raw, raw ? writer : NULL, &flow, err);
	if (code >= 0)
		code = raw ? nc_reader_drain(flow->reader, err) : nc_copy_stream(flow->reader, writer, NULL, err);
	if (code >= 0)
		code = nc_flow_end(flow, layer, ret_diff_id, err);
	if (code < 0)
		return code;
	*ret_came = (struct nc_layer_file){ flow->raw, flow->raw_size, flow->codec };
	return 0;
}

/* Of what comes in raw the stream tells the digest, in the algorithm of the layer's name; of all else it is taken on the way. */
int nc_layer_file_write(const struct nacre_store *store, int fd, const struct nc_offer_layer *layer, enum nc_codec codec, bool raw,
			struct nc_reader *blob, struct nc_layer_file *ret, struct nc_digest *ret_diff_id, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *taken = blob;
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *writer = NULL;
	struct nc_layer_file came, made = { .codec = codec };
	bool told = raw && (!layer->blob.alg || layer->blob.alg == NC_SHA256);
	int code = nc_writer_fd(fd, false, "blob", &writer, err);
	if (code >= 0 && !told)
		code = nc_hash_new(NC_SHA256, &hash, err);
	if (code >= 0 && !told)
		code = nc_writer_hashing(NC_GIVE(writer), hash, &made.size, &writer, err);
	if (code >= 0 && !raw)
		code = nc_writer_encoded(NC_GIVE(writer), codec, 0, &writer, err);
	if (code >= 0)
		code = nc_layer_stream(store, layer, raw, NC_GIVE(taken), writer, &came, ret_diff_id, err);
	if (code >= 0)
		code = nc_writer_finish(writer, err);
	if (code < 0)
		return code;
	if (told)
		made = (struct nc_layer_file){ came.digest, came.size, codec };
	else
		nc_hash_finish(hash, &made.digest);
	*ret = made;
	return 0;
}
