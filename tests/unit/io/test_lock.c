#include "../unit.h"
#include "scratch.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "io/lock.h"

/* Two descriptors of the same file, opened each for itself. */
static void open_twice(struct scratch *scratch, int *ret_a, int *ret_b)
{
	*ret_a = openat(scratch->fd, "locks", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	*ret_b = openat(scratch->fd, "locks", O_RDWR | O_CLOEXEC);
	assert_true(*ret_a >= 0 && *ret_b >= 0);
}

static void in_one_process(void **state)
{
	struct nacre_error err;
	int a, b;
	open_twice(*state, &a, &b);
	assert_done(nc_lock_take(a, NC_LOCK_EXCLUSIVE, 10, 1, false, &err));
	assert_int_equal(nc_lock_take(b, NC_LOCK_EXCLUSIVE, 10, 1, false, &err), NACRE_E_BUSY);
	assert_int_equal(nc_lock_take(b, NC_LOCK_SHARED, 10, 1, false, &err), NACRE_E_BUSY);
	assert_int_equal(nc_lock_take(b, NC_LOCK_SHARED, 0, 0, false, &err), NACRE_E_BUSY);
	assert_done(nc_lock_take(b, NC_LOCK_EXCLUSIVE, 11, 1, false, &err));
	assert_done(nc_lock_take(b, NC_LOCK_EXCLUSIVE, 0, 10, false, &err));
	assert_done(nc_lock_take(b, NC_LOCK_EXCLUSIVE, (uint64_t)1 << 62, 0, false, &err));
	assert_int_equal(nc_lock_take(a, NC_LOCK_SHARED, INT64_MAX, 0, false, &err), NACRE_E_BUSY);
	assert_done(nc_lock_take(a, NC_LOCK_SHARED, 10, 1, false, &err));	/* weaker in place */
	assert_done(nc_lock_take(b, NC_LOCK_SHARED, 10, 1, false, &err));
	assert_int_equal(nc_lock_take(a, NC_LOCK_EXCLUSIVE, 10, 1, false, &err), NACRE_E_BUSY);
	nc_lock_release(b, 10, 1);
	assert_done(nc_lock_take(a, NC_LOCK_EXCLUSIVE, 10, 1, false, &err));
	close(a);	/* takes the lock along */
	assert_done(nc_lock_take(b, NC_LOCK_EXCLUSIVE, 10, 1, false, &err));
	close(b);
}

static void a_wait_that_is_called_off(void **state)
{
	struct nacre_error err;
	volatile int cancel = 0;
	int a, b;
	open_twice(*state, &a, &b);
	assert_done(nc_lock_wait(a, NC_LOCK_EXCLUSIVE, 10, 1, &cancel, &err));
	pid_t child = fork();
	if (child == 0) {
		int *flag = mmap(NULL, sizeof *flag, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (fork() == 0) {
			usleep(50000);
			*flag = 1;
			_exit(0);
		}
		_exit(nc_lock_wait(b, NC_LOCK_SHARED, 10, 1, flag, &err) == NACRE_E_CANCELLED ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	cancel = 1;	/* looked at before anything else */
	assert_int_equal(nc_lock_wait(b, NC_LOCK_SHARED, 11, 1, &cancel, &err), NACRE_E_CANCELLED);
	cancel = 0;
	close(a);
	assert_done(nc_lock_wait(b, NC_LOCK_SHARED, 10, 1, &cancel, &err));
	close(b);
}

static void wrong_requests(void **state)
{
	struct nacre_error err;
	int a, b;
	open_twice(*state, &a, &b);
	assert_int_equal(nc_lock_take(a, NC_LOCK_SHARED, UINT64_MAX, 1, false, &err), NACRE_E_INVALID);
	assert_int_equal(nc_lock_take(a, NC_LOCK_SHARED, 1, INT64_MAX, false, &err), NACRE_E_INVALID);
	close(b);
	assert_int_equal(nc_lock_take(b, NC_LOCK_SHARED, 0, 1, false, &err), NACRE_E_IO);
	close(a);
}

static void between_processes(void **state)
{
	struct nacre_error err;
	int a, b, ready[2];
	open_twice(*state, &a, &b);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		close(b);
		close(ready[0]);
		int own = openat(((struct scratch *)*state)->fd, "locks", O_RDWR | O_CLOEXEC);
		close(a);
		if (nc_lock_take(own, NC_LOCK_EXCLUSIVE, 5, 1, false, NULL) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	char byte;
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(nc_lock_take(b, NC_LOCK_SHARED, 5, 1, false, &err), NACRE_E_BUSY);
	pid_t waiter = fork();
	if (waiter == 0) {
		int own = openat(((struct scratch *)*state)->fd, "locks", O_RDWR | O_CLOEXEC);
		_exit(nc_lock_take(own, NC_LOCK_EXCLUSIVE, 5, 1, true, NULL) < 0);
	}
	int status;
	poll(NULL, 0, 20);
	assert_int_equal(waitpid(waiter, &status, WNOHANG), 0);	/* it waits */
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	assert_int_equal(waitpid(waiter, &status, 0), waiter);
	assert_int_equal(status, 0);
	assert_done(nc_lock_take(b, NC_LOCK_EXCLUSIVE, 5, 1, false, &err));
	close(a);
	close(b);
	close(ready[0]);
	close(ready[1]);
}

/* What is only changed under the lock is not changed by two at once. */
static void excludes(void **state)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int a, b;
	open_twice(*state, &a, &b);
	for (int p = 0; p < 4; p++) {
		if (fork() == 0) {
			int own = openat(((struct scratch *)*state)->fd, "locks", O_RDWR | O_CLOEXEC);
			for (int i = 0; i < 500; i++) {
				if (nc_lock_take(own, NC_LOCK_EXCLUSIVE, 0, 1, true, NULL) < 0)
					_exit(1);
				int value = *(volatile int *)shared;
				if (i % 50 == 0)
					sched_yield();
				*(volatile int *)shared = value + 1;
				nc_lock_release(own, 0, 1);
			}
			_exit(0);
		}
	}
	int status;
	while (wait(&status) > 0)
		assert_int_equal(status, 0);
	assert_int_equal(*shared, 2000);
	munmap(shared, 4096);
	close(a);
	close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_one_process, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(a_wait_that_is_called_off, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(wrong_requests, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(between_processes, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(excludes, scratch_make, scratch_drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
