#include "../threads.h"
#include "../unit.h"
#include "streams.h"

#include "base/buf.h"
#include "io/ahead.h"
#include "io/aside.h"
#include "io/codec.h"
#include "io/writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define BLOCK 1000u
/* Enough that there is a thread. */
#define LONG 600u

/* Gives count blocks of their number's byte, out of memory that is written anew when a block no longer has to last, and then
 * fails with code, or ends. */
struct counting {
	struct nc_reader base;
	unsigned count, at, lasts;
	int code;
	long pause_ns;
	pthread_t owner;
	atomic_uint elsewhere;		/* calls by another thread than that */
	bool signals;			/* another thread takes some */
	const struct nacre_progress *progress;
	int *closed;
	unsigned char blocks[16][BLOCK];
};

static ssize_t counting_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct counting *self = (struct counting *)reader;
	if (!pthread_equal(pthread_self(), self->owner)) {
		sigset_t now;
		pthread_sigmask(SIG_SETMASK, NULL, &now);
		self->signals |= !sigismember(&now, SIGINT) || !sigismember(&now, SIGCHLD);
		self->elsewhere++;
	}
	if (self->pause_ns)
		nanosleep(&(struct timespec){ .tv_nsec = self->pause_ns }, NULL);
	if (self->at == self->count)
		return self->code ? nc_fail(err, self->code, 0, "upstream failed") : 0;
	unsigned char *block = self->blocks[self->at % self->lasts];
	memset(block, (int)self->at++, BLOCK);
	nc_progress_tell(self->progress, NACRE_EVENT_BYTES, "id", "what", self->at, self->count);
	*ret = block;
	return BLOCK;
}

static int counting_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	struct counting *self = (struct counting *)reader;
	assert_in_range(count, 2, 16);
	self->lasts = count;
	return 1;
}

static void counting_close(struct nc_reader *reader)
{
	struct counting *self = (struct counting *)reader;
	if (self->closed)
		++*self->closed;
	free(self);
}

static struct counting *counting_new(unsigned count, int code)
{
	static const struct nc_reader_ops ops = { counting_next, counting_close, counting_keep };
	struct counting *self = calloc(1, sizeof *self);
	self->base.ops = &ops;
	self->count = count;
	self->lasts = 1;
	self->owner = pthread_self();
	self->code = code;
	return self;
}

struct hashed {
	struct nc_hash *hash;
	uint64_t count;
};

static struct nc_reader *ahead_of(struct nc_reader *upstream, struct hashed *ret)
{
	struct nacre_error err;
	struct nc_reader *reader;
	ret->count = 0;
	assert_done(nc_hash_new(NC_SHA256, &ret->hash, &err));
	assert_done(nc_reader_ahead(upstream, ret->hash, &ret->count, &reader, &err));
	return reader;
}

static void assert_hash(struct hashed *hashed, unsigned blocks)
{
	struct nacre_error err;
	struct nc_digest want, got;
	unsigned char block[BLOCK];
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	assert_done(nc_hash_new(NC_SHA256, &hash, &err));
	for (unsigned i = 0; i < blocks; i++) {
		memset(block, (int)i, sizeof block);
		nc_hash_add(hash, block, sizeof block);
	}
	nc_hash_finish(hash, &want);
	nc_hash_finish(hashed->hash, &got);
	nc_hash_free(hashed->hash);
	assert_true(nc_digest_equal(&want, &got));
	assert_int_equal(hashed->count, blocks * BLOCK);
}

static void assert_blocks(struct nc_reader *reader, unsigned from, unsigned to, long pause_ns)
{
	struct nacre_error err;
	const unsigned char *block;
	for (unsigned i = from; i < to; i++) {
		assert_int_equal(nc_reader_next(reader, (const void **)&block, &err), BLOCK);
		if (pause_ns)
			nanosleep(&(struct timespec){ .tv_nsec = pause_ns }, NULL);
		for (unsigned at = 0; at < BLOCK; at++)
			assert_int_equal(block[at], (unsigned char)i);
	}
}

