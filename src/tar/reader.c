/* The event machine. Each state gives out one kind of bytes; header blocks are gathered (they may straddle the blocks
 * of upstream), everything else is lent from upstream as it comes.
 *
 *	HEADER --L, K, x, g--> EXTENSION --> HEADER            (g: --> ENTRY --> HEADER)
 *	HEADER --member--> [GNU_BLOCK… | MAP…] --> ENTRY --> [CONTENT | RUNS | FOREIGN] --> PADDING --> HEADER
 *	HEADER --zero block--> TAIL --> END */
#include "tar/reader.h"

#include "base/buf.h"
#include "tar/member.h"
#include "tar/sparse.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum state { HEADER, EXTENSION, GNU_BLOCK, MAP, ENTRY, CONTENT, RUNS, FOREIGN, PADDING, TAIL, END };

struct nc_tar {
	struct nc_reader *upstream;
	const unsigned char *lent;	/* what is left of upstream's last block */
	size_t lent_len;
	bool ended;			/* upstream has no more */

	enum state state;
	uint64_t offset;		/* bytes given out */
	uint64_t header_at;		/* offset of the header block that is being worked on */
	uint64_t remaining;		/* payload bytes still to come, padding not counted */
	unsigned padding;		/* bytes behind the payload, up to the next block */

	struct nc_member_source source;
	struct nc_buf global;		/* records of a g header while they come */
	size_t chain;			/* bytes of extension headers since the last member */
	enum nc_payload payload;
	struct nc_sparse map;
	struct nc_sparse_lines lines;
	uint64_t sparse_size;
	size_t map_bytes;
	size_t run;			/* the run that data belongs to */
	uint64_t at;			/* offset of the next data byte: in the file, or (RUNS) in the run */
	unsigned char map_block[NC_TAR_BLOCK];
	struct nc_member member;

	struct nacre_error failure;	/* code 0: none so far */
};

int nc_tar_new(struct nc_reader *upstream, struct nc_tar **ret, struct nacre_error *err)
{
	struct nc_tar *tar = nc_zalloc(sizeof *tar);
	if (!tar)
		return nc_nomem(err);
	tar->upstream = upstream;
	tar->state = HEADER;
	tar->global = (struct nc_buf)NC_BUF_INIT(NC_TAR_HEADER_MAX);
	nc_member_source_init(&tar->source);
	nc_member_init(&tar->member);
	*ret = tar;
	return 0;
}

void nc_tar_free(struct nc_tar *tar)
{
	if (!tar)
		return;
	nc_member_source_release(&tar->source);
	nc_member_release(&tar->member);
	nc_sparse_release(&tar->map);
	nc_buf_release(&tar->global);
	free(tar);
}

uint64_t nc_tar_offset(const struct nc_tar *tar)
{
	return tar->offset;
}

/* Makes sure that something of upstream is at hand. Returns 1, or 0 at its end. */
static int fill(struct nc_tar *tar, struct nacre_error *err)
{
	if (tar->lent_len)
		return 1;
	if (tar->ended)
		return 0;
	const void *bytes;
	ssize_t n = nc_reader_next(tar->upstream, &bytes, err);
	if (n < 0)
		return (int)n;
	if (n == 0) {
		tar->ended = true;
		return 0;
	}
	tar->lent = bytes;
	tar->lent_len = (size_t)n;
	return 1;
}

/* Copies a whole block out of upstream; *ret_len is less only at the end of the archive. */
static int gather(struct nc_tar *tar, unsigned char block[NC_TAR_BLOCK], size_t *ret_len, struct nacre_error *err)
{
	size_t len = 0;
	while (len < NC_TAR_BLOCK) {
		int more = fill(tar, err);
		if (more < 0)
			return more;
		if (more == 0)
			break;
		size_t n = tar->lent_len < NC_TAR_BLOCK - len ? tar->lent_len : NC_TAR_BLOCK - len;
		memcpy(block + len, tar->lent, n);
		tar->lent += n;
		tar->lent_len -= n;
		len += n;
	}
	*ret_len = len;
	return 0;
}

/* Lends up to max bytes of upstream; at its end *ret_len is 0. */
static int lend(struct nc_tar *tar, uint64_t max, const unsigned char **ret, size_t *ret_len, struct nacre_error *err)
{
	int more = fill(tar, err);
	if (more <= 0) {
		*ret_len = 0;
		return more;
	}
	size_t n = tar->lent_len < max ? tar->lent_len : (size_t)max;
	*ret = tar->lent;
	*ret_len = n;
	tar->lent += n;
	tar->lent_len -= n;
	return 0;
}

