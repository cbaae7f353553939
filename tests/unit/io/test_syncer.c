#include "../unit.h"

#include "io/aside.h"
#include "io/syncer.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

static atomic_int begun, fd_seen;
static sem_t may_end;

int __wrap_syncfs(int fd);

int __wrap_syncfs(int fd)
{
	fd_seen = fd;
	begun++;
	while (sem_wait(&may_end))
		;
	return 0;
}

static struct nc_syncer *syncer_new(int *ret_fd)
{
	struct nacre_error err;
	struct nc_syncer *syncer;
	*ret_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(*ret_fd >= 0);
	assert_done(nc_syncer_new(*ret_fd, &syncer, &err));
	begun = 0;
	assert_int_equal(sem_init(&may_end, 0, 0), 0);
	return syncer;
}

static void assert_begun(int count)
{
	for (int i = 0; i < 10000 && begun < count; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_int_equal(begun, count);
}

static void little_is_left_alone(void **state)
{
	int fd;
	struct nc_syncer *syncer = syncer_new(&fd);
	nc_syncer_wrote(syncer, NC_SYNCER_STEP / 2);
	nc_syncer_wrote(syncer, NC_SYNCER_STEP / 2 - 1);
	nc_syncer_free(syncer);
	assert_int_equal(begun, 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	nc_syncer_wrote(NULL, NC_SYNCER_STEP);
	nc_syncer_free(NULL);
}

static void one_at_a_time(void **state)
{
	int fd;
	struct nc_syncer *syncer = syncer_new(&fd);
	nc_syncer_wrote(syncer, NC_SYNCER_STEP);
	assert_begun(1);
	assert_int_equal(fd_seen, fd);
	for (int i = 0; i < 5; i++)	/* meanwhile nobody waits */
		nc_syncer_wrote(syncer, NC_SYNCER_STEP);
	assert_int_equal(begun, 1);
	sem_post(&may_end);
	sem_post(&may_end);
	for (int i = 0; i < 10000 && begun < 2; i++) {
		nc_syncer_wrote(syncer, 0);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_int_equal(begun, 2);
	nc_syncer_free(syncer);
	assert_int_equal(begun, 2);
}

static void *end_it(void *arg)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	*(atomic_bool *)arg = true;
	sem_post(&may_end);
	return NULL;
}

static void the_end_waits(void **state)
{
	int fd;
	pthread_t thread;
	atomic_bool ended = false;
	struct nc_syncer *syncer = syncer_new(&fd);
	nc_syncer_wrote(syncer, NC_SYNCER_STEP);
	assert_begun(1);
	assert_true(nc_aside_start(&thread, end_it, &ended));
	nc_syncer_free(syncer);
	assert_true(ended);
	pthread_join(thread, NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(little_is_left_alone),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(the_end_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
