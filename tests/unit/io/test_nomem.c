/* Every allocation fails once: each function says so, gives nothing, and keeps nothing.
 *
 * Linked with --wrap for the functions of base/mem.h, so that the n-th call of any of them fails. */
#include "../unit.h"
#include "packers.h"
#include "scratch.h"
#include "streams.h"

#include <dirent.h>
#include <errno.h>

#include "base/buf.h"
#include "io/ahead.h"
#include "io/codec.h"
#include "io/decoder.h"
#include "io/fd.h"
#include "io/path.h"
#include "io/stage.h"

static int countdown;	/* the call that brings it to 0 fails; negative: none does */

static bool fails(void)
{
	return countdown > 0 && --countdown == 0;
}

#include "../nomem.h"

static int open_descriptors(void)
{
	int count = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* Runs fn with one allocation after the other failing, until all succeed. There have to be at least so many. */
static void each_failing(int (*fn)(struct scratch *scratch, struct nacre_error *err), struct scratch *scratch,
			 int least)
{
	int before = open_descriptors();
	for (int n = 1;; n++) {
		struct nacre_error err;
		memset(&err, 0, sizeof err);
		countdown = n;
		int code = fn(scratch, &err);
		bool failed = countdown == 0;
		countdown = 0;
		assert_int_equal(open_descriptors(), before);
		if (!failed) {
			assert_int_equal(code, 0);
			assert_true(n > least);
			return;
		}
		assert_int_equal(code, NACRE_E_NOMEM);
		assert_non_null(strstr(err.msg, "out of memory"));
	}
}

/* --- readers ---------------------------------------------------------------------------------------------------- */

static int run_readers(struct scratch *scratch, struct nacre_error *err)
{
	static struct nacre_progress progress;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	NC_AUTO_FREE char *got = NULL;
	struct nc_digest digest = { .alg = NC_SHA256 };
	struct nc_reader *inner;	/* belongs to whoever was given it, as soon as it was */
	int code = nc_hash_new(NC_SHA256, &hash, err);
	if (code == 0)
		code = nc_digest_of("hello", 5, &digest, err);
	if (code == 0)
		code = nc_reader_owned(strdup("hello"), 5, &inner, err);
	if (code == 0)
		code = nc_reader_hashing(inner, hash, NULL, &inner, err);
	if (code == 0)
		code = nc_reader_verified(inner, &digest, 5, &inner, err);
	if (code == 0)
		code = nc_reader_progress(inner, &progress, "", "", 5, &inner, err);
	if (code == 0)
		reader = inner;
	return code < 0 ? code : nc_reader_slurp(reader, 100, &got, NULL, err);
}

static int run_ahead(struct scratch *scratch, struct nacre_error *err)
{
	struct nc_reader *reader;
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	uint64_t count = 0;
	int code = nc_hash_new(NC_SHA256, &hash, err);
	if (code == 0)
		code = nc_reader_fd(open("/dev/null", O_RDONLY | O_CLOEXEC), true, "null", &reader, err);
	if (code == 0)
		code = nc_reader_ahead(reader, hash, &count, &reader, err);
	if (code < 0)
		return code;
	code = nc_reader_drain(reader, err);
	nc_reader_close(reader);
	return code;
}

static int run_file_readers(struct scratch *scratch, struct nacre_error *err)
{
	NC_CLEANUP(nc_reader_auto) struct nc_reader *a = NULL;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *b = NULL;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int code = nc_reader_fd(fd, true, "null", &a, err);
	return code < 0 ? code : nc_reader_file_range(scratch->fd, 0, 1, "range", &b, err);
}

static void readers(void **state)
{
	each_failing(run_readers, *state, 6);
	each_failing(run_file_readers, *state, 3);
	each_failing(run_ahead, *state, 4);
}

/* --- codecs ----------------------------------------------------------------------------------------------------- */

static struct bytes packed;

static int run_decoder(struct scratch *scratch, struct nacre_error *err)
{
	int closed = 0;
	struct nc_reader *reader = NULL;
	int code = nc_reader_decoded(choppy_new(packed.data, packed.len, 7, 0, &closed), NULL, &reader, err);
	if (code == 0) {
		code = nc_reader_drain(reader, err);
		assert_int_equal(closed, 0);
		nc_reader_close(reader);
	}
	assert_int_equal(closed, 1);
	return code;
}

static int run_zlib_decoder(struct scratch *scratch, struct nacre_error *err)
{
	int closed = 0;
	struct nc_reader *reader = NULL;
	int code = nc_reader_gunzip_zlib(choppy_new(packed.data, packed.len, 7, 0, &closed), &reader, err);
	if (code == 0)
		nc_reader_close(reader);
	assert_int_equal(closed, 1);
	return code;
}

static void decoders(void **state)
{
	struct bytes plain = make_plain(1000, 1);
	struct bytes (*const packs[])(struct bytes) = { pack_gzip, pack_zstd, pack_xz, pack_bzip2 };
	for (size_t i = 0; i < 4; i++) {
		packed = packs[i](plain);
		each_failing(run_decoder, *state, 3);
		if (i == 0)
			each_failing(run_zlib_decoder, *state, 3);
		free(packed.data);
	}
	free(plain.data);
}

static enum nc_codec codec;
static bool quick;

static int run_encoder(struct scratch *scratch, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(100000);
	struct nc_writer *writer;
	uint64_t count;
	int code = nc_writer_buf(&buf, &writer, err);
	if (code == 0)
		code = nc_writer_hashing(writer, NULL, &count, &writer, err);
	if (code == 0)
		code = quick ? nc_writer_gzip_quick(writer, &writer, err) : nc_writer_encoded(writer, codec, 0, &writer, err);
	if (code < 0)
		return code;
	code = nc_writer_write(writer, "hello", 5, err);
	if (code == 0)
		code = nc_writer_finish(writer, err);
	nc_writer_close(writer);
	return code;
}

static int sink(void *ctx, const void *bytes, size_t len)
{
	return 0;
}

static int run_writers(struct scratch *scratch, struct nacre_error *err)
{
	NC_CLEANUP(nc_writer_auto) struct nc_writer *a = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *b = NULL;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *c = NULL;
	int code = nc_writer_null(&a, err);
	if (code == 0)
		code = nc_writer_callback(sink, NULL, &b, err);
	if (code == 0)
		code = nc_writer_fd(open("/dev/null", O_WRONLY | O_CLOEXEC), true, "null", &c, err);
	return code;
}

static void writers(void **state)
{
	for (codec = NC_PLAIN; codec <= NC_ZSTD; codec++)
		each_failing(run_encoder, *state, codec == NC_PLAIN ? 3 : 4);
	quick = true;
	each_failing(run_encoder, *state, 4);
	each_failing(run_writers, *state, 4);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static int visit(void *ctx, const char *name, struct nacre_error *err)
{
	return 0;
}

static int run_files(struct scratch *scratch, struct nacre_error *err)
{
	NC_AUTO_FREE char *got = NULL;
	int code = nc_file_read(scratch->fd, "file", 100, &got, NULL, err);
	return code < 0 ? code : nc_dir_each_sorted(scratch->fd, 100, visit, NULL, err);
}

static int run_stage(struct scratch *scratch, struct nacre_error *err)
{
	struct nc_stage *stage;
	int code = nc_stage_new(scratch->fd, &stage, err);
	if (code == 0)
		nc_stage_free(stage);
	return code;
}

static int run_walk(struct scratch *scratch, struct nacre_error *err)
{
	int fd = nc_path_open(scratch->fd, "dir/link/file", O_RDONLY, NC_PATH_NO_OPENAT2);
	if (fd < 0)
		return fd == -ENOMEM ? nc_nomem(err) : nc_fail(err, NACRE_E_IO, -fd, "walk");
	close(fd);
	return 0;
}

static void files(void **state)
{
	struct scratch *scratch = *state;
	put_file(scratch->fd, "file", "hello");
	put_dir(scratch->fd, "dir");
	put_link(scratch->fd, "dir/link", "../dir");
	put_file(scratch->fd, "dir/file", "");
	each_failing(run_files, scratch, 4);
	each_failing(run_stage, scratch, 1);
	each_failing(run_walk, scratch, 3);
	assert_int_equal(nc_stage_sweep(scratch->fd, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(readers, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(decoders, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(writers, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(files, scratch_make, scratch_drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