static int framing(struct nc_tar_item *ret, const void *bytes, size_t len)
{
	*ret = (struct nc_tar_item){ .bytes = bytes, .len = len };
	return NC_TAR_FRAMING;
}

static int in_header(const struct nc_tar *tar, int code, struct nacre_error *err)
{
	return nc_wrap(err, code, "tar header at byte %" PRIu64, tar->header_at);
}

static int bad_header(const struct nc_tar *tar, const char *what, struct nacre_error *err)
{
	return in_header(tar, nc_fail(err, NACRE_E_BADDATA, 0, "%s", what), err);
}

static unsigned padding_of(uint64_t size)
{
	return (unsigned)(-size & (NC_TAR_BLOCK - 1));
}

/* --- headers ------------------------------------------------------------------------------------------------- */

static struct nc_buf *extension_buf(struct nc_tar *tar)
{
	switch (tar->source.header.flag) {
	case 'L':
		return &tar->source.name;
	case 'K':
		return &tar->source.link;
	case 'x':
	case 'X':	/* Solaris' first pax headers */
		return &tar->source.text;
	case NC_ENTRY_META:
		return &tar->global;
	default:
		return NULL;
	}
}

static int begin_extension(struct nc_tar *tar, struct nc_buf *buf, struct nacre_error *err)
{
	uint64_t size = tar->source.header.size;
	if (tar->source.header.flag == NC_ENTRY_META && tar->chain)
		return bad_header(tar, "a global header between a member and its extension headers", err);
	if (size > NC_TAR_HEADER_MAX || tar->chain + NC_TAR_BLOCK + size > NC_TAR_HEADER_MAX)
		return in_header(tar, nc_fail(err, NACRE_E_LIMIT, 0, "more than %u bytes of extension headers",
					      NC_TAR_HEADER_MAX), err);
	if (tar->source.header.flag != NC_ENTRY_META)
		tar->chain += NC_TAR_BLOCK + (size_t)size;
	nc_buf_clear(buf);
	tar->remaining = size;
	tar->padding = padding_of(size);
	tar->state = EXTENSION;
	return 0;
}

static int end_extension(struct nc_tar *tar, struct nacre_error *err)
{
	struct nc_member_source *source = &tar->source;
	int code = 0;
	tar->state = HEADER;
	switch (source->header.flag) {
	case 'L':
		source->has_name = true;
		break;
	case 'K':
		source->has_link = true;
		break;
	case NC_ENTRY_META:
		code = nc_pax_global_add(&source->global, nc_buf_text(&tar->global), tar->global.len, err);
		tar->payload = NC_PAYLOAD_NONE;
		tar->state = ENTRY;
		break;
	default:
		/* Of several headers in a row the last alone counts, as in Go, whose programs wrote the layers. */
		nc_pax_clear(&source->pax);
		source->has_pax = true;
		code = nc_pax_parse(&source->pax, nc_buf_text(&source->text), source->text.len, err);
		break;
	}
	return code < 0 ? in_header(tar, code, err) : 0;
}

static int extension_step(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	if (tar->remaining + tar->padding == 0)
		return end_extension(tar, err);
	const unsigned char *bytes;
	size_t len;
	int code = lend(tar, tar->remaining + tar->padding, &bytes, &len, err);
	if (code < 0)
		return code;
	if (len == 0) {
		if (tar->remaining)
			return bad_header(tar, "the archive ends within an extension header", err);
		tar->padding = 0;
		return 0;
	}
	size_t data = len < tar->remaining ? len : (size_t)tar->remaining;
	code = nc_buf_add(extension_buf(tar), bytes, data, err);
	if (code < 0)
		return in_header(tar, code, err);
	tar->remaining -= data;
	tar->padding -= (unsigned)(len - data);
	return framing(ret, bytes, len);
}

static int begin_member(struct nc_tar *tar, struct nacre_error *err)
{
	uint64_t size;
	int code = nc_member_payload(&tar->source, &tar->payload, &size, err);
	if (code < 0)
		return in_header(tar, code, err);
	tar->remaining = size;
	tar->padding = padding_of(size);
	tar->state = ENTRY;
	tar->map_bytes = 0;
	nc_sparse_clear(&tar->map);
	switch (tar->payload) {
	case NC_PAYLOAD_GNU_SPARSE:
		code = nc_sparse_gnu_header(&tar->map, tar->source.block, &tar->sparse_size, err);
		if (code < 0)
			return in_header(tar, code, err);
		if (code > 0)
			tar->state = GNU_BLOCK;
		break;
	case NC_PAYLOAD_PAX_SPARSE: {
		struct nc_sparse map = tar->map;
		tar->map = tar->source.pax.map;
		tar->source.pax.map = map;
		tar->sparse_size = tar->source.pax.sparse_size;
		break;
	}
	case NC_PAYLOAD_MAPPED:
		tar->sparse_size = tar->source.pax.sparse_size;
		tar->lines = (struct nc_sparse_lines){ 0 };
		tar->state = MAP;
		break;
	case NC_PAYLOAD_CONTENT:
	case NC_PAYLOAD_FOREIGN:
	case NC_PAYLOAD_NONE:
		break;
	}
	return 0;
}

