#include "../unit.h"
#include "streams.h"

#include <signal.h>
#include <sys/time.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int make_file(size_t len, unsigned char **ret_bytes)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	assert_true(fd >= 0);
	unsigned char *bytes = malloc(len ? len : 1);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(i * 7 ^ i >> 9);
	assert_int_equal(write(fd, bytes, len), len);
	*ret_bytes = bytes;
	return fd;
}

static void slurp_equals(struct nc_reader *reader, const void *bytes, size_t len)
{
	struct nacre_error err;
	char *got;
	size_t got_len;
	assert_done(nc_reader_slurp(reader, len, &got, &got_len, &err));
	assert_int_equal(got_len, len);
	assert_memory_equal(got, bytes, len);
	assert_int_equal(got[len], 0);
	free(got);
	const void *block;
	assert_int_equal(nc_reader_next(reader, &block, &err), 0);
	assert_int_equal(nc_reader_next(reader, &block, &err), 0);
	nc_reader_close(reader);
}

static void file_ranges(void **state)
{
	struct nacre_error err;
	unsigned char *bytes;
	size_t len = 1000003;
	int fd = make_file(len, &bytes);
	static const size_t ranges[][2] = { { 0, 1000003 }, { 1, 262144 }, { 5, 0 }, { 1000002, 1 }, { 1000003, 0 },
					    { 7, 262145 }, { 0, 262143 } };
	lseek(fd, 17, SEEK_SET);
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		struct nc_reader *reader;
		assert_done(nc_reader_file_range(fd, ranges[i][0], ranges[i][1], "data", &reader, &err));
		slurp_equals(reader, bytes + ranges[i][0], ranges[i][1]);
	}
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 17);
	free(bytes);
	close(fd);
}

static void file_too_short(void **state)
{
	struct nacre_error err;
	unsigned char *bytes;
	int fd = make_file(300000, &bytes);
	struct nc_reader *reader;
	assert_done(nc_reader_file_range(fd, 1, 300000, "layer.tar", &reader, &err));
	assert_int_equal(nc_reader_drain(reader, &err), NACRE_E_BADDATA);
	assert_string_equal(err.msg, "'layer.tar' ends after 299999 of 300000 bytes");
	memset(&err, 0, sizeof err);
	const void *block;
	assert_int_equal(nc_reader_next(reader, &block, &err), NACRE_E_BADDATA);
	assert_string_equal(err.msg, "'layer.tar' ends after 299999 of 300000 bytes");
	nc_reader_close(reader);
	assert_int_equal(nc_reader_file_range(fd, 1, UINT64_MAX, "x", &reader, &err), NACRE_E_BADDATA);
	free(bytes);
	close(fd);
	assert_done(nc_reader_file_range(fd, 0, 1, "closed", &reader, &err));
	assert_int_equal(nc_reader_drain(reader, &err), NACRE_E_IO);
	assert_string_equal(err.msg, "read 'closed': Bad file descriptor");
	nc_reader_close(reader);
}

static void descriptors(void **state)
{
	struct nacre_error err;
	unsigned char *bytes;
	struct nc_reader *reader;
	int fd = make_file(700001, &bytes);
	lseek(fd, 1, SEEK_SET);
	assert_done(nc_reader_fd(fd, true, "file", &reader, &err));
	slurp_equals(reader, bytes + 1, 700000);
	free(bytes);
	assert_int_equal(fcntl(fd, F_GETFD), -1);

	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	if (fork() == 0) {
		usleep(1000);	/* let the reader find the pipe empty */
		ssize_t n = write(ends[1], "hello ", 6);
		usleep(1000);
		n += write(ends[1], "pipe", 4);
		_exit(n != 10);
	}
	close(ends[1]);
	assert_done(nc_reader_fd(ends[0], false, "pipe", &reader, &err));
	slurp_equals(reader, "hello pipe", 10);
	assert_int_equal(close(ends[0]), 0);
}

static volatile int cancelled;

static void on_alarm(int signal)
{
	(void)signal;
	cancelled = 1;
}

/* A pipe whose other end says nothing. */
static void watched(void **state)
{
	struct nacre_error err;
	struct nc_reader *reader;
	struct itimerval soon = { .it_value.tv_usec = 1000 };
	const void *block;
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "first", 5), 5);
	assert_done(nc_reader_fd_watched(ends[0], true, "pipe", &cancelled, &reader, &err));
	assert_int_equal(nc_reader_next(reader, &block, &err), 5);
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(nc_reader_next(reader, &block, &err), NACRE_E_CANCELLED);
	assert_int_equal(nc_reader_next(reader, &block, &err), NACRE_E_CANCELLED);
	signal(SIGALRM, SIG_DFL);
	nc_reader_close(reader);
	close(ends[1]);
}

static void memory(void **state)
{
	struct nacre_error err;
	struct nc_reader *reader;
	assert_done(nc_reader_memory("abc", 3, &reader, &err));
	slurp_equals(reader, "abc", 3);
	assert_done(nc_reader_memory(NULL, 0, &reader, &err));
	slurp_equals(reader, "", 0);
	assert_done(nc_reader_owned(strdup("abcd"), 4, &reader, &err));
	slurp_equals(reader, "abcd", 4);
	assert_done(nc_reader_owned(strdup("abcd"), 4, &reader, &err));
	nc_reader_close(reader);
	nc_reader_close(NULL);
}

static void slurp_has_a_limit(void **state)
{
	struct nacre_error err;
	char *got = NULL;
	struct nc_reader *reader = choppy_new("abcdef", 6, 2, 0, NULL);
	assert_int_equal(nc_reader_slurp(reader, 5, &got, NULL, &err), NACRE_E_LIMIT);
	assert_null(got);
	nc_reader_close(reader);
	reader = choppy_new("abcdef", 6, 2, NACRE_E_REMOTE, NULL);
	assert_int_equal(nc_reader_slurp(reader, 100, &got, NULL, &err), NACRE_E_REMOTE);
	assert_null(got);
	nc_reader_close(reader);
}