/* Whoever is the slower of the two. */
static void the_same_bytes(void **state)
{
	static const struct {
		unsigned blocks;
		long upstream_ns, reader_ns;
	} runs[] = { { 0, 0, 0 }, { 1, 0, 0 }, { 8, 0, 0 }, { 9, 0, 0 }, { 525, 0, 0 }, { 526, 0, 0 }, { 5000, 0, 0 },
		     { LONG, 0, 200000 }, { LONG, 200000, 0 } };
	struct nacre_error err;
	const void *block;
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		struct counting *upstream = counting_new(runs[i].blocks, 0);
		struct hashed hashed;
		int closed = 0;
		upstream->pause_ns = runs[i].upstream_ns;
		upstream->closed = &closed;
		struct nc_reader *reader = ahead_of(&upstream->base, &hashed);
		assert_blocks(reader, 0, runs[i].blocks, runs[i].reader_ns);
		assert_int_equal(nc_reader_next(reader, &block, &err), 0);
		assert_int_equal(nc_reader_next(reader, &block, &err), 0);
		assert_int_equal(helpers_left(), 0);
		assert_int_equal(closed, 0);
		nc_reader_close(reader);
		assert_int_equal(closed, 1);
		assert_hash(&hashed, runs[i].blocks);
	}
}

static bool one_processor(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) < 2;
}

static void on_a_second_thread(void **state)
{
	if (one_processor())
		skip();
	struct nacre_error err;
	struct counting *upstream = counting_new(LONG, 0);
	struct hashed hashed;
	sigset_t before, after;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	struct nc_reader *reader = ahead_of(&upstream->base, &hashed);
	assert_blocks(reader, 0, LONG - 50, 0);
	for (int i = 0; i < 10000 && !upstream->elsewhere; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_true(upstream->elsewhere > 0);
	assert_done(nc_reader_drain(reader, &err));
	assert_int_equal(helpers_left(), 0);
	assert_false(upstream->signals);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
	nc_reader_close(reader);
	assert_hash(&hashed, LONG);
}

static void failures_come_in_their_place(void **state)
{
	struct nacre_error err;
	const void *block;
	struct hashed hashed;
	struct nc_reader *reader = ahead_of(&counting_new(LONG, NACRE_E_BADDATA)->base, &hashed);
	assert_blocks(reader, 0, LONG, 0);
	for (int i = 0; i < 2; i++) {
		memset(&err, 0, sizeof err);
		assert_int_equal(nc_reader_next(reader, &block, &err), NACRE_E_BADDATA);
		assert_string_equal(err.msg, "upstream failed");
		assert_int_equal(err.code, NACRE_E_BADDATA);
	}
	assert_int_equal(helpers_left(), 0);
	assert_int_equal(nc_reader_next(reader, &block, NULL), NACRE_E_BADDATA);
	nc_reader_close(reader);
	assert_hash(&hashed, LONG);
}

static void closed_half_way(void **state)
{
	for (unsigned blocks = LONG; blocks < LONG + 30; blocks += 3) {
		struct hashed hashed;
		int closed = 0;
		struct counting *upstream = counting_new(1000000, 0);
		upstream->closed = &closed;
		struct nc_reader *reader = ahead_of(&upstream->base, &hashed);
		assert_blocks(reader, 0, blocks, 0);
		nc_reader_close(reader);
		assert_int_equal(closed, 1);
		nc_hash_free(hashed.hash);
		assert_int_equal(helpers_left(), 0);
	}
}

/* Nobody waits for a pipe that says nothing once its bytes are not wanted. */
static void closed_while_it_waits(void **state)
{
	struct nacre_error err;
	struct nc_reader *reader;
	struct hashed hashed;
	static const unsigned char counted[BLOCK];
	const void *block;
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	for (unsigned i = 0; i < LONG; i++)
		assert_int_equal(write(ends[1], counted, BLOCK), BLOCK);
	assert_done(nc_reader_fd(ends[0], true, "pipe", &reader, &err));
	reader = ahead_of(reader, &hashed);
	while (hashed.count < (uint64_t)LONG * BLOCK)
		assert_true(nc_reader_next(reader, &block, &err) > 0);
	nc_reader_close(reader);
	nc_hash_free(hashed.hash);
	assert_int_equal(helpers_left(), 0);
	close(ends[1]);
}

/* One whose blocks do not last is read as ever. */
static void without_a_thread(void **state)
{
	struct nacre_error err;
	struct hashed hashed;
	char *got;
	size_t len;
	int closed = 0;
	struct nc_reader *reader = ahead_of(choppy_new("hello ahead", 11, 3, 0, &closed), &hashed);
	assert_done(nc_reader_slurp(reader, 100, &got, &len, &err));
	assert_string_equal(got, "hello ahead");
	assert_int_equal(hashed.count, 11);
	nc_reader_close(reader);
	assert_int_equal(closed, 1);
	nc_hash_free(hashed.hash);
	free(got);
}

/* Readers of our own, one on the other; blocks that did not last would show. */
static void chains_keep_blocks(void **state)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf packed = NC_BUF_INIT((size_t)64 << 20);
	static const enum nc_codec codecs[] = { NC_PLAIN, NC_GZIP, NC_ZSTD };
	unsigned char block[BLOCK];
	for (size_t c = 0; c < sizeof codecs / sizeof *codecs; c++) {
		struct nc_writer *writer;
		struct nc_reader *reader;
		struct hashed hashed;
		uint64_t passed = 0;
		nc_buf_clear(&packed);
		assert_done(nc_writer_buf(&packed, &writer, &err));
		assert_done(nc_writer_encoded(writer, codecs[c], 0, &writer, &err));
		for (unsigned i = 0; i < 6000; i++) {
			memset(block, (int)i, sizeof block);
			assert_done(nc_writer_write(writer, block, sizeof block, &err));
		}
		assert_done(nc_writer_finish(writer, &err));
		nc_writer_close(writer);
		int fd = memfd_create("test", MFD_CLOEXEC);
		assert_int_equal(write(fd, packed.data, packed.len), packed.len);
		struct nacre_progress silent = { 0 };
		assert_done(nc_reader_file_range(fd, 0, packed.len, "test", &reader, &err));
		assert_done(nc_reader_progress(reader, &silent, "", "", 0, &reader, &err));
		assert_done(nc_reader_verified(reader, NULL, packed.len, &reader, &err));
		assert_done(nc_reader_hashing(reader, NULL, &passed, &reader, &err));
		assert_done(nc_reader_decoded(reader, NULL, &reader, &err));
		reader = ahead_of(reader, &hashed);
		assert_done(nc_reader_drain(reader, &err));
		nc_reader_close(reader);
		assert_int_equal(passed, packed.len);
		assert_hash(&hashed, 6000);
		close(fd);
	}
}