/* The first zero block ends the archive, whether a second one follows or not: what stands behind is carried along. */
static int end_of_archive(struct nc_tar *tar, struct nacre_error *err)
{
	if (tar->chain)
		return bad_header(tar, "the archive ends after an extension header", err);
	tar->state = TAIL;
	return 0;
}

static int header_step(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	unsigned char *block = tar->source.block;
	size_t len;
	tar->header_at = tar->offset;
	int code = gather(tar, block, &len, err);
	if (code < 0)
		return code;
	if (nc_tar_block_is_zero(block, len)) {
		code = end_of_archive(tar, err);
		return code < 0 || len == 0 ? code : framing(ret, block, len);
	}
	if (len < NC_TAR_BLOCK)
		return tar->offset == 0 ? nc_fail(err, NACRE_E_BADDATA, 0, "not a tar archive")
					: bad_header(tar, "the archive ends within it", err);
	code = nc_tar_header_decode(block, &tar->source.header, err);
	if (code < 0)
		return tar->offset == 0 ? nc_wrap(err, code, "not a tar archive") : in_header(tar, code, err);
	struct nc_buf *buf = extension_buf(tar);
	code = buf ? begin_extension(tar, buf, err) : begin_member(tar, err);
	return code < 0 ? code : framing(ret, block, NC_TAR_BLOCK);
}

/* --- sparse maps --------------------------------------------------------------------------------------------- */

/* A block of the map, given out as framing. */
static int map_block(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	size_t len;
	int code = gather(tar, tar->map_block, &len, err);
	if (code < 0)
		return code;
	if (len < NC_TAR_BLOCK)
		return bad_header(tar, "the archive ends within the sparse map", err);
	tar->map_bytes += NC_TAR_BLOCK;
	if (tar->map_bytes > NC_TAR_HEADER_MAX)
		return in_header(tar, nc_fail(err, NACRE_E_LIMIT, 0, "a sparse map of more than %u bytes",
					      NC_TAR_HEADER_MAX), err);
	return framing(ret, tar->map_block, NC_TAR_BLOCK);
}

static int gnu_block_step(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	int event = map_block(tar, ret, err);
	if (event < 0)
		return event;
	int more = nc_sparse_gnu_block(&tar->map, tar->map_block, err);
	if (more < 0)
		return in_header(tar, more, err);
	if (!more)
		tar->state = ENTRY;
	return event;
}

static int map_step(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	if (tar->remaining < NC_TAR_BLOCK)
		return bad_header(tar, "the sparse map is longer than the payload", err);
	int event = map_block(tar, ret, err);
	if (event < 0)
		return event;
	tar->remaining -= NC_TAR_BLOCK;
	int complete = nc_sparse_lines_add(&tar->lines, &tar->map, tar->map_block, NC_TAR_BLOCK, err);
	if (complete < 0)
		return in_header(tar, complete, err);
	if (complete)
		tar->state = ENTRY;
	return event;
}

/* --- members ------------------------------------------------------------------------------------------------- */

static int entry_step(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	struct nc_entry *entry = &tar->member.entry;
	int code = nc_member_build(&tar->member, &tar->source, err);
	if (code < 0)
		return in_header(tar, code, err);
	switch (tar->payload) {
	case NC_PAYLOAD_CONTENT:
		entry->size = entry->stored = tar->remaining;
		tar->state = CONTENT;
		break;
	case NC_PAYLOAD_GNU_SPARSE:
	case NC_PAYLOAD_PAX_SPARSE:
	case NC_PAYLOAD_MAPPED:
		code = nc_sparse_check(&tar->map, tar->sparse_size, tar->remaining, err);
		if (code < 0)
			return in_header(tar, nc_wrap(err, code, "'%.200s'", entry->name), err);
		entry->size = tar->sparse_size;
		entry->stored = tar->remaining;
		entry->sparse = true;
		tar->run = 0;
		tar->state = RUNS;
		break;
	case NC_PAYLOAD_FOREIGN:
		tar->state = FOREIGN;
		break;
	case NC_PAYLOAD_NONE:
		tar->state = HEADER;
		break;
	}
	tar->at = 0;
	tar->chain = 0;
	nc_member_source_reset(&tar->source);
	*ret = (struct nc_tar_item){ .entry = entry, .in_place = tar->payload == NC_PAYLOAD_CONTENT };
	return NC_TAR_ENTRY;
}

