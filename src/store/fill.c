#include "store/fill.h"

#include "io/aside.h"
#include "io/writeback.h"

#include <inttypes.h>

/* Bytes of a layer's plain tar, and its members. */
#define FLAT_MAX ((uint64_t)1 << 40)
#define MEMBERS_MAX ((uint64_t)1 << 26)

struct fill {
	struct nc_tree *tree;
	struct nc_record *record;
	struct nc_syncer *syncer;
	uint64_t members;
	bool in_tree;			/* the driver sees the last member */
	bool waits;			/* its content lies in memory until a sync */
};

static int take_entry(struct fill *fill, const struct nc_tar_item *item, struct nacre_error *err)
{
	const struct nc_entry *entry = item->entry;
	if (fill->members++ >= MEMBERS_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %" PRIu64 " members", MEMBERS_MAX);
	if (fill->record)
		nc_record_before(fill->record);
	fill->in_tree = entry->type != NC_ENTRY_META;
	fill->waits = entry->size < NC_EARLY_BYTES;
	int put = fill->in_tree ? nc_tree_entry(fill->tree, entry, err) : NC_PUT_DONE;
	if (put < 0)
		return nc_wrap(err, put, "'%s'", entry->name);
	bool by_name = put == NC_PUT_BY_NAME && item->in_place;
	return fill->record ? nc_record_member(fill->record, entry, by_name, err) : 0;
}

static int take_framing(struct fill *fill, const struct nc_tar_item *item, struct nacre_error *err)
{
	int code = nc_tree_framing(fill->tree, item->bytes, item->len, err);
	return code < 0 || !fill->record ? code : nc_record_framing(fill->record, item->bytes, item->len, err);
}

static int take_data(struct fill *fill, const struct nc_tar_item *item, struct nacre_error *err)
{
	if (!fill->in_tree)
		return take_framing(fill, item, err);
	int code = nc_tree_data(fill->tree, item->bytes, item->len, item->at, err);
	if (fill->waits)
		nc_syncer_wrote(fill->syncer, item->len);
	return code < 0 || !fill->record ? code : nc_record_content(fill->record, item->bytes, item->len, err);
}

static int take_all(struct fill *fill, struct nc_tar *tar, struct nacre_error *err)
{
	struct nc_tar_item item;
	int code = 0;
	while (code == 0) {
		if (nc_aside_unwanted())
			return nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
		int event = nc_tar_next(tar, &item, err);
		if (event <= 0)		/* NC_TAR_END is 0 */
			return event;
		if (event == NC_TAR_ENTRY)
			code = take_entry(fill, &item, err);
		else if (event == NC_TAR_DATA)
			code = take_data(fill, &item, err);
		else
			code = take_framing(fill, &item, err);
		if (code == 0 && nc_tar_offset(tar) > FLAT_MAX)
			code = nc_fail(err, NACRE_E_LIMIT, 0, "more than %" PRIu64 " bytes uncompressed", FLAT_MAX);
	}
	return code;
}

int nc_fill_tree(struct nc_reader *flat, struct nc_tree *tree, struct nc_record *record, struct nc_syncer *syncer,
		 struct nacre_error *err)
{
	NC_CLEANUP(nc_tar_auto) struct nc_tar *tar = NULL;
	struct fill fill = { .tree = tree, .record = record, .syncer = syncer };
	int code = nc_tar_new(flat, &tar, err);
	if (code == 0)
		code = take_all(&fill, tar, err);
	return code < 0 || !record ? code : nc_record_finish(record, err);
}
