/* Records of tar-split: whatever comes is read or refused, and a record that was read says the same when it was
 * rewritten. */
#include "base/buf.h"
#include "io/reader.h"
#include "io/writer.h"
#include "tar/split.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static int keep(void *ctx, const struct nc_split_record *file, struct nc_reader **ret_bytes, struct nacre_error *err)
{
	must(strlen(file->name) == file->name_len);
	return 0;
}

/* Returns 0, or how reading failed. */
static int rewrite(const void *bytes, size_t len, struct nc_buf *ret)
{
	struct nc_reader *record = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	must(nc_writer_buf(ret, &out, NULL) == 0 && nc_reader_memory(bytes, len, &record, NULL) == 0);
	return nc_split_rewrite(record, out, keep, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	NC_AUTO_BUF struct nc_buf once = NC_BUF_INIT(SIZE_MAX / 2), twice = NC_BUF_INIT(SIZE_MAX / 2);
	if (rewrite(bytes, len, &once) < 0)
		return 0;
	must(rewrite(nc_buf_text(&once), once.len, &twice) == 0);
	must(once.len == twice.len && (once.len == 0 || memcmp(once.data, twice.data, once.len) == 0));
	return 0;
}