static int take_payload(struct nc_tar *tar, uint64_t max, const unsigned char **ret, size_t *ret_len,
			struct nacre_error *err)
{
	int code = lend(tar, max, ret, ret_len, err);
	if (code < 0)
		return code;
	if (*ret_len == 0)
		return nc_fail(err, NACRE_E_BADDATA, 0,
			       "the archive ends within the content of '%.200s' (%" PRIu64 " bytes are missing)",
			       tar->member.entry.name, tar->remaining);
	tar->remaining -= *ret_len;
	return 0;
}

static int content_step(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	const unsigned char *bytes;
	size_t len;
	if (tar->remaining == 0) {
		tar->state = PADDING;
		return 0;
	}
	int code = take_payload(tar, tar->remaining, &bytes, &len, err);
	if (code < 0)
		return code;
	*ret = (struct nc_tar_item){ .bytes = bytes, .len = len, .at = tar->at };
	tar->at += len;
	return NC_TAR_DATA;
}

static int runs_step(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	const unsigned char *bytes;
	size_t len;
	while (tar->run < tar->map.count && tar->at == tar->map.extents[tar->run].length) {
		tar->run++;
		tar->at = 0;
	}
	if (tar->run == tar->map.count) {
		tar->state = PADDING;
		return 0;
	}
	const struct nc_extent *run = &tar->map.extents[tar->run];
	int code = take_payload(tar, run->length - tar->at, &bytes, &len, err);
	if (code < 0)
		return code;
	*ret = (struct nc_tar_item){ .bytes = bytes, .len = len, .at = run->offset + tar->at };
	tar->at += len;
	return NC_TAR_DATA;
}

static int foreign_step(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	const unsigned char *bytes;
	size_t len;
	if (tar->remaining == 0) {
		tar->state = PADDING;
		return 0;
	}
	int code = take_payload(tar, tar->remaining, &bytes, &len, err);
	return code < 0 ? code : framing(ret, bytes, len);
}

/* An archive may end without the padding of its last member. */
static int padding_step(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	const unsigned char *bytes;
	size_t len = 0;
	if (tar->padding) {
		int code = lend(tar, tar->padding, &bytes, &len, err);
		if (code < 0)
			return code;
	}
	if (len == 0) {
		tar->state = HEADER;
		return 0;
	}
	tar->padding -= (unsigned)len;
	return framing(ret, bytes, len);
}

static int tail_step(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	const unsigned char *bytes;
	size_t len;
	int code = lend(tar, UINT64_MAX, &bytes, &len, err);
	if (code < 0)
		return code;
	if (len == 0) {
		tar->state = END;
		return 0;
	}
	return framing(ret, bytes, len);
}

/* An event (never END), 0 when only the state changed, or a negative code. */
static int step(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	switch (tar->state) {
	case HEADER:
		return header_step(tar, ret, err);
	case EXTENSION:
		return extension_step(tar, ret, err);
	case GNU_BLOCK:
		return gnu_block_step(tar, ret, err);
	case MAP:
		return map_step(tar, ret, err);
	case ENTRY:
		return entry_step(tar, ret, err);
	case CONTENT:
		return content_step(tar, ret, err);
	case RUNS:
		return runs_step(tar, ret, err);
	case FOREIGN:
		return foreign_step(tar, ret, err);
	case PADDING:
		return padding_step(tar, ret, err);
	case TAIL:
		return tail_step(tar, ret, err);
	case END:
		break;
	}
	return 0;
}

int nc_tar_next(struct nc_tar *tar, struct nc_tar_item *ret, struct nacre_error *err)
{
	if (tar->failure.code) {
		if (err)
			*err = tar->failure;
		return tar->failure.code;
	}
	struct nc_tar_item item = { 0 };
	int event = 0;
	while (event == 0 && tar->state != END)
		event = step(tar, &item, &tar->failure);
	if (event < 0) {
		tar->failure.code = event;
		if (err)
			*err = tar->failure;
		return event;
	}
	tar->failure.code = 0;
	tar->offset += item.len;
	*ret = item;
	return event;
}