struct listener {
	pthread_t thread;
	uint64_t last;
	unsigned events;
};

static void listen_to(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current, uint64_t total)
{
	struct listener *listener = ctx;
	assert_true(pthread_equal(listener->thread, pthread_self()));
	assert_int_equal(event, NACRE_EVENT_BYTES);
	assert_string_equal(id, "id");
	assert_string_equal(what, "what");
	assert_int_equal(current, ++listener->last);
	assert_int_equal(total, LONG);
	listener->events++;
}

static void told_by_who_reads(void **state)
{
	struct nacre_error err;
	struct listener listener = { .thread = pthread_self() };
	const struct nacre_progress progress = { .event = listen_to, .ctx = &listener };
	struct hashed hashed;
	struct counting *upstream = counting_new(LONG, 0);
	upstream->progress = &progress;
	struct nc_reader *reader = ahead_of(&upstream->base, &hashed);
	assert_done(nc_reader_drain(reader, &err));
	assert_int_equal(listener.events, LONG);
	nc_reader_close(reader);
	assert_hash(&hashed, LONG);

	/* what nobody came to hear is forgotten */
	listener.last = listener.events = 0;
	upstream = counting_new(LONG, 0);
	upstream->progress = &progress;
	reader = ahead_of(&upstream->base, &hashed);
	while (hashed.count < 550 * BLOCK) {
		const void *block;
		assert_true(nc_reader_next(reader, &block, &err) > 0);
	}
	nc_reader_close(reader);
	nc_hash_free(hashed.hash);
	assert_false(nc_aside_here());
	assert_false(nc_aside_unwanted());
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_bytes),
		cmocka_unit_test(on_a_second_thread),
		cmocka_unit_test(failures_come_in_their_place),
		cmocka_unit_test(closed_half_way),
		cmocka_unit_test(closed_while_it_waits),
		cmocka_unit_test(without_a_thread),
		cmocka_unit_test(chains_keep_blocks),
		cmocka_unit_test(told_by_who_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