static void hashing(void **state)
{
	struct nacre_error err;
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	assert_done(nc_hash_new(NC_SHA256, &hash, &err));
	uint64_t count = 0;
	int closed = 0;
	struct nc_reader *reader = choppy_new("hello world", 11, 3, 0, &closed);
	assert_done(nc_reader_hashing(reader, hash, &count, &reader, &err));
	assert_done(nc_reader_hashing(reader, NULL, NULL, &reader, &err));
	slurp_equals(reader, "hello world", 11);
	assert_int_equal(closed, 1);
	assert_int_equal(count, 11);
	struct nc_digest got, want;
	nc_hash_finish(hash, &got);
	assert_done(nc_digest_of("hello world", 11, &want, &err));
	assert_true(nc_digest_equal(&got, &want));
}

static void verified(void **state)
{
	struct nacre_error err;
	struct nc_digest right, wrong;
	assert_done(nc_digest_of("hello", 5, &right, &err));
	assert_done(nc_digest_of("hellO", 5, &wrong, &err));
	static const char mismatch[] =
		"digest mismatch: expected sha256:"
		"04a6f55face2f46be8c23f627d539827615851e10751b63ec59db6d2c706b770, got sha256:"
		"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
	const struct {
		const struct nc_digest *digest;
		uint64_t size;
		int code;
		const char *msg;
	} cases[] = {
		{ &right, 5, 0, NULL },
		{ &right, UINT64_MAX, 0, NULL },
		{ NULL, 5, 0, NULL },
		{ NULL, UINT64_MAX, 0, NULL },
		{ &right, 6, NACRE_E_BADDATA, "ends after 5 of 6 bytes" },
		{ &wrong, 6, NACRE_E_BADDATA, "ends after 5 of 6 bytes" },
		{ &right, 4, NACRE_E_BADDATA, "1 bytes more than the expected 4" },
		{ NULL, 0, NACRE_E_BADDATA, "1 bytes more than the expected 0" },
		{ &wrong, 5, NACRE_E_DIGEST, mismatch },
		{ &wrong, UINT64_MAX, NACRE_E_DIGEST, mismatch },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int closed = 0;
		struct nc_reader *reader = choppy_new("hello", 5, 1, 0, &closed);
		assert_done(nc_reader_verified(reader, cases[i].digest, cases[i].size, &reader, &err));
		for (int again = 0; again < 2; again++) {
			memset(&err, 0, sizeof err);
			int code = nc_reader_drain(reader, &err);
			assert_int_equal(code, cases[i].code);
			if (code)
				assert_string_equal(err.msg, cases[i].msg);
		}
		nc_reader_close(reader);
		assert_int_equal(closed, 1);
	}
	struct nc_digest odd = { .alg = 77 };
	int closed = 0;
	struct nc_reader *reader = choppy_new("hello", 5, 1, 0, &closed);
	assert_int_equal(nc_reader_verified(reader, &odd, 5, &reader, &err), NACRE_E_INVALID);
	assert_int_equal(closed, 1);
}

struct told {
	unsigned events;
	uint64_t last, total;
	int *cancel;
};

static void tell(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current,
		 uint64_t total)
{
	struct told *told = ctx;
	assert_int_equal(event, NACRE_EVENT_BYTES);
	assert_string_equal(id, "sha256:0");
	assert_string_equal(what, "loading layer");
	assert_true(current > told->last);
	told->events++;
	told->last = current;
	told->total = total;
	if (told->cancel)
		*told->cancel = 1;
}

static void progress(void **state)
{
	struct nacre_error err;
	unsigned char *bytes;
	size_t len = 3 * 1024 * 1024 + 5;
	int fd = make_file(len, &bytes);
	struct told told = { 0 };
	volatile int cancel = 0;
	struct nacre_progress progress = { .event = tell, .ctx = &told, .cancel = &cancel };
	struct nc_reader *reader;
	assert_done(nc_reader_file_range(fd, 0, len, "x", &reader, &err));
	assert_done(nc_reader_progress(reader, &progress, "sha256:0", "loading layer", len, &reader, &err));
	slurp_equals(reader, bytes, len);
	assert_int_equal(told.events, 4);
	assert_int_equal(told.last, len);
	assert_int_equal(told.total, len);

	told = (struct told){ .cancel = (int *)&cancel };
	assert_done(nc_reader_file_range(fd, 0, len, "x", &reader, &err));
	assert_done(nc_reader_progress(reader, &progress, "sha256:0", "loading layer", len, &reader, &err));
	assert_int_equal(nc_reader_drain(reader, &err), NACRE_E_CANCELLED);
	assert_int_equal(told.events, 1);
	cancel = 0;
	assert_int_equal(nc_reader_drain(reader, &err), NACRE_E_CANCELLED);
	nc_reader_close(reader);

	struct nacre_progress silent = { 0 };
	reader = choppy_new("abc", 3, 1, 0, NULL);
	assert_done(nc_reader_progress(reader, &silent, "", "", 0, &reader, &err));
	struct nc_reader *same = reader;
	assert_done(nc_reader_progress(reader, NULL, "", "", 0, &reader, &err));
	assert_ptr_equal(reader, same);
	slurp_equals(reader, "abc", 3);
	free(bytes);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_ranges),
		cmocka_unit_test(file_too_short),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(watched),
		cmocka_unit_test(memory),
		cmocka_unit_test(slurp_has_a_limit),
		cmocka_unit_test(hashing),
		cmocka_unit_test(verified),
		cmocka_unit_test(progress),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
