#include "../unit.h"
#include "scratch.h"
#include "streams.h"

#include "base/buf.h"
#include "io/fd.h"
#include "io/writer.h"

static void to_a_file(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	size_t len = 1600000, at = 0;
	char *bytes = malloc(len), *got;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 13 >> 3);
	for (int owned = 0; owned < 2; owned++) {
		int fd = openat(scratch->fd, "file", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		struct nc_writer *writer;
		assert_done(nc_writer_fd(fd, owned, "file", &writer, &err));
		static const size_t runs[] = { 1, 0, 262143, 1, 262144, 100, 262144, 262145, 70000, 300000, 65535, 65536, 3 };
		at = 0;
		for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
			assert_done(nc_writer_write(writer, bytes + at, runs[i], &err));
			at += runs[i];
		}
		assert_done(nc_writer_finish(writer, &err));
		assert_int_equal(fcntl(fd, F_GETFD), owned ? -1 : FD_CLOEXEC);
		nc_writer_close(writer);
		assert_int_equal(fcntl(fd, F_GETFD), owned ? -1 : FD_CLOEXEC);
		if (!owned)
			close(fd);
		size_t got_len;
		assert_done(nc_file_read(scratch->fd, "file", len, &got, &got_len, &err));
		assert_int_equal(got_len, at);
		assert_memory_equal(got, bytes, at);
		free(got);
	}
	free(bytes);
	nc_writer_close(NULL);
}

/* What was sent on its way early is the same file. */
static void early(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	size_t len = (size_t)21 << 20;
	char *bytes = malloc(len), *got;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 13 >> 3);
	int fd = openat(scratch->fd, "file", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct nc_writer *writer;
	assert_done(nc_writer_fd_early(fd, true, "file", &writer, &err));
	for (size_t at = 0, n = 1; at < len; at += n, n = n * 7 % 500000 + 1)
		assert_done(nc_writer_write(writer, bytes + at, n < len - at ? n : len - at, &err));
	assert_done(nc_writer_finish(writer, &err));
	nc_writer_close(writer);
	size_t got_len;
	assert_done(nc_file_read(scratch->fd, "file", len, &got, &got_len, &err));
	assert_int_equal(got_len, len);
	assert_memory_equal(got, bytes, len);
	free(got);
	free(bytes);

	/* a pipe has no way to the disk */
	int ends[2];
	char text[4];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_done(nc_writer_fd_early(ends[1], true, "pipe", &writer, &err));
	assert_done(nc_writer_write(writer, "abc", 3, &err));
	assert_done(nc_writer_finish(writer, &err));
	nc_writer_close(writer);
	assert_int_equal(read(ends[0], text, sizeof text), 3);
	close(ends[0]);
}

