/* Long files that are removed: each byte of one is forgotten once, by as many threads as can run; a short one is left alone; and
 * its room is free when that was waited for. */
#include "../unit.h"
#include "scratch.h"

#include "io/forget.h"

#define MEGABYTE ((off_t)1 << 20)
#define LENGTH (100 * MEGABYTE + 5)

static unsigned processors, threads_refused;
static struct range {
	off_t at, len;
} ranges[100];
static unsigned count;			/* under the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

unsigned __wrap_nc_processors(void);
unsigned __wrap_nc_processors(void)
{
	return processors;
}

bool __real_nc_aside_start(pthread_t *ret, void *(*fn)(void *arg), void *arg);
bool __wrap_nc_aside_start(pthread_t *ret, void *(*fn)(void *arg), void *arg);
bool __wrap_nc_aside_start(pthread_t *ret, void *(*fn)(void *arg), void *arg)
{
	return threads_refused ? threads_refused-- == 0 : __real_nc_aside_start(ret, fn, arg);
}

int __wrap_posix_fadvise64(int fd, off_t at, off_t len, int advice);
int __wrap_posix_fadvise64(int fd, off_t at, off_t len, int advice)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(advice, POSIX_FADV_DONTNEED);
	pthread_mutex_lock(&lock);
	ranges[count++] = (struct range){ at, len ? len : st.st_size - at };
	pthread_mutex_unlock(&lock);
	return 0;
}

static int compare(const void *a, const void *b)
{
	off_t left = ((const struct range *)a)->at, right = ((const struct range *)b)->at;
	return left < right ? -1 : left > right;
}

static int put_long_file(const struct scratch *scratch, off_t len)
{
	int fd = openat(scratch->fd, "long", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, len), 0);
	return fd;
}

/* The lowest descriptor that is free: it stays that one where none is left open. */
static int next_descriptor(void)
{
	int fd = dup(0);
	close(fd);
	return fd;
}

/* Forgets one of so many bytes. */
static void forget(const struct scratch *scratch, off_t len)
{
	int before = next_descriptor();
	struct nc_forgetting forgetting;
	count = 0;
	int fd = put_long_file(scratch, len);
	nc_forgetting_init(&forgetting);
	nc_forget(&forgetting, fd, (uint64_t)len);
	close(fd);
	unlinkat(scratch->fd, "long", 0);
	nc_forgetting_wait(&forgetting);
	assert_int_equal(next_descriptor(), before);
	nc_forgetting_release(&forgetting);
}

static void each_byte_once(void **state)
{
	for (processors = 2; processors < 20; processors++) {
		forget(*state, LENGTH);
		assert_int_equal(count, processors < NC_CREW_MAX ? processors : NC_CREW_MAX);
		qsort(ranges, count, sizeof *ranges, compare);
		off_t at = 0;
		for (unsigned i = 0; i < count; i++) {
			assert_int_equal(ranges[i].at, at);
			at += ranges[i].len;
		}
		assert_int_equal(at, LENGTH);
	}
}

static void nothing_where_it_gains_nothing(void **state)
{
	processors = 1;
	forget(*state, LENGTH);
	assert_int_equal(count, 0);
	processors = 2;
	forget(*state, MEGABYTE);
	assert_int_equal(count, 0);
	forget(*state, 0);
	assert_int_equal(count, 0);
}

static void without_threads(void **state)
{
	processors = 2;
	threads_refused = 2;
	forget(*state, LENGTH);
	assert_int_equal(count, 0);
	threads_refused = 0;
}

static void several_files(void **state)
{
	struct nc_forgetting forgetting;
	processors = 2;
	count = 0;
	nc_forgetting_init(&forgetting);
	for (int i = 0; i < 5; i++) {
		int fd = put_long_file(*state, LENGTH);
		nc_forget(&forgetting, fd, LENGTH);
		close(fd);
	}
	nc_forgetting_release(&forgetting);
	assert_int_equal(count, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_byte_once, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(nothing_where_it_gains_nothing, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(without_threads, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(several_files, scratch_make, scratch_drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
