#include "tar/split_record.h"

/* Bytes that stand in for a file become framing. */
static int copy_framing(struct nc_split *split, struct nc_reader *bytes, struct nacre_error *err)
{
	const void *block;
	ssize_t n;
	int code = 0;
	while (code == 0 && (n = nc_reader_next(bytes, &block, err)) != 0)
		code = n < 0 ? (int)n : nc_split_framing(split, block, (size_t)n, err);
	return code;
}

static int rewrite_file(struct nc_split *split, const struct nc_split_record *file,
			int (*replaced)(void *ctx, const struct nc_split_record *file, struct nc_reader **ret_bytes,
					struct nacre_error *err),
			void *ctx, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *bytes = NULL;
	int code = replaced(ctx, file, &bytes, err);
	if (code == 0)
		return nc_split_file(split, file->name, file->name_len, file->size, file->crc, err);
	return code < 0 || !bytes ? code : copy_framing(split, bytes, err);
}

int nc_split_rewrite(struct nc_reader *record, struct nc_writer *out,
		     int (*replaced)(void *ctx, const struct nc_split_record *file, struct nc_reader **ret_bytes,
				     struct nacre_error *err),
		     void *ctx, struct nacre_error *err)
{
	NC_CLEANUP(nc_split_reader_auto) struct nc_split_reader *reader = NULL;
	NC_CLEANUP(nc_split_auto) struct nc_split *split = NULL;
	int code = nc_split_reader_new(record, &reader, err);
	if (code == 0)
		code = nc_split_new(out, &split, err);
	if (code < 0)
		return code;
	struct nc_split_record item;
	int kind;
	while ((kind = nc_split_reader_next(reader, &item, err)) > 0) {
		if (kind == NC_SPLIT_SEGMENT)
			code = nc_split_framing(split, item.bytes, item.len, err);
		else
			code = rewrite_file(split, &item, replaced, ctx, err);
		if (code < 0)
			return code;
	}
	return kind < 0 ? kind : nc_split_finish(split, err);
}