/* Closed without finish: what was held back is dropped, the descriptor is not. */
static void abandoned(void **state)
{
	struct scratch *scratch = *state;
	struct nacre_error err;
	int fd = openat(scratch->fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct nc_writer *writer;
	assert_done(nc_writer_fd(fd, true, "file", &writer, &err));
	assert_done(nc_writer_write(writer, "abc", 3, &err));
	nc_writer_close(writer);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	struct stat st;
	assert_int_equal(fstatat(scratch->fd, "file", &st, 0), 0);
	assert_int_equal(st.st_size, 0);
}

static void full_disk(void **state)
{
	struct nacre_error err;
	static char bytes[300000];
	for (size_t len = 1; len <= sizeof bytes; len += sizeof bytes - 1) {
		int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
		struct nc_writer *writer;
		assert_done(nc_writer_fd(fd, true, "out.tar", &writer, &err));
		int code = nc_writer_write(writer, bytes, len, &err);
		assert_int_equal(code, len == 1 ? 0 : NACRE_E_NOSPACE);
		assert_int_equal(nc_writer_finish(writer, &err), NACRE_E_NOSPACE);
		memset(&err, 0, sizeof err);
		assert_int_equal(nc_writer_write(writer, bytes, 1, &err), NACRE_E_NOSPACE);
		assert_string_equal(err.msg, "write 'out.tar': No space left on device");
		nc_writer_close(writer);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	}
}

static void to_a_buffer(void **state)
{
	struct nacre_error err;
	struct nc_buf buf = NC_BUF_INIT(5);
	struct nc_writer *writer;
	assert_done(nc_writer_buf(&buf, &writer, &err));
	assert_done(nc_writer_write(writer, "abc", 3, &err));
	assert_done(nc_writer_write(writer, NULL, 0, &err));
	assert_int_equal(nc_writer_write(writer, "def", 3, &err), NACRE_E_LIMIT);
	assert_int_equal(nc_writer_write(writer, "d", 1, &err), NACRE_E_LIMIT);	/* would fit, but it has failed */
	assert_string_equal(nc_buf_text(&buf), "abc");
	nc_writer_close(writer);
	nc_buf_release(&buf);
}

static void hashing(void **state)
{
	struct nacre_error err;
	struct nc_buf buf = NC_BUF_INIT(6);
	struct nc_writer *writer;
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	uint64_t count = 0;
	assert_done(nc_hash_new(NC_SHA256, &hash, &err));
	assert_done(nc_writer_buf(&buf, &writer, &err));
	assert_done(nc_writer_hashing(writer, hash, &count, &writer, &err));
	assert_done(nc_writer_hashing(writer, NULL, NULL, &writer, &err));
	assert_done(nc_writer_write(writer, "abc", 3, &err));
	assert_done(nc_writer_write(writer, "def", 3, &err));
	assert_int_equal(nc_writer_write(writer, "g", 1, &err), NACRE_E_LIMIT);
	assert_done(nc_writer_finish(writer, &err));
	nc_writer_close(writer);
	assert_int_equal(count, 6);	/* what was not written does not count */
	struct nc_digest got, want;
	nc_hash_finish(hash, &got);
	assert_done(nc_digest_of("abcdef", 6, &want, &err));
	assert_true(nc_digest_equal(&got, &want));
	nc_buf_release(&buf);
}

static int receive(void *ctx, const void *bytes, size_t len)
{
	size_t *left = ctx;
	if (len > *left)
		return -5;
	*left -= len;
	return 0;
}

static void callbacks(void **state)
{
	struct nacre_error err;
	struct nc_writer *writer;
	size_t left = 5;
	assert_done(nc_writer_callback(receive, &left, &writer, &err));
	assert_done(nc_writer_write(writer, "abc", 3, &err));
	assert_int_equal(nc_writer_write(writer, "def", 3, &err), NACRE_E_CANCELLED);
	assert_int_equal(nc_writer_write(writer, "d", 1, &err), NACRE_E_CANCELLED);	/* it is not called again */
	assert_int_equal(left, 2);
	nc_writer_close(writer);
}

static void copying(void **state)
{
	struct nacre_error err;
	struct nc_writer *writer;
	struct nc_buf buf = NC_BUF_INIT(100);
	uint64_t count = 0;
	assert_done(nc_writer_buf(&buf, &writer, &err));
	struct nc_reader *reader = choppy_new("hello world", 11, 4, 0, NULL);
	assert_done(nc_copy_stream(reader, writer, &count, &err));
	assert_int_equal(count, 11);
	assert_string_equal(nc_buf_text(&buf), "hello world");
	assert_done(nc_copy_stream(reader, writer, NULL, &err));
	nc_reader_close(reader);
	reader = choppy_new("hello", 5, 4, NACRE_E_REMOTE, NULL);
	assert_int_equal(nc_copy_stream(reader, writer, &count, &err), NACRE_E_REMOTE);
	assert_int_equal(count, 11);
	nc_reader_close(reader);
	nc_writer_close(writer);
	nc_buf_release(&buf);
	assert_done(nc_writer_null(&writer, &err));
	reader = choppy_new("hello", 5, 4, 0, NULL);
	assert_done(nc_copy_stream(reader, writer, &count, &err));
	assert_done(nc_writer_finish(writer, &err));
	nc_reader_close(reader);
	nc_writer_close(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(to_a_file, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(early, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(abandoned, scratch_make, scratch_drop),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(to_a_buffer),
		cmocka_unit_test(hashing),
		cmocka_unit_test(callbacks),
		cmocka_unit_test(copying),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
